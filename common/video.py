"""Streamed decoding of video: frames at given times, one at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common.cli import InputError


def duration(path: Path) -> float:
    """Seconds of video, from the container. Raises InputError when there is no video to read."""
    with _open(path) as (_, stream):
        return float((stream.duration or 0) * stream.time_base)


def frames_at(path: Path, times: np.ndarray, slack: float = 1.0) -> Iterator[np.ndarray]:
    """For each of the ascending `times` (seconds), the frame nearest to it, as RGB (height, width, 3) uint8.

    Holds two frames at a time. A video may end up to `slack` seconds before the last time, whose frame is then
    the last one; one that ends earlier is taken for truncated. Raises InputError.
    """
    remaining = deque(times)
    before = None
    with _open(path) as (container, stream):
        for frame in _decode(container, stream):
            while remaining and before is not None and remaining[0] <= (before.time + frame.time) / 2:
                yield before.to_ndarray(format="rgb24")
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
        yield before.to_ndarray(format="rgb24")


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
