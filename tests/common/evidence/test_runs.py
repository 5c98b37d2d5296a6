"""Which result files count, and which are refused."""

import json

import pytest

from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.runs import CONTROL, find_corpus
from tests.common.evidence.invented import LEE, fabricate_real, fill, find_cell
from tests.reports.fabricate import fabricate


def test_what_a_corpus_is_about():
    """A corpus of the paper, its public part, or what simulates it; the first corpus where the name says nothing."""
    paper = next(paper for paper in load_papers() if paper.id == "priyasad2019")
    assert set(paper.corpora) == {"rml", "enterface"} and paper.corpus == "rml"
    names = {"rml": ["rml", "rml-public", "simulated", "simulated-rml", "simulated-uniform", "unknown"]}
    names |= {"enterface": ["enterface", "enterface-public", "simulated-enterface"]}
    for corpus, told in names.items():
        assert [find_corpus(paper, name) for name in told] == [corpus] * len(told)


class TestChoice:
    def test_order(self, tmp_path):
        def filled():
            cell = find_cell(tmp_path)
            return cell.corpus, cell.profile

        fabricate(tmp_path, LEE, "lstm", CONTROL)
        assert find_cell(tmp_path).evidence == "none"
        steps = [
            ("simulated", "quick"),
            ("simulated", "paper"),
            ("aaa", "quick"),
            (LEE.corpus, "quick"),
            (LEE.corpus, "paper"),
        ]
        for corpus, profile in steps:
            fabricate(tmp_path, LEE, "lstm", corpus, profile)
            assert filled() == (corpus, profile)

    def test_newest_of_several_settings(self, tmp_path):
        old, new = {"provenance": {"date": "2026-01-01"}}, {"provenance": {"date": "2026-02-01"}}
        fabricate_real(tmp_path, 0.1, seed=0, overrides=["crop_size=64"], **old)
        fabricate_real(tmp_path, 0.5, seed=1, **new), fabricate_real(tmp_path, 0.7, seed=2, **old)
        cell = find_cell(tmp_path)
        assert cell.ours == pytest.approx(0.6) and cell.seeds == 2 and "left out: 1" in cell.note

    def test_versions_of_a_corpus_are_not_mixed(self, tmp_path):
        fabricate_real(tmp_path, 0.5, seed=0), fabricate_real(tmp_path, 0.7, seed=1, corpus_digest="f" * 16)
        assert find_cell(tmp_path).seeds == 1


class TestDamaged:
    """One line names the file, whatever would read what is damaged."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"scores": {"devel": 0.3}},
            {"scores": {"devel": {"per_recording": [1]}}},
            {"scores": None},
            {"provenance": None},
            {"history": None},
            {"seconds": [1]},
            {"chats": []},
            {"left_out": {}},
            {"unusable": None},
            {"unusable": ["x"]},
            {"unusable": [{"recording": "x"}]},
            {"recordings": [{"name": "x"}]},
            {"recordings": [None]},
            {"mechanism": [1]},
            {"postprocess": ["x"]},
            {"arrays": "x"},
            {"arrays": {}},
        ],
    )
    def test_entry_of_a_kind_that_is_never_written(self, tmp_path, changes):
        path = fabricate_real(tmp_path, 0.5)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(InputError, match=f"{path.name}: (damaged|incomplete) result file"):
            fill(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"schema": 1, "paper": "lee2018"}'])
    def test_text_that_is_no_record(self, tmp_path, text):
        path = fabricate(tmp_path, LEE, "lstm")
        path.write_text(text)
        with pytest.raises(InputError, match="devel-seed0.json"):
            fill(tmp_path)

    def test_simulated_result_in_a_real_folder(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        moved = tmp_path / "lee2018" / LEE.corpus
        path.parents[3].rename(moved)
        with pytest.raises(InputError, match="belongs at lee2018/simulated/quick"):
            fill(tmp_path)

    def test_simulated_result_that_calls_itself_real(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", evidence="real")
        with pytest.raises(InputError, match="damaged"):
            fill(tmp_path)
