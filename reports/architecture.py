"""The networks of a paper as they were built: one with its layers and arrows, or several side by side."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch, Rectangle

from common.evidence.paper import Figure, Paper
from common.evidence.runs import File, select_any_runs
from reports.drawing import COLOURS, Drawing, finished, origin, title_of

BOX, SLIM, GAP, WIDTH, LANE = 0.40, 0.24, 0.17, 2.55, 0.42  # inches
FAMILIES = {  # the first family with a word in the layer's name or kind
    "attention": ("attention", "alignment", "softmax", "gate", "multiply", "boost"),
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
    runs = select_any_runs(paper, files, figure.variant)
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
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


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
    found = {title: select_any_runs(paper, files, variant) for title, variant in figure.variants.items()}
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
    axes.text(0, -0.85, "\n".join(dict.fromkeys(map(origin, built.values()))), size=8, weight="bold", va="center")
    caption = "The networks as built: layers that have weights, output shapes without the batch, parameters."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def _panel(axes: Axes, corner: tuple[float, float], width: float, height: float, family: str) -> None:
    colours = {"facecolor": COLOURS[f"{family}-fill"], "edgecolor": COLOURS[family]}
    shape = "round,pad=0,rounding_size=0.05"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, linewidth=0.8, zorder=2, **colours))


def _sizes(layer: dict) -> str:
    return " × ".join("?" if size is None else str(size) for size in layer["shape"])
