"""Faces with dlib: detection, 68 landmarks, and alignment by eyes and nose to fixed positions."""

import importlib.util
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from common.errors import InputError

LANDMARKS = 68
INNER = np.delete(np.arange(17, LANDMARKS), [60 - 17, 64 - 17])  # IntraFace's 49: no jaw, no inner corners of the mouth
RIGHT_EYE, LEFT_EYE, NOSE_TIP = slice(36, 42), slice(42, 48), 30  # the subject's right is the image's left
# where eye centres and nose tip come to lie in a crop of size 1: upright, with brows and mouth inside
TEMPLATE = np.array([[0.31, 0.37], [0.69, 0.37], [0.50, 0.62]])
SEARCH_HEIGHT = 480  # pixels to which a Tracker scales a frame in which it has to look everywhere
TRACKED_SIZE = 90  # pixels to which it scales the face that it follows: not far above the detector's 80
WINDOW = 0.8  # faces to each side of the last one's centre that it searches


def locate_landmark_file(path: Path | None = None) -> Path:
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


@cache
def _load_detector():
    import dlib

    return dlib.get_frontal_face_detector()


@lru_cache(maxsize=1)
def _load_dlib(model: Path):
    import dlib

    try:
        return _load_detector(), dlib.shape_predictor(str(model))
    except RuntimeError as error:
        raise InputError(f"{model}: is no dlib landmark model ({error}); name another with --landmarks") from error


def find_landmarks(image: np.ndarray, model: Path) -> np.ndarray | None:
    """The 68 landmarks (68, 2), float32 pixels x and y, of the largest face in an RGB image, or None.

    dlib's detector finds faces of 80 pixels and more.
    """
    grey = _to_grey(image)
    found = _load_dlib(Path(model))[0](grey)
    return _fit_landmarks(grey, max(found, key=lambda box: box.area()), model) if found else None


def _to_grey(image: np.ndarray) -> np.ndarray:
    """The detector finds the same faces in it as in colour, in half the time."""
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _fit_landmarks(grey: np.ndarray, box, model: Path) -> np.ndarray:
    """The 68 landmarks (68, 2) of the face in `box`, a dlib.rectangle. Raises InputError for a model of others."""
    shape = _load_dlib(Path(model))[1](grey, box)
    if shape.num_parts != LANDMARKS:
        raise InputError(
            f"{model}: gives {shape.num_parts} landmarks, {LANDMARKS} are expected; name another with --landmarks"
        )
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)


class Tracker:
    """Follows one face through a video: tracker(image) gives its landmarks in each frame, as `find_landmarks`, or None.

    The first frame, and any in which the face is not where it was, is searched as a whole, scaled to a height of at
    most SEARCH_HEIGHT pixels, for the largest face. Otherwise only a window somewhat larger than the last face is
    searched, in which the nearest face counts. Every face was thus detected in its own frame, and another one beside
    it, however large, does not draw the tracker away. `others` is the number of further faces that the last search
    of a whole frame saw.
    """

    def __init__(self, model: Path):
        self.model, self.others = model, 0
        self._last = None  # centre x, y and side of the face in pixels

    def __call__(self, image: np.ndarray) -> np.ndarray | None:
        """The landmarks (68, 2), float32 pixels x and y, of the followed face in an RGB image, or None."""
        import dlib

        box = self._follow(grey := _to_grey(image))
        return None if box is None else _fit_landmarks(grey, dlib.rectangle(*box), self.model)

    def find_box(self, image: np.ndarray) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom, in pixels, of the square around the followed face in an RGB image, or None.

        It may reach beyond the image.
        """
        return self._follow(_to_grey(image))

    def _follow(self, grey: np.ndarray) -> tuple[int, int, int, int] | None:
        self._last = self._search_near(grey) or self._search_everywhere(grey)
        if self._last is None:
            return None
        x, y, side = self._last
        return tuple(round(value) for value in (x - side / 2, y - side / 2, x + side / 2, y + side / 2))

    def _search_near(self, grey: np.ndarray) -> tuple[float, float, float] | None:
        if self._last is None:
            return None
        x, y, side = self._last
        reach = WINDOW * side
        left, top = max(round(x - reach), 0), max(round(y - reach), 0)
        window = grey[top : round(y + reach), left : round(x + reach)]
        found = self._detect(window, TRACKED_SIZE / side)
        found = [(left + dx, top + dy, size) for dx, dy, size in found]
        return min(found, key=lambda face: np.hypot(face[0] - x, face[1] - y), default=None)

    def _search_everywhere(self, grey: np.ndarray) -> tuple[float, float, float] | None:
        found = self._detect(grey, min(1.0, SEARCH_HEIGHT / len(grey)))
        self.others = max(len(found) - 1, 0)
        return max(found, key=lambda face: face[2], default=None)

    def _detect(self, grey: np.ndarray, scale: float) -> list[tuple[float, float, float]]:
        """Centre and side, in the pixels of `grey`, of each face found in it after scaling."""
        import cv2

        scaled = cv2.resize(
            grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        boxes = _load_dlib(Path(self.model))[0](scaled)
        return [(b.center().x / scale, b.center().y / scale, b.width() / scale) for b in boxes]


def fit_alignment(points: np.ndarray, size: int) -> np.ndarray:
    """The similarity transform (2, 3) that brings eyes and nose tip closest to TEMPLATE in a crop of `size` pixels.

    Least squares over the three points: x' = a x - b y + u, y' = b x + a y + v.
    """
    source = np.array([points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0), points[NOSE_TIP]], dtype=float)
    target = TEMPLATE * size
    rows = [row for x, y in source for row in ((x, -y, 1, 0), (y, x, 0, 1))]
    a, b, u, v = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    return np.array([[a, -b, u], [b, a, v]])


def fit_eye_alignment(points: np.ndarray, size: int) -> np.ndarray:
    """The similarity transform (2, 3) that brings the eye centres exactly to TEMPLATE in a crop of `size` pixels.

    wang2017, Section 3.1: faces are aligned "using the locations of eyes".
    """
    right, left = (points[eye].mean(axis=0) @ [1, 1j] for eye in (RIGHT_EYE, LEFT_EYE))
    target = TEMPLATE[:2] * size @ [1, 1j]
    turn = (target[1] - target[0]) / (left - right)
    shift = target[0] - turn * right
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop(image: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Warp `image` by `transform` (2, 3) into a crop (size, size, channels) uint8; outside of the image is black.

    A face that gets smaller is warped to a multiple of the size first and then averaged, so that it does not alias.
    """
    import cv2

    shrink = max(1, round(1 / np.hypot(*transform[0, :2])))
    larger = transform * shrink + [[0, 0, (shrink - 1) / 2]]  # the centre of a block of pixels lies between them
    large = cv2.warpAffine(image, larger, (size * shrink, size * shrink), flags=cv2.INTER_LINEAR)
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
