"""With what a result is made: versions, processor, commit."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from common import storage


def collect() -> dict:
    """Versions, processor and commit with which a result is made."""

    def git(*arguments: str) -> str | None:
        here = Path(__file__).parent
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    packages = (
        *("tensorflow", "keras", "numpy", "scipy", "scikit-learn"),
        *("opensmile", "dlib-bin", "opencv-python-headless", "av", "praat-parselmouth"),
    )
    status = git("status", "--porcelain")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(status) if status is not None else None,
        "python": platform.python_version(),
        **{package: version for package in packages if (version := storage.find_version(package))},
        "processor": read_processor(),
        "threads": int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0)) or os.cpu_count(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
    }


def read_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
