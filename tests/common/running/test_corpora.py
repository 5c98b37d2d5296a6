"""Corpora before their features and after: names, readers, what cannot be used."""

import re
from types import SimpleNamespace

import pytest

from common.errors import InputError
from common.running import corpora
from common.running.corpora import Unusable


def make_reader(found: bool, simulation: dict | None = None):
    def locate(root):
        if not found:
            raise InputError(f"{root}: not mine")

    return SimpleNamespace(locate=locate, list_recordings=lambda root: [root], read_simulation=lambda root: simulation)


NO, YES = make_reader(False), make_reader(True)


def test_the_first_reader_that_finds_its_layout(tmp_path):
    assert corpora.find_reader(tmp_path, {"a": NO, "b": YES, "c": YES}) == "b"
    with pytest.raises(InputError, match=r"not in the layout of a or b; see `python -m datasets.check a "):
        corpora.find_reader(tmp_path, {"a": NO, "b": NO})
    with pytest.raises(InputError, match="nowhere: not mine"):
        corpora.find_reader(tmp_path / "nowhere", {"a": NO})
    with pytest.raises(InputError, match="not mine"):  # which knows more of its layout than "not in the layout of a"
        corpora.find_reader(tmp_path, {"a": NO})


@pytest.mark.parametrize(
    ("kind", "simulation", "name"),
    [
        ("rml", None, "rml"),
        ("enterface", None, "enterface"),
        ("rml", {"subjects": 8}, "simulated"),
        ("enterface", {"subjects": 8}, "simulated-enterface"),
        ("rml", {"control": "salient"}, "simulated"),
        ("rml", {"control": "uniform"}, "simulated-uniform"),
        ("enterface", {"control": "uniform"}, "simulated-enterface-uniform"),
    ],
)
def test_names_in_results(kind, simulation, name):
    assert corpora.name_corpus(kind, simulation, main="rml") == name


def test_the_corpus_that_is_named_or_the_simulated_ones(tmp_path):
    made = make_reader(True, {"control": "uniform"})
    (real,) = corpora.locate_corpora(str(tmp_path), {"a": NO, "b": YES}, simulate=None)
    assert (real.name, real.reader, real.root, real.recordings) == ("b", YES, tmp_path, [tmp_path])
    found = corpora.locate_corpora("simulated", {"a": NO, "b": made}, lambda: [tmp_path, tmp_path / ".."])
    assert [corpus.name for corpus in found] == ["simulated-b-uniform"] * 2
    assert [corpus.root for corpus in found] == [tmp_path, tmp_path / ".."]


def load(item):
    if item.name == "bad":
        raise InputError("bad.wav: is empty; copy it again")
    return item.name.upper()


ITEMS = [SimpleNamespace(name=name) for name in ("b", "bad", "a")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_in_their_order_and_those_that_cannot_be_used(jobs, monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "1")  # what is set is put back
    unusable = [Unusable("bad", "bad.wav", "is empty; copy it again")]
    assert corpora.try_all(ITEMS, load, jobs, 1, "words", "word") == ({"b": "B", "a": "A"}, unusable)
    assert corpora.extract_all(ITEMS, load, jobs, 1, "word") == (["B", "A"], unusable)


def test_what_cannot_be_used_stops_a_run_unless_it_is_to_be_left_out(capsys):
    unusable = [Unusable("bad", "bad.wav", "is empty")]
    with pytest.raises(InputError, match=r"bad.wav: 1 recording\(s\) cannot be used .* --skip-unusable"):
        corpora.refuse_unusable(unusable, skip=False)
    corpora.refuse_unusable(unusable, skip=True)
    assert capsys.readouterr().err == "unusable: bad.wav: is empty\n" * 2


def test_a_partition_of_which_nothing_is_left(tmp_path):
    reader = SimpleNamespace(__name__="datasets.avec2017")
    found = corpora.RawCorpus("avec2017", reader, tmp_path, [], None)
    there = [SimpleNamespace(partition="Train")]
    corpora.require_partitions(found, there, ("Train",))
    words = f"{tmp_path}: no usable Devel recording; see `python -m datasets.check avec2017 {tmp_path}`"
    with pytest.raises(InputError, match=re.escape(words)):
        corpora.require_partitions(found, there, ("Train", "Devel"))
