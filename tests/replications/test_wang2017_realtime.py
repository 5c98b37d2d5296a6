"""The real-time chain on tiny videos and tiny untrained networks: every frame, in its order, gaps marked, memory constant."""

import json
import re
import signal
import sys
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from common import results, storage
from common.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_USAGE, EXIT_WRITE, InputError
from common.media import faces, video
from common.running import cli
from replications.wang2017 import attributes, engines, realtime

SETTINGS = {
    "face_size": 32, "cnn_width": 0.125, "fc_units": 24, "cnn_dropout": 0.5, "cnn_weight_decay": 0.0005,
    "clip_frames": 2, "clip_step": 10, "lstm_units": [4, 3], "inference": "clips", "scaling": "none",
}  # fmt: skip
FPS = 25


@pytest.fixture(scope="module")
def person():
    """Frames (35) of one simulated person, RGB 320x240, whose face shows all the time."""
    from datasets.simulated import script
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity, draw_nuisance

    plan, times = script.write_script(0, "Train_01", 20.0), np.arange(35) / FPS
    camera = Camera(script.stream(0, "paint"), draw_identity(script.stream(0, "Train_01", "identity")))
    state, affect = draw_nuisance(plan, times), script.trace_face(plan, times, "uniform")
    return [camera.film(state, index, affect[index])[0][..., ::-1].copy() for index in range(len(times))]


EMPTY = np.full((240, 320, 3), 128, np.uint8)


def write(path, images, ticks=None, rotation=0, fps=FPS):
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=fps)
        track.width, track.height, track.pix_fmt = images[0].shape[1], images[0].shape[0], "yuv420p"
        track.options, track.bit_rate = {"qmin": "2", "qmax": "4"}, 10_000_000
        track.set_display_rotation(rotation)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = index if ticks is None else ticks[index], Fraction(1, fps)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


@pytest.fixture(scope="module")
def clip(person, tmp_path_factory):
    return write(tmp_path_factory.mktemp("video") / "person.mp4", person)


@pytest.fixture(scope="module")
def networks(clip, tmp_path_factory):
    """load() with random weights, by precision."""
    cache = tmp_path_factory.mktemp("cache")
    arguments = lambda name: SimpleNamespace(weights="random", precision=name, every=1, cache=cache)  # noqa: E731
    names, landmarks = (engines.FASTEST, *engines.PRECISIONS), faces.locate_landmark_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(realtime, "simulate_clip", lambda cache: clip)
        return {name: realtime.load(arguments(name), SETTINGS, landmarks) for name in names}


@pytest.fixture(scope="module")
def streamed(clip, networks, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "person.csv"
    return realtime.stream(clip, out, *networks["float32"], SETTINGS, faces.locate_landmark_file()), out


def run(path, networks, tmp_path, every=1, precision="float32", settings=SETTINGS):
    out = tmp_path / "out.csv"
    measured = realtime.stream(path, out, *networks[precision], settings, faces.locate_landmark_file(), every)
    return measured, table(out)


def table(out) -> dict[str, np.ndarray]:
    """Columns of the CSV, NaN where a field is empty."""
    header, *lines = out.read_text().splitlines()
    rows = [[float(field or "nan") for field in line.split(",")] for line in lines]
    return dict(zip(header.split(","), np.array(rows).T, strict=True))


# every frame, as the networks score it


def test_each_frame_has_its_row(streamed):
    measured, out = streamed
    found = table(out)
    assert list(found) == ["time", "arousal", "valence", "face"]
    np.testing.assert_allclose(found["time"], np.arange(35) / FPS, atol=1e-4)
    assert (found["face"] == 1).all() and np.isfinite(found["arousal"]).all() and np.ptp(found["valence"]) > 0
    assert measured["frames"] == measured["predictions"] == 35 and measured["without_face"] == 0
    assert measured["video_fps"] == pytest.approx(FPS, rel=0.01)


def test_the_values_are_those_of_the_whole_sequences(streamed, clip, networks):
    """Ten phases, each in clips of `clip_frames` from a fresh state: by the extractor and loops over whole sequences."""
    engine, steppers = networks["float32"]
    tracker, size = faces.Tracker(faces.locate_landmark_file()), SETTINGS["face_size"]
    crops = [faces.crop(i, faces.fit_eye_alignment(tracker(i), size), size) for _, i in video.read_frames(clip)]
    features = engine.embed(np.array(crops))
    found = table(streamed[1])
    for target in realtime.TARGETS:
        expected = np.empty(len(features))
        for phase in range(10):
            for step, frame in enumerate(range(phase, len(features), 10)):
                if step % SETTINGS["clip_frames"] == 0:
                    steppers[target].reset()
                expected[frame] = steppers[target](features[frame : frame + 1])[0]
        np.testing.assert_allclose(found[target], expected, atol=1e-5)


def test_running_states_are_never_set_back(streamed, clip, networks, tmp_path):
    _, running = run(clip, networks, tmp_path, settings={**SETTINGS, "inference": "running"})
    found = table(streamed[1])
    np.testing.assert_array_equal(running["valence"][:20], found["valence"][:20])  # two steps of ten phases
    assert (np.abs(running["valence"][20:] - found["valence"][20:]) > 1e-6).all()


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_coarser_numbers_give_each_frame_its_row(precision, clip, networks, tmp_path):
    _, coarse = run(clip, networks, tmp_path, precision=precision)
    assert (coarse["face"] == 1).all() and all(np.isfinite(coarse[target]).all() for target in realtime.TARGETS)


@pytest.mark.parametrize("every", [5, 10])
def test_every_nth_frame_is_looked_at_and_held(every, streamed, clip, networks, tmp_path):
    measured, found = run(clip, networks, tmp_path, every=every)
    looked = np.arange(35) % every == 0
    assert measured["predictions"] == looked.sum() and measured["frames"] == 35
    assert (found["face"][looked] == 1).all() and np.isnan(found["face"][~looked]).all()
    held = np.arange(35) // every * every
    for target in realtime.TARGETS:
        np.testing.assert_array_equal(found[target], found[target][held])
    if every == 10:  # the tracker sees the face first in the same frame, later in others: near, not equal
        np.testing.assert_allclose(found["valence"][0], table(streamed[1])["valence"][0], atol=1e-5)


# what videos do


def test_gaps_are_marked(person, networks, tmp_path):
    """No face, then one, then none, then it returns elsewhere."""
    elsewhere = [np.roll(image, 40, axis=1) for image in person[:4]]
    path = write(tmp_path / "gaps.mp4", [EMPTY] * 3 + person[:6] + [EMPTY] * 4 + elsewhere)
    measured, found = run(path, networks, tmp_path)
    np.testing.assert_array_equal(found["face"], [0] * 3 + [1] * 6 + [0] * 4 + [1] * 4)
    for target in realtime.TARGETS:
        assert np.isnan(found[target][:3]).all() and np.isfinite(found[target][3:]).all()
    np.testing.assert_allclose(found["valence"][9:13], found["valence"][8], atol=1e-6)  # the last face stands in
    assert measured["without_face"] == 7 and measured["predictions"] == 14


def test_what_was_computed_is_not_computed_again(person, networks, tmp_path, monkeypatch):
    """Without a face fc6 is that of the last one; of frames that are not looked at there is not even a picture."""
    engine, steppers = networks["float32"]
    given, converted = [], []
    counted = replace(engine, embed=lambda faces: given.append(len(faces)) or engine.embed(faces))
    to_rgb = video._to_rgb
    monkeypatch.setattr(video, "_to_rgb", lambda *one: converted.append(1) or to_rgb(*one))
    path = write(tmp_path / "gap.mp4", person[:6] + [EMPTY] * 24)
    measured, found = run(path, {"float32": (counted, steppers)}, tmp_path, every=2)
    assert measured["predictions"] == 15 and sum(given[1:]) == 3 and len(converted) == 15  # the first call warms up
    assert np.isfinite(found["valence"]).all() and np.ptp(found["valence"][10:]) > 0  # the LSTM goes on


def test_a_variable_frame_rate_keeps_its_times(person, networks, tmp_path):
    ticks = [0, 1, 2, 10, 11, 30]
    _, found = run(write(tmp_path / "variable.mp4", person[:6], ticks), networks, tmp_path)
    np.testing.assert_allclose(found["time"], np.array(ticks) / FPS, atol=2e-3)


def test_a_phone_held_upright(person, networks, tmp_path):
    """Stored lying on its side with a display matrix: found as if it had been stored upright."""
    stored = [np.rot90(image) for image in person[:3]]
    _, found = run(write(tmp_path / "phone.mp4", stored, rotation=-90), networks, tmp_path)
    assert (found["face"] == 1).all()
    with pytest.raises(InputError, match="no face"):
        run(write(tmp_path / "lying.mp4", stored), networks, tmp_path)


# memory


def test_memory_does_not_grow_with_the_video(monkeypatch, networks, tmp_path):
    points = np.zeros((68, 2), np.float32)
    points[faces.RIGHT_EYE], points[faces.LEFT_EYE] = (20, 20), (40, 20)

    def found(tracker, image):
        if not tracemalloc.is_tracing():  # the networks are built by now
            tracemalloc.start()
        return points

    monkeypatch.setattr(faces.Tracker, "__call__", found)
    peaks = []
    for count in (60, 240):
        path = write(tmp_path / f"{count}.mp4", [np.full((48, 64, 3), 90, np.uint8)] * count)
        run(path, networks, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000  # 180 more frames of 9216 bytes, had they been kept, are 1.7 million


# the command line


@pytest.fixture
def command(monkeypatch, tmp_path, networks):
    """Runs the command line with the tiny settings; returns its exit code."""
    monkeypatch.setattr(realtime, "load_paper", lambda path: None)
    monkeypatch.setattr(realtime, "resolve_settings", lambda paper, profile: SETTINGS)
    monkeypatch.setattr(realtime, "load", lambda arguments, *_: networks[arguments.precision])

    def call(*options) -> int:
        folders = ["--results", tmp_path / "results", "--cache", tmp_path / "cache"]
        monkeypatch.setattr(sys, "argv", ["realtime", *map(str, [*options, *folders])])
        return cli.run(realtime.main)

    return call


def one_error(capsys) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_measurement_writes_series_and_record(command, clip, networks, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(realtime, "simulate_clip", lambda cache: clip)
    assert command("--weights", "random") == 0
    printed = capsys.readouterr().out.splitlines()
    assert "untrained" in printed[0] and any("frames per second" in line for line in printed)
    file = tmp_path / "results/wang2017/measured/quick/all/realtime/every1-seed0.json"
    record = results.read(file)
    assert len(file.with_suffix(".affect.csv").read_text().splitlines()) == 36
    assert record["scores"]["all"]["*"]["FPS"] == pytest.approx(35 / record["seconds"]["total"])
    assert set(record["seconds"]) == {"decoding", "faces", "CNN", "LSTM", "total"}
    assert 0 < record["latency"]["median"] <= record["latency"]["p95"] < record["seconds"]["total"]
    engine = networks[engines.FASTEST][0]
    assert (record["precision"], record["faces_per_second"]) == (engine.precision, engine.speeds)
    assert f"in {engine.precision}; faces per second of those that may be chosen: float32 " in "\n".join(printed)
    assert set(engine.speeds) >= {"float32", "int8"}
    expected = {
        "paper": "wang2017", "corpus": "measured", "evidence": "measured", "profile": "quick", "target": "all",
        "variant": "realtime", "fold": "every1", "seed": 0, "weights": "random", "settings": SETTINGS,
        "corpus_digest": storage.digest_file(clip),
    }  # fmt: skip
    assert {name: record[name] for name in expected} == json.loads(json.dumps(expected))


def test_every_and_a_precision_that_is_asked_for_name_the_record(command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(realtime, "simulate_clip", lambda cache: clip)
    out = tmp_path / "new" / "series.csv"
    assert command("--weights", "random", "--every", 10, "--precision", "bfloat16", "--out", out) == 0
    record = results.read(tmp_path / "results/wang2017/measured/quick/all/realtime/every10-bfloat16-seed0.json")
    assert (record["fold"], record["precision"]) == ("every10-bfloat16", "bfloat16")
    assert record["predictions"] == 4 and out.exists()


def test_a_video_of_one_s_own_changes_no_number_of_the_report(command, person, tmp_path):
    path = write(tmp_path / "own.mp4", person[:2])
    assert command(path, "--weights", "random") == 0
    assert len(table(tmp_path / "own.affect.csv")["time"]) == 2 and not list(tmp_path.rglob("*.json"))


def test_two_faces_are_noted(command, person, tmp_path, capsys):
    both = [np.concatenate([image, image], axis=1) for image in person[:2]]
    assert command(write(tmp_path / "two.mp4", both), "--weights", "random") == 0
    assert "note: " in (shown := capsys.readouterr().err) and "shows up to 2 faces" in shown


def no_frames(path):
    with av.open(str(path), "w", format="avi") as container:
        track = container.add_stream("mpeg4", rate=FPS)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()  # the header, and nothing more


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: write(path, [EMPTY] * 12), "no face found in 12 frames"),
        (no_frames, "holds no frame"),
        (lambda path: path.write_bytes(b"no video at all" * 100), "cannot be read as video"),
        (lambda path: None, "cannot be read as video"),
    ],
    ids=["no face", "no frames", "no video", "missing"],
)
def test_what_cannot_be_used_is_one_line(command, tmp_path, capsys, make, words):
    path = tmp_path / "bad.avi"
    make(path)
    assert command(path, "--weights", "random") == EXIT_INPUT
    assert re.search(f"bad.avi.*{words}", one_error(capsys))


def test_without_trained_networks_the_remedy_is_named(command, clip, capsys):
    assert command(clip) == EXIT_INPUT
    line = one_error(capsys)
    assert "python -m replications.wang2017.run" in line and "--weights random" in line


@pytest.fixture
def trained(tmp_path, person) -> Path:
    """What a run leaves: its record, which has the settings and names the CNN and faces, and the weights."""
    import keras

    from replications.wang2017 import models

    keras.utils.set_random_seed(0)  # as load() draws them
    cnn = attributes.build_network(SETTINGS)
    keras.utils.set_random_seed(0)
    stacks = {target: models.build_stack(SETTINGS, SETTINGS["fc_units"]) for target in realtime.TARGETS}
    tracker, size = faces.Tracker(faces.locate_landmark_file()), SETTINGS["face_size"]
    crops = np.array([faces.crop(i, faces.fit_eye_alignment(tracker(i), size), size) for i in person[:12]])
    names = {"trained on": ["a.faces.npy", "b.faces.npy"], "held out": ["c.faces.npy"]}
    for name, some in zip(("a", "b", "c"), (crops[:6], crops[:0], crops[6:])):
        storage.write_npy(tmp_path / "cache" / "features" / f"{name}.faces.npy", some)
    file = tmp_path / "results/wang2017/simulated/quick/all/ast-net/devel-seed0.json"
    attributes.save(tmp_path / "cache" / "attributes" / "cnn.npz", cnn)
    record = {"settings": SETTINGS, "cnn": {"file": "cnn.npz"}, "faces": names}
    results.write(file, record, models.collect_weights(stacks))
    return file


def run_trained(monkeypatch, tmp_path, clip, *more) -> int:
    options = ["--results", tmp_path / "results", "--cache", tmp_path / "cache", "--out", tmp_path / "out.csv", *more]
    monkeypatch.setattr(sys, "argv", ["realtime", *map(str, [clip, *options])])
    return cli.run(realtime.main)


def test_trained_networks_are_those_of_the_run(trained, streamed, clip, tmp_path, monkeypatch, capsys):
    assert run_trained(monkeypatch, tmp_path, clip, "--precision", "float32") == 0
    assert "untrained" not in capsys.readouterr().out
    np.testing.assert_array_equal(table(tmp_path / "out.csv")["valence"], table(streamed[1])["valence"])
    (tmp_path / "cache" / "attributes" / "cnn.npz").unlink()
    assert run_trained(monkeypatch, tmp_path, clip, "--precision", "float32") == EXIT_INPUT
    assert "cnn.npz" in one_error(capsys)


def test_the_fastest_precision_is_judged_on_the_faces_of_the_run(trained, clip, tmp_path, monkeypatch, capsys):
    compared = []
    near = {target: {"CCC": 0.9995, "largest": 0.001} for target in realtime.TARGETS}
    monkeypatch.setattr(engines, "compare", lambda *them: compared.append(them[-1]) or near)
    monkeypatch.setattr(engines, "list_candidates", lambda: ["float32", "int8"])
    assert run_trained(monkeypatch, tmp_path, clip) == 0
    ((heldout,),) = compared
    np.testing.assert_array_equal(heldout, np.load(tmp_path / "cache/features/c.faces.npy", allow_pickle=False))
    assert "CCC of the series with those of float32: int8 0.9995" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "c.faces.npy").unlink(), "c.faces.npy: that file of .* is not in this cache"),
        (lambda folder: (folder / "c.faces.npy").write_text("text"), "c.faces.npy: cannot be read"),
        (lambda folder: storage.write_npy(folder / "c.faces.npy", np.zeros((0, 32, 32, 3), np.uint8)), "kept no faces"),
    ],
    ids=["missing", "damaged", "empty"],
)
def test_without_faces_to_compare_the_remedy_is_named(trained, clip, tmp_path, monkeypatch, capsys, break_it, words):
    break_it(tmp_path / "cache" / "features")
    assert run_trained(monkeypatch, tmp_path, clip) == EXIT_INPUT
    assert re.search(f"{words}.*run again", one_error(capsys))


@pytest.mark.parametrize("every", [0, 3, 20])
def test_every_divides_the_step(command, clip, capsys, every):
    assert command(clip, "--weights", "random", "--every", every) == EXIT_INPUT
    assert f"--every {every}: give a divisor of the 10" in one_error(capsys)


def test_the_csv_is_not_the_video(command, clip):
    before = clip.read_bytes()
    with pytest.raises(SystemExit) as caught:
        command(clip, "--out", clip, "--weights", "random")
    assert caught.value.code == EXIT_USAGE and clip.read_bytes() == before


def test_a_csv_that_cannot_be_written(command, clip, tmp_path, capsys):
    assert command(clip, "--weights", "random", "--out", tmp_path) == EXIT_WRITE
    assert str(tmp_path) in one_error(capsys)


def test_an_interrupted_run_keeps_whole_rows(command, clip, tmp_path, monkeypatch, capsys):
    """A real SIGINT while the second block is computed."""
    rows, calls = realtime.format_rows, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return rows(*arguments)

    monkeypatch.setattr(realtime, "format_rows", interrupted)
    assert command(clip, "--weights", "random", "--out", tmp_path / "part.csv") == EXIT_INTERRUPTED
    assert len(table(tmp_path / "part.csv")["time"]) == 10
    assert "part.csv: holds" in capsys.readouterr().err
    assert not list(tmp_path.glob("results/**/*.json"))


def test_the_simulated_clip_is_written_once_and_shows_a_face(tmp_path, monkeypatch):
    monkeypatch.setattr(realtime, "CLIP_SECONDS", 1)
    path = realtime.simulate_clip(tmp_path)
    instant, images = zip(*video.read_frames(path))
    assert len(images) == realtime.CLIP_FPS and images[0].shape == (480, 640, 3)
    assert faces.Tracker(faces.locate_landmark_file())(images[0]) is not None
    changed = path.stat().st_mtime_ns
    assert realtime.simulate_clip(tmp_path) == path and path.stat().st_mtime_ns == changed
