"""Scores, their intervals, and predictions that cannot be read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics, results
from common.errors import InputError
from common.evidence.paper import Part, resolve_number
from common.evidence.runs import select_runs
from common.evidence.scores import estimate_interval, remember, score_classes, score_concatenated
from tests.common.evidence.invented import LEE, fill, find_cell
from tests.reports.fabricate import CLASSES, class_scores, fabricate, fabricate_classes


class TestInterval:
    def test_contains_the_score_and_is_reproducible(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        for column in ("RMSE", "CC", "CCC"):
            cell = find_cell(tmp_path, column=column)
            assert cell.ci_low < cell.ours < cell.ci_high
            assert cell == find_cell(tmp_path, column=column)

    def test_as_wide_as_theory_says(self, tmp_path):
        """For a mean over n recordings: about 1.96 s / sqrt(n) on either side."""
        path = fabricate(tmp_path, LEE, "lstm")
        from common.metrics import ccc

        arrays = results.read_arrays(path, results.read(path))
        names = [name[5:] for name in arrays if name.startswith("gold/")]
        values = [ccc(arrays[f"gold/{name}"], arrays[f"post/{name}"]) for name in names]
        cell = find_cell(tmp_path)
        half = 1.96 * np.std(values) / np.sqrt(len(values))
        assert cell.ci_high - cell.ci_low == pytest.approx(2 * half, rel=0.15)

    def test_concatenated(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        paper = replace(LEE, protocol=replace(LEE.protocol, pooling="concatenated"))
        cell = find_cell(tmp_path, paper=paper)
        assert cell.ci_low < cell.ours < cell.ci_high

    def test_none_for_scores_without_predictions(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        paper = replace(LEE, protocol=replace(LEE.protocol, postprocess="train"))
        cell = find_cell(tmp_path, paper=paper)
        assert cell.ours is not None and cell.ci_low is None and cell.ci_high is None


@pytest.mark.parametrize("variance", metrics.VARIANCES)
@pytest.mark.parametrize("metric", ["RMSE", "CC", "CCC"])
def test_sums_give_the_score_of_the_joined_series(metric, variance):
    rng = np.random.default_rng(0)
    pairs = [(5 + rng.normal(size=n), 5 + rng.normal(size=n)) for n in (10, 25, 40)]
    weights = np.array([[1, 1, 1], [3, 0, 2], [0, 0, 1]])
    options = {} if metric == "RMSE" else {"variance": variance}
    for row, found in zip(weights, score_concatenated(metric, pairs, weights, variance)):
        truth, series = (np.concatenate([p[k] for p, n in zip(pairs, row) for _ in range(n)]) for k in (0, 1))
        assert found == pytest.approx(getattr(metrics, metric.lower())(truth, series, **options), rel=1e-9)


@pytest.mark.parametrize("part", [{"metric": "accuracy"}, {"metric": "UAR"},
                                  {"metric": "share", "truth": "b", "predicted": "c"}])  # fmt: skip
@given(
    labels=st.lists(st.tuples(*3 * [st.integers(0, 2)]), min_size=1, max_size=20),  # truth, prediction, how often
)
def test_weights_give_the_score_of_the_repeated_labels(part, labels):
    truth, predicted, often = np.array(labels).T
    pairs = [(np.array([t]), np.array([p])) for t, p in zip(truth, predicted)]
    (found,) = score_classes(Part(**part), "abc", pairs, often[None].astype(float))
    repeated = class_scores(np.repeat(truth, often), np.repeat(predicted, often), "abc")
    expected = repeated["b as c" if part["metric"] == "share" else part["metric"]]
    assert found == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_what_is_remembered_is_of_the_same_predictions_and_question(tmp_path):
    fabricate(tmp_path, LEE, "lstm")
    fabricate(tmp_path, LEE, "lstm-ta")
    files, asked = list(results.find(tmp_path, LEE.id)), []
    ask = remember(lambda *question: asked.append(question) or len(asked))
    number, (one, other) = resolve_number(LEE), (select_runs(LEE, files, name) for name in ("lstm", "lstm-ta"))
    path, record = one.files[0]
    variance = {"settings": record["settings"] | {"variance": "sample"}}
    changed = [replace(one, files=((path, record | more),)) for more in (variance, {"chats": {"Devel_01": "a"}})]
    joined = replace(LEE, protocol=replace(LEE.protocol, pooling="concatenated"))
    questions = [(LEE, runs, number) for runs in (one, other, *changed)]
    questions += [(joined, one, number), (LEE, one, replace(number, metric="CC"))]
    assert [ask(*question) for question in questions * 2] == [1, 2, 3, 4, 5, 6] * 2
    assert asked == questions


def test_draws_without_a_score_are_left_out_if_they_are_few():
    values = np.arange(1000.0)
    values[:49] = np.nan
    assert estimate_interval(values) == pytest.approx(tuple(np.percentile(values[49:], [2.5, 97.5])))
    values[49] = np.nan
    assert estimate_interval(values) == (None, None) == estimate_interval(None)


@pytest.mark.parametrize("series", [np.zeros(3), np.zeros((300, 1)), np.array(["a"] * 300)])
def test_predictions_that_do_not_fit(tmp_path, series):
    path = fabricate(tmp_path, LEE, "lstm")
    record, arrays = results.read(path), results.read_arrays(path, results.read(path))
    results.write(path, record, arrays | {"post/Devel_03": series})
    with pytest.raises(InputError, match="npz: Devel_03: gold standard and prediction do not fit"):
        fill(tmp_path)


@pytest.mark.parametrize("label", [np.array([3]), np.array([-1]), np.array([0, 1]), np.array([0.5])])
def test_predictions_that_are_no_labels(tmp_path, label):
    path = fabricate_classes(tmp_path, CLASSES, "proposed")
    record, arrays = results.read(path), results.read_arrays(path, results.read(path))
    results.write(path, record, {**arrays, "raw/emotion/Test/000000003": label})
    with pytest.raises(InputError, match="train-seed0.npz: .*(not the number of one of 3 classes|do not fit)"):
        fill(tmp_path, CLASSES)


def test_damaged_arrays(tmp_path):
    path = fabricate(tmp_path, LEE, "lstm")
    path.with_suffix(".npz").write_bytes(b"other")
    with pytest.raises(InputError, match="devel-seed0.npz"):
        fill(tmp_path)
