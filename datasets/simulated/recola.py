"""Writes a simulated RECOLA corpus in the layout of AV+EC 2015 and AVEC 2016, with the truth beside it.

    recordings_audio/train_1.wav    recordings_video/train_1.mp4    truth/train_1.npz    simulated.json
    ratings_individual/arousal/train_1.csv    ratings_gold_standard/arousal/train_1.arff      and valence

The gold standard is made of the individual ratings as the challenges made it; the test partition has neither. People
speak German, and nothing here listens to them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets import recola, traces
from datasets.simulated import corpus, script
from datasets.simulated.corpus import Manifest
from datasets.simulated.cultures import Culture

VERSION = 3  # to be raised whenever the same parameters give other bytes
FOLDERS = (
    *("recordings_audio", "recordings_video", "truth"),
    *(f"ratings_{kind}/{target}" for kind in ("individual", "gold_standard") for target in traces.TARGETS),
)
FPS = 25
HEADER = "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3"  # the spaces are in the real files
RECOLA = Culture("RECOLA", ratings=script.RECOLA)


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 9,
    dev: int = 9,
    test: int = 0,
    seconds: float = 60.0,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    As in the real corpus all recordings are equally long: `seconds`, rounded to tenths.
    """
    manifest = Manifest("recola", control, seed, train, dev, round(float(seconds), 1), FPS, VERSION, test)
    corpus.check(manifest, fps=(FPS, FPS))
    corpus.write(root, manifest, FOLDERS, lambda folder: record_all(folder, manifest, jobs))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All recordings of the corpus."""
    groups = {"train": manifest.train, "dev": manifest.devel, "test": manifest.test}
    stems = corpus.draw_lengths(manifest, groups, spread=0, digits=1)
    corpus.record_in_parallel(record, folder, manifest, stems, jobs, "RECOLA")


def record(folder: Path, manifest: Manifest, stem: str, length: float) -> None:
    """Write the files of one recording."""
    scene = corpus.stage(manifest, stem, length, RECOLA)
    scene = replace(scene, label_time=np.arange(recola.count_rows(length)) * recola.HOP)
    corpus.write_audio(folder / "recordings_audio" / f"{stem}.wav", scene)
    points = corpus.write_video(folder / "recordings_video" / f"{stem}.mp4", scene)
    corpus.write_truth(folder / "truth" / f"{stem}.npz", scene, points)
    if stem.startswith("test"):
        return
    said = script.trace_raters(scene.plan, scene.raters, scene.label_time, RECOLA.ratings).round(4)
    for target in traces.TARGETS:
        ratings = said[..., script.DIMENSIONS.index(target)]
        write_ratings(folder / "ratings_individual" / target / f"{stem}.csv", scene.label_time, ratings)
        gold = recola.make_gold_standard(ratings)
        write_gold(folder / "ratings_gold_standard" / target / f"{stem}.arff", scene.label_time, gold)


def write_ratings(path: Path, time: np.ndarray, ratings: np.ndarray) -> None:
    """A line per label: seconds and what each rater said; ratings (6, n)."""
    formats = ["%.2f", *["%.4f"] * len(ratings)]
    np.savetxt(path, np.column_stack([time, ratings.T]), formats, delimiter=";", header=HEADER, comments="")


def write_gold(path: Path, time: np.ndarray, gold: np.ndarray) -> None:
    """The ARFF of the challenges: nine lines of header, no zeros at the end of the time, lines ended by CR and LF."""
    header = [
        *(f"@relation GOLDSTANDARD_{path.parent.name.upper()}", ""),
        *("@attribute Instance_name string", "@attribute frameTime numeric", "@attribute GoldStandard numeric"),
        *("", "", "@data", ""),
    ]
    rows = [f"{path.stem},{second:g},{value:.6f}" for second, value in zip(time, gold)]
    path.write_text("\r\n".join([*header, *rows, ""]), newline="")
