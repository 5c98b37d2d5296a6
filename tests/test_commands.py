"""Every command of the suite: its --help comes at once, without the packages that take seconds to load."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("tensorflow", "tensorflow_io", "keras", "sklearn", "scipy", "pandas", "matplotlib", "distributed"),
    *("cv2", "dlib", "av", "opensmile", "parselmouth", "h5py"),
)
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("replications", "datasets", "reports", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "argparse" in (text := path.read_text()) and "__main__" in text
)


def test_all_commands_are_found():
    papers = ("chao2016", "lee2018", "priyasad2019", "raju2021", "wang2017")
    named = [f"replications.{paper}.run" for paper in papers] + ["reports.build", "datasets.simulate", "datasets.check"]
    assert set(named) < set(COMMANDS) and len(COMMANDS) >= 14


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command):
    program = (
        "import atexit, runpy, sys\n"
        "sys.argv = ['', '--help']\n"
        f"atexit.register(lambda: print('LOADED', *sorted({set(HEAVY)!r} & set(sys.modules))))\n"
        f"runpy.run_module({command!r}, run_name='__main__', alter_sys=True)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.startswith(f"usage: python -m {command}")
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert spent < 2  # seconds of the processor's time; a third is usual, more where nothing was compiled before
