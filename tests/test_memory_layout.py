"""How an array lies in memory changes no bit, and what is handed in is not written to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rule_table import ARRAYS, ELEMENTWISE

from tinygrad_edu import Tensor, data, gradients, nn, optim
from tinygrad_edu.rules import operations


def every_other(x):
    """x as a view that skips every other element of each axis."""
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def backwards(x):
    """x as a view with negative strides."""
    flipped = x[(slice(None, None, -1),) * x.ndim].copy()
    return flipped[(slice(None, None, -1),) * x.ndim]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "column by column": lambda x: x.copy(order="F"),
    "negative strides": backwards,
    "every other element": lambda x: every_other(x) if x.ndim else x,
    "read-only": read_only,
    "read-only, column by column": lambda x: read_only(x).copy(order="F"),
    "the other order of bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "not aligned": lambda x: np.frombuffer(b"0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    "a matrix of NumPy": lambda x: x.view(np.matrix) if x.ndim == 2 else x,
}


def bits(x):
    x = np.asarray(x)
    return x.shape, x.dtype.str, x.tobytes()


def calls():
    rng = np.random.default_rng(0)
    for name, row in ELEMENTWISE.items():
        xs = [rng.uniform(low, high, (7, 5)) for low, high in row.domains]
        yield name, lambda *x, n=name, s=row.settings: getattr(operations, n)(*x, **s), xs
    for name, rows in ARRAYS.items():
        for call in rows:
            yield name, call.ours, [rng.uniform(0.1, 2.0, shape) for shape in call.shapes]
    large = rng.normal(
        size=(37, 29)
    )  # sums of so many are added in another order, column by column
    for name in ("sum", "mean", "var", "std", "logsumexp", "prod", "softmax", "cumsum"):
        for axis in (0, 1):
            yield name, lambda x, n=name, a=axis: getattr(x, n)(axis=a), [large]
    yield "matmul", lambda x, y: x @ y, [large, large.T.copy()]
    yield "loss", lambda x: nn.cross_entropy(x, np.arange(37) % 29), [large]


CALLS = list(calls())


def results(f, arrays, constants):
    """Value and gradients, with all operands leaves, or all but the first of them constants."""
    leaves = [Tensor(a) for a in (arrays[:1] if constants else arrays)]
    y = f(*leaves, *arrays[len(leaves) :])
    y.backward(np.ones(y.shape, y.dtype))
    return [bits(y.data), *(bits(x.grad) for x in leaves)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_rule_gives_the_bits_of_plain_copies_and_writes_into_nothing(layout, dtype):
    for name, f, plain in CALLS:
        plain = [x.astype(dtype) for x in plain]
        for constants in {False, len(plain) > 1}:
            given = [layout(x) for x in plain]
            before = [bits(x) for x in given]
            assert results(f, given, constants) == results(f, plain, constants), name
            assert [bits(x) for x in given] == before, name


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_training_gives_the_bits_of_plain_copies(layout):
    rng = np.random.default_rng(0)
    x, y, seed = rng.normal(size=(40, 6)), rng.integers(0, 3, 40), rng.normal(size=(40, 3))

    def train(x, y, seed):
        model = nn.MLP(6, [5, 3], rng=0)
        optimizer = optim.Adam(model.parameters())
        for x_batch, y_batch in data.DataLoader(x, y, batch_size=16, rng=0):
            optimizer.zero_grad()
            nn.cross_entropy(model(x_batch), y_batch).backward()
            optimizer.step()
        model(x).backward(seed)
        return [bits(p.data) + bits(p.grad) for p in model.parameters()]

    given = [layout(a) for a in (x, y, seed)]
    before = [bits(a) for a in given]
    assert train(*given) == train(x, y, seed)
    assert [bits(a) for a in given] == before


# --- kinds of data --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64])
def test_integers_and_truths_are_the_numbers_that_they_are(dtype):
    given = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    assert Tensor(given).dtype == np.float64
    w = Tensor(np.arange(6.0).reshape(2, 3), "w")
    for y in (w * given, given * w, w + given, given - w, w.maximum(given)):
        assert y.dtype == np.float64
    (w * given).backward(given)
    np.testing.assert_array_equal(w.grad, given.astype(float))
    single = Tensor(np.ones(3, np.float32)) * given[0]
    assert single.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_other_floating_dtypes_are_kept(dtype):
    x = Tensor(np.array([0.5, 2.0], dtype))
    y = (x * 2.0 + x.exp()).sum()
    y.backward()
    assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_allclose(x.grad.astype(float), 2.0 + np.exp([0.5, 2.0]), rtol=2e-3)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 0, 3)])
def test_empty_arrays_have_empty_gradients(shape):
    for name, row in ELEMENTWISE.items():
        leaves = [Tensor(np.zeros(shape, np.float32)) for _ in row.domains]
        y = getattr(operations, name)(*leaves, **row.settings)
        assert (y.shape, y.dtype) == (shape, np.float32)
        y.backward(np.zeros(shape))
        assert all(x.grad.shape == shape for x in leaves)
    x = Tensor(np.zeros(shape))
    for y, value in ((x.sum(), 0.0), (x.prod(), 1.0)):
        y.backward()
        assert (y.item(), x.grad.shape) == (value, shape)
    for axis in range(len(shape)):
        for y in (x.sum(axis=axis), x.cumsum(axis=axis), x.prod(axis=axis, keepdims=True)):
            y.backward(np.ones(y.shape))
            assert x.grad.shape == shape


# --- masked and repeated indices ------------------------------------------------------------------

arrays = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4),
                    elements=st.integers(-9, 9).map(float))  # fmt: skip


@given(arrays, st.data())
def test_a_masked_index_is_the_sum_with_the_mask_as_weights(x, draw):
    mask = draw.draw(hnp.arrays(bool, x.shape[: draw.draw(st.integers(1, x.ndim))]))
    leaf, twin = Tensor(x), Tensor(x)
    weights = np.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape)
    picked = leaf[mask]
    np.testing.assert_array_equal(picked.data, x[mask])
    (picked * picked).sum().backward()
    (twin * twin * weights).sum().backward()
    np.testing.assert_array_equal(leaf.grad, twin.grad)
    (slope,) = gradients((leaf[mask] * leaf[mask]).sum(), leaf)
    np.testing.assert_array_equal(slope.data, twin.grad)
