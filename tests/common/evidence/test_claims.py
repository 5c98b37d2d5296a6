"""Claims, on invented result files."""

import dataclasses

import pytest

from common import results
from common.evidence.claims import decide, describe_resolution, judge_claims
from common.evidence.runs import CONTROL
from tests.common.evidence.invented import LEE, RAJU
from tests.reports.fabricate import CLASSES, QUALITY, fabricate, fabricate_all, fabricate_classes, fabricate_targets


def fabricate_seeds(make, *words, seeds=range(3), **more):
    """The same result with each of the seeds."""
    return [make(*words, seed=seed, **more) for seed in seeds]


def fabricate_everything(folder, corpora=("simulated",), seeds=range(3)):
    for corpus in corpora:
        for variant in QUALITY:
            fabricate_seeds(fabricate, folder, LEE, variant, corpus, seeds=seeds)


def judge_first(folder, paper=LEE):
    return judge_claims(paper, results.find(folder, paper.id))[0]


class TestClaims:
    def test_holds_in_simulation(self, tmp_path):
        fabricate_everything(tmp_path)
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))
        assert len(found) == len([claim for claim in LEE.claims if claim.better]) == 5
        assert found[0].result == "holds in simulation" and 0 < found[0].ci_low < found[0].advantage < found[0].ci_high
        assert [direction.published for direction in found] == [0.097, 0.045, 0.115, 0.029, 0.024]

    def test_does_not_hold(self, tmp_path):
        swap = {"lstm": "lstm-ta", "lstm-ta": "lstm"}
        for variant, other in swap.items():
            for path in fabricate_seeds(fabricate, tmp_path / "made", LEE, other):
                record, arrays = results.read(path), results.read_arrays(path, results.read(path))
                target = tmp_path / "lee2018/simulated/quick/valence" / variant / path.name
                results.write(target, {**record, "variant": variant}, arrays)
        assert judge_first(tmp_path).result == "does not hold in simulation"

    def test_a_network_against_itself_is_no_difference_of_any_size(self, tmp_path):
        fabricate_seeds(fabricate, tmp_path, LEE, "lstm")
        itself = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], better="lstm"),))
        found = judge_first(tmp_path, itself)
        assert found.advantage == 0 and found.result == "no difference of that size in simulation"

    def test_a_difference_within_the_margin_never_holds(self, tmp_path):
        """However narrow the interval, and although it lies above 0."""
        fabricate_everything(tmp_path)
        found = judge_first(tmp_path)
        assert found.margin == pytest.approx(0.097 / 3) and found.ci_low > 0  # a third of what is printed
        large = dataclasses.replace(LEE.claims[0], margin=0.9)
        found = judge_first(tmp_path, dataclasses.replace(LEE, claims=(large,)))
        assert found.margin == 0.9 and found.ci_low > 0 and found.result == "no difference of that size in simulation"

    def test_of_two_seeds_it_is_not_testable(self, tmp_path):
        fabricate_everything(tmp_path, seeds=range(2))
        found = judge_first(tmp_path)
        assert found.result == "not testable" and found.note == "2 of 3 seeds" and found.ci_low > 0
        fabricate(tmp_path, LEE, "lstm-ta", seed=2)  # of both
        assert judge_first(tmp_path).note == "2 of 3 seeds"

    def test_between_networks_that_have_not_learnt_it_is_not_testable(self, tmp_path, monkeypatch):
        monkeypatch.setitem(QUALITY, "lstm", 0.0), monkeypatch.setitem(QUALITY, "lstm-ta", 0.0)
        fabricate_everything(tmp_path)
        found = judge_first(tmp_path)
        assert found.result == "not testable" and found.note == "neither network has learnt"

    def test_of_three_people_it_is_not_testable(self, tmp_path):
        for variant in ("lstm", "lstm-ta"):
            people = {f"Devel_{n:02}": f"person {n % 3}" for n in range(1, 15)}
            fabricate_seeds(fabricate, tmp_path, LEE, variant, chats=people)
        assert "3 of 4 people" in judge_first(tmp_path).note and judge_first(tmp_path).result == "not testable"

    def test_one_that_has_learnt_is_enough(self, tmp_path, monkeypatch):
        monkeypatch.setitem(QUALITY, "lstm", 0.0)
        fabricate_everything(tmp_path)
        assert judge_first(tmp_path).result == "holds in simulation"

    def test_on_other_recordings_it_is_not_testable(self, tmp_path):
        fabricate_seeds(fabricate, tmp_path, LEE, "lstm")
        for path in fabricate_seeds(fabricate, tmp_path, LEE, "lstm-ta"):
            record, arrays = results.read(path), results.read_arrays(path, results.read(path))
            results.write(path, record, {k.replace("Devel_14", "Devel_99"): v for k, v in arrays.items()})
        found = judge_first(tmp_path)
        assert found.result == "not testable" and "not of the same recordings" in found.note

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

    def test_of_scores_that_do_not_follow_it_is_not_testable(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        path = fabricate(tmp_path, LEE, "lstm-ta")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["devel"]["per_recording"]["CCC"] = -0.9
        results.write(path, record, arrays)
        found = judge_claims(LEE, results.find(tmp_path, LEE.id))[0]
        assert found.result == "not testable" and "does not follow" in found.note

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
        fabricate_everything(tmp_path)
        paper = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], metric="RMSE"),))
        (found,) = judge_claims(paper, results.find(tmp_path, LEE.id))
        assert found.published == 0.013 and found.advantage > 0 and found.result == "holds in simulation"


def test_claim_about_a_target(tmp_path):
    for variant, quality in (("aed", 0.9), ("eaf", 0.3)):
        fabricate_seeds(fabricate_targets, tmp_path, RAJU, variant, quality=quality)
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
    for variant, quality in (("proposed", 0.9), ("average", 0.2)):
        fabricate_seeds(fabricate_classes, tmp_path, CLASSES, variant, quality=quality)
    (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
    assert found.published == 3.71 and found.result == "holds in simulation" and found.seeds == 3
    assert found.ci_low < found.advantage < found.ci_high


def test_claim_is_paired(tmp_path):
    """Two networks that are right about the same recordings: nothing is left to draw."""
    for made in fabricate_seeds(fabricate_classes, tmp_path / "made", CLASSES, "average"):
        record, arrays = results.read(made), results.read_arrays(made, results.read(made))
        for variant in ("average", "proposed"):
            path = tmp_path / "classes/simulated/quick/all" / variant / made.name
            results.write(path, {**record, "variant": variant}, arrays)
    (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
    assert found.advantage == found.ci_low == found.ci_high == 0 and found.result.startswith("no difference")


@pytest.mark.parametrize(
    ("advantage", "low", "high", "result"),
    [
        (0.05, 0.01, 0.09, "holds"),
        (-0.05, -0.09, -0.01, "does not hold"),
        (0.01, -0.02, 0.025, "no difference of that size"),
        (0.01, 0.005, 0.015, "no difference of that size"),  # never "holds": it is smaller than what counts
        (0.02, 0.005, 0.04, "undecided"),  # above 0, but perhaps too small to count
        (0.05, -0.01, 0.11, "undecided"),
        (-0.02, -0.04, 0.01, "undecided"),
        (0.05, None, None, "undecided"),
    ],
)
def test_what_an_interval_says(advantage, low, high, result):
    assert decide(advantage, low, high, margin=0.03) == result


def test_what_would_decide_it():
    """Half an interval is 1.96 standard errors; 2.8 of them are found in four of five runs."""
    words = describe_resolution(-0.0196, 0.0196, 0.014, people=20, seeds=5)
    assert words == "20 people and 5 seeds resolve 0.028; 0.014, as printed, wants about 80 and 20"
    assert describe_resolution(-0.0196, 0.0196, 0.05, 20, 5) == "20 people and 5 seeds resolve 0.028"
    assert describe_resolution(-0.0196, 0.0196, None, 20, 5) == "20 people and 5 seeds resolve 0.028"


def test_of_what_was_resolved_is_said_where_it_is_undecided(tmp_path):
    claim = dataclasses.replace(LEE.claims[0], margin=0.28)  # within the interval
    fabricate_everything(tmp_path)
    found = judge_first(tmp_path, dataclasses.replace(LEE, claims=(claim,)))
    assert found.ci_low < 0.28 < found.ci_high and found.result == "undecided in simulation"
    assert found.note.startswith("14 people and 3 seeds resolve 0.")
