"""AV+EC 2017, emotion sub-challenge: the German part of SEWA, 34 + 14 + 16 recordings of video chats.

Layout as distributed:

    audio/Train_01.wav   video/Train_01.avi   labels/Train_01.csv   turns/Train_01.csv

with stems Train_01..34, Devel_01..14, Test_01..16; test labels are not released. Label files hold
name;timestamp;arousal;valence;liking every 0.1 s, without a header; copies made for AVEC 2018 and 2019 have
one. Turn files hold start;end of the recorded speaker's turns, in seconds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets.tables import read_lines

PARTITIONS = {"Train": 34, "Devel": 14, "Test": 16}
LABELS = ("arousal", "valence", "liking")
LABEL_HOP = 0.1  # seconds
SLACK = 1.0  # seconds by which a medium may end before its labels
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


@dataclass(frozen=True)
class Labels:
    """Gold standard on the label grid: time in seconds, the rest in [-1, 1], all of shape (n,)."""

    time: np.ndarray
    arousal: np.ndarray
    valence: np.ndarray
    liking: np.ndarray


def chats(lengths: Mapping[str, int]) -> dict[str, str]:
    """Recording -> conversation: the two recordings of one have the same length, to within one row.

    That tolerance leaves some recordings a choice of partner, so the pairing taken is the one whose lengths differ
    least in sum, and it must be the only such one. Along the sorted lengths each gap counts once for every pair
    that spans it, an odd number of times for the 1st, 3rd, ... gap and an even number for the others. So pairing
    neighbours is best, and it alone is best if and only if the lengths of neighbouring pairs differ.

    Args:
        lengths: rows by recording of one partition, named like "Devel_01".

    Returns:
        Names like "01-12", by recording.

    Raises:
        ValueError: an odd number of recordings, a pair that differs by more than one row, or a second best pairing.
    """
    ordered = sorted((length, name) for name, length in lengths.items())
    if len(ordered) % 2:
        raise ValueError(f"{len(ordered)} recordings do not pair up into chats")
    pairs, names = list(zip(ordered[::2], ordered[1::2])), {}
    for (short, one), (long, other) in pairs:
        if long - short > 1:
            raise ValueError(f"{one} has no partner: the next in length, {other}, has {long - short} rows more")
        numbers = sorted(name.rsplit("_", 1)[1] for name in (one, other))
        names |= dict.fromkeys((one, other), "-".join(numbers))
    for (_, (long, one)), ((short, other), _) in pairwise(pairs):
        if long == short:
            raise ValueError(f"the chats are not unique: {one} and {other} both have {long} rows, and a partner")
    return names


def recordings(root: Path, partitions: tuple[str, ...] = ("Train", "Devel")) -> list[Recording]:
    """All recordings that `partitions` should have, in order, whether or not their files exist.

    Raises InputError when `root` is not this corpus, or has no recording of one of the partitions.
    """
    root = locate(root)
    there = _stems(root)
    found = []
    for partition in partitions:
        stems = [f"{partition}_{number:02d}" for number in range(1, expected(root).get(partition, 0) + 1)]
        if there.isdisjoint(stems):
            raise InputError(f"{root}: no {partition}_NN recordings; see `python -m datasets.check avec2017 {root}`")
        found += [_recording(root, stem) for stem in stems]
    return found


def expected(root: Path) -> dict[str, int]:
    """Partition -> number of recordings: the challenge's, or those that the simulator noted."""
    made = simulation(root)
    return {"Train": made["train"], "Devel": made["devel"]} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of that layout just below it (archives unpack into one of their own)."""
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder that holds audio/, video/ and labels/")
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if (folder / "labels").is_dir() and (folder / "audio").is_dir():
            return folder
    raise InputError(f"{root}: not the AV+EC 2017 layout (audio/, video/, labels/, turns/); {ACCESS}")


def simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return read_marker(locate(root))


def read_marker(folder: Path) -> dict | None:
    """The marker of a simulated corpus in `folder`; None where there is none. Raises InputError."""
    marker = folder / "simulated.json"
    if not marker.exists():
        return None
    try:
        made = json.loads(marker.read_text(encoding="utf-8"))
        return {"train": made["train"], "devel": made["devel"], "test": 0, "control": made["control"], **made}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{marker}: cannot be read; delete the corpus and let it be simulated again") from error


def read_labels(path: Path) -> Labels:
    """Read a label file, with or without a header, separated by `;` or `,` as the official code accepts.

    Raises InputError for missing or exchanged columns, another separator, a value that is no number, a value
    outside [-1, 1], and a gap in time.
    """
    lines = read_lines(path)
    separator = "," if "," in lines[0][1] else ";"
    columns = ["name", "timestamp", *LABELS]
    if lines[0][1].startswith("name"):
        found = [field.strip() for field in lines.pop(0)[1].split(separator)]
        if found != columns:
            raise InputError(f"{path}: line 1 has the columns {';'.join(found)}, expected {';'.join(columns)}")
    if not lines:
        raise InputError(f"{path}: is empty below its header; restore it from the distribution")
    rows = []
    for number, line in lines:
        fields = line.split(separator)
        if len(fields) != len(columns):
            raise InputError(
                f"{path}: line {number} has {len(fields)} fields separated by '{separator}', expected {';'.join(columns)}"
            )
        rows.append(_numbers(fields[1:], path, number))
    values = np.array(rows)
    if values[0, 0] > 1.01 * LABEL_HOP:
        raise InputError(
            f"{path}: starts at {values[0, 0]:.1f} s, expected at 0; restore the file from the distribution"
        )
    gap = np.flatnonzero(np.abs(np.diff(values[:, 0]) - LABEL_HOP) > 0.01 * LABEL_HOP)
    if gap.size:
        raise InputError(
            f"{path}: after {values[gap[0], 0]:.1f} s the next label is at {values[gap[0] + 1, 0]:.1f} s, expected one "
            f"every {LABEL_HOP} s; restore the file from the distribution"
        )
    outside = np.flatnonzero(np.abs(values[:, 1:]).max(axis=1) > 1)
    if outside.size:
        raise InputError(
            f"{path}: line {lines[outside[0]][0]} has a label outside [-1, 1]; restore the file from the distribution"
        )
    return Labels(*values.T)


def read_turns(path: Path) -> np.ndarray:
    """The recorded speaker's turns, shape (n, 2): start and end in seconds. Raises InputError."""
    turns = []
    for number, line in read_lines(path):
        turn = _numbers(line.split(";"), path, number)
        if len(turn) != 2 or turn[1] < turn[0]:
            raise InputError(f"{path}: line {number}: expected start;end in seconds")
        turns.append(turn)
    return np.array(turns)


def count(root: Path) -> dict[str, int]:
    """Partition -> number of recordings of which at least one file is there."""
    stems = _stems(locate(root))
    return {partition: sum(_partition(stem) == partition for stem in stems) for partition in PARTITIONS}


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole."""
    root = locate(root)
    problems = []
    for partition, total in expected(root).items():
        for number in range(1, total + 1):
            recording = _recording(root, f"{partition}_{number:02d}")
            problems += missing(recording)
            labels = attempt(read_labels, recording.labels, problems)
            attempt(read_turns, recording.turns, problems)
            problems += media_problems(recording, labels)
    return problems


def missing(recording: Recording) -> list[str]:
    """The files of `recording` that a replication needs and that are not there."""
    needed = [recording.audio, recording.video] + ([recording.labels] if recording.labels else [])
    return [f"{path}: missing" for path in needed if not path.exists()]


def media_problems(recording, labels: Labels | None) -> list[str]:
    """What keeps `recording.audio` and `recording.video` from being decoded to the end of the labels, one line each."""
    from common.media import audio, video

    problems = []
    for path, probe in ((recording.audio, audio.measure_duration), (recording.video, video.measure_duration)):
        seconds = attempt(probe, path, problems)
        if labels is not None and seconds is not None and labels.time[-1] > seconds + SLACK:
            problems.append(
                f"{path}: lasts {seconds:.1f} s, its labels {labels.time[-1]:.1f} s; it looks truncated, "
                f"copy it again from the distribution"
            )
    return problems


def attempt(read, path: Path | None, problems: list[str]):
    """What `read` returns; None, and a line in `problems`, where the file cannot be read."""
    if path is None or not path.exists():
        return None
    try:
        return read(path)
    except InputError as error:
        problems.append(str(error))


def _stems(root: Path) -> set[str]:
    return {path.stem for folder, suffix in FOLDERS.items() for path in (root / folder).glob(f"*{suffix}")}


def _recording(root: Path, stem: str) -> Recording:
    files = {folder: root / folder / f"{stem}{suffix}" for folder, suffix in FOLDERS.items()}
    partition = _partition(stem)
    return Recording(
        name=stem,
        partition=partition,
        audio=files["audio"],
        video=files["video"],
        labels=None if partition == "Test" else files["labels"],
        turns=files["turns"] if files["turns"].exists() else None,
    )


def _partition(stem: str) -> str:
    return stem.split("_")[0]


def _numbers(fields: list[str], path: Path, line: int) -> list[float]:
    try:
        values = [float(field.strip().strip("'")) for field in fields]
    except ValueError as error:
        raise InputError(f"{path}: line {line}: {error}; fields are separated by ';' and hold numbers") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: line {line} holds NaN or infinity; restore the file from the distribution")
    return values
