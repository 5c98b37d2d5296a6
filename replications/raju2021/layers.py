"""The layers of Raju et al. 2021. Shapes are (batch, time, features); the text gives no equations but Eq. 1 and 2."""

import keras
from keras import ops

from common.networks.losses import ccc_loss
from common.networks.recurrent import LSTM, run_lstm

PACKAGE = "avemotion.raju2021"
FEEDBACKS = ("previous", "none")
SMALLEST = -1e9  # a masked energy: its share is 0 in float32


@keras.saving.register_keras_serializable(PACKAGE)
class FeatureAttention(keras.layers.Layer):
    """Section III-A: a fully connected layer and a softmax give each feature of a modality its weight.

        attended = D softmax(W x + b) o x

    over the D features of each step; the factor D keeps the scale, so that uniform attention changes nothing.
    Input (batch, time, D), output the same shape.
    """

    def build(self, input_shape):
        self.size = input_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(self.size, self.size), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.size,), initializer="zeros")

    def call(self, inputs):
        scores = ops.cast(ops.matmul(inputs, self.kernel) + self.bias, "float32")
        return inputs * ops.cast(self.size * ops.softmax(scores, axis=-1), inputs.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class ModalityAttention(keras.layers.Layer):
    """The other reading of Section III-A: one weight for each modality, a softmax over the M modalities.

    Inputs: M arrays (batch, time, D_m). Outputs: the same shapes, each times M softmax_m(w_m x_m + b_m).
    """

    def build(self, input_shapes):
        self.kernels = [
            self.add_weight(name=f"kernel_{index}", shape=(shape[-1], 1), initializer="glorot_uniform")
            for index, shape in enumerate(input_shapes)
        ]
        self.bias = self.add_weight(name="bias", shape=(len(input_shapes),), initializer="zeros")

    def call(self, inputs):
        scores = ops.concatenate([ops.matmul(x, kernel) for x, kernel in zip(inputs, self.kernels)], axis=-1)
        weights = len(inputs) * ops.softmax(ops.cast(scores + self.bias, "float32"), axis=-1)
        weights = ops.cast(weights, inputs[0].dtype)
        return [x * weights[..., index : index + 1] for index, x in enumerate(inputs)]

    def compute_output_shape(self, input_shapes):
        return list(input_shapes)


@keras.saving.register_keras_serializable(PACKAGE)
class WindowedBiLSTM(keras.layers.Layer):
    """The first BiLSTM of EAF, run afresh in a window around each step (Section III-A: one vector from its end).

    Input (batch, time, features), mask (batch, time) or None; output (batch x time, window, 2 units), one window for
    each step. at "end": the window ends at its step, "centre": it surrounds it. Steps before the first repeat it, and
    masked ones keep the state. The input projection, the same in all windows that hold a step, is made once.
    """

    def __init__(self, units: int, window: int, at: str = "end", dropout=0.0, recurrent_dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if at not in ("end", "centre"):
            raise ValueError(f"at is 'end' or 'centre', not {at!r}")
        self.units, self.window, self.at = units, window, at
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.directions = [LSTM(units, name=name) for name in ("forward", "backward")]
        self.drop = keras.layers.Dropout(dropout, noise_shape=(None, 1, None))  # as in keras.layers.LSTM
        self.drop_state = keras.layers.Dropout(recurrent_dropout)
        self.supports_masking = True

    def build(self, input_shape):
        for direction in self.directions:
            direction.build(input_shape)

    def call(self, inputs, mask=None, training=None):
        steps = inputs.shape[1]
        inputs = self.drop(inputs, training=training)
        around = ops.arange(steps)[:, None] + ops.arange(self.window) - self.reach
        index = ops.clip(around, 0, steps - 1)  # (steps, window)
        valid = None
        if mask is not None:  # past the end of the arrays there is padding too
            inside = ops.reshape(ops.tile(around < steps, (ops.shape(inputs)[0], 1)), (-1, self.window, 1))
            valid = ops.logical_and(
                self._cut_windows(ops.expand_dims(mask, -1), index), ops.transpose(inside, (1, 0, 2))
            )
        hidden = []
        for direction, reverse in zip(self.directions, (False, True)):
            projected = ops.matmul(inputs, direction.cell.kernel) + direction.cell.bias
            windows = self._cut_windows(projected, index)
            start = ops.zeros_like(windows[0, :, : self.units])
            kept = self.drop_state(ops.ones_like(start), training=training) if self.recurrent_dropout else None
            kernel = ops.copy(direction.cell.recurrent_kernel)
            states, _ = run_lstm(windows, kernel, (start, start), valid, reverse=reverse, kept=kept)
            hidden.append(ops.transpose(states, (1, 0, 2)))
        return ops.concatenate(hidden, axis=-1)

    @property
    def reach(self) -> int:
        """Steps of a window before the one it is for."""
        return self.window - 1 if self.at == "end" else self.window // 2

    def _cut_windows(self, values, index):
        """(batch, time, n) -> (window, batch x time, n)."""
        windows = ops.take(values, index, axis=1)  # (batch, time, window, n)
        return ops.transpose(ops.reshape(windows, (-1, self.window, values.shape[-1])), (1, 0, 2))

    def compute_mask(self, inputs, mask=None):
        return None  # masked steps of a window have kept the state

    def compute_output_shape(self, input_shape):
        return (None, self.window, 2 * self.units)

    def get_config(self):
        names = ("units", "window", "at", "dropout", "recurrent_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(PACKAGE)
class AttentionDecoder(keras.layers.Layer):
    """Section III-B, after Bahdanau et al. 2015 [38]: an LSTM that attends to all encoder states, one step per label.

        e_tj = v . tanh(W s_(t-1) + U h_j + b)      alpha_t = softmax_j(e_t)      c_t = sum_j alpha_tj h_j
        s_t = LSTM([y_(t-1), c_t], s_(t-1))         y_t = V s_t + d               s_0 = tanh(W_0 h'_1)

    h' is the backward half of the encoder's states. feedback "previous" feeds the own last prediction y_(t-1)
    (y_0 = 0), "none" leaves it out. Masked encoder states get no attention.

    Inputs: states (batch, time, features), mask (batch, time) bool or None.
    Output: (batch, time, outputs); with `return_attention` the alignment (batch, time, time) as well.
    """

    def __init__(self, units: int, attention_units: int, outputs: int, feedback: str = "previous", **kwargs):
        super().__init__(**kwargs)
        if feedback not in FEEDBACKS:
            raise ValueError(f"feedback is one of {', '.join(FEEDBACKS)}, not {feedback!r}")
        self.units = units
        self.attention_units = attention_units
        self.outputs = outputs
        self.feedback = feedback
        self.supports_masking = True

    def build(self, input_shape):
        features, gates = input_shape[-1], 4 * self.units

        def weight(name, shape, initializer="glorot_uniform"):
            return self.add_weight(name=name, shape=shape, initializer=initializer)

        self.start = weight("start", (features // 2, self.units))  # W_0
        self.query = weight("query", (self.units, self.attention_units))  # W
        self.key = weight("key", (features, self.attention_units))  # U
        self.key_bias = weight("key_bias", (self.attention_units,), "zeros")
        self.energy = weight("energy", (self.attention_units,), keras.initializers.RandomNormal(stddev=0.1, seed=None))
        self.context_kernel = weight("context_kernel", (features, gates))
        self.recurrent_kernel = weight("recurrent_kernel", (self.units, gates), "orthogonal")
        self.bias = weight("bias", (gates,), _open_forget_gate)
        if self.feedback == "previous":
            self.feedback_kernel = weight("feedback_kernel", (self.outputs, gates))
        self.output_kernel = weight("output_kernel", (self.units, self.outputs))
        self.output_bias = weight("output_bias", (self.outputs,), "zeros")

    def call(self, states, mask=None, return_attention=False):
        keys = ops.matmul(states, self.key) + self.key_bias
        energy = ops.copy(self.energy)  # custom_gradient takes tensors, not variables
        closed = None if mask is None else SMALLEST * (1 - ops.cast(mask, keys.dtype))
        hidden = ops.tanh(ops.matmul(states[:, 0, states.shape[-1] // 2 :], self.start))
        before = ops.zeros_like(hidden[:, : self.outputs])
        start = (hidden, ops.zeros_like(hidden), before) + ((keys[..., 0],) if return_attention else ())

        def step(carry, _):
            hidden, cell, before = carry[:3]
            energies = additive_energies(ops.matmul(hidden, self.query), keys, energy)
            shares = ops.softmax(energies if closed is None else energies + closed, axis=-1)
            context = ops.einsum("bj,bjf->bf", shares, states)
            gates = ops.matmul(context, self.context_kernel) + ops.matmul(hidden, self.recurrent_kernel) + self.bias
            if self.feedback == "previous":
                gates = gates + ops.matmul(before, self.feedback_kernel)
            i, f, candidate, o = ops.split(gates, 4, axis=-1)
            cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(candidate)
            hidden = ops.sigmoid(o) * ops.tanh(cell)
            carry = (hidden, cell, ops.matmul(hidden, self.output_kernel) + self.output_bias)
            carry += (shares,) if return_attention else ()
            return carry, carry  # Keras' scan on TensorFlow wants what is stacked to be like what is carried

        steps = ops.transpose(states[..., :1], (1, 0, 2))  # only their number matters
        _, made = ops.scan(step, start, steps)
        outputs = ops.transpose(made[2], (1, 0, 2))
        return (outputs, ops.transpose(made[3], (1, 0, 2))) if return_attention else outputs

    def compute_output_spec(self, states, mask=None, return_attention=False):
        outputs = keras.KerasTensor((*states.shape[:-1], self.outputs), self.compute_dtype)
        alignment = keras.KerasTensor((*states.shape[:-1], states.shape[1]), self.compute_dtype)
        return (outputs, alignment) if return_attention else outputs

    def get_config(self):
        names = ("units", "attention_units", "outputs", "feedback")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _open_forget_gate(shape, dtype=None):
    """Biases of the gates i, f, c, o: 1 for the forget gate, as in Keras' LSTM, 0 for the others."""
    units = shape[0] // 4
    return ops.concatenate([ops.zeros(units, dtype), ops.ones(units, dtype), ops.zeros(2 * units, dtype)])


@ops.custom_gradient
def additive_energies(query, keys, weights):
    """v . tanh(query + key_j) for all j: query (batch, A), keys (batch, time, A), weights (A,) -> (batch, time).

    The gradient computes the tanh again: kept, it would fill (time, time, A) floats for each recording, 800 MB at
    1768 steps and 64 units.
    """

    def tanh():
        return ops.tanh(ops.expand_dims(query, 1) + keys)

    def gradient(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        shape = tanh()
        at_tanh = ops.expand_dims(upstream, -1) * weights
        through = at_tanh * (1 - shape * shape)
        return ops.sum(through, axis=1), through, ops.einsum("bj,bja->a", upstream, shape)

    return ops.einsum("bja,a->bj", tanh(), weights), gradient


@keras.saving.register_keras_serializable(PACKAGE)
class MaskedCCC(keras.losses.Loss):
    """Section V-A, Eq. 1 as a loss: 1 - CCC of each target and sequence, the mean over both.

    y_true (batch, time, targets + 1): the last column is 1 where the step is scored and 0 where it is padding;
    y_pred (batch, time, targets). pooling "per_recording": a CCC for each sequence; "concatenated": for the batch.
    """

    def __init__(self, pooling: str = "per_recording", name: str = "masked_ccc"):
        super().__init__(name=name)
        self.pooling = pooling

    def call(self, y_true, y_pred):
        mask = y_true[..., -1]
        losses = [ccc_loss(y_true[..., k], y_pred[..., k], mask, pooling=self.pooling) for k in range(y_pred.shape[-1])]
        return ops.mean(ops.stack(losses))

    def get_config(self):
        return {"name": self.name, "pooling": self.pooling}
