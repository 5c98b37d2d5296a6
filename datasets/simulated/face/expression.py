"""Affect as positions of the movable parts of a face, and as action units of FACS. Lengths as in `geometry`."""

from dataclasses import dataclass

import numpy as np

from datasets.simulated.face.people import Nuisance
from datasets.simulated.script import LOWER, UPPER


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


def form_expression(affect: np.ndarray, state: Nuisance, i: int) -> Expression:
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


def measure_action_units(now: Expression) -> np.ndarray:
    """FACS intensities (17,), from 0 (absent) to 5 (about the most that `form_expression` asks for).

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
