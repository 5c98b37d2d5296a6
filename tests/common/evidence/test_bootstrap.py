"""Bootstrap intervals: ratios by hand, coverage of a known mean, and recordings with nothing to count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from common.evidence.bootstrap import bootstrap_ratio

counts = st.lists(st.integers(0, 20), min_size=1, max_size=12).map(np.array)


def test_ratio_is_that_of_the_sums():
    """3 of 4 and 1 of 12 are 4 of 16, not the mean of 0.75 and 0.083."""
    value, (low, high) = bootstrap_ratio(np.array([3, 1]), np.array([4, 12]))
    assert value == 0.25
    assert low == pytest.approx(1 / 12) and high == pytest.approx(3 / 4)  # both draws of one recording twice


@given(counts, st.integers(0, 2**32 - 1))
def test_shares_lie_within_their_interval(whole, seed):
    part = np.random.default_rng(seed).binomial(whole, 0.4)
    value, interval = bootstrap_ratio(part, whole)
    if not whole.sum():
        assert value is None and interval is None
        return
    rates = part[whole > 0] / whole[whole > 0]
    assert value == pytest.approx(part.sum() / whole.sum())
    assert rates.min() - 1e-12 <= interval[0] <= interval[1] <= rates.max() + 1e-12


@given(st.floats(-5, 5), counts)
def test_recordings_that_agree_leave_no_doubt(rate, whole):
    value, interval = bootstrap_ratio(rate * whole, whole)
    if whole.sum():
        assert [value, *interval] == pytest.approx([rate] * 3)


def test_with_ones_it_is_the_interval_of_the_mean():
    """Against SciPy's percentile bootstrap, up to the chance of the draws."""
    values = np.random.default_rng(0).normal(3, 2, 60)
    value, interval = bootstrap_ratio(values, np.ones(60))
    other = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, random_state=1)
    assert value == pytest.approx(values.mean())
    assert interval == pytest.approx(list(other.confidence_interval), abs=0.06)  # about 1 wide


def test_the_interval_holds_the_truth_in_95_of_100_samples():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        whole = rng.integers(20, 60, 40)
        low, high = bootstrap_ratio(rng.binomial(whole, 0.3), whole)[1]
        inside += low <= 0.3 <= high
    assert 180 <= inside <= 198  # 190 are expected; the percentile interval of 40 recordings is a little short


def test_more_recordings_make_it_narrower():
    def width(n):
        values = np.random.default_rng(0).normal(size=n)
        return np.ptp(bootstrap_ratio(values, np.ones(n))[1])

    assert width(1600) == pytest.approx(width(100) / 4, rel=0.3)


def test_recordings_with_nothing_to_count_are_not_there():
    value, interval = bootstrap_ratio([0, 3, 0], [0, 4, 0])  # draws without the second have no ratio
    assert (value, interval) == (0.75, [0.75, 0.75])


@pytest.mark.parametrize("nothing", [[], [0], [0.0, 0.0]])
def test_nothing_to_count(nothing):
    assert bootstrap_ratio(nothing, nothing) == (None, None)


def test_numbers_are_the_same_every_time_and_plain():
    part, whole = np.arange(9), np.arange(1, 10)
    value, interval = bootstrap_ratio(part, whole)
    assert (value, interval) == bootstrap_ratio(part, whole)
    assert type(value) is float and [type(end) for end in interval] == [float, float]  # for JSON
