"""The same weights from tiny files in the three layouts of VGG-Face, and what is refused."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from common.errors import InputError
from common.networks import vggface
from tests.common.networks.test_caffe import first_format, model

SIDE, WIDTHS = (
    2,
    {"conv1": 3, "conv2": 4, "conv3": 5, "conv4": 6, "conv5": 7, "fc6": 9, "fc7": 8, "fc8": vggface.PEOPLE},
)


def weights():
    """Narrow weights for BGR images in the axes of Keras."""
    rng, found, inputs = np.random.default_rng(0), {}, 3
    for name in (*vggface.LAYERS, "fc8"):
        outputs = WIDTHS[name.split("_")[0]]
        inputs = inputs * SIDE**2 if name == "fc6" else inputs
        shape = (inputs, outputs) if name.startswith("fc") else (3, 3, inputs, outputs)
        found[name] = rng.normal(size=shape).astype(np.float32), rng.normal(size=outputs).astype(np.float32)
        inputs = outputs
    return found


def as_map(kernel):
    """fc6 as the convolution (h, w, in, out) that it is."""
    return kernel.reshape(SIDE, SIDE, -1, kernel.shape[-1])


def write_caffe(path, content, form=model):
    blobs = {}
    for name, (kernel, bias) in content.items():
        if name == "fc6":  # (out, channel height width)
            kernel = as_map(kernel).transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)
        else:
            kernel = kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
        blobs[name] = kernel, bias
    path.write_bytes(form(blobs))


def write_first_caffe(path, content):
    write_caffe(path, content, first_format)


def cells(items):
    array = np.empty((1, len(items)), object)
    array[0] = items
    return array


def layer(name, kernel, bias, early):
    kernel = as_map(kernel) if name == "fc6" else kernel[None, None] if kernel.ndim == 2 else kernel
    kernel = kernel[:, :, ::-1] if name == "conv1_1" else kernel  # for RGB images
    parts = {"filters": kernel, "biases": bias} if early else {"weights": cells([kernel, bias[:, None]])}
    return {"type": "conv", "name": name, **parts}


def write_matconvnet(path, content, wrapped=True, early=False):
    layers = []
    for name, (kernel, bias) in content.items():
        layers += [layer(name, kernel, bias, early), {"type": "relu", "name": f"relu_{name}"}]
    net = {"layers": cells(layers), "meta": {"inputSize": 224.0}}
    savemat(path, {"net": net} if wrapped else net)


def write_bare_matconvnet(path, content):
    write_matconvnet(path, content, wrapped=False)


def write_early_matconvnet(path, content):
    write_matconvnet(path, content, early=True)


def write_keras(path, content, parts=("{0}/kernel:0", "{0}/bias:0")):
    with h5py.File(path, "w") as file:
        for name, arrays in {**content, "pool1": ()}.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [part.format(name).encode() for part in parts[: len(arrays)]]
            for part, array in zip(parts, arrays):
                group[part.format(name)] = array


def write_keras_1(path, content):
    write_keras(path, content, ("{0}_W_1:0", "{0}_b_1:0"))


WRITERS = {
    "caffe": (write_caffe, "VGG_FACE.caffemodel"),
    "caffe, first format": (write_first_caffe, "VGG_FACE.caffemodel"),
    "matconvnet": (write_matconvnet, "vgg_face.mat"),
    "matconvnet, bare": (write_bare_matconvnet, "vgg-face.mat"),
    "matconvnet, early": (write_early_matconvnet, "vgg_face.mat"),
    "keras": (write_keras, "rcmalli_vggface_tf_vgg16.h5"),
    "keras 1": (write_keras_1, "rcmalli_vggface_tf_vgg16.h5"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_weights_from_each_layout(tmp_path, kind):
    write, file = WRITERS[kind]
    expected = weights()
    write(tmp_path / file, expected)
    del expected["fc8"]
    found = vggface.read(tmp_path / file)
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        for array, value in zip(arrays, found[name], strict=True):
            np.testing.assert_array_equal(value, array, name)
            assert value.dtype == np.float32


@pytest.mark.parametrize("kind", WRITERS)
def test_missing_layer(tmp_path, kind):
    write, file = WRITERS[kind]
    content = weights()
    del content["fc7"]
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=f"{file}.*fc7"):
        vggface.read(tmp_path / file)


@pytest.mark.parametrize("kind", WRITERS)
def test_the_vgg16_of_imagenet_is_refused(tmp_path, kind):
    """It has the same names and sizes but for the classifier."""
    write, file = WRITERS[kind]
    content = weights()
    content["fc8"] = tuple(array[..., :1000] for array in content["fc8"])
    write(tmp_path / file, content)
    with pytest.raises(InputError, match=f"{file}: tells 1000 classes apart"):
        vggface.read(tmp_path / file)


def test_sixteen_layers_less_the_classifier():
    assert vggface.LAYERS[:4] == ("conv1_1", "conv1_2", "conv2_1", "conv2_2")
    assert len(vggface.LAYERS) == 15 and vggface.LAYERS[-3:] == ("conv5_3", "fc6", "fc7")


@pytest.mark.parametrize("file", ["VGG_FACE.caffemodel", "vgg_face.mat", "weights.h5"])
def test_a_file_of_something_else(tmp_path, file):
    (tmp_path / file).write_bytes(b"<html>404</html>" * 20)
    with pytest.raises(InputError, match=file):
        vggface.read(tmp_path / file)


def test_unknown_kind_and_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"weights.t7: VGG-Face weights are a file .caffemodel, .mat, .h5"):
        vggface.read(tmp_path / "weights.t7")
    with pytest.raises(InputError, match=r"vgg_face.mat: no such file"):
        vggface.read(tmp_path / "vgg_face.mat")
