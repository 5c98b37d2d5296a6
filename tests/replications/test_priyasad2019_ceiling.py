"""The ceilings: results like those of networks, high where emotion is displayed and chance where it is another's."""

from pathlib import Path

import numpy as np
import pytest

from common import results
from common.evidence.paper import Part, resolve_number
from common.evidence.runs import check_files, select_runs
from common.evidence.scores import is_sound
from common.running import tasks
from common.running.corpora import Corpus
from datasets.acted import CLASSES
from datasets.simulated import acted
from datasets.simulated.emotions import CIRCUMPLEX, PARTS
from replications.priyasad2019 import ceiling, features, run
from replications.priyasad2019.experiment import Fold
from replications.priyasad2019.protocols import PROTOCOLS
from tests.replications.test_priyasad2019_experiment import CLIPS, LABELS, OWNER, PAPER, TINY, folds, invented, task_of

CEILINGS = ("ceiling-face", "ceiling-voice", "ceiling-both")
SPEECH = (0.3, 1.2)  # seconds
ARDOUR = 0.8  # of the one who acts
TIME = np.arange(36) / 25
SHOWN = np.interp(TIME, [0, 0.3, 1.2, 1.4], [0, 1, 1, 0])


def planted(root: Path, displayed: list[int]) -> Corpus:
    """A corpus in which the clips display these classes while they speak."""
    (root / "truth").mkdir(parents=True)
    for clip, label in zip(CLIPS, displayed, strict=True):
        name = clip.name.replace("/", "_").replace(" ", "_")
        np.savez(root / "truth" / f"{name}.npz", **script(CLASSES[label]))
    return Corpus("simulated", root, CLIPS)


def script(label: str, visible: np.ndarray | bool = True, shown_by: str = "both") -> dict[str, np.ndarray]:
    """What the simulator notes of a take that shows this emotion."""
    take = acted.Take("s1/1", "s1", label, "", 0, shown_by)
    moves = acted.draw_moves(3, take, ARDOUR)
    acts = {"moves": np.array([moves.get(part, 0.0) for part in PARTS]), "level": acted.find_level(take, ARDOUR)}
    times = {"speech_start": np.array(SPEECH[0]), "speech_end": np.array(SPEECH[1]), "frame_time": TIME}
    shown = {"frame_shown": SHOWN, "frame_visible": np.broadcast_to(visible, TIME.shape)}
    return acts | times | shown


def fit(root: Path, variant: str, displayed: list[int], protocol: str = "loso") -> tuple[Path, dict]:
    """Path and record of a ceiling's result."""
    corpus, splits = planted(root, displayed), folds(protocol)
    plan = run.Plan(
        run.Prepared(corpus, invented(), ["s1/moving"]),
        protocol,
        0,
        {task_of(root / "folds", split): Fold(invented(), LABELS, split) for split in splits},
    )
    path = root / "priyasad2019/simulated/quick/all" / variant / f"{protocol}-seed0.json"
    run.write(tasks.Task(variant, protocol, 0, path, "digest"), plan, [plan], TINY, "quick", features.Source("random"))
    return path, results.read(path)


OWN = [clip.label for clip in CLIPS]


@pytest.mark.parametrize("variant", CEILINGS)
def test_a_result_is_whole_and_its_scores_follow_from_its_predictions(tmp_path, variant):
    path, record = fit(tmp_path, variant, OWN)
    files = check_files([(path, record)])
    for metric in ("accuracy", "UAR"):
        number = resolve_number(PAPER, Part(metric=metric))
        assert is_sound(PAPER, select_runs(PAPER, files, variant, number=number), number)
    assert record["left_out"] == ["s1/moving"] and set(record["chats"].values()) == {"s1", "s2", "s3", "s4"}
    assert [row["name"] for row in record["recordings"]] == [clip.name for clip in CLIPS]
    assert "history" not in record and "mechanism" not in record and record["provenance"]["numpy"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_displayed_is_recognised_and_what_others_display_is_not(tmp_path, protocol):
    _, record = fit(tmp_path / "own", "ceiling-both", OWN, protocol)
    assert record["scores"]["emotion"]["*"]["accuracy"] > 95
    assert record["training_scores"]["emotion"]["accuracy"] > 95
    others = np.random.default_rng(0).permutation(OWN)
    _, record = fit(tmp_path / "others", "ceiling-both", others, protocol)
    assert record["scores"]["emotion"]["*"]["accuracy"] < 35  # chance is 17


def test_a_fold_learns_from_the_segments_that_it_trains_on(tmp_path):
    """And tells how many of these it has right; labels of the others change nothing."""
    corpus, split = planted(tmp_path, OWN), folds("loso")[1]
    spoilt = LABELS.copy()
    spoilt[split.test], spoilt[split.held] = 0, 1
    found = [
        ceiling.classify("ceiling-face", CLIPS, corpus.root, [Fold(invented(), labels, split)])
        for labels in (LABELS, spoilt)
    ]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    posteriors, (accuracy,) = found[0]
    assert posteriors.shape == (len(OWNER), len(CLASSES)) and 95 < accuracy <= 100
    assert (posteriors[split.test].sum(axis=1) == 1).all() and not np.delete(posteriors, split.test, axis=0).any()


def test_a_segment_shows_what_is_displayed_in_its_time():
    """Segments begin 0.11, 0.41 and 0.71 s after the beginning of the clip and last 0.655 s."""
    clip, hidden = CLIPS[0], TIME < 0.9
    face = ceiling.describe_face(clip, script("Fear", visible=~hidden)).reshape(3, 2, -1)
    moves = acted.draw_moves(3, acted.Take("s1/1", "s1", "Fear", "", 0), ARDOUR)
    for number, start in enumerate((0.11, 0.41, 0.71)):
        inside = (start <= TIME) & (start + 0.655 > TIME)
        seen = np.where(hidden, 0, SHOWN)[inside]
        for part, values in zip(PARTS, face[number].T, strict=True):
            assert values == pytest.approx(moves.get(part, 0) * np.array([seen.mean(), seen.max()]))
    assert not face[0].any() and face[2].any()


def test_a_voice_counts_while_it_speaks():
    """The first segment begins in silence, the last one ends in it; between them all is heard."""
    voice = ceiling.describe_voice(CLIPS[0], script("Anger")).reshape(3, 2, 2)
    mean, greatest = voice[:, 0], voice[:, 1]
    assert greatest[0] == pytest.approx(ARDOUR * np.array(CIRCUMPLEX["Angry"]))
    np.testing.assert_array_equal(greatest, greatest[[0, 0, 0]])
    assert mean[1] == pytest.approx(greatest[1]) and (np.abs(mean[[0, 2]]) < np.abs(greatest[0])).all()


@pytest.mark.parametrize(("alone", "other"), [("face", "voice"), ("voice", "face")])
def test_what_does_not_show_the_emotion_says_nothing(alone, other):
    told = script("Fear", shown_by=alone)
    found = {"face": ceiling.describe_face(CLIPS[0], told), "voice": ceiling.describe_voice(CLIPS[0], told)}
    assert found[alone].any() and not found[other].any()
