"""Array symbols answer as arrays do, and note every operation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from tinygrad_edu import Tensor
from tinygrad_edu.programs.array_symbols import (
    OPERATIONS,
    ArraySymbol,
    function_of,
    is_elementwise,
    operation,
)
from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.symbols import operations_in
from tinygrad_edu.rules import of

both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def symbol(shape=(), dtype=float, name="x"):
    return ArraySymbol(name, (), {}, shape, np.dtype(dtype))


def computed(expression, given):
    """What an expression of array symbols is for given arrays, operation by operation."""
    found = dict(given)
    for x in operations_in([expression]):
        if x.operands:
            operands = [found[y] if isinstance(y, ArraySymbol) else y for y in x.operands]
            with np.errstate(all="ignore"):
                found[x] = np.asarray(function_of(x.name)(*operands, **x.settings))
            assert (found[x].shape, found[x].dtype) == (x.shape, x.dtype), x
    return found[expression] if isinstance(expression, ArraySymbol) else expression


# --- what they answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2), (2, 1, 4)])
@both_dtypes
def test_attributes_are_those_of_arrays(shape, dtype):
    x, array = symbol(shape, dtype), np.ones(shape, dtype)
    assert (x.shape, x.ndim, x.size, x.dtype) == (array.shape, array.ndim, array.size, array.dtype)
    assert x.T.shape == array.T.shape
    assert x.ravel().shape == array.ravel().shape
    assert x.sum().shape == ()
    assert x.astype(np.float32).dtype == np.float32
    assert (x > 0).dtype == bool
    if shape:
        assert len(x) == len(array)


@given(st.data())
def test_basic_indices_give_the_shapes_that_numpy_gives(data):
    array = np.arange(24.0).reshape(2, 3, 4)
    index = data.draw(basic_indices(array.shape, allow_newaxis=True))
    x = symbol(array.shape)
    np.testing.assert_array_equal(computed(x[index], {x: array}), array[index])


@pytest.mark.parametrize(
    "index",
    [np.array([0, 1, 1]), (slice(None), np.array([2, 0])), (np.array([0, 1]), np.array([1, 1])),
     (..., np.array([[0, 3], [1, 1]])), np.array([True, False]), (None, np.array([1])), (1, 2),
     (np.array([0]), slice(0, 2), 1)],
)  # fmt: skip
def test_arrays_in_an_index_are_operands_and_stand_in_their_places(index):
    array = np.arange(24.0).reshape(2, 3, 4)
    x = symbol(array.shape)
    taken = x[index]
    inside = [i for i in (index if isinstance(index, tuple) else (index,))
              if isinstance(i, np.ndarray)]  # fmt: skip
    assert taken.name == "getitem"
    assert all(a is b for a, b in zip(taken.operands[1:], inside, strict=True))
    np.testing.assert_array_equal(computed(taken, {x: array}), array[index])
    names = {x: "array"}
    text = written(taken, "numpy", names)
    np.testing.assert_array_equal(eval(text, {"np": np, "array": array}), array[index])


def test_an_index_may_be_a_symbol_and_zeros_fit_every_axis():
    table, places = symbol((1, 3)), symbol((4,), int, "i")
    row = table[places]
    assert (row.shape, row.dtype) == ((4, 3), np.dtype(float))
    found = computed(row, {table: np.ones((1, 3)), places: np.zeros(4, int)})
    np.testing.assert_array_equal(found, np.ones((4, 3)))


def test_operations_of_plain_operands_are_their_results():
    assert operation("add", 1.0, 2.0) == 3.0
    np.testing.assert_array_equal(
        operation("transpose", np.ones((2, 3)), axes=None), np.ones((3, 2))
    )
    assert type(operation("multiply", np.ones(2), 2.0)) is np.ndarray


def test_numbers_and_arrays_on_the_left():
    x = symbol((2,))
    for made, name in ((2.0 - x, "subtract"), (np.ones(2) / x, "divide"), (np.float64(2) * x,
                       "multiply"), (np.ones((3, 2)) @ x, "matmul"), (np.exp(x), "exp"),
                       (np.abs(x), "abs"), (np.where(x > 0, x, 0.0), "where"), (~(x > 0),
                       "logical_not"), (np.add.reduce(x, axis=0), "sum")):  # fmt: skip
        assert isinstance(made, ArraySymbol)
        assert made.name == name
    single = symbol((2,), np.float32)
    assert (single * 2.0).dtype == (2.0 * single).dtype == np.float32
    assert (single * np.ones(2)).dtype == np.float64
    assert x.quiet is False
    with np.errstate(over="ignore"):
        assert (x * 2.0).quiet is True


@pytest.mark.parametrize(
    ("use", "match"),
    [
        (bool, r"of\(x\).where"),
        (float, r"of\(x\)"),
        (np.asarray, r"of\(x\)"),
        (lambda x: x == 0.0, "compares nodes by identity"),
        (lambda x: np.add.accumulate(x), "numpy.add with accumulate has no formula"),
        (lambda x: np.exp(x, out=np.ones(2)), "numpy.exp with __call__ has no formula"),
        (lambda x: np.sort(x), "numpy.sort of a symbol has no formula"),
        (lambda x: np.linalg.norm(x), r"no formula|of\(x\)"),
        (lambda x: x + "text", "add"),
        (lambda x: x * [None, 1.0], "multiply"),
        (lambda x: x * Tensor([1.0, 2.0]), r"node|multiply"),
    ],
)
def test_what_has_no_formula_is_refused_with_a_cure(use, match):
    with pytest.raises(TypeError, match=match):
        use(symbol((2,)))


@pytest.mark.parametrize("use", [lambda x: x + np.ones(3), lambda x: x @ np.ones(3),
                                 lambda x: x.reshape(5), lambda x: x[2],
                                 lambda x: of(x).concatenate([x, np.ones((2, 2))])])  # fmt: skip
def test_shapes_that_do_not_fit_are_numpys_errors(use):
    with pytest.raises((ValueError, IndexError)):
        use(symbol((2,)))


def test_every_operation_is_a_function_of_arrays():
    for name in OPERATIONS:
        assert callable(function_of(name))
    assert is_elementwise("add")
    assert is_elementwise("where") is False
    assert is_elementwise("matmul") is False
    with pytest.raises(AttributeError):
        of(symbol()).no_such_function(symbol())


# --- their text in NumPy -------------------------------------------------------------------------

TEXTS = {
    "x.T": lambda x: x.T,
    "x.reshape(6)": lambda x: x.reshape(6),
    "x.reshape(3, 2)": lambda x: x.reshape(3, 2),
    "x.transpose(1, 0)": lambda x: of(x).transpose(x, (1, 0)),
    "np.sum(x, axis=0, keepdims=True)": lambda x: x.sum(axis=(0,), keepdims=True),
    "np.sum(x)": lambda x: x.sum(),
    "x[1]": lambda x: x[1],
    "x[:, 1:3]": lambda x: x[:, 1:3],
    "x[..., 0]": lambda x: x[..., 0],
    "x @ x.T": lambda x: x @ x.T,
    "-x * 2.0": lambda x: -x * 2.0,
    "x ** 2.0": lambda x: x**2.0,
    "~(x > 0.0)": lambda x: ~(x > 0.0),
    "(x + x.T.T) * x": lambda x: (x + x.T.T) * x,
    "np.where(x > 0, x, 0.0)": lambda x: of(x).where(x > 0, x, 0.0),
    "np.broadcast_to(x, (4, 2, 3))": lambda x: of(x).broadcast_to(x, (4, 2, 3)),
    "np.concatenate([x, x], axis=1)": lambda x: of(x).concatenate([x, x], axis=1),
    "x * np.full((3,), 2.0, dtype=np.float64)": lambda x: x * np.full(3, 2.0),
    "x + np.array([1.0, -np.inf, np.nan], dtype=np.float32)": lambda x: (
        x + np.array([1, -np.inf, np.nan], np.float32)
    ),
    "x @ np.eye(3, 3, dtype=np.float64)": lambda x: x @ np.eye(3),
    "x.astype(np.float32)": lambda x: x.astype(np.float32),
    "np.einsum('ij->j', x)": lambda x: of(x).einsum("ij->j", x),
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts(text):
    x, array = symbol((2, 3)), np.arange(6.0).reshape(2, 3) - 2
    made = TEXTS[text](x)
    assert written(made, "numpy", {x: "x"}) == text
    found = np.asarray(eval(text, {"np": np, "x": array}))
    np.testing.assert_array_equal(found, computed(made, {x: array}))
    assert (found.shape, found.dtype) == (made.shape, made.dtype)
