"""Calls in processes of their own: results, and who hears Ctrl-C."""

import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from joblib import delayed

from common.errors import InputError
from common.running.parallel import parallel, run_ahead
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


def test_the_thread_is_one_item_ahead_and_hands_on_errors():
    made = []

    def items():
        for number in range(5):
            made.append(number)
            yield number
        raise InputError("clip.avi: broken")

    source = run_ahead(items())
    for number in range(5):
        assert next(source) == number and len(made) <= number + 2
    with pytest.raises(InputError, match="broken"):
        next(source)


def test_who_stops_early_leaves_no_thread():
    before, source = threading.active_count(), run_ahead(iter(range(1, 99)))
    assert next(source) == 1 and threading.active_count() == before + 1
    source.close()
    assert threading.active_count() == before


def test_what_comes_is_made_while_the_last_one_is_used():
    """The second item waits to be let go on, which its user does before asking for it."""
    allowed = threading.Event()

    def items():
        yield 1
        assert allowed.wait(10)
        yield 2

    source = run_ahead(items())
    assert next(source) == 1
    allowed.set()
    assert list(source) == [2]
