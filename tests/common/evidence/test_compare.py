"""Verdicts, intervals and claims, on invented result files."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import metrics
from common.errors import InputError
from common.evidence.cells import fill_cells, fill_own_cells
from common.evidence.claims import judge_claims
from common.evidence.paper import Part, format_value
from common.evidence.reading import load_papers
from common.evidence.runs import CONTROL, find_corpus
from common.evidence.scores import estimate_interval, score_classes, score_concatenated
from common.evidence.text import format_tables
from common.running import results
from tests.reports.fabricate import (
    CLASSES,
    QUALITY,
    class_scores,
    fabricate,
    fabricate_all,
    fabricate_classes,
    fabricate_frames,
    fabricate_targets,
)

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
RAJU, WANG = (  # invented results have fewer recordings than theirs
    dataclasses.replace(paper, recordings={}) for paper in load_papers() if paper.id in ("raju2021", "wang2017")
)


def compared(root, paper=LEE):
    return fill_cells(paper, results.find(root, paper.id))


def cell_of(root, variant="lstm", column="CCC", paper=LEE):
    label = next(row.label for table in paper.tables for row in table.rows if row.variant == variant)
    return next(cell for cell in compared(root, paper) if cell.row == label and cell.column == column)


def real(root, ours=None, paper=LEE, **changes):
    """An invented result on the paper's corpus whose scores are all `ours`."""
    scores = {f: {p: {m: ours for m in ("RMSE", "CC", "CCC")} for p in POOLINGS} for f in ("none", "devel", "train")}
    return fabricate(root, paper, "lstm", **{"corpus": paper.corpus, "profile": "paper", "scores": scores, **changes})


POOLINGS = ("per_recording", "concatenated")


def test_what_a_corpus_is_about():
    """A corpus of the paper, its public part, or what simulates it; the first corpus where the name says nothing."""
    paper = next(paper for paper in load_papers() if paper.id == "priyasad2019")
    assert set(paper.corpora) == {"rml", "enterface"} and paper.corpus == "rml"
    names = {"rml": ["rml", "rml-public", "simulated", "simulated-rml", "simulated-uniform", "unknown"]}
    names |= {"enterface": ["enterface", "enterface-public", "simulated-enterface"]}
    for corpus, told in names.items():
        assert [find_corpus(paper, name) for name in told] == [corpus] * len(told)


class TestCells:
    def test_complete_and_in_the_papers_order(self, tmp_path):
        found = compared(tmp_path)
        assert len(found) == 32
        assert [cell.exhibit for cell in found] == ["table1"] * 6 + ["table2"] * 9 + ["table3"] * 17
        assert [cell.published for cell in found[:6]] == ["0.122", "0.496", "0.454", "0.109", "0.621", "0.551"]
        assert [cell.published for cell in found[15:17]] == ["0.351", "0.400"]
        assert [cell.published for cell in found[-3:]] == ["0.091", "0.664", "0.641"]

    def test_columns(self):
        from common.evidence.cells import Cell

        names = "paper,exhibit,row,column,published,origin,evidence,corpus,profile,seeds,ours,ci_low,ci_high,difference,tolerance,verdict,note"
        assert ",".join(field.name for field in dataclasses.fields(Cell)) == names

    def test_without_results(self, tmp_path):
        found = compared(tmp_path)
        assert {cell.verdict for cell in found} == {"NOT_RUN"} and {cell.evidence for cell in found} == {"none"}
        assert all(cell.ours is cell.difference is cell.ci_low is None and cell.seeds == 0 for cell in found)

    def test_quoted_rows_stay_not_run(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        quoted = [cell for cell in compared(tmp_path) if cell.origin == "quoted"]
        assert [cell.verdict for cell in quoted] == ["NOT_RUN"] * 2 and [c.evidence for c in quoted] == ["none"] * 2
        assert all("Ringeval" in cell.note and cell.tolerance is None for cell in quoted)

    def test_difference_is_ours_minus_published(self, tmp_path):
        real(tmp_path, 0.5)
        cell = cell_of(tmp_path)
        assert cell.ours == 0.5 and cell.difference == pytest.approx(0.5 - 0.454)

    def test_score_is_the_protocols(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        record = results.read(path)
        assert cell_of(tmp_path).ours == record["scores"]["devel"]["per_recording"]["CCC"]

    def test_mean_over_seeds(self, tmp_path):
        for seed, ours in enumerate((0.4, 0.5, 0.6)):
            real(tmp_path, ours, seed=seed)
        assert cell_of(tmp_path).ours == pytest.approx(0.5) and cell_of(tmp_path).seeds == 3


class TestVerdict:
    def test_simulated_is_never_compared(self, tmp_path):
        scores = {"devel": {"per_recording": {"RMSE": 0.122, "CC": 0.496, "CCC": 0.454}}}
        fabricate(tmp_path, LEE, "lstm", profile="paper", scores=scores)
        cell = cell_of(tmp_path)
        assert cell.difference == 0 and cell.verdict == "NOT_COMPARABLE" and cell.evidence == "simulated"

    @pytest.mark.parametrize(
        ("ours", "verdict"),
        [(0.454, "MATCH"), (0.484, "MATCH"), (0.424, "MATCH"), (0.4841, "MISMATCH"), (0.4239, "MISMATCH")],
    )
    def test_real_within_tolerance(self, tmp_path, ours, verdict):
        real(tmp_path, ours)
        assert cell_of(tmp_path).verdict == verdict

    @pytest.mark.parametrize(("ours", "verdict"), [(0.127, "MATCH"), (0.1271, "MISMATCH")])
    def test_each_metric_has_its_tolerance(self, tmp_path, ours, verdict):
        real(tmp_path, ours)
        assert cell_of(tmp_path, column="RMSE").verdict == verdict

    def test_undefined_is_never_a_match(self, tmp_path):
        real(tmp_path, None)
        cell = cell_of(tmp_path)
        assert cell.verdict == "MISMATCH" and cell.ours is None and "undefined" in cell.note

    def test_nan_is_never_a_match(self, tmp_path):
        path = real(tmp_path, 0.454)
        path.write_text(path.read_text().replace("0.454", "NaN"))
        assert cell_of(tmp_path).verdict == "MISMATCH" and cell_of(tmp_path).ours is None

    def test_one_undefined_seed_is_never_a_match(self, tmp_path):
        real(tmp_path, 0.454)
        real(tmp_path, None, seed=1)
        assert cell_of(tmp_path).verdict == "MISMATCH"

    def test_fewer_seeds_than_declared_is_never_a_match(self, tmp_path):
        paper = dataclasses.replace(LEE, protocol=dataclasses.replace(LEE.protocol, seeds=3))
        real(tmp_path, 0.454), real(tmp_path, 0.454, seed=1)
        cell = cell_of(tmp_path, paper=paper)
        assert cell.verdict == "MISMATCH" and "2 of 3 seeds" in cell.note
        real(tmp_path, 0.454, seed=2)
        assert cell_of(tmp_path, paper=paper).verdict == "MATCH"

    def test_unusable_recording_is_never_a_match(self, tmp_path):
        real(tmp_path, 0.454, unusable=[{"recording": "Train_07", "file": "x.avi", "reason": "cut short"}])
        cell = cell_of(tmp_path)
        assert cell.verdict == "MISMATCH" and "1 recording" in cell.note

    @pytest.mark.parametrize(("least", "verdict"), [(3, "MATCH"), (4, "MISMATCH")])
    def test_a_part_of_the_recordings_is_never_a_match(self, tmp_path, least, verdict):
        """Those that are scored count, which are three of nine."""
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", clips=(("Val", 6), ("Test", 3)), quality=1.0)
        paper = self.printed(dataclasses.replace(CLASSES, recordings={"clips": {"Test/*": least}}), "100")
        cell = next(c for c in compared(tmp_path, paper) if (c.row, c.column) == ("proposed", "Test"))
        assert cell.verdict == verdict and (verdict == "MATCH" or "at least 4" in cell.note)

    @staticmethod
    def printed(paper, number, column="Test", variant="proposed"):
        """The paper as if it had printed this in its first table."""
        rows = tuple(
            dataclasses.replace(row, published={**row.published, column: number}) if row.variant == variant else row
            for row in paper.tables[0].rows
        )
        return dataclasses.replace(paper, tables=(dataclasses.replace(paper.tables[0], rows=rows), *paper.tables[1:]))

    def test_seeds_of_different_recordings_are_never_a_match(self, tmp_path):
        for seed in (0, 1):
            path = fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper", seed)
        paper = dataclasses.replace(LEE, recordings={})
        paper = self.printed(paper, f"{cell_of(tmp_path).ours:.3f}", "CCC", "lstm")
        assert cell_of(tmp_path, paper=paper).verdict == "MATCH"
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        results.write(path, record, {name: a for name, a in arrays.items() if not name.endswith("Devel_05")})
        cell = cell_of(tmp_path, paper=paper)
        assert cell.verdict == "MISMATCH" and "different recordings" in cell.note and cell.ci_low is None

    def test_predictions_that_are_not_stored_are_told(self, tmp_path):
        real(tmp_path, 0.454)
        assert "not stored" in cell_of(tmp_path).note
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        assert "not stored" not in cell_of(tmp_path).note

    def test_score_that_its_predictions_do_not_yield_is_never_a_match(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        assert "follow" not in cell_of(tmp_path).note
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["devel"]["per_recording"]["CCC"] = 0.454
        results.write(path, record, arrays)
        cell = cell_of(tmp_path)
        assert cell.verdict == "MISMATCH" and "does not follow" in cell.note and cell.ci_low is None

    def test_quick_profile_is_not_comparable(self, tmp_path):
        real(tmp_path, 0.454, profile="quick")
        assert cell_of(tmp_path).verdict == "NOT_COMPARABLE" and "quick" in cell_of(tmp_path).note

    def test_other_settings_are_not_comparable(self, tmp_path):
        real(tmp_path, 0.454, overrides=["crop_size=64"])
        cell = cell_of(tmp_path)
        assert cell.verdict == "NOT_COMPARABLE" and "crop_size=64" in cell.note

    def test_settings_about_the_files_are_comparable(self, tmp_path):
        real(tmp_path, 0.454, overrides=["resample=true"])
        assert cell_of(tmp_path).verdict == "MATCH"

    def test_another_real_corpus_is_not_comparable(self, tmp_path):
        real(tmp_path, 0.454, corpus="elsewhere")
        cell = cell_of(tmp_path)
        assert cell.verdict == "NOT_COMPARABLE" and LEE.corpus in cell.note and cell.evidence == "real"


class TestDamaged:
    """Entries of a kind that is never written: one line that names the file, whatever would read them."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"scores": {"devel": 0.3}},
            {"scores": {"devel": {"per_recording": [1]}}},
            {"scores": None},
            {"provenance": None},
            {"history": None},
            {"seconds": [1]},
            {"chats": []},
            {"left_out": {}},
            {"unusable": None},
            {"unusable": ["x"]},
            {"unusable": [{"recording": "x"}]},
            {"recordings": [{"name": "x"}]},
            {"recordings": [None]},
            {"mechanism": [1]},
            {"postprocess": ["x"]},
            {"arrays": "x"},
            {"arrays": {}},
        ],
    )
    def test_record(self, tmp_path, changes):
        path = real(tmp_path, 0.5)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(InputError, match=f"{path.name}: (damaged|incomplete) result file"):
            compared(tmp_path)

    @pytest.mark.parametrize("series", [np.zeros(3), np.zeros((300, 1)), np.array(["a"] * 300)])
    def test_prediction(self, tmp_path, series):
        path = fabricate(tmp_path, LEE, "lstm")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        results.write(path, record, arrays | {"post/Devel_03": series})
        with pytest.raises(InputError, match="npz: Devel_03: gold standard and prediction do not fit"):
            compared(tmp_path)


class TestChoice:
    def test_order(self, tmp_path):
        def filled():
            cell = cell_of(tmp_path)
            return cell.corpus, cell.profile

        fabricate(tmp_path, LEE, "lstm", CONTROL)
        assert cell_of(tmp_path).evidence == "none"
        steps = [
            ("simulated", "quick"),
            ("simulated", "paper"),
            ("aaa", "quick"),
            (LEE.corpus, "quick"),
            (LEE.corpus, "paper"),
        ]
        for corpus, profile in steps:
            fabricate(tmp_path, LEE, "lstm", corpus, profile)
            assert filled() == (corpus, profile)

    def test_newest_of_several_settings(self, tmp_path):
        old, new = {"provenance": {"date": "2026-01-01"}}, {"provenance": {"date": "2026-02-01"}}
        real(tmp_path, 0.1, seed=0, overrides=["crop_size=64"], **old)
        real(tmp_path, 0.5, seed=1, **new), real(tmp_path, 0.7, seed=2, **old)
        cell = cell_of(tmp_path)
        assert cell.ours == pytest.approx(0.6) and cell.seeds == 2 and "left out: 1" in cell.note

    def test_versions_of_a_corpus_are_not_mixed(self, tmp_path):
        real(tmp_path, 0.5, seed=0), real(tmp_path, 0.7, seed=1, corpus_digest="f" * 16)
        assert cell_of(tmp_path).seeds == 1


class TestInterval:
    def test_contains_the_score_and_is_reproducible(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        for column in ("RMSE", "CC", "CCC"):
            cell = cell_of(tmp_path, column=column)
            assert cell.ci_low < cell.ours < cell.ci_high
            assert cell == cell_of(tmp_path, column=column)

    def test_as_wide_as_theory_says(self, tmp_path):
        """For a mean over n recordings: about 1.96 s / sqrt(n) on either side."""
        path = fabricate(tmp_path, LEE, "lstm")
        from common.metrics import ccc

        arrays = results.read_arrays(path, results.read(path))
        names = [name[5:] for name in arrays if name.startswith("gold/")]
        values = [ccc(arrays[f"gold/{name}"], arrays[f"post/{name}"]) for name in names]
        cell = cell_of(tmp_path)
        half = 1.96 * np.std(values) / np.sqrt(len(values))
        assert cell.ci_high - cell.ci_low == pytest.approx(2 * half, rel=0.15)

    def test_concatenated(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        paper = dataclasses.replace(LEE, protocol=dataclasses.replace(LEE.protocol, pooling="concatenated"))
        cell = cell_of(tmp_path, paper=paper)
        assert cell.ci_low < cell.ours < cell.ci_high

    def test_none_for_scores_without_predictions(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        paper = dataclasses.replace(LEE, protocol=dataclasses.replace(LEE.protocol, postprocess="train"))
        cell = cell_of(tmp_path, paper=paper)
        assert cell.ours is not None and cell.ci_low is None and cell.ci_high is None


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


class TestSeveralTargets:
    """A table whose columns are networks and whose rows are targets and parts of the recordings: raju2021's."""

    def cell(self, root, row, column, paper=RAJU):
        return next(c for c in compared(root, paper) if (c.row, c.column) == (row, column))

    def test_in_the_papers_order(self, tmp_path):
        found = compared(tmp_path, RAJU)
        assert len(found) == 54 and [c.published for c in found[:6]] == [
            "0.629",
            "0.789",
            "0.791",
            "0.486",
            "0.132",
            "0.635",
        ]
        assert [c.column for c in found[:3]] == ["Baseline [24]", "[45]", "[46]"] and found[-1].published == "0.062"
        assert [c.origin for c in found[:6]] == ["quoted", "quoted", "quoted", "own", "own", "own"]
        assert (
            "Ringeval" in found[0].note
            and found[0].tolerance == 0.0005
            and found[1].tolerance is None
            and found[3].tolerance == 0.03
        )

    def test_scores_are_of_the_target_and_the_recordings_of_the_row(self, tmp_path):
        path = fabricate_targets(tmp_path, RAJU, "aed")
        arrays = results.read_arrays(path, results.read(path))
        for row, target, part in (
            ("liking: Hungarian", "liking", "HU"),
            ("valence: German + Hungarian", "valence", ""),
        ):
            names = sorted(n.split("/")[2] for n in arrays if n.startswith(f"gold/{target}/Devel_{part}"))
            truth, series = (np.concatenate([arrays[f"{k}/{target}/{n}"] for n in names]) for k in ("gold", "raw"))
            cell = self.cell(tmp_path, row, "AED")
            assert cell.ours == pytest.approx(metrics.ccc(truth, series, variance="avec2018"))
            assert cell.ci_low < cell.ours < cell.ci_high and cell.verdict == "NOT_COMPARABLE"

    def test_fold_of_the_column(self, tmp_path):
        fabricate_targets(tmp_path, RAJU, "aed", fold="heldout")
        assert self.cell(tmp_path, "arousal: German", "AED").evidence == "none"
        own = [c for c in fill_own_cells(RAJU, results.find(tmp_path, RAJU.id)) if c.evidence != "none"]
        assert {(c.exhibit, c.column) for c in own} == {("honest", "AED")} and len(own) == 9
        assert all(c.verdict == c.published == "" and c.difference is c.tolerance is None and c.ci_low for c in own)

    def test_public_part_of_the_corpus_is_the_corpus(self, tmp_path):
        path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", "avec2019-public", "paper")
        cell = self.cell(tmp_path, "arousal: German", "Baseline [24]")
        assert cell.evidence == "real" and cell.verdict == "MISMATCH"
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        exact = RAJU.tables[0].rows[0].published | {"Baseline [24]": f"{cell.ours:.3f}"}
        rows = (dataclasses.replace(RAJU.tables[0].rows[0], published=exact), *RAJU.tables[0].rows[1:])
        paper = dataclasses.replace(RAJU, tables=(dataclasses.replace(RAJU.tables[0], rows=rows), *RAJU.tables[1:]))
        results.write(path, record, arrays)
        assert self.cell(tmp_path, "arousal: German", "Baseline [24]", paper).verdict == "MATCH"

    def test_erratum_only_if_the_other_system_has_the_printed_score(self, tmp_path):
        fabricate_targets(tmp_path, RAJU, "baseline-fusion", "avec2019-public", "paper")
        row = RAJU.tables[0].rows[6]
        assert row.label == "liking: German" == RAJU.errata[0].row
        assert self.cell(tmp_path, row.label, "Baseline [24]").verdict == "MISMATCH"
        fabricate_targets(tmp_path, RAJU, "system-visual-vgg", "avec2019-public", "paper", quality=0.2)
        assert self.cell(tmp_path, row.label, "Baseline [24]").verdict == "MISMATCH"
        systems = fill_own_cells(RAJU, results.find(tmp_path, RAJU.id))
        other = next(c.ours for c in systems if c.row == row.label and c.column == "visual-vgg")
        printed = dataclasses.replace(row, published=row.published | {"Baseline [24]": f"{other:.3f}"})
        rows = tuple(printed if r is row else r for r in RAJU.tables[0].rows)
        paper = dataclasses.replace(RAJU, tables=(dataclasses.replace(RAJU.tables[0], rows=rows), *RAJU.tables[1:]))
        cell = self.cell(tmp_path, row.label, "Baseline [24]", paper)
        assert cell.verdict == "ERRATUM" and "`system-visual-vgg`" in cell.note and f"{other:.4f}" in cell.note

    def test_chats_are_drawn_together(self, tmp_path):
        """With all recordings in two chats, every draw is one of three joined series."""
        path = fabricate_targets(tmp_path, RAJU, "aed")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["chats"] = {name: name[6:8] for name in record["chats"]}
        results.write(path, record, arrays)
        both = self.cell(tmp_path, "arousal: German + Hungarian", "AED")
        parts = [self.cell(tmp_path, f"arousal: {culture}", "AED") for culture in ("German", "Hungarian")]
        assert [both.ci_low, both.ci_high] == pytest.approx(sorted(part.ours for part in parts), abs=1e-3)
        assert parts[0].ci_low is None  # one chat cannot be resampled

    def test_claim_about_a_target(self, tmp_path):
        fabricate_targets(tmp_path, RAJU, "aed", quality=0.9), fabricate_targets(tmp_path, RAJU, "eaf", quality=0.3)
        found = {d.claim.text: d for d in judge_claims(RAJU, results.find(tmp_path, RAJU.id))}
        arousal = found["An encoder and decoder with attention does better than the final state alone, for arousal."]
        assert arousal.published == 0.272 and arousal.result == "holds in simulation"
        assert found["AED improves on the baseline for arousal."].result == "not run"

    def test_claim_over_the_corpus_and_its_public_part(self, tmp_path):
        fabricate_targets(tmp_path, RAJU, "aed", RAJU.corpus, "paper", quality=0.95)
        path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", f"{RAJU.corpus}-public", "paper", quality=0.2)

        def improves():
            found = {d.claim.text: d for d in judge_claims(RAJU, results.find(tmp_path, RAJU.id))}
            return found["AED improves on the baseline for arousal."]

        assert improves().result == "holds" and improves().published == 0.023 and improves().ci_low > 0
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        results.write(path, {**record, "chats": {}}, arrays)  # drawn otherwise: not paired
        assert improves().result == "undecided" and improves().ci_low is None

    def test_recorded_score_that_its_predictions_do_not_yield(self, tmp_path):
        path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", "avec2019-public", "paper")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["arousal"]["Devel_DE_*"]["CCC"] = 0.629
        results.write(path, record, arrays)
        cell = self.cell(tmp_path, "arousal: German", "Baseline [24]")
        assert cell.verdict == "MISMATCH" and "does not follow" in cell.note


@pytest.mark.parametrize("variance", metrics.VARIANCES)
@pytest.mark.parametrize("metric", ["RMSE", "CC", "CCC"])
def test_sums_give_the_score_of_the_joined_series(metric, variance):
    rng = np.random.default_rng(0)
    pairs = [(5 + rng.normal(size=n), 5 + rng.normal(size=n)) for n in (10, 25, 40)]
    weights = np.array([[1, 1, 1], [3, 0, 2], [0, 0, 1]])
    options = {} if metric == "RMSE" else {"variance": variance}
    for row, found in zip(weights, score_concatenated(metric, pairs, weights, variance)):
        truth, series = (np.concatenate([p[k] for p, n in zip(pairs, row) for _ in range(n)]) for k in (0, 1))
        assert found == pytest.approx(getattr(metrics, metric.lower())(truth, series, **options), rel=1e-9)


class TestCorrelationOfEachRecording:
    """wang2017's tables: best, worst and mean CC of the recordings, several corpora, the mean of two targets."""

    def cells(self, root, **wanted):
        found = compared(root, WANG)
        return [cell for cell in found if all(getattr(cell, key) == value for key, value in wanted.items())]

    def own(self, root, **wanted):
        return [cell for cell in self.cells(root, **wanted) if cell.origin == "own" and cell.evidence != "none"]

    def test_best_worst_and_mean(self, tmp_path):
        path = fabricate_frames(tmp_path, WANG, "ast-net")
        arrays = results.read_arrays(path, results.read(path))
        names = [name[5:] for name in arrays if name.startswith("gold/valence/devel")]
        values = [metrics.cc(arrays[f"gold/{name}"], arrays[f"raw/{name}"]) for name in names]
        found = self.own(tmp_path, exhibit="table1")
        assert [cell.ours for cell in found] == pytest.approx([max(values), min(values), np.mean(values)])
        assert not any("does not follow" in cell.note for cell in found)
        assert found[2].ci_low < found[2].ours < found[2].ci_high
        assert [cell.ci_low for cell in found[:2]] == [None, None]  # no draw goes beyond the best and the worst

    def test_a_score_that_is_not_of_the_predictions(self, tmp_path):
        path = fabricate_frames(tmp_path, WANG, "ast-net")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["valence"]["devel_*"]["CC_max"] += 0.01
        results.write(path, record, arrays)
        notes = [cell.note for cell in self.own(tmp_path, exhibit="table1")]
        assert ["does not follow" in note for note in notes] == [True, False, False]

    def test_mean_of_two_targets(self, tmp_path):
        fabricate_frames(tmp_path, WANG, "ast-net")
        for exhibit in ("table2", "table3"):
            arousal, valence, average = self.own(tmp_path, exhibit=exhibit)
            assert average.ours == pytest.approx((arousal.ours + valence.ours) / 2)
            assert average.ci_low < average.ours < average.ci_high

    def test_corpora_are_kept_apart(self, tmp_path):
        fabricate_frames(tmp_path, WANG, "ast-net")
        assert not self.own(tmp_path, exhibit="table4")
        fabricate_frames(tmp_path, WANG, "ast-net", "simulated-recola", partitions=("dev",))
        assert {cell.corpus for cell in self.own(tmp_path, exhibit="table4")} == {"simulated-recola"}
        assert {cell.corpus for cell in self.own(tmp_path, exhibit="table2")} == {"simulated"}
        fabricate_frames(tmp_path, WANG, "ast-net", "recola", "paper", partitions=("dev",))
        assert {cell.verdict for cell in self.own(tmp_path, exhibit="table4")} == {"MISMATCH"}  # of one seed

    def test_intervals_cover_the_seeds(self, tmp_path):
        """Two seeds far apart: the interval over recordings and seeds reaches from one to the other."""
        for seed, quality in enumerate((0.95, 0.2)):
            fabricate_frames(tmp_path / "both", WANG, "ast-net", seed=seed, quality=quality)
            fabricate_frames(tmp_path / str(seed), WANG, "ast-net", seed=seed, quality=quality)
        (high, low, both) = (self.own(tmp_path / place, exhibit="table1")[2] for place in ("0", "1", "both"))
        assert both.ours == pytest.approx((high.ours + low.ours) / 2) and both.seeds == 2
        assert both.ci_low < low.ours and both.ci_high > both.ours + 0.9 * (high.ours - both.ours)

    def test_a_measured_speed_is_not_comparable(self, tmp_path):
        fabricate_frames(
            tmp_path, WANG, "realtime", "measured", "paper", evidence="measured", fold="float32",
            scores={"all": {"*": {"FPS": 12.5}}}, target="all",
        )  # fmt: skip
        found = self.own(tmp_path, exhibit="text")
        assert {cell.published for cell in found} == {"40.1", "41"}
        assert {(c.ours, c.verdict, c.evidence) for c in found} == {(12.5, "NOT_COMPARABLE", "measured")}
        assert all("invented" in cell.note for cell in found)

    def test_recordings_without_labels_are_not_run(self, tmp_path):
        fabricate_frames(tmp_path, WANG, "ast-net", "avec2012", "paper", partitions=("devel",))
        assert not self.own(tmp_path, exhibit="table3") and self.own(tmp_path, exhibit="table2")
        assert {cell.verdict for cell in self.cells(tmp_path, exhibit="table3")} == {"NOT_RUN"}

    def test_five_seeds_at_the_printed_numbers_match(self, tmp_path):
        printed = {"devel_*": ("0.5870", "0.5874"), "test_*": ("0.5442", "0.5362")}
        scores = {
            target: {
                part: {"CC": float(values[i]), "CC_max": 0.8789, "CC_min": 0.2337} for part, values in printed.items()
            }
            for i, target in enumerate(("arousal", "valence"))
        }
        recola = {"arousal": {"dev_*": {"CC": 0.4783}}, "valence": {"dev_*": {"CC": 0.4445}}}
        for seed in range(5):
            fabricate_frames(tmp_path, WANG, "ast-net", "avec2012", "paper", seed, scores=scores)
            fabricate_frames(tmp_path, WANG, "ast-net", "recola", "paper", seed, scores=recola)
        found = self.own(tmp_path)
        assert len(found) == 12 and {cell.verdict for cell in found} == {"MATCH"}

    def test_a_uniform_corpus_fills_no_cell(self, tmp_path):
        for corpus in ("simulated-uniform", "simulated-recola-uniform"):
            fabricate_frames(tmp_path, WANG, "ast-net", corpus)
        assert not self.own(tmp_path)

    def test_evidence_must_fit_the_corpus(self, tmp_path):
        fabricate_frames(tmp_path, WANG, "ast-net", "recola", evidence="measured")
        with pytest.raises(InputError, match="damaged"):
            compared(tmp_path, WANG)


class TestClasses:
    """An invented paper that recognises three classes: accuracy, UAR and a confusion matrix, in percent."""

    def cells(self, root, exhibit="figure5", paper=CLASSES):
        return {(c.row, c.column): c for c in compared(root, paper) if c.exhibit == exhibit}

    def labels(self, path, partition="Test"):
        arrays = results.read_arrays(path, results.read(path))
        names = [name[5:] for name in arrays if name.startswith(f"gold/emotion/{partition}/")]
        return [np.concatenate([arrays[f"{kind}/{name}"] for name in names]) for kind in ("gold", "raw")]

    def test_scores_are_those_of_the_metrics(self, tmp_path):
        path = fabricate_classes(tmp_path, CLASSES, "proposed")
        truth, predicted = self.labels(path)
        table = self.cells(tmp_path, "table1")
        assert table["proposed", "Test"].ours == pytest.approx(100 * np.mean(truth == predicted))
        recalls = [np.mean(predicted[truth == label] == label) for label in range(3)]
        assert table["proposed", "UAR"].ours == pytest.approx(100 * np.mean(recalls))
        assert table["proposed", "Val"].ours == pytest.approx(100 * np.mean(np.equal(*self.labels(path, "Val"))))
        matrix = self.cells(tmp_path)
        assert len(matrix) == 9 and not any("follow" in cell.note for cell in matrix.values())
        assert matrix["Sad", "happy"].ours == pytest.approx(100 * np.mean(predicted[truth == 2] == 1))
        for row in ("Angry", "Happy", "Sad"):
            assert sum(matrix[row, column].ours for column in ("angry", "happy", "sad")) == pytest.approx(100)

    @pytest.mark.parametrize("place", [("proposed", "Test"), ("Sad", "happy")])
    def test_a_score_that_is_not_of_the_predictions(self, tmp_path, place):
        path = fabricate_classes(tmp_path, CLASSES, "proposed")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["emotion"]["Test/*"]["accuracy"] += 0.5
        record["scores"]["emotion"]["Test/*"]["Sad as Happy"] += 0.5
        results.write(path, record, arrays)
        found = self.cells(tmp_path) | self.cells(tmp_path, "table1")
        noted = {key for key, cell in found.items() if "does not follow" in cell.note}
        assert noted == {("proposed", "Test"), ("Sad", "happy")} and found[place].ci_low is None

    def test_interval_of_an_accuracy_is_binomial(self, tmp_path):
        """About 1.96 sqrt(p (1 - p) / n) on either side."""
        path = fabricate_classes(tmp_path, CLASSES, "proposed", clips=(("Val", 30), ("Test", 400)))
        share = np.mean(np.equal(*self.labels(path)))
        cell = self.cells(tmp_path, "table1")["proposed", "Test"]
        half = 100 * 1.96 * np.sqrt(share * (1 - share) / 400)
        assert cell.ci_low < cell.ours < cell.ci_high
        assert cell.ci_high - cell.ci_low == pytest.approx(2 * half, rel=0.12)

    def test_a_class_that_is_not_there_has_no_share(self, tmp_path):
        path = fabricate_classes(tmp_path, CLASSES, "proposed", clips=(("Val", 30), ("Test", 2)))
        assert results.read(path)["scores"]["emotion"]["Test/*"]["Sad as Sad"] is None
        cell = self.cells(tmp_path)["Sad", "sad"]
        assert cell.ours is None and "undefined" in cell.note and cell.ci_low is None and "follow" not in cell.note
        assert self.cells(tmp_path, "table1")["proposed", "UAR"].ours is None
        assert self.cells(tmp_path)["Angry", "sad"].ours is not None

    @pytest.mark.parametrize(("clips", "has"), [(9, False), (30, True)])
    def test_a_class_that_few_draws_lack(self, tmp_path, clips, has):
        """A third of the recordings are sad: (2 / 3)^n of the draws have none, 2.6 % of 9, of three classes 8 %."""
        fabricate_classes(tmp_path, CLASSES, "proposed", clips=(("Val", 30), ("Test", clips)), quality=0.6)
        assert self.cells(tmp_path)["Sad", "sad"].ci_low is not None
        assert (self.cells(tmp_path, "table1")["proposed", "UAR"].ci_low is not None) == has

    def test_test_labels_withheld(self, tmp_path):
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", unlabelled=("Test",))
        table = self.cells(tmp_path, "table1")
        assert table["proposed", "Test"].verdict == "NOT_RUN" and table["proposed", "Val"].ours is not None
        assert {cell.verdict for cell in self.cells(tmp_path).values()} == {"NOT_RUN"}

    def test_printed_percentages_match(self, tmp_path):
        printed = {
            "accuracy": 44.9,
            "UAR": 36.8,
            "Angry as Angry": 75.95,
            "Happy as Happy": 66.67,
            "Happy as Sad": 25.9,
        }
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", scores={"emotion": {"Test/*": printed}})
        assert self.cells(tmp_path, "table1")["proposed", "Test"].verdict == "MATCH"
        matrix = self.cells(tmp_path)
        assert matrix["Angry", "angry"].verdict == "MATCH" and matrix["Happy", "sad"].verdict == "MISMATCH"
        assert matrix["Happy", "sad"].difference == pytest.approx(5.07)

    def test_no_share_of_a_class_matches_without_its_recall(self, tmp_path):
        """A network that always says the same is close to every share that is next to nothing."""
        table = CLASSES.tables[1]
        shares = {f"{r.truth} as {c.predicted}": 0.0 for r in table.rows for c in table.columns}
        shares |= {f"{row.truth} as {table.columns[0].predicted}": 100.0 for row in table.rows}
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", scores={"emotion": {"Test/*": shares}})
        found = self.cells(tmp_path).values()
        close = [c for c in found if abs(c.difference) <= c.tolerance]
        assert close and all(c.verdict == "MISMATCH" and "the recall" in c.note for c in close)
        shares["Angry as Angry"] = float(table.rows[0].published["angry"])
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", scores={"emotion": {"Test/*": shares}})
        angry = [c for c in self.cells(tmp_path).values() if c.row == "Angry"]
        assert [c.verdict for c in angry] == ["MATCH", "MATCH", "MISMATCH"]

    def test_claim(self, tmp_path):
        for seed in (0, 1):
            fabricate_classes(tmp_path, CLASSES, "proposed", quality=0.9, seed=seed)
            fabricate_classes(tmp_path, CLASSES, "average", quality=0.2, seed=seed)
        (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
        assert found.published == 3.71 and found.result == "holds in simulation" and found.seeds == 2
        assert found.ci_low < found.advantage < found.ci_high

    def test_claim_is_paired(self, tmp_path):
        """Two networks that are right about the same recordings: nothing is left to draw."""
        made = fabricate_classes(tmp_path / "made", CLASSES, "average")
        record, arrays = results.read(made), results.read_arrays(made, results.read(made))
        for variant in ("average", "proposed"):
            path = tmp_path / "classes/simulated/quick/all" / variant / made.name
            results.write(path, {**record, "variant": variant}, arrays)
        (found,) = judge_claims(CLASSES, results.find(tmp_path, CLASSES.id))
        assert found.advantage == found.ci_low == found.ci_high == 0 and found.result.startswith("undecided")

    @pytest.mark.parametrize("label", [np.array([3]), np.array([-1]), np.array([0, 1]), np.array([0.5])])
    def test_what_is_no_label(self, tmp_path, label):
        path = fabricate_classes(tmp_path, CLASSES, "proposed")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        results.write(path, record, {**arrays, "raw/emotion/Test/000000003": label})
        with pytest.raises(InputError, match="train-seed0.npz: .*(not the number of one of 3 classes|do not fit)"):
            compared(tmp_path, CLASSES)

    def test_as_text(self, tmp_path):
        fabricate_classes(tmp_path, CLASSES, "proposed")
        found = compared(tmp_path, CLASSES)
        lines = format_tables(CLASSES, found).splitlines()
        ours = [f"{self.cells(tmp_path)['Angry', column].ours:.2f}" for column in ("angry", "happy", "sad")]
        assert ["Angry", "ours", *ours] in [line.split() for line in lines]
        assert ["published", "75.95", "0", "24.05"] in [line.split() for line in lines]
        assert "verdicts: 9 NOT_COMPARABLE" in lines
        assert format_tables(CLASSES, compared(tmp_path / "none", CLASSES)).count("published") == 4


@pytest.mark.parametrize("part", [{"metric": "accuracy"}, {"metric": "UAR"},
                                  {"metric": "share", "truth": "b", "predicted": "c"}])  # fmt: skip
@given(
    labels=st.lists(st.tuples(*3 * [st.integers(0, 2)]), min_size=1, max_size=20),  # truth, prediction, how often
)
def test_weights_give_the_score_of_the_repeated_labels(part, labels):
    truth, predicted, often = np.array(labels).T
    pairs = [(np.array([t]), np.array([p])) for t, p in zip(truth, predicted)]
    (found,) = score_classes(Part(**part), "abc", pairs, often[None].astype(float))
    repeated = class_scores(np.repeat(truth, often), np.repeat(predicted, often), "abc")
    expected = repeated["b as c" if part["metric"] == "share" else part["metric"]]
    assert found == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_draws_without_a_score_are_left_out_if_they_are_few():
    values = np.arange(1000.0)
    values[:49] = np.nan
    assert estimate_interval(values) == pytest.approx(tuple(np.percentile(values[49:], [2.5, 97.5])))
    values[49] = np.nan
    assert estimate_interval(values) == (None, None) == estimate_interval(None)


class TestDamage:
    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"schema": 1, "paper": "lee2018"}'])
    def test_record(self, tmp_path, text):
        path = fabricate(tmp_path, LEE, "lstm")
        path.write_text(text)
        with pytest.raises(InputError, match="devel-seed0.json"):
            compared(tmp_path)

    def test_arrays(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        path.with_suffix(".npz").write_bytes(b"other")
        with pytest.raises(InputError, match="devel-seed0.npz"):
            compared(tmp_path)

    def test_simulated_result_in_a_real_folder(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        moved = tmp_path / "lee2018" / LEE.corpus
        path.parents[3].rename(moved)
        with pytest.raises(InputError, match="belongs at lee2018/simulated/quick"):
            compared(tmp_path)

    def test_simulated_result_that_calls_itself_real(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", evidence="real")
        with pytest.raises(InputError, match="damaged"):
            compared(tmp_path)


class TestText:
    def test_says_what_simulation_is_worth(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        text = format_tables(LEE, compared(tmp_path))
        assert "neither confirm nor refute" in text and "corpus simulated, quick profile" in text
        assert text.count("NOT_COMPARABLE") == 30 and text.count("NOT_RUN") == 2
        assert all(row.label in text for table in LEE.tables for row in table.rows)

    def test_without_results(self, tmp_path):
        text = format_tables(LEE, compared(tmp_path))
        assert text.count("NOT_RUN") == 32 and "simulat" not in text.lower()


def test_shown_has_the_printed_decimals():
    assert format_value(0.12345, "0.122") == "0.123" and format_value(12.3456, "44.9") == "12.3"
    assert format_value(-0.00001, "0.122") == "0.000" and format_value(0.00001, "0.122", sign=True) == "0.000"
    assert format_value(0.1, "0.122", sign=True) == "+0.100" and format_value(None, "0.122") == ""


def test_every_network_has_an_invented_quality():
    assert set(QUALITY) == {row.variant for table in LEE.tables for row in table.rows if row.variant}
