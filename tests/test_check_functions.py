"""gradcheck on what people have: models, dicts and lists of arrays, settings, elementwise pairs."""

import math
import warnings

import numpy as np
import pytest
from scipy import special

from tinygrad_edu import Tensor, Value, gradcheck, nn, rule, rules, softmax
from tinygrad_edu.check import GradientError

X = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.75]])
T = np.array([[1.0, 0.0], [0.0, 1.0]])


def verdicts(report):
    return {row.parameter: row.verdict for row in report.rows}


@pytest.fixture
def wrong_square():
    @rule("?")
    def wrong_square_of_a_test(x, /):
        return x * x, lambda g, x=x: (g * x,)

    return rules.operations.wrong_square_of_a_test


# --- models through their own leaves -------------------------------------------------------------


def model_and_loss():
    model = nn.MLP(3, [4, 2], rng=0)
    return model, lambda: ((model(X) - T) ** 2).mean()


@pytest.mark.parametrize("way", ["no inputs", "its parameters", "its parameters in a list"])
def test_a_model_is_checked_through_its_own_parameters_and_stays_as_it_is(way):
    model, loss = model_and_loss()
    loss().backward()
    before = [(p.data.copy(), p.grad.copy()) for p in model.parameters()]
    report = {
        "no inputs": lambda: gradcheck(loss),
        "its parameters": lambda: gradcheck(lambda *w: loss(), *model.parameters()),
        "its parameters in a list": lambda: gradcheck(lambda w: loss(), model.parameters()),
    }[way]()
    assert [row.parameter for row in report.rows] == [p.label for p in model.parameters()]
    assert {row.verdict for row in report.rows} == {"ok"}
    assert all(row.analytic and row.numeric for row in report.rows)
    for p, (data, grad) in zip(model.parameters(), before, strict=True):
        assert np.array_equal(p.data, data)
        assert np.array_equal(p.grad, grad)


@pytest.mark.parametrize("inputs", [(), ("w",)], ids=["no inputs", "w"])
def test_a_wrong_rule_inside_a_model_is_found_through_its_leaves(inputs, wrong_square):
    w = Tensor(X, "w")
    with pytest.raises(GradientError, match="wrong for w\n"):
        gradcheck(lambda *_: wrong_square(w).sum(), *[w for _ in inputs])


def test_a_given_leaf_is_what_the_function_uses():
    w = Value(3.0, "w")
    (row,) = gradcheck(lambda v: w * w, w).rows
    assert (row.parameter, row.analytic) == ("w", 6)
    (row,) = gradcheck(lambda v: v * w, w).rows
    assert row.analytic == 6
    assert (w.data, w.grad) == (3.0, 0.0)


def test_an_input_that_matters_only_where_another_is_not_0_is_right():
    def product(x, y):
        return x * y

    assert gradcheck(product, 0.0, 2.0).ok
    assert gradcheck(product, X * 0, X).ok
    assert gradcheck(product, 0.0, 2.0, gradient=lambda x, y: (y, x)).ok
    assert verdicts(gradcheck(lambda x, y: x * x, 0.5, 2.0, raises=False))["y"] == "unused"
    report = gradcheck(product, 0.0, 2.0, gradient=lambda x, y: (y, y), raises=False)
    assert verdicts(report)["y"] == "wrong"


def test_leaves_without_a_label_are_mentioned():
    a, b, c = Tensor(X, "a"), Tensor(X), Tensor(X)
    report = gradcheck(lambda: (a * b * c).sum())
    assert verdicts(report) == {"a": "ok"}
    assert "2 leaves without a label are not checked" in str(report)
    assert verdicts(gradcheck(lambda: (b * c).sum())) == {"leaf 0": "ok", "leaf 1": "ok"}


def test_a_leaf_that_is_made_anew_by_every_call_is_not_an_input():
    w = Tensor(X, "w")
    assert verdicts(gradcheck(lambda: (w * Tensor(X + 1, "made")).sum())) == {"w": "ok"}
    with pytest.raises(ValueError, match=r"uses no leaf from outside; give at least one input"):
        gradcheck(lambda: Tensor(X, "made").sum())


def test_leaves_with_one_label_are_told_apart():
    first, second = nn.Linear(3, 2, rng=0), nn.Linear(2, 1, rng=1)
    report = gradcheck(lambda: second(first(X).tanh()).sum())
    assert sorted(verdicts(report)) == ["bias (1)", "bias (2)", "weight (1)", "weight (2)"]


def test_second_order_through_leaves():
    w = Tensor(X, "w")
    report = gradcheck(lambda: (w.tanh() * w).sum(), second_order=True)
    assert verdicts(report) == {"w": "ok", "second order: w": "ok"}


def test_data_are_put_back_after_an_error():
    w = Tensor(X, "w")

    def fails_when_moved():
        if not np.array_equal(w.data, X):
            raise RuntimeError("moved")
        return w.sum()

    with pytest.raises(RuntimeError, match="moved"):
        gradcheck(fails_when_moved)
    assert np.array_equal(w.data, X)
    assert w.data.dtype == np.float64


# --- dicts, lists, tuples and settings -----------------------------------------------------------


def affine(parameters, x, activation, hidden=None):
    z = x @ parameters["W"] + parameters["b"]
    assert hidden is None
    return z.tanh().sum() if activation == "tanh" else z.sum()


def test_a_dict_of_arrays_is_a_set_of_named_variables_and_settings_are_handed_on():
    parameters = {"W": X.T.copy(), "b": np.zeros(2), "name": "first", "bias": True}
    report = gradcheck(affine, parameters, X, "tanh", None)
    assert verdicts(report) == {"parameters.W": "ok", "parameters.b": "ok", "x": "ok"}


def test_nested_lists_and_tuples_of_arrays():
    layers = [{"W": X.T.copy(), "scale": (Tensor(T, "s"), 0.5)}, [np.ones(2)]]

    def f(layers):
        (first, (b,)) = layers
        scale, factor = first["scale"]
        assert factor == 0.5
        return (X @ first["W"] @ scale + b).tanh()

    report = gradcheck(f, layers)
    assert [row.parameter for row in report.rows] == ["layers[0].W", "s", "layers[1][0]"]
    assert report.ok


def test_numbers_in_a_dict_are_variables_if_there_is_nothing_else():
    report = gradcheck(lambda p: p["a"] * p["b"].exp(), {"a": 2.0, "b": 0.5})
    assert verdicts(report) == {"p.a": "ok", "p.b": "ok"}


@pytest.mark.parametrize(
    "gradients",
    [
        lambda dW, db: ({"W": dW, "b": db}, X),
        lambda dW, db: ({"dW": dW, "db": db}, X),
        lambda dW, db: {"dW": dW, "grad_b": db, "dx": X},
        lambda dW, db: {"parameters.W": dW, "parameters.b": db, "x": X},
        lambda dW, db: ([dW, db], X),
    ],
)
def test_gradients_by_name_or_in_order(gradients):
    def f(parameters, x):
        return np.sum(parameters["W"] ** 3) + np.sum(parameters["b"] ** 2) + np.sum(x**2) / 2

    def gradient(parameters, x):
        return gradients(3 * parameters["W"] ** 2, 2 * parameters["b"])

    report = gradcheck(f, {"W": X, "b": T}, X, gradient=gradient)
    assert verdicts(report) == {"parameters.W": "ok", "parameters.b": "ok", "x": "ok"}


def test_an_input_of_integers_needs_no_derivative_and_stays_an_index():
    labels = np.array([2, 0])

    def loss(x, labels):
        return -np.mean(np.log(special.softmax(x, 1)[np.arange(2), labels]))

    def dloss(x, labels):
        return (special.softmax(x, 1) - np.eye(3)[labels]) / 2

    for gradient in (dloss, lambda *xs: (dloss(*xs), None), lambda *xs: {"dx": dloss(*xs)}):
        report = gradcheck(loss, X, labels, gradient=gradient)
        assert verdicts(report) == {"x": "ok", "labels": "not given"}


def test_a_gradient_for_no_input_is_a_problem():
    report = gradcheck(lambda x: np.sum(x * x), X, gradient=lambda x: {"dx": 2 * x, "dz": x},
                       raises=False)  # fmt: skip
    assert report.problems == ["the gradient gave 'dz', which is the name of no input"]


# --- one-to-one functions ------------------------------------------------------------------------


def test_a_one_to_one_function_shows_its_own_derivative():
    report = gradcheck(lambda x: x * x, [1.0, 2.0])
    (row,) = report.rows
    assert (row.index, row.at, row.analytic) == ((1,), 2, 4)
    assert row.numeric == pytest.approx(4)
    assert "weights" not in str(report)


def test_a_weighed_result_says_so():
    assert "sum of the 6 results with random weights" in str(gradcheck(softmax, X))
    report = gradcheck(lambda x, b: (x + b).tanh(), X, np.array([0.1, 0.2, 0.3]))
    assert "the derivatives by b are those of a sum of the 6 results" in str(report)
    assert "weights" not in str(gradcheck(lambda x: x.sum(), X))
    losses = gradcheck(lambda z: nn.cross_entropy(z, np.array([0, 1]), reduction="none"), X)
    assert "weights" not in str(losses)  # each row has a loss of its own
    expected = special.softmax(X, 1) - np.eye(2, 3)
    (row,) = losses.rows
    assert row.analytic == pytest.approx(expected[row.index])


def test_a_rule_that_forgets_its_adjoint_is_found_in_a_one_to_one_function():
    @rule("?")
    def forgets_of_a_test(x, /):
        return x * x, lambda g, x=x: (2 * x,)

    with pytest.raises(GradientError, match="adjoint"):
        gradcheck(forgets_of_a_test, X)


@pytest.mark.parametrize("n", [2, 3, 7, 8, 33])
@pytest.mark.parametrize("reached", [0, 1, -1])
def test_one_result_that_depends_on_another_element_is_seen(n, reached):
    x = np.linspace(1, 2, n)

    def f(x):
        y = x.copy()
        y[reached] += 0.01 * x[reached - 1]
        return y

    with pytest.raises(ValueError, match="more than its own element of x, so its derivative is a"):
        gradcheck(f, x, gradient=np.ones_like)


# --- gradient= of functions of plain numbers -----------------------------------------------------


def gelu(x):
    return x * (1 + special.erf(x / math.sqrt(2))) / 2


def dgelu(x):
    return (1 + special.erf(x / math.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


PAIRS = {
    "gelu": (gelu, dgelu),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "leaky relu": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
    "element by element in a loop": (
        lambda x: np.array([[math.sin(e) for e in row] for row in x]), np.cos,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "df"), PAIRS.values(), ids=PAIRS)
def test_an_elementwise_pair_is_checked(f, df):
    assert gradcheck(f, X, gradient=df).ok
    (row,) = gradcheck(f, X, gradient=lambda x: -df(x), raises=False).rows
    assert row.verdict == "wrong"
    assert "the sign is wrong" in row.note
    assert row.numeric == pytest.approx(float(df(X)[row.index]))
    assert not gradcheck(f, X, gradient=lambda x: df(x) + 1e-4, raises=False).ok


def test_an_elementwise_function_of_two_arrays():
    report = gradcheck(np.arctan2, X, X + 2, gradient=lambda y, x: (
        x / (x * x + y * y), -y / (x * x + y * y),
    ))  # fmt: skip
    assert report.ok


def test_the_gradient_of_each_row_by_itself():
    report = gradcheck(lambda x: np.sum(x**3, axis=1), X, gradient=lambda x: 3 * x * x)
    assert verdicts(report) == {"x": "ok"}


def test_a_mean_without_1_over_n_is_named():
    (row,) = gradcheck(lambda x: np.mean(x * x), X, gradient=lambda x: 2 * x, raises=False).rows
    assert "1/N" in row.note
    assert "6" in row.note
    (row,) = gradcheck(
        lambda x: np.sum(x * x) / len(x), np.ones((5, 3)) * 0.7, gradient=lambda x: 2 * x,
        raises=False,
    ).rows  # fmt: skip
    assert "the length of the batch" in row.note


def test_a_function_that_returns_its_gradient_too():
    """As the losses of courses do, and as `jac=True` says in scipy.optimize."""

    def svm_loss(W, x, y, scale):
        scores = x @ W
        margins = np.maximum(0, scores - scores[np.arange(2), y][:, None] + 1) * scale
        margins[np.arange(2), y] = 0
        mask = (margins > 0) * scale
        mask[np.arange(2), y] = -mask.sum(1)
        return margins.sum() / 2, x.T @ mask / 2

    W, y = np.random.default_rng(0).normal(size=(3, 4)), np.array([1, 3])
    report = gradcheck(svm_loss, W, X, y, 1.5, gradient=True)
    assert verdicts(report) == {
        "W": "ok", "x": "not given", "y": "not given", "scale": "not given",
    }  # fmt: skip

    def pair(x, y):
        return np.sum(x * x * y), 2 * x * y, x * x

    assert verdicts(gradcheck(pair, X, X + 3, gradient=True)) == {"x": "ok", "y": "ok"}
    report = gradcheck(lambda x: (np.sum(x * x), x), X, gradient=True, raises=False)
    assert "half of what it should be" in report.rows[0].note


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_function_of_several_results(kind, wrong_square):
    def cell(x, h):
        h = (x + h).tanh()
        return kind([h, h.exp() * x])

    assert gradcheck(cell, X, X / 2).ok
    assert gradcheck(lambda a, b: kind([a * b, a.sin()]), 2.0, 3.0).ok
    with pytest.raises(GradientError, match="wrong for x"):
        gradcheck(lambda x: kind([x.sin(), wrong_square(x)]), X)


def test_global_random_numbers_are_the_same_at_every_call():
    def noisy(x):
        return (x * np.random.default_rng().integers(1, 2) * np.random.rand(*X.shape)).sum()

    assert gradcheck(noisy, X).ok
    assert gradcheck(lambda x: np.sum(np.random.rand(*X.shape) * x), X,
                     gradient=lambda x: np.random.rand(*X.shape)).ok  # fmt: skip


class Dropout:
    """With a generator of its own, and a mask that the derivative reads."""

    def __init__(self):
        self.rng, self.mask = np.random.default_rng(3), None

    def __call__(self, x):
        self.mask = self.rng.random(X.shape) < 0.7
        return x * self.mask / 0.7

    def derivative(self, x):
        return self.mask / 0.7


def test_generators_of_the_function_draw_the_same_numbers_at_every_call():
    drop, model = Dropout(), nn.Linear(3, 2, rng=0)
    state = drop.rng.bit_generator.state
    assert gradcheck(drop, X, gradient=drop.derivative).ok
    assert gradcheck(lambda x: model(drop(x)).tanh(), X).ok
    assert gradcheck(lambda: model(drop(X)).sum()).ok
    assert drop.rng.bit_generator.state == state
    assert not gradcheck(drop, X, gradient=np.ones_like, raises=False).ok


def test_no_warning_of_the_check_reaches_its_caller():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(lambda x: np.sum(np.sqrt(x)), X**2, gradient=lambda x: 0.5 / np.sqrt(x))
        gradcheck(lambda x: np.asarray(x, float).sum(), X, gradient=np.ones_like)
        gradcheck(lambda x: x.log().sum(), np.array([1e-9, 1.0]))


@pytest.mark.parametrize("inputs", [("relu", None), (True,), ({"axis": 1, "mode": "train"},)])
def test_inputs_without_numbers_are_refused(inputs):
    with pytest.raises(TypeError, match="none of the inputs holds real numbers"):
        gradcheck(lambda *_: Value(1), *inputs)
