"""Replicate an invented paper: corpus -> loudness -> LSTM -> CCC -> table.

python -m replications.sixth.run                       simulated corpus, quick profile
python -m replications.sixth.run --corpus ROOT --profile paper
"""

import argparse
from functools import partial
from pathlib import Path

from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.running import cli, corpora, experiment, options
from common.running.corpora import Corpus
from datasets import avec2019
from datasets.simulate import write_cached
from replications.sixth import features
from replications.sixth.experiment import NAME, TARGET, train

PAPER = Path(__file__).with_name("paper.toml")
READERS = {"avec2019": avec2019}
VARIANTS = ("lstm",)
VERSION = 1  # raise when results change for the same settings


def main() -> int:
    arguments = options.parse_arguments(options.build_parser(NAME, __doc__, "the folder of AVEC 2019 CES", VARIANTS))
    paper = load_paper(PAPER)
    settings = options.choose_settings(paper, arguments)
    options.check_positive(settings, zero_allowed=())
    options.probe_writable(arguments.results)
    prepared = prepare(arguments, settings)
    planned = experiment.plan_tasks(
        NAME, VERSION, prepared, settings, arguments, TARGET, VARIANTS, ["devel"], paper.ceilings
    )
    work = partial(train, corpora=planned, settings=settings, profile=arguments.profile)
    files = experiment.complete_tasks(planned, work, arguments, NAME)
    print(format_tables(paper, fill_cells(paper, files)))
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def prepare(arguments: argparse.Namespace, settings: dict) -> list[Corpus]:
    """The corpus with its features. Raises InputError, WriteError."""
    (found,) = corpora.locate_corpora(arguments.corpus, READERS, lambda: [simulate(arguments, settings)])
    load = partial(features.load, cache=arguments.cache)
    recordings, unusable = corpora.extract_all(found.recordings, load, arguments.jobs, arguments.threads, "recording")
    corpora.refuse_unusable(unusable, arguments.skip_unusable)
    return [Corpus(found.name, avec2019.locate(found.root), recordings, unusable)]


def simulate(arguments: argparse.Namespace, settings: dict) -> Path:
    """The simulated corpus, from the cache or written into it."""
    sizes = {name: settings[f"simulated_{name}"] for name in ("train", "devel", "seconds")}
    return write_cached("avec2019", arguments.cache, arguments.jobs, **sizes)


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
