"""Replicate Lee et al. 2018: corpus -> features -> networks -> AV+EC post-processing -> scores -> tables.

    python -m replications.lee2018.run                       simulated corpus, quick profile
    python -m replications.lee2018.run --corpus ROOT --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
from functools import partial
from pathlib import Path

from common import postprocess, storage
from common.errors import InputError
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.text import format_tables
from common.media import faces
from common.running import cli, experiment, tasks
from common.running.experiment import Corpus
from datasets import avec2017
from replications.lee2018 import features
from replications.lee2018.experiment import NAME, train

PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = ("fused", "cnn3d-sta", "cnn3d", "khorrami-rnn", "lstm-ta", "lstm", "cnn2d", "khorrami-cnn")  # longest first
CONTROLLED = ("cnn3d-sta", "cnn3d", "lstm-ta", "lstm")  # also trained on the `uniform` control
VERSION = 1  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = load_paper(PAPER)
    overrides = ["precision=mixed_bfloat16"] if arguments.mixed_precision else []
    settings = experiment.settings_of(paper, arguments, overrides)
    validate(settings)
    corpora = prepare(arguments, settings)
    planned = [(task, corpus) for corpus in corpora for task in plan(corpus, settings, arguments)]
    planned.sort(key=lambda pair: VARIANTS.index(pair[0].variant))  # longest first: no core waits at the end
    todo = [task for task, _ in planned]
    by_path = {task.path: corpus for task, corpus in planned}
    work = partial(
        train,
        by_path=by_path,
        settings=settings,
        profile=arguments.profile,
        target=arguments.target,
        pooling=paper.protocol.pooling,
    )
    files = experiment.completed(todo, work, arguments, NAME)
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
    return 0


def parse() -> argparse.Namespace:
    parser = experiment.parser(NAME, __doc__, "the folder of AV+EC 2017", VARIANTS)
    parser.add_argument("--target", default="valence", choices=["valence", "arousal"])
    parser.add_argument(
        "--mixed-precision", action="store_true", help="compute in bfloat16; faster where the processor supports it"
    )
    parser.add_argument("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one")
    return experiment.parse(parser)


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    experiment.check_positive(settings, zero_allowed=("label_delay", "dropout"))
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
    experiment.check_rules(settings, rules)


# ------------------------------------------------------------------------------------------ corpus and features


def prepare(arguments: argparse.Namespace, settings: dict) -> list[Corpus]:
    """The corpus, and for the simulated one its control, with features. Raises InputError, WriteError."""
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    experiment.probe_writable(arguments.results)
    if arguments.corpus == "simulated":
        roots = {"simulated": simulate("salient", arguments, settings)}
        if set(arguments.variants) & set(CONTROLLED):
            roots["simulated-uniform"] = simulate("uniform", arguments, settings)
    else:
        root = Path(arguments.corpus)
        made = avec2017.read_simulation(root)
        control = "-uniform" if made and made["control"] == "uniform" else ""
        roots = {f"simulated{control}" if made else "avec2017": root}
    corpora = []
    for name, root in roots.items():
        recordings, unusable = features.extract(
            avec2017.list_recordings(root), settings, landmarks, arguments.cache, arguments.jobs
        )
        experiment.refuse(unusable, arguments.skip_unusable)
        corpora.append(Corpus(name, avec2017.locate(root), recordings, unusable))
        for partition in ("Train", "Devel"):
            if not corpora[-1].partition(partition):
                raise InputError(
                    f"{root}: no usable {partition} recording; see `python -m datasets.check avec2017 {root}`"
                )
    return corpora


def simulate(control: str, arguments: argparse.Namespace, settings: dict) -> Path:
    """Write the simulated corpus into the cache, unless it is there."""
    from datasets.simulated import avec2017 as simulated

    seconds, fps = settings["simulated_seconds"], settings["simulated_fps"]
    root = arguments.cache / "corpora" / f"avec2017-{control}-v{simulated.VERSION}-{seconds:g}s-{fps}fps"
    simulated.write(root, control=control, seconds=seconds, fps=fps, jobs=arguments.jobs)
    return root


# --------------------------------------------------------------------------------------------------- the tasks


def plan(corpus: Corpus, settings: dict, arguments: argparse.Namespace) -> list[tasks.Task]:
    """One task for each variant and seed; the control corpus has those variants whose mechanism it checks."""
    digest = storage.digest([VERSION, settings, corpus.digest, [item.recording for item in corpus.unusable]])
    folder = arguments.results / NAME / corpus.name / arguments.profile / arguments.target
    variants = [name for name in VARIANTS if name in arguments.variants]
    if corpus.name == "simulated-uniform" and arguments.corpus == "simulated":
        variants = [name for name in variants if name in CONTROLLED]
    return [
        tasks.Task(variant, "devel", seed, folder / variant / f"devel-seed{seed}.json", digest)
        for seed in arguments.seeds
        for variant in variants
    ]


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
