"""The network behind the face appearance feature (Section 3.2): AlexNet as Caffe has it, its input, its weights.

The paper names the architecture of Krizhevsky et al. 2012, Caffe, the 1032 people that are told apart, and the layer
that is kept, pool5. Caffe distributes two forms of the network (models/bvlc_alexnet and
models/bvlc_reference_caffenet), which differ in the order of pooling and normalisation: `cnn_order`.

This module imports Keras: a command line imports it only when it has checked its input.
"""

import mmap
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from common import storage
from common.errors import InputError
from common.networks import caffe
from common.networks.weights import assign, randomise

PACKAGE = "avemotion.chao2016"
RANDOM = "random"  # instead of a weights file: He's normal distribution from SEED, no biases
SEED = 0
BATCH = 16  # faces at a time, where nothing is trained
FITTING = (
    "published weights go with cnn_width 1.0 (--profile paper), your own with the settings that they were trained with"
)
RESIZED, SIZE = 256, 227  # pixels before and after cropping
MEAN_BGR = (104.007, 116.669, 122.679)  # of ImageNet: the mean image that Caffe distributes, averaged over its pixels
CONVOLUTIONS = {  # filters, kernel, stride, groups
    "conv1": (96, 11, 4, 1),
    "conv2": (256, 5, 1, 2),
    "conv3": (384, 3, 1, 1),
    "conv4": (384, 3, 1, 2),
    "conv5": (256, 3, 1, 2),
}
UNITS = 4096  # of fc6 and fc7
BIASES = {"alexnet": 0.1, "caffenet": 1.0}  # by cnn_order: the first biases of the layers BIASED; others begin with 0
BIASED = ("conv2", "conv4", "conv5", "fc6", "fc7")


# ------------------------------------------------------------------------------------------------------ the network


@keras.saving.register_keras_serializable(PACKAGE)
class LocalResponseNormalization(layers.Layer):
    """Caffe's LRN across channels: x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta.

    Krizhevsky et al. 2012, Section 3.3, do not divide alpha by the size and have k = 2. Input and output (n, h, w, c);
    beyond the first and the last channel there are zeros. ValueError for an even size.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        if size % 2 == 0:
            raise ValueError(f"size {size} has no channel in its middle")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, inputs):
        channels, beyond = inputs.shape[-1], self.size // 2
        squares = ops.pad(ops.square(inputs), [[0, 0], [0, 0], [0, 0], [beyond, beyond]])
        energy = sum(squares[..., i : i + channels] for i in range(self.size))
        scale = self.k + self.alpha / self.size * energy
        return inputs * ops.exp(-self.beta * ops.log(scale))  # a power, in half of the time that ops.power takes

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in ("size", "alpha", "beta", "k")}


@keras.saving.register_keras_serializable(PACKAGE)
class GroupedConvolution(layers.Conv2D):
    """Conv2D with groups, each computed by a convolution of its own.

    On a processor Keras leaves groups to XLA, which took 33 times as long for the gradients of conv2. The kernel is
    (h, w, in / groups, out), as in Keras and Caffe: of two groups the first half of the outputs sees that of the inputs.
    """

    def convolution_op(self, inputs, kernel):
        parts = zip(ops.split(inputs, self.groups, axis=-1), ops.split(kernel, self.groups, axis=-1), strict=True)
        return ops.concatenate([super(GroupedConvolution, self).convolution_op(*part) for part in parts], axis=-1)


def build_network(settings: dict, outputs: int = 0) -> keras.Model:
    """AlexNet as a functional Keras model, drawn from Keras' seed by Caffe's fillers. Layers have Caffe's names.

    Input (n, 227, 227, 3) as `preprocess` gives it, output (n, outputs) logits; without outputs it ends with pool5,
    flattened: (n, 9216). settings: cnn_order, cnn_width (factor on filters and units), cnn_dropout, cnn_weight_decay.
    """
    order, width = settings["cnn_order"], settings["cnn_width"]
    inputs = x = keras.Input((SIZE, SIZE, 3), name="face")
    for number, (name, (filters, kernel, stride, groups)) in enumerate(CONVOLUTIONS.items(), 1):
        kind = GroupedConvolution if groups > 1 else layers.Conv2D
        shape = {"strides": stride, "padding": "valid" if stride > 1 else "same", "groups": groups}
        x = kind(_scale(filters, width), kernel, **shape, name=name, **_choose_fillers(name, 0.01, settings))(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        if number in (1, 2, 5):
            x = _pool(x, number, order)
    x = layers.Flatten(name="flatten")(x)
    if outputs:
        for number in (6, 7):
            name = f"fc{number}"
            x = layers.Dense(_scale(UNITS, width), name=name, **_choose_fillers(name, 0.005, settings))(x)
            x = layers.ReLU(name=f"relu{number}")(x)
            x = layers.Dropout(settings["cnn_dropout"], name=f"drop{number}")(x)
        x = layers.Dense(outputs, name="fc8", **_choose_fillers("fc8", 0.01, settings))(x)
    return keras.Model(inputs, x, name=order)


def _pool(x, number: int, order: str):
    """Overlapping pooling; but for the last one with normalisation, before it or after it."""
    pool = layers.MaxPooling2D(3, 2, name=f"pool{number}")
    if number == 5:
        return pool(x)
    norm = LocalResponseNormalization(name=f"norm{number}")
    return pool(norm(x)) if order == "alexnet" else norm(pool(x))


def _scale(count: int, width: float) -> int:
    """Even, so that there can be two groups."""
    return 2 * max(1, round(count * width / 2))


def _choose_fillers(name: str, deviation: float, settings: dict) -> dict:
    """Caffe's fillers and decay. Where a layer has fewer inputs than the paper's, the deviation makes up for it."""
    inputs = 1.0 if name == "conv1" else settings["cnn_width"]
    return {
        "kernel_initializer": keras.initializers.RandomNormal(stddev=deviation / inputs**0.5),
        "bias_initializer": keras.initializers.Constant(BIASES[settings["cnn_order"]] if name in BIASED else 0.0),
        "kernel_regularizer": keras.regularizers.L2(settings["cnn_weight_decay"] / 2),  # its gradient is the decay
    }


# -------------------------------------------------------------------------------------------------------- its input


def preprocess(images: Iterable[np.ndarray]) -> np.ndarray:
    """RGB faces (h, w, 3) uint8 of any sizes as Caffe scores them: (n, 227, 227, 3) float32.

    Bilinear to 256 x 256 pixels, the middle 227 x 227 of them, channels in the order BGR, the mean of each subtracted.
    """
    start = (RESIZED - SIZE) // 2
    return _subtract_mean([_resize(image)[start : start + SIZE, start : start + SIZE] for image in images])


def augment(images: Iterable[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """As `preprocess`, but as Caffe trains: 227 x 227 pixels from anywhere, every other image mirrored, by chance."""
    crops = []
    for image in images:
        top, left = rng.integers(0, RESIZED - SIZE + 1, 2)
        crop = _resize(image)[top : top + SIZE, left : left + SIZE]
        crops.append(crop[:, ::-1] if rng.integers(2) else crop)
    return _subtract_mean(crops)


def _resize(image: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(image, (RESIZED, RESIZED), interpolation=cv2.INTER_LINEAR)


def _subtract_mean(crops: list[np.ndarray]) -> np.ndarray:
    if not crops:
        return np.empty((0, SIZE, SIZE, 3), np.float32)
    return np.stack(crops)[..., ::-1] - np.array(MEAN_BGR, np.float32)


# ---------------------------------------------------------------------------------------------------------- weights


def load(model: keras.Model, weights: Path | str) -> None:
    """Set all layers of `model` to `weights`: a .caffemodel, an .npz that `save` has written, or RANDOM.

    What the file has beyond the last layer of `model` is not read: a network without outputs takes any number of
    people. Where a .caffemodel lists its layers, `cnn_order` must be theirs. Raises InputError for a
    file that cannot be read, lacks a layer, or has another order, other shapes, NaN or infinity.
    """
    named = {layer.name: layer for layer in model.layers if layer.weights}
    if str(weights) == RANDOM:
        return randomise(
            model, SEED, 1 / 128
        )  # pixels, kept as large as they are, would saturate the tanh behind pool5
    path = Path(weights)
    readers = {".caffemodel": _read_caffe, ".npz": _read_npz}
    if path.suffix not in readers:
        raise InputError(f"{path}: weights are a file {' or '.join(readers)}; name one, or say {RANDOM}")
    for name, values in readers[path.suffix](path, named, model).items():
        for variable, array in zip((named[name].kernel, named[name].bias), values, strict=True):
            assign(variable, array, f"{path}: {variable.path}", FITTING)


def _check_order(path: Path, order: str) -> None:
    """Raise InputError where the file itself, which lists its layers in turn, is of the other order."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        norm, pool = (content.find(name) for name in (b"norm1", b"pool1"))
    other = "caffenet" if order == "alexnet" else "alexnet"
    if min(norm, pool) >= 0 and (norm < pool) != (order == "alexnet"):
        raise InputError(f"{path}: is of the order {other}, not {order}; give --set cnn_order={other}")


def _read_caffe(path: Path, names: Iterable[str], model: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = caffe.read(path, names)
    _check_order(path, model.name)
    if "fc6" in found:
        kernel, bias = found["fc6"]
        shape = model.get_layer("pool5").output.shape[1:]
        if len(kernel) == np.prod(shape):
            found["fc6"] = caffe.put_channels_last(kernel, shape), bias
    return found


def _read_npz(path: Path, names: Iterable[str], model: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; name what replications.chao2016.train_cnn has written")
    try:
        with np.load(path, allow_pickle=False) as archive:
            order = str(archive["order"])
            found = {name: (archive[f"{name}/kernel"], archive[f"{name}/bias"]) for name in names}
    except Exception as error:  # zip and NumPy have several kinds for a damaged file
        raise InputError(f"{path}: cannot be read as weights of this network ({error}); train it again") from error
    if order != model.name:
        raise InputError(f"{path}: trained with cnn_order {order}, asked for {model.name}; --set cnn_order={order}")
    return found


def save(path: Path, model: keras.Model) -> None:
    """Write the weights of `model` and its order to an .npz. Raises WriteError."""
    arrays = {variable.path: np.array(variable) for layer in model.layers for variable in layer.weights}
    storage.write_atomically(path, lambda file: np.savez(file, order=model.name, **arrays))


# --------------------------------------------------------------------------------------------------------- features


def build_extractor(model: keras.Model) -> keras.Model:
    """The part of `model` up to pool5: the features (n, 9216) of Section 3.2, flattened by row, column, channel."""
    return keras.Model(model.input, model.get_layer("flatten").output, name=model.name)


def embed(extractor: keras.Model, crops: Iterable[np.ndarray], batch: int = BATCH) -> np.ndarray:
    """Features (n, width) float32 of a stream of RGB faces (h, w, 3) uint8, `batch` of which are held at a time."""
    crops, features = iter(crops), [np.empty((0, extractor.output_shape[1]), np.float32)]
    while faces := list(islice(crops, batch)):
        full = faces + faces[-1:] * (batch - len(faces))  # of another length, the last ones would be traced anew
        features.append(extractor.predict_on_batch(preprocess(full))[: len(faces)])
    return np.concatenate(features)
