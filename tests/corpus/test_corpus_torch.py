"""The functions of torch in the corpus are right, and their planted mistakes are mistakes, by
torch's own check."""

import pytest
from hand_written import made
from test_corpus import some
from torch_functions import FUNCTIONS

torch = pytest.importorskip("torch")
PLANTED = [(name, mistake) for name, layer in FUNCTIONS.items() for mistake in layer.mistakes]


def torch_agrees(name, mistake=None):
    (function, *inputs), _ = made(FUNCTIONS[name].space(mistake), 0)
    return torch.autograd.gradcheck(function.apply, inputs, raise_exception=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_agrees_with_a_right_function(name):
    assert torch_agrees(name)


@pytest.mark.parametrize(("name", "mistake"), some(PLANTED, 1))
def test_torch_disagrees_with_a_planted_mistake(name, mistake):
    assert not torch_agrees(name, mistake)
