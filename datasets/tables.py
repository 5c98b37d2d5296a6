"""Text files of numbers, as the challenges and OpenFace write them: `;` or `,`, with or without a header."""

from pathlib import Path

import numpy as np

from common.errors import InputError

GAP = 0.5  # two frames may be this part of the usual distance nearer or further apart: times are printed rounded


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers. Raises InputError, also when there is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore it from the distribution") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text file; restore it from the distribution") from error
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        raise InputError(f"{path}: is empty; restore it from the distribution")
    return filled


def read_numbers(
    path: Path, lines: list[tuple[int, str]], separator: str, columns: list[str], used: list[int]
) -> np.ndarray:
    """The columns `used` of `lines`, shape (n, len(used)) float64; `columns` are the names of all that a line has.

    Raises InputError, which names the line and the column, for a line with more or fewer fields, a field that is no
    number, NaN and infinity.
    """
    if not lines:
        raise InputError(f"{path}: is empty below its header; restore it from the distribution")
    for number, line in lines:
        found = line.count(separator) + 1
        if found != len(columns):
            other = ";" if separator == "," else ","
            mixed = f" (it has '{other}' too)" if other in line else ""
            raise InputError(
                f"{path}: line {number} has {found} fields separated by '{separator}'{mixed}, expected {len(columns)}; "
                f"restore the file from the distribution"
            )
    try:
        values = np.loadtxt([line for _, line in lines], delimiter=separator, usecols=used, comments=None, ndmin=2)
    except ValueError as error:
        raise _no_number(path, lines, separator, columns, used) from error
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        raise InputError(
            f"{path}: column {columns[used[column]]} holds NaN or infinity, first in line {lines[row][0]}; "
            f"restore the file from the distribution"
        )
    return values


def _no_number(path, lines, separator, columns, used) -> InputError:
    """What NumPy could not read, said with the file's own line and column."""
    for number, line in lines:
        fields = line.split(separator)
        for column in used:
            try:
                float(fields[column])
            except ValueError:
                return InputError(
                    f"{path}: line {number}, column {columns[column]}: '{fields[column].strip()}' is no number; "
                    f"restore the file from the distribution"
                )
    return InputError(f"{path}: is no table of numbers; restore it from the distribution")


def check_time(path: Path, time: np.ndarray) -> None:
    """Raise InputError where `time` (n,), in seconds, does not increase in equal steps up to rounding."""
    steps = np.diff(time)
    usual = np.median(steps) if steps.size else 0
    back = np.flatnonzero(steps <= 0)
    if back.size:
        raise InputError(
            f"{path}: after {time[back[0]]:.3f} s the time does not go on; restore it from the distribution"
        )
    uneven = np.flatnonzero(np.abs(steps - usual) > GAP * usual)
    if uneven.size:
        raise InputError(
            f"{path}: after {time[uneven[0]]:.3f} s the next row is at {time[uneven[0] + 1]:.3f} s, expected one every "
            f"{usual:.3f} s; restore the file from the distribution"
        )
