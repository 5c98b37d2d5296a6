"""Write a simulated corpus: python -m datasets.simulate avec2017 DIR"""

import argparse
from pathlib import Path

from common import cli


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m datasets.simulate", description="Write a simulated corpus.")
    parser.add_argument("corpus", choices=["avec2017"], help="whose layout it has")
    parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=0, help="another seed: other people, other scripts (default 0)")
    parser.add_argument(
        "--control",
        choices=["salient", "uniform"],
        default="salient",
        help="affect shown in sparse episodes (default), or everywhere and always",
    )
    parser.add_argument("--train", type=int, default=34, metavar="N", help="recordings for training (default 34)")
    parser.add_argument("--devel", type=int, default=14, metavar="N", help="recordings for development (default 14)")
    parser.add_argument("--seconds", type=float, default=24.0, help="length of a recording, about (default 24)")
    parser.add_argument("--fps", type=int, default=10, help="frames per second, 10 to 25 (default 10)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="recordings made at a time (default 1)")
    return parser


def main() -> int:
    options = parser().parse_args()
    from datasets.simulated import avec2017  # here, so that --help does not wait for OpenCV and Praat

    avec2017.write(
        options.folder,
        seed=options.seed,
        control=options.control,
        train=options.train,
        devel=options.devel,
        seconds=options.seconds,
        fps=options.fps,
        jobs=options.jobs,
    )
    print(f"{options.folder}: {options.train} + {options.devel} recordings")
    return 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
