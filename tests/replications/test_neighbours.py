"""Other people's packages called `common` or `datasets` that come first: one line and code 3, or no harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REMEDY = "run the suite from its own folder, or install it in an environment of its own"


def put_package(folder: Path, name: str) -> Path:
    file = folder / name / "__init__.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("def load_dataset(path): ...\n")
    return file


def call(*words, folder: Path = ROOT, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["replications.lee2018.run", "reports.build"])
@pytest.mark.parametrize("name", ["common", "datasets"])
def test_another_package_that_comes_first_is_named(tmp_path, name, module):
    file = put_package(tmp_path, name)
    answer = call("-m", module, "--help", folder=tmp_path, path=(ROOT,))
    assert answer.returncode == 3 and answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {file}: is no package {name} of this suite") and line.endswith(REMEDY)


@pytest.mark.parametrize("module", ["replications.lee2018.run", "reports.build"])
def test_in_its_folder_the_suite_comes_first(tmp_path, module):
    put_package(tmp_path, "datasets")
    put_package(tmp_path, "common")
    assert call("-m", module, "--help", path=(tmp_path,)).returncode == 0


@pytest.mark.parametrize("name", ["common", "datasets"])
def test_a_package_that_pip_has_written_over_ours_is_named(tmp_path, name):
    for ours in ("common", "datasets", "replications"):
        (tmp_path / ours).mkdir()
        shutil.copy(ROOT / ours / "__init__.py", tmp_path / ours)
    assert call("-c", "import replications", folder=tmp_path).returncode == 0
    file = put_package(tmp_path, name)
    answer = call("-c", "import replications", folder=tmp_path)
    assert answer.returncode == 3 and answer.stderr.startswith(f"error: {file}: ")
    file.unlink()  # of a folder alone Python makes a package without a file
    answer = call("-c", "import replications", folder=tmp_path)
    assert answer.returncode == 3 and answer.stderr.startswith(f"error: {file.parent}: ")


def test_pytest_finds_the_suite_first_unless_a_plugin_has_brought_the_other(tmp_path):
    file = put_package(tmp_path, "datasets")
    words = ("-P", "-m", "pytest", "--collect-only", "-q", "tests/common/test_splits.py")
    assert call(*words, path=(tmp_path,)).returncode == 0
    answer = call(*words, "-p", "datasets", path=(tmp_path,))
    assert answer.returncode != 0 and f"error: {file}: " in answer.stderr
