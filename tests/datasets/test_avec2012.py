"""The reader of AVEC 2012 against trees in its two layouts, with the defects that copies of it have."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from datasets import avec2012, traces

# layout -> label folder, the video's folder (a guess in both), the name of the test set
LAYOUTS = {
    "organisers": ("audio/{set}/labels", "video/{set}", "tests"),
    "organisers, one folder of videos": ("audio/{set}/labels", "", "tests"),
    "participants": ("emotion labels/{set}/FC_{set}_labels", "recordings/video/{set}", "test"),
}
ALL = [f"{partition}_{n:03d}" for partition, count in avec2012.PARTITIONS.items() for n in range(1, count + 1)]
layouts = pytest.mark.parametrize("layout", LAYOUTS)


def tree(root: Path, layout: str = "organisers", names=tuple(ALL), test_labels: bool = True) -> Path:
    """Sessions of three labels and a video without content, which the reader of sessions does not open."""
    labels, video, test = LAYOUTS[layout]
    for name in names:
        partition, number = name.split("_")
        set_name = test if partition == "test" else partition
        folders = [root / pattern.format(set=set_name) for pattern in (labels, video)]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        (folders[1] / f"{set_name}_video{number}.avi").touch()
        if partition != "test" or test_labels:
            for target in ("arousal", "expectancy", "power", "valence"):
                (folders[0] / f"labels_continuous_{set_name}{number}_{target}.dat").write_text("0.1\n0.2\n-0.3\n")
    return root


def recording(folder: Path, arousal: str, valence: str) -> traces.Recording:
    labels = {"arousal": folder / "a.dat", "valence": folder / "v.dat"}
    for path, content in zip(labels.values(), (arousal, valence)):
        path.write_bytes(content.encode())
    return traces.Recording("train_001", "train", folder / "train_video001.avi", labels)


# sessions


@layouts
def test_all_sessions_of_a_whole_copy_are_there_and_read(tmp_path, layout):
    root = tree(tmp_path, layout)
    found = avec2012.list_recordings(root)
    assert [one.name for one in found] == ALL and not any(map(traces.list_missing, found))
    assert avec2012.count(root) == avec2012.count_expected(root) == {"train": 31, "devel": 32, "test": 32}
    for one in (found[0], found[40], found[-1]):
        assert one.partition == one.name.split("_")[0] and one.name[-3:] in one.video.stem
        labels = avec2012.read_labels(one)
        np.testing.assert_array_equal(labels.arousal, [0.1, 0.2, -0.3])
        np.testing.assert_allclose(labels.time, [0, 1 / 49.979, 2 / 49.979])


@layouts
def test_archives_unpack_into_a_folder_of_their_own(tmp_path, layout):
    inner = tree(tmp_path / "avec2012", layout, ("train_001",))
    assert avec2012.locate(tmp_path) == avec2012.locate(inner) == inner


def test_sessions_in_order_of_partitions(tmp_path):
    root = tree(tmp_path)
    assert [one.name for one in avec2012.list_recordings(root, ("devel", "train"))] == ALL[31:63] + ALL[:31]


@layouts
def test_a_session_that_is_missing_is_named(tmp_path, layout):
    root = tree(tmp_path, layout, tuple(name for name in ALL if name != "train_024"))
    lacking = [one for one in avec2012.list_recordings(root) if traces.list_missing(one)]
    assert [one.name for one in lacking] == ["train_024"]
    folder = root / LAYOUTS[layout][0].format(set="train")
    assert [line.endswith(": missing") for line in traces.list_missing(lacking[0])] == [True] * 3
    assert f"{folder}/labels_continuous_train024_valence.dat: missing" in traces.list_missing(lacking[0])
    assert avec2012.count(root)["train"] == 30


def test_a_label_file_that_is_missing_is_named(tmp_path):
    root = tree(tmp_path)
    path = root / "audio" / "devel" / "labels" / "labels_continuous_devel031_valence.dat"
    path.unlink()
    assert traces.list_missing(avec2012.list_recordings(root, ("devel",))[30]) == [f"{path}: missing"]


@layouts
def test_the_test_partition_may_have_no_labels(tmp_path, layout):
    root = tree(tmp_path, layout, test_labels=False)
    found = avec2012.list_recordings(root, ("test",))
    assert len(found) == 32 and not any(one.labels for one in found) and not any(map(traces.list_missing, found))
    with pytest.raises(InputError, match="test_001: has no labels"):
        avec2012.read_labels(found[0])


def test_a_copy_without_the_test_partition(tmp_path):
    root = tree(tmp_path, names=ALL[:63])
    assert [one.name for one in avec2012.list_recordings(root)] == ALL[:63]


def test_a_copy_without_training_sessions_is_refused(tmp_path):
    root = tree(tmp_path, names=ALL[31:])
    with pytest.raises(InputError, match=f"{root}: no recordings of the partition train"):
        avec2012.list_recordings(root)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_videos_in_another_container(tmp_path, suffix):
    root = tree(tmp_path, names=("train_001", "train_002"))
    folder = root / "video" / "train"
    (folder / "train_video002.avi").rename(folder / f"train_video002.{suffix}")
    (folder / f"train_video001.{suffix}").touch()
    videos = [one.video.name for one in avec2012.list_recordings(root, ("train",))[:2]]
    assert videos == ["train_video001.avi", f"train_video002.{suffix}"]  # the original rather than a copy


def test_videos_behind_a_link(tmp_path):
    root = tree(tmp_path / "corpus", names=("train_001",))
    (root / "video").rename(tmp_path / "elsewhere")
    (root / "films").symlink_to(tmp_path / "elsewhere")
    assert avec2012.list_recordings(root, ("train",))[0].video == root / "films" / "train" / "train_video001.avi"


def test_what_other_systems_leave_in_folders_is_no_session(tmp_path):
    root = tree(tmp_path, names=("train_001",))
    for stray in ("video/train/._train_video002.avi", "video/train/train_video003.avi.part", "train_video4.avi"):
        (root / stray).touch()
    assert avec2012.count(root) == {"train": 1, "devel": 0, "test": 0}


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()], ids=["missing", "empty"])
def test_a_wrong_folder(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'root'}: ")):
        avec2012.list_recordings(tmp_path / "root")


# labels


@pytest.mark.parametrize(
    "content",
    ["0.5\n-1\n0.25\n", "0.5\r\n-1.0\r\n0.25\r\n", " 0.5 \n-1e0\n 0.25", "\ufeff0.5\n-1\n0.25\n\n"],
    ids=["as distributed", "CRLF", "spaces", "byte order mark, blank line"],
)
def test_the_forms_of_a_label_file(tmp_path, content):
    np.testing.assert_array_equal(avec2012.read_labels(recording(tmp_path, content, content)).valence, [0.5, -1, 0.25])


def test_traces_that_differ_by_up_to_a_second_are_cropped(tmp_path):
    labels = avec2012.read_labels(recording(tmp_path, "0.1\n" * 100, "0.2\n" * 149))
    assert labels.time.shape == labels.arousal.shape == labels.valence.shape == (100,)
    with pytest.raises(InputError, match="a.dat: has 100 labels, v.dat 150"):
        avec2012.read_labels(recording(tmp_path, "0.1\n" * 100, "0.2\n" * 150))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("0.1\nHELLO\n", "line 2, column label: 'HELLO' is no number"),
        ("0.1\n0.2 0.3\n", "line 2, column label: '0.2 0.3' is no number"),
        ("0.1\n\n0,2\n", "line 3 has 2 fields"),
        ("0.1\nnan\n", "NaN or infinity, first in line 2"),
        ("0.1\n1.01\n", "a value outside"),
        ("", "is empty"),
    ],
    ids=["word", "two numbers", "decimal comma", "NaN", "outside", "empty"],
)
def test_a_defect_is_named_with_its_file(tmp_path, content, words):
    for contents in ((content, "0.1\n"), ("0.1\n", content)):
        with pytest.raises(InputError) as caught:
            avec2012.read_labels(recording(tmp_path, *contents))
        path = tmp_path / ("a.dat" if contents[0] == content else "v.dat")
        assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)
