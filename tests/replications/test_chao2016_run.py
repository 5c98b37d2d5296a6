"""The replication from its command line: clips and faces in, tables and result files out, and every way to fail."""

import dataclasses
import json
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
from common.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_USAGE, EXIT_WRITE, InputError
from common.evidence.reading import load_paper
from common.evidence.runs import CONTROL
from common.evidence.settings import resolve_settings
from datasets import afew, layout, sfew
from replications.chao2016 import features, run
from tests.processes import INTERRUPTED, call, interrupt, kill, started, wait_for
from tests.replications.test_chao2016_features import (
    OVERRIDES,
    film,
    noise,
    picture,
    write_clip,
    write_points,
    write_tree,
)

ROOT = Path(__file__).parents[2]
TINY = [word for override in OVERRIDES for word in ("--set", override)]
LEFT_OUT = ["Train/000000007", "Val/000000004"]  # clips without a face
FACELESS = "Test/000000003"
VARIANTS = ("proposed", "pool5")
CEILINGS = ("ceiling-both", "ceiling-face")  # what they see


def write_corpus(root: Path, control: str | None = None) -> Path:
    """Seven clips and one without a face for training, four and one for validation, three and one to test."""
    write_tree(root, 8, 5, 4, control)
    for name in (*LEFT_OUT, FACELESS):
        partition, _, stem = name.partition("/")
        aligned = root / f"{partition}_AFEW/AlignedFaces_LBPTOP_Points"
        shutil.rmtree(aligned / "Faces" / stem)
        (aligned / "Points" / f"{stem}.txt").unlink()
    return root


def write_faces(root: Path, simulated: bool = True) -> Path:
    """An SFEW of three faces of each class."""
    for number, label in enumerate(afew.CLASSES):
        for index in range(3):
            picture(root / f"Train/Train_Aligned_Faces/{label}/Film_{number}{index}.png", number, index)
    if simulated:
        (root / layout.MARKER).write_text(json.dumps({"train": 21, "val": 0}))
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """Real and simulated corpora, both made up here; to be read only. A cache for all tests of this file."""
    root = tmp_path_factory.mktemp("chao")
    return {
        "SALIENT": write_corpus(root / "salient", "salient"),
        "UNIFORM": write_corpus(root / "uniform", "uniform"),
        "REAL": write_corpus(root / "afew"),
        "FACES": write_faces(root / "simulated-sfew"),
        "SFEW": write_faces(root / "sfew", simulated=False),
        "CACHE": root / "cache",
    }


@pytest.fixture
def copied(places, tmp_path) -> Path:
    """A copy of the real corpus that a test may damage."""
    return Path(shutil.copytree(places["REAL"], tmp_path / "afew"))


def arguments(places, folder: Path, *more, corpus="SALIENT", faces="FACES", variants=VARIANTS) -> list:
    words = ["--corpus", places.get(corpus, corpus), "--sfew", places.get(faces, faces), "--weights", "random"]
    words += ["--cache", places["CACHE"], "--results", folder, "--jobs", "1", "--threads", "1"]
    return [*words, "--variants", *variants, *TINY, "--set", "epochs=1", *more]


def command(*words) -> list[str]:
    return [sys.executable, "-m", "replications.chao2016.run", *map(str, words)]


@pytest.fixture(scope="module")
def finished(places, tmp_path_factory):
    """One run: its results folder and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    return folder, *call(run.main, *arguments(places, folder))


def records(folder: Path) -> dict[str, dict]:
    return {record["variant"]: record for _, record in results.find(folder, "chao2016")}


def told(err: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", err) if line.startswith(("unusable:", "error:"))]


@pytest.fixture
def corpora(monkeypatch):
    """Instead of the training: the corpora of the tasks, by name, and how many tasks are not done."""
    seen = {}

    def faked(todo, work, *_):
        seen.update({corpus.name: corpus for corpus in work.keywords["corpora"].values()})
        seen["waiting"] = [task.variant for task in todo if not task.done()]
        seen["left out"] = work.keywords["left_out"]
        raise KeyboardInterrupt  # there are no results to be read

    monkeypatch.setattr("common.running.dispatch.run", faked)
    return seen


# --------------------------------------------------------------------------------------- from clips to the tables


def test_tables_with_published_and_own_numbers_are_printed(finished):
    _, out, err = finished
    for words in ("4 of 4 results computed", "table1", "figure5", "proposed model", "44.90", "NOT_COMPARABLE"):
        assert words in out
    assert "Traceback" not in err and "Warning" not in err


def test_results_and_nothing_else(finished):
    folder, _, _ = finished
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    base = "chao2016/simulated/quick/all"
    assert found == sorted(
        f"{base}/{variant}/val-seed0.{kind}" for variant in VARIANTS + CEILINGS for kind in ("json", "npz")
    )


def test_a_record_says_what_was_done(finished, places):
    for variant, record in records(finished[0]).items():
        assert (record["variant"], record["evidence"], record["corpus"]) == (variant, "simulated", "simulated")
        assert record["cnn"] == {"weights": "random", "faces": 21, "simulated": True, "pool5": 288, "selected": 6}
        assert record["settings"]["cnn_weights"] == "random" and record["unusable"] == []
        text = json.dumps(record)
        assert str(places["SALIENT"]) not in text and str(places["CACHE"]) not in text  # no path of this machine


def test_clips_without_a_face_are_left_out_of_training_and_scored_in_test(finished):
    for record in records(finished[0]).values():
        assert record["left_out"] == LEFT_OUT
        rows = {row["name"]: row for row in record["recordings"]}
        assert len(rows) == 7 + 4 + 4 and not set(LEFT_OUT) & set(rows)
        assert rows[FACELESS]["frames_without_face"] == rows[FACELESS]["frames"] > 0
        assert rows[FACELESS]["label"] == "Happy"
        counted = {name: scores["accuracy"] for name, scores in record["scores"]["emotion"].items()}
        for name, total in {"Train/*": 7, "Val/*": 4, "Test/*": 4}.items():  # shares of just so many clips
            assert counted[name] * total / 100 == pytest.approx(round(counted[name] * total / 100))


def test_a_clip_without_a_face_has_zeros_after_whitening(places, tmp_path, called, corpora):
    assert called(*arguments(places, tmp_path))[0] == EXIT_INTERRUPTED
    clip = next(clip for clip in corpora["simulated"].recordings if clip.name == FACELESS)
    assert not clip.appearance.any() and np.abs(clip.shape).max() < 1e-4 and np.abs(clip.audio).max() > 0.1
    others = [one for one in corpora["simulated"].recordings if one is not clip]
    assert all(np.abs(one.shape).max() > 0.1 for one in others)


def test_the_report_builds_from_the_results(finished, tmp_path, monkeypatch):
    from reports import build, evaluation

    monkeypatch.setattr("common.running.options.count_cores", lambda: 1)  # what draws is here already
    paper = load_paper(run.PAPER)
    networks = ("architecture", "overview")  # whose figures no result changes
    paper = dataclasses.replace(paper, figures=tuple(f for f in paper.figures if f.kind not in networks))
    found = evaluation.evaluate(paper, finished[0])
    printed = [cell for cell in found.cells if cell.published]
    assert len(found.files) == 4 and len(printed) == 65
    verdicts = {(cell.exhibit, cell.row, cell.column): cell.verdict for cell in printed}
    assert verdicts["table1", "proposed model", "Test"] == "NOT_COMPARABLE"
    assert verdicts["table1", "last-time encoding", "Test"] == "NOT_RUN"
    build.write([evaluation.add_audit(found)], tmp_path / "report")
    rows = (tmp_path / "report" / "cells.csv").read_text().splitlines()
    assert sum(row.startswith(("chao2016,table", "chao2016,figure5")) for row in rows) == 65
    page = (tmp_path / "report" / "chao2016.html").read_text()
    assert "proposed model" in page and "44.90" in page


# ------------------------------------------------------------------------------------------ again, and interrupted


def test_second_call_does_nothing_and_prints_the_same(finished, places, called):
    folder, printed, _ = finished
    before = {path: path.stat().st_mtime_ns for path in (*folder.rglob("*"), *places["CACHE"].rglob("*"))}
    code, out, err = called(*arguments(places, folder))
    assert code == 0 and "0 of 4 results computed, 4 were there" in out, err
    assert out.splitlines()[1:] == printed.splitlines()[1:]
    assert before == {path: path.stat().st_mtime_ns for path in (*folder.rglob("*"), *places["CACHE"].rglob("*"))}


@pytest.mark.parametrize(
    ("more", "waiting"),
    [
        ([], []),
        (["--set", "units=6"], [*VARIANTS, *CEILINGS]),
        (["--seeds", "0", "1"], [*VARIANTS]),
        (["--variants", "pool5", "last"], ["last"]),
        (["--test-labels", "OTHERS"], [*VARIANTS, *CEILINGS]),
    ],
    ids=lambda value: " ".join(value) or "same",
)
def test_what_is_not_there_under_these_settings_is_computed(finished, places, tmp_path, called, corpora, more, waiting):
    (tmp_path / "others.csv").write_text("".join(f"{index:09d},Sad\n" for index in range(4)))
    more = [{"OTHERS": tmp_path / "others.csv"}.get(word, word) for word in more]
    code, _, err = called(*arguments(places, finished[0], *more))
    assert code == EXIT_INTERRUPTED and corpora["waiting"] == waiting, err


def test_interrupted_within_a_clip_the_one_before_is_whole(places, tmp_path, called, corpora, monkeypatch):
    """At the first file after a clip's last one; the next call does the rest, and no clip again."""
    cache, write = tmp_path / "cache", features.storage.write_npy

    def list_whole():
        return {path: path.stat().st_mtime_ns for path in cache.glob("features/*.npz")}

    def stop(path, values):
        if list_whole():
            raise KeyboardInterrupt
        write(path, values)

    words = arguments({**places, "CACHE": cache}, tmp_path / "results")
    with monkeypatch.context() as patch:
        patch.setattr(features.storage, "write_npy", stop)
        code, out, err = called(*words)
    assert (code, out) == (EXIT_INTERRUPTED, "") and told(err) == [INTERRUPTED] and not corpora
    first = list_whole()
    assert len(first) == 1 and all(path.with_suffix(".npy").exists() for path in first)
    assert called(*words)[0] == EXIT_INTERRUPTED and corpora["waiting"] == [*VARIANTS, *CEILINGS]  # of the training
    assert first.items() < list_whole().items()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_during_extraction_keeps_what_is_finished(places, tmp_path, jobs):
    """As that of lee2018, which is fast."""
    words = arguments({**places, "CACHE": tmp_path / "cache"}, tmp_path / "results", "--jobs", jobs)
    process = started("chao2016", *words)
    wait_for(process, tmp_path / "cache", "features/*.npz")  # the first clip is done
    interrupt(process)
    assert not list((tmp_path / "results").rglob("*.json"))
    whole = list((tmp_path / "cache/features").glob("*.npz"))
    assert whole and all(path.with_suffix(".npy").exists() for path in whole)


@pytest.mark.slow
def test_killed_and_finished_the_numbers_are_the_same(finished, places, tmp_path):
    words = arguments(places, tmp_path)
    process = started("chao2016", *words)
    wait_for(process, tmp_path, "*.json")
    kill(process)
    done = subprocess.run(command(*words, "--jobs", "2"), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "3 of 4 results computed, 1 were there" in done.stdout, done.stderr
    names = ("scores", "training_scores", "history", "mechanism", "settings_digest", "corpus_digest", "arrays")
    one, other = (
        {variant: [record.get(name) for name in names] for variant, record in records(folder).items()}
        for folder in (tmp_path, finished[0])
    )
    assert one == other


@pytest.mark.slow
def test_the_whole_simulation(tmp_path):
    """The command of the README, smaller: both controls, all networks."""
    sizes = [f"simulated_{name}={n}" for name, n in {"train": 14, "val": 7, "test": 7, "faces": 14}.items()]
    words = [word for size in sizes for word in ("--set", size)]
    words = [*TINY, *words, "--results", tmp_path / "results", "--cache", tmp_path / "cache"]
    done = subprocess.run(command(*words), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "9 of 9 results computed" in done.stdout, done.stderr
    found = {(record["corpus"], record["variant"]) for _, record in results.find(tmp_path / "results", "chao2016")}
    expected = {("simulated", v) for v in run.VARIANTS + CEILINGS}
    assert found == expected | {("simulated-uniform", v) for v in (*run.CONTROLLED, "ceiling-both")}


# ------------------------------------------------------------------------------------------------ corpora and tasks


def test_simulated_corpora_are_written_once_into_the_cache(places, tmp_path, called, corpora, monkeypatch):
    """Of the default corpus the control has the networks whose mechanism it checks; all have one selection of pool5."""
    asked = []

    def write_cached(kind, cache, jobs, control="", **sizes):
        asked.append(f"{kind} {control}".strip())
        return places[{"salient": "SALIENT", "uniform": "UNIFORM"}.get(control, "FACES")]

    monkeypatch.setattr(run, "write_cached", write_cached)
    words = ["--cache", places["CACHE"], "--results", tmp_path, "--jobs", 1, "--threads", 1, *TINY]
    code, _, err = called(*words)
    assert code == EXIT_INTERRUPTED, err
    assert asked == ["afew salient", "afew uniform", "sfew"]
    longest_first = ["proposed", "proposed", "average", "average", "last", "pool5"]
    assert corpora["waiting"] == [*longest_first, "ceiling-both", "ceiling-both", "ceiling-face"]
    assert set(corpora) == {"simulated", "simulated-uniform", "waiting", "left out"}
    assert corpora["left out"] == {"simulated": LEFT_OUT, "simulated-uniform": LEFT_OUT}
    asked.clear()
    assert called(*words, "--variants", "pool5", "last")[0] == EXIT_INTERRUPTED
    assert asked == ["afew salient", "sfew"] and corpora["waiting"] == ["last", "pool5", *CEILINGS]


def test_sizes_of_the_simulated_corpora(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(run, "write_cached", lambda *words, **sizes: written.append((*words, list(sizes.items()))))
    sizes = {"train": 70, "val": 21, "test": 14, "longest": 2.5}
    overrides = [f"simulated_{name}={count}" for name, count in sizes.items()]
    settings = resolve_settings(load_paper(run.PAPER), "quick", overrides)
    run.simulate(SimpleNamespace(cache=tmp_path, jobs=2, variants=run.VARIANTS), settings)
    sizes = [("train", 70), ("val", 21), ("test", 14), ("longest", 2.5)]
    assert written == [("afew", tmp_path, 2, [("control", c), *sizes]) for c in ("salient", "uniform")]


def test_sizes_of_the_simulated_faces(tmp_path, monkeypatch):
    written = []

    def write(*words, **sizes):
        written.append((*words, sizes))
        raise InputError("that is all")

    monkeypatch.setattr(run, "write_cached", write)
    settings = resolve_settings(load_paper(run.PAPER), "quick", ["simulated_faces=42"])
    with pytest.raises(InputError, match="that is all"):
        run.choose_appearance(SimpleNamespace(cache=tmp_path, jobs=2, sfew=None), settings, [])
    assert written == [("sfew", tmp_path, 2, {"train": 42, "val": 0})]


def test_a_real_corpus_is_real_and_its_test_clips_have_no_label(places, tmp_path, called, corpora):
    assert called(*arguments(places, tmp_path, corpus="REAL", faces="SFEW"))[0] == EXIT_INTERRUPTED
    corpus = corpora["afew"]
    assert corpus.evidence == "real" and corpora["waiting"] == [*VARIANTS]
    assert {clip.label for clip in corpus.partition("Test")} == {None}  # although a file in truth/ names them
    assert [clip.label for clip in corpus.partition("Val")] == [0, 1, 2, 3]


def test_labels_of_the_test_partition_are_those_of_the_file(places, tmp_path, called, corpora):
    labels = ["Sad", "Neutral", "Fear", "Surprise"]
    (tmp_path / "labels.csv").write_text("".join(f"{i:09d},{label}\n" for i, label in enumerate(labels)))
    words = arguments(places, tmp_path / "r", "--test-labels", tmp_path / "labels.csv", corpus="REAL", faces="SFEW")
    assert called(*words)[0] == EXIT_INTERRUPTED
    assert [afew.CLASSES[clip.label] for clip in corpora["afew"].partition("Test")] == labels


def test_a_simulated_corpus_without_test_clips(tmp_path):
    root = write_tree(tmp_path / "corpus", 1, 1, 0, "salient")
    asked = SimpleNamespace(corpus=str(root), test_labels=None, variants=run.VARIANTS)
    (found,) = run.locate(asked, {})
    assert found.name == "simulated" and [clip.partition for clip in found.recordings] == ["Train", "Val"]


def test_faces_of_all_classes_are_needed(places, tmp_path, called):
    faces = Path(shutil.copytree(places["FACES"], tmp_path / "sfew"))
    shutil.rmtree(faces / "Train/Train_Aligned_Faces/Angry")
    code, out, err = called(*arguments({**places, "FACES": faces}, tmp_path / "results"))
    assert (code, out) == (EXIT_INPUT, "") and f"{faces}: no training faces of Angry; see" in told(err)[0], err


def test_columns_of_pool5_are_selected_once_for_the_same_faces(places, tmp_path, monkeypatch):
    """Also the classes of the faces count: a face that is moved into the next class is the same picture elsewhere."""
    root = Path(shutil.copytree(places["FACES"], tmp_path / "sfew"))
    asked = SimpleNamespace(sfew=root, weights="random", cache=tmp_path / "cache", threads=1, jobs=1)
    settings = resolve_settings(load_paper(run.PAPER), "quick", OVERRIDES)
    calls = []
    monkeypatch.setattr(run, "embed_faces", lambda static, weights, shape: np.eye(len(static), 288, dtype=np.float32))
    monkeypatch.setattr(run, "select_columns", lambda *_: calls.append(1) or np.arange(6))
    first, report = run.choose_appearance(asked, settings, [])
    assert run.choose_appearance(asked, settings, []) == (first, report) and len(calls) == 1
    assert report == {"weights": "random", "faces": 21, "simulated": True, "pool5": 288, "selected": 6}
    folder = root / "Train/Train_Aligned_Faces"
    (folder / "Angry/Film_02.png").rename(folder / "Disgust/Film_02.png")  # the order of the pictures stays
    moved, _ = run.choose_appearance(asked, settings, [])
    assert len(calls) == 2 and moved.selected != first.selected
    picture(folder / "Happy/Film_30.png", 99)
    assert run.choose_appearance(asked, settings, [])[0].selected != moved.selected
    for change in ({"selected": 7}, {"forest_trees": 6}, {"cnn_width": 0.05}, {"cnn_order": "caffenet"}):
        run.choose_appearance(asked, {**settings, **change}, [])
    assert len(calls) == 7


# ------------------------------------------------------------------------------------------- what cannot be used


def clip_of(root: Path, name: str) -> afew.Clip:
    return next(clip for clip in afew.list_recordings(root) if clip.name == name)


DEFECTS = {
    "no sound": (lambda clip: film(clip.video), "video", "has no sound"),
    "text": (lambda clip: clip.video.write_text("text"), "video", "cannot be read"),
    "no bytes": (lambda clip: clip.video.write_bytes(b""), "video", "cannot be read"),
    "cut": (lambda clip: clip.video.write_bytes(clip.video.read_bytes()[:3000]), "video", "copy it again"),
    "one frame": (lambda clip: lonely(clip), "video", "has 1 video frame"),
    "shorter than the window": (lambda clip: brief(clip), "video", "has 3 frames of sound, the alignment's window 4"),
    "48 landmarks": (lambda clip: write_points(clip.points, (1, 2), landmarks=48), "points", "expected 49"),
    "no points": (lambda clip: clip.points.unlink(), "video", "has no points"),
    "face of text": (lambda clip: clip.faces[1].write_text("text"), "face", "cannot be read as a picture"),
}


def lonely(clip: afew.Clip) -> None:
    film(clip.video, 1, noise(1, seconds=0.5))
    for path in clip.faces[1:]:
        path.unlink()
    clip.faces[0].rename(clip.faces[0].with_name("001.jpg"))
    write_points(clip.points, (1,))


def brief(clip: afew.Clip) -> None:
    film(clip.video, 3, noise(1, seconds=0.09))
    for path in clip.faces[2:]:
        path.unlink()


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_stops_the_run_in_lines_that_name_the_file(places, copied, tmp_path, called, corpora, defect):
    damage, kind, words = DEFECTS[defect]
    clip = clip_of(copied, "Train/000000002")
    file = {"video": clip.video, "points": clip.points, "face": clip.faces[1]}[kind]
    damage(clip)
    code, out, err = called(*arguments(places, tmp_path / "results", corpus=copied, faces="SFEW"))
    assert (code, out) == (EXIT_INPUT, "") and "Traceback" not in err and len(told(err)) == 2, err
    assert told(err)[0].startswith(f"unusable: {file}: ") and words in told(err)[0] and ";" in told(err)[0]
    assert (
        told(err)[1].startswith(f"error: {file}: 1 recording(s) cannot be used") and "--skip-unusable" in told(err)[1]
    )
    assert not corpora  # nothing is trained


def test_skip_unusable_goes_on_without(places, copied, tmp_path, called, corpora):
    film(clip_of(copied, "Train/000000002").video)
    film(clip_of(copied, "Test/000000001").video)
    code, _, err = called(*arguments(places, tmp_path / "r", "--skip-unusable", corpus=copied, faces="SFEW"))
    assert code == EXIT_INTERRUPTED and err.count("unusable: ") == 2
    corpus = corpora["afew"]
    assert [item.recording for item in corpus.unusable] == ["Train/000000002", "Test/000000001"]
    assert len(corpus.recordings) == 15 - 2


@pytest.mark.parametrize("partition", ["Train", "Val"])
def test_a_partition_without_a_usable_clip(places, copied, tmp_path, called, partition):
    """All without a face, but for one without sound."""
    shutil.rmtree(copied / f"{partition}_AFEW/AlignedFaces_LBPTOP_Points")
    film(clip_of(copied, f"{partition}/000000001").video)
    code, _, err = called(*arguments(places, tmp_path / "r", "--skip-unusable", corpus=copied, faces="SFEW"))
    assert code == EXIT_INPUT
    assert told(err)[-1].startswith(
        f"error: {copied}: no usable {partition} recording; see `python -m datasets.check afew "
    )


def test_a_clip_in_two_classes(places, copied, tmp_path, called):
    write_clip(copied, "Train", 2)
    video = clip_of(copied, "Train/000000002").video
    shutil.copy(video, copied / "Train_AFEW/Sad" / video.name)
    code, _, err = called(*arguments(places, tmp_path / "r", corpus=copied, faces="SFEW"))
    assert code == EXIT_INPUT and str(video.name) in err and "keep the right one" in told(err)[0]


def test_a_damaged_arff_does_not_matter(places, copied, tmp_path, called, corpora):
    """openSMILE's functionals are the challenge's baseline; the paper has features of its own."""
    arff = copied / "Train/Train_Audio_Feat/Train/Angry/000000000.arff"
    arff.parent.mkdir(parents=True)
    arff.write_text("@relation x\n@attribute name string\n@attribute f numeric\n@data\n'a',1,2,3\n")
    code, _, err = called(*arguments(places, tmp_path / "r", corpus=copied, faces="SFEW"))
    assert code == EXIT_INTERRUPTED and clip_of(copied, "Train/000000000").audio_features == arff, err


LABELS = {
    "one is missing": (["000000000,Sad", "000000001,Sad", "000000002,Sad"], "000000003 is not there"),
    "one too many": ([f"00000000{i},Sad" for i in range(5)], "000000004 is no test clip"),
    "a clip twice": (["000000000,Sad", "000000000,Sad"], "comes twice"),
    "no class": (["000000000,Bored"], "none of Angry"),
    "nothing": ([], "is empty"),
}


@pytest.mark.parametrize("defect", LABELS)
def test_test_labels_that_do_not_fit(places, tmp_path, called, defect):
    lines, words = LABELS[defect]
    file = tmp_path / "labels.csv"
    file.write_text("".join(f"{line}\n" for line in lines))
    code, _, err = called(*arguments(places, tmp_path / "r", "--test-labels", file, corpus="REAL", faces="SFEW"))
    assert code == EXIT_INPUT and told(err) == [told(err)[0]] and told(err)[0].startswith(f"error: {file}: ")
    assert words in told(err)[0] and "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--corpus", "REAL", "--sfew", "SFEW"], "--weights: name the weights"),
        (["--corpus", "REAL", "--weights", "random"], "--sfew: name the folder of SFEW 2.0"),
        (["--corpus", "REAL", "--sfew", "FACES", "--weights", "random"], "is simulated; name the real SFEW"),
        (["--corpus", "REAL", "--sfew", "EMPTY", "--weights", "random"], "EMPTY: "),
        (["--corpus", "REAL", "--sfew", "NOWHERE", "--weights", "random"], "NOWHERE: "),
        (["--corpus", "EMPTY", "--sfew", "SFEW", "--weights", "random"], "EMPTY: "),
        (["--corpus", "NOWHERE", "--sfew", "SFEW", "--weights", "random"], "NOWHERE: "),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "NOWHERE"], "no such file; --weights names"),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "TEXT.npz"], "TEXT.npz: cannot be read as weights"),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "TEXT.caffemodel"], "TEXT.caffemodel: "),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "TEXT.h5"], "TEXT.h5: weights are a file .caffemodel or .npz"),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "random", "--test-labels", "NOWHERE"], "NOWHERE: "),
        (["--corpus", "REAL", "--sfew", "SFEW", "--weights", "random", "--landmarks", "NOWHERE"], "--landmarks names dlib's"),
        (["--profile", "paper"], "--weights: name the weights"),  # its cnn_weights are not random
        (["--set", "cnn_weights=faces"], "--weights: name the weights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_missing_is_told_in_one_line(places, tmp_path, called, words, says):
    here = {"EMPTY": tmp_path / "EMPTY", "NOWHERE": tmp_path / "NOWHERE"}
    here |= {f"TEXT.{kind}": tmp_path / f"TEXT.{kind}" for kind in ("npz", "caffemodel", "h5")}
    here["EMPTY"].mkdir()
    for name in here:
        if name.startswith("TEXT"):
            here[name].write_text("text")
    words = [{**places, **here}.get(word, word) for word in words]
    code, out, err = called(*words, *TINY, "--results", tmp_path / "r", "--cache", tmp_path / "c", "--jobs", 1)
    assert (code, out) == (EXIT_INPUT, "") and "Traceback" not in err and len(told(err)) == 1, err
    assert says in told(err)[0] and ";" in told(err)[0]
    assert not (tmp_path / "c").exists() and not list((tmp_path / "r").rglob("*.json"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["selected=2305"], "selected: 2305 is not accepted; give at most 2304, what pool5 has at this cnn_width"),
        (["cnn_width=0.0195", "selected=160"], "give at most 144"),  # 4 filters, not 5: there are two groups
        (["cnn_width=0.001", "selected=73"], "give at most 72"),
        (["audio_dimensions=902"], "audio_dimensions: 902 is not accepted; give at most 901"),
        (["shape_dimensions=99"], "shape_dimensions: 99 is not accepted; give at most 98"),
        (["window=0"], "window: 0 is not accepted"),
        (["dropout=1.0"], "dropout: 1.0 is not accepted; give less than 1"),
        (["dropout=-0.1"], "dropout"),
        (["epochs=0"], "epochs"),
        (["batch_size=1.5"], "batch_size"),
        (["learning_rate=fast"], "learning_rate"),
        (["simulated_val=0"], "simulated_val"),
        (["coarse=up"], "one of floor, nearest"),
        (["faces=mine"], "one of provided, dlib"),
        (["colour=grey"], "colour"),
        (["cnn_iterations=3"], "cnn_iterations: is of the CNN's training; give it to replications.chao2016.train_cnn"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_is_refused_before_anything_is_done(tmp_path, called, settings, words):
    chosen = [word for setting in settings for word in ("--set", setting)]
    code, out, err = called(*chosen, "--results", tmp_path / "results", "--cache", tmp_path / "cache")
    assert (code, out) == (EXIT_INPUT, "") and len(told(err)) == 1 and words in told(err)[0], err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", [0.001, 0.0195, 0.03, 0.1, 0.25, 1.0])
def test_the_size_of_pool5_is_that_of_the_network(width):
    from replications.chao2016 import caffenet

    paper = load_paper(run.PAPER)
    size = caffenet.build_network(resolve_settings(paper, "quick", [f"cnn_width={width}"])).output_shape[1]
    run.validate(resolve_settings(paper, "quick", [f"cnn_width={width}", f"selected={size}"]))
    with pytest.raises(InputError, match=f"give at most {size}, "):
        run.validate(resolve_settings(paper, "quick", [f"cnn_width={width}", f"selected={size + 1}"]))


def test_the_control_alone_fills_no_table(places, tmp_path, called):
    code, out, _ = called(*arguments(places, tmp_path, corpus="UNIFORM", variants=("pool5",)))
    assert code == 0 and "The control fills no table; `python -m reports.build` shows it." in out


def test_more_dimensions_than_training_frames(places, tmp_path, called):
    code, _, err = called(*arguments(places, tmp_path, "--set", "audio_dimensions=900"))
    assert code == EXIT_INPUT and "setting audio_dimensions: 900 is not accepted; give at most " in told(err)[0]


def test_too_wide_a_window_names_the_clips(places, tmp_path, called):
    code, _, err = called(*arguments(places, tmp_path, "--set", "window=17"))
    assert code == EXIT_INPUT and "frames of sound, the alignment's window 34; leave the clip out" in told(err)[0]


def test_a_file_in_place_of_the_results_folder(places, tmp_path, called):
    (tmp_path / "results").write_text("mine")
    code, _, err = called(*arguments(places, tmp_path / "results"))
    assert code == EXIT_WRITE and str(tmp_path / "results") in told(err)[0]
    assert (tmp_path / "results").read_text() == "mine"


# --------------------------------------------------------------------------------------------------- command line


def test_a_cluster_that_is_not_there(places, tmp_path, called):
    code, _, err = called(*arguments(places, tmp_path, "--engine", "dask", "--scheduler", "nowhere://x"))
    assert code == EXIT_INPUT and "dask" in told(err)[-1].lower() and "Traceback" not in err


def test_help_names_options_and_networks(called):
    code, out, _ = called("--help")
    assert code == 0
    for word in ("--corpus", "--sfew", "--weights", "--test-labels", "--landmarks", "--set", *run.VARIANTS):
        assert word in out
    assert "130 interrupted" in out


@pytest.mark.parametrize(
    "words", [["--variants", "first"], ["--profile", "large"], ["--jobs", "0"], ["--seeds", "-1"], ["--colour"]]
)
def test_wrong_usage(called, words):
    assert called(*words)[0] == EXIT_USAGE


def test_every_switch_of_the_ledger_is_accepted():
    paper = load_paper(run.PAPER)
    for entry in paper.ledger:
        words = shlex.split(entry.switch)
        overrides = [value for flag, value in zip(words, words[1:]) if flag == "--set"]
        for profile in ("quick", "paper"):
            run.validate(resolve_settings(paper, profile, overrides))


def test_networks_are_those_of_the_tables():
    paper = load_paper(run.PAPER)
    asked = {row.variant for table in paper.tables for row in table.rows if row.variant}
    assert asked == set(run.VARIANTS) and set(run.CONTROLLED) < asked
    assert CONTROL == "simulated-uniform" and sfew.CLASSES == afew.CLASSES
