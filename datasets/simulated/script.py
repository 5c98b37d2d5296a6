"""The affect script: what a person feels, when and where it is displayed, and how raters see it.

Each person has a mood and a liveliness. An episode takes what is felt (arousal, valence and liking) to a level drawn
for it, where it stays until the next one. It is displayed as long as it is felt, but clearly only for a part of that
time, on one region of the face, in the voice, or both; elsewhere weakly, beside talking, blinks, glances, motion, light
and the partner's voice, which mean nothing. The control corpus displays it clearly everywhere and always instead.

Every random quantity has a stream of its own, so that two controls of one seed differ in nothing else.
"""

import zlib
from dataclasses import dataclass

import numpy as np

DIMENSIONS = ("arousal", "valence", "liking")
UPPER, LOWER = 0, 1  # face regions: brows and eyes, mouth
CONTROLS = ("salient", "uniform")
SHOWN_BY = ("face", "voice", "both")  # what displays the emotion of an acted clip
LABEL_STEP = 0.1  # seconds, as the corpus distributes its labels

RISE = 0.25  # seconds from weak to clear display, and back: the usual onset of a facial expression
TURN = (0.75, 1.35)  # seconds that what is felt takes to its next level
LEAST = 2.0  # seconds between the beginnings of two episodes
CLEAR = (0.3, 0.7)  # share of the time up to the next episode in which one is displayed clearly
WEAK = 0.15  # of the clear display, elsewhere
MOOD = 0.29  # deviation of the level that a person is at when nothing happens
LIVELINESS = (0.55, 1.45)  # how far episodes take a person, relative to others
FOLLOWS = 0.6  # weight of valence in liking; the rest is drawn freely
DISPLAYED = 0.85  # chance that an episode reaches the face, and likewise the voice
NOISE = 0.18  # of each rater's own, in units of what is felt


@dataclass(frozen=True)
class Ratings:
    """How fast affect changes in a corpus, and what its raters make of it: see README.md for the values."""

    pause: float  # seconds between two episodes, beyond LEAST, on average
    scale: tuple[float, float, float]  # of arousal, valence, liking: label for one unit that is felt
    zero: tuple[float, float, float]  # label where nothing is felt
    grain: float  # least move of a rater, in units of what is felt
    swing: float  # seconds of one swing of a rater's noise


SEWA = Ratings(pause=5.5, scale=(0.25, 0.265, 0.28), zero=(0.13, 0.11, -0.04), grain=0.04, swing=4.0)
RECOLA = Ratings(pause=7.2, scale=(0.375, 0.243, 0.25), zero=(0.0, 0.10, 0.0), grain=0.028, swing=5.5)


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random stream of one named quantity: independent of all others and of the order of use."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


def wander(rng: np.random.Generator, times: np.ndarray, period: float, partials: int = 6) -> np.ndarray:
    """Smooth noise of unit variance at times (n,) in seconds, about one swing per `period` seconds.

    A sum of sinusoids and thus a function of time: the frame rate does not change the motion.
    """
    rate = 2 * np.pi / (period * rng.uniform(0.6, 2.0, partials))
    phase = rng.uniform(0, 2 * np.pi, partials)
    return np.sin(np.outer(times, rate) + phase).sum(axis=1) * np.sqrt(2 / partials)


def draw_shown_by(seed: int, labels: list[str], name: str) -> list[str]:
    """What displays the emotion of each clip of a corpus or partition of this name: one of SHOWN_BY.

    In each class equally often, give or take one: what shows an emotion tells hardly anything of which one it is.
    """
    found = np.empty(len(labels), object)
    for label in sorted(set(labels)):
        rng, clips = stream(seed, "shown by", name, label), np.flatnonzero(np.array(labels) == label)
        order = rng.permutation(len(clips)) + rng.integers(len(SHOWN_BY))
        found[clips] = np.array(SHOWN_BY)[order % len(SHOWN_BY)]
    return found.tolist()


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and a smooth way between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def plateau(times: np.ndarray, start: float, end: float, rise: float = RISE) -> np.ndarray:
    """1 inside [start, end] with smooth flanks of `rise` seconds within it, exactly 0 outside."""
    return smoothstep((times - start) / rise) * smoothstep((end - times) / rise)


@dataclass(frozen=True)
class Episodes:
    """k episodes; all arrays have the length k, times are in seconds."""

    start: np.ndarray  # of the display, and of the way to the level
    end: np.ndarray  # of the clear display; it is felt until the next start
    turn: np.ndarray  # seconds of that way
    level: np.ndarray  # (k, 3) arousal, valence, liking
    region: np.ndarray  # UPPER or LOWER
    on_face: np.ndarray  # bool
    in_voice: np.ndarray  # bool


@dataclass(frozen=True)
class Script:
    """One recording: `length` seconds of one person in a video chat."""

    seed: int
    stem: str
    length: float
    mood: np.ndarray  # (3,) what is felt before the first episode
    episodes: Episodes
    turns: np.ndarray  # (t, 2) start and end of the person's own turns
    hidden: np.ndarray  # (h, 2) spans in which the face cannot be seen


def write_script(
    seed: int, stem: str, length: float, follows: float = FOLLOWS, ratings: Ratings = SEWA, person: str = ""
) -> Script:
    """Draw the script of one recording of a person, who is another in each recording where none is named."""
    temper = stream(seed, person or stem, "temper")
    mood, liveliness = (MOOD * temper.standard_normal(3)).clip(-1, 1), temper.uniform(*LIVELINESS)
    rng = stream(seed, stem, "episodes")
    episodes = draw_episodes(rng, length, ratings.pause, mood, liveliness, follows)
    turns = draw_turns(stream(seed, stem, "turns"), length, episodes)
    return Script(seed, stem, length, mood, episodes, turns, draw_hidden(stream(seed, stem, "hidden"), length))


def draw_episodes(
    rng: np.random.Generator, length: float, pause: float, mood: np.ndarray, liveliness: float, follows: float
) -> Episodes:
    """Episodes that begin LEAST + `pause` seconds apart on average, the first after `pause`."""
    starts = [rng.exponential(pause)]
    while starts[-1] < length:
        starts.append(starts[-1] + LEAST + rng.exponential(pause))
    start, following = np.array(starts[:-1]), np.array(starts[1:])
    k = len(start)
    on_face = rng.random(k) < DISPLAYED
    in_voice = (rng.random(k) < DISPLAYED) | ~on_face  # an episode that nobody could notice would be no episode
    return Episodes(
        start=start,
        end=np.minimum(start + rng.uniform(*CLEAR, k) * (following - start), length),
        turn=rng.uniform(*TURN, k),
        level=(mood + liveliness * draw_levels(rng, k, follows)).clip(-1, 1),
        region=rng.integers(0, 2, k),
        on_face=on_face,
        in_voice=in_voice,
    )


def draw_levels(rng: np.random.Generator, k: int, follows: float = FOLLOWS) -> np.ndarray:
    """Moves (k, 3) away from the mood: in any direction of the arousal-valence plane, and none of them small.

    Liking follows valence in part: people like what pleases them, yet the real labels are not the same.
    """
    angle, radius = rng.uniform(0, 2 * np.pi, k), rng.uniform(0.4, 0.95, k)
    arousal, valence = radius * np.cos(angle), radius * np.sin(angle)
    liking = follows * valence + (1 - follows) * rng.uniform(-0.9, 0.9, k)
    return np.stack([arousal, valence, liking], axis=1)


def draw_turns(rng: np.random.Generator, length: float, episodes: Episodes) -> np.ndarray:
    """Turns (t, 2) of the person, about three quarters of the time; who shows affect in the voice is speaking then."""
    spans, time = [], rng.uniform(0.2, 1.5)
    while time < length:
        end = time + rng.uniform(3.0, 7.0)
        spans.append((time, end))
        time = end + rng.uniform(2.5, 7.0)
    voiced = episodes.in_voice
    spans += zip(episodes.start[voiced] - 0.4, episodes.end[voiced] + 0.4)
    return np.clip(merge(sorted(spans), gap=0.8), 0.0, length)


def merge(spans: list[tuple[float, float]], gap: float) -> np.ndarray:
    """Sorted spans (n, 2) with those joined that are less than `gap` seconds apart."""
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined)


def draw_hidden(rng: np.random.Generator, length: float) -> np.ndarray:
    """At most one span (h, 2) of 0.4 to 1 s without a visible face, in every second recording."""
    start, duration, chance = rng.uniform(0.1, 0.8) * length, rng.uniform(0.4, 1.0), rng.random()
    return np.array([[start, start + duration]]) if chance < 0.5 else np.empty((0, 2))


def trace_latent(script: Script, times: np.ndarray) -> np.ndarray:
    """Arousal, valence and liking (n, 3) as felt at times (n,)."""
    episodes = script.episodes
    changes = np.diff(episodes.level, axis=0, prepend=script.mood[None])
    return script.mood + smoothstep((times[:, None] - episodes.start) / episodes.turn) @ changes


def trace_strength(script: Script, times: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How far each of the chosen episodes (k,) bool is displayed clearly at times (n,): (n, k), 0 outside of it."""
    episodes = script.episodes
    columns = [plateau(times, s, e) * c for s, e, c in zip(episodes.start, episodes.end, chosen)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(times), 0))


def trace_clarity(script: Script, times: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Share (n,) of what is felt that is displayed where the chosen episodes (k,) bool are, from WEAK to 1."""
    return WEAK + (1 - WEAK) * trace_strength(script, times, chosen).sum(axis=1)


def trace_face(script: Script, times: np.ndarray, control: str, liking_on: int | None = None) -> np.ndarray:
    """What the face displays: (n, 2 regions, 2) arousal and valence; zero is neutral.

    With `liking_on` a third value: liking, on that region in whatever region the episode is, 0 on the other.
    """
    felt, episodes = trace_latent(script, times), script.episodes
    if control == "uniform":
        clarity, of_liking = np.ones((len(times), 2)), 1.0
    else:
        chosen = [episodes.on_face & (episodes.region == region) for region in (UPPER, LOWER)]
        clarity = np.stack([trace_clarity(script, times, some) for some in chosen], axis=1)
        of_liking = trace_clarity(script, times, episodes.on_face)
    shown = clarity[:, :, None] * felt[:, None, :2]
    if liking_on is None:
        return shown
    liking = of_liking * felt[:, 2]
    return np.dstack([shown, liking[:, None] * (np.array([UPPER, LOWER]) == liking_on)])


def trace_voice(script: Script, times: np.ndarray, control: str, dimensions: int = 2) -> np.ndarray:
    """What the voice displays: (n, dimensions) arousal, valence and, with 3, liking; zero is neutral."""
    felt = trace_latent(script, times)[:, :dimensions]
    return felt if control == "uniform" else felt * trace_clarity(script, times, script.episodes.in_voice)[:, None]


def find_episodes(script: Script, times: np.ndarray) -> np.ndarray:
    """Index (n,) of the scripted face episode at each time, -1 where there is none."""
    inside = trace_strength(script, times, script.episodes.on_face) > 0
    return np.where(inside.any(axis=1), inside.argmax(axis=1), -1) if inside.shape[1] else np.full(len(times), -1)


def trace_speech(script: Script, times: np.ndarray) -> np.ndarray:
    """1 where the person speaks, 0 elsewhere, with flanks of 80 ms: (n,)."""
    return sum((plateau(times, s, e, 0.08) for s, e in script.turns), np.zeros(len(times)))


@dataclass(frozen=True)
class Raters:
    """r raters, the same for the whole corpus or one culture of it."""

    delay: np.ndarray  # (r,) seconds from an event to the move of the rater's joystick
    gain: np.ndarray  # (r,) how boldly the rater uses the scale


def draw_raters(seed: int, culture: str = "", count: int = 6) -> Raters:
    """Six raters as in the real corpus, others for each culture where there are several.

    Published delays of such ratings lie between 1 and 4 s, mostly near 2 s.
    """
    rng = stream(seed, "raters" + culture)
    return Raters(rng.normal(2.0, 0.3, count).clip(1.2, 2.8), rng.uniform(0.75, 1.25, count))


def rate(script: Script, raters: Raters, times: np.ndarray, ratings: Ratings = SEWA) -> np.ndarray:
    """Labels (n, 3) in [-1, 1] at times (n,): the mean of the raters' traces."""
    return np.mean(trace_raters(script, raters, times, ratings), axis=0)


def trace_raters(script: Script, raters: Raters, times: np.ndarray, ratings: Ratings = SEWA) -> np.ndarray:
    """What each rater saw, (r, n, 3) in [-1, 1] at times (n,): what is felt, late and with smooth noise of the rater's own.

    Joysticks rest at zero, hence every trace starts there, as the label files of the real corpora do.
    """
    rng = stream(script.seed, script.stem, "raters")
    traces = []
    for delay, gain in zip(raters.delay, raters.gain):
        noise = np.stack([wander(rng, times, ratings.swing) for _ in DIMENSIONS], axis=1)
        seen = gain * trace_latent(script, times - delay) + NOISE * noise
        seen = np.array(ratings.scale) * np.round(seen / ratings.grain) * ratings.grain
        traces.append(smoothstep(times / delay)[:, None] * (np.array(ratings.zero) + seen))
    return np.array(traces).clip(-1, 1)
