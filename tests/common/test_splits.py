"""Splits: every id tested once, no subject on both sides, no effect of the input order."""

import warnings
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.splits import Fold, assert_disjoint, hold_out, k_fold, leave_one_subject_out, split_by_partition

SUBJECTS = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=6), st.sampled_from("PQRSTUV"), min_size=8, max_size=30
).filter(lambda subjects: len(set(subjects.values())) >= 4)
SEED = st.integers(0, 2**32 - 1)


def backwards(subjects):
    return dict(reversed(subjects.items()))


def assert_each_tested_once(folds, ids):
    assert sorted(name for fold in folds for name in fold.test) == sorted(ids)
    for fold in folds:
        assert sorted(fold.train + fold.test) == sorted(ids)
        assert fold.train and fold.test


def test_partitions_of_a_challenge():
    assert split_by_partition(["Train_02", "Devel_01", "Train_01", "Test_DE_07"]) == {
        "Devel": ("Devel_01",),
        "Test": ("Test_DE_07",),
        "Train": ("Train_01", "Train_02"),
    }


@pytest.mark.parametrize("name", ["Train01", "_01", ""])
def test_names_without_a_partition(name):
    with pytest.raises(ValueError, match=f"no partition in the recording name '{name}'"):
        split_by_partition([name])


@given(SUBJECTS)
def test_leave_one_subject_out(subjects):
    folds = leave_one_subject_out(subjects)
    assert [fold.name for fold in folds] == sorted(set(subjects.values()))
    assert_each_tested_once(folds, subjects)
    for fold in folds:
        assert {subjects[name] for name in fold.test} == {fold.name}
        assert_disjoint(fold, subjects)
    assert folds == leave_one_subject_out(backwards(subjects))


@given(SUBJECTS, st.integers(2, 4), SEED, st.booleans())
def test_k_fold(subjects, k, seed, grouped):
    groups = subjects if grouped else None
    folds = k_fold(subjects, k, seed, groups)
    assert [fold.name for fold in folds] == [str(number) for number in range(1, k + 1)]
    assert_each_tested_once(folds, subjects)
    if grouped:
        for fold in folds:
            assert_disjoint(fold, subjects)
    assert folds == k_fold(backwards(subjects), k, seed, groups)


@given(SUBJECTS, st.integers(2, 6), SEED)
def test_k_fold_spreads_each_class_evenly(classes, k, seed):
    """As far as there are enough of any; of a class of fewer ids than folds no fold has two."""
    if k > max(Counter(classes.values()).values()):
        with pytest.raises(ValueError, match=f"n_splits={k}"):
            k_fold(classes, k, seed, classes=classes)
        return
    with warnings.catch_warnings(action="error"):
        folds = k_fold(classes, k, seed, classes=classes)
    assert [fold.name for fold in folds] == [str(number) for number in range(1, k + 1)]
    assert_each_tested_once(folds, classes)
    for name in set(classes.values()):
        counts = [sum(classes[tested] == name for tested in fold.test) for fold in folds]
        assert max(counts) - min(counts) <= 1
    assert folds == k_fold(backwards(classes), k, seed, classes=classes)


@given(SUBJECTS, st.sampled_from([0.1, 0.25, 0.5]), SEED, st.booleans())
def test_hold_out(subjects, fraction, seed, grouped):
    groups = subjects if grouped else None
    fold = hold_out(subjects, fraction, seed, groups)
    assert sorted(fold.train + fold.test) == sorted(subjects)
    assert fold.train and fold.test
    assert (list(fold.train), list(fold.test)) == (sorted(fold.train), sorted(fold.test))
    if grouped:
        assert_disjoint(fold, subjects)
    assert fold == hold_out(backwards(subjects), fraction, seed, groups)


def test_hold_out_size():
    fold = hold_out([f"Train_{number:02d}" for number in range(34)], 0.2, seed=0)
    assert (fold.name, len(fold.train), len(fold.test)) == ("held_out", 27, 7)


def test_seeds_differ():
    ids = [f"Train_{number:02d}" for number in range(34)]
    assert len({hold_out(ids, 0.2, seed) for seed in range(5)}) == 5
    assert len({tuple(k_fold(ids, 5, seed)) for seed in range(5)}) == 5
    classes = {name: name[-1] for name in ids}
    assert len({tuple(k_fold(ids, 3, seed, classes=classes)) for seed in range(5)}) == 5


def test_a_shared_subject_is_named():
    fold = Fold("3", train=("a1", "b1"), test=("a2", "c1"))
    subjects = {"a1": "Ann", "a2": "Ann", "b1": "Bea", "c1": "Cleo"}
    with pytest.raises(ValueError, match="fold 3: on both sides: Ann$"):
        assert_disjoint(fold, subjects)
    with pytest.raises(ValueError, match="no subject or class is known for c1"):
        assert_disjoint(fold, {"a1": "Ann", "a2": "Ann", "b1": "Bea"})


def test_errors():
    with pytest.raises(ValueError, match="listed twice: a"):
        k_fold(["a", "b", "a"], 2, seed=0)
    with pytest.raises(ValueError, match="no subject or class is known for b"):
        k_fold(["a", "b"], 2, seed=0, groups={"a": "Ann"})
    with pytest.raises(ValueError, match="no subject or class is known for b"):
        k_fold(["a", "b"], 2, seed=0, classes={"a": "Fear"})
    with pytest.raises(ValueError, match="by groups or by classes, not by both"):
        k_fold(["a", "b"], 2, seed=0, groups={"a": "Ann", "b": "Bea"}, classes={"a": "Fear", "b": "Fear"})
    with pytest.raises(ValueError, match="n_splits=3"):
        k_fold(["a", "b"], 3, seed=0)
    with pytest.raises(ValueError, match="two subjects or more"):
        leave_one_subject_out({"a": "Ann", "b": "Ann"})
    for fraction in (0, 1, 1.5):
        with pytest.raises(ValueError):
            hold_out(["a", "b"], fraction, seed=0)
