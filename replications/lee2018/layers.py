"""The layers of Lee et al. 2018, equation by equation. Shapes are (batch, time, height, width, channels)."""

import keras
from keras import ops

PACKAGE = "avemotion.lee2018"
PEEPHOLES = ("hadamard", "mixed", "none")
SCALES = ("mean_one", "softmax")


@keras.saving.register_keras_serializable(PACKAGE)
class StandardiseFrames(keras.layers.Layer):
    """Each frame to mean 0 and deviation 1 over its pixels ("standardise"), or from 0..255 to -1..1 ("scale").

    Input (..., H, W, C) of any type, output of the same shape in the compute type. Not in the paper; [15] does so.
    """

    def __init__(self, mode: str = "standardise", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if mode not in ("standardise", "scale"):
            raise ValueError(f"mode is 'standardise' or 'scale', not {mode!r}")
        self.mode = mode

    def call(self, frames):
        frames = ops.cast(frames, "float32") / 127.5 - 1.0
        if self.mode == "standardise":
            mean = ops.mean(frames, axis=(-3, -2, -1), keepdims=True)
            deviation = ops.std(frames, axis=(-3, -2, -1), keepdims=True)
            frames = (frames - mean) / (deviation + 1e-3)  # a frame of one grey stays 0
        return ops.cast(frames, self.compute_dtype)

    def compute_output_spec(self, frames):
        return keras.KerasTensor(frames.shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(PACKAGE)
class EachFrame(keras.layers.Wrapper):
    """Section 2.2.1, Siamese: one layer with the same weights on every frame.

    Input (batch, T, ...), output (batch, T, ...). Time is folded into the batch; keras.layers.TimeDistributed
    gives the same numbers several times more slowly.
    """

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def call(self, inputs, training=None):
        folded = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        outputs = self.layer(folded, training=training) if self.layer._call_has_training_arg else self.layer(folded)
        return ops.reshape(outputs, (-1, inputs.shape[1], *outputs.shape[1:]))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], *self.layer.compute_output_shape((None, *input_shape[2:]))[1:])


@keras.saving.register_keras_serializable(PACKAGE)
class TemporalSoftmax(keras.layers.Layer):
    """Eq. 1: A_t = exp(lambda_t) / sum_t exp(lambda_t).

    Input (batch, T, 1), output the same shape. scale "softmax" is Eq. 1 as printed; "mean_one" multiplies by T,
    so that the gated features of Eq. 4 keep their scale.
    """

    def __init__(self, scale: str = "mean_one", **kwargs):
        super().__init__(**kwargs)
        self.scale = _check_choice("scale", scale, SCALES)

    def call(self, scores):
        attention = ops.softmax(ops.cast(scores, "float32"), axis=1)
        if self.scale == "mean_one":
            attention = attention * ops.cast(ops.shape(scores)[1], "float32")
        return ops.cast(attention, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(PACKAGE)
class SpatialSoftmax(keras.layers.Layer):
    """Eq. 3: softmax over the H x W locations of each frame.

    Input (batch, T, H, W, 1), output the same shape. scale "softmax" is Eq. 3 as printed; "mean_one" multiplies
    by H W, so that the gated activations of Eq. 5 keep their scale.
    """

    def __init__(self, scale: str = "mean_one", **kwargs):
        super().__init__(**kwargs)
        self.scale = _check_choice("scale", scale, SCALES)

    def call(self, scores):
        _, steps, height, width, channels = scores.shape
        flat = ops.reshape(ops.cast(scores, "float32"), (-1, steps, height * width, channels))
        attention = ops.softmax(flat, axis=2)
        if self.scale == "mean_one":
            attention = attention * (height * width)
        return ops.cast(ops.reshape(attention, (-1, steps, height, width, channels)), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(PACKAGE)
class PreviousStep(keras.layers.Layer):
    """The state of the step before, zero at the first: H_(t-1) in Eq. 3 as printed. Shape is kept."""

    def call(self, states):
        return ops.concatenate([ops.zeros_like(states[:, :1]), states[:, :-1]], axis=1)


@keras.saving.register_keras_serializable(PACKAGE)
class PeepholeConvLSTM2D(keras.layers.Layer):
    """Eq. 2: convolutional LSTM with peepholes, returning all states h_1..h_T.

        i = sigma(W_xi * x_t + W_hi * h_(t-1) + W_ci o c_(t-1) + b_i)
        f = sigma(W_xf * x_t + W_hf * h_(t-1) + W_cf o c_(t-1) + b_f)
        c = f o c_(t-1) + i o tanh(W_xc * x_t + W_hc * h_(t-1) + b_c)
        o = sigma(W_xo * x_t + W_ho * h_(t-1) + W_co o c_t + b_o)
        h = o o tanh(c_t)

    `*` convolves ("same" padding), `o` is the Hadamard product. peepholes "hadamard": as above, with weights
    (H, W, filters), after Shi et al. 2015, whom the paper cites. "mixed": as printed, `*` with c_(t-1) in i and f
    and `o` with c_t in o. "none": no peephole, like the stock cells of TensorFlow. Kernels start from Xavier's
    distribution, biases and Hadamard peepholes at zero.
    Input (batch, T, H, W, C), output (batch, T, H, W, filters).
    """

    def __init__(self, filters: int, kernel_size: int = 3, peepholes: str = "hadamard", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.peepholes = _check_choice("peepholes", peepholes, PEEPHOLES)

    def build(self, input_shape):
        _, _, height, width, channels = input_shape
        size = (self.kernel_size, self.kernel_size)
        gates = 4 * self.filters  # i, f, c, o side by side: one convolution instead of four

        def weight(name, shape, initializer):
            return self.add_weight(name=name, shape=shape, initializer=initializer)

        self.input_kernel = weight("input_kernel", (*size, channels, gates), "glorot_uniform")
        self.state_kernel = weight("state_kernel", (*size, self.filters, gates), "glorot_uniform")
        self.bias = weight("bias", (gates,), "zeros")
        if self.peepholes != "none":
            before, start = (height, width, 2 * self.filters), "zeros"  # W_ci, W_cf
            if self.peepholes == "mixed":
                before, start = (*size, self.filters, 2 * self.filters), "glorot_uniform"
            self.peephole_before = weight("peephole_before", before, start)
            self.peephole_after = weight("peephole_after", (height, width, self.filters), "zeros")  # W_co

    def call(self, inputs):
        _, steps, height, width, channels = inputs.shape
        frames = ops.reshape(inputs, (-1, height, width, channels))
        driven = ops.conv(frames, self.input_kernel, padding="same") + self.bias
        driven = ops.reshape(driven, (-1, steps, height, width, 4 * self.filters))
        hidden = cell = ops.zeros_like(driven[:, 0, ..., : self.filters])
        states = []
        for step in ops.unstack(driven, axis=1):  # the gradient of slices would fill a whole clip for each step
            hidden, cell = self._step(step, hidden, cell)
            states.append(hidden)
        return ops.stack(states, axis=1)

    def _step(self, driven, hidden, cell):
        gates = driven + ops.conv(hidden, self.state_kernel, padding="same")
        i, f, candidate, o = ops.split(gates, 4, axis=-1)
        if self.peepholes == "hadamard":
            i = i + self.peephole_before[..., : self.filters] * cell
            f = f + self.peephole_before[..., self.filters :] * cell
        elif self.peepholes == "mixed":
            peep_i, peep_f = ops.split(ops.conv(cell, self.peephole_before, padding="same"), 2, axis=-1)
            i, f = i + peep_i, f + peep_f
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(candidate)
        if self.peepholes != "none":
            o = o + self.peephole_after * cell
        return ops.sigmoid(o) * ops.tanh(cell), cell

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {"filters": self.filters, "kernel_size": self.kernel_size, "peepholes": self.peepholes}
        return {**super().get_config(), **config}


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    return value
