"""Which of the face appearance features are kept (Section 3.2): those that a random forest finds most important."""

import numpy as np


def select(features: np.ndarray, labels: np.ndarray, settings: dict, seed: int = 0, jobs: int = 1) -> np.ndarray:
    """The columns of `features` (n, d) that a random forest finds most important: (selected,) indices, ascending.

    Section 3.2: 1024 of pool5, by scikit-learn's forest, trained on the faces of SFEW with their `labels` (n,).
    Importance is the mean decrease of impurity; of equal ones the first is kept. `jobs` (threads) changes nothing
    else. settings: selected, forest_trees. ValueError if there are fewer columns than are to be selected.
    """
    from sklearn.ensemble import RandomForestClassifier

    if features.shape[1] < settings["selected"]:
        raise ValueError(f"{features.shape[1]} features, of which {settings['selected']} cannot be selected")
    forest = RandomForestClassifier(settings["forest_trees"], random_state=seed, n_jobs=jobs).fit(features, labels)
    falling = np.argsort(-forest.feature_importances_, kind="stable")
    return np.sort(falling[: settings["selected"]])
