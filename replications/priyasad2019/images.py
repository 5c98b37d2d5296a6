"""Audio images (Section 3.2): cepstra or log-mel energies with their deltas, in segments of 64 x 64 x 3.

TensorFlow computes the spectrum, tensorflow-io the mel bands. `tfio.audio.spectrogram` is not used: it has a Hann
window, puts out magnitudes and adds zeros at the end, where Eq. 2 and 3 ask for a Hamming window and the power. Sizes
are as printed; "10 ms of overlap" is read as a step of 10 ms, since 64 frames last the printed 655 ms only then.
"""

import numpy as np

WINDOW, STEP = 0.025, 0.010  # seconds
FILTERS, LOWEST, HIGHEST = 64, 20.0, 8000.0  # mel filters and their ends in Hz; their number is also that of cepstra
FRAMES, SHIFT = 64, 30  # of a segment, and from one to the next
LENGTH = (FRAMES - 1) * STEP + WINDOW  # seconds of a segment: 0.655
REACH = 2  # N of Eq. 4, in frames
FLOOR = 1e-10  # least energy of a band before its logarithm: about what 16 bits leave of silence
LEAST = 1e-3  # of what a channel must vary by; less is rounding


def cut_segments(signal: np.ndarray, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64, 64, 3) float32 in [0, 255] of a mono signal in [-1, 1], and where they start, (n,) in seconds.

    Rows are coefficients from the lowest, columns frames; the channels are static, delta and delta-delta, which run
    on over the whole signal. Each channel is scaled from its least to its largest value (`image_scaling`) in the
    segment or in the utterance; one that is constant is 0. `image` is "mfcc" or "log-mel"; the signal has
    `audio_rate` Hz. What is left after the last whole segment is dropped. Raises ValueError for a signal shorter than
    a segment.
    """
    static = compute_coefficients(signal, settings["audio_rate"], settings["image"])
    if len(static) < FRAMES:
        seconds = len(signal) / settings["audio_rate"]
        raise ValueError(f"{seconds:.3f} s of sound are shorter than one segment of {LENGTH:.3f} s")
    slope = compute_delta(static)
    channels = np.stack([static, slope, compute_delta(slope)], axis=-1)  # (t, 64, 3)
    if settings["image_scaling"] == "utterance":
        channels = scale(channels, axis=(0, 1))
    first = np.arange(0, len(channels) - FRAMES + 1, SHIFT)
    images = channels[first[:, None] + np.arange(FRAMES)]
    if settings["image_scaling"] == "segment":
        images = scale(images, axis=(1, 2))
    return images.swapaxes(1, 2).astype(np.float32), first * STEP


def compute_coefficients(signal: np.ndarray, rate: int, image: str = "mfcc") -> np.ndarray:
    """All 64 cepstra, or the 64 log-mel energies, of frames of 25 ms every 10 ms, (t, 64) float32 (Eq. 2 and 3).

    The DFT has as many points as the window. The mel scale is HTK's. The DCT is of type II with the same factor for
    all coefficients, as Davis and Mermelstein (1980) have it. Raises ValueError.
    """
    import tensorflow as tf
    import tensorflow_io as tfio

    signal = np.asarray(signal, dtype=np.float32)
    if signal.ndim != 1 or not np.isfinite(signal).all():
        raise ValueError(f"one channel of finite samples is needed, not shape {signal.shape}")
    if rate < 2 * HIGHEST:
        raise ValueError(f"the mel filters need a rate of {2 * HIGHEST:.0f} Hz or more, not {rate}")
    size = 2 * round(WINDOW * rate / 2)  # even: the bank of tfio takes the last bin of the DFT for half the rate
    if len(signal) < size:
        return np.empty((0, FILTERS), np.float32)
    spectrum = tf.signal.stft(signal, size, round(STEP * rate), fft_length=size, window_fn=tf.signal.hamming_window)
    power = tf.abs(spectrum) ** 2 / size
    energies = tf.math.log(tf.maximum(tfio.audio.melscale(power, rate, FILTERS, LOWEST, HIGHEST), FLOOR))
    return (energies if image == "log-mel" else tf.signal.mfccs_from_log_mel_spectrograms(energies)).numpy()


def compute_delta(values: np.ndarray) -> np.ndarray:
    """Eq. 4 with N = 2 for frames (t, d), the first and last repeated beyond the ends: (t, d), change per frame.

    It is the slope of the least-squares line through 2 N + 1 frames. The printed c_{t+} is read as c_{t+n}.
    """
    from scipy.signal import savgol_filter

    return savgol_filter(values, 2 * REACH + 1, polyorder=1, deriv=1, axis=0, mode="nearest")


def scale(values: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    """From the least value over `axis` to the largest as 0 to 255; 0 where there is no difference between them."""
    least = values.min(axis=axis, keepdims=True)
    extent = values.max(axis=axis, keepdims=True) - least
    return np.where(extent > LEAST, 255 * ((values - least) / np.maximum(extent, LEAST)), 0)
