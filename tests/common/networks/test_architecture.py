"""The graph of a network as plain data."""

from common.networks import architecture, training


def test_layers_are_listed_after_their_inputs():
    training.prepare(0)
    import keras
    from keras import layers

    first, second = keras.Input((3,), name="first"), keras.Input((3,), name="second")
    shared = layers.Dense(4, name="shared")
    joined = layers.Concatenate(name="joined")([shared(first), shared(second)])
    model = keras.Model([first, second], layers.Dense(1, name="out")(joined))
    rows = architecture.describe(model)
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names) == 5
    for position, row in enumerate(rows):
        assert set(row["inputs"]) <= set(names[:position])
    by_name = {row["name"]: row for row in rows}
    assert by_name["out"] == {"name": "out", "kind": "Dense", "shape": [1], "parameters": 9, "inputs": ["joined"]}
    assert by_name["shared"]["parameters"] == 16
    assert sum(row["parameters"] for row in rows) == model.count_params()
