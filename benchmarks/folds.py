"""Folds in parallel: two workers against one on a set of small training folds, through joblib and through Dask.

    python -m benchmarks.folds

Each fold builds and trains an LSTM of its own, with one thread of TensorFlow. One and two workers take turns, so that
a busy machine slows them alike. Joblib's processes have done a fold before; on Dask each set starts TensorFlow in
each worker, as a run does. The ratio says something where two cores are idle: the load before the measurement is
printed. The folds must have the same numbers whoever trains them.
"""

import argparse
import importlib.util
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from common import results, storage
from common.errors import EXIT_DIFFERS, EXIT_INPUT
from common.running import cli, dispatch, tasks

SEQUENCES, STEPS, INPUTS, UNITS, CLASSES, BATCH = 256, 20, 128, 64, 6, 16
WORKERS = (1, 2)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folds", description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=8, help="in each set (default: 8)")
    parser.add_argument("--epochs", type=int, default=6, help="of each fold (default: 6)")
    parser.add_argument("--repeats", type=int, default=3, help="of each set (default: 3)")
    parser.add_argument("--engine", choices=["joblib", "dask"], nargs="+", default=["joblib", "dask"])
    arguments = parser.parse_args()
    tasks.limit_threads(1)  # in this process too: it is the one worker of joblib
    work = Fold(arguments.epochs)
    print(
        f"{arguments.folds} folds of {SEQUENCES} x {STEPS} x {INPUTS}, an LSTM of {UNITS}, {arguments.epochs} epochs; "
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, median of {arguments.repeats}"
    )
    found = {}
    for engine in arguments.engine:
        if engine == "dask" and not importlib.util.find_spec("distributed"):
            print("dask: the package distributed is not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="folds-") as folder, sets(engine, Path(folder)) as one_set:
            seconds = in_turns(one_set, work, arguments.folds, arguments.repeats)
            found[engine] = numbers(Path(folder))
        ratio = statistics.median(one / two for one, two in zip(*seconds.values()))
        for workers, values in seconds.items():
            print(f"{engine:6s} {workers} worker{'s' * (workers > 1):1s} {statistics.median(values):7.2f} s")
        print(f"{engine:6s} {WORKERS[1]} workers are {ratio:4.2f} times as fast as {WORKERS[0]}")
    if not found:
        return EXIT_INPUT
    alike = len({values for engine in found.values() for values in engine}) == arguments.folds
    print(f"the same numbers by all: {'yes' if alike else 'NO'}")
    return 0 if alike else EXIT_DIFFERS


class Fold:
    """The work of a task: train an LSTM on random sequences."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def __call__(self, task: tasks.Task, progress: Callable[[float], None]) -> None:
        from common.networks import training

        training.prepare(task.seed)
        import keras

        rng = np.random.default_rng(task.seed)
        data = rng.standard_normal((SEQUENCES, STEPS, INPUTS)).astype(np.float32)
        classes = rng.integers(0, CLASSES, SEQUENCES)
        inputs = keras.Input((STEPS, INPUTS), name="x")
        outputs = keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.LSTM(UNITS)(inputs))
        model = keras.Model(inputs, outputs)
        model.compile("adam", "sparse_categorical_crossentropy")
        history = training.fit(
            model,
            lambda index: ({"x": data[index]}, classes[index]),
            SEQUENCES,
            epochs=self.epochs,
            batch_size=BATCH,
            seed=task.seed,
            checkpoint=task.checkpoint(),
            progress=progress,
        )
        results.write(task.path, {"loss": history["loss"], "fold": task.fold, "task_digest": task.digest})


OneSet = Callable[[int, str, int, Fold], float]


@contextmanager
def sets(engine: str, folder: Path) -> Iterator[OneSet]:
    """A function that does a set of folds with so many workers, under a name, and returns its seconds."""
    with ExitStack() as stack:
        addresses = {workers: stack.enter_context(dask(workers, folder)) for workers in WORKERS if engine == "dask"}

        def one_set(workers: int, name: str, folds: int, work: Fold) -> float:
            todo = [
                tasks.Task("lstm", f"{fold:02d}", fold, folder / f"{workers}-{name}" / f"{fold:02d}.json", "folds")
                for fold in range(folds)
            ]
            start = time.perf_counter()
            dispatch.run(todo, work, workers, 1, addresses.get(workers))
            return time.perf_counter() - start

        yield one_set


@contextmanager
def dask(workers: int, folder: Path) -> Iterator[str]:
    """The address of a scheduler with so many workers on this machine."""
    import distributed

    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0", "local_directory": folder}
    with distributed.LocalCluster(**options, silence_logs=logging.ERROR) as cluster:
        yield cluster.scheduler_address


def in_turns(one_set: OneSet, work: Fold, folds: int, repeats: int) -> dict[int, list[float]]:
    """Seconds of each set, by the number of workers, after one that is not counted."""
    seconds = {workers: [] for workers in WORKERS}
    for workers in WORKERS:
        one_set(workers, "start", 2 * workers, work)  # each worker gets one of them
    for turn in range(repeats):
        for workers, found in seconds.items():
            found.append(one_set(workers, str(turn), folds, work))
    return seconds


def numbers(folder: Path) -> set[str]:
    """What came out of the sets that count: as many different ones as there are folds, where all agree."""
    return {storage.digest(results.read(path)) for path in folder.glob("*-[0-9]*/*.json")}


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
