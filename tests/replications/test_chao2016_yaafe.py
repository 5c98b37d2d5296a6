"""The 27 features of YAAFE, each against a hand calculation or another form of its definition."""

import warnings

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.signal
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from replications.chao2016 import yaafe

RATE = yaafe.RATE
WIDTHS = {  # at 16 kHz
    "AmplitudeModulation": 8,
    "AutoCorrelation": 49,
    "ComplexDomainOnsetDetection": 1,
    "Energy": 1,
    "Envelope": 164,
    "EnvelopeShapeStatistics": 4,
    "LPC": 2,
    "LSF": 10,
    "Loudness": 24,
    "MFCC": 13,
    "MagnitudeSpectrum": 513,
    "MelSpectrum": 40,
    "OBSI": 9,
    "OBSIR": 8,
    "PerceptualSharpness": 1,
    "PerceptualSpread": 1,
    "SpectralCrestFactorPerBand": 19,
    "SpectralDecrease": 1,
    "SpectralFlatness": 1,
    "SpectralFlatnessPerBand": 19,
    "SpectralFlux": 1,
    "SpectralRolloff": 1,
    "SpectralShapeStatistics": 4,
    "SpectralSlope": 1,
    "SpectralVariation": 1,
    "TemporalShapeStatistics": 4,
    "ZCR": 1,
}


def tone(frequency: float, seconds: float = 2.0, amplitude: float = 0.5, rate: int = RATE) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float = 2.0, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).clip(-1, 1)


def voice() -> np.ndarray:
    """Three seconds of a harmonic sound that swells and fades, with noise: something of everything, no symmetry."""
    swell = 1 + 0.6 * np.sin(2 * np.pi * 5.3 * np.arange(3 * RATE) / RATE)
    sound = swell * sum(tone(180 * k, 3.0, 0.12 / k) for k in range(1, 9)) + 0.02 * noise(3.0)
    return sound.astype(np.float32).astype(float)


SIGNAL = voice()
FOUND = yaafe.compute_by_name(SIGNAL)
BLOCKS = yaafe.cut_blocks(SIGNAL, yaafe.BLOCK, yaafe.STEP)
SOME = range(0, len(BLOCKS), 7)
MAGNITUDE = FOUND["MagnitudeSpectrum"]
POWER = MAGNITUDE**2
HERTZ = RATE / yaafe.BLOCK * np.arange(513)


def inner(values: np.ndarray) -> np.ndarray:
    """Without the frames that reach beyond the ends of the signal."""
    return values[1:-2]


def close(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 1e-9, "atol": 1e-12, **tolerance})


# frames


@pytest.mark.parametrize(("samples", "count"), [(1, 1), (512, 1), (513, 2), (1024, 2), (1025, 3), (16000, 32)])
def test_there_is_a_frame_around_every_512th_sample(samples, count):
    assert yaafe.count_frames(samples) == count == len(yaafe.compute_features(np.zeros(samples, np.float32)))


@given(st.integers(1, 5000), st.sampled_from([(1024, 512), (64, 32), (8, 4)]))
def test_blocks_are_centred_and_zero_beyond_the_ends(samples, size):
    block, step = size
    signal = np.arange(1.0, samples + 1)
    found = yaafe.cut_blocks(signal, block, step)
    assert found.shape == (-(-samples // step), block)
    for i in {0, len(found) // 2, len(found) - 1}:
        index = np.arange(i * step - block // 2, i * step + block // 2)
        expected = np.where((index >= 0) & (index < samples), index + 1, 0)
        np.testing.assert_array_equal(found[i], expected)


def test_time_is_that_of_the_centres():
    close(yaafe.compute_times(4), [0, 0.032, 0.064, 0.096])
    close(yaafe.compute_times(3, 48000), [0, 512 / 48000, 1024 / 48000])


def test_a_later_start_by_a_step_is_the_next_frame():
    """Features of single frames; those of changes and of long blocks look further."""
    later = yaafe.compute_by_name(SIGNAL[512:])
    for name in set(WIDTHS) - {"AmplitudeModulation", "Envelope", "EnvelopeShapeStatistics"}:
        close(later[name][3:], FOUND[name][4:], err_msg=name)


def test_long_blocks_are_repeated_on_the_grid_of_frames():
    """Long blocks lie around samples 0, 16384, 32768: frames 0, 32, 64; halfway between the later one counts."""
    own = yaafe.envelope(yaafe.cut_blocks(SIGNAL, yaafe.LONG_BLOCK, yaafe.LONG_STEP), RATE)
    assert len(own) == 3 and len(FOUND["Envelope"]) == 94
    expected = own[[0] * 16 + [1] * 32 + [2] * 46]
    np.testing.assert_array_equal(FOUND["Envelope"], expected)


# the columns


def test_columns_are_the_27_features_in_alphabetical_order():
    assert list(yaafe.count_columns().items()) == list(WIDTHS.items())
    assert list(WIDTHS) == sorted(WIDTHS) and len(WIDTHS) == 27


@pytest.mark.parametrize(("rate", "width"), [(8000, 891), (16000, 901), (44100, 911), (48000, 919)])
def test_the_width_depends_on_the_rate(rate, width):
    assert sum(yaafe.count_columns(rate).values()) == width
    assert yaafe.compute_features(noise(0.2, rate=rate), rate).shape[1] == width


def test_features_are_the_named_ones_side_by_side():
    found = yaafe.compute_features(SIGNAL.astype(np.float32))
    assert found.shape == (94, 901) and found.dtype == np.float32
    start = 0
    for name, width in WIDTHS.items():
        np.testing.assert_array_equal(found[:, start : start + width], FOUND[name].astype(np.float32), err_msg=name)
        start += width


# bad input and extremes


@pytest.mark.parametrize(
    ("signal", "complaint"),
    [
        (np.zeros(0, np.float32), "empty"),
        (np.zeros((2, 100), np.float32), "shape"),
        (np.zeros(100, np.int16), "int16"),
        (np.array([0.0, np.nan]), "finite"),
        (np.array([0.0, np.inf]), "finite"),
    ],
)
def test_signals_that_have_no_features(signal, complaint):
    with pytest.raises(ValueError, match=complaint):
        yaafe.compute_features(signal)


def test_a_rate_too_low_for_the_bands():
    with pytest.raises(ValueError, match="8000 Hz"):
        yaafe.compute_features(noise(), 4000)


def impulse(at: int, samples: int = 8000) -> np.ndarray:
    return np.where(np.arange(samples) == at, 1.0, 0.0)


EXTREMES = {
    "silence": np.zeros(8000),
    "one sample": np.ones(1),
    "impulse": impulse(4000),
    "impulse at the edge of a window": impulse(512),
    "DC": np.full(8000, 0.7),
    "clipped": np.sign(tone(300)),
    "Nyquist": np.cos(np.pi * np.arange(8000)),
    "noise of a second": noise(1.0),
    "sound after silence": np.concatenate([np.zeros(4096), noise(0.5)]),
    "smallest float32": np.full(8000, 1e-45) * np.sign(noise(0.5)),
    "smooth": np.hanning(1024),
}


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("name", EXTREMES)
def test_features_are_always_finite(name, rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = yaafe.compute_features(EXTREMES[name].astype(np.float32), rate)
    assert np.isfinite(found).all()


def test_what_float32_cannot_hold_is_silence():
    """A float64 signal whose squares would vanish."""
    found = yaafe.compute_features(1e-200 * noise())
    np.testing.assert_array_equal(found, yaafe.compute_features(np.zeros(2 * RATE)))


def test_silence():
    found = yaafe.compute_by_name(np.zeros(4000))
    for name in ("AutoCorrelation", "ComplexDomainOnsetDetection", "Energy", "Envelope", "LPC", "SpectralFlux", "ZCR"):
        assert not found[name].any(), name
    close(found["LSF"], np.tile(np.pi * np.arange(1, 11) / 11, (8, 1)))
    for name in ("SpectralFlatness", "SpectralCrestFactorPerBand", "SpectralFlatnessPerBand"):
        close(found[name], np.ones_like(found[name]))
    close(found["TemporalShapeStatistics"], np.tile([0, 0, 0, -3], (8, 1)))
    close(found["MagnitudeSpectrum"], np.full((8, 513), np.finfo(float).eps), atol=0)
    assert not found["AmplitudeModulation"][:, [1, 2, 3, 5, 6, 7]].any()
    close(found["AmplitudeModulation"][0, [0, 4]], [1638 / 409.6, 4095 / 409.6])


def test_an_impulse_has_a_place_but_no_shape():
    found = yaafe.compute_by_name(impulse(4000))["TemporalShapeStatistics"]
    close(found[7], [4000 - (7 * 512 - 512), 0, 0, -3])
    close(found[8], [4000 - (8 * 512 - 512), 0, 0, -3])


def test_same_signal_same_features():
    again = yaafe.compute_features(SIGNAL)
    np.testing.assert_array_equal(again, yaafe.compute_features(SIGNAL.copy()))


def test_the_signal_is_left_as_it_is():
    signal = SIGNAL.astype(np.float32)
    signal.flags.writeable = False
    yaafe.compute_features(signal)
    np.testing.assert_array_equal(signal, SIGNAL.astype(np.float32))


LINEAR = ("ComplexDomainOnsetDetection", "Energy", "Envelope", "MagnitudeSpectrum", "MelSpectrum")
FREE = ("EnvelopeShapeStatistics", "LPC", "LSF", "Loudness", "MFCC", "PerceptualSharpness", "PerceptualSpread", "ZCR")
FREE += ("SpectralCrestFactorPerBand", "SpectralDecrease", "SpectralFlatness", "SpectralFlux", "SpectralRolloff")
FREE += ("SpectralShapeStatistics", "SpectralSlope", "SpectralVariation", "TemporalShapeStatistics")


@hypothesis_settings(max_examples=4)
@given(st.integers(-6, 0))
def test_what_loudness_changes_and_what_it_does_not(exponent):
    """By powers of two, so that scaling rounds nothing."""
    factor = 2.0**exponent
    found = yaafe.compute_by_name(factor * SIGNAL)
    for name in LINEAR:
        close(found[name], factor * FOUND[name], err_msg=name)
    for name in FREE:
        close(found[name], FOUND[name], err_msg=name, rtol=1e-7)
    close(found["AutoCorrelation"], factor**2 * FOUND["AutoCorrelation"])
    scales = [1, factor, factor, factor] * 2  # frequencies stay
    close(found["AmplitudeModulation"], scales * FOUND["AmplitudeModulation"])


# the waveform


def test_zcr_of_a_sine_is_two_crossings_a_period():
    for frequency in (125.0, 440.0, 3000.0):
        found = inner(yaafe.compute_by_name(tone(frequency))["ZCR"])
        close(found, np.full_like(found, 2 * frequency / RATE), atol=1.01 / 1024, rtol=0)


def test_zcr_passes_over_zeros():
    block = np.array([[0, 0, 1, 0, -1, -1, 0, 2], [0, 1, 0, 0, 1, 0, 0, 0]], float)
    close(yaafe.zcr(block), [[2 / 8], [0]])


def test_zcr_counts_changes_of_sign():
    for i in SOME:
        signs = [x > 0 for x in BLOCKS[i] if x != 0]
        assert FOUND["ZCR"][i, 0] == sum(a != b for a, b in zip(signs, signs[1:])) / 1024


def test_energy_is_the_root_mean_square():
    close(inner(yaafe.compute_by_name(tone(250.0, amplitude=0.8))["Energy"]), 0.8 / np.sqrt(2), rtol=1e-7)
    close(FOUND["Energy"][:, 0], [np.linalg.norm(block) / 32 for block in BLOCKS])


def test_autocorrelation():
    for i in SOME:
        expected = scipy.signal.correlate(BLOCKS[i], BLOCKS[i])[1023 : 1023 + 49]
        close(FOUND["AutoCorrelation"][i], expected, atol=1e-10)
    close(FOUND["AutoCorrelation"][:, 0], 1024 * FOUND["Energy"][:, 0] ** 2)


def toeplitz_solution(block, order):
    correlation = scipy.signal.correlate(block, block)[1023 : 1024 + order]
    return -scipy.linalg.solve_toeplitz(correlation[:-1], correlation[1:])


def test_lpc_solves_the_normal_equations():
    for i in SOME:
        close(FOUND["LPC"][i], toeplitz_solution(BLOCKS[i], 2), rtol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 5, 10])
def test_lpc_of_any_order(order):
    found = yaafe.lpc(yaafe.autocorrelation(BLOCKS, 11), order)
    for i in SOME:
        close(found[i], toeplitz_solution(BLOCKS[i], order), rtol=1e-5, atol=1e-7)


def test_lpc_recovers_an_autoregression():
    signal = scipy.signal.lfilter([1], [1, -1.2, 0.6], noise(8.0)) / 10
    found = inner(yaafe.compute_by_name(signal)["LPC"]).mean(axis=0)
    close(found, [-1.2, 0.6], atol=0.02)


def zeros_on_the_circle(predictor):
    """Angles of the zeros of P and Q, without those at -1 and 1."""
    a = np.concatenate([[1], predictor, [0]])
    angles = np.angle(np.concatenate([np.roots(a + a[::-1]), np.roots(a - a[::-1])]))
    return np.sort(angles[(angles > 1e-6) & (angles < np.pi - 1e-6)])


def test_lsf_are_angles_of_the_roots():
    predictors = yaafe.lpc(yaafe.autocorrelation(BLOCKS, 11), 10)
    for i in SOME:
        close(FOUND["LSF"][i], zeros_on_the_circle(predictors[i]), atol=1e-6)


@given(st.lists(st.floats(-0.9, 0.9), min_size=10, max_size=10))
def test_lsf_of_every_stable_predictor_ascend_between_0_and_pi(reflections):
    """Reflection coefficients within (-1, 1) are the stable predictors; lines of P and Q take turns."""
    polynomial = np.ones(1)
    for reflection in reflections:
        polynomial = np.append(polynomial, 0) + reflection * np.append(polynomial, 0)[::-1]
    found = yaafe.lsf(polynomial[None, 1:])[0]
    assert found[0] > 0 and found[-1] < np.pi and (np.diff(found) > 0).all()
    padded = np.append(polynomial, 0)
    sums = [padded + padded[::-1], padded - padded[::-1]]
    lines = np.exp(1j * found)
    for parity in (0, 1):  # the least angle is a zero of the sum
        at = np.abs(np.polyval(sums[parity], lines[parity::2]))
        assert (at < 1e-5 * np.abs(sums[parity]).sum()).all()


# shapes


def reference_shape(values):
    """Statistics of whole-numbered weights as those of a sample, with YAAFE's 6 m1 m2 for 6 m1^2 m2."""
    sample = np.repeat(np.arange(len(values)), np.abs(values))
    m1, m2 = sample.mean(), (sample.astype(float) ** 2).mean()
    right, printed = 6 * m1**2 * m2, 6 * m1 * m2
    kurtosis = scipy.stats.kurtosis(sample) + (printed - right) / sample.std() ** 4
    return [m1, sample.std(), scipy.stats.skew(sample), kurtosis]


@given(st.lists(st.integers(-20, 20), min_size=3, max_size=30).filter(lambda values: np.count_nonzero(values) > 1))
def test_shape_statistics(values):
    close(yaafe.shape_statistics(np.array([values], float))[0], reference_shape(values), rtol=1e-6, atol=1e-6)


def moments(values):
    """The formulas of YAAFE's documentation, in long floats."""
    values = np.abs(values).astype(np.longdouble)
    index = np.arange(values.shape[1], dtype=np.longdouble)
    m1, m2, m3, m4 = ((values * index**p).sum(axis=1) / values.sum(axis=1) for p in (1, 2, 3, 4))
    spread = np.sqrt(m2 - m1**2)
    skewness = (2 * m1**3 - 3 * m1 * m2 + m3) / spread**3
    kurtosis = (-3 * m1**4 + 6 * m1 * m2 - 4 * m1 * m3 + m4) / spread**4 - 3
    return np.stack([m1, spread, skewness, kurtosis], axis=1).astype(float)


def test_temporal_shape_statistics():
    close(FOUND["TemporalShapeStatistics"], moments(BLOCKS), rtol=1e-6, atol=1e-6)


def test_spectral_shape_statistics():
    close(FOUND["SpectralShapeStatistics"], moments(MAGNITUDE), rtol=1e-6, atol=1e-6)
    centroid = inner(yaafe.compute_by_name(tone(2000.0))["SpectralShapeStatistics"])[:, 0]
    close(centroid, np.full_like(centroid, 128), atol=0.01)  # in bins of 15.625 Hz


def test_envelope_shape_statistics():
    close(FOUND["EnvelopeShapeStatistics"], moments(FOUND["Envelope"]), rtol=1e-6, atol=1e-6)


# the spectrum


def test_magnitude_spectrum():
    window = scipy.signal.get_window("hann", 1024)
    transform = scipy.linalg.dft(1024)[:513]
    close(MAGNITUDE, np.abs(BLOCKS * window @ transform.T), rtol=1e-7, atol=1e-10)


def test_magnitude_of_a_tone_is_a_quarter_of_its_amplitude_times_the_block():
    found = inner(yaafe.compute_by_name(tone(1000.0, amplitude=0.5))["MagnitudeSpectrum"])
    close(found[:, 63:66], np.tile([64, 128, 64], (len(found), 1)), rtol=1e-4)
    assert found[:, :60].max() < 1e-3


def test_complex_domain_onset_detection():
    """By the cosine rule of Duxbury et al. (2003): the target's length is the last magnitude, its phase goes on."""
    spectrum = np.fft.rfft(BLOCKS * scipy.signal.get_window("hann", 1024), axis=1)
    length, phase = np.abs(spectrum), np.angle(spectrum)
    difference = phase[2:] - 2 * phase[1:-1] + phase[:-2]
    square = length[2:] ** 2 + length[1:-1] ** 2 - 2 * length[2:] * length[1:-1] * np.cos(difference)
    found = FOUND["ComplexDomainOnsetDetection"][:, 0]
    close(found[2:], np.sqrt(np.maximum(square, 0)).sum(axis=1), rtol=1e-5)
    close(found[0], length[0].sum())
    close(found[1], np.abs(spectrum[1] - spectrum[0] ** 2 / length[0]).sum())


def test_onsets_stand_out_of_a_steady_tone():
    signal = np.concatenate([tone(500.0, 1.0, 0.1), tone(500.0, 1.0, 0.8)])
    found = inner(yaafe.compute_by_name(signal)["ComplexDomainOnsetDetection"])[:, 0]
    assert abs(yaafe.compute_times(63)[1 + 2 + found[2:].argmax()] - 1.0) < 0.064
    assert found[5:20].max() < 0.01 * found[2:].max()


def test_spectral_flux():
    for t in range(1, 94, 7):
        last, now = MAGNITUDE[t - 1], MAGNITUDE[t]
        expected = np.sum((now - last) ** 2) / np.sqrt(np.sum(now**2) * np.sum(last**2))
        close(FOUND["SpectralFlux"][t], expected)
    assert FOUND["SpectralFlux"][0] == 0


def test_spectral_flux_of_a_doubled_spectrum_is_a_half():
    spectrum = np.array([[1.0, 2, 3], [2, 4, 6], [2, 4, 6]])
    close(yaafe.flux(spectrum), [[0], [0.5], [0]])


def test_spectral_flux_between_silence_and_sound_is_0():
    eps = np.finfo(float).eps
    close(yaafe.flux(np.array([[eps, eps], [3.0, 4.0], [eps, eps]])), [[0], [0], [0]])


def test_spectral_variation():
    for t in range(1, 94, 7):
        expected = scipy.spatial.distance.cosine(MAGNITUDE[t - 1], MAGNITUDE[t])
        close(FOUND["SpectralVariation"][t], expected, atol=1e-10)
    assert FOUND["SpectralVariation"][0] == 0


def test_spectral_variation_of_orthogonal_spectra_is_1():
    close(yaafe.variation(np.array([[1.0, 0], [0, 3.0], [0, 6.0]])), [[0], [1], [0]])


def test_spectral_decrease():
    close(yaafe.decrease(np.array([[1.0, 3.0, 5.0, 4.0]])), [[(2 / 1 + 4 / 2 + 3 / 3) / 12]])
    for i in SOME:
        a = MAGNITUDE[i]
        expected = sum((a[k] - a[0]) / k for k in range(1, 513)) / sum(a[1:])
        close(FOUND["SpectralDecrease"][i], expected)


def test_spectral_flatness():
    expected = scipy.stats.gmean(MAGNITUDE, axis=1) / MAGNITUDE.mean(axis=1)
    close(FOUND["SpectralFlatness"][:, 0], expected)
    close(yaafe.flatness(np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])), [[1], [2 / (7 / 3)]])


def test_spectral_slope_is_the_regression_s():
    for i in SOME:
        expected = np.polyfit(HERTZ, MAGNITUDE[i], 1)[0] / MAGNITUDE[i].sum()
        close(FOUND["SpectralSlope"][i], expected, rtol=1e-6, atol=1e-15)


def test_spectral_rolloff_of_known_spectra():
    """The first bin with which the sum of squares exceeds 99 %: of 100 equal bins the 100th, of one bin that one."""
    power = np.zeros((3, 513))
    power[0, :100] = 1
    power[1, 77] = 5
    power[2, [10, 20, 30]] = 98, 1.5, 0.5
    close(yaafe.rolloff(power, RATE)[:, 0], HERTZ[[99, 77, 20]])


def test_spectral_rolloff():
    for i in SOME:
        enough = next(k for k in range(513) if sum(POWER[i, : k + 1]) > 0.99 * sum(POWER[i]))
        close(FOUND["SpectralRolloff"][i], HERTZ[enough])


# bands


def mel_bank(rate=RATE):
    """Triangles of area 1 by their definition, bin by bin."""

    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    edges = [700 * (np.exp(m / 1127) - 1) for m in np.linspace(mel(130.0), mel(6854.0), 42)]
    bank = np.zeros((40, 513))
    for b in range(40):
        low, peak, high = edges[b : b + 3]
        for k in range(513):
            f = k * rate / 1024
            if low <= f <= peak:
                bank[b, k] = 2 / (high - low) * (f - low) / (peak - low)
            elif peak < f <= high:
                bank[b, k] = 2 / (high - low) * (high - f) / (high - peak)
    return bank


def test_mel_spectrum():
    close(FOUND["MelSpectrum"], MAGNITUDE @ mel_bank().T)


def test_mel_triangles_have_area_1():
    found = yaafe.mel_spectrum(np.full((1, 513), RATE / 1024), RATE)
    close(found, np.ones((1, 40)), rtol=0.1)


def test_mfcc():
    logarithm = np.log10(MAGNITUDE @ mel_bank().T)
    close(FOUND["MFCC"], scipy.fft.dct(logarithm, norm="ortho")[:, 1:14], atol=1e-9)
    b = np.arange(40)
    third = np.sqrt(2 / 40) * logarithm @ np.cos(np.pi * (b + 0.5) * 3 / 40)
    close(FOUND["MFCC"][:, 2], third, atol=1e-9)


def test_mfcc_of_empty_bands_is_finite_and_of_equal_bands_0():
    close(yaafe.mfcc(np.array([[0.0] * 40, [3.0] * 40])), np.zeros((2, 13)), atol=1e-12)
    half = yaafe.mfcc(np.array([[1.0] * 20 + [0.0] * 20]))
    step = np.where(np.arange(40) < 20, 0, np.log(np.finfo(float).eps))
    close(half[0], scipy.fft.dct(step, norm="ortho")[1:14])


def octave_bank():
    peaks = [0, *(27.5 * 2**k for k in range(9)), 8000]
    bank = np.zeros((9, 513))
    for b in range(9):
        low, peak, high = peaks[b : b + 3]
        for k in range(513):
            f = k * 15.625
            if low <= f <= high:
                bank[b, k] = 2 * ((f - low) / (peak - low) if f <= peak else (high - f) / (high - peak))
    return bank


def test_obsi():
    inside = POWER @ octave_bank().T
    floor = 1e-3 * MAGNITUDE.max(axis=1, keepdims=True)
    close(FOUND["OBSI"], np.log(np.maximum(inside, floor)))


def test_obsi_of_a_tone_is_greatest_in_its_octave_and_a_floor_far_from_it():
    found = inner(yaafe.compute_by_name(tone(440.0, amplitude=0.9))["OBSI"])
    assert (found.argmax(axis=1) == 4).all()  # 27.5, 55, 110, 220, 440
    peak = inner(yaafe.compute_by_name(tone(440.0, amplitude=0.9))["MagnitudeSpectrum"]).max(axis=1)
    close(found[:, 8], np.log(1e-3 * peak))


def test_obsir_is_the_log_ratio_of_octaves():
    assert FOUND["OBSIR"].shape == (94, 8)
    for k in range(8):
        close(FOUND["OBSIR"][:, k], FOUND["OBSI"][:, k + 1] - FOUND["OBSI"][:, k])
    close(np.exp(FOUND["OBSIR"].sum(axis=1)), np.exp(FOUND["OBSI"][:, 8] - FOUND["OBSI"][:, 0]))


def bark_band(frequency):
    """Which of 24 equal parts of the Bark scale up to 8 kHz a frequency lies in; an edge belongs to the lower part."""

    def bark(f):
        return 13 * np.arctan(f / 1315.8) + 3.5 * np.arctan((f / 7518) ** 2)

    return max(int(np.ceil(24 * bark(frequency) / bark(8000.0))) - 1, 0)


def reference_loudness(power):
    bands = np.zeros((len(power), 24))
    for k in range(512):
        bands[:, bark_band(HERTZ[k])] += power[:, k]
    return bands**0.23 / (bands**0.23).sum(axis=1, keepdims=True)


def test_loudness():
    close(FOUND["Loudness"], reference_loudness(POWER))
    close(FOUND["Loudness"].sum(axis=1), np.ones(94))


@pytest.mark.parametrize("frequency", [100.0, 1000.0, 5000.0])
def test_loudness_of_a_tone_is_greatest_in_its_band(frequency):
    found = inner(yaafe.compute_by_name(tone(frequency))["Loudness"])
    assert (found.argmax(axis=1) == bark_band(frequency)).all()


def test_perceptual_sharpness():
    weights = [0.11 * z if z < 15 else 0.11 * z * 0.066 * np.exp(0.171 * z) for z in range(1, 25)]
    close(FOUND["PerceptualSharpness"][:, 0], reference_loudness(POWER) @ weights)
    one_band = yaafe.sharpness(np.eye(24))[:, 0]
    close(one_band[[0, 13, 14, 23]], [0.11, 1.54, 1.41577, 10.55583], rtol=1e-5)


def test_perceptual_spread():
    close(FOUND["PerceptualSpread"][:, 0], [(1 - max(row)) ** 2 for row in reference_loudness(POWER)])
    close(yaafe.perceptual_spread(np.array([[1.0] + [0] * 23, [1 / 24] * 24])), [[0], [(23 / 24) ** 2]])


def test_quarter_octaves_at_16_khz():
    """By hand: 250 Hz 2^(k/4), 5 % wider, in bins of 15.625 Hz."""
    bands = yaafe.list_quarter_octaves(RATE)
    assert len(bands) == 19
    assert bands[0] == (15, 6, 1)  # 237.5 .. 312.2 Hz: bins 15 to 20
    assert bands[8] == (61, 10, 2)  # 950 .. 1248.7 Hz: bins 61 to 80 in twos
    assert bands[18] == (344, 14, 8)  # 5374 .. 7063.6 Hz: bins 344 to 452, as far as 455, in eights


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_quarter_octaves_stay_inside_the_spectrum(rate):
    bands = yaafe.list_quarter_octaves(rate)
    for (start, groups, size), (following, *_) in zip(bands, bands[1:] + [(513,)]):
        assert start <= following and groups > 0 and start + groups * size <= 513


def grouped(power, band):
    start, groups, size = yaafe.list_quarter_octaves(RATE)[band]
    return np.array([sum(power[start + g * size : start + (g + 1) * size]) for g in range(groups)])


def test_spectral_crest_factor_per_band():
    for i in SOME:
        for band in (0, 7, 8, 18):
            groups = grouped(POWER[i], band)
            close(FOUND["SpectralCrestFactorPerBand"][i, band], max(groups) / np.mean(groups))
    flat, line = np.ones((1, 513)), np.full((1, 513), 1e-12)
    line[0, 62] = 1  # alone in band 8, of 10 groups
    close(yaafe.crest_per_band(flat, RATE), np.ones((1, 19)))
    close(yaafe.crest_per_band(line, RATE)[0, 8], 10, rtol=1e-6)


def test_spectral_flatness_per_band():
    for i in SOME:
        for band in (0, 7, 8, 18):
            groups = grouped(POWER[i], band) + np.finfo(float).eps
            expected = scipy.stats.gmean(groups) / np.mean(groups)
            close(FOUND["SpectralFlatnessPerBand"][i, band], expected)
    line = np.zeros((2, 513))
    line[1, 17] = 1  # alone in band 0, of 6 groups: the other five are EPS
    found = yaafe.flatness_per_band(line, RATE)
    close(found[0], np.ones(19))
    close(found[1, 0], 6 * np.finfo(float).eps ** (5 / 6), atol=0)


def test_a_tone_is_peaked_in_its_band_and_noise_is_flat():
    sound = inner(yaafe.compute_by_name(tone(1100.0) + 0.001 * noise())["SpectralFlatnessPerBand"])
    hiss = inner(yaafe.compute_by_name(noise())["SpectralFlatnessPerBand"])
    assert sound[:, 8].max() < 0.01 and hiss[:, 8].min() > 0.1


# the envelope


def reference_envelope(block, rate):
    """|analytic signal| through a filter whose impulse response is the reversed falling half of a Hann window."""
    spectrum = np.fft.fft(block)
    spectrum[1 : len(block) // 2] *= 2
    spectrum[len(block) // 2 + 1 :] = 0
    magnitude = np.abs(np.fft.ifft(spectrum))
    size = round(0.05 * rate)
    falling = scipy.signal.windows.hann(2 * size + 2)[size + 1 : -1]
    falling = np.append(falling / falling.sum(), np.zeros(-size % 200))  # its oldest sample first
    count = -(-len(block) // 200)
    smooth = scipy.signal.lfilter(falling[::-1], 1, np.append(magnitude, np.zeros(200 * count - len(block))))
    return smooth[199::200]


def test_envelope():
    long = yaafe.cut_blocks(SIGNAL, 32768, 16384)
    for frame, block in ((0, 0), (40, 1), (93, 2)):
        close(FOUND["Envelope"][frame], reference_envelope(long[block], RATE))


def test_envelope_where_the_filter_is_no_whole_number_of_lots():
    block = noise(1.0, rate=44100)[None, :32768]
    close(yaafe.envelope(block, 44100)[0], reference_envelope(block[0], 44100))


def test_envelope_of_a_steady_tone_is_its_amplitude():
    steady = tone(500.0, 2.048, 0.4)[None]  # 1024 whole periods in the block
    found = yaafe.envelope(steady, RATE)
    assert found.shape == (1, 164)
    close(found[0, 3:163], np.full(160, 0.4))
    assert found[0, 0] < found[0, 1] < found[0, 2] < 0.4  # the filter fills


def test_amplitude_modulation():
    """The envelope's spectrum evaluated at every bin as a polynomial on the unit circle."""
    window = scipy.signal.windows.hann(166)[1:-1]
    omega = 2 * np.pi * np.arange(16384) / 32768
    for frame in (0, 40, 93):
        _, response = scipy.signal.freqz(FOUND["Envelope"][frame] * window, worN=omega)
        spectrum, hertz = np.abs(response), np.arange(16384) * 80 / 32768  # 80 values of the envelope a second
        expected = []
        for first, last in ((1638, 3276), (4095, 16383)):  # the bins around 4 .. 8 Hz and 10 .. 40 Hz
            peak = first + spectrum[first : last + 1].argmax()
            over_all = max(spectrum[peak] - spectrum.mean(), 0)
            over_range = spectrum[peak] - spectrum[first : last + 1].mean()
            expected += [hertz[peak], over_all, over_range, hertz[peak] * over_all]
        close(FOUND["AmplitudeModulation"][frame], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("modulation", "column"), [(5.0, 0), (6.5, 0), (15.0, 4), (30.0, 4)])
def test_amplitude_modulation_finds_the_modulation(modulation, column):
    shake = 1 + 0.8 * np.sin(2 * np.pi * modulation * np.arange(4 * RATE) / RATE)
    found = yaafe.compute_by_name(shake * tone(1000.0, 4.0, 0.4))["AmplitudeModulation"][40]
    assert found[column] == pytest.approx(modulation, abs=0.3)
    assert found[column + 1] > found[(column + 4) % 8 + 1]
