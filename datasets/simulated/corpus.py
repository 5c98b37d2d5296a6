"""What the writers of simulated corpora share: one recording on the stage, its files, its truth, and the whole folder."""

import fcntl
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import joblib
import numpy as np
import soundfile
from tqdm import tqdm

from common import storage
from common.errors import InputError
from common.running.parallel import parallel
from datasets.layout import MARKER, PARTIAL
from datasets.simulated import script, speech
from datasets.simulated.cultures import Culture
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.canvas import HEIGHT, WIDTH
from datasets.simulated.face.geometry import box_regions
from datasets.simulated.face.people import Identity, Nuisance, draw_identity, draw_nuisance
from datasets.simulated.script import Raters, Script

WHOLE = "whole"  # folder beside the growing corpus: a mark for each recording


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes of a corpus depend on; `train` and `devel` are per culture where there are several."""

    layout: str
    control: str
    seed: int
    train: int
    devel: int
    seconds: float
    fps: float
    version: int
    test: int | None = None  # None in layouts whose test partition has no labels, and not in their marker


def write(root: Path, manifest: Manifest, folders: tuple[str, ...], record_all: Callable[[Path], None]) -> None:
    """Let `record_all` fill the `folders` of a corpus, which is at `root` when it is whole; one there stays as it is.

    It grows in a hidden folder beside `root`. What `record_in_parallel` has made is kept there, however the process
    ends, and the next call with the same manifest goes on with the others; one with another begins anew. Of several
    processes one writes, the others wait. Raises InputError, WriteError where no file can be locked, and OSError where
    none can be written.
    """
    root = Path(root)
    place = root.resolve()
    partial, lock = (place.with_name(f".{place.name}{ending}") for ending in (PARTIAL, ".lock"))
    if is_written(root, manifest) and not partial.exists() and not lock.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with storage.lock(lock):
        if not is_written(root, manifest):  # now, after another process perhaps
            begun = partial / storage.digest(describe_manifest(manifest))
            corpus = begun / "corpus"
            for folder in (begun / WHOLE, *(corpus / folder for folder in folders)):
                folder.mkdir(parents=True, exist_ok=True)
            record_all(corpus)
            (corpus / MARKER).write_text(json.dumps(describe_manifest(manifest), indent=1) + "\n")
            os.sync()
            os.replace(corpus, place)
        shutil.rmtree(partial, ignore_errors=True)  # what was begun with other manifests, too


def describe_manifest(manifest) -> dict:
    """What is written beside the corpus."""
    return {name: value for name, value in asdict(manifest).items() if value is not None}


def check(manifest: Manifest, fps: tuple[float, float]) -> None:
    """Refuse what no corpus could be made of; `fps` is the range that the layout allows."""
    demands = {
        f"control must be one of {', '.join(script.CONTROLS)}": manifest.control in script.CONTROLS,
        "train must be at least 1 and devel at least 0": manifest.train >= 1 and manifest.devel >= 0,
        "test must be at least 0": (manifest.test or 0) >= 0,
        "seconds must be at least 5": manifest.seconds >= 5,
        f"fps must be between {fps[0]} and {fps[1]}": fps[0] <= manifest.fps <= fps[1],
    }
    check_demands(demands)


def check_demands(demands: dict[str, bool]) -> None:
    """Raise InputError with the first of the demands that is not met."""
    for demand, met in demands.items():
        if not met:
            raise InputError(f"the simulated corpus cannot be written: {demand}")


def is_written(root: Path, manifest: Manifest) -> bool:
    """Whether just this corpus is in `root`; an InputError if something else is."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / MARKER).read_text())
    except (OSError, ValueError):
        raise InputError(f"{root}: not a simulated corpus; name a new or empty folder") from None
    if found != describe_manifest(manifest):
        raise InputError(f"{root}: a simulated corpus with other parameters; delete it or name another folder")
    return True


def draw_lengths(manifest: Manifest, groups: dict[str, int], spread: float, digits: int = 2) -> dict[str, float]:
    """Stem -> seconds, in tenths, for the groups (prefix of the stems, whose numbers have `digits` -> recordings).

    The two people of a chat, 1 and 2, 3 and 4 and so on, have the same length; it varies by the part `spread`.
    """
    found = {}
    for group, count in groups.items():
        for number in range(1, count + 1):
            chat = script.stream(manifest.seed, group, f"chat {(number - 1) // 2}")
            found[f"{group}_{number:0{digits}d}"] = round(manifest.seconds * chat.uniform(1 - spread, 1 + spread), 1)
    return found


def record_in_parallel(
    record: Callable, corpus: Path, manifest, stems: dict, jobs: int, name: str, unit: str = "recording"
) -> None:
    """Make the recordings that are not whole yet in parallel, `stems` -> length; all depend on seed and stem only."""
    waiting = {stem: length for stem, length in stems.items() if not is_whole(corpus.with_name(WHOLE) / stem)}
    tasks = (joblib.delayed(record_whole)(record, corpus, manifest, *item) for item in waiting.items())
    done = {"total": len(stems), "initial": len(stems) - len(waiting)}
    for _ in tqdm(parallel(tasks, jobs, ordered=False), desc=f"simulating {name}", unit=unit, **done):
        pass


def is_whole(mark: Path) -> bool:
    return mark.exists() and mark.stat().st_size > 0


def record_whole(record: Callable, corpus: Path, manifest, stem: str, length) -> None:
    """Make a recording, from its start, and mark it as whole; files are named by the stem, so what is there is replaced.

    The mark is locked meanwhile: a worker that outlives its process may be about to make the same.
    """
    mark = corpus.with_name(WHOLE) / stem
    with mark.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not is_whole(mark):
            record(corpus, manifest, stem, length)
            os.sync()  # the mark must not outlast a power cut that the recording does not
            file.write("whole")


@dataclass(frozen=True)
class Scene:
    """One recording before it is filmed: who feels what when, and how it is shown and rated."""

    plan: Script
    person: str  # whose face and room
    raters: Raters
    culture: Culture
    control: str
    who: Identity
    state: Nuisance
    affect: np.ndarray  # (f, 2 regions, 2 or 3) on the face
    frame_time: np.ndarray  # (f,) seconds
    label_time: np.ndarray  # (n,)
    fps: float


def stage(manifest: Manifest, stem: str, length: float, culture: Culture, person: str = "") -> Scene:
    """Draw the scene of one recording; all those of one `person` show the same face, "" is another for each."""
    person = person or stem
    cv2.setNumThreads(1)  # the frames are small and the other cores have recordings of their own
    plan = script.write_script(manifest.seed, stem, length, culture.follows, culture.ratings, person)
    times = np.arange(round(length * manifest.fps)) / manifest.fps
    return Scene(
        plan=plan,
        person=person,
        raters=script.draw_raters(manifest.seed, culture.name),
        culture=culture,
        control=manifest.control,
        who=draw_identity(script.stream(manifest.seed, person, "identity"), culture.people),
        state=draw_nuisance(plan, times, culture.people),
        affect=script.trace_face(plan, times, manifest.control, culture.liking_on),
        frame_time=times,
        label_time=np.arange(round(length / script.LABEL_STEP)) * script.LABEL_STEP,
        fps=manifest.fps,
    )


def write_audio(path: Path, scene: Scene) -> None:
    """16 kHz, mono, 16 bit."""
    write_wav(path, record_voice(scene), speech.RATE, subtype="PCM_16")


def write_wav(path: Path, samples: np.ndarray, rate: int, **form: str) -> None:
    """`form` as of soundfile.write, which itself would not tell a full disk by an OSError, or not at all."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate, **{"format": "WAV"} | form)
    path.write_bytes(data.getvalue())


def record_voice(scene: Scene) -> np.ndarray:
    """What the microphone records, int16 (n,) at speech.RATE."""
    plan, speakers = scene.plan, scene.culture.speakers
    dimensions = len(speakers.style.pitch)
    return speech.record(
        script.stream(plan.seed, plan.stem, "voice"),
        scene.who.woman,
        plan.length,
        plan.turns,
        lambda t: script.trace_voice(plan, t, scene.control, dimensions),
        speakers,
    )


def write_video(path: Path, scene: Scene) -> np.ndarray:
    """MPEG-4 in AVI (as Xvid, which the corpora have) or MP4, 320x240; the true landmarks (f, 68, 2) float32 in pixels."""
    camera = Camera(script.stream(scene.plan.seed, scene.person, "paint"), scene.who)
    points = np.empty((len(scene.frame_time), 68, 2), np.float32)
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        video = open_stream(container, scene.fps)
        for i in range(len(points)):
            image, points[i] = camera.film(scene.state, i, scene.affect[i])
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(video.encode())
    return points


def write_film(
    path: Path, images: list[np.ndarray], track: np.ndarray, fps: int, rate: int, layout: str = "mono"
) -> None:
    """MPEG-4 and PCM, 16 bit, at `rate` in an AVI: images (240, 320, 3) BGR, track (n,) at speech.RATE.

    The track lasts as long as the images or longer; in the layout "stereo" both channels have it.
    """
    from scipy.signal import resample_poly

    sound = np.round(resample_poly(track, rate, speech.RATE).clip(-1, 1) * 32767).astype(np.int16)
    parts = sound[: len(images) * rate // fps].reshape(len(images), -1)
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        video = open_stream(container, fps)
        audio = container.add_stream("pcm_s16le", rate=rate, layout=layout, options={"flags": "+bitexact"})
        for i, (image, part) in enumerate(zip(images, parts)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            frame = av.AudioFrame.from_ndarray(np.repeat(part, audio.channels)[None], format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, i * len(part), Fraction(1, rate)
            container.mux(audio.encode(frame))
        container.mux(video.encode())
        container.mux(audio.encode())


def open_stream(container: av.container.OutputContainer, fps: float) -> av.VideoStream:
    """An MPEG-4 stream whose bytes depend on the frames only: one thread, no version strings."""
    rate = Fraction(fps).limit_denominator(1000)
    video = container.add_stream("mpeg4", rate=rate, options={"qmin": "3", "qmax": "6", "flags": "+bitexact"})
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.bit_rate = round(40_000 * fps)
    if container.format.name == "avi":
        video.codec_context.codec_tag = "XVID"
    video.codec_context.thread_count = 1
    return video


def write_labels(path: Path, scene: Scene, header: str = "") -> None:
    """One line per label: 'Train_01';seconds;arousal;valence;liking, below the header."""
    labels = script.rate(scene.plan, scene.raters, scene.label_time, scene.culture.ratings)
    rows = (
        f"'{scene.plan.stem}';" + ";".join(f"{value:.6f}" for value in row)
        for row in np.column_stack([scene.label_time, labels])
    )
    path.write_text(header + "\n".join(rows) + "\n", newline="\n")


def write_truth(path: Path, scene: Scene, points: np.ndarray, **more: np.ndarray) -> None:
    """What was felt, scripted, shown and rated, an npz; `points` are the true landmarks."""
    np.savez(path, **gather_script_truth(scene), **gather_frame_truth(scene, points), **more)


def gather_script_truth(scene: Scene) -> dict[str, np.ndarray]:
    """What was felt and scripted: latent traces (n,), delays (r,), episodes (k,), voice stretches (m,)."""
    episodes, felt = scene.plan.episodes, script.trace_latent(scene.plan, scene.label_time)
    return {
        "label_time": scene.label_time,
        "arousal": felt[:, 0],
        "valence": felt[:, 1],
        "liking": felt[:, 2],
        "rater_delay": scene.raters.delay,
        "mood": scene.plan.mood,
        "turns": scene.plan.turns,
        "episode_start": episodes.start,
        "episode_end": episodes.end,
        "episode_turn": episodes.turn,
        "episode_region": episodes.region,
        "episode_arousal": episodes.level[:, 0],
        "episode_valence": episodes.level[:, 1],
        "episode_liking": episodes.level[:, 2],
        "episode_on_face": episodes.on_face,
        "episode_in_voice": episodes.in_voice,
        "voice_start": episodes.start[episodes.in_voice],
        "voice_end": episodes.end[episodes.in_voice],
    }


def gather_frame_truth(scene: Scene, points: np.ndarray) -> dict[str, np.ndarray]:
    """What each frame (f,) shows clearly and where. Region and salience are as scripted, in both controls."""
    plan, times = scene.plan, scene.frame_time
    episode = script.find_episodes(plan, times)
    region = np.where(episode >= 0, np.append(plan.episodes.region, -1)[episode], -1)
    shown = script.trace_strength(plan, times, plan.episodes.on_face).max(axis=1, initial=0.0)
    return {
        "frame_time": times,
        "frame_shown": shown if scene.control == "salient" else np.ones(len(times)),
        "frame_region": region,
        "frame_salient": episode >= 0,
        "frame_visible": scene.state.visible(),
        "landmarks": points,
        "region_box": box_regions(points),
    }
