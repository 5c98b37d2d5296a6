"""The tables as text for a terminal."""

from common import results
from common.evidence.skill import judge_skills
from common.evidence.text import MARK, MARK_NOTE, format_tables, summarise_skills
from tests.common.evidence.invented import LEE, fill
from tests.reports.fabricate import CLASSES, QUALITY, fabricate, fabricate_all, fabricate_classes


def test_says_what_simulation_is_worth(tmp_path):
    fabricate_all(tmp_path, LEE, ["simulated"])
    text = format_tables(LEE, fill(tmp_path))
    assert "neither confirm nor refute" in text and "corpus simulated, quick profile" in text
    assert text.count("NOT_COMPARABLE") == 30 and text.count("NOT_RUN") == 2
    assert all(row.label in text for table in LEE.tables for row in table.rows)


def test_without_results(tmp_path):
    text = format_tables(LEE, fill(tmp_path))
    assert text.count("NOT_RUN") == 32 and "simulat" not in text.lower()


def test_a_confusion_matrix_has_both_lines(tmp_path):
    fabricate_classes(tmp_path, CLASSES, "proposed")
    found = fill(tmp_path, CLASSES)
    lines = format_tables(CLASSES, found).splitlines()
    angry = {cell.column: cell for cell in found if cell.exhibit == "figure5" and cell.row == "Angry"}
    ours = [f"{angry[column].ours:.2f}" for column in ("angry", "happy", "sad")]
    assert ["Angry", "ours", *ours] in [line.split() for line in lines]
    assert ["published", "75.95", "0", "24.05"] in [line.split() for line in lines]
    assert "verdicts: 9 NOT_COMPARABLE" in lines
    assert format_tables(CLASSES, fill(tmp_path / "none", CLASSES)).count("published") == 4


def test_a_number_of_a_network_that_has_not_learnt_is_marked(tmp_path, monkeypatch):
    monkeypatch.setitem(QUALITY, "lstm", 0.0)
    fabricate_all(tmp_path, LEE, ["simulated"])
    lines = format_tables(LEE, fill(tmp_path)).splitlines()
    marked = [line.split("  ")[0] for line in lines if MARK in line and not line.startswith(MARK)]
    assert marked and set(filter(None, marked)) == {"LSTM-RNN"}
    assert MARK_NOTE in lines


def test_one_line_says_who_has_learnt(tmp_path, monkeypatch):
    def line():
        return summarise_skills(judge_skills(LEE, results.find(tmp_path, LEE.id)))

    assert line() == "learnt: no network with stored predictions"
    fabricate(tmp_path, LEE, "lstm-ta")
    assert line().startswith("learnt: 1 of 1 (")
    monkeypatch.setitem(QUALITY, "lstm", 0.0)
    fabricate(tmp_path, LEE, "lstm")
    assert line().startswith("learnt: 1 of 2 (") and line().endswith("not, or not everywhere: lstm")
