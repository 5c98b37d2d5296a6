"""The process beside a Dask worker in which its tasks are computed: there they have the numbers of one machine.

In the worker's own process they would not: its heartbeat draws from Python's global random numbers (dask.sizeof, twice
a second), from which Keras takes the seeds of initial weights. A process beside it also starts TensorFlow with the
threads that were asked for, reads the code as it is now, leaves the worker free to answer its scheduler, and can be
ended: it goes when the worker goes, or when the client has left and taken its folder along. It serves one run.
"""

import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from common.errors import InputError, UserError
from common.running import tasks

WORK = "work"  # in the folder of a run: what to do, pickled
ATTEMPTS = 3  # at a task whose process is killed
ROOT = Path(__file__).parents[2]

_beside: dict[Path, tuple[Connection, subprocess.Popen]] = {}  # the process of the run with this folder; at most one


def do(task: tasks.Task, report: Path, threads: int, cwd: Path) -> None:
    """Do one task in the process beside this one; how far it is stands in `report`, in the folder of the run.

    Raises what the work raises, and InputError when the process was killed again and again.
    """
    for _ in range(ATTEMPTS):
        pipe, process = _find_process(report.parent, threads, cwd)
        try:
            pipe.send((task, report))
            error = pipe.recv()
        except (EOFError, OSError):  # it was killed, or it left because the client has
            process.wait()
            continue
        if error:
            raise error
        return
    raise explain_kill(task, ATTEMPTS)


def explain_kill(task: tasks.Task, times: int) -> InputError:
    return InputError(
        f"{task.path}: the process of this task was killed {times} times, perhaps for want of memory; the same command "
        f"goes on, where there is more"
    )


def _find_process(folder: Path, threads: int, cwd: Path) -> tuple[Connection, subprocess.Popen]:
    """The process that is there for this run, or a new one, and the pipe to it. Raises InputError after the run."""
    if folder not in _beside or _beside[folder][1].poll() is not None:
        if not folder.exists():
            raise InputError(f"{folder}: the client of this run has left; the same command goes on")
        _beside.clear()  # closes the pipe of a run that is over, and with it ends its process
        here, there = Pipe()
        with there:
            program = f"from common.running import worker; worker.serve({there.fileno()}, {str(folder)!r}, {threads})"
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal of the worker is for the worker
                cwd=cwd,
                env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
            )
        _beside[folder] = here, process
    return _beside[folder]


# --------------------------------------------------------------------------------------------- in the process beside


def serve(descriptor: int, folder: str, threads: int) -> None:
    """Do the tasks that come through the pipe until it ends, the parent dies or the folder of the run is gone."""
    threading.Thread(target=_leave, args=(Path(folder), os.getppid()), daemon=True).start()
    tasks.limit_threads(threads)
    with Connection(descriptor) as pipe:
        while True:
            try:
                task, report = pipe.recv()
            except (EOFError, OSError):
                return
            pipe.send(_try(task, report))


def _leave(folder: Path, parent: int) -> None:
    while folder.exists() and os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _try(task: tasks.Task, report: Path) -> Exception | None:
    """Do one task; returns the error that it ends in, as it can be sent."""
    try:
        tasks.do(pickle.loads(report.with_name(WORK).read_bytes()), task, report)
    except Exception as error:
        if not isinstance(error, UserError):
            error.add_note(f"in a worker:\n{traceback.format_exc()}")  # a traceback is not sent
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # of a class that cannot be
            return RuntimeError(traceback.format_exc())
        return error
    return None
