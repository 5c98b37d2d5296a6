"""The temporal networks of Wang and Hsu 2017: sizes, twins, time, real time, save and load, one step of training."""

from functools import cache

import keras
import numpy as np
import pytest

from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from replications.wang2017 import layers, models

PAPER = next(paper for paper in load_papers() if paper.id == "wang2017")
SMALL = resolve_settings(PAPER, "paper", ["lstm_units=[5, 4]", "clip_frames=10"])
FEATURES = 6


@cache
def built_once() -> tuple[keras.Model, list[np.ndarray]]:
    """Twins with a scaling that is none of the identity's, and their weights."""
    keras.utils.set_random_seed(0)
    model = models.build_twins(SMALL, FEATURES)
    models.get_stack(model).get_layer("scaling").set_weights([np.arange(FEATURES) / 10, 1 + np.arange(FEATURES) / 5])
    return model, model.get_weights()


@pytest.fixture
def twins() -> keras.Model:
    model, weights = built_once()
    model.set_weights(weights)
    return model


@pytest.fixture
def stack(twins) -> keras.Model:
    return models.get_stack(twins)


def draw(*shape) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class TestStacked:
    @pytest.mark.parametrize("steps", [1, 10, 17])
    def test_a_value_for_each_step_of_any_length(self, stack, steps):
        assert stack(draw(3, steps, FEATURES)).shape == (3, steps)

    def test_the_future_changes_nothing(self, stack):
        clip = draw(2, 10, FEATURES)
        before = np.asarray(stack(clip))
        clip[:, 6] += 1.0
        changed = np.abs(np.asarray(stack(clip)) - before).max(axis=0) > 1e-6
        assert changed.tolist() == [False] * 6 + [True] * 4

    def test_sizes_of_the_paper(self):
        """Section 4.3: 4096 features, 50 and 40 cells; four gates each, with a bias, and a linear unit."""
        model = models.build_stack(resolve_settings(PAPER, "paper"), 4096)
        learnt = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert learnt == 4 * 50 * (4096 + 50 + 1) + 4 * 40 * (50 + 40 + 1) + (40 + 1)
        assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [50, 40, 1]

    def test_scaling_is_a_z_score_once_it_is_set(self, stack):
        layer, values = stack.get_layer("scaling"), 3 + 2 * draw(2, 10, FEATURES)
        mean, deviation = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
        layer.set_weights([mean, deviation])
        assert np.allclose(layer(values), (values - mean) / deviation, atol=1e-5)
        fresh = models.build_stack(SMALL, FEATURES).get_layer("scaling")
        assert np.array_equal(fresh(values), values) and not fresh.trainable_weights


class TestTwins:
    def test_each_twin_is_the_stack(self, twins, stack):
        clips = draw(3, 2, 10, FEATURES)
        found = np.asarray(twins(clips))
        assert found.shape == (3, 2, 10)
        for twin in (0, 1):
            assert np.allclose(found[:, twin], stack(clips[:, twin]), atol=1e-6)

    def test_swapped_twins_swap_their_outputs(self, twins):
        clips = draw(3, 2, 10, FEATURES)
        assert np.allclose(twins(clips[:, ::-1]), np.asarray(twins(clips))[:, ::-1], atol=1e-6)

    def test_two_twins_have_the_weights_of_one(self, twins):
        assert twins.count_params() == models.build_stack(SMALL, FEATURES).count_params()

    @pytest.mark.parametrize("variant", ["t", "ast-net"])
    def test_the_stack_learns(self, twins, stack, variant):
        """Every weight moves; but the trend loss alone leaves the last bias, a constant offset, where it is."""
        before = [np.array(weight) for weight in stack.trainable_weights]
        twins.compile(keras.optimizers.SGD(0.1), layers.build_loss(variant, SMALL), run_eagerly=True)  # one step
        twins.train_on_batch(draw(4, 2, 10, FEATURES), draw(4, 2, 10))
        still = [
            w.path
            for w, old in zip(stack.trainable_weights, before, strict=True)
            if np.allclose(w, old, rtol=0, atol=1e-7)
        ]
        assert still == (["prediction/bias"] if variant == "t" else [])

    def test_save_and_load(self, twins, tmp_path):
        clips = draw(2, 2, 10, FEATURES)
        twins.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        assert np.allclose(again(clips), twins(clips), atol=1e-6)
        assert np.allclose(models.get_stack(again)(clips[:, 0]), models.get_stack(twins)(clips[:, 0]), atol=1e-6)


class TestStepper:
    def test_steps_make_the_series(self, stack):
        sequences = draw(3, 25, FEATURES)
        stepper = models.Stepper(stack)
        found = np.stack([stepper(step) for step in sequences.swapaxes(0, 1)], axis=1)
        assert found.dtype == np.float32 and np.allclose(found, stack(sequences), atol=1e-5)

    def test_reset_starts_again(self, stack):
        stepper, step = models.Stepper(stack), draw(2, FEATURES)
        first, second = stepper(step), stepper(step)
        stepper.reset()
        assert np.array_equal(stepper(step), first) and not np.allclose(first, second, atol=1e-4)

    def test_reset_allows_another_number_of_sequences(self, stack):
        stepper = models.Stepper(stack)
        stepper(draw(2, FEATURES))
        stepper.reset()
        assert stepper(draw(7, FEATURES)).shape == (7,)


class TestWeights:
    def test_read_back(self, stack):
        clip, other = draw(2, 10, FEATURES), models.build_stack(SMALL, FEATURES)
        arrays = {"gold/valence/devel_001": np.zeros(3), **models.collect_weights({"arousal": stack, "valence": other})}
        again = models.restore_stacks(arrays, SMALL, FEATURES)
        assert list(again) == ["arousal", "valence"]
        assert np.array_equal(again["arousal"](clip), stack(clip))
        assert np.array_equal(again["valence"](clip), other(clip))

    def test_network_of_other_sizes(self, stack):
        with pytest.raises(ValueError):
            models.restore_stacks(models.collect_weights({"arousal": stack}), SMALL, FEATURES + 1)
