"""The layers of Chao et al. 2016: soft alignment (Eq. 4 to 6) and perception attention (Eq. 9 to 10).

Clips differ in length: sequences are padded at the end, and `steps` (batch,) says how many steps each one has. What
stands behind them reaches no output.
"""

import keras
from keras import layers, ops

PACKAGE = "avemotion.chao2016"
CENTRES = ("floor", "nearest")
SLOTS = ("own", "shared")


@keras.saving.register_keras_serializable(PACKAGE)
class Valid(layers.Layer):
    """The mask of padded sequences: (batch, T, features) and steps (batch,) -> (batch, T), true before `steps`."""

    def call(self, sequence, steps):
        return ops.arange(ops.shape(sequence)[1], dtype="int32")[None] < ops.cast(steps, "int32")[:, None]


class Masked(layers.Layer):
    """A layer that is told what is padding by an argument, and puts out none: Keras' implicit masks end here."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, *inputs, **previous):
        return None


@keras.saving.register_keras_serializable(PACKAGE)
class Mean(Masked):
    """Average encoding (Section 2.1, Eq. 8): the mean of (batch, T, units) over the steps where `valid` (batch, T) is true."""

    def call(self, hidden, valid):
        weights = ops.cast(valid, hidden.dtype)
        return ops.sum(hidden * weights[..., None], axis=1) / ops.sum(weights, axis=1)[:, None]


@keras.saving.register_keras_serializable(PACKAGE)
class Alignment(Masked):
    """Soft alignment of the encoded audio with the visual sequence (Section 2.1, Eq. 4 to 6).

    At video step t it weighs the 2w audio steps p_t - w ... p_t + w - 1:

        s_i = W_i^T tanh(W^a h_(att,i) + W^v v_t),   l = softmax(s),   x_t = sum_i l_i h_(att,i)

    p_t is the coarse alignment t T_a / T, rounded as `centre` says (down, or to the nearest), and moved as far from
    either end as the window needs. The paper writes the window as p_t - w ... p_t + w and sums over 2w (ledger 2).

    Inputs: audio (batch, T_a, d), visual (batch, T, e), and how many steps of each belong to the clip, (batch,); a
    clip has at least 2w audio steps. Outputs: x (batch, T, d) and l (batch, T, 2w). `slots`: "own" W_i for each place
    in the window, as printed, or one "shared" by all.
    """

    def __init__(self, units: int, window: int = 2, centre: str = "floor", slots: str = "own", **kwargs):
        super().__init__(**kwargs)
        for value, choices in ((centre, CENTRES), (slots, SLOTS)):
            if value not in choices:
                raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        self.units, self.window, self.centre, self.slots = units, window, centre, slots

    def build(self, audio_shape, visual_shape, audio_steps_shape, steps_shape):
        places = 2 * self.window if self.slots == "own" else 1
        self.audio_kernel = self.add_weight(shape=(audio_shape[-1], self.units), name="audio_kernel")
        self.visual_kernel = self.add_weight(shape=(visual_shape[-1], self.units), name="visual_kernel")
        self.score_kernel = self.add_weight(shape=(places, self.units), name="score_kernel")

    def call(self, audio, visual, audio_steps, steps):
        index = self.find_windows(visual, audio_steps, steps)  # (batch, T, 2w)
        seen = ops.matmul(visual, self.visual_kernel)[:, :, None]
        heard = gather(ops.matmul(audio, self.audio_kernel), index)
        scores = ops.sum(self.score_kernel * ops.tanh(heard + seen), axis=-1)
        weights = ops.softmax(scores, axis=-1)
        return ops.sum(weights[..., None] * gather(audio, index), axis=2), weights

    def find_windows(self, visual, audio_steps, steps):
        """The audio steps (batch, T, 2w) that each video step looks at."""
        t = ops.arange(ops.shape(visual)[1], dtype="int32")[None]
        audio_steps, steps = (ops.cast(count, "int32")[:, None] for count in (audio_steps, steps))
        if self.centre == "nearest":
            centre = (2 * t * audio_steps + steps) // (2 * steps)
        else:
            centre = t * audio_steps // steps
        centre = ops.clip(centre, self.window, audio_steps - self.window)
        return centre[..., None] + ops.arange(-self.window, self.window, dtype="int32")

    def get_config(self):
        own = {name: getattr(self, name) for name in ("units", "window", "centre", "slots")}
        return super().get_config() | own


def gather(sequence, index):
    """sequence (batch, S, d) at index (batch, T, k): (batch, T, k, d)."""
    count, length, width = ops.shape(sequence)
    rows = index + ops.arange(count, dtype="int32")[:, None, None] * length
    return ops.take(ops.reshape(sequence, (-1, width)), rows, axis=0)


@keras.saving.register_keras_serializable(PACKAGE)
class PerceptionAttention(Masked):
    """Where each emotion looks (Section 2.3, Eq. 9).

        f_i^n = softmax_i((W^h h_i)^T e_n)

    over the steps i of the clip, with an embedding e_n of size `units` for each of `emotions` n. Inputs: h
    (batch, T, d) and which steps are `valid` (batch, T); output f (batch, emotions, T), 0 at the others.
    """

    def __init__(self, emotions: int, units: int, **kwargs):
        super().__init__(**kwargs)
        self.emotions, self.units = emotions, units

    def build(self, hidden_shape, valid_shape):
        self.kernel = self.add_weight(shape=(hidden_shape[-1], self.units), name="kernel")
        self.embeddings = self.add_weight(shape=(self.emotions, self.units), name="embeddings")

    def call(self, hidden, valid):
        scores = ops.matmul(ops.matmul(hidden, self.kernel), ops.transpose(self.embeddings))  # (batch, T, emotions)
        scores = ops.where(valid[..., None], scores, -1e9)
        return ops.transpose(ops.softmax(scores, axis=1), (0, 2, 1))

    def get_config(self):
        return super().get_config() | {"emotions": self.emotions, "units": self.units}


@keras.saving.register_keras_serializable(PACKAGE)
class EmotionScores(layers.Layer):
    """A score for each emotion from what it attends to (Eq. 10): s^n = W^n sum_i f_i^n h_i + b^n.

    Inputs: the weighted states sum_i f_i^n h_i (batch, emotions, d); output (batch, emotions).
    """

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=input_shape[1:], name="kernel")
        self.bias = self.add_weight(shape=input_shape[1:2], initializer="zeros", name="bias")

    def call(self, attended):
        return ops.sum(attended * self.kernel, axis=-1) + self.bias
