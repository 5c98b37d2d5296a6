"""Clips -> sequences (Section 3): the sound's 27 YAAFE features, and each video frame's 49 landmarks and pool5 of its face.

What takes long is cached under the digest of the files and of the settings that shape it; normalisation per clip and
PCA whitening follow on every call.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio, faces, video
from common.networks.moments import Moments
from common.running.corpora import Unusable, extract_all
from datasets import afew, afew_files
from replications.chao2016 import yaafe

VERSION = 1  # raise when the features change for the same settings
FACE_SIZE = 128  # pixels, as the organisers cut them
FITTED_ON = "Train"
NOTHING = 1e-12  # share of the variance below which a component is rounding
CUT = 0.001  # share of the training frames at either end of a feature that is cut before scaling


@dataclass(frozen=True)
class CNN:
    """Where pool5 comes from: a weights file or "random", the settings of the network, the columns that are kept."""

    weights: str
    settings: tuple[tuple[str, object], ...]
    selected: Path  # .npy of indices, named by what it depends on: weights and settings, too


@dataclass(frozen=True)
class Features:
    """One clip of T video frames, 1/25 s apart, and T_a audio frames, 512 samples at 16 kHz apart.

    audio (T_a, 901) float32, after `whiten` (T_a, 50); shape (T, 98) float32, after it (T, 20); appearance
    (T, selected) float32; found (T,) bool: the frame has a face; label: index into afew.CLASSES, or None.
    Where a frame has no face, shape and appearance are those of the last one that has (before the first: the first).
    A clip without any has zeros.
    """

    name: str
    partition: str
    label: int | None
    audio: np.ndarray
    shape: np.ndarray
    appearance: np.ndarray
    found: np.ndarray
    digest: str


def extract(
    clips: Sequence[afew.Clip], settings: dict, cnn: CNN, landmarks: Path, cache: Path, jobs: int, threads: int
) -> tuple[list[Features], list[Unusable]]:
    """Features of all `clips`, in their order, not yet whitened, and the clips that cannot be used."""
    work = partial(load, settings=settings, cnn=cnn, landmarks=landmarks, cache=cache)
    return extract_all(clips, work, jobs, threads, "clip")


def load(clip: afew.Clip, settings: dict, cnn: CNN, landmarks: Path, cache: Path) -> Features:
    """The features of one clip, from the cache or computed into it. Raises InputError."""
    sound_key = storage.digest(
        [VERSION, "sound", storage.digest_file(clip.video), _read_versions("av", "numpy", "scipy")]
    )
    sound_file = cache / "features" / f"{sound_key}.npy"
    if not sound_file.exists():
        sound = extract_sound(clip.video)
        storage.write_npy(sound_file, sound)
    picture_key = storage.digest([VERSION, "picture", *_list_dependencies(clip, settings, cnn, landmarks)])
    values, rest = (cache / "features" / f"{picture_key}{suffix}" for suffix in (".npy", ".npz"))
    if not (values.exists() and rest.exists()):
        appearance, points, found = extract_pictures(clip, settings, cnn, landmarks)
        storage.write_npy(values, appearance)
        storage.write_npz(rest, points=points, found=found)
    with np.load(rest, allow_pickle=False) as archive:
        points, found = archive["points"], archive["found"]
    sound = np.load(sound_file, allow_pickle=False)
    check_length(clip, len(sound), len(points), settings)
    return Features(
        name=clip.name,
        partition=clip.partition,
        label=None if clip.label is None else afew.CLASSES.index(clip.label),
        audio=sound,
        shape=normalise_points(points, settings["landmark_scaling"]),
        appearance=np.load(values, allow_pickle=False),
        found=found,
        digest=storage.digest([sound_key, picture_key, clip.name, clip.label, settings["landmark_scaling"]]),
    )


def _list_dependencies(clip: afew.Clip, settings: dict, cnn: CNN, landmarks: Path) -> list:
    """What the visual features of a clip depend on."""
    files = [clip.video, *clip.faces, *_list_files(clip.points)]
    names = [path.name for path in files]
    seen = [cnn.selected.stem, names, [storage.digest_file(path) for path in files], settings["faces"]]
    seen += _read_versions("opencv-python-headless", "tensorflow", "av")
    if settings["faces"] == "dlib":
        seen += [storage.digest_file(landmarks), *_read_versions("dlib-bin")]
    return seen


def _read_versions(*packages: str) -> list[str]:
    return [storage.find_version(package) for package in packages]


def _list_files(path: Path | None) -> list[Path]:
    if path is None:
        return []
    return sorted(path.iterdir()) if path.is_dir() else [path]


def check_length(clip: afew.Clip, audio_frames: int, frames: int, settings: dict) -> None:
    """Raise InputError for a clip in which there is nothing to align or nothing to normalise, or a part is missing."""
    if frames < 2:
        raise InputError(f"{clip.video}: has {frames} video frame; landmarks are normalised over a clip: leave it out")
    if audio_frames < 2 * settings["window"]:
        raise InputError(
            f"{clip.video}: has {audio_frames} frames of sound, the alignment's window {2 * settings['window']}; "
            f"leave the clip out"
        )
    heard, seen = audio_frames * yaafe.STEP / yaafe.RATE, frames / afew.FPS
    if abs(heard - seen) > video.SLACK:  # aligned by their lengths, they would lie beside each other
        raise InputError(
            f"{clip.video}: has {heard:.1f} s of sound and {seen:.1f} s of picture or faces; "
            f"copy the clip again, or leave it out"
        )


# ------------------------------------------------------------------------------------------------- one clip


def extract_sound(path: Path) -> np.ndarray:
    """YAAFE features (T_a, 901) float32 of a video's sound, resampled to 16 kHz (Section 3.3). Raises InputError."""
    try:
        return yaafe.compute_features(audio.read_from_video(path, yaafe.RATE))
    except ValueError as error:
        raise InputError(f"{path}: {error}; copy the clip again, or leave it out") from error


def extract_pictures(
    clip: afew.Clip, settings: dict, cnn: CNN, landmarks: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Selected pool5 (T, k) float32, points (T, 49, 2) float32 pixels, and which frames have a face (T,).

    Both are 0 in a clip without any face (Sections 3.1 and 3.2). Raises InputError.
    """
    from replications.chao2016 import caffenet

    see = read_provided if settings["faces"] == "provided" else track_faces
    frames, images, point_frames, points = see(clip, landmarks)
    count = max([round(video.measure_duration(clip.video) * afew.FPS), *(frame + 1 for frame in frames)])
    selected = np.load(cnn.selected, allow_pickle=False)
    found = np.isin(np.arange(count), frames)
    if not found.any():
        return np.zeros((count, len(selected)), np.float32), np.zeros((count, len(faces.INNER), 2), np.float32), found
    pooled = caffenet.embed(_build_extractor(cnn.weights, cnn.settings), images)[:, selected]
    return pooled[find_last_known(frames, count)], points[find_last_known(point_frames, count)], found


def read_provided(clip: afew.Clip, _) -> tuple[list[int], Iterable[np.ndarray], np.ndarray, np.ndarray]:
    """The organisers' faces and landmarks: the faces' frames and images, the landmarks' frames and points (n, 49, 2)."""
    if not clip.faces:
        return [], [], np.empty(0, int), np.empty((0, len(faces.INNER), 2), np.float32)
    frames, points = afew_files.read_points(clip)
    return (
        [afew_files.read_frame_number(path) for path in clip.faces],
        map(afew_files.read_face, clip.faces),
        frames,
        points,
    )


def track_faces(clip: afew.Clip, landmarks: Path) -> tuple[list[int], list[np.ndarray], np.ndarray, np.ndarray]:
    """The same from the video alone, with dlib's detector and landmarks, for corpora without those of the organisers."""
    tracker, found, images, shapes = faces.Tracker(landmarks), [], [], []
    for number, (_, image) in enumerate(video.read_frames(clip.video)):
        points = tracker(image)
        if points is not None:
            found.append(number)
            images.append(faces.crop(image, faces.fit_alignment(points, FACE_SIZE), FACE_SIZE))
            shapes.append(points[faces.INNER])
    return found, images, np.array(found, int), np.array(shapes, np.float32).reshape(-1, len(faces.INNER), 2)


def find_last_known(frames: Sequence[int], count: int) -> np.ndarray:
    """For each of `count` frames the place in the ascending `frames` of the last one up to it, or of the first (count,)."""
    return np.maximum(np.searchsorted(frames, np.arange(count), side="right") - 1, 0)


def normalise_points(points: np.ndarray, scaling: str) -> np.ndarray:
    """Landmarks (T, 49, 2) normalised over their clip, as (T, 98) float32 (Section 3.1, ledger 11).

    "z-score": every coordinate has mean 0 and deviation 1 over the clip. "scale": all points are moved by the same
    vector and divided by the same number, so that the clip's mean is 0 and its mean distance from there 1. What does
    not move at all is 0.
    """
    points = points.astype(np.float64)
    if scaling == "z-score":
        deviation = points.std(axis=0)
        points = (points - points.mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1)
    else:
        points = points - points.mean(axis=(0, 1))
        points = points / max(np.linalg.norm(points, axis=-1).mean(), 1e-9)
    return points.reshape(len(points), -1).astype(np.float32)


@lru_cache(maxsize=1)
def _build_extractor(weights: str, settings: tuple):
    """The CNN up to pool5; built once for all clips of a process."""
    from replications.chao2016 import caffenet

    model = caffenet.build_network(dict(settings))
    caffenet.load(model, weights)
    return model


# -------------------------------------------------------------------------------------------- the whole corpus


def whiten(clips: Sequence[Features], settings: dict) -> list[Features]:
    """The clips with `audio` and `shape` PCA-whitened to 50 and 20 dimensions, fitted on the training partition.

    Sections 3.1 and 3.3. Clips without any face keep a `shape` of 0. Raises InputError if the training clips vary in
    fewer dimensions.
    """
    training = [clip for clip in clips if clip.partition == FITTED_ON and clip.found.any()]
    fitted = {"audio": _fit_sound, "shape": _fit_shape}
    if settings["appearance_scaling"] == "z-score":
        fitted["appearance"] = _fit_appearance
    for name, fit in fitted.items():
        frames = np.concatenate([getattr(clip, name) for clip in training]).astype(np.float64)
        change = fit(frames, settings)
        clips = [replace(clip, **{name: _change(clip, name, change)}) for clip in clips]
    return list(clips)


def _change(clip: Features, name: str, change: Callable) -> np.ndarray:
    values = change(getattr(clip, name)).astype(np.float32)
    return values if name == "audio" or clip.found.any() else np.zeros_like(values)


def _fit_sound(frames: np.ndarray, settings: dict) -> Callable:
    """YAAFE features to 50 dimensions. "z-score": each is cut at quantiles of the training frames and scaled first.

    The program's kurtosis reaches 1e20 and more in single frames: with them, neither mean nor deviation say anything.
    """
    if settings["audio_scaling"] == "none":
        return _fit_whitening(frames, settings["audio_dimensions"], "audio")
    low = np.quantile(frames, CUT, axis=0, method="higher")  # at least one frame lies beyond either
    high = np.quantile(frames, 1 - CUT, axis=0, method="lower")
    scale = Moments.of([np.clip(frames, low, high)])
    whitening = _fit_whitening(scale(np.clip(frames, low, high)), settings["audio_dimensions"], "audio")
    return lambda values: whitening(scale(np.clip(values, low, high)))


def _fit_shape(frames: np.ndarray, settings: dict) -> Callable:
    return _fit_whitening(frames, settings["shape_dimensions"], "shape")


def _fit_appearance(frames: np.ndarray, settings: dict) -> Callable:
    return Moments.of([frames])


def _fit_whitening(frames: np.ndarray, size: int, name: str) -> Callable:
    from sklearn.decomposition import PCA

    pca = PCA(min(size, len(frames)), whiten=True, svd_solver="covariance_eigh").fit(frames)
    varied = int((pca.explained_variance_ratio_ > NOTHING).sum())
    if varied < size:
        raise InputError(
            f"setting {name}_dimensions: {size} is not accepted; give at most {varied}, what the training frames vary in"
        )
    return pca.transform
