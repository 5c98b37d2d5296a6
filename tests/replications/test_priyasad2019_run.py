"""The replication from its command line: clips in, tables and result files out, and every way to fail."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common import results
from common.ceiling import predict_classes
from common.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_USAGE, EXIT_WRITE
from common.evidence.paper import resolve_number
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.media import audio, video
from common.running.corpora import Corpus
from datasets import enterface, layout, rml
from datasets.acted import CLASSES
from replications.priyasad2019 import ceiling, features, run
from replications.priyasad2019.experiment import VARIANTS
from replications.priyasad2019.features import Clip, Segments
from tests.common.media import test_ssd
from tests.processes import INTERRUPTED, call, interrupt, kill, started, wait_for
from tests.replications.test_priyasad2019_features import OVERRIDES, corpora, film, hand, voice

ROOT = Path(__file__).parents[2]
TINY = [word for override in OVERRIDES for word in ("--set", override)]
LAST = ["--set", "stopping=last"]  # where so few clips are no tenth to spare
CEILINGS = ("ceiling-both", "ceiling-face", "ceiling-voice")  # what they see; where there is truth
FOLDS = {"loso": 3, "kfold": 2, "kfold-segments": 2}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """Two simulated corpora of the same films, the one of them as if it were real, and a cache. To be read only."""
    found = corpora(tmp_path_factory)
    return found | {"REAL": real(found["RML"], tmp_path_factory.mktemp("real") / "rml")}


def real(source: Path, root: Path) -> Path:
    """A copy that nothing marks as simulated; truth there is none of people."""
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("truth", layout.MARKER), copy_function=os.link)
    return root


@pytest.fixture(scope="module", autouse=True)
def learnt_once():
    """Of the same inputs the plain learner says the same: it is fitted to them once for all tests of this file."""
    said = {}

    def predict(*arrays):
        key = tuple((array.shape, array.dtype.str, array.tobytes()) for array in arrays)
        if key not in said:
            said[key] = predict_classes(*arrays)
        return said[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceiling, "predict_classes", predict)
        yield


@pytest.fixture
def apart(places, tmp_path) -> dict[str, Path]:
    """The same, but for the folds: what is invented in the place of training stays out of the common cache."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("features", "segments"):
        (places["CACHE"] / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(places["CACHE"] / name)
    return places | {"CACHE": cache}


@pytest.fixture
def copied(places, tmp_path) -> Path:
    """A copy of the simulated RML that a test may damage, file by file."""
    return Path(shutil.copytree(places["RML"], tmp_path / "rml"))


def arguments(places, folder: Path, *more, corpus="RML") -> list:
    words = ["--corpus", places.get(corpus, corpus), "--cache", places["CACHE"], "--results", folder]
    return [*words, "--jobs", "1", "--threads", "1", *TINY, *more]


def command(*words) -> list[str]:
    return [sys.executable, "-m", "replications.priyasad2019.run", *map(str, words)]


def records(folder: Path) -> dict[tuple[str, str, str], dict]:
    return {(r["corpus"], r["variant"], r["fold"]): r for _, r in results.find(folder, "priyasad2019")}


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def told(err: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", err) if line.startswith(("unusable:", "error:"))]


# what a fold says of a segment, in the place of what networks would


def skilled(protocol: str, subject: str, label: int) -> int:
    """Subjects that were not seen are never recognised, and of those that were the third not."""
    return label if protocol != "loso" and subject != "s3" else (label + 1) % len(CLASSES)


def told_by(task, fold, subject_of) -> dict[str, np.ndarray]:
    test = fold.split.test
    chosen = [skilled(task.variant, subject_of(number), fold.labels[number]) for number in test]
    posteriors = np.full((len(test), len(CLASSES)), 0.1, np.float32)
    posteriors[np.arange(len(test)), chosen] = 0.5
    beta = np.tile(np.array([0.25, 0.75], np.float32), (len(test), 1))
    return {f"posterior/{name}": posteriors for name in VARIANTS} | {"beta": beta, "test": test}


@pytest.fixture
def invented(monkeypatch):
    """Instead of the training: results of folds that know `skilled`. What was asked for and what of it was waiting."""
    asked = {}

    def subject_of(fold):
        plan = next(plan for plan in asked["plans"] if plan.prepared.segments is fold.segments)
        clips = plan.prepared.corpus.recordings
        return lambda number: f"s{clips[fold.segments.clip[number]].subject.removeprefix('s')}"

    def faked(todo, work, jobs, threads, scheduler=None):
        waiting = [task for task in todo if not task.done()]
        for task in waiting:
            fold = work.keywords["folds"][task.path]
            record = {"fold": task.fold, "task_digest": task.digest, "seconds": {"phase 1": 1.0, "phase 2": 1.0}}
            record |= {"history": {name: {"loss": [1.0]} for name in VARIANTS}}
            record |= {"training_accuracy": dict.fromkeys(VARIANTS, 50.0)}
            record |= {"provenance": {"date": "2019-08-10T00:00:00+00:00"}}
            results.write(task.path, record, told_by(task, fold, subject_of(fold)))
        asked.update(waiting=[task.variant for task in waiting], words=(jobs, threads, scheduler))
        return len(waiting)

    def noted(*words):
        found = plans(*words)
        asked.setdefault("plans", []).extend(found)
        return found

    plans = run.plan_protocols
    monkeypatch.setattr(run, "plan_protocols", noted)
    monkeypatch.setattr("common.running.dispatch.run", faked)
    return asked


@pytest.fixture
def stopped(monkeypatch):
    """In the place of the training: what of it was waiting, by protocol; nothing is written."""
    seen = {}

    def faked(todo, *_):
        seen["waiting"] = [task.variant for task in todo if not task.done()]
        raise KeyboardInterrupt  # there are no results to be read

    monkeypatch.setattr("common.running.dispatch.run", faked)
    return seen


# --------------------------------------------------------------------------------------- from clips to the tables


@pytest.fixture(scope="module")
def finished(places, tmp_path_factory):
    """One run with real training: its results folder and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    return folder, *call(run.main, *arguments(places, folder, "--protocols", "kfold"))


def test_tables_with_published_and_own_numbers_are_printed(finished):
    folder, out, err = finished
    for words in (
        "2 of 2 folds computed, 0 were there",
        "table2",
        "RML: Ours",
        "98.70",
        "NOT_COMPARABLE",
        "K-fold of clips",
    ):
        assert words in out
    ours = {
        variant: record["scores"]["emotion"]["*"]["accuracy"] for (_, variant, _), record in records(folder).items()
    }
    assert f"{ours['proposed']:.2f}" in out and f"{ours['audio']:.3f}" in out and set(ours) == {*VARIANTS, *CEILINGS}
    assert "eNTERFACE: Ours" not in out and "table1" not in out  # nothing of ours is there
    for words in ("Traceback", "Warning", "WARNING", "Exception"):
        assert words not in err


def test_results_and_nothing_else(finished):
    folder, _, _ = finished
    base = "priyasad2019/simulated/quick/all"
    variants = VARIANTS + CEILINGS
    expected = [f"{base}/{variant}/kfold-seed0.{kind}" for variant in variants for kind in ("json", "npz")]
    assert sorted(path.relative_to(folder).as_posix() for path in files(folder)) == sorted(expected)


def test_a_record_says_what_was_done(finished, places):
    folder, _, _ = finished
    for (corpus, variant, fold), record in records(folder).items():
        assert (corpus, fold, record["evidence"], record["profile"]) == ("simulated", "kfold", "simulated", "quick")
        chosen = record["settings"]
        assert record["source"]["vgg19"] == [32, 4, 8, "random 0"] and record["source"]["detector"][0] == "dlib"
        assert chosen["weights"] == "random" and chosen["detector"] == "dlib" and chosen["vgg_width"] == 4
        assert record["unusable"] == record["left_out"] == [] and len(record["recordings"]) == 18
        assert record["chats"]["s2/english/fe1"] == "s2"
        assert 0 <= record["training_scores"]["emotion"]["accuracy"] <= 100
        if variant in VARIANTS:
            assert [fold["fold"] for fold in record["folds"]] == ["1", "2"]
            assert record["parameters"] > 0 and len(record["history"]["loss"]) == 1
        text = json.dumps(record)
        assert all(str(place) not in text for place in (*places.values(), folder, ROOT))  # no path of this machine
        arrays = results.read_arrays(next(folder.rglob(f"{variant}/*.json")), record)
        assert not [name for name in arrays if name.startswith("example/")]  # it is with "loso"
        posteriors = arrays["segments/emotion"]
        assert posteriors.shape == (sum(row["segments"] for row in record["recordings"]), 6)
        np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)


def test_second_call_does_nothing_and_prints_the_same(finished, places, called):
    folder, printed, _ = finished
    before = files(folder) | files(places["CACHE"])
    code, out, err = called(*arguments(places, folder, "--protocols", "kfold"))
    assert code == 0 and "0 of 2 folds computed, 2 were there" in out, err
    assert out.splitlines()[1:] == printed.splitlines()[1:]
    assert before == files(folder) | files(places["CACHE"])


def test_a_result_that_is_gone_is_put_together_again(finished, places, tmp_path, called):
    """From its folds, which the cache has."""
    folder = Path(shutil.copytree(finished[0], tmp_path / "results"))
    lost, damaged = (next(folder.rglob(f"{variant}/*.json")) for variant in ("audio", "proposed"))
    before = lost.read_bytes(), damaged.read_bytes()
    lost.unlink()
    damaged.write_bytes(before[1][:99])
    code, out, err = called(*arguments(places, folder, "--protocols", "kfold"))
    assert code == 0 and "0 of 2 folds computed" in out, err
    assert (lost.read_bytes(), damaged.read_bytes()) == before


@pytest.mark.parametrize(
    ("more", "waiting"),
    [
        ([], []),
        (["--variants", "audio", "proposed"], []),
        (["--jobs", "2"], []),
        (["--corpus", "REAL"], []),  # the same films, told apart by a marker: their folds are the same
        (["--seeds", "0", "1"], ["kfold"] * 2),
        (["--set", "hidden_units=4"], ["kfold"] * 2),
        (["--set", "ties=first"], []),  # a matter of the vote
        (["--set", "folds=3"], ["kfold"] * 3),
        (["--protocols", "kfold-segments", "kfold", "loso"], ["loso"] * 3 + ["kfold-segments"] * 2),
        (["--corpus", "ENTERFACE"], ["kfold"] * 2),
    ],
    ids=lambda value: " ".join(value) or "same",
)
def test_what_is_not_there_under_these_settings_is_computed(finished, places, called, stopped, more, waiting):
    words = arguments(places, finished[0], "--protocols", "kfold", *(places.get(word, word) for word in more))
    code, _, err = called(*words)
    assert code == EXIT_INTERRUPTED and stopped["waiting"] == waiting, err
    assert told(err) == [INTERRUPTED]


# -------------------------------------------------------------------- all protocols, without the time of training


def test_protocols_variants_and_seeds_can_be_chosen(apart, tmp_path, called, invented):
    words = ["--protocols", "kfold", "loso", "--variants", "audio", "proposed", "--seeds", "3", "1", "3", *LAST]
    code, out, err = called(*arguments(apart, tmp_path / "results", *words))
    assert code == 0 and invented["waiting"] == ["loso"] * 6 + ["kfold"] * 4, err  # in the order of the paper
    folder = tmp_path / "results"
    names = {path.relative_to(folder / "priyasad2019/simulated/quick/all").as_posix() for path in files(folder)}
    assert names == {
        f"{variant}/{protocol}-seed{seed}.{kind}"
        for variant in ("audio", "proposed")
        for protocol in ("loso", "kfold")
        for seed in (1, 3)
        for kind in ("json", "npz")
    }
    assert "RML: Ours" in out and "faces alone" not in out  # of which there is no number


def test_what_subjects_apart_and_shared_are_worth(apart, tmp_path, called, invented):
    assert called(*arguments(apart, tmp_path))[0] == 0
    found = records(tmp_path)
    assert len(found) == (4 + 3) * 3
    for (_, variant, protocol), record in found.items():
        if variant in VARIANTS:
            assert record["scores"]["emotion"]["*"]["accuracy"] == pytest.approx(0 if protocol == "loso" else 200 / 3)
            assert record["training_scores"] == {"emotion": {"accuracy": 50}}
    assert {key[1:] for key, record in found.items() if "mechanism" in record} == {("proposed", "loso")}
    mechanism = found["simulated", "proposed", "loso"]["mechanism"]
    assert set(mechanism) == {"speech", "modalities", "kfold", "kfold-segments"}
    for name in ("kfold", "kfold-segments"):
        assert mechanism[name]["points"] == pytest.approx(200 / 3) and mechanism[name]["frames"] == 18
    assert mechanism["modalities"]["sound"] == pytest.approx(0.25) and mechanism["speech"]["within"] == 1


def test_protocols_that_come_later_renew_what_is_measured(apart, tmp_path, called, invented):
    def measured(*protocols):
        code, out, err = called(*arguments(apart, tmp_path, "--variants", "proposed", "--protocols", *protocols))
        assert code == 0, err
        return set(records(tmp_path)["simulated", "proposed", "loso"]["mechanism"]), invented["waiting"]

    always = {"speech", "modalities"}
    assert measured("loso") == (always, ["loso"] * 3)
    assert measured("loso", "kfold") == (always | {"kfold"}, ["kfold"] * 2)  # and no fold of loso again
    assert measured("loso", "kfold", "kfold-segments") == (always | {"kfold", "kfold-segments"}, ["kfold-segments"] * 2)
    assert measured("loso") == (always | {"kfold", "kfold-segments"}, [])  # what is there stays compared


def test_leaving_one_subject_out_has_as_many_folds_as_subjects(tmp_path):
    """Of 42, as in eNTERFACE'05: each is tested in one fold and in no other trained on."""
    clips, nothing = [], np.zeros(2)
    for number in range(1, 43):
        for label, name in enumerate(CLASSES):
            name = f"subject {number}/{name.lower()}/sentence 1"
            clips.append(Clip(name, str(number), label, Path(name), Path(name), *[nothing] * 4, digest=name))
    owner = np.repeat(np.arange(len(clips)), 3)
    segments = Segments(np.empty((len(owner), 8)), np.empty((0, 8)), np.empty((0, 20), int), owner, (nothing, nothing))
    prepared = run.Prepared(Corpus("enterface", tmp_path, clips), segments, [])
    asked = SimpleNamespace(protocols=["loso"], seeds=[0], cache=tmp_path)
    paper = load_paper(run.PAPER)
    plan = run.plan_protocols(prepared, paper, resolve_settings(paper, "paper"), asked)[0]
    assert plan.protocol == "loso" and len({task.path for task in plan.folds}) == 42
    subjects = np.array([clips[number].subject for number in owner])
    tested = []
    for task, fold in plan.folds.items():
        assert set(subjects[fold.split.test]) == {task.fold} and len(fold.split.test) == 18
        apart = [set(subjects[part]) for part in (fold.split.train, fold.split.held, fold.split.test)]
        assert len(set.union(*apart)) == sum(map(len, apart)) == 42
        assert fold.labels.tolist() == [clips[number].label for number in owner]
        tested += fold.split.test.tolist()
    assert sorted(tested) == list(range(len(owner)))


def test_both_simulated_corpora_fill_the_tables_and_the_report(apart, tmp_path, called, invented, monkeypatch):
    from reports import build, evaluation

    monkeypatch.setattr(run, "write_cached", lambda kind, *_, **__: apart[kind.upper()])
    code, out, err = called(*arguments(apart, tmp_path / "results", "--variants", "proposed", corpus="simulated"))
    assert code == 0 and "14 of 14 folds computed" in out, err
    for words in ("table1", "table2", "figure4", "RML: Ours", "eNTERFACE: Ours", "76.13", "78.49", "98.70", "97.75"):
        assert words in out
    done = records(tmp_path / "results")
    assert {corpus for corpus, _, _ in done} == {"simulated", "simulated-enterface"}
    assert len(done) == 6 + 3  # a ceiling for each protocol on the corpus that has its truth
    mechanism = done["simulated-enterface", "proposed", "loso"]["mechanism"]
    assert "speech" not in mechanism and "kfold" in mechanism  # there is no truth beside this one

    monkeypatch.setattr("common.running.options.count_cores", lambda: 1)  # what draws is here already
    evaluated = evaluation.evaluate(load_paper(run.PAPER), tmp_path / "results")
    printed = {(cell.exhibit, cell.row, cell.column): cell for cell in evaluated.cells if cell.published}
    assert len(evaluated.files) == 9 and len(printed) == 6 + 6 + 36
    cell = printed["table2", "RML: Ours", "Accuracy"]
    assert cell.verdict == "NOT_COMPARABLE" and cell.ours == pytest.approx(200 / 3)
    assert printed["figure4", "Anger", "Disgust"].ours == 100  # what `skilled` says of subjects apart
    assert printed["table1", "RML: Zhang et al.", "Accuracy"].verdict == "NOT_RUN"
    build.write([evaluation.add_audit(evaluated)], tmp_path / "report")
    drawn = {path.stem for path in (tmp_path / "report" / "figures").glob("*.svg")}
    assert {f"priyasad2019-figure{number}" for number in range(1, 8)} <= drawn and "priyasad2019-mechanism" in drawn
    rows = (tmp_path / "report" / "cells.csv").read_text().splitlines()
    assert sum(row.startswith(("priyasad2019,table", "priyasad2019,figure4")) for row in rows) == 48
    page = (tmp_path / "report" / "priyasad2019.html").read_text()
    assert "eNTERFACE: attention fusion" in page and "76.13" in page


# ------------------------------------------------------------------------------------------------ corpora and clips


def example(folder: Path) -> set[str]:
    (path,) = folder.rglob("proposed/loso-seed0.json")
    found = results.read_arrays(path, results.read(path))
    return {name.removeprefix("example/") for name in found if name.startswith("example/")}


@pytest.mark.parametrize(
    ("corpus", "more", "name", "evidence", "faces"),
    [
        ("RML", [], "simulated", "simulated", True),
        ("ENTERFACE", [], "simulated-enterface", "simulated", True),
        ("REAL", [], "rml", "real", False),  # licensed faces may not be shown
        ("REAL", ["--set", "persons_in_results=always"], "rml", "real", True),
    ],
    ids=["simulated", "the other", "real", "real, with faces"],
)
def test_a_corpus_is_named_and_shown_for_what_it_is(
    places, tmp_path, called, invented, corpus, more, name, evidence, faces
):
    words = arguments(places, tmp_path, "--variants", "proposed", "--protocols", "loso", *more, corpus=corpus)
    code, out, err = called(*words)
    assert code == 0, err
    found = records(tmp_path)
    assert set(found) == {(name, v, "loso") for v in ("proposed", *(["ceiling-both"] if corpus == "RML" else []))}
    record = found[name, "proposed", "loso"]
    assert record["evidence"] == evidence
    assert ("speech" in record["mechanism"]) == (corpus == "RML")
    assert example(tmp_path) >= {"sound", "seconds", "coefficients", "ratio", "speech", "span"}
    assert ({"faces", "face_times"} <= example(tmp_path)) == faces == bool({"faces", "face_times"} & example(tmp_path))
    assert ("Simulated numbers" in out) == (evidence == "simulated")


def test_the_folder_above_or_below_is_the_same_corpus(places, tmp_path, called, stopped):
    for folder in (places["ENTERFACE"], places["ENTERFACE"] / "enterface database"):
        (found,) = run.corpora.locate_corpora(str(folder), run.READERS, list)
        assert (found.reader, found.name, len(found.recordings)) == (enterface, "simulated-enterface", 18)
    (found,) = run.corpora.locate_corpora(str(places["REAL"]), run.READERS, list)
    assert (found.reader, found.name, found.simulation) == (rml, "rml", None)


def recorded(path: Path, change) -> None:
    """The same sound, and each picture as `change(its number, it)`, at 30 per second."""
    import av

    pictures = [change(number, image) for number, (_, image) in enumerate(video.read_frames(path))]
    sound = audio.read_from_video(path, rml.RATE)
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=rml.FPS)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        track = container.add_stream("pcm_s16le", rate=rml.RATE, layout="mono")
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
        samples = av.AudioFrame.from_ndarray(
            np.round(sound * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        samples.sample_rate = rml.RATE
        container.mux(track.encode(samples))
        container.mux(track.encode())


def without_faces(path: Path, first: int, count: int) -> None:
    recorded(path, lambda number, image: image * 0 + 90 if first <= number < first + count else image)


def test_clips_without_a_face_for_too_long_are_left_out_and_named(apart, copied, tmp_path, called, invented):
    long, short = (copied / f"rml-1/s1/{name}1.avi" for name in ("fe", "ha"))
    without_faces(long, 20, 20)
    without_faces(short, 20, 8)
    code, _, err = called(*arguments(apart, tmp_path / "results", "--variants", "proposed", *LAST, corpus=copied))
    assert code == 0 and "simulated: left out, no face for too long: s1/fe1" in re.split(r"[\r\n]+", err), err
    for record in records(tmp_path / "results").values():
        rows = {row["name"]: row for row in record["recordings"]}
        assert record["left_out"] == ["s1/fe1"] and len(rows) == 17 and "s1/fe1" not in rows
        assert rows["s1/ha1"]["frames_without_face"] == 8 and rows["s1/an1"]["frames_without_face"] == 0
        assert record["unusable"] == []
    stricter = arguments(
        apart,
        tmp_path / "stricter",
        "--set",
        "max_missing=7",
        *LAST,
        "--variants",
        "proposed",
        "--protocols",
        "loso",
        corpus=copied,
    )
    code, _, err = called(*stricter)
    assert code == 0 and "no face for too long: s1/fe1, s1/ha1" in err
    assert records(tmp_path / "stricter")["simulated", "proposed", "loso"]["left_out"] == ["s1/fe1", "s1/ha1"]


def test_a_class_of_which_all_clips_are_left_out(places, copied, tmp_path, called):
    for path in copied.rglob("fe1.avi"):
        without_faces(path, 20, 20)
    code, _, err = called(*arguments(places, tmp_path / "results", corpus=copied))
    assert code == EXIT_INPUT
    assert told(err) == [
        f"error: {copied}: no usable clip of the class Fear; add some, or allow more frames without a face with "
        f"--set max_missing=N"
    ]


def test_a_subject_with_one_clip(apart, copied, tmp_path, called, invented):
    for path in (copied / "rml-1/s3").glob("*.avi"):
        if path.stem != "di1":
            path.unlink()
    code, _, err = called(*arguments(apart, tmp_path / "results", *LAST, corpus=copied))
    assert code == 0 and invented["waiting"] == ["loso"] * 3 + ["kfold"] * 2 + ["kfold-segments"] * 2, err
    tested = {
        task.fold: fold.split.test
        for plan in invented["plans"]
        for task, fold in plan.folds.items()
        if task.variant == "loso"
    }
    assert set(tested) == {"s1", "s2", "s3"}
    assert len(set(invented["plans"][0].prepared.segments.clip[tested["s3"]])) == 1


def test_a_single_subject_cannot_be_left_out(apart, copied, tmp_path, called, invented):
    for name in ("s2", "s3"):
        shutil.rmtree(copied / "rml-1" / name)
    code, _, err = called(*arguments(apart, tmp_path / "results", corpus=copied))
    assert code == EXIT_INPUT and "loso: leaving one subject out needs two" in told(err)[0] and len(told(err)) == 1


def test_a_class_of_one_clip_is_missing_from_a_fold(apart, copied, tmp_path, called, invented):
    """Whoever has acted it cannot be left out; the message says what can be done."""
    for name in ("s2/english", "s3"):
        (copied / f"rml-1/{name}/fe1.avi").unlink()
    code, _, err = called(*arguments(apart, tmp_path / "results", corpus=copied))
    assert code == EXIT_INPUT and told(err) == [told(err)[0]]
    assert "would train on no clip of Fear; choose other --protocols" in told(err)[0]


DEFECTS = {
    "no sound": (lambda path: film(path, 50), "has no sound"),
    "no speech": (lambda path: hand(path, 50, voice(2, 9, 9)), "no speech is found in it"),
    "no face": (lambda path: hand(path), "no face found in"),
    "short": (lambda path: hand(path, 15, voice(0.6)), "shorter than one segment"),
    "text": (lambda path: path.write_text("text"), "cannot be read"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:3000]), "; copy it again"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_stops_the_run_in_lines_that_name_the_file(places, copied, tmp_path, called, stopped, defect):
    damage, words = DEFECTS[defect]
    path = copied / "rml-1/s2/english/sa1.avi"
    damage(path)
    code, out, err = called(*arguments(places, tmp_path / "results", corpus=copied))
    assert (code, out) == (EXIT_INPUT, "") and "Traceback" not in err and len(told(err)) == 2, err
    assert told(err)[0].startswith(f"unusable: {path}: ") and words in told(err)[0] and ";" in told(err)[0]
    assert told(err)[1].startswith(f"error: {path}: 1 recording(s) cannot be used")
    assert "--skip-unusable" in told(err)[1] and not stopped  # nothing is trained


def test_skip_unusable_goes_on_without(apart, copied, tmp_path, called, invented):
    film(copied / "rml-1/s1/an1.avi", 50)
    (copied / "rml-1/s3/su1.avi").write_text("text")
    words = arguments(apart, tmp_path / "results", "--skip-unusable", "--protocols", "kfold", corpus=copied)
    code, _, err = called(*words)
    assert code == 0 and [line.split(":")[0] for line in told(err)] == ["unusable"] * 2, err
    for record in records(tmp_path / "results").values():
        assert [item["recording"] for item in record["unusable"]] == ["s1/an1", "s3/su1"]
        assert len(record["recordings"]) == 16
    assert called(*words)[0] == 0 and invented["waiting"] == []


# ------------------------------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--corpus", "NOWHERE"], "NOWHERE: no such folder; name the folder"),
        (["--corpus", "TEXT.h5"], "TEXT.h5: no such folder; name the folder"),
        (["--corpus", "EMPTY"], "EMPTY: not in the layout of rml or enterface; see `python -m datasets.check rml"),
        (["--corpus", "CLASSLESS"], "CLASSLESS: no clip of the class Surprise; see `python -m datasets.check rml"),
        (["--corpus", "ASTRAY"], "lies in no folder s1, s2, ...; move it"),
        (["--weights", "NOWHERE"], "NOWHERE: no such file; name vgg19_weights"),
        (["--weights", "TEXT.h5"], "TEXT.h5: cannot be read as weights of VGG19"),
        (["--weights", "imagenet"], "--weights imagenet: vgg_size, vgg_width and vgg_fc are 32, 4, 8; published weights"),
        (["--set", "weights=imagenet"], "--weights imagenet: vgg_size, vgg_width and vgg_fc are 32, 4, 8; published"),
        (["--set", "detector=ssd"], "--ssd: name deploy.prototxt and res10_300x300_ssd_iter_140000.caffemodel"),
        (["--profile", "paper", "--weights", "random"], "--ssd: name deploy.prototxt"),
        (["--ssd", "NOWHERE", "TEXT.h5"], "NOWHERE: cannot be read"),
        (["--ssd", "TEXT.h5", "NOWHERE"], "NOWHERE: cannot be read"),
        (["--ssd", "TEXT.h5", "TEXT.h5"], "TEXT.h5: does not go with"),
        (["--ssd", "TEXT.h5", "TEXT.h5", "--set", "detector=dlib"], "--ssd: goes with detector=ssd; leave out"),
        (["--set", "weights=other"], "setting weights: other is for a file of yours; name it with --weights"),
        (["--protocols", "kfold", "--set", "folds=19"], "kfold: "),
        (["--set", "held_out=0.99"], "loso: "),
        (["--engine", "dask", "--scheduler", "nowhere://x"], "dask"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_missing_is_told_in_one_line(places, tmp_path, called, words, says):
    here = {name: tmp_path / name for name in ("NOWHERE", "EMPTY", "CLASSLESS", "ASTRAY", "TEXT.h5")}
    here["EMPTY"].mkdir()
    here["TEXT.h5"].write_text("text")
    for name in ("CLASSLESS", "ASTRAY"):
        real(places["RML"], here[name])
    for path in here["CLASSLESS"].rglob("su1.avi"):
        path.unlink()
    (here["ASTRAY"] / "an9.avi").write_text("text")
    words = [{**places, **here}.get(word, word) for word in words]
    code, out, err = called(*arguments(places, tmp_path / "r", *words))
    assert (code, out) == (EXIT_INPUT, "") and "Traceback" not in err and len(told(err)) == 1, err
    assert says in told(err)[0] and ";" in told(err)[0] and not list((tmp_path / "r").rglob("*.json"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["audio_rate=8000"], "audio_rate: 8000 is not accepted; give 16000 or more"),
        (["vad_high=9000.0"], "vad_high: 9000.0 is not accepted; give more than vad_low and at most 8000"),
        (["vad_low=3000.0"], "vad_high: 3000.0"),
        (["vad_low=-1.0"], "vad_low: -1.0 is not accepted; give 0 or more"),
        (["vad_median=24"], "vad_median: 24 is not accepted; give an odd number"),
        (["vad_threshold=1.1"], "vad_threshold: 1.1 is not accepted; give at most 1"),
        (["vad_threshold=0.0"], "vad_threshold: 0.0 is not accepted"),
        (["vad_window=0.00001"], "vad_window: 1e-05 is not accepted; give two samples or more"),
        (["vad_step=0.00001"], "vad_step: 1e-05 is not accepted; give a sample or more"),
        (["lstm_units=9"], "lstm_units: 9 is not accepted; give as many as vgg_fc"),
        (["vgg_fc=9"], "lstm_units: "),
        (["vgg_size=31"], "vgg_size: 31 is not accepted; give 32 or more"),
        (["vgg_size=0"], "vgg_size: 0 is not accepted"),
        (["dropout=1.0"], "dropout: 1.0 is not accepted; give less than 1"),
        (["held_out=1.0"], "held_out: 1.0 is not accepted; give less than 1"),
        (["held_out=0.0"], "held_out: 0.0 is not accepted"),
        (["folds=1"], "folds: 1 is not accepted; give 2 or more"),
        (["segment_frames=0"], "segment_frames"),
        (["extraction_epochs=0"], "extraction_epochs"),
        (["batch_size=1.5"], "batch_size"),
        (["fusion_rate=fast"], "fusion_rate"),
        (["max_missing=-1"], "max_missing"),
        (["image=spectrum"], "one of mfcc, log-mel"),
        (["detector=haar"], "one of ssd, dlib"),
        (["stopping=test"], "one of held-out, last"),
        (["simulated_rml_subjects=0"], "simulated_rml_subjects"),
        (["colour=grey"], "colour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_wrong_setting_is_refused_before_anything_is_done(tmp_path, called, settings, words):
    chosen = [word for setting in settings for word in ("--set", setting)]
    code, out, err = called(*TINY, *chosen, "--results", tmp_path / "results", "--cache", tmp_path / "cache")
    assert (code, out) == (EXIT_INPUT, "") and len(told(err)) == 1 and words in told(err)[0], err
    assert list(tmp_path.iterdir()) == []


def test_other_settings_want_a_folder_of_their_own(tmp_path, called, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in (["--set", "folds=4"], ["--ssd", "a", "b"]):  # the quick profile has dlib's detector
        code, _, err = called(*more, "--cache", tmp_path / "cache")
        assert code == EXIT_INPUT and told(err)[0].endswith("folder of their own with --results"), err
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_results_folder(places, tmp_path, called):
    (tmp_path / "results").write_text("mine")
    code, _, err = called(*arguments(places, tmp_path / "results"))
    assert code == EXIT_WRITE and str(tmp_path / "results") in told(err)[0]
    assert (tmp_path / "results").read_text() == "mine"


# ----------------------------------------------------------------------------------- options and what they imply


def parsed(monkeypatch, *words) -> SimpleNamespace:
    monkeypatch.setattr(sys, "argv", ["run", "--results", "elsewhere", *map(str, words)])
    asked = run.parse()
    settings = run.options.choose_settings(load_paper(run.PAPER), asked, run.imply_settings(asked))
    return SimpleNamespace(settings=settings, source=run.choose_source(asked, settings), asked=asked)


def test_weights_and_detector_are_in_the_settings_of_every_result(tmp_path, monkeypatch):
    ssd = test_ssd.write(tmp_path, (0.9, 0, 0, 1, 1))
    quick = parsed(monkeypatch)
    assert (quick.settings["weights"], quick.settings["detector"]) == ("random", "dlib")
    assert quick.source == features.Source("random") and quick.asked.protocols == list(FOLDS)
    paper = parsed(monkeypatch, "--profile", "paper", "--ssd", *ssd)
    assert (paper.settings["weights"], paper.settings["detector"]) == ("imagenet", "ssd")
    assert paper.source == features.Source("imagenet", ssd)
    changed = parsed(monkeypatch, "--profile", "paper", "--weights", "random", "--set", "detector=dlib")
    assert (changed.settings["weights"], changed.settings["detector"]) == ("random", "dlib")
    assert changed.source == features.Source("random")
    (tmp_path / "mine.h5").write_bytes(b"weights")
    own = parsed(monkeypatch, "--weights", tmp_path / "mine.h5", "--ssd", *ssd)
    assert (own.settings["weights"], own.settings["detector"]) == ("other", "ssd")  # not ImageNet's
    assert own.source == features.Source(str(tmp_path / "mine.h5"), ssd)


def test_jobs_threads_and_the_scheduler_reach_the_tasks(apart, tmp_path, called, invented, monkeypatch):
    monkeypatch.setattr("common.running.options.probe_scheduler", lambda address: None)
    words = ["--engine", "dask", "--scheduler", "tcp://there:8786", "--jobs", "1", "--threads", "2"]
    code, _, err = called(*arguments(apart, tmp_path, *words, "--protocols", "kfold"))
    assert code == 0 and invented["words"] == (1, 2, "tcp://there:8786"), err


def test_sizes_of_the_simulated_corpora(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(run, "write_cached", lambda *words, **sizes: written.append((*words, list(sizes.items()))))
    sizes = {"rml_subjects": 3, "rml_sentences": 4, "enterface_subjects": 5, "enterface_sentences": 6}
    overrides = [f"simulated_{name}={count}" for name, count in sizes.items()]
    settings = resolve_settings(load_paper(run.PAPER), "quick", overrides)
    run.simulate(SimpleNamespace(cache=tmp_path, jobs=2), settings)
    assert written == [
        ("rml", tmp_path, 2, [("subjects", 3), ("sentences", 4)]),
        ("enterface", tmp_path, 2, [("subjects", 5), ("sentences", 6)]),
    ]


def test_help_names_options_and_networks(called):
    code, out, _ = called("--help")
    assert code == 0
    for word in ("--corpus", "--weights", "--ssd", "--protocols", "--set", *run.PROTOCOLS, *VARIANTS):
        assert word in out
    assert "130" in out


@pytest.mark.parametrize(
    "words",
    [
        ["--variants", "first"], ["--protocols", "loo"], ["--profile", "large"], ["--jobs", "0"], ["--seeds", "-1"],
        ["--ssd", "one"], ["--colour"], ["--engine", "dask"], ["--scheduler", "tcp://there:8786"],
    ],
)  # fmt: skip
def test_wrong_usage(called, words):
    assert called(*words)[0] == EXIT_USAGE


def test_every_switch_of_the_ledger_is_accepted(monkeypatch):
    paper = load_paper(run.PAPER)
    for entry in paper.ledger:
        for profile in ("quick", "paper"):
            words = ["run", "--results", "elsewhere", "--profile", profile, *shlex.split(entry.switch)]
            monkeypatch.setattr(sys, "argv", words)
            asked = run.parse()
            run.validate(run.options.choose_settings(paper, asked, run.imply_settings(asked)))


def test_networks_and_protocols_are_those_of_the_tables():
    paper = load_paper(run.PAPER)
    assert {row.variant for table in paper.tables for row in table.rows if row.variant} == set(VARIANTS)
    asked = {resolve_number(paper, row, column).fold for t in paper.tables for row in t.rows for column in t.columns}
    assert asked == set(run.PROTOCOLS) == set(FOLDS)
    assert set(run.READERS) == set(paper.corpora)


# -------------------------------------------------------------------------------------------------- interrupted


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_during_extraction_keeps_what_is_finished(places, tmp_path, jobs):
    words = arguments({**places, "CACHE": tmp_path / "cache"}, tmp_path / "results", "--jobs", jobs)
    process = started("priyasad2019", *words)
    wait_for(process, tmp_path / "cache", "features/*.npz")  # the first clip is done
    interrupt(process)
    assert not list((tmp_path / "results").rglob("*.json"))
    for path in (tmp_path / "cache/features").glob("*.npz"):
        assert features.read(path, ["audio", "faces", "frames", *features.SMALL])


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["features/*.npz", "folds/*/*/000.json", "folds/*/*/*.checkpoint"])
def test_killed_and_finished_the_numbers_are_the_same(finished, places, tmp_path, pattern):
    """After the first clip, after the first fold, in the middle of a network; then finished by two processes."""
    words = arguments({**places, "CACHE": tmp_path / "cache"}, tmp_path / "results", "--protocols", "kfold")
    process = started("priyasad2019", *words)
    wait_for(process, tmp_path / "cache", pattern)
    kill(process)
    done = subprocess.run(command(*words, "--jobs", "2"), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    names = ("scores", "training_scores", "history", "settings_digest", "corpus_digest", "arrays", "left_out")
    one, other = (
        {key: [record.get(name) for name in names] for key, record in records(folder).items()}
        for folder in (tmp_path / "results", finished[0])
    )
    assert one == other and len(one) == 4 + 3


@pytest.mark.slow
def test_the_whole_simulation(tmp_path):
    """The command of the README, smaller: both corpora, all protocols and networks, twice."""
    sizes = {"rml_subjects": 3, "rml_sentences": 1, "enterface_subjects": 3, "enterface_sentences": 1}
    words = [word for name, n in sizes.items() for word in ("--set", f"simulated_{name}={n}")]
    words = [*TINY, *words, "--results", tmp_path / "results", "--cache", tmp_path / "cache"]
    done = subprocess.run(command(*words), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "14 of 14 folds computed" in done.stdout, done.stderr
    found = records(tmp_path / "results")
    assert {corpus for corpus, _, _ in found} == {"simulated", "simulated-enterface"} and len(found) == 42
    for corpus in ("simulated", "simulated-enterface"):
        mechanism = found[corpus, "proposed", "loso"]["mechanism"]
        assert mechanism["speech"]["within"] == 1 and {"kfold", "kfold-segments", "modalities"} < set(mechanism)
    again = subprocess.run(command(*words), capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 0 and again.stdout.splitlines()[1:] == done.stdout.splitlines()[1:]
