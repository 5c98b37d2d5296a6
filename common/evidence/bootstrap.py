"""The 95 % bootstrap interval over recordings that mechanisms are reported with."""

import numpy as np

RESAMPLES = 1000


def bootstrap_ratio(part: np.ndarray, whole: np.ndarray) -> tuple[float | None, list[float] | None]:
    """sum(part) / sum(whole) over recordings (n,) and its 95 % interval; None where there is nothing to count.

    Percentiles over draws of the recordings with replacement. With `whole` all 1 it is the mean of `part`.
    """
    part, whole = np.asarray(part), np.asarray(whole)
    if not whole.sum():
        return None, None
    draws = np.random.default_rng(0).integers(len(whole), size=(RESAMPLES, len(whole)))
    counted = whole[draws].sum(axis=1)
    ratios = part[draws].sum(axis=1)[counted > 0] / counted[counted > 0]
    return float(part.sum() / whole.sum()), [float(q) for q in np.quantile(ratios, [0.025, 0.975])]
