"""One experiment: train the network with one seed, score the development partition, write the result file."""

from collections.abc import Callable, Sequence

import numpy as np

from common import metrics, results
from common.networks import training
from common.networks.moments import Moments
from common.running import provenance, tasks
from common.running.corpora import Corpus
from common.running.experiment import Clock, begin_record
from replications.sixth.features import Features

NAME, TARGET = "sixth", "arousal"


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    corpora: dict[tasks.Task, Corpus],
    settings: dict,
    profile: str,
) -> None:
    """Train a variant with one seed and write its result."""
    import keras

    from replications.sixth import models

    training.prepare(task.seed)
    corpus, clock = corpora[task], Clock()
    training_set, devel = corpus.partition("Train"), corpus.partition("Devel")
    moments = Moments.of([recording.loudness for recording in training_set])
    clips = Clips(training_set, moments, settings["steps"])
    model = models.VARIANTS[task.variant](settings)
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "mean_squared_error", jit_compile=False)
    history = training.fit(
        model,
        clips,
        len(clips.starts),
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        seed=task.seed,
        checkpoint=task.checkpoint(),
        digest=task.digest,
        progress=progress,
    )
    clock.stop("training")
    golds = [getattr(recording.labels, TARGET) for recording in devel]
    series = [np.array(model(moments(r.loudness)[None]))[0, :, 0] for r in devel]
    ccc = metrics.score_pooled(metrics.ccc, golds, series, pooling="concatenated")
    arrays = {f"time/{r.name}": r.labels.time for r in devel}
    for kind, several in (("gold", golds), ("raw", series), ("post", series)):
        arrays |= {f"{kind}/{r.name}": values.astype(np.float32) for r, values in zip(devel, several, strict=True)}
    record = {
        **begin_record(NAME, task, corpus, profile, TARGET, settings),
        "scores": {"none": {"concatenated": results.mark_undefined({"CCC": ccc})}},
        "recordings": [{"name": r.name, "labels": len(r.labels.time)} for r in corpus.recordings],
        "parameters": model.count_params(),
        "history": history,
        "seconds": clock.seconds,
        "provenance": provenance.collect(),
    }
    results.write(task.path, record, arrays)


class Clips:
    """Clips of `steps` labels that follow each other; called with indices it returns inputs and targets."""

    def __init__(self, recordings: Sequence[Features], moments: Moments, steps: int):
        self.recordings, self.moments, self.steps = recordings, moments, steps
        self.starts = [(r, start) for r in recordings for start in range(0, len(r.loudness) - steps + 1, steps)]

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        spans = [(recording, slice(start, start + self.steps)) for recording, start in (self.starts[i] for i in index)]
        loudness = np.stack([self.moments(recording.loudness[span]) for recording, span in spans])
        targets = np.stack([getattr(recording.labels, TARGET)[span] for recording, span in spans])
        return {"loudness": loudness}, targets[..., None].astype(np.float32)
