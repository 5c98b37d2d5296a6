"""Alignment as geometry, and dlib on rendered faces."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.media import faces

SIZE = 96
ANGLE, SCALE, SHIFT = st.floats(-np.pi, np.pi), st.floats(0.2, 8.0), st.floats(-400, 400)


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def moved(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return points @ transform[:, :2].T + transform[:, 2]


def face_with(right_eye, left_eye, nose) -> np.ndarray:
    """68 landmarks with these eye centres and nose tip; the six points of an eye lie around its centre."""
    points = np.full((68, 2), np.nan)  # no other landmark may matter
    ring = 3 * np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)
    points[36:42], points[42:48], points[30] = right_eye + ring, left_eye + ring, nose
    return points


def cost(transform: np.ndarray, anchors: np.ndarray) -> float:
    return float(np.square(moved(anchors, transform) - faces.TEMPLATE * SIZE).sum())


# alignment


@given(ANGLE, SCALE, SHIFT, SHIFT)
def test_a_face_that_is_the_template_moved_is_moved_back(angle, scale, x, y):
    """Whatever rotation, scale and position: eyes and nose come to lie where TEMPLATE says."""
    there = similarity(angle, scale, x, y)
    anchors = moved(faces.TEMPLATE * SIZE, there)
    found = faces.fit_alignment(face_with(*anchors), SIZE)
    np.testing.assert_allclose(moved(anchors, found), faces.TEMPLATE * SIZE, atol=1e-6)
    both = np.vstack([found, [0, 0, 1]]) @ np.vstack([there, [0, 0, 1]])
    np.testing.assert_allclose(both, np.eye(3), atol=1e-6)


@given(st.lists(st.floats(-40, 40), min_size=6, max_size=6), ANGLE, st.floats(0.5, 2.0))
def test_other_faces_get_the_similarity_of_least_squares(offsets, angle, scale):
    """Against the closed form of Umeyama (1991) without reflection: a complex regression for points in the plane."""
    anchors = moved(faces.TEMPLATE * SIZE, similarity(angle, scale, 200, 100)) + np.reshape(offsets, (3, 2))
    source, target = anchors @ [1, 1j], (faces.TEMPLATE * SIZE) @ [1, 1j]
    spread = np.square(np.abs(source - source.mean())).sum()
    if spread < 100:  # three points in one place have no similarity
        return
    turn = (np.conj(source - source.mean()) * (target - target.mean())).sum() / spread
    shift = target.mean() - turn * source.mean()
    expected = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    np.testing.assert_allclose(faces.fit_alignment(face_with(*anchors), SIZE), expected, atol=1e-6)


def test_no_similarity_nearby_is_better():
    anchors = np.array([[100.0, 80.0], [150.0, 90.0], [118.0, 130.0]])
    best = faces.fit_alignment(face_with(*anchors), SIZE)
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b, u, v = rng.normal(size=4) * [0.02, 0.02, 1, 1]
        assert cost(best + [[a, -b, u], [b, a, v]], anchors) > cost(best, anchors)


def test_alignment_keeps_shape_and_grows_with_the_crop():
    points = face_with(np.array([100.0, 80.0]), np.array([150.0, 90.0]), np.array([118.0, 130.0]))
    small, large = faces.fit_alignment(points, 32), faces.fit_alignment(points, 96)
    np.testing.assert_allclose(3 * small, large)
    assert small[0, 0] == pytest.approx(small[1, 1]) and small[0, 1] == pytest.approx(-small[1, 0])


# crops


@pytest.mark.parametrize("angle", np.radians([-170, -90, -30, 0, 15, 60]))
@pytest.mark.parametrize("scale", [0.8, 1.5, 2.5])
def test_crop_puts_eyes_and_nose_where_the_template_says(angle, scale):
    """Each anchor is a bright spot of another colour; its centre of mass in the crop has to be the template's point."""
    import cv2

    anchors = moved(faces.TEMPLATE * SIZE, similarity(angle, scale, 300, 300))
    image = np.zeros((700, 700, 3), np.uint8)
    for channel, (x, y) in enumerate(anchors):
        spot = image[..., channel].copy()
        cv2.circle(spot, (round(16 * x), round(16 * y)), round(16 * 4 * scale), 255, -1, cv2.LINE_AA, shift=4)
        image[..., channel] = spot
    cropped = faces.crop(image, faces.fit_alignment(face_with(*anchors), SIZE), SIZE)
    assert cropped.shape == (SIZE, SIZE, 3) and cropped.dtype == np.uint8
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for channel, expected in enumerate(faces.TEMPLATE * SIZE):
        weight = cropped[..., channel].astype(float)
        centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        np.testing.assert_allclose(centre, expected, atol=0.3)


def test_outside_of_the_image_is_black():
    image = np.full((50, 50, 3), 255, np.uint8)
    cropped = faces.crop(image, similarity(0, 1, 20, 20), SIZE)
    assert not cropped[:18].any() and not cropped[:, :18].any() and (cropped[25:60, 25:60] == 255).all()


# dlib


@pytest.fixture(scope="module")
def model():
    return faces.locate_landmark_file()


@pytest.fixture(scope="module")
def rendered():
    """Frames of one simulated person with the true landmarks."""
    from datasets.simulated import script
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity, draw_nuisance

    plan = script.write_script(0, "Train_01", 20.0)
    camera = Camera(script.stream(0, "paint"), draw_identity(script.stream(0, "Train_01", "identity")))
    state = draw_nuisance(plan, np.arange(0, 20.0, 0.1))
    frames = [camera.film(state, index, np.zeros((2, 2))) for index in (0, 60, 120)]
    return [(image[..., ::-1].copy(), points) for image, points in frames]  # painted as BGR


def test_rendered_faces_are_found_where_they_are(rendered, model):
    for image, truth in rendered:
        found = faces.find_landmarks(image, model)
        assert found.shape == (faces.LANDMARKS, 2) and found.dtype == np.float32
        distance_of_eyes = np.linalg.norm(truth[faces.RIGHT_EYE].mean(axis=0) - truth[faces.LEFT_EYE].mean(axis=0))
        for part in (faces.RIGHT_EYE, faces.LEFT_EYE, slice(30, 31)):
            assert np.linalg.norm(found[part].mean(axis=0) - truth[part].mean(axis=0)) < 0.15 * distance_of_eyes


def test_the_subjects_right_eye_is_left_in_the_image(rendered, model):
    image, _ = rendered[0]
    found = faces.find_landmarks(image, model)
    assert found[faces.RIGHT_EYE, 0].max() < found[faces.LEFT_EYE, 0].min()


def test_the_largest_of_two_faces_counts(rendered, model):
    import cv2

    image, _ = rendered[0]
    both = np.full((480, 960, 3), 90, np.uint8)
    both[:240, :320] = image
    both[:, 320:] = cv2.resize(image, (640, 480))
    assert faces.find_landmarks(both, model)[:, 0].min() > 320


@pytest.mark.parametrize(
    "image",
    [np.full((120, 160, 3), 128), np.random.default_rng(0).integers(0, 256, (120, 160, 3))],
    ids=["grey", "noise"],
)
def test_no_face_is_none(image, model):
    assert faces.find_landmarks(image.astype(np.uint8), model) is None


# the landmark model


def test_the_packaged_model_is_there(model):
    assert model.is_file() and model.name == "shape_predictor_68_face_landmarks.dat"
    assert faces.locate_landmark_file(model) == model == faces.locate_landmark_file(str(model))


@pytest.mark.parametrize("name", ["nowhere.dat", "."])
def test_a_replacement_that_is_no_file(tmp_path, name):
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / name))}: no such file; --landmarks"):
        faces.locate_landmark_file(tmp_path / name)


def test_a_package_without_its_model_and_no_package(tmp_path, monkeypatch):
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: package)
    with pytest.raises(InputError, match="no such file; --landmarks"):
        faces.locate_landmark_file()
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed; install requirements.txt or"):
        faces.locate_landmark_file()


@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256)) * 40], ids=["empty", "text", "binary"])
def test_a_file_that_is_no_model(tmp_path, rendered, content):
    (tmp_path / "wrong.dat").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "wrong.dat"))) as caught:
        faces.find_landmarks(rendered[0][0], tmp_path / "wrong.dat")
    assert "\n" not in str(caught.value)


def test_a_model_of_five_landmarks_is_refused(rendered, model):
    five = model.with_name("shape_predictor_5_face_landmarks.dat")  # comes in the same package
    with pytest.raises(InputError, match="gives 5 landmarks, 68 are expected"):
        faces.find_landmarks(rendered[0][0], five)


# alignment by the eyes


@given(ANGLE, SCALE, SHIFT, SHIFT, st.tuples(st.floats(-40, 40), st.floats(-40, 40)))
def test_eyes_come_to_lie_exactly_on_the_template_wherever_the_nose_is(angle, scale, x, y, nose):
    there = similarity(angle, scale, x, y)
    right, left, tip = moved(faces.TEMPLATE * SIZE, there)
    found = faces.fit_eye_alignment(face_with(right, left, tip + nose), SIZE)
    np.testing.assert_allclose(moved(np.array([right, left]), found), faces.TEMPLATE[:2] * SIZE, atol=1e-6)
    both = np.vstack([found, [0, 0, 1]]) @ np.vstack([there, [0, 0, 1]])
    np.testing.assert_allclose(both, np.eye(3), atol=1e-6)


# tracking


def scene(*placed, width: int = 640) -> np.ndarray:
    """A grey frame (480, width) with faces: (image, x, y) each."""
    frame = np.full((480, width, 3), 90, np.uint8)
    for image, x, y in placed:
        frame[y : y + image.shape[0], x : x + image.shape[1]] = image
    return frame


@pytest.fixture
def searches(monkeypatch):
    """The shapes of the images that the detector is run on."""
    seen, detector = [], faces._load_dlib(faces.locate_landmark_file())
    monkeypatch.setattr(
        faces, "_load_dlib", lambda model: (lambda grey: seen.append(grey.shape) or detector[0](grey), detector[1])
    )
    return seen


def test_a_followed_face_is_searched_in_a_window_and_found_where_it_is(rendered, model, searches):
    tracker = faces.Tracker(model)
    for image, truth in rendered:
        found = tracker(image)
        assert found.shape == (faces.LANDMARKS, 2) and found.dtype == np.float32
        for part in (faces.RIGHT_EYE, faces.LEFT_EYE):
            assert np.linalg.norm(found[part].mean(axis=0) - truth[part].mean(axis=0)) < 5
    whole, *windows = searches
    assert whole == (240, 320) and len(windows) == 2
    assert max(max(shape) for shape in windows) <= 2 * faces.TRACKED_SIZE + 2


def test_a_large_frame_is_searched_at_480_rows_and_its_landmarks_are_in_its_own_pixels(rendered, model, searches):
    import cv2

    image, truth = rendered[0]
    found = faces.Tracker(model)(cv2.resize(image, None, fx=4, fy=4))
    assert searches == [(480, 640)]
    assert np.linalg.norm(found[faces.LEFT_EYE].mean(axis=0) - 4 * truth[faces.LEFT_EYE].mean(axis=0)) < 20


def test_a_second_larger_face_does_not_draw_the_tracker_away(rendered, model):
    import cv2

    image = rendered[0][0]
    large = cv2.resize(image, None, fx=1.4, fy=1.4)
    tracker = faces.Tracker(model)
    alone, both = scene((image, 0, 100), width=800), scene((image, 0, 100), (large, 330, 80), width=800)
    assert tracker(alone)[:, 0].max() < 320 and tracker.others == 0
    assert tracker(both)[:, 0].max() < 320
    fresh = faces.Tracker(model)
    assert fresh(both)[:, 0].min() > 330 and fresh.others == 1  # seen first, the largest counts
    assert fresh(alone)[:, 0].max() < 320 and fresh.others == 0  # it has left: the whole frame is searched at once


def test_a_face_that_leaves_and_returns_elsewhere(rendered, model, searches):
    image, tracker = rendered[0][0], faces.Tracker(model)
    assert tracker(scene((image, 0, 0))) is not None
    assert tracker(scene()) is None and searches[-1] == (480, 640)
    before = len(searches)
    assert tracker(scene()) is None and searches[before:] == [(480, 640)]  # no window without a last face
    assert tracker(scene((image, 320, 240)))[:, 0].min() > 320


def test_a_tracker_refuses_a_model_of_five_landmarks(rendered, model):
    with pytest.raises(InputError, match="gives 5 landmarks, 68 are expected"):
        faces.Tracker(model.with_name("shape_predictor_5_face_landmarks.dat"))(rendered[0][0])
