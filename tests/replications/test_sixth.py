"""A sixth paper from its paper.toml to its page in the report: what replications/README.md says is all that it takes."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = (ROOT / "replications" / "README.md").read_text()


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    """The suite with one room, the sixth."""
    root = tmp_path_factory.mktemp("suite")
    caches = shutil.ignore_patterns("__pycache__")
    for part in ("common", "datasets"):
        shutil.copytree(ROOT / part, root / part, ignore=caches)
    shutil.copytree(ROOT / "reports", root / "reports", ignore=shutil.ignore_patterns("__pycache__", "results"))
    (root / "replications").mkdir()
    for module in (ROOT / "replications").glob("*.py"):
        shutil.copy(module, root / "replications")
    shutil.copytree(HERE / "sixth", root / "replications" / "sixth", ignore=caches)
    return root


RUN = "replications.sixth.run --cache cache --jobs 1"
CALLS = (RUN, RUN, "replications.architectures sixth", "reports.build")
# each as `python -m` has it, in one process, which imports Keras once
SCRIPT = """
import runpy, sys
sys.path.insert(0, "")
for command in sys.argv[1:]:
    sys.argv = command.split()
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
    print("END")
"""


def call(suite: Path, *commands: str) -> list[str]:
    """What each of the commands prints."""
    command = [sys.executable, "-c", SCRIPT, *commands]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("END\n")[:-1]


def test_its_run_its_network_and_its_report(suite):
    first, second, networks, report = call(suite, *CALLS)
    assert re.search(r"LSTM +CCC +0\.300 +-?0\.\d{3} .* NOT_COMPARABLE", first), first
    assert second.startswith("0 of 1 results computed, 1 were there")
    assert "sixth/architectures.json: lstm" in networks
    assert "sixth: 1 printed numbers: " in report
    (cell,) = csv.DictReader((suite / "report" / "cells.csv").open())
    assert (cell["paper"], cell["published"], cell["verdict"]) == ("sixth", "0.300", "NOT_COMPARABLE")
    assert cell["evidence"] == "simulated" and cell["ours"]
    page = (suite / "report" / "sixth.html").read_text()
    assert "The Louder, the More Aroused" in page and "Batches" in page
    assert "4 recordings</summary>" in page and "without a face" not in page  # nobody looked for one
    assert (suite / "report" / "figures" / "sixth-figure1.svg").is_file()


def test_the_page_names_every_file_of_the_room(suite):
    for path in (HERE / "sixth").iterdir():
        assert path.name in ("__init__.py", "__pycache__") or f"`{path.name}`" in PAGE, path.name


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:common|datasets|reports|replications)/[\w/.]+)`", PAGE))))
def test_the_page_names_nothing_that_is_not_there(name):
    assert (ROOT / name).exists()


def test_all_rooms_have_the_files_that_the_page_says_all_have():
    rooms = [path.parent for path in (ROOT / "replications").glob("*/paper.toml")]
    files = re.findall(r"^\| \d+ \| `([\w.]+)`", PAGE, re.MULTILINE)
    assert len(rooms) == 5 and len(files) > 5
    assert [str(room / name) for room in rooms for name in files if not (room / name).exists()] == []
