"""The LSTM against its textbook form and against Keras: outputs, gradients, masks, states, dropout, files."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.networks import recurrent

BATCH, STEPS, FEATURES, UNITS = 4, 7, 5, 3
X = np.random.default_rng(0).standard_normal((BATCH, STEPS, FEATURES)).astype(np.float32)
MASKS = {
    "none": None,
    "end": np.arange(STEPS) < np.array([[7], [3], [1], [5]]),
    "start": np.arange(STEPS) >= np.array([[0], [3], [6], [2]]),
    "gaps": np.random.default_rng(1).random((BATCH, STEPS)) < 0.6,
    "nothing valid": np.zeros((BATCH, STEPS), bool),
}


def textbook(x, kernel, recurrent_kernel, bias):
    """All h (time, units) of one sequence (time, features), gate by gate and step by step."""

    def sigma(value):
        return 1 / (1 + np.exp(-value))

    w, r, b = np.split(kernel, 4, 1), np.split(recurrent_kernel, 4, 1), np.split(bias, 4)
    h = c = np.zeros(len(recurrent_kernel))
    states = []
    for x_t in x.astype(float):
        i, f, g, o = (x_t @ w[gate] + h @ r[gate] + b[gate] for gate in range(4))
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        h = sigma(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def randomise(*layers):
    """The same weights, all of them drawn, in each of `layers`."""
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal(weight.shape) * 0.5 for weight in layers[0].weights]
    for layer in layers:
        layer.build((BATCH, STEPS, FEATURES))
        layer.set_weights(weights or layer.get_weights())
    return layers


def pair(wrap=lambda layer: layer, **options):
    """keras.layers.LSTM and ours with the same random weights."""
    layers = wrap(keras.layers.LSTM(UNITS, **options)), wrap(recurrent.LSTM(UNITS, **options))
    layers[0].build((BATCH, STEPS, FEATURES))
    return randomise(*layers)


def numbers(layer, mask=None, **call):
    """Outputs of `layer` on X, then the gradients of a weighted sum of them for the input and the weights."""
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.nest.flatten(layer(x, mask=mask, **call))
        total = sum(tf.reduce_sum(tf.sin(value * tf.range(1.0, value.shape[-1] + 1.0))) for value in outputs)
    gradients = tape.gradient(total, [x, *(weight.value for weight in layer.trainable_weights)])
    return [tf.convert_to_tensor(value) for value in outputs + gradients]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_textbook():
    layer = recurrent.LSTM(UNITS, return_sequences=True)
    layer.build(X.shape)
    randomise(layer)
    expected = [textbook(x, *layer.get_weights()) for x in X]
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("wrap", [lambda layer: layer, keras.layers.Bidirectional], ids=["forward", "both"])
def test_same_outputs_and_gradients_as_keras(wrap, sequences, mask):
    theirs, ours = pair(wrap, return_sequences=sequences)
    assert_same(numbers(ours, MASKS[mask]), numbers(theirs, MASKS[mask]))


def test_same_in_a_graph():
    (layer,) = randomise(built(recurrent.bilstm(UNITS)))
    assert_same(tf.function(lambda: numbers(layer, MASKS["gaps"]))(), numbers(layer, MASKS["gaps"]))


@pytest.mark.parametrize(
    "options",
    [
        {"return_state": True},
        {"go_backwards": True, "return_state": True, "return_sequences": True},
        {"use_bias": False},
        {"zero_output_for_mask": True, "go_backwards": True, "return_sequences": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_same_options_as_keras(options):
    theirs, ours = pair(**options)
    assert_same(numbers(ours, MASKS["gaps"]), numbers(theirs, MASKS["gaps"]))


def test_gradient_reaches_the_initial_state():
    theirs, ours = pair(return_state=True)
    state = [tf.constant(X[:, 0, :UNITS]), tf.constant(X[:, 1, :UNITS])]

    def gradients(layer):
        with tf.GradientTape() as tape:
            tape.watch(state)
            _, hidden, cell = layer(X, initial_state=state, mask=MASKS["end"])
            total = tf.reduce_sum(tf.sin(hidden)) + tf.reduce_sum(tf.cos(cell))
        return [value.numpy() for value in tape.gradient(total, state)]

    assert_same(gradients(ours), gradients(theirs))


def test_the_step_is_that_of_the_layer():
    cell = keras.layers.LSTMCell(UNITS)
    cell.build((BATCH, FEATURES))
    state = [X[:, 0, :UNITS], X[:, 1, :UNITS]]
    hidden, carry = recurrent.step_lstm(X[:, 2] @ cell.kernel + cell.bias, state, cell.recurrent_kernel)
    _, expected = cell(X[:, 2], state)
    assert_same([hidden, carry], expected)


@settings(max_examples=10)
@given(length=st.integers(1, STEPS - 1), padding=st.floats(-1e3, 1e3, width=32))
def test_padding_changes_nothing(length, padding):
    layer = drawn_once()
    padded = X.copy()
    padded[:, length:] = padding
    outputs = np.array(layer(padded, mask=np.tile(np.arange(STEPS) < length, (BATCH, 1))))
    np.testing.assert_allclose(outputs[:, :length], layer(X[:, :length]), rtol=1e-5, atol=1e-6)
    assert not outputs[:, length:].any()


def built(layer):
    layer.build(X.shape)
    return layer


@cache
def drawn_once():
    return randomise(built(recurrent.bilstm(UNITS)))[0]


def test_dropout_is_that_of_keras():
    theirs, ours = pair(return_sequences=True, seed=3, dropout=0.5)
    dropped = numbers(ours, MASKS["end"], training=True)
    assert_same(dropped, numbers(theirs, MASKS["end"], training=True))
    plain = numbers(ours, MASKS["end"], training=False)
    assert np.abs(plain[0] - dropped[0]).max() > 0.01
    assert_same(plain, numbers(pair(return_sequences=True)[1], MASKS["end"]))


@pytest.mark.parametrize("reverse", [False, True])
def test_state_dropout_against_a_plain_loop(reverse):
    """Outputs and gradients of `run_lstm` with a mask on the states, against the backend's own differentiation."""
    rng = np.random.default_rng(0)
    steps, batch, units = 5, 3, 4
    shapes = ((steps, batch, 4 * units), (units, 4 * units), (batch, units), (batch, units))
    arguments = [tf.constant(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    kept = tf.constant([[2.0, 0, 2, 2], [0, 2, 0, 2], [2, 2, 2, 0]])

    def plain(projected, kernel, hidden, cell):
        made = {}
        for step in range(steps)[:: -1 if reverse else 1]:
            i, f, g, o = tf.split(projected[step] + (hidden * kept) @ kernel, 4, axis=-1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
            hidden = made[step] = tf.sigmoid(o) * tf.tanh(cell)
        return tf.stack([made[step] for step in range(steps)]), cell

    def run(function):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            hidden, cell = function(*arguments)
            total = tf.reduce_sum(hidden * tf.cos(tf.range(60.0))[:, None, None][:steps]) + tf.reduce_sum(cell**2)
        return hidden, cell, *tape.gradient(total, arguments)

    ours = run(lambda p, k, h, c: recurrent.run_lstm(p, k, (h, c), reverse=reverse, kept=kept))
    for one, other in zip(ours, run(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_state_dropout_in_training_only():
    _, layer = pair(return_sequences=True, recurrent_dropout=0.5)
    assert np.array_equal(layer(X), layer(X))
    assert not np.allclose(layer(X, training=True), layer(X))


def test_initial_weights_are_those_of_keras():
    def weights(kind):
        keras.utils.set_random_seed(0)
        return [np.array(weight) for weight in built(kind(UNITS)).weights]

    for one, other in zip(weights(recurrent.LSTM), weights(keras.layers.LSTM), strict=True):
        np.testing.assert_array_equal(one, other)


def test_survives_a_file(tmp_path):
    inputs = keras.Input((None, FEATURES))
    hidden = recurrent.bilstm(UNITS, dropout=0.1, recurrent_dropout=0.2, name="encoder")(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, recurrent.LSTM(UNITS, name="decoder")(hidden))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))
    encoder, decoder = again.get_layer("encoder"), again.get_layer("decoder")
    assert [type(layer) for layer in (encoder.forward_layer, encoder.backward_layer, decoder)] == [recurrent.LSTM] * 3
    assert encoder.forward_layer.dropout == 0.1
    assert encoder.backward_layer.recurrent_dropout == 0.2


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            keras.layers.Masking(),
            recurrent.bilstm(UNITS, dtype=policy),
            recurrent.LSTM(UNITS, dtype=policy, dropout=0.1),
        ]
    )
    model.compile("sgd", "mean_squared_error", jit_compile=False)
    before = [np.array(weight, np.float32) for weight in model.trainable_weights]
    assert np.isfinite(model.train_on_batch(X, np.ones((BATCH, UNITS))))
    assert model.outputs[0].dtype == keras.DTypePolicy(policy).compute_dtype
    assert any((np.array(weight, np.float32) != old).any() for weight, old in zip(model.trainable_weights, before))


def test_shapes_and_masks_of_symbols():
    inputs = keras.Input((None, FEATURES))
    assert recurrent.bilstm(UNITS)(inputs).shape == (None, None, 2 * UNITS)
    assert recurrent.bilstm(UNITS, return_sequences=False)(inputs).shape == (None, 2 * UNITS)
    assert recurrent.LSTM(UNITS)(inputs).shape == (None, UNITS)


def test_bad_input():
    with pytest.raises(ValueError, match="expected ndim=3"):
        recurrent.LSTM(UNITS)(X[0])
    with pytest.raises(ValueError, match="sigmoid"):
        recurrent.LSTM(UNITS, recurrent_activation="hard_sigmoid")
    with pytest.raises(ValueError, match="unroll"):
        recurrent.LSTM(UNITS, unroll=True)


def test_the_graph_does_not_grow_with_time():
    layer = recurrent.bilstm(UNITS)

    def operations(steps):
        graph = tf.function(lambda x: layer(x)).get_concrete_function(tf.zeros((BATCH, steps, FEATURES))).graph
        return len(graph.get_operations())

    assert operations(20) == operations(400)
