"""Streamed decoding of video: frames at given times, one at a time.

Sound and picture of a file have one clock, that of the container, on which the earlier of the two begins at 0.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common.errors import InputError

SLACK = 1.0  # seconds by which the last frame may come before the end, the first after the beginning


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

    if stream.duration is None:  # Matroska states it for the whole file only, from the 0 of its own clock
        return max((container.duration or 0) / av.time_base - find_beginning(container), 0.0)
    return float(stream.duration * stream.time_base)


def read_frames(path: Path, every: int = 1) -> Iterator[tuple[float, np.ndarray | None]]:
    """Every frame with its own time in seconds, as RGB (height, width, 3) uint8, upright; one is held at a time.

    With `every` only one in so many, from the first on, is converted; the others are None.

    Raises InputError for a file without any frame, and after its last frame for one that ends more than SLACK early.
    """
    from av.video.reformatter import VideoReformatter

    with _open(path) as (container, stream):
        frame, reformatter = None, VideoReformatter()
        for number, (time, frame) in enumerate(_decode(container, stream)):
            yield time, None if number % every else _to_rgb(frame, reformatter)
        if frame is None:
            raise InputError(f"{path}: holds no frame; copy it again from the distribution")
        if (ends := _find_end(container, stream)) - time > SLACK:
            raise InputError(f"{path}: cannot be decoded beyond {time:.1f} s of {ends:.1f} s; copy it again")


def read_frames_at(path: Path, times: np.ndarray, slack: float = SLACK) -> Iterator[np.ndarray]:
    """For each of the ascending `times` (seconds), the frame nearest to it, as RGB (height, width, 3) uint8, upright.

    Holds two frames at a time. A video may begin up to `slack` seconds after the first time and end as much before the
    last one, whose frames are then the first and the last one; one that ends earlier is taken for truncated.
    Raises InputError.
    """
    from av.video.reformatter import VideoReformatter

    remaining = deque(times)
    before, instant, reformatter = None, 0.0, VideoReformatter()
    with _open(path) as (container, stream):
        for time, frame in _decode(container, stream):
            if before is None and remaining and time - remaining[0] > slack:
                raise InputError(
                    f"{path}: its picture begins at {time:.1f} s of its sound, and is wanted from {remaining[0]:.1f} s on"
                )
            while remaining and before is not None and remaining[0] <= (instant + time) / 2:
                yield _to_rgb(before, reformatter)
                remaining.popleft()
            if not remaining:
                return
            before, instant = frame, time
    if before is None:
        raise InputError(f"{path}: holds no frame; copy it again from the distribution")
    if remaining[-1] - instant > slack:
        raise InputError(
            f"{path}: ends at {instant:.1f} s where {remaining[-1]:.1f} s are expected; it looks truncated, "
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


def _decode(container, stream) -> Iterator[tuple]:
    """Time in seconds on the container's clock and frame, of all frames; see `go_on`."""
    import av

    def frames():
        try:
            yield from ((frame.time, frame) for frame in container.decode(stream) if frame.time is not None)
        except av.FFmpegError:
            return  # what came before the defect counts; a file that ends too early is named by the caller

    begins = find_beginning(container)
    return go_on((time - begins, frame) for time, frame in frames())


def find_beginning(container) -> float:
    """Seconds on the container's own clock at which the earliest of its streams begins."""
    import av

    return (container.start_time or 0) / av.time_base


def _find_end(container, stream) -> float:
    """Seconds on the container's clock at which a stream should end: by its duration or its number of frames."""
    lasts = _read_duration(container, stream)
    if stream.duration is None or stream.start_time is None:  # of the whole file
        return max(lasts, _count_seconds(stream))
    starts = float(stream.start_time * stream.time_base) - find_beginning(container)
    return starts + max(lasts, _count_seconds(stream))


def go_on(frames: Iterable[tuple]) -> Iterator[tuple]:
    """Frames as (time, frame), whose times go on.

    A clock that is set back by more than SLACK, as where recordings were joined, goes on from where it was; a frame that
    comes late otherwise, or at a time that there was, is left out.
    """
    last, between, shift = None, 0.0, 0.0
    for time, frame in frames:
        if last is not None:
            if time + shift < last - SLACK:
                shift = last + between - time
            if time + shift <= last:
                continue
            between = time + shift - last
        last = time + shift
        yield last, frame


def _to_rgb(frame, reformatter) -> np.ndarray:
    """RGB (height, width, 3) uint8, turned and mirrored as the display matrix asks.

    All frames of a video share one reformatter: to set up one for each takes longer than the conversion.
    """
    image = reformatter.reformat(frame, format="rgb24").to_ndarray()
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return image if matrix is None else orient(image, np.frombuffer(bytes(matrix), np.int32))


def orient(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) as a display matrix (9,) of QuickTime shows it, to the nearest quarter of a turn.

    Column x and row y go to a x + c y and b x + d y, of the matrix (a, b, u, c, d, v, x, y, w).
    """
    a, b, _, c, d = matrix[:5]
    if abs(int(c)) > abs(int(a)):
        image, a, d = image.swapaxes(0, 1), c, b  # rows become columns
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
