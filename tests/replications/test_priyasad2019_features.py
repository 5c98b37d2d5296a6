"""From clips to segments: planted speech, both streams cut alike, the cache, all clips joined, clips that are refused."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from common.evidence.reading import load_paper
from common.evidence.settings import resolve_settings
from common.media import audio, video
from common.running.corpora import Unusable
from datasets import acted, enterface, layout, rml
from datasets.acted import CLASSES
from replications.priyasad2019 import faces, features, images, run, vad, vgg19
from tests.common.media import test_ssd
from tests.processes import made_once
from tests.replications.test_chao2016_features import RATE, film
from tests.replications.test_priyasad2019_faces import lying

ROOT = Path(__file__).parents[2]
CHANGES = {
    "face_size": 32, "vgg_size": 32, "vgg_width": 4, "vgg_fc": 8, "lstm_units": 8, "attention_units": 8,
    "hidden_units": 8, "extraction_epochs": 1, "fusion_epochs": 1, "folds": 2,
}  # fmt: skip
OVERRIDES = [f"{name}={value}" for name, value in CHANGES.items()]
PAPER = load_paper(run.PAPER)
TINY = resolve_settings(PAPER, "quick", OVERRIDES)
SOURCE = features.Source("random")
VGG = ("vgg_size", "vgg_width", "vgg_fc")
WHOLE = (0, 0, 64, 48)  # of a frame of `film`
CLOSE = 0.1  # seconds


# ---------------------------------------------------------------------------------------------- simulated corpora


def corpora(factory) -> dict[str, Path]:
    """RML and eNTERFACE'05, simulated, each of three subjects, and a cache of the session.

    The third subject has the films of the first, and eNTERFACE'05 those of RML: what is computed of each film once
    serves them all. To be read only.
    """

    def make(made: Path) -> None:
        from datasets.simulated import rml as simulated

        simulated.write(made / "rml", subjects=2, sentences=1, seconds=1.8)
        shutil.copytree(made / "rml/rml-1/s1", made / "rml/rml-1/s3")
        for truth in (made / "rml/truth").glob("s1_*.npz"):
            shutil.copy(truth, truth.with_name(truth.name.replace("s1_", "s3_")))
        mark(made / "rml")
        as_enterface(made / "rml", made / "enterface")

    top, cache = made_once(factory, "acted", make), factory.getbasetemp() / "acted-cache"
    cache.mkdir(exist_ok=True)
    return {"RML": top / "rml", "ENTERFACE": top / "enterface", "CACHE": cache}


def mark(root: Path, subjects: int = 3) -> None:
    (root / layout.MARKER).write_text(json.dumps({"seed": 0, "subjects": subjects, "sentences": 1}))


def as_enterface(source: Path, root: Path) -> Path:
    """The clips of an RML in the layout of the other corpus."""
    for clip in rml.list_recordings(source):
        number, label = clip.subject[1:], clip.label.lower()
        folder = root / f"enterface database/subject {number}/{label}/sentence 1"
        folder.mkdir(parents=True)
        os.link(clip.video, folder / f"s{number}_{label[:2]}_1.avi")
    mark(root)
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    return corpora(tmp_path_factory)


@pytest.fixture(scope="module")
def done(places) -> list[features.Clip]:
    """All clips of the simulated RML."""
    clips = rml.list_recordings(places["RML"])
    found, unusable = features.extract(clips, TINY, SOURCE, shaped(), places["CACHE"], 1, 1)
    assert not unusable
    return found


@pytest.fixture(scope="module")
def staged(tmp_path_factory) -> tuple[Path, list[acted.Clip]]:
    """Two clips of a simulated eNTERFACE'05: stereo, 48 kHz, 25 frames per second."""
    from datasets.simulated import acted as stage
    from datasets.simulated import enterface as simulated

    root = tmp_path_factory.mktemp("staged") / "enterface"
    manifest = stage.Manifest("enterface", 0, 1, 1, 1.8, simulated.VERSION)
    takes = simulated.list_takes(manifest)[:2]
    stage.write(root, manifest, simulated.FORM, takes, jobs=1)
    return root, [acted.Clip(take.name, take.subject, take.label, root / take.path) for take in takes]


def shaped(source: features.Source = SOURCE, **changes) -> str:
    return features.digest_settings({**TINY, **changes}, source)


def load(clip, cache: Path, source: features.Source = SOURCE, **changes) -> features.Clip:
    return features.load(clip, {**TINY, **changes}, source, shaped(source, **changes), cache)


def arrays(clip: features.Clip) -> dict[str, np.ndarray]:
    with np.load(clip.file, allow_pickle=False) as archive:
        return dict(archive)


def files(folder: Path) -> dict[Path, int]:
    """All files below a folder with their times of change."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def truth(root: Path, name: str) -> tuple[float, float]:
    with np.load(root / "truth" / f"{name.replace('/', '_').replace(' ', '_')}.npz", allow_pickle=False) as archive:
        return float(archive["speech_start"]), float(archive["speech_end"])


def test_planted_speech_is_found(done, places):
    planted = np.array([truth(places["RML"], clip.name) for clip in done])
    found = np.array([clip.speech for clip in done])
    assert len(found) == 18 and np.ptp(planted[:, 0]) > CLOSE  # a constant would not do
    assert np.abs(found - planted).max() <= CLOSE


def test_planted_speech_is_found_in_the_other_corpus(staged):
    root, clips = staged
    for clip in clips:
        sound = audio.read_from_video(clip.video, TINY["audio_rate"])
        speech, _ = features.find_region(clip.video, sound, TINY)
        assert np.abs(np.subtract(speech, truth(root, clip.name))).max() <= CLOSE


def test_both_streams_are_cut_alike(done, staged, tmp_path):
    """Of either corpus: the faces of a span's frames, as many audio images as it holds, frames within their segment."""
    cases = [(clip, rml.FPS) for clip in done[:3]] + [(load(staged[1][0], tmp_path / "cache"), enterface.FPS)]
    for clip, fps in cases:
        found, (start, end) = arrays(clip), clip.span
        assert start == pytest.approx(max(clip.speech[0] - TINY["vad_before"], 0))
        assert end == pytest.approx(clip.speech[1] + TINY["vad_after"])
        times = np.array([k / fps for k in range(200) if start - 1e-6 <= k / fps < end - 1e-6])
        assert found["faces"].shape == (len(times), 8) and found["found"].shape == (len(times),)
        wanted = int((end - start - images.LENGTH) / 0.3 + 1e-6) + 1  # whole segments, every 30 frames of 10 ms
        assert found["audio"].shape == (wanted, 8) and found["frames"].shape == (wanted, 20) and wanted > 1
        np.testing.assert_allclose(found["starts"], 0.3 * np.arange(wanted))
        for begins, row in zip(start + found["starts"], found["frames"]):
            inside = [i for i, t in enumerate(times) if begins - 1e-6 <= t < begins + images.LENGTH - 1e-6]
            assert row.tolist() == [inside[i] for i in faces.fit(len(inside))]


def test_what_is_kept_of_a_clip(done):
    for clip in done:
        found = arrays(clip)
        assert set(found) == {"audio", "faces", "frames", "speech", "span", "starts", "found"}
        assert {found[name].dtype for name in ("audio", "faces")} == {np.dtype("float32")}
        assert found["frames"].dtype == np.int32 and found["found"].all()
        for name in features.SMALL:
            np.testing.assert_array_equal(getattr(clip, name), found[name])
        assert CLASSES[clip.label][:2].lower() == clip.video.stem[:2]
        assert np.ptp(found["audio"], axis=0).any() and np.ptp(found["faces"], axis=0).any()


def test_extract_keeps_the_order_and_both_corpora_share_their_films(done, places):
    assert [clip.name for clip in done] == [clip.name for clip in rml.list_recordings(places["RML"])]
    before = files(places["CACHE"])
    others, unusable = features.extract(
        enterface.list_recordings(places["ENTERFACE"]), TINY, SOURCE, shaped(), places["CACHE"], 1, 1
    )
    assert files(places["CACHE"]) == before and not unusable and len(others) == 18
    assert {clip.file for clip in others} == {clip.file for clip in done} and len({clip.file for clip in done}) == 12
    assert not {clip.digest for clip in others} & {clip.digest for clip in done}


# ---------------------------------------------------------------------------------------------- clips by hand


def voice(seconds: float, start: float = 0.0, end: float = 99.0) -> np.ndarray:
    """A hum of 100 Hz (1, n), but between start and end noise of the speech band."""
    from scipy.signal import butter, sosfilt

    n = round(seconds * RATE)
    time = np.arange(n) / RATE
    noise = sosfilt(butter(4, (600, 2500), "band", fs=RATE, output="sos"), np.random.default_rng(0).standard_normal(n))
    spoken = (start <= time) & (time < end)
    return np.where(spoken, 0.2 * noise, 0.02 * np.sin(2 * np.pi * 100 * time))[None]


def hand(path: Path, frames: int = 50, sound: np.ndarray | None = None) -> acted.Clip:
    """Frame k, 25 per second, has the brightness 8 k modulo 256; without `sound` speech from 0.5 to 1.5 s."""
    return acted.Clip(
        "s1/an1", "s1", "Anger", film(path, frames, voice(frames / 25, 0.5, 1.5) if sound is None else sound)
    )


@pytest.fixture
def seen(monkeypatch):
    """The whole frame is a face, and fc6 the mean of an image: with it every face says which frame it is."""
    asked = []

    def mean(network, pictures):
        asked.append(np.array(pictures))
        return np.repeat(asked[-1].mean(axis=(1, 2, 3), dtype=np.float32)[:, None], 8, axis=1)

    monkeypatch.setattr(faces, "load_detector", lambda *_: lambda image: WHOLE)
    monkeypatch.setattr(features, "_build_network", lambda settings: None)
    monkeypatch.setattr(vgg19, "embed", mean)
    return asked


def test_a_segment_hears_and_sees_the_same_moment(tmp_path, seen):
    clip = load(hand(tmp_path / "an1.avi", 75, voice(3, 1.0, 2.0)), tmp_path / "cache")
    assert np.abs(clip.speech - [1, 2]).max() < 0.03 and np.abs(clip.span - [0.8, 2.2]).max() < 0.03
    found = arrays(clip)
    for begins, row in zip(clip.span[0] + clip.starts, found["frames"]):
        inside = [k for k in range(75) if begins - 1e-6 <= k / 25 < begins + images.LENGTH - 1e-6]
        expected = np.array([8 * inside[i] % 256 for i in faces.fit(len(inside))])
        np.testing.assert_allclose(found["faces"][row, 0], expected, atol=4)  # half of what frames differ by
    pictures, _ = seen
    sound = vad.cut(audio.read_from_video(clip.video, 16_000), 16_000, tuple(clip.span))
    np.testing.assert_array_equal(pictures, images.cut_segments(sound, TINY)[0])
    assert len(pictures) == len(clip.starts) == 3


def test_without_voice_activity_the_whole_clip_is_kept(tmp_path, seen):
    silent = hand(tmp_path / "an1.avi", 50, voice(2, 9, 9))
    clip = load(silent, tmp_path / "cache", vad="off")
    assert clip.span.tolist() == clip.speech.tolist() == [0, 2] and len(clip.found) == 50 and len(clip.starts) == 5
    with pytest.raises(InputError, match="no speech is found in it; leave the clip out, or keep all .*--set vad=off"):
        load(silent, tmp_path / "cache")


def test_frames_without_a_face_are_noted(tmp_path, seen, monkeypatch):
    monkeypatch.setattr(faces, "load_detector", lambda *_: lambda image: None if 100 < image.mean() < 150 else WHOLE)
    clip = load(hand(tmp_path / "an1.avi"), tmp_path / "cache")
    first = int(np.ceil(clip.span[0] * 25 - 1e-6))
    dark = [k for k in range(first, first + len(clip.found)) if 100 < 8 * k % 256 < 150]
    assert (first + np.flatnonzero(~clip.found)).tolist() == dark and faces.find_longest_gap(clip.found) == len(
        dark
    ) > 3


def test_the_detector_of_the_user_changes_the_faces_alone(done, places, tmp_path):
    """One that takes the left half of every frame for a face."""
    source = features.Source("random", test_ssd.write(tmp_path, (0.9, 0, 0, 0.5, 1)))
    other = load(rml.list_recordings(places["RML"])[0], tmp_path / "cache", source)
    ours, theirs = arrays(done[0]), arrays(other)
    assert done[0].digest != other.digest and not np.array_equal(ours.pop("faces"), theirs.pop("faces"))
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


# ------------------------------------------------------------------------------------------------------ the cache


@pytest.fixture
def clip(tmp_path) -> acted.Clip:
    return hand(tmp_path / "an1.avi")


@pytest.fixture
def never(monkeypatch):
    """From its call on nothing can be computed."""

    def refuse(*_):
        raise AssertionError("computed again")

    return lambda: monkeypatch.setattr(features, "compute", refuse)


def test_what_is_in_the_cache_is_not_computed_again(clip, tmp_path, seen, never):
    before = load(clip, tmp_path / "cache")
    there = files(tmp_path / "cache")
    never()
    after = load(clip, tmp_path / "cache")
    for name in features.SMALL:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert before.digest == after.digest and len(there) == 1 and files(tmp_path / "cache") == there
    others = [{"name": "s1/an2"}, {"subject": "s2"}, {"label": "Fear"}]
    found = [load(replace(clip, **change), tmp_path / "cache") for change in others]
    assert {one.file for one in found} == {before.file} and len({before.digest, *(one.digest for one in found)}) == 4


def test_the_same_film_gives_the_same_bytes(done, places, tmp_path):
    again = load(rml.list_recordings(places["RML"])[0], tmp_path / "cache")
    assert again.file.read_bytes() == done[0].file.read_bytes() and again.digest == done[0].digest


def test_another_film_is_another_entry(clip, tmp_path, seen):
    one = load(clip, tmp_path / "cache")
    film(clip.video, 51, voice(2, 0.5, 1.5))
    other = load(clip, tmp_path / "cache")
    assert one.file != other.file and one.digest != other.digest and len(files(tmp_path / "cache")) == 2


DAMAGED = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("text"),
    "without its span": lambda path: np.savez(path, audio=np.zeros(3)),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_entry_is_computed_again(clip, tmp_path, seen, damage):
    before = load(clip, tmp_path / "cache")
    whole = before.file.read_bytes()
    DAMAGED[damage](before.file)
    assert before.file.read_bytes() != whole
    assert load(clip, tmp_path / "cache").digest == before.digest and before.file.read_bytes() == whole


PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np
from datasets.acted import Clip
from replications.priyasad2019 import features
video, cache, mine, other, deed = sys.argv[1:]
def compute(*_):
    Path(mine).touch()
    while not Path(other).exists():
        time.sleep(0.01)
    return {name: np.full(99_999, 5.0) for name in ("audio", *features.SMALL)}
def half(file, **arrays):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
features.compute = compute
if deed == "killed":
    np.savez = half
print(features.load(Clip("s1/an1", "s1", "Anger", Path(video)), {}, None, "shaped", Path(cache)).digest)
"""  # no TensorFlow is needed


def process(*words) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_that_want_the_same_entry(clip, tmp_path):
    """Each computes it at the same time: the second to be done puts the same in place of the first one's."""
    marks = tmp_path / "one", tmp_path / "other"
    both = [process(clip.video, tmp_path / "cache", mine, other, "") for mine, other in (marks, marks[::-1])]
    answers = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0] and all(mark.exists() for mark in marks)
    (entry,) = files(tmp_path / "cache")  # and nothing temporary beside it
    assert features.read(entry, ["audio"])["audio"].tolist() == [5.0] * 99_999


def test_killed_in_the_middle_of_a_write(clip, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    killed = process(clip.video, tmp_path / "cache", mark, mark, "killed")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (left,) = files(tmp_path / "cache")
    assert left.name.startswith(".") and left.read_bytes() == b"half"
    monkeypatch.setattr(features, "compute", lambda *_: {name: np.ones(2) for name in ("audio", *features.SMALL)})
    found = features.load(clip, {}, SOURCE, "shaped", tmp_path / "cache")
    assert found.span.tolist() == [1, 1] and set(files(tmp_path / "cache")) == {left, found.file}


def test_two_threads_that_want_the_same_clip(clip, tmp_path, seen, monkeypatch):
    """As above, with the real computation."""
    meeting, compute, found = threading.Barrier(2, timeout=60), features.compute, []

    def together(*words):
        meeting.wait()
        return compute(*words)

    monkeypatch.setattr(features, "compute", together)
    both = [threading.Thread(target=lambda: found.append(load(clip, tmp_path / "cache"))) for _ in "ab"]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found[0].digest == found[1].digest and len(files(tmp_path / "cache")) == 1
    np.testing.assert_array_equal(found[0].span, found[1].span)


# ------------------------------------------------------------------------------------ on what the cache depends


def other_value(name: str):
    """Some other value that the setting accepts."""
    choices, value = PAPER.settings[name].choices, TINY[name]
    if choices:
        return next(choice for choice in choices if choice != value)
    return value + (1 if isinstance(value, int) else value / 8)


@pytest.mark.parametrize("name", TINY)
def test_the_entry_depends_on_what_shapes_the_features_alone(name):
    changes = shaped(**{name: other_value(name)}) != shaped()
    assert changes == (name in features.SETTINGS or name in VGG)


def test_the_entry_depends_on_weights_and_detector(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder, confidence in zip(folders, (0.9, 0.8)):
        folder.mkdir()
        test_ssd.write(folder, (confidence, 0, 0, 1, 1))
        (folder / "weights.h5").write_bytes(folder.name.encode())
    ssds = [(folder / "deploy.prototxt", folder / "res10.caffemodel") for folder in folders]
    sources = [SOURCE, *(features.Source("random", files) for files in ssds)]
    sources += [features.Source(str(folder / "weights.h5")) for folder in folders]
    assert len({shaped(source) for source in sources}) == 5
    assert shaped(sources[1], face_confidence=0.6) != shaped(sources[1])
    shutil.copy(ssds[0][1], tmp_path / "renamed.caffemodel")  # the content counts
    assert shaped(features.Source("random", (ssds[0][0], tmp_path / "renamed.caffemodel"))) == shaped(sources[1])


def test_no_other_setting_is_read(clip, seen):
    """A setting that is forgotten in SETTINGS would take features of another one from the cache."""
    read = set()

    class Noted(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    features.compute(clip.video, Noted(TINY), SOURCE)
    assert read - {*features.SETTINGS, *VGG} == {"face_confidence"}  # which is in the detector's identity
    assert {*features.SETTINGS} - read == set()


# ----------------------------------------------------------------------------------------------- the whole corpus


def test_joined_is_what_the_clips_have(done, places):
    joined = features.join_segments(done, TINY, SOURCE, places["CACHE"])
    each = [arrays(clip) for clip in done]
    assert isinstance(joined.audio, np.memmap) and isinstance(joined.faces, np.memmap)
    assert not joined.audio.flags.writeable and joined.audio.dtype == joined.faces.dtype == np.float32
    np.testing.assert_array_equal(joined.audio, np.concatenate([found["audio"] for found in each]))
    shown = [found["faces"][found["frames"]] for found in each]  # (segments, 20, fc6)
    np.testing.assert_array_equal(joined.faces[joined.frames], np.concatenate(shown))
    assert joined.clip.tolist() == [i for i, found in enumerate(each) for _ in found["audio"]]
    network = vgg19.build_network({name: TINY[name] for name in VGG} | {"weights": "random"})
    for ours, theirs in zip(joined.fc7, vgg19.get_fc7(network), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_joined_is_not_joined_again(done, places, monkeypatch):
    features.join_segments(done, TINY, SOURCE, places["CACHE"])
    before = files(places["CACHE"])
    monkeypatch.setattr(features, "_build_network", lambda settings: pytest.fail("VGG19 is built again"))
    features.join_segments(done, TINY, SOURCE, places["CACHE"])
    assert files(places["CACHE"]) == before


def test_fewer_clips_or_another_order_are_joined_anew(done, tmp_path):
    for clips in (done[:3], done[2::-1], done[:2]):
        joined = features.join_segments(clips, TINY, SOURCE, tmp_path)
        assert joined.clip.tolist() == [i for i, clip in enumerate(clips) for _ in clip.starts]
        np.testing.assert_array_equal(joined.audio[joined.clip == 1], arrays(clips[1])["audio"])
    assert len(files(tmp_path)) == 9


@pytest.mark.parametrize("damage", ["half", "empty", "text", "gone"])
@pytest.mark.parametrize("end", [".npz", "-audio.npy", "-faces.npy"])
def test_damaged_files_of_all_clips_are_written_again(done, tmp_path, end, damage):
    clips = done[:2]
    features.join_segments(clips, TINY, SOURCE, tmp_path)
    (file,) = (path for path in files(tmp_path) if path.name.endswith(end))
    whole = file.read_bytes()
    file.unlink() if damage == "gone" else DAMAGED[damage](file)
    joined = features.join_segments(clips, TINY, SOURCE, tmp_path)
    assert file.read_bytes() == whole
    np.testing.assert_array_equal(joined.audio[joined.clip == 0], arrays(clips[0])["audio"])


def test_a_damage_that_only_joining_sees_is_told(done, tmp_path):
    """Of each clip little is read before that; a byte of its large arrays may have changed."""
    file = tmp_path / done[0].file.name
    data = bytearray(done[0].file.read_bytes())
    place = data.index(arrays(done[0])["faces"].tobytes())
    data[place] ^= 255
    file.write_bytes(data)
    assert features.read(file, features.SMALL)
    with pytest.raises(InputError, match=f"{re.escape(str(file))}: .* damaged; delete it and run again") as caught:
        features.join_segments([replace(done[0], file=file)], TINY, SOURCE, tmp_path)
    assert "\n" not in str(caught.value)
    assert [path.name[-10:] for path in files(tmp_path / "segments")] == ["-audio.npy"]  # nothing half written


# ------------------------------------------------------------------------------------------------------ bad clips


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def long_header(path: Path) -> None:
    """The speech goes on to the end, where the header has 200 frames more to come."""
    lying(path, hand(path.with_name("honest.avi"), 50, voice(2, 0.5)).video, 250)


DEFECTS = {
    "no speech": (lambda path: hand(path, 50, voice(2, 9, 9)), "no speech is found in it"),
    "silence": (lambda path: hand(path, 50, np.zeros((1, 2 * RATE))), "no speech is found in it"),
    "no sound": (lambda path: film(path, 50), "has no sound"),
    "sound of no samples": (lambda path: film(path, 50, np.zeros((1, 0))), "its sound is empty"),
    "no picture": (lambda path: film(path, 0, voice(2, 0.5, 1.5)), "holds no video"),
    "shorter than a segment": (
        lambda path: hand(path, 15, voice(0.6)),
        "0.600 s of sound are shorter than one segment",
    ),
    "header of more frames": (long_header, "cannot be decoded beyond 2.0 s of 10.0 s; copy it again"),
    "pictures of a part": (lambda path: hand(path, 12, voice(3)), "its pictures end at 0.4 s"),
    "text": (lambda path: write(path, b"no video"), "cannot be read"),
    "no bytes": (lambda path: write(path, b""), "cannot be read"),
    "missing": (lambda path: None, "cannot be read"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_clip_that_cannot_be_used_is_named_with_the_remedy(tmp_path, seen, defect):
    make, words = DEFECTS[defect]
    path = tmp_path / "s1" / "an1.avi"
    make(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: ") as caught:
        load(acted.Clip("s1/an1", "s1", "Anger", path), tmp_path / "cache")
    assert words in str(caught.value) and ";" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_clip_without_a_face(clip, tmp_path):
    """By dlib itself, in frames of one brightness."""
    with pytest.raises(InputError, match=r"an1.avi: no face found in \d+ frames; .* leave it out"):
        load(clip, tmp_path / "cache")


def test_a_header_of_fewer_frames_changes_nothing(clip, tmp_path, seen):
    honest = load(clip, tmp_path / "cache")
    lied = load(replace(clip, video=lying(tmp_path / "lying.avi", clip.video, 3)), tmp_path / "cache")
    assert lied.file != honest.file
    for name, values in arrays(honest).items():
        np.testing.assert_array_equal(arrays(lied)[name], values)


def test_what_is_cut_off_behind_the_speech_is_not_missed(tmp_path, seen):
    """Unlike speech that is cut off."""
    path = hand(tmp_path / "whole.avi", 75, voice(3, 0.5, 1.2)).video
    clip = load(acted.Clip("s1/an1", "s1", "Anger", lying(tmp_path / "an1.avi", path, 250)), tmp_path / "cache")
    assert len(clip.found) == sum(clip.span[0] - 1e-6 <= k / 25 < clip.span[1] - 1e-6 for k in range(75))


def test_a_clip_of_one_segment_is_the_shortest(tmp_path, seen):
    one = load(hand(tmp_path / "an1.avi", 17, voice(images.LENGTH)), tmp_path / "cache")
    assert len(one.starts) == 1 and one.span.tolist() == [0, pytest.approx(images.LENGTH, abs=1e-4)]


def test_extract_names_what_is_unusable(tmp_path, seen):
    clips = [replace(hand(tmp_path / f"{name}.avi"), name=name) for name in "abc"]
    film(clips[1].video, 50)
    found, unusable = features.extract(clips, TINY, SOURCE, shaped(), tmp_path / "cache", 1, 1)
    assert [one.name for one in found] == ["a", "c"]
    reason = "has no sound; copy it again from the distribution, or leave it out"
    assert unusable == [Unusable("b", str(clips[1].video), reason)]


@pytest.mark.parametrize("what", ["weights", "detector"])
def test_weights_and_detector_are_no_fault_of_a_clip(clip, tmp_path, what):
    """Else each of 720 clips would be unusable."""
    bad = tmp_path / "bad.h5"
    bad.write_text("text")
    source = features.Source(str(bad)) if what == "weights" else features.Source("random", (bad, bad))
    with pytest.raises(InputError, match=f"{re.escape(str(bad))}: .*; "):
        features.extract([clip, clip], TINY, source, shaped(source), tmp_path / "cache", 1, 1)
    assert not (tmp_path / "cache").exists()


# ------------------------------------------------------------------------------------------------- one to look at


@pytest.mark.parametrize("whole", [True, False])
def test_the_example_is_of_the_clip(done, whole):
    clip = done[0]
    shown = features.make_example(clip, TINY, SOURCE, whole)
    sound = audio.read_from_video(clip.video, 16_000)
    assert shown["sound"].shape == (2, 600) and shown["seconds"] == len(sound) / 16_000
    assert shown["sound"][0].min() == sound.min() and shown["sound"][1].max() == sound.max()
    assert (shown["sound"][0] <= shown["sound"][1]).all()
    assert shown["coefficients"].shape == (1 + (len(sound) - 400) // 160, 64 if whole else 13)
    seconds, ratio = shown["ratio"]
    spoken = vad.find_active(ratio, TINY["vad_threshold"], True, TINY["vad_median"])
    half = TINY["vad_window"] / 2
    np.testing.assert_allclose(shown["speech"], [seconds[spoken][0] - half, seconds[spoken][-1] + half])
    np.testing.assert_array_equal(shown["span"], clip.span)
    assert ({"faces", "face_times"} & set(shown) != set()) == whole
    if whole:
        size = TINY["face_size"]
        assert shown["faces"].shape == (7, size, size, 3) and shown["faces"].dtype == np.uint8
        times, (start, end), (first, last) = shown["face_times"], clip.span, clip.speech
        assert (np.diff(times) > 0).all() and start - 1e-6 <= times[0] < first and last < times[-1] < end
        assert first < times[2] and times[4] < last  # the three in the middle show speech


def test_the_faces_of_the_example_are_those_of_their_times(tmp_path, seen):
    clip = load(hand(tmp_path / "an1.avi", 32, voice(1.28, 0.3, 0.9)), tmp_path / "cache")
    shown = features.make_example(clip, TINY, SOURCE, True)
    bright = dict((round(time, 6), image.mean()) for time, image in video.read_frames(clip.video))
    for time, face in zip(shown["face_times"], shown["faces"], strict=True):
        assert abs(face.mean() - bright[round(float(time), 6)]) < 4
