"""One training step of a two-layer BiLSTM: keras.layers.LSTM against common.networks.recurrent, PyTorch too if it is there.

    python -m benchmarks.recurrent

34 sequences of 400 steps and 512 inputs; forward, backward, no update. The contenders take turns, so that a busy
machine slows them alike: compare ratios, not seconds. Limit the cores with `taskset -c 0,1`.
"""

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from common.running import cli

SEQUENCES, STEPS, INPUTS = 34, 400, 512
REPEATS = 7


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[64, 128], help="widths of each direction")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from common.networks import recurrent

    def stock(units):
        return keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))

    print(f"{SEQUENCES} x {STEPS} x {INPUTS}, two layers, {len(os.sched_getaffinity(0))} cores, median of {REPEATS}")
    data = np.random.default_rng(0).standard_normal((SEQUENCES, STEPS, INPUTS)).astype(np.float32)
    for units in arguments.units:
        steps = {"keras.layers.LSTM": keras_step(stock, units, data)}
        steps["common.networks.recurrent"] = keras_step(recurrent.bilstm, units, data)
        if importlib.util.find_spec("torch"):
            steps["torch.nn.LSTM"] = torch_step(units, data)
        seconds = interleaved(steps)
        reference = seconds["keras.layers.LSTM"]
        for name, values in seconds.items():
            ratio = statistics.median(one / other for one, other in zip(reference, values))
            print(f"{units:4d} units  {name:18s} {statistics.median(values):6.3f} s   {ratio:4.2f} times as fast")
    return 0


def keras_step(layer: Callable, units: int, data: np.ndarray) -> Callable[[], None]:
    """A function that runs one step in a compiled graph; its weights are freshly drawn."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(data.shape[1:])
    model = keras.Model(inputs, layer(units)(layer(units)(inputs)))
    weights = [weight.value for weight in model.trainable_weights]
    batch = tf.constant(data)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(batch, training=True)))
        return tape.gradient(loss, weights)

    return lambda: [gradient.numpy() for gradient in step()]


def torch_step(units: int, data: np.ndarray) -> Callable[[], None]:
    """The same by PyTorch, which is no requirement of this project."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = torch.nn.LSTM(data.shape[-1], units, num_layers=2, bidirectional=True, batch_first=True)
    batch = torch.from_numpy(data)

    def step():
        model.zero_grad()
        model(batch)[0].square().mean().backward()

    return step


def interleaved(steps: dict[str, Callable[[], None]], repeats: int = REPEATS) -> dict[str, list[float]]:
    """Seconds of each call, by name: one round of all to warm up, then `repeats` rounds."""
    seconds = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
