"""One experiment: train a variant with one seed, score it on the development partition, write the result file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from common import metrics, postprocess, splits
from common.errors import InputError
from common.networks import architecture, training
from common.running import provenance, results, tasks
from common.running.experiment import Clock, Corpus, record_head
from datasets import sewa
from replications.lee2018 import features
from replications.lee2018.features import Features

NAME = "lee2018"
AUDIO_ONLY = ("lstm", "lstm-ta")


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    by_path: dict,
    settings: dict,
    profile: str,
    target: str,
    pooling: str,
) -> None:
    """Train one variant with one seed, score it on the development partition and write the result."""
    training.prepare(task.seed, settings["precision"])
    corpus = by_path[task.path]
    clock = Clock()
    model, history = fitted(task, progress, corpus, settings, target, pooling)
    clock.stop("training")
    training_set, devel = corpus.partition("Train"), corpus.partition("Devel")
    normaliser = Normaliser.fit(training_set)
    scored = {
        name: predicted(model, part, normaliser, settings) for name, part in (("train", training_set), ("devel", devel))
    }
    golds = {"train": golds_of(training_set, settings, target), "devel": golds_of(devel, settings, target)}
    clock.stop("prediction")
    scores, chains, processed = evaluate(scored, golds, settings, pooling)
    mechanism, examples = attended(model, task.variant, corpus, normaliser, settings)
    arrays = {f"time/{r.name}": r.time[features.scored_instants(r, settings)] for r in devel}
    for kind, series in {"gold": golds["devel"], "raw": scored["devel"], "post": processed}.items():
        arrays |= {f"{kind}/{r.name}": s.astype(np.float32) for r, s in zip(devel, series, strict=True)}
    record = {
        **record_head(NAME, task, corpus, profile, target, settings),
        "scores": scores,
        "postprocess": {name: chain.to_record() for name, chain in chains.items()},
        "recordings": [dropped(recording, settings) for recording in corpus.recordings],
        "chats": {} if corpus.name.startswith("simulated") else chats(devel),  # nobody chats in a simulation
        "architecture": architecture.describe(model),
        "parameters": model.count_params(),
        "history": history,
        "seconds": clock.seconds,
        "mechanism": mechanism,
        "provenance": provenance.collect(),
    }
    results.write(task.path, record, arrays | examples)


def chats(recordings: Sequence[Features]) -> dict[str, str]:
    """Recording -> its conversation, drawn together for intervals; empty where their lengths do not tell."""
    try:
        return sewa.pair_chats({recording.name: len(recording.labels.time) for recording in recordings})
    except ValueError:
        return {}


def fitted(task: tasks.Task, progress: Callable, corpus: Corpus, settings: dict, target: str, pooling: str):
    """Build and train the network of a variant (Section 3.1); returns it with its training history."""
    from replications.lee2018 import models

    recordings = corpus.partition("Train")
    held_out = corpus.partition("Devel")
    if settings["stopping"] == "heldout":
        fold = splits.hold_out([recording.name for recording in recordings], 0.15, task.seed)
        held_out = [recording for recording in recordings if recording.name in fold.test]
        recordings = [recording for recording in recordings if recording.name in fold.train]
    normaliser = Normaliser.fit(corpus.partition("Train"))

    def select(model) -> float:
        series = predicted(model, held_out, normaliser=normaliser, settings=settings)
        return metrics.score_pooled(metrics.ccc, golds_of(held_out, settings, target), series, pooling=pooling)

    def trained(variant: str, start=None):
        model = models.VARIANTS[variant](settings)
        for layer in start or []:
            model.get_layer(layer.name).set_weights(layer.get_weights())
        compile_(model, settings)
        ends = [features.training_clips(recording, settings) for recording in recordings]
        clips = Clips(recordings, ends, model, normaliser, settings, target)
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
        parts = [trained(variant)[0] for variant in ("lstm-ta", "cnn3d-sta")]
        return trained(
            "fused", [layer for part in parts for layer in part.layers if layer.weights and layer.name != "prediction"]
        )
    return trained(task.variant)


def compile_(model, settings: dict) -> None:
    """Section 3.1: Adam, mean squared error. XLA is off: on CPUs it halves the speed of these networks."""
    import keras

    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "mean_squared_error", jit_compile=False)


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation (88,) of the audio features over the training partition."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, recordings: list[Features]) -> "Normaliser":
        audio = np.concatenate([recording.audio for recording in recordings]).astype(np.float64)
        deviation = audio.std(axis=0)
        return cls(audio.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        return ((audio - self.mean) / self.deviation).astype(np.float32)


class Clips:
    """Clips that end at grid indices `ends` of each recording; called with indices it returns inputs and targets.

    Frames stay memory-mapped until a batch asks for them.
    """

    def __init__(
        self,
        recordings: list[Features],
        ends: list[np.ndarray],
        model,
        normaliser: Normaliser,
        settings: dict,
        target: str | None,
    ):
        self.recordings = recordings
        self.streams = [tensor.name for tensor in model.inputs]
        self.audio = [normaliser(recording.audio) for recording in recordings] if "audio" in self.streams else None
        self.owner = np.repeat(np.arange(len(recordings)), [len(end) for end in ends])
        self.steps = np.concatenate([features.clip_indices(end, settings) for end in ends])
        self.targets = None
        if target is not None:
            delay = settings["label_delay"]
            self.targets = np.concatenate(
                [features.gold(r, target, end, delay) for r, end in zip(recordings, ends, strict=True)]
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


def predicted(model, recordings: list[Features], normaliser: Normaliser, settings: dict) -> list[np.ndarray]:
    """The scores of each recording at its scored instants; those without a face are interpolated (Section 3.1)."""
    ends = [features.scored_instants(recording, settings) for recording in recordings]
    clips = Clips(recordings, ends, model, normaliser, settings, None)
    scores = training.predict(model, clips, len(clips), settings["batch_size"])
    series = np.split(scores[:, 0].astype(np.float64), np.cumsum([len(end) for end in ends])[:-1])
    if "video" in clips.streams:
        series = [features.without_dropped(s, r.found[end]) for s, r, end in zip(series, recordings, ends, strict=True)]
    # trained on labels from label_delay later, the scores belong that much later
    return [postprocess.Shift(settings["label_delay"]).apply(s, settings["score_hop"]) for s in series]


def golds_of(recordings: list[Features], settings: dict, target: str) -> list[np.ndarray]:
    return [features.gold(recording, target, features.scored_instants(recording, settings)) for recording in recordings]


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
        name: {pooling: score(golds["devel"], s, pooling, settings) for pooling in ("per_recording", "concatenated")}
        for name, s in series.items()
    }
    return scores, chains, series["devel"]


def score(golds: list[np.ndarray], series: list[np.ndarray], pooling: str, settings: dict) -> dict[str, float | None]:
    values = {
        "RMSE": metrics.score_pooled(metrics.rmse, golds, series, pooling=pooling),
        "CC": metrics.score_pooled(metrics.cc, golds, series, pooling=pooling, variance=settings["variance"]),
        "CCC": metrics.score_pooled(metrics.ccc, golds, series, pooling=pooling, variance=settings["variance"]),
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def attended(model, variant: str, corpus: Corpus, normaliser: Normaliser, settings: dict) -> tuple[dict | None, dict]:
    """The mechanism check of an attention network on a corpus whose truth is known, and arrays for its figure."""
    import keras

    from replications.lee2018 import mechanism

    layer = {"lstm-ta": "temporal_attention", "cnn3d-sta": "spatial_attention"}.get(variant)
    if layer is None or not (corpus.root / "truth").is_dir():
        return None, {}
    devel = corpus.partition("Devel")
    view = keras.Model(model.inputs, model.get_layer(layer).output)
    ends = [mechanism.clip_ends(recording, settings) for recording in devel]
    clips = Clips(devel, ends, model, normaliser, settings, None)
    maps = training.predict(view, clips, len(clips), settings["batch_size"])
    maps = np.split(maps.astype(np.float32), np.cumsum([len(end) for end in ends])[:-1])
    check = mechanism.temporal if variant == "lstm-ta" else mechanism.spatial
    numbers, examples = check(devel, maps, settings, corpus.root / "truth")
    return {layer.split("_")[0]: numbers}, examples


def dropped(recording: Features, settings: dict) -> dict:
    """How many of the frames that were looked at show no face, and how many instants are scored."""
    return {
        "name": recording.name,
        "labels": len(features.scored_instants(recording, settings)),
        "frames": len(recording.found),
        "frames_without_face": int((~recording.found).sum()),
    }
