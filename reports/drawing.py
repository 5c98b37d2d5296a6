"""What every figure of a report shares: its colours, its style, its files, and what it says of its data.

Every figure comes as SVG, and as PNG where asked, with the same bytes for the same results: no dates, no versions, fixed
ids. The SVG inside a page takes its colours from the page's style sheet, so that it follows a dark theme; the files keep
the light ones.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure as Canvas

from common import results
from common.evidence.paper import Figure, Paper, Part, resolve_number
from common.evidence.runs import File, Runs, find_corpus
from common.evidence.skill import judge_number

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
    "axes.titley": 1.0,  # no axis has its ticks above: need not be looked for
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.facecolor": "none",
    "axes.grid": False, "xtick.color": COLOURS["line"], "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["muted"], "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.frameon": False, "legend.fontsize": 7.5,
    "figure.facecolor": COLOURS["ground"], "savefig.dpi": 160,
}  # fmt: skip
LETTER = 0.078  # inches of a letter of the words above a figure
SECTIONS = ("paper", "mechanism", "training")


@dataclass(frozen=True)
class Sketch:
    """A figure before it is saved; `section` (of SECTIONS) is "paper" for the printed figures."""

    name: str
    title: str
    caption: str
    section: str
    canvas: Canvas


@dataclass(frozen=True)
class Drawing:
    """A saved figure: `id` names its files; `png` is None where nobody asked for it."""

    id: str
    title: str
    caption: str
    section: str
    svg: bytes
    png: bytes | None = None

    @property
    def files(self) -> dict[str, bytes]:
        """By kind: "svg", and "png" where there is one."""
        return {"svg": self.svg} | ({"png": self.png} if self.png else {})

    @property
    def inline(self) -> str:
        """The SVG for a page: colours from the style sheet, ids that no other figure on the page has."""
        svg = self.svg.decode()[self.svg.index(b"<svg") :]
        for name, value in COLOURS.items():
            svg = svg.replace(value, f"var(--{name}, {value})")
        svg = re.sub(r'(id="|href="#|url\(#)', lambda found: f"{found[0]}{self.id}-", svg)
        return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def save(sketch: Sketch, png: bool = False) -> Drawing:
    canvas = sketch.canvas
    if canvas.get_layout_engine():
        canvas.get_layout_engine().execute(canvas)  # once is enough for both files
        canvas.set_layout_engine(None)  # with "none", which is one too, saving would draw twice
    svg = _render(canvas, "svg", {"Date": None, "Creator": None})
    pixels = _render(canvas, "png", {"Software": None}) if png else None
    id = re.sub(r"[^\w-]", "_", sketch.name)  # it holds names from result files, and becomes that of files, too
    return Drawing(id, sketch.title, sketch.caption, sketch.section, svg, pixels)


def _render(canvas: Canvas, kind: str, metadata: dict[str, None]) -> bytes:
    file = io.BytesIO()
    canvas.savefig(file, format=kind, metadata=metadata)
    return file.getvalue()


def make_title(figure: Figure) -> str:
    return f"{figure.id.replace('figure', 'Figure ').capitalize()}: {figure.title}"


def describe_origin(runs: Runs) -> str:
    """What a figure must say about its data, in its own pixels: figures travel without their page."""
    kind = "SIMULATED data" if runs.evidence == "simulated" else "data"
    return f"{kind}: corpus {runs.corpus}, {runs.profile} profile, seed {runs.first['seed']}"


def say_origin(
    canvas: Canvas, paper: Paper, files: Sequence[File], shown: Sequence[Runs], words: str = "", target: str = ""
) -> None:
    """Above a figure: where its data come from (or `words`), and which of its networks have not learnt."""
    lines = dict.fromkeys(words.splitlines() or map(describe_origin, shown))
    unlearnt = dict.fromkeys(runs.variant for runs in shown if has_not_learnt(paper, files, runs, target))
    if unlearnt:
        few, total = len(unlearnt) <= 4, len({runs.variant for runs in shown})
        who = ", ".join(unlearnt) if few else f"{len(unlearnt)} of {total} networks"
        lines[f"HAS NOT LEARNT: {who}"] = None
    room = int(canvas.get_figwidth() / LETTER)
    canvas.suptitle(
        "\n".join(part for line in lines for part in wrap(line, room)), x=0.008, ha="left", size=8.5, weight="bold"
    )


def has_not_learnt(paper: Paper, files: Sequence[File], runs: Runs, target: str = "") -> bool:
    """Whether a network has not learnt the `target`, or, without one, not all that its paper predicts."""
    targets = dict.fromkeys(resolve_number(paper, part).target for part in paper.skill)
    number = Part(corpus=find_corpus(paper, runs.corpus), target=target or "+".join(targets))
    return any(skill.learnt is False for skill in judge_number(paper, files, runs, resolve_number(paper, number)))


def read_first_arrays(runs: Runs) -> dict[str, np.ndarray]:
    path, record = runs.files[0]
    return results.read_arrays(path, record)
