"""AFEW 5.0, the clips of EmotiW 2015: one to six seconds of a film each, at 25 fps, with one of seven emotions.

Layout as distributed; archives nest folders of one name, so that faces, points and features are looked for:

    Train_AFEW/Angry/000046280.avi                                          also Train/
    Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000046280/001.jpg           128 x 128, of frame 1, the first
    Train_AFEW/AlignedFaces_LBPTOP_Points/Points/000046280.mat
    Train/Train_Audio_Feat/Train/Angry/000046280.arff                       functionals of openSMILE
    Val_AFEW/..., Val/Val_Audio_Feat/ExpressionWise/...                     also Val/
    Test_AFEW/000046280.avi, Test/Test_Audio_Feat/Test/000046280.arff       also Test_Vid_Distr/ and Test/; no classes

Some copies call the folder of the faces Train_Aligned_Faces, some sort faces and points by class. LBPTOP/ is not read.
The format of the points is published nowhere that we know of: the organisers tracked 49 landmarks. Here a clip has
a .mat file, a .txt file with a row for each frame, or a folder of .txt files, see `read_points`; that is our reading.
"""

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets.avec2012 import find
from datasets.avec2017 import attempt
from datasets.tables import read_lines, read_numbers

CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
PARTITIONS = ("Train", "Val", "Test")
COUNTS = {"Train": 723, "Val": 383, "Test": 539}  # clips of AFEW 5.0; of other years' there are more
FPS = 25
POINTS = 49
MARKER = "simulated.json"
ACCESS = (
    "AFEW is licensed: sign the end-user agreement of the EmotiW challenge (sites.google.com/site/emotiwchallenge) "
    "and ask its organisers for the data of 2015, AFEW 5.0; `--corpus simulated` needs nothing"
)

FOLDERS = {
    "Train": ("Train_AFEW", "Train"),
    "Val": ("Val_AFEW", "Val"),
    "Test": ("Test_AFEW", "Test_Vid_Distr", "Test"),
}
DEPTH = 4  # folders below a partition's in which anything is looked for

_KINDS = {
    "faces": re.compile(r"Faces|\w+_Aligned_Faces"),
    "points": re.compile("Points"),
    "audio features": re.compile(r"\w+_Audio_Feat"),
    "LBP-TOP": re.compile("LBPTOP"),
}
_SUFFIXES = {"faces": (), "points": (".mat", ".txt"), "audio features": (".arff",)}  # faces lie in folders only
_PICTURES = (".jpg", ".jpeg", ".png")
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Clip:
    """One clip. `name` is "Train/000046280", since partitions share names; `faces` are in the order of the frames.

    `label` is one of CLASSES, None in a test partition without classes. `points` and `audio_features` are None, and
    `faces` empty, where the copy has none of the clip.
    """

    name: str
    partition: str
    video: Path
    label: str | None
    faces: tuple[Path, ...]
    points: Path | None
    audio_features: Path | None


def recordings(root: Path) -> list[Clip]:
    """All clips, in the order of PARTITIONS, then of their names.

    Raises InputError when `root` is not this corpus, has no clip for training or validation, has a clip in two
    classes or in none, and for a picture of a face that has no frame number or that of another one.
    """
    clips, errors, _ = _scan(root)
    if errors:
        raise InputError(errors[0])
    for partition, total in expected(root).items():
        if total and partition != "Test" and not any(clip.partition == partition for clip in clips):
            raise InputError(
                f"{root}: no clips of the partition {partition}; see `python -m datasets.check afew {root}`"
            )
    return clips


def expected(root: Path) -> dict[str, int]:
    """Partition -> number of clips: the challenge's, or those that the simulator noted."""
    made = simulation(root)
    return {partition: made[partition.lower()] for partition in PARTITIONS} if made else COUNTS


def locate(root: Path) -> Path:
    """`root`, or the folder just below it, that holds the partitions. Raises InputError."""
    patterns = [f"{name}/" for names in FOLDERS.values() for name in names]
    return find(root, patterns, f"AFEW (Train_AFEW/ or Train/, Val_AFEW/ or Val/, none of them is there); {ACCESS}")


def simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return read_marker(locate(root), PARTITIONS)


def read_marker(folder: Path, partitions: tuple[str, ...]) -> dict | None:
    """The marker of a simulated corpus in `folder`, with the size of each partition. Raises InputError."""
    marker = folder / MARKER
    if not marker.exists():
        return None
    try:
        made = json.loads(marker.read_text(encoding="utf-8"))
        return made | {partition.lower(): int(made[partition.lower()]) for partition in partitions}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{marker}: cannot be read; delete the corpus and let it be simulated again") from error


def frame_of(face: Path) -> int:
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


def read_points(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """The landmarks of a clip: their frames (n,), from 0, and the points (n, 49, 2) float32, x and y in pixels.

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
        frames = np.array([frame_of(face) for face in clip.faces]) if n == len(clip.faces) else np.arange(n)
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
    return fields[0], _values(path, attributes, fields)


def read_test_labels(path: Path) -> dict[str, str]:
    """Clip (without its partition) -> class, from a text file with a line `000046280,Angry` or `000046280 Angry` each.

    A header may come first. Raises InputError for another form, a class that does not exist and a clip that comes twice.
    """
    labels = {}
    for i, (number, line) in enumerate(read_lines(path)):
        fields = re.split(r"[\s,;]+", line.strip())
        if i == 0 and fields[-1] not in CLASSES and not re.search(r"\d", line):
            continue  # a header
        if len(fields) != 2:
            raise InputError(f"{path}: line {number} has {len(fields)} fields, expected a clip and its class; mend it")
        name, label = fields[0].removesuffix(".avi"), fields[1]
        if label not in CLASSES:
            raise InputError(f"{path}: line {number}: '{label}' is none of {', '.join(CLASSES)}; mend it")
        if name in labels:
            raise InputError(f"{path}: line {number}: clip {name} comes twice; keep one of its lines")
        labels[name] = label
    if not labels:
        raise InputError(f"{path}: is empty below its header; write a line for each clip of the test partition")
    return labels


def count(root: Path) -> dict[str, int]:
    """Number of clips of each partition, and of those without a face."""
    clips, _, _ = _scan(root)
    totals = {f"{partition} clips": sum(clip.partition == partition for clip in clips) for partition in PARTITIONS}
    return totals | {"clips without a face": sum(not clip.faces for clip in clips)}


def check(root: Path) -> list[str]:
    """What is missing, unreadable or left over below `root`, one line each; empty when the corpus is whole.

    Clips without a face are listed: the organisers' detector found none in some. In a simulated corpus, which has
    such clips too, they are only listed where points say that there was a face. Faces are not opened.
    """
    from common.media import video

    clips, errors, strays = _scan(root)
    found = [line for partition in PARTITIONS for line in _gaps(root, partition, clips)] + errors + strays
    for clip in clips:
        attempt(video.measure_duration, clip.video, found)
        attempt(lambda _, clip=clip: read_points(clip), clip.points, found)
        attempt(read_audio_features, clip.audio_features, found)
    return found


# what is where


def _scan(root: Path) -> tuple[list[Clip], list[str], list[str]]:
    """All clips; what keeps them from being used, a line each; and what belongs to no clip, a line each."""
    root = locate(root)
    clips, errors, strays = [], [], []
    for partition in PARTITIONS:
        videos, others = _files(root, partition)
        for name in sorted(videos):
            path, label = _video(partition, videos[name], errors)
            clips.append(
                Clip(
                    name=f"{partition}/{name}",
                    partition=partition,
                    video=path,
                    label=label,
                    faces=_faces(others["faces"].get(name), errors),
                    points=others["points"].get(name),
                    audio_features=others["audio features"].get(name),
                )
            )
        for kind, paths in others.items():
            strays += [f"{path}: {kind} of a clip without video" for name, path in paths.items() if name not in videos]
    return clips, errors, strays


def _files(root: Path, partition: str) -> tuple[dict[str, list[tuple[Path, str | None]]], dict[str, dict[str, Path]]]:
    """Clip -> its videos and their classes; and for each kind of file, clip -> path, the first where there are more."""
    videos, others = {}, {"faces": {}, "points": {}, "audio features": {}}
    for place in _places(root, partition):
        for path in _search(place):
            kind = next((kind for kind, name in _KINDS.items() if name.fullmatch(path.name)), None)
            if kind is None:
                label = next((part for part in reversed(path.relative_to(place).parts) if part in CLASSES), None)
                videos.setdefault(path.stem, []).append((path, label))
            elif kind in others:
                others[kind] = _members(kind, path) | others[kind]
    for folder in root.glob(f"{partition}_Audio_Feat"):
        others["audio features"] = _members("audio features", folder) | others["audio features"]
    return videos, others


def _places(root: Path, partition: str) -> list[Path]:
    return [root / name for name in FOLDERS[partition] if (root / name).is_dir()]


def _search(place: Path) -> Iterator[Path]:
    """The videos below `place`, and the folders of _KINDS, which are not entered themselves."""
    for folder, names, files in os.walk(place, followlinks=True):
        here = Path(folder)
        yield from (here / name for name in sorted(files) if name.lower().endswith(".avi") and name[0] != ".")
        known = sorted(name for name in names if any(kind.fullmatch(name) for kind in _KINDS.values()))
        yield from (here / name for name in known)
        enter = len(here.relative_to(place).parts) < DEPTH - 1
        names[:] = sorted(n for n in names if enter and n not in known and not n.startswith((".", "__MACOSX")))


def _members(kind: str, folder: Path) -> dict[str, Path]:
    """Clip -> path of all that is in a folder of faces, points or audio features, sorted by class or not."""
    paths = folder.rglob("*.arff") if kind == "audio features" else folder.iterdir()
    members = {}
    for path in sorted(paths):
        if path.name[0] == ".":
            continue
        if path.name in CLASSES and path.is_dir():
            members |= _members(kind, path)
        elif path.is_dir():
            members[path.name] = path
        elif path.suffix in _SUFFIXES[kind]:
            members[path.stem] = path
    return members


def _video(partition: str, videos: list[tuple[Path, str | None]], errors: list[str]) -> tuple[Path, str | None]:
    """The video of a clip and its class; a copy in a class folder before one outside."""
    labelled = {label: path for path, label in reversed(videos) if label}
    if len(labelled) > 1:
        (one, first), (other, second), *_ = sorted(labelled.items())
        errors.append(f"{first}: is in the class {one}, {second} in {other}; keep the right one of the two")
    if not labelled and partition != "Test":
        errors.append(f"{videos[0][0]}: lies in none of the folders {', '.join(CLASSES)}; move it into its class's")
    return next(((path, label) for path, label in videos if label), videos[0])


def _faces(folder: Path | None, errors: list[str]) -> tuple[Path, ...]:
    """The pictures of a clip in the order of their frames."""
    by_frame = {}
    for path in sorted(folder.iterdir()) if folder else ():
        if path.suffix.lower() not in _PICTURES or path.name[0] == ".":
            continue
        frame = attempt(frame_of, path, errors)
        if frame in by_frame:
            errors.append(f"{path}: is of the same frame as {by_frame[frame].name}; remove one of the two")
        elif frame is not None:
            by_frame[frame] = path
    return tuple(by_frame[frame] for frame in sorted(by_frame))


def _gaps(root: Path, partition: str, clips: list[Clip]) -> list[str]:
    """What a partition lacks as a whole, and which of its clips lack what."""
    simulated, total = simulation(root) is not None, expected(root)[partition]
    clips = [clip for clip in clips if clip.partition == partition]
    places = _places(locate(root), partition)
    if not places:
        return [f"{root}: no folder {' or '.join(FOLDERS[partition])}"] if total else []
    found = [] if len(clips) == total else [f"{root}: {len(clips)} {partition} clips, expected {total}"]
    if partition != "Test" and not simulated and clips:
        labels = {clip.label for clip in clips}
        found += [f"{places[0]}: no clip of the class {label}" for label in CLASSES if label not in labels]
    visible = [clip for clip in clips if clip.points or not simulated]
    found += _without(root, partition, "a face", visible, [bool(clip.faces) for clip in visible])
    tracked = [clip for clip in clips if clip.faces]
    found += _without(root, partition, "points", tracked, [bool(clip.points) for clip in tracked])
    return found + _without(root, partition, "audio features", clips, [bool(clip.audio_features) for clip in clips])


def _without(root: Path, partition: str, what: str, clips: list[Clip], has: list[bool]) -> list[str]:
    """One line that names the `clips` which do not have `what`, unless none of them has."""
    names = [Path(clip.name).name for clip, there in zip(clips, has) if not there]
    listed = ", ".join(names) if any(has) else "all of them"
    return [f"{root}: {len(names)} {partition} clips without {what}: {listed}"] if names else []


# points and features


def _read_mat(path: Path) -> tuple[None, np.ndarray]:
    from scipy.io import loadmat

    try:
        arrays = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except Exception as error:  # what SciPy raises for broken files has no class in common
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a MATLAB file ({reason}); restore it") from error
    shapes = {name: _as_points(value) for name, value in arrays.items() if getattr(value, "dtype", None) is not None}
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


def _as_points(array: np.ndarray) -> list[np.ndarray]:
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
    lines = _spaced(path)
    width = lines[0][1].count(" ") + 1
    if width // 2 != POINTS:
        raise InputError(
            f"{path}: line {lines[0][0]} holds {width // 2} landmarks, expected {POINTS}; "
            f"restore it from the distribution"
        )
    columns = ["frame"] * (width % 2) + [f"{axis}{k + 1}" for k in range(POINTS) for axis in "xy"]
    values = read_numbers(path, lines, " ", columns, list(range(width)))
    frames = _frames(path, values[:, 0]) if width % 2 else None
    return frames, values[:, width % 2 :].reshape(-1, POINTS, 2)


def _read_folder(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    paths = sorted((path for path in folder.glob("*.txt") if path.name[0] != "."), key=frame_of)
    if not paths:
        raise InputError(f"{folder}: holds no .txt file; restore it from the distribution")
    frames = _frames(folder, np.array([frame_of(path) + 1 for path in paths]))
    return frames, np.array([_read_frame(path) for path in paths])


def _frames(path: Path, numbers: np.ndarray) -> np.ndarray:
    """Frames from 0 of their numbers from 1, which must increase."""
    frames = numbers.astype(int) - 1
    if (frames + 1 != numbers).any() or frames[0] < 0 or (np.diff(frames) <= 0).any():
        raise InputError(f"{path}: the frame numbers do not increase from 1 on; restore it from the distribution")
    return frames


def _read_frame(path: Path) -> np.ndarray:
    lines = _spaced(path)
    if len(lines) != POINTS:
        raise InputError(f"{path}: holds {len(lines)} landmarks, expected {POINTS}; restore it from the distribution")
    return read_numbers(path, lines, " ", ["x", "y"], [0, 1])


def _spaced(path: Path) -> list[tuple[int, str]]:
    """The lines of a file, one space between fields that spaces, tabs or commas separate."""
    return [(number, " ".join(line.replace(",", " ").split())) for number, line in read_lines(path)]


def _values(path: Path, attributes: list[tuple[str, str]], fields: list[str]) -> np.ndarray:
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
