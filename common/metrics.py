"""Scores of the five papers: RMSE, CC, CCC for traces; accuracy, UAR, confusion matrix for classes.

Truth first, prediction second, both one-dimensional. What the literature leaves to habit is a named argument:

- `pooling` of the recordings (see `score_pooled`): it has no default, because the AVEC 2019 baseline scores an
  arousal CCC of 0.614 one way and 0.510 the other;
- `variance` in CC and CCC: "population" divides variances and covariance by N. "avec2018", after `calc_scores.py`
  of the AVEC 2018 and 2019 challenges, divides the covariance by N and the variances by N - 1, so that its CC is
  (N - 1) / N times the usual one.

An undefined score is NaN, and NaN is passed on, never skipped: NaN in a series makes its score NaN, an undefined
recording makes the mean over recordings NaN. The script behind "avec2018" skips NaN, each series by itself, and
yet counts it in N; the labels of the challenge hold none, so that is not imitated.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

POOLINGS = ("concatenated", "per_recording")
VARIANCES = ("population", "avec2018")


def rmse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Root mean squared error, in the unit of the series; NaN for empty ones.

    Args:
        truth: shape (samples,).
        prediction: shape (samples,).

    Raises:
        ValueError: not one-dimensional, or of unequal length.
    """
    truth, prediction = _pair(truth, prediction, float)
    return float(np.sqrt(np.mean((truth - prediction) ** 2))) if truth.size else math.nan


def cc(truth: ArrayLike, prediction: ArrayLike, *, variance: str = "population") -> float:
    """Pearson's correlation coefficient, cov / (s_truth s_prediction), in [-1, 1].

    NaN for fewer than two samples and where a series is constant.

    Args:
        truth: shape (samples,).
        prediction: shape (samples,).
        variance: "population" or "avec2018", see the module.

    Raises:
        ValueError: not one-dimensional, of unequal length, or an unknown `variance`.
    """
    covariance, truth_variance, prediction_variance, _ = _compute_moments(truth, prediction, variance)
    return _divide(covariance, math.sqrt(truth_variance) * math.sqrt(prediction_variance))


def ccc(truth: ArrayLike, prediction: ArrayLike, *, variance: str = "population") -> float:
    """Concordance correlation coefficient (Lin 1989), in [-1, 1].

    2 cov / (s_truth^2 + s_prediction^2 + (mean_truth - mean_prediction)^2)

    A constant series against any other series scores 0 by this formula. NaN for fewer than two samples and for
    two equal constants (0 / 0). audmetric answers alike.

    Args:
        truth: shape (samples,).
        prediction: shape (samples,).
        variance: "population" or "avec2018", see the module.

    Raises:
        ValueError: not one-dimensional, of unequal length, or an unknown `variance`.
    """
    covariance, truth_variance, prediction_variance, distance = _compute_moments(truth, prediction, variance)
    return _divide(2 * covariance, truth_variance + prediction_variance + distance**2)


def accuracy(truth: ArrayLike, prediction: ArrayLike, *, classes: Sequence[Hashable]) -> float:
    """Share of correct labels, in [0, 1]; NaN for none.

    Args:
        truth: labels, shape (samples,).
        prediction: labels, shape (samples,).
        classes: every label that may occur.

    Raises:
        ValueError: not one-dimensional, of unequal length, or a label that is not in `classes`.
    """
    truth, prediction = _index_labels(truth, prediction, classes)
    return float(np.mean(truth == prediction)) if truth.size else math.nan


def uar(truth: ArrayLike, prediction: ArrayLike, *, classes: Sequence[Hashable]) -> float:
    """Unweighted average recall over `classes`, in [0, 1].

    NaN if one of the classes never occurs in the truth: its recall is 0 / 0. Elsewhere that recall counts as 0
    (audmetric, scikit-learn's `recall_score`) or is left out (`balanced_accuracy_score`), both without a trace in
    the number. The mean over the classes that do occur is `np.nanmean(np.diag(confusion_matrix(...))) / 100`.

    Args:
        truth: labels, shape (samples,).
        prediction: labels, shape (samples,).
        classes: every label that may occur.

    Raises:
        ValueError: as in `accuracy`.
    """
    return float(np.mean(np.diag(confusion_matrix(truth, prediction, classes=classes)))) / 100


def confusion_matrix(truth: ArrayLike, prediction: ArrayLike, *, classes: Sequence[Hashable]) -> np.ndarray:
    """Confusion matrix in percent of each true class: rows are the truth, columns the prediction.

    The row of a class that never occurs in the truth is NaN.

    Args:
        truth: labels, shape (samples,).
        prediction: labels, shape (samples,).
        classes: every label that may occur, in the order of rows and columns.

    Returns:
        Array of shape (classes, classes).

    Raises:
        ValueError: as in `accuracy`.
    """
    truth, prediction = _index_labels(truth, prediction, classes)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (truth, prediction), 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the documented NaN
        return 100 * counts / counts.sum(axis=1, keepdims=True)


Recordings = Sequence[ArrayLike] | Mapping[Hashable, ArrayLike]


def score_pooled(
    metric: Callable[..., float], truths: Recordings, predictions: Recordings, *, pooling: str, **options
) -> float:
    """One score for several recordings, as in `score_pooled(ccc, truths, predictions, pooling="concatenated")`.

    Args:
        metric: a metric of this module that returns a number.
        truths: one series per recording, in a list or by name.
        predictions: the same recordings.
        pooling: "concatenated" joins the recordings, then scores once (AVEC 2018 and 2019 cross-cultural
            challenges). "per_recording" scores each, then takes the mean, every recording with equal weight.
        **options: go to the metric: `variance` or `classes`.

    Returns:
        The score. NaN if it is undefined, in "per_recording" also if that of a single recording is.

    Raises:
        ValueError: an unknown `pooling`, no recordings, or recordings that do not match; the message names them.
    """
    _check_choice("pooling", pooling, POOLINGS)
    pairs = _match(truths, predictions)
    if pooling == "per_recording":
        return float(np.mean([metric(truth, prediction, **options) for truth, prediction in pairs]))
    truth, prediction = (np.concatenate(side) for side in zip(*pairs))
    return metric(truth, prediction, **options)


def _match(truths: Recordings, predictions: Recordings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of equally long series, one per recording, in the order of the truths."""
    truths, predictions = (
        dict(side) if isinstance(side, Mapping) else dict(enumerate(side)) for side in (truths, predictions)
    )
    if not truths:
        raise ValueError("no recordings to score")
    if unmatched := sorted(map(str, truths.keys() ^ predictions.keys())):
        raise ValueError(f"recordings with a truth or a prediction only: {', '.join(unmatched)}")
    pairs = []
    for name in truths:
        try:
            pairs.append(_pair(truths[name], predictions[name]))
        except ValueError as error:
            raise ValueError(f"recording {name}: {error}") from None
    return pairs


def _pair(truth: ArrayLike, prediction: ArrayLike, dtype: type | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Both series as arrays of equal length."""
    truth, prediction = np.asarray(truth, dtype), np.asarray(prediction, dtype)
    for name, series in (("truth", truth), ("prediction", prediction)):
        if series.ndim != 1:
            raise ValueError(f"{name} must have one dimension, received shape {series.shape}")
    if len(truth) != len(prediction):
        raise ValueError(f"truth and prediction differ in length: {len(truth)} != {len(prediction)}")
    return truth, prediction


def _compute_moments(truth: ArrayLike, prediction: ArrayLike, variance: str) -> tuple[float, float, float, float]:
    """Covariance, variance of the truth, variance of the prediction, difference of the means."""
    _check_choice("variance", variance, VARIANCES)
    truth, prediction = _pair(truth, prediction, float)
    count = len(truth)
    if count < 2:
        return math.nan, math.nan, math.nan, math.nan
    truth_mean, truth_deviations = _centre(truth)
    prediction_mean, prediction_deviations = _centre(prediction)
    divisor = count if variance == "population" else count - 1
    return (
        float(truth_deviations @ prediction_deviations) / count,
        float(truth_deviations @ truth_deviations) / divisor,
        float(prediction_deviations @ prediction_deviations) / divisor,
        truth_mean - prediction_mean,
    )


def _centre(series: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean and deviations from it."""
    # Counted from the first sample, the deviations of a constant are exactly 0: the mean of 0.1, 0.1, 0.1 is not 0.1.
    offsets = series - series[0]
    offset = float(offsets.mean())
    return float(series[0]) + offset, offsets - offset


def _divide(numerator: float, denominator: float) -> float:
    return math.nan if denominator == 0 else numerator / denominator


def _index_labels(
    truth: ArrayLike, prediction: ArrayLike, classes: Sequence[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as positions in `classes`."""
    positions = {label: position for position, label in enumerate(classes)}
    if len(positions) != len(classes):
        raise ValueError(f"a class is listed twice: {list(classes)}")
    pair = _pair(truth, prediction)
    for name, labels in zip(("truth", "prediction"), pair):
        if unknown := set(labels.tolist()) - positions.keys():
            raise ValueError(f"{name} holds labels that are not among the classes: {sorted(map(repr, unknown))}")
    truth, prediction = (np.array([positions[label] for label in labels.tolist()], dtype=int) for labels in pair)
    return truth, prediction


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, received {value!r}")
