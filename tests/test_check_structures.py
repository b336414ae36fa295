"""What is given to forward and backward: settings as they are, and numbers in dicts and lists."""

import numpy as np

from tinygrad_edu import check_backward

RNG = np.random.default_rng(9)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)


def verdicts(*args, **options):
    return [row.verdict for row in check_backward(*args, **options, raises=False).rows]


def test_settings_are_passed_on_as_they_are():
    def forward(x, w, act, h0, sizes):
        assert (act, h0, sizes) == ("relu", None, (3, 4))
        z = x @ w
        return (np.maximum(z, 0) if act == "relu" else z), (x, w, z, act)

    def backward(dA, cache, act):
        x, w, z, kept = cache
        assert act == kept == "relu"
        dz = dA * (z > 0)
        return dz @ w.T, x.T @ dz

    report = check_backward(forward, backward, X, W, "relu", None, (3, 4))
    assert [(row.parameter, row.verdict) for row in report.rows] == [("x", "ok"), ("w", "ok")]


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running = bn_param.get("running_mean", np.zeros(x.shape[1]))
    mean, var = x.mean(0), x.var(0)
    bn_param["running_mean"] = momentum * running + (1 - momentum) * mean
    xn = (x - mean) / np.sqrt(var + eps)
    return gamma * xn + beta, (xn, gamma, var, eps)


def batchnorm_backward(dout, cache):
    xn, gamma, var, eps = cache
    dxn = dout * gamma
    dx = (dxn - dxn.mean(0) - xn * (dxn * xn).mean(0)) / np.sqrt(var + eps)
    return dx, (dout * xn).sum(0), dout.sum(0)


def test_a_dict_of_settings():
    settings = {"mode": "train", "eps": 1e-5, "running_mean": np.zeros(4)}
    gamma, beta = RNG.normal(size=4), RNG.normal(size=4)
    report = check_backward(batchnorm_forward, batchnorm_backward, X, gamma, beta, settings)
    assert [(row.parameter, row.verdict) for row in report.rows] == [
        ("x", "ok"), ("gamma", "ok"), ("beta", "ok"),
    ]  # fmt: skip
    assert settings["running_mean"].tolist() == [0, 0, 0, 0]


def test_a_dict_of_arrays_is_a_set_of_named_variables():
    parameters = {"W1": RNG.normal(size=(4, 3)), "b1": B, "W2": RNG.normal(size=(3, 1))}
    y = RNG.normal(size=(5, 1))

    def forward(X, Y, parameters):
        z = np.tanh(X @ parameters["W1"] + parameters["b1"])
        out = z @ parameters["W2"]
        return ((out - Y) ** 2).mean(), {"z": z, "out": out}

    def backward(parameters, cache, X, Y, factor=1):
        d = 2 * (cache["out"] - Y) / len(Y)
        dz = d @ parameters["W2"].T * (1 - cache["z"] ** 2)
        return {"dW1": X.T @ dz, "db1": factor * dz.sum(0), "dW2": cache["z"].T @ d}

    report = check_backward(forward, backward, X, y, parameters)
    assert [row.parameter for row in report.rows if row.verdict == "ok"] == ["W1", "b1", "W2"]
    assert report.called == "backward(parameters, cache, X, Y)"
    wrong = check_backward(
        forward, lambda parameters, cache, X, Y: backward(parameters, cache, X, Y, 3), X, y,
        parameters, raises=False,
    )  # fmt: skip
    assert [row.parameter for row in wrong.rows if row.verdict == "wrong"] == ["b1"]


def test_lists_of_arrays_in_and_out():
    def forward(xs, w):
        return [np.tanh(x @ w) for x in xs]

    def backward(xs, w, dys, factor=1):
        dzs = [dy * (1 - np.tanh(x @ w) ** 2) for x, dy in zip(xs, dys, strict=True)]
        dw = sum(x.T @ dz for x, dz in zip(xs, dzs, strict=True))
        return [factor * dz @ w.T for dz in dzs], dw

    xs = [X[:2], X[2:]]
    report = check_backward(forward, backward, xs, W)
    assert [(row.parameter, row.verdict) for row in report.rows] == [
        ("xs[0]", "ok"), ("xs[1]", "ok"), ("w", "ok"),
    ]  # fmt: skip
    wrong = verdicts(forward, lambda xs, w, dys: backward(xs, w, dys, 2), xs, W)
    assert wrong == ["wrong", "wrong", "ok"]


def test_a_context_that_keeps_what_forward_saves():
    class Context:
        def save(self, *arrays):
            self.saved = arrays

    def forward(ctx, x, w):
        ctx.save(x, w)
        return x @ w

    def backward(ctx, grad_output):
        x, w = ctx.saved
        return grad_output @ w.T, x.T @ grad_output

    report = check_backward(forward, backward, Context(), X, W)
    assert [row.verdict for row in report.rows] == ["ok", "ok"]


class Product:
    """As a function of a small engine: static methods, and a context that it is given."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        ctx.power = 2
        return x @ w**ctx.power

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        return grad_output @ (w**ctx.power).T, x.T @ grad_output * 2 * w


class WrongProduct(Product):
    @staticmethod
    def backward(ctx, grad_output):
        dx, dw = Product.backward(ctx, grad_output)
        return dx, -dw


def test_a_class_of_static_methods_gets_a_context():
    assert verdicts(Product, X, W) == ["ok", "ok"]
    assert verdicts(WrongProduct, X, W) == ["ok", "wrong"]
