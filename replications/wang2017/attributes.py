"""The discrete emotion CNN (Section 3.2): VGG-16 with the weights of VGG-Face, fine-tuned on FER2013; features at fc6.

The paper counts six expressions in Section 3.2 and lists seven with their numbers in Section 4.1: there are seven.
It says nothing of the fine-tuning. Here it is that of Caffe's own example: SGD with momentum, the new layer fc8
learning at a rate of its own, L2 weight decay on the kernels, dropout after fc6 and fc7 as in VGG-16.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from common import metrics, storage
from common.errors import InputError
from common.networks import training, vgg, vggface
from common.networks.weights import assign
from datasets.fer2013 import CLASSES, USAGES, Fer2013

RANDOM = "random"  # instead of a weights file: He's normal distribution, no biases
FITTING = f"published weights go with the full sizes (--profile paper), --weights {RANDOM} with others"
BATCH = 16  # faces at a time, where nothing is trained
HEAD = "fc8"  # the only layer that VGG-Face does not give


def build_network(settings: dict, classes: int = len(CLASSES)):
    """VGG-16 (Simonyan and Zisserman 2015, configuration D) as a functional Keras model, drawn from Keras' seed.

    Input (n, face_size, face_size, 3) as `preprocess` gives it, output (n, classes) logits. Layers have VGG-Face's
    names. settings: face_size, cnn_width (factor on the filters), fc_units, cnn_dropout, cnn_weight_decay.
    """
    from keras import Input, Model, layers, regularizers

    drawn = {
        "kernel_initializer": "he_normal",
        "kernel_regularizer": regularizers.L2(settings["cnn_weight_decay"] / 2),  # its gradient is the decay
    }
    size = settings["face_size"]
    inputs = Input((size, size, 3), name="face")
    x = vgg.convolve(inputs, 16, settings["cnn_width"], "conv{}_{}", "pool{}", **drawn)
    for name in ("fc6", "fc7"):
        x = layers.Dense(settings["fc_units"], activation="relu", name=name, **drawn)(x)
        x = layers.Dropout(settings["cnn_dropout"], name=f"{name}_dropout")(x)
    return Model(inputs, layers.Dense(classes, name=HEAD, **drawn)(x))


def preprocess(images: np.ndarray, size: int) -> np.ndarray:
    """Faces (n, h, w) grey or (n, h, w, 3) RGB, uint8, as VGG-Face takes them: (n, size, size, 3) float32.

    Bilinear to `size` pixels, grey in all three channels, VGG-Face's mean subtracted, channels in the order BGR.
    """
    import cv2

    if images.shape[1:3] != (size, size):
        images = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in images])
    if images.ndim == 3:
        images = images[..., None]
    return images[..., ::-1] - np.array(vggface.MEAN_RGB[::-1], np.float32)


def load(model, path: Path) -> None:
    """Set conv1_1 to fc7 of `model` to the VGG-Face weights in `path`. Raises InputError, also for other shapes."""
    for name, values in vggface.read(path).items():
        _assign(model.get_layer(name), values, path)


def _assign(layer, values: Iterable[np.ndarray], path: Path) -> None:
    for variable, array in zip(layer.weights, values, strict=True):
        assign(variable, array, f"{path}: {variable.path}", FITTING)


def fine_tune(
    settings: dict,
    faces: Fer2013,
    weights: Path | str,
    seed: int,
    checkpoint: Path,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[object, dict]:
    """Train a network on the faces of usage Training, from the VGG-Face weights in the file `weights`, or RANDOM ones.

    Returns the model after the last epoch and a report: `history` (see training.fit), and, for PublicTest and
    PrivateTest, `accuracy` and `uar` (0 to 1, None where a class is absent). It goes on from `checkpoint`. Raises InputError.
    """
    training.prepare(seed)
    model, scale = build_network(settings), 1.0
    if str(weights) == RANDOM:
        scale = 1 / 128  # He et al. 2015: their distribution is for inputs of about 1; with pixels, training diverges
    else:
        load(model, Path(weights))
    _compile(model, settings)
    rows = {usage: np.flatnonzero(faces.usage == usage) for usage in USAGES}
    for usage, index in rows.items():
        if not index.size:
            raise InputError(f"FER2013: no faces of usage {usage}; see `python -m datasets.check fer2013`")

    def batches(usage: str, scale: float = 1.0) -> Callable[[np.ndarray], tuple[dict, np.ndarray]]:
        images, labels = faces.images[rows[usage]], faces.labels[rows[usage]]
        return lambda index: ({"face": preprocess(images[index], settings["face_size"]) * scale}, labels[index])

    history = training.fit(
        model,
        batches("Training", scale),
        len(rows["Training"]),
        epochs=settings["cnn_epochs"],
        batch_size=settings["cnn_batch"],
        seed=seed,
        checkpoint=checkpoint,
        digest=identify_training(settings, faces, weights),
        progress=progress,
    )
    first = model.get_layer("conv1_1").kernel
    first.assign(first * scale)  # from here on the model takes what `preprocess` gives
    report = {"history": history, "accuracy": {}, "uar": {}}
    for usage in ("PublicTest", "PrivateTest"):
        logits = training.predict(model, batches(usage), len(rows[usage]), BATCH)
        scored, classes = (faces.labels[rows[usage]], logits.argmax(axis=1)), range(len(CLASSES))
        uar = metrics.uar(*scored, classes=classes)
        report["accuracy"][usage] = metrics.accuracy(*scored, classes=classes)
        report["uar"][usage] = uar if np.isfinite(uar) else None
    return model, report


def _compile(model, settings: dict) -> None:
    import keras

    from common.networks.optimizers import ScaledSGD

    faster = settings["cnn_head_learning_rate"] / settings["cnn_learning_rate"]
    head = {variable.path: faster for variable in model.get_layer(HEAD).weights}
    model.compile(
        ScaledSGD(settings["cnn_learning_rate"], settings["cnn_momentum"], head),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def select_settings(settings: dict) -> dict:
    """The settings that the CNN and its training depend on."""
    return {name: value for name, value in settings.items() if name.startswith(("cnn_", "fc_", "face_"))}


def identify_training(settings: dict, faces: Fer2013, weights: Path | str) -> str:
    """What a checkpoint belongs to: the CNN's settings, the faces, the first weights."""
    seen = [storage.digest_bytes(array.tobytes()) for array in (faces.images, faces.labels, faces.usage)]
    return storage.digest(
        [select_settings(settings), seen, RANDOM if str(weights) == RANDOM else storage.digest_file(Path(weights))]
    )


def build_extractor(model):
    """The part of `model` up to fc6 with its ReLU: the attribute-related features (n, fc_units) of Section 3.2."""
    import keras

    return keras.Model(model.input, model.get_layer("fc6").output)


def embed(extractor, crops: Iterable[np.ndarray]) -> np.ndarray:
    """Features (n, fc_units) float32 of a stream of RGB faces (h, w, 3) uint8, BATCH of which are held at a time."""
    size, width = extractor.input_shape[1], extractor.output_shape[1]
    crops, features = iter(crops), [np.empty((0, width), np.float32)]
    while batch := list(islice(crops, BATCH)):
        features.append(extractor.predict_on_batch(preprocess(np.stack(batch), size)))  # a graph, without dropout
    return np.concatenate(features)


def save(path: Path, model) -> None:
    """Write the weights of `model` to an .npz. Raises WriteError."""
    arrays = {variable.path: np.array(variable) for variable in model.weights}
    storage.write_atomically(path, lambda file: np.savez(file, **arrays))


def restore(path: Path, settings: dict):
    """The network of `settings` with the weights that `save` wrote. Raises InputError."""
    model = build_network(settings)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [(layer, [archive[variable.path] for variable in layer.weights]) for layer in model.layers]
    except Exception as error:  # zip and NumPy have several kinds for a damaged file
        raise InputError(f"{path}: cannot be read as weights of this network ({error}); delete it") from error
    for layer, values in arrays:
        _assign(layer, values, path)
    return model
