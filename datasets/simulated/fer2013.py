"""Writes simulated faces in the layout of FER2013: prototypical expressions of people each of whom is seen once.

An expression is the action units that FACS gives for its class (the prototypes of EMFACS), each as strong as chance has
it, from marked to the most that the rendered face can do. What that face cannot show is left out: AU4 beside AU1 and AU5
beside AU7, which cancel on brows and lids that move in one direction only, and AU16, the lower lip alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import joblib
import numpy as np
from tqdm import tqdm

from common.errors import InputError
from common.media import faces
from common.running.parallel import parallel
from datasets import fer2013
from datasets.simulated import corpus, face
from datasets.simulated.script import stream

VERSION = 1  # to be raised whenever the same parameters give other bytes
ACTION_UNITS = {
    "Angry": (4, 7, 23),
    "Disgust": (9, 15),
    "Fear": (1, 2, 5, 20, 26),
    "Happy": (6, 12),
    "Sad": (1, 15),
    "Surprise": (1, 2, 5, 26),
    "Neutral": (),
}
MOVES = {  # action unit -> what it moves at its strongest, the inverse of face.action_units
    1: {"brow_inner": 0.20},
    2: {"brow_raise": 0.12, "brow_inner": -0.12},
    4: {"brow_inner": -0.20},
    5: {"eye_open": 0.45},
    6: {"cheek_raise": 1.0},
    7: {"eye_open": -0.45},
    9: {"nose_wrinkle": 1.0},
    12: {"corner_raise": 0.20, "mouth_wide": 0.16},
    15: {"corner_raise": -0.20, "mouth_wide": -0.16},
    20: {"mouth_wide": 0.15},
    23: {"lip_full": -0.45},
    26: {"mouth_open": 0.38},
}
WEAKEST = 0.4  # share of the strongest: marked, level C of FACS
MARGIN = 1.3  # side of the picture, in heights of the face from brows to chin
USAGE = ("Training",) * 8 + ("PublicTest", "PrivateTest")  # of ten faces of a class


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes depend on."""

    layout: str
    seed: int
    images: int
    version: int


def write(root: Path, seed: int = 0, images: int = 2100, jobs: int = 1) -> None:
    """Write fer2013.csv to `root`, whole or not at all; what is there already stays as it is. Raises InputError."""
    if images < 700:
        raise InputError("the simulated faces cannot be written: images must be at least 700, for some of each class")
    manifest = Manifest("fer2013", seed, images, VERSION)
    corpus.write(root, manifest, (".",), lambda folder: write_csv(folder / fer2013.FILE, manifest, jobs))


def write_csv(path: Path, manifest: Manifest, jobs: int) -> None:
    """All faces, ordered by usage as in the original."""
    plan = sorted(labels_and_usages(manifest.seed, manifest.images), key=lambda face: USAGE.index(face[1]))
    tasks = (joblib.delayed(picture)(manifest.seed, i, label) for i, (label, _) in enumerate(plan))
    pictures = parallel(tasks, jobs)
    with path.open("w", newline="\n") as file:
        file.write(",".join(fer2013.HEADER) + "\n")
        for (label, usage), pixels in zip(
            plan, tqdm(pictures, total=len(plan), desc="simulating FER2013", unit="face")
        ):
            file.write(f"{label},{' '.join(map(str, pixels.ravel()))},{usage}\n")


def labels_and_usages(seed: int, images: int) -> list[tuple[int, str]]:
    """(label, usage) of each face in random order: classes in the shares of FER2013, each split 8 : 1 : 1."""
    shares = np.cumsum(fer2013.COUNTS) / np.sum(fer2013.COUNTS)
    labels = np.searchsorted(shares, (np.arange(images) + 0.5) / images)
    seen, plan = Counter(), []
    for label in labels.tolist():
        plan.append((label, USAGE[seen[label] % len(USAGE)]))
        seen[label] += 1
    return [plan[i] for i in stream(seed, "order").permutation(images)]


def picture(seed: int, number: int, label: int) -> np.ndarray:
    """Face `number`, of a person of its own: (48, 48) uint8."""
    cv2.setNumThreads(1)
    rng = stream(seed, f"face {number}")
    image, points = shot(rng, fer2013.CLASSES[label])
    return crop(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), points, rng)


def shot(rng: np.random.Generator, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A new person with an expression of class `name`: (240, 320, 3) uint8 BGR, landmarks (68, 2) in pixels."""
    camera = face.Camera(rng, face.draw_identity(rng))
    state = draw_state(rng)
    return camera.shot(draw_expression(rng, name), state, 0)


def draw_expression(rng: np.random.Generator, name: str) -> face.Expression:
    """An expression of class `name`, with the eyes looking somewhere."""
    calm = dict.fromkeys((field.name for field in fields(face.Expression)), 0.0)
    moves = positions(name, rng.uniform(WEAKEST, 1, len(ACTION_UNITS[name])))
    return face.Expression(**calm | moves | {"gaze": tuple(rng.uniform(-0.5, 0.5, 2))})


def positions(name: str, strengths: Iterable[float]) -> dict[str, float]:
    """The parts of a face.Expression that class `name` moves, and where to; a strength for each of its action units."""
    found = defaultdict(float)
    for unit, strength in zip(ACTION_UNITS[name], strengths, strict=True):
        for part, move in MOVES[unit].items():
            found[part] += strength * move
    return dict(found)


def draw_state(rng: np.random.Generator) -> face.Nuisance:
    """One moment: head and light turned by as much as in the simulated recordings, nobody talks, blinks or hides."""
    still, one = np.zeros(1), np.ones(1)
    return face.Nuisance(
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
