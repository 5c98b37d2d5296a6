"""Whether a network has learnt, on invented result files."""

import dataclasses

import numpy as np
import pytest

from common import metrics, results
from common.ceiling import name_ceiling
from common.evidence.cells import fill_cells
from common.evidence.paper import Part
from common.evidence.runs import CONTROL, select_runs
from common.evidence.scores import read_paired_predictions
from common.evidence.skill import UNLEARNT, count_learnt, judge_skills, score_dealt, share_dealt, widen
from tests.common.evidence.invented import LEE, RAJU
from tests.reports.fabricate import CLASSES, QUALITY, fabricate, fabricate_classes, fabricate_targets

CLASSED = dataclasses.replace(CLASSES, skill=(Part(metric="accuracy", recordings="Test/*"),))


def judge(folder, paper=LEE):
    return {(skill.variant, skill.corpus): skill for skill in judge_skills(paper, results.find(folder, paper.id))}


class TestSeries:
    def test_one_that_follows_the_gold_standard_has_learnt(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm-ta", training_scores={"valence": {"CCC": 0.9}})
        (skill,) = judge(tmp_path).values()
        assert skill.learnt and skill.floor < skill.low < skill.ours < skill.high and skill.train == 0.9
        assert (skill.ceiling, skill.share) == (None, None)  # nobody was given the truth

    def test_one_that_knows_nothing_has_not(self, tmp_path, monkeypatch):
        monkeypatch.setitem(QUALITY, "lstm", 0.0)
        fabricate(tmp_path, LEE, "lstm")
        (skill,) = judge(tmp_path).values()
        assert skill.learnt is False and skill.low < skill.floor and skill.train is None

    def test_nor_one_whose_score_all_recordings_share(self, tmp_path):
        """It does not know whom it hears: dealt out to others, its predictions score the same."""
        path = fabricate(tmp_path, LEE, "lstm")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        same = arrays["gold/Devel_01"] + 0.01 * np.random.default_rng(0).normal(size=300).astype(np.float32)
        arrays |= {name: arrays["gold/Devel_01"] if name[:5] == "gold/" else same for name in arrays if "Devel" in name}
        record["scores"]["none"]["per_recording"]["CCC"] = metrics.ccc(arrays["gold/Devel_01"], same)
        results.write(path, record, arrays)
        (skill,) = judge(tmp_path).values()
        assert skill.ours > 0.9 and skill.floor == pytest.approx(skill.ours) and skill.learnt is False

    def test_a_constant_has_not_learnt(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        arrays |= {name: np.full(300, 0.1) for name in arrays if name.startswith("raw/")}
        record["scores"]["none"]["per_recording"]["CCC"] = 0.0
        results.write(path, record, arrays)
        (skill,) = judge(tmp_path).values()
        assert skill.learnt is False

    def test_shuffled_predictions_land_at_the_floor(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm-ta")
        runs = select_runs(LEE, list(results.find(tmp_path, LEE.id)), "lstm-ta")
        number = judge(tmp_path)["lstm-ta", "simulated"].number
        (seed,) = read_paired_predictions(LEE, runs, number)
        dealt = score_dealt(LEE, runs, number, list(seed.values()))
        assert len(dealt) == 13 and abs(np.mean(dealt)) < 0.1  # each to each of the others, once

    def test_it_is_judged_without_what_was_fitted_on_the_scored_recordings(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        golds = {name: array for name, array in arrays.items() if name.startswith("gold/")}
        results.write(path, record, arrays | {name.replace("gold", "post"): array for name, array in golds.items()})
        (skill,) = judge(tmp_path).values()
        assert skill.ours == record["scores"]["none"]["per_recording"]["CCC"]

    @pytest.mark.parametrize(("people", "learnt"), [(3, None), (4, True)])
    def test_of_few_people_nothing_can_be_told(self, tmp_path, people, learnt):
        fabricate(tmp_path, LEE, "lstm-ta", chats={f"Devel_{n:02}": f"person {n % people}" for n in range(1, 15)})
        (skill,) = judge(tmp_path).values()
        assert skill.learnt is learnt and (skill.low is not None) is (people > 3) and skill.ours > 0.3
        said = {UNLEARNT in cell.note for cell in fill_cells(LEE, results.find(tmp_path, LEE.id))}
        assert said == {False}  # nobody knows that it has not
        assert count_learnt([skill]) == ("0 of 0, 1 unknown" if learnt is None else "1 of 1")

    @pytest.mark.parametrize("people", [4, 6, 14])
    def test_few_people_who_know_nothing_rarely_seem_to_have_learnt(self, people):
        """One interval in forty lies above 0; drawn without more ado it would be one in ten of four people."""
        generator, hits = np.random.default_rng(0), np.zeros(2)
        for _ in range(400):
            scores = generator.normal(size=people)
            draws = scores[generator.integers(people, size=(1000, people))].mean(axis=1)
            hits += [np.percentile(d, 2.5) > 0 for d in (draws, widen(draws, people))]
        assert hits[1] / 400 < 0.05 and hits[1] < hits[0]

    def test_predictions_that_are_not_stored_say_nothing(self, tmp_path):
        scores = {"devel": {"per_recording": {"CCC": 0.9}}}
        fabricate(tmp_path, LEE, "lstm", scores=scores)
        assert judge(tmp_path) == {}

    def test_the_ceiling_is_that_of_what_the_network_sees(self, tmp_path):
        paper = dataclasses.replace(LEE, ceilings={"lstm": "voice"})
        fabricate(tmp_path, LEE, "lstm")
        path = fabricate(tmp_path / "made", LEE, "fused")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        variant = name_ceiling("voice")
        place = tmp_path / "lee2018/simulated/quick/valence" / variant / path.name
        results.write(place, {**record, "variant": variant}, arrays)
        skill = judge(tmp_path, paper)["lstm", "simulated"]
        assert skill.ceiling_low < skill.ceiling < skill.ceiling_high and 0 < skill.share < 1
        assert skill.share == pytest.approx((skill.ours - skill.floor) / (skill.ceiling - skill.floor))
        fabricate(tmp_path, LEE, "lstm", profile="study")  # of another corpus: no ceiling beside it
        assert judge(tmp_path, paper)["lstm", "simulated"].ceiling is None

    def test_each_target_and_the_control_for_itself(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm"), fabricate(tmp_path, LEE, "lstm", CONTROL)
        assert list(judge(tmp_path)) == [("lstm", "simulated"), ("lstm", CONTROL)]
        fabricate_targets(tmp_path, RAJU, "aed", fold="heldout", quality=0.9)
        skills = judge_skills(RAJU, results.find(tmp_path, RAJU.id))
        assert [skill.number.target for skill in skills] == ["arousal", "valence", "liking"]
        assert count_learnt(skills) == "3 of 3" and count_learnt([]) == "no network was run"


class TestClasses:
    def test_one_that_is_right_more_often_than_chance_has_learnt(self, tmp_path):
        fabricate_classes(tmp_path, CLASSES, "proposed", quality=0.6)
        (skill,) = judge(tmp_path, CLASSED).values()
        assert skill.learnt and skill.low > skill.floor

    def test_one_that_guesses_has_not(self, tmp_path):
        fabricate_classes(tmp_path, CLASSES, "proposed", quality=0.0)
        (skill,) = judge(tmp_path, CLASSED).values()
        chance = 100 / len(CLASSES.protocol.classes)
        assert skill.learnt is False and skill.floor == pytest.approx(chance, abs=6) and skill.floor >= chance

    def test_the_most_frequent_class_is_no_skill(self, tmp_path):
        path = fabricate_classes(tmp_path, CLASSES, "proposed", clips=(("Test", 60),))
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        target = CLASSES.protocol.target
        for number in range(60):  # 40 of them are of class 0, and it says 0 always
            arrays[f"gold/{target}/Test/{number:09}"] = np.array([0 if number < 40 else 1])
            arrays[f"raw/{target}/Test/{number:09}"] = np.array([0])
        record["scores"][target]["Test/*"]["accuracy"] = 100 * 40 / 60
        results.write(path, record, arrays)
        (skill,) = judge(tmp_path, CLASSED).values()
        assert skill.ours == pytest.approx(skill.floor) and skill.learnt is False


def test_a_cell_says_that_its_network_has_not_learnt(tmp_path, monkeypatch):
    monkeypatch.setitem(QUALITY, "lstm", 0.0)
    fabricate(tmp_path, LEE, "lstm"), fabricate(tmp_path, LEE, "lstm-ta")
    cells = [cell for cell in fill_cells(LEE, results.find(tmp_path, LEE.id)) if cell.evidence != "none"]
    said = {cell.row: UNLEARNT in cell.note for cell in cells if cell.exhibit == "table1"}
    assert said == {"LSTM-RNN": True, "LSTM-RNN + TA": False}


def test_where_the_epoch_was_chosen_on_the_scored_recordings_another_fold_says_whether_it_has_learnt(tmp_path):
    fabricate_targets(tmp_path, RAJU, "aed", quality=0.9)  # of the fold "devel"
    files = list(results.find(tmp_path, RAJU.id))
    assert not any(UNLEARNT in cell.note for cell in fill_cells(RAJU, files))
    fabricate_targets(tmp_path, RAJU, "aed", fold="heldout", quality=0.0)
    cells = [c for c in fill_cells(RAJU, results.find(tmp_path, RAJU.id)) if c.evidence != "none"]
    assert cells and all(UNLEARNT in cell.note for cell in cells)


def test_a_test_set_without_labels_says_nothing(tmp_path):
    """As that of AFEW, for who has not got its labels."""
    fabricate_classes(tmp_path, CLASSES, "proposed", unlabelled=("Test",))
    assert judge(tmp_path, CLASSED) == {}
    assert not any(UNLEARNT in cell.note for cell in fill_cells(CLASSED, results.find(tmp_path, CLASSES.id)))


def test_what_is_expected_of_predictions_that_are_dealt_out(tmp_path):
    truth, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 2, 2, 2, 2])
    pairs = [(truth[[i]], predicted[[i]]) for i in range(6)]
    generator = np.random.default_rng(0)
    dealt = np.mean([np.mean(truth == generator.permutation(predicted)) for _ in range(5000)])
    (found,) = share_dealt(CLASSES, None, Part(metric="accuracy"), pairs)
    assert found == pytest.approx(100 * (3 * 2 + 2 * 4) / 36) == pytest.approx(100 * dealt, abs=1)
