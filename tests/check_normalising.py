"""Layers that divide by a sum, a norm or a deviation, as courses write them."""

from written_layers import Written, m

# fmt: off
ADDING = "adding one number to the input along axis {} .*such as that through the sum or the mean"
MULTIPLYING = "multiplying the input along axis {} .*such as that through the norm"


NORMALISING = {
    "Softmax": Written(
        '''
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dout):
        inner = (dout * self.y).sum(axis=1, keepdims=True)
        return self.y * (dout - inner)

def make(rng, n, d, k):
    return Softmax(), rng.normal(size=(n, k))
''',
        (
            m("diagonal", "self.y * (dout - inner)", "self.y * (1 - self.y) * dout",
              f"x: {ADDING.format(1)}"),
            m("other axis", "(dout * self.y).sum(axis=1,", "(dout * self.y).sum(axis=0,",
              f"x: {ADDING.format(1)}"),
            m("sign", "(dout - inner)", "(inner - dout)", "x: the sign is wrong"),
        ),
    ),
    "BatchNorm": Written(
        '''
class BatchNorm:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        centred = x - x.mean(axis=0)
        self.std = np.sqrt((centred**2).mean(axis=0) + 1e-3)
        self.xn = centred / self.std
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xn).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dxn = dout * self.gamma
        return (dxn - dxn.mean(axis=0) - self.xn * (dxn * self.xn).mean(axis=0)) / self.std

def make(rng, n, d, k):
    return BatchNorm(rng.normal(size=d), rng.normal(size=d)), rng.normal(size=(n, d))
''',
        (
            m("statistics", "dxn - dxn.mean(axis=0) - self.xn * (dxn * self.xn).mean(axis=0)",
              "dxn", f"x: {ADDING.format(0)}"),
            m("mean", "dxn - dxn.mean(axis=0)", "dxn", f"x: {ADDING.format(0)}"),
            m("no sum", "(dout * self.xn).sum(axis=0)", "dout * self.xn", "gamma: .*not summed"),
            m("all", "dout.sum(axis=0)", "dout.sum()", "beta: .*summed over all"),
        ),
    ),
    "unit length": Written(
        '''
class Unit:
    def forward(self, x):
        self.length = np.sqrt((x * x).sum(axis=1, keepdims=True))
        self.y = x / self.length
        return self.y

    def backward(self, dout):
        inner = (dout * self.y).sum(axis=1, keepdims=True)
        return (dout - self.y * inner) / self.length

def make(rng, n, d, k):
    return Unit(), rng.normal(size=(n, d))
''',
        (
            m("length", "(dout - self.y * inner)", "dout", f"x: {MULTIPLYING.format(1)}"),
            m("square", "self.y * inner", "self.y**2 * inner", f"x: {MULTIPLYING.format(1)}"),
        ),
    ),
    "attention": Written(
        '''
class Attention:
    def forward(self, q, k, v):
        self.q, self.k, self.v, self.scale = q, k, v, 1 / np.sqrt(q.shape[1])
        e = np.exp(q @ k.T * self.scale)
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p @ v

    def backward(self, dout):
        dp = dout @ self.v.T
        ds = self.p * (dp - (dp * self.p).sum(axis=1, keepdims=True)) * self.scale
        return ds @ self.k, ds.T @ self.q, self.p.T @ dout

def make(rng, n, d, k):
    return Attention(), *(rng.normal(size=(n, size)) for size in (d + 1, d + 1, k))
''',
        (
            m("scale", "keepdims=True)) * self.scale", "keepdims=True))",
              r"q: it is 2.23607 times what it should be \(the root of 5\), .*"
              r"k: it is 2.23607 times what it should be"),
            m("scale twice", "keepdims=True)) * self.scale", "keepdims=True)) * self.scale**2",
              r"0.447214 times what it should be \(one over the root of 5\)"),
            m("swapped", "ds @ self.k, ds.T @ self.q", "ds.T @ self.q, ds @ self.k",
              "q: it is the gradient of k"),
            m("transposed", "ds.T @ self.q", "ds @ self.q", "k: "),
            m("v unused in forward", "self.p @ v", "self.p @ np.ones_like(v)",
              "v: moving the input does"),
            m("softmax", "dp - (dp * self.p).sum(axis=1, keepdims=True)", "dp", "k: adding one"),
        ),
    ),
}
