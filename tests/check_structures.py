"""Layers with a direct path, steps in time, several heads, masks; losses with a second term."""

from written_layers import Written, m

# fmt: off
CARRIED = "what later steps send to it"
MASK = "mask is taken from the sign of the adjoint"


STRUCTURES = {
    "residual": Written(
        '''
class Residual:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x, self.y = x, np.tanh(x @ self.W)
        return x + self.y

    def backward(self, dout):
        dz = dout * (1 - self.y**2)
        self.dW = self.x.T @ dz
        return dout + dz @ self.W.T

def make(rng, n, d, k):
    return Residual(rng.normal(size=(d, d)) / 2), rng.normal(size=(n, d))
''',
        (
            m("no direct path", "dout + dz @ self.W.T", "dz @ self.W.T", "with the adjoint added"),
            m("twice", "dout + dz @ self.W.T", "2 * dout + dz @ self.W.T",
              "without the adjoint it is right"),
            m("transposed", "self.x.T @ dz", "dz.T @ self.x", "W: it is transposed"),
        ),
    ),
    "square": Written(
        '''
def forward(x, W):
    y = np.tanh(x @ W)
    return y, (x, W, y)

def backward(dout, cache):
    x, W, y = cache
    dz = dout * (1 - y**2)
    return dz @ W.T, x.T @ dz

def make(rng, n, d, k):
    return forward, backward, rng.normal(size=(n, d)), rng.normal(size=(d, d))
''',
        (
            m("W", "dz @ W.T", "dz @ W", r"x: W is not transposed .*dout @ W.T"),
            m("no slope", "dz = dout * (1 - y**2)", "dz = dout", "W: with the adjoint multiplied"),
            m("adjoint", "dz = dout *", "dz = 1.0 *", "x: the adjoint of the output is left out"),
        ),
    ),
    "weight decay": Written(
        '''
def forward(w, x, t):
    return ((x @ w - t) ** 2).mean() + 0.05 * (w**2).sum()

def backward(w, x, t):
    return 2 * x.T @ (x @ w - t) / len(t) + 0.1 * w

def make(rng, n, d, k):
    return forward, backward, rng.normal(size=d), rng.normal(size=(n, d)), rng.normal(size=n)
''',
        (
            m("left out", " + 0.1 * w", "", "with 0.1 times the input added"),
            m("half", " + 0.1 * w", " + 0.05 * w", "with 0.05 times the input added"),
            m("no mean", " / len(t) + 0.1 * w", "+ 0.1 * w", "both derivatives differ"),
        ),
    ),
    "linear recurrence": Written(
        '''
class Recurrence:
    def __init__(self, A, B):
        self.A, self.B = A, B

    def forward(self, x):
        self.x, self.h = x, [np.zeros(len(self.A))]
        for row in x:
            self.h.append(self.h[-1] @ self.A + row @ self.B)
        return np.stack(self.h[1:])

    def backward(self, dh):
        dx, d = np.zeros_like(self.x), np.zeros(len(self.A))
        self.dA, self.dB = np.zeros_like(self.A), np.zeros_like(self.B)
        for t in reversed(range(len(dh))):
            d = dh[t] + d @ self.A.T
            dx[t] = d @ self.B.T
            self.dA += np.outer(self.h[t], d)
            self.dB += np.outer(self.x[t], d)
        return dx

def make(rng, n, d, k):
    return Recurrence(rng.normal(size=(k, k)) / 2, rng.normal(size=(d, k))), rng.normal(size=(n, d))
''',
        (
            m("cut", "dh[t] + d @ self.A.T", "dh[t]", "B: it is x.T @ dout, with the adjoint of"),
            m("A", "d @ self.A.T", "d @ self.A", f"x: .*{CARRIED}"),
            m("assigned", "self.dB += np", "self.dB = np", "B: .*assigned instead of"),
        ),
    ),
    "moving average": Written(
        '''
class Average:
    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x, self.y = x, np.zeros_like(x)
        last = np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            last = self.y[:, t] = 0.8 * last + self.w[t] * x[:, t]
        return self.y

    def backward(self, dout):
        dx, self.dw, d = np.zeros_like(dout), np.zeros_like(self.w), 0.0
        for t in reversed(range(dout.shape[1])):
            d = dout[:, t] + 0.8 * d
            dx[:, t] = d * self.w[t]
            self.dw[t] = (d * self.x[:, t]).sum()
        return dx

def make(rng, n, d, k):
    return Average(rng.normal(size=d + 2)), rng.normal(size=(n, d + 2, 2))
''',
        (
            m("cut", "dout[:, t] + 0.8 * d", "dout[:, t]",
              "x: .*only the first of their contributions"),
            m("other rate", "+ 0.8 * d", "+ 0.4 * d", f"x: .*{CARRIED}"),
            m("no w", "dx[:, t] = d * self.w[t]", "dx[:, t] = d",
              "x: multiplied by w along axis 1"),
        ),
    ),
    "heads": Written(
        '''
class Heads:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return np.einsum("nd,dhk->nhk", x, self.W)

    def backward(self, dout):
        self.dW = np.einsum("nd,nhk->dhk", self.x, dout)
        return np.einsum("nhk,dhk->nd", dout, self.W)

def make(rng, n, d, k):
    return Heads(rng.normal(size=(d, k, 2))), rng.normal(size=(n, d))
''',
        (
            m("order", "nhk->dhk", "nhk->hdk", r"W: .*right after .transpose\(\(1, 0, 2\)\)"),
            m("sum", "nhk->dhk", "nhk->dk", "W: .*summed over axis 1, once too often"),
            m("one head", "nhk,dhk->nd\", dout, self.W",
              "nk,dk->nd\", dout[:, 0], self.W[:, 0]", "x: "),
        ),
    ),
    "Reverse": Written(
        '''
class Reverse:
    def forward(self, x):
        return x[:, ::-1]

    def backward(self, dout):
        return dout[:, ::-1]

def make(rng, n, d, k):
    return Reverse(), rng.normal(size=(n, d))
''',
        (
            m("as it is", "return dout[:, ::-1]", "return dout.copy()", "it is turned around"),
            m("other axis", "return dout[:, ::-1]", "return dout[::-1]", "it is turned around"),
            m("shape", "return dout[:, ::-1]", "return dout[:, ::-1].ravel()", "reshape it"),
        ),
    ),
    "absolute error": Written(
        '''
class AbsoluteError:
    def forward(self, y, t):
        return np.abs(y - t).mean()

    def backward(self, y, t):
        return np.sign(y - t) / len(t)

def make(rng, n, d, k):
    return AbsoluteError(), rng.normal(size=(n, 1)), rng.normal(size=(n, 1))
''',
        (
            m("(n,)", "np.sign(y - t)", "np.sign(y - t[:, 0])", r"broadcast to \(5, 5\)"),
            m("no mean", " / len(t)", "", "a factor 1/N is missing"),
            m("half", "np.sign(y - t)", "0.5 * np.sign(y - t)", "half of what it should be"),
        ),
    ),
    "Leaky ReLU": Written(
        '''
class Leaky:
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, 0.1 * x)

    def backward(self, dout):
        return np.where(self.x > 0, dout, 0.1 * dout)

def make(rng, n, d, k):
    return Leaky(), rng.normal(size=(n, d))
''',
        (
            m("no slope", "dout, 0.1 * dout)", "dout, 0)", "where the input is negative: it is 0"),
            m("other slope", "0.1 * dout", "0.2 * dout",
              "where the input is negative: it is 2 times"),
            m("inverted", "dout, 0.1 * dout)", "0.1 * dout, dout)", "x: "),
        ),
    ),
    "Clip": Written(
        '''
class Clip:
    def forward(self, x):
        self.inside = np.abs(x) < 1
        return np.clip(x, -1, 1)

    def backward(self, dout):
        return dout * self.inside

def make(rng, n, d, k):
    return Clip(), rng.normal(size=(n, d))
''',
        (
            m("everywhere", "dout * self.inside", "dout * np.ones_like(dout)", "mask left out"),
            m("inverted", "dout * self.inside", "dout * ~self.inside", "the wrong way round"),
            m("of dout", "dout * self.inside", "dout * (dout > 0)", MASK),
        ),
    ),
    "squared ReLU": Written(
        '''
class Squared:
    def forward(self, x):
        self.positive = np.maximum(x, 0)
        return self.positive**2

    def backward(self, dout):
        return 2 * self.positive * dout

def make(rng, n, d, k):
    return Squared(), rng.normal(size=(n, d))
''',
        (
            m("of dout", "2 * self.positive * dout", "np.where(dout > 0, dout, 0)", MASK),
            m("no 2", "2 * self.positive", "self.positive", "half of what it should be"),
            m("no factor", "2 * self.positive * dout", "2 * (self.positive > 0) * dout",
              "multiplied by the input itself"),
        ),
    ),
    "root mean square": Written(
        '''
class RMSNorm:
    def __init__(self, gain):
        self.gain = gain

    def forward(self, x):
        self.rms = np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-4)
        self.n = x / self.rms
        return self.gain * self.n

    def backward(self, dout):
        self.dgain = (dout * self.n).sum(axis=0)
        d = dout * self.gain
        return (d - self.n * (d * self.n).mean(axis=1, keepdims=True)) / self.rms

def make(rng, n, d, k):
    return RMSNorm(rng.uniform(0.5, 2.0, d)), rng.normal(size=(n, d))
''',
        (
            m("eps", "self.dgain = (dout * self.n)", "self.dgain = (dout * self.n * (1 + 1e-5))",
              "gain: it is right but for less than a thousandth"),
            m("no gain", "d = dout * self.gain", "d = dout * 1.0", "x: "),
            m("no path", "(d - self.n * (d * self.n).mean(axis=1, keepdims=True))", "d",
              "a path, such as that through the norm"),
        ),
    ),
}
