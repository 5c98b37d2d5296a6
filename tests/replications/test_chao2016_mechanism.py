"""The mechanism checks on attention that is planted: alignments that keep a distance, attention where emotion is shown."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import afew
from replications.chao2016 import layers, mechanism, yaafe
from replications.chao2016.features import Features

SETTINGS = {"window": 2, "coarse": "floor"}
HOP = 0.032  # seconds between audio frames
HAPPY = afew.CLASSES.index("Happy")
settings_of = st.fixed_dictionaries({"window": st.integers(1, 3), "coarse": st.sampled_from(layers.CENTRES)})


def clip(steps: int = 48, name: str = "Val/1", label: int | None = HAPPY, found=None, heard: int = 0) -> Features:
    """A clip of `steps` frames and as much sound; 48 are 1.92 s, just 60 audio frames."""
    audio = np.zeros((heard or yaafe.count_frames(steps * 640), 5))
    found = np.ones(steps, bool) if found is None else found
    return Features(name, name.split("/")[0], label, audio, np.zeros((steps, 3)), np.zeros((steps, 2)), found, name)


def script(one: Features, offset: float = 0.0) -> dict:
    """Emotion is shown in the second and in the last quarter, by the face and by the voice."""
    quarter = np.arange(len(one.shape)) * 4 // len(one.shape)
    salient = (quarter == 1) | (quarter == 3)
    return {"frame_salient": salient, "episode_in_voice": np.ones(2, bool), "offset": np.array(offset)}


def at(places: np.ndarray, width: int = 4) -> np.ndarray:
    """Weights (T, width) whose mean is at `places` (T,), on the two places next to each."""
    return np.maximum(1 - np.abs(np.arange(width) - np.asarray(places)[:, None]), 0)


def keeping(one: Features, seconds: float, settings: dict = SETTINGS) -> np.ndarray:
    """Weights that attend the sound `seconds` behind each frame, as far as the window reaches."""
    first, _ = mechanism.find_windows(one, settings)
    wanted = (np.arange(len(one.shape)) / 25 + seconds) / HOP
    return at(np.clip(wanted - first, 0, 2 * settings["window"] - 1), 2 * settings["window"])


def even(one: Features) -> np.ndarray:
    return np.full((len(one.shape), 4), 0.25)


# ------------------------------------------------------------------------------------------------------- windows


@given(st.integers(1, 60), st.integers(6, 90), settings_of)
def test_windows_are_those_of_the_layer(steps, heard, settings):
    layer = layers.Alignment(3, settings["window"], settings["coarse"])
    expected = layer.find_windows(np.zeros((1, steps, 2), np.float32), np.array([heard]), np.array([steps]))
    first, rounded = mechanism.find_windows(clip(steps, heard=heard), settings)
    np.testing.assert_array_equal(first[:, None] + np.arange(2 * settings["window"]), np.array(expected)[0])
    exact = np.arange(steps) * heard / steps
    moved = np.isnan(rounded)
    np.testing.assert_allclose((first + settings["window"] + rounded)[~moved], exact[~moved])
    inside = (exact >= settings["window"] + 1) & (exact < heard - settings["window"])
    assert not (moved & inside).any()


def test_windows_of_eight_frames_by_hand():
    """Ten audio frames to eight of video: 0, 1.25, 2.5, 3.75, 5, 6.25, 7.5, 8.75."""
    first, rounded = mechanism.find_windows(clip(8, heard=10), SETTINGS)
    assert first.tolist() == [0, 0, 0, 1, 3, 4, 5, 6]
    np.testing.assert_array_equal(rounded, [np.nan, np.nan, 0.5, 0.75, 0, 0.25, 0.5, 0.75])
    first, rounded = mechanism.find_windows(clip(8, heard=10), {**SETTINGS, "coarse": "nearest"})
    assert first.tolist() == [0, 0, 1, 2, 3, 4, 6, 6]  # halves go up: 2.5 to 3, 7.5 to 8
    np.testing.assert_array_equal(rounded, [np.nan, np.nan, -0.5, -0.25, 0, 0.25, -0.5, np.nan])


# --------------------------------------------------------------------------------------------------------- drift


@pytest.mark.parametrize("coarse", layers.CENTRES)
@pytest.mark.parametrize("seconds", [-0.02, 0.0])
def test_an_alignment_that_keeps_its_distance_drifts_by_one(coarse, seconds):
    settings, clips = {**SETTINGS, "coarse": coarse}, [clip(48), clip(96), clip(60)]
    found = mechanism.measure_drift(clips, [keeping(one, seconds, settings) for one in clips], settings)
    assert found["slope"] == pytest.approx(1, abs=0.02) and found["predicted"] == 1
    assert found["interval"][0] <= found["slope"] <= found["interval"][1] and np.ptp(found["interval"]) < 0.05
    assert found["frames"] == 48 + 96 + 60


def test_attention_that_does_not_move_has_no_drift():
    clips = [clip(48), clip(60)]
    for weights in ([even(one) for one in clips], [at(np.full(len(one.shape), 3.0)) for one in clips]):
        found = mechanism.measure_drift(clips, weights, SETTINGS)
        assert found["slope"] == pytest.approx(0, abs=1e-12)
        assert found["interval"] == pytest.approx([0, 0], abs=1e-12)


def test_drift_is_the_regression_within_clips():
    """Against scikit-learn with a dummy variable for each clip; random attention."""
    from sklearn.linear_model import LinearRegression

    rng, clips = np.random.default_rng(0), [clip(48), clip(71), clip(33)]
    weights = [rng.dirichlet(np.ones(4), len(one.shape)) for one in clips]
    rows, places = [], []
    for i, (one, w) in enumerate(zip(clips, weights, strict=True)):
        remainder = mechanism.find_windows(one, SETTINGS)[1]
        for r, place in zip(remainder, w @ np.arange(4), strict=True):
            if not np.isnan(r):
                rows.append([r, *(float(i == k) for k in range(3))])
                places.append(place)
    fitted = LinearRegression(fit_intercept=False).fit(rows, places)
    assert mechanism.measure_drift(clips, weights, SETTINGS)["slope"] == pytest.approx(fitted.coef_[0])


@pytest.mark.parametrize("clips", [[], [clip(40, heard=40)], [clip(3)]], ids=["none", "one rate", "no inner window"])
def test_where_nothing_is_rounded_there_is_no_slope(clips):
    found = mechanism.measure_drift(clips, [even(one) for one in clips], SETTINGS)
    assert found["slope"] is None and found["interval"] is None


# ----------------------------------------------------------------------------------------------------- synchrony


@pytest.mark.parametrize("planted", [-0.04, -0.02, 0.0])
def test_synchrony_finds_the_distance_that_is_kept(planted):
    clips = [clip(48), clip(96, "Val/2")]
    scripts = [script(one, planted) for one in clips]
    found = mechanism.measure_synchrony(clips, [keeping(one, planted) for one in clips], SETTINGS, scripts)
    assert found["offset"] == pytest.approx(planted, abs=0.002) and found["planted"] == pytest.approx(planted)
    assert abs(found["error_frames"]) < 0.1 and found["frames"] == (48 + 96) // 2
    assert found["interval"][0] <= found["offset"] <= found["interval"][1]


def test_synchrony_by_hand():
    """Eight frames and ten of audio, windows from 0, 0, 0, 1, 3, 4, 5, 6; frames 2, 3, 6 and 7 show emotion."""
    one = clip(8, heard=10)
    found = mechanism.measure_synchrony([one], [at(np.full(8, 1.0))], SETTINGS, [script(one, 0.04)])
    attended = np.array([1, 2, 6, 7]) * HOP - np.array([2, 3, 6, 7]) * 0.04
    assert found["offset"] == pytest.approx(attended.mean()) and found["frames"] == 4
    assert found["error_frames"] == pytest.approx((attended.mean() - 0.04) / HOP)
    assert found["even"] == pytest.approx(attended.mean() + 0.5 * HOP)
    assert found["reach"] == pytest.approx([attended.mean() - HOP, attended.mean() + 2 * HOP])


def test_even_weights_are_even():
    clips = [clip(48), clip(50)]
    found = mechanism.measure_synchrony(clips, [even(one) for one in clips], SETTINGS, [script(one) for one in clips])
    assert found["offset"] == pytest.approx(found["even"]) and found["reach"][0] < found["even"] < found["reach"][1]


def test_no_attention_comes_beyond_the_reach_of_the_window():
    """The window of four ends 8 to 32 ms behind the frame: a delay of 40 ms lies beyond it, and the result says so."""
    one = clip(96)
    found = mechanism.measure_synchrony([one], [keeping(one, 0.04)], SETTINGS, [script(one, 0.04)])
    assert found["offset"] == pytest.approx(found["reach"][1]) and found["reach"][1] < 0.03 < found["planted"]


def test_frames_without_face_or_emotion_do_not_count():
    one = clip(48, found=np.arange(48) < 40)
    weights = np.where(
        script(one)["frame_salient"][:, None] & (np.arange(48) < 40)[:, None], keeping(one, 0), even(one)
    )
    found = mechanism.measure_synchrony([one], [weights], SETTINGS, [script(one)])
    assert found["offset"] == pytest.approx(0, abs=1e-9) and found["frames"] == 12 + 4


def test_neutral_clips_show_nothing_to_be_in_time_with():
    clips = [clip(48), clip(48, "Val/2", mechanism.NEUTRAL)]
    weights, scripts = [keeping(clips[0], 0), at(np.zeros(48))], [script(one) for one in clips]
    found = mechanism.measure_synchrony(clips, weights, SETTINGS, scripts)
    assert found["offset"] == pytest.approx(0, abs=1e-9) and found["frames"] == 24


def test_clips_whose_voice_shows_nothing_have_nothing_to_be_in_time_with():
    clips = [clip(48), clip(48, "Val/2")]
    scripts = [script(clips[0]), script(clips[1]) | {"episode_in_voice": np.zeros(2, bool)}]
    found = mechanism.measure_synchrony(clips, [keeping(clips[0], 0), at(np.zeros(48))], SETTINGS, scripts)
    assert found["offset"] == pytest.approx(0, abs=1e-9) and found["frames"] == 24


@pytest.mark.parametrize("clips", [[], [clip(label=mechanism.NEUTRAL)]], ids=["no clip", "a neutral one"])
def test_without_a_frame_there_is_no_number(clips):
    """A result file holds no NaN."""
    scripts = [script(one) for one in clips]
    found = mechanism.measure_synchrony(clips, [even(one) for one in clips], SETTINGS, scripts)
    assert {found[name] for name in ("offset", "interval", "even", "reach", "error_frames")} == {None}
    assert found["frames"] == 0 and found["planted"] == (0.0 if clips else None)
    found = mechanism.measure_perception(clips, [np.ones((7, 48))] * len(clips), scripts)
    assert found == {"auc": None, "interval": None, "chance": 0.5, "frames": 0, "salient": 0, "after": None}


# ---------------------------------------------------------------------------------------------------- perception


def attending(one: Features, inside: float, outside: float) -> np.ndarray:
    """Attention (7, T) of the true emotion on the salient frames; the other emotions look elsewhere."""
    salient = script(one)["frame_salient"]
    attention = np.where(salient, 0.01, 5.0) * np.ones((7, 1))
    attention[one.label] = np.where(salient, inside, outside)
    return attention / attention.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("inside", "outside", "auc"), [(2, 0.5, 1), (0.5, 2, 0), (1, 1, 0.5)], ids=["planted", "reversed", "constant"]
)
def test_auc_of_planted_attention(inside, outside, auc):
    clips = [clip(48), clip(60, "Val/2", label=0)]
    found = mechanism.measure_perception(
        clips, [attending(one, inside, outside) for one in clips], [script(one) for one in clips]
    )
    expected = {"auc": auc, "interval": [auc, auc], "chance": 0.5, "frames": 108, "salient": 54}
    assert found == expected | {"after": None}  # the last episode ends with the clip


@pytest.mark.parametrize(("weights", "after"), [([1, 1, 1, 1], 0.5), ([0, 5, 0, 1], 0.75), ([1, 5, 0, 0], 0)])
def test_frames_after_the_episodes_are_held_against_those_before(weights, after):
    """Four quarters of a clip, the second of which shows the emotion; where it lies itself does not matter."""
    one, attention = clip(48), np.zeros((7, 48))
    attention[HAPPY] = np.repeat(weights, 12)
    told = {"frame_salient": np.repeat([False, True, False, False], 12), "offset": np.array(0.0)}
    found = mechanism.measure_perception(
        [one, clip(48, "Val/2", mechanism.NEUTRAL)], [attention, attention], [told, told]
    )
    assert found["after"] == after


def test_auc_is_that_of_scikit_learn_within_clips():
    from sklearn.metrics import roc_auc_score

    rng, clips = np.random.default_rng(0), [clip(48, found=np.arange(48) % 5 > 0), clip(61, "Val/2", label=2)]
    attentions = [rng.integers(0, 4, (7, len(one.shape))) / 8.0 for one in clips]  # with ties
    scripts, each, pairs = [script(one) for one in clips], [], []
    for one, attention, told in zip(clips, attentions, scripts, strict=True):
        salient = told["frame_salient"][one.found]
        each.append(roc_auc_score(salient, attention[one.label][one.found]))
        pairs.append(salient.sum() * (~salient).sum())
    assert mechanism.measure_perception(clips, attentions, scripts)["auc"] == pytest.approx(
        np.average(each, weights=pairs)
    )


def test_neutral_and_unlabelled_clips_are_left_out():
    clips = [clip(48), clip(48, "Val/2", mechanism.NEUTRAL), clip(48, "Test/1", None)]
    wrong = np.where(script(clips[0])["frame_salient"], 0.0, 1.0) * np.ones((7, 1))
    weights = [attending(clips[0], 2, 0.5), wrong, wrong]
    found = mechanism.measure_perception(clips, weights, [script(one) for one in clips])
    assert found["auc"] == 1 and found["frames"] == 48


def test_a_clip_that_is_salient_throughout_has_no_pair():
    clips = [clip(48), clip(20, "Val/2")]
    scripts = [script(clips[0]), {"frame_salient": np.ones(20, bool), "offset": np.array(0.0)}]
    found = mechanism.measure_perception(clips, [attending(clips[0], 2, 0.5), np.ones((7, 20)) / 20], scripts)
    assert found["auc"] == 1 and found["interval"] == [1, 1]
    assert mechanism.measure_perception(clips[1:], [np.ones((7, 20)) / 20], scripts[1:])["auc"] is None


# ------------------------------------------------------------------------------------------------------ together


@pytest.fixture
def truth(tmp_path):
    """The truth of Val/1, of which the container has a frame more than was scripted."""
    told = script(clip(48))
    np.savez(tmp_path / "Val_1.npz", **told | {"frame_salient": told["frame_salient"][:-1]}, more=np.zeros(3))
    return tmp_path


def test_measured_on_a_simulated_corpus(truth):
    one = clip(48)
    found = mechanism.measure([one], [keeping(one, 0)], [attending(one, 2, 0.5)], SETTINGS, truth)
    assert list(found) == ["drift", "synchrony", "perception"]
    assert found["synchrony"]["offset"] == pytest.approx(0, abs=1e-9) and found["perception"]["auc"] == 1
    assert found["drift"]["slope"] == pytest.approx(1)


def test_without_truth_only_the_drift_is_measured(tmp_path):
    one = clip(48)
    found = mechanism.measure([one], [even(one)], [np.ones((7, 48)) / 48], SETTINGS, tmp_path / "truth")
    assert list(found) == ["drift"]


@pytest.mark.parametrize("content", [None, b"", b"text", "other"], ids=["missing", "empty", "text", "other arrays"])
def test_a_damaged_truth_is_named(truth, content):
    path = truth / "Val_1.npz"
    path.unlink()
    if content == "other":
        np.savez(path, offset=np.array(0.0))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: ")) as caught:
        mechanism.measure([clip(48)], [even(clip(48))], [np.ones((7, 48)) / 48], SETTINGS, truth)
    assert "simulated again" in str(caught.value) and "\n" not in str(caught.value)
