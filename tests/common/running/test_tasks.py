"""Tasks: done once, redone when something changed, and nothing lost by an error, a kill or Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import results
from common.errors import EXIT_INPUT
from common.running import cli, dispatch, tasks
from tests.common.running.works import (
    die_at_1,
    fail_at_1,
    note_threads,
    planned,
    save_and_work,
    work,
)

ROOT = Path(__file__).parents[3]


def run(todo, work=work, jobs=1) -> int:
    for task in todo:
        task.path.parent.mkdir(parents=True, exist_ok=True)
    return dispatch.run(todo, work, jobs, threads=1)


def calls(folder: Path) -> list[int]:
    log = folder / "log"
    return sorted(map(int, log.read_text().split())) if log.exists() else []


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What limit_threads sets is put back."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


# checkpoints


def test_checkpoints_go_when_the_result_is_there(tmp_path):
    run(planned(tmp_path, 2), save_and_work)
    assert {path.suffix for path in tmp_path.iterdir() if path.name != "log"} == {".json", ".npz"}


def test_checkpoints_left_by_a_kill_just_after_the_result_go_with_the_next_call(tmp_path):
    todo = planned(tmp_path, 11)
    run(todo)
    todo[1].checkpoint().touch()
    todo[1].checkpoint("lstm").touch()
    todo[10].checkpoint().touch()
    waiting = tasks.Task("lstm", "devel", 99, tmp_path / "seed99.json", "d")
    waiting.checkpoint().touch()
    assert run(todo) == 0
    assert [path.name for path in tmp_path.glob("*.checkpoint")] == ["seed99.checkpoint"]


# what is done is not done again


def test_second_call_does_nothing(tmp_path):
    todo = planned(tmp_path)
    assert [run(todo), run(todo)] == [3, 0]
    assert calls(tmp_path) == [0, 1, 2] and all(task.done() for task in todo)


def test_only_what_is_new_is_done(tmp_path):
    run(planned(tmp_path, 2))
    assert run(planned(tmp_path, 4)) == 2
    assert calls(tmp_path) == [0, 1, 2, 3]


def test_another_digest_is_another_result(tmp_path, capsys):
    run(planned(tmp_path, 2))
    assert "replaced" not in capsys.readouterr().err
    assert run(planned(tmp_path, digest="other")) == 3
    assert "results replaced, damaged or of other settings, features or versions: 2\n" in capsys.readouterr().err
    assert run(planned(tmp_path, digest="other")) == 0
    assert "replaced" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(path.read_text()[:40]),
        lambda path: path.write_text("[]"),
        lambda path: path.with_suffix(".npz").unlink(),
        lambda path: path.with_suffix(".npz").write_bytes(b"PK"),
    ],
    ids=["record gone", "record truncated", "foreign record", "arrays gone", "arrays damaged"],
)
def test_a_damaged_result_is_made_anew(tmp_path, damage):
    todo = planned(tmp_path)
    run(todo)
    before = todo[1].path.read_bytes()
    damage(todo[1].path)
    assert not todo[1].done()
    assert run(todo) == 1
    assert calls(tmp_path) == [0, 1, 1, 2] and todo[1].path.read_bytes() == before


def test_two_jobs_give_the_same_files_as_one(tmp_path):
    for jobs in (1, 2):
        assert run(planned(tmp_path / str(jobs)), jobs=jobs) == 3
    for seed in range(3):
        for suffix in (".json", ".npz"):
            one, other = ((tmp_path / jobs / f"seed{seed}").with_suffix(suffix).read_bytes() for jobs in "12")
            assert one == other


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_run_with_their_share_of_threads(tmp_path, jobs):
    """Also in workers that joblib has started before."""
    for threads in (3, 2):
        todo = planned(tmp_path, digest=str(threads))
        dispatch.run(todo, note_threads, jobs, threads)
        assert all(results.read(task.path)["threads"] == [str(threads), "1", str(threads)] for task in todo)


# errors


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_keeps_what_is_finished(tmp_path, jobs):
    todo = planned(tmp_path)
    with pytest.raises(ValueError, match="a defect"):
        run(todo, fail_at_1, jobs)
    assert todo[0].done() and not todo[1].done()
    left = sum(not task.done() for task in todo)
    assert run(todo) == left  # and the same command goes on
    assert calls(tmp_path) == [0, 1, 2]


def test_a_killed_worker_is_said_and_nothing_is_lost(tmp_path, capsys):
    todo = planned(tmp_path)
    assert cli.run(lambda: run(todo, die_at_1, jobs=2)) == EXIT_INPUT
    last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1].strip()
    assert re.fullmatch("error: a worker process was killed.*--jobs 1 needs less", last)
    assert not todo[1].done()
    run(todo)
    assert all(task.done() for task in todo)


def started(folder: Path, work: str, jobs: int) -> subprocess.Popen:
    """A process of its own that runs three tasks, as a command line would."""
    program = (
        f"import sys; from pathlib import Path; from common.running import cli, dispatch; from tests.common.running import works\n"
        f"sys.exit(cli.run(lambda: print(dispatch.run(works.planned(Path({str(folder)!r})), works.{work}, {jobs}, 1))))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return process


def wait_for(file: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no {file.name}"
        time.sleep(0.05)


def test_after_kill_9_the_same_command_finishes_the_rest(tmp_path):
    process = started(tmp_path, "hang_at_1", jobs=1)
    wait_for(tmp_path / "hanging", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    todo = planned(tmp_path)
    assert [task.done() for task in todo] == [True, False, False]
    assert run(todo) == 2
    assert calls(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["to all, as a terminal does", "to the command alone"])
def test_ctrl_c_ends_in_one_line_and_loses_nothing(tmp_path, jobs, send):
    process = started(tmp_path, "hang_at_1", jobs)
    wait_for(tmp_path / "hanging", process)
    wait_for(tmp_path / "seed0.json", process)
    time.sleep(0.2)
    send(process.pid, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    last = err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.strip().startswith("error: interrupted") and "Traceback" not in err
    todo = planned(tmp_path)
    assert todo[0].done() and not todo[1].done()
