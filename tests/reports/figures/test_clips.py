"""The figures of one clip, confusion matrices that were not printed, and measures over all corpora, from invented results."""

import dataclasses

import numpy as np
import pytest

from common import results
from common.evidence.reading import load_papers
from reports import evaluation, page
from reports.figures import makers, mechanism
from tests.reports.fabricate import class_scores, draw, fabricate_classes

PAPER = next(paper for paper in load_papers() if paper.id == "priyasad2019")
MEASURED = {
    "speech": {"within": 0.9, "interval": [0.8, 1.0], "all": 1.0, "onset": 0.01, "offset": -0.02, "frames": 96},
    "modalities": {"sound": 0.4, "interval": [0.3, 0.5], "equal": 0.5, "frames": 300},
    "kfold": {"points": 12.0, "interval": [4.0, 20.0], "none": 0.0, "frames": 48},
}
REAL = {name: MEASURED[name] for name in ("modalities", "kfold")}  # there the truth of speech is not known


def example(seconds: float = 2.5) -> dict[str, np.ndarray]:
    """The arrays of an invented clip in whose middle somebody speaks."""
    rng = np.random.default_rng(0)
    sound = np.sort(rng.normal(size=(2, 600)), axis=0)
    steps = int(100 * seconds)
    return {
        "example/sound": sound, "example/seconds": np.array(seconds), "example/coefficients": rng.normal(size=(steps, 64)),
        "example/ratio": np.stack([np.arange(steps) / 100, rng.random(steps)]), "example/speech": np.array([1.0, 1.5]),
        "example/span": np.array([0.8, 1.7]), "example/faces": rng.integers(256, size=(7, 16, 16, 3)).astype(np.uint8),
        "example/face_times": np.array([0.8, 0.9, 1.12, 1.25, 1.38, 1.6, 1.7]),
    }  # fmt: skip


def fabricated(root, corpus: str = "simulated", fold: str = "loso", arrays=None, **changes):
    """One result of "proposed" on invented clips, scored as this paper is; no loss, which would be drawn each time."""
    changes = {"mechanism": None, "history": {}} | changes
    path = fabricate_classes(root, PAPER, "proposed", corpus, clips=[("s1", 48)], fold=fold, **changes)
    record = results.read(path)
    own = results.read_arrays(path, record)
    gold, raw = ([own[f"{side}/emotion/{row['name']}"][0] for row in record["recordings"]] for side in ("gold", "raw"))
    record["scores"] = {"emotion": {"*": class_scores(np.array(gold), np.array(raw), PAPER.protocol.classes)}}
    results.write(path, record, own | (arrays or {}))
    return path


def only(*names: str):
    return dataclasses.replace(PAPER, figures=tuple(figure for figure in PAPER.figures if figure.id in names))


def drawn(root, *names: str, monkeypatch=None):
    """The drawings by their ids, and what each draws: titles, images, lines of every panel."""
    panels = []
    if monkeypatch is not None:
        save = makers.save

        def kept(sketch, png):
            panels.append((sketch.name, sketch.canvas))
            return save(sketch, png)

        monkeypatch.setattr(makers, "save", kept)
    found = {drawing.id: drawing for drawing in draw(only(*names), list(results.find(root, PAPER.id)))}
    return (found, dict(panels)) if monkeypatch is not None else found


def ids(drawings: dict) -> set[str]:
    return {name for name, drawing in drawings.items() if drawing.section == "paper"}


# ------------------------------------------------------------------------------------------------ one clip


def test_sound_coefficients_and_ratio_share_their_time(tmp_path, monkeypatch):
    fabricated(tmp_path, arrays=example())
    drawings, canvases = drawn(tmp_path, "figure1", monkeypatch=monkeypatch)
    assert ids(drawings) == {"priyasad2019-figure1"}
    drawing, panels = drawings["priyasad2019-figure1"], canvases["priyasad2019-figure1"].axes
    assert drawing.caption.startswith("80 % of this clip hold no speech.")  # half a second of two and a half
    assert [axes.get_ylabel() for axes in panels] == ["sound", "coefficient", "ratio (Eq. 1)"]
    assert all(axes.get_xlim() == (0, 2.5) for axes in panels)
    for axes in panels:
        marked = [segment[0, 0] for lines in axes.collections[-2:] for segment in lines.get_segments()]
        assert marked == [1.0, 1.5, 0.8, 1.7]  # speech, then what is kept
    (image,) = panels[1].images
    assert image.get_extent() == [0, 2.5, 0, 64] and image.get_array().shape == (64, 250)
    ratio, threshold = panels[2].lines
    np.testing.assert_array_equal(ratio.get_xydata().T, example()["example/ratio"])
    assert list(threshold.get_ydata()) == [PAPER.settings["vad_threshold"].value] * 2
    assert canvases["priyasad2019-figure1"].get_suptitle().startswith("SIMULATED data: corpus simulated, quick")


def test_faces_are_before_during_and_after_speech(tmp_path, monkeypatch):
    fabricated(tmp_path, arrays=example())
    drawings, canvases = drawn(tmp_path, "figure3", monkeypatch=monkeypatch)
    assert ids(drawings) == {"priyasad2019-figure3"}
    panels = canvases["priyasad2019-figure3"].axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == [
        "onset, 0.80 s", "onset, 0.90 s", "apex, 1.12 s", "apex, 1.25 s", "apex, 1.38 s", "offset, 1.60 s",
        "offset, 1.70 s",
    ]  # fmt: skip
    for axes, face in zip(panels, example()["example/faces"], strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), face)


def test_same_results_same_bytes(tmp_path):
    fabricated(tmp_path, arrays=example())
    first, second = drawn(tmp_path, "figure1", "figure3"), drawn(tmp_path, "figure1", "figure3")
    assert first == second and len(ids(first)) == 2


def test_no_figure_without_its_arrays(tmp_path):
    """Of a licensed corpus the faces may not be shown: its results hold none."""
    assert drawn(tmp_path, "figure1", "figure3") == {}
    faceless = {name: values for name, values in example().items() if "face" not in name}
    fabricated(tmp_path, arrays=faceless)
    assert ids(drawn(tmp_path, "figure1", "figure3")) == {"priyasad2019-figure1"}
    fabricated(tmp_path)
    assert ids(drawn(tmp_path, "figure1", "figure3")) == set()


# ------------------------------------------------------------------------------------- confusion matrices


@pytest.mark.parametrize(
    ("name", "corpus", "fold", "printed"),
    [
        ("figure4", "simulated", "loso", True),
        ("figure5", "simulated-enterface", "loso", False),
        ("figure6", "simulated", "kfold", False),
        ("figure7", "enterface", "kfold", False),
    ],
)
def test_confusion_with_and_without_printed_numbers(tmp_path, monkeypatch, name, corpus, fold, printed):
    path = fabricated(tmp_path, corpus, fold)
    drawings, canvases = drawn(tmp_path, "figure4", "figure5", "figure6", "figure7", monkeypatch=monkeypatch)
    assert ids(drawings) == {f"priyasad2019-{name}"}  # no other corpus and protocol has results
    panels = canvases[f"priyasad2019-{name}"].axes
    assert [axes.get_title(loc="left") for axes in panels] == ["ours", "published"][: 1 + printed]
    scores = results.read(path)["scores"]["emotion"]["*"]
    classes = PAPER.protocol.classes
    shares = [[scores[f"{true} as {other}"] for other in classes] for true in classes]
    np.testing.assert_allclose(panels[0].images[0].get_array(), shares, atol=0.006)
    if printed:
        np.testing.assert_allclose(np.diag(panels[1].images[0].get_array()), [88.24, 77.27, 70.97, 63.16, 85.71, 71.43])


# --------------------------------------------------------------------------------- measures over all corpora


def test_measures_are_found_on_all_corpora(tmp_path):
    fabricated(tmp_path, "simulated", mechanism=MEASURED)
    fabricated(tmp_path, "enterface", mechanism=REAL)
    fabricated(tmp_path, "simulated-enterface", mechanism=MEASURED)
    fabricated(tmp_path, "rml", fold="kfold", mechanism=MEASURED)  # not the protocol that measures are taken from
    files = list(results.find(tmp_path, PAPER.id))
    both = ["enterface", "simulated", "simulated-enterface"]
    for measure, corpora in (("speech", both[1:]), ("modalities", both), ("kfold", both), ("kfold-segments", [])):
        assert [runs.corpus for runs in mechanism.select_with_mechanism(PAPER, files, measure)] == corpora
    assert not mechanism.select_with_mechanism(PAPER, [], "speech")


def test_measures_are_drawn_and_listed(tmp_path, monkeypatch):
    fabricated(tmp_path, "simulated", mechanism=MEASURED)
    fabricated(tmp_path, "enterface", mechanism=REAL)
    drawings, canvases = drawn(tmp_path, monkeypatch=monkeypatch)
    drawing, canvas = drawings["priyasad2019-mechanism"], canvases["priyasad2019-mechanism"]
    assert [axes.get_title(loc="left") for axes in canvas.axes] == [
        mechanism.MEASURES[measure][1] for measure in ("speech", "modalities", "kfold")
    ]
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in canvas.axes]
    both = ["proposed, enterface", "proposed, simulated"]
    assert labels == [["proposed, simulated"], both, both]
    points = [[line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] for axes in canvas.axes]
    assert points == [[0.9], [0.4, 0.4], [12.0, 12.0]]
    words = ["for voice activity all of them", "for fusion equal weights", "for a K-fold of clips no difference"]
    assert drawing.caption.endswith(f"the dashed mark is {', '.join(words)}.") and "control" not in drawing.caption
    title = canvas.get_suptitle().splitlines()
    assert title == ["SIMULATED data: quick profile, seed 0", "data: quick profile, seed 0"]

    text = page.render_paper(evaluation.evaluate(PAPER, tmp_path), [])
    for _, heading, _ in (mechanism.MEASURES[measure] for measure in ("speech", "modalities", "kfold")):
        assert heading in text
    assert mechanism.MEASURES["kfold-segments"][1] not in text
