"""Recordings -> one audio and one visual array on the label grid (Section IV-B).

Low-level, 386 audio dimensions: low-level descriptors (LLD), 23 of eGeMAPS and 39 MFCC; their means and standard
deviations in windows of 4 s; bags of 100 words of each. 153 visual dimensions: the same of 17 action units and
OpenFace's confidence. Deep, 11136 and 6144 dimensions: `deep.py`.

A kind of features that the challenge provides is read from its files, and then each recording must have it; other
kinds are computed, from audio, from the CSV of OpenFace, or from the LLD. Features are cached under the digest of the
files and of the settings that shape them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio
from common.running.experiment import Unusable
from common.running.parallel import parallel
from datasets import avec2019, openface, sewa
from replications.raju2021 import bags

VERSION = 1  # raise when the features change for the same settings
HOP = sewa.LABEL_HOP
TOLERANCE = 1e-4  # seconds; times that differ by less are the same
STREAMS = {"audio": ("egemaps", "mfcc"), "visual": ("aus",)}
WIDTH = {**audio.LLD, "aus": 1 + len(openface.ACTION_UNITS)}  # confidence is the first column of "aus"
STANDARDISED = ("egemaps", "mfcc")  # before bags are made of them
FRAME_SETTINGS = ("audio_rate", "resample")
BAG_SETTINGS = ("bag_size", "codebook_seed")
GRID_SETTINGS = ("lld_to_grid", "summary_window")


@dataclass(frozen=True)
class Features:
    """One recording on the label grid of n instants; row i belongs to label i.

    audio (n, Da) and visual (n, Dv) float32, memory-mapped; labels: the gold standard; digest: of all that these
    depend on.
    """

    name: str
    partition: str
    culture: str
    audio: np.ndarray
    visual: np.ndarray
    labels: sewa.Labels
    digest: str


def extract(
    recordings: list[avec2019.Recording], settings: dict, cache: Path, jobs: int
) -> tuple[list[Features], list[Unusable]]:
    """Features of all `recordings`, in their order, and those that cannot be used. Shows progress.

    settings: features ("low-level", "deep", or "both" beside each other), audio_rate, resample, lld_to_grid,
    summary_window, bag_size, codebook_seed, video_composition.
    Raises InputError when there is no training recording to make a codebook from.
    """
    extractors = {
        "low-level": [low_level_features],
        "deep": [deep_features],
        "both": [low_level_features, deep_features],
    }[settings["features"]]
    files, unusable = [], {}
    for extractor in extractors:
        found, refused = extractor(recordings, settings, cache, jobs)
        files.append(found)
        unusable = {item.recording: item for item in refused} | unusable
    usable = [recording for recording in recordings if recording.name not in unusable]
    return [_load(recording, [found[recording.name] for found in files], cache) for recording in usable], [
        unusable[recording.name] for recording in recordings if recording.name in unusable
    ]


def _load(recording: avec2019.Recording, files: list[dict[str, Path]], cache: Path) -> Features:
    joined = {modality: _join([found[modality] for found in files], cache) for modality in STREAMS}
    return Features(
        name=recording.name,
        partition=recording.partition,
        culture=recording.culture,
        labels=sewa.read_labels(recording.labels),
        digest=storage.digest([path.stem for path in joined.values()] + [storage.digest_file(recording.labels)]),
        **{modality: np.load(path, mmap_mode="r", allow_pickle=False) for modality, path in joined.items()},
    )


def _join(paths: list[Path], cache: Path) -> Path:
    """The file that holds the columns of all `paths`; like them, it is named by its key."""
    if len(paths) == 1:
        return paths[0]
    path = cache / "features" / f"{storage.digest([part.stem for part in paths])}.npy"
    if not path.exists():
        _save(path, np.concatenate([np.load(part, mmap_mode="r", allow_pickle=False) for part in paths], axis=1))
    return path


# all recordings


def low_level_features(
    recordings: list[avec2019.Recording], settings: dict, cache: Path, jobs: int
) -> tuple[dict[str, dict[str, Path]], list[Unusable]]:
    """Recording -> modality -> .npy file, (n, 386) and (n, 153), and those that cannot be used.

    A codebook is made from all training recordings that can be used, of both cultures together.
    """
    kinds = _kinds(recordings)
    task = partial(cache_frames, kinds=kinds, settings=settings, cache=cache)
    frames, unusable = _each(task, recordings, jobs, "descriptors")
    usable = [recording for recording in recordings if recording.name in frames]
    training = [frames[recording.name] for recording in usable if recording.partition == "Train"]
    codebooks = {
        stream: cache_codebook(stream, [keys[stream] for keys in training], settings, cache)
        for stream in WIDTH
        if usable and f"{stream}_bags" not in kinds
    }
    task = partial(cache_grid, frames=frames, codebooks=codebooks, kinds=kinds, settings=settings, cache=cache)
    found, refused = _each(task, usable, jobs, "features")
    return found, unusable + refused


def deep_features(
    recordings: list[avec2019.Recording], settings: dict, cache: Path, jobs: int
) -> tuple[dict[str, dict[str, Path]], list[Unusable]]:
    """Recording -> modality -> .npy file, (n, 11136) and (n, 6144), and those that cannot be used."""
    from replications.raju2021 import deep

    kinds = frozenset(kind for recording in recordings for kind in recording.features)
    task = partial(deep.features, settings=settings, cache=cache, kinds=kinds)
    return _each(task, recordings, jobs, "deep features")


def _each(task: Callable, recordings: list[avec2019.Recording], jobs: int, title: str) -> tuple[dict, list[Unusable]]:
    """What `task` makes of each recording, by name, and which cannot be used. Shows progress."""
    from joblib import delayed
    from tqdm import tqdm

    work = (delayed(_attempt)(task, recording) for recording in recordings)
    done = list(tqdm(parallel(work, jobs), total=len(recordings), desc=title, unit="recording", leave=False))
    made = {recording.name: item for recording, item in zip(recordings, done) if not isinstance(item, Unusable)}
    return made, [item for item in done if isinstance(item, Unusable)]


def _attempt(task: Callable, recording: avec2019.Recording):
    try:
        return task(recording)
    except InputError as error:
        return Unusable.of(recording.name, error)


def _kinds(recordings: list[avec2019.Recording]) -> frozenset[str]:
    """The kinds of files that low-level features are made from; the challenge's where any recording has them."""
    there = {kind for recording in recordings for kind in recording.features}
    given = {f"{stream}{level}" for stream in WIDTH for level in ("", "_functionals", "_bags")} & there
    return frozenset(given | {"openface" if stream == "aus" else "audio" for stream in WIDTH if stream not in given})


# low-level descriptors


def cache_frames(recording: avec2019.Recording, kinds: frozenset[str], settings: dict, cache: Path) -> dict[str, str]:
    """Stream -> key of its frames in the cache. Raises InputError."""
    for problem in avec2019.list_missing(recording, tuple(sorted(kinds))):
        raise InputError(f"{problem}; see `python -m datasets.check`; OpenFace's FeatureExtraction writes openface/")
    labels = sewa.read_labels(recording.labels)
    keys = {}
    for stream in WIDTH:
        given = stream in kinds or stream == "aus"
        source = recording.features[stream if stream in kinds else "openface"] if given else recording.audio
        shaped_by = [] if given else [metadata.version("opensmile"), *(settings[name] for name in FRAME_SETTINGS)]
        keys[stream] = storage.digest([VERSION, stream, storage.digest_file(source), *shaped_by])
        path = _frames_file(keys[stream], cache)
        if not path.exists():
            time, values = read_frames(recording, stream, kinds, settings)
            _savez(path, time=time, values=values)
        end = float(_frames(keys[stream], cache)[0][-1])
        if labels.time[-1] > end + avec2019.SLACK:
            raise InputError(
                f"{source}: ends at {end:.1f} s, its labels at {labels.time[-1]:.1f} s; it looks truncated, "
                f"copy it again from the distribution"
            )
    return keys


def read_frames(
    recording: avec2019.Recording, stream: str, kinds: frozenset[str], settings: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Time (n,) seconds and LLD (n, WIDTH[stream]) float32, read if `stream` is one of `kinds`. Raises InputError.

    Frames in which OpenFace found no face stay as they are, as in the challenge: their values and confidence are 0.
    """
    if stream in kinds:
        table = _read(recording.features[stream], WIDTH[stream])
        if table.time is None:
            raise InputError(f"{recording.features[stream]}: has no time; restore it from the distribution")
        return table.time, table.values
    if stream == "aus":
        faces = openface.read(recording.features["openface"])
        return faces.time, np.column_stack([faces.confidence, faces.intensity]).astype(np.float32)
    signal = audio.read(recording.audio, settings["audio_rate"], settings["resample"])
    try:
        return audio.extract_lld(signal, settings["audio_rate"], stream)
    except ValueError as error:
        raise InputError(f"{recording.audio}: {error}; copy it again from the distribution") from error


def _read(path: Path, width: int) -> avec2019.Table:
    table = avec2019.read_features(path)
    if table.values.shape[1] != width:
        raise InputError(
            f"{path}: has {table.values.shape[1]} columns, expected {width}; restore it, or move its folder away to "
            f"have these features computed"
        )
    return table


def _frames_file(key: str, cache: Path) -> Path:
    return cache / "features" / f"{key}.npz"


def _frames(key: str, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(_frames_file(key, cache), allow_pickle=False) as archive:
        return archive["time"], archive["values"]


# the label grid


def cache_codebook(stream: str, training: list[str], settings: dict, cache: Path) -> Path:
    """The codebook of a stream, .npz, from its frames with the keys `training`. Raises InputError without any."""
    if not training:
        raise InputError(f"{stream}: no training recording to make a codebook from; see `python -m datasets.check`")
    shaped_by = [metadata.version("scikit-learn"), *(settings[name] for name in BAG_SETTINGS)]
    path = cache / "features" / f"{storage.digest([VERSION, 'codebook', stream, training, *shaped_by])}.npz"
    if not path.exists():
        frames = np.concatenate([_frames(key, cache)[1] for key in training])
        if len(frames) < settings["bag_size"]:
            raise InputError(
                f"setting bag_size: {settings['bag_size']} words cannot be drawn from {len(frames)} frames"
            )
        book = bags.fit(frames, settings["bag_size"], settings["codebook_seed"], stream in STANDARDISED)
        _savez(path, **{name: value for name, value in vars(book).items() if value is not None})
    return path


def _codebook(path: Path) -> bags.Codebook:
    with np.load(path, allow_pickle=False) as archive:
        return bags.Codebook(**archive)


def cache_grid(
    recording: avec2019.Recording,
    frames: dict[str, dict[str, str]],
    codebooks: dict[str, Path],
    kinds: frozenset[str],
    settings: dict,
    cache: Path,
) -> dict[str, Path]:
    """Modality -> .npy file with its features on the label grid. Raises InputError."""
    count = len(sewa.read_labels(recording.labels).time)
    keys, made = frames[recording.name], {}
    for modality, streams in STREAMS.items():
        names = GRID_SETTINGS if modality == "audio" else (*GRID_SETTINGS, "video_composition")
        files = sorted(kind for kind in kinds if kind.startswith(streams) and kind not in streams)
        key = [VERSION, modality, count, [keys[stream] for stream in streams]]
        key += [[kind, storage.digest_file(recording.features[kind])] for kind in files]
        key += [codebooks[stream].stem for stream in streams if stream in codebooks]
        key += [settings[name] for name in names]
        made[modality] = cache / "features" / f"{storage.digest(key)}.npy"
        if not made[modality].exists():
            loaded = {stream: _frames(keys[stream], cache) for stream in streams}
            books = {stream: _codebook(codebooks[stream]) for stream in streams if stream in codebooks}
            _save(made[modality], on_grid(recording, loaded, books, count, settings))
    return made


def on_grid(
    recording: avec2019.Recording,
    frames: dict[str, tuple[np.ndarray, np.ndarray]],
    codebooks: dict[str, bags.Codebook],
    count: int,
    settings: dict,
) -> np.ndarray:
    """LLD, functionals and bags of the streams in `frames` (time, values): (count, D) float32.

    Functionals and bags are the recording's own where it has files of them. video_composition has the widths of the
    visual LLD (18, or 17 without confidence), functionals (36 or 34) and bags. Raises InputError.
    """
    lld, functionals, words = [], [], []
    centres, window = HOP * np.arange(count), settings["summary_window"]
    composition = settings["video_composition"].split("+")
    for stream, (time, values) in frames.items():
        given = recording.features
        lld.append(to_grid(time, values, centres, settings["lld_to_grid"]))
        if f"{stream}_functionals" in given:
            functionals.append(read_grid(given[f"{stream}_functionals"], 2 * WIDTH[stream], count))
        else:
            functionals.append(summarise(time, values, centres, window))
        if f"{stream}_bags" in given:
            words.append(read_grid(given[f"{stream}_bags"], settings["bag_size"], count))
        else:
            words.append(bags.bags(codebooks[stream], time, values, bags.centres(count, HOP), window))
        if stream == "aus" and "17" in composition:
            lld[-1] = _without_confidence(lld[-1])
        if stream == "aus" and "34" in composition:
            functionals[-1] = _without_confidence(functionals[-1])
    return np.concatenate([*lld, *functionals, *words], axis=1, dtype=np.float32)


def _without_confidence(values: np.ndarray) -> np.ndarray:
    return np.delete(values, np.s_[:: WIDTH["aus"]], axis=1)


def to_grid(time: np.ndarray, values: np.ndarray, centres: np.ndarray, how: str) -> np.ndarray:
    """Frames (n, d) at the ascending `time` (n,) brought to `centres` (m,): (m, d).

    how "nearest": the frame nearest to each. "mean": the mean over HOP around each, the nearest where there is none.
    """
    if how == "mean":
        return summarise(time, values, centres, HOP)[:, : values.shape[1]]
    return values[np.searchsorted((time[1:] + time[:-1]) / 2, centres)]


def summarise(time: np.ndarray, values: np.ndarray, centres: np.ndarray, window: float) -> np.ndarray:
    """Means, then population standard deviations of frames (n, d) in windows around `centres` (m,): (m, 2 d) float64.

    A window holds the frames up to `window` / 2 seconds from its centre, at both ends, by their ascending `time` (n,),
    and is cut off where the frames end (AVEC's generate_functionals.py, which takes a constant frame rate); one
    without frames takes the nearest.
    """
    half = window / 2 + TOLERANCE
    first = np.searchsorted(time, centres - half, "left")
    last = np.searchsorted(time, centres + half, "right")
    nearest = np.searchsorted((time[1:] + time[:-1]) / 2, centres)
    first, last = np.where(first == last, [nearest, nearest + 1], [first, last])
    windows = [values[a:b].astype(np.float64) for a, b in zip(first, last)]
    return np.array([[*frames.mean(axis=0), *frames.std(axis=0)] for frames in windows])


def read_grid(path: Path, width: int, count: int) -> np.ndarray:
    """A feature file (n, width) with one row for each label, in the length of the labels: (count, width).

    A longer one is cropped, as the challenge does; one that is shorter by SLACK at most repeats its last row.
    Raises InputError.
    """
    values = _read(path, width).values
    if (count - len(values)) * HOP > avec2019.SLACK + TOLERANCE:
        raise InputError(f"{path}: has {len(values)} rows for {count} labels; restore it from the distribution")
    return values[np.minimum(np.arange(count), len(values) - 1)]


def _save(path: Path, array: np.ndarray) -> None:
    storage.write_atomically(path, lambda file: np.save(file, array))


def _savez(path: Path, **arrays: np.ndarray) -> None:
    storage.write_atomically(path, lambda file: np.savez(file, **arrays))
