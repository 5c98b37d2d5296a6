"""Which deviations RMSE, CC and CCC allow, on made-up numbers whose truth is known."""

import dataclasses
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common import metrics
from common.evidence.arithmetic import parse_number
from common.evidence.reading import load_papers
from reports.audit.deviations import bound_deviation
from reports.audit.papers import audit_paper

PAPERS = {paper.id: paper for paper in load_papers()}
LEE = PAPERS["lee2018"]


class TestDeviation:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10_000), st.floats(0.05, 0.95), st.floats(0.3, 2), st.floats(-0.2, 0.2))
    def test_the_true_deviation_is_allowed(self, seed, quality, gain, bias):
        generator = np.random.default_rng(seed)
        truth = 0.2 * generator.normal(size=200)
        prediction = gain * (quality * truth + (1 - quality) * 0.2 * generator.normal(size=200)) + bias
        scores = [metrics.rmse(truth, prediction), metrics.cc(truth, prediction), metrics.ccc(truth, prediction)]
        bounds = bound_deviation(*(parse_number(f"{score:.3f}") for score in scores))
        if float(f"{scores[2]:.3f}") <= 0:
            return
        assert bounds is not None and bounds[0] - 1e-9 <= truth.std() <= bounds[1] + 1e-9

    def test_by_solving_for_it(self):
        """Bounds of exact scores: predictions without bias reach both ends."""
        rmse, cc, ccc = 0.1, 0.6, 0.5
        low, high = bound_deviation(*(parse_number(f"{n:.9f}") for n in (rmse, cc, ccc)))
        for deviation_of_labels in (low, high):
            s = deviation_of_labels
            t = ccc * rmse**2 / (1 - ccc) / (2 * cc) / s
            assert math.isclose(s * s + t * t - 2 * cc * s * t, rmse**2, rel_tol=1e-5)
            assert math.isclose(2 * cc * s * t / (s * s + t * t), ccc, rel_tol=1e-5)

    def test_ccc_above_cc_is_impossible(self):
        assert bound_deviation(parse_number("0.100"), parse_number("0.500"), parse_number("0.600")) is None
        table = LEE.tables[0]
        row = dataclasses.replace(table.rows[0], published={"RMSE": "0.100", "CC": "0.500", "CCC": "0.600"})
        paper = dataclasses.replace(LEE, tables=(dataclasses.replace(table, rows=(row,)),), claims=(), audit=())
        (finding,) = audit_paper(paper)
        assert finding.severity == "error" and finding.printed == "0.100, 0.500, 0.600"

    def test_rows_that_share_no_deviation(self):
        table = LEE.tables[0]
        far = dataclasses.replace(table.rows[1], published={"RMSE": "0.300", "CC": "0.900", "CCC": "0.890"})
        paper = dataclasses.replace(LEE, tables=(dataclasses.replace(table, rows=(table.rows[0], far)),), claims=())
        (finding,) = audit_paper(paper)
        assert finding.severity == "unclear" and "no one deviation" in finding.follows
