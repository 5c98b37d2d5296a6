"""How gold standards move: the statistics on which the simulated ones are calibrated, of any corpus that has labels.

`python -m datasets.simulate --describe ROOT` prints them beside REAL.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import avec2012, avec2019, avec2019_public, layout, recola, sewa, traces

STRETCH = 20.0  # seconds
LONGEST = 200.0  # seconds of the lags that are tried

# Of what wang2017's loss weighs (its Section 3.4, Eq. 3 to 6), with the weights, clips and steps of its Section 4.3.
STEP, SAMPLES, INTERVALS, NEXT = 10, 50, 5, 51

STATISTICS = {  # name -> what it is
    "deviation": "deviation, all recordings",
    "within": "deviation within a recording, mean",
    "range": "range in 20 s, mean",
    "half_life": "autocorrelation falls below 0.5 at, median, s",
    "step": "mean step over deviation within",
    "label": "wang2017, zero prediction: label",
    "trend": "10 trend",
    "local": "10 local",
    "global": "10 global",
    "siamese": "1000 Siamese",
}
TERMS = tuple(STATISTICS)[5:]  # of a loss over video frames: of the two corpora that are labelled once a frame
TIMED = ("step", *TERMS[1:])  # what depends on how far apart two labels are

# Gold standards that people rated: RECOLA, train and dev of AVEC 2016, 18 recordings at 25 Hz; SEWA, the 28 label files
# that the organisers of AVEC 2019 made public, at 10 Hz.
REAL = {
    "RECOLA": {
        "arousal": (0.191, 0.166, 0.378, 4.9, 0.0137, 0.0187, 0.0048, 0.139, 1.63, 0.0076),
        "valence": (0.129, 0.110, 0.247, 4.7, 0.0126, 0.0138, 0.0018, 0.057, 0.76, 0.0032),
    },
    "SEWA": {
        "arousal": (0.134, 0.104, 0.281, 3.5, 0.042),
        "valence": (0.138, 0.116, 0.295, 4.2, 0.034),
        "liking": (0.139, 0.111, 0.238, 4.3, 0.028),
    },
}


def describe(series: list[np.ndarray], rate: float, terms: bool = False) -> dict[str, float]:
    """STATISTICS of one dimension, `series` (n,) of each recording at `rate` labels a second; with or without TERMS.

    NaN where recordings are too short, or never move.
    """
    moving = [values for values in series if values.std() > 0]
    window = int(STRETCH * rate)
    stretches = [
        np.ptp(values[first : first + window])
        for values in series
        for first in range(0, len(values) - window + 1, window)
    ]
    found = {
        "deviation": np.std(np.concatenate(series)),
        "within": np.mean([values.std() for values in series]),
        "range": take(np.mean, stretches),
        "half_life": take(np.nanmedian, [find_half_life(values, rate) for values in moving]),
        "step": take(np.mean, [np.abs(np.diff(values)).mean() / values.std() for values in moving]),
    }
    return {name: float(value) for name, value in (found | (weigh_zero(series) if terms else {})).items()}


def take(summarise: Callable, values: list[float]) -> float:
    """A summary of the values; NaN of none, or of nothing but NaN."""
    return summarise(values) if np.isfinite(values).any() else np.nan


def find_half_life(values: np.ndarray, rate: float) -> float:
    """Seconds of the shortest lag at which the autocorrelation of (n,) is below 0.5; NaN where there is none."""
    lags = range(1, min(len(values) - 10, int(LONGEST * rate)))
    return next((lag / rate for lag in lags if correlate(values, lag) < 0.5), np.nan)


def correlate(values: np.ndarray, lag: int) -> float:
    """Correlation of a series with itself `lag` steps later; 1 where either is constant, as it is at its beginning."""
    one, other = values[:-lag] - values[:-lag].mean(), values[lag:] - values[lag:].mean()
    power = (one @ one) * (other @ other)
    return one @ other / np.sqrt(power) if power else 1.0


def weigh_zero(series: list[np.ndarray]) -> dict[str, float]:
    """TERMS: what each term of wang2017's loss is on average for a network that predicts zero throughout."""
    length, rows = STEP * SAMPLES, []
    for values in series:
        for first in range(0, len(values) - length, NEXT):
            clip, twin = (values[start : start + length : STEP] for start in (first, first + 1))
            rows.append(
                (
                    np.mean(clip**2) / 2,
                    10 * np.sum(np.diff(clip) ** 2) / (2 * SAMPLES),
                    10 * np.mean(np.ptp(clip.reshape(INTERVALS, -1), axis=1) ** 2) / 2,
                    10 * np.ptp(clip) ** 2,
                    1000 * np.mean((twin - clip) ** 2) / 2,
                )
            )
    return dict(zip(TERMS, np.mean(rows, axis=0) if rows else [np.nan] * len(TERMS)))


def read_gold_standards(root: Path) -> tuple[str, float, dict[str, list[np.ndarray]]]:
    """Of which of REAL the corpus in `root` is, labels per second, and target -> series (n,) of each recording.

    Raises InputError where it is none that has such labels, or a label file is damaged.
    """
    root = layout.check_folder(root)
    if folder := locate(avec2019_public, root):
        return "SEWA", 1 / sewa.LABEL_HOP, read_sewa(folder / "labels_devel")
    for reader, rate in ((recola, 1 / recola.HOP), (avec2012, avec2012.RATE)):
        if locate(reader, root):
            return "RECOLA", rate, read_traces(reader, root)
    if folder := locate(avec2019, root):  # AV+EC 2017 looks like it
        return "SEWA", 1 / sewa.LABEL_HOP, read_sewa(folder / "labels")
    raise InputError(
        f"{root}: not the layout of AVEC 2012, AV+EC 2017, AVEC 2019 or RECOLA, whose labels change in time"
    )


def locate(reader, root: Path) -> Path | None:
    """The folder of the reader's corpus, None where `root` is not it."""
    try:
        return reader.locate(root)
    except InputError:
        return None


def read_sewa(folder: Path) -> dict[str, list[np.ndarray]]:
    """Target -> series of all label files in a folder."""
    labels = [sewa.read_labels(path) for path in sorted(folder.glob("*.csv"))]
    return {target: [getattr(one, target) for one in labels] for target in sewa.TARGETS}


def read_traces(reader, root: Path) -> dict[str, list[np.ndarray]]:
    """Target -> series of all recordings of AVEC 2012 or RECOLA whose labels are there."""
    partitions = tuple(partition for partition, count in reader.count(root).items() if count)
    recordings = reader.list_recordings(root, partitions)
    there = [one for one in recordings if any(path.exists() for path in one.labels.values())]
    labels = [reader.read_labels(one) for one in there]
    return {target: [getattr(one, target) for one in labels] for target in traces.TARGETS}


def write_table(root: Path) -> str:
    """The table of the corpus in `root`, beside that of the real one. Raises InputError."""
    corpus, rate, gold = read_gold_standards(root)
    if not gold["arousal"]:
        raise InputError(f"{root}: has no labels; see `python -m datasets.check`")
    terms = corpus == "RECOLA"
    alike = not np.isclose(rate, avec2012.RATE)  # which has twice as many labels a second as RECOLA
    real = {
        target: {name: value for name, value in zip(STATISTICS, values) if alike or name not in TIMED}
        for target, values in REAL[corpus].items()
    }
    made = "simulated, " if (root / layout.MARKER).exists() else ""
    seconds = np.array([len(values) for values in gold["arousal"]]) / rate
    found = {target: describe(series, rate, terms) for target, series in gold.items()}
    width = max(map(len, STATISTICS.values()))
    lines = [
        f"{root}: {made}{len(seconds)} recordings of {seconds.min():.0f} to {seconds.max():.0f} s; beside it {corpus}",
        " " * width + "".join(f"  {target:>9} {'real':>7}" for target in found),
    ]
    for name in found["arousal"]:
        cells = (f"  {found[target][name]:9.4f} {real[target].get(name, np.nan):7.4f}" for target in found)
        lines.append(f"{STATISTICS[name]:{width}}" + "".join(cells).replace("nan", "  -"))
    return "\n".join(lines)
