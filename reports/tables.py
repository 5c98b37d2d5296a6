"""cells.csv, and the tables of a paper as Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, fields

from common.compare import SIMULATED_CAVEAT, Cell, Direction, shown, shown_interval, source
from common.paper import PERCENT, Paper

HEAD = ("Row", "Column", "Published", "Ours", "95 % interval", "Difference", "Verdict")
OWN_HEAD = ("Row", "Column", "Ours", "95 % interval")
CLAIM_HEAD = ("Claim", "Corpus", "Published", "Ours", "95 % interval", "Result")
WORDS = {
    "MATCH": "match", "MISMATCH": "mismatch", "ERRATUM": "erratum", "NOT_COMPARABLE": "not comparable",
    "NOT_RUN": "not run", "": "",
}  # fmt: skip
ALIGN = "llrrrrl"


def cells_csv(cells: Iterable[Cell]) -> str:
    """One line for each printed number, at full precision; columns are the fields of `compare.Cell`."""
    return _csv([field.name for field in fields(Cell)], (asdict(cell).values() for cell in cells))


def exhibits(paper: Paper, cells: list[Cell], directions: list[Direction]) -> dict[str, str]:
    """File name -> content: every table of the paper and its claims, each as .md, .tex and .csv."""
    files = {}
    for table in paper.tables:
        own = [cell for cell in cells if cell.exhibit == table.id]
        rows, notes = [row(cell) for cell in own], _notes(own)
        name = f"{paper.id}-{table.id}"
        if table.printed:
            files |= _formats(name, f"{paper.id}, {table.id}: {table.title}", HEAD, ALIGN, rows, notes)
        else:  # nothing is printed to compare with
            rows, notes = [(*line[:2], *line[3:5]) for line in rows], [note for note in (table.note, *notes) if note]
            files |= _formats(name, f"{paper.id}: {table.title}", OWN_HEAD, "llrr", rows, notes)
        files[f"{name}.csv"] = cells_csv(own)
    rows = [claim_row(direction) for direction in directions]
    notes = [SIMULATED_CAVEAT] if any(d.evidence == "simulated" for d in directions) else []
    files |= _formats(f"{paper.id}-claims", f"{paper.id}: claims", CLAIM_HEAD, "llrrrl", rows, notes)
    files[f"{paper.id}-claims.csv"] = _csv(_CLAIM_COLUMNS, map(_claim_values, directions))
    return files


def row(cell: Cell) -> tuple[str, ...]:
    """A cell as shown: numbers of ours at the printed decimals, empty where there is none."""
    numbers = (shown(cell.ours, cell.published), shown_interval(cell), shown(cell.difference, cell.published, True))
    return cell.row, cell.column, cell.published, *numbers, WORDS[cell.verdict]


def claim_row(direction: Direction) -> tuple[str, ...]:
    pattern = "0.00" if direction.claim.metric in PERCENT else "0.000"
    interval = ""
    if direction.ci_low is not None:
        interval = f"[{shown(direction.ci_low, pattern, True)}, {shown(direction.ci_high, pattern, True)}]"
    numbers = (shown(direction.published, pattern, True), shown(direction.advantage, pattern, True), interval)
    return direction.claim.text, direction.corpus, *numbers, direction.result


def markdown(head: Iterable[str], align: str, rows: Iterable[tuple[str, ...]]) -> str:
    rule = ["---:" if letter == "r" else "---" for letter in align]
    body = [[cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in line] for line in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(head), rule, *body]) + "\n"


def latex(head: Iterable[str], align: str, rows: Iterable[tuple[str, ...]], notes: Iterable[str] = ()) -> str:
    """A plain `tabular` that needs no package; the notes are its last lines, so that they travel with it."""
    lines = [" & ".join(map(latex_escape, line)) + r" \\" for line in rows]
    notes = [
        rf"\multicolumn{{{len(align)}}}{{p{{\linewidth}}}}{{\footnotesize {latex_escape(note)}}} \\" for note in notes
    ]
    top = [rf"\begin{{tabular}}{{{align}}}", r"\hline", " & ".join(map(latex_escape, head)) + r" \\", r"\hline"]
    return "\n".join([*top, *lines, r"\hline", *notes, r"\end{tabular}"]) + "\n"


def latex_escape(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "[": "{[}", "]": "{]}",
    } | {letter: "\\" + letter for letter in "&%$#_{}"}  # fmt: skip
    text = "".join(special.get(letter, letter) for letter in text)
    # a minus sign is longer than a hyphen; [ after \\ would be read as its optional argument, hence the braces above
    return f"$-${text[1:]}" if text[:1] == "-" and text[1:2].isdigit() else text


def _formats(name: str, title: str, head, align: str, rows, notes: list[str]) -> dict[str, str]:
    prose = "".join(f"\n{note}\n" for note in notes)
    return {
        f"{name}.md": f"**{title}**\n\n{markdown(head, align, rows)}{prose}",
        f"{name}.tex": f"% {title}\n{latex(head, align, rows, notes)}",
    }


def _notes(cells: list[Cell]) -> list[str]:
    sources = sorted({source(cell) for cell in cells if cell.evidence != "none"})
    notes = [f"Ours: {words}." for words in sources]
    caveat = [SIMULATED_CAVEAT] if any(cell.evidence == "simulated" for cell in cells) else []
    return [*notes, *(f"{words}." for words in quoted(cells)), *caveat]


def quoted(cells: list[Cell]) -> list[str]:
    """From where the authors copied numbers: each row or column of such numbers once."""
    own = {cell.column for cell in cells if cell.origin == "own"}
    names = {(c.row if c.column in own else c.column): c.note for c in cells if c.origin == "quoted"}
    return [f"{name}: {note}" for name, note in names.items()]


_CLAIM_COLUMNS = (
    "where", "claim", "better", "worse", "metric", "evidence", "corpus", "profile", "seeds",
    "published", "ours", "ci_low", "ci_high", "result",
)  # fmt: skip


def _claim_values(direction: Direction) -> tuple:
    claim, d = direction.claim, direction
    words = (claim.where, claim.text, claim.better, claim.worse, claim.metric, d.evidence, d.corpus, d.profile, d.seeds)
    return *words, d.published, d.advantage, d.ci_low, d.ci_high, d.result


def _csv(head: Iterable[str], rows: Iterable[Iterable]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return buffer.getvalue()
