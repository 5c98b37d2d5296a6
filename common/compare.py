"""Published numbers against ours: one cell for each printed number, with its evidence and a verdict.

Several runs may exist for one network. The cell takes, in this order: the paper's own corpus before any other,
real before simulated, the paper profile before the quick one, then by name. The `uniform` control never fills a
cell. Of runs under different settings the newest group of equal ones counts, and the note says what was left out.

A number is a MATCH only if everything agrees: the paper's corpus, the paper profile, the declared settings, all
seeds, no recording that could not be used, a defined score that follows from the stored predictions, and a
difference within the declared tolerance.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import metrics, results
from common.cli import InputError
from common.paper import Claim, Paper, Row, Table, decimals, settings

VERDICTS = ("MATCH", "MISMATCH", "NOT_COMPARABLE", "NOT_RUN")
CONTROL = "simulated-uniform"
RESAMPLES = 1000
SIMULATED_CAVEAT = (
    "Simulated numbers show that the replication runs and how its parts behave; "
    "they can neither confirm nor refute a published number."
)

File = tuple[Path, dict]  # a result file and its record, as `results.find` yields them


@dataclass(frozen=True)
class Cell:
    """One printed number and ours; the fields are the columns of cells.csv. None is an empty entry."""

    paper: str
    exhibit: str
    row: str
    column: str
    published: str  # as printed
    origin: str  # "own", or "quoted" by the authors from earlier work
    evidence: str  # "real", "simulated" or "none"
    corpus: str
    profile: str
    seeds: int
    ours: float | None
    ci_low: float | None  # 95 % bootstrap interval over recordings
    ci_high: float | None
    difference: float | None  # ours - published
    tolerance: float | None
    verdict: str
    note: str


@dataclass(frozen=True)
class Runs:
    """The seeds of one network: one corpus, one profile, one set of settings."""

    variant: str
    corpus: str
    profile: str
    evidence: str
    files: tuple[File, ...]  # by seed
    left_out: int = 0  # files under other settings, or older ones of another corpus version

    @property
    def first(self) -> dict:
        return self.files[0][1]


@dataclass(frozen=True)
class Direction:
    """What our scores say about a claim, on one corpus. `advantage` is positive when the claim's winner wins."""

    claim: Claim
    corpus: str
    profile: str
    evidence: str
    seeds: int
    published: float | None  # advantage by the printed numbers
    advantage: float | None
    ci_low: float | None
    ci_high: float | None
    result: str


# --- which runs count ------------------------------------------------------------------------------------


def checked(files: Iterable[File]) -> list[File]:
    """The files, each with the entries that a comparison needs and in the folder that its record names.

    Raises InputError for the first that is not: a simulated result in a real corpus's folder is no mishap to pass over.
    """
    files = list(files)
    for path, record in files:
        try:
            place = [record[key] for key in ("paper", "corpus", "profile", "target", "variant")]
            place.append(f"{record['fold']}-seed{record['seed']}.json")
            simulated = record["corpus"].startswith("simulated")
            complete = isinstance(record["scores"], dict) and isinstance(record["settings"], dict)
            complete = complete and all(isinstance(record[key], str) for key in ("settings_digest", "corpus_digest"))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: incomplete result file ({error}); delete it and run again") from error
        if not complete or record.get("evidence") != ("simulated" if simulated else "real"):
            raise InputError(f"{path}: damaged result file; delete it and run again")
        if list(path.parts[-6:]) != place:
            raise InputError(f"{path}: its record belongs at {'/'.join(place)}; put it there or delete it")
    return files


def select(paper: Paper, files: Sequence[File], variant: str, corpus: str = "") -> Runs | None:
    """The runs of `variant` that count (see the module), or those on `corpus`; None without any."""
    protocol, groups = paper.protocol, {}
    for path, record in files:
        asked = record["corpus"] == corpus if corpus else record["corpus"] != CONTROL
        if asked and (record["variant"], record["target"], record["fold"]) == (variant, protocol.target, protocol.fold):
            groups.setdefault((record["corpus"], record["profile"]), []).append((path, record))
    if not groups:
        return None
    chosen = min(
        groups, key=lambda key: (key[0] != paper.corpus, key[0].startswith("simulated"), key[1] != "paper", key)
    )
    return _newest(variant, groups[chosen])


def _newest(variant: str, files: list[File]) -> Runs:
    groups: dict[tuple, list[File]] = {}
    for path, record in files:
        groups.setdefault((record["settings_digest"], record["corpus_digest"]), []).append((path, record))
    newest = max(groups, key=lambda key: (max(_date(record) for _, record in groups[key]), key))
    kept = tuple(sorted(groups[newest], key=lambda file: file[1]["seed"]))
    record = kept[0][1]
    return Runs(variant, record["corpus"], record["profile"], record["evidence"], kept, len(files) - len(kept))


def _date(record: dict) -> str:
    return str(record.get("provenance", {}).get("date", ""))


def changed_settings(paper: Paper, runs: Runs) -> dict:
    """The settings of the runs that are not those declared for their profile: name -> value."""
    declared = settings(paper, "paper" if runs.profile == "paper" else "quick")
    method = {k: v for k, v in runs.first["settings"].items() if k not in declared or not paper.settings[k].about_files}
    return {k: v for k, v in method.items() if k not in declared or declared[k] != v}


# --- scores and intervals --------------------------------------------------------------------------------


def score(runs: Runs, postprocess: str, pooling: str, metric: str) -> float | None:
    """Mean over the seeds; None where it is missing or undefined for any of them."""
    values = [record["scores"].get(postprocess, {}).get(pooling, {}).get(metric) for _, record in runs.files]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    return float(np.mean(values))


def protocol_score(paper: Paper, runs: Runs, metric: str) -> float | None:
    return score(runs, paper.protocol.postprocess, paper.protocol.pooling, metric)


def resampled(paper: Paper, runs: Runs, metric: str) -> np.ndarray | None:
    """The score on `RESAMPLES` draws of the development recordings with replacement, seeds averaged within a draw.

    The draws depend on the number of recordings only: two networks on one corpus are paired draw by draw. None
    where the files hold no such predictions (post-processing fitted on the training set) or a single recording.
    """
    seeds = _predictions(paper, runs)
    if not seeds or len(seeds[0]) < 2:
        return None
    seeds = [list(recordings.values()) for recordings in seeds]
    draws = np.random.default_rng(0).integers(len(seeds[0]), size=(RESAMPLES, len(seeds[0])))
    function = _function(runs, metric)
    if paper.protocol.pooling == "per_recording":
        by_recording = np.mean([[function(*pair) for pair in pairs] for pairs in seeds], axis=0)
        return by_recording[draws].mean(axis=1)
    return np.array([np.mean([_pooled(paper, function, [s[i] for i in draw]) for s in seeds]) for draw in draws])


def follows(paper: Paper, runs: Runs, metric: str) -> bool:
    """Whether the recorded score is that of the predictions stored beside it; true where none are stored."""
    seeds = _predictions(paper, runs)
    if not seeds or not seeds[0]:
        return True
    again = np.mean([_pooled(paper, _function(runs, metric), list(recordings.values())) for recordings in seeds])
    ours = protocol_score(paper, runs, metric)
    return math.isnan(again) if ours is None else bool(abs(ours - again) < 1e-4)  # predictions may be rounded


def _function(runs: Runs, metric: str) -> Callable[..., float]:
    function = getattr(metrics, metric.lower())
    return (
        function
        if metric == "RMSE"
        else partial(function, variance=runs.first["settings"].get("variance", "population"))
    )


def _pooled(paper: Paper, function: Callable[..., float], pairs: list[tuple]) -> float:
    truths, predictions = zip(*pairs)
    return metrics.pooled(function, truths, predictions, pooling=paper.protocol.pooling)


def _predictions(paper: Paper, runs: Runs) -> list[dict[str, tuple]] | None:
    """For each seed: recording -> (gold standard, prediction). None unless all seeds have the same recordings."""
    kind = {"none": "raw", "devel": "post"}.get(paper.protocol.postprocess)
    if kind is None or not all("arrays" in record for _, record in runs.files):
        return None
    seeds = [_series(path, record["arrays"]["sha256"], kind) for path, record in runs.files]
    return seeds if all(list(seed) == list(seeds[0]) for seed in seeds) else None


@lru_cache(maxsize=64)
def _series(path: Path, sha256: str, kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recording -> (gold standard, prediction), by name; read once for the three metrics of a row."""
    arrays = results.read_arrays(path, {"arrays": {"sha256": sha256}})
    names = sorted(name.removeprefix("gold/") for name in arrays if name.startswith("gold/"))
    try:
        return {name: (arrays[f"gold/{name}"], arrays[f"{kind}/{name}"]) for name in names}
    except KeyError as error:
        raise InputError(f"{path.with_suffix('.npz')}: {error.args[0]}; delete it and its record, run again") from error


def interval(values: np.ndarray | None) -> tuple[float | None, float | None]:
    """95 % percentile interval; (None, None) when there is none."""
    if values is None or not np.isfinite(values).all():
        return None, None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


# --- cells -----------------------------------------------------------------------------------------------


def cells(paper: Paper, files: Iterable[File]) -> list[Cell]:
    """Every printed number of the paper's tables in the paper's order, with ours, its evidence and a verdict.

    Args:
        paper: from `paper.load`.
        files: (path, record) pairs, from `results.find`.

    Raises:
        InputError: a result file that is incomplete, in the wrong folder or apart from its arrays.
    """
    files = checked(files)
    return [
        _cell(paper, table, row, column, select(paper, files, row.variant) if row.variant else None)
        for table in paper.tables
        for row in table.rows
        for column in table.columns
        if column in row.published
    ]


def _cell(paper: Paper, table: Table, row: Row, column: str, runs: Runs | None) -> Cell:
    published = row.published[column]
    tolerance = paper.tolerance[column] if row.variant else None
    head = (paper.id, table.id, row.label, column, published, "own" if row.variant else "quoted")
    if runs is None:
        note = f"quoted by the authors from: {row.quoted}" if row.quoted else ""
        return Cell(*head, "none", "", "", 0, None, None, None, None, tolerance, "NOT_RUN", note)
    ours = protocol_score(paper, runs, column)
    sound = follows(paper, runs, column)
    low, high = interval(resampled(paper, runs, column) if sound and ours is not None else None)
    difference = None if ours is None else ours - float(published)
    verdict, notes = _verdict(paper, runs, difference, tolerance, sound)
    if runs.left_out:
        notes.append(
            f"left out: {runs.left_out} older result file(s) under other settings or of another corpus version"
        )
    source = (runs.evidence, runs.corpus, runs.profile, len(runs.files))
    return Cell(*head, *source, ours, low, high, difference, tolerance, verdict, "; ".join(notes))


def _verdict(
    paper: Paper, runs: Runs, difference: float | None, tolerance: float, sound: bool
) -> tuple[str, list[str]]:
    """The verdict, and all that stands in the way of a match."""
    other = []  # another experiment than the printed one: no comparison
    if runs.evidence == "simulated":
        other.append("simulated corpus")
    elif runs.corpus != paper.corpus:
        other.append(f"the paper used {paper.corpus}")
    if runs.profile != "paper":
        other.append(f"{runs.profile} profile")
    if changed := changed_settings(paper, runs):
        other.append("not the declared settings: " + ", ".join(f"{k}={v}" for k, v in sorted(changed.items())))
    lacking = []  # the printed experiment, but not all of it: no match
    if difference is None:
        lacking.append("our score is undefined")
    if not sound:
        lacking.append("our score does not follow from the predictions stored beside it")
    if len(runs.files) < paper.protocol.seeds:
        lacking.append(f"{len(runs.files)} of {paper.protocol.seeds} seeds")
    if count := max(len(record.get("unusable", [])) for _, record in runs.files):
        lacking.append(f"{count} recording(s) could not be used")
    # 1e-9: 0.119 - 0.109 is a little more than 0.01 in binary, and a printed decimal is meant
    close = difference is not None and abs(difference) <= tolerance + 1e-9
    verdict = "NOT_COMPARABLE" if other else "MATCH" if close and not lacking else "MISMATCH"
    return verdict, other + lacking


# --- claims ----------------------------------------------------------------------------------------------


def claims(paper: Paper, files: Iterable[File]) -> list[Direction]:
    """For each claim: does it hold in the runs that fill the cells, and in the uniform control where that was run?

    "holds" and "does not hold" need a paired 95 % interval that excludes 0, else the claim stays "undecided".
    """
    files = checked(files)
    directions = []
    for claim in paper.claims:
        directions.append(_direction(paper, claim, files, ""))
        control = _direction(paper, claim, files, CONTROL)
        directions += [control] if control.evidence != "none" else []
    return directions


def _direction(paper: Paper, claim: Claim, files: list[File], corpus: str) -> Direction:
    sign = -1 if claim.metric == "RMSE" else 1
    printed = [_published(paper, variant, claim.metric) for variant in (claim.better, claim.worse)]
    published = None
    if all(printed):
        published = round(sign * (float(printed[0]) - float(printed[1])), max(map(decimals, printed)))
    runs = _both(paper, claim, files, corpus)
    if runs is None:
        return Direction(claim, "", "", "none", 0, published, None, None, None, "not run")
    ours = [protocol_score(paper, r, claim.metric) for r in runs]
    draws = [resampled(paper, r, claim.metric) for r in runs]
    advantage = None if None in ours else sign * (ours[0] - ours[1])
    paired = all(d is not None for d in draws) and len({tuple(_predictions(paper, r)[0]) for r in runs}) == 1
    low, high = interval(sign * (draws[0] - draws[1])) if paired and advantage is not None else (None, None)
    result = "undecided" if low is None or low <= 0 <= high else "holds" if low > 0 else "does not hold"
    if runs[0].evidence == "simulated":
        result += " in simulation"
    seeds = min(len(r.files) for r in runs)
    return Direction(
        claim, runs[0].corpus, runs[0].profile, runs[0].evidence, seeds, published, advantage, low, high, result
    )


def _both(paper: Paper, claim: Claim, files: list[File], corpus: str) -> tuple[Runs, Runs] | None:
    """The runs of both networks in the best place that has both; None without one, or under other settings."""
    pair = (claim.better, claim.worse)
    places = [{_place(record) for _, record in files if record["variant"] == variant} for variant in pair]
    shared = [file for file in files if _place(file[1]) in places[0] & places[1]]
    runs = tuple(select(paper, shared, variant, corpus) for variant in pair)
    if None in runs or _place(runs[0].first) != _place(runs[1].first):
        return None
    first, second = (r.first["settings"] for r in runs)
    return None if any(first[k] != second[k] for k in first.keys() & second.keys()) else runs


def _place(record: dict) -> tuple[str, str]:
    return record["corpus"], record["profile"]


def _published(paper: Paper, variant: str, metric: str) -> str:
    rows = [row for table in paper.tables for row in table.rows if row.variant == variant]
    return next((row.published[metric] for row in rows if metric in row.published), "")


# --- as text ---------------------------------------------------------------------------------------------


def shown(value: float | None, published: str, sign: bool = False) -> str:
    """A number of ours at the decimals of the printed one; "" for None. Never "-0.000"."""
    if value is None:
        return ""
    text = f"{value:{'+' if sign else ''}.{decimals(published)}f}"
    return text if float(text) else text.lstrip("+-")


def shown_interval(cell: Cell) -> str:
    return (
        "" if cell.ci_low is None else f"[{shown(cell.ci_low, cell.published)}, {shown(cell.ci_high, cell.published)}]"
    )


def source(cell: Cell) -> str:
    """Where a number of ours comes from, in words."""
    if cell.evidence == "none":
        return "not run"
    seeds = "1 seed" if cell.seeds == 1 else f"{cell.seeds} seeds"
    return f"corpus {cell.corpus}, {cell.profile} profile, evidence {cell.evidence}, {seeds}"


def as_text(paper: Paper, cells: Iterable[Cell]) -> str:
    """The paper's tables for a terminal: published, ours, 95 % interval, difference, verdict."""
    cells, parts = list(cells), []
    for table in paper.tables:
        rows = [cell for cell in cells if cell.exhibit == table.id]
        body = [("", "", "published", "ours", "95 % interval", "difference", "verdict")]
        body += [_text_row(cell, before) for before, cell in zip([None, *rows], rows)]
        widths = [max(map(len, column)) for column in zip(*body)]
        aligned = ("<", "<", ">", ">", ">", ">", "<")
        lines = ["  ".join(f"{t:{a}{w}}" for t, a, w in zip(row, aligned, widths)).rstrip() for row in body]
        sources = sorted({source(cell) for cell in rows if cell.evidence != "none"})
        parts.append("\n".join([f"{table.id}: {table.title}", *lines, *(f"ours: {words}" for words in sources)]))
    if any(cell.evidence == "simulated" for cell in cells):
        parts.append(SIMULATED_CAVEAT)
    return "\n\n".join(parts) + "\n"


def _text_row(cell: Cell, before: Cell | None) -> tuple[str, ...]:
    label = "" if before and before.row == cell.row else cell.row
    ours, difference = shown(cell.ours, cell.published) or "-", shown(cell.difference, cell.published, True)
    return label, cell.column, cell.published, ours, shown_interval(cell), difference, cell.verdict
