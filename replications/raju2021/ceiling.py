"""What a network could know at best (common.ceiling): the affect that face or voice display inside its window.

Of the truth beside a simulated corpus, seen as far around a step as the summaries of low-level features are. "window"
is that of EAF. "sequence" is the past of whole recordings, which AED and EMAFN read from both ends, as far back as
labels remember it. "past" is the same for the LSTM, which is taught labels that were moved to the front. Segments do
not cut any of them.
"""

from pathlib import Path

import numpy as np

from common import ceiling
from datasets.sewa import LABEL_HOP, TARGETS
from datasets.simulated.truth import trace_displayed

LAG = 0.5  # seconds
MEMORY = 6.0  # seconds, besides those of the summaries: raters are 2 s late, and what is felt lasts
PAST = ceiling.name_ceiling("past")


def predict(variant: str, training_set, scored, root: Path) -> dict[str, list[np.ndarray]]:
    """Target -> the series of each recording of `scored`, from a learner fitted on `training_set`: both `Sequences`."""
    inputs, targets, delay = [], {target: [] for target in TARGETS}, training_set.delay
    for recording, rows in zip(training_set.recordings, training_set.rows, strict=True):
        rows = rows[rows + delay < len(recording.labels.time)]
        inputs.append(show_window(variant, recording, root, training_set.settings)[rows])
        for target in TARGETS:
            targets[target].append(getattr(recording.labels, target)[rows + delay])
    others = [
        show_window(variant, recording, root, scored.settings)[rows]
        for recording, rows in zip(scored.recordings, scored.rows, strict=True)
    ]
    series = {target: ceiling.predict_values(inputs, targets[target], others) for target in TARGETS}
    return {target: [scored.undo_delay(values) for values in series[target]] for target in TARGETS}


def show_window(variant: str, recording, root: Path, settings: dict) -> np.ndarray:
    """What is displayed inside the window of each label (n,): (n, d). The face comes first, they display the same."""
    face, voice = trace_displayed(root, recording.name, recording.labels.time)
    return ceiling.stack_lags(np.where(np.abs(face) < np.abs(voice), voice, face), list_lags(variant, settings))


def list_lags(variant: str, settings: dict) -> np.ndarray:
    """How many labels ago the learner looks, every LAG of its window; negative is ahead."""
    back, ahead = MEMORY, 0.0
    if variant == ceiling.name_ceiling("window") and settings["eaf_readout"] == "window":
        others = settings["eaf_window"] - settings["hop"]  # of the window, besides the step itself
        ahead = others / 2 if settings["eaf_window_at"] == "centre" else 0.0
        back = others - ahead
    around = settings["summary_window"] / 2
    return np.round(np.arange(-ahead - around, back + around + 1e-6, LAG) / LABEL_HOP).astype(int)
