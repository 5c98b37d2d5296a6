"""Replicate Lee et al. 2018: corpus -> features -> networks -> AV+EC post-processing -> scores -> tables.

    python -m replications.lee2018.run                       simulated corpus, quick profile
    python -m replications.lee2018.run --corpus ROOT --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from common import postprocess
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.runs import CONTROL
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.media import faces
from common.running import cli, corpora, experiment, options, tasks
from common.running.corpora import Corpus
from datasets import avec2017
from datasets.simulate import write_cached
from replications.lee2018 import features
from replications.lee2018.experiment import NAME, train

PAPER = Path(__file__).with_name("paper.toml")
READERS = {"avec2017": avec2017}
VARIANTS = ("fused", "cnn3d-sta", "cnn3d", "khorrami-rnn", "lstm-ta", "lstm", "cnn2d", "khorrami-cnn")  # longest first
CONTROLLED = ("cnn3d-sta", "cnn3d", "lstm-ta", "lstm")  # also trained on the `uniform` control
VERSION = 2  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = load_paper(PAPER)
    overrides = ["precision=mixed_bfloat16"] if arguments.mixed_precision else []
    settings = options.choose_settings(paper, arguments, overrides)
    validate(settings)
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    options.probe_writable(arguments.results)
    prepared = prepare(arguments, settings, landmarks)
    planned = plan(prepared, settings, arguments, paper.ceilings)
    work = partial(
        train,
        corpora=planned,
        settings=settings,
        profile=arguments.profile,
        target=arguments.target,
        pooling=paper.protocol.pooling,
    )
    files = experiment.complete_tasks(planned, work, arguments, NAME)
    if arguments.target == paper.protocol.target:
        print(format_tables(paper, fill_cells(paper, files)))
    else:
        print(
            f"The paper prints no number for {arguments.target}. CCC, {paper.protocol.pooling}, post-processing fitted on devel:"
        )
        for path, record in files:
            ccc = record["scores"]["devel"][paper.protocol.pooling]["CCC"]
            print(
                f"  {str(path.relative_to(arguments.results / NAME).with_suffix('')):60s} {'undefined' if ccc is None else f'{ccc:.3f}'}"
            )
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def parse() -> argparse.Namespace:
    parser = options.build_parser(NAME, __doc__, "the folder of AV+EC 2017", VARIANTS)
    parser.add_argument("--target", default="valence", choices=["valence", "arousal"])
    parser.add_argument(
        "--mixed-precision", action="store_true", help="compute in bfloat16; faster where the processor supports it"
    )
    parser.add_argument("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one")
    return options.parse_arguments(parser)


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    options.check_positive(settings, zero_allowed=("label_delay", "dropout"))
    stages = len(settings["encoder_filters"])
    rules = {
        "decoder_filters": (len(settings["decoder_filters"]) == stages, "as many as encoder_filters"),
        "crop_size": (settings["crop_size"] % max(8, 2**stages) == 0, f"a multiple of {max(8, 2**stages)}"),
        "conv3d_filters": (len(settings["conv3d_filters"]) == 4, "four"),
        "fc_units": (len(settings["fc_units"]) == 2, "two"),
        "dropout": (0 <= settings["dropout"] < 1, "0 or more and below 1"),
        "postprocess_steps": (
            set(settings["postprocess_steps"]) <= set(postprocess.STEPS),
            f"among {', '.join(postprocess.STEPS)}",
        ),
    }
    options.check_rules(settings, rules)


# ------------------------------------------------------------------------------------------ corpus and features


def prepare(arguments: argparse.Namespace, settings: dict, landmarks: Path) -> list[Corpus]:
    """The corpus, and for the simulated one its control, with features. Raises InputError, WriteError."""
    prepared = []
    for found in corpora.locate_corpora(arguments.corpus, READERS, lambda: simulate(arguments, settings)):
        recordings, unusable = features.extract(
            found.recordings, settings, landmarks, arguments.cache, arguments.jobs, arguments.threads
        )
        corpora.refuse_unusable(unusable, arguments.skip_unusable)
        corpora.require_partitions(found, recordings, ("Train", "Devel"))
        prepared.append(Corpus(found.name, avec2017.locate(found.root), recordings, unusable))
    return prepared


def simulate(arguments: argparse.Namespace, settings: dict) -> list[Path]:
    """The simulated corpus, and its control where it is trained on, from the cache or written into it."""
    controls = ["salient"] + (["uniform"] if set(arguments.variants) & set(CONTROLLED) else [])
    sizes = {name: settings[f"simulated_{name}"] for name in ("train", "devel", "seconds", "fps")}
    return [write_cached("avec2017", arguments.cache, arguments.jobs, control=c, **sizes) for c in controls]


# --------------------------------------------------------------------------------------------------- the tasks


def plan(
    prepared: Sequence[Corpus], settings: dict, arguments: argparse.Namespace, ceilings: dict[str, str]
) -> dict[tasks.Task, Corpus]:
    """A task for each variant and seed; the control corpus has those variants whose mechanism it checks."""

    def skip(corpus: Corpus, variant: str) -> bool:
        is_control = corpus.name == CONTROL and arguments.corpus == "simulated"
        return is_control and variant not in CONTROLLED

    return experiment.plan_tasks(
        NAME, VERSION, prepared, settings, arguments, arguments.target, VARIANTS, ["devel"], ceilings, skip
    )


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
