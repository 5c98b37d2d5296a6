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
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import layout, traces
from datasets.tables import read_lines, read_numbers
from datasets.traces import TARGETS, Labels, Recording

PARTITIONS = {"train": 31, "devel": 32, "test": 32}
RATE = 49.979  # video frames, and labels, per second; 49.479 in Section 4.1 of Wang and Hsu 2017 is a slip
LABEL_FOLDERS = ("audio/{set}/labels", "emotion labels/{set}/FC_{set}_labels")
ACCESS = (
    "SEMAINE is licensed: sign the end-user agreement at semaine-db.eu and ask the organisers of AVEC 2012 for the "
    "challenge's data; `--corpus simulated` needs nothing"
)

_VIDEO = re.compile(r"(train|devel|test)s?_video(\d{3})\.(?:avi|mkv|mp4)")


def list_recordings(root: Path, partitions: tuple[str, ...] = tuple(PARTITIONS)) -> list[Recording]:
    """All recordings that `partitions` should have, in order, whether or not their files exist.

    None of the test partition where no file of it is there. Raises InputError when `root` is not this corpus, or has
    no recording of another partition.
    """
    return traces.choose_recordings(_group_recordings(root), partitions, root, "avec2012")


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> number of recordings: the challenge's, or those that the simulator noted."""
    made = read_simulation(root)
    return {partition: made[partition] for partition in PARTITIONS} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of either layout just below it (archives unpack into one of their own)."""
    patterns = [pattern.format(set="*") for pattern in LABEL_FOLDERS]
    return layout.find_root(
        root,
        lambda folder: layout.holds_any(folder, patterns),
        f"AVEC 2012 (audio/train/labels/ or emotion labels/); {ACCESS}",
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return layout.read_marker(locate(root), train=int, devel=int, test=int, control=str)


def read_labels(recording: Recording) -> Labels:
    """The labels of a recording, one per video frame.

    Where the two files differ in length by no more than a second, the longer one is cropped. Raises InputError where
    they differ by more, for a line that is no number, and for a value outside [-1, 1], the range of FEELtrace.
    """
    arousal, valence = (_read_trace(path) for path in traces.find_labels(recording))
    if abs(len(arousal) - len(valence)) > RATE:
        raise InputError(
            f"{recording.labels['arousal']}: has {len(arousal)} labels, {recording.labels['valence'].name} "
            f"{len(valence)}; restore both from the distribution"
        )
    length = min(len(arousal), len(valence))
    return Labels(np.arange(length) / RATE, arousal[:length], valence[:length])


def count(root: Path) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    return traces.count_recordings(_group_recordings(root))


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole."""
    return traces.check_recordings(_group_recordings(root), read_labels)


def _group_recordings(root: Path) -> dict[str, list[Recording]]:
    """Partition -> the recordings that it should have."""
    root = locate(root)
    videos = [root / name for name in glob.glob("**/*_video*", root_dir=root, recursive=True)]  # links are followed
    found = {match.groups(): path for path in sorted(videos, reverse=True) if (match := _VIDEO.fullmatch(path.name))}
    return {
        partition: [_name_files(root, partition, f"{number:03d}", found) for number in range(1, total + 1)]
        for partition, total in count_expected(root).items()
    }


def _name_files(root: Path, partition: str, number: str, videos: dict[tuple[str, str], Path]) -> Recording:
    name = f"{partition}_video{number}.avi"
    labels = {target: _find_label_file(root, partition, number, target) for target in TARGETS}
    return Recording(
        name=f"{partition}_{number}",
        partition=partition,
        video=videos.get((partition, number), root / "video" / partition / name),
        labels=labels if partition != "test" or any(path.exists() for path in labels.values()) else {},
    )


def _find_label_file(root: Path, partition: str, number: str, target: str) -> Path:
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
    traces.check_range(path, values)
    return values
