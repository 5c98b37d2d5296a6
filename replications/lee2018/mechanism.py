"""What the paper could not check: does attention fall where affect is shown? Needs the truth of a simulated corpus.

The truth is read here, after training, and by tests; no model sees it. On the `uniform` control the same script is
a sham: affect is shown everywhere and always, so attention has nothing to find and should score chance.
"""

from pathlib import Path

import numpy as np

from replications.lee2018 import features
from replications.lee2018.features import Features

RESAMPLES = 1000
EXAMPLES = 6


def clip_ends(recording: Features, settings: dict) -> np.ndarray:
    """Grid indices (m,) of the last frames of clips that follow each other without overlap."""
    length = settings["clip_frames"] * round(1 / settings["clip_fps"] / features.grid_hop(settings))
    return np.arange(length - 1, len(recording.time), length)


def spatial(recordings: list[Features], attention: list[np.ndarray], settings: dict, truth: Path) -> tuple[dict, dict]:
    """How often the largest spatial attention lies in the region that shows affect, on frames that show it.

    `attention`: for each recording the maps (m, T, S, S, 1) of its `clip_ends`. Chance is the share of the crop
    that the region covers. Returns the numbers (interval: bootstrap over recordings) and example arrays.
    """
    hits, areas, examples = [], [], []
    for recording, maps in zip(recordings, attention, strict=True):
        script = _truth(truth, recording)
        index = features.clip_indices(clip_ends(recording, settings), settings).ravel()
        nearest = np.abs(script["frame_time"][:, None] - recording.time[index]).argmin(axis=0)
        shown = script["frame_salient"][nearest] & script["frame_visible"][nearest] & recording.found[index]
        maps = maps.reshape(-1, *maps.shape[2:4])[shown]
        index, nearest = index[shown], nearest[shown]
        boxes = script["region_box"][nearest, script["frame_region"][nearest]]
        boxes = region_in_crop(boxes, recording.transform[index], maps.shape[-1])
        peak = maps.reshape(len(maps), -1).argmax(axis=1)
        y, x = np.divmod(peak, maps.shape[-1])
        hits.append((x + 0.5 >= boxes[:, 0]) & (x + 0.5 <= boxes[:, 2]) & (y + 0.5 >= boxes[:, 1]) & (y + 0.5 <= boxes[:, 3]))
        areas.append((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / maps.shape[-1] ** 2)
        if len(maps):
            middle = len(maps) // 2
            examples.append((recording.faces[index[middle]], maps[middle] / maps[middle].sum(), boxes[middle]))
    frames = sum(map(len, hits))
    rate = _ratio(np.array([hit.sum() for hit in hits]), np.array([len(hit) for hit in hits]))
    numbers = {**dict(zip(("hit_rate", "interval"), rate)), "chance": float(np.concatenate(areas).mean()), "frames": frames}
    stacked = [np.array(column) for column in zip(*examples[:EXAMPLES])]
    return numbers, dict(zip(("example_frames", "example_attention", "example_region"), stacked))


def temporal(recordings: list[Features], attention: list[np.ndarray], settings: dict, truth: Path) -> tuple[dict, dict]:
    """How well temporal attention ranks the steps inside salient stretches of voice above the others of their clip.

    `attention`: for each recording the weights (m, T, 1) of its `clip_ends`. AUC over all pairs of one salient
    and one other step of the same clip, ties count half; chance is 0.5. Interval: bootstrap over recordings.
    """
    won, pairs, steps, salient_steps, examples = [], [], 0, 0, []
    for recording, weights in zip(recordings, attention, strict=True):
        script = _truth(truth, recording)
        time = recording.time[features.clip_indices(clip_ends(recording, settings), settings)]
        inside = (time[..., None] >= script["voice_start"]) & (time[..., None] <= script["voice_end"])
        salient = inside.any(axis=-1)
        weights = weights[..., 0]
        difference = weights[:, :, None] - weights[:, None, :]  # step of interest, other step
        compared = salient[:, :, None] & ~salient[:, None, :]
        won.append(((difference > 0) + 0.5 * (difference == 0))[compared].sum())
        pairs.append(compared.sum())
        steps += salient.size
        salient_steps += int(salient.sum())
        examples.append((time.ravel(), weights.ravel(), salient.ravel()))
    auc = _ratio(np.array(won), np.array(pairs))
    numbers = {**dict(zip(("auc", "interval"), auc)), "chance": 0.5, "frames": steps, "salient": salient_steps}
    return numbers, dict(zip(("example_time", "example_attention", "example_salient"), examples[0]))


def region_in_crop(boxes: np.ndarray, transforms: np.ndarray, size: int) -> np.ndarray:
    """Boxes (n, 4) x0 y0 x1 y1 in frame pixels -> boxes around their corners in crop pixels, cut at its borders."""
    x0, y0, x1, y1 = boxes.T
    corners = np.stack([np.stack([x0, y0]), np.stack([x1, y0]), np.stack([x0, y1]), np.stack([x1, y1])])  # (4, 2, n)
    moved = np.einsum("nij,cjn->cin", transforms[:, :, :2], corners) + transforms[:, :, 2].T
    low, high = np.clip(moved.min(axis=0), 0, size), np.clip(moved.max(axis=0), 0, size)
    return np.concatenate([low, high]).T


def _truth(root: Path, recording: Features) -> dict[str, np.ndarray]:
    with np.load(root / f"{recording.name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def _ratio(part: np.ndarray, whole: np.ndarray) -> tuple[float, list[float]]:
    """sum(part) / sum(whole) and its 95 % bootstrap interval over recordings."""
    draws = np.random.default_rng(0).integers(len(whole), size=(RESAMPLES, len(whole)))
    ratios = part[draws].sum(axis=1) / np.maximum(whole[draws].sum(axis=1), 1)
    return float(part.sum() / whole.sum()), [float(q) for q in np.quantile(ratios, [0.025, 0.975])]
