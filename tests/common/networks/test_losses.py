"""The CCC loss against `metrics.ccc`, with masks, in training, and through save and load."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.metrics import POOLINGS, ccc, score_pooled
from common.networks.losses import CCCLoss, ccc_loss

BATCH, TIME = 4, 25


def batch(seed=0):
    """Truth and prediction of shape (BATCH, TIME)."""
    random = np.random.default_rng(seed)
    truth = np.cumsum(random.normal(size=(BATCH, TIME)), axis=1) / 10
    return truth.astype("float32"), (0.5 * truth + 0.1 * random.normal(size=truth.shape) + 0.2).astype("float32")


def ragged_mask():
    """Sequences of 25, 20, 10 and 2 samples."""
    return np.arange(TIME) < np.array([25, 20, 10, 2])[:, None]


def gradient(truth, prediction, mask=None, **options):
    prediction = tf.constant(prediction)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        loss = ccc_loss(truth, prediction, mask, **options)
    return float(loss), tape.gradient(loss, prediction).numpy()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("shapes", [((), ()), ((1,), (1,)), ((), (1,)), ((1,), ())])
def test_equals_the_metric(pooling, shapes):
    truth, prediction = batch()
    shaped = (series.reshape(BATCH, TIME, *shape) for series, shape in zip((truth, prediction), shapes))
    loss = ccc_loss(*shaped, pooling=pooling)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(1 - score_pooled(ccc, truth, prediction, pooling=pooling), abs=1e-5)


def test_one_value_per_sequence():
    truth, prediction = (series[:, 0] for series in batch())
    assert float(ccc_loss(truth, prediction[:, None], pooling="concatenated")) == pytest.approx(
        1 - ccc(truth, prediction), abs=1e-5
    )


def test_by_hand():
    # covariance 1/3, variances 2/3 and 2/9, distance of the means 1/3
    assert float(ccc_loss([[0, 1, 2]], [[0, 1, 1]], pooling="concatenated")) == pytest.approx(1 / 3)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("under_the_mask", [0.0, 99.0, np.nan])
def test_masked_equals_cropped(pooling, under_the_mask):
    truth, prediction = batch()
    mask = ragged_mask()
    cropped = [[row[keep] for row, keep in zip(series, mask)] for series in (truth, prediction)]
    truth[~mask] = prediction[~mask] = under_the_mask
    loss, slope = gradient(truth, prediction, mask, pooling=pooling)
    assert loss == pytest.approx(1 - score_pooled(ccc, *cropped, pooling=pooling), abs=1e-5)
    assert np.isfinite(slope).all()
    assert (slope[~mask] == 0).all() and (slope[mask] != 0).any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_masked_sequence_does_not_count(pooling):
    truth, prediction = batch()
    loss = ccc_loss(truth, prediction, [1, 1, 0, 1], pooling=pooling)
    kept = [0, 1, 3]
    assert float(loss) == pytest.approx(1 - score_pooled(ccc, truth[kept], prediction[kept], pooling=pooling), abs=1e-5)


def test_a_weight_of_two_counts_a_sample_twice():
    weighted = ccc_loss([[0, 1, 2]], [[0, 1, 1]], [[1, 2, 1]], pooling="concatenated")
    assert float(weighted) == pytest.approx(1 - ccc([0, 1, 1, 2], [0, 1, 1, 1]))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("truth", ["varying", "constant"])
@pytest.mark.parametrize("value", [0.0, 0.1])  # the mean of the first is exact, that of the second is not
def test_constant_prediction_has_a_finite_gradient(pooling, truth, value):
    varying, _ = batch()
    constant = np.full((BATCH, TIME), value, "float32")
    loss, slope = gradient(varying if truth == "varying" else constant, constant, pooling=pooling)
    assert loss == pytest.approx(1, abs=1e-6)
    assert np.isfinite(slope).all()
    assert (slope != 0).any() == (truth == "varying")  # there is a way out of the constant


@pytest.mark.parametrize("pooling", POOLINGS)
def test_nothing_unmasked(pooling):
    loss, slope = gradient(*batch(), np.zeros((BATCH, TIME)), pooling=pooling)
    assert loss == 0
    assert (slope == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    truth, prediction = batch()
    prediction = tf.cast(prediction, dtype)
    loss = CCCLoss(pooling="concatenated")(truth, prediction)
    assert loss.dtype == "float32"
    rounded = tf.cast(prediction, "float32").numpy()
    assert float(loss) == pytest.approx(1 - ccc(truth.ravel(), rounded.ravel()), abs=1e-5)


def test_errors():
    truth, prediction = batch()
    with pytest.raises(ValueError, match="pooling must be one of concatenated, per_recording, received 'mean'"):
        ccc_loss(truth, prediction, pooling="mean")
    with pytest.raises(ValueError, match=r"differ in shape: \(4, 25\) != \(4, 24\)"):
        ccc_loss(truth, prediction[:, 1:], pooling="concatenated")
    with pytest.raises(ValueError, match=r"prediction must have shape .*received \(4, 5, 5\)"):
        ccc_loss(truth, prediction.reshape(BATCH, 5, 5), pooling="concatenated")
    with pytest.raises(TypeError, match="pooling"):
        CCCLoss()


def model(masking=False):
    layers = [keras.Input((TIME, 3))] + [keras.layers.Masking()] * masking + [keras.layers.Dense(1)]
    network = keras.Sequential(layers)
    network.compile(keras.optimizers.Adam(0.1), CCCLoss(pooling="per_recording"), jit_compile=False)
    return network


def task():
    """Inputs from which the truth can be read, wrong truths under the mask."""
    keras.utils.set_random_seed(1)
    mask = ragged_mask()
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, 3)).astype("float32")
    truth = inputs @ np.array([[0.3], [-0.2], [0.1]], "float32") + 0.2
    truth[~mask] = np.nan
    return inputs, truth, mask


def test_fit_with_sample_weight():
    inputs, truth, mask = task()
    network = model()
    history = network.fit(inputs, truth, sample_weight=mask.astype("float32"), epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert network.evaluate(inputs, truth, sample_weight=mask.astype("float32"), verbose=0) == pytest.approx(
        float(ccc_loss(truth, network.predict(inputs, verbose=0), mask, pooling="per_recording")), abs=1e-5
    )


@pytest.mark.usefixtures("step_by_step")
def test_mask_of_a_masking_layer_joins_the_sample_weight():
    inputs, truth, mask = task()
    inputs[~mask] = 0  # what the Masking layer looks for
    network = model(masking=True)
    prediction = network(inputs)
    loss = network.loss
    assert float(loss(truth, prediction)) == pytest.approx(
        float(ccc_loss(truth, prediction, mask, pooling="per_recording"))
    )
    weight = np.array([1, 0, 1, 1])
    assert float(loss(truth, prediction, weight)) == pytest.approx(
        float(ccc_loss(truth, prediction, mask * weight[:, None], pooling="per_recording"))
    )
    assert np.isfinite(network.fit(inputs, truth, epochs=1, verbose=0).history["loss"][0])


@pytest.mark.usefixtures("step_by_step")
def test_save_and_load(tmp_path):
    network = model()
    inputs, truth, mask = task()
    network.fit(inputs, truth, sample_weight=mask.astype("float32"), verbose=0)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, CCCLoss)
    assert loaded.loss.get_config() == {"name": "ccc_loss", "pooling": "per_recording", "epsilon": 1e-8}
    scores = [n.evaluate(inputs, truth, sample_weight=mask.astype("float32"), verbose=0) for n in (network, loaded)]
    assert scores[0] == scores[1]
    assert keras.saving.get_registered_name(CCCLoss) == "avemotion>CCCLoss"
