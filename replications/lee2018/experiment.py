"""One experiment: train a variant with one seed, score it on the development partition, write the result file."""

from collections.abc import Callable, Sequence

import numpy as np

from common import metrics, postprocess, results, splits
from common.ceiling import is_ceiling
from common.errors import InputError
from common.networks import training
from common.networks.moments import Moments
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from datasets import sewa
from replications.lee2018 import ceiling, features
from replications.lee2018.features import Features

NAME = "lee2018"
AUDIO_ONLY = ("lstm", "lstm-ta")


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    corpora: dict[tasks.Task, Corpus],
    settings: dict,
    profile: str,
    target: str,
    pooling: str,
) -> None:
    """Train one variant with one seed, score it on the development partition and write the result."""
    corpus, clock = corpora[task], Clock()
    if is_ceiling(task.variant):
        return measure_ceiling(task, corpus, settings, profile, target, pooling)
    training.prepare(task.seed, settings["precision"])
    model, history = fit_network(task, progress, corpus, settings, target, pooling)
    clock.stop("training")
    moments = Moments.exact([recording.audio for recording in corpus.partition("Train")])
    scored = {name: predict(model, part, moments, settings) for name, part in list_parts(corpus).items()}
    clock.stop("prediction")
    mechanism, examples = measure_attention(model, task.variant, corpus, moments, settings)
    record, arrays = describe(task, corpus, scored, settings, profile, target, pooling)
    record |= {
        "parameters": model.count_params(),
        "history": history,
        "seconds": clock.seconds,
        "mechanism": mechanism,
    }
    results.write(task.path, record, arrays | examples)


def measure_ceiling(task: tasks.Task, corpus: Corpus, settings: dict, profile: str, target: str, pooling: str) -> None:
    """Score the plain learner that is given the truth, fitted on whom the networks learn from; write the result."""
    training_set, _ = divide(corpus, settings, task.seed)
    scored = {}
    for name, part in list_parts(corpus).items():
        series = ceiling.predict(task.variant, training_set, part, corpus.root, settings, target)
        scored[name] = place_scores(series, part, settings, task.variant != ceiling.VOICE)
    results.write(task.path, *describe(task, corpus, scored, settings, profile, target, pooling))


def describe(
    task: tasks.Task, corpus: Corpus, scored: dict, settings: dict, profile: str, target: str, pooling: str
) -> tuple[dict, dict[str, np.ndarray]]:
    """The record and the arrays of a result, from the series `scored` of each partition.

    training_scores are those of the recordings that were trained on, after training and without post-processing.
    """
    parts, devel = list_parts(corpus), corpus.partition("Devel")
    golds = {name: collect_golds(part, settings, target) for name, part in parts.items()}
    scores, chains, processed = evaluate(scored, golds, settings, pooling)
    learnt = {recording.name for recording in divide(corpus, settings, task.seed)[0]}
    pairs = [p for r, *p in zip(parts["train"], golds["train"], scored["train"], strict=True) if r.name in learnt]
    arrays = {f"time/{r.name}": r.time[features.select_scored_instants(r, settings)] for r in devel}
    for kind, series in {"gold": golds["devel"], "raw": scored["devel"], "post": processed}.items():
        arrays |= {f"{kind}/{r.name}": s.astype(np.float32) for r, s in zip(devel, series, strict=True)}
    record = {
        **begin_record(NAME, task, corpus, profile, target, settings),
        "scores": scores,
        "training_scores": {target: score_series(*zip(*pairs), pooling, settings)},
        "postprocess": {name: chain.to_record() for name, chain in chains.items()},
        "recordings": [count_frames(recording, settings) for recording in corpus.recordings],
        "chats": {} if corpus.name.startswith("simulated") else find_chats(devel),  # nobody chats in a simulation
        "provenance": provenance.collect(),
    }
    return record, arrays


def list_parts(corpus: Corpus) -> dict[str, list[Features]]:
    return {"train": corpus.partition("Train"), "devel": corpus.partition("Devel")}


def divide(corpus: Corpus, settings: dict, seed: int) -> tuple[list[Features], list[Features]]:
    """The recordings to train on, and those by which the epoch is chosen where one is."""
    recordings = corpus.partition("Train")
    if settings["stopping"] != "heldout":
        return recordings, corpus.partition("Devel")
    fold = splits.hold_out([recording.name for recording in recordings], 0.15, seed)
    return tuple([r for r in recordings if r.name in side] for side in (fold.train, fold.test))


def find_chats(recordings: Sequence[Features]) -> dict[str, str]:
    """Recording -> its conversation, drawn together for intervals; empty where their lengths do not tell."""
    try:
        return sewa.pair_chats({recording.name: len(recording.labels.time) for recording in recordings})
    except ValueError:
        return {}


def fit_network(task: tasks.Task, progress: Callable, corpus: Corpus, settings: dict, target: str, pooling: str):
    """Build and train the network of a variant (Section 3.1); returns it with its training history."""
    from replications.lee2018 import models

    recordings, held_out = divide(corpus, settings, task.seed)
    moments = Moments.exact([recording.audio for recording in corpus.partition("Train")])

    def select(model) -> float:
        series = predict(model, held_out, moments=moments, settings=settings)
        return metrics.score_pooled(metrics.ccc, collect_golds(held_out, settings, target), series, pooling=pooling)

    def fit_variant(variant: str, start=None):
        model = models.VARIANTS[variant](settings)
        for layer in start or []:
            model.get_layer(layer.name).set_weights(layer.get_weights())
        compile_model(model, settings)
        ends = [features.select_training_clips(recording, settings) for recording in recordings]
        clips = Clips(recordings, ends, model, moments, settings, target)
        if not len(clips):
            raise InputError(f"{corpus.root}: no training recording holds a whole clip with a face; lower clip_frames")
        history = training.fit(
            model,
            clips,
            len(clips),
            epochs=settings["epochs_audio" if variant in AUDIO_ONLY else "epochs_video"],
            batch_size=settings["batch_size"],
            seed=task.seed,
            checkpoint=task.checkpoint(variant),
            digest=f"{task.digest} {variant}",
            progress=lambda fraction: progress(0.9 * fraction),
            select=None if settings["stopping"] == "fixed" else select,
        )
        return model, history

    if task.variant == "fused" and settings["fused_training"] == "warm_start":
        parts = [fit_variant(variant)[0] for variant in ("lstm-ta", "cnn3d-sta")]
        return fit_variant(
            "fused", [layer for part in parts for layer in part.layers if layer.weights and layer.name != "prediction"]
        )
    return fit_variant(task.variant)


def compile_model(model, settings: dict) -> None:
    """Section 3.1: Adam, mean squared error. XLA is off: on CPUs it halves the speed of these networks."""
    import keras

    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "mean_squared_error", jit_compile=False)


class Clips:
    """Clips that end at grid indices `ends` of each recording; called with indices it returns inputs and targets.

    Frames stay memory-mapped until a batch asks for them.
    """

    def __init__(
        self,
        recordings: list[Features],
        ends: list[np.ndarray],
        model,
        moments: Moments,
        settings: dict,
        target: str | None,
    ):
        self.recordings = recordings
        self.streams = [tensor.name for tensor in model.inputs]
        self.audio = (
            [moments(recording.audio).astype(np.float32) for recording in recordings]
            if "audio" in self.streams
            else None
        )
        self.owner = np.repeat(np.arange(len(recordings)), [len(end) for end in ends])
        self.steps = np.concatenate([features.index_clips(end, settings) for end in ends])
        self.targets = None
        if target is not None:
            delay = settings["label_delay"]
            self.targets = np.concatenate(
                [features.interpolate_gold(r, target, end, delay) for r, end in zip(recordings, ends, strict=True)]
            )

    def __len__(self) -> int:
        return len(self.owner)

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        chosen = list(zip(self.owner[index], self.steps[index], strict=True))
        inputs = {}
        if "audio" in self.streams:
            inputs["audio"] = np.stack([self.audio[owner][steps] for owner, steps in chosen])
        if "video" in self.streams:
            inputs["video"] = np.stack([self.recordings[owner].faces[steps] for owner, steps in chosen])
        targets = None if self.targets is None else self.targets[index, None].astype(np.float32)
        return inputs, targets


# --------------------------------------------------------------------------------------------------- the scores


def predict(model, recordings: list[Features], moments: Moments, settings: dict) -> list[np.ndarray]:
    """The scores of each recording at its scored instants; those without a face are interpolated (Section 3.1)."""
    ends = [features.select_scored_instants(recording, settings) for recording in recordings]
    clips = Clips(recordings, ends, model, moments, settings, None)
    scores = training.predict(model, clips, len(clips), settings["batch_size"])
    series = np.split(scores[:, 0].astype(np.float64), np.cumsum([len(end) for end in ends])[:-1])
    return place_scores(series, recordings, settings, "video" in clips.streams)


def place_scores(
    series: list[np.ndarray], recordings: Sequence[Features], settings: dict, sees_faces: bool
) -> list[np.ndarray]:
    """Outputs at the scored instants -> the scores there: without a face interpolated, and as late as the labels."""
    if sees_faces:
        ends = [features.select_scored_instants(recording, settings) for recording in recordings]
        series = [features.fill_dropped(s, r.found[end]) for s, r, end in zip(series, recordings, ends, strict=True)]
    # trained on labels from label_delay later, the scores belong that much later
    return [postprocess.Shift(settings["label_delay"]).apply(s, settings["score_hop"]) for s in series]


def collect_golds(recordings: list[Features], settings: dict, target: str) -> list[np.ndarray]:
    return [
        features.interpolate_gold(recording, target, features.select_scored_instants(recording, settings))
        for recording in recordings
    ]


def evaluate(scored: dict, golds: dict, settings: dict, pooling: str) -> tuple[dict, dict, list[np.ndarray]]:
    """Scores of the development partition without and with post-processing, fitted on it and on the training partition.

    `pooling` is that of the CCC that decides on the steps. Returns scores[fitted on][pooling][metric], the fitted
    chains, and the series after the chain fitted on devel. Where training has diverged to NaN, scores are None.
    """
    if not all(np.isfinite(s).all() for part in scored.values() for s in part):
        nothing = {"RMSE": None, "CC": None, "CCC": None}
        scores = {name: {"per_recording": nothing, "concatenated": nothing} for name in ("none", "devel", "train")}
        return scores, {}, scored["devel"]
    chains = {
        name: postprocess.fit(
            scored[name],
            golds[name],
            hop=settings["score_hop"],
            pooling=pooling,
            fitted_on=name,
            steps=tuple(settings["postprocess_steps"]),
            variance=settings["variance"],
        )
        for name in ("devel", "train")
    }
    series = {"none": scored["devel"], **{name: chain.apply(scored["devel"]) for name, chain in chains.items()}}
    scores = {
        name: {
            pooling: score_series(golds["devel"], s, pooling, settings) for pooling in ("per_recording", "concatenated")
        }
        for name, s in series.items()
    }
    return scores, chains, series["devel"]


def score_series(
    golds: Sequence[np.ndarray], series: Sequence[np.ndarray], pooling: str, settings: dict
) -> dict[str, float | None]:
    values = {
        "RMSE": metrics.score_pooled(metrics.rmse, golds, series, pooling=pooling),
        "CC": metrics.score_pooled(metrics.cc, golds, series, pooling=pooling, variance=settings["variance"]),
        "CCC": metrics.score_pooled(metrics.ccc, golds, series, pooling=pooling, variance=settings["variance"]),
    }
    return results.mark_undefined(values)


def measure_attention(
    model, variant: str, corpus: Corpus, moments: Moments, settings: dict
) -> tuple[dict | None, dict]:
    """The mechanism check of an attention network on a corpus whose truth is known, and arrays for its figure."""
    import keras

    from replications.lee2018 import mechanism

    layer = {"lstm-ta": "temporal_attention", "cnn3d-sta": "spatial_attention"}.get(variant)
    if layer is None or not (corpus.root / "truth").is_dir():
        return None, {}
    devel = corpus.partition("Devel")
    view = keras.Model(model.inputs, model.get_layer(layer).output)
    ends = [mechanism.find_clip_ends(recording, settings) for recording in devel]
    clips = Clips(devel, ends, model, moments, settings, None)
    maps = training.predict(view, clips, len(clips), settings["batch_size"])
    maps = np.split(maps.astype(np.float32), np.cumsum([len(end) for end in ends])[:-1])
    check = mechanism.measure_temporal if variant == "lstm-ta" else mechanism.measure_spatial
    numbers, examples = check(devel, maps, settings, corpus.root / "truth")
    return {layer.split("_")[0]: numbers}, examples


def count_frames(recording: Features, settings: dict) -> dict:
    """How many of the frames that were looked at show no face, and how many instants are scored."""
    return {
        "name": recording.name,
        "labels": len(features.select_scored_instants(recording, settings)),
        "frames": len(recording.found),
        "frames_without_face": int((~recording.found).sum()),
    }
