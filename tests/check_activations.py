"""Activations, alone and behind a matrix, with the mistakes that are made in their derivatives."""

from written_layers import Written, m

# fmt: off
ADJOINT = "adjoint of the output is left out"
AT_INPUT, AT_RESULT = "taken at the input instead of at the result", "taken at the result instead"


ACTIVATIONS = {
    "Tanh": Written(
        '''
class Tanh:
    def forward(self, x):
        self.x, self.y = x, np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)

def make(rng, n, d, k):
    return Tanh(), rng.normal(size=(n, d))
''',
        (
            m("of x", "self.y**2", "self.x**2", AT_INPUT),
            m("of tanh(tanh)", "self.y**2", "np.tanh(self.y)**2", AT_RESULT),
            m("left out", "dout * (1 - self.y**2)", "1.0 * dout",
              "multiplied by 1 - the result squared"),
            m("twice", "(1 - self.y**2)", "(1 - self.y**2)**2",
              "divided by 1 - the result squared"),
            m("sign of y", "1 - self.y**2", "1 + self.y**2", "both derivatives differ"),
            m("nan", "dout * (1", "np.nan * dout * (1", "the analytic derivative is nan"),
        ),
    ),
    "Sigmoid of x": Written(
        '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class Sigmoid:
    def forward(self, x):
        self.x, self.out = x, sigmoid(x)
        return self.out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)

def make(rng, n, d, k):
    return Sigmoid(), rng.normal(size=(n, d))
''',
        (
            m("x(1 - x)", "self.out * (1 - self.out)", "self.x * (1 - self.x)", AT_INPUT),
            m("of the result", "self.out * (1 - self.out)",
              "sigmoid(self.out) * (1 - sigmoid(self.out))", AT_RESULT),
            m("zero", "dout * self.out", "0 * dout * self.out", "0 everywhere"),
        ),
    ),
    "Softplus": Written(
        '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class Softplus:
    def forward(self, x):
        self.x, self.out = x, np.log(1 + np.exp(x))
        return self.out

    def backward(self, dout):
        return dout * sigmoid(self.x)

def make(rng, n, d, k):
    return Softplus(), rng.normal(size=(n, d))
''',
        (
            m("of the result", "sigmoid(self.x)", "sigmoid(self.out)", AT_RESULT),
            m("adjoint", "dout * sigmoid(self.x)", "sigmoid(self.x)", ADJOINT),
            m("one more", "dout * sigmoid(self.x)", "dout * sigmoid(self.x) + 0.5 * dout",
              "with -0.5 times the adjoint added"),
        ),
    ),
    "Dense with tanh": Written(
        '''
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x, self.z = x, x @ self.W + self.b
        self.y = np.tanh(self.z)
        return self.y

    def backward(self, dout):
        dz = dout * (1 - self.y**2)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T

def make(rng, n, d, k):
    return Dense(rng.normal(size=(d, k)) / 2, rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("bias of dout", "dz.sum(axis=0)", "dout.sum(axis=0)",
              "b: with the adjoint multiplied by 1 - the result squared"),
            m("W of dout", "self.x.T @ dz", "self.x.T @ dout",
              "W: with the adjoint multiplied by 1 - the result squared"),
            m("x of dout", "return dz @", "return dout @",
              "x: with the adjoint multiplied by 1 - the result squared"),
            m("of z", "1 - self.y**2", "1 - self.z**2", f"W: .*{AT_INPUT}.*b: .*{AT_INPUT}"),
            m("tanh of y", "1 - self.y**2", "1 - np.tanh(self.y)**2", f"x: .*{AT_RESULT}"),
            m("no square", "1 - self.y**2", "1 - self.y", "b: .*multiplied by 1 . the result"),
            m("no sum", "dz.sum(axis=0)", "dz", "b: .*not summed over the batch"),
            m("all", "dz.sum(axis=0)", "dz.sum()", "b: .*summed over all"),
            m("other axis", "dz.sum(axis=0)", "dz.sum(axis=1)", "b: .*a gradient has the shape"),
        ),
    ),
    "Dense with sigmoid": Written(
        '''
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x, self.z = x, x @ self.W + self.b
        self.y = 1 / (1 + np.exp(-self.z))
        return self.y

    def backward(self, dout):
        dz = dout * self.y * (1 - self.y)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T

def make(rng, n, d, k):
    return Dense(rng.normal(size=(d, k)), rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("no 1 - y", "dout * self.y * (1 - self.y)", "dout * self.y",
              "W: with the adjoint multiplied by 1 - the result it is right"),
            m("of z", "self.y * (1 - self.y)", "self.z * (1 - self.z)", f"b: .*{AT_INPUT}"),
            m("bias of dout", "dz.sum(axis=0)", "dout.sum(axis=0)",
              r"b: with the adjoint multiplied by the result \* \(1 - the result\)"),
            m("nan", "dz.sum(axis=0)", "np.nan * dz.sum(axis=0)", "b: .*is nan"),
            m("other axis", "dz.sum(axis=0)", "dz.sum(axis=1)", "b: .*a gradient has the shape"),
            m("y squared", "self.y * (1 - self.y)", "self.y**2 * (1 - self.y)",
              "W: with the adjoint divided by the result"),
        ),
    ),
    "Dense with ReLU": Written(
        '''
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        self.y = np.maximum(x @ self.W + self.b, 0)
        return self.y

    def backward(self, dout):
        dz = dout * (self.y > 0)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T

def make(rng, n, d, k):
    return Dense(rng.normal(size=(d, k)), rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("bias of dout", "dz.sum(axis=0)", "dout.sum(axis=0)", "b: .*result > 0"),
            m("no mask", "dout * (self.y > 0)", "1.0 * dout", "W: .*result > 0.*b: .*result > 0"),
            m("adjoint", "dout * (self.y > 0)", "1.0 * (self.y > 0)", ADJOINT),
        ),
    ),
    "Dense with GELU": Written(
        '''
def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.044715 * x**3)))

def slope(x):
    t = np.tanh(0.8 * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * 0.8 * (1 + 3 * 0.044715 * x**2)

class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x, self.z = x, x @ self.W + self.b
        return gelu(self.z)

    def backward(self, dout):
        dz = dout * slope(self.z)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T

def make(rng, n, d, k):
    return Dense(rng.normal(size=(d, k)), rng.normal(size=k)), rng.normal(size=(n, d))
''',
        (
            m("bias of dout", "dz.sum(axis=0)", "dout.sum(axis=0)",
              "b: it is the sum of dout, with the adjoint of the result itself"),
            m("W of dout", "self.x.T @ dz", "self.x.T @ dout",
              "W: it is x.T @ dout, with the adjoint of the result itself"),
            m("nan", "dz.sum(axis=0)", "dz.sum(axis=0) + np.inf", "b: .*infinite"),
        ),
    ),
    "Log": Written(
        '''
class Log:
    def forward(self, x):
        self.x = x
        return np.log(x)

    def backward(self, dout):
        return dout / self.x

def make(rng, n, d, k):
    return Log(), rng.uniform(0.2, 2.0, (n, d))
''',
        (
            m("eps in backward", "dout / self.x", "dout / (self.x + 3e-5)",
              "eps that is added to the input"),
            m("eps in forward", "np.log(x)", "np.log(x + 3e-5)", "eps that is added to the input"),
            m("division", "dout / self.x", "1.0 * dout", "divided by the input itself"),
            m("upside down", "dout / self.x", "dout * self.x", "both derivatives differ"),
        ),
    ),
    "Division": Written(
        '''
class Division:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x / y

    def backward(self, dout):
        return dout / self.y, -dout * self.x / self.y**2

def make(rng, n, d, k):
    return Division(), rng.normal(size=(n, d)), rng.uniform(0.5, 2.0, (n, d))
''',
        (
            m("eps in forward", "x / y\n", "x / (y + 1e-4)\n", "x: .*eps that is added to y"),
            m("no square", "self.x / self.y**2", "self.x / self.y", "y: divided by the input"),
            m("sign", "-dout * self.x", "dout * self.x", "y: the sign is wrong"),
            m("y unused in forward", "x / y\n", "x / 2\n", "y: moving the input does"),
        ),
    ),
}
