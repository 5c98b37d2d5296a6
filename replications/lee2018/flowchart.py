"""The networks of Figures 1 to 3 as data: layers, sizes, arrows."""

from common.networks import architecture
from replications.lee2018 import models


def describe(variant: str, settings: dict) -> list[dict]:
    """The layers of a network, as `common.networks.architecture` describes them; all sizes are settings."""
    return architecture.describe(models.VARIANTS[variant](settings))
