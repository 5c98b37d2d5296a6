"""Several networks of a paper side by side, from the same data as `architecture`."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from common.evidence.paper import Figure, Paper
from common.evidence.runs import File
from replications import architectures
from reports.drawing import COLOURS, Sketch, make_title
from reports.figures.architecture import ARROW, LINE, SIZES, Box, compare_sizes, cut_text, draw_panel

ROW, PANEL, SPACE = 0.3, 2.9, 0.3  # inches: a layer, and a network and what is between two


def draw_overview(paper: Paper, figure: Figure, _: Sequence[File] = ()) -> Iterator[Sketch]:
    """Several networks side by side: what goes in, the layers with weights of each as it is built, what comes out."""
    there = architectures.read(paper.id)
    built = {title: there[variant] for title, variant in figure.variants.items() if variant in there}
    if not built:
        return
    networks = {title: join_parts(profiles["paper"]) for title, profiles in built.items()}
    for title, profiles in built.items():
        compare_sizes(networks[title], join_parts(profiles["study"]))
    height = ROW + max(sum(map(_find_height, _select_weighted(boxes))) for boxes in networks.values())
    total = len(built) * (PANEL + SPACE) - SPACE
    canvas = Canvas(figsize=(total + 0.5, height + 1.85))
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.25, total + 0.25), ylim=(height + 0.8, -1.05), aspect="equal")
    axes.axis("off")
    first = list(next(iter(networks.values())).values())
    inputs = "      ".join(f"{box.label}: {box.sizes}" for box in first if not box.inputs)
    outputs = f"{first[-1].label}: {first[-1].shape_words}"
    for text, top in ((inputs, -0.55), (outputs, height + 0.3)):
        draw_panel(axes, (0, top), total, ROW, "other")
        axes.text(total / 2, top + ROW / 2, text, size=7, ha="center", va="center", zorder=3)
    for index, (title, boxes) in enumerate(networks.items()):
        left = index * (PANEL + SPACE)
        draw_panel(axes, (left, 0), PANEL, height, "dense")
        heading = f"{title}   {sum(box.parameters for box in boxes.values()):,} par."
        axes.text(left + 0.1, ROW / 2, heading, size=8, weight="bold", va="center", zorder=3)
        _draw_rows(axes, _select_weighted(boxes), left + 0.08)
        for start, end in ((-0.55 + ROW, 0), (height, height + 0.3)):
            at = left + PANEL / 2
            axes.annotate("", (at, end), (at, start), arrowprops=ARROW, zorder=1)
    small = any(box.study for boxes in networks.values() for box in boxes.values())
    heading = f"Sizes of the paper; {'grey: of the study profile' if small else 'the study profile has the same'}"
    axes.text(0, -0.85, heading, size=8, weight="bold", va="center")
    caption = f"The networks as built: layers that have weights, and how many. {SIZES}."
    yield Sketch(f"{paper.id}-{figure.id}", make_title(figure), caption, "paper", canvas)


def join_parts(layers: Sequence[dict]) -> dict[str, Box]:
    """A box for each layer, those that were opened whole again."""
    boxes: dict[str, Box] = {}
    for layer in layers:
        name = layer.get("within") or layer["name"]
        if name in boxes:
            boxes[name].parameters += layer["parameters"]
            boxes[name].shape = layer["shape"]
        else:
            boxes[name] = Box(**layer | {"name": name, "kind": "Lambda" if layer.get("within") else layer["kind"]})
    return boxes


def _select_weighted(boxes: dict[str, Box]) -> list[Box]:
    return [box for box in boxes.values() if box.parameters]


def _find_height(box: Box) -> float:
    return ROW + (LINE if box.study else 0)


def _draw_rows(axes: Axes, boxes: Sequence[Box], left: float) -> None:
    top, width = ROW, PANEL - 0.16
    for box in boxes:
        draw_panel(axes, (left, top), width, _find_height(box) - ROW * 0.18, box.family)
        middle = top + ROW * 0.41
        axes.text(left + 0.08, middle, cut_text(box.head, 46 - len(box.sizes)), size=6.5, va="center", zorder=4)
        axes.text(left + width - 0.08, middle, box.sizes, size=6.5, ha="right", va="center", zorder=4)
        grey = {"color": COLOURS["muted"], "size": 6.5, "ha": "right", "va": "center", "zorder": 4}
        axes.text(left + width - 0.08, middle + LINE, box.study, **grey)
        top += _find_height(box)
