"""Bags of words: openXBOW's own to the last digit, codebooks, windows, and what a codebook file may hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.errors import InputError
from replications.raju2021 import bags

FRAMES = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
TIME = 0.01 * np.arange(500)


def counts(book: bags.Codebook, centres=(2.5,), window=4.0, time=TIME, frames=FRAMES) -> np.ndarray:
    plain = bags.Codebook(book.words, book.mean, book.scale, log=False)
    return bags.make_bags(plain, time, frames, np.array(centres), window)


@pytest.fixture(scope="module")
def book() -> bags.Codebook:
    return bags.fit(FRAMES, size=10)


# openXBOW


@pytest.fixture
def openxbow(real_data):
    return real_data / "openxbow"


def fields(path) -> list[list[str]]:
    return [line.split(";") for line in path.read_text().split()]


def test_bags_are_those_of_openxbow_to_the_printed_digits(openxbow):
    rows = np.array(fields(openxbow / "devel.csv"))
    time, frames = rows[:, 1].astype(float), rows[:, 2:].astype(np.float32)
    centres = bags.space_centres(int(time[-1] / 0.1) + 1)
    found = bags.make_bags(bags.read_codebook(openxbow / "codebook.txt"), time, frames, centres)
    printed = fields(openxbow / "devel_bow.csv")
    assert [f"{centre:.2f}" for centre in centres] == [row[1] for row in printed]
    assert [[str(value) for value in row] for row in found] == [row[2:] for row in printed]


def test_a_codebook_of_ours_has_openxbows_statistics_and_words_of_its_kind(openxbow):
    frames = np.array(fields(openxbow / "train.csv"))[:, 2:].astype(np.float32)
    ours, theirs = bags.fit(frames, standardise=True), bags.read_codebook(openxbow / "codebook.txt")
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=5e-4)  # openXBOW adds up 3000 floats
    np.testing.assert_allclose(ours.scale, theirs.scale, rtol=1e-5)
    assert ours.words.shape == theirs.words.shape and ours.log and theirs.log
    for words in (ours.words, theirs.words):  # frames, none twice
        distance = np.linalg.norm(ours.standardise(frames)[:, None] - words, axis=-1).min(axis=0)
        assert distance.max() < 1e-3 and len(np.unique(words, axis=0)) == 100
    # random++ spreads words: they stand as far apart in both codebooks, and further than frames drawn evenly
    spread = [np.median(np.sort(np.linalg.norm(w[:, None] - w, axis=-1))[:, 1]) for w in (ours.words, theirs.words)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)


# codebooks


def test_words_are_frames_and_the_seed_decides_which(book):
    assert book.words.shape == (10, 3) and book.words.dtype == np.float32
    assert (book.words[:, None] == FRAMES).all(axis=-1).any(axis=1).all()
    np.testing.assert_array_equal(bags.fit(FRAMES, size=10).words, book.words)
    assert not np.array_equal(bags.fit(FRAMES, size=10, seed=11).words, book.words)


def test_words_are_drawn_by_squared_distance():
    """Of 1000 frames at one point, 10 at distance 1 and 1 at distance 10, the last is the second word most often."""
    frames = np.repeat([[0.0], [1.0], [10.0]], [1000, 10, 1], axis=0)
    second = [float(bags.fit(frames, size=2, seed=seed).words[1, 0]) for seed in range(200)]
    # from the point 0 the chances are 10 : 100
    assert set(second) <= {0.0, 1.0, 10.0} and second.count(10.0) / 200 == pytest.approx(100 / 110, abs=0.07)


def test_a_standardised_codebook_does_not_depend_on_units():
    scaled = FRAMES * np.float32([1, 1000, 0.001]) + np.float32([0, 5000, 0])
    one, other = bags.fit(FRAMES, 10, standardise=True), bags.fit(scaled, 10, standardise=True)
    np.testing.assert_allclose(one.words, other.words, atol=1e-3)
    np.testing.assert_array_equal(counts(one), counts(other, frames=scaled))
    np.testing.assert_allclose(one.standardise(FRAMES).std(axis=0, ddof=1), 1, rtol=1e-5)


def test_a_constant_column_is_left_unscaled():
    frames = np.column_stack([FRAMES, np.full(len(FRAMES), 7, np.float32)])
    book = bags.fit(frames, 10, standardise=True)
    assert book.scale[3] == 1 and (book.words[:, 3] == 0).all()


def test_fewer_frames_than_words():
    with pytest.raises(ValueError):
        bags.fit(FRAMES[:9], size=10)


# counting


def test_bags_hold_the_logarithm_of_what_a_loop_counts(book):
    centres = np.array([0.0, 0.1, 1.23, 2.5, 4.9, 5.3])
    found, half = bags.make_bags(book, TIME, FRAMES, centres, window=1.0), np.float32(0.5)
    for row, centre in zip(found, centres, strict=True):
        count = np.zeros(10)
        for at, frame in zip(TIME, FRAMES, strict=True):
            if np.float32(centre) - half <= np.float32(at) <= np.float32(centre) + half:
                count[np.linalg.norm(book.words - frame, axis=1).argmin()] += 1
        np.testing.assert_array_equal(row, np.log10(1 + count).astype(np.float32))


@given(st.floats(-1, 6), st.floats(0.05, 12))
def test_counts_add_up_to_the_frames_in_the_window(book, centre, window):
    start, end = np.float32(centre) - np.float32(window / 2), np.float32(centre) + np.float32(window / 2)
    inside = ((np.float32(TIME) >= start) & (np.float32(TIME) <= end)).sum()
    found = counts(book, (centre,), window)
    assert found.sum() == pytest.approx(inside or 10 * bags.EMPTY)


@given(st.integers(0, 2**32 - 1))
def test_order_inside_a_window_does_not_matter(book, seed):
    shuffled = np.random.default_rng(seed).permutation(FRAMES)
    np.testing.assert_array_equal(counts(book, window=10.0, frames=shuffled), counts(book, window=10.0))


@given(st.permutations(range(10)))
def test_words_in_another_order_are_columns_in_another_order(book, order):
    np.testing.assert_array_equal(counts(bags.Codebook(book.words[order])), counts(book)[:, order])


@given(arrays.arrays(np.float32, (8, 2), elements=st.floats(-5, 5, width=16)))
def test_a_word_counts_itself(frames):
    words = np.unique(frames, axis=0)
    book = bags.Codebook(words)
    np.testing.assert_array_equal(bags.assign(book, words), np.arange(len(words)))


def test_of_equal_words_the_first_counts():
    book = bags.Codebook(np.zeros((3, 3), np.float32), log=False)
    np.testing.assert_array_equal(counts(book), [[401, 0, 0]])


def test_a_window_without_frames_is_openxbows_empty_bag(book):
    np.testing.assert_allclose(bags.make_bags(book, TIME, FRAMES, np.array([8.0])), np.log10(1.001), rtol=1e-4)


def test_centres_are_multiples_in_single_precision():
    assert bags.space_centres(4).dtype == np.float32
    assert bags.space_centres(22)[21] == np.float32(0.1) * np.float32(21) != np.float32(2.1)  # openXBOW's 2.1000001


# codebook files

HEAD = "standardizeInput\n0.0;0.0;1.5;-2.0\n1.0;1.0;2.0;0.5\nlog\n"
WORDS = "codebookNumeric\n3;2;1;0.0;0.0\n0.0;1.0\n2.0;3.0\n-4.0;5e-1\n"


def test_a_codebook_file(tmp_path):
    (tmp_path / "book.txt").write_text(HEAD + WORDS)
    book = bags.read_codebook(tmp_path / "book.txt")
    np.testing.assert_array_equal(book.words, [[0, 1], [2, 3], [-4, 0.5]])
    np.testing.assert_array_equal([book.mean, book.scale], [[1.5, -2], [2, 0.5]])
    assert book.log
    (tmp_path / "book.txt").write_text(WORDS)
    book = bags.read_codebook(tmp_path / "book.txt")
    assert book.mean is None and book.scale is None and not book.log


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no codebook"),
        ("normalizeInput\n" + WORDS, "normalizeInput where codebookNumeric is expected"),
        (WORDS.replace("3;2;1;", "3;2;20;"), "other than one word"),
        (WORDS.replace("1;0.0;0.0", "1;25.0;0.0"), "or weighs it"),
        (WORDS.replace("3;2;1;0.0;0.0", "3;2"), "with -a 1"),
        (WORDS.replace("3;2;1", "4;2;1"), "do not make 4 words of 2"),
        (WORDS.replace("3;2;1", "3;3;1"), "do not make 3 words of 3"),
        (WORDS.replace("3.0", "x"), "'x'"),
        (WORDS.replace("2.0;3.0", "2.0"), "copy the codebook again"),
        ("codebookNumeric\n", "expected"),
        ("standardizeInput\n1.0\n", "expected"),
        ("standardizeInput\n1.0\n2.0\n" + WORDS, "copy the codebook"),
    ],
)
def test_a_codebook_file_that_cannot_be_used(tmp_path, text, words):
    (tmp_path / "book.txt").write_text(text)
    with pytest.raises(InputError, match=str(tmp_path / "book.txt")) as caught:
        bags.read_codebook(tmp_path / "book.txt")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_codebook_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        bags.read_codebook(tmp_path / "book.txt")
