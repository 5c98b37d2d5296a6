"""Weights that are drawn, and weights that are set: scale, order, seed; what is refused."""

import h5py
import keras
import numpy as np
import pytest

from common.errors import InputError
from common.networks import weights


@pytest.fixture
def model():
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(40, 3, bias_initializer="ones", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(30, bias_initializer="ones", name="second"),
        ]
    )


def test_kernels_are_he_s_and_biases_0(model):
    weights.randomise(model, 3)
    rng = np.random.default_rng(3)
    for name, inputs in (("first", 27), ("second", 6 * 6 * 40)):
        kernel, bias = model.get_layer(name).get_weights()
        expected = rng.standard_normal(kernel.shape, np.float32) * np.float32(np.sqrt(2 / inputs))
        np.testing.assert_array_equal(kernel, expected)
        assert (bias == 0).all()


def test_batch_statistics_are_left(model):
    weights.randomise(model, 0)
    assert [set(array.tolist()) for array in model.get_layer("norm").get_weights()] == [{1.0}, {0.0}, {0.0}, {1.0}]


def test_only_the_first_kernel_is_made_smaller(model):
    weights.randomise(model, 0)
    first, second = (model.get_layer(name).get_weights()[0] for name in ("first", "second"))
    weights.randomise(model, 0, 1 / 128)
    np.testing.assert_array_equal(model.get_layer("first").get_weights()[0], first / 128)
    np.testing.assert_array_equal(model.get_layer("second").get_weights()[0], second)


def assign(variable, values):
    weights.assign(variable, values, "net.h5: a/kernel", "it is another network")


@pytest.fixture
def variable():
    return keras.Variable(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_arrays_and_datasets_are_set(variable, tmp_path, kind):
    values = np.arange(6).reshape(2, 3).astype(kind)
    assign(variable, values)
    np.testing.assert_array_equal(np.array(variable), values)
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["kernel"] = values + 1
        assign(variable, file["kernel"])
    np.testing.assert_array_equal(np.array(variable), values + 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 2)), r"net.h5: a/kernel has shape \(3, 2\), \(2, 3\) is needed; it is another network$"),
        (np.full((2, 3), np.nan), "net.h5: a/kernel holds NaN, infinity or no numbers; fetch the file again"),
        (np.full((2, 3), -np.inf), "holds NaN, infinity or no numbers"),
        (np.full((2, 3), b"x"), "holds NaN, infinity or no numbers"),
        (np.full((2, 3), None), "holds NaN, infinity or no numbers"),
    ],
    ids=["shape", "NaN", "infinity", "bytes", "objects"],
)
def test_what_is_refused_changes_nothing(variable, values, message):
    with pytest.raises(InputError, match=message):
        assign(variable, values)
    assert not np.array(variable).any()
