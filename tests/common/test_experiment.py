"""The options that every paper has."""

import importlib
from types import SimpleNamespace

import pytest

from common import cli, experiment

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
    assert parsed("--engine", "dask", "--scheduler", "tcp://there:8786").scheduler == "tcp://there:8786"


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
    assert stop.value.code == cli.EXIT_USAGE and says in capsys.readouterr().err.splitlines()[-1]


def test_which_is_the_first_reader_that_finds_its_layout(tmp_path):
    def reader(found: bool):
        def locate(root):
            if not found:
                raise cli.InputError(f"{root}: not mine")

        return SimpleNamespace(locate=locate)

    no, yes = reader(False), reader(True)
    assert experiment.which(tmp_path, {"a": no, "b": yes, "c": yes}) == "b"
    with pytest.raises(cli.InputError, match=r"not in the layout of a or b; see `python -m datasets.check a "):
        experiment.which(tmp_path, {"a": no, "b": no})
    with pytest.raises(cli.InputError, match="nowhere: not mine"):
        experiment.which(tmp_path / "nowhere", {"a": no})
