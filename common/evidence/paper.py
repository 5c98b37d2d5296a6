"""A paper as data: what is printed in it, what we set and why, read from the `paper.toml` of its subpackage.

A key that nobody reads would act silently, so unknown keys are refused, as are missing and mistyped ones.
"""

import difflib
import math
import re
import shlex
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from common.errors import InputError
from common.evidence import arithmetic

PERCENT = ("accuracy", "UAR", "share")  # of classes; in percent, as papers print them
METRICS = ("RMSE", "CC", "CCC", "CC_max", "CC_min", "FPS", *PERCENT)  # _max, _min: the best and the worst recording
PROFILES = ("paper", "quick")
SOURCES = ("stated", "inferred", "assumed")


@dataclass(frozen=True)
class Protocol:
    """Which of our scores stands beside the printed ones, and from how many seeds on it counts as complete."""

    target: str
    fold: str
    postprocess: str  # the set on which the post-processing was fitted, or "none"
    pooling: str  # "per_recording" or "concatenated"
    seeds: int = 1
    classes: tuple[str, ...] = ()  # in the order of the labels' numbers, where classes are predicted


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a row, a column or a claim says of its numbers; what it leaves open, another part or the protocol says.

    The metric "share" is one entry of a confusion matrix: of the recordings of the class `truth`, those that were
    predicted as `predicted`, in percent.
    """

    label: str = ""
    variant: str = ""  # the network of ours that replicates them
    quoted: str = ""  # the earlier work from which the authors copied them; with a variant where we can score it anew
    metric: str = ""
    target: str = ""  # arousal+valence is the mean of both scores
    corpus: str = ""
    fold: str = ""
    recordings: str = ""  # a pattern of names, such as Devel_DE_*; all without one
    tolerance: float | None = None  # instead of the metric's
    truth: str = ""
    predicted: str = ""


@dataclass(frozen=True, kw_only=True)
class Row(Part):
    """One row; `published` holds the numbers as printed, by the label of their column."""

    published: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A printed table, or one of ours (`printed` is false) that holds what the paper could have said."""

    id: str
    title: str
    columns: tuple[Part, ...]
    rows: tuple[Row, ...]
    printed: bool = True
    note: str = ""

    @property
    def confusion(self) -> bool:
        """Whether it is a confusion matrix: a row for each true class, a column for each predicted one."""
        return bool(self.columns) and all(column.metric == "share" for column in self.columns)


@dataclass(frozen=True)
class Erratum:
    """A printed number that is another system's: an explanation to be computed, not to be believed."""

    table: str
    row: str
    column: str
    variant: str  # whose score the printed number is


@dataclass(frozen=True)
class Figure:
    """A printed figure.

    Of one variant: its `architecture`; `maps`, grey images over time of up to eight recordings, from the arrays
    PREFIX/NAME of its results, of shape (rows, steps); the `projection` to two dimensions of the arrays
    embeddings/before and embeddings/after, of shape (rows, size); the `confusion` matrix beside the printed one; the
    `speech` and the `faces` of one clip, from the arrays example/NAME.
    Of several: an `overview` of the networks, `traces` of recordings, or `bars`, the score of each recording.
    """

    id: str
    title: str
    kind: str
    variant: str = ""
    recordings: tuple[str, ...] = ()
    variants: dict[str, str] = field(default_factory=dict)  # panel title -> variant
    target: str = ""
    median: int = 0  # traces are shown behind a median filter of this length, in samples, too
    prefix: str = ""
    rows: tuple[str, ...] = ()  # what the rows of maps and embeddings are
    bottom_up: bool = False  # the first row of a map is the bottom one
    table: str = ""  # the printed confusion matrix


@dataclass(frozen=True, kw_only=True)
class Claim(Part):
    """Something that the text claims: that variant `better` beats variant `worse` in `metric`, or that numbers agree.

    `holds` is a comparison for `common.evidence.arithmetic`. In it `frames` is the number of labelled frames in those
    `recordings` of the paper's corpus that a run has read.
    """

    where: str
    text: str
    better: str = ""
    worse: str = ""
    holds: str = ""
    loose: bool = False  # the words or the facts leave room: what contradicts `holds` need not be an error
    note: str = ""


@dataclass(frozen=True)
class Audit:
    """What printed percentages are percentages of: a confusion `matrix`, or `shares` of the same things.

    `quoted` is the accuracy that the paper gives for the matrix; `total` is how many things there are, by the paper or
    by the corpus. `quoted` and `shares` are expressions for `common.evidence.arithmetic`.
    """

    where: str
    matrix: str = ""
    quoted: str = ""
    shares: str = ""
    total: int = 0


@dataclass(frozen=True)
class Setting:
    """A value of ours, where it comes from, its value in the quick profile and what else it may be."""

    name: str
    value: Any
    source: str
    where: str
    quick: Any = None
    choices: tuple[Any, ...] = ()
    about_files: bool = False  # says how the user's files are, nothing of the method: any value is comparable


@dataclass(frozen=True)
class Choice:
    """An entry of the ledger: a point that the paper leaves open, and what we chose."""

    number: int
    point: str
    text: str  # what the paper says, with the section
    options: str
    choice: str
    why: str
    sure: str
    switch: str = ""  # how to select another option on the command line


@dataclass(frozen=True, kw_only=True)
class Paper:
    path: Path
    id: str
    title: str
    authors: str
    venue: str
    year: int
    doi: str = ""  # where we know it
    corpus: str
    protocol: Protocol
    tolerance: dict[str, float]  # metric -> how far from the printed number is still a match
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    claims: tuple[Claim, ...]
    settings: dict[str, Setting]
    ledger: tuple[Choice, ...]
    errata: tuple[Erratum, ...] = ()
    audit: tuple[Audit, ...] = ()
    recordings: dict[str, dict[str, int]] = field(default_factory=dict)  # scored at least in a match: corpus, pattern

    @property
    def variants(self) -> list[str]:
        """The networks of ours that stand in the paper's tables, in their order."""
        parts = [part for table in self.tables for part in (*table.columns, *table.rows)]
        return list(dict.fromkeys(part.variant for part in parts if part.variant))

    @property
    def corpora(self) -> set[str]:
        """The corpora that the printed numbers are about."""
        parts = [part for table in self.tables for part in (*table.columns, *table.rows)]
        return {self.corpus, *(part.corpus for part in parts if part.corpus)}


def wanted(paper: Paper, *parts: Part) -> Part:
    """What `parts` say together of one number, and the protocol where they are silent."""

    def first(name: str, otherwise: Any) -> Any:
        return next((value for part in parts if (value := getattr(part, name)) not in ("", None)), otherwise)

    metric = first("metric", "")
    return Part(
        variant=first("variant", ""),
        quoted=first("quoted", ""),
        metric=metric,
        target=first("target", paper.protocol.target),
        corpus=first("corpus", paper.corpus),
        fold=first("fold", paper.protocol.fold),
        recordings=first("recordings", "*"),
        tolerance=first("tolerance", paper.tolerance.get(metric)),
        truth=first("truth", ""),
        predicted=first("predicted", ""),
    )


def numbers(paper: Paper) -> dict[str, dict[tuple[str, str], str]]:
    """The numbers of each printed table, by row and column: what `common.evidence.arithmetic` reads."""
    return {
        table.id: {(row.label, column): text for row in table.rows for column, text in _in_order(table, row)}
        for table in paper.tables
        if table.printed
    }


def _in_order(table: Table, row: Row) -> list[tuple[str, str]]:
    return [(c.label, row.published[c.label]) for c in table.columns if c.label in row.published]


def papers() -> list[Paper]:
    """The papers of the suite: every `replications/*/paper.toml` beside this package, by folder name."""
    folder = Path(__file__).resolve().parents[2] / "replications"
    return [load(path) for path in sorted(folder.glob("*/paper.toml"))]


def load(path: Path) -> Paper:
    """Read and check a `paper.toml`. Raises InputError, one line that names the file and the key."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{_short(path)}: not a readable TOML file ({error})") from error
    try:
        paper = _paper(path, document)
        _check(paper)
    except _Invalid as error:
        raise InputError(f"{_short(path)}: {error}") from error
    return paper


def settings(paper: Paper, profile: str, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The value of every setting in `profile` ("paper" or "quick"), changed by `overrides` ("name=value").

    A value is read as TOML (`0.5`, `true`, `[2, 2, 2]`), else taken as text, so `colour=grey` needs no quotes.
    Raises InputError naming the setting, what was given and what is accepted.
    """
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r}: give one of {', '.join(PROFILES)}")
    quick = profile == "quick"
    values = {s.name: s.quick if quick and s.quick is not None else s.value for s in paper.settings.values()}
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals:
            raise InputError(f"setting {override!r}: give it as name=value")
        if name not in values:
            near = difflib.get_close_matches(name, values, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(values)}"
            raise InputError(f"setting {name!r}: {paper.id} has none of this name{hint}")
        values[name] = _accepted(paper.settings[name], _toml_value(text.strip()), text.strip())
    return values


def shrunk(paper: Paper) -> list[Setting]:
    """The settings that the quick profile changes."""
    return [s for s in paper.settings.values() if s.quick is not None and s.quick != s.value]


def decimals(published: str) -> int:
    """How many decimals a printed number has."""
    return len(published.partition(".")[2])


def ledger_markdown(paper: Paper) -> str:
    """The ledger as numbered Markdown paragraphs, as the README of the subpackage holds it."""
    return "\n\n".join(_entry_markdown(entry) for entry in paper.ledger) + "\n"


def _entry_markdown(entry: Choice) -> str:
    parts = [
        f"{entry.number}. **{entry.point}**",
        f"   *The paper:* {entry.text}",
        f"   *Options:* {entry.options}",
        f"   *Choice:* {entry.choice}",
        f"   *Why:* {entry.why}",
        f"   *Sure:* {entry.sure}",
    ]
    if entry.switch:
        parts.append(f"   *Switch:* `{entry.switch}`")
    return "  \n".join(parts)  # two blanks at the end of a line break it


# --- from TOML tables to dataclasses ---------------------------------------------------------------------


class _Invalid(Exception):
    """What is wrong with a document; `load` puts the file's name in front."""


def _paper(path: Path, document: dict) -> Paper:
    head = document.get("paper")
    if not isinstance(head, dict):
        raise _Invalid("paper: missing or no table")
    parts = {entry.name for entry in fields(Paper) if get_origin(entry.type) or entry.type is Protocol}
    if unknown := (document.keys() - parts - {"paper"}) | (head.keys() & (parts | {"path"})):
        raise _Invalid(f"unknown key `{sorted(unknown)[0]}`")
    body = {part: document[part] for part in parts & document.keys()}
    if isinstance(settings := body.get("settings"), dict):
        body["settings"] = {k: {**v, "name": k} if isinstance(v, dict) else v for k, v in settings.items()}
    return _make(Paper, {"ledger": [], **head, **body, "path": path}, "paper")


def _make(kind: type, table: Any, where: str) -> Any:
    """An instance of the dataclass `kind`; unknown, missing and mistyped keys of `table` are refused."""
    if not isinstance(table, dict):
        raise _Invalid(f"{where}: no table")
    known = {entry.name: entry for entry in fields(kind)}
    if unknown := table.keys() - known:
        raise _Invalid(f"{where}: unknown key `{sorted(unknown)[0]}`")
    values = {}
    for name, entry in known.items():
        if name in table:
            values[name] = _typed(table[name], entry.type, name if kind is Paper else f"{where}: {name}")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise _Invalid(f"{where}: `{name}` is missing")
    return kind(**values)


def _typed(value: Any, kind: Any, where: str) -> Any:
    """`value` when it fits the annotation `kind`: tables become dataclasses, lists become tuples."""
    origin, parts = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _make(kind, value, where)
    if origin is dict and isinstance(value, dict):
        return {name: _typed(item, parts[1], f"{where}.{name}") for name, item in value.items()}
    if origin is tuple and isinstance(value, list):
        return tuple(_typed(item, parts[0], f"{where} {number}") for number, item in enumerate(value, 1))
    if kind in (float, float | None) and _is_number(value):
        return float(value)
    if kind is Any or (origin is None and isinstance(value, kind) and isinstance(value, bool) == (kind is bool)):
        return value
    raise _Invalid(f"{where}: {value!r} is not {_KINDS.get(origin or kind, kind)}")


_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list",
    dict: "a table",
}


# --- what a document must fulfil beyond its types --------------------------------------------------------


def _check(paper: Paper) -> None:
    _check_protocol(paper)
    for table in paper.tables:
        if len({row.label for row in table.rows}) < len(table.rows):
            raise _Invalid(f"{table.id}: two rows have the same `label`")
        for row in table.rows:
            _check_row(paper, table, row)
    for figure in paper.figures:
        _check_figure(paper, figure)
    for number, claim in enumerate(paper.claims, 1):
        _check_claim(paper, claim, f"claims {number}")
    for number, entry in enumerate(paper.audit, 1):
        _check_audit(paper, entry, f"audit {number}")
    for setting in paper.settings.values():
        _check_setting(setting)
    for erratum in paper.errata:
        cells = [(t.id, r.label, c) for t in paper.tables for r in t.rows for c in r.published]
        if (erratum.table, erratum.row, erratum.column) not in cells or erratum.variant not in paper.variants:
            raise _Invalid(f"errata: no such number or variant: {erratum.row}, {erratum.column}, {erratum.variant}")
    printed = [wanted(paper, row, column) for table in paper.tables for row in table.rows for column in table.columns]
    asked = {(number.corpus, number.recordings) for number in printed}
    for corpus, patterns in paper.recordings.items():
        for pattern in patterns:
            if (corpus, pattern) not in asked:
                raise _Invalid(f"recordings: no number of the paper is about {pattern!r} of {corpus!r}")
    _check_ledger(paper)


_FIGURES = {  # kind -> what it needs
    "architecture": ("variant",),
    "overview": ("variants",),
    "traces": ("recordings", "variants"),
    "bars": ("variants",),
    "maps": ("variant", "prefix", "rows"),
    "projection": ("variant", "rows"),
    "confusion": ("variant", "table"),
    "speech": ("variant",),
    "faces": ("variant",),
}


def _check_figure(paper: Paper, figure: Figure) -> None:
    if figure.kind not in _FIGURES:
        raise _Invalid(f"{figure.id}: `kind` is {figure.kind!r}, not one of {', '.join(_FIGURES)}")
    for name in _FIGURES[figure.kind]:
        if not getattr(figure, name):
            raise _Invalid(f"{figure.id}: `{name}` is missing, the kind {figure.kind} needs it")
    if figure.table and figure.table not in [table.id for table in paper.tables if table.confusion]:
        raise _Invalid(f"{figure.id}: `table` is {figure.table!r}, which is no confusion matrix of the paper")


def _check_protocol(paper: Paper) -> None:
    accepted = {"postprocess": ("none", "devel", "train"), "pooling": ("per_recording", "concatenated")}
    for name, words in accepted.items():
        if getattr(paper.protocol, name) not in words:
            raise _Invalid(f"protocol: `{name}` is not one of {', '.join(words)}")
    if paper.protocol.seeds < 1:
        raise _Invalid("protocol: `seeds` must be 1 or more")
    if len(set(paper.protocol.classes)) < len(paper.protocol.classes):
        raise _Invalid("protocol: `classes` names one twice")
    if paper.protocol.classes and (paper.protocol.postprocess, paper.protocol.pooling) != ("none", "concatenated"):
        raise _Invalid('protocol: `classes` need `postprocess` "none" and `pooling` "concatenated"')
    for metric, margin in paper.tolerance.items():
        if metric not in METRICS or not 0 <= margin < math.inf:
            raise _Invalid(f"tolerance: `{metric}` is no metric of {', '.join(METRICS)} or its margin is no margin")


def _check_row(paper: Paper, table: Table, row: Row) -> None:
    where = f"{table.id}, row {row.label!r}"
    labels = [column.label for column in table.columns]
    if len(set(labels)) < len(labels):
        raise _Invalid(f"{table.id}: two columns have the same `label`")
    if row.published and not table.printed:
        raise _Invalid(f"{where}: a table of ours has no `published` numbers")
    for column, text in row.published.items():
        if column not in labels:
            raise _Invalid(f"{where}: `{column}` is no column of the table")
        if not re.fullmatch(r"-?\d+(\.\d+)?", text):
            raise _Invalid(f"{where}: `{column}` = {text!r} is not a number as printed")
    for column in table.columns:
        number = wanted(paper, row, column)
        if column.label not in row.published and table.printed:
            continue
        if not (number.variant or number.quoted):
            raise _Invalid(f"{where}: needs `variant` or `quoted`")
        if number.metric not in METRICS:
            raise _Invalid(f"{where}, column {column.label!r}: `metric` is not one of {', '.join(METRICS)}")
        _check_classes(paper, number, f"{where}, column {column.label!r}")
        if number.variant and table.printed and number.tolerance is None:
            raise _Invalid(f"tolerance: `{number.metric}` is missing, {table.id} prints it")


def _check_classes(paper: Paper, number: Part, where: str) -> None:
    classes = paper.protocol.classes
    if number.metric in PERCENT and not classes:
        raise _Invalid(f"protocol: `classes` is missing, {where} is about them")
    for name in ("truth", "predicted"):
        named = getattr(number, name)
        if number.metric == "share" and named not in classes:
            raise _Invalid(f"{where}: `{name}` is {named!r}, not one of {', '.join(classes)}")
        if number.metric != "share" and named:
            raise _Invalid(f"{where}: `{name}` goes with the metric share, not with {number.metric}")


def _check_claim(paper: Paper, claim: Claim, where: str) -> None:
    if claim.holds:
        _check_statement(paper, claim, where)
        return
    if claim.loose or claim.note:
        raise _Invalid(f"{where}: `loose` and `note` go with `holds`")
    if not (claim.better and claim.worse):
        raise _Invalid(f"{where}: needs `better` and `worse`, or `holds`")
    for variant in (claim.better, claim.worse):
        if variant not in paper.variants:
            raise _Invalid(f"{where}: variant {variant!r} stands in no table")
    if claim.metric not in METRICS:
        raise _Invalid(f"{where}: `metric` is not one of {', '.join(METRICS)}")
    _check_classes(paper, claim, where)


def _check_statement(paper: Paper, claim: Claim, where: str) -> None:
    for name in ("better", "worse", *(entry.name for entry in fields(Part))):
        if name != "recordings" and getattr(claim, name) not in ("", None):
            raise _Invalid(f"{where}: `{name}` does not go with `holds`")
    try:
        arithmetic.statement(claim.holds, numbers(paper), {"frames": 1})
        counted = arithmetic.mentions(claim.holds, "frames")
    except arithmetic.Refused as error:
        raise _Invalid(f"{where}: `holds`: {error}") from error
    if bool(claim.recordings) != counted:
        raise _Invalid(f"{where}: `recordings` and `frames` go together")


def _check_audit(paper: Paper, entry: Audit, where: str) -> None:
    if bool(entry.matrix) == bool(entry.shares):
        raise _Invalid(f"{where}: needs `matrix` or `shares`, and only one of them")
    if entry.matrix and entry.matrix not in [table.id for table in paper.tables if table.confusion and table.printed]:
        raise _Invalid(f"{where}: `matrix` is {entry.matrix!r}, which is no printed confusion matrix of the paper")
    if entry.shares and entry.quoted:
        raise _Invalid(f"{where}: `quoted` goes with `matrix`")
    if entry.total < 0 or (entry.shares and not entry.total):
        raise _Invalid(f"{where}: `total` is missing or less than 1")
    for name in ("quoted", "shares"):
        try:
            found = arithmetic.values(getattr(entry, name), numbers(paper)) if getattr(entry, name) else []
        except arithmetic.Refused as error:
            raise _Invalid(f"{where}: `{name}`: {error}") from error
        if name == "quoted" and len(found) > 1:
            raise _Invalid(f"{where}: `quoted` is several numbers")


def _check_setting(setting: Setting) -> None:
    where = f"settings.{setting.name}"
    if setting.source not in SOURCES:
        raise _Invalid(f"{where}: `source` is {setting.source!r}, not one of {', '.join(SOURCES)}")
    for key in ("value", "quick"):
        value = getattr(setting, key)
        if setting.choices and value is not None and value not in setting.choices:
            raise _Invalid(f"{where}: `{key}` is not among its `choices`")
    if setting.quick is not None and not _alike(setting.value, setting.quick):
        raise _Invalid(f"{where}: `quick` is of another type than `value`")


def _check_ledger(paper: Paper) -> None:
    if [entry.number for entry in paper.ledger] != list(range(1, len(paper.ledger) + 1)):
        raise _Invalid("ledger: `number` must run 1, 2, 3, ...")
    for setting in paper.settings.values():
        for numbers in re.findall(r"\bledger (\d+(?:, \d+)*)", setting.where):
            missing = [n for n in map(int, numbers.split(", ")) if n > len(paper.ledger)]
            if paper.ledger and missing:
                raise _Invalid(f"settings.{setting.name}: `where` names ledger {missing[0]}, which does not exist")
    for entry in paper.ledger:
        try:
            words = shlex.split(entry.switch)
            settings(paper, "paper", [value for flag, value in zip(words, words[1:]) if flag == "--set"])
        except (InputError, ValueError) as error:
            raise _Invalid(f"ledger {entry.number}: `switch` would be refused ({error})") from error


# --- values of settings ----------------------------------------------------------------------------------


def _toml_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if table.keys() == {"value"} else text


def _accepted(setting: Setting, value: Any, given: str) -> Any:
    if setting.choices:
        if value in setting.choices and _alike(setting.value, value):
            return value
        accepted = "one of " + ", ".join(map(str, setting.choices))
    elif _alike(setting.value, value):
        return float(value) if isinstance(setting.value, float) else value
    else:
        accepted = f"{_kind(setting.value)} such as {_as_toml(setting.value)}"
    raise InputError(f"setting {setting.name}: {given!r} is not accepted; give {accepted}")


def _alike(pattern: Any, value: Any) -> bool:
    """Whether `value` is of the type of `pattern`; whole numbers pass as decimals, lists by their items."""
    if isinstance(pattern, list):
        return isinstance(value, list) and bool(value) and all(_alike(pattern[0], item) for item in value)
    if isinstance(pattern, float):
        return _is_number(value)
    return type(value) is type(pattern)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list, each item {_kind(value[0])}"
    return {bool: "true or false,", int: "a whole number", float: "a number", str: "text"}[type(value)]


def _as_toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(path: Path) -> str:
    return "/".join(path.parts[-3:])
