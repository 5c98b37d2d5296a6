"""Voice activity (Section 3.1): where the speech band holds most of the energy, and the span of a clip that is kept.

Section 3.1 gives the ratio (Eq. 1) and no constants. The defaults are those of VAD-python
(github.com/marsbroshok/VAD-python), which describes itself in nearly the same words: windows of 20 ms every 10 ms, a
band of 300 to 3000 Hz, a threshold of 0.6, the mean of a window left out, decisions smoothed by a median over 25
windows. A band from 300 Hz on leaves out the fundamental of a voice, and with it most of the energy of nasals and
close vowels; speech that begins or ends with them is then found too late or left too early.

The ratio knows no loudness, and silence has none at all: what lies 60 dB below the loudest window counts as silence.
Since the floor moves with the clip, a louder copy has the same ratios.
"""

import math

import numpy as np

from replications.priyasad2019.images import LENGTH

FLOOR = 1e-6  # of the energy of the loudest window


def compute_speech_ratio(
    signal: np.ndarray, rate: int, window: float = 0.020, step: float = 0.010, band: tuple[float, float] = (300, 3000)
) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 1: centres (n,) of the windows in seconds and their ratios (n,) in [0, 1], of a mono signal at `rate` Hz.

    The ratio is the energy between the two frequencies of `band`, both left out, over that of all frequencies above
    0. It is 0 in silence. A signal that is shorter than a window has no ratio. Raises ValueError.
    """
    signal = np.asarray(signal, dtype=np.float64)
    if signal.ndim != 1 or not np.isfinite(signal).all():
        raise ValueError(f"one channel of finite samples is needed, not shape {signal.shape}")
    size = round(window * rate)
    starts = np.round(np.arange(0, len(signal), step * rate)).astype(int)
    starts = starts[starts + size <= len(signal)]
    energy = np.abs(np.fft.rfft(signal[starts[:, None] + np.arange(size)])) ** 2
    frequency = np.arange(energy.shape[1]) * rate / size
    spoken = energy[:, (band[0] < frequency) & (frequency < band[1])].sum(axis=1)
    total = energy[:, 1:].sum(axis=1)
    # an offset counts for the loudest window: beside it, what rounding leaves of a constant signal is silence
    audible = total > FLOOR * energy.sum(axis=1).max(initial=0)
    ratio = np.divide(spoken, total, out=np.zeros(len(total)), where=audible)
    return (starts + size / 2) / rate, ratio


def find_active(ratio: np.ndarray, threshold: float = 0.6, at_least: bool = True, median: int = 25) -> np.ndarray:
    """Which windows are active, (n,) bool: a ratio of the threshold or more, or only more, in most of `median` windows.

    Eq. 1 prints "or more", the text above it "greater". Beyond the ends nothing is active: where the first decision is
    repeated there, as in VAD-python, a single window at the start makes speech of all that comes before the voice.
    Raises ValueError for a `median` that is not odd, or a threshold that silence would reach.
    """
    if median % 2 != 1 or threshold <= 0:
        raise ValueError(f"an odd median and a threshold above 0 are needed, not {median} and {threshold}")
    decided = ratio >= threshold if at_least else ratio > threshold
    if not len(decided):
        return decided
    # not scipy.ndimage.median_filter, which in SciPy 1.15 reads beyond a signal that is shorter than the median
    around = np.lib.stride_tricks.sliding_window_view(np.pad(decided, median // 2), median)
    return around.sum(axis=1) > median // 2


def find_speech(signal: np.ndarray, rate: int, settings: dict) -> tuple[float, float] | None:
    """Seconds from the start of the first active window to the end of the last one; None where nothing is active."""
    window = settings["vad_window"]
    band = (settings["vad_low"], settings["vad_high"])
    centres, ratio = compute_speech_ratio(signal, rate, window, settings["vad_step"], band)
    at_least = settings["vad_comparison"] == "at_least"
    found = centres[find_active(ratio, settings["vad_threshold"], at_least, settings["vad_median"])]
    return (float(found[0] - window / 2), float(found[-1] + window / 2)) if len(found) else None


def find_span(signal: np.ndarray, rate: int, settings: dict) -> tuple[float, float] | None:
    """The region of interest in seconds: the speech with `vad_before` and `vad_after` (Section 3.1), within the clip.

    One that is shorter than an audio image is extended to its 0.655 s by the same amount at both ends, or by more at
    one end where the clip ends at the other; a clip that is shorter is kept whole. None without speech.
    """
    found = find_speech(signal, rate, settings)
    if found is None:
        return None
    clip = len(signal) / rate
    start, end = max(found[0] - settings["vad_before"], 0.0), min(found[1] + settings["vad_after"], clip)
    length = max(end - start, LENGTH)
    start = max(min((start + end - length) / 2, clip - length), 0.0)
    return start, min(start + length, clip)


def cut(signal: np.ndarray, rate: int, seconds: tuple[float, float]) -> np.ndarray:
    """The samples (m,) of a span. Their number depends on its length alone, rounded up: 0.655 s are always an image."""
    first = round(seconds[0] * rate)
    return signal[first : first + math.ceil((seconds[1] - seconds[0]) * rate - 1e-6)]  # less is no sample but rounding
