"""Layers that normalise, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import AT_OUTPUT, FACTOR, NOT_SUMMED, PATH, ROW, SIGN, TOO_OFTEN

# fmt: off
NORMS = {
    "batch norm in stages": HandWritten(
        '''
def batchnorm_forward(x, gamma, beta, bn_param):
    mode, eps = bn_param["mode"], bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D))
    running_var = bn_param.get("running_var", np.zeros(D))
    assert mode == "train"
    mu = x.mean(axis=0)
    xmu = x - mu
    var = (xmu ** 2).mean(axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mu
    bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)

def batchnorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    divar = (dxhat * xmu).sum(axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / sqrtvar ** 2 * divar
    dvar = 0.5 / np.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -dx1.sum(axis=0)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    return dx1 + dx2, dgamma, dbeta

def make(rng):
    return (batchnorm_forward, batchnorm_backward, rng.normal(6, 3), rng.normal(3), rng.normal(3),
            {"mode": "train"})
''',
        "f, g, x, gamma, beta, p", "out, cache = f(x, gamma, beta, p)",
        "dx, dgamma, dbeta = g(dout, cache)", "x: dx; gamma: dgamma; beta: dbeta",
        (
            m("path of the mean", "return dx1 + dx2,", "return dx1,", PATH),
            m("path of the variance", "dx1 = dxmu1 + dxmu2", "dx1 = dxmu1", PATH),
            m("factor 2", "dxmu2 = 2 * xmu * dsq", "dxmu2 = xmu * dsq", PATH),
            m("not summed", "dgamma = (dout * xhat).sum(axis=0)", "dgamma = dout * xhat",
              NOT_SUMMED),
            m("gamma from x", "dgamma = (dout * xhat)", "dgamma = (dout * xmu)", ""),
        ),
    ),
    "batch norm that knows train and test": HandWritten(
        '''
class BatchNorm1d:
    def __init__(self, gamma, beta, momentum=0.1, eps=1e-5):
        self.gamma, self.beta = gamma, beta
        self.running_mean = np.zeros_like(gamma)
        self.running_var = np.ones_like(gamma)
        self.momentum, self.eps = momentum, eps
        self.training = True

    def __call__(self, x):
        if self.training:
            mean, var = x.mean(0), x.var(0)
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (var - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        self.inv_std = 1 / np.sqrt(var + self.eps)
        self.x_hat = (x - mean) * self.inv_std
        return self.gamma * self.x_hat + self.beta

    def backward(self, dy):
        n = len(dy)
        self.grad_gamma = np.sum(dy * self.x_hat, axis=0)
        self.grad_beta = np.sum(dy, axis=0)
        dx_hat = dy * self.gamma
        return self.inv_std / n * (
            n * dx_hat - dx_hat.sum(0) - self.x_hat * (dx_hat * self.x_hat).sum(0))

def make(rng):
    return BatchNorm1d(rng.normal(3), rng.normal(3)), rng.normal(5, 3)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)",
        "x: dx; layer.gamma: layer.grad_gamma; layer.beta: layer.grad_beta",
        (
            m("n missing", "n * dx_hat - dx_hat.sum(0)", "dx_hat - dx_hat.sum(0)", PATH),
            m("whole bracket averaged twice", "self.inv_std / n * (", "self.inv_std / n / n * (",
              TOO_OFTEN),
            m("variance", " - self.x_hat * (dx_hat * self.x_hat).sum(0))", ")", PATH),
            m("gamma forgotten", "dx_hat = dy * self.gamma", "dx_hat = dy * 1.0", "gamma"),
            m("sum over features", "np.sum(dy, axis=0)", "np.sum(dy[:3], axis=1)", ""),
        ),
    ),
    "layer norm, functional": HandWritten(
        '''
def layernorm_forward(x, g, b, eps=1e-5):
    mu = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mu) ** 2).mean(-1, keepdims=True) + eps)
    norm = (x - mu) * rstd
    return norm * g + b, (norm, rstd, g)

def layernorm_backward(dout, cache):
    norm, rstd, g = cache
    db = dout.sum(axis=(0, 1))
    dg = (dout * norm).sum(axis=(0, 1))
    dnorm = dout * g
    dx = dnorm - dnorm.mean(-1, keepdims=True) - norm * (dnorm * norm).mean(-1, keepdims=True)
    return dx * rstd, dg, db

def make(rng):
    return layernorm_forward, layernorm_backward, rng.normal(2, 3, 4), rng.normal(4), rng.normal(4)
''',
        "f, g, x, w, b", "out, cache = f(x, w, b)", "dx, dw, db = g(dout, cache)",
        "x: dx; w: dw; b: db",
        (
            m("along the batch", "dnorm.mean(-1, keepdims=True)", "dnorm.mean(0, keepdims=True)",
              PATH),
            m("mean missing", " - dnorm.mean(-1, keepdims=True)", "", PATH),
            m("variance missing", " - norm * (dnorm * norm).mean(-1, keepdims=True)", "", PATH),
            m("rstd forgotten", "return dx * rstd,", "return dx,", ROW),
            m("summed over the batch alone", "db = dout.sum(axis=(0, 1))", "db = dout.sum(axis=0)",
              NOT_SUMMED),
        ),
    ),
    "RMS norm": HandWritten(
        '''
class RMSNorm:
    def __init__(self, weight, eps=1e-6):
        self.weight, self.eps = weight, eps

    def forward(self, x):
        self.x = x
        self.r = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps)
        return x / self.r * self.weight

    def backward(self, grad):
        self.weight_grad = np.sum(grad * self.x / self.r, axis=0)
        h = grad * self.weight
        dot = np.mean(h * self.x, axis=-1, keepdims=True)
        return h / self.r - self.x * dot / self.r ** 3

def make(rng):
    return RMSNorm(rng.normal(4)), rng.normal(3, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.weight: layer.weight_grad",
        (
            m("norm as a constant", " - self.x * dot / self.r ** 3", "", PATH),
            m("square in place of the cube", "dot / self.r ** 3", "dot / self.r ** 2", PATH),
            m("sum in place of the mean", "dot = np.mean(", "dot = np.sum(", PATH),
            m("not normalised", "np.sum(grad * self.x / self.r, axis=0)",
              "np.sum(grad * self.x, axis=0)", ""),
            m("sign of the path", "h / self.r - self.x", "h / self.r + self.x", PATH),
        ),
    ),
    "group norm": HandWritten(
        '''
def group_norm(x, gamma, beta, G=2, eps=1e-5):
    N, C, H, W = x.shape
    xg = x.reshape(N, G, -1)
    mean, var = xg.mean(axis=2, keepdims=True), xg.var(axis=2, keepdims=True)
    std = np.sqrt(var + eps)
    xn = ((xg - mean) / std).reshape(N, C, H, W)
    return gamma * xn + beta, (G, std, xn, gamma)

def group_norm_backward(dout, cache):
    G, std, xn, gamma = cache
    N, C, H, W = dout.shape
    dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
    dgamma = (dout * xn).sum(axis=(0, 2, 3), keepdims=True)
    dxn = (dout * gamma).reshape(N, G, -1)
    n = xn.reshape(N, G, -1)
    dx = dxn - dxn.mean(axis=2, keepdims=True) - n * (dxn * n).mean(axis=2, keepdims=True)
    return (dx / std).reshape(N, C, H, W), dgamma, dbeta

def make(rng):
    return (group_norm, group_norm_backward, rng.normal(2, 4, 2, 2), rng.normal(1, 4, 1, 1),
            rng.normal(1, 4, 1, 1))
''',
        "f, g, x, gamma, beta", "out, cache = f(x, gamma, beta)",
        "dx, dgamma, dbeta = g(dout, cache)", "x: dx; gamma: dgamma; beta: dbeta",
        (
            m("variance missing", " - n * (dxn * n).mean(axis=2, keepdims=True)", "", PATH),
            m("mean missing", " - dxn.mean(axis=2, keepdims=True)", "", PATH),
            m("dimensions not kept", "dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)",
              "dbeta = dout.sum(axis=(0, 2, 3))", "reshape"),
            m("batch not summed", "(dout * xn).sum(axis=(0, 2, 3), keepdims=True)",
              "(dout * xn).sum(axis=(2, 3), keepdims=True)", NOT_SUMMED),
        ),
    ),
    "instance norm without parameters": HandWritten(
        '''
class InstanceNorm:
    def forward(self, x):
        axes = tuple(range(2, x.ndim))
        self.axes = axes
        self.std = x.std(axis=axes, keepdims=True) + 1e-5
        self.y = (x - x.mean(axis=axes, keepdims=True)) / self.std
        self.raw = x.std(axis=axes, keepdims=True)
        return self.y

    def backward(self, d):
        mean = d.mean(axis=self.axes, keepdims=True)
        proj = (d * self.y).mean(axis=self.axes, keepdims=True)
        return (d - mean - self.y * self.std / self.raw * proj) / self.std

def make(rng):
    return InstanceNorm(), rng.normal(2, 2, 3, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("both paths", "(d - mean - self.y * self.std / self.raw * proj)", "d", PATH),
            m("mean", "(d - mean - self.y", "(d - self.y", PATH),
            m("sum in place of mean", "proj = (d * self.y).mean(", "proj = (d * self.y).sum(",
              PATH),
            m("sign", "return (d - mean", "return -(d - mean", SIGN),
        ),
    ),
    "weight normalisation": HandWritten(
        '''
class WeightNormLinear:
    def __init__(self, v, g):
        self.v, self.g = v, g

    def forward(self, x):
        self.x = x
        self.norm = np.sqrt((self.v ** 2).sum(axis=0))
        self.w = self.g * self.v / self.norm
        return x @ self.w

    def backward(self, dout):
        dw = self.x.T @ dout
        self.dg = (dw * self.v).sum(axis=0) / self.norm
        self.dv = self.g / self.norm * dw - self.g * self.dg / self.norm ** 2 * self.v
        return dout @ self.w.T

def make(rng):
    return WeightNormLinear(rng.normal(4, 3), rng.normal(3)), rng.normal(5, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.v: layer.dv; layer.g: layer.dg",
        (
            m("norm as a constant", " - self.g * self.dg / self.norm ** 2 * self.v", "", PATH),
            m("norm not squared", "self.dg / self.norm ** 2 * self.v",
              "self.dg / self.norm * self.v", PATH),
            m("not divided", "(dw * self.v).sum(axis=0) / self.norm",
              "(dw * self.v).sum(axis=0)", "", also=PATH),
            m("mean", "(dw * self.v).sum(axis=0) / self.norm", "(dw * self.v).mean(axis=0) / "
              "self.norm", FACTOR, also=PATH),
            m("v for w", "return dout @ self.w.T", "return dout @ self.v.T", ""),
        ),
    ),
    "unit length of rows": HandWritten(
        '''
def normalize(x):
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / norm, (x, norm)

def normalize_backward(dy, cache):
    x, norm = cache
    y = x / norm
    return (dy - y * np.sum(y * dy, axis=-1, keepdims=True)) / norm

def make(rng):
    return normalize, normalize_backward, rng.normal(4, 3)
''',
        "f, g, x", "out, cache = f(x)", "dx = g(dout, cache)", "x: dx",
        (
            m("x in place of y", "np.sum(y * dy", "np.sum(x * dy", PATH),
            m("not divided", " / norm\n\ndef make", "\n\ndef make", ROW + "|" + AT_OUTPUT),
            m("other axis", "np.sum(y * dy, axis=-1, keepdims=True)",
              "np.sum(y * dy, axis=0, keepdims=True)", PATH),
        ),
    ),
}
