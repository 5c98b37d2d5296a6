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


def call(suite: Path, *words: str) -> str:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(suite: Path) -> str:
    return call(suite, "replications.sixth.run", "--cache", "cache", "--jobs", "1")


def test_its_run_its_network_and_its_report(suite):
    assert re.search(r"LSTM +CCC +0\.300 +-?0\.\d{3} .* NOT_COMPARABLE", out := run(suite)), out
    assert run(suite).startswith("0 of 1 results computed, 1 were there")
    assert "sixth/architectures.json: lstm" in call(suite, "replications.architectures", "sixth")
    assert "sixth: 1 printed numbers: " in call(suite, "reports.build")
    (cell,) = csv.DictReader((suite / "report" / "cells.csv").open())
    assert (cell["paper"], cell["published"], cell["verdict"]) == ("sixth", "0.300", "NOT_COMPARABLE")
    assert cell["evidence"] == "simulated" and cell["ours"]
    page = (suite / "report" / "sixth.html").read_text()
    assert "The Louder, the More Aroused" in page and "Batches" in page
    assert "8 recordings</summary>" in page and "without a face" not in page  # nobody looked for one
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
