"""The figures of a report, drawn from result files with matplotlib.

Every figure comes as SVG and PNG with the same bytes for the same results: no dates, no versions, fixed ids. The
SVG inside a page takes its colours from the page's style sheet, so that it follows a dark theme; the files keep
the light ones.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator
from scipy.ndimage import median_filter

from common import metrics, results
from common.compare import ALL, CONTROL, File, Runs, select
from common.paper import Figure, Paper, Part, wanted

# One hex value per meaning: a page finds it in the SVG and puts its own colour there (`inline`).
COLOURS = {
    "ink": "#1f2430", "muted": "#667085", "line": "#d0d5dd", "ground": "#fefefe",
    "conv": "#2f6db5", "conv-fill": "#e9f1fb", "recurrent": "#2c7a58", "recurrent-fill": "#e6f4ed",
    "attention": "#b45f06", "attention-fill": "#fdf1e1", "dense": "#7849a8", "dense-fill": "#f2ebf9",
    "other": "#5d6878", "other-fill": "#f1f3f6", "before": "#98a2b3", "after": "#c2410d", "salient-fill": "#fbe3c4",
}  # fmt: skip
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 8, "svg.hashsalt": "report", "svg.fonttype": "path",
    "text.color": COLOURS["ink"], "axes.labelcolor": COLOURS["muted"], "axes.edgecolor": COLOURS["line"],
    "axes.titlesize": 8.5, "axes.titlelocation": "left", "axes.titlecolor": COLOURS["ink"], "axes.labelsize": 7.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.facecolor": "none",
    "axes.grid": False, "xtick.color": COLOURS["line"], "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["muted"], "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.frameon": False, "legend.fontsize": 7.5,
    "figure.facecolor": COLOURS["ground"], "savefig.dpi": 160,
}  # fmt: skip
SECTIONS = ("paper", "mechanism", "training")


@dataclass(frozen=True)
class Drawing:
    """A drawn figure: `id` names its files, `section` (of SECTIONS) is "paper" for the printed figures."""

    id: str
    title: str
    caption: str
    section: str
    svg: bytes
    png: bytes

    @property
    def inline(self) -> str:
        """The SVG for a page: colours from the style sheet, ids that no other figure on the page has."""
        svg = self.svg.decode()[self.svg.index(b"<svg") :]
        for name, value in COLOURS.items():
            svg = svg.replace(value, f"var(--{name}, {value})")
        svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{self.id}-", svg)
        return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def draw(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """All figures for which there are results: those of the paper, mechanism, training curves."""
    makers = {"architecture": architecture, "overview": overview, "traces": traces, "bars": bars}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        for figure in paper.figures:
            yield from makers[figure.kind](paper, figure, files)
        for make in (mechanism, spatial_examples, temporal_example, alignments, training):
            yield from make(paper, files)


def _drawing(name: str, title: str, caption: str, section: str, canvas: Canvas) -> Drawing:
    svg, png = io.BytesIO(), io.BytesIO()
    if canvas.get_layout_engine():
        canvas.draw_without_rendering()  # lays the panels out; once is enough for both files
        canvas.set_layout_engine("none")
    canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    canvas.savefig(png, format="png", metadata={"Software": None})
    return Drawing(name, title, caption, section, svg.getvalue(), png.getvalue())


def _title(figure: Figure) -> str:
    return f"{figure.id.replace('figure', 'Figure ').capitalize()}: {figure.title}"


def _origin(runs: Runs) -> str:
    """What a figure must say about its data, in its own pixels: figures travel without their page."""
    kind = "SIMULATED data" if runs.evidence == "simulated" else "data"
    return f"{kind}: corpus {runs.corpus}, {runs.profile} profile, seed {runs.first['seed']}"


def _arrays(runs: Runs) -> dict[str, np.ndarray]:
    path, record = runs.files[0]
    return _read_arrays(path, record["arrays"]["sha256"]) if "arrays" in record else {}


@lru_cache(maxsize=16)
def _read_arrays(path, sha256: str) -> dict[str, np.ndarray]:
    return results.read_arrays(path, {"arrays": {"sha256": sha256}})


# --- architecture ----------------------------------------------------------------------------------------

BOX, SLIM, GAP, WIDTH, LANE = 0.40, 0.24, 0.17, 2.55, 0.42  # inches
FAMILIES = {  # the first family with a word in the layer's name or kind
    "attention": ("attention", "softmax", "gate", "multiply", "boost"),
    "recurrent": ("lstm", "gru", "rnn"),
    "conv": ("conv", "pool", "encoder"),
    "dense": ("dense", "linear"),
    "other": ("",),
}
FAMILY_NAMES = {
    "conv": "convolution, pooling", "recurrent": "recurrent", "attention": "attention",
    "dense": "fully connected", "other": "input, reshaping, joining",
}  # fmt: skip
FOLDED = ("Activation", "ReLU", "Dropout", "SpatialDropout", "Flatten", "Reshape", "Permute")


@dataclass
class _Box:
    """A layer, with the small layers that follow it and nothing else, and its place on the page."""

    name: str
    kind: str
    shape: list
    parameters: int
    inputs: list[str]
    column: int = 0
    top: float = 0.0

    @property
    def family(self) -> str:
        text = f"{self.name} {self.kind}".lower()
        return next(family for family, words in FAMILIES.items() if any(word in text for word in words))

    @property
    def label(self) -> str:
        return re.sub(r"[_/]+", " ", self.name)

    @property
    def head(self) -> str:
        if self.kind == "Lambda":  # its name alone says what it does
            return self.label
        return re.sub(r"(?:TimeDistributed|EachFrame)\((\w+)\)", r"\1 per frame", self.kind)

    @property
    def height(self) -> float:
        return BOX if self.parameters or not self.inputs else SLIM

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.column * (WIDTH + LANE) + WIDTH / 2


def architecture(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """The network as it was built: layers in order, output shapes without the batch, parameters."""
    runs = select(paper, files, figure.variant)
    if runs is None or not runs.first.get("architecture"):
        return
    boxes = folded(runs.first["architecture"])
    place(boxes)
    width = max(box.column for box in boxes.values()) * (WIDTH + LANE) + WIDTH
    height = max(box.bottom for box in boxes.values())
    canvas = Canvas(figsize=(max(width + 0.7, 5.4), height + 0.85))
    axes = canvas.add_axes((0, 0, 1, 1))
    spare = (canvas.get_figwidth() - width) / 2
    axes.set(xlim=(-spare, width + spare), ylim=(height + 0.12, -0.73), aspect="equal")
    axes.axis("off")
    for box in boxes.values():
        _draw_box(axes, box)
        for source in box.inputs:
            _arrow(axes, boxes[source], box, boxes.values())
    total = sum(layer["parameters"] for layer in runs.first["architecture"])
    heading = f"{figure.variant}: {total:,} parameters, {runs.profile} profile"
    axes.text(-spare + 0.12, -0.6, heading, weight="bold", va="center")
    _families(axes, {box.family for box in boxes.values()}, -spare + 0.12)
    caption = f"The network `{figure.variant}` as built in the {runs.profile} profile: output shapes without the batch."
    yield _drawing(f"{paper.id}-{figure.id}", _title(figure), caption, "paper", canvas)


def folded(layers: list[dict]) -> dict[str, _Box]:
    """Boxes by name, in order. Small layers join the layer before them if they alone follow it."""
    followers = [source for layer in layers for source in layer["inputs"]]
    boxes, home = {}, {}  # home: layer -> the box that holds it
    for layer in layers:
        sources = layer["inputs"]
        small = layer["kind"].startswith(FOLDED) and not layer["parameters"] and len(sources) == 1
        if small and followers.count(sources[0]) == 1 and boxes[home[sources[0]]].inputs:
            box = boxes[home[sources[0]]]
            box.kind, box.shape = f"{box.kind} + {_short_kind(layer)}", layer["shape"]
            home[layer["name"]] = box.name
        else:
            home[layer["name"]] = layer["name"]
            inputs = [home[source] for source in sources]
            boxes[layer["name"]] = _Box(layer["name"], layer["kind"], layer["shape"], layer["parameters"], inputs)
    return boxes


def _short_kind(layer: dict) -> str:
    if layer["kind"] == "Activation":  # which one is known from its name only
        return next((word for word in ("relu", "tanh", "sigmoid") if word in layer["name"].lower()), "activation")
    return layer["kind"].lower()


def place(boxes: dict[str, _Box]) -> None:
    """Give each box a height and a column: below all its inputs, in the column of one that nothing continues yet.

    Where attention meets what it weighs, the column goes on with the latter.
    """
    continued, columns = set(), 0
    for box in boxes.values():
        box.top = max((boxes[source].bottom + GAP for source in box.inputs), default=0.0)
        free = [source for source in box.inputs if source not in continued]
        if free:
            source = min(free, key=lambda name: boxes[name].family == "attention")
            box.column = boxes[source].column
            continued.add(source)
        else:
            box.column, columns = columns, columns + 1


def _draw_box(axes: Axes, box: _Box) -> None:
    patch = FancyBboxPatch(
        (box.middle - WIDTH / 2, box.top), WIDTH, box.height, boxstyle="round,pad=0,rounding_size=0.06", linewidth=0.9,
        facecolor=COLOURS[f"{box.family}-fill"], edgecolor=COLOURS[box.family], zorder=2,
    )  # fmt: skip
    axes.add_patch(patch)
    left, right, slim = box.middle - WIDTH / 2 + 0.09, box.middle + WIDTH / 2 - 0.09, box.height == SLIM
    shape = " × ".join("?" if size is None else str(size) for size in box.shape)
    first = box.top + (box.height / 2 if slim else 0.14)
    axes.text(left, first, _cut(box.head, 23 if slim else 34), size=7, weight="bold", va="center", zorder=3)
    if slim:
        axes.text(right, first, shape, size=6.5, ha="right", va="center", zorder=3)
        return
    axes.text(left, first + 0.15, _cut(box.label, 20), size=6.5, va="center", zorder=3)
    numbers = f"{shape}   {box.parameters:,} par." if box.parameters else shape
    axes.text(right, first + 0.15, numbers, size=6.5, ha="right", va="center", zorder=3)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _arrow(axes: Axes, start: _Box, end: _Box, boxes) -> None:
    """From `start` down to `end`: straight or with one elbow where nothing lies between, else along a side lane."""

    def blocked(column: int, top: float, bottom: float) -> bool:
        return any(b.column == column and b.top < bottom - 0.01 and b.bottom > top + 0.01 for b in boxes)

    if start.column == end.column and not blocked(start.column, start.bottom, end.top):
        path = [(start.middle, start.bottom), (end.middle, end.top)]
    elif start.column != end.column and not blocked(start.column, start.bottom, end.top):
        turn = end.top - GAP * 0.55
        path = [(start.middle, start.bottom), (start.middle, turn), (end.middle, turn), (end.middle, end.top)]
    elif start.column != end.column and not blocked(end.column, start.bottom, end.top):
        turn = start.bottom + GAP * 0.45
        path = [(start.middle, start.bottom), (start.middle, turn), (end.middle, turn), (end.middle, end.top)]
    else:
        side = -1 if end.column <= start.column else 1
        edge, lane = side * WIDTH / 2, side * (WIDTH / 2 + LANE * 0.42)
        y = [box.top + box.height / 2 for box in (start, end)]
        x = [start.middle + edge, start.middle + lane, start.middle + lane, end.middle + edge]
        path = list(zip(x, [y[0], y[0], y[1], y[1]]))
    axes.plot(*zip(*path[:-1]), color=COLOURS["muted"], linewidth=0.8, solid_joinstyle="round", zorder=1)
    style = {"arrowstyle": "-|>", "color": COLOURS["muted"], "linewidth": 0.8, "mutation_scale": 6}
    axes.annotate("", path[-1], path[-2], arrowprops={**style, "shrinkA": 0, "shrinkB": 0}, zorder=1)


def _families(axes: Axes, used: set[str], x: float) -> None:
    for family, name in FAMILY_NAMES.items():
        if family in used:
            colours = {"facecolor": COLOURS[f"{family}-fill"], "edgecolor": COLOURS[family]}
            axes.add_patch(Rectangle((x, -0.37), 0.14, 0.11, linewidth=0.9, **colours))
            axes.text(x + 0.2, -0.31, name, size=6.5, va="center", color=COLOURS["muted"])
            x += 0.36 + 0.062 * len(name)


# --- overview --------------------------------------------------------------------------------------------


def overview(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """Several networks side by side: what goes in, the layers with weights of each as it was built, what comes out."""
    found = {title: select(paper, files, variant) for title, variant in figure.variants.items()}
    built = {title: runs for title, runs in found.items() if runs and runs.first.get("architecture")}
    if not built:
        return
    layers = {
        title: [layer for layer in runs.first["architecture"] if layer["parameters"]] for title, runs in built.items()
    }
    row, width, gap = 0.3, 2.3, 0.3
    height = row * (max(map(len, layers.values())) + 1)
    total = len(built) * (width + gap) - gap
    canvas = Canvas(figsize=(total + 0.5, height + 2.1))
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.25, total + 0.25), ylim=(height + 1.05, -1.05), aspect="equal")
    axes.axis("off")
    first = next(iter(built.values())).first["architecture"]
    inputs = "      ".join(f"{e['name']}: {_sizes(e)}" for e in first if not e["inputs"])
    outputs = f"{first[-1]['name']}: {_sizes(first[-1])}"
    for text, top in ((inputs, -0.55), (outputs, height + 0.3)):
        _panel(axes, (0, top), total, row, "other")
        axes.text(total / 2, top + row / 2, text, size=7, ha="center", va="center", zorder=3)
    for index, title in enumerate(built):
        left = index * (width + gap)
        _panel(axes, (left, 0), width, height, "dense")
        count = sum(layer["parameters"] for layer in layers[title])
        axes.text(left + 0.1, row / 2, f"{title}   {count:,} par.", size=8, weight="bold", va="center", zorder=3)
        for place, layer in enumerate(layers[title], 1):
            box = _Box(layer["name"], layer["kind"], layer["shape"], layer["parameters"], layer["inputs"])
            _panel(axes, (left + 0.08, place * row), width - 0.16, row * 0.82, box.family)
            middle = (place + 0.41) * row
            axes.text(left + 0.16, middle, _cut(box.head, 22), size=6.5, va="center", zorder=4)
            axes.text(left + width - 0.16, middle, _sizes(layer), size=6.5, ha="right", va="center", zorder=4)
        for start, end in ((-0.55 + row, 0), (height, height + 0.3)):
            style = {"arrowstyle": "-|>", "color": COLOURS["muted"], "linewidth": 0.8, "mutation_scale": 6}
            at = left + width / 2
            axes.annotate("", (at, end), (at, start), arrowprops={**style, "shrinkA": 0, "shrinkB": 0}, zorder=1)
    axes.text(0, -0.85, "\n".join(dict.fromkeys(map(_origin, built.values()))), size=8, weight="bold", va="center")
    caption = "The networks as built: layers that have weights, output shapes without the batch, parameters."
    yield _drawing(f"{paper.id}-{figure.id}", _title(figure), caption, "paper", canvas)


def _panel(axes: Axes, corner: tuple[float, float], width: float, height: float, family: str) -> None:
    colours = {"facecolor": COLOURS[f"{family}-fill"], "edgecolor": COLOURS[family]}
    shape = "round,pad=0,rounding_size=0.05"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, linewidth=0.8, zorder=2, **colours))


def _sizes(layer: dict) -> str:
    return " × ".join("?" if size is None else str(size) for size in layer["shape"])


# --- traces ----------------------------------------------------------------------------------------------


def traces(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """Gold standard and predictions over time: a row for each network, a column for each recording."""
    rows = _of_figure(paper, figure, files)
    shown = [runs for runs in rows.values() if runs is not None]
    if not shown:
        return
    series = {
        title: _traced(runs, figure.target or paper.protocol.target) if runs else {} for title, runs in rows.items()
    }
    recordings = _replaced(figure.recordings, [name for found in series.values() for name in found])
    canvas = Canvas(figsize=(max(3.9 * len(recordings), 6.2), 1.45 * len(rows) + 0.75), layout="constrained")
    grid = canvas.subplots(len(rows), len(recordings), sharex="col", sharey=True, squeeze=False)
    for axes_row, (title, runs) in zip(grid, rows.items()):
        for axes, recording in zip(axes_row, recordings):
            found = series[title].get(recording)
            _trace(axes, found, figure.median, "not run" if runs is None else "no such recording")
            axes.set_title(f"{title}, {recording}")
        axes_row[0].set_ylabel(figure.target or paper.protocol.target)
    for axes in grid[-1]:
        axes.set_xlabel("time in s")
    canvas.suptitle("\n".join(dict.fromkeys(map(_origin, shown))), x=0.008, ha="left", size=8.5, weight="bold")
    handles, labels = next((a.get_legend_handles_labels() for a in grid.flat if a.lines), ([], []))
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    caption = f"{', '.join(labels).capitalize()}."
    if any(runs.evidence == "simulated" for runs in shown):
        caption += " Simulated recordings, which share nothing but a number with those of the paper."
    yield _drawing(f"{paper.id}-{figure.id}", _title(figure), caption, "paper", canvas)


def _of_figure(paper: Paper, figure: Figure, files: Sequence[File]) -> dict[str, Runs | None]:
    number = wanted(paper, Part(target=figure.target))
    return {title: select(paper, files, variant, number=number) for title, variant in figure.variants.items()}


def _traced(runs: Runs, target: str) -> dict[str, dict[str, np.ndarray]]:
    """Recording -> kind (time, raw, gold, and post where there is post-processing) -> series."""
    arrays, several = _arrays(runs), f"{target}/" if runs.first["target"] == ALL else ""
    found: dict[str, dict] = {}
    for kind, place in (("time", "time/"), *((kind, f"{kind}/{several}") for kind in ("gold", "raw", "post"))):
        for name in arrays:
            if name.startswith(place):
                found.setdefault(name.removeprefix(place), {})[kind] = arrays[name]
    return {name: series for name, series in found.items() if "gold" in series}


def _replaced(printed: Sequence[str], there: Sequence[str]) -> list[str]:
    """The recordings of a printed figure; those that a small corpus lacks give way to others that it has."""
    parts = {name.rpartition("_")[0] for name in printed}
    spare = [name for name in dict.fromkeys(there) if name not in printed and name.rpartition("_")[0] in parts]
    return [name if name in there or not spare else spare.pop(0) for name in printed]


def _trace(axes: Axes, series: dict[str, np.ndarray] | None, median: int, otherwise: str) -> None:
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


# --- bars ------------------------------------------------------------------------------------------------


def bars(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """The CC of every recording: a row for each network, recordings in their order, the mean as a line."""
    rows = _of_figure(paper, figure, files)
    shown = {title: runs for title, runs in rows.items() if runs is not None}
    if not shown:
        return
    target = figure.target or paper.protocol.target
    pattern = figure.recordings[0] if figure.recordings else "*"
    canvas = Canvas(figsize=(7.6, 1.35 * len(shown) + 0.8), layout="constrained")
    grid = canvas.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, runs) in zip(grid, shown.items()):
        found = {n: s for n, s in sorted(_traced(runs, target).items()) if fnmatchcase(n, pattern)}
        values = np.array([metrics.cc(series["gold"], series["raw"]) for series in found.values()])
        mean = f"{values.mean():.3f}" if np.isfinite(values).all() else "undefined"
        axes.bar(range(len(found)), values, color=COLOURS["conv-fill"], edgecolor=COLOURS["conv"], linewidth=0.9)
        axes.axhline(values.mean(), color=COLOURS["after"], linewidth=1, linestyle=(0, (3, 2)))
        axes.axhline(0, color=COLOURS["line"], linewidth=0.7)
        axes.set_title(f"{title}: mean {mean}, {np.sum(values > 0.5)} of {len(values)} above 0.5")
        axes.set_ylabel("CC")
        axes.set_xticks(range(len(found)), list(found), rotation=90)
    canvas.suptitle("\n".join(dict.fromkeys(map(_origin, shown.values()))), x=0.008, ha="left", size=8.5, weight="bold")
    caption = f"The correlation of each recording ({target}); the dashed line is the mean."
    yield _drawing(f"{paper.id}-{figure.id}", _title(figure), caption, "paper", canvas)


# --- mechanism -------------------------------------------------------------------------------------------

MEASURES = {  # measure -> its number, its title, what it is held against
    "spatial": ("hit_rate", "Spatial: share of frames whose attention peaks in the region that shows affect", "chance"),
    "temporal": ("auc", "Temporal: AUC of attention for the salient frames", "chance"),
    "alignment": ("offset", "Alignment: seconds by which attention lies before the predicted label", "planted"),
}
CORPORA = {"simulated": "affect in sparse episodes", CONTROL: "control: affect everywhere"}


def with_mechanism(paper: Paper, files: Sequence[File], measure: str) -> list[Runs]:
    """The runs on simulated corpora that measured whether attention finds the salient frames or regions."""
    found = [select(paper, files, variant, corpus) for variant in paper.variants for corpus in CORPORA]
    return [runs for runs in found if runs and (runs.first.get("mechanism") or {}).get(measure)]


def mechanism(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """Attention against the truth of the simulation, with 95 % intervals, beside chance and the control corpus."""
    found = {measure: runs for measure in MEASURES if (runs := with_mechanism(paper, files, measure))}
    if not found:
        return
    sizes = [len(runs) + 1.3 for runs in found.values()]
    canvas = Canvas(figsize=(7.4, 0.30 * sum(sizes) + 0.75), layout="constrained")
    panels = canvas.subplots(len(found), 1, squeeze=False, height_ratios=sizes)[:, 0]
    for axes, (measure, runs) in zip(panels, found.items()):
        _mechanism_panel(axes, measure, runs)
    everything = [runs for group in found.values() for runs in group]
    canvas.suptitle("\n".join(_profiles(everything)), x=0.008, ha="left", size=8.5, weight="bold")
    caption = (
        "Does attention find what the simulation made salient? Points with 95 % intervals; the dashed mark is chance: for "
        "space how often the same peaks lie in the region that shows nothing, for time an AUC of 0.5 among spoken steps, "
        "for alignment the delay that the simulated raters have. In the control corpus affect is everywhere, so there is little to find."
    )
    yield _drawing(f"{paper.id}-mechanism", "Attention against the simulated truth", caption, "mechanism", canvas)


def _profiles(runs: list[Runs]) -> list[str]:
    return sorted({f"SIMULATED data: {r.profile} profile, seed {r.first['seed']}" for r in runs})


def _mechanism_panel(axes: Axes, measure: str, runs: list[Runs]) -> None:
    key, title, mark = MEASURES[measure]
    axes.set_title(title)
    for row, entry in enumerate(runs):
        values = entry.first["mechanism"][measure]
        colour = COLOURS["muted" if entry.corpus == CONTROL else "attention"]
        fill = COLOURS["ground"] if entry.corpus == CONTROL else colour
        if values[mark] is not None:
            axes.vlines(values[mark], row - 0.38, row + 0.38, color=COLOURS["ink"], linewidth=1, linestyle=(0, (2, 2)))
        if values["interval"] and None not in values["interval"]:
            axes.plot(values["interval"], [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
        if values[key] is not None:
            axes.plot([values[key]], [row], color=colour, marker="o", markersize=5.5, markerfacecolor=fill)
    axes.set_yticks(range(len(runs)), [f"{r.variant}, {CORPORA[r.corpus]}" for r in runs])
    axes.set(ylim=(len(runs) - 0.4, -0.6))
    if mark == "chance":
        axes.set(xlim=(0, 1))
    axes.tick_params(axis="y", length=0, labelcolor=COLOURS["ink"])
    axes.spines["left"].set_visible(False)


def spatial_examples(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """Face crops, and the same under their attention map, with the region in which affect is shown."""
    for runs in with_mechanism(paper, files, "spatial"):
        arrays = _arrays(runs)
        if "example_frames" not in arrays:
            continue
        count = len(arrays["example_frames"])
        canvas = Canvas(figsize=(max(1.55 * count, 4.6), 3.75), layout="constrained")
        grid = canvas.subplots(2, count, squeeze=False)
        for index in range(count):
            _example(grid[:, index], *(arrays[f"example_{name}"][index] for name in ("frames", "attention", "region")))
        canvas.suptitle(_origin(runs), x=0.01, ha="left", size=8.5, weight="bold")
        caption = (
            f"Crops of the face as `{runs.variant}` sees them (above) and the attention it gives (below; bright is "
            "more). The outlined region is where the simulation shows affect; the network is never told."
        )
        title = f"What {runs.variant} looks at: {CORPORA[runs.corpus]}"
        yield _drawing(f"{paper.id}-spatial-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


def _example(pair: Sequence[Axes], frame: np.ndarray, attention: np.ndarray, region: np.ndarray) -> None:
    grey = np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2) / 255
    share = attention / max(float(attention.max()), 1e-12)
    heat = matplotlib.colormaps["inferno"](share)[..., :3]
    weight = (0.15 + 0.65 * share)[..., None]
    for axes, image in zip(pair, (frame, (1 - weight) * grey + weight * heat)):
        axes.imshow(np.clip(image, 0, 255 if image.dtype == np.uint8 else 1), interpolation="nearest")
        x0, y0, x1, y1 = region
        outline = Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, edgecolor="#ffffff", linewidth=1.2)
        outline.set_path_effects([patheffects.withStroke(linewidth=2.6, foreground="#000000")])
        axes.add_patch(outline)
        axes.axis("off")


def temporal_example(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """Mean attention over the time of one recording, with its salient spans."""
    for runs in with_mechanism(paper, files, "temporal"):
        arrays = _arrays(runs)
        if "example_time" not in arrays or runs.corpus == CONTROL:
            continue
        time, salient = arrays["example_time"], arrays["example_salient"]
        canvas = Canvas(figsize=(7.4, 2.2), layout="constrained")
        axes = canvas.subplots()
        floor, ceiling = np.nanmin(arrays["example_attention"]), np.nanmax(arrays["example_attention"])
        margin = 0.08 * (ceiling - floor) or 0.1
        shade = {"color": COLOURS["salient-fill"], "linewidth": 0, "label": "salient"}
        axes.fill_between(time, floor - margin, ceiling + margin, where=salient, step="mid", **shade)
        axes.plot(time, arrays["example_attention"], color=COLOURS["attention"], linewidth=1.3, label="attention")
        axes.set(xlabel="time in s", ylabel="attention", ylim=(floor - margin, ceiling + margin))
        axes.margins(x=0.01)
        canvas.legend(loc="outside lower center", ncols=2)
        canvas.suptitle(_origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
        caption = (
            "Attention over clips that follow each other, each weighed on its own. In the shaded spans the voice shows "
            "affect; the network is never told."
        )
        title = f"When {runs.variant} listens"
        yield _drawing(f"{paper.id}-temporal-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


def alignments(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """For each network with a decoder: which instant of one recording it looks at for which label."""
    for runs in with_mechanism(paper, files, "alignment"):
        arrays, planted = _arrays(runs), runs.first["mechanism"]["alignment"]["planted"]
        if "example_alignment" not in arrays or runs.corpus == CONTROL:
            continue
        shares, hop = arrays["example_alignment"], float(arrays["example_hop"])
        end = len(shares) * hop
        canvas = Canvas(figsize=(4.6, 4.3), layout="constrained")
        axes = canvas.subplots()
        image = axes.imshow(shares, cmap="inferno", extent=(0, end, end, 0), interpolation="nearest")
        canvas.colorbar(image, ax=axes, shrink=0.8, label="attention")
        if planted is not None:
            outline = [patheffects.withStroke(linewidth=2.4, foreground="#000000")]
            line = {"color": "#ffffff", "linewidth": 1, "linestyle": (0, (3, 2)), "path_effects": outline}
            axes.plot([0, end - planted], [planted, end], **line)
        axes.set(xlabel="attended instant in s", ylabel="predicted label in s", xlim=(0, end), ylim=(end, 0))
        canvas.suptitle(_origin(runs), x=0.01, ha="left", size=8.5, weight="bold")
        caption = (
            f"Each row is the attention of `{runs.variant}` for one label. The dashed line is where it would lie if it "
            "looked back by the delay of the simulated raters; the network is never told."
        )
        title = f"Where {runs.variant} looks for each label"
        yield _drawing(f"{paper.id}-alignment-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


# --- training --------------------------------------------------------------------------------------------


def training(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """The loss over the epochs, one panel for each network, one line for each seed."""
    shown = [
        runs for v in paper.variants if (runs := select(paper, files, v)) and runs.first.get("history", {}).get("loss")
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
    origins = sorted({_origin(runs).rpartition(",")[0] for runs in shown})
    canvas.suptitle("\n".join(origins), x=0.008, ha="left", size=8.5, weight="bold")
    caption = "The loss on the training set after each epoch, one line per seed."
    yield _drawing(f"{paper.id}-training", "Training", caption, "training", canvas)
