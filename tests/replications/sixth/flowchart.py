"""Figure 1 as data."""

from common.networks import architecture
from replications.sixth import models


def describe(variant: str, settings: dict) -> list[dict]:
    return architecture.describe(models.VARIANTS[variant](settings))
