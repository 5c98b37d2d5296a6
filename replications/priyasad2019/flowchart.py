"""Figure 2 as data: VGG19 on the audio image and on each face, the network behind it, and its attention."""

from common.networks import architecture, vgg
from common.networks.architecture import make_row
from datasets.acted import CLASSES
from replications.priyasad2019 import models, vgg19
from replications.priyasad2019.layers import AttentionFusion


def describe(variant: str, settings: dict) -> list[dict]:
    """Layers as `common.networks.architecture` describes them, VGG19 by its blocks.

    Both streams have one VGG19, whose weights up to fc6 no training changes: they are counted where it stands first.
    A row of what is inside a layer has the name of the layer as `within`.
    """
    *cnn, fc6, _ = vgg.join_blocks(architecture.describe(vgg19.build_graph(settings)))
    cnn.append(fc6 | {"name": "fc6"})
    model = models.build_whole(variant, settings, len(CLASSES))
    rows, found = architecture.describe(model), []
    streams = sorted((row for row in rows if row["kind"] == "InputLayer"), key=lambda row: row["name"])
    for row in streams:
        stream = describe_stream(row["name"], row["shape"][:-1], cnn)
        if found:
            stream = [part | ({"parameters": 0, "shared": True} if part["parameters"] else {}) for part in stream]
        found += stream
    inputs = {row["name"] for row in streams}
    for row in rows:
        row = row | {"inputs": [f"{name}_fc6" if name in inputs else name for name in row["inputs"]]}
        layer = model.get_layer(row["name"])
        if row["name"] not in inputs:
            found += open_attention(row, layer) if isinstance(layer, AttentionFusion) else [row]
    return found


def describe_stream(name: str, images: list[int], cnn: list[dict]) -> list[dict]:
    """The layers `cnn` on the images of a stream, of which there are one ([]) or n ([n])."""
    return [
        row
        | {
            "name": f"{name}_{row['name']}",
            "shape": images + row["shape"],
            "inputs": [f"{name}_{source}" for source in row["inputs"]],
        }
        for row in cnn
    ]


def open_attention(row: dict, layer: AttentionFusion) -> list[dict]:
    """Eq. 5 to 7, one by one."""
    name, (tokens,), units = row["name"], row["inputs"], layer.units
    hidden, softmax = f"{name}_hidden", f"{name}_softmax"
    parts = [
        make_row(hidden, "h = tanh(W c + b)", [2, units], (layer.kernel, layer.bias), [tokens]),
        make_row(softmax, "Softmax of h · ĥ: β", [2], (layer.context,), [hidden]),
        make_row(name, "Sum of β c", row["shape"], (), [softmax, tokens]),
    ]
    return [part | {"within": name} for part in parts]
