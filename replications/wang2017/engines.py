"""What computes fc6 in real time: TensorFlow in float32 or bfloat16, or TensorFlow Lite in int8.

int8 means integers of eight bits for the weights, each output channel with a scale of its own, and for what flows between
the layers, whose ranges are those of faces that the run has kept. The conversion is kept in the cache, by content, and so
is how near the arousal and valence that follow from it come to those of float32.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import metrics, storage
from common.errors import InputError
from common.running import options, provenance
from replications.wang2017 import attributes

VERSION = 1  # raise when the same network and faces give another conversion
FASTEST, PRECISIONS = "fastest", ("float32", "bfloat16", "int8")
LEAST, GOOD = 0.99, 0.999  # CCC with float32 below which a precision is refused, and to be chosen unasked
FACES = 64  # whose ranges int8 has
TIMED = 5  # calls, of which the median counts

Embedding = Callable[[np.ndarray], np.ndarray]  # faces (n, size, size, 3) uint8 -> their fc6 (n, fc_units) float32


@dataclass(frozen=True)
class Source:
    """What an engine is made of."""

    restore: Callable  # the whole CNN, under the current policy of Keras
    identity: list  # of its weights
    calibration: list[np.ndarray]  # faces (n, size, size, 3) uint8 of recordings trained on, for the ranges of int8
    heldout: list[np.ndarray]  # of the others, for the comparison; none where networks are untrained
    steppers: dict  # target -> models.Stepper
    folder: Path  # of the cache


@dataclass(frozen=True)
class Engine:
    """What computes fc6."""

    precision: str
    embed: Embedding
    speeds: dict[str, float]  # faces per second of the precisions among which it is the fastest
    agreement: dict[str, dict]  # of each precision that was compared with float32, see `compare`


def choose(source: Source, precision: str, batch: int) -> Engine:
    """The engine of a precision for `batch` faces at a time, or the fastest of those that are GOOD.

    Raises InputError for a precision that is below LEAST, and WriteError.
    """
    names = list_candidates() if precision == FASTEST else [precision]
    made = {name: build(source, name, batch) for name in names}
    near = {name: judge(source, name, made) for name in names if name != "float32" and source.heldout}
    if precision != FASTEST:
        if find_agreement(near.get(precision)) < LEAST:
            raise InputError(f"--precision {precision}{explain({}, near)}; {LEAST} is wanted; leave it out")
        return Engine(precision, made[precision], {}, near)
    faces = np.resize(np.concatenate(source.calibration), (batch, *source.calibration[0].shape[1:]))
    speeds = {name: measure_speed(made[name], faces) for name in names if find_agreement(near.get(name)) >= GOOD}
    fastest = max(speeds, key=speeds.get)
    return Engine(fastest, made[fastest], speeds, near)


def list_candidates() -> list[str]:
    """The precisions that may be the fastest: bfloat16 is so only where the processor computes in it."""
    try:
        capable = "_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        capable = False
    return [name for name in PRECISIONS if name != "bfloat16" or capable]


def find_agreement(compared: dict[str, dict] | None) -> float:
    """The lowest CCC of all targets; 1 where nothing was compared, -1 where a series does not move."""
    found = (-1.0 if one["CCC"] is None else one["CCC"] for one in (compared or {}).values())
    return min(found, default=1.0)


def explain(speeds: dict[str, float], agreement: dict[str, dict]) -> str:
    """What was measured of the precisions, in words, each after a semicolon."""
    said = ""
    if agreement:
        said += "; CCC of the series with those of float32: " + ", ".join(map(_show, agreement, agreement.values()))
    if speeds:
        tried = ", ".join(f"{name} {speed:.1f}" for name, speed in speeds.items())
        said += f"; faces per second of those that may be chosen: {tried}"
    return said


def _show(name: str, compared: dict[str, dict]) -> str:
    moves = all(one["CCC"] is not None for one in compared.values())
    return f"{name} {find_agreement(compared):.4f}" if moves else f"{name} none, they do not move"


def build(source: Source, precision: str, batch: int) -> Embedding:
    """The engine of one precision; int8 from the cache, or converted into it. Raises InputError, WriteError."""
    if precision != "int8":
        return compile_tensorflow(build_extractor(source, precision), batch)
    chosen = select_faces(source.calibration)
    kept = source.folder / f"{identify(source.identity, chosen)}.tflite"
    if not kept.exists():
        extractor = build_extractor(source, "float32")
        converted = quantise(extractor, attributes.preprocess(chosen, extractor.input_shape[1])[:, None])
        storage.write_atomically(kept, lambda file: file.write(converted))
    return compile_lite(kept.read_bytes(), batch)


def build_extractor(source: Source, precision: str):
    """The CNN up to fc6, whose layers compute in float32 or bfloat16."""
    import keras

    keras.utils.set_random_seed(0)  # for a CNN that is not restored but drawn
    keras.mixed_precision.set_global_policy({"bfloat16": "mixed_bfloat16"}.get(precision, "float32"))
    try:
        return attributes.build_extractor(source.restore())
    finally:
        keras.mixed_precision.set_global_policy("float32")


def select_faces(calibration: Sequence[np.ndarray]) -> np.ndarray:
    """FACES of the faces, evenly from all recordings."""
    together = np.concatenate(calibration)
    return together[np.unique(np.linspace(0, len(together) - 1, FACES).round().astype(int))]


def judge(source: Source, precision: str, made: dict[str, Embedding]) -> dict[str, dict]:
    """`compare` with float32 on the faces held out, from the cache or into it. Raises WriteError."""
    weights = [array for stepper in source.steppers.values() for array in stepper.weights]
    seen = select_faces(source.calibration), *source.heldout, *weights
    key = identify(source.identity, precision, provenance.read_processor(), *seen)
    kept = source.folder / f"{key}.agreement.json"
    if not kept.exists():
        reference = made.get("float32") or build(source, "float32", 1)
        storage.write_json(kept, compare(made[precision], reference, source.steppers, source.heldout))
    return json.loads(kept.read_text())


def compile_tensorflow(extractor, batch: int) -> Embedding:
    """`extractor` as two graphs for `batch` faces at a time.

    The kernels of the convolutions become constants: oneDNN orders them once and not at each call, which made a
    batch of one face 1.6 times as fast. The kernel of fc6 is no constant, which takes long to set up, but is converted
    to bfloat16 once and not at each call, which takes longer than what is computed with it.
    """
    import keras
    import tensorflow as tf

    size, fc6 = extractor.input_shape[1], extractor.get_layer("fc6")
    convolve = freeze(keras.Model(extractor.inputs, fc6.input), batch)
    kernel, bias = (tf.cast(weight.value, fc6.compute_dtype) for weight in fc6.weights)
    connect = tf.function(lambda maps: tf.cast(fc6.activation(tf.matmul(maps, kernel) + bias), tf.float32))

    def embed(faces: np.ndarray) -> np.ndarray:
        places = np.arange(-(-len(faces) // batch) * batch)
        whole = faces[np.minimum(places, len(faces) - 1)].reshape(-1, batch, *faces.shape[1:])
        features = [connect(convolve(tf.constant(attributes.preprocess(some, size)))[0]).numpy() for some in whole]
        return np.concatenate(features)[: len(faces)]

    return embed


def freeze(model, batch: int):
    """The Keras model as a graph for `batch` faces whose weights are constants."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(trace(model, batch))


def trace(model, batch: int):
    """The Keras model as a graph for `batch` faces."""
    import tensorflow as tf

    graph = tf.function(lambda inputs: model(inputs, training=False))
    return graph.get_concrete_function(tf.TensorSpec((batch, *model.input_shape[1:])))


def compile_lite(converted: bytes, batch: int) -> Embedding:
    """What `quantise` made: on each core another face of the batch, or, of a batch that does not share out so, part of one.

    Threads that share a face wait for each other all the time, and for whatever else takes a core from one of them: where
    another program was running, less than half of the speed was left.
    """
    lanes = max(count for count in range(1, options.count_cores() + 1) if batch % count == 0)
    interpreters = [load_interpreter(converted, options.count_cores() // lanes) for _ in range(lanes)]
    pool = ThreadPoolExecutor(lanes)
    (source,), (result,) = interpreters[0].get_input_details(), interpreters[0].get_output_details()

    def run(interpreter, inputs: np.ndarray) -> list[np.ndarray]:
        features = []
        for one in inputs:
            interpreter.set_tensor(source["index"], one[None])
            interpreter.invoke()
            features.append(interpreter.get_tensor(result["index"])[0])
        return features

    def embed(faces: np.ndarray) -> np.ndarray:
        shares = np.array_split(attributes.preprocess(faces, source["shape"][1]), lanes)
        return np.array([one for found in pool.map(run, interpreters, shares) for one in found])

    return embed


def load_interpreter(converted: bytes, threads: int):
    """A TensorFlow Lite interpreter."""
    import tensorflow as tf

    with _hushed():
        interpreter = tf.lite.Interpreter(model_content=converted, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


def quantise(model, samples: np.ndarray) -> bytes:
    """A Keras model in int8, for TensorFlow Lite; ranges from samples (n, batch, ...) of its input. With a bar."""
    import tensorflow as tf
    from tqdm import tqdm

    bars = {"desc": "converting to int8", "unit": "sample", "leave": False}
    with _hushed() as terminal, warnings.catch_warnings(), tqdm(samples, **bars, file=terminal) as bar:
        warnings.simplefilter("ignore")  # of statistics, which the samples give
        converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(model, samples.shape[1])])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in bar)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return converter.convert()


@contextmanager
def _hushed():
    """Nothing is written to stderr, as TensorFlow Lite does from C++, but through what is yielded."""
    try:
        terminal = os.fdopen(os.dup(2), "w")
    except OSError:  # it is closed
        yield None
        return
    with terminal, open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield terminal
        finally:
            os.dup2(terminal.fileno(), 2)


def identify(*parts) -> str:
    """What is kept belongs to these parts, of which arrays count by content, and to these versions."""
    parts = [
        [part.shape, storage.digest_bytes(part.tobytes())] if isinstance(part, np.ndarray) else part for part in parts
    ]
    return storage.digest([VERSION, *map(storage.find_version, ("tensorflow", "keras")), *parts])


def measure_speed(embed: Embedding, faces: np.ndarray) -> float:
    """Faces per second of a call with `faces`, the median of TIMED after a first one."""
    embed(faces)
    seconds = []
    for _ in range(TIMED):
        start = time.perf_counter()
        embed(faces)
        seconds.append(time.perf_counter() - start)
    return len(faces) / float(np.median(seconds))


def compare(embed: Embedding, reference: Embedding, steppers: dict, clips: Sequence[np.ndarray]) -> dict[str, dict]:
    """Target -> `CCC` of the series of all clips with those by `reference`, and the `largest` difference.

    clips: the faces (n, size, size, 3) uint8 of one phase of a clip each; the LSTM starts anew with each of them. From
    both series the mean of the reference over the clip is taken first: how people differ is no agreement. The CCC is
    None where no series moves. With a bar.
    """
    from tqdm import tqdm

    series = {target: ([], []) for target in steppers}
    for clip in tqdm(clips, "comparing with float32", unit="clip", leave=False):
        by_engine = [engine(clip) for engine in (embed, reference)]
        for target, stepper in steppers.items():
            one, other = (_step_through(stepper, features) for features in by_engine)
            series[target][0].append(one - other.mean())
            series[target][1].append(other - other.mean())
    found = {}
    for target, pair in series.items():
        one, other = map(np.concatenate, pair)
        agreement = metrics.ccc(other, one)
        largest = float(np.abs(one - other).max())
        found[target] = {"CCC": float(agreement) if np.isfinite(agreement) else None, "largest": largest}
    return found


def _step_through(stepper, features: np.ndarray) -> np.ndarray:
    """The series (n,) of features (n, fc_units) from a fresh state."""
    stepper.reset()
    return np.array([stepper(one[None])[0] for one in features])
