"""A paper as data: what those of the suite print, look-ups, numbers as text, the ledger."""

import re

import pytest

from common.evidence.paper import count_decimals, format_ledger, format_value, list_shrunk, resolve_number
from common.evidence.reading import load_paper, load_papers
from tests.common.evidence.invented import LEE
from tests.reports.fabricate import CLASSES, QUALITY

PAPERS = {paper.id: paper for paper in load_papers()}


class TestSuite:
    def test_ids_are_the_folders(self):
        assert PAPERS and all(paper.path.parent.name == name for name, paper in PAPERS.items())

    def test_lee2018_prints_32_numbers(self):
        rows = [row for table in PAPERS["lee2018"].tables for row in table.rows]
        assert [sum(len(row.published) for row in table.rows) for table in PAPERS["lee2018"].tables] == [6, 9, 17]
        assert sum(bool(row.quoted) for row in rows) == 2
        assert [list(row.published.values()) for row in rows if row.variant == "fused"] == [["0.091", "0.664", "0.641"]]

    def test_lee2018_prints_a_variant_alike_everywhere(self):
        printed = {}
        for table in PAPERS["lee2018"].tables:
            for row in table.rows:
                if row.variant:
                    assert printed.setdefault(row.variant, row.published) == row.published

    def test_quick_profile_is_smaller(self):
        changed = {setting.name for setting in list_shrunk(PAPERS["lee2018"])}
        assert {"crop_size", "epochs_video"} <= changed and "clip_frames" not in changed

    @pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
    def test_readme_holds_the_ledger(self, paper):
        readme = paper.path.with_name("README.md")
        held = re.search(r"<!-- ledger -->\n(.*)<!-- /ledger -->", readme.read_text(), re.DOTALL)
        assert held and held[1].strip() == format_ledger(paper).strip()


def test_an_entry_of_a_confusion_matrix_is_of_its_row_and_its_column():
    accuracy, matrix = CLASSES.tables
    number = resolve_number(CLASSES, matrix.rows[2], matrix.columns[1])
    assert (number.metric, number.truth, number.predicted) == ("share", "Sad", "Happy") and number.tolerance == 5.0
    assert matrix.confusion and not accuracy.confusion
    assert CLASSES.protocol.classes == ("Angry", "Happy", "Sad")


def test_count_decimals():
    assert [count_decimals(text) for text in ("0.122", "44.9", "32")] == [3, 1, 0]


def test_values_have_the_printed_decimals():
    assert format_value(0.12345, "0.122") == "0.123" and format_value(12.3456, "44.9") == "12.3"
    assert format_value(-0.00001, "0.122") == "0.000" and format_value(0.00001, "0.122", sign=True) == "0.000"
    assert format_value(0.1, "0.122", sign=True) == "+0.100" and format_value(None, "0.122") == ""


def test_ledger_has_every_field(toml):
    text = format_ledger(load_paper(toml()))
    assert text.startswith("1. **Size**") and "`--set size=64`" in text
    assert all(word in text for word in ("nothing", "64 or 96", "habit", "low"))


def test_every_network_has_an_invented_quality():
    assert set(QUALITY) == {row.variant for table in LEE.tables for row in table.rows if row.variant}
