"""Layers as courses write them, right, and with mistakes planted into their text.

`make` in each text gives what `check_backward` is called with: a tuple, or a tuple and settings.
A mistake replaces a piece of the text and says what the message has to name.
"""

from check_activations import ACTIVATIONS
from check_lists import LISTED
from check_normalising import NORMALISING
from check_structures import STRUCTURES
from check_windows import WINDOWS
from written_layers import Written, m

# fmt: off
SIGN, TRANSPOSED, SUM = "sign is wrong", "transposed", "not summed over"
MEAN, TWICE_MEAN = "a factor 1/N is missing", "divided by N once too often"
HALF, DOUBLE, ZERO = "half of what it should be", "twice what it should be", "0 everywhere"
ADJOINT, MASK = "adjoint of the output is left out", "mask is taken from the sign of the adjoint"
FACTOR = "times what it should be"


SOFTMAX = '''
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
'''

LAYERS = {
    "MulLayer": Written(
        '''
class MulLayer:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x

def make(rng, n, d, k):
    return MulLayer(), rng.normal(size=(n, d)), rng.normal(size=(n, d))
''',
        (
            m("sign", "return dout * self.y,", "return -dout * self.y,", f"x: .*{SIGN}"),
            m("adjoint", "return dout * self.y,", "return self.y,", ADJOINT),
            m("of x", "dout * self.x\n", "dout * self.x**2\n", "y: divided by x"),
            m("swapped", "dout * self.y, dout * self.x", "dout * self.x, dout * self.y",
              "x: it is the gradient of y"),
            m("zero", "dout * self.x\n", "0 * dout\n", ZERO),
            m("factor", ", dout * self.x", ", 3 * dout * self.x", f"y: .*3 {FACTOR}"),
            m("y unused in forward", "return x * y", "return x * 1.0", "y: moving the input does"),
            m("double", ", dout * self.x", ", 2 * dout * self.x", f"y: .*{DOUBLE}"),
            m("edits dout", "return dout * self.y,", "dout *= 2; return dout / 2 * self.y,",
              "wrote into the adjoint dout"),
            m("edits x", "return x * y", "z = x * y; x *= 2; return z", "x: forward changed it"),
        ),
    ),
    "numbers": Written(
        '''
class MulLayer:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x

def make(rng, n, d, k):
    return MulLayer(), 100.0, 2
''',
        (m("swapped", "dout * self.y, dout * self.x", "dout * self.x, dout * self.y",
       "x: it is the gradient of y.*y: it is the gradient of x"),),
    ),
    "Affine": Written(
        '''
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return (dout @ self.W.T).reshape(self.shape)

def make(rng, n, d, k):
    return Affine(rng.normal(size=(d, k)), rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("sign", "self.dW = self.x.T", "self.dW = -self.x.T", f"W: .*{SIGN}"),
            m("transposed", "self.dW = self.x.T @ dout", "self.dW = dout.T @ self.x",
              f"W: .*{TRANSPOSED}"),
            m("no sum", "self.db = dout.sum(axis=0)", "self.db = dout", f"b: .*{SUM} the batch"),
            m("keepdims", "self.db = dout.sum(axis=0)", "self.db = dout.sum(axis=0, keepdims=True)",
              r"b: .*shape"),
            m("mean", "self.db = dout.sum(axis=0)", "self.db = dout.mean(axis=0)",
              f"b: .*{TWICE_MEAN}"),
            m("all", "self.db = dout.sum(axis=0)", "self.db = dout.sum()",
              "b: .*summed over all, once"),
            m("other axis", "self.db = dout.sum(axis=0)", "self.db = dout.sum(axis=1)", "b: "),
            m("adjoint of b", "self.db = dout.sum(axis=0)",
              "self.db = np.ones_like(dout).sum(axis=0)", f"b: .*{ADJOINT}"),
            m("double", "self.dW = self.x.T @ dout", "self.dW = 2 * self.x.T @ dout",
              f"W: .*{DOUBLE}"),
            m("half", "self.dW = self.x.T @ dout", "self.dW = 0.5 * self.x.T @ dout",
              f"W: .*{HALF}"),
            m("mean of W", "self.dW = self.x.T @ dout", "self.dW = self.x.T @ dout / len(dout)",
              f"W: .*{TWICE_MEAN}"),
            m("missing", "        self.db = dout.sum(axis=0)\n", "", "b: backward gave no"),
            m("zero", "self.db = dout.sum(axis=0)", "self.db = np.zeros_like(self.b)", ZERO),
            m("row", "self.dW = self.x.T @ dout",
              "self.dW = self.x.T @ dout; self.dW[1] = 0", r"only in \[1, :\]: it is 0"),
            m("roll", "self.dW = self.x.T @ dout", "self.dW = np.roll(self.x, 1, 0).T @ dout",
              "both derivatives differ"),
            m("updates", "        return (dout",
              "        self.W -= 0.1 * self.dW\n        return (dout", "W: backward changed it"),
            m("forward edits b", "return self.x @ self.W + self.b",
              "self.b *= 2; return self.x @ self.W + self.b / 2", "b: forward changed it"),
        ),
    ),
    "ReLU": Written(
        '''
class ReLU:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        return np.where(self.mask, 0, dout)

def make(rng, n, d, k):
    return ReLU(), rng.normal(size=(n, d))
''',
        (
            m("mask", "np.where(self.mask, 0, dout)", "np.where(dout <= 0, 0, dout)", MASK),
            m("inverted", "np.where(self.mask, 0, dout)", "np.where(self.mask, dout, 0)",
              "the wrong way round"),
            m("all", "np.where(self.mask, 0, dout)", "dout.copy()", "input is negative"),
            m("adjoint", "np.where(self.mask, 0, dout)", "np.where(self.mask, 0.0, 1.0)", ADJOINT),
            m("edits x", "out = x.copy()", "out = x", "x: forward changed it"),
            m("edits dout", "return np.where(self.mask, 0, dout)",
              "dout[self.mask] = 0; return dout", "wrote into the adjoint dout"),
            m("shape", "np.where(self.mask, 0, dout)", "np.where(self.mask, 0, dout).ravel()",
              "reshape it"),
        ),
    ),
    "Sigmoid": Written(
        '''
class Sigmoid:
    def __call__(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out) * self.out

def make(rng, n, d, k):
    return Sigmoid(), rng.normal(size=(n, d))
''',
        (
            m("dropped", "dout * (1 - self.out) * self.out", "dout * (1 - self.out)",
              "multiplied by the result"),
            m("dropped 1 - y", "dout * (1 - self.out)", "dout", "multiplied by 1 - the result"),
            m("squared", "(1 - self.out) * self.out", "(1 - self.out) * self.out**2",
              "divided by the result"),
            m("sign", "dout * (1 - self.out)", "dout * (self.out - 1)", SIGN),
            m("adjoint", "dout * (1 - self.out)", "(1 - self.out)", ADJOINT),
        ),
    ),
    "SoftmaxWithLoss, class indices": Written(
        SOFTMAX
        + '''
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y, self.t = softmax(x), t
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx * dout / len(self.t)

def make(rng, n, d, k):
    return SoftmaxWithLoss(), rng.normal(size=(n, k)), rng.integers(0, k, n)
''',
        (
            m("no mean", "return dx * dout / len(self.t)", "return dx * dout", f"x: .*{MEAN}"),
            m("twice mean", "/ len(self.t)", "/ len(self.t) ** 2", f"x: .*{TWICE_MEAN}"),
            m("sign", "return dx * dout", "return -dx * dout", SIGN),
            m("one-hot forgotten", "        dx[np.arange(len(self.t)), self.t] -= 1\n", "",
              "too large there"),
            m("forward mean", ".mean()", ".sum()", TWICE_MEAN),
        ),
    ),
    "SoftmaxWithLoss, one-hot": Written(
        SOFTMAX
        + '''
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y, self.t = softmax(x), t
        return -np.sum(t * np.log(self.y)) / len(t)

    def backward(self, dout=1):
        return (self.y - self.t) / len(self.t)

def make(rng, n, d, k):
    return SoftmaxWithLoss(), rng.normal(size=(n, k)), np.eye(k)[rng.integers(0, k, n)]
''',
        (
            m("no mean", "(self.y - self.t) / len(self.t)", "self.y - self.t", f"x: .*{MEAN}"),
            m("swapped", "(self.y - self.t)", "(self.t - self.y)", SIGN),
            m("classes", "/ len(self.t)\n", "/ self.t.shape[1]\n", FACTOR),
        ),
    ),
    "Neuron": Written(
        '''
class Neuron:
    def __init__(self, weights, bias):
        self.weights, self.bias = weights, bias

    def forward(self, inputs):
        return inputs @ self.weights + self.bias

    def backward(self, inputs, dldy):
        self.dw = inputs.T @ dldy
        self.db = dldy.sum()

def make(rng, n, d, k):
    return Neuron(rng.normal(size=(d, 1)), 0.5), rng.normal(size=(n, d))
''',
        (
            m("no sum", "dldy.sum()", "dldy", f"bias: .*{SUM} the batch"),
            m("mean", "dldy.sum()", "dldy.mean()", f"bias: .*{TWICE_MEAN}"),
            m("sign", "self.dw = inputs.T", "self.dw = -inputs.T", f"weights: .*{SIGN}"),
            m("transposed", "inputs.T @ dldy", "dldy.T @ inputs", "weights: .*transposed"),
            m("flat", "inputs.T @ dldy", "(inputs.T @ dldy).ravel()", "weights: .*reshape it"),
        ),
    ),
    "MSELoss": Written(
        '''
class MSELoss:
    def forward(self, y_pred, y_true):
        return ((y_pred - y_true) ** 2).mean()

    def backward(self, y_pred, y_true):
        self.dypred = 2 * (y_pred - y_true) / y_pred.size

def make(rng, n, d, k):
    return MSELoss(), rng.normal(size=(n, 1)), rng.normal(size=(n, 1))
''',
        (
            m("no mean", " / y_pred.size", "", MEAN),
            m("no two", "2 * (y_pred", "(y_pred", HALF),
            m("sign", "2 * (y_pred - y_true) /", "2 * (y_true - y_pred) /", SIGN),
            m("twice mean", " / y_pred.size", " / y_pred.size / len(y_pred)", TWICE_MEAN),
            m("(n,)", "self.dypred = 2 * (y_pred - y_true)",
              "self.dypred = 2 * (y_pred - y_true[:, 0])", "broadcast"),
        ),
    ),
    "Linear with W.grad_": Written(
        '''
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.W.grad_ = self.x.T @ dout
        self.b.grad_ = dout.sum(axis=0)
        return dout @ self.W.T

class Array(np.ndarray):
    pass

def make(rng, n, d, k):
    W, b = rng.normal(size=(d, k)).view(Array), rng.normal(size=k).view(Array)
    return Linear(W, b), rng.normal(size=(n, d))
''',
        (
            m("no sum", "dout.sum(axis=0)", "dout", f"b: .*{SUM} the batch"),
            m("transposed", "self.x.T @ dout", "dout.T @ self.x", f"W: .*{TRANSPOSED}"),
            m("missing", "        self.b.grad_ = dout.sum(axis=0)\n", "", "b: backward gave no"),
        ),
    ),
    "fast.ai": Written(
        '''
class Lin:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, inp):
        self.inp = inp
        self.out = inp @ self.w + self.b
        return self.out

    def backward(self):
        self.inp.g = self.out.g @ self.w.T
        self.w.g = self.inp.T @ self.out.g
        self.b.g = self.out.g.sum(0)

def make(rng, n, d, k):
    return Lin(rng.normal(size=(d, k)), rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("no sum", "self.out.g.sum(0)", "self.out.g", f"b: .*{SUM} the batch"),
            m("transposed", "self.inp.T @ self.out.g", "self.out.g.T @ self.inp",
              f"w: .*{TRANSPOSED}"),
            m("sign", "self.inp.g = self.out.g", "self.inp.g = -self.out.g", f"inp: .*{SIGN}"),
            m("missing", "        self.b.g = self.out.g.sum(0)\n", "", "b: backward gave no"),
        ),
    ),
    "Module with bwd": Written(
        '''
class Module:
    def __call__(self, *args):
        self.args = args
        self.out = self.forward(*args)
        return self.out

    def backward(self):
        self.bwd(self.out, *self.args)

class Mse(Module):
    def forward(self, inp, targ):
        return ((inp[:, 0] - targ) ** 2).mean()

    def bwd(self, out, inp, targ):
        inp.g = 2 * (inp[:, 0] - targ)[:, None] / len(targ)

def make(rng, n, d, k):
    layer = Mse()
    return layer, rng.normal(size=(n, 1)), rng.normal(size=n)
''',
        (
            m("no mean", " / len(targ)", "", f"inp: .*{MEAN}"),
            m("shape", "(inp[:, 0] - targ)[:, None]", "(inp - targ)", "shape"),
        ),
    ),
    "cs231n": Written(
        '''
def forward(x, w, b):
    return x @ w + b, (x, w, b)

def backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)

def make(rng, n, d, k):
    return forward, backward, rng.normal(size=(n, d)), rng.normal(size=(d, k)), rng.normal(size=k)
''',
        (
            m("no sum", "dout.sum(axis=0)", "dout", f"b: .*{SUM} the batch"),
            m("transposed", "x.T @ dout", "dout.T @ x", f"w: .*{TRANSPOSED}"),
            m("order", "return dout @ w.T, x.T @ dout,", "return x.T @ dout, dout @ w.T,",
              "x: it is the gradient of w.*w: it is the gradient of x"),
        ),
    ),
    "two functions that share arrays": Written(
        '''
def make(rng, n, d, k):
    W = rng.normal(size=(d, k))

    def forward(x):
        return np.tanh(x @ W)

    def backward(x, dout):
        dz = dout * (1 - np.tanh(x @ W) ** 2)
        return {"x": dz @ W.T, "W": x.T @ dz}

    return (forward, backward, rng.normal(size=(n, d))), {"parameters": {"W": W}}
''',
        (
            m("square", "np.tanh(x @ W) ** 2)", "np.tanh(x @ W))", ""),
            m("transposed", "x.T @ dz", "dz.T @ x", f"W: .*{TRANSPOSED}"),
            m("sign", '"W": x.T', '"W": -x.T', f"W: .*{SIGN}"),
        ),
    ),
    **NORMALISING,
    **LISTED,
    **ACTIVATIONS,
    **WINDOWS,
    **STRUCTURES,
}
