"""Who is trained on and who is tested (Section 4): leave one subject out, and K-fold over clips or over segments.

The paper says K-fold and no more. Over clips, a test clip's subject is also trained on; over segments, which overlap by
half, even its neighbours are. Both are here, to show what they are worth beside subjects that no network has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common import splits
from common.errors import InputError
from datasets.acted import CLASSES
from replications.priyasad2019.features import Clip

PROTOCOLS = ("loso", "kfold", "kfold-segments")


@dataclass(frozen=True)
class Split:
    """One fold in numbers of segments. `held` is the training data's part on which the epoch is chosen, if any."""

    name: str
    train: np.ndarray
    held: np.ndarray
    test: np.ndarray


def divide(protocol: str, clips: Sequence[Clip], owner: np.ndarray, settings: dict, seed: int) -> list[Split]:
    """The folds of a protocol, drawn with `seed`; every segment is tested once.

    `owner` (S,) has the number of each segment's clip. Raises InputError for a corpus that cannot be divided so.
    """
    units = {clip.name: np.flatnonzero(owner == number) for number, clip in enumerate(clips)}
    if protocol == "kfold-segments":
        units = {f"{name} {i:04d}": segments[[i]] for name, segments in units.items() for i in range(len(segments))}
    of_unit = {name: clips[owner[segments[0]]] for name, segments in units.items()}
    subjects = {name: clip.subject for name, clip in of_unit.items()}
    classes = {name: CLASSES[clip.label] for name, clip in of_unit.items()}
    together = subjects if protocol == "loso" else None  # whoever is not tested with others is not held out with them

    def find_segments(names: Sequence[str]) -> np.ndarray:
        return np.concatenate([units[name] for name in names]) if names else np.empty(0, int)

    found = []
    try:
        if protocol == "loso":
            folds = splits.leave_one_subject_out(subjects)
        else:
            folds = splits.k_fold(list(units), settings["folds"], seed, classes=classes)
        for fold in folds:
            train, held = fold.train, ()
            if settings["stopping"] == "held-out":
                part = splits.hold_out(fold.train, settings["held_out"], seed, together)
                train, held = part.train, part.test
            if lacking := [label for label in CLASSES if label not in {classes[name] for name in train}]:
                raise ValueError(f"fold {fold.name} would train on no clip of {', '.join(lacking)}")
            found.append(Split(fold.name, find_segments(train), find_segments(held), find_segments(fold.test)))
    except ValueError as error:
        raise InputError(
            f"{protocol}: {str(error).rstrip('.')}; choose other --protocols, fewer folds (--set folds=N), or --set stopping=last"
        ) from error
    return found
