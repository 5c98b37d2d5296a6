"""The replication from its command line: faces and videos in, tables and result files out."""

import shutil

import numpy as np
import pytest

from common import results
from datasets import fer2013
from replications.wang2017 import layers, run

TINY = [
    "--set", "epochs=1", "--set", "lstm_units=[4, 3]", "--set", "cnn_epochs=1", "--set", "clip_frames=10", "--set",
    "clip_stride=40", "--set", "fc_units=16",
]  # fmt: skip


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """A simulated AVEC 2012 of one training and one development session of about 5 s. To be read only."""
    from datasets.simulated import avec2012 as simulated

    root = tmp_path_factory.mktemp("wang") / "corpus"
    simulated.write(root, train=1, devel=1, test=0, seconds=5.0)
    return root


@pytest.fixture(scope="module")
def faces_file(tmp_path_factory):
    """A fer2013.csv of 35 faces of noise."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("fer") / fer2013.FILE
    usages = ["Training"] * 21 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    rows = [f"{n % 7},{' '.join(map(str, rng.integers(0, 256, 2304)))},{usage}" for n, usage in enumerate(usages)]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def test_losses_are_those_of_the_layers():
    assert set(run.VARIANTS) == set(layers.LOSSES)


@pytest.mark.usefixtures("step_by_step")
def test_from_videos_to_the_table_and_not_again(sessions, faces_file, tmp_path, called):
    words = ["--corpus", sessions, "--fer2013", faces_file, "--results", tmp_path / "r", "--cache", tmp_path / "c", "--seeds", 0,
             "--jobs", 1, "--variants", "ast-net", *TINY]  # fmt: skip
    code, out, err = called(*words)
    assert code == 0 and "2 of 2 results computed" in out, err
    assert "table1" in out and "NOT_COMPARABLE" in out
    path = tmp_path / "r/wang2017/simulated/quick/all/ast-net/devel-seed0.json"
    record = results.read(path)
    assert record["evidence"] == "simulated" and record["cnn"]["weights"] == "random"
    assert (tmp_path / "c/attributes" / record["cnn"]["file"]).exists()
    arrays = results.read_arrays(path, record)
    assert np.ptp(arrays["raw/valence/devel_001"]) > 0
    assert not list((tmp_path / "c").rglob("*.checkpoint"))
    kept = sorted(path.name for path in (tmp_path / "c").rglob("*") if path.is_file())
    code, out, err = called(*words)
    assert code == 0 and "0 of 2 results computed" in out
    assert kept == sorted(path.name for path in (tmp_path / "c").rglob("*") if path.is_file())
    code, _, err = called(*words, "--seeds", 1, "--engine", "dask", "--scheduler", "nowhere://x")
    assert code == 3 and "dask" in err.lower() and "Traceback" not in err


def test_missing_labels_are_named_before_anything_is_trained(sessions, faces_file, tmp_path, called):
    root = shutil.copytree(sessions, tmp_path / "corpus")
    next(root.rglob("*devel001_valence.dat")).unlink()
    code, _, err = called("--corpus", root, "--fer2013", faces_file, "--results", tmp_path, "--cache", tmp_path / "c")
    assert code == 3 and "devel001_valence.dat" in err and "--skip-unusable" in err
    assert not (tmp_path / "c" / "attributes").exists()


def test_a_corpus_of_ones_own_needs_the_faces(tmp_path, called, monkeypatch):
    monkeypatch.setattr(run.corpora, "find_reader", lambda root, readers: "avec2012")
    code, _, err = called("--corpus", tmp_path, "--results", tmp_path / "r", "--cache", tmp_path / "c")
    assert code == 3 and "--fer2013: name fer2013.csv" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "paper"], "--weights"),
        (["--corpus", "nowhere", "--fer2013", "FACES"], "nowhere"),
        (["--corpus", "FOLDER"], "not in the layout of avec2012 or recola"),
        (["--fer2013", "nowhere.csv"], "nowhere.csv"),
        (["--corpus", "FOLDER", "--fer2013", "FACES"], "not in the layout of avec2012 or recola"),
        (["--set", "intervals=7"], "intervals"),
        (["--set", "cnn_momentum=1"], "cnn_momentum"),
        (["--set", "clip_step=0"], "clip_step"),
        (["--weights", "missing.h5", "--fer2013", "FACES"], "missing.h5"),
    ],
)
def test_errors_in_one_line(words, says, faces_file, tmp_path, called):
    (tmp_path / "folder").mkdir()
    words = [{"FACES": faces_file, "FOLDER": tmp_path / "folder"}.get(word, word) for word in words]
    code, _, err = called(*words, "--results", tmp_path / "r", "--cache", tmp_path / "c")
    assert code == 3 and says in err and "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("error")]) == 1
