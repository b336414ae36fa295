"""Rows T1 and T4 with scikit-learn itself: the split, the problem, and the digits are its own."""

import numpy as np
import pytest
from draws import regression_problem, split_of_the_digits

from tinygrad_edu import data

datasets = pytest.importorskip(
    "sklearn.datasets", reason="scikit-learn is not installed: pip install -e '.[sklearn]'"
)


def test_t1_the_digits_are_those_of_scikit_learn():
    digits = datasets.load_digits()
    pixels, labels = data.load_digits()
    assert np.array_equal(digits.data, pixels)
    assert np.array_equal(digits.images.reshape(-1, 64), pixels)
    assert np.array_equal(digits.target, labels)


def test_t1_the_split_is_that_of_scikit_learn():
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    parts = train_test_split(digits.images, digits.target, test_size=0.2, random_state=42)
    assert [len(part) for part in parts] == [1437, 360, 1437, 360]
    for part, ours in zip(parts, split_of_the_digits(), strict=True):
        assert np.array_equal(part.reshape(ours.shape), ours)
    assert parts[0].mean() == pytest.approx(4.891233907446068, rel=1e-15)
    assert parts[0].std() == pytest.approx(6.024576901647179, rel=1e-15)


@pytest.mark.parametrize("seed", [42, 0])
def test_t4_the_regression_problem_is_that_of_scikit_learn(seed):
    x, y, coefficients = datasets.make_regression(
        n_features=4, n_informative=4, coef=True, bias=0.5, random_state=seed
    )
    for theirs, ours in zip((x, y, coefficients), regression_problem(seed), strict=True):
        assert theirs == pytest.approx(ours, rel=1e-12)
