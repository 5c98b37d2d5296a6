"""Caffe's solver: one step by hand, a training that goes on where it was killed, what it is asked for."""

import numpy as np
import pytest

from common.errors import InputError
from common.networks import training
from replications.chao2016 import caffenet, solver
from tests.replications.test_chao2016_caffenet import PAPER, SMALL, arrays, drawn, same


class Killed(Exception):
    pass


def people(each=4, seed=0):
    """Three people: of other colours, in changing light."""
    rng = np.random.default_rng(seed)
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
    labels = np.repeat(np.arange(3), each)
    noise = rng.normal(0, 10, (len(labels), 30, 30, 3))
    return list((colours[labels][:, None, None] + noise).clip(0, 255).astype(np.uint8)), labels


def test_training_tells_people_apart(tmp_path):
    """At the rate of Caffe's solver; people who differ in colour need few steps."""
    faces, labels = people()
    settings = SMALL | {"cnn_width": 0.125, "cnn_dropout": 0.1, "cnn_iterations": 45, "cnn_step": 1000}
    model, history = solver.train(settings, faces, labels, 0, tmp_path / "checkpoint")
    assert len(history["loss"]) == 15 and history["loss"][-1] < history["loss"][0] / 2
    found, _ = people(seed=1)
    logits = np.array(model(caffenet.preprocess(found), training=False))
    assert (logits.argmax(axis=1) == labels).all()


def test_training_is_deterministic_and_goes_on_after_a_kill(tmp_path, monkeypatch):
    """Crops, mirroring, dropout, momentum and the falling rate are taken up where they were."""
    faces, labels = people()
    model, history = solver.train(SMALL, faces, labels, 0, tmp_path / "whole")
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)

    def progress(fraction):
        if fraction > 0.8:
            raise Killed

    with pytest.raises(Killed):
        solver.train(SMALL, faces, labels, 0, tmp_path / "checkpoint", progress)
    seen = []
    again, same_history = solver.train(SMALL, faces, labels, 0, tmp_path / "checkpoint", seen.append)
    assert seen[0] > 2 / 3  # what was done is not done again
    assert same(arrays(again), arrays(model)) and same_history == history


@pytest.fixture
def fits(monkeypatch):
    """What training.fit is asked for, instead of a training."""
    asked = []

    def fit(model, batch, samples, **options):
        asked.append(options | {"model": model, "batch": batch, "samples": samples})
        return {"loss": [2.0, 1.0]}

    monkeypatch.setattr(training, "fit", fit)
    return asked


def test_a_checkpoint_belongs_to_settings_and_faces(tmp_path, fits):
    faces, labels = people()
    for settings, digest in [
        (SMALL, ""),
        (SMALL | {"forest_trees": 3}, ""),
        (SMALL | {"cnn_momentum": 0.8}, ""),
        (SMALL, "other faces"),
    ]:
        solver.train(settings, faces, labels, 0, tmp_path / "checkpoint", digest=digest)
    digests = [asked["digest"] for asked in fits]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_iterations_become_whole_epochs(tmp_path, fits):
    """Of 12 faces in batches of 4 an epoch has three steps; of fewer faces than a batch, one."""
    faces, labels = people()
    for iterations, epochs in ((10, 3), (11, 4), (1, 1)):
        solver.train(SMALL | {"cnn_iterations": iterations}, faces, labels, 0, tmp_path / "checkpoint")
        assert (fits[-1]["epochs"], fits[-1]["samples"], fits[-1]["batch_size"]) == (epochs, 12, 4)
    solver.train(PAPER | {"cnn_width": 0.0625, "cnn_iterations": 5}, faces, labels, 0, tmp_path / "checkpoint")
    assert fits[-1]["epochs"] == 5


def test_every_step_draws_crops_of_its_own(tmp_path, monkeypatch):
    seen = []

    def fit(model, batch, samples, augmented, **_):
        assert augmented
        seen.extend(batch(np.arange(4), np.random.default_rng(step)) for step in (0, 1, 0))
        return {"loss": [1.0]}

    monkeypatch.setattr(training, "fit", fit)
    faces, labels = people()
    solver.train(SMALL, faces, labels, 0, tmp_path / "checkpoint")
    (first, first_labels), (second, _), (again, _) = seen
    np.testing.assert_array_equal(first["face"], again["face"])
    assert first["face"].shape == (4, 227, 227, 3) and not np.array_equal(first["face"], second["face"])
    np.testing.assert_array_equal(first_labels, labels[:4])


def test_one_step_of_caffe_s_solver():
    """w - rate (gradient + decay w), biases at twice the rate and without decay; then the rate falls in steps."""
    import tensorflow as tf

    settings = SMALL | {"cnn_momentum": 0.0, "cnn_dropout": 0.0, "cnn_weight_decay": 0.1, "cnn_step": 2}
    model = drawn(settings, 3)
    faces, labels = people(each=1)
    inputs = caffenet.preprocess(faces)
    variables = model.trainable_variables
    before = [np.array(variable) for variable in variables]
    with tf.GradientTape() as tape:
        logits = model(inputs)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    solver._compile(model, settings)
    rates = [float(model.optimizer.learning_rate)]
    model.train_on_batch(inputs, labels)
    for variable, start, gradient in zip(variables, before, gradients, strict=True):
        end = np.array(variable)
        bias = variable.path.endswith("bias")
        step = -0.01 * (2 * gradient.numpy() if bias else gradient.numpy() + 0.1 * start)
        np.testing.assert_allclose(end - start, step, rtol=1e-2, atol=1e-6)
        assert np.abs(step).max() > 1e-6
    for _ in range(4):
        rates.append(float(model.optimizer.learning_rate))
        model.train_on_batch(inputs, labels)
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 0.001, 0.0001], rtol=1e-5)


@pytest.mark.usefixtures("step_by_step")
def test_a_training_that_diverges_ends(tmp_path):
    faces, labels = people(each=2)
    settings = SMALL | {"cnn_learning_rate": 1e20, "cnn_iterations": 50}
    seen = []
    with pytest.raises(InputError, match=r"setting cnn_learning_rate: at 1e\+20 the training diverges; give less"):
        solver.train(settings, faces, labels, 0, tmp_path / "checkpoint", seen.append)
    assert max(seen) < 0.5 and not (tmp_path / "checkpoint").exists()


def test_a_label_without_an_output(tmp_path):
    faces, labels = people(each=1)
    with pytest.raises(ValueError, match="labels 1 to 3, outputs 0 to 2"):
        solver.train(SMALL, faces, labels + 1, 0, tmp_path / "checkpoint")
