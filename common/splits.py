"""Who trains and who is tested: challenge partitions, leave-one-subject-out, K-fold, a held-out part.

Only ids pass through here. They are sorted first, so the order in which a corpus lists them changes nothing.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fold:
    """The ids of one train/test division."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]


def split_by_partition(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Challenge partitions by the prefix of the recording names: {"Devel": ("Devel_01", ...), "Train": (...)}.

    Raises:
        ValueError: a name that occurs twice or has no underscore.
    """
    parts: dict[str, tuple[str, ...]] = {}
    for name in _sort(names):
        prefix, underscore, _ = name.partition("_")
        if not (prefix and underscore):
            raise ValueError(f"no partition in the recording name {name!r}: expected a form like 'Train_01'")
        parts[prefix] = (*parts.get(prefix, ()), name)
    return parts


def leave_one_subject_out(subjects: Mapping[str, str]) -> list[Fold]:
    """One fold per subject, named after the subject, who alone is tested in it.

    Args:
        subjects: id -> subject.

    Raises:
        ValueError: fewer than two subjects.
    """
    from sklearn.model_selection import LeaveOneGroupOut  # here: scikit-learn takes a second to import

    ids = _sort(subjects)
    if len(set(subjects.values())) < 2:
        raise ValueError("leaving one subject out needs two subjects or more")
    return [
        _make_fold(str(subjects[ids[test[0]]]), ids, train, test)
        for train, test in LeaveOneGroupOut().split(ids, groups=_find_groups(ids, subjects))
    ]


def k_fold(
    ids: Iterable[str],
    k: int,
    seed: int,
    groups: Mapping[str, str] | None = None,
    classes: Mapping[str, str] | None = None,
) -> list[Fold]:
    """`k` folds named "1" to "k", drawn with `seed`; every id is tested once.

    Args:
        ids: what is divided.
        k: number of folds, two or more.
        seed: of the draw.
        groups: id -> subject. With it, all ids of a subject are on the same side.
        classes: id -> class, instead of groups. With it, each class is spread evenly over the folds.

    Raises:
        ValueError: an id occurs twice or has no group or class, there are fewer ids (or groups, or ids of every class)
            than folds, or both groups and classes are given.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    if groups is not None and classes is not None:
        raise ValueError("folds are drawn by groups or by classes, not by both")
    ids = _sort(ids)
    kind = StratifiedKFold if classes is not None else KFold if groups is None else GroupKFold
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of a class of fewer ids than folds
        divisions = list(
            kind(k, shuffle=True, random_state=seed).split(ids, _find_groups(ids, classes), _find_groups(ids, groups))
        )
    return [_make_fold(str(number), ids, train, test) for number, (train, test) in enumerate(divisions, start=1)]


def hold_out(ids: Iterable[str], fraction: float, seed: int, groups: Mapping[str, str] | None = None) -> Fold:
    """One fold, "held_out", that tests about `fraction` of the ids (of the groups, where there are any), rounded up.

    Args:
        ids: what is divided, for instance the training ids.
        fraction: between 0 and 1.
        seed: of the draw.
        groups: id -> subject. With it, all ids of a subject are on the same side.

    Raises:
        ValueError: an id occurs twice or has no group, or one side would be empty.
    """
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

    ids = _sort(ids)
    splitter = (ShuffleSplit if groups is None else GroupShuffleSplit)(1, test_size=float(fraction), random_state=seed)
    train, test = next(splitter.split(ids, groups=_find_groups(ids, groups)))
    return _make_fold("held_out", ids, train, test)


def assert_disjoint(fold: Fold, subjects: Mapping[str, str]) -> None:
    """Raise ValueError, naming them, if there are subjects on both sides of the fold."""
    if shared := set(_find_groups(fold.train, subjects)) & set(_find_groups(fold.test, subjects)):
        raise ValueError(f"fold {fold.name}: on both sides: {', '.join(sorted(map(str, shared)))}")


def _sort(ids: Iterable[str]) -> list[str]:
    ids = sorted(ids)
    if twice := sorted({a for a, b in zip(ids, ids[1:]) if a == b}):
        raise ValueError(f"listed twice: {', '.join(map(str, twice))}")
    return ids


def _find_groups(ids: Iterable[str], groups: Mapping[str, str] | None) -> list[str] | None:
    if groups is None:
        return None
    if missing := [name for name in ids if name not in groups]:
        raise ValueError(f"no subject or class is known for {', '.join(map(str, missing))}")
    return [groups[name] for name in ids]


def _make_fold(name: str, ids: list[str], train: np.ndarray, test: np.ndarray) -> Fold:
    """Positions to ids; sorted, because scikit-learn's shuffling splitters return the positions shuffled."""
    return Fold(name, tuple(ids[i] for i in sorted(train)), tuple(ids[i] for i in sorted(test)))
