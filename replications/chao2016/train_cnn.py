"""Train the network behind the face appearance feature (Section 3.2) on faces of people whose identity is known.

    python -m replications.chao2016.train_cnn FACES WEIGHTS.npz --profile paper

FACES has a folder of face images (.jpg, .jpeg, .png, .bmp) for each person, as Celebrity Faces in the Wild and
FaceScrub have; WEIGHTS is what the option --weights of replications.chao2016.run takes. Images are read from disk
batch by batch. All are tried first: downloads of faces have files that are none.

An interrupted training leaves a checkpoint beside WEIGHTS; the same command goes on from the last whole epoch. Exit
codes: 0 done, 2 wrong usage, 3 input that cannot be used, 4 weights that cannot be written, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.evidence.paper import PROFILES
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.running import cli, options, tasks

PAPER = Path(__file__).with_name("paper.toml")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
SEED = 0


@dataclass(frozen=True)
class Faces:
    """The images of `paths`, RGB (h, w, 3) uint8, each read when it is asked for; labels (n,) number the people."""

    paths: Sequence[Path]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return read(self.paths[index])

    @property
    def people(self) -> int:
        return len(np.unique(self.labels))

    @property
    def digest(self) -> str:
        """Changes with the images' names, their sizes in bytes and the people; contents would take long to read."""
        files = [[path.parent.name, path.name, path.stat().st_size] for path in self.paths]
        return storage.digest([files, self.labels.tolist()])


def main() -> int:
    arguments = parse()
    settings = resolve_settings(load_paper(PAPER), arguments.profile, arguments.set)
    validate(settings)
    check_writable(arguments.weights)
    faces = keep_usable(find(arguments.faces), arguments)
    if faces.people != settings["cnn_identities"]:
        print(f"note: {faces.people} people, where cnn_identities is {settings['cnn_identities']}", file=sys.stderr)
    history = train(settings | {"cnn_identities": faces.people}, faces, arguments.weights, arguments.threads)
    losses = f"loss {history['loss'][0]:.3f} in the first epoch, {history['loss'][-1]:.3f} in the last"
    print(f"{len(faces)} faces of {faces.people} people, {len(history['loss'])} epochs, {losses}")
    print(arguments.weights)
    return 0


def parse() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        prog="python -m replications.chao2016.train_cnn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("faces", type=Path, metavar="FACES", help="the folder that has a folder of images for each person")
    add("weights", type=Path, metavar="WEIGHTS", help="the .npz to write")
    add("--profile", default="quick", choices=PROFILES)
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="names stand in paper.toml")
    add("--skip-unusable", action="store_true", help="go on without images that cannot be read")
    add("--threads", type=int, default=options.count_cores(), metavar="N", help="default: one for each core")
    arguments = made.parse_args()
    if arguments.weights.suffix != ".npz":
        made.error("WEIGHTS is a file .npz")
    if arguments.threads < 1:
        made.error("--threads is 1 or more")
    return arguments


def validate(settings: dict) -> None:
    """Raise InputError for settings of the network and its training that cannot be used."""
    own = {name: value for name, value in settings.items() if name.startswith("cnn_")}
    options.check_positive(own, zero_allowed=("cnn_weight_decay", "cnn_momentum", "cnn_dropout"))
    rules = {
        "cnn_order": (own["cnn_order"] in ("alexnet", "caffenet"), "alexnet or caffenet"),
        "cnn_dropout": (own["cnn_dropout"] < 1, "less than 1"),
        "cnn_momentum": (own["cnn_momentum"] < 1, "less than 1"),
    }
    options.check_rules(own, rules)


def check_writable(weights: Path) -> None:
    """Raise InputError for weights that are there already, WriteError for a folder that cannot be written."""
    if weights.exists():
        raise InputError(f"{weights}: is there already; name another file, or delete it to train again")
    options.probe_writable(weights.parent)


def find(root: Path) -> Faces:
    """The images of each person's folder in `root`, in the order of their names. Raises InputError."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one that has a folder of images for each person")
    people = [_list_images(folder) for folder in sorted(root.iterdir()) if folder.is_dir()]
    people = [images for images in people if images]
    _refuse_few(root, len(people))
    labels = np.repeat(np.arange(len(people)), [len(images) for images in people])
    return Faces([path for images in people for path in images], labels)


def _list_images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _refuse_few(root: Path, people: int) -> None:
    if people < 2:
        raise InputError(
            f"{root}: images of {people} people, 2 or more are needed; it needs a folder of images for each person"
        )


def read(path: Path) -> np.ndarray:
    """The image at `path`, RGB (h, w, 3) uint8, grey in all three channels. Raises InputError."""
    import cv2

    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # OpenCV's for an empty file
        image = None
    if image is None:
        raise InputError(f"{path}: cannot be read as an image; fetch it again or delete it")
    return image[..., ::-1]


def keep_usable(faces: Faces, arguments: argparse.Namespace) -> Faces:
    """`faces`, or with --skip-unusable those that can be read. Names the others; raises InputError."""
    from tqdm import tqdm

    with ThreadPoolExecutor(arguments.threads) as readers:
        tried = readers.map(_find_problem, faces.paths)
        problems = list(tqdm(tried, total=len(faces), desc="trying the images", unit="face", leave=False))
    wrong = [problem for problem in problems if problem]
    for problem in wrong:
        print(f"unusable: {problem}", file=sys.stderr)
    if not wrong:
        return faces
    if not arguments.skip_unusable:
        file = wrong[0].partition(": ")[0]
        raise InputError(
            f"{file}: {len(wrong)} of {len(faces)} images cannot be read (named above); fetch them again, or go on "
            f"without them with --skip-unusable"
        )
    kept = [index for index, problem in enumerate(problems) if not problem]
    people, labels = np.unique(faces.labels[kept], return_inverse=True)  # numbered without gaps
    _refuse_few(arguments.faces, len(people))
    return Faces([faces.paths[index] for index in kept], labels)


def _find_problem(path: Path) -> str:
    try:
        read(path)
    except InputError as error:
        return str(error)
    return ""


def train(settings: dict, faces: Faces, weights: Path, threads: int) -> dict[str, list[float]]:
    """Train on `faces`, write `weights`, and return the history. It goes on from the checkpoint beside them."""
    tasks.limit_threads(threads)
    from replications.chao2016 import caffenet, solver

    checkpoint = weights.with_suffix(".checkpoint")
    with _show_bar() as progress:
        model, history = solver.train(settings, faces, faces.labels, SEED, checkpoint, progress, faces.digest)
    caffenet.save(weights, model)
    checkpoint.unlink(missing_ok=True)
    return history


@contextmanager
def _show_bar() -> Iterator[Callable[[float], None]]:
    """A bar with the time that remains, reckoned without what an earlier call has done."""
    from tqdm import tqdm

    bar_format = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
    with tqdm(total=1.0, desc="training the CNN", bar_format=bar_format, leave=False) as bar:

        def progress(done: float) -> None:
            if bar.n == 0:
                bar.initial = bar.n = done
            bar.update(done - bar.n)

        yield progress


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
