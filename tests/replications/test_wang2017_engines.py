"""What computes fc6: int8 beside float32, what is kept of the conversion, and who is chosen."""

import os
import re

import numpy as np
import pytest

from common.errors import InputError
from replications.wang2017 import attributes, engines, models
from replications.wang2017.engines import FASTEST, GOOD, LEAST

SETTINGS = {
    "face_size": 32, "cnn_width": 0.125, "fc_units": 24, "cnn_dropout": 0.5, "cnn_weight_decay": 0.0005, "lstm_units": [4],
}  # fmt: skip


def draw_faces(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (32, 32), interpolation=cv2.INTER_CUBIC) for one in coarse])


FACES = draw_faces(23)


@pytest.fixture(scope="module")
def steppers() -> dict:
    """Of weights so small that nothing saturates."""
    found = {}
    for number, target in enumerate(("arousal", "valence")):
        stack = models.build_stack(SETTINGS, SETTINGS["fc_units"])
        rng = np.random.default_rng(number)
        shapes = [array.shape for array in stack.get_weights()]
        mean, deviation, *others = shapes
        stack.set_weights(
            [np.zeros(mean), np.full(deviation, 50.0), *(0.3 * rng.standard_normal(shape) for shape in others)]
        )
        found[target] = models.Stepper(stack)
    return found


@pytest.fixture
def source(steppers, tmp_path) -> engines.Source:
    restore = lambda: attributes.build_network(SETTINGS)  # noqa: E731
    return engines.Source(
        restore, ["weights"], [FACES[:9], FACES[9:16]], [FACES[16:20], FACES[20:]], steppers, tmp_path
    )


@pytest.fixture(scope="module")
def made(steppers, tmp_path_factory) -> dict[str, engines.Embedding]:
    folder = tmp_path_factory.mktemp("cache")
    source = engines.Source(lambda: attributes.build_network(SETTINGS), ["weights"], [FACES], [], steppers, folder)
    return {name: engines.build(source, name, 10) for name in engines.PRECISIONS}


def test_float32_is_the_extractor_for_any_number_of_faces(made):
    import keras

    keras.utils.set_random_seed(0)
    extractor = attributes.build_extractor(attributes.build_network(SETTINGS))
    expected = extractor.predict_on_batch(attributes.preprocess(FACES, 32))
    for count in (1, 10, 23):
        np.testing.assert_allclose(made["float32"](FACES[:count]), expected[:count], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_coarser_numbers_are_near(made, precision):
    fine, coarse = made["float32"](FACES), made[precision](FACES)
    assert coarse.shape == fine.shape and coarse.dtype == np.float32 and (fine != coarse).any()
    assert np.corrcoef(fine.ravel(), coarse.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(made[precision](FACES[7:8]), coarse[7:8], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 10])
def test_faces_come_back_in_their_order_from_all_cores(monkeypatch, batch):
    monkeypatch.setattr(engines.options, "count_cores", lambda: 4)
    model = attributes.build_extractor(attributes.build_network(SETTINGS))
    embed = engines.compile_lite(engines.quantise(model, attributes.preprocess(FACES, 32)[:, None]), batch)
    found = embed(FACES)
    assert found.shape == (23, 24)
    for number in (0, 5, 6, 11, 22):
        np.testing.assert_allclose(embed(FACES[number : number + 1])[0], found[number], rtol=1e-5, atol=1e-5)


def test_the_conversion_and_the_comparison_are_kept(source, monkeypatch):
    first = engines.choose(source, "int8", 10)
    for name in ("quantise", "compare"):
        monkeypatch.setattr(engines, name, lambda *_: pytest.fail("computed again"))
    again = engines.choose(source, "int8", 10)
    np.testing.assert_array_equal(first.embed(FACES), again.embed(FACES))
    assert first.agreement == again.agreement and first.agreement["int8"]["valence"]["CCC"] > 0.9
    assert {path.suffix for path in source.folder.iterdir()} == {".tflite", ".json"}


@pytest.mark.parametrize(
    "change",
    [
        {"identity": ["others"]},
        {"calibration": [FACES[:15]]},
        {"heldout": [FACES[16:]]},
    ],
)
def test_other_weights_or_faces_are_compared_anew(source, monkeypatch, change):
    calls = []
    monkeypatch.setattr(engines, "quantise", lambda model, samples: calls.append("convert") or b"model")
    monkeypatch.setattr(engines, "compile_lite", lambda converted, batch: lambda faces: None)
    near = {"arousal": {"CCC": 1.0, "largest": 0.0}}
    monkeypatch.setattr(engines, "compare", lambda *_: calls.append("compare") or near)
    engines.choose(source, "int8", 10)
    engines.choose(engines.Source(**vars(source) | change), "int8", 10)
    assert calls.count("compare") == 2 and calls.count("convert") == (1 if "heldout" in change else 2)


def test_series_are_compared_within_clips(made, steppers):
    """Against loops over single faces, and scikit-learn's moments: what differs between clips is no agreement."""
    clips = [FACES[:12], FACES[12:]]
    same = engines.compare(made["float32"], made["float32"], steppers, clips)
    assert all(one == {"CCC": pytest.approx(1), "largest": 0} for one in same.values())
    found = engines.compare(made["int8"], made["float32"], steppers, clips)
    for target, stepper in steppers.items():
        ones, others = [], []
        for clip in clips:
            series = []
            for embed in (made["int8"], made["float32"]):
                stepper.reset()
                series.append(np.array([float(stepper(embed(face[None]))[0]) for face in clip]))
            ones.append(series[0] - series[1].mean())
            others.append(series[1] - series[1].mean())
        one, other = np.concatenate(ones), np.concatenate(others)
        ccc = 2 * np.cov(one, other, bias=True)[0, 1] / (one.var() + other.var() + (one.mean() - other.mean()) ** 2)
        assert found[target]["CCC"] == pytest.approx(ccc, abs=1e-3)
        assert found[target]["largest"] == pytest.approx(np.abs(one - other).max(), abs=1e-5)


def test_a_series_that_is_stretched_moved_or_still_does_not_agree(made, steppers):
    def scaled(faces):
        return 0.5 * made["float32"](faces)

    found = engines.compare(scaled, made["float32"], {"valence": Sum()}, [FACES[:12], FACES[12:]])
    assert found["valence"]["CCC"] < 0.9
    still = engines.compare(made["float32"], made["float32"], {"valence": Still()}, [FACES[:12]])
    assert still["valence"]["CCC"] is None
    assert (
        engines.explain({}, {"int8": still}) == "; CCC of the series with those of float32: int8 none, they do not move"
    )


class Sum:
    """A network that predicts the sum of its features."""

    def reset(self):
        pass

    def __call__(self, features):
        return features.sum(axis=1)


class Still:
    """A network that predicts a constant."""

    def reset(self):
        pass

    def __call__(self, features):
        return np.zeros(1)


def judged(correlations: dict[str, float | None]):
    """In the place of `judge`: the correlation of each precision."""
    return lambda source, name, made: {
        "arousal": {"CCC": 1.0, "largest": 0.0},
        "valence": {"CCC": correlations[name], "largest": 0.1},
    }


@pytest.fixture
def speeds(monkeypatch):
    """Engines that are not computed, of these speeds; returns the dictionary."""
    found = {"float32": 5.0, "bfloat16": 7.0, "int8": 24.0}
    monkeypatch.setattr(engines, "build", lambda source, name, batch: name)
    monkeypatch.setattr(engines, "measure_speed", lambda embed, faces: found[embed])
    monkeypatch.setattr(engines, "list_candidates", lambda: list(found))
    return found


@pytest.mark.parametrize(
    ("correlations", "chosen"),
    [
        ({"int8": GOOD, "bfloat16": 1.0}, "int8"),
        ({"int8": GOOD - 1e-4, "bfloat16": 1.0}, "bfloat16"),
        ({"int8": None, "bfloat16": 0.5}, "float32"),
    ],
)
def test_the_fastest_that_is_good_is_chosen(source, speeds, monkeypatch, correlations, chosen):
    monkeypatch.setattr(engines, "judge", judged(correlations))
    engine = engines.choose(source, FASTEST, 10)
    assert engine.precision == engine.embed == chosen
    assert all(engine.speeds[name] == speeds[name] for name in engine.speeds) and chosen in engine.speeds
    words = engines.explain(engine.speeds, engine.agreement)
    assert "float32 5.0" in words and f"bfloat16 {correlations['bfloat16']:.4f}" in words and words.startswith("; CCC")
    assert ("int8 24.0" in words) == (chosen == "int8")  # who is too coarse is not asked for its speed


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2 fma", ["float32", "int8"]),
        ("avx512_bf16 amx_bf16", ["float32", "bfloat16", "int8"]),
        (None, ["float32", "int8"]),
    ],
)
def test_bfloat16_is_tried_where_the_processor_computes_in_it(monkeypatch, flags, expected):
    def read(path):
        if flags is None:
            raise FileNotFoundError(path)
        return f"flags : {flags}"

    monkeypatch.setattr(engines.Path, "read_text", read)
    assert engines.list_candidates() == expected


def test_float32_is_chosen_where_it_is_the_fastest(source, speeds, monkeypatch):
    monkeypatch.setattr(engines, "judge", judged({"int8": 1.0, "bfloat16": 1.0}))
    speeds["float32"] = 30.0
    assert engines.choose(source, FASTEST, 10).precision == "float32"


@pytest.mark.parametrize("correlation", [LEAST - 1e-4, None])
def test_a_precision_that_is_too_coarse_is_refused(source, speeds, monkeypatch, correlation):
    monkeypatch.setattr(engines, "judge", judged({"int8": correlation}))
    with pytest.raises(InputError, match=re.escape("--precision int8; CCC of the series")):
        engines.choose(source, "int8", 10)
    monkeypatch.setattr(engines, "judge", judged({"int8": LEAST}))
    assert engines.choose(source, "int8", 10).precision == "int8"  # who asks for it gets it


def test_of_untrained_networks_only_the_speed_counts(source, speeds):
    engine = engines.choose(engines.Source(**vars(source) | {"heldout": []}), FASTEST, 10)
    assert engine.precision == "int8" and not engine.agreement


def test_faces_are_taken_evenly_from_all_recordings():
    seen = [np.full((count, 1, 1, 3), number, np.uint8) for number, count in enumerate((100, 100, 5))]
    chosen = engines.select_faces(seen)[:, 0, 0, 0]
    assert len(chosen) == engines.FACES and set(chosen) == {0, 1, 2} and abs((chosen == 0).sum() - 31) <= 1
    assert len(engines.select_faces(seen[2:])) == 5


def test_what_is_written_to_stderr_from_anywhere_is_hushed(capfd):
    with engines._hushed() as terminal:
        os.write(2, b"noise of a library\n")
        terminal.write("a bar")
    os.write(2, b", and what follows")
    assert capfd.readouterr().err == "a bar, and what follows"
