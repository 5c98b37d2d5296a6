"""AVEC 2012: the Solid-SAL part of SEMAINE, 31 + 32 + 32 sessions of a user with an artificial listener.

Two layouts are known, the first from a tool of the organisers, the second from participants:

    audio/{train,devel,tests}/labels/labels_continuous_train001_arousal.dat
    emotion labels/{train,devel,test}/FC_{train,devel,test}_labels/labels_continuous_train001_arousal.dat

The set of the test partition is called `test` or `tests`. In neither is the folder of the videos known: they are
looked for by their name, train_video001.avi, which is the one in the code of a participant. Label files hold one
number per line and video frame, without a header; those of the test partition are not in every copy.
"""

import glob
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from common.errors import InputError
from datasets import avec2017
from datasets.tables import read_lines, read_numbers

PARTITIONS = {"train": 31, "devel": 32, "test": 32}
TARGETS = ("arousal", "valence")
RATE = 49.979  # video frames, and labels, per second; 49.479 in Section 4.1 of Wang and Hsu 2017 is a slip
LABEL_FOLDERS = ("audio/{set}/labels", "emotion labels/{set}/FC_{set}_labels")
ACCESS = (
    "SEMAINE is licensed: sign the end-user agreement at semaine-db.eu and ask the organisers of AVEC 2012 for the "
    "challenge's data; `--corpus simulated` needs nothing"
)

_VIDEO = re.compile(r"(train|devel|test)s?_video(\d{3})\.(?:avi|mkv|mp4)")


@dataclass(frozen=True)
class Recording:
    """The files of one recording; `labels`: target -> file, empty in a test partition without labels."""

    name: str
    partition: str
    video: Path
    labels: dict[str, Path]


@dataclass(frozen=True)
class Labels:
    """Labels on their grid: time in seconds, arousal and valence, all of shape (n,)."""

    time: np.ndarray
    arousal: np.ndarray
    valence: np.ndarray


def recordings(root: Path, partitions: tuple[str, ...] = tuple(PARTITIONS)) -> list[Recording]:
    """All recordings that `partitions` should have, in order, whether or not their files exist.

    None of the test partition where no file of it is there. Raises InputError when `root` is not this corpus, or has
    no recording of another partition.
    """
    return choose(_groups(root), partitions, root, "avec2012")


def expected(root: Path) -> dict[str, int]:
    """Partition -> number of recordings: the challenge's, or those that the simulator noted."""
    made = simulation(root)
    return {partition: made[partition] for partition in PARTITIONS} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of either layout just below it (archives unpack into one of their own)."""
    patterns = [pattern.format(set="*") for pattern in LABEL_FOLDERS]
    return find(root, patterns, f"AVEC 2012 (audio/train/labels/ or emotion labels/); {ACCESS}")


def simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return avec2017.read_marker(locate(root))


def read_labels(recording: Recording) -> Labels:
    """The labels of a recording, one per video frame.

    Where the two files differ in length by no more than a second, the longer one is cropped. Raises InputError where
    they differ by more, for a line that is no number, and for a value outside [-1, 1], the range of FEELtrace.
    """
    arousal, valence = (_read_trace(path) for path in label_files(recording))
    if abs(len(arousal) - len(valence)) > RATE:
        raise InputError(
            f"{recording.labels['arousal']}: has {len(arousal)} labels, {recording.labels['valence'].name} "
            f"{len(valence)}; restore both from the distribution"
        )
    length = min(len(arousal), len(valence))
    return Labels(np.arange(length) / RATE, arousal[:length], valence[:length])


def count(root: Path) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    return counts(_groups(root))


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole."""
    return problems(_groups(root), read_labels)


def missing(recording: Recording) -> list[str]:
    """The files of `recording` that a replication needs and that are not there."""
    return [f"{path}: missing" for path in _files(recording) if not path.exists()]


def _groups(root: Path) -> dict[str, list[Recording]]:
    """Partition -> the recordings that it should have."""
    root = locate(root)
    videos = [root / name for name in glob.glob("**/*_video*", root_dir=root, recursive=True)]  # links are followed
    found = {match.groups(): path for path in sorted(videos, reverse=True) if (match := _VIDEO.fullmatch(path.name))}
    return {
        partition: [_recording(root, partition, f"{number:03d}", found) for number in range(1, total + 1)]
        for partition, total in expected(root).items()
    }


def _recording(root: Path, partition: str, number: str, videos: dict[tuple[str, str], Path]) -> Recording:
    name = f"{partition}_video{number}.avi"
    labels = {target: _label_file(root, partition, number, target) for target in TARGETS}
    return Recording(
        name=f"{partition}_{number}",
        partition=partition,
        video=videos.get((partition, number), root / "video" / partition / name),
        labels=labels if partition != "test" or any(path.exists() for path in labels.values()) else {},
    )


def _label_file(root: Path, partition: str, number: str, target: str) -> Path:
    """The file in either layout; where it is not there, one of the places where it could be."""
    sets = (partition, f"{partition}s")
    places = [
        root / folder.format(set=one) / f"labels_continuous_{other}{number}_{target}.dat"
        for folder in LABEL_FOLDERS
        for one in sets
        for other in sets
    ]
    there = [path for path in places if path.exists()] or [path for path in places if path.parent.exists()]
    return (there or places)[0]


def _read_trace(path: Path) -> np.ndarray:
    lines = read_lines(path)
    values = read_numbers(path, lines, ",", ["label"], [0])[:, 0]
    check_range(path, values)
    return values


# what the readers of this corpus and of RECOLA share


def find(root: Path, patterns: list[str], layout: str) -> Path:
    """`root`, or the first folder just below it, that has one of `patterns`. Raises InputError, which names `layout`."""
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder into which the corpus was unpacked")
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if any(any(folder.glob(pattern)) for pattern in patterns):
            return folder
    raise InputError(f"{root}: not the layout of {layout}")


def choose(groups: dict[str, list[Recording]], partitions: tuple[str, ...], root: Path, corpus: str) -> list[Recording]:
    """The recordings of `partitions`, see `recordings`. Raises InputError."""
    found = []
    for partition in partitions:
        if any(map(_is_there, groups[partition])):
            found += groups[partition]
        elif partition != "test":
            raise InputError(
                f"{root}: no recordings of the partition {partition}; see `python -m datasets.check {corpus} {root}`"
            )
    return found


def label_files(recording: Recording) -> list[Path]:
    """The files of arousal and of valence. Raises InputError where there are none."""
    if not recording.labels:
        raise InputError(f"{recording.name}: has no labels, the test partition was distributed without; leave it out")
    return [recording.labels[target] for target in TARGETS]


def check_range(path: Path, values: np.ndarray) -> None:
    """Raise InputError for a value outside [-1, 1]."""
    if np.abs(values).max() > 1:
        raise InputError(f"{path}: holds a value outside [-1, 1]; restore the file from the distribution")


def counts(groups: dict[str, list[Recording]]) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    return {partition: sum(map(_is_there, group)) for partition, group in groups.items()}


def problems(groups: dict[str, list[Recording]], read_labels: Callable[[Recording], Labels]) -> list[str]:
    """What of the recordings is missing, unreadable or truncated, one line each."""
    found = []
    for recording in (recording for group in groups.values() for recording in group):
        found += missing(recording)
        labels = None
        if recording.labels and all(path.exists() for path in recording.labels.values()):
            labels = avec2017.attempt(lambda _, one=recording: read_labels(one), recording.labels["arousal"], found)
        media = SimpleNamespace(audio=None, video=recording.video)  # no replication listens to these corpora
        found += avec2017.media_problems(media, labels)
    return found


def _files(recording: Recording) -> list[Path]:
    return [recording.video, *recording.labels.values()]


def _is_there(recording: Recording) -> bool:
    return any(path.exists() for path in _files(recording))
