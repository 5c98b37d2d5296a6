"""What the command lines of all papers share: options, settings checked before work, the corpus that a task knows."""

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import storage
from common.errors import InputError, WriteError
from common.evidence.paper import Paper
from common.evidence.settings import resolve_settings
from common.running import cli, dispatch, results, tasks
from common.running.parallel import parallel

RESULTS = Path("results")
CONNECT_SECONDS = 5


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


def completed(
    todo: list[tasks.Task], work: tasks.Work, arguments: argparse.Namespace, paper: str
) -> list[tuple[Path, dict]]:
    """Do the tasks that are not done, say how many there were, and read the result files of all."""
    done = dispatch.run(todo, work, arguments.jobs, arguments.threads, arguments.scheduler)
    print(f"{done} of {len(todo)} results computed, {len(todo) - done} were there; in {arguments.results / paper}")
    return [(task.path, results.read(task.path)) for task in todo]


def record_head(
    paper: str, task: tasks.Task, corpus: Corpus, profile: str, target: str, settings: dict
) -> dict[str, Any]:
    """What the record of every trained network begins with: what it is, from which corpus, under which settings."""
    return {
        "paper": paper,
        "corpus": corpus.name,
        "evidence": corpus.evidence,
        "profile": profile,
        "target": target,
        "variant": task.variant,
        "fold": task.fold,
        "seed": task.seed,
        "settings": settings,
        "settings_digest": storage.digest(settings),
        "corpus_digest": corpus.digest,
        "task_digest": task.digest,
        "unusable": [item.__dict__ for item in corpus.unusable],
    }


class Clock:
    """Seconds of wall time between stops."""

    def __init__(self):
        self.seconds, self.last = {}, time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self.last, 2)
        self.last = now


def parser(paper: str, description: str, corpus: str, variants: Sequence[str]) -> argparse.ArgumentParser:
    """The options that every paper has."""
    made = argparse.ArgumentParser(
        prog=f"python -m replications.{paper}.run",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--corpus", default="simulated", help=f"simulated (default), or {corpus}")
    add(
        "--profile",
        default="quick",
        choices=["quick", "paper"],
        help="quick: minutes on two cores; paper: every stated size",
    )
    add("--seeds", type=int, nargs="+", default=[0], metavar="N", help="a run for each (default: %(default)s)")
    add(
        "--variants", nargs="+", default=list(variants), choices=variants, metavar="NAME", help=", ".join(variants)
    )  # fmt: skip
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another choice of the ledger; names stand in paper.toml",
    )
    add(
        "--skip-unusable",
        action="store_true",
        help="go on without recordings that cannot be used; the report lists them",
    )
    add("--jobs", type=int, default=cores(), help="processes (default: one for each core)")
    add("--threads", type=int, help="threads of TensorFlow in each process (default: cores / jobs)")
    add("--engine", default="local", choices=["local", "dask"], help="dask: train on a cluster that is already there")
    add("--scheduler", metavar="ADDRESS", help="of the Dask cluster, as in tcp://HOST:8786")
    add("--results", type=Path, default=RESULTS, help="one folder for each choice of settings (default: results)")
    add("--cache", type=Path, default=cli.cache_folder(), help="simulated corpora and features")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of the command line, checked."""
    arguments = made.parse_args()
    if arguments.jobs < 1:
        made.error("--jobs is 1 or more")
    if arguments.threads is not None and arguments.threads < 1:
        made.error("--threads is 1 or more")
    if min(arguments.seeds) < 0:
        made.error("--seeds are 0 or more")
    if arguments.engine == "dask" and not arguments.scheduler:
        made.error("--engine dask wants the address of a cluster: --scheduler tcp://HOST:8786")
    if arguments.engine != "dask" and arguments.scheduler is not None:
        made.error("--scheduler is for --engine dask; add that, or go without a cluster")
    if arguments.scheduler:
        probe_scheduler(arguments.scheduler)
    arguments.seeds = list(dict.fromkeys(arguments.seeds))
    arguments.threads = arguments.threads or max(1, cores() // arguments.jobs)
    return arguments


def probe_scheduler(address: str) -> None:
    """Raise InputError where nobody listens, before hours of features rather than after."""
    try:
        place = urlsplit(address if "://" in address else f"tcp://{address}")
        if place.scheme in ("tcp", "tls"):
            socket.create_connection((place.hostname, place.port), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--scheduler {address}: no Dask scheduler answers there ({error}); start one with `python -m dask scheduler`"
        ) from error


def cores() -> int:
    return os.cpu_count() or 1


def settings_of(paper: Paper, arguments: argparse.Namespace, overrides: Sequence[str] = ()) -> dict:
    """The settings of a run. Raises InputError: unknown ones, and changed ones without a --results of their own."""
    settings = resolve_settings(paper, arguments.profile, [*arguments.set, *overrides])
    declared = resolve_settings(paper, arguments.profile)
    changed = [name for name in settings if settings[name] != declared[name] and not paper.settings[name].about_files]
    if changed and arguments.results == RESULTS:
        raise InputError(
            f"{', '.join(changed)}: results of other settings do not mix with the declared ones; give them a folder of "
            f"their own with --results"
        )
    return settings


def check_positive(settings: dict, zero_allowed: Sequence[str]) -> None:
    """Raise InputError for a number that is not above 0, or below it for those that may be 0."""
    for name, value in settings.items():
        numbers = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int | float)]
        if any(not isinstance(v, bool) and (v < 0 or v == 0 and name not in zero_allowed) for v in numbers):
            words = "0 or more" if name in zero_allowed else "numbers above 0"
            raise InputError(f"setting {name}: {value} is not accepted; give {words}")


def check_rules(settings: dict, rules: dict[str, tuple[bool, str]]) -> None:
    """Raise InputError for the first setting that breaks its rule: name -> (fits, what is wanted)."""
    for name, (fits, wanted) in rules.items():
        if not fits:
            raise InputError(f"setting {name}: {settings[name]} is not accepted; give {wanted}")


def which(root: Path, readers: dict) -> str:
    """The name of the first of `readers` that finds its layout in `root`. Raises InputError."""
    errors = []
    for name, reader in readers.items():
        try:
            reader.locate(root)
        except InputError as error:
            errors.append(str(error))
        else:
            return name
    if not root.is_dir():
        raise InputError(errors[0])
    names = list(readers)
    remedy = f"see `python -m datasets.check {names[0]} {root}`"
    raise InputError(f"{root}: not in the layout of {' or '.join(names)}; {remedy}")


def refuse(unusable: Sequence[Unusable], skip: bool) -> None:
    """Name what cannot be used, and stop unless the user said to go on without."""
    for item in unusable:
        print(f"unusable: {item.file}: {item.reason}", file=sys.stderr)
    if unusable and not skip:
        raise InputError(
            f"{unusable[0].file}: {len(unusable)} recording(s) cannot be used (named above); mend them, or go on without them "
            f"with --skip-unusable; features of the others are kept"
        )


def extracted(items: Sequence, load: Callable, jobs: int, threads: int, unit: str) -> tuple[list, list[Unusable]]:
    """load(item) for all `items`, each with a name, in their order, and the items that cannot be used.

    Processes fill the cache that `load` has, then it is called again here: what it returns is never sent.
    """
    from joblib import delayed
    from tqdm import tqdm

    done = parallel((delayed(_filled)(item, load, threads) for item in items), jobs)
    done = list(tqdm(done, total=len(items), desc="features", unit=unit, leave=False))
    usable = [load(item) for item, unusable in zip(items, done, strict=True) if unusable is None]
    return usable, [unusable for unusable in done if unusable is not None]


def _filled(item, load: Callable, threads: int) -> Unusable | None:
    """Fill the cache for one item; returns why it cannot be used, if so."""
    tasks.limit_threads(threads)
    try:
        load(item)
    except InputError as error:
        return Unusable.of(item.name, error)
    return None


def probe_writable(folder: Path) -> None:
    """Raise WriteError before hours of work rather than after."""
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder}: is no folder; choose another")
    storage.write_atomically(folder / ".probe", lambda file: file.write(b""))
    (folder / ".probe").unlink()
