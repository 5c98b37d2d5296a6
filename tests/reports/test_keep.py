"""The study that comes with the suite is taken from the results of a run."""

import numpy as np
import pytest

from common import results
from common.errors import InputError
from common.evidence.reading import load_papers
from reports import evaluation, keep
from tests.reports.fabricate import fabricate

LEE = next(paper for paper in load_papers() if paper.id == "lee2018")
PLACE = "lee2018/simulated/study/valence"


@pytest.fixture
def folders(tmp_path):
    for seed in (0, 1):
        fabricate(tmp_path / "results", LEE, "cnn3d-sta", profile="study", seed=seed)
    fabricate(tmp_path / "results", LEE, "lstm")  # quick, which does not count
    return tmp_path / "results", tmp_path / "committed"


def read(folder, name):
    path = folder / PLACE / name
    return results.read_arrays(path, results.read(path))


def test_scores_stay_and_predictions_become_smaller(folders):
    mine, committed = folders
    assert keep.keep(LEE, mine, committed) == 2
    assert [path.name for path in (committed / "lee2018").iterdir()] == ["simulated"]
    before, after = (list(evaluation.evaluate(LEE, folder).cells) for folder in folders)
    for old, new in zip(before, after):
        if old.profile == "study":
            assert new.ours == old.ours and new.ci_low == pytest.approx(old.ci_low, abs=1e-3)
    old, new = read(mine, "cnn3d-sta/devel-seed0.json"), read(committed, "cnn3d-sta/devel-seed0.json")
    assert old.keys() == new.keys()
    for name, array in new.items():
        assert np.allclose(array, old[name], atol=1e-3) and array.shape == old[name].shape
    assert new["example_attention"].dtype == np.float16
    assert new["time/Devel_01"].dtype == old["time/Devel_01"].dtype  # half a precision is 0.1 s after four minutes


def test_of_other_seeds_only_what_scores_follow_from(folders):
    mine, committed = folders
    keep.keep(LEE, mine, committed)
    kinds = {name.partition("/")[0] for name in read(committed, "cnn3d-sta/devel-seed1.json")}
    assert kinds == {"gold", "raw", "post"}


def test_what_is_nearly_constant_stays_as_it_is():
    moving, still = np.sin(np.arange(50.0)), 0.5 + 1e-4 * np.sin(np.arange(50.0))
    assert keep.halve(moving, exact=True).dtype == np.float16 and keep.halve(still, exact=True) is still
    assert keep.halve(moving, exact=False) is moving  # of a figure
    assert keep.halve(still.reshape(5, 10), exact=False).dtype == np.float16
    assert keep.halve(np.arange(3), exact=True).dtype.kind == "i" and keep.halve(np.empty(0), exact=True).size == 0


def test_what_was_there_of_the_study_goes_and_all_else_stays(folders):
    mine, committed = folders
    fabricate(committed, LEE, "fused", profile="study")
    fabricate(committed, LEE, "fused", LEE.corpus, "paper")
    keep.keep(LEE, mine, committed, force=True)
    kept = {(record["variant"], record["profile"]) for _, record in results.find(committed, LEE.id)}
    assert kept == {("cnn3d-sta", "study"), ("fused", "paper")}


def test_without_a_study_nothing_is_touched(folders, tmp_path):
    fabricate(folders[1], LEE, "fused", profile="study")
    fabricate(tmp_path / "quick", LEE, "lstm")
    assert keep.keep(LEE, tmp_path / "quick", folders[1]) == 0
    assert len(list(results.find(folders[1], LEE.id))) == 1


def test_scores_that_do_not_follow_are_refused(folders):
    mine, committed = folders
    path = mine / PLACE / "cnn3d-sta/devel-seed0.json"
    record, arrays = results.read(path), read(mine, "cnn3d-sta/devel-seed0.json")
    record["scores"]["devel"]["per_recording"]["CCC"] += 0.1
    results.write(path, record, arrays)
    fabricate(committed, LEE, "fused", profile="study")
    fabricate(mine, LEE, "fused", profile="study")
    with pytest.raises(InputError, match="does not follow from the predictions"):
        keep.keep(LEE, mine, committed)
    assert [record["variant"] for _, record in results.find(committed, LEE.id)] == ["fused"]


def test_too_much_is_refused(folders, monkeypatch):
    monkeypatch.setattr(keep, "LARGEST", 1000)
    with pytest.raises(InputError, match="MB would come with the suite"):
        keep.keep(LEE, *folders)
    assert not folders[1].exists() or not list(results.find(folders[1], LEE.id))


def test_a_part_of_a_study_does_not_take_the_place_of_the_whole(folders):
    mine, committed = folders
    keep.keep(LEE, mine, committed)
    (mine / PLACE / "cnn3d-sta/devel-seed1.json").unlink()
    with pytest.raises(InputError, match="not whole, simulated/valence/cnn3d-sta/devel/1 is missing"):
        keep.keep(LEE, mine, committed)
    assert keep.keep(LEE, mine, committed, force=True) == 1
