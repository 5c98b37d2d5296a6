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

from common.errors import InputError
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.paper import Paper
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.running import cli, corpora, experiment, options
from common.running.corpora import Corpus
from datasets import avec2019
from datasets.sewa import LABEL_HOP
from datasets.simulate import write_cached
from replications.raju2021 import features, public
from replications.raju2021.experiment import NAME, train

PAPER = Path(__file__).with_name("paper.toml")
READERS = {"avec2019": avec2019}
VARIANTS = ("emafn", "aed", "eaf", "lstm")  # longest first: no core waits at the end
FOLDS = ("devel", "heldout")
VERSION = 2  # raise when results change for the same settings


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
    implied = [f"weights={arguments.weights}"] if arguments.weights else []
    settings = options.choose_settings(paper, arguments, implied)
    validate(settings)
    options.probe_writable(arguments.results)
    if on_public:
        planned, work = public.plan(arguments, settings)
    else:
        prepared = prepare(arguments, settings)
        planned = experiment.plan_tasks(
            NAME, VERSION, prepared, settings, arguments, ALL_TARGETS, VARIANTS, FOLDS, paper.ceilings
        )
        work = partial(train, corpora=planned, settings=settings, profile=arguments.profile)
    files = experiment.complete_tasks(planned, work, arguments, NAME)
    print(fill_tables(paper, files))
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def fill_tables(paper: Paper, files: list) -> str:
    """The printed table, and those of ours for which there are results."""
    cells = fill_cells(paper, files)
    own = fill_own_cells(paper, files)
    there = {cell.exhibit for cell in own if cell.evidence != "none"}
    return format_tables(paper, [*cells, *(cell for cell in own if cell.exhibit in there)])


def parse() -> argparse.Namespace:
    parser = options.build_parser(
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
    return options.parse_arguments(parser)


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    zero_allowed = ("dropout", "recurrent_dropout", "delay", "baseline_delay", "segment", "codebook_seed")
    options.check_positive(settings, zero_allowed)

    def multiple(name: str, of: float) -> tuple[bool, str]:
        return abs(settings[name] / of - round(settings[name] / of)) < 1e-6, f"a multiple of {of}"

    if settings["weights"] and settings["features"] == "low-level":
        raise InputError("--weights: only deep features have weights; add --set features=deep")
    if settings["weights"] not in ("", "random") and not Path(settings["weights"]).is_dir():
        raise InputError(f"{settings['weights']}: no such folder; name the folder with the networks' weights")
    rules = {
        "hop": multiple("hop", LABEL_HOP),
        "fusion_hop": multiple("fusion_hop", LABEL_HOP),
        "delay": multiple("delay", settings["hop"]),
        "baseline_delay": multiple("baseline_delay", settings["hop"]),
        "eaf_units": (len(settings["eaf_units"]) == 2, "two"),
        "dropout": (0 <= settings["dropout"] < 1, "0 or more and below 1"),
        "recurrent_dropout": (0 <= settings["recurrent_dropout"] < 1, "0 or more and below 1"),
        "heldout_share": (settings["heldout_share"] < 1, "less than 1"),
        "segment": (settings["segment"] == 0 or settings["segment"] >= 2 * settings["hop"], "0, or two steps or more"),
    }
    options.check_rules(settings, rules)


def prepare(arguments: argparse.Namespace, settings: dict) -> list[Corpus]:
    """The corpus with its features. Raises InputError, WriteError."""
    (found,) = corpora.locate_corpora(arguments.corpus, READERS, lambda: [simulate(arguments, settings)])
    recordings, unusable = features.extract(
        found.recordings, settings, arguments.cache, arguments.jobs, arguments.threads
    )
    corpora.refuse_unusable(unusable, arguments.skip_unusable)
    corpora.require_partitions(found, recordings, ("Train", "Devel"))
    return [Corpus(found.name, avec2019.locate(found.root), recordings, unusable)]


def simulate(arguments: argparse.Namespace, settings: dict) -> Path:
    """The simulated corpus, from the cache or written into it."""
    sizes = {name: settings[f"simulated_{name}"] for name in ("train", "devel", "seconds", "fps")}
    return write_cached("avec2019", arguments.cache, arguments.jobs, **sizes)


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
