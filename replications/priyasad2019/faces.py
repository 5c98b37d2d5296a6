"""The faces of a clip (Section 3.3): found, cropped and resized; where there is none the nearest; 20 for each segment.

The paper's detector is a single-shot one with a ResNet body: common.media.ssd, for which the user names two files. Without
them dlib's detector, followed through the clip, stands in. The box is the detector's as it is, cut where the frame
ends, so that the square crop changes its proportions.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import faces, ssd, video

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
ROUNDING = 1e-6  # seconds by which the time of a frame may miss what it stands for


# --------------------------------------------------------------------------------------------------- the detector


def load_detector(
    files: tuple[Path, Path] | None, confidence: float = ssd.CONFIDENCE
) -> Callable[[np.ndarray], Box | None]:
    """What finds the face in the frames of one clip, in turn: the SSD in `files` (prototxt, caffemodel), or dlib's.

    dlib's is loaded with a model of landmarks, which has no part in the box. Raises InputError.
    """
    if files:
        return _ssd(*files, confidence)
    return faces.Tracker(faces.locate_landmark_file()).find_box


_ssd = lru_cache(maxsize=1)(ssd.Detector)  # read once for all clips of a process


def identify_detector(files: tuple[Path, Path] | None, confidence: float = ssd.CONFIDENCE) -> list:
    """Which detector it is: its name, "ssd" or "dlib", and what else its boxes depend on. Raises InputError."""
    if files:
        version = storage.find_version("opencv-python-headless")
        return ["ssd", version, confidence, *(storage.digest_file(Path(file)) for file in files)]
    return ["dlib", storage.find_version("dlib-bin")]


# --------------------------------------------------------------------------------------------------- of a whole span


def crop_span(
    path: Path, start: float, end: float, detect: Callable[[np.ndarray], Box | None], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (n,) in seconds, faces (n, size, size, 3) RGB uint8 and found (n,) bool of the frames in start <= t < end.

    A frame in which detect(image) finds no face has the face of the nearest frame that has one, of two the earlier
    (rule 1); it is not `found`. One frame is held at a time, and what comes after `end` is not read, nor missed.
    Raises InputError for a clip that has no frame there, ends more than video.SLACK before, or shows no face.
    """
    times, crops = [], []
    for time, image in video.read_frames(path):
        if time >= end - ROUNDING:
            break
        if time >= start - ROUNDING:
            times.append(time)
            crops.append(crop(image, detect(image), size))
        ends = time
    else:
        if end - ends > video.SLACK:
            raise InputError(
                f"{path}: its pictures end at {ends:.1f} s, its sound goes on to {end:.1f} s; copy it again"
            )
    found = np.array([face is not None for face in crops], bool)
    if not found.size:
        raise InputError(f"{path}: has no frame where speech was found; copy it again, or leave it out")
    if not found.any():
        raise InputError(f"{path}: no face found in {len(found)} frames; look at the video, or leave it out")
    return np.array(times), np.stack([crops[i] for i in find_nearest(found)]), found


def crop(image: np.ndarray, box: Box | None, size: int) -> np.ndarray | None:
    """What of `box` lies within the image, resized to (size, size, 3); None without a box or where nothing does."""
    import cv2

    left, top, right, bottom = np.maximum(box or (0, 0, 0, 0), 0)
    part = image[top:bottom, left:right]
    if not part.size:
        return None
    shrinks = part.shape[0] * part.shape[1] > size * size
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def find_longest_gap(found: np.ndarray) -> int:
    """The longest run of frames without a face."""
    borders = np.flatnonzero(np.concatenate([[True], found, [True]]))
    return int(np.diff(borders).max() - 1)


def find_nearest(found: np.ndarray) -> np.ndarray:
    """For each frame the index of the nearest one that is `found`, of two the earlier: (n,) int. One has to be."""
    there = np.flatnonzero(found)
    return there[np.abs(np.arange(len(found))[:, None] - there).argmin(axis=1)]


# ------------------------------------------------------------------------------------------------ of each segment


def select_segment_frames(times: np.ndarray, starts: np.ndarray, length: float, wanted: int = 20) -> np.ndarray:
    """For each segment in start <= t < start + length the indices of its frames, brought to `wanted`: (segments, wanted).

    `times` (n,) ascend, as `crop_span` gives them; `starts` (segments,) are seconds of the same clock. A segment without
    any frame has the nearest one's, of two the earlier. ValueError without any frame at all.
    """
    times, starts = np.asarray(times), np.asarray(starts).reshape(-1)
    if not len(times):
        raise ValueError("no frames from which those of segments could be taken")
    first = np.searchsorted(times, starts - ROUNDING)
    last = np.searchsorted(times, starts + length - ROUNDING)
    middles = starts + length / 2
    rows = [
        i + fit(j - i, wanted) if j > i else np.full(wanted, np.abs(times - middle).argmin())
        for i, j, middle in zip(first, last, middles, strict=True)
    ]
    return np.array(rows, int).reshape(-1, wanted)


def fit(count: int, wanted: int = 20) -> np.ndarray:
    """Which of a segment's `count` frames make `wanted`: (wanted,) ascending indices (rules 2 and 3).

    Of a surplus half is cut from the beginning, rounded down, and the rest from the end. What lacks is made up for by
    repeating the first frame and the last in turn, beginning with the first. ValueError without any frame.
    """
    if count < 1:
        raise ValueError("a segment without frames cannot be filled")
    cut = (count - wanted) // 2  # negative: so many of the first frame, one more of an odd number
    return np.clip(np.arange(wanted) + cut, 0, count - 1)
