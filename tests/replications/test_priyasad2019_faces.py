"""Faces of a clip: which frames, what is cropped, the three rules of Section 3.3 by hand, and clips that are refused."""

import re
import weakref

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.media import video
from replications.priyasad2019 import faces
from replications.priyasad2019.images import LENGTH
from tests.common.media import test_ssd
from tests.common.media.test_video import FPS, FRAMES, numbered, numbers, write

WHOLE = (0, 0, 80, 48)  # of a numbered frame
SIZE = 80


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three seconds at 10 frames per second, frame k showing its number."""
    return write(tmp_path_factory.mktemp("video") / "an1.avi", numbered())


def shown(missing=()):
    """Finds the whole frame to be a face, but in the frames `missing`."""
    return lambda image: None if numbers([image])[0] in missing else WHOLE


def read(crops):
    """Which frames the square crops of whole frames show."""
    return numbers(crops[:, ::-1][:, 16:64])


def cropped(path, start=0.0, end=3.0, missing=()):
    times, crops, found = faces.crop_span(path, start, end, shown(missing), SIZE)
    return times, read(crops), found


# the span


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [(0, 3, 0, 29), (0.5, 1.0, 5, 9), (0.45, 1.05, 5, 10), (0.1 + 0.2, 0.7, 3, 6), (2.95, 3.5, None, None)],
)
def test_frames_of_a_span(clip, start, end, first, last):
    if first is None:
        with pytest.raises(InputError, match=r"an1.avi: has no frame where speech was found; .*leave it out"):
            cropped(clip, start, end)
        return
    times, seen, found = cropped(clip, start, end)
    assert seen == list(range(first, last + 1)) and found.all()
    np.testing.assert_allclose(times, np.arange(first, last + 1) / FPS)


def test_crops_are_square_rgb_of_the_size(clip):
    for size in (16, 227):
        _, crops, _ = faces.crop_span(clip, 0, 0.5, shown(), size)
        assert crops.shape == (5, size, size, 3) and crops.dtype == np.uint8


def test_one_frame_is_held_at_a_time(clip):
    """Frames of which nothing but the crop is needed are gone when the next but one comes."""
    seen, most = [], 0

    def detect(image):
        nonlocal most
        seen.append(weakref.ref(image))
        most = max(most, sum(ref() is not None for ref in seen))
        return WHOLE

    faces.crop_span(clip, 0, 3, detect, 8)
    assert len(seen) == FRAMES and most <= 2


# the crop


def test_the_box_is_cropped_and_no_more():
    image = np.zeros((48, 80, 3), np.uint8)
    image[10:30, 20:60] = (200, 100, 50)
    crop = faces.crop(image, (20, 10, 60, 30), 32)
    assert (crop == (200, 100, 50)).all()
    half = faces.crop(image, (0, 10, 40, 30), 32)
    assert not half[:, :15].any() and (half[:, 17:] == (200, 100, 50)).all()


@pytest.mark.parametrize(
    ("box", "inside"),
    [((-30, -10, 20, 20), (0, 0, 20, 20)), ((60, 40, 200, 300), (60, 40, 80, 48)), ((-9, -9, 99, 99), WHOLE)],
)
def test_a_box_is_cut_at_the_edge_of_the_frame(box, inside):
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3)).astype(np.uint8)
    np.testing.assert_array_equal(faces.crop(image, box, 32), faces.crop(image, inside, 32))


@pytest.mark.parametrize("box", [None, (-30, 0, 0, 20), (80, 0, 99, 20), (0, 48, 20, 90), (-9, -9, -1, -1)], ids=str)
def test_without_a_box_within_the_frame_there_is_no_crop(box):
    assert faces.crop(np.zeros((48, 80, 3), np.uint8), box, 32) is None


def test_a_large_face_is_averaged_when_it_shrinks():
    """Stripes of one pixel become grey; each fifth pixel alone would have been a bright one."""
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 200
    np.testing.assert_array_equal(np.unique(faces.crop(stripes, (0, 0, 200, 200), 40)), [80, 120])


# rule 1: frames without a face


def test_a_frame_without_a_face_has_the_nearest_one_s(clip):
    _, seen, found = cropped(clip, missing={0, 1, 10, 11, 12, 20, 21, 28, 29})
    expected = list(range(FRAMES))
    expected[0:2] = [2, 2]
    expected[10:13] = [9, 9, 13]  # 11 is as far from 9 as from 13
    expected[20:22] = [19, 22]
    expected[28:] = [27, 27]
    assert seen == expected
    assert np.flatnonzero(~found).tolist() == [0, 1, 10, 11, 12, 20, 21, 28, 29]


def test_faces_beyond_the_span_are_not_used(clip):
    _, seen, _ = cropped(clip, 1.0, 2.0, missing={10, 11, 12})
    assert seen == [13, 13, 13, *range(13, 20)]


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_no_found_frame_is_nearer(found):
    there = np.flatnonzero(found)
    for i, j in enumerate(faces.find_nearest(np.array(found))):
        assert (abs(i - j), j) == min((abs(i - k), k) for k in there)


@pytest.mark.parametrize(
    ("missing", "longest"),
    [((), 0), ({5}, 1), ({2, 4, 6, 8, 15, 16, 17, 18}, 4), ({0, 1, 2, 9}, 3), ({9, 27, 28, 29}, 3), (range(30), 30)],
)
def test_longest_gap(missing, longest):
    """Single ones do not add up; those at the ends count as well."""
    assert faces.find_longest_gap(~np.isin(np.arange(30), list(missing))) == longest


def test_a_clip_without_any_face(clip):
    with pytest.raises(InputError, match=r"an1.avi: no face found in 30 frames; look at the video, or leave it out"):
        cropped(clip, missing=range(FRAMES))


# files


def lying(path, clip, frames):
    """`clip` with another number of frames in its headers: avih's and that of the first stream."""
    data = bytearray(clip.read_bytes())
    for tag, offset in ((b"avih", 24), (b"strh", 40)):
        place = data.index(tag) + offset
        data[place : place + 4] = frames.to_bytes(4, "little")
    path.write_bytes(data)
    return path


def test_an_avi_that_says_it_were_longer(tmp_path, clip):
    """What was cut off cannot be told from what never was: it is refused where the span wants the end."""
    path = lying(tmp_path / "an1.avi", clip, 200)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 200
    assert cropped(path, 0.5, 2.8)[1] == list(range(5, 28))
    with pytest.raises(InputError, match=r"an1.avi: cannot be decoded beyond 2.9 s of 20.0 s; copy it again"):
        cropped(path, 0.5, 3.0)


def test_an_avi_that_says_it_were_shorter(tmp_path, clip):
    assert cropped(lying(tmp_path / "an1.avi", clip, 3))[1] == list(range(FRAMES))


def test_sound_may_go_on_a_little_longer_than_the_picture(clip):
    assert len(cropped(clip, 1.0, 2.9 + video.SLACK)[1]) == 20
    with pytest.raises(
        InputError, match=r"an1.avi: its pictures end at 2.9 s, its sound goes on to 4.0 s; copy it again"
    ):
        cropped(clip, 1.0, 4.0)


@pytest.mark.parametrize("content", [None, b"", b"no video"], ids=["missing", "empty", "text"])
def test_what_is_no_video(tmp_path, content):
    if content is not None:
        (tmp_path / "an1.avi").write_bytes(content)
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / 'an1.avi'))}: cannot be read as video"):
        cropped(tmp_path / "an1.avi")


# rules 2 and 3: too many and too few frames


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (20, list(range(20))),
        (21, list(range(20))),  # one too many: the last
        (22, list(range(1, 21))),
        (25, list(range(2, 22))),  # two from the beginning, three from the end
        (19, [0, *range(19)]),
        (18, [0, *range(18), 17]),
        (17, [0, 0, *range(17), 16]),
        (16, [0, 0, *range(16), 15, 15]),
        (1, [0] * 20),
    ],
)
def test_frames_of_a_segment_by_hand(count, expected):
    assert faces.fit(count).tolist() == expected


@given(st.integers(1, 80), st.integers(1, 40))
def test_what_is_missing_is_repeated_and_a_surplus_is_cut_in_equal_parts(count, wanted):
    found = faces.fit(count, wanted).tolist()
    assert len(found) == wanted and found == sorted(found)
    if count >= wanted:
        before, after = found[0], count - 1 - found[-1]
        assert found == list(range(before, before + wanted)) and after - before in (0, 1)
    else:
        expected, turn = list(range(count)), 0
        while len(expected) < wanted:  # in turn, the first frame first
            expected = [*expected, count - 1] if turn % 2 else [0, *expected]
            turn += 1
        assert found == expected


def test_no_frames_cannot_be_made_into_some():
    with pytest.raises(ValueError, match="without frames"):
        faces.fit(0)
    with pytest.raises(ValueError, match="no frames"):
        faces.select_segment_frames(np.array([]), np.array([0.0]), LENGTH)


@pytest.mark.parametrize(("fps", "counts"), [(30, {19, 20}), (25, {16, 17}), (60, {39, 40})])
def test_segments_have_20_frames_at_any_rate(fps, counts):
    """655 ms every 300 ms: about 20 frames at the 30 per second of RML, 16 or 17 at eNTERFACE's 25."""
    times = 1.0 + np.arange(3 * fps) / fps
    starts = 1.0 + 0.3 * np.arange(7)
    found = faces.select_segment_frames(times, starts, LENGTH)
    assert found.shape == (7, 20) and found.dtype.kind == "i"
    for start, row in zip(starts, found):
        inside = [i for i, time in enumerate(times) if round(start, 6) <= round(time, 6) < round(start + LENGTH, 6)]
        assert len(inside) in counts
        assert row.tolist() == [inside[i] for i in faces.fit(len(inside))]


def test_times_of_frames_and_segments_may_differ_by_rounding():
    """A segment that ends at a frame does not have it, one that begins there has."""
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert 0.1 + 0.2 > 0.3 and 0.8 - 0.2 > 0.6
    found = faces.select_segment_frames(times, np.array([0.1, 0.8 - 0.2]), 0.2, 3)
    assert found.tolist() == [[1, 1, 2], [6, 6, 7]]


def test_a_segment_without_frames_has_the_nearest():
    times = np.array([0.0, 0.1, 3.0, 3.1])
    found = faces.select_segment_frames(times, np.array([0.0, 0.4, 1.3, 2.0, 5.0]), 0.5, 3)
    assert found.tolist() == [[0, 0, 1], [1, 1, 1], [1, 1, 1], [2, 2, 2], [3, 3, 3]]  # 1.55 s: the earlier one
    assert faces.select_segment_frames(times, np.array([]), 0.5, 3).shape == (0, 3)


# the detectors


def test_the_ssd_of_two_files_finds_the_faces(tmp_path, clip):
    files = test_ssd.write(tmp_path, (0.9, 0.0, 0.0, 0.5, 1.0))
    detect = faces.load_detector(files)
    _, crops, found = faces.crop_span(clip, 0, 1, detect, SIZE)
    _, expected, _ = faces.crop_span(clip, 0, 1, lambda image: (0, 0, 40, 48), SIZE)
    assert found.all() and np.array_equal(crops, expected)
    assert faces.load_detector(files, 0.95)(np.zeros((48, 80, 3), np.uint8)) is None
    assert faces.load_detector(files) is faces.load_detector(files)  # read once


def test_identity_names_the_detector_and_tells_them_apart(tmp_path):
    files = test_ssd.write(tmp_path, (0.9, 0, 0, 1, 1))
    one = faces.identify_detector(files)
    assert one[0] == "ssd" and faces.identify_detector(None)[0] == "dlib"
    assert faces.identify_detector(files) == one and faces.identify_detector(files, 0.6) != one
    assert faces.identify_detector(test_ssd.write(tmp_path, (0.8, 0, 0, 1, 1))) != one


@pytest.fixture(scope="module")
def acted(tmp_path_factory):
    """A second of one simulated person whose face is hidden in frames 10 to 12, and the landmarks of each frame."""
    from datasets.simulated import script
    from datasets.simulated.face.camera import Camera
    from datasets.simulated.face.people import draw_identity, draw_nuisance

    plan = script.write_script(0, "Train_01", 20.0)
    camera = Camera(script.stream(0, "paint"), draw_identity(script.stream(0, "Train_01", "identity")))
    state = draw_nuisance(plan, np.arange(0, 20.0, 0.1))
    frames, points = zip(*(camera.film(state, index, np.zeros((2, 2))) for index in range(30)))
    frames = [image[..., ::-1].copy() for image in frames]  # painted as BGR
    for index in (10, 11, 12):
        frames[index][:] = 90
    return write(tmp_path_factory.mktemp("acted") / "an1.avi", frames, fps=30), points


def test_dlib_stands_in_and_is_followed_through_the_clip(acted):
    path, points = acted
    boxes = []
    detect = faces.load_detector(None)

    def seen(image):
        boxes.append(detect(image))
        return boxes[-1]

    _, crops, found = faces.crop_span(path, 0, 1, seen, 64)
    assert np.flatnonzero(~found).tolist() == [10, 11, 12]
    for index in np.flatnonzero(found):  # eyes and nose lie in the box
        left, top, right, bottom = boxes[index]
        assert (points[index][30:48] > (left, top)).all() and (points[index][30:48] < (right, bottom)).all()
    assert crops.std(axis=(1, 2, 3)).min() > 10  # no grey ones
    np.testing.assert_array_equal(crops[10:13], crops[[9, 9, 13]])
