"""Weights from .caffemodel files that the tests write: against OpenCV's own run of the network, and what is refused."""

import cv2
import numpy as np
import pytest

from common.errors import InputError
from common.networks import caffe

RNG = np.random.default_rng(0)
BLOBS = {  # as Caffe has them: (out, in, h, w), (out, in)
    "conv1": (RNG.normal(size=(6, 3, 3, 3)), RNG.normal(size=6)),
    "conv2": (RNG.normal(size=(8, 6, 3, 3)) / 5, RNG.normal(size=8)),
    "fc3": (RNG.normal(size=(10, 8 * 3 * 4)) / 5, RNG.normal(size=10)),
    "fc4": (RNG.normal(size=(5, 10)), RNG.normal(size=5)),
}
PROTOTXT = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 16
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc3" type: "InnerProduct" bottom: "pool2" top: "fc3" inner_product_param { num_output: 10 } }
layer { name: "relu3" type: "ReLU" bottom: "fc3" top: "fc3" }
layer { name: "fc4" type: "InnerProduct" bottom: "fc3" top: "fc4" inner_product_param { num_output: 5 } }
"""


# the wire format of protobuf, with the field numbers of caffe.proto


def varint(number):
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number, value):
    return varint(number << 3) + varint(value)


def model(blobs):
    """NetParameter.layer = 100: name 1, type 2, blobs 7; BlobProto: shape 7, data 5."""
    content = b""
    for name, arrays in blobs.items():
        layer = field(1, name.encode()) + field(2, b"Convolution" if arrays[0].ndim == 4 else b"InnerProduct")
        for array in arrays:
            shape = field(7, field(1, b"".join(map(varint, array.shape))))
            layer += field(7, shape + field(5, array.astype("<f4").tobytes()))
        content += field(100, layer)
    return content


def first_format(blobs):
    """NetParameter.layers = 2: name 4, type 5, blobs 6; BlobProto: num, channels, height, width 1 to 4, data 5."""
    content = b""
    for name, arrays in blobs.items():
        layer = field(4, name.encode()) + number_field(5, 4 if arrays[0].ndim == 4 else 14)
        for array in arrays:
            shape = (1,) * (4 - array.ndim) + array.shape
            sizes = b"".join(number_field(i, size) for i, size in enumerate(shape, 1))
            layer += field(6, sizes + field(5, array.astype("<f4").tobytes()))
        content += field(2, layer)
    return content


@pytest.fixture(params=[model, first_format])
def path(request, tmp_path):
    (tmp_path / "net.caffemodel").write_bytes(request.param(BLOBS))
    return tmp_path / "net.caffemodel"


def test_a_network_gives_what_opencv_makes_of_it(path):
    """Padding, pooling, ReLU, and an inner product on a map that is neither square nor single."""
    import keras
    from keras import layers

    found = caffe.read(path, BLOBS)
    kernel, bias = found["fc3"]
    found["fc3"] = caffe.put_channels_last(kernel, (3, 4, 8)), bias
    network = keras.Sequential(
        [
            layers.Input((12, 16, 3)),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="relu", name="fc3"),
            layers.Dense(5, name="fc4"),
        ]
    )
    for name, values in found.items():
        network.get_layer(name).set_weights(values)

    image = RNG.normal(size=(1, 12, 16, 3)).astype(np.float32)
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(PROTOTXT.encode(), np.uint8), np.fromfile(path, np.uint8))
    net.setInput(image.transpose(0, 3, 1, 2))
    expected = net.forward()
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(network(image), expected.reshape(1, 5), rtol=1e-4, atol=1e-4)


def test_axes(path):
    found = caffe.read(path, ["conv2", "fc4"])
    assert list(found) == ["conv2", "fc4"]
    np.testing.assert_allclose(found["conv2"][0][2, 1, 4, 7], BLOBS["conv2"][0][7, 4, 2, 1], rtol=1e-6)
    np.testing.assert_allclose(found["fc4"][0], BLOBS["fc4"][0].T, rtol=1e-6)
    assert [bias.shape for _, bias in found.values()] == [(8,), (5,)]


def test_rows_in_keras_order():
    """Row c h w of Caffe's map of 2 x 3 pixels with 2 channels is row h w c of Keras'."""
    kernel = np.arange(12)[:, None]
    assert caffe.put_channels_last(kernel, (2, 3, 2)).ravel().tolist() == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]


def test_channels_in_groups(tmp_path):
    """Of a convolution in two groups each kernel sees half of the channels."""
    (tmp_path / "net.caffemodel").write_bytes(model({"conv": (RNG.normal(size=(4, 3, 5, 5)), RNG.normal(size=4))}))
    assert caffe.read(tmp_path / "net.caffemodel", ["conv"])["conv"][0].shape == (5, 5, 3, 4)


def test_missing_layer(path):
    with pytest.raises(InputError, match=r"net.caffemodel: weights of layer fc5: none, expected .* another network"):
        caffe.read(path, ["conv1", "fc5"])


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="absent.caffemodel: no such file"):
        caffe.read(tmp_path / "absent.caffemodel", ["conv1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (model(BLOBS)[:-100], "cannot be read as a .caffemodel"),
        (b"", "weights of layer conv1: none"),
        (b"<html>404</html>" * 20, "layer conv1: none|cannot be read"),
        (model({"conv1": (RNG.normal(size=(6, 3, 3, 3)), RNG.normal(size=7))}), r"\(6, 3, 3, 3\), \(7, 1\), expected"),
        (model({"conv1": (RNG.normal(size=(6, 3, 3, 3)),)}), r"layer conv1: \(6, 3, 3, 3\), expected kernel and bias"),
    ],
    ids=["truncated", "empty", "no model", "bias of another layer", "no bias"],
)
def test_what_is_refused(tmp_path, content, message):
    (tmp_path / "net.caffemodel").write_bytes(content)
    with pytest.raises(InputError, match=message):
        caffe.read(tmp_path / "net.caffemodel", ["conv1"])
