"""The LaTeX tables compile: those of every paper, without and with numbers of ours."""

import re
import shutil
import string
import subprocess

import pytest

from common.evidence.reading import load_papers
from reports import evaluation, tables
from tests.reports.fabricate import CLASSES, fabricate_all, fabricate_classes, fabricate_frames, fabricate_targets

PAPERS = {paper.id: paper for paper in load_papers()}
pytestmark = pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed: tables not compiled")


def compiled(folder, inputs) -> str:
    """The log of a document with these tables, one on each page. They are given no package."""
    body = "\n\\newpage\\noindent\n".join(inputs)
    (folder / "t.tex").write_text(
        rf"\documentclass{{article}}\begin{{document}}\noindent {body}\end{{document}}", "utf-8"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True)
    log = (folder / "t.log").read_text("latin-1")
    assert done.returncode == 0, log[-2000:]
    return log


def tables_of(paper, root) -> list[str]:
    exhibits = tables.format_exhibits(evaluation.evaluate(paper, root))
    return [text for name, text in exhibits.items() if name.endswith(".tex")]


def pages(log) -> int:
    return int(re.search(r"\((\d+) pages?", log)[1])


def test_tables_of_every_paper_before_a_run(tmp_path):
    inputs = [text for paper in PAPERS.values() for text in tables_of(paper, tmp_path)]
    log = compiled(tmp_path, inputs)
    assert "Missing character" not in log and pages(log) == len(inputs) > 2 * len(PAPERS)


def test_tables_with_numbers(tmp_path):
    fabricate_all(tmp_path, PAPERS["lee2018"], ["simulated"])
    fabricate_targets(tmp_path, PAPERS["raju2021"], "aed")
    fabricate_frames(tmp_path, PAPERS["wang2017"], "ast-net")
    fabricate_classes(tmp_path, CLASSES, "proposed")
    chosen = [PAPERS[name] for name in ("lee2018", "raju2021", "wang2017")] + [CLASSES]
    inputs = [text for paper in chosen for text in tables_of(paper, tmp_path)]
    assert "$-$" in "".join(inputs) and "Simulated numbers" in "".join(inputs)
    log = compiled(tmp_path, inputs)
    assert "Missing character" not in log and pages(log) == len(inputs)
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(over, default=0) < 5  # a capital more than was reckoned with, in no case the width of the line


def test_every_character_of_a_keyboard(tmp_path):
    texts = [*string.punctuation, *(2 * letter for letter in string.punctuation), "-0.5", "[1]", "*", "é š ä"]
    log = compiled(tmp_path, [tables.format_latex(["a_b", "c"], "lr", [(text, text) for text in texts], texts)])
    assert "Missing character" not in log and pages(log) >= 1


def test_a_table_that_is_none_is_noticed(tmp_path):
    with pytest.raises(AssertionError):
        compiled(tmp_path, [r"\begin{tabular}{l} a & b \\ \end{tabular}"])
