"""Figures of matrices: attention maps over time, embeddings in two dimensions, confusion matrices."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from common.errors import InputError
from common.evidence.paper import Figure, Paper, count_decimals, format_value, resolve_number
from common.evidence.runs import File, Runs, select_runs
from common.evidence.scores import find_score
from reports.drawing import COLOURS, Sketch, describe_origin, make_title, read_first_arrays, say_origin

EXAMPLES = 8


def draw_maps(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """Attention over time as grey images: a panel for each of the first recordings that the results hold it of."""
    runs = select_runs(paper, files, figure.variant)
    found = _read_maps(runs, figure) if runs else {}
    if not found:
        return
    labels = {entry["name"]: entry.get("label") for entry in runs.first.get("recordings", [])}
    rows = -(-len(found) // 2)
    tallest = max(map(len, found.values()))
    canvas = Canvas(figsize=(7.6, rows * (0.12 * tallest + 0.5) + 0.55), layout="constrained")
    grid = canvas.subplots(rows, 2, squeeze=False)
    for axes in grid.flat[len(found) :]:
        axes.axis("off")
    for axes, (name, shares) in zip(grid.flat, found.items()):
        scaled = shares / np.maximum(shares.max(axis=1, keepdims=True), 1e-12)
        upwards = "lower" if figure.bottom_up else "upper"
        axes.imshow(scaled, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest", origin=upwards)
        axes.set_title(f"{name}, {labels[name]}" if labels.get(name) else name)
        axes.set_yticks(range(len(shares)), _name_rows(figure, shares))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in grid[-1]:
        axes.set_xlabel("time step")
    say_origin(canvas, paper, files, [runs])
    caption = (
        f"The attention of `{figure.variant}` over time, the first row {'below' if figure.bottom_up else 'above'}; "
        "each row is divided by its own maximum, as in the paper: rows cannot be compared. Bright is more."
    )
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def _read_maps(runs: Runs, figure: Figure) -> dict[str, np.ndarray]:
    """Recording -> map (rows, steps), of those that fit a pattern of the figure, if it has any."""
    found = {}
    for name, array in read_first_arrays(runs).items():
        recording = name.removeprefix(f"{figure.prefix}/")
        if recording != name and any(fnmatchcase(recording, pattern) for pattern in figure.recordings or ("*",)):
            found[recording] = _check_rows(runs, name, array)
    return dict(list(found.items())[:EXAMPLES])


def _check_rows(runs: Runs, name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or not array.size:
        file = runs.files[0][0].with_suffix(".npz")
        raise InputError(
            f"{file}: {name} has the shape {array.shape}, not rows and columns; delete it and its record, run again"
        )
    return array.astype(float)


def _name_rows(figure: Figure, array: np.ndarray) -> Sequence[str]:
    """What the rows are; under other settings there may be more or fewer, which have numbers only."""
    return figure.rows if len(figure.rows) == len(array) else [str(number) for number in range(1, len(array) + 1)]


def draw_projection(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """Embedding vectors on their two principal components, before and after training, each panel with its own."""
    runs = select_runs(paper, files, figure.variant)
    stages = ("before", "after")
    if runs is None or not all(f"embeddings/{stage}" in read_first_arrays(runs) for stage in stages):
        return
    vectors = [_check_rows(runs, name, read_first_arrays(runs)[name]) for name in (f"embeddings/{s}" for s in stages)]
    if not all(np.isfinite(rows).all() for rows in vectors):  # the training diverged
        return
    canvas = Canvas(figsize=(7.2, 3.7), layout="constrained")
    for axes, stage, rows in zip(canvas.subplots(1, 2), stages, vectors):
        points, share = project(rows)
        axes.axhline(0, color=COLOURS["line"], linewidth=0.7)
        axes.axvline(0, color=COLOURS["line"], linewidth=0.7)
        axes.plot(*points.T, color=COLOURS[stage], marker="o", markersize=5, linestyle="none")
        for label, point in zip(_name_rows(figure, points), points):
            axes.annotate(label, point, (4, 3), textcoords="offset points", size=7.5)
        axes.set_title(f"{stage} training: {100 * share:.0f} % of the variance")
        axes.margins(0.22)
    say_origin(canvas, paper, files, [runs])
    caption = f"The embedding vectors of `{figure.variant}` on the two principal components of each stage."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def project(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Principal component analysis to two dimensions: (n, d) -> (n, 2), and their share of the variance (NaN of 0).

    Of the two signs of a component, that counts whose largest entry is positive.
    """
    _, spread, axes = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1, 1)[:, None]
    points = np.zeros((len(vectors), 2))
    points[:, : len(axes)] = (vectors - vectors.mean(axis=0)) @ axes[:2].T
    total = np.sum(spread**2)
    return points, float(np.sum(spread[:2] ** 2) / total) if total else np.nan


def draw_confusion(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Sketch]:
    """A confusion matrix of ours beside the printed one, in percent of each true class."""
    table = next(table for table in paper.tables if table.id == figure.table)
    places = [[(row, column, resolve_number(paper, row, column)) for column in table.columns] for row in table.rows]
    runs = select_runs(paper, files, figure.variant, number=places[0][0][2])
    if runs is None:
        return
    printed = [[row.published.get(column.label, "") for row, column, _ in line] for line in places]
    pattern = max((text for line in printed for text in line), key=count_decimals) or "0.00"
    ours = [[format_value(find_score(paper, runs, number), pattern) for *_, number in line] for line in places]
    size = len(table.columns)
    shares = {"ours": ours} | ({"published": printed} if table.printed else {})
    canvas = Canvas(figsize=(0.46 * size * len(shares) + 2.2, 0.36 * len(table.rows) + 1.5), layout="constrained")
    panels = canvas.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for axes, (title, texts) in zip(panels, shares.items()):
        _draw_heat_map(axes, texts, pattern)
        axes.set_title(title)
        axes.set_xticks(range(size), [column.label for column in table.columns], rotation=45, ha="right")
        axes.set_xlabel("predicted")
    panels[0].set_yticks(range(len(table.rows)), [row.label for row in table.rows])
    panels[0].set_ylabel("truth")
    several = f"{describe_origin(runs).rpartition(',')[0]}, mean of {len(runs.files)} seeds"
    say_origin(canvas, paper, files, [runs], several if len(runs.files) > 1 else "")
    caption = f"`{figure.variant}`, in percent of each true class; beside each row the sum of what is shown."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def _draw_heat_map(axes: Axes, texts: list[list[str]], pattern: str) -> None:
    values = np.array([[float(text) if text else np.nan for text in line] for line in texts])
    axes.imshow(values, cmap="Blues", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        dark = "#ffffff" if value > 55 else "#000000"  # on the colours of the map, which no page changes
        colour = COLOURS["muted"] if np.isnan(value) else dark
        axes.text(column, row, texts[row][column] or "–", size=6.3, ha="center", va="center", color=colour)
    for row, total in enumerate(values.sum(axis=1)):
        if np.isfinite(total):
            axes.text(
                values.shape[1] - 0.4, row, format_value(total, pattern), size=6.3, va="center", color=COLOURS["muted"]
            )
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
