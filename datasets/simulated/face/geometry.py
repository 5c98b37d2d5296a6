"""The parts of a face as curves, its 68 landmarks and its two regions.

Lengths are in units of the distance between the eye centres, the origin lies between the eyes, y points down. Along a
part u runs from -1 to 1, from its left end to its right one.
"""

import numpy as np

from datasets.simulated.face.expression import Expression
from datasets.simulated.face.people import Identity

ALONG = np.linspace(-1, 1, 17)
LIP_EDGES = ("top", "upper", "lower", "bottom")  # upper and lower are the inner edges
NOSE_DEPTH = np.array([0.08, 0.16, 0.25, 0.34, 0.06, 0.12, 0.18, 0.12, 0.06])  # in front of the skin around it
# Which points of the curves are landmarks 17 to 67 of the common scheme of 68.
LANDMARKS = [
    ("left brow", [0, 4, 8, 12, 16]),
    ("right brow", [0, 4, 8, 12, 16]),
    ("nose", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ("left upper lid", [0, 5, 11, 16]),
    ("left lower lid", [11, 5]),
    ("right upper lid", [0, 5, 11, 16]),
    ("right lower lid", [11, 5]),
    ("top", [0, 3, 6, 8, 10, 13, 16]),
    ("bottom", [13, 10, 8, 6, 3]),
    ("upper", [1, 6, 8, 10, 15]),
    ("lower", [10, 8, 6]),
]


def arch(u: np.ndarray, power: float = 1.0) -> np.ndarray:
    """1 in the middle, 0 at both ends and beyond."""
    return np.maximum(1 - u * u, 0) ** power


def shape_brow(who: Identity, now: Expression, side: int, u: np.ndarray) -> np.ndarray:
    """Middle line (n, 2) of a brow; u = -1 is its left end in the picture, side -1 the left brow."""
    inward = -side * u
    rise = 0.34 * who.brow_height + 0.07 * arch(u - 0.25 * side) - 0.01 * inward
    rise = rise + now.brow_raise + now.brow_inner * (0.5 + 0.5 * inward) ** 1.5
    return np.stack([side * (0.54 - 0.02 * rise) + 0.35 * u - 0.02 * side * now.brow_inner, -rise], axis=1)


def shape_lid(who: Identity, now: Expression, side: int, u: np.ndarray, lid: int) -> np.ndarray:
    """Edge (n, 2) of the upper (lid -1) or lower (lid 1) lid."""
    opening = who.eye_size * np.exp(now.eye_open) * (1 - 0.93 * now.blink)
    height = (0.105 if lid < 0 else 0.055 - 0.05 * now.cheek_raise) * opening
    tilt = 0.015 * u * -side + (0.05 * now.blink * arch(u) if lid < 0 else 0.0)
    return np.stack([side * 0.5 + 0.205 * u, tilt + lid * height * arch(u, 0.8)], axis=1)


def shape_lip(who: Identity, now: Expression, u: np.ndarray, edge: str) -> np.ndarray:
    """One of the LIP_EDGES (n, 2)."""
    width = 0.44 * who.mouth_width * np.exp(now.mouth_wide + 0.15 * now.dimple)
    middle = 1.10 * who.mouth_height + now.corner_raise * (0.3 - u * u) - 0.07 * now.chin_raise
    full, inside = who.lip_weight * np.exp(now.lip_full), arch(u / 0.86, 0.7)
    above, below = 0.25 * now.mouth_open, 0.75 * now.mouth_open
    bow = 1 - 0.18 * np.exp(-((u / 0.13) ** 2))
    offset = {
        "top": -(0.105 * full + above) * arch(u, 0.75) * bow,
        "upper": -above * inside,
        "lower": below * inside,
        "bottom": (0.15 * full + below) * arch(u, 0.75),
    }[edge]
    return np.stack([width * u, middle + offset], axis=1)


def shape_nose(who: Identity, now: Expression) -> np.ndarray:
    """The nine marks (9, 2) of bridge and base; wrinkling lifts the base."""
    long, wide = who.nose_length, who.nose_width
    bridge = [(0, -0.02), (0, 0.21 * long), (0, 0.40 * long), (0, 0.58 * long)]
    base = [(-0.22 * wide, 0.71), (-0.12 * wide, 0.75), (0, 0.78), (0.12 * wide, 0.75), (0.22 * wide, 0.71)]
    return np.array(bridge + [(x, y * long - 0.06 * now.nose_wrinkle) for x, y in base])


def shape_jaw(who: Identity, count: int = 17) -> np.ndarray:
    """The outline (count, 2) from ear to ear below the eyes, evenly spaced: an ellipse with some corner at the jaw."""
    angle = np.linspace(0, np.pi, 129)
    x = -np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.85 * 1.12 * who.face_width
    y = 0.02 + 1.86 * who.chin * np.sin(angle) ** 0.95
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.linspace(0, way[-1], count)
    return np.stack([np.interp(even, way, x), np.interp(even, way, y)], axis=1)


def shape_outline(who: Identity) -> np.ndarray:
    """The whole head (n, 2): jaw and skull."""
    angle = np.linspace(0, np.pi, 33)
    skull = np.stack([np.cos(angle) * 1.12 * who.face_width, 0.02 - 1.50 * np.sin(angle) ** 0.9], axis=1)
    return np.concatenate([shape_jaw(who, 41), skull])


def shape_parts(who: Identity, now: Expression) -> dict[str, np.ndarray]:
    """All parts that turn with the head, (n, 2) each, head upright and frontal."""
    parts = {
        "nose": shape_nose(who, now),
        "pupils": np.array([(-0.5, -0.025), (0.5, -0.025)]) + np.array(now.gaze) * 0.09,
    }
    for side, name in ((-1, "left"), (1, "right")):
        parts[f"{name} brow"] = shape_brow(who, now, side, ALONG)
        parts[f"{name} upper lid"] = shape_lid(who, now, side, ALONG, -1)
        parts[f"{name} lower lid"] = shape_lid(who, now, side, ALONG, 1)
    return parts | {edge: shape_lip(who, now, ALONG, edge) for edge in LIP_EDGES}


def turn_head(parts: dict[str, np.ndarray], turn: np.ndarray) -> dict[str, np.ndarray]:
    """The parts after a small turn of the head (yaw, pitch): what lies in front moves farther."""
    points = np.concatenate(list(parts.values()))
    x, y = points.T
    depth = 1.1 * np.sqrt(np.maximum(1 - (x / 1.3) ** 2 - ((y - 0.3) / 2.2) ** 2, 0.05))
    depth[: len(NOSE_DEPTH)] += NOSE_DEPTH  # the nose comes first
    cuts = np.cumsum([len(part) for part in parts.values()])[:-1]
    return dict(zip(parts, np.split(points + depth[:, None] * np.sin(turn), cuts)))


def place_landmarks(outline: np.ndarray, parts: dict[str, np.ndarray]) -> np.ndarray:
    """The 68 landmarks (68, 2) of the common scheme from the jaw (17, 2) and the parts, in units."""
    return np.concatenate([outline, *(parts[name][chosen] for name, chosen in LANDMARKS)])


def box_regions(points: np.ndarray) -> np.ndarray:
    """Boxes (..., 2, 4) as x0, y0, x1, y1 of both regions around landmarks (..., 68, 2)."""
    margin = 0.15 * np.linalg.norm(points[..., 36:42, :].mean(-2) - points[..., 42:48, :].mean(-2), axis=-1)[..., None]
    parts = (np.r_[17:27, 36:48], np.r_[48:68])  # brows and eyes, mouth
    boxes = [
        np.concatenate([points[..., p, :].min(-2) - margin, points[..., p, :].max(-2) + margin], -1) for p in parts
    ]
    return np.stack(boxes, axis=-2).astype(np.float32)
