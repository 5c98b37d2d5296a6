"""Tasks that are not done yet, run on this machine or on a cluster; the same command finishes what a kill left.

On this machine they run in processes of their own through joblib, each with its own share of TensorFlow's threads;
on a Dask cluster as in common.running.cluster.
"""

import sys
from pathlib import Path

from common.errors import InputError
from common.running import tasks
from common.running.parallel import parallel


def run(todo: list[tasks.Task], work: tasks.Work, jobs: int, threads: int, scheduler: str | None = None) -> int:
    """Do the tasks that are not done; returns how many that were.

    `work(task, progress)` writes task.path and calls progress(fraction) now and then. It runs in `jobs` processes on
    this machine, or on the workers of the Dask scheduler at the address `scheduler`; unless that is one process here,
    it must be picklable. Raises what `work` raises, after what was finished is saved; with a scheduler InputError
    too, for a cluster that cannot be used.
    """
    waiting = []
    for task in todo:
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
        _import_cluster().run(waiting, work, threads, scheduler)
    return len(waiting)


def _run_here(todo: list[tasks.Task], work: tasks.Work, jobs: int, threads: int) -> None:
    from joblib import delayed

    with tasks.show_progress(todo) as reports:
        calls = (delayed(_do)(work, task, report, threads) for task, report in zip(todo, reports, strict=True))
        list(parallel(calls, jobs, batch_size=1, pre_dispatch=jobs))


def _do(work: tasks.Work, task: tasks.Task, report: Path, threads: int) -> None:
    tasks.limit_threads(threads)  # here: joblib reuses workers that were started before
    tasks.do(work, task, report)


def _import_cluster():
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
