"""The random forest keeps the columns that tell classes apart."""

import numpy as np
import pytest

from replications.chao2016 import selection


def planted(seed, places=(3, 17, 40, 41)):
    """Sixty columns of noise, but for those at `places`, which tell seven classes apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(140) % 7
    features = rng.normal(size=(140, 60)).astype(np.float32)
    for place in places:
        features[:, place] = rng.permutation(7)[labels] + rng.normal(0, 0.3, 140)
    return features, labels


@pytest.mark.parametrize("seed", range(3))
def test_the_forest_finds_what_tells_classes_apart(seed):
    features, labels = planted(seed)
    settings = {"selected": 4, "forest_trees": 60}
    found = selection.select(features, labels, settings, seed=seed)
    assert found.tolist() == [3, 17, 40, 41]
    np.testing.assert_array_equal(selection.select(features, labels, settings, seed=seed, jobs=2), found)


def test_of_equally_important_columns_the_first_are_kept():
    features, labels = planted(0)
    features[:, :3] = features[:, 4:17] = features[:, 18:40] = features[:, 42:] = 0  # of no importance
    indices = selection.select(features.copy(), labels, {"selected": 7, "forest_trees": 20})
    assert indices.tolist() == [0, 1, 2, 3, 17, 40, 41]


def test_more_cannot_be_selected_than_there_are():
    features, labels = planted(0)
    assert len(selection.select(features, labels, {"selected": 60, "forest_trees": 2})) == 60
    with pytest.raises(ValueError, match="60 features, of which 61 cannot be selected"):
        selection.select(features, labels, {"selected": 61, "forest_trees": 2})
