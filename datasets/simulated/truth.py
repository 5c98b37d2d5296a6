"""The truth beside a simulated corpus, and what a recording displays by it: what the ceilings of the rooms are given.

No network sees it.
"""

import json
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from datasets.layout import MARKER
from datasets.simulated import script
from datasets.simulated.script import Episodes, Script


def read_truth(folder: Path, name: str, *names: str) -> dict[str, np.ndarray]:
    """These arrays, or all, of what the simulator noted of the recording `name`. Raises InputError."""
    path = folder / f"{name.replace('/', '_').replace(' ', '_')}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in names or archive.files}
    except storage.UNREADABLE as error:
        raise InputError(f"{path}: cannot be read; delete the corpus and let it be simulated again") from error


def trace_displayed(root: Path, name: str, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What face and voice of the recording `name` in the corpus at `root` display at times (n,): (n, d) each.

    d is 3 where people show liking (arousal, valence, liking), else 2; zero is neutral. Of the face it is
    what the region displays that shows it more clearly. A face that is hidden and a person who is silent display nothing.
    Raises InputError.
    """
    truth = read_truth(root / "truth", name)
    plan, dimensions = restore_script(truth, name), 3 if "liking_region" in truth else 2
    felt = script.trace_latent(plan, times)[:, :dimensions]
    if json.loads((root / MARKER).read_text())["control"] == "uniform":
        face = voice = felt
    else:
        chosen = plan.episodes.on_face, plan.episodes.in_voice
        face, voice = (felt * script.trace_clarity(plan, times, some)[:, None] for some in chosen)
    nearest = np.searchsorted((truth["frame_time"][1:] + truth["frame_time"][:-1]) / 2, times)
    return face * truth["frame_visible"][nearest, None], voice * script.trace_speech(plan, times)[:, None]


def restore_script(truth: dict[str, np.ndarray], name: str) -> Script:
    """The script by its truth, but for the hidden spans."""
    episodes = Episodes(
        start=truth["episode_start"],
        end=truth["episode_end"],
        turn=truth["episode_turn"],
        level=np.stack([truth[f"episode_{dimension}"] for dimension in script.DIMENSIONS], axis=1),
        region=truth["episode_region"],
        on_face=truth["episode_on_face"],
        in_voice=truth["episode_in_voice"],
    )
    length = float(truth["frame_time"][-1])
    return Script(0, name, length, truth["mood"], episodes, truth["turns"], hidden=np.empty((0, 2)))
