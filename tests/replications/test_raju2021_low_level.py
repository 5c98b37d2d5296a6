"""Functionals in windows of time, and frames brought to the grid of the labels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from replications.raju2021 import low_level


@given(
    arrays.arrays(np.float64, (30, 2), elements=st.floats(-1e3, 1e3)),
    st.lists(st.integers(1, 20), min_size=30, max_size=30),
    st.floats(0.1, 5),
)
def test_functionals_are_those_of_a_loop_over_frames(values, steps, window):
    time, centres = np.cumsum(steps) * 0.013, np.array([0.0, 0.5, 1.7, 3.0, 9.0])
    found = low_level.summarise(time, values, centres, window)
    for row, centre in zip(found, centres, strict=True):
        inside = [list(v) for t, v in zip(time, values, strict=True) if abs(t - centre) <= window / 2 + 1e-4]
        if not inside:
            inside = [list(values[np.abs(time - centre).argmin()])]
        columns = list(zip(*inside, strict=True))
        mean = [sum(c) / len(c) for c in columns]
        deviation = [(sum((x - m) ** 2 for x in c) / len(c)) ** 0.5 for c, m in zip(columns, mean, strict=True)]
        np.testing.assert_allclose(row, mean + deviation, rtol=1e-6, atol=1e-6)


def test_windows_are_those_of_the_challenge_at_100_frames_a_second():
    """Its script takes frames t - 200 to t + 200, cut off at the ends of the file."""
    time, values = 0.01 * np.arange(1200), np.random.default_rng(0).normal(size=(1200, 3))
    found = low_level.summarise(time, values, 0.1 * np.arange(120), 4.0)
    for t in range(120):
        frames = values[max(0, 10 * t - 200) : 10 * t + 201]
        np.testing.assert_allclose(found[t], [*frames.mean(0), *frames.std(0)])


def test_functionals_go_by_time_not_by_count():
    """A film that runs at half the rate has the same means in a window, from half the frames."""
    fast, slow = np.arange(501) / 50, np.arange(251) / 25
    centres = np.array([4.0, 6.0])
    for time in (fast, slow):
        found = low_level.summarise(time, time[:, None], centres, 4.0)
        np.testing.assert_allclose(found[:, 0], centres)
        np.testing.assert_allclose(found[:, 1], 4 / 12**0.5, rtol=0.02)


def test_nearest_and_mean_on_the_grid():
    time, values = np.array([0.0, 0.04, 0.08, 0.12, 0.16, 0.5]), np.arange(6.0)[:, None]
    centres = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 2.0])
    assert low_level.bring_to_grid(time, values, centres, "nearest")[:, 0].tolist() == [0, 2, 4, 4, 5, 5]
    # within 0.05 s; where there is no frame, the nearest
    assert low_level.bring_to_grid(time, values, centres, "mean")[:, 0].tolist() == [0.5, 2.5, 4, 4, 5, 5]
