"""Truth of simulated recordings without their sound and video: what is displayed, and labels that follow from it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from datasets.layout import MARKER
from datasets.simulated import avec2017, corpus, script
from datasets.simulated.corpus import Scene
from datasets.simulated.cultures import Culture


def plant(
    root: Path, stem: str, seconds: float, culture: Culture, control: str = "salient"
) -> tuple[Scene, np.ndarray]:
    """Write the truth and the turns of one recording; its scene and labels (n, 3) every 0.1 s."""
    manifest = SimpleNamespace(seed=0, control=control, fps=10)
    scene = corpus.stage(manifest, stem, seconds, culture)
    frames = {"frame_time": scene.frame_time, "frame_visible": scene.state.visible()}
    for folder in ("truth", "turns"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    more = {"liking_region": np.array(culture.liking_on)} if culture.liking_on is not None else {}
    np.savez(root / "truth" / f"{stem}.npz", **corpus.gather_script_truth(scene), **frames, **more)
    avec2017.write_turns(root / "turns" / f"{stem}.csv", scene.plan.turns)
    (root / MARKER).write_text(json.dumps({"control": control}))
    return scene, script.rate(scene.plan, scene.raters, scene.label_time, culture.ratings)


def exchange_truths(root: Path) -> None:
    """Give each recording the truth of the next one."""
    truths = sorted((root / "truth").iterdir())
    contents = [path.read_bytes() for path in truths]
    for path, content in zip(truths, contents[1:] + contents[:1]):
        path.write_bytes(content)
