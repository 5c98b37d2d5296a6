"""The networks of Raju et al. 2021: shapes, masks, what EMAFN is made of, save and load, one step of training."""

from functools import cache

import keras
import numpy as np
import pytest

from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from common.networks import architecture
from replications.raju2021 import experiment, models

PAPER = next(paper for paper in load_papers() if paper.id == "raju2021")
SMALL = ["eaf_units=[4, 3]", "encoder_units=4", "decoder_units=5", "attention_units=6", "eaf_window=1.2", "hop=0.4"]
STEPS, AUDIO, VISUAL = 7, 6, 5
RNG = np.random.default_rng(0)


def small(*overrides: str) -> dict:
    return resolve_settings(PAPER, "quick", [*SMALL, *overrides])


def built(variant: str, *overrides: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return models.VARIANTS[variant](small(*overrides), STEPS, AUDIO, VISUAL)


plain = cache(built)  # for tests that leave the weights as they are


def inputs(length: int = STEPS) -> dict[str, np.ndarray]:
    """Two recordings, the second of `length` steps."""
    mask = np.ones((2, STEPS), bool)
    mask[1, length:] = False
    audio, visual = (RNG.normal(size=(2, STEPS, n)).astype(np.float32) for n in (AUDIO, VISUAL))
    return {"audio": audio, "visual": visual, "mask": mask}


EVERY = [(name, ()) for name in models.VARIANTS] + [
    ("eaf", ("eaf_readout=steps",)), ("eaf", ("eaf_window_at=centre",)), ("eaf", ("attention_over=modalities",)),
    ("emafn", ("attention_over=modalities",)), ("aed", ("feedback=none",)),
]  # fmt: skip


@pytest.mark.parametrize(("variant", "overrides"), EVERY)
class TestEvery:
    def test_three_series(self, variant, overrides):
        assert plain(variant, *overrides)(inputs()).shape == (2, STEPS, 3)

    def test_padding_is_not_seen(self, variant, overrides):
        """What stands behind the end of a recording changes nothing before it."""
        model, given = plain(variant, *overrides), inputs(length=5)
        outputs = np.asarray(model(given))
        for name in ("audio", "visual"):
            given[name] = given[name].copy()
            given[name][1, 5:] = 50.0
        assert np.allclose(np.asarray(model(given))[1, :5], outputs[1, :5], atol=1e-6)

    def test_save_and_load(self, variant, overrides, tmp_path):
        model, given = plain(variant, *overrides), inputs()
        model.save(tmp_path / "model.keras")
        assert np.allclose(keras.saving.load_model(tmp_path / "model.keras")(given), model(given), atol=1e-6)


@pytest.mark.parametrize("variant", models.VARIANTS)
def test_every_weight_learns(variant):
    model, given = built(variant, "dropout=0.0", "recurrent_dropout=0.0"), inputs()
    experiment.compile_model(model, small(), 1)
    model.run_eagerly = True  # to make a graph takes longer than these steps
    before = [np.array(weight) for weight in model.trainable_weights]
    targets = np.concatenate([RNG.normal(size=(2, STEPS, 3)), given["mask"][..., None]], -1).astype(np.float32)
    for _ in range(2):
        model.train_on_batch([given[tensor.name] for tensor in model.inputs], targets)
    still = [w.path for w, old in zip(model.trainable_weights, before, strict=True) if np.array_equal(w, old)]
    assert still == []


class TestStructure:
    def test_emafn_with_uniform_feature_attention_is_aed(self):
        emafn, aed, given = built("emafn"), built("aed"), inputs(length=5)
        for name in ("audio_attention", "visual_attention"):
            layer = emafn.get_layer(name)
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
        for name in ("encoder", "decoder"):
            emafn.get_layer(name).set_weights(aed.get_layer(name).get_weights())
        assert np.allclose(emafn(given), aed(given), atol=1e-6)
        emafn.get_layer("audio_attention").set_weights([RNG.normal(size=(AUDIO, AUDIO)), np.zeros(AUDIO)])
        assert not np.allclose(emafn(given), aed(given), atol=1e-3)

    def test_emafn_is_the_front_of_eaf_and_the_back_of_aed(self):
        def layers(variant):
            return {layer.name: [w.shape for w in layer.weights] for layer in built(variant).layers if layer.weights}

        front = {name: shapes for name, shapes in layers("eaf").items() if "attention" in name}
        assert layers("emafn") == front | layers("aed")

    def test_eaf_sees_its_window_only(self):
        """Windows of 3 steps (1.2 s at 0.4 s) that end at the label: later steps and much earlier ones change nothing."""
        model, given = built("eaf"), inputs()
        outputs = np.asarray(model(given))
        assert models.count_window_steps(small()) == 3
        given["audio"] = given["audio"].copy()
        given["audio"][:, 3] += 1.0
        changed = np.abs(np.asarray(model(given)) - outputs).max(axis=(0, 2)) > 1e-6
        assert changed.tolist() == [False] * 3 + [True] * 3 + [False]

    def test_sizes_of_the_paper_profile(self):
        """Ledger 9: 64 and 32 in each direction for EAF, 64 and 64 for AED; inputs of 386 and 153."""
        paper = resolve_settings(PAPER, "paper")
        layers = {layer["name"]: layer for layer in architecture.describe(models.eaf(paper, 50, 386, 153))}
        assert models.count_window_steps(paper) == 40
        assert layers["bilstm_1"]["shape"] == [40, 128] and layers["bilstm_2"]["shape"] == [64]
        assert layers["audio_attention"]["parameters"] == 386 * 387
        layers = {layer["name"]: layer for layer in architecture.describe(models.aed(paper, 50, 386, 153))}
        assert layers["encoder"]["shape"] == [50, 128] and layers["decoder"]["shape"] == [50, 3]
        assert layers["features"]["shape"] == [50, 539]

    def test_gradients_of_micro_batches_make_the_step_of_the_whole_batch(self):
        """Ledger 10: recordings in groups of one, their gradients averaged, against both at once."""
        given, whole, parts = inputs(), built("aed", "dropout=0.0", "recurrent_dropout=0.0"), None
        targets = np.concatenate([RNG.normal(size=(2, STEPS, 3)), given["mask"][..., None]], -1).astype(np.float32)
        parts = keras.models.clone_model(whole)
        parts.set_weights(whole.get_weights())
        experiment.compile_model(whole, small(), 1), experiment.compile_model(parts, small(), 2)
        whole.run_eagerly = parts.run_eagerly = True
        whole.train_on_batch([given[tensor.name] for tensor in whole.inputs], targets)
        for row in (0, 1):
            parts.train_on_batch([given[t.name][row : row + 1] for t in parts.inputs], targets[row : row + 1])
        for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
            assert np.allclose(one, other, atol=2e-5)
