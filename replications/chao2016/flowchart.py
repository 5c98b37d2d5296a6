"""The network of Figure 1 as data: layers, sizes, arrows."""

from common.networks import architecture
from datasets.afew import CLASSES
from replications.chao2016 import models


def describe(variant: str, settings: dict) -> list[dict]:
    """The layers of a network, as `common.networks.architecture` describes them.

    Those that only do the bookkeeping of padding, numbers of steps and masks, are left out.
    """
    widths = {  # Sections 3.1 to 3.3
        "audio": settings["audio_dimensions"], "shape": settings["shape_dimensions"], "appearance": settings["selected"],
    }  # fmt: skip
    rows = architecture.describe(models.build_network(variant, settings, widths, len(CLASSES)))
    kept = [row for row in rows if not row["name"].endswith(("steps", "valid"))]
    names = {row["name"] for row in kept}
    return [row | {"inputs": [name for name in row["inputs"] if name in names]} for row in kept]
