"""The tables as text for a terminal."""

from common.evidence.text import format_tables
from tests.common.evidence.invented import LEE, fill
from tests.reports.fabricate import CLASSES, fabricate_all, fabricate_classes


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
