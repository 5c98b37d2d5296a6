"""The networks of Priyasad et al. 2019 against NumPy, segment by segment; sizes, what is trained, files."""

from functools import cache

import keras
import numpy as np
import pytest

from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from common.networks import architecture, training
from replications.priyasad2019 import models
from replications.priyasad2019.experiment import VARIANTS

PAPER = next(paper for paper in load_papers() if paper.id == "priyasad2019")
FULL = resolve_settings(PAPER, "paper")
WIDTH, FRAMES, UNITS, HIDDEN = 6, 4, 5, 7
SMALL = FULL | {
    **{"vgg_fc": WIDTH, "lstm_units": WIDTH, "attention_units": UNITS, "hidden_units": HIDDEN},
    **{"segment_frames": FRAMES},
}
EMOTIONS, BATCH = 6, 3
RNG = np.random.default_rng(0)
FC6 = {
    "audio": RNG.normal(size=(BATCH, WIDTH)).astype(np.float32),
    "visual": RNG.normal(size=(BATCH, FRAMES, WIDTH)).astype(np.float32),
}
TOKENS = RNG.normal(size=(BATCH, 2, WIDTH)).astype(np.float32)
FC7 = RNG.normal(size=(WIDTH, WIDTH)).astype(np.float32), RNG.normal(size=WIDTH).astype(np.float32)


def network(name: str, **changes) -> keras.Model:
    training.prepare(0)
    if name in models.EXTRACTORS:
        return models.build_extractor(name, SMALL | changes, EMOTIONS, FC7)
    return models.build_fusion(name, SMALL | changes, EMOTIONS)


@cache
def kept(name: str) -> keras.Model:
    """A small network with random weights, biases included, which are not to be changed."""
    model, rng = network(name), np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


def inputs_of(model: keras.Model):
    values = [(FC6 | {"tokens": TOKENS})[tensor.name] for tensor in model.inputs]
    return values if len(values) > 1 else values[0]


# The networks, segment by segment


def weights(model: keras.Model, layer: str) -> list[np.ndarray]:
    return [np.array(weight, float) for weight in model.get_layer(layer).weights]


def dense(values, kernel, bias, relu: bool = False):
    sums = values @ kernel + bias
    return np.maximum(sums, 0) if relu else sums


def lstm(sequence, kernel, recurrent, bias):
    """The last h; gates in the order of Keras."""
    hidden = cell = np.zeros(len(recurrent))
    for x in sequence:
        i, f, g, o = np.split(x @ kernel + hidden @ recurrent + bias, 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
    return hidden


def extracted(name: str, fc6: np.ndarray, model: keras.Model) -> np.ndarray:
    """Sections 3.2 and 3.3 of one segment."""
    features = dense(fc6, *weights(model, f"{name}_fc7"), relu=True)
    return features if name == "audio" else lstm(features, *weights(model, "visual_lstm"))


def beta_of(tokens: np.ndarray, model: keras.Model) -> np.ndarray:
    kernel, bias, context = weights(model, models.ATTENTION)
    raised = np.exp(np.tanh(tokens @ kernel + bias) @ context[:, 0])
    return raised / raised.sum()


def scored(name: str, tokens: np.ndarray, model: keras.Model) -> np.ndarray:
    """Section 3.4 of one segment; dropout is off."""
    features = beta_of(tokens, model) @ tokens if name == "proposed" else tokens.ravel()
    return dense(dense(features, *weights(model, "hidden"), relu=True), *weights(model, "scores"))


@pytest.mark.parametrize("name", models.EXTRACTORS)
def test_extractors(name):
    model, fc6 = kept(name), FC6[name].astype(float)
    features = np.array([extracted(name, segment, model) for segment in fc6])
    np.testing.assert_allclose(models.expose_features(model)([FC6[name]]), features, atol=1e-4)
    expected = dense(features, *weights(model, f"{name}_scores"))
    np.testing.assert_allclose(model(FC6[name]), expected, atol=1e-4)
    assert model.input_shape == ((None, WIDTH) if name == "audio" else (None, FRAMES, WIDTH))
    assert model.output_shape == (None, EMOTIONS)
    assert [tensor.name for tensor in model.inputs] == [name]


@pytest.mark.parametrize("name", ["proposed", "concatenation"])
def test_fusions(name):
    model, tokens = kept(name), TOKENS.astype(float)
    np.testing.assert_allclose(model(TOKENS), [scored(name, segment, model) for segment in tokens], atol=1e-4)
    assert (model.input_shape, model.output_shape) == ((None, 2, WIDTH), (None, EMOTIONS))
    assert [tensor.name for tensor in model.inputs] == ["tokens"]


def test_weights_of_sound_and_faces():
    model = kept("proposed")
    found = models.expose_weights(model)([TOKENS])
    np.testing.assert_allclose(found, [beta_of(segment, model) for segment in TOKENS.astype(float)], atol=1e-5)


def test_bars_come_from_the_settings():
    assert network("proposed", bars="absolute").get_layer(models.ATTENTION).bars == "absolute"


def test_dropout_is_behind_the_hidden_layer_and_only_while_training():
    model = network("proposed", dropout=0.5, hidden_units=400)
    before = keras.Model(model.input, [model.get_layer("hidden").output, model.get_layer("dropout").output])
    hidden, dropped = map(np.asarray, before(TOKENS, training=True))
    shown = hidden > 0
    assert 0.4 < (dropped[shown] == 0).mean() < 0.6
    np.testing.assert_allclose(dropped[dropped > 0], 2 * hidden[dropped > 0], rtol=1e-5)
    np.testing.assert_array_equal(*before(TOKENS))


# fc7


@pytest.mark.parametrize("name", models.EXTRACTORS)
@pytest.mark.parametrize(("fc7", "trained"), [("trained", True), ("published", False)])
def test_fc7_begins_with_the_weights_of_vgg19(name, fc7, trained):
    model = network(name, fc7=fc7)
    layer = model.get_layer(f"{name}_fc7")
    for found, given in zip(layer.get_weights(), FC7, strict=True):
        np.testing.assert_array_equal(found, given)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    scores = model.get_layer(f"{name}_scores").get_weights()[0]
    model.train_on_batch(FC6[name], np.arange(BATCH))
    assert np.array_equal(layer.get_weights()[0], FC7[0]) != trained
    assert not np.array_equal(model.get_layer(f"{name}_scores").get_weights()[0], scores)


def test_fc7_of_another_width():
    with pytest.raises(ValueError):
        models.build_extractor("audio", SMALL, EMOTIONS, (np.zeros((WIDTH + 1, WIDTH)), np.zeros(WIDTH)))


# Sizes


@cache
def sizes(name: str) -> dict[str, int]:
    """Parameters by layer at the sizes of the paper; no weight is made."""
    with keras.StatelessScope(initialize_variables=False):
        model = models.build_whole(name, FULL, EMOTIONS)
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


FC7_SIZE = 4096 * 4096 + 4096
LSTM_SIZE = 4 * (4096 * (4096 + 4096) + 4096)
PAPER_SIZES = {
    "audio": {"audio_fc7": FC7_SIZE, "audio_scores": 4096 * 6 + 6},
    "visual": {"visual_fc7": FC7_SIZE, "visual_lstm": LSTM_SIZE, "visual_scores": 4096 * 6 + 6},
    "proposed": {
        **{"audio_fc7": FC7_SIZE, "visual_fc7": FC7_SIZE, "visual_lstm": LSTM_SIZE},
        **{"attention": 4096 * 4096 + 4096 + 4096, "hidden": 4096 * 1024 + 1024, "scores": 1024 * 6 + 6},
    },
    "concatenation": {
        **{"audio_fc7": FC7_SIZE, "visual_fc7": FC7_SIZE, "visual_lstm": LSTM_SIZE},
        **{"hidden": 8192 * 1024 + 1024, "scores": 1024 * 6 + 6},
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_at_the_sizes_of_the_paper(name):
    assert sizes(name) == PAPER_SIZES[name]


def test_the_lstm_of_the_paper():
    assert sizes("visual")["visual_lstm"] == 134_234_112


# Figure 2 in one network


@pytest.mark.parametrize("name", ["proposed", "concatenation"])
def test_the_whole_network_is_its_parts(name, tmp_path):
    """With the weights of phase 1 and phase 2 it gives what they give one after the other; also behind a file."""
    training.prepare(0)
    model = models.build_whole(name, SMALL, EMOTIONS)
    assert [tensor.name for tensor in model.inputs] == ["audio", "visual"]
    parts = [kept(part) for part in (*models.EXTRACTORS, name)]
    theirs = {layer.name: layer for part in parts for layer in part.layers if layer.weights}
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    assert theirs.keys() - ours.keys() == {"audio_scores", "visual_scores"} and not ours.keys() - theirs.keys()
    for label, layer in ours.items():
        layer.set_weights(theirs[label].get_weights())
    features = [np.asarray(models.expose_features(kept(part))([FC6[part]])) for part in models.EXTRACTORS]
    expected = kept(name)(np.stack(features, axis=1))
    np.testing.assert_allclose(model(inputs_of(model)), expected, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(inputs_of(again)), model(inputs_of(model)))


@pytest.mark.parametrize("name", models.EXTRACTORS)
def test_alone_a_network_of_phase_1_is_whole(name, tmp_path):
    training.prepare(0)
    model = models.build_whole(name, SMALL, EMOTIONS)
    rows = architecture.describe(model)
    assert rows == architecture.describe(kept(name))
    assert sum(row["parameters"] for row in rows) == model.count_params()
    model.set_weights(kept(name).get_weights())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(FC6[name]), kept(name)(FC6[name]))
    np.testing.assert_array_equal(
        models.expose_features(again)([FC6[name]]), models.expose_features(kept(name))([FC6[name]])
    )


def test_architecture_of_figure_2():
    """Each layer follows those that it takes from: what the report draws."""
    rows = {row["name"]: row for row in architecture.describe(models.build_whole("proposed", SMALL, EMOTIONS))}
    assert {name: rows[name]["inputs"] for name in ("visual_lstm", "tokens", "attention", "hidden", "scores")} == {
        "visual_lstm": ["visual_fc7"], "tokens": ["audio_token", "visual_token"], "attention": ["tokens"],
        "hidden": ["attention"], "scores": ["dropout"],
    }  # fmt: skip
    assert rows["tokens"]["shape"] == [2, WIDTH] and rows["attention"]["shape"] == [WIDTH]
    assert rows["visual_fc7"]["shape"] == [FRAMES, WIDTH] and rows["scores"]["shape"] == [EMOTIONS]
