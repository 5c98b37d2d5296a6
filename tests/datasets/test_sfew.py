"""The reader of SFEW 2.0 against trees in its layouts."""

import json
import sys
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import EXIT_DIFFERS, InputError
from common.running import cli
from datasets import afew, layout, sfew
from datasets import check as command

LAYOUTS = {
    "distributed": {"Train": "Train/Train_Aligned_Faces", "Val": "Val/Val_Aligned_Faces_new"},
    "old validation": {"Train": "Train/Train_Aligned_Faces", "Val": "Val/Val_Aligned_Faces"},
    "without upper folders": {"Train": "Train_Aligned_Faces", "Val": "Val_Aligned_Faces_new"},
    "nested": {
        "Train": "Train_Aligned_Faces/Train_Aligned_Faces",
        "Val": "Val/Val_Aligned_Faces_new/Val_Aligned_Faces",
    },
}
layouts = pytest.mark.parametrize("layout", LAYOUTS)


@lru_cache(maxsize=1)
def png() -> bytes:
    return cv2.imencode(".png", np.full((181, 143, 3), (10, 100, 200), np.uint8))[1].tobytes()


def tree(root: Path, layout: str = "distributed") -> Path:
    """Two faces of each class in each partition, and pictures of the test partition, which have none."""
    for folder in LAYOUTS[layout].values():
        for label in sfew.CLASSES:
            (root / folder / label).mkdir(parents=True)
            for number in (5, 6):
                (root / folder / label / f"Airheads_{label}_0000000{number}.png").write_bytes(png())
            (root / folder / label / "._Airheads.png").touch()
            (root / folder / label / "Thumbs.db").touch()
    (root / "Test" / "Test_Aligned_Faces").mkdir(parents=True)
    (root / "Test" / "Test_Aligned_Faces" / "1.png").write_bytes(png())
    return root


@layouts
def test_all_faces_are_found_and_read(tmp_path, layout):
    root = tree(tmp_path, layout)
    faces = sfew.list_recordings(root)
    assert [face.label for face in faces] == [label for label in sfew.CLASSES for _ in range(2)] * 2
    assert [face.partition for face in faces] == ["Train"] * 14 + ["Val"] * 14
    assert faces[1].name == "Train/Angry/Airheads_Angry_00000006" and len({face.name for face in faces}) == 28
    assert faces[1].path == root / LAYOUTS[layout]["Train"] / "Angry" / "Airheads_Angry_00000006.png"
    picture = sfew.read(faces[1].path)
    assert picture.shape == (181, 143, 3) and picture.dtype == np.uint8 and (picture == (200, 100, 10)).all()


@layouts
def test_archives_unpack_into_a_folder_of_their_own(tmp_path, layout):
    inner = tree(tmp_path / "SFEW 2", layout)
    assert sfew.locate(tmp_path) == sfew.locate(inner) == inner


def test_classes_are_those_of_the_clips():
    assert sfew.CLASSES == afew.CLASSES


def test_the_new_faces_for_validation_are_read(tmp_path):
    root = tree(tmp_path)
    old = root / "Val" / "Val_Aligned_Faces" / "Angry"
    old.mkdir(parents=True)
    (old / "old.png").write_bytes(png())
    assert all("Val_Aligned_Faces_new" in face.path.parts for face in sfew.list_recordings(root)[14:])


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()], ids=["missing", "empty"])
def test_a_wrong_folder(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=f"{tmp_path / 'root'}: "):
        sfew.list_recordings(tmp_path / "root")


def test_the_message_for_another_corpus_says_where_to_ask(tmp_path):
    (tmp_path / "Train_AFEW").mkdir()
    with pytest.raises(InputError, match=r"not the layout of SFEW \(.*emotiwchallenge"):
        sfew.locate(tmp_path)


def test_a_copy_without_faces_for_training(tmp_path):
    (tmp_path / "Train" / "Train_Aligned_Faces").mkdir(parents=True)
    with pytest.raises(InputError, match="no faces of the partition Train; see `python -m datasets.check sfew"):
        sfew.list_recordings(tmp_path)


# check


def test_a_whole_corpus_is_complete(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sfew, "COUNTS", {"Train": 14, "Val": 14})
    monkeypatch.setattr(sys, "argv", ["check", "sfew", str(tree(tmp_path))])
    assert cli.run(command.main) == 0
    assert capsys.readouterr() == (f"{tmp_path}: sfew: 14 Train faces, 14 Val faces\ncomplete\n", "")


def test_check_names_each_defect(tmp_path):
    root = tree(tmp_path)
    train = root / LAYOUTS["distributed"]["Train"]
    for path in (train / "Sad").glob("[!.]*.png"):
        path.unlink()
    (train / "Fear" / "Airheads_Fear_00000005.png").write_bytes(png()[:40])
    (train / "Happy" / "Airheads_Angry_00000005.png").write_bytes(png())
    assert sfew.check(root) == [
        f"{root}: 13 Train faces, expected 891",
        f"{root}: Train: no face of the class Sad",
        f"{root}: Train: Airheads_Angry_00000005.png is in Angry and Happy",
        f"{train}/Fear/Airheads_Fear_00000005.png: cannot be read as a picture; restore it from the distribution",
        f"{root}: 14 Val faces, expected 431",
    ]


def test_check_names_a_missing_partition(tmp_path, capsys, monkeypatch):
    root = tree(tmp_path)
    (root / "Val" / "Val_Aligned_Faces_new").rename(tmp_path / "moved")
    monkeypatch.setattr(sys, "argv", ["check", "sfew", str(root)])
    assert cli.run(command.main) == EXIT_DIFFERS
    out = capsys.readouterr().out
    assert f"  {root}: 0 Val faces, expected 431\n2 problems\n" in out and "emotiwchallenge" in out


def test_a_simulated_corpus_is_measured_by_its_marker(tmp_path):
    root = tree(tmp_path)
    (root / layout.MARKER).write_text(json.dumps({"layout": "sfew", "train": 14, "val": 15}))
    assert sfew.read_simulation(root)["layout"] == "sfew"
    assert sfew.check(root) == [f"{root}: 14 Val faces, expected 15"]
    (root / layout.MARKER).write_text("{}")
    with pytest.raises(InputError, match=f"{root / layout.MARKER}: cannot be read"):
        sfew.check(root)
