"""Write a simulated corpus: python -m datasets.simulate avec2017 DIR, or avec2019 for two cultures."""

import argparse
import importlib
from pathlib import Path

from common import cli


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m datasets.simulate", description="Write a simulated corpus.")
    parser.add_argument("corpus", choices=["avec2017", "avec2019"], help="whose layout it has")
    parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=0, help="another seed: other people, other scripts (default 0)")
    parser.add_argument(
        "--control",
        choices=["salient", "uniform"],
        default="salient",
        help="affect shown in sparse episodes (default), or everywhere and always",
    )
    each = "recordings for %s, of each culture in avec2019 (default %d)"
    parser.add_argument("--train", type=int, default=34, metavar="N", help=each % ("training", 34))
    parser.add_argument("--devel", type=int, default=14, metavar="N", help=each % ("development", 14))
    parser.add_argument("--seconds", type=float, help="length of a recording, about (default 24; 44 in avec2019)")
    parser.add_argument("--fps", type=int, help="frames per second, up to 25 (default and least 10; 5 in avec2019)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="recordings made at a time (default 1)")
    return parser


def main() -> int:
    options = vars(parser().parse_args())
    if options["jobs"] is not None and options["jobs"] < 1:
        raise cli.InputError("--jobs is 1 or more")
    # here, so that --help does not wait for OpenCV and Praat
    writer = importlib.import_module(f"datasets.simulated.{options.pop('corpus')}")
    folder = options.pop("folder")
    writer.write(folder, **{name: value for name, value in options.items() if value is not None})
    print(f"{folder}: {len(list((folder / 'labels').iterdir()))} recordings")
    return 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
