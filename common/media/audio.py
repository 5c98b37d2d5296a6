"""Reading WAV files, and openSMILE's features: eGeMAPS functionals over windows, low-level descriptors."""

import warnings
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.media.video import find_beginning

EGEMAPS_FUNCTIONALS = 88
# the last eGeMAPS frame is 60 ms long, so contours end that much before the signal does
CONTOUR_END = 0.07
HOLE = 0.1  # seconds that are missing in the sound of a video, from which on they are silence
SHORTEST_WINDOW = 0.5  # seconds; below, several functionals are undefined
LLD = {"egemaps": 23, "mfcc": 39}  # low-level descriptors of AVEC 2018 and 2019, every 10 ms
LONGEST_FRAME = 0.06  # seconds; F0 in eGeMAPS


def measure_duration(path: Path) -> float:
    """Seconds of audio in a WAV file. Raises InputError."""
    import soundfile

    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise InputError(f"{path}: cannot be read as audio ({error}); copy it again from the distribution") from error
    if info.frames == 0:
        raise InputError(f"{path}: holds no audio; copy it again from the distribution")
    return info.frames / info.samplerate


def read(path: Path, rate: int, resample: bool = False) -> np.ndarray:
    """A mono signal at `rate` Hz, shape (samples,), float32 in [-1, 1].

    Audio with several channels or another rate is averaged and resampled (polyphase filter) when `resample`
    is true, and refused otherwise: features of resampled audio are not the features of the original.
    Raises InputError.
    """
    import soundfile

    measure_duration(path)
    signal, found = soundfile.read(path, dtype="float32", always_2d=True)
    if (found != rate or signal.shape[1] != 1) and not resample:
        raise InputError(
            f"{path}: {signal.shape[1]} channel(s) at {found} Hz where mono at {rate} Hz is expected; "
            f"convert it, or let it be converted with --set resample=true"
        )
    return _resample(signal.mean(axis=1), found, rate)


def read_from_video(path: Path, rate: int) -> np.ndarray:
    """The sound of a video, mono at `rate` Hz, shape (samples,), float32 in [-1, 1], from 0 on the clock of its frames.

    Channels are averaged, other rates resampled (polyphase filter); before sound that begins late and in its holes
    there is silence. Raises InputError for a file that is no video,
    has no sound or a damaged one.
    """
    import av

    av.logging.set_level(av.logging.PANIC)  # libav's own messages name no file
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: has no sound; copy it again from the distribution, or leave it out")
            stream = container.streams.audio[0]
            plain = av.AudioResampler(format="fltp")  # the stream's own channels and rate, as float
            begins, found = find_beginning(container), stream.rate
            parts = []
            for frame in (*container.decode(stream), None):
                for part in plain.resample(frame):
                    begun = 0 if part.time is None else round((part.time - begins) * found)
                    parts.append((begun, part.to_ndarray().mean(axis=0)))
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: its sound cannot be read ({error.strerror or error}); copy it again from the distribution"
        ) from error
    if not sum(len(part) for _, part in parts):
        raise InputError(f"{path}: its sound is empty; copy it again from the distribution, or leave it out")
    return _resample(_join(parts, round(HOLE * found)), found, rate)


def _join(parts: list[tuple[int, np.ndarray]], hole: int) -> np.ndarray:
    """The signal of parts, each (sample at which it begins, samples); zeros where more than `hole` samples are missing."""
    joined, end = [], 0
    for begins, part in parts:
        if begins - end > hole:
            joined.append(np.zeros(begins - end, np.float32))
            end = begins
        joined.append(part)
        end += len(part)
    return np.concatenate(joined)


def _resample(signal: np.ndarray, found: int, rate: int) -> np.ndarray:
    """At the other rate, and within [-1, 1]: what lies beyond was too loud for what recorded or decoded it."""
    from scipy.signal import resample_poly

    return (signal if found == rate else resample_poly(signal, rate, found)).clip(-1, 1).astype(np.float32)


def extract_egemaps(
    signal: np.ndarray, rate: int, windows: np.ndarray, version: str = "v01a", source: str = "contours"
) -> np.ndarray:
    """eGeMAPS functionals of `windows` (n, 2), start and end in seconds; returns (n, 88) float32.

    source "contours": low-level descriptors are computed once over the whole signal and functionals over each
    window of them, in one pass of openSMILE. "waveform": each window is cut out and processed on its own; LLD
    near its borders then lack context, and the work grows with the overlap of the windows.
    Values that openSMILE leaves undefined in silence are 0. Raises ValueError for a window that is too short.
    """
    import opensmile

    windows = np.asarray(windows, dtype=float)
    if (windows[:, 1] - windows[:, 0] < SHORTEST_WINDOW).any():
        raise ValueError(f"eGeMAPS windows must last {SHORTEST_WINDOW} s or more")
    if source == "waveform":
        smile = _build_smile(version, {})
        rows = [smile.process_signal(signal[round(a * rate) : round(b * rate)], rate).to_numpy()[0] for a, b in windows]
        return np.nan_to_num(np.array(rows, dtype=np.float32))
    end = len(signal) / rate - CONTOUR_END
    config = Path(opensmile.__file__).parent / "core" / "config" / "shared" / "FrameModeFunctionalsMulti.conf.inc"
    frames = ",".join(f"{min(a, end - SHORTEST_WINDOW / 2):.3f}s-{min(b, end):.3f}s" for a, b in windows)
    smile = _build_smile(version, {"frameModeFunctionalsConf": str(config), "frameList": frames})
    rows = smile.process_signal(signal, rate).to_numpy(dtype=np.float32)
    if len(rows) != len(windows):
        raise ValueError(f"openSMILE returned {len(rows)} rows for {len(windows)} windows of {end:.2f} s")
    return np.nan_to_num(rows)


def extract_lld(signal: np.ndarray, rate: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """openSMILE's low-level descriptors: time (n,) float64, values (n, LLD[kind]) float32.

    kind "egemaps": the 23 of eGeMAPSv01a. "mfcc": MFCC 1 to 12 and then 0, which is HTK's order, their deltas, and
    the deltas of those (MFCC12_0_D_A). A frame's time is that of its first sample, every 10 ms from 0, as in the
    files of AVEC 2019. Values that openSMILE leaves undefined are 0.
    Raises ValueError for a signal that is shorter than a frame, and KeyError for another kind.
    """
    import opensmile

    if len(signal) < LONGEST_FRAME * rate:
        raise ValueError(f"low-level descriptors need {LONGEST_FRAME} s or more")
    sets = {
        "egemaps": (opensmile.FeatureSet.eGeMAPSv01a, opensmile.FeatureLevel.LowLevelDescriptors),
        "mfcc": (str(Path(__file__).with_name("mfcc12_0_d_a.conf")), "lld"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in _build_smile
        smile = opensmile.Smile(*sets[kind])
    table = smile.process_signal(signal, rate)
    time = table.index.get_level_values("start").total_seconds().to_numpy()
    return time, np.nan_to_num(table.to_numpy(dtype=np.float32))


def _build_smile(version: str, options: dict[str, str]):
    import opensmile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older sets are called deprecated; the challenges used v01a
        feature_set = opensmile.FeatureSet[f"eGeMAPS{version}"]
        return opensmile.Smile(feature_set, opensmile.FeatureLevel.Functionals, options=options)
