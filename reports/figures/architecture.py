"""The network of a paper as it is built, with its layers and arrows.

Drawn from what `python -m replications.architectures` wrote, in the sizes of the paper; where the study profile has
others, these stand below, in grey.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch, Rectangle

from common.evidence.paper import Figure, Paper
from common.evidence.runs import File
from replications import architectures
from reports.drawing import COLOURS, Sketch, make_title

BOX, SLIM, LINE, GAP, WIDTH, LANE = 0.40, 0.24, 0.14, 0.17, 2.9, 0.42  # inches
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
ARROW = {"arrowstyle": "-|>", "color": COLOURS["muted"], "linewidth": 0.8, "mutation_scale": 6,
         "shrinkA": 0, "shrinkB": 0}  # fmt: skip
SIZES = "Output shapes without the batch, where ? is what the corpus decides"


@dataclass(eq=False)
class Box:
    """A layer, with the small layers that follow it and nothing else, and its place on the page."""

    name: str
    kind: str
    shape: list
    parameters: int
    inputs: list[str]
    before: list[str] = field(default_factory=list)  # what it takes from the step before
    within: str = ""  # the layer that it is a part of
    shared: bool = False  # its parameters are another box's
    study: str = ""  # shape and parameters in the study profile, if they are others
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
    def shape_words(self) -> str:
        return " × ".join("?" if size is None else str(size) for size in self.shape)

    @property
    def sizes(self) -> str:
        parameters = "shared weights" if self.shared else f"{self.parameters:,} par." if self.parameters else ""
        return "   ".join(filter(None, (self.shape_words, parameters)))

    @property
    def slim(self) -> bool:
        return not (self.parameters or self.shared) and bool(self.inputs or self.before)

    @property
    def height(self) -> float:
        return (SLIM if self.slim else BOX) + (LINE if self.study else 0)

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.column * (WIDTH + LANE) + WIDTH / 2


def draw_architecture(paper: Paper, figure: Figure, _: Sequence[File] = ()) -> Iterator[Sketch]:
    """The network as it is built: layers in order, output shapes without the batch, parameters."""
    profiles = architectures.read(paper.id).get(figure.variant)
    if not profiles:
        return
    boxes = fold_layers(profiles["paper"])
    compare_sizes(boxes, fold_layers(profiles["study"]))
    place_boxes(boxes)
    width = max(box.column for box in boxes.values()) * (WIDTH + LANE) + WIDTH
    height = max(box.bottom for box in boxes.values())
    canvas = Canvas(figsize=(max(width + 0.7, 5.4), height + 1.05))
    axes = canvas.add_axes((0, 0, 1, 1))
    spare = (canvas.get_figwidth() - width) / 2
    axes.set(xlim=(-spare, width + spare), ylim=(height + 0.12, -0.93), aspect="equal")
    axes.axis("off")
    _draw_frames(axes, boxes.values())
    turns: list[Turn] = []
    for box in boxes.values():
        _draw_box(axes, box)
        for source in box.inputs:
            _draw_arrow(axes, boxes[source], box, boxes.values(), turns)
    _draw_loops(axes, boxes)
    left, differ = -spare + 0.12, any(box.study for box in boxes.values())
    heading = f"{figure.variant}: {_count_parameters(profiles['paper'])}, sizes of the paper"
    axes.text(left, -0.8, heading, weight="bold", va="center")
    study = f"study profile: {_count_parameters(profiles['study'])}, {'sizes in grey' if differ else 'the same sizes'}"
    axes.text(left, -0.6, study, size=7, va="center", color=COLOURS["muted"])
    _draw_families(axes, {box.family for box in boxes.values()}, left)
    caption = f"The network `{figure.variant}` as built for the sizes of the paper. {SIZES}."
    if any(box.before for box in boxes.values()):
        caption += " Dashed: from the step before; grey ground: what is inside one layer."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def _count_parameters(layers: Sequence[dict]) -> str:
    return f"{sum(layer['parameters'] for layer in layers):,} parameters"


def fold_layers(layers: Sequence[dict]) -> dict[str, Box]:
    """Boxes by name, in order. Small layers join the layer before them if they alone follow it."""
    followers = [source for layer in layers for source in layer["inputs"]]
    boxes, home = {}, {}  # home: layer -> the box that holds it
    for layer in layers:
        sources = layer["inputs"]
        small = layer["kind"].startswith(FOLDED) and not layer["parameters"] and len(sources) == 1
        if small and followers.count(sources[0]) == 1 and boxes[home[sources[0]]].inputs:
            box = boxes[home[sources[0]]]
            box.kind, box.shape = f"{box.kind} + {_shorten_kind(layer)}", layer["shape"]
            home[layer["name"]] = box.name
        else:
            home[layer["name"]] = layer["name"]
            boxes[layer["name"]] = Box(**layer | {"inputs": [home[source] for source in sources]})
    return boxes


def _shorten_kind(layer: dict) -> str:
    if layer["kind"] == "Activation":  # which one is known from its name only
        return next((word for word in ("relu", "tanh", "sigmoid") if word in layer["name"].lower()), "activation")
    return layer["kind"].lower()


def compare_sizes(boxes: dict[str, Box], study: dict[str, Box]) -> None:
    """Give each box the sizes that it has among the `study` ones, where they differ."""
    for name, box in boxes.items():
        if name in study and study[name].sizes != box.sizes:
            box.study = f"study: {study[name].sizes}"
    inputs = [name for name, box in boxes.items() if not box.inputs and not box.before and name in study]
    if any(boxes[name].study for name in inputs):  # they stand side by side, and are equally high
        for name in inputs:
            boxes[name].study = f"study: {study[name].sizes}"


def place_boxes(boxes: dict[str, Box]) -> None:
    """Give each box a height and a column: below all its inputs, in the column of one that nothing continues yet.

    Where attention meets what it weighs, the column goes on with the latter. Without such a column it takes one in which
    all is done above it, or a new one. What comes from the step before alone stands in the last column, above the box
    that it goes into.
    """
    continued, placed = set(), []
    late = [box for box in boxes.values() if box.before and not box.inputs]
    for box in boxes.values():
        if box in late:
            continue
        inputs = [boxes[source] for source in box.inputs if boxes[source] not in late]
        box.top = max((source.bottom + GAP for source in inputs), default=0.0)
        if free := [source for source in inputs if source.name not in continued]:
            source = min(free, key=lambda source: source.family == "attention")
            box.column = source.column
            continued.add(source.name)
        else:
            box.column = _find_column(box, placed, boxes)
        placed.append(box)
    for box in late:
        box.column = max(other.column for other in placed)
        box.top = min(other.top for other in placed if box.name in other.inputs) - GAP - box.height


def _find_column(box: Box, placed: Sequence[Box], boxes: dict[str, Box]) -> int:
    """The first column in which boxes and the arrows from them end above `box`; else a new one."""
    ends: dict[int, float] = {}
    for other in placed:
        followers = [follower for follower in boxes.values() if other.name in follower.inputs]
        below = [follower.top if follower in placed else float("inf") for follower in followers]
        ends[other.column] = max(ends.get(other.column, 0.0), other.bottom, *below)
    return next((column for column in sorted(ends) if ends[column] <= box.top - GAP), len(ends))


def _draw_frames(axes: Axes, boxes: Sequence[Box]) -> None:
    """A grey ground behind what is inside one layer."""
    for layer in dict.fromkeys(box.within for box in boxes if box.within):
        parts = [box for box in boxes if box.within == layer]
        left = min(box.middle for box in parts) - WIDTH / 2 - LANE * 0.47
        right = max(box.middle for box in parts) + WIDTH / 2 + LANE * 0.47
        top, bottom = min(box.top for box in parts) - GAP * 0.4, max(box.bottom for box in parts) + GAP * 0.4
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, color=COLOURS["other-fill"], lw=0, zorder=0))


def _draw_box(axes: Axes, box: Box) -> None:
    draw_panel(axes, (box.middle - WIDTH / 2, box.top), WIDTH, box.height, box.family)
    left, right = box.middle - WIDTH / 2 + 0.09, box.middle + WIDTH / 2 - 0.09
    first = box.top + (SLIM / 2 if box.slim else 0.14)
    second = first if box.slim else first + 0.15
    room = 50 - len(box.sizes)  # characters
    axes.text(
        left, first, cut_text(box.head, room - 2 if box.slim else 40), size=7, weight="bold", va="center", zorder=3
    )
    if not box.slim:
        axes.text(left, second, cut_text(box.label, room), size=6.5, va="center", zorder=3)
    axes.text(right, second, box.sizes, size=6.5, ha="right", va="center", zorder=3)
    grey = {"color": COLOURS["muted"], "size": 6.5, "ha": "right", "va": "center", "zorder": 3}
    axes.text(right, second + LINE, box.study, **grey)


def cut_text(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass
class Turn:
    """The horizontal stretch of an arrow."""

    start: Box
    end: Box
    y: float

    def hides(self, other: "Turn") -> bool:
        """Whether it lies on that of an arrow between other boxes."""
        (left, right), (others_left, others_right) = (sorted((t.start.middle, t.end.middle)) for t in (self, other))
        over = abs(self.y - other.y) < 0.02 and left < others_right and others_left < right
        return over and self.start is not other.start and self.end is not other.end


def _draw_arrow(axes: Axes, start: Box, end: Box, boxes, turns: list[Turn]) -> None:
    """From `start` down to `end`: straight or with one elbow where nothing lies between, else along a side lane.

    `turns` are the elbows that are drawn already; its own joins them.
    """

    def blocked(column: int, top: float, bottom: float) -> bool:
        return any(b.column == column and b.top < bottom - 0.01 and b.bottom > top + 0.01 for b in boxes)

    if start.column == end.column and not blocked(start.column, start.bottom, end.top):
        path = [(start.middle, start.bottom), (end.middle, end.top)]
    elif start.column != end.column and not blocked(start.column, start.bottom, end.top):
        path = _bend_arrow(start, end, end.top - GAP * 0.55, turns)
    elif start.column != end.column and not blocked(end.column, start.bottom, end.top):
        path = _bend_arrow(start, end, start.bottom + GAP * 0.45, turns)
    else:
        side = -1 if end.column <= start.column else 1
        edge, lane = side * WIDTH / 2, side * (WIDTH / 2 + LANE * 0.42)
        y = [box.top + box.height / 2 for box in (start, end)]
        x = [start.middle + edge, start.middle + lane, start.middle + lane, end.middle + edge]
        path = list(zip(x, [y[0], y[0], y[1], y[1]]))
    _draw_path(axes, path)


def _bend_arrow(start: Box, end: Box, y: float, turns: list[Turn]) -> list[tuple[float, float]]:
    """Down, across at about `y`, down."""
    tried = [Turn(start, end, y + step) for step in (0, -0.04, 0.03)]
    turn = next((turn for turn in tried if not any(turn.hides(other) for other in turns)), tried[0])
    turns.append(turn)
    return [(start.middle, start.bottom), (start.middle, turn.y), (end.middle, turn.y), (end.middle, end.top)]


def _draw_loops(axes: Axes, boxes: dict[str, Box]) -> None:
    """Dashed, up along the lane between the columns: what goes into the next step. Each has a line of its own."""
    loops = [(boxes[source], box) for box in boxes.values() for source in box.before]
    for number, (start, end) in enumerate(loops, 1):
        side = 1 if end.column > start.column else -1
        lane = start.middle + side * (WIDTH / 2 + LANE * number / (len(loops) + 1))
        y = [box.top + box.height / 2 for box in (start, end)]
        arrives = end.middle - (side if end.column != start.column else -side) * WIDTH / 2
        _draw_path(axes, [(start.middle + side * WIDTH / 2, y[0]), (lane, y[0]), (lane, y[1]), (arrives, y[1])], (3, 2))


def _draw_path(axes: Axes, path: Sequence[tuple[float, float]], dashes: tuple[float, ...] = ()) -> None:
    line = {"linestyle": (0, dashes)} if dashes else {}
    axes.plot(*zip(*path), color=COLOURS["muted"], linewidth=0.8, solid_joinstyle="round", zorder=1, **line)
    (x, y), (end_x, end_y) = path[-2:]
    head = 0.09 / max(abs(end_x - x) + abs(end_y - y), 0.09)  # of the last stretch: solid, with the tip
    start = (end_x + head * (x - end_x), end_y + head * (y - end_y))
    axes.annotate("", path[-1], start, arrowprops=ARROW, zorder=1)


def _draw_families(axes: Axes, used: set[str], x: float) -> None:
    for family, name in FAMILY_NAMES.items():
        if family in used:
            colours = {"facecolor": COLOURS[f"{family}-fill"], "edgecolor": COLOURS[family]}
            axes.add_patch(Rectangle((x, -0.39), 0.14, 0.11, linewidth=0.9, **colours))
            axes.text(x + 0.2, -0.33, name, size=6.5, va="center", color=COLOURS["muted"])
            x += 0.36 + 0.062 * len(name)


def draw_panel(axes: Axes, corner: tuple[float, float], width: float, height: float, family: str) -> None:
    colours = {"facecolor": COLOURS[f"{family}-fill"], "edgecolor": COLOURS[family]}
    shape = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, linewidth=0.9, zorder=2, **colours))
