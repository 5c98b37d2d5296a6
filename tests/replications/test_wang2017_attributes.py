"""VGG-16 on faces: its size, its input, published weights, fine-tuning that goes on where it stopped, features at fc6."""

import numpy as np
import pytest

from common.errors import InputError
from common.networks import training, vggface
from datasets.fer2013 import Fer2013
from replications.wang2017 import attributes
from tests.common.networks import test_vggface as layouts

SETTINGS = {
    "face_size": 32,
    "cnn_width": 0.0625,
    "fc_units": 16,
    "cnn_epochs": 3,
    "cnn_batch": 4,
    "cnn_learning_rate": 0.001,
    "cnn_head_learning_rate": 0.01,
    "cnn_momentum": 0.9,
    "cnn_weight_decay": 0.0005,
    "cnn_dropout": 0.5,
}
PAPER = SETTINGS | {"face_size": 224, "cnn_width": 1.0, "fc_units": 4096}


class Killed(Exception):
    pass


def faces(count=20):
    rng = np.random.default_rng(0)
    return Fer2013(
        images=rng.integers(0, 256, (count, 48, 48)).astype(np.uint8),
        labels=np.arange(count) % 7,
        usage=np.array(["Training"] * (count - 8) + ["PublicTest"] * 7 + ["PrivateTest"]),
    )


def network(seed=0, **changed):
    training.prepare(seed)
    return attributes.build_network(SETTINGS | changed)


def arrays(model):
    return [np.array(weight) for weight in model.weights]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# the network


def test_the_paper_s_network_is_vgg16():
    """13 convolutions of 14,714,688 parameters (Simonyan and Zisserman 2015), 7 x 7 x 512 values into fc6 of 4096."""
    import keras

    with keras.StatelessScope(initialize_variables=False):  # sizes without the half gigabyte
        model = attributes.build_network(PAPER)
        counts = {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}
        assert tuple(counts) == (*vggface.LAYERS, "fc8")
        assert sum(count for name, count in counts.items() if name.startswith("conv")) == 14_714_688
        assert counts["fc6"] == 4096 * (7 * 7 * 512 + 1)
        assert counts["fc7"] == 4096 * 4097 and counts["fc8"] == 7 * 4097
        assert model.input_shape == (None, 224, 224, 3) and model.output_shape == (None, 7)


def test_weights_come_from_the_seed():
    one = arrays(network())
    assert same(arrays(network()), one) and not same(arrays(network(1)), one)
    assert all((array == 0).all() for array in one if array.ndim == 1)


# its input


def test_grey_becomes_bgr_less_the_mean():
    found = attributes.preprocess(np.full((1, 32, 32), 100, np.uint8), 32)
    assert found.shape == (1, 32, 32, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found[0, 5, 7], [100 - 93.5940, 100 - 104.7624, 100 - 129.1863], rtol=1e-6)


def test_rgb_becomes_bgr_less_the_mean():
    image = np.broadcast_to(np.array([10, 20, 30], np.uint8), (2, 32, 32, 3))
    found = attributes.preprocess(image, 32)
    np.testing.assert_allclose(found[1, 0, 0], [30 - 93.5940, 20 - 104.7624, 10 - 129.1863], rtol=1e-6)


def test_size_is_changed_bilinearly():
    """Twice the size: the new pixels lie a quarter of a pixel from the old ones; the border is repeated."""
    image = np.array([[[0, 100], [0, 100]]], np.uint8)
    found = attributes.preprocess(image, 4)[0, :, :, 1] + vggface.MEAN_RGB[1]
    np.testing.assert_allclose(found, np.tile([0, 25, 75, 100], (4, 1)), atol=1e-4)


# published weights


@pytest.fixture
def fitting(monkeypatch):
    """Published weights as narrow as the network of SETTINGS."""
    widths = {
        "conv1": 4,
        "conv2": 8,
        "conv3": 16,
        "conv4": 32,
        "conv5": 32,
        "fc6": 16,
        "fc7": 16,
        "fc8": vggface.PEOPLE,
    }
    monkeypatch.setattr(layouts, "WIDTHS", widths)
    monkeypatch.setattr(layouts, "SIDE", 1)


@pytest.mark.parametrize("kind", ["caffe", "matconvnet", "keras"])
def test_published_weights_are_loaded(tmp_path, fitting, kind):
    write, file = layouts.WRITERS[kind]
    write(tmp_path / file, layouts.weights())
    model = network()
    head = arrays(model.get_layer("fc8"))
    attributes.load(model, tmp_path / file)
    for name in vggface.LAYERS:
        assert same(arrays(model.get_layer(name)), layouts.weights()[name])
    assert same(arrays(model.get_layer("fc8")), head)


def test_weights_of_another_size_are_refused(tmp_path, fitting):
    layouts.write_keras(tmp_path / "vgg.h5", layouts.weights())
    with pytest.raises(InputError, match=r"vgg.h5: fc6/kernel has shape \(32, 16\), \(128, 16\) is needed; .*paper"):
        attributes.load(network(face_size=64), tmp_path / "vgg.h5")


def test_weights_that_are_no_numbers_are_refused(tmp_path, fitting):
    content = layouts.weights()
    content["conv3_2"][1][0] = np.nan
    layouts.write_keras(tmp_path / "vgg.h5", content)
    with pytest.raises(InputError, match="vgg.h5: conv3_2/bias holds NaN"):
        attributes.load(network(), tmp_path / "vgg.h5")


# fine-tuning


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    return attributes.fine_tune(SETTINGS, faces(), "random", 0, tmp_path_factory.mktemp("tuned") / "checkpoint")


def test_report(tuned):
    model, report = tuned
    assert len(report["history"]["loss"]) == 3
    assert set(report["accuracy"]) == set(report["uar"]) == {"PublicTest", "PrivateTest"}
    rows = faces()
    public = rows.usage == "PublicTest"
    logits = np.array(model(attributes.preprocess(rows.images[public], 32), training=False))
    assert report["accuracy"]["PublicTest"] == np.mean(logits.argmax(1) == rows.labels[public])
    assert report["uar"]["PrivateTest"] is None  # six classes are absent


def test_fine_tuning_is_deterministic_and_goes_on_after_a_kill(tmp_path, monkeypatch, tuned):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)

    def progress(fraction):
        if fraction > 0.8:
            raise Killed

    with pytest.raises(Killed):
        attributes.fine_tune(SETTINGS, faces(), "random", 0, tmp_path / "checkpoint", progress)
    seen = []
    model, report = attributes.fine_tune(SETTINGS, faces(), "random", 0, tmp_path / "checkpoint", seen.append)
    assert seen[0] > 2 / 3  # what was done is not done again
    assert same(arrays(model), arrays(tuned[0])) and report["history"] == tuned[1]["history"]


def test_a_checkpoint_belongs_to_settings_faces_and_weights(tmp_path):
    rows = faces()
    (tmp_path / "vgg.h5").write_bytes(b"weights")
    own = attributes.identify_training(SETTINGS, rows, "random")
    assert attributes.identify_training(SETTINGS | {"lstm_units": [50, 40]}, faces(), "random") == own
    labels = np.roll(rows.labels, 1)
    others = (
        (SETTINGS | {"cnn_momentum": 0.8}, rows, "random"),
        (SETTINGS, Fer2013(rows.images, labels, rows.usage), "random"),
        (SETTINGS, Fer2013(rows.images, rows.labels, np.roll(rows.usage, 1)), "random"),
        (SETTINGS, rows, tmp_path / "vgg.h5"),
    )
    assert len({own, *(attributes.identify_training(*other) for other in others)}) == 5


def test_fine_tuning_starts_from_published_weights(tmp_path, monkeypatch, fitting):
    layouts.write_keras(tmp_path / "vgg.h5", layouts.weights())
    fed = []
    monkeypatch.setattr(training, "fit", lambda model, batch, samples, **_: fed.append(batch(np.arange(samples))))
    model, _ = attributes.fine_tune(SETTINGS, faces(), tmp_path / "vgg.h5", 0, tmp_path / "checkpoint")
    assert same(arrays(model.get_layer("conv1_1")), layouts.weights()["conv1_1"])
    assert same(arrays(model.get_layer("fc7")), layouts.weights()["fc7"])
    (inputs, labels), rows = fed[0], faces()
    np.testing.assert_array_equal(inputs["face"], attributes.preprocess(rows.images[:12], 32))
    np.testing.assert_array_equal(labels, rows.labels[:12])


def test_random_weights_are_trained_on_small_inputs_and_then_take_pixels(tmp_path, monkeypatch):
    """What is learnt on pixels / 128 is scored, saved and used on pixels."""
    fed = []
    monkeypatch.setattr(training, "fit", lambda model, batch, samples, **_: fed.append(batch(np.arange(samples))))
    model, _ = attributes.fine_tune(SETTINGS, faces(), "random", 0, tmp_path / "checkpoint")
    pixels = attributes.preprocess(faces().images[:12], 32)
    np.testing.assert_array_equal(fed[0][0]["face"], pixels / 128)
    np.testing.assert_allclose(np.array(model(pixels)), np.array(network()(pixels / 128)), rtol=1e-3, atol=1e-5)


def test_one_step_of_sgd():
    """w - rate (gradient + decay w) without momentum; the rate of fc8 is its own, biases do not decay."""
    import tensorflow as tf

    settings = SETTINGS | {"cnn_momentum": 0.0, "cnn_dropout": 0.0, "cnn_weight_decay": 0.1}
    model = network(**settings)
    rows = faces(8)
    images, labels = attributes.preprocess(rows.images, 32) / 128, rows.labels
    before = arrays(model)
    with tf.GradientTape() as tape:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(images))
        loss = tf.reduce_mean(loss)
    gradients = tape.gradient(loss, [variable.value for variable in model.weights])
    attributes._compile(model, settings)
    model.train_on_batch(images, labels)
    for variable, start, after, gradient in zip(model.weights, before, arrays(model), gradients, strict=True):
        rate = 0.01 if variable.path.startswith("fc8") else 0.001
        decay = 0.1 if variable.path.endswith("kernel") else 0.0
        step = -rate * (gradient.numpy() + decay * start)
        assert np.abs(step).max() > 1e-7
        np.testing.assert_allclose(after - start, step, rtol=1e-2, atol=1e-6)


def test_a_usage_without_faces_is_refused(tmp_path):
    rows = faces()
    with pytest.raises(InputError, match="no faces of usage PrivateTest"):
        attributes.fine_tune(
            SETTINGS, Fer2013(rows.images[:-1], rows.labels[:-1], rows.usage[:-1]), "random", 0, tmp_path / "checkpoint"
        )


# features


def test_features_are_fc6_after_relu_without_dropout(tuned):
    model, _ = tuned
    crops = [np.random.default_rng(i).integers(0, 256, (32, 32, 3)).astype(np.uint8) for i in range(18)]
    cut = attributes.build_extractor(model)
    found = attributes.embed(cut, iter(crops))
    assert found.shape == (18, 16) and found.dtype == np.float32 and (found >= 0).all() and found.max() > 0
    x = attributes.preprocess(np.stack(crops), 32)
    for layer in model.layers[1 : model.layers.index(model.get_layer("fc6"))]:
        x = layer(x)
    kernel, bias = arrays(model.get_layer("fc6"))
    np.testing.assert_allclose(found, np.maximum(np.array(x) @ kernel + bias, 0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(attributes.embed(cut, crops[17:])[0], found[17], rtol=1e-4, atol=1e-4)
    assert attributes.embed(cut, []).shape == (0, 16)


def test_saved_weights_come_back(tmp_path, tuned):
    model, _ = tuned
    attributes.save(tmp_path / "cnn.npz", model)
    again = attributes.restore(tmp_path / "cnn.npz", SETTINGS)
    images = attributes.preprocess(faces().images, 32)
    np.testing.assert_array_equal(np.array(again(images)), np.array(model(images)))
    with pytest.raises(InputError, match="cnn.npz: fc6/kernel has shape"):
        attributes.restore(tmp_path / "cnn.npz", SETTINGS | {"face_size": 64})
    (tmp_path / "cnn.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="cnn.npz: cannot be read"):
        attributes.restore(tmp_path / "cnn.npz", SETTINGS)
