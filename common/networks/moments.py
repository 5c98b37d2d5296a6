"""Mean and deviation of features, for z-scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Mean and deviation of each feature over the training recordings, from one pass that holds little in memory."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray], chunk: int = 512) -> Moments:
        count, offset = 0, np.asarray(arrays[0][0], np.float64)  # sums of squares far from 0 lose digits
        total, squares = np.zeros_like(offset), np.zeros_like(offset)
        for array in arrays:
            for start in range(0, len(array), chunk):
                part = array[start : start + chunk] - offset
                count, total, squares = count + len(part), total + part.sum(axis=0), squares + (part**2).sum(axis=0)
        variance = np.maximum(squares / count - (total / count) ** 2, 0)
        deviation = np.sqrt(variance)
        return cls(
            (offset + total / count).astype(np.float32), np.where(deviation > 1e-8, deviation, 1.0).astype(np.float32)
        )

    @classmethod
    def exact(cls, arrays: Sequence[np.ndarray]) -> Moments:
        """In float64, from all arrays at once: for features that fit into memory."""
        values = np.concatenate(arrays).astype(np.float64)
        deviation = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) / self.deviation
