"""The report as a whole: pages, tables and figures from invented results."""

import base64
import csv
import dataclasses
import hashlib
import html.parser
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from common import results
from common.errors import EXIT_INTERRUPTED, InputError
from common.evidence.cells import VERDICTS
from common.evidence.paper import format_value
from common.evidence.reading import load_papers
from common.evidence.runs import select_runs
from common.running import cli
from replications import architectures
from reports import build, drawing, evaluation, former, page, tables
from reports.audit.findings import Finding
from reports.audit.papers import audit_paper
from reports.audit.statements import Statement, evaluate_statements
from tests.reports.fabricate import (
    CLASSES,
    QUALITY,
    draw,
    fabricate,
    fabricate_all,
    fabricate_classes,
)

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
CHAO = next(paper for paper in load_papers() if paper.id == "chao2016")
WANG = next(paper for paper in load_papers() if paper.id == "wang2017")


SMALL = dataclasses.replace(LEE, figures=LEE.figures[1::2])  # one of each kind: drawing takes seconds


def evaluated(root, paper=LEE):
    return evaluation.evaluate(paper, root)


def page_of(root, drawings=()):
    return page.render_paper(evaluated(root), list(drawings))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A report from two networks with all kinds of figures, built once."""
    root = tmp_path_factory.mktemp("small")
    for variant in ("lstm-ta", "cnn3d-sta"):
        fabricate(root / "results", LEE, variant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.running.options.count_cores", lambda: 1)  # what draws is here already
        build.write([evaluation.add_audit(evaluated(root / "results", SMALL))], root / "report")
    return root


class Reader(html.parser.HTMLParser):
    """Collects what a browser would load or follow, and checks that tags are closed."""

    VOID = {"meta", "link", "img", "br", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.open, self.text, self.scripts = [], [], [], [], [], []
        self.feed(text)
        assert self.open == [] and len(self.scripts) <= 1

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        else:
            self.loads += [
                v for k, v in attributes.items() if k in ("src", "srcset", "data", "href", "xlink:href", "poster")
            ]
        self.ids += [attributes["id"]] if "id" in attributes else []
        assert tag not in ("iframe", "object") and not any(name.startswith("on") for name in attributes)
        self.scripts += [attributes] if tag == "script" else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


class TestReport:
    def test_files(self, small):
        report = small / "report"
        names = {str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()}
        assert {"index.html", "lee2018.html", "cells.csv"} <= names
        assert {
            f"tables/lee2018-{e}.{k}"
            for e in ("table1", "table2", "table3", "claims", "audit")
            for k in ("md", "tex", "csv")
        } <= names
        figures = ("figure2", "figure4", "mechanism", "spatial-cnn3d-sta-simulated", "training")
        assert {f"figures/lee2018-{n}.svg" for n in figures} <= names
        assert not any(name.endswith(".png") for name in names)

    def test_same_results_same_bytes(self, small):
        build.write([evaluation.add_audit(evaluated(small / "results", SMALL))], small / "again")
        first, second = (
            {p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (small / "report", small / "again")
        )
        assert first == second

    @pytest.mark.parametrize("name", ["index.html", "lee2018.html"])
    def test_pages_load_nothing_and_links_lead_somewhere(self, small, name):
        text = (small / "report" / name).read_text()
        reader = Reader(text)
        assert all(load.startswith(("data:", "#")) for load in reader.loads)
        assert not re.search(r"@import|url\((?!#)", text)
        assert "default-src 'none'" in text and "connect-src" not in text
        (script,) = re.findall(r"(?s)<script>(.*?)</script>", text)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert re.findall(r"script-src ([^;]*)", text) == [f"'sha256-{digest}'"]  # and no other script may run
        for link in reader.links:
            if link.startswith("#"):
                assert link[1:] in reader.ids
            elif not link.startswith("https://doi.org/10."):
                assert (small / "report" / link).is_file()

    def test_ids_are_unique(self, small):
        ids = [i for i in Reader((small / "report/lee2018.html").read_text()).ids if not re.search(r"DejaVu", i)]
        assert len(ids) == len(set(ids))

    def test_svg_is_xml_without_date(self, small):
        for path in (small / "report/figures").glob("*.svg"):
            xml.etree.ElementTree.fromstring(path.read_bytes())
            assert b"<dc:date>" not in path.read_bytes()

    def test_cells_csv(self, small):
        with (small / "report/cells.csv").open(newline="") as file:
            everything = list(csv.DictReader(file))
        rows = [row for row in everything if row["exhibit"] != "text"]
        assert {row["evidence"] for row in everything if row["exhibit"] == "text"} == {"audit"}
        assert len(rows) == 32 and {row["verdict"] for row in rows} == {"NOT_COMPARABLE", "NOT_RUN"}
        ours = [row for row in rows if row["ours"]]
        assert len(ours) == 12 and all(len(row["ours"]) > 8 for row in ours)
        for row in ours:
            assert float(row["difference"]) == pytest.approx(float(row["ours"]) - float(row["published"]))

    def test_interrupted_build_leaves_the_former_report(self, small, monkeypatch, tmp_path):
        out = tmp_path / "report"
        shutil.copytree(small / "report", out)

        def stopped(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(tables, "format_exhibits", stopped)
        monkeypatch.setattr(build, "draw_figures", lambda *_: {SMALL.id: ("", [])})
        with pytest.raises(KeyboardInterrupt):
            build.write([evaluation.add_audit(evaluated(small / "results", SMALL))], out)
        assert (out / "index.html").is_file() and [path.name for path in tmp_path.iterdir()] == ["report"]


class TestOut:
    def test_foreign_folder_is_not_replaced(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(InputError, match="no report"):
            build.write([evaluation.add_audit(evaluated(tmp_path))], tmp_path)
        assert (tmp_path / "thesis.txt").read_text() == "years of work"

    @pytest.mark.parametrize("more", [[], ["--check"]])
    def test_a_folder_that_is_not_there(self, tmp_path, more):
        with pytest.raises(InputError, match="none: no such folder of results; run a paper first"):
            build.main(["--results", str(tmp_path / "none"), "--out", str(tmp_path / "report"), *more])
        assert not (tmp_path / "report").exists()

    def test_ctrl_c_says_what_is_there(self, monkeypatch, tmp_path, capsys):
        def stopped(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(build, "write", stopped)
        assert cli.run(lambda: build.main(["--out", str(tmp_path / "report")])) == EXIT_INTERRUPTED
        assert capsys.readouterr().err == f"error: interrupted; a report in {tmp_path / 'report'} is as it was\n"

    def test_without_results(self, tmp_path, capsys):
        (tmp_path / "none").mkdir()
        assert build.main(["--results", str(tmp_path / "none"), "--out", str(tmp_path / "a/report")]) == 0
        out = capsys.readouterr().out
        assert "a/report/index.html" in out and "32 not run" in out
        drawn = json.loads((tmp_path / "a/report" / former.INDEX).read_text())
        for paper in load_papers():  # the networks have figures
            ids = [f"{paper.id}-{f.id}" for f in paper.figures if f.kind in ("architecture", "overview")]
            assert [figure["id"] for figure in drawn[paper.id]["figures"]] == ids
            for name in ids:
                xml.etree.ElementTree.parse(tmp_path / "a/report/figures" / f"{name}.svg")
        text = (tmp_path / "a/report/lee2018.html").read_text()
        assert "Nothing was run yet" in text and "not comparable" not in re.sub(
            r"(?s)<ul class=.counts.*?</ul>", "", text
        )

    @pytest.mark.parametrize("more", [[], ["--png"]])
    def test_png_only_where_asked(self, tmp_path, monkeypatch, more):
        monkeypatch.setattr("common.evidence.reading.load_papers", lambda: [SMALL])
        report = tmp_path / "report"
        (tmp_path / "none").mkdir()
        assert build.main(["--results", str(tmp_path / "none"), "--out", str(report), *more]) == 0
        svg, png = ({path.stem for path in (report / "figures").glob(f"*.{kind}")} for kind in ("svg", "png"))
        assert svg and png == (svg if more else set())
        linked = [link for path in report.glob("*.html") for link in Reader(path.read_text()).links if ".png" in link]
        assert set(linked) == {f"figures/{name}.png" for name in png}

    def test_corrupted_result_is_one_line(self, tmp_path):
        path = fabricate(tmp_path / "results", LEE, "lstm")
        path.write_text(path.read_text()[:100])
        command = [
            sys.executable,
            "-m",
            "reports.build",
            "--results",
            str(tmp_path / "results"),
            "--out",
            str(tmp_path / "report"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=LEE.path.parents[2])
        assert done.returncode == 3 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        assert "devel-seed0.json" in done.stderr and not (tmp_path / "report").exists()

    def test_imports_no_tensorflow_and_helps_at_once(self):
        code = (
            "import sys\ntry:\n    from reports import build; build.main(['--help'])\nexcept SystemExit: pass\n"
            "assert not {'numpy', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
            "import reports.page, reports.figures.makers, reports.check\nassert not {'tensorflow', 'keras'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=LEE.path.parents[2])
        assert done.returncode == 0, done.stderr
        assert "--check" in done.stdout


class TestPage:
    HOSTILE = '"><script>alert(1)</script>&{{ 7*7 }}'

    def test_hostile_strings_are_text(self, tmp_path):
        fabricate(
            tmp_path, LEE, "lstm",
            recordings=[{"name": self.HOSTILE, "labels": 1, "frames_without_face": 0}],
            unusable=[{"recording": self.HOSTILE, "file": self.HOSTILE, "reason": self.HOSTILE}],
            provenance={"date": self.HOSTILE, "commit": self.HOSTILE, "dirty": True, self.HOSTILE: self.HOSTILE},
        )  # fmt: skip
        text = page_of(tmp_path)
        assert self.HOSTILE in "".join(Reader(text).text) and text.count("<script") == 1

    def test_hostile_layer_names(self, tmp_path, monkeypatch):
        layers = [{"name": "<script>--></svg>", "kind": "<b>&", "shape": [None, 1], "parameters": 0, "inputs": []}]
        fabricate(tmp_path, LEE, "lstm-ta")
        monkeypatch.setattr(architectures, "read", lambda _: {"lstm-ta": {"paper": layers, "study": layers}})
        made = draw(dataclasses.replace(LEE, figures=LEE.figures[1:2]), [])[0]
        xml.etree.ElementTree.fromstring(made.svg)
        assert page_of(tmp_path, [made]).count("<script") == 1

    def test_hostile_corpus_in_the_id_of_a_figure(self):
        for name in (self.HOSTILE, r"simulated-\g<9>"):
            made = drawing.save(drawing.Sketch(name, "title", "caption", "paper", Canvas()))
            assert re.fullmatch(r"[\w-]+", made.id) and f'id="{made.id}-' in made.inline

    @pytest.mark.parametrize("variant", ["lstm-ta", "cnn3d-sta"])
    def test_a_network_that_diverged_has_a_report(self, tmp_path, variant):
        path = fabricate(tmp_path, LEE, variant)
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        nan = {k: np.full_like(a, np.nan) for k, a in arrays.items() if k.startswith("example") and a.dtype.kind == "f"}
        results.write(path, record, arrays | nan)
        of_results = tuple(f for f in LEE.figures if f.kind not in ("architecture", "overview"))
        assert draw(dataclasses.replace(LEE, figures=of_results), list(results.find(tmp_path, LEE.id)))

    def test_embeddings_that_diverged_are_not_drawn(self, tmp_path):
        path = fabricate_classes(tmp_path, CLASSES, "proposed")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        nan = {k: np.full_like(a, np.nan) for k, a in arrays.items() if k.startswith("embeddings")}
        results.write(path, record, arrays | nan)
        projection = dataclasses.replace(CLASSES, figures=tuple(f for f in CLASSES.figures if f.kind == "projection"))
        made = draw(projection, list(results.find(tmp_path, CLASSES.id)))
        assert [figure.id for figure in projection.figures] == ["figure4"]
        assert "classes-figure4" not in [figure.id for figure in made]

    def test_every_number_with_its_verdict_in_words(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        text = "".join(Reader(page_of(tmp_path)).text)
        for cell in evaluated(tmp_path).cells:
            assert cell.published in text and format_value(cell.ours, cell.published) in text
        assert text.count("◇ not comparable") >= 30 and "neither confirm nor refute" in text

    def test_every_protocol_is_there(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        text = "".join(Reader(page_of(tmp_path)).text)
        for poolings in results.read(path)["scores"].values():
            for scores in poolings.values():
                assert all(f"{value:.3f}" in text for value in scores.values())

    def test_complete_without_its_script(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        text = page_of(tmp_path)
        assert '<fieldset class="filter" hidden>' in text  # what only the script can do is shown by it
        assert len(re.findall(r"<[^>]*\bhidden\b(?!=)[^>]*>", text.split("<body>")[1].split("<script>")[0])) == 1
        assert re.findall(r'<tr data-verdict="(\w+)"', text) == [
            c.verdict for c in evaluated(tmp_path).cells if c.published
        ]

    def test_filter_counts_what_is_there(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        text = page_of(tmp_path)
        offered = re.findall(r'<input type="checkbox" value="(\w+)" checked> .*?</span> (\d+)</label>', text)
        counted = {verdict: text.count(f'data-verdict="{verdict}"') for verdict in VERDICTS}
        assert (
            dict(offered) == {verdict: str(count) for verdict, count in counted.items() if count} and len(offered) > 1
        )

    def test_provenance(self, tmp_path):
        made = results.read(fabricate(tmp_path, LEE, "lstm"))["provenance"]
        fabricate(
            tmp_path,
            LEE,
            "lstm-ta",
            provenance=made | {"date": "2026-03-04", "commit": "abcdef0123456789", "dirty": True},
        )
        fabricate(tmp_path, LEE, "cnn2d", provenance={"commit": None, "date": None, "processor": "another"})
        text = re.sub(r"<code>|</code>", "", page_of(tmp_path))
        (shown,) = re.findall(r'(?s)<dl class="environment">(.*?)</dl>', text)
        entries = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown))
        assert entries["corpus"] == "simulated" and entries["profile"] == "quick" and entries["seed"] == "0"
        assert entries["date"] == "2026-01-02 / 2026-03-04 / –"
        assert entries["commit"] == "000000000 / abcdef012 with local changes / –"
        assert entries["processor"] == "another / invented" and entries["keras"] == "3.12.4"
        assert "None" not in text.split('id="provenance"')[1]

    def test_undefined_scores(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", scores={"devel": {"per_recording": {"RMSE": None, "CC": None, "CCC": None}}})
        assert "our score is undefined" in page_of(tmp_path)

    def test_sentences(self, tmp_path):
        def sentence():
            return page.score_paper(evaluated(tmp_path)).sentence

        assert sentence() == "Nothing was run yet."
        fabricate(tmp_path, LEE, "lstm")
        assert "Only simulated" in sentence() and "confirms and refutes nothing" in sentence()
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "quick")
        assert "confirms and refutes nothing" in sentence()
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        assert sentence().startswith("Of 3 printed numbers")

    def test_scorecard_by_paper_and_evidence(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        fabricate(tmp_path, LEE, "cnn2d")
        scores = [page.score_paper(evaluated(tmp_path)), page.score_paper(evaluated(tmp_path, WANG))]
        text = page.render_index(scores, [])
        rows = [re.findall(r"<td(?: class=.n.)?>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)]
        counts = {row[0]: list(map(int, row[1:7])) for row in rows[1:4]}
        assert list(counts) == ["real", "simulated", "none"] and [row[0] for row in counts.values()] == [3, 3, 26]
        assert all(row[0] == sum(row[1:]) for row in counts.values())
        assert counts["simulated"][4] == 3 and counts["none"][5] == 26 and sum(counts["real"][1:3]) == 3
        assert rows[-1] == [*(str(sum(int(row[k]) for row in rows[1:-1])) for k in range(1, 7)), ""]
        assert rows[-1][0] == "136"

    def test_ledger(self, tmp_path):
        from common.evidence.paper import Choice

        entry = Choice(1, "Crop `size`", "nothing", "64 or 96", "96 & more", "habit", "low", "--set crop_size=64")
        paper = dataclasses.replace(LEE, ledger=(entry,))
        text = page.render_paper(evaluated(tmp_path, paper), [])
        assert '<li id="ledger-1">' in text and '<a href="#ledger-1">1</a>' in text and "<code>size</code>" in text
        assert "96 &amp; more" in text and "#ledger-2" not in text


class TestClaimsAndAudit:
    @pytest.fixture(scope="class")
    def checked(self, tmp_path_factory):
        """The paper with most kinds of findings, without any result."""
        found = evaluated(tmp_path_factory.mktemp("none"), CHAO)
        stated = [entry for entry in found.checked if isinstance(entry, Statement)]
        return dataclasses.replace(found, findings=audit_paper(CHAO, stated))

    def page(self, checked):
        return Reader(page.render_paper(checked, []))

    def test_page_has_every_finding_with_its_severity_in_words(self, checked):
        text = "".join(self.page(checked).text)
        for finding in checked.findings:
            assert finding.printed in text and page.SEVERITY_SYMBOLS[finding.severity] in text
        assert "≠ error" in text and "≈ slip" in text and "? unclear" in text and "✓ agrees" in text
        assert "#audit" in self.page(checked).links

    def test_page_has_every_claim_with_its_result_in_words(self, checked):
        text = "".join(self.page(checked).text)
        assert all(claim.text in text for claim in CHAO.claims)
        statements = [entry for entry in checked.checked if isinstance(entry, Statement)]
        assert text.count("✓ follows") == sum(entry.result == "follows" for entry in statements) > 5
        assert text.count("◇ unclear") == sum(entry.result == "unclear" for entry in statements) > 0
        assert "◇ undecided" in text and "– not run" in text

    def test_page_has_what_is_contradicted(self):
        paper = next(paper for paper in load_papers() if paper.id == "priyasad2019")
        stated = evaluate_statements(paper, [])
        text = "".join(Reader(page.render_paper(evaluation.Evaluation(paper, [], [], [], stated), [])).text)
        assert text.count("≠ contradicted") == sum(entry.result == "contradicted" for entry in stated) > 0

    @pytest.mark.parametrize(
        ("result", "style"),
        [("holds", "match"), ("follows", "match"), ("does not hold", "mismatch"), ("contradicted", "mismatch"),
         ("undecided", "not_comparable"), ("unclear", "not_comparable"), ("holds in simulation", "not_comparable"), ("not run", "not_run"),
         ("does not hold in simulation", "not_comparable"), ("undecided in simulation", "not_comparable"),
         ("not testable", "not_comparable"), ("no difference of that size", "not_comparable")],
    )  # fmt: skip
    def test_simulation_confirms_no_claim(self, result, style):
        assert page._choose_mark(result)[1] == style

    def test_tables(self, checked):
        findings, written = checked.findings, tables.format_exhibits(checked)
        rows = list(csv.DictReader(io.StringIO(written["chao2016-audit.csv"])))
        assert [tuple(row.values()) for row in rows] == [
            tuple(map(str, dataclasses.astuple(finding)[:6])) for finding in findings
        ]
        claims = list(csv.DictReader(io.StringIO(written["chao2016-claims.csv"])))
        assert [row["claim"] for row in claims] == [claim.text for claim in CHAO.claims]
        assert [row["holds"] for row in claims] == [claim.holds for claim in CHAO.claims]
        assert "10.34, 3 of 29" in written["chao2016-audit.md"] and "unclear" in written["chao2016-claims.md"]
        assert r"$\neq$" in written["chao2016-audit.tex"]

    def test_hostile_strings_are_text(self, checked):
        hostile = Finding("p", *[TestPage.HOSTILE] * 4, "error")
        text = page.render_paper(dataclasses.replace(checked, findings=[hostile]), [])
        assert TestPage.HOSTILE in "".join(Reader(text).text) and text.count("<script") == 1  # our own

    def test_index_counts_the_findings(self, checked):
        score = page.score_paper(checked)
        assert sum(score.audit.values()) == len(checked.findings) and list(score.audit) == [
            "none",
            "slip",
            "unclear",
            "error",
        ]
        assert "Audit of the printed numbers: " in "".join(Reader(page.render_index([score], [])).text)


class TestTables:
    def test_latex_escapes(self):
        assert tables.escape_latex("50%_&#{}$") == r"50\%\_\&\#\{\}\$"
        assert tables.escape_latex("-0.5") == "$-$0.5" and tables.escape_latex("[a]") == "{[}a{]}"
        row = tables.format_latex(["a_b"], "l", [("x & y",)])
        assert r"a\_b \tabularnewline" in row and r"x \& y \tabularnewline" in row

    def test_markdown_escapes(self):
        assert tables.format_markdown(["a"], "l", [("x | <b>",)]) == "| a |\n| --- |\n| x \\| &lt;b> |\n"

    def test_same_numbers_in_all_formats(self, small):
        folder = small / "report/tables"
        for cell in evaluated(small / "results").cells:
            shown = format_value(cell.ours, cell.published)
            for kind in ("md", "tex"):
                text = (folder / f"lee2018-{cell.exhibit}.{kind}").read_text()
                assert cell.published in text and shown in text and tables.WORDS[cell.verdict] in text
        assert "neither confirm nor refute" in (folder / "lee2018-table1.md").read_text()
        assert "neither confirm nor refute" in (folder / "lee2018-table1.tex").read_text()

    def test_exhibit_csvs_make_up_cells_csv(self, small):
        parts = [(small / f"report/tables/lee2018-table{n}.csv").read_text() for n in (1, 2, 3)]
        rows = [row for part in parts for row in list(csv.reader(io.StringIO(part)))[1:]]
        everything = list(csv.reader(io.StringIO((small / "report/cells.csv").read_text())))[1:]
        assert rows == [row for row in everything if row[1] != "text"]


class TestClasses:
    """The page and the tables of an invented paper on three classes."""

    @pytest.fixture(scope="class")
    def root(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("classes")
        for seed in (0, 1):
            fabricate_classes(root, CLASSES, "proposed", seed=seed)
        return root

    def test_page_has_the_matrix(self, root):
        cells = evaluated(root, CLASSES).cells
        text = page.render_paper(evaluated(root, CLASSES), [])
        shown = "".join(Reader(text).text)
        own = [cell for cell in cells if cell.evidence != "none"]
        assert "Figure 5" in shown and len(own) == 12  # a verdict in words for each number of Table 1, one for Figure 5
        assert shown.count("◇ not comparable") == 1 + 1 + 3 + 1  # the first are the scorecard and the filter
        for cell in cells:
            if cell.exhibit == "figure5":
                assert f'<b class="ours">{cell.ours:.2f}</b><small>{cell.published} ' in text
        assert "3.0 percentage points in accuracy" in shown and "development set" not in shown
        assert "1.000" in shown  # the slope that is predicted

    def test_page_lists_the_class_of_each_recording(self, root):
        text = page.render_paper(evaluated(root, CLASSES), [])
        assert '<td>Test/000000001</td><td>Happy</td><td class="n">50</td>' in text

    def test_tables_keep_the_long_form(self, root):
        written = tables.format_exhibits(evaluated(root, CLASSES))
        lines = written["classes-figure5.md"].splitlines()
        assert sum(line.startswith(("| Angry |", "| Happy |", "| Sad |")) for line in lines) == 9
        assert "+3.71" in written["classes-claims.md"]


class TestColours:
    STYLE = (Path(page.__file__).parent / "templates/style.css").read_text()
    PAIRS = [
        *((word, f"{word}-fill") for word in ("match", "mismatch", "erratum", "apart")),  # the verdicts
        *((word, ground) for word in ("ink", "muted", "link", "match", "mismatch", "erratum") for ground in ("page", "ground")),
    ]  # fmt: skip

    def colours(self, dark):
        """The colours that the style sheet names, in one of the two schemes: name -> (red, green, blue) in 0..1."""
        light, night = re.findall(r"(?s):root \{(.*?)\}", self.STYLE)[:2]
        named = dict(re.findall(r"--([\w-]+): #(\w{6});", light)) | (
            dict(re.findall(r"--([\w-]+): #(\w{6});", night)) if dark else {}
        )
        return {name: tuple(int(value[k : k + 2], 16) / 255 for k in (0, 2, 4)) for name, value in named.items()}

    def luminance(self, colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    @pytest.mark.parametrize("dark", [False, True])
    @pytest.mark.parametrize(("text", "ground"), PAIRS)
    def test_contrast_of_text(self, text, ground, dark):
        """At least 4.5 to 1, as WCAG 2.2 asks for (success criterion 1.4.3)."""
        colours = self.colours(dark)
        high, low = sorted((self.luminance(colours[name]) for name in (text, ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5

    def test_verdicts_differ_in_sign_and_word(self):
        assert set(page.SYMBOLS) == set(VERDICTS)
        assert all(len({names[v] for v in VERDICTS}) == 5 for names in (page.SYMBOLS, tables.WORDS))


# --- what is run first, and what stands in -----------------------------------------------------------------------


def test_committed_results_stand_in_until_there_are_as_many(tmp_path):
    """And say so; a part of a study does not make theirs vanish, nor is it mixed with them."""
    committed, own = tmp_path / "committed", tmp_path / "own"
    for corpus in ("simulated", "simulated-uniform"):
        for seed in (0, 1):
            fabricate(committed, LEE, "lstm-ta", corpus, "study", seed)

    def found():
        evaluated = evaluation.evaluate(LEE, own, committed)
        files = [(r["variant"], r["corpus"], r["profile"], r["seed"], "committed" in r) for _, r in evaluated.files]
        noted = [cell.note for cell in evaluated.cells if cell.evidence != "none"]
        return set(files), {"from the run that comes with the suite, of 20" in note for note in noted}

    theirs = {("lstm-ta", c, "study", s, True) for c in ("simulated", "simulated-uniform") for s in (0, 1)}
    assert found() == (theirs, {True})
    fabricate(own, LEE, "lstm-ta", "simulated", "study", 0)  # of two seeds
    assert found() == (theirs, {True})
    fabricate(own, LEE, "cnn3d-sta", "simulated", "study", 0)  # theirs has none of it
    assert found()[0] == theirs | {("cnn3d-sta", "simulated", "study", 0, False)}
    fabricate(own, LEE, "lstm-ta", "simulated", "quick", 0)  # fills no cell where a study is
    assert found()[0] == theirs | {
        ("cnn3d-sta", "simulated", "study", 0, False),
        ("lstm-ta", "simulated", "quick", 0, False),
    }
    assert {cell.profile for cell in evaluation.evaluate(LEE, own, committed).cells if cell.evidence != "none"} == {
        "study"
    }
    fabricate(own, LEE, "lstm-ta", "simulated", "study", 1)
    files, noted = found()
    assert noted == {False} and ("lstm-ta", "simulated", "study", 0, True) not in files
    assert ("lstm-ta", "simulated-uniform", "study", 0, True) in files  # another corpus


def test_run_calls_each_paper_and_stops_at_the_first_that_fails(monkeypatch, tmp_path, capfd):
    called, codes = [], {"b": 3}

    class Room:
        def __init__(self, command, stdout):
            self.name = command[2].split(".")[1]
            called.append((self.name, command[3:]))

        def wait(self):
            self.returncode = codes.get(self.name, 0)

    monkeypatch.setattr(build.subprocess, "Popen", Room)
    assert build.run_papers(["a", "wang2017"], "study", "there") == 0
    assert called == [(name, ["--profile", "study", "--results", "there"]) for name in ("a", "wang2017")]
    assert "[2/2] wang2017: 0 min since the start\n" in capfd.readouterr().err
    called.clear()
    assert build.run_papers(["a", "b", "c"], "quick", "there") == 3 and [name for name, _ in called] == ["a", "b"]


@pytest.mark.parametrize(
    ("took", "says"),
    [
        ([], "0 min since the start"),
        ([0.1], "0 min since the start"),  # it was there already and says nothing of the others
        ([6.0], "6 min since the start, about 24 min left"),
        ([0.1, 6.0], "6 min since the start, about 18 min left"),
        ([4.0, 6.0], "10 min since the start, about 15 min left"),
    ],
)
def test_what_is_left_is_guessed_from_the_papers_run_anew(took, says):
    assert build._describe_progress(took, 5 - len(took)) == says


def test_ctrl_c_waits_for_the_room_and_ends(monkeypatch):
    class Room:
        def __init__(self, command, stdout):
            self.waits = 0

        def wait(self):
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            self.returncode = EXIT_INTERRUPTED

    monkeypatch.setattr(build.subprocess, "Popen", Room)
    assert build.run_papers(["a", "b"], "quick", "there") == EXIT_INTERRUPTED


# --- what the networks learnt ------------------------------------------------------------------------------------


@pytest.fixture
def half_learnt(tmp_path, monkeypatch):
    """One network that follows the gold standard and one that knows nothing."""
    monkeypatch.setitem(QUALITY, "lstm", 0.0)
    for variant in ("lstm", "lstm-ta"):
        fabricate(tmp_path, LEE, variant, training_scores={"valence": {"CCC": 0.987}}, mechanism=None)
    return evaluation.evaluate(LEE, tmp_path)


def test_the_page_says_what_the_networks_learnt_and_marks_the_others(half_learnt):
    text = "".join(Reader(page.render_paper(half_learnt, [])).text)
    table = text[text.index("What the networks learnt", 100) : text.index("Beside each printed number")]
    assert table.count("0.987") == 2 and "not learnt" in table and "1 seed" in table
    own = {cell.row: tables.format_row(cell)[3] for cell in half_learnt.cells if cell.exhibit == "table1" and cell.ours}
    assert own["LSTM-RNN"].endswith("†") and "†" not in own["LSTM-RNN + TA"]
    assert "the network has not learnt" in text


def test_the_scorecard_and_the_terminal_count_them(half_learnt):
    index = page.render_index([page.score_paper(half_learnt)], [])
    assert re.search(r'<td class="n learnt" rowspan="\d+">1 of 2</td>', index)
    assert "learnt: 1 of 2" in build.format_scorecard(half_learnt)


def test_tables_to_take_along_have_the_mark_and_the_skill(half_learnt):
    written = tables.format_exhibits(half_learnt)
    assert "†" in written["lee2018-table1.md"] and r"$^\dagger$" in written["lee2018-table1.tex"]
    rows = list(csv.DictReader(io.StringIO(written["lee2018-skill.csv"])))
    assert {row["variant"]: row["learnt"] for row in rows} == {"lstm": "not learnt", "lstm-ta": "learnt"}
    assert all(float(row["floor"]) >= 0 for row in rows) and "| lstm |" in written["lee2018-skill.md"]


def test_what_is_true_of_all_rows_of_a_table_is_said_once_above_it(half_learnt):
    (table,) = (t for t in LEE.tables if t.id == "table1")
    prepared = page._prepare_table(LEE, table, half_learnt.cells, half_learnt.files)
    assert any("simulated corpus" in words for words in prepared["origins"])
    assert not any("simulated corpus" in note for _, _, note in prepared["rows"])


def test_a_figure_says_which_of_its_networks_has_not_learnt(half_learnt):
    canvas = Canvas()
    runs = [select_runs(LEE, half_learnt.files, variant) for variant in ("lstm", "lstm-ta")]
    drawing.say_origin(canvas, LEE, half_learnt.files, runs)
    assert canvas.get_suptitle().splitlines()[-1] == "HAS NOT LEARNT: lstm"
    drawing.say_origin(canvas, LEE, half_learnt.files, runs[1:])
    assert "LEARNT" not in canvas.get_suptitle()
