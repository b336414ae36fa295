"""Elements and inputs that are equal where the larger one counts: what they get has to add up."""

import numpy as np
import pytest

from tinygrad_edu import check_backward, gradcheck

X = np.random.default_rng(3).normal(size=(3, 4))


def verdicts(*checked):
    return [row.verdict for row in check_backward(*checked, raises=False).rows]


class Largest:
    """The largest of each row; `share` says what tied elements get."""

    def __init__(self, share):
        self.share = share

    def forward(self, x):
        self.x = x
        return x.max(1)

    def backward(self, dout):
        tied = (self.x == self.x.max(1, keepdims=True)) * 1.0
        if self.share == "even":
            tied /= tied.sum(1, keepdims=True)
        if self.share == "first":
            tied = np.eye(self.x.shape[1])[self.x.argmax(1)]
        return dout[:, None] * tied


@pytest.mark.parametrize("x", [np.ones((2, 4)), np.round(X), np.zeros((1, 2))], ids=str)
def test_tied_elements_share_what_one_would_get(x):
    ties = (x == x.max(1, keepdims=True)).sum(1).max() > 1
    for share in ("even", "first"):
        assert verdicts(Largest(share), x)[0] in ("ok", "kink")
    report = check_backward(Largest("all"), x, raises=False)
    assert report.ok != ties
    assert ("tied at a kink" in " ".join(str(report).split())) == ties


class Distance:
    def __init__(self, sign):
        self.sign = sign

    def forward(self, x):
        return np.abs(x[:, 0] - x[:, 1])

    def backward(self, dout):
        return np.stack([dout, self.sign * dout], 1)


def test_a_distance_of_nothing_has_opposite_slopes():
    assert verdicts(Distance(-1), np.ones((2, 2))) == ["kink"]
    assert verdicts(Distance(1), np.ones((2, 2))) == ["wrong"]
    assert verdicts(Distance(0), np.ones((2, 2))) == ["wrong"]  # to one of them alone


A, B = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0])
TIED_INPUTS = {
    "max": (lambda a, b: np.maximum(a, b), lambda s: (s > 0) * 1.0, lambda s: (s < 0) * 1.0,
            {(1, 0): True, (0, 1): True, (0.25, 0.75): True, (0.5, 0.5): True,
             (1, 1): False, (0, 0): False, (0.5, 0): False}),
    "distance": (lambda a, b: abs(a - b), np.sign, lambda s: -np.sign(s),
                 {(1, -1): True, (-1, 1): True, (0, 0): True, (0.5, -0.5): True,
                  (1, 1): False, (-1, -1): False, (1, 0): False}),
}  # fmt: skip
"""A function of two inputs, its derivatives by the sign of a - b, and whether what stands for them
where a = b lies between those of both sides and adds up along the way of both."""


@pytest.mark.parametrize("name", TIED_INPUTS)
@pytest.mark.parametrize("inputs", [(A, B), (2.0, 2.0)], ids=["arrays", "numbers"])
def test_inputs_that_are_tied_share_what_one_would_get(name, inputs):
    f, by_a, by_b, conventions = TIED_INPUTS[name]
    for at_ties, right in conventions.items():

        def slopes(a, b, at_ties=at_ties):
            sign = np.sign(np.subtract(a, b))
            return tuple(
                np.where(sign == 0, tied, by(sign))
                for tied, by in zip(at_ties, (by_a, by_b), strict=True)
            )  # fmt: skip

        def backward(d, a, b, slopes=slopes):
            return tuple(d * slope for slope in slopes(a, b))

        for report in (
            gradcheck(f, *inputs, gradient=slopes, raises=False),
            check_backward(f, backward, *inputs, raises=False),
        ):
            assert report.ok == right, (at_ties, str(report))
            assert ("a, b are tied at a kink" in " ".join(str(report).split())) != right
