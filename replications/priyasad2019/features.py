"""Clips -> segments (Section 3): the speech of a clip, its audio images and faces, and fc6 of VGG19 of both.

What takes long is cached for each clip under the digest of its file and of the settings that shape it. All folds,
networks and seeds share it: nothing here is fitted to a corpus.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio
from common.running.corpora import Unusable, extract_all
from datasets import acted
from datasets.acted import CLASSES
from replications.priyasad2019 import faces, images, vad, vgg19

VERSION = 1  # raise when the features change for the same settings
SETTINGS = (  # on which the features of a clip depend
    *("vad", "vad_window", "vad_step", "vad_low", "vad_high", "vad_threshold", "vad_comparison", "vad_median"),
    *("vad_before", "vad_after", "audio_rate", "image", "image_scaling", "segment_frames", "face_size"),
)
SMALL = ("speech", "span", "starts", "found")  # of a clip's arrays those that every run reads


@dataclass(frozen=True)
class Source:
    """What is used beside the corpus: VGG19's weights ("imagenet", "random" or a file) and the SSD's two files, if any."""

    weights: str
    ssd: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Clip:
    """One clip of n segments, whose features are in `file`.

    `label` is an index into CLASSES. `speech` and `span` (2,) are seconds: where speech was found and what is kept.
    `found` (m,) bool says which of the m frames of the span have a face.
    """

    name: str
    subject: str
    label: int
    video: Path
    file: Path
    speech: np.ndarray
    span: np.ndarray
    starts: np.ndarray  # (n,) seconds from the span's start
    found: np.ndarray
    digest: str


@dataclass(frozen=True)
class Segments:
    """The S segments of all clips of a corpus, clip by clip.

    audio (S, fc6) and faces (F, fc6) float32, both mapped from files; frames (S, 20): which rows of `faces` each
    segment has; clip (S,): the number of its clip; fc7: kernel and bias with which both networks begin.
    """

    audio: np.ndarray
    faces: np.ndarray
    frames: np.ndarray
    clip: np.ndarray
    fc7: tuple[np.ndarray, np.ndarray]


def extract(
    clips: Sequence[acted.Clip], settings: dict, source: Source, shaped: str, cache: Path, jobs: int, threads: int
) -> tuple[list[Clip], list[Unusable]]:
    """All `clips` with their features in the cache, in their order, and those that cannot be used; see `load`.

    Raises InputError for a detector or weights that cannot be used: no clip is to blame for them.
    """
    if not all(locate_cached(clip, shaped, cache).exists() for clip in clips if clip.video.is_file()):
        faces.load_detector(source.ssd, settings["face_confidence"])
        _build_network(tuple(_select_vgg(settings, source).items()))
    work = partial(load, settings=settings, source=source, shaped=shaped, cache=cache)
    return extract_all(clips, work, jobs, threads, "clip")


def load(clip: acted.Clip, settings: dict, source: Source, shaped: str, cache: Path) -> Clip:
    """One clip, its features from the cache or computed into it; `shaped` is what `digest_settings` gives. Raises InputError.

    An entry that is damaged is computed again.
    """
    file = locate_cached(clip, shaped, cache)
    try:
        small = read(file, SMALL)
    except storage.UNREADABLE:
        arrays = compute(clip.video, settings, source)
        storage.write_npz(file, **arrays)
        small = read(file, SMALL)
    label = CLASSES.index(clip.label)
    digest = storage.digest([file.stem, clip.name, clip.subject, label])
    return Clip(clip.name, clip.subject, label, clip.video, file, **small, digest=digest)


def locate_cached(clip: acted.Clip, shaped: str, cache: Path) -> Path:
    """Where the features of a clip are kept. Raises InputError for a clip that cannot be read."""
    return cache / "features" / f"{storage.digest([storage.digest_file(clip.video), shaped])}.npz"


def read(file: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """These arrays of an .npz. Raises one of storage.UNREADABLE."""
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in names}


def digest_settings(settings: dict, source: Source) -> str:
    """A digest of all but the clip itself on which its features depend. Raises InputError."""
    names = ("av", "keras", "numpy", "opencv-python-headless", "scipy", "tensorflow", "tensorflow-io")
    packages = [storage.find_version(name) for name in names]
    detector = faces.identify_detector(source.ssd, settings["face_confidence"])
    chosen = {name: settings[name] for name in SETTINGS}
    return storage.digest([VERSION, chosen, detector, vgg19.identify_weights(_select_vgg(settings, source)), packages])


def _select_vgg(settings: dict, source: Source) -> dict:
    return {name: settings[name] for name in ("vgg_size", "vgg_width", "vgg_fc")} | {"weights": source.weights}


def compute(path: Path, settings: dict, source: Source) -> dict[str, np.ndarray]:
    """The features of one video and where they come from. Raises InputError."""
    rate = settings["audio_rate"]
    sound = audio.read_from_video(path, rate)
    speech, span = find_region(path, sound, settings)
    try:
        pictures, starts = images.cut_segments(vad.cut(sound, rate, span), settings)
    except ValueError as error:  # shorter than a segment
        raise InputError(f"{path}: {error}; leave the clip out") from error
    detect = faces.load_detector(source.ssd, settings["face_confidence"])
    times, crops, found = faces.crop_span(path, *span, detect, settings["face_size"])
    shown = faces.select_segment_frames(times - span[0], starts, images.LENGTH, settings["segment_frames"])
    network = _build_network(tuple(_select_vgg(settings, source).items()))
    return {
        "audio": vgg19.embed(network, pictures),
        "faces": vgg19.embed(network, crops),
        "frames": shown.astype(np.int32),
        "speech": np.array(speech),
        "span": np.array(span),
        "starts": starts,
        "found": found,
    }


def find_region(path: Path, sound: np.ndarray, settings: dict) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the speech is and what is kept of the clip, in seconds (Section 3.1). Raises InputError for no speech."""
    rate = settings["audio_rate"]
    whole = (0.0, len(sound) / rate)
    if settings["vad"] == "off":
        return whole, whole
    speech = vad.find_speech(sound, rate, settings)
    if speech is None:
        raise InputError(f"{path}: no speech is found in it; leave the clip out, or keep all clips with --set vad=off")
    return speech, vad.find_span(sound, rate, settings)


@lru_cache(maxsize=1)
def _build_network(settings: tuple):
    """VGG19, built once for all clips of a process."""
    return vgg19.build_network(dict(settings))


def forget() -> None:
    """Let go of VGG19, which is half a gigabyte at its own size, in a process that goes on without it."""
    _build_network.cache_clear()
    vgg19._trace.cache_clear()


# -------------------------------------------------------------------------------------------- the whole corpus


def join_segments(clips: Sequence[Clip], settings: dict, source: Source, cache: Path) -> Segments:
    """The segments of all clips, in two files of the cache that all tasks read together: no process holds them.

    Raises InputError for a clip whose features are damaged.
    """
    key = storage.digest([VERSION, "joined", [clip.digest for clip in clips]])
    files = [cache / "segments" / f"{key}{end}" for end in (".npz", "-audio.npy", "-faces.npy")]
    try:
        return _map_files(*files)
    except storage.UNREADABLE:
        _write_joined(clips, settings, source, *files)
    return _map_files(*files)


def _map_files(small: Path, sound: Path, picture: Path) -> Segments:
    arrays = read(small, ("frames", "clip", "kernel", "bias"))
    mapped = (np.load(file, mmap_mode="r", allow_pickle=False) for file in (sound, picture))
    return Segments(*mapped, arrays["frames"], arrays["clip"], (arrays["kernel"], arrays["bias"]))


def _write_joined(
    clips: Sequence[Clip], settings: dict, source: Source, small: Path, sound: Path, picture: Path
) -> None:
    frames, owner, rows = [], [], 0
    for number, clip in enumerate(clips):
        frames.append(_read_stored(clip, "frames") + rows)
        rows += len(clip.found)
        owner += [number] * len(frames[-1])
    kernel, bias = vgg19.get_fc7(_build_network(tuple(_select_vgg(settings, source).items())))
    storage.write_atomically(sound, lambda file: _write_all(file, clips, "audio", len(owner)))
    storage.write_atomically(picture, lambda file: _write_all(file, clips, "faces", rows))
    arrays = {"frames": np.concatenate(frames), "clip": np.array(owner), "kernel": kernel, "bias": bias}
    storage.write_npz(small, **arrays)


def _read_stored(clip: Clip, name: str) -> np.ndarray:
    try:
        return read(clip.file, [name])[name]
    except storage.UNREADABLE as error:
        raise InputError(f"{clip.file}: features of {clip.video} are damaged; delete it and run again") from error


def _write_all(file, clips: Sequence[Clip], name: str, rows: int) -> None:
    """One array of all clips behind each other, a clip at a time, as a .npy file."""
    for number, clip in enumerate(clips):
        values = _read_stored(clip, name)
        if number == 0:
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows, values.shape[1])}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(values, "<f4").tobytes())


# -------------------------------------------------------------------------------------------------- one to look at


def make_example(clip: Clip, settings: dict, source: Source, whole: bool) -> dict[str, np.ndarray]:
    """What Figures 1 and 3 show, of one clip: sound, coefficients, voice activity and faces. Raises InputError.

    sound (2, 600) least and largest sample of equal stretches; coefficients (t, 64), one a window of 10 ms; ratio
    (2, n), seconds and Eq. 1; speech and span (2,) seconds; faces (7, size, size, 3) uint8 at face_times. Unless it is
    to be `whole`, there are no faces and 13 coefficients: nobody can be seen or heard in what is left.
    """
    rate = settings["audio_rate"]
    sound = audio.read_from_video(clip.video, rate)
    stretches = np.array_split(sound, 600)
    window, band = settings["vad_window"], (settings["vad_low"], settings["vad_high"])
    arrays = {
        "sound": np.array([[s.min() for s in stretches], [s.max() for s in stretches]]),
        "seconds": np.array(len(sound) / rate),
        "coefficients": images.compute_coefficients(sound, rate, settings["image"])[:, : None if whole else 13],
        "ratio": np.array(vad.compute_speech_ratio(sound, rate, window, settings["vad_step"], band)),
        "speech": clip.speech,
        "span": clip.span,
    }
    if whole:
        detect = faces.load_detector(source.ssd, settings["face_confidence"])
        times, crops, _ = faces.crop_span(clip.video, *clip.span, detect, settings["face_size"])
        (start, end), (first, last) = clip.span, clip.speech
        wanted = [start, (start + first) / 2, *np.linspace(first, last, 5)[1:4], (last + end) / 2, end]
        shown = [np.abs(times - time).argmin() for time in wanted]
        arrays |= {"faces": crops[shown], "face_times": times[shown]}
    return arrays
