"""The reader of AV+EC 2017 against trees in its layout, with the defects that copies of it have."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import avec2017

# as distributed: no header, `;`, quoted name, six decimals, a label every 0.1 s
LABELS = """\
'Train_01';0.000000;0.000000;0.000000;0.000000
'Train_01';0.100000;0.012300;-0.004500;0.000100
'Train_01';0.200000;0.024600;-0.009000;0.000200
'Train_01';0.300000;-1.000000;1.000000;0.000300
"""
HEADER = "name;timestamp;arousal;valence;liking\n"
VALUES = np.array([[0, 0, 0, 0], [0.1, 0.0123, -0.0045, 0.0001], [0.2, 0.0246, -0.009, 0.0002], [0.3, -1, 1, 0.0003]])


def label_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "Train_01.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def columns(labels: avec2017.Labels) -> np.ndarray:
    return np.stack([labels.time, labels.arousal, labels.valence, labels.liking], axis=1)


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


# label files


@pytest.mark.parametrize(
    "content",
    [
        LABELS,
        HEADER + LABELS,
        LABELS.replace(";", ","),
        (HEADER + LABELS).replace(";", ","),
        LABELS.replace("\n", "\r\n"),
        (HEADER + LABELS).replace("\n", "\r\n"),
        LABELS.replace("'", ""),
        LABELS.rstrip("\n"),
        LABELS + "\n\n",
        "\ufeff" + LABELS,
        "\ufeff" + HEADER + LABELS,
        HEADER.replace(";", " ; ") + LABELS.replace(";", "; "),
    ],
    ids=[
        "as distributed", "header of 2019", "commas", "commas and header", "CRLF", "CRLF and header", "no quotes",
        "no last line end", "blank lines at the end", "byte order mark", "byte order mark and header", "spaces",
    ],
)  # fmt: skip
def test_the_forms_of_a_label_file(tmp_path, content):
    np.testing.assert_array_equal(columns(avec2017.read_labels(label_file(tmp_path, content))), VALUES)


@given(st.lists(st.tuples(*[st.integers(-1_000_000, 1_000_000)] * 3), min_size=1, max_size=30))
def test_labels_of_six_decimals_are_read_to_the_last(tmp_path_factory, rows):
    values = np.array(rows) / 1e6
    lines = [f"'Train_01';{0.1 * k:.6f};{a:.6f};{v:.6f};{x:.6f}" for k, (a, v, x) in enumerate(values)]
    found = avec2017.read_labels(label_file(tmp_path_factory.getbasetemp(), "\n".join(lines)))
    np.testing.assert_allclose(columns(found)[:, 1:], values, atol=1e-9)
    np.testing.assert_allclose(found.time, np.arange(len(rows)) * 0.1, atol=1e-9)


def changed(line: int, old: str, new: str) -> str:
    lines = LABELS.splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    return "".join(lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LABELS.replace(";0.000100", ""), "line 2 has 4 fields separated by ';', expected name;timestamp;arousal;valence;liking"),
        (re.sub(r";[^;]*\n", "\n", LABELS), "line 1 has 4 fields"),
        (HEADER.replace(";liking", "") + re.sub(r";[^;]*\n", "\n", LABELS), "line 1"),
        (HEADER.replace("arousal;valence", "valence;arousal") + LABELS, "line 1"),
        (LABELS.replace(";", "\t"), "line 1 has 1 fields separated by ';'"),
        (LABELS.replace(".", ","), "line 1"),
        (changed(1, "0.012300", "NaN"), "line 2 holds NaN or infinity"),
        (changed(2, "-0.009000", "inf"), "line 3 holds NaN or infinity"),
        (changed(1, "0.012300", "?"), "line 2"),
        (changed(1, "0.012300", ""), "line 2"),
        (HEADER + changed(1, "0.012300", "loud"), "line 3"),
        (LABELS.replace("0.200000", "0.300000").replace("0.300000;-1", "0.400000;-1"), "after 0.1 s the next label is at 0.3 s"),
        ("".join(LABELS.splitlines(keepends=True)[2:]), "starts at 0.2 s, expected at 0"),
        (changed(1, "0.100000", "0.000000"), "after 0.0 s the next label is at 0.0 s"),
        (changed(2, "0.200000", "0.050000"), "after 0.1 s the next label is at 0.1 s"),
        (changed(3, "-1.000000", "-1.000001"), "line 4 has a label outside [-1, 1]"),
        (HEADER + changed(2, "0.024600", "24.6"), "line 4 has a label outside [-1, 1]"),
        ("", "is empty"),
        ("\n \r\n", "is empty"),
        (HEADER, "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff" * 10, "is no text file"),
        (LABELS.encode("utf-16"), "is no text file"),
    ],
    ids=[
        "a field missing", "a column missing", "a column missing, with header", "columns in another order", "tabs", "decimal commas",
        "NaN", "infinity", "question mark", "empty field", "word", "gap", "gap at the start", "time stands still", "time goes back",
        "below -1", "scaled by 1000", "no bytes", "blank lines", "header only", "binary", "UTF-16",
    ],
)  # fmt: skip
def test_a_defect_is_named_with_file_and_line(tmp_path, content, words):
    path = label_file(tmp_path, content)
    with pytest.raises(InputError) as caught:
        avec2017.read_labels(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and words in message and "\n" not in message


def test_lines_are_counted_as_an_editor_does(tmp_path):
    with pytest.raises(InputError, match="line 4 holds NaN"):
        avec2017.read_labels(label_file(tmp_path, "\n\n" + changed(1, "0.012300", "nan")))


def test_a_label_file_that_is_missing_or_a_folder(tmp_path):
    for path in (tmp_path / "Train_01.csv", tmp_path):
        with pytest.raises(InputError, match=re.escape(f"{path}: cannot be read")):
            avec2017.read_labels(path)


def test_the_released_labels_of_2019(real_data):
    """The German and Hungarian development partitions, with the header that they have there."""
    folder = real_data / "avec2019" / "Baseline_systems" / "CES" / "labels_devel"
    found = [avec2017.read_labels(path) for path in sorted(folder.rglob("*.csv"))]
    assert (len(found), sum(len(labels.time) for labels in found)) == (28, 40_032)
    assert {len(labels.time) for labels in found} >= {974, 1755, 1136, 1768}
    for labels in found:
        np.testing.assert_allclose(labels.time, np.arange(len(labels.time)) * avec2017.LABEL_HOP, atol=1e-6)


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
    path = label_file(tmp_path, content)
    with pytest.raises(InputError, match=re.escape(str(path))):
        avec2017.read_turns(path)


# recordings


def test_recordings_in_order_of_partitions_and_names(tmp_path):
    root = tree(tmp_path)
    assert [recording.name for recording in avec2017.recordings(root)] == ALL[: 34 + 14]
    assert [recording.name for recording in avec2017.recordings(root, ("Test", "Devel"))] == ALL[48:] + ALL[34:48]


def test_a_simulated_corpus_has_as_many_as_it_says(corpus):
    assert [recording.name for recording in avec2017.recordings(corpus)] == ["Train_01", "Train_02", "Devel_01"]
    with pytest.raises(InputError, match="no Test_NN recordings"):
        avec2017.recordings(corpus, ("Test",))


def test_a_recording_names_its_files(tmp_path):
    first = avec2017.recordings(tree(tmp_path))[0]
    assert first == avec2017.Recording(
        name="Train_01",
        partition="Train",
        audio=tmp_path / "audio" / "Train_01.wav",
        video=tmp_path / "video" / "Train_01.avi",
        labels=tmp_path / "labels" / "Train_01.csv",
        turns=tmp_path / "turns" / "Train_01.csv",
    )
    assert avec2017.missing(first) == []


def test_test_recordings_have_no_labels_and_miss_none(tmp_path):
    for recording in avec2017.recordings(tree(tmp_path), ("Test",)):
        assert recording.labels is None and avec2017.missing(recording) == []


def test_turns_are_no_must(tmp_path):
    first = avec2017.recordings(tree(tmp_path, folders=("audio", "video", "labels")))[0]
    assert first.turns is None and avec2017.missing(first) == []


def test_recordings_that_are_not_there_are_missed(tmp_path):
    """A replication on a part of the corpus would not be one: nothing is left out in silence."""
    root = tree(tmp_path, ("Train_01", "Devel_01"))
    found = avec2017.recordings(root)
    assert [recording.name for recording in found] == ALL[:48]
    assert sum(bool(avec2017.missing(recording)) for recording in found) == 48 - 2
    assert avec2017.count(root) == {"Train": 1, "Devel": 1, "Test": 0}


def test_a_recording_misses_each_file_that_is_needed(tmp_path):
    root = tree(tmp_path)
    (root / "audio" / "Train_02.wav").unlink()
    (root / "labels" / "Train_02.csv").unlink()
    second = avec2017.recordings(root)[1]
    assert second.name == "Train_02"
    assert avec2017.missing(second) == [f"{root}/audio/Train_02.wav: missing", f"{root}/labels/Train_02.csv: missing"]


def test_what_other_systems_leave_in_folders_is_no_recording(tmp_path):
    root = tree(tmp_path)
    for stray in ("audio/._Train_01.wav", "audio/Thumbs.db", "labels/readme.csv", "labels/.DS_Store"):
        (root / stray).touch()
    assert len(avec2017.recordings(root, ("Train", "Devel", "Test"))) == 64
    assert avec2017.count(root) == avec2017.PARTITIONS


def test_archives_unpack_into_a_folder_of_their_own(tmp_path):
    inner = tree(tmp_path / "AVEC_17_Emotion_Sub-Challenge")
    assert avec2017.locate(tmp_path) == avec2017.locate(inner) == inner
    assert avec2017.recordings(tmp_path) == avec2017.recordings(inner)


@pytest.mark.parametrize(
    "make",
    [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text("")],
    ids=["missing", "empty", "file"],
)
def test_a_folder_that_is_not_the_corpus(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "root"))):
        avec2017.recordings(tmp_path / "root")


def test_a_wrong_folder_says_what_is_expected_and_where_to_ask(tmp_path):
    (tmp_path / "ratings").mkdir()
    with pytest.raises(InputError, match="audio/, video/, labels/, turns/.*db.sewaproject.eu.*--corpus simulated"):
        avec2017.locate(tmp_path)


def test_a_partition_without_recordings(tmp_path):
    root = tree(tmp_path, ("Train_01", "Test_01"))
    with pytest.raises(InputError, match="no Devel_NN recordings"):
        avec2017.recordings(root)


# the marker of a simulated corpus


def test_simulated_and_other_corpora_are_told_apart(corpus, tmp_path):
    assert avec2017.simulation(corpus)["train"] == 2
    assert avec2017.simulation(tree(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_marker(tmp_path, content):
    (tree(tmp_path) / "simulated.json").write_bytes(content)
    with pytest.raises(InputError, match="simulated.json"):
        avec2017.simulation(tmp_path)


def test_simulated_labels_and_turns_are_read(corpus):
    for recording in avec2017.recordings(corpus):
        labels, turns = avec2017.read_labels(recording.labels), avec2017.read_turns(recording.turns)
        assert 50 <= len(labels.time) <= 70 and turns[-1, 1] <= labels.time[-1] + 1.01 * avec2017.LABEL_HOP


def test_chats_are_pairs_of_one_length():
    assert avec2017.chats({"Devel_01": 90, "Devel_02": 70, "Devel_03": 71, "Devel_04": 90}) == {
        "Devel_01": "01-04",
        "Devel_02": "02-03",
        "Devel_03": "02-03",
        "Devel_04": "01-04",
    }
    with pytest.raises(ValueError, match="not unique"):
        avec2017.chats({f"Devel_{number:02}": 90 for number in range(1, 5)})


def test_the_german_recordings_of_the_challenge_pair_up(real_data):
    """Those of 2019 are those of 2017."""
    from datasets import avec2019

    labels = avec2019.read_public(real_data / "avec2019").labels
    german = {name: len(values.time) for name, values in labels.items() if "_DE_" in name}
    assert len(german) == 14 and len(set(avec2017.chats(german).values())) == 7
