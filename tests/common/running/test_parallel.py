"""Calls in processes of their own: results, and who hears Ctrl-C."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from joblib import delayed

from common.running.parallel import parallel
from tests.processes import interrupt

SLEEPERS = """
import os, sys, time
from pathlib import Path
from joblib import delayed
from common.running import cli
from common.running.parallel import parallel

def sleep(folder, number):
    part = Path(folder).with_suffix(f".{number}")
    part.write_text(str(os.getpid()))
    part.replace(Path(folder, str(number)))
    time.sleep(100)

raise SystemExit(cli.run(lambda: list(parallel((delayed(sleep)(sys.argv[1], n) for n in range(2)), 2)) and 0))
"""


def blocked() -> set:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def add(a: int, b: int) -> int:
    return a + b


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_or_as_they_are_ready(jobs):
    calls = [delayed(add)(number, 10) for number in range(7)]
    assert list(parallel(calls, jobs)) == list(range(10, 17))
    assert sorted(parallel(calls, jobs, ordered=False)) == list(range(10, 17))


def test_only_workers_are_deaf_to_ctrl_c():
    masks = list(parallel([delayed(blocked)() for _ in range(4)], 2))
    assert all(signal.SIGINT in mask for mask in masks)
    assert signal.SIGINT not in blocked()


@pytest.mark.parametrize("seconds", [0.01, 0.5])
def test_ctrl_c_ends_all_and_one_speaks(tmp_path, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPERS, str(tmp_path)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(seconds)
    assert any(running(int(file.read_text())) for file in tmp_path.iterdir())
    interrupt(process)
    assert not [file.name for file in tmp_path.iterdir() if running(int(file.read_text()))]


def running(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of one that has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
