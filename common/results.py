"""Result files: one JSON record for each (variant, fold, seed), with its arrays in an .npz beside it.

A result is written whole or not at all: each file is written under a temporary name, flushed to disk and
renamed, the arrays first and the record last. A record that can be read is therefore complete.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.cli import InputError, WriteError

SCHEMA = 1
# what reading an .npz or .npy raises that is not there, damaged, or without the arrays that are asked for;
# NotImplementedError is what zipfile raises for a compression that it does not know
UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile)


def digest(value: object) -> str:
    """A short SHA-256 of a JSON-able value, independent of key order."""
    return digest_bytes(json.dumps(value, sort_keys=True, allow_nan=False).encode())


def digest_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """The short SHA-256 of a file's content; read again only when its size or time of change differ.

    Raises InputError.
    """
    try:
        status = path.stat()
        return _digest_file(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable or copy it again") from error


@cache
def _digest_file(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it. Raises WriteError, leaving nothing behind."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files private
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, record: dict) -> None:
    data = _as_json(record)
    write_atomically(path, lambda file: file.write(data))


def _as_json(record: dict) -> bytes:
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()


def write(path: Path, record: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    """Write `record` to `path` (.json) and `arrays` to the .npz of the same stem.

    NaN has no place in a record: a score that is undefined is None. Raises WriteError and ValueError (NaN).
    """
    record = {"schema": SCHEMA, **record}
    _as_json(record)  # what cannot be written is refused before the arrays are
    if arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        data = buffer.getvalue()
        record["arrays"] = {"file": path.with_suffix(".npz").name, "sha256": digest_bytes(data)}
        write_atomically(path.with_suffix(".npz"), lambda file: file.write(data))
    write_json(path, record)


def read(path: Path) -> dict:
    """The record at `path`. Raises InputError when it is no result file of this schema."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a readable result file ({error}); delete it and run again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{path}: result file of another schema; delete it and run again")
    return record


def read_arrays(path: Path, record: dict) -> dict[str, np.ndarray]:
    """The arrays that belong to `record`, read from beside `path`. Raises InputError when they do not match it."""
    if "arrays" not in record:
        return {}
    file = path.with_suffix(".npz")  # never the name in the record: a record cannot point elsewhere
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: missing beside {path.name}; delete that record and run again") from error
    stated = record["arrays"].get("sha256") if isinstance(record["arrays"], dict) else None
    if digest_bytes(data) != stated:
        raise InputError(f"{file}: does not belong to {path.name}; delete both and run again")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return dict(archive)


def find(results: Path, paper: str) -> Iterator[tuple[Path, dict]]:
    """All records of a paper below the folder `results`, in the order of their paths."""
    for path in sorted((results / paper).rglob("*.json")):
        record = read(path)
        if record.get("paper") == paper:
            yield path, record
