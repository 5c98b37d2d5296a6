"""Training on features that do not fit in memory: all deep features of 96 recordings, streamed from disk.

    python -m benchmarks.streaming [--folder DIR]

Writes random features of the full size (96 recordings x up to 1768 steps x 17,280 dimensions, 11.7 GB in float32),
takes their moments in one pass and trains on them. Beside it, each in a process of its own: the same network on one
batch that stays in memory, which is what the network itself needs, and on 8 recordings in memory. Memory is the peak
of anonymous memory; pages of files that the system keeps as long as it likes are no part of it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from common.errors import WriteError
from common.running import cli

RECORDINGS, TRAIN, STEPS, AUDIO, VISUAL = 96, 68, 1768, 11136, 6144
IN_MEMORY = 8
MICRO_BATCH = 2
GIB = 2**30


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where 12 GB are free (default: the system's temporary folder)")
    parser.add_argument("--variant", default="aed", choices=["eaf", "aed", "emafn", "lstm"])
    parser.add_argument("--steps", type=int, default=8, help="training steps that are timed, of 2 recordings each")
    parser.add_argument("--mode", choices=["model", "memory", "disk"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mode:
        print(json.dumps(measured(arguments)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="streaming-") as folder:
        free = shutil.disk_usage(folder).free
        if free < 13e9:
            raise WriteError(f"{folder}: 13 GB are needed, {free / 1e9:.1f} are free; name another --folder")
        size = write(Path(folder))
        print(f"{RECORDINGS} recordings, {size / 1e9:.1f} GB; {arguments.variant}, {MICRO_BATCH} recordings a step")
        found = {}
        for mode in ("model", "memory", "disk"):
            words = [
                "--mode",
                mode,
                "--folder",
                folder,
                "--variant",
                arguments.variant,
                "--steps",
                str(arguments.steps),
            ]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.streaming", *words], capture_output=True, text=True, check=True
            )
            found[mode] = json.loads(done.stdout.splitlines()[-1])
    titles = {"model": "one batch, kept", "memory": f"{IN_MEMORY} recordings in memory", "disk": "all, from disk"}
    for mode, title in titles.items():
        run = found[mode]
        above = (run["peak"] - found["model"]["peak"]) / GIB
        ratio = found["memory"]["seconds"] / run["seconds"]
        print(
            f"{title:25s} peak {run['peak'] / GIB:5.2f} GiB, {above:+5.2f} GiB above the model; "
            f"{ratio:4.2f} of the throughput in memory"
        )
    return 0


def write(folder: Path) -> int:
    """Random features, each recording of its own length; returns their bytes."""
    from tqdm import tqdm

    rng, total = np.random.default_rng(0), 0
    for number in tqdm(range(RECORDINGS), desc="writing", unit="recording", leave=False):
        count = STEPS if number == 0 else int(rng.integers(1550, STEPS + 1))
        for name, width in (("audio", AUDIO), ("visual", VISUAL)):
            array = np.lib.format.open_memmap(folder / f"{name}-{number}.npy", "w+", np.float32, (count, width))
            array[:] = rng.standard_normal((count, width), np.float32)
            total += array.nbytes
    return total


def measured(arguments: argparse.Namespace) -> dict[str, float]:
    """Peak memory in bytes and seconds for one training step, in this process."""
    peak = Peak()
    from common.evidence.reading import load_papers
    from common.evidence.settings import resolve_settings
    from common.networks import training
    from replications.raju2021 import experiment, models

    paper = next(paper for paper in load_papers() if paper.id == "raju2021")
    settings = resolve_settings(paper, "paper")
    training.prepare(0)
    in_memory = arguments.mode != "disk"
    recordings = [recording(arguments.folder, number, in_memory) for number in range(IN_MEMORY if in_memory else TRAIN)]
    if arguments.mode == "model":
        recordings = recordings[:MICRO_BATCH]
    sequences = experiment.Sequences(recordings, settings, experiment.measure_moments(recordings), 0.0)
    sequences.steps = STEPS
    model = models.VARIANTS[arguments.variant](settings, STEPS, AUDIO, VISUAL)
    experiment.compile_model(model, settings, len(sequences) // MICRO_BATCH)
    order = np.random.default_rng(0).permutation(len(sequences))
    kept = sequences(np.arange(MICRO_BATCH)) if arguments.mode == "model" else None

    def step(number: int) -> None:
        chosen = order[np.arange(number * MICRO_BATCH, (number + 1) * MICRO_BATCH) % len(order)]
        inputs, targets = kept or sequences(chosen)
        model.train_on_batch([inputs[tensor.name] for tensor in model.inputs], targets)

    step(0)  # compiles
    start = time.perf_counter()
    for number in range(1, arguments.steps + 1):
        step(number)
    return {"seconds": (time.perf_counter() - start) / arguments.steps, "peak": peak.stop()}


def recording(folder: Path, number: int, in_memory: bool):
    """Random features as `features.extract` returns them, with labels that nothing could be learnt from."""
    from datasets.sewa import LABEL_HOP, Labels
    from replications.raju2021.features import Features

    files = [folder / f"{name}-{number}.npy" for name in ("audio", "visual")]
    audio, visual = (np.load(file, mmap_mode=None if in_memory else "r", allow_pickle=False) for file in files)
    labels = Labels(np.arange(len(audio)) * LABEL_HOP, *np.random.default_rng(number).uniform(-1, 1, (3, len(audio))))
    return Features(f"Train_DE_{number:02d}", "Train", "DE", audio, visual, labels, str(number))


class Peak:
    """Watches the anonymous memory of this process."""

    def __init__(self):
        self.bytes, self.stopped = 0, threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def _watch(self) -> None:
        while not self.stopped.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            now = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
            self.bytes = max(self.bytes, now)

    def stop(self) -> int:
        self.stopped.set()
        self.watcher.join()
        return self.bytes


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
