"""What the paper shows by examples (Section 4.2), measured: where alignment and perception attention look.

Against the truth of a simulated corpus: does the alignment find by how much sound and picture are apart, does the
attention of an emotion lie on the moments that show it? The truth is read here, after training; no model sees it. On
the `uniform` control, where emotion is shown all the time, the same moments are a sham. The drift of the alignment
needs no truth: it follows from the two frame rates.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.evidence.bootstrap import bootstrap_ratio
from datasets import afew
from datasets.simulated.truth import read_truth
from replications.chao2016 import yaafe
from replications.chao2016.features import Features

NEUTRAL = afew.CLASSES.index("Neutral")  # its episodes show nothing


def measure(clips: Sequence[Features], alignments: Sequence, attentions: Sequence, settings: dict, truth: Path) -> dict:
    """All measures over `clips` with a face; alignments (T, 2w) and attentions (emotions, T) of each.

    Those that need the truth are left out where the folder `truth` does not exist.
    """
    found = {"drift": measure_drift(clips, alignments, settings)}
    if truth.is_dir():
        scripts = [read_truth(truth, clip.name, "frame_salient", "episode_in_voice", "offset") for clip in clips]
        found["synchrony"] = measure_synchrony(clips, alignments, settings, scripts)
        found["perception"] = measure_perception(clips, attentions, scripts)
    return found


def find_windows(clip: Features, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """As layers.Alignment has them: the first audio frame of each window (T,), and by how much p_t was rounded (T,).

    The second is the part of an audio frame that rounding has taken away; NaN where the window was moved from an end.
    """
    steps, audio_steps, w = len(clip.shape), len(clip.audio), settings["window"]
    exact = np.arange(steps) * audio_steps / steps
    centre = np.floor(exact + (0.5 if settings["coarse"] == "nearest" else 0)).astype(int)
    inside = (centre >= w) & (centre <= audio_steps - w)
    return np.clip(centre, w, audio_steps - w) - w, np.where(inside, exact - centre, np.nan)


def measure_drift(clips: Sequence[Features], alignments: Sequence[np.ndarray], settings: dict) -> dict:
    """Slope of the attended place in the window on the part of an audio frame that rounding p_t took away.

    Figure 2 shows attention that moves through the window and starts again. An alignment that keeps one distance in
    time does so: with 31.25 audio and 25 video frames a second the remainder grows by 0.25 a step, and the place with
    it, a slope of 1. Attention that does not move has 0. Least squares within clips, interval over clips.
    """
    shared, spread = [], []
    for clip, weights in zip(clips, alignments, strict=True):
        remainder = find_windows(clip, settings)[1]
        inside = np.isfinite(remainder)
        place, remainder = (weights @ np.arange(weights.shape[1]))[inside], remainder[inside]
        if len(place):
            remainder = remainder - remainder.mean()
            shared.append(remainder @ place)
            spread.append(remainder @ remainder)
    slope, interval = bootstrap_ratio(np.array(shared), np.array(spread))
    return {"slope": slope, "interval": interval, "predicted": 1.0, "frames": sum(len(clip.shape) for clip in clips)}


def measure_synchrony(
    clips: Sequence[Features], alignments: Sequence[np.ndarray], settings: dict, scripts: Sequence[dict]
) -> dict:
    """Seconds by which the attended sound lies behind the picture, against those by which the simulation put it there.

    The centre of the attention in time less the instant of the video frame: mean over the frames that show emotion
    and a face, of clips whose voice shows it as well: in the others there is nothing to be in time with. `even` is what
    equal weights give, `reach` what the first and the last place of the window alone give, beyond which no weights come; `error_frames` is the error in audio frames.
    """
    offsets, places, counts, planted = [], [], [], []
    for clip, weights, script in zip(clips, alignments, scripts, strict=True):
        first, _ = find_windows(clip, settings)
        instants = yaafe.compute_times(len(clip.audio))[first[:, None] + np.arange(weights.shape[1])]  # (T, 2w)
        behind = instants - np.arange(len(clip.shape))[:, None] / afew.FPS
        shown = match_frames(script["frame_salient"], clip) & clip.found & (clip.label != NEUTRAL)
        shown &= script["episode_in_voice"].all()
        offsets.append((weights * behind)[shown].sum())
        places.append(behind[shown].sum(axis=0))
        counts.append(shown.sum())
        planted.append(float(script["offset"]))
    offset, interval = bootstrap_ratio(np.array(offsets), np.array(counts))
    true = float(np.mean(planted)) if planted else None
    each = None if offset is None else np.sum(places, axis=0) / np.sum(counts)  # place in the window -> seconds
    hop = yaafe.STEP / yaafe.RATE
    return {
        "offset": offset,
        "interval": interval,
        "planted": true,
        "even": None if offset is None else float(each.mean()),
        "reach": None if offset is None else [float(each[0]), float(each[-1])],
        "error_frames": None if offset is None else (offset - true) / hop,
        "frames": int(np.sum(counts)),
    }


def measure_perception(clips: Sequence[Features], attentions: Sequence[np.ndarray], scripts: Sequence[dict]) -> dict:
    """How well the attention of a clip's true emotion ranks the frames of salient episodes above the clip's others.

    AUC over all pairs of one salient and one other frame of the same clip, both with a face; ties count half; chance
    is 0.5. `after` is the same for the frames behind the last episode against those before the first one: what is
    weighed are states of an LSTM, which know of an episode only from then on. Neutral clips and those that show their
    emotion by the voice alone are left out: nothing is salient in their frames. Interval over clips.
    """
    counted, after, frames, salient_frames = [], [], 0, 0
    for clip, attention, script in zip(clips, attentions, scripts, strict=True):
        salient = match_frames(script["frame_salient"], clip)
        if clip.label in (None, NEUTRAL) or not salient.any():
            continue
        weights, number, shown = attention[clip.label], np.arange(len(salient)), np.flatnonzero(salient)
        inside, outside, behind, before = (
            weights[which & clip.found] for which in (salient, ~salient, number > shown[-1], number < shown[0])
        )
        counted.append(_count_won(inside, outside))
        after.append(_count_won(behind, before))
        frames += len(inside) + len(outside)
        salient_frames += len(inside)
    auc, interval = _compute_auc(counted)
    found = {"auc": auc, "interval": interval, "chance": 0.5, "frames": frames, "salient": salient_frames}
    return found | {"after": _compute_auc(after)[0]}


def _count_won(high: np.ndarray, low: np.ndarray) -> tuple[float, int]:
    """In how many pairs of one of each the first is the larger, and how many there are."""
    difference = high[:, None] - low[None]
    return ((difference > 0) + 0.5 * (difference == 0)).sum(), difference.size


def _compute_auc(counted: list[tuple[float, int]]) -> tuple[float | None, list[float] | None]:
    return bootstrap_ratio(*np.array(counted).T) if counted else (None, None)


def match_frames(values: np.ndarray, clip: Features) -> np.ndarray:
    """Truth by video frame (f,) for the clip's T frames: the container may count one more or less."""
    return values[np.minimum(np.arange(len(clip.shape)), len(values) - 1)]
