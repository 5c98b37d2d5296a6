"""One experiment: train AST-Net, or one of its losses alone, with one seed; score every frame of every recording."""

from collections.abc import Callable, Sequence

import numpy as np

from common import metrics, results
from common.ceiling import is_ceiling, predict_values
from common.errors import InputError
from common.networks import training
from common.networks.moments import Moments
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from replications.wang2017 import ceiling
from replications.wang2017.features import TARGETS, Features

NAME = "wang2017"
TRAINED_ON = "train"
BOTH_TARGETS = "ast-net"  # Tables 2 to 4 print arousal, too; Table 1, about the losses, valence alone


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    corpora: dict[tasks.Task, Corpus],
    settings: dict,
    profile: str,
    cnn: dict,
) -> None:
    """Train one variant with one seed, a model for each target, and write the result. `cnn` is what made the attributes."""
    if is_ceiling(task.variant):
        return measure_ceiling(task, corpora[task], settings, profile)
    from replications.wang2017 import models

    corpus, clock = corpora[task], Clock()
    targets = TARGETS if task.variant == BOTH_TARGETS else ("valence",)
    stacks, series = {}, {}
    for number, target in enumerate(targets):
        stacks[target], history = fit_twins(
            task, lambda done, number=number: progress((number + 0.9 * done) / len(targets)), corpus, settings, target
        )
        series[target] = [predict(stacks[target], recording, settings) for recording in corpus.recordings]
    clock.stop("training")  # and prediction, target by target
    record, arrays = describe(task, corpus, series, settings, profile)
    if task.variant == BOTH_TARGETS:
        arrays |= models.collect_weights(stacks)  # what `realtime` predicts with
    record["scores"]["fer2013"] = {
        usage: {"accuracy": cnn["accuracy"][usage], "UAR": cnn["uar"][usage]} for usage in cnn["accuracy"]
    }
    record |= {
        "cnn": cnn,
        "faces": {  # of the cache, with which `realtime` converts the CNN and judges the conversion
            "trained on": [r.faces.name for r in corpus.recordings if r.partition == TRAINED_ON],
            "held out": [r.faces.name for r in corpus.recordings if r.partition != TRAINED_ON],
        },
        "parameters": stacks["valence"].count_params(),
        "history": history,
        "seconds": clock.seconds,
    }
    results.write(task.path, record, arrays)


def measure_ceiling(task: tasks.Task, corpus: Corpus, settings: dict, profile: str) -> None:
    """Score the plain learner that is given the truth, fitted on whom the networks learn from; write the result."""
    shown = {
        r.name: ceiling.show_samples(r, split_phases(len(r.time), settings), corpus.root, settings)
        for r in corpus.recordings
    }
    training_set, series = corpus.partition(TRAINED_ON), {}
    inputs = [shown[recording.name] for recording in training_set]
    for target in TARGETS:
        golds = [getattr(recording.labels, target) for recording in training_set]
        series[target] = predict_values(inputs, golds, list(shown.values()))
    results.write(task.path, *describe(task, corpus, series, settings, profile))


def describe(
    task: tasks.Task, corpus: Corpus, series: dict[str, list[np.ndarray]], settings: dict, profile: str
) -> tuple[dict, dict[str, np.ndarray]]:
    """The record and the arrays of a result, from target -> the `series` of each recording of the corpus.

    training_scores are of the recordings that were trained on, after training.
    """
    scored = [recording for recording in corpus.recordings if recording.partition != TRAINED_ON]
    arrays, scores, training_scores = {f"time/{r.name}": r.time for r in scored}, {}, {}
    for target, values in series.items():
        golds = {r.name: getattr(r.labels, target) for r in corpus.recordings}
        made = {r.name: s for r, s in zip(corpus.recordings, values, strict=True)}
        scores[target] = score_recordings(scored, golds, made)
        (training_scores[target],) = score_recordings(corpus.partition(TRAINED_ON), golds, made).values()
        for recording in scored:
            arrays[f"gold/{target}/{recording.name}"] = golds[recording.name].astype(np.float32)
            arrays[f"raw/{target}/{recording.name}"] = made[recording.name]
    record = {
        **begin_record(NAME, task, corpus, profile, "all", settings),
        "scores": scores,
        "training_scores": training_scores,
        "chats": find_people(corpus),
        "recordings": [
            {"name": r.name, "labels": len(r.time), "frames_without_face": int((~r.found).sum())}
            for r in corpus.recordings
        ],
        "provenance": provenance.collect(),
    }
    return record, arrays


def find_people(corpus: Corpus) -> dict[str, str]:
    """Session -> its user, whose sessions are drawn together for intervals; empty where nobody knows, or each has one."""
    if corpus.name != "simulated":
        return {}
    from datasets.simulated.avec2012 import name_user

    return {recording.name: name_user(recording.name) for recording in corpus.recordings}


def fit_twins(task: tasks.Task, progress: Callable[[float], None], corpus: Corpus, settings: dict, target: str):
    """Train the twins for one target; returns the network of one twin, and the training history (Section 3.4)."""
    import keras

    from replications.wang2017 import layers, models

    training.prepare(task.seed)
    recordings = corpus.partition(TRAINED_ON)
    twins = models.build_twins(settings, recordings[0].attributes.shape[1])
    stack = models.get_stack(twins)
    if settings["scaling"] == "z-score":
        moments = Moments.of([recording.attributes for recording in recordings])
        stack.get_layer("scaling").set_weights([moments.mean, moments.deviation])
    kind = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[settings["optimizer"]]
    twins.compile(kind(settings["learning_rate"]), layers.build_loss(task.variant, settings), jit_compile=False)
    clips = Clips(recordings, settings, target)
    if not len(clips):
        needed = (settings["clip_frames"] - 1) * settings["clip_step"] + 2
        raise InputError(f"{corpus.root}: no training recording has the {needed} frames of a clip; lower clip_frames")
    history = training.fit(
        twins,
        clips,
        len(clips),
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        seed=task.seed,
        checkpoint=task.checkpoint(target),
        digest=f"{task.digest} {target}",
        progress=progress,
    )
    return stack, history


class Clips:
    """Twin clips (Sections 3.1 and 3.4): `clip_frames` samples every `clip_step` frames, and the same one frame later.

    Called with indices it returns inputs (batch, 2, N, attributes) and labels (batch, 2, N). Attributes stay
    memory-mapped until a batch asks for them.
    """

    def __init__(self, recordings: Sequence[Features], settings: dict, target: str):
        self.recordings, self.target = recordings, target
        samples = np.arange(settings["clip_frames"]) * settings["clip_step"]
        self.frames = np.stack([samples, samples + 1])  # (2, N), from the start of the clip
        last = self.frames.max()
        self.starts = [
            (owner, start)
            for owner, recording in enumerate(recordings)
            for start in range(0, len(recording.time) - last, settings["clip_stride"])
        ]

    def __len__(self) -> int:
        return len(self.starts)

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, labels = [], []
        for owner, start in (self.starts[i] for i in index):
            recording = self.recordings[owner]
            inputs.append(recording.attributes[start + self.frames])
            labels.append(getattr(recording.labels, self.target)[start + self.frames])
        return {"clips": np.stack(inputs)}, np.stack(labels).astype(np.float32)


def predict(stack, recording: Features, settings: dict) -> np.ndarray:
    """The prediction for every frame (n,) float32: all ten phases of the sampling, put together again (ledger 11)."""
    count = len(recording.time)
    frames = split_phases(count, settings)
    name = stack.inputs[0].name

    def batch(index: np.ndarray) -> tuple[dict[str, np.ndarray], None]:
        return {name: recording.attributes[np.minimum(frames[index], count - 1)]}, None

    outputs = training.predict(stack, batch, len(frames), 16)
    there = frames < count
    series = np.empty(count, np.float32)
    series[frames[there]] = outputs.reshape(frames.shape)[there]
    return series


def split_phases(count: int, settings: dict) -> np.ndarray:
    """The frames of each clip (clips, steps) that together score `count` frames once; those past the end are padding.

    With `inference` "clips", the clips of a phase follow each other and each starts from a fresh state; with
    "running" a phase is one clip.
    """
    step = settings["clip_step"]
    steps = -(-count // step)
    length = settings["clip_frames"] if settings["inference"] == "clips" else steps
    samples = np.arange(-(-steps // length) * length) * step
    return (samples + np.arange(step)[:, None]).reshape(-1, length)


def score_recordings(recordings: Sequence[Features], golds: dict, series: dict) -> dict[str, dict]:
    """Partition, as a pattern of names -> mean, best and worst CC of its recordings (Section 4.2); None if undefined."""
    found = {}
    for partition in dict.fromkeys(recording.partition for recording in recordings):
        values = [metrics.cc(golds[r.name], series[r.name]) for r in recordings if r.partition == partition]
        scores = {"CC": np.mean(values), "CC_max": np.max(values), "CC_min": np.min(values)}
        found[f"{partition}_*"] = results.mark_undefined(scores)
    return found
