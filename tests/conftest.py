"""Fixtures of the whole suite."""

import gc
import os
import shutil
import signal
import sys
from pathlib import Path

# before NumPy comes, here and in what the tests start: two workers on two cores would spin in each other's way
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

import replications  # noqa: F401 which checks that no other `common` or `datasets` comes first
from common.running import cli
from tests.processes import made_once, without_graphs

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is interrupted below would inherit it

settings.register_profile("suite", deadline=None)  # a busy machine is no defect
settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """What the test modules import (TensorFlow, Keras, ...) stays: the garbage collector never looks at it again.

    Each fresh network calls gc.collect(), which took a fifth of a second over the million objects of the packages.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="module")
def gone():
    """What a module leaves behind (networks and their traced functions) is not looked at over and over by the next ones."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def real_data() -> Path:
    """Folder with the public parts of real corpora, named by AVEMOTION_DATA; without it the test is skipped."""
    folder = os.environ.get("AVEMOTION_DATA")
    if not folder:
        pytest.skip("AVEMOTION_DATA is not set: real AVEC 2019 labels not checked")
    return Path(folder)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A whole simulated AV+EC 2017 corpus of 2 + 1 recordings of about 6 s. To be read only: see `copied`."""
    from datasets.simulated import avec2017

    return made_once(tmp_path_factory, "avec2017", lambda root: avec2017.write(root, train=2, devel=1, seconds=6.0))


@pytest.fixture
def copied(corpus, tmp_path) -> Path:
    """A copy of `corpus` that a test may damage."""
    return Path(shutil.copytree(corpus, tmp_path / "corpus"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Feature cache of the whole session: what several tests need is computed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def step_by_step():
    """Networks without graphs, which take longer than the few steps of a test; the experiments' tests have them."""
    with without_graphs():
        yield


@pytest.fixture
def called(request, monkeypatch, capsys):
    """Call the command line `run` of the test's module in this process: exit code, stdout, stderr."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))  # what the run sets is put back

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["run", *map(str, words)])
        try:
            code = cli.run(request.module.run.main)
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
