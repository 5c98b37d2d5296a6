"""Replicate Chao et al. 2016: clips -> YAAFE, landmarks, pool5 -> alignment and perception attention -> accuracy -> tables.

    python -m replications.chao2016.run                       simulated AFEW and SFEW, quick profile
    python -m replications.chao2016.run --corpus AFEW --sfew SFEW --weights FILE --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.evidence.cells import fill_cells
from common.evidence.reading import load_paper
from common.evidence.runs import ALL_TARGETS, CONTROL
from common.evidence.text import format_tables
from common.media import faces
from common.running import cli, experiment, tasks
from common.running.experiment import Corpus
from datasets import afew, sfew
from replications.chao2016 import features, selection, yaafe
from replications.chao2016.experiment import NAME, train
from replications.chao2016.features import CNN, FITTED_ON

PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = ("proposed", "average", "last", "pool5")  # longest first
CONTROLLED = ("proposed", "average")  # also trained on the `uniform` control
RANDOM = "random"  # instead of a weights file
# of the CNN's own training, in paper.toml for train_cnn; nothing here depends on them
TRAINING = (
    *("cnn_identities", "cnn_dropout", "cnn_weight_decay", "cnn_momentum", "cnn_learning_rate", "cnn_batch"),
    *("cnn_iterations", "cnn_step", "cnn_step_factor"),
)
VERSION = 1  # raise when results change for the same settings


def main() -> int:
    arguments = parse()
    check_set(arguments)
    paper = load_paper(PAPER)
    given = [] if arguments.weights is None else [f"cnn_weights={'random' if arguments.weights == RANDOM else 'faces'}"]
    settings = experiment.settings_of(paper, arguments, given)
    for name in TRAINING:
        settings.pop(name)
    validate(settings)
    check_files(arguments, settings)
    experiment.probe_writable(arguments.results)
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    sources = located(arguments, settings)
    cnn, report = appearance(arguments, settings, sources)
    corpora, left_out = prepare(arguments, settings, sources, cnn, landmarks)
    planned = [(task, corpus) for corpus in corpora for task in plan(corpus, settings, arguments)]
    planned.sort(key=lambda pair: VARIANTS.index(pair[0].variant))
    todo = [task for task, _ in planned]
    by_path = {task.path: corpus for task, corpus in planned}
    work = partial(train, by_path=by_path, settings=settings, profile=arguments.profile, cnn=report, left_out=left_out)
    files = experiment.completed(todo, work, arguments, NAME)
    found = [cell for cell in fill_cells(paper, files) if cell.evidence != "none"]
    print(format_tables(paper, found) if found else "The control fills no table; `python -m reports.build` shows it.")
    return 0


def parse() -> argparse.Namespace:
    parser = experiment.parser(NAME, __doc__, "the folder of AFEW 5.0 (EmotiW 2015)", VARIANTS)
    add = parser.add_argument
    add("--sfew", type=Path, metavar="DIR", help="the folder of SFEW 2.0, on which features are selected")
    add(
        "--weights",
        metavar="FILE",
        help="the CNN of the faces: a .caffemodel, or what `python -m replications.chao2016.train_cnn` wrote, or `random`",
    )
    add("--test-labels", type=Path, metavar="FILE", help="lines of clip,class for the test partition, if you have them")
    add("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one; for faces=dlib")
    return experiment.parse(parser)


def check_set(arguments: argparse.Namespace) -> None:
    """Raise InputError for a setting that only train_cnn reads: here it would do nothing."""
    for name in (override.partition("=")[0].strip() for override in arguments.set):
        if name in TRAINING:
            raise InputError(f"setting {name}: is of the CNN's training; give it to replications.chao2016.train_cnn")


def validate(settings: dict) -> None:
    """Raise InputError for settings that fit no network, before anything is computed."""
    experiment.check_positive(settings, zero_allowed=("dropout", "weight_decay", "face_units"))
    pooled = 36 * 2 * max(1, round(128 * settings["cnn_width"]))  # as caffenet has it, whose import loads Keras
    sound = sum(yaafe.count_columns().values())
    rules = {
        "dropout": (settings["dropout"] < 1, "less than 1"),
        "selected": (settings["selected"] <= pooled, f"at most {pooled}, what pool5 has at this cnn_width"),
        "audio_dimensions": (settings["audio_dimensions"] <= sound, f"at most {sound}"),
        "shape_dimensions": (settings["shape_dimensions"] <= 2 * len(faces.INNER), f"at most {2 * len(faces.INNER)}"),
    }
    experiment.check_rules(settings, rules)


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


@dataclass(frozen=True)
class Found:
    """A corpus before its features: where it is, its clips with all labels that are known, what the simulator noted."""

    root: Path
    clips: list[afew.Clip]
    simulation: dict | None

    @property
    def name(self) -> str:
        """In results: that of the paper.toml, simulated, or simulated-uniform for the control."""
        if not self.simulation:
            return "afew"
        return "simulated-uniform" if self.simulation["control"] == "uniform" else "simulated"


def located(arguments: argparse.Namespace, settings: dict) -> list[Found]:
    """The corpus, and for the simulated one its control. Raises InputError, WriteError."""
    if arguments.corpus == "simulated":
        controls = ["salient"] + (["uniform"] if set(arguments.variants) & set(CONTROLLED) else [])
        roots = [simulate("afew", arguments, settings, control=control) for control in controls]
    else:
        roots = [Path(arguments.corpus)]
    found = []
    for root in roots:
        clips, made = afew.list_recordings(root), afew.read_simulation(root)
        known = afew.locate(root) / "truth" / "test_labels.csv" if made and made["test"] else None
        labels = arguments.test_labels or known
        found.append(Found(root, labelled(clips, labels) if labels else clips, made))
    return found


def labelled(clips: list[afew.Clip], path: Path) -> list[afew.Clip]:
    """The clips, those of the test partition with their labels from `path`. Raises InputError."""
    labels = afew.read_test_labels(path)
    names = {clip.name.partition("/")[2] for clip in clips if clip.partition == "Test"}
    if labels.keys() != names:
        odd = min(labels.keys() ^ names)
        raise InputError(f"{path}: {odd} is {'not there' if odd in names else 'no test clip'}; name each clip once")
    return [
        replace(clip, label=labels[clip.name.partition("/")[2]]) if clip.partition == "Test" else clip for clip in clips
    ]


def appearance(arguments: argparse.Namespace, settings: dict, corpora: list[Found]) -> tuple[CNN, dict]:
    """Section 3.2: which columns of pool5 the forest keeps, from the cache or selected into it, and a report."""
    root = arguments.sfew or simulate("sfew", arguments, settings)
    simulated = sfew.read_simulation(root) is not None
    if simulated and not all(corpus.simulation for corpus in corpora):  # evidence is real all the way or not at all
        raise InputError(f"{root}: is simulated; name the real SFEW with --sfew")
    static = [face for face in sfew.list_recordings(root) if face.partition == FITTED_ON]
    if lacking := [label for label in sfew.CLASSES if label not in {face.label for face in static}]:
        raise InputError(f"{root}: no training faces of {', '.join(lacking)}; see `python -m datasets.check sfew`")
    weights = arguments.weights or RANDOM
    shape = {name: settings[name] for name in ("cnn_order", "cnn_width")} | {
        "cnn_dropout": 0.0,
        "cnn_weight_decay": 0.0,
    }
    chosen = {name: settings[name] for name in ("selected", "forest_trees")}
    files = [(storage.digest_file(face.path), face.label) for face in static]
    drawn = RANDOM if weights == RANDOM else storage.digest_file(Path(weights))
    packages = [metadata.version(name) for name in ("opencv-python-headless", "scikit-learn", "tensorflow")]
    key = storage.digest([VERSION, shape, drawn, chosen, files, packages])
    file = arguments.cache / "appearance" / f"{key}.npy"
    report = file.with_suffix(".json")
    if not (file.exists() and report.exists()):
        tasks.limit_threads(arguments.threads)  # as in the workers: rounding depends on their number
        pooled = pool5(static, weights, shape)
        indices = selected(pooled, static, settings, arguments.jobs)
        storage.write_atomically(file, lambda target: np.save(target, indices))
        made = {"weights": RANDOM if weights == RANDOM else Path(weights).name, "faces": len(static)}
        storage.write_json(report, {**made, "simulated": simulated, "pool5": pooled.shape[1], "selected": len(indices)})
    return CNN(weights, tuple(sorted(shape.items())), file), json.loads(report.read_text())


def pool5(static: list[sfew.Face], weights: str, shape: dict) -> np.ndarray:
    """Features (faces, 9216) of the static faces. Raises InputError."""
    from tqdm import tqdm

    from replications.chao2016 import caffenet  # here: it loads TensorFlow, whose threads have been set by now

    network = caffenet.build_network(shape)
    caffenet.load(network, weights)
    images = (sfew.read(face.path) for face in tqdm(static, desc="pool5 of SFEW", unit="face", leave=False))
    return caffenet.embed(network, images)


def selected(pooled: np.ndarray, static: list[sfew.Face], settings: dict, jobs: int) -> np.ndarray:
    """The columns that the random forest keeps (Section 3.2)."""
    labels = np.array([sfew.CLASSES.index(face.label) for face in static])
    return selection.select(pooled, labels, settings, jobs=jobs)


def prepare(
    arguments, settings: dict, found: list[Found], cnn: CNN, landmarks: Path
) -> tuple[list[Corpus], dict[str, list[str]]]:
    """The corpora with whitened features, and by corpus the clips that were left out for want of a face.

    Of those, training and validation clips are left out, as in the paper, whose percentages are of 711 and 371 clips;
    test clips are all scored. Raises InputError, WriteError.
    """
    corpora, left_out = [], {}
    for corpus in found:
        clips, unusable = features.extract(
            corpus.clips, settings, cnn, landmarks, arguments.cache, arguments.jobs, arguments.threads
        )
        experiment.refuse(unusable, arguments.skip_unusable)
        faceless = [clip.name for clip in clips if clip.partition != "Test" and not clip.found.any()]
        clips = [clip for clip in clips if clip.name not in faceless]
        for partition in (FITTED_ON, "Val"):
            if not any(clip.partition == partition for clip in clips):
                raise InputError(
                    f"{corpus.root}: no usable {partition} clip; see `python -m datasets.check afew {corpus.root}`"
                )
        corpora.append(Corpus(corpus.name, afew.locate(corpus.root), features.whiten(clips, settings), unusable))
        left_out[corpus.name] = faceless
        if faceless:
            print(f"{corpus.name}: left out, without a face: {', '.join(faceless)}", file=sys.stderr)
    return corpora, left_out


def simulate(name: str, arguments: argparse.Namespace, settings: dict, **options) -> Path:
    """Write a simulated corpus into the cache, unless it is there."""
    import importlib

    writer = importlib.import_module(f"datasets.simulated.{name}")
    sizes = {
        "afew": {part: settings[f"simulated_{part}"] for part in ("train", "val", "test", "longest")},
        "sfew": {"train": settings["simulated_faces"], "val": 0},
    }[name]
    options |= sizes
    words = "-".join(f"{key}{value}" for key, value in options.items())
    root = arguments.cache / "corpora" / f"{name}-v{writer.VERSION}-{words}"
    writer.write(root, jobs=arguments.jobs, **options)
    return root


# --------------------------------------------------------------------------------------------------- the tasks


def plan(corpus: Corpus, settings: dict, arguments: argparse.Namespace) -> list[tasks.Task]:
    """One task for each variant and seed; the control corpus has those variants whose mechanism it checks."""
    digest = storage.digest([VERSION, settings, corpus.digest, [item.recording for item in corpus.unusable]])
    folder = arguments.results / NAME / corpus.name / arguments.profile / ALL_TARGETS
    variants = [name for name in VARIANTS if name in arguments.variants]
    if corpus.name == CONTROL and arguments.corpus == "simulated":
        variants = [name for name in variants if name in CONTROLLED]
    return [
        tasks.Task(variant, "val", seed, folder / variant / f"val-seed{seed}.json", digest)
        for seed in arguments.seeds
        for variant in variants
    ]


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
