"""What a learner scores that is given the truth: high where the labels follow from it, and nothing where they do not."""

import numpy as np
import pytest

from common import results
from common.evidence import runs, scores
from common.evidence.paper import Part, resolve_number
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.running import tasks
from common.running.corpora import Corpus
from datasets import sewa
from datasets.simulated.avec2017 import SEWA
from replications.lee2018 import ceiling, experiment, features, run
from replications.lee2018.features import Features
from tests.replications.planted import exchange_truths, plant

PAPER = load_paper(run.PAPER)
SETTINGS = resolve_settings(PAPER, "quick", ["clip_frames=16"])


def planted(root, name: str, seconds: float = 40.0) -> Features:
    _, labels = plant(root, name, seconds, SEWA)
    hop = features.choose_grid_hop(SETTINGS)
    time = np.arange(round((seconds - 0.1) / hop) + 1) * hop
    found, blank = np.arange(len(time)) % 40 > 1, np.zeros((len(time), 1))
    labels = sewa.Labels(np.arange(len(labels)) * 0.1, *labels.T)
    return Features(name, name.split("_")[0], time, blank, blank, found, blank, labels, name)


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    names = [f"Train_{n:02}" for n in range(1, 9)] + [f"Devel_{n:02}" for n in range(1, 4)]
    return Corpus("simulated", tmp_path, [planted(tmp_path, name) for name in names])


def measured(corpus, folder, variant):
    path = folder / "lee2018" / "simulated" / "quick" / "valence" / variant / "devel-seed0.json"
    task = tasks.Task(variant, "devel", 0, path, "digest")
    experiment.train(task, print, {task: corpus}, SETTINGS, "quick", "valence", PAPER.protocol.pooling)
    return path, results.read(path)


def score(file) -> float:
    return file[1]["scores"]["none"]["concatenated"]["CCC"]


def test_high_with_the_truth_and_nothing_with_that_of_another(corpus, tmp_path):
    known = {kind: score(measured(corpus, tmp_path / "a", f"ceiling-{kind}")) for kind in set(PAPER.ceilings.values())}
    assert min(known["voice"], known["both"], known["face"]) > 0.6
    assert known["last-face"] < known["face"]  # labels are late: the last frame says less of them
    exchange_truths(corpus.root)
    assert score(measured(corpus, tmp_path / "b", "ceiling-both")) < 0.2


def test_its_result_file_is_one_like_any_other(corpus, tmp_path):
    file = measured(corpus, tmp_path, "ceiling-both")
    runs.check_files([file])
    found = runs.select_runs(PAPER, [file], "ceiling-both")
    number = resolve_number(PAPER, Part(metric="CCC"))
    assert scores.is_sound(PAPER, found, number)
    low, high = scores.estimate_interval(scores.resample_score(PAPER, found, number))
    assert low < scores.find_score(PAPER, found, number) < high
    assert 0.4 < file[1]["training_scores"]["valence"]["CCC"] < 1


@pytest.mark.parametrize(("kind", "back", "ahead"), [("face", 3.75, 0), ("last-face", 0, 0), ("voice", 6.75, 3.0)])
def test_nothing_outside_of_the_window_is_seen(tmp_path, monkeypatch, kind, back, ahead):
    """A moment of affect changes the rows of those windows that hold it, and no others."""
    recording = planted(tmp_path, "Train_01")
    (tmp_path / "turns" / "Train_01.csv").write_text("0;40\n")
    shown = np.zeros((len(recording.time), 2))
    moment = np.searchsorted(recording.time, 20.0)
    shown[moment] = 1
    monkeypatch.setattr(ceiling, "trace_displayed", lambda root, name, times: (shown, shown))
    rows = ceiling.show_window(f"ceiling-{kind}", recording, tmp_path, SETTINGS)
    changed = recording.time[rows.any(axis=1)]
    assert (changed.min(), changed.max()) == pytest.approx((20 - ahead, 20 + back))
    if kind == "face":
        clips = features.index_clips(np.arange(len(recording.time)), SETTINGS)
        assert np.array_equal(rows.any(axis=1), (clips == moment).any(axis=1))


def test_training_scores_are_those_of_whom_was_trained_on(corpus):
    """And not of those held out to choose the epoch."""
    settings = {**SETTINGS, "stopping": "heldout"}
    learnt, held_out = experiment.divide(corpus, settings, 0)
    assert learnt and held_out
    parts = experiment.list_parts(corpus)
    golds = {name: experiment.collect_golds(part, settings, "valence") for name, part in parts.items()}
    names = [recording.name for recording in learnt]
    scored = {
        "devel": golds["devel"],
        "train": [g if r.name in names else -g for r, g in zip(parts["train"], golds["train"])],
    }
    task = tasks.Task("lstm", "devel", 0, None, "digest")
    record, _ = experiment.describe(task, corpus, scored, settings, "quick", "valence", "per_recording")
    assert record["training_scores"]["valence"] == pytest.approx({"RMSE": 0, "CC": 1, "CCC": 1})
