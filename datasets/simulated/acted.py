"""People who act one emotion in a clip: what the simulated RML and eNTERFACE'05 share.

Silence and a neutral face; the face moves towards the emotion, by 0.2 to 0.5 s before the voice (onset); it speaks with
the voice of that emotion and shows it fully (apex); it goes back (offset); silence. In the silence there is the noise of
the room, in some clips with a click or a breath. At its default length more than six tenths of RML are silent, and about
half of eNTERFACE'05.

Every subject has a face, a voice and a room of their own, and their own way with each emotion: which action units they
move how far, and how much of it is in face and voice. Nothing else tells subjects apart. What is said tells nothing of
the emotion. Of each emotion a third of the clips show it in the face alone and are said neutrally, a third in the voice
alone, a third in both: so there is something to be gained by listening and looking. The phrases begin and end with open vowels, whose
energy lies in the band of speech: where the planted speech begins and ends does then not depend on how well a nasal or a
hiss is heard.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import cv2
import numpy as np

from datasets.acted import CLASSES
from datasets.simulated import corpus, emotions, script, speech
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.people import draw_identity, draw_nuisance
from datasets.simulated.script import Episodes, Script, stream

# as AFEW, and with it FER2013, calls them
NAMES = dict(zip(CLASSES, ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise"), strict=True))
CODES = {label: label[:2].lower() for label in CLASSES}
PHRASES = """
Our father has a car.
All of us are at the bar.
All of you are there now.
Our brother has a bar.
Our mother is there now.
Our harbour is not far.
Arthur got out of the car.
Our car is over there.
""".strip().splitlines()
ENGLISH = speech.Speakers(language="English (Great Britain)", sentences=tuple(PHRASES), wpm=(170, 200))
ACTIVE = 0.4  # of a clip at most, as long as one phrase is not longer
SPARE = 1.0  # seconds without speech in a clip, or more
WAY = (0.6, 1.0)  # how far a subject moves an action unit, relative to others
ONSET = (0.2, 0.5)  # seconds from neutral to full display, and back
HIDDEN = 40  # in one clip of so many the face is hidden for a while
ABOVE = 10  # decibel over the noise of the room, where speech begins and ends
RUMBLE = 0.98  # pole of the filter: below 50 Hz, the speech band has hardly any of it


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes depend on."""

    layout: str
    seed: int
    subjects: int
    sentences: int  # of each subject and emotion
    seconds: float  # of a clip, about
    version: int


@dataclass(frozen=True)
class Form:
    """What the films of a corpus have in common."""

    fps: int
    rate: int  # hertz of the sound
    channels: str  # "mono" or "stereo"


@dataclass(frozen=True)
class Take:
    """One clip to be acted. Several of one `path` follow one another in that file, and have no truth."""

    name: str  # as the reader of the corpus calls it
    subject: str
    label: str  # one of CLASSES
    path: str  # below the folder of the corpus
    phrase: int  # which of the subject's it begins with
    shown_by: str = "both"  # one of script.SHOWN_BY
    hidden: bool = False  # the face, for a while


@dataclass(frozen=True)
class Actor:
    """A subject, and how this one acts."""

    name: str
    camera: Camera
    phrases: list[np.ndarray]  # as said neutrally, at speech.RATE
    pitch: float  # hertz
    ardour: float  # how much of an emotion is in face and voice, up to 1
    noise: float  # decibel of the room
    rumble: float  # share of it that is low; the rest is white


def write(root: Path, manifest: Manifest, form: Form, takes: list[Take], jobs: int) -> None:
    """Write the corpus to `root`, subject by subject. Raises InputError, WriteError and OSError as `corpus.write`."""
    check(manifest)
    by_subject = {}
    for take in direct(takes, manifest.seed):
        by_subject.setdefault(take.subject, []).append(take)
    record_all = partial(record_subject, form)
    name = manifest.layout
    corpus.write(
        root,
        manifest,
        ("truth",),
        lambda folder: corpus.record_in_parallel(record_all, folder, manifest, by_subject, jobs, name, unit="subject"),
    )


def check(manifest: Manifest) -> None:
    """Refuse what no corpus could be made of."""
    demands = {
        "subjects and sentences must be at least 1": min(manifest.subjects, manifest.sentences) >= 1,
        "seconds must be between 1.5 and 20": 1.5 <= manifest.seconds <= 20,
    }
    corpus.check_demands(demands)


def direct(takes: list[Take], seed: int) -> list[Take]:
    """The same takes, with what is drawn over all: what shows the emotion, and in one of HIDDEN the face is hidden."""
    shown_by = script.draw_shown_by(seed, [take.label for take in takes], "takes")
    hidden = stream(seed, "hidden").permutation(len(takes))[: round(len(takes) / HIDDEN)]
    return [replace(take, shown_by=by, hidden=i in hidden) for i, (take, by) in enumerate(zip(takes, shown_by))]


def record_subject(form: Form, folder: Path, manifest: Manifest, subject: str, takes: list[Take]) -> None:
    """Write the files of all takes of one subject."""
    cv2.setNumThreads(1)  # the frames are small and the other cores have subjects of their own
    actor = cast(manifest.seed, subject)
    for path, together in groupby(takes, key=lambda take: take.path):
        names, images, tracks, truths = zip(*(act(actor, manifest, form, take) for take in together))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        film = list(chain.from_iterable(images)), np.concatenate(tracks)
        corpus.write_film(folder / path, *film, form.fps, form.rate, form.channels)
        if len(names) == 1:
            np.savez(folder / "truth" / f"{names[0].replace('/', '_').replace(' ', '_')}.npz", **truths[0])


# the subject


def cast(seed: int, name: str) -> Actor:
    """The subject of that name: all clips of one have the same face, voice and room."""
    who = draw_identity(stream(seed, name, "identity"))
    camera, phrases = Camera(stream(seed, name, "paint"), who), speak(seed, name, who.woman)
    return Actor(name, camera, phrases, **draw_manner(seed, name, who.woman))


def draw_manner(seed: int, name: str, woman: bool) -> dict[str, float]:
    """A subject's pitch and ardour, and noise and rumble of the room; see Actor."""
    rng = stream(seed, name, "manner")
    return {
        "pitch": rng.normal(*(ENGLISH.pitch_women if woman else ENGLISH.pitch_men)),
        "ardour": rng.uniform(0.6, 1),
        "noise": rng.uniform(-66, -58),
        "rumble": rng.uniform(0.2, 0.8),
    }


def speak(seed: int, name: str, woman: bool) -> list[np.ndarray]:
    """All phrases as a subject says them neutrally, in an order of their own."""
    rng = stream(seed, name, "words")
    voice, wpm = str(rng.choice(ENGLISH.women if woman else ENGLISH.men)), int(rng.integers(*ENGLISH.wpm))
    phrases = [PHRASES[i] for i in rng.permutation(len(PHRASES))]
    return [speech.trim(sound) for sound in speech.speak_afresh((voice, phrases, wpm, ENGLISH.language))[0]]


def draw_moves(seed: int, take: Take, ardour: float) -> dict[str, float]:
    """The parts of the face that the take moves, and where to: the subject's way with that emotion, more or less."""
    if take.shown_by == "voice":
        return {}
    units = emotions.ACTION_UNITS[NAMES[take.label]]
    way = stream(seed, take.subject, "way", take.label).uniform(*WAY, len(units))
    return emotions.move_parts(NAMES[take.label], ardour * way * stream(seed, take.name, "strength").uniform(0.8, 1))


def find_level(take: Take, ardour: float) -> np.ndarray:
    """Arousal and valence (2,) in the voice of a subject of this ardour in a take."""
    return ardour * np.array(emotions.CIRCUMPLEX[NAMES[take.label]]) * (take.shown_by != "face")


# the take


def act(actor: Actor, manifest: Manifest, form: Form, take: Take) -> tuple[str, list, np.ndarray, dict]:
    """Its name, images (240, 320, 3) BGR, sound (n,) at speech.RATE, and truth."""
    seed, level = manifest.seed, find_level(take, actor.ardour)
    moves, rng = draw_moves(seed, take, actor.ardour), stream(seed, take.name, "jitter")
    said = utter(actor, take, level, ACTIVE * manifest.seconds, rng)
    plan = draw_plan(seed, take, len(said) / speech.RATE, manifest.seconds, form.fps)
    times = np.arange(round(plan.length * form.fps)) / form.fps
    state = draw_nuisance(plan, times)
    poses = emotions.pose_faces(moves, trace_display(plan, times), state)
    images, points = zip(*(actor.camera.shoot(pose, state, i) for i, pose in enumerate(poses)))
    spoken = np.zeros(int(np.ceil(plan.length * speech.RATE)))
    speech.place(spoken, said, plan.turns[0, 0])
    start, end = find_speech(spoken, actor.noise + ABOVE)
    truth = {
        "label": np.array(take.label),
        "subject": np.array(take.subject),
        "shown_by": np.array(take.shown_by),
        "moves": np.array([moves.get(part, 0.0) for part in emotions.PARTS]),  # where frame_shown is 1
        "level": level,
        "speech_start": np.array(start),
        "speech_end": np.array(end),
        "frame_time": times,
        "frame_shown": trace_display(plan, times) * (take.shown_by != "voice"),
        "frame_visible": state.visible(),
        "landmarks": np.array(points),
    }
    return take.name, images, (spoken + record_room(actor, plan)).clip(-1, 1), truth


def utter(actor: Actor, take: Take, level: np.ndarray, longest: float, rng: np.random.Generator) -> np.ndarray:
    """Phrases (n,) at speech.RATE with the arousal and valence of `level`: one, or as many as `longest` seconds hold."""
    tempo = np.exp(level @ speech.PLAIN.tempo)
    first, *more = (actor.phrases[(take.phrase + i) % len(actor.phrases)] for i in range(len(actor.phrases)))
    words, pause = first, np.zeros(int(0.1 * speech.RATE))
    for phrase in more:
        longer = np.concatenate([words, pause, phrase])
        if len(longer) > longest * tempo * speech.RATE:
            break
        words = longer
    seconds = len(words) / speech.RATE / tempo
    everywhere = lambda t: np.tile(level, (len(t), 1))  # noqa: E731
    return speech.express(speech.set_level(words, -26), seconds, everywhere, actor.pitch, rng)


def draw_plan(seed: int, take: Take, spoken: float, seconds: float, fps: int) -> Script:
    """When the person of a take speaks, for `spoken` seconds, and moves: a clip of about `seconds`, whole frames.

    Its one turn is the speech, its one episode the whole expression from neutral to neutral.
    """
    rng = stream(seed, take.name, "plan")
    length = np.ceil(max(seconds * rng.uniform(0.9, 1.1), spoken + SPARE) * fps) / fps
    start = rng.uniform(0.4, 0.6) * (length - spoken)
    end, (onset, offset) = start + spoken, rng.uniform(*ONSET, 2)
    expression = np.array([max(start - onset, 0.0)]), np.array([min(end + offset, length)])
    middle, half = rng.uniform(start, end), rng.uniform(0.2, 0.4)
    everywhere = np.array([True])
    return Script(
        seed=seed,
        stem=take.name,
        length=float(length),
        mood=np.zeros(3),
        episodes=Episodes(*expression, np.ones(1), np.zeros((1, 3)), np.array([-1]), everywhere, everywhere),
        turns=np.array([[start, end]]),
        hidden=np.array([[middle - half, middle + half]]) if take.hidden else np.empty((0, 2)),
    )


def trace_display(plan: Script, times: np.ndarray) -> np.ndarray:
    """How far a face that displays the emotion does so at times (n,): from 0 over onset and offset to 1 while it speaks."""
    ((start, end),), begins, ends = plan.turns, plan.episodes.start[0], plan.episodes.end[0]
    return script.smoothstep((times - begins) / (start - begins)) * script.smoothstep((ends - times) / (ends - end))


def find_speech(spoken: np.ndarray, decibel: float) -> tuple[float, float]:
    """Seconds of the first and of the last sample of the speech (n,) that is above a level."""
    loud = np.flatnonzero(np.abs(spoken) > 10 ** (decibel / 20))
    return loud[0] / speech.RATE, loud[-1] / speech.RATE


# the room


def record_room(actor: Actor, plan: Script) -> np.ndarray:
    """What is heard besides the speech (n,) at speech.RATE: the room, and in half of the clips a click or a breath."""
    from scipy.signal import lfilter

    rng, count = stream(plan.seed, plan.stem, "room"), int(np.ceil(plan.length * speech.RATE))
    white, other = rng.standard_normal((2, count))
    low = np.sqrt(1 - RUMBLE**2) * lfilter([1], [1, -RUMBLE], other)
    track = 10 ** (actor.noise / 20) * (np.sqrt(1 - actor.rumble) * white + np.sqrt(actor.rumble) * low)
    event = rng.choice(["", "", "click", "breath"])
    if event == "click":
        add_click(track, rng, plan)
    if event == "breath":
        add_breath(track, rng, plan)
    return track


def add_click(track: np.ndarray, rng: np.random.Generator, plan: Script) -> None:
    """A click of 5 ms, before or after the speech."""
    ((start, end),) = plan.turns
    before, after = rng.uniform(0, start - 0.1), rng.uniform(end + 0.1, plan.length - 0.01)
    first, count = round((before if rng.random() < 0.5 else after) * speech.RATE), round(0.005 * speech.RATE)
    track[first : first + count] += 0.1 * rng.uniform(-1, 1, count) * np.linspace(1, 0, count)


def add_breath(track: np.ndarray, rng: np.random.Generator, plan: Script) -> None:
    """A breath before the speech: noise from 1 to 6 kHz, at -46 dB."""
    from scipy.signal import butter, sosfilt

    end = plan.turns[0, 0] - rng.uniform(0.05, 0.1)
    start = max(end - rng.uniform(0.2, 0.4), 0.0)
    noise = rng.standard_normal(round((end - start) * speech.RATE))
    breath = speech.set_level(sosfilt(butter(2, (1000, 6000), "band", fs=speech.RATE, output="sos"), noise), -46)
    speech.place(track, breath, start)


def list_clips(sentences: int) -> Iterable[tuple[int, str, int]]:
    """(sentence from 1, label, phrase) of all clips of one subject."""
    return ((k + 1, label, k * len(CLASSES) + i) for k in range(sentences) for i, label in enumerate(CLASSES))
