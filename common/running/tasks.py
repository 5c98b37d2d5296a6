"""Tasks: each (variant, fold, seed) becomes one result file. What is done is not done again.

Tasks run in processes of their own through joblib, each with its own share of TensorFlow's threads, or on a Dask
cluster (common.running.cluster). A killed run leaves whole result files and checkpoints behind; the same command finishes
the rest.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.running import results
from common.running.parallel import parallel


@dataclass(frozen=True)
class Task:
    """What to compute and where the result goes. `digest` covers the settings and the corpus."""

    variant: str
    fold: str
    seed: int
    path: Path
    digest: str

    def checkpoint(self, part: str = "") -> Path:
        """Where the state of a fit is kept while the task runs; a task of several fits names them."""
        return self.path.with_suffix(f".{part}.checkpoint" if part else ".checkpoint")

    def done(self) -> bool:
        """Whether the result file is there, whole, and made with these settings from this corpus."""
        if not self.path.exists():
            return False
        try:
            record = results.read(self.path)
            results.read_arrays(self.path, record)
        except InputError:
            return False  # made by an older version, or damaged: it is written anew
        return record.get("task_digest") == self.digest

    def tidy(self) -> None:
        """Remove the checkpoints, once the result is written."""
        for checkpoint in self.path.parent.glob(f"{self.path.stem}.*checkpoint"):
            checkpoint.unlink(missing_ok=True)  # a cluster may have given the task to two workers


Work = Callable[[Task, Callable[[float], None]], None]


def run(tasks: list[Task], work: Work, jobs: int, threads: int, scheduler: str | None = None) -> int:
    """Do the tasks that are not done; returns how many that were.

    `work(task, progress)` writes task.path and calls progress(fraction) now and then. It runs in `jobs` processes on
    this machine, or on the workers of the Dask scheduler at the address `scheduler`; unless that is one process here,
    it must be picklable. Raises what `work` raises, after what was finished is saved; with a scheduler InputError
    too, for a cluster that cannot be used.
    """
    waiting = []
    for task in tasks:
        if task.done():
            task.tidy()  # a kill may have come between the result and the end of its task
        else:
            waiting.append(task)
    if not waiting:
        return 0
    if others := sum(task.path.exists() for task in waiting):
        print(f"results replaced, damaged or of other settings, features or versions: {others}", file=sys.stderr)
    if scheduler is None:
        _run_here(waiting, work, min(jobs, len(waiting)), threads)
    else:
        _cluster().run(waiting, work, threads, scheduler)
    return len(waiting)


def _run_here(tasks: list[Task], work: Work, jobs: int, threads: int) -> None:
    from joblib import delayed

    with progress_bar(tasks) as reports:
        calls = (delayed(_do)(work, task, report, threads) for task, report in zip(tasks, reports, strict=True))
        list(parallel(calls, jobs, batch_size=1, pre_dispatch=jobs))


def _cluster():
    """common.running.cluster, which needs a package that is an extra."""
    try:
        from common.running import cluster
    except ModuleNotFoundError as error:
        if error.name not in ("cloudpickle", "distributed"):
            raise
        raise InputError(
            "--engine dask: the package distributed is not installed; `pip install -r requirements.txt`, or go without"
        ) from error
    return cluster


def limit_threads(threads: int) -> None:
    """Let TensorFlow and OpenMP use this many threads. Has an effect before TensorFlow is imported."""
    os.environ.update(
        TF_NUM_INTRAOP_THREADS=str(threads),
        TF_NUM_INTEROP_THREADS="1",
        OMP_NUM_THREADS=str(threads),
        TF_CPP_MIN_LOG_LEVEL=os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),  # it reports missing GPUs as errors
    )


def do(work: Work, task: Task, report: Path) -> None:
    """Do one task in this process; how far it is stands in the file `report`."""
    work(task, lambda fraction: report.write_text(f"{fraction:.6f}"))
    task.tidy()
    report.write_text("1")


def _do(work: Work, task: Task, report: Path, threads: int) -> None:
    limit_threads(threads)  # here: joblib reuses workers that were started before
    do(work, task, report)


@contextmanager
def progress_bar(tasks: list[Task], parent: Path | None = None):
    """One bar over all tasks, fed by a small file for each, into which its process writes how far it is.

    The files lie in a folder that is there as long as the bar, below `parent`, or that of the system.
    """
    from tqdm import tqdm

    with tempfile.TemporaryDirectory(dir=parent, prefix=".tasks-") as folder:
        files = [Path(folder) / str(index) for index in range(len(tasks))]
        names = ", ".join(dict.fromkeys(task.variant for task in tasks))
        bar_format = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]"
        stop = threading.Event()

        def watch(bar):
            while not stop.wait(0.5):
                bar.n = sum(_fraction(file) for file in files)
                bar.refresh()

        with tqdm(total=len(tasks), desc="training", bar_format=bar_format, leave=False) as bar:
            tqdm.write(f"training {names}", file=sys.stderr)
            watcher = threading.Thread(target=watch, args=(bar,), daemon=True)
            watcher.start()
            try:
                yield files
            finally:
                stop.set()
                watcher.join()


def _fraction(file: Path) -> float:
    try:
        return float(file.read_text())
    except (OSError, ValueError):  # not begun, or caught in the middle of a write
        return 0.0
