"""One experiment: train one network of Table 1 with one seed, keep its best epoch on validation, classify every clip.

Or classify them by the truth, which no network sees: the ceiling.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from common import metrics, results
from common.ceiling import is_ceiling
from common.networks import training
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from datasets import afew
from datasets.simulated.truth import read_truth
from replications.chao2016 import ceiling, mechanism
from replications.chao2016.features import FITTED_ON, Features

NAME = "chao2016"
TARGET = "emotion"
BATCH = 32  # clips, where nothing is trained
EXAMPLES = 7  # clips whose weights are kept for Figures 2 and 3


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    corpora: dict[tasks.Task, Corpus],
    settings: dict,
    profile: str,
    cnn: dict,
    left_out: dict,
) -> None:
    """Train one network, or fit a ceiling, and write its result.

    `cnn` says where the appearance came from, `left_out` which clips had no face.
    """
    corpus, clock = corpora[task], Clock()
    more = {"left_out": left_out.get(corpus.name, []), "cnn": cnn}
    write = partial(write_result, task, corpus, profile, settings)
    if is_ceiling(task.variant):
        return write(ceiling.classify(task.variant, corpus.recordings, corpus.root / "truth"), more)
    import keras

    from replications.chao2016 import models

    training.prepare(task.seed)
    clips = Clips(corpus.recordings)
    train_clips, scored = (np.flatnonzero([c.partition == part for c in clips.clips]) for part in ("Train", "Val"))
    model = models.build_network(task.variant, settings, clips.widths, len(afew.CLASSES))
    model.compile(
        models.Adadelta(settings["weight_decay"], learning_rate=settings["learning_rate"]),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    before = models.get_embeddings(model) if task.variant == "proposed" else None

    def validation(model) -> float:
        return score_accuracy([clips.clips[i] for i in scored], clips.predict(model, scored))

    history = training.fit(
        model,
        lambda index: clips(train_clips[index]),
        len(train_clips),
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        seed=task.seed,
        checkpoint=task.checkpoint(),
        digest=task.digest,
        progress=lambda done: progress(0.95 * done),
        select=validation if settings["stopping"] == "validation" else None,
    )
    clock.stop("training")
    predicted = clips.predict(model, np.arange(len(clips.clips)))
    found, arrays = None, {}
    if task.variant == "proposed":
        found, arrays = measure_mechanism(model, clips, settings, corpus)
        arrays |= {"embeddings/before": before, "embeddings/after": models.get_embeddings(model)}
    clock.stop("prediction")
    more |= {"mechanism": found, "parameters": model.count_params(), "history": history, "seconds": clock.seconds}
    write(predicted, more, arrays)


def write_result(
    task: tasks.Task,
    corpus: Corpus,
    profile: str,
    settings: dict,
    predicted: np.ndarray,
    more: dict,
    arrays: dict[str, np.ndarray] | None = None,
) -> None:
    """Score the predicted classes (n,) of all clips, and write them and the record, which `more` joins.

    `training_scores` are those of the clips that were trained on, as "scores" has them for each partition.
    """
    clips: Sequence[Features] = corpus.recordings
    train = [i for i, clip in enumerate(clips) if clip.partition == FITTED_ON]
    trained = score_accuracy([clips[i] for i in train], predicted[train])
    labels = {f"raw/{TARGET}/{clip.name}": predicted[[i]].astype(np.int8) for i, clip in enumerate(clips)}
    labels |= {f"gold/{TARGET}/{c.name}": np.array([c.label], np.int8) for c in clips if c.label is not None}
    record = {
        **begin_record(NAME, task, corpus, profile, "all", settings),
        "scores": {TARGET: score_clips(clips, predicted)},
        "training_scores": {TARGET: {"accuracy": trained}},
        "chats": find_people(corpus),
        "recordings": [
            {
                "name": clip.name,
                "label": None if clip.label is None else afew.CLASSES[clip.label],
                "labels": int(clip.label is not None),
                "frames": len(clip.shape),
                "frames_without_face": int((~clip.found).sum()),
            }
            for clip in clips
        ],
        **more,
        "provenance": provenance.collect(),
    }
    results.write(task.path, record, labels | (arrays or {}))


def find_people(corpus: Corpus) -> dict[str, str]:
    """Clip -> the person in it, whose clips are drawn together for intervals; nobody knows of real clips."""
    truth = corpus.root / "truth"
    if corpus.evidence != "simulated" or not truth.is_dir():
        return {}
    return {clip.name: str(read_truth(truth, clip.name, "person")["person"]) for clip in corpus.recordings}


class Clips:
    """The clips as padded batches. Called with indices it returns the networks' inputs and the labels (batch,).

    All batches are as long as the longest clip, so that the networks are traced once.
    """

    def __init__(self, clips: Sequence[Features]):
        self.clips = clips
        self.widths = {name: getattr(clips[0], name).shape[1] for name in ("audio", "shape", "appearance")}
        self.longest = {name: max(len(getattr(clip, name)) for clip in clips) for name in self.widths}

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        chosen = [self.clips[i] for i in index]
        inputs = {name: self._pad(name, chosen) for name in self.widths}
        inputs["audio_steps"] = np.array([len(clip.audio) for clip in chosen], np.int32)
        inputs["steps"] = np.array([len(clip.shape) for clip in chosen], np.int32)
        return inputs, np.array([-1 if clip.label is None else clip.label for clip in chosen])

    def _pad(self, name: str, clips: Sequence[Features]) -> np.ndarray:
        batch = np.zeros((len(clips), self.longest[name], self.widths[name]), np.float32)
        for row, clip in zip(batch, clips):
            values = getattr(clip, name)
            row[: len(values)] = values
        return batch

    def predict(self, model, index: np.ndarray) -> np.ndarray:
        """The class (n,) with the highest score for each of the clips at `index`."""
        return training.predict(model, lambda part: self(index[part]), len(index), BATCH).argmax(axis=1)


def score_accuracy(clips: Sequence[Features], predicted: np.ndarray) -> float:
    """In percent, as the tables print it."""
    return 100 * metrics.accuracy([c.label for c in clips], predicted, classes=range(len(afew.CLASSES)))


def score_clips(clips: Sequence[Features], predicted: np.ndarray) -> dict[str, dict]:
    """Partition, as a pattern of names -> accuracy, UAR and confusion matrix in percent (Table 1, Fig. 5); None if undefined."""
    found = {}
    for partition in afew.PARTITIONS:
        rows = [i for i, c in enumerate(clips) if c.partition == partition and c.label is not None]
        if not rows:
            continue
        truth, classes = [clips[i].label for i in rows], range(len(afew.CLASSES))
        matrix = metrics.confusion_matrix(truth, predicted[rows], classes=classes)
        scores = {
            "accuracy": score_accuracy([clips[i] for i in rows], predicted[rows]),
            "UAR": matrix.diagonal().mean(),
        }
        scores |= {
            f"{true} as {other}": matrix[i, j]
            for i, true in enumerate(afew.CLASSES)
            for j, other in enumerate(afew.CLASSES)
        }
        found[f"{partition}/*"] = results.mark_undefined(scores)
    return found


def measure_mechanism(model, clips: Clips, settings: dict, corpus: Corpus) -> tuple[dict, dict[str, np.ndarray]]:
    """Mechanism over the clips that were not trained on, and the weights of some of them (Figures 2 and 3)."""
    from replications.chao2016 import models

    view = models.expose_attention(model)
    chosen = [i for i, clip in enumerate(clips.clips) if clip.partition != "Train" and clip.found.any()]
    alignments, attentions = [], []
    for i in chosen:
        steps = len(clips.clips[i].shape)
        inputs, _ = clips(np.array([i]))
        weights, attention = view.predict_on_batch([inputs[tensor.name] for tensor in view.inputs])
        alignments.append(weights[0, :steps])
        attentions.append(attention[0, :, :steps])
    seen = [clips.clips[i] for i in chosen]
    found = mechanism.measure(seen, alignments, attentions, settings, corpus.root / "truth")
    arrays, shown = {}, {}
    for clip, weights, attention in zip(seen, alignments, attentions):  # the first clip of each class
        if clip.label is not None and clip.label not in shown and len(shown) < EXAMPLES:
            shown[clip.label] = clip.name
            arrays |= {f"alignment/{clip.name}": weights.T, f"attention/{clip.name}": attention}
    return found, arrays
