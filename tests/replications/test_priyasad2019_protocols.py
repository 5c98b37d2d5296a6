"""Who is trained on and who is tested: what may be on both sides of a fold, and what may not."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from datasets.acted import CLASSES
from replications.priyasad2019.protocols import PROTOCOLS, Split, divide

PAPER = next(paper for paper in load_papers() if paper.id == "priyasad2019")
QUICK = resolve_settings(PAPER, "quick")
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)
few = examples(max_examples=20)


@dataclass(frozen=True)
class Clip:
    """What of a clip the protocols look at."""

    name: str
    subject: str
    label: int


def acted(subjects: int, takes: int) -> list[Clip]:
    """Each of them acts each emotion `takes` times."""
    return [
        Clip(f"s{subject}/{CLASSES[label]}{take}", f"s{subject}", label)
        for subject in range(subjects)
        for label in range(len(CLASSES))
        for take in range(takes)
    ]


def owners(clips: list[Clip], seed: int = 0) -> np.ndarray:
    """One to five segments of each clip."""
    return np.repeat(np.arange(len(clips)), np.random.default_rng(seed).integers(1, 6, len(clips)))


def folds(protocol: str, clips: list[Clip], owner: np.ndarray | None = None, seed: int = 0, **changes) -> list[Split]:
    owner = owners(clips) if owner is None else owner
    return divide(protocol, clips, owner, QUICK | changes, seed)


def of(clips: list[Clip], owner: np.ndarray, segments: np.ndarray, what: str) -> set:
    return {getattr(clips[number], what) for number in owner[segments]}


corpora = st.tuples(st.integers(4, 7), st.integers(2, 4), st.integers(0, 1000))


@protocols
@few
@given(corpus=corpora, stopping=st.sampled_from(["held-out", "last"]))
def test_every_segment_is_tested_once_and_otherwise_trained_on_or_held_out(protocol, corpus, stopping):
    subjects, takes, seed = corpus
    clips = acted(subjects, takes)
    owner = owners(clips, seed)
    found = folds(protocol, clips, owner, seed, stopping=stopping)
    assert np.sort(np.concatenate([split.test for split in found])).tolist() == list(range(len(owner)))
    assert len({split.name for split in found}) == len(found) == (subjects if protocol == "loso" else QUICK["folds"])
    for split in found:
        together = np.concatenate([split.train, split.held, split.test])
        assert np.sort(together).tolist() == list(range(len(owner)))  # each in one of the three, and once
        assert len(split.train) and len(split.test) and bool(len(split.held)) == (stopping == "held-out")
        assert of(clips, owner, split.train, "label") == set(range(len(CLASSES)))


@few
@given(corpora)
def test_leaving_one_subject_out(corpus):
    """Nobody is on two of the three sides: the epoch is chosen on somebody else, too."""
    subjects, takes, seed = corpus
    clips = acted(subjects, takes)
    owner = owners(clips, seed)
    for split in folds("loso", clips, owner, seed):
        train, held, test = (of(clips, owner, side, "subject") for side in (split.train, split.held, split.test))
        assert test == {split.name} and len(held) == 1
        assert not train & held and not (train | held) & test


@few
@given(corpora)
def test_a_k_fold_of_clips_shares_subjects_but_no_clip(corpus):
    subjects, takes, seed = corpus
    clips = acted(subjects, takes)
    owner = owners(clips, seed)
    shared = set()
    for split in folds("kfold", clips, owner, seed):
        train, held, test = (of(clips, owner, side, "name") for side in (split.train, split.held, split.test))
        assert not train & held and not (train | held) & test
        labels = np.bincount([clips[number].label for number in set(owner[split.test])], minlength=len(CLASSES))
        assert np.ptp(labels) <= 1 and abs(len(test) - len(clips) / QUICK["folds"]) <= len(CLASSES)
        shared |= of(clips, owner, split.train, "subject") & of(clips, owner, split.test, "subject")
    assert shared == {clip.subject for clip in clips}


@few
@given(corpora)
def test_a_k_fold_of_segments_shares_clips(corpus):
    subjects, takes, seed = corpus
    clips = acted(subjects, takes)
    owner = np.repeat(np.arange(len(clips)), 4)
    for split in folds("kfold-segments", clips, owner, seed):
        tested, trained = set(owner[split.test]), set(owner[split.train])
        assert len(tested & trained) > len(tested) / 2
        labels = np.bincount([clips[number].label for number in owner[split.test]], minlength=len(CLASSES))
        assert np.ptp(labels) <= 1


def test_subjects_of_both_corpora():
    for count in (8, 42):
        found = folds("loso", acted(count, 1))
        assert {split.name for split in found} == {f"s{number}" for number in range(count)} and len(found) == count


@protocols
def test_the_seed_draws_the_folds_and_the_order_of_the_clips_does_not(protocol):
    clips = acted(5, 2)
    owner = np.repeat(np.arange(len(clips)), 2)

    def drawn(seed: int, order=slice(None)) -> list[list[set]]:
        """Of each fold the segments that are tested and held out, each by its clip and its place in it."""
        listed = clips[order]
        found = folds(protocol, listed, owner, seed)
        return [[{(listed[owner[s]].name, s % 2) for s in side} for side in (f.test, f.held)] for f in found]

    assert drawn(0) == drawn(0) == drawn(0, slice(None, None, -1))
    assert drawn(0) != drawn(1)
    tests = [[test for test, _ in drawn(seed)] for seed in (0, 1)]
    assert (tests[0] == tests[1]) == (protocol == "loso")  # who is held out is drawn, who is tested is not


@protocols
def test_the_share_that_is_held_out(protocol):
    clips = acted(9, 2)
    owner = np.repeat(np.arange(len(clips)), 3)
    for split in folds(protocol, clips, owner, held_out=0.25):
        assert len(split.held) == pytest.approx(0.25 * (len(split.train) + len(split.held)), abs=3)


@protocols
def test_a_subject_with_one_clip(protocol):
    clips = [*acted(4, 2), Clip("s9/only", "s9", 3)]
    found = folds(protocol, clips, np.arange(len(clips)))
    tested = [split for split in found if len(clips) - 1 in split.test]
    assert len(tested) == 1
    if protocol == "loso":
        assert tested[0].name == "s9" and tested[0].test.tolist() == [len(clips) - 1]


def refused(protocol: str, clips: list[Clip], owner: np.ndarray | None = None, **changes) -> str:
    with pytest.raises(InputError) as error:
        folds(protocol, clips, owner, **changes)
    text = str(error.value)
    assert "\n" not in text and text.startswith(f"{protocol}: ") and "; choose other --protocols" in text
    return text


def test_a_class_that_one_subject_alone_shows():
    clips = [*acted(4, 2), Clip("s9/only", "s9", 0)]
    clips = [clip for clip in clips if clip.subject == "s9" or clip.label]
    assert "fold s9 would train on no clip of Anger;" in refused("loso", clips, stopping="last")


def test_a_class_that_only_those_held_out_show():
    """Of two subjects behind the tested one, the one is held out; Sadness and Surprise are the other's."""
    clips = [clip for clip in acted(3, 2) if clip.subject == "s0" or clip.label < 4]
    assert "would train on no clip of Sadness, Surprise;" in refused("loso", clips, held_out=0.5)


@pytest.mark.parametrize("protocol", ["kfold", "kfold-segments"])
def test_a_class_of_one_clip_in_a_k_fold(protocol):
    clips = [clip for clip in acted(4, 2) if clip.label] + [Clip("s0/only", "s0", 0)]
    assert "would train on no clip of Anger;" in refused(protocol, clips, np.arange(len(clips)))


def test_a_single_subject():
    assert "two subjects or more" in refused("loso", acted(1, 3), stopping="last")


def test_two_subjects_leave_nobody_to_hold_out():
    clips = acted(2, 3)
    refused("loso", clips)
    assert [split.name for split in folds("loso", clips, stopping="last")] == ["s0", "s1"]


def test_fewer_clips_than_folds():
    assert "n_splits=50" in refused("kfold", acted(2, 2), folds=50)
    assert "n_splits=50" in refused("kfold-segments", acted(2, 2), np.arange(24), folds=50)
    refused("kfold", acted(2, 2), folds=5)  # four clips of each class
