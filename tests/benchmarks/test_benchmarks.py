"""The benchmarks run, at a size at which they measure nothing."""

import argparse
import json
import os

import numpy as np
import pytest

from benchmarks import folds, realtime, recurrent, streaming
from common import results
from common.errors import EXIT_DIFFERS, WriteError
from common.running import tasks


def test_recurrent(monkeypatch, capsys):
    for name, value in {"SEQUENCES": 2, "STEPS": 5, "INPUTS": 3, "REPEATS": 1}.items():
        monkeypatch.setattr(recurrent, name, value)
    monkeypatch.setattr("sys.argv", ["recurrent", "--units", "4"])
    assert recurrent.main() == 0
    out = capsys.readouterr().out
    assert "keras.layers.LSTM" in out and "common.networks.recurrent" in out and "times as fast" in out


def test_realtime(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(realtime, "REPEATS", 1)
    monkeypatch.setattr("replications.wang2017.realtime.CLIP_SECONDS", 1)
    monkeypatch.setattr("sys.argv", ["realtime", "--profile", "quick", "--cache", str(tmp_path)])
    assert realtime.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(name) and "of the peak" in line for line in lines) for name in ("float32", "int8"))


def test_products_of_a_network_by_hand():
    """Two filters of 3 x 3 x 3 at 6 x 6 places, and 18 inputs to 5 units."""
    import keras
    from keras import layers

    chain = [keras.Input((6, 6, 3)), layers.Conv2D(2, 3, padding="same"), layers.MaxPooling2D(2), layers.Flatten()]
    assert realtime.count_products(keras.Sequential([*chain, layers.Dense(5)])) == 36 * 54 + 18 * 5


@pytest.fixture
def tiny(monkeypatch):
    for name, value in {"RECORDINGS": 3, "TRAIN": 2, "STEPS": 1560, "AUDIO": 4, "VISUAL": 3, "IN_MEMORY": 2}.items():
        monkeypatch.setattr(streaming, name, value)


def test_streaming_writes_all_features_and_maps_them(tiny, tmp_path):
    size = streaming.write(tmp_path)
    files = sorted(tmp_path.glob("*.npy"))
    assert len(files) == 6 and size == sum(np.load(file, mmap_mode="r").nbytes for file in files)
    on_disk, in_memory = (streaming.recording(tmp_path, 1, kept) for kept in (False, True))
    assert isinstance(on_disk.audio, np.memmap) and not isinstance(in_memory.audio, np.memmap)
    assert np.array_equal(on_disk.visual, in_memory.visual) and len(on_disk.labels.time) == len(on_disk.audio)


@pytest.mark.parametrize("mode", [pytest.param("model", marks=pytest.mark.slow), "disk"])
def test_streaming_measures_memory_and_time(tiny, tmp_path, mode):
    streaming.write(tmp_path)
    arguments = argparse.Namespace(mode=mode, folder=tmp_path, variant="lstm", steps=1)
    found = json.loads(json.dumps(streaming.measured(arguments)))
    assert found["seconds"] > 0 and found["peak"] > 2**20


def test_streaming_refuses_a_full_disk(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["streaming", "--folder", str(tmp_path)])
    monkeypatch.setattr(streaming.shutil, "disk_usage", lambda folder: argparse.Namespace(free=1e9))
    with pytest.raises(WriteError, match="13 GB are needed"):
        streaming.main()


class Drawn:
    """Work without TensorFlow; with `apart`, its numbers depend on the process."""

    def __init__(self, apart: bool):
        self.apart = apart

    def __call__(self, task, progress):
        process = os.getpid() if self.apart else 0
        results.write(task.path, {"drawn": [task.seed, process], "task_digest": task.digest})


@pytest.fixture
def threads(monkeypatch):
    """What limit_threads sets is put back."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


@pytest.mark.parametrize("engine", ["joblib", pytest.param("dask", marks=pytest.mark.slow)])
@pytest.mark.parametrize("apart", [False, True])
def test_folds(threads, monkeypatch, capsys, engine, apart):
    if engine == "dask":
        pytest.importorskip("distributed")
    monkeypatch.setattr(folds, "Fold", lambda epochs: Drawn(apart))
    monkeypatch.setattr("sys.argv", ["folds", "--folds", "2", "--repeats", "1", "--engine", engine])
    assert folds.main() == (EXIT_DIFFERS if apart else 0)
    out = capsys.readouterr().out
    assert f"{engine:6s} 2 workers are" in out and f"the same numbers by all: {'NO' if apart else 'yes'}" in out


def test_a_fold_trains(monkeypatch, tmp_path):
    for name, value in {"SEQUENCES": 8, "STEPS": 3, "INPUTS": 4, "UNITS": 2, "BATCH": 4}.items():
        monkeypatch.setattr(folds, name, value)
    task = tasks.Task("lstm", "00", 0, tmp_path / "00.json", "d")
    folds.Fold(epochs=2)(task, lambda fraction: None)
    assert len(results.read(task.path)["loss"]) == 2 and task.done()
