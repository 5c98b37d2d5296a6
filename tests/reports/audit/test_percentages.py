"""Whole numbers behind percentages, on made-up numbers whose truth is known."""

import dataclasses
import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.evidence.arithmetic import parse_number
from common.evidence.paper import Audit
from common.evidence.reading import load_papers
from reports.audit.papers import audit_paper
from reports.audit.percentages import (
    Reading,
    are_shares,
    find_readings,
    find_smallest_total,
    is_one_slip,
    list_counts,
)
from tests.reports.fabricate import CLASSES

PAPERS = {paper.id: paper for paper in load_papers()}


def rounded(counts, total, places=2):
    return [f"{100 * count / total:.{places}f}" for count in counts]


def cut_off(counts, total):
    return [f"{10000 * count // total / 100:.2f}" for count in counts]


counts = st.lists(st.integers(0, 40), min_size=2, max_size=8).filter(lambda row: 0 < sum(row) <= 120)


class TestReadings:
    @settings(max_examples=60, deadline=None)
    @given(counts, st.sampled_from([rounded, cut_off]))
    def test_the_true_counts_are_found(self, row, how):
        total = sum(row)
        several = find_readings(how(row, total), 2, largest=150)
        assert Reading(total, tuple(row)) in several
        assert all(sum(r.counts) == r.total and not r.missing and r.misprint is None for r in several)

    @settings(max_examples=60, deadline=None)
    @given(counts)
    def test_every_reading_is_printed_so(self, row):
        texts = rounded(row, sum(row))
        for reading in find_readings(texts, 2, largest=150):
            both = zip(rounded(reading.counts, reading.total), cut_off(reading.counts, reading.total))
            assert all(text in pair for text, pair in zip(texts, both))

    @pytest.mark.parametrize(("units", "scale"), [(1034, 100), (0, 100), (5, 1), (10000, 100), (333, 10)])
    def test_counts_of_by_trying_all(self, units, scale):
        for total in range(1, 60):
            shares = {count: Fraction(100 * count * scale, total) for count in range(total + 2)}
            fits = [count for count, share in shares.items() if units - Fraction(1, 2) <= share < units + 1]
            assert [count for count in list_counts(units, scale, total) if count <= total + 1] == fits

    def test_zero_and_a_dropped_zero_are_of_the_matrix_decimals(self):
        """0 beside 12.5 and 8.86 is 0.00: one in 200 would be 0.50."""
        assert find_readings(["0", "12.5", "87.5"], 2, 50)[0] == Reading(8, (0, 1, 7))

    def test_one_thing_in_no_cell(self):
        texts = rounded([14, 2, 1, 61, 8, 21, 1], 109)
        assert find_readings(texts, 2)[0] == Reading(109, (14, 2, 1, 61, 8, 21, 1), missing=1)

    @pytest.mark.parametrize(
        ("wrong", "place"),
        [("1.03", 2), ("103.4", 2), ("10.94", 2), ("13.04", 2), ("210.34", 2), ("0.69", 1), ("24.41", 5), ("20.60", 3)],
    )
    def test_one_misprint(self, wrong, place):
        """1, 2, 3, 6, 9, 7, 1 of 29: a digit dropped, added, changed, two swapped, the point moved."""
        row = [1, 2, 3, 6, 9, 7, 1]
        texts = rounded(row, 29)
        texts[place] = wrong
        assert find_readings(texts, 2)[0] == Reading(29, tuple(row), misprint=place)

    def test_more_than_one_slip_is_no_reading(self):
        assert find_readings(["51.23", "7.11", "3.98"], 2) == []

    @pytest.mark.parametrize(
        ("a", "b", "same"),
        [("103", "1034", True), ("103", "103", True), ("123", "132", True), ("123", "124", True), ("23", "123", True),
         ("123", "213", True), ("1234", "123", True), ("", "1", True), ("123", "231", False), ("12", "1234", False),
         ("123", "145", False), ("1234", "2143", False)],
    )  # fmt: skip
    def test_one_slip(self, a, b, same):
        assert is_one_slip(a, b) == is_one_slip(b, a) == same

    def test_random_rows_that_do_not_add_up_are_never_called_whole(self):
        generator = random.Random(0)
        for _ in range(40):
            row = [generator.randint(1, 20) for _ in range(5)]
            texts = rounded(row, sum(row))
            texts[0] = f"{float(texts[0]) + 0.6:.2f}"  # beyond what rounding five numbers can do
            assert all(r.missing or r.misprint is not None for r in find_readings(texts, 2, 150))


class TestTogether:
    def test_smallest_total_by_trying_all(self):
        options = [[(17, 15), (34, 30)], [(22, 17), (44, 34), (66, 51)], [(28, 20), (56, 40)]]

        def fits(hits, total):
            return abs(hits / total - 0.775) < 0.004

        totals = [
            sum(n for n, _ in chosen)
            for chosen in product(*options)
            if fits(sum(h for _, h in chosen), sum(n for n, _ in chosen))
        ]
        assert find_smallest_total(options, fits, 200) == min(totals)
        assert find_smallest_total(options, fits, min(totals) - 1) is None

    def matrix(self, tmp_path, rows, quoted="", total=0):
        """The invented paper with these counts as its matrix, and `quoted` as its accuracy."""
        paper = CLASSES
        columns = [column.label for column in paper.tables[1].columns]
        printed_rows = tuple(
            dataclasses.replace(row, published=dict(zip(columns, rounded(counts, sum(counts)))))
            for row, counts in zip(paper.tables[1].rows, rows)
        )
        proposed = dataclasses.replace(paper.tables[0].rows[1], published={"Test": quoted})
        first = dataclasses.replace(paper.tables[0], rows=(paper.tables[0].rows[0], proposed))
        second = dataclasses.replace(paper.tables[1], rows=printed_rows)
        entry = Audit(where="Section 1", matrix="figure5", quoted="table1['proposed', 'Test']", total=total)
        return dataclasses.replace(paper, tables=(first, second), audit=(entry,))

    ROWS = ((30, 7, 0), (2, 3, 8), (1, 1, 17))  # 50 of 69 hits: 72.46 %; recalls 81.08, 23.08 and 89.47: 64.54 %

    @pytest.mark.parametrize(
        ("quoted", "said", "severity"),
        [("72.46", "it is the accuracy", "none"), ("64.54", "it is the mean recall, and no accuracy of fewer than", None),
         ("60.00", "it is neither", "unclear")],
    )  # fmt: skip
    def test_accuracy_or_mean_recall(self, tmp_path, quoted, said, severity):
        recall = np.mean([row[k] / sum(row) for k, row in enumerate(self.ROWS)])
        assert f"{100 * recall:.2f}" == "64.54"
        last = audit_paper(self.matrix(tmp_path, self.ROWS, quoted, 69))[2]
        assert said in last.follows and "50 of 69: 72.46 %; mean of the recalls: 64.54 %" in last.follows
        assert last.severity == (severity or "error")  # of 69 things at most, no other whole numbers fit

    def test_an_incomplete_matrix_is_left_alone(self, tmp_path):
        paper = self.matrix(tmp_path, self.ROWS, "72.46")
        matrix = paper.tables[1]
        row = dataclasses.replace(matrix.rows[1], published={"angry": "15.38"})
        matrix = dataclasses.replace(matrix, rows=(matrix.rows[0], row, matrix.rows[2]))
        assert audit_paper(dataclasses.replace(paper, tables=(paper.tables[0], matrix))) == []

    def test_hits_are_where_truth_and_prediction_meet(self, tmp_path):
        """The rows in another order than the columns."""
        paper = self.matrix(tmp_path, self.ROWS, "72.46", 69)
        turned = dataclasses.replace(paper.tables[1], rows=paper.tables[1].rows[::-1])
        last = audit_paper(dataclasses.replace(paper, tables=(paper.tables[0], turned)))[2]
        assert "50 of 69" in last.follows and last.severity == "none"

    def test_a_stated_total(self, tmp_path):
        severities = [audit_paper(self.matrix(tmp_path, self.ROWS, "72.46", n))[1].severity for n in (0, 69, 500)]
        assert severities == ["none", "none", "unclear"]


class TestShares:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(2, 400), st.lists(st.floats(0, 1), min_size=1, max_size=5))
    def test_the_true_total_fits(self, total, parts):
        shares = [parse_number(f"{100 * round(part * total) / total:.2f}") for part in parts]
        assert are_shares(shares, total)

    def test_zero_percent_is_of_any_total(self):
        assert are_shares([parse_number("0.00")], 7)
        assert not are_shares([parse_number("0.01")], 7)

    def test_whole_percentages_are_rounded_too(self):
        assert are_shares([parse_number("33"), parse_number("67")], 3) and not are_shares([parse_number("40")], 3)
