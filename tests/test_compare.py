"""compare: what runs where, what is said of differences, what is refused and left alone."""

import sys
import warnings

import numpy as np
import pytest
from oracles import ARRAY_LIBRARIES, LIBRARIES, library

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, compare, nn, rule
from tinygrad_edu.check import GradientError
from tinygrad_edu.check.kinds import function_of_graph
from tinygrad_edu.check.oracles import INSTALL
from tinygrad_edu.rules import of

every_library = pytest.mark.parametrize("name", LIBRARIES)
every_array_library = pytest.mark.parametrize("name", ARRAY_LIBRARIES)
X = np.random.default_rng(0).normal(size=(3, 4))


def verdicts(report):
    return {row.parameter: row.verdict for row in report.rows}


# --- how a function gets there -------------------------------------------------------------------


@every_library
def test_operators_methods_functions_numpy_and_branches(name):
    def f(x, y):
        z = (x * y + 2) / (1 - y) ** 2 - x.tanh() + tg.exp(-y) + np.sin(x)
        z = abs(-z) + 2.0 / x - 3.0 * np.float64(0.5) + 2.0**y
        if z > 0 and float(y) < 10:
            z = z * y.data
        z.label = "z"
        return +z + tg.where(x > 0, x, y) + x.detach() * y

    report = compare(f, 0.3, Value(2.0, "why"), with_=library(name), rtol=1e-12)
    assert [row.parameter for row in report.rows] == ["value", "x", "why"]
    assert {row.verdict for row in report.rows} == {"ok"}


@every_array_library
def test_a_layer_in_the_manner_of_arrays(name):
    weight = np.ones((4, 2))

    def f(x, b):
        h = x @ weight + b.reshape(1, -1)
        h = h.relu().sum(axis=0, keepdims=True) + (weight.T @ x.T).sum()
        a, b = h[0]
        assert (h.shape, h.ndim, h.size, h.dtype, len(h)) == ((1, 2), 2, 2, np.float64, 1)
        return (a * b + h.T.transpose(1, 0).mean()).sum()

    report = compare(f, X, np.array([0.5, -0.5]), with_=library(name))
    assert verdicts(report) == {"value": "ok", "x": "ok", "b": "ok"}


@every_library
def test_a_rule_of_a_user_runs_on_the_functions_of_the_library(name):
    @rule("gauss")
    def gauss(x, /, width=1.0):
        y = of(x).exp(-(x * x) / width)
        return y, lambda g, x=x, y=y: (g * y * x * (-2.0 / width),)

    @rule("gauss, wrong")
    def bad_gauss(x, /):
        y = of(x).exp(-(x * x))
        return y, lambda g, x=x, y=y: (g * y * x * 2.0,)

    assert compare(gauss, 0.7, with_=library(name)).ok
    assert compare(lambda x: gauss(x, width=3.0).gauss(), 0.7, with_=name).ok
    with pytest.raises(GradientError) as caught:
        compare(bad_gauss, Value(0.7, "x"), with_=name)
    said = str(caught.value)
    assert f"compare of bad_gauss with {name}: wrong for x\n" in said
    assert f"central differences give -0.857677, as {name} does" in said
    assert [row.verdict for row in caught.value.report.rows] == ["ok", "wrong"]
    assert len(caught.traceback) == 2, "the test, and one frame of ours, which pytest hides"


@every_array_library
def test_parameters_that_a_function_holds_are_compared_too(name):
    model = nn.MLP(4, [5, 3], rng=0)

    def loss(x):
        return nn.cross_entropy(model(x), np.array([0, 2, 1]))

    report = compare(loss, X, with_=library(name))
    assert set(verdicts(report).values()) == {"ok"}
    assert len(report.rows) == 2 + len(model.parameters())
    assert not any(p.grad.any() for p in model.parameters())
    constant = Tensor(np.ones(4))
    assert verdicts(compare(lambda x: constant * x, X, with_=name)) == {"value": "ok", "x": "ok"}


@every_library
def test_what_runs_in_the_library_behaves_as_a_node(name):
    seen = []

    @rule("careless")
    def careless(x, /):
        y = float(np.square(x) if not hasattr(x, "_record") else float(x) ** 2)
        return y, lambda g, x=x: (g * 2.0 * x,)

    def f(x):
        if not isinstance(x, Value):
            seen.append(x)
            assert repr(x) == f"<3.0 in {name}>"
            assert x.item() == float(x) == x.data == 3.0
            with pytest.raises(TypeError, match="no truth value"):
                bool(x)
            with pytest.raises(TypeError, match=r"numpy\.arctanh has no rule"):
                np.arctanh(x)
            with pytest.raises(TypeError, match="loses its derivative"):
                careless(x)
        return x * 2.0

    assert compare(f, 3.0, with_=library(name)).ok
    assert seen


@every_array_library
def test_a_matrix_that_a_function_makes_is_a_constant(name):
    def f(x):
        return (np.ones((2, 3)) @ x + Tensor(np.ones((2, 3))) @ x).sum()

    report = compare(f, X, with_=library(name))
    assert verdicts(report) == {"value": "ok", "x": "ok"}


@every_array_library
def test_a_function_that_asks_for_a_tensor_runs_as_the_graph_that_it_records(name):
    def f(x):
        return nn.mse_loss(x, np.zeros((3, 4)))

    assert compare(f, X, with_=library(name)).ok


@every_library
def test_a_graph_is_compared_by_its_labelled_leaves(name):
    a, b, c = Value(2.0, "a"), Value(3.0, "b"), Value(4.0)
    root = (a * b + c).tanh() * a
    a.grad = 5.0
    report = compare(root, with_=library(name))
    assert verdicts(report) == {"value": "ok", "a": "ok", "b": "ok"}
    assert (a.grad, b.grad, c.grad, root.grad) == (5.0, 0.0, 0.0, 0.0)
    assert verdicts(compare(c * c, with_=name)) == {"value": "ok", "leaf 0": "ok"}


def test_sympy_takes_a_graph_whose_formula_would_have_a_million_terms():
    def f(x):
        for _ in range(40):
            x = x * 0.6 + x * x * 0.3
        return x

    assert compare(f, 0.9, with_="sympy", rtol=1e-13).ok


def test_sympy_is_exact_where_floats_lose_digits():
    compare(tg.softplus, -200.0, with_="sympy", rtol=1e-13, atol=0.0)
    compare(tg.sigmoid, -700.0, with_="sympy", rtol=1e-13, atol=0.0)
    report = compare(lambda x: tg.exp(x) - 1, 1e-12, with_="sympy", atol=0.0, raises=False)
    assert [row.verdict for row in report.rows] == ["wrong", "ok"]  # expm1 has the digits


# --- a second function, written for the library -------------------------------------------------


def ported(x, w):
    return ((x @ w).tanh() ** 2).mean()


@every_array_library
def test_a_ported_loss_beside_the_original(name):
    library(name)
    if name == "torch":
        import torch

        def original(x, w):
            assert x.dtype == w.dtype == torch.float64
            return torch.tanh(x @ w).square().mean()
    else:
        numpy = __import__(f"{name}.numpy", fromlist=["numpy"])

        def original(x, w):
            return numpy.mean(numpy.tanh(numpy.dot(x, w)) ** 2)

    w = np.ones((4, 2)) / 4
    assert compare(ported, X, w, with_=name, theirs=original).ok
    report = compare(lambda x, w: ported(x, w) * 2, X, w, with_=name, theirs=original, raises=False)
    assert set(verdicts(report).values()) == {"wrong"}
    assert "the two functions differ" in report.rows[0].note
    report = compare(lambda x, w: (x @ w).tanh(), X, w, with_=name, theirs=original, raises=False)
    assert "the shape is (3, 2) here and () in " + name in str(report)


def test_a_formula_of_sympy_beside_the_original():
    import sympy

    compare(lambda x, y: x.exp() * y, 0.3, 2.0, with_="sympy",
            theirs=lambda x, y: sympy.exp(x) * y)  # fmt: skip
    with pytest.raises(GradientError, match="wrong for value, x"):
        compare(lambda x: x.exp(), 0.3, with_="sympy", theirs=lambda x: sympy.exp(2 * x))


# --- what is said --------------------------------------------------------------------------------


def test_a_table():
    assert (
        str(compare(lambda x, y: x * y, 2.0, 3.0, with_="sympy"))
        == """\
compare of a function with sympy: values and gradients agree
  parameter  at  tinygrad_edu  sympy  relative error  verdict
  value                     6      6         0.0e+00  ok
  x           2             3      3         0.0e+00  ok
  y           3             2      2         0.0e+00  ok"""
    )


def test_one_wrong_element_of_many_is_named():
    @rule("wrong")
    def wrong(x, /):
        return x * x, lambda g, x=x: (g * np.where(x == x.max(), x, 2 * x),)

    report = compare(wrong, Tensor(X, "x"), with_=library("autograd"), raises=False)
    where = tuple(int(i) for i in np.unravel_index(X.argmax(), X.shape))
    assert report.rows[1].index == where
    assert "(1 of 12 elements differ)" in report.rows[1].note
    assert report.to_svg().count("<svg") == 1


def test_conventions_at_kinks_are_no_errors():
    report = compare(tg.relu, np.array([0.0, 1.0, 0.0]), with_=library("autograd"))
    assert verdicts(report) == {"value": "ok", "x": "kink"}
    assert "a kink at 2 of 3: tinygrad_edu has 0 and autograd -0.568481" in str(report)
    tied = np.array([1.0, 1.0, 0.5])
    assert compare(tg.max, tied, with_="autograd").ok


def test_a_wrong_value_at_a_kink_is_an_error():
    @rule("outside")
    def outside(x, /):
        return of(x).relu(x) if hasattr(x, "_record") else np.maximum(x, 0.0), lambda g: (g * 2.0,)

    with pytest.raises(GradientError):
        compare(outside, np.zeros(3), with_=library("autograd"))


def test_float32_is_judged_as_such():
    report = compare(tg.exp, Tensor(X, dtype=np.float32), with_=library("autograd"))
    assert "ok, judged as float32" in str(report)
    with pytest.raises(GradientError):
        compare(tg.exp, Tensor(X, dtype=np.float32), with_="autograd", rtol=1e-12, atol=0.0)


def test_a_gradient_that_is_cut_off_is_found():
    with tg.no_grad(), pytest.raises(GradientError, match="wrong for x"):
        compare(lambda x: x * 2.0, 1.0, with_="sympy")
    assert compare(lambda x: Value(2.0), 1.0, with_="sympy").ok
    assert compare(lambda x: x.detach() * x, 3.0, with_="sympy").ok


def test_random_numbers_are_named_as_the_reason():
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="another result each time"):
        compare(lambda x: x * rng.normal(), 2.0, with_="sympy")


@every_array_library
def test_empty_arrays_and_results_that_do_not_depend_on_an_input(name):
    assert compare(tg.exp, np.zeros((0, 3)), with_=library(name)).ok
    report = compare(lambda x, y: x * 2.0, X, X, with_=name)
    assert verdicts(report) == {"value": "ok", "x": "ok", "y": "ok"}
    assert compare(lambda x: x.sum(), np.array(2.0), with_=name).ok


# --- what is refused, and what is left alone ---------------------------------------------------


def test_what_is_refused():
    held = Value(2.0)
    with pytest.raises(ValueError, match="'torch', 'jax', 'sympy', 'autograd'"):
        compare(tg.exp, 1.0, with_="tensorflow")
    with pytest.raises(ValueError, match="at least one input"):
        compare(tg.exp, with_="sympy")
    with pytest.raises(ValueError, match="2 names for 1 inputs"):
        compare(tg.exp, 1.0, with_="sympy", names=["x", "y"])
    with pytest.raises(ValueError, match="rtol is -1"):
        compare(tg.exp, 1.0, with_="sympy", rtol=-1)
    with pytest.raises(TypeError, match=r"x is an array of shape \(3, 4\)"):
        compare(tg.exp, X, with_="sympy")
    with pytest.raises(TypeError, match="returned float, not a node"):
        compare(lambda x: 2.0, 1.0, with_="sympy")
    with pytest.raises(ValueError, match="depends on none of the inputs"):
        compare(lambda x: held * 2.0, 1.0, with_="sympy")
    with pytest.raises(TypeError, match="returned NoneType, not a formula"):
        compare(lambda x: x, 1.0, with_="sympy", theirs=lambda x: None)
    with pytest.raises(TypeError, match="returned str, not numbers"):
        compare(lambda x: x, 1.0, with_=library("autograd"), theirs=lambda x: "2.0")
    with pytest.raises(TypeError, match="a node has its inputs already"):
        compare(Value(1.0) * 2, 1.0, with_="sympy")
    with pytest.raises(NotImplementedError, match="sympy has nothing for the rule sum, because"):
        compare(lambda x: x.sum(), Tensor(1.0), with_="sympy")
    with pytest.raises(ValueError, match="depends on none of the inputs; is it cut off"):
        function_of_graph(Value(1.0) * 2, [Value(2.0)])


@every_library
def test_a_library_that_is_not_installed(name, monkeypatch):
    from tinygrad_edu.check import oracles

    monkeypatch.setattr(oracles, "_OPENED", {})
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        compare(tg.exp, 1.0, with_=name)
    assert f"install it: {INSTALL[name]}" in str(caught.value)


@every_array_library
def test_inputs_and_nodes_are_left_alone(name):
    x = Tensor(X, "x")
    x.grad = np.ones((3, 4))
    given = X.copy()
    compare(lambda a, b: (a * b).sum(), x, given, with_=library(name))
    assert (x.grad == 1).all()
    assert (x.data == X).all()
    assert (given == X).all()


def test_settings_of_jax_and_torch_are_left_alone():
    library("jax")
    import jax

    before = jax.config.jax_enable_x64
    compare(tg.exp, X, with_="jax", rtol=1e-14)
    assert jax.config.jax_enable_x64 == before
    library("torch")
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        compare(tg.exp, X, with_="torch")
        assert not torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    with pytest.raises(TypeError, match="returned float, not a torch"):
        compare(tg.sum, X, with_="torch", theirs=lambda x: x.sum().item())
