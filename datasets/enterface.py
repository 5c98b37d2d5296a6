"""eNTERFACE'05: 43 subjects react in English to six stories, with five sentences for each emotion, at 25 fps.

Layout as distributed, below any folders:

    enterface database/subject 1/anger/sentence 1/s1_an_1.avi        44 subjects; 1293 videos, of which 1287 are clips
    enterface database/subject 6/anger/s6_an.avi                     not cut into sentences: left out

Subject, emotion and sentence are those of the folders, since the names of some files are wrong: all of subject 11 are
called s12_..., and others are misspelt (s_3_ha_1.avi, s16_su_3avi.avi). Subject 23 lacks three sentences. Copies with
hyphens or underscores in place of blanks are read too.
"""

import re
from collections import defaultdict
from pathlib import Path

from datasets import acted, layout
from datasets.acted import CLASSES, Clip

SUBJECTS = 43  # of the folders subject 1 to subject 44, all but UNSEGMENTED
SENTENCES = 5  # of each emotion
UNSEGMENTED = "6"
LACKING = {"23": 3}  # clips that the distribution itself lacks
COUNTS = dict.fromkeys(CLASSES, SUBJECTS * SENTENCES) | {"Happiness": SUBJECTS * SENTENCES - LACKING["23"]}
FPS = 25
RATE = 48_000  # hertz of the sound, stereo
ACCESS = (
    "eNTERFACE'05 is free: download project2_database.zip from enterface.net/enterface05/emotion.html and unpack it; "
    "`--corpus simulated` needs nothing"
)

_LAYOUT = "eNTERFACE'05 (subject 1/anger/sentence 1/s1_an_1.avi, no such file is there)"
_LABELS = {label.lower(): label for label in CLASSES}
_SUBJECT = re.compile(r"subject[ _-]*(\d+)", re.IGNORECASE)
_SENTENCE = re.compile(r"sentence[ _-]*(\d+)", re.IGNORECASE)
_FILE = re.compile(r"s[ _-]*(\d+)[ _-]*([a-z]{2})[ _-]*(\d+)(?:\.?avi)?", re.IGNORECASE)


def list_recordings(root: Path) -> list[Clip]:
    """All clips, "subject 1/anger/sentence 1" in the natural order of these names, without those of UNSEGMENTED.

    Their subjects are "1" to "44". Raises InputError when `root` is not this corpus or lacks a class, and for a video
    outside the folders of subjects, emotions or sentences, and two videos in the folder of one sentence.
    """
    clips, errors, _ = _scan(root)
    return acted.require_clips(clips, errors, root, "enterface", f"{_LAYOUT}; {ACCESS}")


def count_expected(root: Path) -> dict[str, int]:
    """Number of subjects and of each class's clips: the distribution's, or those that the simulator noted."""
    return acted.count_planned(read_simulation(root)) or {"subjects": SUBJECTS} | {
        f"{label} clips": COUNTS[label] for label in CLASSES
    }


def locate(root: Path) -> Path:
    """The folder that holds all subjects; of a simulated corpus, the one that holds what the simulator noted.

    Raises InputError when there is no clip below `root`.
    """
    clips, _, _ = _scan(root)
    return acted.find_holder(clips, _SUBJECT, root, f"{_LAYOUT}; {ACCESS}")


def read_simulation(root: Path) -> dict | None:
    """What the simulator noted of itself (datasets.simulated), or None for a real corpus. Raises InputError."""
    return layout.read_marker(locate(root), subjects=int, sentences=int)


def count(root: Path) -> dict[str, int]:
    """Number of subjects, of the clips of each class, and of those that are not cut into sentences."""
    clips, _, uncut = _scan(root)
    return acted.count_clips(clips) | {"unsegmented": len(uncut)}


def check(root: Path) -> list[str]:
    """What is missing, unreadable or out of place below `root`, one line each; empty when the corpus is whole.

    Raises InputError when there is no clip.
    """
    clips, errors, _ = _scan(root)
    return (
        errors
        + acted.list_differences(root, count_expected(root), acted.count_clips(clips))
        + _list_gaps(root, clips)
        + acted.list_damaged(clips, RATE)
    )


def list_notes(root: Path) -> list[str]:
    """What the distribution itself has wrong, one line each; it keeps no clip from being used.

    The videos that are left out, and for each subject the files whose names disagree with their folders. Raises
    InputError when there is no clip.
    """
    clips, _, uncut = _scan(root)
    files = ", ".join(path.name for path in uncut)
    left_out = f"{root}: subject {UNSEGMENTED} is not cut into sentences and is left out: {files}"
    return ([left_out] if uncut else []) + _list_misnamed(root, clips)


def _scan(root: Path) -> tuple[list[Clip], list[str], list[Path]]:
    """All clips; what keeps them from being used, a line each; and the videos of the subject without sentences."""
    clips, errors, uncut = [], [], []
    for path in acted.find_videos(root):
        above, below = acted.split_at_subject(path, root, _SUBJECT)
        emotion = next((name for name in below if name.lower() in _LABELS), None)
        sentence = next((match for name in reversed(below) if (match := _SENTENCE.fullmatch(name))), None)
        if above is None:
            errors.append(f"{path}: lies in no folder subject 1, subject 2, ...; move it, or name the upper folder")
        elif emotion is None:
            errors.append(f"{above.joinpath(*below[:1])}: is none of {', '.join(_LABELS)}; rename or remove it")
        elif sentence:
            subject = _read_number(_SUBJECT.fullmatch(above.name))
            name = f"subject {subject}/{emotion.lower()}/sentence {_read_number(sentence)}"
            clips.append(Clip(name, subject, _LABELS[emotion.lower()], path))
        elif _read_number(_SUBJECT.fullmatch(above.name)) == UNSEGMENTED:
            uncut.append(path)
        else:
            errors.append(f"{path}: lies in no folder sentence 1, sentence 2, ...; move it into its sentence's")
    clips = acted.sort_clips(clips, errors)
    return clips, list(dict.fromkeys(errors)), uncut


def _read_number(match: re.Match) -> str:
    """ "7" of "subject 07"."""
    return str(int(match[1]))


def _list_gaps(root: Path, clips: list[Clip]) -> list[str]:
    """One line for each subject who lacks sentences, more of them than in the distribution."""
    made = read_simulation(root)
    names = {clip.name for clip in clips}
    subjects = {clip.subject for clip in clips}
    found = [] if made else [f"{root}: no clip of subject {n}" for n in _list_absent(subjects)]
    for subject in sorted(subjects, key=acted.make_natural_key):
        numbers = range(1, (made["sentences"] if made else SENTENCES) + 1)
        places = [f"{emotion}/sentence {k}" for emotion in _LABELS for k in numbers]
        lacking = [place for place in places if f"subject {subject}/{place}" not in names]
        if len(lacking) > (0 if made else LACKING.get(subject, 0)):
            found.append(f"{root}: subject {subject} lacks {', '.join(lacking)}")
    return found


def _list_absent(subjects: set[str]) -> list[int]:
    return [n for n in range(1, SUBJECTS + 2) if str(n) not in subjects | {UNSEGMENTED}]


def _list_misnamed(root: Path, clips: list[Clip]) -> list[str]:
    """One line for each subject with files whose names say something else than their folders, or nothing."""
    odd = defaultdict(list)
    for clip in clips:
        if _read_name(clip.video.stem) != clip.name:
            odd[clip.subject].append(clip.video.name)
    return [
        f"{root}: subject {subject}: the folders are followed where file names disagree: {', '.join(names)}"
        for subject, names in odd.items()
    ]


def _read_name(stem: str) -> str | None:
    """The clip that the name of a file speaks of, misspelt or not; None where it cannot be understood."""
    match = _FILE.fullmatch(stem)
    emotion = match and next((name for name in _LABELS if name.startswith(match[2].lower())), None)
    return f"subject {int(match[1])}/{emotion}/sentence {int(match[3])}" if emotion else None
