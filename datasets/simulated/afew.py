"""Writes a simulated AFEW 5.0 in the layout of EmotiW 2015, with the truth beside it.

    Train_AFEW/Happy/000046280.avi    Train/Train_Audio_Feat/Train/Happy/000046280.arff    and Val; Test without classes
    Train_AFEW/AlignedFaces_LBPTOP_Points/.../Faces/000046280/001.jpg    .../Points/000046280.txt
    truth/Train_000046280.npz    truth/test_labels.csv    simulated.json

A clip has one emotion, shown by the face, by the voice or by both in one or two short episodes: the action units of its
class on a neutral face, and in the voice the arousal and valence of its class; each of the three in a third of the
clips of a partition and a class. Sound and picture are apart by the same
`offset` in all clips. As in the real corpus some clips have no tracked face at all, and some lose it for a moment. People
speak German, and nothing here listens to them.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from common.media import faces
from datasets.afew import CLASSES, FPS, PARTITIONS
from datasets.simulated import corpus, emotions, script, speech
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.expression import Expression
from datasets.simulated.face.people import Identity, Nuisance, draw_identity, draw_nuisance
from datasets.simulated.script import Episodes, Script, stream

VERSION = 3  # to be raised whenever the same parameters give other bytes
RATE = 44_100  # hertz of the sound in the clips
LONGEST_OFFSET = 0.5  # seconds; more, and little of the sound would be left in the shortest clips
SIZE = 128  # pixels of an aligned face
TRACKER_NOISE = 0.5  # pixels
SENTENCES = 6  # per person; each clip begins with the next one
VIDEOS = {"Train": "Train_AFEW", "Val": "Val_AFEW", "Test": "Test_AFEW"}
FACES = {  # the archive of the training set unpacks into a folder of its own name
    "Train": "Train_AFEW/AlignedFaces_LBPTOP_Points/AlignedFaces_LBPTOP_Points",
    "Val": "Val_AFEW/AlignedFaces_LBPTOP_Points_Val",
    "Test": "Test_AFEW/AlignedFaces_LBPTOP_Points_Test",
}
FEATURES = {
    "Train": "Train/Train_Audio_Feat/Train",
    "Val": "Val/Val_Audio_Feat/ExpressionWise",
    "Test": "Test/Test_Audio_Feat/Test",
}


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes depend on."""

    layout: str
    control: str
    seed: int
    train: int
    val: int
    test: int
    offset: float
    version: int
    longest: float = 6.0  # seconds

    def count(self, partition: str) -> int:
        """Clips of a partition."""
        return {"Train": self.train, "Val": self.val, "Test": self.test}[partition]


@dataclass(frozen=True)
class Clip:
    """One clip before it is filmed."""

    name: str  # time code in its film
    partition: str
    label: str
    person: str  # whose face, room and voice
    first: int  # sentence that it begins with
    strength: (
        float  # of the action units, 0.32 to 1: some people show more; the voice, the fainter cue, is never weaker
    )
    plan: Script

    @property
    def folder(self) -> str:
        """Where its files lie below those of the partition: nobody knows the classes of the test set."""
        return "." if self.partition == "Test" else self.label

    @property
    def times(self) -> np.ndarray:
        """Seconds (f,) of the frames."""
        return np.arange(round(self.plan.length * FPS)) / FPS


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 140,
    val: int = 42,
    test: int = 28,
    offset: float = -0.05,
    longest: float = 6.0,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    control "salient" shows the emotion in the episodes, "uniform" during the whole clip; nothing else differs.
    `offset` is in seconds, by which the sound lies behind the picture; below 0 it comes before it.
    Clips last from 1 to `longest` seconds, as a rule less than half of that.
    """
    manifest = Manifest("afew", control, seed, train, val, test, round(float(offset), 3), VERSION, float(longest))
    check(manifest)
    corpus.write(root, manifest, list_folders(), lambda folder: record_all(folder, manifest, jobs))


def check(manifest: Manifest) -> None:
    """Refuse what no corpus could be made of."""
    demands = {
        f"control must be one of {', '.join(script.CONTROLS)}": manifest.control in script.CONTROLS,
        "train must be at least 1, val and test at least 0": manifest.train >= 1
        and min(manifest.val, manifest.test) >= 0,
        "longest must be between 1.5 and 6 s": 1.5 <= manifest.longest <= 6,
        f"offset must be between -{LONGEST_OFFSET} and {LONGEST_OFFSET} s": abs(manifest.offset) <= LONGEST_OFFSET,
    }
    corpus.check_demands(demands)


def list_folders() -> tuple[str, ...]:
    """All folders of the layout, those of classes without a clip included."""
    found = ["truth", VIDEOS["Test"], FEATURES["Test"]]
    found += [
        f"{top[partition]}/{label}" for top in (VIDEOS, FEATURES) for partition in ("Train", "Val") for label in CLASSES
    ]
    return (*found, *(f"{FACES[partition]}/{kind}" for partition in PARTITIONS for kind in ("Faces", "Points")))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All clips of the corpus, person by person."""
    clips = draw_clips(manifest)
    people = {}
    for clip in clips:
        people.setdefault(clip.person, []).append(clip)
    corpus.record_in_parallel(record_person, folder, manifest, people, jobs, "AFEW", unit="person")
    rows = sorted(f"{clip.name},{clip.label}\n" for clip in clips if clip.partition == "Test")
    (folder / "truth" / "test_labels.csv").write_text("".join(["name,Class\n", *rows]), newline="\n")


# the clips


def draw_clips(manifest: Manifest) -> list[Clip]:
    """All clips, in the order of PARTITIONS: each person in about seven, one of each class."""
    counts = {partition: manifest.count(partition) for partition in PARTITIONS}
    codes = iter(draw_time_codes(stream(manifest.seed, "names"), sum(counts.values())))
    names = {partition: [next(codes) for _ in range(count)] for partition, count in counts.items()}
    if names["Val"]:
        names["Val"][0] = names["Train"][0]  # times in two films: real partitions share names too
    shown_by = {
        partition: script.draw_shown_by(manifest.seed, [find_class(i) for i in range(count)], partition)
        for partition, count in counts.items()
    }
    return [
        draw_clip(manifest, partition, names[partition][i], i, shown_by[partition][i])
        for partition in PARTITIONS
        for i in range(counts[partition])
    ]


def find_class(number: int) -> str:
    """The class of clip `number` of a partition."""
    return CLASSES[number % len(CLASSES)]


def draw_time_codes(rng: np.random.Generator, count: int) -> list[str]:
    """Different times in a film of two hours, nine digits: hour, minute, second, millisecond."""
    seconds, frames = np.divmod(rng.choice(7200 * FPS, count, replace=False), FPS)
    return [
        f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}{1000 // FPS * f:03d}"
        for s, f in zip(seconds.tolist(), frames.tolist())
    ]


def draw_clip(manifest: Manifest, partition: str, name: str, number: int, shown_by: str) -> Clip:
    """Clip `number` of its partition."""
    seed, count = manifest.seed, manifest.count(partition)
    stem, label = f"{partition}_{name}", find_class(number)
    people = min(count, max(2, round(count / len(CLASSES))))
    person = f"{partition} person {number * people // count}"
    length = draw_length(stream(seed, stem, "length"), manifest.longest)
    episodes = draw_episodes(stream(seed, stem, "episodes"), length, emotions.CIRCUMPLEX[label], shown_by)
    return Clip(
        name=name,
        partition=partition,
        label=label,
        person=person,
        first=number % SENTENCES,
        strength=stream(seed, person, "strength").uniform(emotions.WEAKEST, 1)
        * stream(seed, stem, "strength").uniform(0.8, 1),
        plan=Script(
            seed=seed,
            stem=stem,
            length=length,
            mood=np.zeros(3),
            episodes=episodes,
            turns=draw_turn(stream(seed, stem, "turns"), length, episodes),
            hidden=draw_hidden(stream(seed, stem, "hidden"), length, draw_defect(seed, partition, number, count)),
        ),
    )


def draw_length(rng: np.random.Generator, longest: float) -> float:
    """Seconds, whole frames: from 1 on, mostly short; up to 6 they are 2.4 on average."""
    return round((1 + (longest - 1) * rng.beta(1.2, 3.2)) * FPS) / FPS


def draw_episodes(rng: np.random.Generator, length: float, level: tuple[float, float], shown_by: str) -> Episodes:
    """One or two episodes of 0.4 to 1.4 s, together half of the clip at most, of one level (arousal, valence)."""
    shortest, gap = 0.4, 0.3
    k = 1 + int(rng.random() < 0.5 and length >= 4 * shortest)
    duration = rng.uniform(shortest, min(1.4, length / 2 / k), k)
    pauses = np.sort(rng.uniform(0, length - duration.sum() - gap * (k - 1), k))
    start = pauses + np.concatenate([[0.0], np.cumsum(duration + gap)[:-1]])
    return Episodes(
        start=start,
        end=start + duration,
        turn=np.ones(k),
        level=np.tile([*level, 0.0], (k, 1)),
        region=np.full(k, -1),  # no single one
        on_face=np.full(k, shown_by != "voice"),
        in_voice=np.full(k, shown_by != "face"),
    )


def draw_turn(rng: np.random.Generator, length: float, episodes: Episodes) -> np.ndarray:
    """The one turn (1, 2) of the person: nearly the whole clip, and all episodes."""
    start, end = rng.uniform(0, 0.1, 2) * length
    return np.array([[min(start, episodes.start[0]), max(length - end, episodes.end[-1])]])


def draw_defect(seed: int, partition: str, number: int, count: int) -> str:
    """What is wrong with a clip: "faceless" in one of 30, a "gap" in one of 5, "" in the others."""
    order = stream(seed, partition, "defects").permutation(count).tolist().index(number)
    faceless, gaps = round(count / 30), round(count / 5)
    return "faceless" if order < faceless else "gap" if order < faceless + gaps else ""


def draw_hidden(rng: np.random.Generator, length: float, kind: str) -> np.ndarray:
    """Spans (h, 2) without a visible face: none, the whole clip, or 0.4 s and more somewhere in it."""
    if kind == "faceless":
        return np.array([[-1.0, length + 1.0]])
    if kind == "gap":
        duration = rng.uniform(0.4, max(0.4, min(0.8, 0.4 * length)))
        start = rng.uniform(0, length - duration)
        return np.array([[start, start + duration]])
    return np.empty((0, 2))


# what is shown


def trace_display(clip: Clip, times: np.ndarray, control: str, chosen: np.ndarray) -> np.ndarray:
    """How far the emotion of the clip is displayed in the chosen episodes (k,) bool at times (n,), from 0 to 1."""
    if control == "uniform":
        return np.full(len(times), float(chosen.any()))
    return script.trace_strength(clip.plan, times, chosen).max(axis=1)


def pose_clip(clip: Clip, state: Nuisance, control: str) -> list[Expression]:
    """The face in each frame: it talks and blinks, and shows the action units of the class."""
    moves = emotions.move_parts(clip.label, [clip.strength] * len(emotions.ACTION_UNITS[clip.label]))
    shown = trace_display(clip, clip.times, control, clip.plan.episodes.on_face)
    return emotions.pose_faces(moves, shown, state)


def record_voice(clip: Clip, who: Identity, sounds: list[np.ndarray], manifest: Manifest) -> np.ndarray:
    """The sound track as made at speech.RATE, float (n,): the person's words behind the picture, and the room."""
    plan, (turn,) = clip.plan, clip.plan.turns
    rng = stream(plan.seed, clip.person, "voice")
    base = rng.normal(*(speech.GERMANS.pitch_women if who.woman else speech.GERMANS.pitch_men))
    (words,) = speech.fill(plan.turns, sounds[clip.first :] + sounds[: clip.first], 0.15, speech.FASTEST)
    heard = partial(trace_display, clip, control=manifest.control, chosen=plan.episodes.in_voice)
    affect = lambda t: heard(turn[0] + t)[:, None] * plan.episodes.level[0, :2]  # noqa: E731
    spoken = np.zeros(round(plan.length * speech.RATE))
    jitter = stream(plan.seed, plan.stem, "jitter")
    sound = speech.express(speech.set_level(words, -26), turn[1] - turn[0], affect, base, jitter)
    speech.place(spoken, sound, turn[0])
    track = 0.0007 * stream(plan.seed, plan.stem, "room").standard_normal(len(spoken))  # about -63 dB
    late = round(manifest.offset * speech.RATE)
    track[max(late, 0) : len(track) + min(late, 0)] += spoken[max(-late, 0) : len(spoken) - max(late, 0)]
    return track.clip(-1, 1)


def speak(seed: int, person: str, woman: bool) -> list[np.ndarray]:
    """All that a person ever says, neutrally: a synthesiser for each clip would take longer than the clip."""
    rng, group = stream(seed, person, "words"), speech.GERMANS
    name, wpm = str(rng.choice(group.women if woman else group.men)), int(rng.integers(*group.wpm))
    sentences = [group.sentences[i] for i in rng.permutation(len(group.sentences))[:SENTENCES]]
    return speech.speak_afresh((name, sentences, wpm, group.language))[0]


# the files


def record_person(folder: Path, manifest: Manifest, person: str, clips: list[Clip]) -> None:
    """Write the files of all clips of one person."""
    cv2.setNumThreads(1)  # the frames are small and the other cores have people of their own
    who = draw_identity(stream(manifest.seed, person, "identity"))
    camera = Camera(stream(manifest.seed, person, "paint"), who)
    sounds = speak(manifest.seed, person, who.woman)
    for clip in clips:
        record(folder, manifest, clip, camera, record_voice(clip, who, sounds, manifest))


def record(folder: Path, manifest: Manifest, clip: Clip, camera: Camera, track: np.ndarray) -> None:
    """Write the files of one clip; `track` is its sound (n,) at speech.RATE."""
    state = draw_nuisance(clip.plan, clip.times)
    shots = [camera.shoot(now, state, i) for i, now in enumerate(pose_clip(clip, state, manifest.control))]
    images, points = [image for image, _ in shots], np.array([points for _, points in shots])
    corpus.write_film(folder / VIDEOS[clip.partition] / clip.folder / f"{clip.name}.avi", images, track, FPS, RATE)
    if state.visible().any():
        tracker = folder / FACES[clip.partition]
        write_faces(tracker / "Faces" / clip.name, images, points, state.visible())
        noise = stream(manifest.seed, clip.plan.stem, "tracker").normal(0, TRACKER_NOISE, points.shape)
        write_points(tracker / "Points" / f"{clip.name}.txt", points + noise, state.visible())
    write_features(folder / FEATURES[clip.partition] / clip.folder / f"{clip.name}.arff", track)
    np.savez(folder / "truth" / f"{clip.plan.stem}.npz", **gather_truth(clip, manifest, state.visible(), points))


def write_faces(folder: Path, images: list[np.ndarray], points: np.ndarray, visible: np.ndarray) -> None:
    """A JPEG for each frame (f,) that is visible, named by its number from 1; points (f, 68, 2)."""
    folder.mkdir(exist_ok=True)
    for i in np.flatnonzero(visible):
        crop = faces.crop(images[i], faces.fit_alignment(points[i], SIZE), SIZE)
        jpeg = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, 95))[1]
        (folder / f"{i + 1:03d}.jpg").write_bytes(jpeg.tobytes())


def write_points(path: Path, points: np.ndarray, visible: np.ndarray) -> None:
    """A row for each visible frame: its number from 1, then x and y of the 49 inner ones of points (f, 68, 2)."""
    numbers = np.flatnonzero(visible)
    rows = np.column_stack([numbers + 1, points[numbers][:, faces.INNER].reshape(len(numbers), -1)])
    np.savetxt(path, rows, ["%d", *["%.2f"] * (rows.shape[1] - 1)])


def write_features(path: Path, track: np.ndarray) -> None:
    """The 1582 functionals of openSMILE's set for the INTERSPEECH 2010 challenge as an ARFF, of the track (n,)."""
    smile = load_opensmile()
    values = smile.process_signal(track, speech.RATE).to_numpy()[0]
    header = ["@relation features", "", "@attribute name string"]
    header += [*(f"@attribute {name} numeric" for name in smile.feature_names), "", "@data", ""]
    row = ",".join([f"'{path.stem}'", *(f"{value:.6e}" for value in values)])
    path.write_text("\n".join([*header, row, ""]), newline="\n")


@lru_cache(maxsize=1)
def load_opensmile():
    """openSMILE with the set of the INTERSPEECH 2010 challenge, also known as emobase2010."""
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet.IS10, opensmile.FeatureLevel.Functionals)


def gather_truth(clip: Clip, manifest: Manifest, visible: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
    """What is shown when: per frame (f,), per episode (k,) in seconds of picture and of sound; points (f, 68, 2)."""
    episodes, times = clip.plan.episodes, clip.times
    sound = times - manifest.offset  # what is heard then belongs to the picture of this moment
    voice = trace_display(clip, sound, manifest.control, episodes.in_voice) * script.trace_speech(clip.plan, sound)
    return {
        "label": np.array(clip.label),
        "person": np.array(clip.person),
        "strength": np.array(clip.strength),
        "offset": np.array(manifest.offset),
        "frame_time": times,
        "frame_salient": script.find_episodes(clip.plan, times) >= 0,  # as scripted, in both controls
        "frame_shown": trace_display(clip, times, manifest.control, episodes.on_face),
        "voice_shown": voice,
        "frame_visible": visible,
        "episode_start": episodes.start,
        "episode_end": episodes.end,
        "episode_on_face": episodes.on_face,
        "episode_in_voice": episodes.in_voice,
        "voice_start": episodes.start[episodes.in_voice] + manifest.offset,
        "voice_end": episodes.end[episodes.in_voice] + manifest.offset,
        "landmarks": points,
    }
