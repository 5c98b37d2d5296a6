"""What the text states of numbers."""

from fractions import Fraction

import pytest

from common.evidence.reading import load_papers
from reports.audit.papers import audit_paper
from reports.audit.statements import evaluate_statements

PAPERS = {paper.id: paper for paper in load_papers()}
CHAO, LEE, PRIYASAD, RAJU, WANG = (
    PAPERS[name] for name in ("chao2016", "lee2018", "priyasad2019", "raju2021", "wang2017")
)


def found(paper, place=""):
    return [f for f in audit_paper(paper, evaluate_statements(paper, [])) if f.place.startswith(place)]


class TestStatements:
    def test_at_least_40_claims_and_30_of_them_arithmetic(self):
        assert sum(len(paper.claims) for paper in load_papers()) >= 70
        assert sum(bool(claim.holds) for paper in load_papers() for claim in paper.claims) >= 30

    def test_gains_of_lee2018_follow(self):
        gains = [
            s.outcome for s in evaluate_statements(LEE, []) if s.outcome.literal in ("0.125", "0.097", "0.053", "0.045")
        ]
        assert len(gains) == 4 and {gain.result for gain in gains} == {"follows"}

    @pytest.mark.parametrize(
        ("paper", "text"),
        [(PRIYASAD, "nearly 5 %"), (CHAO, "939"), (WANG, "six labels"), (WANG, "consistently"), (RAJU, "123k")],
    )
    def test_contradicted(self, paper, text):
        (statement,) = [s for s in evaluate_statements(paper, []) if text in s.claim.text]
        assert statement.outcome.result == "contradicted" and statement.evidence == "audit"
        (finding,) = [f for f in found(paper) if f.printed == statement.claim.text]
        words = ("unclear", "unclear") if statement.claim.loose else ("contradicted", "error")
        assert (statement.result, finding.severity) == words

    def test_a_tie_is_undecided(self):
        (tie,) = [s for s in evaluate_statements(CHAO, []) if s.result == "undecided"]
        assert tie.outcome.ours.face == tie.outcome.stated.face == Fraction("41.19")

    def test_frames_are_counted_in_real_recordings(self):
        def statement(*runs):
            files = [(None, {"corpus": corpus, "recordings": entries}) for corpus, entries in runs]
            (frames,) = [s for s in evaluate_statements(RAJU, files) if s.claim.recordings]
            return frames

        real = [{"name": "Devel_DE_01", "labels": 20_000}, {"name": "Devel_HU_01", "labels": 18_000}]
        train = [{"name": "Train_DE_01", "labels": 90_000}]
        assert statement().result == statement(("simulated", real)).result == "not run"
        for corpus in ("avec2019", "avec2019-public"):
            frames = statement(("simulated", train), (corpus, real + train))
            assert frames.result == "follows" and frames.evidence == "real" and frames.outcome.ours.face == 38_000
        assert statement(("avec2019", real[:1])).result == "unclear"
