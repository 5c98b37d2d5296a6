"""What goes on inside the networks, measured against the planted truth of the simulation, and examples of it."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from common.evidence.paper import Paper, Part, resolve_number
from common.evidence.runs import CONTROL, File, Runs, find_corpus, select_runs
from reports.drawing import COLOURS, Sketch, read_first_arrays, say_origin

MEASURES = {  # measure -> its number, its title, what it is held against
    "spatial": ("hit_rate", "Spatial: share of frames whose attention peaks in the region that shows affect", "chance"),
    "temporal": ("auc", "Temporal: AUC of attention for the salient frames", "chance"),
    "alignment": ("offset", "Alignment: seconds by which attention lies before the predicted label", "planted"),
    "perception": ("auc", "Perception: AUC of attention for the frames that show the emotion", "chance"),
    "synchrony": ("offset", "Synchrony: seconds by which the attended sound lies behind the picture", "planted"),
    "drift": ("slope", "Drift: places that attention moves for each audio frame lost by rounding", "predicted"),
    "speech": ("within", "Voice activity: share of onsets and offsets of speech found within 0.1 s", "all"),
    "modalities": ("sound", "Fusion: mean weight of the sound beside the faces", "equal"),
    "kfold": ("points", "Points of accuracy that a K-fold of clips is above subjects left out", "none"),
    "kfold-segments": ("points", "Points of accuracy that a K-fold of segments is above subjects left out", "none"),
}
MARKS = {  # measure -> what that is, in words
    "spatial": "for space how often the same peaks lie in the other region, which shows it weakly",
    "temporal": "for time an AUC of 0.5 among spoken steps",
    "alignment": "for alignment the delay that the simulated raters have",
    "perception": "for perception the AUC of an attention that knows nothing",
    "synchrony": "for synchrony the delay that the simulation gave the sound (dotted: what equal weights have)",
    "drift": "for drift the 1 of an attention that keeps its distance in time",
    "speech": "for voice activity all of them",
    "modalities": "for fusion equal weights",
    "kfold": "for a K-fold of clips no difference",
    "kfold-segments": "for a K-fold of segments no difference",
}
WORDS = {CONTROL: "control: affect everywhere"}  # what else a corpus of this name is
WIDTH = 7.4  # inches


def describe_corpus(corpus: str) -> str:
    return f"{corpus}, {WORDS[corpus]}" if corpus in WORDS else corpus


def select_with_mechanism(paper: Paper, files: Sequence[File], measure: str) -> list[Runs]:
    """The runs that have this measure of what goes on in a network, by network and corpus."""
    corpora = sorted({record["corpus"] for _, record in files})
    found = [
        select_runs(paper, files, variant, corpus, resolve_number(paper, Part(corpus=find_corpus(paper, corpus))))
        for variant in paper.variants
        for corpus in corpora
    ]
    return [runs for runs in found if runs and (runs.first.get("mechanism") or {}).get(measure)]


def draw_mechanism(paper: Paper, files: Sequence[File]) -> Iterator[Sketch]:
    """What a network attends to and more, with 95 % intervals, beside the truth of the simulation or what is expected."""
    found = {measure: runs for measure in MEASURES if (runs := select_with_mechanism(paper, files, measure))}
    if not found:
        return
    longest = max(len(_name_row(entry)) for runs in found.values() for entry in runs)
    room = int((WIDTH - 0.1 - 0.053 * longest) / 0.06)  # characters above a panel, which is beside its names
    titles = {measure: wrap(MEASURES[measure][1], room) for measure in found}
    more = sum(len(lines) - 1 for lines in titles.values())
    sizes = [len(runs) + 1.3 for runs in found.values()]
    canvas = Canvas(figsize=(WIDTH, 0.30 * sum(sizes) + 0.14 * more + 0.75), layout="constrained")
    panels = canvas.subplots(len(found), 1, squeeze=False, height_ratios=sizes)[:, 0]
    for axes, (measure, runs) in zip(panels, found.items()):
        _draw_measure(axes, measure, runs)
        axes.set_title("\n".join(titles[measure]))
    everything = [runs for group in found.values() for runs in group]
    say_origin(canvas, paper, files, everything, "\n".join(_list_origins(everything)))
    caption = f"Points with 95 % intervals; the dashed mark is {', '.join(MARKS[measure] for measure in found)}."
    if any(runs.corpus == CONTROL for runs in everything):
        caption += " In the control corpus affect is everywhere, so there is little to find."
    yield Sketch(f"{paper.id}-mechanism", "What goes on inside", caption, "mechanism", canvas)


def _list_origins(runs: list[Runs]) -> list[str]:
    kinds = {"simulated": "SIMULATED data"}
    return sorted({f"{kinds.get(r.evidence, 'data')}: {r.profile} profile, seed {r.first['seed']}" for r in runs})


def _name_row(runs: Runs) -> str:
    return f"{runs.variant}, {describe_corpus(runs.corpus)}"


def _draw_measure(axes: Axes, measure: str, runs: list[Runs]) -> None:
    key, _, mark = MEASURES[measure]
    for row, entry in enumerate(runs):
        values = entry.first["mechanism"][measure]
        colour = COLOURS["muted" if entry.corpus == CONTROL else "attention"]
        fill = COLOURS["ground"] if entry.corpus == CONTROL else colour
        if values[mark] is not None:
            axes.vlines(values[mark], row - 0.38, row + 0.38, color=COLOURS["ink"], linewidth=1, linestyle=(0, (2, 2)))
        if values.get("even") is not None:
            axes.vlines(
                values["even"], row - 0.38, row + 0.38, color=COLOURS["muted"], linewidth=1, linestyle=(0, (1, 2))
            )
        if values.get("interval") and None not in values["interval"]:
            axes.plot(values["interval"], [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
        if values[key] is not None:
            axes.plot([values[key]], [row], color=colour, marker="o", markersize=5.5, markerfacecolor=fill)
    axes.set_yticks(range(len(runs)), list(map(_name_row, runs)))
    axes.set(ylim=(len(runs) - 0.4, -0.6))
    if mark in ("chance", "all", "equal"):
        axes.set(xlim=(0, 1))
    axes.tick_params(axis="y", length=0, labelcolor=COLOURS["ink"])
    axes.spines["left"].set_visible(False)


def draw_spatial_examples(paper: Paper, files: Sequence[File]) -> Iterator[Sketch]:
    """Face crops, and the same under their attention map, with the region in which affect is shown."""
    for runs in select_with_mechanism(paper, files, "spatial"):
        arrays = read_first_arrays(runs)
        if "example_frames" not in arrays:
            continue
        count = len(arrays["example_frames"])
        canvas = Canvas(figsize=(max(1.55 * count, 4.6), 3.75), layout="constrained")
        grid = canvas.subplots(2, count, squeeze=False)
        for index in range(count):
            _draw_example(
                grid[:, index], *(arrays[f"example_{name}"][index] for name in ("frames", "attention", "region"))
            )
        say_origin(canvas, paper, files, [runs])
        caption = (
            f"Crops of the face as `{runs.variant}` sees them (above) and the attention it gives (below; bright is "
            "more). The outlined region is where the simulation shows affect; the network is never told."
        )
        title = f"What {runs.variant} looks at: {describe_corpus(runs.corpus)}"
        yield Sketch(f"{paper.id}-spatial-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


def _draw_example(pair: Sequence[Axes], frame: np.ndarray, attention: np.ndarray, region: np.ndarray) -> None:
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


def draw_temporal_examples(paper: Paper, files: Sequence[File]) -> Iterator[Sketch]:
    """Mean attention over the time of one recording, with its salient spans."""
    for runs in select_with_mechanism(paper, files, "temporal"):
        arrays = read_first_arrays(runs)
        if "example_time" not in arrays or runs.corpus == CONTROL or np.isnan(arrays["example_attention"]).all():
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
        say_origin(canvas, paper, files, [runs])
        caption = (
            "Attention over clips that follow each other, each weighed on its own. In the shaded spans the voice shows "
            "affect clearly; the network is never told."
        )
        title = f"When {runs.variant} listens"
        yield Sketch(f"{paper.id}-temporal-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


def draw_alignments(paper: Paper, files: Sequence[File]) -> Iterator[Sketch]:
    """For each network with a decoder: which instant of one recording it looks at for which label."""
    for runs in select_with_mechanism(paper, files, "alignment"):
        arrays, planted = read_first_arrays(runs), runs.first["mechanism"]["alignment"]["planted"]
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
        say_origin(canvas, paper, files, [runs])
        caption = (
            f"Each row is the attention of `{runs.variant}` for one label. The dashed line is where it would lie if it "
            "looked back by the delay of the simulated raters; the network is never told."
        )
        title = f"Where {runs.variant} looks for each label"
        yield Sketch(f"{paper.id}-alignment-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)
