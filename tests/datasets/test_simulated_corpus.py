"""A simulated corpus that is being written: kills, Ctrl-C, failures, other parameters, several writers, readers."""

import errno
import fcntl
import importlib
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from common import storage
from common.errors import EXIT_WRITE, InputError, WriteError
from common.running import cli
from datasets import check, layout, simulate
from datasets.simulated import avec2017, fer2013, sfew
from datasets.simulated import corpus as writer
from tests.processes import interrupt, kill, start, wait_for

SMALL = {"train": 4, "devel": 0, "seconds": 5.0}
WORDS = ("--train", 4, "--devel", 0, "--seconds", 5)
STEPS = {"replace": os, "rmtree": shutil, "unlink": Path}  # of the end, in their order
STEMS = [f"Train_0{number}" for number in range(1, 5)]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def states(top: Path, stems) -> dict[str, tuple[int, int]]:
    """Inode and time of change of each file of the recordings, wherever it is below `top`."""
    paths = [path for stem in stems for path in top.rglob(f"{stem}.*")]
    return {f"{path.parent.name}/{path.name}": (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def list_whole(top: Path) -> list[str]:
    """Stems of the recordings that are marked as whole below `top`."""
    return sorted(mark.name for mark in top.rglob("whole/*") if mark.stat().st_size)


def wait_for_one(process, top: Path) -> None:
    """Until a recording is whole, and the next has begun."""
    wait_for(process, top, "whole/Train_02")
    assert "Train_01" in list_whole(top) and len(list_whole(top)) < 4


@pytest.fixture(scope="module")
def in_one_go(tmp_path_factory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("simulated") / "corpus"
    avec2017.write(root, **SMALL)
    return contents(root)


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """What was begun by a writer whose recordings are quick: two files with the seed. It stops at `made.fail_at`."""

    class Made(list):
        fail_at, error = None, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "film")

    made = Made()

    def record(folder, manifest, stem, length):
        made.append(stem)
        (folder / "labels" / f"{stem}.csv").write_text(f"{stem} {manifest.seed} {manifest.version}")
        if stem == made.fail_at:
            raise made.error
        (folder / "truth" / f"{stem}.npz").write_text(f"{length}")

    monkeypatch.setattr(avec2017, "record", record)
    return made


def stop_at(made, root: Path, stem: str, **more) -> None:
    """Write the quick corpus up to `stem`, which is left as a half."""
    made.fail_at = stem
    with pytest.raises(OSError, match="No space left"):
        avec2017.write(root, **SMALL | more)
    made.fail_at = None
    made.clear()


# processes that end


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_whole_outlives_a_kill(in_one_go, tmp_path, jobs):
    """The workers outlive it, too: they go on with what they have begun."""
    process = start("datasets.simulate", "avec2017", tmp_path / "corpus", *WORDS, "--jobs", jobs)
    wait_for(process, tmp_path, "whole/Train_03")
    os.kill(process.pid, signal.SIGKILL)
    try:
        assert not (tmp_path / "corpus").exists()
        whole = list_whole(tmp_path)
        before = states(tmp_path, whole)
        assert 0 < len(whole) < 4 and len(before) == 5 * len(whole)
        avec2017.write(tmp_path / "corpus", **SMALL)
    finally:
        kill(process)
    after = states(tmp_path, STEMS)
    assert after | before == after and contents(tmp_path / "corpus") == in_one_go
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_ctrl_c_keeps_what_is_whole_and_says_so(in_one_go, tmp_path):
    # in one process: a worker that is interrupted while it imports prints that
    command = ("datasets.simulate", "avec2017", tmp_path / "corpus", *WORDS, "--jobs", "1")
    process = start(*command)
    wait_for_one(process, tmp_path)
    interrupt(process)
    before = states(tmp_path, list_whole(tmp_path))
    assert before and [path.name for path in tmp_path.iterdir()] == [".corpus.partial"]
    out, err = start(*command).communicate(timeout=120)
    assert out == f"{tmp_path / 'corpus'}: 4 recordings\n", err
    after = states(tmp_path, STEMS)
    assert after | before == after and contents(tmp_path / "corpus") == in_one_go
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_of_two_writers_one_waits_and_finds_it_done(in_one_go, tmp_path):
    command = ("datasets.simulate", "avec2017", tmp_path / "corpus", *WORDS)
    one = start(*command)
    try:
        wait_for_one(one, tmp_path)
        os.kill(one.pid, signal.SIGSTOP)
        other = start(*command)
        said = other.stderr.readline()
    finally:
        os.kill(one.pid, signal.SIGCONT)
    ends = [process.communicate(timeout=120) for process in (one, other)]
    assert "held by another process; waiting" in said
    assert [out for out, _ in ends] == [f"{tmp_path / 'corpus'}: 4 recordings\n"] * 2, ends
    assert "simulating" not in ends[1][1] and contents(tmp_path / "corpus") == in_one_go
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_recording_that_another_process_makes_is_waited_for(made, tmp_path):
    (tmp_path / writer.WHOLE).mkdir()
    manifest = writer.Manifest("avec2017", "salient", 0, 1, 0, 5.0, 10, 1)
    with (tmp_path / writer.WHOLE / "Train_01").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        words = (avec2017.record, tmp_path / "corpus", manifest, "Train_01", 5.0)
        waiting = threading.Thread(target=writer.record_whole, args=words)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and made == []
        mark.write("whole")
    waiting.join(60)
    assert not waiting.is_alive() and made == []


def test_who_waited_for_a_lock_holds_the_file_that_others_see(tmp_path, capsys):
    seen = []

    def wait():
        with storage.lock(tmp_path / "lock"):
            seen.append((tmp_path / "lock").exists())

    waiting = threading.Thread(target=wait)
    with storage.lock(tmp_path / "lock"):
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and not seen
    waiting.join(60)
    assert seen == [True] and not list(tmp_path.iterdir())
    assert capsys.readouterr().err == f"{tmp_path / 'lock'}: held by another process; waiting for it\n"


# failures


def test_a_failure_keeps_what_is_whole_and_the_half_is_made_again(made, tmp_path):
    avec2017.write(tmp_path / "once", **SMALL)
    made.clear()
    stop_at(made, tmp_path / "corpus", "Train_03")
    assert not (tmp_path / "corpus").exists() and list_whole(tmp_path) == STEMS[:2]
    avec2017.write(tmp_path / "corpus", **SMALL)
    assert made == STEMS[2:] and contents(tmp_path / "corpus") == contents(tmp_path / "once")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "once"]


def test_a_full_disk_is_told_in_one_line(made, tmp_path, monkeypatch, capsys):
    made.fail_at = "Train_02"
    monkeypatch.setattr("sys.argv", ["simulate", "avec2017", str(tmp_path / "corpus"), *map(str, WORDS)])
    assert cli.run(simulate.main) == EXIT_WRITE
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: film: No space left on device; free some")
    assert list_whole(tmp_path) == ["Train_01"]


@pytest.mark.parametrize("failing", ["replace", "rmtree", "unlink"])
def test_killed_at_the_very_end(made, tmp_path, monkeypatch, failing):
    """Before the corpus is at its place, after it, and before the lock is gone."""

    def die(*words, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(STEPS[failing], failing, die)
        with pytest.raises(KeyboardInterrupt):
            avec2017.write(tmp_path / "corpus", **SMALL)
    assert (tmp_path / "corpus").exists() == (failing != "replace")
    made.clear()
    avec2017.write(tmp_path / "corpus", **SMALL)
    assert made == [] and len(contents(tmp_path / "corpus")) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_where_no_file_can_be_locked(made, tmp_path, monkeypatch):
    def refuse(*words):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(WriteError, match="cannot be locked .No locks available.; choose another folder"):
        avec2017.write(tmp_path / "corpus", **SMALL)


# other parameters, other places


@pytest.mark.parametrize("other", [{"seed": 1}, {"version": 99}])
def test_what_was_begun_with_other_parameters_is_not_gone_on_with(made, tmp_path, monkeypatch, other):
    stop_at(made, tmp_path / "corpus", "Train_03")
    if "version" in other:
        monkeypatch.setattr(avec2017, "VERSION", 99)
    seed = other.get("seed", 0)
    avec2017.write(tmp_path / "once", seed=seed, **SMALL)
    made.clear()
    avec2017.write(tmp_path / "corpus", seed=seed, **SMALL)
    assert made == STEMS and contents(tmp_path / "corpus") == contents(tmp_path / "once")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "once"]


def test_here_and_where_a_link_leads(made, tmp_path, monkeypatch):
    (tmp_path / "disk" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "empty")
    avec2017.write(tmp_path / "link", **SMALL)
    assert len(contents(tmp_path / "disk" / "empty")) == 9
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    avec2017.write(Path("."), **SMALL)
    assert len(contents(tmp_path / "here")) == 9


# faces


def test_faces_of_fer2013_are_kept_in_parts(tmp_path, monkeypatch):
    made = []

    def make(seed, number, label):
        made.append(number)
        if number == stop:
            raise KeyboardInterrupt
        return np.full((48, 48), number % 256, np.uint8)

    monkeypatch.setattr(fer2013, "make_picture", make)
    stop = None
    fer2013.write(tmp_path / "once", images=700)
    made.clear()
    stop = 120
    with pytest.raises(KeyboardInterrupt):
        fer2013.write(tmp_path / "corpus", images=700)
    stop = None
    made.clear()
    fer2013.write(tmp_path / "corpus", images=700)
    assert made == list(range(100, 700)) and contents(tmp_path / "corpus") == contents(tmp_path / "once")


def test_faces_of_sfew_are_kept_film_by_film(tmp_path, monkeypatch):
    made = []

    def shoot(rng, name):
        made.append(name)
        if len(made) == stop:
            raise KeyboardInterrupt
        return np.full((240, 320, 3), rng.integers(256), np.uint8), 100 * rng.random((68, 2))

    monkeypatch.setattr(fer2013, "shoot", shoot)
    stop = 10
    with pytest.raises(KeyboardInterrupt):
        sfew.write(tmp_path / "corpus", train=14, val=7)
    stop = None
    made.clear()
    sfew.write(tmp_path / "corpus", train=14, val=7)
    assert len(made) == 14
    sfew.write(tmp_path / "once", train=14, val=7)
    assert len(made) == 14 + 21 and contents(tmp_path / "corpus") == contents(tmp_path / "once")


# readers


@pytest.mark.parametrize("kind", sorted(set(check.CORPORA) & set(simulate.CORPORA)))
def test_no_reader_takes_what_is_not_whole_for_a_corpus(kind, tmp_path, monkeypatch):
    reader, module = importlib.import_module(f"datasets.{kind}"), importlib.import_module(f"datasets.simulated.{kind}")

    def stop(folder):
        """A file of every kind that the readers look for."""
        for path in [path for path in folder.rglob("*") if path.is_dir()]:
            (path / "000000000.avi").touch()
        for name in ("fer2013.csv", "rml-1/s1/an1.avi", "enterface database/subject 1/anger/sentence 1/s1_an_1.avi"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        raise KeyboardInterrupt

    write = writer.write
    monkeypatch.setattr(
        writer, "write", lambda root, manifest, folders, record_all: write(root, manifest, folders, stop)
    )
    with pytest.raises(KeyboardInterrupt):
        module.write(tmp_path / "corpus")
    (corpus,) = (tmp_path / ".corpus.partial").glob("*/corpus")
    for folder in (tmp_path, *(corpus.parents[i] for i in (1, 0)), corpus):
        with pytest.raises(InputError):
            reader.locate(folder)
    corpus.rename(tmp_path / "whole")
    assert reader.locate(tmp_path / "whole")  # it was refused for its place alone
    assert corpus.parents[1].name.endswith(layout.PARTIAL)
