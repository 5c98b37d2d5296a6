"""Claimed directions ("attention helps"): what our scores of both networks say about each, on one corpus.

A difference counts from a margin on that is declared beforehand (`find_margin`). With the paired 95 % interval of ours:

    holds                          it is as large as the margin, and the interval lies above 0
    does not hold                  the same the other way round
    no difference of that size     the interval lies inside the margin
    undecided                      all else, or what the note says
    not testable                   in simulation: neither network has learnt, too few seeds or people, other recordings
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.evidence.cells import list_departures, list_gaps
from common.evidence.paper import Claim, Paper, Part, find_gain, find_margin, resolve_number
from common.evidence.runs import CONTROL, File, Runs, check_files, find_place, select_runs
from common.evidence.scores import (
    UNSOUND,
    estimate_interval,
    find_score,
    is_sound,
    read_paired_predictions,
    resample_score,
)
from common.evidence.skill import PEOPLE, count_people, judge_number, widen

SEEDS = 3  # of both networks at least, in simulation
POWER = (1.96 + 0.84) / 1.96  # half an interval times this is a difference that four of five such runs would resolve
UNDECIDED = "undecided"


@dataclass(frozen=True)
class Direction:
    """What our scores say about a claim, on one corpus. `advantage` is positive when the claim's winner wins."""

    claim: Claim
    corpus: str
    profile: str
    evidence: str
    seeds: int
    published: float | None  # advantage by the printed numbers
    margin: float  # a smaller difference counts as none
    advantage: float | None
    ci_low: float | None
    ci_high: float | None
    result: str
    note: str = ""  # why it is undecided or not testable, or what would decide it


def judge_claims(paper: Paper, files: Iterable[File]) -> list[Direction]:
    """For each claimed direction: does it hold in the runs that fill the cells, and in the uniform control where run?

    On a real corpus it needs all that a match needs beside the difference; else it stays "undecided".
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
    number, published, margin = resolve_number(paper, claim), find_gain(paper, claim), find_margin(paper, claim)
    pair = _select_both(paper, claim, files, corpus, number)
    if pair is None:
        apart = all(select_runs(paper, files, variant, corpus, number) for variant in (claim.better, claim.worse))
        note = "not run on the same recordings in the same way" if apart else ""
        return Direction(claim, "", "", "none", 0, published, margin, None, None, None, "not run", note)
    advantage, low, high = compare(paper, pair, number, -1 if claim.metric == "RMSE" else 1)
    sound = [is_sound(paper, runs, number) for runs in pair]
    simulated, seeds = pair[0].evidence == "simulated", min(len(runs.files) for runs in pair)
    result, notes = decide(advantage, low, high, margin), []
    if simulated:
        notes = list_obstacles(paper, files, pair, number, sound, paired=low is not None)
        result = "not testable" if notes else f"{result} in simulation"
    else:
        for runs, ok in zip(pair, sound):
            notes += list_departures(paper, runs, number) + list_gaps(paper, runs, number, ok)
        result = UNDECIDED if notes else result
        if low is None and not notes:
            notes = ["no paired interval: predictions are not stored, or not of the same recordings"]
    if result.startswith(UNDECIDED) and low is not None and not notes:
        notes = [describe_resolution(low, high, published, count_people(paper, pair[0], number), seeds)]
    return Direction(
        claim, pair[0].corpus, pair[0].profile, pair[0].evidence, seeds, published, margin, advantage, low, high, result,
        "; ".join(dict.fromkeys(notes)),
    )  # fmt: skip


def compare(
    paper: Paper, pair: Sequence[Runs], number: Part, sign: int
) -> tuple[float | None, float | None, float | None]:
    """By how much the first of both is better, and the paired 95 % interval; None where they are not paired."""
    scores = [find_score(paper, runs, number) for runs in pair]
    if None in scores:
        return None, None, None
    advantage = sign * (scores[0] - scores[1])
    draws = [resample_score(paper, runs, number) for runs in pair]
    first, second = ([*(read_paired_predictions(paper, runs, number) or [{}])[0]] for runs in pair)
    if any(d is None for d in draws) or first != second or pair[0].first.get("chats") != pair[1].first.get("chats"):
        return advantage, None, None
    people = count_people(paper, pair[0], number)
    return advantage, *estimate_interval(sign * widen(draws[0] - draws[1], people))


def decide(advantage: float | None, low: float | None, high: float | None, margin: float) -> str:
    """What a difference and its interval say of a claim that is about differences from `margin` on."""
    if low is None:
        return UNDECIDED
    if -margin < low and high < margin:
        return "no difference of that size"
    if low > 0 and advantage >= margin:
        return "holds"
    if high < 0 and advantage <= -margin:
        return "does not hold"
    return UNDECIDED


def list_obstacles(
    paper: Paper, files: list[File], pair: Sequence[Runs], number: Part, sound: Sequence[bool], paired: bool
) -> list[str]:
    """Why a claim cannot be tested on a simulated corpus; nothing where it can."""
    found = [] if all(sound) else [UNSOUND]
    if (seeds := min(len(runs.files) for runs in pair)) < SEEDS:
        found.append(f"{seeds} of {SEEDS} seeds")
    if (people := count_people(paper, pair[0], number)) < PEOPLE:
        found.append(f"{people} of {PEOPLE} people")
    skills = [judge_number(paper, files, runs, number) for runs in pair]
    if people >= PEOPLE and not any(of_one and all(skill.learnt for skill in of_one) for of_one in skills):
        found.append("neither network has learnt")
    if not paired and not found:
        found.append("no paired interval: predictions are not stored, or not of the same recordings")
    return found


def describe_resolution(low: float, high: float, published: float | None, people: int, seeds: int) -> str:
    """The smallest difference that so many people and seeds resolve, and how many would resolve the printed one.

    The variance of a mean falls with the number of what is averaged, so that both are to grow alike.
    """
    smallest = POWER * (high - low) / 2
    words = f"{people} people and {seeds} seeds resolve {smallest:.3g}"
    if not published or smallest <= abs(published):
        return words
    more = (smallest / published) ** 2
    return f"{words}; {published:.3g}, as printed, wants about {math.ceil(more * people)} and {math.ceil(more * seeds)}"


def _select_both(paper: Paper, claim: Claim, files: list[File], corpus: str, number: Part) -> tuple[Runs, Runs] | None:
    """The runs of both networks in the best place that has both; None without one, or under other settings."""
    pair = (claim.better, claim.worse)
    places = [{find_place(record) for _, record in files if record["variant"] == variant} for variant in pair]
    shared = [file for file in files if find_place(file[1]) in places[0] & places[1]]
    runs = tuple(select_runs(paper, shared, variant, corpus, number) for variant in pair)
    if None in runs or find_place(runs[0].first) != find_place(runs[1].first):
        return None
    first, second = (r.first["settings"] for r in runs)
    apart = runs[0].first["corpus_digest"] != runs[1].first["corpus_digest"] and runs[0].evidence == "simulated"
    return None if apart or any(first[k] != second[k] for k in first.keys() & second.keys()) else runs
