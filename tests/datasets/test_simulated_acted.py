"""The simulated RML and eNTERFACE'05: their files, read back by the readers, and what is heard and seen when."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from common.errors import InputError
from common.media import audio, faces
from common.running import cli
from datasets import check, simulate
from datasets import enterface as enterface_reader
from datasets import rml as rml_reader
from datasets.acted import CLASSES
from datasets.simulated import acted, emotions, enterface, rml, speech
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.canvas import HEIGHT, WIDTH
from datasets.simulated.face.expression import Expression
from datasets.simulated.face.geometry import place_landmarks, shape_jaw, shape_parts
from datasets.simulated.face.people import Nuisance, draw_identity, draw_nuisance
from datasets.simulated.script import stream
from replications.priyasad2019 import vad
from tests.datasets.test_simulated_afew import contents

SMALL = {"subjects": 1, "sentences": 1, "seconds": 1.5}
WIDE = {"rml": {"subjects": 6, "sentences": 1, "seconds": 1.5}, "enterface": {"subjects": 10, "seconds": 1.5}}
DEFAULT = acted.Manifest("rml", 0, 8, 2, 3.2, rml.VERSION)
BLANK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
READERS = {"rml": rml_reader, "enterface": enterface_reader}
WRITERS = {"rml": rml, "enterface": enterface}


def unseen(camera: Camera, now: Expression, state: Nuisance, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Instead of Camera.shoot: an empty picture."""
    return BLANK, np.zeros((68, 2), np.float32)


def hum(seed: int, name: str, woman: bool) -> list[np.ndarray]:
    """Instead of phrases a steady voice of 0.8 s."""
    return [(0.3 * (np.arange(0.8 * speech.RATE) * 150 / speech.RATE % 1) - 0.15).astype(np.float32)] * 8


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "rml"
    rml.write(root, **SMALL)
    return root


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> dict[str, Path]:
    """More subjects, of whom nothing is seen and a steady voice is heard."""
    parent = tmp_path_factory.mktemp("wide")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Camera, "shoot", unseen)
        patch.setattr(acted, "speak", hum)
        for name, size in WIDE.items():
            WRITERS[name].write(parent / name, **size)
    return {name: parent / name for name in WIDE}


@pytest.fixture(scope="module")
def heard() -> list[tuple[acted.Take, np.ndarray, dict]]:
    """Takes of the first subjects at the default length, their sound at speech.RATE and their truth; nothing is seen."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Camera, "shoot", unseen)
        for subject in ("s1", "s3", "s8"):
            actor = acted.cast(0, subject)
            for take in [take for take in rml.list_takes(DEFAULT) if take.subject == subject]:
                _, _, track, truth = acted.act(actor, DEFAULT, rml.FORM, take)
                found.append((take, track, truth))
    return found


def truth(root: Path, clip) -> dict[str, np.ndarray]:
    name = clip.name.replace("/", "_").replace(" ", "_")
    return dict(np.load(root / "truth" / f"{name}.npz", allow_pickle=False))


def checked(corpus: str, root: Path, monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", ["check", corpus, str(root)])
    return cli.run(check.main)


# layout


def test_rml_lies_as_distributed(wide):
    codes = ("an", "di", "fe", "ha", "sa", "su")
    names = [f"s{n}/english/{code}1" if n == 2 else f"s{n}/{code}1" for n in range(1, 7) for code in codes]
    expected = {f"rml-{2 if name.startswith('s6') else 1}/{name}.avi" for name in names}
    expected |= {f"truth/{name.replace('/', '_')}.npz" for name in names}
    assert set(contents(wide["rml"])) == expected | {"simulated.json"}
    made = {"layout": "rml", "seed": 0, "subjects": 6, "sentences": 1, "seconds": 1.5, "version": rml.VERSION}
    assert json.loads((wide["rml"] / "simulated.json").read_text()) == made


def test_enterface_lies_as_distributed_with_its_slips(wide):
    expected = {"simulated.json"}
    for n in (*range(1, 6), *range(7, 12)):
        for label in rml_reader.CLASSES:
            file = f"s{12 if n == 11 else n}_{label[:2].lower()}_1"
            file = "s_3_ha_1" if file == "s3_ha_1" else file
            expected.add(f"enterface database/subject {n}/{label.lower()}/sentence 1/{file}.avi")
            expected.add(f"truth/subject_{n}_{label.lower()}_sentence_1.npz")
    for label in rml_reader.CLASSES:
        expected.add(f"enterface database/subject 6/{label.lower()}/s6_{label[:2].lower()}.avi")
    assert set(contents(wide["enterface"])) == expected


@pytest.mark.parametrize("name", WIDE)
def test_the_readers_find_all_clips_and_their_classes(wide, name):
    root, subjects = wide[name], WIDE[name]["subjects"]
    clips = READERS[name].list_recordings(root)
    assert Counter(clip.label for clip in clips) == dict.fromkeys(rml_reader.CLASSES, subjects)
    assert len({clip.subject for clip in clips}) == subjects
    for clip in clips:
        found = truth(root, clip)
        assert (found["label"], found["subject"]) == (clip.label, clip.subject)


def test_a_simulated_rml_is_complete(wide, monkeypatch, capsys):
    assert checked("rml", wide["rml"], monkeypatch) == 0
    assert capsys.readouterr().out.endswith("complete\n")


def test_a_simulated_enterface_is_complete_and_its_slips_are_noted(wide, monkeypatch, capsys):
    assert checked("enterface", wide["enterface"], monkeypatch) == 0
    _, *notes, total = capsys.readouterr().out.splitlines()
    assert total == "complete" and len(notes) == 2
    assert "subject 6 is not cut into sentences and is left out: s6_an.avi" in notes[0]
    assert "subject 11: the folders are followed where file names disagree: s12_an_1.avi" in notes[1]


def test_sentences_are_numbered():
    takes = rml.list_takes(DEFAULT)
    assert len(takes) == 96 and [take.name for take in takes if take.label == "Fear"][:4] == [
        "s1/fe1",
        "s1/fe2",
        "s2/english/fe1",
        "s2/english/fe2",
    ]
    assert {take.phrase for take in takes if take.label == "Fear"} == {2, 8}
    takes = enterface.list_takes(acted.Manifest("enterface", 0, 42, 5, 2.4, enterface.VERSION))
    assert len(takes) == 43 * 30 and len({take.path for take in takes}) == 42 * 30 + 6
    assert "subject 43/surprise/sentence 5" in {take.name for take in takes}


@pytest.mark.parametrize(("name", "channels"), [("rml", 1), ("enterface", 2)])
def test_picture_and_sound_have_the_form_of_the_corpus(wide, name, channels):
    reader = READERS[name]
    for clip in reader.list_recordings(wide[name])[::7]:
        with av.open(str(clip.video)) as container:
            video, track = container.streams
            form = (video.codec_context.name, video.width, video.height, video.average_rate)
            assert form == ("mpeg4", 320, 240, reader.FPS)
            assert (track.codec_context.name, track.rate, track.channels) == ("pcm_s16le", reader.RATE, channels)
            frames = sum(1 for _ in container.decode(video=0))
        with av.open(str(clip.video)) as container:
            sound = np.concatenate([part.to_ndarray()[0] for part in container.decode(audio=0)]).reshape(-1, channels)
        assert frames == len(truth(wide[name], clip)["frame_time"])
        assert len(sound) == frames * reader.RATE / reader.FPS
        assert (sound == sound[:, :1]).all() and 0.005 < sound.std() / 32768 < 0.3


def test_the_clips_of_subject_6_are_long(wide):
    """As long as two sentences of 0.8 s, more or less, each with a second or more of silence."""
    for path in (wide["enterface"] / "enterface database" / "subject 6").rglob("*.avi"):
        sound = audio.read_from_video(path, enterface_reader.RATE)
        assert 2 * (0.65 + acted.SPARE) < len(sound) / enterface_reader.RATE < 2 * (1 + acted.SPARE)


# determinism and writing


def test_the_command_line_gives_the_same_bytes_in_any_number_of_jobs(filmed, tmp_path, monkeypatch, capsys):
    options = [word for name, size in SMALL.items() for word in (f"--{name}", str(size))]
    monkeypatch.setattr(sys, "argv", ["simulate", "rml", str(tmp_path / "again"), *options, "--jobs", "2"])
    assert simulate.main() == 0 and "6 recordings" in capsys.readouterr().out
    assert contents(tmp_path / "again") == contents(filmed)


def test_another_seed_or_corpus_has_other_subjects():
    skins = {tuple(draw_identity(stream(*key, "identity")).skin) for key in ((0, "s1"), (1, "s1"), (0, "1"))}
    assert len(skins) == 3


@pytest.mark.parametrize("wrong", [{"subjects": 0}, {"sentences": 0}, {"seconds": 1.4}, {"seconds": 21}])
@pytest.mark.parametrize("name", WIDE)
def test_impossible_parameters_are_refused(name, wrong, tmp_path):
    with pytest.raises(InputError, match="simulated corpus cannot be written"):
        WRITERS[name].write(tmp_path / "corpus", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_options_that_a_corpus_does_not_have_are_refused(tmp_path, monkeypatch):
    for name, option in (("rml", "--train"), ("enterface", "--fps"), ("afew", "--subjects")):
        monkeypatch.setattr(sys, "argv", ["simulate", name, str(tmp_path / "new"), option, "3"])
        with pytest.raises(InputError, match=f"{name} has no option {option}"):
            simulate.main()
    assert list(tmp_path.iterdir()) == []


# when


def moment(seed: int, spoken: float, seconds: float, fps: int, hidden: bool = False):
    take = acted.Take(f"take {seed}", "s1", "Fear", "", 0, hidden)
    return acted.draw_plan(seed, take, spoken, seconds, fps)


plans = st.builds(
    moment, st.integers(0, 999), st.floats(0.5, 4), st.floats(1.5, 8), st.sampled_from([25, 30]), st.booleans()
)


@given(plans)
def test_neutral_onset_speech_offset_neutral(plan):
    ((start, end),), (begins,), (ends,) = plan.turns, plan.episodes.start, plan.episodes.end
    assert 0 <= begins < start < end < ends <= plan.length
    assert start - begins <= 0.5 and ends - end <= 0.5 and plan.length - (end - start) >= acted.SPARE - 1e-9
    assert start - begins >= 0.2 - 1e-9 or begins == 0
    times = np.linspace(0, plan.length, 500)
    shown = acted.trace_display(plan, times)
    assert (shown[(times >= start) & (times <= end)] == 1).all()
    assert (shown[(times <= begins) | (times >= ends)] == 0).all() and (shown >= 0).all()
    assert (np.diff(shown[times <= start]) >= 0).all() and (np.diff(shown[times >= end]) <= 0).all()
    for first, last in plan.hidden:
        assert start <= (first + last) / 2 <= end and 0.4 - 1e-9 <= last - first <= 0.8 + 1e-9


@given(st.integers(0, 999), st.floats(0.5, 4), st.floats(1.5, 8), st.sampled_from([25, 30]))
def test_a_clip_lasts_whole_frames(seed, spoken, seconds, fps):
    length = moment(seed, spoken, seconds, fps).length
    assert length * fps == pytest.approx(round(length * fps), abs=1e-6)
    assert length <= max(1.1 * seconds, spoken + acted.SPARE) + 1 / fps


@given(st.integers(0, 999), plans)
@settings(max_examples=50, deadline=None)
def test_clicks_and_breaths_leave_the_speech_alone(seed, plan):
    ((start, end),) = plan.turns
    for add in (acted.add_click, acted.add_breath):
        track = np.zeros(int(np.ceil(plan.length * speech.RATE)))
        add(track, np.random.default_rng(seed), plan)
        loud = np.flatnonzero(track) / speech.RATE
        assert len(loud) and ((loud < start) | (loud > end)).all()


def test_some_rooms_are_quiet_and_in_others_something_clicks_or_breathes(monkeypatch):
    heard = Counter()
    for name in ("click", "breath"):
        monkeypatch.setattr(acted, f"add_{name}", lambda *_, name=name: heard.update([name]))
    actor = acted.Actor("s1", None, [], 120.0, 1.0, -60.0, 0.5)
    for seed in range(100):
        track = acted.record_room(actor, moment(seed, 1.0, 3.2, 30))
        assert 20 * np.log10(track.std()) == pytest.approx(-60, abs=1)
    assert 15 <= heard["click"] <= 35 and 15 <= heard["breath"] <= 35


@pytest.mark.parametrize("name", WIDE)
def test_the_noted_speech_is_that_of_the_file(wide, name):
    """Loud from its first sample to its last; not so before and after, but for clicks and breaths."""
    quiet, rate = [], READERS[name].RATE
    level = lambda sound, start, end: np.sqrt(np.mean(sound[round(start * rate) : round(end * rate)] ** 2))  # noqa: E731
    for clip in READERS[name].list_recordings(wide[name]):
        found, sound = truth(wide[name], clip), audio.read_from_video(clip.video, rate)
        start, end = float(found["speech_start"]), float(found["speech_end"])
        edges = level(sound, start, start + 0.02), level(sound, end - 0.02, end)
        silent = level(sound, start - 0.03, start - 0.005), level(sound, end + 0.005, end + 0.03)
        quiet.append(max(silent) < 0.002)  # -54 dB: the loudest room has -58
        assert level(sound, start, end) > 0.01 and min(edges) > 0.0015
    assert np.mean(quiet) > 0.95  # a click may be so near


def test_truth_has_the_promised_arrays(wide):
    for clip in rml_reader.list_recordings(wide["rml"]):
        found = truth(wide["rml"], clip)
        f = len(found["frame_time"])
        shapes = dict.fromkeys(("label", "subject", "shown_by", "speech_start", "speech_end"), ())
        shapes |= {"moves": (len(emotions.PARTS),), "level": (2,)}
        shapes |= {f"frame_{kind}": (f,) for kind in ("time", "shown", "visible")} | {"landmarks": (f, 68, 2)}
        assert {name: value.shape for name, value in found.items()} == shapes
        np.testing.assert_allclose(np.diff(found["frame_time"]), 1 / 30)
        assert found["frame_shown"][0] < 0.5 and found["frame_shown"].max() == (found["shown_by"] != "voice")
        assert found["moves"].any() == (found["shown_by"] != "voice")
        assert found["level"].any() == (found["shown_by"] != "face")


def test_voice_activity_finds_the_planted_speech_within_100_ms(heard):
    constants = {"vad_window": 0.02, "vad_step": 0.01, "vad_low": 300, "vad_high": 3000}
    constants |= {"vad_threshold": 0.6, "vad_comparison": "at_least", "vad_median": 25}
    for take, track, found in heard:
        start, end = vad.find_speech(track, speech.RATE, constants)
        assert abs(start - found["speech_start"]) < 0.1 and abs(end - found["speech_end"]) < 0.1, take.name


def test_more_than_60_percent_of_rml_is_inactive(heard):
    active = [float(found["speech_end"] - found["speech_start"]) for *_, found in heard]
    assert min(active) > 0.7 and max(active) < 2
    assert sum(active) < 0.4 * sum(len(found["frame_time"]) / 30 for *_, found in heard)


# who and what


def test_about_one_clip_in_40_hides_the_face_for_a_while():
    takes = rml.list_takes(DEFAULT)
    hidden = [take for take in acted.direct(takes, 0) if take.hidden]
    assert len(hidden) == 2 and len(acted.direct(takes, 0)) == 96
    assert {take.name for take in hidden} != {take.name for take in acted.direct(takes, 1) if take.hidden}
    for take in hidden:
        plan = acted.draw_plan(0, take, 1.2, 3.2, 30)
        times = np.arange(round(plan.length * 30)) / 30
        gone = times[~draw_nuisance(plan, times).visible()]
        ((start, end),) = plan.turns
        assert len(gone) >= 5 and gone[0] < end and gone[-1] > start
        assert len(gone) == pytest.approx((gone[-1] - gone[0]) * 30 + 1)


def test_the_face_is_where_the_landmarks_are(filmed):
    """In the speech: dlib finds it in all frames, about there."""
    model = faces.locate_landmark_file()
    for clip in rml_reader.list_recordings(filmed)[::2]:
        found = truth(filmed, clip)
        with av.open(str(clip.video)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        for i in np.flatnonzero((found["frame_shown"] == 1) & found["frame_visible"])[::10]:
            error = faces.find_landmarks(frames[i], model) - found["landmarks"][i]
            assert np.abs(error[36:48].mean(axis=0)).max() < 4, clip.name  # of the eyes, 42 to 50 pixels apart


def test_a_subject_has_one_way_with_an_emotion():
    """The same action units in the same proportions, stronger or weaker; another subject has others."""
    takes = acted.direct(rml.list_takes(replace(DEFAULT, sentences=4)), 0)
    takes = [take for take in takes if take.label == "Fear" and take.shown_by != "voice"]
    ways = {}
    for take in takes:
        moves = np.array(list(acted.draw_moves(0, take, 1.0).values()))
        ways.setdefault(take.subject, []).append(moves / np.linalg.norm(moves))
    assert len(ways) == 8 and sum(map(len, ways.values())) > 16
    for one, *others in ways.values():
        for other in others:
            np.testing.assert_allclose(one, other)
    assert all(np.abs(ways["s1"][0] - ways[subject][0]).max() > 0.05 for subject in ways if subject != "s1")
    assert len({json.dumps(acted.draw_moves(0, take, 1.0)) for take in takes}) == len(takes)


def pose(take: acted.Take) -> np.ndarray:
    """Landmarks (102,) of the full expression, of a head that does not move; the jaw never does."""
    who = draw_identity(stream(0, take.subject, "identity"))
    plan = acted.draw_plan(0, take, 1.2, 3.2, 30)
    time = plan.turns.mean(axis=1)
    moves = acted.draw_moves(0, take, acted.draw_manner(0, take.subject, who.woman)["ardour"])
    (now,) = emotions.pose_faces(moves, acted.trace_display(plan, time), draw_nuisance(plan, time))
    return place_landmarks(shape_jaw(who), shape_parts(who, now))[17:].ravel()


def test_a_simple_classifier_recognises_the_emotions_of_strangers():
    takes = enterface.list_takes(acted.Manifest("enterface", 0, 42, 1, 2.4, enterface.VERSION))
    takes = [take for take in acted.direct(takes, 0) if take.shown_by != "voice"]
    shapes, labels = np.array([pose(take) for take in takes]), np.array([take.label for take in takes])
    known = np.array([int(take.subject) % 2 == 0 for take in takes])
    model = LogisticRegression(C=10, max_iter=2000).fit(shapes[known], labels[known])
    assert model.score(shapes[~known], labels[~known]) > 0.6  # one in six by chance


@pytest.mark.parametrize("seed", range(3))
def test_a_third_of_each_emotion_is_shown_by_the_face_by_the_voice_and_by_both(seed):
    """Give or take one: so what shows it tells hardly anything of it."""
    takes = acted.direct(rml.list_takes(DEFAULT), seed)
    for label in CLASSES:
        some = [take for take in takes if take.label == label]
        moved = {take.name: bool(acted.draw_moves(seed, take, 1.0)) for take in some}
        heard = {take.name: bool(acted.find_level(take, 1.0).any()) for take in some}
        for take in some:
            assert (moved[take.name], heard[take.name]) == (take.shown_by != "voice", take.shown_by != "face")
        assert sorted(Counter(take.shown_by for take in some).values()) == [5, 5, 6]


def test_who_acts_what_by_face_or_voice_is_another_draw_with_another_seed():
    takes = rml.list_takes(DEFAULT)
    one, again, other = ([take.shown_by for take in acted.direct(takes, seed)] for seed in (0, 0, 1))
    assert one == again != other


def test_some_subjects_show_more_than_others():
    take = next(take for take in rml.list_takes(DEFAULT) if take.shown_by == "both")
    calm, ardent = (np.abs(list(acted.draw_moves(0, take, ardour).values())) for ardour in (0.6, 1.0))
    np.testing.assert_allclose(calm, 0.6 * ardent)
    np.testing.assert_allclose(acted.find_level(take, 0.6), 0.6 * acted.find_level(take, 1.0))
    ardours = [acted.draw_manner(0, f"s{n}", True)["ardour"] for n in range(20)]
    assert min(ardours) < 0.7 and max(ardours) > 0.9


def test_excited_voices_are_louder_than_calm_ones():
    actor = acted.Actor("s1", None, hum(0, "", True), 150.0, 1.0, -60.0, 0.5)
    take = rml.list_takes(DEFAULT)[0]
    levels = [np.array(emotions.CIRCUMPLEX[name]) for name in ("Sad", "Disgust", "Fear", "Angry")]
    said = [acted.utter(actor, take, level, 0.5, np.random.default_rng(0)) for level in levels]
    loudness, lasts = [20 * np.log10(one.std()) for one in said], [len(one) for one in said]
    assert loudness == sorted(loudness) and loudness[-1] - loudness[0] > 6
    assert lasts == sorted(lasts, reverse=True)


def test_long_clips_hold_several_whole_phrases():
    actor = acted.Actor("s1", None, [np.full(16_000, 0.1)] * 8, 150.0, 1.0, -60.0, 0.5)
    take, rng = rml.list_takes(DEFAULT)[0], np.random.default_rng(0)
    lasts = [len(acted.utter(actor, take, np.zeros(2), longest, rng)) for longest in (0.5, 2, 2.2, 3.3)]
    np.testing.assert_allclose(np.array(lasts) / speech.RATE, [1, 1, 2.1, 3.2], atol=1e-3)


def test_every_emotion_of_fer2013_but_neutral_is_acted():
    assert set(acted.NAMES.values()) == set(emotions.ACTION_UNITS) - {"Neutral"}
    assert all(label[:3] == name[:3] for label, name in acted.NAMES.items())
