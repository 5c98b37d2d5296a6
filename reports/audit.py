"""The audit: do the numbers that a paper prints go together? Arithmetic on `paper.toml`, and nothing else.

- A row of a confusion matrix is of whole things. Which numbers of them are printed as these percentages, rounded or
  cut off? If none are: is one thing in no cell, or is one cell a misprint? Which rows together have the quoted accuracy?
- Percentages of the same things need a number of things that all of them can be shares of.
- Averages average, and a number that is printed twice is printed alike.
- RMSE, CC and CCC of one row allow certain standard deviations of the labels only, and so do all rows together.
- What the text states of numbers holds, or does not: the claims of `paper.toml` that are arithmetic.

Nothing is known of a particular paper here: what the numbers are of stands in `paper.toml`.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import combinations

from common.evidence import arithmetic
from common.evidence.arithmetic import Value
from common.evidence.cells import Cell
from common.evidence.paper import (
    Audit,
    Claim,
    Paper,
    Table,
    collect_numbers,
    count_decimals,
    format_value,
    resolve_number,
)
from common.evidence.runs import File
from common.evidence.text import count_noun

SEVERITIES = ("none", "slip", "unclear", "error")  # agrees, last digit, cannot be settled, cannot be right
LARGEST = 400  # things in a class: no larger number is searched for
MISSING = 1  # things of a class that may be in no cell


@dataclass(frozen=True)
class Finding:
    """What is printed, what follows from other printed numbers, how that was computed, how serious it is."""

    paper: str
    place: str
    printed: str
    follows: str
    how: str
    severity: str
    cell: tuple[str, str, str] | None = None  # table, row and column of the one number that is wrong, where it is known
    correct: str = ""  # what is right there


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


def statements(paper: Paper, files: Iterable[File]) -> list[Statement]:
    """The claims of the paper that are arithmetic, in their order."""
    files, printed = list(files), collect_numbers(paper)
    return [_statement(paper, claim, files, printed) for claim in paper.claims if claim.holds]


def _statement(paper: Paper, claim: Claim, files: list[File], printed: dict) -> Statement:
    if not claim.recordings:
        return Statement(claim, arithmetic.evaluate_statement(claim.holds, printed), "audit")
    counted = _frames(paper, files, claim.recordings)
    if not counted:
        return Statement(claim, None, "none")
    return Statement(claim, arithmetic.evaluate_statement(claim.holds, printed, {"frames": counted}), "real")


def _frames(paper: Paper, files: list[File], pattern: str) -> int:
    """Labelled frames of those recordings of the paper's corpus, in the run that has read most of them; 0 without one."""
    of_paper = (paper.corpus, f"{paper.corpus}-public")
    runs = [record.get("recordings", []) for _, record in files if record["corpus"] in of_paper]
    counts = [sum(r.get("labels", 0) for r in recordings if fnmatchcase(r["name"], pattern)) for recordings in runs]
    return max(counts, default=0)


def text_cells(paper: Paper, stated: Iterable[Statement]) -> list[Cell]:
    """A row of cells.csv for each number in the running text that others give: the claims `... == NUMBER`."""
    return [_text_cell(paper, s) for s in stated if s.outcome and s.outcome.relation == "==" and s.outcome.literal]


def _text_cell(paper: Paper, stated: Statement) -> Cell:
    claim, outcome = stated.claim, stated.outcome
    ours, difference = float(outcome.ours.face), float(outcome.ours.face - outcome.stated.face)
    verdict = {"follows": "MATCH", "contradicted": "MISMATCH"}.get(stated.result, "NOT_COMPARABLE")
    note = "; ".join(text for text in (claim.holds, claim.note) if text)
    head = (paper.id, "text", claim.where, claim.text, outcome.literal, "own", stated.evidence, "", "", 0)
    return Cell(*head, ours, None, None, difference, None, verdict, note)


def findings(paper: Paper, stated: Sequence[Statement] = ()) -> list[Finding]:
    """All findings about a paper; `stated` are its `statements`."""
    found = []
    for table in paper.tables:
        if table.printed and table.confusion:
            entry = next((e for e in paper.audit if e.matrix == table.id), Audit(where="", matrix=table.id))
            found += _matrix(paper, table, entry)
    for entry in paper.audit:
        found += _shares(paper, entry) if entry.shares else []
    found += [*_averages(paper), *_repeated(paper), *_deviations(paper), *_stated(paper, stated)]
    return found


def corrected(cells: Iterable[Cell], found: Iterable[Finding]) -> list[Cell]:
    """The cells; a number that cannot be right as printed, where it is known what is, is an ERRATUM.

    A result of a real corpus stays, with its verdict unless that is MISMATCH; a simulated one gives way to what is right.
    """
    wrong = {finding.cell: finding for finding in found if finding.cell and finding.severity == "error"}
    return [_corrected(cell, wrong.get((cell.exhibit, cell.row, cell.column))) for cell in cells]


def _corrected(cell: Cell, finding: Finding | None) -> Cell:
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


# --- whole numbers behind percentages --------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """Whole numbers that a row of percentages can be of."""

    total: int
    counts: tuple[int, ...]
    missing: int = 0  # of the total, in no cell
    misprint: int | None = None  # place of the cell that is another share of the total than printed


def counts_of(units: int, scale: int, total: int) -> range:
    """Which of `total` things are printed as `units` / `scale` percent, rounded to whole units or cut off to them."""
    low = -((1 - 2 * units) * total // (200 * scale))  # smallest k with 100 k / total >= (units - 1/2) / scale
    high = -(-(units + 1) * total // (100 * scale))  # smallest k with 100 k / total >= (units + 1) / scale
    return range(max(low, 0), high)


def readings(row: Sequence[str], places: int, largest: int = LARGEST) -> list[Reading]:
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
    if whole := [r for total in totals for r in _complete(units, scale, total, 0)]:
        return whole
    fewer = [
        r for total in totals for missing in range(1, MISSING + 1) for r in _complete(units, scale, total, missing)
    ]
    wrong = [r for total in totals for r in _misprinted(row, units, scale, total)]
    first = min([*fewer, *wrong], key=lambda r: r.total, default=None)
    return wrong if first in wrong else fewer


def _complete(units: list[int], scale: int, total: int, missing: int) -> Iterator[Reading]:
    ranges = [counts_of(unit, scale, total) for unit in units]
    left = total - missing - sum(fits.start for fits in ranges)
    if all(ranges) and 0 <= left <= sum(len(fits) - 1 for fits in ranges):
        counts = []
        for fits in ranges:  # several counts may be printed alike; any that make up the total will do
            more = min(left, len(fits) - 1)
            counts.append(fits.start + more)
            left -= more
        yield Reading(total, tuple(counts), missing)


def _misprinted(row: Sequence[str], units: list[int], scale: int, total: int) -> Iterator[Reading]:
    ranges = [counts_of(unit, scale, total) for unit in units]
    for place in range(len(row)):
        others = [fits for k, fits in enumerate(ranges) if k != place]
        count = total - sum(fits.start for fits in others)
        if not all(others) or count < 0 or count in ranges[place]:
            continue
        share = 100 * scale * count
        correct = {share // total, (2 * share + total) // (2 * total)}  # cut off, rounded
        if any(one_slip(str(units[place]), str(right)) for right in correct):
            counts = [fits.start for fits in ranges[:place]] + [count] + [fits.start for fits in ranges[place + 1 :]]
            yield Reading(total, tuple(counts), misprint=place)


def one_slip(printed: str, meant: str) -> bool:
    """Whether digits differ by one that is wrong, missing or too many, or by two neighbours that are swapped."""
    same = next((k for k, (a, b) in enumerate(zip(printed, meant)) if a != b), min(len(printed), len(meant)))
    a, b = printed[same:], meant[same:]
    return a[1:] == b[1:] or a == b[1:] or a[1:] == b or (a[2:] == b[2:] and a[:2] == b[1::-1])


def smallest_total(options: Sequence[Sequence[tuple[int, int]]], fits: Callable, largest: int) -> int | None:
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


def _matrix(paper: Paper, table: Table, entry: Audit) -> list[Finding]:
    columns = [column.label for column in table.columns]
    if any(row.published.keys() != set(columns) for row in table.rows):
        return []  # a row of which numbers are illegible says nothing
    rows = [[row.published[column] for column in columns] for row in table.rows]
    places = max(count_decimals(text) for row in rows for text in row)
    options = [readings(row, places) for row in rows]
    found = [
        finding
        for row, printed, several in zip(table.rows, rows, options)
        if not several or several[0].missing or several[0].misprint is not None
        for finding in [_row(paper, table, row.label, printed, several, places)]
    ]
    agree = len(rows) - len(found)
    if agree:
        how = f"whole numbers whose shares, rounded or cut off to {places} decimals, are printed, and their sum"
        printed = f"{agree} of {len(rows)} rows sum to 100 within rounding"
        found.insert(
            0,
            Finding(paper.id, _named(table), printed, "each is of whole numbers that make up their total", how, "none"),
        )
    return found + (_together(paper, table, entry, options) if all(options) else [])


def _row(paper: Paper, table: Table, label: str, row: list[str], several: list[Reading], places: int) -> Finding:
    place, how = f"{_named(table)}, row {label}", f"search over totals up to {LARGEST}"
    printed = f"percentages that sum to {arithmetic.format_fraction(sum(map(Fraction, row)))}"
    if not several:
        return Finding(paper.id, place, printed, "no total fits, nor does any with one slip", how, "error")
    first = several[0]
    if first.misprint is None:
        follows = f"shares of {first.total}, but the cells hold {first.total - first.missing}: {_list(first.counts)}"
        how += f", with up to {MISSING} in no cell; no misprint of one cell explains it with a smaller total"
        return Finding(paper.id, place, printed, follows, how, "unclear")
    column = table.columns[first.misprint].label
    right = f"{100 * first.counts[first.misprint] / first.total:.{places}f}"
    printed = f"{row[first.misprint]} for {column}, in a row of {printed}"
    follows = f"{right}, {first.counts[first.misprint]} of {first.total}: the row is {_list(first.counts)}"
    how += ", with one cell misprinted by one digit or its point"
    wrong = (table.id, label, column) if len({reading.misprint for reading in several}) == 1 else None
    return Finding(paper.id, place, printed, follows, how, "error", wrong, right)


def _together(paper: Paper, table: Table, entry: Audit, options: list[list[Reading]]) -> list[Finding]:
    """The smallest whole numbers of the matrix, and whether the quoted accuracy is their accuracy or mean recall."""
    first = [several[0] for several in options]
    predicted = [column.predicted for column in table.columns]
    right = [predicted.index(row.truth) if row.truth in predicted else None for row in table.rows]  # the hits' places
    if None in right:
        return []
    hits = sum(reading.counts[k] for k, reading in zip(right, first))
    held, of = sum(sum(reading.counts) for reading in first), sum(reading.total for reading in first)
    recalls = [Fraction(100 * r.counts[k], r.total) for k, r in zip(right, first)]
    smallest = f"rows of at least {_list([sum(r.counts) for r in first])} in their cells: {held} in all, {hits} on the diagonal"
    if of != held:
        smallest += f"; as shares they are of {_list([r.total for r in first])}, {of} in all"
    printed, severity = f"{len(first)} rows of percentages", "none"
    if entry.total and held != entry.total:
        printed, severity = f"{printed}, of {entry.total} things by {entry.where}", "unclear"
    found = [
        Finding(paper.id, _named(table), printed, smallest, f"smallest total of each row up to {LARGEST}", severity)
    ]
    if not entry.quoted:
        return found
    (quoted,) = arithmetic.evaluate_values(entry.quoted, collect_numbers(paper))
    accuracy, recall = Fraction(100 * hits, held), sum(recalls) / len(recalls)
    follows = (
        f"accuracy {hits} of {held}: {_percent(accuracy)}"
        + (f" ({hits} of {of}: {_percent(Fraction(100 * hits, of))})" if of != held else "")
        + f"; mean of the recalls: {_percent(recall)}"
    )
    how = f"shares of the smallest whole numbers, against `{entry.quoted}`; mean recall from the same"
    if _rounds(accuracy, quoted):
        kind, severity = "it is the accuracy", "none"
    elif _rounds(recall, quoted):
        pairs = [[(sum(r.counts), r.counts[k]) for r in several] for k, several in zip(right, options)]
        limit = entry.total or 4 * held
        total = smallest_total(pairs, lambda h, n: _rounds(Fraction(100 * h, n), quoted), limit)
        kind = f"it is the mean recall, and no accuracy of fewer than {total or limit + 1}"
        severity = "unclear" if total else "error"
        how += f"; all whole numbers that fit, up to {limit} in all"
    else:
        kind, severity = "it is neither", "unclear"
    where = f"{_named(table)}, accuracy"
    return [*found, Finding(paper.id, where, f"{_face(quoted)} as accuracy", f"{follows}; {kind}", how, severity)]


def _rounds(share: Fraction, printed: Value) -> bool:
    half = Fraction(1, 2) if printed.exact else 0  # a percentage without decimals is rounded, too
    return printed.low - half <= share <= printed.high + half


def shares_of(printed: Iterable[Value], total: int) -> bool:
    """Whether each of the percentages is that of some whole number of `total` things, rounded."""
    return all(_rounds(Fraction(100 * round(value.face * total / 100), total), value) for value in printed)


def _shares(paper: Paper, entry: Audit) -> list[Finding]:
    """Of how many things are these percentages? Of none: which single one stands in the way?"""
    printed = list(dict.fromkeys(arithmetic.evaluate_values(entry.shares, collect_numbers(paper))))
    listed, total = ", ".join(map(_face, printed)), entry.total
    how = f"every whole number up to {total}"
    if fitting := [n for n in range(1, total + 1) if shares_of(printed, n)]:
        follows = f"of {_some(fitting)}"
        if fitting != [total]:
            follows += f", {total} among them" if total in fitting else f", not of {total}"
        severity = "none" if total in fitting else "unclear"
        return [Finding(paper.id, entry.where, listed, follows, how, severity)]
    alone = [v for v in printed if not shares_of([v], total)]
    for rest in combinations(printed, len(printed) - 1) if len(printed) > 2 else ():
        (odd,) = set(printed) - set(rest)
        if fitting := [n for n in range(1, total + 1) if shares_of(rest, n)]:
            nearest = min(
                (Fraction(100 * round(odd.face * n / 100), n) for n in fitting), key=lambda s: abs(s - odd.face)
            )
            near = _at_decimals(nearest, _face(odd))
            follows = f"all but {_face(odd)} are of {_some(fitting)}, where the nearest share is {near}"
            slip = abs(Fraction(near) - odd.face) <= odd.high - odd.low
            return [Finding(paper.id, entry.where, listed, follows, how, "slip" if slip else "error")]
    follows = f"no number up to {total} fits all" + (
        f", {total} itself fits {'none' if len(alone) == len(printed) else 'not ' + ', '.join(map(_face, alone))}"
        if alone
        else ""
    )
    return [Finding(paper.id, entry.where, listed, follows, how, "unclear")]


# --- averages, numbers printed twice ---------------------------------------------------------------------


def _averages(paper: Paper) -> Iterator[Finding]:
    """Columns called Average against the mean of the others."""
    for table in paper.tables:
        labels = [column.label for column in table.columns]
        average = next((label for label in labels if label.lower() == "average"), None)
        rows = [row for row in table.rows if average and row.published.keys() == set(labels)]
        good = 0
        for row in rows:
            parts = [arithmetic.parse_number(row.published[label]) for label in labels if label != average]
            follows, printed = _mean(parts), arithmetic.parse_number(row.published[average])
            if arithmetic.can_be_equal(follows, printed):
                good += 1
                continue
            last = printed.high - printed.low
            severity = "slip" if abs(follows.face - printed.face) <= last else "error"
            how = "mean of " + " and ".join(row.published[label] for label in labels if label != average)
            place, text = f"{_named(table)}, {row.label}, {average}", arithmetic.format_fraction(follows.face)
            wrong, right = (table.id, row.label, average), _at_decimals(follows.face, row.published[average])
            yield Finding(paper.id, place, row.published[average], text, how, severity, wrong, right)
        if good:
            text = f"{good} of {count_noun(len(rows), 'average')}" if good < len(rows) else count_noun(good, "average")
            yield Finding(paper.id, _named(table), text, "the mean of their row", "mean of the other columns", "none")


def _mean(values: list[Value]) -> Value:
    return sum(values[1:], start=values[0]) / arithmetic.parse_number(str(len(values)))


def _repeated(paper: Paper) -> Iterator[Finding]:
    """Numbers of the same network for the same thing, printed in several places."""
    places: dict[object, list[tuple[str, str]]] = {}
    for table in paper.tables:
        for row in table.rows:
            for column, text in row.published.items():
                number = resolve_number(paper, row, next(c for c in table.columns if c.label == column))
                if number.variant:
                    places.setdefault(number, []).append((f"{_named(table)}, {row.label}, {column}", text))
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


# --- RMSE, CC and CCC ------------------------------------------------------------------------------------


def deviation(rmse: Value, cc: Value, ccc: Value) -> tuple[float, float] | None:
    """Standard deviations that labels can have whose predictions score so; None if there are none.

    With the deviations s of the labels and t of the predictions, MSE = s^2 + t^2 + bias^2 - 2 CC s t, and CCC is
    2 CC s t divided by s^2 + t^2 + bias^2 = S. So S = MSE / (1 - CCC), s t = CCC S / (2 CC), and from bias^2 >= 0,
    s^2 + t^2 <= S: s^2 lies between the roots of x^2 - S x + (s t)^2. The bounds are those over all values that round
    to the printed ones; in between CCC is tried at 101 values, for they are not monotonic in it.
    """
    low, high = math.inf, -math.inf
    for k in range(101):
        c = float(ccc.low + (ccc.high - ccc.low) * Fraction(k, 100))
        for r in (float(cc.low), float(cc.high)):
            root = 1 - (c / r) ** 2 if r else -1.0
            if root < 0 or c >= 1 or c * r <= 0:
                continue  # |CCC| <= |CC|, and they have one sign
            small, large = (math.sqrt((1 + sign * math.sqrt(root)) / 2 / (1 - c)) for sign in (-1, 1))
            low, high = min(low, float(rmse.low) * small), max(high, float(rmse.high) * large)
    return (low, high) if low <= high else None


def _deviations(paper: Paper) -> list[Finding]:
    """The deviation of the labels by each row that prints RMSE, CC and CCC, and by all of them together."""
    places: dict[tuple[str, ...], str] = {}  # scores -> where they stand first
    for table in paper.tables:
        metric = {column.metric: column.label for column in table.columns}
        if not table.printed or not {"RMSE", "CC", "CCC"} <= metric.keys():
            continue
        for row in table.rows:
            if all(metric[name] in row.published for name in ("RMSE", "CC", "CCC")):
                scores = [row.published[metric[name]] for name in ("RMSE", "CC", "CCC")]
                places.setdefault(tuple(scores), f"{_named(table)}, {row.label}")
    how = "RMSE, CC and CCC of one series: s^2 + t^2 <= MSE / (1 - CCC), s t = CCC MSE / (2 CC (1 - CCC))"
    bounds = {scores: deviation(*map(arithmetic.parse_number, scores)) for scores in places}
    found = [
        Finding(paper.id, places[scores], ", ".join(scores), "no series has these three scores", how, "error")
        for scores, bound in bounds.items()
        if bound is None
    ]
    possible = [bound for bound in bounds.values() if bound]
    if len(possible) > 1:
        low, high = max(b[0] for b in possible), min(b[1] for b in possible)
        fits = low <= high
        text = (
            f"labels of one standard deviation, from {low:.3f} to {high:.3f}"
            if fits
            else "no one deviation of the labels"
        )
        printed = f"{len(possible)} different rows of RMSE, CC and CCC"
        found.append(Finding(paper.id, "tables", printed, text, how, "none" if fits else "unclear"))
    return found


# --- what the text states --------------------------------------------------------------------------------


def _stated(paper: Paper, stated: Sequence[Statement]) -> list[Finding]:
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
            found.append(Finding(paper.id, claim.where, claim.text, _against(statement.outcome), how, severity))
    return found


def _against(outcome: arithmetic.Outcome) -> str:
    """How the two sides of a statement that does not follow stand to each other."""
    ours, stated = arithmetic.format_fraction(outcome.ours.face), arithmetic.format_fraction(outcome.stated.face)
    if outcome.result == "undecided":
        return f"{ours} and {stated}: the printed numbers leave it open"
    return f"{ours} {_OPPOSITE[outcome.relation]} {stated}"


_OPPOSITE = {"==": "≠", "<": "≥", "<=": ">", ">": "≤", ">=": "<"}


# --- as text ---------------------------------------------------------------------------------------------


def _named(table: Table) -> str:
    """Table 1 for table1."""
    return re.sub(r"^(table|figure)(?=\d)", lambda found: found[0].capitalize() + " ", table.id)


def _face(value: Value) -> str:
    """A printed number as it is printed."""
    width = value.high - value.low
    return f"{float(value.face):.{round(-math.log10(width)) if width else 0}f}"


def _at_decimals(value: Fraction, printed: str) -> str:
    return f"{float(value):.{count_decimals(printed)}f}"


def _percent(share: Fraction) -> str:
    return f"{float(share):.2f} %"


def _list(values: Iterable[int]) -> str:
    return " ".join(map(str, values))


def _some(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:4])) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
