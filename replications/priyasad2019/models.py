"""The networks of Priyasad et al. 2019 (Figure 2), behind fc6, the first fully connected layer of VGG19.

    audio            fc6 of a segment's audio image -> fc7 -> emotions
    visual           fc6 of its 20 faces -> fc7 of each -> LSTM, last state -> emotions
    proposed         fc7 of the sound and the LSTM's state -> attention (Eq. 5 to 7) -> hidden layer -> emotions
    concatenation    the same two side by side, 8192 features, without attention

Phase 1 trains the first two, whose last layer serves for nothing else. Phase 2 trains a fusion on what they have
learnt, which no longer changes (Section 5). All give scores (batch, emotions), whose softmax is the posterior.
"""

import keras
import numpy as np
from keras import layers

from common.networks.recurrent import LSTM
from replications.priyasad2019.layers import AttentionFusion

EXTRACTORS = ("audio", "visual")
ATTENTION = "attention"


def build_extractor(
    name: str, settings: dict, emotions: int, fc7: tuple[np.ndarray, np.ndarray] | None = None
) -> keras.Model:
    """A network of phase 1: "audio" of fc6 (batch, 4096), or "visual" of fc6 (batch, 20, 4096).

    `fc7` are kernel and bias with which VGG19's fc7 begins; random ones without.
    """
    inputs = _make_inputs(settings)[name]
    features = {"audio": encode_sound, "visual": encode_faces}[name](inputs, settings)
    model = keras.Model(inputs, layers.Dense(emotions, name=f"{name}_scores")(features), name=name)
    if fc7 is not None:
        model.get_layer(f"{name}_fc7").set_weights(fc7)
    return model


def build_fusion(variant: str, settings: dict, emotions: int) -> keras.Model:
    """A network of phase 2, of the two features (batch, 2, 4096), sound first."""
    tokens = keras.Input((2, settings["vgg_fc"]), name="tokens")
    return keras.Model(tokens, fuse(variant, tokens, settings, emotions), name=variant)


def build_whole(variant: str, settings: dict, emotions: int) -> keras.Model:
    """All of Figure 2 in one network, of fc6 of sound and faces; for a variant of phase 1 that one alone."""
    if variant in EXTRACTORS:
        return build_extractor(variant, settings, emotions)
    inputs = _make_inputs(settings)
    features = {"audio": encode_sound(inputs["audio"], settings), "visual": encode_faces(inputs["visual"], settings)}
    tokens = [layers.Reshape((1, -1), name=f"{name}_token")(values) for name, values in features.items()]
    tokens = layers.Concatenate(axis=1, name="tokens")(tokens)
    return keras.Model(list(inputs.values()), fuse(variant, tokens, settings, emotions), name=variant)


def _make_inputs(settings: dict) -> dict:
    shapes = {"audio": (settings["vgg_fc"],), "visual": (settings["segment_frames"], settings["vgg_fc"])}
    return {name: keras.Input(shape, name=name) for name, shape in shapes.items()}


def encode_sound(fc6, settings: dict):
    """Section 3.2: fc7 of the audio image."""
    return _build_fc7("audio_fc7", settings)(fc6)


def encode_faces(fc6, settings: dict):
    """Section 3.3: fc7 of each face, and the LSTM's state after the last."""
    return LSTM(settings["lstm_units"], name="visual_lstm")(_build_fc7("visual_fc7", settings)(fc6))


def _build_fc7(name: str, settings: dict) -> layers.Dense:
    """VGG19's last fully connected layer, trained on in phase 1 or left as published (ledger 10)."""
    return layers.Dense(settings["vgg_fc"], "relu", trainable=settings["fc7"] == "trained", name=name)


def fuse(variant: str, tokens, settings: dict, emotions: int):
    """Section 3.4, from the two features to the scores."""
    if variant == "proposed":
        features, _ = AttentionFusion(settings["attention_units"], settings["bars"], name=ATTENTION)(tokens)
    else:
        features = layers.Flatten(name="side_by_side")(tokens)
    hidden = layers.Dense(settings["hidden_units"], "relu", name="hidden")(features)
    return layers.Dense(emotions, name="scores")(layers.Dropout(settings["dropout"], name="dropout")(hidden))


def expose_features(model: keras.Model) -> keras.Model:
    """Of a network of phase 1: its input -> the features that are fused (batch, 4096)."""
    return keras.Model(model.inputs, model.layers[-1].input)


def expose_weights(model: keras.Model) -> keras.Model:
    """Of "proposed": the two features -> beta (batch, 2), how much sound and faces count."""
    return keras.Model(model.inputs, model.get_layer(ATTENTION).output[1])
