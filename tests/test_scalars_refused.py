"""What does not open as scalars is refused, with numbers and the cure, before it is built."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, no_grad
from tinygrad_edu.engine import value as value_module
from tinygrad_edu.view.cards.open_as_scalars import open_as_scalars

ASKED = 2
"""Values that tell whether operations are recorded; they are in no graph."""


@pytest.fixture
def values_made(monkeypatch):
    """How many Values have been made since the test began."""
    made = []
    new, init = value_module.new_node, Value.__init__
    monkeypatch.setattr(value_module, "new_node", lambda kind: made.append(1) or new(kind))
    monkeypatch.setattr(Value, "__init__", lambda v, *a: made.append(1) or init(v, *a))
    return made


def dense(samples, inputs, outputs):
    return np.ones((samples, inputs)) @ Tensor(np.ones((inputs, outputs))) + np.ones(outputs)


@pytest.mark.parametrize(
    ("root", "what"),
    [
        (lambda: dense(100, 784, 50).sum(), "leaves alone have 39200 elements"),
        (lambda: Tensor(1.0).broadcast_to((100, 100)).sum(), "has 10000 elements"),
        (lambda: dense(1000, 29, 1).sum(), "more than 1500 scalars"),
        (lambda: dense(1000, 31, 1).sum(), "runs over 31000 numbers"),
        (lambda: dense(1400, 1400, 1).sum(), "runs over 1960000 numbers"),
        (
            lambda: tg.einsum("ij,jk,kl->l", *[np.ones((99, 99))] * 2, Tensor(np.ones((99, 1)))),
            "runs over 970299 numbers",
        ),
        (lambda: tg.einsum("ij,j->", np.ones((90, 70)), Tensor(np.ones(70))), "more than 1500"),
        (lambda: Tensor(np.ones((30, 30))) @ np.ones((30, 30)), "more than 1500 scalars"),
        (lambda: tg.softmax(Tensor(np.ones((20, 20)))).sum(), "more than 1500 scalars"),
        (lambda: tg.rules.put(Tensor(np.ones(900)), np.zeros(900, int), (1,)), "more than 1500"),
        (lambda: Tensor(np.ones(1000)).exp(), "more than 1500 scalars"),
    ],
)
def test_a_large_graph_is_refused_before_it_is_built(root, what, values_made):
    tensor = root()
    with pytest.raises(ValueError, match=what) as refusal:
        open_as_scalars(tensor)
    assert "limit is 1500" in str(refusal.value)
    assert "fewer samples" in str(refusal.value)
    assert len(values_made) <= 1500 + ASKED


def test_the_limit_is_exact(values_made):
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x @ x
    needed = len(open_as_scalars(y).owner) + 3
    assert needed == len(values_made) - ASKED == 4 + 8 + 4 + 3
    assert open_as_scalars(y, limit=needed).root.data == 54.0
    with pytest.raises(ValueError, match=f"more than {needed - 1} scalars"):
        open_as_scalars(y, limit=needed - 1)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: np.rint(x), "numpy.rint has no rule"),
        (lambda x: np.einsum("ij,jk", x, x), "written out"),
        (lambda x: np.linalg.inv(x), "Cannot cast ufunc 'inv'"),
        (lambda x: np.max(x, initial=0.0), "where and initial"),
        (lambda x: np.add.reduceat(x, [0, 1]), "reduceat does not work"),
        (lambda x: x.astype(float), "derivative is lost"),
        (lambda x: x.sum() if x.dtype == object else x, "gives shape"),
    ],
)
def test_a_rule_that_cannot_run_on_scalars_is_named(function, why):
    @tg.rule("odd one")
    def odd_one(x, /):
        """Something NumPy can and scalars cannot."""
        return function(x), lambda g: (g,)

    tensor = odd_one(Tensor([[1.0, 2.0], [3.0, 5.0]]))
    with pytest.raises(ValueError, match=r"odd_one of shape .* cannot be opened") as refusal:
        open_as_scalars(tensor)
    assert why in str(refusal.value)


def test_a_number_outside_of_the_domain_of_a_scalar_is_named():
    with np.errstate(divide="ignore"):
        y = Tensor([0.0, 1.0]).log().sum()
    with pytest.raises(ValueError, match=r"log of shape .* cannot be opened: .*positive number"):
        open_as_scalars(y)


def test_only_tensors_open_and_only_where_operations_are_recorded():
    with pytest.raises(TypeError, match="expected a Tensor, got Value"):
        open_as_scalars(Value(1.0))
    with no_grad(), pytest.raises(ValueError, match="no_grad"):
        open_as_scalars(Tensor([1.0]))
