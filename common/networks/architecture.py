"""The graph of a network as plain data, for figures that are drawn without TensorFlow."""

import numpy as np


def describe(model) -> list[dict]:
    """The layers of a functional model in topological order: name, kind, output shape, parameters, inputs."""
    rows = []
    for operation in model._operations:  # Keras keeps the graph's order here
        node = operation._inbound_nodes[0]
        rows.append(
            {
                "name": operation.name,
                "kind": _kind(operation),
                "shape": list(node.output_tensors[0].shape[1:]),
                "parameters": sum(int(np.prod(weight.shape)) for weight in getattr(operation, "weights", ())),
                "inputs": [
                    parent.name
                    for parent in dict.fromkeys(tensor._keras_history.operation for tensor in node.input_tensors)
                ],
            }
        )
    return rows


def _kind(layer) -> str:
    """The class of a layer; of a wrapper with what it wraps, of a nested model with its depth."""
    name = type(layer).__name__
    if hasattr(layer, "forward_layer"):
        return f"{name}({_kind(layer.forward_layer)})"
    if hasattr(layer, "layer"):
        return f"{name}({_kind(layer.layer)})"
    return f"{len(layer.layers) - 1} layers" if name == "Functional" else name
