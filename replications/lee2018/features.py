"""Recordings -> arrays: eGeMAPS windows (Section 2.1.1) and aligned faces (Section 3.2) on one time grid.

Both streams are sampled on the grid from which clips of `clip_frames` at `clip_fps` can end at every scored
instant. Features are cached under the digest of the media file and of the settings that shape them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import gcd
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio, faces, video
from common.running.corpora import Unusable, extract_all
from datasets import avec2017, sewa

VERSION = 2  # raise when the features change for the same settings
AUDIO_SETTINGS = ("audio_rate", "resample", "egemaps", "audio_window", "audio_functionals", "clip_fps", "score_hop")
VIDEO_SETTINGS = ("crop_size", "clip_fps", "score_hop")


@dataclass(frozen=True)
class Features:
    """One recording on its time grid of n instants.

    time (n,) seconds; audio (n, 88) float32; faces (n, S, S, 3) uint8, memory-mapped; found (n,) bool: a face was
    detected; transform (n, 2, 3): frame -> crop; labels: the gold standard.
    Where no face was found, faces and transform repeat the last one found (before the first: the first).
    """

    name: str
    partition: str
    time: np.ndarray
    audio: np.ndarray
    faces: np.ndarray
    found: np.ndarray
    transform: np.ndarray
    labels: sewa.Labels
    digest: str


def choose_grid_hop(settings: dict) -> float:
    """The greatest step, in seconds, of which frame spacing and score hop are whole multiples (0.05 for 0.25 and 0.1)."""
    spacing = 1 / Fraction(settings["clip_fps"]).limit_denominator(1000)
    hop = Fraction(settings["score_hop"]).limit_denominator(1000)
    denominator = spacing.denominator * hop.denominator
    return gcd(int(spacing * denominator), int(hop * denominator)) / denominator


def extract(
    recordings: Sequence[avec2017.Recording], settings: dict, landmarks: Path, cache: Path, jobs: int, threads: int
) -> tuple[list[Features], list[Unusable]]:
    """Features of all `recordings`, in their order, and those that cannot be used."""
    work = partial(load, settings=settings, landmarks=landmarks, cache=cache)
    return extract_all(recordings, work, jobs, threads, "recording")


def load(recording: avec2017.Recording, settings: dict, landmarks: Path, cache: Path) -> Features:
    """The features of one recording, from the cache or computed into it. Raises InputError."""
    for path in avec2017.list_missing(recording):
        raise InputError(f"{path}; see `python -m datasets.check`")
    labels = sewa.read_labels(recording.labels)
    hop = choose_grid_hop(settings)
    time = np.arange(round(labels.time[-1] / hop) + 1) * hop
    media = {"audio": storage.digest_file(recording.audio), "video": storage.digest_file(recording.video)}
    ends = round(float(labels.time[-1]), 3)
    audio_key = storage.digest(
        [VERSION, "audio", media["audio"], ends, storage.find_version("opensmile")]
        + [settings[name] for name in AUDIO_SETTINGS]
    )
    video_key = storage.digest(
        [VERSION, "video", media["video"], ends, storage.digest_file(landmarks), storage.find_version("av")]
        + [settings[name] for name in VIDEO_SETTINGS]
    )
    audio_file = cache / "features" / f"{audio_key}.npy"
    faces_file = cache / "features" / f"{video_key}.npy"
    found_file = faces_file.with_suffix(".npz")
    if not audio_file.exists():
        storage.write_npy(audio_file, extract_audio(recording.audio, time, settings))
    if not (found_file.exists() and faces_file.exists()):
        crops, found, transform = extract_faces(recording.video, time, landmarks, settings["crop_size"])
        storage.write_npy(faces_file, crops)
        storage.write_npz(found_file, found=found, transform=transform)
    with np.load(found_file, allow_pickle=False) as archive:
        found, transform = archive["found"], archive["transform"]
    return Features(
        name=recording.name,
        partition=recording.partition,
        time=time,
        audio=np.load(audio_file, allow_pickle=False),
        faces=np.load(faces_file, mmap_mode="r", allow_pickle=False),
        found=found,
        transform=transform,
        labels=labels,
        digest=storage.digest([audio_key, video_key, storage.digest_file(recording.labels)]),
    )


def extract_audio(path: Path, time: np.ndarray, settings: dict) -> np.ndarray:
    """eGeMAPS functionals in windows centred on each instant and cut off at the ends: (n, 88) float32."""
    signal = audio.read(path, settings["audio_rate"], settings["resample"])
    end = len(signal) / settings["audio_rate"]
    if time[-1] > end + 1:
        raise InputError(
            f"{path}: lasts {end:.1f} s, its labels {time[-1]:.1f} s; it looks truncated, copy it again from the distribution"
        )
    half = settings["audio_window"] / 2
    windows = np.stack([np.maximum(time - half, 0), np.minimum(time + half, end)], axis=1)
    try:
        return audio.extract_egemaps(
            signal, settings["audio_rate"], windows, settings["egemaps"], settings["audio_functionals"]
        )
    except ValueError as error:
        raise InputError(
            f"{path}: {error}; the signal lasts {end:.1f} s, --set audio_window={settings['audio_window']:g}"
        ) from error


def extract_faces(
    path: Path, time: np.ndarray, landmarks: Path, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aligned faces (n, S, S, 3) uint8, whether one was found (n,), and the transforms (n, 2, 3).

    Raises InputError when no face is found in any frame.
    """
    crops = np.zeros((len(time), size, size, 3), np.uint8)
    transforms = np.zeros((len(time), 2, 3))
    found = np.zeros(len(time), bool)
    for index, image in enumerate(video.read_frames_at(path, time)):
        points = faces.find_landmarks(image, landmarks)
        if points is not None:
            found[index] = True
            transforms[index] = faces.fit_alignment(points, size)
            crops[index] = faces.crop(image, transforms[index], size)
    if not found.any():
        raise InputError(
            f"{path}: no face found in {len(time)} frames; look at the video, or try another --landmarks model"
        )
    last = find_last_found(found)
    return crops[last], found, transforms[last]


def find_last_found(found: np.ndarray) -> np.ndarray:
    """For each index of `found` (n,) the last index up to it with a face; before the first face, that one."""
    last = np.maximum.accumulate(np.where(found, np.arange(len(found)), -1))
    return np.where(last < 0, np.argmax(found), last)


def index_clips(end: np.ndarray, settings: dict) -> np.ndarray:
    """Grid indices (m, clip_frames) of the clips whose last frames stand at grid indices `end` (m,).

    A clip that would begin before the recording repeats its first frame.
    """
    step = round(1 / settings["clip_fps"] / choose_grid_hop(settings))
    back = np.arange(settings["clip_frames"] - 1, -1, -1) * step
    return np.maximum(np.asarray(end)[:, None] - back, 0)


def select_training_clips(features: Features, settings: dict) -> np.ndarray:
    """Grid indices (m,) of the last frames of the whole clips of a recording, `clip_stride` frames apart.

    Clips whose last frame shows no face are left out: they have no frame that the label belongs to.
    """
    step = round(1 / settings["clip_fps"] / choose_grid_hop(settings))
    ends = np.arange((settings["clip_frames"] - 1) * step, len(features.time), settings["clip_stride"] * step)
    return ends[features.found[ends]]


def select_scored_instants(features: Features, settings: dict) -> np.ndarray:
    """Grid indices (m,) of the instants at which a recording is scored, `score_hop` apart."""
    return np.arange(0, len(features.time), round(settings["score_hop"] / choose_grid_hop(settings)))


def interpolate_gold(features: Features, target: str, index: np.ndarray, delay: float = 0.0) -> np.ndarray:
    """The label of `target` at grid indices, interpolated between labels; `delay` seconds later than the frame."""
    return np.interp(features.time[index] + delay, features.labels.time, getattr(features.labels, target))


def fill_dropped(prediction: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Section 3.1: scores of frames without a face are interpolated from adjacent frames. Both (m,)."""
    index = np.arange(len(prediction))
    if not found.any():
        return prediction  # faces stand only between scored instants
    return np.interp(index, index[found], prediction[found])
