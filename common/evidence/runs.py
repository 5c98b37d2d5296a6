"""Which result files stand for a network: those that count, of one corpus, one profile and one set of settings.

Several runs may exist for one network. There counts, in this order: the paper's own corpus before any other, real
before simulated, the larger profile before the smaller one, then by name. The `uniform` control never counts for a
number. Of runs under different settings the newest group of equal ones does, and `Runs` says how many were left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.evidence.paper import PROFILES, Paper, Part, resolve_number
from common.evidence.settings import resolve_settings

ALL_TARGETS = "all"  # the target of a network that predicts several
CONTROL = "simulated-uniform"
MEASURED = "measured"  # in the place of a corpus: a speed
File = tuple[Path, dict]  # a result file and its record, as `results.find` yields them


@dataclass(frozen=True)
class Runs:
    """The seeds of one network: one corpus, one profile, one set of settings."""

    variant: str
    corpus: str
    profile: str
    evidence: str
    files: tuple[File, ...]  # by seed
    left_out: int = 0  # files under other settings, or older ones of another corpus version

    @property
    def first(self) -> dict:
        return self.files[0][1]


def check_files(files: Iterable[File]) -> list[File]:
    """The files, each with the entries that a comparison needs and in the folder that its record names.

    Raises InputError for the first that is not: a simulated result in a real corpus's folder is no mishap to pass over.
    """
    files = list(files)
    for path, record in files:
        try:
            place = [record[key] for key in ("paper", "corpus", "profile", "target", "variant")]
            place.append(f"{record['fold']}-seed{record['seed']}.json")
            kind = record["corpus"].partition("-")[0]
            complete = _is_complete(record)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: incomplete result file ({error}); delete it and run again") from error
        if not complete or record.get("evidence") != (kind if kind in ("simulated", MEASURED) else "real"):
            raise InputError(f"{path}: damaged result file; delete it and run again")
        if list(path.parts[-6:]) != place:
            raise InputError(f"{path}: its record belongs at {'/'.join(place)}; put it there or delete it")
    return files


def _is_complete(record: dict) -> bool:
    """Whether the main entries are of the kind that they are read as. Raises KeyError, TypeError, AttributeError."""
    kinds = {"settings": dict, "settings_digest": str, "corpus_digest": str, "scores": dict}
    optional = {"provenance": dict, "history": dict, "seconds": dict, "chats": dict, "arrays": dict, "left_out": list}
    optional |= {"mechanism": dict | None, "postprocess": dict | None, "training_scores": dict}
    entries = {"recordings": {"name"}, "unusable": {"recording", "file", "reason"}}  # lists of these
    return (
        all(isinstance(record[name], kind) for name, kind in kinds.items())
        and all(isinstance(record[name], kind) for name, kind in optional.items() if name in record)
        and all(isinstance(table, dict) for scores in record["scores"].values() for table in [scores, *scores.values()])
        and "sha256" in record.get("arrays", {"sha256": ""})
        and all(keys <= entry.keys() for name, keys in entries.items() for entry in record.get(name, []))
        and all("frames" in entry or "labels" in entry for entry in record.get("recordings", []))
    )


def select_runs(
    paper: Paper, files: Sequence[File], variant: str, corpus: str = "", number: Part | None = None
) -> Runs | None:
    """The runs of `variant` that count (see the module), or those on `corpus`; None without any.

    `number` says which target and fold are wanted; without it the protocol's are.
    """
    number = number or resolve_number(paper)
    groups: dict[tuple, list[File]] = {}
    for path, record in files:
        if (record["variant"], record["fold"]) != (variant, number.fold):
            continue
        wanted = record["corpus"] == corpus if corpus else not record["corpus"].endswith("-uniform")
        same = record["target"] in (number.target, ALL_TARGETS)
        if wanted and same and find_corpus(paper, record["corpus"]) == number.corpus:
            groups.setdefault((record["corpus"], record["profile"]), []).append((path, record))
    if not groups:
        return None
    chosen = min(
        groups,
        key=lambda key: (
            not is_of_paper(number, key[0]),
            key[0].startswith("simulated"),
            -PROFILES.index(key[1]),
            key,
        ),
    )
    return _take_newest(variant, groups[chosen])


def select_any_runs(paper: Paper, files: Sequence[File], variant: str) -> Runs | None:
    """As `select_runs`, on the first of the paper's corpora that has runs, real ones first: for what is about none of them."""
    corpora = [paper.corpus, *sorted(paper.corpora - {paper.corpus})]
    numbers = [resolve_number(paper, Part(corpus=corpus)) for corpus in corpora]
    found = [select_runs(paper, files, variant, number=number) for number in numbers]
    return min((runs for runs in found if runs), key=lambda runs: runs.evidence == "simulated", default=None)


def find_corpus(paper: Paper, corpus: str) -> str:
    """Which of the paper's corpora a run's `corpus` is, is a part of, or stands for."""
    name = corpus.removeprefix("simulated").removeprefix("-").removesuffix("-public")
    return name if name in paper.corpora else paper.corpus


def is_of_paper(number: Part, corpus: str) -> bool:
    """Whether a run's `corpus` is the one that `number` is about, or its public part."""
    return corpus in (number.corpus, f"{number.corpus}-public")


def find_place(record: dict) -> tuple[str, str]:
    """Corpus and profile; the public part of a corpus is of the same recordings."""
    return record["corpus"].removesuffix("-public"), record["profile"]


def read_date(record: dict) -> str:
    """When the run ended, as its record says; "" where it does not."""
    return str(record.get("provenance", {}).get("date", ""))


def _take_newest(variant: str, files: list[File]) -> Runs:
    groups: dict[tuple, list[File]] = {}
    for path, record in files:
        groups.setdefault((record["settings_digest"], record["corpus_digest"]), []).append((path, record))
    newest = max(groups, key=lambda key: (max(read_date(record) for _, record in groups[key]), key))
    kept = tuple(sorted(groups[newest], key=lambda file: file[1]["seed"]))
    record = kept[0][1]
    return Runs(variant, record["corpus"], record["profile"], record["evidence"], kept, len(files) - len(kept))


def list_changed_settings(paper: Paper, runs: Runs) -> dict:
    """The settings of the runs that are not those declared for their profile: name -> value."""
    declared = resolve_settings(paper, runs.profile)
    method = {k: v for k, v in runs.first["settings"].items() if k not in declared or not paper.settings[k].about_files}
    return {k: v for k, v in method.items() if k not in declared or declared[k] != v}
