"""A picture of a simulated corpus: people, one recording frame by frame, its voice and its script.

python -m datasets.simulated.sheet ROOT OUT.png
"""

import argparse
from pathlib import Path

from common.errors import InputError
from common.running import cli

REGION_COLOURS = ("#4477aa", "#ee7733")  # upper, lower


def draw(root: Path, out: Path) -> None:
    """Draw the sheet of the corpus in `root`: six people on top, below them the recording with most episodes in both regions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    stems = sorted(path.stem for path in (root / "truth").glob("*.npz"))
    if not stems:
        raise InputError(
            f"{root}: no simulated recordings; write some with python -m datasets.simulate avec2017 {root}"
        )
    truths = {stem: dict(np.load(root / "truth" / f"{stem}.npz")) for stem in stems}
    star = max(stems, key=lambda stem: count_rarer(truths[stem]["episode_region"][truths[stem]["episode_on_face"]]))
    figure, axes = plt.subplots(
        5, 1, figsize=(10, 8.2), gridspec_kw={"height_ratios": [1.25, 0.95, 0.75, 1.1, 1.1]}, layout="constrained"
    )
    draw_people(axes[0], root, [stems[i] for i in np.linspace(0, len(stems) - 1, min(6, len(stems))).astype(int)])
    draw_strip(axes[1], root, star, truths[star])
    draw_voice(axes[2], root, star, truths[star])
    for axis, name in zip(axes[3:], ("arousal", "valence")):
        draw_trace(axis, root, star, truths[star], name)
    axes[-1].set_xlabel(f"seconds of {star}")
    for axis in axes[2:]:
        axis.set_xlim(0, truths[star]["label_time"][-1])
    figure.savefig(out, dpi=100, pil_kwargs={"optimize": True})


def count_rarer(regions) -> int:
    """How often the one of both regions (k,) that is rarer displays an episode."""
    return min((regions == region).sum() for region in (0, 1))


def read_frames(root: Path, stem: str):
    """The decoded frames of a recording: a list of (h, w, 3) RGB arrays."""
    import av

    with av.open(str(root / "video" / f"{stem}.avi")) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def draw_people(axis, root: Path, stems: list[str]) -> None:
    """One whole frame of each recording."""
    import numpy as np

    axis.imshow(np.hstack([read_frames(root, stem)[3] for stem in stems]), interpolation="lanczos")
    axis.set_title("a frame of each of " + ", ".join(stems), fontsize=8, loc="left")
    axis.axis("off")


def draw_strip(axis, root: Path, stem: str, truth: dict, count: int = 10) -> None:
    """The face at evenly spread moments, every second one the apex of an episode; a bar in the region's colour."""
    import numpy as np

    video, times = read_frames(root, stem), truth["frame_time"]
    apex = 0.5 * (truth["episode_start"] + truth["episode_end"])[truth["episode_on_face"]]
    neutral = times[(truth["frame_region"] < 0) & truth["frame_visible"]]
    calm = neutral[np.linspace(5, len(neutral) - 1, max(count - len(apex), 2)).astype(int)]
    chosen = np.abs(times[:, None] - np.sort(np.concatenate([apex, calm]))[:count]).argmin(0)
    for k, i in enumerate(chosen):
        x, y = truth["landmarks"][i, 27]
        x, y = int(np.clip(x - 64, 0, 192)), int(np.clip(y - 62, 0, 90))
        axis.imshow(video[i][y : y + 150, x : x + 128], extent=(k, k + 0.97, 0, 1.14), interpolation="lanczos")
        region = truth["frame_region"][i]
        what = ("weak", "brows, eyes", "mouth")[region + 1] if truth["frame_visible"][i] else "face hidden"
        note = f"{times[i]:.1f} s {what}"
        axis.text(k, -0.14, note, fontsize=6.5, color="#555555" if region < 0 else REGION_COLOURS[region])
    axis.set(xlim=(0, len(chosen)), ylim=(-0.2, 1.14))
    axis.axis("off")


def draw_voice(axis, root: Path, stem: str, truth: dict) -> None:
    """The waveform, with the salient stretches of voice."""
    import numpy as np
    import soundfile

    samples, rate = soundfile.read(root / "audio" / f"{stem}.wav")
    axis.plot(np.arange(len(samples))[::8] / rate, samples[::8], color="#666666", linewidth=0.3)
    for start, end in zip(truth["voice_start"], truth["voice_end"]):
        axis.axvspan(start, end, color="#228833", alpha=0.25, linewidth=0)
    axis.set_ylabel("voice", fontsize=8)
    axis.set_title("green: salient stretches of voice", fontsize=8, loc="left")
    axis.tick_params(labelbottom=False, labelleft=False)


def draw_trace(axis, root: Path, stem: str, truth: dict, name: str) -> None:
    """What was felt and what the raters noted, with the episodes on the face."""
    import numpy as np

    labels = np.loadtxt(root / "labels" / f"{stem}.csv", delimiter=";", usecols=(1, 2, 3))
    column = {"arousal": 1, "valence": 2}[name]
    axis.plot(truth["label_time"], truth[name], color="black", linewidth=1, label="felt")
    axis.plot(labels[:, 0], labels[:, column], color="#cc3311", linewidth=1.2, label="label, mean of six raters")
    on_face = truth["episode_on_face"]
    spans = zip(truth["episode_start"][on_face], truth["episode_end"][on_face], truth["episode_region"][on_face])
    for start, end, region in spans:
        axis.axvspan(start, end, color=REGION_COLOURS[region], alpha=0.3, linewidth=0)
    axis.axhline(0, color="#bbbbbb", linewidth=0.5)
    axis.set_ylim(-1, 1)
    axis.set_ylabel(name, fontsize=8)
    axis.tick_params(labelsize=7)
    if name == "arousal":
        axis.set_title("blue: shown by brows and eyes, orange: shown by the mouth", fontsize=8, loc="left")
        axis.legend(fontsize=7, loc="upper right", ncols=2, frameon=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m datasets.simulated.sheet", description=__doc__.splitlines()[0])
    parser.add_argument("root", metavar="ROOT", type=Path, help="a corpus written by datasets.simulate")
    parser.add_argument("out", metavar="OUT.png", type=Path)
    options = parser.parse_args()
    draw(options.root, options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(cli.run(main))
