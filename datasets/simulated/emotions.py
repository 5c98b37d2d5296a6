"""What the seven classes of FER2013 and AFEW look like on a rendered face, and where they lie in arousal and valence.

An expression is the action units that FACS gives for its class (the prototypes of EMFACS), each as strong as chance has
it, from marked to the most that the rendered face can do. What that face cannot show is left out: AU4 beside AU1 and AU5
beside AU7, which cancel on brows and lids that move in one direction only, and AU16, the lower lip alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from datasets.simulated.face.expression import Expression, form_expression
from datasets.simulated.face.people import Nuisance

ACTION_UNITS = {
    "Angry": (4, 7, 23),
    "Disgust": (9, 15),
    "Fear": (1, 2, 5, 20, 26),
    "Happy": (6, 12),
    "Sad": (1, 15),
    "Surprise": (1, 2, 5, 26),
    "Neutral": (),
}
MOVES = {  # action unit -> what it moves at its strongest, the inverse of measure_action_units
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
PARTS = sorted({part for moves in MOVES.values() for part in moves})
WEAKEST = 0.4  # share of the strongest: marked, level C of FACS
CIRCUMPLEX = {  # arousal and valence of the classes, about where Russell (1980) has them
    "Angry": (0.8, -0.6),
    "Disgust": (0.2, -0.7),
    "Fear": (0.7, -0.6),
    "Happy": (0.6, 0.8),
    "Neutral": (0.0, 0.0),
    "Sad": (-0.7, -0.6),
    "Surprise": (0.8, 0.2),
}


def move_parts(name: str, strengths: Iterable[float]) -> dict[str, float]:
    """The parts of a Expression that class `name` moves, and where to; a strength for each of its action units."""
    found = defaultdict(float)
    for unit, strength in zip(ACTION_UNITS[name], strengths, strict=True):
        for part, move in MOVES[unit].items():
            found[part] += strength * move
    return dict(found)


def pose_faces(moves: dict[str, float], amounts: np.ndarray, state: Nuisance) -> list[Expression]:
    """The face in each frame: it talks and blinks, and makes the `moves` as far as the amounts (f,), 0 to 1, say."""
    found = []
    for i, amount in enumerate(amounts):
        calm = form_expression(np.zeros((2, 2)), state, i)
        found.append(replace(calm, **{part: getattr(calm, part) + amount * move for part, move in moves.items()}))
    return found
