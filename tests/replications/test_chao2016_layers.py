"""The layers of Chao et al. 2016 against loops over its equations, clip by clip."""

import math
from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from replications.chao2016 import layers

WIDTH, FACE, UNITS, W = 4, 3, 5, 2
AUDIO_STEPS, STEPS = np.array([9, 4, 12], np.int32), np.array([7, 3, 5], np.int32)  # 4 = 2w: the shortest clip
RNG = np.random.default_rng(0)
few = examples(max_examples=15)
fillings = st.floats(-1e3, 1e3, width=32)


def normal(*shape) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


AUDIO, VISUAL = normal(3, 12, WIDTH), normal(3, 7, FACE)  # drawn behind the end of a clip, too
HIDDEN, VALID = normal(3, 7, WIDTH), np.arange(7) < STEPS[:, None]
ATTENDED = normal(3, 6, WIDTH)


def filled(sequence, steps, value) -> np.ndarray:
    """The same clips with something else behind their ends."""
    inside = np.arange(sequence.shape[1]) < steps[:, None]
    return np.where(inside[..., None], sequence, np.float32(value))


def softmax(values, axis=-1):
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def built(layer, *inputs):
    """A layer with random weights, the same at every call."""
    layer(*inputs)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


def alignment(**options) -> layers.Alignment:
    return built(layers.Alignment(UNITS, W, **options), AUDIO, VISUAL, AUDIO_STEPS, STEPS)


def attention() -> layers.PerceptionAttention:
    return built(layers.PerceptionAttention(6, UNITS), HIDDEN, VALID)


def scores() -> layers.EmotionScores:
    return built(layers.EmotionScores(), ATTENDED)


def gradients(layer, *inputs) -> dict[str, np.ndarray]:
    """Of a sum in which every output counts differently."""
    with tf.GradientTape() as tape:
        outputs = [tf.reshape(output, -1) for output in tf.nest.flatten(layer(*inputs))]
        total = sum(tf.reduce_sum(values * np.sin(np.arange(1, len(values) + 1))) for values in outputs)
    values = tape.gradient(total, [weight.value for weight in layer.trainable_weights])
    return {weight.name: np.asarray(value) for weight, value in zip(layer.trainable_weights, values, strict=True)}


# The equations, clip by clip


def place(t, audio_steps, steps, window, centre):
    """p_t: t T_a / T, rounded, and as far from both ends as the window needs."""
    exact = Fraction(t * audio_steps, steps)
    rounded = math.floor(exact if centre == "floor" else exact + Fraction(1, 2))
    return max(window, min(rounded, audio_steps - window))


def aligned(audio, visual, audio_kernel, visual_kernel, score_kernel, centre):
    """Eq. 4 to 6 of one clip: x (T, d) and l (T, 2w); one row of `score_kernel` stands for all places."""
    x, shares = [], []
    for t, face in enumerate(visual):
        first = place(t, len(audio), len(visual), W, centre) - W
        energies = []
        for i in range(2 * W):
            weights = score_kernel[i if len(score_kernel) > 1 else 0]
            energies.append(weights @ np.tanh(audio[first + i] @ audio_kernel + face @ visual_kernel))
        total = sum(math.exp(energy) for energy in energies)
        shares.append([math.exp(energy) / total for energy in energies])
        x.append(sum(share * audio[first + i] for i, share in enumerate(shares[-1])))
    return np.array(x), np.array(shares)


def attended(hidden, kernel, vectors):
    """Eq. 9 of one clip: f (emotions, T)."""
    rows = []
    for vector in vectors:
        raised = [math.exp((h @ kernel) @ vector) for h in hidden]
        rows.append([value / sum(raised) for value in raised])
    return np.array(rows)


class TestValid:
    def test_true_before_the_end(self):
        found = np.asarray(layers.Valid()(np.zeros((4, 3, 2)), np.array([1, 3, 0, 5])))
        assert found.tolist() == [[True, False, False], [True] * 3, [False] * 3, [True] * 3]


class TestMean:
    def test_of_the_steps_of_each_clip(self):
        """Section 2.1: the average of the whole h_av."""
        expected = [sum(clip[:steps]) / steps for clip, steps in zip(HIDDEN, STEPS)]
        assert np.allclose(layers.Mean()(HIDDEN, VALID), expected, atol=1e-6)

    @few
    @given(value=fillings)
    def test_padding_changes_nothing(self, value):
        found = layers.Mean()(filled(HIDDEN, STEPS, value), VALID)
        assert np.array_equal(found, layers.Mean()(HIDDEN, VALID))


class TestPlaces:
    """p_t, the middle of the window: entry w of 2w."""

    def places(self, audio_steps, steps, window=W, centre="floor"):
        layer = layers.Alignment(1, window, centre)
        index = np.asarray(layer.find_windows(np.zeros((1, steps, 1)), np.array([audio_steps]), np.array([steps])))[0]
        assert index.shape == (steps, 2 * window) and (np.diff(index) == 1).all()
        return index[:, window].tolist()

    @pytest.mark.parametrize(
        ("audio_steps", "steps", "window", "floor", "nearest"),
        [
            (5, 4, 1, [1, 1, 2, 3], [1, 1, 3, 4]),  # 0, 1.25, 2.5, 3.75
            (10, 8, 2, [2, 2, 2, 3, 5, 6, 7, 8], [2, 2, 3, 4, 5, 6, 8, 8]),
            (9, 3, 2, [2, 3, 6], [2, 3, 6]),  # 0, 3, 6
            (6, 9, 1, [1, 1, 1, 2, 2, 3, 4, 4, 5], [1, 1, 1, 2, 3, 3, 4, 5, 5]),  # more faces than audio
            (4, 6, 2, [2] * 6, [2] * 6),  # 2w audio steps: every face sees them all
            (5, 1, 2, [2], [2]),
        ],
    )
    def test_by_hand(self, audio_steps, steps, window, floor, nearest):
        assert self.places(audio_steps, steps, window) == floor
        assert self.places(audio_steps, steps, window, "nearest") == nearest

    @pytest.mark.parametrize(
        ("centre", "drift"), [("floor", [0, 0.25, 0.5, 0.75]), ("nearest", [0, 0.25, -0.5, -0.25])]
    )
    def test_drift_of_the_rates_of_the_paper(self, centre, drift):
        """31.25 audio and 25 video frames a second: t T_a / T leaves p_t by 0.25 a step, and returns every four."""
        found = np.array(self.places(50, 40, centre=centre))
        away = 1.25 * np.arange(40) - found
        inner = (found > W) & (found < 50 - W)
        assert inner.sum() > 30
        assert np.array_equal(away[inner], np.tile(drift, 10)[inner])
        assert np.array_equal(found[8:36] - found[4:32], np.full(28, 5))

    @few
    @given(
        window=st.integers(1, 3),
        more=st.integers(0, 40),
        steps=st.integers(1, 40),
        centre=st.sampled_from(layers.CENTRES),
    )
    def test_any_lengths(self, window, more, steps, centre):
        audio_steps = 2 * window + more
        found = self.places(audio_steps, steps, window, centre)
        assert found == [place(t, audio_steps, steps, window, centre) for t in range(steps)]
        assert found == sorted(found) and min(found) >= window and max(found) + window <= audio_steps


class TestAlignment:
    @pytest.mark.parametrize("centre", layers.CENTRES)
    @pytest.mark.parametrize("slots", layers.SLOTS)
    def test_against_the_equations(self, centre, slots):
        layer = alignment(centre=centre, slots=slots)
        x, shares = map(np.asarray, layer(AUDIO, VISUAL, AUDIO_STEPS, STEPS))
        assert x.shape == (3, 7, WIDTH) and shares.shape == (3, 7, 2 * W)
        kernels = {weight.name: np.array(weight) for weight in layer.weights}
        assert len(kernels["score_kernel"]) == (2 * W if slots == "own" else 1)
        for clip, (audio_steps, steps) in enumerate(zip(AUDIO_STEPS, STEPS)):
            expected = aligned(AUDIO[clip, :audio_steps], VISUAL[clip, :steps], **kernels, centre=centre)
            assert np.allclose(x[clip, :steps], expected[0], atol=1e-5)
            assert np.allclose(shares[clip, :steps], expected[1], atol=1e-5)

    @pytest.mark.parametrize("slots", layers.SLOTS)
    def test_weights_sum_to_one(self, slots):
        shares = np.asarray(alignment(slots=slots)(AUDIO, VISUAL, AUDIO_STEPS, STEPS)[1])
        assert (shares > 0).all() and np.allclose(shares.sum(axis=-1), 1, atol=1e-6)

    def test_shared_weights_do_not_see_the_place(self):
        """Equal audio steps: W_i of its own may prefer one of them, a shared one cannot."""
        same = np.ones_like(AUDIO)
        shared, own = (
            np.asarray(alignment(slots=slots)(same, VISUAL, AUDIO_STEPS, STEPS)[1]) for slots in ("shared", "own")
        )
        assert np.allclose(shared, 1 / (2 * W), atol=1e-6) and np.ptp(own, axis=-1).min() > 0.01

    @few
    @given(heard=fillings, seen=fillings, centre=st.sampled_from(layers.CENTRES))
    def test_padding_changes_nothing(self, heard, seen, centre):
        layer = alignment(centre=centre)
        plain = layer(AUDIO, VISUAL, AUDIO_STEPS, STEPS)
        found = layer(filled(AUDIO, AUDIO_STEPS, heard), filled(VISUAL, STEPS, seen), AUDIO_STEPS, STEPS)
        for one, other in zip(plain, found, strict=True):
            assert np.allclose(np.asarray(one)[VALID], np.asarray(other)[VALID], atol=1e-6)

    @pytest.mark.parametrize("slots", layers.SLOTS)
    def test_gradient_reaches_every_weight(self, slots):
        found = gradients(alignment(slots=slots), AUDIO, VISUAL, AUDIO_STEPS, STEPS)
        assert found.keys() == {"audio_kernel", "visual_kernel", "score_kernel"}
        assert all(np.isfinite(value).all() and (value != 0).all() for value in found.values())

    @pytest.mark.parametrize("wrong", [{"centre": "ceiling"}, {"slots": "both"}])
    def test_unknown_choice(self, wrong):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong.values()))}' is none of"):
            layers.Alignment(UNITS, **wrong)

    def test_a_mask_of_the_audio_is_none_of_the_faces(self):
        """Keras hands an implicit mask on to the output, which is as long as the video, not as the audio."""
        audio, visual = keras.Input((12, WIDTH)), keras.Input((7, FACE))
        counts = [keras.Input((), dtype="int32") for _ in range(2)]
        layer, after = layers.Alignment(UNITS, W), keras.layers.LSTM(2)
        inputs, fed = [audio, visual, *counts], [AUDIO, VISUAL, AUDIO_STEPS, STEPS]
        models = [
            keras.Model(inputs, after(layer(heard, visual, *counts)[0]))
            for heard in (audio, keras.layers.Masking()(audio))
        ]
        assert np.array_equal(*(model(fed) for model in models))


class TestPerceptionAttention:
    def test_against_the_equation(self):
        layer = attention()
        found = np.asarray(layer(HIDDEN, VALID))
        assert found.shape == (3, 6, 7)
        for clip, steps in enumerate(STEPS):
            expected = attended(HIDDEN[clip, :steps], np.array(layer.kernel), np.array(layer.embeddings))
            assert np.allclose(found[clip, :, :steps], expected, atol=1e-5)

    def test_rows_sum_to_one_over_the_steps_of_the_clip(self):
        found = np.asarray(attention()(HIDDEN, VALID))
        assert np.allclose(found.sum(axis=-1), 1, atol=1e-6)
        behind = np.broadcast_to(~VALID[:, None], found.shape)
        assert (found[behind] == 0).all() and (found[~behind] > 0).all()

    @few
    @given(value=fillings)
    def test_padding_changes_nothing(self, value):
        layer = attention()
        assert np.allclose(layer(filled(HIDDEN, STEPS, value), VALID), layer(HIDDEN, VALID), atol=1e-7)

    def test_gradient_reaches_every_weight(self):
        found = gradients(attention(), HIDDEN, VALID)
        assert found.keys() == {"kernel", "embeddings"}
        assert all(np.isfinite(value).all() and (value != 0).all() for value in found.values())


class TestEmotionScores:
    def test_against_the_equation(self):
        """Eq. 10: W^n and b^n of each emotion, on what that emotion attends to."""
        layer = scores()
        kernel, bias = map(np.array, layer.weights)
        expected = [[kernel[n] @ clip[n] + bias[n] for n in range(6)] for clip in ATTENDED]
        assert np.allclose(layer(ATTENDED), expected, atol=1e-5)

    def test_gradient_reaches_every_weight(self):
        found = gradients(scores(), ATTENDED)
        assert found.keys() == {"kernel", "bias"}
        assert all(np.isfinite(value).all() and (value != 0).all() for value in found.values())


SAVED = {
    "valid": (layers.Valid, [HIDDEN, STEPS]),
    "mean": (layers.Mean, [HIDDEN, VALID]),
    "alignment": (alignment, [AUDIO, VISUAL, AUDIO_STEPS, STEPS]),
    "alignment-nearest-shared": (
        lambda: alignment(centre="nearest", slots="shared"), [AUDIO, VISUAL, AUDIO_STEPS, STEPS],
    ),
    "attention": (attention, [HIDDEN, VALID]),
    "scores": (scores, [ATTENDED]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_save_and_load(name, tmp_path):
    make, fed = SAVED[name]
    layer = make()
    inputs = [keras.Input(value.shape[1:], dtype=value.dtype.name) for value in fed]
    model = keras.Model(inputs, layer(*inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[-1].get_config() == layer.get_config()
    for one, other in zip(keras.tree.flatten(model(fed)), keras.tree.flatten(again(fed)), strict=True):
        assert np.array_equal(one, other)
