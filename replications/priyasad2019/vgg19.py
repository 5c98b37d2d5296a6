"""VGG19 up to fc7 (Sections 3.2 and 3.3), with ImageNet's weights, a file's or random ones.

Whatever the training changes lies behind fc6: its output is what is computed once for all folds, and fc7's weights are
where a fold begins. In the names of keras.applications, which the layers have, fc6 is fc1 and fc7 is fc2.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from common import storage
from common.errors import InputError
from common.networks import vgg
from common.networks.weights import assign, randomise

RANDOM, IMAGENET = "random", "imagenet"  # weights that are no file's
FILE = "vgg19_weights_tf_dim_ordering_tf_kernels.h5"  # as keras.applications has it, with the fully connected layers
ADDRESS = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg19/{FILE}"
MD5 = "cbe5617147190e668d6c5d5026f83318"
WIDTH, UNITS = 64, 4096  # channels of the first block and units of fc6 and fc7, as published
PUBLISHED = (
    f"published weights go with 224 or 227, {WIDTH} and {UNITS} (--profile paper), --weights {RANDOM} with others"
)
SMALLEST = 32  # pixels that five halvings leave something of
MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet
BATCH = 16  # images at a time


def build_network(settings: dict, seed: int = 0):
    """The Keras model: images as `preprocess` gives them -> {"fc6": (n, vgg_fc), "fc7": (n, vgg_fc)}, both with ReLU.

    settings: vgg_size (pixels), vgg_width (channels of the first block, to which the others are in proportion), vgg_fc
    (units), weights: "random" (drawn from `seed`), "imagenet" or a file, see `locate`. Raises InputError, also for
    weights that have other shapes.
    """
    if settings["vgg_size"] < SMALLEST:
        raise InputError(f"setting vgg_size: {settings['vgg_size']} is not accepted; give at least {SMALLEST}")
    weights = locate(settings)
    model = build_graph(settings)
    if weights == RANDOM:
        randomise(model, seed, 1 / 128)
    else:
        _load(model, Path(weights))
    return model


def build_graph(settings: dict):
    """`build_network` before its weights are set."""
    import keras
    from keras import layers

    size, zero = settings["vgg_size"], {"kernel_initializer": "zeros"}
    image = keras.Input((size, size, 3), name="image")
    x = vgg.convolve(image, 19, settings["vgg_width"] / WIDTH, "block{}_conv{}", "block{}_pool", **zero)
    fc6 = layers.Dense(settings["vgg_fc"], activation="relu", name="fc1", **zero)(x)
    fc7 = layers.Dense(settings["vgg_fc"], activation="relu", name="fc2", **zero)(fc6)
    return keras.Model(image, {"fc6": fc6, "fc7": fc7}, name="vgg19")


def preprocess(images, size: int):
    """RGB images (n, h, w, 3) in 0 to 255 as VGG19 takes them: (n, size, size, 3), a tensor.

    Bilinear to `size`, channels in the order BGR, the mean of each subtracted (Simonyan and Zisserman 2015, Section 2.1).
    """
    from keras import ops

    images = ops.image.resize(ops.cast(images, "float32"), (size, size), interpolation="bilinear")
    return images[..., ::-1] - np.array(MEAN_BGR, np.float32)


def embed(model, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """fc6 (n, vgg_fc) float32 of RGB images (n, h, w, 3) in 0 to 255, `batch` of which are held as floats at a time."""
    import tensorflow as tf

    run = _trace(model)
    features = [np.empty((0, model.get_layer("fc1").units), np.float32)]
    for first in range(0, len(images), batch):
        features.append(run(tf.constant(np.asarray(images[first : first + batch], np.float32))).numpy())
    return np.concatenate(features)


@lru_cache(maxsize=1)
def _trace(model):
    """One graph for images of any size; it leaves fc7 out."""
    import tensorflow as tf

    size = model.input_shape[1]
    graph = tf.function(lambda images: model(preprocess(images, size), training=False)["fc6"])
    return graph.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32))


def get_fc7(model) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (vgg_fc, vgg_fc) and bias (vgg_fc,) of fc7, where its training begins."""
    return tuple(np.array(variable) for variable in model.get_layer("fc2").weights)


# ---------------------------------------------------------------------------------------------------------- weights


def locate(settings: dict) -> Path | str:
    """The file of settings["weights"]; RANDOM if they are that. "imagenet" is downloaded, once, by Keras.

    Call it before processes share the work, and they find the file. Raises InputError.
    """
    weights = str(settings["weights"])
    if weights == RANDOM:
        return RANDOM
    if weights == IMAGENET:
        _check_published(settings)
        return _download()
    if not Path(weights).is_file():
        raise InputError(f"{weights}: no such file; name {FILE}, or say --weights {IMAGENET} or --weights {RANDOM}")
    return Path(weights)


def identify_weights(settings: dict, seed: int = 0) -> list:
    """What fc6 and fc7 depend on: the sizes, and the digest of the weights' file or the seed. Raises InputError."""
    weights = locate(settings)
    drawn = f"{RANDOM} {seed}" if weights == RANDOM else storage.digest_file(weights)
    return [*(settings[name] for name in ("vgg_size", "vgg_width", "vgg_fc")), drawn]


def _check_published(settings: dict) -> None:
    """Before half a gigabyte is fetched in vain."""
    sizes = [settings[name] for name in ("vgg_size", "vgg_width", "vgg_fc")]
    if [sizes[0] // SMALLEST, *sizes[1:]] != [7, WIDTH, UNITS]:
        raise InputError(
            f"--weights {IMAGENET}: vgg_size, vgg_width and vgg_fc are {', '.join(map(str, sizes))}; {PUBLISHED}"
        )


def _download() -> Path:
    """The file where keras.applications keeps it, so that neither fetches it twice."""
    import keras

    try:
        return Path(keras.utils.get_file(FILE, ADDRESS, cache_subdir="models", file_hash=MD5))
    except Exception as error:  # Keras raises its like for whatever the network does
        raise InputError(
            f"{FILE}: cannot be fetched ({' '.join(str(error).split())}); fetch {ADDRESS} elsewhere and name the file "
            f"with --weights, or go without with --weights {RANDOM}"
        ) from error


def _load(model, path: Path) -> None:
    """Set the layers to what the file has under their names, one array at a time; the classifier is not read."""
    import h5py

    try:
        with h5py.File(path) as file:
            for layer in model.layers:
                group = file[layer.name] if layer.weights else None
                for i, variable in enumerate(layer.weights):  # kernel, bias
                    values = group[group.attrs["weight_names"].astype(str)[i]]  # bytes in older files
                    assign(variable, values, f"{path}: {variable.path}", PUBLISHED)
    except InputError:
        raise
    except Exception as error:  # HDF5 has a dozen kinds for a damaged file
        raise InputError(
            f"{path}: cannot be read as weights of VGG19 ({error}); name {FILE}, or fetch it again"
        ) from error
