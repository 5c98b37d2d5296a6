"""Attention over two modalities against a loop over Eq. 5 to 7, segment by segment."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from replications.priyasad2019 import layers

BATCH, WIDTH, UNITS = 5, 4, 3
RNG = np.random.default_rng(0)
TOKENS = RNG.normal(size=(BATCH, 2, WIDTH)).astype(np.float32)
few = examples(max_examples=25)
tokens = arrays.arrays(np.float32, (BATCH, 2, WIDTH), elements=st.floats(-100, 100, width=32))
bars = pytest.mark.parametrize("bars", layers.BARS)


def built(bars: str = "plain") -> layers.AttentionFusion:
    """A layer with random weights, the same at every call."""
    layer, rng = layers.AttentionFusion(UNITS, bars), np.random.default_rng(1)
    layer(TOKENS)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


LAYERS = {name: built(name) for name in layers.BARS}


def fused(sound, faces, kernel, bias, context, bars: str):
    """Eq. 5 to 7 of one segment: q (d,) and beta (2,)."""
    raised = []
    for token in (sound, faces):
        hidden = [math.tanh(sum(w * c for w, c in zip(row, token)) + b) for row, b in zip(kernel.T, bias)]
        if bars == "absolute":
            hidden = [abs(value) for value in hidden]
        raised.append(math.exp(sum(h * u for h, u in zip(hidden, context[:, 0]))))
    beta = np.array(raised) / sum(raised)
    return beta[0] * sound + beta[1] * faces, beta


@bars
def test_equations_of_each_segment(bars):
    layer = LAYERS[bars]
    weights = [np.array(weight, float) for weight in layer.weights]
    assert [weight.shape for weight in weights] == [(WIDTH, UNITS), (UNITS,), (UNITS, 1)]
    q, beta = map(np.asarray, layer(TOKENS))
    assert (q.shape, beta.shape) == ((BATCH, WIDTH), (BATCH, 2))
    for segment in range(BATCH):
        expected = fused(*TOKENS[segment].astype(float), *weights, bars)
        np.testing.assert_allclose(q[segment], expected[0], atol=1e-5)
        np.testing.assert_allclose(beta[segment], expected[1], atol=1e-5)


def test_the_readings_of_the_bars_differ():
    assert not np.allclose(LAYERS["plain"](TOKENS)[1], LAYERS["absolute"](TOKENS)[1], atol=0.05)


@bars
@few
@given(inputs=tokens)
def test_weights_sum_to_one_and_the_sum_lies_between_the_tokens(bars, inputs):
    q, beta = map(np.asarray, LAYERS[bars](inputs))
    np.testing.assert_allclose(beta.sum(axis=1), 1, atol=1e-5)
    assert (beta >= 0).all()
    margin = 1e-4 * (1 + np.abs(inputs).max())
    assert (inputs.min(axis=1) - margin <= q).all() and (q <= inputs.max(axis=1) + margin).all()


@bars
@few
@given(inputs=tokens)
def test_the_order_of_the_tokens_changes_nothing_but_the_order_of_the_weights(bars, inputs):
    q, beta = map(np.asarray, LAYERS[bars](inputs))
    swapped, other = map(np.asarray, LAYERS[bars](inputs[:, ::-1]))
    np.testing.assert_allclose(swapped, q, atol=1e-3)
    np.testing.assert_allclose(other[:, ::-1], beta, atol=1e-5)


def test_equal_tokens_weigh_the_same_and_are_their_own_sum():
    same = np.repeat(TOKENS[:, :1], 2, axis=1)
    q, beta = map(np.asarray, LAYERS["plain"](same))
    np.testing.assert_allclose(beta, 0.5, atol=1e-6)
    np.testing.assert_allclose(q, same[:, 0], atol=1e-6)


def test_all_weights_are_trained():
    import tensorflow as tf

    layer = built()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(TOKENS)[0] ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_weights])
    assert len(gradients) == 3 and all(np.abs(gradient).max() > 1e-4 for gradient in gradients)


def test_a_new_layer_has_a_random_context_and_no_bias():
    """A context of zeros would weigh both alike."""
    layer = layers.AttentionFusion(UNITS)
    layer.build((None, 2, WIDTH))
    kernel, bias, context = layer.get_weights()
    assert kernel.any() and context.any() and not bias.any()
    assert layer.bars == "plain"


@bars
def test_a_network_with_it_survives_a_file(tmp_path, bars):
    inputs = keras.Input((2, WIDTH))
    q, beta = layers.AttentionFusion(UNITS, bars, name="fusion")(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(6)(q), beta])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.get_layer("fusion").units, again.get_layer("fusion").bars) == (UNITS, bars)
    for found, expected in zip(again(TOKENS), model(TOKENS), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_other_bars():
    with pytest.raises(ValueError, match="'round' is none of plain, absolute"):
        layers.AttentionFusion(UNITS, "round")
