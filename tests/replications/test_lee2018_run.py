"""The whole replication from its command line: raw files in, tables and result files out, and every way to fail."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from common import results, storage
from common.ceiling import is_ceiling
from common.errors import EXIT_INPUT, EXIT_USAGE
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.media import faces
from common.networks.moments import Moments
from common.running import cli
from datasets import avec2017, sewa
from replications.lee2018 import experiment, features, run
from tests.common.media.test_video import write as write_video
from tests.processes import interrupt, kill, started, wait_for

ROOT = Path(__file__).parents[2]
# one epoch of small networks; the same features as elsewhere in the suite, so that they are computed once
TINY = [
    *("--set", "epochs_audio=1"),
    *("--set", "epochs_video=1"),
    *("--set", "crop_size=16"),
    *("--set", "clip_frames=8"),
]
VARIANTS = ("lstm-ta", "cnn3d")
CEILINGS = ("ceiling-voice", "ceiling-face")  # of these, each once


def arguments(corpus: Path, cache: Path, folder: Path, *more: str, variants=VARIANTS) -> list[str]:
    return [
        "--corpus",
        str(corpus),
        "--cache",
        str(cache),
        "--results",
        str(folder),
        "--jobs",
        "1",
        "--threads",
        "1",
    ] + [*("--variants", *variants, *TINY, *more)]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "replications.lee2018.run", *words]


@pytest.fixture(scope="module")
def finished(corpus, cache, tmp_path_factory):
    """One run in this process: its results folder and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
            patch.setenv(name, os.environ.get(name, "1"))  # what the run sets is put back
        patch.setattr(sys, "argv", ["run", *arguments(corpus, cache, folder)])
        assert cli.run(run.main) == 0, err.getvalue()
    return folder, out.getvalue(), err.getvalue()


def records(folder: Path) -> dict[str, dict]:
    return {record["variant"]: record for _, record in results.find(folder, "lee2018")}


@pytest.fixture(scope="module")
def extracted(corpus, cache):
    """Settings and features of the corpus."""
    settings = resolve_settings(load_paper(run.PAPER), "quick", ["crop_size=16", "clip_frames=8"])
    return settings, features.extract(
        avec2017.list_recordings(corpus), settings, faces.locate_landmark_file(), cache, 1, 1
    )[0]


# numbers that must not depend on processes, interruptions or the clock
NUMBERS = ("scores", "postprocess", "history", "settings_digest", "corpus_digest", "mechanism", "arrays")


def numbers(folder: Path) -> dict[str, dict]:
    return {name: {key: record.get(key) for key in NUMBERS} for name, record in records(folder).items()}


# from raw files to tables


def test_tables_with_published_and_own_numbers_are_printed(finished):
    _, out, err = finished
    for words in (
        "4 of 4 results computed",
        "table1",
        "table2",
        "table3",
        "LSTM-RNN + TA",
        "3D-CNN",
        "0.551",
        "NOT_COMPARABLE",
        "NOT_RUN",
    ):
        assert words in out
    assert "Traceback" not in err and "Warning" not in err


def test_each_result_is_a_record_with_its_arrays(finished, corpus):
    folder, _, _ = finished
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    base = "lee2018/simulated/quick/valence"
    assert found == sorted(
        f"{base}/{variant}/devel-seed0{suffix}" for variant in VARIANTS + CEILINGS for suffix in (".json", ".npz")
    )
    assert json.loads((corpus / "simulated.json").read_text())["control"] == "salient"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_record_says_what_was_done(finished, corpus, variant):
    folder, _, _ = finished
    record = records(folder)[variant]
    expected = {
        "paper": "lee2018",
        "corpus": "simulated",
        "evidence": "simulated",
        "profile": "quick",
        "target": "valence",
        "fold": "devel",
        "seed": 0,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["settings"]["crop_size"] == 16 and len(record["history"]["loss"]) == 1
    assert [item["name"] for item in record["recordings"]] == ["Train_01", "Train_02", "Devel_01"] and record[
        "unusable"
    ] == []
    assert record["parameters"] > 0 and set(record["training_scores"]["valence"]) == {"RMSE", "CC", "CCC"}
    for fitted in ("none", "devel", "train"):
        for pooling in ("per_recording", "concatenated"):
            scores = record["scores"][fitted][pooling]
            assert set(scores) == {"RMSE", "CC", "CCC"} and scores["RMSE"] > 0
    assert (record["mechanism"] is not None) == (variant == "lstm-ta")
    assert str(ROOT.parent) not in json.dumps(record) and str(corpus) not in json.dumps(
        record
    )  # no path of this machine


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_are_those_of_the_stored_series(finished, corpus, variant):
    """Textbook CC, CCC and RMSE of the one development recording, from the arrays; the gold standard from the label file."""
    folder, _, _ = finished
    path, record = next((p, r) for p, r in results.find(folder, "lee2018") if r["variant"] == variant)
    arrays = results.read_arrays(path, record)
    time_, gold = arrays["time/Devel_01"], arrays["gold/Devel_01"].astype(float)
    labels = sewa.read_labels(corpus / "labels" / "Devel_01.csv")
    np.testing.assert_allclose(np.diff(time_), record["settings"]["score_hop"])
    np.testing.assert_allclose(gold, np.interp(time_, labels.time, labels.valence), atol=1e-6)
    for series, fitted in (("raw", "none"), ("post", "devel")):
        x = arrays[f"{series}/Devel_01"].astype(float)
        covariance = ((x - x.mean()) * (gold - gold.mean())).mean()
        expected = {
            "RMSE": np.sqrt(np.square(x - gold).mean()),
            "CC": covariance / (x.std() * gold.std()) if x.std() else None,  # the best of a bad network is constant
            "CCC": 2 * covariance / (x.var() + gold.var() + (x.mean() - gold.mean()) ** 2),
        }
        for pooling in ("per_recording", "concatenated"):
            assert record["scores"][fitted][pooling] == pytest.approx(expected, abs=1e-4)


def test_post_processing_raises_ccc_where_it_is_fitted(finished):
    for record in records(finished[0]).values():
        none, devel = (record["scores"][name]["per_recording"]["CCC"] for name in ("none", "devel"))
        assert devel >= none - 1e-9


# again, interrupted, elsewhere


def test_second_call_does_nothing_and_prints_the_same_tables(finished, corpus, cache, called):
    folder, printed, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    code, out, _ = called(*arguments(corpus, cache, folder))
    assert code == 0 and "0 of 4 results computed, 4 were there" in out
    assert out.splitlines()[1:] == printed.splitlines()[1:]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_killed_with_two_jobs_and_finished_with_one_the_numbers_are_those_of_one(
    finished, corpus, cache, tmp_path, called
):
    """`python -m` is killed once a worker has left the result of a network; `finished` was made without interruption."""
    process = started("lee2018", *arguments(corpus, cache, tmp_path, "--jobs", "2", variants=["lstm-ta"]))
    wait_for(process, tmp_path, "lstm-ta/*.json")
    kill(process)
    made = len(list(tmp_path.rglob("*.json")))  # the other worker may have left the ceiling, too
    code, out, err = called(*arguments(corpus, cache, tmp_path))
    assert code == 0 and f"{4 - made} of 4 results computed, {made} were there" in out and made in (1, 2), err
    assert numbers(tmp_path) == numbers(finished[0])
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".json", ".npz")]
    assert all(name.startswith(".") for name in left)  # at most what the kill left half written


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])  # which test_parallel.py has, too
def test_ctrl_c_during_extraction_keeps_what_is_finished(corpus, tmp_path, jobs):
    process = started("lee2018", *arguments(corpus, tmp_path / "cache", tmp_path / "results"), "--jobs", jobs)
    wait_for(process, tmp_path, "*.npz")  # the first recording is done
    interrupt(process)
    whole = list((tmp_path / "cache").rglob("*.npz"))
    assert whole and all(path.with_suffix(".npy").exists() for path in whole)
    assert not list((tmp_path / "results").rglob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_during_training_keeps_what_is_finished(finished, corpus, cache, tmp_path, jobs):
    words = [*arguments(corpus, cache, tmp_path), "--jobs", jobs]
    process = started("lee2018", *words)
    wait_for(process, tmp_path, "*.json")
    interrupt(process)
    done = subprocess.run(command(*words), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and re.search("[123] of 4 results computed, [123] were there", done.stdout)
    assert numbers(tmp_path) == numbers(finished[0])


@pytest.mark.usefixtures("step_by_step")
def test_same_seed_same_numbers_another_seed_others(corpus, cache, tmp_path, called):
    """Also after another network in the same process."""
    for name, seeds in (("several", ["1", "0", "0"]), ("one", ["0"])):
        words = arguments(corpus, cache, tmp_path / name, "--seeds", *seeds, variants=["lstm-ta"])
        assert called(*words)[0] == 0
    folder = tmp_path / "several/lee2018/simulated/quick/valence/lstm-ta"
    one, other = (results.read(folder / f"devel-seed{seed}.json") for seed in (0, 1))
    first = records(tmp_path / "one")["lstm-ta"]
    assert {name: one[name] for name in NUMBERS} == {name: first[name] for name in NUMBERS}
    assert one["scores"] != other["scores"] and one["task_digest"] == first["task_digest"]


def test_other_settings_or_labels_are_computed_anew(finished, corpus, copied, cache, called, monkeypatch):
    """Without the training: how many tasks are waiting."""
    waiting = []
    monkeypatch.setattr(
        "common.running.dispatch.run", lambda todo, *_: waiting.append(sum(not task.done() for task in todo)) or 0
    )
    rewritten(copied / "labels" / "Train_02.csv", lambda lines: column(lines, "0.9"))
    for root, more in (
        (corpus, []),
        (corpus, ["--set", "lstm_units=[4,4,4,4]"]),
        (copied, []),
        (corpus, ["--mixed-precision"]),
    ):
        assert called(*arguments(root, cache, finished[0], *more))[0] == 0
    assert waiting == [0, 4, 4, 4]


def test_arousal_has_scores_and_no_published_number(corpus, cache, tmp_path, called, monkeypatch):
    def faked(task, progress, **_):
        scores = {"devel": {"per_recording": {"CCC": 0.125}}}
        results.write(task.path, {"paper": "lee2018", "scores": scores, "task_digest": task.digest})

    monkeypatch.setattr(run, "train", faked)
    monkeypatch.setattr(run, "judge_skills", lambda paper, files: [])  # which needs whole records
    code, out, err = called(*arguments(corpus, cache, tmp_path, "--target", "arousal"))
    assert code == 0, err
    assert "paper prints no number for arousal" in out and out.count("0.125") == 4 and "table1" not in out


@pytest.mark.parametrize("target", ["valence", "arousal"])
def test_gold_standard_is_that_of_the_target(corpus, extracted, target):
    settings, recordings = extracted
    for recording, gold in zip(recordings, experiment.collect_golds(recordings, settings, target), strict=True):
        labels = sewa.read_labels(corpus / "labels" / f"{recording.name}.csv")
        time_ = np.arange(len(gold)) * settings["score_hop"]
        np.testing.assert_allclose(gold, np.interp(time_, labels.time, getattr(labels, target)), atol=1e-6)


def test_chats_where_lengths_tell_them():
    def recordings(*rows):
        return [
            SimpleNamespace(name=f"Devel_{n}", labels=SimpleNamespace(time=np.zeros(r))) for n, r in enumerate(rows)
        ]

    assert experiment.find_chats(recordings(9, 5, 5, 9)) == {
        "Devel_0": "0-3", "Devel_1": "1-2", "Devel_2": "1-2", "Devel_3": "0-3",
    }  # fmt: skip
    assert experiment.find_chats(recordings(9, 9, 9, 9)) == experiment.find_chats(recordings(9, 5, 4)) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "switch",
    ["stopping=fixed", "stopping=heldout", "stopping=devel", "fused_training=warm_start", "precision=mixed_bfloat16"],
)
def test_every_variant_runs(corpus, cache, tmp_path, called, switch):
    name, value = switch.split("=")
    variants = ["fused"] if name == "fused_training" else run.VARIANTS
    code, _, err = called(*arguments(corpus, cache, tmp_path, "--set", f"{name}={value}", variants=variants))
    assert code == 0, err
    assert {name for name in records(tmp_path) if not is_ceiling(name)} == set(variants)


# input that cannot be used


def rewritten(path: Path, change) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


def column(lines: list[str], value: str) -> list[str]:
    fields = lines[9].split(";")
    return [*lines[:9], ";".join([*fields[:2], value, *fields[3:]]), *lines[10:]]


def noise(path: Path) -> None:
    rng = np.random.default_rng(0)
    write_video(path, [rng.integers(0, 256, (96, 128, 3)).astype(np.uint8) for _ in range(53)])


DEFECTS = {
    "missing column": (
        "labels",
        lambda path: rewritten(path, lambda lines: [line.rpartition(";")[0] for line in lines]),
        "4 fields",
    ),
    "NaN": ("labels", lambda path: rewritten(path, lambda lines: column(lines, "nan")), "line 10 holds NaN"),
    "word": ("labels", lambda path: rewritten(path, lambda lines: column(lines, "high")), "line 10"),
    "label out of range": (
        "labels",
        lambda path: rewritten(path, lambda lines: column(lines, "3.5")),
        "outside [-1, 1]",
    ),
    "gap": (
        "labels",
        lambda path: rewritten(path, lambda lines: lines[:8] + lines[12:]),
        "after 0.7 s the next label is at 1.2 s",
    ),
    "tabs": (
        "labels",
        lambda path: rewritten(path, lambda lines: [line.replace(";", "\t") for line in lines]),
        "separated by ';'",
    ),
    "no labels": ("labels", lambda path: path.unlink(), "missing"),
    "truncated AVI": (
        "video",
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 3]),
        "it looks truncated",
    ),
    "text as AVI": ("video", lambda path: path.write_text("text"), "cannot be read as video"),
    "no AVI": ("video", lambda path: path.unlink(), "missing"),
    "no face": ("video", noise, "no face found in"),
    "WAV without samples": ("audio", lambda path: soundfile.write(path, np.zeros(0), 16_000), "holds no audio"),
    "WAV of no bytes": ("audio", lambda path: path.write_bytes(b""), "cannot be read as audio"),
    "stereo at 48 kHz": (
        "audio",
        lambda path: soundfile.write(path, np.zeros((300_000, 2)), 48_000),
        "--set resample=true",
    ),
    "short WAV": ("audio", lambda path: soundfile.write(path, np.zeros(16_000), 16_000), "it looks truncated"),
    "WAV of a moment": ("audio", lambda path: soundfile.write(path, np.zeros(100), 16_000), "it looks truncated"),
    "no WAV": ("audio", lambda path: path.unlink(), "missing"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_stops_the_run_in_lines_that_name_the_file(copied, cache, tmp_path, called, defect):
    folder, damage, words = DEFECTS[defect]
    path = copied / folder / f"Train_02{avec2017.FOLDERS[folder]}"
    damage(path)
    code, out, err = called(*arguments(copied, cache, tmp_path / "results"))
    told = [line for line in re.split(r"[\r\n]+", err) if line.startswith(("unusable:", "error:"))]
    assert (code, out, len(told)) == (3, "", 2) and "Traceback" not in err
    assert told[0].startswith(f"unusable: {path}: ") and words in told[0]
    assert told[1].startswith(f"error: {path}: 1 recording(s) cannot be used") and "--skip-unusable" in told[1]
    assert not list((tmp_path / "results").rglob("*.json"))


def test_all_defects_are_named_at_once(copied, cache, tmp_path, called):
    (copied / "labels" / "Train_01.csv").write_text("")
    (copied / "audio" / "Devel_01.wav").write_bytes(b"")
    code, _, err = called(*arguments(copied, cache, tmp_path / "results"))
    assert code == 3 and err.count("unusable: ") == 2 and "2 recording(s)" in err


@pytest.mark.usefixtures("step_by_step")
def test_skip_unusable_goes_on_and_the_result_lists_what_was_left_out(copied, cache, tmp_path, called):
    (copied / "labels" / "Train_02.csv").write_text("")
    code, _, err = called(*arguments(copied, cache, tmp_path / "results", "--skip-unusable", variants=["lstm-ta"]))
    assert code == 0 and "unusable: " in err
    record = records(tmp_path / "results")["lstm-ta"]
    assert [item["name"] for item in record["recordings"]] == ["Train_01", "Devel_01"]
    (left_out,) = record["unusable"]
    assert left_out["recording"] == "Train_02" and "is empty" in left_out["reason"]


def test_skip_unusable_needs_a_recording_in_each_partition(copied, cache, tmp_path, called):
    (copied / "labels" / "Devel_01.csv").write_text("")
    code, _, err = called(*arguments(copied, cache, tmp_path / "results", "--skip-unusable"))
    assert code == 3 and f"error: {copied}: no usable Devel recording" in err


def test_resampling_on_demand(copied, cache, tmp_path, monkeypatch):
    """What the refusal of 48 kHz stereo recommends."""
    for path in (copied / "audio").iterdir():
        signal, _ = soundfile.read(path)
        soundfile.write(path, np.repeat(np.repeat(signal, 3)[:, None], 2, axis=1), 48_000)
    monkeypatch.setattr(sys, "argv", ["run", *arguments(copied, cache, tmp_path / "results", "--set", "resample=true")])
    words = run.parse()
    settings = resolve_settings(load_paper(run.PAPER), words.profile, words.set)
    (corpus,) = run.prepare(words, settings, faces.locate_landmark_file())
    assert len(corpus.recordings) == 3 and all(np.isfinite(recording.audio).all() for recording in corpus.recordings)


def one_line(err: str) -> str:
    assert err.count("\n") == 1 and err.startswith("error: "), err
    return err


@pytest.mark.parametrize(
    "make",
    [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text("")],
    ids=["missing", "empty", "a file"],
)
def test_a_wrong_corpus_folder(tmp_path, cache, called, make):
    make(tmp_path / "sewa")
    code, _, err = called(*arguments(tmp_path / "sewa", cache, tmp_path / "results"))
    assert code == 3 and str(tmp_path / "sewa") in one_line(err)


@pytest.mark.parametrize("content", [None, "no model"], ids=["missing", "text"])
def test_a_wrong_landmark_model(corpus, tmp_path, called, content):
    if content:
        (tmp_path / "model.dat").write_text(content)
    words = arguments(corpus, tmp_path / "cache", tmp_path / "results", "--landmarks", str(tmp_path / "model.dat"))
    code, _, err = called(*words)
    assert code == 3 and str(tmp_path / "model.dat") in err and "Traceback" not in err


def test_a_file_in_place_of_the_results_folder(corpus, cache, tmp_path, called):
    (tmp_path / "results").write_text("mine")
    code, _, err = called(*arguments(corpus, cache, tmp_path / "results"))
    assert code == 4 and str(tmp_path / "results") in one_line(err)
    assert (tmp_path / "results").read_text() == "mine"


def test_a_file_in_place_of_the_cache(corpus, tmp_path, called):
    (tmp_path / "cache").write_text("mine")
    code, _, err = called(*arguments(corpus, tmp_path / "cache", tmp_path / "results"))
    assert code == 4 and str(tmp_path / "cache") in err and "Traceback" not in err


def test_a_disk_that_fills_up_during_extraction(corpus, tmp_path, called, monkeypatch):
    def full(file, array):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    code, _, err = called(*arguments(corpus, tmp_path / "cache", tmp_path / "results"))
    assert code == 4 and "No space left on device" in err and str(tmp_path / "cache") in err and "Traceback" not in err
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]  # nothing half written


def test_a_disk_that_fills_up_when_the_result_is_written(corpus, cache, tmp_path, called, monkeypatch):
    def full(task, progress, **_):
        storage.write_atomically(
            task.path, lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        )

    monkeypatch.setattr(run, "train", full)
    code, out, err = called(*arguments(corpus, cache, tmp_path))
    assert (
        (code, out) == (4, "")
        and "devel-seed0.json: cannot be written (No space left on device)" in err
        and "Traceback" not in err
    )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# the command line


def test_help_names_options_and_networks(called):
    code, out, _ = called("--help")
    assert code == 0
    for word in (
        "--corpus",
        "--profile",
        "--seeds",
        "--variants",
        "--jobs",
        "--results",
        "--set",
        *run.VARIANTS,
        "130 interrupted",
    ):
        assert word in out


def test_a_cluster_that_is_not_there(corpus, cache, tmp_path, called):
    code, _, err = called(*arguments(corpus, cache, tmp_path, "--engine", "dask", "--scheduler", "nowhere://x"))
    assert code == 3 and "dask" in err.split("\r")[-1].lower() and "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        ["--profile", "large"],
        ["--variants", "lstm", "svm"],
        ["--jobs", "0"],
        ["--jobs", "two"],
        ["--seeds", "-1"],
        ["--target", "liking"],
        ["--colour"],
    ],
    ids=" ".join,
)
def test_wrong_usage(called, words):
    assert called(*words)[0] == EXIT_USAGE


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("epochs=3", "epochs"),
        ("crop_size", "crop_size"),
        ("crop_size=big", "whole number"),
        ("crop_size=16.5", "whole number"),
        ("peepholes=all", "one of hadamard, mixed, none"),
        ("conv3d_filters=[1,2]", "conv3d_filters"),
        ("encoder_filters=[8]", "decoder_filters"),
        ("dropout=1.5", "dropout"),
        ("batch_size=0", "batch_size"),
        ("egemaps=v03", "v01a"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_done(tmp_path, called, setting, words):
    code, out, err = called(
        "--set", setting, "--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")
    )
    assert (code, out) == (3, "") and words in one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_every_switch_of_the_ledger_is_accepted():
    paper = load_paper(run.PAPER)
    for entry in paper.ledger:
        words = shlex.split(entry.switch)
        overrides = [value for flag, value in zip(words, words[1:]) if flag == "--set"]
        for profile in ("quick", "paper"):
            run.validate(resolve_settings(paper, profile, overrides))


# the steps of a run


def test_audio_is_standardised_by_the_training_partition(extracted):
    _, recordings = extracted
    moments = Moments.exact([recording.audio for recording in recordings[:2]])
    together = np.concatenate([moments(recording.audio) for recording in recordings[:2]])
    varied = np.concatenate([recording.audio for recording in recordings[:2]]).std(axis=0) > 0
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(together.std(axis=0)[varied], 1, atol=1e-3)
    assert np.isfinite(moments(recordings[2].audio)).all()


def test_other_choices_want_a_results_folder_of_their_own(tmp_path, monkeypatch, called):
    monkeypatch.chdir(tmp_path)
    code, _, error = called("--corpus", "nowhere", "--set", "colour=grey")
    assert code == EXIT_INPUT and "colour" in error and "--results" in error
    code, _, error = called("--corpus", "nowhere", "--set", "resample=true")  # says how the files are, no choice
    assert code == EXIT_INPUT and "nowhere" in error and "do not mix" not in error
