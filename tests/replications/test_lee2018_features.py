"""Recordings to arrays: the time grid, clips, labels, dropped faces, the cache, and what cannot be used."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.media import audio, faces, video
from datasets import avec2017, sewa
from replications.lee2018 import features, run

SETTINGS = resolve_settings(load_paper(run.PAPER), "quick", ["crop_size=16"])


@pytest.fixture(scope="module")
def model():
    return faces.locate_landmark_file()


@pytest.fixture(scope="module")
def first(corpus):
    return avec2017.list_recordings(corpus)[0]


@pytest.fixture(scope="module")
def loaded(first, model, cache):
    return features.load(first, SETTINGS, model, cache)


def made(length: float, hop: float = 0.25, found=None) -> features.Features:
    """A recording on its grid, with labels that grow with time."""
    time = np.arange(round(length / hop) + 1) * hop
    n = len(time)
    at = np.arange(round(length / 0.1) + 1) * 0.1
    labels = sewa.Labels(at, 0.01 * at, -0.01 * at, 0 * at)
    found = np.ones(n, bool) if found is None else found
    return features.Features(
        "Train_01", "Train", time, np.zeros((n, 88)), np.zeros((n, 4, 4, 3)), found, np.zeros((n, 2, 3)), labels, "d"
    )


def with_(**changes) -> dict:
    return {**SETTINGS, **changes}


# the time grid


@pytest.mark.parametrize(
    ("fps", "score_hop", "expected"),
    [(4.0, 0.1, 0.05), (4.0, 0.5, 0.25), (10.0, 0.1, 0.1), (4.0, 0.25, 0.25), (5.0, 0.3, 0.1)],
)
def test_grid_hop(fps, score_hop, expected):
    assert features.choose_grid_hop(with_(clip_fps=fps, score_hop=score_hop)) == pytest.approx(expected)


@given(st.integers(1, 30), st.integers(1, 100))
def test_grid_hop_divides_both_and_is_the_greatest_that_does(fps, hundredths):
    hop = features.choose_grid_hop(with_(clip_fps=float(fps), score_hop=hundredths / 100))
    steps = np.array([1 / fps, hundredths / 100]) / hop
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    assert np.gcd(*np.round(steps).astype(int)) == 1


def test_scored_instants_are_score_hop_apart_on_any_grid():
    fine, coarse = with_(score_hop=0.1), with_(score_hop=0.5)
    np.testing.assert_allclose(
        made(6.0, 0.05).time[features.select_scored_instants(made(6.0, 0.05), fine)], np.arange(61) * 0.1
    )
    np.testing.assert_allclose(made(6.0).time[features.select_scored_instants(made(6.0), coarse)], np.arange(13) * 0.5)


# clips


def test_clips_end_with_their_frame_are_evenly_spaced_and_begin_with_the_recording():
    settings = with_(clip_frames=4, score_hop=0.1)  # a grid of 0.05 s, frames every 5 steps
    found = features.index_clips(np.array([40, 15, 7, 0]), settings)
    np.testing.assert_array_equal(found, [[25, 30, 35, 40], [0, 5, 10, 15], [0, 0, 2, 7], [0, 0, 0, 0]])


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20), st.integers(1, 32))
def test_clip_indices(ends, length):
    found = features.index_clips(np.array(ends), with_(clip_frames=length))
    assert found.shape == (len(ends), length)
    np.testing.assert_array_equal(found[:, -1], ends)
    steps = np.diff(found, axis=1)
    assert found.min() >= 0 and np.isin(steps[found[:, :-1] > 0], 1).all()  # quick: grid and frames are 0.25 s apart


@pytest.mark.parametrize(("stride", "expected"), [(1, list(range(15, 25))), (4, [15, 19, 23])])
def test_training_clips_are_whole_and_stride_frames_apart(stride, expected):
    recording, settings = made(6.0), with_(clip_stride=stride)
    ends = features.select_training_clips(recording, settings)
    assert ends.tolist() == expected
    clips = features.index_clips(ends, settings)
    np.testing.assert_allclose(recording.time[clips[:, -1]] - recording.time[clips[:, 0]], 3.75)  # 16 frames at 4 fps
    assert clips[0, 0] == 0


def test_training_clips_without_a_face_at_their_end_are_left_out():
    found = np.ones(25, bool)
    found[[3, 16, 20, 21]] = False  # a gap inside of a clip is no reason
    ends = features.select_training_clips(made(6.0, found=found), with_(clip_stride=1))
    assert ends.tolist() == [15, 17, 18, 19, 22, 23, 24]


def test_a_recording_shorter_than_a_clip_has_none():
    assert features.select_training_clips(made(3.5), SETTINGS).tolist() == []


# labels


def test_gold_is_the_label_at_the_frame_interpolated_and_late_on_demand():
    recording, index = made(6.0), np.array([0, 1, 3, 24])
    np.testing.assert_allclose(
        features.interpolate_gold(recording, "arousal", index), 0.01 * np.array([0, 0.25, 0.75, 6.0])
    )
    np.testing.assert_allclose(
        features.interpolate_gold(recording, "valence", index, delay=2.0), -0.01 * np.array([2.0, 2.25, 2.75, 6.0])
    )


# frames without a face


def test_last_found():
    found = np.array([0, 0, 1, 0, 0, 1, 1, 0], bool)
    assert features.find_last_found(found).tolist() == [2, 2, 2, 2, 2, 5, 6, 6]


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_last_found_is_the_face_before_or_else_the_first(flags):
    found = np.array(flags)
    for index, last in enumerate(features.find_last_found(found)):
        before = [k for k in range(index + 1) if found[k]]
        assert last == (before[-1] if before else flags.index(True))


def test_dropped_scores_are_interpolated_from_adjacent_frames():
    """Section 3.1; at the ends there is one neighbour only."""
    prediction = np.array([9.0, 1.0, 9.0, 9.0, 4.0, 5.0, 9.0])
    found = np.array([0, 1, 0, 0, 1, 1, 0], bool)
    np.testing.assert_allclose(features.fill_dropped(prediction, found), [1, 1, 2, 3, 4, 5, 5])


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=1, max_size=40))
def test_scores_of_frames_with_a_face_stay(rows):
    prediction, found = np.array([value for value, _ in rows]), np.array([face for _, face in rows])
    kept = features.fill_dropped(prediction, found)
    np.testing.assert_allclose(kept[found], prediction[found])
    if found.any():
        assert kept.min() >= prediction[found].min() and kept.max() <= prediction[found].max()
    else:
        np.testing.assert_array_equal(kept, prediction)


# one recording


def test_features_of_a_recording(loaded, first):
    labels = sewa.read_labels(first.labels)
    n = len(loaded.time)
    assert loaded.name == "Train_01" and loaded.partition == "Train"
    np.testing.assert_allclose(np.diff(loaded.time), 0.25)
    assert abs(loaded.time[-1] - labels.time[-1]) <= 0.125
    assert loaded.audio.shape == (n, 88) and loaded.audio.dtype == np.float32 and np.isfinite(loaded.audio).all()
    assert loaded.faces.shape == (n, 16, 16, 3) and loaded.faces.dtype == np.uint8
    assert loaded.found.shape == (n,) and loaded.transform.shape == (n, 2, 3)
    assert isinstance(loaded.faces, np.memmap)


def test_rendered_faces_are_found_and_aligned(loaded, corpus):
    """The true eyes and nose, moved into the crop, lie near the template's."""
    with np.load(corpus / "truth" / "Train_01.npz") as truth:
        points, at = truth["landmarks"], truth["frame_time"]
    assert loaded.found.mean() > 0.8
    away = []
    for k in np.flatnonzero(loaded.found):
        nearest = points[np.abs(at - loaded.time[k]).argmin()]
        anchors = np.stack([nearest[faces.RIGHT_EYE].mean(0), nearest[faces.LEFT_EYE].mean(0), nearest[faces.NOSE_TIP]])
        away.append(
            np.abs(anchors @ loaded.transform[k][:, :2].T + loaded.transform[k][:, 2] - 16 * faces.TEMPLATE).max()
        )
    assert np.median(away) < 1.0  # pixels of 16


def test_frames_without_a_face_repeat_the_last_one(first, model, monkeypatch, tmp_path):
    real, seen = faces.find_landmarks, []

    def blind(image, file, **options):
        seen.append(image)
        return None if len(seen) in (1, 2, 6, 7) else real(image, file, **options)

    monkeypatch.setattr(faces, "find_landmarks", blind)
    crops, found, transform = features.extract_faces(first.video, np.arange(10) * 0.25, model, 16)
    expected = np.isin(np.arange(10), (0, 1, 5, 6), invert=True)
    assert not found[~expected].any() and found[2] and found[4]
    for dropped, shown in ((0, 2), (1, 2), (5, 4), (6, 4)):
        np.testing.assert_array_equal(crops[dropped], crops[shown])
        np.testing.assert_array_equal(transform[dropped], transform[shown])


def test_audio_windows_are_centred_and_cut_off_at_the_ends(first, monkeypatch):
    asked = []
    monkeypatch.setattr(
        audio,
        "extract_egemaps",
        lambda signal, rate, windows, version, source: (
            asked.append((windows, version, source)) or np.zeros((len(windows), 88))
        ),
    )
    seconds = audio.measure_duration(first.audio)
    time = np.array([0.0, 1.0, 3.0, seconds])
    features.extract_audio(first.audio, time, with_(audio_window=4.0, egemaps="v02", audio_functionals="waveform"))
    windows, version, source = asked[0]
    np.testing.assert_allclose(windows, [[0, 2], [0, 3], [1, 5], [seconds - 2, seconds]])
    assert (version, source) == ("v02", "waveform")


# the cache


def refuse(*_, **__):
    raise AssertionError("computed again")


def test_cached_features_are_the_same_and_not_computed_again(first, loaded, model, cache, monkeypatch):
    for module, name in (
        (audio, "read"),
        (audio, "extract_egemaps"),
        (video, "read_frames_at"),
        (faces, "find_landmarks"),
    ):
        monkeypatch.setattr(module, name, refuse)
    again = features.load(first, SETTINGS, model, cache)
    for name in ("time", "audio", "faces", "found", "transform"):
        np.testing.assert_array_equal(getattr(again, name), getattr(loaded, name))
    assert again.digest == loaded.digest


def test_features_do_not_depend_on_the_cache(first, loaded, model, tmp_path):
    again = features.load(first, SETTINGS, model, tmp_path)
    assert again.digest == loaded.digest
    for name in ("audio", "faces", "found", "transform"):
        np.testing.assert_array_equal(getattr(again, name), getattr(loaded, name))


AUDIO = {"audio_rate": 8000, "resample": True, "egemaps": "v02", "audio_window": 4.0, "audio_functionals": "waveform"}
BOTH = {"clip_fps": 2.0, "score_hop": 0.3}


@pytest.mark.parametrize("name", [*AUDIO, *BOTH, "crop_size"])
def test_settings_that_shape_features_are_in_the_key(first, loaded, model, cache, monkeypatch, name):
    """Faked extractors: what is asked for again tells which key has changed."""
    asked = []

    def hear(path, time, settings):
        asked.append("audio")
        return np.zeros((len(time), 88), np.float32)

    def see(path, time, landmarks, size):
        asked.append("video")
        return np.zeros((len(time), size, size, 3), np.uint8), np.ones(len(time), bool), np.zeros((len(time), 2, 3))

    monkeypatch.setattr(features, "extract_audio", hear)
    monkeypatch.setattr(features, "extract_faces", see)
    changed = with_(**{name: {**AUDIO, **BOTH, "crop_size": 24}[name]})
    assert features.load(first, changed, model, cache).digest != loaded.digest
    assert asked == ["audio"] * (name != "crop_size") + ["video"] * (name not in AUDIO)


def test_settings_of_networks_are_not_in_the_key(first, loaded, model, cache, monkeypatch):
    monkeypatch.setattr(features, "extract_audio", refuse)
    monkeypatch.setattr(features, "extract_faces", refuse)
    assert (
        features.load(first, with_(learning_rate=1.0, clip_stride=2, clip_frames=8), model, cache).digest
        == loaded.digest
    )


def test_the_content_of_a_file_is_in_the_key_its_name_is_not(first, loaded, model, cache, tmp_path, monkeypatch):
    moved = replace(first, audio=tmp_path / "a.wav", video=tmp_path / "b.avi")
    shutil.copy(first.audio, moved.audio), shutil.copy(first.video, moved.video)
    with monkeypatch.context() as patch:
        patch.setattr(features, "extract_audio", refuse)
        patch.setattr(features, "extract_faces", refuse)
        assert features.load(moved, SETTINGS, model, cache).digest == loaded.digest
    signal, rate = soundfile.read(first.audio, dtype="int16")
    soundfile.write(moved.audio, signal[::-1], rate)
    other = features.load(moved, SETTINGS, model, tmp_path)
    assert other.digest != loaded.digest and not np.array_equal(other.audio, loaded.audio)


def test_other_labels_are_another_digest(first, loaded, model, cache, tmp_path):
    text = first.labels.read_text().splitlines()
    fields = text[5].split(";")
    text[5] = ";".join([*fields[:2], "0.5", *fields[3:]])
    (tmp_path / "Train_01.csv").write_text("\n".join(text))
    assert (
        features.load(replace(first, labels=tmp_path / "Train_01.csv"), SETTINGS, model, cache).digest != loaded.digest
    )


def test_a_cache_that_lost_a_file_is_filled_again(first, loaded, model, cache, tmp_path):
    shutil.copytree(cache / "features", tmp_path / "features")
    for path in (tmp_path / "features").glob("*.npy"):
        path.unlink()
    again = features.load(first, SETTINGS, model, tmp_path)
    np.testing.assert_array_equal(again.faces, loaded.faces)
    np.testing.assert_array_equal(again.audio, loaded.audio)


# what cannot be used


def shortened(path, seconds: float) -> None:
    signal, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, signal[: round(seconds * rate)], rate)


def test_audio_much_shorter_than_its_labels_is_refused(copied, model, tmp_path):
    recording = avec2017.list_recordings(copied)[0]
    shortened(recording.audio, 2.0)
    with pytest.raises(InputError, match="Train_01.wav: lasts 2.0 s, its labels 5.. s; it looks truncated"):
        features.load(recording, SETTINGS, model, tmp_path)


@pytest.mark.parametrize("seconds", [-0.6, 3.0])
def test_audio_a_little_shorter_or_longer_is_used(copied, loaded, seconds):
    recording = avec2017.list_recordings(copied)[0]
    signal, rate = soundfile.read(recording.audio, dtype="int16")
    longer = np.concatenate([signal, np.zeros(3 * rate, np.int16)])
    soundfile.write(recording.audio, longer[: len(signal) + round(seconds * rate)], rate)
    found = features.extract_audio(recording.audio, loaded.time, SETTINGS)
    assert found.shape == loaded.audio.shape and np.isfinite(found).all()


@pytest.mark.parametrize("window", [0.3, 0.9])
def test_windows_too_short_for_functionals_are_an_input_error(first, loaded, window):
    with pytest.raises(InputError, match="0.5 s or more"):
        features.extract_audio(first.audio, loaded.time, with_(audio_window=window))


def test_audio_too_short_for_any_window_is_an_input_error(copied):
    path = avec2017.list_recordings(copied)[0].audio
    shortened(path, 0.3)
    with pytest.raises(InputError, match="Train_01.wav"):
        features.extract_audio(path, np.arange(5) * 0.25, SETTINGS)


def test_a_video_without_a_face(first, model, monkeypatch):
    monkeypatch.setattr(faces, "find_landmarks", lambda *_, **__: None)
    with pytest.raises(InputError, match="Train_01.avi: no face found in 4 frames"):
        features.extract_faces(first.video, np.arange(4) * 0.25, model, 16)


def test_unusable_recordings_are_listed_and_the_others_are_there(copied, model, cache):
    recordings = avec2017.list_recordings(copied)
    recordings[0].labels.write_text("")
    recordings[2].video.unlink()
    usable, unusable = features.extract(recordings, SETTINGS, model, cache, jobs=1, threads=1)
    assert [recording.name for recording in usable] == ["Train_02"]
    assert [item.recording for item in unusable] == ["Train_01", "Devel_01"]
    assert unusable[0].file == str(recordings[0].labels) and "is empty" in unusable[0].reason
    assert unusable[1].file == str(recordings[2].video) and "missing" in unusable[1].reason


def test_extraction_keeps_the_order_with_several_jobs(corpus, model, cache):
    recordings = avec2017.list_recordings(corpus)[::-1]
    one, two = (features.extract(recordings, SETTINGS, model, cache, jobs, 1)[0] for jobs in (1, 2))
    assert [r.name for r in one] == [r.name for r in two] == [r.name for r in recordings]
    assert [r.digest for r in one] == [r.digest for r in two]
