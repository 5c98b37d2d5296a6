"""What can be known at best: logistic regression on what a segment really displays, where the networks look and listen.

Of the face, how far its parts are moved in the segment's frames; of the voice, the arousal and valence of the speech in
the segment; each by its mean and its greatest over the segment. Both are planted, and read from beside a
simulated corpus. Fitted on the training segments of each fold; the segments of a clip vote, as those of a network do.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from common.ceiling import PREFIX, predict_classes
from datasets.acted import CLASSES
from datasets.simulated.truth import read_truth
from replications.priyasad2019 import images
from replications.priyasad2019.experiment import Fold
from replications.priyasad2019.features import Clip

TRUTH = ("moves", "level", "speech_start", "speech_end", "frame_time", "frame_shown", "frame_visible")


def classify(variant: str, clips: Sequence[Clip], root: Path, folds: Iterable[Fold]) -> tuple[np.ndarray, list[float]]:
    """The class of each segment as 1 among zeros (S, 6), and of each fold the accuracy in percent on its training segments.

    By the learner that is given what `variant` names, in the folds that test the segments; `clips` of the corpus in
    `root`. Raises InputError.
    """
    describe = {"face": [describe_face], "voice": [describe_voice], "both": [describe_face, describe_voice]}
    displayed = []
    for clip in clips:
        script = read_truth(root / "truth", clip.name, *TRUTH)
        found = [d(clip, script) for d in describe[variant.removeprefix(PREFIX)]]
        displayed.append(np.concatenate(found, axis=1))
    displayed = np.concatenate(displayed)
    posteriors, trained = np.zeros((len(displayed), len(CLASSES)), np.float32), []
    for fold in folds:
        train, test = fold.split.train, fold.split.test
        predicted = predict_classes(displayed[train], fold.labels[train], displayed)
        posteriors[test, predicted[test]] = 1
        trained.append(100 * float(np.mean(predicted[train] == fold.labels[train])))
    return posteriors, trained


def describe_face(clip: Clip, script: dict) -> np.ndarray:
    """How far each part of the face is moved, mean and greatest over each segment (n, 2 parts); what is hidden is not."""
    return summarise(clip, script, script["frame_shown"] * script["frame_visible"], script["moves"])


def describe_voice(clip: Clip, script: dict) -> np.ndarray:
    """Arousal and valence of the voice, mean and greatest over each segment (n, 4); in silence there is none."""
    time = script["frame_time"]
    heard = (script["speech_start"] <= time) & (time <= script["speech_end"])
    return summarise(clip, script, heard, script["level"])


def summarise(clip: Clip, script: dict, amounts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Mean and greatest over the frames of each of the clip's segments (n, 2 d) of what is `whole` (d,) at an amount of 1.

    amounts (f,), one for each frame of the clip.
    """
    starts = clip.span[0] + clip.starts
    inside = [
        amounts[(start <= script["frame_time"]) & (script["frame_time"] < start + images.LENGTH)] for start in starts
    ]
    return np.array([np.outer([part.mean(), part.max()], whole).ravel() for part in inside])
