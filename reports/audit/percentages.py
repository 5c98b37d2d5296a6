"""Whole numbers behind percentages: the rows of a confusion matrix, and shares of the same things."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from common.evidence import arithmetic
from common.evidence.arithmetic import Value
from common.evidence.paper import Audit, Paper, Table, collect_numbers, count_decimals
from reports.audit.findings import (
    Finding,
    format_face,
    format_like,
    format_percent,
    join_first,
    join_numbers,
    name_table,
)

LARGEST = 400  # things in a class: no larger number is searched for
MISSING = 1  # things of a class that may be in no cell


@dataclass(frozen=True)
class Reading:
    """Whole numbers that a row of percentages can be of."""

    total: int
    counts: tuple[int, ...]
    missing: int = 0  # of the total, in no cell
    misprint: int | None = None  # place of the cell that is another share of the total than printed


def list_counts(units: int, scale: int, total: int) -> range:
    """Which of `total` things are printed as `units` / `scale` percent, rounded to whole units or cut off to them."""
    low = -((1 - 2 * units) * total // (200 * scale))  # smallest k with 100 k / total >= (units - 1/2) / scale
    high = -(-(units + 1) * total // (100 * scale))  # smallest k with 100 k / total >= (units + 1) / scale
    return range(max(low, 0), high)


def find_readings(row: Sequence[str], places: int, largest: int = LARGEST) -> list[Reading]:
    """Whole numbers behind one row of a confusion matrix, by their total.

    Args:
        row: percentages as printed.
        places: decimals with which the matrix is printed; 12.5 and 0 in it are 12.50 and 0.00.
        largest: the largest total that is tried.

    Returns:
        Every total with counts that are printed so and make it up. If there is none: those that fit when up to
        `MISSING` things are in no cell, or when one cell is a misprint, whichever has the smaller total. A misprint is
        a digit too many, missing or wrong, two neighbours swapped, or the point in another place.
    """
    scale = 10**places
    units = [round(Fraction(text) * scale) for text in row]
    totals = range(1, largest + 1)
    if whole := [r for total in totals for r in _read_complete(units, scale, total, 0)]:
        return whole
    fewer = [
        r for total in totals for missing in range(1, MISSING + 1) for r in _read_complete(units, scale, total, missing)
    ]
    wrong = [r for total in totals for r in _read_misprinted(row, units, scale, total)]
    first = min([*fewer, *wrong], key=lambda r: r.total, default=None)
    return wrong if first in wrong else fewer


def _read_complete(units: list[int], scale: int, total: int, missing: int) -> Iterator[Reading]:
    ranges = [list_counts(unit, scale, total) for unit in units]
    left = total - missing - sum(fits.start for fits in ranges)
    if all(ranges) and 0 <= left <= sum(len(fits) - 1 for fits in ranges):
        counts = []
        for fits in ranges:  # several counts may be printed alike; any that make up the total will do
            more = min(left, len(fits) - 1)
            counts.append(fits.start + more)
            left -= more
        yield Reading(total, tuple(counts), missing)


def _read_misprinted(row: Sequence[str], units: list[int], scale: int, total: int) -> Iterator[Reading]:
    ranges = [list_counts(unit, scale, total) for unit in units]
    for place in range(len(row)):
        others = [fits for k, fits in enumerate(ranges) if k != place]
        count = total - sum(fits.start for fits in others)
        if not all(others) or count < 0 or count in ranges[place]:
            continue
        share = 100 * scale * count
        correct = {share // total, (2 * share + total) // (2 * total)}  # cut off, rounded
        if any(is_one_slip(str(units[place]), str(right)) for right in correct):
            counts = [fits.start for fits in ranges[:place]] + [count] + [fits.start for fits in ranges[place + 1 :]]
            yield Reading(total, tuple(counts), misprint=place)


def is_one_slip(printed: str, meant: str) -> bool:
    """Whether digits differ by one that is wrong, missing or too many, or by two neighbours that are swapped."""
    same = next((k for k, (a, b) in enumerate(zip(printed, meant)) if a != b), min(len(printed), len(meant)))
    a, b = printed[same:], meant[same:]
    return a[1:] == b[1:] or a == b[1:] or a[1:] == b or (a[2:] == b[2:] and a[:2] == b[1::-1])


def find_smallest_total(options: Sequence[Sequence[tuple[int, int]]], fits: Callable, largest: int) -> int | None:
    """The smallest total up to `largest` of one (total, hits) from each of `options` for which `fits(hits, total)`."""
    hits = {0: 1}  # total -> bit h is set where h hits are possible
    for option in options:
        after: dict[int, int] = {}
        for total, bits in hits.items():
            for more, right in option:
                if total + more <= largest:
                    after[total + more] = after.get(total + more, 0) | bits << right
        hits = after
    for total in sorted(hits):
        if any(hits[total] >> h & 1 and fits(h, total) for h in range(total + 1)):
            return total
    return None


def audit_matrix(paper: Paper, table: Table, entry: Audit) -> list[Finding]:
    columns = [column.label for column in table.columns]
    if any(row.published.keys() != set(columns) for row in table.rows):
        return []  # a row of which numbers are illegible says nothing
    rows = [[row.published[column] for column in columns] for row in table.rows]
    places = max(count_decimals(text) for row in rows for text in row)
    options = [find_readings(row, places) for row in rows]
    found = [
        finding
        for row, printed, several in zip(table.rows, rows, options)
        if not several or several[0].missing or several[0].misprint is not None
        for finding in [_explain_row(paper, table, row.label, printed, several, places)]
    ]
    agree = len(rows) - len(found)
    if agree:
        how = f"whole numbers whose shares, rounded or cut off to {places} decimals, are printed, and their sum"
        printed = f"{agree} of {len(rows)} rows sum to 100 within rounding"
        found.insert(
            0,
            Finding(
                paper.id, name_table(table), printed, "each is of whole numbers that make up their total", how, "none"
            ),
        )
    return found + (_audit_together(paper, table, entry, options) if all(options) else [])


def _explain_row(
    paper: Paper, table: Table, label: str, row: list[str], several: list[Reading], places: int
) -> Finding:
    place, how = f"{name_table(table)}, row {label}", f"search over totals up to {LARGEST}"
    printed = f"percentages that sum to {arithmetic.format_fraction(sum(map(Fraction, row)))}"
    if not several:
        return Finding(paper.id, place, printed, "no total fits, nor does any with one slip", how, "error")
    first = several[0]
    if first.misprint is None:
        follows = (
            f"shares of {first.total}, but the cells hold {first.total - first.missing}: {join_numbers(first.counts)}"
        )
        how += f", with up to {MISSING} in no cell; no misprint of one cell explains it with a smaller total"
        return Finding(paper.id, place, printed, follows, how, "unclear")
    column = table.columns[first.misprint].label
    right = f"{100 * first.counts[first.misprint] / first.total:.{places}f}"
    printed = f"{row[first.misprint]} for {column}, in a row of {printed}"
    follows = f"{right}, {first.counts[first.misprint]} of {first.total}: the row is {join_numbers(first.counts)}"
    how += ", with one cell misprinted by one digit or its point"
    wrong = (table.id, label, column) if len({reading.misprint for reading in several}) == 1 else None
    return Finding(paper.id, place, printed, follows, how, "error", wrong, right)


def _audit_together(paper: Paper, table: Table, entry: Audit, options: list[list[Reading]]) -> list[Finding]:
    """The smallest whole numbers of the matrix, and whether the quoted accuracy is their accuracy or mean recall."""
    first = [several[0] for several in options]
    predicted = [column.predicted for column in table.columns]
    right = [predicted.index(row.truth) if row.truth in predicted else None for row in table.rows]  # the hits' places
    if None in right:
        return []
    hits = sum(reading.counts[k] for k, reading in zip(right, first))
    held, of = sum(sum(reading.counts) for reading in first), sum(reading.total for reading in first)
    recalls = [Fraction(100 * r.counts[k], r.total) for k, r in zip(right, first)]
    smallest = f"rows of at least {join_numbers([sum(r.counts) for r in first])} in their cells: {held} in all, {hits} on the diagonal"
    if of != held:
        smallest += f"; as shares they are of {join_numbers([r.total for r in first])}, {of} in all"
    printed, severity = f"{len(first)} rows of percentages", "none"
    if entry.total and held != entry.total:
        printed, severity = f"{printed}, of {entry.total} things by {entry.where}", "unclear"
    found = [
        Finding(paper.id, name_table(table), printed, smallest, f"smallest total of each row up to {LARGEST}", severity)
    ]
    if not entry.quoted:
        return found
    (quoted,) = arithmetic.evaluate_values(entry.quoted, collect_numbers(paper))
    accuracy, recall = Fraction(100 * hits, held), sum(recalls) / len(recalls)
    follows = (
        f"accuracy {hits} of {held}: {format_percent(accuracy)}"
        + (f" ({hits} of {of}: {format_percent(Fraction(100 * hits, of))})" if of != held else "")
        + f"; mean of the recalls: {format_percent(recall)}"
    )
    how = f"shares of the smallest whole numbers, against `{entry.quoted}`; mean recall from the same"
    if _rounds_to(accuracy, quoted):
        kind, severity = "it is the accuracy", "none"
    elif _rounds_to(recall, quoted):
        pairs = [[(sum(r.counts), r.counts[k]) for r in several] for k, several in zip(right, options)]
        limit = entry.total or 4 * held
        total = find_smallest_total(pairs, lambda h, n: _rounds_to(Fraction(100 * h, n), quoted), limit)
        kind = f"it is the mean recall, and no accuracy of fewer than {total or limit + 1}"
        severity = "unclear" if total else "error"
        how += f"; all whole numbers that fit, up to {limit} in all"
    else:
        kind, severity = "it is neither", "unclear"
    where = f"{name_table(table)}, accuracy"
    return [*found, Finding(paper.id, where, f"{format_face(quoted)} as accuracy", f"{follows}; {kind}", how, severity)]


def _rounds_to(share: Fraction, printed: Value) -> bool:
    half = Fraction(1, 2) if printed.exact else 0  # a percentage without decimals is rounded, too
    return printed.low - half <= share <= printed.high + half


def are_shares(printed: Iterable[Value], total: int) -> bool:
    """Whether each of the percentages is that of some whole number of `total` things, rounded."""
    return all(_rounds_to(Fraction(100 * round(value.face * total / 100), total), value) for value in printed)


def audit_shares(paper: Paper, entry: Audit) -> list[Finding]:
    """Of how many things are these percentages? Of none: which single one stands in the way?"""
    printed = list(dict.fromkeys(arithmetic.evaluate_values(entry.shares, collect_numbers(paper))))
    listed, total = ", ".join(map(format_face, printed)), entry.total
    how = f"every whole number up to {total}"
    if fitting := [n for n in range(1, total + 1) if are_shares(printed, n)]:
        follows = f"of {join_first(fitting)}"
        if fitting != [total]:
            follows += f", {total} among them" if total in fitting else f", not of {total}"
        severity = "none" if total in fitting else "unclear"
        return [Finding(paper.id, entry.where, listed, follows, how, severity)]
    alone = [v for v in printed if not are_shares([v], total)]
    for rest in combinations(printed, len(printed) - 1) if len(printed) > 2 else ():
        (odd,) = set(printed) - set(rest)
        if fitting := [n for n in range(1, total + 1) if are_shares(rest, n)]:
            nearest = min(
                (Fraction(100 * round(odd.face * n / 100), n) for n in fitting), key=lambda s: abs(s - odd.face)
            )
            near = format_like(nearest, format_face(odd))
            follows = f"all but {format_face(odd)} are of {join_first(fitting)}, where the nearest share is {near}"
            slip = abs(Fraction(near) - odd.face) <= odd.high - odd.low
            return [Finding(paper.id, entry.where, listed, follows, how, "slip" if slip else "error")]
    follows = f"no number up to {total} fits all" + (
        f", {total} itself fits {'none' if len(alone) == len(printed) else 'not ' + ', '.join(map(format_face, alone))}"
        if alone
        else ""
    )
    return [Finding(paper.id, entry.where, listed, follows, how, "unclear")]
