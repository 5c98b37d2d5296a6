"""Tasks on a Dask cluster: the files of --jobs 1, nothing lost by a kill, one line for what the user can mend.

A scheduler and two workers, processes of their own on loopback, as a user would start them.
"""

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common import results
from common.errors import EXIT_INPUT
from common.running import cli, dispatch
from tests.common.running.test_tasks import ROOT, calls, wait_for
from tests.common.running.works import (
    begin,
    fail_at_1,
    fail_unsendably,
    kill,
    note_threads,
    note_worker,
    planned,
    process_of,
    refuse_input,
    save_and_work,
    train,
    whole,
    work,
)

pytest.importorskip("distributed")

ENVIRONMENT = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",  # for the test of a task that kills its workers
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
SECONDS = 90  # within which anything here has come about, also on a busy machine


@contextmanager
def started(*words, cwd: Path = ROOT, **environment):
    """A process `python -m dask WORDS`, ended with all its children."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, words)],
        cwd=cwd,
        env=os.environ | ENVIRONMENT | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler(folder: Path):
    """A scheduler on a free port: its process and its address."""
    file = folder / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show", "--idle-timeout", "300")
    with started("scheduler", *words, "--scheduler-file", file) as process:
        wait_for(file, process)
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(r"tcp://[\d.:]+", file.read_text())):  # the file is there before its content is
            assert time.monotonic() < deadline, f"no address in {file}"
            time.sleep(0.02)
        yield process, found.group()


def worker(address: str, *words, **options):
    """A process that starts workers, of one thread unless `words` say otherwise; they leave with their scheduler."""
    words = ("--no-dashboard", "--host", "127.0.0.1", "--death-timeout", "30", *(words or ("--nthreads", "1")))
    return started("worker", address, *words, **options)


def wait_for_workers(address: str, count: int) -> None:
    import distributed

    with distributed.Client(address, timeout=SECONDS, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=SECONDS)


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """Where the scheduler of two workers is reached."""
    folder = tmp_path_factory.mktemp("dask")
    two = ("--nthreads", "1", "--nworkers", "2", "--local-directory", folder)
    with scheduler(folder) as (_, address), worker(address, *two):
        wait_for_workers(address, 2)
        yield address


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> str:
    """Where a scheduler without workers is reached."""
    with scheduler(tmp_path_factory.mktemp("empty")) as (_, address):
        yield address


def run(todo, address: str | None, work=work, threads: int = 1) -> int:
    """dispatch.run on the cluster at this address, or as --jobs 1."""
    for task in todo:
        task.path.parent.mkdir(parents=True, exist_ok=True)
    return dispatch.run(todo, work, 1, threads, address)


def line(capsys, todo, address: str, work=work) -> str:
    """The one line in which a run ends that a user can mend."""
    assert cli.run(lambda: run(todo, address, work)) == EXIT_INPUT
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.replace("\r", "\n").strip().splitlines()[-1].strip()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# the same results


def test_the_files_are_those_of_one_job(tmp_path, address):
    for folder, scheduler in (("one", None), ("dask", address)):
        assert run(planned(tmp_path / folder, 5), scheduler) == 5
    assert names(tmp_path / "one") == names(tmp_path / "dask")  # also: nothing else is left
    for path in (tmp_path / "one").glob("seed*"):
        assert path.read_bytes() == (tmp_path / "dask" / path.name).read_bytes()


def test_a_trained_network_is_that_of_one_job(tmp_path, address):
    """Weights bit for bit, whatever this process, which is --jobs 1, has done with TensorFlow before."""
    data = np.random.default_rng(0).normal(size=(16, 10, 6)).astype(np.float32)
    np.save(tmp_path / "data.npy", data)
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    run(planned(tmp_path / "one", 1), None, partial(train, data=mapped))
    run(planned(tmp_path / "dask", 1), address, partial(train, data=mapped))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "dask" / path.name).read_bytes()
    assert names(tmp_path / "one") == names(tmp_path / "dask") == {"seed0.json", "seed0.npz"}


def test_both_workers_work_in_the_folder_of_the_client(tmp_path, address, monkeypatch):
    """Relative paths mean the same there."""
    monkeypatch.chdir(tmp_path)
    todo = planned(Path("results"), 6)
    run(todo, address, note_worker)
    records = [results.read(task.path) for task in todo]
    assert len({record["worker"] for record in records}) == 2
    assert {record["cwd"] for record in records} == {str(tmp_path)}


def test_a_task_has_the_main_thread_of_a_process_beside_the_worker(tmp_path, address):
    """Where no thread of the worker draws from the random numbers that Keras seeds its weights with."""
    todo = planned(tmp_path, 2)
    run(todo, address, process_of)
    records = [results.read(task.path) for task in todo]
    assert all(record["main"] and record["parent"] != os.getpid() for record in records)


@pytest.mark.parametrize("threads", [3, 2])
def test_tasks_run_with_their_share_of_threads(tmp_path, address, threads):
    run(planned(tmp_path, 1), address, note_threads, threads)
    assert results.read(planned(tmp_path, 1)[0].path)["threads"] == [str(threads), "1", str(threads)]


def test_an_error_that_cannot_be_sent_is_told(tmp_path, address):
    with pytest.raises(RuntimeError, match="Unsendable: a rare defect"):
        run(planned(tmp_path, 1), address, fail_unsendably)


def test_what_is_done_is_not_done_again(tmp_path, address):
    run(planned(tmp_path, 2), None)
    assert run(planned(tmp_path, 4), address) == 2
    assert run(planned(tmp_path, 4), "tcp://127.0.0.1:1") == 0  # nothing to do: nobody is asked
    assert calls(tmp_path) == [0, 1, 2, 3]


def test_checkpoints_go_when_the_result_is_there(tmp_path, address):
    run(planned(tmp_path, 2), address, save_and_work)
    assert {path.suffix for path in tmp_path.iterdir() if path.name != "log"} == {".json", ".npz"}


# the work as it is sent


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_mapped_array_goes_as_the_name_of_its_file(tmp_path, order):
    from common.running import cluster

    values = np.asarray(np.random.default_rng(1).normal(size=(100, 50)), order=order)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    sent = cluster.pickle_work(partial(whole, array=mapped))
    assert len(sent) < 1000
    array = pickle.loads(sent).keywords["array"]
    assert isinstance(array, np.memmap) and not array.flags.writeable
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("part", [np.s_[3:7], np.s_[::2, 1], np.s_[::-1]])
def test_a_part_of_a_mapped_array_goes_as_it_is(tmp_path, part):
    from common.running import cluster

    values = np.random.default_rng(1).normal(size=(10, 5))
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    np.testing.assert_array_equal(pickle.loads(cluster.pickle_work(mapped[part])), values[part])


def test_work_of_the_main_module_is_sent_whole(tmp_path, address):
    """A paper's `python -m ... .run` is __main__, which workers have no module for."""
    program = (
        f"from pathlib import Path; from common.running import dispatch, tasks; from tests.common.running import works as t\n"
        f"def main_work(task, progress): t.work(task, progress)\n"
        f"if __name__ == '__main__': dispatch.run(t.planned(Path({str(tmp_path)!r})), main_work, 1, 1, {address!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == [0, 1, 2]


# errors and kills


def test_an_error_comes_back_as_it_was_and_keeps_what_is_finished(tmp_path, address):
    todo = planned(tmp_path, 6)
    with pytest.raises(ValueError, match="a defect"):
        run(todo, address, fail_at_1)
    assert not todo[1].done()
    left = sum(not task.done() for task in todo)
    assert run(todo, address) == left
    assert calls(tmp_path) == list(range(6))


def test_what_the_user_can_mend_is_one_line(tmp_path, address, capsys):
    assert line(capsys, planned(tmp_path), address, refuse_input) == "error: clip.avi: holds no speech; leave it out"


@pytest.mark.parametrize("whom", [os.getppid, os.getpid], ids=["worker", "the process beside it"])
def test_a_killed_worker_costs_its_fold_and_nothing_else(tmp_path, address, whom):
    todo = planned(tmp_path, 5)
    assert run(todo, address, partial(kill, seed=2, times=1, whom=whom)) == 5
    assert (tmp_path / "killed").read_bytes() == b"."
    wait_for_end(int((tmp_path / "pid").read_text()))  # it does not go on without its worker
    assert calls(tmp_path) == list(range(5))  # each fold once, that of the killed worker after its kill
    assert not list(tmp_path.glob("*.checkpoint"))
    run(planned(tmp_path / "one", 5), None)
    for path in (tmp_path / "one").glob("seed*"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


@pytest.mark.parametrize(("whom", "times"), [(os.getppid, 2), (os.getpid, 3)], ids=["worker", "the process beside it"])
def test_a_fold_that_is_killed_again_and_again_is_said(tmp_path, address, capsys, whom, times):
    """Two workers are enough on this scheduler."""
    wait_for_workers(address, 2)
    said = line(capsys, planned(tmp_path, 1), address, partial(kill, seed=0, times=times, whom=whom))
    assert re.fullmatch(rf"error: .*seed0\.json: the process of this task was killed {times} times, .*", said)
    assert run(planned(tmp_path, 1), address) == 1


def test_ctrl_c_withdraws_what_waits_and_leaves_the_cluster(tmp_path, address):
    wait_for_workers(address, 2)
    program = (
        f"import sys; from pathlib import Path; from common.running import cli, dispatch, tasks\n"
        f"from tests.common.running import works as t\n"
        f"todo = t.planned(Path({str(tmp_path)!r}), 6)\n"
        f"sys.exit(cli.run(lambda: dispatch.run(todo, t.begin, 1, 1, {address!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        while len(list(tmp_path.glob("begun*"))) < 2 or not (tmp_path / "seed0.json").exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    last = error.replace("\r", "\n").strip().splitlines()[-1].strip()
    assert last.startswith("error: interrupted") and "Traceback" not in error
    begun = {path.name[5:] for path in tmp_path.glob("begun*")}
    assert len(begun) == 2
    for seed in begun:  # what runs is ended, and the workers are free again
        wait_for_end(int((tmp_path / f"pid{seed}").read_text()))
    assert run(planned(tmp_path, 6), address) == 5  # seed 0 was done
    assert {path.name[5:] for path in tmp_path.glob("begun*")} == begun and not list(tmp_path.glob(".tasks-*"))


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + SECONDS
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_goes_is_said_and_nothing_is_lost(tmp_path, kill, capsys):
    todo = planned(tmp_path / "results", 3)
    with scheduler(tmp_path) as (process, address), worker(address, "--nthreads", "1", "--no-nanny"):
        wait_for_workers(address, 1)

        def end():
            wait_for(tmp_path / "results" / "begun1", process)
            process.send_signal(kill)

        ending = threading.Thread(target=end)
        ending.start()
        said = line(capsys, todo, address, begin)
        ending.join()
    assert said == (
        f"error: {address}: the scheduler has gone; what is finished is kept, the same command goes on once it is back"
    )
    assert run(todo, None) == sum(not task.done() for task in todo) or all(task.done() for task in todo)
    assert calls(tmp_path / "results") == [0, 1, 2]


@pytest.mark.slow
def test_a_worker_that_comes_later_works_and_none_is_waited_for(tmp_path, empty, capsys):
    """The only worker kills itself, with no nanny; the task is done by the next one."""
    with worker(empty, "--nthreads", "1", "--no-nanny") as first:
        wait_for_workers(empty, 1)
        later = []

        def follow():
            first.wait()
            time.sleep(2)
            later.append(worker(empty))
            later[0].__enter__()

        following = threading.Thread(target=follow)
        following.start()
        try:
            assert run(planned(tmp_path, 2), empty, partial(kill, seed=0, times=1)) == 2
        finally:
            following.join()
            later[0].__exit__(None, None, None)
    assert "no worker is left; waiting for one" in capsys.readouterr().err
    assert calls(tmp_path) == [0, 1]


# clusters that cannot be used


def test_nobody_at_the_address(tmp_path, capsys, monkeypatch):
    from common.running import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for wrong in (address, "nowhere://x", "no scheduler", "tls://127.0.0.1:1", ""):
        said = line(capsys, planned(tmp_path), wrong)
        assert said.startswith(f"error: {wrong}: no Dask scheduler answers there; start one")
    assert names(tmp_path) == set()


def test_an_address_that_is_none_leaves_nothing_behind(tmp_path):
    """A Client that has failed would speak again, and wait, when the process ends."""
    program = (
        f"import sys; from pathlib import Path; from common.running import cli, dispatch, tasks; from tests.common.running import works as t\n"
        f"todo = t.planned(Path({str(tmp_path)!r}))\n"
        f"sys.exit(cli.run(lambda: dispatch.run(todo, t.work, 1, 1, 'nowhere://x')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == EXIT_INPUT and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: nowhere://x: no Dask scheduler answers there")


def test_the_address_of_a_worker(tmp_path, empty, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with worker(empty, "--nthreads", "1", "--no-nanny", "--worker-port", port):
        wait_for_workers(empty, 1)
        said = line(capsys, planned(tmp_path), f"tcp://127.0.0.1:{port}")
    assert said.startswith(f"error: tcp://127.0.0.1:{port}: no Dask scheduler answers there")


def test_a_scheduler_without_workers(tmp_path, empty, capsys, monkeypatch):
    from common.running import cluster

    wait_until_empty(empty)
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    said = line(capsys, planned(tmp_path), empty)
    assert said.startswith(f"error: {empty}: has no workers; start some: `python -m dask worker {empty} --nthreads 1")
    assert names(tmp_path) == set()


def test_without_the_package(tmp_path, capsys, monkeypatch):
    from common import running

    monkeypatch.delattr(running, "cluster", raising=False)
    monkeypatch.delitem(sys.modules, "common.running.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = line(capsys, planned(tmp_path), "tcp://127.0.0.1:1")
    assert said.startswith("error: --engine dask: the package distributed is not installed; `pip install")


def test_a_worker_of_two_threads(tmp_path, empty, capsys):
    wait_until_empty(empty)
    with worker(empty, "--nthreads", "2", "--no-nanny"):
        wait_for_workers(empty, 1)
        said = line(capsys, planned(tmp_path), empty)
    assert re.match(
        r"error: worker tcp://[\d.:]+: runs 2 tasks at a time in one process; start it with --nthreads 1", said
    )


def test_a_worker_without_the_code(tmp_path, empty, capsys):
    wait_until_empty(empty)
    with worker(empty, "--nthreads", "1", "--no-nanny", cwd=tmp_path):
        wait_for_workers(empty, 1)
        said = line(capsys, planned(tmp_path / "results"), empty)
    assert re.match(
        r"error: worker tcp://[\d.:]+: cannot import this suite \(.*No module named 'common'.*\); start it", said
    )


def wait_until_empty(address: str) -> None:
    import distributed

    with distributed.Client(address, timeout=SECONDS, set_as_default=False) as client:
        deadline = time.monotonic() + SECONDS
        while client.nthreads():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def expected(tmp_path) -> dict:
    """What a client on this machine expects of a worker."""
    from common.running import cluster
    from common.running import worker as worker_process

    (tmp_path / worker_process.WORK).touch()
    return {"has": cluster.collect_facts(), "threads": 1, "cwd": tmp_path, "folder": tmp_path}


WORKER = SimpleNamespace(address="tcp://there:1", state=SimpleNamespace(nthreads=1))


def test_a_worker_like_the_client_fits(expected):
    from common.running import cluster

    assert cluster.find_misfit(expected, WORKER) is None


@pytest.mark.parametrize("what", ["Python", "tensorflow", "keras", "numpy", "the suite's code"])
def test_other_versions_are_named(expected, what):
    from common.running import cluster

    expected["has"] = cluster.collect_facts() | {what: "0.0"}
    assert cluster.find_misfit(expected, WORKER) == (
        f"worker tcp://there:1: has {what} {cluster.collect_facts()[what]}, the client 0.0; give both the same and restart the worker"
    )


@pytest.mark.parametrize("name", ["folder", "cwd"])
def test_a_worker_that_does_not_see_the_files(expected, tmp_path, name):
    from common.running import cluster

    expected[name] = tmp_path / "elsewhere" / "folder"
    reason = cluster.find_misfit(expected, WORKER)
    assert reason.startswith("worker tcp://there:1: ") and str(tmp_path / "elsewhere") in reason and "\n" not in reason


def test_the_facts_name_versions_and_follow_the_code(tmp_path, monkeypatch):
    from common.running import cluster

    tell = cluster.collect_facts
    for part in cluster.CODE:
        (tmp_path / part).mkdir()
    monkeypatch.setattr(cluster.worker, "ROOT", tmp_path)
    before = tell()
    (tmp_path / "common" / "tasks.py").write_text("VERSION = 1")
    changed = {name for name, value in tell().items() if value != before[name]}
    assert changed == {"the suite's code"}
    assert before["Python"] == "{}.{}".format(*sys.version_info) and before["numpy"] == np.__version__
