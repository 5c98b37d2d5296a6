"""Figures of one clip: what is taken for speech in it, and the faces before, during and after."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas

from common.evidence.paper import Figure, Paper
from common.evidence.runs import File, Runs, select_any_runs
from reports.drawing import COLOURS, Sketch, make_title, read_first_arrays, say_origin


def draw_speech(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """The sound of one clip, its coefficients over time and its ratio of energies, with the part that is kept."""
    runs, found = _read_example(paper, figure, files, "sound")
    if not found:
        return
    seconds, (first, last), (start, end) = float(found["seconds"]), found["speech"], found["span"]
    canvas = Canvas(figsize=(7.4, 4.2), layout="constrained")
    panels = canvas.subplots(3, 1, sharex=True, height_ratios=(1, 1.3, 1))
    low, high = found["sound"]
    panels[0].fill_between(np.linspace(0, seconds, len(low)), low, high, color=COLOURS["conv"], linewidth=0)
    panels[0].set_ylabel("sound")
    picture = found["coefficients"].T
    limits = np.percentile(picture[1:], [1, 99])  # the first coefficient is the energy, far above the others
    panels[1].imshow(picture, cmap="magma", vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest",
                     origin="lower", extent=(0, seconds, 0, len(picture)))  # fmt: skip
    panels[1].set_ylabel("coefficient")
    panels[2].plot(*found["ratio"], color=COLOURS["ink"], linewidth=0.9)
    panels[2].axhline(
        runs.first["settings"]["vad_threshold"], color=COLOURS["muted"], linewidth=1, linestyle=(0, (2, 2))
    )
    panels[2].set(ylabel="ratio (Eq. 1)", xlabel="time in s", xlim=(0, seconds), ylim=(0, 1.02))
    for axes in panels:
        colour = "#ffffff" if axes is panels[1] else COLOURS["after"]
        axes.vlines((first, last), *axes.get_ylim(), color=colour, linewidth=1.2)
        axes.vlines((start, end), *axes.get_ylim(), color=colour, linewidth=1, linestyle=(0, (2, 2)))
        axes.set_ylim(axes.get_ylim())
    say_origin(canvas, paper, files, [runs])
    caption = (
        f"{100 * (1 - (last - first) / seconds):.0f} % of this clip hold no speech. Full lines: speech as it is found; "
        "dashed: what is kept of both streams. Below, the share of the speech band in the energy, and its threshold."
    )
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def draw_faces(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """The faces of one clip from before its speech to behind it."""
    runs, found = _read_example(paper, figure, files, "faces")
    if not found:
        return
    first, last = found["speech"]
    canvas = Canvas(figsize=(7.4, 1.75), layout="constrained")
    for axes, face, time in zip(canvas.subplots(1, len(found["faces"])), found["faces"], found["face_times"]):
        axes.imshow(face, interpolation="nearest")
        axes.set_title(f"{'onset' if time < first else 'offset' if time > last else 'apex'}, {time:.2f} s")
        axes.axis("off")
    say_origin(canvas, paper, files, [runs])
    caption = "Faces as they are cropped, from the first frame that is kept to the last; apex is while speech is found."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def _read_example(paper: Paper, figure: Figure, files: Sequence[File], needed: str) -> tuple[Runs | None, dict]:
    """The arrays example/NAME by name; none of them without `needed`."""
    runs = select_any_runs(paper, files, figure.variant)
    arrays = read_first_arrays(runs) if runs else {}
    found = {name.removeprefix("example/"): array for name, array in arrays.items() if name.startswith("example/")}
    return runs, found if needed in found else {}
