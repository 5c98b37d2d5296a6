"""What is drawn anew in each frame: eyes, brows, nose, mouth, the creases of liking, and the shading of it all."""

import cv2
import numpy as np

from datasets.simulated.face.canvas import CANVAS, draw_disc, draw_line, fill, join_edges
from datasets.simulated.face.expression import Expression
from datasets.simulated.face.geometry import ALONG, LIP_EDGES, arch
from datasets.simulated.face.people import Identity

DARK = (24, 20, 22)
RIM = np.stack([np.cos(np.linspace(0, 2 * np.pi, 33)), np.sin(np.linspace(0, 2 * np.pi, 33))], axis=1)  # of glasses


def draw_eyes(sheet: np.ndarray, who: Identity, parts: dict[str, np.ndarray]) -> None:
    """Sclera, iris, pupil and glint inside the lids; lashes, crease, and glasses if there are any."""
    lids = [(parts[f"{side} upper lid"], parts[f"{side} lower lid"]) for side in ("left", "right")]
    inside, ball = np.zeros(sheet.shape[:2], np.uint8), sheet.copy()
    for (upper, lower), pupil in zip(lids, parts["pupils"]):
        fill(inside, join_edges(upper, lower), 255)
        fill(ball, join_edges(upper - (0, 0.05), lower + (0, 0.05)), (212, 217, 222))
        draw_disc(ball, pupil, (0.105, 0.105), who.iris * 0.6)
        draw_disc(ball, pupil, (0.088, 0.088), who.iris)
        draw_disc(ball, pupil, (0.045, 0.045), DARK)
        draw_disc(ball, pupil + (0.03, -0.035), (0.018, 0.018), (250, 250, 250))
    cv2.copyTo(ball, inside, sheet)
    for upper, lower in lids:
        draw_line(sheet, lower, who.skin * 0.62, 1)
        draw_line(sheet, upper - (0, 0.055), who.skin * 0.66, 2)
        draw_line(sheet, upper, DARK, 3 + who.woman)
    if who.glasses:
        draw_glasses(sheet, *(0.5 * (upper[[0, -1]].sum(0)) for upper, _ in lids))


def draw_glasses(sheet: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Round rims around the centres of both eyes (2,), and the bridge."""
    for centre in (left, right):
        draw_line(sheet, centre + RIM * (0.36, 0.26) + (0, 0.02), DARK, 2)
    draw_line(sheet, 0.5 * (left + right) + [(-0.15, 0.0), (0, -0.05), (0.15, 0.0)], DARK, 2)


def draw_brows(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """Brows that taper outwards; a frown also folds the skin between them."""
    colour = np.minimum(who.hair * 0.75, who.skin * 0.6)
    for side, name in ((-1, "left"), (1, "right")):
        thick = 0.055 * who.brow_weight * (0.55 - 0.45 * side * ALONG) * arch(ALONG * 0.93, 0.4)
        half = np.stack([np.zeros_like(thick), thick], axis=1)
        fill(sheet, join_edges(parts[f"{name} brow"] - half, parts[f"{name} brow"] + half), colour)
        if now.brow_inner < -0.03:
            fold = parts["nose"][0] + np.array([(side * 0.08, -0.32), (side * 0.065, -0.14)])
            draw_line(sheet, fold, who.skin * (1 + 3 * now.brow_inner), 2)


def draw_nose(sheet: np.ndarray, who: Identity, parts: dict[str, np.ndarray]) -> None:
    """Nostrils and wings; the bridge is shading, see `shade_relief`."""
    points = parts["nose"]
    for nostril, wing, side in ((5, 4, -1), (7, 8, 1)):
        draw_disc(sheet, points[nostril] + (0, -0.022), (0.062 * who.nose_width, 0.03), who.skin * 0.38)
        draw_line(sheet, points[wing] + [(0.0, -0.12), (side * 0.03, -0.05), (0.0, 0.0)], who.skin * 0.66, 2)
    draw_line(sheet, points[5:8] + (0, 0.012), who.skin * 0.64, 2)


def draw_mouth(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """Lips, and between them teeth and the dark of the mouth."""
    top, upper, lower, bottom = (parts[edge] for edge in LIP_EDGES)
    fill(sheet, join_edges(top, bottom), who.lips * 0.95)
    fill(sheet, join_edges(top, upper), who.lips * 0.82)
    draw_line(sheet, bottom[3:-3] + (0, 0.02), who.skin * 0.78, 2)
    if now.mouth_open > 0.02:
        fill(sheet, join_edges(upper, lower), (34, 30, 62))
        height = np.minimum(0.07 * arch(ALONG), 0.55 * (lower - upper)[:, 1])
        teeth = upper + np.stack([np.zeros_like(height), height], axis=1)
        fill(sheet, join_edges(upper[2:-2], teeth[2:-2]), (205, 214, 220))
    draw_line(sheet, upper, who.lips * 0.42, 2)
    for corner in upper[[0, -1]]:
        draw_disc(sheet, corner, (0.025, 0.025), who.lips * 0.5)


def draw_liking(sheet: np.ndarray, who: Identity, now: Expression, parts: dict[str, np.ndarray]) -> None:
    """The creases of raised cheeks, wrinkled nose, dimples and raised chin; each deepens from the colour of the skin."""
    crease = lambda depth: who.skin * (1 - 0.45 * depth)  # noqa: E731
    if now.cheek_raise > 0:
        for side, name in ((-1, "left"), (1, "right")):
            lid = parts[f"{name} lower lid"]
            draw_line(sheet, lid[3:-3] + (0, 0.08), crease(now.cheek_raise), 2)
            for end in (-0.09, 0.0, 0.09):  # crow's feet
                fan = lid[0 if side < 0 else -1] + np.array([(0.06 * side, 0.3 * end), (0.22 * side, end)])
                draw_line(sheet, fan, crease(now.cheek_raise), 1)
    if now.nose_wrinkle > 0:
        for y in (0.02, 0.10, 0.18):
            draw_line(
                sheet, parts["nose"][0] + [(-0.10, y + 0.03), (0.0, y), (0.10, y + 0.03)], crease(now.nose_wrinkle), 2
            )
    if now.dimple > 0:
        for side, end in ((-1, 0), (1, -1)):
            corner = parts["upper"][end]
            draw_line(
                sheet, corner + np.array([(0.08, -0.12), (0.13, 0.0), (0.08, 0.12)]) * (side, 1), crease(now.dimple), 3
            )
    if now.chin_raise > 0:
        chin = parts["bottom"][8] + (0, 0.16)
        draw_line(sheet, chin + np.array([(-0.24, 0.07), (0.0, 0.0), (0.24, 0.07)]), crease(now.chin_raise), 3)
        for x, y in ((-0.12, 0.14), (0.0, 0.11), (0.12, 0.14), (-0.06, 0.2), (0.06, 0.2)):
            draw_disc(sheet, chin + (x, y), (0.025, 0.02), crease(now.chin_raise))


def shade_relief(who: Identity, now: Expression, parts: dict[str, np.ndarray], light: np.ndarray) -> np.ndarray:
    """Soft shading of nose, sockets, cheeks and lips: float32 about 128, of half the canvas' size."""
    soft = np.full((CANVAS[1] // 2, CANVAS[0] // 2), 128, np.uint8)
    bridge, wide, smile = parts["nose"], who.nose_width, max(now.corner_raise, 0)
    lift = smile + 0.5 * now.cheek_raise
    for side, name, end in ((-1, "left", 0), (1, "right", -1)):
        lid, corner = parts[f"{name} lower lid"], parts["upper"][end]
        draw_disc(soft, 0.5 * (lid[0] + lid[-1]) + (0, -0.12), (0.33, 0.17), 104)
        draw_disc(soft, bridge[2] + (side * 0.60, 0.18 - 0.3 * lift), (0.26, 0.17), 136 + 40 * lift)
        flank = bridge[0] + np.array([(0.06, 0.0), (0.20 * wide, 0.58), (0.26 * wide, 0.70), (0.02, 0.60)]) * (side, 1)
        fill(soft, flank, 88 if side * light[0] > 0 else 112)
        fold = [
            bridge[6] + (side * 0.27 * wide, -0.1),
            corner * (1, 0.5) + (side * 0.10, 0.40),
            corner + (side * 0.12, 0.06),
        ]
        draw_line(soft, np.array(fold), 110 - 160 * smile, 2)  # from the nose to the mouth; a smile deepens it
    draw_line(soft, bridge[:4], 158, 3)
    draw_disc(soft, bridge[3] + (0, 0.01), (0.10, 0.09), 156)
    draw_line(soft, bridge[4:] + (0, 0.04), 76, 3)
    draw_disc(soft, parts["bottom"][8] + (0, 0.10), (0.22, 0.05), 98)
    return cv2.GaussianBlur(soft, (9, 9), 1.6).astype(np.float32)
