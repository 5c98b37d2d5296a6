"""Replicate Priyasad et al. 2019: clips -> voice activity -> VGG19 of sound and faces -> LSTM, attention fusion -> tables.

    python -m replications.priyasad2019.run                       simulated RML and eNTERFACE'05, quick profile
    python -m replications.priyasad2019.run --corpus ROOT --weights imagenet --ssd PROTOTXT CAFFEMODEL --profile paper

ROOT holds RML or eNTERFACE'05; each is trained and scored on its own. A second call goes on where the first one
stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 results that cannot be written, 130
interrupted.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from common import results, storage
from common.ceiling import is_ceiling
from common.errors import InputError
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.paper import Paper
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.running import cli, corpora, dispatch, options, provenance, tasks
from common.running.corpora import Corpus, RawCorpus
from common.running.experiment import list_ceilings
from datasets import enterface, rml
from datasets.acted import CLASSES
from datasets.simulate import write_cached
from replications.priyasad2019 import faces, features, protocols, vgg19
from replications.priyasad2019.experiment import (
    NAME,
    VARIANTS,
    Fold,
    Outcome,
    average_training,
    compose_record,
    describe_training,
    gather_folds,
    train,
    vote,
)
from replications.priyasad2019.features import Segments, Source
from replications.priyasad2019.protocols import PROTOCOLS

PAPER = Path(__file__).with_name("paper.toml")
READERS = {"rml": rml, "enterface": enterface}
COMPARED = ("proposed", "loso")  # the network and the protocol beside which the others are set
VERSION = 2  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = load_paper(PAPER)
    settings = options.choose_settings(paper, arguments, imply_settings(arguments))
    validate(settings)
    source = choose_source(arguments, settings)
    options.probe_writable(arguments.results)
    tasks.limit_threads(arguments.threads)  # as in the workers: rounding depends on their number
    shaped = features.digest_settings(settings, source)  # missing weights are fetched, or missed, before anything else
    found = corpora.locate_corpora(arguments.corpus, READERS, lambda: simulate(arguments, settings))
    prepared = [prepare(corpus, arguments, settings, source, shaped) for corpus in found]
    features.forget()
    planned = [plan for corpus in prepared for plan in plan_protocols(corpus, paper, settings, arguments)]
    asked = [plan for plan in planned if plan.protocol in arguments.protocols]
    folds = {task.path: fold for plan in asked for task, fold in plan.folds.items()}
    todo = [task for plan in asked for task in plan.folds]
    work = partial(train, folds=folds, settings=settings)
    done = dispatch.run(todo, work, arguments.jobs, arguments.threads, arguments.scheduler)
    files = [f for plan in asked for f in write_results(plan, planned, settings, arguments, source, paper.ceilings)]
    print(f"{done} of {len(todo)} folds computed, {len(todo) - done} were there; results in {arguments.results / NAME}")
    cells = [cell for cell in fill_cells(paper, files) + fill_own_cells(paper, files) if cell.evidence != "none"]
    print(format_tables(paper, cells))  # every network stands in a table of ours
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def parse() -> argparse.Namespace:
    parser = options.build_parser(NAME, __doc__, "the folder of RML or of eNTERFACE'05", VARIANTS)
    add = parser.add_argument
    names = ", ".join(PROTOCOLS)
    add("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS, metavar="NAME", help=names)
    add(
        "--weights", metavar="FILE", help="VGG19's: an .h5 file of keras.applications, `imagenet` (fetched) or `random`"
    )
    add(
        "--ssd",
        nargs=2,
        type=Path,
        metavar=("PROTOTXT", "CAFFEMODEL"),
        help="OpenCV's face detector; dlib's with --set detector=dlib",
    )
    arguments = options.parse_arguments(parser)
    arguments.protocols = [name for name in PROTOCOLS if name in arguments.protocols]
    return arguments


def imply_settings(arguments: argparse.Namespace) -> list[str]:
    """Settings that other options imply."""
    implied = []
    if arguments.weights:
        implied.append(f"weights={classify_weights(arguments.weights)}")
    if arguments.ssd and not any(override.partition("=")[0].strip() == "detector" for override in arguments.set):
        implied.append("detector=ssd")
    return implied


def classify_weights(weights: str) -> str:
    """What the setting says of --weights: only the published file is ImageNet's. Raises InputError for no file."""
    if weights in (vgg19.RANDOM, vgg19.IMAGENET):
        return weights
    path = vgg19.locate({"weights": weights})
    with path.open("rb") as file:
        return vgg19.IMAGENET if hashlib.file_digest(file, "md5").hexdigest() == vgg19.MD5 else "other"


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    zero = ("dropout", "vad_before", "vad_after", "vad_low", "max_missing")
    options.check_positive(settings, zero_allowed=zero)
    nyquist = settings["audio_rate"] / 2
    rules = {
        "audio_rate": (nyquist >= 8000, "16000 or more: the mel filters reach 8000 Hz"),
        "vad_high": (
            settings["vad_low"] < settings["vad_high"] <= nyquist,
            f"more than vad_low and at most {nyquist:.0f}",
        ),
        "vad_median": (settings["vad_median"] % 2 == 1, "an odd number"),
        "vad_threshold": (settings["vad_threshold"] <= 1, "at most 1"),
        "lstm_units": (settings["lstm_units"] == settings["vgg_fc"], "as many as vgg_fc: attention weighs the two"),
        "vgg_size": (settings["vgg_size"] >= vgg19.SMALLEST, f"{vgg19.SMALLEST} or more"),
        "vad_window": (settings["vad_window"] * settings["audio_rate"] >= 2, "two samples or more, in seconds"),
        "vad_step": (settings["vad_step"] * settings["audio_rate"] >= 1, "a sample or more, in seconds"),
        "dropout": (settings["dropout"] < 1, "less than 1"),
        "held_out": (settings["held_out"] < 1, "less than 1"),
        "folds": (settings["folds"] > 1, "2 or more"),
    }
    options.check_rules(settings, rules)


def choose_source(arguments: argparse.Namespace, settings: dict) -> Source:
    """The files that the features need. Raises InputError for those that are missing."""
    if settings["detector"] == "ssd" and not arguments.ssd:
        raise InputError(
            "--ssd: name deploy.prototxt and res10_300x300_ssd_iter_140000.caffemodel of OpenCV's face detector; or "
            "take dlib's, with --set detector=dlib and a --results of its own"
        )
    if settings["detector"] != "ssd" and arguments.ssd:
        raise InputError("--ssd: goes with detector=ssd; leave out --set detector, or --ssd")
    if settings["weights"] == "other" and not arguments.weights:
        raise InputError("setting weights: other is for a file of yours; name it with --weights")
    return Source(arguments.weights or settings["weights"], tuple(arguments.ssd) if arguments.ssd else None)


# ---------------------------------------------------------------------------------------- corpora and features


@dataclass(frozen=True)
class Prepared:
    """A corpus with its features, its segments, and the clips left out because the paper does."""

    corpus: Corpus
    segments: Segments
    left_out: list[str]


def prepare(found: RawCorpus, arguments: argparse.Namespace, settings: dict, source: Source, shaped: str) -> Prepared:
    """The corpus with its features. Raises InputError, WriteError.

    Clips with rapid movements, in which no face is found for more than `max_missing` frames, are left out, as in the
    paper (Section 4).
    """
    clips, unusable = features.extract(
        found.recordings, settings, source, shaped, arguments.cache, arguments.jobs, arguments.threads
    )
    corpora.refuse_unusable(unusable, arguments.skip_unusable)
    moving = [clip.name for clip in clips if faces.find_longest_gap(clip.found) > settings["max_missing"]]
    if moving:
        print(f"{found.name}: left out, no face for too long: {', '.join(moving)}", file=sys.stderr)
    clips = [clip for clip in clips if clip.name not in moving]
    if lacking := [name for label, name in enumerate(CLASSES) if not any(clip.label == label for clip in clips)]:
        raise InputError(
            f"{found.root}: no usable clip of the class {lacking[0]}; add some, or allow more frames without a face with "
            f"--set max_missing=N"
        )
    corpus = Corpus(found.name, found.reader.locate(found.root), clips, unusable)
    return Prepared(corpus, features.join_segments(clips, settings, source, arguments.cache), moving)


def simulate(arguments: argparse.Namespace, settings: dict) -> list[Path]:
    """The simulated corpora, from the cache or written into it."""
    sizes = {
        kind: {size: settings[f"simulated_{kind}_{size}"] for size in ("subjects", "sentences")} for kind in READERS
    }
    return [write_cached(kind, arguments.cache, arguments.jobs, **sizes[kind]) for kind in READERS]


# --------------------------------------------------------------------------------------------------- the tasks


@dataclass(frozen=True)
class Plan:
    """One protocol on one corpus with one seed: its folds, whose results are kept in the cache."""

    prepared: Prepared
    protocol: str
    seed: int
    folds: dict[tasks.Task, Fold]


def plan_protocols(prepared: Prepared, paper: Paper, settings: dict, arguments: argparse.Namespace) -> list[Plan]:
    """A plan for each protocol and seed, also for protocols that are not asked for now. Raises InputError.

    Settings on which no fold depends do not count: of the files, and of the vote.
    """
    corpus, segments = prepared.corpus, prepared.segments
    labels = np.array([clip.label for clip in corpus.recordings])[segments.clip]
    learnt = {
        name: value for name, value in settings.items() if name != "ties" and not paper.settings[name].about_files
    }
    digest = storage.digest([VERSION, learnt, corpus.digest])
    found = []
    for protocol in PROTOCOLS:
        for seed in arguments.seeds:
            try:
                splits = protocols.divide(protocol, corpus.recordings, segments.clip, settings, seed)
            except InputError:
                if protocol in arguments.protocols:
                    raise
                continue
            folder = arguments.cache / "folds" / digest / f"{protocol}-seed{seed}"
            paths = [folder / f"{number:03d}.json" for number in range(len(splits))]
            folds = {
                tasks.Task(protocol, split.name, seed, path, digest): Fold(segments, labels, split)
                for path, split in zip(paths, splits)
            }
            found.append(Plan(prepared, protocol, seed, folds))
    return found


def write_results(
    plan: Plan,
    planned: Sequence[Plan],
    settings: dict,
    arguments: argparse.Namespace,
    source: Source,
    ceilings: Mapping[str, str],
) -> list[tuple[Path, dict]]:
    """The result files of a protocol, one for each network, once its folds are done, and one for each of their ceilings."""
    corpus = plan.prepared.corpus
    beside = [p for p in planned if p.prepared is plan.prepared and p.seed == plan.seed]
    beside = [p for p in beside if all(task.done() for task in p.folds)]
    folder = arguments.results / NAME / corpus.name / arguments.profile / ALL_TARGETS
    known = list_ceilings([(variant, corpus) for variant in arguments.variants], ceilings)
    files = []
    for variant in [*arguments.variants, *(variant for variant, _, seeds in known if plan.seed in seeds)]:
        compared = [p.protocol for p in beside] if (variant, plan.protocol) == COMPARED else []
        unusable = [item.recording for item in corpus.unusable]
        digest = storage.digest([VERSION, settings, corpus.digest, unusable, plan.prepared.left_out, compared])
        path = folder / variant / f"{plan.protocol}-seed{plan.seed}.json"
        task = tasks.Task(variant, plan.protocol, plan.seed, path, digest)
        if not task.done():
            write(task, plan, beside, settings, arguments.profile, source)
        files.append((path, results.read(path)))
    return files


def write(task: tasks.Task, plan: Plan, beside: Sequence[Plan], settings: dict, profile: str, source: Source) -> None:
    """Put the folds of a protocol together into the result of one network, or fit a ceiling in each of them."""
    corpus, segments = plan.prepared.corpus, plan.prepared.segments
    used = {
        "vgg19": vgg19.identify_weights(settings | {"weights": source.weights}),
        "detector": faces.identify_detector(source.ssd),
    }
    more, arrays = {"left_out": plan.prepared.left_out, "source": used}, {}
    if is_ceiling(task.variant):
        from replications.priyasad2019 import ceiling  # here: the simulator's parts load in seconds, --help should not

        posteriors, trained = ceiling.classify(task.variant, corpus.recordings, corpus.root, plan.folds.values())
        more |= {"training_scores": average_training(trained), "provenance": provenance.collect()}
    else:
        outcome = gather_folds(plan.folds, len(segments.clip))
        posteriors = outcome.posteriors[task.variant]
        more |= describe_training(task.variant, outcome, settings)
    if (task.variant, plan.protocol) == COMPARED:
        more["mechanism"] = measure_mechanism(plan, beside, outcome, settings)
        whole = corpus.evidence == "simulated" or settings["persons_in_results"] == "always"
        example = features.make_example(corpus.recordings[0], settings, source, whole)
        arrays = {f"example/{name}": values for name, values in example.items()}
    record, predicted = compose_record(task, corpus, segments, posteriors, profile, settings, more)
    results.write(task.path, record, predicted | arrays)


def measure_mechanism(plan: Plan, beside: Sequence[Plan], outcome: Outcome, settings: dict) -> dict[str, dict]:
    """What is measured of "proposed" with subjects left out; `beside` are the protocols with which it is compared."""
    from replications.priyasad2019 import mechanism

    corpus, owner = plan.prepared.corpus, plan.prepared.segments.clip
    clips = corpus.recordings

    def vote_clips(outcome: Outcome) -> np.ndarray:
        return vote(outcome.posteriors["proposed"], owner, len(clips), settings["ties"])

    found = {"speech": mechanism.measure_speech(clips, corpus.root / "truth") if settings["vad"] == "on" else None}
    found["modalities"] = mechanism.measure_modalities(outcome.beta, clips, owner)
    for other in beside:
        if other is not plan:
            shared = vote_clips(gather_folds(other.folds, len(owner)))
            found[other.protocol] = mechanism.measure_inflation(clips, vote_clips(outcome), shared)
    return {name: measured for name, measured in found.items() if measured}


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
