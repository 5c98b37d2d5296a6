"""Attention maps, projections and confusion matrices, from invented results."""

import dataclasses

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from common import results
from common.errors import InputError
from common.evidence.runs import select_runs
from reports import evaluation
from reports.figures import matrices, mechanism
from tests.reports.fabricate import CLASSES, draw, fabricate_classes


class TestClasses:
    """Confusion matrices, attention maps and projections, of an invented paper on three classes."""

    @pytest.fixture(scope="class")
    def root(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("classes")
        for seed in (0, 1):
            fabricate_classes(root, CLASSES, "proposed", seed=seed)
        return root

    @pytest.fixture(scope="class")
    def drawn(self, root):
        """The drawings by their ids, what is written above them, and the images in them, with their options."""
        written, images = [], []
        suptitle, imshow = Canvas.suptitle, Axes.imshow
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Canvas, "suptitle", lambda c, t, **k: (written.append(t), suptitle(c, t, **k))[1])
            patch.setattr(Axes, "imshow", lambda a, i, **k: (images.append((i, k)), imshow(a, i, **k))[1])
            drawings = {d.id: d for d in draw(CLASSES, list(results.find(root, CLASSES.id)))}
        return drawings, written, images

    def only(self, *kinds):
        return dataclasses.replace(CLASSES, figures=tuple(f for f in CLASSES.figures if f.kind in kinds))

    def changed(self, root, tmp_path, arrays):
        record = results.read(next(root.rglob("train-seed0.json")))
        path = tmp_path / "classes/simulated/quick/all/proposed/train-seed0.json"
        results.write(path, record, arrays)
        return list(results.find(tmp_path, CLASSES.id))

    def test_figures(self, drawn):
        drawings, written, _ = drawn
        assert {f"classes-figure{n}" for n in (2, 4, 5)} | {"classes-mechanism"} <= set(drawings)
        assert "first row below" in drawings["classes-figure2"].caption
        assert all(drawings[f"classes-figure{n}"].section == "paper" for n in (2, 4, 5))
        assert len(written) == 5 and all(text.startswith("SIMULATED data: ") for text in written)
        assert sum("mean of 2 seeds" in " ".join(text.split()) for text in written) == 1

    def test_same_bytes(self, root, drawn):
        again = draw(self.only("confusion"), list(results.find(root, CLASSES.id)))
        assert all(drawing == drawn[0][drawing.id] for drawing in again)

    def test_mechanism_is_explained_as_far_as_it_is_shown(self, drawn):
        caption = drawn[0]["classes-mechanism"].caption
        assert "perception" in caption and "keeps its distance in time" in caption and "raters" not in caption
        assert "control" not in caption
        assert mechanism.MARKS.keys() == mechanism.MEASURES.keys()

    def test_up_to_eight_maps_each_row_by_its_maximum(self, drawn):
        maps = [image for image, options in drawn[2] if options.get("origin") == "lower"]
        assert len(maps) == 8 and all(image.max(axis=1) == pytest.approx(np.ones(4)) for image in maps)

    def test_confusion_beside_the_printed_one(self, root, drawn):
        ours, printed = [image for image, options in drawn[2] if options.get("cmap") == "Blues"]
        cells = [cell for cell in evaluation.evaluate(CLASSES, root).cells if cell.exhibit == "figure5"]
        assert ours.ravel() == pytest.approx([cell.ours for cell in cells], abs=0.005)
        assert printed.ravel() == pytest.approx([float(cell.published) for cell in cells])

    def test_maps_of_chosen_recordings(self, root):
        files = list(results.find(root, CLASSES.id))
        figure = next(f for f in CLASSES.figures if f.kind == "maps")
        runs = select_runs(CLASSES, files, "proposed")
        chosen = dataclasses.replace(figure, recordings=("Test/*4", "Test/*2"))
        assert list(matrices._read_maps(runs, chosen)) == ["Test/000000002", "Test/000000004"]

    @pytest.mark.parametrize(
        "arrays", [{"alignment/Test/1": np.ones(9)}, {"alignment/Test/1": np.ones((4, 0))},
                   {f"embeddings/{stage}": np.ones((1, 3, 8)) for stage in ("before", "after")}],
    )  # fmt: skip
    def test_arrays_of_another_shape(self, root, tmp_path, arrays):
        with pytest.raises(InputError, match="train-seed0.npz: .* has the shape"):
            list(draw(self.only("maps", "projection"), self.changed(root, tmp_path, arrays)))

    def test_rows_under_other_settings(self):
        figure = self.only("maps").figures[0]
        assert matrices._name_rows(figure, np.ones((4, 9))) == figure.rows
        assert matrices._name_rows(figure, np.ones((6, 9))) == ["1", "2", "3", "4", "5", "6"]

    def test_nothing_without_arrays(self, root, tmp_path):
        files = self.changed(root, tmp_path, {"other": np.zeros(1)})
        drawn = [d for d in draw(self.only("maps", "projection"), files) if d.section == "paper"]
        assert drawn == [] == list(draw(CLASSES, []))

    def test_projection_keeps_the_distances_of_a_plane(self):
        generator = np.random.default_rng(0)
        plane = generator.normal(size=(7, 2)) @ np.linalg.qr(generator.normal(size=(8, 2)))[0].T + 3
        points, share = matrices.project(plane)
        distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (plane, points)]
        assert distances[0] == pytest.approx(distances[1]) and share == pytest.approx(1)
        assert points.var(axis=0)[0] >= points.var(axis=0)[1]
        assert matrices.project(plane[:, :1])[0].shape == (7, 2)  # one number each: on a line
        assert np.isnan(matrices.project(np.ones((7, 8)))[1])

    def test_projection_is_that_of_the_covariance(self):
        vectors = np.random.default_rng(1).normal(size=(7, 8))
        points, share = matrices.project(vectors)
        values = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1]
        assert np.cov(points.T) == pytest.approx(np.diag(values[:2])) and share == pytest.approx(
            values[:2].sum() / values.sum()
        )
