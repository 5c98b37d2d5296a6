"""The four networks of Table 1 of Chao et al. 2016.

All take the features of padded clips as `audio` (batch, T_a, 50), `shape` (batch, T, 20) and `appearance`
(batch, T, 1024), and how many steps of each clip are real as `audio_steps` and `steps` (batch,); all give the scores
s^n of Eq. 10, (batch, emotions), whose softmax is Eq. 11.

    pool5      appearance only, average encoding     last      both streams, last-time encoding (Eq. 7)
    average    both streams, average encoding        proposed  both streams, perception attention (Section 2.3)
"""

import keras
import numpy as np
from keras import layers, ops

from common.networks.recurrent import LSTM
from replications.chao2016.layers import Alignment, EmotionScores, Mean, PerceptionAttention, Valid

VARIANTS = ("pool5", "last", "average", "proposed")
ALIGNMENT, ATTENTION = "alignment", "perception_attention"  # layers whose weights are looked at


def build_network(variant: str, settings: dict, widths: dict[str, int], emotions: int) -> keras.Model:
    """The network `variant`; `widths` has the number of `audio`, `shape` and `appearance` features."""
    inputs = {name: keras.Input((None, width), name=name) for name, width in widths.items()}
    inputs |= {name: keras.Input((), dtype="int32", name=name) for name in ("audio_steps", "steps")}
    masks = {"valid": ("appearance", "steps"), "audio_valid": ("audio", "audio_steps")}
    known = inputs | {m: Valid(name=m)(*(inputs[name] for name in names)) for m, names in masks.items()}
    build = {"pool5": appearance_only, "last": last_time, "average": average, "proposed": proposed}[variant]
    scores = build(known, settings, emotions)
    used = ("appearance", "steps") if variant == "pool5" else tuple(inputs)
    return keras.Model([inputs[name] for name in used], scores, name=variant)


def appearance_only(inputs: dict, settings: dict, emotions: int):
    """Section 4.1: one hidden layer and one LSTM, each of 64, on the appearance; average encoding."""
    hidden = build_hidden(settings["units"], settings, "appearance_hidden")(inputs["appearance"])
    states = LSTM(settings["units"], return_sequences=True, name="visual_lstm")(hidden, mask=inputs["valid"])
    return classify_average(states, inputs["valid"], settings, emotions)


def last_time(inputs: dict, settings: dict, emotions: int):
    """Eq. 7: the class from the state after the last step."""
    states = encode(inputs, settings["units"], settings)
    return classify(states[:, -1], settings, emotions)  # steps behind the end of a clip have kept its last state


def average(inputs: dict, settings: dict, emotions: int):
    """Eq. 8: the class from the mean over all steps."""
    return classify_average(encode(inputs, settings["units"], settings), inputs["valid"], settings, emotions)


def proposed(inputs: dict, settings: dict, emotions: int):
    """Section 2.3: a small encoder says where each emotion looks (Eq. 9), another one what is there (Eq. 10)."""
    selecting = encode(inputs, settings["select_units"], settings, "select_")
    states = encode(inputs, settings["proposed_units"], settings)
    attention = PerceptionAttention(emotions, settings["embedding_units"], name=ATTENTION)(selecting, inputs["valid"])
    attended = layers.Dot((2, 1), name="attended")([attention, states])
    return EmotionScores(name="scores")(layers.Dropout(settings["dropout"], name="attended_dropout")(attended))


def encode(inputs: dict, units: int, settings: dict, prefix: str = ""):
    """Fig. 1a: both streams aligned and encoded.

    Hidden layers are as wide as the LSTM that they feed, `units` (Section 4.1); for the two of the face see ledger 27.
    """
    audio = build_hidden(units, settings, f"{prefix}audio_hidden")(inputs["audio"])
    heard = LSTM(units, return_sequences=True, name=f"{prefix}audio_lstm")(audio, mask=inputs["audio_valid"])
    width = settings["face_units"] or units
    faces = [build_hidden(width, settings, f"{prefix}{name}_hidden")(inputs[name]) for name in ("shape", "appearance")]
    seen = build_hidden(units, settings, f"{prefix}visual_hidden")(layers.Concatenate(name=f"{prefix}face")(faces))
    alignment = Alignment(units, settings["window"], settings["coarse"], settings["slots"], name=f"{prefix}{ALIGNMENT}")
    aligned, _ = alignment(heard, seen, inputs["audio_steps"], inputs["steps"])
    both = layers.Concatenate(name=f"{prefix}audio_visual")([aligned, seen])
    return LSTM(units, return_sequences=True, name=f"{prefix}audio_visual_lstm")(both, mask=inputs["valid"])


def build_hidden(units: int, settings: dict, name: str):
    """A hidden layer, with dropout behind it as behind every layer but the LSTM (Section 4.1)."""
    hidden = layers.Dense(units, activation=settings["activation"], name=name)
    dropout = layers.Dropout(settings["dropout"], name=f"{name}_dropout")
    return lambda inputs: dropout(hidden(inputs))


def classify_average(states, valid, settings: dict, emotions: int):
    """Average encoding: of the states, then classified, as the text says; or of the posteriors, as Eq. 8 does."""
    if settings["averaged"] == "states":
        return classify(Mean(name="mean")(states, valid), settings, emotions)
    posteriors = layers.Activation("softmax", name="posteriors")(classify(states, settings, emotions))
    return ops.log(ops.maximum(Mean(name="mean")(posteriors, valid), 1e-30))  # its softmax is the mean again


def classify(state, settings: dict, emotions: int):
    return layers.Dense(emotions, name="scores")(layers.Dropout(settings["dropout"], name="state_dropout")(state))


class Adadelta(keras.optimizers.Adadelta):
    """Zeiler 2012 with L2 weight decay in the gradient of every kernel, as where the decay is a term of the loss.

    Keras' own `weight_decay` leaves the gradient alone and would decay many times as much at this learning rate.
    """

    def __init__(self, decay: float, learning_rate: float = 1.0, **kwargs):
        super().__init__(learning_rate, rho=0.95, epsilon=1e-6, **kwargs)
        self.decay = decay

    def apply(self, grads, trainable_variables):
        pairs = zip(grads, trainable_variables, strict=True)
        super().apply([g + self.decay * v if len(v.shape) > 1 else g for g, v in pairs], trainable_variables)


def expose_attention(model: keras.Model) -> keras.Model:
    """Of "proposed": the same inputs -> alignment l of the encoder that is classified (batch, T, 2w), f (batch, n, T)."""
    weights = model.get_layer(ALIGNMENT).output[1]
    return keras.Model(model.inputs, [weights, model.get_layer(ATTENTION).output])


def get_embeddings(model: keras.Model) -> np.ndarray:
    """The emotion embeddings e_n (emotions, size) of "proposed" (Fig. 4)."""
    return np.array(model.get_layer(ATTENTION).embeddings)
