"""check_by_hand: the first wrong gradient from the root back, and those that follow from it."""

import subprocess
import sys

import numpy as np
import pytest

from tinygrad_edu import Tensor, Value, check_by_hand, nn, relu, tanh
from tinygrad_edu.check import GradientError

N, LABELS = 4, np.array([0, 2, 1, 2])


def network(dtype=np.float64):
    """A two-layer network with labels, and its gradients, derived on paper."""
    rng = np.random.default_rng(0)
    shapes = {"x": (N, 3), "W1": (3, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}
    v = {name: Tensor(rng.normal(size=shape), dtype=dtype) for name, shape in shapes.items()}
    v["z"] = v["x"] @ v["W1"] + v["b1"]
    v["h"] = tanh(v["z"])
    v["logits"] = v["h"] @ v["W2"] + v["b2"]
    v["loss"] = nn.cross_entropy(v["logits"], LABELS)
    for name, node in v.items():
        node.label = name
    return v


def by_hand(v, wrong=None):
    """The backward pass; `wrong` says what is wrong with one of its gradients, by name."""
    a = {name: node.data for name, node in v.items()}
    wrong = wrong or {}
    d = {}

    def give(name, gradient):
        d[name] = wrong.get(name, lambda g: g)(gradient)

    e = np.exp(a["logits"] - a["logits"].max(1, keepdims=True))
    give("logits", (e / e.sum(1, keepdims=True) - np.eye(3)[LABELS]) / N)
    give("W2", a["h"].T @ d["logits"])
    give("b2", d["logits"].sum(0))
    give("h", d["logits"] @ a["W2"].T)
    give("z", d["h"] * (1 - a["h"] ** 2))
    give("W1", a["x"].T @ d["z"])
    give("b1", d["z"].sum(0))
    give("x", d["z"] @ a["W1"].T)
    return d


def verdicts(report):
    return {row.parameter: row.verdict for row in report.rows}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_gradients_agree_and_no_grad_is_touched(dtype):
    v = network(dtype)
    v["loss"].backward()
    before = {name: np.array(node.grad) for name, node in v.items()}
    report = check_by_hand(v["loss"], **by_hand(v))
    assert report.ok
    assert set(verdicts(report).values()) == {"ok"}
    assert report.rows[0].parameter == "logits"
    for row in report.rows:
        assert row.numeric == before[row.parameter][row.index]
        assert row.dtype == np.dtype(dtype).name
    assert all(np.array_equal(node.grad, before[name]) for name, node in v.items())


MISTAKES = {
    "logits": (lambda g: g * N, "it is 4 times too large"),
    "h": (lambda g: -g, "the sign is wrong"),
    "z": (lambda g: g * 2, "it is twice what it should be"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_first_wrong_gradient_is_named_and_the_others_follow(name, dtype):
    mistake, said = MISTAKES[name]
    v = network(dtype)
    report = check_by_hand(v["loss"], raises=False, **by_hand(v, {name: mistake}))
    after = {"logits": {"W2", "b2", "h", "z", "W1", "b1", "x"}, "h": {"z", "W1", "b1", "x"},
             "z": {"W1", "b1", "x"}}[name]  # fmt: skip
    assert verdicts(report) == {
        label: "wrong" if label == name else "follows" if label in after else "ok"
        for label in by_hand(v)
    }
    (first,) = [row for row in report.rows if row.verdict == "wrong"]
    assert said in first.note
    assert {row.note for row in report.rows if row.verdict == "follows"} == {
        f"it follows from {name}, and is right when that is"
    }
    with pytest.raises(GradientError, match=f"^check_by_hand of loss: wrong for {name}; following"):
        check_by_hand(v["loss"], **by_hand(v, {name: mistake}))


def test_two_mistakes_one_behind_the_other_are_both_named():
    v = network()
    wrong = {"logits": lambda g: g * N, "z": lambda g: -g}
    report = check_by_hand(v["loss"], raises=False, **by_hand(v, wrong))
    assert [row.parameter for row in report.rows if row.verdict == "wrong"] == ["logits", "z"]
    notes = {row.parameter: row.note for row in report.rows}
    assert "the sign is wrong" in notes["z"]
    assert notes["h"].startswith("it follows from logits,")
    assert notes["x"].startswith("it follows from z,")


def test_only_some_of_the_gradients_may_be_given():
    v = network()
    d = by_hand(v, {"logits": lambda g: g * N})
    assert verdicts(check_by_hand(v["loss"], x=d["x"], raises=False)) == {"x": "wrong"}
    report = check_by_hand(v["loss"], logits=d["logits"], x=d["x"], raises=False)
    assert verdicts(report) == {"logits": "wrong", "x": "follows"}
    right = check_by_hand(v["loss"], logits=d["logits"], x=by_hand(v)["x"], raises=False)
    assert verdicts(right) == {"logits": "wrong", "x": "ok"}


def test_a_matrix_that_is_not_transposed_is_named_by_its_label():
    rng = np.random.default_rng(1)
    h, w = Tensor(rng.normal(size=(4, 3)), "h"), Tensor(rng.normal(size=(3, 3)), "W")
    y = h @ w
    y.label = "y"
    loss = (y * y).sum()
    dy = 2 * y.data
    report = check_by_hand(loss, y=dy, h=dy @ w.data, W=h.data.T @ dy, raises=False)
    assert verdicts(report) == {"y": "ok", "h": "wrong", "W": "ok"}
    assert "W is not transposed" in str(report)


def test_a_gradient_that_is_not_summed_over_the_batch():
    v = network()
    d = by_hand(v)
    report = check_by_hand(v["loss"], b1=d["z"], z=d["z"], raises=False)
    assert verdicts(report) == {"z": "ok", "b1": "wrong"}
    assert "it is not summed over the batch" in report.rows[1].note


def test_what_uses_a_gradient_of_another_shape_may_follow_from_it():
    v = network()
    d = by_hand(v)
    report = check_by_hand(v["loss"], logits=d["logits"][:, :1], x=3 * d["x"], raises=False)
    assert verdicts(report) == {"logits": "wrong", "x": "wrong"}
    assert report.rows[1].note.endswith("it may follow from logits")


def test_a_path_that_was_forgotten_is_named_by_the_node_that_it_goes_through():
    x = Tensor([1.0, -2.0, 3.0], "x")
    square, double = x * x, x * 2.0
    square.label, double.label = "square", "double"
    loss = (square + double + relu(x)).sum()
    parts = {"square": 2 * x.data, "double": np.full(3, 2.0), "ReLU": x.data > 0}
    for name in parts:
        rest = sum(part for other, part in parts.items() if other != name)
        report = check_by_hand(loss, x=rest, raises=False)
        assert f"the path through {name} is left out: x is used 3 times" in report.rows[0].note
    assert check_by_hand(loss, x=sum(parts.values())).ok


def test_a_gradient_of_0_up_to_rounding_is_right():
    """A bias before batch norm changes nothing; both sides are left with other rounding."""
    rng = np.random.default_rng(2)
    b = Tensor(rng.normal(size=5), "b")
    z = Tensor(rng.normal(size=(64, 5))) + b
    raw = (z - z.mean(0)) / z.std(0)
    loss = (raw * rng.normal(size=(64, 5))).sum()
    noise = rng.normal(size=5) * 1e-15
    assert check_by_hand(loss, b=noise).ok
    assert not check_by_hand(loss, b=noise * 1e4, raises=False).ok


def test_numbers():
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    c = a * b
    c.label = "c"
    root = c.tanh()
    slope = 1 - np.tanh(-6.0) ** 2
    assert check_by_hand(root, c=slope, a=-3 * slope, b=2 * slope).ok
    report = check_by_hand(root, c=-slope, a=3 * slope, b=2 * slope, raises=False)
    assert verdicts(report) == {"c": "wrong", "a": "follows", "b": "ok"}


def test_numbers_without_numpy():
    code = """
import sys
sys.modules["numpy"] = None
from tinygrad_edu import Value, check_by_hand
a = Value(2.0, "a")
b = a * a
b.label = "b"
root = b * 3.0
print(check_by_hand(root, b=3.0, a=12.0))
print(check_by_hand(root, b=3.0, a=6.0, raises=False))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    right, wrong = run.stdout.split("check_by_hand of the root: ")[1:]
    assert right.startswith("all gradients agree")
    assert wrong.startswith("wrong for a")
    assert "half of what it should be" in wrong


def test_an_infinite_gradient_is_compared_too():
    x = Tensor([0.0, 1.0], "x")
    root = x.sqrt().sum()
    assert check_by_hand(root, x=np.array([np.inf, 0.5])).ok
    assert not check_by_hand(root, x=np.array([1e9, 0.5]), raises=False).ok


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    v = network(np.float32)
    d = {name: torch.from_numpy(np.asarray(g, np.float32)) for name, g in by_hand(v).items()}
    assert check_by_hand(v["loss"], **d).ok


X = Tensor([1.0, 2.0], "x")
Y = X * 2.0
Y.label = "outputs"
TWICE = X * 3.0
TWICE.label = "outputs"
CALLS = {
    "no node": (TypeError, lambda: check_by_hand(3.0, x=1), "expected a node first, got a float"),
    "no gradients": (ValueError, lambda: check_by_hand(Y.sum()), "give at least one gradient by"),
    "a label with a slip": (
        ValueError, lambda: check_by_hand(Y.sum(), output=1), "'output'; did you mean 'outputs'?",
    ),
    "a label that is nowhere": (
        ValueError, lambda: check_by_hand(Y.sum(), weights=1), "set it: x.label = 'weights'",
    ),
    "two nodes with a label": (
        ValueError, lambda: check_by_hand((Y + TWICE).sum(), outputs=1), "2 nodes .* different la",
    ),
    "several results": (ValueError, lambda: check_by_hand(Y, x=1), "one|seed|gradient"),
    "no numbers": (TypeError, lambda: check_by_hand(Y.sum(), x="3"), "check_by_hand: x: '3'"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "call", "text"), CALLS.values(), ids=CALLS)
def test_what_cannot_be_checked_is_refused(error, call, text):
    with pytest.raises(error, match=text):
        call()
