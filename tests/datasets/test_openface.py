"""OpenFace's CSV in the forms that its versions and options give it."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from datasets import openface

HEAD_2 = ["frame", "face_id", "timestamp", "confidence", "success"]
HEAD_1 = ["frame", "timestamp", "confidence", "success"]
GAZE = ["gaze_0_x", "gaze_0_y", "gaze_0_z", "pose_Tx", "x_0", "x_1", "p_scale"]
PRESENCE = [name.replace("_r", "_c") for name in openface.ACTION_UNITS] + ["AU28_c"]
FRAMES = 6


def table(columns: list[str]) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    values = {name: [f"{value:.3f}" for value in rng.uniform(0, 5, FRAMES)] for name in columns}
    values["timestamp"] = [f"{k / 30:.3f}" for k in range(FRAMES)]
    values["confidence"] = ["0.980", "0.975", "0.000", "0.925", "0.975", "0.980"]
    values["success"] = ["1", "1", "0", "1", "1", "1"]
    return values


def write(path: Path, columns: list[str], values: dict[str, list[str]], separator=", ", end="\n") -> Path:
    rows = [columns] + [[values[name][k] for name in columns] for k in range(FRAMES)]
    path.write_bytes("".join(separator.join(row) + end for row in rows).encode())
    return path


def test_the_seventeen_action_units_with_an_intensity():
    assert len(openface.ACTION_UNITS) == 17
    assert (
        openface.ACTION_UNITS[:4] == ("AU01_r", "AU02_r", "AU04_r", "AU05_r") and openface.ACTION_UNITS[-1] == "AU45_r"
    )


@pytest.mark.parametrize(
    ("columns", "separator", "end"),
    [
        (HEAD_2 + list(openface.ACTION_UNITS) + PRESENCE, ", ", "\n"),
        (HEAD_2 + GAZE + list(openface.ACTION_UNITS) + PRESENCE, ",", "\n"),
        (HEAD_1 + GAZE + list(openface.ACTION_UNITS) + PRESENCE, ", ", "\r\n"),
        (HEAD_1 + list(reversed(openface.ACTION_UNITS)), ",", "\n"),
    ],
    ids=["2.0 with -aus", "2.2, everything", "1.0, no face_id, Windows", "intensities in another order"],
)
def test_the_forms_of_the_file(tmp_path, columns, separator, end):
    values = table(columns)
    faces = openface.read(write(tmp_path / "a.csv", columns, values, separator, end))
    np.testing.assert_array_equal(faces.time, np.array(values["timestamp"], float))
    np.testing.assert_array_equal(faces.confidence, np.array(values["confidence"], float))
    np.testing.assert_array_equal(faces.success, [True, True, False, True, True, True])
    expected = np.stack([np.array(values[name], np.float32) for name in openface.ACTION_UNITS], axis=1)
    np.testing.assert_array_equal(faces.intensity, expected)
    assert faces.intensity.dtype == np.float32 and faces.intensity.shape == (FRAMES, 17)


COLUMNS = HEAD_2 + GAZE + list(openface.ACTION_UNITS)


def test_what_is_not_used_may_be_no_number(tmp_path):
    values = table(COLUMNS) | {"gaze_0_x": ["-nan(ind)"] * FRAMES}
    assert len(openface.read(write(tmp_path / "a.csv", COLUMNS, values)).time) == FRAMES


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"AU12_r": ["1", "nan", "1", "1", "1", "1"]}, "column AU12_r holds NaN or infinity, first in line 3"),
        ({"AU01_r": ["", "1", "1", "1", "1", "1"]}, "line 2, column AU01_r: '' is no number"),
        ({"timestamp": ["0", "0.04", "0.12", "0.16", "0.2", "0.24"]}, "after 0.040 s the next row is at 0.120 s"),
        ({"timestamp": ["0", "0", "0.04", "0.04", "0.08", "0.08"]}, "after 0.000 s the time does not go on"),
        ({"confidence": ["1", "1", "1", "1", "1", "1, 1"]}, "line 7 has 30 fields separated by ',', expected 29"),
    ],
    ids=["NaN", "empty field", "a frame left out", "two faces", "a field too many"],
)
def test_a_defect_is_named(tmp_path, changed, words):
    path = write(tmp_path / "a.csv", COLUMNS, table(COLUMNS) | changed)
    with pytest.raises(InputError, match=re.escape(f"{path}: {words}")):
        openface.read(path)


def test_columns_that_are_missing_are_named(tmp_path):
    columns = [name for name in COLUMNS if name not in ("success", "AU45_r")]
    path = write(tmp_path / "a.csv", columns, table(columns))
    with pytest.raises(InputError, match="has no column success, AU45_r; run OpenFace"):
        openface.read(path)


@pytest.mark.parametrize("content", [b"", ", ".join(COLUMNS).encode(), b"\x89PNG\xff\x00", None])
def test_a_file_that_is_none(tmp_path, content):
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        openface.read(path)
