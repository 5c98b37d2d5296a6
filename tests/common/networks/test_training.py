"""The fit loop: the same numbers from the same seed, after a kill too, and the best epoch where one is selected."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from common.errors import WriteError
from common.networks import training

SAMPLES, BATCH, EPOCHS = 22, 4, 4
X = np.random.default_rng(0).normal(size=(SAMPLES, 3)).astype(np.float32)
Y = (X @ [[1.0], [-2.0], [0.5]]).astype(np.float32)


def batch(index):
    return {"x": X[index]}, Y[index]


def built(seed: int):
    """A compiled model with dropout, so that random states matter."""
    training.prepare(seed)
    import keras

    inputs = keras.Input((3,), name="x")
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(8, activation="tanh")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.05), "mean_squared_error", jit_compile=False)
    return model


@cache
def built_once():
    """A model of seed 0 and all that it holds before it learns, its dropout and its optimiser too."""
    model = built(0)
    model.optimizer.build(model.trainable_variables)
    return model, [(variable, np.array(variable)) for variable in model.variables + model.optimizer.variables]


def set_back():
    """As `built(0)`, without the graph of its training step being made again."""
    model, variables = built_once()
    for variable, value in variables:
        variable.assign(value)
    return model


def fit(checkpoint: Path, seed: int = 0, model=None, **changes):
    model = model or set_back()
    options = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed, "checkpoint": checkpoint, **changes}
    history = training.fit(model, options.pop("batch", batch), SAMPLES, **options)
    return [np.array(weight) for weight in model.weights], history


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


class Killed(Exception):
    pass


def killed_at(fraction: float):
    """A progress callback that ends the fit once this share of it is done."""

    def progress(done: float) -> None:
        if done > fraction:
            raise Killed

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Weights and history of a fit without interruption."""
    return fit(tmp_path_factory.mktemp("training") / "checkpoint", model=built(0))


# basics


def test_fit_learns(tmp_path):
    _, history = fit(tmp_path / "checkpoint", epochs=30)
    assert len(history["loss"]) == 30 and np.mean(history["loss"][-5:]) < 0.5 * np.mean(history["loss"][:5])
    assert set(history) == {"loss"}


def test_same_seed_same_bits_another_seed_others(tmp_path, whole):
    weights, history = fit(tmp_path / "checkpoint", model=built(0))
    assert same(weights, whole[0]) and history == whole[1]
    assert not same(fit(tmp_path / "checkpoint", seed=1, model=built(1))[0], whole[0])


def test_each_epoch_shows_each_sample_once_in_an_order_of_its_own(tmp_path):
    seen = []

    def noted(index):
        seen.append(index)
        return batch(index)

    fit(tmp_path / "checkpoint", batch=noted)
    steps = SAMPLES // BATCH
    epochs = [np.concatenate(seen[k * steps : (k + 1) * steps]) for k in range(EPOCHS)]
    assert len(seen) == EPOCHS * steps and {len(index) for index in seen} == {BATCH}
    assert all(len(set(epoch)) == steps * BATCH and set(epoch) <= set(range(SAMPLES)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


def test_fewer_samples_than_a_batch_are_one_batch(tmp_path):
    sizes = []

    def noted(index):
        sizes.append(len(index))
        return batch(index)

    fit(tmp_path / "checkpoint", batch=noted, batch_size=100, epochs=2)
    assert sizes == [SAMPLES, SAMPLES]


def test_augmented_batches_get_the_random_stream_of_their_step(tmp_path, monkeypatch):
    """Whenever they are made, and after an interruption as well."""
    drawn = []

    def noted(index, rng):
        drawn.append(int(rng.integers(1 << 40)))
        return batch(index)

    whole, _ = fit(tmp_path / "checkpoint", batch=noted, epochs=3, augmented=True)
    steps = len(drawn) // 3
    assert drawn == [int(np.random.default_rng([0, step]).integers(1 << 40)) for step in range(3 * steps)]
    first = list(drawn)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(Killed):
        fit(tmp_path / "other", batch=noted, epochs=3, augmented=True, progress=killed_at(0.9))
    drawn.clear()
    fit(tmp_path / "other", batch=noted, epochs=3, augmented=True)
    assert len(drawn) == steps and drawn == first[-steps:]


def test_progress_runs_from_0_to_1(tmp_path):
    seen = []
    fit(tmp_path / "checkpoint", progress=seen.append)
    assert np.allclose(np.diff(seen), 1 / (EPOCHS * (SAMPLES // BATCH))) and seen[-1] == 1


def test_keras_has_nothing_to_warn_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = built(0)
        fit(tmp_path / "checkpoint", model=model, epochs=1)
        training.predict(model, batch, SAMPLES, BATCH)
        import keras

        training.predict(keras.Model(model.inputs, model.layers[1].output), batch, SAMPLES, BATCH)


# going on after a kill


@pytest.mark.parametrize("fraction", [0.3, 0.99])
def test_resumed_fit_gives_the_same_bits(tmp_path, monkeypatch, whole, fraction):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", progress=killed_at(fraction))
    assert (tmp_path / "checkpoint").exists()
    seen = []
    weights, history = fit(tmp_path / "checkpoint", model=built(0), progress=seen.append)  # as in a new process
    assert same(weights, whole[0]) and history == whole[1]
    assert seen[0] > fraction - 1 / EPOCHS  # what was done is not done again
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]  # no temporary file


@pytest.mark.parametrize("select", [None, [0.1, 0.5, 0.3, 0.2]], ids=["last epoch", "best epoch"])
def test_a_finished_fit_is_not_done_again(tmp_path, select):
    """A kill between the fit and the result costs nothing: the checkpoint stays until the caller removes it."""
    weights, history = fit(tmp_path / "checkpoint", select=select and scores(select)[0])
    again, same_history = fit(tmp_path / "checkpoint", batch=None, select=select and scores([])[0])
    assert same(again, weights) and same_history == history


def test_killed_twice(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    for fraction in (0.3, 0.8):
        with pytest.raises(Killed):
            fit(tmp_path / "checkpoint", progress=killed_at(fraction))
    assert same(fit(tmp_path / "checkpoint")[0], whole[0])


def test_kill_before_the_first_checkpoint(tmp_path, whole):
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", progress=killed_at(0.9))  # CHECKPOINT_SECONDS have not passed
    assert list(tmp_path.iterdir()) == []
    assert same(fit(tmp_path / "checkpoint")[0], whole[0])


def test_checkpoint_that_cannot_be_written_is_a_write_error(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    (tmp_path / "folder").write_text("a file in its place")
    with pytest.raises(WriteError, match="folder/checkpoint"):
        fit(tmp_path / "folder" / "checkpoint")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"], ids=["empty", "truncated"])
def test_damaged_checkpoint_is_not_used(tmp_path, whole, content):
    (tmp_path / "checkpoint").write_bytes(content)
    weights, history = fit(tmp_path / "checkpoint")
    assert same(weights, whole[0]) and history == whole[1]


def test_checkpoint_of_another_network_is_not_used(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    training.prepare(0)
    import keras

    inputs = keras.Input((3,), name="x")
    other = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    other.compile(keras.optimizers.Adam(0.05), "mean_squared_error", jit_compile=False)
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", model=other, progress=killed_at(0.5))
    assert same(fit(tmp_path / "checkpoint")[0], whole[0])


def test_checkpoint_of_other_settings_is_not_used(tmp_path, monkeypatch, whole):
    """The same network with another learning rate, say: the caller's digest tells the two apart."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", digest="other", progress=killed_at(0.5))
    assert same(fit(tmp_path / "checkpoint", digest="these")[0], whole[0])


# the selected epoch


def scores(values):
    """A `select` that gives the next of `values` and notes the weights that it was asked about."""
    left, asked = list(values), []

    def select(model):
        asked.append([np.array(weight) for weight in model.weights])
        return left.pop(0)

    return select, asked


@pytest.mark.parametrize(
    ("values", "best"),
    [([0.1, 0.5, 0.5, 0.2], 1), ([0.1, 0.2, 0.3, 0.4], 3), ([np.nan, -0.2, np.nan, -0.3], 1)],
    ids=["first of the best", "last", "undefined in between"],
)
def test_the_best_epoch_is_restored(tmp_path, values, best):
    select, asked = scores(values)
    weights, history = fit(tmp_path / "checkpoint", select=select)
    assert same(weights, asked[best])
    np.testing.assert_array_equal(history["select"], values)


def test_without_a_defined_score_the_last_epoch_stays(tmp_path, whole):
    assert same(fit(tmp_path / "checkpoint", select=scores([np.nan] * EPOCHS)[0])[0], whole[0])


@pytest.mark.parametrize("values", [[0.1, 0.5, 0.3, 0.2], [0.1, 0.2, 0.3, 0.6]], ids=["before", "after"])
def test_the_best_epoch_is_restored_after_a_kill_too(tmp_path, monkeypatch, values):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    expected, history = fit(tmp_path / "whole", select=scores(values)[0])
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", select=scores(values)[0], progress=killed_at(0.6))  # two epochs are done
    found = fit(tmp_path / "checkpoint", select=scores(values[2:])[0])
    assert same(found[0], expected) and found[1] == history


# predictions


def watched(values: list[float]):
    """A `watch` whose scores are `values` for "a" and their opposites for "b"; the arrays say which epoch it was."""
    calls = iter(enumerate(values))

    def watch(model):
        epoch, value = next(calls)
        return {"a": (value, np.full(3, epoch)), "b": (-value, np.full(2, epoch))}

    return watch


@pytest.mark.parametrize(
    ("values", "best"),
    [([1, 3, 2, 0], (1, 3)), ([np.nan, 1, np.nan, 0], (1, 3)), ([np.nan] * 4, (0, 0)), ([2, 2, 2, 2], (0, 0))],
)
def test_arrays_of_the_best_epoch_are_kept_for_each_name(tmp_path, values, best):
    kept = {}
    _, history = fit(tmp_path / "checkpoint", watch=watched(values), kept=kept)
    assert kept.keys() == {"a", "b"} and {name: len(kept[name]) for name in kept} == {"a": 3, "b": 2}
    assert (kept["a"][0], kept["b"][0]) == best
    assert np.array_equal(history["a"], values, equal_nan=True)


def test_kept_arrays_survive_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    with pytest.raises(Killed):
        fit(tmp_path / "checkpoint", watch=watched([5, 1, 2, 3]), progress=killed_at(0.6))
    kept = {}
    _, history = fit(tmp_path / "checkpoint", watch=watched([8, 9]), kept=kept)
    assert history["a"] == [5, 1, 8, 9] and (kept["a"][0], kept["b"][0]) == (1, 1)


@pytest.mark.parametrize("size", [1, 4, SAMPLES, 100])
def test_predictions_do_not_depend_on_the_batch(size):
    model = set_back()
    asked = []

    def noted(index):
        asked.append(len(index))
        return batch(index)

    found = training.predict(model, noted, SAMPLES, size)
    assert found.shape == (SAMPLES, 1) and set(asked) == {size}  # one shape: nothing is compiled twice
    np.testing.assert_allclose(found, np.array(model(X, training=False)), rtol=1e-5, atol=1e-6)


def test_predictions_of_an_inner_layer():
    import keras

    model = set_back()
    view = keras.Model(model.inputs, model.layers[1].output)
    np.testing.assert_allclose(
        training.predict(view, batch, 5, 4), np.array(model.layers[1](X[:5])), rtol=1e-5, atol=1e-6
    )


# the state before a network


def test_prepare_sets_policy_and_seeds():
    import keras

    training.prepare(3, "mixed_bfloat16")
    assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    training.prepare(3)
    one = np.random.rand(), np.array(keras.random.normal((2,)))
    training.prepare(3)
    other = np.random.rand(), np.array(keras.random.normal((2,)))
    assert keras.mixed_precision.global_policy().name == "float32"
    assert one[0] == other[0] and np.array_equal(one[1], other[1])
