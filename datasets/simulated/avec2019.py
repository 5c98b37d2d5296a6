"""Writes a simulated AVEC 2019 corpus (cross-cultural emotion sub-challenge), with action units and the truth beside it.

    audio/Train_DE_01.wav   video/Train_DE_01.avi   labels/Train_DE_01.csv
    openface/Train_DE_01.csv   what OpenFace would have measured   truth/Train_DE_01.npz   simulated.json

Both cultures show arousal and valence alike and liking each in its own way, see `cultures`.
"""

from pathlib import Path

import numpy as np

from datasets.simulated import corpus, cultures, openface, script
from datasets.simulated.corpus import Manifest, Scene
from datasets.simulated.face.expression import form_expression, measure_action_units

VERSION = 3  # to be raised whenever the same parameters give other bytes
FOLDERS = ("audio", "video", "labels", "openface", "truth")
CULTURES = {culture.name: culture for culture in (cultures.DE, cultures.HU)}
SPREAD = 0.09  # of the lengths
HEADER = "name;timestamp;arousal;valence;liking\n"


def write(
    root: Path,
    seed: int = 0,
    control: str = "salient",
    train: int = 34,
    devel: int = 14,
    seconds: float = 60.0,
    fps: int = 5,
    jobs: int = 1,
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    `train` and `devel` are the numbers of recordings of each culture.
    """
    manifest = Manifest("avec2019", control, seed, train, devel, float(seconds), fps, VERSION)
    corpus.check(manifest, fps=(5, 25))
    corpus.write(root, manifest, FOLDERS, lambda folder: record_all(folder, manifest, jobs))


def record_all(folder: Path, manifest: Manifest, jobs: int) -> None:
    """All recordings of the corpus."""
    corpus.record_in_parallel(record, folder, manifest, draw_lengths(manifest), jobs, "AVEC 2019")


def draw_lengths(manifest: Manifest) -> dict[str, float]:
    """Stem -> seconds; the two people of a chat have the same culture and the same length."""
    counts = {"Train": manifest.train, "Devel": manifest.devel}
    groups = {f"{partition}_{culture}": count for partition, count in counts.items() for culture in CULTURES}
    return corpus.draw_lengths(manifest, groups, SPREAD)


def record(folder: Path, manifest: Manifest, stem: str, length: float) -> None:
    """Write the five files of one recording."""
    _, culture, _ = stem.split("_")
    scene = corpus.stage(manifest, stem, length, CULTURES[culture])
    corpus.write_audio(folder / "audio" / f"{stem}.wav", scene)
    points = corpus.write_video(folder / "video" / f"{stem}.avi", scene)
    corpus.write_labels(folder / "labels" / f"{stem}.csv", scene, HEADER)
    units = list_action_units(scene)
    measured = openface.measure(script.stream(manifest.seed, stem, "openface"), units, scene.state.visible())
    openface.write(folder / "openface" / f"{stem}.csv", scene.frame_time, measured)
    corpus.write_truth(
        folder / "truth" / f"{stem}.npz", scene, points, action_units=units, **gather_liking_truth(scene)
    )


def list_action_units(scene: Scene) -> np.ndarray:
    """What the face really does: FACS intensities (f, 17) from 0 to 5 in the order of datasets.openface.ACTION_UNITS."""
    shown = (form_expression(affect, scene.state, i) for i, affect in enumerate(scene.affect))
    return np.array([measure_action_units(now) for now in shown])


def gather_liking_truth(scene: Scene) -> dict[str, np.ndarray]:
    """How the culture shows liking: on which region of the face, frame by frame (f,), and in the voice.

    `liking_in_voice` (6,) has the effects of one unit on pitch, melody, loudness, tempo, effort and roughness
    (speech.Style).
    """
    style = vars(scene.culture.speakers.style)
    return {
        "culture": np.array(scene.culture.name),
        "frame_liking": scene.affect[:, scene.culture.liking_on, 2],
        "liking_region": np.array(scene.culture.liking_on),
        "liking_in_voice": np.array([values[2] for values in style.values()]),
    }
