"""Mean and deviation of features in one pass, against NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.networks.moments import Moments

RNG = np.random.default_rng(0)


@given(st.integers(1, 7), st.floats(-1e4, 1e4))
def test_against_numpy(chunk, offset):
    arrays = [offset + RNG.normal(size=(n, 3)) for n in (5, 9, 1)]
    found, joined = Moments.of(arrays, chunk), np.concatenate(arrays)
    assert np.allclose(found.mean, joined.mean(axis=0), rtol=1e-5, atol=1e-5)
    assert np.allclose(found.deviation, joined.std(axis=0), rtol=1e-3)


def test_a_constant_feature_is_left_unscaled():
    found = Moments.of([np.full((6, 1), 3.0)])
    assert found.deviation == 1 and found(np.array([3.0])) == 0


def test_exact_keeps_float64_and_what_varies_little():
    arrays = [RNG.normal(size=(n, 2)).astype(np.float32) * [1, 1e-9] for n in (5, 9)]
    found, joined = Moments.exact(arrays), np.concatenate(arrays).astype(np.float64)
    assert found.mean.dtype == found.deviation.dtype == np.float64
    np.testing.assert_array_equal(found.deviation, joined.std(axis=0))
    np.testing.assert_array_equal(found.mean, joined.mean(axis=0))
    assert Moments.exact([np.full((6, 1), 3.0)]).deviation == 1
