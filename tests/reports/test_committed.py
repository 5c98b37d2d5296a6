"""The result files that come with the suite: whole, honest about where they come from, and those that are locked."""

from pathlib import Path

import pytest

from common import compare, results
from common.paper import papers, settings
from reports import build, check

FOLDER = Path(build.__file__).parent / "results"
THERE = [paper for paper in papers() if (FOLDER / paper.id).is_dir()]


def test_there_are_some():
    assert THERE


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_they_are_what_they_say(paper):
    files = compare.checked(results.find(FOLDER, paper.id))
    assert files
    for path, record in files:
        results.read_arrays(path, record)
        made = record["provenance"]
        assert made["commit"] and made["dirty"] is False and made["processor"] and made["date"]
        assert record["evidence"] == "simulated" and record["unusable"] == []
        declared = settings(paper, record["profile"])
        assert {
            name: record["settings"][name] for name in record["settings"] if name in declared
        }.items() <= declared.items()
        assert "/" not in str(record.get("cnn", {}).get("file", ""))  # no path of a machine


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_they_are_the_locked_numbers(paper):
    _, files, cells, _ = build.evaluate(paper, FOLDER)
    findings, count = check.check(paper, files, cells)
    assert findings == [] and count


@pytest.mark.parametrize("paper", THERE, ids=lambda paper: paper.id)
def test_a_report_without_results_of_ones_own_says_where_they_come_from(paper, tmp_path):
    _, _, cells, _ = build.evaluate(paper, tmp_path, FOLDER)
    filled = [cell for cell in cells if cell.evidence == "simulated"]
    assert filled and all("comes with the suite" in cell.note for cell in filled)
