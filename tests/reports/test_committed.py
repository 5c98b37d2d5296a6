"""The result files that come with the suite: whole, honest about where they come from, and those that are locked."""

import re
from functools import cache

import pytest

from common import results
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from common.evidence.settings import resolve_settings
from reports import check, evaluation, page, tables

FOLDER = evaluation.COMMITTED
THERE = [paper for paper in load_papers() if (FOLDER / paper.id).is_dir()]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """What a clone says of a paper, which has no results of one's own; each paper is looked at once."""
    nothing = tmp_path_factory.mktemp("nothing")
    return cache(lambda name: evaluation.evaluate(next(p for p in load_papers() if p.id == name), nothing, FOLDER))


def test_there_are_some():
    assert THERE


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_they_are_what_they_say(paper):
    files = check_files(results.find(FOLDER, paper.id))
    assert files
    for path, record in files:
        assert ("arrays" in record) == (
            record["evidence"] == "simulated"
        )  # the labels of real corpora are not ours to give
        if "arrays" in record:
            results.read_arrays(path, record)
        made = record["provenance"]
        assert made["commit"] and made["dirty"] is False and made["processor"] and made["date"]
        assert record["corpus"].startswith("simulated") == (record["evidence"] == "simulated")
        assert record["unusable"] == []
        declared = resolve_settings(paper, record["profile"])
        assert {
            name: record["settings"][name] for name in record["settings"] if name in declared
        }.items() <= declared.items()
        assert "/" not in str(record.get("cnn", {}).get("file", ""))  # no path of a machine


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_their_answers_are_the_locked_ones(paper):
    found = evaluation.evaluate(paper, FOLDER)
    assert {record["profile"] for _, record in found.files} <= {"study", "paper"}
    findings, count = check.check_study(found, found)
    assert findings == [] and count


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_a_report_without_results_of_ones_own_says_where_they_come_from(paper, fresh):
    cells = fresh(paper.id).cells
    filled = [cell for cell in cells if cell.evidence == "simulated"]
    assert filled and all("comes with the suite" in cell.note for cell in filled)


def test_a_fresh_clone_has_real_evidence(fresh):
    """Table I's baseline column of raju2021, from the scores of the organisers' published predictions."""
    cells = fresh("raju2021").cells
    verdicts = {(c.row, c.column): c.verdict for c in cells if c.evidence == "real" and c.published}
    assert len(verdicts) == 9 and {column for _, column in verdicts} == {"Baseline [24]"}
    assert {row for (row, _), verdict in verdicts.items() if verdict == "ERRATUM"} == {"liking: German"}
    assert set(verdicts.values()) == {"MATCH", "ERRATUM"}
    assert all(
        "the predictions behind it are not stored" in c.note for c in cells if c.evidence == "real" and c.published
    )


def test_the_page_says_of_which_numbers_it_speaks(fresh):
    """Real numbers stand in one column, simulated ones in those beside it, each with its notes and its tolerance."""
    found = fresh("raju2021")
    raju, cells = found.paper, found.cells
    (row,) = (row for row in raju.tables[0].rows if row.label == "arousal: German")
    note = page._join_notes([cell for cell in cells if cell.exhibit == "table1" and cell.row == row.label])
    assert "from the run that comes with the suite, of 2026-" in note
    assert re.search(r"Baseline \[24\]: [^:]*the predictions behind it are not stored", note)
    simulated = next(part for part in note.split("; ") if part.endswith("simulated corpus"))
    assert "EMAFN" in simulated and "Baseline" not in simulated
    assert page._list_margins(raju, cells) == [("Baseline [24]", 0.0005)]
    assert page.score_paper(found).sentence == (
        "Of 9 printed numbers that we could compare on avec2019-public, all in the column Baseline [24], "
        "which the authors quote, 8 match, 1 cannot be right as printed."
    )


def test_what_arithmetic_says_is_no_simulated_result(fresh):
    text = page.render_paper(evaluation.add_audit(fresh("chao2016")), [])
    assert "<b>–</b><small>1.03, right: 10.34 " in text and '<b class="ours">10.34</b>' not in text


def test_code_in_markdown_is_as_it_is():
    assert (
        tables.format_markdown(["a"], "l", [("`x <= 2` < 3 | `y`",)]).splitlines()[-1] == "| `x <= 2` &lt; 3 \\| `y` |"
    )
