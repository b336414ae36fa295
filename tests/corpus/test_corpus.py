"""The corpus: its right layers are right and its planted mistakes are mistakes, by differences of
NumPy alone."""

import pytest
from corpus import PLANTED, WRITTEN, changes
from differences import analytic, error, numeric

TRIED = [(name, mistake) for name, mistake in PLANTED if name in WRITTEN]
pytestmark = pytest.mark.untraced


def some(cases, one_of):
    """All cases, most of them with --deep only."""
    return [
        pytest.param(
            *case, marks=[pytest.mark.deep] * (n % one_of > 0), id=": ".join(map(str, case))
        )
        for n, case in enumerate(cases)
    ]


@pytest.mark.parametrize("name", some(((name,) for name in WRITTEN), 5))
def test_a_right_layer_is_right(name):
    layer = WRITTEN[name]
    ours, truth = analytic(layer, None, 0), numeric(layer, None, 0)
    assert [key for key in truth if not error(ours[key], truth[key]) < 1e-6] == []
    assert len(layer.mistakes) >= 3


@pytest.mark.parametrize(("name", "mistake"), some(TRIED, 5))
def test_a_planted_mistake_changes_a_gradient(name, mistake):
    assert changes(name, mistake, 0) > 0.02
