"""SFEW 2.0 of EmotiW 2015: single frames of films, 891 faces for training, 431 for validation, in seven classes.

Layout as distributed, aligned faces of 143 x 181 pixels, with or without the upper folder:

    Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png
    Val/Val_Aligned_Faces_new/Angry/...                                also Val_Aligned_Faces/

Of the two folders for validation the new one is read where both are there. The faces of the test partition have no
classes and are not read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import afew_files, layout
from datasets.afew import CLASSES

PARTITIONS = ("Train", "Val")
COUNTS = {"Train": 891, "Val": 431}  # aligned faces
ACCESS = (
    "SFEW is licensed: sign the end-user agreement of the EmotiW challenge (sites.google.com/site/emotiwchallenge) "
    "and ask its organisers for the data of 2015, SFEW 2.0; `--corpus simulated` needs nothing"
)

_FOLDERS = ("{0}/{0}_Aligned_Faces_new", "{0}/{0}_Aligned_Faces", "{0}_Aligned_Faces_new", "{0}_Aligned_Faces")
_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Face:
    """One face; `name` is "Train/Angry/Airheads_000519240_00000005", `label` one of CLASSES."""

    name: str
    partition: str
    path: Path
    label: str


def list_recordings(root: Path) -> list[Face]:
    """All faces, by partition, class and name. Raises InputError when there are none for training."""
    root = locate(root)
    faces = [face for partition in PARTITIONS for face in _list_faces(root, partition)]
    if not any(face.partition == "Train" for face in faces):
        raise InputError(f"{root}: no faces of the partition Train; see `python -m datasets.check sfew {root}`")
    return faces


def read(path: Path) -> np.ndarray:
    """The RGB picture, (height, width, 3) uint8. Raises InputError."""
    return afew_files.read_face(path)


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> number of faces: the distribution's, or those that the simulator noted."""
    made = read_simulation(root)
    return {partition: made[partition.lower()] for partition in PARTITIONS} if made else COUNTS


def locate(root: Path) -> Path:
    """`root`, or the folder just below it, that holds the partitions. Raises InputError."""
    patterns = [folder.format(partition) for partition in PARTITIONS for folder in _FOLDERS]
    return layout.find_root(
        root,
        lambda folder: layout.holds_any(folder, patterns),
        f"SFEW (Train/Train_Aligned_Faces/ or Train_Aligned_Faces/); {ACCESS}",
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return layout.read_marker(locate(root), train=int, val=int)


def count(root: Path) -> dict[str, int]:
    """Number of faces of each partition."""
    root = locate(root)
    return {f"{partition} faces": len(_list_faces(root, partition)) for partition in PARTITIONS}


def check(root: Path) -> list[str]:
    """What is missing, unreadable or in two classes below `root`, one line each; empty when the corpus is whole."""
    found = []
    for partition, total in count_expected(root).items():
        faces = _list_faces(locate(root), partition)
        found += [] if len(faces) == total else [f"{root}: {len(faces)} {partition} faces, expected {total}"]
        found += _check_classes(root, partition, faces)
        for face in faces:
            layout.attempt(read, face.path, found)
    return found


def _list_faces(root: Path, partition: str) -> list[Face]:
    folder = _find_folder(root, partition)
    return [
        Face(f"{partition}/{label}/{path.stem}", partition, path, label)
        for label in CLASSES
        for path in sorted(folder.glob(f"{label}/*") if folder else ())
        if path.suffix.lower() in _PICTURES and path.name[0] != "."
    ]


def _find_folder(root: Path, partition: str) -> Path | None:
    """The folder of the classes, in another of its kind where the archive nests it; None where there is none."""
    folders = [root / pattern.format(partition) for pattern in _FOLDERS]
    folders = [inner for folder in folders for inner in (folder, *folder.glob(f"{partition}_Aligned_Faces*"))]
    return next((folder for folder in folders if any((folder / label).is_dir() for label in CLASSES)), None)


def _check_classes(root: Path, partition: str, faces: list[Face]) -> list[str]:
    """Classes without a face, which only the real corpus must have all, and faces in two classes."""
    labels = {}
    for face in faces:
        labels.setdefault(face.path.name, []).append(face.label)
    twice = [f"{root}: {partition}: {name} is in {' and '.join(of)}" for name, of in labels.items() if len(of) > 1]
    if read_simulation(root) or not faces:
        return twice
    there = {face.label for face in faces}
    return [f"{root}: {partition}: no face of the class {label}" for label in CLASSES if label not in there] + twice
