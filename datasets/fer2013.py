"""FER2013 (Goodfellow et al. 2013): 35,887 grey faces of 48 x 48 pixels, each with one of seven expressions.

Layout as distributed, one file with a header and a row for each face, its 2304 pixels row by row:

    fer2013.csv:  emotion,pixels,Usage
                  0,70 80 82 ... 106 109 82,Training

In some copies the pixels stand in quotation marks.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import layout

FILE = "fer2013.csv"
SIZE = 48  # pixels, wide and high
CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
COUNTS = (4953, 547, 5121, 8989, 6077, 4002, 6198)  # Section 4.1 of Wang and Hsu 2017, in the order of CLASSES
USAGES = {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
HEADER = ["emotion", "pixels", "Usage"]
ACCESS = (
    "FER2013 is the data of Kaggle's competition challenges-in-representation-learning-facial-expression-recognition-"
    "challenge: accept its rules there and download fer2013.csv; `--corpus simulated` needs nothing"
)


@dataclass(frozen=True)
class Fer2013:
    """`images` (n, 48, 48) uint8; `labels` (n,), indices into CLASSES; `usage` (n,), names from USAGES."""

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray


def locate(path: Path) -> Path:
    """The csv: `path` itself, or fer2013.csv in the folder `path`. Raises InputError."""
    layout.refuse_partial(Path(path))
    path = Path(path) / FILE if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; {ACCESS}")
    return path


def read(path: Path) -> Fer2013:
    """All faces of the csv, or of the folder that holds it.

    Raises InputError for another header, no rows, a row with more or fewer than 2304 pixels, and for an expression, a
    pixel or a usage that does not exist.
    """
    path = locate(path)
    images, labels, usage = [], [], []
    try:
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # NumPy's word for a pixel that is no number
            if _split_fields(file.readline()) != HEADER:
                raise InputError(f"{path}: line 1 is not {','.join(HEADER)}; restore the file from the distribution")
            for number, line in enumerate(file, 2):
                if not line.strip():
                    continue
                label, image, kind = _read_face(_split_fields(line), f"{path}: line {number}")
                labels.append(label)
                images.append(image)
                usage.append(kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable or copy it again") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no table of text ({error}); restore it from the distribution") from error
    if not images:
        raise InputError(f"{path}: is empty below its header; restore it from the distribution")
    return Fer2013(np.array(images), np.array(labels), np.array(usage))


def _split_fields(line: str) -> list[str]:
    """No field has a comma in it, so this is a csv row, in half the time that Python's csv takes."""
    return line.strip().replace('"', "").split(",")


def _read_face(row: list[str], where: str) -> tuple[int, np.ndarray, str]:
    if len(row) != len(HEADER):
        raise InputError(f"{where} has {len(row)} fields, expected {','.join(HEADER)}; restore the file")
    emotion, text, usage = row
    if emotion not in map(str, range(len(CLASSES))):
        raise InputError(f"{where}: emotion '{emotion}' is none of 0 to {len(CLASSES) - 1}; restore the file")
    if usage not in USAGES:
        raise InputError(f"{where}: usage '{usage}' is none of {', '.join(USAGES)}; restore the file")
    try:
        pixels = np.fromstring(text, int, sep=" ")
    except (ValueError, DeprecationWarning):
        raise InputError(f"{where}: the pixels are not whole numbers; restore the file") from None
    if len(pixels) != SIZE**2:
        raise InputError(f"{where} has {len(pixels)} pixels, expected {SIZE**2}; restore the file")
    if pixels.min() < 0 or pixels.max() > 255:
        raise InputError(f"{where}: a pixel lies outside 0 to 255; restore the file")
    return int(emotion), pixels.reshape(SIZE, SIZE).astype(np.uint8), usage


def read_simulation(path: Path) -> dict | None:
    """What the simulator noted of itself beside the csv, or None for the real data. Raises InputError."""
    return layout.read_marker(locate(path).parent, images=int)


def count(path: Path) -> dict[str, int]:
    """Usage -> number of faces. Raises InputError."""
    faces = read(path)
    return {usage: int(np.sum(faces.usage == usage)) for usage in USAGES}


def check(path: Path) -> list[str]:
    """What differs from the published counts, one line each; empty for the whole data. Raises InputError."""
    made, faces = read_simulation(path), read(path)
    if made:
        pairs = [("images", len(faces.labels), made["images"])]
    else:
        pairs = [(usage, int(np.sum(faces.usage == usage)), total) for usage, total in USAGES.items()]
        pairs += [(name, int(np.sum(faces.labels == i)), COUNTS[i]) for i, name in enumerate(CLASSES)]
    return [
        f"{locate(path)}: {found} of {what}, expected {expected}"
        for what, found, expected in pairs
        if found != expected
    ]
