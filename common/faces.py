"""Faces with dlib: detection, 68 landmarks, and alignment by eyes and nose to fixed positions."""

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np

from common.cli import InputError

LANDMARKS = 68
RIGHT_EYE, LEFT_EYE, NOSE_TIP = slice(36, 42), slice(42, 48), 30  # the subject's right is the image's left
# where eye centres and nose tip come to lie in a crop of size 1: upright, with brows and mouth inside
TEMPLATE = np.array([[0.31, 0.37], [0.69, 0.37], [0.50, 0.62]])


def landmark_file(path: Path | None = None) -> Path:
    """dlib's 68-landmark model: `path`, or the file in the package face-recognition-models. Raises InputError.

    The package is searched without being imported: its import needs pkg_resources, which new machines lack.
    """
    if path is None:
        package = importlib.util.find_spec("face_recognition_models")
        if package is None:
            raise InputError(
                "face-recognition-models is not installed; install requirements.txt or name the model with --landmarks FILE"
            )
        path = Path(package.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; --landmarks names dlib's shape_predictor_68_face_landmarks.dat")
    return Path(path)


@lru_cache(maxsize=1)
def _dlib(model: Path):
    import dlib

    try:
        return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))
    except RuntimeError as error:
        raise InputError(f"{model}: is no dlib landmark model ({error}); name another with --landmarks") from error


def landmarks(image: np.ndarray, model: Path) -> np.ndarray | None:
    """The 68 landmarks (68, 2), float32 pixels x and y, of the largest face in an RGB image, or None.

    dlib's detector finds faces of 80 pixels and more.
    """
    import cv2

    detector, predictor = _dlib(Path(model))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # finds the same faces as colour in half the time
    found = detector(grey)
    if not found:
        return None
    shape = predictor(grey, max(found, key=lambda box: box.area()))
    if shape.num_parts != LANDMARKS:
        raise InputError(
            f"{model}: gives {shape.num_parts} landmarks, {LANDMARKS} are expected; name another with --landmarks"
        )
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)


def alignment(points: np.ndarray, size: int) -> np.ndarray:
    """The similarity transform (2, 3) that brings eyes and nose tip closest to TEMPLATE in a crop of `size` pixels.

    Least squares over the three points: x' = a x - b y + u, y' = b x + a y + v.
    """
    source = np.array([points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0), points[NOSE_TIP]], dtype=float)
    target = TEMPLATE * size
    rows = [row for x, y in source for row in ((x, -y, 1, 0), (y, x, 0, 1))]
    a, b, u, v = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    return np.array([[a, -b, u], [b, a, v]])


def crop(image: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Warp `image` by `transform` (2, 3) into a crop (size, size, channels) uint8; outside of the image is black.

    A face that gets smaller is warped to a multiple of the size first and then averaged, so that it does not alias.
    """
    import cv2

    shrink = max(1, round(1 / np.hypot(*transform[0, :2])))
    larger = transform * shrink + [[0, 0, (shrink - 1) / 2]]  # the centre of a block of pixels lies between them
    large = cv2.warpAffine(image, larger, (size * shrink, size * shrink), flags=cv2.INTER_LINEAR)
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
