"""Published convolutional networks, cut at the layer whose output serves as features of an image.

| name           | features                                | width | weights file                                               |
|----------------|-----------------------------------------|-------|------------------------------------------------------------|
| vgg16          | second fully connected layer (fc2)      | 4096  | vgg16_weights_tf_dim_ordering_tf_kernels.h5                |
| alexnet        | second fully connected layer, with ReLU | 4096  | alexnet.npz                                                |
| densenet121    | last average pooling                    | 1024  | densenet121_weights_tf_dim_ordering_tf_kernels[_notop].h5  |
| densenet201    | last average pooling                    | 1920  | densenet201_weights_tf_dim_ordering_tf_kernels[_notop].h5  |
| affwild_vgg16  | first fully connected layer             | 4096  | affwild_vgg16.npz                                          |
| affwild_resnet50 | global average pooling                | 2048  | affwild_resnet50.npz                                       |

The .h5 files are those of keras.applications. An .npz has the arrays of the network's original file under their
own names and in their own axes; whoever has that file and its framework makes it in one line:

    np.savez("alexnet.npz", **{k: v.numpy() for k, v in torchvision.models.alexnet(weights="DEFAULT").state_dict().items()})
    reader = tf.train.load_checkpoint("Affwild_models/VGG/model.ckpt-975")
    np.savez("affwild_vgg16.npz", **{k: reader.get_tensor(k) for k in reader.get_variable_to_shape_map()})

AlexNet is the one-column network of torchvision (Krizhevsky 2014). The two networks of Aff-Wild (Kollias et al. 2019)
take faces of 96 x 96 pixels. Their ResNet-50 is TF-Slim's, which keras.applications has not: slim strides in the
3 x 3 convolution of a block's last unit, Keras in the 1 x 1 convolution of its first; and slim's convolutions have
no biases. The same weights in the Keras layout would give other features.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.networks.weights import assign, randomise

RANDOM = "random"  # instead of a folder: weights drawn from SEED
SEED = 0
BATCH = 16  # images at a time


@dataclass(frozen=True)
class Network:
    """`width` features of images of `size` pixels; the names that its weights file may have.

    build() gives the Keras model; scale() turns RGB in 0..255 into its input; read() gives names and values of
    the weights in a file, in the order and the axes of the model's own.
    """

    width: int
    size: int
    files: tuple[str, ...]
    build: Callable
    scale: Callable[[np.ndarray], np.ndarray]
    read: Callable[[Path, object], Iterator[tuple[str, np.ndarray]]]


def locate(name: str, weights: str) -> Path | str:
    """The weights file of network `name` in the folder `weights`; RANDOM if `weights` is that. Raises InputError."""
    if weights == RANDOM:
        return RANDOM
    files = NETWORKS[name].files
    if not weights:
        raise InputError(
            f"{name}: no weights are given; name the folder that has {' or '.join(files)} with --weights FOLDER, "
            f"or go without published weights with --weights random"
        )
    for file in files:
        if (Path(weights) / file).is_file():
            return Path(weights) / file
    raise InputError(
        f"{Path(weights) / files[0]}: missing, the weights of {name}; put it there (common/networks/backbones.py says where "
        f"it comes from), or go without published weights with --weights random"
    )


def digest(name: str, weights: str) -> str:
    """What identifies the weights in the key of a cache: the digest of their file, or the seed. Raises InputError."""
    path = locate(name, weights)
    return f"{RANDOM} {SEED}" if path == RANDOM else storage.digest_file(path)


def build(name: str, weights: Path | str):
    """The Keras model of network `name`: input as `preprocess` gives it, output (n, width) float32.

    `weights`: its file, as `locate` finds it, or RANDOM: He's normal distribution, no biases, from SEED.
    Raises InputError for a file that cannot be read or is of another network.
    """
    model = NETWORKS[name].build()
    if weights == RANDOM:
        randomise(model, SEED)
    else:
        _load(model, name, Path(weights))
    return model


def preprocess(name: str, images: np.ndarray) -> np.ndarray:
    """RGB images (n, h, w, 3) uint8 as network `name` takes them: (n, size, size, 3) float32.

    All are brought to the network's size by nearest neighbour. Then, as DeepSpectrum does it: vgg16: channels in the
    order BGR, means not subtracted; densenet*: as in keras.applications, to [0, 1], ImageNet's mean and standard
    deviation; alexnet: to [0, 1] only. affwild_*, as AVEC 2019 does it: to [-1, 1].
    """
    network = NETWORKS[name]
    rows, columns = (_pick_nearest(length, network.size) for length in images.shape[1:3])
    return network.scale(images[:, rows[:, None], columns].astype(np.float32))


def embed(name: str, weights: Path | str, images: Iterable[np.ndarray]) -> np.ndarray:
    """Features (n, width) float32 of a stream of RGB images (h, w, 3) uint8, BATCH of which are held at a time.

    The network is built for this call and freed after it. Raises InputError, as `build`.
    """
    import tensorflow as tf

    model = build(name, weights)
    # a graph: call by call, Keras would keep what every layer puts out until the last layer has run
    graph = tf.function(lambda batch: model(batch, training=False))
    run = graph.get_concrete_function(tf.TensorSpec((None, *model.input_shape[1:])))
    images = iter(images)
    features = [np.empty((0, NETWORKS[name].width), np.float32)]
    while batch := list(islice(images, BATCH)):
        features.append(run(tf.constant(preprocess(name, np.stack(batch)))).numpy())
    return np.concatenate(features)


def _pick_nearest(length: int, size: int) -> np.ndarray:
    """Of `length` pixels the `size` ones under the centres of as many new pixels."""
    return ((np.arange(size) + 0.5) * length / size).astype(int)


# weights


def _load(model, name: str, path: Path) -> None:
    """Set the model's weights from `path`, one array at a time; what a file has beyond them is the classifier."""
    arrays = NETWORKS[name].read(path, model)
    for variable in model.weights:
        try:
            key, array = next(arrays)
        except StopIteration:
            raise InputError(f"{path}: has fewer layers than {name} has; it is of another network") from None
        except Exception as error:  # zip, HDF5 and NumPy have a dozen kinds for a damaged file
            raise InputError(f"{path}: cannot be read as weights of {name} ({error}); fetch it again") from error
        assign(variable, array, f"{path}: {key}", f"it is of another network than {name}")


def _read_keras(path: Path, model) -> Iterator[tuple[str, np.ndarray]]:
    """Layer by layer, in the file's order; names are not compared, because they differ between versions of Keras."""
    import h5py

    with h5py.File(path) as file:
        for layer in file.attrs["layer_names"].astype(str):  # bytes in older files
            for key in file[layer].attrs["weight_names"].astype(str):
                yield key, file[layer][key][()]


def _read_torch(path: Path, model) -> Iterator[tuple[str, np.ndarray]]:
    """Layers are named as in torch, whose kernels are (out, in, height, width) and (out, in)."""
    with np.load(path, allow_pickle=False) as archive:
        for layer in model.layers:
            for part in ("weight", "bias")[: len(layer.weights)]:
                array = archive[f"{layer.name}.{part}"]
                yield f"{layer.name}.{part}", array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _read_affwild_vgg(path: Path, model) -> Iterator[tuple[str, np.ndarray]]:
    with np.load(path, allow_pickle=False) as archive:
        for layer in [f"conv_{number}" for number in range(1, 14)] + ["linear_1"]:
            for part in ("weights", "biases"):
                yield f"{layer}/{part}", archive[f"{layer}/{part}"]


def _read_slim(path: Path, model) -> Iterator[tuple[str, np.ndarray]]:
    """Layers are named as in slim, with dots for slashes, which Keras does not allow."""
    with np.load(path, allow_pickle=False) as archive:
        for variable in model.weights:
            layer, part = variable.path.rsplit("/", 1)
            key = f"{layer.replace('.', '/')}/{'weights' if part == 'kernel' else part}"
            yield key, archive[key]


# networks


def _vgg16():
    import keras

    whole = keras.applications.VGG16(weights=None)
    return keras.Model(whole.input, whole.get_layer("fc2").output)


def _densenet(depth: int):
    import keras

    build = {121: keras.applications.DenseNet121, 201: keras.applications.DenseNet201}[depth]
    return build(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))


def _alexnet():
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((227, 227, 3)),
            layers.ZeroPadding2D(2),
            layers.Conv2D(64, 11, 4, activation="relu", name="features.0"),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(192, 5, padding="same", activation="relu", name="features.3"),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(384, 3, padding="same", activation="relu", name="features.6"),
            layers.Conv2D(256, 3, padding="same", activation="relu", name="features.8"),
            layers.Conv2D(256, 3, padding="same", activation="relu", name="features.10"),
            layers.MaxPooling2D(3, 2),
            layers.Permute((3, 1, 2)),  # torch flattens channels first
            layers.Flatten(),
            layers.Dense(4096, activation="relu", name="classifier.1"),
            layers.Dense(4096, activation="relu", name="classifier.4"),
        ]
    )


def _affwild_vgg16():
    import keras

    convolutions = keras.applications.VGG16(weights=None, include_top=False, input_shape=(96, 96, 3))
    flat = keras.layers.Flatten()(convolutions.output)  # 3 x 3 x 512
    return keras.Model(convolutions.input, keras.layers.Dense(4096, activation="relu")(flat))


def _affwild_resnet50():
    """TF-Slim's resnet_v1_50 up to the global average pooling."""
    import keras
    from keras import layers

    image = layers.Input((96, 96, 3))
    x = _slim_convolution(image, 64, 7, 2, "resnet_v1_50.conv1")
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for block, (depth, units, stride) in enumerate([(64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)], 1):
        for unit in range(1, units + 1):
            scope = f"resnet_v1_50.block{block}.unit_{unit}.bottleneck_v1"
            x = _slim_bottleneck(x, depth, stride if unit == units else 1, scope)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


def _slim_bottleneck(x, depth: int, stride: int, scope: str):
    from keras import layers

    if x.shape[-1] == 4 * depth:
        shortcut = layers.MaxPooling2D(1, stride)(x)
    else:
        shortcut = _slim_convolution(x, 4 * depth, 1, stride, f"{scope}.shortcut", relu=False)
    x = _slim_convolution(x, depth, 1, 1, f"{scope}.conv1")
    x = _slim_convolution(x, depth, 3, stride, f"{scope}.conv2")
    x = _slim_convolution(x, 4 * depth, 1, 1, f"{scope}.conv3", relu=False)
    return layers.ReLU()(layers.Add()([shortcut, x]))


def _slim_convolution(x, filters: int, size: int, stride: int, name: str, relu: bool = True):
    """Convolution and batch normalisation; a stride pads as if there were none, which "same" does not."""
    from keras import layers

    if size > 1 and stride > 1:
        x = layers.ZeroPadding2D((size - 1) // 2)(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.Conv2D(filters, size, stride, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(epsilon=1e-5, name=f"{name}.BatchNorm")(x)
    return layers.ReLU()(x) if relu else x


def _standardise(images: np.ndarray) -> np.ndarray:
    import keras

    return keras.applications.densenet.preprocess_input(images)


def _name_densenet_files(depth: int) -> tuple[str, ...]:
    stem = f"densenet{depth}_weights_tf_dim_ordering_tf_kernels"
    return f"{stem}.h5", f"{stem}_notop.h5"


NETWORKS = {
    "vgg16": Network(
        4096,
        224,
        ("vgg16_weights_tf_dim_ordering_tf_kernels.h5",),
        _vgg16,
        lambda images: images[..., ::-1],
        _read_keras,
    ),
    "alexnet": Network(4096, 227, ("alexnet.npz",), _alexnet, lambda images: images / 255, _read_torch),
    "densenet121": Network(1024, 224, _name_densenet_files(121), lambda: _densenet(121), _standardise, _read_keras),
    "densenet201": Network(1920, 224, _name_densenet_files(201), lambda: _densenet(201), _standardise, _read_keras),
    "affwild_vgg16": Network(
        4096, 96, ("affwild_vgg16.npz",), _affwild_vgg16, lambda images: images / 127.5 - 1, _read_affwild_vgg
    ),
    "affwild_resnet50": Network(
        2048, 96, ("affwild_resnet50.npz",), _affwild_resnet50, lambda images: images / 127.5 - 1, _read_slim
    ),
}
