"""Real time (Section 4.4: "41 fps"): arousal and valence of a video's frames, while it is being decoded.

    python -m replications.wang2017.realtime                          a simulated clip of ten seconds
    python -m replications.wang2017.realtime VIDEO --out series.csv   any video with a face

One thread decodes, follows the face and aligns it. Meanwhile the networks work on the block before: `clip_step`
frames, one of each phase of the sampling (Section 3.1), which are one batch of the CNN and one step of the LSTM.
Nothing else is kept, so memory does not grow with the video.

The CSV has one row for each frame: time in seconds, arousal, valence, face. Face is 1 where a face was found, 0 where
none was: then the last face found stands in, and before the first one the values are empty. With --every N only
every N-th frame is looked at; face is empty in the others, which repeat the values before them. Rows are written
block by block: an interrupted run leaves whole ones, up to its last block.

Exit codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 results that cannot be written, 130 interrupted.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from common import results, storage
from common.errors import EXIT_INTERRUPTED, InputError, WriteError
from common.evidence.paper import PROFILES
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.media import faces, video
from common.running import cli, options, provenance, tasks
from common.running.parallel import run_ahead
from replications.wang2017 import attributes, engines
from replications.wang2017.attributes import RANDOM
from replications.wang2017.engines import Engine

NAME = "wang2017"
PAPER = Path(__file__).with_name("paper.toml")
TARGETS = ("arousal", "valence")
CLIP_SECONDS, CLIP_FPS, CLIP_SIZE, CLIP_VERSION = 10, 50, (640, 480), 2


def main() -> int:
    arguments = parse()
    import cv2

    tasks.limit_threads(options.count_cores())
    cv2.setNumThreads(1)  # the frames are small, and the networks want the other cores
    landmarks = faces.locate_landmark_file(arguments.landmarks)
    settings = choose_settings(arguments)
    if arguments.weights == RANDOM:
        print("The networks are untrained (--weights random): the speed counts, the values mean nothing.")
    path = arguments.video or simulate_clip(arguments.cache)
    video.measure_duration(path)  # before anything else: whether it is one
    file = locate_record(arguments)
    out = arguments.out or (arguments.video or file).with_suffix(".affect.csv")
    engine, steppers = load(arguments, settings, landmarks)
    try:
        measured = stream(path, out, engine, steppers, settings, landmarks, arguments.every)
    except KeyboardInterrupt:  # `open_table` has said what there is
        return EXIT_INTERRUPTED
    if measured["others"]:
        print(
            f"note: {path}: shows up to {measured['others'] + 1} faces; the largest one was followed", file=sys.stderr
        )
    found = compose_record(arguments, settings, path, engine, measured)
    print(summarise(found))
    print(out)
    if arguments.video is None:  # one clip for all machines: its speed stands in the report
        results.write(file, found)
        print(file)
    return 0


def parse() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        prog=f"python -m replications.{NAME}.realtime",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("video", type=Path, nargs="?", metavar="VIDEO", help="default: a simulated clip")
    add("--out", type=Path, metavar="CSV", help="default: beside the video, as .affect.csv")
    add(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="look at every N-th frame only; 10 is one phase, as in training",
    )
    add(
        "--precision",
        default=engines.FASTEST,
        choices=[engines.FASTEST, *engines.PRECISIONS],
        help=f"in which the CNN computes; default: what is fastest here and agrees with float32 by a CCC of {engines.GOOD} or "
        f"more, on clips of the run that it was not trained on",
    )
    add("--weights", choices=[RANDOM], help="untrained networks, to measure the speed; default: those of the run")
    add("--corpus", default="simulated", help="whose networks: a folder in the results of the run (default: simulated)")
    add("--profile", default="quick", choices=PROFILES)
    add("--landmarks", type=Path, help="dlib's 68-landmark model, instead of the packaged one")
    add("--results", type=Path, default=options.RESULTS)
    add("--cache", type=Path, default=cli.choose_cache_folder())
    arguments = made.parse_args()
    if arguments.video and arguments.out and arguments.video.resolve() == arguments.out.resolve():
        made.error("--out would overwrite the video")
    return arguments


# ------------------------------------------------------------------------------------------------- the networks


def locate_run(arguments: argparse.Namespace) -> Path:
    """The result of the run whose networks are used."""
    return arguments.results / NAME / arguments.corpus / arguments.profile / "all" / "ast-net" / "devel-seed0.json"


def choose_settings(arguments: argparse.Namespace) -> dict:
    """The settings that the networks were trained with, or those of the profile. Raises InputError."""
    if arguments.weights == RANDOM:
        settings = resolve_settings(load_paper(PAPER), arguments.profile)
    elif locate_run(arguments).exists():
        settings = results.read(locate_run(arguments))["settings"]
    else:
        raise InputError(
            f"{locate_run(arguments)}: no trained networks; run `python -m replications.{NAME}.run` first, or measure the "
            f"speed alone with --weights random"
        )
    if arguments.every < 1 or settings["clip_step"] % arguments.every:
        raise InputError(f"--every {arguments.every}: give a divisor of the {settings['clip_step']} frames of a step")
    return settings


def load(arguments: argparse.Namespace, settings: dict, landmarks: Path) -> tuple[Engine, dict]:
    """What computes fc6, and target -> Stepper. Raises InputError, WriteError."""
    import keras

    from replications.wang2017 import models

    keras.utils.set_random_seed(0)
    alone = arguments.precision == "float32"  # compared with nothing
    if arguments.weights == RANDOM:
        restore, identity = partial(attributes.build_network, settings), [RANDOM, attributes.select_settings(settings)]
        stacks = {target: models.build_stack(settings, settings["fc_units"]) for target in TARGETS}
        clip = None if alone else simulate_clip(arguments.cache)
        calibration, heldout = [] if alone else [sample_faces(clip, settings, landmarks)], []
    else:
        record, weights = results.read(locate_run(arguments)), locate_cnn(arguments)
        restore, identity = partial(attributes.restore, weights, settings), [storage.digest_file(weights)]
        trained = results.read_arrays(locate_run(arguments), record)
        stacks = models.restore_stacks(trained, settings, settings["fc_units"])
        calibration, heldout = ([], []) if alone else read_faces(arguments, record)
    steppers = {target: models.Stepper(stacks[target]) for target in TARGETS}
    source = engines.Source(restore, identity, calibration, heldout, steppers, arguments.cache / "attributes")
    return engines.choose(source, arguments.precision, settings["clip_step"] // arguments.every), steppers


def locate_cnn(arguments: argparse.Namespace) -> Path:
    """The weights of the run's CNN in the cache. Raises InputError."""
    return locate_cached(arguments, "attributes", results.read(locate_run(arguments))["cnn"]["file"])


def read_faces(arguments: argparse.Namespace, record: dict) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the run has kept of each recording, those trained on and the others; see features.Features. Raises InputError."""
    names = (record.get("faces", {}).get(part, []) for part in ("trained on", "held out"))
    found = ([_read_array(locate_cached(arguments, "features", name)) for name in some] for some in names)
    calibration, heldout = ([faces for faces in some if len(faces)] for some in found)
    if not (calibration and heldout):
        raise InputError(
            f"{locate_run(arguments)}: has kept no faces to compare with; delete it and run again, or use --precision float32"
        )
    return calibration, heldout


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except storage.UNREADABLE as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it and run again") from error


def locate_cached(arguments: argparse.Namespace, folder: str, name: str) -> Path:
    """A file that the run has left in the cache. Raises InputError."""
    path = arguments.cache / folder / Path(name).name
    if not path.exists():
        raise InputError(
            f"{path}: that file of {locate_run(arguments)} is not in this cache; name the cache of that run with --cache, or "
            f"delete the result and run again"
        )
    return path


def sample_faces(path: Path, settings: dict, landmarks: Path) -> np.ndarray:
    """The first faces (n, size, size, 3) uint8 of a video, one in clip_step frames."""
    frames = align_frames(path, faces.Tracker(landmarks), settings["face_size"], settings["clip_step"], Stages())
    return np.array(list(islice((frame.crop for frame in frames if frame.face), engines.FACES)))


# ------------------------------------------------------------------------------------------------- the pipeline


@dataclass(frozen=True)
class Frame:
    """What is kept of a frame."""

    time: float  # seconds
    face: bool | None  # found; None where it was not looked for
    crop: np.ndarray | None  # (size, size, 3), the last face found up to here; None before the first, or not looked for
    decoded: float  # when, by the clock


class Stages:
    """Seconds of wall time that each stage took; a stage belongs to one thread."""

    def __init__(self):
        self.seconds = Counter()

    @contextmanager
    def timed(self, name: str):
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


def align_frames(path: Path, tracker: faces.Tracker, size: int, every: int, stages: Stages) -> Iterator[Frame]:
    """All frames of a video, every N-th with its face, aligned by the eyes (Section 3.1). Raises InputError."""
    images, crop, index = video.read_frames(path, every), None, 0
    while True:
        with stages.timed("decoding"):
            instant, image = next(images, (None, None))
        if instant is None:
            return
        decoded, looked = time.perf_counter(), index % every == 0
        with stages.timed("faces"):
            points = tracker(image) if looked else None
            if points is not None:
                crop = faces.crop(image, faces.fit_eye_alignment(points, size), size)
        yield Frame(instant, points is not None if looked else None, crop if looked else None, decoded)
        index += 1


def group_blocks(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Frames in blocks of `size`, the last one shorter, from the first face on; those before it one by one."""
    block = []
    for frame in frames:
        block.append(frame)
        if len(block) == size or block[0].crop is None:
            yield block
            block = []
    if block:
        yield block


def stream(
    path: Path, out: Path, engine: Engine, steppers: dict, settings: dict, landmarks: Path, every: int = 1
) -> dict:
    """Predict a video into the CSV `out`, and measure it once everything is loaded.

    Returns the numbers of `frames`, of those `without_face`, of `predictions` (frames that went through the networks)
    and of `others`, the most faces seen beside the one followed; `video_fps`; `seconds` of each stage, which overlap,
    and in `total`; `latency`, from the decoding of a frame to its prediction, median and 95th percentile in seconds.
    A file is decoded as fast as the networks take it: a frame waits for the rest of its block and for the one before.

    Raises InputError, after the gaps are written, for a video without a face, and WriteError.
    """
    from tqdm import tqdm

    size, batch = settings["face_size"], settings["clip_step"] // every
    tracker, stages, latency, others = faces.Tracker(landmarks), Stages(), [], 0
    predict = Networks(engine, steppers, settings, batch, stages)
    tracker(np.zeros((size, size, 3), np.uint8))  # loads dlib's models
    frames, without_face, first = 0, 0, None
    start = time.perf_counter()
    source = run_ahead(group_blocks(align_frames(path, tracker, size, every, stages), settings["clip_step"]))
    with open_table(out) as file, tqdm(unit=" frames", desc=path.name) as bar:
        for block in source:
            looked = [frame for frame in block if frame.face is not None]
            values = None
            if block[0].crop is not None:
                values = predict(looked)
                latency += [time.perf_counter() - frame.decoded for frame in looked]
            file.write("".join(format_rows(block, values, every)))
            file.flush()
            first = block[0].time if first is None else first
            frames += len(block)
            without_face += sum(not frame.face for frame in looked)
            others = max(others, tracker.others)
            bar.update(len(block))
    total = time.perf_counter() - start
    if not latency:
        raise InputError(f"{path}: no face found in {frames} frames; look at the video")
    return {
        "frames": frames,
        "without_face": without_face,
        "predictions": len(latency),
        "others": others,
        "video_fps": (frames - 1) / max(block[-1].time - first, 1e-9),
        "seconds": {**stages.seconds, "total": total},
        "latency": {"median": float(np.median(latency)), "p95": float(np.percentile(latency, 95))},
    }


class Networks:
    """The CNN and the LSTM of each target on one block after the other: at most `batch` frames, one of each phase.

    Where a frame shows no face, fc6 is that of the last one found. With `inference` "clips" the LSTM starts anew every
    `clip_frames` blocks, as it does in scoring, but counted from
    the first face: what comes later cannot be known.
    """

    def __init__(self, engine: Engine, steppers: dict, settings: dict, batch: int, stages: Stages):
        self.embed, self.steppers = engine.embed, steppers
        self.stages, self.batch = stages, batch
        self.clip = settings["clip_frames"] if settings["inference"] == "clips" else np.inf
        blank = np.zeros((settings["face_size"], settings["face_size"], 3), np.uint8)
        self.blocks, self.last = 0, None  # fc6 (fc_units,) of the last face
        self([Frame(0.0, True, blank, 0.0)] * batch)  # what TensorFlow does once is not measured
        self.stages.seconds.clear()
        self.blocks = 0

    def __call__(self, frames: list[Frame]) -> np.ndarray:
        """Frames, n from the first face on -> their arousal and valence (n, 2)."""
        if self.blocks % self.clip == 0:
            for stepper in self.steppers.values():
                stepper.reset()
        self.blocks += 1
        with self.stages.timed("CNN"):
            crops = [frame.crop for frame in frames if frame.face]
            fresh = iter(self.embed(np.stack(crops)) if crops else [])
        features = []
        for frame in frames:
            self.last = next(fresh) if frame.face else self.last
            features.append(self.last)
        filled = np.stack(features)[np.minimum(np.arange(self.batch), len(frames) - 1)]
        with self.stages.timed("LSTM"):
            return np.stack([self.steppers[target](filled) for target in TARGETS], axis=1)[: len(frames)]


@contextmanager
def open_table(path: Path):
    """A new CSV with its header, open for rows; says so if it is left by Ctrl-C. Raises WriteError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="\n") as file:
            file.write(",".join(("time", *TARGETS, "face")) + "\n")
            yield file
    except KeyboardInterrupt:
        print(f"{path}: holds the frames up to here", file=sys.stderr)
        raise
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror}); name another file with --out") from error


def format_rows(block: list[Frame], values: np.ndarray | None, every: int) -> Iterator[str]:
    """The lines of a block; `values` (n, 2) belong to every N-th frame, None stands for no face as yet."""
    for number, frame in enumerate(block):
        shown = [""] * len(TARGETS) if values is None else [f"{value:.6f}" for value in values[number // every]]
        yield ",".join([f"{frame.time:.4f}", *shown, "" if frame.face is None else str(int(frame.face))]) + "\n"


# --------------------------------------------------------------------------------------------------- the report


def locate_record(arguments: argparse.Namespace) -> Path:
    folder = arguments.results / NAME / "measured" / arguments.profile / "all" / "realtime"
    return folder / f"{name_fold(arguments)}-seed0.json"


def name_fold(arguments: argparse.Namespace) -> str:
    """What distinguishes two measurements: how many frames are looked at, and a precision that was asked for."""
    return f"every{arguments.every}" + f"-{arguments.precision}" * (arguments.precision != engines.FASTEST)


def compose_record(arguments: argparse.Namespace, settings: dict, path: Path, engine: Engine, measured: dict) -> dict:
    """The result of a measurement; FPS are the frames of the video per second of wall time, whether looked at or not."""
    return {
        "paper": NAME,
        "corpus": "measured",
        "evidence": "measured",
        "profile": arguments.profile,
        "target": "all",
        "variant": "realtime",
        "fold": name_fold(arguments),
        "seed": 0,
        "settings": settings,
        "settings_digest": storage.digest(settings),
        "corpus_digest": storage.digest_file(path),
        "scores": {"all": {"*": {"FPS": measured["frames"] / measured["seconds"]["total"]}}},
        "weights": arguments.weights or "trained",
        "precision": engine.precision,
        "faces_per_second": engine.speeds,
        "agreement": engine.agreement,
        **measured,
        "provenance": provenance.collect(),
    }


def summarise(measured: dict) -> str:
    seconds, latency = dict(measured["seconds"]), measured["latency"]
    total = seconds.pop("total")
    shares = ", ".join(f"{name} {value / sum(seconds.values()):.1%}" for name, value in seconds.items())
    return (
        f"{measured['frames']} frames in {total:.1f} s: {measured['frames'] / total:.1f} frames per second "
        f"(the video has {measured['video_fps']:.1f}), {measured['predictions'] / total:.1f} predictions per second\n"
        f"{measured['without_face']} of the frames looked at show no face\n"
        f"time of the stages, which overlap: {shares}\n"
        f"from decoding to prediction: median {latency['median']:.2f} s, 95th percentile {latency['p95']:.2f} s\n"
        f"in {measured['precision']}{engines.explain(measured['faces_per_second'], measured['agreement'])}\n"
        f"on {measured['provenance']['processor']}, {options.count_cores()} cores"
    )


def simulate_clip(cache: Path) -> Path:
    """A video of CLIP_SECONDS with a simulated person, written into the cache unless it is there."""
    import av
    import cv2

    from datasets.simulated import corpus, script
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity, draw_nuisance

    path = cache / "corpora" / f"realtime-v{CLIP_VERSION}.avi"
    if path.exists():
        return path
    plan, times = script.write_script(0, "realtime", CLIP_SECONDS), np.arange(CLIP_SECONDS * CLIP_FPS) / CLIP_FPS
    paint, identity = (script.stream(0, "realtime", name) for name in ("paint", "identity"))
    camera, state = Camera(paint, draw_identity(identity)), draw_nuisance(plan, times)
    affect = script.trace_face(plan, times, "salient")

    def encode(file) -> None:
        with av.open(file, "w", format="avi") as container:
            track = corpus.open_stream(container, CLIP_FPS)
            track.width, track.height = CLIP_SIZE
            for index in range(len(times)):
                image = cv2.resize(camera.film(state, index, affect[index])[0], CLIP_SIZE)
                container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(track.encode())

    storage.write_atomically(path, encode)
    return path


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
