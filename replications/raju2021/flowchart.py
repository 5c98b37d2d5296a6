"""The networks of Figures 1 to 4 as data: layers, sizes, arrows, and what is inside of those that attend."""

from common.networks import architecture
from common.networks.architecture import make_row
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
    scores, softmax = f"{name}_scores", f"{name}_softmax"
    parts = [
        make_row(scores, "Dense", shape, layer.weights, inputs),
        make_row(softmax, "Softmax over features", shape, (), [scores]),
        make_row(name, "Multiply", shape, (), [softmax, *inputs]),
    ]
    return [part | {"within": name} for part in parts]


def open_decoder(row: dict, layer: AttentionDecoder) -> list[dict]:
    """Section III-B: the equations of `AttentionDecoder`, one by one. Nothing may follow it: its end has another name."""
    (states,), steps, units = row["inputs"], row["shape"][0], layer.units
    start, feedback, cell, output = (f"{row['name']}_{part}" for part in ("start", "feedback", "cell", "output"))
    key, query, energies, softmax, context = (
        f"{row['name']}_attention_{part}" for part in ("key", "query", "energies", "softmax", "context")
    )
    compared, returned = [steps, layer.attention_units], layer.feedback == "previous"
    gates = (layer.context_kernel, layer.recurrent_kernel, layer.bias)
    parts = [
        make_row(key, "Key: U h + b", compared, (layer.key, layer.key_bias), [states]),
        make_row(start, "Start: dense, tanh(W₀ h′₁)", [units], (layer.start,), [states]),
        make_row(query, "Query: W s", compared, (layer.query,), [start], before=[cell]),
        make_row(energies, "Energies: v · tanh(query + key)", [steps, steps], (layer.energy,), [key, query]),
        make_row(softmax, "Softmax over time: α", [steps, steps], (), [energies]),
        make_row(context, "Context: Σ α h", [steps, layer.key.shape[0]], (), [softmax, states]),
    ]
    if returned:
        weights = (layer.feedback_kernel,)
        parts.append(make_row(feedback, "Feedback: linear in y", [steps, 4 * units], weights, [], before=[output]))
    weights = (layer.output_kernel, layer.output_bias)
    parts += [
        make_row(cell, "LSTM cell: s", [steps, units], gates, [context, feedback] if returned else [context]),
        make_row(output, "Output y: linear, V s + d", row["shape"], weights, [cell]),
    ]
    return [part | {"within": f"attention_{row['name']}"} for part in parts]
