"""Weights of a Keras model: drawn at random, or set to what a file has, with a check."""

import numpy as np

from common.errors import InputError


def randomise(model, seed: int, first: float = 1.0) -> None:
    """Draw the kernels of `model` from He's normal distribution, in their order, from `seed`, and set biases to 0.

    He et al. 2015, for ReLU, so that maps neither vanish nor explode. It keeps the scale of the input: `first`
    multiplies the first kernel, 1 / 128 for pixels of +-128. Batch statistics stay as they are.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if len(variable.shape) > 1:
            values = rng.standard_normal(variable.shape, np.float32)
            values *= first * np.sqrt(2 / np.prod(variable.shape[:-1]))
            variable.assign(values)
            first = 1.0
        elif variable.name == "bias":
            variable.assign(np.zeros(variable.shape))


def assign(variable, values, source: str, hint: str) -> None:
    """Set a variable to `values`, an array or a dataset of an HDF5 file, which is read once its shape has been checked.

    Raises InputError for another shape, NaN, infinity or no floats; it begins with `source`, the file and the name of
    the array, and says `hint` of another shape.
    """
    if tuple(values.shape) != tuple(variable.shape):
        raise InputError(f"{source} has shape {values.shape}, {tuple(variable.shape)} is needed; {hint}")
    values = np.asarray(values)
    if not (np.issubdtype(values.dtype, np.floating) and np.isfinite(values).all()):
        raise InputError(f"{source} holds NaN, infinity or no numbers; fetch the file again, or make it again")
    variable.assign(values)
