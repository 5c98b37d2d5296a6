"""The pages in headless Chromium (Debian's package): no error, sorting, filtering, a phone, dark, print.

The browser is driven over its DevTools pipe: messages are JSON, each ended by a zero byte.
"""

import base64
import dataclasses
import itertools
import json
import os
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from common.evidence.reading import load_papers
from reports import build, evaluation
from tests.reports.fabricate import CLASSES, fabricate, fabricate_classes, fabricate_targets

LEE, RAJU = (next(paper for paper in load_papers() if paper.id == name) for name in ("lee2018", "raju2021"))
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: pages not tested in a browser")
PHONE, DESK = 390, 1280  # pixels


class Browser:
    """One page of a headless Chromium. `errors` collects its exceptions, console and security messages."""

    def __init__(self, folder: Path):
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        command = [CHROMIUM, *options, f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]
        pipes = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'  # Chromium reads from 3 and writes to 4
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, *command], pass_fds=(commands, answers), stderr=subprocess.DEVNULL
        )
        os.close(commands)
        os.close(answers)
        self._number, self._buffer, self._session, self.errors, self._events = 0, b"", {}, [], []
        (target,) = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self._process.terminate()
        self._process.wait(20)
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method: str, **parameters) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> dict:
        deadline = time.monotonic() + 60
        while b"\0" not in self._buffer:
            assert select.select([self._answers], [], [], deadline - time.monotonic())[0], "Chromium does not answer"
            data = os.read(self._answers, 1 << 20)
            assert data, "Chromium has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        self._events.append(event["method"])
        if event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.errors.append(event["params"])

    def open(self, path: Path, width: int = DESK, scheme: str = "light", media: str = "screen") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", mobile=width == PHONE, **size)
        self.errors.clear()
        self._events.clear()
        assert "errorText" not in self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._note(self._read())

    def ask(self, expression: str):
        """The value of a JavaScript expression on the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        text = {"Enter": "\r", " ": " "}[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text)

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF")["data"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def drawn_less(paper, figures=()):
    return dataclasses.replace(paper, figures=figures)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Every paper, some with invented numbers; lee2018 with a figure and with three numbers of its own corpus."""
    root = tmp_path_factory.mktemp("results")
    undrawn = {"history": {}, "mechanism": None}  # drawing takes seconds
    fabricate(root, LEE, "cnn3d-sta", history={})
    fabricate(root, LEE, "lstm-ta", **undrawn)
    scores = {
        "RMSE": 0.2,
        "CC": 0.49,
        "CCC": 0.45,
    }  # the first is no match, the others of the same row of the table are
    fabricate(root, LEE, "lstm", LEE.corpus, "paper", scores={"devel": {"per_recording": scores}}, **undrawn)
    fabricate_targets(root, RAJU, "aed", **undrawn)
    fabricate_classes(root, CLASSES, "proposed", **undrawn)
    others = [drawn_less(paper) for paper in load_papers() if paper.id != LEE.id]
    suite = (drawn_less(LEE, LEE.figures[1:2]), *others, drawn_less(CLASSES))
    return [evaluation.add_audit(evaluation.evaluate(paper, root)) for paper in suite]


@pytest.fixture(scope="module")
def report(evaluated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.running.options.count_cores", lambda: 1)  # what draws is here already
        build.write(evaluated, folder)
    return folder


def cells_of(evaluated, paper, printed=True):
    return next(entry.cells for entry in evaluated if entry.paper.id == paper.id)


ROWS = """
(() => {  // the rows of the tables of cells as they are seen: label, column, published, verdict
  const rows = [];
  let label;
  for (const row of document.querySelectorAll("#tables tr[data-verdict]")) {
    if (!row.checkVisibility()) continue;
    const cells = [...row.cells].filter((cell) => cell.checkVisibility());
    if (cells.length === 7) label = cells.shift();
    rows.push([label.childNodes[0].textContent.trim(), cells[0].textContent, cells[1].textContent, row.dataset.verdict]);
  }
  return rows;
})()"""


def seen(browser):
    return [(label, column, published.replace("−", "-"), v) for label, column, published, v in browser.ask(ROWS)]


def expected(evaluated, paper, without=()):
    """The same rows from the cells."""
    matrices = {table.id for table in paper.tables if table.confusion}
    cells = [c for c in cells_of(evaluated, paper) if c.published and c.exhibit not in matrices]
    return [(c.row, c.column, c.published, c.verdict) for c in cells if c.verdict not in without]


def column(browser, number, table=0):
    """What stands in a column of one of the tables of cells, from top to bottom."""
    rows = f"document.querySelectorAll('#tables table.cells')[{table}].querySelectorAll('tbody tr')"
    return browser.ask(f"[...{rows}].map((row) => row.cells[{number}].textContent.trim())")


def head(number, table=0):
    return f"document.querySelectorAll('#tables table.cells')[{table}].tHead.rows[0].cells[{number}]"


PAGES = ["index", *(paper.id for paper in load_papers()), CLASSES.id]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_loads_without_an_error_and_fits(browser, report, name, scheme):
    for width in (PHONE, DESK):
        browser.open(report / f"{name}.html", width, scheme)
        assert browser.errors == []
        assert browser.ask("document.scrollingElement.scrollWidth") <= width
        assert browser.ask("[...document.querySelectorAll('th button')].length") > 0  # the script has run


def test_what_is_wide_scrolls_inside_its_box(browser, report):
    browser.open(report / "lee2018.html", PHONE)
    boxes = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth)"
    assert browser.ask(f"{boxes}.length") > 3
    assert browser.ask(f"{boxes}.every((box) => getComputedStyle(box).overflowX === 'auto')")


def test_an_error_would_be_noticed(browser, tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html><script>nothing.there()</script><p style='width: 500px'>wide")
    browser.open(tmp_path / "page.html", PHONE)
    assert "nothing is not defined" in str(browser.errors)
    assert browser.ask("document.scrollingElement.scrollWidth") > PHONE


def test_no_other_script_runs(browser, report, tmp_path):
    text = (report / "index.html").read_text()
    foreign = "<img src='x.png' onerror=\"document.title = 'ran'\"><script>document.title = 'ran'</script>"
    (tmp_path / "index.html").write_text(text.replace("<main>", f"<main>{foreign}"))
    browser.open(tmp_path / "index.html")
    assert browser.ask("document.title") == "Replication report"
    assert "Content Security Policy" in str(browser.errors)


CONTRAST = """
(() => {  // the least contrast of a text with its ground, by WCAG 2, and where
  const channel = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => 0.2126 * channel(c[0] / 255) + 0.7152 * channel(c[1] / 255) + 0.0722 * channel(c[2] / 255);
  const ground = (element) => {
    const colour = read(getComputedStyle(element).backgroundColor);
    return colour[3] === 0 ? ground(element.parentElement) : colour;
  };
  let least = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!written || element.closest("svg, script") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    if (style.opacity !== "1") return [0, "opacity"];
    const [low, high] = [light(read(style.color)), light(ground(element))].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least[0]) least = [ratio, `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`];
  }
  return least;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "lee2018", CLASSES.id])
def test_all_text_can_be_read(browser, report, name, scheme):
    browser.open(report / f"{name}.html", scheme=scheme)
    browser.ask("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    ground = sum(map(int, re.findall(r"\d+", browser.ask("getComputedStyle(document.body).backgroundColor"))))
    assert ground > 600 if scheme == "light" else ground < 150
    ratio, place = browser.ask(CONTRAST)
    assert 4.5 <= ratio < 22, place


def test_rows_are_the_cells(browser, report, evaluated):
    for paper in (LEE, RAJU, CLASSES):
        browser.open(report / f"{paper.id}.html")
        assert seen(browser) == expected(evaluated, paper)


@pytest.mark.parametrize("key", ["Enter", " "])
def test_sort_with_a_key(browser, report, evaluated, key):
    browser.open(report / "lee2018.html")
    before = browser.ask("document.querySelector('#tables').innerText")
    found = []
    for direction in ("ascending", "descending"):
        browser.ask(f"{head(2)}.querySelector('button').focus()")
        browser.press(key)
        assert browser.ask(f"{head(2)}.getAttribute('aria-sort')") == direction
        found.append(list(map(float, column(browser, 2))))
        assert sorted(seen(browser)) == sorted(expected(evaluated, LEE))  # each row with its own label
    assert found[0] == sorted(found[0]) != found[1] == found[0][::-1]
    browser.press(key)
    assert browser.ask(f"{head(2)}.getAttribute('aria-sort')") == "none"
    assert browser.ask("document.querySelector('#tables').innerText") == before and browser.errors == []


def test_sort_knows_minus_and_leaves_what_is_empty_last(browser, report):
    browser.open(report / "lee2018.html")
    everything = ""
    for table, number in itertools.product((0, 1), (3, 4, 5)):  # ours, the interval by its lower end, the difference
        for direction in (1, -1):
            browser.ask(f"{head(number, table)}.querySelector('button').click()")
            shown = column(browser, number, table)
            empty = [text for text in shown if text in ("", "–")]
            numbers = [float(t.replace("−", "-").strip("[]").split(",")[0]) for t in shown if t not in empty]
            assert numbers == sorted(numbers, reverse=direction < 0) and shown[len(numbers) :] == empty
            everything += "".join(shown)
    assert all(sign in everything for sign in "−+–")


def test_sort_of_one_column_ends_that_of_another(browser, report):
    browser.open(report / "lee2018.html")
    for number in (0, 6, 2):
        browser.ask(f"{head(number)}.querySelector('button').click()")
    heads = "document.querySelectorAll('#tables table.cells')[0].tHead.rows[0].cells"
    assert (
        browser.ask(f"[...{heads}].map((head) => head.getAttribute('aria-sort')).filter((s) => s !== 'none').length")
        == 1
    )


def test_index_sorts_its_scorecard(browser, report):
    browser.open(report / "index.html")
    rows = "[...document.querySelectorAll('.scorecard tbody tr')].map((row) => row.cells[2].textContent)"
    browser.ask("document.querySelectorAll('.scorecard th button')[2].click()")
    counts = list(map(int, browser.ask(rows)))
    assert counts == sorted(counts) and len(counts) > len(PAGES) - 1
    last = "[...document.querySelectorAll('.scorecard tr')].at(-1).textContent"
    assert browser.ask(last).startswith("All papers")


@pytest.mark.parametrize("order", ["printed", "sorted"])
def test_filter_by_verdict(browser, report, evaluated, order):
    browser.open(report / "lee2018.html")
    if order == "sorted":
        browser.ask("document.querySelectorAll('#tables .cells th:nth-child(3) button').forEach((b) => b.click())")
    before = browser.ask("document.querySelector('#tables').innerText")
    boxes = browser.ask("[...document.querySelectorAll('.filter input')].map((box) => box.value)")
    total = len(expected(evaluated, LEE))
    assert set(boxes) == {verdict for *_, verdict in expected(evaluated, LEE)} and len(boxes) == 4
    for place, verdict in enumerate(boxes):
        browser.ask(f"document.querySelectorAll('.filter input')[{place}].focus()")
        browser.press(" ")
        left = expected(evaluated, LEE, without=[verdict])
        assert sorted(seen(browser)) == sorted(left) and (order == "sorted" or seen(browser) == left)
        assert (
            browser.ask("document.querySelector('.filter output').textContent")
            == f"{total - len(left)} of {total} hidden"
        )
        browser.press(" ")
        assert browser.ask("document.querySelector('#tables').innerText") == before
    assert browser.errors == []


def test_filter_reaches_the_entries_of_a_matrix(browser, report):
    browser.open(report / f"{CLASSES.id}.html")
    entries = "[...document.querySelectorAll('.confusion tbody td')]"
    assert browser.ask(f"{entries}.every((entry) => entry.innerText.trim())")
    browser.ask("document.querySelectorAll('.filter input').forEach((box) => box.click())")
    assert browser.ask(f"{entries}.map((entry) => entry.innerText.trim()).join('')") == ""
    assert browser.ask(f"{entries}.every((entry) => entry.offsetWidth > 0)")  # the others stay where they were
    shown = browser.ask("document.querySelector('.filter output').textContent").split()
    assert shown[0] == shown[2]


def test_on_paper_nothing_is_hidden(browser, report):
    browser.open(report / "lee2018.html", scheme="dark")
    browser.ask("document.querySelectorAll('.filter input').forEach((box) => box.click())")
    state = "[document.querySelectorAll('tr[hidden]').length, document.querySelectorAll('details[open]').length]"
    before = browser.ask(state)
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(state) == [0, browser.ask("document.querySelectorAll('details').length")]
    browser.ask("dispatchEvent(new Event('afterprint'))")
    assert browser.ask(state) == before and before[0] > 0 and before[1] == 0


@pytest.mark.parametrize("name", PAGES)
def test_printed_page_is_light_and_fits(browser, report, name):
    width = 718  # an A4 sheet less its margins, in pixels
    browser.open(report / f"{name}.html", width, "dark", "print")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.body).color") == "rgb(31, 36, 48)"  # the light scheme's ink
    controls = "[...document.querySelectorAll('nav, .filter, .files')]"
    assert browser.ask(f"{controls}.every((control) => !control.checkVisibility())")
    browser.ask("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert browser.ask("document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["index", "lee2018"])
def test_print_gives_pages(browser, report, name):
    browser.open(report / f"{name}.html", scheme="dark")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", printed)) > 1
