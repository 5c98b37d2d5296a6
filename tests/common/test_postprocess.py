"""The post-processing chain: each step by hand, the gate, the record."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.metrics import POOLINGS, ccc, score_pooled
from common.postprocess import STEPS, Centre, Chain, Scale, Shift, Smooth, fit

HOP = 0.1  # s
OPTIONS = {"hop": HOP, "pooling": "concatenated", "fitted_on": "devel"}
SPIKES = [0, 0, 0, 9, 0, 0, 5, 5, 5, 5]


def recordings(seed=0, count=3, samples=300, gain=0.4, bias=0.2, noise=0.1, delay=0):
    """Golds, and predictions that are weak, off, noisy and early by `delay` samples."""
    random = np.random.default_rng(seed)
    golds = [np.cumsum(random.normal(size=samples + delay)) / 10 for _ in range(count)]
    predictions = [gain * gold[delay:] + bias + noise * random.normal(size=samples) for gold in golds]
    return predictions, [gold[:samples] for gold in golds]


def naive_median(series, window, edge):
    """Median over a centred window of odd length, with the ends continued by hand."""
    half = window // 2
    padded = np.pad(series, half, mode="symmetric") if edge == "reflect" else np.pad(series, half)
    return [sorted(padded[i : i + window])[half] for i in range(len(series))]


def test_smooth_by_hand():
    smoothed = Smooth(0.3).apply(np.array(SPIKES, float), HOP)  # 3 samples
    np.testing.assert_array_equal(smoothed, [0, 0, 0, 0, 0, 0, 5, 5, 5, 5])


@pytest.mark.parametrize(
    "seconds, window", [(0, 1), (0.1, 1), (0.2, 3), (0.3, 3), (0.4, 5), (0.44, 5), (0.46, 5), (0.5, 5), (0.6, 7)]
)
def test_smooth_window_is_odd(seconds, window):
    series = np.random.default_rng(0).normal(size=10)
    np.testing.assert_array_equal(Smooth(seconds).apply(series, HOP), naive_median(series, window, "reflect"))


@pytest.mark.parametrize("edge", ["reflect", "zero"])
@pytest.mark.parametrize("samples", [1, 2, 10, 101])
@pytest.mark.parametrize("seconds", [0.4, 1.2, 20.0])  # 20 s: twice as long as the longest series
def test_smooth_edges(edge, samples, seconds):
    series = np.random.default_rng(samples).normal(size=samples) + 1
    window = round(seconds / HOP) + 1
    np.testing.assert_array_equal(Smooth(seconds, edge).apply(series, HOP), naive_median(series, window, edge))


def test_centre_by_hand():
    prediction, gold = np.arange(10.0), np.arange(10.0) * 2 + 3  # means 4.5 and 12
    (step,) = Centre.fit([prediction[:4], prediction[4:]], [gold[:4], gold[4:]])
    assert step == Centre(7.5)
    np.testing.assert_array_equal(step.apply(prediction, HOP), prediction + 7.5)


@pytest.mark.parametrize("recentre, about", [(False, 0.0), (True, 4.5)])
def test_scale_by_hand(recentre, about):
    prediction, gold = np.arange(10.0), np.arange(10.0) * 3
    (step,) = Scale.fit([prediction[:4], prediction[4:]], [gold[:4], gold[4:]], recentre)
    assert step == Scale(pytest.approx(3), about)
    expected = 3 * prediction if not recentre else 3 * prediction - 9  # the mean moves, or stays 4.5
    np.testing.assert_allclose(step.apply(prediction, HOP), expected)


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (0.3, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]),
        (-0.2, [2, 3, 4, 5, 6, 7, 8, 9, 9, 9]),
        (0.0, list(range(10))),
        (5.0, [0] * 10),
        (-5.0, [9] * 10),
    ],
)
def test_shift_by_hand(seconds, expected):
    np.testing.assert_array_equal(Shift(seconds).apply(np.arange(10.0), HOP), expected)


def test_grids():
    widths = [step.width_seconds for step in Smooth.make_grid("zero")]
    assert (len(widths), widths[0], widths[2], widths[-1]) == (50, 0.4, 1.2, 20.0)
    assert [step.seconds for step in Shift.make_grid(0.1)][:4] == [0.1, -0.1, 0.2, -0.2]
    for hop, shortest, count in ((0.04, 0.04, 500), (0.1, 0.1, 200), (0.25, 0.25, 80), (0.02, 0.04, 998)):
        seconds = [step.seconds for step in Shift.make_grid(hop)]
        assert (min(map(abs, seconds)), max(seconds), min(seconds), len(seconds)) == (shortest, 10.0, -10.0, count)


TRACE = st.lists(st.integers(-100, 100).map(lambda hundredths: hundredths / 100), min_size=8, max_size=8)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(TRACE, TRACE), min_size=1, max_size=3),
    st.sampled_from(POOLINGS),
    st.sampled_from(["grid", "bisection"]),
    st.booleans(),
)
def test_the_chain_never_lowers_the_ccc_it_was_fitted_with(pairs, pooling, smoothing, recentre):
    predictions, golds = map(list, zip(*pairs))
    before = score_pooled(ccc, golds, predictions, pooling=pooling)
    options = {"hop": 0.5, "pooling": pooling, "fitted_on": "devel", "smoothing": smoothing, "recentre": recentre}
    if math.isnan(before):
        with pytest.raises(ValueError, match="undefined"):
            fit(predictions, golds, **options)
        return
    chain = fit(predictions, golds, **options)
    after = score_pooled(ccc, golds, chain.apply(predictions), pooling=pooling)
    assert after >= before
    assert after == chain.steps[-1].ccc_after
    assert before == chain.steps[0].ccc_before
    assert all(first.ccc_after == second.ccc_before for first, second in zip(chain.steps, chain.steps[1:]))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("variance", ["population", "avec2018"])
def test_every_step_can_gain(pooling, variance):
    # constant bias that scaling does not undo by itself, too little spread, noise, and 1.2 s early
    predictions, golds = recordings(delay=12, bias=1.5, noise=0.02)
    chain = fit(predictions, golds, **OPTIONS | {"pooling": pooling}, variance=variance)
    steps = {fitted.name: fitted for fitted in chain.steps}
    assert all(fitted.kept for fitted in chain.steps)
    assert steps["shift"].step.seconds == pytest.approx(1.2, abs=0.2)
    assert steps["shift"].ccc_after == score_pooled(
        ccc, golds, chain.apply(predictions), pooling=pooling, variance=variance
    )


@pytest.mark.parametrize("name", STEPS)
def test_each_step_alone(name):
    predictions, golds = recordings(delay=12)
    (fitted,) = fit(predictions, golds, **OPTIONS, steps=[name]).steps
    assert fitted.name == name and fitted.kept and isinstance(fitted.step, STEPS[name])


def test_the_order_is_fixed():
    predictions, golds = recordings()
    chain = fit(predictions, golds, **OPTIONS, steps=["shift", "scale", "smooth"])
    assert [fitted.name for fitted in chain.steps] == ["smooth", "scale", "shift"]


@pytest.mark.parametrize("smoothing", ["grid", "bisection"])
def test_a_step_without_gain_changes_nothing(smoothing):
    _, golds = recordings()
    chain = fit(golds, golds, **OPTIONS, smoothing=smoothing)
    assert not any(fitted.kept for fitted in chain.steps)
    assert [fitted.step for fitted in chain.steps] == [Smooth(0), Centre(0), Scale(1), Shift(0)]
    for before, after in zip(golds, chain.apply(golds)):
        np.testing.assert_array_equal(before, after)


def test_of_equals_the_step_that_does_nothing_is_stored():
    predictions, golds = recordings()
    # labels once a minute: a window of 20 s holds one sample, and no width can make a difference
    (fitted,) = fit(predictions, golds, **OPTIONS | {"hop": 60}, steps=["smooth"]).steps
    assert fitted.step == Smooth(0)


def test_scaling_that_moves_the_mean_is_refused_unless_about_the_mean():
    random = np.random.default_rng(0)
    gold = random.normal(size=200) + 10
    prediction = (gold - 10) / 4 + 10  # right mean, a quarter of the spread: factor 4 sends the mean to 40
    chain = fit([prediction], [gold], **OPTIONS, steps=["scale"])
    assert not chain.steps[0].kept
    chain = fit([prediction], [gold], **OPTIONS, steps=["scale"], recentre=True)
    assert chain.steps[0].kept
    assert chain.steps[0].ccc_after > 0.99


def test_constant_predictions_are_not_scaled():
    _, golds = recordings()
    with np.errstate(all="raise"):
        chain = fit([np.full(300, 0.1)] * 3, golds, **OPTIONS)
    steps = {fitted.name: fitted for fitted in chain.steps}
    assert steps["scale"].step == Scale(1.0) and not steps["scale"].kept


def test_apply_uses_the_stored_values():
    predictions, golds = recordings(bias=1.5)
    chain = fit(predictions, golds, **OPTIONS, steps=["centre", "scale"])
    bias, factor = chain.steps[0].step.bias, chain.steps[1].step.factor
    (other,) = chain.apply([[5.0, 6.0, 8.0]])
    np.testing.assert_allclose(other, factor * (np.array([5.0, 6.0, 8.0]) + bias))


def bisected(score_of_seconds):
    """Width that the search takes, and the widths it looked at, given CCCs by width."""
    seen = []

    def score(step):
        seen.append(step.width_seconds)
        return score_of_seconds(step.width_seconds)

    found = Smooth.bisect(score, hop=0.04, edge="zero")
    return (found[0].width_seconds if found else None), seen


def test_bisection_widths():
    # 167, 333, 500 frames of 40 ms, as in AVEC 2016; then the middle of the two best
    width, seen = bisected({0: 0.5, 6.68: 0.6, 13.32: 0.59, 20: 0.4, 10: 0.605}.get)
    assert seen == [0, 6.68, 13.32, 20, 10]
    assert width == 10  # better by less than 2 %: taken, and the search ends


@pytest.mark.parametrize(
    "scores, width",
    [
        ({0: 0.5, 6.68: 0.509, 13.32: 0.4, 20: 0.4}, None),  # gain of 1.8 %
        ({0: 0.5, 6.68: 0.511, 13.32: 0.4, 20: 0.4, 3.36: 0.4}, 6.68),  # gain of 2.2 %
        ({0: 0.5, 6.68: 0.4, 13.32: 0.4, 20: 0.4}, None),
        ({0: -0.5, 6.68: 0.4, 13.32: 0.4, 20: 0.4}, None),  # a negative CCC is left alone
        ({0: 0.5, 6.68: 0.4, 13.32: 0.6, 20: 0.55, 16.68: 0.6}, 13.32),  # the middle is no better
        ({0: 0.5, 6.68: 0.6, 13.32: 0.4, 20: 0.4, 3.36: 0.7, 5.04: 0.65}, 3.36),  # between 0 and 167 frames
        ({0: 0.5, 6.68: 0.6, 13.32: 0.4, 20: 0.4, 3.36: 0.7, 5.04: 0.71}, 5.04),
    ],
)
def test_bisection_takes(scores, width):
    assert bisected(scores.__getitem__)[0] == width


@pytest.mark.parametrize("smoothing", ["grid", "bisection"])
def test_record_goes_through_json(smoothing):
    predictions, golds = recordings(noise=0.4)
    chain = fit(predictions, golds, **OPTIONS, smoothing=smoothing, edge="zero", variance="avec2018")
    record = json.loads(json.dumps(chain.to_record(), allow_nan=False))
    assert Chain.from_record(record) == chain
    assert {key: record[key] for key in record if key != "steps"} == {
        "fitted_on": "devel",
        "hop": 0.1,
        "pooling": "concatenated",
        "variance": "avec2018",
        "smoothing": smoothing,
    }
    smooth, *_ = record["steps"]
    assert smooth["name"] == "smooth" and smooth["kept"] is True and smooth["value"]["edge"] == "zero"
    assert smooth["ccc_before"] == score_pooled(ccc, golds, predictions, pooling="concatenated", variance="avec2018")
    assert smooth["ccc_after"] > smooth["ccc_before"]


def test_fitted_on_train_is_in_the_record():
    predictions, golds = recordings()
    assert fit(predictions, golds, **OPTIONS | {"fitted_on": "train"}).to_record()["fitted_on"] == "train"


def test_input_errors():
    good = [[0.0, 1.0, 2.0]]
    for bad, message in (
        ([[0.0, math.nan, 1.0]], "recording 0: holds NaN or infinite"),
        ([[0.0, 1.0, 2.0], []], r"recording 1: expected shape \(samples,\), received \(0,\)"),
        ([[[0.0], [1.0], [2.0]]], r"recording 0: expected shape \(samples,\), received \(3, 1\)"),
        ([], "no recordings"),
    ):
        with pytest.raises(ValueError, match=f"predictions.*{message}"):
            fit(bad, good, **OPTIONS)
        with pytest.raises(ValueError, match=f"golds.*{message}"):
            fit(good, bad, **OPTIONS)
        with pytest.raises(ValueError, match=f"predictions.*{message}"):
            fit(good, good, **OPTIONS).apply(bad)
    with pytest.raises(ValueError, match="recording 0: truth and prediction differ in length: 2 != 3"):
        fit(good, [[0.0, 1.0]], **OPTIONS)
    with pytest.raises(ValueError, match="undefined"):
        fit([[1.0, 1.0]], [[1.0, 1.0]], **OPTIONS)


@pytest.mark.parametrize(
    "option, message",
    [
        ({"steps": ["smooth", "median"]}, "steps must be among .*received 'median'"),
        ({"smoothing": "best"}, "smoothing must be among grid, bisection, received 'best'"),
        ({"edge": "wrap"}, "edge must be among reflect, zero, received 'wrap'"),
        ({"pooling": "mean"}, "pooling must be one of"),
        ({"variance": "sample"}, "variance must be one of"),
        ({"hop": 0}, "hop must be a positive number of seconds"),
    ],
)
def test_option_errors(option, message):
    with pytest.raises(ValueError, match=message):
        fit([[0.0, 1.0, 2.0]], [[0.0, 1.0, 1.0]], **OPTIONS | option)
