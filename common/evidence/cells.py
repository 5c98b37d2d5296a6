"""Published numbers against ours: one cell for each printed number, with its evidence and a verdict.

A number is a MATCH only if everything agrees: the paper's corpus, the paper profile, the declared settings, all
seeds on the same recordings, as many of these as declared, none that could not be used, a defined score that follows
from the predictions where any are stored, and a difference within the declared tolerance. Of a confusion matrix, the
recall of the class must match, too. It is an ERRATUM where it would be a MISMATCH and is, to the printed
decimals, the score of another system that `paper.toml` names as the explanation. (`reports.audit` knows another kind:
numbers that cannot be right beside those printed with them.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.evidence.paper import Paper, Part, Row, Table, format_value, resolve_number
from common.evidence.runs import (
    MEASURED,
    File,
    Runs,
    check_files,
    find_place,
    is_of_paper,
    list_changed_settings,
    read_date,
    select_runs,
)
from common.evidence.scores import (
    UNSOUND,
    estimate_interval,
    find_score,
    is_scored,
    is_sound,
    read_paired_predictions,
    read_predictions,
    resample_score,
    split_targets,
)
from common.evidence.skill import UNLEARNT, judge_number

VERDICTS = ("MATCH", "MISMATCH", "ERRATUM", "NOT_COMPARABLE", "NOT_RUN")
QUOTED = "quoted by the authors from: "


@dataclass(frozen=True)
class Cell:
    """One printed number and ours; the fields are the columns of cells.csv. None is an empty entry."""

    paper: str
    exhibit: str
    row: str
    column: str
    published: str  # as printed; empty in a table of ours
    origin: str  # "own", or "quoted" by the authors from earlier work
    evidence: str  # "real", "audit", "measured", "simulated" or "none"
    corpus: str
    profile: str
    seeds: int
    ours: float | None
    ci_low: float | None  # 95 % bootstrap interval over recordings, or conversations where they are known, and seeds
    ci_high: float | None
    difference: float | None  # ours - published
    tolerance: float | None
    verdict: str  # empty in a table of ours
    note: str


def fill_cells(paper: Paper, files: Iterable[File]) -> list[Cell]:
    """Every printed number of the paper's tables in the paper's order, with ours, its evidence and a verdict.

    Args:
        paper: from `load_paper`.
        files: (path, record) pairs, from `results.find`.

    Raises:
        InputError: a result file that is incomplete, in the wrong folder or apart from its arrays.
    """
    return _fill_tables(paper, files, printed=True)


def fill_own_cells(paper: Paper, files: Iterable[File]) -> list[Cell]:
    """The numbers of the tables of ours, which the paper does not have: nothing is published, there is no verdict."""
    return _fill_tables(paper, files, printed=False)


def _fill_tables(paper: Paper, files: Iterable[File], printed: bool) -> list[Cell]:
    files = check_files(files)
    found = []
    for table in paper.tables:
        for row in table.rows if table.printed == printed else ():
            columns = [column for column in table.columns if column.label in row.published or not printed]
            cells = [_fill_cell(paper, files, table, row, column) for column in columns]
            found += _demand_recall(row, columns, cells) if table.confusion else cells
    return found


def _demand_recall(row: Row, columns: Sequence[Part], cells: list[Cell]) -> list[Cell]:
    """Of a class that is not recognised as often as printed no share matches: any guess comes close to what is near 0."""
    recall = [cell.verdict for cell, column in zip(cells, columns) if column.predicted == row.truth]
    if not {"MATCH", "ERRATUM"}.isdisjoint(recall):
        return cells
    note = "the recall of this class does not match"
    return [
        replace(cell, verdict="MISMATCH", note="; ".join(filter(None, [note, cell.note])))
        if cell.verdict == "MATCH"
        else cell
        for cell in cells
    ]


def _fill_cell(paper: Paper, files: list[File], table: Table, row: Row, column: Part) -> Cell:
    number = resolve_number(paper, row, column)
    published = row.published.get(column.label, "")
    tolerance = number.tolerance if number.variant and published else None
    head = (paper.id, table.id, row.label, column.label, published, "quoted" if number.quoted else "own")
    quoted = [f"{QUOTED}{number.quoted}"] if number.quoted else []
    runs = select_runs(paper, files, number.variant, number=number) if number.variant else None
    if runs is None or not is_scored(runs, number):
        verdict = "NOT_RUN" if published else ""
        return Cell(*head, "none", "", "", 0, None, None, None, None, tolerance, verdict, "".join(quoted))
    ours = find_score(paper, runs, number)
    sound = is_sound(paper, runs, number)
    low, high = estimate_interval(resample_score(paper, runs, number) if sound and ours is not None else None)
    difference = None if ours is None or not published else ours - float(published)
    verdict, notes = "", [] if sound else [UNSOUND]
    if published:
        verdict, notes = _judge(paper, runs, number, difference, sound)
    if verdict == "MISMATCH" and not notes and (explained := _explain(paper, files, table, row, column, runs)):
        verdict, notes = "ERRATUM", [explained]
    if any(skill.learnt is False for skill in judge_number(paper, files, runs, number)):
        notes.append(UNLEARNT)
    if runs.left_out:
        notes.append(
            f"left out: {runs.left_out} older result file(s) under other settings or of another corpus version"
        )
    if runs.first.get("committed"):
        notes.append(f"from the run that comes with the suite, of {read_date(runs.first)[:10]}")
    if runs.evidence != MEASURED and not all("arrays" in record for _, record in runs.files):
        notes.append("the predictions behind it are not stored")
    notes += quoted
    source = (runs.evidence, runs.corpus, runs.profile, len(runs.files))
    return Cell(*head, *source, ours, low, high, difference, tolerance, verdict, "; ".join(notes))


def _explain(paper: Paper, files: list[File], table: Table, row: Row, column: Part, runs: Runs) -> str:
    """Why a printed number is not ours: it is the score of another system, if our score of that one says so."""
    published, number = row.published[column.label], resolve_number(paper, row, column)
    for erratum in paper.errata:
        if (erratum.table, erratum.row, erratum.column) != (table.id, row.label, column.label):
            continue
        other = select_runs(paper, files, erratum.variant, runs.corpus, number)
        if other is None or find_place(other.first) != find_place(runs.first) or not is_sound(paper, other, number):
            continue
        theirs, ours = (find_score(paper, r, number) for r in (other, runs))
        if format_value(theirs, published) == published:
            where = f"of `{erratum.variant}` ({theirs:.4f}), not of `{number.variant}` ({ours:.4f})"
            return f"{published} is the score {where}"
    return ""


def _judge(paper: Paper, runs: Runs, number: Part, difference: float | None, sound: bool) -> tuple[str, list[str]]:
    """The verdict, and all that stands in the way of a match."""
    other, lacking = list_departures(paper, runs, number), list_gaps(paper, runs, number, sound)
    if difference is None:
        lacking.insert(0, "our score is undefined")
    # 1e-9: 0.119 - 0.109 is a little more than 0.01 in binary, and a printed decimal is meant
    close = difference is not None and abs(difference) <= number.tolerance + 1e-9
    verdict = "NOT_COMPARABLE" if other else "MATCH" if close and not lacking else "MISMATCH"
    return verdict, other + lacking


def list_departures(paper: Paper, runs: Runs, number: Part) -> list[str]:
    """What makes it another experiment than the printed one: there is no comparison."""
    other = []
    if runs.evidence == "simulated":
        other.append("simulated corpus")
    elif runs.evidence == MEASURED:
        processor = runs.first.get("provenance", {}).get("processor", "another machine")
        precision = runs.first.get("precision")
        how = f"measured in {precision}" if precision else "measured"
        how += " with untrained networks" if runs.first.get("weights") == "random" else ""
        other.append(f"{how} on {processor}; the paper does not name its machine")
    elif not is_of_paper(number, runs.corpus):
        other.append(f"the paper used {number.corpus}")
    if runs.profile != "paper":
        other.append(f"{runs.profile} profile")
    if changed := list_changed_settings(paper, runs):
        other.append("not the declared settings: " + ", ".join(f"{k}={v}" for k, v in sorted(changed.items())))
    return other


def list_gaps(paper: Paper, runs: Runs, number: Part, sound: bool) -> list[str]:
    """What the printed experiment has and this one has not: there is no match."""
    lacking = []
    if not sound:
        lacking.append(UNSOUND)
    if len(runs.files) < paper.protocol.seeds and runs.evidence != MEASURED:
        lacking.append(f"{len(runs.files)} of {paper.protocol.seeds} seeds")
    targets = split_targets(number)
    if any(read_predictions(paper, runs, n) and read_paired_predictions(paper, runs, n) is None for n in targets):
        lacking.append("the seeds scored different recordings")
    if count := max(len(record.get("unusable", [])) for _, record in runs.files):
        lacking.append(f"{count} recording(s) could not be used")
    least = paper.recordings.get(number.corpus, {}).get(number.recordings, 0) if runs.evidence == "real" else 0
    scored = min(map(len, read_predictions(paper, runs, targets[0])), default=least)
    if scored < least:
        lacking.append(f"{scored} recordings were scored, at least {least} are asked for")
    return lacking
