"""Layers by where people keep parameters and gradients, and how they call backward."""

from hand_written import HandWritten, m
from patterns import (
    ADJOINT,
    FACTOR,
    HALF,
    LEFT_OUT,
    NO_MEAN,
    NONE,
    NOT_SUMMED,
    SIGN,
    SWAPPED,
    TOO_OFTEN,
    TRANSPOSED,
    TWICE,
)

# fmt: off
KEEPERS = {
    "parameters with value and grad": HandWritten(
        '''
class Param:
    def __init__(self, value):
        self.value = value
        self.grad = np.zeros_like(value)

class Dense:
    def __init__(self, W, b):
        self.W, self.b = Param(W), Param(b)

    def params(self):
        return {"W": self.W, "b": self.b}

    def forward(self, X):
        self.X = X
        return X @ self.W.value + self.b.value

    def backward(self, d_out):
        self.W.grad = self.X.T @ d_out
        self.b.grad = d_out.sum(axis=0, keepdims=True)
        return d_out @ self.W.value.T

def make(rng):
    return Dense(rng.normal(3, 3), rng.normal(1, 3)), rng.normal(4, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W.value: layer.W.grad; layer.b.value: layer.b.grad",
        (
            m("transposed", "self.W.grad = self.X.T @ d_out", "self.W.grad = d_out.T @ self.X",
              TRANSPOSED),
            m("no sum", "d_out.sum(axis=0, keepdims=True)", "d_out", NOT_SUMMED),
            m("sign", "self.W.grad = self.X.T", "self.W.grad = -self.X.T", SIGN),
        ),
    ),
    "gradients in a dict with d": HandWritten(
        '''
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.grads = {}

    def forward(self, x):
        self.x = x
        return self.x.dot(self.W) + self.b

    def backward(self, dz):
        self.grads = {"dW": self.x.T.dot(dz), "db": dz.sum(axis=0)}
        return dz.dot(self.W.T)

def make(rng):
    return Affine(rng.normal(3, 2), rng.normal(2)), rng.normal(4, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W: layer.grads['dW']; layer.b: layer.grads['db']",
        (
            m("mean", 'dz.sum(axis=0)}', 'dz.mean(axis=0)}', TOO_OFTEN),
            m("doubled", '{"dW": self.x.T', '{"dW": 2 * self.x.T', TWICE),
            m("one missing", ', "db": dz.sum(axis=0)}', "}", NONE),
        ),
    ),
    "dict of parameters in, dict of gradients out": HandWritten(
        '''
def forward(X, parameters):
    Z1 = X @ parameters["W1"] + parameters["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ parameters["W2"] + parameters["b2"]
    return Z2, {"X": X, "A1": A1, "parameters": parameters}

def backward(dZ2, cache):
    X, A1, p = cache["X"], cache["A1"], cache["parameters"]
    dZ1 = (dZ2 @ p["W2"].T) * (1 - A1 ** 2)
    return {
        "dX": dZ1 @ p["W1"].T,
        "dW2": A1.T @ dZ2,
        "db2": dZ2.sum(axis=0),
        "dW1": X.T @ dZ1,
        "db1": dZ1.sum(axis=0),
    }

def make(rng):
    return forward, backward, rng.normal(4, 3), {
        "W1": rng.normal(3, 5), "b1": rng.normal(5), "W2": rng.normal(5, 2), "b2": rng.normal(2)}
''',
        "f, g, X, p", "out, cache = f(X, p)", "d = g(dout, cache)",
        "X: d['dX']; p['W1']: d['dW1']; p['b1']: d['db1']; p['W2']: d['dW2']; p['b2']: d['db2']",
        (
            m("b1 not summed", '"db1": dZ1.sum(axis=0)', '"db1": dZ1', NOT_SUMMED),
            m("b1 from the wrong layer", '"db1": dZ1.sum(axis=0)',
              '"db1": (dZ2 @ p["W2"].T).sum(axis=0)', ""),
            m("W2 by the input of the first", '"dW2": A1.T @ dZ2', '"dW2": (X @ p["W1"]).T @ dZ2',
              ""),
            m("one missing", '        "db2": dZ2.sum(axis=0),\n', "", NONE),
        ),
    ),
    "delta_W and updates by an optimizer": HandWritten(
        '''
class SGD:
    def __init__(self, rate):
        self.rate = rate

    def update(self, weights, gradient):
        return weights - self.rate * gradient

class Layer:
    def __init__(self, W, optimizer):
        self.W = W
        self.optimizer = optimizer

    def forward_pass(self, X):
        self.layer_input = X
        return X.dot(self.W)

    def backward_pass(self, accum_grad):
        W = self.W
        self.delta_W = self.layer_input.T.dot(accum_grad)
        self.W = self.optimizer.update(self.W, self.delta_W)
        return accum_grad.dot(W.T)

def make(rng):
    layer = Layer(rng.normal(3, 3), SGD(0.1))
    return layer.forward_pass, layer.backward_pass, rng.normal(4, 3)
''',
        "f, g, x", "layer = f.__self__; out = f(x)", "dx = g(dout)",
        "x: dx; f.__self__.W: layer.delta_W",
        (
            m("by the updated weights", "accum_grad.dot(W.T)", "accum_grad.dot(self.W.T)",
              "update|changed"),
            m("transposed", "self.layer_input.T.dot(accum_grad)",
              "accum_grad.T.dot(self.layer_input)", TRANSPOSED),
            m("sign", "accum_grad.dot(W.T)", "-accum_grad.dot(W.T)", SIGN),
        ),
    ),
    "output kept, nothing returned": HandWritten(
        '''
class Layer_Dense:
    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)

def make(rng):
    return Layer_Dense(rng.normal(4, 3), rng.normal(1, 3)), rng.normal(5, 4)
''',
        "layer, x", "layer.forward(x); out = layer.output", "layer.backward(dout)",
        "x: layer.dinputs; layer.weights: layer.dweights; layer.biases: layer.dbiases",
        (
            m("biases twice", "np.sum(dvalues, axis=0, keepdims=True)",
              "2 * np.sum(dvalues, axis=0, keepdims=True)", "twice what it should be"),
            m("of ones", "np.dot(self.inputs.T, dvalues)",
              "np.dot(self.inputs.T, np.ones_like(dvalues))", ADJOINT),
            m("mean", "np.dot(self.inputs.T, dvalues)", "np.dot(self.inputs.T, dvalues) / "
              "len(dvalues)", TOO_OFTEN),
        ),
    ),
    "context object": HandWritten(
        '''
class Context:
    def save_for_backward(self, *arrays):
        self.saved = arrays

class MulAdd:
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x * w + b

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved
        return None, grad_output * w, (grad_output * x).sum(0), grad_output.sum(0)

def make(rng):
    f = MulAdd
    return f.forward, f.backward, Context(), rng.normal(4, 3), rng.normal(3), rng.normal(3)
''',
        "f, g, ctx, x, w, b", "out = f(ctx, x, w, b)", "_, dx, dw, db = g(ctx, dout)",
        "x: dx; w: dw; b: db",
        (
            m("not summed", "(grad_output * x).sum(0)", "grad_output * x", NOT_SUMMED),
            m("x forgotten", "(grad_output * x).sum(0)", "grad_output.sum(0)", ""),
            m("w forgotten", "grad_output * w,", "grad_output,", LEFT_OUT),
            m("swapped", "(grad_output * x).sum(0), grad_output.sum(0)",
              "grad_output.sum(0), (grad_output * x).sum(0)", SWAPPED),
        ),
    ),
    "inputs and adjoint, outputs of a dict": HandWritten(
        '''
class Bilinear:
    def __init__(self, A):
        self.A = A

    def forward(self, x, y):
        self.x, self.y = x, y
        return np.einsum("ni,kij,nj->nk", x, self.A, y)

    def backward(self, dout):
        self.grad_A = np.einsum("nk,ni,nj->kij", dout, self.x, self.y)
        return {
            "x": np.einsum("nk,kij,nj->ni", dout, self.A, self.y),
            "y": np.einsum("nk,kij,ni->nj", dout, self.A, self.x),
        }

def make(rng):
    return Bilinear(rng.normal(2, 3, 3)), rng.normal(4, 3), rng.normal(4, 3)
''',
        "layer, x, y", "out = layer.forward(x, y)", "d = layer.backward(dout)",
        "x: d['x']; y: d['y']; layer.A: layer.grad_A",
        (
            m("A turned", '"nk,kij,nj->ni"', '"nk,kji,nj->ni"', "transposed|axes"),
            m("gradient turned", '"nk,ni,nj->kij"', '"nk,ni,nj->kji"', "axes are in another"),
            m("sign", '"y": np', '"y": -np', SIGN),
            m("x for y", "dout, self.A, self.y),\n", "dout, self.A, self.x),\n", ""),
        ),
    ),
    "loss and gradient of linear regression": HandWritten(
        '''
def compute_cost(X, y, w, b):
    err = X @ w + b - y
    return (err ** 2).sum() / (2 * len(y))

def compute_gradient(X, y, w, b):
    m = len(y)
    err = X @ w + b - y
    dj_db = err.sum() / m
    dj_dw = X.T @ err / m
    return {"w": dj_dw, "b": np.array([dj_db])}

def make(rng):
    return compute_cost, compute_gradient, rng.normal(6, 3), rng.normal(6), rng.normal(3), \\
        rng.normal(1)
''',
        "f, g, X, y, w, b", "out = f(X, y, w, b)", "d = g(X, y, w, b)", "w: d['w']; b: d['b']",
        (
            m("no mean", "dj_dw = X.T @ err / m", "dj_dw = X.T @ err", NO_MEAN),
            m("twice", "dj_dw = X.T @ err / m", "dj_dw = 2 * X.T @ err / m", TWICE),
            m("sign", "err = X @ w + b - y\n    dj_db", "err = y - X @ w - b\n    dj_db", SIGN),
            m("half", "dj_db = err.sum() / m", "dj_db = err.sum() / (2 * m)", HALF),
        ),
    ),
    "matrix factorisation, one number of each pair": HandWritten(
        '''
class Factors:
    def __init__(self, users, items):
        self.users, self.items = users, items

    def forward(self, u, i):
        self.u, self.i = u, i
        return (self.users[u] * self.items[i]).sum(axis=1)

    def backward(self, dr):
        self.d_users = np.zeros_like(self.users)
        self.d_items = np.zeros_like(self.items)
        for row, (u, i) in enumerate(zip(self.u, self.i)):
            self.d_users[u] += dr[row] * self.items[i]
            self.d_items[i] += dr[row] * self.users[u]

def make(rng):
    return Factors(rng.normal(4, 3), rng.normal(4, 3)), rng.integers(4, 9), rng.integers(4, 9)
''',
        "layer, u, i", "out = layer.forward(u, i)", "layer.backward(dout)",
        "layer.users: layer.d_users; layer.items: layer.d_items",
        (
            m("assigned", "self.d_users[u] += dr", "self.d_users[u] = dr",
              "where u takes a row more than once|assigned"),
            m("sign", "self.d_items[i] += dr[row] *", "self.d_items[i] -= dr[row] *", SIGN),
            m("swapped", "self.d_users[u] += dr[row] * self.items[i]\n"
              "            self.d_items[i] += dr[row] * self.users[u]",
              "self.d_items[u] += dr[row] * self.items[i]\n"
              "            self.d_users[i] += dr[row] * self.users[u]", SWAPPED),
        ),
    ),
    "embedding with a gradient buffer": HandWritten(
        '''
class Embedding:
    def __init__(self, table):
        self.table = table

    def forward(self, tokens):
        self.tokens = tokens
        return self.table[tokens]

    def backward(self, grad):
        self.table_grad = np.zeros_like(self.table)
        np.add.at(self.table_grad, self.tokens, grad)

def make(rng):
    return Embedding(rng.normal(5, 3)), rng.integers(5, 2, 4)
''',
        "layer, t", "out = layer.forward(t)", "layer.backward(dout)",
        "layer.table: layer.table_grad",
        (
            m("buffered", "np.add.at(self.table_grad, self.tokens, grad)",
              "self.table_grad[self.tokens] += grad", "more than once"),
            m("one hot of ones", "self.tokens, grad)", "self.tokens, np.ones_like(grad))", ADJOINT),
            m("shifted by one", "self.tokens, grad)", "self.tokens - 1, grad)", "shifted|row"),
            m("mean", "self.tokens, grad)", "self.tokens, grad / len(grad))",
              FACTOR + "|once too often"),
        ),
    ),
    "skip-gram with negative samples": HandWritten(
        '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def neg_sampling_loss_and_gradient(center, outside, W):
    u_o, U_neg = W[outside[0]], W[outside[1:]]
    loss = -np.log(sigmoid(u_o @ center)) - np.log(sigmoid(-U_neg @ center)).sum()
    grad_center = (sigmoid(u_o @ center) - 1) * u_o + sigmoid(U_neg @ center) @ U_neg
    grad_W = np.zeros_like(W)
    grad_W[outside[0]] += (sigmoid(u_o @ center) - 1) * center
    for k in outside[1:]:
        grad_W[k] += sigmoid(W[k] @ center) * center
    return loss, grad_center, grad_W

def make(rng):
    f = neg_sampling_loss_and_gradient
    loss = lambda center, outside, W: f(center, outside, W)[0]
    grads = lambda center, outside, W: dict(zip(("center", "W"), f(center, outside, W)[1:]))
    return loss, grads, rng.normal(3), np.array([1, 2, 0, 2, 4]), rng.normal(5, 3)
''',
        "f, g, center, outside, W", "out = f(center, outside, W)", "d = g(center, outside, W)",
        "center: d['center']; W: d['W']",
        (
            m("assigned", "        grad_W[k] += sigmoid", "        grad_W[k] = sigmoid",
              "more than once|assigned"),
            m("minus one", "(sigmoid(u_o @ center) - 1) * u_o +", "sigmoid(u_o @ center) * u_o +",
              ""),
            m("negatives in the wrong sign", "grad_W[k] += sigmoid(W[k]", "grad_W[k] -= sigmoid("
              "W[k]", "sign"),
            m("negatives forgotten", " + sigmoid(U_neg @ center) @ U_neg", "", ""),
        ),
    ),
}
