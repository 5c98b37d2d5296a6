"""The scores of runs: recorded ones, whether they follow from the predictions stored beside them, and intervals.

The arrays of a result file are `gold/NAME`, `raw/NAME` and `post/NAME` by recording; a network of several targets
writes one file of the target "all" with `gold/TARGET/NAME` and so on, and its scores by target and recordings. The
recordings of one conversation, noted as `chats` in the record, are drawn together.

A network of classes writes such a file too: each array is the number of one class, of shape (1,), and a recording
whose class is not known has no `gold`. Its scores are percentages: "accuracy", "UAR", and "TRUTH as PREDICTED" for
each entry of the confusion matrix.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any

import numpy as np

from common import metrics, results
from common.errors import InputError
from common.evidence.bootstrap import RESAMPLES
from common.evidence.paper import PERCENT, Paper, Part
from common.evidence.runs import ALL_TARGETS, Runs

UNDEFINED = 0.05  # with so many draws without a score, or more, there is no interval
EXTREMES = {"CC_max": np.max, "CC_min": np.min}  # of the recordings
UNSOUND = "our score does not follow from the predictions stored beside it"


def remember(compute: Callable) -> Callable:
    """`compute`(paper, runs, number) of stored predictions alone, once in a process: tables, claims and figures ask for it."""
    known: dict[tuple, Any] = {}

    @wraps(compute)
    def ask(paper: Paper, runs: Runs, number: Part) -> Any:
        first, stored = runs.first, [(path, record.get("arrays", {}).get("sha256")) for path, record in runs.files]
        scored = first["target"], first["settings"].get("variance"), tuple(first.get("chats", {}).items())
        asked = *stored, *scored, paper.protocol, number
        if asked not in known:
            known[asked] = compute(paper, runs, number)
        return known[asked]

    return ask


def is_scored(runs: Runs, number: Part) -> bool:
    """Whether any of the runs scored the recordings that `number` is about: a copy of a corpus may lack their labels."""
    if runs.first["target"] != ALL_TARGETS:
        return True
    scores = [record["scores"].get(target, {}) for _, record in runs.files for target in number.target.split("+")]
    return any(number.recordings in found for found in scores)


def average_score(runs: Runs, first: str, second: str, metric: str) -> float | None:
    """scores[first][second][metric], mean over the seeds; None where it is missing or undefined for any of them."""
    values = [record["scores"].get(first, {}).get(second, {}).get(metric) for _, record in runs.files]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    return float(np.mean(values))


def name_score(number: Part) -> str:
    """Under which name a record has the score that `number` asks for."""
    return f"{number.truth} as {number.predicted}" if number.metric == "share" else number.metric


def find_score(paper: Paper, runs: Runs, number: Part) -> float | None:
    """The recorded score that `number` asks for: by post-processing and pooling, or by target and recordings."""
    if runs.first["target"] == ALL_TARGETS:
        scores = [average_score(runs, n.target, n.recordings, name_score(n)) for n in split_targets(number)]
        return None if None in scores else float(np.mean(scores))
    return average_score(runs, paper.protocol.postprocess, paper.protocol.pooling, name_score(number))


def is_sound(paper: Paper, runs: Runs, number: Part) -> bool:
    """Whether the recorded score is that of the predictions stored beside it; true where none are stored."""
    again, ours = _score_again(paper, runs, number), find_score(paper, runs, number)
    if again is None:
        return True
    return math.isnan(again) if ours is None else bool(abs(ours - again) < 1e-4)  # predictions may be rounded


@remember
def _score_again(paper: Paper, runs: Runs, number: Part) -> float | None:
    """The score of the predictions, mean over the seeds; None where none are stored, infinite where only some are."""
    seeds = [recordings for target in split_targets(number) for recordings in read_predictions(paper, runs, target)]
    if not any(seeds):
        return None
    if not all(seeds):
        return math.inf
    return float(np.mean([_score_pairs(paper, runs, number, list(recordings.values())) for recordings in seeds]))


def _score_pairs(paper: Paper, runs: Runs, number: Part, pairs: list[tuple]) -> float:
    if number.metric in PERCENT:
        return float(score_classes(number, paper.protocol.classes, pairs, np.ones((1, len(pairs))))[0])
    function = choose_metric(runs, number.metric)
    if number.metric in EXTREMES:
        return float(EXTREMES[number.metric]([function(*pair) for pair in pairs]))
    truths, predictions = zip(*pairs)
    return metrics.score_pooled(function, truths, predictions, pooling=paper.protocol.pooling)


def choose_metric(runs: Runs, metric: str) -> Callable[..., float]:
    function = getattr(metrics, metric.partition("_")[0].lower())
    variance = runs.first["settings"].get("variance", "population")
    return function if metric == "RMSE" else partial(function, variance=variance)


def resample_score(paper: Paper, runs: Runs, number: Part) -> np.ndarray | None:
    """The score on `RESAMPLES` draws, with replacement, of the recordings and of the seeds, whose scores are averaged.

    The draws depend on the numbers of recordings, or of conversations, and of seeds only: two networks on one corpus
    are paired draw by draw. A draw without a recording of a class has no share of it, and no UAR: NaN. None where the
    files hold no such predictions (post-processing fitted on the training set) or a single recording.
    """
    if number.metric in EXTREMES:  # no draw goes beyond the recordings: such an interval would be none
        return None
    draws = [_resample_target(paper, runs, target) for target in split_targets(number)]
    return None if any(draw is None for draw in draws) else np.mean(draws, axis=0)


def split_targets(number: Part) -> list[Part]:
    """The same of each target: a printed number may be the mean of two, "arousal+valence"."""
    return [replace(number, target=target) for target in number.target.split("+")]


@remember
def _resample_target(paper: Paper, runs: Runs, number: Part) -> np.ndarray | None:
    seeds = read_paired_predictions(paper, runs, number)
    units = number_units(runs, seeds)
    if len(set(units)) < 2:
        return None
    weights = _draw_weights(tuple(units))
    scores = np.stack([_score_draws(paper, runs, number, list(seed.values()), weights) for seed in seeds], axis=1)
    drawn_seeds = np.random.default_rng(1).integers(len(seeds), size=scores.shape)
    return np.take_along_axis(scores, drawn_seeds, axis=1).mean(axis=1)


def number_units(runs: Runs, seeds: list[dict] | None) -> list[int]:
    """What is drawn: for each recording its own number, or that of its conversation, counted from 0."""
    numbers: dict[str, int] = {}
    chats = runs.first.get("chats", {})
    return [numbers.setdefault(chats.get(name, name), len(numbers)) for name in (seeds[0] if seeds else [])]


@lru_cache(maxsize=8)
def _draw_weights(units: tuple[int, ...]) -> np.ndarray:
    """How often each recording is in each draw: (draws, recordings)."""
    count = max(units) + 1
    drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    counts = np.array([np.bincount(draw, minlength=count) for draw in drawn], float)
    return counts[:, list(units)]


def _score_draws(paper: Paper, runs: Runs, number: Part, pairs: list[tuple], weights: np.ndarray) -> np.ndarray:
    """The score for each row of `weights` (draws, recordings): how often each recording is in the draw."""
    metric = number.metric
    if metric in PERCENT:
        return score_classes(number, paper.protocol.classes, pairs, weights)
    if paper.protocol.pooling == "per_recording":
        function = choose_metric(runs, metric)
        values = np.array([function(*pair) for pair in pairs])
        return weights @ values / weights.sum(axis=1)
    return score_concatenated(metric, pairs, weights, runs.first["settings"].get("variance", "population"))


def score_concatenated(metric: str, pairs: Sequence[tuple], weights: np.ndarray, variance: str) -> np.ndarray:
    """RMSE, CC or CCC of recordings joined as often as each row of `weights` (draws, recordings) says: (draws,).

    The same numbers as `common.metrics` on the joined series, from sums over each recording.
    """
    centre = np.mean(np.concatenate([truth for truth, _ in pairs]))  # sums of squares far from 0 lose digits
    x, y = ([np.asarray(side, float) - centre for side in sides] for sides in zip(*pairs))
    sums = [[len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b] for a, b in zip(x, y)]
    count, sum_x, sum_y, sum_xx, sum_yy, sum_xy = (weights @ np.array(sums)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "RMSE":
            return np.sqrt(np.maximum(sum_xx + sum_yy - 2 * sum_xy, 0) / count)
        spread = count / (count - 1) if variance == "avec2018" else 1.0
        variance_x = (sum_xx / count - (sum_x / count) ** 2) * spread
        variance_y = (sum_yy / count - (sum_y / count) ** 2) * spread
        covariance = sum_xy / count - sum_x * sum_y / count**2
        if metric == "CC":
            return covariance / np.sqrt(variance_x * variance_y)
        return 2 * covariance / (variance_x + variance_y + ((sum_x - sum_y) / count) ** 2)


def score_classes(number: Part, classes: Sequence[str], pairs: Sequence[tuple], weights: np.ndarray) -> np.ndarray:
    """Accuracy, UAR or a share of recordings taken as often as each row of `weights` says: (draws,), in percent.

    The same numbers as `common.metrics` on the labels so repeated; `pairs` hold one true and one predicted label each.
    """
    truth, predicted = (np.concatenate(side)[:, None] for side in zip(*pairs))
    if number.metric == "accuracy":
        among = np.ones_like(truth)
        hits = truth == predicted
    elif number.metric == "UAR":
        among = truth == np.arange(len(classes))
        hits = among & (truth == predicted)
    else:
        among = truth == classes.index(number.truth)
        hits = among & (predicted == classes.index(number.predicted))
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a class that is not there
        return 100 * np.mean((weights @ hits) / (weights @ among), axis=1)


def estimate_interval(values: np.ndarray | None) -> tuple[float | None, float | None]:
    """95 % percentile interval; (None, None) when there is none.

    Draws in which the score is undefined are left out, so the interval is that of the others, as long as they are
    fewer than 5 %. With more, a rare class is too rare for an interval.
    """
    if values is None or np.mean(~np.isfinite(values)) >= UNDEFINED:
        return None, None
    low, high = np.percentile(values[np.isfinite(values)], [2.5, 97.5])
    return float(low), float(high)


def read_paired_predictions(paper: Paper, runs: Runs, number: Part) -> list[dict[str, tuple]] | None:
    """For each seed: recording -> (gold standard, prediction). None unless all seeds have the same recordings."""
    seeds = read_predictions(paper, runs, number)
    return seeds if seeds and all(list(seed) == list(seeds[0]) for seed in seeds) else None


def read_predictions(paper: Paper, runs: Runs, number: Part) -> list[dict[str, tuple]]:
    """For each seed: recording -> (gold standard, prediction); empty unless all files hold such predictions."""
    kind = {"none": "raw", "devel": "post"}.get(paper.protocol.postprocess)
    if kind is None or not all("arrays" in record for _, record in runs.files):
        return []
    several = f"{number.target}/" if runs.first["target"] == ALL_TARGETS else ""
    classes = len(paper.protocol.classes) if number.metric in PERCENT else None
    asked = kind, several, classes, number.recordings
    return [_read_matching(path, record["arrays"]["sha256"], *asked) for path, record in runs.files]


@lru_cache(maxsize=2048)  # each table, claim and figure asks for it
def _read_matching(
    path: Path, sha256: str, kind: str, several: str, classes: int | None, pattern: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The recordings whose names match; each with the numbers of one of so many classes, or with series."""
    stored = path, sha256, kind, several
    found = _read_series(*stored) if classes is None else _read_labels(*stored, classes)
    return {name: pair for name, pair in found.items() if fnmatchcase(name, pattern)}


@lru_cache(maxsize=512)
def _read_labels(path: Path, sha256: str, kind: str, several: str, classes: int) -> dict[str, tuple]:
    """As `_read_series`, where each series is the number of one class."""
    found = _read_series(path, sha256, kind, several)
    labels = [label for pair in found.values() for label in pair]
    single = all(label.shape == (1,) and label.dtype.kind in "iu" for label in labels)
    if labels and not (single and 0 <= np.min(labels) <= np.max(labels) < classes):
        remedy = "delete it and its record, run again"
        raise InputError(f"{path.with_suffix('.npz')}: not the number of one of {classes} classes each; {remedy}")
    return found


@lru_cache(maxsize=512)
def _read_series(path: Path, sha256: str, kind: str, several: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recording -> (gold standard, prediction), by name; `several` is the target and a slash in a file of several."""
    arrays = results.read_arrays(path, {"arrays": {"sha256": sha256}})
    gold = f"gold/{several}"
    names = sorted(name.removeprefix(gold) for name in arrays if name.startswith(gold))
    remedy = "delete it and its record, run again"
    try:
        found = {name: (arrays[f"{gold}{name}"], arrays[f"{kind}/{several}{name}"]) for name in names}
    except KeyError as error:
        raise InputError(f"{path.with_suffix('.npz')}: {error.args[0]}; {remedy}") from error
    for name, pair in found.items():
        if any(side.ndim != 1 or side.dtype.kind not in "iuf" or side.shape != pair[0].shape for side in pair):
            raise InputError(f"{path.with_suffix('.npz')}: {name}: gold standard and prediction do not fit; {remedy}")
    return found
