"""Reading WAV files, eGeMAPS and MFCC: what is accepted, what is refused and how, and features that follow the voice."""

import re

import numpy as np
import pytest
import soundfile

from common.errors import InputError
from common.media import audio

RATE = 16_000
LOUDNESS = 10  # loudness_sma3_amean


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope="module")
def speech(corpus) -> np.ndarray:
    return audio.read(corpus / "audio" / "Train_01.wav", RATE)


# reading


def test_mono_at_the_expected_rate_is_read_as_it_is(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE, subtype="PCM_16")
    signal = audio.read(tmp_path / "a.wav", RATE)
    assert signal.shape == (RATE,) and signal.dtype == np.float32
    np.testing.assert_allclose(signal, tone(RATE), atol=1 / 32768)
    assert audio.measure_duration(tmp_path / "a.wav") == 1.0


@pytest.mark.parametrize("rate", [48_000, 44_100, 8_000])
def test_resampling_keeps_length_and_pitch(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate, 1.5), rate)
    signal = audio.read(tmp_path / "a.wav", RATE, resample=True)
    assert signal.shape == (1.5 * RATE,) and signal.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    assert abs(spectrum.argmax() / 1.5 - 440) < 1  # bins are 2/3 Hz wide
    # away from the ends, where the filter runs out of signal, the samples are those of the tone
    np.testing.assert_allclose(signal[800:-800], tone(RATE, 1.5)[800:-800], atol=0.01)


def test_resampling_averages_the_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(RATE), -0.5 * tone(RATE)], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav", RATE, resample=True), 0.25 * tone(RATE), atol=1e-6)


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (RATE, 2), (44_100, 1)])
def test_other_formats_are_refused_with_the_remedy(tmp_path, rate, channels):
    file = tmp_path / "a.wav"
    soundfile.write(file, np.zeros((rate, channels)), rate)
    with pytest.raises(InputError) as caught:
        audio.read(file, RATE)
    message = str(caught.value)
    assert message.startswith(f"{file}: {channels} channel(s) at {rate} Hz") and "--set resample=true" in message


def no_samples(file):
    soundfile.write(file, np.zeros(0), RATE)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_samples, "holds no audio"),
        (lambda file: file.write_bytes(b""), "cannot be read as audio"),
        (lambda file: file.write_text("name;timestamp\n"), "cannot be read as audio"),
        (lambda file: file.mkdir(), "cannot be read as audio"),
        (lambda file: None, "cannot be read as audio"),
    ],
    ids=["no samples", "no bytes", "text", "folder", "missing"],
)
@pytest.mark.parametrize(
    "read", [audio.measure_duration, lambda file: audio.read(file, RATE)], ids=["duration", "read"]
)
def test_what_is_no_audio_is_refused_by_name(tmp_path, make, words, read):
    make(tmp_path / "Train_01.wav")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "Train_01.wav"))) as caught:
        read(tmp_path / "Train_01.wav")
    assert words in str(caught.value) and "\n" not in str(caught.value)


# eGeMAPS


def windows(signal: np.ndarray, width: float, hop: float = 0.25) -> np.ndarray:
    """Centred on a grid over the whole signal and cut off at its ends."""
    end = len(signal) / RATE
    centre = np.arange(0, end, hop)
    return np.stack([np.maximum(centre - width / 2, 0), np.minimum(centre + width / 2, end)], axis=1)


@pytest.mark.parametrize("version", ["v01a", "v01b", "v02"])
@pytest.mark.parametrize("source", ["contours", "waveform"])
def test_one_row_of_88_for_each_window_to_both_ends(speech, version, source):
    wanted = windows(speech, 2.0, hop=0.5)
    found = audio.extract_egemaps(speech, RATE, wanted, version, source)
    assert found.shape == (len(wanted), audio.EGEMAPS_FUNCTIONALS) and found.dtype == np.float32
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) == len(wanted)  # no row repeats another


def test_windows_in_any_order_and_overlap_give_the_rows_of_each_alone(speech):
    wanted = np.array([[2.0, 4.0], [0.0, 1.0], [2.0, 4.0], [1.0, 5.0]])
    together = audio.extract_egemaps(speech, RATE, wanted)
    for row, window in zip(together, wanted, strict=True):
        np.testing.assert_array_equal(audio.extract_egemaps(speech, RATE, window[None])[0], row)


def test_same_signal_gives_same_bytes(speech):
    wanted = windows(speech, 3.0)
    np.testing.assert_array_equal(
        audio.extract_egemaps(speech, RATE, wanted), audio.extract_egemaps(speech, RATE, wanted)
    )


@pytest.mark.parametrize("source", ["contours", "waveform"])
def test_a_louder_signal_has_more_loudness_and_the_same_pitch(speech, source):
    wanted = windows(speech, 3.0, hop=1.0)
    quiet, loud = (audio.extract_egemaps(gain * speech, RATE, wanted, source=source) for gain in (0.25, 1.0))
    assert (loud[:, LOUDNESS] > 1.3 * quiet[:, LOUDNESS]).all()
    np.testing.assert_allclose(loud[:, 0], quiet[:, 0], rtol=0.02)  # F0semitoneFrom27.5Hz_sma3nz_amean


def test_loudness_is_found_where_it_is(speech):
    """The second half is made louder: windows inside it have more loudness than without that, the others as much."""
    half = len(speech) // 2
    raised = speech * np.where(np.arange(len(speech)) < half, 0.2, 1.0).astype(np.float32)
    middle = half / RATE
    wanted = np.array([[0.2, middle - 0.3], [middle + 0.3, 2 * middle - 0.2]])
    before, after = (audio.extract_egemaps(signal, RATE, wanted)[:, LOUDNESS] for signal in (0.2 * speech, raised))
    assert abs(after[0] / before[0] - 1) < 0.02 and after[1] > 1.5 * before[1]


@pytest.mark.parametrize("stem", ["Train_01", "Train_02", "Devel_01"])
def test_contours_and_waveforms_agree_inside_the_recording(corpus, stem):
    """The two differ by the context at the borders of a window only.

    On synthetic speech, windows of 2 s every 0.1 s: the 88 columns correlate with 0.94 to 0.97 (median) and 0.75 to 0.85
    (tenth percentile); they differ by 0.15 to 0.2 standard deviations (median of columns).
    """
    signal = audio.read(corpus / "audio" / f"{stem}.wav", RATE)
    wanted = windows(signal, 2.0, hop=0.1)
    wanted = wanted[
        (wanted[:, 1] - wanted[:, 0] > 1.999) & (wanted[:, 0] > 0.5) & (wanted[:, 1] < len(signal) / RATE - 0.5)
    ]
    assert len(wanted) > 15
    one, other = (audio.extract_egemaps(signal, RATE, wanted, source=source) for source in ("contours", "waveform"))
    varied = (one.std(axis=0) > 0) & (other.std(axis=0) > 0)
    correlation = np.array([np.corrcoef(one[:, k], other[:, k])[0, 1] for k in np.flatnonzero(varied)])
    distance = np.abs(one - other).mean(axis=0)[varied] / other.std(axis=0)[varied]
    assert varied.sum() > 80
    assert np.median(correlation) > 0.93 and np.quantile(correlation, 0.1) > 0.65
    assert np.median(distance) < 0.25


def test_silence_is_finite():
    assert np.isfinite(
        audio.extract_egemaps(np.zeros(4 * RATE, np.float32), RATE, np.array([[0.0, 2.0], [1.0, 4.0]]))
    ).all()


@pytest.mark.parametrize("source", ["contours", "waveform"])
@pytest.mark.parametrize("window", [(0.0, 0.4), (1.0, 1.0), (2.0, 1.0)])
def test_too_short_a_window(speech, source, window):
    with pytest.raises(ValueError, match="0.5 s or more"):
        audio.extract_egemaps(speech, RATE, np.array([(0.0, 2.0), window]), source=source)


def test_the_shortest_window_works_anywhere(speech):
    end = len(speech) / RATE
    wanted = np.array([[0.0, 0.5], [1.0, 1.5], [end - 0.5, end]])
    assert audio.extract_egemaps(speech, RATE, wanted).shape == (3, 88)


# low-level descriptors


@pytest.fixture(scope="module")
def mfcc(speech) -> np.ndarray:
    return audio.extract_lld(speech, RATE, "mfcc")[1]


@pytest.mark.parametrize(("kind", "width"), audio.LLD.items())
def test_a_row_of_descriptors_every_10_ms_up_to_the_last_whole_frame(speech, kind, width):
    time, values = audio.extract_lld(speech, RATE, kind)
    assert values.shape == (len(time), width) and values.dtype == np.float32 and np.isfinite(values).all()
    np.testing.assert_allclose(time, 0.01 * np.arange(len(time)), atol=1e-9)
    assert 0 <= len(speech) / RATE - time[-1] - 0.025 < 0.05
    np.testing.assert_array_equal(audio.extract_lld(speech, RATE, kind)[1], values)


def test_mfcc_are_the_textbook_ones(speech, mfcc):
    """HTK's: pre-emphasis in each frame, Hamming, power in 26 triangles on the mel scale, log, cosines, lifter."""
    samples = np.round(speech.astype(float) * 32767)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    emphasised = frames - 0.97 * np.hstack([frames[:, :1], frames[:, :-1]])
    power = np.abs(np.fft.rfft(emphasised * np.hamming(400), 512)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    bins, corners = mel(np.arange(257) * RATE / 512), np.linspace(0, mel(8000), 28)
    rising = (bins - corners[:-2, None]) / (corners[1] - corners[0])
    bands = np.clip(np.minimum(rising, 2 - rising), 0, None)
    logarithm = np.log(np.maximum(power @ bands.T, 1))
    order = np.arange(13)
    cosines = np.sqrt(2 / 26) * np.cos(np.pi / 26 * np.outer(order, np.arange(26) + 0.5))
    expected = logarithm @ cosines.T * (1 + 22 / 2 * np.sin(np.pi * order / 22))
    found = mfcc[:, [12, *range(12)]]  # the zeroth comes last
    assert found.shape == expected.shape
    # openSMILE rounds to 16 bits in its own way, which shows where there is next to no sound
    assert np.quantile(np.abs(found - expected), 0.99) < 0.05
    for k in order:
        assert np.corrcoef(found[:, k], expected[:, k])[0, 1] > 0.999


def regression(values: np.ndarray) -> np.ndarray:
    """Slope over two frames to each side; values (n + 4, d) give (n, d)."""
    return ((values[3:-1] - values[1:-3]) + 2 * (values[4:] - values[:-4])) / 10


def test_deltas_are_the_regression_of_the_statics(mfcc):
    statics, deltas, acceleration = np.split(mfcc.astype(float), 3, axis=1)
    np.testing.assert_allclose(deltas, regression(np.pad(statics, ((2, 2), (0, 0)), "edge")), atol=1e-4)
    # at the end openSMILE goes on with the deltas of a last frame that stays; at the start it repeats the first delta
    beyond = regression(np.pad(statics, ((2, 4), (0, 0)), "edge"))
    np.testing.assert_allclose(acceleration, regression(np.pad(beyond, ((2, 0), (0, 0)), "edge")), atol=1e-4)


def test_egemaps_descriptors_follow_the_voice(speech):
    (_, quiet), (_, loud) = (audio.extract_lld(gain * speech, RATE, "egemaps") for gain in (0.25, 1.0))
    assert (loud[:, 0] > 1.3 * quiet[:, 0]).mean() > 0.9  # Loudness_sma3
    time, values = audio.extract_lld(tone(RATE, 2.0, 220.0).astype(np.float32), RATE, "egemaps")
    pitch = values[20:-20, 10]  # F0semitoneFrom27.5Hz_sma3nz: 220 Hz are three octaves above
    np.testing.assert_allclose(pitch, 36, atol=0.2)


@pytest.mark.parametrize("kind", audio.LLD)
def test_descriptors_of_silence_are_finite(kind):
    assert np.isfinite(audio.extract_lld(np.zeros(RATE, np.float32), RATE, kind)[1]).all()


@pytest.mark.parametrize("kind", audio.LLD)
def test_a_signal_shorter_than_a_frame_has_no_descriptors(kind):
    assert len(audio.extract_lld(np.zeros(960, np.float32), RATE, kind)[0]) > 0
    with pytest.raises(ValueError, match="0.06 s or more"):
        audio.extract_lld(np.zeros(959, np.float32), RATE, kind)


def test_an_unknown_set_of_descriptors(speech):
    with pytest.raises(KeyError):
        audio.extract_lld(speech, RATE, "plp")


# the sound of a video


def film(path, sound=None, rate: int = RATE, seconds: float = 1.0, codec: str = "pcm_s16le"):
    """An AVI of dark frames, 25 per second, unless `seconds` is 0, with `sound` (channels, n), unless it is None."""
    import av

    with av.open(str(path), "w", format="avi") as container:
        video = container.add_stream("mpeg4", rate=25) if seconds else None
        if sound is not None:
            layout = {1: "mono", 2: "stereo"}[len(sound)]
            track = container.add_stream(codec, rate=rate, layout=layout)
        if video:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for _ in range(round(25 * seconds)):
                image = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                container.mux(video.encode(image))
            container.mux(video.encode())
        if sound is not None and sound.size:
            wanted = track.codec_context.format.name
            samples = np.round(sound.T * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, 0
            convert = av.AudioResampler(format=wanted, layout=layout, frame_size=track.codec_context.frame_size or None)
            for part in [*convert.resample(frame), *convert.resample(None)]:
                container.mux(track.encode(part))
            container.mux(track.encode())
    return path


def test_the_sound_of_a_video_is_that_of_the_wav(tmp_path):
    sound = 0.8 * np.random.default_rng(0).uniform(-1, 1, (1, RATE))
    soundfile.write(tmp_path / "a.wav", np.round(sound[0] * 32767) / 32768, RATE, subtype="PCM_16")
    signal = audio.read_from_video(film(tmp_path / "a.avi", sound), RATE)
    assert signal.shape == (RATE,) and signal.dtype == np.float32
    np.testing.assert_allclose(signal, audio.read(tmp_path / "a.wav", RATE), atol=1e-6)


@pytest.mark.parametrize("rate", [48_000, 44_100, 8_000])
def test_the_sound_of_a_video_is_resampled_as_a_wav_is(tmp_path, rate):
    sound = tone(rate, 1.5)
    soundfile.write(tmp_path / "a.wav", np.round(sound * 32767) / 32768, rate, subtype="PCM_16")
    signal = audio.read_from_video(film(tmp_path / "a.avi", sound[None], rate, 1.5), RATE)
    assert signal.shape == (1.5 * RATE,) and signal.dtype == np.float32
    np.testing.assert_allclose(signal, audio.read(tmp_path / "a.wav", RATE, resample=True), atol=1e-6)


def test_the_channels_of_a_video_are_averaged(tmp_path):
    left, right = tone(RATE), tone(RATE, hertz=1000)
    signal = audio.read_from_video(film(tmp_path / "a.avi", np.stack([left, right])), RATE)
    np.testing.assert_allclose(signal, (left + right) / 2, atol=1e-4)


def test_compressed_sound_keeps_its_pitch(tmp_path):
    signal = audio.read_from_video(film(tmp_path / "a.avi", tone(44_100)[None], 44_100, codec="ac3"), RATE)
    assert abs(len(signal) - RATE) < 2000  # whole blocks of the codec
    spectrum = np.abs(np.fft.rfft(signal[:RATE] * np.hanning(len(signal[:RATE]))))
    assert abs(spectrum.argmax() * RATE / len(signal[:RATE]) - 440) < 3 and 0.4 < np.abs(signal[2000:-2000]).max() < 0.6


def test_a_video_of_sound_alone_has_its_sound(tmp_path):
    assert len(audio.read_from_video(film(tmp_path / "a.avi", tone(RATE)[None], seconds=0), RATE)) == RATE


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: film(file), "has no sound"),
        (lambda file: film(file, np.zeros((1, 0))), "its sound is empty"),
        (lambda file: file.write_bytes(b""), "its sound cannot be read"),
        (lambda file: file.write_text("text"), "its sound cannot be read"),
        (lambda file: file.mkdir(), "its sound cannot be read"),
        (lambda file: None, "its sound cannot be read"),
    ],
    ids=["silent film", "no samples", "no bytes", "text", "folder", "missing"],
)
def test_a_video_without_sound_is_refused_by_name(tmp_path, make, words):
    file = tmp_path / "Train_01.avi"
    make(file)
    with pytest.raises(InputError, match=re.escape(f"{file}: {words}")) as caught:
        audio.read_from_video(file, RATE)
    assert "copy it again" in str(caught.value) and "\n" not in str(caught.value)


def test_a_video_that_was_cut_has_the_sound_that_is_left_or_is_refused(tmp_path):
    """Whatever the place of the cut: samples from the start, or one line."""
    sound = 0.5 * np.random.default_rng(0).uniform(-1, 1, (1, RATE))
    whole = film(tmp_path / "a.avi", sound).read_bytes()
    full, lengths, cut = audio.read_from_video(tmp_path / "a.avi", RATE), [], tmp_path / "cut.avi"
    for part in np.linspace(0.02, 0.98, 13):
        cut.write_bytes(whole[: round(part * len(whole))])
        try:
            signal = audio.read_from_video(cut, RATE)
        except InputError as error:
            assert str(error).startswith(f"{cut}: ") and "\n" not in str(error)
            continue
        lengths.append(len(signal))
        np.testing.assert_array_equal(signal, full[: len(signal)])
    assert lengths and lengths == sorted(lengths) and lengths[0] < RATE
