"""Digests of content, files that are written whole or not at all, and locks among processes."""

import fcntl
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, TextIO

from common.errors import InputError, WriteError

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


@cache
def find_version(package: str) -> str | None:
    """The version of a package, of which what is cached may be made; None where it is not installed."""
    try:
        return metadata.version(package)  # reads its whole description each time
    except metadata.PackageNotFoundError:
        return None


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


def write_npy(path: Path, array) -> None:
    """One array as an .npy file. Raises WriteError."""
    import numpy as np

    write_atomically(path, lambda file: np.save(file, array))


def write_npz(path: Path, **arrays) -> None:
    """Arrays by name as an .npz file. Raises WriteError."""
    import numpy as np

    write_atomically(path, lambda file: np.savez(file, **arrays))


def write_json(path: Path, record: dict) -> None:
    data = as_json(record)
    write_atomically(path, lambda file: file.write(data))


def as_json(record: dict) -> bytes:
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the file `path`, which nobody else holds meanwhile: who comes later waits, and says so.

    The file is gone afterwards; one that a killed process left behind is held by nobody. Raises WriteError.
    """
    try:
        file = _take_lock(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be locked ({error.strerror or error}); choose another folder") from error
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _take_lock(path: Path) -> TextIO:
    """The open file `path`, locked; the lock ends when it is closed."""
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path}: held by another process; waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        if _is_at(path, file):
            return file
        file.close()  # who held it has deleted it, and others would lock another one


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
