"""The reader of AFEW against trees in its layouts, with the defects that copies of it have or may have."""

import json
import re
import sys
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import EXIT_DIFFERS, InputError
from common.running import cli
from datasets import afew, afew_files, layout
from datasets import check as command

# layout -> folders of the videos, of Faces and Points, and of the audio features, for each partition
DISTRIBUTED = {
    "Train": ("Train_AFEW", "Train_AFEW/AlignedFaces_LBPTOP_Points", "Train/Train_Audio_Feat/Train"),
    "Val": ("Val_AFEW", "Val_AFEW/AlignedFaces_LBPTOP_Points_Val", "Val/Val_Audio_Feat/ExpressionWise"),
    "Test": ("Test_AFEW", "Test_AFEW/AlignedFaces_LBPTOP_Points_Test", "Test/Test_Audio_Feat/Test"),
}
NESTED = {
    "Train": ("Train/Train", "Train/AlignedFaces_LBPTOP_Points/AlignedFaces_LBPTOP_Points", "Train_Audio_Feat/Train"),
    "Val": ("Val", "Val/AlignedFaces_LBPTOP_Points_Val/A/B", "Val/Val_Audio_Feat/Val_Audio_Feat/ExpressionWise"),
    "Test": ("Test_Vid_Distr/Data", "Test_Vid_Distr/AlignedFaces_LBPTOP_Points", "Test/Test_Audio_Feat/Test"),
}
LAYOUTS = {"distributed": DISTRIBUTED, "nested": NESTED}
layouts = pytest.mark.parametrize("layout", LAYOUTS)
NAMES = {label: f"00004{i}280" for i, label in enumerate(afew.CLASSES)}  # the same names in all partitions
SHAPE = np.arange(98.0).reshape(49, 2)
ARFF = "@relation x\n\n@attribute name string\n@attribute F0_mean numeric\n@attribute 'loud ness' real\n\n@data\n"


@lru_cache(maxsize=1)
def avi() -> bytes:
    """A video of five frames, 25 per second."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "clip.avi"))
        film = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 25, (32, 32))
        for level in range(5):
            film.write(np.full((32, 32, 3), 40 * level, np.uint8))
        film.release()
        return Path(path).read_bytes()


@lru_cache(maxsize=1)
def jpeg() -> bytes:
    return cv2.imencode(".jpg", np.full((8, 8, 3), (10, 100, 200), np.uint8))[1].tobytes()


def put(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def row(*numbers) -> str:
    return " ".join(f"{number:g}" for number in numbers) + "\n"


def tree(root: Path, layout=DISTRIBUTED, by_class: bool = False, video: bytes = b"") -> Path:
    """A clip of each class in each partition, frames 1, 2 and 4 of which have a face and points."""
    for partition, (videos, aligned, features) in layout.items():
        for label, name in NAMES.items():
            sub = "" if partition == "Test" else label
            inner = label if by_class else ""
            put(root / videos / sub / f"{name}.avi", video)
            for number in (1, 2, 4):
                put(root / aligned / "Faces" / inner / name / f"{number:03d}.jpg", jpeg())
            put(root / aligned / "LBPTOP" / f"{name}.mat")
            points = "".join(row(number, *(SHAPE.ravel() + number)) for number in (1, 2, 4))
            put(root / aligned / "Points" / inner / f"{name}.txt", points)
            put(root / features / sub / f"{name}.arff", f"{ARFF}'{name}',1.5,-2\n")
    return root


# clips


@layouts
@pytest.mark.parametrize("by_class", [False, True], ids=["flat", "by class"])
def test_all_files_of_all_clips_are_found(tmp_path, layout, by_class):
    root = tree(tmp_path, LAYOUTS[layout], by_class)
    clips = afew.list_recordings(root)
    assert [one.name for one in clips] == [f"{p}/{name}" for p in afew.PARTITIONS for name in sorted(NAMES.values())]
    assert [one.label for one in clips] == [*afew.CLASSES, *afew.CLASSES, *[None] * 7]
    for one in clips:
        name = one.name.split("/")[1]
        videos, aligned, features = (root / folder for folder in LAYOUTS[layout][one.partition])
        assert one.video.name == f"{name}.avi" and one.video.is_relative_to(videos)
        assert [face.name for face in one.faces] == ["001.jpg", "002.jpg", "004.jpg"]
        assert all(face.is_relative_to(aligned / "Faces") and face.parent.name == name for face in one.faces)
        assert one.points.is_relative_to(aligned / "Points") and one.points.stem == name
        assert one.audio_features.is_relative_to(features) and one.audio_features.stem == name
    frames, points = afew_files.read_points(clips[0])
    assert frames.tolist() == [0, 1, 3] and np.array_equal(points, SHAPE + np.array([1, 2, 4])[:, None, None])


@layouts
def test_archives_unpack_into_a_folder_of_their_own(tmp_path, layout):
    inner = tree(tmp_path / "EmotiW2015", LAYOUTS[layout])
    assert afew.locate(tmp_path) == afew.locate(inner) == inner
    assert len(afew.list_recordings(tmp_path)) == 21


def test_faces_in_a_folder_named_as_in_other_copies(tmp_path):
    tree(tmp_path)
    aligned = tmp_path / "Train_AFEW" / "AlignedFaces_LBPTOP_Points"
    (aligned / "Faces").rename(tmp_path / "Train" / "Train_Aligned_Faces")
    assert all(len(one.faces) == 3 for one in afew.list_recordings(tmp_path))


def test_a_class_folder_in_the_test_partition_is_its_label(tmp_path):
    tree(tmp_path)
    path = tmp_path / "Test_AFEW" / f"{NAMES['Sad']}.avi"
    put(path.parent / "Sad" / path.name)
    path.unlink()
    assert [one.label for one in afew.list_recordings(tmp_path)[14:]] == [None] * 5 + ["Sad", None]


def test_faces_in_the_order_of_their_frames(tmp_path):
    tree(tmp_path)
    folder = tmp_path / "Train_AFEW" / "AlignedFaces_LBPTOP_Points" / "Faces" / NAMES["Angry"]
    for name in ("1000.jpg", "frame_010.JPG", "99.png", "._001.jpg", "Thumbs.db"):
        put(folder / name)
    faces = afew.list_recordings(tmp_path)[0].faces
    assert [face.name for face in faces] == ["001.jpg", "002.jpg", "004.jpg", "frame_010.JPG", "99.png", "1000.jpg"]
    assert [afew_files.read_frame_number(face) for face in faces] == [0, 1, 3, 9, 98, 999]


def test_what_other_systems_leave_in_folders_is_no_clip(tmp_path):
    tree(tmp_path)
    for stray in ("Train_AFEW/Angry/._000041280.avi", "Train_AFEW/Angry/1.avi.part", "Val_AFEW/__MACOSX/Sad/1.avi"):
        put(tmp_path / stray)
    assert len(afew.list_recordings(tmp_path)) == 21


def test_folders_behind_links_and_links_in_circles(tmp_path):
    tree(tmp_path / "disk")
    (tmp_path / "afew").mkdir()
    (tmp_path / "afew" / "Train_AFEW").symlink_to(tmp_path / "disk" / "Train_AFEW")
    (tmp_path / "afew" / "Val_AFEW").symlink_to(tmp_path / "disk" / "Val_AFEW")
    (tmp_path / "disk" / "Train_AFEW" / "again").symlink_to(tmp_path / "disk" / "Train_AFEW")
    clips = afew.list_recordings(tmp_path / "afew")
    assert len(clips) == 14 and all(one.video.is_relative_to(tmp_path / "afew") and one.faces for one in clips)


def test_folders_deeper_than_archives_nest_them_are_not_searched(tmp_path):
    tree(tmp_path)
    put(tmp_path / "Train_AFEW/a/b/c/Sad/000000001.avi")
    put(tmp_path / "Train_AFEW/a/b/Sad/000000002.avi")
    assert [one.name for one in afew.list_recordings(tmp_path) if "/0000000" in one.name] == ["Train/000000002"]


def test_a_clip_without_faces_points_or_features(tmp_path):
    put(tmp_path / "Train_AFEW/Happy/000000001.avi")
    put(tmp_path / "Val_AFEW/Happy/000000001.avi")
    (tmp_path / "Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces/000000001").mkdir(parents=True)
    for one in afew.list_recordings(tmp_path):
        assert (one.faces, one.points, one.audio_features, one.label) == ((), None, None, "Happy")
        with pytest.raises(InputError, match=f"{one.video}: the clip has no points"):
            afew_files.read_points(one)


def test_a_clip_in_two_classes_is_refused(tmp_path):
    tree(tmp_path)
    first = tmp_path / "Val_AFEW" / "Fear" / f"{NAMES['Fear']}.avi"
    second = put(tmp_path / "Val_AFEW" / "Sad" / first.name)
    with pytest.raises(InputError) as caught:
        afew.list_recordings(tmp_path)
    assert str(caught.value) == f"{first}: is in the class Fear, {second} in Sad; keep the right one of the two"


def test_two_copies_of_a_clip_are_one(tmp_path):
    tree(tmp_path)
    put(tmp_path / "Train" / "Fear" / f"{NAMES['Fear']}.avi")
    one = afew.list_recordings(tmp_path)[2]
    assert one.video == tmp_path / "Train_AFEW" / "Fear" / f"{NAMES['Fear']}.avi" and one.label == "Fear"


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("Train_AFEW/Contempt/000000001.avi", "lies in none of the folders Angry, "),
        ("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000040280/face.jpg", "is no frame number"),
        ("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000040280/001 (1).jpg", "is no frame number"),
        ("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000040280/000.jpg", "is no frame number"),
        ("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/000040280/1.jpg", "is of the same frame as 001.jpg"),
    ],
)
def test_what_would_confuse_clips_is_refused_and_named(tmp_path, stray, words):
    path = put(tree(tmp_path) / stray)
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: .*{words}"):
        afew.list_recordings(tmp_path)


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()], ids=["missing", "empty"])
def test_a_wrong_folder(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=f"{tmp_path / 'root'}: "):
        afew.list_recordings(tmp_path / "root")


def test_the_message_for_another_corpus_says_what_is_missing_and_where_to_ask(tmp_path):
    put(tmp_path / "audio" / "Train_01.wav")
    with pytest.raises(InputError, match=r"not the layout of AFEW \(Train_AFEW/ or Train/, .*emotiwchallenge"):
        afew.locate(tmp_path)


@pytest.mark.parametrize("gone", ["Train", "Val"])
def test_a_copy_without_a_partition_is_refused_unless_it_is_the_test(tmp_path, gone):
    for name in {"Train", "Val"} - {gone}:
        put(tmp_path / f"{name}_AFEW/Happy/000000001.avi")
    with pytest.raises(InputError, match=f"no clips of the partition {gone}; see `python -m datasets.check afew"):
        afew.list_recordings(tmp_path)
    put(tmp_path / f"{gone}_AFEW/Happy/000000001.avi")
    assert len(afew.list_recordings(tmp_path)) == 2


# labels of the test partition


@pytest.mark.parametrize(
    "content",
    [
        "name,Class\n000041280,Angry\n000042280,Sad\n",
        "000041280 Angry\r\n\r\n000042280\tSad",
        "\ufeffFilename Emotion\n000041280.avi; Angry\n000042280.avi; Sad\n",
    ],
    ids=["header", "spaces", "byte order mark"],
)
def test_the_forms_of_test_labels(tmp_path, content):
    labels = afew.read_test_labels(put(tmp_path / "labels.txt", content))
    assert labels == {"000041280": "Angry", "000042280": "Sad"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,Class\n1,Angry\n2,angry\n", "line 3: 'angry' is none of Angry, Disgust"),
        ("000041280,Contempt\n", "line 1: 'Contempt' is none of"),
        ("1,Angry\n2,Sad\n1,Angry\n", "line 3: clip 1 comes twice"),
        ("1,Angry,0.7\n", "line 1 has 3 fields"),
        ("1\n", "line 1 has 1 fields"),
        ("name,Class\n", "is empty below its header"),
        ("", "is empty"),
    ],
)
def test_other_test_labels_are_refused(tmp_path, content, words):
    path = put(tmp_path / "labels.txt", content)
    with pytest.raises(InputError, match=re.escape(f"{path}: {words}")):
        afew.read_test_labels(path)


# check


@pytest.fixture
def seven(monkeypatch):
    monkeypatch.setattr(afew, "COUNTS", dict.fromkeys(afew.PARTITIONS, 7))


@layouts
def test_a_whole_corpus_is_complete(tmp_path, seven, layout, capsys, monkeypatch):
    root = tree(tmp_path, LAYOUTS[layout], video=avi())
    monkeypatch.setattr(sys, "argv", ["check", "afew", str(root)])
    assert cli.run(command.main) == 0
    counted = "7 Train clips, 7 Val clips, 7 Test clips, 0 clips without a face"
    assert capsys.readouterr() == (f"{root}: afew: {counted}\ncomplete\n", "")


def test_check_compares_with_the_published_counts(tmp_path):
    root = tree(tmp_path, video=avi())
    counts = {"Train": 723, "Val": 383, "Test": 539}
    assert afew.check(root) == [f"{root}: 7 {name} clips, expected {total}" for name, total in counts.items()]


def test_check_says_what_a_copy_lacks(tmp_path, seven):
    """Each defect is one line."""
    root = tree(tmp_path, video=avi())
    train, val = root / "Train_AFEW", root / "Val_AFEW"
    faces, points = (train / "AlignedFaces_LBPTOP_Points" / kind for kind in ("Faces", "Points"))
    (val / "Sad" / f"{NAMES['Sad']}.avi").unlink()
    for number in (1, 2, 4):
        (faces / NAMES["Fear"] / f"{number:03d}.jpg").unlink()
    (points / f"{NAMES['Happy']}.txt").unlink()
    put(points / f"{NAMES['Angry']}.txt", row(*range(97)))
    put(points / "000099999.txt", row(*range(98)))
    put(train / "Disgust" / f"{NAMES['Disgust']}.avi", b"text")
    features = root / "Test" / "Test_Audio_Feat" / "Test"
    for name in NAMES.values():
        (features / f"{name}.arff").unlink()
    sad, aligned = NAMES["Sad"], val / "AlignedFaces_LBPTOP_Points_Val"
    found = afew.check(root)
    expected = [
        f"{root}: 1 Train clips without a face: {NAMES['Fear']}",
        f"{root}: 1 Train clips without points: {NAMES['Happy']}",
        f"{root}: 6 Val clips, expected 7",
        f"{val}: no clip of the class Sad",
        f"{root}: 7 Test clips without audio features: all of them",
        f"{points}/000099999.txt: points of a clip without video",
        f"{aligned}/Faces/{sad}: faces of a clip without video",
        f"{aligned}/Points/{sad}.txt: points of a clip without video",
        f"{root}/Val/Val_Audio_Feat/ExpressionWise/Sad/{sad}.arff: audio features of a clip without video",
    ]
    assert found[:9] == expected and len(found) == 11
    assert found[9].startswith(f"{points}/{NAMES['Angry']}.txt: line 1 holds 48 landmarks")
    assert found[10].startswith(f"{train}/Disgust/{NAMES['Disgust']}.avi: cannot be read as video")
    assert afew.count(root) == {"Train clips": 7, "Val clips": 6, "Test clips": 7, "clips without a face": 1}


def test_check_lists_what_recordings_refuses(tmp_path, seven):
    root = tree(tmp_path, video=avi())
    put(root / "Train_AFEW" / "Sad" / f"{NAMES['Fear']}.avi", avi())
    put(root / "Train_AFEW" / "AlignedFaces_LBPTOP_Points" / "Faces" / NAMES["Sad"] / "face.jpg")
    problems = afew.check(root)
    assert len(problems) == 2 and "is in the class Fear" in problems[0] and "no frame number" in problems[1]


def test_check_names_missing_partitions(tmp_path, seven, capsys, monkeypatch):
    tree(tmp_path, {"Train": DISTRIBUTED["Train"]}, video=avi())
    missing = ["no folder Val_AFEW or Val", "no folder Test_AFEW or Test_Vid_Distr or Test"]
    monkeypatch.setattr(sys, "argv", ["check", "afew", str(tmp_path)])
    assert cli.run(command.main) == EXIT_DIFFERS
    out = capsys.readouterr().out
    assert all(f"  {tmp_path}: {words}\n" in out for words in missing)
    assert "\n2 problems\n" in out and "emotiwchallenge" in out


def test_a_simulated_corpus_is_measured_by_its_marker(tmp_path):
    root = tree(tmp_path, video=avi())
    put(root / layout.MARKER, json.dumps({"layout": "afew", "seed": 3, "train": 7, "val": 7, "test": 8}))
    assert afew.read_simulation(root)["seed"] == 3 and afew.count_expected(root) == {"Train": 7, "Val": 7, "Test": 8}
    assert afew.check(root) == [f"{root}: 7 Test clips, expected 8"]


def test_hidden_people_of_a_simulated_corpus_are_no_problem_lost_faces_are(tmp_path):
    root = tree(tmp_path, video=avi())
    put(root / layout.MARKER, json.dumps({"train": 7, "val": 7, "test": 7}))
    aligned = root / "Train_AFEW" / "AlignedFaces_LBPTOP_Points"
    (aligned / "Faces" / NAMES["Fear"]).rename(tmp_path / "moved")
    assert afew.check(root) == [f"{root}: 1 Train clips without a face: {NAMES['Fear']}"]
    (aligned / "Points" / f"{NAMES['Fear']}.txt").unlink()
    assert afew.check(root) == [] and afew.count(root)["clips without a face"] == 1


@pytest.mark.parametrize("content", ["{}", "text", "[]", '{"train": 1, "val": "x", "test": 1}'])
def test_a_broken_marker_is_named(tmp_path, content):
    put(tree(tmp_path) / layout.MARKER, content)
    with pytest.raises(InputError, match=f"{tmp_path / layout.MARKER}: cannot be read"):
        afew.list_recordings(tmp_path)


def test_a_simulated_corpus_may_have_no_validation(tmp_path):
    put(tmp_path / layout.MARKER, json.dumps({"train": 1, "val": 0, "test": 0}))
    put(tmp_path / "Train_AFEW" / "Sad" / "000000001.avi", avi())
    assert [one.name for one in afew.list_recordings(tmp_path)] == ["Train/000000001"]
    assert afew.check(tmp_path) == [f"{tmp_path}: 1 Train clips without audio features: all of them"]
