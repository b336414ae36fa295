"""What people write by mistake: each message says what was meant, and none is Python's own."""

import math
import operator

import numpy as np
import pytest

from tinygrad_edu import (
    Tensor,
    TrainingStep,
    Value,
    data,
    grad,
    gradcheck,
    gradients,
    hessian,
    jacobian,
    jvp,
    load_state_dict,
    nn,
    numerical_gradient,
    scalar_nn,
    value_and_grad,
    vjp,
)
from tinygrad_edu.data import DataLoader
from tinygrad_edu.optim import SGD, Adam

OPERATORS = {
    "^": (operator.xor, "x ** 2"), "%": (operator.mod, "x.data"), "//": (operator.floordiv, "/ y"),
    "divmod": (divmod, "x / y"), "&": (operator.and_, "(x > 0) & (x < 1)"),
    "|": (operator.or_, "(x < 0) | (x > 1)"), "<<": (operator.lshift, "x * y"),
    ">>": (operator.rshift, "x / y"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("sign", OPERATORS)
def test_an_operator_without_a_rule_says_what_to_write(kind, sign):
    f, cure = OPERATORS[sign]
    x = kind(2.0)
    pairs = {"int": (x, 2), kind.__name__: (x, kind(3.0)), "float": (x, 0.5)}
    for other, (left, right) in pairs.items():
        with pytest.raises(TypeError, match="no such operation on nodes") as found:
            f(left, right)
        said = str(found.value)
        assert said.startswith(f"{kind.__name__} {sign} {other}: ")
        assert cure in said
        with pytest.raises(TypeError, match="no such operation on nodes") as found:
            f(right, left)
        assert str(found.value).startswith(f"{other} {sign} {kind.__name__}: ")
    with pytest.raises(TypeError, match="tinygrad_edu"):  # NumPy's numbers come by __array_ufunc__
        f(np.float64(2.0), x)


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("f", [int, round, math.floor, math.ceil, operator.invert])
def test_rounding_is_no_operation(kind, f):
    with pytest.raises(TypeError, match=r"no such operation on nodes; .* x\.data$"):
        f(kind(2.5))


def test_a_matrix_product_of_values():
    for x, y in ((Value(2.0), Value(3.0)), (Value(2.0), 3), (3, Value(2.0)), ([1, 2], Value(2.0))):
        with pytest.raises(TypeError, match=r"a Value is one number; multiply Values with \*"):
            x @ y


# --- everything else ------------------------------------------------------------------------------

T = Tensor(np.ones((2, 3)), "t")
MODEL = nn.MLP(3, [4, 2], rng=0)
LABELS = np.arange(200) % 11


def square(x):
    return x * x


SLIPS = {
    "label first": (lambda: Value("a", 2.0), 'numbers come first and a label second, as in Value('),
    "label of a Tensor first": (lambda: Tensor("w", [1, 2]), "a label second, as in Tensor("),
    "a number as text": (lambda: Value("2"), "the data are '2', a string"),
    "numbers one by one": (lambda: Tensor(2, 3), "as a list, as in Tensor([1, 2])"),
    "Value and Tensor": (lambda: Value(2.0) + T, "got t of shape (2, 3)"),
    "torch's dim": (lambda: T.sum(dim=0), "its settings are axis, keepdims"),
    "a setting of exp": (lambda: Value(1.0).exp(axis=0), "it has no settings"),
    "assignment": (lambda: T.__setitem__(0, 1.0), "make a new one with where, stack or"),
    "array loss": (lambda: (T * 2).backward(), "as with .sum() or .mean()"),
    "list of inputs": (lambda: gradients(T.sum(), [T]), "one by one, as in gradients(y, x1, x2)"),
    "grad(f, 3.0)": (lambda: grad(square, 3.0), "in a second call, as in grad(f)(3.0)"),
    "jacobian(f, x)": (lambda: jacobian(square, np.ones(2)), "as in jacobian(f)(3.0)"),
    "hessian(f, x)": (lambda: hessian(square, Value(2.0)), "as in hessian(f)(3.0)"),
    "value_and_grad(f, x)": (lambda: value_and_grad(square, [0.5]), "as in value_and_grad(f)(3.0)"),
    "grad of a node": (lambda: grad(T), "expected a function first, got a Tensor"),
    "vjp(x, f)": (lambda: vjp(2.0, square), "vjp: expected a function first, got a float"),
    "jvp(f, x, v)": (lambda: jvp(square, 2.0, 1.0), "as in jvp(f, (x, y), (u, v))"),
    "gradcheck(x, f)": (lambda: gradcheck(np.ones(3), square), "as in gradcheck(f, x)"),
    "numerical_gradient(x, f)": (
        lambda: numerical_gradient(2.0, square), "expected a function first, got a float",
    ),
    "MLP([2, 16, 1])": (lambda: nn.MLP([2, 16, 1]), "as in MLP(2, [16, 1])"),
    "scalar MLP([2, 16, 1])": (lambda: scalar_nn.MLP([2, 16, 1]), "as in MLP(2, [16, 1])"),
    "MLP(2)": (lambda: nn.MLP(2), "give the width of each layer, as [30, 10]"),
    "MLP(2, 16)": (lambda: nn.MLP(2, 16), "outputs is 16; give the width of each layer"),
    "an empty layer": (lambda: nn.MLP(2, [3, 0]), "outputs[1] is 0; the width of a layer is"),
    "a width as text": (lambda: nn.Linear("3", 2), "inputs is '3'; the width of a layer is"),
    "half a neuron": (lambda: scalar_nn.Neuron(2.5), "nin is 2.5; the width of a layer is"),
    "no neuron": (lambda: scalar_nn.Layer(2, 0), "nout is 0; the width of a layer is"),
    "one number for a neuron": (lambda: scalar_nn.Neuron(2)(1.0), "a list of 2 numbers, got float"),
    "Sequential([...])": (lambda: nn.Sequential([nn.ReLU()]), "give layers one by one"),
    "a class as a layer": (lambda: nn.Sequential(nn.ReLU), "a class; make a layer of it: ReLU()"),
    "a wrong width": (lambda: MODEL(np.ones((2, 5))), "as long as the first of the weight"),
    "seed as text": (lambda: nn.MLP(2, [3], rng="a"), "MLP: rng is 'a'; give a seed"),
    "SGD(model)": (lambda: SGD(MODEL, 0.1), "got one MLP; write SGD(model.parameters()"),
    "parameters without ()": (lambda: SGD(MODEL.parameters, 0.1), "write SGD(model.parameters("),
    "one Tensor": (lambda: SGD(T, 0.1), "got one Tensor; write SGD([w, b], ...)"),
    "named parameters": (lambda: SGD(MODEL.named_parameters(), 0.1), "is of type tuple; give mod"),
    "a result": (lambda: SGD([T * 2], 0.1), "parameter 0 is not a leaf, but the result of ×"),
    "a model and no rate": (lambda: SGD(MODEL), "SGD: expected a list of leaves, got one MLP"),
    "no rate": (lambda: SGD([T]), "lr is missing; give a learning rate, as in SGD"),
    "lr as text": (lambda: SGD([T], "0.1"), "lr is '0.1'; it must be a finite number from 0 up"),
    "one beta": (lambda: Adam([T], betas=0.9), "betas are 0.9; give two numbers, as (0.9, 0.999)"),
    "beta as text": (lambda: Adam([T], betas=("a", 0.9)), "must be at least 0 and below 1"),
    "label 10 of ten": (
        lambda: nn.cross_entropy(Tensor(np.zeros((200, 10))), LABELS),
        "label 10 of sample 10 is out of range for 10 classes, 0 to 9",
    ),
    "float labels": (lambda: nn.cross_entropy(T, [0.0, 1.0]), "give integer labels of shape (2,)"),
    "a column of labels": (lambda: nn.cross_entropy(T, [[0], [1]]), "labels of shape (2,)"),
    "labels first": (lambda: nn.cross_entropy([0, 1], T), "output of a model comes first"),
    "(N,) and (N, 1)": (lambda: nn.mse_loss(T[:, :1], np.ones(2)), "so reshape one of them"),
    "mse of Values": (lambda: nn.mse_loss(Value(1.0), 2.0), "expected a Tensor first, got Value"),
    "targets of -1": (
        lambda: nn.binary_cross_entropy_with_logits(T, -T.data), "a target is -1; it must lie",
    ),
    "labels of 0 and 1": (lambda: nn.max_margin_loss(T[0], [0, 1, 1]), "2 * y - 1 makes them"),
    "batch_size=0": (lambda: DataLoader([1], [1], 0), "batch_size is 0; it must be 1, 2, 3"),
    "batch_size='32'": (lambda: DataLoader([1], [1], "32"), "batch_size is '32'; it must be 1"),
    "one number as data": (lambda: DataLoader(3.0, [1]), "x is of type float; give an array"),
    "one_hot(classes, labels)": (lambda: data.one_hot(3, LABELS), "as in one_hot([0, 2], 3)"),
    "test_size='a'": (lambda: data.train_test_split([1], [1], "a"), "use a part such as 0.2"),
    "a path of weights": (lambda: load_state_dict(MODEL, "a.npz"), "use load(model, path)"),
    "TrainingStep(optimizer, loss)": (
        lambda: TrainingStep(SGD([T], 0.1), square), "got a SGD and a function",
    ),
    "epoch of arrays": (
        lambda: TrainingStep(square, SGD([T], 0.1)).epoch(LABELS), "expected a DataLoader, got a n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_answered_in_one_sentence_that_says_what_was_meant(slip):
    call, says = SLIPS[slip]
    with pytest.raises((TypeError, ValueError, IndexError)) as found:
        call()
    message = str(found.value)
    assert says in message, message
    assert "\n" not in message
    assert len(message) < 320


# --- a step before any backward pass --------------------------------------------------------------


@pytest.mark.parametrize("leaves", [[Value(1.0), Value(2.0)], [Tensor([1.0]), Tensor([2.0, 3.0])]])
@pytest.mark.parametrize("kind", [SGD, Adam])
def test_the_first_step_before_any_backward_pass_warns_once(kind, leaves):
    optimizer = kind(leaves, 0.1)
    before = [np.copy(p.data) for p in leaves]
    with pytest.warns(
        UserWarning, match=rf"^{kind.__name__}.step: the gradients of all 2 "
    ) as found:
        optimizer.step()
    assert found[0].filename == __file__  # the line of the user, not of the package
    optimizer.step()
    for p, old in zip(leaves, before, strict=True):
        np.testing.assert_array_equal(p.data, old)


def test_a_step_with_one_gradient_does_not_warn():
    used, unused = Tensor([1.0]), Tensor([2.0])
    (used * 3).sum().backward()
    for order in ([used, unused], [unused, used]):
        SGD(order, 0.0).step()


def test_layers_take_arrays_as_they_take_tensors():
    x = np.array([[-1.0, 2.0]])
    for layer in (nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.Sequential(nn.ReLU(), nn.Tanh())):
        np.testing.assert_array_equal(layer(x).data, layer(Tensor(x)).data)
