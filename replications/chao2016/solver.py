"""The training of the network behind the face appearance feature: Caffe's solver.

The paper says nothing of it (Section 3.2); it is that of the solver files that Caffe distributes with both forms of
the network. `replications.chao2016.train_cnn` is its command line.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from common import storage
from common.errors import InputError
from common.networks import training
from common.networks.optimizers import ScaledSGD
from replications.chao2016 import caffenet


def train(
    settings: dict,
    faces: Sequence[np.ndarray],
    labels: np.ndarray,
    seed: int,
    checkpoint: Path,
    progress: Callable[[float], None] = lambda fraction: None,
    digest: str = "",
) -> tuple[keras.Model, dict[str, list[float]]]:
    """A network that tells people apart, trained as Caffe's solver does: the model and its history (see training.fit).

    faces[i] is an RGB image (h, w, 3) uint8, read when it is wanted; labels (n,) are 0 to cnn_identities - 1; `digest`
    stands for both in the checkpoint. Softmax cross-entropy; SGD with momentum; the rate falls by cnn_step_factor
    every cnn_step iterations; biases learn twice as fast and do not decay. Epochs are whole: as many as come nearest
    to cnn_iterations, at least one. It goes on from `checkpoint`, with the same numbers as without the interruption.
    Raises InputError when the training diverges, ValueError for a label that is no output. settings: all with cnn_.
    """
    if not (labels.min() >= 0 and labels.max() < settings["cnn_identities"]):
        raise ValueError(f"labels {labels.min()} to {labels.max()}, outputs 0 to {settings['cnn_identities'] - 1}")
    training.prepare(seed)
    model = caffenet.build_network(settings, settings["cnn_identities"])
    _compile(model, settings)
    steps = max(1, len(labels) // settings["cnn_batch"])
    own = {name: value for name, value in settings.items() if name.startswith("cnn_")}

    with ThreadPoolExecutor() as readers:

        def batch(index: np.ndarray, rng: np.random.Generator) -> tuple[dict, np.ndarray]:
            return {"face": caffenet.augment(readers.map(faces.__getitem__, index), rng)}, labels[index]

        history = training.fit(
            model,
            batch,
            len(labels),
            epochs=max(1, round(settings["cnn_iterations"] / steps)),
            batch_size=settings["cnn_batch"],
            seed=seed,
            checkpoint=checkpoint,
            digest=storage.digest([own, digest]),
            progress=progress,
            augmented=True,
            watch=lambda model: _refuse_divergence(model, settings),
        )
    return model, history


def _refuse_divergence(model: keras.Model, settings: dict) -> dict:
    """Called after each epoch, before its state is kept: what is no number once stays so."""
    if not np.isfinite(np.array(model.get_layer("conv1").kernel)).all():
        rate = settings["cnn_learning_rate"]
        raise InputError(
            f"setting cnn_learning_rate: at {rate} the training diverges; give less, or a larger cnn_batch"
        )
    return {}


def _compile(model: keras.Model, settings: dict) -> None:
    biases = {layer.bias.path: 2.0 for layer in model.layers if layer.weights}  # Caffe's lr_mult
    rate = keras.optimizers.schedules.ExponentialDecay(
        settings["cnn_learning_rate"], settings["cnn_step"], settings["cnn_step_factor"], staircase=True
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(ScaledSGD(rate, settings["cnn_momentum"], biases), loss)
