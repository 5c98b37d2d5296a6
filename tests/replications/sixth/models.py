"""The network of Figure 1."""

import keras
from keras import layers

from common.networks.recurrent import LSTM


def lstm(settings: dict) -> keras.Model:
    """Loudness (batch, steps, 1) -> arousal (batch, steps, 1)."""
    inputs = keras.Input((None, 1), name="loudness")
    hidden = LSTM(settings["units"], return_sequences=True, name="lstm")(inputs)
    return keras.Model(inputs, layers.Dense(1, name="arousal")(hidden), name="lstm")


VARIANTS = {"lstm": lstm}
