"""The command line that the runs of all papers share: its options, checked before work, and the settings they choose."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from common import storage
from common.errors import InputError, WriteError
from common.evidence.paper import PROFILES, Paper, count_seeds
from common.evidence.settings import resolve_settings
from common.running import cli

RESULTS = Path("results")
CONNECT_SECONDS = 5


def build_parser(paper: str, description: str, corpus: str, variants: Sequence[str]) -> argparse.ArgumentParser:
    """The options that every paper has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m replications.{paper}.run",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--corpus", default="simulated", help=f"simulated (default), or {corpus}")
    add(
        "--profile",
        default="quick",
        choices=PROFILES,
        help="quick: minutes on two cores; study: hours, and the networks learn; paper: every stated size",
    )
    add(
        "--seeds", type=int, nargs="+", metavar="N", help="a run for each (default: 0, in the study and the paper more)"
    )
    names = ", ".join(variants)
    add("--variants", nargs="+", default=list(variants), choices=variants, metavar="NAME", help=names)
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
    add("--jobs", type=int, default=count_cores(), help="processes (default: one for each core)")
    add("--threads", type=int, help="threads of TensorFlow in each process (default: cores / jobs)")
    add("--engine", default="local", choices=["local", "dask"], help="dask: train on a cluster that is already there")
    add("--scheduler", metavar="ADDRESS", help="of the Dask cluster, as in tcp://HOST:8786")
    add("--results", type=Path, default=RESULTS, help="one folder for each choice of settings (default: results)")
    add("--cache", type=Path, default=cli.choose_cache_folder(), help="simulated corpora and features")
    return parser


def parse_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments of the command line, checked."""
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs is 1 or more")
    if arguments.threads is not None and arguments.threads < 1:
        parser.error("--threads is 1 or more")
    if min(arguments.seeds or [0]) < 0:
        parser.error("--seeds are 0 or more")
    if arguments.engine == "dask" and not arguments.scheduler:
        parser.error("--engine dask wants the address of a cluster: --scheduler tcp://HOST:8786")
    if arguments.engine != "dask" and arguments.scheduler is not None:
        parser.error("--scheduler is for --engine dask; add that, or go without a cluster")
    if arguments.scheduler:
        probe_scheduler(arguments.scheduler)
    arguments.seeds = list(dict.fromkeys(arguments.seeds or []))
    arguments.threads = arguments.threads or max(1, count_cores() // arguments.jobs)
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


def count_cores() -> int:
    return os.cpu_count() or 1


def choose_settings(paper: Paper, arguments: argparse.Namespace, overrides: Sequence[str] = ()) -> dict:
    """The settings of a run; where no seeds were named, `arguments.seeds` become those of its profile.

    Raises InputError: unknown settings, and changed ones without a --results of their own.
    """
    arguments.seeds = arguments.seeds or list(range(count_seeds(paper, arguments.profile)))
    if arguments.profile == "study" and paper.protocol.study_minutes:
        minutes = f"about {paper.protocol.study_minutes} minutes on two cores"
        print(f"study: all of it takes {minutes}; what is done is not done again", file=sys.stderr)
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


def probe_writable(folder: Path) -> None:
    """Raise WriteError before hours of work rather than after."""
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder}: is no folder; choose another")
    storage.write_atomically(folder / ".probe", lambda file: file.write(b""))
    (folder / ".probe").unlink()
