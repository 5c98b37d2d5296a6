"""Writes simulated faces in the layout of FER2013: prototypical expressions of people each of whom is seen once."""

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from common.errors import InputError
from common.media import faces
from datasets import fer2013
from datasets.simulated import corpus, emotions
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.expression import Expression
from datasets.simulated.face.people import Nuisance, draw_identity
from datasets.simulated.script import stream

VERSION = 1  # to be raised whenever the same parameters give other bytes
MARGIN = 1.3  # side of the picture, in heights of the face from brows to chin
PART = 50  # faces that are made together
USAGE = ("Training",) * 8 + ("PublicTest", "PrivateTest")  # of ten faces of a class


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes depend on."""

    layout: str
    seed: int
    images: int
    version: int


def write(root: Path, seed: int = 0, images: int = 2100, jobs: int = 1) -> None:
    """Write fer2013.csv to `root`, where it is whole or not at all; what is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    """
    if images < 700:
        raise InputError("the simulated faces cannot be written: images must be at least 700, for some of each class")
    manifest = Manifest("fer2013", seed, images, VERSION)
    corpus.write(root, manifest, (".",), lambda folder: write_csv(folder / fer2013.FILE, manifest, jobs))


def write_csv(path: Path, manifest: Manifest, jobs: int) -> None:
    """All faces, ordered by usage as in the original; they are made in parts, which lie beside the corpus."""
    plan = sorted(draw_labels_and_usages(manifest.seed, manifest.images), key=lambda face: USAGE.index(face[1]))
    parts = {f"{first}-{first + PART - 1}": plan[first : first + PART] for first in range(0, len(plan), PART)}
    locate_part(path.parent, "").mkdir(exist_ok=True)
    corpus.record_in_parallel(write_part, path.parent, manifest, parts, jobs, "FER2013", unit=f"{PART} faces")
    with path.open("wb") as file:
        file.write(f"{','.join(fer2013.HEADER)}\n".encode())
        for part in parts:
            file.write(locate_part(path.parent, part).read_bytes())


def locate_part(folder: Path, part: str) -> Path:
    """Where the rows of a part lie until the csv in `folder` is written."""
    return folder.with_name("parts") / part


def write_part(folder: Path, manifest: Manifest, part: str, faces: list[tuple[int, str]]) -> None:
    """Make the faces (label, usage) of a part, whose name begins with the number of the first, and write their rows."""
    with locate_part(folder, part).open("w", newline="\n") as file:
        for number, (label, usage) in enumerate(faces, int(part.split("-")[0])):
            pixels = make_picture(manifest.seed, number, label)
            file.write(f"{label},{' '.join(map(str, pixels.ravel()))},{usage}\n")


def draw_labels_and_usages(seed: int, images: int) -> list[tuple[int, str]]:
    """(label, usage) of each face in random order: classes in the shares of FER2013, each split 8 : 1 : 1."""
    shares = np.cumsum(fer2013.COUNTS) / np.sum(fer2013.COUNTS)
    labels = np.searchsorted(shares, (np.arange(images) + 0.5) / images)
    seen, plan = Counter(), []
    for label in labels.tolist():
        plan.append((label, USAGE[seen[label] % len(USAGE)]))
        seen[label] += 1
    return [plan[i] for i in stream(seed, "order").permutation(images)]


def make_picture(seed: int, number: int, label: int) -> np.ndarray:
    """Face `number`, of a person of its own: (48, 48) uint8."""
    cv2.setNumThreads(1)
    rng = stream(seed, f"face {number}")
    image, points = shoot(rng, fer2013.CLASSES[label])
    return crop(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), points, rng)


def shoot(rng: np.random.Generator, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A new person with an expression of class `name`: (240, 320, 3) uint8 BGR, landmarks (68, 2) in pixels."""
    camera = Camera(rng, draw_identity(rng))
    state = draw_state(rng)
    return camera.shoot(draw_expression(rng, name), state, 0)


def draw_expression(rng: np.random.Generator, name: str) -> Expression:
    """An expression of class `name`, with the eyes looking somewhere."""
    calm = dict.fromkeys((field.name for field in fields(Expression)), 0.0)
    moves = emotions.move_parts(name, rng.uniform(emotions.WEAKEST, 1, len(emotions.ACTION_UNITS[name])))
    return Expression(**calm | moves | {"gaze": tuple(rng.uniform(-0.5, 0.5, 2))})


def draw_state(rng: np.random.Generator) -> Nuisance:
    """One moment: head and light turned by as much as in the simulated recordings, nobody talks, blinks or hides."""
    still, one = np.zeros(1), np.ones(1)
    return Nuisance(
        shift=np.zeros((1, 2)),
        scale=one,
        roll=rng.normal(0, 0.06, 1),
        turn=rng.uniform(-0.16, 0.16, (1, 2)),
        gaze=np.zeros((1, 2)),
        blink=still,
        talk=still,
        round=still,
        light=rng.uniform((-0.5, -0.5), (0.5, 0.0), (1, 2)),
        exposure=rng.uniform(0.75, 1.15, 1),
        cover=still,
        by_hand=False,
        grain=rng.integers(0, 64, (1, 2)),
    )


def crop(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square around the landmarks (68, 2), about as loose as a face detector's: (48, 48)."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = MARGIN * (high[1] - low[1]) * rng.uniform(0.92, 1.08)
    corner = (low + high) / 2 + rng.uniform(-0.03, 0.03, 2) * side - side / 2
    scale = fer2013.SIZE / side
    transform = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    return faces.crop(image, transform, fer2013.SIZE)
