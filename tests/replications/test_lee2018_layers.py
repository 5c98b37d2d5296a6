"""The layers of Lee et al. 2018 against their equations, written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.signal import correlate2d

from replications.lee2018.layers import (
    PEEPHOLES,
    EachFrame,
    PeepholeConvLSTM2D,
    PreviousStep,
    SpatialSoftmax,
    StandardiseFrames,
    TemporalSoftmax,
)

BATCH, STEPS, HEIGHT, WIDTH, CHANNELS, FILTERS = 2, 4, 5, 6, 3, 2
SHAPE = (BATCH, STEPS, HEIGHT, WIDTH, CHANNELS)


@pytest.fixture(autouse=True)
def float32():
    keras.mixed_precision.set_global_policy("float32")
    keras.utils.set_random_seed(0)


def draw(shape, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def randomised(layer, shape, scale: float = 0.5):
    """The layer, built, with weights that are all random: zero peepholes and biases would test nothing."""
    layer.build((None, *shape[1:]))
    layer.set_weights([draw(weight.shape, seed, scale) for seed, weight in enumerate(layer.weights, 1)])
    return layer


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# Eq. 1 and 3: attention


def softmax(x: np.ndarray, axis) -> np.ndarray:
    exponential = np.exp(x.astype(np.float64))
    return exponential / exponential.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize(("scale", "factor"), [("softmax", 1), ("mean_one", STEPS)])
def test_temporal_softmax_is_eq_1(scale, factor):
    scores = draw((BATCH, STEPS, 1), scale=3)
    attention = np.array(TemporalSoftmax(scale)(scores))
    np.testing.assert_allclose(attention, factor * softmax(scores, 1), rtol=1e-5)
    np.testing.assert_allclose(attention.sum(axis=1), factor, rtol=1e-5)


@pytest.mark.parametrize(("scale", "factor"), [("softmax", 1), ("mean_one", HEIGHT * WIDTH)])
def test_spatial_softmax_is_eq_3(scale, factor):
    """Each frame has a softmax of its own, over all of its locations."""
    scores = draw((BATCH, STEPS, HEIGHT, WIDTH, 1), scale=3)
    attention = np.array(SpatialSoftmax(scale)(scores))
    np.testing.assert_allclose(attention, factor * softmax(scores, (2, 3)), rtol=1e-5)
    np.testing.assert_allclose(attention.sum(axis=(2, 3)), factor, rtol=1e-5)


@given(st.floats(-50, 50), st.integers(0, 2**16))
@examples(max_examples=25)
def test_softmax_does_not_know_a_constant(shift, seed):
    scores = draw((1, STEPS, HEIGHT, WIDTH, 1), seed, scale=2)
    one, other = (np.array(SpatialSoftmax()(scores + offset)) for offset in (0, np.float32(shift)))
    np.testing.assert_allclose(one, other, rtol=1e-3)
    assert one.argmax() == other.argmax() or np.isclose(one.max(), other.flat[one.argmax()], rtol=1e-3)


def test_softmax_of_large_scores_does_not_overflow():
    scores = np.array([0.0, 1000.0, -1000.0, 999.0], np.float32).reshape(1, STEPS, 1)
    np.testing.assert_allclose(np.array(TemporalSoftmax("softmax")(scores)).sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("layer", [TemporalSoftmax, SpatialSoftmax])
def test_attention_is_computed_in_float32_under_mixed_precision(layer):
    shape = (1, 16, 1) if layer is TemporalSoftmax else (1, 2, 32, 32, 1)
    scores = draw(shape, scale=3)
    attention = layer(dtype="mixed_bfloat16")(scores)
    assert attention.dtype == "bfloat16"
    rounded = np.array(keras.ops.cast(keras.ops.cast(scores, "bfloat16"), "float32"))
    expected = np.array(layer()(rounded))
    np.testing.assert_allclose(
        np.array(keras.ops.cast(attention, "float32")), expected, rtol=2**-8
    )  # one rounding, at the end


# Eq. 2: ConvLSTM


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(H, W, C) with (k, k, C, F) -> (H, W, F), zeros around the image."""
    filters = range(kernel.shape[-1])
    planes = [
        sum(correlate2d(image[..., c], kernel[..., c, f], mode="same") for c in range(image.shape[-1])) for f in filters
    ]
    return np.stack(planes, axis=-1)


def eq_2(clip: np.ndarray, layer: PeepholeConvLSTM2D) -> np.ndarray:
    """The states h_1..h_T of one clip (T, H, W, C), gate by gate as the equation stands."""
    n = layer.filters
    w = {name: np.array(getattr(layer, name), np.float64) for name in ("input_kernel", "state_kernel", "bias")}
    gates = {gate: slice(k * n, (k + 1) * n) for k, gate in enumerate("ifco")}
    if layer.peepholes != "none":
        before, after = (np.array(weight, np.float64) for weight in (layer.peephole_before, layer.peephole_after))

    def peep(gate: int, c: np.ndarray) -> np.ndarray | float:
        if layer.peepholes == "none":
            return 0.0
        weight = before[..., gate * n : (gate + 1) * n]
        return weight * c if layer.peepholes == "hadamard" else convolved(c, weight)

    h = c = np.zeros((*clip.shape[1:3], n))
    states = []
    for x in clip.astype(np.float64):

        def drive(gate: str, x=x, h=h) -> np.ndarray:
            return (
                convolved(x, w["input_kernel"][..., gates[gate]])
                + convolved(h, w["state_kernel"][..., gates[gate]])
                + w["bias"][gates[gate]]
            )

        i = sigma(drive("i") + peep(0, c))
        f = sigma(drive("f") + peep(1, c))
        o_drive, candidate = drive("o"), np.tanh(drive("c"))
        c = f * c + i * candidate
        o = sigma(o_drive + (0 if layer.peepholes == "none" else after * c))
        h = o * np.tanh(c)
        states.append(h)
    return np.stack(states)


@pytest.mark.parametrize("peepholes", PEEPHOLES)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_conv_lstm_is_eq_2(peepholes, kernel):
    clips = draw(SHAPE)
    layer = randomised(PeepholeConvLSTM2D(FILTERS, kernel, peepholes), SHAPE)
    found = np.array(layer(clips))
    assert found.shape == (BATCH, STEPS, HEIGHT, WIDTH, FILTERS) == tuple(layer.compute_output_shape(SHAPE))
    np.testing.assert_allclose(found, np.stack([eq_2(clip, layer) for clip in clips]), atol=1e-5)


def test_peepholes_matter_and_their_kinds_differ():
    clips, found = draw(SHAPE), []
    for peepholes in PEEPHOLES:
        layer = randomised(PeepholeConvLSTM2D(FILTERS, 3, peepholes), SHAPE)
        found.append(np.array(layer(clips)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(found[one] - found[other]).max() > 0.01


def test_hadamard_peepholes_start_at_zero():
    """So that training begins at the cell without them."""
    clips = draw(SHAPE)
    layer, plain = PeepholeConvLSTM2D(FILTERS, 3, "hadamard"), PeepholeConvLSTM2D(FILTERS, 3, "none")
    layer.build(SHAPE), plain.build(SHAPE)
    plain.set_weights(layer.get_weights()[:3])
    np.testing.assert_allclose(np.array(layer(clips)), np.array(plain(clips)), atol=1e-6)


def test_peephole_weights_have_the_stated_shapes():
    shapes = {}
    for peepholes in PEEPHOLES:
        layer = PeepholeConvLSTM2D(FILTERS, 3, peepholes)
        layer.build(SHAPE)
        shapes[peepholes] = [tuple(weight.shape) for weight in layer.weights]
    common = [(3, 3, CHANNELS, 4 * FILTERS), (3, 3, FILTERS, 4 * FILTERS), (4 * FILTERS,)]
    assert shapes == {
        "none": common,
        "hadamard": [*common, (HEIGHT, WIDTH, 2 * FILTERS), (HEIGHT, WIDTH, FILTERS)],
        "mixed": [*common, (3, 3, FILTERS, 2 * FILTERS), (HEIGHT, WIDTH, FILTERS)],
    }


def test_without_peepholes_it_is_the_stock_cell():
    stock = keras.layers.ConvLSTM2D(FILTERS, 3, padding="same", return_sequences=True, recurrent_activation="sigmoid")
    layer = randomised(PeepholeConvLSTM2D(FILTERS, 3, "none"), SHAPE)
    stock.build(SHAPE)
    stock.set_weights(layer.get_weights())  # both lay the gates out as i, f, c, o
    np.testing.assert_allclose(np.array(layer(draw(SHAPE))), np.array(stock(draw(SHAPE))), atol=1e-5)


def test_states_know_the_past_only():
    clips = draw(SHAPE)
    later = clips.copy()
    later[:, 2:] += 1
    layer = randomised(PeepholeConvLSTM2D(FILTERS, 3), SHAPE)
    one, other = np.array(layer(clips)), np.array(layer(later))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])
    assert (one[:, 2:] != other[:, 2:]).any(axis=(2, 3, 4)).all()


@pytest.mark.parametrize("peepholes", ["hadamard", "mixed"])
def test_gradient_reaches_every_weight(peepholes):
    layer = randomised(PeepholeConvLSTM2D(FILTERS, 3, peepholes), SHAPE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(draw(SHAPE))))
    gradients = tape.gradient(loss, [weight.value for weight in layer.weights])
    assert all(np.isfinite(g).all() and (np.abs(g) > 0).mean() > 0.9 for g in map(np.array, gradients))


def test_gradient_of_a_peephole_is_the_slope():
    """Against central differences, in W_ci, W_cf and W_co."""
    clips = draw(SHAPE)
    layer = randomised(PeepholeConvLSTM2D(FILTERS, 3), SHAPE)

    def loss() -> tf.Tensor:
        return tf.reduce_sum(tf.square(layer(clips)))

    for weight in (layer.peephole_before, layer.peephole_after):
        with tf.GradientTape() as tape:
            value = loss()
        gradient = np.array(tape.gradient(value, weight.value))
        start = np.array(weight)
        for place in ((0, 0, 0), (2, 3, 1), (HEIGHT - 1, WIDTH - 1, start.shape[-1] - 1)):
            ends = []
            for step in (0.01, -0.01):
                moved = start.copy()
                moved[place] += step
                weight.assign(moved)
                ends.append(float(loss()))
            weight.assign(start)
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 0.02, rel=0.02, abs=2e-3)


@pytest.mark.parametrize("peepholes", PEEPHOLES)
def test_kernels_start_from_xavier_the_rest_at_zero(peepholes):
    """Section 3.1: uniform within sqrt(6 / (fan in + fan out)); the four gates are one convolution of 4 F outputs."""
    layer = PeepholeConvLSTM2D(16, 3, peepholes)
    layer.build((None, 4, 6, 6, 8))
    fans = {"input_kernel": 9 * (8 + 4 * 16), "state_kernel": 9 * (16 + 4 * 16)}
    if peepholes == "mixed":
        fans["peephole_before"] = 9 * (16 + 2 * 16)
    for weight in layer.weights:
        values = np.array(weight)
        if weight.name in fans:
            limit = np.sqrt(6 / fans[weight.name])
            assert 0.98 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
            assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        else:
            assert not values.any()


# frames


@pytest.mark.parametrize("inner", ["conv", "pool", "dropout", "model"])
def test_each_frame_is_time_distributed(inner):
    image = keras.Input(SHAPE[2:])
    make = {
        "conv": lambda: keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        "pool": lambda: keras.layers.MaxPooling2D(2),
        "dropout": lambda: keras.layers.Dropout(0.5),
        "model": lambda: keras.Model(image, keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))),
    }
    layer = make[inner]()
    clips = draw(SHAPE)
    found = np.array(EachFrame(layer)(clips))
    np.testing.assert_allclose(found, np.array(keras.layers.TimeDistributed(layer)(clips)), atol=1e-6)
    np.testing.assert_allclose(found[:, 1], np.array(layer(clips[:, 1])), atol=1e-6)
    assert found.shape[2:] == tuple(EachFrame(layer).compute_output_shape(SHAPE))[2:]


def test_each_frame_drops_out_in_training_only():
    layer = EachFrame(keras.layers.Dropout(0.5))
    ones = np.ones(SHAPE, np.float32)
    assert (np.array(layer(ones, training=False)) == 1).all()
    dropped = np.array(layer(ones, training=True))
    assert set(np.unique(dropped)) == {0, 2} and not np.array_equal(dropped[:, 0], dropped[:, 1])


def test_each_frame_has_the_weights_of_one_layer():
    layer = EachFrame(keras.layers.Conv2D(4, 3))
    layer.build(SHAPE)
    assert layer.count_params() == 3 * 3 * CHANNELS * 4 + 4


def test_previous_step_is_zero_and_then_one_late():
    states = draw(SHAPE)
    found = np.array(PreviousStep()(states))
    assert not found[:, 0].any()
    np.testing.assert_array_equal(found[:, 1:], states[:, :-1])


def test_standardised_frames_have_mean_0_and_deviation_1_each():
    frames = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    frames[0, 1] //= 4  # a dark one
    found = np.array(StandardiseFrames()(frames))
    x = frames / 127.5 - 1
    mean, deviation = x.mean(axis=(2, 3, 4), keepdims=True), x.std(axis=(2, 3, 4), keepdims=True)
    np.testing.assert_allclose(found, (x - mean) / (deviation + 1e-3), atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=(2, 3, 4)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(2, 3, 4)), 1, atol=0.01)


def test_scaled_frames_reach_from_minus_1_to_1():
    frames = np.zeros(SHAPE, np.uint8)
    frames[:, :, 0] = 255
    found = np.array(StandardiseFrames("scale")(frames))
    assert found.min() == -1 and found.max() == 1


def test_a_frame_of_one_grey_is_zero():
    assert np.abs(np.array(StandardiseFrames()(np.full(SHAPE, 77, np.uint8)))).max() < 1e-3


def test_standardising_under_mixed_precision_loses_nothing_before_the_end():
    frames = np.random.default_rng(0).integers(100, 104, SHAPE).astype(np.uint8)  # bfloat16 would round these
    half = StandardiseFrames(dtype="mixed_bfloat16")(frames)
    assert half.dtype == "bfloat16"
    np.testing.assert_allclose(
        np.array(keras.ops.cast(half, "float32")), np.array(StandardiseFrames()(frames)), rtol=2**-8, atol=1e-6
    )


# saving, errors


LAYERS = [
    StandardiseFrames("scale"),
    EachFrame(keras.layers.Conv2D(2, 3, padding="same")),
    TemporalSoftmax("softmax"),
    SpatialSoftmax("softmax"),
    PreviousStep(),
    *(PeepholeConvLSTM2D(FILTERS, 5, peepholes) for peepholes in PEEPHOLES),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layers_survive_their_configuration_and_a_file(tmp_path, layer):
    """Saved and loaded with Keras' safe mode, naming no custom object."""
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    shape = {TemporalSoftmax: (STEPS, 1), SpatialSoftmax: (STEPS, HEIGHT, WIDTH, 1)}.get(type(layer), SHAPE[1:])
    inputs = keras.Input(shape)
    model = keras.Model(inputs, again(inputs))
    model.set_weights([draw(weight.shape, 1) for weight in model.weights])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = draw((BATCH, *shape))
    np.testing.assert_array_equal(np.array(loaded(x)), np.array(model(x)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StandardiseFrames("whiten"), "'standardise' or 'scale', not 'whiten'"),
        (lambda: TemporalSoftmax("max"), "scale is one of mean_one, softmax, not 'max'"),
        (lambda: SpatialSoftmax("max"), "scale is one of mean_one, softmax, not 'max'"),
        (lambda: PeepholeConvLSTM2D(2, 3, "all"), "peepholes is one of hadamard, mixed, none, not 'all'"),
    ],
)
def test_wrong_options(make, words):
    with pytest.raises(ValueError, match=words):
        make()
