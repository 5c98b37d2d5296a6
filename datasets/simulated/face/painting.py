"""What is painted once for a person: head and hair, room, body, hand. Sheets are BGRA."""

import cv2
import numpy as np

from datasets.simulated.face.canvas import CANVAS, HEIGHT, SHIFT, WIDTH, blend, draw_disc, fill, join_edges
from datasets.simulated.face.geometry import arch, shape_jaw, shape_outline
from datasets.simulated.face.people import Identity

EYES_AT = 0.44  # height of the eyes in the frame
BODY_TOP = 130  # row of the frame above which no neck reaches
THROAT = np.array([(-0.5, 1.2), (0.5, 1.2), (0.78, 2.5), (-0.78, 2.5)])  # long hair leaves it free


def paint_head(rng: np.random.Generator, who: Identity) -> np.ndarray:
    """Skin, ears and hair without features, a BGRA sheet (h, w, 4) uint8."""
    canvas = np.empty((CANVAS[1], CANVAS[0], 3), np.uint8)
    canvas[:] = np.clip(who.hair * 0.8, 0, 255)
    opacity = np.zeros(canvas.shape[:2], np.uint8)
    hair = shape_hair(rng, who)
    for shape, kept in zip([*hair["behind"], THROAT, shape_outline(who)], [255] * len(hair["behind"]) + [0, 255]):
        fill(opacity, shape, kept)
    for side in (-1, 1):
        ear = (side * 1.13 * who.face_width, 0.25), (0.13, 0.30)
        draw_disc(canvas, *ear, who.skin * 0.86)
        draw_disc(canvas, (ear[0][0], 0.27), (0.06, 0.18), who.skin * 0.70)
        draw_disc(opacity, *ear, 255)
    fill(canvas, shape_outline(who), who.skin)
    paint_blush(canvas, who)
    if who.stubble:
        shade_beard(canvas, who)
    strands = paint_strands(rng, who)
    for shape in hair["front"]:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        fill(mask, shape, 255)
        canvas = blend(canvas, strands, cv2.GaussianBlur(mask, (5, 5), 0))
        opacity = np.maximum(opacity, mask)
    behind = opacity.copy()
    fill(behind, shape_outline(who), 0)
    for side in (-1, 1):
        draw_disc(behind, (side * 1.13 * who.face_width, 0.25), (0.13, 0.30), 0)
    return cv2.merge([blend(canvas, strands, behind), opacity])


def shape_hair(rng: np.random.Generator, who: Identity) -> dict[str, list[np.ndarray]]:
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


def paint_blush(canvas: np.ndarray, who: Identity) -> None:
    """Redder cheeks and nose, on the skin."""
    weight = np.zeros(canvas.shape[:2], np.uint8)
    for x in (-0.62, 0.62):
        draw_disc(weight, (x, 0.62), (0.34, 0.26), 255)
    draw_disc(weight, (0, 0.6), (0.16, 0.2), 160)
    weight = cv2.GaussianBlur(weight, (0, 0), 12)
    canvas[:] = blend(canvas, np.full_like(canvas, np.clip(who.skin * (0.86, 0.86, 1.0), 0, 255)), weight)


def shade_beard(canvas: np.ndarray, who: Identity) -> None:
    """Stubble around mouth and chin."""
    weight = np.zeros(canvas.shape[:2], np.uint8)
    fill(
        weight,
        join_edges(np.array([(-1.0, 0.65), (-0.45, 0.92), (0.45, 0.92), (1.0, 0.65)]), shape_jaw(who, 41)),
        255 * who.stubble * 2,
    )
    weight = cv2.GaussianBlur(weight, (0, 0), 7)
    canvas[:] = blend(canvas, np.full_like(canvas, np.clip(who.hair * 0.7 + 20, 0, 255)), weight)


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
