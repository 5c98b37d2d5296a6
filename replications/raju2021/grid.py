"""The grid of the labels, and feature files that stand on it."""

from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import avec2019
from datasets.sewa import LABEL_HOP

TOLERANCE = 1e-4  # seconds; times that differ by less are the same


def read_grid(path: Path, width: int, count: int) -> np.ndarray:
    """A feature file (n, width) with one row for each label, in the length of the labels: (count, width).

    A longer one is cropped, as the challenge does; one that is shorter by SLACK at most repeats its last row.
    Raises InputError.
    """
    values = read_table(path, width).values
    if (count - len(values)) * LABEL_HOP > avec2019.SLACK + TOLERANCE:
        raise InputError(f"{path}: has {len(values)} rows for {count} labels; restore it from the distribution")
    return values[np.minimum(np.arange(count), len(values) - 1)]


def read_table(path: Path, width: int) -> avec2019.Table:
    """A feature file of this width. Raises InputError."""
    table = avec2019.read_features(path)
    if table.values.shape[1] != width:
        raise InputError(
            f"{path}: has {table.values.shape[1]} columns, expected {width}; restore it, or move its folder away to "
            f"have these features computed"
        )
    return table
