"""Averages against what they are of, and numbers that are printed in several places."""

from collections.abc import Iterator
from itertools import combinations

from common.evidence import arithmetic
from common.evidence.arithmetic import Value
from common.evidence.paper import Paper, resolve_number
from common.evidence.text import count_noun
from reports.audit.findings import Finding, format_like, name_table


def audit_averages(paper: Paper) -> Iterator[Finding]:
    """Columns called Average against the mean of the others."""
    for table in paper.tables:
        labels = [column.label for column in table.columns]
        average = next((label for label in labels if label.lower() == "average"), None)
        rows = [row for row in table.rows if average and row.published.keys() == set(labels)]
        good = 0
        for row in rows:
            parts = [arithmetic.parse_number(row.published[label]) for label in labels if label != average]
            follows, printed = _average(parts), arithmetic.parse_number(row.published[average])
            if arithmetic.can_be_equal(follows, printed):
                good += 1
                continue
            last = printed.high - printed.low
            severity = "slip" if abs(follows.face - printed.face) <= last else "error"
            how = "mean of " + " and ".join(row.published[label] for label in labels if label != average)
            place, text = f"{name_table(table)}, {row.label}, {average}", arithmetic.format_fraction(follows.face)
            wrong, right = (table.id, row.label, average), format_like(follows.face, row.published[average])
            yield Finding(paper.id, place, row.published[average], text, how, severity, wrong, right)
        if good:
            text = f"{good} of {count_noun(len(rows), 'average')}" if good < len(rows) else count_noun(good, "average")
            yield Finding(
                paper.id, name_table(table), text, "the mean of their row", "mean of the other columns", "none"
            )


def _average(values: list[Value]) -> Value:
    return sum(values[1:], start=values[0]) / arithmetic.parse_number(str(len(values)))


def audit_repeated(paper: Paper) -> Iterator[Finding]:
    """Numbers of the same network for the same thing, printed in several places."""
    places: dict[object, list[tuple[str, str]]] = {}
    for table in paper.tables:
        for row in table.rows:
            for column, text in row.published.items():
                number = resolve_number(paper, row, next(c for c in table.columns if c.label == column))
                if number.variant:
                    places.setdefault(number, []).append((f"{name_table(table)}, {row.label}, {column}", text))
    twice = {number: printed for number, printed in places.items() if len(printed) > 1}
    alike = 0
    for printed in twice.values():
        pairs = combinations([arithmetic.parse_number(text) for _, text in printed], 2)
        if all(arithmetic.can_be_equal(a, b) for a, b in pairs):
            alike += 1
            continue
        where = "; ".join(place for place, _ in printed)
        text = " and ".join(text for _, text in printed)
        yield Finding(paper.id, where, text, "one number", "the same number in several places", "unclear")
    if alike:
        text = f"{count_noun(alike, 'number')} in several places"
        yield Finding(paper.id, "tables", text, "the same in each", "compared within rounding", "none")
