"""The temporal networks of Wang and Hsu 2017: the stacked LSTM (Section 3.3) and its twins (Section 3.4).

One network is trained for each target. The twins share all weights; what is inside them predicts (`get_stack`).
"""

import keras
import numpy as np
from keras import layers, ops

from common.networks.recurrent import LSTM, step_lstm
from replications.wang2017.layers import PACKAGE, Scaling


def build_stack(settings: dict, features: int) -> keras.Model:
    """Section 4.3: LSTM layers of `lstm_units` cells and a linear unit; (steps, features) of any length -> (steps,).

    Its first layer, "scaling", changes nothing until its weights are set.
    """
    inputs = keras.Input((None, features), name="features")
    hidden = Scaling(name="scaling")(inputs)
    for number, units in enumerate(settings["lstm_units"], 1):
        hidden = LSTM(units, return_sequences=True, name=f"lstm_{number}")(hidden)
    prediction = layers.Dense(1, name="prediction")(hidden)
    return keras.Model(inputs, layers.Reshape((-1,), name="series")(prediction), name="stack")


def build_twins(settings: dict, features: int) -> keras.Model:
    """Section 3.4: `build_stack`'s network on the earlier and on the later clip; (2, clip_frames, features) -> (2, clip_frames)."""
    clips = keras.Input((2, settings["clip_frames"], features), name="clips")
    return keras.Model(clips, Siamese(build_stack(settings, features), name="twins")(clips), name="ast_net")


def get_stack(model: keras.Model) -> keras.Model:
    """The stacked network that both twins of `model` are, with its weights."""
    return model.get_layer("twins").layer


@keras.saving.register_keras_serializable(PACKAGE)
class Siamese(layers.Wrapper):
    """One network for both clips: (batch, 2, steps, features) -> (batch, 2, steps), the pair folded into the batch."""

    def call(self, clips):
        series = self.layer(ops.reshape(clips, (-1, *clips.shape[2:])))
        return ops.reshape(series, (-1, *clips.shape[1:3]))


class Stepper:
    """A stacked network in real time: each call takes one step of k sequences, from the states of the last one.

    The first call, and the first after `reset`, starts from zero states and sets k. It has the weights that the
    network had when the stepper was made.
    """

    def __init__(self, model: keras.Model):
        weights = [layer.get_weights() for layer in model.layers if layer.weights]
        self.weights = [array for arrays in weights for array in arrays]
        self._scaling, *self._cells, self._output = [
            [ops.convert_to_tensor(array) for array in arrays] for arrays in weights
        ]
        self.reset()

    def reset(self) -> None:
        self._states = None

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (k, F) of one step -> predictions (k,)."""
        mean, deviation = self._scaling
        hidden = (ops.convert_to_tensor(features, "float32") - mean) / deviation
        if self._states is None:
            self._states = [[ops.zeros((len(features), recurrent.shape[0]))] * 2 for _, recurrent, _ in self._cells]
        for number, (kernel, recurrent, bias) in enumerate(self._cells):
            self._states[number] = step_lstm(ops.matmul(hidden, kernel) + bias, self._states[number], recurrent)
            hidden = self._states[number][0]
        kernel, bias = self._output
        return ops.convert_to_numpy(ops.matmul(hidden, kernel) + bias)[:, 0]


def collect_weights(models: dict[str, keras.Model]) -> dict[str, np.ndarray]:
    """The weights of target -> stacked network as arrays of a result file."""
    return {f"weights/{t}/{n}": array for t, model in models.items() for n, array in enumerate(model.get_weights())}


def restore_stacks(arrays: dict[str, np.ndarray], settings: dict, features: int) -> dict[str, keras.Model]:
    """Target -> stacked network, with the weights among `arrays`. ValueError if its networks have other sizes."""
    found = {}
    for target in dict.fromkeys(name.split("/")[1] for name in arrays if name.startswith("weights/")):
        found[target] = build_stack(settings, features)
        found[target].set_weights([arrays[f"weights/{target}/{n}"] for n in range(len(found[target].weights))])
    return found
