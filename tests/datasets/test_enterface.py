"""The reader of eNTERFACE'05 against trees with the slips of the distribution, and with those that copies may have."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from datasets import acted, enterface, layout
from tests.datasets.test_rml import CODES, avi, checked, played_once, put  # noqa: F401 for all tests here

EMOTIONS = [label.lower() for label in acted.CLASSES]
SUBJECTS = range(1, 45)


def distribute(root: Path, video: bytes = b"", subjects=SUBJECTS, sentences: int = 5) -> Path:
    """The tree as distributed with what is wrong in it; each file is a link to one video."""
    source = put(root.parent / f"{root.name}.source", video)
    for subject in subjects:
        for code, emotion in zip(CODES, EMOTIONS):
            folder = root / f"subject {subject}" / emotion
            for k in range(1, sentences + 1):
                if subject == 6 or (subject == 23 and emotion == "happiness" and k > 2):
                    continue
                name = f"s{12 if subject == 11 else subject}_{code}_{k}.avi"
                name = {"s3_ha_1.avi": "s_3_ha_1.avi", "s16_su_3.avi": "s16_su_3avi.avi"}.get(name, name)
                link(folder / f"sentence {k}" / name, source)
            if subject == 6:
                link(folder / f"s6_{code}.avi", source)
    return root


def link(path: Path, source: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(source, path.parent))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The distribution, of videos that can be played. To be read only."""
    return distribute(tmp_path_factory.mktemp("whole") / "enterface database", avi(rate=enterface.RATE))


@pytest.fixture
def small(tmp_path) -> Path:
    """Three subjects with two sentences each, which tests may damage; its marker says so."""
    put(tmp_path / "corpus" / layout.MARKER, json.dumps({"layout": "enterface", "subjects": 3, "sentences": 2}))
    distribute(tmp_path / "corpus" / "enterface database", avi(rate=enterface.RATE), (1, 2, 4), 2)
    return tmp_path / "corpus"


def first(root: Path) -> Path:
    return root / "enterface database" / "subject 1" / "anger" / "sentence 1" / "s1_an_1.avi"


# clips


def test_all_clips_of_the_distribution_but_the_uncut(whole):
    clips = enterface.list_recordings(whole)
    assert len(clips) == 1287 == 1293 - 6 == sum(enterface.COUNTS.values())
    assert len({clip.name for clip in clips}) == 1287
    assert [int(one) for one in dict.fromkeys(clip.subject for clip in clips)] == [n for n in SUBJECTS if n != 6]
    assert enterface.count(whole) == enterface.count_expected(whole) | {"unsegmented": 6}
    for clip in clips:
        subject, emotion, sentence = clip.video.relative_to(whole).parts[:3]
        assert clip.name == f"{subject}/{emotion}/{sentence}"
        assert subject == f"subject {clip.subject}" and clip.label.lower() == emotion


def test_folders_count_where_file_names_are_wrong(whole):
    by_file = {}
    for clip in enterface.list_recordings(whole):
        by_file.setdefault(clip.video.name, []).append((clip.subject, clip.label, clip.name))
    assert [subject for subject, _, _ in by_file["s12_an_1.avi"]] == ["11", "12"]
    assert by_file["s_3_ha_1.avi"] == [("3", "Happiness", "subject 3/happiness/sentence 1")]
    assert by_file["s16_su_3avi.avi"] == [("16", "Surprise", "subject 16/surprise/sentence 3")]


def test_clips_come_in_natural_order(tmp_path):
    distribute(tmp_path, subjects=(10, 2, 1), sentences=11)
    names = [clip.name for clip in enterface.list_recordings(tmp_path)]
    assert names[:3] == [f"subject 1/anger/sentence {k}" for k in (1, 2, 3)] and names[10].endswith("sentence 11")
    assert list(dict.fromkeys(name.split("/")[0] for name in names)) == ["subject 1", "subject 2", "subject 10"]


@pytest.mark.parametrize("above", ["", "enterface database", "project2_database/enterface database", "a/b/c/d"])
def test_any_folders_may_lie_above(tmp_path, above):
    inner = distribute(tmp_path / "root" / above, subjects=(1, 2), sentences=1)
    names = [clip.name for clip in enterface.list_recordings(tmp_path / "root")]
    assert names == [clip.name for clip in enterface.list_recordings(inner)] and len(names) == 12
    assert enterface.locate(tmp_path / "root") == enterface.locate(inner) == inner


@pytest.mark.parametrize(
    "path",
    [
        "subject-7/fear/sentence-3/s7_fe_3.avi",
        "Subject_7/FEAR/Sentence_3/x.AVI",
        "subject 07/fear/sentence 03/s7_fe_3.avi",
        "subject7/fear/sentence3/s7_fe_3.avi",
        "subject 7/subject 7/fear/extra/sentence 3/extra/s7_fe_3.avi",
    ],
)
def test_other_spellings_of_the_folders(tmp_path, path):
    video = put(tmp_path / path)
    assert enterface._scan(tmp_path)[0] == [acted.Clip("subject 7/fear/sentence 3", "7", "Fear", video)]


def test_two_videos_of_one_sentence_are_refused_and_both_are_named(small):
    for other in ("s1_an_2.avi", "../../../subject-1/anger/sentence 1/s1_an_1.avi"):
        second = put(first(small).parent / other, avi(rate=enterface.RATE)).resolve()
        with pytest.raises(InputError) as caught:
            enterface.list_recordings(small)
        for path in (first(small), second):
            assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value) and str(caught.value) in enterface.check(small)
        second.unlink()


@pytest.mark.parametrize(
    ("stray", "named", "words"),
    [
        ("demo.avi", "demo.avi", "lies in no folder subject 1"),
        ("subject 1/neutral/sentence 1/a.avi", "subject 1/neutral", "is none of anger, disgust"),
        ("subject 6/angry/s6_an.avi", "subject 6/angry", "is none of anger, disgust"),
        ("subject 1/s1_an_1.avi", "subject 1", "is none of anger, disgust"),
        ("subject 1/anger/s1_an_1.avi", "subject 1/anger/s1_an_1.avi", "lies in no folder sentence 1"),
        ("subject 1/anger/take 1/s1_an_1.avi", "subject 1/anger/take 1/s1_an_1.avi", "lies in no folder sentence 1"),
    ],
)
def test_a_video_out_of_place_is_refused_and_named(small, stray, named, words):
    folder = small / "enterface database"
    put(folder / stray, avi(rate=enterface.RATE))
    with pytest.raises(InputError, match=f"^{re.escape(str(folder / named))}: {words}"):
        enterface.list_recordings(small)
    assert [line.split(": ")[0] for line in enterface.check(small)] == [str(folder / named)]


def test_a_folder_of_an_unknown_emotion_is_named_once(small):
    for k in (1, 2):
        put(small / f"enterface database/subject 1/neutral/sentence {k}/a.avi", avi(rate=enterface.RATE))
    assert len(enterface.check(small)) == 1


def test_a_folder_without_videos_is_no_emotion(small):
    put(small / "enterface database/subject 1/notes/read me.txt")
    assert enterface.check(small) == [] and len(enterface.list_recordings(small)) == 36


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_corpus_without_a_class_is_refused(small, emotion):
    for path in small.glob(f"*/*/{emotion}/*/*.avi"):
        path.unlink()
    with pytest.raises(InputError, match=f"{small}: no clip of the class {emotion.capitalize()}; .*check enterface"):
        enterface.list_recordings(small)


@pytest.mark.parametrize(
    "make",
    [
        lambda root: None,
        lambda root: root.mkdir(),
        lambda root: put(root / "subject 1" / "anger" / "sentence 1" / "s1_an_1.wav"),
        lambda root: distribute(root, subjects=(6,)),
    ],
    ids=["missing", "empty", "no video", "uncut only"],
)
@pytest.mark.parametrize(
    "call", [enterface.list_recordings, enterface.locate, enterface.read_simulation, enterface.check]
)
def test_a_wrong_folder(tmp_path, make, call):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=f"^{tmp_path / 'root'}: ") as caught:
        call(tmp_path / "root")
    assert "\n" not in str(caught.value)


def test_the_message_for_another_corpus_says_where_this_one_is(tmp_path):
    put(tmp_path / "rml-1" / "s1" / "an1.avi")
    with pytest.raises(InputError, match=r"not the layout of eNTERFACE'05 \(subject 1/.*enterface05/emotion.html"):
        enterface.list_recordings(tmp_path)


# check


def test_check_notes_the_slips_of_the_distribution_and_finds_nothing_else(whole, capsys, monkeypatch):
    code, out, err = checked(whole, capsys, monkeypatch, "enterface")
    counted, *noted, total = out.splitlines()
    assert (code, err, total) == (0, "", "complete")
    assert counted == (
        f"{whole}: enterface: 43 subjects, 215 Anger clips, 215 Disgust clips, 215 Fear clips, "
        f"212 Happiness clips, 215 Sadness clips, 215 Surprise clips, 6 unsegmented"
    )
    uncut, misnamed = noted
    files = ", ".join(f"s6_{code}.avi" for code in CODES)
    assert uncut == f"  note: {whole}: subject 6 is not cut into sentences and is left out: {files}"
    assert misnamed.startswith(f"  note: {whole}: subject 11: ") and misnamed.count(".avi") == 30


@given(
    st.integers(1, 44), st.sampled_from(list(CODES)), st.integers(1, 5), st.sampled_from(["s{}_{}_{}", "s_{}_{}_{}"])
)
def test_names_of_files_are_understood(subject, code, k, form):
    emotion = CODES[code].lower()
    stem = form.format(subject, code, k)
    for spelt in (stem, f"{stem}avi", stem.upper()):
        assert enterface._read_name(spelt) == f"subject {subject}/{emotion}/sentence {k}"


@pytest.mark.parametrize("stem", ["", "clip", "s1_an", "s1_xx_1", "an_1", "s1_an_1_2", "s1an1 (copy)"])
def test_names_that_say_nothing(stem):
    assert enterface._read_name(stem) is None


@pytest.mark.parametrize("name", ["s2_an_1.avi", "s1_di_1.avi", "s1_an_2.avi", "x.avi"])
def test_a_name_that_says_something_else_is_listed_and_does_not_count(small, name):
    before = [(clip.name, clip.label) for clip in enterface.list_recordings(small)]
    first(small).rename(first(small).with_name(name))
    assert [(clip.name, clip.label) for clip in enterface.list_recordings(small)] == before
    assert enterface.check(small) == []
    (line,) = enterface.list_notes(small)
    assert line.startswith(f"{small}: subject 1: the folders are followed") and line.endswith(f": {name}")


def test_check_says_what_a_copy_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(acted, "list_damaged", lambda clips, rate: [])
    root = distribute(tmp_path / "root")
    for gone in ("subject 5/fear/sentence 2", "subject 5/sadness/sentence 5", "subject 23/anger/sentence 1"):
        next((root / gone).glob("*.avi")).unlink()
    for path in (root / "subject 44").rglob("*.avi"):
        path.unlink()
    lacks = "anger/sentence 1, happiness/sentence 3, happiness/sentence 4, happiness/sentence 5"
    assert enterface.check(root) == [
        f"{root}: 42 subjects, expected 43",
        f"{root}: 209 Anger clips, expected 215",
        f"{root}: 210 Disgust clips, expected 215",
        f"{root}: 209 Fear clips, expected 215",
        f"{root}: 207 Happiness clips, expected 212",
        f"{root}: 209 Sadness clips, expected 215",
        f"{root}: 210 Surprise clips, expected 215",
        f"{root}: no clip of subject 44",
        f"{root}: subject 5 lacks fear/sentence 2, sadness/sentence 5",
        f"{root}: subject 23 lacks {lacks}",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "cannot be read as video"), (b"text", "cannot be read as video"), (None, "has no sound")],
    ids=["empty", "text", "without sound"],
)
def test_a_clip_that_cannot_be_played_is_one_line(small, content, words):
    first(small).unlink()
    put(first(small), avi(sound=False) if content is None else content)
    (line,) = enterface.check(small)
    assert line.startswith(f"{first(small)}: {words}") and len(enterface.list_recordings(small)) == 36


def test_the_uncut_are_not_played(small):
    put(small / "enterface database/subject 6/anger/s6_an.avi", b"text")
    assert enterface.check(small) == []
    assert enterface.list_notes(small) == [f"{small}: subject 6 is not cut into sentences and is left out: s6_an.avi"]


# simulated corpora


def test_a_simulated_corpus_is_measured_by_its_marker(small):
    folder = small / "enterface database"
    for root in (small, folder, small.parent):
        assert enterface.locate(root) == small and enterface.read_simulation(root)["subjects"] == 3
        assert enterface.check(root) == []
    assert enterface.count_expected(small) == {"subjects": 3} | {f"{label} clips": 6 for label in acted.CLASSES}
    first(small).unlink()
    lines = [f"{small}: 5 Anger clips, expected 6", f"{small}: subject 1 lacks anger/sentence 1"]
    assert enterface.check(small) == lines


def test_a_broken_marker_is_named(small):
    put(small / layout.MARKER, "{}")
    with pytest.raises(InputError, match=f"{small / layout.MARKER}: cannot be read"):
        enterface.check(small)
