"""Recordings -> attributes (Sections 3.1 and 3.2): every video frame's face, aligned by the eyes, through the CNN to fc6.

Attributes are cached under the digest of the video, of the CNN and of the settings that shape them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import faces, video
from common.running.corpora import Unusable, extract_all
from datasets import traces

VERSION = 1  # raise when the attributes change for the same settings
TARGETS = ("arousal", "valence")


@dataclass(frozen=True)
class Features:
    """One recording with one label, and one frame, at each of n times.

    time (n,) seconds; attributes (n, fc_units) float32, memory-mapped; found (n,) bool: the frame shows a face;
    labels: time, arousal, valence. faces: an .npy (k, face_size, face_size, 3) uint8 with those of its first clip, one in
    clip_step frames, for `engines`.
    Where no face was found, the attributes are those of the last one found (before the first: the first).
    """

    name: str
    partition: str
    time: np.ndarray
    attributes: np.ndarray
    found: np.ndarray
    labels: object
    faces: Path
    digest: str


def extract(
    recordings: Sequence, reader, settings: dict, cnn: Path, landmarks: Path, cache: Path, jobs: int, threads: int
) -> tuple[list[Features], list[Unusable]]:
    """Features of all `recordings` of the corpus that `reader` reads, in their order, and those that cannot be used."""
    work = partial(load, reader=reader, settings=settings, cnn=cnn, landmarks=landmarks, cache=cache)
    return extract_all(recordings, work, jobs, threads, "recording")


def read_labels(recording, reader):
    """The labels of a recording whose files are all there. Raises InputError."""
    for path in traces.list_missing(recording):
        raise InputError(f"{path}; see `python -m datasets.check`")
    return reader.read_labels(recording)


def load(recording, reader, settings: dict, cnn: Path, landmarks: Path, cache: Path) -> Features:
    """The features of one recording, from the cache or computed into it. Raises InputError."""
    labels = read_labels(recording, reader)
    key = storage.digest(
        [VERSION, storage.digest_file(recording.video), labels.time.tolist(), settings["face_size"]]
        + [storage.digest_file(path) for path in (cnn, landmarks)]
        + [storage.find_version(package) for package in ("av", "dlib-bin")]
    )
    clip = f".{settings['clip_frames']}x{settings['clip_step']}.faces.npy"
    values, rest, faces = (cache / "features" / f"{key}{suffix}" for suffix in (".npy", ".npz", clip))
    if not (values.exists() and rest.exists()):
        attributes, found, kept = extract_attributes(recording.video, labels.time, settings, cnn, landmarks)
        storage.write_npy(values, attributes)
        storage.write_npy(faces, kept)
        storage.write_npz(rest, found=found)
    if not faces.exists():  # of another clip than that of the settings with which the attributes were extracted
        times = labels.time[: settings["clip_frames"] * settings["clip_step"]]
        crops = crop_faces(recording.video, times, settings, landmarks)
        storage.write_npy(faces, keep_faces(crops, settings))
    with np.load(rest, allow_pickle=False) as archive:
        found = archive["found"]
    return Features(
        name=recording.name,
        partition=recording.partition,
        time=labels.time,
        attributes=np.load(values, mmap_mode="r", allow_pickle=False),
        found=found,
        labels=labels,
        faces=faces,
        digest=storage.digest([key, *(getattr(labels, target).tolist() for target in TARGETS)]),
    )


def extract_attributes(
    path: Path, time: np.ndarray, settings: dict, cnn: Path, landmarks: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """fc6 (n, fc_units) float32 of the frames nearest to `time`, whether each shows a face (n,), and Features.faces.

    Raises InputError where no frame shows one.
    """
    from replications.wang2017 import attributes

    found, kept = np.zeros(len(time), bool), []
    length = settings["clip_frames"] * settings["clip_step"]

    def crops() -> Iterator[np.ndarray]:
        for index, crop in crop_faces(path, time, settings, landmarks):
            found[index] = True
            if index < length and index % settings["clip_step"] == 0:
                kept.append((index, crop))
            yield crop

    values = attributes.embed(
        _load_extractor(cnn, tuple(sorted(attributes.select_settings(settings).items()))), crops()
    )
    if not found.any():
        raise InputError(f"{path}: no face found in {len(time)} frames; look at the video, or leave the recording out")
    last = np.maximum(np.cumsum(found) - 1, 0)  # the last face up to each frame, by its place among those found
    return values[last], found, keep_faces(kept, settings)


def crop_faces(path: Path, time: np.ndarray, settings: dict, landmarks: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The number of each of the frames nearest to `time` that shows a face, and the face, aligned by its eyes."""
    size, tracker = settings["face_size"], faces.Tracker(landmarks)
    for index, image in enumerate(video.read_frames_at(path, time)):
        points = tracker(image)
        if points is not None:
            yield index, faces.crop(image, faces.fit_eye_alignment(points, size), size)


def keep_faces(crops: Iterable[tuple[int, np.ndarray]], settings: dict) -> np.ndarray:
    """Features.faces of the numbered faces of a clip."""
    kept = [crop for index, crop in crops if index % settings["clip_step"] == 0]
    return np.array(kept, np.uint8).reshape(-1, settings["face_size"], settings["face_size"], 3)


@lru_cache(maxsize=1)
def _load_extractor(cnn: Path, shape: tuple):
    """The CNN up to fc6; built once for all recordings of a process."""
    from replications.wang2017 import attributes

    return attributes.build_extractor(attributes.restore(cnn, dict(shape)))
