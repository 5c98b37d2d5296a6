"""RML emotion database: 720 clips of three to six seconds, 30 fps, eight subjects who act six emotions in six languages.

Layout as distributed, with or without the folders rml-1 and rml-2:

    rml-1/s1/an1.avi                also one folder more, for subjects who speak several languages: rml-1/s1/.../an1.avi
    rml-2/s6/...                    s1 to s5 are in rml-1, s6 to s8 in rml-2

The folder says who speaks, the first two letters of the file which emotion: an, di, fe, ha, sa or su. Clips are looked
for at any depth. The letters may be capitals, also those of the folders.
"""

import re
from collections import Counter
from pathlib import Path

from datasets import acted, layout
from datasets.acted import CLASSES, Clip

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


def list_recordings(root: Path) -> list[Clip]:
    """All clips, in the natural order of their names: s2 before s10, an2 before an10.

    Raises InputError when `root` is not this corpus or lacks a class, and for a video outside the folders of subjects,
    one whose name says no emotion, and two videos of one name.
    """
    clips, errors = _scan(root)
    return acted.require_clips(clips, errors, root, "rml", f"{_LAYOUT}; {ACCESS}")


def count_expected(root: Path) -> dict[str, int]:
    """Number of subjects and of each class's clips: the release's of 720 clips, or those that the simulator noted."""
    return acted.count_planned(read_simulation(root)) or {"subjects": SUBJECTS} | {
        f"{label} clips": COUNTS[label] for label in CLASSES
    }


def locate(root: Path) -> Path:
    """The folder that holds all subjects; of a simulated corpus, the one that holds what the simulator noted.

    Raises InputError when there is no clip below `root`.
    """
    clips, _ = _scan(root)
    return acted.find_holder(clips, _SUBJECT, root, f"{_LAYOUT}; {ACCESS}")


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return layout.read_marker(locate(root), subjects=int, sentences=int)


def count(root: Path) -> dict[str, int]:
    """Number of subjects, of the clips of each class, and of those of each subject."""
    clips, _ = _scan(root)
    return acted.count_clips(clips) | {
        f"of {subject}": n for subject, n in Counter(clip.subject for clip in clips).items()
    }


def check(root: Path) -> list[str]:
    """What is missing, unreadable or out of place below `root`, one line each; empty when the corpus is whole.

    Of another number of clips than 720 it says which release it may be. Raises InputError when there is no clip.
    """
    clips, errors = _scan(root)
    return errors + _list_gaps(root, clips) + acted.list_damaged(clips, RATE)


def _scan(root: Path) -> tuple[list[Clip], list[str]]:
    """All clips; and what keeps them from being used, a line each."""
    clips, errors = [], []
    for path in acted.find_videos(root):
        above, below = acted.split_at_subject(path, root, _SUBJECT)
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
    return acted.sort_clips(clips, errors), errors


def _list_gaps(root: Path, clips: list[Clip]) -> list[str]:
    """Where the numbers of subjects and clips are not the expected ones."""
    wanted, found, total = count_expected(root), acted.count_clips(clips), sum(COUNTS.values())
    if read_simulation(root) or len(clips) == total:
        return acted.list_differences(root, wanted, found)
    if abs(len(clips) - OLDER) <= OLDER / 10:
        release = f"older release, of about {OLDER}"
        wanted = {what: n for what, n in wanted.items() if what == "subjects" or not found[what]}  # no more is known
    else:
        release = f"release of {total}, with files missing or added"
    line = f"{root}: {len(clips)} clips, expected {total}; it may be the {release}"
    return [line] + acted.list_differences(root, wanted, found)
