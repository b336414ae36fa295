"""Whole small nets, in the styles of courses."""

from hand_written import HandWritten, m
from patterns import (
    ADJOINT,
    FACTOR,
    NO_MEAN,
    NOT_SUMMED,
    SHAPE,
    SIGN,
    SUMMAND,
    TOO_OFTEN,
    TRANSPOSED,
    ZERO,
)

# fmt: off
COURSE_NETS = {
    "layers in a list, params and grads in lists": HandWritten(
        '''
class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x = None

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, b = self.params
        dx = np.dot(dout, W.T)
        dW = np.dot(self.x.T, dout)
        db = np.sum(dout, axis=0)
        self.grads[0][...] = dW
        self.grads[1][...] = db
        return dx

class Sigmoid:
    def __init__(self):
        self.params, self.grads = [], []
        self.out = None

    def forward(self, x):
        out = 1 / (1 + np.exp(-x))
        self.out = out
        return out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out

class TwoLayerNet:
    def __init__(self, W1, b1, W2, b2):
        self.layers = [Affine(W1, b1), Sigmoid(), Affine(W2, b2)]
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

def make(rng):
    net = TwoLayerNet(rng.normal(3, 4), rng.normal(4), rng.normal(4, 2), rng.normal(2))
    return net, rng.normal(5, 3)
''',
        "net, x", "out = net.forward(x)", "dx = net.backward(dout)",
        "x: dx; net.params[0]: net.grads[0]; net.params[1]: net.grads[1];"
        "net.params[2]: net.grads[2]; net.params[3]: net.grads[3]",
        (
            m("b never written", "        self.grads[1][...] = db\n", "", ZERO),
            m("half of the sigmoid's slope", "dout * (1.0 - self.out) * self.out",
              "dout * (1.0 - self.out)", ""),
            m("b of ones", "db = np.sum(dout, axis=0)",
              "db = np.sum(np.ones_like(dout), axis=0)", ADJOINT),
            m("order of the layers", "for layer in reversed(self.layers):\n            dout",
              "for layer in reversed(self.layers[1:]):\n            dout", SHAPE + "|" + ZERO),
        ),
    ),
    "loss and gradients of a two-layer net": HandWritten(
        '''
class TwoLayerNet:
    def __init__(self, W1, b1, W2, b2, reg):
        self.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
        self.reg = reg

    def loss(self, X, y):
        W1, b1 = self.params["W1"], self.params["b1"]
        W2, b2 = self.params["W2"], self.params["b2"]
        N = X.shape[0]
        hidden = np.maximum(0, X @ W1 + b1)
        scores = hidden @ W2 + b2
        scores = scores - scores.max(axis=1, keepdims=True)
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(probs[np.arange(N), y]).sum() / N
        loss += 0.5 * self.reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

        grads = {}
        dscores = probs.copy()
        dscores[np.arange(N), y] -= 1
        dscores /= N
        grads["W2"] = hidden.T @ dscores + self.reg * W2
        grads["b2"] = dscores.sum(axis=0)
        dhidden = dscores @ W2.T
        dhidden[hidden <= 0] = 0
        grads["W1"] = X.T @ dhidden + self.reg * W1
        grads["b1"] = dhidden.sum(axis=0)
        return loss, grads

def make(rng):
    net = TwoLayerNet(rng.normal(4, 6), rng.normal(6), rng.normal(6, 3), rng.normal(3), 0.3)
    loss = lambda X, y: net.loss(X, y)[0]
    gradient = lambda X, y: net.loss(X, y)[1]
    settings = {"parameters": net.params}
    return (loss, gradient, rng.normal(5, 4), rng.integers(3, 5)), settings
''',
        "f, g, X, y", "out = f(X, y); net = f.__closure__[0].cell_contents", "grads = g(X, y)",
        "f.__closure__[0].cell_contents.params['W1']: grads['W1'];"
        "f.__closure__[0].cell_contents.params['b1']: grads['b1'];"
        "f.__closure__[0].cell_contents.params['W2']: grads['W2'];"
        "f.__closure__[0].cell_contents.params['b2']: grads['b2']",
        (
            m("no mean", "        dscores /= N\n", "", ""),
            m("weight decay of W2 missing", "hidden.T @ dscores + self.reg * W2",
              "hidden.T @ dscores", SUMMAND),
            m("mask of the wrong array", "dhidden[hidden <= 0] = 0", "dhidden[dhidden <= 0] = 0",
              ""),
            m("mean over the samples again", 'grads["b2"] = dscores.sum(axis=0)',
              'grads["b2"] = dscores.mean(axis=0)', TOO_OFTEN),
        ),
    ),
    "a net of many layers with caches": HandWritten(
        '''
def relu(Z):
    return np.maximum(0, Z), Z

def linear_forward(A, W, b):
    return W.dot(A) + b, (A, W, b)

def linear_activation_forward(A_prev, W, b):
    Z, linear_cache = linear_forward(A_prev, W, b)
    A, activation_cache = relu(Z)
    return A, (linear_cache, activation_cache)

def relu_backward(dA, activation_cache):
    Z = activation_cache
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ

def linear_activation_backward(dA, cache):
    (A_prev, W, b), Z = cache
    dZ = relu_backward(dA, Z)
    dW = np.dot(dZ, A_prev.T)
    db = np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db

def make(rng):
    return (linear_activation_forward, linear_activation_backward,
            rng.normal(4, 6), rng.normal(4, 4), rng.normal(4, 1))
''',
        "f, g, A, W, b", "out, cache = f(A, W, b)", "dA, dW, db = g(dout, cache)",
        "A: dA; W: dW; b: db",
        (
            m("1/m twice", "dW = np.dot(dZ, A_prev.T)", "dW = np.dot(dZ, A_prev.T) / dZ.shape[1]",
              TOO_OFTEN + "|" + FACTOR),
            m("wrong axis", "np.sum(dZ, axis=1, keepdims=True)",
              "np.sum(dZ, axis=0, keepdims=True).T[:4]", ""),
            m("mask from dA", "dZ[Z <= 0] = 0", "dZ[dA <= 0] = 0", ""),
            m("transposed", "dA_prev = np.dot(W.T, dZ)", "dA_prev = np.dot(W, dZ)", "transposed"),
            m("dA written into", "np.array(dA, copy=True)", "dA", "wrote into the adjoint",
              aside=True),
        ),
    ),
    "Sequential with an optimizer's buffers": HandWritten(
        '''
class Dense:
    def __init__(self, W, b):
        self.params = {"W": W, "b": b}
        self.grads = {"W": np.zeros_like(W), "b": np.zeros_like(b)}
        self.velocity = {"W": np.zeros_like(W), "b": np.zeros_like(b)}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, d):
        self.grads["W"] = self.x.T @ d
        self.grads["b"] = d.sum(axis=0)
        return d @ self.params["W"].T

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, d):
        return d * (1 - self.y ** 2)

class Sequential:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d

def make(rng):
    return Sequential([Dense(rng.normal(3, 5), rng.normal(5)), Tanh(),
                       Dense(rng.normal(5, 2), rng.normal(2))]), rng.normal(4, 3)
''',
        "net, x", "out = net.forward(x)", "dx = net.backward(dout)",
        "x: dx; net.layers[0].params['W']: net.layers[0].grads['W'];"
        "net.layers[0].params['b']: net.layers[0].grads['b'];"
        "net.layers[2].params['W']: net.layers[2].grads['W'];"
        "net.layers[2].params['b']: net.layers[2].grads['b']",
        (
            m("b averaged", 'self.grads["b"] = d.sum(axis=0)', 'self.grads["b"] = d.mean(axis=0)',
              TOO_OFTEN),
            m("slope", "d * (1 - self.y ** 2)", "d * (1 - self.y) ** 2", ""),
            m("layers in order", "for layer in reversed(self.layers):\n            d = layer",
              "for layer in self.layers[2:]:\n            d = layer", ""),
            m("sign", 'self.grads["W"] = self.x.T @ d', 'self.grads["W"] = -self.x.T @ d', SIGN),
        ),
    ),
    "small convolutional net with a loss": HandWritten(
        '''
class SimpleConvNet:
    def __init__(self, W1, b1, W2, b2):
        self.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    def loss(self, x, t):
        p = self.params
        n = len(x)
        self.x = x
        self.patches = np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 2))
        self.conv = np.einsum("nijab,fab->nfij", self.patches, p["W1"])
        self.conv = self.conv + p["b1"][:, None, None]
        self.act = np.maximum(self.conv, 0)
        self.flat = self.act.mean(axis=(2, 3))
        scores = self.flat @ p["W2"] + p["b2"]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.probs, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.mean(np.log(self.probs[np.arange(n), t]))

    def gradient(self, x, t):
        self.loss(x, t)
        p = self.params
        n, f, h, w = self.conv.shape
        d = self.probs.copy()
        d[np.arange(n), t] -= 1
        d /= n
        grads = {"W2": self.flat.T @ d, "b2": d.sum(axis=0)}
        dflat = d @ p["W2"].T
        dconv = dflat[:, :, None, None] / (h * w) * (self.conv > 0)
        grads["W1"] = np.einsum("nijab,nfij->fab", self.patches, dconv)
        grads["b1"] = dconv.sum(axis=(0, 2, 3))
        return grads

def make(rng):
    net = SimpleConvNet(rng.normal(3, 2, 2), rng.normal(3), rng.normal(3, 4), rng.normal(4))
    return net.loss, net.gradient, rng.normal(5, 3, 4), rng.integers(4, 5)
''',
        "f, g, x, t", "net = f.__self__; out = f(x, t)", "d = g(x, t)",
        "f.__self__.params['W1']: d['W1']; f.__self__.params['b1']: d['b1'];"
        "f.__self__.params['W2']: d['W2']; f.__self__.params['b2']: d['b2']",
        (
            m("no mean of the batch", "        d /= n\n", "", NO_MEAN),
            m("no mean of the pooling", " / (h * w) *", " *", FACTOR),
            m("kernel turned", '"nijab,nfij->fab"', '"nijab,nfij->fba"', TRANSPOSED),
            m("mask forgotten", " * (self.conv > 0)", "", ""),
            m("b1 not summed over the pictures", "dconv.sum(axis=(0, 2, 3))",
              "dconv.sum(axis=(2, 3))", NOT_SUMMED),
        ),
    ),
}
