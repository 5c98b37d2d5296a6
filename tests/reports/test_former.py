"""Figures of the report that is replaced are taken over, and only where they would be drawn alike."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from common import storage
from common.evidence import scores
from common.evidence.reading import load_papers
from reports import build, drawing, evaluation, former
from reports.figures import makers
from tests.reports.fabricate import fabricate

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
SMALL = dataclasses.replace(LEE, figures=LEE.figures[1:2])  # quicker to draw than the first
DRAWN = {}  # what is drawn of which figure and results


def written(root, paper=SMALL, png=True):
    build.write([evaluation.add_audit(evaluation.evaluate(paper, root / "results"))], root / "report", png)
    return {path.name: path.read_bytes() for path in (root / "report").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def first_report(tmp_path_factory):
    """A report and the results it is of, built once."""
    root = tmp_path_factory.mktemp("first") / "first"
    fabricate(root / "results", LEE, "lstm-ta", mechanism=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.running.options.count_cores", lambda: 1)
        calls = note_drawings(patch)
        return root, written(root), len(calls)


@pytest.fixture
def root(first_report, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(first_report[0], tmp_path / "copy"))


@pytest.fixture
def first(first_report):
    """The files of the report."""
    return first_report[1]


@pytest.fixture
def count(first_report):
    """How many drawings it took."""
    return first_report[2]


def note_drawings(patch):
    """The list of drawings that are made from now on; of the same results none takes its time twice."""
    calls = []

    def run_maker(make, files, png):
        calls.append(make)
        shown = repr((make, [record for _, record in files], png))
        if shown not in DRAWN:
            DRAWN[shown] = draw(make, files, png)
        return DRAWN[shown]

    draw = makers.run_maker
    patch.setattr(makers, "run_maker", run_maker)
    return calls


@pytest.fixture
def drawings(monkeypatch):
    """How often something was drawn anew."""
    return note_drawings(monkeypatch)


def test_the_same_results_are_not_drawn_again(root, first, count, drawings):
    assert count and any(name.endswith(".png") for name in first)
    assert written(root) == first and not drawings


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_png_is_what_is_asked_now(root, first, count, drawings, there, asked):
    """The report that is replaced may have them or not; they are drawn again only where they are missing."""
    before = first if there else written(root, png=False)
    assert there == any(name.endswith(".png") for name in before) and not drawings
    again = written(root, png=asked)
    assert len(drawings) == (count if asked and not there else 0)
    assert set(again) == {name for name in first if asked or not name.endswith(".png")}
    assert all(again[name] == first[name] for name in again if asked or name.endswith(".svg"))
    assert asked == any(b".png" in content for content in again.values())


def other_numbers(root):
    fabricate(root / "results", LEE, "lstm-ta", mechanism=None, history={"loss": [9.0, 8.0]})


def damaged_figure(root):
    next((root / "report/figures").glob("*.svg")).write_text("<svg></svg>")


def no_figure(root):
    next((root / "report/figures").glob("*.png")).unlink()


def damaged_index(root):
    (root / "report" / former.INDEX).write_text("{")


def foreign_index(root):
    (root / "report" / former.INDEX).write_text(json.dumps({LEE.id: [1, 2]}))


def index_without_key(root):
    (root / "report" / former.INDEX).write_text(json.dumps({LEE.id: {"figures": []}}))


def no_report(root):
    (root / "report").rename(root / "elsewhere")


CHANGES = [other_numbers, damaged_figure, no_figure, damaged_index, foreign_index, index_without_key, no_report]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_changed_is_drawn_anew(root, first, count, drawings, change):
    change(root)
    again = written(root)
    assert len(drawings) == count > 0
    assert (again == first) == (change is not other_numbers)


def test_another_paper_is_drawn_anew(root, count, drawings):
    """Its toml says what is in a figure."""
    written(root, dataclasses.replace(SMALL, figures=LEE.figures[:1]))
    assert len(drawings) == count > 0


def test_other_code_draws_anew(monkeypatch):
    code = former._digest_code()
    assert {storage.digest_file(Path(module.__file__)) for module in (makers, drawing, scores)} <= set(code)
    before = former.compute_key(LEE, [])
    monkeypatch.setattr(former, "_digest_code", lambda: [*code[:-1], "other"])
    assert former.compute_key(LEE, []) != before


@pytest.mark.parametrize("where", ["", "../../"])
def test_figures_are_read_from_the_report_alone(tmp_path, where):
    """An index that names a file elsewhere brings nothing."""
    folder = tmp_path / "report/figures"
    folder.mkdir(parents=True)
    for kind in (b"svg", b"png"):
        (folder / where / f"one.{kind.decode()}").write_bytes(kind)
    one = drawing.Drawing(f"{where}one", "title", "caption", "paper", b"svg", b"png")
    (tmp_path / "report" / former.INDEX).write_text(former.format_index({"lee2018": ("k", [one])}))
    assert former.read_figures(tmp_path / "report", "lee2018", "k", png=True) == (None if where else [one])
    assert former.read_figures(tmp_path / "report", "lee2018", "other") is None
