"""Say what of a corpus is there, what is missing, and where to ask for it: `python -m datasets.check CORPUS ROOT`."""

import argparse
import importlib
from pathlib import Path

from common.errors import EXIT_DIFFERS
from common.running import cli

CORPORA = (
    "afew",
    "avec2012",
    "avec2017",
    "avec2019",
    "avec2019-public",
    "enterface",
    "fer2013",
    "recola",
    "rml",
    "sfew",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m datasets.check", description=__doc__)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("root", type=Path, help="the folder into which the corpus was unpacked")
    arguments = parser.parse_args()

    corpus = importlib.import_module(f"datasets.{arguments.corpus.replace('-', '_')}")
    problems, counts = corpus.check(arguments.root), corpus.count(arguments.root)
    made = corpus.read_simulation(arguments.root)
    notes = corpus.list_notes(arguments.root) if hasattr(corpus, "list_notes") else []
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{arguments.root}: {'simulated ' if made else ''}{arguments.corpus}: {counted}")
    for line in [f"note: {note}" for note in notes] + problems:
        print(f"  {line}")
    print(f"{len(problems)} problems" if problems else "complete")
    if problems and not made:
        print(corpus.ACCESS)
    return EXIT_DIFFERS if problems else 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
