"""Cells and verdicts, on invented result files."""

import dataclasses

import numpy as np
import pytest

from common import metrics, results
from common.errors import InputError
from common.evidence.cells import fill_own_cells
from tests.common.evidence.invented import LEE, RAJU, WANG, fabricate_real, fill, find_cell
from tests.reports.fabricate import (
    CLASSES,
    fabricate,
    fabricate_all,
    fabricate_classes,
    fabricate_frames,
    fabricate_targets,
)


class TestCells:
    def test_complete_and_in_the_papers_order(self, tmp_path):
        found = fill(tmp_path)
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
        found = fill(tmp_path)
        assert {cell.verdict for cell in found} == {"NOT_RUN"} and {cell.evidence for cell in found} == {"none"}
        assert all(cell.ours is cell.difference is cell.ci_low is None and cell.seeds == 0 for cell in found)

    def test_quoted_rows_stay_not_run(self, tmp_path):
        fabricate_all(tmp_path, LEE, ["simulated"])
        quoted = [cell for cell in fill(tmp_path) if cell.origin == "quoted"]
        assert [cell.verdict for cell in quoted] == ["NOT_RUN"] * 2 and [c.evidence for c in quoted] == ["none"] * 2
        assert all("Ringeval" in cell.note and cell.tolerance is None for cell in quoted)

    def test_difference_is_ours_minus_published(self, tmp_path):
        fabricate_real(tmp_path, 0.5)
        cell = find_cell(tmp_path)
        assert cell.ours == 0.5 and cell.difference == pytest.approx(0.5 - 0.454)

    def test_score_is_the_protocols(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm")
        record = results.read(path)
        assert find_cell(tmp_path).ours == record["scores"]["devel"]["per_recording"]["CCC"]

    def test_mean_over_seeds(self, tmp_path):
        for seed, ours in enumerate((0.4, 0.5, 0.6)):
            fabricate_real(tmp_path, ours, seed=seed)
        assert find_cell(tmp_path).ours == pytest.approx(0.5) and find_cell(tmp_path).seeds == 3


class TestVerdict:
    def test_simulated_is_never_compared(self, tmp_path):
        scores = {"devel": {"per_recording": {"RMSE": 0.122, "CC": 0.496, "CCC": 0.454}}}
        fabricate(tmp_path, LEE, "lstm", profile="paper", scores=scores)
        cell = find_cell(tmp_path)
        assert cell.difference == 0 and cell.verdict == "NOT_COMPARABLE" and cell.evidence == "simulated"

    @pytest.mark.parametrize(
        ("ours", "verdict"),
        [(0.454, "MATCH"), (0.484, "MATCH"), (0.424, "MATCH"), (0.4841, "MISMATCH"), (0.4239, "MISMATCH")],
    )
    def test_real_within_tolerance(self, tmp_path, ours, verdict):
        fabricate_real(tmp_path, ours)
        assert find_cell(tmp_path).verdict == verdict

    @pytest.mark.parametrize(("ours", "verdict"), [(0.127, "MATCH"), (0.1271, "MISMATCH")])
    def test_each_metric_has_its_tolerance(self, tmp_path, ours, verdict):
        fabricate_real(tmp_path, ours)
        assert find_cell(tmp_path, column="RMSE").verdict == verdict

    def test_undefined_is_never_a_match(self, tmp_path):
        fabricate_real(tmp_path, None)
        cell = find_cell(tmp_path)
        assert cell.verdict == "MISMATCH" and cell.ours is None and "undefined" in cell.note

    def test_nan_is_never_a_match(self, tmp_path):
        path = fabricate_real(tmp_path, 0.454)
        path.write_text(path.read_text().replace("0.454", "NaN"))
        assert find_cell(tmp_path).verdict == "MISMATCH" and find_cell(tmp_path).ours is None

    def test_one_undefined_seed_is_never_a_match(self, tmp_path):
        fabricate_real(tmp_path, 0.454)
        fabricate_real(tmp_path, None, seed=1)
        assert find_cell(tmp_path).verdict == "MISMATCH"

    def test_fewer_seeds_than_declared_is_never_a_match(self, tmp_path):
        paper = dataclasses.replace(LEE, protocol=dataclasses.replace(LEE.protocol, seeds=3))
        fabricate_real(tmp_path, 0.454), fabricate_real(tmp_path, 0.454, seed=1)
        cell = find_cell(tmp_path, paper=paper)
        assert cell.verdict == "MISMATCH" and "2 of 3 seeds" in cell.note
        fabricate_real(tmp_path, 0.454, seed=2)
        assert find_cell(tmp_path, paper=paper).verdict == "MATCH"

    def test_unusable_recording_is_never_a_match(self, tmp_path):
        fabricate_real(tmp_path, 0.454, unusable=[{"recording": "Train_07", "file": "x.avi", "reason": "cut short"}])
        cell = find_cell(tmp_path)
        assert cell.verdict == "MISMATCH" and "1 recording" in cell.note

    @pytest.mark.parametrize(("least", "verdict"), [(3, "MATCH"), (4, "MISMATCH")])
    def test_a_part_of_the_recordings_is_never_a_match(self, tmp_path, least, verdict):
        """Those that are scored count, which are three of nine."""
        fabricate_classes(tmp_path, CLASSES, "proposed", "clips", "paper", clips=(("Val", 6), ("Test", 3)), quality=1.0)
        paper = self.printed(dataclasses.replace(CLASSES, recordings={"clips": {"Test/*": least}}), "100")
        cell = next(c for c in fill(tmp_path, paper) if (c.row, c.column) == ("proposed", "Test"))
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
        paper = self.printed(paper, f"{find_cell(tmp_path).ours:.3f}", "CCC", "lstm")
        assert find_cell(tmp_path, paper=paper).verdict == "MATCH"
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        results.write(path, record, {name: a for name, a in arrays.items() if not name.endswith("Devel_05")})
        cell = find_cell(tmp_path, paper=paper)
        assert cell.verdict == "MISMATCH" and "different recordings" in cell.note and cell.ci_low is None

    def test_predictions_that_are_not_stored_are_told(self, tmp_path):
        fabricate_real(tmp_path, 0.454)
        assert "not stored" in find_cell(tmp_path).note
        fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        assert "not stored" not in find_cell(tmp_path).note

    def test_score_that_its_predictions_do_not_yield_is_never_a_match(self, tmp_path):
        path = fabricate(tmp_path, LEE, "lstm", LEE.corpus, "paper")
        assert "follow" not in find_cell(tmp_path).note
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["devel"]["per_recording"]["CCC"] = 0.454
        results.write(path, record, arrays)
        cell = find_cell(tmp_path)
        assert cell.verdict == "MISMATCH" and "does not follow" in cell.note and cell.ci_low is None

    def test_quick_profile_is_not_comparable(self, tmp_path):
        fabricate_real(tmp_path, 0.454, profile="quick")
        assert find_cell(tmp_path).verdict == "NOT_COMPARABLE" and "quick" in find_cell(tmp_path).note

    def test_other_settings_are_not_comparable(self, tmp_path):
        fabricate_real(tmp_path, 0.454, overrides=["crop_size=64"])
        cell = find_cell(tmp_path)
        assert cell.verdict == "NOT_COMPARABLE" and "crop_size=64" in cell.note

    def test_settings_about_the_files_are_comparable(self, tmp_path):
        fabricate_real(tmp_path, 0.454, overrides=["resample=true"])
        assert find_cell(tmp_path).verdict == "MATCH"

    def test_another_real_corpus_is_not_comparable(self, tmp_path):
        fabricate_real(tmp_path, 0.454, corpus="elsewhere")
        cell = find_cell(tmp_path)
        assert cell.verdict == "NOT_COMPARABLE" and LEE.corpus in cell.note and cell.evidence == "real"


class TestSeveralTargets:
    """A table whose columns are networks and whose rows are targets and parts of the recordings: raju2021's."""

    def cell(self, root, row, column, paper=RAJU):
        return next(c for c in fill(root, paper) if (c.row, c.column) == (row, column))

    def test_in_the_papers_order(self, tmp_path):
        found = fill(tmp_path, RAJU)
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

    def test_recorded_score_that_its_predictions_do_not_yield(self, tmp_path):
        path = fabricate_targets(tmp_path, RAJU, "baseline-fusion", "avec2019-public", "paper")
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["arousal"]["Devel_DE_*"]["CCC"] = 0.629
        results.write(path, record, arrays)
        cell = self.cell(tmp_path, "arousal: German", "Baseline [24]")
        assert cell.verdict == "MISMATCH" and "does not follow" in cell.note


class TestCorrelationOfEachRecording:
    """wang2017's tables: best, worst and mean CC of the recordings, several corpora, the mean of two targets."""

    def cells(self, root, **wanted):
        found = fill(root, WANG)
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
            tmp_path, WANG, "realtime", "measured", "paper", evidence="measured", fold="every1",
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
            fill(tmp_path, WANG)


class TestClasses:
    """An invented paper that recognises three classes: accuracy, UAR and a confusion matrix, in percent."""

    def cells(self, root, exhibit="figure5", paper=CLASSES):
        return {(c.row, c.column): c for c in fill(root, paper) if c.exhibit == exhibit}

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
