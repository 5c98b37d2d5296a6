"""The CCC as a training loss for Keras, with a mask. `metrics.ccc` is its counterpart in NumPy."""

import keras
from keras import ops
from keras.src.backend import get_keras_mask  # has no public name; a plain getattr misses the mask on JAX

from common.metrics import POOLINGS


def ccc_loss(truth, prediction, mask=None, *, pooling: str, epsilon: float = 1e-8):
    """1 - CCC with population variances, over the unmasked samples.

    The calculation, in float32 whatever the inputs are, follows the steps:

    1. Weights: `share = mask / sum(mask)`, per row of samples that is scored together.
    2. Moments under these weights: means, variances, covariance.
    3. `ccc = 2 cov / (var_truth + var_prediction + (mean_truth - mean_prediction)^2 + epsilon)`.
    4. Mean of `1 - ccc` over the rows in which anything is unmasked; 0 if there is none.

    A row of one sample, or of two equal constants, for which the metric is NaN, has loss 1 and gradient 0.

    Args:
        truth: shape (batch, time), (batch, time, 1) or (batch,). What stands under the mask is not read, be it NaN.
        prediction: of the same shape, give or take the axes of length 1.
        mask: 1 (or True) to use, 0 to leave out; shape as above, or (batch,) for whole sequences. Other weights
            than 0 and 1 weight the moments.
        pooling: "concatenated", one CCC over all samples of the batch; "per_recording", one per sequence, then
            the mean over sequences.
        epsilon: keeps the division and its gradient finite where both series are constant and equal. Small
            beside the variances: with a label variance of 0.01 it moves the CCC by under 1e-6.

    Returns:
        Scalar tensor.

    Raises:
        ValueError: an unknown `pooling`, or shapes that do not fit.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, received {pooling!r}")
    truth, prediction = _to_sequences("truth", truth), _to_sequences("prediction", prediction)
    if any(a != b for a, b in zip(truth.shape, prediction.shape) if None not in (a, b)):
        raise ValueError(f"truth and prediction differ in shape: {truth.shape} != {prediction.shape}")
    weight = ops.ones_like(prediction)
    if mask is not None:
        weight = weight * _to_sequences("mask", mask)
    truth, prediction = ops.where(weight > 0, truth, 0.0), ops.where(weight > 0, prediction, 0.0)
    if pooling == "concatenated":
        truth, prediction, weight = (ops.reshape(x, (1, -1)) for x in (truth, prediction, weight))

    total = _sum(weight)
    share = weight / ops.where(total > 0, total, 1.0)
    truth_mean, prediction_mean = _sum(share * truth), _sum(share * prediction)
    truth, prediction = truth - truth_mean, prediction - prediction_mean
    covariance = _sum(share * truth * prediction)
    variances = _sum(share * truth**2) + _sum(share * prediction**2)
    ccc = 2 * covariance / (variances + (truth_mean - prediction_mean) ** 2 + epsilon)

    scored = ops.cast(total > 0, "float32")
    return ops.sum(scored * (1 - ccc)) / ops.maximum(ops.sum(scored), 1.0)


@keras.saving.register_keras_serializable(package="avemotion")
class CCCLoss(keras.losses.Loss):
    """`ccc_loss` for `model.compile`.

    The mask is `sample_weight`, of shape (batch, time) or (batch,), times the mask that a `Masking` layer left on
    the predictions. Keras would multiply losses per sample with it; a CCC has none, so the mask enters the moments.

    Args:
        pooling: "concatenated" or "per_recording"; takes the place of Keras' `reduction`.
        epsilon: see `ccc_loss`.
        name: name of the loss.
    """

    def __init__(self, *, pooling: str, epsilon: float = 1e-8, name: str = "ccc_loss"):
        super().__init__(name=name)
        self.pooling = pooling
        self.epsilon = epsilon

    def __call__(self, y_true, y_pred, sample_weight=None):
        mask = get_keras_mask(y_pred)
        if mask is None:
            mask = sample_weight
        elif sample_weight is not None:
            mask = _to_sequences("mask", mask) * _to_sequences("sample_weight", sample_weight)
        return ccc_loss(y_true, y_pred, mask, pooling=self.pooling, epsilon=self.epsilon)

    def get_config(self):
        return {"name": self.name, "pooling": self.pooling, "epsilon": self.epsilon}


def _to_sequences(name: str, values):
    """`values` as float32 of shape (batch, time)."""
    values = ops.cast(ops.convert_to_tensor(values), "float32")
    shape = tuple(values.shape)
    if len(shape) == 1:
        return ops.expand_dims(values, -1)
    if len(shape) == 3 and shape[-1] == 1:
        return ops.squeeze(values, -1)
    if len(shape) != 2:
        raise ValueError(f"{name} must have shape (batch, time) or (batch, time, 1), received {shape}")
    return values


def _sum(values):
    return ops.sum(values, axis=-1, keepdims=True)
