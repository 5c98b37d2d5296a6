"""What is measured beside the tables, on clips and truths that are small enough to count by hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import results
from common.errors import InputError
from replications.priyasad2019 import mechanism


@dataclass(frozen=True)
class Clip:
    """What of a clip is looked at."""

    name: str
    subject: str = "s1"
    label: int = 0
    speech: tuple[float, float] = (0.5, 1.5)


def with_truth(root: Path, spoken: dict[Clip, tuple[float, float]]) -> Path:
    folder = root / "truth"
    folder.mkdir()
    for clip, (start, end) in spoken.items():
        file = folder / f"{clip.name.replace('/', '_').replace(' ', '_')}.npz"
        np.savez(file, speech_start=np.array(start), speech_end=np.array(end))
    return folder


def assert_storable(found: dict, path: Path) -> None:
    """As numbers, not as arrays."""
    results.write(path, {"mechanism": found})
    assert results.read(path)["mechanism"] == found


# --------------------------------------------------------------------------------------------------- voice activity


def test_speech_by_hand(tmp_path):
    """Four of six ends lie within 0.1 s; onsets are late by 0.05, -0.2 and 0.09 s, offsets by 0, 0.3 and -0.1 s."""
    spoken = {
        Clip("s1/an1", speech=(0.55, 1.5)): (0.5, 1.5),
        Clip("subject 1/anger/sentence 2/s1_an_2", speech=(0.3, 1.3)): (0.5, 1.0),
        Clip("s2/ha3", speech=(0.34, 0.9)): (0.25, 0.99),
    }
    found = mechanism.measure_speech(list(spoken), with_truth(tmp_path, spoken))
    interval = found.pop("interval")
    assert found == pytest.approx({"within": 4 / 6, "all": 1, "onset": -0.02, "offset": 0.07, "frames": 6})
    assert 0 <= interval[0] < found["within"] < interval[1] <= 1


def test_speech_that_is_found_where_it_is(tmp_path):
    spoken = {Clip(f"s1/an{number}"): (0.5, 1.5) for number in range(3)}
    found = mechanism.measure_speech(list(spoken), with_truth(tmp_path, spoken))
    assert (found["within"], found["interval"], found["onset"], found["offset"]) == (1, [1, 1], 0, 0)
    assert_storable(found, tmp_path / "a.json")


def test_a_corpus_without_truth(tmp_path):
    assert mechanism.measure_speech([Clip("s1/an1")], tmp_path / "truth") is None


@pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "another array", "no archive"])
def test_truth_that_cannot_be_read(tmp_path, damage):
    clip = Clip("s1/an1")
    file = with_truth(tmp_path, {clip: (0.5, 1.5)}) / "s1_an1.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "another array":
        np.savez(file, speech_start=np.array(0.5))
    else:
        file.write_bytes({"empty": b"", "cut off": file.read_bytes()[:150], "no archive": b"speech"}[damage])
    with pytest.raises(InputError) as error:
        mechanism.measure_speech([clip], file.parent)
    text = str(error.value)
    assert text.startswith(f"{file}: ") and "\n" not in text and "let it be simulated again" in text


# -------------------------------------------------------------------------------------------------------- inflation


def test_inflation_by_hand(tmp_path):
    """Of five clips two are right with subjects left out and four without: 40 points."""
    clips = [Clip(f"c{i}", subject, label) for i, (subject, label) in enumerate(zip("aabbb", [0, 1, 2, 3, 4]))]
    apart, shared = np.array([0, 0, 2, 0, 0]), np.array([0, 1, 5, 3, 4])
    found = mechanism.measure_inflation(clips, apart, shared)
    assert (found["points"], found["none"], found["frames"]) == (pytest.approx(40), 0, 5)
    # of subject a it is one of two clips, of subject b one of three: draws of subjects have one, the other or both
    assert found["interval"] == pytest.approx([100 / 3, 50])
    assert_storable(found, tmp_path / "a.json")


labels = st.integers(0, 5)


@given(st.lists(st.tuples(st.sampled_from("abc"), labels, labels, labels), min_size=1, max_size=30))
def test_inflation_is_the_difference_of_the_accuracies(rows):
    clips = [Clip(f"c{i}", subject, label) for i, (subject, label, _, _) in enumerate(rows)]
    truth, apart, shared = (np.array([row[k] for row in rows]) for k in (1, 2, 3))
    found = mechanism.measure_inflation(clips, apart, shared)
    assert found["points"] == pytest.approx(100 * (np.mean(shared == truth) - np.mean(apart == truth)))
    assert found["interval"][0] <= found["interval"][1]
    gained = [100 * (np.mean((shared == truth)[own]) - np.mean((apart == truth)[own]))
              for own in ([row[0] == subject for row in rows] for subject in {row[0] for row in rows})]  # fmt: skip
    assert min(gained) - 1e-6 <= found["interval"][0] and found["interval"][1] <= max(gained) + 1e-6
    assert mechanism.measure_inflation(clips, shared, apart)["points"] == pytest.approx(-found["points"])


def test_a_protocol_beside_itself_gains_nothing():
    clips = [Clip(f"c{i}", "ab"[i % 2], i % 6) for i in range(12)]
    found = mechanism.measure_inflation(clips, np.zeros(12, int), np.zeros(12, int))
    assert (found["points"], found["interval"]) == (0, [0, 0])


# ------------------------------------------------------------------------------------------------------- modalities


def test_modalities_by_hand(tmp_path):
    """Three segments of the first subject and one of the second: 0.2, 0.3, 0.4 and 0.9 for the sound."""
    sound = np.array([0.2, 0.3, 0.4, 0.9])
    found = mechanism.measure_modalities(
        np.stack([sound, 1 - sound], axis=1), [Clip("a"), Clip("b", "s2")], np.array([0, 0, 0, 1])
    )
    assert (found["sound"], found["equal"], found["frames"]) == (pytest.approx(0.45), 0.5, 4)
    assert found["interval"] == pytest.approx([0.3, 0.9])  # draws of the one subject or the other alone
    assert_storable(found, tmp_path / "a.json")


def test_equal_weights():
    found = mechanism.measure_modalities(
        np.full((6, 2), 0.5), [Clip(name) for name in "abc"], np.repeat(np.arange(3), 2)
    )
    assert found["sound"] == 0.5 and found["interval"] == [0.5, 0.5]
