"""Replicate Wang and Hsu 2017: faces -> attributes (VGG-16 on FER2013) -> twin LSTMs under ten losses -> CC -> tables.

    python -m replications.wang2017.run                       simulated FER2013, AVEC 2012 and RECOLA, quick profile
    python -m replications.wang2017.run --corpus ROOT --fer2013 fer2013.csv --weights VGG_FACE.caffemodel --profile paper

ROOT holds AVEC 2012 or RECOLA; each is trained and scored on its own. A second call goes on where the first one
stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 results that cannot be written, 130
interrupted.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

from common import storage
from common.errors import InputError
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.media import faces
from common.running import cli, corpora, experiment, options, tasks
from common.running.corpora import Corpus, RawCorpus, Unusable
from datasets import avec2012, fer2013, recola
from datasets.simulate import write_cached
from replications.wang2017 import attributes, features
from replications.wang2017.experiment import BOTH_TARGETS, NAME, TRAINED_ON, train

PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = (  # longest first; the last two stand in Figure 2 only
    "ast-net", "la", "t", "la-t", "la-s", "la-t-s", "la-t-g", "la-t-lo", "la-lo-g", "la-t-lo-g", "la-t-g-s", "la-t-lo-s",
)  # fmt: skip
READERS = {"avec2012": avec2012, "recola": recola}
VERSION = 2  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    paper = load_paper(PAPER)
    kind = "random" if arguments.weights == "random" else "vggface"
    implied = [] if arguments.weights is None else [f"weights={kind}"]
    settings = options.choose_settings(paper, arguments, implied)
    validate(settings)
    check_files(arguments, settings)
    options.probe_writable(arguments.results)
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    found = locate(arguments, settings)
    cnn, report = fine_tune_cnn(arguments, settings, found)
    prepared = prepare(arguments, settings, found, cnn, landmarks)
    planned = plan(prepared, settings, arguments, paper.ceilings)
    work = partial(train, corpora=planned, settings=settings, profile=arguments.profile, cnn=report)
    files = experiment.complete_tasks(planned, work, arguments, NAME)
    print(format_tables(paper, [cell for cell in fill_cells(paper, files) if cell.evidence != "none"]))
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def parse() -> argparse.Namespace:
    parser = options.build_parser(NAME, __doc__, "the folder of AVEC 2012 or of RECOLA", VARIANTS)
    parser.add_argument("--fer2013", type=Path, metavar="FILE", help="fer2013.csv, on which the CNN is fine-tuned")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="VGG-Face as published (.caffemodel, .mat or .h5), or `random` to train the CNN from scratch",
    )
    parser.add_argument("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one")
    return options.parse_arguments(parser)


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    weights = ("trend_weight", "local_weight", "global_weight", "siamese_weight", "cnn_weight_decay", "cnn_momentum")
    options.check_positive(settings, zero_allowed=(*weights, "cnn_dropout", "simulated_test"))
    rules = {
        "face_size": (settings["face_size"] >= 32, "32 or more: the CNN halves it five times"),
        "intervals": (settings["clip_frames"] % settings["intervals"] == 0, "a divisor of clip_frames"),
        "cnn_dropout": (settings["cnn_dropout"] < 1, "less than 1"),
        "cnn_momentum": (settings["cnn_momentum"] < 1, "less than 1"),
    }
    options.check_rules(settings, rules)


def check_files(arguments: argparse.Namespace, settings: dict) -> None:
    """Raise InputError for files of the first stage that are not there."""
    if arguments.corpus != "simulated":
        corpora.find_reader(Path(arguments.corpus), READERS)  # a wrong folder before what else is missing
    if settings["weights"] == "vggface" and not arguments.weights:
        raise InputError(
            "--weights: name the published VGG-Face weights (VGG_FACE.caffemodel, vgg_face.mat or "
            "rcmalli_vggface_tf_vgg16.h5), or train the CNN from scratch with --weights random"
        )
    if settings["weights"] == "vggface" and not Path(arguments.weights).is_file():
        raise InputError(f"{arguments.weights}: no such file; name the published VGG-Face weights with --weights")
    if arguments.fer2013 is None and arguments.corpus != "simulated":
        raise InputError("--fer2013: name fer2013.csv, on which the CNN is fine-tuned; " + fer2013.ACCESS)
    if arguments.fer2013 is not None:
        fer2013.locate(arguments.fer2013)


# ------------------------------------------------------------------------------------------ corpora and attributes


def locate(arguments: argparse.Namespace, settings: dict) -> list[RawCorpus]:
    """The corpus, or both simulated ones, the recordings with labels; before anything that takes long.

    Raises InputError, WriteError.
    """
    found = []
    for corpus in corpora.locate_corpora(arguments.corpus, READERS, lambda: simulate(arguments, settings)):
        recordings = [recording for recording in corpus.recordings if recording.labels]
        if not arguments.skip_unusable:
            corpora.refuse_unusable(find_unreadable(recordings, corpus.reader), skip=False)
        found.append(replace(corpus, recordings=recordings))
    if BOTH_TARGETS not in arguments.variants and all("recola" in corpus.name for corpus in found):
        raise InputError(f"--variants: on RECOLA {BOTH_TARGETS} alone is run (Table 4); add it")
    return found


def simulate(arguments: argparse.Namespace, settings: dict) -> list[Path]:
    """The simulated corpora, from the cache or written into it."""
    seconds = settings["simulated_seconds"]
    sizes = {
        "avec2012": {part: settings[f"simulated_{part}"] for part in ("train", "devel", "test")} | {"seconds": seconds},
        "recola": {  # as many frames as in the other: it has half the frame rate
            "train": settings["simulated_recola"],
            "dev": settings["simulated_recola"],
            "seconds": 2 * seconds,
        },
    }
    return [write_cached(kind, arguments.cache, arguments.jobs, **sizes[kind]) for kind in READERS]


def find_unreadable(recordings: Sequence, reader: ModuleType) -> list[Unusable]:
    """The recordings without their files or with labels that cannot be read: found before hours of training."""
    found = []
    for recording in recordings:
        try:
            features.read_labels(recording, reader)
        except InputError as error:
            found.append(Unusable.of(recording.name, error))
    return found


def fine_tune_cnn(arguments: argparse.Namespace, settings: dict, found: Sequence[RawCorpus]) -> tuple[Path, dict]:
    """Stage 1: the weights of the CNN, from the cache or fine-tuned into it, and what is known of it."""
    from tqdm import tqdm

    images = {"images": settings["simulated_faces"]}
    root = arguments.fer2013 or write_cached("fer2013", arguments.cache, arguments.jobs, **images)
    data, weights = fer2013.read(root), arguments.weights or "random"
    simulated = fer2013.read_simulation(root) is not None
    problems = [f"{root}: is simulated; name the real one"] if simulated else fer2013.check(root)
    if problems and not all(corpus.simulation for corpus in found):  # evidence is real all the way or not at all
        raise InputError(problems[0])
    key = storage.digest([VERSION, attributes.identify_training(settings, data, weights)])
    file = arguments.cache / "attributes" / f"{key}.npz"
    report, checkpoint = file.with_suffix(".json"), file.with_suffix(".checkpoint")
    if not (file.exists() and report.exists()):
        tasks.limit_threads(arguments.threads)  # as in the workers: rounding depends on their number
        bar_format = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
        with tqdm(total=1.0, desc="fine-tuning the CNN", bar_format=bar_format, leave=False) as bar:
            model, measured = attributes.fine_tune(
                settings, data, weights, 0, checkpoint, lambda done: bar.update(done - bar.n)
            )
        attributes.save(file, model)
        made = {"file": file.name, "weights": settings["weights"], "simulated": simulated, "threads": arguments.threads}
        storage.write_json(report, {**made, **measured})
    checkpoint.unlink(missing_ok=True)
    return file, json.loads(report.read_text())


def prepare(
    arguments: argparse.Namespace, settings: dict, found: Sequence[RawCorpus], cnn: Path, landmarks: Path
) -> list[Corpus]:
    """The corpora with their features. Raises InputError, WriteError."""
    prepared = []
    for corpus in found:
        recordings, unusable = features.extract(
            corpus.recordings,
            corpus.reader,
            settings,
            cnn,
            landmarks,
            arguments.cache,
            arguments.jobs,
            arguments.threads,
        )
        corpora.refuse_unusable(unusable, arguments.skip_unusable)
        corpora.require_partitions(corpus, recordings, (TRAINED_ON,))
        prepared.append(Corpus(corpus.name, corpus.reader.locate(corpus.root), recordings, unusable))
    return prepared


# --------------------------------------------------------------------------------------------------- the tasks


def plan(
    prepared: Sequence[Corpus], settings: dict, arguments: argparse.Namespace, ceilings: dict[str, str]
) -> dict[tasks.Task, Corpus]:
    """A task for each variant and seed; the losses are compared on AVEC 2012 only (Table 1)."""

    def skip(corpus: Corpus, variant: str) -> bool:
        return "recola" in corpus.name and variant != BOTH_TARGETS

    return experiment.plan_tasks(
        NAME, VERSION, prepared, settings, arguments, ALL_TARGETS, VARIANTS, ["devel"], ceilings, skip
    )


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
