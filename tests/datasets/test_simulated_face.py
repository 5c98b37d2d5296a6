"""The rendered face: what affect moves, what moves without, and the landmarks and regions that it says it has."""

from dataclasses import fields

import cv2
import numpy as np
import pytest

from datasets.simulated import script
from datasets.simulated.face.camera import Camera
from datasets.simulated.face.geometry import box_regions
from datasets.simulated.face.people import Nuisance, draw_identity, draw_nuisance


def scene(seed: int = 0, length: float = 20.0) -> tuple[Camera, Nuisance, script.Script]:
    plan = script.write_script(seed, "Train_01", length)
    who = draw_identity(script.stream(seed, "Train_01", "identity"))
    times = np.arange(0, length, 0.1)
    return Camera(script.stream(seed, "paint"), who), draw_nuisance(plan, times), plan


@pytest.mark.parametrize("region", [script.UPPER, script.LOWER])
def test_affect_moves_its_own_region_only(region):
    camera, state, _ = scene()
    affect = np.zeros((2, 2))
    affect[region] = 0.7, -0.7
    calm, moved = camera.film(state, 5, np.zeros((2, 2)))[1], camera.film(state, 5, affect)[1]
    parts = {script.UPPER: np.r_[17:27, 36:48], script.LOWER: np.r_[48:68]}
    assert np.abs(moved - calm)[parts[region]].max() > 2
    assert np.abs(moved - calm)[np.setdiff1d(np.arange(68), parts[region])].max() == 0


@pytest.mark.parametrize("dimension", [0, 1])
@pytest.mark.parametrize("region", [script.UPPER, script.LOWER])
def test_each_dimension_is_visible_in_each_region_at_48_pixels(region, dimension):
    camera, state, _ = scene()
    affect = np.zeros((2, 2))
    affect[region, dimension] = 0.7
    images = [camera.film(state, 5, sign * affect)[0] for sign in (1, -1)]
    box = box_regions(camera.film(state, 5, affect)[1])[region].round().astype(int)
    small = [cv2.resize(image[60:180, 100:220], (48, 48), interpolation=cv2.INTER_AREA) for image in images]
    difference = np.abs(images[0].astype(int) - images[1])[box[1] : box[3], box[0] : box[2]]
    assert np.abs(small[0].astype(int) - small[1]).max() > 25
    assert (difference.max(axis=2) > 20).mean() > 0.05


def test_neutral_face_is_not_still():
    _, state, plan = scene()
    for field in fields(state):
        values = getattr(state, field.name)
        if field.name not in ("cover", "by_hand"):
            assert np.std(values) > 0, field.name
    quiet = script.trace_speech(plan, np.arange(0, plan.length, 0.1)) == 0
    assert not state.talk[quiet].any() and state.talk[~quiet].std() > 0.1


def test_half_of_the_recordings_hide_the_face_for_a_moment():
    plans = [script.write_script(0, f"Train_{n:02d}", 24.0) for n in range(100)]
    hidden = np.concatenate([plan.hidden for plan in plans])
    assert 35 <= len(hidden) <= 65
    assert (np.diff(hidden) >= 0.4).all() and (np.diff(hidden) <= 1.0).all()
    assert {draw_nuisance(plan, np.zeros(1)).by_hand for plan in plans} == {True, False}


def test_landmarks_follow_the_pose():
    camera, state, _ = scene()
    _, points = camera.film(state, 5, np.zeros((2, 2)))
    eyes = points[42:48].mean(0) - points[36:42].mean(0)
    assert np.arctan2(eyes[1], eyes[0]) == pytest.approx(state.roll[5], abs=0.04)
    assert np.hypot(*eyes) == pytest.approx(camera.who.distance * state.scale[5], rel=0.05)


def test_region_boxes_hold_their_landmarks():
    points = scene()[0].film(scene()[1], 5, np.zeros((2, 2)))[1]
    boxes = box_regions(points[None])[0]
    for box, part in zip(boxes, (np.r_[17:27, 36:48], np.r_[48:68])):
        assert (points[part] > box[:2]).all() and (points[part] < box[2:]).all()
    assert boxes[0, 3] < boxes[1, 1]  # they do not overlap
