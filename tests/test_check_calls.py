"""How backward is called: by names, by trying, with several adjoints; what is passed on."""

import numpy as np
import pytest

from tinygrad_edu import check_backward

RNG = np.random.default_rng(9)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)
WORDS = np.array([1, 1, 3, 0])


def verdicts(*args, **options):
    return [row.verdict for row in check_backward(*args, **options, raises=False).rows]


class Given:
    """tanh(x W); backward may have any arguments."""

    def __init__(self, backward):
        self.W = W.copy()
        self.backward = backward.__get__(self)

    def forward(self, x):
        self.x, self.out = x, np.tanh(x @ self.W)
        return self.out

    def both(self, x, dout, factor=1.0):
        dz = dout * (1 - self.out**2)
        self.dW = x.T @ dz
        return factor * (dz @ self.W.T)


METHODS = {
    "backward(output_gradient, learning_rate=0.5)": lambda s, output_gradient, learning_rate: (
        s.both(s.x, output_gradient)
    ),
    "backward(grad_output, x)": lambda s, grad_output, x: s.both(x, grad_output),
    "backward(x, grad_output)": lambda s, x, grad_output: s.both(x, grad_output),
    "backward(X, delta)": lambda s, X, delta: s.both(X, delta),
    "backward(p=x, q=dout)": lambda s, p, q: s.both(p, q),
    "backward(p=dout, q=x)": lambda s, p, q: s.both(q, p),
    "backward(x, dout)": lambda s, *args: s.both(*args),
    "backward(dout, lr=0.5)": lambda s, dout, *, lr: s.both(s.x, dout),
    "backward(dout, out)": lambda s, dout, out: s.both(s.x, dout * (1 - out**2) / (1 - s.out**2)),
    "": lambda s, dout, learning_rate=0.01, verbose=False: s.both(s.x, dout),
}


@pytest.mark.parametrize("called", METHODS)
def test_the_call_is_found_and_said(called):
    report = check_backward(Given(METHODS[called]), X)
    assert [row.verdict for row in report.rows] == ["ok", "ok"]
    assert report.called.replace("<lambda>", "backward") == called
    assert (f"called as {called}" in str(report)) == bool(called)


def test_a_wrong_gradient_is_wrong_however_backward_is_called():
    for backward in (
        lambda s, p, q: s.both(p, q, 3.0),
        lambda s, p, q: s.both(q, p, 3.0),
        lambda s, *args: s.both(*args, 3.0),
        lambda s, grad_output, x: s.both(x, grad_output, 3.0),
    ):
        assert "wrong" in verdicts(Given(backward), X)


def dense(x, w, b):
    return x @ w + b


FUNCTIONS = {
    "(dy, x, w, b)": lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(0)),
    "(x, w, b, dy)": lambda x, w, b, dy: (dy @ w.T, x.T @ dy, dy.sum(0)),
    "(*args)": lambda *args: (args[3] @ args[1].T, args[0].T @ args[3], args[3].sum(0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_with_inputs_and_adjoint_in_any_order(name):
    assert verdicts(dense, FUNCTIONS[name], X, W, B) == ["ok"] * 3


def test_a_pair_of_jax():
    def fwd(x, w):
        y = np.sin(x) @ w
        return y, (x, w)

    def bwd(residual, g):
        x, w = residual
        return g @ w.T * np.cos(x), np.sin(x).T @ g

    def wrong(residual, g):
        return bwd(residual, g)[0] * 2, bwd(residual, g)[1]

    report = check_backward(fwd, bwd, X, W)
    assert report.called == "bwd(residual, g)"
    assert verdicts(fwd, wrong, X, W) == ["wrong", "ok"]


def test_the_derivative_of_a_loss_takes_its_input():
    w = RNG.normal(size=4)
    assert check_backward(lambda w: (w**2).sum(), lambda w: 2 * w, w).ok
    assert check_backward(lambda v: (v**2).sum(), lambda u: 2 * u, w).ok
    assert verdicts(lambda w: (w**2).sum(), lambda w: 3 * w, w) == ["wrong"]
    assert verdicts(lambda w: (w**2).sum(), lambda dout: 2 * dout, w) == ["wrong"]


def test_methods_and_lambdas_share_their_layer():
    class Layer:
        def __init__(self):
            self.W = W.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, d, rate, scale=1.0):
            self.dW = scale * self.x.T @ d
            return d @ self.W.T

    layer = Layer()
    before = dict(vars(layer))
    assert verdicts(layer.forward, lambda dout: layer.backward(dout, 0.0), X) == ["ok", "ok"]
    wrong = verdicts(layer.forward, lambda dout: layer.backward(dout, 0.0, 2.0), X)
    assert wrong == ["ok", "wrong"]
    assert check_backward(lambda x: layer.forward(x), lambda d: layer.backward(d, 0), X).ok
    assert vars(layer) == before


class CrossEntropy:
    """What it calls dvalues is the prediction."""

    factor = 1

    def forward(self, y_pred, y_true):
        return -np.mean(np.sum(y_true * np.log(y_pred), axis=1))

    def backward(self, dvalues, y_true):
        self.dinputs = -self.factor * y_true / dvalues / len(dvalues)


def test_a_prediction_that_is_called_dvalues():
    p, t = np.abs(X) / 9 + 0.1, np.eye(4)[[0, 1, 2, 3, 0]]
    assert verdicts(CrossEntropy(), p, t) == ["ok", "not given"]
    layer = CrossEntropy()
    layer.factor = 2
    assert "wrong" in verdicts(layer, p, t)


# --- several outputs -----------------------------------------------------------------------------


def test_one_adjoint_for_each_output():
    class Both:
        def forward(self, x):
            self.x = x
            return np.sin(x), np.cos(x)

        factor = 1.0

        def backward(self, ds, dc):
            return ds * np.cos(self.x) - self.factor * dc * np.sin(self.x)

    assert check_backward(Both(), X).ok
    wrong = Both()
    wrong.factor = -1.0
    said = " ".join(str(check_backward(wrong, X, raises=False)).split())
    assert "x: it is wrong for the adjoint of output 1 alone" in said


def test_the_adjoints_of_several_outputs_in_one_tuple():
    class Together:
        def forward(self, x):
            self.x = x
            return np.sin(x), np.cos(x)

        def backward(self, grads):
            ds, dc = grads
            return ds * np.cos(self.x) - dc * np.sin(self.x)

    assert check_backward(Together(), X).ok


def test_an_output_without_an_adjoint_is_left_out():
    class Attention:
        def forward(self, q, k):
            self.q, self.k = q, k
            e = np.exp(q @ k.T)
            self.p = e / e.sum(1, keepdims=True)
            return self.p @ k, self.p

        def backward(self, dout):
            dp = dout @ self.k.T
            ds = self.p * (dp - (dp * self.p).sum(1, keepdims=True))
            return ds @ self.k, ds.T @ self.q + self.p.T @ dout

    assert check_backward(Attention(), 0.3 * X, 0.3 * X[:3]).ok


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTMCell:
    def __init__(self):
        self.W, self.f = RNG.normal(size=(7, 12)) / 2, 1.0

    def forward(self, x, h, c):
        z = np.hstack([x, h])
        a = z @ self.W
        i, f, o = (sigmoid(a[:, k : k + 3]) for k in (0, 3, 6))
        g = np.tanh(a[:, 9:])
        c_next = f * c + i * g
        h_next = o * np.tanh(c_next)
        self.cache = z, i, f, o, g, c, c_next
        return h_next, c_next

    def backward(self, dh, dc):
        z, i, f, o, g, c, c_next = self.cache
        t = np.tanh(c_next)
        dc = dc + self.f * dh * o * (1 - t**2)
        da = np.hstack([
            dc * g * i * (1 - i), dc * c * f * (1 - f), dh * t * o * (1 - o), dc * i * (1 - g**2),
        ])  # fmt: skip
        self.dW = z.T @ da
        dz = da @ self.W.T
        return dz[:, :4], dz[:, 4:], dc * f


def test_an_lstm_cell():
    h, c = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
    assert verdicts(LSTMCell(), X, h, c) == ["ok"] * 4
    wrong = LSTMCell()
    wrong.f = 0.0
    assert "wrong" in verdicts(wrong, X, h, c)


def test_three_outputs_and_a_cache():
    def forward(x, w):
        z = x @ w
        return z, np.tanh(z), z**2, {"x": x, "w": w, "z": z}

    def backward(dz, dt, dq, cache, factor=1.0):
        g = dz + factor * dt * (1 - np.tanh(cache["z"]) ** 2) + 2 * dq * cache["z"]
        return g @ cache["w"].T, cache["x"].T @ g

    assert verdicts(forward, backward, X, W) == ["ok", "ok"]
    wrong = check_backward(
        forward, lambda dz, dt, dq, cache: backward(dz, dt, dq, cache, 2.0), X, W, raises=False
    )
    assert "the adjoint of output 1 alone" in wrong.rows[0].note


# --- which input ---------------------------------------------------------------------------------


def test_one_gradient_for_an_input_that_is_not_the_first():
    report = check_backward(lambda x, theta: theta * x, lambda x, theta: x, 2.0, 4.0)
    assert [row.verdict for row in report.rows] == ["not given", "ok"]
    assert not check_backward(
        lambda x, theta: theta * x, lambda x, theta: 3 * x, 2.0, 4.0, raises=False
    ).ok


def embedding(i, w):
    return w[i]


def test_integers_own_no_gradient():
    def backward(dout, i, w, factor=1.0):
        dw = np.zeros_like(w)
        np.add.at(dw, i, factor * dout)
        return dw

    for given in (
        lambda dout, i, w: backward(dout, i, w),
        lambda dout, i, w: (None, backward(dout, i, w)),
        lambda dout, i, w: (backward(dout, i, w),),
        lambda dout, i, w: {"w": backward(dout, i, w)},
    ):
        assert verdicts(embedding, given, WORDS, W) == ["not given", "ok"]
    wrong = verdicts(embedding, lambda dout, i, w: backward(dout, i, w, 2.0), WORDS, W)
    assert wrong == ["not given", "wrong"]


# --- a loss with its gradients -------------------------------------------------------------------


def test_a_function_may_return_a_loss_and_its_gradients():
    def both(W, b, factor=1.0):
        z = np.tanh(W + b)
        dz = 1 - z**2
        return z.sum(), {"W": dz, "b": factor * dz.sum(0)}

    assert verdicts(both, W, B) == ["ok", "ok"]
    assert verdicts(lambda W, b: both(W, b, 2.0), W, B) == ["ok", "wrong"]
    assert verdicts(lambda W, b: (both(W, b)[0], *both(W, b)[1].values()), W, B) == ["ok", "ok"]
    assert verdicts(lambda W: ((W**2).sum(), 2 * W), W) == ["ok"]
    with pytest.raises(TypeError, match="or two functions"):
        check_backward(np.exp, X)


def test_a_method_may_return_a_loss_and_the_gradients_of_its_parameters():
    class Net:
        def __init__(self):
            self.params = {"W1": W.copy(), "b1": B.copy()}

        def loss(self, x, y):
            p = self.params
            z = x @ p["W1"] + p["b1"]
            d = 2 * (z - y) / len(x)
            return ((z - y) ** 2).sum() / len(x), {"W1": x.T @ d, "b1": self.factor * d.sum(0)}

        factor = 1

    report = check_backward(Net().loss, X, X @ W)
    assert [row.parameter for row in report.rows if row.verdict == "ok"] == [
        "params.W1",
        "params.b1",
    ]
    net = Net()
    net.factor = 2
    assert "wrong" in verdicts(net.loss, X, X @ W)
