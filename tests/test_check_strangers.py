"""Layers as strangers paste them: what the check has to find, leave out, or say of each."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(21)
X = RNG.normal(size=(5, 4))


def said(*args, **options):
    return " ".join(str(check_backward(*args, **options, raises=False)).split())


def rows(*args, **options):
    report = check_backward(*args, **options, raises=False)
    return {row.parameter: row.verdict for row in report.rows}


# --- a loss that returns its gradients and its last state ----------------------------------------

PARAMETERS = {"U": RNG.normal(size=(3, 4)), "V": RNG.normal(size=(3, 3)), "c": np.zeros((3, 1))}


def loss_over_time(xs, state, U, V, c, factor=1.0):
    states, loss = [state], 0.0
    for x in xs:
        states.append(np.tanh(U @ x[:, None] + V @ states[-1] + c))
        loss += (states[-1] ** 2).sum()
    dU, dV, dc, dnext = np.zeros_like(U), np.zeros_like(V), np.zeros_like(c), 0.0
    for t in reversed(range(len(xs))):
        dz = (1 - states[t + 1] ** 2) * (2 * states[t + 1] + dnext)
        dU, dV, dc = dU + dz @ xs[t][None], dV + factor * dz @ states[t].T, dc + dz
        dnext = V.T @ dz
    return loss, dU, dV, dc, states, dnext


def state_last(xs, state):
    loss, dU, dV, dc, states, _ = loss_over_time(xs, state, **PARAMETERS)
    return loss, dU, dV, dc, states[len(xs)]


def three_times(xs, state):
    loss, dU, dV, dc, states, _ = loss_over_time(xs, state, **PARAMETERS, factor=3)
    return loss, dU, dV, dc, states[len(xs)]


def gradient_of_state_last(xs, state):
    loss, dU, dV, dc, _, dstate = loss_over_time(xs, state, **PARAMETERS)
    return loss, dU, dV, dc, dstate


@pytest.mark.parametrize("start", [np.zeros((3, 1)), RNG.normal(size=(3, 1))])
def test_the_last_state_beside_the_gradients_is_not_one(start):
    steps = list(X)
    right = {"U": "ok", "V": "ok", "c": "ok"}
    report = check_backward(state_last, steps, start, parameters=PARAMETERS)
    assert report.verdict.endswith("; no gradient was given for state")
    found = {row.parameter: row.verdict for row in report.rows}
    assert found.items() >= {**right, "state": "not given"}.items()
    found = rows(gradient_of_state_last, steps, start, parameters=PARAMETERS)
    assert found.items() >= {**right, "state": "ok"}.items()
    found = rows(three_times, steps, start, parameters=PARAMETERS)
    assert found.items() >= {**right, "state": "not given", "V": "wrong"}.items()


# --- lists of dicts ------------------------------------------------------------------------------


def layers(sizes=(4, 3, 2)):
    return [
        {"W": RNG.normal(size=shape), "b": RNG.normal(size=shape[1])}
        for shape in itertools.pairwise(sizes)
    ]


def net(x, params):
    cache = [x]
    for layer in params:
        cache.append(np.tanh(cache[-1] @ layer["W"] + layer["b"]))
    return cache[-1], cache


def net_back(dout, params, cache, names, factor):
    dparams = [{} for _ in params]
    for i in reversed(range(len(params))):
        dout = dout * (1 - cache[i + 1] ** 2)
        dparams[i][names[0]] = cache[i].T @ dout
        dparams[i][names[1]] = dout.sum(axis=0) * (factor if i == 1 else 1)
        dout = dout @ params[i]["W"].T
    return dout, dparams


@pytest.mark.parametrize("names", ["W b", "dW db", "grad_W grad_b"])
def test_gradients_in_a_list_of_dicts_beside_one(names):
    def backward(factor):
        return lambda dout, params, cache: net_back(dout, params, cache, names.split(), factor)

    params = layers()
    assert rows(net, backward(1), X, params) == dict.fromkeys(
        ["x", "params[0].W", "params[0].b", "params[1].W", "params[1].b"], "ok"
    )
    assert "params[1].b: it is 3 times" in said(net, backward(3), X, params)


# --- what needs no gradient, and what says so ----------------------------------------------------


class Rotary:
    """Rotates pairs by angles that grow with the position."""

    def __init__(self, length=5, size=4):
        angles = np.outer(np.arange(length), 1 / 100 ** (np.arange(size // 2) * 2 / size))
        self.cos, self.sin = np.cos(angles), np.sin(angles)

    def forward(self, x):
        a, b = x[:, ::2], x[:, 1::2]
        return np.hstack([a * self.cos - b * self.sin, a * self.sin + b * self.cos])

    def backward(self, dout):
        dc, ds = np.hsplit(dout, 2)
        dx = np.empty((len(dout), 4))
        dx[:, ::2] = dc * self.cos + ds * self.sin
        dx[:, 1::2] = ds * self.cos - dc * self.sin
        return dx


def test_tables_are_constants():
    report = check_backward(Rotary(), X)
    assert report.verdict.endswith("agree; no gradient was given for cos, sin")


def test_what_is_not_in_a_list_of_parameters_is_a_constant():
    class Whitening:
        def __init__(self):
            self.M, self.W = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 3))

        def parameters(self):
            return [self.W]

        def forward(self, x):
            self.x = x @ self.M
            return self.x @ self.W

        def backward(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T @ self.M.T

    assert rows(Whitening(), X) == {"x": "ok", "M": "not given", "W": "ok"}
    Whitening.parameters = lambda self: [self.M, self.W]
    assert rows(Whitening(), X) == {"x": "ok", "M": "missing", "W": "ok"}


def test_a_parameter_that_is_forgotten_is_still_missing():
    class Scale:
        def __init__(self):
            self.gamma, self.beta = np.ones(4), np.zeros(4)
            self.params = {"gamma": self.gamma, "beta": self.beta}

        def forward(self, x):
            self.x = x
            return x * self.gamma + self.beta

        def backward(self, dout):
            self.dgamma = (dout * self.x).sum(axis=0)
            return dout * self.gamma

    assert rows(Scale(), X) == {"x": "ok", "gamma": "ok", "beta": "missing"}


def test_a_number_is_the_gradient_of_one_number_in_an_array():
    class Neuron:
        def __init__(self, factor):
            self.w, self.b, self.c, self.factor = X[0].copy(), np.zeros(1), np.zeros((1, 4)), factor

        def forward(self, x):
            self.x = x
            return (x + self.c) @ self.w + self.b

        def backward(self, dout):
            self.dw = dout @ (self.x + self.c)
            self.db, self.dc = self.factor * np.sum(dout), dout.sum() * self.w
            return np.outer(dout, self.w)

    assert check_backward(Neuron(1), X).ok
    assert "b: it is 3 times" in said(Neuron(3), X)


def test_a_gradient_under_a_name_that_belongs_to_nothing_is_a_problem():
    def backward(name):
        return lambda dout, x, w, b: {"dx": dout @ w.T, "dw": x.T @ dout, name: dout.sum(axis=0)}

    def affine(x, w, b):
        return x @ w + b

    inputs = X, RNG.normal(size=(4, 3)), np.zeros(3)
    assert check_backward(affine, backward("db"), *inputs).ok
    text = said(affine, backward("dq"), *inputs)
    assert "backward gave 'dq', which looks like a gradient" in text


def test_what_has_no_gradient_is_in_the_first_line_but_for_labels():
    def squares(prediction, target):
        return ((prediction - target) ** 2).sum()

    def back(prediction, target):
        return 2 * (prediction - target)

    assert check_backward(squares, back, X, X * 2).verdict.endswith("derivatives agree")
    report = check_backward(lambda a, b: a * b, lambda dout, a, b: dout * b, X, X * 2)
    assert report.verdict.endswith("derivatives agree; no gradient was given for b")


# --- how it is handed in -------------------------------------------------------------------------


class Weights(NamedTuple):
    W: np.ndarray
    b: np.ndarray


@pytest.mark.parametrize("factor", [1, 3])
def test_parameters_in_a_named_tuple(factor):
    def forward(p, x):
        return np.tanh(x @ p.W + p.b)

    def backward(dout, p, x):
        d = dout * (1 - forward(p, x) ** 2)
        return Weights(factor * x.T @ d, d.sum(axis=0)), d @ p.W.T

    p = Weights(RNG.normal(size=(4, 3)), RNG.normal(size=3))
    right = "ok" if factor == 1 else "wrong"
    assert rows(forward, backward, p, X) == {"p[0]": right, "p[1]": "ok", "x": "ok"}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_a_derivative_element_by_element_is_multiplied_by_the_adjoint():
    def sigmoid_prime(z):
        return sigmoid(z) * (1 - sigmoid(z))

    report = check_backward(sigmoid, sigmoid_prime, X)
    assert report.ok
    assert report.called == "dout * sigmoid_prime(z)"
    text = said(sigmoid, lambda z: z * (1 - z), X)
    assert "z: the derivative is taken at the input instead of at the result" in text
    # it is an adjoint, whatever it is called, where backward is right with it
    assert check_backward(lambda x: 2 * x, lambda x: 2 * x, X).ok


def test_lists_of_a_network_are_told_apart_in_words():
    class Network:
        def __init__(self):
            self.weights, self.biases = [RNG.normal(size=(4, 5)), RNG.normal(size=(5, 3))], []

        def forward(self, x):
            self.outputs = [x]
            for W in self.weights:
                self.outputs.append(sigmoid(self.outputs[-1] @ W))
            return self.outputs[-1]

        def backward(self, dout):
            gradients = []
            for W, x, y in zip(
                self.weights[::-1], self.outputs[-2::-1], self.outputs[:0:-1], strict=True
            ):
                d = dout * y * (1 - y)
                gradients.insert(0, 5 * x.T @ d)
                dout = d @ W.T
            return gradients

    text = said(Network(), X)
    assert "the length of axis 1 of weights.0" in text
    assert "of 0" not in text


@pytest.mark.parametrize("factor", [1, 3])
def test_two_dicts_of_one_letter(factor):
    class Gated:
        def __init__(self):
            self.p = {"Wa": RNG.normal(size=(4, 4)), "Wb": RNG.normal(size=(4, 4))}

        def forward(self, x):
            self.x, self.a, self.b = x, np.tanh(x @ self.p["Wa"]), x @ self.p["Wb"]
            return self.a * self.b

        def backward(self, dout):
            da, db = dout * self.b * (1 - self.a**2), dout * self.a
            self.g = {"Wa": factor * self.x.T @ da, "Wb": factor * self.x.T @ db}
            return da @ self.p["Wa"].T + db @ self.p["Wb"].T

    right = "ok" if factor == 1 else "wrong"
    assert rows(Gated(), X) == {"x": "ok", "p.Wa": right, "p.Wb": right}


def test_a_function_that_returns_its_backward_pass():
    def dense(x, W):
        return x @ W, lambda dout: (dout @ W.T, x.T @ dout)

    W = RNG.normal(size=(4, 3))
    assert check_backward(dense, lambda dout, back: back(dout), X, W).ok
    assert "wrong for W" in said(dense, lambda dout, back: (back(dout)[0], 2 * back(dout)[1]), X, W)
    with pytest.raises(TypeError, match=r"call it: .*back: back\(dout\)"):
        check_backward(dense, X, W)


# --- whole pieces of courses ---------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 2])
def test_a_network_of_columns_whose_backprop_returns_two_lists(factor):
    class Columns:
        def __init__(self, sizes=(4, 3, 2)):
            self.biases = [RNG.normal(size=(n, 1)) for n in sizes[1:]]
            self.weights = [RNG.normal(size=(n, m)) for m, n in itertools.pairwise(sizes)]

        def cost(self, x, y):
            for b, w in zip(self.biases, self.weights, strict=True):
                x = sigmoid(w @ x + b)
            return 0.5 * ((x - y) ** 2).sum()

        def backprop(self, x, y):
            activations = [x]
            for b, w in zip(self.biases, self.weights, strict=True):
                activations.append(sigmoid(w @ activations[-1] + b))
            nabla_b, nabla_w = [None, None], [None, None]
            delta = factor * (activations[-1] - y)
            for i in (1, 0):
                delta = delta * activations[i + 1] * (1 - activations[i + 1])
                nabla_b[i], nabla_w[i] = delta, delta @ activations[i].T
                delta = self.weights[i].T @ delta
            return nabla_b, nabla_w

    net = Columns()
    found = rows(net.cost, net.backprop, X[:1].T, np.array([[0.0], [1.0]]))
    right = "ok" if factor == 1 else "wrong"
    names = ["biases.0", "biases.1", "weights.0", "weights.1"]
    assert found == {"x": "not given", "y": "not given", **dict.fromkeys(names, right)}


@pytest.mark.parametrize("both", [True, False])
def test_a_cell_whose_state_is_a_pair_in_and_out(both):
    def cell(x, state, W):
        h, c = state
        gate, new = np.split(np.concatenate([x, h], axis=1) @ W, 2, axis=1)
        gate, new = sigmoid(gate), np.tanh(new)
        c_next = gate * c + new
        return (np.tanh(c_next), c_next), (x, h, c, gate, new, c_next)

    def back(dstate, cache, W):
        dh, dc = dstate
        x, h, c, gate, new, c_next = cache
        dc = dc * both + dh * (1 - np.tanh(c_next) ** 2)
        d = np.concatenate([dc * c * gate * (1 - gate), dc * (1 - new**2)], axis=1)
        both_inputs = d @ W.T
        return both_inputs[:, :4], (both_inputs[:, 4:], dc * gate), np.hstack([x, h]).T @ d

    state = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
    found = rows(cell, back, X, state, RNG.normal(size=(7, 6)))
    right = "ok" if both else "wrong"
    assert found == dict.fromkeys(["x", "state[0]", "state[1]", "W"], right)
