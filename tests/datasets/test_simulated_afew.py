"""The simulated AFEW and SFEW: their files, read back by the readers, and what face and voice show when."""

import json
import sys
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy.signal import correlate
from sklearn.linear_model import LogisticRegression

from common.errors import InputError
from common.media import faces
from datasets import afew as reader
from datasets import afew_files, simulate
from datasets import sfew as sfew_reader
from datasets.simulated import afew, corpus, emotions, script, sfew, speech
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.canvas import HEIGHT, ORIGIN, UNIT, WIDTH
from datasets.simulated.face.expression import Expression, form_expression
from datasets.simulated.face.geometry import place_landmarks, shape_jaw, shape_parts, turn_head
from datasets.simulated.face.people import Nuisance, draw_identity, draw_nuisance
from datasets.simulated.script import stream

SMALL = {"train": 1, "val": 1, "test": 1}
LARGER = {"train": 16, "val": 5, "test": 2}  # enough for a clip without a face
DEFAULT = afew.Manifest("afew", "salient", 0, 140, 42, 28, 0.04, afew.VERSION)
CLIPS = afew.draw_clips(DEFAULT)


def unseen(camera: Camera, now: Expression, state: Nuisance, i: int) -> tuple[np.ndarray, np.ndarray]:
    """As Camera.shoot, of which only the landmarks are worked out: the picture is empty."""
    place = camera.place(state, i)
    points = place_landmarks(camera.jaw, turn_head(shape_parts(camera.who, now), state.turn[i]))
    points = (points * UNIT + ORIGIN) @ place[:, :2].T + place[:, 2]
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8), points.astype(np.float32)


def hum(seed: int, person: str, woman: bool) -> list[np.ndarray]:
    """Instead of six sentences a steady voice."""
    return [(0.3 * (np.arange(3 * speech.RATE) * 150 / speech.RATE % 1) - 0.15).astype(np.float32)] * afew.SENTENCES


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "afew"
    afew.write(root, **SMALL)
    return root


def brief(rng: np.random.Generator, _: float) -> float:
    return 1 + rng.integers(0, 15) / 25


@pytest.fixture(scope="module")
def unfilmed(tmp_path_factory) -> dict[str, Path]:
    """More clips, all brief, of which nothing is seen and a steady voice is heard; and both controls of a few."""
    parent = tmp_path_factory.mktemp("unfilmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Camera, "shoot", unseen)
        patch.setattr(afew, "speak", hum)
        patch.setattr(afew, "draw_length", brief)
        patch.setattr(afew, "write_features", lambda path, track: path.write_text("@relation none\n"))
        afew.write(parent / "larger", **LARGER)
        for control in script.CONTROLS:
            afew.write(parent / control, control=control, train=7, val=0, test=0)
    return {path.name: path for path in parent.iterdir()}


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def truth(root: Path, clip: reader.Clip) -> dict[str, np.ndarray]:
    return dict(np.load(root / "truth" / f"{clip.name.replace('/', '_')}.npz", allow_pickle=False))


def film(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames (h, w, 3) RGB and the sound (n,) in [-1, 1]."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return frames, sound / 32768


# layout


def test_files_lie_where_the_organisers_put_them(filmed):
    clips, found = reader.list_recordings(filmed), set(contents(filmed))
    expected = {"simulated.json", "truth/test_labels.csv"}
    for clip in clips:
        name, label = clip.video.stem, f"{clip.label}/" if clip.label else ""
        aligned = (
            "AlignedFaces_LBPTOP_Points"
            + {"Train": "/AlignedFaces_LBPTOP_Points", "Val": "_Val", "Test": "_Test"}[clip.partition]
        )
        below = {"Train": "Train", "Val": "ExpressionWise", "Test": "Test"}[clip.partition]
        expected |= {
            f"{clip.partition}_AFEW/{label}{name}.avi",
            f"{clip.partition}/{clip.partition}_Audio_Feat/{below}/{label}{name}.arff",
            f"{clip.partition}_AFEW/{aligned}/Points/{name}.txt",
            f"truth/{clip.partition}_{name}.npz",
        }
        frames = np.flatnonzero(truth(filmed, clip)["frame_visible"]) + 1
        expected |= {f"{clip.partition}_AFEW/{aligned}/Faces/{name}/{frame:03d}.jpg" for frame in frames}
    assert found == expected and len(clips) == 3
    assert json.loads((filmed / "simulated.json").read_text()) == {
        **{"layout": "afew", "control": "salient", "seed": 0, "offset": -0.05, "version": afew.VERSION, "longest": 6.0},
        **SMALL,
    }


def test_the_reader_finds_a_whole_corpus(filmed):
    assert reader.check(filmed) == []
    labels = reader.read_test_labels(filmed / "truth" / "test_labels.csv")
    for clip in reader.list_recordings(filmed):
        label = clip.label or labels[clip.video.stem]
        assert truth(filmed, clip)["label"] == label
    assert len(labels) == 1


def test_clips_have_25_frames_a_second_and_44_100_mono_samples(filmed):
    for clip in reader.list_recordings(filmed):
        with av.open(str(clip.video)) as container:
            video, audio = container.streams
            assert (video.codec_context.name, video.width, video.height, video.average_rate) == ("mpeg4", 320, 240, 25)
            assert (audio.codec_context.name, audio.rate, audio.channels) == ("pcm_s16le", 44_100, 1)
        frames, sound = film(clip.video)
        assert len(frames) == len(truth(filmed, clip)["frame_time"]) and len(sound) == 1764 * len(frames)
        assert 1 <= len(frames) / 25 <= 6 and 0.01 < sound.std() < 0.3 and np.abs(sound).max() < 1


def test_points_are_49_of_the_true_landmarks_with_noise(filmed):
    kept = [i for i in range(17, 68) if i not in (60, 64)]
    for clip in reader.list_recordings(filmed):
        frames, points = afew_files.read_points(clip)
        assert frames.tolist() == [afew_files.read_frame_number(path) for path in clip.faces]
        error = points - truth(filmed, clip)["landmarks"][frames][:, kept]
        assert points.shape[1:] == (49, 2) and abs(error.std() - afew.TRACKER_NOISE) < 0.05 and abs(error.mean()) < 0.1


def test_audio_features_are_the_1582_of_2010(filmed):
    for clip in reader.list_recordings(filmed):
        name, values = afew_files.read_audio_features(clip.audio_features)
        assert name == clip.video.stem and values.shape == (1582,) and np.isfinite(values).all() and values.std() > 0


def test_aligned_faces_are_upright_and_in_place(filmed):
    model = faces.locate_landmark_file()
    for clip in reader.list_recordings(filmed):
        picture = afew_files.read_face(clip.faces[len(clip.faces) // 2])
        assert picture.shape == (128, 128, 3)
        found = faces.find_landmarks(picture, model)
        eyes = [found[eye].mean(axis=0) for eye in (faces.RIGHT_EYE, faces.LEFT_EYE)]
        np.testing.assert_allclose(eyes, faces.TEMPLATE[:2] * 128, atol=8)


def test_dlib_finds_the_face_in_nearly_all_visible_frames(filmed):
    model, seen = faces.locate_landmark_file(), []
    for clip in reader.list_recordings(filmed):
        frames, visible = film(clip.video)[0], truth(filmed, clip)["frame_visible"]
        seen += [faces.find_landmarks(frames[i], model) is not None for i in np.flatnonzero(visible)[::6]]
    assert np.mean(seen) >= 0.9 and len(seen) > 20


# determinism and writing


def test_command_line_gives_the_same_bytes_in_any_number_of_jobs(filmed, tmp_path, monkeypatch, capsys):
    options = [word for name, count in SMALL.items() for word in (f"--{name}", str(count))]
    monkeypatch.setattr(sys, "argv", ["simulate", "afew", str(tmp_path / "again"), *options, "--jobs", "2"])
    assert simulate.main() == 0 and "3 recordings" in capsys.readouterr().out
    assert contents(tmp_path / "again") == contents(filmed)


def test_another_seed_gives_other_people_and_names():
    other = afew.draw_clips(afew.Manifest("afew", "salient", 1, 140, 42, 28, 0.04, afew.VERSION))
    assert {clip.name for clip in CLIPS}.isdisjoint(clip.name for clip in other)
    one, another = (draw_identity(stream(seed, CLIPS[0].person, "identity")) for seed in (0, 1))
    assert (one.skin != another.skin).any()


@pytest.mark.parametrize("wrong", [{"control": "none"}, {"train": 0}, {"val": -1}, {"offset": -0.6}, {"offset": 0.6}])
def test_impossible_parameters_are_refused(wrong, tmp_path):
    with pytest.raises(InputError, match="simulated corpus cannot be written"):
        afew.write(tmp_path / "corpus", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_with_other_parameters_is_kept(filmed):
    with pytest.raises(InputError, match="other parameters"):
        afew.write(filmed, offset=0.2, **SMALL)


def test_options_that_a_corpus_does_not_have_are_refused(tmp_path, monkeypatch):
    for name, option in (("afew", "--seconds"), ("sfew", "--offset"), ("avec2017", "--val")):
        monkeypatch.setattr(sys, "argv", ["simulate", name, str(tmp_path / "new"), option, "10"])
        with pytest.raises(InputError, match=f"{name} has no option {option}"):
            simulate.main()
    assert list(tmp_path.iterdir()) == []


# who, what and when


def test_classes_come_equally_often_and_every_person_shows_them_all():
    for partition, count in (("Train", 140), ("Val", 42), ("Test", 28)):
        clips = [clip for clip in CLIPS if clip.partition == partition]
        assert Counter(clip.label for clip in clips) == dict.fromkeys(reader.CLASSES, count // 7)
        people = Counter(clip.person for clip in clips)
        assert len(people) == count // 7 and set(people.values()) == {7}


def test_partitions_share_no_person_and_one_name():
    people, names = ({p: set() for p in reader.PARTITIONS} for _ in range(2))
    for clip in CLIPS:
        people[clip.partition].add(clip.person)
        names[clip.partition].add(clip.name)
    assert sum(map(len, people.values())) == len(set.union(*people.values())) == 30
    assert [len(names[partition]) for partition in reader.PARTITIONS] == [140, 42, 28]
    assert len(names["Train"] & names["Val"]) == 1 and not names["Test"] & (names["Train"] | names["Val"])


def test_names_are_times_in_a_film_of_two_hours():
    for code in afew.draw_time_codes(np.random.default_rng(0), 500):
        hour, minute, second, millisecond = (int(part) for part in (code[:2], code[2:4], code[4:6], code[6:]))
        assert len(code) == 9 and hour < 2 and minute < 60 and second < 60 and millisecond % 40 == 0


def test_clips_are_short_and_of_whole_frames():
    lengths = np.array([clip.plan.length for clip in CLIPS])
    assert lengths.min() >= 1 and lengths.max() <= 6 and 2.1 < lengths.mean() < 2.6
    np.testing.assert_allclose(lengths * 25, np.round(lengths * 25), atol=1e-9)


def test_episodes_are_one_or_two_short_and_half_of_the_clip_at_most():
    numbers = Counter()
    for clip in CLIPS:
        episodes = clip.plan.episodes
        duration = episodes.end - episodes.start
        assert (duration >= 0.4 - 1e-9).all() and (duration <= 1.4).all()
        assert duration.sum() <= clip.plan.length / 2 + 1e-9
        assert episodes.start[0] >= 0 and episodes.end[-1] <= clip.plan.length + 1e-9
        assert (episodes.start[1:] - episodes.end[:-1] >= 0.3 - 1e-9).all()
        ((start, end),) = clip.plan.turns
        assert start <= episodes.start[0] and episodes.end[-1] <= end and end - start >= 0.8 * clip.plan.length - 1e-9
        numbers[len(duration)] += 1
    assert set(numbers) == {1, 2} and min(numbers.values()) > 40


@pytest.mark.parametrize(("partition", "count"), [("Train", 140), ("Val", 42), ("Test", 28), ("Train", 20)])
def test_about_one_clip_in_30_has_no_face_and_one_in_5_a_gap(partition, count):
    found = Counter(afew.draw_defect(seed, partition, i, count) for seed in range(3) for i in range(count))
    assert found["faceless"] == 3 * round(count / 30) >= 3 and found["gap"] == 3 * round(count / 5)


def test_frames_without_a_face_have_neither_picture_nor_points(unfilmed):
    root, kinds = unfilmed["larger"], Counter()
    for clip in reader.list_recordings(root):
        visible = truth(root, clip)["frame_visible"]
        assert [afew_files.read_frame_number(path) for path in clip.faces] == np.flatnonzero(visible).tolist()
        assert (clip.points is not None) == visible.any()
        if clip.points:
            assert afew_files.read_points(clip)[0].tolist() == np.flatnonzero(visible).tolist()
        kinds[clip.partition, "faceless" if not visible.any() else "whole" if visible.all() else "gap"] += 1
    assert kinds["Train", "faceless"] == 1 and kinds["Train", "gap"] == 3 and kinds["Val", "gap"] == 1
    assert reader.count(root)["clips without a face"] == 1


def test_truth_has_the_promised_arrays(unfilmed):
    root = unfilmed["larger"]
    for clip in reader.list_recordings(root):
        found = truth(root, clip)
        f, k = len(found["frame_time"]), len(found["episode_start"])
        shapes = {"label": (), "person": (), "strength": (), "offset": (), "landmarks": (f, 68, 2), "frame_time": (f,)}
        shapes |= {name: (f,) for name in ("frame_salient", "frame_shown", "voice_shown", "frame_visible")}
        shapes |= {"episode_on_face": (k,), "episode_in_voice": (k,)}
        in_voice, planted = found["episode_in_voice"], {"start": (), "end": ()}
        shapes |= {f"episode_{end}": (k,) for end in planted} | {f"voice_{end}": (in_voice.sum(),) for end in planted}
        assert {name: value.shape for name, value in found.items()} == shapes
        for end in planted:
            np.testing.assert_allclose(found[f"voice_{end}"] - found[f"episode_{end}"][in_voice], found["offset"])
        time, inside = found["frame_time"], np.zeros(f, bool)
        for start, end in zip(found["episode_start"], found["episode_end"]):
            inside |= (time > start) & (time < end)
        on_face = inside & found["episode_on_face"].all()
        np.testing.assert_array_equal(found["frame_salient"], on_face)
        np.testing.assert_array_equal(found["frame_shown"] > 0, on_face)
        heard, edges = np.zeros(f, bool), np.concatenate([found["voice_start"], found["voice_end"]])
        for start, end in zip(found["voice_start"], found["voice_end"]):
            heard |= (time > start) & (time < end)
        away = np.abs(time[:, None] - edges).min(axis=1, initial=1.0) > 1e-3
        np.testing.assert_array_equal((found["voice_shown"] > 1e-6)[away], heard[away])


@pytest.mark.parametrize("partition", reader.PARTITIONS)
def test_a_third_of_each_class_shows_its_emotion_by_the_face_by_the_voice_and_by_both(partition):
    """Give or take one: so what shows it tells hardly anything of it."""
    found = {label: Counter() for label in reader.CLASSES}
    for clip in CLIPS:
        if clip.partition == partition:
            found[clip.label][clip.plan.episodes.on_face.all(), clip.plan.episodes.in_voice.all()] += 1
    for counts in found.values():
        assert set(counts) == {(True, False), (False, True), (True, True)}
        assert max(counts.values()) - min(counts.values()) <= 1


def test_some_people_show_more_than_others():
    strengths = {}
    for clip in CLIPS:
        strengths.setdefault(clip.person, []).append(clip.strength)
    assert all(max(each) <= 1 and min(each) > 0.7 * max(each) for each in strengths.values())
    means = [np.mean(each) for each in strengths.values()]
    assert max(means) > 1.5 * min(means)


def test_controls_differ_in_what_is_shown_and_in_nothing_else(unfilmed):
    pairs = list(zip(*(reader.list_recordings(unfilmed[control]) for control in script.CONTROLS)))
    for clip, twin in pairs:
        one, other = truth(unfilmed["salient"], clip), truth(unfilmed["uniform"], twin)
        assert clip.name == twin.name
        assert (other["frame_shown"] == one["episode_on_face"].any()).all()
        assert (other["voice_shown"].max() == 1) == one["episode_in_voice"].any()
        changed = {name for name in one if not np.array_equal(one[name], other[name])}
        moved, heard = one["episode_on_face"].any(), one["episode_in_voice"].any()
        affective = one["label"] != "Neutral"
        expected = {"frame_shown": moved, "landmarks": moved and affective, "voice_shown": heard}
        assert changed == {name for name, differs in expected.items() if differs}
        np.testing.assert_array_equal(one["landmarks"][:, :17], other["landmarks"][:, :17])  # the jaw knows motion only
        same = np.array_equal(film(clip.video)[1], film(twin.video)[1])
        assert same == (not heard or not affective)
    assert len(pairs) == 7


# the face


def test_outside_of_episodes_the_face_only_talks_and_blinks():
    for clip in CLIPS[:14]:
        state = draw_nuisance(clip.plan, clip.times)
        calm = [form_expression(np.zeros((2, 2)), state, i) for i in range(len(clip.times))]
        shown = afew.trace_display(clip, clip.times, "salient", clip.plan.episodes.on_face)
        same = [one == other for one, other in zip(afew.pose_clip(clip, state, "salient"), calm)]
        np.testing.assert_array_equal(same, (shown == 0) | (clip.label == "Neutral"))
        always = [one == other for one, other in zip(afew.pose_clip(clip, state, "uniform"), calm)]
        assert not any(always) or clip.label == "Neutral" or not clip.plan.episodes.on_face.any()


def shapes(clips: list[afew.Clip]) -> np.ndarray:
    """Landmarks without motion (n, 2, 102): of the middle of a salient episode, and of the frame farthest from any."""
    found = []
    for clip in clips:
        state, episodes = draw_nuisance(clip.plan, clip.times), clip.plan.episodes
        away = np.abs(clip.times[:, None] - (episodes.start + episodes.end) / 2).min(axis=1)
        shown = afew.trace_display(clip, clip.times, "salient", episodes.on_face)
        moments = [shown.argmax(), np.where(shown == 0, away, -1).argmax()]
        who = draw_identity(stream(0, clip.person, "identity"))
        positions = afew.pose_clip(clip, state, "salient")
        points = [place_landmarks(shape_jaw(who), shape_parts(who, positions[i])) for i in moments]
        found.append([one[17:].ravel() for one in points])  # the jaw does not move
    return np.array(found)


def test_a_simple_classifier_recognises_the_emotion_in_salient_frames_alone():
    shown = [clip for clip in CLIPS if clip.plan.episodes.on_face.all()]
    train, val = ([clip for clip in shown if clip.partition == partition][:90] for partition in ("Train", "Val"))
    labels, (learnt, seen) = [[clip.label for clip in part] for part in (train, val)], map(shapes, (train, val))
    models = [LogisticRegression(C=10, max_iter=2000).fit(learnt[:, k], labels[0]) for k in (0, 1)]
    salient, other = (model.score(seen[:, k], labels[1]) for k, model in enumerate(models))
    assert salient > 0.7 and other < 0.35  # one in seven by chance


# the voice


def heard(clip: afew.Clip, offset: float) -> np.ndarray:
    """The sound of a clip, a steady voice instead of words, (n,) at speech.RATE."""
    manifest = afew.Manifest("afew", "salient", 0, 140, 42, 28, offset, afew.VERSION)
    who = draw_identity(stream(0, clip.person, "identity"))
    return afew.record_voice(clip, who, hum(0, "", True), manifest)


@pytest.mark.parametrize("offset", [-0.05, 0.2])
def test_the_offset_is_in_the_file(tmp_path, offset):
    """Sound tracks of a clip with and without it, written and read again, fit best when one is shifted by it."""
    for clip in CLIPS[:3]:
        frames = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * len(clip.times)
        tracks = []
        for late in (0.0, offset):
            corpus.write_film(tmp_path / f"{late}.avi", frames, heard(clip, late), afew.FPS, afew.RATE)
            tracks.append(film(tmp_path / f"{late}.avi")[1])
        fit = correlate(tracks[1], tracks[0], mode="full")
        assert (fit.argmax() - len(tracks[0]) + 1) / afew.RATE == pytest.approx(offset, abs=1e-3)
        late, (earlier, later) = round(abs(offset) * afew.RATE), tracks if offset > 0 else tracks[::-1]
        if offset > 0:
            assert tracks[1][: late - 100].std() < 0.002  # room noise
        moved, still = later[late:], earlier[: len(earlier) - late]
        np.testing.assert_allclose(moved[100:-100], still[100:-100], atol=0.01)  # the resampling rings at both ends


def test_the_voice_is_louder_in_the_excited_episodes_and_only_there():
    """The level of a steady voice follows the arousal of the script, by the offset later than the face."""
    said = [clip for clip in CLIPS if clip.plan.episodes.in_voice.all()]
    for clip in [clip for clip in said if clip.label in ("Angry", "Surprise", "Sad")][:9]:
        offset, times = 0.2, np.arange(0.05, clip.plan.length - 0.05, 0.05)
        sound = heard(clip, offset)
        level = 20 * np.log10([sound[int((t - 0.05) * 16e3) : int((t + 0.05) * 16e3)].std() for t in times])
        ((start, end),) = clip.plan.turns + offset
        speaking = (times > start + 0.1) & (times < end - 0.1)
        scripted = (
            afew.trace_display(clip, times - offset, "salient", clip.plan.episodes.in_voice)
            * emotions.CIRCUMPLEX[clip.label][0]
        )
        assert np.corrcoef(level[speaking], scripted[speaking])[0, 1] > 0.8, clip.label


def test_a_person_speaks_with_one_voice_and_begins_each_clip_with_another_sentence():
    clips = [clip for clip in CLIPS if clip.person == CLIPS[0].person]
    assert [clip.first for clip in clips] == [0, 1, 2, 3, 4, 5, 0]


# SFEW


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "sfew"
    sfew.write(root, train=14, val=7)
    return root


def test_sfew_has_the_layout_of_the_distribution(stills):
    found = sfew_reader.list_recordings(stills)
    assert Counter((one.partition, one.label) for one in found) == {
        (partition, label): count for partition, count in (("Train", 2), ("Val", 1)) for label in sfew_reader.CLASSES
    }
    assert all(sfew_reader.read(one.path).shape == (181, 143, 3) for one in found)
    assert sfew_reader.check(stills) == []
    films = {p: {one.path.name.split("_")[0] for one in found if one.partition == p} for p in ("Train", "Val")}
    assert films == {"Train": {"Film01", "Film02"}, "Val": {"Film03"}}
    made = {"layout": "sfew", "seed": 0, "train": 14, "val": 7, "version": sfew.VERSION}
    assert json.loads((stills / "simulated.json").read_text()) == made


def test_sfew_is_the_same_in_any_number_of_jobs_and_another_for_another_seed(stills, tmp_path, monkeypatch):
    sfew.write(tmp_path / "again", train=14, val=7, jobs=2)
    assert contents(tmp_path / "again") == contents(stills)
    one, other = (sfew.draw_names(sfew.Manifest("sfew", seed, 420, 140, sfew.VERSION)) for seed in (0, 1))
    assert len(set(one)) == 560 and set(one).isdisjoint(other)


def test_faces_of_sfew_are_upright_and_in_place(stills):
    model, middle = faces.locate_landmark_file(), []
    for one in sfew_reader.list_recordings(stills)[::2]:
        picture = cv2.copyMakeBorder(sfew_reader.read(one.path), *[40] * 4, cv2.BORDER_REPLICATE)
        found = faces.find_landmarks(picture, model) - 40
        middle.append([found[eye].mean(axis=0) for eye in (faces.RIGHT_EYE, faces.LEFT_EYE)])
    np.testing.assert_allclose(np.median(middle, axis=0), faces.TEMPLATE[:2] * 143 + (0, 19), atol=4)


@pytest.mark.parametrize("wrong", [{"train": 6}, {"val": -1}])
def test_impossible_numbers_of_faces_are_refused(wrong, tmp_path):
    with pytest.raises(InputError, match="simulated faces cannot be written"):
        sfew.write(tmp_path / "faces", **wrong)
    assert list(tmp_path.iterdir()) == []
