"""Bags of words over frames, as openXBOW makes them for AVEC 2018 and 2019 (Section IV-B).

Options there: `-size 100 -a 1 -log -t 4.0 0.1`, and `-standardizeInput` for audio. Each frame counts for the one
word that is nearest to it (Euclidean distance); a bag holds log10(1 + count) of each word in a window, and is not
normalised. Numbers are float32 where openXBOW's are: its own bags come out to the last printed digit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError

EMPTY = 0.001  # count of each word in a window without frames


@dataclass(frozen=True)
class Codebook:
    """Words (k, d); mean and scale (d,) by which frames are standardised, or None; log: log10(1 + count). float32."""

    words: np.ndarray
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    log: bool = True

    def standardise(self, frames: np.ndarray) -> np.ndarray:
        """Frames (n, d) in the units of the words."""
        frames = np.asarray(frames, np.float32)
        return frames if self.mean is None else (frames - self.mean) / self.scale


def fit(frames: np.ndarray, size: int = 100, seed: int = 10, standardise: bool = False) -> Codebook:
    """A codebook from all `frames` (n, d): openXBOW's default, random++.

    Words are frames, drawn one by one with a chance that grows with the squared distance to the words drawn before:
    the initial step of k-means++, and no step of k-means after it. The seed's stream is NumPy's; Java's, and so
    openXBOW's choice of frames, cannot be had. A constant column is left unscaled.
    Raises ValueError when there are fewer frames than words.
    """
    from sklearn.cluster import kmeans_plusplus

    mean = scale = None
    if standardise:
        mean = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        scale = frames.std(axis=0, ddof=1, dtype=np.float64).astype(np.float32)
        scale[scale == 0] = 1
    codebook = Codebook(np.empty(0), mean, scale, log=True)
    words, _ = kmeans_plusplus(codebook.standardise(frames), size, random_state=seed, n_local_trials=1)
    return Codebook(words, mean, scale, log=True)


def assign(codebook: Codebook, frames: np.ndarray) -> np.ndarray:
    """Index of the word nearest to each of `frames` (n, d): (n,). Of equally near words it is the first."""
    from scipy.spatial.distance import cdist

    return cdist(codebook.standardise(frames), codebook.words, "sqeuclidean").argmin(axis=1)


def space_centres(count: int, hop: float = 0.1) -> np.ndarray:
    """Centres of the first `count` windows in seconds, (count,) float32: multiples of `hop`, rounded as openXBOW does."""
    return np.arange(count, dtype=np.float32) * np.float32(hop)


def make_bags(
    codebook: Codebook, time: np.ndarray, frames: np.ndarray, centres: np.ndarray, window: float = 4.0
) -> np.ndarray:
    """Bags of `frames` (n, d) at the ascending `time` (n,) in windows around `centres` (m,): (m, k) float32.

    A window holds the frames up to `window` / 2 seconds from its centre, at both ends, and is cut off where the frames
    end. Times are compared in float32, so that rounding decides on a frame that stands on an end, as in openXBOW.
    """
    size = len(codebook.words)
    passed = np.zeros((len(frames) + 1, size), np.int32)  # how often each word has come up before each frame
    passed[np.arange(1, len(frames) + 1), assign(codebook, frames)] = 1
    passed = passed.cumsum(axis=0, dtype=np.int32)
    time, centres, half = np.float32(time), np.float32(centres), np.float32(window / 2)
    first = np.searchsorted(time, centres - half, "left")
    last = np.searchsorted(time, centres + half, "right")
    counts = (passed[last] - passed[first]).astype(np.float32)
    counts[first == last] = EMPTY
    return np.log10(1 + counts, dtype=np.float64).astype(np.float32) if codebook.log else counts


def read_codebook(path: Path) -> Codebook:
    """Read a codebook that openXBOW has written with one assignment for each frame.

    Lines: optionally `standardizeInput` and two rows, means and deviations of all attributes, the name's and the
    time's first; optionally `log`; then `codebookNumeric`, a row `words;features;assignments;...` and the words.
    Raises InputError for other options and for rows that do not fit.
    """
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name a codebook of openXBOW") from error
    scaling, log = None, False
    while lines and lines[0] in ("standardizeInput", "log"):
        if lines[0] == "log":
            log, lines = True, lines[1:]
        else:
            scaling, lines = _parse_rows(lines[1:3], path), lines[3:]
    if len(lines) < 2 or lines[0] != "codebookNumeric":
        raise InputError(
            f"{path}: {lines[0] if lines else 'no codebook'} where codebookNumeric is expected; write the codebook with "
            f"no more options than -size, -a 1, -log and -standardizeInput"
        )
    head, words = _parse_rows(lines[1:2], path)[0], _parse_rows(lines[2:], path)
    if len(head) != 5 or head[2] != 1 or head[3:].any():
        raise InputError(f"{path}: assigns a frame to other than one word, or weighs it; write the codebook with -a 1")
    if words.shape != tuple(head[:2]) or (scaling is not None and scaling.shape[1] < words.shape[1]):
        raise InputError(
            f"{path}: its rows do not make {head[0]:g} words of {head[1]:g} features; copy the codebook again"
        )
    mean, scale = (None, None) if scaling is None else scaling[:, -words.shape[1] :]
    return Codebook(words, mean, scale, log)


def _parse_rows(lines: list[str], path: Path) -> np.ndarray:
    """Lines of numbers: (n, d) float32."""
    try:
        return np.array([line.split(";") for line in lines], dtype=np.float32)
    except ValueError as error:
        raise InputError(f"{path}: {error}; copy the codebook again") from error
