"""Replicate Lee et al. 2018: corpus -> features -> networks -> AV+EC post-processing -> scores -> tables.

    python -m replications.lee2018.run                       simulated corpus, quick profile
    python -m replications.lee2018.run --corpus ROOT --profile paper

A second call goes on where the first one stopped. Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used,
4 results that cannot be written, 130 interrupted.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from common import cli, compare, faces, metrics, postprocess, results, splits, tasks, training
from common import paper as papers
from datasets import avec2017
from replications.lee2018 import features
from replications.lee2018.features import Features, Unusable

NAME = "lee2018"
PAPER = Path(__file__).with_name("paper.toml")
VARIANTS = ("fused", "cnn3d-sta", "cnn3d", "khorrami-rnn", "lstm-ta", "lstm", "cnn2d", "khorrami-cnn")  # longest first
CONTROLLED = ("cnn3d-sta", "cnn3d", "lstm-ta", "lstm")  # also trained on the `uniform` control
AUDIO_ONLY = ("lstm", "lstm-ta")
RESULTS = Path("results")
VERSION = 1  # raise when results change for the same settings


@dataclass(frozen=True)
class Corpus:
    """A corpus with its features: what a task needs to know."""

    name: str  # simulated, simulated-uniform, avec2017
    evidence: str  # simulated or real
    root: Path
    recordings: list[Features]
    unusable: list[Unusable]

    def partition(self, name: str) -> list[Features]:
        return [recording for recording in self.recordings if recording.partition == name]

    @property
    def digest(self) -> str:
        return results.digest([recording.digest for recording in self.recordings])


def main() -> int:
    arguments = parse()
    paper = papers.load(PAPER)
    overrides = list(arguments.set) + (["precision=mixed_bfloat16"] if arguments.mixed_precision else [])
    settings = papers.settings(paper, arguments.profile, overrides)
    validate(settings)
    if settings != papers.settings(paper, arguments.profile) and arguments.results == RESULTS:
        raise cli.InputError(
            "results of other settings do not mix with the declared ones; give them a folder of their own with --results"
        )
    corpora = prepare(arguments, settings)
    planned = [(task, corpus) for corpus in corpora for task in plan(corpus, settings, arguments)]
    planned.sort(
        key=lambda pair: VARIANTS.index(pair[0].variant)
    )  # the longest first, so that no core waits at the end
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


def train(
    task: tasks.Task,
    progress: Callable[[float], None],
    by_path: dict,
    settings: dict,
    profile: str,
    target: str,
    pooling: str,
) -> None:
    """Train one variant with one seed, score it on the development partition and write the result."""
    training.prepare(task.seed, settings["precision"])
    corpus = by_path[task.path]
    clock = Clock()
    model, history = fitted(task, progress, corpus, settings, target, pooling)
    clock.stop("training")
    training_set, devel = corpus.partition("Train"), corpus.partition("Devel")
    normaliser = Normaliser.fit(training_set)
    scored = {
        name: predicted(model, part, normaliser, settings) for name, part in (("train", training_set), ("devel", devel))
    }
    golds = {"train": golds_of(training_set, settings, target), "devel": golds_of(devel, settings, target)}
    clock.stop("prediction")
    scores, chains, processed = evaluate(scored, golds, settings, pooling)
    mechanism, examples = attended(model, task.variant, corpus, normaliser, settings)
    arrays = {f"time/{r.name}": r.time[features.scored_instants(r, settings)] for r in devel}
    for kind, series in {"gold": golds["devel"], "raw": scored["devel"], "post": processed}.items():
        arrays |= {f"{kind}/{r.name}": s.astype(np.float32) for r, s in zip(devel, series, strict=True)}
    record = {
        "paper": NAME,
        "corpus": corpus.name,
        "evidence": corpus.evidence,
        "profile": profile,
        "target": target,
        "variant": task.variant,
        "fold": task.fold,
        "seed": task.seed,
        "settings": settings,
        "settings_digest": results.digest(settings),
        "corpus_digest": corpus.digest,
        "task_digest": task.digest,
        "scores": scores,
        "postprocess": {name: chain.record() for name, chain in chains.items()},
        "recordings": [dropped(recording, settings) for recording in corpus.recordings],
        "unusable": [item.__dict__ for item in corpus.unusable],
        "architecture": training.architecture(model),
        "parameters": model.count_params(),
        "history": history,
        "seconds": clock.seconds,
        "mechanism": mechanism,
        "provenance": training.provenance(),
    }
    results.write(task.path, record, arrays | examples)
    for checkpoint in task.path.parent.glob(f"{task.path.stem}.*.checkpoint"):
        checkpoint.unlink()


def fitted(task: tasks.Task, progress: Callable, corpus: Corpus, settings: dict, target: str, pooling: str):
    """Build and train the network of a variant (Section 3.1); returns it with its training history."""
    from replications.lee2018 import models

    recordings = corpus.partition("Train")
    held_out = corpus.partition("Devel")
    if settings["stopping"] == "heldout":
        fold = splits.hold_out([recording.name for recording in recordings], 0.15, task.seed)
        held_out = [recording for recording in recordings if recording.name in fold.test]
        recordings = [recording for recording in recordings if recording.name in fold.train]
    normaliser = Normaliser.fit(corpus.partition("Train"))

    def select(model) -> float:
        series = predicted(model, held_out, normaliser=normaliser, settings=settings)
        return metrics.pooled(metrics.ccc, golds_of(held_out, settings, target), series, pooling=pooling)

    def trained(variant: str, start=None):
        model = models.VARIANTS[variant](settings)
        for layer in start or []:
            model.get_layer(layer.name).set_weights(layer.get_weights())
        compile_(model, settings)
        ends = [features.training_clips(recording, settings) for recording in recordings]
        clips = Clips(recordings, ends, model, normaliser, settings, target)
        history = training.fit(
            model,
            clips,
            len(clips),
            epochs=settings["epochs_audio" if variant in AUDIO_ONLY else "epochs_video"],
            batch_size=settings["batch_size"],
            seed=task.seed,
            checkpoint=task.path.with_suffix(f".{variant}.checkpoint"),
            digest=f"{task.digest} {variant}",
            progress=lambda fraction: progress(0.9 * fraction),
            select=None if settings["stopping"] == "fixed" else select,
        )
        return model, history

    if task.variant == "fused" and settings["fused_training"] == "warm_start":
        parts = [trained(variant)[0] for variant in ("lstm-ta", "cnn3d-sta")]
        return trained(
            "fused", [layer for part in parts for layer in part.layers if layer.weights and layer.name != "prediction"]
        )
    return trained(task.variant)


def compile_(model, settings: dict) -> None:
    """Section 3.1: Adam, mean squared error. XLA is off: on CPUs it halves the speed of these networks."""
    import keras

    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "mean_squared_error", jit_compile=False)


@dataclass(frozen=True)
class Normaliser:
    """Mean and deviation (88,) of the audio features over the training partition."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, recordings: list[Features]) -> "Normaliser":
        audio = np.concatenate([recording.audio for recording in recordings]).astype(np.float64)
        deviation = audio.std(axis=0)
        return cls(audio.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        return ((audio - self.mean) / self.deviation).astype(np.float32)


class Clips:
    """Clips that end at grid indices `ends` of each recording; called with indices it returns inputs and targets.

    Frames stay memory-mapped until a batch asks for them.
    """

    def __init__(
        self,
        recordings: list[Features],
        ends: list[np.ndarray],
        model,
        normaliser: Normaliser,
        settings: dict,
        target: str | None,
    ):
        self.recordings = recordings
        self.streams = [tensor.name for tensor in model.inputs]
        self.audio = [normaliser(recording.audio) for recording in recordings] if "audio" in self.streams else None
        self.owner = np.repeat(np.arange(len(recordings)), [len(end) for end in ends])
        self.steps = np.concatenate([features.clip_indices(end, settings) for end in ends])
        self.targets = None
        if target is not None:
            delay = settings["label_delay"]
            self.targets = np.concatenate(
                [features.gold(r, target, end, delay) for r, end in zip(recordings, ends, strict=True)]
            )

    def __len__(self) -> int:
        return len(self.owner)

    def __call__(self, index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        chosen = list(zip(self.owner[index], self.steps[index], strict=True))
        inputs = {}
        if "audio" in self.streams:
            inputs["audio"] = np.stack([self.audio[owner][steps] for owner, steps in chosen])
        if "video" in self.streams:
            inputs["video"] = np.stack([self.recordings[owner].faces[steps] for owner, steps in chosen])
        targets = None if self.targets is None else self.targets[index, None].astype(np.float32)
        return inputs, targets


# --------------------------------------------------------------------------------------------------- the scores


def predicted(model, recordings: list[Features], normaliser: Normaliser, settings: dict) -> list[np.ndarray]:
    """The scores of each recording at its scored instants; those without a face are interpolated (Section 3.1)."""
    ends = [features.scored_instants(recording, settings) for recording in recordings]
    clips = Clips(recordings, ends, model, normaliser, settings, None)
    scores = training.predict(model, clips, len(clips), settings["batch_size"])
    series = np.split(scores[:, 0].astype(np.float64), np.cumsum([len(end) for end in ends])[:-1])
    if "video" in clips.streams:
        series = [features.without_dropped(s, r.found[end]) for s, r, end in zip(series, recordings, ends, strict=True)]
    # trained on labels from label_delay later, the scores belong that much later
    return [postprocess.Shift(settings["label_delay"]).apply(s, settings["score_hop"]) for s in series]


def golds_of(recordings: list[Features], settings: dict, target: str) -> list[np.ndarray]:
    return [features.gold(recording, target, features.scored_instants(recording, settings)) for recording in recordings]


def evaluate(scored: dict, golds: dict, settings: dict, pooling: str) -> tuple[dict, dict, list[np.ndarray]]:
    """Scores of the development partition without and with post-processing, fitted on it and on the training partition.

    `pooling` is that of the CCC that decides on the steps. Returns scores[fitted on][pooling][metric], the fitted
    chains, and the series after the chain fitted on devel. Where training has diverged to NaN, scores are None.
    """
    if not all(np.isfinite(s).all() for part in scored.values() for s in part):
        nothing = {"RMSE": None, "CC": None, "CCC": None}
        scores = {name: {"per_recording": nothing, "concatenated": nothing} for name in ("none", "devel", "train")}
        return scores, {}, scored["devel"]
    chains = {
        name: postprocess.fit(
            scored[name],
            golds[name],
            hop=settings["score_hop"],
            pooling=pooling,
            fitted_on=name,
            steps=tuple(settings["postprocess_steps"]),
            variance=settings["variance"],
        )
        for name in ("devel", "train")
    }
    series = {"none": scored["devel"], **{name: chain.apply(scored["devel"]) for name, chain in chains.items()}}
    scores = {
        name: {pooling: score(golds["devel"], s, pooling, settings) for pooling in ("per_recording", "concatenated")}
        for name, s in series.items()
    }
    return scores, chains, series["devel"]


def score(golds: list[np.ndarray], series: list[np.ndarray], pooling: str, settings: dict) -> dict[str, float | None]:
    values = {
        "RMSE": metrics.pooled(metrics.rmse, golds, series, pooling=pooling),
        "CC": metrics.pooled(metrics.cc, golds, series, pooling=pooling, variance=settings["variance"]),
        "CCC": metrics.pooled(metrics.ccc, golds, series, pooling=pooling, variance=settings["variance"]),
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def attended(model, variant: str, corpus: Corpus, normaliser: Normaliser, settings: dict) -> tuple[dict | None, dict]:
    """The mechanism check of an attention network on a corpus whose truth is known, and arrays for its figure."""
    import keras

    from replications.lee2018 import mechanism

    layer = {"lstm-ta": "temporal_attention", "cnn3d-sta": "spatial_attention"}.get(variant)
    if layer is None or not (corpus.root / "truth").is_dir():
        return None, {}
    devel = corpus.partition("Devel")
    view = keras.Model(model.inputs, model.get_layer(layer).output)
    ends = [mechanism.clip_ends(recording, settings) for recording in devel]
    clips = Clips(devel, ends, model, normaliser, settings, None)
    maps = training.predict(view, clips, len(clips), settings["batch_size"])
    maps = np.split(maps.astype(np.float32), np.cumsum([len(end) for end in ends])[:-1])
    check = mechanism.temporal if variant == "lstm-ta" else mechanism.spatial
    numbers, examples = check(devel, maps, settings, corpus.root / "truth")
    return {layer.split("_")[0]: numbers}, examples


def dropped(recording: Features, settings: dict) -> dict:
    """How many of the frames that were looked at show no face, and how many instants are scored."""
    return {
        "name": recording.name,
        "labels": len(features.scored_instants(recording, settings)),
        "frames": len(recording.found),
        "frames_without_face": int((~recording.found).sum()),
    }


class Clock:
    """Seconds of wall time between stops."""

    def __init__(self):
        self.seconds, self.last = {}, time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self.last, 2)
        self.last = now


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
