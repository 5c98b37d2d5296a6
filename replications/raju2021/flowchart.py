"""The networks of Figures 1 to 4 as data: layers, sizes, arrows, and what is inside of those that attend."""

from collections.abc import Sequence

import numpy as np

from common.networks import architecture
from replications.raju2021 import models
from replications.raju2021.layers import AttentionDecoder, FeatureAttention

AUDIO, VISUAL = 386, 153  # Section IV-B, low-level features; it does not say how long a recording may be


def describe(variant: str, settings: dict) -> list[dict]:
    """Layers as `common.networks.architecture` describes them, without the mask of the padding.

    A row of what is inside a layer says so as `within`, and as `before` what it takes from the step before.
    """
    model, found = models.VARIANTS[variant](settings, None, AUDIO, VISUAL), []
    for row in architecture.describe(model):
        row = row | {"inputs": [name for name in row["inputs"] if name != "mask"]}
        layer = model.get_layer(row["name"])
        if isinstance(layer, AttentionDecoder):
            found += open_decoder(row, layer)
        elif isinstance(layer, FeatureAttention):
            found += open_attention(row, layer)
        elif row["name"] != "mask":
            found.append(row)
    return found


def open_attention(row: dict, layer: FeatureAttention) -> list[dict]:
    """Section III-A: a fully connected layer, a softmax over the features, and what these are multiplied with."""
    name, shape, inputs = row["name"], row["shape"], row["inputs"]
    parts = [
        _part(name, "scores", "Dense", shape, layer.weights, inputs),
        _part(name, "softmax", "Softmax over features", shape, (), [f"{name}_scores"]),
        _part(name, "", "Multiply", shape, (), [f"{name}_softmax", *inputs]),
    ]
    return [part | {"within": name} for part in parts]


def open_decoder(row: dict, layer: AttentionDecoder) -> list[dict]:
    """Section III-B: the equations of `AttentionDecoder`, one by one. Nothing may follow it: its end has another name."""
    name, (states,), steps = row["name"], row["inputs"], row["shape"][0]
    key, query = ([steps, layer.attention_units] for _ in range(2))
    start, attention, cell, output = (f"{name}_{part}" for part in ("start", "attention", "cell", "output"))
    rows = [
        _part(name, "attention_key", "Key: U h + b", key, (layer.key, layer.key_bias), [states]),
        _part(name, "start", "Start: dense, tanh(W₀ h′₁)", [layer.units], (layer.start,), [states]),
        _part(name, "attention_query", "Query: W s", query, (layer.query,), [start], [cell]),
        _part(
            name, "attention_energies", "Energies: v · tanh(query + key)", [steps, steps], (layer.energy,),
            [f"{attention}_key", f"{attention}_query"],
        ),
        _part(name, "attention_softmax", "Softmax over time: α", [steps, steps], (), [f"{attention}_energies"]),
        _part(
            name, "attention_context", "Context: Σ α h", [steps, layer.key.shape[0]], (),
            [f"{attention}_softmax", states],
        ),
    ]  # fmt: skip
    inputs, gates = [f"{attention}_context"], (layer.context_kernel, layer.recurrent_kernel, layer.bias)
    if layer.feedback == "previous":
        shape = [steps, 4 * layer.units]
        rows.append(_part(name, "feedback", "Feedback: linear in y", shape, (layer.feedback_kernel,), [], [output]))
        inputs.append(f"{name}_feedback")
    ends = (layer.output_kernel, layer.output_bias)
    rows += [
        _part(name, "cell", "LSTM cell: s", [steps, layer.units], gates, inputs),
        _part(name, "output", "Output y: linear, V s + d", row["shape"], ends, [cell]),
    ]
    return [part | {"within": f"attention_{name}"} for part in rows]


def _part(
    layer: str, name: str, kind: str, shape: list, weights: Sequence, inputs: list[str], before: Sequence[str] = ()
) -> dict:
    found = {
        "name": f"{layer}_{name}" if name else layer,
        "kind": kind,
        "shape": shape,
        "parameters": sum(int(np.prod(weight.shape)) for weight in weights),
        "inputs": inputs,
    }
    return found | ({"before": list(before)} if before else {})
