"""The networks: EAF, AED and EMAFN (Section III), and the LSTM of the challenge's baseline as a comparator.

Inputs are named: `audio` (T, Da) and `visual` (T, Dv) standardised features, `mask` (T,) 1 where the recording
lasts, 0 after its end. Every network returns (T, 3): arousal, valence and liking for each step, from linear units.
"""

import keras
from keras import layers, ops

from common.networks.recurrent import LSTM, bilstm
from replications.raju2021.layers import (
    PACKAGE,
    AttentionDecoder,
    FeatureAttention,
    ModalityAttention,
    WindowedBiLSTM,
)

TARGETS = ("arousal", "valence", "liking")


def eaf(settings: dict, steps: int, audio_size: int, visual_size: int) -> keras.Model:
    """Section III-A, Figure 2: attention for each modality, then two layers of BiLSTM and their final state."""
    inputs = _make_inputs(steps, audio_size, visual_size)
    joined, mask = _attend(inputs, settings), inputs[2]
    first, second = settings["eaf_units"]
    dropout = _dropout(settings)
    if settings["eaf_readout"] == "steps":
        hidden = bilstm(first, **dropout, name="bilstm_1")(joined, mask=mask)
        final = bilstm(second, **dropout, name="bilstm_2")(hidden, mask=mask)
    else:
        window = count_window_steps(settings)
        windows = WindowedBiLSTM(first, window, settings["eaf_window_at"], **dropout, name="bilstm_1")(
            joined, mask=mask
        )
        final = bilstm(second, return_sequences=False, **dropout, name="bilstm_2")(windows)
        final = layers.Lambda(unfold, arguments={"steps": steps}, output_shape=(steps, 2 * second), name="series")(
            final
        )
    return keras.Model(inputs, layers.Dense(len(TARGETS), name="prediction")(final), name="eaf")


def aed(settings: dict, steps: int, audio_size: int, visual_size: int) -> keras.Model:
    """Section III-B, Figure 3: a BiLSTM encoder, and a decoder that attends to all of its states."""
    inputs = _make_inputs(steps, audio_size, visual_size)
    joined = layers.Concatenate(name="features")(inputs[:2])
    return keras.Model(inputs, _encode_and_decode(joined, inputs[2], settings), name="aed")


def emafn(settings: dict, steps: int, audio_size: int, visual_size: int) -> keras.Model:
    """Section III-C, Figure 4: EAF's attention in front of AED. With uniform attention it is AED."""
    inputs = _make_inputs(steps, audio_size, visual_size)
    return keras.Model(inputs, _encode_and_decode(_attend(inputs, settings), inputs[2], settings), name="emafn")


def lstm(settings: dict, steps: int, audio_size: int, visual_size: int) -> keras.Model:
    """The baseline that the challenge published [24]: two LSTM layers of 64 and 32 units, a prediction at each step."""
    inputs = _make_inputs(steps, audio_size, visual_size)
    hidden = layers.Concatenate(name="features")(inputs[:2])
    for number, units in enumerate((64, 32), 1):
        hidden = LSTM(units, return_sequences=True, dropout=0.1, recurrent_dropout=0.1, name=f"lstm_{number}")(
            hidden, mask=inputs[2]
        )
    return keras.Model(inputs, layers.Dense(len(TARGETS), name="prediction")(hidden), name="lstm")


VARIANTS = {"eaf": eaf, "emafn": emafn, "aed": aed, "lstm": lstm}


def count_window_steps(settings: dict) -> int:
    """Steps in a window of EAF."""
    return max(2, round(settings["eaf_window"] / settings["hop"]))


@keras.saving.register_keras_serializable(PACKAGE)
def unfold(states, steps: int):
    """(batch x steps, units) -> (batch, steps, units)."""
    return ops.reshape(states, (-1, steps, states.shape[-1]))


def _make_inputs(steps: int, audio_size: int, visual_size: int) -> list:
    return [
        keras.Input((steps, audio_size), name="audio"),
        keras.Input((steps, visual_size), name="visual"),
        keras.Input((steps,), dtype="bool", name="mask"),
    ]


def _attend(inputs: list, settings: dict):
    """Section III-A: the features of both modalities, each times its attention weight."""
    audio, visual = inputs[:2]
    if settings["attention_over"] == "modalities":
        audio, visual = ModalityAttention(name="modality_attention")([audio, visual])
    else:
        audio = FeatureAttention(name="audio_attention")(audio)
        visual = FeatureAttention(name="visual_attention")(visual)
    return layers.Concatenate(name="features")([audio, visual])


def _encode_and_decode(features, mask, settings: dict):
    states = bilstm(settings["encoder_units"], **_dropout(settings), name="encoder")(features, mask=mask)
    decoder = AttentionDecoder(
        settings["decoder_units"], settings["attention_units"], len(TARGETS), settings["feedback"], name="decoder"
    )
    return decoder(states, mask=mask)


def _dropout(settings: dict) -> dict:
    return {"dropout": settings["dropout"], "recurrent_dropout": settings["recurrent_dropout"]}
