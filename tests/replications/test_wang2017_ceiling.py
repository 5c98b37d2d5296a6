"""What a learner scores that is given the truth: high where the labels follow from it, and nothing where they do not."""

from pathlib import Path

import numpy as np
import pytest

from common import metrics, results
from common.evidence import runs, scores
from common.evidence.paper import Part, resolve_number
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.running import tasks
from common.running.corpora import Corpus
from datasets.simulated.avec2017 import SEWA
from datasets.traces import Labels
from replications.wang2017 import ceiling, experiment, run
from replications.wang2017.features import TARGETS, Features
from tests.replications.planted import exchange_truths, plant

PAPER = load_paper(run.PAPER)
SETTINGS = resolve_settings(PAPER, "quick", ["clip_frames=80", "clip_step=2"])  # clips of 16 s at 10 frames a second


def planted(root, name: str, seconds: float = 60.0) -> Features:
    _, labels = plant(root, name, seconds, SEWA)
    time = np.arange(len(labels)) * 0.1
    found, blank = np.ones(len(time), bool), np.zeros((len(time), 1))
    return Features(name, name.split("_")[0], time, blank, found, Labels(time, *labels.T[:2]), Path(name), name)


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    names = [f"train_{n:03}" for n in range(1, 9)] + [f"devel_{n:03}" for n in (1, 5, 9)] + ["test_001"]
    return Corpus("simulated", tmp_path, [planted(tmp_path, name) for name in names])


def measured(corpus, folder):
    path = folder / "wang2017" / "simulated" / "quick" / "all" / "ceiling-face" / "devel-seed0.json"
    task = tasks.Task("ceiling-face", "devel", 0, path, "digest")
    experiment.train(task, print, {task: corpus}, SETTINGS, "quick", {})
    return path, results.read(path)


def test_high_with_the_truth_and_nothing_with_that_of_another(corpus, tmp_path):
    known = measured(corpus, tmp_path / "a")[1]
    assert all(known["scores"][target]["devel_*"]["CC"] > 0.6 for target in TARGETS)
    exchange_truths(corpus.root)
    unknown = measured(corpus, tmp_path / "b")[1]
    assert all(unknown["scores"][target]["devel_*"]["CC"] < 0.3 for target in TARGETS)


def test_its_result_file_is_one_like_any_other(corpus, tmp_path):
    file = measured(corpus, tmp_path)
    runs.check_files([file])
    found = runs.select_runs(PAPER, [file], "ceiling-face")
    for target in TARGETS:
        number = resolve_number(PAPER, Part(metric="CC", target=target, recordings="devel_*"))
        assert scores.is_sound(PAPER, found, number)
        low, high = scores.estimate_interval(scores.resample_score(PAPER, found, number))
        assert low < scores.find_score(PAPER, found, number) < high
        assert 0.5 < file[1]["training_scores"][target]["CC"] < 1


@pytest.mark.parametrize("inference", ["clips", "running"])
def test_nothing_outside_of_the_clip_is_seen(tmp_path, monkeypatch, inference):
    """A moment of affect changes the rows of its own phase, from it until the clip ends, or for half a clip."""
    recording = planted(tmp_path, "train_001")
    shown = np.zeros((len(recording.time), 2))
    shown[251] = 1  # in the odd phase; clips of 160 frames begin at 161 and at 321
    monkeypatch.setattr(ceiling, "trace_displayed", lambda root, name, times: (shown, shown))
    clips = experiment.split_phases(len(recording.time), {**SETTINGS, "inference": inference})
    rows = ceiling.show_samples(recording, clips, tmp_path, SETTINGS)
    last = 319 if inference == "clips" else 251 + 39 * 2
    assert np.array_equal(np.flatnonzero(rows.any(axis=1)), np.arange(251, last + 1, 2))


def test_training_scores_are_of_the_recordings_that_were_trained_on(corpus):
    rng = np.random.default_rng(0)
    series = {"valence": [r.labels.valence + rng.normal(size=len(r.time)) for r in corpus.recordings]}
    task = tasks.Task("la", "devel", 0, None, "digest")
    record, _ = experiment.describe(task, corpus, series, SETTINGS, "quick")
    expected = [metrics.cc(r.labels.valence, s) for r, s in zip(corpus.recordings[:8], series["valence"])]
    assert record["training_scores"]["valence"]["CC"] == pytest.approx(np.mean(expected))
    assert list(record["scores"]["valence"]) == ["devel_*", "test_*"]
