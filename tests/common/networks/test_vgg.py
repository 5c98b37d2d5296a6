"""The convolutions of VGG against those of keras.applications."""

import keras
import numpy as np
import pytest

from common.networks import architecture, vgg


def network(depth, width=1.0, size=32, **options):
    image = keras.Input((size, size, 3))
    return keras.Model(image, vgg.convolve(image, depth, width, "block{}_conv{}", "block{}_pool", **options))


@pytest.mark.parametrize(("depth", "published"), [(16, keras.applications.VGG16), (19, keras.applications.VGG19)])
def test_published_networks(depth, published):
    """The same layers under the same names, with weights of the same shapes."""
    with keras.StatelessScope(initialize_variables=False):  # shapes without the weights
        ours = network(depth)
        theirs = published(weights=None, include_top=False, input_shape=(32, 32, 3))
        shapes = [{layer.name: layer.output.shape for layer in model.layers[1:]} for model in (ours, theirs)]
        sizes = [[variable.shape for variable in model.weights] for model in (ours, theirs)]
    assert shapes[0].pop("flatten") == (None, 512)
    assert shapes[0] == shapes[1] and sizes[0] == sizes[1]


@pytest.mark.parametrize(("depth", "count"), [(16, 13), (19, 16)])
def test_width_is_a_factor_on_all_channels(depth, count):
    model = network(depth, 1 / 32)
    filters = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(filters) == count and sorted(set(filters)) == [2, 4, 8, 16]
    assert network(depth, 0.001).output_shape == (None, 1)


@pytest.mark.parametrize(("size", "side"), [(32, 1), (63, 1), (64, 2), (224, 7), (227, 7), (255, 7), (256, 8)])
def test_five_halvings_drop_what_is_left_over(size, side):
    assert network(19, 1 / 64, size).output_shape == (None, side * side * 8)


def test_options_reach_every_convolution():
    model = network(16, 1 / 64, kernel_initializer="zeros", bias_initializer="ones")
    assert np.asarray(model(np.zeros((1, 32, 32, 3)))).tolist() == [[1.0] * 8]


@pytest.mark.parametrize("depth", [16, 19])
def test_a_row_for_each_block(depth):
    model = network(depth, 1 / 32)
    rows = vgg.join_blocks(architecture.describe(model))
    assert [row["name"] for row in rows[1:]] == [f"block{number}" for number in range(1, 6)]
    assert [row["inputs"] for row in rows[1:]] == [[row["name"]] for row in rows[:-1]]
    assert [row["shape"] for row in rows[1:]] == [[16, 16, 2], [8, 8, 4], [4, 4, 8], [2, 2, 16], [1, 1, 16]]
    assert [int(row["kind"][0]) for row in rows[1:]] == list(vgg.CONVOLUTIONS[depth])
    assert sum(row["parameters"] for row in rows) == model.count_params()
