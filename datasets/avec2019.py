"""AVEC 2019 Cross-cultural Emotion Sub-challenge (CES): SEWA in German (DE) and Hungarian (HU).

Layout as distributed, AVEC2019_CES_traindevel/ or AVEC2019_CES_traindeveltest/:

    audio/Train_DE_01.wav   video/Train_DE_01.avi   labels/Train_DE_01.csv   <features>/Train_DE_01.csv

with stems Train_{DE,HU}_01..34 and Devel_{DE,HU}_01..14. Test recordings are passed over: their labels are not
released. What the organisers made public is read by datasets.avec2019_public.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from datasets import layout, openface
from datasets.sewa import LABEL_HOP, TARGETS, Labels, read_labels
from datasets.tables import check_time, read_lines, read_numbers

CULTURES = ("DE", "HU")
PARTITIONS = {"Train": 34, "Devel": 14}  # recordings of each culture
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
SLACK = 1.0  # seconds by which features may begin later, and end earlier or later, than the labels
ACCESS = (
    "SEWA is licensed: sign the end-user agreement at db.sewaproject.eu and ask the organisers of AVEC 2019 for "
    "AVEC2019_CES_traindevel; `--corpus simulated` needs nothing, `--corpus avec2019-public` what "
    "`python -m datasets.fetch avec2019` downloads"
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


def list_recordings(root: Path, partitions: tuple[str, ...] = ("Train", "Devel")) -> list[Recording]:
    """All recordings that `partitions` should have, by partition, culture and number, whether or not they are there.

    Raises InputError when `root` is not this corpus, or has no recording of one of the partitions.
    """
    root = locate(root)
    features = _find_features(root)
    there = _find_stems(root, features)
    stems = layout.choose_partitions(_name_stems(root), partitions, there.__contains__, root, "avec2019")
    return [_name_files(root, stem, features) for stem in stems]


def count_expected(root: Path) -> dict[str, int]:
    """Partition -> recordings of each culture: the challenge's, or those that the simulator noted."""
    made = read_simulation(root)
    return {"Train": made["train"], "Devel": made["devel"]} if made else PARTITIONS


def locate(root: Path) -> Path:
    """`root`, or the folder of that layout just below it (archives unpack into one of their own)."""
    return layout.find_root(
        root,
        lambda folder: (folder / "labels").is_dir() and ((folder / "audio").is_dir() or bool(_find_folders(folder))),
        f"AVEC 2019 CES (labels/, audio/, video/, feature folders); {ACCESS}",
    )


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus."""
    return layout.read_marker(locate(root), train=int, devel=int, control=str)


def read_features(path: Path) -> Table:
    """Read a feature file in any of the challenge's dialects, told apart by the first line as the organisers do.

    A header begins with `name`; the separator is `,` if there is a comma, else `;`; a line begins with name and time,
    unless its first field is a number (deep visual features).
    Raises InputError, naming line and column, for lines of unequal length (a header and rows with different
    separators are that too), a field that is no number, NaN, and a time that does not go on in equal steps.
    """
    time, values, columns = read_table(path)
    return Table(time, values.astype(np.float32), columns)


def stack_labels(labels: Labels) -> np.ndarray:
    """The labels as an array (n, 3), in the order of TARGETS."""
    return np.stack([getattr(labels, target) for target in TARGETS], axis=1)


def check_length(path: Path, features: Table | openface.Faces, labels: Labels) -> None:
    """Raise InputError where `features`, read from `path`, begin or end more than SLACK away from `labels`."""
    time = features.time if features.time is not None else LABEL_HOP * np.arange(len(features.values))
    if time[0] > SLACK or abs(time[-1] - labels.time[-1]) > SLACK:
        raise InputError(
            f"{path}: covers {time[0]:.1f} to {time[-1]:.1f} s, its labels 0.0 to {labels.time[-1]:.1f} s; "
            f"extract it again or restore it from the distribution"
        )


def list_missing(recording: Recording, kinds: tuple[str, ...] = MEDIA) -> list[str]:
    """What of the labels and of `kinds` (MEDIA, FEATURES) the recording does not have, one line each."""
    root = recording.labels.parent.parent
    folders = _find_folders(root)
    files = [recording.labels] + [getattr(recording, kind) for kind in kinds if kind in MEDIA]
    return [f"{path}: missing" for path in files if not path.exists()] + [
        f"{folders.get(kind, root / FEATURES[kind][0]) / recording.name}.csv: missing"
        for kind in kinds
        if kind not in MEDIA and kind not in recording.features
    ]


def count(root: Path) -> dict[str, int]:
    """Partition and culture -> number of recordings of which at least one file is there."""
    root = locate(root)
    there = _find_stems(root, _find_features(root))
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
    features = _find_features(root)
    kinds = tuple(kind for kind, files in features.items() if files)
    stems = [stem for group in _name_stems(root).values() for stem in group]
    problems = []
    for stem in tqdm(stems, desc="checking", unit="recording", leave=False, disable=None):
        recording = _name_files(root, stem, features)
        problems += list_missing(recording, MEDIA + kinds)
        labels = layout.attempt(read_labels, recording.labels, problems)
        problems += layout.check_media(recording.audio, recording.video, labels)
        for kind, path in recording.features.items():
            layout.attempt(lambda path, kind=kind, labels=labels: _check_features(path, kind, labels), path, problems)
    return problems


def _check_features(path: Path, kind: str, labels: Labels | None) -> None:
    features = openface.read(path) if kind == "openface" else read_features(path)
    if labels is not None:
        check_length(path, features, labels)


def read_table(path: Path) -> tuple[np.ndarray | None, np.ndarray, tuple[str, ...]]:
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


def _name_stems(root: Path) -> dict[str, list[str]]:
    """Partition -> the stems of all files that it should have."""
    return {
        partition: [f"{partition}_{culture}_{number:02d}" for culture in CULTURES for number in range(1, total + 1)]
        for partition, total in count_expected(root).items()
    }


def _find_folders(root: Path) -> dict[str, Path]:
    """Kind -> the feature folder in `root`."""
    there = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    return {
        kind: next(there[name] for name in names if name in there)
        for kind, names in FEATURES.items()
        if not there.keys().isdisjoint(names)
    }


def _find_features(root: Path) -> dict[str, dict[str, Path]]:
    """Kind -> stem -> feature file."""
    return {
        kind: {match[1]: path for path in sorted(folder.iterdir()) if (match := _FEATURE_FILE.fullmatch(path.name))}
        for kind, folder in _find_folders(root).items()
    }


def _find_stems(root: Path, features: dict[str, dict[str, Path]]) -> set[str]:
    named = {stem for files in features.values() for stem in files}
    return named | {path.stem for folder in ("audio", "video", "labels") for path in (root / folder).glob("*_*_*.*")}


def _name_files(root: Path, stem: str, features: dict[str, dict[str, Path]]) -> Recording:
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
