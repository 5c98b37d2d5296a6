"""The part of AVEC 2019 that its organisers published: real labels and ten systems' predictions, scored and fused.

One task for each column of the tables `systems` and `fusion`: the ten systems as they are; the organisers' fusion
fitted anew; that fusion, EAF, AED and EMAFN on chats, or on a culture, that they have not seen. The networks take the
five audio systems as their audio and the four visual systems as their video.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from common import results, splits, storage
from common.errors import InputError
from common.evidence.runs import ALL_TARGETS
from common.networks import training
from common.running import provenance, tasks
from common.running.experiment import Clock
from datasets import avec2019, avec2019_public, sewa
from datasets.sewa import TARGETS, Labels
from replications.raju2021 import experiment, fusion
from replications.raju2021.experiment import NAME

CORPUS = "avec2019-public"
VERSION = 1  # raise when results change for the same settings
SYSTEMS = tuple(f"system-{name}" for name in fusion.SYSTEMS)
SOLVERS = {"fusion-refit": fusion.liblinear, "fusion-refit-2019": fusion.liblinear_2019}
PENALTY = 1.0  # C of all three published machines: only there does the solver of 2019 give their predictions
NETWORKS = ("fusion-emafn", "fusion-aed", "fusion-eaf")
FOLDS = {
    "baseline-fusion": ("devel",),
    **dict.fromkeys(SYSTEMS, ("devel",)),
    "fusion-mean": ("devel",),
    "fusion-refit": ("devel",),
    "fusion-refit-2019": ("devel",),
    "fusion-svr": ("chats", "cultures"),
    **dict.fromkeys(NETWORKS, ("chats", "cultures")),
}
VARIANTS = (
    *NETWORKS,
    "fusion-refit-2019",
    "fusion-svr",
    "fusion-refit",
    "fusion-mean",
    "baseline-fusion",
    *SYSTEMS,
)  # longest first


@dataclass(frozen=True)
class Recording:
    """The nine systems' predictions for one recording as features: audio (n, 15), visual (n, 12)."""

    name: str
    partition: str
    culture: str
    audio: np.ndarray
    visual: np.ndarray
    labels: Labels
    digest: str


def plan(arguments, settings: dict) -> tuple[list[tasks.Task], Callable]:
    """The tasks and the work for `dispatch.run`. Raises InputError where the public files are not there."""
    folder = avec2019_public.find(arguments.cache)
    if problems := avec2019_public.check(folder):
        raise InputError(f"{problems[0]} ({len(problems)} in all; only the organisers' files are evidence)")
    public = avec2019_public.read(folder)
    digest = storage.digest([VERSION, settings, [recording.digest for recording in build_recordings(public)]])
    folder = arguments.results / NAME / CORPUS / "paper" / ALL_TARGETS
    planned = [
        tasks.Task(variant, fold, seed, folder / variant / f"{fold}-seed{seed}.json", digest)
        for variant in VARIANTS
        if variant in arguments.variants
        for fold in FOLDS[variant]
        for seed in (arguments.seeds if variant in NETWORKS else [0])
    ]
    return planned, partial(compute, public=public, settings=settings)


def compute(
    task: tasks.Task, progress: Callable[[float], None], public: avec2019_public.Public, settings: dict
) -> None:
    """Make the predictions of one task, score them as the organisers do, and write the result."""
    clock, chats, recordings = Clock(), pair_chats(public), build_recordings(public)
    more = {}
    if task.variant in NETWORKS:
        series, more = fuse_by_network(task, progress, public, settings)
    elif task.variant == "fusion-mean":
        inputs = fusion.stack(public)
        series = {target: fusion.average(inputs, k) for k, target in enumerate(TARGETS)}
    elif task.variant in SOLVERS:
        series, more["chosen"] = refit(SOLVERS[task.variant], progress, public)
    elif task.variant == "fusion-svr":
        series, more["chosen"] = fuse_by_svr(task.fold, progress, public, chats)
    else:
        system = "svr" if task.variant == "baseline-fusion" else task.variant.removeprefix("system-")
        stored = public.predictions[system]
        series = {target: {name: stored[name][:, k] for name in stored} for k, target in enumerate(TARGETS)}
    clock.stop("training")
    golds = {target: [getattr(r.labels, target) for r in recordings] for target in TARGETS}
    predictions = {target: [series[target][r.name] for r in recordings] for target in TARGETS}
    arrays = {}
    for target in TARGETS:
        for recording, gold, made in zip(recordings, golds[target], predictions[target], strict=True):
            arrays[f"gold/{target}/{recording.name}"] = gold
            arrays[f"raw/{target}/{recording.name}"] = made
    record = {
        "paper": NAME,
        "corpus": CORPUS,
        "evidence": "real",
        "profile": "paper",
        "target": ALL_TARGETS,
        "variant": task.variant,
        "fold": task.fold,
        "seed": task.seed,
        "settings": settings,
        "settings_digest": storage.digest(settings),
        "corpus_digest": storage.digest([recording.digest for recording in recordings]),
        "task_digest": task.digest,
        "scores": experiment.score_series(recordings, golds, predictions, settings["variance"]),
        "chats": chats,
        "recordings": [{"name": r.name, "labels": len(r.labels.time)} for r in recordings],
        "unusable": [],
        "seconds": clock.seconds,
        "provenance": provenance.collect(),
        **more,
    }
    results.write(task.path, record, arrays)


def pair_chats(public: avec2019_public.Public) -> dict[str, str]:
    return sewa.pair_chats({name: len(labels.time) for name, labels in public.labels.items()})


def build_recordings(public: avec2019_public.Public) -> list[Recording]:
    """The development recordings with the nine systems as their features."""
    audio, visual = ([s for s in fusion.SYSTEMS if s.startswith("visual") == is_visual] for is_visual in (False, True))
    found = []
    for name, labels in public.labels.items():
        streams = [
            np.concatenate([public.predictions[system][name] for system in systems], axis=1).astype(np.float32)
            for systems in (audio, visual)
        ]
        values = [*streams, avec2019.stack_labels(labels), public.predictions["svr"][name]]
        digest = storage.digest_bytes(b"".join(np.ascontiguousarray(value).tobytes() for value in values))
        found.append(Recording(name, "Devel", name.split("_")[1], *streams, labels, digest))
    return found


def refit(
    solver: fusion.Solver, progress: Callable[[float], None], public: avec2019_public.Public
) -> tuple[dict, dict]:
    """The organisers' fusion fitted to these labels again, in the windows of the published one and at its C of 1.

    The whole grid from which they chose takes more than an hour, and what they chose is known (`fusion.recover`).
    """
    inputs, series, chosen = fusion.stack(public), {}, {}
    for number, target in enumerate(TARGETS):
        gold = {name: getattr(labels, target) for name, labels in public.labels.items()}
        stored = {name: values[:, number] for name, values in public.predictions["svr"].items()}
        frames = fusion.recover(inputs, stored).frames
        machine = fusion.fit(inputs, gold, frames, PENALTY, solver)
        series[target] = {name: machine.predict(values) for name, values in inputs.items()}
        chosen[target] = {
            "frames": frames,
            "C": PENALTY,
            "iterations": machine.iterations,
            "converged": machine.converged,
        }
        progress((number + 1) / len(TARGETS))
    return series, chosen


def fuse_by_svr(
    fold: str, progress: Callable[[float], None], public: avec2019_public.Public, chats: dict[str, str]
) -> tuple[dict, dict]:
    """The organisers' fusion on recordings that it has not seen: predictions, and (frames, C) by target and fold."""
    inputs, series, chosen = fusion.stack(public), {}, {}
    unseen = {"chats": fusion.cross_validate, "cultures": fusion.cross_cultures}[fold]
    for number, target in enumerate(TARGETS):
        gold = {name: getattr(labels, target) for name, labels in public.labels.items()}
        series[target], chosen[target] = unseen(inputs, gold, chats)
        progress((number + 1) / len(TARGETS))
    return series, chosen


def adapt_settings(settings: dict) -> dict:
    """The grid of the fusing networks, and all recordings at a time."""
    return {**settings, "hop": settings["fusion_hop"], "micro_batch": 2 * sum(avec2019.PARTITIONS.values())}


def fuse_by_network(
    task: tasks.Task, progress: Callable[[float], None], public: avec2019_public.Public, settings: dict
) -> tuple[dict, dict]:
    """EAF, AED or EMAFN in the same folds, on a grid of `fusion_hop`; its predictions, back on the label grid.

    In each fold a share of the training chats is held out to choose the epoch of each target.
    """
    chats, recordings = pair_chats(public), {recording.name: recording for recording in build_recordings(public)}
    settings = adapt_settings(settings)
    if task.fold == "chats":
        cuts = fusion.deal_folds(chats, 7)
    else:
        cuts = splits.leave_one_subject_out({name: r.culture for name, r in recordings.items()})
    series: dict[str, dict] = {target: {} for target in TARGETS}
    histories = {}
    for number, cut in enumerate(cuts):
        splits.assert_disjoint(cut, chats)
        training.prepare(task.seed)
        inner = splits.hold_out(cut.train, settings["heldout_share"], task.seed, chats)
        parts = [[recordings[name] for name in side] for side in (inner.train, inner.test, cut.test)]
        moments = experiment.measure_moments(parts[0])
        sequences = [experiment.Sequences(part, settings, moments, settings["delay"]) for part in parts]
        part = tasks.Task(
            task.variant.removeprefix("fusion-"), cut.name, task.seed, task.path.with_suffix(f".{cut.name}.json"),
            storage.digest([task.digest, cut.name]),
        )  # fmt: skip
        model, histories[cut.name], made = experiment.fit_network(
            part, lambda done, number=number: progress((number + done) / len(cuts)), *sequences
        )
        for target in TARGETS:
            for recording, values in zip(parts[2], made[target], strict=True):
                at = experiment.select_rows(recording, settings)
                series[target][recording.name] = np.interp(np.arange(len(recording.labels.time)), at, values)
    more = {
        "parameters": model.count_params(),
        "histories": histories,
    }
    return series, more
