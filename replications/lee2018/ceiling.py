"""What a network could know at best (common.ceiling): the affect that face and voice display inside its window.

Of the truth beside a simulated corpus, at the steps of a clip: "face" has those of the face, "last-face" that of the
last frame. "voice" reaches further, as far as the audio windows around the first and the last step of a clip do. "both"
has, inside the clip, what either of them displays.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common import ceiling
from datasets.simulated.truth import trace_displayed
from replications.lee2018 import features
from replications.lee2018.features import Features

VOICE = ceiling.name_ceiling("voice")


def predict(
    variant: str,
    training_set: Sequence[Features],
    recordings: Sequence[Features],
    root: Path,
    settings: dict,
    target: str,
) -> list[np.ndarray]:
    """The scores of each of `recordings` at its scored instants, from a learner fitted on the clips of `training_set`."""
    inputs, targets = [], []
    for recording in training_set:
        ends = features.select_training_clips(recording, settings)
        inputs.append(show_window(variant, recording, root, settings)[ends])
        targets.append(features.interpolate_gold(recording, target, ends, settings["label_delay"]))
    others = [
        show_window(variant, recording, root, settings)[features.select_scored_instants(recording, settings)]
        for recording in recordings
    ]
    return ceiling.predict_values(inputs, targets, others)


def show_window(variant: str, recording: Features, root: Path, settings: dict) -> np.ndarray:
    """What is displayed inside the window that ends at each instant of the grid: (n, d)."""
    face, voice = trace_displayed(root, recording.name, recording.time)
    step = round(1 / settings["clip_fps"] / features.choose_grid_hop(settings))
    length, around = settings["clip_frames"], int(settings["audio_window"] / 2 * settings["clip_fps"])
    clip = step * np.arange(length)
    before_and_after = step * np.concatenate([np.arange(-around, 0), length + np.arange(around)])
    either = np.where(np.abs(face) < np.abs(voice), voice, face)
    parts = {
        "face": [(face, clip)],
        "last-face": [(face, [0])],
        "voice": [(voice, clip), (voice, before_and_after)],
        "both": [(either, clip), (voice, before_and_after)],
    }[variant.removeprefix(ceiling.PREFIX)]
    return np.concatenate([ceiling.stack_lags(series, lags) for series, lags in parts], axis=1)
