"""NumPy's ways to call what it has under the same name, and what is said of what has no rule."""

import builtins
import importlib
import inspect
import math
import pkgutil
import re

import numpy as np
import pytest
from array_replays import assert_replays
from test_axes import numerical

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradients
from tinygrad_edu.engine.methods import Methods
from tinygrad_edu.rules import operations
from tinygrad_edu.rules.numpy_forms import INSTEAD

X = np.random.default_rng(0).permutation(np.linspace(-1.4, 2.3, 6)).reshape(2, 3)
MASK = np.array([True, False, True])

CALLS = [  # the same call on an array is the oracle
    lambda x: np.sum(x, 0), lambda x: np.sum(x, axis=1, keepdims=True), lambda x: np.sum(a=x),
    lambda x: np.sum(x, 0, None, None, True), lambda x: np.sum(x, where=True, dtype=None),
    lambda x: np.mean(x, (0, 1), keepdims=True), lambda x: np.mean(x, 1, None, None, True),
    lambda x: np.var(x, ddof=1), lambda x: np.var(x, 1, None, None, 1, True),
    lambda x: np.std(x, 0, ddof=1), lambda x: np.std(x, axis=1, correction=1),
    lambda x: np.max(x, axis=1), lambda x: np.amax(x, 0, None, True), lambda x: np.min(a=x, axis=0),
    lambda x: np.amin(x), lambda x: np.prod(x, 1), lambda x: np.prod(x, 1, None, None, True),
    lambda x: np.cumsum(x, 1), lambda x: np.cumsum(a=x, axis=0, out=None), lambda x: np.cumsum(x),
    lambda x: np.clip(x, -0.4, 1.3), lambda x: np.clip(x, a_min=-0.4, a_max=1.3),
    lambda x: np.clip(x, None, 1.3), lambda x: np.clip(x, a_max=1.3, a_min=None),
    lambda x: np.clip(x, -0.4, a_max=np.array([1.3, 0.5, 2.0]), out=None),
    lambda x: np.reshape(x, (3, 2)), lambda x: np.reshape(x, -1), lambda x: np.reshape(x, [6, 1]),
    lambda x: np.reshape(x, (3, 2), order="C"), lambda x: np.reshape(x, (3, 2), "C"),
    lambda x: np.transpose(x), lambda x: np.transpose(x, (1, 0)), lambda x: np.transpose(a=x),
    lambda x: np.transpose(x, axes=[-1, 0]), lambda x: np.expand_dims(x, 0),
    lambda x: np.expand_dims(x, axis=(0, -1)), lambda x: np.squeeze(np.expand_dims(x, 1), axis=1),
    lambda x: np.squeeze(np.expand_dims(x, [0, 2])), lambda x: np.broadcast_to(x, (2, 2, 3)),
    lambda x: np.broadcast_to(array=x, shape=(1, 2, 3), subok=False),
    lambda x: np.stack([x, x], 1), lambda x: np.stack(arrays=[x, x * 2], axis=-1),
    lambda x: np.stack((x, X), axis=0, out=None), lambda x: np.stack(x, 1),
    lambda x: np.concatenate([x, x * 2], 1), lambda x: np.concatenate((x, X)),
    lambda x: np.concatenate([x, x], axis=None), lambda x: np.concatenate(x),
    lambda x: np.concatenate([x, X], 0, None, dtype=None, casting="same_kind"),
    lambda x: np.where(MASK, x, 0.5), lambda x: np.where([True, False, True], X, x),
    lambda x: np.einsum("ij,kj->ik", x, X), lambda x: np.einsum("ij,kj", x, x, optimize=True),
    lambda x: np.einsum("i,ij->j", [1.0, 2.0], x),
    lambda x: np.einsum("ij,j->i", x, [1.0, 2.0, 3.0]), lambda x: np.matmul(x, X.T),
    lambda x: np.maximum(x, 0.3), lambda x: np.minimum(0.3, x), lambda x: np.add(x, x, out=None),
    lambda x: np.exp(x, where=True), lambda x: np.absolute(x), lambda x: np.true_divide(1.0, x),
    lambda x: np.float_power(x, 2), lambda x: np.negative(x), lambda x: np.multiply(X, x),
    lambda x: x.sum(0), lambda x: x.sum(axis=0, keepdims=True), lambda x: x.reshape(3, 2),
    lambda x: x.reshape((3, 2)), lambda x: x.reshape(3, -1, order="C"), lambda x: x.transpose(),
    lambda x: x.transpose(1, 0), lambda x: x.transpose((1, 0)), lambda x: x.transpose(None),
    lambda x: x.reshape(-1).transpose(0), lambda x: x.mean(1), lambda x: x.mean((0, 1)),
    lambda x: x.var(ddof=1), lambda x: x.std(0, ddof=1), lambda x: x.max(0), lambda x: x.min(-1),
    lambda x: x.prod(axis=1, keepdims=True), lambda x: x.cumsum(1), lambda x: x.clip(-0.4, 1.3),
    lambda x: x.clip(max=1.3), lambda x: x.clip(min=-0.4), lambda x: x[None].squeeze(0),
    lambda x: x[:, None].squeeze(axis=1), lambda x: x.sum(out=None), lambda x: x.sum((0, 1)),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_what_numpy_takes_is_taken_recorded_and_replayed(call):
    expected = call(X)
    leaf = Tensor(X)
    y = call(leaf)
    assert isinstance(y, Tensor)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12)
    assert y.shape == np.shape(expected)
    seed = np.random.default_rng(1).uniform(0.5, 1.5, y.shape)
    y.backward(seed)
    np.testing.assert_allclose(leaf.grad, numerical(call, X, seed), rtol=1e-6, atol=1e-8)
    (again,) = gradients(y, leaf, gradient=seed)
    np.testing.assert_allclose(again.data, leaf.grad, rtol=1e-12, atol=1e-13)
    assert_replays(lambda x: (call(x) * seed).sum(), [X], [X + 0.01])


SAMPLES = {
    "axis": 0, "keepdims": True, "ddof": 1, "correction": 1, "axes": (1, 0), "shape": (3, 2),
    "newshape": (3, 2), "a_min": 0.1, "a_max": 1.0, "min": 0.1, "max": 1.0, "dtype": np.float32,
    "out": np.zeros((2, 3)), "initial": 1.0, "where": X > 0, "mean": np.zeros((1, 3)), "order": "F",
    "copy": True, "subok": True, "casting": "unsafe", "optimize": True, "signature": "d->d",
    "kwargs": None, "k": 1, "offset": 1, "mode": "edge",
}  # fmt: skip
REQUIRED = {"reshape": ((3, 2),), "broadcast_to": ((2, 2, 3),), "expand_dims": (0,),
            "clip": (-0.5, 0.5), "where": (X, X), "squeeze": (), "repeat": (2,), "tile": (2,),
            "swapaxes": (0, 1), "pad": (1,), "split": (1,)}  # fmt: skip
NUMPYS = sorted(name for name in {*vars(operations), "amax", "amin", "absolute", "float_power"}
                if hasattr(np, name) and name != "put")  # fmt: skip


@pytest.mark.parametrize("name", NUMPYS)
def test_every_parameter_of_numpys_function_is_taken_or_refused_by_its_name(name):
    function = getattr(np, name)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # a function in C, of which NumPy 2.0 does not know them
        names = () if name == "where" else ("out", "casting", "dtype")
        parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names]
    operands = [Tensor(X)] * max(getattr(function, "nin", 1), 1)
    if name in ("stack", "concatenate"):
        operands = [operands * 2]
    elif name == "einsum":
        operands = ["ij->ji", *operands]
    elif name == "squeeze":
        operands = [Tensor(X[None])]
    elif name in ("matmul", "dot", "outer"):
        operands = [Tensor(X), Tensor(X.T)]
    elif name in ("vstack", "hstack"):
        operands = [[Tensor(X), Tensor(X)]]
    more = REQUIRED.get(name, ())
    for p in parameters:
        if p.name not in SAMPLES or p.kind is p.VAR_KEYWORD:
            assert p.kind is not p.KEYWORD_ONLY or p.name in ("axes", "axis"), p
            continue
        own = ("shape", "newshape", "a_min", "a_max", "min", "max")
        own = own if name in ("repeat", "split") else (*own, "axis")
        given = () if p.name in own else more
        others = {"a_min": {"a_max": 1.0}, "a_max": {"a_min": 0.1}}.get(p.name, {})
        arguments = [*operands, *given]
        sample = SAMPLES[p.name]
        if p.name == "shape" and more:
            sample = more[0]
        plain = [[x.data for x in a] if isinstance(a, list) else getattr(a, "data", a)
                 if isinstance(a, Tensor) else a for a in arguments]  # fmt: skip
        try:
            y = function(*arguments, **{p.name: sample}, **others)
        except TypeError as error:
            said = rf"\b{p.name}= is not taken; |unexpected keyword argument '{p.name}'; it"
            assert re.search(said, str(error))  # noqa: PT017
        else:
            expected = function(*plain, **{p.name: sample}, **others)
            for ours, own in zip(
                *[x if name == "split" else [x] for x in (y, expected)], strict=True
            ):
                np.testing.assert_allclose(getattr(ours, "data", ours), own, rtol=1e-12)


@pytest.mark.parametrize(("call", "says"), [
    (lambda x: x.sum(0, axis=1), "sum: axis is given twice"),
    (lambda x: np.clip(x, 0, 1, max=2), "clip: max is given twice"),
    (lambda x: np.var(x, ddof=1, correction=1), "var: ddof is given twice"),
    (lambda x: x.sum(0, 1, 2), "sum takes at most 3 arguments, not 4"),
    (lambda x: x.exp(1), "exp takes at most 1 arguments, not 2"),
    (lambda x: x.sum(axes=1), "argument 'axes'; its settings are axis, keepdims"),
    (lambda x: tg.exp(x, base=2), "unexpected keyword argument 'base'; it has no settings"),
    (lambda x: tg.stack([x, x], 1, 2), "stack takes at most 2 arguments, not 3"),
    (lambda x: tg.stack([x, x], at=1), "unexpected keyword argument 'at'; its settings are axis"),
    (lambda x: np.sum(x, 0, np.float32), "sum: dtype= is not taken; the result has the dtype"),
    (lambda x: x.reshape(3, 2, order="F"), "reshape: order= is not taken; elements are read row"),
    (lambda x: np.exp(x, out=np.ones((2, 3))), "numpy.exp: out= is not taken; every operation"),
    (lambda x: np.add(x, x, where=X > 0), "numpy.add: where= is not taken; choose the elements"),
])  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(call, says):
    x = Tensor(X)
    with pytest.raises(TypeError, match=says):
        call(x)
    assert not x.grad.any()


def test_a_list_first_is_the_list_of_operands_unless_another_operand_follows():
    x = Tensor([1.0, 2.0])
    assert tg.stack([x, x], 1).shape == (2, 2)
    assert tg.stack(x, x, axis=1).shape == (2, 2)
    assert tg.concatenate([3.0, 4.0], x).data.tolist() == [3.0, 4.0, 1.0, 2.0]


def test_what_only_asks_for_shapes_gives_plain_numbers():
    x, v = Tensor(X), Value(2.0)
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((2, 3), 2, 6, 3)
    assert (np.shape(v), np.ndim(v), np.size(v)) == ((), 0, 1)
    zeros, ones = np.zeros_like(Tensor(X, dtype=np.float32)), np.ones_like(x)
    assert (type(zeros), zeros.dtype, zeros.shape) == (np.ndarray, np.float32, (2, 3))
    assert ones.tolist() == [[1.0] * 3] * 2


def test_a_star_import_leaves_pythons_own_names_alone():
    modules = [m.name for m in pkgutil.walk_packages(tg.__path__, "tinygrad_edu.")]
    for name in ["tinygrad_edu", *modules]:
        if "oracle" in name or ".libraries." in name or name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        assert not set(getattr(module, "__all__", ())) & set(vars(builtins)), name
    names: dict = {}
    exec("from tinygrad_edu import *; total = sum([Tensor([1.0]), Tensor([2.0])]).item()", names)
    assert names["total"] == max(names["total"], 3.0) == 3.0
    assert (tg.sum([1.0, 2.0]), tg.max([1.0, 2.0]), tg.min([1.0, 2.0]), tg.abs(-1.0)) == (
        3,
        2,
        1,
        1,
    )


# --- what has no rule ----------------------------------------------------------------------------

A, B = Tensor(X[:, :2] ** 2 + 0.5), Tensor(X[:, 1:] ** 2 + 0.3)
ROW, OTHER = Tensor([0.5, 2.0, 1.0, 3.0]), Tensor([1.5, 1.0, 2.0, 0.7])
AS_NUMPY = {  # what the text means with these operands
    "vdot": (ROW, OTHER), "inner": (ROW, OTHER),
    "diagonal": (A,), "reciprocal": (A,), "exp2": (A,),
    "cbrt": (A,), "log2": (A,), "log10": (A,), "hypot": (A, B), "fmax": (A, B),
    "fmin": (A, B), "ptp": (ROW,), "diff": (ROW,),
    "moveaxis": (A, 0, 1),
    "column_stack": ([ROW, OTHER],), "dstack": ([A, B],), "append": (ROW, OTHER), "roll": (ROW, 1),
    "take": (ROW, [0, 2]), "flipud": (A,), "fliplr": (A,),
    "cumprod": (ROW,), "pow": (A, B), "vecdot": (ROW, OTHER),
    "arcsinh": (A,), "asinh": (A,), "arccosh": (A + 1.0,), "acosh": (A + 1.0,),
    "arctanh": (A / 9.0,), "atanh": (A / 9.0,),
    "compress": (MASK, ROW[:3]), "tensordot": (A, B, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", INSTEAD)
def test_what_is_to_be_written_gives_what_numpy_gives(name):
    if not INSTEAD[name].startswith("write "):
        assert "no derivative" in INSTEAD[name]
        return
    arguments = AS_NUMPY.get(name, (A, B))
    if name == "compress":
        arguments = arguments[::-1]
    x, y = (*arguments, B)[:2] if not isinstance(arguments[0], list) else arguments[0]
    names = {**vars(operations), "np": np, "math": math, "x": x, "y": y, "w": B, "axis": 0,
             "mask": MASK if name in ("compress", "extract") else X[:, :2] > 0, "zeros": B,
             "shape": (1, 4)}  # fmt: skip
    if name in ("extract", "gather", "delete", "repeat"):
        names["x"] = ROW[:3] if name == "extract" else ROW
    written = INSTEAD[name].removeprefix("write ")
    found = [eval(part, names) for part in written.split(" and ")]
    assert all(isinstance(part, Tensor) for part in found) or name in ("sign", "heaviside")
    if name in AS_NUMPY and hasattr(np, name):
        plain = [[x.data for x in a] if isinstance(a, list) and isinstance(a[0], Tensor) else
                 a.data if isinstance(a, Tensor) else a for a in AS_NUMPY[name]]  # fmt: skip
        expected = getattr(np, name)(*plain)
        for part, own in zip(found, expected if len(found) > 1 else [expected], strict=True):
            np.testing.assert_allclose(part.data, own, rtol=1e-12)


ABSENT = [  # NumPy's functions of arrays, and ufuncs, that have no operation of the same name
    name for name, function in sorted(vars(np).items())
    if (isinstance(function, np.ufunc) or hasattr(function, "_implementation"))
    and name not in (*NUMPYS, "shape", "ndim", "size", "zeros_like", "ones_like")
]  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
def test_an_absent_operation_is_named_and_nobody_is_sent_out_of_the_graph(name):
    function = getattr(np, name)
    for n in range(1, 5):
        try:
            y = function(*[Tensor(X)] * n)
        except Exception as error:
            message = str(error)
            if "tinygrad_edu" in message and "plain array" not in message:
                assert "has no rule in tinygrad_edu; " in message
                assert ".data" not in message
        else:  # an alias of an operation, a comparison, or what asks for a shape
            assert isinstance(y, Tensor | np.ndarray | bool | int | tuple | list), y


def test_the_attribute_and_the_function_say_what_to_write_too():
    for node in (Tensor(X), Value(1.0)):
        with pytest.raises(AttributeError, match=r"no attribute 'view'; write reshape\(x, shape\)"):
            node.view()
        assert not hasattr(node, "moveaxis")
        assert not {"moveaxis", "view", "argsort"} & set(dir(node))
        assert "exp" in dir(node)
    for name in ("vdot", "moveaxis", "sofmax"):
        with pytest.raises(AttributeError, match=f"'{name}'; (write|the nearest operation is)"):
            getattr(tg, name)
    with pytest.raises(TypeError, match=r"numpy\.linalg\.det has no rule in tinygrad_edu; you can"):
        np.linalg.det(Tensor(X))
    with pytest.raises(TypeError, match=r"numpy\.put has no rule.*write where\(mask, y, x\)"):
        np.put(Tensor(X), [0], [1.0])


def test_a_rule_of_an_absent_name_takes_its_place():
    @tg.rule("1/x")
    def reciprocal(x, /):
        return 1.0 / x, lambda g, x=x: (-g / (x * x),)

    x = Tensor(X)
    assert "reciprocal" in dir(x)
    y = np.reciprocal(x).sum() + x.reciprocal().sum()
    y.backward()
    np.testing.assert_allclose(x.grad, -2 / X**2)
    del Methods.reciprocal  # what says what to write is below it
    assert not hasattr(x, "reciprocal")


def test_the_rows_of_one_node_are_joined_along_an_axis_given_by_position():
    for join in ("stack", "concatenate"):
        found = getattr(tg, join)(Tensor(X[None]), 1)
        np.testing.assert_array_equal(found.data, getattr(np, join)(X[None], 1))


def test_numbers_are_operands_of_einsum():
    assert tg.einsum("i->", [1.0, 2.0]) == tg.einsum("i->", (1.0, 2.0)) == 3.0
    for subscripts, operands in (("i,->i", (X[0], 2.0)), (",i->i", (2, X[0]))):
        leaves = [Tensor(x) if isinstance(x, np.ndarray) else x for x in operands]
        y = tg.einsum(subscripts, *leaves)
        y.sum().backward()
        np.testing.assert_array_equal(y.data, np.einsum(subscripts, *operands))
        (leaf,) = (x for x in leaves if isinstance(x, Tensor))
        np.testing.assert_array_equal(leaf.grad, [2.0] * 3)
