"""Streamed decoding: the nearest frame, whatever the times, and files that are not what they should be."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.media import video

FPS, FRAMES, BITS = 10, 30, 5  # frame k shows its number: a dark or light band of 16 pixels for each binary digit


def write(path: Path, frames, fps: Fraction | int = FPS) -> Path:
    """MPEG-4 in AVI, as SEWA has it."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.options = {"qscale": "2"}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def numbered(count: int = FRAMES) -> list[np.ndarray]:
    return [
        np.broadcast_to(np.repeat(np.where(k >> np.arange(BITS) & 1, 220, 30), 16)[:, None], (48, 80, 3)).astype(
            np.uint8
        )
        for k in range(count)
    ]


def numbers(images) -> list[int]:
    bands = [image.reshape(48, BITS, 16, 3).mean(axis=(0, 2, 3)) > 128 for image in images]
    return [int(band @ (1 << np.arange(BITS))) for band in bands]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("video") / "Train_01.avi", numbered())


# basics


def test_frames_are_rgb_of_the_size_of_the_video(clip, tmp_path):
    (image,) = video.read_frames_at(clip, np.array([0.0]))
    assert image.shape == (48, 80, 3) and image.dtype == np.uint8
    red = np.zeros((48, 80, 3), np.uint8)
    red[..., 0] = 200
    (image,) = video.read_frames_at(write(tmp_path / "red.avi", [red]), np.array([0.0]))
    assert np.abs(image.astype(int) - red).max() < 12  # the codec loses a little


def test_every_frame_at_its_own_time(clip):
    assert numbers(video.read_frames_at(clip, np.arange(FRAMES) / FPS)) == list(range(FRAMES))


@pytest.mark.parametrize(("suffix", "part"), [("mkv", 0.5), ("avi", 0.8)])  # most of a small AVI is its header
def test_frames_of_a_file_that_was_cut_come_first_and_then_the_error(tmp_path, suffix, part):
    whole, half = tmp_path / f"whole.{suffix}", tmp_path / f"half.{suffix}"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for image in numbered(4 * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    assert video.measure_duration(whole) == pytest.approx(4, abs=0.2)
    half.write_bytes(whole.read_bytes()[: int(part * whole.stat().st_size)])
    seen = []
    with pytest.raises(InputError, match=f"half.{suffix}: cannot be decoded beyond"):
        for instant, _ in video.read_frames(half):
            seen.append(instant)
    assert 0 < len(seen) < 4 * FPS


def test_a_cut_avi_is_known_by_its_header(tmp_path):
    """Without decoding; what is missing must be more than the slack."""
    whole = write(tmp_path / "whole.avi", numbered(8 * FPS))
    video.check_whole(whole)
    half = tmp_path / "half.avi"
    half.write_bytes(whole.read_bytes()[: int(0.8 * whole.stat().st_size)])  # much of a small AVI is its header
    with pytest.raises(InputError, match=r"half.avi: holds \d.\d s of 8.0 s; copy it again"):
        video.check_whole(half)


def test_duration(clip):
    assert video.measure_duration(clip) == pytest.approx(FRAMES / FPS)


# correctness


@given(st.lists(st.floats(0, (FRAMES - 1) / FPS), min_size=1, max_size=40).map(sorted))
def test_each_time_gets_the_nearest_frame(clip, times):
    found = numbers(video.read_frames_at(clip, np.array(times)))
    assert len(found) == len(times)
    distance = np.abs(np.array(found) / FPS - times)
    assert (distance <= 0.5 / FPS + 1e-6).all()  # between two frames either is near enough


def test_repeated_times_and_coarse_grids(clip):
    assert numbers(video.read_frames_at(clip, np.array([0.5, 0.5, 0.5, 0.54, 0.56]))) == [5, 5, 5, 5, 6]
    assert numbers(video.read_frames_at(clip, np.arange(0, 3, 0.25))) == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27]


def test_a_rate_that_is_no_whole_number(tmp_path):
    ntsc = write(tmp_path / "ntsc.avi", numbered(), Fraction(30_000, 1_001))
    assert numbers(video.read_frames_at(ntsc, np.array([0.0, 10.01 / 30, 29.029 / 30]))) == [0, 10, 29]


def test_no_time_wants_no_frame(clip):
    assert list(video.read_frames_at(clip, np.array([]))) == []


def test_frames_come_one_by_one(clip):
    """A consumer that stops early leaves the file closed and whole."""
    frames = video.read_frames_at(clip, np.arange(FRAMES) / FPS)
    assert numbers([next(frames), next(frames)]) == [0, 1]
    frames.close()
    assert numbers(video.read_frames_at(clip, np.array([2.9]))) == [29]


def test_the_end_may_lie_a_little_before_the_last_time(clip):
    assert numbers(video.read_frames_at(clip, np.array([2.9, 3.4, 3.89]))) == [29, 29, 29]
    assert numbers(video.read_frames_at(clip, np.array([2.9, 5.0]), slack=2.2)) == [29, 29]


# errors


def test_a_video_that_ends_early_is_named_truncated(clip):
    with pytest.raises(InputError, match=f"{re.escape(str(clip))}: ends at 2.9 s where 4.0 s are expected"):
        list(video.read_frames_at(clip, np.array([0.0, 4.0])))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6])
def test_a_file_cut_off_is_refused_by_name(clip, tmp_path, share):
    data = clip.read_bytes()
    cut = tmp_path / "Train_01.avi"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=re.escape(str(cut))) as caught:
        list(video.read_frames_at(cut, np.arange(FRAMES) / FPS, slack=0.3))
    assert "copy it again" in str(caught.value) and "\n" not in str(caught.value)


def test_a_hole_in_the_middle_is_no_reason_to_stop_with_a_traceback(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = b"\xff" * 600
    (tmp_path / "holed.avi").write_bytes(data)
    try:
        found = list(video.read_frames_at(tmp_path / "holed.avi", np.arange(FRAMES) / FPS))
    except InputError as error:
        assert "holed.avi" in str(error)
    else:
        assert len(found) == FRAMES


def audio_only(path: Path):
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (audio_only, "holds no video"),
        (lambda path: soundfile.write(path, np.zeros(16_000), 16_000, format="WAV"), "holds no video"),
        (lambda path: path.write_text("name;timestamp\n"), "cannot be read as video"),
        (lambda path: path.write_bytes(b""), "cannot be read as video"),
        (lambda path: path.mkdir(), "cannot be read as video"),
        (lambda path: None, "cannot be read as video"),
    ],
    ids=["AVI without video", "WAV", "text", "empty", "folder", "missing"],
)
@pytest.mark.parametrize(
    "read",
    [
        video.measure_duration,
        lambda path: list(video.read_frames_at(path, np.zeros(1))),
        lambda path: list(video.read_frames(path)),
    ],
    ids=["duration", "frames_at", "frames"],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, make, words, read):
    path = tmp_path / "Train_01.avi"
    make(path)
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        read(path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_video_without_frames(tmp_path):
    with av.open(str(tmp_path / "none.avi"), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode())
    with pytest.raises(InputError, match="none.avi"):
        list(video.read_frames_at(tmp_path / "none.avi", np.zeros(1)))
    with pytest.raises(InputError, match="none.avi"):
        list(video.read_frames(tmp_path / "none.avi"))


# every frame with its time


def test_all_frames_come_with_their_times(clip):
    time, images = zip(*video.read_frames(clip))
    np.testing.assert_allclose(time, np.arange(FRAMES) / FPS)
    assert numbers(images) == list(range(FRAMES))


def write_mp4(path: Path, frames, ticks=None, rotation: int = 0) -> Path:
    """MPEG-4 in MP4, frame k at `ticks`[k] hundredths of a second, with a display matrix as phones write it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=100)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.set_display_rotation(rotation)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index if ticks is None else ticks[index], Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    ticks = [0, 4, 8, 40, 41, 90]
    time, images = zip(*video.read_frames(write_mp4(tmp_path / "variable.mp4", numbered(6), ticks)))
    np.testing.assert_allclose(time, np.array(ticks) / 100, atol=1e-3)
    assert numbers(images) == list(range(6))
    assert numbers(video.read_frames_at(tmp_path / "variable.mp4", np.array([0.3, 0.9]))) == [3, 5]


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (-90, (0, -1)), (90, (-1, 0)), (180, (-1, -1))], ids=str)
def test_a_rotated_video_comes_upright(tmp_path, rotation, corner):
    """The sensor's upper left corner is bright; -90 is a phone held upright, whose picture turns clockwise."""
    image = np.full((48, 80, 3), 30, np.uint8)
    image[:16, :16] = 220
    path = write_mp4(tmp_path / "phone.mp4", [image] * 2, rotation=rotation)
    for found in (next(video.read_frames(path))[1], next(video.read_frames_at(path, np.zeros(1)))):
        assert found.shape == ((48, 80, 3) if rotation in (0, 180) else (80, 48, 3))
        corners = {(y, x): int(found[y, x].mean()) for y in (0, -1) for x in (0, -1)}
        assert max(corners, key=corners.get) == corner and corners[corner] > 180


def test_the_display_matrix_of_a_phone_is_the_clockwise_one(tmp_path):
    """What the test above writes as -90 has the matrix (0, 1; -1, 0) that QuickTime defines as a turn clockwise."""
    data = write_mp4(tmp_path / "phone.mp4", numbered(2), rotation=-90).read_bytes()
    matrix = np.frombuffer(data, ">i4", 9, offset=data.index(b"tkhd") + 44) / 65536
    np.testing.assert_array_equal(matrix[[0, 1, 3, 4]], [0, 1, -1, 0])


# orientation and clocks


def with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The MP4 with (a, b, c, d) in the display matrix of its track."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    a, b, c, d = (65536 * value for value in matrix)
    data[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "matrix",
    [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [(0, b, c, 0) for b in (1, -1) for c in (1, -1)],
    ids=str,
)
def test_a_display_matrix_turns_and_mirrors(tmp_path, matrix):
    """Column x and row y go to a x + c y and b x + d y: two marks, of which one is brighter, say which of eight it is."""
    image = np.full((48, 80, 3), 30, np.uint8)
    image[:16, :16], image[:16, -16:] = 220, 130
    path = with_matrix(write_mp4(tmp_path / "selfie.mp4", [image] * 2), matrix)
    a, b, c, d = matrix
    for found in (next(video.read_frames(path))[1], next(video.read_frames_at(path, np.zeros(1)))):
        assert found.shape == ((48, 80, 3) if a else (80, 48, 3))
        for x, y, brightness in ((0, 0, 220), (1, 0, 130), (0, 1, 30), (1, 1, 30)):  # of the four corners
            column, row = a * x + c * y, b * x + d * y
            column, row = column + (a + c < 0), row + (b + d < 0)  # what goes below 0 comes from the other side
            assert abs(int(found[-row, -column].mean()) - brightness) < 15


@pytest.mark.parametrize("degrees", [3, -3])
def test_a_camera_that_was_held_askew_is_turned_to_the_nearest_quarter(degrees):
    image, turn = np.arange(24, dtype=np.uint8).reshape(2, 4, 3), np.radians(degrees)
    matrix = (65536 * np.array([np.cos(turn), np.sin(turn), 0, -np.sin(turn), np.cos(turn), 0, 0, 0, 0])).astype(
        np.int32
    )
    np.testing.assert_array_equal(video.orient(image, matrix), image)


def write_timed(path: Path, times: list[float], sound_at: float | None = None, seconds: float = 1.0) -> Path:
    """Numbered frames at `times`, and sound of a click in each tenth of a second that begins at `sound_at`."""
    rate = 8000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4" if path.suffix != ".ts" else "mpeg2video", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        stream.options, stream.codec_context.max_b_frames = {"qscale": "2"}, 0
        track = None if sound_at is None else container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for image, time in zip(numbered(len(times)), times):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * FPS), Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track:
            clicks = np.zeros(round(seconds * rate), np.int16)
            clicks[:: rate // 10] = 20_000
            frame = av.AudioFrame.from_ndarray(clicks[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, round(sound_at * rate), Fraction(1, rate)
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_stream_that_starts_late_begins_at_0(tmp_path, suffix):
    """Whatever its container counts from: five seconds here, 1.4 in any transport stream."""
    path = write_timed(tmp_path / f"late.{suffix}", [5 + k / FPS for k in range(12)])
    times, images = zip(*video.read_frames(path))
    np.testing.assert_allclose(times, np.arange(12) / FPS, atol=2e-3)
    assert numbers(images) == list(range(12))
    assert numbers(video.read_frames_at(path, np.array([0.0, 0.52, 1.1]))) == [0, 5, 11]


def test_sound_and_picture_have_one_clock(tmp_path):
    from common.media import audio

    late_picture = write_timed(tmp_path / "a.mkv", [0.5 + k / FPS for k in range(12)], sound_at=0.0)
    assert next(video.read_frames(late_picture))[0] == pytest.approx(0.5, abs=2e-3)
    assert numbers(video.read_frames_at(late_picture, np.array([0.0, 0.9]))) == [0, 4]  # within the slack
    assert audio.read_from_video(late_picture, 8000)[0] > 0.5
    late_sound = write_timed(tmp_path / "b.mkv", [7 + k / FPS for k in range(12)], sound_at=7.5)
    assert next(video.read_frames(late_sound))[0] == pytest.approx(0, abs=2e-3)
    sound = audio.read_from_video(late_sound, 8000)
    assert len(sound) == pytest.approx(1.5 * 8000, abs=16) and not sound[:3900].any()
    assert np.flatnonzero(sound > 0.5)[0] == pytest.approx(4000, abs=16)


def test_a_picture_that_begins_long_after_the_sound_is_not_taken_for_all_that_was_before(tmp_path):
    path = write_timed(tmp_path / "a.mkv", [3 + k / FPS for k in range(12)], sound_at=0.0, seconds=4.0)
    with pytest.raises(
        InputError, match="a.mkv: its picture begins at 3.0 s of its sound, and is wanted from 0.5 s on"
    ):
        list(video.read_frames_at(path, np.array([0.5, 3.5])))
    assert numbers(video.read_frames_at(path, np.array([2.5, 3.5]))) == [0, 5]
    assert len(list(video.read_frames(path))) == 12  # and it is not taken for one that was cut


def test_a_hole_in_the_sound_is_silent(tmp_path):
    from common.media.audio import _join

    parts = [(0, np.ones(100, np.float32)), (101, np.ones(100, np.float32)), (500, np.ones(100, np.float32))]
    joined = _join(parts, hole=20)
    assert len(joined) == 600 and joined[:200].all() and not joined[200:500].any() and joined[500:].all()


@given(st.lists(st.integers(-400, 400), min_size=1, max_size=60))
def test_times_go_on(ticks):
    times = [time for time, _ in video.go_on((tick / 40, None) for tick in ticks)]
    assert times[0] == ticks[0] / 40 and (np.diff(times) > 0).all()
    if (np.diff(ticks) > 0).all():
        np.testing.assert_allclose(times, np.array(ticks) / 40)


def test_a_clock_that_is_set_back_goes_on_and_a_late_frame_is_left_out():
    joined = [(time, time) for time in (0.0, 0.1, 0.2, 5.0, 5.1, 5.05, 5.2, 0.0, 0.1)]
    times, frames = zip(*video.go_on(joined))
    np.testing.assert_allclose(times, [0, 0.1, 0.2, 5, 5.1, 5.2, 5.3, 5.4])
    assert frames == (0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 0.0, 0.1)
