"""Claims, on invented result files."""

import dataclasses

import pytest

from common import results
from common.evidence.claims import judge_claims
from common.evidence.runs import CONTROL
from tests.common.evidence.invented import LEE, RAJU
from tests.reports.fabricate import CLASSES, fabricate, fabricate_all, fabricate_classes, fabricate_targets


class TestClaims:
    def test_holds_in_simulation(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))
        assert len(found) == len([claim for claim in LEE.claims if claim.better]) == 5
        assert found[0].result == "holds in simulation" and 0 < found[0].ci_low < found[0].advantage < found[0].ci_high
        assert [direction.published for direction in found] == [0.097, 0.045, 0.115, 0.029, 0.024]

    def test_does_not_hold(self, tmp_path):
        swap = {"lstm": "lstm-ta", "lstm-ta": "lstm"}
        for variant, other in swap.items():
            path = fabricate(tmp_path / "made", LEE, other)
            record, arrays = results.read(path), results.read_arrays(path, results.read(path))
            target = tmp_path / "lee2018/simulated/quick/valence" / variant / "devel-seed0.json"
            results.write(target, {**record, "variant": variant}, arrays)
        assert judge_claims(LEE, results.find(tmp_path, LEE.id))[0].result == "does not hold in simulation"

    def test_undecided_against_itself(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        itself = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], better="lstm"),))
        (found,) = judge_claims(itself, results.find(tmp_path, LEE.id))
        assert found.advantage == 0 and found.result == "undecided in simulation"

    def test_real_evidence_is_not_called_simulation(self, tmp_path):
        for variant in ("lstm", "lstm-ta"):
            fabricate(tmp_path, LEE, variant, LEE.corpus, "paper")
            fabricate(tmp_path, LEE, variant)
        assert judge_claims(LEE, results.find(tmp_path, LEE.id))[0].result == "holds"

    @pytest.mark.parametrize(
        ("profile", "changes", "why"),
        [
            ("quick", {}, "quick profile"),
            ("paper", {"overrides": ["crop_size=64"]}, "crop_size=64"),
            ("paper", {"unusable": [{"recording": "Train_07", "file": "x.avi", "reason": "cut short"}]}, "1 recording"),
        ],
    )
    def test_of_another_experiment_it_is_undecided(self, tmp_path, profile, changes, why):
        for variant in ("lstm", "lstm-ta"):
            fabricate(tmp_path, LEE, variant, LEE.corpus, profile, **changes)
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))[0]
        assert found.result == "undecided" and why in found.note and found.ci_low > 0

    def test_of_scores_that_do_not_follow_it_is_undecided(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        path = fabricate(tmp_path, LEE, "lstm-ta")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["devel"]["per_recording"]["CCC"] = -0.9
        results.write(path, record, arrays)
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))[0]
        assert found.result == "undecided in simulation" and "does not follow" in found.note

    def test_both_networks_from_one_corpus(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        fabricate(tmp_path, LEE, "lstm-ta")
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))[0]
        assert found.result == "not run" and found.note == "not run on the same recordings in the same way"
        assert judge_claims(LEE, [])[0].note == ""
        fabricate(tmp_path, LEE, "lstm")
        assert judge_claims(LEE, results.find(tmp_path, LEE.id))[0].corpus == "simulated"

    def test_other_settings_are_not_paired(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        fabricate(tmp_path, LEE, "lstm-ta", overrides=["epochs_audio=1"])
        assert judge_claims(LEE, results.find(tmp_path, LEE.id))[0].result == "not run"

    def test_control_is_added_where_it_was_run(self, tmp_path):
        fabricate_all(tmp_path, LEE)
        corpora = [direction.corpus for direction in judge_claims(LEE, results.find(tmp_path, LEE.id))]
        assert corpora == ["simulated", CONTROL] * 5

    def test_less_is_more_for_rmse(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm"), fabricate(tmp_path, LEE, "lstm-ta")
        paper = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], metric="RMSE"),))
        (found,) = judge_claims(paper, results.find(tmp_path, LEE.id))
        assert found.published == 0.013 and found.advantage > 0 and found.result == "holds in simulation"


def test_claim_about_a_target(tmp_path):
    fabricate_targets(tmp_path, RAJU, "aed", quality=0.9), fabricate_targets(tmp_path, RAJU, "eaf", quality=0.3)
    found = {d.claim.text: d for d in judge_claims(RAJU, results.find(tmp_path, RAJU.id))}
    arousal = found["An encoder and decoder with attention does better than the final state alone, for arousal."]
    assert arousal.published == 0.272 and arousal.result == "holds in simulation"
    assert found["AED improves on the baseline for arousal."].result == "not run"


def test_claim_over_the_corpus_and_its_public_part(tmp_path):
    fabricate_targets(tmp_path, RAJU, "aed", RAJU.corpus, "paper", quality=0.95)
    path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", f"{RAJU.corpus}-public", "paper", quality=0.2)

    def improves():
        found = {d.claim.text: d for d in judge_claims(RAJU, results.find(tmp_path, RAJU.id))}
        return found["AED improves on the baseline for arousal."]

    assert improves().result == "holds" and improves().published == 0.023 and improves().ci_low > 0
    record, arrays = results.read(path), results.read_arrays(path, results.read(path))
    results.write(path, {**record, "chats": {}}, arrays)  # drawn otherwise: not paired
    assert improves().result == "undecided" and improves().ci_low is None


def test_claim(tmp_path):
    for seed in (0, 1):
        fabricate_classes(tmp_path, CLASSES, "proposed", quality=0.9, seed=seed)
        fabricate_classes(tmp_path, CLASSES, "average", quality=0.2, seed=seed)
    (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
    assert found.published == 3.71 and found.result == "holds in simulation" and found.seeds == 2
    assert found.ci_low < found.advantage < found.ci_high


def test_claim_is_paired(tmp_path):
    """Two networks that are right about the same recordings: nothing is left to draw."""
    made = fabricate_classes(tmp_path / "made", CLASSES, "average")
    record, arrays = results.read(made), results.read_arrays(made, results.read(made))
    for variant in ("average", "proposed"):
        path = tmp_path / "classes/simulated/quick/all" / variant / made.name
        results.write(path, {**record, "variant": variant}, arrays)
    (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
    assert found.advantage == found.ci_low == found.ci_high == 0 and found.result.startswith("undecided")
