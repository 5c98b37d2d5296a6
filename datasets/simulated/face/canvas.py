"""Drawing in the units of a face, on a canvas of its own, and pasting that into the frame. Colours are BGR, sheets BGRA."""

import cv2
import numpy as np

WIDTH, HEIGHT = 320, 240
UNIT = 72  # canvas pixels per unit; the frame has about 50, so the warp also smooths edges
CANVAS = (260, 316)  # width and height
ORIGIN = np.array([130.0, 142.0])  # between the eyes, on the canvas
SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel


def convert_to_pixels(canvas: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Units to OpenCV's fixed-point coordinates; a canvas of half the size shows the same face."""
    zoom = canvas.shape[1] / CANVAS[0] * 2**SHIFT
    return (points * (UNIT * zoom) + ORIGIN * zoom).astype(np.int32)


def convert_colour(colour) -> tuple[float, ...]:
    """A colour or a grey value as OpenCV wants it, opaque on sheets."""
    return (*colour, 255) if isinstance(colour, (tuple, np.ndarray)) else (colour,)


def fill(canvas: np.ndarray, points: np.ndarray, colour) -> None:
    """A filled, anti-aliased polygon; points in units."""
    cv2.fillPoly(canvas, [convert_to_pixels(canvas, points)], convert_colour(colour), cv2.LINE_AA, SHIFT)


def draw_disc(canvas: np.ndarray, centre, axes, colour) -> None:
    """A filled, anti-aliased ellipse; centre and half axes in units."""
    centre = convert_to_pixels(canvas, np.asarray(centre)).tolist()
    half = [int(a * UNIT * canvas.shape[1] / CANVAS[0] * 2**SHIFT) for a in axes]
    cv2.ellipse(canvas, centre, half, 0, 0, 360, convert_colour(colour), cv2.FILLED, cv2.LINE_AA, SHIFT)


def draw_line(canvas: np.ndarray, points: np.ndarray, colour, width: int) -> None:
    """An anti-aliased line; points in units, width in canvas pixels."""
    cv2.polylines(canvas, [convert_to_pixels(canvas, points)], False, convert_colour(colour), width, cv2.LINE_AA, SHIFT)


def join_edges(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The polygon between two edges that both run from left to right."""
    return np.concatenate([upper, lower[::-1]])


def blend(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """`over` on `under`, both (h, w, 3) uint8, where opacity (h, w) uint8 is high."""
    weight = cv2.merge([opacity] * 3)
    kept = cv2.multiply(under, cv2.bitwise_not(weight), scale=1 / 255)
    return cv2.add(kept, cv2.multiply(over, weight, scale=1 / 255))


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
