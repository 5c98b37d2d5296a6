"""What a learner scores that is given the truth: high where the labels follow from it, and nothing where they do not."""

import dataclasses
import shutil

import numpy as np
import pytest

from common import results
from common.evidence import runs, scores
from common.evidence.paper import Part, resolve_number
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.running import tasks
from common.running.corpora import Corpus
from datasets.sewa import LABEL_HOP, TARGETS, Labels
from datasets.simulated import cultures
from replications.raju2021 import ceiling, experiment, run
from replications.raju2021.features import Features
from tests.replications.planted import exchange_truths, plant

PAPER = load_paper(run.PAPER)
SETTINGS = resolve_settings(PAPER, "study")


def planted(root, name: str, seconds: float = 40.0) -> Features:
    partition, culture, _ = name.split("_")
    _, labels = plant(root, name, seconds, getattr(cultures, culture))
    blank = np.zeros((len(labels), 1), np.float32)
    labels = Labels(np.arange(len(labels)) * LABEL_HOP, *labels.T)
    return Features(name, partition, culture, blank, blank, labels, name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """To be read only."""
    root = tmp_path_factory.mktemp("corpus")
    names = [f"{part}_{c}_{n:02}" for part, k in (("Train", 6), ("Devel", 4)) for c in ("DE", "HU") for n in range(k)]
    recordings = [planted(root, name, 40.0 + 2 * (int(name[-2:]) // 2)) for name in names]
    return Corpus("simulated", root, recordings)


@pytest.fixture(scope="module")
def exchanged(corpus, tmp_path_factory) -> Corpus:
    """The same with the truths of others. To be read only."""
    root = shutil.copytree(corpus.root, tmp_path_factory.mktemp("exchanged") / "corpus")
    exchange_truths(root)
    return dataclasses.replace(corpus, root=root)


def measured(corpus, folder, kind):
    variant = f"ceiling-{kind}"
    path = folder / "raju2021" / "simulated" / "study" / "all" / variant / "heldout-seed0.json"
    task = tasks.Task(variant, "heldout", 0, path, "digest")
    experiment.train(task, print, {task: corpus}, SETTINGS, "study")
    return path, results.read(path)


@pytest.mark.parametrize("kind", sorted(set(PAPER.ceilings.values())))
def test_high_with_the_truth_and_nothing_with_that_of_another(corpus, exchanged, tmp_path, kind):
    known = measured(corpus, tmp_path / "a", kind)[1]
    assert all(known["scores"][target]["*"]["CCC"] > 0.6 for target in TARGETS)
    unknown = measured(exchanged, tmp_path / "b", kind)[1]
    assert all(unknown["scores"][target]["*"]["CCC"] < 0.2 for target in TARGETS)


def test_its_result_file_is_one_like_any_other(corpus, tmp_path):
    file = measured(corpus, tmp_path, "sequence")
    runs.check_files([file])
    for target in TARGETS:
        number = resolve_number(PAPER, Part(metric="CCC", target=target, fold="heldout", recordings="*"))
        found = runs.select_runs(PAPER, [file], "ceiling-sequence", number=number)
        assert scores.is_sound(PAPER, found, number)
        low, high = scores.estimate_interval(scores.resample_score(PAPER, found, number))
        assert low < scores.find_score(PAPER, found, number) < high
        assert 0.8 < file[1]["training_scores"][target]["CCC"] < 1


@pytest.mark.parametrize(
    ("kind", "changes", "back", "ahead"),
    [
        ("window", {}, 5.0, 2.0),
        ("window", {"eaf_window_at": "centre"}, 3.5, 3.5),
        ("window", {"eaf_readout": "steps"}, 8.0, 2.0),
        ("sequence", {"summary_window": 6.0}, 9.0, 3.0),
        ("past", {}, 8.0, 2.0),
    ],
)
def test_nothing_outside_of_the_window_is_seen(tmp_path, monkeypatch, kind, changes, back, ahead):
    """A moment of affect changes rows from `ahead` seconds before it until `back` after it, and no others."""
    recording = planted(tmp_path, "Train_DE_01")
    shown = np.zeros((len(recording.labels.time), 3))
    shown[200] = 1  # second 20
    monkeypatch.setattr(ceiling, "trace_displayed", lambda root, name, times: (shown, shown))
    rows = ceiling.show_window(f"ceiling-{kind}", recording, tmp_path, {**SETTINGS, **changes})
    changed = recording.labels.time[rows.any(axis=1)]
    assert (changed.min(), changed.max()) == pytest.approx((20 - ahead, 20 + back))


def test_training_scores_are_of_the_recordings_that_were_trained_on(corpus):
    devel = corpus.partition("Devel")
    task = tasks.Task("aed", "heldout", 0, None, "digest")
    training_set, _ = experiment.divide(corpus, devel, SETTINGS, task)
    learnt, series = (
        {target: [sign * experiment.read_gold(r, target, SETTINGS) for r in part] for target in TARGETS}
        for part, sign in ((training_set, 1), (devel, -1))
    )
    record, _ = experiment.describe(task, corpus, training_set, learnt, series, SETTINGS, "study")
    assert all(record["training_scores"][target]["CCC"] > 0.99 for target in TARGETS)
    assert all(record["scores"][target]["*"]["CCC"] < 0 for target in TARGETS)
