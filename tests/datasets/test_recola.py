"""The reader of RECOLA against trees in its two layouts, with the defects that copies of them have."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from datasets import recola, traces

ALL = [f"{partition}_{number}" for partition in ("train", "dev", "test") for number in range(1, 10)]
TIME = np.arange(7501) / 25
ARFF = (
    "@relation GOLDSTANDARD_AROUSAL\n\n@attribute Instance_name string\n@attribute frameTime numeric\n"
    "@attribute GoldStandard numeric\n\n\n@data\n\n"
)
GOLD = ARFF + "".join(f"dev_1,{time:g},{np.sin(time) / 2:.4f}\n" for time in TIME)
RATERS = ("FM1 ", "FM2 ", "FM3 ", "FF1 ", "FF2 ", "FF3")
OFFSETS = np.array([-0.2, -0.1, 0.0, 0.05, 0.1, 0.3])
RATED = np.sin(TIME)[:, None] / 2 + OFFSETS
RATINGS = f"time;{';'.join(RATERS)}\n" + "".join(
    f"{time:.2f};{';'.join(f'{value:.4f}' for value in row)}\n" for time, row in zip(TIME, RATED)
)


def challenge(root: Path) -> Path:
    """27 recordings in the layout of the challenges; no file has content."""
    for name in ALL:
        paths = [root / "recordings_video" / f"{name}.mp4"]
        if not name.startswith("test"):
            paths += [root / "ratings_gold_standard" / t / f"{name}.arff" for t in traces.TARGETS]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def original(root: Path, content: str = "") -> Path:
    """Two participants in the layout of the corpus itself."""
    for name in ("P16", "P65"):
        folders = [root / "RECOLA-Annotation" / "emotional_behaviour" / target for target in traces.TARGETS]
        for folder in (*folders, root / "RECOLA-Video-recordings"):
            folder.mkdir(parents=True, exist_ok=True)
        (root / "RECOLA-Video-recordings" / f"{name}.mp4").touch()
        for folder in folders:
            (folder / f"{name}.csv").write_text(content)
    return root


def gold_file(root: Path, content: str) -> traces.Recording:
    """The first development recording, of which both gold standards have this content."""
    found = recola.list_recordings(challenge(root), ("dev",))[0]
    for path in found.labels.values():
        path.write_bytes(content.encode())
    return found


# recordings


def test_recordings_of_the_challenges(tmp_path):
    root = challenge(tmp_path)
    found = recola.list_recordings(root, ("dev", "train", "test"))
    assert [one.name for one in found] == ALL[9:18] + ALL[:9] + ALL[18:]
    assert [one.name for one in recola.list_recordings(root)] == ALL[:18]
    assert not any(map(traces.list_missing, found)) and [bool(one.labels) for one in found] == [True] * 18 + [False] * 9
    assert found[0] == traces.Recording(
        name="dev_1",
        partition="dev",
        video=root / "recordings_video" / "dev_1.mp4",
        labels={t: root / "ratings_gold_standard" / t / "dev_1.arff" for t in ("arousal", "valence")},
    )
    assert recola.count(root) == recola.count_expected(root) == {"train": 9, "dev": 9, "test": 9}


def test_archives_unpack_into_a_folder_of_their_own(tmp_path):
    inner = challenge(tmp_path / "AVEC_2016")
    assert recola.locate(tmp_path) == recola.locate(inner) == inner


def test_files_that_are_missing_are_named(tmp_path):
    root = challenge(tmp_path)
    gone = [root / "recordings_video" / "train_2.mp4", root / "ratings_gold_standard" / "valence" / "train_2.arff"]
    for path in gone:
        path.unlink()
    assert traces.list_missing(recola.list_recordings(root)[1]) == [f"{path}: missing" for path in gone]
    assert recola.count(root)["train"] == 9  # something is left of it


def test_a_copy_without_a_partition(tmp_path):
    root = challenge(tmp_path)
    for path in [*root.rglob("dev_*"), *root.rglob("test_*")]:
        path.unlink()
    assert recola.list_recordings(root, ("train", "test")) == recola.list_recordings(root, ("train",))
    with pytest.raises(InputError, match=f"{root}: no recordings of the partition dev"):
        recola.list_recordings(root)


def test_participants_of_the_original_distribution(tmp_path):
    root = original(tmp_path)
    assert [(one.name, one.partition) for one in recola.list_recordings(root, ("all",))] == [
        ("P16", "all"),
        ("P65", "all"),
    ]
    (root / "RECOLA-Video-recordings" / "P16.mp4").unlink()
    assert traces.list_missing(recola.list_recordings(root, ("all",))[0]) == [
        f"{root}/RECOLA-Video-recordings/P16.mp4: missing"
    ]
    assert recola.count(root) == {"all": 2}
    with pytest.raises(InputError, match=f"{root}: the original distribution has no partitions.*AV\\+EC 2015"):
        recola.list_recordings(root)


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir()], ids=["missing", "empty"])
def test_a_wrong_folder(tmp_path, make):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'root'}: ")):
        recola.list_recordings(tmp_path / "root")


# the gold standard in its files


@pytest.mark.parametrize("content", [GOLD.replace("\n", "\r\n"), GOLD], ids=["CRLF, as distributed", "LF"])
def test_the_gold_standard(tmp_path, content):
    labels = recola.read_labels(gold_file(tmp_path, content))
    assert labels.time.shape == labels.arousal.shape == labels.valence.shape == (7501,) and labels.time[-1] == 300
    np.testing.assert_allclose(labels.arousal, np.sin(TIME) / 2, atol=5.1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (re.sub(r"dev_1,0\.2,.*", "dev_1,0.2,?", GOLD), "line 15, column GoldStandard: '?' is no number"),
        (GOLD.rsplit("dev_1", 1)[0], "has 7500 labels, expected 7501, one every 0.04 s from 0 to 300 s"),
        (GOLD + "dev_1,300.04,0\n", "has 7502 labels"),
        (GOLD.replace("dev_1,0.2,", "dev_1,0.24,"), "label 6 is at 0.24 s, expected at 0.20 s"),
        (ARFF, "is empty below its header"),
        ("", "is empty"),
        (GOLD.replace("GoldStandard", "class"), "is no ARFF file with frameTime and GoldStandard"),
        (RATINGS, "is no ARFF file"),
    ],
    ids=["question mark", "7500 rows", "7502 rows", "time", "header only", "no bytes", "other column", "csv"],
)
def test_a_defect_of_a_gold_standard_is_named(tmp_path, content, words):
    recording = gold_file(tmp_path, content.replace("\n", "\r\n"))
    with pytest.raises(InputError) as caught:
        recola.read_labels(recording)
    assert str(caught.value).startswith(f"{recording.labels['arousal']}: ") and words in str(caught.value)


# the gold standard made of ratings


@pytest.mark.parametrize("header", [RATINGS, RATINGS.replace(" ", "")], ids=["trailing spaces", "none"])
def test_individual_ratings_where_there_is_no_gold_standard(tmp_path, header):
    one = recola.list_recordings(original(tmp_path, header), ("all",))[1]
    labels = recola.read_labels(one)
    np.testing.assert_allclose(labels.valence, recola.make_gold_standard(RATED.T), atol=1e-4)
    np.testing.assert_allclose(labels.time, TIME, atol=1e-9)


def test_a_file_of_the_gold_standard_goes_before_the_ratings(tmp_path):
    root = challenge(tmp_path)
    for target in traces.TARGETS:
        path = root / "ratings_individual" / target / "dev_1.csv"
        path.parent.mkdir(parents=True)
        path.write_text(RATINGS)
    assert {path.suffix for path in recola.list_recordings(root, ("dev",))[0].labels.values()} == {".arff"}
    (root / "ratings_gold_standard" / "arousal" / "dev_1.arff").unlink()
    found = recola.list_recordings(root, ("dev",))[0]
    assert traces.list_missing(found) == [] and found.labels["arousal"].suffix == ".csv"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (RATINGS.replace("\n0.04;", "\n0.04;?;", 1), "line 3 has 8 fields"),
        (re.sub(r"\n0\.04;[^;]*", "\n0.04;?", RATINGS), "line 3, column FM1: '?' is no number"),
        (RATINGS.replace(";", ","), "line 1 is not time;FM1"),
        (re.sub(r"\n0\.04;[^;]*", "\n0.04;-1.5", RATINGS), "a value outside [-1, 1]"),
        (RATINGS[: RATINGS.index("\n300.00")], "has 7500 labels"),
        (RATINGS.split("\n")[0] + "".join(f"\n{time:.2f};0;0;0;0;0;0" for time in TIME), "no rating ever moves"),
    ],
    ids=["a field more", "question mark", "commas", "outside", "7500 rows", "constant"],
)
def test_a_defect_of_the_ratings_is_named(tmp_path, content, words):
    one = recola.list_recordings(original(tmp_path, content), ("all",))[0]
    with pytest.raises(InputError) as caught:
        recola.read_labels(one)
    assert str(caught.value).startswith(f"{one.labels['arousal']}: ") and words in str(caught.value)


def wandering(raters: int = 6, count: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    seen = np.cumsum(rng.normal(size=count)) / 40
    return seen + np.cumsum(rng.normal(size=(raters, count)), axis=1) / 80 + rng.normal(0, 0.1, (raters, 1))


def by_hand(ratings: np.ndarray) -> list[float]:
    """Pair by pair and label by label."""
    raters, total, weighted = range(len(ratings)), 0.0, 0.0
    for a in raters:
        agreement = 0.0
        for b in raters:
            if a != b:
                x, y = ratings[a], ratings[b]
                spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
                agreement += 2 * np.mean((x - x.mean()) * (y - y.mean())) / spread / (len(ratings) - 1)
        total, weighted = total + agreement, weighted + agreement * ratings[a].mean()
    grand = sum(sum(row) for row in ratings) / ratings.size
    return [sum(column) / len(column) - grand + weighted / total for column in ratings.T]


def test_gold_standard_is_the_formula():
    np.testing.assert_allclose(recola.make_gold_standard(wandering()), by_hand(wandering()), atol=1e-12)


def test_gold_standard_of_equal_raters_is_what_they_say():
    trace = wandering()[0]
    np.testing.assert_allclose(recola.make_gold_standard(np.tile(trace, (6, 1))), trace, atol=1e-12)


def test_gold_standard_moves_with_all_raters_and_forgets_their_order():
    ratings = wandering()
    np.testing.assert_allclose(
        recola.make_gold_standard(ratings + 0.25), recola.make_gold_standard(ratings) + 0.25, atol=1e-12
    )
    np.testing.assert_allclose(recola.make_gold_standard(ratings[::-1]), recola.make_gold_standard(ratings), atol=1e-12)


def test_gold_standard_leans_to_those_who_agree():
    """It is the mean of the raters up to a level; that of a contrary rater counts less than in the mean."""
    ratings = wandering() * 0.1
    ratings[5] = 0.8 - 0.1 * ratings[5]
    gold, mean = recola.make_gold_standard(ratings), ratings.mean(axis=0)
    np.testing.assert_allclose(gold - gold.mean(), mean - mean.mean(), atol=1e-12)
    assert gold.mean() < mean.mean() - 0.05
