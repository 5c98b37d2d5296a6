"""What can be known at best: a plain learner that is given the planted truth inside the window which a network sees.

It is fitted on the training people and scores the held-out ones as the network does, into result files of its own: a
variant named after what it sees, such as "ceiling-voice". Each room says in its `ceiling.py` what that is.
"""

from collections.abc import Iterable, Sequence

import numpy as np

PREFIX = "ceiling-"
ALPHAS = np.logspace(-3, 5, 9)  # of the ridge, chosen on the training people


def name_ceiling(seen: str) -> str:
    """The variant of the plain learner that is given what is `seen`."""
    return f"{PREFIX}{seen}"


def is_ceiling(variant: str) -> bool:
    return variant.startswith(PREFIX)


def stack_lags(series: np.ndarray, lags: Iterable[int]) -> np.ndarray:
    """Columns of `series` (n, d) as they were each of the `lags` ago, in steps: (n, d x lags).

    Before the beginning it was as at the first step.
    """
    rows = np.arange(len(series))[:, None] - np.array(list(lags))
    return series[rows.clip(0, len(series) - 1)].reshape(len(series), -1)


def predict_values(
    inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray], others: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Ridge regression from `inputs` to `targets`, one array (n, d) and (n,) a recording, on `others`: (n,) each.

    float32, as networks predict and result files hold it: a series that is constant but for rounding is constant.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    model.fit(np.concatenate(inputs), np.concatenate(targets))
    return [model.predict(rows).astype(np.float32) for rows in others]


def predict_classes(inputs: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Logistic regression from `inputs` (n, d) to the numbers of classes `labels` (n,), on `others` (m, d): (m,) int."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(inputs, labels).predict(others)
