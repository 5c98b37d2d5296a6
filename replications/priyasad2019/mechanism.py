"""What can be measured beside the tables: voice activity, what a split is worth, what the fusion listens to.

Voice activity is held against the truth of a simulated corpus, which no network sees; the others need no truth.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.evidence.bootstrap import bootstrap_ratio
from datasets.simulated.truth import read_truth
from replications.priyasad2019.features import Clip

CLOSE = 0.1  # seconds


def measure_speech(clips: Sequence[Clip], truth: Path) -> dict | None:
    """How many of the onsets and offsets of speech are found within 0.1 s, interval over clips; None without truth.

    `onset` and `offset` are the mean seconds by which they are found too late.
    """
    if not truth.is_dir():
        return None
    planted = [list(read_truth(truth, clip.name, "speech_start", "speech_end").values()) for clip in clips]
    late = np.array([clip.speech for clip in clips]) - planted
    within, interval = bootstrap_ratio((np.abs(late) <= CLOSE).sum(axis=1), np.full(len(late), 2))
    onset, offset = late.mean(axis=0)
    return {
        "within": within,
        "interval": interval,
        "all": 1.0,
        "onset": onset,
        "offset": offset,
        "frames": 2 * len(late),
    }


def measure_inflation(clips: Sequence[Clip], apart: np.ndarray, shared: np.ndarray) -> dict:
    """By how many points of accuracy a protocol that shares subjects, or more, is above leaving one subject out.

    `apart` and `shared` are the predicted classes (clips,) of the two. Interval over subjects.
    """
    truth = np.array([clip.label for clip in clips])
    subjects = _number_subjects(clips)
    gained = (shared == truth).astype(int) - (apart == truth)
    points, interval = bootstrap_ratio(np.bincount(subjects, 100.0 * gained), np.bincount(subjects))
    return {"points": points, "interval": interval, "none": 0.0, "frames": len(clips)}


def measure_modalities(beta: np.ndarray, clips: Sequence[Clip], owner: np.ndarray) -> dict:
    """The mean weight of the sound in Eq. 6 over test segments, beta (S, 2), interval over subjects."""
    subject = _number_subjects(clips)[owner]
    share, interval = bootstrap_ratio(np.bincount(subject, beta[:, 0]), np.bincount(subject))
    return {"sound": share, "interval": interval, "equal": 0.5, "frames": len(owner)}


def _number_subjects(clips: Sequence[Clip]) -> np.ndarray:
    """The number of each clip's subject (clips,)."""
    return np.unique([clip.subject for clip in clips], return_inverse=True)[1]
