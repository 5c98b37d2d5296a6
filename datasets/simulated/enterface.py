"""Writes a simulated eNTERFACE'05 with slips of the distribution, and the truth beside it.

    enterface database/subject 1/anger/sentence 1/s1_an_1.avi    truth/subject_1_anger_sentence_1.npz    simulated.json

The clips of subject 6 are long and not cut into sentences, those of subject 11 are called s12_..., and one of subject 3
is s_3_ha_1.avi. `datasets.check` notes the first two, as it does of the real corpus. What is acted and when: datasets.simulated.acted.
"""

from itertools import count, islice
from pathlib import Path

from datasets.enterface import FPS, RATE, UNSEGMENTED
from datasets.simulated import acted

VERSION = 3  # to be raised whenever the same parameters give other bytes
FORM = acted.Form(FPS, RATE, "stereo")
MISNUMBERED = {11: 12}  # subject -> whose number the files have
MISSPELT = {"s3_ha_1": "s_3_ha_1"}
UNCUT = 2  # sentences that follow one another in a file of subject 6, or more


def write(
    root: Path, seed: int = 0, subjects: int = 42, sentences: int = 1, seconds: float = 2.4, jobs: int = 1
) -> None:
    """Write the corpus to `root`, where it is whole or not at all; a corpus that is there already stays as it is.

    Called again after it was stopped, it goes on. Raises InputError, WriteError and OSError as `corpus.write`.
    `subjects` with `sentences` of each emotion, and subject 6 besides; clips last about `seconds`, of which four tenths
    are speech at most, or as long as one phrase needs.
    """
    manifest = acted.Manifest("enterface", seed, subjects, sentences, float(seconds), VERSION)
    acted.write(root, manifest, FORM, list_takes(manifest), jobs)


def list_takes(manifest: acted.Manifest) -> list[acted.Take]:
    """All clips, subject by subject, and last those of subject 6."""
    numbers = islice((n for n in count(1) if str(n) != UNSEGMENTED), manifest.subjects)
    whole = [plan_take(number, *clip) for number in numbers for clip in acted.list_clips(manifest.sentences)]
    uncut = [plan_uncut_take(*clip) for clip in acted.list_clips(max(manifest.sentences, UNCUT))]
    return whole + sorted(uncut, key=lambda take: take.path)  # what belongs to one file side by side


def plan_take(number: int, sentence: int, label: str, phrase: int) -> acted.Take:
    name = f"subject {number}/{label.lower()}/sentence {sentence}"
    file = f"s{MISNUMBERED.get(number, number)}_{acted.CODES[label]}_{sentence}"
    path = f"enterface database/{name}/{MISSPELT.get(file, file)}.avi"
    return acted.Take(name, str(number), label, path, phrase)


def plan_uncut_take(sentence: int, label: str, phrase: int) -> acted.Take:
    folder, code = f"subject {UNSEGMENTED}/{label.lower()}", acted.CODES[label]
    path = f"enterface database/{folder}/s{UNSEGMENTED}_{code}.avi"
    return acted.Take(f"{folder}/{sentence}", UNSEGMENTED, label, path, phrase)
