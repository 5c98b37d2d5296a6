"""One fold in two phases (Section 5), and all folds of a protocol put together into one result."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from common import metrics, results
from common.networks import training
from common.networks.moments import Moments
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from datasets.acted import CLASSES
from replications.priyasad2019.features import Clip, Segments
from replications.priyasad2019.protocols import Split

NAME = "priyasad2019"
TARGET = "emotion"
VARIANTS = ("proposed", "concatenation", "visual", "audio")
BATCH = 64  # segments, where nothing is trained
Batch = Callable[[np.ndarray], dict[str, np.ndarray]]  # numbers of segments -> inputs of a network


# ------------------------------------------------------------------------------------------------- one fold


@dataclass(frozen=True)
class Fold:
    """What a task knows: all segments of its corpus, their classes (S,), and which are its own."""

    segments: Segments
    labels: np.ndarray
    split: Split


def train(task: tasks.Task, progress: Callable[[float], None], folds: dict[Path, Fold], settings: dict) -> None:
    """Train the four networks of one fold and write the posteriors of its test segments to task.path."""
    from replications.priyasad2019 import models

    fold, clock, history, posteriors, trained = folds[task.path], Clock(), {}, {}, {}
    emotions, test, everything = len(CLASSES), fold.split.test, np.arange(len(fold.labels))
    own, truth = fold.split.train, fold.labels[fold.split.train]

    def fit(name: str, batch: Batch):
        training.prepare(task.seed)
        if name in models.EXTRACTORS:
            model = models.build_extractor(name, settings, emotions, fold.segments.fc7)
        else:
            model = models.build_fusion(name, settings, emotions)
        before = len(history) / len(VARIANTS)
        history[name] = fit_network(model, batch, fold, settings, task, lambda f: progress(before + f / len(VARIANTS)))
        posteriors[name] = softmax(predict(model, batch, test))
        trained[name] = 100 * float(np.mean(predict(model, batch, own).argmax(axis=1) == truth))
        return model

    inputs = scale_inputs(fold, settings["scaling"])
    features = [
        predict(models.expose_features(fit(name, inputs[name])), inputs[name], everything) for name in models.EXTRACTORS
    ]
    clock.stop("phase 1")
    tokens = np.stack(features, axis=1)  # (S, 2, 4096), which phase 2 takes as they are

    def take_tokens(index: np.ndarray) -> dict[str, np.ndarray]:
        return {"tokens": tokens[index]}

    beta = predict(models.expose_weights(fit("proposed", take_tokens)), take_tokens, test)
    fit("concatenation", take_tokens)
    clock.stop("phase 2")
    record = {"fold": task.fold, "task_digest": task.digest, "history": history, "training_accuracy": trained}
    record |= {"seconds": clock.seconds, "provenance": provenance.collect()}
    arrays = {f"posterior/{name}": values for name, values in posteriors.items()} | {"beta": beta, "test": test}
    results.write(task.path, record, arrays)


def scale_inputs(fold: Fold, scaling: str) -> dict[str, Batch]:
    """The inputs of "audio" and "visual": fc6 as VGG19 has it, or as z-scores of the fold's training segments."""
    segments, split = fold.segments, fold.split
    change = {"audio": np.asarray, "visual": np.asarray}
    if scaling == "z-score":
        shown = np.unique(segments.frames[split.train])
        change = {"audio": Moments.of([segments.audio[split.train]]), "visual": Moments.of([segments.faces[shown]])}
    return {
        "audio": lambda index: {"audio": change["audio"](segments.audio[index])},
        "visual": lambda index: {"visual": change["visual"](segments.faces[segments.frames[index]])},
    }


def fit_network(model, batch: Batch, fold: Fold, settings: dict, task: tasks.Task, progress: Callable) -> dict:
    """Train one network on the fold's training segments; its epoch is chosen on those held out, if there are any."""
    import keras

    from replications.priyasad2019 import models

    train, held, labels = fold.split.train, fold.split.held, fold.labels
    phase = "extraction" if model.name in models.EXTRACTORS else "fusion"
    model.compile(
        keras.optimizers.Adam(settings[f"{phase}_rate"]),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return training.fit(
        model,
        lambda index: (batch(train[index]), labels[train[index]]),
        len(train),
        epochs=settings[f"{phase}_epochs"],
        batch_size=settings["batch_size"],
        seed=task.seed,
        checkpoint=task.checkpoint(model.name),
        digest=task.digest,
        progress=progress,
        select=(lambda m: np.mean(predict(m, batch, held).argmax(axis=1) == labels[held])) if len(held) else None,
    )


def predict(model, batch: Batch, chosen: np.ndarray) -> np.ndarray:
    return training.predict(model, lambda index: (batch(chosen[index]), None), len(chosen), BATCH)


def softmax(scores: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    return softmax(scores, axis=1)


# ------------------------------------------------------------------------------------- all folds of a protocol


@dataclass(frozen=True)
class Outcome:
    """What all folds of a protocol say of all segments: posteriors (S, 6) of each network, beta (S, 2) of "proposed"."""

    posteriors: dict[str, np.ndarray]
    beta: np.ndarray
    records: list[dict]


def gather_folds(done: Sequence[tasks.Task], count: int) -> Outcome:
    """Put the test segments of all folds back into their places among `count` segments."""
    posteriors = {name: np.full((count, len(CLASSES)), np.nan, np.float32) for name in VARIANTS}
    beta, records = np.full((count, 2), np.nan, np.float32), []
    for task in done:
        record = results.read(task.path)
        arrays = results.read_arrays(task.path, record)
        for name in VARIANTS:
            posteriors[name][arrays["test"]] = arrays[f"posterior/{name}"]
        beta[arrays["test"]] = arrays["beta"]
        records.append(record)
    if not all(np.isfinite(values).all() for values in (*posteriors.values(), beta)):
        raise RuntimeError("a segment was tested in no fold")
    return Outcome(posteriors, beta, records)


def vote(posteriors: np.ndarray, owner: np.ndarray, clips: int, ties: str) -> np.ndarray:
    """The class of each clip by majority over its segments (Section 3.4), (clips,) int.

    Of classes with equally many votes the one with the highest mean posterior (`ties` "posterior"), or the first.
    """
    chosen = posteriors.argmax(axis=1)
    votes, mean = np.zeros((2, clips, posteriors.shape[1]))
    np.add.at(votes, (owner, chosen), 1)
    np.add.at(mean, owner, posteriors)
    mean /= np.bincount(owner, minlength=clips)[:, None]
    return (votes + (mean / 2 if ties == "posterior" else 0)).argmax(axis=1)  # a mean is less than a vote


def average_training(accuracies: Sequence[float]) -> dict[str, dict]:
    """`training_scores` of a record: accuracy in percent on the segments that a fold trains on, mean over the folds."""
    return {TARGET: {"accuracy": float(np.mean(accuracies))}}


def describe_training(variant: str, outcome: Outcome, settings: dict) -> dict:
    """What the record of a network has of its training in all folds; `training_scores` are of the epoch that was kept."""
    folds = outcome.records
    return {
        "training_scores": average_training([fold["training_accuracy"][variant] for fold in folds]),
        "folds": [{"fold": fold["fold"], "seconds": fold["seconds"]} for fold in folds],
        "parameters": _count_parameters(variant, json.dumps(settings)),
        "history": average_histories([fold["history"][variant] for fold in folds]),
        "provenance": folds[0]["provenance"],
    }


@cache
def _count_parameters(variant: str, settings: str) -> int:
    """Of all of a network; `settings` as JSON."""
    import keras

    from replications.priyasad2019 import models

    with keras.StatelessScope(initialize_variables=False):  # only to be counted
        return models.build_whole(variant, json.loads(settings), len(CLASSES)).count_params()


def compose_record(
    task: tasks.Task,
    corpus: Corpus,
    segments: Segments,
    posteriors: np.ndarray,
    profile: str,
    settings: dict,
    more: dict,
) -> tuple[dict, dict[str, np.ndarray]]:
    """The record and arrays of one network or ceiling under one protocol, from what its folds say of the segments.

    posteriors (S, 6); `more` joins the record.
    """
    clips: Sequence[Clip] = corpus.recordings
    predicted = vote(posteriors, segments.clip, len(clips), settings["ties"])
    truth = np.array([clip.label for clip in clips])
    arrays = {f"raw/{TARGET}/{clip.name}": predicted[[i]].astype(np.int8) for i, clip in enumerate(clips)}
    arrays |= {f"gold/{TARGET}/{clip.name}": truth[[i]].astype(np.int8) for i, clip in enumerate(clips)}
    arrays[f"segments/{TARGET}"] = posteriors
    record = {
        **begin_record(NAME, task, corpus, profile, "all", settings),
        "scores": {TARGET: {"*": score_clips(truth, predicted)}},
        "chats": {clip.name: clip.subject for clip in clips},  # drawn together for intervals
        "recordings": [
            {
                "name": clip.name,
                "label": CLASSES[clip.label],
                "subject": clip.subject,
                "speech": [round(second, 3) for second in clip.speech],
                "segments": len(clip.starts),
                "frames": len(clip.found),
                "frames_without_face": int((~clip.found).sum()),
            }
            for clip in clips
        ],
        **more,
    }
    return record, arrays


def score_clips(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """Accuracy, UAR and the confusion matrix of clips, in percent; None where a class has no clip."""
    matrix = metrics.confusion_matrix(truth, predicted, classes=range(len(CLASSES)))
    found = {"accuracy": 100 * metrics.accuracy(truth, predicted, classes=range(len(CLASSES)))}
    found["UAR"] = matrix.diagonal().mean()
    found |= {f"{a} as {b}": matrix[i, j] for i, a in enumerate(CLASSES) for j, b in enumerate(CLASSES)}
    return results.mark_undefined(found)


def average_histories(histories: Sequence[dict]) -> dict[str, list[float]]:
    """By epoch, the mean over the folds."""
    return {name: np.mean([history[name] for history in histories], axis=0).tolist() for name in histories[0]}
