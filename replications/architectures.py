"""`python -m replications.architectures`: the networks that figures of the papers show, as data that reports draw.

Of each network the layers in the sizes of the paper and in those of the study, from the functions that build it for an
experiment. Nothing is trained, and no weight takes memory. Run it again after a change of a network or a size; a test
says when that was forgotten.
"""

import argparse
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from common import storage
from common.running import cli

PROFILES = ("paper", "study")
KINDS = ("architecture", "overview")  # of figures, in paper.toml

Architectures = dict[str, dict[str, list[dict]]]  # variant -> profile -> layers, see common.networks.architecture


def main(arguments: Sequence[str] | None = None) -> None:
    description = __doc__.partition(": ")[2].partition(".")[0]
    parser = argparse.ArgumentParser(prog="python -m replications.architectures", description=description)
    parser.add_argument("papers", nargs="*", metavar="PAPER", help="by default all, which takes about half a minute")
    asked = parser.parse_args(arguments).papers
    from common.evidence.reading import load_papers  # numpy loads in seconds, --help should not

    papers = {paper.id: paper for paper in load_papers()}
    if unknown := [name for name in asked if name not in papers]:
        parser.error(f"{unknown[0]} is no paper of the suite; there are {', '.join(papers)}")
    for paper in (papers[name] for name in asked or papers):
        found, path = describe(paper), locate(paper.id)
        text = format_text(found).encode()
        storage.write_atomically(path, lambda file, text=text: file.write(text))
        print(f"{path}: {', '.join(found)}")


def locate(paper: str) -> Path:
    return Path(__file__).parent / paper / "architectures.json"


def read(paper: str) -> Architectures:
    """What was written for a paper, by its id; nothing for one without."""
    path = locate(paper)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def describe(paper) -> Architectures:
    """The networks in the figures of a paper, built anew; its `flowchart` says what is in them."""
    import keras

    from common.evidence.settings import resolve_settings

    flowchart = import_module(f"replications.{paper.id}.flowchart")
    figures = [figure for figure in paper.figures if figure.kind in KINDS]
    variants = dict.fromkeys(name for figure in figures for name in (figure.variant, *figure.variants.values()) if name)
    with keras.StatelessScope(initialize_variables=False):
        return {
            variant: {profile: flowchart.describe(variant, resolve_settings(paper, profile)) for profile in PROFILES}
            for variant in variants
        }


def format_text(found: Architectures) -> str:
    """As JSON, a line for each layer."""
    variants = []
    for variant, profiles in found.items():
        parts = []
        for profile, rows in profiles.items():
            lines = ",\n   ".join(json.dumps(row, ensure_ascii=False) for row in rows)
            parts.append(f'  "{profile}": [\n   {lines}\n  ]')
        variants.append(f' "{variant}": {{\n' + ",\n".join(parts) + "\n }")
    return "{\n" + ",\n".join(variants) + "\n}\n"


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
