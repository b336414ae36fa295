"""The names of mistakes: right layers pass, planted mistakes are found, and no name is false."""

import collections
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from check_layers import LAYERS
from effort import much
from hypothesis import given
from hypothesis import strategies as st
from written_layers import Sizes

from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check.diagnoses.naming import kinds

CASES = [(name, mistake) for name, layer in LAYERS.items() for mistake in layer.mistakes]
IDS = [f"{name}: {mistake.name}" for name, mistake in CASES]
NUMBER = r"[-+]?\d[\d.]*(?:e[-+]?\d+)?"


@functools.cache
def checked(name, sizes, mistake=None):
    given_to_it, settings = LAYERS[name].made(sizes, mistake)
    return check_backward(*given_to_it, **settings, raises=False)


class Run:
    """The gradients that backward gives and the arrays it has to do with, both by name, by our own
    reading of the table's few conventions."""

    def __init__(self, name, sizes, mistake):
        from tinygrad_edu.check.layers.hand_written import _functions
        from tinygrad_edu.check.layers.runs import HandWrittenLayer

        given_to_it, settings = LAYERS[name].made(sizes, mistake)
        forward, backward, inputs, _ = _functions(given_to_it[0], tuple(given_to_it[1:]))
        self.layer = HandWrittenLayer(forward, backward, inputs, settings.get("parameters"))
        run = self.layer.run()
        self.adjoint, self.result, self.gradients = run.adjoint, run.output, self.read(run)
        self.arrays = {v.name: np.asarray(v.given, float) for v in run.variables}
        self.arrays["the result"] = run.output

    def read(self, run):
        return {
            v.name: np.asarray(v.gradient, float) for v in run.variables if v.gradient is not None
        }

    def with_adjoint_times(self, factor):
        return self.read(self.layer.run(adjoint=self.adjoint * factor))


@pytest.mark.untraced
@pytest.mark.parametrize("name", LAYERS)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_a_right_layer_of_any_size_is_not_accused(name, n, d, k):
    report = checked(name, Sizes(n, d, k))
    assert not report.problems
    # the softmax of one number is 1, and the variance of a batch of one is 0
    constant = {"unused"} if 1 in (n, d, k) else set()
    assert {row.verdict for row in report.rows} <= {"ok", "kink", "not given", *constant}


def one_of(many):
    """The planted mistakes, every so many of them."""
    return [
        pytest.param(*case, id=name) for case, name in zip(CASES[::many], IDS[::many], strict=True)
    ]


@pytest.mark.parametrize(("name", "mistake"), one_of(3))
def test_a_planted_mistake_is_found_and_named(name, mistake):
    report = checked(name, Sizes(5, 4, 3), mistake)
    assert not report.ok
    assert re.search(mistake.words, " ".join(str(report).split()))


def close(x, y):
    return np.shape(x) == np.shape(y) and np.allclose(x, y, rtol=1e-4, atol=1e-6)


def relative_gap(x, y):
    return np.max(np.abs(x - y) / np.where(y == 0, np.inf, np.abs(y)), initial=0.0)


def cancels(terms, note):
    """Whether terms sum to 0, along the axis that the note names."""
    axis = re.search(r"to 0 along axis (\d)", note)
    sums = terms.sum(axis=int(axis[1]) if axis else None)
    return np.allclose(sums, 0, atol=1e-3 * np.abs(terms).max())


FACTORS = {
    "1 - the result": lambda y: 1 - y,
    "1 + the result": lambda y: 1 + y,
    "the result": lambda y: y,
    "2 * the result": lambda y: 2 * y,
    "1 - the result squared, the derivative of tanh,": lambda y: 1 - y**2,
    "the result * (1 - the result), the derivative of a sigmoid,": lambda y: y * (1 - y),
    "result > 0, the derivative of ReLU,": lambda y: y > 0,
}


def claims_of(note, parameter, wrong_run, right):
    """Whether what the note says is so, of a wrong gradient and the right one, claim by claim."""
    wrongs, arrays = wrong_run.gradients, wrong_run.arrays
    wrong, x = wrongs[parameter], arrays[parameter]
    claims = {
        "the sign is wrong: negate": lambda: close(-wrong, right),
        "it is transposed": lambda: close(wrong.T, right),
        "0 everywhere": lambda: not wrong.any(),
        "does not change the result": lambda: not right.any(),
        "it is half of": lambda: close(2 * wrong, right),
        "it is twice": lambda: close(wrong, 2 * right),
        "reshape it": lambda: close(wrong.reshape(right.shape), right),
        "not summed over": lambda: any(
            close(wrong.sum(axis=axes, keepdims=keep), right)
            for axes in [None, *range(wrong.ndim), (0, 1)][: wrong.ndim + 1 + (wrong.ndim > 1)]
            for keep in (False, True)
        ),
        "derivative sums to 0": lambda: cancels(right, note) and not cancels(wrong, note),
        "derivative times the input sums to 0": lambda: (
            cancels(right * x, note) and not cancels(wrong * x, note)
        ),
        "wrong at a single": lambda: (~np.isclose(wrong, right, rtol=1e-5)).sum() == 1,
        "right but for": lambda: close(wrong, right) or np.allclose(wrong, right, rtol=0.05),
        "is summed over all": lambda: close(right.sum(), wrong.sum()),
        "is wrong only in": lambda: (
            len(np.unique(np.nonzero(~np.isclose(wrong, right))[0])) == 1
            or len(np.unique(np.nonzero(~np.isclose(wrong, right))[-1])) == 1
        ),
        "is the adjoint summed over": lambda: any(
            close(wrong_run.adjoint.sum(axis=i), right) for i in range(wrong_run.adjoint.ndim)
        ),
        "should be 0": lambda: not right[~np.isclose(wrong, right)].any(),
    }
    holds = {said: claim() for said, claim in claims.items() if said in note}
    holds.pop("not summed over", None) if "over the copies" in note else None
    for pattern, ratio in (
        (rf"({NUMBER}) times what it should be, for", lambda x: x),
        (rf"({NUMBER}) times too large", lambda x: x),
        (rf"({NUMBER}) times too small", lambda x: 1 / x),
    ):
        for number in re.findall(pattern, note):
            holds[pattern] = close(wrong, ratio(float(number)) * right)
    if "if only the first step" in note:
        return {"a fact": True}
    for adjoint, verb, name in re.findall(r"(adjoint )?(multi|divid)\w+ by (.*) it is right", note):
        if name in FACTORS:
            factor = FACTORS[name](wrong_run.result)
        else:
            name, _, axis = name.partition(" along axis ")
            factor = {"the input itself": x, "1 - the input": 1 - x, **arrays}[name]
            if axis:
                factor = np.expand_dims(factor, tuple(range(1, x.ndim - int(axis))))
        factor = factor if verb == "multi" else 1 / factor
        repaired = wrong_run.with_adjoint_times(factor)[parameter] if adjoint else wrong * factor
        holds[note] = close(repaired, right)
    holds |= {name: name == "idx" for name in re.findall(r"where (\S+) takes a row", note)}
    for name in re.findall(r"it is the gradient of (\w+),", note):
        holds[name] = close(wrongs[name], right)
    return holds


@pytest.mark.untraced
@pytest.mark.parametrize(("name", "mistake"), one_of(much(6, 60)))
def test_no_name_is_false_at_other_sizes(name, mistake):
    """Square matrices, as many samples as classes, a batch of one: what fits there may be named,
    and what is not a mistake there has to pass."""
    for sizes in (Sizes(3, 3, 3), Sizes(1, 4, 3), Sizes(2, 3, 2), Sizes(4, 2, 4), Sizes(1, 1, 1)):
        try:
            report = checked(name, sizes, mistake)
        except (ValueError, IndexError):
            assert sizes.d == 1 or sizes.n != 5  # a mistake that cannot even be run there
            continue
        wrong_run, right_run = Run(name, sizes, mistake), Run(name, sizes, None)
        for row in report.rows:
            if row.verdict in ("missing", "not given") or report.problems:
                continue
            wrong = wrong_run.gradients.get(row.parameter)
            right = right_run.gradients.get(row.parameter)
            if right is None or wrong is None or "forward" in mistake.name:
                continue
            if wrong.shape == right.shape and 1e-7 < relative_gap(wrong, right) < 1e-5:
                continue  # close to what is tolerated
            same = wrong.shape == right.shape and np.allclose(wrong, right, rtol=1e-6, atol=1e-10)
            assert (row.verdict == "wrong") == (not same), (sizes, str(report))
            claims = claims_of(row.note, row.parameter, wrong_run, right)
            assert all(claims.values()), (sizes, row.note, claims)
            usual = {row.kind for row in checked(name, Sizes(5, 4, 3), mistake).rows}
            assert claims or row.kind in {"", *usual}, (sizes, row.note)


def test_every_kind_of_mistake_stands_in_the_docs():
    page = (Path(__file__).parent.parent / "docs" / "checking.md").read_text(encoding="utf-8")
    assert [kind for kind in kinds() if f"| {kind} |" not in page] == []


@pytest.mark.deep
@pytest.mark.untraced
def test_every_kind_of_mistake_is_planted_in_three_layers():
    found = collections.defaultdict(set)
    for name, mistake in CASES:
        report = checked(name, Sizes(5, 4, 3), mistake)
        assert not report.ok, (name, mistake.name)
        assert re.search(mistake.words, " ".join(str(report).split())), (name, mistake.name)
        for row in report.rows:
            if re.search(mistake.words, f"{row.parameter}: {row.note}"):
                found[row.kind].add(name)
    rare = {kind: found[kind] for kind in kinds() if len(found[kind]) < 3}
    assert rare == {}


def test_a_list_without_a_gradient_says_where_it_was_looked_for():
    class Half:
        def __init__(self):
            self.params, self.grads = [np.ones(3), np.ones(3)], [np.zeros(3)]

        def forward(self, x):
            self.x = x
            return x * self.params[0] + self.params[1]

        def backward(self, dout):
            self.grads[0] = self.x * dout
            return dout * self.params[0]

    report = check_backward(Half(), np.array([0.5, -1.0, 2.0]), raises=False)
    verdicts = {row.parameter: row.verdict for row in report.rows}
    assert verdicts == {"x": "ok", "params.0": "ok", "params.1": "missing"}
    assert "looked for dparams[1], params_grads[1] or, for params, grads[1]" in report.rows[2].note


def test_a_derivative_that_sums_to_0_by_chance_is_no_law():
    def f(x):
        return float(np.sum(x**2))

    report = gradcheck(
        f, np.array([-1.0, 0.0, 1.0]), gradient=lambda x: np.cos(x) + x, raises=False
    )
    assert report.rows[0].note.startswith("both derivatives differ")


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_mistakes_are_looked_for_without_a_warning_at_any_scale(scale):
    def forward(x, y):
        return np.tanh(x / scale) * y

    def backward(x, y, dout):
        return dout * y / scale, dout + x / scale

    x, y = np.random.default_rng(0).normal(size=(2, 4, 3))
    report = check_backward(forward, backward, x * scale, y * scale, raises=False)
    assert [row.verdict for row in report.rows] == ["wrong", "wrong"], str(report)


def test_a_list_beside_the_gradients_that_holds_no_parameters_is_left_alone():
    class Scaled:
        def __init__(self):
            self.params, self.grads = [np.ones(3)], [np.zeros(3)]
            self.buffers = [np.full(3, 0.9)]

        def forward(self, x):
            self.x = x
            return x * self.params[0] + 0 * self.buffers[0]

        def backward(self, dout):
            self.grads[0][...] = self.x * dout
            return dout * self.params[0]

    assert check_backward(Scaled(), np.array([0.5, -1.0, 2.0])).ok


def test_inputs_of_0_and_1_are_not_taken_for_an_index():
    def forward(x, w):
        return np.tanh(x @ w)

    def backward(x, w, dout):
        dz = dout * (1 - np.tanh(x @ w) ** 2)
        return dz @ w.T, 2 * x.T @ dz

    xor = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    w = np.random.default_rng(0).normal(size=(2, 3))
    report = check_backward(forward, backward, xor, w, raises=False)
    assert report.rows[1].note.startswith("it is twice what it should be")
