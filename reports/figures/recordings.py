"""Figures of single recordings: the predicted series over time, and a bar for the score of each."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy.ndimage import median_filter

from common import metrics
from common.evidence.paper import Figure, Paper, Part, resolve_number
from common.evidence.runs import ALL_TARGETS, File, Runs, select_runs
from reports.drawing import COLOURS, Sketch, make_title, read_first_arrays, say_origin


def draw_traces(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """Gold standard and predictions over time: a row for each network, a column for each recording."""
    rows = _select_rows(paper, figure, files)
    shown = [runs for runs in rows.values() if runs is not None]
    if not shown:
        return
    series = {
        title: _read_series(runs, figure.target or paper.protocol.target) if runs else {}
        for title, runs in rows.items()
    }
    recordings = _replace_missing(figure.recordings, [name for found in series.values() for name in found])
    canvas = Canvas(figsize=(max(3.9 * len(recordings), 6.2), 1.45 * len(rows) + 0.75), layout="constrained")
    grid = canvas.subplots(len(rows), len(recordings), sharex="col", sharey=True, squeeze=False)
    for axes_row, (title, runs) in zip(grid, rows.items()):
        for axes, recording in zip(axes_row, recordings):
            found = series[title].get(recording)
            _draw_trace(axes, found, figure.median, "not run" if runs is None else "no such recording")
            axes.set_title(f"{title}, {recording}")
        axes_row[0].set_ylabel(figure.target or paper.protocol.target)
    for axes in grid[-1]:
        axes.set_xlabel("time in s")
    say_origin(canvas, paper, files, shown, target=figure.target or paper.protocol.target)
    handles, labels = next((a.get_legend_handles_labels() for a in grid.flat if a.lines), ([], []))
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    caption = f"{', '.join(labels).capitalize()}."
    if any(runs.evidence == "simulated" for runs in shown):
        caption += " Simulated recordings, which share nothing but a number with those of the paper."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def _select_rows(paper: Paper, figure: Figure, files: Sequence[File]) -> dict[str, Runs | None]:
    number = resolve_number(paper, Part(target=figure.target))
    return {title: select_runs(paper, files, variant, number=number) for title, variant in figure.variants.items()}


def _read_series(runs: Runs, target: str) -> dict[str, dict[str, np.ndarray]]:
    """Recording -> kind (time, raw, gold, and post where there is post-processing) -> series."""
    arrays, several = read_first_arrays(runs), f"{target}/" if runs.first["target"] == ALL_TARGETS else ""
    found: dict[str, dict] = {}
    for kind, place in (("time", "time/"), *((kind, f"{kind}/{several}") for kind in ("gold", "raw", "post"))):
        for name in arrays:
            if name.startswith(place):
                found.setdefault(name.removeprefix(place), {})[kind] = arrays[name]
    return {name: series for name, series in found.items() if "gold" in series}


def _replace_missing(printed: Sequence[str], there: Sequence[str]) -> list[str]:
    """The recordings of a printed figure; those that a small corpus lacks give way to others that it has."""
    parts = {name.rpartition("_")[0] for name in printed}
    spare = [name for name in dict.fromkeys(there) if name not in printed and name.rpartition("_")[0] in parts]
    return [name if name in there or not spare else spare.pop(0) for name in printed]


def _draw_trace(axes: Axes, series: dict[str, np.ndarray] | None, median: int, otherwise: str) -> None:
    if series is None:
        axes.text(0.5, 0.5, otherwise, transform=axes.transAxes, ha="center", va="center", color=COLOURS["muted"])
        return
    after = {"color": COLOURS["after"], "linewidth": 1.3}
    axes.axhline(0, color=COLOURS["line"], linewidth=0.7)
    axes.plot(series["time"], series["raw"], color=COLOURS["before"], linewidth=0.8, label="prediction")
    if "post" in series:
        axes.plot(series["time"], series["post"], label="prediction, post-processed", **after)
    if median:
        smooth = median_filter(series["raw"].astype(float), median, mode="nearest")
        axes.plot(series["time"], smooth, label=f"prediction behind a median filter of {median} samples", **after)
    axes.plot(series["time"], series["gold"], color=COLOURS["ink"], linewidth=1.3, label="gold standard")
    axes.margins(x=0.01)


def draw_bars(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """The CC of every recording: a row for each network, recordings in their order, the mean as a line."""
    rows = _select_rows(paper, figure, files)
    shown = {title: runs for title, runs in rows.items() if runs is not None}
    if not shown:
        return
    target = figure.target or paper.protocol.target
    pattern = figure.recordings[0] if figure.recordings else "*"
    canvas = Canvas(figsize=(7.6, 1.35 * len(shown) + 0.8), layout="constrained")
    grid = canvas.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, runs) in zip(grid, shown.items()):
        found = {n: s for n, s in sorted(_read_series(runs, target).items()) if fnmatchcase(n, pattern)}
        values = np.array([metrics.cc(series["gold"], series["raw"]) for series in found.values()])
        mean = f"{values.mean():.3f}" if np.isfinite(values).all() else "undefined"
        axes.bar(range(len(found)), values, color=COLOURS["conv-fill"], edgecolor=COLOURS["conv"], linewidth=0.9)
        axes.axhline(values.mean(), color=COLOURS["after"], linewidth=1, linestyle=(0, (3, 2)))
        axes.axhline(0, color=COLOURS["line"], linewidth=0.7)
        axes.set_title(f"{title}: mean {mean}, {np.sum(values > 0.5)} of {len(values)} above 0.5")
        axes.set_ylabel("CC")
        axes.set_xticks(range(len(found)), list(found), rotation=90)
    say_origin(canvas, paper, files, list(shown.values()), target=target)
    caption = f"The correlation of each recording ({target}); the dashed line is the mean."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)
