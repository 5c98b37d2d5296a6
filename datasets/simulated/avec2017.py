"""Writes a simulated AV+EC 2017 corpus (SEWA, German) in the layout of the challenge, with the truth beside it."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import cv2
import joblib
import numpy as np
import soundfile
from tqdm import tqdm

from common.cli import InputError
from datasets.simulated import face, script, speech
from datasets.simulated.script import Raters, Script

VERSION = 1  # to be raised whenever the same parameters give other bytes
MANIFEST = "simulated.json"
FOLDERS = ("audio", "video", "labels", "turns", "truth")


@dataclass(frozen=True)
class Manifest:
    """Everything that the bytes of a corpus depend on."""

    layout: str
    control: str
    seed: int
    train: int
    devel: int
    seconds: float
    fps: int
    version: int


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 34,
    devel: int = 14,
    seconds: float = 24.0,
    fps: int = 10,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, whole or not at all; a corpus that is there already stays as it is."""
    root = Path(root)
    manifest = Manifest("avec2017", control, seed, train, devel, float(seconds), fps, VERSION)
    check(manifest)
    if is_written(root, manifest):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}.") as scratch:
        corpus = Path(scratch, "corpus")
        for folder in FOLDERS:
            (corpus / folder).mkdir(parents=True)
        record_all(corpus, manifest, jobs)
        (corpus / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        os.replace(corpus, root)


def check(manifest: Manifest) -> None:
    """Refuse what no corpus could be made of."""
    demands = {
        f"control must be one of {', '.join(script.CONTROLS)}": manifest.control in script.CONTROLS,
        "train must be at least 1 and devel at least 0": manifest.train >= 1 and manifest.devel >= 0,
        "seconds must be at least 5, less leaves no room for an episode": manifest.seconds >= 5,
        "fps must be between 10 and 25": 10 <= manifest.fps <= 25,
    }
    for demand, met in demands.items():
        if not met:
            raise InputError(f"the simulated corpus cannot be written: {demand}")


def is_written(root: Path, manifest: Manifest) -> bool:
    """Whether just this corpus is in `root`; an InputError if something else is."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError):
        raise InputError(f"{root}: not a simulated corpus; name a new or empty folder") from None
    if found != asdict(manifest):
        raise InputError(f"{root}: a simulated corpus with other parameters; delete it or name another folder")
    return True


def lengths(manifest: Manifest) -> dict[str, float]:
    """Stem -> seconds. The two people of a chat, 1 and 2, 3 and 4 and so on, have the same length.

    It varies by 15 %, on the label grid; the real corpus varies even more, from 97 to 176 s.
    """
    found = {}
    for partition, count in (("Train", manifest.train), ("Devel", manifest.devel)):
        for number in range(1, count + 1):
            chat = script.stream(manifest.seed, partition, f"chat {(number - 1) // 2}")
            found[f"{partition}_{number:02d}"] = round(manifest.seconds * chat.uniform(0.85, 1.15), 1)
    return found


def record_all(corpus: Path, manifest: Manifest, jobs: int) -> None:
    """Make the recordings in parallel; each depends on the seed and its own stem only."""
    stems = lengths(manifest)
    tasks = (joblib.delayed(record)(corpus, manifest, stem, length) for stem, length in stems.items())
    done = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
    for _ in tqdm(done, total=len(stems), desc="simulating AV+EC 2017", unit="recording"):
        pass


def record(corpus: Path, manifest: Manifest, stem: str, length: float) -> None:
    """Write the five files of one recording."""
    cv2.setNumThreads(1)  # the frames are small and the other cores have recordings of their own
    plan, raters = script.write_script(manifest.seed, stem, length), script.draw_raters(manifest.seed)
    label_times = np.arange(round(length / script.LABEL_STEP)) * script.LABEL_STEP
    frame_times = np.arange(round(length * manifest.fps)) / manifest.fps
    who = face.draw_identity(script.stream(manifest.seed, stem, "identity"))
    state = face.draw_nuisance(plan, frame_times)

    write_audio(corpus / "audio" / f"{stem}.wav", plan, who.woman, manifest.control)
    points = write_video(corpus / "video" / f"{stem}.avi", plan, who, state, frame_times, manifest)
    write_labels(corpus / "labels" / f"{stem}.csv", stem, label_times, script.rate(plan, raters, label_times))
    write_turns(corpus / "turns" / f"{stem}.csv", plan.turns)
    truth = script_truth(plan, raters, label_times) | frame_truth(plan, state, frame_times, points, manifest.control)
    np.savez(corpus / "truth" / f"{stem}.npz", **truth)


def write_audio(path: Path, plan: Script, woman: bool, control: str) -> None:
    """16 kHz, mono, 16 bit."""
    rng = script.stream(plan.seed, plan.stem, "voice")
    samples = speech.record(rng, woman, plan.length, plan.turns, lambda t: script.voice_affect(plan, t, control))
    soundfile.write(path, samples, speech.RATE, subtype="PCM_16")


def write_video(
    path: Path, plan: Script, who: face.Identity, state: face.Nuisance, times: np.ndarray, manifest: Manifest
) -> np.ndarray:
    """MPEG-4 as the corpus has it (Xvid) in AVI, 320x240; returns the true landmarks (f, 68, 2) float32 in pixels."""
    camera = face.Camera(script.stream(plan.seed, plan.stem, "paint"), who)
    affect = script.face_affect(plan, times, manifest.control)
    points = np.empty((len(times), 68, 2), np.float32)
    with av.open(str(path), "w", format="avi", container_options={"fflags": "+bitexact"}) as container:
        video = open_stream(container, manifest.fps)
        for i in range(len(times)):
            image, points[i] = camera.frame(state, i, affect[i])
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(video.encode())
    return points


def open_stream(container: av.container.OutputContainer, fps: int) -> av.VideoStream:
    """An MPEG-4 stream whose bytes depend on the frames only: one thread, no version strings."""
    video = container.add_stream("mpeg4", rate=fps, options={"qmin": "3", "qmax": "6", "flags": "+bitexact"})
    video.width, video.height, video.pix_fmt = face.WIDTH, face.HEIGHT, "yuv420p"
    video.bit_rate = 40_000 * fps
    video.codec_context.codec_tag = "XVID"
    video.codec_context.thread_count = 1
    return video


def write_labels(path: Path, stem: str, times: np.ndarray, labels: np.ndarray) -> None:
    """One line per label: 'Train_01';seconds;arousal;valence;liking, without a header."""
    rows = (f"'{stem}';" + ";".join(f"{value:.6f}" for value in row) for row in np.column_stack([times, labels]))
    path.write_text("\n".join(rows) + "\n", newline="\n")


def write_turns(path: Path, turns: np.ndarray) -> None:
    """One line per turn of the recorded person: start;end in seconds, without a header."""
    path.write_text("".join(f"{start:.3f};{end:.3f}\n" for start, end in turns), newline="\n")


def script_truth(plan: Script, raters: Raters, times: np.ndarray) -> dict[str, np.ndarray]:
    """What was felt and scripted: latent traces (n,), delays (r,), episodes (k,), voice stretches (m,)."""
    episodes, felt = plan.episodes, script.latent(plan, times)
    return {
        "label_time": times,
        "arousal": felt[:, 0],
        "valence": felt[:, 1],
        "liking": felt[:, 2],
        "rater_delay": raters.delay,
        "episode_start": episodes.start,
        "episode_end": episodes.end,
        "episode_region": episodes.region,
        "episode_arousal": episodes.level[:, 0],
        "episode_valence": episodes.level[:, 1],
        "episode_on_face": episodes.on_face,
        "episode_in_voice": episodes.in_voice,
        "voice_start": episodes.start[episodes.in_voice],
        "voice_end": episodes.end[episodes.in_voice],
    }


def frame_truth(
    plan: Script, state: face.Nuisance, times: np.ndarray, points: np.ndarray, control: str
) -> dict[str, np.ndarray]:
    """What each frame (f,) shows and where. Region and salience are as scripted, in both controls."""
    episode = script.episode_at(plan, times)
    region = np.where(episode >= 0, np.append(plan.episodes.region, -1)[episode], -1)
    shown = script.strength(plan, times, plan.episodes.on_face).max(axis=1, initial=0.0)
    return {
        "frame_time": times,
        "frame_shown": shown if control == "salient" else np.ones(len(times)),
        "frame_region": region,
        "frame_salient": episode >= 0,
        "frame_visible": state.visible(),
        "landmarks": points,
        "region_box": face.region_boxes(points),
    }
