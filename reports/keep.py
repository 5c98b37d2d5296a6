"""`python -m reports.keep`: make the study in your results the one that comes with the suite.

The result files of each paper's study go to reports/results, in place of those that are there: predictions in half
precision, what only figures need of the first seed alone. Scores stay as they are; that they still follow from the
predictions is checked before anything is replaced.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.running import cli

LARGEST = 40e6  # bytes of all that comes with the suite
PREDICTIONS = ("gold", "raw", "post")  # the arrays from which scores are computed
PROFILE = "study"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m reports.keep", description=__doc__.partition(".\n")[0])
    parser.add_argument("papers", nargs="*", metavar="PAPER", help="by default all that have a study")
    parser.add_argument("--force", action="store_true", help="even where it lacks what came with the suite until now")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    options = parser.parse_args(arguments)
    from common.evidence.reading import load_papers  # numpy loads in seconds, --help should not
    from reports.evaluation import COMMITTED

    suite = {paper.id: paper for paper in load_papers()}
    if unknown := [name for name in options.papers if name not in suite]:
        parser.error(f"{unknown[0]} is no paper of the suite; there are {', '.join(suite)}")
    kept = {paper: keep(suite[paper], options.results, COMMITTED, options.force) for paper in options.papers or suite}
    for paper, count in kept.items():
        print(f"{paper}: {count} result files" if count else f"{paper}: no study in {options.results}, left as it was")
    return 0


def keep(paper, results_folder: Path, committed: Path, force: bool = False) -> int:
    """Replace the study of `paper` in the folder `committed`; returns how many result files there are now, or 0.

    Raises InputError: a damaged result file, scores that do not follow from what would be kept, too much of it, or,
    without `force`, less than was there.
    """
    from common import results
    from common.evidence.runs import check_files
    from reports.check import list_unsound
    from reports.evaluation import evaluate, name_result

    files = [f for f in check_files(results.find(results_folder, paper.id)) if f[1]["profile"] == PROFILE]
    if not files:
        return 0
    there = [f for f in check_files(results.find(committed, paper.id)) if f[1]["profile"] == PROFILE]
    lost = set(map(name_result, there)) - set(map(name_result, files))
    if lost and not force:
        name = "/".join(map(str, min(lost)))
        raise InputError(
            f"{results_folder}: the study of {paper.id} is not whole, {name} is missing; run it, or add --force"
        )
    with tempfile.TemporaryDirectory(dir=committed.parent, prefix=".keep-") as scratch:
        for path, record in files:
            arrays = shrink(results.read_arrays(path, record), record["seed"] == min(r["seed"] for _, r in files))
            results.write(Path(scratch, *path.parts[-6:]), record, arrays)
        if unsound := list_unsound(paper, evaluate(paper, Path(scratch)).cells):
            raise InputError(f"{results_folder}: {unsound[0]}")
        places = [path for path in (committed / paper.id).glob(f"*/{PROFILE}")]
        size = measure(committed) - sum(map(measure, places)) + measure(Path(scratch))
        if size > LARGEST:
            raise InputError(
                f"{results_folder}: {size / 1e6:.0f} MB would come with the suite, at most {LARGEST / 1e6:.0f} may"
            )
        for place in places:
            shutil.rmtree(place)
        for corpus in Path(scratch, paper.id).iterdir():
            (committed / paper.id / corpus.name).mkdir(parents=True, exist_ok=True)
            os.replace(corpus / PROFILE, committed / paper.id / corpus.name / PROFILE)
    return len(files)


def shrink(arrays: dict[str, np.ndarray], first: bool) -> dict[str, np.ndarray]:
    """Predictions and maps in half precision; of other seeds than the first what scores are computed from."""
    chosen = {name: array for name, array in arrays.items() if first or is_prediction(name)}
    return {name: halve(array, exact=is_prediction(name)) for name, array in chosen.items()}


def halve(array: np.ndarray, exact: bool) -> np.ndarray:
    """Numbers in half precision, but no time series of figures.

    Nor, where scores are to follow from them (`exact`), what moves too little for it: what is nearly constant.
    """
    if array.dtype.kind != "f" or not array.size or not (exact or array.ndim > 1):
        return array
    small = array.astype(np.float16)
    lost = np.abs(small.astype(np.float64) - array).max()
    return array if exact and lost > array.std() / 1000 else small


def is_prediction(name: str) -> bool:
    return name.partition("/")[0] in PREDICTIONS


def measure(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
