"""The loss of Wang and Hsu 2017, Section 3.4, term by term.

Labels and predictions are (batch, N), the N samples of each clip; every term is (batch,). Where they are equal up to
a constant, every term but the label's is 0.
"""

import keras
from keras import ops

PACKAGE = "avemotion.wang2017"

# The terms of each row of Table 1, and of the two more that Figure 2 shows.
LOSSES = {
    "la": ("label",),
    "t": ("trend",),
    "la-t": ("label", "trend"),
    "la-s": ("label", "siamese"),
    "la-t-s": ("label", "trend", "siamese"),
    "la-t-g": ("label", "trend", "global"),
    "la-t-lo": ("label", "trend", "local"),
    "la-lo-g": ("label", "local", "global"),
    "la-t-lo-g": ("label", "trend", "local", "global"),
    "ast-net": ("label", "trend", "local", "global", "siamese"),
    "la-t-g-s": ("label", "trend", "global", "siamese"),
    "la-t-lo-s": ("label", "trend", "local", "siamese"),
}


def label_loss(gold, predicted):
    """Section 3.4, item 1: 1 / (2 N) sum_i (gt_i - y_i)^2.

    The paper names the Euclidean distance and no constant; this is that of its Eq. 3, 4 and 6.
    """
    return ops.mean(ops.square(gold - predicted), axis=-1) / 2


def trend_loss(gold, predicted):
    """Eq. 3: 1 / (2 N) sum_i ((gt_i - gt_(i-1)) - (y_i - y_(i-1)))^2, i = 2..N.

    The i-1 are samples, which lie delta t frames apart; the first sample has none before it.
    """
    error = gold - predicted
    return ops.sum(ops.square(error[:, 1:] - error[:, :-1]), axis=-1) / (2 * error.shape[-1])


def local_loss(gold, predicted, intervals: int):
    """Eq. 4: 1 / (2 M) sum_k (range_k gt - range_k y)^2 over M = `intervals` stretches of N / M samples.

    ValueError if N is no multiple of M.
    """
    samples = gold.shape[-1]
    if samples % intervals:
        raise ValueError(f"{samples} samples cannot be divided into {intervals} equal intervals")
    shape = (-1, intervals, samples // intervals)
    gold, predicted = ops.reshape(gold, shape), ops.reshape(predicted, shape)
    return ops.mean(ops.square(_range(gold) - _range(predicted)), axis=-1) / 2


def global_loss(gold, predicted):
    """Eq. 5: (range gt - range y)^2 over the clip, as printed without the 1/2 of the other terms."""
    return ops.square(_range(gold) - _range(predicted))


def siamese_loss(gold_earlier, gold_later, earlier, later):
    """Eq. 6: 1 / (2 N) sum_i ((gt_i - gt_(i-1)) - (y_i - y_(i-1)))^2.

    Here i-1 is one frame of the video before i: the sample at the same place in the twin clip.
    """
    return label_loss(gold_later - gold_earlier, later - earlier)


def _range(values):
    return ops.max(values, axis=-1) - ops.min(values, axis=-1)


@keras.saving.register_keras_serializable(PACKAGE)
class TwinLoss(keras.losses.Loss):
    """Eq. 1 and 2: prediction loss + lambda Siamese loss, mean over the batch.

    y_true and y_pred (batch, 2, N): the earlier clip, and the later one, which starts one frame after it. A weight of
    0 takes its term away, as does `label` False. prediction_loss "both": mean over both clips; "earlier": that one's.
    """

    def __init__(
        self,
        *,
        label: bool,
        trend_weight: float,
        local_weight: float,
        global_weight: float,
        siamese_weight: float,
        intervals: int,
        prediction_loss: str = "both",
        name: str = "twin_loss",
    ):
        super().__init__(name=name)
        if prediction_loss not in ("both", "earlier"):
            raise ValueError(f"prediction_loss is 'both' or 'earlier', not {prediction_loss!r}")
        self.config = {
            "label": label,
            "trend_weight": trend_weight,
            "local_weight": local_weight,
            "global_weight": global_weight,
            "siamese_weight": siamese_weight,
            "intervals": intervals,
            "prediction_loss": prediction_loss,
        }

    def call(self, y_true, y_pred):
        gold, predicted = ops.unstack(y_true, 2, axis=1), ops.unstack(y_pred, 2, axis=1)
        total = self._prediction_loss(gold[0], predicted[0])
        if self.config["prediction_loss"] == "both":
            total = (total + self._prediction_loss(gold[1], predicted[1])) / 2
        if weight := self.config["siamese_weight"]:
            total = total + weight * siamese_loss(*gold, *predicted)
        return total

    def _prediction_loss(self, gold, predicted):
        """Eq. 2, (batch,)."""
        total = label_loss(gold, predicted) * float(self.config["label"])
        if weight := self.config["trend_weight"]:
            total = total + weight * trend_loss(gold, predicted)
        if weight := self.config["local_weight"]:
            total = total + weight * local_loss(gold, predicted, self.config["intervals"])
        if weight := self.config["global_weight"]:
            total = total + weight * global_loss(gold, predicted)
        return total

    def get_config(self):
        return {"name": self.name, **self.config}


@keras.saving.register_keras_serializable(PACKAGE)
class Scaling(keras.layers.Layer):
    """(x - mean) / deviation for each feature; (..., features) of any rank. Not trained: `set_weights` gives both."""

    def build(self, input_shape):
        self.mean = self.add_weight(shape=input_shape[-1:], initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=input_shape[-1:], initializer="ones", trainable=False, name="deviation")

    def call(self, values):
        return (values - self.mean) / self.deviation


def build_loss(variant: str, settings: dict) -> TwinLoss:
    """The loss of a variant of `LOSSES`: its terms with the weights in `settings` (Section 4.3), the others 0."""
    terms = LOSSES[variant]
    weights = {
        f"{term}_weight": settings[f"{term}_weight"] if term in terms else 0.0
        for term in ("trend", "local", "global", "siamese")
    }
    return TwinLoss(
        label="label" in terms,
        **weights,
        intervals=settings["intervals"],
        prediction_loss=settings["prediction_loss"],
    )
