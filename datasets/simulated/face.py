"""A parametric face in front of a webcam: identity, pose, light, expression -> frame, landmarks, region boxes.

Lengths of the face are in units of the distance between the eye centres, the origin lies between the eyes,
y points down. The face is drawn on a canvas of its own, with the head turned by the parallax of its features,
then placed in the frame. Whatever does not change is painted once per identity. Colours are BGR.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.simulated.script import LOWER, UPPER, Script, plateau, smoothstep, speaking, stream, wander

WIDTH, HEIGHT = 320, 240
UNIT = 72  # canvas pixels per unit; the frame has about 50, so the warp also smooths edges
CANVAS = (260, 316)  # width and height
ORIGIN = np.array([130.0, 142.0])  # between the eyes, on the canvas
SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel
DARK = (24, 20, 22)
EYES_AT = 0.44  # height of the eyes in the frame
BODY_TOP = 130  # row of the frame above which no neck reaches


@dataclass(frozen=True)
class Identity:
    """Who it is: colours, proportions (1 is average) and style."""

    skin: np.ndarray  # (3,)
    hair: np.ndarray  # (3,)
    iris: np.ndarray  # (3,)
    lips: np.ndarray  # (3,)
    shirt: np.ndarray  # (3,)
    wall: np.ndarray  # (3,)
    woman: bool
    style: int  # of the hair
    stubble: float
    glasses: bool
    face_width: float
    chin: float
    eye_size: float
    brow_weight: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_height: float
    lip_weight: float
    distance: float  # size of the face in the frame
    seat: np.ndarray  # (2,) pixels off the middle of the frame


SKINS = np.array([(170, 192, 228), (150, 178, 220), (134, 164, 210), (112, 144, 194), (84, 116, 168), (66, 92, 140)])
HAIRS = np.array(
    [(28, 26, 30), (38, 48, 66), (44, 66, 98), (70, 108, 150), (98, 142, 176), (46, 62, 112), (136, 138, 142)]
)
IRISES = np.array([(50, 70, 95), (40, 52, 70), (150, 120, 80), (110, 125, 85)])


@dataclass(frozen=True)
class Population:
    """Where identities come from, and the rooms and cameras that film them."""

    skin: tuple[float, ...] = (0.2, 0.3, 0.2, 0.15, 0.1, 0.05)  # chances of the SKINS
    hair: tuple[int, ...] = tuple(range(len(HAIRS)))  # indices into HAIRS, all equally likely
    glasses: float = 0.2  # chance
    wall: tuple[float, float] = (130.0, 200.0)  # range of its brightness
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the wall, BGR
    lamp: float = -0.35  # height that the light comes from; up is negative
    exposure: float = 1.0


ANYONE = Population()


def draw_identity(rng: np.random.Generator, people: Population = ANYONE) -> Identity:
    """A new person; the proportions spread by 5 to 10 %, as they do between adults."""
    about = lambda spread: float(np.clip(rng.normal(1.0, spread), 1 - 2 * spread, 1 + 2 * spread))  # noqa: E731
    woman, skin = bool(rng.random() < 0.5), SKINS[rng.choice(len(SKINS), p=people.skin)]
    return Identity(
        skin=skin * rng.uniform(0.95, 1.05, 3),
        hair=HAIRS[people.hair[rng.integers(len(people.hair))]] * rng.uniform(0.85, 1.1),
        iris=IRISES[rng.integers(len(IRISES))] * 1.0,
        lips=skin * (0.72, 0.68, 0.92) if woman else skin * (0.80, 0.78, 0.92),
        shirt=rng.uniform(40, 170) * rng.uniform(0.7, 1.3, 3),
        wall=rng.uniform(*people.wall) * rng.uniform(0.9, 1.08, 3) * people.tint,
        woman=woman,
        style=int(rng.integers(0, 4)),
        glasses=bool(rng.random() < people.glasses),
        stubble=0.0 if woman else float(rng.choice([0.0, 0.12, 0.25])),
        face_width=about(0.04),
        chin=about(0.03) - 0.03 * woman,
        eye_size=about(0.06) + 0.05 * woman,
        brow_weight=about(0.12) - 0.25 * woman,
        brow_height=about(0.06),
        nose_length=about(0.05),
        nose_width=about(0.07) - 0.05 * woman,
        mouth_width=about(0.05),
        mouth_height=about(0.03),
        lip_weight=about(0.10) + 0.08 * woman,
        distance=rng.uniform(42, 50),
        seat=rng.uniform((-24, -6), (24, 6)),
    )


@dataclass(frozen=True)
class Nuisance:
    """What moves without affect, each array with one value (or row) per frame."""

    shift: np.ndarray  # (f, 2) pixels
    scale: np.ndarray  # (f,) about 1
    roll: np.ndarray  # (f,) radians
    turn: np.ndarray  # (f, 2) yaw and pitch in radians
    gaze: np.ndarray  # (f, 2) units of the iris radius
    blink: np.ndarray  # (f,) 0 open, 1 closed
    talk: np.ndarray  # (f,) opening of the mouth while talking, 0..1
    round: np.ndarray  # (f,) how narrow talking makes the mouth, -1..1
    light: np.ndarray  # (f, 2) direction the light comes from
    exposure: np.ndarray  # (f,) about 1
    cover: np.ndarray  # (f,) 0 face free, 1 hidden
    by_hand: bool  # hidden by a hand, or else by leaning out of the picture
    grain: np.ndarray  # (f, 2) which part of the noise bank

    def visible(self) -> np.ndarray:
        """(f,) bool: the face is in the picture and the hand, on its way up, has not reached it."""
        return self.cover < 0.3


def draw_nuisance(script: Script, times: np.ndarray, people: Population = ANYONE) -> Nuisance:
    """The motion of one recording, from streams of its own: no control changes it."""
    move, light, face, hide = (stream(script.seed, script.stem, n) for n in ("motion", "light", "face", "hand"))
    drift = lambda rng, size, period: size * wander(rng, times, period)  # noqa: E731
    return Nuisance(
        shift=np.stack([drift(move, 4.0, 5.0), drift(move, 2.5, 4.0)], axis=1),
        scale=1 + drift(move, 0.02, 7.0),
        roll=drift(move, 0.045, 5.0),
        turn=np.stack([drift(move, 0.07, 3.5), drift(move, 0.045, 3.0)], axis=1).clip(-0.16, 0.16),
        gaze=np.stack([drift(face, 0.25, 1.5), drift(face, 0.12, 1.5)], axis=1).clip(-0.6, 0.6),
        blink=blinks(face, times, script.length),
        talk=(0.45 + drift(face, 0.4, 0.22)).clip(0, 1) * speaking(script, times),  # syllables: four to five a second
        round=drift(face, 0.6, 0.35).clip(-1, 1) * speaking(script, times),
        light=np.stack(
            [light.uniform(-0.5, 0.5) + drift(light, 0.12, 9.0), people.lamp + drift(light, 0.08, 9.0)], axis=1
        ),
        exposure=people.exposure * (1 + drift(light, 0.025, 6.0)),
        cover=sum((smoothstep(3 * plateau(times, s, e, 0.3)) for s, e in script.hidden), np.zeros(len(times))),
        by_hand=bool(hide.random() < 0.5),
        grain=hide.integers(0, 64, (len(times), 2)),
    )


def blinks(rng: np.random.Generator, times: np.ndarray, length: float) -> np.ndarray:
    """Closing of the lids (f,): a blink of 0.25 s every 4 s, the rate of people in conversation."""
    starts = np.cumsum(0.6 + rng.exponential(3.4, 4 + int(length)))
    return np.max([plateau(times, s, s + 0.25, 0.1) for s in starts], axis=0)


@dataclass(frozen=True)
class Expression:
    """Positions of the movable parts, in units; all zero is a neutral face that neither talks nor blinks.

    The last four show liking and nothing else does; they run from 0 to 1.
    """

    brow_raise: float
    brow_inner: float  # rise of the inner ends alone; negative is a frown
    eye_open: float  # log of the factor on the opening
    blink: float
    gaze: tuple[float, float]
    corner_raise: float
    mouth_open: float
    mouth_wide: float  # log of the factor on the width
    lip_full: float  # log of the factor on the thickness
    cheek_raise: float
    nose_wrinkle: float
    dimple: float  # beside the corners of the mouth
    chin_raise: float


def expression(affect: np.ndarray, state: Nuisance, i: int) -> Expression:
    """Affect (2 regions, 2 or 3) and the talking of frame i as positions: valence curves and slants, arousal opens.

    The sizes are those of clear, not extreme, expressions: brows rise by up to half their distance to the eye,
    the corners of a full smile by a fifth of the eye distance. Liking, where it is shown, raises the cheeks or
    dimples the mouth, disliking wrinkles the nose or raises the chin, depending on the region.
    """
    (arousal, valence), (excited, pleased) = affect[UPPER, :2], affect[LOWER, :2]
    liked_above, liked_below = affect[UPPER, 2:].sum(), affect[LOWER, 2:].sum()  # 0 where there are only two values
    return Expression(
        brow_raise=0.10 * arousal + 0.03 * valence,
        brow_inner=0.13 * valence,
        eye_open=0.45 * arousal,
        blink=state.blink[i],
        gaze=(state.gaze[i, 0], state.gaze[i, 1]),
        corner_raise=0.20 * pleased,
        mouth_open=0.15 * state.talk[i] + 0.24 * max(excited, 0.0),
        mouth_wide=0.16 * pleased - 0.10 * state.round[i],
        lip_full=0.45 * min(excited, 0.0),  # low arousal cannot close a closed mouth: it presses the lips
        cheek_raise=max(liked_above, 0.0),
        nose_wrinkle=max(-liked_above, 0.0),
        dimple=max(liked_below, 0.0),
        chin_raise=max(-liked_below, 0.0),
    )


def action_units(now: Expression) -> np.ndarray:
    """FACS intensities (17,), from 0 (absent) to 5 (about the most that `expression` asks for).

    In the order of datasets.openface.ACTION_UNITS.
    """
    inner = now.brow_raise + now.brow_inner
    shares = (
        inner / 0.20,  # AU01
        now.brow_raise / 0.12,  # AU02
        -inner / 0.20,  # AU04
        now.eye_open / 0.45,  # AU05
        now.cheek_raise + 1.5 * max(now.corner_raise, 0.0),  # AU06; a full smile pushes the cheeks up too, if less
        -now.eye_open / 0.45,  # AU07
        now.nose_wrinkle,  # AU09
        0.0,  # AU10, the upper lip alone, which these faces never raise
        now.corner_raise / 0.20,  # AU12
        now.dimple,  # AU14
        -now.corner_raise / 0.20,  # AU15
        now.chin_raise,  # AU17
        (now.mouth_wide - 0.8 * now.corner_raise) / 0.15,  # AU20: what talking spreads, beyond a smile
        -now.lip_full / 0.45,  # AU23
        now.mouth_open / 0.20,  # AU25
        (now.mouth_open - 0.08) / 0.30,  # AU26
        now.blink,  # AU45
    )
    return 5 * np.clip(shares, 0, 1)


# The parts as curves in units: u runs from -1 to 1 along the part, from the left end to the right one.

ALONG = np.linspace(-1, 1, 17)
LIP_EDGES = ("top", "upper", "lower", "bottom")  # upper and lower are the inner edges
NOSE_DEPTH = np.array([0.08, 0.16, 0.25, 0.34, 0.06, 0.12, 0.18, 0.12, 0.06])  # in front of the skin around it
RIM = np.stack([np.cos(np.linspace(0, 2 * np.pi, 33)), np.sin(np.linspace(0, 2 * np.pi, 33))], axis=1)  # of glasses

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


def brow(who: Identity, now: Expression, side: int, u: np.ndarray) -> np.ndarray:
    """Middle line (n, 2) of a brow; u = -1 is its left end in the picture, side -1 the left brow."""
    inward = -side * u
    rise = 0.34 * who.brow_height + 0.07 * arch(u - 0.25 * side) - 0.01 * inward
    rise = rise + now.brow_raise + now.brow_inner * (0.5 + 0.5 * inward) ** 1.5
    return np.stack([side * (0.54 - 0.02 * rise) + 0.35 * u - 0.02 * side * now.brow_inner, -rise], axis=1)


def eye(who: Identity, now: Expression, side: int, u: np.ndarray, lid: int) -> np.ndarray:
    """Edge (n, 2) of the upper (lid -1) or lower (lid 1) lid."""
    opening = who.eye_size * np.exp(now.eye_open) * (1 - 0.93 * now.blink)
    height = (0.105 if lid < 0 else 0.055 - 0.05 * now.cheek_raise) * opening
    tilt = 0.015 * u * -side + (0.05 * now.blink * arch(u) if lid < 0 else 0.0)
    return np.stack([side * 0.5 + 0.205 * u, tilt + lid * height * arch(u, 0.8)], axis=1)


def lip(who: Identity, now: Expression, u: np.ndarray, edge: str) -> np.ndarray:
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


def nose(who: Identity, now: Expression) -> np.ndarray:
    """The nine marks (9, 2) of bridge and base; wrinkling lifts the base."""
    long, wide = who.nose_length, who.nose_width
    bridge = [(0, -0.02), (0, 0.21 * long), (0, 0.40 * long), (0, 0.58 * long)]
    base = [(-0.22 * wide, 0.71), (-0.12 * wide, 0.75), (0, 0.78), (0.12 * wide, 0.75), (0.22 * wide, 0.71)]
    return np.array(bridge + [(x, y * long - 0.06 * now.nose_wrinkle) for x, y in base])


def jaw(who: Identity, count: int = 17) -> np.ndarray:
    """The outline (count, 2) from ear to ear below the eyes, evenly spaced: an ellipse with some corner at the jaw."""
    angle = np.linspace(0, np.pi, 129)
    x = -np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.85 * 1.12 * who.face_width
    y = 0.02 + 1.86 * who.chin * np.sin(angle) ** 0.95
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.linspace(0, way[-1], count)
    return np.stack([np.interp(even, way, x), np.interp(even, way, y)], axis=1)


def curves(who: Identity, now: Expression) -> dict[str, np.ndarray]:
    """All parts that turn with the head, (n, 2) each, head upright and frontal."""
    parts = {"nose": nose(who, now), "pupils": np.array([(-0.5, -0.025), (0.5, -0.025)]) + np.array(now.gaze) * 0.09}
    for side, name in ((-1, "left"), (1, "right")):
        parts[f"{name} brow"] = brow(who, now, side, ALONG)
        parts[f"{name} upper lid"] = eye(who, now, side, ALONG, -1)
        parts[f"{name} lower lid"] = eye(who, now, side, ALONG, 1)
    return parts | {edge: lip(who, now, ALONG, edge) for edge in LIP_EDGES}


def turned(parts: dict[str, np.ndarray], turn: np.ndarray) -> dict[str, np.ndarray]:
    """The parts after a small turn of the head (yaw, pitch): what lies in front moves farther."""
    points = np.concatenate(list(parts.values()))
    x, y = points.T
    depth = 1.1 * np.sqrt(np.maximum(1 - (x / 1.3) ** 2 - ((y - 0.3) / 2.2) ** 2, 0.05))
    depth[: len(NOSE_DEPTH)] += NOSE_DEPTH  # the nose comes first
    cuts = np.cumsum([len(part) for part in parts.values()])[:-1]
    return dict(zip(parts, np.split(points + depth[:, None] * np.sin(turn), cuts)))


def landmarks(outline: np.ndarray, parts: dict[str, np.ndarray]) -> np.ndarray:
    """The 68 landmarks (68, 2) of the common scheme from the jaw (17, 2) and the parts, in units."""
    return np.concatenate([outline, *(parts[name][chosen] for name, chosen in LANDMARKS)])


def pixels(canvas: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Units to OpenCV's fixed-point coordinates; a canvas of half the size shows the same face."""
    zoom = canvas.shape[1] / CANVAS[0] * 2**SHIFT
    return (points * (UNIT * zoom) + ORIGIN * zoom).astype(np.int32)


def ink(colour) -> tuple[float, ...]:
    """A colour or a grey value as OpenCV wants it, opaque on sheets."""
    return (*colour, 255) if isinstance(colour, (tuple, np.ndarray)) else (colour,)


def fill(canvas: np.ndarray, points: np.ndarray, colour) -> None:
    """A filled, anti-aliased polygon; points in units."""
    cv2.fillPoly(canvas, [pixels(canvas, points)], ink(colour), cv2.LINE_AA, SHIFT)


def disc(canvas: np.ndarray, centre, axes, colour) -> None:
    """A filled, anti-aliased ellipse; centre and half axes in units."""
    centre = pixels(canvas, np.asarray(centre)).tolist()
    half = [int(a * UNIT * canvas.shape[1] / CANVAS[0] * 2**SHIFT) for a in axes]
    cv2.ellipse(canvas, centre, half, 0, 0, 360, ink(colour), cv2.FILLED, cv2.LINE_AA, SHIFT)


def line(canvas: np.ndarray, points: np.ndarray, colour, width: int) -> None:
    """An anti-aliased line; points in units, width in canvas pixels."""
    cv2.polylines(canvas, [pixels(canvas, points)], False, ink(colour), width, cv2.LINE_AA, SHIFT)


def band(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The polygon between two edges that both run from left to right."""
    return np.concatenate([upper, lower[::-1]])


# What is painted once.

THROAT = np.array([(-0.5, 1.2), (0.5, 1.2), (0.78, 2.5), (-0.78, 2.5)])  # long hair leaves it free


def outline(who: Identity) -> np.ndarray:
    """The whole head (n, 2): jaw and skull."""
    angle = np.linspace(0, np.pi, 33)
    skull = np.stack([np.cos(angle) * 1.12 * who.face_width, 0.02 - 1.50 * np.sin(angle) ** 0.9], axis=1)
    return np.concatenate([jaw(who, 41), skull])


def paint_head(rng: np.random.Generator, who: Identity) -> np.ndarray:
    """Skin, ears and hair without features, a BGRA sheet (h, w, 4) uint8."""
    canvas = np.empty((CANVAS[1], CANVAS[0], 3), np.uint8)
    canvas[:] = np.clip(who.hair * 0.8, 0, 255)
    opacity = np.zeros(canvas.shape[:2], np.uint8)
    hair = hair_shapes(rng, who)
    for shape, kept in zip([*hair["behind"], THROAT, outline(who)], [255] * len(hair["behind"]) + [0, 255]):
        fill(opacity, shape, kept)
    for side in (-1, 1):
        ear = (side * 1.13 * who.face_width, 0.25), (0.13, 0.30)
        disc(canvas, *ear, who.skin * 0.86)
        disc(canvas, (ear[0][0], 0.27), (0.06, 0.18), who.skin * 0.70)
        disc(opacity, *ear, 255)
    fill(canvas, outline(who), who.skin)
    blush(canvas, who)
    if who.stubble:
        shade_beard(canvas, who)
    strands = paint_strands(rng, who)
    for shape in hair["front"]:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        fill(mask, shape, 255)
        canvas = blend(canvas, strands, cv2.GaussianBlur(mask, (5, 5), 0))
        opacity = np.maximum(opacity, mask)
    behind = opacity.copy()
    fill(behind, outline(who), 0)
    for side in (-1, 1):
        disc(behind, (side * 1.13 * who.face_width, 0.25), (0.13, 0.30), 0)
    return cv2.merge([blend(canvas, strands, behind), opacity])


def hair_shapes(rng: np.random.Generator, who: Identity) -> dict[str, list[np.ndarray]]:
    """Polygons of the hair in front of and behind the head: fringe, parting, high or receding; long for most women."""
    wide, angle = 1.12 * who.face_width, np.linspace(0, np.pi, 25)
    volume = 1.06 + 0.06 * who.woman
    tuft = volume + rng.normal(0, 0.012, 25)
    dome = np.stack([np.cos(angle) * wide * tuft, -0.1 - 1.50 * tuft * np.sin(angle) ** 0.85], axis=1)
    line_height = (0.72, 0.84, 0.95, 1.16)[who.style]
    dip = (0.0, 0.22, 0.10, 0.0)[who.style]
    x, jag = np.linspace(-1, 1, 61), rng.normal(0, 0.025, 61)
    hairline = np.stack(
        [x * wide, -line_height - dip * np.sin(2 * x) + 0.85 * np.abs(x) ** (7 - who.style) + jag], axis=1
    )
    front = [np.concatenate([dome, hairline])]
    behind = [dome]
    if who.woman:
        long = (1.15, 1.75, 2.1, 0.6)[who.style]
        y = np.linspace(-0.6, long, 40)
        spread = wide * (1.17 + 0.05 * np.sin(3 * y)) * (1 - 0.5 * np.linspace(0, 1, 40) ** 9)
        behind.append(np.concatenate([np.stack([-spread, y], 1), np.stack([spread, y], 1)[::-1]]))
    return {"front": front, "behind": behind}


def paint_strands(rng: np.random.Generator, who: Identity) -> np.ndarray:
    """A texture (h, w, 3) of hair: noise drawn out along the strands, lighter on top."""
    noise = rng.normal(0, 1, (CANVAS[1], CANVAS[0])).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=1.2, sigmaY=9) * 5
    shine = np.exp(-(((np.arange(CANVAS[1]) - 48) / 30) ** 2))[:, None]
    side = 1 - 0.3 * np.abs(np.linspace(-1, 1, CANVAS[0])) ** 2  # the surface turns away
    return np.clip(who.hair * ((1 + 0.20 * noise + 0.25 * shine) * side)[..., None], 0, 255).astype(np.uint8)


def blush(canvas: np.ndarray, who: Identity) -> None:
    """Redder cheeks and nose, on the skin."""
    weight = np.zeros(canvas.shape[:2], np.uint8)
    for x in (-0.62, 0.62):
        disc(weight, (x, 0.62), (0.34, 0.26), 255)
    disc(weight, (0, 0.6), (0.16, 0.2), 160)
    weight = cv2.GaussianBlur(weight, (0, 0), 12)
    canvas[:] = blend(canvas, np.full_like(canvas, np.clip(who.skin * (0.86, 0.86, 1.0), 0, 255)), weight)


def shade_beard(canvas: np.ndarray, who: Identity) -> None:
    """Stubble around mouth and chin."""
    weight = np.zeros(canvas.shape[:2], np.uint8)
    fill(
        weight,
        band(np.array([(-1.0, 0.65), (-0.45, 0.92), (0.45, 0.92), (1.0, 0.65)]), jaw(who, 41)),
        255 * who.stubble * 2,
    )
    weight = cv2.GaussianBlur(weight, (0, 0), 7)
    canvas[:] = blend(canvas, np.full_like(canvas, np.clip(who.hair * 0.7 + 20, 0, 255)), weight)


def blend(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """`over` on `under`, both (h, w, 3) uint8, where opacity (h, w) uint8 is high."""
    weight = cv2.merge([opacity] * 3)
    kept = cv2.multiply(under, cv2.bitwise_not(weight), scale=1 / 255)
    return cv2.add(kept, cv2.multiply(over, weight, scale=1 / 255))


def paint_room(rng: np.random.Generator, who: Identity) -> np.ndarray:
    """The wall behind with a few things on it, out of focus: (240, 320, 3) uint8."""
    fall = np.linspace(1.08, 0.86, WIDTH)[None, :, None] * np.linspace(1.04, 0.92, HEIGHT)[:, None, None]
    room = np.clip(who.wall * fall, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(3, 7)):  # frames, shelves, a door
        x, y, w, h = rng.uniform((-20, -20, 20, 20), (300, 150, 110, 130)).astype(int)
        colour = np.clip(who.wall * rng.uniform(0.45, 1.15) + rng.normal(0, 8, 3), 0, 255)
        cv2.rectangle(room, (x, y), (x + w, y + h), tuple(colour), cv2.FILLED)
        cv2.rectangle(room, (x, y), (x + w, y + h), tuple(colour * 0.7), 2)
    return cv2.GaussianBlur(room, (0, 0), 2.2)


def paint_body(rng: np.random.Generator, who: Identity) -> np.ndarray:
    """Neck and shoulders for a face in the middle of the frame, from row BODY_TOP on and with rows to spare: BGRA."""
    size, middle, tall = who.distance, WIDTH / 2, HEIGHT + 40
    body, opacity = np.zeros((tall, WIDTH, 3), np.uint8), np.zeros((tall, WIDTH), np.uint8)
    chin = HEIGHT * EYES_AT + 1.86 * who.chin * size
    neck = np.array([(-0.62, -0.9), (0.62, -0.9), (0.70, 0.60), (-0.70, 0.60)]) * size + (middle, chin)
    x = np.linspace(-1, 1, 41)
    wide = 2.7 if who.woman else 3.1
    top = chin + (0.16 + 0.95 * np.abs(x) ** 2.6) * size + np.where(np.abs(x) < 0.22, 0.25 * size * arch(x / 0.22), 0)
    shoulders = np.concatenate([np.stack([middle + x * wide * size, top], 1), [(2 * WIDTH, 999), (-WIDTH, 999)]])
    body[:] = np.clip(who.skin * 0.74, 0, 255)
    body[: int(chin + 0.15 * size)] = np.clip(who.skin * 0.60, 0, 255)  # the shadow of the chin
    body = cv2.GaussianBlur(body, (0, 0), 5)
    shirt = np.zeros_like(opacity)
    cv2.fillPoly(shirt, [np.round(shoulders * 16).astype(np.int32)], 255, cv2.LINE_AA, SHIFT)
    cv2.fillPoly(opacity, [np.round(neck * 16).astype(np.int32)], 255, cv2.LINE_AA, SHIFT)
    folds = cv2.GaussianBlur(rng.normal(0, 1, (tall, WIDTH)).astype(np.float32), (0, 0), sigmaX=7, sigmaY=16) * 12
    round_off = 1.05 - 0.35 * np.abs(np.linspace(-1, 1, WIDTH)) ** 2
    cloth = np.clip(who.shirt * (round_off + 0.10 * folds)[..., None], 0, 255).astype(np.uint8)
    return cv2.merge([blend(body, cloth, shirt), np.maximum(opacity, shirt)])[BODY_TOP:]


def paint_hand(who: Identity) -> np.ndarray:
    """A hand that covers the face, on a frame-sized sheet with the palm in the middle: BGRA (240, 320, 4)."""
    size, palm = who.distance, np.array([WIDTH / 2, HEIGHT / 2])
    hand, opacity = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    hand[:] = np.clip(who.skin * 0.80, 0, 255)
    reach = [(-0.95, -0.75), (-0.50, -1.45), (-0.05, -1.60), (0.42, -1.45), (0.95, 0.05)]
    roots = [(-0.60, 0.1), (-0.33, -0.1), (0.0, -0.1), (0.36, -0.05), (0.5, 0.7)]
    parts = [((0, 2.8), (0, 0.9), 1.2), ((-0.1, 0.8), (-0.1, 0.2), 1.75), *((r, t, 0.52) for r, t in zip(roots, reach))]
    for root, tip, thick in parts:
        ends = [tuple(np.round((palm + np.array(p) * size) * 16).astype(int).tolist()) for p in (root, tip)]
        cv2.line(opacity, *ends, 255, int(thick * size), cv2.LINE_AA, SHIFT)
        cv2.line(hand, *ends, tuple(np.clip(who.skin * 0.66, 0, 255)), int(thick * size), cv2.LINE_AA, SHIFT)
        cv2.line(
            hand, *ends, tuple(np.clip(who.skin * 0.90, 0, 255)), max(1, int(thick * size * 0.82)), cv2.LINE_AA, SHIFT
        )
    return cv2.merge([cv2.GaussianBlur(hand, (0, 0), 2.0), opacity])


def normals(who: Identity) -> np.ndarray:
    """Directions (3, h, w) float32 of the head's surface, an ellipsoid, at half the canvas' size."""
    y, x = np.mgrid[0 : CANVAS[1] : 2, 0 : CANVAS[0] : 2].astype(np.float32)
    x, y = (x - ORIGIN[0]) / UNIT / (1.34 * who.face_width), ((y - ORIGIN[1]) / UNIT - 0.2) / 2.05
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0.03))
    return np.stack([x, y, z]).astype(np.float32)


class Camera:
    """Renders one person: paints what stays once, then a frame at a time. Sheets are BGRA."""

    def __init__(self, rng: np.random.Generator, who: Identity):
        self.who = who
        self.head, self.body, self.hand = paint_head(rng, who), paint_body(rng, who), paint_hand(who)
        self.room = paint_room(rng, who)
        self.jaw, self.normals = jaw(who), normals(who)
        grain = rng.normal(128, 2.0, (HEIGHT + 64, WIDTH + 64))
        self.grain = cv2.merge([np.round(grain).astype(np.uint8)] * 3)

    def frame(self, state: Nuisance, i: int, affect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Frame i with affect (2, 2 or 3) on the face: (240, 320, 3) uint8 BGR, landmarks (68, 2) float32 in pixels."""
        return self.shot(expression(affect, state, i), state, i)

    def shot(self, now: Expression, state: Nuisance, i: int) -> tuple[np.ndarray, np.ndarray]:
        """As `frame`, with the expression `now` on the face."""
        parts = turned(curves(self.who, now), state.turn[i])
        place = self.placement(state, i)
        image = self.compose(self.draw_head(now, parts, state.light[i]), place, state, i)
        points = landmarks(self.jaw, parts) * UNIT + ORIGIN
        return self.expose(image, state, i), (points @ place[:, :2].T + place[:, 2]).astype(np.float32)

    def draw_head(self, now: Expression, parts: dict[str, np.ndarray], light: np.ndarray) -> np.ndarray:
        """The lit head with its features, a BGRA sheet."""
        sheet = self.head.copy()
        draw_eyes(sheet, self.who, parts)
        draw_mouth(sheet, self.who, now, parts)
        draw_nose(sheet, self.who, parts)
        draw_brows(sheet, self.who, now, parts)
        draw_liking(sheet, self.who, now, parts)
        shade = self.shade(light, relief(self.who, now, parts, light))
        return cv2.multiply(sheet, cv2.merge([shade, shade, shade, np.full_like(shade, 128)]), scale=1 / 128)

    def shade(self, light: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """How bright the head is, (h, w) uint8 in units of 1/128: light from above and a side, times the relief.

        Both are smooth, so they are calculated at half size.
        """
        x, y, z = self.normals
        direction = np.array([light[0], light[1], 1.0]) / np.sqrt(1 + light @ light)
        lit = cv2.addWeighted(x, direction[0] * 0.6, y, direction[1] * 0.6, 0.45)
        lit = cv2.addWeighted(lit, 1.0, z, direction[2] * 0.62, 0.0)
        return cv2.resize(cv2.convertScaleAbs(cv2.multiply(lit, soft)), CANVAS)

    def placement(self, state: Nuisance, i: int) -> np.ndarray:
        """The affine map (2, 3) from the canvas to the frame."""
        scale = self.who.distance * state.scale[i] / UNIT
        c, s = scale * np.cos(state.roll[i]), scale * np.sin(state.roll[i])
        linear = np.array([[c, -s], [s, c]])
        centre = (WIDTH / 2, HEIGHT * EYES_AT) + self.who.seat + state.shift[i] + self.lean(state, i)
        return np.column_stack([linear, centre - linear @ ORIGIN])

    def lean(self, state: Nuisance, i: int) -> np.ndarray:
        """How far (2,) the person has leaned out of the picture."""
        side = np.sign(self.who.seat[0]) or 1.0
        return np.array([0.0 if state.by_hand else side * 240 * state.cover[i], 0.0])

    def compose(self, head: np.ndarray, place: np.ndarray, state: Nuisance, i: int) -> np.ndarray:
        """Room, body, head and, if it hides the face, the hand."""
        image = self.room.copy()
        follow = self.who.seat + 0.5 * state.shift[i] + self.lean(state, i)
        paste(image, self.body, np.column_stack([np.eye(2), follow + (0, BODY_TOP)]))
        paste(image, head, place)
        if state.by_hand and state.cover[i] > 0:
            face = place[:, :2] @ (ORIGIN + (0, 0.5 * UNIT)) + place[:, 2]
            rise = face - (WIDTH / 2, HEIGHT / 2) + (0, 260 * (1 - state.cover[i]))
            paste(image, self.hand, np.column_stack([np.eye(2), rise]))
        return image

    def expose(self, image: np.ndarray, state: Nuisance, i: int) -> np.ndarray:
        """Lens and sensor: slight blur, exposure, noise."""
        y, x = state.grain[i]
        grain = self.grain[y : y + HEIGHT, x : x + WIDTH]
        return cv2.addWeighted(cv2.GaussianBlur(image, (3, 3), 0.55), state.exposure[i], grain, 1.0, -128)


def paste(image: np.ndarray, sheet: np.ndarray, place: np.ndarray) -> None:
    """Draw a BGRA sheet onto the image through the affine map `place` (2, 3); only the part that it reaches is touched."""
    height, width = sheet.shape[:2]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ place[:, :2].T + place[:, 2]
    x0, y0 = np.floor(corners.min(0)).clip(0).astype(int).tolist()
    x1, y1 = np.ceil(corners.max(0)).clip(0, (WIDTH, HEIGHT)).astype(int).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    local, size = place - [[0, 0, x0], [0, 0, y0]], (x1 - x0, y1 - y0)
    over = cv2.warpAffine(sheet, local, size)
    part = image[y0:y1, x0:x1]
    part[:] = blend(part, cv2.cvtColor(over, cv2.COLOR_BGRA2BGR), cv2.extractChannel(over, 3))


def draw_eyes(sheet: np.ndarray, who: Identity, parts: dict[str, np.ndarray]) -> None:
    """Sclera, iris, pupil and glint inside the lids; lashes, crease, and glasses if there are any."""
    lids = [(parts[f"{side} upper lid"], parts[f"{side} lower lid"]) for side in ("left", "right")]
    inside, ball = np.zeros(sheet.shape[:2], np.uint8), sheet.copy()
    for (upper, lower), pupil in zip(lids, parts["pupils"]):
        fill(inside, band(upper, lower), 255)
        fill(ball, band(upper - (0, 0.05), lower + (0, 0.05)), (212, 217, 222))
        disc(ball, pupil, (0.105, 0.105), who.iris * 0.6)
        disc(ball, pupil, (0.088, 0.088), who.iris)
        disc(ball, pupil, (0.045, 0.045), DARK)
        disc(ball, pupil + (0.03, -0.035), (0.018, 0.018), (250, 250, 250))
    cv2.copyTo(ball, inside, sheet)
    for upper, lower in lids:
        line(sheet, lower, who.skin * 0.62, 1)
        line(sheet, upper - (0, 0.055), who.skin * 0.66, 2)
        line(sheet, upper, DARK, 3 + who.woman)
    if who.glasses:
        draw_glasses(sheet, *(0.5 * (upper[[0, -1]].sum(0)) for upper, _ in lids))


def draw_glasses(sheet: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Round rims around the centres of both eyes (2,), and the bridge."""
    for centre in (left, right):
        line(sheet, centre + RIM * (0.36, 0.26) + (0, 0.02), DARK, 2)
    line(sheet, 0.5 * (left + right) + [(-0.15, 0.0), (0, -0.05), (0.15, 0.0)], DARK, 2)


def draw_brows(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """Brows that taper outwards; a frown also folds the skin between them."""
    colour = np.minimum(who.hair * 0.75, who.skin * 0.6)
    for side, name in ((-1, "left"), (1, "right")):
        thick = 0.055 * who.brow_weight * (0.55 - 0.45 * side * ALONG) * arch(ALONG * 0.93, 0.4)
        half = np.stack([np.zeros_like(thick), thick], axis=1)
        fill(sheet, band(parts[f"{name} brow"] - half, parts[f"{name} brow"] + half), colour)
        if now.brow_inner < -0.03:
            fold = parts["nose"][0] + np.array([(side * 0.08, -0.32), (side * 0.065, -0.14)])
            line(sheet, fold, who.skin * (1 + 3 * now.brow_inner), 2)


def draw_nose(sheet: np.ndarray, who: Identity, parts: dict[str, np.ndarray]) -> None:
    """Nostrils and wings; the bridge is shading, see `relief`."""
    points = parts["nose"]
    for nostril, wing, side in ((5, 4, -1), (7, 8, 1)):
        disc(sheet, points[nostril] + (0, -0.022), (0.062 * who.nose_width, 0.03), who.skin * 0.38)
        line(sheet, points[wing] + [(0.0, -0.12), (side * 0.03, -0.05), (0.0, 0.0)], who.skin * 0.66, 2)
    line(sheet, points[5:8] + (0, 0.012), who.skin * 0.64, 2)


def draw_mouth(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """Lips, and between them teeth and the dark of the mouth."""
    top, upper, lower, bottom = (parts[edge] for edge in LIP_EDGES)
    fill(sheet, band(top, bottom), who.lips * 0.95)
    fill(sheet, band(top, upper), who.lips * 0.82)
    line(sheet, bottom[3:-3] + (0, 0.02), who.skin * 0.78, 2)
    if now.mouth_open > 0.02:
        fill(sheet, band(upper, lower), (34, 30, 62))
        height = np.minimum(0.07 * arch(ALONG), 0.55 * (lower - upper)[:, 1])
        teeth = upper + np.stack([np.zeros_like(height), height], axis=1)
        fill(sheet, band(upper[2:-2], teeth[2:-2]), (205, 214, 220))
    line(sheet, upper, who.lips * 0.42, 2)
    for corner in upper[[0, -1]]:
        disc(sheet, corner, (0.025, 0.025), who.lips * 0.5)


def draw_liking(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """The creases of raised cheeks, wrinkled nose, dimples and raised chin; each deepens from the colour of the skin."""
    crease = lambda depth: who.skin * (1 - 0.45 * depth)  # noqa: E731
    if now.cheek_raise > 0:
        for side, name in ((-1, "left"), (1, "right")):
            lid = parts[f"{name} lower lid"]
            line(sheet, lid[3:-3] + (0, 0.08), crease(now.cheek_raise), 2)
            for end in (-0.09, 0.0, 0.09):  # crow's feet
                fan = lid[0 if side < 0 else -1] + np.array([(0.06 * side, 0.3 * end), (0.22 * side, end)])
                line(sheet, fan, crease(now.cheek_raise), 1)
    if now.nose_wrinkle > 0:
        for y in (0.02, 0.10, 0.18):
            line(sheet, parts["nose"][0] + [(-0.10, y + 0.03), (0.0, y), (0.10, y + 0.03)], crease(now.nose_wrinkle), 2)
    if now.dimple > 0:
        for side, end in ((-1, 0), (1, -1)):
            corner = parts["upper"][end]
            line(
                sheet, corner + np.array([(0.08, -0.12), (0.13, 0.0), (0.08, 0.12)]) * (side, 1), crease(now.dimple), 3
            )
    if now.chin_raise > 0:
        chin = parts["bottom"][8] + (0, 0.16)
        line(sheet, chin + np.array([(-0.24, 0.07), (0.0, 0.0), (0.24, 0.07)]), crease(now.chin_raise), 3)
        for x, y in ((-0.12, 0.14), (0.0, 0.11), (0.12, 0.14), (-0.06, 0.2), (0.06, 0.2)):
            disc(sheet, chin + (x, y), (0.025, 0.02), crease(now.chin_raise))


def relief(who: Identity, now: Expression, parts: dict[str, np.ndarray], light: np.ndarray) -> np.ndarray:
    """Soft shading of nose, sockets, cheeks and lips: float32 about 128, of half the canvas' size."""
    soft = np.full((CANVAS[1] // 2, CANVAS[0] // 2), 128, np.uint8)
    bridge, wide, smile = parts["nose"], who.nose_width, max(now.corner_raise, 0)
    lift = smile + 0.5 * now.cheek_raise
    for side, name, end in ((-1, "left", 0), (1, "right", -1)):
        lid, corner = parts[f"{name} lower lid"], parts["upper"][end]
        disc(soft, 0.5 * (lid[0] + lid[-1]) + (0, -0.12), (0.33, 0.17), 104)
        disc(soft, bridge[2] + (side * 0.60, 0.18 - 0.3 * lift), (0.26, 0.17), 136 + 40 * lift)
        flank = bridge[0] + np.array([(0.06, 0.0), (0.20 * wide, 0.58), (0.26 * wide, 0.70), (0.02, 0.60)]) * (side, 1)
        fill(soft, flank, 88 if side * light[0] > 0 else 112)
        fold = [
            bridge[6] + (side * 0.27 * wide, -0.1),
            corner * (1, 0.5) + (side * 0.10, 0.40),
            corner + (side * 0.12, 0.06),
        ]
        line(soft, np.array(fold), 110 - 160 * smile, 2)  # from the nose to the mouth; a smile deepens it
    line(soft, bridge[:4], 158, 3)
    disc(soft, bridge[3] + (0, 0.01), (0.10, 0.09), 156)
    line(soft, bridge[4:] + (0, 0.04), 76, 3)
    disc(soft, parts["bottom"][8] + (0, 0.10), (0.22, 0.05), 98)
    return cv2.GaussianBlur(soft, (9, 9), 1.6).astype(np.float32)


def region_boxes(points: np.ndarray) -> np.ndarray:
    """Boxes (..., 2, 4) as x0, y0, x1, y1 of both regions around landmarks (..., 68, 2)."""
    margin = 0.15 * np.linalg.norm(points[..., 36:42, :].mean(-2) - points[..., 42:48, :].mean(-2), axis=-1)[..., None]
    parts = (np.r_[17:27, 36:48], np.r_[48:68])  # brows and eyes, mouth
    boxes = [
        np.concatenate([points[..., p, :].min(-2) - margin, points[..., p, :].max(-2) + margin], -1) for p in parts
    ]
    return np.stack(boxes, axis=-2).astype(np.float32)
