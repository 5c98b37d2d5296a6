"""The reader of AV+EC 2017 against trees in its layout, with the defects that copies of it have."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from datasets import avec2017, sewa

ALL = [
    f"{partition}_{number:02d}" for partition, count in avec2017.PARTITIONS.items() for number in range(1, count + 1)
]


def tree(root: Path, stems=tuple(ALL), folders=("audio", "video", "labels", "turns")) -> Path:
    """Files without content; the reader of recordings does not open them. Test labels are not released."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for stem in stems:
            if folder != "labels" or not stem.startswith("Test"):
                (root / folder / f"{stem}{avec2017.FOLDERS[folder]}").touch()
    return root


# turn files


def test_turns(tmp_path):
    (tmp_path / "Train_01.csv").write_text("0.500;2.250\n3.000;3.000\r\n10.1;12\n")
    np.testing.assert_array_equal(avec2017.read_turns(tmp_path / "Train_01.csv"), [[0.5, 2.25], [3, 3], [10.1, 12]])


@pytest.mark.parametrize(
    "content",
    ["", "0.5\n", "0.5;1.0;2.0\n", "0.5;1.0\n2.0\n", "2.0;1.0\n", "start;end\n0;1\n", "0.5\t1.0\n", "0.5;nan\n"],
    ids=["empty", "one field", "three fields", "ragged", "end before start", "header", "tabs", "NaN"],
)
def test_turns_that_are_none(tmp_path, content):
    path = tmp_path / "Train_01.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        avec2017.read_turns(path)


# recordings


def test_recordings_in_order_of_partitions_and_names(tmp_path):
    root = tree(tmp_path)
    assert [recording.name for recording in avec2017.list_recordings(root)] == ALL[: 34 + 14]
    assert [recording.name for recording in avec2017.list_recordings(root, ("Test", "Devel"))] == ALL[48:] + ALL[34:48]


def test_a_simulated_corpus_has_as_many_as_it_says(corpus):
    assert [recording.name for recording in avec2017.list_recordings(corpus)] == ["Train_01", "Train_02", "Devel_01"]
    with pytest.raises(InputError, match="no recordings of the partition Test"):
        avec2017.list_recordings(corpus, ("Test",))


def test_a_recording_names_its_files(tmp_path):
    first = avec2017.list_recordings(tree(tmp_path))[0]
    assert first == avec2017.Recording(
        name="Train_01",
        partition="Train",
        audio=tmp_path / "audio" / "Train_01.wav",
        video=tmp_path / "video" / "Train_01.avi",
        labels=tmp_path / "labels" / "Train_01.csv",
        turns=tmp_path / "turns" / "Train_01.csv",
    )
    assert avec2017.list_missing(first) == []


def test_test_recordings_have_no_labels_and_miss_none(tmp_path):
    for recording in avec2017.list_recordings(tree(tmp_path), ("Test",)):
        assert recording.labels is None and avec2017.list_missing(recording) == []


def test_turns_are_no_must(tmp_path):
    first = avec2017.list_recordings(tree(tmp_path, folders=("audio", "video", "labels")))[0]
    assert first.turns is None and avec2017.list_missing(first) == []


def test_recordings_that_are_not_there_are_missed(tmp_path):
    """A replication on a part of the corpus would not be one: nothing is left out in silence."""
    root = tree(tmp_path, ("Train_01", "Devel_01"))
    found = avec2017.list_recordings(root)
    assert [recording.name for recording in found] == ALL[:48]
    assert sum(bool(avec2017.list_missing(recording)) for recording in found) == 48 - 2
    assert avec2017.count(root) == {"Train": 1, "Devel": 1, "Test": 0}


def test_a_recording_misses_each_file_that_is_needed(tmp_path):
    root = tree(tmp_path)
    (root / "audio" / "Train_02.wav").unlink()
    (root / "labels" / "Train_02.csv").unlink()
    second = avec2017.list_recordings(root)[1]
    assert second.name == "Train_02"
    assert avec2017.list_missing(second) == [
        f"{root}/audio/Train_02.wav: missing",
        f"{root}/labels/Train_02.csv: missing",
    ]


def test_what_other_systems_leave_in_folders_is_no_recording(tmp_path):
    root = tree(tmp_path)
    for stray in ("audio/._Train_01.wav", "audio/Thumbs.db", "labels/readme.csv", "labels/.DS_Store"):
        (root / stray).touch()
    assert len(avec2017.list_recordings(root, ("Train", "Devel", "Test"))) == 64
    assert avec2017.count(root) == avec2017.PARTITIONS


def test_archives_unpack_into_a_folder_of_their_own(tmp_path):
    inner = tree(tmp_path / "AVEC_17_Emotion_Sub-Challenge")
    assert avec2017.locate(tmp_path) == avec2017.locate(inner) == inner
    assert avec2017.list_recordings(tmp_path) == avec2017.list_recordings(inner)


@pytest.mark.parametrize(
    "make",
    [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text("")],
    ids=["missing", "empty", "file"],
)
def test_a_folder_that_is_not_the_corpus(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "root"))):
        avec2017.list_recordings(tmp_path / "root")


def test_a_wrong_folder_says_what_is_expected_and_where_to_ask(tmp_path):
    (tmp_path / "ratings").mkdir()
    with pytest.raises(InputError, match="audio/, video/, labels/, turns/.*db.sewaproject.eu.*--corpus simulated"):
        avec2017.locate(tmp_path)


def test_a_partition_without_recordings(tmp_path):
    root = tree(tmp_path, ("Train_01", "Test_01"))
    with pytest.raises(InputError, match="no recordings of the partition Devel"):
        avec2017.list_recordings(root)


# the marker of a simulated corpus


def test_simulated_and_other_corpora_are_told_apart(corpus, tmp_path):
    assert avec2017.read_simulation(corpus)["train"] == 2
    assert avec2017.read_simulation(tree(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_marker(tmp_path, content):
    (tree(tmp_path) / "simulated.json").write_bytes(content)
    with pytest.raises(InputError, match="simulated.json"):
        avec2017.read_simulation(tmp_path)


def test_simulated_labels_and_turns_are_read(corpus):
    for recording in avec2017.list_recordings(corpus):
        labels, turns = sewa.read_labels(recording.labels), avec2017.read_turns(recording.turns)
        assert 50 <= len(labels.time) <= 70 and turns[-1, 1] <= labels.time[-1] + 1.01 * sewa.LABEL_HOP
