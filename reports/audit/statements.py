"""What the text states of numbers: the claims of `paper.toml` that are arithmetic, and whether they hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from common.evidence import arithmetic
from common.evidence.cells import Cell
from common.evidence.paper import Claim, Paper, collect_numbers
from common.evidence.runs import File
from common.evidence.text import count_noun
from reports.audit.findings import Finding


@dataclass(frozen=True)
class Statement:
    """What becomes of a claim that is arithmetic; no outcome where it needs results that are not there."""

    claim: Claim
    outcome: arithmetic.Outcome | None
    evidence: str  # "audit": printed numbers alone; "real": with a count from real recordings; "none"

    @property
    def result(self) -> str:
        """That of the outcome; "unclear" where a contradiction may lie in how the words are read; or "not run"."""
        if self.outcome is None:
            return "not run"
        return "unclear" if self.outcome.result == "contradicted" and self.claim.loose else self.outcome.result


def evaluate_statements(paper: Paper, files: Iterable[File]) -> list[Statement]:
    """The claims of the paper that are arithmetic, in their order."""
    files, printed = list(files), collect_numbers(paper)
    return [_evaluate_statement(paper, claim, files, printed) for claim in paper.claims if claim.holds]


def _evaluate_statement(paper: Paper, claim: Claim, files: list[File], printed: dict) -> Statement:
    if not claim.recordings:
        return Statement(claim, arithmetic.evaluate_statement(claim.holds, printed), "audit")
    counted = _count_frames(paper, files, claim.recordings)
    if not counted:
        return Statement(claim, None, "none")
    return Statement(claim, arithmetic.evaluate_statement(claim.holds, printed, {"frames": counted}), "real")


def _count_frames(paper: Paper, files: list[File], pattern: str) -> int:
    """Labelled frames of those recordings of the paper's corpus, in the run that has read most of them; 0 without one."""
    of_paper = (paper.corpus, f"{paper.corpus}-public")
    runs = [record.get("recordings", []) for _, record in files if record["corpus"] in of_paper]
    counts = [sum(r.get("labels", 0) for r in recordings if fnmatchcase(r["name"], pattern)) for recordings in runs]
    return max(counts, default=0)


def make_text_cells(paper: Paper, stated: Iterable[Statement]) -> list[Cell]:
    """A row of cells.csv for each number in the running text that others give: the claims `... == NUMBER`."""
    return [_make_text_cell(paper, s) for s in stated if s.outcome and s.outcome.relation == "==" and s.outcome.literal]


def _make_text_cell(paper: Paper, stated: Statement) -> Cell:
    claim, outcome = stated.claim, stated.outcome
    ours, difference = float(outcome.ours.face), float(outcome.ours.face - outcome.stated.face)
    verdict = {"follows": "MATCH", "contradicted": "MISMATCH"}.get(stated.result, "NOT_COMPARABLE")
    note = "; ".join(text for text in (claim.holds, claim.note) if text)
    head = (paper.id, "text", claim.where, claim.text, outcome.literal, "own", stated.evidence, "", "", 0)
    return Cell(*head, ours, None, None, difference, None, verdict, note)


def audit_statements(paper: Paper, stated: Sequence[Statement]) -> list[Finding]:
    checked = [s for s in stated if s.outcome]
    good = sum(s.result == "follows" for s in checked)
    found = []
    if good:
        text = f"{good} of {count_noun(len(checked), 'statement')} that are arithmetic"
        found.append(Finding(paper.id, "text", text, "as stated", "the claims above", "none"))
    for statement in checked:
        if statement.result != "follows":
            claim, severity = statement.claim, "error" if statement.result == "contradicted" else "unclear"
            how = f"`{claim.holds}`" + (f"; {claim.note}" if claim.note else "")
            found.append(Finding(paper.id, claim.where, claim.text, _contrast(statement.outcome), how, severity))
    return found


_OPPOSITE = {"==": "≠", "<": "≥", "<=": ">", ">": "≤", ">=": "<"}


def _contrast(outcome: arithmetic.Outcome) -> str:
    """How the two sides of a statement that does not follow stand to each other."""
    ours, stated = arithmetic.format_fraction(outcome.ours.face), arithmetic.format_fraction(outcome.stated.face)
    if outcome.result == "undecided":
        return f"{ours} and {stated}: the printed numbers leave it open"
    return f"{ours} {_OPPOSITE[outcome.relation]} {stated}"
