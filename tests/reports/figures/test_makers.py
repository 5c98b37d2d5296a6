"""All figures of the results that come with the suite."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas

from common import results
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from reports import build
from tests.reports.fabricate import draw

FOLDER = Path(build.__file__).parent / "results"
PAPERS = {paper.id: paper for paper in load_papers()}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_no_text_leaves_its_figure(paper, monkeypatch):
    spare = []  # inches between what is drawn and the edges, of each figure

    def measure(canvas, *_, **__):
        box, (width, height) = canvas.get_tightbbox(), canvas.get_size_inches()
        spare.append(min(box.x0, box.y0, width - box.x1, height - box.y1))

    monkeypatch.setattr(Canvas, "savefig", measure)
    drawings = draw(paper, check_files(results.find(FOLDER, paper.id)))
    beyond = [drawing.id for drawing, inches in zip(drawings, spare, strict=True) if inches < -0.01]
    assert drawings and not beyond
