"""keras.layers.LSTM with a faster loop: the same weights, options and numbers.

Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates in the order of Keras, i f g o:

    i, f, o = sigma(W x_t + R h_(t-1) + b),  g = tanh(W x_t + R h_(t-1) + b)
    c_t = f c_(t-1) + i g,  h_t = o tanh(c_t)

Keras multiplies x_t by W inside the loop, keeps every intermediate value, and adds up the gradients of W, R and b
step by step. Here W x + b is one product over all steps before the loop, only h and c are kept, and the gradient is
written out: a short loop carries it back through the states, and one product over all steps each gives those of W,
R and b. `python -m benchmarks.recurrent` measures the difference.
"""

import keras
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
            sequences = sequences * ops.expand_dims(_first(self.cell.get_dropout_mask(sequences[:, 0])), 1)
        if training and self.recurrent_dropout:
            kept = _first(self.cell.get_recurrent_dropout_mask(initial_state[0]))
        projected = ops.matmul(sequences, self.cell.kernel)
        if self.use_bias:
            projected = projected + self.cell.bias
        projected = ops.transpose(projected, (1, 0, 2))
        kernel = ops.copy(self.cell.recurrent_kernel)  # custom_gradient takes tensors, not variables
        valid = None if mask is None else ops.expand_dims(ops.transpose(mask), -1)
        hidden, cell = recurrence(projected, kernel, initial_state, valid, self.go_backwards, kept)
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


def lstm_step(projected, state, recurrent_kernel):
    """One step: W x + b (batch, 4 units) and the state (h, c) of (batch, units) each give the next state."""
    hidden, cell = state
    i, f, g, o = _gates(projected + ops.matmul(hidden, recurrent_kernel))
    cell = f * cell + i * g
    return o * ops.tanh(cell), cell


def recurrence(projected, recurrent_kernel, state, valid=None, reverse=False, kept=None):
    """All steps from `state`: W x + b (time, batch, 4 units) gives every h (time, batch, units) and the last c.

    Steps at which `valid` (time, batch, 1) is False keep the state. With `reverse`, time runs from the end. `kept`
    (batch, units), a dropout mask, multiplies what the gates see of every h.
    """

    def seen(hidden):
        return hidden if kept is None else hidden * kept

    masks = () if valid is None else (valid,)

    @ops.custom_gradient
    def run(projected, kernel, first_hidden, first_cell):
        def forward(state, step):
            projected, *valid = step
            following = lstm_step(projected, (seen(state[0]), state[1]), kernel)
            if valid:
                following = tuple(ops.where(valid[0], new, old) for new, old in zip(following, state))
            return following, following

        first = (first_hidden, first_cell)
        (_, last_cell), (hidden, cell) = ops.scan(forward, first, (projected, *masks), reverse=reverse)

        def gradient(*upstream):
            d_hidden_out, d_last_cell = keras.tree.flatten(upstream)  # TensorFlow passes two, JAX a pair
            hidden_before = seen(_preceding(hidden, first_hidden, reverse))
            cell_before = _preceding(cell, first_cell, reverse)
            i, f, g, o = _gates(projected + ops.matmul(hidden_before, kernel))
            tanh = ops.tanh(cell)
            d_cell_d_hidden = o * (1 - tanh * tanh)
            slopes = [g * i * (1 - i), cell_before * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)]
            slopes = ops.concatenate(slopes, axis=-1)
            skipped = ()
            if masks:
                slopes, d_cell_d_hidden = ops.where(valid, slopes, 0), ops.where(valid, d_cell_d_hidden, 0)
                f = ops.where(valid, f, 1)
                skipped = (ops.cast(ops.logical_not(valid), f.dtype),)
            transposed = ops.transpose(kernel)

            def backward(state, step):
                d_hidden, d_cell = state
                d_hidden_out, d_cell_d_hidden, slopes, f, *skipped = step
                d_hidden = d_hidden + d_hidden_out
                d_cell = d_cell + d_hidden * d_cell_d_hidden
                preceding = seen(ops.matmul(_d_projected(d_hidden, d_cell, slopes), transposed))
                if skipped:
                    preceding = preceding + d_hidden * skipped[0]
                return (preceding, d_cell * f), (d_hidden, d_cell)

            last = (ops.zeros_like(first_hidden), d_last_cell)
            steps = (d_hidden_out, d_cell_d_hidden, slopes, f, *skipped)
            d_first, d_states = ops.scan(backward, last, steps, reverse=not reverse)
            d_projected = _d_projected(*d_states, slopes)
            d_kernel = ops.tensordot(hidden_before, d_projected, [[0, 1], [0, 1]])
            return d_projected, d_kernel, *d_first

        return (hidden, last_cell), gradient

    return run(projected, recurrent_kernel, *state)


def _first(masks):
    """The only dropout mask, or of those that Keras draws for the gates the first."""
    return masks[0] if isinstance(masks, list) else masks


def _gates(sums):
    i, f, g, o = ops.split(sums, 4, axis=-1)
    return ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)


def _d_projected(d_hidden, d_cell, slopes):
    """The gradient of the four sums: i, f and g act through the cell, o through the output."""
    return ops.concatenate([d_cell, d_cell, d_cell, d_hidden], axis=-1) * slopes


def _preceding(states, first, reverse):
    """The state before each step."""
    if reverse:
        return ops.concatenate([states[1:], first[None]], axis=0)
    return ops.concatenate([first[None], states[:-1]], axis=0)
