"""The plain learner that is given the planted truth."""

import numpy as np

from common import ceiling

RNG = np.random.default_rng(0)


def test_lags_reach_back_and_the_first_value_stands_for_what_was_before():
    series = np.array([[1, 10], [2, 20], [3, 30]])
    assert ceiling.stack_lags(series, (0, 2)).tolist() == [[1, 10, 1, 10], [2, 20, 1, 10], [3, 30, 1, 10]]
    assert ceiling.stack_lags(series, [-1]).tolist() == [[2, 20], [3, 30], [3, 30]]  # and ahead, too


def test_values_that_follow_from_the_truth_are_found_on_other_people_and_others_are_not():
    truth = [RNG.normal(size=(200, 2)) for _ in range(6)]
    late = [np.r_[np.zeros(3), t[:-3, 0]] for t in truth]
    lagged = [ceiling.stack_lags(t, range(5)) for t in truth]
    found = ceiling.predict_values(lagged[:4], late[:4], lagged[4:])
    assert [f.shape for f in found] == [(200,), (200,)]
    assert min(np.corrcoef(f[5:], y[5:])[0, 1] for f, y in zip(found, late[4:])) > 0.99
    noise = [RNG.normal(size=200) for _ in truth]
    unknown = np.concatenate(ceiling.predict_values(lagged[:4], noise[:4], lagged[4:]))
    assert abs(np.corrcoef(unknown, np.concatenate(noise[4:]))[0, 1]) < 0.2


def test_classes_that_follow_from_the_truth_are_found():
    labels = np.repeat(np.arange(3), 30)
    shown = np.eye(3)[labels] + RNG.normal(scale=0.1, size=(90, 3))
    assert (ceiling.predict_classes(shown[::2], labels[::2], shown[1::2]) == labels[1::2]).all()


def test_names():
    assert ceiling.is_ceiling(ceiling.name_ceiling("voice")) and not ceiling.is_ceiling("lstm")
