"""What the paper could not check: does attention fall where affect is shown? Needs the truth of a simulated corpus.

The truth is read here, after training, and by tests; no model sees it. On the `uniform` control the same script is
a sham: affect is shown everywhere and always, so there is nothing to find, and attention scores what the structure
of faces and speech alone gives.
"""

from pathlib import Path

import numpy as np

from common.evidence.bootstrap import bootstrap_ratio
from datasets import avec2017
from datasets.simulated.truth import read_truth
from replications.lee2018 import features
from replications.lee2018.features import Features

EXAMPLES = 6


def find_clip_ends(recording: Features, settings: dict) -> np.ndarray:
    """Grid indices (m,) of the last frames of clips that follow each other without overlap."""
    length = settings["clip_frames"] * round(1 / settings["clip_fps"] / features.choose_grid_hop(settings))
    return np.arange(length - 1, len(recording.time), length)


def measure_spatial(
    recordings: list[Features], attention: list[np.ndarray], settings: dict, truth: Path
) -> tuple[dict, dict]:
    """How often the largest spatial attention lies in the region that shows affect clearly, on frames that do.

    `attention`: for each recording the maps (m, T, S, S, 1) of its `find_clip_ends`. Chance is how often the same peaks
    lie in the other region, where affect is shown weakly: a network that always looks at the mouth hits both alike.
    Returns the numbers (interval: bootstrap over recordings) and example arrays.
    """
    hits, chances, examples = [], [], []
    for recording, maps in zip(recordings, attention, strict=True):
        script = read_truth(truth, recording.name)
        index = features.index_clips(find_clip_ends(recording, settings), settings).ravel()
        nearest = np.abs(script["frame_time"][:, None] - recording.time[index]).argmin(axis=0)
        shown = script["frame_salient"][nearest] & script["frame_visible"][nearest] & recording.found[index]
        maps = maps.reshape(-1, *maps.shape[2:4])[shown]
        index, nearest = index[shown], nearest[shown]
        size = maps.shape[-1]
        peaks = np.stack(
            np.divmod(maps.reshape(-1, size * size).argmax(axis=1), size)[::-1], axis=1
        )  # x, y; pixel centres are whole numbers
        region = script["frame_region"][nearest]
        boxes, others = (
            map_region(script["region_box"][nearest, which], recording.transform[index], size)
            for which in (region, 1 - region)
        )
        hits.append(_lie_inside(peaks, boxes))
        chances.append(_lie_inside(peaks, others))
        if len(maps):
            middle = len(maps) // 2
            examples.append((recording.faces[index[middle]], maps[middle] / maps[middle].sum(), boxes[middle]))
    frames = sum(map(len, hits))
    rate = bootstrap_ratio(np.array([hit.sum() for hit in hits]), np.array([len(hit) for hit in hits]))
    numbers = {
        **dict(zip(("hit_rate", "interval"), rate)),
        "chance": float(np.concatenate(chances).mean()) if frames else None,
        "frames": frames,
    }
    stacked = [np.array(column) for column in zip(*examples[:EXAMPLES])]
    return numbers, dict(zip(("example_frames", "example_attention", "example_region"), stacked))


def measure_temporal(
    recordings: list[Features], attention: list[np.ndarray], settings: dict, truth: Path
) -> tuple[dict, dict]:
    """How well temporal attention ranks the steps inside salient stretches of voice above the others of their clip.

    `attention`: for each recording the weights (m, T, 1) of its `find_clip_ends`. AUC over all pairs of one salient
    and one other step of the same clip, ties count half; chance is 0.5. Only steps in the turns of the recorded
    person are compared: salient stretches lie there, and telling speech from silence is no merit. Interval:
    bootstrap over recordings.
    """
    won, pairs, steps, salient_steps, examples = [], [], 0, 0, []
    for recording, weights in zip(recordings, attention, strict=True):
        script = read_truth(truth, recording.name)
        time = recording.time[features.index_clips(find_clip_ends(recording, settings), settings)]
        salient = _lie_within(time, script["voice_start"], script["voice_end"])
        speaking = _lie_within(time, *avec2017.read_turns(truth.parent / "turns" / f"{recording.name}.csv").T)
        weights = weights[..., 0]
        difference = weights[:, :, None] - weights[:, None, :]  # step of interest, other step
        compared = (salient & speaking)[:, :, None] & (speaking & ~salient)[:, None, :]
        won.append(((difference > 0) + 0.5 * (difference == 0))[compared].sum())
        pairs.append(compared.sum())
        steps += int(speaking.sum())
        salient_steps += int((salient & speaking).sum())
        examples.append((time.ravel(), weights.ravel(), salient.ravel()))
    auc = bootstrap_ratio(np.array(won), np.array(pairs))
    numbers = {**dict(zip(("auc", "interval"), auc)), "chance": 0.5, "frames": steps, "salient": salient_steps}
    return numbers, dict(zip(("example_time", "example_attention", "example_salient"), examples[0]))


def map_region(boxes: np.ndarray, transforms: np.ndarray, size: int) -> np.ndarray:
    """Boxes (n, 4) x0 y0 x1 y1 in frame pixels -> boxes around their corners in crop pixels, cut at its borders."""
    x0, y0, x1, y1 = boxes.T
    corners = np.stack([np.stack([x0, y0]), np.stack([x1, y0]), np.stack([x0, y1]), np.stack([x1, y1])])  # (4, 2, n)
    moved = np.einsum("nij,cjn->cin", transforms[:, :, :2], corners) + transforms[:, :, 2].T
    low, high = (np.clip(edge, -0.5, size - 0.5) for edge in (moved.min(axis=0), moved.max(axis=0)))
    return np.concatenate([low, high]).T


def _lie_inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) x y lie in their boxes (n, 4)."""
    return ((points >= boxes[:, :2]) & (points < boxes[:, 2:])).all(axis=1)


def _lie_within(time: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether each time lies in one of the spans start..end."""
    return ((time[..., None] >= start) & (time[..., None] <= end)).any(axis=-1)
