"""What the organisers of AVEC 2019 made public: labels of its development recordings, and ten systems' predictions.

Layout of their repository AVEC2019, of which `python -m datasets.fetch avec2019` brings the part that is read:

    Baseline_systems/CES/labels_devel/Devel_DE_01.csv
    Baseline_systems/CES/baseline_predictions/predictions_svr/Devel_DE_01.csv
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from common.errors import InputError
from datasets.avec2019 import CULTURES, PARTITIONS, read_table
from datasets.sewa import TARGETS, Labels, read_labels

ACCESS = "`python -m datasets.fetch avec2019` downloads what is not there"
PUBLIC = PurePosixPath("Baseline_systems/CES")  # in the organisers' repository AVEC2019
SYSTEMS = (  # in the order in which the organisers' fuse_results.py stacks them, then the fusion
    "egemaps-func_STD",
    "egemaps-xbow",
    "mfcc-func_STD",
    "mfcc-xbow",
    "deepspectrum",
    "visual-func",
    "visual-xbow",
    "visual-resnet",
    "visual-vgg",
    "svr",
)


@dataclass(frozen=True)
class Public:
    """Development labels by recording, and predictions (n, 3) float64, TARGETS, by system (SYSTEMS) and recording."""

    labels: dict[str, Labels]
    predictions: dict[str, dict[str, np.ndarray]]


def find(cache: Path) -> Path:
    """The folder of the public files: below $AVEMOTION_DATA if it has them, else in `cache`. Raises InputError."""
    given = os.environ.get("AVEMOTION_DATA")
    folders = ([Path(given) / "avec2019"] if given else []) + [Path(cache) / "public" / "avec2019"]
    for folder in folders:
        if any((place / "labels_devel").is_dir() for place in (folder, folder / PUBLIC)):
            return folder
    raise InputError(f"{folders[-1]}: no public files of AVEC 2019; get them with `python -m datasets.fetch avec2019`")


def locate(root: Path) -> Path:
    """The folder with labels_devel/ and baseline_predictions/, where `root` is it or the repository. InputError."""
    for folder in (Path(root), Path(root) / PUBLIC):
        if (folder / "labels_devel").is_dir():
            return folder
    raise InputError(f"{root}: has no {PUBLIC}/labels_devel; get it with `python -m datasets.fetch avec2019`")


def read(root: Path) -> Public:
    """Labels of the 28 development recordings and the ten systems' predictions, in the length of the labels.

    `root`: the repository or its Baseline_systems/CES. Raises InputError for a file that is missing or damaged.
    """
    folder = locate(root)
    names = [f"Devel_{culture}_{number:02d}" for culture in CULTURES for number in range(1, PARTITIONS["Devel"] + 1)]
    labels = {name: read_labels(folder / "labels_devel" / f"{name}.csv") for name in names}
    predictions = {
        system: {
            name: _read_prediction(
                folder / "baseline_predictions" / f"predictions_{system}" / f"{name}.csv", labels[name]
            )
            for name in names
        }
        for system in SYSTEMS
    }
    return Public(labels, predictions)


def read_simulation(root: Path) -> None:
    """None: these files are real. Raises InputError when they are not in `root`."""
    locate(root)


def count(root: Path) -> dict[str, int]:
    """Number of label files and of prediction files."""
    folder = locate(root)
    return {
        "labels": len(list(folder.glob("labels_devel/Devel_*.csv"))),
        "predictions": sum(
            len(list(folder.glob(f"baseline_predictions/predictions_{s}/Devel_*.csv"))) for s in SYSTEMS
        ),
    }


def check(root: Path) -> list[str]:
    """The public files that are missing or not the organisers' (SHA-256), one line each."""
    from datasets import fetch

    folder = locate(root)
    return [
        problem
        for path, sha256 in fetch.read_manifest("avec2019").items()
        if (problem := fetch.find_problem(folder / PurePosixPath(path).relative_to(PUBLIC), sha256))
    ]


def fit_length(prediction: np.ndarray, length: int, name: str) -> np.ndarray:
    """`prediction` (n, k) in the length of the gold standard, as the organisers' evaluation has it.

    A longer one is cropped; a shorter one repeats its last row, with a warning. Raises InputError for an empty one.
    """
    if len(prediction) == 0:
        raise InputError(f"{name}: the prediction has no rows; predict it again")
    if len(prediction) < length:
        warnings.warn(f"{name}: {len(prediction)} predictions for {length} labels; the last is repeated", stacklevel=2)
    return prediction[np.minimum(np.arange(length), len(prediction) - 1)]


def _read_prediction(path: Path, labels: Labels) -> np.ndarray:
    time, values, columns = read_table(path)
    if values.shape[1] != len(TARGETS) or columns not in ((), TARGETS):
        raise InputError(f"{path}: has other columns than name;timestamp;{';'.join(TARGETS)}; download it again")
    return fit_length(values, len(labels.time), str(path))
