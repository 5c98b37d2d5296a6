"""From clips to sequences: points by hand, gaps held, the cache, whitening, and clips that cannot be used."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from common.media import faces
from common.running.corpora import Unusable
from datasets import afew, afew_files, layout
from replications.chao2016 import caffenet, features, yaafe

PAPER = next(paper for paper in load_papers() if paper.id == "chao2016")
CHANGES = {
    "units": 4, "proposed_units": 4, "select_units": 3, "embedding_units": 2, "audio_dimensions": 5,
    "shape_dimensions": 3, "selected": 6, "cnn_width": 0.03, "forest_trees": 5, "epochs": 2, "batch_size": 4,
}  # fmt: skip
OVERRIDES = [f"{name}={value}" for name, value in CHANGES.items()]
TINY = resolve_settings(PAPER, "quick", OVERRIDES)
SHAPE = {name: TINY[name] for name in ("cnn_order", "cnn_width", "cnn_dropout", "cnn_weight_decay")}
RATE = 44_100
SEEN = (2, 3, 6, 9, 10, 14)  # numbers of the frames with a face, from 1
KEPT = [0, 7, 11, 30, 31, 50]  # columns of pool5


# ------------------------------------------------------------------------------------ a corpus without a simulator


def noise(*seed: int, seconds: float = 1.0) -> np.ndarray:
    """Sound (1, n) float in [-0.3, 0.3] that becomes louder."""
    n = round(seconds * RATE)
    return 0.3 * np.random.default_rng([*seed]).uniform(-1, 1, (1, n)) * np.linspace(0.1, 1, n)


def film(path: Path, frames: int = 25, sound: np.ndarray | None = None, rate: int = RATE, size=(64, 48)) -> Path:
    """An AVI of `frames` dark frames, 25 per second, with `sound` (channels, n) as PCM, or without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=Fraction(afew.FPS)) if frames else None
        if video:
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if sound is not None:
            layout = {1: "mono", 2: "stereo"}[len(sound)]
            audio = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        for i in range(frames):
            image = np.full((size[1], size[0], 3), 8 * i % 256, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if video:
            container.mux(video.encode())
        if sound is not None and sound.size:
            samples = np.round(sound.T * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def picture(path: Path, *seed: int, size: int = 32) -> Path:
    """A face of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([*seed]).integers(0, 256, (size // 4, size // 4, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(pixels, (size, size)))
    return path


def write_points(path: Path, numbers, *seed: int, landmarks: int = 49) -> Path:
    """A row for each of the frames with these numbers, from 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = 100 + 20 * np.random.default_rng([*seed]).standard_normal((len(numbers), 2 * landmarks))
    np.savetxt(path, np.column_stack([numbers, rows]), ["%d", *["%.2f"] * (2 * landmarks)])
    return path


def write_clip(root: Path, partition: str, index: int, frames: int = 25, numbers=SEEN) -> Path:
    """Clip number `index` of a partition, whose class is the `index`-th: video, faces, points; the path of the video."""
    label = "" if partition == "Test" else afew.CLASSES[index % len(afew.CLASSES)]
    seed, stem = (afew.PARTITIONS.index(partition), index), f"{index:09d}"
    top = root / f"{partition}_AFEW"
    for number in numbers:
        picture(top / "AlignedFaces_LBPTOP_Points/Faces" / stem / f"{number:03d}.jpg", *seed, number)
    if numbers:
        write_points(top / "AlignedFaces_LBPTOP_Points/Points" / f"{stem}.txt", numbers, *seed)
    return film(top / label / f"{stem}.avi", frames, noise(*seed, seconds=frames / afew.FPS))


def write_tree(root: Path, train: int = 4, val: int = 3, test: int = 2, control: str | None = None) -> Path:
    """A whole corpus; with a `control` one that says it is simulated, and the truth of it."""
    counts = dict(zip(afew.PARTITIONS, (train, val, test)))
    for partition, count in counts.items():
        for index in range(count):
            write_clip(root, partition, index, frames=25 + 2 * index)
    (root / "truth").mkdir()
    rows = [f"{index:09d},{afew.CLASSES[index % 7]}\n" for index in range(test)]
    (root / "truth" / "test_labels.csv").write_text("".join(["name,Class\n", *rows]))
    if control:
        (root / layout.MARKER).write_text(json.dumps({"control": control, "train": train, "val": val, "test": test}))
        for partition, count in counts.items():
            for index in range(count):
                time = np.arange(25 + 2 * index) / afew.FPS
                salient = np.arange(len(time)) % 16 < 7
                truth = {"label": afew.CLASSES[index % 7], "strength": 0.5 + 0.1 * (index % 5), "offset": 0.0}
                truth["person"] = f"{partition} person {index // 3}"
                truth |= {"frame_salient": salient, "frame_shown": salient.astype(float)}
                truth |= {"voice_shown": truth["frame_shown"], "episode_in_voice": np.array([True])}
                np.savez(root / "truth" / f"{partition}_{index:09d}.npz", **truth)
    return root


@pytest.fixture
def clip(tmp_path) -> afew.Clip:
    """A training clip of one second, of the class Angry."""
    return first(write_tree(tmp_path / "corpus", 1, 1, 0))


def first(root: Path) -> afew.Clip:
    return afew.list_recordings(root)[0]


@pytest.fixture(scope="module")
def cnn(tmp_path_factory) -> features.CNN:
    path = tmp_path_factory.mktemp("cnn") / "columns.npy"
    np.save(path, np.array(KEPT))
    return features.CNN("random", tuple(sorted(SHAPE.items())), path)


def load(clip: afew.Clip, cnn, cache: Path, **changes) -> features.Features:
    return features.load(clip, {**TINY, **changes}, cnn, faces.locate_landmark_file(), cache)


# ----------------------------------------------------------------------------------------------------- landmarks


def test_points_are_the_68_without_jaw_and_inner_corners_of_the_mouth():
    brows, nose, eyes = range(17, 27), range(27, 36), range(36, 48)
    outer_lips, inner_lips = range(48, 60), (61, 62, 63, 65, 66, 67)
    assert faces.INNER.tolist() == [*brows, *nose, *eyes, *outer_lips, *inner_lips]
    assert len(faces.INNER) == afew_files.POINTS == 49


def test_z_score_by_hand():
    """Two landmarks in three frames: x of the first at 1, 2, 3, its y still; the second moves along both axes."""
    points = np.array([[[1, 5], [0, 4]], [[2, 5], [3, 0]], [[3, 5], [3, 2]]], np.float32)
    up, down = np.sqrt(1.5), np.sqrt(2)
    expected = [[-up, 0, -down, up], [0, 0, down / 2, -up], [up, 0, down / 2, 0]]
    found = features.normalise_points(points, "z-score")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scale_by_hand():
    """Centre (4, 5); distances 5 and 5 in the first frame, 0 and 10 in the second: 5 on average."""
    points = np.array([[[7, 9], [1, 1]], [[4, 5], [4, 5]]], np.float32)
    np.testing.assert_allclose(features.normalise_points(points, "scale"), [[1.2, 1.6, -1.2, -1.6], [0] * 4], atol=1e-6)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-500, 500))
def test_size_and_place_of_the_face_do_not_matter(frames, seed, factor, shift):
    points = np.random.default_rng(seed).normal(100, 20, (frames, 49, 2))
    for scaling in ("z-score", "scale"):
        found = features.normalise_points(points, scaling)
        assert found.shape == (frames, 98) and np.isfinite(found).all()
        np.testing.assert_allclose(features.normalise_points(points * factor + shift, scaling), found, atol=1e-3)


@pytest.mark.parametrize("scaling", ["z-score", "scale"])
def test_what_does_not_move_is_zero_or_keeps_its_shape(scaling):
    still = np.broadcast_to(np.random.default_rng(0).normal(100, 20, (49, 2)), (7, 49, 2)).astype(np.float32)
    found = features.normalise_points(still, scaling)
    assert (found == found[0]).all() and np.isfinite(found).all()
    assert (np.abs(found).max() > 0.1) == (scaling == "scale")  # a shape that rests is still a shape
    assert not features.normalise_points(np.zeros((7, 49, 2), np.float32), scaling).any()


@given(st.sets(st.integers(0, 40), min_size=1), st.integers(1, 60))
def test_last_known_frame_by_searching_backwards(known, count):
    frames = sorted(known)
    for frame, place in enumerate(features.find_last_known(frames, count)):
        before = [k for k in frames if k <= frame]
        assert frames[place] == (before[-1] if before else frames[0])


# ------------------------------------------------------------------------------------------------------- one clip


def test_a_clip_has_all_its_sequences(clip, cnn, tmp_path):
    found = load(clip, cnn, tmp_path / "cache")
    assert (found.name, found.partition, found.label) == ("Train/000000000", "Train", 0)
    assert found.audio.shape == (yaafe.count_frames(16_000), 901) and found.audio.dtype == np.float32
    assert found.shape.shape == (25, 98) and found.shape.dtype == np.float32
    assert found.appearance.shape == (25, 6) and found.appearance.dtype == np.float32
    assert all(np.isfinite(values).all() for values in (found.audio, found.shape, found.appearance))
    assert np.ptp(found.appearance, axis=0).any()


def test_the_sound_is_that_of_the_video(clip, cnn, tmp_path):
    from scipy.signal import resample_poly

    signal = resample_poly(noise(0, 0)[0], 160, 441)
    found = load(clip, cnn, tmp_path / "cache").audio
    wanted = yaafe.compute_features(signal)
    energy = list(yaafe.count_columns()).index("Energy")
    column = sum(list(yaafe.count_columns().values())[:energy])
    np.testing.assert_allclose(found[:, column], wanted[:, column], atol=1e-3 * wanted[:, column].max())


def test_gaps_are_held_and_marked(clip, cnn, tmp_path):
    """Numbers count from 1: frames 1, 2, 5, 8, 9 and 13 have a face."""
    seen = [number - 1 for number in SEEN]
    found = load(clip, cnn, tmp_path / "cache")
    assert np.flatnonzero(found.found).tolist() == seen
    images = [afew_files.read_face(path) for path in clip.faces]
    network = caffenet.build_network(SHAPE)
    caffenet.load(network, "random")
    pooled = caffenet.embed(network, images)[:, KEPT]
    _, points = afew_files.read_points(clip)
    held = [0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, *[5] * 12]  # by hand: of each frame, which of the six faces
    np.testing.assert_allclose(found.appearance, pooled[held], atol=1e-5)
    np.testing.assert_allclose(found.shape, features.normalise_points(points[held], "z-score"), atol=1e-5)


def test_gaps_in_the_points_are_their_own(clip, cnn, tmp_path):
    """The tracker lost the landmarks in frames whose face was cut: each stream holds what it had last."""
    write_points(clip.points, (3, 14), 9)
    found = load(clip, cnn, tmp_path / "cache")
    assert np.flatnonzero(np.diff(found.shape, axis=0).any(axis=1)).tolist() == [12]  # frame 13 is the second known
    assert found.found.sum() == len(SEEN)


def test_faces_beyond_the_stated_length_lengthen_the_clip(clip, cnn, tmp_path):
    """Containers may count a frame too few."""
    extra = picture(clip.faces[0].with_name("027.jpg"), 27)
    found = load(replace(clip, faces=(*clip.faces, extra)), cnn, tmp_path / "cache")
    assert len(found.shape) == len(found.appearance) == len(found.found) == 27 and found.found[26]


def test_a_clip_without_a_face_has_zeros(clip, cnn, tmp_path):
    found = load(replace(clip, faces=(), points=None), cnn, tmp_path / "cache")
    assert not found.found.any() and len(found.found) == 25
    assert not found.shape.any() and not found.appearance.any() and found.audio.any()


def test_labels_of_the_classes_and_none(clip, cnn, tmp_path):
    for number, label in enumerate(afew.CLASSES):
        assert load(replace(clip, label=label), cnn, tmp_path / "cache").label == number
    assert load(replace(clip, label=None), cnn, tmp_path / "cache").label is None


# ------------------------------------------------------------------------------------------ faces from the video


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> afew.Clip:
    """The shortest of some simulated clips, with sound that nobody spoke."""
    from datasets.simulated import afew as simulated
    from datasets.simulated import speech
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity
    from datasets.simulated.script import stream

    manifest = simulated.Manifest("afew", "salient", 0, 7, 0, 0, 0.04, 1)
    chosen = min((c for c in simulated.draw_clips(manifest) if not len(c.plan.hidden)), key=lambda c: c.plan.length)
    root = tmp_path_factory.mktemp("rendered")
    for folder in simulated.list_folders():
        (root / folder).mkdir(parents=True, exist_ok=True)
    who = draw_identity(stream(0, chosen.person, "identity"))
    camera = Camera(stream(0, chosen.person, "paint"), who)
    track = 0.1 * np.random.default_rng(0).standard_normal(round(chosen.plan.length * speech.RATE))
    simulated.record(root, manifest, chosen, camera, track)
    film(root / "Val_AFEW/Angry/000000001.avi")
    return first(root)


def test_dlib_finds_the_points_that_are_provided(rendered):
    frames, images, point_frames, points = features.track_faces(rendered, faces.locate_landmark_file())
    given_frames, given_images, given_point_frames, given_points = features.read_provided(rendered, None)
    assert frames == given_frames and point_frames.tolist() == given_point_frames.tolist() == frames
    distance = np.linalg.norm(points - given_points, axis=-1)
    assert points.shape == given_points.shape == (len(frames), 49, 2) and points.dtype == np.float32
    assert np.median(distance) < 3 and np.quantile(distance, 0.95) < 6  # pixels; the simulated tracker has 0.5 of noise
    for image, other in zip(images, given_images, strict=True):
        assert image.shape == other.shape == (128, 128, 3)
        assert np.abs(image.astype(float) - other).mean() < 10  # of 256 levels, JPEG and noise in the points


def test_dlib_needs_no_faces_of_the_organisers(rendered, cnn, tmp_path):
    bare = replace(rendered, faces=(), points=None)
    found = load(bare, cnn, tmp_path / "cache", faces="dlib")
    assert found.found.all() and np.ptp(found.shape, axis=0).all()
    assert not load(bare, cnn, tmp_path / "cache").found.any()  # and its own place in the cache


# ------------------------------------------------------------------------------------------------------ the cache


def test_what_is_in_the_cache_is_not_computed_again(clip, cnn, tmp_path, monkeypatch):
    before = load(clip, cnn, tmp_path / "cache")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}

    def never(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(features, "extract_sound", never)
    monkeypatch.setattr(features, "extract_pictures", never)
    after = load(clip, cnn, tmp_path / "cache")
    for name in ("audio", "shape", "appearance", "found"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert before.digest == after.digest and len(files) == 3
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    other = load(clip, cnn, tmp_path / "cache", landmark_scaling="scale")  # is no part of what is cached
    assert other.digest != before.digest and not np.array_equal(other.shape, before.shape)


def test_the_same_clip_gives_the_same_numbers(clip, cnn, tmp_path):
    one, other = (load(clip, cnn, tmp_path / name) for name in "ab")
    for name in ("audio", "shape", "appearance", "found"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def renamed(clip: afew.Clip) -> afew.Clip:
    moved = clip.faces[2].rename(clip.faces[2].with_name("007.jpg"))
    return replace(clip, faces=(*clip.faces[:2], moved, *clip.faces[3:]))


CHANGED = {
    "class": lambda clip: replace(clip, label="Sad"),
    "no class": lambda clip: replace(clip, label=None),
    "face": lambda clip: picture(clip.faces[2], 99),
    "frame of a face": renamed,
    "no faces": lambda clip: replace(clip, faces=(), points=None),
    "points": lambda clip: write_points(clip.points, SEEN, 99),
    "video": lambda clip: film(clip.video, 25, noise(99)),
    "pictures of the video": lambda clip: film(clip.video, 26, noise(0, 0)),
}


@pytest.mark.parametrize("change", CHANGED)
def test_another_clip_has_another_digest(clip, cnn, tmp_path, change):
    before = load(clip, cnn, tmp_path / "cache").digest
    changed = CHANGED[change](clip)
    after = load(changed if isinstance(changed, afew.Clip) else clip, cnn, tmp_path / "cache").digest
    assert after != before


def test_other_columns_of_pool5_have_another_digest(clip, cnn, tmp_path):
    np.save(tmp_path / "others.npy", np.array(KEPT) + 1)
    one, other = (load(clip, c, tmp_path / "cache") for c in (cnn, replace(cnn, selected=tmp_path / "others.npy")))
    assert one.digest != other.digest and not np.array_equal(one.appearance, other.appearance)


def test_settings_of_the_networks_change_nothing(clip, cnn, tmp_path):
    assert load(clip, cnn, tmp_path / "c").digest == load(clip, cnn, tmp_path / "c", units=9, epochs=9).digest


# ------------------------------------------------------------------------------------------------------ bad input


DEFECTS = {
    "no sound": (lambda clip: film(clip.video), "video", "has no sound"),
    "sound of no samples": (lambda clip: film(clip.video, 25, np.zeros((1, 0))), "video", "its sound is empty"),
    "no picture": (lambda clip: film(clip.video, 0, noise(1)), "video", "holds no video"),
    "text": (lambda clip: clip.video.write_text("text"), "video", "cannot be read"),
    "one frame": (
        lambda clip: film(clip.video, 1, noise(1)) and replace(clip, faces=clip.faces[:0], points=None),
        "video",
        "has 1 video frame",
    ),
    "fewer than four frames of sound": (
        lambda clip: film(clip.video, 3, noise(1, seconds=0.09)) and replace(clip, faces=(), points=None),
        "video",
        "has 3 frames of sound, the alignment's window 4",
    ),
    "half of the sound": (
        lambda clip: film(clip.video, 60, noise(1, seconds=1.2)),
        "video",
        "1.2 s of sound and 2.4 s",
    ),
    "face far behind the end": (
        lambda clip: replace(clip, faces=(*clip.faces, picture(clip.faces[0].with_name("260.jpg")))),
        "video",
        "1.0 s of sound and 10.4 s",
    ),
    "48 landmarks": (lambda clip: write_points(clip.points, SEEN, landmarks=48), "points", "48 landmarks, expected 49"),
    "no points": (lambda clip: replace(clip, points=None), "video", "has no points"),
    "face of no picture": (lambda clip: clip.faces[3].write_text("text"), "face", "cannot be read as a picture"),
    "face of no bytes": (lambda clip: clip.faces[3].write_bytes(b""), "face", "cannot be read as a picture"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_clip_that_cannot_be_used_is_named_with_the_remedy(clip, cnn, tmp_path, defect):
    damage, kind, words = DEFECTS[defect]
    changed = damage(clip)
    changed = changed if isinstance(changed, afew.Clip) else clip
    file = {"video": clip.video, "points": clip.points, "face": clip.faces[3]}[kind]
    with pytest.raises(InputError, match=re.escape(f"{file}: ")) as caught:
        load(changed, cnn, tmp_path / "cache")
    assert words in str(caught.value) and ";" in str(caught.value) and "\n" not in str(caught.value)


def test_a_clip_of_four_frames_of_sound_is_the_shortest(clip, cnn, tmp_path):
    film(clip.video, 3, noise(1, seconds=0.11))
    bare = replace(clip, faces=(), points=None)
    assert len(load(bare, cnn, tmp_path / "cache").audio) == 4
    with pytest.raises(InputError, match="window 6"):
        load(bare, cnn, tmp_path / "cache", window=3)


def test_functionals_of_opensmile_are_not_needed(clip, cnn, tmp_path):
    """The paper has features of its own: a damaged ARFF is no reason to leave a clip out."""
    bad = tmp_path / "a.arff"
    bad.write_text("@relation x\n@attribute name string\n@attribute f numeric\n@data\n'a',1,2,3\n")
    with pytest.raises(InputError, match="4 fields"):
        afew_files.read_audio_features(bad)
    assert load(replace(clip, audio_features=bad), cnn, tmp_path / "cache").audio.any()


def test_extract_keeps_the_order_and_names_what_is_unusable(tmp_path, cnn):
    clips = afew.list_recordings(write_tree(tmp_path / "corpus", 3, 1, 1))
    film(clips[1].video)
    found, unusable = features.extract(clips, TINY, cnn, faces.locate_landmark_file(), tmp_path / "cache", 1, 1)
    assert [one.name for one in found] == [clip.name for clip in clips if clip is not clips[1]]
    reason = "has no sound; copy it again from the distribution, or leave it out"
    assert unusable == [Unusable(clips[1].name, str(clips[1].video), reason)]


# ------------------------------------------------------------------------------------------------------ whitening


def invented(name: str, steps: int, seed: int = 0, found: bool = True) -> features.Features:
    """Correlated columns of all scales, not whitened."""
    rng = np.random.default_rng([seed, *name.encode()])
    mixing = np.random.default_rng(5).standard_normal((98, 98)) * np.logspace(0, -2, 98)
    shape = rng.standard_normal((steps, 98)) @ mixing.T if found else np.zeros((steps, 98))
    audio = 3 + rng.standard_normal((steps * 5 // 4, 12)) * np.logspace(2, -1, 12)
    appearance = rng.standard_normal((steps, 6)).astype(np.float32)
    partition = name.partition("/")[0]
    known = np.full(steps, found)
    return features.Features(
        name, partition, 0, audio.astype(np.float32), shape.astype(np.float32), appearance, known, name
    )


def corpus() -> list[features.Features]:
    return [*(invented(f"Train/{i}", 30 + 10 * i) for i in range(5)), invented("Val/0", 40), invented("Test/0", 25)]


def joined(clips, name: str) -> np.ndarray:
    return np.concatenate([getattr(clip, name) for clip in clips if clip.partition == "Train"]).astype(np.float64)


@pytest.mark.parametrize("scaling", ["none", "z-score"])
@pytest.mark.parametrize("name", ["audio", "shape"])
def test_training_frames_are_white_and_turned_as_the_eigenvectors_say(name, scaling):
    """Against an eigen-decomposition of the covariance by hand; the sign of an axis is free."""
    clips = corpus()
    chosen = {**TINY, "audio_scaling": scaling}
    white = features.whiten(clips, chosen)
    raw, found = joined(clips, name), joined(white, name)
    size = chosen[f"{name}_dimensions"]
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(found.T), np.eye(size), atol=1e-4)
    if name == "audio" and scaling == "z-score":
        low, high = (np.quantile(raw, q, axis=0, method=m) for q, m in ((0.001, "higher"), (0.999, "lower")))
        raw = np.clip(raw, low, high)
        raw = raw / raw.std(axis=0)
    centred = raw - raw.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(raw) - 1))
    expected = centred @ vectors[:, ::-1][:, :size] / np.sqrt(values[::-1][:size])
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, atol=1e-3)


def test_a_frame_beyond_all_bounds_does_not_decide_the_scale():
    """YAAFE's kurtosis exceeds 1e17 in frames with a single loud sample; the others must stay apart."""
    clips = corpus()
    wild = clips[0].audio.copy()
    wild[3, 2] = 1e20
    ours = features.whiten([replace(clips[0], audio=wild), *clips[1:]], TINY)
    kept = [row for clip, other in zip(ours, features.whiten(clips, TINY)) for row in zip(clip.audio, other.audio)]
    assert max(np.abs(clip.audio).max() for clip in ours) < 30
    differences = [np.abs(np.abs(one) - np.abs(other)).max() for one, other in kept]
    assert np.median(differences) < 0.2


def test_the_scale_of_the_appearance():
    clips = corpus()
    plain, scaled = (features.whiten(clips, {**TINY, "appearance_scaling": s}) for s in ("none", "z-score"))
    assert all(np.array_equal(one.appearance, other.appearance) for one, other in zip(plain, clips))
    frames = joined(scaled, "appearance")
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    varied = joined(clips, "appearance").std(axis=0) > 0
    np.testing.assert_allclose(frames.std(axis=0)[varied], 1, atol=1e-4)


@pytest.mark.parametrize("scaling", ["none", "z-score"])
def test_no_face_is_zeros_whatever_the_scaling(scaling):
    clips = corpus()
    nothing = {name: getattr(clips[-1], name) * 0 for name in ("shape", "appearance", "found")}
    blind = replace(clips[-1], **nothing)
    last = features.whiten([*clips[:-1], blind], {**TINY, "appearance_scaling": scaling})[-1]
    assert not last.shape.any() and not last.appearance.any()


def test_other_clips_follow_the_training_partition():
    """A validation clip that is changed changes its own values alone."""
    clips = corpus()
    others = [invented("Val/0", 55, seed=1) if clip.name == "Val/0" else clip for clip in clips]
    one, other = features.whiten(clips, TINY), features.whiten(others, TINY)
    for before, after in zip(one, other, strict=True):
        same = before.name != "Val/0"
        for name in ("audio", "shape"):
            assert np.array_equal(getattr(before, name), getattr(after, name)) == same
    assert [clip.audio.shape[1] for clip in one] == [5] * 7 and [clip.shape.shape[1] for clip in one] == [3] * 7


def test_whitening_is_deterministic_and_leaves_the_rest_alone():
    clips = corpus()
    before = [clip.audio.copy() for clip in clips]
    one, other = features.whiten(clips, TINY), features.whiten(clips, TINY)
    for a, b, raw, kept in zip(one, other, clips, before, strict=True):
        assert np.array_equal(a.audio, b.audio) and np.array_equal(a.shape, b.shape)
        assert a.audio.dtype == a.shape.dtype == np.float32
        assert a.appearance is raw.appearance and a.digest == raw.digest and np.array_equal(raw.audio, kept)


def test_training_clips_without_a_face_are_not_fitted():
    clips = corpus()
    one, other = features.whiten(clips, TINY), features.whiten([*clips, invented("Train/9", 50, found=False)], TINY)
    assert np.array_equal(one[0].shape, other[0].shape) and np.array_equal(one[0].audio, other[0].audio)


def test_more_dimensions_than_frames():
    with pytest.raises(InputError, match="setting audio_dimensions: 9 is not accepted; give at most 4"):
        features.whiten([invented("Train/0", 4)], {**TINY, "audio_dimensions": 9})
