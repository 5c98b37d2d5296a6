"""The graph of a network as plain data, for figures that are drawn without TensorFlow."""

from collections.abc import Iterable

import numpy as np


def describe(model) -> list[dict]:
    """The layers of a functional model in topological order: name, kind, output shape, parameters, inputs."""
    rows = []
    for operation in model._operations:  # Keras keeps the graph's order here
        node = operation._inbound_nodes[0]
        parents = dict.fromkeys(tensor._keras_history.operation for tensor in node.input_tensors)
        shape, weights = list(node.output_tensors[0].shape[1:]), getattr(operation, "weights", ())
        rows.append(make_row(operation.name, _kind(operation), shape, weights, [parent.name for parent in parents]))
    return rows


def make_row(name: str, kind: str, shape: list, weights: Iterable, inputs: list[str], **more) -> dict:
    """A layer, or a part of one; its parameters are those of `weights`, `inputs` the names of the rows before it."""
    parameters = sum(int(np.prod(weight.shape)) for weight in weights)
    return {"name": name, "kind": kind, "shape": shape, "parameters": parameters, "inputs": inputs, **more}


def _kind(layer) -> str:
    """The class of a layer; of a wrapper with what it wraps, of a nested model with its depth."""
    name = type(layer).__name__
    if hasattr(layer, "forward_layer"):
        return f"{name}({_kind(layer.forward_layer)})"
    if hasattr(layer, "layer"):
        return f"{name}({_kind(layer.layer)})"
    return f"{len(layer.layers) - 1} layers" if name == "Functional" else name
