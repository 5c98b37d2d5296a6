"""The simulated AVEC 2019 corpus: its files, its action units, and two cultures that differ in liking alone."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile

from common.errors import InputError
from datasets import avec2019 as reader
from datasets import openface, sewa, simulate
from datasets.simulated import avec2019, corpus, script, speech
from datasets.simulated.cultures import DE, HU
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.expression import form_expression, measure_action_units

SMALL = {"train": 2, "devel": 1, "seconds": 6.0}
STEMS = ("Train_DE_01", "Train_DE_02", "Train_HU_01", "Train_HU_02", "Devel_DE_01", "Devel_HU_01")
DEFAULT = corpus.Manifest("avec2019", "salient", 0, 34, 14, 60.0, 5, avec2019.VERSION)
OWN_UNITS = {"DE": {"AU06_r", "AU09_r"}, "HU": {"AU14_r", "AU17_r"}}
LIKING = {"DE": {"cheek_raise", "nose_wrinkle"}, "HU": {"dimple", "chin_raise"}}
both = pytest.mark.parametrize("culture", [DE, HU], ids=lambda culture: culture.name)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "avec2019"
    avec2019.write(root, **SMALL)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def truth(root: Path, stem: str) -> dict[str, np.ndarray]:
    return dict(np.load(root / "truth" / f"{stem}.npz", allow_pickle=False))


def scenes(culture, count: int, control: str = "salient") -> list[corpus.Scene]:
    """Recordings of 60 s as they are before they are filmed."""
    manifest = replace(DEFAULT, control=control)
    return [corpus.stage(manifest, f"Train_{culture.name}_{n:02d}", 60.0, culture) for n in range(1, count + 1)]


# Layout


def test_every_recording_has_its_five_files(root):
    suffixes = {"audio": "wav", "video": "avi", "labels": "csv", "openface": "csv", "truth": "npz"}
    expected = {f"{folder}/{stem}.{suffix}" for folder, suffix in suffixes.items() for stem in STEMS}
    assert set(contents(root)) == expected | {"simulated.json"}


def test_manifest_names_all_parameters(root):
    parameters = {"layout": "avec2019", "control": "salient", "seed": 0, "fps": 5, "version": avec2019.VERSION, **SMALL}
    assert json.loads((root / "simulated.json").read_text()) == parameters


def test_the_reader_finds_a_whole_corpus(root):
    found = reader.list_recordings(root)
    assert {recording.name for recording in found} == set(STEMS)
    assert all("openface" in recording.features for recording in found) and reader.check(root) == []


@pytest.mark.parametrize("stem", STEMS)
def test_labels_have_the_distributed_format(root, stem):
    lines = (root / "labels" / f"{stem}.csv").read_bytes().split(b"\n")
    assert lines[0] == b"name;timestamp;arousal;valence;liking" and lines[-1] == b""
    assert lines[1] == f"'{stem}';0.000000;0.000000;0.000000;0.000000".encode()
    assert lines[2].startswith(f"'{stem}';0.100000;".encode()) and b"\r" not in lines[2]
    assert all(len(field.split(b".")[1]) == 6 for line in lines[1:-1] for field in line.split(b";")[1:])


@pytest.mark.parametrize("stem", STEMS)
def test_audio_video_units_and_labels_are_equally_long(root, stem):
    rows = sewa.read_labels(root / "labels" / f"{stem}.csv").time
    info = soundfile.info(root / "audio" / f"{stem}.wav")
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    with av.open(str(root / "video" / f"{stem}.avi")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate, stream.codec_context.name) == (320, 240, 5, "mpeg4")
        count = sum(1 for _ in container.decode(video=0))
    assert info.frames == len(rows) * 1_600 and abs(count - len(rows) / 2) <= 0.5
    assert len(openface.read(root / "openface" / f"{stem}.csv").time) == count == len(truth(root, stem)["frame_time"])


def test_default_corpus_has_the_challenge_s_recordings_of_about_a_minute():
    lengths = avec2019.draw_lengths(DEFAULT)
    for partition, count in (("Train", 34), ("Devel", 14)):
        for culture in ("DE", "HU"):
            stems = [f"{partition}_{culture}_{n:02d}" for n in range(1, count + 1)]
            assert set(stems) <= set(lengths)
            chats = np.array([lengths[stem] for stem in stems]).reshape(-1, 2)
            np.testing.assert_array_equal(chats[:, 0], chats[:, 1])
            assert len(np.unique(chats)) > count / 4
    assert len(lengths) == 96 and min(lengths.values()) >= 54.5 and max(lengths.values()) <= 65.5


def test_written_chats_are_equally_long(root):
    for culture in ("DE", "HU"):
        one, other = ((root / "labels" / f"Train_{culture}_0{n}.csv").read_text().count("\n") for n in (1, 2))
        assert one == other


@both
def test_truth_says_how_liking_is_shown(root, culture):
    found = truth(root, f"Train_{culture.name}_01")
    frames, episodes = len(found["frame_time"]), len(found["episode_start"])
    assert (found["culture"], found["liking_region"]) == (culture.name, culture.liking_on)
    assert found["action_units"].shape == (frames, 17) and found["frame_liking"].shape == (frames,)
    assert found["episode_liking"].shape == (episodes,) and found["liking_in_voice"].any()
    felt = np.interp(found["frame_time"], found["label_time"], found["liking"])
    clarity = script.WEAK + (1 - script.WEAK) * found["frame_shown"]
    np.testing.assert_allclose(found["frame_liking"], clarity * felt, atol=0.05)  # between the labels it turns


def test_raters_are_other_people_in_each_culture_and_about_2_s_late(root):
    one, other = (truth(root, f"Train_{culture}_01")["rater_delay"] for culture in ("DE", "HU"))
    assert not np.isin(one, other).any() and len(one) == len(other) == 6
    assert 1.5 < one.mean() < 2.5 and 1.5 < other.mean() < 2.5
    np.testing.assert_array_equal(one, truth(root, "Devel_DE_01")["rater_delay"])


# Determinism and writing


def test_command_line_gives_the_same_bytes_with_any_number_of_recordings(root, tmp_path, monkeypatch, capsys):
    arguments = ["simulate", "avec2019", str(tmp_path / "one"), "--train", "1", "--devel", "0", "--seconds", "6"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert simulate.main() == 0 and "2 recordings" in capsys.readouterr().out
    one, all_of_them = contents(tmp_path / "one"), contents(root)
    assert json.loads(one.pop("simulated.json")) == json.loads(all_of_them["simulated.json"]) | {"train": 1, "devel": 0}
    assert one == {name: data for name, data in all_of_them.items() if name in one} and len(one) == 10


def test_another_seed_gives_other_people_and_other_action_units():
    one, other = (corpus.stage(replace(DEFAULT, seed=seed), "Train_DE_01", 60.0, DE) for seed in (0, 1))
    assert (one.who.skin != other.who.skin).any()
    assert not np.array_equal(avec2019.list_action_units(one), avec2019.list_action_units(other))


@pytest.mark.parametrize("wrong", [{"control": "none"}, {"train": 0}, {"seconds": 1.0}, {"fps": 4}])
def test_impossible_parameters_are_refused(wrong, tmp_path):
    with pytest.raises(InputError, match="simulated corpus cannot be written"):
        avec2019.write(tmp_path / "corpus", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_of_the_other_challenge_is_refused(root):
    from datasets.simulated import avec2017

    with pytest.raises(InputError, match="other parameters"):
        avec2017.write(root, **SMALL)


# What OpenFace would have measured


@pytest.mark.parametrize("stem", STEMS)
def test_openface_files_have_the_columns_and_ranges_of_its_aus_option(root, stem):
    lines = [line.split(", ") for line in (root / "openface" / f"{stem}.csv").read_text().splitlines()]
    assert {len(line) for line in lines} == {5 + 17 + 18}
    assert lines[0][:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert lines[0][5:22] == list(openface.ACTION_UNITS) and lines[0][-2:] == ["AU28_c", "AU45_c"]
    values = np.array(lines[1:], float)
    np.testing.assert_array_equal(values[:, 0], np.arange(1, len(values) + 1))
    np.testing.assert_allclose(values[:, 2], np.arange(len(values)) / 5, atol=5e-4)
    assert ((values[:, 5:22] >= 0) & (values[:, 5:22] <= 5)).all()
    assert np.isin(values[:, 22:], (0, 1)).all() and ((values[:, 3] >= 0) & (values[:, 3] <= 1)).all()


def test_frames_without_a_face_are_zeros_of_low_confidence(tmp_path):
    scene = next(scene for scene in scenes(DE, 20) if len(scene.plan.hidden))
    units, visible = avec2019.list_action_units(scene), scene.state.visible()
    measured = avec2019.openface.measure(np.random.default_rng(0), units, visible)
    avec2019.openface.write(tmp_path / "faces.csv", scene.frame_time, measured)
    found = openface.read(tmp_path / "faces.csv")
    assert 0 < (~visible).sum() < 20
    np.testing.assert_array_equal(found.success, visible)
    assert not found.intensity[~visible].any() and found.intensity[visible].any(axis=1).all()
    assert found.confidence[~visible].max() < 0.3 < 0.9 < found.confidence[visible].min()


def test_measured_units_are_the_true_ones_with_noise():
    units = np.concatenate([avec2019.list_action_units(scene) for scene in scenes(HU, 5)])
    measured = avec2019.openface.measure(np.random.default_rng(0), units, np.ones(len(units), bool)).intensity
    for i in np.flatnonzero(units.std(axis=0) > 0.3):
        assert 0.8 < np.corrcoef(units[:, i], measured[:, i])[0, 1] < 0.9999
    assert 0.05 < np.abs(measured - units).mean() < 0.5


def test_talking_and_blinking_are_action_units_too():
    scene = scenes(DE, 1)[0]
    units = dict(zip(openface.ACTION_UNITS, avec2019.list_action_units(scene).T))
    talking, still = scene.state.talk > 0.6, (scene.state.talk == 0) & ~scene.affect.any((1, 2))
    assert units["AU25_r"][talking].min() > 1 and not units["AU25_r"][still].any()
    np.testing.assert_allclose(units["AU45_r"], 5 * scene.state.blink)
    assert units["AU45_r"].max() > 2


# Two cultures


@pytest.mark.parametrize("control", script.CONTROLS)
@both
def test_arousal_and_valence_are_shown_alike_in_both_cultures_and_without_any(culture, control):
    plan, times = script.write_script(3, "Train_01", 60.0), np.arange(0, 60, 0.1)
    on_face = script.trace_face(plan, times, control, culture.liking_on)
    np.testing.assert_array_equal(on_face[..., :2], script.trace_face(plan, times, control))
    in_voice = script.trace_voice(plan, times, control, 3)
    np.testing.assert_array_equal(in_voice[:, :2], script.trace_voice(plan, times, control))
    for name, effects in vars(culture.speakers.style).items():
        assert effects[:2] == vars(speech.PLAIN)[name]


@both
def test_liking_has_expressions_of_its_own(culture):
    scene = scenes(culture, 1)[0]
    for affect in np.random.default_rng(0).uniform(-0.9, 0.9, (20, 2, 2)):
        plain = asdict(form_expression(affect, scene.state, 5))
        liked = np.column_stack([affect, np.where(np.arange(2) == culture.liking_on, affect[0, 0], 0.0)])
        shown = asdict(form_expression(liked, scene.state, 5))
        changed = {name for name in plain if plain[name] != shown[name]}
        assert len(changed) == 1 and changed < LIKING[culture.name]
        assert not any(plain[name] for names in LIKING.values() for name in names)


@both
def test_liking_moves_no_action_unit_of_the_other_culture(culture):
    scene = scenes(culture, 1)[0]
    affect = np.zeros((2, 3))
    moved = set()
    calm = measure_action_units(form_expression(affect, scene.state, 5))
    for liking in (-0.8, 0.8):
        affect[culture.liking_on, 2] = liking
        units = measure_action_units(form_expression(affect, scene.state, 5))
        moved |= {openface.ACTION_UNITS[i] for i in np.flatnonzero(units != calm)}
    assert moved == OWN_UNITS[culture.name]


@both
def test_liking_is_visible_on_its_region_and_leaves_the_rest(culture):
    scene = scenes(culture, 1)[0]
    camera, affect = Camera(np.random.default_rng(0), scene.who), np.zeros((3, 2, 3))
    affect[:, culture.liking_on, 2] = -0.8, 0.0, 0.8
    (disliked, low), (calm, middle), (liked, high) = (camera.film(scene.state, 5, shown) for shown in affect)
    parts = {"DE": np.r_[27:36, 36:48], "HU": np.r_[48:68]}[culture.name]
    for points in (low, high):
        moved = np.linalg.norm(points - middle, axis=1)
        assert moved[parts].max() > 1 and moved[np.setdiff1d(np.arange(68), parts)].max() == 0
    images = [image[60:180, 100:220] for image in (disliked, calm, liked)]
    small = [cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA).astype(int) for image in images]
    assert min(np.abs(small[0] - small[1]).max(), np.abs(small[2] - small[1]).max()) > 15


def test_liking_sounds_different_in_the_two_cultures():
    words = np.concatenate([speech.trim(s) for s in speech.speak_afresh(("Female1", speech.SENTENCES[:5], 170))[0]])
    pitch, loudness = {}, {}
    for culture in (DE, HU):
        said = [
            speech.express(words, 4.0, constant(liking), 200.0, np.random.default_rng(0), culture.speakers.style)
            for liking in (-0.8, 0.8)
        ]
        tracks = [speech.parselmouth.Sound(sound, speech.RATE).to_pitch(0.01, 60, 500) for sound in said]
        low, high = (track.selected_array["frequency"] for track in tracks)
        pitch[culture.name] = np.median(high[high > 0]) / np.median(low[low > 0])
        loudness[culture.name] = said[1].std() / said[0].std()
    assert pitch["DE"] > 1.1 and loudness["DE"] < 0.75
    assert pitch["HU"] < 0.85 and 0.8 < loudness["HU"] < 1.25


def constant(liking: float):
    return lambda times: np.tile((0.0, 0.0, liking), (len(times), 1))


@both
def test_liking_follows_valence_only_in_part(culture):
    levels = np.concatenate([scene.plan.episodes.level - scene.plan.mood for scene in scenes(culture, 60)])
    assert 0.25 < np.corrcoef(levels[:, 1], levels[:, 2])[0, 1] < 0.5
    assert abs(np.corrcoef(levels[:, 0], levels[:, 2])[0, 1]) < 0.12 and levels[:, 2].std() > 0.3


def ridge(inputs: np.ndarray, target: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    """Weights (d + 1,) of the textbook solution; the intercept, last, is not penalised."""
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    return np.linalg.solve(
        inputs.T @ inputs + penalty * np.diag([*[1.0] * (inputs.shape[1] - 1), 0.0]), inputs.T @ target
    )


def test_liking_can_be_read_by_the_rule_of_the_own_culture_only():
    def filmed(culture, chosen):
        taken = scenes(culture, 60)[chosen]
        liking = np.concatenate([scene.affect[:, culture.liking_on, 2] for scene in taken])
        valence = np.concatenate([scene.affect[:, :, 1].sum(axis=1) for scene in taken])
        return np.concatenate([avec2019.list_action_units(scene) for scene in taken]), {
            "liking": liking,
            "valence": valence,
        }

    learnt = {culture.name: filmed(culture, slice(0, 30)) for culture in (DE, HU)}
    tested = {culture.name: filmed(culture, slice(30, 60)) for culture in (DE, HU)}
    for name in ("liking", "valence"):
        weights = {culture: ridge(units, shown[name]) for culture, (units, shown) in learnt.items()}
        fit = {
            (rule, culture): np.corrcoef(units @ weights[rule][:-1], shown[name])[0, 1]
            for rule in weights
            for culture, (units, shown) in tested.items()
        }
        assert min(fit["DE", "DE"], fit["HU", "HU"]) > 0.85
        if name == "liking":
            assert max(fit["DE", "HU"], fit["HU", "DE"]) < 0.4
        else:
            assert min(fit["DE", "HU"], fit["HU", "DE"]) > 0.85


@both
def test_uniform_control_shows_liking_always_and_on_the_same_region(culture):
    salient, uniform = (scenes(culture, 1, control)[0] for control in ("salient", "uniform"))
    felt = script.trace_latent(uniform.plan, uniform.frame_time)[:, 2]
    np.testing.assert_array_equal(uniform.affect[:, culture.liking_on, 2], felt)
    clarity = script.trace_clarity(salient.plan, salient.frame_time, salient.plan.episodes.on_face)
    np.testing.assert_array_equal(salient.affect[:, culture.liking_on, 2], clarity * felt)
    assert not uniform.affect[:, 1 - culture.liking_on, 2].any()
    assert not salient.affect[:, 1 - culture.liking_on, 2].any()


# Two populations


def test_populations_differ_in_skin_rooms_and_voices():
    people = {culture.name: [scene.who for scene in scenes(culture, 40)] for culture in (DE, HU)}
    skin = {name: np.mean([who.skin for who in group]) for name, group in people.items()}
    wall = {name: np.mean([who.wall for who in group]) for name, group in people.items()}
    assert skin["DE"] > skin["HU"] + 10 and wall["DE"] > wall["HU"] + 20
    assert DE.speakers.language == "German" and HU.speakers.language == "Hungarian"
    assert len(HU.speakers.sentences) == len(DE.speakers.sentences)


@both
def test_dlib_finds_the_faces(root, culture):
    dlib = pytest.importorskip("dlib")
    detector, tried, found = dlib.get_frontal_face_detector(), 0, 0
    for stem in (stem for stem in STEMS if culture.name in stem):
        with av.open(str(root / "video" / f"{stem}.avi")) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        for i in np.flatnonzero(truth(root, stem)["frame_visible"])[::3]:
            tried, found = tried + 1, found + bool(detector(frames[i], 0))
    assert tried >= 25 and found >= 0.95 * tried
