"""Recordings -> low-level features on the label grid (Section IV-B): audio (n, 386), visual (n, 153).

Audio: low-level descriptors (LLD), 23 of eGeMAPS and 39 MFCC; their means and standard deviations in windows of 4 s;
bags of 100 words of each. Visual: the same of 17 action units and OpenFace's confidence.

What the challenge does not provide is computed from audio, from the CSV of OpenFace, or from the LLD.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio
from common.running.corpora import Unusable, try_all
from datasets import avec2019, openface, sewa
from datasets.sewa import LABEL_HOP
from replications.raju2021 import bags
from replications.raju2021.grid import TOLERANCE, read_grid, read_table

VERSION = 1  # raise when the features change for the same settings
STREAMS = {"audio": ("egemaps", "mfcc"), "visual": ("aus",)}
WIDTH = {**audio.LLD, "aus": 1 + len(openface.ACTION_UNITS)}  # confidence is the first column of "aus"
STANDARDISED = ("egemaps", "mfcc")  # before bags are made of them
FRAME_SETTINGS = ("audio_rate", "resample")
BAG_SETTINGS = ("bag_size", "codebook_seed")
GRID_SETTINGS = ("lld_to_grid", "summary_window")


def extract(
    recordings: Sequence[avec2019.Recording], settings: dict, cache: Path, jobs: int, threads: int
) -> tuple[dict[str, dict[str, Path]], list[Unusable]]:
    """Recording -> modality -> .npy file, (n, 386) and (n, 153), and those that cannot be used.

    A codebook is made from all training recordings that can be used, of both cultures together.
    """
    kinds = _find_kinds(recordings)
    task = partial(cache_frames, kinds=kinds, settings=settings, cache=cache)
    frames, unusable = try_all(recordings, task, jobs, threads, "descriptors", "recording")
    usable = [recording for recording in recordings if recording.name in frames]
    training = [frames[recording.name] for recording in usable if recording.partition == "Train"]
    codebooks = {
        stream: cache_codebook(stream, [keys[stream] for keys in training], settings, cache)
        for stream in WIDTH
        if usable and f"{stream}_bags" not in kinds
    }
    task = partial(cache_grid, frames=frames, codebooks=codebooks, kinds=kinds, settings=settings, cache=cache)
    found, refused = try_all(usable, task, jobs, threads, "features", "recording")
    return found, unusable + refused


def _find_kinds(recordings: Sequence[avec2019.Recording]) -> frozenset[str]:
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
        shaped_by = [] if given else [storage.find_version("opensmile"), *(settings[name] for name in FRAME_SETTINGS)]
        keys[stream] = storage.digest([VERSION, stream, storage.digest_file(source), *shaped_by])
        path = _name_frames(keys[stream], cache)
        if not path.exists():
            time, values = read_frames(recording, stream, kinds, settings)
            storage.write_npz(path, time=time, values=values)
        end = float(_load_frames(keys[stream], cache)[0][-1])
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
        table = read_table(recording.features[stream], WIDTH[stream])
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


def _name_frames(key: str, cache: Path) -> Path:
    return cache / "features" / f"{key}.npz"


def _load_frames(key: str, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(_name_frames(key, cache), allow_pickle=False) as archive:
        return archive["time"], archive["values"]


# the label grid


def cache_codebook(stream: str, training: list[str], settings: dict, cache: Path) -> Path:
    """The codebook of a stream, .npz, from its frames with the keys `training`. Raises InputError without any."""
    if not training:
        raise InputError(f"{stream}: no training recording to make a codebook from; see `python -m datasets.check`")
    shaped_by = [storage.find_version("scikit-learn"), *(settings[name] for name in BAG_SETTINGS)]
    path = cache / "features" / f"{storage.digest([VERSION, 'codebook', stream, training, *shaped_by])}.npz"
    if not path.exists():
        frames = np.concatenate([_load_frames(key, cache)[1] for key in training])
        if len(frames) < settings["bag_size"]:
            raise InputError(
                f"setting bag_size: {settings['bag_size']} words cannot be drawn from {len(frames)} frames"
            )
        book = bags.fit(frames, settings["bag_size"], settings["codebook_seed"], stream in STANDARDISED)
        storage.write_npz(path, **{name: value for name, value in vars(book).items() if value is not None})
    return path


def _load_codebook(path: Path) -> bags.Codebook:
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
            loaded = {stream: _load_frames(keys[stream], cache) for stream in streams}
            books = {stream: _load_codebook(codebooks[stream]) for stream in streams if stream in codebooks}
            storage.write_npy(made[modality], put_on_grid(recording, loaded, books, count, settings))
    return made


def put_on_grid(
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
    centres, window = LABEL_HOP * np.arange(count), settings["summary_window"]
    composition = settings["video_composition"].split("+")
    for stream, (time, values) in frames.items():
        given = recording.features
        lld.append(bring_to_grid(time, values, centres, settings["lld_to_grid"]))
        if f"{stream}_functionals" in given:
            functionals.append(read_grid(given[f"{stream}_functionals"], 2 * WIDTH[stream], count))
        else:
            functionals.append(summarise(time, values, centres, window))
        if f"{stream}_bags" in given:
            words.append(read_grid(given[f"{stream}_bags"], settings["bag_size"], count))
        else:
            words.append(bags.make_bags(codebooks[stream], time, values, bags.space_centres(count, LABEL_HOP), window))
        if stream == "aus" and "17" in composition:
            lld[-1] = _drop_confidence(lld[-1])
        if stream == "aus" and "34" in composition:
            functionals[-1] = _drop_confidence(functionals[-1])
    return np.concatenate([*lld, *functionals, *words], axis=1, dtype=np.float32)


def _drop_confidence(values: np.ndarray) -> np.ndarray:
    return np.delete(values, np.s_[:: WIDTH["aus"]], axis=1)


def bring_to_grid(time: np.ndarray, values: np.ndarray, centres: np.ndarray, how: str) -> np.ndarray:
    """Frames (n, d) at the ascending `time` (n,) brought to `centres` (m,): (m, d).

    how "nearest": the frame nearest to each. "mean": the mean over LABEL_HOP around each, the nearest where there is none.
    """
    if how == "mean":
        return summarise(time, values, centres, LABEL_HOP)[:, : values.shape[1]]
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
