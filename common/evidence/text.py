"""The tables as text for a terminal, and how a cell is put into words there and on the page."""

from collections import Counter
from collections.abc import Iterable, Sequence

from common.evidence.cells import VERDICTS, Cell
from common.evidence.paper import Paper, Table, count_decimals, format_value
from common.evidence.skill import UNLEARNT, Skill, count_learnt

SIMULATED_CAVEAT = (
    "Simulated numbers show that the replication runs and how its parts behave; "
    "they can neither confirm nor refute a published number."
)


MARK = "\N{DAGGER}"
MARK_NOTE = f"{MARK} {UNLEARNT}: the number says nothing of what it can do."


def format_tables(paper: Paper, cells: Iterable[Cell]) -> str:
    """The paper's tables for a terminal: published, ours, 95 % interval, difference, verdict."""
    cells, parts = list(cells), []
    for table in paper.tables:
        rows = [cell for cell in cells if cell.exhibit == table.id]
        if not rows:
            continue
        if not table.printed:
            parts.append(_format_own_table(table, rows))
            continue
        if table.confusion:
            parts.append(_format_confusion(table, rows))
            continue
        body = [("", "", "published", "ours", "95 % interval", "difference", "verdict")]
        body += [_format_row(cell, before) for before, cell in zip([None, *rows], rows)]
        lines = _align(body, "<<>>>><")
        errata = [f"{cell.row}, {cell.column}: {cell.note}" for cell in rows if cell.verdict == "ERRATUM"]
        parts.append("\n".join([f"{table.id}: {table.title}", *lines, *errata, *_list_sources(rows)]))
    if any(cell.evidence == "simulated" for cell in cells):
        parts.append(SIMULATED_CAVEAT)
    return "\n\n".join(parts) + "\n"


def _format_own_table(table: Table, cells: list[Cell]) -> str:
    """A table of ours without its intervals: those rows of which there are cells, those columns that have a result."""
    columns = [c.label for c in table.columns if any(e.column == c.label and e.evidence != "none" for e in cells)]
    ours = {(cell.row, cell.column): mark_unlearnt(cell, format_value(cell.ours, "") or "-") for cell in cells}
    there = dict.fromkeys(cell.row for cell in cells)
    body = [("", *columns), *((row, *(ours.get((row, column), "-") for column in columns)) for row in there)]
    return "\n".join([table.title, *_align(body, "<" + ">" * len(columns)), *_list_sources(cells)])


def _format_confusion(table: Table, cells: list[Cell]) -> str:
    """A confusion matrix: a line of ours and a line as printed for each true class, and how often which verdict."""
    by_place = {(cell.row, cell.column): cell for cell in cells}
    columns, decimal = [column.label for column in table.columns], find_finest(cells)
    body = [("", "", *columns)]
    for row in table.rows:
        found = [by_place.get((row.label, column)) for column in columns]
        body.append((row.label, "ours", *((format_value(cell.ours, decimal) or "-") if cell else "" for cell in found)))
        body.append(("", "published", *(cell.published if cell else "" for cell in found)))
    verdicts = Counter(cell.verdict for cell in cells)
    counts = "verdicts: " + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
    errata = [f"{cell.row}, {cell.column}: {cell.note}" for cell in cells if cell.verdict == "ERRATUM"]
    lines = _align(body, "<<" + ">" * len(columns))
    return "\n".join([f"{table.id}: {table.title}", *lines, counts, *errata, *_list_sources(cells)])


def find_finest(cells: Iterable[Cell]) -> str:
    """The printed number with the most decimals: a matrix may print 0 beside 8.86."""
    return max((cell.published for cell in cells), key=count_decimals, default="")


def _align(body: list[tuple[str, ...]], align: str) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*body)]
    return ["  ".join(f"{t:{a}{w}}" for t, a, w in zip(row, align, widths)).rstrip() for row in body]


def _list_sources(cells: list[Cell]) -> list[str]:
    sources = sorted({describe_source(cell) for cell in cells if cell.evidence != "none"})
    marked = [MARK_NOTE] if any(UNLEARNT in cell.note for cell in cells) else []
    return [f"ours: {words}" for words in sources] + marked


def _format_row(cell: Cell, before: Cell | None) -> tuple[str, ...]:
    label = "" if before and before.row == cell.row else cell.row
    ours = format_value(cell.ours, cell.published) or "-"
    difference = format_value(cell.difference, cell.published, True)
    return (
        label,
        cell.column,
        cell.published,
        mark_unlearnt(cell, ours),
        format_interval(cell),
        difference,
        cell.verdict,
    )


def mark_unlearnt(cell: Cell, ours: str) -> str:
    """The number of ours, marked where its network has not learnt: it says nothing of the network."""
    return f"{ours} {MARK}" if UNLEARNT in cell.note and ours else ours


def summarise_skills(skills: Sequence[Skill]) -> str:
    """One line: how many networks have learnt, and which have not."""
    if not skills:
        return "learnt: no network with stored predictions"
    lacking = dict.fromkeys(skill.variant for skill in skills if skill.learnt is False)
    words = f"; not, or not everywhere: {', '.join(lacking)}" if lacking else ""
    return f"learnt: {count_learnt(skills)} (networks by target; intervals above the floor){words}"


def format_interval(cell: Cell) -> str:
    """The 95 % interval at the decimals of the printed number; "" without one."""
    if cell.ci_low is None:
        return ""
    low, high = (format_value(bound, cell.published) for bound in (cell.ci_low, cell.ci_high))
    return f"[{low}, {high}]"


def describe_source(cell: Cell) -> str:
    """Where a number of ours comes from, in words."""
    if cell.evidence == "none":
        return "not run"
    if cell.evidence == "audit":
        return "arithmetic on the printed numbers, evidence audit"
    return f"corpus {cell.corpus}, {cell.profile} profile, evidence {cell.evidence}, {count_noun(cell.seeds, 'seed')}"


def count_noun(count: int, noun: str) -> str:
    """The count and its noun: "1 seed", "2 seeds"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
