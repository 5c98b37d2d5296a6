"""Tasks that tests give to processes of their own: without pytest and Dask, which each of these would load."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from common import results
from common.errors import InputError
from common.running import tasks


def planned(folder: Path, count: int = 3, digest: str = "d") -> list[tasks.Task]:
    return [tasks.Task("lstm", "devel", seed, folder / f"seed{seed}.json", digest) for seed in range(count)]


def work(task: tasks.Task, progress) -> None:
    """The numbers depend on the seed alone; a line in `log` for each call."""
    progress(0.5)
    with (task.path.parent / "log").open("a") as log:
        log.write(f"{task.seed}\n")
    values = np.random.default_rng(task.seed).normal(size=3)
    results.write(
        task.path,
        {"paper": "p", "seed": task.seed, "mean": float(values.mean()), "task_digest": task.digest},
        {"values": values},
    )


def fail_at_1(task: tasks.Task, progress) -> None:
    if task.seed == 1:
        while not task.path.with_name("seed0.json").exists():  # the first may start later, and would be given up
            time.sleep(0.01)
        raise ValueError("a defect")
    work(task, progress)


def die_at_1(task: tasks.Task, progress) -> None:
    if task.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    work(task, progress)


def hang_at_1(task: tasks.Task, progress) -> None:
    if task.seed == 1:
        (task.path.parent / "hanging").touch()
        time.sleep(60)
    work(task, progress)


def save_and_work(task: tasks.Task, progress) -> None:
    for part in ("", "lstm"):
        task.checkpoint(part).write_text("the state of a fit")
    work(task, progress)


def note_threads(task: tasks.Task, progress) -> None:
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    results.write(task.path, {"threads": [os.environ[name] for name in names], "task_digest": task.digest})


def note_worker(task: tasks.Task, progress) -> None:
    time.sleep(0.3)
    results.write(task.path, {"worker": os.getpid(), "cwd": os.getcwd(), "task_digest": task.digest})


def kill(task: tasks.Task, progress, seed: int, times: int, whom=os.getppid) -> None:
    """The task `seed` kills its worker (or itself), in the middle of a fold, so often, and leaves a checkpoint."""
    progress(0.5)
    killed = task.path.parent / "killed"
    if task.seed == seed and (len(killed.read_bytes()) if killed.exists() else 0) < times:
        task.checkpoint().write_text("the state of a fit")
        with killed.open("ab") as file:
            file.write(b".")
        (task.path.parent / "pid").write_text(str(os.getpid()))
        os.kill(whom(), signal.SIGKILL)
        time.sleep(60)
    work(task, progress)


def process_of(task: tasks.Task, progress) -> None:
    main = threading.current_thread() is threading.main_thread()
    results.write(task.path, {"parent": os.getppid(), "main": main, "task_digest": task.digest})


def go_on(task: tasks.Task, progress) -> None:
    """A fold without end, which does not even say how far it is."""
    (task.path.parent / f"pid{task.seed}").write_text(str(os.getpid()))
    (task.path.parent / f"begun{task.seed}").touch()
    while True:
        time.sleep(0.05)


def begin(task: tasks.Task, progress) -> None:
    (task.path.parent / "hanging").touch()
    work(task, progress) if task.seed == 0 else go_on(task, progress)


def train(task: tasks.Task, progress, data: np.ndarray) -> None:
    """A small LSTM, as a fold of a paper trains it."""
    from common.networks import training

    training.prepare(task.seed)
    import keras

    inputs = keras.Input(data.shape[1:], name="x")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.LSTM(8)(inputs)))
    model.compile("adam", "mse")
    history = training.fit(
        model,
        lambda index: ({"x": data[index]}, data[index].mean((1, 2))),
        len(data),
        epochs=2,
        batch_size=4,
        seed=task.seed,
        checkpoint=task.checkpoint(),
        progress=progress,
    )
    record = {"history": history, "task_digest": task.digest}
    results.write(task.path, record, {f"weight_{index}": weight for index, weight in enumerate(model.get_weights())})


class Unsendable(Exception):
    def __reduce__(self):
        raise TypeError("not to be sent")


def fail_unsendably(task: tasks.Task, progress) -> None:
    raise Unsendable("a rare defect")


def whole(task: tasks.Task, progress, array: np.ndarray) -> None:
    results.write(task.path, {"sum": float(array.sum()), "task_digest": task.digest})


def refuse_input(task: tasks.Task, progress) -> None:
    raise InputError("clip.avi: holds no speech; leave it out")
