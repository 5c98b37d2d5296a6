"""Films one person: paints what stays once, then a frame at a time.

The face is drawn on a canvas of its own, with the head turned by the parallax of its features, then placed in the frame.
"""

import cv2
import numpy as np

from datasets.simulated.face.canvas import CANVAS, HEIGHT, ORIGIN, UNIT, WIDTH, paste
from datasets.simulated.face.expression import Expression, form_expression
from datasets.simulated.face.features import draw_brows, draw_eyes, draw_liking, draw_mouth, draw_nose, shade_relief
from datasets.simulated.face.geometry import place_landmarks, shape_jaw, shape_parts, turn_head
from datasets.simulated.face.painting import BODY_TOP, EYES_AT, paint_body, paint_hand, paint_head, paint_room
from datasets.simulated.face.people import Identity, Nuisance


class Camera:
    """Renders one person: paints what stays once, then a frame at a time. Sheets are BGRA."""

    def __init__(self, rng: np.random.Generator, who: Identity):
        self.who = who
        self.head, self.body, self.hand = paint_head(rng, who), paint_body(rng, who), paint_hand(who)
        self.room = paint_room(rng, who)
        self.jaw, self.normals = shape_jaw(who), compute_normals(who)
        grain = rng.normal(128, 2.0, (HEIGHT + 64, WIDTH + 64))
        self.grain = cv2.merge([np.round(grain).astype(np.uint8)] * 3)

    def film(self, state: Nuisance, i: int, affect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Frame i with affect (2, 2 or 3) on the face: (240, 320, 3) uint8 BGR, landmarks (68, 2) float32 in pixels."""
        return self.shoot(form_expression(affect, state, i), state, i)

    def shoot(self, now: Expression, state: Nuisance, i: int) -> tuple[np.ndarray, np.ndarray]:
        """As `film`, with the expression `now` on the face."""
        parts = turn_head(shape_parts(self.who, now), state.turn[i])
        place = self.place(state, i)
        image = self.compose(self.draw_head(now, parts, state.light[i]), place, state, i)
        points = place_landmarks(self.jaw, parts) * UNIT + ORIGIN
        return self.expose(image, state, i), (points @ place[:, :2].T + place[:, 2]).astype(np.float32)

    def draw_head(self, now: Expression, parts: dict[str, np.ndarray], light: np.ndarray) -> np.ndarray:
        """The lit head with its features, a BGRA sheet."""
        sheet = self.head.copy()
        draw_eyes(sheet, self.who, parts)
        draw_mouth(sheet, self.who, now, parts)
        draw_nose(sheet, self.who, parts)
        draw_brows(sheet, self.who, now, parts)
        draw_liking(sheet, self.who, now, parts)
        shade = self.shade(light, shade_relief(self.who, now, parts, light))
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

    def place(self, state: Nuisance, i: int) -> np.ndarray:
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


def compute_normals(who: Identity) -> np.ndarray:
    """Directions (3, h, w) float32 of the head's surface, an ellipsoid, at half the canvas' size."""
    y, x = np.mgrid[0 : CANVAS[1] : 2, 0 : CANVAS[0] : 2].astype(np.float32)
    x, y = (x - ORIGIN[0]) / UNIT / (1.34 * who.face_width), ((y - ORIGIN[1]) / UNIT - 0.2) / 2.05
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0.03))
    return np.stack([x, y, z]).astype(np.float32)
