"""Claimed directions ("attention helps"): what our scores of both networks say about each, on one corpus."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.evidence.cells import list_departures, list_gaps
from common.evidence.paper import Claim, Paper, Part, count_decimals, resolve_number
from common.evidence.runs import CONTROL, File, Runs, check_files, find_place, select_runs
from common.evidence.scores import (
    UNSOUND,
    estimate_interval,
    find_score,
    is_sound,
    read_paired_predictions,
    resample_score,
)


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


def judge_claims(paper: Paper, files: Iterable[File]) -> list[Direction]:
    """For each claimed direction: does it hold in the runs that fill the cells, and in the uniform control where run?

    "holds" and "does not hold" need a paired 95 % interval that excludes 0, and on a real corpus all that a match
    needs beside the difference; else the claim stays "undecided".
    """
    files = check_files(files)
    directions = []
    for claim in paper.claims:
        if claim.holds:  # of printed numbers: no run says anything about it
            continue
        directions.append(_judge_claim(paper, claim, files, ""))
        control = _judge_claim(paper, claim, files, CONTROL)
        directions += [control] if control.evidence != "none" else []
    return directions


def _judge_claim(paper: Paper, claim: Claim, files: list[File], corpus: str) -> Direction:
    sign = -1 if claim.metric == "RMSE" else 1
    number = resolve_number(paper, claim)
    printed = [_find_published(paper, variant, number) for variant in (claim.better, claim.worse)]
    published = None
    if all(printed):
        published = round(sign * (float(printed[0]) - float(printed[1])), max(map(count_decimals, printed)))
    runs = _select_both(paper, claim, files, corpus, number)
    if runs is None:
        apart = all(select_runs(paper, files, variant, corpus, number) for variant in (claim.better, claim.worse))
        note = "not run on the same recordings in the same way" if apart else ""
        return Direction(claim, "", "", "none", 0, published, None, None, None, "not run", note)
    ours = [find_score(paper, r, number) for r in runs]
    draws = [resample_score(paper, r, number) for r in runs]
    advantage = None if None in ours else sign * (ours[0] - ours[1])
    drawn = [(tuple(read_paired_predictions(paper, r, number) or [()])[0], r.first.get("chats")) for r in runs]
    paired = all(d is not None for d in draws) and list(drawn[0][0]) == list(drawn[1][0]) and drawn[0][1] == drawn[1][1]
    low, high = estimate_interval(sign * (draws[0] - draws[1])) if paired and advantage is not None else (None, None)
    result = "undecided" if low is None or low <= 0 <= high else "holds" if low > 0 else "does not hold"
    simulated = runs[0].evidence == "simulated"
    sound = [is_sound(paper, r, number) for r in runs]
    notes = [] if all(sound) else [UNSOUND]
    if not simulated:  # which never is the printed experiment
        notes = []
        for r, ok in zip(runs, sound):
            notes += list_departures(paper, r, number) + list_gaps(paper, r, number, ok)
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


def _select_both(paper: Paper, claim: Claim, files: list[File], corpus: str, number: Part) -> tuple[Runs, Runs] | None:
    """The runs of both networks in the best place that has both; None without one, or under other settings."""
    pair = (claim.better, claim.worse)
    places = [{find_place(record) for _, record in files if record["variant"] == variant} for variant in pair]
    shared = [file for file in files if find_place(file[1]) in places[0] & places[1]]
    runs = tuple(select_runs(paper, shared, variant, corpus, number) for variant in pair)
    if None in runs or find_place(runs[0].first) != find_place(runs[1].first):
        return None
    first, second = (r.first["settings"] for r in runs)
    return None if any(first[k] != second[k] for k in first.keys() & second.keys()) else runs


def _find_published(paper: Paper, variant: str, asked: Part) -> str:
    """The printed number of `variant` for what a claim is about; "" where none is printed."""
    for table in paper.tables:
        for row in table.rows:
            for column in table.columns:
                number = resolve_number(paper, row, column)
                same = all(
                    getattr(number, k) == getattr(asked, k)
                    for k in ("metric", "target", "corpus", "fold", "recordings", "truth", "predicted")
                )
                if number.variant == variant and same and column.label in row.published:
                    return row.published[column.label]
    return ""
