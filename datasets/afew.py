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
a .mat file, a .txt file with a row for each frame, or a folder of .txt files; that is our reading (datasets.afew_files).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from datasets import afew_files, layout
from datasets.tables import read_lines

CLASSES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
PARTITIONS = ("Train", "Val", "Test")
COUNTS = {"Train": 723, "Val": 383, "Test": 539}  # clips of AFEW 5.0; of other years' there are more
FPS = 25
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


def list_recordings(root: Path) -> list[Clip]:
    """All clips, in the order of PARTITIONS, then of their names.

    Raises InputError when `root` is not this corpus, has no clip for training or validation, has a clip in two
    classes or in none, and for a picture of a face that has no frame number or that of another one.
    """
    clips, errors, _ = _scan(root)
    if errors:
        raise InputError(errors[0])
    for partition, total in count_expected(root).items():
        if total and partition != "Test" and not any(clip.partition == partition for clip in clips):
            raise InputError(
                f"{root}: no clips of the partition {partition}; see `python -m datasets.check afew {root}`"
            )
    return clips


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> number of clips: the challenge's, or those that the simulator noted."""
    made = read_simulation(root)
    return {partition: made[partition.lower()] for partition in PARTITIONS} if made else COUNTS


def locate(root: Path) -> Path:
    """`root`, or the folder just below it, that holds the partitions. Raises InputError."""
    patterns = [f"{name}/" for names in FOLDERS.values() for name in names]
    return layout.find_root(
        root,
        lambda folder: layout.holds_any(folder, patterns),
        f"AFEW (Train_AFEW/ or Train/, Val_AFEW/ or Val/, none of them is there); {ACCESS}",
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return layout.read_marker(locate(root), train=int, val=int, test=int)


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
    found = [line for partition in PARTITIONS for line in _list_gaps(root, partition, clips)] + errors + strays
    for clip in clips:
        layout.attempt(video.measure_duration, clip.video, found)
        layout.attempt(lambda _, clip=clip: afew_files.read_points(clip), clip.points, found)
        layout.attempt(afew_files.read_audio_features, clip.audio_features, found)
    return found


# what is where


def _scan(root: Path) -> tuple[list[Clip], list[str], list[str]]:
    """All clips; what keeps them from being used, a line each; and what belongs to no clip, a line each."""
    root = locate(root)
    clips, errors, strays = [], [], []
    for partition in PARTITIONS:
        videos, others = _find_files(root, partition)
        for name in sorted(videos):
            path, label = _choose_video(partition, videos[name], errors)
            clips.append(
                Clip(
                    name=f"{partition}/{name}",
                    partition=partition,
                    video=path,
                    label=label,
                    faces=_list_faces(others["faces"].get(name), errors),
                    points=others["points"].get(name),
                    audio_features=others["audio features"].get(name),
                )
            )
        for kind, paths in others.items():
            strays += [f"{path}: {kind} of a clip without video" for name, path in paths.items() if name not in videos]
    return clips, errors, strays


def _find_files(
    root: Path, partition: str
) -> tuple[dict[str, list[tuple[Path, str | None]]], dict[str, dict[str, Path]]]:
    """Clip -> its videos and their classes; and for each kind of file, clip -> path, the first where there are more."""
    videos, others = {}, {"faces": {}, "points": {}, "audio features": {}}
    for place in _find_places(root, partition):
        for path in _search(place):
            kind = next((kind for kind, name in _KINDS.items() if name.fullmatch(path.name)), None)
            if kind is None:
                label = next((part for part in reversed(path.relative_to(place).parts) if part in CLASSES), None)
                videos.setdefault(path.stem, []).append((path, label))
            elif kind in others:
                others[kind] = _list_members(kind, path) | others[kind]
    for folder in root.glob(f"{partition}_Audio_Feat"):
        others["audio features"] = _list_members("audio features", folder) | others["audio features"]
    return videos, others


def _find_places(root: Path, partition: str) -> list[Path]:
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


def _list_members(kind: str, folder: Path) -> dict[str, Path]:
    """Clip -> path of all that is in a folder of faces, points or audio features, sorted by class or not."""
    paths = folder.rglob("*.arff") if kind == "audio features" else folder.iterdir()
    members = {}
    for path in sorted(paths):
        if path.name[0] == ".":
            continue
        if path.name in CLASSES and path.is_dir():
            members |= _list_members(kind, path)
        elif path.is_dir():
            members[path.name] = path
        elif path.suffix in _SUFFIXES[kind]:
            members[path.stem] = path
    return members


def _choose_video(partition: str, videos: list[tuple[Path, str | None]], errors: list[str]) -> tuple[Path, str | None]:
    """The video of a clip and its class; a copy in a class folder before one outside."""
    labelled = {label: path for path, label in reversed(videos) if label}
    if len(labelled) > 1:
        (one, first), (other, second), *_ = sorted(labelled.items())
        errors.append(f"{first}: is in the class {one}, {second} in {other}; keep the right one of the two")
    if not labelled and partition != "Test":
        errors.append(f"{videos[0][0]}: lies in none of the folders {', '.join(CLASSES)}; move it into its class's")
    return next(((path, label) for path, label in videos if label), videos[0])


def _list_faces(folder: Path | None, errors: list[str]) -> tuple[Path, ...]:
    """The pictures of a clip in the order of their frames."""
    by_frame = {}
    for path in sorted(folder.iterdir()) if folder else ():
        if path.suffix.lower() not in _PICTURES or path.name[0] == ".":
            continue
        frame = layout.attempt(afew_files.read_frame_number, path, errors)
        if frame in by_frame:
            errors.append(f"{path}: is of the same frame as {by_frame[frame].name}; remove one of the two")
        elif frame is not None:
            by_frame[frame] = path
    return tuple(by_frame[frame] for frame in sorted(by_frame))


def _list_gaps(root: Path, partition: str, clips: list[Clip]) -> list[str]:
    """What a partition lacks as a whole, and which of its clips lack what."""
    simulated, total = read_simulation(root) is not None, count_expected(root)[partition]
    clips = [clip for clip in clips if clip.partition == partition]
    places = _find_places(locate(root), partition)
    if not places:
        return [f"{root}: no folder {' or '.join(FOLDERS[partition])}"] if total else []
    found = [] if len(clips) == total else [f"{root}: {len(clips)} {partition} clips, expected {total}"]
    if partition != "Test" and not simulated and clips:
        labels = {clip.label for clip in clips}
        found += [f"{places[0]}: no clip of the class {label}" for label in CLASSES if label not in labels]
    visible = [clip for clip in clips if clip.points or not simulated]
    found += _name_without(root, partition, "a face", visible, [bool(clip.faces) for clip in visible])
    tracked = [clip for clip in clips if clip.faces]
    found += _name_without(root, partition, "points", tracked, [bool(clip.points) for clip in tracked])
    return found + _name_without(
        root, partition, "audio features", clips, [bool(clip.audio_features) for clip in clips]
    )


def _name_without(root: Path, partition: str, what: str, clips: list[Clip], has: list[bool]) -> list[str]:
    """One line that names the `clips` which do not have `what`, unless none of them has."""
    names = [Path(clip.name).name for clip, there in zip(clips, has) if not there]
    listed = ", ".join(names) if any(has) else "all of them"
    return [f"{root}: {len(names)} {partition} clips without {what}: {listed}"] if names else []
