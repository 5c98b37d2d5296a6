"""What AV+EC 2017 and AVEC 2019 share, whose recordings are of SEWA: label files, and who chatted with whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets.tables import read_lines

TARGETS = ("arousal", "valence", "liking")
LABEL_HOP = 0.1  # seconds


@dataclass(frozen=True)
class Labels:
    """Gold standard on the label grid: time in seconds, the rest in [-1, 1], all of shape (n,)."""

    time: np.ndarray
    arousal: np.ndarray
    valence: np.ndarray
    liking: np.ndarray


def read_labels(path: Path) -> Labels:
    """Read a label file, with or without a header, separated by `;` or `,` as the official code accepts.

    Raises InputError for missing or exchanged columns, another separator, a value that is no number, a value
    outside [-1, 1], and a gap in time.
    """
    lines = read_lines(path)
    separator = "," if "," in lines[0][1] else ";"
    columns = ["name", "timestamp", *TARGETS]
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
        rows.append(parse_numbers(fields[1:], path, number))
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


def parse_numbers(fields: list[str], path: Path, line: int) -> list[float]:
    """The numbers in the `fields` of a line, which apostrophes may enclose. Raises InputError, also for NaN."""
    try:
        values = [float(field.strip().strip("'")) for field in fields]
    except ValueError as error:
        raise InputError(f"{path}: line {line}: {error}; fields are separated by ';' and hold numbers") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: line {line} holds NaN or infinity; restore the file from the distribution")
    return values


def pair_chats(lengths: Mapping[str, int]) -> dict[str, str]:
    """Recording -> conversation: the two recordings of one have the same length, to within one row.

    That tolerance leaves some recordings a choice of partner, so the pairing taken is the one whose lengths differ
    least in sum, and it must be the only such one. Along the sorted lengths each gap counts once for every pair
    that spans it, an odd number of times for the 1st, 3rd, ... gap and an even number for the others. So pairing
    neighbours is best, and it alone is best if and only if the lengths of neighbouring pairs differ.

    Args:
        lengths: rows by recording of one partition, named like "Devel_01", or "Devel_DE_01" where there are several
            cultures, which do not chat with each other.

    Returns:
        Names like "01-12" or "DE_01-12", by recording, in the order of `lengths`.

    Raises:
        ValueError: an odd number of recordings, a pair that differs by more than one row, or a second best pairing.
    """
    names: dict[str, str] = {}
    for culture in dict.fromkeys(_read_culture(name) for name in lengths):
        ordered = sorted((length, name) for name, length in lengths.items() if _read_culture(name) == culture)
        names |= {name: "_".join([*culture, numbers]) for name, numbers in _pair_neighbours(ordered).items()}
    return {name: names[name] for name in lengths}


def _read_culture(name: str) -> tuple[str, ...]:
    """("DE",) of "Devel_DE_01", () of "Devel_01"."""
    return tuple(name.split("_")[1:-1])


def _pair_neighbours(ordered: list[tuple[int, str]]) -> dict[str, str]:
    """Recording -> the numbers of both, "01-12", of sorted lengths and names. Raises ValueError, see `pair_chats`."""
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
