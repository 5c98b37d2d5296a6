"""Attention over the two modalities (Priyasad et al. 2019, Section 3.4, Eq. 5 to 7)."""

import keras
from keras import layers, ops

PACKAGE = "avemotion.priyasad2019"
BARS = ("plain", "absolute")


@keras.saving.register_keras_serializable(PACKAGE)
class AttentionFusion(layers.Layer):
    """Which of a segment's feature vectors counts, and their weighted sum.

        h_t = tanh(W_h c_t + b_h)                              Eq. 5
        beta_t = exp(h_t^T h^) / sum_t exp(h_t^T h^)           Eq. 6
        q = sum_t beta_t c_t                                   Eq. 7

    c_t are the feature vectors of the modalities, (batch, 2, d), sound first; the sum over t has no other reading
    that leaves a vector to classify (ledger 11). h_t has `units` entries, as has the context vector h^, which is drawn
    at random and trained. With `bars` "absolute" the bars that Eq. 6 prints around h_t are taken for absolute values.
    Returns q (batch, d) and beta (batch, 2). Raises ValueError for other `bars`.
    """

    def __init__(self, units: int, bars: str = "plain", **kwargs):
        super().__init__(**kwargs)
        if bars not in BARS:
            raise ValueError(f"{bars!r} is none of {', '.join(BARS)}")
        self.units, self.bars = units, bars

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.context = self.add_weight(shape=(self.units, 1), name="context")

    def call(self, inputs):
        hidden = ops.tanh(ops.matmul(inputs, self.kernel) + self.bias)
        if self.bars == "absolute":
            hidden = ops.abs(hidden)
        beta = ops.softmax(ops.matmul(hidden, self.context), axis=1)  # (batch, 2, 1)
        return ops.sum(beta * inputs, axis=1), beta[..., 0]

    def get_config(self):
        return super().get_config() | {"units": self.units, "bars": self.bars}
