"""Tables of numbers against a reader of a few lines; times that go on and times that do not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import tables

FILE = Path("features.csv")
NUMBER = st.floats(-1e6, 1e6, width=32)


@given(
    st.sampled_from(",;"), st.integers(1, 5).flatmap(lambda width: st.lists(st.tuples(*[NUMBER] * width), min_size=1))
)
def test_numbers_are_those_that_were_written(separator, rows):
    lines = [(number, separator.join(map(repr, row))) for number, row in enumerate(rows, 1)]
    names = [str(column) for column in range(len(rows[0]))]
    found = tables.read_numbers(FILE, lines, separator, names, list(range(len(names))))
    np.testing.assert_array_equal(found, np.array(rows))


def test_columns_that_are_not_used_need_be_no_numbers():
    lines = [(1, "'Train_DE_01',-nan(ind),1,2"), (2, "'Train_DE_01',?,3,4")]
    np.testing.assert_array_equal(tables.read_numbers(FILE, lines, ",", list("abcd"), [3, 2]), [[2, 1], [4, 3]])


def test_what_only_numpy_refuses_is_one_line_too():
    """float() reads an underscore between digits, numpy.loadtxt does not."""
    with pytest.raises(InputError, match="features.csv: is no table of numbers"):
        tables.read_numbers(FILE, [(1, "1_0")], ";", ["a"], [0])


@given(st.integers(1, 60), st.sampled_from([10, 20, 25, 29.97, 30, 50, 100]), st.floats(0, 5))
def test_times_of_any_rate_go_on_when_printed_with_three_decimals(rows, rate, start):
    tables.check_time(FILE, np.round(start + np.arange(rows) / rate, 3))


@given(st.integers(5, 40), st.data())
def test_a_frame_that_is_left_out_or_repeated_is_found(rows, data):
    time = np.round(np.arange(rows) / 30, 3)
    at = data.draw(st.integers(1, rows - 2))
    for damaged in (np.delete(time, at), np.insert(time, at, time[at])):
        with pytest.raises(InputError, match=f"features.csv: after {damaged[at - 1]:.3f} s|after {time[at]:.3f} s"):
            tables.check_time(FILE, damaged)
