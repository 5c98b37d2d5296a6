"""Faces, landmarks and audio features of AFEW in the forms that they have or may have, and what is refused."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from common.errors import InputError
from datasets import afew, afew_files
from tests.datasets.test_afew import ARFF, jpeg, put, row


def clip(points: Path | None, faces: tuple[int, ...] = ()) -> afew.Clip:
    pictures = tuple(Path(f"{number:03d}.jpg") for number in faces)
    return afew.Clip("Train/1", "Train", Path("Train_AFEW/Angry/1.avi"), "Angry", pictures, points, None)


# frames


@given(st.integers(1, 99_999), st.sampled_from(["", "frame_", "clip7-", "000041280 "]), st.integers(0, 6))
def test_the_frame_is_the_number_at_the_end(number, before, width):
    assert afew_files.read_frame_number(Path("Faces/000041280", f"{before}{number:0{width}d}.jpg")) == number - 1


# faces


def test_a_face_is_rgb(tmp_path):
    path = put(tmp_path / "001.jpg", jpeg())
    face = afew_files.read_face(path)
    assert face.shape == (8, 8, 3) and face.dtype == np.uint8
    np.testing.assert_allclose(face[4, 4].astype(int), (200, 100, 10), atol=4)
    grey = put(tmp_path / "002.png", cv2.imencode(".png", np.full((4, 6), 7, np.uint8))[1].tobytes())
    assert afew_files.read_face(grey).shape == (4, 6, 3) and (afew_files.read_face(grey) == 7).all()


@pytest.mark.parametrize("content", [None, b"", b"text", jpeg()[:30]], ids=["missing", "empty", "text", "cut"])
def test_a_face_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "001.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: cannot be read"):
        afew_files.read_face(path)


# points

TRACK = np.random.default_rng(0).uniform(0, 300, (4, 49, 2)).round(2)


def test_points_in_all_forms_are_the_same(tmp_path):
    forms = {"n x 49 x 2": TRACK, "49 x 2 x n": TRACK.transpose(1, 2, 0), "n x 98": TRACK.reshape(4, 98)}
    paths = []
    for name, array in forms.items():
        paths.append(tmp_path / f"{name}.mat")
        savemat(
            paths[-1],
            {
                "pts": array,
                "pose": np.zeros((4, 3)),
                "name": "000041280",
                "ok": np.ones((4, 1)),
                "centre": np.zeros((4, 2)),
            },
        )
    paths.append(put(tmp_path / "a.txt", "".join(row(*one) for one in TRACK.reshape(4, 98))))
    paths.append(put(tmp_path / "b.txt", "".join(row(i, *one) for i, one in enumerate(TRACK.reshape(4, 98), 1))))
    paths.append(put(tmp_path / "c.txt", paths[-2].read_text().replace(" ", ", ").replace("\n", "\r\n")))
    for i, frame in enumerate(TRACK, 1):
        put(tmp_path / "folder" / f"{i:03d}.txt", "".join(row(*point) for point in frame))
    for path in [*paths, tmp_path / "folder"]:
        frames, points = afew_files.read_points(clip(path))
        assert frames.tolist() == [0, 1, 2, 3] and points.dtype == np.float32 and points.shape == (4, 49, 2)
        np.testing.assert_allclose(points, TRACK, rtol=1e-6)


def test_numbers_of_frames_are_kept(tmp_path):
    path = put(tmp_path / "a.txt", "".join(row(i, *TRACK[0].ravel()) for i in (3, 4, 17)))
    assert afew_files.read_points(clip(path, faces=(1, 2, 3)))[0].tolist() == [2, 3, 16]
    for i in (3, 4, 17):
        put(tmp_path / "folder" / f"{i:03d}.txt", "".join(row(*point) for point in TRACK[0]))
    assert afew_files.read_points(clip(tmp_path / "folder"))[0].tolist() == [2, 3, 16]


def test_rows_without_numbers_are_the_frames_of_the_faces_where_there_are_as_many(tmp_path):
    savemat(tmp_path / "a.mat", {"pts": TRACK})
    for path in (tmp_path / "a.mat", put(tmp_path / "a.txt", "".join(row(*one.ravel()) for one in TRACK))):
        assert afew_files.read_points(clip(path, faces=(2, 3, 7, 8)))[0].tolist() == [1, 2, 6, 7]
        assert afew_files.read_points(clip(path, faces=(2, 3, 7)))[0].tolist() == [0, 1, 2, 3]


def test_one_frame_whose_last_axis_matlab_drops(tmp_path):
    savemat(tmp_path / "a.mat", {"pts": TRACK[0]})
    np.testing.assert_allclose(afew_files.read_points(clip(tmp_path / "a.mat"))[1], TRACK[:1], rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pts": TRACK[:, :48]}, "holds 48 landmarks a frame, expected 49"),
        ({"pts": TRACK[:, :48].transpose(1, 2, 0)}, "holds 48 landmarks a frame, expected 49"),
        ({"pts": TRACK[:, :48].reshape(4, 96)}, "holds 48 landmarks a frame"),
        ({"a": TRACK, "b": TRACK}, "more than one array holds 49 landmarks, a and b"),
        ({"pts": TRACK[:0].reshape(0, 98)}, "is empty"),
        ({"pts": np.where(TRACK > 290, np.nan, TRACK)}, "holds NaN or infinity"),
        ({"pts": TRACK * 1e40}, "holds NaN or infinity"),  # beyond float32
        ({"pts": "text"}, "holds no landmarks"),
        ({"pts": np.zeros((4, 49, 2), complex)}, "holds no landmarks"),
        ({}, "holds no landmarks"),
    ],
)
def test_another_mat_file_is_refused(tmp_path, arrays, words):
    savemat(tmp_path / "a.mat", arrays)
    with pytest.raises(InputError, match=f"{tmp_path / 'a.mat'}: {words}"):
        afew_files.read_points(clip(tmp_path / "a.mat"))


def test_a_mat_file_that_is_none(tmp_path):
    savemat(tmp_path / "a.mat", {"pts": TRACK}, do_compression=True)
    whole = (tmp_path / "a.mat").read_bytes()
    newer = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF"
    for content in (b"", b"\x00", b"text" * 100, whole[:150], whole[: len(whole) // 2], newer):
        put(tmp_path / "a.mat", content)
        with pytest.raises(InputError, match=f"{tmp_path / 'a.mat'}: ") as caught:
            afew_files.read_points(clip(tmp_path / "a.mat"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (row(*range(96)), "line 1 holds 48 landmarks, expected 49"),
        (row(*range(97)), "line 1 holds 48 landmarks, expected 49"),
        (row(*range(100)), "line 1 holds 50 landmarks, expected 49"),
        (row(*range(98)) + row(*range(96)), "line 2 has 96 fields"),
        (row(*range(97)).strip() + " x\n", "column y49: 'x' is no number"),
        (row(*range(97)).strip() + " nan\n", "column y49 holds NaN or infinity"),
        (row(*range(99)), "the frame numbers do not increase from 1 on"),
        (row(1.5, *range(98)), "the frame numbers do not increase from 1 on"),
        (row(*range(1, 100)) * 2, "the frame numbers do not increase from 1 on"),
        ("\n\n", "is empty"),
        ("\x00\xff", "line 1 holds 0 landmarks"),
    ],
)
def test_another_table_is_refused(tmp_path, content, words):
    path = put(tmp_path / "a.txt", content)
    with pytest.raises(InputError, match=f"{path}: .*{words}"):
        afew_files.read_points(clip(path))


def test_another_folder_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="a: holds no .txt file"):
        afew_files.read_points(clip(tmp_path / "a"))
    put(tmp_path / "a" / "001.txt", "1 2\n" * 49)
    put(tmp_path / "a" / "002.txt", "1 2\n" * 48)
    with pytest.raises(InputError, match="002.txt: holds 48 landmarks, expected 49"):
        afew_files.read_points(clip(tmp_path / "a"))
    put(tmp_path / "a" / "002.txt", "1 2 3\n" * 49)
    with pytest.raises(InputError, match="002.txt: line 1 has 3 fields"):
        afew_files.read_points(clip(tmp_path / "a"))
    put(tmp_path / "a" / "02.txt", "1 2\n" * 49)
    with pytest.raises(InputError, match="a: the frame numbers do not increase"):
        afew_files.read_points(clip(tmp_path / "a"))
    put(tmp_path / "a" / "points.txt", "1 2\n" * 49)
    with pytest.raises(InputError, match="points.txt: the name is no frame number"):
        afew_files.read_points(clip(tmp_path / "a"))


# audio features


@pytest.mark.parametrize(
    "content",
    [
        f"{ARFF}'000041280',1.5,-2e-1\n",
        f"% a comment\n{ARFF.upper()}000041280, 1.5, -0.2\n\n".replace("\n", "\r\n"),
        f"{ARFF.replace('@data', '@attribute emotion {Angry,Happy}' + chr(10) + '@data')}'000041280',1.5,-.2,Angry\n",
        f"{ARFF.replace('@data', '@attribute class numeric' + chr(10) + '@data')}'000041280',1.5,-.2,?\n",
    ],
    ids=["as distributed", "capitals and CRLF", "nominal class", "class without a value"],
)
def test_the_forms_of_audio_features(tmp_path, content):
    name, values = afew_files.read_audio_features(put(tmp_path / "a.arff", content))
    assert name == "000041280" and values.dtype == np.float32
    np.testing.assert_allclose(values, [1.5, -0.2], rtol=1e-6)


def test_a_name_with_a_comma(tmp_path):
    assert afew_files.read_audio_features(put(tmp_path / "a.arff", f"{ARFF}'a, b',1,2\n"))[0] == "a, b"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{ARFF}'1',1.5\n", "the row has 2 fields, the header 3"),
        (f"{ARFF}'1',1.5,2,3\n", "the row has 4 fields, the header 3"),
        (f"{ARFF}'1',1,2\n'2',1,2\n", "has 2 rows, expected 1"),
        (ARFF, "has 0 rows, expected 1"),
        (f"{ARFF}'1',1,Happy\n", "a value is no number"),
        (f"{ARFF}'1',1,?\n", "a value is no number"),
        (f"{ARFF}'1',1,nan\n", "holds NaN or infinity"),
        ("1 2 3\n", "is no ARFF file"),
        ("@data\n1\n", "is no ARFF file"),
        (f"{ARFF}'{'1' * 200_000}',1,2\n", "is no ARFF file"),
        ("", "is empty"),
    ],
)
def test_other_audio_features_are_refused(tmp_path, content, words):
    path = put(tmp_path / "a.arff", content)
    with pytest.raises(InputError, match=re.escape(f"{path}: {words}")):
        afew_files.read_audio_features(path)
