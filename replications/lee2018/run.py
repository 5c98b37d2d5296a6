"""Replicate Lee et al. 2018: corpus -> features -> networks -> AV+EC post-processing -> scores -> tables.

    python -m replications.lee2018.run                       simulated corpus, quick profile
    python -m replications.lee2018.run --corpus ROOT --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from common import cli, compare, faces, postprocess, results, tasks
from common import paper as papers
from datasets import avec2017
from replications.lee2018 import features
from replications.lee2018.experiment import NAME, Corpus, train
from replications.lee2018.features import Unusable

PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = ("fused", "cnn3d-sta", "cnn3d", "khorrami-rnn", "lstm-ta", "lstm", "cnn2d", "khorrami-cnn")  # longest first
CONTROLLED = ("cnn3d-sta", "cnn3d", "lstm-ta", "lstm")  # also trained on the `uniform` control
RESULTS = Path("results")
VERSION = 1  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = papers.load(PAPER)
    overrides = list(arguments.set) + (["precision=mixed_bfloat16"] if arguments.mixed_precision else [])
    settings = papers.settings(paper, arguments.profile, overrides)
    validate(settings)
    declared = papers.settings(paper, arguments.profile)
    changed = [name for name in settings if settings[name] != declared[name] and not paper.settings[name].about_files]
    if changed and arguments.results == RESULTS:
        raise cli.InputError(
            f"{', '.join(changed)}: results of other settings do not mix with the declared ones; give them a folder of "
            f"their own with --results"
        )
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
    done = tasks.run(todo, work, arguments.jobs, arguments.threads)
    print(f"{done} of {len(todo)} results computed, {len(todo) - done} were there; in {arguments.results / NAME}")
    files = [(task.path, results.read(task.path)) for task in todo]
    if arguments.target == paper.protocol.target:
        print(compare.as_text(paper, compare.cells(paper, files)))
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
    parser = argparse.ArgumentParser(
        prog="python -m replications.lee2018.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = os.cpu_count() or 1
    parser.add_argument("--corpus", default="simulated", help="simulated (default), or the folder of AV+EC 2017")
    parser.add_argument(
        "--profile",
        default="quick",
        choices=["quick", "paper"],
        help="quick: minutes on two cores; paper: every stated size",
    )
    parser.add_argument("--target", default="valence", choices=["valence", "arousal"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument(
        "--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS, metavar="NAME", help=", ".join(VARIANTS)
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another choice of the ledger; names stand in paper.toml",
    )
    parser.add_argument(
        "--mixed-precision", action="store_true", help="compute in bfloat16; faster where the processor supports it"
    )
    parser.add_argument("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one")
    parser.add_argument(
        "--skip-unusable",
        action="store_true",
        help="go on without recordings that cannot be used; the report lists them",
    )
    parser.add_argument("--jobs", type=int, default=cores, help="processes (default: one for each core)")
    parser.add_argument("--threads", type=int, help="threads of TensorFlow in each process (default: cores / jobs)")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="one folder for each choice of settings (default: results)"
    )
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="simulated corpora and features")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs is 1 or more")
    if min(arguments.seeds) < 0:
        parser.error("--seeds are 0 or more")
    arguments.seeds = list(dict.fromkeys(arguments.seeds))
    arguments.threads = arguments.threads or max(1, cores // arguments.jobs)
    return arguments


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    zero_allowed = ("label_delay", "dropout")
    for name, value in settings.items():
        numbers = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int | float)]
        if name not in zero_allowed and any(not isinstance(v, bool) and v <= 0 for v in numbers):
            raise cli.InputError(f"setting {name}: {value} is not accepted; give numbers above 0")
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
    for name, (fits, wanted) in rules.items():
        if not fits:
            raise cli.InputError(f"setting {name}: {settings[name]} is not accepted; give {wanted}")


def cache_folder() -> Path:
    return Path(os.environ.get("AVEMOTION_CACHE") or Path.home() / ".cache" / "avemotion")


# ------------------------------------------------------------------------------------------ corpus and features


def prepare(arguments: argparse.Namespace, settings: dict) -> list[Corpus]:
    """The corpus, and for the simulated one its control, with features. Raises InputError, WriteError."""
    landmarks = faces.landmark_file(arguments.landmarks)
    probe_writable(arguments.results)
    if arguments.corpus == "simulated":
        roots = {"simulated": simulate("salient", arguments, settings)}
        if set(arguments.variants) & set(CONTROLLED):
            roots["simulated-uniform"] = simulate("uniform", arguments, settings)
    else:
        root = Path(arguments.corpus)
        made = avec2017.simulation(root)
        control = "-uniform" if made and made["control"] == "uniform" else ""
        roots = {f"simulated{control}" if made else "avec2017": root}
    corpora = []
    for name, root in roots.items():
        recordings, unusable = features.extract(
            avec2017.recordings(root), settings, landmarks, arguments.cache, arguments.jobs
        )
        refuse(unusable, arguments.skip_unusable)
        evidence = "simulated" if name.startswith("simulated") else "real"
        corpora.append(Corpus(name, evidence, avec2017.locate(root), recordings, unusable))
        for partition in ("Train", "Devel"):
            if not corpora[-1].partition(partition):
                raise cli.InputError(
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


def refuse(unusable: list[Unusable], skip: bool) -> None:
    """Name what cannot be used, and stop unless the user said to go on without."""
    for item in unusable:
        print(f"unusable: {item.file}: {item.reason}", file=sys.stderr)
    if unusable and not skip:
        raise cli.InputError(
            f"{unusable[0].file}: {len(unusable)} recording(s) cannot be used (named above); mend them, or go on without them "
            f"with --skip-unusable; features of the others are kept"
        )


def probe_writable(folder: Path) -> None:
    """Raise WriteError before hours of work rather than after."""
    results.write_atomically(folder / ".probe", lambda file: file.write(b""))
    (folder / ".probe").unlink()


# --------------------------------------------------------------------------------------------------- the tasks


def plan(corpus: Corpus, settings: dict, arguments: argparse.Namespace) -> list[tasks.Task]:
    """One task for each variant and seed; the control corpus has those variants whose mechanism it checks."""
    digest = results.digest([VERSION, settings, corpus.digest, [item.recording for item in corpus.unusable]])
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
