"""The HTML pages: an index with the scorecard and a page for each paper, self-contained.

Nothing is loaded, and the one script that may run, by its digest, is in the page: it sorts and filters tables.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from common.evidence.cells import QUOTED, VERDICTS, Cell
from common.evidence.paper import METRICS, PERCENT, Paper, format_value, list_shrunk
from common.evidence.runs import ALL_TARGETS, File, Runs, select_runs
from common.evidence.scores import average_score
from common.evidence.skill import UNLEARNT, count_learnt
from common.evidence.text import MARK_NOTE, SIMULATED_CAVEAT, count_noun, describe_source, find_finest
from reports import tables
from reports.audit.findings import SEVERITIES
from reports.drawing import SECTIONS, Drawing, has_not_learnt
from reports.evaluation import Evaluation
from reports.figures.mechanism import MEASURES, WORDS, select_with_mechanism

SYMBOLS = {"MATCH": "✓", "MISMATCH": "≠", "ERRATUM": "!", "NOT_COMPARABLE": "◇", "NOT_RUN": "–"}
SEVERITY_SYMBOLS = {"none": "✓", "slip": "≈", "unclear": "?", "error": "≠"}
FITTED = {"none": "no post-processing", "devel": "fitted on development", "train": "fitted on training"}
POOLINGS = {"per_recording": "mean over recordings", "concatenated": "recordings concatenated"}


@dataclass(frozen=True)
class Score:
    """How a paper's printed numbers fare."""

    paper: Paper
    total: int
    verdicts: dict[str, int]  # every verdict, in their order
    evidence: dict[str, int]
    sentence: str
    audit: dict[str, int]  # findings by severity, in their order
    crossed: Counter  # (evidence, verdict) -> how many
    learnt: str  # how many of the networks, in words; "" where none was run


def score_paper(evaluation: Evaluation) -> Score:
    paper, cells = evaluation.paper, [cell for cell in evaluation.cells if cell.published]
    verdicts = Counter(cell.verdict for cell in cells)
    evidence = Counter(cell.evidence for cell in cells)
    order = {word: evidence[word] for word in ("real", "audit", "measured", "simulated", "none") if evidence[word]}
    found = Counter(finding.severity for finding in evaluation.findings)
    severities = {severity: found[severity] for severity in SEVERITIES if found[severity]}
    crossed = Counter((cell.evidence, cell.verdict) for cell in cells)
    sentence = _count_errata(crossed["audit", "ERRATUM"]) + _write_sentence(cells, crossed, evidence, paper.corpus)
    learnt = count_learnt(evaluation.skills) if evaluation.skills else ""
    return Score(paper, len(cells), {v: verdicts[v] for v in VERDICTS}, order, sentence, severities, crossed, learnt)


def _count_errata(count: int) -> str:
    """How many printed numbers others prove wrong."""
    return f"By arithmetic {count_noun(count, 'printed number')} cannot be right. " if count else ""


def _write_sentence(cells: Sequence[Cell], crossed: Counter, evidence: Counter, corpus: str) -> str:
    nothing = "this confirms and refutes nothing."
    match, mismatch, erratum = (crossed["real", verdict] for verdict in ("MATCH", "MISMATCH", "ERRATUM"))
    if compared := match + mismatch + erratum:
        errata = f", {erratum} cannot be right as printed" if erratum else ""
        real = [cell for cell in cells if cell.evidence == "real" and cell.verdict in ("MATCH", "MISMATCH", "ERRATUM")]
        columns, corpora = {cell.column for cell in real}, " and ".join(sorted({cell.corpus for cell in real}))
        where = f", all in the column {columns.pop()}" if len(columns) == 1 else ""
        where += ", which the authors quote" if all(cell.origin == "quoted" for cell in real) else ""
        return f"Of {compared} printed numbers that we could compare on {corpora}{where}, {match} match{errata}."
    if evidence["real"]:
        return f"No run on real recordings is under the paper's conditions on {corpus}: {nothing}"
    if evidence["simulated"]:
        return f"Only simulated recordings were used, no run on {corpus} is among these results: {nothing}"
    if evidence["measured"]:
        return f"Only a speed was measured: {nothing}"
    return "Nothing was run yet."


def render_index(scores: Sequence[Score], downloads: Iterable[str], text: Sequence[Cell] = ()) -> str:
    """index.html: the scorecard by paper, what became of numbers in the `text`, what the words mean, and the files."""
    counts = Counter(cell.verdict for cell in text)
    of_text = [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]
    return (
        _make_environment().get_template("index.html").render(scores=scores, downloads=sorted(downloads), text=of_text)
    )


def render_paper(evaluation: Evaluation, drawings: Sequence[Drawing]) -> str:
    """The page of a paper: what was learnt, tables, claims, audit, figures, mechanism, ledger, settings, provenance."""
    paper, cells, files = evaluation.paper, evaluation.cells, evaluation.files
    return (
        _make_environment()
        .get_template("paper.html")
        .render(
            paper=paper,
            score=score_paper(evaluation),
            skills=evaluation.skills,
            here=evaluation.here,
            tables=[_prepare_table(paper, table, cells, files) for table in paper.tables],
            drawings={section: [d for d in drawings if d.section == section] for section in SECTIONS},
            claims=[(claim, [e for e in evaluation.checked if e.claim is claim]) for claim in paper.claims],
            findings=sorted(evaluation.findings, key=lambda finding: -SEVERITIES.index(finding.severity)),
            mechanisms=_list_mechanisms(paper, files),
            margins=_list_margins(paper, cells),
            shrunk=list_shrunk(paper),
            recordings=_list_recordings(files),
            unusable=_list_unusable(files),
            left_out=_list_left_out(files),
            records=[record for _, record in files],
            environment=_list_environments(files),
        )
    )


def _list_margins(paper: Paper, cells: Sequence[Cell]) -> list[tuple[str, float]]:
    """Columns of printed numbers with a tolerance of their own."""
    own = {(c.column, c.tolerance): None for c in cells if c.published and c.tolerance is not None}
    return [(column, margin) for column, margin in own if margin not in paper.tolerance.values()]


def _prepare_table(paper: Paper, table: Any, cells: Sequence[Cell], files: Sequence[File]) -> dict:
    own = [cell for cell in cells if cell.exhibit == table.id]
    runs = [(row, select_runs(paper, files, row.variant)) for row in table.rows if row.variant]
    shared = find_shared_notes(own)
    rows = []
    for row in table.rows:
        group = [cell for cell in own if cell.row == row.label]
        rows.append((row, group, _join_notes(group, [*shared, UNLEARNT])))
    ran = [(row, r) for row, r in runs if r and r.first["target"] != ALL_TARGETS]  # these have one protocol
    chains = [(row, step) for row, r in ran for step in _read_chain(paper, r)]
    origins = [f"Ours: {words}" for words in sorted({describe_source(c) for c in own if c.evidence != "none"})]
    origins += [note for note in shared if note != UNLEARNT]
    if any(UNLEARNT in cell.note for cell in own):
        origins.append(MARK_NOTE.rstrip("."))
    protocols = [
        (row, [_prepare_protocol(r, metric) for metric in METRICS if metric in _list_metrics(r)]) for row, r in ran
    ]
    counts = Counter(cell.verdict for cell in own)
    verdicts = [(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]]
    return {
        "table": table, "rows": rows, "origins": origins, "sources": tables.list_quoted(own), "protocols": protocols, "chains": chains,
        "verdicts": verdicts, "decimals": find_finest(own),
    }  # fmt: skip


def find_shared_notes(cells: Sequence[Cell]) -> list[str]:
    """What is noted of every number of ours in a table: it is said once, above the table."""
    notes = [cell.note.split("; ") for cell in cells if cell.evidence != "none"]
    return [note for note in (notes[0] if notes else []) if note and all(note in others for others in notes)]


def _join_notes(group: Sequence[Cell], shared: Sequence[str] = ()) -> str:
    """The notes of a row's cells, each once, after the columns that have it where not all of ours do; no `shared` one."""
    own = [cell for cell in group if cell.origin == "own" or cell.evidence != "none"]
    columns: dict[str, list[str]] = {}
    for cell in own:
        for note in cell.note.split("; "):
            if note and note not in shared and not note.startswith(QUOTED):  # below the table
                columns.setdefault(note, []).append(cell.column)
    notes: dict[tuple[str, ...], list[str]] = {}
    for note, of in columns.items():
        notes.setdefault(tuple(dict.fromkeys(of)), []).append(note)
    everywhere = sum(cell.evidence != "none" for cell in own)
    return "; ".join(("" if len(of) >= everywhere else f"{', '.join(of)}: ") + "; ".join(n) for of, n in notes.items())


def _list_metrics(runs: Runs) -> set[str]:
    """The metrics that the runs recorded."""
    return {metric for poolings in runs.first["scores"].values() for scores in poolings.values() for metric in scores}


def _prepare_protocol(runs: Runs, metric: str) -> tuple[str, list[tuple[str, str, str]]]:
    """A metric under every protocol: (fitted on, pooling, score)."""
    return metric, [(f, p, format_value(average_score(runs, f, p, metric), "0.000")) for f in FITTED for p in POOLINGS]


def _read_chain(paper: Paper, runs: Runs) -> list[dict]:
    chain = (runs.first.get("postprocess") or {}).get(paper.protocol.postprocess) or {}
    return [step | {"value": _format_step(step["value"])} for step in chain.get("steps", [])]


def _format_step(value: object) -> str:
    """A value of a step, or several by name."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_format_step(part)}" for name, part in value.items())
    return "–" if value is None else f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _list_mechanisms(paper: Paper, files: Sequence[File]) -> list[dict]:
    return [
        {"runs": runs, "measure": title, "corpus": WORDS.get(runs.corpus, ""), "value": runs.first["mechanism"][measure][key],
         "mark": runs.first["mechanism"][measure][mark], "unlearnt": has_not_learnt(paper, files, runs),
         **{k: runs.first["mechanism"][measure].get(k) for k in ("interval", "frames")}}
        for measure, (key, title, mark) in MEASURES.items()
        for runs in select_with_mechanism(paper, files, measure)
    ]  # fmt: skip


def _list_recordings(files: Sequence[File]) -> list[tuple[str, list[tuple[str, str, int, int | None]]]]:
    """By corpus and profile: recordings, class, number of frames looked at, the most without a face in any run.

    The latter is None where no run looked for faces.
    """
    places: dict[str, dict[str, tuple[str, int, int | None]]] = {}
    for _, record in files:
        place = places.setdefault(f"{record['corpus']}, {record['profile']} profile", {})
        for entry in record.get("recordings", []):
            *_, before = place.get(entry["name"], (None,))
            faceless = max((n for n in (before, entry.get("frames_without_face")) if n is not None), default=None)
            frames = entry["frames"] if "frames" in entry else entry["labels"]
            place[entry["name"]] = (entry.get("label") or "", frames, faceless)
    return [(place, [(name, *counts) for name, counts in sorted(entries.items())]) for place, entries in places.items()]


def _list_unusable(files: Sequence[File]) -> list[tuple[str, str, str, str]]:
    """Recordings that could not be used: corpus, recording, file, reason; each once."""
    found = {
        (record["corpus"], entry["recording"], entry["file"], entry["reason"])
        for _, record in files
        for entry in record.get("unusable", [])
    }
    return sorted(found)


def _list_left_out(files: Sequence[File]) -> list[tuple[str, list[str]]]:
    """By corpus: recordings that a run left out because the paper did."""
    return sorted({record["corpus"]: record["left_out"] for _, record in files if record.get("left_out")}.items())


def _list_environments(files: Sequence[File]) -> list[tuple[str, str]]:
    """What the runs were made of and with; several values only where the runs differ."""
    values: dict[str, dict[str, None]] = {}
    for _, record in files:
        made = record.get("provenance", {})
        entries = {
            "corpus": record["corpus"], "profile": record["profile"], "seed": record["seed"],
            "date": str(made.get("date") or "–")[:10], "commit": _format_commit(made),
            **{key: value for key, value in made.items() if key not in ("date", "commit", "dirty")},
        }  # fmt: skip
        for key, value in entries.items():
            values.setdefault(key, {})[str(value)] = None
    return [(key, " / ".join(sorted(found))) for key, found in values.items()]


def _format_commit(made: dict) -> str:
    """The commit of a provenance, as `code`; a copy without its history has none."""
    commit = str(made.get("commit") or "")[:9]
    return f"`{commit}`{' with local changes' if made.get('dirty') else ''}" if commit else "–"


@lru_cache(maxsize=1)
def _make_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        code=_mark_code,
        commit=_format_commit,
        ledger_links=_link_ledger,
        minus=_set_minus,
        svg=_embed_svg,
        toml=_format_toml,
    )
    script = (Path(__file__).parent / "templates/page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals.update(
        script=Markup(script), script_digest=Markup(f"sha256-{digest}"),
        symbols=SYMBOLS, words=tables.WORDS, caveat=SIMULATED_CAVEAT, fitted=FITTED, poolings=POOLINGS,
        row=tables.format_row, claim_row=tables.format_claim, claim_mark=_choose_mark, shown=format_value, percent=PERCENT,
        skill_row=tables.format_skill, skill_note=tables.SKILLS, severities=tables.SEVERITY, severity_symbols=SEVERITY_SYMBOLS, intervals=tables.INTERVALS,
    )  # fmt: skip
    return environment


def _mark_code(text: str) -> Markup:
    """`code` in backticks, everything else escaped."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _choose_mark(result: str) -> tuple[str, str]:
    """Symbol and style of what became of a claim. What holds in simulation is neither confirmed nor refuted."""
    words = {"MATCH": ("holds", "follows"), "MISMATCH": ("does not hold", "contradicted"), "NOT_RUN": ("not run",)}
    verdict = next((verdict for verdict, results in words.items() if result in results), "NOT_COMPARABLE")
    return SYMBOLS[verdict], verdict.lower()


def _link_ledger(text: str, paper: Paper) -> Markup:
    """Mentions of the ledger as links to its entries, where it has them."""

    def entry(number: re.Match) -> str:
        exists = int(number[0]) <= len(paper.ledger)
        return f'<a href="#ledger-{number[0]}">{number[0]}</a>' if exists else number[0]

    mentions = r"\bledger \d+(, \d+)*"
    return Markup(re.sub(mentions, lambda found: re.sub(r"\d+", entry, found[0]), str(escape(text))))


def _set_minus(text: str) -> str:
    """A true minus sign, as wide as the plus."""
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", text)


def _embed_svg(drawing: Drawing) -> Markup:
    head = f'<svg role="img" aria-label="{escape(drawing.title)}" '
    return Markup(drawing.inline.replace("<svg ", head, 1))


def _format_toml(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else f"{value}"
