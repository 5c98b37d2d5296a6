"""Clips, phases, scores and one whole experiment of Wang and Hsu 2017, on invented attributes."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics, results
from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.runs import check_files
from common.evidence.settings import resolve_settings
from common.running import tasks
from common.running.corpora import Corpus
from datasets.avec2012 import RATE
from datasets.simulated import avec2012
from datasets.simulated.corpus import draw_lengths
from datasets.traces import Labels
from replications.wang2017 import experiment, models
from replications.wang2017.features import TARGETS, Features

PAPER = next(paper for paper in load_papers() if paper.id == "wang2017")
TINY = resolve_settings(
    PAPER, "quick", ["clip_frames=10", "clip_step=4", "clip_stride=7", "epochs=2", "lstm_units=[6, 5]"]
)
WIDTH = 8
CNN = {"weights": "random", "accuracy": {"PublicTest": 0.5}, "uar": {"PublicTest": None}}


def invented(name: str, frames: int, rng=None) -> Features:
    """Attributes whose first two columns show the labels, smooth noise in the others."""
    rng = rng or np.random.default_rng([len(name), *name.encode()])
    time = np.arange(frames) / 50
    labels = [0.5 * np.sin(time * rng.uniform(1, 3) + rng.uniform(0, 6)) for _ in TARGETS]
    attributes = rng.normal(size=(frames, WIDTH)).astype(np.float32)
    attributes[:, :2] = np.stack(labels, axis=1) * 3 + 7
    found = np.arange(frames) % 50 > 2
    partition = name.split("_")[0]
    return Features(
        name, partition, time, attributes, found, Labels(time, *labels), Path(f"{name}.faces.npy"), f"digest of {name}"
    )


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """To be read only."""
    names = ["train_001", "train_002", "train_003", "devel_001", "devel_002", "test_001"]
    return Corpus("simulated", "root", [invented(name, 150 + 13 * n) for n, name in enumerate(names)])


def test_clips_are_twins_one_frame_apart():
    recording = invented("train_001", 60)
    clips = experiment.Clips([recording], TINY, "valence")
    inputs, labels = clips(np.array([0, 1]))
    assert inputs["clips"].shape == (2, 2, 10, WIDTH) and labels.shape == (2, 2, 10)
    frames = 7 + 4 * np.arange(10)  # of the second clip
    assert np.array_equal(inputs["clips"][1, 0], recording.attributes[frames])
    assert np.array_equal(inputs["clips"][1, 1], recording.attributes[frames + 1])
    assert np.array_equal(labels[1, 1], recording.labels.valence[frames + 1].astype(np.float32))


@pytest.mark.parametrize(("frames", "count"), [(37, 0), (38, 1), (44, 1), (45, 2)])
def test_only_whole_twins(frames, count):
    """The last sample of the later clip is frame 9 * 4 + 1: 38 frames."""
    assert len(experiment.Clips([invented("train_001", frames)], TINY, "arousal")) == count


def test_the_stride_of_the_paper_profile_teaches_all_phases():
    chosen = resolve_settings(PAPER, "paper")
    starts = np.array([start for _, start in experiment.Clips([invented("train_001", 2000)], chosen, "arousal").starts])
    assert set(starts % chosen["clip_step"]) == set(range(chosen["clip_step"]))


@given(st.integers(1, 400), st.sampled_from(["clips", "running"]), st.integers(1, 12), st.integers(1, 50))
def test_every_frame_is_predicted_once(count, inference, step, length):
    frames = experiment.split_phases(count, {"inference": inference, "clip_step": step, "clip_frames": length})
    assert sorted(frames[frames < count]) == list(range(count))
    assert (np.diff(frames, axis=1) == step).all()
    assert frames.shape[1] == length or inference == "running"


@pytest.mark.parametrize("inference", ["clips", "running"])
def test_prediction_of_one_frame_by_hand(inference):
    """Frame 117 with a step of 4: phase 1, sample 29 of it, the tenth of its third clip."""
    recording, chosen = invented("devel_001", 150), {**TINY, "inference": inference}
    stack = models.build_stack(chosen, WIDTH)
    series = experiment.predict(stack, recording, chosen)
    start = 1 + 20 * 4 if inference == "clips" else 1
    by_hand = np.asarray(stack(recording.attributes[None, start:118:4]))[0, -1]
    assert series[117] == pytest.approx(float(by_hand), abs=1e-6) and len(series) == 150


def test_scores_by_partition():
    recordings = [invented(name, 100) for name in ("devel_001", "devel_002", "test_001")]
    golds = {r.name: r.labels.valence for r in recordings}
    series = {r.name: r.labels.valence + r.attributes[:, 5] for r in recordings}
    found = experiment.score_recordings(recordings, golds, series)
    each = [metrics.cc(golds[name], series[name]) for name in ("devel_001", "devel_002", "test_001")]
    assert found["devel_*"] == pytest.approx(
        {"CC": np.mean(each[:2]), "CC_max": max(each[:2]), "CC_min": min(each[:2])}
    )
    assert found["test_*"] == pytest.approx(dict.fromkeys(("CC", "CC_max", "CC_min"), each[2]))
    constant = {name: np.zeros(100) for name in golds}
    assert set(experiment.score_recordings(recordings, golds, constant)["devel_*"].values()) == {None}


def trained(corpus, folder, variant="ast-net", **changes):
    path = folder / "wang2017" / "simulated" / "quick" / "all" / variant / "devel-seed3.json"
    task = tasks.Task(variant, "devel", 3, path, "digest")
    steps = []
    experiment.train(task, steps.append, {task: corpus}, {**TINY, **changes}, "quick", CNN)
    assert steps == sorted(steps) and 0.5 < steps[-1] <= 1
    return path, results.read(path)


@pytest.fixture(scope="module")
def both(corpus, tmp_path_factory):
    """AST-Net for both targets: folder, path and record of its result. To be read only."""
    folder = tmp_path_factory.mktemp("both")
    return folder, *trained(corpus, folder)


def test_result_of_both_targets(corpus, both):
    _, path, record = both
    check_files([(path, record)])
    arrays = results.read_arrays(path, record)
    for recording in corpus.recordings[3:]:
        for target in TARGETS:
            assert np.allclose(arrays[f"gold/{target}/{recording.name}"], getattr(recording.labels, target))
            assert len(arrays[f"raw/{target}/{recording.name}"]) == len(recording.time)
    assert set(record["training_scores"]) == set(TARGETS) and set(record["training_scores"]["valence"]) >= {"CC"}
    assert set(record["scores"]) == {*TARGETS, "fer2013"} and set(record["scores"]["valence"]) == {"devel_*", "test_*"}
    assert record["recordings"][0] == {"name": "train_001", "labels": 150, "frames_without_face": 9}
    names = [f"{recording.name}.faces.npy" for recording in corpus.recordings]
    assert record["faces"] == {"trained on": names[:3], "held out": names[3:]}
    kept = models.restore_stacks(arrays, TINY, WIDTH)
    for target, stack in kept.items():
        again = experiment.predict(stack, corpus.recordings[3], TINY)
        assert np.allclose(again, arrays[f"raw/{target}/devel_001"], atol=1e-6)
    mean = np.mean(np.concatenate([r.attributes for r in corpus.partition("train")]), axis=0)
    assert np.allclose(kept["arousal"].get_layer("scaling").get_weights()[0], mean, atol=1e-4)


def test_the_page_of_the_report_shows_it(both):
    from reports import evaluation, page

    found = evaluation.evaluate(PAPER, both[0])
    assert "devel-seed" not in page.render_paper(found, []) and len(found.files) == 1


@pytest.fixture(scope="module")
def compared(corpus, tmp_path_factory):
    """Path and record of one of the losses. To be read only."""
    return trained(corpus, tmp_path_factory.mktemp("compared"), "la-t-s")


def test_the_losses_are_compared_on_valence(compared):
    path, record = compared
    assert list(record["scores"]) == ["valence", "fer2013"]
    assert record["scores"]["fer2013"] == {"PublicTest": {"accuracy": 0.5, "UAR": None}}
    assert not any(name.startswith("weights/") for name in results.read_arrays(path, record))


def test_same_seed_same_numbers(corpus, compared, tmp_path):
    """After other networks in the same process, too."""
    _, again = trained(corpus, tmp_path, "la-t-s")
    assert again["scores"] == compared[1]["scores"] and again["history"] == compared[1]["history"]


def test_without_scaling(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "TARGETS", ("valence",))
    path, record = trained(corpus, tmp_path, scaling="none")
    mean, deviation = (results.read_arrays(path, record)[f"weights/valence/{n}"] for n in range(2))
    assert not mean.any() and (deviation == 1).all()


def test_learns_what_the_attributes_show(corpus, tmp_path):
    _, record = trained(corpus, tmp_path, "la", epochs=60, learning_rate=0.01, optimizer="rmsprop")
    assert record["scores"]["valence"]["devel_*"]["CC"] > 0.8


def test_recordings_shorter_than_a_clip(tmp_path):
    short = Corpus("simulated", "root", [invented(name, 37) for name in ("train_001", "devel_001")])
    with pytest.raises(InputError, match="38 frames"):
        trained(short, tmp_path)


def test_the_quick_profile_learns_clips_of_all_ten_phases():
    """The stack reads every tenth frame, from any of the first ten on (ledger 10)."""
    quick = resolve_settings(PAPER, "quick")
    sizes = SimpleNamespace(seed=0, seconds=quick["simulated_seconds"])
    seconds = draw_lengths(sizes, {"train": quick["simulated_train"]}, avec2012.SPREAD, digits=3)
    recola = int(2 * quick["simulated_seconds"] * 25)  # all of one length
    for frames in ([int(length * RATE) for length in seconds.values()], [recola]):
        recordings = [SimpleNamespace(time=np.empty(count)) for count in frames]
        starts = experiment.Clips(recordings, quick, "valence").starts
        assert {start % quick["clip_step"] for _, start in starts} == set(range(quick["clip_step"]))


def test_sessions_of_one_user_are_drawn_together_for_intervals(corpus):
    people = experiment.find_people(corpus)
    assert set(people) == {recording.name for recording in corpus.recordings}
    assert experiment.find_people(dataclasses.replace(corpus, name="avec2012")) == {}
