"""Has a network learnt? Its score of people whom it has not seen, between a floor and a ceiling.

The floor is what one scores who knows nothing of a recording: of CC and CCC 0, as the best constant has; of accuracy the
larger of chance and the most frequent class, of UAR chance; or what the network's own predictions score that are dealt
out to other recordings, where that is more. The ceiling is the score of `common.ceiling`'s plain learner, on simulated
corpora; a learner that is better in the score at hand may be above it. A network has learnt when its 95 % interval, over
people and seeds, lies above the floor. Of fewer than four people that cannot be told.

All of them are scored without post-processing: steps that are fitted on the scored recordings make something of
nothing. Of networks that know nothing the AV+EC chain would make three times as many learn, on 14 recordings of 13 labels.
Drawing few people again and again makes intervals that are too narrow; `widen` makes up for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common import metrics
from common.ceiling import name_ceiling
from common.evidence.paper import PERCENT, Paper, Part, resolve_number
from common.evidence.runs import ALL_TARGETS, CONTROL, File, Runs, check_files, find_corpus, find_place, select_runs
from common.evidence.scores import (
    choose_metric,
    estimate_interval,
    find_score,
    is_sound,
    number_units,
    read_paired_predictions,
    remember,
    resample_score,
    split_targets,
)

UNLEARNT = "the network has not learnt"
DEALS = 20  # at most, of the predictions to other recordings
PEOPLE = 4  # of fewer, drawn with replacement, no interval can be told


@dataclass(frozen=True)
class Skill:
    """What a network scores on recordings that it was not trained on. None is a score that is undefined or not known."""

    variant: str
    number: Part  # of what it is judged by: metric, target, fold, recordings
    corpus: str
    profile: str
    evidence: str
    seeds: int
    train: float | None  # on the recordings that it was trained on, where the runs noted it
    ours: float | None
    low: float | None
    high: float | None
    floor: float | None
    ceiling: float | None
    ceiling_low: float | None
    ceiling_high: float | None
    learnt: bool | None  # None where the predictions are not stored, or of too few people

    @property
    def answer(self) -> str:
        """Whether it has learnt, in words."""
        return {True: "learnt", False: "not learnt", None: "cannot be told"}[self.learnt]

    @property
    def share(self) -> float | None:
        """How far it is on the way from the floor to the ceiling: 0 to 1, unless it is below the one or above the other."""
        known = None not in (self.ours, self.floor, self.ceiling) and self.ceiling > self.floor
        return (self.ours - self.floor) / (self.ceiling - self.floor) if known else None


def judge_skills(paper: Paper, files: Iterable[File]) -> list[Skill]:
    """For each score of `paper.skill` every network that was run, and after them those of the uniform control.

    Raises InputError for a result file that is incomplete, in the wrong folder or apart from its arrays.
    """
    files = check_files(files)
    numbers = [resolve_number(paper, part) for part in paper.skill]
    asked = [(number, variant, corpus) for number in numbers for corpus in ("", CONTROL) for variant in paper.variants]
    found = [(number, select_runs(paper, files, variant, corpus, number)) for number, variant, corpus in asked]
    judged = [judge_skill(paper, files, runs, number) for number, runs in found if runs and has_target(runs, number)]
    return [skill for skill in judged if skill.floor is not None]


def has_target(runs: Runs, number: Part) -> bool:
    """Whether the runs scored the target of `number` at all: some networks predict one of several only."""
    target = runs.first["target"]
    return number.target in runs.first["scores"] if target == ALL_TARGETS else number.target == target


def judge_number(paper: Paper, files: Sequence[File], runs: Runs, number: Part) -> list[Skill]:
    """The skill of the network behind `number`, which `runs` are of: for each of its targets, as `paper.skill` has it.

    Where that names a fold, the network is judged there, if it was run: a number may be from a fold whose epochs were
    chosen on the scored recordings.
    """
    beside = [file for file in files if find_place(file[1]) == find_place(runs.first)]
    found = []
    for one in split_targets(number):
        for part in paper.skill:
            asked = resolve_number(paper, part)
            if (asked.corpus, asked.target) != (find_corpus(paper, runs.corpus), one.target):
                continue
            fair = select_runs(paper, beside, runs.variant, runs.corpus, asked) if part.fold else None
            judged = fair or runs
            if has_target(judged, asked):
                found.append(judge_skill(paper, files, judged, replace(asked, fold=judged.first["fold"])))
    return found


def judge_skill(paper: Paper, files: Sequence[File], runs: Runs, number: Part) -> Skill:
    """The skill of the network that `runs` are of, by the score that `number` asks for, without post-processing."""
    paper = replace(paper, protocol=replace(paper.protocol, postprocess="none"))
    ours, sound = find_score(paper, runs, number), is_sound(paper, runs, number)
    enough = sound and ours is not None and count_people(paper, runs, number) >= PEOPLE
    low, high = estimate_wide_interval(paper, runs, number) if enough else (None, None)
    floor = find_floor(paper, runs, number)
    unknown = floor is None or count_people(paper, runs, number) < PEOPLE
    source = (runs.corpus, runs.profile, runs.evidence, len(runs.files))
    return Skill(
        runs.variant, number, *source, average_training(runs, number), ours, low, high, floor,
        *find_ceiling(paper, files, runs, number), None if unknown else low is not None and low > floor,
    )  # fmt: skip


def estimate_wide_interval(paper: Paper, runs: Runs, number: Part) -> tuple[float | None, float | None]:
    """The 95 % interval of a score, `widen`ed; (None, None) without one."""
    draws = resample_score(paper, runs, number)
    if draws is None:
        return None, None
    draws = widen(draws, count_people(paper, runs, number))
    return estimate_interval(np.clip(draws, 0, 100) if number.metric in PERCENT else draws)


def widen(draws: np.ndarray, people: int) -> np.ndarray:
    """Draws (n,) of a score as far apart as those of so few people should be.

    As for the mean of a sample: Student's t in place of the normal distribution, and people - 1 in place of people.
    """
    from scipy.special import ndtri, stdtrit  # scipy.stats has the same, and takes twice the time to load

    factor = stdtrit(people - 1, 0.975) / ndtri(0.975) * np.sqrt(people / (people - 1))
    return np.nanmean(draws) + factor * (draws - np.nanmean(draws))


def count_people(paper: Paper, runs: Runs, number: Part) -> int:
    """How many people, or conversations, or recordings where nobody knows of whom they are, intervals are drawn from."""
    return len(set(number_units(runs, read_paired_predictions(paper, runs, split_targets(number)[0]))))


def average_training(runs: Runs, number: Part) -> float | None:
    """Mean over the seeds of what the network scores on the recordings that it was trained on."""
    noted = [record.get("training_scores", {}).get(number.target, {}).get(number.metric) for _, record in runs.files]
    return None if None in noted else float(np.mean(noted))


def find_ceiling(
    paper: Paper, files: Sequence[File], runs: Runs, number: Part
) -> tuple[float | None, float | None, float | None]:
    """What the plain learner scores that is given what this network sees, and its interval; None without one."""
    if runs.variant not in paper.ceilings:
        return None, None, None
    beside = [file for file in files if find_place(file[1]) == find_place(runs.first)]
    best = select_runs(paper, beside, name_ceiling(paper.ceilings[runs.variant]), runs.corpus, number)
    ours = find_score(paper, best, number) if best and is_sound(paper, best, number) else None
    enough = ours is not None and count_people(paper, best, number) >= PEOPLE
    return ours, *(estimate_wide_interval(paper, best, number) if enough else (None, None))


@remember
def find_floor(paper: Paper, runs: Runs, number: Part) -> float | None:
    """What one scores who knows nothing of a recording; None where no predictions are stored."""
    seeds = read_paired_predictions(paper, runs, number)
    if not seeds or not seeds[0]:
        return None
    score = share_dealt if number.metric in PERCENT else score_dealt
    dealt = [one for seed in seeds for one in score(paper, runs, number, list(seed.values()))]
    dealt = [score for score in dealt if np.isfinite(score)]
    return max(find_constant(paper, number, seeds[0]), float(np.mean(dealt)) if dealt else -np.inf)


def find_constant(paper: Paper, number: Part, seed: dict[str, tuple]) -> float:
    """The score of the best prediction that is the same for all recordings."""
    if number.metric not in PERCENT:
        return 0.0
    chance = 100 / len(paper.protocol.classes)
    labels = np.concatenate([truth for truth, _ in seed.values()])
    return chance if number.metric == "UAR" else max(chance, 100 * float(np.bincount(labels).max()) / len(labels))


def score_dealt(paper: Paper, runs: Runs, number: Part, pairs: Sequence[tuple]) -> list[float]:
    """The scores of predictions that are dealt out to other recordings: to the next, to the one after it, and so on."""
    truths, predictions = zip(*pairs)
    steps = np.unique(np.linspace(1, len(pairs) - 1, min(DEALS, len(pairs) - 1)).astype(int)) if len(pairs) > 1 else []
    scores = []
    for step in steps:
        dealt = zip(truths, predictions[step:] + predictions[:step])
        cut = [(truth[: len(other)], other[: len(truth)]) for truth, other in dealt]
        function = choose_metric(runs, number.metric)
        scores.append(metrics.score_pooled(function, *zip(*cut), pooling=paper.protocol.pooling))
    return scores


def share_dealt(paper: Paper, runs: Runs, number: Part, pairs: Sequence[tuple]) -> list[float]:
    """The accuracy or UAR in percent that is expected of classes when predictions are dealt out at random: one number."""
    count = len(paper.protocol.classes)
    if number.metric == "UAR":
        return [100 / count]
    truth, predicted = (np.bincount(np.concatenate(side), minlength=count) / len(pairs) for side in zip(*pairs))
    return [100 * float(truth @ predicted)]


def count_learnt(skills: Sequence[Skill]) -> str:
    """In words, how many of the networks have learnt."""
    if not skills:
        return "no network was run"
    told = [skill.learnt for skill in skills if skill.learnt is not None]
    unknown = f", {len(skills) - len(told)} unknown" if len(told) < len(skills) else ""
    return f"{sum(told)} of {len(told)}{unknown}"
