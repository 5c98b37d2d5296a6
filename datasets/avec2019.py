"""AVEC 2019 Cross-cultural Emotion Sub-challenge (CES): SEWA in German (DE) and Hungarian (HU).

Layout as distributed, AVEC2019_CES_traindevel/ or AVEC2019_CES_traindeveltest/:

    audio/Train_DE_01.wav   video/Train_DE_01.avi   labels/Train_DE_01.csv   <features>/Train_DE_01.csv

with stems Train_{DE,HU}_01..34 and Devel_{DE,HU}_01..14. Test recordings are passed over: their labels are not
released. The second part of the module reads what the organisers made public: the labels of the development
partition and the predictions of their baseline systems for it.
"""

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from common.errors import InputError
from datasets import avec2017, openface
from datasets.avec2017 import LABEL_HOP, Labels, read_labels
from datasets.tables import check_time, read_lines, read_numbers

CULTURES = ("DE", "HU")
PARTITIONS = {"Train": 34, "Devel": 14}  # recordings of each culture
TARGETS = avec2017.LABELS
MEDIA = ("audio", "video")
FEATURES = {  # kind -> names of its folder, in any case; the first that is there is taken
    "egemaps": ("audio_features_egemaps",),
    "mfcc": ("audio_features_mfcc",),
    "aus": ("visual_features",),
    "egemaps_functionals": ("audio_features_egemaps_functionals",),
    "mfcc_functionals": ("audio_features_mfcc_functionals",),
    "aus_functionals": ("visual_features_functionals",),
    "egemaps_bags": ("audio_features_egemaps_xbow",),
    "mfcc_bags": ("audio_features_mfcc_xbow", "audio_features_xbow"),  # the second is the name of 2018
    "aus_bags": ("visual_features_xbow",),
    # no file of the organisers confirms the names of the deep features: these are the ones of their other tasks
    "deepspectrum_vgg16": ("audio_features_deepspectrum_vgg16", "audio_features_deepspectrum"),
    "deepspectrum_alexnet": ("audio_features_deepspectrum_alexnet",),
    "deepspectrum_densenet121": ("audio_features_deepspectrum_densenet121",),
    "deepspectrum_densenet201": ("audio_features_deepspectrum_densenet201",),
    "affwild_vgg16": ("visual_features_vgg", "visual_features_vgg16"),
    "affwild_resnet50": ("visual_features_resnet", "visual_features_resnet50"),
    "openface": ("openface",),  # not distributed: the CSV files of OpenFace itself
}
SLACK = avec2017.SLACK  # seconds by which features may begin later, and end earlier or later, than the labels
ACCESS = (
    "SEWA is licensed: sign the end-user agreement at db.sewaproject.eu and ask the organisers of AVEC 2019 for "
    "AVEC2019_CES_traindevel; `--corpus simulated` needs nothing, `--corpus avec2019-public` what "
    "`python -m datasets.fetch avec2019` downloads"
)

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

_FEATURE_FILE = re.compile(r"((?:Train|Devel)_(?:DE|HU)_\d\d)(?:_vgg|_res)?\.(?:csv|txt)")


@dataclass(frozen=True)
class Recording:
    """The files of one recording; `features`: kind -> file, for those that are there."""

    name: str
    partition: str
    culture: str
    audio: Path
    video: Path
    labels: Path
    features: dict[str, Path]


@dataclass(frozen=True)
class Table:
    """A feature file: time (n,) seconds, or None where the file has none; values (n, d) float32; names of its columns.

    A file without time is on the label grid; one without a header has no names.
    """

    time: np.ndarray | None
    values: np.ndarray
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Public:
    """Development labels by recording, and predictions (n, 3) float64, TARGETS, by system (SYSTEMS) and recording."""

    labels: dict[str, Labels]
    predictions: dict[str, dict[str, np.ndarray]]


def recordings(root: Path, partitions: tuple[str, ...] = ("Train", "Devel")) -> list[Recording]:
    """All recordings that `partitions` should have, by partition, culture and number, whether or not they are there.

    Raises InputError when `root` is not this corpus, or has no recording of one of the partitions.
    """
    root = locate(root)
    features = _features(root)
    there = _stems(root, features)
    found = []
    for partition in partitions:
        stems = _expected_stems(root, partition)
        if there.isdisjoint(stems):
            raise InputError(f"{root}: no {partition}_DE_NN recordings; see `python -m datasets.check avec2019 {root}`")
        found += [_recording(root, stem, features) for stem in stems]
    return found


def expected(root: Path) -> dict[str, int]:
    """Partition -> recordings of each culture: the challenge's, or those that the simulator noted."""
    made = simulation(root)
    return {"Train": made["train"], "Devel": made["devel"]} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of that layout just below it (archives unpack into one of their own)."""
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder that holds labels/ and audio/ or features")
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if (folder / "labels").is_dir() and ((folder / "audio").is_dir() or _folders(folder)):
            return folder
    raise InputError(f"{root}: not the layout of AVEC 2019 CES (labels/, audio/, video/, feature folders); {ACCESS}")


def simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return avec2017.read_marker(locate(root))


def read_features(path: Path) -> Table:
    """Read a feature file in any of the challenge's dialects, told apart by the first line as the organisers do.

    A header begins with `name`; the separator is `,` if there is a comma, else `;`; a line begins with name and time,
    unless its first field is a number (deep visual features).
    Raises InputError, naming line and column, for lines of unequal length (a header and rows with different
    separators are that too), a field that is no number, NaN, and a time that does not go on in equal steps.
    """
    time, values, columns = _read_table(path)
    return Table(time, values.astype(np.float32), columns)


def label_matrix(labels: Labels) -> np.ndarray:
    """The labels as an array (n, 3), in the order of TARGETS."""
    return np.stack([getattr(labels, target) for target in TARGETS], axis=1)


def fit_length(prediction: np.ndarray, length: int, name: str) -> np.ndarray:
    """`prediction` (n, k) in the length of the gold standard, as the organisers' evaluation has it.

    A longer one is cropped; a shorter one repeats its last row, with a warning. Raises InputError for an empty one.
    """
    if len(prediction) == 0:
        raise InputError(f"{name}: the prediction has no rows; predict it again")
    if len(prediction) < length:
        warnings.warn(f"{name}: {len(prediction)} predictions for {length} labels; the last is repeated", stacklevel=2)
    return prediction[np.minimum(np.arange(length), len(prediction) - 1)]


def check_length(path: Path, features: Table | openface.Faces, labels: Labels) -> None:
    """Raise InputError where `features`, read from `path`, begin or end more than SLACK away from `labels`."""
    time = features.time if features.time is not None else LABEL_HOP * np.arange(len(features.values))
    if time[0] > SLACK or abs(time[-1] - labels.time[-1]) > SLACK:
        raise InputError(
            f"{path}: covers {time[0]:.1f} to {time[-1]:.1f} s, its labels 0.0 to {labels.time[-1]:.1f} s; "
            f"extract it again or restore it from the distribution"
        )


def missing(recording: Recording, kinds: tuple[str, ...] = MEDIA) -> list[str]:
    """What of the labels and of `kinds` (MEDIA, FEATURES) the recording does not have, one line each."""
    root = recording.labels.parent.parent
    folders = _folders(root)
    files = [recording.labels] + [getattr(recording, kind) for kind in kinds if kind in MEDIA]
    return [f"{path}: missing" for path in files if not path.exists()] + [
        f"{folders.get(kind, root / FEATURES[kind][0]) / recording.name}.csv: missing"
        for kind in kinds
        if kind not in MEDIA and kind not in recording.features
    ]


def count(root: Path) -> dict[str, int]:
    """Partition and culture -> number of recordings of which at least one file is there."""
    root = locate(root)
    there = _stems(root, _features(root))
    return {
        f"{partition} {culture}": sum(stem.startswith(f"{partition}_{culture}_") for stem in there)
        for partition in PARTITIONS
        for culture in CULTURES
    }


def check(root: Path) -> list[str]:
    """What is missing or unreadable below `root`, one line each; empty when the corpus is whole.

    A kind of features counts as part of the corpus as soon as one recording has it.
    """
    from tqdm import tqdm

    root = locate(root)
    features = _features(root)
    kinds = tuple(kind for kind, files in features.items() if files)
    stems = [stem for partition in PARTITIONS for stem in _expected_stems(root, partition)]
    problems = []
    for stem in tqdm(stems, desc="checking", unit="recording", leave=False, disable=None):
        recording = _recording(root, stem, features)
        problems += missing(recording, MEDIA + kinds)
        labels = avec2017.attempt(read_labels, recording.labels, problems)
        problems += avec2017.media_problems(recording, labels)
        for kind, path in recording.features.items():
            avec2017.attempt(lambda path, kind=kind, labels=labels: _check_features(path, kind, labels), path, problems)
    return problems


def _check_features(path: Path, kind: str, labels: Labels | None) -> None:
    features = openface.read(path) if kind == "openface" else read_features(path)
    if labels is not None:
        check_length(path, features, labels)


# the public part


def find_public(cache: Path) -> Path:
    """The folder of the public files: below $AVEMOTION_DATA if it has them, else in `cache`. Raises InputError."""
    given = os.environ.get("AVEMOTION_DATA")
    folders = ([Path(given) / "avec2019"] if given else []) + [Path(cache) / "public" / "avec2019"]
    for folder in folders:
        if any((place / "labels_devel").is_dir() for place in (folder, folder / PUBLIC)):
            return folder
    raise InputError(f"{folders[-1]}: no public files of AVEC 2019; get them with `python -m datasets.fetch avec2019`")


def locate_public(root: Path) -> Path:
    """The folder with labels_devel/ and baseline_predictions/, where `root` is it or the repository. InputError."""
    for folder in (Path(root), Path(root) / PUBLIC):
        if (folder / "labels_devel").is_dir():
            return folder
    raise InputError(f"{root}: has no {PUBLIC}/labels_devel; get it with `python -m datasets.fetch avec2019`")


def read_public(root: Path) -> Public:
    """Labels of the 28 development recordings and the ten systems' predictions, in the length of the labels.

    `root`: the repository or its Baseline_systems/CES. Raises InputError for a file that is missing or damaged.
    """
    folder = locate_public(root)
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


def count_public(root: Path) -> dict[str, int]:
    """Number of label files and of prediction files."""
    folder = locate_public(root)
    return {
        "labels": len(list(folder.glob("labels_devel/Devel_*.csv"))),
        "predictions": sum(
            len(list(folder.glob(f"baseline_predictions/predictions_{s}/Devel_*.csv"))) for s in SYSTEMS
        ),
    }


def check_public(root: Path) -> list[str]:
    """The public files that are missing or not the organisers' (SHA-256), one line each."""
    from datasets import fetch

    folder = locate_public(root)
    return [
        problem
        for path, sha256 in fetch.manifest("avec2019").items()
        if (problem := fetch.problem(folder / PurePosixPath(path).relative_to(PUBLIC), sha256))
    ]


def _read_prediction(path: Path, labels: Labels) -> np.ndarray:
    time, values, columns = _read_table(path)
    if values.shape[1] != len(TARGETS) or columns not in ((), TARGETS):
        raise InputError(f"{path}: has other columns than name;timestamp;{';'.join(TARGETS)}; download it again")
    return fit_length(values, len(labels.time), str(path))


def _read_table(path: Path) -> tuple[np.ndarray | None, np.ndarray, tuple[str, ...]]:
    """As `read_features`, with values in float64."""
    lines = read_lines(path)
    separator = "," if "," in lines[0][1] else ";"
    first = [field.strip() for field in lines[0][1].split(separator)]
    header = first[0].startswith("name")
    leading = 0 if _is_number(first[0]) else 2  # name and time
    if len(first) <= leading:
        raise InputError(f"{path}: line 1 has no features beside name and time; restore it from the distribution")
    columns = first if header else [str(number) for number in range(1, len(first) + 1)]
    used = list(range(max(leading - 1, 0), len(first)))
    values = read_numbers(path, lines[header:], separator, columns, used)
    if not leading:
        return None, values, ()
    check_time(path, values[:, 0])
    return values[:, 0], values[:, 1:], tuple(first[leading:]) if header else ()


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _expected_stems(root: Path, partition: str) -> list[str]:
    numbers = range(1, expected(root).get(partition, 0) + 1)
    return [f"{partition}_{culture}_{number:02d}" for culture in CULTURES for number in numbers]


def _folders(root: Path) -> dict[str, Path]:
    """Kind -> the feature folder in `root`."""
    there = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    return {
        kind: next(there[name] for name in names if name in there)
        for kind, names in FEATURES.items()
        if not there.keys().isdisjoint(names)
    }


def _features(root: Path) -> dict[str, dict[str, Path]]:
    """Kind -> stem -> feature file."""
    return {
        kind: {match[1]: path for path in sorted(folder.iterdir()) if (match := _FEATURE_FILE.fullmatch(path.name))}
        for kind, folder in _folders(root).items()
    }


def _stems(root: Path, features: dict[str, dict[str, Path]]) -> set[str]:
    named = {stem for files in features.values() for stem in files}
    return named | {path.stem for folder in ("audio", "video", "labels") for path in (root / folder).glob("*_*_*.*")}


def _recording(root: Path, stem: str, features: dict[str, dict[str, Path]]) -> Recording:
    partition, culture, _ = stem.split("_")
    return Recording(
        name=stem,
        partition=partition,
        culture=culture,
        audio=root / "audio" / f"{stem}.wav",
        video=root / "video" / f"{stem}.avi",
        labels=root / "labels" / f"{stem}.csv",
        features={kind: files[stem] for kind, files in features.items() if stem in files},
    )
