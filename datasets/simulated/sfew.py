"""Writes simulated faces in the layout of SFEW 2.0: single frames of films, aligned and sorted by expression.

    Train/Train_Aligned_Faces/Angry/Film01_000519240_00000005.png    Val/Val_Aligned_Faces/Angry/Film61_...

The expressions are those of the simulated FER2013; each person is seen once, and none of them in the simulated AFEW.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.errors import InputError
from common.media import faces
from datasets.sfew import CLASSES
from datasets.simulated import corpus, fer2013
from datasets.simulated.afew import draw_time_codes
from datasets.simulated.script import stream

VERSION = 1  # to be raised whenever the same parameters give other bytes
WIDTH, HEIGHT = 143, 181
FOLDERS = {"Train": "Train/Train_Aligned_Faces", "Val": "Val/Val_Aligned_Faces"}
PER_FILM = 7  # faces


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes depend on."""

    layout: str
    seed: int
    train: int
    val: int
    version: int


def write(root: Path, seed: int = 0, train: int = 420, val: int = 140, jobs: int = 1) -> None:
    """Write the faces to `root`, where they are all or not at all; what is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    """
    if train < len(CLASSES) or val < 0:
        raise InputError(
            f"the simulated faces cannot be written: train must be at least {len(CLASSES)}, val at least 0"
        )
    manifest = Manifest("sfew", seed, train, val, VERSION)
    folders = tuple(f"{folder}/{label}" for folder in FOLDERS.values() for label in CLASSES)
    corpus.write(root, manifest, folders, lambda folder: record_all(folder, manifest, jobs))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All faces, film by film."""
    films = {}
    for name in draw_names(manifest):
        films.setdefault(Path(name).name.split("_")[0], []).append(name)
    corpus.record_in_parallel(record_film, folder, manifest, films, jobs, "SFEW", unit="film")


def record_film(folder: Path, manifest: Manifest, film: str, names: list[str]) -> None:
    """Write the faces of one film."""
    for name in names:
        record(folder / name, manifest.seed)


def draw_names(manifest: Manifest) -> list[str]:
    """Paths below the root, the classes equally often; no film is in both partitions."""
    counts, films, found = {"Train": manifest.train, "Val": manifest.val}, 0, []
    for partition, count in counts.items():
        rng = stream(manifest.seed, "sfew", partition, "names")
        for i, code in enumerate(draw_time_codes(rng, count)):
            label, film = CLASSES[i % len(CLASSES)], f"Film{1 + films + i // PER_FILM:02d}"
            found.append(f"{FOLDERS[partition]}/{label}/{film}_{code}_{rng.integers(1, 150):08d}.png")
        films += -(-count // PER_FILM)
    return found


def record(path: Path, seed: int) -> None:
    """Write one face, of a person of its own."""
    cv2.setNumThreads(1)
    image, points = fer2013.shoot(stream(seed, "sfew", path.stem), path.parent.name)
    path.write_bytes(cv2.imencode(".png", crop(image, points))[1].tobytes())


def crop(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face upright with eyes and nose at their places, brows to chin: (181, 143, channels); points (68, 2)."""
    transform = faces.fit_alignment(points, WIDTH)
    transform[1, 2] += (HEIGHT - WIDTH) / 2
    return faces.crop(image, transform, HEIGHT)[:, :WIDTH]
