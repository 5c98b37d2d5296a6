"""Action units as OpenFace 2 would have measured them on a rendered face, in the file that its `-aus` option writes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.openface import ACTION_UNITS

# OpenFace tells of one unit more, AU28, whether it is there but not how much: lips sucked in, which these faces never do.
PRESENCES = (*(f"{unit[:-1]}c" for unit in ACTION_UNITS[:-1]), "AU28_c", f"{ACTION_UNITS[-1][:-1]}c")
COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success", *ACTION_UNITS, *PRESENCES)
PRESENT = 1.0  # intensity from which an action unit counts as there
NOISE = 0.25  # of each frame and unit, on the scale of 0 to 5: small beside an expression, plain in a neutral face
GAIN = 0.15  # spread between recordings of what a unit's full intensity is measured as


@dataclass(frozen=True)
class Measured:
    """What was measured in each frame; zeros where tracking failed."""

    confidence: np.ndarray  # (f,)
    success: np.ndarray  # (f,) bool
    intensity: np.ndarray  # (f, 17) from 0 to 5, ACTION_UNITS
    presence: np.ndarray  # (f, 18) bool, PRESENCES


def measure(rng: np.random.Generator, units: np.ndarray, visible: np.ndarray) -> Measured:
    """True intensities (f, 17) as seen by the tracker, which fails where the face is not visible (f,) bool."""
    gain = rng.normal(1.0, GAIN, len(ACTION_UNITS))
    seen = np.clip(units * gain + NOISE * rng.standard_normal(units.shape), 0, 5)
    present = seen + NOISE * rng.standard_normal(units.shape) > PRESENT  # by a classifier of its own
    present = np.insert(present, PRESENCES.index("AU28_c"), False, axis=1)
    confidence = np.where(visible, rng.uniform(0.93, 0.98, len(units)), rng.uniform(0.0, 0.2, len(units)))
    return Measured(confidence, visible, seen * visible[:, None], present & visible[:, None])


def write(path: Path, times: np.ndarray, measured: Measured) -> None:
    """One line per frame at times (f,) seconds, separated by comma and space as all versions before 2.1 do."""
    rows = [COLUMNS]
    for i, time in enumerate(times):
        row = [str(i + 1), "0", f"{time:.3f}", f"{measured.confidence[i]:.2f}", str(int(measured.success[i]))]
        rows.append([*row, *(f"{value:.2f}" for value in (*measured.intensity[i], *measured.presence[i]))])
    path.write_text("".join(", ".join(row) + "\n" for row in rows), newline="\n")
