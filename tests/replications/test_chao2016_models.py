"""The networks of Chao et al. 2016 against NumPy, clip by clip; sizes, padding, files, Adadelta, training."""

import math
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.networks import architecture, training
from replications.chao2016 import models

EMOTIONS = 7
# Section 4.1, and the readings of what it leaves open
PAPER = {
    **{"units": 64, "select_units": 8, "proposed_units": 32, "embedding_units": 8, "window": 2, "coarse": "floor"},
    **{"face_units": 0, "slots": "own", "activation": "tanh", "dropout": 0.5, "averaged": "states"},
}
SMALL = PAPER | {"units": 5, "select_units": 3, "proposed_units": 4, "embedding_units": 2}
WIDTHS = {"audio": 4, "shape": 3, "appearance": 6}
AUDIO_STEPS, STEPS = np.array([9, 4, 8], np.int32), np.array([7, 3, 5], np.int32)
NETWORKS = {variant: (variant, SMALL) for variant in models.VARIANTS}
NETWORKS |= {"average-posteriors": ("average", SMALL | {"averaged": "posteriors", "activation": "relu"})}
NETWORKS |= {"proposed-nearest-shared": ("proposed", SMALL | {"coarse": "nearest", "slots": "shared"})}


def built(name: str, seed: int = 0, **changes) -> keras.Model:
    """A small network with random weights, biases included."""
    training.prepare(seed)
    variant, settings = NETWORKS[name]
    model = models.build_network(variant, settings | changes, WIDTHS, EMOTIONS)
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


@cache
def kept(name: str) -> keras.Model:
    """The same network, built once: its weights are not to be changed."""
    return built(name)


@cache
def paper_size(variant: str) -> keras.Model:
    return models.build_network(variant, PAPER, {"audio": 50, "shape": 20, "appearance": 1024}, EMOTIONS)


def clips(audio_steps=AUDIO_STEPS, steps=STEPS, seed: int = 0) -> dict[str, np.ndarray]:
    """A batch of clips; what stands behind their ends is drawn as well."""
    rng = np.random.default_rng(seed)
    lengths = {"audio": audio_steps, "shape": steps, "appearance": steps}
    drawn = {name: rng.normal(size=(len(steps), max(lengths[name]), width)) for name, width in WIDTHS.items()}
    return {name: values.astype(np.float32) for name, values in drawn.items()} | {
        "audio_steps": audio_steps, "steps": steps,
    }  # fmt: skip


def alone(batch: dict, index: int) -> dict[str, np.ndarray]:
    """One clip without padding, as a batch of one."""
    clip = {name: values[index : index + 1] for name, values in batch.items()}
    ends = {"audio": "audio_steps", "shape": "steps", "appearance": "steps"}
    return clip | {name: clip[name][:, : clip[end][0]] for name, end in ends.items()}


def fed(model, batch: dict) -> list:
    return [batch[tensor.name] for tensor in model.inputs]


def scored(model, batch: dict, **call) -> np.ndarray:
    return np.asarray(model(fed(model, batch), **call))


# The networks, clip by clip and step by step


def sigma(value):
    return 1 / (1 + np.exp(-value))


def softmax(values, axis=-1):
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def lstm(sequence, kernel, recurrent, bias):
    """Eq. 1 to 3: all h (T, units)."""
    hidden = cell = np.zeros(len(recurrent))
    states = []
    for x in sequence:
        i, f, g, o = np.split(np.concatenate([hidden, x]) @ np.concatenate([recurrent, kernel]) + bias, 4)
        cell = sigma(f) * cell + sigma(i) * np.tanh(g)
        hidden = sigma(o) * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


class Reference:
    """One clip through the weights of a network; dropout is off."""

    def __init__(self, model, settings: dict, clip: dict):
        self.weights = {layer.name: [np.array(weight, float) for weight in layer.weights] for layer in model.layers}
        self.settings, self.clip = settings, {name: values[0] for name, values in clip.items()}

    def hidden(self, name, sequence):
        kernel, bias = self.weights[name]
        sums = sequence @ kernel + bias
        return np.tanh(sums) if self.settings["activation"] == "tanh" else np.maximum(sums, 0)

    def aligned(self, audio, faces, audio_kernel, visual_kernel, scores):
        """Eq. 4 to 6: x (T, d) and l (T, 2w)."""
        window, x, shares = self.settings["window"], [], []
        for t, face in enumerate(faces):
            place = t * len(audio) / len(faces) + (0.5 if self.settings["coarse"] == "nearest" else 0)
            centre = max(window, min(math.floor(place), len(audio) - window))
            heard = audio[centre - window : centre + window]
            energies = [
                np.tanh(h @ audio_kernel + face @ visual_kernel) @ scores[i % len(scores)] for i, h in enumerate(heard)
            ]
            shares.append(softmax(np.array(energies)))
            x.append(shares[-1] @ heard)
        return np.array(x), np.array(shares)

    def encoded(self, prefix=""):
        """Fig. 1a: h_av (T, units) and l."""
        audio = self.hidden(f"{prefix}audio_hidden", self.clip["audio"])
        audio = lstm(audio, *self.weights[f"{prefix}audio_lstm"])
        face = [self.hidden(f"{prefix}{name}_hidden", self.clip[name]) for name in ("shape", "appearance")]
        face = self.hidden(f"{prefix}visual_hidden", np.concatenate(face, axis=1))
        x, shares = self.aligned(audio, face, *self.weights[f"{prefix}alignment"])
        both = np.concatenate([x, face], axis=1)
        return lstm(both, *self.weights[f"{prefix}audio_visual_lstm"]), shares

    def attention(self):
        """Eq. 9: f (emotions, T)."""
        kernel, vectors = self.weights["perception_attention"]
        return softmax(self.encoded("select_")[0] @ kernel @ vectors.T, axis=0).T

    def classified(self, state):
        kernel, bias = self.weights["scores"]
        return state @ kernel + bias

    def posteriors(self, variant):
        """Eq. 11 of the scores of a variant."""
        if variant == "proposed":
            kernel, bias = self.weights["scores"]
            states, _ = self.encoded()
            return softmax(np.array([w @ (f @ states) + b for w, f, b in zip(kernel, self.attention(), bias)]))
        if variant == "pool5":
            hidden = self.hidden("appearance_hidden", self.clip["appearance"])
            states = lstm(hidden, *self.weights["visual_lstm"])
        else:
            states, _ = self.encoded()
        if variant == "last":
            return softmax(self.classified(states[-1]))
        if self.settings["averaged"] == "posteriors":
            return np.mean([softmax(self.classified(state)) for state in states], axis=0)
        return softmax(self.classified(np.mean(states, axis=0)))


@pytest.mark.parametrize("name", NETWORKS)
def test_against_the_equations(name):
    """Of a padded batch; with averaged posteriors the softmax of the output is Eq. 8 (with its 1/T)."""
    (variant, settings), model, batch = NETWORKS[name], kept(name), clips()
    found = scored(model, batch)
    assert found.shape == (3, EMOTIONS)
    expected = [Reference(model, settings, alone(batch, index)).posteriors(variant) for index in range(3)]
    assert np.ptp(expected, axis=0).max() > 0.05  # the clips differ
    assert np.allclose(softmax(found), expected, atol=1e-5)


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_padded_clips_are_what_they_are_alone(variant):
    batch = clips()
    found = scored(kept(variant), batch)
    for index in range(3):
        assert np.allclose(scored(kept(variant), alone(batch, index))[0], found[index], atol=1e-5)


@pytest.mark.parametrize("variant", models.VARIANTS)
@examples(max_examples=3)
@given(filling=st.floats(-1e3, 1e3, width=32))
def test_padding_changes_nothing(variant, filling):
    batch = clips()
    ends = {"audio": "audio_steps", "shape": "steps", "appearance": "steps"}
    other = dict(batch)
    for name, end in ends.items():
        inside = np.arange(batch[name].shape[1]) < batch[end][:, None]
        other[name] = np.where(inside[..., None], batch[name], np.float32(filling))
    assert np.allclose(scored(kept(variant), other), scored(kept(variant), batch), atol=1e-6)


def test_scores_and_posteriors_of_a_single_step_are_the_same_classes():
    """Of one step the mean is that step: both readings of average encoding agree."""
    batch = clips(np.array([4, 4], np.int32), np.array([1, 1], np.int32))
    states, posteriors = (
        softmax(scored(built("average", averaged=averaged), batch)) for averaged in ("states", "posteriors")
    )
    assert np.allclose(states, posteriors, atol=1e-6)


class TestSizes:
    HIDDEN = tuple(f"{name}_hidden" for name in ("audio", "shape", "appearance", "visual"))
    ENCODER = (*HIDDEN, "audio_lstm", "alignment", "audio_visual_lstm")

    def units(self, variant):
        return {layer.name: layer.units for layer in paper_size(variant).layers if hasattr(layer, "units")}

    @pytest.mark.parametrize("variant", ["last", "average"])
    def test_baseline(self, variant):
        """64 memory cells, and hidden layers as wide as the LSTM layers."""
        assert self.units(variant) == dict.fromkeys(self.ENCODER, 64) | {"scores": EMOTIONS}

    def test_appearance_only(self):
        """One hidden and one LSTM layer, and no other input."""
        assert self.units("pool5") == {"appearance_hidden": 64, "visual_lstm": 64, "scores": EMOTIONS}
        assert [tensor.name for tensor in paper_size("pool5").inputs] == ["appearance", "steps"]

    def test_proposed(self):
        """h_av of 32, h_av^sel of 8, and embeddings of 8."""
        selecting = {f"select_{name}": 8 for name in self.ENCODER}
        assert self.units("proposed") == selecting | dict.fromkeys(self.ENCODER, 32) | {"perception_attention": 8}
        assert models.get_embeddings(paper_size("proposed")).shape == (EMOTIONS, 8)

    def test_parameters(self):
        """Counted from the equations; the proposed network has fewer than the baseline (Section 4.1)."""

        def encoder(d):
            hidden = d * (50 + 1) + d * (20 + 1) + d * (1024 + 1) + d * (2 * d + 1)
            return hidden + 4 * d * (2 * d + 1) + (2 * d * d + 4 * d) + 4 * d * (3 * d + 1)

        classes = EMOTIONS * (64 + 1)
        found = {variant: paper_size(variant).count_params() for variant in models.VARIANTS}
        assert found == {
            "pool5": 64 * (1024 + 1) + 4 * 64 * (2 * 64 + 1) + classes,
            "last": encoder(64) + classes,
            "average": encoder(64) + classes,
            "proposed": encoder(8) + encoder(32) + 8 * 8 + EMOTIONS * 8 + EMOTIONS * (32 + 1),
        }
        assert found["proposed"] < found["average"]

    @pytest.mark.parametrize("variant", models.VARIANTS)
    def test_dropout_behind_every_layer_but_the_lstm(self, variant):
        model = paper_size(variant)
        rows = {row["name"]: row for row in architecture.describe(model)}
        dropped = {rows[name]["inputs"][0] for name in rows if rows[name]["kind"] == "Dropout"}
        hidden = {name for name in rows if name.endswith("_hidden")}
        assert dropped >= hidden and len(dropped) == len(hidden) + 1  # and what is classified
        assert rows[rows["scores"]["inputs"][0]]["kind"] == "Dropout"
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                assert layer.rate == 0.5
            if isinstance(layer, keras.layers.LSTM):
                assert layer.dropout == layer.recurrent_dropout == 0


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_dropout_in_training_only(variant):
    model, batch = kept(variant), clips()
    assert np.array_equal(scored(model, batch), scored(model, batch))
    assert not np.allclose(scored(model, batch, training=True), scored(model, batch), atol=1e-3)


def test_unknown_variant():
    with pytest.raises(KeyError, match="median"):
        models.build_network("median", SMALL, WIDTHS, EMOTIONS)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_reaches_every_weight(name):
    model, batch = kept(name), clips()
    with tf.GradientTape() as tape:
        scores = model(fed(model, batch))
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits([0, 3, 6], scores))
    for weight, value in zip(model.trainable_weights, tape.gradient(loss, [w.value for w in model.trainable_weights])):
        assert np.isfinite(value).all() and np.any(np.asarray(value)), weight.path


@pytest.mark.parametrize("name", NETWORKS)
def test_save_and_load(name, tmp_path):
    model, batch = kept(name), clips()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.to_json() == model.to_json()
    assert np.array_equal(scored(again, batch), scored(model, batch))


class TestInside:
    def test_alignment_and_attention_of_each_clip(self):
        model, batch = kept("proposed"), clips()
        shares, attention = map(np.asarray, models.expose_attention(model)(fed(model, batch)))
        assert shares.shape == (3, 7, 4) and attention.shape == (3, EMOTIONS, 7)
        for index, steps in enumerate(STEPS):
            reference = Reference(model, SMALL, alone(batch, index))
            assert np.allclose(shares[index, :steps], reference.encoded()[1], atol=1e-5)
            assert np.allclose(attention[index, :, :steps], reference.attention(), atol=1e-5)
            assert not attention[index, :, steps:].any()

    def test_embeddings_are_a_copy(self):
        """What they were before training is still there after it (Fig. 4)."""
        model = built("proposed")
        before = models.get_embeddings(model)
        layer = model.get_layer("perception_attention")
        assert before.shape == (EMOTIONS, 2) and np.array_equal(before, layer.embeddings)
        layer.embeddings.assign_add(np.ones((EMOTIONS, 2)))
        assert np.allclose(models.get_embeddings(model) - before, 1, atol=1e-6)


class TestAdadelta:
    @pytest.mark.parametrize("decay", [0.0, 0.25])
    def test_against_zeiler(self, decay):
        """Algorithm 1 of Zeiler 2012 in NumPy; the decay is in the gradient of the kernel, not of the bias."""
        rng = np.random.default_rng(0)
        start, steps = [rng.normal(size=shape) for shape in ((3, 2), (2,))], 3
        variables = [keras.Variable(value, dtype="float32") for value in start]
        optimizer = models.Adadelta(decay)
        moving = [[np.zeros_like(value), np.zeros_like(value)] for value in start]
        for _ in range(steps):
            drawn = [rng.normal(size=value.shape) for value in start]
            optimizer.apply([tf.constant(g, tf.float32) for g in drawn], variables)
            for index, g in enumerate(drawn):
                g = g + decay * start[index] * (index == 0)
                squares, changes = moving[index]
                squares[:] = 0.95 * squares + 0.05 * g**2
                change = -np.sqrt(changes + 1e-6) / np.sqrt(squares + 1e-6) * g
                changes[:] = 0.95 * changes + 0.05 * change**2
                start[index] = start[index] + change
        for variable, expected in zip(variables, start, strict=True):
            assert np.allclose(variable, expected, rtol=0, atol=1e-6)

    def test_decay_is_that_of_a_term_of_the_loss(self):
        """Half the decay times the squared kernels, added to the loss, makes the same steps."""

        def trained(optimizer, regularizer=None):
            training.prepare(0)
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_regularizer=regularizer)])
            model.compile(optimizer, "mean_squared_error", jit_compile=False, run_eagerly=True)
            rng = np.random.default_rng(0)
            for _ in range(3):
                model.train_on_batch(rng.normal(size=(5, 4)), rng.normal(size=(5, 3)))
            return model.get_weights()

        ours = trained(models.Adadelta(0.5))
        plain = keras.optimizers.Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-6)
        for one, other in zip(ours, trained(plain, keras.regularizers.L2(0.25)), strict=True):
            assert np.allclose(one, other, rtol=0, atol=1e-6)
        assert not np.allclose(ours[0], trained(models.Adadelta(0.0))[0], atol=1e-4)


def marked(count: int = 21) -> tuple[dict, np.ndarray]:
    """Short clips in which one step of the face, somewhere, says the class; the other features are noise."""
    rng = np.random.default_rng(0)
    steps, labels = rng.integers(2, 4, count).astype(np.int32), np.arange(count) % EMOTIONS
    batch = clips(steps + 2, steps)
    codes = rng.normal(size=(EMOTIONS, WIDTHS["appearance"]))
    batch["appearance"] *= 0.1
    batch["appearance"][np.arange(count), rng.integers(0, steps)] = 3 * codes[labels]
    return batch, labels


class TestTraining:
    """Without a graph: to make one takes longer than these few steps."""

    def trained(self, variant, optimizer, steps, seed=0, **changes):
        """The network with Keras' own first weights, and its losses."""
        training.prepare(seed)
        model = models.build_network(variant, SMALL | changes, WIDTHS, EMOTIONS)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        batch, labels = marked()
        return model, [float(model.train_on_batch(fed(model, batch), labels)) for _ in range(steps)]

    def test_same_seed_same_numbers(self):
        """With dropout, and the optimiser of the paper."""
        (model, losses), (again, same) = (self.trained("average", models.Adadelta(5e-4), 3) for _ in range(2))
        assert losses == same and losses[:1] != self.trained("average", models.Adadelta(5e-4), 1, seed=1)[1]
        for one, two in zip(model.get_weights(), again.get_weights(), strict=True):
            assert np.array_equal(one, two)

    @pytest.mark.parametrize("variant", models.VARIANTS)
    def test_finds_the_step_that_says_the_class(self, variant):
        """A network that does not see it is no better than log 7: there are as many clips of each class."""
        wide = {"units": 12, "select_units": 8, "proposed_units": 12, "dropout": 0.0}
        _, losses = self.trained(variant, keras.optimizers.Adam(0.1), 5, **wide)
        assert losses[-1] < 0.8 * min(losses[0], math.log(EMOTIONS))
