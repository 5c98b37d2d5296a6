"""What a network could know at best (common.ceiling): the affect that the face displays in the samples of its clip.

Of the truth beside a simulated corpus: at a sample of a clip, what was displayed at it and at those before it in the
clip, up to half a clip ago. Before its first sample the network has seen nothing, nor has the learner.
"""

from pathlib import Path

import numpy as np

from common import ceiling
from datasets.simulated.truth import trace_displayed
from replications.wang2017.features import Features


def show_samples(recording: Features, clips: np.ndarray, root: Path, settings: dict) -> np.ndarray:
    """What the network has seen of the face when it predicts each frame: (n, d).

    `clips` (clips, steps) are the frames of each clip that scores the recording; those past the end are padding.
    """
    face, _ = trace_displayed(root, recording.name, recording.time)
    lags, nothing = range(settings["clip_frames"] // 2), np.zeros((1, face.shape[1]))
    found = np.empty((len(face), len(lags) * face.shape[1]))
    for frames in clips:
        frames = frames[frames < len(face)]
        found[frames] = ceiling.stack_lags(np.concatenate([nothing, face[frames]]), lags)[1:]
    return found
