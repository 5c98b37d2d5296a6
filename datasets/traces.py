"""What AVEC 2012 and RECOLA share: recordings that have a file of labels for arousal and one for valence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import layout

TARGETS = ("arousal", "valence")


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


def choose_recordings(
    groups: dict[str, list[Recording]], partitions: tuple[str, ...], root: Path, corpus: str
) -> list[Recording]:
    """The recordings of `partitions`; none of the test partition where no file of it is there. Raises InputError."""
    return layout.choose_partitions(groups, partitions, is_there, root, corpus, optional=("test",))


def list_files(recording: Recording) -> list[Path]:
    """The files that a replication needs."""
    return [recording.video, *recording.labels.values()]


def list_missing(recording: Recording) -> list[str]:
    """The files of `recording` that a replication needs and that are not there."""
    return [f"{path}: missing" for path in list_files(recording) if not path.exists()]


def is_there(recording: Recording) -> bool:
    """Whether at least one file of it is."""
    return any(path.exists() for path in list_files(recording))


def find_labels(recording: Recording) -> list[Path]:
    """The files of arousal and of valence. Raises InputError where there are none."""
    if not recording.labels:
        raise InputError(f"{recording.name}: has no labels, the test partition was distributed without; leave it out")
    return [recording.labels[target] for target in TARGETS]


def check_range(path: Path, values: np.ndarray) -> None:
    """Raise InputError for a value outside [-1, 1]."""
    if np.abs(values).max() > 1:
        raise InputError(f"{path}: holds a value outside [-1, 1]; restore the file from the distribution")


def count_recordings(groups: dict[str, list[Recording]]) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    return {partition: sum(map(is_there, group)) for partition, group in groups.items()}


def check_recordings(groups: dict[str, list[Recording]], read_labels: Callable[[Recording], Labels]) -> list[str]:
    """What of the recordings is missing, unreadable or truncated, one line each."""
    found = []
    for recording in (recording for group in groups.values() for recording in group):
        found += list_missing(recording)
        labels = None
        if recording.labels and all(path.exists() for path in recording.labels.values()):
            labels = layout.attempt(lambda _, one=recording: read_labels(one), recording.labels["arousal"], found)
        found += layout.check_media(None, recording.video, labels)  # no replication listens to these corpora
    return found
