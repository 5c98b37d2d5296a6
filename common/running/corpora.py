"""A corpus before its features and with them: found, its unusable recordings named, its features made in processes."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from common import storage
from common.errors import InputError
from common.running import tasks
from common.running.parallel import parallel


@dataclass(frozen=True)
class Unusable:
    """A recording that cannot be used, the file at fault and what to do about it."""

    recording: str
    file: str
    reason: str

    @classmethod
    def of(cls, recording: str, error: InputError) -> "Unusable":
        file, _, reason = str(error).partition(": ")
        return cls(recording, file, reason)


@dataclass(frozen=True)
class Corpus:
    """A corpus with its features: what a task needs to know. Each recording has a name, a partition and a digest."""

    name: str  # that of the paper.toml, or simulated, simulated-uniform
    root: Path
    recordings: Sequence[Any]
    unusable: Sequence[Unusable] = ()

    @property
    def evidence(self) -> str:
        return "simulated" if self.name.startswith("simulated") else "real"

    def partition(self, name: str) -> list:
        return [recording for recording in self.recordings if recording.partition == name]

    @property
    def digest(self) -> str:
        return storage.digest([recording.digest for recording in self.recordings])


@dataclass(frozen=True)
class RawCorpus:
    """A corpus before its features: its reader, where it is, its recordings, what the simulator noted of itself."""

    name: str  # in results, see `name_corpus`
    reader: ModuleType
    root: Path
    recordings: Sequence[Any]
    simulation: dict | None


def locate_corpora(
    corpus: str, readers: dict[str, ModuleType], simulate: Callable[[], Sequence[Path]]
) -> list[RawCorpus]:
    """The corpus in the folder that --corpus names, or those that `simulate` writes. Raises InputError, WriteError.

    readers: name in paper.toml -> module of datasets; the first is the corpus that the paper is about.
    """
    found = []
    for root in simulate() if corpus == "simulated" else [Path(corpus)]:
        kind = find_reader(root, readers)
        reader = readers[kind]
        recordings, simulation = reader.list_recordings(root), reader.read_simulation(root)
        name = name_corpus(kind, simulation, main=next(iter(readers)))
        found.append(RawCorpus(name, reader, root, recordings, simulation))
    return found


def name_corpus(kind: str, simulation: dict | None, main: str) -> str:
    """In results: that of the paper.toml; simulated, for others than `main` simulated-KIND; with -uniform for the control."""
    if not simulation:
        return kind
    control = "-uniform" if simulation.get("control") == "uniform" else ""
    return f"simulated{'' if kind == main else f'-{kind}'}{control}"


def find_reader(root: Path, readers: dict) -> str:
    """The name of the first of `readers` that finds its layout in `root`. Raises InputError."""
    errors = []
    for name, reader in readers.items():
        try:
            reader.locate(root)
        except InputError as error:
            errors.append(str(error))
        else:
            return name
    if len(readers) == 1 or not root.is_dir():
        raise InputError(errors[0])
    names = list(readers)
    remedy = f"see `python -m datasets.check {names[0]} {root}`"
    raise InputError(f"{root}: not in the layout of {' or '.join(names)}; {remedy}")


def refuse_unusable(unusable: Sequence[Unusable], skip: bool) -> None:
    """Name what cannot be used, and stop unless the user said to go on without."""
    for item in unusable:
        print(f"unusable: {item.file}: {item.reason}", file=sys.stderr)
    if unusable and not skip:
        raise InputError(
            f"{unusable[0].file}: {len(unusable)} recording(s) cannot be used (named above); mend them, or go on without them "
            f"with --skip-unusable; features of the others are kept"
        )


def require_partitions(found: RawCorpus, recordings: Sequence, partitions: Sequence[str]) -> None:
    """Raise InputError for the first of `partitions` of which no recording is left."""
    for partition in partitions:
        if not any(recording.partition == partition for recording in recordings):
            kind = found.reader.__name__.rpartition(".")[2]
            raise InputError(
                f"{found.root}: no usable {partition} recording; see `python -m datasets.check {kind} {found.root}`"
            )


def extract_all(items: Sequence, load: Callable, jobs: int, threads: int, unit: str) -> tuple[list, list[Unusable]]:
    """load(item) for all `items`, each with a name, in their order, and the items that cannot be used.

    Processes fill the cache that `load` has, then it is called again here: what it returns is never sent.
    """
    filled, unusable = try_all(items, partial(_fill, load=load), jobs, threads, "features", unit)
    return [load(item) for item in items if item.name in filled], unusable


def _fill(item, load: Callable) -> None:
    load(item)


def try_all(
    items: Sequence, work: Callable, jobs: int, threads: int, title: str, unit: str
) -> tuple[dict[str, Any], list[Unusable]]:
    """What `work` makes of each item, in processes: by the item's name, and the items that cannot be used.

    The latter are those for which `work` raises InputError. Shows progress.
    """
    from joblib import delayed
    from tqdm import tqdm

    done = parallel((delayed(_try)(item, work, threads) for item in items), jobs)
    done = list(tqdm(done, total=len(items), desc=title, unit=unit, leave=False))
    made = {item.name: found for item, found in zip(items, done, strict=True) if not isinstance(found, Unusable)}
    return made, [found for found in done if isinstance(found, Unusable)]


def _try(item, work: Callable, threads: int):
    tasks.limit_threads(threads)
    try:
        return work(item)
    except InputError as error:
        return Unusable.of(item.name, error)
