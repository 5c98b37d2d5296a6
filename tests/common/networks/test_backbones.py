"""Networks against textbook forms in NumPy, their weights files, what is refused, preprocessing, streaming."""

import dataclasses
from functools import cache

import h5py
import numpy as np
import pytest

from common.errors import InputError
from common.networks import backbones

WIDTHS = {
    "vgg16": 4096,
    "alexnet": 4096,
    "densenet121": 1024,
    "densenet201": 1920,
    "affwild_vgg16": 4096,
    "affwild_resnet50": 2048,
}


def convolve(x, kernel, stride=1, pad=0):
    """Cross-correlation of x (h, w, in) with kernel (h, w, in, out)."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (0, 1))[::stride, ::stride]
    return np.tensordot(windows, kernel, ((3, 4, 2), (0, 1, 2)))


def pool(x, size, stride, after=0):
    """Maxima, with `after` rows and columns beyond the image that never win."""
    x = np.pad(x, ((0, after), (0, after), (0, 0)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))[::stride, ::stride].max(axis=(3, 4))


def relu(x):
    return np.maximum(x, 0)


def he(rng, shape, fan_in):
    """From so many draws that no row of a large matrix is like another; more would take long."""
    drawn = rng.standard_normal(min(np.prod(shape), 65537), np.float32) * np.float32(np.sqrt(2 / fan_in))
    return np.resize(drawn, shape)


@pytest.fixture(scope="module", autouse=True)
def built_once():
    """Each network is built once, of zeros, which take no time to draw: tests give it weights of their own."""
    from keras import initializers, ops

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initializers.GlorotUniform, "__call__", lambda self, shape, dtype=None: ops.zeros(shape, dtype))
        for name, network in backbones.NETWORKS.items():
            if name != "vgg16":  # too large to be kept, and asked for once
                patch.setitem(backbones.NETWORKS, name, dataclasses.replace(network, build=cache(network.build)))
        yield


@pytest.fixture
def image():
    """One with edges and noise, so that strides and padding matter."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60, (227, 227, 3)).astype(np.uint8)
    image[40:130, 90:200, 1] += 150
    return image


# the networks


@pytest.mark.parametrize("name", WIDTHS)
def test_width_and_size(name):
    network = backbones.NETWORKS[name]
    model = network.build()
    assert model.input_shape == (None, network.size, network.size, 3)
    assert model.output_shape == (None, WIDTHS[name]) == (None, network.width)
    assert {len(variable.shape) for variable in model.weights} <= {1, 2, 4}


def test_alexnet_with_the_arrays_of_torchvision(image, tmp_path):
    """Kernels (out, in, h, w), flattened channels first, features after the second fully connected layer's ReLU."""
    rng = np.random.default_rng(1)
    shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    arrays = {f"features.{i}.weight": he(rng, (o, n, k, k), n * k * k) for i, (o, n, k) in shapes.items()}
    arrays |= {f"features.{i}.bias": he(rng, o, 200) for i, (o, _, _) in shapes.items()}
    for i, inputs in ((1, 9216), (4, 4096)):
        arrays |= {
            f"classifier.{i}.weight": he(rng, (4096, inputs), inputs),
            f"classifier.{i}.bias": he(rng, 4096, 200),
        }
    arrays |= {"classifier.6.weight": he(rng, (10, 4096), 4096)}  # the classifier is left alone
    np.savez(tmp_path / "alexnet.npz", **arrays)

    x = image / 255
    for i, (stride, pad, pooled) in {0: (4, 2, 1), 3: (1, 2, 1), 6: (1, 1, 0), 8: (1, 1, 0), 10: (1, 1, 1)}.items():
        kernel = arrays[f"features.{i}.weight"].transpose(2, 3, 1, 0)
        x = relu(convolve(x, kernel, stride, pad) + arrays[f"features.{i}.bias"])
        x = pool(x, 3, 2) if pooled else x
    assert x.shape == (6, 6, 256)
    x = x.transpose(2, 0, 1).ravel()
    for i in (1, 4):
        x = relu(arrays[f"classifier.{i}.weight"] @ x + arrays[f"classifier.{i}.bias"])

    found = backbones.embed("alexnet", tmp_path / "alexnet.npz", [image])
    np.testing.assert_allclose(found[0], x, rtol=1e-4, atol=1e-4)


SLIM = [(64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)]  # depth, units, stride of the last unit


def slim_arrays():
    """Weights of resnet_v1_50 under the names of TF-Slim's checkpoint."""
    rng = np.random.default_rng(2)
    shapes = {"conv1": (7, 7, 3, 64)}
    inputs = 64
    for block, (depth, units, _) in enumerate(SLIM, 1):
        for unit in range(1, units + 1):
            scope = f"block{block}/unit_{unit}/bottleneck_v1"
            if unit == 1:
                shapes[f"{scope}/shortcut"] = (1, 1, inputs, 4 * depth)
            shapes[f"{scope}/conv1"] = (1, 1, inputs, depth)
            shapes[f"{scope}/conv2"] = (3, 3, depth, depth)
            shapes[f"{scope}/conv3"] = (1, 1, depth, 4 * depth)
            inputs = 4 * depth
    arrays = {}
    for name, shape in shapes.items():
        arrays[f"{name}/weights"] = he(rng, shape, np.prod(shape[:3]))
        for part, low, high in (("gamma", 0.5, 1), ("beta", -0.2, 0.2)):
            arrays[f"{name}/BatchNorm/{part}"] = rng.uniform(low, high, shape[3]).astype(np.float32)
        for part, low, high in (("moving_mean", -0.2, 0.2), ("moving_variance", 0.5, 2)):
            arrays[f"{name}/BatchNorm/{part}"] = rng.uniform(low, high, shape[3]).astype(np.float32)
    return {f"resnet_v1_50/{name}": array for name, array in arrays.items()}


def slim_features(x, arrays):
    def layer(x, name, stride=1):
        kernel = arrays[f"resnet_v1_50/{name}/weights"]
        gamma, beta, mean, variance = (
            arrays[f"resnet_v1_50/{name}/BatchNorm/{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (convolve(x, kernel, stride, kernel.shape[0] // 2) - mean) / np.sqrt(variance + 1e-5) + beta

    x = pool(relu(layer(x, "conv1", 2)), 3, 2, after=1)
    for block, (_, units, last) in enumerate(SLIM, 1):
        for unit in range(1, units + 1):
            scope, stride = f"block{block}/unit_{unit}/bottleneck_v1", last if unit == units else 1
            shortcut = layer(x, f"{scope}/shortcut") if unit == 1 else x[::stride, ::stride]
            y = relu(layer(x, f"{scope}/conv1"))
            y = relu(layer(y, f"{scope}/conv2", stride))
            x = relu(shortcut + layer(y, f"{scope}/conv3"))
    assert x.shape == (3, 3, 2048)
    return x.mean(axis=(0, 1))


def test_affwild_resnet50_is_slims(image, tmp_path):
    arrays = slim_arrays()
    np.savez(tmp_path / "weights.npz", global_step=np.int64(7), **arrays)
    face = image[60:156, 60:156]
    expected = slim_features(face / 255 * 2 - 1, arrays)
    found = backbones.embed("affwild_resnet50", tmp_path / "weights.npz", [face])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_affwild_vgg16(image, tmp_path):
    """13 convolutions, five pools to 3 x 3 x 512, a fully connected layer with ReLU, under the checkpoint's names."""
    rng = np.random.default_rng(3)
    depths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    arrays = {}
    for number, (inputs, outputs) in enumerate(zip(depths, depths[1:]), 1):
        arrays[f"conv_{number}/weights"] = he(rng, (3, 3, inputs, outputs), 9 * inputs)
        arrays[f"conv_{number}/biases"] = he(rng, outputs, 200)
    arrays |= {"linear_1/weights": he(rng, (4608, 4096), 4608), "linear_1/biases": he(rng, 4096, 200)}
    np.savez(tmp_path / "weights.npz", **arrays)

    x = image[60:156, 60:156] / 127.5 - 1
    for number in range(1, 14):
        x = relu(convolve(x, arrays[f"conv_{number}/weights"], pad=1) + arrays[f"conv_{number}/biases"])
        x = pool(x, 2, 2) if number in (2, 4, 7, 10, 13) else x
    expected = relu(x.ravel() @ arrays["linear_1/weights"] + arrays["linear_1/biases"])

    found = backbones.embed("affwild_vgg16", tmp_path / "weights.npz", [image[60:156, 60:156]])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4 * expected.max())


# files of keras.applications


def save_as_published(path, layers, kind="S"):
    """`layers`: name -> arrays, in the layout of the .h5 files that keras.applications publishes."""
    kind = h5py.string_dtype() if kind == "str" else kind
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(list(layers), kind)
        for name, arrays in layers.items():
            keys = [f"{name}/{part}:0" for part in range(len(arrays))]
            file.create_group(name).attrs["weight_names"] = np.array(keys, kind)
            for key, array in zip(keys, arrays):
                file[name].create_dataset(key, data=array)


def test_densenet_from_a_published_file(image, tmp_path):
    """Layers without weights are listed too, some names are older than Keras 3, and the classifier is left alone."""

    def published(layer):
        return layer.name.replace("conv1_conv", "conv1/conv").replace("conv1_bn", "conv1/bn")

    rng = np.random.default_rng(4)
    model = backbones.NETWORKS["densenet121"].build()
    layers = {published(layer): [rng.random(v.shape, np.float32) / 10 for v in layer.weights] for layer in model.layers}
    layers["fc1000"] = [np.zeros((1024, 1000)), np.zeros(1000)]
    save_as_published(tmp_path / "weights.h5", layers)
    model = backbones.build("densenet121", tmp_path / "weights.h5")
    for layer in filter(lambda layer: layer.weights, model.layers):
        for variable, array in zip(layer.weights, layers[published(layer)], strict=True):
            np.testing.assert_array_equal(variable.numpy(), array.astype(np.float32))


@pytest.fixture
def small(monkeypatch):
    """A network of two layers in the place of VGG-16: 4 x 4 pixels, 5 features."""

    def build():
        from keras import Sequential, layers

        return Sequential(
            [layers.Input((4, 4, 3)), layers.Conv2D(2, 3, name="a"), layers.Flatten(), layers.Dense(5, name="b")]
        )

    monkeypatch.setitem(
        backbones.NETWORKS,
        "vgg16",
        backbones.Network(5, 4, ("small.h5",), build, lambda images: images[..., ::-1], backbones._read_keras),
    )
    return {"a": [np.ones((3, 3, 3, 2)), np.arange(2.0)], "flatten": [], "b": [np.full((8, 5), 2.0), np.zeros(5)]}


def with_array(layers, layer, index, array):
    changed = {name: list(arrays) for name, arrays in layers.items()}
    changed[layer][index] = array
    return changed


@pytest.mark.parametrize("kind", ["S", "str"])
@pytest.mark.parametrize("top", [{}, {"top": [np.zeros((5, 3)), np.zeros(3)]}])
def test_order_and_values_of_a_published_file(kind, top, small, tmp_path):
    save_as_published(tmp_path / "small.h5", small | top, kind)
    found = backbones.embed("vgg16", tmp_path / "small.h5", [np.ones((4, 4, 3), np.uint8)])
    np.testing.assert_allclose(found, np.full((1, 5), 2 * 4 * (27 + 28)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda layers: with_array(layers, "b", 0, np.ones((9, 5))),
            r"b/0:0 has shape \(9, 5\), \(8, 5\) is needed; .* vgg16",
        ),
        (lambda layers: with_array(layers, "a", 1, np.array([0, np.nan])), "a/1:0 holds NaN, infinity"),
        (lambda layers: with_array(layers, "a", 0, np.full((3, 3, 3, 2), b"x")), "a/0:0 holds .* or no numbers"),
        (lambda layers: {"a": layers["a"]}, "has fewer layers than vgg16 has"),
    ],
)
def test_weights_of_another_shape_or_damaged(small, tmp_path, change, message):
    save_as_published(tmp_path / "small.h5", change(small))
    with pytest.raises(InputError, match=rf"small\.h5: .*{message}") as caught:
        backbones.build("vgg16", tmp_path / "small.h5")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not HDF5", "cut", "no attributes"])
def test_files_that_are_no_weights(small, tmp_path, content):
    path = tmp_path / "small.h5"
    save_as_published(path, small)
    if content == "no attributes":
        with h5py.File(path, "a") as file:
            del file.attrs["layer_names"]
    else:
        path.write_bytes(path.read_bytes()[:-3000] if content == "cut" else content)
    with pytest.raises(InputError, match="cannot be read as weights of vgg16"):
        backbones.build("vgg16", path)


@pytest.mark.parametrize("content", ["missing array", "objects", "cut", "array", "text"])
def test_archives_that_are_no_weights(content, tmp_path):
    """Nothing in a file is unpickled."""
    path = tmp_path / "affwild_resnet50.npz"
    first = np.ones((7, 7, 3, 64), object if content == "objects" else np.float32)
    np.savez(path, **{"resnet_v1_50/conv1/weights": first})
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    if content == "array":
        with path.open("wb") as file:
            np.save(file, first)
    if content == "text":
        path.write_text("weights")
    with pytest.raises(
        InputError, match=r"affwild_resnet50\.npz: cannot be read as weights of affwild_resnet50"
    ) as caught:
        backbones.build("affwild_resnet50", path)
    if content == "missing array":
        assert "resnet_v1_50/conv1/BatchNorm/gamma" in str(caught.value)


# which weights


def test_locate_takes_the_first_name_that_is_there(tmp_path):
    stem = "densenet121_weights_tf_dim_ordering_tf_kernels"
    (tmp_path / f"{stem}_notop.h5").touch()
    assert backbones.locate("densenet121", str(tmp_path)) == tmp_path / f"{stem}_notop.h5"
    (tmp_path / f"{stem}.h5").touch()
    assert backbones.locate("densenet121", str(tmp_path)) == tmp_path / f"{stem}.h5"
    assert backbones.locate("densenet121", backbones.RANDOM) == backbones.RANDOM


@pytest.mark.parametrize("folder", ["", "there", "nowhere"])
def test_missing_weights_are_named_with_the_remedy(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"alexnet\.npz.*--weights random") as caught:
        backbones.locate("alexnet", folder)
    assert "alexnet" in str(caught.value) and "\n" not in str(caught.value)


def test_digest_is_that_of_the_content(tmp_path):
    (tmp_path / "alexnet.npz").write_bytes(b"1")
    first = backbones.digest("alexnet", str(tmp_path))
    (tmp_path / "alexnet.npz").write_bytes(b"12")
    assert len({first, backbones.digest("alexnet", str(tmp_path)), backbones.digest("alexnet", "random")}) == 3


def test_random_weights_are_the_same_each_time_and_keep_the_scale(small, image):
    images = [image[60:64, 60:64], image[90:94, 90:94]]
    first = backbones.embed("vgg16", backbones.RANDOM, images)
    np.testing.assert_array_equal(first, backbones.embed("vgg16", backbones.RANDOM, images))
    assert not np.allclose(first[0], first[1]) and 1 < first.std() < 1000
    model = backbones.build("vgg16", backbones.RANDOM)
    assert np.std(model.weights[0]) == pytest.approx(np.sqrt(2 / 27), rel=0.3) and not np.any(model.weights[1])


# images


def test_preprocessing_by_hand():
    image = np.array([[[0, 51, 255]]], np.uint8).repeat(4, 0).repeat(4, 1)[None]
    pixels = {name: backbones.preprocess(name, image) for name in WIDTHS}
    for name, found in pixels.items():
        size = backbones.NETWORKS[name].size
        assert found.shape == (1, size, size, 3) and found.dtype == np.float32
        np.testing.assert_array_equal(found, np.broadcast_to(found[0, 0, 0], found.shape))
    expected = {
        "vgg16": [255, 51, 0],
        "alexnet": [0, 0.2, 1],
        "densenet121": [(0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        "densenet201": [(0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        "affwild_vgg16": [-1, -0.6, 1],
        "affwild_resnet50": [-1, -0.6, 1],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(pixels[name][0, 0, 0], value, atol=1e-6)


def test_resizing_takes_the_nearest_pixel(image):
    """Of 227 pixels to 224, centre on centre: each new one is at most half an old one away from its own."""
    found = backbones.preprocess("vgg16", image[None])[0, :, :, ::-1]
    for new in (0, 1, 100, 223):
        old = min(range(227), key=lambda old: abs((old + 0.5) / 227 - (new + 0.5) / 224))
        np.testing.assert_array_equal(found[new, 0], image[old, 0])
        np.testing.assert_array_equal(found[0, new], image[0, old])
    same = image[:224, :224]
    np.testing.assert_array_equal(backbones.preprocess("vgg16", same[None])[0], same[..., ::-1])


def test_images_are_streamed(small, monkeypatch):
    """No more images than a batch exist at a time, and each keeps its row."""
    drawn, fed = [], []
    preprocess = backbones.preprocess

    def images():
        for number in range(2 * backbones.BATCH + 5):
            drawn.append(number)
            yield np.full((4, 4, 3), number, np.uint8)

    def watched(name, batch):
        fed.append(len(batch))
        assert len(drawn) == sum(fed)
        return preprocess(name, batch)

    monkeypatch.setattr(backbones, "preprocess", watched)
    found = backbones.embed("vgg16", backbones.RANDOM, images())
    assert fed == [backbones.BATCH, backbones.BATCH, 5] and found.dtype == np.float32
    np.testing.assert_allclose(found, np.arange(37)[:, None] * found[1], rtol=1e-4, atol=1e-4)


def test_no_images(small):
    assert backbones.embed("vgg16", backbones.RANDOM, []).shape == (0, 5)
