"""Published numbers against ours: one cell for each printed number, with its evidence and a verdict.

Several runs may exist for one network. The cell takes, in this order: the paper's own corpus before any other,
real before simulated, the paper profile before the quick one, then by name. The `uniform` control never fills a
cell. Of runs under different settings the newest group of equal ones counts, and the note says what was left out.

A number is a MATCH only if everything agrees: the paper's corpus, the paper profile, the declared settings, all
seeds on the same recordings, as many of these as declared, none that could not be used, a defined score that follows
from the predictions where any are stored, and a difference within the declared tolerance. Of a confusion matrix, the
recall of the class must match, too. It is an ERRATUM where it would be a MISMATCH and is, to the printed
decimals, the score of another system that `paper.toml` names as the explanation. (`reports.audit` knows another kind:
numbers that cannot be right beside those printed with them.)

The arrays of a result file are `gold/NAME`, `raw/NAME` and `post/NAME` by recording; a network of several targets
writes one file of the target "all" with `gold/TARGET/NAME` and so on, and its scores by target and recordings. The
recordings of one conversation, noted as `chats` in the record, are drawn together.

A network of classes writes such a file too: each array is the number of one class, of shape (1,), and a recording
whose class is not known has no `gold`. Its scores are percentages: "accuracy", "UAR", and "TRUTH as PREDICTED" for
each entry of the confusion matrix.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import metrics
from common.errors import InputError
from common.evidence.paper import PERCENT, Claim, Paper, Part, Row, Table, decimals, settings, wanted
from common.running import results

VERDICTS = ("MATCH", "MISMATCH", "ERRATUM", "NOT_COMPARABLE", "NOT_RUN")
ALL = "all"  # the target of a network that predicts several
CONTROL = "simulated-uniform"
MEASURED = "measured"  # in the place of a corpus: a speed
RESAMPLES = 1000
QUOTED = "quoted by the authors from: "
UNSOUND = "our score does not follow from the predictions stored beside it"
UNDEFINED = 0.05  # with so many draws without a score, or more, there is no interval
EXTREMES = {"CC_max": np.max, "CC_min": np.min}  # of the recordings
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
    note: str = ""  # why it is undecided, where not the interval says it


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
            kind = record["corpus"].partition("-")[0]
            complete = _complete(record)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: incomplete result file ({error}); delete it and run again") from error
        if not complete or record.get("evidence") != (kind if kind in ("simulated", MEASURED) else "real"):
            raise InputError(f"{path}: damaged result file; delete it and run again")
        if list(path.parts[-6:]) != place:
            raise InputError(f"{path}: its record belongs at {'/'.join(place)}; put it there or delete it")
    return files


def _complete(record: dict) -> bool:
    """Whether the main entries are of the kind that they are read as. Raises KeyError, TypeError, AttributeError."""
    kinds = {"settings": dict, "settings_digest": str, "corpus_digest": str, "scores": dict}
    optional = {"provenance": dict, "history": dict, "seconds": dict, "chats": dict, "arrays": dict, "left_out": list}
    optional |= {"mechanism": dict | None, "postprocess": dict | None}
    entries = {"recordings": {"name"}, "unusable": {"recording", "file", "reason"}}  # lists of these
    return (
        all(isinstance(record[name], kind) for name, kind in kinds.items())
        and all(isinstance(record[name], kind) for name, kind in optional.items() if name in record)
        and all(isinstance(table, dict) for scores in record["scores"].values() for table in [scores, *scores.values()])
        and "sha256" in record.get("arrays", {"sha256": ""})
        and all(keys <= entry.keys() for name, keys in entries.items() for entry in record.get(name, []))
        and all("frames" in entry or "labels" in entry for entry in record.get("recordings", []))
    )


def select(
    paper: Paper, files: Sequence[File], variant: str, corpus: str = "", number: Part | None = None
) -> Runs | None:
    """The runs of `variant` that count (see the module), or those on `corpus`; None without any.

    `number` says which target and fold are wanted; without it the protocol's are.
    """
    number = number or wanted(paper)
    groups: dict[tuple, list[File]] = {}
    for path, record in files:
        asked = record["corpus"] == corpus if corpus else not record["corpus"].endswith("-uniform")
        fits = (record["variant"], record["fold"]) == (variant, number.fold)
        if (
            asked
            and fits
            and about(paper, record["corpus"]) == number.corpus
            and record["target"] in (number.target, ALL)
        ):
            groups.setdefault((record["corpus"], record["profile"]), []).append((path, record))
    if not groups:
        return None
    chosen = min(
        groups, key=lambda key: (not _of_paper(number, key[0]), key[0].startswith("simulated"), key[1] != "paper", key)
    )
    return _newest(variant, groups[chosen])


def select_any(paper: Paper, files: Sequence[File], variant: str) -> Runs | None:
    """As `select`, on the first of the paper's corpora that has runs, real ones first: for what is about none of them."""
    corpora = [paper.corpus, *sorted(paper.corpora - {paper.corpus})]
    found = [select(paper, files, variant, number=wanted(paper, Part(corpus=corpus))) for corpus in corpora]
    return min((runs for runs in found if runs), key=lambda runs: runs.evidence == "simulated", default=None)


def about(paper: Paper, corpus: str) -> str:
    """Which of the paper's corpora a run's `corpus` is, is a part of, or stands for."""
    name = corpus.removeprefix("simulated").removeprefix("-").removesuffix("-public")
    return name if name in paper.corpora else paper.corpus


def _of_paper(number: Part, corpus: str) -> bool:
    return corpus in (number.corpus, f"{number.corpus}-public")


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


def _asked(runs: Runs, number: Part) -> bool:
    """Whether any of the runs scored the recordings that `number` is about: a copy of a corpus may lack their labels."""
    if runs.first["target"] != ALL:
        return True
    scores = [record["scores"].get(target, {}) for _, record in runs.files for target in number.target.split("+")]
    return any(number.recordings in found for found in scores)


def score(runs: Runs, first: str, second: str, metric: str) -> float | None:
    """scores[first][second][metric], mean over the seeds; None where it is missing or undefined for any of them."""
    values = [record["scores"].get(first, {}).get(second, {}).get(metric) for _, record in runs.files]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    return float(np.mean(values))


def score_name(number: Part) -> str:
    """Under which name a record has the score that `number` asks for."""
    return f"{number.truth} as {number.predicted}" if number.metric == "share" else number.metric


def our_score(paper: Paper, runs: Runs, number: Part) -> float | None:
    """The recorded score that `number` asks for: by post-processing and pooling, or by target and recordings."""
    if runs.first["target"] == ALL:
        scores = [score(runs, target, number.recordings, score_name(number)) for target in number.target.split("+")]
        return None if None in scores else float(np.mean(scores))
    return score(runs, paper.protocol.postprocess, paper.protocol.pooling, score_name(number))


def resampled(paper: Paper, runs: Runs, number: Part) -> np.ndarray | None:
    """The score on `RESAMPLES` draws, with replacement, of the recordings and of the seeds, whose scores are averaged.

    The draws depend on the numbers of recordings, or of conversations, and of seeds only: two networks on one corpus
    are paired draw by draw. A draw without a recording of a class has no share of it, and no UAR: NaN. None where the
    files hold no such predictions (post-processing fitted on the training set) or a single recording.
    """
    if number.metric in EXTREMES:  # no draw goes beyond the recordings: such an interval would be none
        return None
    draws = [_resampled(paper, runs, target) for target in _targets(number)]
    return None if any(draw is None for draw in draws) else np.mean(draws, axis=0)


def _targets(number: Part) -> list[Part]:
    return [replace(number, target=target) for target in number.target.split("+")]


def _resampled(paper: Paper, runs: Runs, number: Part) -> np.ndarray | None:
    seeds = _predictions(paper, runs, number)
    units = _units(runs, seeds)
    if len(set(units)) < 2:
        return None
    weights = _weights(tuple(units))
    scores = np.stack([_weighted(paper, runs, number, list(seed.values()), weights) for seed in seeds], axis=1)
    drawn_seeds = np.random.default_rng(1).integers(len(seeds), size=scores.shape)
    return np.take_along_axis(scores, drawn_seeds, axis=1).mean(axis=1)


def _units(runs: Runs, seeds: list[dict] | None) -> list[int]:
    """What is drawn: for each recording its own number, or that of its conversation, counted from 0."""
    numbers: dict[str, int] = {}
    chats = runs.first.get("chats", {})
    return [numbers.setdefault(chats.get(name, name), len(numbers)) for name in (seeds[0] if seeds else [])]


@lru_cache(maxsize=8)
def _weights(units: tuple[int, ...]) -> np.ndarray:
    """How often each recording is in each draw: (draws, recordings)."""
    count = max(units) + 1
    drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    counts = np.array([np.bincount(draw, minlength=count) for draw in drawn], float)
    return counts[:, list(units)]


def _weighted(paper: Paper, runs: Runs, number: Part, pairs: list[tuple], weights: np.ndarray) -> np.ndarray:
    """The score for each row of `weights` (draws, recordings): how often each recording is in the draw."""
    metric = number.metric
    if metric in PERCENT:
        return classified(number, paper.protocol.classes, pairs, weights)
    if paper.protocol.pooling == "per_recording":
        function = _function(runs, metric)
        values = np.array([function(*pair) for pair in pairs])
        return weights @ values / weights.sum(axis=1)
    return concatenated(metric, pairs, weights, runs.first["settings"].get("variance", "population"))


def concatenated(metric: str, pairs: Sequence[tuple], weights: np.ndarray, variance: str) -> np.ndarray:
    """RMSE, CC or CCC of recordings joined as often as each row of `weights` (draws, recordings) says: (draws,).

    The same numbers as `common.metrics` on the joined series, from sums over each recording.
    """
    centre = np.mean(np.concatenate([truth for truth, _ in pairs]))  # sums of squares far from 0 lose digits
    x, y = ([np.asarray(side, float) - centre for side in sides] for sides in zip(*pairs))
    sums = [[len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b] for a, b in zip(x, y)]
    count, sum_x, sum_y, sum_xx, sum_yy, sum_xy = (weights @ np.array(sums)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "RMSE":
            return np.sqrt(np.maximum(sum_xx + sum_yy - 2 * sum_xy, 0) / count)
        spread = count / (count - 1) if variance == "avec2018" else 1.0
        variance_x = (sum_xx / count - (sum_x / count) ** 2) * spread
        variance_y = (sum_yy / count - (sum_y / count) ** 2) * spread
        covariance = sum_xy / count - sum_x * sum_y / count**2
        if metric == "CC":
            return covariance / np.sqrt(variance_x * variance_y)
        return 2 * covariance / (variance_x + variance_y + ((sum_x - sum_y) / count) ** 2)


def classified(number: Part, classes: Sequence[str], pairs: Sequence[tuple], weights: np.ndarray) -> np.ndarray:
    """Accuracy, UAR or a share of recordings taken as often as each row of `weights` says: (draws,), in percent.

    The same numbers as `common.metrics` on the labels so repeated; `pairs` hold one true and one predicted label each.
    """
    truth, predicted = (np.concatenate(side)[:, None] for side in zip(*pairs))
    if number.metric == "accuracy":
        among = np.ones_like(truth)
        hits = truth == predicted
    elif number.metric == "UAR":
        among = truth == np.arange(len(classes))
        hits = among & (truth == predicted)
    else:
        among = truth == classes.index(number.truth)
        hits = among & (predicted == classes.index(number.predicted))
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a class that is not there
        return 100 * np.mean((weights @ hits) / (weights @ among), axis=1)


def follows(paper: Paper, runs: Runs, number: Part) -> bool:
    """Whether the recorded score is that of the predictions stored beside it; true where none are stored."""
    seeds = [recordings for target in _targets(number) for recordings in _stored(paper, runs, target)]
    if not any(seeds):
        return True
    if not all(seeds):
        return False
    again = float(np.mean([_pooled(paper, runs, number, list(recordings.values())) for recordings in seeds]))
    ours = our_score(paper, runs, number)
    return math.isnan(again) if ours is None else bool(abs(ours - again) < 1e-4)  # predictions may be rounded


def _function(runs: Runs, metric: str) -> Callable[..., float]:
    function = getattr(metrics, metric.partition("_")[0].lower())
    return (
        function
        if metric == "RMSE"
        else partial(function, variance=runs.first["settings"].get("variance", "population"))
    )


def _pooled(paper: Paper, runs: Runs, number: Part, pairs: list[tuple]) -> float:
    if number.metric in PERCENT:
        return float(classified(number, paper.protocol.classes, pairs, np.ones((1, len(pairs))))[0])
    function = _function(runs, number.metric)
    if number.metric in EXTREMES:
        return float(EXTREMES[number.metric]([function(*pair) for pair in pairs]))
    truths, predictions = zip(*pairs)
    return metrics.pooled(function, truths, predictions, pooling=paper.protocol.pooling)


def _predictions(paper: Paper, runs: Runs, number: Part) -> list[dict[str, tuple]] | None:
    """For each seed: recording -> (gold standard, prediction). None unless all seeds have the same recordings."""
    seeds = _stored(paper, runs, number)
    return seeds if seeds and all(list(seed) == list(seeds[0]) for seed in seeds) else None


def _stored(paper: Paper, runs: Runs, number: Part) -> list[dict[str, tuple]]:
    """For each seed: recording -> (gold standard, prediction); empty unless all files hold such predictions."""
    kind = {"none": "raw", "devel": "post"}.get(paper.protocol.postprocess)
    if kind is None or not all("arrays" in record for _, record in runs.files):
        return []
    several = f"{number.target}/" if runs.first["target"] == ALL else ""
    read = partial(_labels, classes=len(paper.protocol.classes)) if number.metric in PERCENT else _series
    seeds = [read(path, record["arrays"]["sha256"], kind, several) for path, record in runs.files]
    return [{name: pair for name, pair in s.items() if fnmatchcase(name, number.recordings)} for s in seeds]


@lru_cache(maxsize=64)
def _labels(path: Path, sha256: str, kind: str, several: str, classes: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """As `_series`, where each series is the number of one class."""
    found = _series(path, sha256, kind, several)
    labels = [label for pair in found.values() for label in pair]
    single = all(label.shape == (1,) and label.dtype.kind in "iu" for label in labels)
    if labels and not (single and 0 <= np.min(labels) <= np.max(labels) < classes):
        remedy = "delete it and its record, run again"
        raise InputError(f"{path.with_suffix('.npz')}: not the number of one of {classes} classes each; {remedy}")
    return found


@lru_cache(maxsize=64)
def _series(path: Path, sha256: str, kind: str, several: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recording -> (gold standard, prediction), by name; `several` is the target and a slash in a file of several."""
    arrays = results.read_arrays(path, {"arrays": {"sha256": sha256}})
    gold = f"gold/{several}"
    names = sorted(name.removeprefix(gold) for name in arrays if name.startswith(gold))
    remedy = "delete it and its record, run again"
    try:
        found = {name: (arrays[f"{gold}{name}"], arrays[f"{kind}/{several}{name}"]) for name in names}
    except KeyError as error:
        raise InputError(f"{path.with_suffix('.npz')}: {error.args[0]}; {remedy}") from error
    for name, pair in found.items():
        if any(side.ndim != 1 or side.dtype.kind not in "iuf" or side.shape != pair[0].shape for side in pair):
            raise InputError(f"{path.with_suffix('.npz')}: {name}: gold standard and prediction do not fit; {remedy}")
    return found


def interval(values: np.ndarray | None) -> tuple[float | None, float | None]:
    """95 % percentile interval; (None, None) when there is none.

    Draws in which the score is undefined are left out, so the interval is that of the others, as long as they are
    fewer than 5 %. With more, a rare class is too rare for an interval.
    """
    if values is None or np.mean(~np.isfinite(values)) >= UNDEFINED:
        return None, None
    low, high = np.percentile(values[np.isfinite(values)], [2.5, 97.5])
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
    return _cells(paper, files, printed=True)


def own_cells(paper: Paper, files: Iterable[File]) -> list[Cell]:
    """The numbers of the tables of ours, which the paper does not have: nothing is published, there is no verdict."""
    return _cells(paper, files, printed=False)


def _cells(paper: Paper, files: Iterable[File], printed: bool) -> list[Cell]:
    files = checked(files)
    found = []
    for table in paper.tables:
        for row in table.rows if table.printed == printed else ():
            columns = [column for column in table.columns if column.label in row.published or not printed]
            cells = [_cell(paper, files, table, row, column) for column in columns]
            found += _with_recall(row, columns, cells) if table.confusion else cells
    return found


def _with_recall(row: Row, columns: Sequence[Part], cells: list[Cell]) -> list[Cell]:
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


def _cell(paper: Paper, files: list[File], table: Table, row: Row, column: Part) -> Cell:
    number = wanted(paper, row, column)
    published = row.published.get(column.label, "")
    tolerance = number.tolerance if number.variant and published else None
    head = (paper.id, table.id, row.label, column.label, published, "quoted" if number.quoted else "own")
    quoted = [f"{QUOTED}{number.quoted}"] if number.quoted else []
    runs = select(paper, files, number.variant, number=number) if number.variant else None
    if runs is None or not _asked(runs, number):
        verdict = "NOT_RUN" if published else ""
        return Cell(*head, "none", "", "", 0, None, None, None, None, tolerance, verdict, "".join(quoted))
    ours = our_score(paper, runs, number)
    sound = follows(paper, runs, number)
    low, high = interval(resampled(paper, runs, number) if sound and ours is not None else None)
    difference = None if ours is None or not published else ours - float(published)
    verdict, notes = "", [] if sound else [UNSOUND]
    if published:
        verdict, notes = _verdict(paper, runs, number, difference, sound)
    if verdict == "MISMATCH" and not notes and (explained := _explained(paper, files, table, row, column, runs)):
        verdict, notes = "ERRATUM", [explained]
    if runs.left_out:
        notes.append(
            f"left out: {runs.left_out} older result file(s) under other settings or of another corpus version"
        )
    if runs.first.get("committed"):
        notes.append(f"from the run that comes with the suite, of {_date(runs.first)[:10]}")
    if runs.evidence != MEASURED and not all("arrays" in record for _, record in runs.files):
        notes.append("the predictions behind it are not stored")
    notes += quoted
    source = (runs.evidence, runs.corpus, runs.profile, len(runs.files))
    return Cell(*head, *source, ours, low, high, difference, tolerance, verdict, "; ".join(notes))


def _explained(paper: Paper, files: list[File], table: Table, row: Row, column: Part, runs: Runs) -> str:
    """Why a printed number is not ours: it is the score of another system, if our score of that one says so."""
    published, number = row.published[column.label], wanted(paper, row, column)
    for erratum in paper.errata:
        if (erratum.table, erratum.row, erratum.column) != (table.id, row.label, column.label):
            continue
        other = select(paper, files, erratum.variant, runs.corpus, number)
        if other is None or _place(other.first) != _place(runs.first) or not follows(paper, other, number):
            continue
        score, ours = (our_score(paper, r, number) for r in (other, runs))
        if shown(score, published) == published:
            return (
                f"{published} is the score of `{erratum.variant}` ({score:.4f}), not of `{number.variant}` ({ours:.4f})"
            )
    return ""


def _verdict(paper: Paper, runs: Runs, number: Part, difference: float | None, sound: bool) -> tuple[str, list[str]]:
    """The verdict, and all that stands in the way of a match."""
    other, lacking = _other(paper, runs, number), _lacking(paper, runs, number, sound)
    if difference is None:
        lacking.insert(0, "our score is undefined")
    # 1e-9: 0.119 - 0.109 is a little more than 0.01 in binary, and a printed decimal is meant
    close = difference is not None and abs(difference) <= number.tolerance + 1e-9
    verdict = "NOT_COMPARABLE" if other else "MATCH" if close and not lacking else "MISMATCH"
    return verdict, other + lacking


def _other(paper: Paper, runs: Runs, number: Part) -> list[str]:
    """What makes it another experiment than the printed one: there is no comparison."""
    other = []
    if runs.evidence == "simulated":
        other.append("simulated corpus")
    elif runs.evidence == MEASURED:
        processor = runs.first.get("provenance", {}).get("processor", "another machine")
        other.append(f"measured on {processor}; the paper does not name its machine")
    elif not _of_paper(number, runs.corpus):
        other.append(f"the paper used {number.corpus}")
    if runs.profile != "paper":
        other.append(f"{runs.profile} profile")
    if changed := changed_settings(paper, runs):
        other.append("not the declared settings: " + ", ".join(f"{k}={v}" for k, v in sorted(changed.items())))
    return other


def _lacking(paper: Paper, runs: Runs, number: Part, sound: bool) -> list[str]:
    """What the printed experiment has and this one has not: there is no match."""
    lacking = []
    if not sound:
        lacking.append(UNSOUND)
    if len(runs.files) < paper.protocol.seeds and runs.evidence != MEASURED:
        lacking.append(f"{len(runs.files)} of {paper.protocol.seeds} seeds")
    if any(_stored(paper, runs, n) and _predictions(paper, runs, n) is None for n in _targets(number)):
        lacking.append("the seeds scored different recordings")
    if count := max(len(record.get("unusable", [])) for _, record in runs.files):
        lacking.append(f"{count} recording(s) could not be used")
    least = paper.recordings.get(number.corpus, {}).get(number.recordings, 0) if runs.evidence == "real" else 0
    scored = min(map(len, _stored(paper, runs, _targets(number)[0])), default=least)
    if scored < least:
        lacking.append(f"{scored} recordings were scored, at least {least} are asked for")
    return lacking


# --- claims ----------------------------------------------------------------------------------------------


def claims(paper: Paper, files: Iterable[File]) -> list[Direction]:
    """For each claimed direction: does it hold in the runs that fill the cells, and in the uniform control where run?

    "holds" and "does not hold" need a paired 95 % interval that excludes 0, and on a real corpus all that a match
    needs beside the difference; else the claim stays "undecided".
    """
    files = checked(files)
    directions = []
    for claim in paper.claims:
        if claim.holds:  # of printed numbers: no run says anything about it
            continue
        directions.append(_direction(paper, claim, files, ""))
        control = _direction(paper, claim, files, CONTROL)
        directions += [control] if control.evidence != "none" else []
    return directions


def _direction(paper: Paper, claim: Claim, files: list[File], corpus: str) -> Direction:
    sign = -1 if claim.metric == "RMSE" else 1
    number = wanted(paper, claim)
    printed = [_published(paper, variant, number) for variant in (claim.better, claim.worse)]
    published = None
    if all(printed):
        published = round(sign * (float(printed[0]) - float(printed[1])), max(map(decimals, printed)))
    runs = _both(paper, claim, files, corpus, number)
    if runs is None:
        apart = all(select(paper, files, variant, corpus, number) for variant in (claim.better, claim.worse))
        note = "not run on the same recordings in the same way" if apart else ""
        return Direction(claim, "", "", "none", 0, published, None, None, None, "not run", note)
    ours = [our_score(paper, r, number) for r in runs]
    draws = [resampled(paper, r, number) for r in runs]
    advantage = None if None in ours else sign * (ours[0] - ours[1])
    drawn = [(tuple(_predictions(paper, r, number) or [()])[0], r.first.get("chats")) for r in runs]
    paired = all(d is not None for d in draws) and list(drawn[0][0]) == list(drawn[1][0]) and drawn[0][1] == drawn[1][1]
    low, high = interval(sign * (draws[0] - draws[1])) if paired and advantage is not None else (None, None)
    result = "undecided" if low is None or low <= 0 <= high else "holds" if low > 0 else "does not hold"
    simulated = runs[0].evidence == "simulated"
    sound = [follows(paper, r, number) for r in runs]
    notes = [] if all(sound) else [UNSOUND]
    if not simulated:  # which never is the printed experiment
        notes = [w for r, ok in zip(runs, sound) for w in _other(paper, r, number) + _lacking(paper, r, number, ok)]
    if notes:
        result = "undecided"
    elif low is None:
        notes = ["no paired interval: predictions are not stored, or not of the same recordings"]
    if simulated:
        result += " in simulation"
    seeds = min(len(r.files) for r in runs)
    return Direction(
        claim, runs[0].corpus, runs[0].profile, runs[0].evidence, seeds, published, advantage, low, high, result,
        "; ".join(dict.fromkeys(notes)),
    )  # fmt: skip


def _both(paper: Paper, claim: Claim, files: list[File], corpus: str, number: Part) -> tuple[Runs, Runs] | None:
    """The runs of both networks in the best place that has both; None without one, or under other settings."""
    pair = (claim.better, claim.worse)
    places = [{_place(record) for _, record in files if record["variant"] == variant} for variant in pair]
    shared = [file for file in files if _place(file[1]) in places[0] & places[1]]
    runs = tuple(select(paper, shared, variant, corpus, number) for variant in pair)
    if None in runs or _place(runs[0].first) != _place(runs[1].first):
        return None
    first, second = (r.first["settings"] for r in runs)
    return None if any(first[k] != second[k] for k in first.keys() & second.keys()) else runs


def _place(record: dict) -> tuple[str, str]:
    return record["corpus"].removesuffix("-public"), record["profile"]  # the public part is of the same recordings


def _published(paper: Paper, variant: str, asked: Part) -> str:
    """The printed number of `variant` for what a claim is about; "" where none is printed."""
    for table in paper.tables:
        for row in table.rows:
            for column in table.columns:
                number = wanted(paper, row, column)
                same = all(
                    getattr(number, k) == getattr(asked, k)
                    for k in ("metric", "target", "corpus", "fold", "recordings", "truth", "predicted")
                )
                if number.variant == variant and same and column.label in row.published:
                    return row.published[column.label]
    return ""


# --- as text ---------------------------------------------------------------------------------------------


def shown(value: float | None, published: str, sign: bool = False) -> str:
    """A number of ours at the decimals of the printed one, or three; "" for None. Never "-0.000"."""
    if value is None:
        return ""
    text = f"{value:{'+' if sign else ''}.{decimals(published) if published else 3}f}"
    return text if float(text) else text.lstrip("+-")


def shown_interval(cell: Cell) -> str:
    return (
        "" if cell.ci_low is None else f"[{shown(cell.ci_low, cell.published)}, {shown(cell.ci_high, cell.published)}]"
    )


def many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def source(cell: Cell) -> str:
    """Where a number of ours comes from, in words."""
    if cell.evidence == "none":
        return "not run"
    if cell.evidence == "audit":
        return "arithmetic on the printed numbers, evidence audit"
    return f"corpus {cell.corpus}, {cell.profile} profile, evidence {cell.evidence}, {many(cell.seeds, 'seed')}"


def as_text(paper: Paper, cells: Iterable[Cell]) -> str:
    """The paper's tables for a terminal: published, ours, 95 % interval, difference, verdict."""
    cells, parts = list(cells), []
    for table in paper.tables:
        rows = [cell for cell in cells if cell.exhibit == table.id]
        if not rows:
            continue
        if not table.printed:
            parts.append(_matrix(table, rows))
            continue
        if table.confusion:
            parts.append(_confusion(table, rows))
            continue
        body = [("", "", "published", "ours", "95 % interval", "difference", "verdict")]
        body += [_text_row(cell, before) for before, cell in zip([None, *rows], rows)]
        lines = _aligned(body, "<<>>>><")
        errata = [f"{cell.row}, {cell.column}: {cell.note}" for cell in rows if cell.verdict == "ERRATUM"]
        parts.append("\n".join([f"{table.id}: {table.title}", *lines, *errata, *_sources(rows)]))
    if any(cell.evidence == "simulated" for cell in cells):
        parts.append(SIMULATED_CAVEAT)
    return "\n\n".join(parts) + "\n"


def _matrix(table: Table, cells: list[Cell]) -> str:
    """A table of ours without its intervals: those rows of which there are cells, those columns that have a result."""
    columns = [c.label for c in table.columns if any(e.column == c.label and e.evidence != "none" for e in cells)]
    ours = {(cell.row, cell.column): shown(cell.ours, "") or "-" for cell in cells}
    there = dict.fromkeys(cell.row for cell in cells)
    body = [("", *columns), *((row, *(ours.get((row, column), "-") for column in columns)) for row in there)]
    return "\n".join([table.title, *_aligned(body, "<" + ">" * len(columns)), *_sources(cells)])


def _confusion(table: Table, cells: list[Cell]) -> str:
    """A confusion matrix: a line of ours and a line as printed for each true class, and how often which verdict."""
    by_place = {(cell.row, cell.column): cell for cell in cells}
    columns, decimal = [column.label for column in table.columns], finest(cells)
    body = [("", "", *columns)]
    for row in table.rows:
        found = [by_place.get((row.label, column)) for column in columns]
        body.append((row.label, "ours", *((shown(cell.ours, decimal) or "-") if cell else "" for cell in found)))
        body.append(("", "published", *(cell.published if cell else "" for cell in found)))
    verdicts = Counter(cell.verdict for cell in cells)
    counts = "verdicts: " + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
    errata = [f"{cell.row}, {cell.column}: {cell.note}" for cell in cells if cell.verdict == "ERRATUM"]
    lines = _aligned(body, "<<" + ">" * len(columns))
    return "\n".join([f"{table.id}: {table.title}", *lines, counts, *errata, *_sources(cells)])


def finest(cells: Iterable[Cell]) -> str:
    """The printed number with the most decimals: a matrix may print 0 beside 8.86."""
    return max((cell.published for cell in cells), key=decimals, default="")


def _aligned(body: list[tuple[str, ...]], align: str) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*body)]
    return ["  ".join(f"{t:{a}{w}}" for t, a, w in zip(row, align, widths)).rstrip() for row in body]


def _sources(cells: list[Cell]) -> list[str]:
    return [f"ours: {words}" for words in sorted({source(cell) for cell in cells if cell.evidence != "none"})]


def _text_row(cell: Cell, before: Cell | None) -> tuple[str, ...]:
    label = "" if before and before.row == cell.row else cell.row
    ours, difference = shown(cell.ours, cell.published) or "-", shown(cell.difference, cell.published, True)
    return label, cell.column, cell.published, ours, shown_interval(cell), difference, cell.verdict
