"""The CSV of OpenFace's FeatureExtraction (Baltrušaitis et al. 2018), whichever version and options wrote it.

Blocks of columns come and go with the options, 1.x has no face_id, versions before 2.1 put a space after each comma:
columns are found by their names.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets.tables import check_time, read_lines, read_numbers

ACTION_UNITS = tuple(
    f"AU{number:02d}_r" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
)  # those with an intensity, in OpenFace's order


@dataclass(frozen=True)
class Faces:
    """One video of n frames.

    time (n,) seconds; confidence (n,) in [0, 1]; success (n,) bool: a face was tracked; intensity (n, 17) float32:
    ACTION_UNITS, 0 to 5, 0 where no face was tracked.
    """

    time: np.ndarray
    confidence: np.ndarray
    success: np.ndarray
    intensity: np.ndarray


def read(path: Path) -> Faces:
    """Read a CSV of OpenFace.

    Raises InputError for a column that is missing or holds NaN, a field that is no number, lines of unequal length,
    a gap in time, and a second face (files of FaceLandmarkVidMulti).
    """
    (_, first), *lines = read_lines(path)
    columns = [name.strip() for name in first.split(",")]
    needed = ["timestamp", "confidence", "success", *ACTION_UNITS]
    absent = [name for name in needed if name not in columns]
    if absent:
        raise InputError(
            f"{path}: has no column {', '.join(absent)}; run OpenFace's FeatureExtraction with -aus, or without options"
        )
    values = read_numbers(path, lines, ",", columns, [columns.index(name) for name in needed])
    check_time(path, values[:, 0])
    return Faces(
        time=values[:, 0],
        confidence=values[:, 1],
        success=values[:, 2] > 0.5,
        intensity=values[:, 3:].astype(np.float32),
    )
