"""Recordings -> loudness (Section 2)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import storage
from common.media import audio
from datasets import avec2019, sewa

VERSION = 1  # raise when the features change for the same settings
RATE = 16000


@dataclass(frozen=True)
class Features:
    """One recording on the label grid of n instants: loudness (n, 1) and labels; digest: of all that these depend on."""

    name: str
    partition: str
    loudness: np.ndarray
    labels: sewa.Labels
    digest: str


def load(recording: avec2019.Recording, cache: Path) -> Features:
    """The features of a recording, from the cache or computed into it. Raises InputError."""
    labels = sewa.read_labels(recording.labels)
    key = storage.digest([VERSION, *map(storage.digest_file, (recording.audio, recording.labels))])
    path = cache / "features" / f"{key}.npy"
    if not path.exists():
        signal = audio.read(recording.audio, RATE, resample=True)
        storage.write_npy(path, measure_loudness(signal, len(labels.time)))
    loudness = np.load(path, mmap_mode="r", allow_pickle=False)
    return Features(recording.name, recording.partition, loudness, labels, key)


def measure_loudness(signal: np.ndarray, count: int) -> np.ndarray:
    """The logarithm of the power of `signal` (samples,) around each of `count` labels: (count, 1) float32."""
    parts = np.array_split(signal, count)
    return np.array([[np.log10(np.mean(part**2) + 1e-10)] for part in parts], np.float32)
