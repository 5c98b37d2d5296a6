"""Reading a `paper.toml`.

A key that nobody reads would act silently, so unknown keys are refused, as are missing and mistyped ones.
"""

import tomllib
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_origin

from common.errors import InputError
from common.evidence.paper import Paper, Protocol
from common.evidence.rules import Invalid, check_paper
from common.evidence.settings import is_number


def load_papers() -> list[Paper]:
    """The papers of the suite: every `replications/*/paper.toml` beside this package, by folder name."""
    folder = Path(__file__).resolve().parents[2] / "replications"
    return [load_paper(path) for path in sorted(folder.glob("*/paper.toml"))]


def load_paper(path: Path) -> Paper:
    """Read and check a `paper.toml`. Raises InputError, one line that names the file and the key."""
    try:
        return _parse_paper(path, path.read_bytes().decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{_shorten(path)}: not a readable TOML file ({error})") from error


@lru_cache(maxsize=32)
def _parse_paper(path: Path, text: str) -> Paper:
    document = tomllib.loads(text)
    try:
        paper = _make_paper(path, document)
        check_paper(paper)
    except Invalid as error:
        raise InputError(f"{_shorten(path)}: {error}") from error
    return paper


def _make_paper(path: Path, document: dict) -> Paper:
    head = document.get("paper")
    if not isinstance(head, dict):
        raise Invalid("paper: missing or no table")
    parts = {entry.name for entry in fields(Paper) if get_origin(entry.type) or entry.type is Protocol}
    if unknown := (document.keys() - parts - {"paper"}) | (head.keys() & (parts | {"path"})):
        raise Invalid(f"unknown key `{sorted(unknown)[0]}`")
    body = {part: document[part] for part in parts & document.keys()}
    if isinstance(settings := body.get("settings"), dict):
        body["settings"] = {k: {**v, "name": k} if isinstance(v, dict) else v for k, v in settings.items()}
    return _make(Paper, {"ledger": [], **head, **body, "path": path}, "paper")


def _make(kind: type, table: Any, where: str) -> Any:
    """An instance of the dataclass `kind`; unknown, missing and mistyped keys of `table` are refused."""
    if not isinstance(table, dict):
        raise Invalid(f"{where}: no table")
    known = {entry.name: entry for entry in fields(kind)}
    if unknown := table.keys() - known:
        raise Invalid(f"{where}: unknown key `{sorted(unknown)[0]}`")
    values = {}
    for name, entry in known.items():
        if name in table:
            values[name] = _convert(table[name], entry.type, name if kind is Paper else f"{where}: {name}")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise Invalid(f"{where}: `{name}` is missing")
    return kind(**values)


def _convert(value: Any, kind: Any, where: str) -> Any:
    """`value` when it fits the annotation `kind`: tables become dataclasses, lists become tuples."""
    origin, parts = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _make(kind, value, where)
    if origin is dict and isinstance(value, dict):
        return {name: _convert(item, parts[1], f"{where}.{name}") for name, item in value.items()}
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(item, parts[0], f"{where} {number}") for number, item in enumerate(value, 1))
    if kind in (float, float | None) and is_number(value):
        return float(value)
    if kind is Any or (origin is None and isinstance(value, kind) and isinstance(value, bool) == (kind is bool)):
        return value
    raise Invalid(f"{where}: {value!r} is not {_KINDS.get(origin or kind, kind)}")


_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list",
    dict: "a table",
}


def _shorten(path: Path) -> str:
    return "/".join(path.parts[-3:])
