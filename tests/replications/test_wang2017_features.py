"""From videos to attributes: gaps held and marked, the cache, recordings that cannot be used."""

from types import SimpleNamespace

import av
import keras
import numpy as np
import pytest

from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from common.media import faces
from common.running.corpora import Unusable
from datasets.traces import Labels
from replications.wang2017 import attributes, features

PAPER = next(paper for paper in load_papers() if paper.id == "wang2017")
SMALL = resolve_settings(PAPER, "quick", ["face_size=32", "cnn_width=0.02", "fc_units=6"])
FPS, FRAMES, GAP = 25, 20, range(8, 12)
EMPTY = np.full((240, 320, 3), 128, np.uint8)


def write(path, images):
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=FPS)
        track.width, track.height, track.pix_fmt, track.bit_rate = 320, 240, "yuv420p", 10_000_000
        for image in images:
            container.mux(track.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")))
        container.mux(track.encode())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """One person who shows from the third frame on, but for GAP."""
    from datasets.simulated import script
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity, draw_nuisance

    plan, times = script.write_script(0, "Train_01", 20.0), np.arange(FRAMES) / FPS
    camera = Camera(script.stream(0, "paint"), draw_identity(script.stream(0, "Train_01", "identity")))
    state, affect = draw_nuisance(plan, times), script.trace_face(plan, times, "uniform")
    images = [camera.film(state, index, affect[index])[0] for index in range(FRAMES)]
    for index in (0, 1, *GAP):
        images[index] = EMPTY
    return write(tmp_path_factory.mktemp("video") / "devel_video001.avi", images)


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("cnn") / "cnn.npz"
    attributes.save(path, attributes.build_network(SMALL))
    return path


def reader(**changes):
    time = np.arange(FRAMES) / FPS
    labels = Labels(time, np.sin(time), np.cos(time))
    return SimpleNamespace(**{"read_labels": lambda recording: labels, **changes})


def recording(path):
    return SimpleNamespace(name="devel_001", partition="devel", video=path, labels={})


def load(path, cnn, cache, **changes):
    return features.load(recording(path), reader(**changes), SMALL, cnn, faces.locate_landmark_file(), cache)


def test_gaps_are_held_and_marked(video, cnn, tmp_path):
    found = load(video, cnn, tmp_path)
    assert found.attributes.shape == (FRAMES, 6) and found.attributes.dtype == np.float32
    assert np.flatnonzero(~found.found).tolist() == [0, 1, *GAP]
    assert (found.attributes[list(GAP)] == found.attributes[GAP[0] - 1]).all()
    assert (found.attributes[:2] == found.attributes[2]).all()
    assert not np.array_equal(found.attributes[12], found.attributes[7])


def test_attributes_are_those_of_the_aligned_face(video, cnn, tmp_path):
    from common.media.video import read_frames

    tracker, size = faces.Tracker(faces.locate_landmark_file()), SMALL["face_size"]
    for index, (_, image) in enumerate(read_frames(video)):
        points = tracker(image)
        if index == 5:
            break
    crop = faces.crop(image, faces.fit_eye_alignment(points, size), size)
    network = attributes.build_extractor(attributes.restore(cnn, SMALL))
    by_hand = np.asarray(network(attributes.preprocess(crop[None], size)))[0]
    assert np.allclose(load(video, cnn, tmp_path).attributes[5], by_hand, rtol=1e-4, atol=1e-4)
    settings = SMALL | {"clip_step": 5, "clip_frames": 3}  # frames 0, 5 and 10, of which one shows a face
    found = features.load(
        recording(video), reader(), settings, cnn, faces.locate_landmark_file(), tmp_path / "another cache"
    )
    np.testing.assert_array_equal(np.load(found.faces, allow_pickle=False), crop[None])


def test_faces_of_another_clip_are_kept_without_the_cnn(video, cnn, tmp_path, monkeypatch):
    load_with = lambda settings: features.load(  # noqa: E731
        recording(video), reader(), settings, cnn, faces.locate_landmark_file(), tmp_path
    )
    first = load_with(SMALL | {"clip_step": 2, "clip_frames": 4})  # frames 0, 2, 4 and 6, of which the first shows none
    monkeypatch.setattr(features, "extract_attributes", lambda *_: pytest.fail("computed again"))
    other = load_with(SMALL | {"clip_step": 4, "clip_frames": 2})
    kept, fewer = (np.load(one.faces, allow_pickle=False) for one in (first, other))
    assert len(kept) == 3 and first.digest == other.digest
    np.testing.assert_array_equal(fewer, kept[1:2])


def test_computed_once(video, cnn, tmp_path, monkeypatch):
    first = load(video, cnn, tmp_path)
    monkeypatch.setattr(features, "extract_attributes", lambda *_: pytest.fail("computed again"))
    again = load(video, cnn, tmp_path)
    assert np.array_equal(first.attributes, again.attributes) and first.digest == again.digest
    other = Labels(first.time, first.labels.arousal + 0.1, first.labels.valence)
    assert load(video, cnn, tmp_path, read_labels=lambda recording: other).digest != first.digest


def test_a_video_without_a_face_is_unusable(cnn, tmp_path):
    path = write(tmp_path / "empty.avi", [EMPTY] * FRAMES)
    with pytest.raises(InputError, match=f"no face found in {FRAMES} frames"):
        load(path, cnn, tmp_path)
    usable, unusable = features.extract(
        [recording(path)], reader(), SMALL, cnn, faces.locate_landmark_file(), tmp_path, jobs=1, threads=1
    )
    assert not usable and isinstance(unusable[0], Unusable) and unusable[0].file.endswith("empty.avi")


def test_missing_files_and_labels_beyond_the_video(video, cnn, tmp_path):
    with pytest.raises(InputError, match="gone.avi: missing"):
        load(tmp_path / "gone.avi", cnn, tmp_path)
    time = np.arange(4 * FPS) / FPS
    with pytest.raises(InputError, match="truncated"):
        load(video, cnn, tmp_path, read_labels=lambda recording: Labels(time, time, time))
