"""Boxes and arrows, on the networks of the suite and on made-up ones."""

import dataclasses

import pytest

from common.evidence.reading import load_papers
from replications import architectures
from reports.figures import architecture, overview
from reports.figures.architecture import Box, Turn, compare_sizes, fold_layers, place_boxes
from tests.reports.fabricate import draw

PAPERS = {paper.id: paper for paper in load_papers()}
NETWORKS = {
    f"{paper}-{variant}": profiles for paper in PAPERS for variant, profiles in architectures.read(paper).items()
}
network = pytest.mark.parametrize("profiles", NETWORKS.values(), ids=NETWORKS)


def placed(profiles):
    boxes = fold_layers(profiles["paper"])
    compare_sizes(boxes, fold_layers(profiles["study"]))
    place_boxes(boxes)
    return boxes


def layer(name, kind, shape, parameters, *inputs, **more):
    return {"name": name, "kind": kind, "shape": shape, "parameters": parameters, "inputs": list(inputs), **more}


def test_there_are_networks_of_each_paper():
    assert len(NETWORKS) >= 9 and all(architectures.read(paper) for paper in PAPERS)


@network
def test_no_boxes_overlap_and_arrows_go_down(profiles):
    boxes = placed(profiles)
    for box in boxes.values():
        assert all(boxes[source].bottom < box.top for source in box.inputs)
        same = [b for b in boxes.values() if b.column == box.column and b is not box]
        assert all(b.bottom <= box.top or b.top >= box.bottom for b in same)


@network
def test_no_parameter_is_lost(profiles):
    for layers in profiles.values():
        total = sum(row["parameters"] for row in layers)
        for boxes in (fold_layers(layers), overview.join_parts(layers)):
            assert sum(box.parameters for box in boxes.values()) == total


@network
def test_arrows_pass_through_no_box_and_hide_no_other(profiles, monkeypatch):
    paths, turns = [], []
    monkeypatch.setattr(architecture, "_draw_path", lambda axes, path, *_: paths.append(path))
    boxes = placed(profiles)
    for box in boxes.values():
        for source in box.inputs:
            architecture._draw_arrow(None, boxes[source], box, boxes.values(), turns)
    architecture._draw_loops(None, boxes)
    assert not [(a, b) for a in turns for b in turns if a.hides(b)]
    half = architecture.WIDTH / 2 - 0.01
    for path in paths:
        for (x0, y0), (x1, y1) in zip(path, path[1:]):
            (left, right), (top, bottom) = sorted((x0, x1)), sorted((y0, y1))
            for box in boxes.values():
                across = left < box.middle + half and right > box.middle - half
                assert not (across and top < box.bottom - 0.01 and bottom > box.top + 0.01), (box.name, path)


def test_sizes_of_the_study_profile_stand_below_where_they_differ():
    profiles = {
        "paper": [layer("a", "InputLayer", [None, 4], 0), layer("b", "Dense", [9], 45, "a"), layer("c", "Dense", [1], 10, "b")],
        "study": [layer("a", "InputLayer", [None, 4], 0), layer("b", "Dense", [2], 10, "a"), layer("c", "Dense", [1], 10, "b")],
    }  # fmt: skip
    boxes = placed(profiles)
    assert [box.study for box in boxes.values()] == ["", "study: 2   10 par.", ""]
    assert boxes["a"].sizes == "? × 4" and boxes["b"].height > boxes["c"].height


def test_weights_of_another_layer_are_shared_weights():
    boxes = fold_layers([layer("a", "InputLayer", [4], 0), layer("b", "LSTM", [2], 0, "a", shared=True)])
    assert boxes["b"].sizes == "2   shared weights" and not boxes["b"].slim


def test_what_comes_from_the_step_before_stands_above_what_it_goes_into():
    boxes = placed(NETWORKS["raju2021-emafn"])
    feedback, cell = boxes["decoder_feedback"], boxes["decoder_cell"]
    assert feedback.bottom < cell.top and feedback.column != cell.column
    assert boxes["decoder_start"].column == boxes["visual"].column  # which has ended there


def test_opened_layers_are_whole_again_in_the_overview():
    boxes = overview.join_parts(NETWORKS["raju2021-aed"]["paper"])
    assert list(boxes) == ["audio", "visual", "features", "encoder", "attention_decoder"]
    assert boxes["attention_decoder"].shape_words == "? × 3" and boxes["attention_decoder"].family == "attention"


def test_small_layers_join_only_their_sole_predecessor():
    layers = [
        layer("a", "InputLayer", [4], 0),
        layer("b", "Dense", [2], 9, "a"),
        layer("b_relu", "Activation", [2], 0, "b"),
        layer("c", "Dropout", [2], 0, "b_relu"),
        layer("d", "Dropout", [2], 0, "b_relu"),
    ]
    boxes = fold_layers(layers)
    assert list(boxes) == ["a", "b", "c", "d"] and boxes["b"].kind == "Dense + relu"
    assert boxes["c"].inputs == boxes["d"].inputs == ["b"]


@pytest.mark.parametrize(
    ("name", "kind", "family"),
    [
        ("convlstm_1", "ConvLSTM2D", "recurrent"),
        ("pool3d_1", "MaxPooling3D", "conv"),
        ("attention_hidden", "Dense", "attention"),
        ("fc_1", "Dense", "dense"),
        ("audio", "InputLayer", "other"),
    ],
)
def test_families(name, kind, family):
    assert Box(name, kind, [1], 0, []).family == family


def test_turns_hide_each_other_only_between_other_boxes():
    a, b, c, d = (Box(name, "Dense", [1], 1, [], column=column) for column, name in enumerate("abcd"))
    turn = Turn(a, c, 1.0)
    assert turn.hides(Turn(b, d, 1.0)) and not turn.hides(Turn(b, d, 1.1))
    assert not turn.hides(Turn(b, c, 1.0)) and not turn.hides(Turn(a, d, 1.0)) and not turn.hides(Turn(c, d, 1.0))


def test_nothing_of_networks_that_nobody_wrote(monkeypatch):
    monkeypatch.setattr(architectures, "read", lambda _: {})
    only = dataclasses.replace(PAPERS["raju2021"], figures=PAPERS["raju2021"].figures[:2])
    assert draw(only, []) == []
