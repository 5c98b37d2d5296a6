"""The ceilings: a result like that of a network, high where emotion is displayed and chance where it is another's."""

from pathlib import Path

import numpy as np
import pytest

from common import results
from common.errors import InputError
from common.evidence.paper import Part, resolve_number
from common.evidence.runs import check_files, select_runs
from common.evidence.scores import is_sound
from datasets.simulated.emotions import CIRCUMPLEX, PARTS
from replications.chao2016 import ceiling
from replications.chao2016.features import Features
from tests.replications.test_chao2016_experiment import CLIPS, PAPER, invented, planted, trained

CEILINGS = ("ceiling-face", "ceiling-both")
MANY = [invented(part, index, 12 + index % 9) for part in ("Train", "Val", "Test") for index in range(70)]
FRAMES = 10


def fit(tmp_path: Path, variant: str, displayed: list[int | None], clips: list[Features] = MANY):
    """Path and record of a ceiling's result on clips that display these classes."""
    corpus = planted(tmp_path, clips, displayed)
    return trained(corpus, tmp_path / "results", variant, progress=lambda done: None)


def script(label: str, shown: np.ndarray, strength: float = 0.5) -> dict:
    return {"label": np.array(label), "strength": strength, "frame_shown": shown, "voice_shown": shown}


@pytest.mark.parametrize("variant", CEILINGS)
def test_a_result_is_whole_and_its_scores_follow_from_its_predictions(tmp_path, variant):
    path, record = fit(tmp_path, variant, [clip.label for clip in CLIPS], CLIPS)
    files = check_files([(path, record)])
    for recordings in ("Train/*", "Val/*", "Test/*"):
        for metric in ("accuracy", "UAR"):
            number = resolve_number(PAPER, Part(metric=metric, recordings=recordings))
            assert is_sound(PAPER, select_runs(PAPER, files, variant, number=number), number)
    arrays = results.read_arrays(path, record)
    right = [arrays[f"raw/emotion/{clip.name}"][0] == clip.label for clip in CLIPS if clip.partition == "Train"]
    assert record["training_scores"] == {"emotion": {"accuracy": pytest.approx(100 * np.mean(right))}}
    assert [row["name"] for row in record["recordings"]] == [clip.name for clip in CLIPS]
    assert record["left_out"] == ["Train/faceless"] and "history" not in record


@pytest.mark.parametrize("variant", CEILINGS)
def test_what_is_displayed_is_recognised_and_what_others_display_is_not(tmp_path, variant):
    labels = [clip.label for clip in MANY]
    for folder, displayed in {"own": labels, "others": np.random.default_rng(0).permutation(labels)}.items():
        (tmp_path / folder).mkdir()
        _, record = fit(tmp_path / folder, variant, displayed)
        found = {name: scores["accuracy"] for name, scores in record["scores"]["emotion"].items()}
        if folder == "own":
            assert min(found.values()) > 95
        else:
            assert max(found["Val/*"], found["Test/*"]) < 30  # chance is 14


def test_a_face_counts_where_it_is_found_and_as_far_as_it_is_moved():
    shown = np.array([0, 0, 0.5, 1, 1, 1, 0, 0, 0, 0])
    found = np.arange(FRAMES) != 3
    clip = Features("Val/1", "Val", 3, *[np.zeros((FRAMES, 2))] * 3, found, "digest")
    happy = ceiling.describe_face(clip, script("Happy", shown)).reshape(2, -1)
    at = PARTS.index("cheek_raise")
    assert happy[:, at] == pytest.approx([0.5 * 2.5 / FRAMES, 0.5])  # a frame of the three and a half is hidden
    assert happy[1, PARTS.index("mouth_wide")] == pytest.approx(0.5 * 0.16)
    assert np.count_nonzero(happy) == 2 * 3  # cheeks, and corners and width of the mouth
    assert not ceiling.describe_face(clip, script("Neutral", shown)).any()
    hidden = Features("Val/1", "Val", 3, *[np.zeros((FRAMES, 2))] * 3, np.zeros(FRAMES, bool), "digest")
    assert not ceiling.describe_face(hidden, script("Happy", shown)).any()
    assert ceiling.describe_face(clip, script("Happy", shown) | {"voice_shown": 0 * shown}).any()
    assert not ceiling.describe_face(clip, script("Happy", shown) | {"frame_shown": 0 * shown}).any()


def test_a_voice_counts_as_far_as_it_is_heard():
    clip = Features("Val/1", "Val", 3, *[np.zeros((FRAMES, 2))] * 3, np.zeros(FRAMES, bool), "digest")
    shown = np.array([1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.25])
    mean, greatest = ceiling.describe_voice(clip, script("Sad", shown)).reshape(2, 2)
    assert mean == pytest.approx(np.array(CIRCUMPLEX["Sad"]) * shown.mean())
    assert greatest == pytest.approx(np.array(CIRCUMPLEX["Sad"]))


def test_truth_that_cannot_be_read_is_named(tmp_path):
    corpus = planted(tmp_path, CLIPS, [clip.label for clip in CLIPS])
    (tmp_path / "truth/Val_003.npz").write_text("text")
    with pytest.raises(InputError, match="Val_003.npz: cannot be read"):
        ceiling.classify("ceiling-both", corpus.recordings, tmp_path / "truth")
