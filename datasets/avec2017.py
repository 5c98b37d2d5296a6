"""AV+EC 2017, emotion sub-challenge: the German part of SEWA, 34 + 14 + 16 recordings of video chats.

Layout as distributed:

    audio/Train_01.wav   video/Train_01.avi   labels/Train_01.csv   turns/Train_01.csv

with stems Train_01..34, Devel_01..14, Test_01..16; test labels are not released. Label files hold
name;timestamp;arousal;valence;liking every 0.1 s, without a header; copies made for AVEC 2018 and 2019 have
one. Turn files hold start;end of the recorded speaker's turns, in seconds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import layout, sewa
from datasets.tables import read_lines

PARTITIONS = {"Train": 34, "Devel": 14, "Test": 16}
FOLDERS = {"audio": ".wav", "video": ".avi", "labels": ".csv", "turns": ".csv"}
ACCESS = (
    "SEWA is licensed: sign the end-user agreement at db.sewaproject.eu and ask the organisers of AVEC 2017 "
    "for AVEC_17_Emotion_Sub-Challenge; `--corpus simulated` needs nothing"
)


@dataclass(frozen=True)
class Recording:
    """The files of one recording; `labels` is None in the test partition, `turns` where there is no such file."""

    name: str
    partition: str
    audio: Path
    video: Path
    labels: Path | None
    turns: Path | None


def list_recordings(root: Path, partitions: tuple[str, ...] = ("Train", "Devel")) -> list[Recording]:
    """All recordings that `partitions` should have, in order, whether or not their files exist.

    Raises InputError when `root` is not this corpus, or has no recording of one of the partitions.
    """
    root = locate(root)
    stems = layout.choose_partitions(_name_stems(root), partitions, _find_stems(root).__contains__, root, "avec2017")
    return [_name_files(root, stem) for stem in stems]


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> number of recordings: the challenge's, or those that the simulator noted."""
    made = read_simulation(root)
    return {"Train": made["train"], "Devel": made["devel"]} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of that layout just below it (archives unpack into one of their own)."""
    return layout.find_root(
        root,
        lambda folder: (folder / "labels").is_dir() and (folder / "audio").is_dir(),
        f"AV+EC 2017 (audio/, video/, labels/, turns/); {ACCESS}",
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return layout.read_marker(locate(root), train=int, devel=int, control=str)


def read_turns(path: Path) -> np.ndarray:
    """The recorded speaker's turns, shape (n, 2): start and end in seconds. Raises InputError."""
    turns = []
    for number, line in read_lines(path):
        turn = sewa.parse_numbers(line.split(";"), path, number)
        if len(turn) != 2 or turn[1] < turn[0]:
            raise InputError(f"{path}: line {number}: expected start;end in seconds")
        turns.append(turn)
    return np.array(turns)


def count(root: Path) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    stems = _find_stems(locate(root))
    return {partition: sum(_read_partition(stem) == partition for stem in stems) for partition in PARTITIONS}


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole."""
    root = locate(root)
    problems = []
    for stems in _name_stems(root).values():
        for recording in (_name_files(root, stem) for stem in stems):
            problems += list_missing(recording)
            labels = layout.attempt(sewa.read_labels, recording.labels, problems)
            layout.attempt(read_turns, recording.turns, problems)
            problems += layout.check_media(recording.audio, recording.video, labels)
    return problems


def list_missing(recording: Recording) -> list[str]:
    """The files of `recording` that a replication needs and that are not there."""
    needed = [recording.audio, recording.video] + ([recording.labels] if recording.labels else [])
    return [f"{path}: missing" for path in needed if not path.exists()]


def _name_stems(root: Path) -> dict[str, list[str]]:
    """Partition -> the stems of all files that it should have."""
    return {
        partition: [f"{partition}_{number:02d}" for number in range(1, total + 1)]
        for partition, total in count_expected(root).items()
    }


def _find_stems(root: Path) -> set[str]:
    return {path.stem for folder, suffix in FOLDERS.items() for path in (root / folder).glob(f"*{suffix}")}


def _name_files(root: Path, stem: str) -> Recording:
    files = {folder: root / folder / f"{stem}{suffix}" for folder, suffix in FOLDERS.items()}
    partition = _read_partition(stem)
    return Recording(
        name=stem,
        partition=partition,
        audio=files["audio"],
        video=files["video"],
        labels=None if partition == "Test" else files["labels"],
        turns=files["turns"] if files["turns"].exists() else None,
    )


def _read_partition(stem: str) -> str:
    return stem.split("_")[0]
