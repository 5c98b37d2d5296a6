"""Recordings -> one audio and one visual array on the label grid (Section IV-B): low-level, deep, or both.

A kind of features that the challenge provides is read from its files, and then each recording must have it; other
kinds are computed. Features are cached under the digest of the files and of the settings that shape them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import storage
from common.running.corpora import Unusable
from datasets import avec2019, sewa
from replications.raju2021 import deep, low_level

STREAMS = ("audio", "visual")


@dataclass(frozen=True)
class Features:
    """One recording on the label grid of n instants; row i belongs to label i.

    audio (n, Da) and visual (n, Dv) float32, memory-mapped; labels: the gold standard; digest: of all that these
    depend on.
    """

    name: str
    partition: str
    culture: str
    audio: np.ndarray
    visual: np.ndarray
    labels: sewa.Labels
    digest: str


def extract(
    recordings: Sequence[avec2019.Recording], settings: dict, cache: Path, jobs: int, threads: int
) -> tuple[list[Features], list[Unusable]]:
    """Features of all `recordings`, in their order, and those that cannot be used. Shows progress.

    settings: features ("low-level", "deep", or "both" beside each other), audio_rate, resample, lld_to_grid,
    summary_window, bag_size, codebook_seed, video_composition.
    Raises InputError when there is no training recording to make a codebook from.
    """
    kinds = {"low-level": [low_level], "deep": [deep], "both": [low_level, deep]}[settings["features"]]
    files, unusable = [], {}
    for kind in kinds:
        found, refused = kind.extract(recordings, settings, cache, jobs, threads)
        files.append(found)
        unusable = {item.recording: item for item in refused} | unusable
    usable = [recording for recording in recordings if recording.name not in unusable]
    return [_load(recording, [found[recording.name] for found in files], cache) for recording in usable], [
        unusable[recording.name] for recording in recordings if recording.name in unusable
    ]


def _load(recording: avec2019.Recording, files: list[dict[str, Path]], cache: Path) -> Features:
    joined = {modality: _join([found[modality] for found in files], cache) for modality in STREAMS}
    return Features(
        name=recording.name,
        partition=recording.partition,
        culture=recording.culture,
        labels=sewa.read_labels(recording.labels),
        digest=storage.digest([path.stem for path in joined.values()] + [storage.digest_file(recording.labels)]),
        **{modality: np.load(path, mmap_mode="r", allow_pickle=False) for modality, path in joined.items()},
    )


def _join(paths: list[Path], cache: Path) -> Path:
    """The file that holds the columns of all `paths`; like them, it is named by its key."""
    if len(paths) == 1:
        return paths[0]
    path = cache / "features" / f"{storage.digest([part.stem for part in paths])}.npy"
    if not path.exists():
        storage.write_npy(
            path, np.concatenate([np.load(part, mmap_mode="r", allow_pickle=False) for part in paths], axis=1)
        )
    return path
