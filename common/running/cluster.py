"""Tasks on a Dask cluster that is already there: the same result files and the same numbers as on one machine.

    python -m dask scheduler                                              on one machine
    python -m dask worker tcp://HOST:8786 --nthreads 1 --nworkers 4       on each, in the folder of this suite

What the workers must have in common with the client, checked before the first task and again at each one:

- the file system: the folders of corpora, cache and results under the same paths, for the same user. Workers write
  checkpoints and results there themselves, so that a fold whose worker was killed goes on from its checkpoint;
- Python, the packages that make numbers, and the code of this suite;
- one task at a time in each worker: a killed one costs one fold.

Numbers are those of one machine with the same --threads and the same kind of processor: each worker computes in a
process beside it (common.running.worker). A task whose worker was killed is given to another; a scheduler bears this as
often as its setting `allowed-failures` says (3) before it gives the task up. Where the command ends early, what waits
is withdrawn, what runs is ended, and the cluster stays as it is.
"""

import asyncio
import contextlib
import io
import logging
import mmap
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cloudpickle
import distributed
import numpy as np
from distributed.scheduler import KilledWorker

from common import storage
from common.errors import InputError
from common.running import tasks, worker

CONNECT_SECONDS = 10
POLL_SECONDS = 0.2
CODE = ("common", "datasets", "replications")
PACKAGES = ("distributed", "keras", "numpy", "scikit-learn", "scipy", "tensorflow")


def run(todo: list[tasks.Task], work: tasks.Work, threads: int, scheduler: str) -> None:
    """Do all of `todo` on the workers of the scheduler at this address, with `threads` threads of TensorFlow each.

    Raises what `work` raises, and InputError: a scheduler that is not reached or goes away, a cluster without
    workers, a worker that would compute something else, a task whose workers were killed again and again.
    """
    parent = Path(os.path.commonpath([task.path.parent.absolute() for task in todo]))
    parent.mkdir(parents=True, exist_ok=True)
    with _connect(scheduler) as client, tasks.show_progress(todo, parent) as reports:
        folder = reports[0].parent
        try:
            (folder / worker.WORK).write_bytes(pickle_work(work))
            expected = {"has": collect_facts(), "threads": threads, "cwd": Path.cwd(), "folder": folder}
            _check(client, scheduler, expected)
            _finish(client, scheduler, list(zip(todo, reports)), expected)
        finally:
            over = folder.rename(folder.with_name(f"{folder.name}-over"))  # at once: nobody writes to it any more
            shutil.rmtree(over, ignore_errors=True)


@contextlib.contextmanager
def _connect(scheduler: str) -> Iterator[distributed.Client]:
    """A client of its own, which the scheduler forgets when it leaves, with all that it asked for."""
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # errors are ours to tell
    try:
        asyncio.run(_identity(scheduler))  # first: a Client that fails to connect can hang in its destructor
    except Exception as error:  # of many kinds, by the kind of address
        raise InputError(
            f"{scheduler}: no Dask scheduler answers there; start one (`python -m dask scheduler`) or mend the address"
        ) from error
    with warnings.catch_warnings(action="ignore"):  # of other versions, which are checked here
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    with client:
        yield client


async def _identity(scheduler: str) -> None:
    secured = distributed.Security().get_connection_args("client")
    async with asyncio.timeout(CONNECT_SECONDS), distributed.rpc(scheduler, connection_args=secured) as asked:
        who = (await asked.identity())["type"]
    if who != "Scheduler":
        raise ValueError(f"a {who}")


def _explain_loss(scheduler: str) -> InputError:
    return InputError(
        f"{scheduler}: the scheduler has gone; what is finished is kept, the same command goes on once it is back"
    )


def _check(client: distributed.Client, scheduler: str, expected: dict) -> None:
    """Raise InputError for the first worker that would not compute what this process would, or for want of workers."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)  # a killed one may be on its way back
        answers = client.run(find_misfit, expected, on_error="return")
    except TimeoutError as error:
        raise InputError(
            f"{scheduler}: has no workers; start some: `python -m dask worker {scheduler} --nthreads 1 --nworkers 2`"
        ) from error
    except OSError as error:
        raise _explain_loss(scheduler) from error
    for address, found in answers.items():
        if isinstance(found, Exception) and "No module named" in str(found):
            found = f"worker {address}: cannot import this suite ({found}); start it in a folder with its code"
        elif isinstance(found, Exception):
            found = f"worker {address}: fails ({type(found).__name__}: {found}); see its log and restart it"
        if found:
            raise InputError(found)


def _finish(client: distributed.Client, scheduler: str, waiting: list[tuple[tasks.Task, Path]], expected: dict) -> None:
    """Do all that is `waiting`, in its order.

    The scheduler has no more of it than there are workers: an idle one gets the next task, none queues behind a long
    one, and a killed worker has had one. A future is let go when its task is done, or the loss of a worker would
    renew it.
    """
    from tqdm import tqdm

    running, before = {}, 0
    while waiting or running:
        workers = _count_workers(client, scheduler)
        if before and not workers:
            tqdm.write(f"{scheduler}: no worker is left; waiting for one", file=sys.stderr)
        before = workers
        while waiting and len(running) < workers:
            task, report = waiting.pop(0)
            running[client.submit(_do, task, report, expected, pure=False)] = task
        time.sleep(POLL_SECONDS)
        for future in [future for future in running if future.done()]:
            _raise_error(future, running.pop(future), scheduler)


def _count_workers(client: distributed.Client, scheduler: str) -> int:
    if client.status == "running":
        with contextlib.suppress(OSError):
            return len(client.nthreads())
    raise _explain_loss(scheduler)


def _raise_error(future: distributed.Future, task: tasks.Task, scheduler: str) -> None:
    """Raise what the task raised, if it did."""
    if future.status in ("cancelled", "lost"):
        raise _explain_loss(scheduler)
    try:
        future.result()
    except KilledWorker as error:
        raise worker.explain_kill(task, error.allowed_failures + 1) from error


# ------------------------------------------------------------------------------------------------ in the workers


def find_misfit(expected: dict, dask_worker: distributed.Worker) -> str | None:
    """Why this worker would not compute what the client would, and what to do about it; None where it would."""
    name, number, has = f"worker {dask_worker.address}", dask_worker.state.nthreads, collect_facts()
    if number != 1:
        return f"{name}: runs {number} tasks at a time in one process; start it with --nthreads 1 (and --nworkers)"
    for what, wanted in expected["has"].items():
        if has.get(what) != wanted:
            return f"{name}: has {what} {has.get(what)}, the client {wanted}; give both the same and restart the worker"
    if not (expected["folder"] / worker.WORK).is_file() or not os.access(expected["folder"], os.W_OK):
        return (
            f"{name}: cannot write to {expected['folder'].parent} of the client; workers share its file system: start "
            f"the worker where that folder is mounted, as the same user"
        )
    if not expected["cwd"].is_dir():
        return f"{name}: does not see {expected['cwd']}, the working folder of the client; start that in a shared one"
    return None


def collect_facts() -> dict[str, str]:
    """On what numbers depend in this process: Python, packages, a digest of this suite's code."""
    root = worker.ROOT
    files = sorted(file for part in CODE for end in ("py", "toml") for file in (root / part).rglob(f"*.{end}"))
    code = storage.digest([[str(file.relative_to(root)), storage.digest_bytes(file.read_bytes())] for file in files])
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "Python": python,
        **{name: storage.find_version(name) or "none" for name in PACKAGES},
        "the suite's code": code,
    }


def _do(task: tasks.Task, report: Path, expected: dict) -> None:
    """Do one task in this worker, as the client would in its own folder."""
    if reason := find_misfit(expected, distributed.get_worker()):  # it may have joined later, or been started anew
        raise InputError(reason)
    there = replace(task, path=expected["cwd"] / task.path)
    if not there.done():  # else its worker was killed just after
        worker.do(task, report, expected["threads"], expected["cwd"])


# -------------------------------------------------------------------------------------------------------- the work


def pickle_work(work: tasks.Work) -> bytes:
    """`work` for workers that see the same files: an array mapped from one goes as its name, not as its content."""
    file = io.BytesIO()
    _Pickler(file).dump(work)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, value):
        if isinstance(value, np.memmap) and isinstance(value.base, mmap.mmap):  # a whole one, no part of another
            order = "C" if value.flags.c_contiguous else "F"
            return np.memmap, (value.filename, value.dtype, "r", value.offset, value.shape, order)
        return super().reducer_override(value)
