"""Stochastic gradient descent with a rate for each variable, as Caffe's lr_mult gives it."""

import keras


@keras.saving.register_keras_serializable("avemotion")
class ScaledSGD(keras.optimizers.SGD):
    """keras.optimizers.SGD, where `factors` multiply the learning rate of the variables at these paths.

    A factor on the rate is a factor on the gradient, with the decay of a regularizer in it. Keras has no rates by
    variable.
    """

    def __init__(self, learning_rate, momentum: float = 0.0, factors: dict[str, float] | None = None, **kwargs):
        super().__init__(learning_rate, momentum, **kwargs)
        self.factors = factors or {}

    def apply(self, grads, trainable_variables):
        pairs = zip(grads, trainable_variables, strict=True)
        scaled = [g * self.factors[v.path] if v.path in self.factors else g for g, v in pairs]
        super().apply(scaled, trainable_variables)

    def get_config(self):
        return super().get_config() | {"factors": self.factors}
