"""Folds and protocols of Priyasad et al. 2019 on invented features: what is put together, and what may not leak."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import results, storage
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from common.evidence.settings import resolve_settings
from common.networks import training
from common.running import tasks
from common.running.corpora import Corpus, Unusable
from datasets.acted import CLASSES
from replications.priyasad2019 import experiment
from replications.priyasad2019.experiment import VARIANTS, Fold, Outcome
from replications.priyasad2019.features import Clip, Segments
from replications.priyasad2019.protocols import Split, divide
from tests.processes import without_graphs

PAPER = next(paper for paper in load_papers() if paper.id == "priyasad2019")
WIDTH, FRAMES, PER_CLIP = 32, 2, 3  # of fc6; faces of a segment; segments of a clip
SMALL = {
    **{"vgg_fc": WIDTH, "lstm_units": WIDTH, "attention_units": 8, "hidden_units": 16, "segment_frames": FRAMES},
    **{"extraction_epochs": 3, "fusion_epochs": 3, "batch_size": 32, "folds": 3, "held_out": 0.3},
}
TINY = resolve_settings(PAPER, "quick", [f"{name}={value}" for name, value in SMALL.items()])
LONG = {"extraction_epochs": 20, "extraction_rate": 0.01, "fusion_epochs": 10, "fusion_rate": 0.01, "stopping": "last"}
SUBJECTS, TAKES = ("s1", "s2", "s3", "s4"), 3
CHANCE = 1 / len(CLASSES)


def clip(subject: str, label: int, take: int = 0) -> Clip:
    name, found = f"{subject}/{CLASSES[label]} {take}", np.arange(30) > take
    times = {"speech": np.array([0.3126, 1.2]), "span": np.array([0.11, 1.4]), "starts": 0.3 * np.arange(PER_CLIP)}
    return Clip(name, subject, label, Path("a.avi"), Path("a.npz"), **times, found=found, digest=f"digest {name}")


CLIPS = [clip(subject, label, take) for subject in SUBJECTS for label in range(6) for take in range(TAKES)]
OWNER = np.repeat(np.arange(len(CLIPS)), PER_CLIP)
LABELS = np.array([one.label for one in CLIPS])[OWNER]
MARKED = {  # which clips bear the same marker: all of an emotion, those of one subject among them, each its own
    "class": lambda one: CLASSES[one.label],
    "subject": lambda one: f"{one.subject} {CLASSES[one.label]}",
    "clip": lambda one: one.name,
}


def invented(*planted: str) -> Segments:
    """Noise with markers (of MARKED) in sound and faces alike; neighbouring segments share a face."""
    rng, rows = np.random.default_rng(0), PER_CLIP + FRAMES - 1
    audio, faces = rng.normal(size=(len(OWNER), WIDTH)), rng.normal(size=(len(CLIPS) * rows, WIDTH))
    for kind in planted:
        markers = {key: 3 * rng.normal(size=WIDTH) for key in sorted({MARKED[kind](one) for one in CLIPS})}
        borne = np.array([markers[MARKED[kind](one)] for one in CLIPS])
        audio, faces = audio + borne.repeat(PER_CLIP, axis=0), faces + borne.repeat(rows, axis=0)
    frames = np.arange(PER_CLIP)[:, None] + np.arange(FRAMES)
    frames = np.concatenate([number * rows + frames for number in range(len(CLIPS))])
    fc7 = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 6, np.zeros(WIDTH, np.float32)
    return Segments(audio.astype(np.float32), faces.astype(np.float32), frames, OWNER, fc7)


def task_of(folder: Path, split: Split, seed: int = 0) -> tasks.Task:
    return tasks.Task("loso", split.name, seed, folder / f"{split.name}.json", "digest")


def trained(folder: Path, split: Split, segments: Segments, labels=LABELS, seed: int = 0, progress=None, **changes):
    """Record and arrays of one fold."""
    task, steps = task_of(folder, split, seed), []
    folds = {task.path: Fold(segments, labels, split)}
    with without_graphs():
        experiment.train(task, progress or steps.append, folds, TINY | changes)
    assert progress or steps == sorted(steps) and steps[-1] == pytest.approx(1)
    record = results.read(task.path)
    return record, results.read_arrays(task.path, record)


def folds(protocol: str, **changes) -> list[Split]:
    return divide(protocol, CLIPS, OWNER, TINY | changes, seed=0)


@pytest.fixture(scope="module")
def leaving_out():
    """Subject 2 is tested, another one is held out to choose the epoch."""
    return folds("loso")[1]


@pytest.fixture(scope="module")
def finished(leaving_out, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("fold"), leaving_out, invented("class"))


# -------------------------------------------------------------------------------------------------------- scaling


def test_z_scores_have_the_moments_of_the_training_segments_alone(leaving_out):
    """Faces count once, however many segments show them."""
    segments, train = invented("class"), leaving_out.train
    inputs = experiment.scale_inputs(Fold(segments, LABELS, leaving_out), "z-score")
    shown = segments.faces[sorted(set(segments.frames[train].ravel()))].astype(float)
    heard = segments.audio[train].astype(float)
    for index in (train, leaving_out.test, leaving_out.held):
        found = {name: batch(index)[name] for name, batch in inputs.items()}
        audio = (segments.audio[index] - heard.mean(axis=0)) / heard.std(axis=0)
        faces = (segments.faces[segments.frames[index]] - shown.mean(axis=0)) / shown.std(axis=0)
        np.testing.assert_allclose(found["audio"], audio, atol=1e-4)
        np.testing.assert_allclose(found["visual"], faces, atol=1e-4)
        assert found["visual"].shape == (len(index), FRAMES, WIDTH)
        assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}


def test_without_scaling_the_features_are_as_vgg19_has_them(leaving_out):
    segments = invented()
    inputs = experiment.scale_inputs(Fold(segments, LABELS, leaving_out), "none")
    heard, seen = (inputs[name](np.array([4, 0]))[name] for name in ("audio", "visual"))
    np.testing.assert_array_equal(heard, segments.audio[[4, 0]])
    np.testing.assert_array_equal(seen, segments.faces[segments.frames[[4, 0]]])


# --------------------------------------------------------------------------------------------------------- one fold


def test_a_fold_says_what_was_done(finished, leaving_out):
    record, arrays = finished
    assert (record["fold"], record["task_digest"], set(record["seconds"])) == ("s2", "digest", {"phase 1", "phase 2"})
    assert set(record["history"]) == set(VARIANTS)
    for history in record["history"].values():
        assert {name: len(values) for name, values in history.items()} == {"loss": 3, "select": 3}
        right = np.array(history["select"]) * len(leaving_out.held)
        np.testing.assert_allclose(right, right.round(), atol=1e-9)  # a share of the segments that are held out
    np.testing.assert_array_equal(arrays["test"], leaving_out.test)
    count = len(leaving_out.test)
    for name in VARIANTS:
        assert arrays[f"posterior/{name}"].shape == (count, len(CLASSES))
        np.testing.assert_allclose(arrays[f"posterior/{name}"].sum(axis=1), 1, atol=1e-5)
    assert arrays["beta"].shape == (count, 2)
    np.testing.assert_allclose(arrays["beta"].sum(axis=1), 1, atol=1e-5)


def test_training_scores_are_of_the_segments_trained_on_at_the_epoch_that_was_kept(leaving_out, tmp_path):
    """Where those that choose the epoch are the same, the score by which it was chosen is that of the training."""
    train, test = leaving_out.train[::4], leaving_out.test[:6]
    record, _ = trained(tmp_path, Split("s2", train, train, test), invented("class"))
    for name in VARIANTS:
        assert record["training_accuracy"][name] == pytest.approx(100 * max(record["history"][name]["select"]))


def test_interrupted_and_resumed_the_numbers_are_the_same(leaving_out, finished, tmp_path, monkeypatch):
    """Which also says: the same seed gives the same numbers."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)

    def stop(done: float) -> None:
        if done > 0.67:  # behind an epoch of the third network, in phase 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, leaving_out, invented("class"), progress=stop)
    assert not list(tmp_path.glob("*.json"))
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {f"s2.{name}.checkpoint" for name in ("audio", "visual", "proposed")}
    steps = []
    record, arrays = trained(tmp_path, leaving_out, invented("class"), progress=steps.append)
    assert min(steps) > 0.5  # what was fitted is not fitted again
    assert record["history"] == finished[0]["history"]
    assert record["training_accuracy"] == finished[0]["training_accuracy"]
    assert arrays.keys() == finished[1].keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, finished[1][name], err_msg=name)
    task_of(tmp_path, leaving_out).tidy()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


@pytest.mark.slow
def test_the_seed_draws_the_first_weights(leaving_out, tmp_path):
    """Which are the last where nothing is learnt."""
    still = {"extraction_rate": 0.0, "fusion_rate": 0.0}
    first, second = (
        trained(tmp_path / str(seed), leaving_out, invented("class"), seed=seed, **still)[1] for seed in (0, 1)
    )
    for name in VARIANTS:
        assert not np.allclose(first[f"posterior/{name}"], second[f"posterior/{name}"], atol=1e-3)


# ------------------------------------------------------------------------------------------------------------ leaks


def test_a_fold_does_not_look_at_whom_it_tests(leaving_out, finished, tmp_path):
    """Garbage for two thirds of the tested subject: all that was fitted stays, and so do the other posteriors."""
    segments, tested = invented("class"), leaving_out.test
    spoilt = np.isin(np.arange(len(OWNER)), tested) & (np.arange(len(OWNER)) % PER_CLIP != 1)
    only = np.setdiff1d(segments.frames[spoilt], segments.frames[~spoilt])  # faces that no other segment shows
    assert len(only) == 2 * len(tested) // PER_CLIP
    audio, faces, labels = segments.audio.copy(), segments.faces.copy(), LABELS.copy()
    audio[spoilt], faces[only] = 1e3, -1e3
    labels[spoilt] = (labels[spoilt] + 1) % len(CLASSES)
    garbage = Segments(audio, faces, segments.frames, OWNER, segments.fc7)
    record, arrays = trained(tmp_path, leaving_out, garbage, labels)
    assert record["history"] == finished[0]["history"]
    probes = ~spoilt[tested]
    assert 0 < probes.sum() < len(tested)
    for name in ("beta", *(f"posterior/{name}" for name in VARIANTS)):
        np.testing.assert_allclose(arrays[name][probes], finished[1][name][probes], atol=1e-6, err_msg=name)
        assert not np.allclose(arrays[name][~probes], finished[1][name][~probes], atol=1e-2), name


def heard(splits: list[Split], *planted: str) -> float:
    """Accuracy over the segments that `splits` test, of the sound's network alone: it is trained the fastest."""
    from replications.priyasad2019 import models

    segments, chosen, right = invented(*planted), TINY | LONG, []
    training.prepare(0)
    for split in splits:
        model, fold = models.build_extractor("audio", chosen, len(CLASSES), segments.fc7), Fold(segments, LABELS, split)
        batch = experiment.scale_inputs(fold, "z-score")["audio"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(storage, "write_atomically", lambda path, write: None)  # no checkpoint
            history = experiment.fit_network(model, batch, fold, chosen, task_of(Path(), split), lambda done: None)
        assert set(history) == {"loss"}  # no epoch is chosen
        right.append(experiment.predict(model, batch, split.test).argmax(axis=1) == LABELS[split.test])
    return np.concatenate(right).mean()


@pytest.mark.parametrize(
    ("protocol", "count", "planted", "reads"),
    [
        ("loso", 1, ["class"], True),  # what all subjects share is there to be learnt
        ("loso", 4, ["subject", "clip"], False),
        ("kfold", 1, ["subject"], True),
        ("kfold", 2, ["clip"], False),
        ("kfold-segments", 1, ["clip"], True),
    ],
)
def test_a_marker_is_read_where_a_protocol_shares_its_bearer(protocol, count, planted, reads):
    """Of a subject's or a clip's marker nothing can be known but from other segments of that subject or clip."""
    accuracy = heard(folds(protocol, **LONG)[:count], *planted)
    assert accuracy > 0.6 if reads else accuracy < 2 * CHANCE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "planted", "reads"),
    [
        ("loso", ["subject", "clip"], False),
        ("kfold", ["subject"], True),
        ("kfold", ["clip"], False),
        ("kfold-segments", ["clip"], True),
    ],
)
def test_no_network_reads_the_marker_of_whom_it_has_not_seen(tmp_path, protocol, planted, reads):
    """The same of all four networks, with the votes of their clips."""
    splits = folds(protocol, **LONG)
    for split in splits:
        trained(tmp_path, split, invented(*planted), **LONG)
    outcome = experiment.gather_folds([task_of(tmp_path, split) for split in splits], len(OWNER))
    truth = [one.label for one in CLIPS]
    for name, posteriors in outcome.posteriors.items():
        accuracy = np.mean(experiment.vote(posteriors, OWNER, len(CLIPS), "posterior") == truth)
        assert accuracy > 0.6 if reads else accuracy < 2 * CHANCE + 0.05, name


# ---------------------------------------------------------------------------------------------- folds put together


def stored(folder: Path, splits: list[Split]) -> tuple[list[tasks.Task], dict[str, np.ndarray]]:
    """Made-up folds, and the arrays of all segments that they hold in parts."""
    rng = np.random.default_rng(0)
    whole = {f"posterior/{name}": rng.dirichlet(np.ones(6), len(OWNER)).astype(np.float32) for name in VARIANTS}
    whole["beta"] = rng.dirichlet(np.ones(2), len(OWNER)).astype(np.float32)
    done = [task_of(folder, split) for split in splits]
    for task, split in zip(done, splits, strict=True):
        arrays = {name: values[split.test] for name, values in whole.items()} | {"test": split.test}
        results.write(task.path, {"fold": task.fold, "task_digest": task.digest}, arrays)
    return done, whole


@pytest.mark.parametrize("protocol", ["loso", "kfold", "kfold-segments"])
def test_segments_are_put_back_into_their_places(tmp_path, protocol):
    done, whole = stored(tmp_path, folds(protocol))
    outcome = experiment.gather_folds(done[::-1], len(OWNER))
    assert list(outcome.posteriors) == list(VARIANTS)
    for name, values in outcome.posteriors.items():
        np.testing.assert_array_equal(values, whole[f"posterior/{name}"])
    np.testing.assert_array_equal(outcome.beta, whole["beta"])
    assert [record["fold"] for record in outcome.records] == [task.fold for task in done[::-1]]


def test_a_segment_that_no_fold_has_tested_is_not_passed_over(tmp_path):
    done, _ = stored(tmp_path, folds("loso"))
    with pytest.raises(RuntimeError, match="tested in no fold"):
        experiment.gather_folds(done[1:], len(OWNER))
    with pytest.raises(RuntimeError, match="tested in no fold"):
        experiment.gather_folds(done, len(OWNER) + 1)


# ------------------------------------------------------------------------------------------------------------ votes


def counted(posteriors: np.ndarray, owner: np.ndarray, clips: int, ties: str) -> list[int]:
    """The same as a loop over clips."""
    found = []
    for number in range(clips):
        rows = posteriors[owner == number]
        votes = [sum(row.argmax() == label for row in rows) for label in range(6)]
        first = [label for label in range(6) if votes[label] == max(votes)]
        mean = rows.astype(float).mean(axis=0)
        found.append(max(first, key=lambda label: mean[label]) if ties == "posterior" else first[0])
    return found


def test_votes_by_hand():
    """Two segments of four are for the third class; of two classes with one segment each the surer one is taken."""
    rows = {
        0: [[0.9, 0.1, 0, 0, 0, 0], [0, 0.4, 0.6, 0, 0, 0], [0, 0.4, 0.6, 0, 0, 0], [0, 0.9, 0.1, 0, 0, 0]],
        1: [[0.6, 0, 0, 0, 0.4, 0], [0, 0, 0.1, 0, 0.9, 0]],
        2: [[0, 0, 0, 0, 0, 1]],
    }
    posteriors, owner = np.concatenate(list(rows.values())), np.repeat(list(rows), list(map(len, rows.values())))
    assert experiment.vote(posteriors, owner, 3, "posterior").tolist() == [2, 4, 5]
    assert experiment.vote(posteriors, owner, 3, "first").tolist() == [2, 0, 5]
    shuffled = np.array([5, 2, 6, 0, 4, 3, 1])
    assert experiment.vote(posteriors[shuffled], owner[shuffled], 3, "posterior").tolist() == [2, 4, 5]


def test_a_sure_minority_is_outvoted():
    posteriors = np.array([[0.375, 0.3125, 0.3125, 0, 0, 0]] * 4 + [[0, 1, 0, 0, 0, 0]] * 3)
    assert experiment.vote(posteriors, np.zeros(7, int), 1, "posterior").tolist() == [0]


eighths = st.lists(st.integers(0, 5), min_size=8, max_size=8).map(lambda drawn: np.bincount(drawn, minlength=6) / 8)


@given(
    st.lists(st.lists(eighths, min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from(["posterior", "first"])
)
def test_votes_are_those_of_a_loop(segments, ties):
    """Eighths, of which many are equal: their sums are exact."""
    owner = np.repeat(np.arange(len(segments)), [len(rows) for rows in segments])
    posteriors = np.array([row for rows in segments for row in rows], np.float32)
    found = experiment.vote(posteriors, owner, len(segments), ties)
    assert found.tolist() == counted(posteriors, owner, len(segments), ties)


# ---------------------------------------------------------------------------------------------------------- results


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs):
    from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

    truth, predicted = (np.array(side) for side in zip(*pairs))
    scores = experiment.score_clips(truth, predicted)
    assert scores["accuracy"] == pytest.approx(100 * accuracy_score(truth, predicted))
    shares = 100 * confusion_matrix(truth, predicted, labels=range(6), normalize="true")
    for i, true in enumerate(CLASSES):
        for j, other in enumerate(CLASSES):
            expected = pytest.approx(shares[i, j]) if i in truth else None  # scikit-learn says 0
            assert scores[f"{true} as {other}"] == expected
    if set(truth) == set(range(6)):
        assert scores["UAR"] == pytest.approx(100 * recall_score(truth, predicted, average="macro"))
    else:
        assert scores["UAR"] is None
    assert len(scores) == 2 + 36


def test_the_history_is_the_mean_of_the_folds():
    histories = [{"loss": [3.0, 1.0], "select": [0.0, 0.5]}, {"loss": [1.0, 2.0], "select": [1.0, 0.5]}]
    assert experiment.average_histories(histories) == {"loss": [2.0, 1.5], "select": [0.5, 0.5]}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("corpus_name", ["simulated", "enterface"])
def test_a_result_says_what_was_done_and_fills_the_tables(tmp_path, variant, corpus_name):
    rng = np.random.default_rng(1)
    posteriors = {name: rng.dirichlet(np.ones(6), len(OWNER)).astype(np.float32) for name in VARIANTS}
    posteriors[variant][np.arange(len(OWNER)), LABELS] += 0.4
    history = {name: {"loss": [2.0, number]} for number, name in enumerate(VARIANTS)}
    fold = {
        "fold": "s1",
        "seconds": {"phase 1": 1.0, "phase 2": 0.5},
        "history": history,
        "training_accuracy": dict(zip(VARIANTS, (30.0, 40.0, 50.0, 60.0))),
        "provenance": {"python": "3"},
    }
    second = fold | {"fold": "s2", "training_accuracy": dict.fromkeys(VARIANTS, 20.0)}
    outcome = Outcome(posteriors, rng.dirichlet(np.ones(2), len(OWNER)), [fold, second])
    corpus = Corpus(corpus_name, tmp_path, CLIPS, [Unusable("s9/an1", "an1.avi", "no speech")])
    path = tmp_path / "priyasad2019" / corpus_name / "quick" / "all" / variant / "loso-seed0.json"
    task = tasks.Task(variant, "loso", 0, path, "digest")
    more = {"left_out": ["s1/moving"]} | experiment.describe_training(variant, outcome, TINY)
    record, arrays = experiment.compose_record(
        task, corpus, invented(), outcome.posteriors[variant], "quick", TINY, more
    )
    results.write(path, record, arrays)
    record, arrays = results.read(path), results.read_arrays(path, results.read(path))
    check_files([(path, record)])
    expected = {
        "paper": "priyasad2019", "corpus": corpus_name, "profile": "quick", "target": "all", "variant": variant,
        "fold": "loso", "seed": 0, "settings": TINY, "corpus_digest": corpus.digest, "task_digest": "digest",
        "left_out": ["s1/moving"], "unusable": [{"recording": "s9/an1", "file": "an1.avi", "reason": "no speech"}],
        "training_scores": {"emotion": {"accuracy": 25.0 + 5 * VARIANTS.index(variant)}},
        "history": {"loss": [2.0, VARIANTS.index(variant)]}, "provenance": {"python": "3"},
        "folds": [{"fold": name, "seconds": fold["seconds"]} for name in ("s1", "s2")],
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert record["evidence"] == ("simulated" if corpus_name == "simulated" else "real")
    assert record["recordings"][1] == {
        "name": "s1/Anger 1", "label": "Anger", "subject": "s1", "speech": [0.313, 1.2], "segments": PER_CLIP,
        "frames": 30, "frames_without_face": 2,
    }  # fmt: skip
    assert record["chats"] == {one.name: one.subject for one in CLIPS}
    assert record["parameters"] > 0
    json.loads(path.read_text(), parse_constant=pytest.fail)
    assert str(tmp_path) not in path.read_text()

    predicted = np.array([arrays[f"raw/emotion/{one.name}"][0] for one in CLIPS])
    assert [arrays[f"gold/emotion/{one.name}"].tolist() for one in CLIPS] == [[one.label] for one in CLIPS]
    assert predicted.tolist() == counted(posteriors[variant], OWNER, len(CLIPS), "posterior")
    np.testing.assert_array_equal(arrays["segments/emotion"], posteriors[variant])
    accuracy = 100 * np.mean(predicted == [one.label for one in CLIPS])
    assert record["scores"]["emotion"]["*"]["accuracy"] == pytest.approx(accuracy) and 40 < accuracy < 100

    own, found = "RML" if corpus_name == "simulated" else "eNTERFACE", fill_own_cells(PAPER, [(path, record)])
    cells = [cell for cell in fill_cells(PAPER, [(path, record)]) + found if cell.evidence != "none"]
    chosen = [cell for cell in cells if cell.exhibit in ("table1", "protocols")]
    assert len(chosen) == (2 if variant == "proposed" else 1)
    for cell in chosen:
        assert cell.row.startswith(own) and cell.ours == pytest.approx(accuracy)
        assert cell.ci_low <= cell.ours <= cell.ci_high
