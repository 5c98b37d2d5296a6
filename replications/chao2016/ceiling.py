"""What can be known at best: logistic regression on what a clip really displays where the networks look and listen.

Of the face, how far its parts are moved in the frames in which it is found; of the voice, the arousal and valence in the
stretch that is heard; each by its mean and its greatest over the clip. Both are planted, and read from beside a
simulated corpus. Fitted on the training partition.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.ceiling import PREFIX, predict_classes
from datasets.simulated import emotions
from datasets.simulated.truth import read_truth
from replications.chao2016.features import FITTED_ON, Features
from replications.chao2016.mechanism import match_frames

TRUTH = ("label", "strength", "frame_shown", "voice_shown")


def classify(variant: str, clips: Sequence[Features], truth: Path) -> np.ndarray:
    """The class (n,) of each clip by the learner that is given what `variant` names. Raises InputError."""
    describe = {"face": [describe_face], "both": [describe_face, describe_voice]}[variant.removeprefix(PREFIX)]
    scripts = [read_truth(truth, clip.name, *TRUTH) for clip in clips]
    displayed = np.array([np.concatenate([d(*pair) for d in describe]) for pair in zip(clips, scripts, strict=True)])
    train = [number for number, clip in enumerate(clips) if clip.partition == FITTED_ON]
    return predict_classes(displayed[train], np.array([clips[number].label for number in train]), displayed)


def describe_face(clip: Features, script: dict) -> np.ndarray:
    """How far each part of the face is moved, mean and greatest over the frames (2 parts,); what is hidden is not."""
    label = str(script["label"])
    moves = emotions.move_parts(label, [float(script["strength"])] * len(emotions.ACTION_UNITS[label]))
    shown = match_frames(script["frame_shown"], clip) * clip.found
    return np.outer([shown.mean(), shown.max()], [moves.get(part, 0.0) for part in emotions.PARTS]).ravel()


def describe_voice(clip: Features, script: dict) -> np.ndarray:
    """Arousal and valence of the voice, mean and greatest over the clip (4,)."""
    heard = script["voice_shown"]
    return np.outer([heard.mean(), heard.max()], emotions.CIRCUMPLEX[str(script["label"])]).ravel()
