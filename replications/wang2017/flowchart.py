"""Figure 1 as data: the CNN, the network on both clips, which share its weights, and the loss that joins them."""

from common.networks import architecture, vgg
from replications.wang2017 import attributes, models


def describe(variant: str, settings: dict) -> list[dict]:
    """Layers as `common.networks.architecture` describes them, the CNN by its blocks.

    `variant` is a loss; all have the same layers.
    """
    cnn = vgg.join_blocks(architecture.describe(attributes.build_extractor(attributes.build_network(settings))))
    stack = architecture.describe(models.build_stack(settings, settings["fc_units"]))
    found = [*cnn]
    for clip in ("earlier", "later"):
        for row in stack:
            shape = [settings["clip_frames"] if size is None else size for size in row["shape"]]
            inputs = [f"{clip}_{name}" for name in row["inputs"]] or [cnn[-1]["name"]]
            shared = {"parameters": 0, "shared": True} if clip == "later" and row["parameters"] else {}
            found.append(row | {"name": f"{clip}_{row['name']}", "shape": shape, "inputs": inputs} | shared)
    ends = [f"{clip}_{stack[-1]['name']}" for clip in ("earlier", "later")]
    return [*found, {"name": "loss", "kind": "TwinLoss", "shape": [], "parameters": 0, "inputs": ends}]
