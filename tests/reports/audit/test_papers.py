"""What the audit finds in the papers of the suite, and the cells it corrects."""

import dataclasses
import subprocess
import sys
import time
import tomllib

import pytest

from common.evidence.cells import fill_cells
from common.evidence.paper import collect_numbers
from common.evidence.reading import load_paper, load_papers
from reports import evaluation, page, tables
from reports.audit.findings import SEVERITIES
from reports.audit.papers import audit_paper, correct_cells
from reports.audit.percentages import (
    _explain_row,
    find_readings,
)
from reports.audit.statements import evaluate_statements, make_text_cells
from tests.reports.fabricate import CLASSES

PAPERS = {paper.id: paper for paper in load_papers()}
CHAO = PAPERS["chao2016"]
LEE = PAPERS["lee2018"]
PRIYASAD = PAPERS["priyasad2019"]
WANG = PAPERS["wang2017"]
PRINTED = {"lee2018": 32, "raju2021": 54, "chao2016": 65, "priyasad2019": 48, "wang2017": 103}  # 302 in all


def found(paper, place=""):
    return [f for f in audit_paper(paper, evaluate_statements(paper, [])) if f.place.startswith(place)]


class TestCorrectedCells:
    WRONG = ("figure5", "Disgust", "Fear")  # of chao2016; slips of the last digit are none of these

    @staticmethod
    def place(cell):
        return cell.exhibit, cell.row, cell.column

    def cell(self, **changes):
        (cell,) = (cell for cell in fill_cells(CHAO, ()) if self.place(cell) == self.WRONG)
        return dataclasses.replace(cell, **changes)

    @pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
    def test_those_that_cannot_be_right(self, paper):
        before = fill_cells(paper, ())
        after = correct_cells(before, found(paper))
        changed = [new for old, new in zip(before, after, strict=True) if new != old]
        assert [self.place(cell) for cell in changed] == [self.WRONG] * (paper is CHAO)
        for cell in changed:
            assert (cell.verdict, cell.evidence, cell.ours, cell.published) == ("ERRATUM", "audit", 10.34, "1.03")
            assert cell.difference == pytest.approx(9.31) and cell.tolerance is None
            assert cell.note.startswith("1.03 cannot be right: 10.34, 3 of 29: the row is 1 2 3 6 9 7 1 (search")

    @pytest.mark.parametrize("verdict", ["MATCH", "MISMATCH", "NOT_COMPARABLE"])
    def test_a_result_of_a_real_corpus_stays(self, verdict):
        real = self.cell(
            evidence="real", corpus="AFEW", ours=9.0, difference=7.97, verdict=verdict, note="4 of 5 seeds"
        )
        (cell,) = correct_cells([real], found(CHAO))
        expected = "ERRATUM" if verdict == "MISMATCH" else verdict
        assert cell == dataclasses.replace(real, verdict=expected, note=cell.note)
        assert cell.note.startswith("1.03 cannot be right: ") and cell.note.endswith("; 4 of 5 seeds")

    def test_a_simulated_result_goes_into_the_note(self):
        simulated = self.cell(
            evidence="simulated", corpus="simulated", profile="quick", seeds=1, ours=16.7, note="quick profile"
        )
        (cell,) = correct_cells([simulated], found(CHAO))
        assert (cell.ours, cell.corpus, cell.profile, cell.seeds, cell.evidence) == (10.34, "", "", 0, "audit")
        assert cell.note.endswith("; the simulated result is 16.70; quick profile")

    def test_of_several_readings_that_blame_other_cells_none_is_believed(self, tmp_path):
        """10, 10 and 50 percent: any one of the three may be 30 more."""
        several = find_readings(["10.00", "10.00", "50.00"], 2)
        assert len({reading.misprint for reading in several}) > 1
        finding = _explain_row(CHAO, CHAO.tables[0], "row", ["10.00", "10.00", "50.00"], several, 2)
        assert finding.cell is None and finding.severity == "error"

    def test_the_report_and_its_scorecard_have_them(self, tmp_path):
        found = evaluation.add_audit(evaluation.evaluate(CHAO, tmp_path))
        score = page.score_paper(found)
        assert (score.verdicts["ERRATUM"], score.evidence["audit"]) == (1, 1)
        assert score.sentence == "By arithmetic 1 printed number cannot be right. Nothing was run yet."
        text = tables.format_exhibits(found)["chao2016-figure5.md"]
        assert "| Disgust | Fear | 1.03 | 10.34 |  | +9.31 | erratum |" in text
        assert "Disgust, Fear: 1.03 cannot be right: 10.34, 3 of 29" in text


class TestPapers:
    def test_chao2016_matrix(self):
        """539 clips, 242 hits, and 1.03 for 10.34: none of these numbers stands in paper.toml's audit but 539's bound."""
        (row,) = found(CHAO, "Figure 5, row Disgust")
        assert row.printed.startswith("1.03 for Fear") and row.follows.startswith("10.34, 3 of 29")
        assert row.severity == "error"
        for name, of, held in (("Happy", 109, 108), ("Sad", 72, 71)):
            (row,) = found(CHAO, f"Figure 5, row {name}")
            assert f"shares of {of}, but the cells hold {held}" in row.follows and row.severity == "unclear"
        whole = [f for f in found(CHAO) if f.place == "Figure 5"]
        assert whole[0].printed.startswith("4 of 7 rows") and "539 in all, 242 on the diagonal" in whole[1].follows
        (quoted,) = found(CHAO, "Figure 5, accuracy")
        assert "242 of 539: 44.90 %" in quoted.follows and "it is the accuracy" in quoted.follows
        assert "36.78" in quoted.follows and quoted.severity == "none"

    def test_chao2016_shares(self):
        train, val, test = (found(CHAO, f"Table 1, {name}")[0] for name in ("Train", "Val", "Test"))
        assert (train.follows, test.follows) == ("of 711, not of 723", "of 539")
        assert "all but 43.14 are of 371" in val.follows and "43.13" in val.follows and val.severity == "slip"

    def test_priyasad2019_matrix(self):
        smallest, quoted = [f for f in found(PRIYASAD, "Figure 4") if "17 22" in f.follows or "accuracy" in f.place]
        assert "145 in all, 110 on the diagonal" in smallest.follows
        assert "75.86 %" in quoted.follows and "mean of the recalls: 76.13 %; it is the mean recall" in quoted.follows
        rml, enterface = found(PRIYASAD, "Section 4, ")
        assert "500 itself fits none" in rml.follows and "not of 1166" in enterface.follows

    def test_wang2017_averages(self):
        (own,) = found(WANG, "Table 3, Ours")
        assert (own.printed, own.follows, own.severity) == ("0.5403", "0.5402", "slip")
        assert [f.printed for f in found(WANG) if f.follows == "the mean of their row"] == [
            "4 averages", "8 of 9 averages", "11 averages",
        ]  # fmt: skip

    def test_wang2017_prints_two_speeds(self):
        assert any(f.printed == "40.1 and 41" and f.severity == "unclear" for f in found(WANG))

    def test_lee2018_labels_have_one_deviation(self):
        (rows,) = [f for f in found(LEE) if "RMSE, CC and CCC" in f.printed]
        assert rows.printed.startswith("8 different rows") and "from 0.095 to 0.121" in rows.follows
        assert {f.severity for f in found(LEE)} == {"none"}

    def test_every_severity_has_a_word(self):
        assert {f.severity for paper in load_papers() for f in found(paper)} == set(SEVERITIES)

    def test_fast_and_without_tensorflow(self):
        code = (
            "import sys, time\nfrom common.evidence.reading import load_papers\nsuite = load_papers()\n"
            "from reports.audit.papers import audit_paper\nfrom reports.audit.statements import evaluate_statements\n"
            "start = time.process_time()\n"
            "for paper in suite: audit_paper(paper, evaluate_statements(paper, []))\n"
            "assert time.process_time() - start < 3, time.process_time() - start\n"
            "assert not {'tensorflow', 'keras'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=LEE.path.parents[2])
        assert done.returncode == 0, done.stderr


class TestCompleteness:
    """Each printed number has its row in cells.csv."""

    def test_as_many_as_the_papers_print(self):
        counted = {
            paper.id: sum(len(row.published) for table in paper.tables for row in table.rows) for paper in load_papers()
        }
        counted["wang2017"] -= 1  # 41 frames per second: a second number for the speed, in the text
        assert counted == PRINTED and sum(PRINTED.values()) == 302
        speeds = collect_numbers(WANG)["text"].values()
        assert list(speeds) == ["40.1", "41"]

    @pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
    def test_no_number_without_a_row(self, paper):
        rows = {(c.exhibit, c.row, c.column): c.published for c in fill_cells(paper, [])}
        toml = tomllib.loads(paper.path.read_text())
        published = {
            (table["id"], row["label"], column): text
            for table in toml["tables"]
            for row in table["rows"]
            for column, text in row.get("published", {}).items()
        }
        assert rows == published

    def test_numbers_of_the_text_are_further_rows(self):
        texts = {paper.id: make_text_cells(paper, evaluate_statements(paper, [])) for paper in load_papers()}
        assert all(c.exhibit == "text" and c.evidence == "audit" for cells in texts.values() for c in cells)
        assert {c.published for c in texts["lee2018"]} >= {"0.125", "0.097", "0.053", "0.045"}
        assert {c.published for c in texts["raju2021"]} >= {"0.637", "0.614", "0.689", "0.615", "0.625", "0.222"}
        assert {c.published for c in texts["priyasad2019"]} >= {"76.1", "78.5", "98.7", "97.8"}
        results = {(p.id, s.claim.text): s.result for p in load_papers() for s in evaluate_statements(p, [])}
        verdicts = {"follows": "MATCH", "contradicted": "MISMATCH", "unclear": "NOT_COMPARABLE"}
        assert "NOT_COMPARABLE" in {cell.verdict for cells in texts.values() for cell in cells}
        for cells in texts.values():
            for cell in cells:
                assert cell.verdict == verdicts[results[cell.paper, cell.column]]
                assert cell.difference == pytest.approx(cell.ours - float(cell.published))
                assert cell.note and cell.row and cell.column


def test_the_audit_needs_no_result_and_reads_any_paper(tmp_path):
    path = tmp_path / "paper.toml"
    path.write_text(CLASSES.path.read_text())
    start = time.process_time()
    assert [f.place for f in audit_paper(load_paper(path))][0] == "Figure 5"
    assert time.process_time() - start < 2
