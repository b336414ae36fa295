"""Random functions of every temper: right ones are never accused, wrong ones never pass."""

import os
from collections import Counter

import numpy as np
import pytest
from effort import much
from random_derivatives import TEMPERS, spoilt

from tinygrad_edu import gradcheck

EACH = int(os.environ.get("EACH_OF_RANDOM", much(200, 63))) // len(TEMPERS) + 1


def verdict(f, derivative, x):
    with np.errstate(all="ignore"):
        (row,) = gradcheck(f, x, gradient=lambda z: derivative(z), raises=False).rows
    return row.verdict


@pytest.mark.parametrize("temper", TEMPERS)
def test_right_functions_are_never_accused_and_wrong_ones_never_pass(temper):
    right, wrong = Counter(), Counter()
    seed = 0
    while min(right.total(), wrong.total()) < EACH:
        rng = np.random.default_rng([seed, len(temper)])
        seed += 1
        f, derivative, x = TEMPERS[temper](rng)
        with np.errstate(all="ignore"):
            if not (np.isfinite(f(x)) and np.isfinite(derivative(x)).all()):
                continue
        if right.total() < EACH:
            found = verdict(f, derivative, x)
            right[found] += 1
            assert found != "wrong", (temper, seed - 1)
        bad = spoilt(rng, temper, derivative, x)
        if temper == "tied":  # every tied element gets the whole adjoint
            bad = all_tied(f, derivative, x)
        if bad is not None and wrong.total() < EACH:
            found = verdict(f, bad, x)
            wrong[found] += 1
            assert found not in ("ok", "kink"), (temper, seed - 1)
    print(temper, dict(right), dict(wrong))
    assert right["unsure"] <= 0.1 * EACH
    assert wrong["wrong"] >= 0.85 * EACH


def all_tied(f, derivative, x):
    """A derivative of max() that gives the whole adjoint to every tied element."""
    largest = x == x.max()
    is_max = np.count_nonzero(derivative(x)) == 1 and derivative(x).sum() == 1
    return (lambda z: largest * 1.0) if is_max and largest.sum() > 1 and f(x) == x.max() else None
