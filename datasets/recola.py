"""RECOLA: French-speaking pairs who solve a task by video call, 5 minutes each, rated every 40 ms by six people.

Layout of AV+EC 2015 and AVEC 2016, three partitions of nine; test labels are not released:

    recordings_video/train_1.mp4    ratings_gold_standard/{arousal,valence}/train_1.arff
                                    ratings_individual/{arousal,valence}/train_1.csv

Layout of the corpus itself, which has neither partitions nor a gold standard:

    RECOLA-Video-recordings/P16.mp4    RECOLA-Annotation/emotional_behaviour/{arousal,valence}/P16.csv

All its participants are of the partition `all`; the challenges did not publish which of them they took for training
and development.
"""

import warnings
from pathlib import Path

import numpy as np

from common import metrics
from common.errors import InputError
from datasets import layout, traces
from datasets.tables import read_lines, read_numbers
from datasets.traces import TARGETS, Labels, Recording

PARTITIONS = {"train": 9, "dev": 9, "test": 9}
ALL = "all"
HOP = 0.04  # seconds
SECONDS = 300.0
VIDEOS, GOLD, RATINGS = "recordings_video", "ratings_gold_standard", "ratings_individual"
ORIGINAL_VIDEOS, ORIGINAL_RATINGS = "RECOLA-Video-recordings", "RECOLA-Annotation/emotional_behaviour"
ACCESS = (
    "RECOLA is licensed: sign the end-user agreement at diuf.unifr.ch/main/diva/recola and ask for the files of "
    "AV+EC 2015 or AVEC 2016; `--corpus simulated` needs nothing"
)


def list_recordings(root: Path, partitions: tuple[str, ...] = ("train", "dev")) -> list[Recording]:
    """All recordings that `partitions` should have, in order, whether or not their files exist.

    Of the original distribution `partitions` can only be ("all",): choose by name. Raises InputError when `root` is
    not this corpus, has no recording of one of the partitions, or has none of the challenges' partitions.
    """
    groups = _group_recordings(root)
    if ALL in groups and tuple(partitions) != (ALL,):
        raise InputError(
            f"{root}: the original distribution has no partitions, and the challenges' are not known for its "
            f"participants; ask the organisers for the files of AV+EC 2015 or AVEC 2016"
        )
    return traces.choose_recordings(groups, partitions, root, "recola")


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> number of recordings: the challenges', those that the simulator noted, or the participants there."""
    return {partition: len(group) for partition, group in _group_recordings(root).items()}


def locate(root: Path) -> Path:
    """`root`, or the folder of either layout just below it (archives unpack into one of their own)."""
    folders = [VIDEOS, GOLD, RATINGS, ORIGINAL_VIDEOS, ORIGINAL_RATINGS]
    return layout.find_root(
        root, lambda folder: layout.holds_any(folder, folders), f"RECOLA ({VIDEOS}/, {GOLD}/); {ACCESS}"
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return _read_marker(locate(root))


def read_labels(recording: Recording) -> Labels:
    """The gold standard of a recording, made of the individual ratings where it has no file.

    Raises InputError for a file with other columns, a value that is no number (`?`), a rating outside [-1, 1], and
    any other time than every 40 ms from 0 to 300 s (to the end that the simulator noted, in a simulated corpus).
    """
    arousal, valence = map(_read_gold_standard, traces.find_labels(recording))
    return Labels(np.arange(len(arousal)) * HOP, arousal, valence)


def count_rows(seconds: float) -> int:
    """Number of labels of a recording: there is one at 0 and one at the end."""
    return round(seconds / HOP) + 1


def make_gold_standard(ratings: np.ndarray) -> np.ndarray:
    """The challenges' gold standard (n,) of the `ratings` (raters, n): their mean, moved to a weighted level.

    The weight of a rater is the mean of the CCCs with the others, two equal constants left out; the level is the mean
    of the raters' means with these weights (`GSCreation.py` of AVEC 2018, as AVEC 2016). NaN where all are constants.
    """
    count = len(ratings)
    agreement = [[metrics.ccc(ratings[a], ratings[b]) for b in range(count) if b != a] for a in range(count)]
    means = ratings.mean(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the NaN is said above
        weights = np.nanmean(agreement, axis=1)
        return ratings.mean(axis=0) - means.mean() + weights @ means / weights.sum()


def count(root: Path) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    return traces.count_recordings(_group_recordings(root))


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole."""
    return traces.check_recordings(_group_recordings(root), read_labels)


def _read_marker(folder: Path) -> dict | None:
    return layout.read_marker(folder, train=int, devel=int, test=int, seconds=float, control=str)


def _group_recordings(root: Path) -> dict[str, list[Recording]]:
    """Partition -> the recordings that it should have; of the original distribution, those that are there."""
    root = locate(root)
    if any((root / folder).is_dir() for folder in (ORIGINAL_VIDEOS, ORIGINAL_RATINGS)):
        files = [*root.glob(f"{ORIGINAL_VIDEOS}/P[0-9][0-9].mp4"), *root.glob(f"{ORIGINAL_RATINGS}/*/P[0-9][0-9].csv")]
        return {ALL: [_name_original(root, name) for name in sorted({path.stem for path in files})]}
    made = _read_marker(root)
    totals = {"train": made["train"], "dev": made["devel"], "test": made["test"]} if made else PARTITIONS
    return {
        partition: [_name_files(root, partition, f"{partition}_{number}") for number in range(1, total + 1)]
        for partition, total in totals.items()
    }


def _name_original(root: Path, name: str) -> Recording:
    labels = {target: root / ORIGINAL_RATINGS / target / f"{name}.csv" for target in TARGETS}
    return Recording(name, ALL, root / ORIGINAL_VIDEOS / f"{name}.mp4", labels)


def _name_files(root: Path, partition: str, name: str) -> Recording:
    gold = {target: root / GOLD / target / f"{name}.arff" for target in TARGETS}
    ratings = {target: root / RATINGS / target / f"{name}.csv" for target in TARGETS}
    labels = {t: ratings[t] if ratings[t].exists() and not gold[t].exists() else gold[t] for t in TARGETS}
    return Recording(name, partition, root / VIDEOS / f"{name}.mp4", {} if partition == "test" else labels)


def _read_gold_standard(path: Path) -> np.ndarray:
    gold = _read_arff(path) if path.suffix == ".arff" else make_gold_standard(_read_ratings(path))
    if not np.isfinite(gold).all():
        raise InputError(f"{path}: no rating ever moves, so that there is no gold standard; leave the recording out")
    return gold


def _read_arff(path: Path) -> np.ndarray:
    lines = read_lines(path)
    start = next((i for i, (_, line) in enumerate(lines) if line.strip().lower() == "@data"), len(lines))
    columns = [
        name for _, line in lines[:start] if line.lower().startswith("@attribute ") for name in line.split()[1:2]
    ]
    if not {"frameTime", "GoldStandard"} <= set(columns):
        raise InputError(f"{path}: is no ARFF file with frameTime and GoldStandard; restore it from the distribution")
    used = [columns.index("frameTime"), columns.index("GoldStandard")]
    time, gold = read_numbers(path, lines[start + 1 :], ",", columns, used).T
    _check_time(path, time)
    return gold


def _read_ratings(path: Path) -> np.ndarray:
    """What each rater said, (raters, n)."""
    (_, header), *lines = read_lines(path)
    columns = [name.strip() for name in header.split(";")]  # spaces stand behind the names
    if columns[0] != "time" or len(columns) < 3:
        raise InputError(f"{path}: line 1 is not time;FM1;FM2;FM3;FF1;FF2;FF3; restore the file from the distribution")
    time, *ratings = read_numbers(path, lines, ";", columns, list(range(len(columns)))).T
    _check_time(path, time)
    traces.check_range(path, np.array(ratings))
    return np.array(ratings)


def _check_time(path: Path, time: np.ndarray) -> None:
    """Raise InputError where `time` (n,) is not every 40 ms to the end of the recording."""
    made = _read_marker(path.parents[2])  # three folders up is the root of the challenges' layout
    seconds = made["seconds"] if made else SECONDS
    expected = np.arange(count_rows(seconds)) * HOP
    if len(time) != len(expected):
        raise InputError(
            f"{path}: has {len(time)} labels, expected {len(expected)}, one every {HOP} s from 0 to {seconds:g} s; "
            f"restore the file from the distribution"
        )
    off = np.flatnonzero(np.abs(time - expected) > 0.01)
    if off.size:
        raise InputError(
            f"{path}: label {off[0] + 1} is at {time[off[0]]:.2f} s, expected at {expected[off[0]]:.2f} s; "
            f"restore the file from the distribution"
        )
