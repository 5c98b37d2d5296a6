"""The training curves."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator

from common.evidence.paper import Paper
from common.evidence.runs import File, select_any_runs
from reports.drawing import COLOURS, Sketch, describe_origin


def draw_training(paper: Paper, files: Sequence[File]) -> Iterator[Sketch]:
    """The loss over the epochs, one panel for each network, one line for each seed."""
    shown = [
        runs
        for v in paper.variants
        if (runs := select_any_runs(paper, files, v)) and runs.first.get("history", {}).get("loss")
    ]
    if not shown:
        return
    rows = -(-len(shown) // 4)
    canvas = Canvas(figsize=(7.6, 1.5 * rows + 0.55), layout="constrained")
    grid = canvas.subplots(rows, 4, sharey=True, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.axis("off")
    for axes, runs in zip(grid.flat, shown):
        for _, record in runs.files:
            loss = record["history"]["loss"]
            axes.plot(range(1, len(loss) + 1), loss, color=COLOURS["conv"], linewidth=1.1)
        axes.set_title(runs.variant)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    for axes in grid[:, 0]:
        axes.set_ylabel("training loss")
    origins = sorted({describe_origin(runs).rpartition(",")[0] for runs in shown})
    canvas.suptitle("\n".join(origins), x=0.008, ha="left", size=8.5, weight="bold")
    caption = (
        "The loss on the training set after each epoch, one line per seed; the mean, where there are several folds."
    )
    yield Sketch(f"{paper.id}-training", "Training", caption, "training", canvas)
