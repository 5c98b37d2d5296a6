"""Audio images against an independent form in NumPy and SciPy: Eq. 2 to 4, the mel bank, segments and scaling."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from replications.priyasad2019 import images

RATE = 16_000
SETTINGS = {"audio_rate": RATE, "image": "mfcc", "image_scaling": "segment"}


def chirp(seconds: float = 1.6, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A swelling sweep over noise: something in every band, no two frames alike."""
    time = np.arange(round(seconds * rate)) / rate
    sweep = scipy.signal.chirp(time, 80, seconds, 7000) * (0.05 + 0.3 * np.sin(9 * time) ** 2)
    return (sweep + 0.01 * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)


def hertz_to_mel(hertz):
    return 1127 * np.log(1 + np.asarray(hertz) / 700)


def mel_bank(size: int, rate: int) -> np.ndarray:
    """Triangles on the mel scale of height 1, 20 to 8000 Hz, (size // 2 + 1, 64)."""
    mel = hertz_to_mel(np.arange(size // 2 + 1) * rate / size)
    edges = np.linspace(hertz_to_mel(20), hertz_to_mel(8000), 66)
    return np.stack([np.interp(mel, edges[i : i + 3], [0, 1, 0]) for i in range(64)], axis=1)


def log_mel(signal: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Eq. 2 and 3 frame by frame in double precision, then mel bands and logarithm."""
    size, step = 2 * round(0.0125 * rate), round(0.010 * rate)
    starts = range(0, len(signal) - size + 1, step)
    frames = np.array([signal[start : start + size] for start in starts], float)
    spectrum = np.fft.rfft(frames * scipy.signal.get_window("hamming", size))
    return np.log(np.maximum(np.abs(spectrum) ** 2 / size @ mel_bank(size, rate), 1e-10))


def close(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 1e-4, "atol": 2e-3, **tolerance})


# coefficients


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_log_mel_energies_are_those_of_numpy(rate):
    signal = chirp(rate=rate)
    found = images.compute_coefficients(signal, rate, "log-mel")
    assert found.dtype == np.float32
    close(found, log_mel(signal, rate))


def test_the_dft_is_that_of_eq_2_with_its_factor():
    """One frame by the printed sum, n = 1 .. 400: the phase of another first n leaves the power as it is."""
    signal = chirp()[:400].astype(float)
    hamming = scipy.signal.get_window("hamming", 400)
    n, k = np.arange(1, 401), np.arange(201)[:, None]
    power = np.abs((signal * hamming * np.exp(-2j * np.pi * k * n / 400)).sum(axis=1)) ** 2 / 400
    close(
        images.compute_coefficients(signal, RATE, "log-mel")[0], np.log(np.maximum(power @ mel_bank(400, RATE), 1e-10))
    )


def test_cepstra_are_the_dct_of_all_64_bands():
    """DCT-II; in the orthonormal one the first row is smaller by a factor of sqrt(2)."""
    expected = scipy.fft.dct(log_mel(chirp()), type=2, axis=1) / np.sqrt(2 * 64)
    close(images.compute_coefficients(chirp(), RATE), expected, atol=5e-3)
    orthonormal = scipy.fft.dct(log_mel(chirp()), type=2, axis=1, norm="ortho")
    close(images.compute_coefficients(chirp(), RATE) / [np.sqrt(2), *[1] * 63], orthonormal, atol=5e-3)


def test_every_mel_filter_has_a_bin():
    assert (mel_bank(400, RATE) > 0).any(axis=0).all()


def test_a_tone_lights_the_filter_around_it():
    centres = np.linspace(hertz_to_mel(20), hertz_to_mel(8000), 66)[1:-1]
    for hertz in (200, 1000, 4000):
        tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        loudest = images.compute_coefficients(tone, RATE, "log-mel").mean(axis=0).argmax()
        assert abs(centres[loudest] - hertz_to_mel(hertz)) < centres[1] - centres[0]


@pytest.mark.parametrize(("samples", "frames"), [(399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)])
def test_frames_lie_within_the_signal(samples, frames):
    assert images.compute_coefficients(np.ones(samples), RATE).shape == (frames, 64)


# Eq. 4


def by_hand(values: np.ndarray) -> np.ndarray:
    """Eq. 4 as printed, with c_{t+n}, N = 2, the first and the last frame beyond the ends."""
    last = len(values) - 1
    found = np.zeros_like(values)
    for t in range(len(values)):
        for n in (1, 2):
            found[t] += n * (values[min(t + n, last)] - values[max(t - n, 0)])
    return found / (2 * (1 + 4))


@given(arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-100, 100)))
def test_delta_is_eq_4(values):
    np.testing.assert_allclose(images.compute_delta(values), by_hand(values), atol=1e-10)


def test_delta_of_a_ramp_is_its_slope():
    ramp = np.arange(10.0)[:, None] * [1, -3]
    np.testing.assert_allclose(images.compute_delta(ramp)[2:-2], np.tile([1, -3], (6, 1)))


# segments


@pytest.mark.parametrize(
    ("milliseconds", "count"),
    [(655, 1), (954, 1), (955, 2), (1254, 2), (1255, 3), (3000, 8)],  # 655 + 300 (n - 1)
)
def test_number_of_segments(milliseconds, count):
    found, start = images.cut_segments(chirp(milliseconds / 1000), SETTINGS)
    assert found.shape == (count, 64, 64, 3) and found.dtype == np.float32
    np.testing.assert_allclose(start, 0.3 * np.arange(count))


@pytest.mark.parametrize("samples", [0, 1, 400, 10_479])
def test_less_than_a_segment_is_refused(samples):
    with pytest.raises(ValueError, match=r"s of sound are shorter than one segment of 0\.655 s$"):
        images.cut_segments(np.zeros(samples), SETTINGS)


@pytest.mark.parametrize("image", ["mfcc", "log-mel"])
@pytest.mark.parametrize("scaling", ["segment", "utterance"])
def test_segments_are_windows_of_the_utterance(image, scaling):
    """The whole chain once more: deltas run on over the borders of segments, scaling is per channel."""
    static = log_mel(chirp())
    if image == "mfcc":
        static = scipy.fft.dct(static, type=2, axis=1) / np.sqrt(128)
    channels = [static, by_hand(static), by_hand(by_hand(static))]
    found, start = images.cut_segments(chirp(), {**SETTINGS, "image": image, "image_scaling": scaling})
    for i, first in enumerate((0, 30, 60, 90)):
        assert start[i] == pytest.approx(first / 100)
        for c, values in enumerate(channels):
            expected = values[first : first + 64].T  # rows are coefficients
            ends = expected if scaling == "segment" else values
            expected = 255 * (expected - ends.min()) / (ends.max() - ends.min())
            close(found[i, :, :, c], expected, atol=0.25)
    assert len(found) == 4


def test_each_channel_of_each_segment_goes_from_0_to_255():
    found, _ = images.cut_segments(chirp(), SETTINGS)
    np.testing.assert_array_equal(found.min(axis=(1, 2)), 0)
    np.testing.assert_allclose(found.max(axis=(1, 2)), 255)


@pytest.mark.parametrize("scaling", ["segment", "utterance"])
@pytest.mark.parametrize("image", ["mfcc", "log-mel"])
@pytest.mark.parametrize(
    "signal",
    [np.zeros(16_000), np.full(16_000, 0.25), 0.5 * np.sin(2 * np.pi * 400 * np.arange(16_000) / RATE)],
    ids=["silence", "offset", "tone"],  # the tone's period divides the step
)
def test_what_does_not_change_has_deltas_of_0(signal, image, scaling):
    found, _ = images.cut_segments(signal, {**SETTINGS, "image": image, "image_scaling": scaling})
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[..., 1:], 0)


def test_log_mel_energies_of_silence_are_black():
    found, _ = images.cut_segments(np.zeros(16_000), {**SETTINGS, "image": "log-mel"})
    np.testing.assert_array_equal(found, 0)


@hypothesis_settings(max_examples=10)
@given(st.floats(0.1, 3))
def test_gain_moves_the_first_cepstrum_alone(gain):
    """ln(gain^2) more in each band is sqrt(2 * 64) ln(gain^2) more in row 0 and nothing in the others."""
    quiet, loud = (images.compute_coefficients(signal, RATE) for signal in (chirp(0.7), gain * chirp(0.7)))
    close(loud[:, 0] - quiet[:, 0], np.sqrt(2 * 64) * np.log(gain**2), atol=2e-2)
    close(loud[:, 1:], quiet[:, 1:], atol=2e-2)


def test_a_later_start_by_a_shift_is_the_next_segment():
    """Away from the start of the signal, where deltas lack frames."""
    earlier, _ = images.cut_segments(chirp(2.5), SETTINGS)
    later, _ = images.cut_segments(chirp(2.5)[4800:], SETTINGS)
    close(later[1:], earlier[2:], atol=0.1)


def test_the_same_signal_gives_the_same_bytes():
    first, second = (images.cut_segments(chirp(), SETTINGS)[0].tobytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("signal", "rate", "message"),
    [
        (np.zeros((2, 16_000)), RATE, "one channel of finite samples"),
        (np.full(16_000, np.nan), RATE, "one channel of finite samples"),
        (np.zeros(16_000), 8000, "need a rate of 16000 Hz or more, not 8000"),
    ],
)
def test_signals_that_have_no_image(signal, rate, message):
    with pytest.raises(ValueError, match=message):
        images.cut_segments(signal, {**SETTINGS, "audio_rate": rate})


@given(arrays(float, (3, 5, 4, 2), elements=st.floats(-1e3, 1e3)))
def test_scaled_is_within_0_and_255_and_keeps_order(values):
    found = images.scale(values, axis=(1, 2))
    assert found.min() >= 0 and found.max() <= 255
    for i in range(3):
        for c in range(2):
            before, after = values[i, ..., c].ravel(), found[i, ..., c].ravel()
            assert (np.diff(after[np.argsort(before)]) >= 0).all()
            assert after.max() == (pytest.approx(255) if np.ptp(before) > images.LEAST else 0)
