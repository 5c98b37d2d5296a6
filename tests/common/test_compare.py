"""Verdicts, intervals and claims, on invented result files."""

import dataclasses

import numpy as np
import pytest

from common import metrics, results
from common.cli import InputError
from common.compare import CONTROL, as_text, cells, claims, concatenated, own_cells, shown
from common.paper import papers
from tests.reports.fabricate import QUALITY, fabricate, fabricate_all, fabricate_targets

LEE = next(paper for paper in papers() if paper.id == "lee2018")
RAJU = next(paper for paper in papers() if paper.id == "raju2021")


def compared(root, paper=LEE):
    return cells(paper, results.find(root, paper.id))


def cell_of(root, variant="lstm", column="CCC", paper=LEE):
    label = next(row.label for table in paper.tables for row in table.rows if row.variant == variant)
    return next(cell for cell in compared(root, paper) if cell.row == label and cell.column == column)


def real(root, ours=None, paper=LEE, **changes):
    """An invented result on the paper's corpus whose scores are all `ours`."""
    scores = {f: {p: {m: ours for m in ("RMSE", "CC", "CCC")} for p in POOLINGS} for f in ("none", "devel", "train")}
    return fabricate(root, paper, "lstm", **{"corpus": paper.corpus, "profile": "paper", "scores": scores, **changes})


POOLINGS = ("per_recording", "concatenated")


class TestCells:
    def test_complete_and_in_the_papers_order(self, tmp_path):
        found = compared(tmp_path)
        assert len(found) == 32
        assert [cell.exhibit for cell in found] == ["table1"] * 6 + ["table2"] * 9 + ["table3"] * 17
        assert [cell.published for cell in found[:6]] == ["0.122", "0.496", "0.454", "0.109", "0.621", "0.551"]
        assert [cell.published for cell in found[15:17]] == ["0.351", "0.400"]
        assert [cell.published for cell in found[-3:]] == ["0.091", "0.664", "0.641"]

    def test_columns(self):
        from common.compare import Cell

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
        found = claims(LEE, results.find(tmp_path, LEE.id))
        assert len(found) == len(LEE.claims) == 5
        assert found[0].result == "holds in simulation" and 0 < found[0].ci_low < found[0].advantage < found[0].ci_high
        assert [direction.published for direction in found] == [0.097, 0.045, 0.115, 0.029, 0.024]

    def test_does_not_hold(self, tmp_path):
        swap = {"lstm": "lstm-ta", "lstm-ta": "lstm"}
        for variant, other in swap.items():
            path = fabricate(tmp_path / "made", LEE, other)
            record, arrays = results.read(path), results.read_arrays(path, results.read(path))
            target = tmp_path / "lee2018/simulated/quick/valence" / variant / "devel-seed0.json"
            results.write(target, {**record, "variant": variant}, arrays)
        assert claims(LEE, results.find(tmp_path, LEE.id))[0].result == "does not hold in simulation"

    def test_undecided_against_itself(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        itself = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], better="lstm"),))
        (found,) = claims(itself, results.find(tmp_path, LEE.id))
        assert found.advantage == 0 and found.result == "undecided in simulation"

    def test_real_evidence_is_not_called_simulation(self, tmp_path):
        for variant in ("lstm", "lstm-ta"):
            fabricate(tmp_path, LEE, variant, LEE.corpus, "paper")
            fabricate(tmp_path, LEE, variant)
        assert claims(LEE, results.find(tmp_path, LEE.id))[0].result == "holds"

    def test_both_networks_from_one_corpus(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        fabricate(tmp_path, LEE, "lstm-ta")
        assert claims(LEE, results.find(tmp_path, LEE.id))[0].result == "not run"
        fabricate(tmp_path, LEE, "lstm")
        assert claims(LEE, results.find(tmp_path, LEE.id))[0].corpus == "simulated"

    def test_other_settings_are_not_paired(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm")
        fabricate(tmp_path, LEE, "lstm-ta", overrides=["epochs_audio=1"])
        assert claims(LEE, results.find(tmp_path, LEE.id))[0].result == "not run"

    def test_control_is_added_where_it_was_run(self, tmp_path):
        fabricate_all(tmp_path, LEE)
        corpora = [direction.corpus for direction in claims(LEE, results.find(tmp_path, LEE.id))]
        assert corpora == ["simulated", CONTROL] * 5

    def test_less_is_more_for_rmse(self, tmp_path):
        fabricate(tmp_path, LEE, "lstm"), fabricate(tmp_path, LEE, "lstm-ta")
        paper = dataclasses.replace(LEE, claims=(dataclasses.replace(LEE.claims[0], metric="RMSE"),))
        (found,) = claims(paper, results.find(tmp_path, LEE.id))
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
        assert [c.origin for c in found[:6]] == ["own", "quoted", "quoted", "own", "own", "own"]
        assert found[0].tolerance == 0.0005 and found[1].tolerance is None and found[3].tolerance == 0.03

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
        own = [c for c in own_cells(RAJU, results.find(tmp_path, RAJU.id)) if c.evidence != "none"]
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
        systems = own_cells(RAJU, results.find(tmp_path, RAJU.id))
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
        found = {d.claim.text: d for d in claims(RAJU, results.find(tmp_path, RAJU.id))}
        arousal = found["An encoder and decoder with attention does better than the final state alone, for arousal."]
        assert arousal.published == 0.272 and arousal.result == "holds in simulation"
        assert found["AED improves on the baseline for arousal."].result == "not run"

    def test_claim_over_the_corpus_and_its_public_part(self, tmp_path):
        fabricate_targets(tmp_path, RAJU, "aed", RAJU.corpus, "paper", quality=0.95)
        path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", f"{RAJU.corpus}-public", "paper", quality=0.2)

        def improves():
            found = {d.claim.text: d for d in claims(RAJU, results.find(tmp_path, RAJU.id))}
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
    for row, found in zip(weights, concatenated(metric, pairs, weights, variance)):
        truth, series = (np.concatenate([p[k] for p, n in zip(pairs, row) for _ in range(n)]) for k in (0, 1))
        assert found == pytest.approx(getattr(metrics, metric.lower())(truth, series, **options), rel=1e-9)


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
        text = as_text(LEE, compared(tmp_path))
        assert "neither confirm nor refute" in text and "corpus simulated, quick profile" in text
        assert text.count("NOT_COMPARABLE") == 30 and text.count("NOT_RUN") == 2
        assert all(row.label in text for table in LEE.tables for row in table.rows)

    def test_without_results(self, tmp_path):
        text = as_text(LEE, compared(tmp_path))
        assert text.count("NOT_RUN") == 32 and "simulat" not in text.lower()


def test_shown_has_the_printed_decimals():
    assert shown(0.12345, "0.122") == "0.123" and shown(12.3456, "44.9") == "12.3"
    assert shown(-0.00001, "0.122") == "0.000" and shown(0.00001, "0.122", sign=True) == "0.000"
    assert shown(0.1, "0.122", sign=True) == "+0.100" and shown(None, "0.122") == ""


def test_every_network_has_an_invented_quality():
    assert set(QUALITY) == {row.variant for table in LEE.tables for row in table.rows if row.variant}
