"""Metrics against audmetric, scikit-learn, textbook forms, hand-made cases and the published AVEC 2019 scores."""

import csv
import math

import audmetric
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given
from hypothesis import strategies as st

from common.metrics import accuracy, cc, ccc, confusion_matrix, rmse, score_pooled, uar

# Hundredths in [-1, 1], the range of the labels; coarse, so that no variance is lost in rounding.
VALUE = st.integers(-100, 100).map(lambda hundredths: hundredths / 100)
PAIR = st.lists(st.tuples(VALUE, VALUE), min_size=2, max_size=40).map(lambda rows: np.array(rows).T)
FACTOR = st.integers(1, 50).map(lambda tenths: tenths / 10)
CLASSES = ("anger", "joy", "neutral")


def traces(seed, samples=200):
    """A truth and a prediction that follows it."""
    random = np.random.default_rng(seed)
    truth = np.cumsum(random.normal(size=samples)) / 10
    return truth, 0.5 * truth + 0.2 + 0.3 * random.normal(size=samples)


def labels(seed, samples=60):
    """True and predicted class names; every class occurs."""
    random = np.random.default_rng(seed)
    truth = np.array(CLASSES)[np.arange(samples) % 3]
    return truth, np.where(random.random(samples) < 0.5, truth, random.choice(CLASSES, samples))


def textbook_ccc(truth, prediction, ddof):
    """Lin's formula through the correlation, with loops instead of array arithmetic; ddof for the variances only."""
    n = len(truth)
    mean_t, mean_p = sum(truth) / n, sum(prediction) / n
    covariance = sum((t - mean_t) * (p - mean_p) for t, p in zip(truth, prediction)) / n
    sd_t = math.sqrt(sum((t - mean_t) ** 2 for t in truth) / (n - ddof))
    sd_p = math.sqrt(sum((p - mean_p) ** 2 for p in prediction) / (n - ddof))
    correlation = covariance / (sd_t * sd_p)
    return correlation, 2 * correlation * sd_t * sd_p / (sd_t**2 + sd_p**2 + (mean_t - mean_p) ** 2)


@pytest.mark.parametrize("seed", range(5))
def test_series_parity(seed):
    truth, prediction = traces(seed)
    assert rmse(truth, prediction) == pytest.approx(math.sqrt(audmetric.mean_squared_error(truth, prediction)))
    assert rmse(truth, prediction) == pytest.approx(sklearn.metrics.root_mean_squared_error(truth, prediction))
    assert cc(truth, prediction) == pytest.approx(audmetric.pearson_cc(truth, prediction))
    assert ccc(truth, prediction) == pytest.approx(audmetric.concordance_cc(truth, prediction))


@pytest.mark.parametrize("variance, ddof", [("population", 0), ("avec2018", 1)])
@pytest.mark.parametrize("samples", [2, 3, 50])
def test_series_textbook(variance, ddof, samples):
    truth, prediction = traces(7, samples)
    expected_cc, expected_ccc = textbook_ccc(truth.tolist(), prediction.tolist(), ddof)
    assert cc(truth, prediction, variance=variance) == pytest.approx(expected_cc)
    assert ccc(truth, prediction, variance=variance) == pytest.approx(expected_ccc)


def test_series_by_hand():
    truth, prediction = [0, 1, 2], [0, 1, 1]
    assert rmse(truth, prediction) == pytest.approx(math.sqrt(1 / 3))
    assert cc(truth, prediction) == pytest.approx(math.sqrt(3) / 2)
    assert ccc(truth, prediction) == pytest.approx(2 / 3)  # 2 * 1/3 / (2/3 + 2/9 + 1/9)
    assert cc(truth, prediction, variance="avec2018") == pytest.approx(2 / 3 * math.sqrt(3) / 2)
    assert ccc(truth, prediction, variance="avec2018") == pytest.approx(6 / 13)  # 2 * 1/3 / (1 + 1/3 + 1/9)


@given(PAIR)
def test_ccc_is_symmetric_bounded_and_below_cc(pair):
    score = ccc(*pair)
    assert score == pytest.approx(ccc(*pair[::-1]), nan_ok=True)
    assume(not math.isnan(score))
    assert abs(score) <= 1 + 1e-12
    correlation = cc(*pair)
    assert math.isnan(correlation) or abs(score) <= abs(correlation) + 1e-12


@given(PAIR, FACTOR, st.sampled_from([-1, 1]), VALUE)
def test_ccc_is_invariant_under_a_common_affine_map(pair, factor, sign, offset):
    assert ccc(*(sign * factor * pair + offset)) == pytest.approx(ccc(*pair), abs=1e-9, nan_ok=True)


@given(PAIR, FACTOR, FACTOR, VALUE, VALUE)
def test_cc_is_invariant_under_separate_positive_affine_maps(pair, factor_t, factor_p, offset_t, offset_p):
    truth, prediction = pair
    mapped = cc(factor_t * truth + offset_t, factor_p * prediction + offset_p)
    # A constant stays one, but a map may round it apart: cc is then of rounding errors only.
    assume(np.ptp(truth) > 0 and np.ptp(prediction) > 0)
    assert mapped == pytest.approx(cc(truth, prediction), abs=1e-9)
    assert -1 - 1e-12 <= mapped <= 1 + 1e-12


@given(PAIR)
def test_rmse_is_a_distance(pair):
    assert rmse(*pair) >= 0
    assert rmse(*pair) == rmse(*pair[::-1])
    assert rmse(pair[0], pair[0]) == 0


@pytest.mark.parametrize("variance", ["population", "avec2018"])
def test_degenerate_series(variance):
    varying, constant = [0.1, 0.2, 0.4], [0.1, 0.1, 0.1]
    assert ccc(varying, constant, variance=variance) == 0
    assert ccc(constant, varying, variance=variance) == 0
    assert ccc(constant, [0.2, 0.2, 0.2], variance=variance) == 0
    assert math.isnan(ccc(constant, constant, variance=variance))
    for pair in [(varying, constant), (constant, varying), (constant, constant)]:
        assert math.isnan(cc(*pair, variance=variance))
    for few in ([], [0.3]):
        assert math.isnan(cc(few, few, variance=variance))
        assert math.isnan(ccc(few, few, variance=variance))


def test_degenerate_answers_are_those_of_audmetric():
    dyadic = [0.5, 0.5, 0.5]  # audmetric needs a constant whose mean is exact
    for pair in [([1, 2, 3], dyadic), (dyadic, [1, 1, 1]), (dyadic, dyadic), ([1], [1]), ([], [])]:
        assert ccc(*pair) == pytest.approx(audmetric.concordance_cc(*pair), nan_ok=True)
    assert math.isnan(audmetric.pearson_cc([1, 2, 3], dyadic))


def test_rmse_of_one_sample_and_of_none():
    assert rmse([1.0], [3.0]) == 2
    assert math.isnan(rmse([], []))


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_passed_on(position, side):
    pair = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 1.0]])
    pair[side, position] = math.nan
    for variance in ("population", "avec2018"):
        assert math.isnan(cc(*pair, variance=variance))
        assert math.isnan(ccc(*pair, variance=variance))
    assert math.isnan(rmse(*pair))


@pytest.mark.parametrize("metric", [rmse, cc, ccc])
def test_series_errors(metric):
    with pytest.raises(ValueError, match="differ in length: 3 != 4"):
        metric([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"prediction must have one dimension, received shape \(3, 1\)"):
        metric([1, 2, 3], [[1], [2], [3]])


@pytest.mark.parametrize("metric", [cc, ccc])
def test_unknown_variance(metric):
    with pytest.raises(ValueError, match="variance must be one of population, avec2018, received 'sample'"):
        metric([1, 2], [1, 2], variance="sample")


def test_float32_is_scored_in_double_precision():
    truth, prediction = (series.astype("float32") for series in traces(3, 5000))
    assert ccc(truth, prediction) == ccc(truth.astype(float), prediction.astype(float))


@pytest.mark.parametrize("seed", range(5))
def test_class_parity(seed):
    truth, prediction = labels(seed)
    options = {"classes": CLASSES}
    assert accuracy(truth, prediction, **options) == pytest.approx(audmetric.accuracy(truth, prediction, CLASSES))
    assert accuracy(truth, prediction, **options) == pytest.approx(sklearn.metrics.accuracy_score(truth, prediction))
    recall = sklearn.metrics.recall_score(truth, prediction, labels=CLASSES, average="macro")
    assert uar(truth, prediction, **options) == pytest.approx(recall)
    assert uar(truth, prediction, **options) == pytest.approx(
        audmetric.unweighted_average_recall(truth, prediction, CLASSES)
    )
    matrix = confusion_matrix(truth, prediction, **options)
    expected = sklearn.metrics.confusion_matrix(truth, prediction, labels=CLASSES, normalize="true")
    np.testing.assert_allclose(matrix, 100 * expected)
    expected = audmetric.confusion_matrix(truth, prediction, list(CLASSES), normalize=True)
    np.testing.assert_allclose(matrix, 100 * np.array(expected))


def test_classes_by_hand():
    truth, prediction = [0, 0, 0, 1], [0, 0, 1, 0]
    assert accuracy(truth, prediction, classes=[0, 1]) == 0.5
    assert uar(truth, prediction, classes=[0, 1]) == pytest.approx(1 / 3)
    np.testing.assert_allclose(confusion_matrix(truth, prediction, classes=[1, 0]), [[0, 100], [100 / 3, 200 / 3]])


def test_a_class_that_never_occurs_in_the_truth():
    truth, prediction = ["joy", "joy"], ["joy", "anger"]
    assert accuracy(truth, prediction, classes=CLASSES) == 0.5
    assert math.isnan(uar(truth, prediction, classes=CLASSES))
    np.testing.assert_array_equal(
        confusion_matrix(truth, prediction, classes=("anger", "joy")), [[math.nan, math.nan], [50, 50]]
    )
    # the two other conventions, for the record
    assert audmetric.unweighted_average_recall(truth, prediction, list(CLASSES)) == pytest.approx(1 / 6)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert sklearn.metrics.balanced_accuracy_score(truth, prediction) == 0.5


def test_no_labels():
    assert math.isnan(accuracy([], [], classes=CLASSES))
    assert math.isnan(uar([], [], classes=CLASSES))
    assert np.isnan(confusion_matrix([], [], classes=CLASSES)).all()


@pytest.mark.parametrize("metric", [accuracy, uar, confusion_matrix])
def test_class_errors(metric):
    with pytest.raises(ValueError, match="differ in length: 1 != 2"):
        metric(["joy"], ["joy", "joy"], classes=CLASSES)
    with pytest.raises(ValueError, match="prediction holds labels that are not among the classes: .*'happy'"):
        metric(["joy"], ["happy"], classes=CLASSES)
    with pytest.raises(ValueError, match="a class is listed twice"):
        metric(["joy"], ["joy"], classes=["joy", "joy"])
    with pytest.raises(ValueError, match="truth must have one dimension"):
        metric([[0, 1]], [0, 1], classes=[0, 1])


@given(PAIR, st.sampled_from(["concatenated", "per_recording"]))
def test_one_recording_pools_to_itself(pair, pooling):
    for metric in (rmse, cc, ccc):
        assert score_pooled(metric, [pair[0]], [pair[1]], pooling=pooling) == pytest.approx(metric(*pair), nan_ok=True)


@pytest.mark.parametrize("metric", [rmse, cc, ccc])
def test_poolings(metric):
    recordings = [traces(seed, samples) for seed, samples in enumerate((50, 80, 300))]
    truths, predictions = zip(*recordings)
    joined = metric(np.concatenate(truths), np.concatenate(predictions))
    assert score_pooled(metric, truths, predictions, pooling="concatenated") == joined
    mean = sum(metric(*recording) for recording in recordings) / 3
    assert score_pooled(metric, truths, predictions, pooling="per_recording") == pytest.approx(mean)
    assert joined != pytest.approx(mean)


def test_pooling_passes_options_on():
    truths, predictions = zip(*(labels(seed) for seed in range(3)))
    score = score_pooled(uar, truths, predictions, pooling="concatenated", classes=CLASSES)
    assert score == uar(np.concatenate(truths), np.concatenate(predictions), classes=CLASSES)
    truths, predictions = zip(*(traces(seed, 5) for seed in range(3)))
    score = score_pooled(cc, truths, predictions, pooling="per_recording", variance="avec2018")
    assert score == pytest.approx(4 / 5 * score_pooled(cc, truths, predictions, pooling="per_recording"))


def test_recordings_are_matched_by_name():
    truths, predictions = {"a": [0, 1], "b": [1, 0]}, {"b": [1, 0], "a": [0, 1]}
    for pooling in ("concatenated", "per_recording"):
        assert score_pooled(ccc, truths, predictions, pooling=pooling) == 1


def test_an_undefined_recording_is_not_skipped():
    truths, predictions = [[0, 1, 2], [0, 0, 0]], [[0, 1, 2], [0, 0, 0]]
    assert math.isnan(score_pooled(ccc, truths, predictions, pooling="per_recording"))
    assert score_pooled(ccc, truths, predictions, pooling="concatenated") == pytest.approx(1)


def test_pooling_errors():
    with pytest.raises(TypeError, match="pooling"):
        score_pooled(ccc, [[0, 1]], [[0, 1]])
    with pytest.raises(ValueError, match="pooling must be one of concatenated, per_recording, received 'mean'"):
        score_pooled(ccc, [[0, 1]], [[0, 1]], pooling="mean")
    with pytest.raises(ValueError, match="no recordings"):
        score_pooled(ccc, [], [], pooling="concatenated")
    with pytest.raises(ValueError, match="with a truth or a prediction only: a, c"):
        score_pooled(ccc, {"a": [0], "b": [0]}, {"b": [0], "c": [0]}, pooling="concatenated")
    with pytest.raises(ValueError, match="recording b: truth and prediction differ in length: 3 != 4"):
        score_pooled(ccc, {"a": [0, 1], "b": [0, 1, 2]}, {"a": [0, 1], "b": [0, 1, 2, 3]}, pooling="concatenated")
    with pytest.raises(ValueError, match="recording 0: truth must have one dimension"):
        score_pooled(ccc, [0, 1, 2], [0, 1, 2], pooling="concatenated")
    with pytest.raises(TypeError, match="variance"):
        score_pooled(rmse, [[0, 1]], [[0, 1]], pooling="concatenated", variance="population")


def read_traces(folder):
    """{recording: {target: trace}} of a folder of AVEC 2019 label or prediction files."""
    recordings = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        recordings[path.stem] = {
            target: np.array([float(row[target]) for row in rows]) for target in ("arousal", "valence", "liking")
        }
    return recordings


def test_published_scores_of_the_avec_2019_baseline(real_data):
    """The late fusion by SVR on the development partition: both cultures, German, Hungarian."""
    published = {
        "arousal": (0.614, 0.629, 0.583),
        "valence": (0.615, 0.684, 0.508),
        "liking": (0.222, 0.167, 0.260),
    }
    folder = real_data / "avec2019" / "Baseline_systems" / "CES"
    golds = read_traces(folder / "labels_devel")
    outputs = read_traces(folder / "baseline_predictions" / "predictions_svr")
    for target, scores in published.items():
        for prefix, score in zip(("Devel", "Devel_DE", "Devel_HU"), scores):
            truths = {name: gold[target] for name, gold in golds.items() if name.startswith(prefix)}
            # the prediction files are padded to 1768 rows; the challenge crops them to the labels
            predictions = {name: outputs[name][target][: len(truth)] for name, truth in truths.items()}
            joined = score_pooled(ccc, truths, predictions, pooling="concatenated", variance="avec2018")
            assert round(joined, 3) == score, (target, prefix)
            if (target, prefix) == ("arousal", "Devel"):
                mean = score_pooled(ccc, truths, predictions, pooling="per_recording", variance="avec2018")
                assert round(mean, 3) == 0.510
