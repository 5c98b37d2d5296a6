"""What the readers share: the folder of a layout, what the simulator noted, which partitions, what cannot be read."""

import json
from collections.abc import Callable
from pathlib import Path

from common.errors import InputError

MARKER = "simulated.json"
PARTIAL = ".partial"  # how the hidden folder ends in which a simulated corpus grows
SLACK = 1.0  # seconds by which a medium may end before its labels


def find_root(root: Path, is_layout: Callable[[Path], bool], layout: str) -> Path:
    """`root`, or the first folder just below it, that `is_layout` accepts (archives unpack into one of their own).

    Raises InputError, which names the `layout`.
    """
    root = check_folder(root)
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if is_layout(folder):
            return folder
    raise InputError(f"{root}: not the layout of {layout}")


def check_folder(root: Path) -> Path:
    """`root`. Raises InputError where it is no folder, or belongs to a simulated corpus that is not whole."""
    root = Path(root)
    refuse_partial(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder into which the corpus was unpacked")
    return root


def refuse_partial(path: Path) -> None:
    """Raise InputError for what belongs to a simulated corpus that is not whole."""
    if any(part.startswith(".") and part.endswith(PARTIAL) for part in path.resolve().parts):
        raise InputError(
            f"{path}: part of a simulated corpus that is not whole; let it be finished, and name its folder"
        )


def holds_any(folder: Path, patterns: list[str]) -> bool:
    """Whether one of the glob `patterns` finds something in `folder`."""
    return any(any(folder.glob(pattern)) for pattern in patterns)


def read_marker(folder: Path, **kinds: type) -> dict | None:
    """What the simulator noted of the corpus in `folder`; None where it noted nothing, as of a real one.

    `kinds` are the types of what it must have noted, by name. Raises InputError.
    """
    marker = folder / MARKER
    if not marker.exists():
        return None
    try:
        made = json.loads(marker.read_text(encoding="utf-8"))
        return made | {name: kind(made[name]) for name, kind in kinds.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{marker}: cannot be read; delete the corpus and let it be simulated again") from error


def choose_partitions(
    groups: dict[str, list],
    partitions: tuple[str, ...],
    is_there: Callable[..., bool],
    root: Path,
    corpus: str,
    optional: tuple[str, ...] = (),
) -> list:
    """What `groups` (partition -> what it should have) has of `partitions`, in their order.

    All of a partition of which one is there; of `optional` ones else nothing. Raises InputError.
    """
    found = []
    for partition in partitions:
        group = groups.get(partition, [])
        if any(map(is_there, group)):
            found += group
        elif partition not in optional:
            raise InputError(
                f"{root}: no recordings of the partition {partition}; see `python -m datasets.check {corpus} {root}`"
            )
    return found


def check_media(audio: Path | None, video: Path | None, labels) -> list[str]:
    """What keeps both from being decoded to the end of the `labels` (with `time` in seconds, or None), one line each."""
    from common.media import audio as sounds
    from common.media import video as films

    problems = []
    for path, probe in ((audio, sounds.measure_duration), (video, films.measure_duration)):
        seconds = attempt(probe, path, problems)
        if labels is not None and seconds is not None and labels.time[-1] > seconds + SLACK:
            problems.append(
                f"{path}: lasts {seconds:.1f} s, its labels {labels.time[-1]:.1f} s; it looks truncated, "
                f"copy it again from the distribution"
            )
    return problems


def attempt(read: Callable, path: Path | None, problems: list[str]):
    """What `read` returns; None, and a line in `problems`, where the file cannot be read."""
    if path is None or not path.exists():
        return None
    try:
        return read(path)
    except InputError as error:
        problems.append(str(error))
