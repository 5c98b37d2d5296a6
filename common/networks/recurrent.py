"""keras.layers.LSTM with a faster loop: the same weights, options and numbers.

Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates in the order of Keras, i f g o:

    i, f, o = sigma(W x_t + R h_(t-1) + b),  g = tanh(W x_t + R h_(t-1) + b)
    c_t = f c_(t-1) + i g,  h_t = o tanh(c_t)

Keras multiplies x_t by W inside the loop, keeps every intermediate value, and adds up the gradients of W, R and b
step by step. Here W x + b is one product over all steps before the loop, only h, c and the gates are kept, and the
gradient is written out: a short loop carries it back through the states, and one product over all steps each gives
those of W, R and b. `python -m benchmarks.recurrent` measures the difference.
"""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("avemotion")
class LSTM(keras.layers.LSTM):
    """keras.layers.LSTM, faster on a CPU. It never calls cuDNN: on a GPU Keras' own layer may be the better choice.

    Input (batch, time, features), mask (batch, time), output (batch, units) or, with return_sequences,
    (batch, time, units). Arguments, weights, masks and states are those of keras.layers.LSTM. Dropout draws one mask
    for the inputs of a sequence and one for its states; with recurrent dropout Keras draws one of each for every gate.
    ValueError for activations other than tanh and sigmoid, and for `unroll`.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        if (self.activation, self.recurrent_activation) != (keras.activations.tanh, keras.activations.sigmoid):
            raise ValueError("the gradient is written for activation 'tanh' and recurrent_activation 'sigmoid'")
        if self.unroll:
            raise ValueError("unroll is not offered: keras.layers.LSTM has it")

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """What keras.layers.RNN calls to run over time: returns the last output, all outputs, the last states."""
        kept = None
        if training and self.dropout:
            sequences = sequences * ops.expand_dims(_take_first(self.cell.get_dropout_mask(sequences[:, 0])), 1)
        if training and self.recurrent_dropout:
            kept = _take_first(self.cell.get_recurrent_dropout_mask(initial_state[0]))
        projected = ops.matmul(sequences, self.cell.kernel)
        if self.use_bias:
            projected = projected + self.cell.bias
        projected = ops.transpose(projected, (1, 0, 2))
        kernel = ops.copy(self.cell.recurrent_kernel)  # custom_gradient takes tensors, not variables
        valid = None if mask is None else ops.expand_dims(ops.transpose(mask), -1)
        hidden, cell = run_lstm(projected, kernel, initial_state, valid, self.go_backwards, kept)
        if self.go_backwards:  # Keras returns the outputs in the order in which they were made
            hidden = ops.flip(hidden, 0)
            valid = None if mask is None else ops.flip(valid, 0)
        states = [hidden[-1], cell]
        if mask is not None and self.zero_output_for_mask:
            hidden = ops.where(valid, hidden, 0)
        return hidden[-1], ops.transpose(hidden, (1, 0, 2)), states


def bilstm(units: int, return_sequences: bool = True, name: str | None = None, **kwargs):
    """A keras.layers.Bidirectional around `LSTM`, whose options `kwargs` are.

    Input (batch, time, features), mask (batch, time), output (batch, time, 2 units), which is 0 at masked steps, or
    the last states of both directions (batch, 2 units). The two loops are independent: they run side by side.
    """
    return keras.layers.Bidirectional(LSTM(units, return_sequences=return_sequences, **kwargs), name=name)


def step_lstm(projected, state, recurrent_kernel):
    """One step: W x + b (batch, 4 units) and the state (h, c) of (batch, units) each give the next state."""
    return _step(projected, state, recurrent_kernel)[0]


def _step(projected, state, recurrent_kernel):
    """The next state, and the four gates (batch, 4 units) that made it.

    sigma(x) = 1/2 + tanh(x / 2) / 2: one tanh gives all gates, at half of what TensorFlow's sigmoid costs.
    """
    hidden, cell = state
    scale, offset = (_repeat_for_gates(values, projected) for values in ([0.5, 0.5, 1, 0.5], [0.5, 0.5, 0, 0.5]))
    gates = ops.tanh((projected + ops.matmul(hidden, recurrent_kernel)) * scale) * scale + offset
    i, f, g, o = ops.split(gates, 4, axis=-1)
    cell = f * cell + i * g
    return (o * ops.tanh(cell), cell), gates


def _repeat_for_gates(values, projected):
    return ops.convert_to_tensor(np.repeat(values, projected.shape[-1] // 4), dtype=projected.dtype)


def run_lstm(projected, recurrent_kernel, state, valid=None, reverse=False, kept=None):
    """All steps from `state`: W x + b (time, batch, 4 units) gives every h (time, batch, units) and the last c.

    Steps at which `valid` (time, batch, 1) is False keep the state. With `reverse`, time runs from the end. `kept`
    (batch, units), a dropout mask, multiplies what the gates see of every h.
    """
    masks = () if valid is None else (valid,)

    def drop(hidden):
        return hidden if kept is None else hidden * kept

    def where(valid, new, old):
        return tuple(ops.where(valid[0], one, other) for one, other in zip(new, old)) if valid else new

    @ops.custom_gradient
    def run(projected, kernel, first_hidden, first_cell):
        no_gates = ops.zeros_like(projected[0])

        def forward(carry, step):
            (hidden, cell, _), (projected, *valid) = carry, step
            following, gates = _step(projected, (drop(hidden), cell), kernel)
            carry = (*where(valid, following, (hidden, cell)), gates)
            return carry, carry  # in Keras, outputs have the shapes of what is carried

        first = (first_hidden, first_cell, no_gates)
        (_, last_cell, _), (hidden, cell, gates) = ops.scan(forward, first, (projected, *masks), reverse=reverse)

        def gradient(*upstream):
            d_hidden_out, d_last_cell = keras.tree.flatten(upstream)  # TensorFlow passes two, JAX a pair
            transposed = ops.transpose(kernel)

            def backward(carry, step):
                (_, d_hidden, d_cell_after), (d_hidden_out, gates, cell, cell_before, *valid) = carry, step
                i, f, g, o = ops.split(gates, 4, axis=-1)
                tanh = ops.tanh(cell)
                d_hidden = d_hidden + d_hidden_out
                d_cell = d_cell_after + d_hidden * o * (1 - tanh * tanh)
                d_sums = [d_cell * g * i * (1 - i), d_cell * cell_before * f * (1 - f)]
                d_sums += [d_cell * i * (1 - g * g), d_hidden * tanh * o * (1 - o)]
                d_sums = ops.concatenate(d_sums, axis=-1)
                carry = (d_sums, drop(ops.matmul(d_sums, transposed)), d_cell * f)
                carry = where(valid, carry, (no_gates, d_hidden, d_cell_after))
                return carry, carry

            last = (no_gates, ops.zeros_like(first_hidden), d_last_cell)
            steps = (d_hidden_out, gates, cell, _shift(cell, first_cell, reverse), *masks)
            (_, *d_first), (d_projected, _, _) = ops.scan(backward, last, steps, reverse=not reverse)
            seen_before = drop(_shift(hidden, first_hidden, reverse))
            d_kernel = ops.tensordot(seen_before, d_projected, [[0, 1], [0, 1]])
            return d_projected, d_kernel, *d_first

        return (hidden, last_cell), gradient

    return run(projected, recurrent_kernel, *state)


def _take_first(masks):
    """The only dropout mask, or of those that Keras draws for the gates the first."""
    return masks[0] if isinstance(masks, list) else masks


def _shift(states, first, reverse):
    """The state before each step."""
    if reverse:
        return ops.concatenate([states[1:], first[None]], axis=0)
    return ops.concatenate([first[None], states[:-1]], axis=0)
