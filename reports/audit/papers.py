"""All that the audit finds about a paper, and its numbers with those errors put right."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from common.evidence.cells import Cell
from common.evidence.paper import Audit, Paper, format_value
from reports.audit.averages import audit_averages, audit_repeated
from reports.audit.deviations import audit_deviations
from reports.audit.findings import Finding
from reports.audit.percentages import audit_matrix, audit_shares
from reports.audit.statements import Statement, audit_statements


def audit_paper(paper: Paper, stated: Sequence[Statement] = ()) -> list[Finding]:
    """All findings about a paper; `stated` are its arithmetic claims, evaluated."""
    found = []
    for table in paper.tables:
        if table.printed and table.confusion:
            entry = next((e for e in paper.audit if e.matrix == table.id), Audit(where="", matrix=table.id))
            found += audit_matrix(paper, table, entry)
    for entry in paper.audit:
        found += audit_shares(paper, entry) if entry.shares else []
    found += [
        *audit_averages(paper),
        *audit_repeated(paper),
        *audit_deviations(paper),
        *audit_statements(paper, stated),
    ]
    return found


def correct_cells(cells: Iterable[Cell], found: Iterable[Finding]) -> list[Cell]:
    """The cells; a number that cannot be right as printed, where it is known what is, is an ERRATUM.

    A result of a real corpus stays, with its verdict unless that is MISMATCH; a simulated one gives way to what is right.
    """
    wrong = {finding.cell: finding for finding in found if finding.cell and finding.severity == "error"}
    return [_correct_cell(cell, wrong.get((cell.exhibit, cell.row, cell.column))) for cell in cells]


def _correct_cell(cell: Cell, finding: Finding | None) -> Cell:
    if finding is None:
        return cell
    notes = [f"{cell.published} cannot be right: {finding.follows} ({finding.how})"]
    if cell.evidence == "real":
        verdict = "ERRATUM" if cell.verdict == "MISMATCH" else cell.verdict
        return replace(cell, verdict=verdict, note="; ".join(filter(None, [*notes, cell.note])))
    if cell.ours is not None:
        notes.append(f"the {cell.evidence} result is {format_value(cell.ours, cell.published)}")
    ours = float(finding.correct)
    return replace(
        cell, evidence="audit", corpus="", profile="", seeds=0, ours=ours, ci_low=None, ci_high=None,
        difference=ours - float(cell.published), tolerance=None, verdict="ERRATUM",
        note="; ".join(filter(None, [*notes, cell.note])),
    )  # fmt: skip
