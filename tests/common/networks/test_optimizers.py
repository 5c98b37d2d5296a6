"""SGD with a rate for each variable: two steps by hand, and as Keras' own where all factors are 1."""

import keras
import numpy as np

from common.networks.optimizers import ScaledSGD


def variables():
    return [keras.Variable(np.ones(2, np.float32), name=name) for name in ("slow", "fast")]


def steps(optimizer, made, gradients=([1.0, -2.0], [0.5, 0.25])):
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)] * 2, made)
    return [np.array(variable) for variable in made]


def test_two_steps_by_hand():
    """v = 0.9 v - 0.1 factor gradient, w = w + v."""
    slow, fast = variables()
    moved = steps(ScaledSGD(0.1, 0.9, {fast.path: 3.0}), [slow, fast])
    step = -0.1 * np.array([1.0, -2.0])
    expected = 1 + step + 0.9 * step - 0.1 * np.array([0.5, 0.25])
    np.testing.assert_allclose(moved[0], expected, rtol=1e-6)
    np.testing.assert_allclose(moved[1] - 1, 3 * (expected - 1), rtol=1e-6)


def test_without_factors_it_is_keras_own():
    found, expected = (steps(make(0.1, 0.9), variables()) for make in (ScaledSGD, keras.optimizers.SGD))
    np.testing.assert_array_equal(found, expected)


def test_its_state_is_named_like_keras_own():
    made = [make(0.1, 0.9) for make in (ScaledSGD, keras.optimizers.SGD)]
    for optimizer in made:
        optimizer.build(variables())
    assert [v.path for v in made[0].variables] == [v.path for v in made[1].variables]


def test_it_is_saved_with_its_model(tmp_path):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, name="head")])
    model.compile(ScaledSGD(0.1, 0.9, {"head/bias": 2.0}), "mse")
    model.train_on_batch(np.ones((1, 2)), np.ones((1, 1)))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is ScaledSGD
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.optimizer.factors == {"head/bias": 2.0}
