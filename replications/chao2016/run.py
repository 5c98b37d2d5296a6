"""Replicate Chao et al. 2016: clips -> YAAFE, landmarks, pool5 -> alignment and perception attention -> accuracy -> tables.

    python -m replications.chao2016.run                       simulated AFEW and SFEW, quick profile
    python -m replications.chao2016.run --corpus AFEW --sfew SFEW --weights FILE --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS, CONTROL
from common.evidence.skill import judge_skills
from common.evidence.text import format_tables, summarise_skills
from common.media import faces
from common.running import cli, corpora, experiment, options, tasks
from common.running.corpora import Corpus, RawCorpus
from datasets import afew, sfew
from datasets.simulate import write_cached
from replications.chao2016 import features, selection, yaafe
from replications.chao2016.experiment import NAME, train
from replications.chao2016.features import CNN, FITTED_ON

PAPER = Path(__file__).with_name("paper.toml")
READERS = {"afew": afew}
VARIANTS = ("proposed", "average", "last", "pool5")  # longest first
CONTROLLED = ("proposed", "average")  # also trained on the `uniform` control
RANDOM = "random"  # instead of a weights file
# of the CNN's own training, in paper.toml for train_cnn; nothing here depends on them
TRAINING = (
    *("cnn_identities", "cnn_dropout", "cnn_weight_decay", "cnn_momentum", "cnn_learning_rate", "cnn_batch"),
    *("cnn_iterations", "cnn_step", "cnn_step_factor"),
)
VERSION = 2  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    check_set(arguments)
    paper = load_paper(PAPER)
    kind = "random" if arguments.weights == RANDOM else "faces"
    implied = [] if arguments.weights is None else [f"cnn_weights={kind}"]
    settings = options.choose_settings(paper, arguments, implied)
    for name in TRAINING:
        settings.pop(name)
    validate(settings)
    check_files(arguments, settings)
    options.probe_writable(arguments.results)
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    found = locate(arguments, settings)
    cnn, report = choose_appearance(arguments, settings, found)
    prepared, left_out = prepare(arguments, settings, found, cnn, landmarks)
    planned = plan(prepared, settings, arguments, paper.ceilings)
    work = partial(train, corpora=planned, settings=settings, profile=arguments.profile, cnn=report, left_out=left_out)
    files = experiment.complete_tasks(planned, work, arguments, NAME)
    cells = [cell for cell in fill_cells(paper, files) if cell.evidence != "none"]
    print(format_tables(paper, cells) if cells else "The control fills no table; `python -m reports.build` shows it.")
    print(summarise_skills(judge_skills(paper, files)))
    return 0


def parse() -> argparse.Namespace:
    parser = options.build_parser(NAME, __doc__, "the folder of AFEW 5.0 (EmotiW 2015)", VARIANTS)
    add = parser.add_argument
    add("--sfew", type=Path, metavar="DIR", help="the folder of SFEW 2.0, on which features are selected")
    add(
        "--weights",
        metavar="FILE",
        help="the CNN of the faces: a .caffemodel, or what `python -m replications.chao2016.train_cnn` wrote, or `random`",
    )
    add("--test-labels", type=Path, metavar="FILE", help="lines of clip,class for the test partition, if you have them")
    add("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one; for faces=dlib")
    return options.parse_arguments(parser)


def check_set(arguments: argparse.Namespace) -> None:
    """Raise InputError for a setting that only train_cnn reads: here it would do nothing."""
    for name in (override.partition("=")[0].strip() for override in arguments.set):
        if name in TRAINING:
            raise InputError(f"setting {name}: is of the CNN's training; give it to replications.chao2016.train_cnn")


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    options.check_positive(settings, zero_allowed=("dropout", "weight_decay", "face_units"))
    pooled = 36 * 2 * max(1, round(128 * settings["cnn_width"]))  # as caffenet has it, whose import loads Keras
    sound = sum(yaafe.count_columns().values())
    rules = {
        "dropout": (settings["dropout"] < 1, "less than 1"),
        "selected": (settings["selected"] <= pooled, f"at most {pooled}, what pool5 has at this cnn_width"),
        "audio_dimensions": (settings["audio_dimensions"] <= sound, f"at most {sound}"),
        "shape_dimensions": (settings["shape_dimensions"] <= 2 * len(faces.INNER), f"at most {2 * len(faces.INNER)}"),
    }
    options.check_rules(settings, rules)


def check_files(arguments: argparse.Namespace, settings: dict) -> None:
    """Raise InputError for what a real corpus, or the settings, need beside it."""
    if not arguments.weights and (arguments.corpus != "simulated" or settings["cnn_weights"] != RANDOM):
        raise InputError(
            "--weights: name the weights of the CNN (.caffemodel or .npz; "
            "`python -m replications.chao2016.train_cnn` makes them from faces), or go without with --weights random"
        )
    if arguments.weights not in (None, RANDOM) and not Path(arguments.weights).is_file():
        raise InputError(f"{arguments.weights}: no such file; --weights names a .caffemodel or .npz, or `random`")
    if arguments.corpus != "simulated" and arguments.sfew is None:
        raise InputError("--sfew: name the folder of SFEW 2.0, on which features are selected; " + sfew.ACCESS)


# ---------------------------------------------------------------------------------------- corpora and features


def locate(arguments: argparse.Namespace, settings: dict) -> list[RawCorpus]:
    """The corpus, and for the simulated one its control, its clips with all labels that are known.

    Raises InputError, WriteError.
    """
    found = []
    for corpus in corpora.locate_corpora(arguments.corpus, READERS, lambda: simulate(arguments, settings)):
        written = corpus.simulation and corpus.simulation["test"]
        known = afew.locate(corpus.root) / "truth" / "test_labels.csv" if written else None
        labels = arguments.test_labels or known
        clips = label_test_clips(corpus.recordings, labels) if labels else corpus.recordings
        found.append(replace(corpus, recordings=clips))
    return found


def simulate(arguments: argparse.Namespace, settings: dict) -> list[Path]:
    """The simulated corpus, and its control where it is trained on, from the cache or written into it."""
    controls = ["salient"] + (["uniform"] if set(arguments.variants) & set(CONTROLLED) else [])
    sizes = {part: settings[f"simulated_{part}"] for part in ("train", "val", "test", "longest")}
    return [write_cached("afew", arguments.cache, arguments.jobs, control=c, **sizes) for c in controls]


def label_test_clips(clips: list[afew.Clip], path: Path) -> list[afew.Clip]:
    """The clips, those of the test partition with their labels from `path`. Raises InputError."""
    labels = afew.read_test_labels(path)
    names = {clip.name.partition("/")[2] for clip in clips if clip.partition == "Test"}
    if labels.keys() != names:
        odd = min(labels.keys() ^ names)
        raise InputError(f"{path}: {odd} is {'not there' if odd in names else 'no test clip'}; name each clip once")
    return [
        replace(clip, label=labels[clip.name.partition("/")[2]]) if clip.partition == "Test" else clip for clip in clips
    ]


def choose_appearance(arguments: argparse.Namespace, settings: dict, found: Sequence[RawCorpus]) -> tuple[CNN, dict]:
    """Section 3.2: which columns of pool5 the forest keeps, from the cache or selected into it, and a report."""
    sizes = {"train": settings["simulated_faces"], "val": 0}
    root = arguments.sfew or write_cached("sfew", arguments.cache, arguments.jobs, **sizes)
    simulated = sfew.read_simulation(root) is not None
    if simulated and not all(corpus.simulation for corpus in found):  # evidence is real all the way or not at all
        raise InputError(f"{root}: is simulated; name the real SFEW with --sfew")
    static = [face for face in sfew.list_recordings(root) if face.partition == FITTED_ON]
    if lacking := [label for label in sfew.CLASSES if label not in {face.label for face in static}]:
        raise InputError(f"{root}: no training faces of {', '.join(lacking)}; see `python -m datasets.check sfew`")
    weights = arguments.weights or RANDOM
    shape = {name: settings[name] for name in ("cnn_order", "cnn_width")}
    shape |= {"cnn_dropout": 0.0, "cnn_weight_decay": 0.0}
    chosen = {name: settings[name] for name in ("selected", "forest_trees")}
    files = [(storage.digest_file(face.path), face.label) for face in static]
    drawn = RANDOM if weights == RANDOM else storage.digest_file(Path(weights))
    packages = [storage.find_version(name) for name in ("opencv-python-headless", "scikit-learn", "tensorflow")]
    key = storage.digest([features.VERSION, shape, drawn, chosen, files, packages])
    file = arguments.cache / "appearance" / f"{key}.npy"
    report = file.with_suffix(".json")
    if not (file.exists() and report.exists()):
        tasks.limit_threads(arguments.threads)  # as in the workers: rounding depends on their number
        pooled = embed_faces(static, weights, shape)
        indices = select_columns(pooled, static, settings, arguments.jobs)
        storage.write_npy(file, indices)
        made = {"weights": RANDOM if weights == RANDOM else Path(weights).name, "faces": len(static)}
        storage.write_json(report, {**made, "simulated": simulated, "pool5": pooled.shape[1], "selected": len(indices)})
    return CNN(weights, tuple(sorted(shape.items())), file), json.loads(report.read_text())


def embed_faces(static: list[sfew.Face], weights: str, shape: dict) -> np.ndarray:
    """Features (faces, 9216) of the static faces. Raises InputError."""
    from tqdm import tqdm

    from replications.chao2016 import caffenet  # here: it loads TensorFlow, whose threads have been set by now

    network = caffenet.build_network(shape)
    caffenet.load(network, weights)
    images = (sfew.read(face.path) for face in tqdm(static, desc="pool5 of SFEW", unit="face", leave=False))
    return caffenet.embed(network, images)


def select_columns(pooled: np.ndarray, static: list[sfew.Face], settings: dict, jobs: int) -> np.ndarray:
    """The columns that the random forest keeps (Section 3.2)."""
    labels = np.array([sfew.CLASSES.index(face.label) for face in static])
    return selection.select(pooled, labels, settings, jobs=jobs)


def prepare(
    arguments: argparse.Namespace, settings: dict, found: Sequence[RawCorpus], cnn: CNN, landmarks: Path
) -> tuple[list[Corpus], dict[str, list[str]]]:
    """The corpora with whitened features, and by corpus the clips that were left out for want of a face.

    Of those, training and validation clips are left out, as in the paper, whose percentages are of 711 and 371 clips;
    test clips are all scored. Raises InputError, WriteError.
    """
    prepared, left_out = [], {}
    for corpus in found:
        clips, unusable = features.extract(
            corpus.recordings, settings, cnn, landmarks, arguments.cache, arguments.jobs, arguments.threads
        )
        corpora.refuse_unusable(unusable, arguments.skip_unusable)
        faceless = [clip.name for clip in clips if clip.partition != "Test" and not clip.found.any()]
        clips = [clip for clip in clips if clip.name not in faceless]
        corpora.require_partitions(corpus, clips, (FITTED_ON, "Val"))
        prepared.append(Corpus(corpus.name, afew.locate(corpus.root), features.whiten(clips, settings), unusable))
        left_out[corpus.name] = faceless
        if faceless:
            print(f"{corpus.name}: left out, without a face: {', '.join(faceless)}", file=sys.stderr)
    return prepared, left_out


# --------------------------------------------------------------------------------------------------- the tasks


def plan(
    prepared: Sequence[Corpus], settings: dict, arguments: argparse.Namespace, ceilings: dict[str, str]
) -> dict[tasks.Task, Corpus]:
    """A task for each variant and seed; the control corpus has those variants whose mechanism it checks."""

    def skip(corpus: Corpus, variant: str) -> bool:
        is_control = corpus.name == CONTROL and arguments.corpus == "simulated"
        return is_control and variant not in CONTROLLED

    return experiment.plan_tasks(
        NAME, VERSION, prepared, settings, arguments, ALL_TARGETS, VARIANTS, ["val"], ceilings, skip
    )


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
