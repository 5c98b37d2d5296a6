"""Tasks: each (variant, fold, seed) becomes one result file. A killed one leaves its checkpoint behind."""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import results
from common.errors import InputError


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


@contextmanager
def show_progress(tasks: list[Task], parent: Path | None = None):
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
                bar.n = sum(_read_fraction(file) for file in files)
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


def _read_fraction(file: Path) -> float:
    try:
        return float(file.read_text())
    except (OSError, ValueError):  # not begun, or caught in the middle of a write
        return 0.0
