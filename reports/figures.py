"""The figures of a report, drawn from result files with matplotlib."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from scipy.ndimage import median_filter

from common import metrics
from common.errors import InputError
from common.evidence.paper import Figure, Paper, Part, count_decimals, format_value, resolve_number
from common.evidence.runs import ALL_TARGETS, CONTROL, File, Runs, find_corpus, select_any_runs, select_runs
from common.evidence.scores import find_score
from reports.architecture import draw_architecture, draw_overview
from reports.drawing import COLOURS, STYLE, Drawing, finished, first_arrays, origin, title_of

Maker = Callable[[Sequence[File]], Iterator[Drawing]]


def makers(paper: Paper) -> list[Maker]:
    """What draws each of its figures, those of the paper first, then mechanism and training curves."""
    of_paper = {
        "architecture": draw_architecture, "overview": draw_overview, "traces": traces, "bars": bars,
        "maps": maps, "projection": projection, "confusion": confusion, "speech": speech, "faces": faces,
    }  # fmt: skip
    ours = (mechanism, spatial_examples, temporal_example, alignments, training)
    return [partial(of_paper[f.kind], paper, f) for f in paper.figures] + [partial(make, paper) for make in ours]


def drawn(make: Maker, files: Sequence[File]) -> list[Drawing]:
    """What it makes of the results; nothing where there are none for it."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        return list(make(files))


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
    canvas.suptitle("\n".join(dict.fromkeys(map(origin, shown))), x=0.008, ha="left", size=8.5, weight="bold")
    handles, labels = next((a.get_legend_handles_labels() for a in grid.flat if a.lines), ([], []))
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    caption = f"{', '.join(labels).capitalize()}."
    if any(runs.evidence == "simulated" for runs in shown):
        caption += " Simulated recordings, which share nothing but a number with those of the paper."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def _of_figure(paper: Paper, figure: Figure, files: Sequence[File]) -> dict[str, Runs | None]:
    number = resolve_number(paper, Part(target=figure.target))
    return {title: select_runs(paper, files, variant, number=number) for title, variant in figure.variants.items()}


def _traced(runs: Runs, target: str) -> dict[str, dict[str, np.ndarray]]:
    """Recording -> kind (time, raw, gold, and post where there is post-processing) -> series."""
    arrays, several = first_arrays(runs), f"{target}/" if runs.first["target"] == ALL_TARGETS else ""
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
    canvas.suptitle("\n".join(dict.fromkeys(map(origin, shown.values()))), x=0.008, ha="left", size=8.5, weight="bold")
    caption = f"The correlation of each recording ({target}); the dashed line is the mean."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


# --- maps, projections, confusion matrices ---------------------------------------------------------------

EXAMPLES = 8


def maps(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """Attention over time as grey images: a panel for each of the first recordings that the results hold it of."""
    runs = select_runs(paper, files, figure.variant)
    found = _examples(runs, figure) if runs else {}
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
        axes.set_yticks(range(len(shares)), _rows(figure, shares))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in grid[-1]:
        axes.set_xlabel("time step")
    canvas.suptitle(origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
    caption = (
        f"The attention of `{figure.variant}` over time, the first row {'below' if figure.bottom_up else 'above'}; "
        "each row is divided by its own maximum, as in the paper: rows cannot be compared. Bright is more."
    )
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def _examples(runs: Runs, figure: Figure) -> dict[str, np.ndarray]:
    """Recording -> map (rows, steps), of those that fit a pattern of the figure, if it has any."""
    found = {}
    for name, array in first_arrays(runs).items():
        recording = name.removeprefix(f"{figure.prefix}/")
        if recording != name and any(fnmatchcase(recording, pattern) for pattern in figure.recordings or ("*",)):
            found[recording] = _checked_rows(runs, name, array)
    return dict(list(found.items())[:EXAMPLES])


def _checked_rows(runs: Runs, name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or not array.size:
        file = runs.files[0][0].with_suffix(".npz")
        raise InputError(
            f"{file}: {name} has the shape {array.shape}, not rows and columns; delete it and its record, run again"
        )
    return array.astype(float)


def _rows(figure: Figure, array: np.ndarray) -> Sequence[str]:
    """What the rows are; under other settings there may be more or fewer, which have numbers only."""
    return figure.rows if len(figure.rows) == len(array) else [str(number) for number in range(1, len(array) + 1)]


def projection(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """Embedding vectors on their two principal components, before and after training, each panel with its own."""
    runs = select_runs(paper, files, figure.variant)
    stages = ("before", "after")
    if runs is None or not all(f"embeddings/{stage}" in first_arrays(runs) for stage in stages):
        return
    vectors = [_checked_rows(runs, name, first_arrays(runs)[name]) for name in (f"embeddings/{s}" for s in stages)]
    if not all(np.isfinite(rows).all() for rows in vectors):  # the training diverged
        return
    canvas = Canvas(figsize=(7.2, 3.7), layout="constrained")
    for axes, stage, rows in zip(canvas.subplots(1, 2), stages, vectors):
        points, share = principal(rows)
        axes.axhline(0, color=COLOURS["line"], linewidth=0.7)
        axes.axvline(0, color=COLOURS["line"], linewidth=0.7)
        axes.plot(*points.T, color=COLOURS[stage], marker="o", markersize=5, linestyle="none")
        for label, point in zip(_rows(figure, points), points):
            axes.annotate(label, point, (4, 3), textcoords="offset points", size=7.5)
        axes.set_title(f"{stage} training: {100 * share:.0f} % of the variance")
        axes.margins(0.22)
    canvas.suptitle(origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
    caption = f"The embedding vectors of `{figure.variant}` on the two principal components of each stage."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def principal(vectors: np.ndarray) -> tuple[np.ndarray, float]:
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


def confusion(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
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
        _heat_map(axes, texts, pattern)
        axes.set_title(title)
        axes.set_xticks(range(size), [column.label for column in table.columns], rotation=45, ha="right")
        axes.set_xlabel("predicted")
    panels[0].set_yticks(range(len(table.rows)), [row.label for row in table.rows])
    panels[0].set_ylabel("truth")
    several = f"{origin(runs).rpartition(',')[0]}, mean of {len(runs.files)} seeds"
    canvas.suptitle(several if len(runs.files) > 1 else origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
    caption = f"`{figure.variant}`, in percent of each true class; beside each row the sum of what is shown."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def speech(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """The sound of one clip, its coefficients over time and its ratio of energies, with the part that is kept."""
    runs, found = _example_clip(paper, figure, files, "sound")
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
    canvas.suptitle(origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
    caption = (
        f"{100 * (1 - (last - first) / seconds):.0f} % of this clip hold no speech. Full lines: speech as it is found; "
        "dashed: what is kept of both streams. Below, the share of the speech band in the energy, and its threshold."
    )
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def faces(paper: Paper, figure: Figure, files: Sequence[File]) -> Iterator[Drawing]:
    """The faces of one clip from before its speech to behind it."""
    runs, found = _example_clip(paper, figure, files, "faces")
    if not found:
        return
    first, last = found["speech"]
    canvas = Canvas(figsize=(7.4, 1.75), layout="constrained")
    for axes, face, time in zip(canvas.subplots(1, len(found["faces"])), found["faces"], found["face_times"]):
        axes.imshow(face, interpolation="nearest")
        axes.set_title(f"{'onset' if time < first else 'offset' if time > last else 'apex'}, {time:.2f} s")
        axes.axis("off")
    canvas.suptitle(origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
    caption = "Faces as they are cropped, from the first frame that is kept to the last; apex is while speech is found."
    yield finished(f"{paper.id}-{figure.id}", title_of(figure), caption, "paper", canvas)


def _example_clip(paper: Paper, figure: Figure, files: Sequence[File], needed: str) -> tuple[Runs | None, dict]:
    """The arrays example/NAME by name; none of them without `needed`."""
    runs = select_any_runs(paper, files, figure.variant)
    arrays = first_arrays(runs) if runs else {}
    found = {name.removeprefix("example/"): array for name, array in arrays.items() if name.startswith("example/")}
    return runs, found if needed in found else {}


def _heat_map(axes: Axes, texts: list[list[str]], pattern: str) -> None:
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


# --- mechanism -------------------------------------------------------------------------------------------

MEASURES = {  # measure -> its number, its title, what it is held against
    "spatial": ("hit_rate", "Spatial: share of frames whose attention peaks in the region that shows affect", "chance"),
    "temporal": ("auc", "Temporal: AUC of attention for the salient frames", "chance"),
    "alignment": ("offset", "Alignment: seconds by which attention lies before the predicted label", "planted"),
    "perception": ("auc", "Perception: AUC of attention for the frames that show the emotion", "chance"),
    "synchrony": ("offset", "Synchrony: seconds by which the attended sound lies behind the picture", "planted"),
    "drift": (
        "slope",
        "Drift: places that attention moves for each audio frame lost by rounding",
        "predicted",
    ),
    "speech": ("within", "Voice activity: share of onsets and offsets of speech found within 0.1 s", "all"),
    "modalities": ("sound", "Fusion: mean weight of the sound beside the faces", "equal"),
    "kfold": ("points", "Points of accuracy that a K-fold of clips is above subjects left out", "none"),
    "kfold-segments": ("points", "Points of accuracy that a K-fold of segments is above subjects left out", "none"),
}
MARKS = {  # measure -> what that is, in words
    "spatial": "for space how often the same peaks lie in the region that shows nothing",
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


def corpus_words(corpus: str) -> str:
    return f"{corpus}, {WORDS[corpus]}" if corpus in WORDS else corpus


def with_mechanism(paper: Paper, files: Sequence[File], measure: str) -> list[Runs]:
    """The runs that have this measure of what goes on in a network, by network and corpus."""
    corpora = sorted({record["corpus"] for _, record in files})
    found = [
        select_runs(paper, files, variant, corpus, resolve_number(paper, Part(corpus=find_corpus(paper, corpus))))
        for variant in paper.variants
        for corpus in corpora
    ]
    return [runs for runs in found if runs and (runs.first.get("mechanism") or {}).get(measure)]


def mechanism(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """What a network attends to and more, with 95 % intervals, beside the truth of the simulation or what is expected."""
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
    caption = f"Points with 95 % intervals; the dashed mark is {', '.join(MARKS[measure] for measure in found)}."
    if any(runs.corpus == CONTROL for runs in everything):
        caption += " In the control corpus affect is everywhere, so there is little to find."
    yield finished(f"{paper.id}-mechanism", "What goes on inside", caption, "mechanism", canvas)


def _profiles(runs: list[Runs]) -> list[str]:
    kinds = {"simulated": "SIMULATED data"}
    return sorted({f"{kinds.get(r.evidence, 'data')}: {r.profile} profile, seed {r.first['seed']}" for r in runs})


def _mechanism_panel(axes: Axes, measure: str, runs: list[Runs]) -> None:
    key, title, mark = MEASURES[measure]
    axes.set_title(title)
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
    axes.set_yticks(range(len(runs)), [f"{r.variant}, {corpus_words(r.corpus)}" for r in runs])
    axes.set(ylim=(len(runs) - 0.4, -0.6))
    if mark in ("chance", "all", "equal"):
        axes.set(xlim=(0, 1))
    axes.tick_params(axis="y", length=0, labelcolor=COLOURS["ink"])
    axes.spines["left"].set_visible(False)


def spatial_examples(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """Face crops, and the same under their attention map, with the region in which affect is shown."""
    for runs in with_mechanism(paper, files, "spatial"):
        arrays = first_arrays(runs)
        if "example_frames" not in arrays:
            continue
        count = len(arrays["example_frames"])
        canvas = Canvas(figsize=(max(1.55 * count, 4.6), 3.75), layout="constrained")
        grid = canvas.subplots(2, count, squeeze=False)
        for index in range(count):
            _example(grid[:, index], *(arrays[f"example_{name}"][index] for name in ("frames", "attention", "region")))
        canvas.suptitle(origin(runs), x=0.01, ha="left", size=8.5, weight="bold")
        caption = (
            f"Crops of the face as `{runs.variant}` sees them (above) and the attention it gives (below; bright is "
            "more). The outlined region is where the simulation shows affect; the network is never told."
        )
        title = f"What {runs.variant} looks at: {corpus_words(runs.corpus)}"
        yield finished(f"{paper.id}-spatial-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


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
        arrays = first_arrays(runs)
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
        canvas.suptitle(origin(runs), x=0.008, ha="left", size=8.5, weight="bold")
        caption = (
            "Attention over clips that follow each other, each weighed on its own. In the shaded spans the voice shows "
            "affect; the network is never told."
        )
        title = f"When {runs.variant} listens"
        yield finished(f"{paper.id}-temporal-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


def alignments(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
    """For each network with a decoder: which instant of one recording it looks at for which label."""
    for runs in with_mechanism(paper, files, "alignment"):
        arrays, planted = first_arrays(runs), runs.first["mechanism"]["alignment"]["planted"]
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
        canvas.suptitle(origin(runs), x=0.01, ha="left", size=8.5, weight="bold")
        caption = (
            f"Each row is the attention of `{runs.variant}` for one label. The dashed line is where it would lie if it "
            "looked back by the delay of the simulated raters; the network is never told."
        )
        title = f"Where {runs.variant} looks for each label"
        yield finished(f"{paper.id}-alignment-{runs.variant}-{runs.corpus}", title, caption, "mechanism", canvas)


# --- training --------------------------------------------------------------------------------------------


def training(paper: Paper, files: Sequence[File]) -> Iterator[Drawing]:
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
    origins = sorted({origin(runs).rpartition(",")[0] for runs in shown})
    canvas.suptitle("\n".join(origins), x=0.008, ha="left", size=8.5, weight="bold")
    caption = (
        "The loss on the training set after each epoch, one line per seed; the mean, where there are several folds."
    )
    yield finished(f"{paper.id}-training", "Training", caption, "training", canvas)
