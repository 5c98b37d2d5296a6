"""The AV+EC post-processing of predicted traces: smoothing, centring, scaling, time shift, in this order.

Widely used on RECOLA and SEWA since AV+EC 2015. The steps as the organisers of AVEC 2016 (MATLAB) and of the
AVEC 2018 gold-standard sub-challenge (Python) coded them:

- bias and factor come from all recordings of the fitting set together, however the CCC is pooled;
- scaling multiplies the series as it is, so it moves the mean too (`recentre=True` scales about the mean instead);
- a step is kept only if the CCC on the fitting set strictly rises, and then applied everywhere alike.

The time shift is in the wording of the papers (Trigeorgis et al. 2016), not in the organisers' code; Lee et al.
2018 leave it out: `steps=("smooth", "centre", "scale")`.

The organisers fit on the development set and report on it, which flatters the score. `fitted_on` goes into the
record. Fitted with the predictions and labels of the training set, the same chain leaks nothing.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from common import metrics

# How the median filter continues a recording at its ends, and what NumPy calls it:
# b a | a b c | c b, or 0 0 | a b c | 0 0 (as MATLAB's medfilt1, hence AVEC 2016).
EDGES = {"reflect": "symmetric", "zero": "constant"}
LONGEST_WIDTH = 20.0  # s
WIDTHS = tuple(round(0.4 * k, 1) for k in range(1, 51))  # s, up to LONGEST_WIDTH
SHIFTS = (0.04, 10.0)  # s, shortest and longest, in both directions

Series = list[np.ndarray]  # one array of shape (samples,) per recording


@dataclass(frozen=True)
class Smooth:
    """Median filter over a centred window, in each recording by itself.

    The window has `width_seconds / hop` samples, rounded; an even number is raised to the next odd one, so that
    the window has a centre. Width 0 changes nothing.
    """

    width_seconds: float = 0.0
    edge: str = "reflect"

    @classmethod
    def make_grid(cls, edge: str) -> list["Smooth"]:
        """0.4, 0.8, ... 20 s."""
        return [cls(width, edge) for width in WIDTHS]

    @classmethod
    def bisect(cls, score: Callable[["Smooth"], float], hop: float, edge: str) -> list["Smooth"]:
        """The one width that the search of AVEC 2016 finds; none if it finds no filter worth it.

        A third, two thirds and the whole of the longest width are tried. If the best beats no filter by more than
        2 % of the CCC, the middle between best and second best (no filter counting as width 0) is tried, and so on
        while that gains another 2 %. A CCC below 0 is left alone: the organisers divide by it, so no gain is seen.

        Left out: their filter runs over the concatenated recordings, averages the two middle values of an even
        window, and, where the bisection takes more than one turn, may return a trace of another width than stored.
        """

        def make(samples: int) -> "Smooth":
            return cls(round(samples * hop, 9), edge)

        def gains(after: float, before: float) -> bool:
            return before >= 0 and after > 1.02 * before

        longest = LONGEST_WIDTH / hop
        scores = {samples: score(make(samples)) for samples in (0, *(int(longest * k / 3 + 0.5) for k in (1, 2, 3)))}
        best, second = sorted(scores, key=scores.get, reverse=True)[:2]
        if not gains(scores[best], scores[0]):
            return []
        while True:
            middle = int((best + second) / 2 + 0.5)
            scores[middle] = score(make(middle))
            if not scores[middle] > scores[best]:
                return [make(best)]
            if not gains(scores[middle], scores[best]):
                return [make(middle)]
            best, second = middle, best

    def apply(self, series: np.ndarray, hop: float) -> np.ndarray:
        from scipy.ndimage import median_filter

        half = round(self.width_seconds / hop) // 2
        # Padded here: scipy 1.15.3 answers with zeros when it has to reflect more than the length of the series.
        padded = np.pad(series, half, mode=EDGES[self.edge])
        return median_filter(padded, size=2 * half + 1)[half : half + len(series)]


@dataclass(frozen=True)
class Centre:
    """Add a constant: mean of the labels minus mean of the predictions."""

    bias: float = 0.0

    @classmethod
    def fit(cls, predictions: Series, golds: Series) -> list["Centre"]:
        return [cls(float(np.concatenate(golds).mean() - np.concatenate(predictions).mean()))]

    def apply(self, series: np.ndarray, hop: float) -> np.ndarray:
        return series + self.bias


@dataclass(frozen=True)
class Scale:
    """Multiply by the standard deviation of the labels over that of the predictions.

    `about` is the value that scaling leaves in place: 0 in the organisers' code, the mean of the predictions of
    the fitting set with `recentre`.
    """

    factor: float = 1.0
    about: float = 0.0

    @classmethod
    def fit(cls, predictions: Series, golds: Series, recentre: bool) -> list["Scale"]:
        """Nothing to try if the predictions are constant: no factor gives them a spread."""
        prediction = np.concatenate(predictions)
        spread = (prediction - prediction[0]).std()  # from the first sample on, so that a constant has exactly 0
        if spread == 0:
            return []
        about = float(prediction.mean()) if recentre else 0.0
        return [cls(float(np.concatenate(golds).std() / spread), about)]

    def apply(self, series: np.ndarray, hop: float) -> np.ndarray:
        return self.about + self.factor * (series - self.about)


@dataclass(frozen=True)
class Shift:
    """Move in time; positive is later. The first or last value fills the gap, the length stays."""

    seconds: float = 0.0

    @classmethod
    def make_grid(cls, hop: float) -> list["Shift"]:
        """Every multiple of the hop from 0.04 to 10 s, in both directions, short ones first."""
        shortest, longest = SHIFTS
        steps = range(math.ceil(shortest / hop - 1e-6), math.floor(longest / hop + 1e-6) + 1)
        return [cls(round(sign * step * hop, 9)) for step in steps for sign in (1, -1)]

    def apply(self, series: np.ndarray, hop: float) -> np.ndarray:
        last = len(series) - 1
        return series[np.clip(np.arange(len(series)) - round(self.seconds / hop), 0, last)]


Step = Smooth | Centre | Scale | Shift
STEPS = {"smooth": Smooth, "centre": Centre, "scale": Scale, "shift": Shift}  # in the order of the chain


@dataclass(frozen=True)
class Fitted:
    """A step as it came out of the fit: one that did not raise the CCC is stored with the value that does nothing."""

    name: str
    step: Step
    ccc_before: float
    ccc_after: float

    @property
    def kept(self) -> bool:
        return self.ccc_after > self.ccc_before


@dataclass(frozen=True)
class Chain:
    """The fitted steps, and how they were fitted. `hop` is the time between samples, in seconds."""

    fitted_on: str
    hop: float
    pooling: str
    variance: str
    smoothing: str
    steps: tuple[Fitted, ...]

    def apply(self, predictions: Sequence[ArrayLike]) -> Series:
        """The post-processed predictions, one array per recording. Raises ValueError as `fit` does."""
        series = _check_series("predictions", predictions)
        for fitted in self.steps:
            series = [fitted.step.apply(one, self.hop) for one in series]
        return series

    def to_record(self) -> dict:
        """What JSON can hold of the chain, for the result file."""
        steps = [
            {
                "name": fitted.name,
                "value": asdict(fitted.step),
                "kept": fitted.kept,
                "ccc_before": fitted.ccc_before,
                "ccc_after": fitted.ccc_after,
            }
            for fitted in self.steps
        ]
        return {**{key: value for key, value in vars(self).items() if key != "steps"}, "steps": steps}

    @classmethod
    def from_record(cls, record: dict) -> "Chain":
        """The chain that wrote this record."""
        steps = tuple(
            Fitted(item["name"], STEPS[item["name"]](**item["value"]), item["ccc_before"], item["ccc_after"])
            for item in record["steps"]
        )
        return cls(**{**record, "steps": steps})


def fit(
    predictions: Sequence[ArrayLike],
    golds: Sequence[ArrayLike],
    *,
    hop: float,
    pooling: str,
    fitted_on: str,
    steps: Collection[str] = tuple(STEPS),
    smoothing: str = "grid",
    edge: str = "reflect",
    recentre: bool = False,
    variance: str = "population",
) -> Chain:
    """Fit the chain; on the set it is fitted on it never lowers the CCC.

    Args:
        predictions: one series of shape (samples,) per recording.
        golds: the labels, alike.
        hop: time between samples in seconds.
        pooling: of the CCC that decides, see `metrics.score_pooled`.
        fitted_on: name of the set, "devel" or "train"; goes into the record.
        steps: which of "smooth", "centre", "scale", "shift" to try. The order is fixed.
        smoothing: how the width of the median is found. "grid", 0.4 to 20 s as the papers word it; or
            "bisection", the search in the code of AVEC 2016.
        edge: "reflect" or "zero", see `EDGES`.
        recentre: scale about the mean of the predictions instead of about 0.
        variance: of the CCC that decides, see `metrics`.

    Raises:
        ValueError: an unknown option; recordings that are missing, empty, unequal or not finite; or predictions
            whose CCC is undefined (NaN), so that no step can be judged by it.
    """
    for name, values, choices in (
        ("steps", steps, STEPS),
        ("smoothing", (smoothing,), ("grid", "bisection")),
        ("edge", (edge,), EDGES),
    ):
        if unknown := [value for value in values if value not in choices]:
            raise ValueError(f"{name} must be among {', '.join(choices)}, received {', '.join(map(repr, unknown))}")
    if not hop > 0:
        raise ValueError(f"hop must be a positive number of seconds, received {hop}")
    series, golds = _check_series("predictions", predictions), _check_series("golds", golds)

    def score(step: Step) -> float:
        """CCC of the present series after `step`; an undefined one is worse than any."""
        after = [step.apply(one, hop) for one in series]
        ccc = metrics.score_pooled(metrics.ccc, golds, after, pooling=pooling, variance=variance)
        return -math.inf if math.isnan(ccc) else ccc

    if score(Centre()) == -math.inf:
        raise ValueError("the CCC of these predictions is undefined: equal constants, or fewer than two samples")

    searches = {
        "smooth": lambda: Smooth.make_grid(edge) if smoothing == "grid" else Smooth.bisect(score, hop, edge),
        "centre": lambda: Centre.fit(series, golds),
        "scale": lambda: Scale.fit(series, golds, recentre),
        "shift": lambda: Shift.make_grid(hop),
    }
    fitted = []
    for name in (name for name in STEPS if name in steps):
        # The gate: the step that does nothing comes first, and of equals max() takes the first.
        nothing = STEPS[name]()
        scores = {step: score(step) for step in (nothing, *searches[name]())}
        best = max(scores, key=scores.get)
        fitted.append(Fitted(name, best, scores[nothing], scores[best]))
        series = [best.apply(one, hop) for one in series]
    return Chain(fitted_on, float(hop), pooling, variance, smoothing, tuple(fitted))


def _check_series(name: str, recordings: Sequence[ArrayLike]) -> Series:
    """The recordings as arrays of finite numbers."""
    series = [np.asarray(one, dtype=float) for one in recordings]
    for number, one in enumerate(series):
        if one.ndim != 1 or not one.size:
            raise ValueError(f"{name}, recording {number}: expected shape (samples,), received {one.shape}")
        if not np.isfinite(one).all():
            raise ValueError(f"{name}, recording {number}: holds NaN or infinite values")
    if not series:
        raise ValueError(f"{name}: no recordings")
    return series
