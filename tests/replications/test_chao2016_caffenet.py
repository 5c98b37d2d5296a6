"""AlexNet against OpenCV's run of Caffe's own description of it, its input, its weights."""

import cv2
import keras
import numpy as np
import pytest
from scipy.signal import correlate

from common.errors import InputError
from replications.chao2016 import caffenet
from tests.common.networks import test_caffe as layout

PAPER = {
    "cnn_order": "alexnet",
    "cnn_width": 1.0,
    "cnn_identities": 1032,
    "cnn_dropout": 0.5,
    "cnn_weight_decay": 0.0005,
    "cnn_momentum": 0.9,
    "cnn_learning_rate": 0.01,
    "cnn_batch": 256,
    "cnn_iterations": 450000,
    "cnn_step": 100000,
    "cnn_step_factor": 0.1,
    "selected": 1024,
    "forest_trees": 500,
}
SMALL = PAPER | {"cnn_width": 0.0625, "cnn_identities": 3, "cnn_batch": 4, "cnn_iterations": 9, "cnn_step": 6}
ORDERS = ("alexnet", "caffenet")


def images(count, size=(40, 50), seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (count, *size, 3)).astype(np.uint8))


def drawn(settings=SMALL, outputs=0, seed=0):
    keras.utils.set_random_seed(seed)
    return caffenet.build_network(settings, outputs)


def arrays(model):
    return [np.array(weight) for layer in model.layers for weight in layer.weights]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# Caffe's description of the network, and weights for it

CONV = (
    'layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}" convolution_param {{ num_output: {2} {3} }} }}'
)
RELU = 'layer {{ name: "relu_{0}" type: "ReLU" bottom: "{0}" top: "{0}" }}'
POOL = 'layer {{ name: "{0}" type: "Pooling" bottom: "{1}" top: "{0}" pooling_param {{ pool: MAX kernel_size: 3 stride: 2 }} }}'
NORM = 'layer {{ name: "{0}" type: "LRN" bottom: "{1}" top: "{0}" lrn_param {{ local_size: 5 alpha: 0.0001 beta: 0.75 }} }}'
FULL = 'layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" inner_product_param {{ num_output: {2} }} }}'
DROP = 'layer {{ name: "drop_{0}" type: "Dropout" bottom: "{0}" top: "{0}" dropout_param {{ dropout_ratio: 0.5 }} }}'


def prototxt(order, width, outputs):
    def count(filters):
        return int(filters * width)

    def pooled(number):
        if order == "alexnet":
            parts = [NORM.format(f"norm{number}", f"conv{number}"), POOL.format(f"pool{number}", f"norm{number}")]
            return parts, f"pool{number}"
        parts = [POOL.format(f"pool{number}", f"conv{number}"), NORM.format(f"norm{number}", f"pool{number}")]
        return parts, f"norm{number}"

    (first, after1), (second, after2) = pooled(1), pooled(2)
    lines = ['input: "data" input_dim: 2 input_dim: 3 input_dim: 227 input_dim: 227']
    lines += [CONV.format("conv1", "data", count(96), "kernel_size: 11 stride: 4"), RELU.format("conv1"), *first]
    lines += [CONV.format("conv2", after1, count(256), "kernel_size: 5 pad: 2 group: 2"), RELU.format("conv2"), *second]
    lines += [CONV.format("conv3", after2, count(384), "kernel_size: 3 pad: 1"), RELU.format("conv3")]
    lines += [CONV.format("conv4", "conv3", count(384), "kernel_size: 3 pad: 1 group: 2"), RELU.format("conv4")]
    lines += [CONV.format("conv5", "conv4", count(256), "kernel_size: 3 pad: 1 group: 2"), RELU.format("conv5")]
    lines += [POOL.format("pool5", "conv5")]
    if outputs:
        lines += [FULL.format("fc6", "pool5", count(4096)), RELU.format("fc6"), DROP.format("fc6")]
        lines += [FULL.format("fc7", "fc6", count(4096)), RELU.format("fc7"), DROP.format("fc7")]
        lines += [FULL.format("fc8", "fc7", outputs)]
    return "\n".join(lines).encode()


def blobs(width, outputs=0):
    rng = np.random.default_rng(1)
    shapes = {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 48, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3),
    }
    shapes = {k: (int(o * width), i if k == "conv1" else int(i * width), *r) for k, (o, i, *r) in shapes.items()}
    if outputs:
        units = int(4096 * width)
        shapes |= {"fc6": (units, 36 * shapes["conv5"][0]), "fc7": (units, units), "fc8": (outputs, units)}
    made = {}
    for name, shape in shapes.items():
        kernel = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        made[name] = kernel, rng.standard_normal(shape[0], np.float32)
    return made


def by_opencv(order, width, outputs, path, inputs):
    net = cv2.dnn.readNetFromCaffe(
        np.frombuffer(prototxt(order, width, outputs), np.uint8), np.fromfile(path, np.uint8)
    )
    net.enableWinograd(False)  # it rounds more
    net.setInput(inputs.transpose(0, 3, 1, 2))
    return net.forward()


def close(found, expected):
    assert np.std(expected) > 1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# the network


@pytest.mark.parametrize("order", ORDERS)
def test_pool5_is_what_opencv_makes_of_caffe_s_network(order, tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(layout.model(blobs(1.0)))
    model = caffenet.build_network(PAPER | {"cnn_order": order})
    caffenet.load(model, path)
    inputs = caffenet.preprocess(images(2))
    expected = by_opencv(order, 1.0, 0, path, inputs)
    assert expected.shape == (2, 256, 6, 6)
    close(model(inputs), expected.transpose(0, 2, 3, 1).reshape(2, 9216))


@pytest.mark.parametrize("order", ORDERS)
def test_fc8_is_what_opencv_makes_of_caffe_s_network(order, tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(layout.model(blobs(0.125, outputs=10)))
    model = caffenet.build_network(PAPER | {"cnn_order": order, "cnn_width": 0.125}, 10)
    caffenet.load(model, path)
    inputs = caffenet.preprocess(images(2))
    close(model(inputs, training=False), by_opencv(order, 0.125, 10, path, inputs))


def test_the_orders_differ():
    model, other = drawn(), drawn(SMALL | {"cnn_order": "caffenet"})
    other.set_weights(model.get_weights())
    inputs = caffenet.preprocess(images(2))
    assert np.abs(np.array(model(inputs)) - np.array(other(inputs))).max() > 1e-3


def test_sizes_of_the_paper_s_network():
    """60,965,224 parameters with ImageNet's 1000 classes; maps of 55, 27, 13 and 6 pixels."""
    with keras.StatelessScope(initialize_variables=False):  # sizes without the quarter of a gigabyte
        model = caffenet.build_network(PAPER, 1000)
        shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
        assert model.count_params() == 60_965_224
    assert shapes["conv1"] == (55, 55, 96) and shapes["pool1"] == (27, 27, 96)
    assert shapes["conv2"] == (27, 27, 256) and shapes["pool2"] == (13, 13, 256)
    assert shapes["conv3"] == shapes["conv4"] == (13, 13, 384) and shapes["conv5"] == (13, 13, 256)
    assert shapes["pool5"] == (6, 6, 256) and shapes["flatten"] == (9216,) and shapes["fc8"] == (1000,)


@pytest.mark.parametrize(("order", "bias"), [("alexnet", 0.1), ("caffenet", 1.0)])
def test_first_weights_are_caffe_s(order, bias):
    """Gaussians of 0.01, of fc6 and fc7 0.005; a quarter of the inputs has twice the deviation."""
    model = drawn(PAPER | {"cnn_order": order, "cnn_width": 0.25}, 200)
    expected = {"conv1": (0.01, 0), "conv2": (0.02, bias), "conv3": (0.02, 0), "conv4": (0.02, bias)}
    expected |= {"conv5": (0.02, bias), "fc6": (0.01, bias), "fc7": (0.01, bias), "fc8": (0.02, 0)}
    assert list(expected) == [layer.name for layer in model.layers if layer.weights]
    for name, (deviation, first) in expected.items():
        kernel, biases = model.get_layer(name).get_weights()
        assert np.std(kernel) == pytest.approx(deviation, rel=0.05) and abs(np.mean(kernel)) < deviation / 10
        assert (biases == np.float32(first)).all()
    assert same(arrays(drawn(seed=1)), arrays(drawn(seed=1))) and not same(arrays(drawn(seed=1)), arrays(drawn()))


@pytest.mark.parametrize(("width", "filters"), [(0.01, 2), (0.0625, 16), (0.3, 76)])
def test_any_width_has_two_groups(width, filters):
    model = drawn(SMALL | {"cnn_width": width})
    assert model(caffenet.preprocess(images(1))).shape == (1, 36 * filters)


def test_a_saved_model_is_the_same(tmp_path):
    model = drawn(outputs=3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = caffenet.preprocess(images(2))
    np.testing.assert_array_equal(np.array(again(inputs)), np.array(model(inputs)))
    assert again.get_layer("norm1").get_config() == model.get_layer("norm1").get_config()


# local response normalisation


def normalised(x, size, alpha, beta, k):
    out = np.empty_like(x)
    for c in range(x.shape[-1]):
        neighbours = x[..., max(0, c - size // 2) : c + size // 2 + 1]
        out[..., c] = x[..., c] / (k + alpha / size * (neighbours**2).sum(axis=-1)) ** beta
    return out


@pytest.mark.parametrize("options", [{}, {"size": 3, "alpha": 0.1, "beta": 0.5, "k": 2.0}, {"size": 9, "alpha": 1.0}])
def test_normalisation_as_a_loop(options):
    x = np.random.default_rng(0).normal(0, 100, (2, 3, 4, 7))
    values = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0} | options
    found = caffenet.LocalResponseNormalization(**options)(x.astype(np.float32))
    np.testing.assert_allclose(found, normalised(x, **values), rtol=1e-5)


def test_normalisation_as_opencv_s():
    x = np.random.default_rng(0).normal(0, 300, (1, 6, 5, 12)).astype(np.float32)
    text = 'input: "data" input_dim: 1 input_dim: 12 input_dim: 6 input_dim: 5\n' + NORM.format("norm", "data")
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8), np.frombuffer(layout.model({}), np.uint8))
    net.setInput(x.transpose(0, 3, 1, 2))
    expected = net.forward().transpose(0, 2, 3, 1)
    assert np.abs(expected / x).min() < 0.5  # it does something
    np.testing.assert_allclose(caffenet.LocalResponseNormalization()(x), expected, rtol=1e-4)


def test_normalisation_needs_a_middle():
    with pytest.raises(ValueError, match="size 4 has no channel in its middle"):
        caffenet.LocalResponseNormalization(4)


# convolutions in groups


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_groups_are_convolutions_of_their_own(groups):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 6, 6)).astype(np.float32)
    layer = caffenet.GroupedConvolution(12, 3, padding="same", groups=groups)
    layer.build(x.shape)
    assert layer.kernel.shape == (3, 3, 6 // groups, 12)
    layer.bias.assign(rng.normal(size=12))
    kernel, bias = layer.get_weights()
    expected = np.empty((2, 5, 6, 12))
    for out in range(12):
        seen = x[..., out // (12 // groups) * (6 // groups) :][..., : 6 // groups]
        parts = [[correlate(s[..., c], kernel[:, :, c, out], "same") for c in range(6 // groups)] for s in seen]
        expected[..., out] = np.sum(parts, axis=1) + bias[out]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_groups_have_gradients():
    """The weight of one output's kernel is moved a little: the loss follows its gradient."""
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(1, 4, 4, 4)).astype(np.float32)
    layer = caffenet.GroupedConvolution(4, 3, padding="same", groups=2)
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(x)))
    gradient = tape.gradient(loss, layer.kernel.value).numpy()
    before = np.array(layer.kernel)
    for place in [(0, 1, 0, 0), (2, 2, 1, 3)]:
        ends = []
        for step in (-0.5, 0.5):  # the loss is quadratic: any step will do
            moved = before.copy()
            moved[place] += step
            layer.kernel.assign(moved)
            ends.append(float(tf.reduce_sum(tf.square(layer(x)))))
        assert ends[1] - ends[0] == pytest.approx(gradient[place], rel=1e-3)


# its input


def test_input_is_the_middle_in_bgr_less_the_mean():
    row, column = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    image = np.stack([row, column, np.full_like(row, 7)], axis=-1).astype(np.uint8)
    found = caffenet.preprocess([image, image])
    assert found.shape == (2, 227, 227, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found[1, 0, 0], [7 - 104.007, 14 - 116.669, 14 - 122.679], rtol=1e-5)
    np.testing.assert_allclose(found[0, 226, 3], [7 - 104.007, 17 - 116.669, 240 - 122.679], rtol=1e-5)


def test_input_is_resized_bilinearly():
    """Linear between the pixels' centres, the border repeated; OpenCV rounds to whole grey levels."""
    image = images(1, size=(8, 5))[0]
    found = caffenet.preprocess([image])[0][..., ::-1] + np.array(caffenet.MEAN_BGR[::-1])

    def along(values, length):
        place = (np.arange(256) + 0.5) * length / 256 - 0.5
        return np.array([np.interp(place, np.arange(length), line) for line in values])

    for channel in range(3):
        rows = along(image[..., channel].T, 8).T
        np.testing.assert_allclose(found[..., channel], along(rows, 5)[14:241, 14:241], atol=1.01)


def test_nothing_comes_of_nothing():
    assert caffenet.preprocess([]).shape == (0, 227, 227, 3)


def test_training_sees_crops_from_anywhere_and_mirrored_ones():
    row, column = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    image = np.stack([row, column, row * 0], axis=-1).astype(np.uint8)
    found = caffenet.augment([image] * 120, np.random.default_rng(0))
    assert found.shape == (120, 227, 227, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :, :1, 2].repeat(227, axis=2), found[..., 2])  # rows are whole
    np.testing.assert_array_equal(found[:, :1, :, 1].repeat(227, axis=1), found[..., 1])
    rows, columns = np.round(found[:, :, 0, 2] + 122.679), np.round(found[:, 0, :, 1] + 116.669)
    steps = columns[:, 1] - columns[:, 0]
    assert (np.diff(rows) == 1).all() and (np.diff(columns) == steps[:, None]).all() and set(steps) == {-1, 1}
    assert 40 < (steps == 1).sum() < 80
    for starts in (rows[:, 0], columns.min(axis=1)):
        assert starts.min() == 0 and starts.max() == 29
    np.testing.assert_array_equal(caffenet.augment([image] * 120, np.random.default_rng(0)), found)


# weights


@pytest.mark.parametrize(("order", "width"), [("alexnet", 0.0625), ("alexnet", 0.25), ("caffenet", 0.25)])
def test_random_weights_keep_the_signal(order, width):
    """Neither vanished nor exploded at pool5; the same whatever was drawn before."""
    one, other = (drawn(SMALL | {"cnn_order": order, "cnn_width": width}, seed=seed) for seed in (1, 2))
    caffenet.load(one, "random")
    caffenet.load(other, "random")
    assert same(arrays(one), arrays(other))
    found = np.array(one(caffenet.preprocess(images(2))))
    assert 0.1 < found.std() < 3 and (found > 0).mean() > 0.3 and (found >= 0).all()


def test_a_network_without_outputs_takes_the_weights_of_any_people(tmp_path):
    model = drawn(outputs=3)
    caffenet.save(tmp_path / "cnn.npz", model)
    again = drawn(seed=1)
    caffenet.load(again, tmp_path / "cnn.npz")
    faces = images(3)
    found = caffenet.embed(again, faces)
    np.testing.assert_array_equal(found, caffenet.embed(caffenet.build_extractor(model), faces))
    whole = drawn(outputs=3, seed=1)
    caffenet.load(whole, tmp_path / "cnn.npz")
    assert same(arrays(whole), arrays(model))


def test_weights_that_do_not_fit(tmp_path):
    published = tmp_path / "net.caffemodel"
    published.write_bytes(layout.model(blobs(0.125)))
    own = tmp_path / "cnn.npz"
    caffenet.save(own, drawn(SMALL | {"cnn_order": "caffenet"}))
    for path, message in [
        (published, r"net.caffemodel: conv1/kernel has shape \(11, 11, 3, 12\), \(11, 11, 3, 6\) is needed; .*paper"),
        (own, "cnn.npz: trained with cnn_order caffenet, asked for alexnet; --set cnn_order=caffenet"),
        (tmp_path / "absent.caffemodel", "absent.caffemodel: no such file"),
        (tmp_path / "absent.npz", "absent.npz: no such file"),
        (tmp_path / "net.h5", "net.h5: weights are a file .caffemodel or .npz; name one, or say random"),
    ]:
        with pytest.raises(InputError, match=message):
            caffenet.load(drawn(), path)
    with pytest.raises(InputError, match="net.caffemodel: weights of layer fc6: none"):
        caffenet.load(drawn(PAPER | {"cnn_width": 0.125}, outputs=3), published)
    own.write_bytes(own.read_bytes()[:-3000])
    with pytest.raises(InputError, match="cnn.npz: cannot be read as weights of this network"):
        caffenet.load(drawn(), own)
    np.savez(own, order="alexnet")
    with pytest.raises(InputError, match="cnn.npz: cannot be read as weights of this network"):
        caffenet.load(drawn(), own)


def test_weights_of_a_network_without_groups_are_refused(tmp_path):
    """Krizhevsky's later network in one column has the same layers."""
    content = blobs(0.0625)
    content["conv2"] = np.ones((16, 6, 5, 5), np.float32), content["conv2"][1]
    (tmp_path / "net.caffemodel").write_bytes(layout.model(content))
    with pytest.raises(InputError, match=r"conv2/kernel has shape \(5, 5, 6, 16\), \(5, 5, 3, 16\) is needed"):
        caffenet.load(drawn(), tmp_path / "net.caffemodel")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(tmp_path, value):
    content = blobs(0.0625)
    content["conv4"][0][3, 2, 1, 0] = value
    (tmp_path / "net.caffemodel").write_bytes(layout.model(content))
    with pytest.raises(InputError, match="net.caffemodel: conv4/kernel holds NaN"):
        caffenet.load(drawn(), tmp_path / "net.caffemodel")


@pytest.mark.parametrize(("content", "order"), [(b"..norm1..pool1", "alexnet"), (b"..pool1..norm1", "caffenet")])
def test_the_order_of_the_layers_in_a_file_is_checked(tmp_path, content, order):
    """Caffe writes all layers of a network, those without weights too; a file of weights alone does not tell."""
    path, other = tmp_path / "net.caffemodel", {"alexnet": "caffenet", "caffenet": "alexnet"}[order]
    path.write_bytes(content)
    caffenet._check_order(path, order)
    with pytest.raises(InputError, match=f"net.caffemodel: is of the order {order}, not {other}; give --set cnn_order"):
        caffenet._check_order(path, other)
    path.write_bytes(b"conv1 pool1")
    caffenet._check_order(path, other)


# features


def test_features_are_those_of_pool5():
    model = drawn(outputs=3)
    cut, faces = caffenet.build_extractor(model), images(6)
    found = caffenet.embed(cut, iter(faces), batch=4)
    assert found.shape == (6, 36 * 16) and found.dtype == np.float32
    pool5 = keras.Model(model.input, model.get_layer("pool5").output)(caffenet.preprocess(faces))
    np.testing.assert_allclose(found, np.array(pool5).reshape(6, -1), rtol=1e-4, atol=1e-6)
    assert caffenet.embed(cut, []).shape == (0, 576)


def test_features_are_computed_by_one_graph_in_batches_of_one_size():
    cut, sizes = drawn(), []
    run_batch = cut.predict_on_batch
    cut.predict_on_batch = lambda batch: (sizes.append(len(batch)), run_batch(batch))[1]
    for count in (1, 5, 4):
        assert len(caffenet.embed(cut, iter(images(count)), batch=4)) == count
    assert sizes == [4, 4, 4, 4]
    one, many = caffenet.embed(cut, images(1), batch=4), caffenet.embed(cut, images(4), batch=4)
    np.testing.assert_allclose(one[0], many[0], rtol=1e-5, atol=1e-7)
