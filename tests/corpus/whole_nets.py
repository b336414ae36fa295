"""Dropout, blocks and whole small nets, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import (
    ADJOINT,
    FACTOR,
    NOT_SUMMED,
    ONE_PART,
    SIGN,
    SUMMAND,
    TOO_OFTEN,
    TRANSPOSED,
    TWICE,
    WROTE,
)

# fmt: off
NETS = {
    "inverted dropout": HandWritten(
        '''
class Dropout:
    def __init__(self, p=0.4):
        self.p = p
        self.training = True

    def forward(self, x):
        if not self.training:
            return x
        self.mask = (np.random.rand(*x.shape) > self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask

def make(rng):
    return Dropout(), rng.normal(4, 5)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("scale forgotten", "return dout * self.mask", "return dout * (self.mask > 0)",
              FACTOR),
            m("scale twice", "return dout * self.mask", "return dout * self.mask / (1 - self.p)",
              FACTOR),
            m("mask drawn again", "return dout * self.mask", "return dout * "
              "((np.random.rand(*dout.shape) > self.p) / (1 - self.p))",
              "random|two results|different|another mask"),
            m("no mask", "return dout * self.mask", "return dout / (1 - self.p)", "should be 0"),
        ),
    ),
    "dropout as a function with settings": HandWritten(
        '''
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < p) / p
        out = x * mask
    else:
        out = x
    return out, (dropout_param, mask)

def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout

def make(rng):
    return dropout_forward, dropout_backward, rng.normal(3, 6), {"p": 0.5, "mode": "train"}
''',
        "f, g, x, p", "out, cache = f(x, p)", "dx = g(dout, cache)", "x: dx",
        (
            m("scale forgotten", "return dout * mask if", "return dout * (mask > 0) if", FACTOR),
            m("not masked", "return dout * mask if", 'return dout / dropout_param["p"] if',
              "should be 0"),
            m("adjoint", "return dout * mask if", "return mask if", ADJOINT),
        ),
    ),
    "dropout with its own generator": HandWritten(
        '''
class Dropout:
    def __init__(self, rate, seed):
        self.rate = rate
        self.rng = np.random.default_rng(seed)

    def __call__(self, x):
        self.keep = self.rng.random(x.shape) >= self.rate
        return np.where(self.keep, x / (1 - self.rate), 0.0)

    def backward(self, grad):
        return np.where(self.keep, grad / (1 - self.rate), 0.0)

def make(rng):
    return Dropout(0.3, 5), rng.normal(5, 4)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("scale", "np.where(self.keep, grad / (1 - self.rate)", "np.where(self.keep, grad",
              FACTOR),
            m("other way round", "np.where(self.keep, grad / (1 - self.rate), 0.0)",
              "np.where(self.keep, 0.0, grad / (1 - self.rate))", "the wrong way round"),
            m("by the rate", "grad / (1 - self.rate)", "grad / self.rate", FACTOR),
        ),
    ),
    "residual block": HandWritten(
        '''
class Linear:
    def __init__(self, w):
        self.w = w
        self.grad = None

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, g):
        self.dw = self.x.T @ g
        return g @ self.w.T

class ReLU:
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, g):
        return g * self.on

class Residual:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x):
        y = x
        for layer in self.layers:
            y = layer.forward(y)
        return x + y

    def backward(self, g):
        d = g
        for layer in self.layers[::-1]:
            d = layer.backward(d)
        return g + d

def make(rng):
    return Residual(Linear(rng.normal(4, 6)), ReLU(), Linear(rng.normal(6, 4))), rng.normal(5, 4)
''',
        "block, x", "out = block.forward(x)", "dx = block.backward(dout)",
        "x: dx; block.layers[0].w: block.layers[0].dw; block.layers[2].w: block.layers[2].dw",
        (
            m("skip forgotten", "return g + d", "return d", SUMMAND),
            m("branch forgotten", "return g + d", "return g", ""),
            m("skip twice", "return g + d", "return 2 * g + d", SUMMAND),
            m("adjoint added to in place", "return g + d", "g += d; return g", WROTE, aside=True),
        ),
    ),
    "autoencoder with tied weights": HandWritten(
        '''
class TiedAutoencoder:
    def __init__(self, W, b, c):
        self.W, self.b, self.c = W, b, c

    def forward(self, x):
        self.x = x
        self.h = 1 / (1 + np.exp(-(x @ self.W + self.b)))
        return self.h @ self.W.T + self.c

    def backward(self, dout):
        self.dc = dout.sum(axis=0)
        dh = dout @ self.W
        dz = dh * self.h * (1 - self.h)
        self.db = dz.sum(axis=0)
        self.dW = self.x.T @ dz + dout.T @ self.h
        return dz @ self.W.T

def make(rng):
    return TiedAutoencoder(rng.normal(4, 3), rng.normal(3), rng.normal(4)), rng.normal(5, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W: layer.dW; layer.b: layer.db; layer.c: layer.dc",
        (
            m("encoder alone", "self.x.T @ dz + dout.T @ self.h", "self.x.T @ dz", ""),
            m("decoder alone", "self.x.T @ dz + dout.T @ self.h", "dout.T @ self.h",
              ""),
            m("b before the slope", "self.db = dz.sum(axis=0)", "self.db = dh.sum(axis=0)", ""),
            m("slope of tanh", "dh * self.h * (1 - self.h)", "dh * (1 - self.h ** 2)", ""),
        ),
    ),
    "sampling a latent variable": HandWritten(
        '''
class Reparameterize:
    def forward(self, mu, logvar):
        self.std = np.exp(0.5 * logvar)
        self.eps = np.random.randn(*mu.shape)
        return mu + self.std * self.eps

    def backward(self, dz):
        return dz, 0.5 * dz * self.eps * self.std

def make(rng):
    return Reparameterize(), rng.normal(4, 3), rng.normal(4, 3)
''',
        "layer, mu, logvar", "out = layer.forward(mu, logvar)",
        "dmu, dlv = layer.backward(dout)", "mu: dmu; logvar: dlv",
        (
            m("half", "0.5 * dz * self.eps", "dz * self.eps", TWICE),
            m("std forgotten", "self.eps * self.std\n", "self.eps\n", ""),
            m("noise forgotten", "0.5 * dz * self.eps * self.std", "0.5 * dz * self.std", ""),
        ),
    ),
    "squeeze and excite": HandWritten(
        '''
class SqueezeExcite:
    def __init__(self, w1, w2):
        self.w1, self.w2 = w1, w2

    def forward(self, x):
        self.x = x
        self.s = x.mean(axis=(2, 3))
        self.z = np.maximum(self.s @ self.w1, 0)
        self.gate = 1 / (1 + np.exp(-self.z @ self.w2))
        return x * self.gate[:, :, None, None]

    def backward(self, dy):
        dgate = (dy * self.x).sum(axis=(2, 3))
        da = dgate * self.gate * (1 - self.gate)
        self.dw2 = self.z.T @ da
        dz = da @ self.w2.T * (self.z > 0)
        self.dw1 = self.s.T @ dz
        ds = dz @ self.w1.T
        h, w = self.x.shape[2:]
        return dy * self.gate[:, :, None, None] + ds[:, :, None, None] / (h * w)

def make(rng):
    return SqueezeExcite(rng.normal(3, 4), rng.normal(4, 3)), rng.normal(2, 3, 2, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.w1: layer.dw1; layer.w2: layer.dw2",
        (
            m("path through the gate", " + ds[:, :, None, None] / (h * w)", "", ""),
            m("mean of the squeeze", "ds[:, :, None, None] / (h * w)", "ds[:, :, None, None]", ""),
            m("gate by its own", "dgate = (dy * self.x)", "dgate = (dy * 1.0)", ""),
            m("mean in place of the sum", "(dy * self.x).sum(axis=(2, 3))",
              "(dy * self.x).mean(axis=(2, 3))", FACTOR),
        ),
    ),
    "highway": HandWritten(
        '''
class Highway:
    def __init__(self, Wh, Wt, bt):
        self.Wh, self.Wt, self.bt = Wh, Wt, bt

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.Wh)
        self.t = 1 / (1 + np.exp(-(x @ self.Wt + self.bt)))
        return self.t * self.h + (1 - self.t) * x

    def backward(self, dy):
        dh = dy * self.t * (1 - self.h ** 2)
        dt = dy * (self.h - self.x) * self.t * (1 - self.t)
        self.dWh, self.dWt = self.x.T @ dh, self.x.T @ dt
        self.dbt = dt.sum(axis=0)
        return dh @ self.Wh.T + dt @ self.Wt.T + dy * (1 - self.t)

def make(rng):
    return Highway(rng.normal(4, 4), rng.normal(4, 4), rng.normal(4)), rng.normal(3, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.Wh: layer.dWh; layer.Wt: layer.dWt; layer.bt: layer.dbt",
        (
            m("carry forgotten", " + dy * (1 - self.t)", "", ""),
            m("turned", "self.dWh, self.dWt = self.x.T @ dh,",
              "self.dWh, self.dWt = dh.T @ self.x,",
              TRANSPOSED),
            m("gate's difference", "(self.h - self.x)", "self.h", ""),
            m("b averaged", "self.dbt = dt.sum(axis=0)", "self.dbt = dt.mean(axis=0)", TOO_OFTEN),
        ),
    ),
    "tokens with positions": HandWritten(
        '''
class TokenAndPosition:
    def __init__(self, tokens, positions):
        self.tokens, self.positions = tokens, positions

    def forward(self, ids):
        self.ids = ids
        return self.tokens[ids] + self.positions[:ids.shape[1]]

    def backward(self, grad):
        self.grad_tokens = np.zeros_like(self.tokens)
        self.grad_positions = np.zeros_like(self.positions)
        np.add.at(self.grad_tokens, self.ids.ravel(), grad.reshape(-1, grad.shape[-1]))
        self.grad_positions[:grad.shape[1]] = grad.sum(axis=0)

def make(rng):
    return TokenAndPosition(rng.normal(4, 3), rng.normal(5, 3)), rng.integers(4, 3, 5)
''',
        "layer, ids", "out = layer.forward(ids)", "layer.backward(dout)",
        "layer.tokens: layer.grad_tokens; layer.positions: layer.grad_positions",
        (
            m("first sample alone", "grad.sum(axis=0)", "grad[0]", ONE_PART),
            m("positions of one", "= grad.sum(axis=0)", "= np.ones_like(grad).sum(axis=0)",
              ADJOINT),
            m("mean", "= grad.sum(axis=0)", "= grad.mean(axis=0)", TOO_OFTEN),
            m("tokens assigned", "np.add.at(self.grad_tokens, self.ids.ravel(), "
              "grad.reshape(-1, grad.shape[-1]))", "self.grad_tokens[self.ids.ravel()] += "
              "grad.reshape(-1, grad.shape[-1])", "more than once|" + ONE_PART),
        ),
    ),
    "radial basis functions": HandWritten(
        '''
class RBF:
    def __init__(self, centers, width):
        self.centers, self.width = centers, width

    def forward(self, x):
        self.diff = x[:, None, :] - self.centers[None]
        self.d2 = (self.diff ** 2).sum(axis=2)
        self.phi = np.exp(-self.d2 / (2 * self.width ** 2))
        return self.phi

    def backward(self, dphi):
        common = dphi * self.phi / self.width ** 2
        self.dcenters = (common[:, :, None] * self.diff).sum(axis=0)
        self.dwidth = (common * self.d2 / self.width).sum(axis=0)
        return -(common[:, :, None] * self.diff).sum(axis=1)

def make(rng):
    return RBF(rng.normal(4, 2), rng.uniform(0.8, 1.6, 4)), rng.normal(5, 2)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.centers: layer.dcenters; layer.width: layer.dwidth",
        (
            m("sign", "return -(common", "return (common", SIGN),
            m("factor 2", "common = dphi * self.phi / self.width ** 2",
              "common = dphi * self.phi / (2 * self.width ** 2)", "half of what it should be"),
            m("width forgotten", "self.d2 / self.width)", "self.d2)", "width"),
            m("not summed", ".sum(axis=0)\n        self.dwidth", "\n        self.dwidth",
              NOT_SUMMED),
        ),
    ),
}
