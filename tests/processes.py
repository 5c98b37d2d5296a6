"""Processes that tests interrupt and kill, the command lines of the papers among them; what processes of tests share."""

import fcntl
import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from common.errors import EXIT_INTERRUPTED
from common.running import cli

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = "error: interrupted; what is finished is kept, the same command goes on from there"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills, once for all workers of this run of the tests. To be read only."""
    top = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    with (top / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (top / name).exists():
            making = top / f"{name}.making"  # an earlier one that failed is in the way, and is told
            making.mkdir()
            make(making)
            making.rename(top / name)
    return top / name


@contextmanager
def without_graphs():
    """Networks step by step: to make a graph takes longer than a few steps of a small network."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings(action="ignore"):  # of Keras, that a single input comes by its name
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def call(main: Callable[[], int], *words) -> tuple[str, str]:
    """What a command line prints that ends well, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
            patch.setenv(name, os.environ.get(name, "1"))  # what the run sets is put back
        patch.setattr(sys, "argv", ["run", *map(str, words)])
        code = cli.run(main)
    assert code == 0, err.getvalue()
    return out.getvalue(), err.getvalue()


def started(paper: str, *words) -> subprocess.Popen:
    """The command line of a paper, as the head of a process group."""
    return start(f"replications.{paper}.run", *words)


def start(module: str, *words) -> subprocess.Popen:
    """The command line of a module, as the head of a process group."""
    command = [sys.executable, "-m", module, *map(str, words)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **streams)


def wait_for(process: subprocess.Popen, folder: Path, pattern: str) -> None:
    """Until there is such a file."""
    deadline = time.monotonic() + 120
    while not any(folder.rglob(pattern)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.02)


def kill(process: subprocess.Popen) -> None:
    """The process and its workers, without notice."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def interrupt(process: subprocess.Popen) -> None:
    """Ctrl-C to all its processes, as a terminal sends it; they end soon, and one of them says so in one line."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == EXIT_INTERRUPTED
    # not always the last line: joblib's own tracker of shared memory may end after us, and say so
    assert [line.strip() for line in err.replace("\r", "\n").splitlines()].count(INTERRUPTED) == 1
    assert "Traceback" not in err, err
