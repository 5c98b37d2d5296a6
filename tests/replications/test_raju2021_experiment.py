"""Sequences, the choice of epochs and recordings, scores and the mechanism's measure of Raju et al. 2021."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics, splits
from common.errors import InputError
from common.evidence.reading import load_papers
from common.evidence.settings import resolve_settings
from common.running import tasks
from common.running.corpora import Corpus
from datasets.sewa import LABEL_HOP, TARGETS, Labels
from replications.raju2021 import experiment, mechanism
from replications.raju2021.experiment import Sequences
from replications.raju2021.features import Features
from tests.processes import without_graphs

PAPER = next(paper for paper in load_papers() if paper.id == "raju2021")
QUICK = {**resolve_settings(PAPER, "quick"), "hop": 0.2}
RNG = np.random.default_rng(0)


def recording(name: str, count: int) -> Features:
    """A recording of `count` labels; its first audio feature is the index of the label."""
    _, culture, _ = name.split("_")
    audio = RNG.normal(size=(count, 4)).astype(np.float32)
    audio[:, 0] = np.arange(count)
    time = np.arange(count) * LABEL_HOP
    labels = Labels(time, *(np.sin(time + k) for k in range(3)))
    return Features(name, name.split("_")[0], culture, audio, audio[:, 1:3], labels, f"{name} {count}")


def sequences(recordings, delay=0.0, **changes) -> Sequences:
    return Sequences(recordings, {**QUICK, **changes}, experiment.measure_moments(recordings), delay)


class TestSequences:
    def test_padded_standardised_and_masked(self):
        recordings = [recording("Train_DE_01", 9), recording("Train_HU_01", 5)]
        made = sequences(recordings)
        inputs, targets = made(np.array([0, 1]))
        assert made.steps == 5 and inputs["mask"].tolist() == [[True] * 5, [True] * 3 + [False] * 2]
        raw = np.concatenate([r.audio for r in recordings])
        expected = (recordings[0].audio[::2] - raw.mean(axis=0)) / raw.std(axis=0)
        assert np.allclose(inputs["audio"][0], expected, atol=1e-5)
        assert not inputs["audio"][1, 3:].any() and not targets[1, 3:].any()
        for k, target in enumerate(TARGETS):
            assert np.allclose(targets[1, :3, k], getattr(recordings[1].labels, target)[::2], atol=1e-6)

    def test_a_delay_moves_labels_to_the_front_and_predictions_back(self):
        made = sequences([recording("Train_DE_01", 9)], delay=0.4)
        _, targets = made(np.array([0]))
        labels = made.recordings[0].labels
        assert targets[0, :, -1].tolist() == [1, 1, 1, 0, 0]
        assert np.allclose(targets[0, :3, 0], labels.arousal[[4, 6, 8]], atol=1e-6)
        perfect = Echo(lambda inputs: np.repeat(np.arange(5.0)[None, :, None], 3, axis=2))
        assert made.predict(perfect, 1)["liking"][0].tolist() == [0, 0, 0, 1, 2]

    def test_segments_cover_each_step_once(self):
        made = sequences([recording("Train_DE_01", 21), recording("Train_HU_01", 8)], segment=0.8)
        assert made.steps == 4 and [span[1:] for span in made.spans] == [(0, 4), (4, 8), (8, 11), (0, 4)]
        first = Echo(lambda inputs: inputs["audio"][..., :1].repeat(3, axis=2))
        series = made.predict(first, 3)["valence"]
        assert [len(s) for s in series] == [11, 4]
        scale = made.moments["audio"]
        assert np.allclose(series[0] * scale.deviation[0] + scale.mean[0], np.arange(0, 21, 2), atol=1e-3)

    def test_split_undoes_joining(self):
        made = sequences([recording("Train_DE_01", 21), recording("Train_HU_01", 8)])
        series = [np.arange(11.0), np.arange(4.0)]
        assert all(np.array_equal(a, b) for a, b in zip(made.split(np.concatenate(series)), series, strict=True))


class Echo:
    """In the place of a model: its outputs are a function of its inputs."""

    def __init__(self, function):
        self.function = function
        self.inputs = [Named(name) for name in ("audio", "visual", "mask")]

    def predict_on_batch(self, values):
        given = dict(zip([tensor.name for tensor in self.inputs], values, strict=True))
        return self.function(given)


@dataclass
class Named:
    name: str


class TestChoices:
    recordings = [recording(f"Train_{c}_{n:02}", 50 + 4 * (n // 2)) for c in ("DE", "HU") for n in range(8)]

    def task(self, fold):
        return tasks.Task("aed", fold, 0, None, "")

    def corpus(self):
        return Corpus("simulated", None, [*self.recordings, recording("Devel_DE_01", 60)])

    def test_chats_have_one_length(self):
        chats = experiment.find_chats(self.recordings)
        assert len(set(chats.values())) == 8 and chats["Train_DE_02"] == chats["Train_DE_03"] != chats["Train_HU_03"]

    def test_one_label_more_is_the_same_chat(self):
        chats = experiment.find_chats(
            [recording("Train_DE_01", 50), recording("Train_DE_02", 51), recording("Train_DE_03", 53)]
        )
        assert chats["Train_DE_01"] == chats["Train_DE_02"] != chats["Train_DE_03"]

    def test_on_devel_the_scored_recordings_choose(self):
        training_set, chosen_on = experiment.divide(
            self.corpus(), self.corpus().partition("Devel"), QUICK, self.task("devel")
        )
        assert [r.name for r in chosen_on] == ["Devel_DE_01"] and len(training_set) == 16

    def test_held_out_chats_choose_and_do_not_train(self):
        training_set, chosen_on = experiment.divide(
            self.corpus(), self.corpus().partition("Devel"), QUICK, self.task("heldout")
        )
        assert {r.partition for r in chosen_on} == {"Train"} and len(training_set) + len(chosen_on) == 16
        fold = splits.Fold("", *(tuple(r.name for r in part) for part in (training_set, chosen_on)))
        splits.assert_disjoint(fold, experiment.find_chats(self.recordings))

    def test_a_share_that_leaves_nothing_is_one_line(self):
        with pytest.raises(InputError, match="heldout_share"):
            devel = self.corpus().partition("Devel")
            experiment.divide(self.corpus(), devel, {**QUICK, "heldout_share": 0.999}, self.task("heldout"))

    def test_culture(self):
        training_set, _ = experiment.divide(
            self.corpus(), self.corpus().partition("Devel"), {**QUICK, "culture": "HU"}, self.task("devel")
        )
        assert {r.culture for r in training_set} == {"HU"}

    @given(st.integers(2, 200), st.integers(2, 40))
    def test_few_recordings_sit_out(self, count, wanted):
        size, most = experiment.choose_micro_batch(count, wanted), min(count, wanted)
        assert max(1, most // 2) <= size <= most and count // size * size >= count // most * most

    def test_micro_batch_of_all_divides(self):
        assert experiment.choose_micro_batch(68, 34) == 34 and experiment.choose_micro_batch(58, 34) == 29
        assert experiment.choose_micro_batch(3, 34) == 3


@pytest.mark.parametrize("selection", ["per_target", "joint", "last"])
def test_the_epoch_of_each_target_is_the_best_on_the_choosing_recordings(tmp_path, selection):
    """The kept series are those whose CCC is the highest in the history, and no other."""
    recordings = [recording(f"Train_DE_{n:02}", 14 + n) for n in range(4)]
    changed = {
        **QUICK, "epochs": 4, "learning_rate": 0.05, "encoder_units": 3, "decoder_units": 3, "attention_units": 3,
        "selection": selection, "dropout": 0.0, "recurrent_dropout": 0.0,
    }  # fmt: skip
    parts = [sequences(part, **changed) for part in (recordings, recordings[:2], recordings[:2])]
    task = tasks.Task("aed", "devel", 0, tmp_path / "devel-seed0.json", "")
    experiment.training.prepare(0)
    with nullcontext() if selection == "per_target" else without_graphs():  # in a graph once
        _, history, series = experiment.fit_network(task, lambda done: None, *parts)
    if selection == "last":
        assert set(history) == {"loss"} and [len(s) for s in series["liking"]] == [7, 8]
        return
    found = {
        target: metrics.score_pooled(
            metrics.ccc,
            [experiment.read_gold(r, target, changed) for r in recordings[:2]],
            series[target],
            pooling="concatenated",
            variance="avec2018",
        )
        for target in TARGETS
    }
    if selection == "joint":
        found = dict.fromkeys(TARGETS, np.mean(list(found.values())))
    assert {target: max(history[target]) for target in TARGETS} == pytest.approx(found, abs=1e-6)


def test_scores_by_target_and_culture():
    devel = [recording("Devel_DE_01", 20), recording("Devel_HU_01", 30)]
    golds = {target: [experiment.read_gold(r, target, QUICK) for r in devel] for target in TARGETS}
    series = {target: [golds[target][0] + 0.1, -golds[target][1]] for target in TARGETS}
    found = experiment.score_series(devel, golds, series, "population")
    assert found["valence"]["Devel_DE_*"]["CCC"] == pytest.approx(
        metrics.ccc(golds["valence"][0], golds["valence"][0] + 0.1)
    )
    assert found["valence"]["Devel_HU_*"]["CCC"] < 0 and set(found["liking"]) == {"Devel_DE_*", "Devel_HU_*", "*"}
    constant = {target: [np.zeros(10), np.zeros(15)] for target in TARGETS}
    assert experiment.score_series(devel, constant, constant, "population")["arousal"]["Devel_DE_*"]["CCC"] is None


class TestAlignment:
    def test_attention_that_looks_back(self):
        shares = np.eye(10)[np.maximum(np.arange(10) - 2, 0)]
        offset, spread = mechanism.measure_offset(shares)
        assert offset == pytest.approx((0 + 1 + 8 * 2) / 10) and spread == pytest.approx(0, abs=1e-6)

    def test_uniform_attention(self):
        offset, spread = mechanism.measure_offset(np.full((9, 9), 1 / 9))
        assert offset == pytest.approx(0) and spread == pytest.approx(np.std(np.arange(9)))

    def test_planted_delay_is_read_from_the_truth(self, tmp_path):
        corpus = Corpus("simulated", tmp_path, [])
        assert mechanism.read_planted(corpus, ["Devel_DE_01"]) is None
        (tmp_path / "truth").mkdir()
        np.savez(tmp_path / "truth" / "Devel_DE_01.npz", rater_delay=np.array([1.5, 2.5]))
        assert mechanism.read_planted(corpus, ["Devel_DE_01"]) == 2.0
