"""The mechanism checks on attention that is planted: where the affect is shown, beside it, and anywhere."""

import numpy as np
import pytest

from datasets import sewa
from replications.lee2018 import mechanism
from replications.lee2018.features import Features, index_clips

SETTINGS = {"clip_frames": 16, "clip_fps": 4.0, "score_hop": 0.5}  # a grid of 0.25 s
N, SIZE = 48, 8  # 12 s: three clips that do not overlap
TIME = np.arange(N) * 0.25
UPPER, LOWER = [0.0, 0.0, 4.0, 2.0], [2.0, 5.0, 6.0, 8.0]  # boxes in pixels, x0 y0 x1 y1


def recorded(name: str = "Devel_01", found=None, transform=None) -> Features:
    transform = np.tile([[1.0, 0, 0], [0, 1, 0]], (N, 1, 1)) if transform is None else transform
    labels = sewa.Labels(TIME, 0 * TIME, 0 * TIME, 0 * TIME)
    found = np.ones(N, bool) if found is None else found
    return Features(
        name, "Devel", TIME, np.zeros((N, 88)), np.zeros((N, SIZE, SIZE, 3), np.uint8), found, transform, labels, "d"
    )


@pytest.fixture
def truth(tmp_path):
    """Affect on the upper face in frames 4 to 11, on the lower in 20 to 27 (24 to 27 hidden); in the voice from 2 to 4 s
    and from 9 to 9.5 s; turns from 1 to 5 s and from 8 to 11 s."""
    frame = np.arange(N)
    salient = ((frame >= 4) & (frame < 12)) | ((frame >= 20) & (frame < 28))
    arrays = {
        "frame_time": TIME,
        "frame_salient": salient,
        "frame_visible": ~((frame >= 24) & (frame < 28)),
        "frame_region": np.where(salient, (frame >= 20).astype(int), -1),
        "region_box": np.tile([UPPER, LOWER], (N, 1, 1)),
        "voice_start": np.array([2.0, 9.0]),
        "voice_end": np.array([4.0, 9.5]),
    }
    for folder in ("truth", "turns"):
        (tmp_path / folder).mkdir()
    for name in ("Devel_01", "Devel_02"):
        np.savez(tmp_path / "truth" / f"{name}.npz", **arrays)
        (tmp_path / "turns" / f"{name}.csv").write_text("1.0;5.0\n8.0;11.0\n")
    return tmp_path / "truth"


def silenced(truth, name: str) -> None:
    """The voice of a recording shows no affect."""
    with np.load(truth / f"{name}.npz") as archive:
        arrays = dict(archive)
    np.savez(truth / f"{name}.npz", **{**arrays, "voice_start": np.zeros(0), "voice_end": np.zeros(0)})


def maps_at(places: dict[int, tuple[int, int]]) -> np.ndarray:
    """Attention (3, 16, S, S, 1) whose peak in frame k lies at places[k], x and y; elsewhere in the corner (7, 0)."""
    ends = mechanism.find_clip_ends(recorded(), SETTINGS)
    index = index_clips(ends, SETTINGS)
    maps = np.full((*index.shape, SIZE, SIZE, 1), 0.5)
    for place in np.ndindex(index.shape):
        x, y = places.get(int(index[place]), (7, 0))
        maps[place][y, x] = 3.0
    return maps


HIT = {**{k: (1, 1) for k in range(4, 12)}, **{k: (4, 6) for k in range(20, 28)}}
HALF = {k: place for k, place in HIT.items() if k % 2}


def test_clips_follow_each_other_without_overlap():
    ends = mechanism.find_clip_ends(recorded(), SETTINGS)
    assert ends.tolist() == [15, 31, 47]
    assert sorted(index_clips(ends, SETTINGS).ravel().tolist()) == list(range(N))


# regions


def test_a_region_is_moved_into_the_crop_by_hand():
    """(10, 20, 30, 40) halved and moved by (-2, 1); turned by 90 degrees; cut off at the borders of a crop of 16."""
    half = [[0.5, 0, -2], [0, 0.5, 1]]
    turn = [[0, -1, 45], [1, 0, -5]]  # (x, y) -> (45 - y, x - 5)
    out = [[1, 0, -25], [0, 1, -10]]
    boxes = np.tile([10.0, 20, 30, 40], (3, 1))
    expected = [[3, 11, 13, 15.5], [5, 5, 15.5, 15.5], [-0.5, 10, 5, 15.5]]
    np.testing.assert_allclose(mechanism.map_region(boxes, np.array([half, turn, out], float), 16), expected)


def test_a_region_that_is_turned_is_boxed_around_its_corners():
    c = np.sqrt(0.5)
    (box,) = mechanism.map_region(np.array([[-1.0, -1, 1, 1]]), np.array([[[c, -c, 8], [c, c, 8]]]), 16)
    np.testing.assert_allclose(box, [8 - 2 * c, 8 - 2 * c, 8 + 2 * c, 8 + 2 * c])


# spatial attention


@pytest.mark.parametrize(
    ("places", "rate"), [(HIT, 1.0), ({}, 0.0), (HALF, 0.5)], ids=["planted", "beside", "half of the frames"]
)
def test_hit_rate_of_planted_attention(truth, places, rate):
    numbers, _ = mechanism.measure_spatial([recorded(), recorded("Devel_02")], [maps_at(places)] * 2, SETTINGS, truth)
    assert numbers["hit_rate"] == rate and numbers["interval"] == [rate, rate]  # both recordings are alike
    assert numbers["frames"] == 2 * 12  # salient and not hidden
    assert numbers["chance"] == 0  # no peak lies in the other region


def test_the_wrong_region_is_no_hit_and_makes_chance(truth):
    crossed = {**{k: (4, 6) for k in range(4, 12)}, **{k: (1, 1) for k in range(20, 28)}}
    numbers, _ = mechanism.measure_spatial([recorded()], [maps_at(crossed)], SETTINGS, truth)
    assert (numbers["hit_rate"], numbers["chance"]) == (0, 1)


def test_attention_that_never_moves_scores_chance(truth):
    """Always on the lower face: it hits where the lower face shows affect, in 4 frames, and misses as the upper does, in 8."""
    still = {k: (4, 6) for k in range(N)}
    numbers, _ = mechanism.measure_spatial([recorded()], [maps_at(still)], SETTINGS, truth)
    assert numbers["hit_rate"] == pytest.approx(4 / 12) and numbers["chance"] == pytest.approx(8 / 12)


def test_frames_without_a_face_do_not_count(truth):
    found = np.ones(N, bool)
    found[4:8] = False
    numbers, _ = mechanism.measure_spatial([recorded(found=found)], [maps_at(HIT)], SETTINGS, truth)
    assert numbers["frames"] == 8 and numbers["hit_rate"] == 1


def test_regions_move_with_the_alignment(truth):
    """A crop that is moved by 2 pixels: the same attention misses, attention that is moved too hits."""
    transform = np.tile([[1.0, 0, 2], [0, 1, -1]], (N, 1, 1))
    moved = {k: (x + 2, y - 1) for k, (x, y) in HIT.items()}
    rates = [
        mechanism.measure_spatial([recorded(transform=transform)], [maps_at(p)], SETTINGS, truth)[0]["hit_rate"]
        for p in (HIT, moved)
    ]
    assert rates[1] == 1 and rates[0] < 1


def test_random_attention_hits_by_area(truth):
    """The upper region has 8 of 64 pixels and shows affect in 8 frames, the lower 12 in 4."""
    rng = np.random.default_rng(0)
    recordings = [recorded("Devel_01")] * 60
    numbers, _ = mechanism.measure_spatial(
        recordings, [rng.random((3, 16, SIZE, SIZE, 1)) for _ in recordings], SETTINGS, truth
    )
    expected = (8 * 8 + 4 * 12) / 12 / 64
    assert numbers["hit_rate"] == pytest.approx(expected, abs=0.04)
    assert numbers["chance"] == pytest.approx((8 * 12 + 4 * 8) / 12 / 64, abs=0.04)
    assert numbers["interval"][0] < expected < numbers["interval"][1] and np.ptp(numbers["interval"]) < 0.1


def test_examples_show_frame_attention_and_region(truth):
    _, examples = mechanism.measure_spatial([recorded()] * 8, [maps_at(HIT)] * 8, SETTINGS, truth)
    assert examples["example_frames"].shape == (mechanism.EXAMPLES, SIZE, SIZE, 3)
    assert examples["example_attention"].shape == (mechanism.EXAMPLES, SIZE, SIZE)
    assert examples["example_region"].shape == (mechanism.EXAMPLES, 4)
    np.testing.assert_allclose(examples["example_attention"].reshape(mechanism.EXAMPLES, -1).sum(axis=1), 1)


def test_without_a_single_frame_there_is_no_number(truth):
    """A short recording may show nothing; a result file holds no NaN."""
    numbers, examples = mechanism.measure_spatial([recorded(found=np.zeros(N, bool))], [maps_at(HIT)], SETTINGS, truth)
    assert numbers == {"hit_rate": None, "interval": None, "chance": None, "frames": 0} and examples == {}


# temporal attention


def weights(inside: float, outside: float) -> np.ndarray:
    time = TIME[index_clips(mechanism.find_clip_ends(recorded(), SETTINGS), SETTINGS)]
    salient = ((time >= 2) & (time <= 4)) | ((time >= 9) & (time <= 9.5))
    return np.where(salient, inside, outside)[..., None]


def turns() -> np.ndarray:
    time = TIME[index_clips(mechanism.find_clip_ends(recorded(), SETTINGS), SETTINGS)]
    return ((time >= 1) & (time <= 5)) | ((time >= 8) & (time <= 11))


@pytest.mark.parametrize(
    ("inside", "outside", "auc"),
    [(2.0, 0.5, 1.0), (0.5, 2.0, 0.0), (1.0, 1.0, 0.5)],
    ids=["planted", "inverted", "even"],
)
def test_auc_of_planted_weights(truth, inside, outside, auc):
    numbers, examples = mechanism.measure_temporal(
        [recorded(), recorded("Devel_02")], [weights(inside, outside)] * 2, SETTINGS, truth
    )
    assert numbers["auc"] == auc and numbers["interval"] == [auc, auc] and numbers["chance"] == 0.5
    # 2 to 3.75 s in the first clip, 4 s in the second, 9 to 9.5 s in the third; speech from 1, to 5, and from 8 to 11 s
    assert (numbers["salient"], numbers["frames"]) == (2 * (8 + 1 + 3), 2 * (12 + 5 + 13))
    assert len(examples["example_time"]) == N and examples["example_salient"].sum() == 12


def test_auc_is_that_of_all_pairs_within_a_clip(truth):
    """Counted pair by pair; weights of different clips are not compared, each clip has a softmax of its own."""
    drawn = np.random.default_rng(0).integers(0, 4, (3, 16, 1)).astype(float)  # with ties
    salient, speaking = weights(1, 0)[..., 0].astype(bool), turns()
    won = []
    for clip, inside, spoken in zip(drawn[..., 0], salient, speaking, strict=True):
        won += [(a > b) + 0.5 * (a == b) for a in clip[inside & spoken] for b in clip[spoken & ~inside]]
    numbers, _ = mechanism.measure_temporal([recorded()], [drawn], SETTINGS, truth)
    assert numbers["auc"] == pytest.approx(np.mean(won))
    shifted, _ = mechanism.measure_temporal(
        [recorded()], [drawn + np.array([0, 100, -100.0])[:, None, None]], SETTINGS, truth
    )
    assert shifted["auc"] == numbers["auc"]


def test_silence_is_not_compared(truth):
    """Telling speech from silence is no merit: weights outside of turns change nothing."""
    loud = weights(2.0, 0.5)
    loud[~turns()] = 100.0
    numbers, _ = mechanism.measure_temporal([recorded()], [loud], SETTINGS, truth)
    assert numbers["auc"] == 1


def test_without_a_salient_step_there_is_no_number(truth):
    silenced(truth, "Devel_01")
    numbers, _ = mechanism.measure_temporal([recorded()], [weights(1, 0)], SETTINGS, truth)
    assert numbers["auc"] is None and numbers["interval"] is None and numbers["salient"] == 0


def test_a_recording_that_shows_nothing_does_not_count(truth):
    """Recordings without a pair leave number and interval as they are without them."""
    silenced(truth, "Devel_02")
    numbers, _ = mechanism.measure_temporal(
        [recorded(), recorded("Devel_02")], [weights(2.0, 0.5)] * 2, SETTINGS, truth
    )
    assert numbers["auc"] == 1 and numbers["interval"] == [1, 1]
