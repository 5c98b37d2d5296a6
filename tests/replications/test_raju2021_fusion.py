"""The organisers' fusion: windows, the map behind published predictions, both solvers, chats, unseen scores."""

import ctypes
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from common import splits
from datasets import avec2019, avec2019_public, sewa
from replications.raju2021 import fusion

LENGTHS = {"Devel_DE_01": 60, "Devel_DE_02": 75, "Devel_DE_03": 61, "Devel_DE_04": 75} | {
    "Devel_HU_01": 50,
    "Devel_HU_02": 68,
    "Devel_HU_03": 50,
    "Devel_HU_04": 68,
}
GRID = ((2, 0.01), (2, 1.0))


def series(lengths=LENGTHS, width=3, seed=0):
    """Inputs (n, width), and a gold standard that depends on them one frame ago, noisily."""
    generator = np.random.default_rng(seed)
    inputs = {name: 0.3 * generator.standard_normal((n, width)) for name, n in lengths.items()}
    gold = {
        name: np.roll(x, 1, axis=0) @ np.linspace(0.2, 1, width) + 0.1 * generator.standard_normal(len(x))
        for name, x in inputs.items()
    }
    return inputs, gold


def literal_context(inputs, frames):
    """Windows in the organisers' words: the frame, then `frames` past and `frames` future ones from offset 0 on."""
    last = len(inputs) - 1
    return np.array(
        [
            np.concatenate(
                [inputs[t]]
                + [inputs[max(t - past, 0)] for past in range(frames)]
                + [inputs[min(t + future, last)] for future in range(frames)]
            )
            for t in range(len(inputs))
        ]
    )


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_context_has_the_inner_products_of_the_organisers_windows(count, frames, width, seed):
    inputs = np.random.default_rng(seed).standard_normal((count, width))
    design, literal = fusion.build_context([inputs], frames), literal_context(inputs, frames)
    assert design.shape == (count, (2 * frames - 1) * width)
    np.testing.assert_allclose(design @ design.T, literal @ literal.T, atol=1e-12)


def test_stacked_and_averaged():
    names = ["Devel_DE_01", "Devel_DE_02"]
    tables = {
        system: {name: np.full((4, 3), [i, 10 * i, 0.0]) for name in names}
        for i, system in enumerate(avec2019_public.SYSTEMS)
    }
    inputs = fusion.stack(avec2019_public.Public(dict.fromkeys(names), tables))
    assert {name: x.shape for name, x in inputs.items()} == dict.fromkeys(names, (4, 27))
    assert len(fusion.SYSTEMS) == 9
    np.testing.assert_allclose(fusion.average(inputs, 1)["Devel_DE_02"], 40.0)


def test_context_at_borders():
    parts = [np.arange(1.0, 4)[:, None], np.arange(10.0, 12)[:, None]]
    centre = np.sqrt(3)
    np.testing.assert_allclose(
        fusion.build_context(parts, 2) / [1, centre, 1], [[1, 1, 2], [1, 2, 3], [2, 3, 3], [10, 10, 11], [10, 11, 11]]
    )
    np.testing.assert_allclose(
        fusion.build_context(parts, 2, crossing=True) / [1, centre, 1],
        [[1, 1, 2], [1, 2, 3], [2, 3, 10], [3, 10, 11], [10, 11, 11]],
    )
    with pytest.raises(ValueError, match="frames must be 1 or more"):
        fusion.build_context(parts, 0)


def test_recover_finds_a_planted_map():
    padded, _ = series(dict.fromkeys(LENGTHS, 120))  # the published files go on past the end of the labels
    planted = np.random.default_rng(1).standard_normal(5 * 3)
    stored = {
        name: np.round(fusion.build_context([x], 3) @ planted - 0.25, 6)[: LENGTHS[name]] for name, x in padded.items()
    }
    found = fusion.recover({name: x[: LENGTHS[name]] for name, x in padded.items()}, stored, contexts=(4, 3, 2))
    assert found.frames == 3
    np.testing.assert_allclose(found.weights, planted, atol=1e-6)
    assert found.intercept == pytest.approx(-0.25, abs=1e-6)
    assert found.residuals[3] <= fusion.ROUNDING < 1e-2 < found.residuals[2]
    assert 4 not in found.residuals


def test_recover_refuses_what_is_not_linear():
    inputs, _ = series()
    clipped = {name: np.maximum(x[:, 0], 0) for name, x in inputs.items()}
    with pytest.raises(ValueError, match="no linear map of windows of 2, 3 frames: the residual is .* at best"):
        fusion.recover(inputs, clipped, contexts=(2, 3))


def test_random_numbers_of_the_c_library():
    assert list(itertools.islice(fusion.glibc_rand(1), 3)) == [1804289383, 846930886, 1681692777]
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        pytest.skip("no GNU C library")
    for seed in (0, 7, 2**31 - 2):
        library.srand(seed)
        assert list(itertools.islice(fusion.glibc_rand(seed), 500)) == [library.rand() for _ in range(500)]


def objective(weights, rows, target, penalty):
    return 0.5 * weights @ weights + penalty * np.abs(target - rows @ weights).sum()


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_descend_reaches_the_optimum(penalty):
    generator = np.random.default_rng(2)
    rows, target = generator.standard_normal((80, 5)), generator.standard_normal(80)
    weights, iterations = fusion.descend(rows, target, penalty, fusion.glibc_rand(3), iterations=5000)
    assert iterations < 5000
    kernel = rows @ rows.T  # the dual, solved by a general method
    dual = minimize(
        lambda beta: (0.5 * beta @ kernel @ beta - target @ beta, kernel @ beta - target),
        np.zeros(80),
        jac=True,
        bounds=[(-penalty, penalty)] * 80,
        method="L-BFGS-B",
        options={"maxiter": 10000, "ftol": 1e-14},
    )
    assert objective(weights, rows, target, penalty) == pytest.approx(-dual.fun, rel=1e-3)
    assert objective(weights, rows, target, penalty) >= -dual.fun - 1e-9  # no primal value is below a dual one
    again, _ = fusion.descend(rows, target, penalty, fusion.glibc_rand(3), iterations=5000)
    np.testing.assert_array_equal(again, weights)


def test_both_solvers_agree_where_they_converge():
    inputs, gold = series()
    today, former = (fusion.fit(inputs, gold, 2, 0.01, solver) for solver in (fusion.liblinear, fusion.liblinear_2019))
    assert today.converged and former.converged
    assert today.weights.shape == (9,)
    for x in inputs.values():
        np.testing.assert_allclose(today.predict(x), former.predict(x), atol=0.01)


def test_fit_is_the_organisers_fit():
    from sklearn.svm import LinearSVR

    inputs, gold = series()
    literal = literal_context(np.concatenate(list(inputs.values())), 3)  # over the borders
    theirs = LinearSVR(C=0.1, random_state=0).fit(literal, np.concatenate(list(gold.values())))
    ours = fusion.fit(inputs, gold, 3, 0.1)
    for x in inputs.values():
        np.testing.assert_allclose(ours.predict(x), theirs.predict(literal_context(x, 3)), atol=1e-9)


@given(st.integers(2, 4))
def test_folds_never_split_a_chat(k):
    chats = sewa.pair_chats(LENGTHS)
    folds = fusion.deal_folds(chats, k)
    assert sorted(name for fold in folds for name in fold.test) == sorted(chats)
    for fold in folds:
        splits.assert_disjoint(fold, chats)
        assert sorted(fold.train + fold.test) == sorted(chats)


def test_folds_share_the_cultures():
    for fold in fusion.deal_folds(sewa.pair_chats(LENGTHS), 2):
        assert sorted(name.split("_")[1] for name in fold.test) == ["DE", "DE", "HU", "HU"]


@pytest.mark.parametrize("hidden", ["Devel_DE_02", "Devel_HU_03"])
def test_predictions_do_not_know_the_labels_they_are_scored_on(hidden):
    inputs, gold = series()
    chats = sewa.pair_chats(LENGTHS)
    culture = {name: name.split("_")[1] for name in LENGTHS}
    for predict, unseen in (
        (lambda gold: fusion.cross_validate(inputs, gold, chats, GRID, k=4), chats),
        (lambda gold: fusion.cross_cultures(inputs, gold, chats, GRID), culture),
    ):
        predictions, chosen = predict(gold)
        assert list(predictions) == list(LENGTHS)
        assert set(chosen.values()) <= set(GRID)
        blanked = {name: gold[name] * (unseen[name] != unseen[hidden]) for name in gold}
        others, _ = predict(blanked)
        np.testing.assert_array_equal(others[hidden], predictions[hidden])


def test_unseen_scores_of_a_planted_map():
    inputs, gold = series()
    predictions, chosen = fusion.cross_validate(inputs, gold, sewa.pair_chats(LENGTHS), GRID, k=2)
    assert set(chosen) == {"1", "2"}
    assert all(len(predictions[name]) == n for name, n in LENGTHS.items())
    assert fusion.score(*(np.concatenate([side[name] for name in gold]) for side in (gold, predictions))) > 0.8


@pytest.fixture
def public(real_data) -> avec2019_public.Public:
    return avec2019_public.read(real_data / "avec2019")


def stored(public, target):
    return {name: table[:, target] for name, table in public.predictions["svr"].items()}


def test_real_recordings_pair_up(public):
    chats = sewa.pair_chats({name: len(labels.time) for name, labels in public.labels.items()})
    assert " ".join(sorted(set(chats.values()))) == (
        "DE_01-12 DE_02-05 DE_03-08 DE_04-06 DE_07-13 DE_09-14 DE_10-11 "
        "HU_01-14 HU_02-08 HU_03-05 HU_04-10 HU_06-11 HU_07-13 HU_09-12"
    )


def test_published_valence_is_a_linear_map_of_the_published_inputs(public):
    found = fusion.recover(fusion.stack(public), stored(public, 1), contexts=(13, 15))
    assert found.frames == 15
    assert found.residuals[13] > 0.01 > fusion.ROUNDING >= found.residuals[15]
    assert found.intercept == pytest.approx(0.02448, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("target, frames", [(0, 17), (1, 15), (2, 19)])
def test_published_predictions_come_from_the_solver_of_2019(public, target, frames):
    inputs, published = fusion.stack(public), stored(public, target)
    assert fusion.recover(inputs, published).frames == frames
    gold = {name: avec2019.stack_labels(labels)[:, target] for name, labels in public.labels.items()}
    machine = fusion.fit(inputs, gold, frames, 1.0, solver=fusion.liblinear_2019)
    assert not machine.converged
    for name, values in inputs.items():
        inside = len(values) - frames + 1  # beyond, the published windows see the padding of the files
        np.testing.assert_allclose(machine.predict(values)[:inside], published[name][:inside], rtol=0, atol=5.1e-7)
