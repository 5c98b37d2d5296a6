"""One experiment: train a network with one seed, choose the epoch of each target, score the development recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from common import metrics, results, splits
from common.ceiling import is_ceiling
from common.errors import InputError
from common.networks import training
from common.networks.moments import Moments
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from datasets import avec2019, sewa
from datasets.sewa import LABEL_HOP, TARGETS
from replications.raju2021 import ceiling, mechanism
from replications.raju2021.features import STREAMS, Features

NAME = "raju2021"
SUBSETS = {"Devel_DE_*": ("DE",), "Devel_HU_*": ("HU",), "*": avec2019.CULTURES}  # as in paper.toml


def train(
    task: tasks.Task, progress: Callable[[float], None], corpora: dict[tasks.Task, Corpus], settings: dict, profile: str
) -> None:
    """Train one network with one seed and write its result. The fold says on whom the epoch is chosen (ledger 14)."""
    corpus, clock = corpora[task], Clock()
    devel = corpus.partition("Devel")
    recordings, held_out = divide(corpus, devel, settings, task)
    scales = measure_moments(recordings)
    delay = settings["baseline_delay" if task.variant in ("lstm", ceiling.PAST) else "delay"]
    training_set, chosen_on, scored = (
        Sequences(part, settings, scales, delay) for part in (recordings, held_out, devel)
    )
    if is_ceiling(task.variant):
        learnt, series = (
            ceiling.predict(task.variant, training_set, part, corpus.root) for part in (training_set, scored)
        )
        return results.write(task.path, *describe(task, corpus, recordings, learnt, series, settings, profile))
    training.prepare(task.seed)
    model, history, series = fit_network(task, progress, training_set, chosen_on, scored)
    clock.stop("training")
    learnt = training_set.predict(model, choose_micro_batch(len(training_set), settings["micro_batch"]))
    clock.stop("prediction")
    measured, examples = mechanism.measure_alignment(model, corpus, scored)
    clock.stop("mechanism")
    record, arrays = describe(task, corpus, recordings, learnt, series, settings, profile)
    record |= {
        "parameters": model.count_params(),
        "history": history,
        "seconds": clock.seconds,
        "mechanism": measured,
    }
    results.write(task.path, record, arrays | examples)


def describe(
    task: tasks.Task,
    corpus: Corpus,
    training_set: Sequence[Features],
    learnt: dict[str, list[np.ndarray]],
    series: dict[str, list[np.ndarray]],
    settings: dict,
    profile: str,
) -> tuple[dict, dict[str, np.ndarray]]:
    """The record and the arrays of a result: target -> the `series` of the development recordings, `learnt` of the others.

    training_scores are of the recordings that were trained on, by the weights after the last epoch.
    """
    devel = corpus.partition("Devel")
    golds, trained = (
        {target: [read_gold(recording, target, settings) for recording in part] for target in TARGETS}
        for part in (devel, training_set)
    )
    arrays = {f"time/{r.name}": select_rows(r, settings) * LABEL_HOP for r in devel}
    for target in TARGETS:
        arrays |= {f"gold/{target}/{r.name}": g.astype(np.float32) for r, g in zip(devel, golds[target], strict=True)}
        arrays |= {f"raw/{target}/{r.name}": s.astype(np.float32) for r, s in zip(devel, series[target], strict=True)}
    record = {
        **begin_record(NAME, task, corpus, profile, "all", settings),
        "scores": score_series(devel, golds, series, settings["variance"]),
        "training_scores": {t: score_joined(trained[t], learnt[t], settings["variance"]) for t in TARGETS},
        "chats": find_chats(devel),
        "recordings": [{"name": r.name, "labels": len(select_rows(r, settings))} for r in corpus.recordings],
        "provenance": provenance.collect(),
    }
    return record, arrays


def divide(corpus: Corpus, devel: list[Features], settings: dict, task: tasks.Task) -> tuple[list, list]:
    """The recordings to train on, and those on which the epoch is chosen: `devel` itself in the fold of that name."""
    cultures = avec2019.CULTURES if settings["culture"] == "both" else (settings["culture"],)
    recordings = [recording for recording in corpus.partition("Train") if recording.culture in cultures]
    if task.fold == "devel":
        return recordings, devel
    names = [recording.name for recording in recordings]
    try:
        fold = splits.hold_out(names, settings["heldout_share"], task.seed, find_chats(recordings))
    except ValueError as error:
        raise InputError(
            f"setting heldout_share: {settings['heldout_share']} leaves nothing to train on or to choose by ({error})"
        ) from error
    return tuple([r for r in recordings if r.name in side] for side in (fold.train, fold.test))


def find_chats(recordings: Sequence) -> dict[str, str]:
    """Recording -> its conversation, whose two people have equally many labels, within one (`sewa.pair_chats`).

    Where the recordings of a culture and partition do not pair up in one way only, those whose lengths follow each
    other that closely are taken as one: sometimes two chats count as one, never one as two.
    """
    groups: dict[tuple, dict[str, int]] = {}
    for recording in recordings:
        groups.setdefault((recording.partition, recording.culture), {})[recording.name] = len(recording.labels.time)
    found = {}
    for lengths in groups.values():
        try:
            found |= sewa.pair_chats(lengths)
        except ValueError:
            found |= _join_neighbours(lengths)
    return {recording.name: found[recording.name] for recording in recordings}


def _join_neighbours(lengths: dict[str, int]) -> dict[str, str]:
    found, last, chat = {}, None, ""
    for length, name in sorted((length, name) for name, length in lengths.items()):
        chat = name if last is None or length - last > 1 else chat
        found[name], last = chat, length
    return found


# ------------------------------------------------------------------------------------------------- training


def fit_network(
    task: tasks.Task,
    progress: Callable[[float], None],
    training_set: Sequences,
    chosen_on: Sequences,
    scored: Sequences,
) -> tuple:
    """The trained network, its history, and the scored series of each target at its chosen epoch."""
    from replications.raju2021 import models

    settings = training_set.settings
    size = choose_micro_batch(len(training_set), settings["micro_batch"])
    steps = max(part.steps for part in (training_set, chosen_on, scored))
    for part in (training_set, chosen_on, scored):
        part.steps = steps  # one length, one compiled graph
    model = models.VARIANTS[task.variant](settings, steps, *(len(training_set.moments[name].mean) for name in STREAMS))
    compile_model(model, settings, len(training_set) // size)
    golds = {
        target: [read_gold(recording, target, settings) for recording in chosen_on.recordings] for target in TARGETS
    }

    def watch(model) -> dict[str, tuple[float, np.ndarray]]:
        kept = scored.predict(model, size)
        judged = kept if chosen_on.recordings is scored.recordings else chosen_on.predict(model, size)
        found = {
            t: metrics.score_pooled(
                metrics.ccc, golds[t], judged[t], pooling="concatenated", variance=settings["variance"]
            )
            for t in TARGETS
        }
        if settings["selection"] == "joint":
            found = dict.fromkeys(TARGETS, float(np.mean(list(found.values()))))
        return {target: (found[target], np.concatenate(kept[target])) for target in TARGETS}

    kept: dict[str, np.ndarray] = {}
    history = training.fit(
        model,
        training_set,
        len(training_set),
        epochs=settings["epochs"],
        batch_size=size,
        seed=task.seed,
        checkpoint=task.checkpoint(),
        digest=task.digest,
        progress=lambda fraction: progress(0.95 * fraction),
        watch=None if settings["selection"] == "last" else watch,
        kept=kept,
    )
    series = {target: scored.split(kept[target]) for target in kept} or scored.predict(model, size)
    return model, history, series


def choose_micro_batch(count: int, wanted: int) -> int:
    """At most `wanted` and at least half of it, such that as few as possible of `count` recordings sit out an epoch."""
    wanted = min(wanted, count)
    return max(range(max(1, wanted // 2), wanted + 1), key=lambda size: (count // size * size, size))


def compile_model(model, settings: dict, groups: int) -> None:
    """One step of the optimiser for all recordings: the gradients of `groups` micro batches are averaged."""
    import keras

    from replications.raju2021.layers import MaskedCCC

    kind = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}[settings["optimizer"]]
    optimizer = kind(settings["learning_rate"], gradient_accumulation_steps=groups if groups > 1 else None)
    model.compile(optimizer, MaskedCCC(settings["loss_pooling"]), jit_compile=False)


# ------------------------------------------------------------------------------------------------ sequences


def select_rows(recording: Features, settings: dict) -> np.ndarray:
    """The labels, by index, at which a recording is read and scored: every `hop`."""
    return np.arange(0, len(recording.labels.time), round(settings["hop"] / LABEL_HOP))


def read_gold(recording: Features, target: str, settings: dict) -> np.ndarray:
    return getattr(recording.labels, target)[select_rows(recording, settings)]


def measure_moments(recordings: Sequence) -> dict[str, Moments]:
    """The moments of the audio and of the visual features of the training recordings."""
    return {name: Moments.of([getattr(recording, name) for recording in recordings]) for name in STREAMS}


class Sequences:
    """Recordings, or segments of them, padded to one length: called with indices it returns inputs and targets.

    Features stay memory-mapped until a batch asks for them; only the batch is in memory. Targets have a last column
    that is 1 where there is a label. A label moved to the front (`delay`) leaves the end without one.
    """

    def __init__(self, recordings: list[Features], settings: dict, moments: dict[str, Moments], delay: float):
        self.recordings, self.settings, self.moments = recordings, settings, moments
        self.delay = round(delay / LABEL_HOP)
        self.rows = [select_rows(recording, settings) for recording in recordings]
        length = round(settings["segment"] / settings["hop"])
        self.spans = [
            (owner, start, min(start + (length or len(index)), len(index)))
            for owner, index in enumerate(self.rows)
            for start in range(0, len(index), length or len(index))
        ]
        self.steps = max(end - start for _, start, end in self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        spans = [self.spans[i] for i in index]
        inputs = {"mask": np.zeros((len(spans), self.steps), bool)}
        targets = np.zeros((len(spans), self.steps, len(TARGETS) + 1), np.float32)
        for name, moments in self.moments.items():
            inputs[name] = np.zeros((len(spans), self.steps, len(moments.mean)), np.float32)
            for place, (owner, start, end) in enumerate(spans):
                inputs[name][place, : end - start] = moments(
                    getattr(self.recordings[owner], name)[self.rows[owner][start:end]]
                )
        for place, (owner, start, end) in enumerate(spans):
            labels, at = self.recordings[owner].labels, self.rows[owner][start:end] + self.delay
            there = at < len(labels.time)
            inputs["mask"][place, : end - start] = True
            targets[place, : end - start, -1] = there
            for column, target in enumerate(TARGETS):
                targets[place, : end - start, column][there] = getattr(labels, target)[at[there]]
        return inputs, targets

    def predict(self, model, batch_size: int) -> dict[str, list[np.ndarray]]:
        """Target -> the predictions for each recording, the delay undone: the first value stands until it ends."""
        outputs = training.predict(model, self, len(self), batch_size)
        pieces: list[list] = [[] for _ in self.recordings]
        for (owner, start, end), output in zip(self.spans, outputs, strict=True):
            pieces[owner].append(output[: end - start])
        found = {target: [] for target in TARGETS}
        for parts in pieces:
            whole = self.undo_delay(np.concatenate(parts).astype(np.float64))
            for column, target in enumerate(TARGETS):
                found[target].append(whole[:, column])
        return found

    def undo_delay(self, values: np.ndarray) -> np.ndarray:
        """Predictions at the steps of a recording, (n,) or (n, targets), as late as the labels that they were made for."""
        late = round(self.delay * LABEL_HOP / self.settings["hop"])
        return values[np.maximum(np.arange(len(values)) - late, 0)]

    def split(self, joined: np.ndarray) -> list[np.ndarray]:
        return np.split(joined, np.cumsum([len(index) for index in self.rows])[:-1])


# --------------------------------------------------------------------------------------------------- scores


def score_series(devel: Sequence, golds: dict, series: dict, variance: str) -> dict[str, dict]:
    """Target -> pattern of names -> the CCC of the concatenated recordings; None where it is undefined."""
    found: dict[str, dict] = {}
    for target in golds:
        for name, cultures in SUBSETS.items():
            pairs = [p for r, *p in zip(devel, golds[target], series[target], strict=True) if r.culture in cultures]
            if not pairs:
                continue
            found.setdefault(target, {})[name] = score_joined(*zip(*pairs), variance)
    return found


def score_joined(golds: Sequence[np.ndarray], series: Sequence[np.ndarray], variance: str) -> dict[str, float | None]:
    """The CCC of the concatenated recordings; None where it is undefined."""
    value = metrics.score_pooled(metrics.ccc, golds, series, pooling="concatenated", variance=variance)
    return results.mark_undefined({"CCC": value})
