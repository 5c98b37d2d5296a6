"""Writes a simulated AV+EC 2017 corpus (SEWA, German) in the layout of the challenge, with the truth beside it."""

from pathlib import Path

import numpy as np

from datasets.simulated import corpus
from datasets.simulated.corpus import Manifest
from datasets.simulated.cultures import Culture

VERSION = 3  # to be raised whenever the same parameters give other bytes
FOLDERS = ("audio", "video", "labels", "turns", "truth")
SPREAD = 0.15  # of the lengths; those of the real corpus vary even more, from 97 to 176 s
SEWA = Culture("")  # one culture, which the stems do not name and which does not show liking


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 34,
    devel: int = 14,
    seconds: float = 60.0,
    fps: int = 10,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    """
    manifest = Manifest("avec2017", control, seed, train, devel, float(seconds), fps, VERSION)
    corpus.check(manifest, fps=(4, 25))
    corpus.write(root, manifest, FOLDERS, lambda folder: record_all(folder, manifest, jobs))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All recordings of the corpus."""
    stems = corpus.draw_lengths(manifest, {"Train": manifest.train, "Devel": manifest.devel}, SPREAD)
    corpus.record_in_parallel(record, folder, manifest, stems, jobs, "AV+EC 2017")


def record(folder: Path, manifest: Manifest, stem: str, length: float) -> None:
    """Write the five files of one recording."""
    scene = corpus.stage(manifest, stem, length, SEWA)
    corpus.write_audio(folder / "audio" / f"{stem}.wav", scene)
    points = corpus.write_video(folder / "video" / f"{stem}.avi", scene)
    corpus.write_labels(folder / "labels" / f"{stem}.csv", scene)
    write_turns(folder / "turns" / f"{stem}.csv", scene.plan.turns)
    corpus.write_truth(folder / "truth" / f"{stem}.npz", scene, points)


def write_turns(path: Path, turns: np.ndarray) -> None:
    """One line per turn of the recorded person: start;end in seconds, without a header."""
    path.write_text("".join(f"{start:.3f};{end:.3f}\n" for start, end in turns), newline="\n")
