"""Dense layers and small classifiers, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import (
    HALF,
    LEFT_OUT,
    NO_MEAN,
    NOT_SUMMED,
    ONE_PART,
    PLACE,
    SIGN,
    SWAPPED,
    TOO_OFTEN,
    TRANSPOSED,
    TWICE,
)

# fmt: off
DENSE = {
    "column vectors, updated inside backward": HandWritten(
        '''
class Dense:
    def __init__(self, weights, bias):
        self.weights = weights
        self.bias = bias

    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias

    def backward(self, output_gradient, learning_rate):
        weights_gradient = np.dot(output_gradient, self.input.T)
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= learning_rate * weights_gradient
        self.bias -= learning_rate * output_gradient
        return input_gradient

def make(rng):
    return Dense(rng.normal(3, 3), rng.normal(3, 1)), rng.normal(3, 1)
''',
        "layer, x", "out = layer.forward(x); before = layer.weights.copy(), layer.bias.copy()",
        "dx = layer.backward(dout, 0.1)",
        "x: dx; layer.weights: (before[0] - layer.weights) / 0.1;"
        "layer.bias: (before[1] - layer.bias) / 0.1",
        (
            m("not transposed", "np.dot(self.weights.T, output_gradient)",
              "np.dot(self.weights, output_gradient)", "not transposed"),
            m("outer product turned", "np.dot(output_gradient, self.input.T)",
              "np.dot(self.input, output_gradient.T)", TRANSPOSED),
            m("ascent", "self.weights -= learning_rate", "self.weights += learning_rate", SIGN),
            m("bias of the weights' rate", "learning_rate * output_gradient\n",
              "2 * learning_rate * output_gradient\n", TWICE),
        ),
    ),
    "functions with a cache, for pictures": HandWritten(
        '''
def affine_forward(x, w, b):
    rows = x.reshape(x.shape[0], -1)
    out = rows.dot(w) + b
    cache = (x, w, b)
    return out, cache

def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db

def make(rng):
    return affine_forward, affine_backward, rng.normal(4, 2, 3), rng.normal(6, 3), rng.normal(3)
''',
        "f, g, x, w, b", "out, cache = f(x, w, b)", "dx, dw, db = g(dout, cache)",
        "x: dx; w: dw; b: db",
        (
            m("flat dx", "dx = dout.dot(w.T).reshape(x.shape)", "dx = dout.dot(w.T)",
              "reshape it"),
            m("mean over the batch", "db = np.sum(dout, axis=0)", "db = np.mean(dout, axis=0)",
              TOO_OFTEN),
            m("other rows", "x.reshape(x.shape[0], -1).T.dot(dout)",
              "x[::-1].reshape(x.shape[0], -1).T.dot(dout)", ""),
            m("returned in another order", "return dx, dw, db", "return dw, dx, db", SWAPPED),
        ),
    ),
    "logistic regression, samples in columns": HandWritten(
        '''
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def propagate(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = 1 / m * np.dot(X, (A - Y).T)
    db = 1 / m * np.sum(A - Y, axis=1)
    grads = {"dw": dw, "db": db}
    return grads, cost

def make(rng):
    cost = lambda w, b, X, Y: propagate(w, b, X, Y)[1]
    grads = lambda w, b, X, Y: propagate(w, b, X, Y)[0]
    w, b, X = rng.normal(3, 1), rng.normal(1), rng.normal(3, 5)
    return cost, grads, w, b, X, rng.integers(2, 1, 5)
''',
        "f, g, w, b, X, Y", "out = f(w, b, X, Y)", "grads = g(w, b, X, Y)",
        "w: grads['dw']; b: grads['db']",
        (
            m("no mean", "dw = 1 / m * np.dot(X", "dw = np.dot(X", NO_MEAN),
            m("sign", "np.dot(X, (A - Y).T)", "np.dot(X, (Y - A).T)", SIGN),
            m("half", "db = 1 / m * np.sum", "db = 1 / (2 * m) * np.sum", HALF),
            m("slope of the sigmoid twice", "np.dot(X, (A - Y).T)",
              "np.dot(X, ((A - Y) * A * (1 - A)).T)", ""),
        ),
    ),
    "weights drawn at the first call": HandWritten(
        '''
class Linear:
    def __init__(self, units):
        self.units = units
        self.W = None
        self.b = None

    def build(self, features):
        self.W = np.random.randn(features, self.units) * np.sqrt(2.0 / features)
        self.b = np.random.randn(self.units) * 0.1

    def __call__(self, x):
        if self.W is None:
            self.build(x.shape[-1])
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(0)
        return grad @ self.W.T

def make(rng):
    return Linear(3), rng.normal(4, 5)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W: layer.dW; layer.b: layer.db",
        (
            m("no sum", "self.db = grad.sum(0)", "self.db = grad", NOT_SUMMED),
            m("sign", "return grad @ self.W.T", "return -grad @ self.W.T", SIGN),
            m("mean", "self.dW = self.x.T @ grad", "self.dW = self.x.T @ grad / len(grad)",
              TOO_OFTEN),
        ),
        is_lazy=True,
    ),
    "static methods": HandWritten(
        '''
class LinearFunction:
    @staticmethod
    def forward(x, weight, bias):
        return x @ weight.T + bias

    @staticmethod
    def backward(grad_output, x, weight, bias):
        grad_x = grad_output @ weight
        grad_weight = grad_output.T @ x
        grad_bias = grad_output.sum(axis=0)
        return grad_x, grad_weight, grad_bias

def make(rng):
    f = LinearFunction
    return f.forward, f.backward, rng.normal(5, 3), rng.normal(3, 3), rng.normal(3)
''',
        "f, g, x, weight, bias", "out = f(x, weight, bias)",
        "dx, dw, db = g(dout, x, weight, bias)", "x: dx; weight: dw; bias: db",
        (
            m("weight the other way", "grad_weight = grad_output.T @ x",
              "grad_weight = x.T @ grad_output", TRANSPOSED),
            m("not transposed", "grad_x = grad_output @ weight",
              "grad_x = grad_output @ weight.T", "transposed"),
            m("column", "grad_output.sum(axis=0)", "grad_output.sum(axis=0)[:, None]", "reshape"),
            m("wrong sum", "grad_output.sum(axis=0)", "grad_output[:3].sum(axis=1)", ""),
        ),
    ),
    "fast.ai style with .g": HandWritten(
        '''
class T(np.ndarray):
    pass

def t(a):
    return np.asarray(a).view(T)

class Lin:
    def __init__(self, w, b):
        self.w, self.b = t(w), t(b)

    def __call__(self, inp):
        self.inp = inp
        self.out = t(inp @ self.w + self.b)
        return self.out

    def backward(self):
        self.inp.g = self.out.g @ self.w.T
        self.w.g = (self.inp[:, :, None] * self.out.g[:, None, :]).sum(0)
        self.b.g = self.out.g.sum(0)

def make(rng):
    return Lin(rng.normal(4, 4), rng.normal(4)), rng.normal(6, 4)
''',
        "layer, x", "inp = t(x); out = layer(inp)", "layer.out.g = dout; layer.backward()",
        "x: inp.g; layer.w: layer.w.g; layer.b: layer.b.g",
        (
            m("no sum", ".sum(0)\n        self.b.g = self.out.g.sum(0)",
              ".sum(0)\n        self.b.g = self.out.g", NOT_SUMMED),
            m("axes", "(self.inp[:, :, None] * self.out.g[:, None, :])",
              "(self.inp[:, None, :] * self.out.g[:, :, None])", TRANSPOSED),
            m("mean", "self.out.g[:, None, :]).sum(0)", "self.out.g[:, None, :]).mean(0)",
              TOO_OFTEN),
        ),
    ),
    "neurons and loops": HandWritten(
        '''
class Layer:
    def __init__(self, weights, biases):
        self.weights = weights
        self.biases = biases

    def forward(self, inputs):
        self.inputs = inputs
        self.outputs = np.zeros(len(self.biases))
        for j in range(len(self.biases)):
            total = self.biases[j]
            for i in range(len(inputs)):
                total += self.weights[j][i] * inputs[i]
            self.outputs[j] = np.tanh(total)
        return self.outputs

    def backward(self, errors):
        self.d_weights = np.zeros_like(self.weights)
        self.d_biases = np.zeros_like(self.biases)
        d_inputs = np.zeros(len(self.inputs))
        for j in range(len(self.biases)):
            delta = errors[j] * (1 - self.outputs[j] ** 2)
            self.d_biases[j] = delta
            for i in range(len(self.inputs)):
                self.d_weights[j][i] = delta * self.inputs[i]
                d_inputs[i] += delta * self.weights[j][i]
        return d_inputs

def make(rng):
    return Layer(rng.normal(4, 3), rng.normal(4)), rng.normal(3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.weights: layer.d_weights; layer.biases: layer.d_biases",
        (
            m("assigned", "d_inputs[i] += delta", "d_inputs[i] = delta", ONE_PART),
            m("bias from the error", "self.d_biases[j] = delta", "self.d_biases[j] = errors[j]",
              LEFT_OUT + "|activation|pre-activation"),
            m("slope plus", "(1 - self.outputs[j] ** 2)", "(1 + self.outputs[j] ** 2)", ""),
            m("slope without the square", "(1 - self.outputs[j] ** 2)", "(1 - self.outputs[j])",
              LEFT_OUT),
            m("last input missing", "for i in range(len(self.inputs)):\n                self.d_",
              "for i in range(len(self.inputs) - 1):\n                self.d_", PLACE),
        ),
    ),
}
