"""The networks of Lee et al. 2018: stated sizes, every switch of the ledger, what attention does, saving."""

import shlex
from functools import cache

import keras
import numpy as np
import pytest

from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.networks import architecture, training
from replications.lee2018 import experiment, models, run

PAPER = load_paper(run.PAPER)
BATCH = 2
# small enough to be built in no time; three pools halve 8 steps and 16 pixels three times
SMALL = [
    "crop_size=16",
    "clip_frames=8",
    "fc_units=[12, 6]",
    "fusion_units=5",
    "lstm_units=[4, 4, 4, 5]",
    "conv3d_filters=[2, 3, 4, 5]",
]
SMALL += [
    "encoder_filters=[2, 3]",
    "decoder_filters=[3, 2]",
    "khorrami_filters=[2, 3, 4]",
    "khorrami_units=7",
    "khorrami_rnn_units=6",
]
SWITCHES = [
    *("colour=grey", "frame_normalisation=scale", "attention_units=7", "temporal_attention_scale=softmax", "peepholes=mixed"),
    *("peepholes=none", "attention_state=previous", "spatial_attention_scale=softmax", "gate=front_convolution", "conv3d_kernel=5"),
    *("first_pool=[1,2,2]", "fc_units=[8,4]", "fusion_units=9", "lstm_units=[6,6,6,6]", "encoder_filters=[3,4,5]"),
    *("decoder_filters=[5,4]", "khorrami_units=9", "khorrami_rnn_units=9", "khorrami_filters=[3,3,3]", "dropout=0.2"),
    "crop_size=32",
]  # fmt: skip
# the smallest network that a switch has an effect on; of the others it is cnn3d
SHAPED = dict.fromkeys(["attention_units", "temporal_attention_scale", "lstm_units"], "lstm-ta")
SHAPED |= dict.fromkeys(
    ["peepholes", "attention_state", "spatial_attention_scale", "gate", "decoder_filters"], "cnn3d-sta"
)
SHAPED |= dict.fromkeys(["khorrami_units", "khorrami_rnn_units", "khorrami_filters"], "khorrami-rnn")
SHAPED |= {"encoder_filters": "cnn2d", "fusion_units": "fused"}


def small(*changes: str) -> dict:
    overrides = dict(change.split("=", 1) for change in [*SMALL, *changes])
    if "encoder_filters=[3,4,5]" in changes:  # as many steps up as down
        overrides["decoder_filters"] = "[5,4,3]"
    return resolve_settings(PAPER, "quick", [f"{name}={value}" for name, value in overrides.items()])


def build(variant: str, settings: dict) -> keras.Model:
    training.prepare(0, settings["precision"])
    return models.VARIANTS[variant](settings)


@cache
def plain(variant: str) -> keras.Model:
    """A variant without any switch, built once; tests do not change its weights."""
    return build(variant, small())


def inputs_of(settings: dict, seed: int = 0, batch: int = BATCH) -> dict[str, np.ndarray]:
    rng, size = np.random.default_rng(seed), settings["crop_size"]
    return {
        "audio": rng.normal(size=(batch, settings["clip_frames"], 88)).astype(np.float32),
        "video": rng.integers(0, 256, (batch, settings["clip_frames"], size, size, 3)).astype(np.uint8),
    }


def fed(model: keras.Model, inputs: dict):
    values = [inputs[tensor.name] for tensor in model.inputs]
    return values if len(values) > 1 else values[0]


def outputs(model: keras.Model, inputs: dict, layer: str = "prediction") -> np.ndarray:
    """What a layer gives; without dropout."""
    view = keras.Model(model.input, model.get_layer(layer).output)
    return np.array(keras.ops.cast(view(fed(view, inputs), training=False), "float32"))


def share(source: keras.Model, target: keras.Model) -> None:
    """Give `target` the weights of the layers of the same name."""
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


# basics


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_every_variant_gives_one_number_for_each_clip(variant):
    model = plain(variant)
    predictions = outputs(model, inputs_of(small()))
    assert predictions.shape == (BATCH, 1) and np.isfinite(predictions).all()
    assert tuple(model.output.shape) == (None, 1)
    streams = {"lstm": ["audio"], "lstm-ta": ["audio"], "fused": ["audio", "video"]}.get(variant, ["video"])
    assert [tensor.name for tensor in model.inputs] == streams
    assert predictions[0] != predictions[1]


def test_variants_are_those_of_the_command_line_and_of_the_tables():
    rows = {row.variant for table in PAPER.tables for row in table.rows if row.variant}
    assert set(models.VARIANTS) == set(run.VARIANTS) == rows


@pytest.mark.parametrize("variant", ["lstm-ta", "cnn3d-sta"])
def test_same_seed_same_weights_another_seed_others(variant):
    settings = small()
    one, again = build(variant, settings).get_weights(), build(variant, settings).get_weights()
    training.prepare(1)
    other = models.VARIANTS[variant](settings).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    drawn = [k for k, weight in enumerate(one) if weight.std() > 0 and weight.ndim > 1]
    assert drawn and not any(np.array_equal(one[k], other[k]) for k in drawn)


# the sizes that the paper states


@pytest.fixture(scope="module")
def full():
    """The fused network of the paper profile: every other part of the paper's own is inside of it."""
    settings = resolve_settings(PAPER, "paper", [])
    return build("fused", settings), settings


def shapes(model: keras.Model, kind: type) -> dict[str, tuple]:
    return {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers if isinstance(layer, kind)}


def test_paper_profile_clips_are_16_frames_of_4_seconds(full):
    model, settings = full
    assert {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs} == {
        "audio": (16, 88),
        "video": (16, 96, 96, 3),
    }
    assert settings["clip_frames"] / settings["clip_fps"] == 4.0


def test_paper_profile_has_four_3d_convolutions_and_three_pools(full):
    """Section 2.3: 32, 64, 128, 256 filters; 16 x 96 x 96 becomes 2 x 12 x 12."""
    model, _ = full
    assert shapes(model, keras.layers.Conv3D) == {
        "conv3d_1": (16, 96, 96, 32),
        "conv3d_2": (8, 48, 48, 64),
        "conv3d_3": (4, 24, 24, 128),
        "conv3d_4": (2, 12, 12, 256),
    }
    assert len(shapes(model, keras.layers.MaxPooling3D)) == 3


def test_paper_profile_attends_at_the_size_of_the_image(full):
    model, _ = full
    maps = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert maps["siamese_encoder"] == (16, 12, 12, 128)
    assert [maps[f"convlstm_{k}"] for k in (1, 2, 3)] == [(16, 24, 24, 64), (16, 48, 48, 32), (16, 96, 96, 16)]
    assert maps["spatial_attention"] == (16, 96, 96, 1) and maps["temporal_attention"] == (16, 1)
    assert maps["attended_video"] == (16, 96, 96, 32) and maps["attended_audio"] == (16, 88)
    assert model.get_layer("convlstm_1").peepholes == "hadamard"
    assert all(model.get_layer(f"tanh_{k}").activation is keras.activations.tanh for k in (1, 2, 3))


def test_paper_profile_has_four_lstm_layers_two_fc_and_dropout_between(full):
    model, _ = full
    assert [tuple(model.get_layer(f"lstm_{k}").output.shape[1:]) for k in (1, 2, 3, 4)] == [(16, 64)] * 3 + [(64,)]
    assert len(shapes(model, keras.layers.LSTM)) == 4
    order = [layer.name for layer in model.layers if layer.name in ("fc_1", "dropout_1", "fc_2")]
    assert order == ["fc_1", "dropout_1", "fc_2"]
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.5}
    assert model.get_layer("prediction").activation is keras.activations.linear


def test_paper_profile_starts_from_xavier(full):
    """Section 3.1: uniform within sqrt(6 / (fan in + fan out)), recurrent kernels too; biases 0 (LSTM's forget gate: 1)."""
    model, _ = full
    for name, fans in {"conv3d_2": 27 * (32 + 64), "fc_1": 73_728 + 512, "attention_dnn": 88 + 64}.items():
        kernel, bias = model.get_layer(name).get_weights()
        limit = np.sqrt(6 / fans)
        assert 0.98 * limit < np.abs(kernel).max() <= limit * (1 + 1e-6) and not bias.any()
    recurrent = model.get_layer("lstm_1").get_weights()[1]
    assert 0.9 * np.sqrt(6 / (64 + 256)) < np.abs(recurrent).max() <= np.sqrt(6 / (64 + 256))


def test_paper_profile_is_trained_with_adam_at_1e_4_on_squared_errors(full):
    _, settings = full
    model = build("lstm", small())
    experiment.compile_model(model, settings)
    assert isinstance(model.optimizer, keras.optimizers.Adam) and model.loss == "mean_squared_error"
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    assert settings["batch_size"] == 16


# switches


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_builds_and_changes_the_network(switch):
    settings = small(switch)
    name = switch.split("=")[0]
    variant = SHAPED.get(name, "cnn3d")
    assert settings[name] != small()[name]
    model, other = build(variant, settings), plain(variant)
    one, two = outputs(model, inputs_of(settings)), outputs(other, inputs_of(small()))
    assert one.shape == two.shape == (BATCH, 1)
    if name == "dropout":
        assert model.get_layer("dropout_1").rate == 0.2
    elif name in ("peepholes", "attention_state"):
        # peepholes start at zero, so these show in the weights or in the graph
        assert architecture.describe(model) != architecture.describe(other)
    else:
        assert not np.allclose(one, two)


def test_switches_of_the_ledger_are_tried_here():
    """A setting that the ledger can change and that shapes a network has a case above."""
    words = [shlex.split(entry.switch) for entry in PAPER.ledger]
    named = {value.split("=")[0] for entry in words for flag, value in zip(entry, entry[1:]) if flag == "--set"}
    elsewhere = {  # clips, features, training and scores
        *(
            "audio_window",
            "egemaps",
            "score_hop",
            "clip_stride",
            "label_delay",
            "postprocess_steps",
            "variance",
            "fused_training",
        ),
        *("stopping", "epochs_video", "epochs_audio", "audio_rate", "resample", "audio_functionals"),
    }
    assert named - elsewhere <= {switch.split("=")[0] for switch in SWITCHES}


def test_front_convolution_adds_one_layer_of_the_first_width():
    names = [
        layer.name
        for layer in build("cnn3d-sta", small("gate=front_convolution")).layers
        if isinstance(layer, keras.layers.Conv3D)
    ]
    assert names == ["conv3d_front", "conv3d_1", "conv3d_2", "conv3d_3", "conv3d_4"]


def test_first_pool_may_keep_time():
    model = build("cnn3d", small("first_pool=[1,2,2]"))
    assert [model.get_layer(f"conv3d_{k}").output.shape[1] for k in (1, 2, 3, 4)] == [8, 8, 4, 2]


# what attention does


def test_even_temporal_attention_is_none():
    """With weight 1 for each step, LSTM-RNN + TA is LSTM-RNN; as printed (Eq. 1), it is that of features / T."""
    for scale, factor in (("mean_one", 1), ("softmax", 8)):
        settings = small(f"temporal_attention_scale={scale}")
        attending, without = build("lstm-ta", settings), models.lstm(settings)
        score = attending.get_layer("attention_score")
        score.set_weights([np.zeros_like(weight) for weight in score.get_weights()])
        share(attending, without)
        inputs = inputs_of(settings)
        expected = outputs(without, {"audio": inputs["audio"] / factor})
        np.testing.assert_allclose(outputs(attending, inputs), expected, atol=1e-6)


def test_temporal_attention_multiplies_the_features_of_its_step():
    """Eq. 4, and by more where the score is higher."""
    settings = small()
    model, inputs = plain("lstm-ta"), inputs_of(settings)
    attention, attended = (outputs(model, inputs, name) for name in ("temporal_attention", "attended_audio"))
    np.testing.assert_allclose(attended, attention * inputs["audio"], rtol=1e-5)
    assert attention.std(axis=1).min() > 1e-3
    # steps are scored one by one: exchanged steps have exchanged weights
    turned = {"audio": inputs["audio"][:, ::-1]}
    np.testing.assert_allclose(outputs(model, turned, "temporal_attention"), attention[:, ::-1], rtol=1e-4)


@pytest.mark.parametrize("scale", ["mean_one", "softmax"])
def test_even_spatial_attention_is_none(scale):
    """With weight 1 everywhere, 3D-CNN + STA is 3D-CNN; as printed (Eq. 3), its first activations are divided by H W."""
    settings = small(f"spatial_attention_scale={scale}")
    attending, without = build("cnn3d-sta", settings), models.cnn3d(settings)
    score = attending.get_layer("attention_map")
    score.set_weights([np.zeros_like(weight) for weight in score.get_weights()])
    share(attending, without)
    if scale == "softmax":
        first = without.get_layer("conv3d_1")
        first.set_weights([weight / 16**2 for weight in first.get_weights()])  # ReLU is homogeneous
    inputs = inputs_of(settings)
    np.testing.assert_allclose(outputs(attending, inputs), outputs(without, inputs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gate", ["first_convolution", "front_convolution"])
def test_spatial_attention_multiplies_all_channels_of_the_first_activations(gate):
    """Eq. 5."""
    settings = small(f"gate={gate}")
    model, inputs = build("cnn3d-sta", settings), inputs_of(settings)
    gated = "conv3d_front" if gate == "front_convolution" else "conv3d_1"
    attention, activations, attended = (
        outputs(model, inputs, name) for name in ("spatial_attention", gated, "attended_video")
    )
    assert attention.shape == (BATCH, 8, 16, 16, 1)
    np.testing.assert_allclose(attended, attention * activations, rtol=1e-4, atol=1e-6)


def test_attention_of_the_previous_state_is_even_on_the_first_frame():
    """Eq. 3 as printed; and the last frame cannot change any attention."""
    settings = small("attention_state=previous")
    model, inputs = build("cnn3d-sta", settings), inputs_of(settings)
    attention = outputs(model, inputs, "spatial_attention")
    np.testing.assert_allclose(attention[:, 0], 1, rtol=1e-5)
    inputs["video"][:, -1] //= 2
    inputs["video"][:, -1, :8] += 100
    np.testing.assert_array_equal(outputs(model, inputs, "spatial_attention"), attention)


@pytest.mark.parametrize("variant", ["cnn2d", "khorrami-cnn"])
def test_networks_of_one_frame_read_the_last(variant):
    settings = small()
    model, inputs = build(variant, settings), inputs_of(settings)
    before = outputs(model, inputs)
    inputs["video"][:, :-1] = 255 - inputs["video"][:, :-1]
    np.testing.assert_array_equal(outputs(model, inputs), before)
    inputs["video"][:, -1, :8] //= 2
    assert (outputs(model, inputs) != before).all()


def test_fusion_joins_the_last_lstm_output_and_the_last_fc_output():
    """Eq. 6: Z = cat(Z^S, Z^I)."""
    settings = small()
    model, inputs = plain("fused"), inputs_of(settings)
    joined = outputs(model, inputs, "fusion")
    assert joined.shape == (BATCH, settings["lstm_units"][-1] + settings["fc_units"][-1])
    np.testing.assert_array_equal(
        joined, np.concatenate([outputs(model, inputs, "lstm_4"), outputs(model, inputs, "fc_2")], axis=1)
    )


def test_fused_network_contains_both_others():
    """So that it can start from their weights (ledger 22)."""
    settings = small()
    fused, inputs = build("fused", settings), inputs_of(settings)
    for variant, last in (("lstm-ta", "lstm_4"), ("cnn3d-sta", "fc_2")):
        part = models.VARIANTS[variant](settings)
        for layer in part.layers:
            if layer.weights and layer.name != "prediction":
                layer.set_weights(fused.get_layer(layer.name).get_weights())
        np.testing.assert_allclose(outputs(part, inputs, last), outputs(fused, inputs, last), atol=1e-6)


@pytest.mark.parametrize(
    ("variant", "weights"),
    [
        ("lstm-ta", ["attention_dnn", "attention_score"]),
        ("cnn3d-sta", ["siamese_encoder", "convlstm_1", "attention_map"]),
    ],
)
def test_the_label_alone_trains_the_attention(variant, weights):
    """Section 2.3: no other supervision; the gradient of the squared error reaches every part of the attention."""
    import tensorflow as tf

    settings = small("dropout=0.0", "fc_units=[64, 32]")
    model, inputs = build(variant, settings), inputs_of(settings, batch=4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(fed(model, inputs), training=True) - 1.0))
    watched = [
        weight for name in weights for weight in model.get_layer(name).trainable_weights if "bias" not in weight.name
    ]
    for weight, gradient in zip(watched, tape.gradient(loss, [w.value for w in watched]), strict=True):
        assert np.abs(np.array(gradient)).max() > 0, weight.path


# saving and precision


@pytest.mark.parametrize(
    ("variant", "colour"), [*((variant, "rgb") for variant in models.VARIANTS), ("cnn3d", "grey"), ("cnn2d", "grey")]
)
def test_saved_and_loaded_it_gives_the_same_predictions(tmp_path, variant, colour):
    """With Keras' safe mode, naming no custom object."""
    settings = small(f"colour={colour}")
    model, inputs = build(variant, settings) if colour == "grey" else plain(variant), inputs_of(settings)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.array(loaded(fed(loaded, inputs))), np.array(model(fed(model, inputs))))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("variant", ["lstm-ta", "cnn3d-sta"])
def test_mixed_precision_computes_in_bfloat16_and_predicts_in_float32(variant):
    inputs = inputs_of(small())
    expected = outputs(plain(variant), inputs)
    model = build(variant, small("precision=mixed_bfloat16"))
    assert model.output.dtype == "float32" and model.get_layer("prediction").compute_dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)
    np.testing.assert_allclose(outputs(model, inputs), expected, atol=0.05)
    training.prepare(0)
