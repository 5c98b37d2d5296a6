"""What a `paper.toml` must fulfil beyond the types of its entries: names that exist, words that are known, margins."""

import math
import re
import shlex
from dataclasses import fields

from common.errors import InputError
from common.evidence import arithmetic
from common.evidence.paper import (
    METRICS,
    PERCENT,
    SOURCES,
    Audit,
    Claim,
    Figure,
    Paper,
    Part,
    Row,
    Setting,
    Table,
    collect_numbers,
    find_gain,
    resolve_number,
)
from common.evidence.settings import is_alike, resolve_settings


class Invalid(Exception):
    """What is wrong with a document; `load_paper` puts the file's name in front."""


def check_paper(paper: Paper) -> None:
    """Raises Invalid for the first thing that is wrong, with its place in the document."""
    _check_protocol(paper)
    for table in paper.tables:
        if len({row.label for row in table.rows}) < len(table.rows):
            raise Invalid(f"{table.id}: two rows have the same `label`")
        for row in table.rows:
            _check_row(paper, table, row)
    for figure in paper.figures:
        _check_figure(paper, figure)
    for number, part in enumerate(paper.skill, 1):
        _check_skill(paper, part, f"skill {number}")
    if unknown := paper.ceilings.keys() - set(paper.variants):
        raise Invalid(f"ceilings: variant {min(unknown)!r} stands in no table")
    for number, claim in enumerate(paper.claims, 1):
        _check_claim(paper, claim, f"claims {number}")
    for number, entry in enumerate(paper.audit, 1):
        _check_audit(paper, entry, f"audit {number}")
    for setting in paper.settings.values():
        _check_setting(setting)
    for erratum in paper.errata:
        cells = [(t.id, r.label, c) for t in paper.tables for r in t.rows for c in r.published]
        if (erratum.table, erratum.row, erratum.column) not in cells or erratum.variant not in paper.variants:
            raise Invalid(f"errata: no such number or variant: {erratum.row}, {erratum.column}, {erratum.variant}")
    places = [(row, column) for table in paper.tables for row in table.rows for column in table.columns]
    asked = {(number.corpus, number.recordings) for number in (resolve_number(paper, *place) for place in places)}
    for corpus, patterns in paper.recordings.items():
        for pattern in patterns:
            if (corpus, pattern) not in asked:
                raise Invalid(f"recordings: no number of the paper is about {pattern!r} of {corpus!r}")
    _check_ledger(paper)


def _check_protocol(paper: Paper) -> None:
    accepted = {"postprocess": ("none", "devel", "train"), "pooling": ("per_recording", "concatenated")}
    for name, words in accepted.items():
        if getattr(paper.protocol, name) not in words:
            raise Invalid(f"protocol: `{name}` is not one of {', '.join(words)}")
    if min(paper.protocol.seeds, paper.protocol.study_seeds) < 1:
        raise Invalid("protocol: `seeds` and `study_seeds` must be 1 or more")
    if len(set(paper.protocol.classes)) < len(paper.protocol.classes):
        raise Invalid("protocol: `classes` names one twice")
    if paper.protocol.classes and (paper.protocol.postprocess, paper.protocol.pooling) != ("none", "concatenated"):
        raise Invalid('protocol: `classes` need `postprocess` "none" and `pooling` "concatenated"')
    for metric, margin in paper.tolerance.items():
        if metric not in METRICS or not 0 <= margin < math.inf:
            raise Invalid(f"tolerance: `{metric}` is no metric of {', '.join(METRICS)} or its margin is no margin")


def _check_row(paper: Paper, table: Table, row: Row) -> None:
    where = f"{table.id}, row {row.label!r}"
    labels = [column.label for column in table.columns]
    if len(set(labels)) < len(labels):
        raise Invalid(f"{table.id}: two columns have the same `label`")
    if row.published and not table.printed:
        raise Invalid(f"{where}: a table of ours has no `published` numbers")
    for column, text in row.published.items():
        if column not in labels:
            raise Invalid(f"{where}: `{column}` is no column of the table")
        if not re.fullmatch(r"-?\d+(\.\d+)?", text):
            raise Invalid(f"{where}: `{column}` = {text!r} is not a number as printed")
    for column in table.columns:
        number = resolve_number(paper, row, column)
        if column.label not in row.published and table.printed:
            continue
        if not (number.variant or number.quoted):
            raise Invalid(f"{where}: needs `variant` or `quoted`")
        if number.metric not in METRICS:
            raise Invalid(f"{where}, column {column.label!r}: `metric` is not one of {', '.join(METRICS)}")
        _check_classes(paper, number, f"{where}, column {column.label!r}")
        if number.variant and table.printed and number.tolerance is None:
            raise Invalid(f"tolerance: `{number.metric}` is missing, {table.id} prints it")


def _check_classes(paper: Paper, number: Part, where: str) -> None:
    classes = paper.protocol.classes
    if number.metric in PERCENT and not classes:
        raise Invalid(f"protocol: `classes` is missing, {where} is about them")
    for name in ("truth", "predicted"):
        named = getattr(number, name)
        if number.metric == "share" and named not in classes:
            raise Invalid(f"{where}: `{name}` is {named!r}, not one of {', '.join(classes)}")
        if number.metric != "share" and named:
            raise Invalid(f"{where}: `{name}` goes with the metric share, not with {number.metric}")


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
        raise Invalid(f"{figure.id}: `kind` is {figure.kind!r}, not one of {', '.join(_FIGURES)}")
    for name in _FIGURES[figure.kind]:
        if not getattr(figure, name):
            raise Invalid(f"{figure.id}: `{name}` is missing, the kind {figure.kind} needs it")
    if figure.table and figure.table not in [table.id for table in paper.tables if table.confusion]:
        raise Invalid(f"{figure.id}: `table` is {figure.table!r}, which is no confusion matrix of the paper")


_FLOORS = ("CC", "CCC", "accuracy", "UAR")  # metrics of which it is known what one scores who knows nothing


def _check_skill(paper: Paper, part: Part, where: str) -> None:
    if part.metric not in _FLOORS:
        raise Invalid(f"{where}: `metric` is not one of {', '.join(_FLOORS)}")
    if part.variant or part.quoted:
        raise Invalid(f"{where}: every variant is judged by it; leave out `variant` and `quoted`")
    _check_classes(paper, part, where)


def _check_claim(paper: Paper, claim: Claim, where: str) -> None:
    if claim.holds:
        if claim.margin is not None:
            raise Invalid(f"{where}: `margin` goes with `better` and `worse`")
        _check_statement(paper, claim, where)
        return
    if claim.loose or claim.note:
        raise Invalid(f"{where}: `loose` and `note` go with `holds`")
    if not (claim.better and claim.worse):
        raise Invalid(f"{where}: needs `better` and `worse`, or `holds`")
    for variant in (claim.better, claim.worse):
        if variant not in paper.variants:
            raise Invalid(f"{where}: variant {variant!r} stands in no table")
    if claim.metric not in METRICS:
        raise Invalid(f"{where}: `metric` is not one of {', '.join(METRICS)}")
    if claim.margin is not None and not 0 < claim.margin < math.inf:
        raise Invalid(f"{where}: `margin` is not above 0")
    if not (claim.margin or find_gain(paper, claim) or paper.tolerance.get(claim.metric)):
        raise Invalid(f"{where}: `margin` is missing: no gain is printed, and {claim.metric} has no tolerance")
    _check_classes(paper, claim, where)


def _check_statement(paper: Paper, claim: Claim, where: str) -> None:
    for name in ("better", "worse", *(entry.name for entry in fields(Part))):
        if name != "recordings" and getattr(claim, name) not in ("", None):
            raise Invalid(f"{where}: `{name}` does not go with `holds`")
    try:
        arithmetic.evaluate_statement(claim.holds, collect_numbers(paper), {"frames": 1})
        counted = arithmetic.mentions_name(claim.holds, "frames")
    except arithmetic.Refused as error:
        raise Invalid(f"{where}: `holds`: {error}") from error
    if bool(claim.recordings) != counted:
        raise Invalid(f"{where}: `recordings` and `frames` go together")


def _check_audit(paper: Paper, entry: Audit, where: str) -> None:
    if bool(entry.matrix) == bool(entry.shares):
        raise Invalid(f"{where}: needs `matrix` or `shares`, and only one of them")
    if entry.matrix and entry.matrix not in [table.id for table in paper.tables if table.confusion and table.printed]:
        raise Invalid(f"{where}: `matrix` is {entry.matrix!r}, which is no printed confusion matrix of the paper")
    if entry.shares and entry.quoted:
        raise Invalid(f"{where}: `quoted` goes with `matrix`")
    if entry.total < 0 or (entry.shares and not entry.total):
        raise Invalid(f"{where}: `total` is missing or less than 1")
    for name in ("quoted", "shares"):
        try:
            found = (
                arithmetic.evaluate_values(getattr(entry, name), collect_numbers(paper)) if getattr(entry, name) else []
            )
        except arithmetic.Refused as error:
            raise Invalid(f"{where}: `{name}`: {error}") from error
        if name == "quoted" and len(found) > 1:
            raise Invalid(f"{where}: `quoted` is several numbers")


def _check_setting(setting: Setting) -> None:
    where = f"settings.{setting.name}"
    if setting.source not in SOURCES:
        raise Invalid(f"{where}: `source` is {setting.source!r}, not one of {', '.join(SOURCES)}")
    for key in ("value", "study", "quick"):
        value = getattr(setting, key)
        if setting.choices and value is not None and value not in setting.choices:
            raise Invalid(f"{where}: `{key}` is not among its `choices`")
        if value is not None and not is_alike(setting.value, value):
            raise Invalid(f"{where}: `{key}` is of another type than `value`")


def _check_ledger(paper: Paper) -> None:
    if [entry.number for entry in paper.ledger] != list(range(1, len(paper.ledger) + 1)):
        raise Invalid("ledger: `number` must run 1, 2, 3, ...")
    for setting in paper.settings.values():
        for numbers in re.findall(r"\bledger (\d+(?:, \d+)*)", setting.where):
            missing = [n for n in map(int, numbers.split(", ")) if n > len(paper.ledger)]
            if paper.ledger and missing:
                raise Invalid(f"settings.{setting.name}: `where` names ledger {missing[0]}, which does not exist")
    for entry in paper.ledger:
        try:
            words = shlex.split(entry.switch)
            resolve_settings(paper, "paper", [value for flag, value in zip(words, words[1:]) if flag == "--set"])
        except (InputError, ValueError) as error:
            raise Invalid(f"ledger {entry.number}: `switch` would be refused ({error})") from error
