"""RML emotion database: 720 clips of three to six seconds, 30 fps, eight subjects who act six emotions in six languages.

Layout as distributed, with or without the folders rml-1 and rml-2:

    rml-1/s1/an1.avi                also one folder more, for subjects who speak several languages: rml-1/s1/.../an1.avi
    rml-2/s6/...                    s1 to s5 are in rml-1, s6 to s8 in rml-2

The folder says who speaks, the first two letters of the file which emotion: an, di, fe, ha, sa or su. Clips are looked
for at any depth. The letters may be capitals, also those of the folders.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from datasets.afew import MARKER, read_marker
from datasets.avec2017 import attempt

CLASSES = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
COUNTS = dict.fromkeys(CLASSES, 120)  # clips of the release of 720
OLDER = 500  # about as many clips has an older release, and so many does Priyasad 2019, section 4, count
SUBJECTS = 8
FPS = 30
RATE = 22_050  # hertz of the sound, mono
ACCESS = (
    "RML is licensed for research: send the signed agreement to the Ryerson Multimedia Research Lab "
    "(www.rml.ryerson.ca/rml-emotion-database.html); `--corpus simulated` needs nothing"
)

_LAYOUT = "RML (rml-1/s1/an1.avi or s1/an1.avi, with an, di, fe, ha, sa, su for the emotions; no such file is there)"
_LABELS = {label[:2].lower(): label for label in CLASSES}
_SUBJECT = re.compile(r"s(\d+)", re.IGNORECASE)
_FILE = re.compile(rf"({'|'.join(_LABELS)})(?![a-z]).*", re.IGNORECASE)


@dataclass(frozen=True)
class Clip:
    """One clip. `name` is unique, "s1/an1" or "s1/english/an1" here; `label` is one of CLASSES."""

    name: str
    subject: str
    label: str
    video: Path


def recordings(root: Path) -> list[Clip]:
    """All clips, in the natural order of their names: s2 before s10, an2 before an10.

    Raises InputError when `root` is not this corpus or lacks a class, and for a video outside the folders of subjects,
    one whose name says no emotion, and two videos of one name.
    """
    clips, errors = _scan(root)
    return usable(clips, errors, root, "rml", f"{_LAYOUT}; {ACCESS}")


def expected(root: Path) -> dict[str, int]:
    """Number of subjects and of each class's clips: the release's of 720 clips, or those that the simulator noted."""
    return planned(simulation(root)) or {"subjects": SUBJECTS} | {f"{label} clips": COUNTS[label] for label in CLASSES}


def locate(root: Path) -> Path:
    """The folder that holds all subjects; of a simulated corpus, the one that holds what the simulator noted.

    Raises InputError when there is no clip below `root`.
    """
    clips, _ = _scan(root)
    return holder(clips, _SUBJECT, root, f"{_LAYOUT}; {ACCESS}")


def simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return read_marker(locate(root), ("subjects", "sentences"))


def count(root: Path) -> dict[str, int]:
    """Number of subjects, of the clips of each class, and of those of each subject."""
    clips, _ = _scan(root)
    return tally(clips) | {f"of {subject}": n for subject, n in Counter(clip.subject for clip in clips).items()}


def check(root: Path) -> list[str]:
    """What is missing, unreadable or out of place below `root`, one line each; empty when the corpus is whole.

    Of another number of clips than 720 it says which release it may be. Raises InputError when there is no clip.
    """
    clips, errors = _scan(root)
    return errors + _gaps(root, clips) + damaged(clips, RATE)


def _scan(root: Path) -> tuple[list[Clip], list[str]]:
    """All clips; and what keeps them from being used, a line each."""
    clips, errors = [], []
    for path in videos(root):
        above, below = around(path, root, _SUBJECT)
        code = _FILE.fullmatch(path.stem)
        if above is None:
            errors.append(
                f"{path}: lies in no folder s1, s2, ...; move it into its subject's, or name the upper folder"
            )
        elif code is None:
            errors.append(f"{path}: the name begins with none of {', '.join(_LABELS)}; restore it, or move it away")
        else:
            subject = f"s{int(_SUBJECT.fullmatch(above.name)[1])}"
            name = "/".join([subject, *below, path.stem]).lower()
            clips.append(Clip(name, subject, _LABELS[code[1].lower()], path))
    return in_order(clips, errors), errors


def _gaps(root: Path, clips: list[Clip]) -> list[str]:
    """Where the numbers of subjects and clips are not the expected ones."""
    wanted, found, total = expected(root), tally(clips), sum(COUNTS.values())
    if simulation(root) or len(clips) == total:
        return differences(root, wanted, found)
    if abs(len(clips) - OLDER) <= OLDER / 10:
        release = f"older release, of about {OLDER}"
        wanted = {what: n for what, n in wanted.items() if what == "subjects" or not found[what]}  # no more is known
    else:
        release = f"release of {total}, with files missing or added"
    line = f"{root}: {len(clips)} clips, expected {total}; it may be the {release}"
    return [line] + differences(root, wanted, found)


# what both corpora of acted clips share, this one and eNTERFACE'05


def videos(root: Path) -> list[Path]:
    """All .avi files below `root`, each folder once, links followed. Raises InputError when there is no such folder."""
    if not Path(root).is_dir():
        raise InputError(f"{root}: no such folder; name the folder into which the corpus was unpacked")
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


def around(path: Path, root: Path, subject: re.Pattern) -> tuple[Path | None, list[str]]:
    """The uppermost folder between `root` and a video that `subject` matches, and the names of those below it."""
    folders = list(path.relative_to(root).parts[:-1])
    at = next((i for i, name in enumerate(folders) if subject.fullmatch(name)), None)
    return (None, []) if at is None else (Path(root, *folders[: at + 1]), folders[at + 1 :])


def in_order(clips: list[Clip], errors: list[str]) -> list[Clip]:
    """`clips` in the natural order of their names, the first where several have one; these are noted in `errors`."""
    first = {}
    for clip in clips:
        kept = first.setdefault(clip.name, clip)
        if kept is not clip:
            errors.append(f"{kept.video}: is the clip {clip.name}, and so is {clip.video}; keep one of the two")
    return sorted(first.values(), key=lambda clip: (natural(clip.name), clip.name))


def natural(name: str) -> list[str | int]:
    """A key to sort by, in which numbers count as such."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def usable(clips: list[Clip], errors: list[str], root: Path, corpus: str, layout: str) -> list[Clip]:
    """`clips`. Raises InputError when there is none, for the first of `errors`, and when a class has none."""
    if not clips:
        raise InputError(f"{root}: not the layout of {layout}")
    if errors:
        raise InputError(errors[0])
    for label in CLASSES:
        if not any(clip.label == label for clip in clips):
            raise InputError(f"{root}: no clip of the class {label}; see `python -m datasets.check {corpus} {root}`")
    return clips


def holder(clips: list[Clip], subject: re.Pattern, root: Path, layout: str) -> Path:
    """The lowest folder above all folders of subjects, or the one above it if the marker lies there. See `locate`."""
    if not clips:
        raise InputError(f"{root}: not the layout of {layout}")
    common = Path(os.path.commonpath({around(clip.video, root, subject)[0].parent for clip in clips}))
    above = Path(os.path.abspath(common)).parent
    return above if not (common / MARKER).exists() and (above / MARKER).exists() else common


def planned(made: dict | None) -> dict[str, int] | None:
    """Number of subjects and of each class's clips that the simulator noted; None for a real corpus."""
    if made is None:
        return None
    return {"subjects": made["subjects"]} | {
        f"{label} clips": made["subjects"] * made["sentences"] for label in CLASSES
    }


def tally(clips: list[Clip]) -> dict[str, int]:
    """Number of subjects and of each class's clips."""
    labels = Counter(clip.label for clip in clips)
    return {"subjects": len({clip.subject for clip in clips})} | {f"{label} clips": labels[label] for label in CLASSES}


def differences(root: Path, wanted: dict[str, int], found: dict[str, int]) -> list[str]:
    """One line for each number that is not the expected one."""
    return [f"{root}: {found[what]} {what}, expected {n}" for what, n in wanted.items() if found[what] != n]


def damaged(clips: list[Clip], rate: int) -> list[str]:
    """One line for each clip without a picture or a sound that can be read; quickest at the sound's own `rate`."""
    found = []
    for clip in clips:
        attempt(lambda path: _play(path, rate), clip.video, found)
    return found


def _play(path: Path, rate: int) -> None:
    from common.media import audio, video

    video.check_whole(path)
    audio.read_from_video(path, rate)
