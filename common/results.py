"""Result files: one JSON record for each (variant, fold, seed), with its arrays in an .npz beside it.

A result is written whole or not at all: each file is written under a temporary name, flushed to disk and
renamed, the arrays first and the record last. A record that can be read is therefore complete.
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.storage import as_json, digest_bytes, write_atomically, write_json

SCHEMA = 1
SMALL = 2**20  # bytes of arrays that are kept in memory once read; larger ones have weights


def write(path: Path, record: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    """Write `record` to `path` (.json) and `arrays` to the .npz of the same stem.

    NaN has no place in a record: a score that is undefined is None. Raises WriteError and ValueError (NaN).
    """
    record = {"schema": SCHEMA, **record}
    as_json(record)  # what cannot be written is refused before the arrays are
    if arrays:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        data = buffer.getvalue()
        record["arrays"] = {"file": path.with_suffix(".npz").name, "sha256": digest_bytes(data)}
        write_atomically(path.with_suffix(".npz"), lambda file: file.write(data))
    write_json(path, record)


def mark_undefined(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores for a record: numbers of Python, None for one that is undefined (NaN or infinite)."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}


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
    return dict((_unpack_once if len(data) < SMALL else _unpack)(data))


def _unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays in the content of an .npz file, not to be written to: who asks again gets the same ones."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.removesuffix(".npy"): _read_array(archive.read(name)) for name in archive.namelist()}


_unpack_once = lru_cache(maxsize=512)(_unpack)


def _read_array(data: bytes) -> np.ndarray:
    """The array in the content of an .npy file. numpy reads the header of each anew, in four times the time.

    Raises ValueError for one of objects.
    """
    if data[6:8] != b"\x01\x00":  # a header of more than 64 KiB
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    start = 10 + int.from_bytes(data[8:10], "little")
    shape, by_columns, dtype = _read_header(data[:start])
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if by_columns else "C")


@lru_cache(maxsize=512)  # most arrays of a file, one for each recording, have the same
def _read_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    file = io.BytesIO(header)
    np.lib.format.read_magic(file)
    return np.lib.format.read_array_header_1_0(file)


def find(results: Path, paper: str) -> Iterator[tuple[Path, dict]]:
    """All records of a paper below the folder `results`, in the order of their paths."""
    for path in sorted((results / paper).rglob("*.json")):
        record = read(path)
        if record.get("paper") == paper:
            yield path, record
