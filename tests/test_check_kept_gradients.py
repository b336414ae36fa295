"""Every way in which people keep gradients: each layer passes, and a factor of 3 does not."""

import types

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(8)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)


class Dense:
    """x W + b; what `keep` does with the gradients of x, W and b is all that differs."""

    def __init__(self):
        self.W, self.b = W.copy(), B.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        return self.keep(dout @ self.W.T, self.factor * (self.x.T @ dout), dout.sum(axis=0))

    factor = 1


WAYS = {}


def way(function):
    """A subclass of Dense that keeps its gradients in this way."""
    WAYS[function.__name__] = type(function.__name__, (Dense,), {"keep": function})
    return function


@way
def returned_in_order(self, dx, dW, db):
    return dx, dW, db


@way
def returned_parameters_first(self, dx, dW, db):
    return dW, db, dx


@way
def returned_by_name(self, dx, dW, db):
    return {"dx": dx, "dW": dW, "db": db}


@way
def returned_by_the_names_of_the_parameters(self, dx, dW, db):
    return {"x": dx, "W": dW, "b": db}


@way
def returned_beside_a_dict(self, dx, dW, db):
    return dx, {"W": dW, "b": db}


@way
def returned_in_an_object(self, dx, dW, db):
    return types.SimpleNamespace(dx=dx, dW=dW, db=db)


@way
def dict_with_d(self, dx, dW, db):
    self.grads = {"dW": dW, "db": db}
    return dx


@way
def dict_by_name(self, dx, dW, db):
    self.grads = {"W": dW, "b": db}
    return dx


@way
def list_beside_attributes(self, dx, dW, db):
    self.grads = [dW, db]
    return dx


@way
def delta_names(self, dx, dW, db):
    self.delta_W, self.delta_b = dW, db
    return dx


@way
def gradient_names(self, dx, dW, db):
    self.W_gradient, self.b_gradient = dW, db
    return dx


@way
def leibniz(self, dx, dW, db):
    self.dJdW, self.dJdb = dW, db
    return dx


@way
def leibniz_with_underscores(self, dx, dW, db):
    self.dL_dW, self.dL_db = dW, db
    return dx


@way
def long_names(self, dx, dW, db):
    self.grad_weights, self.grad_bias = dW, db
    return dx


@way
def torch7(self, dx, dW, db):
    self.gradWeight, self.gradBias, self.gradInput = dW, db, dx


@way
def nnfs(self, dx, dW, db):
    self.dweights, self.dbiases, self.dinputs = dW, db, dx


@way
def nabla(self, dx, dW, db):
    self.nabla_W, self.nabla_b = dW, db
    return dx


@pytest.mark.parametrize("name", WAYS)
def test_gradients_are_found(name):
    report = check_backward(WAYS[name](), X)
    assert [(row.parameter, row.verdict) for row in report.rows] == [
        ("x", "ok"), ("W", "ok"), ("b", "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_wrong_one_is_found_and_named(name):
    layer = WAYS[name]()
    layer.factor = 3
    report = check_backward(layer, X, raises=False)
    assert [row.parameter for row in report.rows if row.verdict == "wrong"] == ["W"]
    assert "3 times" in report.rows[1].note


# --- parameters that are objects or structures ---------------------------------------------------


class Param:
    def __init__(self, value):
        self.value, self.grad = value, np.zeros_like(value)


class WithParams(Dense):
    def __init__(self):
        self.weight, self.bias = Param(W.copy()), Param(B.copy())

    def forward(self, x):
        self.x = x
        return x @ self.weight.value + self.bias.value

    def backward(self, dout):
        self.weight.grad = self.factor * (self.x.T @ dout)
        self.bias.grad = dout.sum(axis=0)
        return dout @ self.weight.value.T


class WithDicts(Dense):
    def __init__(self):
        self.weight, self.bias = {"val": W.copy(), "grad": 0}, {"val": B.copy(), "grad": 0}

    def forward(self, x):
        self.x = x
        return x @ self.weight["val"] + self.bias["val"]

    def backward(self, dout):
        self.weight["grad"] = self.factor * (self.x.T @ dout)
        self.bias["grad"] = dout.sum(axis=0)
        return dout @ self.weight["val"].T


class OneArray(Dense):
    """All parameters in one array, and their gradients in another."""

    def __init__(self):
        self.params = np.concatenate([W.ravel(), B])
        self.grads = np.zeros_like(self.params)

    def forward(self, x):
        self.x = x
        return x @ self.params[:12].reshape(4, 3) + self.params[12:]

    def backward(self, dout):
        self.grads[:12] = self.factor * (self.x.T @ dout).ravel()
        self.grads[12:] = dout.sum(axis=0)
        return dout @ self.params[:12].reshape(4, 3).T


class Numbered(Dense):
    """Parameters in a dict, W1 and b1, gradients returned as dW1 and db1."""

    def __init__(self):
        self.params = {"W1": W.copy(), "b1": B.copy()}

    def forward(self, x):
        self.x = x
        return x @ self.params["W1"] + self.params["b1"]

    def backward(self, dout):
        dW = self.factor * (self.x.T @ dout)
        return {"dW1": dW, "db1": dout.sum(axis=0), "dx": dout @ self.params["W1"].T}


class ForEachLayer(Dense):
    """A dict of parameters for each layer, and one of gradients."""

    def __init__(self):
        self.params, self.grads = [{"W": W.copy(), "b": B.copy()}], [{}]

    def forward(self, x):
        self.x = x
        return x @ self.params[0]["W"] + self.params[0]["b"]

    def backward(self, dout):
        self.grads[0] = {"W": self.factor * (self.x.T @ dout), "b": dout.sum(axis=0)}
        return dout @ self.params[0]["W"].T


class Nablas(Dense):
    """Lists of all biases and of all weights, returned as two lists."""

    def __init__(self):
        self.biases, self.weights = [B.copy()], [W.copy()]

    def forward(self, x):
        self.x = x
        return x @ self.weights[0] + self.biases[0]

    def backward(self, dout):
        return [dout.sum(axis=0)], [self.factor * (self.x.T @ dout)]


class ClassAttributes(Dense):
    W, b = W.copy(), B.copy()

    def __init__(self):
        pass

    def keep(self, dx, dW, db):
        self.dW, self.db = dW, db
        return dx


class Frozen(Dense):
    def keep(self, dx, dW, db):
        vars(self).update(dW=dW, db=db)
        return dx

    def __setattr__(self, name, value):
        if name in ("W", "dW") and hasattr(self, "W"):
            raise AttributeError(name)
        super().__setattr__(name, value)


KEEPERS = [WithParams, WithDicts, OneArray, Numbered, ForEachLayer, Nablas, ClassAttributes, Frozen]


@pytest.mark.parametrize("kind", KEEPERS)
def test_parameters_in_objects_and_structures_are_found(kind):
    layer = kind()
    report = check_backward(layer, X)
    checked = [row.parameter for row in report.rows if row.verdict == "ok"]
    wanted = {OneArray: 2, Nablas: 2}.get(kind, 3)
    assert len(checked) == wanted, report
    layer = kind()
    kind.factor = 3
    try:
        report = check_backward(layer, X, raises=False)
    finally:
        kind.factor = 1
    assert [row.verdict for row in report.rows].count("wrong") == 1, report
