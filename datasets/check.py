"""Say what of a corpus is there, what is missing, and where to ask for it: `python -m datasets.check CORPUS ROOT`."""

import argparse
from pathlib import Path

from common import cli


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m datasets.check", description=__doc__)
    parser.add_argument("corpus", choices=["avec2017"])
    parser.add_argument("root", type=Path, help="the folder into which the corpus was unpacked")
    arguments = parser.parse_args()

    from datasets import avec2017

    problems = avec2017.check(arguments.root)
    made = avec2017.simulation(arguments.root)
    counts = ", ".join(f"{count} {partition}" for partition, count in avec2017.count(arguments.root).items())
    print(f"{arguments.root}: {'simulated ' if made else ''}{arguments.corpus}: {counts}")
    for problem in problems:
        print(f"  {problem}")
    print(f"{len(problems)} problems" if problems else "complete")
    if problems and not made:
        print(avec2017.ACCESS)
    return cli.EXIT_DIFFERS if problems else 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
