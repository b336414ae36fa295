"""Bad calls: each raises the right error, says what and where and the cure, and changes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinygrad_edu import (
    Tensor,
    Value,
    broadcast_to,
    concatenate,
    einsum,
    exp,
    gradients,
    log,
    maximum,
    rules,
    stack,
    topological_order,
    where,
)

NO_NUMBER = "real numbers"
MANY = "(takes|at most|too many)"
RAGGED = [[1.0], [1.0, 2.0]]
OBJECTS = np.array([1.0, None], dtype=object)
REDUCTIONS = ["sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "logsumexp"]
ALONG_AXIS = [*REDUCTIONS, "softmax", "log_softmax"]

# What is called (with the nodes of `world`), the error, and what its message says, as a regex.
BAD_CALLS = {
    # no real numbers
    "Value of a string": (lambda w: Value("3"), TypeError, "the data are '3', a string.*Value"),
    "Value of a complex": (lambda w: Value(1j), TypeError, f"Value: 1j.*complex.*{NO_NUMBER}"),
    "Value of None": (lambda w: Value(None), TypeError, f"Value: None.*{NO_NUMBER}"),
    "Value of a list": (lambda w: Value([1, 2]), TypeError, r"shape \(2,\).*use Tensor"),
    "Value of a Value": (lambda w: Value(w.v), TypeError, r"Value: got Value\(2.*\.data"),
    "Value of a Tensor": (lambda w: Value(w.x), TypeError, "Value: got x of shape"),
    "Value of a huge integer": (lambda w: Value(10**400), OverflowError, "larger than any float"),
    "Tensor of a string": (lambda w: Tensor("3"), TypeError, "the data are '3', a string.*Tensor"),
    "Tensor of strings": (lambda w: Tensor(["3"]), TypeError, f"Tensor: .*<U1.*{NO_NUMBER}"),
    "Tensor of complex": (lambda w: Tensor([1j]), TypeError, f"Tensor: .*complex.*{NO_NUMBER}"),
    "Tensor of objects": (lambda w: Tensor(OBJECTS), TypeError, f"Tensor: .*object.*{NO_NUMBER}"),
    "Tensor of None": (lambda w: Tensor(None), TypeError, f"Tensor: None.*{NO_NUMBER}"),
    "Tensor of a dict": (lambda w: Tensor({}), TypeError, f"Tensor: .*dict.*{NO_NUMBER}"),
    "Tensor of ragged rows": (lambda w: Tensor(RAGGED), ValueError, "Tensor: .*different lengths"),
    "Tensor of Values": (lambda w: Tensor([w.v, w.v]), TypeError, r"Tensor: .*nodes.*\.data"),
    "Tensor of Tensors": (lambda w: Tensor([w.x, w.x]), TypeError, "Tensor: .*nodes.*stack"),
    "Tensor of a Tensor": (lambda w: Tensor(w.x), TypeError, r"got a Tensor; use its \.data"),
    "Value + string": (lambda w: w.v + "1", TypeError, f"add: '1'.*str.*{NO_NUMBER}"),
    "string + Value": (lambda w: "1" + w.v, TypeError, f"add: '1'.*str.*{NO_NUMBER}"),
    "Value * complex": (lambda w: w.v * 1j, TypeError, f"multiply: 1j.*complex.*{NO_NUMBER}"),
    "Value - None": (lambda w: w.v - None, TypeError, f"subtract: None.*{NO_NUMBER}"),
    "Value - list": (lambda w: w.v - [1, 2], TypeError, r"subtract: .*shape \(2,\).*use Tensor"),
    "Value * list of Values": (lambda w: w.v * [w.v], TypeError, "multiply: .*nodes"),
    "Tensor + string": (lambda w: w.x + "1", TypeError, f"add: '1'.*str.*{NO_NUMBER}"),
    "Tensor * complex": (lambda w: w.x * 1j, TypeError, f"multiply: 1j.*complex.*{NO_NUMBER}"),
    "Tensor + objects": (lambda w: w.x + OBJECTS, TypeError, f"add: .*object.*{NO_NUMBER}"),
    "Tensor + ragged rows": (lambda w: w.x + RAGGED, ValueError, "add: .*different lengths"),
    "maximum with None": (lambda w: maximum(w.v, None), TypeError, f"maximum: .*{NO_NUMBER}"),
    "exp of a string": (lambda w: exp("a"), TypeError, f"exp: 'a'.*{NO_NUMBER}"),
    "integer dtype": (lambda w: Tensor([1], dtype=int), TypeError, "int64 is not a floating dtype"),
    "complex dtype": (lambda w: Tensor([1], dtype=complex), TypeError, "complex128 is not a float"),
    "astype(int)": (lambda w: w.x.astype(int), TypeError, "int64 is not a floating dtype"),
    "label of a Value": (lambda w: Value(1, 3), TypeError, "label: expected a string, got 3"),
    "label of a Tensor": (lambda w: Tensor([1], None), TypeError, "label: .*string, got None"),
    # Values, Tensors and NumPy do not mix
    "Value * Tensor": (lambda w: w.v * w.x, TypeError, "multiply: .*Value and a Tensor do not mix"),
    "Tensor * Value": (lambda w: w.x * w.v, TypeError, r"multiply: .*do not mix.*\.data"),
    "Tensor @ Value": (lambda w: w.x @ w.v, TypeError, r"matmul: .*do not mix.*\.data"),
    "array of Values": (lambda w: np.array([w.v]), TypeError, r"a Value.*derivative.*\.data"),
    "array of a Tensor": (lambda w: np.asarray(w.x), TypeError, r"a Tensor.*derivative.*\.data"),
    "array * Value": (lambda w: np.ones(3) * w.v, TypeError, r"shape \(3,\).*use Tensor"),
    "Value + array": (lambda w: w.v + np.ones(3), TypeError, r"add: .*shape \(3,\).*use Tensor"),
    "np.median": (lambda w: np.median(w.x), TypeError, r"numpy\.median .*nearest.* mean"),
    "ufunc with out": (lambda w: np.exp(w.x, out=w.array), TypeError, "exp: out= is not taken"),
    "np.add.reduce": (lambda w: np.add.reduce(w.x), TypeError, r"write sum\(x, axis=0"),
    "sum of a Value": (lambda w: rules.sum(w.v), TypeError, "sum takes Tensors, not a Value"),
    "stack of Values": (lambda w: stack([w.v, w.v]), TypeError, "stack takes Tensors, not a Value"),
    # truth, size, order
    "truth of a Value": (lambda w: bool(w.v), TypeError, r"Value\(2.*truth.*\.data"),
    "not Value": (lambda w: not w.v, TypeError, r"Value\(2.*truth.*\.data"),
    "truth of a Tensor": (lambda w: bool(w.x), TypeError, r"shape \(2, 3\).*truth.*\.all\(\)"),
    "Value < string": (lambda w: w.v < "a", TypeError, "'<'.*'float' and 'str'"),
    "len of a single number": (lambda w: len(w.one), TypeError, r"shape \(\) has no length"),
    "float of an array": (lambda w: float(w.x), ValueError, r"shape \(2, 3\)"),
    "item of an array": (lambda w: w.x.item(), ValueError, r"shape \(2, 3\)"),
    # shapes
    "+": (lambda w: w.x + w.y, ValueError, r"add\(x of shape \(2, 3\), y.*\(3, 2\).*equally long"),
    "+ array": (lambda w: w.x + np.ones(2), ValueError, r"add\(x.*\(2, 3\).*\(2,\).*equally long"),
    "@": (lambda w: w.x @ w.x, ValueError, r"matmul\(x of shape \(2, 3\).*last axis of the left"),
    "@ a number": (lambda w: w.x @ 2, ValueError, r"matmul\(x of shape \(2, 3\), 2\)"),
    "reshape": (lambda w: w.x.reshape(4), ValueError, r"reshape\(x.*\(2, 3\).*4.*elements"),
    "reshape, two -1": (lambda w: w.x.reshape(-1, -1), ValueError, r"reshape\(x.*\(-1, -1\)"),
    "reshape to a string": (lambda w: w.x.reshape("a"), TypeError, r"reshape\(x.*integer"),
    "broadcast_to": (lambda w: w.x.broadcast_to((3, 3)), ValueError, r"broadcast_to\(x.*\(3, 3\)"),
    "broadcast_to fewer": (lambda w: broadcast_to(w.x, 3), ValueError, r"broadcast_to\(x.*=3"),
    "concatenate": (lambda w: concatenate([w.x, w.y]), ValueError, r"concatenate\(x.*\(3, 2\).*eq"),
    "concatenate nothing": (lambda w: concatenate([]), ValueError, "concatenate: .*at least one"),
    "stack": (lambda w: stack([w.x, w.y]), ValueError, r"stack\(x.*\(3, 2\).*shapes must be equal"),
    "stack nothing": (lambda w: stack([]), ValueError, "stack: .*at least one"),
    "where": (lambda w: where([True] * 2, w.x, 0.0), ValueError, r"where\(.*\(2,\).*\(2, 3\)"),
    "squeeze": (lambda w: w.x.squeeze(0), ValueError, r"squeeze\(x.*axis 0.*length 2, not 1"),
    "squeeze no axis": (lambda w: w.x.squeeze(5), IndexError, r"squeeze\(x.*axis 5.*out of bounds"),
    "squeeze twice": (lambda w: w.ones.squeeze((0, 0)), ValueError, r"squeeze\(ones.*\(0, 0\)"),
    "expand_dims": (lambda w: w.x.expand_dims(5), IndexError, r"expand_dims\(x.*axis 5"),
    "expand_dims twice": (
        lambda w: w.x.expand_dims((0, 0)),
        ValueError,
        r"expand_dims\(x.*repeated",
    ),
    "transpose": (lambda w: w.x.transpose(0, 2), IndexError, r"transpose\(x.*axis 2"),
    "transpose twice": (lambda w: w.x.transpose(0, 0), ValueError, r"transpose\(x.*repeated"),
    "einsum": (lambda w: einsum("ij,jk", w.x, w.x), ValueError, r"einsum\(x.*\(2, 3\).*'ij,jk'"),
    "einsum, operands": (lambda w: einsum("ij,jk", w.x), ValueError, "names 2 operands but 1"),
    "einsum, no operand": (lambda w: einsum("i->i"), ValueError, "einsum: got no operand"),
    "einsum, axes": (lambda w: einsum("i->i", w.x), ValueError, "'i' .*does not fit.* 2 axes"),
    "einsum, too few axes": (
        lambda w: einsum("ijk->i", w.x),
        ValueError,
        "'ijk' .*does not fit.* 2 axes",
    ),
    "clip, one of three": (
        lambda w: w.x.clip(np.array([0.0, 5.0, 0.0]), 1.0),
        ValueError,
        "min .* is above max 1.0",
    ),
    "0-d @ matrix": (lambda w: w.one @ w.x, ValueError, r"matmul\(one of shape \(\)"),
    "einsum, order": (lambda w: einsum(w.x, "ij"), TypeError, "einsum: subscripts come first"),
    "einsum, unknown": (lambda w: einsum("ij->k", w.x), ValueError, r"einsum\(x.*subscript 'k'"),
    # axes and settings
    "concatenate axis": (lambda w: concatenate([w.x, w.x], axis=2), IndexError, "axis=2.*2 is out"),
    "stack axis": (lambda w: stack([w.x, w.x], axis=3), IndexError, "axis=3.*3 is out of bounds"),
    "unknown setting": (lambda w: w.x.sum(axes=0), TypeError, r"sum\(x.*unexpected.*'axes'"),
    "too many operands": (lambda w: maximum(w.v, 1, 2), TypeError, f"maximum.*{MANY}"),
    "exp of two": (lambda w: w.v.exp(3), TypeError, f"exp.*{MANY}"),
    "too many settings": (lambda w: w.x.cumsum(0, 1), TypeError, f"cumsum.*{MANY}"),
    "too few operands": (lambda w: maximum(w.v), TypeError, r"maximum\(\) missing 1"),
    "mean of nothing": (lambda w: w.none.mean(), ValueError, r"mean\(none.*\(0, 3\).*at least 1"),
    "var of one": (lambda w: w.one.var(ddof=1), ValueError, r"var\(one.*ddof=1.*at least 1"),
    "max of nothing": (lambda w: w.none.max(), ValueError, r"max\(none of shape \(0, 3\)"),
    "clip, min > max": (lambda w: w.v.clip(2, 1), ValueError, r"clip\(.*min 2 is above max 1"),
    "clip, array": (lambda w: w.x.clip(w.array[0], 0), ValueError, r"clip\(x.*above max 0"),
    "clip to a string": (lambda w: w.v.clip("a"), TypeError, "clip"),
    "clip to a node": (lambda w: w.v.clip(w.inner, 3), TypeError, "clip.*node"),
    "clip to a Tensor": (lambda w: w.x.clip(w.x, 9), TypeError, "clip.*node"),
    "where a Tensor": (lambda w: where(w.x, w.x, 0.0), TypeError, "where: the condition.*node"),
    "where a Value": (lambda w: where(w.v, w.v, 0.0), TypeError, "where: the condition.*node"),
    # indices
    "index": (lambda w: w.x[2], IndexError, r"getitem\(x.*index=2.*out of bounds.*size 2"),
    "index of axis 1": (lambda w: w.x[0, 3], IndexError, r"getitem\(x.*axis 1 with size 3"),
    "too many indices": (lambda w: w.x[0, 0, 0], IndexError, r"getitem\(x.*too many indices"),
    "index array": (lambda w: w.x[np.array([5])], IndexError, r"getitem\(x.*index 5 is out"),
    "boolean index": (lambda w: w.x[[True] * 3], IndexError, r"getitem\(x.*boolean.*2.*3"),
    "float index": (lambda w: w.x[1.5], IndexError, r"1\.5 is not a valid index; use integers"),
    "float indices": (lambda w: w.x[[0.5]], IndexError, "integers or booleans, not float64"),
    "float32 index": (lambda w: w.x[np.float32(1)], IndexError, "1.0.* is not a valid index"),
    "string index": (lambda w: w.x["a"], IndexError, "'a' is not a valid index; use integers"),
    "Value as index": (lambda w: w.x[w.v], IndexError, r"the index is a node.*\.data"),
    "Tensor as index": (lambda w: w.x[w.y], IndexError, r"the index is a node.*\.data"),
    "Value among indices": (lambda w: w.x[0, w.v], IndexError, r"the index is a node.*\.data"),
    "index of one number": (lambda w: w.one[0], IndexError, r"getitem\(one of shape \(\)"),
    # outside the domain
    "log of a negative": (lambda w: w.neg.log(), ValueError, r"log\(.*-2.*'neg'.*positive number"),
    "log of 0": (lambda w: log(w.zero), ValueError, r"log\(.*'zero'.*positive number"),
    "log1p of -2": (lambda w: w.neg.log1p(), ValueError, r"log1p\(.*'neg'.*above -1"),
    "sqrt of a negative": (lambda w: w.neg.sqrt(), ValueError, r"sqrt\(.*'neg'.*negative"),
    "arcsin of 2": (lambda w: w.v.arcsin(), ValueError, r"arcsin\(.*'v'.*between -1 and 1"),
    "arccos of -2": (lambda w: w.neg.arccos(), ValueError, r"arccos\(.*'neg'.*between -1 and 1"),
    "/ 0": (lambda w: w.v / 0, ZeroDivisionError, r"divide\(.*'v'.*0\.0\).*divisor is 0"),
    "/ Value of 0": (lambda w: 1 / w.zero, ZeroDivisionError, r"divide\(1\.0.*'zero'.*is 0"),
    "fractional power": (lambda w: w.neg**0.5, ValueError, r"power\(.*'neg'.*0\.5\).*whole expon"),
    "root as exponent": (lambda w: (-2) ** w.half, ValueError, r"power\(-2.*'half'.*whole expon"),
    "0 to a negative": (lambda w: w.zero**-1, ValueError, r"power\(.*'zero'.*-1.*0 takes none"),
    "exp of 1000": (lambda w: exp(w.v * 500), OverflowError, r"exp\(.*1000.*larger than any float"),
    "power of 10 000": (lambda w: w.v**10_000, OverflowError, "power.*'v'.*larger than any float"),
    "sqrt' at 0": (lambda w: w.zero.sqrt().backward(), ZeroDivisionError, r"sqrt\(.*'zero'.*exist"),
    "root' at 0": (lambda w: (w.zero**0.5).backward(), ZeroDivisionError, "power.*'zero'.*exist"),
    # backward and graphs
    "no gradient": (lambda w: w.x.backward(), ValueError, r"shape \(2, 3\).*gradient.*\.sum\(\)"),
    "seed": (lambda w: w.x.backward(w.y.data), ValueError, r"\(3, 2\) was given.*\(2, 3\)"),
    "seed of one number": (lambda w: w.x.backward(1.0), ValueError, r"\(\) was given.*\(2, 3\)"),
    "seed array": (lambda w: w.inner.backward(np.ones(2)), TypeError, r"gradient.*shape \(2,\)"),
    "Tensor as seed": (lambda w: w.x.backward(w.x), TypeError, r"gradient is plain.*\.data"),
    "Value as seed": (lambda w: w.inner.backward(w.v), TypeError, r"gradient: got Value.*\.data"),
    "string as seed": (lambda w: w.inner.backward("1"), TypeError, f"gradient: '1'.*{NO_NUMBER}"),
    "complex seed": (lambda w: w.x.backward(w.array * 1j), TypeError, f"gradient.*{NO_NUMBER}"),
    "gradients of a number": (
        lambda w: gradients(3.0, w.v),
        TypeError,
        "expected nodes, got float",
    ),
    "gradients by a list": (lambda w: gradients(w.v, [w.v]), TypeError, "expected nodes, got list"),
    "gradients, no seed": (lambda w: gradients(w.x * 2, w.x), ValueError, r"shape \(2, 3\).*\.sum"),
    "gradients, seed": (
        lambda w: gradients(w.x * w.x, w.x, gradient=w.row),
        ValueError,
        r"\(3,\).*\(2, 3\).*equal",
    ),
    "order of a number": (lambda w: topological_order(3), TypeError, "expected a node, got int"),
    "grad": (lambda w: setattr(w.x, "grad", np.ones(3)), ValueError, r"grad: .*\(3,\).*\(2, 3\)"),
    "subclass of Value": (lambda w: type("V", (Value,), {}), TypeError, "Value cannot be subcl"),
    "subclass of Tensor": (lambda w: type("T", (Tensor,), {}), TypeError, "Tensor cannot be subcl"),
    # wrong axes, for everything that has one
    **{
        f"{name}, axis {axis}": (
            lambda w, name=name, axis=axis: getattr(w.x, name)(axis=axis),
            IndexError,
            rf"{name}\(x of shape \(2, 3\), axis={axis}\).*{axis} is out of bounds",
        )
        for name in ALONG_AXIS
        for axis in (2, -3)
    },
    **{
        f"{name}, axis of a word": (
            lambda w, name=name: getattr(w.x, name)(axis="rows"),
            TypeError,
            rf"{name}\(x of shape \(2, 3\), axis='rows'\).*integer",
        )
        for name in ALONG_AXIS
    },
    **{
        f"{name} of one number, axis 1": (
            lambda w, name=name: getattr(w.one, name)(axis=1),
            IndexError,
            rf"{name}\(one of shape \(\), axis=1\).*out of bounds",
        )
        for name in ALONG_AXIS
        if name != "cumsum"  # NumPy's takes a number as an array of length 1
    },
}


@pytest.fixture
def world():
    """Nodes of every kind, after a backward pass, so that there are gradients to be spoilt."""
    w = SimpleNamespace(
        v=Value(2, "v"), zero=Value(0, "zero"), neg=Value(-2, "neg"), half=Value(0.5, "half"),
        x=Tensor(np.arange(6.0).reshape(2, 3), "x"), y=Tensor(np.ones((3, 2)), "y"),
        none=Tensor(np.zeros((0, 3)), "none"), one=Tensor(1.5, "one"), row=Tensor([1, 2, 3], "row"),
        ones=Tensor([[1.0]], "ones"),
    )  # fmt: skip
    w.inner = w.v * w.neg + w.zero
    w.inner.backward(3)
    (w.x @ w.y).sum().backward()
    w.array = np.ones((2, 3))
    return w


def state(world):
    """Everything that a call could change, down to the last bit."""
    return {
        name: (
            np.asarray(getattr(node, "data", node)).tobytes(),
            np.shape(getattr(node, "data", node)),
            np.asarray(getattr(node, "grad", 0)).tobytes(),
            getattr(node, "label", None),
            [id(x) for x in getattr(node, "operands", ())],
        )
        for name, node in vars(world).items()
    }


@pytest.mark.parametrize(("call", "error", "says"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_bad_call_says_what_is_wrong_and_changes_nothing(world, call, error, says):
    before = state(world)
    with pytest.raises(error, match=f"(?s){says}") as found:
        call(world)
    assert found.type is error
    assert state(world) == before
