"""Batches, scores and whole experiments of Chao et al. 2016, on invented clips whose appearance shows the class."""

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import results
from common.evidence.cells import fill_cells
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from common.evidence.settings import resolve_settings
from common.networks import training
from common.running import tasks
from common.running.corpora import Corpus
from datasets import afew
from replications.chao2016 import experiment, models
from replications.chao2016.features import Features

PAPER = next(paper for paper in load_papers() if paper.id == "chao2016")
SMALL = {"units": 5, "proposed_units": 5, "select_units": 3, "embedding_units": 3, "epochs": 2, "batch_size": 4}
TINY = resolve_settings(PAPER, "quick", [f"{name}={value}" for name, value in SMALL.items()])
CNN = {"weights": "random", "faces": 70, "simulated": True, "pool5": 288, "selected": 6}
LEFT_OUT = {"simulated": ["Train/faceless"]}


def invented(partition: str, index: int, steps: int, found: bool = True, label: int | None = None) -> Features:
    """A whitened clip of class index % 7, which one column of the appearance shows in half of the frames."""
    rng = np.random.default_rng([afew.PARTITIONS.index(partition), index])
    label = index % 7 if label is None else label
    appearance = rng.standard_normal((steps, 8)).astype(np.float32)
    appearance[steps // 2 :, index % 7] += 4
    seen = (np.arange(steps) > 0) & found
    heard = rng.standard_normal((steps * 5 // 4, 4)).astype(np.float32)
    shape = rng.standard_normal((steps, 3)).astype(np.float32)
    name = f"{partition}/{index:03d}"
    return Features(name, partition, label if label >= 0 else None, heard, shape, appearance, seen, f"digest {name}")


CLIPS = [
    *(invented("Train", index, 12 + index) for index in range(14)),
    *(invented("Val", index, 15 + index) for index in range(7)),
    *(invented("Test", index, 14 + 2 * index, found=index != 3) for index in range(6)),
    invented("Test", 6, 13, label=-1),  # nobody knows its class
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """With the truth beside it: emotion is shown in the second half, sound and picture are in time."""
    return planted(tmp_path_factory.mktemp("corpus"), CLIPS, [clip.label for clip in CLIPS])


def planted(root: Path, clips: list[Features], displayed: list[int | None]) -> Corpus:
    """A corpus in which each clip displays the class of this number (None: the last class), more or less strongly."""
    (root / "truth").mkdir()
    for number, (clip, label) in enumerate(zip(clips, displayed, strict=True)):
        time = np.arange(len(clip.shape)) / afew.FPS
        salient = time >= time[len(time) // 2]
        script = {"label": afew.CLASSES[6 if label is None else label], "strength": 0.4 + 0.1 * (number % 7)}
        script |= {
            "person": f"person {number // 3}",
            "offset": 0.0,
            "frame_salient": salient,
            "episode_in_voice": np.array([True]),
            "frame_shown": salient.astype(float),
            "voice_shown": salient.astype(float),
        }
        np.savez(root / "truth" / f"{clip.name.replace('/', '_')}.npz", **script)
    return Corpus("simulated", root, clips)


def trained(corpus: Corpus, folder: Path, variant: str = "proposed", seed: int = 0, progress=None, **changes):
    """Path and record of one result."""
    path = folder / "chao2016" / corpus.name / "quick" / "all" / variant / f"val-seed{seed}.json"
    task, steps = tasks.Task(variant, "val", seed, path, "digest"), []
    corpora, chosen = {task: corpus}, {**TINY, **changes}
    experiment.train(task, progress or steps.append, corpora, chosen, "quick", CNN, LEFT_OUT)
    assert progress or steps == sorted(steps) and 0.9 < steps[-1] <= 1
    return path, results.read(path)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """finished(variant): path and record, each trained once."""
    folder = tmp_path_factory.mktemp("results")
    return cache(lambda variant: trained(corpus, folder, variant))


variants = pytest.mark.parametrize(  # the last step is one line of the network, which has tests of its own
    "variant", [pytest.param(name, marks=pytest.mark.slow) if name == "last" else name for name in models.VARIANTS]
)


# ------------------------------------------------------------------------------------------------------- batches


def test_clips_are_padded_to_the_longest():
    clips = experiment.Clips(CLIPS)
    assert clips.widths == {"audio": 4, "shape": 3, "appearance": 8}
    inputs, labels = clips(np.array([3, 20, 27]))
    longest = max(len(clip.shape) for clip in CLIPS)
    assert inputs["shape"].shape == (3, longest, 3) and inputs["audio"].shape == (3, longest * 5 // 4, 4)
    assert labels.tolist() == [3, 6, -1]
    for row, clip in enumerate(CLIPS[i] for i in (3, 20, 27)):
        assert (inputs["steps"][row], inputs["audio_steps"][row]) == (len(clip.shape), len(clip.audio))
        for name in clips.widths:
            values = getattr(clip, name)
            np.testing.assert_array_equal(inputs[name][row, : len(values)], values)
            assert not inputs[name][row, len(values) :].any()
    assert {inputs[name].dtype for name in clips.widths} == {np.dtype(np.float32)}


# -------------------------------------------------------------------------------------------------------- scores


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs):
    from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

    truth, predicted = (np.array(side) for side in zip(*pairs))
    clips = [invented("Val", i, 4, label=int(label)) for i, label in enumerate(truth)]
    scores = experiment.score_clips(clips, predicted)["Val/*"]
    assert scores["accuracy"] == pytest.approx(100 * accuracy_score(truth, predicted))
    assert experiment.score_accuracy(clips, predicted) == pytest.approx(scores["accuracy"])
    shares = 100 * confusion_matrix(truth, predicted, labels=range(7), normalize="true")
    for i, true in enumerate(afew.CLASSES):
        for j, other in enumerate(afew.CLASSES):
            expected = pytest.approx(shares[i, j]) if i in truth else None  # scikit-learn says 0
            assert scores[f"{true} as {other}"] == expected
    if set(truth) == set(range(7)):
        assert scores["UAR"] == pytest.approx(100 * recall_score(truth, predicted, average="macro"))
    else:
        assert scores["UAR"] is None
    assert len(scores) == 2 + 49


def test_partitions_are_scored_apart_and_unlabelled_clips_not():
    predicted = np.array([clip.label or 0 for clip in CLIPS])
    predicted[[0, 14, 15]] = [1, 3, 4]  # one of fourteen for training and two of seven are wrong
    found = experiment.score_clips(CLIPS, predicted)
    assert {name: scores["accuracy"] for name, scores in found.items()} == pytest.approx(
        {"Train/*": 1300 / 14, "Val/*": 500 / 7, "Test/*": 100}
    )
    assert found["Val/*"]["Angry as Happy"] == 100 and found["Val/*"]["UAR"] == pytest.approx(500 / 7)
    assert found["Test/*"]["UAR"] is None and found["Test/*"]["Surprise as Sad"] is None  # the seventh has no label
    without = experiment.score_clips(CLIPS[:21], predicted)
    assert set(without) == {"Train/*", "Val/*"}


# ----------------------------------------------------------------------------------------------- whole experiments


@variants
def test_a_result_says_what_was_done(finished, corpus, variant):
    path, record = finished(variant)
    check_files([(path, record)])
    expected = {
        "paper": "chao2016", "corpus": "simulated", "evidence": "simulated", "profile": "quick", "target": "all",
        "variant": variant, "fold": "val", "seed": 0, "settings": TINY, "corpus_digest": corpus.digest, "cnn": CNN,
        "left_out": ["Train/faceless"], "unusable": [], "task_digest": "digest",
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert list(record["scores"]["emotion"]) == ["Train/*", "Val/*", "Test/*"]
    assert len(record["history"]["loss"]) == len(record["history"]["select"]) == 2
    assert record["parameters"] > 0
    assert set(record["seconds"]) == {"training", "prediction"}
    rows = {row["name"]: row for row in record["recordings"]}
    assert rows["Test/003"] == {
        "name": "Test/003", "label": "Happy", "labels": 1, "frames": 20, "frames_without_face": 20,
    }  # fmt: skip
    assert rows["Test/006"] == {
        "name": "Test/006", "label": None, "labels": 0, "frames": 13, "frames_without_face": 1,
    }  # fmt: skip
    assert (record["mechanism"] is None) == (variant != "proposed")
    text = path.read_text()
    assert "NaN" not in text and "Infinity" not in text and str(corpus.root) not in text
    json.loads(text, parse_constant=pytest.fail)
    assert not list(path.parent.glob("*.checkpoint.*"))


@variants
def test_the_arrays_have_the_classes_of_all_clips(finished, variant):
    path, record = finished(variant)
    arrays = results.read_arrays(path, record)
    predicted = {clip.name: arrays[f"raw/emotion/{clip.name}"] for clip in CLIPS}
    assert all(label.shape == (1,) and label.dtype == np.int8 and 0 <= label[0] < 7 for label in predicted.values())
    gold = {name.removeprefix("gold/emotion/"): values for name, values in arrays.items() if name.startswith("gold/")}
    assert {name: int(values[0]) for name, values in gold.items()} == {c.name: c.label for c in CLIPS[:-1]}
    right = [predicted[clip.name][0] == clip.label for clip in CLIPS if clip.partition == "Train"]
    assert record["scores"]["emotion"]["Train/*"]["accuracy"] == pytest.approx(100 * np.mean(right))
    assert record["training_scores"]["emotion"] == {"accuracy": pytest.approx(100 * np.mean(right))}


@variants
def test_the_tables_have_the_accuracy_of_the_record(finished, variant):
    path, record = finished(variant)
    cells = {
        (cell.row, cell.column): cell
        for cell in fill_cells(PAPER, [(path, record)])
        if cell.exhibit == "table1" and cell.evidence != "none"
    }
    assert len(cells) == 3
    for (_, column), cell in cells.items():
        assert cell.ours == record["scores"]["emotion"][f"{column}/*"]["accuracy"] and cell.verdict == "NOT_COMPARABLE"
        assert cell.ci_low <= cell.ours <= cell.ci_high


def test_the_best_epoch_on_validation_is_kept(corpus, finished, tmp_path):
    """Accuracies are told instead of measured: the second epoch of four is the best, and the first of equals."""
    told = iter([20.0, 40.0, 40.0, 10.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "score_accuracy", lambda clips, predicted: next(told, 0.0))
        patch.setattr(experiment, "score_clips", lambda clips, predicted: {})
        path, best = trained(corpus, tmp_path / "a", "pool5", epochs=4, learning_rate=20.0)
    assert best["history"]["select"] == [20, 40, 40, 10]
    kept = results.read_arrays(path, best)
    changes = {"epochs": 2, "stopping": "last", "learning_rate": 20.0}
    path, two = trained(corpus, tmp_path / "b", "pool5", **changes)
    assert "select" not in two["history"] and two["history"]["loss"] == best["history"]["loss"][:2]
    arrays = results.read_arrays(path, two)
    assert all(np.array_equal(arrays[name], kept[name]) for name in arrays if name.startswith("raw/"))


@variants
def test_selection_looks_at_the_validation_partition(finished, variant):
    """The best accuracy that the history has is the one that is reported."""
    _, record = finished(variant)
    assert record["scores"]["emotion"]["Val/*"]["accuracy"] == pytest.approx(max(record["history"]["select"]))


NUMBERS = ("scores", "training_scores", "history", "mechanism", "arrays")


def numbers(record: dict) -> dict:
    return {name: record[name] for name in NUMBERS}


def test_another_seed_has_other_numbers_and_a_real_corpus_is_real(finished, tmp_path):
    _, record = trained(Corpus("afew", tmp_path, CLIPS), tmp_path, "pool5", seed=1)
    assert record["evidence"] == "real" and record["left_out"] == []
    assert record["history"] != finished("pool5")[1]["history"]


@pytest.mark.parametrize("variant", ["pool5", pytest.param("proposed", marks=pytest.mark.slow)])
def test_interrupted_and_resumed_the_numbers_are_the_same(corpus, finished, tmp_path, monkeypatch, variant):
    """Which also says: the same seed gives the same numbers."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)

    def stop(done: float) -> None:
        if done > 0.6:  # in the second epoch of two
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(corpus, tmp_path, variant, progress=stop)
    assert not list(tmp_path.rglob("*.json")) and len(list(tmp_path.rglob("*.checkpoint"))) == 1
    steps = []
    _, record = trained(corpus, tmp_path, variant, progress=steps.append)
    assert min(steps) > 0.45  # the first epoch is not done again
    assert numbers(record) == numbers(finished(variant)[1])


# ----------------------------------------------------------------------------------------------- what is looked at


def test_weights_of_the_first_clip_of_each_class_are_kept(finished):
    """Not of training clips, nor of one without a face, whose class has no other."""
    path, record = finished("proposed")
    arrays = results.read_arrays(path, record)
    shown = {f"Val/{index:03d}": CLIPS[14 + index] for index in range(7)}
    for kind in ("alignment", "attention"):
        names = {name.partition("/")[2] for name in arrays if name.startswith(f"{kind}/")}
        assert names == set(shown)
    for name, clip in shown.items():
        alignment, attention = arrays[f"alignment/{name}"], arrays[f"attention/{name}"]
        assert alignment.shape == (4, len(clip.shape)) and attention.shape == (7, len(clip.shape))
        np.testing.assert_allclose(alignment.sum(axis=0), 1, atol=1e-5)
        np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-5)
    before, after = arrays["embeddings/before"], arrays["embeddings/after"]
    assert before.shape == after.shape == (7, 3) and not np.array_equal(before, after)


def test_mechanism_is_measured_on_clips_that_were_not_trained_on(finished):
    found = finished("proposed")[1]["mechanism"]
    assert list(found) == ["drift", "synchrony", "perception"]
    seen = [clip for clip in CLIPS if clip.partition != "Train" and clip.found.any()]
    assert len(seen) == 7 + 6 and found["drift"]["frames"] == sum(len(clip.shape) for clip in seen)
    told = [clip for clip in seen if clip.label not in (None, 4)]
    assert found["perception"]["frames"] == sum(len(clip.shape) - 1 for clip in told)  # the first has no face
    assert 0 <= found["perception"]["auc"] <= 1 and found["synchrony"]["planted"] == 0
    assert found["synchrony"]["reach"][0] <= found["synchrony"]["offset"] <= found["synchrony"]["reach"][1]


def test_a_corpus_without_truth_has_the_drift_alone(tmp_path):
    training.prepare(0)
    clips = experiment.Clips(CLIPS)
    model = models.build_network("proposed", TINY, clips.widths, 7)
    found, arrays = experiment.measure_mechanism(model, clips, TINY, Corpus("afew", tmp_path, CLIPS))
    assert list(found) == ["drift"] and arrays


@pytest.mark.parametrize("variant", ["pool5", pytest.param("proposed", marks=pytest.mark.slow)])
def test_learns_what_the_appearance_shows(corpus, tmp_path, variant):
    """Chance is one of seven."""
    changes = {"epochs": 60, "dropout": 0.0, "units": 16, "proposed_units": 16, "select_units": 8, "batch_size": 14}
    _, record = trained(corpus, tmp_path, variant, **changes, learning_rate=3.0)
    scores = record["scores"]["emotion"]
    assert scores["Train/*"]["accuracy"] == 100 and scores["Val/*"]["accuracy"] > 70


def test_clips_of_one_person_are_drawn_together_for_intervals(corpus):
    people = experiment.find_people(corpus)
    assert set(people) == {clip.name for clip in CLIPS} and 1 < len(set(people.values())) < len(CLIPS)
    assert experiment.find_people(dataclasses.replace(corpus, name="afew")) == {}
