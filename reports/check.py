"""Locked references: have the numbers of the simulated quick run moved, or the answers of the study turned?

`reference/<paper>.json` holds, for every result file of the quick run, its settings digest and all its numbers, and for
each kind of number a tolerance with its reason, or the reason why it is not locked ("locked": false): such a number may
be any, but must be there. It holds, too, which networks have learnt in the study that comes with the suite, and what
became of each claim there. Tolerances are written by hand before a reference is accepted; accepting rewrites the
numbers and answers, and leaves the tolerances alone.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from common import storage
from common.errors import InputError
from common.evidence.cells import Cell
from common.evidence.paper import Paper
from common.evidence.runs import File, check_files
from common.evidence.scores import UNSOUND

REFERENCE = Path(__file__).parent / "reference"
ACCEPT = "If this change is meant: python -m reports.build --accept, and say in the commit why the numbers moved."


def gather_numbers(
    files: Sequence[File], profile: str = "quick", seeds: Sequence[int] | None = (0,)
) -> dict[str, dict]:
    """What a reference locks: place of the result file -> its settings digest and its numbers by name.

    Of a run without arguments; or of another profile, or of all seeds.
    """
    locked = {}
    for path, record in check_files(files):
        asked = record["profile"] == profile and (seeds is None or record["seed"] in seeds)
        if record["evidence"] == "simulated" and asked:
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


@dataclass(frozen=True)
class Comparison:
    """What became of a reference's numbers: what is wrong, one line each, how many were compared and have not moved."""

    findings: list[str]
    compared: int = 0
    within: int = 0

    @property
    def summary(self) -> str:
        return f"quick run, {self.within} of {self.compared} locked numbers within tolerance"


def check(evaluation, folder: Path | None = None) -> tuple[list[str], int]:
    """Compare the quick run among the results with the locked reference.

    Returns:
        What is wrong, one line each, none if all is well; and how many numbers were compared.

    Raises:
        InputError: a reference that cannot be read, or that gives no tolerance for a number.
    """
    paper = evaluation.paper
    reference = _read((folder or REFERENCE) / f"{paper.id}.json")
    if reference is None or not reference["results"]:
        return [f"{paper.id}: there is no reference to compare with"], 0
    if not gather_numbers(evaluation.files):
        command = f"python -m replications.{paper.id}.run"
        return [f"{paper.id}: no number was compared, there is no simulated quick run; {command} makes it"], 0
    compared = compare_numbers(paper, evaluation.files, folder)
    findings = compared.findings + list_unsound(paper, evaluation.cells)
    filled = count_filled_cells(evaluation.cells)
    if filled < reference["cells"]:
        findings.append(f"{paper.id}: {filled} printed numbers have a result, {reference['cells']} had one before")
    if not compared.compared:
        findings.append(f"{paper.id}: no number was compared")
    return findings, compared.compared


def compare_numbers(paper: Paper, files: Sequence[File], folder: Path | None = None) -> Comparison:
    """The numbers of the quick run among `files` beside those of the reference. Raises InputError, see `check`."""
    reference = _read((folder or REFERENCE) / f"{paper.id}.json") or {"results": {}, "tolerances": {}}
    now = gather_numbers(files)
    return compare_places(paper, reference["results"], now, reference["tolerances"])


def compare_places(paper: Paper, before: dict, now: dict, tolerances: dict) -> Comparison:
    """Result files, by their place, as `gather_numbers` has them. Raises InputError for a number without tolerance."""
    findings, count, within = [], 0, 0
    for place, old in before.items():
        if place not in now:
            findings.append(f"{paper.id}/{place}: result missing")
            rules = [(_find_rule(place, name, tolerances), value) for name, value in old["numbers"].items()]
            count += sum(_is_locked(rule) and _is_finite(value) for rule, value in rules)
            continue
        new = now[place]
        same = new["settings_digest"] == old["settings_digest"]
        if not same:
            digests = f"{old['settings_digest']} -> {new['settings_digest']}"
            findings.append(f"{paper.id}/{place}: run under other settings ({digests})")
        for name in old["numbers"] | new["numbers"]:
            if name not in old["numbers"]:
                findings.append(f"{paper.id}/{place} {name}: {new['numbers'][name]} is not in the reference yet")
                continue
            rule = _find_rule(place, name, tolerances)
            tolerance = rule["value"] if _is_locked(rule) else math.inf  # it has to be there, whatever it is
            finding = _compare(name, old["numbers"], new["numbers"], tolerance)
            findings += [f"{paper.id}/{place} {finding}"] if finding else []
            locked = _is_locked(rule) and _is_finite(old["numbers"][name])
            count, within = count + locked, within + (locked and same and not finding)
    findings += [f"{paper.id}/{place}: not in the reference yet" for place in now if place not in before]
    return Comparison(findings, count, within)


def list_unsound(paper: Paper, cells: Sequence[Cell]) -> list[str]:
    """A line for each number that is not that of the predictions stored beside it."""
    remedy = "delete its result and run it again"
    places = [f"{paper.id}, {c.exhibit}, {c.row}, {c.column}" for c in cells if UNSOUND in c.note]
    return [f"{place}: {UNSOUND}; {remedy}" for place in places]


def check_study(here, study, folder: Path | None = None) -> tuple[list[str], int]:
    """Compute the answers of the study that comes with the suite again; compare what was run again of it, `here`.

    Scores must follow from the predictions, no network that has learnt may do so no more, no claim's answer may turn.
    Returns and raises as `check`.
    """
    paper = study.paper
    reference = _read((folder or REFERENCE) / f"{paper.id}.json") or {"answers": {}, "tolerances": {}}
    before, now = reference.get("answers", {}), gather_answers(study)
    findings = list_unsound(paper, study.cells)
    filled, had = count_filled_cells(study.cells), reference.get("study_cells", 0)
    if filled < had:
        findings.append(f"{paper.id}, study: {filled} printed numbers have a result, {had} had one before")
    for name in before | now:
        if before.get(name) != now.get(name):
            was, becomes = (answers.get(name, "not there") for answers in (before, now))
            findings.append(f"{paper.id}, study, {name}: was {was}, is {becomes}")
    theirs = gather_numbers(study.files, "study", seeds=None)
    again = {
        place: found for place, found in gather_numbers(here.files, "study", seeds=None).items() if place in theirs
    }
    compared = compare_places(paper, {place: theirs[place] for place in again}, again, reference["tolerances"])
    return findings + compared.findings, len(before | now) + compared.compared


def gather_answers(study) -> dict[str, str]:
    """What the study says: of each network whether it has learnt, of each claim what became of it; by name."""
    found = {
        f"{s.variant}, {s.corpus}, {s.number.target}, {s.number.metric} of {s.number.recordings}": s.answer
        for s in study.skills
    }
    directions = [entry for entry in study.checked if entry.claim.better and entry.evidence != "none"]
    return found | {f"{entry.claim.text} ({entry.corpus})": entry.result for entry in directions}


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


def accept(here, study, folder: Path | None = None) -> int:
    """Make the present numbers and answers the reference, keeping its tolerances; returns how many it now locks.

    Raises:
        InputError: no file with tolerances to keep, no tolerance for a number, or no results to lock.
    """
    paper = here.paper
    path = (folder or REFERENCE) / f"{paper.id}.json"
    reference = _read(path)
    if reference is None:
        raise InputError(f"{path}: missing; write its tolerances first, then accept the numbers")
    now, answers = gather_numbers(here.files), gather_answers(study)
    rules = [
        (_find_rule(place, name, reference["tolerances"]), value)
        for place, result in now.items()
        for name, value in result["numbers"].items()
    ]
    if not now:
        raise InputError(f"{paper.id}: no simulated quick results to accept; run the replication first")
    cells = {"cells": count_filled_cells(here.cells), "study_cells": count_filled_cells(study.cells)}
    storage.write_json(path, {**reference, **cells, "answers": answers, "results": now})
    return sum(_is_locked(rule) and _is_finite(value) for rule, value in rules) + len(answers)


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
