"""Locked references: have the numbers of the simulated quick run moved?

`reference/<paper>.json` holds, for every result file of that run, its settings digest and all its numbers, and for
each kind of number a tolerance with its reason, or the reason why it is not locked ("locked": false): such a number may
be any, but must be there. Tolerances are written by hand before a reference is accepted; accepting rewrites the numbers
and leaves the tolerances alone.
"""

import json
import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from common import storage
from common.errors import InputError
from common.evidence.cells import Cell
from common.evidence.paper import Paper
from common.evidence.runs import File, check_files
from common.evidence.scores import UNSOUND

REFERENCE = Path(__file__).parent / "reference"
SEED = 0  # the seed of a run without arguments
ACCEPT = "If this change is meant: python -m reports.build --accept, and say in the commit why the numbers moved."


def gather_numbers(files: Sequence[File]) -> dict[str, dict]:
    """What a reference locks: place of the result file -> its settings digest and its numbers by name."""
    locked = {}
    for path, record in check_files(files):
        if record["evidence"] == "simulated" and record["profile"] == "quick" and record["seed"] == SEED:
            place = "/".join(path.with_suffix("").parts[-5:])
            locked[place] = {"settings_digest": record["settings_digest"], "numbers": dict(_list_numbers(record))}
    return dict(sorted(locked.items()))


def _list_numbers(record: dict) -> Iterator[tuple[str, float | None]]:
    yield "parameters", record.get("parameters")
    for name, trained in (("", record), ("cnn/", record.get("cnn") or {})):
        if loss := trained.get("history", {}).get("loss"):  # of few steps: data, network and optimiser, not rounding
            yield f"{name}history/loss/first", loss[0]
    for fitted, poolings in sorted(record["scores"].items()):
        for pooling, scores in sorted(poolings.items()):
            for metric, value in sorted(scores.items()):
                yield f"{fitted}/{pooling}/{metric}", value
    for measure, values in sorted((record.get("mechanism") or {}).items()):
        for name, value in sorted(values.items()):
            pair = name == "interval" or isinstance(value, list)
            ends = zip(("low", "high"), value or (None, None)) if pair else [("", value)]
            yield from ((f"{measure}/{name}{'_' if end else ''}{end}", number) for end, number in ends)


def check(paper: Paper, files: Sequence[File], cells: list[Cell], folder: Path | None = None) -> tuple[list[str], int]:
    """Compare the results with the locked reference.

    Returns:
        What is wrong, one line each, none if all is well; and how many numbers were compared.

    Raises:
        InputError: a reference that cannot be read, or that gives no tolerance for a number.
    """
    reference = _read((folder or REFERENCE) / f"{paper.id}.json")
    if reference is None or not reference["results"]:
        return [f"{paper.id}: there is no reference to compare with"], 0
    now, findings, count = gather_numbers(files), [], 0
    if not now:
        command = f"python -m replications.{paper.id}.run"
        return [f"{paper.id}: no number was compared, there is no simulated quick run; {command} makes it"], 0
    for place, old in reference["results"].items():
        if place not in now:
            findings.append(f"{paper.id}/{place}: result missing")
            continue
        new = now[place]
        if new["settings_digest"] != old["settings_digest"]:
            digests = f"{old['settings_digest']} -> {new['settings_digest']}"
            findings.append(f"{paper.id}/{place}: run under other settings ({digests})")
        for name in old["numbers"] | new["numbers"]:
            if name not in old["numbers"]:
                findings.append(f"{paper.id}/{place} {name}: {new['numbers'][name]} is not in the reference yet")
                continue
            rule = _find_rule(place, name, reference["tolerances"])
            tolerance = rule["value"] if _is_locked(rule) else math.inf  # it has to be there, whatever it is
            finding = _compare(name, old["numbers"], new["numbers"], tolerance)
            findings += [f"{paper.id}/{place} {finding}"] if finding else []
            count += _is_locked(rule) and _is_finite(old["numbers"].get(name))
    findings += [f"{paper.id}/{place}: not in the reference yet" for place in now if place not in reference["results"]]
    findings += [
        f"{paper.id}, {c.exhibit}, {c.row}, {c.column}: {UNSOUND}; delete its result and run it again"
        for c in cells
        if UNSOUND in c.note
    ]
    filled = count_filled_cells(cells)
    if filled < reference["cells"]:
        findings.append(f"{paper.id}: {filled} printed numbers have a result, {reference['cells']} had one before")
    if not count:
        findings.append(f"{paper.id}: no number was compared")
    return findings, count


def count_filled_cells(cells: list[Cell]) -> int:
    return sum(cell.evidence != "none" for cell in cells if cell.published)  # an undefined score is a result too


def _is_locked(rule: dict) -> bool:
    return rule.get("locked", True)


def _compare(name: str, old: dict, new: dict, tolerance: float) -> str:
    """What is wrong with one number, or ""."""
    if name not in new:
        return f"{name}: was {old[name]}, is gone"
    before, now = old[name], new[name]
    if not _is_finite(before) or not _is_finite(now):
        return f"{name}: was {before}, is {now}" if _is_finite(before) or _is_finite(now) else ""
    difference = now - before
    if abs(difference) <= tolerance:
        return ""
    return f"{name}: was {before:.6g}, is {now:.6g}, difference {difference:+.6g}, tolerance {tolerance:g}"


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _find_rule(place: str, name: str, tolerances: dict) -> dict:
    """The first tolerance whose pattern fits the number: a quantity such as CCC, or a pattern of place and name."""
    quantity = name.rpartition("/")[2]
    for pattern, rule in tolerances.items():
        if pattern == quantity or fnmatch(f"{place}/{name}", pattern):
            return rule
    raise InputError(f"reports/reference: no tolerance for {quantity}; add one with its reason")


def accept(paper: Paper, files: Sequence[File], cells: list[Cell], folder: Path | None = None) -> int:
    """Make the present results the reference, keeping its tolerances; returns how many numbers it now locks.

    Raises:
        InputError: no file with tolerances to keep, no tolerance for a number, or no results to lock.
    """
    path = (folder or REFERENCE) / f"{paper.id}.json"
    reference = _read(path)
    if reference is None:
        raise InputError(f"{path}: missing; write its tolerances first, then accept the numbers")
    now = gather_numbers(files)
    rules = [
        (_find_rule(place, name, reference["tolerances"]), value)
        for place, result in now.items()
        for name, value in result["numbers"].items()
    ]
    if not now:
        raise InputError(
            f"{paper.id}: no simulated quick results with seed {SEED} to accept; run the replication first"
        )
    storage.write_json(path, {**reference, "cells": count_filled_cells(cells), "results": now})
    return sum(_is_locked(rule) and _is_finite(value) for rule, value in rules)


def _read(path: Path) -> dict | None:
    if not path.exists():
        return None
    try:
        reference = json.loads(path.read_text(encoding="utf-8"))
        for tolerance in reference["tolerances"].values():
            if not 0 <= tolerance["value"] < math.inf or not tolerance["why"]:
                raise ValueError("a tolerance needs a value and a reason")
        return {"cells": reference["cells"], "results": reference["results"], **reference}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a usable reference ({error})") from error
