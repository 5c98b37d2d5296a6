"""fc6 of a face by the VGG-16 of wang2017 at full size: each precision, ONNX Runtime and OpenVINO too if they are there.

    python -m benchmarks.realtime

Random weights, one face at a time. The contenders take turns, so that a busy machine slows them alike. Beside them the
share of the processor's peak: of what large products of matrices reach in the same precision. The first call
converts to int8, which takes minutes, and keeps it in the cache. The other makers' engines are no part of requirements.txt:
pip install openvino onnxruntime "onnx<1.17" (later ones want another protobuf than TensorFlow).
"""

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from common.media import faces
from common.running import cli, options

REPEATS = 15
SIDE, ROWS = 2048, 2048  # of the matrices: (ROWS, SIDE) by (SIDE, SIDE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realtime", description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=cli.choose_cache_folder())
    parser.add_argument("--profile", default="paper", choices=["quick", "study", "paper"], help="whose sizes")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from common.evidence.reading import load_paper
    from common.evidence.settings import resolve_settings
    from replications.wang2017 import attributes, engines, realtime

    settings = resolve_settings(load_paper(realtime.PAPER), arguments.profile)
    clip = realtime.simulate_clip(arguments.cache)
    seen = [realtime.sample_faces(clip, settings, faces.locate_landmark_file())]
    identity = [attributes.RANDOM, attributes.select_settings(settings)]
    restore = partial(attributes.build_network, settings)
    source = engines.Source(restore, identity, seen, [], {}, arguments.cache / "attributes")
    extractor, face = engines.build_extractor(source, "float32"), seen[0][:1]
    contenders = {name: engines.build(source, name, 1) for name in engines.list_candidates()}
    contenders |= build_others(extractor)
    peaks = {"int8": multiply_in_int8()}
    peaks |= {name: multiply(name) for name in engines.list_candidates() if name != "int8"}
    calls = {name: partial(embed, face) for name, embed in contenders.items()} | {
        f"peak {name}": call for name, call in peaks.items()
    }
    seconds = take_turns(calls)
    work, product = 2 * count_products(extractor), 2 * ROWS * SIDE * SIDE
    reference = contenders["float32"](face)
    print(f"{work / 1e9:.1f} GFLOP a face, {options.count_cores()} cores, median of {REPEATS}")
    for name, embed in contenders.items():
        peak = product / seconds[f"peak {name.split()[-1]}"]
        near = np.corrcoef(embed(face).ravel(), reference.ravel())[0, 1]
        print(
            f"{name:22s} {1 / seconds[name]:6.1f} faces per second   {work / seconds[name] / peak:5.0%} of the peak   "
            f"correlation with float32 {near:.4f}"
        )
    for name in peaks:
        print(f"peak in {name:14s} {product / seconds[f'peak {name}'] / 1e9:6.0f} G operations per second")
    return 0


def take_turns(calls: dict[str, Callable]) -> dict[str, float]:
    """Median seconds of each call."""
    seconds = {name: [] for name in calls}
    for repeat in range(REPEATS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if repeat:  # the first one sets up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def count_products(model) -> int:
    """Multiplications of all convolutions and of fc6, for one input."""
    count = 0
    for layer in model.layers:
        if layer.weights:
            places = np.prod(layer.output.shape[1:-1], dtype=int)  # 1 for a dense layer
            count += int(places) * int(np.prod(layer.kernel.shape))
    return count


def multiply(precision: str) -> Callable[[], object]:
    """A product of matrices in TensorFlow."""
    import tensorflow as tf

    one, other = (tf.constant(np.random.default_rng(0).standard_normal((n, SIDE)), precision) for n in (ROWS, SIDE))
    product = tf.function(lambda: tf.matmul(one, other))
    return lambda: product().numpy()


def multiply_in_int8() -> Callable[[], object]:
    """The same product as a dense layer of TensorFlow Lite."""
    import keras

    from replications.wang2017 import engines

    model = keras.Sequential([keras.Input((SIDE,)), keras.layers.Dense(SIDE)])
    rows = np.random.default_rng(0).standard_normal((ROWS, SIDE)).astype(np.float32)
    interpreter = engines.load_interpreter(engines.quantise(model, rows[None]), options.count_cores())
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], rows)
    return interpreter.invoke


def build_others(extractor) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Engines of other makers, of those that are installed."""
    from replications.wang2017 import attributes, engines

    size, found = extractor.input_shape[1], {}
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        import onnxruntime

        limits = onnxruntime.SessionOptions()
        limits.intra_op_num_threads = options.count_cores()
        session = onnxruntime.InferenceSession(write_onnx(extractor), limits, providers=["CPUExecutionProvider"])
        found["ONNX Runtime float32"] = lambda crops: session.run(
            None, {"face": attributes.preprocess(crops, size).transpose(0, 3, 1, 2)}
        )[0]
    if importlib.util.find_spec("openvino"):
        import openvino

        model = openvino.convert_model(engines.trace(extractor, 1))
        for precision in sorted(set(engines.list_candidates()) - {"int8"}):  # which wants a calibration of its own
            hints = {
                "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
                "INFERENCE_NUM_THREADS": options.count_cores(),
                "PERFORMANCE_HINT": "LATENCY",
            }
            compiled = openvino.compile_model(model, "CPU", hints)
            found[f"OpenVINO {precision}"] = lambda crops, compiled=compiled: compiled(
                attributes.preprocess(crops, size)
            )[0]
    return found


def write_onnx(extractor) -> bytes:
    """The chain of convolutions, poolings and fc6 as an ONNX model; its input "face" has channels first."""
    from keras import layers
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, last, channels = [], [], "face", extractor.input_shape[-1]
    for layer in extractor.layers:
        arrays = layer.get_weights()
        names = [f"{layer.name}_{number}" for number in range(len(arrays))]
        if isinstance(layer, layers.Conv2D):
            arrays[0], channels = arrays[0].transpose(3, 2, 0, 1), arrays[0].shape[3]
            made = [helper.make_node("Conv", [last, *names], [layer.name], pads=[1] * 4)]
        elif isinstance(layer, layers.MaxPooling2D):
            made = [helper.make_node("MaxPool", [last], [layer.name], kernel_shape=[2, 2], strides=[2, 2])]
        elif isinstance(layer, layers.Dense):
            # rows are by height, width and channel; ONNX flattens channels first
            side = int(np.sqrt(arrays[0].shape[0] / channels))
            arrays[0] = arrays[0].reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(arrays[0].shape)
            made = [
                helper.make_node("Flatten", [last], [f"{layer.name}_flat"]),
                helper.make_node("Gemm", [f"{layer.name}_flat", *names], [layer.name]),
            ]
        else:  # input and flattening
            continue
        weights += [numpy_helper.from_array(np.ascontiguousarray(a), n) for a, n in zip(arrays, names)]
        nodes += made
        last = layer.name
        if arrays:
            nodes.append(helper.make_node("Relu", [last], [f"{last}_relu"]))
            last = f"{last}_relu"
    size = extractor.input_shape[1]
    put = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, size, size])
    out = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, extractor.output_shape[1]])
    graph = helper.make_graph(nodes, "vgg", [put], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
