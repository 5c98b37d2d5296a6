"""The locked reference: every way in which a result can go wrong is caught."""

import json
import shutil

import numpy as np
import pytest

from common import results
from common.errors import EXIT_DIFFERS, InputError
from common.evidence.reading import load_papers
from reports import build, check, evaluation
from tests.reports.fabricate import CLASSES, _scores, fabricate, fabricate_all, fabricate_classes

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
TOLERANCES = {
    "parameters": 0,
    "first": 0.001,
    "frames": 0,
    "salient": 0,
    "RMSE": 0.002,
    "CC": 0.02,
    "CCC": 0.02,
    "auc": 0.02,
    "hit_rate": 0.02,
}
TOLERANCES |= {"interval_low": 0.03, "interval_high": 0.03, "chance": 0.005}
NUMBERS = 2 + 3 * 2 * 3  # of a result file without mechanism: parameters, loss; fitted on x pooling x metric


def state(root):
    return evaluation.evaluate(LEE, root)


def findings(root, folder):
    return check.check(state(root), folder)[0]


def accept(root, folder):
    return check.accept(state(root), state(root / "study"), folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Results, and a folder with the reference that was accepted from them, made once."""
    top = tmp_path_factory.mktemp("template")
    root, folder = top / "results", top / "reference"
    folder.mkdir()
    tolerances = {name: {"value": value, "why": "for the tests"} for name, value in TOLERANCES.items()}
    (folder / "lee2018.json").write_text(
        json.dumps({"tolerances": tolerances, "cells": 0, "results": {}, "what": "invented"})
    )
    for variant in ("lstm", "lstm-ta", "cnn3d-sta"):
        fabricate(root, LEE, variant)
    accept(root, folder)
    return top


@pytest.fixture
def locked(template, tmp_path):
    """A copy of both that a test may change."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results", tmp_path / "reference"


def change(root, edit, variant="lstm", arrays=True):
    """Edit a record; without its `arrays` no score has to follow from them."""
    path = root / f"lee2018/simulated/quick/valence/{variant}/devel-seed0.json"
    record = json.loads(path.read_text())
    edit(record)
    if not arrays:
        del record["arrays"]
    path.write_text(json.dumps(record))


class TestWell:
    def test_nothing_moved(self, locked):
        found, count = check.check(state(locked[0]), locked[1])
        assert found == [] and count == 3 * NUMBERS + 6 + 5  # temporal: auc, chance, two ends, frames, salient

    def test_within_tolerance(self, locked):
        score = results.read(locked[0] / "lee2018/simulated/quick/valence/lstm/devel-seed0.json")["scores"]["devel"]
        new = score["per_recording"]["CCC"] + 0.019
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=new), arrays=False)
        assert findings(*locked) == []

    def test_undefined_stays_undefined(self, locked):
        root, folder = locked
        change(root, lambda r: r["scores"]["none"]["concatenated"].update(CC=None))
        accept(root, folder)
        assert findings(root, folder) == []

    def test_other_runs_are_not_locked(self, locked):
        root, folder = locked
        fabricate(root, LEE, "lstm", LEE.corpus, "paper"), fabricate(root, LEE, "lstm", seed=1)
        assert findings(root, folder) == []


class TestCaught:
    def caught(self, locked, *words):
        found = findings(*locked)
        assert found and all(any(word in finding for finding in found) for word in words), found

    def test_moved(self, locked):
        score = results.read(locked[0] / "lee2018/simulated/quick/valence/lstm/devel-seed0.json")["scores"]
        old = score["devel"]["per_recording"]["CCC"]
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=old - 0.05))
        self.caught(
            locked, f"lstm/devel-seed0 devel/per_recording/CCC: was {old:.6g}", "difference -0.05, tolerance 0.02"
        )

    @pytest.mark.parametrize("value", [None, float("nan"), "0.5"])
    def test_no_longer_a_number(self, locked, value):
        change(locked[0], lambda r: r["scores"]["train"]["concatenated"].update(RMSE=value))
        self.caught(locked, "train/concatenated/RMSE")

    def test_score_vanished(self, locked):
        change(locked[0], lambda r: r["scores"]["none"]["per_recording"].pop("CC"))
        self.caught(locked, "none/per_recording/CC: was", "is gone")

    @pytest.mark.parametrize("edit", [lambda scores: scores.pop("CC"), lambda scores: scores.update(CC=None)])
    def test_what_is_not_locked_vanished(self, locked, edit):
        path = locked[1] / "lee2018.json"
        reference = json.loads(path.read_text())
        reference["tolerances"]["CC"]["locked"] = False
        path.write_text(json.dumps(reference))
        assert findings(*locked) == []
        change(locked[0], lambda r: edit(r["scores"]["none"]["per_recording"]))
        self.caught(locked, "none/per_recording/CC: was")

    def test_score_that_does_not_follow_from_the_predictions(self, locked):
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=0.9))
        self.caught(locked, "lee2018, table1, LSTM-RNN, CCC: our score does not follow")

    def test_first_epoch_moved(self, locked):
        """Whatever the network becomes: what it is given, and how it learns, shows in the loss of its first epoch."""
        change(locked[0], lambda r: r["history"]["loss"].__setitem__(0, r["history"]["loss"][0] + 0.01))
        self.caught(locked, "lstm/devel-seed0 history/loss/first: was", "difference +0.01, tolerance 0.001")

    def test_mechanism_moved(self, locked):
        change(locked[0], lambda r: r["mechanism"]["spatial"].update(hit_rate=0.3), "cnn3d-sta")
        self.caught(locked, "spatial/hit_rate")

    def test_mechanism_vanished(self, locked):
        change(locked[0], lambda r: r.update(mechanism=None), "lstm-ta")
        self.caught(locked, "temporal/auc", "temporal/interval_low")

    def test_network_changed(self, locked):
        change(locked[0], lambda r: r.update(parameters=r["parameters"] + 1))
        self.caught(locked, "parameters: was 12345, is 12346")

    def test_other_settings(self, locked):
        change(locked[0], lambda r: r.update(settings_digest="f" * 16))
        self.caught(locked, "other settings")

    def test_result_vanished(self, locked):
        shutil.rmtree(locked[0] / "lee2018/simulated/quick/valence/lstm")
        self.caught(locked, "lstm/devel-seed0: result missing", "printed numbers have a result")

    def test_everything_vanished(self, locked):
        shutil.rmtree(locked[0])
        self.caught(locked, "no number was compared")

    def test_fewer_cells(self, locked):
        path = locked[1] / "lee2018.json"
        reference = json.loads(path.read_text())
        path.write_text(json.dumps({**reference, "cells": reference["cells"] + 1}))
        self.caught(locked, "had one before")

    def test_new_result(self, locked):
        fabricate(locked[0], LEE, "fused")
        self.caught(locked, "fused/devel-seed0: not in the reference yet")

    def test_new_number(self, locked):
        change(locked[0], lambda r: r["scores"]["none"]["per_recording"].update(CC2=0.1))
        self.caught(locked, "CC2: 0.1 is not in the reference yet")

    def test_no_reference(self, locked):
        (locked[1] / "lee2018.json").unlink()
        self.caught(locked, "no reference")

    def test_empty_reference(self, locked):
        shutil.copy(check.REFERENCE / "lee2018.json", locked[1])
        reference = json.loads((locked[1] / "lee2018.json").read_text())
        (locked[1] / "lee2018.json").write_text(json.dumps({**reference, "results": {}}))
        self.caught(locked, "no reference")

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"tolerances": {"CC": {"value": NaN, "why": "x"}}, "cells": 0, "results": {}}']
    )
    def test_damaged_reference(self, locked, text):
        (locked[1] / "lee2018.json").write_text(text)
        with pytest.raises(InputError, match="lee2018.json"):
            findings(*locked)

    def test_missing_tolerance(self, locked):
        reference = json.loads((locked[1] / "lee2018.json").read_text())
        del reference["tolerances"]["CCC"]
        (locked[1] / "lee2018.json").write_text(json.dumps(reference))
        with pytest.raises(InputError, match="no tolerance for CCC"):
            findings(*locked)

    def test_the_first_pattern_that_fits_counts_and_may_unlock(self, locked):
        root, folder = locked
        path = folder / "lee2018.json"
        reference = json.loads(path.read_text())
        rules = {
            "*/cnn3d-sta/*/none/*/CC": {"value": 0, "locked": False, "why": "rounding"},
            "*/none/*/CC": {"value": 0.5, "why": "wide"},
        }
        path.write_text(json.dumps({**reference, "tolerances": rules | reference["tolerances"]}))
        for variant in ("cnn3d-sta", "lstm"):
            change(root, lambda r: r["scores"]["none"]["concatenated"].update(CC=-1.0), variant)
        (finding,) = findings(root, folder)
        assert "lstm/devel-seed0 none/concatenated/CC" in finding and "tolerance 0.5" in finding


def test_entries_of_a_confusion_matrix_share_a_tolerance(tmp_path):
    root, folder = tmp_path / "results", tmp_path / "reference"
    folder.mkdir()
    steps = {
        "* as *": 5.1,
        "accuracy": 1.7,
        "*/UAR": 1.7,
        "parameters": 0,
        "first": 0.001,
    }  # one of 20, one of 60 recordings
    locked = {"*/perception/*": 1, "*/synchrony/*": 1, "*/drift/*": 1}
    tolerances = {name: {"value": value, "why": "for the tests"} for name, value in {**steps, **locked}.items()}
    (folder / "classes.json").write_text(json.dumps({"tolerances": tolerances, "cells": 0, "results": {}}))
    path = fabricate_classes(root, CLASSES, "proposed")

    def found():
        return check.check(evaluation.evaluate(CLASSES, root), folder)

    check.accept(evaluation.evaluate(CLASSES, root), evaluation.evaluate(CLASSES, root / "none"), folder)
    assert found() == ([], 2 + 2 * (9 + 2) + 5 + 5 + 2)
    record = json.loads(path.read_text())
    del record["arrays"]  # the scores will not follow from them
    scores = record["scores"]["emotion"]["Test/*"]
    scores["Sad as Happy"] += 5  # one more of the 20 sad ones
    scores["accuracy"] -= 100 / 60
    path.write_text(json.dumps(record))
    assert found()[0] == []
    scores["Sad as Happy"] += 5
    path.write_text(json.dumps(record))
    (finding,) = found()[0]
    assert "proposed/train-seed0 emotion/Test/*/Sad as Happy: was" in finding


class TestAccept:
    def test_keeps_tolerances_and_ends_the_findings(self, locked):
        root, folder = locked
        before = json.loads((folder / "lee2018.json").read_text())
        change(root, lambda r: r["scores"]["devel"]["per_recording"].update(CCC=0.01), arrays=False)
        assert findings(root, folder)
        accept(root, folder)
        after = json.loads((folder / "lee2018.json").read_text())
        assert (
            findings(root, folder) == []
            and after["tolerances"] == before["tolerances"]
            and after["what"] == before["what"]
        )

    def test_needs_tolerances_first(self, locked):
        (locked[1] / "lee2018.json").unlink()
        with pytest.raises(InputError, match="tolerances first"):
            accept(locked[0], locked[1])

    def test_needs_results(self, locked, tmp_path):
        with pytest.raises(InputError, match="run the replication first"):
            accept(tmp_path / "none", locked[1])

    def test_refuses_nan(self, locked):
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=float("nan")))
        with pytest.raises(ValueError):
            accept(locked[0], locked[1])
        assert json.loads((locked[1] / "lee2018.json").read_text())["results"]


class TestCommand:
    @pytest.fixture(autouse=True)
    def elsewhere(self, locked, monkeypatch):
        monkeypatch.setattr(check, "REFERENCE", locked[1])
        monkeypatch.setattr("common.evidence.reading.load_papers", lambda: [LEE])

    def command(self, root, *options):
        return build.main(["--results", str(root), "--out", str(root.parent / "report"), *options])

    def test_exit_codes(self, locked, capsys, monkeypatch):
        monkeypatch.setattr(build, "draw_figures", lambda *_: {LEE.id: ("", [])})
        assert self.command(locked[0], "--check") == 0
        assert f"{3 * NUMBERS + 11} numbers and answers checked" in capsys.readouterr().out
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=0.01), arrays=False)
        assert self.command(locked[0], "--check") == EXIT_DIFFERS
        assert "--accept" in capsys.readouterr().out
        assert self.command(locked[0]) == 0
        assert self.command(locked[0], "--accept", "--check") == 0


def test_shipped_references_state_their_tolerances():
    for paper in load_papers():
        reference = check._read(check.REFERENCE / f"{paper.id}.json")
        assert reference and all(entry["why"] for entry in reference["tolerances"].values())


def test_all_results_are_locked(tmp_path):
    fabricate_all(tmp_path, LEE)
    assert len(check.gather_numbers(list(results.find(tmp_path, LEE.id)))) == 16


class TestStudy:
    """What comes with the suite: its answers are computed again, and what was run again of it is compared."""

    @pytest.fixture
    def study(self, tmp_path, locked):
        for variant in ("lstm", "lstm-ta"):
            for seed in range(3):
                fabricate(tmp_path / "study", LEE, variant, profile="study", seed=seed, mechanism=None)
        root, folder = locked
        check.accept(state(root), state(tmp_path / "study"), folder)
        return tmp_path / "study", root, folder

    def findings(self, study):
        theirs, root, folder = study
        return check.check_study(state(root), state(theirs), folder)

    def rewrite(self, folder, variant, predict, seeds=range(3)):
        """Other predictions, and the scores that follow from them."""
        for seed in seeds:
            path = folder / f"lee2018/simulated/study/valence/{variant}/devel-seed{seed}.json"
            record, arrays = results.read(path), results.read_arrays(path, results.read(path))
            names = [name.partition("/")[2] for name in arrays if name.startswith("gold/")]
            for kind in ("raw", "post"):
                arrays |= {f"{kind}/{name}": predict(arrays[f"gold/{name}"]) for name in names}
            results.write(path, record | {"scores": _scores(arrays)}, arrays)

    def test_answers_that_are_the_same(self, study):
        found, count = self.findings(study)
        assert found == [] and count == 3  # two networks and a claim between them
        answers = json.loads((study[2] / "lee2018.json").read_text())["answers"]
        assert set(answers.values()) == {"learnt", "holds in simulation"}

    def test_a_network_that_does_not_learn_any_more_and_a_claim_that_turns(self, study):
        generator = np.random.default_rng(0)
        for variant in ("lstm", "lstm-ta"):
            self.rewrite(study[0], variant, lambda gold: generator.normal(size=len(gold)))
        found, _ = self.findings(study)
        assert any(
            "study, lstm-ta, simulated, valence, CCC of *: was learnt, is not learnt" in finding for finding in found
        )
        assert any("was holds in simulation, is not testable" in finding for finding in found)

    def test_a_claim_that_turns_although_all_have_learnt(self, study):
        self.rewrite(study[0], "lstm", lambda gold: gold.copy())
        found, _ = self.findings(study)
        assert len(found) == 1 and "was holds in simulation, is does not hold in simulation" in found[0]

    def test_a_network_that_is_gone(self, study):
        shutil.rmtree(study[0] / "lee2018/simulated/study/valence/lstm-ta")
        assert any("was learnt, is not there" in finding for finding in self.findings(study)[0])

    def test_a_score_that_does_not_follow(self, study):
        path = study[0] / "lee2018/simulated/study/valence/lstm/devel-seed0.json"
        record, arrays = results.read(path), results.read_arrays(path, results.read(path))
        record["scores"]["devel"]["per_recording"]["CCC"] += 0.01
        results.write(path, record, arrays)
        assert any("does not follow" in finding for finding in self.findings(study)[0])

    def test_a_task_that_was_run_again_is_compared(self, study):
        theirs, root, _ = study
        path = fabricate(root, LEE, "lstm", profile="study", seed=1, mechanism=None)
        found, count = self.findings(study)
        assert found == [] and count == 3 + NUMBERS
        record = json.loads(path.read_text())
        record["history"]["loss"][0] += 0.01
        path.write_text(json.dumps(record))
        (finding,) = self.findings(study)[0]
        assert "study/valence/lstm/devel-seed1 history/loss/first: was" in finding

    def test_this_machine_is_compared_whatever_is_asked(self, locked, monkeypatch):
        monkeypatch.setattr(check, "REFERENCE", locked[1])
        assert state(locked[0]).here.summary.startswith(f"quick run, {3 * NUMBERS + 11} of {3 * NUMBERS + 11} ")
        change(locked[0], lambda r: r["scores"]["devel"]["per_recording"].update(CCC=0.01), arrays=False)
        here = state(locked[0]).here
        assert here.compared - here.within == len(here.findings) == 1
