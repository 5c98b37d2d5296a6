"""An experiment from its plan to its result files: the tasks of all corpora, done and read, the head of each record."""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import ceiling, results, storage
from common.running import dispatch, tasks
from common.running.corpora import Corpus


def plan_tasks(
    paper: str,
    version: int,
    corpora: Sequence[Corpus],
    settings: dict,
    arguments: argparse.Namespace,
    target: str,
    variants: Sequence[str],
    folds: Sequence[str],
    ceilings: Mapping[str, str],
    skip: Callable[[Corpus, str], bool] = lambda corpus, variant: False,
) -> dict[tasks.Task, Corpus]:
    """A task for each variant, corpus, seed and fold, with its corpus; in the order of `variants`, the longest first.

    No core waits for the last task then. `variants` that are not asked for have none, nor have those that
    skip(corpus, variant). `version` is raised when results change for the same settings. `ceilings`, from paper.toml,
    says what each variant sees: on a corpus whose truth is known there follow the learners that are given that truth.
    """
    asked = [name for name in variants if name in arguments.variants]
    chosen = [(name, corpus, arguments.seeds) for name in asked for corpus in corpora if not skip(corpus, name)]
    planned = {}
    for variant, corpus, seeds in chosen + list_ceilings(chosen, ceilings):
        folder = arguments.results / paper / corpus.name / arguments.profile / target / variant
        digest = storage.digest([version, settings, corpus.digest, [item.recording for item in corpus.unusable]])
        for seed in seeds:
            for fold in folds:
                task = tasks.Task(variant, fold, seed, folder / f"{fold}-seed{seed}.json", digest)
                planned[task] = corpus
    return planned


def list_ceilings(chosen: Sequence[tuple[str, Corpus, Any]], ceilings: Mapping[str, str]) -> list[tuple]:
    """The plain learners that belong to the chosen (variant, corpus, ...): (variant, corpus, [0]), each once."""
    found = {}
    for variant, corpus, *_ in chosen:
        if variant in ceilings and corpus.evidence == "simulated" and (corpus.root / "truth").is_dir():
            found[ceilings[variant], corpus.name] = (ceiling.name_ceiling(ceilings[variant]), corpus, [0])
    return list(found.values())


def complete_tasks(
    todo: Iterable[tasks.Task], work: tasks.Work, arguments: argparse.Namespace, paper: str
) -> list[tuple[Path, dict]]:
    """Do the tasks that are not done, say how many there were, and read the result files of all."""
    todo = list(todo)
    done = dispatch.run(todo, work, arguments.jobs, arguments.threads, arguments.scheduler)
    print(f"{done} of {len(todo)} results computed, {len(todo) - done} were there; in {arguments.results / paper}")
    return [(task.path, results.read(task.path)) for task in todo]


def begin_record(
    paper: str, task: tasks.Task, corpus: Corpus, profile: str, target: str, settings: dict
) -> dict[str, Any]:
    """What the record of every trained network begins with: what it is, from which corpus, under which settings."""
    return {
        "paper": paper,
        "corpus": corpus.name,
        "evidence": corpus.evidence,
        "profile": profile,
        "target": target,
        "variant": task.variant,
        "fold": task.fold,
        "seed": task.seed,
        "settings": settings,
        "settings_digest": storage.digest(settings),
        "corpus_digest": corpus.digest,
        "task_digest": task.digest,
        "unusable": [item.__dict__ for item in corpus.unusable],
    }


class Clock:
    """Seconds of wall time between stops."""

    def __init__(self):
        self.seconds, self.last = {}, time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self.last, 2)
        self.last = now
