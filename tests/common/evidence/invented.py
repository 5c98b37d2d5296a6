"""For the tests of evidence: papers with invented results, our cells for them, and a paper.toml that is refused."""

import dataclasses

import pytest

from common import results
from common.errors import InputError
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper, load_papers
from tests.reports.fabricate import fabricate

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
RAJU, WANG = (  # invented results have fewer recordings than theirs
    dataclasses.replace(paper, recordings={}) for paper in load_papers() if paper.id in ("raju2021", "wang2017")
)
MINIMAL = """
[paper]
id = "p"
title = "T"
authors = "A"
venue = "V"
year = 2000
doi = "10.1/2"
corpus = "c"
[protocol]
target = "valence"
fold = "devel"
postprocess = "devel"
pooling = "per_recording"
[tolerance]
CCC = 0.03
[[tables]]
id = "table1"
title = "T"
columns = [{ label = "CCC", metric = "CCC" }]
rows = [{ label = "a", variant = "v", published = { CCC = "0.500" } }]
[[figures]]
id = "figure1"
title = "F"
kind = "architecture"
variant = "v"
[[claims]]
where = "Section 1"
text = "better"
better = "v"
worse = "v"
metric = "CCC"
[settings.size]
value = 96
quick = 48
source = "assumed"
where = "not stated (ledger 1)"
[settings.mode]
value = "a"
choices = ["a", "b"]
source = "stated"
where = "Section 2"
[[ledger]]
number = 1
point = "Size"
text = "nothing"
options = "64 or 96"
choice = "96"
why = "habit"
sure = "low"
switch = "--set size=64"
"""
POOLINGS = ("per_recording", "concatenated")


def fill(root, paper=LEE):
    return fill_cells(paper, results.find(root, paper.id))


def find_cell(root, variant="lstm", column="CCC", paper=LEE):
    label = next(row.label for table in paper.tables for row in table.rows if row.variant == variant)
    return next(cell for cell in fill(root, paper) if cell.row == label and cell.column == column)


def fabricate_real(root, ours=None, paper=LEE, **changes):
    """An invented result on the paper's corpus whose scores are all `ours`."""
    scores = {f: {p: {m: ours for m in ("RMSE", "CC", "CCC")} for p in POOLINGS} for f in ("none", "devel", "train")}
    return fabricate(root, paper, "lstm", **{"corpus": paper.corpus, "profile": "paper", "scores": scores, **changes})


def expect_refusal(path, named):
    """Reading it fails with one line that names the file and the place."""
    with pytest.raises(InputError) as caught:
        load_paper(path)
    message = str(caught.value)
    assert "paper.toml: " in message and named in message and "\n" not in message
