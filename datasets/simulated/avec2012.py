"""Writes a simulated AVEC 2012 corpus (SEMAINE) in the layout of the challenge, with the truth beside it.

    audio/tests/wav/tests_audio001.wav            video/tests/tests_video001.avi
    audio/tests/labels/labels_continuous_tests001_arousal.dat      and train, devel
    truth/test_001.npz                            simulated.json

Labels come at the frame rate. Not all of the challenge is there: no words, no expectancy, no power; people speak
German, and nothing here listens to them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets import avec2012, traces
from datasets.simulated import corpus, script, speech
from datasets.simulated.corpus import Manifest, Scene
from datasets.simulated.cultures import Culture

VERSION = 3  # to be raised whenever the same parameters give other bytes
SETS = {"train": "train", "devel": "devel", "test": "tests"}  # partition -> its name in files
FOLDERS = (
    *(f"audio/{name}/{kind}" for name in SETS.values() for kind in ("wav", "labels")),
    *(f"video/{name}" for name in SETS.values()),
    "truth",
)
SPREAD = 0.15  # of the lengths
SESSIONS = 4  # of each user, one with each character of the Sensitive Artificial Listener
OVERSAMPLED = 3  # to 48 kHz
SEMAINE = Culture("SEMAINE", ratings=script.RECOLA)  # of SEMAINE itself no gold standard was at hand to measure


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 16,
    devel: int = 12,
    test: int = 6,
    seconds: float = 60.0,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    """
    manifest = Manifest("avec2012", control, seed, train, devel, float(seconds), avec2012.RATE, VERSION, test)
    corpus.check(manifest, fps=(avec2012.RATE, avec2012.RATE))
    corpus.write(root, manifest, FOLDERS, lambda folder: record_all(folder, manifest, jobs))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All sessions of the corpus."""
    groups = {partition: getattr(manifest, partition) for partition in SETS}
    stems = corpus.draw_lengths(manifest, groups, SPREAD, digits=3)
    corpus.record_in_parallel(record, folder, manifest, stems, jobs, "AVEC 2012")


def record(folder: Path, manifest: Manifest, stem: str, length: float) -> None:
    """Write the five files of one session."""
    partition, number = stem.split("_")
    name = SETS[partition]
    scene = corpus.stage(manifest, stem, length, SEMAINE, person=name_user(stem))
    scene = replace(scene, label_time=scene.frame_time)
    write_audio(folder / "audio" / name / "wav" / f"{name}_audio{number}.wav", scene)
    points = corpus.write_video(folder / "video" / name / f"{name}_video{number}.avi", scene)
    labels = script.rate(scene.plan, scene.raters, scene.label_time, SEMAINE.ratings)
    for target in traces.TARGETS:
        path = folder / "audio" / name / "labels" / f"labels_continuous_{name}{number}_{target}.dat"
        np.savetxt(path, labels[:, script.DIMENSIONS.index(target)], fmt="%.6f")
    corpus.write_truth(folder / "truth" / f"{stem}.npz", scene, points)


def name_user(stem: str) -> str:
    """Whose face is in a session: several that follow each other are of one user."""
    partition, number = stem.split("_")
    return f"{partition} user {(int(number) - 1) // SESSIONS}"


def write_audio(path: Path, scene: Scene) -> None:
    """48 kHz, mono, 24 bit, with the extensible header of the real files, which some readers do not know."""
    from scipy.signal import resample_poly

    samples = resample_poly(corpus.record_voice(scene) / 2**15, OVERSAMPLED, 1)
    corpus.write_wav(path, samples, OVERSAMPLED * speech.RATE, subtype="PCM_24", format="WAVEX")
