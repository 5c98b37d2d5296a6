"""The loss of Wang and Hsu 2017, term by term against loops over its equations."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from replications.wang2017 import layers

PAPER = next(paper for paper in load_papers() if paper.id == "wang2017")
N, M = 12, 3
ALL = {"label": True, "trend_weight": 2.0, "local_weight": 3.0, "global_weight": 5.0, "siamese_weight": 7.0}
few = examples(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def draw(*shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


# The equations, sample by sample


def label(gt, y):
    return sum((gt[i] - y[i]) ** 2 for i in range(N)) / (2 * N)


def trend(gt, y):
    return sum(((gt[i] - gt[i - 1]) - (y[i] - y[i - 1])) ** 2 for i in range(1, N)) / (2 * N)


def extent(values):
    return max(values) - min(values)


def local(gt, y, intervals=M):
    length = N // intervals
    parts = [slice(k * length, (k + 1) * length) for k in range(intervals)]
    return sum((extent(gt[part]) - extent(y[part])) ** 2 for part in parts) / (2 * intervals)


def whole(gt, y):
    return (extent(gt) - extent(y)) ** 2


def siamese(gt, y):
    """Of series in which both clips are interleaved: gt[i-1] is of the earlier clip, gt[i] of the later one."""
    return sum(((gt[i] - gt[i - 1]) - (y[i] - y[i - 1])) ** 2 for i in range(1, 2 * N, 2)) / (2 * N)


def interleaved(pair):
    """What the video's own frames say: of the clips (2, N), t_1, t_1 + 1, t_2, t_2 + 1, ..."""
    return pair.T.ravel()


TERMS = {
    "label": (layers.label_loss, label),
    "trend": (layers.trend_loss, trend),
    "local": (lambda gt, y: layers.local_loss(gt, y, M), local),
    "global": (layers.global_loss, whole),
}


@pytest.mark.parametrize("term", TERMS)
class TestTerm:
    @few
    @given(seed=seeds)
    def test_against_its_equation(self, term, seed):
        function, expected = TERMS[term]
        gold, predicted = draw(2, 3, N, seed=seed)
        found = np.asarray(function(gold, predicted))
        assert found == pytest.approx([expected(*clip) for clip in zip(gold, predicted)], rel=1e-4, abs=1e-7)

    def test_perfect_prediction_costs_nothing(self, term):
        gold = draw(3, N)
        assert np.array_equal(TERMS[term][0](gold, gold), np.zeros(3))

    def test_constant_offset_costs_the_label_term_only(self, term):
        gold = draw(3, N)
        found = np.asarray(TERMS[term][0](gold, gold + 0.25))
        assert found == pytest.approx(0.25**2 / 2 if term == "label" else 0.0, abs=1e-6)

    def test_gradient_reaches_the_prediction(self, term):
        gold, predicted = draw(2, 1, N)
        predicted = tf.Variable(predicted)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(TERMS[term][0](gold, predicted))
        gradient = np.asarray(tape.gradient(total, predicted))
        reached = {"label": N, "trend": N, "local": 2 * M, "global": 2}[term]  # a range has two ends
        assert np.isfinite(gradient).all() and np.count_nonzero(gradient) == reached


class TestSiamese:
    @few
    @given(seed=seeds)
    def test_against_its_equation_on_the_frames_of_the_video(self, seed):
        gold, predicted = draw(2, 2, N, seed=seed)
        found = float(layers.siamese_loss(*(clip[None] for clip in (*gold, *predicted)))[0])
        assert found == pytest.approx(siamese(interleaved(gold), interleaved(predicted)), rel=1e-4)

    def test_equal_differences_cost_nothing(self):
        """Predictions that are wrong, but change from one clip to the other as the labels do."""
        (earlier, gold), change = draw(2, 3, N), draw(3, N, seed=1)
        found = np.asarray(layers.siamese_loss(gold, gold + change, earlier, earlier + change))
        assert found == pytest.approx(0.0, abs=1e-12)
        assert np.all(np.asarray(layers.siamese_loss(gold, gold + change, earlier, earlier)) > 0.01)


def test_one_interval_is_half_the_global_loss():
    gold, predicted = draw(2, 3, N)
    assert np.allclose(layers.local_loss(gold, predicted, 1), layers.global_loss(gold, predicted) / 2)


def test_intervals_that_do_not_fit():
    with pytest.raises(ValueError, match="12 samples cannot be divided into 5"):
        layers.local_loss(draw(1, N), draw(1, N), 5)


class TestTwinLoss:
    @pytest.mark.parametrize("without", [None, *ALL])
    @pytest.mark.parametrize("prediction_loss", ["both", "earlier"])
    def test_weighted_sum_of_its_terms(self, without, prediction_loss):
        chosen = {name: 0 if name == without else weight for name, weight in ALL.items()}
        gold, predicted = draw(2, 4, 2, N)

        def predicting(gt, y):
            terms = (label, trend, local, whole)
            return sum(weight * term(gt, y) for weight, term in zip(chosen.values(), terms))

        expected = []
        for gt, y in zip(gold, predicted):
            both = [predicting(gt[twin], y[twin]) for twin in (0, 1)]
            mean = np.mean(both) if prediction_loss == "both" else both[0]
            expected.append(mean + chosen["siamese_weight"] * siamese(interleaved(gt), interleaved(y)))
        chosen["label"] = bool(chosen["label"])
        found = layers.TwinLoss(**chosen, intervals=M, prediction_loss=prediction_loss)(gold, predicted)
        assert float(found) == pytest.approx(np.mean(expected), rel=1e-4)

    def test_both_twins_learn_from_the_siamese_term(self):
        gold, predicted = draw(2, 1, 2, N)
        predicted = tf.Variable(predicted)
        loss = layers.TwinLoss(**{**dict.fromkeys(ALL, 0.0), "label": False, "siamese_weight": 1.0}, intervals=M)
        with tf.GradientTape() as tape:
            total = loss(gold, predicted)
        earlier, later = np.asarray(tape.gradient(total, predicted))[0]
        assert np.allclose(earlier, -later) and np.all(later != 0)

    def test_save_and_load(self):
        loss = layers.TwinLoss(**ALL, intervals=M, prediction_loss="earlier", name="other")
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()
        assert float(again(*draw(2, 4, 2, N))) == float(loss(*draw(2, 4, 2, N)))

    def test_unknown_prediction_loss(self):
        with pytest.raises(ValueError, match="'both' or 'earlier'"):
            layers.TwinLoss(**ALL, intervals=M, prediction_loss="later")


class TestLosses:
    def test_names_say_the_terms(self):
        short = {"la": "label", "t": "trend", "lo": "local", "g": "global", "s": "siamese"}
        said = {name: tuple(short[part] for part in name.split("-")) for name in layers.LOSSES if name != "ast-net"}
        assert said | {"ast-net": ("label", "trend", "local", "global", "siamese")} == layers.LOSSES

    def test_a_loss_for_every_row(self):
        rows = {row.variant for table in PAPER.tables for row in table.rows} - {"", "realtime"}
        assert rows == layers.LOSSES.keys()

    def test_printed_weights(self):
        """Section 4.3: w1 = w2 = w3 = 10, lambda = 1000; Section 3.1: N = 50, of which M must be a divisor."""
        paper = resolve_settings(PAPER, "paper")
        config = layers.build_loss("ast-net", paper).get_config()
        assert [config[f"{term}_weight"] for term in ("trend", "local", "global", "siamese")] == [10, 10, 10, 1000]
        assert config["label"] and paper["clip_frames"] == 50 and paper["clip_frames"] % config["intervals"] == 0

    def test_what_a_variant_has_not_does_not_count(self):
        config = layers.build_loss("t", resolve_settings(PAPER, "paper", ["prediction_loss=earlier"])).get_config()
        assert config.pop("name") == "twin_loss" and config == {
            "label": False, "trend_weight": 10.0, "local_weight": 0.0, "global_weight": 0.0, "siamese_weight": 0.0,
            "intervals": 5, "prediction_loss": "earlier",
        }  # fmt: skip
