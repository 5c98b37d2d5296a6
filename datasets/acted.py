"""What the corpora of acted clips share, RML and eNTERFACE'05: six emotions, videos below folders of subjects."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from datasets import layout

CLASSES = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


@dataclass(frozen=True)
class Clip:
    """One clip. `name` is unique, in RML "s1/an1" or "s1/english/an1"; `label` is one of CLASSES."""

    name: str
    subject: str
    label: str
    video: Path


def find_videos(root: Path) -> list[Path]:
    """All .avi files below `root`, each folder once, links followed. Raises InputError when there is no such folder."""
    layout.check_folder(root)
    found, seen = [], set()
    for folder, names, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        names[:] = sorted(name for name in names if not name.startswith((".", "__MACOSX")))
        found += [Path(folder, name) for name in sorted(files) if name.lower().endswith(".avi") and name[0] != "."]
    return found


def split_at_subject(path: Path, root: Path, subject: re.Pattern) -> tuple[Path | None, list[str]]:
    """The uppermost folder between `root` and a video that `subject` matches, and the names of those below it."""
    folders = list(path.relative_to(root).parts[:-1])
    at = next((i for i, name in enumerate(folders) if subject.fullmatch(name)), None)
    return (None, []) if at is None else (Path(root, *folders[: at + 1]), folders[at + 1 :])


def sort_clips(clips: list[Clip], errors: list[str]) -> list[Clip]:
    """`clips` in the natural order of their names, the first where several have one; these are noted in `errors`."""
    first = {}
    for clip in clips:
        kept = first.setdefault(clip.name, clip)
        if kept is not clip:
            errors.append(f"{kept.video}: is the clip {clip.name}, and so is {clip.video}; keep one of the two")
    return sorted(first.values(), key=lambda clip: (make_natural_key(clip.name), clip.name))


def make_natural_key(name: str) -> list[str | int]:
    """A key to sort by, in which numbers count as such."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def require_clips(clips: list[Clip], errors: list[str], root: Path, corpus: str, wanted: str) -> list[Clip]:
    """`clips`. Raises InputError when there is none, for the first of `errors`, and when a class has none."""
    if not clips:
        raise InputError(f"{root}: not the layout of {wanted}")
    if errors:
        raise InputError(errors[0])
    for label in CLASSES:
        if not any(clip.label == label for clip in clips):
            raise InputError(f"{root}: no clip of the class {label}; see `python -m datasets.check {corpus} {root}`")
    return clips


def find_holder(clips: list[Clip], subject: re.Pattern, root: Path, wanted: str) -> Path:
    """The lowest folder above all folders of subjects, or the one above it if the marker lies there. See `locate`."""
    if not clips:
        raise InputError(f"{root}: not the layout of {wanted}")
    common = Path(os.path.commonpath({split_at_subject(clip.video, root, subject)[0].parent for clip in clips}))
    above = Path(os.path.abspath(common)).parent
    return above if not (common / layout.MARKER).exists() and (above / layout.MARKER).exists() else common


def count_planned(made: dict | None) -> dict[str, int] | None:
    """Number of subjects and of each class's clips that the simulator noted; None for a real corpus."""
    if made is None:
        return None
    return {"subjects": made["subjects"]} | {
        f"{label} clips": made["subjects"] * made["sentences"] for label in CLASSES
    }


def count_clips(clips: list[Clip]) -> dict[str, int]:
    """Number of subjects and of each class's clips."""
    labels = Counter(clip.label for clip in clips)
    return {"subjects": len({clip.subject for clip in clips})} | {f"{label} clips": labels[label] for label in CLASSES}


def list_differences(root: Path, wanted: dict[str, int], found: dict[str, int]) -> list[str]:
    """One line for each number that is not the expected one."""
    return [f"{root}: {found[what]} {what}, expected {n}" for what, n in wanted.items() if found[what] != n]


def list_damaged(clips: list[Clip], rate: int) -> list[str]:
    """One line for each clip without a picture or a sound that can be read; quickest at the sound's own `rate`."""
    found = []
    for clip in clips:
        layout.attempt(lambda path: _play(path, rate), clip.video, found)
    return found


def _play(path: Path, rate: int) -> None:
    from common.media import audio, video

    video.check_whole(path)
    audio.read_from_video(path, rate)
