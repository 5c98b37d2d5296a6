"""The affect script: what a person feels, when and where it is displayed, and how raters see it.

Latent arousal, valence and liking move only during sparse episodes, towards a level drawn for each,
and then decay slowly. An episode is displayed on one region of the face, in the voice, or both;
elsewhere face and voice are neutral. So the labels, which never stop moving, are explained by a few
short moments. The control corpus displays the current latent everywhere and always instead.

Every random quantity has a stream of its own, so that two controls of one seed differ in nothing else.
"""

import zlib
from dataclasses import dataclass

import numpy as np

DIMENSIONS = ("arousal", "valence", "liking")
UPPER, LOWER = 0, 1  # face regions: brows and eyes, mouth
CONTROLS = ("salient", "uniform")
LABEL_STEP = 0.1  # seconds, as the corpus distributes its labels

RISE = 0.25  # seconds from neutral to full display, and back: the usual onset of a facial expression
# seconds; felt emotion outlasts its display. Longer, and a label would say more of moments long gone than of the
# last few seconds, which are all that the replicated networks are given.
DECAY = 2.0
FOLLOWS = 0.6  # weight of valence in liking; the rest is drawn freely
DISPLAYED = 0.85  # chance that an episode reaches the face, and likewise the voice


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


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and a smooth way between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def plateau(times: np.ndarray, start: float, end: float, rise: float = RISE) -> np.ndarray:
    """1 inside [start, end] with smooth flanks of `rise` seconds within it, exactly 0 outside."""
    return smoothstep((times - start) / rise) * smoothstep((end - times) / rise)


@dataclass(frozen=True)
class Episodes:
    """k salient episodes; all arrays have the length k, times are in seconds."""

    start: np.ndarray
    end: np.ndarray
    level: np.ndarray  # (k, 3) arousal, valence, liking that the latent reaches
    region: np.ndarray  # UPPER or LOWER
    on_face: np.ndarray  # bool
    in_voice: np.ndarray  # bool


@dataclass(frozen=True)
class Script:
    """One recording: `length` seconds of one person in a video chat."""

    seed: int
    stem: str
    length: float
    episodes: Episodes
    turns: np.ndarray  # (t, 2) start and end of the person's own turns
    hidden: np.ndarray  # (h, 2) spans in which the face cannot be seen


def write_script(seed: int, stem: str, length: float, follows: float = FOLLOWS) -> Script:
    """Draw the script of one recording."""
    episodes = draw_episodes(stream(seed, stem, "episodes"), length, follows)
    turns = draw_turns(stream(seed, stem, "turns"), length, episodes)
    return Script(seed, stem, length, episodes, turns, draw_hidden(stream(seed, stem, "hidden"), length))


def draw_episodes(rng: np.random.Generator, length: float, follows: float = FOLLOWS) -> Episodes:
    """Episodes of 1 to 3 s, as facial expressions last, one per 5.5 s on average, at least 1.5 s apart."""
    spans, end = [], 0.0
    while True:
        start = end + 1.5 + rng.exponential(2.0)
        end = start + rng.uniform(1.0, 3.0)
        if end > length:
            break
        spans.append((start, end))
    k = len(spans)
    start, end = np.reshape(spans, (k, 2)).T
    on_face = rng.random(k) < DISPLAYED
    in_voice = (rng.random(k) < DISPLAYED) | ~on_face  # an episode that nobody could notice would be no episode
    return Episodes(start, end, draw_levels(rng, k, follows), rng.integers(0, 2, k), on_face, in_voice)


def draw_levels(rng: np.random.Generator, k: int, follows: float = FOLLOWS) -> np.ndarray:
    """Levels (k, 3): any direction of the arousal-valence plane but never near its neutral centre.

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
    """Arousal, valence and liking (n, 3) as felt at times (n,): they rise in episodes and decay after them."""
    values = np.zeros((len(times), 3))
    episodes, before, since = script.episodes, np.zeros(3), 0.0
    for start, end, level in zip(episodes.start, episodes.end, episodes.level):
        before = before * np.exp(-(start - since) / DECAY)
        rising = smoothstep((times - start) / (end - start))[:, None]
        falling = np.exp(-np.maximum(times - end, 0) / DECAY)[:, None]
        now = (times >= start)[:, None]
        values = np.where(now, (before + (level - before) * rising) * falling, values)
        before, since = level, end
    first = episodes.start[0] if len(episodes.start) else np.inf
    return np.where((times >= first)[:, None], values, 0.0)


def trace_strength(script: Script, times: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How far each of the chosen episodes (k,) bool is displayed at times (n,): (n, k), 0 outside of it."""
    episodes = script.episodes
    columns = [plateau(times, s, e) * c for s, e, c in zip(episodes.start, episodes.end, chosen)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(times), 0))


def trace_face(script: Script, times: np.ndarray, control: str, liking_on: int | None = None) -> np.ndarray:
    """What the face displays: (n, 2 regions, 2) arousal and valence; zero is neutral.

    With `liking_on` a third value: liking, on that region in whatever region the episode is, 0 on the other.
    """
    if control == "uniform":
        felt = trace_latent(script, times)
        shown, liking = np.repeat(felt[:, None, :2], 2, axis=1), felt[:, 2]
    else:
        strengths = trace_strength(script, times, script.episodes.on_face)
        in_region = script.episodes.region[:, None] == np.array([UPPER, LOWER])
        shown = np.einsum("nk,kr,kd->nrd", strengths, in_region, script.episodes.level[:, :2])
        liking = strengths @ script.episodes.level[:, 2]
    if liking_on is None:
        return shown
    return np.dstack([shown, liking[:, None] * (np.array([UPPER, LOWER]) == liking_on)])


def trace_voice(script: Script, times: np.ndarray, control: str, dimensions: int = 2) -> np.ndarray:
    """What the voice displays: (n, dimensions) arousal, valence and, with 3, liking; zero is neutral."""
    if control == "uniform":
        return trace_latent(script, times)[:, :dimensions]
    return trace_strength(script, times, script.episodes.in_voice) @ script.episodes.level[:, :dimensions]


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


def rate(script: Script, raters: Raters, times: np.ndarray) -> np.ndarray:
    """Labels (n, 3) in [-1, 1] at times (n,): the mean of the raters' traces."""
    return np.clip(np.mean(trace_raters(script, raters, times), axis=0), -1, 1)


def trace_raters(script: Script, raters: Raters, times: np.ndarray) -> np.ndarray:
    """What each rater saw, (r, n, 3) at times (n,): the latent, late and with smooth noise of the rater's own.

    The noise of 0.12 stays below the spread of the latent, about 0.3: trained raters differ, but in the details.
    Joysticks rest at zero, hence the noise starts there, as every label file of the real corpus does.
    """
    rng = stream(script.seed, script.stem, "raters")
    traces = []
    for delay, gain in zip(raters.delay, raters.gain):
        noise = np.stack([wander(rng, times, period=4.0) for _ in DIMENSIONS], axis=1)
        started = smoothstep(times / delay)[:, None]
        traces.append(gain * trace_latent(script, times - delay) + 0.12 * started * noise)
    return np.array(traces)
