"""Activations, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import (
    ADJOINT,
    AT_INPUT,
    AT_OUTPUT,
    FACTOR,
    LEFT_OUT,
    MASK,
    NOT_MASKED,
    NOT_SUMMED,
    PATH,
    PLACE,
    SIGN,
    TOO_MANY,
    WROTE,
)

# fmt: off
ACTIVATIONS = {
    "leaky ReLU": HandWritten(
        '''
class LeakyReLU:
    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, grad_output):
        slope = np.ones_like(self.x)
        slope[self.x < 0] = self.alpha
        return grad_output * slope

def make(rng):
    return LeakyReLU(), rng.normal(4, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("0 instead of alpha", "slope[self.x < 0] = self.alpha", "slope[self.x < 0] = 0",
              PLACE),
            m("mask of the adjoint", "slope[self.x < 0]", "slope[grad_output < 0]", MASK),
            m("sides swapped", "slope[self.x < 0]", "slope[self.x > 0]", ""),
            m("adjoint", "return grad_output * slope", "return slope", ADJOINT),
        ),
    ),
    "ELU with its output kept": HandWritten(
        '''
class ELU:
    def __init__(self, alpha=1.5):
        self.alpha = alpha

    def __call__(self, x):
        self.out = np.where(x >= 0, x, self.alpha * (np.exp(np.minimum(x, 0)) - 1))
        return self.out

    def backward(self, grad):
        return np.where(self.out >= 0, 1.0, self.out + self.alpha) * grad

def make(rng):
    return ELU(), rng.normal(4, 3)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("alpha missing", "self.out + self.alpha)", "self.out + 1.0)", PLACE),
            m("slope of exp alone", "self.out + self.alpha)", "self.out)", PLACE),
            m("sign on the left", "self.out + self.alpha)", "-self.out - self.alpha)",
              "the sign is wrong there|" + PLACE),
        ),
    ),
    "GELU by tanh": HandWritten(
        '''
C = np.sqrt(2 / np.pi)

def gelu(x):
    return 0.5 * x * (1 + np.tanh(C * (x + 0.044715 * x ** 3)))

def gelu_backward(x, dout):
    t = np.tanh(C * (x + 0.044715 * x ** 3))
    dt = (1 - t ** 2) * C * (1 + 3 * 0.044715 * x ** 2)
    return dout * (0.5 * (1 + t) + 0.5 * x * dt)

def make(rng):
    return gelu, gelu_backward, rng.normal(5, 3)
''',
        "f, g, x", "out = f(x)", "dx = g(x, dout)", "x: dx",
        (
            m("inner derivative", " * C * (1 + 3 * 0.044715 * x ** 2)", "", ""),
            m("product rule", "(0.5 * (1 + t) + 0.5 * x * dt)", "(0.5 * (1 + t))", ""),
            m("x forgotten", "0.5 * x * dt", "0.5 * dt", ""),
            m("adjoint", "return dout * (0.5", "return 1.0 * (0.5", ADJOINT),
            m("factor", "return dout * (0.5 * (1 + t) + 0.5", "return dout * ((1 + t) + 1.0",
              FACTOR),
        ),
    ),
    "softplus, static": HandWritten(
        '''
class Softplus:
    @staticmethod
    def forward(x):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    @staticmethod
    def backward(x, grad_output):
        return grad_output / (1 + np.exp(-x))

def make(rng):
    return Softplus.forward, Softplus.backward, rng.normal(4, 3)
''',
        "f, g, x", "out = f(x)", "dx = g(x, dout)", "x: dx",
        (
            m("exp of +x", "(1 + np.exp(-x))", "(1 + np.exp(x))", ""),
            m("slope of the slope", "grad_output / (1 + np.exp(-x))",
              "grad_output / (1 + np.exp(-x)) * (1 - 1 / (1 + np.exp(-x)))", ""),
            m("sign", "return grad_output /", "return -grad_output /", SIGN),
        ),
    ),
    "swish with a learned slope": HandWritten(
        '''
class Swish:
    def __init__(self, beta):
        self.beta = beta

    def forward(self, x):
        self.x = x
        self.sig = 1 / (1 + np.exp(-self.beta * x))
        return x * self.sig

    def backward(self, d_out):
        d_sig = d_out * self.x * self.sig * (1 - self.sig)
        self.d_beta = (d_sig * self.x).sum(axis=0)
        return d_out * self.sig + d_sig * self.beta

def make(rng):
    return Swish(rng.uniform(0.5, 2, 3)), rng.normal(5, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.beta: layer.d_beta",
        (
            m("beta not summed", "(d_sig * self.x).sum(axis=0)", "d_sig * self.x", NOT_SUMMED),
            m("product rule", "d_out * self.sig + d_sig * self.beta", "d_sig * self.beta", ""),
            m("beta forgotten", "d_sig * self.beta", "d_sig", ""),
            m("x forgotten in beta", "(d_sig * self.x).sum(axis=0)", "d_sig.sum(axis=0)", ""),
        ),
    ),
    "tanh written into a buffer": HandWritten(
        '''
class Tanh:
    def forward(self, x):
        self.y = np.empty_like(x)
        np.tanh(x, out=self.y)
        return self.y.copy()

    def backward(self, dy):
        dx = dy.copy()
        dx *= 1 - self.y ** 2
        return dx

def make(rng):
    return Tanh(), rng.normal(4, 5)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("tanh of tanh", "1 - self.y ** 2", "1 - np.tanh(self.y) ** 2", AT_OUTPUT),
            m("not squared", "1 - self.y ** 2", "1 - self.y", LEFT_OUT),
            m("dy written into", "dx = dy.copy()", "dx = dy", WROTE, aside=True),
            m("output written over", "return self.y.copy()", "self.y += 1; return self.y - 1", ""),
        ),
    ),
    "PReLU per channel": HandWritten(
        '''
def prelu_forward(x, a):
    out = np.where(x > 0, x, a * x)
    return out, (x, a)

def prelu_backward(dout, cache):
    x, a = cache
    dx = np.where(x > 0, dout, a * dout)
    da = np.where(x > 0, 0, x * dout).sum(axis=0)
    return dx, da

def make(rng):
    return prelu_forward, prelu_backward, rng.normal(6, 3), rng.uniform(0.1, 0.5, 3)
''',
        "f, g, x, a", "out, cache = f(x, a)", "dx, da = g(dout, cache)", "x: dx; a: da",
        (
            m("not summed", "x * dout).sum(axis=0)", "x * dout)", NOT_SUMMED),
            m("all x", "da = np.where(x > 0, 0, x * dout)", "da = np.where(x > 9, 0, x * dout)",
              ""),
            m("left side open", "np.where(x > 0, dout, a * dout)", "np.where(x > 0, dout, dout)",
              PLACE),
            m("mean", "x * dout).sum(axis=0)", "x * dout).mean(axis=0)", "too small|" + FACTOR),
        ),
    ),
    "clipped, as ReLU6": HandWritten(
        '''
class ReLU6:
    def forward(self, x):
        self.inside = (x > 0) & (x < 6)
        return np.clip(x, 0, 6)

    def backward(self, dout):
        return dout * self.inside

def make(rng):
    x = 6 * rng.normal(5, 4)
    x[0] = 6.5 + abs(x[0])
    x[1] = -0.5 - abs(x[1])
    return ReLU6(), x
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("open at the top", "(x > 0) & (x < 6)", "(x > 0)", NOT_MASKED),
            m("open below", "(x > 0) & (x < 6)", "(x < 6)", PLACE + "|" + LEFT_OUT),
            m("outside", "dout * self.inside", "dout * ~self.inside", "the wrong way round"),
            m("adjoint", "return dout * self.inside", "return 1.0 * self.inside", ADJOINT),
        ),
    ),
    "log-softmax": HandWritten(
        '''
class LogSoftmax:
    def __call__(self, logits):
        shifted = logits - logits.max(axis=1, keepdims=True)
        self.out = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return self.out

    def backward(self, grad):
        return grad - np.exp(self.out) * grad.sum(axis=1, keepdims=True)

def make(rng):
    return LogSoftmax(), rng.normal(4, 5)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("sum missing", "np.exp(self.out) * grad.sum(axis=1, keepdims=True)",
              "np.exp(self.out) * grad", PATH),
            m("normaliser missing", "grad - np.exp(self.out) * grad.sum(axis=1, keepdims=True)",
              "grad.copy()", PATH),
            m("logarithm left", "np.exp(self.out) * grad", "self.out * grad", PATH),
            m("other axis", "grad.sum(axis=1, keepdims=True)", "grad.sum(axis=0, keepdims=True)",
              PATH + "|axis"),
        ),
    ),
    "softmax by its Jacobian": HandWritten(
        '''
class Softmax:
    def forward(self, inputs):
        exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exp_values / np.sum(exp_values, axis=1, keepdims=True)
        return self.output

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for index, (single_output, single_dvalues) in enumerate(zip(self.output, dvalues)):
            single_output = single_output.reshape(-1, 1)
            jacobian = np.diagflat(single_output) - np.dot(single_output, single_output.T)
            self.dinputs[index] = np.dot(jacobian, single_dvalues)

def make(rng):
    return Softmax(), rng.normal(3, 4)
''',
        "layer, x", "out = layer.forward(x)", "layer.backward(dout)", "x: layer.dinputs",
        (
            m("diagonal", "np.diagflat(single_output) - np.dot(single_output, single_output.T)",
              "np.diagflat(single_output * (1 - single_output))", PATH),
            m("without the diagonal", "np.diagflat(single_output) - np.dot",
              "-np.dot", PATH),
            m("plus", "np.diagflat(single_output) - np.dot", "np.diagflat(single_output) + np.dot",
              PATH),
            m("adjoint of the first row", "np.dot(jacobian, single_dvalues)",
              "np.dot(jacobian, dvalues[0])", ""),
        ),
    ),
    "maxout": HandWritten(
        '''
class Maxout:
    def __init__(self, W):
        self.W = W
        self.grad_W = np.zeros_like(W)

    def forward(self, x):
        self.x = x
        z = np.einsum("nd,pdk->npk", x, self.W)
        self.winner = z.argmax(axis=1)
        return z.max(axis=1)

    def backward(self, dout):
        n, p, k = len(self.x), len(self.W), self.W.shape[2]
        dz = np.zeros((n, p, k))
        np.put_along_axis(dz, self.winner[:, None], dout[:, None], axis=1)
        self.grad_W[:] = np.einsum("nd,npk->pdk", self.x, dz)
        return np.einsum("npk,pdk->nd", dz, self.W)

def make(rng):
    return Maxout(rng.normal(3, 4, 4)), rng.normal(5, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W: layer.grad_W",
        (
            m("axes", '"nd,npk->pdk"', '"nd,npk->pkd"', "axes are in another order"),
            m("not transposed", '"npk,pdk->nd"', '"npk,pkd->nd"', "transposed|axes"),
            m("first piece only", "np.put_along_axis(dz, self.winner[:, None]",
              "np.put_along_axis(dz, 0 * self.winner[:, None]", ""),
            m("smallest", "z.argmax(axis=1)", "z.argmin(axis=1)", ""),
        ),
    ),
    "sigmoid that takes its own output": HandWritten(
        '''
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

class SigmoidLayer:
    def forward(self, z):
        self.z = z
        return sigmoid(z)

    def backward(self, delta):
        s = sigmoid(self.z)
        return delta * s * (1 - s)

def make(rng):
    return SigmoidLayer(), rng.normal(4, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("of the input", "s = sigmoid(self.z)", "s = self.z", AT_INPUT),
            m("twice", "s = sigmoid(self.z)", "s = sigmoid(sigmoid(self.z))", AT_OUTPUT),
            m("s alone", "delta * s * (1 - s)", "delta * s", LEFT_OUT),
            m("squared", "delta * s * (1 - s)", "delta * s * s * (1 - s)", TOO_MANY),
        ),
    ),
}
