"""The reader of AVEC 2019 CES against trees in its layout."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import avec2019, openface, sewa

STEMS = [
    f"{partition}_{culture}_{number:02d}"
    for partition, count in (("Train", 34), ("Devel", 14))
    for culture in ("DE", "HU")
    for number in range(1, count + 1)
]
FOLDERS = {"audio": ".wav", "video": ".avi", "labels": ".csv"}

# the dialects in which the challenge's features come, all with the same numbers
VALUES = np.array([[1.5, -2.25, 0.001], [0, 12, 3.5], [-7, 0.125, 1e-3], [4, 5, 6]], np.float32)
TIME = np.array([0, 0.1, 0.2, 0.3])


def rows(separator: str, quote: str = "'", time: bool = True) -> str:
    lead = [f"{quote}Train_DE_01{quote}{separator}{t:.2f}{separator}" if time else "" for t in TIME]
    return "".join(a + separator.join(f"{x:g}" for x in row) + "\n" for a, row in zip(lead, VALUES))


LLD = "name;frameTime;Loudness_sma3;F0_sma3nz;AU01_r\n" + rows(";")
DEEP = "name,timeStamp,neuron_0,neuron_1,neuron_2\n" + rows(",", quote="")
DIALECTS = {
    "low-level descriptors": (LLD, ("Loudness_sma3", "F0_sma3nz", "AU01_r")),
    "functionals and bags": (rows(";"), ()),
    "DeepSpectrum": (DEEP, ("neuron_0", "neuron_1", "neuron_2")),
    "deep visual features": (rows(",", time=False), ()),
    "CRLF": (LLD.replace("\n", "\r\n"), ("Loudness_sma3", "F0_sma3nz", "AU01_r")),
    "byte order mark, spaces, blank last line": (
        "\ufeff" + LLD.replace(";", " ; ") + "\n",
        ("Loudness_sma3", "F0_sma3nz", "AU01_r"),
    ),
}


def feature_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "Train_DE_01.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def tree(root: Path, stems=tuple(STEMS), folders=(*FOLDERS, "audio_features_egemaps", "visual_features")) -> Path:
    """Files without content; the reader of recordings does not open them."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for stem in stems:
            (root / folder / f"{stem}{FOLDERS.get(folder, '.csv')}").touch()
    return root


def labels(length: int) -> sewa.Labels:
    return sewa.Labels(np.arange(length) * 0.1, *np.random.default_rng(0).uniform(-1, 1, (3, length)))


# feature files


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_dialects_of_a_feature_file(tmp_path, dialect):
    content, columns = DIALECTS[dialect]
    table = avec2019.read_features(feature_file(tmp_path, content))
    np.testing.assert_array_equal(table.values, VALUES)
    assert table.values.dtype == np.float32 and table.columns == columns
    if dialect == "deep visual features":
        assert table.time is None
    else:
        np.testing.assert_array_equal(table.time, TIME)


@given(
    st.sampled_from([(";", True), (";", False), (",", True)]), st.integers(1, 20), st.integers(1, 8), st.integers(0, 99)
)
def test_a_file_is_read_as_it_was_written(tmp_path_factory, dialect, length, width, seed):
    (separator, header), rng = dialect, np.random.default_rng(seed)
    values = rng.normal(size=(length, width)).astype(np.float32)
    lines = [["name", "frameTime", *(f"f{k}" for k in range(width))]] if header else []
    lines += [["'Devel_HU_14'", f"{k / 100:.6f}", *map(str, row)] for k, row in enumerate(values)]
    path = feature_file(tmp_path_factory.getbasetemp(), "\n".join(map(separator.join, lines)))
    table = avec2019.read_features(path)
    np.testing.assert_array_equal(table.values, values)
    np.testing.assert_allclose(table.time, np.arange(length) / 100, atol=1e-9)
    assert table.columns == (tuple(f"f{k}" for k in range(width)) if header else ())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LLD.replace(";12;", ";nan;"), "column F0_sma3nz holds NaN or infinity, first in line 3"),
        (rows(";").replace(";12;", ";-inf;"), "column 4 holds NaN or infinity, first in line 2"),
        (rows(",", time=False).replace(",12,", ",NaN,"), "column 2 holds NaN or infinity, first in line 2"),
        (LLD.replace(";12;", ";?;"), "line 3, column F0_sma3nz: '?' is no number"),
        (LLD.replace(";12;", ";;"), "line 3, column F0_sma3nz: '' is no number"),
        (rows(";").replace("0.125", "0,125"), "line 3, column 4: '0,125' is no number"),
        (rows(";").replace("0.20", "soon"), "line 3, column 2: 'soon' is no number"),
        (LLD.replace(";12", ""), "line 3 has 4 fields separated by ';', expected 5"),
        (LLD.replace(";12", ";12;12"), "line 3 has 6 fields separated by ';', expected 5"),
        (rows(",", time=False).replace(",12", ""), "line 2 has 2 fields separated by ',', expected 3"),
        (LLD.splitlines(True)[0] + rows(","), "line 2 has 1 fields separated by ';' (it has ',' too), expected 5"),
        (DEEP.splitlines(True)[0] + rows(";"), "line 2 has 1 fields separated by ',' (it has ';' too), expected 5"),
        (rows(";") + rows(","), "line 5 has 1 fields separated by ';' (it has ',' too), expected 5"),
        (LLD + LLD, "line 6, column frameTime: 'frameTime' is no number"),
        (LLD + rows(";"), "after 0.300 s the time does not go on"),
        (rows(";").replace("0.10", "0.00"), "after 0.000 s the time does not go on"),
        (rows(";").replace("0.20", "0.05"), "after 0.100 s the time does not go on"),
        (rows(";").replace("0.30", "0.90"), "after 0.200 s the next row is at 0.900 s, expected one every 0.100 s"),
        (re.sub(r"(?m)(;[^;]*){3}$", "", rows(";")), "line 1 has no features beside name and time"),
        ("name;frameTime\n", "line 1 has no features beside name and time"),
        (LLD.splitlines(True)[0], "is empty below its header"),
        ("", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is no text file"),
    ],
    ids=[
        "NaN", "infinity, no header", "NaN, no names", "question mark", "empty field", "decimal comma", "time a word",
        "field missing", "field too many", "ragged, no names", "header ; rows ,", "header , rows ;", "rows ; then ,",
        "two files in one", "two files in one, one header", "time stands still", "time goes back", "gap",
        "no features", "no features, header", "header only", "no bytes", "binary",
    ],
)  # fmt: skip
def test_a_defect_is_named_with_file_line_and_column(tmp_path, content, words):
    path = feature_file(tmp_path, content)
    with pytest.raises(InputError) as caught:
        avec2019.read_features(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {words}") and "\n" not in message


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="Train_DE_01.csv: cannot be read"):
        avec2019.read_features(tmp_path / "Train_DE_01.csv")


# lengths


def test_targets_in_the_order_that_is_asked_for():
    gold = labels(5)
    np.testing.assert_array_equal(avec2019.stack_labels(gold), np.stack([gold.arousal, gold.valence, gold.liking], 1))


@pytest.mark.parametrize(("first", "last"), [(0, 39.9), (0.9, 40.8), (0, 39.0)])
def test_features_about_as_long_as_the_labels(first, last):
    time = np.linspace(first, last, 1000)
    faces = openface.Faces(time, time, time > 0, np.zeros((1000, 17)))
    for features in (avec2019.Table(time, np.zeros((1000, 2)), ()), faces):
        avec2019.check_length(Path("a.csv"), features, labels(400))


@pytest.mark.parametrize(("first", "last"), [(0, 38.8), (0, 41.0), (1.1, 39.9)], ids=["short", "long", "late"])
def test_features_of_another_length(first, last):
    table = avec2019.Table(np.linspace(first, last, 1000), np.zeros((1000, 2)), ())
    with pytest.raises(InputError, match=f"a.csv: covers {first:.1f} to {last:.1f} s, its labels 0.0 to 39.9 s"):
        avec2019.check_length(Path("a.csv"), table, labels(400))


def test_features_without_time_have_a_row_for_each_label():
    avec2019.check_length(Path("a.csv"), avec2019.Table(None, np.zeros((405, 2)), ()), labels(400))
    with pytest.raises(InputError, match="a.csv: covers 0.0 to 41.4 s"):
        avec2019.check_length(Path("a.csv"), avec2019.Table(None, np.zeros((415, 2)), ()), labels(400))


# recordings


def test_recordings_by_partition_culture_and_number(tmp_path):
    root = tree(tmp_path)
    assert [recording.name for recording in avec2019.list_recordings(root)] == STEMS
    assert [recording.name for recording in avec2019.list_recordings(root, ("Devel",))] == STEMS[68:]
    assert avec2019.count(root) == {"Train DE": 34, "Train HU": 34, "Devel DE": 14, "Devel HU": 14}


def test_a_recording_names_its_files(tmp_path):
    second = avec2019.list_recordings(tree(tmp_path))[35]
    assert second == avec2019.Recording(
        name="Train_HU_02",
        partition="Train",
        culture="HU",
        audio=tmp_path / "audio" / "Train_HU_02.wav",
        video=tmp_path / "video" / "Train_HU_02.avi",
        labels=tmp_path / "labels" / "Train_HU_02.csv",
        features={
            "egemaps": tmp_path / "audio_features_egemaps" / "Train_HU_02.csv",
            "aus": tmp_path / "visual_features" / "Train_HU_02.csv",
        },
    )
    assert avec2019.list_missing(second, ("audio", "video", "egemaps", "aus")) == []


def test_test_recordings_without_labels_are_passed_over(tmp_path):
    root = tree(tmp_path)
    for folder in ("audio", "audio_features_egemaps"):
        for stem in ("Test_DE_01", "Test_CN_70"):
            (root / folder / f"{stem}.wav").touch()
    assert len(avec2019.list_recordings(root)) == 96 and sum(avec2019.count(root).values()) == 96
    with pytest.raises(InputError, match="no recordings of the partition Test"):
        avec2019.list_recordings(root, ("Test",))


@pytest.mark.parametrize(
    ("folder", "file", "kind"),
    [
        ("audio_features_xbow", "Train_DE_01.csv", "mfcc_bags"),
        ("audio_features_mfcc_xbow", "Train_DE_01.csv", "mfcc_bags"),
        ("audio_features_DeepSpectrum_VGG16", "Train_DE_01.csv", "deepspectrum_vgg16"),
        ("audio_features_DeepSpectrum_DenseNet201", "Train_DE_01.csv", "deepspectrum_densenet201"),
        ("visual_features_ResNet", "Train_DE_01_res.txt", "affwild_resnet50"),
        ("visual_features_VGG", "Train_DE_01_vgg.txt", "affwild_vgg16"),
        ("openface", "Train_DE_01.csv", "openface"),
    ],
)
def test_the_names_of_feature_folders_and_files(tmp_path, folder, file, kind):
    root = tree(tmp_path, folders=FOLDERS)
    (root / folder).mkdir()
    (root / folder / file).touch()
    first, second, *_ = avec2019.list_recordings(root)
    assert first.features == {kind: root / folder / file} and second.features == {}
    assert avec2019.list_missing(second, (kind,))[0].startswith(f"{root / folder}/Train_DE_02.")


def test_no_other_features_are_needed_than_those_asked_for(tmp_path):
    """Who has the features alone needs no media, and the other way round."""
    first = avec2019.list_recordings(tree(tmp_path / "a", folders=("labels", "visual_features_functionals")))[0]
    assert avec2019.list_missing(first, ("aus_functionals",)) == []
    assert avec2019.list_missing(first) == [f"{first.audio}: missing", f"{first.video}: missing"]
    second = avec2019.list_recordings(tree(tmp_path / "b", folders=FOLDERS))[0]
    assert avec2019.list_missing(second) == []
    assert avec2019.list_missing(second, ("mfcc_bags",)) == [
        f"{tmp_path}/b/audio_features_mfcc_xbow/Train_DE_01.csv: missing"
    ]


def test_recordings_that_are_not_there_are_missed(tmp_path):
    """A corpus of one culture is not this corpus: nothing is left out in silence."""
    root = tree(tmp_path, [stem for stem in STEMS if "_DE_" in stem])
    found = avec2019.list_recordings(root)
    assert len(found) == 96 and sum(bool(avec2019.list_missing(recording)) for recording in found) == 48
    assert avec2019.count(root) == {"Train DE": 34, "Train HU": 0, "Devel DE": 14, "Devel HU": 0}


def test_archives_unpack_into_a_folder_of_their_own(tmp_path):
    inner = tree(tmp_path / "AVEC2019_CES_traindevel")
    assert avec2019.locate(tmp_path) == avec2019.locate(inner) == inner
    assert avec2019.list_recordings(tmp_path) == avec2019.list_recordings(inner)


@pytest.mark.parametrize(
    "make",
    [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text(""), lambda root: (root / "labels").mkdir(parents=True)],
    ids=["missing", "empty", "file", "labels only"],
)  # fmt: skip
def test_a_folder_that_is_not_the_corpus(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "root"))):
        avec2019.list_recordings(tmp_path / "root")


def test_the_corpus_of_2017_is_another(tmp_path):
    root = tree(tmp_path, [f"Train_{number:02d}" for number in range(1, 35)])
    with pytest.raises(InputError, match="no recordings of the partition Train"):
        avec2019.list_recordings(root)


def test_a_simulated_corpus_has_as_many_of_each_culture_as_it_says(tmp_path):
    root = tree(tmp_path)
    assert avec2019.read_simulation(root) is None
    (root / "simulated.json").write_text(json.dumps({"layout": "avec2019", "train": 2, "devel": 1, "control": "none"}))
    assert [recording.name for recording in avec2019.list_recordings(root)] == [
        "Train_DE_01", "Train_DE_02", "Train_HU_01", "Train_HU_02", "Devel_DE_01", "Devel_HU_01",
    ]  # fmt: skip
    (root / "simulated.json").write_text("{}")
    with pytest.raises(InputError, match="simulated.json"):
        avec2019.list_recordings(root)
