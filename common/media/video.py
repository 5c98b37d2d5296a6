"""Streamed decoding of video: frames at given times, one at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common.errors import InputError

SLACK = 1.0  # seconds by which the last frame may come before the end


def measure_duration(path: Path) -> float:
    """Seconds of video, from the container. Raises InputError when there is no video to read."""
    with _open(path) as (container, stream):
        return _read_duration(container, stream)


def check_whole(path: Path) -> None:
    """Raise InputError for a video of which less is there than its header counts, without decoding it."""
    with _open(path) as (container, stream):
        there, counted = _read_duration(container, stream), _count_seconds(stream)
        if counted - there > SLACK:
            raise InputError(f"{path}: holds {there:.1f} s of {counted:.1f} s; copy it again from the distribution")


def _count_seconds(stream) -> float:
    """Seconds by the number of frames in the header: of an AVI that was cut, what there was; the duration is what is left."""
    return float(stream.frames / stream.average_rate) if stream.average_rate else 0.0


def _read_duration(container, stream) -> float:
    import av

    if stream.duration is None:  # Matroska states it for the whole file only
        return (container.duration or 0) / av.time_base
    return float(stream.duration * stream.time_base)


def read_frames(path: Path, every: int = 1) -> Iterator[tuple[float, np.ndarray | None]]:
    """Every frame with its own time in seconds, as RGB (height, width, 3) uint8, upright; one is held at a time.

    With `every` only one in so many, from the first on, is converted; the others are None.

    Raises InputError for a file without any frame, and after its last frame for one that ends more than SLACK early.
    """
    from av.video.reformatter import VideoReformatter

    with _open(path) as (container, stream):
        frame, reformatter = None, VideoReformatter()
        for number, frame in enumerate(_decode(container, stream)):
            yield frame.time, None if number % every else _to_rgb(frame, reformatter)
        if frame is None:
            raise InputError(f"{path}: holds no frame; copy it again from the distribution")
        if (ends := max(_read_duration(container, stream), _count_seconds(stream))) - frame.time > SLACK:
            raise InputError(f"{path}: cannot be decoded beyond {frame.time:.1f} s of {ends:.1f} s; copy it again")


def read_frames_at(path: Path, times: np.ndarray, slack: float = SLACK) -> Iterator[np.ndarray]:
    """For each of the ascending `times` (seconds), the frame nearest to it, as RGB (height, width, 3) uint8, upright.

    Holds two frames at a time. A video may end up to `slack` seconds before the last time, whose frame is then
    the last one; one that ends earlier is taken for truncated. Raises InputError.
    """
    from av.video.reformatter import VideoReformatter

    remaining = deque(times)
    before, reformatter = None, VideoReformatter()
    with _open(path) as (container, stream):
        for frame in _decode(container, stream):
            while remaining and before is not None and remaining[0] <= (before.time + frame.time) / 2:
                yield _to_rgb(before, reformatter)
                remaining.popleft()
            if not remaining:
                return
            before = frame
    if before is None:
        raise InputError(f"{path}: holds no frame; copy it again from the distribution")
    if remaining[-1] - before.time > slack:
        raise InputError(
            f"{path}: ends at {before.time:.1f} s where {remaining[-1]:.1f} s are expected; it looks truncated, "
            f"copy it again from the distribution"
        )
    for _ in remaining:
        yield _to_rgb(before, reformatter)


@contextmanager
def _open(path: Path):
    import av

    av.logging.set_level(av.logging.PANIC)  # libav's own messages name no file
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: holds no video; copy it again from the distribution")
            yield container, container.streams.video[0]
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as video ({error.strerror or error}); copy it again from the distribution"
        ) from error


def _decode(container, stream):
    import av

    try:
        yield from (frame for frame in container.decode(stream) if frame.time is not None)
    except av.FFmpegError:
        return  # what came before the defect counts; a file that ends too early is named by the caller


def _to_rgb(frame, reformatter) -> np.ndarray:
    """RGB (height, width, 3) uint8, turned as the display matrix of phone videos asks: by quarters, counterclockwise.

    All frames of a video share one reformatter: to set up one for each takes longer than the conversion.
    """
    image = reformatter.reformat(frame, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
