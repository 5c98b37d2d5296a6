"""The options that every paper has."""

import importlib
import socket
from types import SimpleNamespace

import pytest

from common.errors import EXIT_USAGE, InputError
from common.running import experiment, tasks

PAPERS = ("chao2016", "lee2018", "priyasad2019", "raju2021", "wang2017")


@pytest.fixture(params=PAPERS)
def parsed(request, monkeypatch):
    """The arguments of a paper's command line."""
    run = importlib.import_module(f"replications.{request.param}.run")

    def parse(*words):
        monkeypatch.setattr("sys.argv", ["run", *words])
        return run.parse()

    return parse


def test_tasks_run_here_unless_a_cluster_is_named(parsed):
    assert parsed().scheduler is None and parsed("--engine", "local").scheduler is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert parsed("--engine", "dask", "--scheduler", address).scheduler == address
    with pytest.raises(InputError, match=f"--scheduler {address}: no Dask scheduler answers there"):
        parsed("--engine", "dask", "--scheduler", address)  # it is gone
    for address in ("tcp://127.0.0.1:port", "127.0.0.1:1", "localhost:1"):
        with pytest.raises(InputError, match="no Dask scheduler"):
            parsed("--engine", "dask", "--scheduler", address)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--engine", "dask"], "--engine dask wants the address of a cluster: --scheduler"),
        (["--engine", "dask", "--scheduler", ""], "--engine dask wants the address of a cluster: --scheduler"),
        (["--scheduler", "tcp://there:8786"], "--scheduler is for --engine dask"),
        (["--engine", "local", "--scheduler", "tcp://there:8786"], "--scheduler is for --engine dask"),
        (["--engine", "spark"], "--engine"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused(parsed, capsys, words, says):
    with pytest.raises(SystemExit) as stop:
        parsed(*words)
    assert stop.value.code == EXIT_USAGE and says in capsys.readouterr().err.splitlines()[-1]


def test_which_is_the_first_reader_that_finds_its_layout(tmp_path):
    def reader(found: bool):
        def locate(root):
            if not found:
                raise InputError(f"{root}: not mine")

        return SimpleNamespace(locate=locate)

    no, yes = reader(False), reader(True)
    assert experiment.which(tmp_path, {"a": no, "b": yes, "c": yes}) == "b"
    with pytest.raises(InputError, match=r"not in the layout of a or b; see `python -m datasets.check a "):
        experiment.which(tmp_path, {"a": no, "b": no})
    with pytest.raises(InputError, match="nowhere: not mine"):
        experiment.which(tmp_path / "nowhere", {"a": no})


def test_completed_counts_and_reads_all(monkeypatch, tmp_path, capsys):
    todo = [tasks.Task("lstm", "devel", seed, tmp_path / f"seed{seed}.json", "d") for seed in range(3)]
    asked = []
    monkeypatch.setattr("common.running.dispatch.run", lambda *words: asked.append(words) or 1)
    monkeypatch.setattr(experiment.results, "read", lambda path: {"from": path.name})
    arguments = SimpleNamespace(jobs=2, threads=1, scheduler="there", results=tmp_path)
    files = experiment.completed(todo, max, arguments, "paper")
    assert asked == [(todo, max, 2, 1, "there")]
    assert files == [(task.path, {"from": task.path.name}) for task in todo]
    assert capsys.readouterr().out == f"1 of 3 results computed, 2 were there; in {tmp_path / 'paper'}\n"
