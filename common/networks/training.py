"""Seeds, determinism, and a fit loop with progress and checkpoints that goes on exactly where it was killed."""

import gc
import io
import os
import time
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from common import storage
from common.running.parallel import run_ahead

CHECKPOINT_SECONDS = 20  # a kill costs no more than this and one epoch


def prepare(seed: int, precision: str = "float32") -> None:
    """Fresh Keras state, fixed seeds, deterministic operations. Call it before a model is built."""
    _load_packages()
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # else it warns of every network after the first few that they are traced anew
    keras.utils.clear_session(free_memory=True)
    keras.mixed_precision.set_global_policy(precision)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@cache
def _load_packages() -> None:
    """Import Keras and TensorFlow, once in a process. The garbage collector never looks at them.

    It would do so over and over while they load, and again for each network: their objects are a million, and stay.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    gc.disable()
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


def fit(
    model,
    batch: Callable[..., tuple[dict, np.ndarray]],
    samples: int,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    checkpoint: Path,
    digest: str = "",
    progress: Callable[[float], None] = lambda fraction: None,
    augmented: bool = False,
    select: Callable[[object], float] | None = None,
    watch: Callable[[object], dict[str, tuple[float, np.ndarray]]] | None = None,
    kept: dict[str, np.ndarray] | None = None,
) -> dict[str, list[float]]:
    """Train a compiled `model`; `batch(indices)` returns its inputs and targets. Returns the history by epoch.

    Batches are made in another thread, one ahead of the step that uses it, and must not look at the model; with
    `augmented` they are batch(indices, rng), whose random stream is that of the step. Each epoch draws its own order
    from (seed, epoch); the samples left over after the last whole batch are left out of that epoch. With `select`, the
    weights of the epoch with the highest select(model) are restored at the end. With `watch`, watch(model) gives after each epoch, for each name, a score, which joins the history, and an
    array, such as predictions; `kept` is filled with the array of the highest score for each name. The state is saved
    to `checkpoint` between epochs and taken up from there; the numbers are the same as
    without the interruption. A checkpoint of another fit (`digest` stands for settings and data) or a damaged one
    is not used. The caller removes the file once the result is written.
    """
    size = min(batch_size, samples)
    model.optimizer.build(model.trainable_variables)
    state = _State(model, [digest, seed, epochs, size, samples])
    if checkpoint.exists():
        state.load(checkpoint)
    saved = time.monotonic()
    while len(state.history["loss"]) < epochs:
        epoch = len(state.history["loss"])
        order = np.random.default_rng([seed, epoch]).permutation(samples)
        model.reset_metrics()
        steps = samples // size
        indices = (np.sort(order[step * size : (step + 1) * size]) for step in range(steps))
        if augmented:
            rngs = (np.random.default_rng([seed, epoch * steps + step]) for step in range(steps))
            coming = run_ahead(map(batch, indices, rngs))
        else:
            coming = run_ahead(map(batch, indices))
        for step, (inputs, targets) in enumerate(coming):
            loss = model.train_on_batch(_order_inputs(model, inputs), targets)
            progress((epoch + (step + 1) / steps) / epochs)
        state.history["loss"].append(float(loss))
        if select is not None:
            state.keep_best(select(model))
        if watch is not None:
            state.keep_arrays(watch(model))
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            state.save(checkpoint)
            saved = time.monotonic()
    state.save(checkpoint)
    state.restore_best()
    if kept is not None:
        kept.update(state.kept)
    return state.history


class _State:
    """Everything that a resumed fit needs: weights, optimiser, random states, history, best weights."""

    def __init__(self, model, identity: list):
        self.variables = model.variables + model.optimizer.variables
        self.identity = storage.digest([identity, [list(variable.shape) for variable in self.variables]])
        self.weights = model.weights
        self.history = {"loss": []}
        self.best = None
        self.kept = {}

    def keep_arrays(self, watched: dict[str, tuple[float, np.ndarray]]) -> None:
        for name, (score, array) in watched.items():
            scores = self.history.setdefault(name, [])
            scores.append(float(score))
            if np.nanargmax([-np.inf, *scores]) == len(scores) or name not in self.kept:
                self.kept[name] = array

    def keep_best(self, score: float) -> None:
        self.history.setdefault("select", []).append(float(score))
        if np.nanargmax([-np.inf, *self.history["select"]]) == len(self.history["select"]):
            self.best = [np.array(weight) for weight in self.weights]

    def restore_best(self) -> None:
        for weight, value in zip(self.weights, self.best or [], strict=False):
            weight.assign(value)

    def save(self, path: Path) -> None:
        arrays = {f"variable_{index}": np.array(variable) for index, variable in enumerate(self.variables)}
        arrays |= {f"best_{index}": value for index, value in enumerate(self.best or [])}
        arrays |= {f"kept_{name}": array for name, array in self.kept.items()}
        arrays |= {f"history_{name}": np.array(values) for name, values in self.history.items()}
        storage.write_atomically(path, lambda file: np.savez(file, identity=self.identity, **arrays))

    def load(self, path: Path) -> None:
        """Take up the state in `path`; what is damaged or belongs to another fit is left, and overwritten later."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                found = dict(archive)
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return
        if str(found.get("identity")) != self.identity:
            return
        for index, variable in enumerate(self.variables):
            variable.assign(found[f"variable_{index}"])
        best = sorted((name for name in found if name.startswith("best_")), key=lambda name: int(name[5:]))
        self.best = [found[name] for name in best] or None
        self.kept = {name[5:]: array for name, array in found.items() if name.startswith("kept_")}
        self.history = {name[8:]: found[name].tolist() for name in found if name.startswith("history_")}


def _order_inputs(model, inputs: dict[str, np.ndarray]):
    """`inputs` in the order of the model's own, and alone where it has one: Keras warns of other structures."""
    values = [inputs[tensor.name] for tensor in model.inputs]
    return values if len(values) > 1 else values[0]


def predict(
    model,
    batch: Callable[[np.ndarray], tuple[dict, np.ndarray]],
    samples: int,
    batch_size: int,
) -> np.ndarray:
    """The output of `model` for samples 0..samples-1, in batches of one size (the last one is filled up)."""
    starts = range(0, samples, batch_size)
    coming = run_ahead(batch(np.minimum(np.arange(start, start + batch_size), samples - 1)) for start in starts)
    parts = [model.predict_on_batch(_order_inputs(model, inputs)) for inputs, _ in coming]
    return np.concatenate(parts)[:samples]
