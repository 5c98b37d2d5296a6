"""The layers of Raju et al. 2021 against textbook forms in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from common import metrics
from replications.raju2021.layers import (
    AttentionDecoder,
    FeatureAttention,
    MaskedCCC,
    ModalityAttention,
    WindowedBiLSTM,
    additive_energies,
)

RNG = np.random.default_rng(0)


def normal(*shape) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def softmax(values, axis=-1):
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def randomised(layer) -> dict[str, np.ndarray]:
    """Give a layer random weights; returns them by name."""
    values = [0.5 * normal(*weight.shape) for weight in layer.weights]
    layer.set_weights(values)
    return {weight.name: value for weight, value in zip(layer.weights, values, strict=True)}


def lstm_step(gates, cell):
    i, f, candidate, o = np.split(gates, 4, axis=-1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(cell), cell


def reloaded(model, path):
    model.save(path)
    return keras.saving.load_model(path)


class TestFeatureAttention:
    def test_against_the_equation(self):
        layer, x = FeatureAttention(), normal(2, 5, 7)
        layer.build(x.shape)
        weights = randomised(layer)
        expected = 7 * softmax(x @ weights["kernel"] + weights["bias"]) * x
        assert np.allclose(layer(x), expected, atol=1e-5)

    def test_uniform_attention_changes_nothing(self):
        layer, x = FeatureAttention(), normal(2, 5, 7)
        layer.build(x.shape)
        layer.set_weights([np.zeros((7, 7)), np.full(7, 3.0)])
        assert np.allclose(layer(x), x, atol=1e-6)


class TestModalityAttention:
    def test_against_the_equation(self):
        layer, a, v = ModalityAttention(), normal(2, 5, 7), normal(2, 5, 3)
        layer.build([a.shape, v.shape])
        w = randomised(layer)
        shares = softmax(np.concatenate([a @ w["kernel_0"], v @ w["kernel_1"]], axis=-1) + w["bias"])
        found = layer([a, v])
        assert np.allclose(found[0], 2 * shares[..., :1] * a, atol=1e-5)
        assert np.allclose(found[1], 2 * shares[..., 1:] * v, atol=1e-5)


class TestWindowedBiLSTM:
    @pytest.mark.parametrize(("at", "reach"), [("end", 3), ("centre", 2)])
    def test_each_window_is_a_bidirectional_lstm_of_its_own(self, at, reach):
        layer, x = WindowedBiLSTM(3, window=4, at=at), normal(2, 6, 5)
        found = np.asarray(layer(x)).reshape(2, 6, 4, 6)
        plain = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))
        plain.build((2, 4, 5))
        plain.set_weights(layer.get_weights())
        for step in range(6):
            index = np.clip(np.arange(step - reach, step - reach + 4), 0, 5)
            assert np.allclose(found[:, step], plain(x[:, index]), atol=1e-5)

    def test_padding_is_not_seen(self):
        layer, x = WindowedBiLSTM(3, window=4, at="centre"), normal(1, 6, 5)
        mask = np.array([[True] * 4 + [False] * 2])
        other = x.copy()
        other[0, 4:] = 9.0
        one, two = (np.asarray(layer(v, mask=mask)).reshape(6, 4, 6) for v in (x, other))
        assert np.array_equal(one[:4], two[:4])

    def test_dropout_in_training_only(self):
        keras.utils.set_random_seed(0)
        layer, x = WindowedBiLSTM(3, window=4, dropout=0.5, recurrent_dropout=0.5), normal(2, 6, 5)
        assert np.array_equal(layer(x), layer(x))
        assert not np.array_equal(layer(x, training=True), layer(x, training=True))


class TestAttentionDecoder:
    def decoded(self, states, w, units, outputs, mask=None):
        """Bahdanau et al. 2015, step by step and recording by recording."""
        rows, maps = [], []
        for index, h in enumerate(states):
            hidden = np.tanh(h[0, h.shape[1] // 2 :] @ w["start"])
            cell, before = np.zeros(units), np.zeros(outputs)
            made, shares = [], []
            for _ in range(len(h)):
                energies = np.array(
                    [np.tanh(hidden @ w["query"] + state @ w["key"] + w["key_bias"]) @ w["energy"] for state in h]
                )
                if mask is not None:
                    energies[~mask[index]] = -np.inf
                share = softmax(energies)
                gates = (share @ h) @ w["context_kernel"] + hidden @ w["recurrent_kernel"] + w["bias"]
                if "feedback_kernel" in w:
                    gates = gates + before @ w["feedback_kernel"]
                hidden, cell = lstm_step(gates, cell)
                before = hidden @ w["output_kernel"] + w["output_bias"]
                made.append(before), shares.append(share)
            rows.append(made), maps.append(shares)
        return np.array(rows), np.array(maps)

    @pytest.mark.parametrize("feedback", ["previous", "none"])
    @pytest.mark.parametrize("masked", [False, True])
    def test_against_the_equations(self, feedback, masked):
        layer, states = AttentionDecoder(4, 5, 3, feedback), normal(2, 6, 8)
        mask = np.array([[True] * 6, [True] * 4 + [False] * 2]) if masked else None
        layer.build(states.shape)
        weights = randomised(layer)
        outputs, shares = layer(states, mask=mask, return_attention=True)
        expected, maps = self.decoded(states, weights, 4, 3, mask)
        assert np.allclose(outputs, expected, atol=1e-5) and np.allclose(shares, maps, atol=1e-5)
        assert np.allclose(np.sum(shares, axis=-1), 1, atol=1e-5)
        assert np.array_equal(layer(states, mask=mask), outputs)

    def test_forget_gate_starts_open(self):
        layer = AttentionDecoder(4, 5, 3)
        layer.build((2, 6, 8))
        assert np.array_equal(layer.bias, [0] * 4 + [1] * 4 + [0] * 8)

    def test_save_and_load(self, tmp_path):
        inputs, mask = keras.Input((6, 8)), keras.Input((6,), dtype="bool")
        model = keras.Model([inputs, mask], AttentionDecoder(4, 5, 3, "none")(inputs, mask=mask))
        fed = [normal(2, 6, 8), np.ones((2, 6), bool)]
        assert np.array_equal(reloaded(model, tmp_path / "model.keras")(fed), model(fed))

    def test_unknown_feedback(self):
        with pytest.raises(ValueError, match="previous, none"):
            AttentionDecoder(4, 5, 3, "teacher")


def test_gradient_of_the_energies():
    """Against the plain expression, differentiated by the backend."""
    import tensorflow as tf

    arguments = [tf.constant(a) for a in (normal(2, 4), normal(2, 5, 4), normal(4))]
    upstream = normal(2, 5)

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            total = tf.reduce_sum(upstream * function(*arguments))
        return tape.gradient(total, arguments)

    plain = gradients(lambda query, keys, weights: ops.einsum("bja,a->bj", ops.tanh(query[:, None] + keys), weights))
    for found, expected in zip(gradients(additive_energies), plain, strict=True):
        assert np.allclose(found, expected, atol=1e-5)


class TestMaskedCCC:
    def test_mean_over_targets_and_sequences_without_padding(self):
        truth, prediction = normal(3, 9, 2), normal(3, 9, 2)
        mask = np.ones((3, 9, 1), np.float32)
        mask[1, 5:] = 0
        given = np.concatenate([np.where(mask, truth, 7.0), mask], axis=-1)
        lengths = (9, 5, 9)
        expected = np.mean(
            [1 - metrics.ccc(truth[b, :n, k], prediction[b, :n, k]) for b, n in enumerate(lengths) for k in range(2)]
        )
        assert float(MaskedCCC()(given, prediction)) == pytest.approx(expected, abs=1e-5)

    def test_concatenated(self):
        truth, prediction = normal(3, 9, 1), normal(3, 9, 1)
        given = np.concatenate([truth, np.ones((3, 9, 1), np.float32)], axis=-1)
        expected = 1 - metrics.ccc(truth.ravel(), prediction.ravel())
        assert float(MaskedCCC("concatenated")(given, prediction)) == pytest.approx(expected, abs=1e-5)

    def test_config(self):
        loss = MaskedCCC("concatenated")
        assert keras.losses.deserialize(keras.losses.serialize(loss)).pooling == "concatenated"
