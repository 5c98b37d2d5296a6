"""Replicate Raju et al. 2021: corpus -> features -> EAF, AED, EMAFN -> scores -> tables.

    python -m replications.raju2021.run                             simulated corpus, quick profile
    python -m replications.raju2021.run --corpus avec2019-public    real labels and predictions (datasets.fetch)
    python -m replications.raju2021.run --corpus ROOT --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
from functools import partial
from pathlib import Path

from common import storage
from common.errors import InputError
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.paper import Paper
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS
from common.evidence.text import format_tables
from common.running import cli, experiment, tasks
from common.running.experiment import Corpus
from datasets import avec2019
from replications.raju2021 import features, public
from replications.raju2021.experiment import NAME, train

PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = ("emafn", "aed", "eaf", "lstm")  # longest first: no core waits at the end
FOLDS = ("devel", "heldout")
VERSION = 1  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = load_paper(PAPER)
    on_public = arguments.corpus == public.CORPUS
    there = public.VARIANTS if on_public else VARIANTS
    if unknown := [name for name in arguments.variants or () if name not in there]:
        raise InputError(f"--variants {unknown[0]}: not of this corpus; there are {', '.join(there)}")
    arguments.variants = arguments.variants or list(there)
    if on_public:
        arguments.profile = "paper"  # nothing is shrunk there
    settings = experiment.settings_of(paper, arguments, [f"weights={arguments.weights}"] if arguments.weights else [])
    validate(settings)
    experiment.probe_writable(arguments.results)
    if on_public:
        todo, work = public.plan(arguments, settings)
    else:
        corpus = prepare(arguments, settings)
        todo = plan(corpus, settings, arguments)
        by_path = {task.path: corpus for task in todo}
        work = partial(train, by_path=by_path, settings=settings, profile=arguments.profile)
    print(as_text(paper, experiment.completed(todo, work, arguments, NAME)))
    return 0


def as_text(paper: Paper, files: list) -> str:
    """The printed table, and those of ours for which there are results."""
    cells = fill_cells(paper, files)
    own = fill_own_cells(paper, files)
    there = {cell.exhibit for cell in own if cell.evidence != "none"}
    return format_tables(paper, [*cells, *(cell for cell in own if cell.exhibit in there)])


def parse() -> argparse.Namespace:
    parser = experiment.parser(
        NAME,
        __doc__,
        f"the folder of AVEC 2019 CES, or {public.CORPUS}: the part that the organisers published",
        VARIANTS + public.VARIANTS,
    )
    parser.add_argument(
        "--weights",
        metavar="FOLDER",
        help="deep features only: the folder with the published weights of the networks, or `random` to try it out",
    )
    parser.set_defaults(variants=None)  # all of the corpus
    return experiment.parse(parser)


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    zero_allowed = ("dropout", "recurrent_dropout", "delay", "baseline_delay", "segment", "codebook_seed")
    experiment.check_positive(settings, zero_allowed)

    def multiple(name: str, of: float) -> tuple[bool, str]:
        return abs(settings[name] / of - round(settings[name] / of)) < 1e-6, f"a multiple of {of}"

    if settings["weights"] and settings["features"] == "low-level":
        raise InputError("--weights: only deep features have weights; add --set features=deep")
    if settings["weights"] not in ("", "random") and not Path(settings["weights"]).is_dir():
        raise InputError(f"{settings['weights']}: no such folder; name the folder with the networks' weights")
    rules = {
        "hop": multiple("hop", features.HOP),
        "fusion_hop": multiple("fusion_hop", features.HOP),
        "delay": multiple("delay", settings["hop"]),
        "baseline_delay": multiple("baseline_delay", settings["hop"]),
        "eaf_units": (len(settings["eaf_units"]) == 2, "two"),
        "dropout": (0 <= settings["dropout"] < 1, "0 or more and below 1"),
        "recurrent_dropout": (0 <= settings["recurrent_dropout"] < 1, "0 or more and below 1"),
        "heldout_share": (settings["heldout_share"] < 1, "less than 1"),
        "segment": (settings["segment"] == 0 or settings["segment"] >= 2 * settings["hop"], "0, or two steps or more"),
    }
    experiment.check_rules(settings, rules)


def prepare(arguments: argparse.Namespace, settings: dict) -> Corpus:
    """The corpus with its features. Raises InputError, WriteError."""
    root = simulate(arguments, settings) if arguments.corpus == "simulated" else Path(arguments.corpus)
    made = avec2019.read_simulation(root)
    name = f"simulated{'-uniform' if made['control'] == 'uniform' else ''}" if made else "avec2019"
    recordings, unusable = features.extract(avec2019.list_recordings(root), settings, arguments.cache, arguments.jobs)
    experiment.refuse(unusable, arguments.skip_unusable)
    corpus = Corpus(name, avec2019.locate(root), recordings, unusable)
    for partition in ("Train", "Devel"):
        if not corpus.partition(partition):
            raise InputError(f"{root}: no usable {partition} recording; see `python -m datasets.check avec2019 {root}`")
    return corpus


def simulate(arguments: argparse.Namespace, settings: dict) -> Path:
    """Write the simulated corpus into the cache, unless it is there."""
    from datasets.simulated import avec2019 as simulated

    sizes = {name: settings[f"simulated_{name}"] for name in ("train", "devel", "seconds", "fps")}
    words = "-".join(f"{name}{value:g}" for name, value in sizes.items())
    root = arguments.cache / "corpora" / f"avec2019-salient-v{simulated.VERSION}-{words}"
    simulated.write(root, **sizes, jobs=arguments.jobs)
    return root


def plan(corpus: Corpus, settings: dict, arguments: argparse.Namespace) -> list[tasks.Task]:
    """One task for each variant, fold and seed."""
    digest = storage.digest([VERSION, settings, corpus.digest, [item.recording for item in corpus.unusable]])
    folder = arguments.results / NAME / corpus.name / arguments.profile / ALL_TARGETS
    return [
        tasks.Task(variant, fold, seed, folder / variant / f"{fold}-seed{seed}.json", digest)
        for variant in VARIANTS
        if variant in arguments.variants
        for seed in arguments.seeds
        for fold in FOLDS
    ]


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
