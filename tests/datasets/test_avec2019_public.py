"""The reader of what the organisers of AVEC 2019 made public, against files like theirs, and theirs against their facts."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import avec2019, avec2019_public

STEMS = [f"Devel_{culture}_{number:02d}" for culture in avec2019.CULTURES for number in range(1, 15)]


def public(root: Path) -> Path:
    """Labels of 30 (German) or 20 rows and predictions padded to 30, in the layout of the repository."""
    folder = root / avec2019_public.PUBLIC
    for name in STEMS:
        files = {folder / "labels_devel": 20 if "HU" in name else 30} | {
            folder / "baseline_predictions" / f"predictions_{system}": 30 for system in avec2019_public.SYSTEMS
        }
        for number, (where, length) in enumerate(files.items()):
            where.mkdir(parents=True, exist_ok=True)
            lines = [f"'{name}';{k / 10:.6f};{number / 10:.6f};{k / 1000:.6f};-0.100000" for k in range(length)]
            head = ["name;timestamp;arousal;valence;liking"] if number % 2 == 0 else []
            (where / f"{name}.csv").write_text("\n".join(head + lines) + "\n")
    return root


def test_public_predictions_have_the_length_of_the_labels(tmp_path):
    root = public(tmp_path)
    found = avec2019_public.read(root)
    assert tuple(found.predictions) == avec2019_public.SYSTEMS and list(found.labels) == STEMS
    for number, system in enumerate(avec2019_public.SYSTEMS, 1):
        for name, length in (("Devel_DE_14", 30), ("Devel_HU_01", 20)):
            expected = np.stack([np.full(length, number / 10), np.arange(length) / 1000, np.full(length, -0.1)], axis=1)
            np.testing.assert_array_equal(found.predictions[system][name], expected)
    for name, gold in found.labels.items():
        assert len(gold.time) == len(found.predictions["svr"][name])
    np.testing.assert_array_equal(
        avec2019_public.read(root / avec2019_public.PUBLIC).predictions["svr"]["Devel_HU_01"],
        found.predictions["svr"]["Devel_HU_01"],
    )


def test_a_public_prediction_that_is_too_short_repeats_its_last_row_with_a_warning(tmp_path):
    path = public(tmp_path) / avec2019_public.PUBLIC / "baseline_predictions" / "predictions_svr" / "Devel_DE_01.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:12]))
    rows = len([line for line in path.read_text().splitlines() if not line.startswith("name")])
    with pytest.warns(UserWarning, match=re.escape(f"{path}: {rows} predictions for 30 labels")):
        found = avec2019_public.read(tmp_path).predictions["svr"]["Devel_DE_01"]
    np.testing.assert_array_equal(found[rows - 1 :], [[1.0, (rows - 1) / 1000, -0.1]] * (31 - rows))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("0.001000", "nan")), "holds NaN"),
        (lambda path: path.write_text("name;timestamp;valence;arousal;liking\n'a';0;0;0;0\n"), "has other columns"),
        (lambda path: path.write_text("'a';0.0;0;0\n"), "has other columns"),
    ],
    ids=["missing", "NaN", "columns exchanged", "a column missing"],
)
def test_a_defect_of_a_public_file_is_named(tmp_path, change, words):
    path = (
        public(tmp_path)
        / avec2019_public.PUBLIC
        / "baseline_predictions"
        / "predictions_visual-vgg"
        / "Devel_HU_09.csv"
    )
    change(path)
    with pytest.raises(InputError, match=re.escape(f"{path}: ") + ".*" + words):
        avec2019_public.read(tmp_path)


def test_a_folder_without_public_files_says_how_to_get_them(tmp_path):
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="python -m datasets.fetch avec2019"):
            avec2019_public.read(root)


def test_public_files_are_looked_for_in_the_named_folder_then_in_the_cache(tmp_path, monkeypatch):
    given, cache = tmp_path / "data", tmp_path / "cache"
    monkeypatch.setenv("AVEMOTION_DATA", str(given))
    with pytest.raises(InputError, match=f"{cache}/public/avec2019: no public.*python -m datasets.fetch avec2019"):
        avec2019_public.find(cache)
    (cache / "public" / "avec2019" / avec2019_public.PUBLIC / "labels_devel").mkdir(parents=True)
    (given / "avec2019").mkdir(parents=True)  # empty: passed over
    assert avec2019_public.find(cache) == cache / "public" / "avec2019"
    (given / "avec2019" / "labels_devel").mkdir()
    assert avec2019_public.find(cache) == given / "avec2019"
    monkeypatch.delenv("AVEMOTION_DATA")
    assert avec2019_public.find(cache) == cache / "public" / "avec2019"


@pytest.fixture
def published(real_data):
    return avec2019_public.read(real_data / "avec2019")


def test_the_published_labels(published):
    """40,032 rows; the Hungarian recordings do not begin at zero, the German ones do."""
    lengths = {name: len(gold.time) for name, gold in published.labels.items()}
    of = {culture: [n for name, n in lengths.items() if culture in name] for culture in avec2019.CULTURES}
    assert (sum(of["DE"]), sum(of["HU"])) == (22_727, 17_305)
    assert (min(of["DE"]), max(of["DE"]), min(of["HU"]), max(of["HU"])) == (974, 1755, 1136, 1768)
    begin = {name for name, gold in published.labels.items() if avec2019.stack_labels(gold)[0].any()}
    assert begin == {name for name in lengths if "HU" in name}


def test_the_published_predictions(published):
    """Nine systems begin with the two seconds of zeros by which their predictions were moved; the fusion does not."""
    for system, predictions in published.predictions.items():
        assert list(predictions) == list(published.labels)
        for name, prediction in predictions.items():
            assert prediction.shape == (len(published.labels[name].time), 3) and prediction.dtype == np.float64
            assert np.isfinite(prediction).all()
            assert (system == "svr") == prediction[:20].any()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3))
def test_a_prediction_is_cropped_or_its_last_row_repeated(length, wanted, width):
    prediction = np.random.default_rng(0).normal(size=(length, width))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = avec2019_public.fit_length(prediction, wanted, "Devel_HU_03")
    repeated = [prediction, *[prediction[-1:]] * max(wanted - length, 0)]
    np.testing.assert_array_equal(found, np.concatenate(repeated)[:wanted])
    assert [str(warning.message) for warning in caught] == (
        [f"Devel_HU_03: {length} predictions for {wanted} labels; the last is repeated"] if length < wanted else []
    )


def test_a_prediction_without_rows():
    with pytest.raises(InputError, match="Devel_HU_03: the prediction has no rows"):
        avec2019_public.fit_length(np.zeros((0, 3)), 5, "Devel_HU_03")
