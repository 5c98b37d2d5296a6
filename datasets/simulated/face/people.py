"""Who is filmed, and what of them moves without affect: identity; pose, light, talking. Colours are BGR."""

from dataclasses import dataclass

import numpy as np

from datasets.simulated.script import Script, plateau, smoothstep, stream, trace_speech, wander


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
        blink=draw_blinks(face, times, script.length),
        talk=(0.45 + drift(face, 0.4, 0.22)).clip(0, 1)
        * trace_speech(script, times),  # syllables: four to five a second
        round=drift(face, 0.6, 0.35).clip(-1, 1) * trace_speech(script, times),
        light=np.stack(
            [light.uniform(-0.5, 0.5) + drift(light, 0.12, 9.0), people.lamp + drift(light, 0.08, 9.0)], axis=1
        ),
        exposure=people.exposure * (1 + drift(light, 0.025, 6.0)),
        cover=sum((smoothstep(3 * plateau(times, s, e, 0.3)) for s, e in script.hidden), np.zeros(len(times))),
        by_hand=bool(hide.random() < 0.5),
        grain=hide.integers(0, 64, (len(times), 2)),
    )


def draw_blinks(rng: np.random.Generator, times: np.ndarray, length: float) -> np.ndarray:
    """Closing of the lids (f,): a blink of 0.25 s every 4 s, the rate of people in conversation."""
    starts = np.cumsum(0.6 + rng.exponential(3.4, 4 + int(length)))
    return np.max([plateau(times, s, s + 0.25, 0.1) for s in starts], axis=0)
