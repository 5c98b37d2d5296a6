"""Write a simulated corpus: python -m datasets.simulate avec2017 DIR, for instance.

With --describe say how the labels of any corpus move, simulated or real.
"""

import argparse
import importlib
import inspect
from pathlib import Path

from common.errors import InputError
from common.running import cli

CORPORA = ("afew", "avec2012", "avec2017", "avec2019", "enterface", "fer2013", "recola", "rml", "sfew")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datasets.simulate",
        description="Write a simulated corpus. Each has defaults of its own, and not every option.",
    )
    parser.add_argument("corpus", choices=CORPORA, nargs="?", help="whose layout it has")
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", help="a new or empty folder; called again, the command goes on"
    )
    parser.add_argument(
        "--describe",
        metavar="ROOT",
        type=Path,
        help="write nothing: print how the labels in this folder move, of AVEC 2012, AV+EC 2017, AVEC 2019 or RECOLA, "
        "simulated or real, beside those of real ones",
    )
    parser.add_argument("--seed", type=int, help="another seed: other people, other scripts (default 0)")
    parser.add_argument(
        "--control",
        choices=["salient", "uniform"],
        help="affect shown clearly only at times (default), or everywhere and always",
    )
    each = "recordings for %s, of each culture in avec2019 (default %s)"
    train = "34; 16 in avec2012, 9 in recola, 140 in afew, 420 faces in sfew"
    parser.add_argument("--train", type=int, metavar="N", help=each % ("training", train))
    parser.add_argument("--devel", type=int, metavar="N", help=each % ("development", "14; 12 in avec2012"))
    parser.add_argument("--dev", type=int, metavar="N", help="the same in recola, which calls it so (default 9)")
    parser.add_argument(
        "--val", type=int, metavar="N", help="the same in afew (default 42) and sfew (140 faces), which call it so"
    )
    parser.add_argument(
        "--test",
        type=int,
        metavar="N",
        help="recordings for testing (default 6 in avec2012, 0 in recola, 28 in afew)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        help="length of a recording, about (default 60; 3.2 in rml, 2.4 in enterface)",
    )
    parser.add_argument(
        "--fps", type=int, help="frames per second in avec2017 (4 to 25, default 10) and avec2019 (5 to 25, default 5)"
    )
    parser.add_argument(
        "--offset",
        type=float,
        metavar="SECONDS",
        help="by which the sound lies behind the picture in afew, -0.5 to 0.5 (default -0.05: it comes before)",
    )
    parser.add_argument("--longest", type=float, metavar="SECONDS", help="clip in afew, 1.5 to 6 (default 6)")
    parser.add_argument("--images", type=int, metavar="N", help="faces in fer2013 (default 2100)")
    parser.add_argument("--subjects", type=int, metavar="N", help="people in rml (default 8) and enterface (42)")
    parser.add_argument(
        "--sentences",
        type=int,
        metavar="N",
        help="clips of each of their six emotions, in rml (default 2) and enterface (1)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="recordings made at a time; people in afew, enterface and rml (default 1)",
    )
    return parser


def write_cached(kind: str, cache: Path, jobs: int, **sizes) -> Path:
    """Write a simulated corpus of this `kind` (CORPORA) into the cache, unless it is there; returns its folder.

    `sizes` are options of its writer, in the order in which the name of the folder has them. One that was stopped is
    gone on with. Raises InputError, WriteError where no file can be locked, and OSError where none can be written.
    """
    writer = importlib.import_module(f"datasets.simulated.{kind}")
    words = [f"{name}{value:g}" if isinstance(value, float) else f"{name}{value}" for name, value in sizes.items()]
    root = cache / "corpora" / "-".join([f"{kind}-v{writer.VERSION}", *words])
    writer.write(root, jobs=jobs, **sizes)
    return root


def main() -> int:
    parser = build_parser()
    options = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    if "describe" in options:
        if len(options) > 1:
            parser.error("--describe goes with no other option")
        from datasets.describe import write_table

        print(write_table(options["describe"]))
        return 0
    if "folder" not in options:
        parser.error("name a corpus and a folder, or --describe ROOT")
    if options.get("jobs", 1) < 1:
        raise InputError("--jobs is 1 or more")
    corpus, folder = options.pop("corpus"), options.pop("folder")
    # here, so that --help does not wait for OpenCV and Praat
    writer = importlib.import_module(f"datasets.simulated.{corpus}")
    if unknown := options.keys() - inspect.signature(writer.write).parameters:
        raise InputError(f"{corpus} has no option --{min(unknown)}; see `python -m datasets.simulate --help`")
    writer.write(folder, **options)
    found = len(list((folder / "truth").glob("*.npz")))
    print(f"{folder}: {found} recordings" if found else f"{folder}: written")  # faces have no truth beside them
    return 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
