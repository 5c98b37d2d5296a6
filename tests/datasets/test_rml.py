"""The reader of RML against trees in its layouts, with the defects that copies of it have or may have."""

import json
import os
import re
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import EXIT_DIFFERS, InputError
from common.running import cli
from datasets import acted, layout, rml
from datasets import check as command

CODES = dict(zip(("an", "di", "fe", "ha", "sa", "su"), acted.CLASSES))
DISTRIBUTED = {f"s{n}": f"rml-{1 + (n > 5)}/s{n}" for n in range(1, 9)}
DIRECT = {f"s{n}": f"s{n}" for n in range(1, 9)}
LANGUAGES = {**DISTRIBUTED, "s4": "rml-1/s4/Mandarin"}
NESTED = {f"s{n}": f"part{1 + (n > 5)}/RML-{1 + (n > 5)}/S{n}" for n in range(1, 9)}
LAYOUTS = {"distributed": DISTRIBUTED, "direct": DIRECT, "languages": LANGUAGES, "nested": NESTED}
layouts = pytest.mark.parametrize("layout", LAYOUTS)


@lru_cache(maxsize=4)
def avi(sound: bool = True, rate: int = rml.RATE) -> bytes:
    """A video of six frames, 30 per second, with 0.2 s of sound or with none."""
    import tempfile

    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.avi")
        with av.open(str(path), "w") as film:
            picture = film.add_stream("mjpeg", rate=30)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            voice = film.add_stream("pcm_s16le", rate=rate, layout="mono") if sound else None
            for level in range(6):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * level, np.uint8), format="rgb24")
                film.mux(picture.encode(frame))
            film.mux(picture.encode())
            if voice:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, rate // 5), np.int16), format="s16", layout="mono")
                samples.sample_rate = rate
                film.mux(voice.encode(samples))
        return path.read_bytes()


@pytest.fixture(scope="module", autouse=True)
def played_once():
    """Of the same content, of which there are hundreds of files, one is played: what can be played once can be again."""
    good, play = set(), acted._play

    def played(path: Path, rate: int) -> None:
        seen = path.read_bytes(), rate
        if seen not in good:
            play(path, rate)
            good.add(seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acted, "_play", played)
        yield


def put(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tree(root: Path, layout=DISTRIBUTED, sentences: int = 1, video: bytes = b"") -> Path:
    """`sentences` clips of each class of each subject."""
    for folder in layout.values():
        for code in CODES:
            for k in range(1, sentences + 1):
                put(root / folder / f"{code}{k}.avi", video)
    return root


def checked(root: Path, capsys, monkeypatch, corpus: str = "rml") -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["check", corpus, str(root)])
    return (cli.run(command.main), *capsys.readouterr())


# clips


@layouts
def test_every_clip_is_found_with_its_subject_and_class(tmp_path, layout):
    root = tree(tmp_path, LAYOUTS[layout], sentences=2)
    clips = rml.list_recordings(root)
    expected = {
        root / folder / f"{code}{k}.avi": (subject, label)
        for subject, folder in LAYOUTS[layout].items()
        for code, label in CODES.items()
        for k in (1, 2)
    }
    assert {clip.video: (clip.subject, clip.label) for clip in clips} == expected
    assert len({clip.name for clip in clips}) == len(clips) == 96


def test_names_are_without_what_is_redundant(tmp_path):
    for path in ("rml-1/s1/an1.avi", "rml-1/s1/english/an1.avi", "S2/FE3.AVI", "a/b/rml-2/s3/Urdu/x/su10.avi"):
        put(tmp_path / path)
    clips, errors = rml._scan(tmp_path)
    assert [clip.name for clip in clips] == ["s1/an1", "s1/english/an1", "s2/fe3", "s3/urdu/x/su10"] and not errors


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), unique=True))
def test_numbers_in_names_count_as_such(numbers):
    names = [f"s{subject}/an{k}" for subject, k in numbers]
    assert sorted(names, key=acted.make_natural_key) == [f"s{subject}/an{k}" for subject, k in sorted(numbers)]


def test_subjects_and_clips_come_in_natural_order(tmp_path):
    for subject in (10, 2, 1):
        for k in (10, 9):
            for code in CODES:
                put(tmp_path / f"s{subject}/{code}{k}.avi")
    names = [clip.name for clip in rml.list_recordings(tmp_path) if "an" in clip.name]
    assert names == ["s1/an9", "s1/an10", "s2/an9", "s2/an10", "s10/an9", "s10/an10"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("an1", "Anger"),
        ("DI12", "Disgust"),
        ("Fe 3", "Fear"),
        ("ha_4", "Happiness"),
        ("sA05", "Sadness"),
        ("su", "Surprise"),
    ],
)
def test_the_first_letters_of_the_file_are_the_class(tmp_path, name, label):
    put(tmp_path / "s1" / f"{name}.avi")
    assert rml._scan(tmp_path)[0][0].label == label


def test_what_other_systems_leave_in_folders_is_no_clip(tmp_path):
    tree(tmp_path)
    for stray in ("rml-1/s1/._an1.avi", "rml-1/s1/an7.avi.part", "__MACOSX/s1/an1.avi", ".trash/s1/an1.avi", "x.txt"):
        put(tmp_path / stray)
    assert len(rml.list_recordings(tmp_path)) == 48


def test_folders_behind_links_and_links_in_circles(tmp_path):
    tree(tmp_path / "disk")
    (tmp_path / "rml").mkdir()
    for part in ("rml-1", "rml-2"):
        (tmp_path / "rml" / part).symlink_to(tmp_path / "disk" / part)
    (tmp_path / "disk" / "rml-1" / "s1" / "again").symlink_to(tmp_path / "disk" / "rml-1")
    clips = rml.list_recordings(tmp_path / "rml")
    assert len(clips) == 48 and all(clip.video.is_relative_to(tmp_path / "rml") for clip in clips)


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("an1.avi", "lies in no folder s1, s2"),
        ("rml-1/anger/an1.avi", "lies in no folder s1, s2"),
        ("rml-1/s1/neutral1.avi", "the name begins with none of an, di"),
        ("rml-1/s1/sample.avi", "the name begins with none of an, di"),
        ("rml-1/s1/1.avi", "the name begins with none of an, di"),
    ],
)
def test_a_video_without_subject_or_class_is_refused_and_named(tmp_path, stray, words):
    path = put(tree(tmp_path) / stray)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {words}"):
        rml.list_recordings(tmp_path)


@pytest.mark.parametrize("copy", ["s1/an1.avi", "copy/rml-1/s1/an1.avi", "rml-1/s01/AN1.avi", "rml-1/s1/an1.AVI"])
def test_two_videos_of_one_name_are_refused_and_both_are_named(tmp_path, copy):
    paths = [tree(tmp_path) / "rml-1/s1/an1.avi", put(tmp_path / copy)]
    with pytest.raises(InputError) as caught:
        rml.list_recordings(tmp_path)
    assert all(str(path) in str(caught.value) for path in paths) and "\n" not in str(caught.value)
    assert len([line for line in rml.check(tmp_path) if "is the clip s1/an1, and so is" in line]) == 1


@pytest.mark.parametrize("code", CODES)
def test_a_corpus_without_a_class_is_refused(tmp_path, code):
    for path in tree(tmp_path).rglob(f"{code}1.avi"):
        path.unlink()
    with pytest.raises(InputError, match=f"{tmp_path}: no clip of the class {CODES[code]}; .*datasets.check rml"):
        rml.list_recordings(tmp_path)


# where it is


@layouts
def test_the_corpus_is_located_below_folders_of_archives(tmp_path, layout):
    inner = tree(tmp_path / "data" / "RML", LAYOUTS[layout])
    assert rml.locate(tmp_path) == rml.locate(inner) == inner
    assert rml.list_recordings(tmp_path) == rml.list_recordings(inner)


@pytest.mark.parametrize(
    "make",
    [lambda root: None, lambda root: root.mkdir(), lambda root: put(root / "s1" / "an1.txt"), lambda root: put(root)],
    ids=["missing", "empty", "no video", "a file"],
)
@pytest.mark.parametrize("call", [rml.list_recordings, rml.locate, rml.read_simulation, rml.count_expected, rml.check])
def test_a_wrong_folder(tmp_path, make, call):
    make(tmp_path / "root")
    with pytest.raises(InputError, match=f"^{tmp_path / 'root'}: ") as caught:
        call(tmp_path / "root")
    assert "\n" not in str(caught.value)


def test_the_message_for_another_corpus_says_what_is_missing_and_where_to_ask(tmp_path):
    put(tmp_path / "Train_AFEW" / "Angry" / "000046280.avi")
    with pytest.raises(InputError, match=r"not the layout of RML \(rml-1/s1/an1.avi or .*rml-emotion-database"):
        rml.list_recordings(tmp_path)


def test_relative_folders(tmp_path, monkeypatch):
    tree(tmp_path / "RML", LANGUAGES)
    monkeypatch.chdir(tmp_path / "RML")
    for root in (".", Path("."), "../RML", Path("./rml-1/..")):
        assert len(rml.list_recordings(root)) == 48 and os.path.samefile(rml.locate(root), ".")
    assert os.path.samefile(rml.locate("rml-2"), "rml-2") and len(rml.list_recordings("rml-2")) == 18


# check


def test_the_release_of_720_clips_is_complete(tmp_path, capsys, monkeypatch):
    root = tree(tmp_path, LANGUAGES, sentences=15, video=avi())
    assert len(rml.list_recordings(root)) == 720 == sum(rml.COUNTS.values())
    code, out, err = checked(root, capsys, monkeypatch)
    assert (code, err) == (0, "") and out.endswith("\ncomplete\n")
    assert out.startswith(f"{root}: rml: 8 subjects, 120 Anger clips, 120 Disgust clips, ")
    assert ", 90 of s1, 90 of s2, " in out


def unsound(root: Path) -> list[str]:
    """What check says of files that nobody can play: the lines of all others."""
    return [line for line in rml.check(root) if "cannot be read as video" not in line]


@pytest.mark.parametrize(("removed", "older"), [(221, True), (220, True), (260, True), (1, False), (100, False)])
def test_check_says_which_release_it_may_be(tmp_path, removed, older):
    root = tree(tmp_path, sentences=15)
    spare = [clip.video for clip in rml.list_recordings(root) if clip.label != "Fear"]
    for path in spare[::-1][:removed]:
        path.unlink()
    found = unsound(root)
    release = "older release, of about 500" if older else "release of 720, with files missing or added"
    assert found[0] == f"{root}: {720 - removed} clips, expected 720; it may be the {release}"
    assert any(" clips, expected 120" in line for line in found) == (not older)  # of the older one's classes, unknown
    assert not any("Fear" in line for line in found)


def test_check_names_lost_subjects_and_classes_of_the_older_release_too(tmp_path):
    root = tree(tmp_path, sentences=14)
    for path in {*(root / "rml-2" / "s8").iterdir(), *root.rglob("su*.avi")}:
        path.unlink()
    assert unsound(root)[1:] == [f"{root}: 7 subjects, expected 8", f"{root}: 0 Surprise clips, expected 120"]


def test_classes_may_not_make_up_for_one_another(tmp_path):
    root = tree(tmp_path, sentences=15)
    (root / "rml-1/s1/an1.avi").rename(root / "rml-1/s1/di16.avi")
    assert unsound(root) == [
        f"{root}: 119 Anger clips, expected 120",
        f"{root}: 121 Disgust clips, expected 120",
    ]


DEFECTS = {
    "empty": (b"", "cannot be read as video"),
    "text": (b"text", "cannot be read as video"),
    "without sound": (None, "has no sound"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_clip_that_cannot_be_played_is_one_line(tmp_path, defect):
    content, words = DEFECTS[defect]
    put(tree(tmp_path, video=avi()) / layout.MARKER, json.dumps({"layout": "rml", "subjects": 8, "sentences": 1}))
    assert rml.check(tmp_path) == []
    path = put(tmp_path / "rml-1/s1/an1.avi", avi(sound=False) if content is None else content)
    (line,) = rml.check(tmp_path)
    assert line.startswith(f"{path}: {words}") and len(rml.list_recordings(tmp_path)) == 48


def test_check_lists_what_recordings_refuses(tmp_path, capsys, monkeypatch):
    root = tree(tmp_path, video=avi())
    strays = [put(root / "demo.avi", avi()), put(root / "rml-1/s1/neutral.avi", avi())]
    code, out, _ = checked(root, capsys, monkeypatch)
    assert code == EXIT_DIFFERS and all(f"  {path}: " in out for path in strays)
    assert "may be the release of 720" in out and "rml-emotion-database" in out


# simulated corpora


@pytest.mark.parametrize("subjects", [8, 5, 1], ids=["both parts", "one part", "one subject"])
def test_a_simulated_corpus_is_measured_by_its_marker(tmp_path, subjects):
    root = tmp_path / "corpus"
    tree(root, dict(list(LANGUAGES.items())[:subjects]), sentences=2, video=avi())
    put(root / layout.MARKER, json.dumps({"layout": "rml", "seed": 3, "subjects": subjects, "sentences": 2}))
    assert rml.locate(root) == rml.locate(tmp_path) == root
    assert rml.read_simulation(root)["seed"] == 3 and rml.check(root) == []
    assert rml.count_expected(root) == {"subjects": subjects} | {
        f"{label} clips": 2 * subjects for label in acted.CLASSES
    }
    (root / "rml-1/s1/an2.avi").unlink()
    assert rml.check(root) == [f"{root}: {2 * subjects - 1} Anger clips, expected {2 * subjects}"]


def test_a_part_of_a_simulated_corpus_is_not_taken_for_a_real_one(tmp_path):
    put(tree(tmp_path) / layout.MARKER, json.dumps({"subjects": 8, "sentences": 1}))
    assert rml.read_simulation(tmp_path / "rml-1") and rml.locate(tmp_path / "rml-1") == tmp_path
    assert f"{tmp_path / 'rml-1'}: 5 subjects, expected 8" in rml.check(tmp_path / "rml-1")


@pytest.mark.parametrize("content", ["{}", "text", "[]", '{"subjects": 1, "sentences": "x"}'])
def test_a_broken_marker_is_named(tmp_path, content):
    put(tree(tmp_path) / layout.MARKER, content)
    with pytest.raises(InputError, match=f"{tmp_path / layout.MARKER}: cannot be read"):
        rml.check(tmp_path)
