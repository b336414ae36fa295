"""Replays of Tensors: what they refuse, when they are recorded again, labels, losses, text."""

import warnings

import numpy as np
import pytest
from array_replays import assert_replays, assert_same, eager
from rule_table import ARRAYS, ELEMENTWISE, operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradients, replay
from tinygrad_edu.nn import (
    MLP,
    cross_entropy,
)
from tinygrad_edu.programs.generated import TAKEN
from tinygrad_edu.programs.lines import lines_of
from tinygrad_edu.programs.source import constant_values
from tinygrad_edu.rules import operations

X = np.arange(6.0).reshape(2, 3) - 2.5


def square(x):
    return (x * x).sum()


def at_hand(function, *arrays):
    return replay(function(*map(Tensor, arrays)))


# --- what is refused -----------------------------------------------------------------------------


def test_other_shapes_and_dtypes_are_refused_by_a_graph():
    replayed = at_hand(square, X)
    for wrong in (X.T, X[:1], X[0], np.zeros((2, 3, 1)), np.zeros(()), np.zeros((0, 3))):
        with pytest.raises(ValueError, match=r"replay: x1 has shape .*, but \(2, 3\) was recorded"):
            replayed(wrong)
    single = at_hand(square, X.astype(np.float32))
    for function, dtype in ((single, np.float64), (replayed, np.float32), (single, np.float16)):
        with pytest.raises(TypeError, match=r"x1 is of dtype float.*, but float.* was recorded"):
            function(X.astype(dtype))
    assert replayed(X)[0] == square(X)  # it goes on as before


@pytest.mark.parametrize("wrong", [Tensor(X), Value(1.0), "text", None, X * 1j, [[1.0, 2.0], [3.0]],
                                   X.astype(object)])  # fmt: skip
def test_what_is_no_array_of_real_numbers_is_refused(wrong):
    for replayed in (at_hand(square, X), replay(square, [X])):
        with pytest.raises((TypeError, ValueError), match="replay"):
            replayed(wrong)


def test_lists_and_whole_numbers_are_taken_as_what_was_recorded():
    replayed = at_hand(square, X)
    for given in (X.round().tolist(), X.round().astype(int), X > 0):
        value, (slope,) = replayed(given)
        np.testing.assert_array_equal(slope, 2.0 * np.asarray(given))
        assert value == float((np.asarray(given, float) ** 2).sum())
    assert at_hand(square, np.array(2.0))(3) == (9.0, (6.0,))


@pytest.mark.parametrize("given", [(), (X, X), (X, X, X)])
def test_another_number_of_inputs_is_refused(given):
    for replayed in (at_hand(square, X), replay(square, [X])):
        with pytest.raises(TypeError, match=rf"replay: 1 inputs were recorded, not {len(given)}"):
            replayed(*given)


def test_a_plain_array_that_is_not_in_the_graph_is_refused():
    plain = np.array([1.0, 2.0, 3.0])
    x = Tensor(X, "x")
    root = (x * plain).sum()
    with pytest.raises(TypeError, match=r"input 2, a plain array of shape \(3,\), is in no operat"):
        replay(root, [x, plain])  # the graph has a copy
    with pytest.raises(TypeError, match=r"input 2, a plain array of shape \(3,\), is in no operat"):
        replay(lambda x, y: (x * y.astype(float)).sum(), [X, np.array([1, 2, 3])])


def test_roots_inputs_and_backends_that_cannot_be():
    x = Tensor(X)
    with pytest.raises(TypeError, match="is a leaf; there is nothing to replay"):
        replay(x)
    with pytest.raises(ValueError, match="give the gradient of that"):
        replay(x * 2.0)
    with pytest.raises(TypeError, match="is not a Tensor that is a leaf"):
        replay((x * 2.0).sum(), [x * 2.0])
    with pytest.raises(ValueError, match='replayed with "numpy"'):
        replay(x.sum(), backend="numba")
    with pytest.raises(TypeError, match="was compared"):
        replay(tg.where(x > 0, x, 0.0).sum())
    with pytest.raises(TypeError, match=r"compares Tensor.* returns a Value; .* do not mix"):
        replay(lambda x, t: x * 2 if t.sum() > 0 else x, [1.0, X])


# --- when a function is recorded again -----------------------------------------------------------


def counted(function):
    calls = []

    def counting(*xs):
        calls.append([getattr(x, "shape", ()) for x in xs])
        return function(*xs)

    return counting, calls


def test_a_function_is_recorded_again_for_other_shapes_and_dtypes():
    function, calls = counted(square)
    replayed = replay(function, [X])
    for given in (X + 1, X.T, X[0], X[0].astype(np.float32), np.zeros((0, 2)), np.array(3.0), X):
        value, (slope,) = replayed(given)
        assert value == pytest.approx(float((given * given).sum()))
        assert (slope.shape, slope.dtype) == (given.shape, given.dtype)
        np.testing.assert_allclose(slope, 2 * given)
    n = len(calls)
    for _ in range(5):
        replayed(X * 2)
    assert len(calls) == n + 2  # the look at its first call with other numbers, and at call 8


@pytest.mark.parametrize("compare", ["x > 0.5", "0.5 < x", "x >= y", "x <= 0.5", "y < x"])
def test_masks_from_comparisons_are_always_right(compare):
    def function(x, y):
        return (tg.where(eval(compare), x * y, x * 3.0) + y).sum()

    rng = np.random.default_rng(0)
    inputs = [list(rng.integers(-1, 2, (2, 2, 3)).astype(float)) for _ in range(8)]
    assert_replays(function, *inputs)


def test_a_branch_that_changes_is_recorded_and_one_that_does_not_is_not():
    function, calls = counted(lambda x: square(x) if x.sum() > 0 else (x * 3.0).sum())
    replayed = replay(function, [np.ones(2)])
    replayed(np.ones(2) * 3)
    n = len(calls)
    for k in range(1, 5):
        assert replayed(np.full(2, float(k)))[0] == 2.0 * k * k
    assert len(calls) == n + 2  # the looks at calls 2 and 4
    value, (slope,) = replayed(-np.ones(2))
    assert (value, slope.tolist()) == (-6.0, [3.0, 3.0])
    assert len(calls) > n


def test_leaves_that_are_no_inputs_have_their_present_data():
    model = MLP(3, [4, 2], rng=0)
    x = Tensor(X, "x")
    replayed = replay(model(x).sum(), [x], [x, *model.parameters()])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for p in model.parameters():
            p.data = rng.normal(size=p.shape)
        assert_same(replayed(X * seed), eager_with(model, X * seed), 1e-12)
    model.parameters()[0].data = np.zeros((3, 5))
    with pytest.raises(ValueError, match=r"weight has shape \(3, 5\), but \(3, 4\) was recorded"):
        replayed(X)


def eager_with(model, x):
    leaf = Tensor(x)
    for p in model.parameters():
        p.zero_grad()
    root = model(leaf).sum()
    root.backward()
    return root.data, [leaf.grad, *(p.grad for p in model.parameters())]


def test_lists_of_parameters_are_one_argument():
    model = MLP(3, [4, 2], rng=0)
    x, ps = Tensor(X, "x"), model.parameters()
    value, (slope, slopes) = replay(model(x).sum(), [x, ps], [x, ps])(X, [p.data for p in ps])
    assert_same((value, [slope, *slopes]), eager_with(model, X), 1e-12)


# --- labels, indices and losses ------------------------------------------------------------------

LOGITS = np.random.default_rng(1).normal(size=(5, 4))
LABELS = np.array([0, 3, 1, 1, 2])


def label_batches():
    return [np.random.default_rng(seed).integers(0, 4, 5) for seed in range(4)]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_may_be_inputs(reduction, dtype):
    inputs = [[(LOGITS * (i + 1)).astype(dtype), y] for i, y in enumerate(label_batches())]
    assert_replays(lambda x, y: cross_entropy(x, y, reduction=reduction), *inputs,
                   tolerance=1e-12 if dtype == np.float64 else 1e-5)  # fmt: skip


def test_one_loss_for_each_sample_and_labels_that_stay():
    weights = np.arange(5.0)
    assert_replays(lambda x: (cross_entropy(x, LABELS, reduction="none") * weights).sum(),
                   [LOGITS], [LOGITS * 3])  # fmt: skip
    inputs = [[LOGITS, y] for y in label_batches()]
    assert_replays(lambda x, y: (cross_entropy(x, y, reduction="none") * weights).sum(), *inputs)
    assert_replays(lambda x: cross_entropy(x * x, np.array(2)), [LOGITS[0]], [LOGITS[1]])
    assert_replays(lambda x: cross_entropy(x.T, LABELS % 2) + x.sum() * 0.5, [LOGITS[:2].T[[0, 1]]
                   .repeat(3, 1)[:, :5]], [LOGITS[:2, :4].repeat(2, 1)[:, :5]])  # fmt: skip


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_hot_rows_and_label_smoothing(smoothing):
    rows = np.eye(4)[LABELS]
    for target in (rows, LABELS, rows * 0.5 + 0.125):
        assert_replays(lambda x, y=target: cross_entropy(x, y, label_smoothing=smoothing),
                       [LOGITS], [-LOGITS])  # fmt: skip


@pytest.mark.parametrize("wrong", [-1, 4, -4, 100])
@pytest.mark.parametrize("shape", ["a table", "one row"])
def test_labels_out_of_range_are_named(wrong, shape):
    labels = LABELS if shape == "a table" else np.array(1)
    replayed = replay(cross_entropy, [LOGITS if labels.ndim else LOGITS[0], labels])
    x = LOGITS if labels.ndim else LOGITS[0]
    broken = labels.copy()
    broken[...] = wrong
    for _ in range(2):
        with pytest.raises(IndexError, match=f"label {wrong} of sample 0 is out of range for 4"):
            replayed(x, broken)
        assert_same(replayed(x * 2, labels), eager(cross_entropy, [x * 2, labels]), 1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.int64, np.uint64])
def test_indices_of_any_whole_dtype_with_repetitions(dtype):
    table = np.random.default_rng(0).normal(size=(4, 3))
    w = np.arange(15.0).reshape(5, 3)

    def function(table, i):
        return (table[i] * table[i] * w).sum()

    inputs = [[table + k, y.astype(dtype)] for k, y in enumerate(label_batches())]
    inputs.append([table, np.full(5, 3, dtype)])
    assert_replays(function, *inputs)
    replayed = replay(function, inputs[0])
    with pytest.raises(IndexError, match="out of bounds"):
        replayed(table, np.full(5, 4, dtype))
    assert_same(replayed(*inputs[1]), eager(function, inputs[1]), 1e-12)


def test_indices_that_count_from_the_end_and_tables_of_indices():
    table = np.random.default_rng(0).normal(size=(4, 3))
    inputs = [[table * k, np.array([[-1, 0], [k, k]])] for k in range(1, 4)]
    assert_replays(lambda t, i: (t[i].tanh() * np.arange(12.0).reshape(2, 2, 3)).sum(), *inputs)
    inputs = [[table * k, np.array([-1, 0, k]), np.array([k - 1, 0, 0])] for k in range(1, 4)]
    assert_replays(lambda t, i, j: (t[i, j] * t[j, 1:2].T * [1.0, 2.0, 3.0]).sum(), *inputs)


@pytest.mark.parametrize("first", [0.0, -1.0, np.inf, 1e308, np.nan])
def test_warnings_are_those_of_an_eager_graph(first):
    at = [first, 1.0]

    def function(x):
        return ((1.0 / x).log() * 3.0 + (x * 4.0).exp()).sum()

    replayed = replay(function, [np.ones(2)])
    replayed(np.full(2, 2.0))  # checked; from now on nothing but the replay runs
    seen = []
    for call in (replayed, lambda x: eager(function, [x])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = call(np.array(at))
        seen.append({str(warning.message) for warning in caught})
    assert_same(replayed_quietly(replayed, at), found, 1e-12)
    assert seen[0] == seen[1]


def replayed_quietly(replayed, at):
    with np.errstate(all="ignore"):
        return replayed(np.array(at))


# --- text ----------------------------------------------------------------------------------------

CALLS = [pytest.param(c.ours, [operands_for(c, seed) for seed in range(2)],
                      id=f"{name}-{i}", marks=pytest.mark.deep if i else ())
         for name, calls in ARRAYS.items() for i, c in enumerate(calls)]  # fmt: skip
CALLS += [
    pytest.param(
        lambda *xs, name=name, row=row: getattr(operations, name)(*xs, **row.settings),
        [[np.random.default_rng(seed).uniform(*d, (2, 3)) for d in row.domains] for seed in (0, 1)],
        id=name,
    )
    for name, row in ELEMENTWISE.items()
]  # fmt: skip


def program_of(replayed):
    """The function that the text of a replay is, with its constants and other leaves."""
    names: dict = {}
    exec(replayed.source, names)
    program = replayed._replay.program
    lines = lines_of(program, TAKEN | {"program"})
    known = constant_values(program, lines)
    known |= {lines.names[symbol]: node.data for symbol, node in program.others.items()}
    return lambda *xs: names["program"](*xs, **known)


@pytest.mark.parametrize(("function", "inputs"), CALLS)
def test_the_text_does_what_the_replay_does(function, inputs):
    for total in (
        lambda *xs: tg.sum(function(*xs) * (np.arange(function(*xs).size) + 0.5)
                           .reshape(function(*xs).shape)),
        lambda *xs: tg.sum(function(*xs)),
        lambda *xs: tg.stack([(g * x).sum() for g, x in zip(
            gradients(tg.sum(function(*xs)), *xs), xs, strict=True)]).sum(),
    ):  # fmt: skip
        replayed = replay(total, inputs[0])
        value, slopes = replayed(*inputs[1])
        own_value, own_slopes = program_of(replay(total, inputs[1]))(*inputs[1])
        np.testing.assert_allclose(own_value, value, rtol=1e-10, atol=1e-10)
        for x, y in zip(own_slopes, slopes, strict=True):
            np.testing.assert_allclose(np.broadcast_to(x, y.shape), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("function", "inputs"), CALLS)
@pytest.mark.parametrize("language", ["latex", "mathml"])
def test_formulas_say_it_or_that_they_cannot(function, inputs, language):
    replayed = replay(lambda *xs: tg.sum(function(*xs)), inputs[0])
    try:
        text = replayed.text(language)
    except ValueError as error:
        assert "cannot be written in" in str(error)  # noqa: PT017
    else:
        assert "∂" in text or r"\partial" in text


def test_formulas_of_arrays():
    text = replay(lambda x: ((x @ x.T) * 2).sum(), [X]).text("latex")
    assert text.splitlines()[1:-1] == [
        r"  v_{1} &= x^{\top} \\",
        r"  v_{2} &= \sum \left(x \, v_{1} \cdot 2\right) \\",
        r"  \frac{\partial v_{2}}{\partial x} &= \left(2 \, \mathbf{1}_{2 \times 2}\right) \, "
        r"v_{1}^{\top} + \left(v_{1} \, \left(2 \, \mathbf{1}_{2 \times 2}\right)\right)^{\top}",
    ]
    text = replay(lambda x: x.sum(), [X]).text("mathml")
    assert '<msub><mn mathvariant="bold">1</mn><mtext>2 × 3</mtext></msub>' in text


@pytest.mark.parametrize("language", ["python", "javascript", "fortran"])
def test_languages_without_arrays_are_refused(language):
    replayed = replay(square, [X])
    with pytest.raises(ValueError, match=f"language is '{language}'"):
        replayed.text(language)
    assert replayed.source == replayed.text("numpy")
