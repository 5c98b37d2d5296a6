"""Audio features (Section 3.3): "all the 27 features" of YAAFE with their default parameters, in NumPy.

YAAFE is described by Mathieu, Essid, Fillon, Prado, Richard, "YAAFE, an easy to use and efficient audio feature
extraction software", ISMIR 2010. The 27 are those of versions 0.64 and 0.65 whose input is a signal, without Frames.
Definitions, defaults and the handling of the ends follow YAAFE 0.65, its slips included: the paper used that
program. Each function names the feature it computes, as YAAFE does.

At 16 kHz the defaults make 901 columns. The paper counts 939 and does not say how; nothing is added to reach it.

Where YAAFE has no number, or none that a float32 holds, we define one:
- silence: LPC are 0, the predictor of a signal without correlation, and LSF those of such a signal (YAAFE: NaN);
- from silence to sound SpectralFlux is 0, YAAFE's rule for a norm of 0, which its floor of the spectrum hides;
- a shape of no width (an impulse) has skewness 0 and kurtosis -3, as YAAFE says of silence;
- at rates below 16 kHz, mel bands above the spectrum are 0 and AmplitudeModulation ends with the spectrum of the
  envelope (YAAFE reads past both).
"""

import numpy as np

RATE = 16000  # Hz
BLOCK = 1024  # samples of a frame
STEP = 512
LONG_BLOCK = 32768  # samples of a frame of Envelope and what is computed from it
LONG_STEP = 16384
LAGS = 49  # of AutoCorrelation
PREDICTORS = 2  # of LPC
LINES = 10  # of LSF, and the order of the predictor they describe
FILTERS, LOWEST, HIGHEST = 40, 130.0, 6854.0  # the mel filter bank and its ends in Hz
CEPSTRA = 13  # of MFCC, after the first, which is left out
BARKS = 24  # bands of Loudness
OCTAVE = 27.5  # Hz, the peak of the first filter of OBSI
EDGE, GROUPED, OVERLAP = 250.0, 1000.0, 0.05  # quarter octaves: near the lowest, from where bins are grouped (Hz)
DECIMATION = 200  # samples of the signal to one of the envelope
SMOOTHING = 0.05  # seconds of the envelope's filter
TREMOLO, GRAIN = (4.0, 8.0), (10.0, 40.0)  # Hz, the two ranges of AmplitudeModulation
EPS = float(np.finfo(np.float64).eps)  # YAAFE's floor for what must not be 0
NARROW = 1e-3  # a shape's spread, in steps of its index, below which it has no width


def count_frames(samples: int) -> int:
    """Frames of a signal of `samples`: one around every 512th sample, from the first one on; zeros beyond the ends."""
    return -(-samples // STEP)


def compute_times(count: int, rate: int = RATE) -> np.ndarray:
    """Centres (count,) of the frames in seconds: frame i lies around sample 512 i."""
    return np.arange(count) * STEP / rate


def count_columns(rate: int = RATE) -> dict[str, int]:
    """Width of each feature at `rate`, by name, in the order in which `compute_features` has them."""
    return {name: values.shape[1] for name, values in compute_by_name(np.zeros(1), rate).items()}


def compute_features(signal: np.ndarray, rate: int = RATE) -> np.ndarray:
    """All features of a mono signal (n,) in [-1, 1]: (count_frames(n), sum of count_columns(rate)) float32, all finite.

    Raises ValueError for a signal that is empty, not one channel of finite floats, or sampled below 8 kHz.
    """
    return np.concatenate(list(compute_by_name(signal, rate).values()), axis=1, dtype=np.float32)


def compute_by_name(signal: np.ndarray, rate: int = RATE) -> dict[str, np.ndarray]:
    """The features by name, in alphabetical order, (frames, width) float64 each. Raises ValueError as `compute_features`."""
    signal = _check_signal(signal, rate)
    short = cut_blocks(signal, BLOCK, STEP)
    spectrum = windowed_spectrum(short)
    magnitude = magnitude_spectrum(spectrum)
    power = magnitude**2
    correlation = autocorrelation(short)
    mel = mel_spectrum(magnitude, rate)
    intensity = obsi(power, rate)
    loud = loudness(power, rate)
    contour = envelope(cut_blocks(signal, LONG_BLOCK, LONG_STEP), rate)
    return {
        "AmplitudeModulation": _bring_to_grid(amplitude_modulation(contour, rate), len(short)),
        "AutoCorrelation": correlation,
        "ComplexDomainOnsetDetection": complex_domain_onset(spectrum),
        "Energy": energy(short),
        "Envelope": _bring_to_grid(contour, len(short)),
        "EnvelopeShapeStatistics": _bring_to_grid(shape_statistics(contour), len(short)),
        "LPC": lpc(correlation, PREDICTORS),
        "LSF": lsf(lpc(correlation, LINES)),
        "Loudness": loud,
        "MFCC": mfcc(mel),
        "MagnitudeSpectrum": magnitude,
        "MelSpectrum": mel,
        "OBSI": intensity,
        "OBSIR": np.diff(intensity, axis=1),  # log of the ratio of neighbouring octaves
        "PerceptualSharpness": sharpness(loud),
        "PerceptualSpread": perceptual_spread(loud),
        "SpectralCrestFactorPerBand": crest_per_band(power, rate),
        "SpectralDecrease": decrease(magnitude),
        "SpectralFlatness": flatness(magnitude),
        "SpectralFlatnessPerBand": flatness_per_band(power, rate),
        "SpectralFlux": flux(magnitude),
        "SpectralRolloff": rolloff(power, rate),
        "SpectralShapeStatistics": shape_statistics(magnitude),
        "SpectralSlope": slope(magnitude, rate),
        "SpectralVariation": variation(magnitude),
        "TemporalShapeStatistics": shape_statistics(short),
        "ZCR": zcr(short),
    }


def _check_signal(signal: np.ndarray, rate: int) -> np.ndarray:
    """The signal as float64, rounded to float32: no square of a value that is not 0 vanishes."""
    signal = np.asarray(signal)
    if signal.ndim != 1 or not np.issubdtype(signal.dtype, np.floating):
        raise ValueError(f"one channel of floats is needed, not {signal.dtype} of shape {signal.shape}")
    if not len(signal):
        raise ValueError("the signal is empty")
    if not np.isfinite(signal).all():
        raise ValueError("the signal has values that are not finite")
    if rate < 8000:
        raise ValueError(f"a rate of 8000 Hz or more is needed, not {rate}")
    return signal.astype(np.float32).astype(np.float64)


# frames


def cut_blocks(signal: np.ndarray, block: int, step: int) -> np.ndarray:
    """Blocks (m, block) of a signal around its samples 0, step, 2 step, ...; zeros beyond its ends (Frames)."""
    padded = np.pad(signal, (block // 2, (block - 1) // 2))
    return np.lib.stride_tricks.sliding_window_view(padded, block)[::step]


def _bring_to_grid(values: np.ndarray, count: int) -> np.ndarray:
    """Values of long blocks (m, width) at `count` frames: of the block whose centre is nearest, of two the later."""
    nearest = np.floor(np.arange(count) * STEP / LONG_STEP + 0.5).astype(int)
    return values[np.minimum(nearest, len(values) - 1)]


# the waveform


def zcr(block: np.ndarray) -> np.ndarray:
    """ZCR: changes of sign from one sample that is not 0 to the next such, per sample of the block. (m, n) -> (m, 1)"""
    sign = np.sign(block)
    last = np.maximum.accumulate(np.where(sign != 0, np.arange(block.shape[1]), 0), axis=1)
    sign = np.take_along_axis(sign, last, axis=1)
    return (sign[:, 1:] * sign[:, :-1] < 0).sum(axis=1, keepdims=True) / block.shape[1]


def energy(block: np.ndarray) -> np.ndarray:
    """Energy: the root of the mean square. (m, n) -> (m, 1)"""
    return np.sqrt((block**2).mean(axis=1, keepdims=True))


def autocorrelation(block: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """AutoCorrelation: r_k = sum_i x_i x_{i+k}, k = 0 .. lags - 1, no window, no norm. (m, n) -> (m, lags)"""
    size = block.shape[1]
    return np.stack([np.einsum("ij,ij->i", block[:, : size - k], block[:, k:]) for k in range(lags)], axis=1)


def lpc(correlation: np.ndarray, order: int) -> np.ndarray:
    """LPC: a_1 .. a_p of A(z) = 1 + sum_k a_k z^-k by Levinson and Durbin. (m, > order) -> (m, order)

    The recursion ends where nothing is left to predict, at once in silence.
    """
    polynomial = np.zeros((len(correlation), order + 1))
    polynomial[:, 0] = 1
    error = correlation[:, 0].copy()
    for i in range(1, order + 1):
        gap = (polynomial[:, :i] * correlation[:, i:0:-1]).sum(axis=1)
        left = error > EPS * correlation[:, 0]
        reflection = -np.divide(gap, error, out=np.zeros_like(gap), where=left)
        polynomial[:, 1 : i + 1] += reflection[:, None] * polynomial[:, i - 1 :: -1]
        error *= 1 - reflection**2
    return polynomial[:, 1:]


def lsf(predictor: np.ndarray) -> np.ndarray:
    """LSF: angles, ascending in (0, pi), of the zeros of A(z) +- z^-(p+1) A(1/z) but for z = -1 and 1; p even.

    (m, p) -> (m, p). Both polynomials, rid of that zero, are symmetric: on the unit circle they are Chebyshev
    series in cos w, whose zeros are the eigenvalues of small matrices.
    """
    from numpy.polynomial.chebyshev import chebcompanion

    count, order = predictor.shape
    padded = np.pad(predictor, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    turn = (-1.0) ** np.arange(order + 1)
    symmetric = turn * np.cumsum(turn * (padded + padded[:, ::-1])[:, :-1], axis=1)  # divided by 1 + z^-1
    antisymmetric = np.cumsum((padded - padded[:, ::-1])[:, :-1], axis=1)  # divided by 1 - z^-1
    series = 2 * np.concatenate([symmetric, antisymmetric])[:, order // 2 :: -1]
    series[:, 0] /= 2
    cosines = np.linalg.eigvals(np.stack([chebcompanion(each) for each in series])).real
    angles = np.arccos(np.clip(cosines, -1, 1))
    return np.sort(np.concatenate([angles[:count], angles[count:]], axis=1), axis=1)


def shape_statistics(values: np.ndarray) -> np.ndarray:
    """Centroid, spread, skewness and kurtosis of |values| as weights of the indices 0 .. n-1. (m, n) -> (m, 4)

    TemporalShapeStatistics (of blocks), SpectralShapeStatistics, EnvelopeShapeStatistics. With the moments m1, m2
    about 0, YAAFE's documentation and program have 6 m1 m2 in the kurtosis where expansion gives 6 m1^2 m2; so have we.
    """
    weights = np.abs(values)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), EPS)
    index = np.arange(values.shape[1])
    centroid = weights @ index
    offset = index - centroid[:, None]
    square = offset * offset
    variance, third, fourth = ((weights * power).sum(axis=1) for power in (square, square * offset, square * square))
    spread = np.sqrt(variance)
    flat = spread < NARROW
    scale = np.where(flat, 1, spread)
    slip = 6 * centroid * (centroid - 1) * (variance + centroid**2)
    skewness = np.where(flat, 0, third / scale**3)
    kurtosis = np.where(flat, 0, (fourth - slip) / scale**4) - 3
    return np.stack([centroid, np.maximum(spread, EPS), skewness, kurtosis], axis=1)


# the spectrum


def windowed_spectrum(block: np.ndarray) -> np.ndarray:
    """Fourier transform of each block under a periodic Hann window. (m, n) -> (m, n/2 + 1) complex"""
    window = np.hanning(block.shape[1] + 1)[:-1]
    return np.fft.rfft(block * window, axis=1)


def magnitude_spectrum(spectrum: np.ndarray) -> np.ndarray:
    """MagnitudeSpectrum: |X_k|, EPS where it is 0. (m, bins) complex -> (m, bins)"""
    magnitude = np.abs(spectrum)
    return np.where(magnitude == 0, EPS, magnitude)


def complex_domain_onset(spectrum: np.ndarray) -> np.ndarray:
    """ComplexDomainOnsetDetection: distance of X_t from |X_{t-1}| exp(i(2 phi_{t-1} - phi_{t-2})), summed over bins.

    Before the first frame X and its phase are 0. (m, bins) complex -> (m, 1)
    """
    before = np.pad(spectrum, ((2, 0), (0, 0)))
    phase = np.angle(before)
    expected = np.abs(before[1:-1]) * np.exp(1j * (2 * phase[1:-1] - phase[:-2]))
    return np.abs(spectrum - expected).sum(axis=1, keepdims=True)


def flux(magnitude: np.ndarray) -> np.ndarray:
    """SpectralFlux: |a_t - a_{t-1}|^2 / (|a_t| |a_{t-1}|), 0 where one is silent or not there. (m, bins) -> (m, 1)"""
    norm = np.linalg.norm(np.where(magnitude > EPS, magnitude, 0), axis=1)
    change = (np.diff(magnitude, axis=0) ** 2).sum(axis=1)
    return _divide_from_second(change, norm[1:] * norm[:-1])


def variation(magnitude: np.ndarray) -> np.ndarray:
    """SpectralVariation: 1 - <a_t, a_{t-1}> / (|a_t| |a_{t-1}|), 0 in the first frame. (m, bins) -> (m, 1)"""
    norm = np.linalg.norm(magnitude, axis=1)
    both = norm[1:] * norm[:-1]
    return _divide_from_second(both - np.einsum("ij,ij->i", magnitude[1:], magnitude[:-1]), both)


def _divide_from_second(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Ratios (m - 1,) of neighbouring frames as (m, 1): 0 in the first one and where the denominator is 0."""
    ratio = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return np.concatenate([[0.0], ratio])[:, None]


def decrease(magnitude: np.ndarray) -> np.ndarray:
    """SpectralDecrease: sum_k (a_k - a_0) / k, over sum_k a_k, k = 1 .. K-1. (m, bins) -> (m, 1)"""
    rest = magnitude[:, 1:]
    falls = (rest - magnitude[:, :1]) / np.arange(1, magnitude.shape[1])
    return falls.sum(axis=1, keepdims=True) / rest.sum(axis=1, keepdims=True)


def flatness(magnitude: np.ndarray) -> np.ndarray:
    """SpectralFlatness: geometric mean over arithmetic mean. (m, bins) -> (m, 1)"""
    return np.exp(np.log(magnitude).mean(axis=1, keepdims=True)) / magnitude.mean(axis=1, keepdims=True)


def slope(magnitude: np.ndarray, rate: int) -> np.ndarray:
    """SpectralSlope: of the line fitted to a_k over frequency in Hz, divided by sum_k a_k. (m, bins) -> (m, 1)"""
    frequency = _frequencies(magnitude, rate)
    offset = frequency - frequency.mean()
    return (magnitude @ offset / (offset @ offset) / magnitude.sum(axis=1))[:, None]


def rolloff(power: np.ndarray, rate: int) -> np.ndarray:
    """SpectralRolloff: frequency in Hz of the first bin up to which over 99 % of the energy lie. (m, bins) -> (m, 1)"""
    total = np.cumsum(power, axis=1)
    return _frequencies(power, rate)[np.argmax(total > 0.99 * total[:, -1:], axis=1)][:, None]


def _frequencies(spectrum: np.ndarray, rate: int) -> np.ndarray:
    return np.linspace(0, rate / 2, spectrum.shape[1])


# bands of the spectrum


def mel_spectrum(magnitude: np.ndarray, rate: int) -> np.ndarray:
    """MelSpectrum: magnitudes under 40 triangles from 130 to 6854 Hz. (m, bins) -> (m, 40)

    Their peaks are equally spaced in 1127 ln(1 + f / 700); their area is 1, so that they are 2 / width high.
    """
    low, high = (1127 * np.log1p(edge / 700) for edge in (LOWEST, HIGHEST))
    edges = 700 * np.expm1(np.linspace(low, high, FILTERS + 2) / 1127)
    heights = 2 / (edges[2:] - edges[:-2])
    return magnitude @ (heights[:, None] * _triangles(edges, _frequencies(magnitude, rate))).T


def mfcc(mel: np.ndarray) -> np.ndarray:
    """MFCC: coefficients 1 .. 13 of the orthonormal DCT-II of log10 of MelSpectrum. (m, 40) -> (m, 13)

    Of an empty band YAAFE takes the natural logarithm of EPS.
    """
    from scipy.fft import dct

    logarithm = np.log10(mel, out=np.full_like(mel, np.log(EPS)), where=mel > 0)
    return dct(logarithm, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1]


def obsi(power: np.ndarray, rate: int) -> np.ndarray:
    """OBSI: log energy under triangles of height 2, with peaks an octave apart from 27.5 Hz on.

    (m, bins) -> (m, octaves). The first reaches down to 0 and the last up to rate / 2. The energy is at least 1/1000 of
    the greatest magnitude: YAAFE compares the two.
    """
    octaves = 1 + int(np.log2(rate / 2 / OCTAVE))
    edges = np.concatenate([[0], OCTAVE * 2.0 ** np.arange(octaves), [rate / 2]])
    inside = power @ (2 * _triangles(edges, _frequencies(power, rate))).T
    return np.log(np.maximum(inside, np.sqrt(1e-6 * power.max(axis=1, keepdims=True))))


def _triangles(edges: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Triangles (len(edges) - 2, len(x)) that rise from each edge to 1 at the next and fall to 0 at the one after."""
    return np.stack([np.interp(x, edges[k : k + 3], (0, 1, 0)) for k in range(len(edges) - 2)])


def loudness(power: np.ndarray, rate: int) -> np.ndarray:
    """Loudness: energy^0.23 of 24 bands of equal width in Bark, over their sum. (m, bins) -> (m, 24)

    The bands divide the Bark scale from 0 to rate / 2, whose bin itself is left out.
    """
    frequency = _frequencies(power, rate)
    bark = 13 * np.arctan(frequency / 1315.8) + 3.5 * np.arctan((frequency / 7518) ** 2)
    inner = np.arange(1, BARKS) * bark[-1] / BARKS
    band = np.searchsorted(inner, bark[:-1])
    specific = (power[:, :-1] @ np.eye(BARKS)[band]) ** 0.23
    return specific / specific.sum(axis=1, keepdims=True)


def sharpness(loud: np.ndarray) -> np.ndarray:
    """PerceptualSharpness: 0.11 sum_z z g(z) N_z, g = 1 up to z = 14, then 0.066 exp(0.171 z). (m, 24) -> (m, 1)"""
    z = np.arange(1, BARKS + 1)
    return (loud @ (0.11 * z * np.where(z <= 14, 1, 0.066 * np.exp(0.171 * z))))[:, None]


def perceptual_spread(loud: np.ndarray) -> np.ndarray:
    """PerceptualSpread: (1 - the greatest loudness of a band)^2. (m, 24) -> (m, 1)"""
    return (1 - loud.max(axis=1, keepdims=True)) ** 2


def crest_per_band(power: np.ndarray, rate: int) -> np.ndarray:
    """SpectralCrestFactorPerBand: greatest over mean energy of the groups of bins of each quarter octave."""
    return np.stack([group.max(axis=1) / group.mean(axis=1) for group in _sum_groups(power, rate)], axis=1)


def flatness_per_band(power: np.ndarray, rate: int) -> np.ndarray:
    """SpectralFlatnessPerBand: geometric over arithmetic mean of the energies + EPS of such groups."""
    return np.concatenate([flatness(group + EPS) for group in _sum_groups(power, rate)], axis=1)


def _sum_groups(power: np.ndarray, rate: int) -> list[np.ndarray]:
    """Energies (m, groups) of each quarter octave: sums over groups of 1, 2, 4, ... bins."""
    return [
        power[:, start : start + groups * size].reshape(len(power), groups, size).sum(axis=2)
        for start, groups, size in list_quarter_octaves(rate)
    ]


def list_quarter_octaves(rate: int) -> list[tuple[int, int, int]]:
    """First bin, number of groups and bins of a group of each band, as in MPEG-7's AudioSpectrumFlatness.

    From an edge near 250 Hz, whole octaves below half the rate; 5 % wider at both ends, as long as they end below half
    the rate. From 1 kHz on a group has 2 bins, from 2 kHz on 4, and so on.
    """
    top = rate // 2
    bottom = top * 2.0 ** _round(np.log2(EDGE / top))
    bands = []
    for k in range(int(4 * np.log2(rate / 2 / (1 + OVERLAP) / bottom))):
        low, high = bottom * 2 ** (k / 4), bottom * 2 ** ((k + 1) / 4)
        first = _round(low * (1 - OVERLAP) * BLOCK / rate)
        last = _round(high * (1 + OVERLAP) * BLOCK / rate)
        size = 2 ** int(np.log2(low / (GROUPED / 2))) if low >= GROUPED else 1
        bands.append((first, _round((last - first + 1) / size), size))
    return bands


def _round(value: float) -> int:
    """The nearest integer; of two the greater."""
    return int(np.floor(value + 0.5))


# the envelope


def envelope(block: np.ndarray, rate: int) -> np.ndarray:
    """Envelope: magnitude of the analytic signal, smoothed, one value for every 200 samples. (m, n) -> (m, ceil(n/200))

    A value is a weighted mean of the 0.05 s up to its end, in whole lots of 200 samples, under the falling half of a
    Hann window: the oldest sample weighs most. Before and after the block there are zeros.
    """
    from scipy.signal import hilbert

    size = round(SMOOTHING * rate)
    lots = -(-size // DECIMATION)
    falling = np.zeros(lots * DECIMATION)
    falling[:size] = np.hanning(2 * size + 2)[size + 1 : -1]
    falling /= falling.sum()
    count = -(-block.shape[1] // DECIMATION)
    after = count * DECIMATION - block.shape[1]
    padded = np.pad(np.abs(hilbert(block, axis=1)), ((0, 0), ((lots - 1) * DECIMATION, after)))
    padded = padded.reshape(len(block), -1, DECIMATION)
    weights = falling.reshape(lots, DECIMATION)
    return sum(padded[:, lot : lot + count] @ weights[lot] for lot in range(lots))


def amplitude_modulation(contour: np.ndarray, rate: int) -> np.ndarray:
    """AmplitudeModulation of envelopes, for tremolo (4-8 Hz) and grain (10-40 Hz) four values each. (m, n) -> (m, 8)

    Frequency of the greatest magnitude in the range, its excess over the mean magnitude of the spectrum, its excess
    over the mean of the range, and the product of the first two. The spectrum is that of the envelope under a Hann
    window and padded with zeros to the length of the long block. In silence the frequencies are the lower ends.
    """
    window = np.hanning(contour.shape[1] + 2)[1:-1]
    magnitude = np.abs(np.fft.rfft(contour * window, LONG_BLOCK, axis=1))[:, :-1]
    bins = LONG_BLOCK * DECIMATION / rate  # per Hz
    found = []
    for low, high in (TREMOLO, GRAIN):
        first = int(np.ceil(low * bins)) - 1
        part = magnitude[:, first : int(np.ceil(high * bins))]
        peak = part.max(axis=1)
        frequency = (first + part.argmax(axis=1)) / bins
        strength = np.maximum(peak - magnitude.mean(axis=1), 0)
        found += [frequency, strength, peak - part.mean(axis=1), frequency * strength]
    return np.stack(found, axis=1)
