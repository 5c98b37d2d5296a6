"""cells.csv, and the tables of a paper as Markdown, LaTeX and CSV."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import asdict, fields

from common.evidence import arithmetic
from common.evidence.cells import QUOTED, Cell
from common.evidence.claims import Direction
from common.evidence.paper import PERCENT, format_value
from common.evidence.skill import UNLEARNT, Skill
from common.evidence.text import (
    MARK_NOTE,
    SIMULATED_CAVEAT,
    count_noun,
    describe_source,
    format_interval,
    mark_unlearnt,
)
from reports.audit.statements import Statement
from reports.evaluation import Evaluation

HEAD = ("Row", "Column", "Published", "Ours", "95 % interval", "Difference", "Verdict")
SKILL_HEAD = ("Network", "On", "Train", "Held out", "Interval", "Floor", "Ceiling", "Way", "Learnt")
OWN_HEAD = ("Row", "Column", "Ours", "95 % interval")
CLAIM_HEAD = ("Claim", "Checked on", "Published", "Ours", "Interval", "Result")
AUDIT_HEAD = ("Place", "Printed", "What follows", "How", "Severity")
_FINDING = ("paper", "place", "printed", "follows", "how", "severity")  # the columns of an audit's CSV
WORDS = {
    "MATCH": "match", "MISMATCH": "mismatch", "ERRATUM": "erratum", "NOT_COMPARABLE": "not comparable",
    "NOT_RUN": "not run", "": "",
}  # fmt: skip
ALIGN = "pprrrrp"
SEVERITY = {"none": "agrees", "slip": "slip", "unclear": "unclear", "error": "error"}
PLACES = {"audit": "printed numbers", "real": "real recordings"}
SKILLS = (
    "Scores without post-processing. Train: on what it was trained on, as the room notes it (priyasad2019: segments; "
    "raju2021: after the last epoch). Held out: on others, with the 95 % interval over people and seeds. "
    "Floor: what one scores who knows nothing of the recording. Ceiling: a plain learner that is given the planted truth "
    "inside the network's window; what is better in the score at hand may be above it. Way: from the floor to the ceiling. "
    "Learnt: the interval lies above the floor; of fewer than four people that cannot be told."
)
INTERVALS = "Intervals: of scores, 95 % over recordings, or people where they are known, and seeds; of printed numbers, all that those which round to them can give."


def format_cells_csv(cells: Iterable[Cell]) -> str:
    """One line for each printed number, at full precision; columns are the fields of `cells.Cell`."""
    return _format_csv([field.name for field in fields(Cell)], (asdict(cell).values() for cell in cells))


def format_exhibits(evaluation: Evaluation) -> dict[str, str]:
    """File name -> content: every table of the paper, what was learnt, its claims, its audit: as .md, .tex and .csv."""
    paper, cells, files = evaluation.paper, evaluation.cells, {}
    for table in paper.tables:
        own = [cell for cell in cells if cell.exhibit == table.id]
        rows, notes = [format_row(cell) for cell in own], _list_notes(own)
        name = f"{paper.id}-{table.id}"
        if table.printed:
            files |= _format_all(name, f"{paper.id}, {table.id}: {table.title}", HEAD, ALIGN, rows, notes)
        else:  # nothing is printed to compare with
            rows, notes = [(*line[:2], *line[3:5]) for line in rows], [note for note in (table.note, *notes) if note]
            files |= _format_all(name, f"{paper.id}: {table.title}", OWN_HEAD, "pprr", rows, notes)
        files[f"{name}.csv"] = format_cells_csv(own)
    rows = [format_skill(skill) for skill in evaluation.skills]
    files |= _format_all(
        f"{paper.id}-skill", f"{paper.id}: what the networks learnt", SKILL_HEAD, "pprrrrrrp", rows, [SKILLS]
    )
    files[f"{paper.id}-skill.csv"] = _format_csv(_SKILL_COLUMNS, map(_list_skill_values, evaluation.skills))
    checked = [entry for claim in paper.claims for entry in evaluation.checked if entry.claim is claim]
    rows = [format_claim(entry) for entry in checked]
    notes = [INTERVALS, *([SIMULATED_CAVEAT] if any(entry.evidence == "simulated" for entry in checked) else [])]
    files |= _format_all(f"{paper.id}-claims", f"{paper.id}: claims", CLAIM_HEAD, "pprrrp", rows, notes)
    files[f"{paper.id}-claims.csv"] = _format_csv(_CLAIM_COLUMNS, map(_list_claim_values, checked))
    found = [tuple(getattr(finding, column) for column in _FINDING) for finding in evaluation.findings]
    rows = [(*line, SEVERITY[severity]) for _, *line, severity in found]
    files |= _format_all(f"{paper.id}-audit", f"{paper.id}: audit", AUDIT_HEAD, "ppppp", rows, [])
    files[f"{paper.id}-audit.csv"] = _format_csv(_FINDING, found)
    return files


def format_row(cell: Cell) -> tuple[str, ...]:
    """A cell as shown: numbers of ours at the printed decimals, empty where there is none."""
    ours, difference = format_value(cell.ours, cell.published), format_value(cell.difference, cell.published, True)
    ours = mark_unlearnt(cell, ours)
    return cell.row, cell.column, cell.published, ours, format_interval(cell), difference, WORDS[cell.verdict]


def format_skill(skill: Skill) -> tuple[str, ...]:
    """A network as shown: what it is, where it was run, train, held out, interval, floor, ceiling, share, learnt."""
    pattern = "0.0" if skill.number.metric in PERCENT else "0.000"
    train, ours, floor, ceiling = (
        format_value(value, pattern) for value in (skill.train, skill.ours, skill.floor, skill.ceiling)
    )
    interval = "" if skill.low is None else f"[{format_value(skill.low, pattern)}, {format_value(skill.high, pattern)}]"
    if skill.ceiling_low is not None:
        ceiling += f" [{format_value(skill.ceiling_low, pattern)}, {format_value(skill.ceiling_high, pattern)}]"
    share = "" if skill.share is None else f"{100 * skill.share:.0f} %"
    place = f"{skill.corpus}, {skill.number.target}, {skill.number.metric}, {count_noun(skill.seeds, 'seed')}"
    return skill.variant, place, train, ours, interval, floor, ceiling, share, skill.answer


def format_claim(checked: Direction | Statement) -> tuple[str, ...]:
    """A claim as shown: the claim, what it was checked on, as published, ours, interval, result."""
    return _format_statement(checked) if isinstance(checked, Statement) else _format_direction(checked)


def _format_statement(statement: Statement) -> tuple[str, ...]:
    outcome, interval = statement.outcome, ""
    if outcome is None:
        return statement.claim.text, "", "", "", "", statement.result
    low, ours, high = (arithmetic.format_fraction(n) for n in (outcome.ours.low, outcome.ours.face, outcome.ours.high))
    if not outcome.ours.exact:
        interval = f"[{low}, {high}]"
    published = outcome.literal or arithmetic.format_fraction(outcome.stated.face)
    published = published if outcome.relation == "==" else f"{outcome.relation} {published}"
    return statement.claim.text, PLACES[statement.evidence], published, ours, interval, statement.result


def _format_direction(direction: Direction) -> tuple[str, ...]:
    pattern = "0.00" if direction.claim.metric in PERCENT else "0.000"
    low, high, *numbers = (
        format_value(value, pattern, True)
        for value in (direction.ci_low, direction.ci_high, direction.published, direction.advantage)
    )
    interval = "" if direction.ci_low is None else f"[{low}, {high}]"
    place = f"{direction.corpus}, {count_noun(direction.seeds, 'seed')}" if direction.seeds else ""
    return direction.claim.text, "; ".join(filter(None, [place, direction.note])), *numbers, interval, direction.result


def format_markdown(head: Iterable[str], align: str, rows: Iterable[tuple[str, ...]]) -> str:
    rule = ["---:" if letter == "r" else "---" for letter in align]
    body = [[_escape_markdown(cell) for cell in line] for line in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(head), rule, *body]) + "\n"


def _escape_markdown(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("|", "\\|")
    return re.sub(r"`[^`]*`|<", lambda found: "&lt;" if found[0] == "<" else found[0], text)  # code shows it as it is


def format_latex(head: Iterable[str], align: str, rows: Iterable[tuple[str, ...]], notes: Iterable[str] = ()) -> str:
    """A plain `tabular` that needs no package; the notes are its last lines, so that they travel with it.

    `align` has a letter for each column: l, r, or p for text that is broken into lines. Columns of text share what the
    others leave of the line.
    """
    body = [tuple(head), *rows]
    first, *lines = (" & ".join(map(_format_latex_entry, line, align)) + r" \tabularnewline" for line in body)
    width = r"p{\dimexpr\linewidth-2\tabcolsep\relax}"
    notes = [rf"\multicolumn{{{len(align)}}}{{{width}}}{{{escape_latex(note)}}} \tabularnewline" for note in notes]
    top = [r"{\footnotesize\setlength{\tabcolsep}{3pt}%", rf"\begin{{tabular}}{{{_choose_columns(body, align)}}}"]
    return "\n".join([*top, r"\hline", first, r"\hline", *lines, r"\hline", *notes, r"\end{tabular}}"]) + "\n"


def _format_latex_entry(text: str, kind: str) -> str:
    return (r"\raggedright\hspace{0pt}" if kind == "p" else "") + escape_latex(text)


def _choose_columns(body: list[tuple[str, ...]], align: str) -> str:
    """The columns of a `tabular`: those of text have place for their longest word, and share what is left of a line.

    The line is to be as wide as that of an `article` in one column.
    """
    columns = list(zip(*body))
    longest = [max(map(len, column)) for column in columns]
    words = [max(len(word) for text in column for word in re.split(r"[\s-]", text)) for column in columns]
    needed = [max(word, 5) if kind == "p" else length for word, length, kind in zip(words, longest, align)]
    more = [min(length, 50) - word if kind == "p" else 0 for word, length, kind in zip(words, longest, align)]
    left = rf"(\linewidth-{0.5 * sum(needed):.1f}em-{2 * len(align)}\tabcolsep)"  # a letter is about half an em
    return "".join(
        rf"p{{\dimexpr{0.5 * word:.1f}em+{left}*{max(part, 0)}/{max(sum(more), 1)}\relax}}" if kind == "p" else kind
        for word, part, kind in zip(needed, more, align)
    )


def escape_latex(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "[": "{[}", "]": "{]}",
        "†": r"$^\dagger$", "≠": r"$\neq$", "≤": r"$\leq$", "≥": r"$\geq$",
    } | {letter: "\\" + letter for letter in "&%$#_{}"}  # fmt: skip
    text = "".join(special.get(letter, letter) for letter in text)
    # a minus sign is longer than a hyphen; [ after \\ would be read as its optional argument, hence the braces above
    return f"$-${text[1:]}" if text[:1] == "-" and text[1:2].isdigit() else text


def _format_all(name: str, title: str, head, align: str, rows, notes: list[str]) -> dict[str, str]:
    prose = "".join(f"\n{note}\n" for note in notes)
    return {
        f"{name}.md": f"**{title}**\n\n{format_markdown(head, align, rows)}{prose}",
        f"{name}.tex": f"% {title}\n{format_latex(head, align, rows, notes)}",
    }


def _list_notes(cells: list[Cell]) -> list[str]:
    sources = sorted({describe_source(cell) for cell in cells if cell.evidence != "none"})
    notes = [f"Ours: {words}." for words in sources]
    caveat = [MARK_NOTE] if any(UNLEARNT in cell.note for cell in cells) else []
    caveat += [SIMULATED_CAVEAT] if any(cell.evidence == "simulated" for cell in cells) else []
    errata = [f"{cell.row}, {cell.column}: {cell.note}." for cell in cells if cell.verdict == "ERRATUM"]
    return [*notes, *errata, *(f"{words}." for words in list_quoted(cells)), *caveat]


def list_quoted(cells: list[Cell]) -> list[str]:
    """From where the authors copied numbers: each row or column of such numbers once."""
    own = {cell.column for cell in cells if cell.origin == "own"}
    names = {(c.row if c.column in own else c.column): _describe_quoted(c) for c in cells if c.origin == "quoted"}
    return [f"{name}: {note}" for name, note in names.items()]


def _describe_quoted(cell: Cell) -> str:
    return next(note for note in cell.note.split("; ") if note.startswith(QUOTED))


_SKILL_COLUMNS = (
    "variant", "corpus", "profile", "evidence", "target", "metric", "fold", "recordings", "seeds", "train", "ours",
    "ci_low", "ci_high", "floor", "ceiling", "ceiling_ci_low", "ceiling_ci_high", "way", "learnt",
)  # fmt: skip


def _list_skill_values(skill: Skill) -> tuple:
    number = skill.number
    return (
        skill.variant, skill.corpus, skill.profile, skill.evidence, number.target, number.metric, number.fold,
        number.recordings, skill.seeds, skill.train, skill.ours, skill.low, skill.high, skill.floor, skill.ceiling,
        skill.ceiling_low, skill.ceiling_high, skill.share, skill.answer,
    )  # fmt: skip


_CLAIM_COLUMNS = (
    "where", "claim", "better", "worse", "metric", "evidence", "corpus", "profile", "seeds",
    "published", "margin", "ours", "ci_low", "ci_high", "result", "holds", "note",
)  # fmt: skip


def _list_claim_values(checked: Direction | Statement) -> tuple:
    claim, place, numbers = checked.claim, ("", "", ""), ("", "", "", "", "")
    if isinstance(checked, Direction):
        place = (checked.corpus, checked.profile, checked.seeds)
        numbers = (checked.published, checked.margin, checked.advantage, checked.ci_low, checked.ci_high)
    elif checked.outcome:
        ours, stated = checked.outcome.ours, checked.outcome.stated
        stated, *found = (float(number) for number in (stated.face, ours.face, ours.low, ours.high))
        numbers = (stated, "", *found)
    words = (claim.where, claim.text, claim.better, claim.worse, claim.metric, checked.evidence)
    note = checked.note if isinstance(checked, Direction) else claim.note
    return *words, *place, *numbers, checked.result, claim.holds, note


def _format_csv(head: Iterable[str], rows: Iterable[Iterable]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return buffer.getvalue()
