"""An array as a strip of bars: what it keeps of the numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.view.cards.strips import bars, strip


@given(st.integers(0, 100), st.integers(1, 30), st.integers(0, 99))
def test_a_strip_holds_the_means_of_at_most_as_many_blocks(size, cells, seed):
    array = np.random.default_rng(seed).normal(size=size)
    found = strip(array, cells)
    assert len(found) == min(size, cells)
    weights = np.diff([i * size // len(found) for i in range(len(found) + 1)]) if found else []
    assert weights == pytest.approx(np.ones(size)) if size <= cells else max(weights) <= (
        min(weights) + 1
    )  # fmt: skip
    assert np.dot(found, weights) == pytest.approx(array.sum())


def test_a_strip_keeps_what_is_not_finite_and_does_not_overflow():
    assert np.isnan(strip([1.0, math.nan] * 50, 10)).all()
    assert strip([math.inf] * 3 + [1.0] * 27, 10) == [math.inf] + [1.0] * 9
    assert strip(np.full(100, 1.5e308), 10) == pytest.approx([1.5e308] * 10)


def test_a_bar_is_as_high_as_its_number_is_large_and_points_where_its_sign_does():
    assert bars([1.0, -4.0, 0.0, math.inf, -math.inf]) == [0.25, -1.0, 0.0, 1.0, -1.0]
    assert bars([0.0, 0.0]) == [0.0, 0.0]
    assert bars([]) == []
    assert math.isnan(bars([math.nan, 2.0])[0])
