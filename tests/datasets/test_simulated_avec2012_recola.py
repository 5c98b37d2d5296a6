"""The simulated AVEC 2012 and RECOLA corpora: their files, read back by the readers, and their labels against the truth."""

import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from common import metrics
from common.errors import InputError
from common.media import video
from common.running import cli
from datasets import avec2012 as avec2012_reader
from datasets import check, simulate
from datasets import recola as recola_reader
from datasets.simulated import avec2012, corpus, recola, script
from datasets.simulated.face.camera import Camera

SECONDS = 5.0


@pytest.fixture(scope="module")
def semaine(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "avec2012"
    avec2012.write(root, train=1, devel=0, test=0, seconds=SECONDS)
    return root


@pytest.fixture(scope="module")
def french(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "recola"
    recola.write(root, train=1, dev=1, seconds=SECONDS)
    return root


@pytest.fixture(scope="module")
def unfilmed(tmp_path_factory) -> dict[str, Path]:
    """Longer recordings, of which nothing is seen or heard."""
    roots = {name: tmp_path_factory.mktemp("unfilmed") / name for name in ("avec2012", "recola")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "record_voice", lambda scene: np.zeros(16, np.int16))
        patch.setattr(
            corpus, "write_video", lambda path, scene: path.touch() or np.zeros((len(scene.frame_time), 68, 2))
        )
        avec2012.write(roots["avec2012"], train=3, devel=1, test=1, seconds=40.0)
        recola.write(roots["recola"], train=2, dev=1, test=1, seconds=40.0)
    return roots


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def truth(root: Path, stem: str) -> dict[str, np.ndarray]:
    return dict(np.load(root / "truth" / f"{stem}.npz", allow_pickle=False))


def stream_of(path: Path) -> tuple:
    with av.open(str(path)) as container:
        (stream,) = container.streams
        return stream.codec_context.name, stream.width, stream.height, float(stream.average_rate)


# files


def test_files_of_avec2012(semaine, unfilmed):
    def expected(stem: str, name: str, number: str) -> set[str]:
        labels = (f"audio/{name}/labels/labels_continuous_{name}{number}_{t}.dat" for t in ("arousal", "valence"))
        media = (f"audio/{name}/wav/{name}_audio{number}.wav", f"video/{name}/{name}_video{number}.avi")
        return {*labels, *media, f"truth/{stem}.npz"}

    assert set(contents(semaine)) == expected("train_001", "train", "001") | {"simulated.json"}
    assert expected("test_001", "tests", "001") < set(contents(unfilmed["avec2012"]))
    made = {"layout": "avec2012", "control": "salient", "seed": 0, "seconds": 5.0, "fps": 49.979}
    made |= {"train": 1, "devel": 0, "test": 0, "version": avec2012.VERSION}
    assert json.loads((semaine / "simulated.json").read_text()) == made


def test_files_of_recola(french):
    files = {"simulated.json"}
    for stem in ("train_1", "dev_1"):
        files |= {f"recordings_audio/{stem}.wav", f"recordings_video/{stem}.mp4", f"truth/{stem}.npz"}
        files |= {f"ratings_gold_standard/{target}/{stem}.arff" for target in ("arousal", "valence")}
        files |= {f"ratings_individual/{target}/{stem}.csv" for target in ("arousal", "valence")}
    assert set(contents(french)) == files


def test_avec2012_has_a_label_for_each_video_frame_and_at_its_time(semaine):
    (recording,) = avec2012_reader.list_recordings(semaine, ("train", "test"))
    labels, times = avec2012_reader.read_labels(recording), [time for time, _ in video.read_frames(recording.video)]
    np.testing.assert_allclose(labels.time, times, atol=1e-9)
    assert stream_of(recording.video) == ("mpeg4", 320, 240, 49.979)
    found = truth(semaine, recording.name)
    np.testing.assert_allclose(found["frame_time"], times, atol=1e-9)
    np.testing.assert_allclose(found["label_time"], times, atol=1e-9)


def test_recola_has_video_at_25_hz_and_one_label_more(french):
    for recording in recola_reader.list_recordings(french):
        labels, times = recola_reader.read_labels(recording), [time for time, _ in video.read_frames(recording.video)]
        assert stream_of(recording.video) == ("mpeg4", 320, 240, 25.0)
        assert len(times) == 125 and len(labels.time) == 126
        np.testing.assert_allclose(labels.time[:-1], times, atol=1e-9)


def test_audio_of_avec2012_has_the_extensible_header(semaine):
    info = soundfile.info(semaine / "audio" / "train" / "wav" / "train_audio001.wav")
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAVEX", "PCM_24", 48_000, 1)
    frames = len(truth(semaine, "train_001")["frame_time"])
    assert abs(info.duration - frames / 49.979) < 0.02


def test_gold_standard_of_recola_has_the_distributed_format(french):
    data = (french / "ratings_gold_standard" / "arousal" / "dev_1.arff").read_bytes()
    lines = data.split(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"") and lines[-1] == b"" and lines[7:9] == [b"@data", b""]
    assert [line.split(b",")[:2] for line in lines[9:12]] == [[b"dev_1", time] for time in (b"0", b"0.04", b"0.08")]
    assert len(lines) == 9 + 126 + 1 and lines[-2].startswith(b"dev_1,5,")


def test_ratings_of_recola_have_spaces_in_their_header_and_make_the_gold_standard(french):
    path = french / "ratings_individual" / "valence" / "dev_1.csv"
    lines = path.read_text().split("\n")
    assert lines[0] == "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3" and lines[1].startswith("0.00;")
    ratings = np.loadtxt(path, delimiter=";", skiprows=1)[:, 1:].T
    labels = recola_reader.read_labels(recola_reader.list_recordings(french, ("dev",))[0])
    assert ratings.shape == (6, 126)
    np.testing.assert_allclose(labels.valence, recola_reader.make_gold_standard(ratings), atol=1e-6)


# the readers


def test_readers_find_whole_corpora(semaine, french):
    assert avec2012_reader.check(semaine) == recola_reader.check(french) == []
    assert avec2012_reader.count(semaine) == {"train": 1, "devel": 0, "test": 0}
    assert recola_reader.count(french) == recola_reader.count_expected(french) == {"train": 1, "dev": 1, "test": 0}


@pytest.mark.parametrize("name", ["avec2012", "recola"])
def test_check_names_what_is_cut_or_missing(semaine, french, tmp_path, name, monkeypatch, capsys):
    source = {"avec2012": semaine, "recola": french}[name]
    for path, content in contents(source).items():
        if not path.startswith("ratings_individual"):  # which could take the place of the gold standard
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
    damaged = min([*tmp_path.rglob("*.dat"), *tmp_path.rglob("*.arff")])
    damaged.write_text(damaged.read_text().replace("0.0", "word", 1))
    cut = min([*tmp_path.rglob("*.avi"), *tmp_path.rglob("*.mp4")])
    cut.write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["check", name, str(tmp_path)])
    assert cli.run(check.main) == 1
    out = capsys.readouterr().out
    assert f"{tmp_path}: simulated {name}: 1 train" in out and "2 problems" in out
    assert f"  {damaged}: " in out and f"  {cut}: cannot be read as video" in out
    damaged.unlink()
    assert cli.run(check.main) == 1 and f"  {damaged}: missing" in capsys.readouterr().out


def test_a_recording_of_recola_shorter_than_the_corpus_says_is_refused(unfilmed, tmp_path):
    recording = recola_reader.list_recordings(unfilmed["recola"])[0]
    lines = recording.labels["valence"].read_bytes().splitlines(keepends=True)
    short = tmp_path / "ratings_gold_standard" / "valence" / "train_1.arff"
    short.parent.mkdir(parents=True)
    short.write_bytes(b"".join(lines[:-1]))
    (tmp_path / "simulated.json").write_bytes((unfilmed["recola"] / "simulated.json").read_bytes())
    recording.labels["valence"] = short
    with pytest.raises(InputError, match=f"{short}: has 1000 labels, expected 1001"):
        recola_reader.read_labels(recording)


# labels and truth


@pytest.mark.parametrize("name", ["avec2012", "recola"])
def test_labels_are_the_latent_about_2_s_later(unfilmed, name):
    reader = {"avec2012": avec2012_reader, "recola": recola_reader}[name]
    recordings = [recording for recording in reader.list_recordings(unfilmed[name]) if recording.labels]
    fit = []
    for recording in recordings:
        labels, found = reader.read_labels(recording), truth(unfilmed[name], recording.name)
        late, shifts = found["rater_delay"].mean(), np.arange(0, 4, 0.25)
        felt = [np.interp(labels.time - shift, labels.time, found["arousal"]) for shift in (late, *shifts)]
        fit.append([metrics.cc(labels.arousal, trace) for trace in felt])
    assert len(recordings) >= 3
    best, *curve = np.mean(fit, axis=0)
    assert best > 0.7 and abs(shifts[np.argmax(curve)] - 2.0) <= 0.5


def test_rater_traces_have_the_labels_as_their_mean():
    plan, times = script.write_script(0, "train_1", 20.0), np.arange(0, 20, 0.04)
    raters = script.draw_raters(0)
    traces = script.trace_raters(plan, raters, times)
    assert traces.shape == (6, len(times), 3)
    np.testing.assert_array_equal(script.rate(plan, raters, times), traces.mean(axis=0))
    assert traces[:, times > 3].std(axis=0).mean() > 0.03  # they differ
    steps = (traces[:, times > 3, :2] - script.SEWA.zero[:2]) / script.SEWA.scale[:2] / script.SEWA.grain
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)  # nobody moves a joystick by less
    assert not traces[:, 0].any()  # and rests at zero


def test_test_partition_of_recola_has_no_labels(unfilmed):
    found = recola_reader.list_recordings(unfilmed["recola"], ("test",))
    assert [(one.name, one.labels) for one in found] == [("test_1", {})]
    assert not list(unfilmed["recola"].glob("ratings_*/*/test_*"))


def test_recordings_of_recola_are_equally_long_and_those_of_avec2012_are_not(unfilmed):
    both = {}
    for name, reader in (("avec2012", avec2012_reader), ("recola", recola_reader)):
        read = [reader.read_labels(one).time for one in reader.list_recordings(unfilmed[name]) if one.labels]
        both[name] = {len(time) for time in read}
    assert both["recola"] == {1001} and len(both["avec2012"]) > 2


# people


def test_users_of_avec2012_come_four_times(tmp_path, monkeypatch):
    scenes = {}
    monkeypatch.setattr(avec2012, "write_audio", lambda path, scene: scenes.update({scene.plan.stem: scene}))
    monkeypatch.setattr(corpus, "write_video", lambda path, scene: np.zeros((len(scene.frame_time), 68, 2)))
    avec2012.write(tmp_path / "corpus", train=5, devel=1, test=0, seconds=SECONDS)
    scenes = [scenes[stem] for stem in ("train_001", "train_004", "train_005", "devel_001")]
    one, again, *others = ((tuple(scene.who.skin), scene.who.distance) for scene in scenes)
    assert one == again and len({one, *others}) == 3
    frames = [Camera(script.stream(0, scene.person, "paint"), scene.who).film for scene in scenes[:2]]
    first, second = (frame(scenes[0].state, 0, np.zeros((2, 2)))[0] for frame in frames)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(scenes[0].plan.episodes.start, scenes[1].plan.episodes.start)


# determinism and writing


@pytest.mark.parametrize("name", ["avec2012", "recola"])
def test_command_line_gives_the_same_bytes_in_any_number_of_jobs(semaine, french, tmp_path, name, monkeypatch, capsys):
    one = {"avec2012": ["--devel", "0", "--test", "0"], "recola": ["--dev", "0", "--jobs", "2"]}[name]
    arguments = ["simulate", name, str(tmp_path / "again"), "--train", "1", "--seconds", "5", *one]
    monkeypatch.setattr(sys, "argv", arguments)
    assert simulate.main() == 0 and "1 recordings" in capsys.readouterr().out
    again, before = contents(tmp_path / "again"), contents({"avec2012": semaine, "recola": french}[name])
    made = [json.loads(files.pop("simulated.json")) | {"devel": 0} for files in (again, before)]
    assert made[0] == made[1] and again == {path: before[path] for path in before if "dev_1" not in path}


def test_options_that_a_corpus_does_not_have_are_refused(tmp_path, monkeypatch):
    for name, option in (("avec2012", "--fps"), ("recola", "--devel"), ("avec2017", "--test")):
        monkeypatch.setattr(sys, "argv", ["simulate", name, str(tmp_path / "new"), option, "10"])
        with pytest.raises(InputError, match=f"{name} has no option {option}"):
            simulate.main()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"control": "none"}, {"train": 0}, {"test": -1}, {"seconds": 1.0}])
@pytest.mark.parametrize("writer", [avec2012, recola])
def test_impossible_parameters_are_refused(writer, wrong, tmp_path):
    with pytest.raises(InputError, match="simulated corpus cannot be written"):
        writer.write(tmp_path / "corpus", **wrong)
    assert list(tmp_path.iterdir()) == []
