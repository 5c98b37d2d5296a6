"""The report that is replaced: its figures are taken over where nothing they show or are drawn with has changed."""

import json
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from common import storage
from common.evidence.paper import Paper
from common.evidence.runs import File
from replications import architectures
from reports.drawing import Drawing

INDEX = "figures/drawn.json"  # in a report: for each paper the key of its figures, and what is said of them
ROOT = Path(__file__).parent.parent


def compute_key(paper: Paper, files: Sequence[File]) -> str:
    """What its figures depend on: toml, networks, result files, the code, what draws. Raises InputError."""
    found = [[path.parts[-5:], storage.digest_file(path), record.get("committed", False)] for path, record in files]
    return storage.digest([_digest_code(), repr(paper), architectures.read(paper.id), found])


@cache
def _digest_code() -> list[str]:
    sources = [path for folder in ("common", "reports") for path in sorted((ROOT / folder).rglob("*.py"))]
    return [metadata.version(name) for name in ("matplotlib", "numpy", "scipy")] + list(
        map(storage.digest_file, sources)
    )


def format_index(drawn: dict[str, tuple[str, Sequence[Drawing]]]) -> str:
    """The text of INDEX; `drawn` has the key and the figures of each paper."""
    return json.dumps(
        {paper: {"key": key, "figures": list(map(_describe, found))} for paper, (key, found) in drawn.items()}
    )


def _describe(drawing: Drawing) -> dict[str, str]:
    words = {name: getattr(drawing, name) for name in ("id", "title", "caption", "section")}
    return words | {kind: storage.digest_bytes(content) for kind, content in drawing.files.items()}


def read_figures(report: Path, paper: str, key: str, png: bool = False) -> list[Drawing] | None:
    """The figures of a paper in a report, with their PNG where asked and else without.

    None if there are none with this key, a PNG that is asked is not there, or a file is not as it was written.
    """
    try:
        entry = json.loads((report / INDEX).read_text())[paper]
        if entry["key"] != key:
            return None
        found = [_read(report / "figures", about, png) for about in entry["figures"]]
        as_written = (_describe(drawing).items() <= about.items() for drawing, about in zip(found, entry["figures"]))
        return found if all(as_written) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(folder: Path, about: dict[str, str], png: bool) -> Drawing:
    name = Path(about["id"]).name  # a path would differ from it, and so the figure from what is said of it
    files = [(folder / f"{name}.{kind}").read_bytes() for kind in ("svg", "png")[: 1 + png]]
    return Drawing(name, about["title"], about["caption"], about["section"], *files)
