"""Which figures a paper has and what draws them: those of the paper, of the mechanism, of the training."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import matplotlib

from common.evidence.paper import Paper
from common.evidence.runs import File
from reports.drawing import STYLE, Drawing, Sketch, save
from reports.figures.architecture import draw_architecture
from reports.figures.clips import draw_faces, draw_speech
from reports.figures.matrices import draw_confusion, draw_maps, draw_projection
from reports.figures.mechanism import draw_alignments, draw_mechanism, draw_spatial_examples, draw_temporal_examples
from reports.figures.overview import draw_overview
from reports.figures.recordings import draw_bars, draw_traces
from reports.figures.training import draw_training

Maker = Callable[[Sequence[File]], Iterator[Sketch]]


def list_makers(paper: Paper) -> list[Maker]:
    """What draws each of its figures, those of the paper first, then mechanism and training curves."""
    of_paper = {
        "architecture": draw_architecture, "overview": draw_overview, "traces": draw_traces, "bars": draw_bars,
        "maps": draw_maps, "projection": draw_projection, "confusion": draw_confusion, "speech": draw_speech,
        "faces": draw_faces,
    }  # fmt: skip
    ours = (draw_mechanism, draw_spatial_examples, draw_temporal_examples, draw_alignments, draw_training)
    return [partial(of_paper[f.kind], paper, f) for f in paper.figures] + [partial(make, paper) for make in ours]


def run_maker(make: Maker, files: Sequence[File], png: bool = False) -> list[Drawing]:
    """What it makes of the results, with a PNG of each where asked; nothing where there are none for it."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        return [save(sketch, png) for sketch in make(files)]
