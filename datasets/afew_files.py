"""What is in the files of a clip of AFEW: faces and their frames, landmarks, functionals. datasets.afew says where they are."""

import csv
import re
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets.tables import read_lines, read_numbers

POINTS = 49

_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.+)", re.IGNORECASE)


def read_frame_number(face: Path) -> int:
    """The frame of a picture, from 0: 001.jpg is of frame 0. Raises InputError for a name that ends in no number."""
    match = re.fullmatch(r"(?:.*\D)?(\d+)", face.stem)
    if match is None or int(match[1]) < 1:
        raise InputError(f"{face}: the name is no frame number from 001 on; remove the file or restore its name")
    return int(match[1]) - 1


def read_face(path: Path) -> np.ndarray:
    """The RGB picture, (height, width, 3) uint8. Raises InputError."""
    import cv2

    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore it from the distribution") from error
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, a picture that is too large
        picture = None
    if picture is None:
        raise InputError(f"{path}: cannot be read as a picture; restore it from the distribution")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def read_points(clip) -> tuple[np.ndarray, np.ndarray]:
    """The landmarks of an afew.Clip: their frames (n,), from 0, and the points (n, 49, 2) float32, x and y in pixels.

    Three forms are read: a .mat file with one array (n, 49, 2), (49, 2, n) or (n, 98); a .txt file with a row
    x1 y1 ... x49 y49 for each frame, before which its number, from 1, may stand; a folder of .txt files 001.txt, ...,
    each with 49 lines x y. Rows without numbers are the frames of the faces where there are as many of these, else
    the first frames of the clip. Raises InputError for anything else, another number of landmarks and NaN.
    """
    path = clip.points
    if path is None:
        raise InputError(f"{clip.video}: the clip has no points; leave it out")
    read = _read_folder if path.is_dir() else _read_mat if path.suffix == ".mat" else _read_table
    frames, points = read(path)
    with np.errstate(over="ignore"):  # refused in the next line
        points = points.astype(np.float32)
    if not np.isfinite(points).all():
        raise InputError(f"{path}: holds NaN or infinity; restore it from the distribution")
    if frames is None:
        n = len(points)
        frames = np.array([read_frame_number(face) for face in clip.faces]) if n == len(clip.faces) else np.arange(n)
    return frames, points


def read_audio_features(path: Path) -> tuple[str, np.ndarray]:
    """The name and the values (k,) float32 in the ARFF file of a clip: its first attribute, and all others.

    A last attribute that is nominal, or called `class`, is left out. Raises InputError for more or fewer rows than
    one, a row of another width than the header's, and a value that is no number.
    """
    lines = [(number, line.strip()) for number, line in read_lines(path) if not line.lstrip().startswith("%")]
    start = next((i for i, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    attributes = [match.groups() for _, line in lines[:start] if (match := _ATTRIBUTE.fullmatch(line))]
    if start is None or len(attributes) < 2:
        raise InputError(f"{path}: is no ARFF file with attributes and data; restore it from the distribution")
    rows = lines[start + 1 :]
    if len(rows) != 1:
        raise InputError(f"{path}: has {len(rows)} rows, expected 1; restore it from the distribution")
    try:
        fields = next(csv.reader([rows[0][1]], quotechar="'", skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"{path}: is no ARFF file ({error}); restore it from the distribution") from error
    if len(fields) != len(attributes):
        raise InputError(
            f"{path}: the row has {len(fields)} fields, the header {len(attributes)}; restore it from the distribution"
        )
    return fields[0], _convert_values(path, attributes, fields)


def _read_mat(path: Path) -> tuple[None, np.ndarray]:
    from scipy.io import loadmat

    try:
        arrays = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except Exception as error:  # what SciPy raises for broken files has no class in common
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a MATLAB file ({reason}); restore it") from error
    shapes = {
        name: _reshape_points(value) for name, value in arrays.items() if getattr(value, "dtype", None) is not None
    }
    fitting = {name: points for name, ways in shapes.items() for points in ways if points.shape[1] == POINTS}
    if len(fitting) > 1:
        raise InputError(f"{path}: more than one array holds {POINTS} landmarks, {' and '.join(fitting)}; keep one")
    if not fitting:
        found = " or ".join(map(str, sorted({points.shape[1] for ways in shapes.values() for points in ways}))) or "no"
        raise InputError(
            f"{path}: holds {found} landmarks a frame, expected {POINTS}; restore it, or convert it to what datasets/afew.py reads"
        )
    points = next(iter(fitting.values()))
    if not points.size:
        raise InputError(f"{path}: is empty; restore it from the distribution")
    return None, points


def _reshape_points(array: np.ndarray) -> list[np.ndarray]:
    """All that an array (n, k, 2), (k, 2, n), (k, 2) or (n, 2 k) of numbers can be, as (n, k, 2)."""
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        return []
    if array.ndim == 3:
        return [way for way in (array, np.moveaxis(array, 2, 0)) if way.shape[2] == 2]
    if array.ndim != 2:
        return []
    ways = [array.reshape(len(array), array.shape[1] // 2, 2)] if array.shape[1] % 2 == 0 else []
    return ways + ([array[None]] if array.shape[1] == 2 else [])  # MATLAB drops a last axis of one frame


def _read_table(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """The frames, None where they are not written, and the points."""
    lines = _read_fields(path)
    width = lines[0][1].count(" ") + 1
    if width // 2 != POINTS:
        raise InputError(
            f"{path}: line {lines[0][0]} holds {width // 2} landmarks, expected {POINTS}; "
            f"restore it from the distribution"
        )
    columns = ["frame"] * (width % 2) + [f"{axis}{k + 1}" for k in range(POINTS) for axis in "xy"]
    values = read_numbers(path, lines, " ", columns, list(range(width)))
    frames = _number_frames(path, values[:, 0]) if width % 2 else None
    return frames, values[:, width % 2 :].reshape(-1, POINTS, 2)


def _read_folder(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    paths = sorted((path for path in folder.glob("*.txt") if path.name[0] != "."), key=read_frame_number)
    if not paths:
        raise InputError(f"{folder}: holds no .txt file; restore it from the distribution")
    frames = _number_frames(folder, np.array([read_frame_number(path) + 1 for path in paths]))
    return frames, np.array([_read_frame_points(path) for path in paths])


def _number_frames(path: Path, numbers: np.ndarray) -> np.ndarray:
    """Frames from 0 of their numbers from 1, which must increase."""
    frames = numbers.astype(int) - 1
    if (frames + 1 != numbers).any() or frames[0] < 0 or (np.diff(frames) <= 0).any():
        raise InputError(f"{path}: the frame numbers do not increase from 1 on; restore it from the distribution")
    return frames


def _read_frame_points(path: Path) -> np.ndarray:
    lines = _read_fields(path)
    if len(lines) != POINTS:
        raise InputError(f"{path}: holds {len(lines)} landmarks, expected {POINTS}; restore it from the distribution")
    return read_numbers(path, lines, " ", ["x", "y"], [0, 1])


def _read_fields(path: Path) -> list[tuple[int, str]]:
    """The lines of a file, one space between fields that spaces, tabs or commas separate."""
    return [(number, " ".join(line.replace(",", " ").split())) for number, line in read_lines(path)]


def _convert_values(path: Path, attributes: list[tuple[str, str]], fields: list[str]) -> np.ndarray:
    """The numbers in `fields`, without the name at the start and a class at the end."""
    name, kind = attributes[-1]
    end = -1 if kind.startswith("{") or name.strip("'\"").lower() == "class" else None
    try:
        values = np.array(fields[1:end], dtype=np.float32)
    except ValueError as error:
        raise InputError(f"{path}: a value is no number ({error}); restore it from the distribution") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; restore it from the distribution")
    return values
