"""Spectrograms and pictures against textbook forms and matplotlib, windows, faces, files of the challenge, the cache."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.media import faces
from common.networks import backbones
from datasets import avec2017, avec2019
from replications.raju2021 import deep

SETTINGS = {
    "audio_rate": 16_000,
    "resample": False,
    "deep_window": 4.0,
    "deep_align": "left",
    "mel_bands": 128,
    "weights": "random",
}
RATES = [16_000, 44_100, 48_000]
COUNT = 8  # labels
KINDS = (*deep.STREAMS["audio"], *deep.STREAMS["visual"])
WIDTHS = {kind: backbones.NETWORKS[deep.name_network(kind)].width for kind in KINDS}


def with_(**changes) -> dict:
    return {**SETTINGS, **changes}


def chirp(seconds: float, rate: int = 16_000) -> np.ndarray:
    at = np.arange(int(seconds * rate)) / rate
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(at))
    return (0.4 * np.sin(2 * np.pi * (200 * at + 300 * at**2)) * np.exp(-((at - 2) ** 2)) + noise).astype(np.float32)


# the mel spectrogram


def slaney(hertz):
    """Mel of a frequency, from the definition: 3 mel for 200 Hz, and 27 for each factor 6.4 above 1000 Hz."""
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


@given(st.integers(3, 300), st.sampled_from(RATES))
def test_mel_frequencies_are_even_on_slaneys_scale(count, rate):
    mels = [slaney(hertz) for hertz in deep.space_mel_frequencies(count, rate)]
    np.testing.assert_allclose(mels, np.linspace(0, slaney(rate / 2), count), atol=1e-9)


@pytest.mark.parametrize("rate", RATES)
def test_mel_filters_are_triangles_of_area_one(rate):
    """Each from one frequency over the next, its peak, to the one after; bin by bin, and the area of the first ones."""
    size, bands = deep.choose_fft_size(rate), 128
    filters = deep.build_mel_filters(rate, size, bands)
    assert filters.shape == (bands, size // 2 + 1) and filters.dtype == np.float32 and (filters.max(axis=1) > 0).all()
    at = deep.space_mel_frequencies(bands + 2, rate)
    for band in (0, 17, 64, 127):
        for index in range(size // 2 + 1):
            triangle = np.interp(index * rate / size, at[band : band + 3], [0, 2 / (at[band + 2] - at[band]), 0], 0, 0)
            assert filters[band, index] == pytest.approx(triangle, abs=1e-8)
    assert filters[-1].sum() * rate / size == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("rate", "size"), [(8_000, 256), (16_000, 512), (44_100, 2048), (48_000, 2048)])
def test_frames_are_the_power_of_two_from_25_ms_on(rate, size):
    assert deep.choose_fft_size(rate) == size and size / 2 < 0.025 * rate <= size


@pytest.mark.parametrize("samples", [64_000, 512, 767, 768, 9_999])
def test_mel_decibels_against_the_textbook(samples):
    """Hann-windowed frames that overlap by half and lie within the signal, DFT, power, mel bands, dB below the maximum."""
    signal = chirp(4.0)[:samples]
    frames = [signal[start : start + 512] for start in range(0, samples - 511, 256)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    power = np.abs(np.fft.rfft(np.array(frames, float) * hann)) ** 2
    mel = power @ deep.build_mel_filters(16_000, 512, 128).T.astype(float)
    expected = 10 * np.log10(mel / mel.max()).T
    found = deep.compute_mel_decibels(signal, 16_000, 128)
    assert found.shape == (128, len(frames)) and found.max() == 0
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_silence_has_one_colour():
    found = deep.compute_mel_decibels(np.zeros(16_000, np.float32), 16_000, 128)
    np.testing.assert_array_equal(found, 0)
    picture = deep.draw_picture(found, 16_000)
    np.testing.assert_array_equal(picture, np.broadcast_to([68, 1, 84], picture.shape))  # the lowest of viridis


def test_loudness_does_not_matter():
    one, other = (deep.compute_mel_decibels(gain * chirp(1.0), 16_000, 64) for gain in (1, 0.25))
    np.testing.assert_allclose(one, other, atol=1e-3)


# the picture


def figure(decibels: np.ndarray, rate: int) -> np.ndarray:
    """What DeepSpectrum has matplotlib draw, with the cells and the axis that librosa's specshow gives to it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    bands, frames = decibels.shape
    frequencies = deep.space_mel_frequencies(bands, rate)
    borders = np.r_[0, (frequencies[1:] + frequencies[:-1]) / 2, rate / 2]
    drawn = Figure(figsize=(1, 1), frameon=False)
    FigureCanvasAgg(drawn)
    axes = drawn.add_axes([0, 0, 1, 1])
    axes.set_axis_off()
    axes.pcolormesh(np.arange(frames + 1), borders, decibels, cmap="viridis", shading="flat", rasterized=True)
    axes.set_xlim(0, frames)
    axes.set_ylim(0, rate / 2)
    axes.set_yscale("symlog", linthresh=1000.0, base=2)
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=227)
    file.seek(0)
    return np.rint(255 * imread(file)[..., :3]).astype(int)


@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 4.0), (48_000, 2.3)])
def test_the_picture_is_matplotlibs(rate, seconds):
    """Of a hundred pixels at most one has another colour, and then the next; a column between two cells is either."""
    decibels = deep.compute_mel_decibels(chirp(seconds, rate), rate, 128)
    difference = np.abs(deep.draw_picture(decibels, rate) - figure(decibels, rate)).max(axis=-1)
    assert difference.shape == (227, 227) and (difference == 0).mean() > 0.99
    between = {113} if decibels.shape[1] % 2 == 0 else set()
    assert set(np.flatnonzero((difference > 3).any(axis=0))) <= between


@given(st.integers(16, 128), st.sampled_from(RATES))
def test_rows_hold_the_bands_from_above_in_order(bands, rate):
    found = deep.find_rows(bands, rate)
    assert found[0] == bands - 1 and found[-1] == 0 and (np.diff(found) <= 0).all()


def test_a_picture_of_bands_and_frames():
    """Time runs to the right, frequency upwards; two frames share the width, and the colour is that of viridis' ends."""
    decibels = np.full((128, 2), -80.0)
    decibels[100:, 1] = 0
    picture = deep.draw_picture(decibels, 16_000)
    assert picture.shape == (227, 227, 3) and picture.dtype == np.uint8
    dark, bright = [68, 1, 84], [253, 231, 37]
    for row, column, colour in ((0, 0, dark), (0, 226, bright), (226, 226, dark), (0, 112, dark), (0, 114, bright)):
        assert picture[row, column].tolist() == colour


# windows


@pytest.mark.parametrize(
    ("align", "expected"),
    [
        ("left", [[0, 400], [10, 410], [500, 900], [960, 1000], [992, 1000], [992, 1000]]),
        ("centred", [[0, 200], [0, 210], [300, 700], [760, 1000], [800, 1000], [850, 1000]]),
    ],
)
def test_windows_of_labels(align, expected, monkeypatch):
    """100 Hz and windows of 4 s: cut off at the ends, but never shorter than a frame, which has 8 samples here."""
    monkeypatch.setattr(deep, "choose_fft_size", lambda rate: 8)
    found = deep.find_spans(np.array([0, 0.1, 5, 9.6, 10, 10.5]), 1000, 100, 4.0, align)
    np.testing.assert_array_equal(found, expected)


@given(st.integers(600, 80_000), st.integers(1, 60), st.sampled_from(["left", "centred"]))
def test_windows_are_in_the_signal_and_hold_a_frame(samples, count, align):
    time = 0.1 * np.arange(count)
    found = deep.find_spans(time, samples, 16_000, 4.0, align)
    assert found.shape == (count, 2) and found.min() >= 0 and found.max() <= samples
    assert ((found[:, 1] - found[:, 0] >= 512) & (found[:, 1] - found[:, 0] <= 64_000)).all()


def test_pictures_are_drawn_one_at_a_time_from_their_windows(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        deep, "compute_mel_decibels", lambda signal, rate, bands: seen.append(signal) or np.zeros((bands, 3))
    )
    signal = np.arange(32_000) / 64_000
    soundfile.write(tmp_path / "a.wav", signal, 16_000, subtype="FLOAT")
    stream = deep.draw_pictures(tmp_path / "a.wav", 0.1 * np.arange(21), with_(deep_window=1.0))
    next(stream)
    assert len(seen) == 1
    assert len(list(stream)) == 20
    np.testing.assert_allclose(seen[3], signal[4800:20_800], atol=1e-7)
    assert len(seen[-1]) == 512 and len(seen[15]) == 8000


@pytest.mark.parametrize("seconds", [0.02, 3.0])
def test_audio_that_ends_before_its_labels(seconds, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(int(16_000 * seconds)), 16_000)
    time = np.arange(2 if seconds < 1 else 60) * 0.1
    with pytest.raises(InputError, match=r"a\.wav: lasts .*truncated"):
        next(deep.draw_pictures(tmp_path / "a.wav", time, SETTINGS))


# recordings


@pytest.fixture(scope="module")
def recording(corpus, tmp_path_factory) -> avec2019.Recording:
    """0.8 s of a simulated recording of AV+EC 2017 in the form of 2019: labels, audio and video, no features."""
    one = avec2017.list_recordings(corpus)[0]
    labels = tmp_path_factory.mktemp("corpus") / "labels" / f"{one.name}.csv"
    labels.parent.mkdir()
    labels.write_text("".join(one.labels.read_text().splitlines(keepends=True)[:COUNT]))
    return avec2019.Recording(one.name, "Train", "DE", one.audio, one.video, labels, {})


@pytest.fixture(scope="module")
def detected(recording):
    return deep.align_faces(recording.video, 0.1 * np.arange(COUNT), faces.locate_landmark_file())


@pytest.fixture(autouse=True)
def detected_once(request, monkeypatch):
    """Finding the faces of the recording again for each test takes long."""
    if "recording" in request.fixturenames:
        crops = request.getfixturevalue("detected")
        monkeypatch.setattr(deep, "align_faces", lambda path, time, landmarks: crops[: len(time)])


@pytest.fixture
def embedded(monkeypatch):
    """In the place of networks: the mean colour of an image in the first columns; the calls are recorded."""
    calls = []

    def embed(name, weights, images):
        images = iter(images)
        found = np.array([image.mean(axis=(0, 1)) for image in images], np.float32)
        calls.append((name, weights, found))
        return np.pad(found, ((0, 0), (0, backbones.NETWORKS[name].width - 3)))

    monkeypatch.setattr(backbones, "embed", embed)
    return calls


def load(paths: dict[str, Path]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.load(paths[modality], mmap_mode="r", allow_pickle=False) for modality in ("audio", "visual"))


def test_features_of_a_recording(recording, embedded, tmp_path):
    paths = deep.cache_features(recording, SETTINGS, tmp_path)
    audio, visual = load(paths)
    assert audio.shape == (COUNT, 11136) and visual.shape == (COUNT, 6144)
    assert audio.dtype == visual.dtype == np.float32
    assert [name for name, _, _ in embedded] == [
        "vgg16",
        "alexnet",
        "densenet121",
        "densenet201",
        "affwild_vgg16",
        "affwild_resnet50",
    ]
    for offset, (_, _, found) in zip((0, 4096, 8192, 9216), embedded):
        np.testing.assert_array_equal(audio[:, offset : offset + 3], found)
    for offset, (_, _, found) in zip((0, 4096), embedded[4:]):
        np.testing.assert_array_equal(visual[:, offset : offset + 3], found)
    assert sorted(path.name for path in (tmp_path / "features").iterdir()) == sorted(p.name for p in paths.values())


def test_features_are_cached_by_content(recording, embedded, tmp_path):
    first = deep.cache_features(recording, SETTINGS, tmp_path)
    calls = len(embedded)
    assert deep.cache_features(replace(recording, name="other"), SETTINGS, tmp_path) == first and len(embedded) == calls
    other = deep.cache_features(recording, with_(deep_align="centred"), tmp_path)
    assert other["audio"] != first["audio"] and other["visual"] == first["visual"] and len(embedded) == calls + 4
    weights = tmp_path / "weights"
    weights.mkdir()
    for name, network in backbones.NETWORKS.items():
        (weights / network.files[0]).write_text(name)
    published = deep.cache_features(recording, with_(weights=str(weights)), tmp_path)
    assert set(published.values()).isdisjoint(first.values())
    assert {path for _, path, _ in embedded[-6:]} == {weights / n.files[0] for n in backbones.NETWORKS.values()}
    (weights / "affwild_resnet50.npz").write_text("changed")
    changed = deep.cache_features(recording, with_(weights=str(weights)), tmp_path)
    assert changed["audio"] == published["audio"] and changed["visual"] != published["visual"]


def test_nothing_is_left_of_an_interrupted_run(recording, embedded, tmp_path, monkeypatch):
    def broken(name, weights, images):
        raise InputError("densenet121: broken; mend it")

    monkeypatch.setattr(backbones, "embed", broken)
    with pytest.raises(InputError):
        deep.cache_features(recording, SETTINGS, tmp_path)
    assert not (tmp_path / "features").exists()


@pytest.mark.parametrize("weights", ["", "nowhere"])
def test_without_weights_it_says_what_is_missing(weights, recording, embedded, tmp_path):
    with pytest.raises(InputError, match=r"vgg16_weights_tf_dim_ordering_tf_kernels\.h5.*--weights random"):
        deep.cache_features(recording, with_(weights=weights), tmp_path)
    assert not embedded


def test_a_real_network_on_a_recording(recording, tmp_path, monkeypatch):
    """The smallest, with random weights, end to end and twice."""
    monkeypatch.setattr(deep, "STREAMS", {"visual": ("affwild_resnet50",)})
    first, second = (deep.cache_features(recording, SETTINGS, tmp_path / folder)["visual"] for folder in "ab")
    found = np.load(first)
    assert found.shape == (COUNT, 2048) and np.isfinite(found).all() and found.std(axis=0).max() > 0
    assert first.name == second.name and first.read_bytes() == second.read_bytes()


# files of the challenge


def provided(recording, folder, kinds=KINDS, rows=COUNT, width=None):
    """The recording with feature files of `kinds`, whose values tell kind and row."""
    files = {}
    for number, kind in enumerate(KINDS):
        if kind in kinds:
            columns = width or WIDTHS[kind]
            header = ",".join(["name", "timeStamp", *(f"neuron_{i}" for i in range(columns))])
            lines = [f"'{recording.name}',{i / 10:.1f}" + f",{1000 * number + i}" * columns for i in range(rows)]
            files[kind] = folder / f"{kind}.csv"
            files[kind].write_text("\n".join([header, *lines]))
    return replace(recording, features=files)


def test_files_of_the_challenge_come_first(recording, embedded, tmp_path, monkeypatch):
    """Nothing is computed, nor asked for: no weights, no media."""
    given = replace(provided(recording, tmp_path), audio=tmp_path / "none", video=tmp_path / "none")
    monkeypatch.setattr(faces, "locate_landmark_file", None)
    audio, visual = load(deep.cache_features(given, with_(weights=""), tmp_path))
    assert not embedded and audio.shape == (COUNT, 11136) and visual.shape == (COUNT, 6144)
    for found, offset, number in (
        (audio, 0, 0),
        (audio, 4096, 1),
        (audio, 8192, 2),
        (audio, 9216, 3),
        (visual, 4096, 5),
    ):
        np.testing.assert_array_equal(found[:, offset], 1000 * number + np.arange(COUNT))
    assert (visual[:, 4095] == visual[:, 0]).all()


def test_a_kind_that_is_not_provided_is_computed(recording, embedded, tmp_path):
    given = provided(recording, tmp_path, kinds=("affwild_vgg16",))
    _, visual = load(deep.cache_features(given, SETTINGS, tmp_path))
    assert [name for name, _, _ in embedded][-1] == "affwild_resnet50" and len(embedded) == 5
    np.testing.assert_array_equal(visual[:, 0], 4000 + np.arange(COUNT))
    np.testing.assert_array_equal(visual[:, 4096:4099], embedded[-1][2])


def test_where_the_challenge_provides_a_kind_each_recording_must_have_it(recording, embedded, tmp_path):
    given = provided(recording, tmp_path, kinds=("affwild_vgg16",))
    with pytest.raises(InputError, match=r"visual_features_resnet.*missing"):
        deep.cache_features(given, SETTINGS, tmp_path, kinds=frozenset({"affwild_vgg16", "affwild_resnet50"}))
    assert not embedded


def test_a_file_of_another_width(recording, embedded, tmp_path):
    given = provided(recording, tmp_path, kinds=("deepspectrum_alexnet",), width=4095)
    with pytest.raises(InputError, match=r"deepspectrum_alexnet\.csv: has 4095 columns, expected 4096"):
        deep.cache_features(given, SETTINGS, tmp_path)


# faces


def faces_of(monkeypatch, detected: list[int | None]) -> np.ndarray:
    """What `align_faces` makes of frames whose faces have these grey values, or none."""
    frames = [np.full((8, 8, 3), 0 if grey is None else grey, np.uint8) for grey in detected]
    monkeypatch.setattr(deep.video, "read_frames_at", lambda path, time: iter(frames))
    monkeypatch.setattr(faces, "find_landmarks", lambda image, model: None if image.max() == 0 else np.zeros((68, 2)))
    monkeypatch.setattr(faces, "fit_alignment", lambda points, size: np.eye(3)[:2])
    monkeypatch.setattr(faces, "crop", lambda image, transform, size: np.resize(image, (size, size, 3)))
    return deep.align_faces(Path("a.avi"), np.arange(len(detected)), Path("model"))


@pytest.mark.parametrize(
    ("detected", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([None, None, 5, None, 7, None], [5, 5, 5, 5, 7, 7]),
        ([4, None, None], [4, 4, 4]),
    ],
)
def test_a_frame_without_a_face_repeats_the_last(detected, expected, monkeypatch):
    found = faces_of(monkeypatch, detected)
    assert found.shape == (len(expected), 96, 96, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[:, 50, 50, 0], expected)


def test_faces_of_a_simulated_video(detected):
    """In colour, and each frame's own."""
    assert detected.shape == (COUNT, 96, 96, 3) and detected.std() > 10
    assert detected[..., 0].mean() > detected[..., 2].mean()  # skin is redder than it is blue
    assert len({face.tobytes() for face in detected}) > COUNT / 2


def test_a_video_without_faces(monkeypatch):
    with pytest.raises(InputError, match=r"a\.avi: no face found in 3 frames"):
        faces_of(monkeypatch, [None, None, None])
