"""The command's function for programs: a simulated corpus in the cache."""

import json

import pytest

from common.errors import InputError
from datasets.simulate import write_cached
from datasets.simulated import fer2013, sfew

SIZES = {"train": 7, "val": 0}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_the_folder_tells_the_version_and_the_sizes_in_their_order(cache):
    root = write_cached("sfew", cache, 1, **SIZES)
    assert root == cache / "corpora" / f"sfew-v{sfew.VERSION}-train7-val0"
    noted = json.loads((root / "simulated.json").read_text())
    assert noted | SIZES == noted and noted["layout"] == "sfew"
    assert len(list(root.rglob("*.png"))) == 7


def test_what_is_there_is_not_written_again(cache):
    root = write_cached("sfew", cache, 1, **SIZES)
    face = sorted(root.rglob("*.png"))[0]
    before = face.stat().st_mtime_ns
    assert write_cached("sfew", cache, 1, **SIZES) == root
    assert face.stat().st_mtime_ns == before


def test_words_and_fractions_in_the_name(cache, monkeypatch):
    asked = []
    monkeypatch.setattr(fer2013, "write", lambda root, **options: asked.append((root.name, options)))
    write_cached("fer2013", cache, 3, control="uniform", seconds=6.0, offset=-0.05)
    options = {"control": "uniform", "seconds": 6.0, "offset": -0.05, "jobs": 3}
    assert asked == [(f"fer2013-v{fer2013.VERSION}-controluniform-seconds6-offset-0.05", options)]


def test_no_corpus_can_be_made_of_such_sizes(cache):
    with pytest.raises(InputError, match="at least 700"):
        write_cached("fer2013", cache, 1, images=1)
    assert not (cache / "corpora" / f"fer2013-v{fer2013.VERSION}-images1").exists()
