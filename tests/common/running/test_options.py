"""The options that every paper has."""

import importlib
import socket

import pytest

from common.errors import EXIT_USAGE, InputError

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
