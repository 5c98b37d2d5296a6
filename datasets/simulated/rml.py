"""Writes a simulated RML emotion database, with the truth beside it.

    rml-1/s1/an1.avi    rml-1/s2/english/an1.avi    rml-2/s6/su2.avi    truth/s1_an1.npz    simulated.json

As in the real corpus s1 to s5 are in rml-1 and the others in rml-2, and one subject has a folder more for the language.
All speak English. What is acted and when: datasets.simulated.acted.
"""

from pathlib import Path

from datasets.rml import FPS, RATE
from datasets.simulated import acted

VERSION = 3  # to be raised whenever the same parameters give other bytes
FORM = acted.Form(FPS, RATE, "mono")
FOLDED = "s2"  # subject with a folder for the language


def write(
    root: Path, seed: int = 0, subjects: int = 8, sentences: int = 2, seconds: float = 3.2, jobs: int = 1
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    `sentences` of each subject and emotion; clips last about `seconds`, of which four tenths are speech at most, or
    as long as one phrase needs.
    """
    manifest = acted.Manifest("rml", seed, subjects, sentences, float(seconds), VERSION)
    acted.write(root, manifest, FORM, list_takes(manifest), jobs)


def list_takes(manifest: acted.Manifest) -> list[acted.Take]:
    """All clips, subject by subject."""
    return [
        plan_take(f"s{number}", *clip)
        for number in range(1, manifest.subjects + 1)
        for clip in acted.list_clips(manifest.sentences)
    ]


def plan_take(subject: str, sentence: int, label: str, phrase: int) -> acted.Take:
    name = "/".join([subject, *(["english"] if subject == FOLDED else []), f"{acted.CODES[label]}{sentence}"])
    return acted.Take(name, subject, label, f"rml-{1 if int(subject[1:]) <= 5 else 2}/{name}.avi", phrase)
