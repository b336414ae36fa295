"""Layers whose inputs reach several results: windows, copies, steps in time."""

from written_layers import Written, m

# fmt: off
LAST, FIRST = "only the last of their contributions", "only the first of their contributions"


WINDOWS = {
    "Upsampling": Written(
        '''
class Upsampling:
    def forward(self, x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def backward(self, dout):
        n, h, w = dout.shape
        return dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))

def make(rng, n, d, k):
    return Upsampling(), rng.normal(size=(n, d, k))
''',
        (
            m("one copy", "dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))",
              "dout[:, ::2, ::2]", FIRST),
            m("last copy", "dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))",
              "dout[:, 1::2, 1::2]", LAST),
            m("mean", ".sum(axis=(2, 4))", ".mean(axis=(2, 4))",
              "4 times too small: .*number of results for each element"),
            m("no sum", "dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))", "dout",
              "not summed over the copies: .*2 times along axis 1, 2 times along axis 2"),
        ),
    ),
    "Repeat": Written(
        '''
def forward(x):
    return np.repeat(x, 3, axis=1), x.shape

def backward(dout, cache):
    n, d = cache
    return dout.reshape(n, d, 3).sum(axis=2)

def make(rng, n, d, k):
    return forward, backward, rng.normal(size=(n, d))
''',
        (
            m("one copy", "dout.reshape(n, d, 3).sum(axis=2)", "dout[:, ::3]", FIRST),
            m("as tile", "dout.reshape(n, d, 3).sum(axis=2)", "dout.reshape(n, 3, d).sum(axis=1)",
              "both derivatives differ"),
            m("no sum", "dout.reshape(n, d, 3).sum(axis=2)", "dout",
              "not summed over the copies: .*np.repeat"),
        ),
    ),
    "Tile": Written(
        '''
def forward(x):
    return np.tile(x, (1, 3)), x.shape

def backward(dout, cache):
    n, d = cache
    return dout.reshape(n, 3, d).sum(axis=1)

def make(rng, n, d, k):
    return forward, backward, rng.normal(size=(n, d))
''',
        (
            m("one copy", "dout.reshape(n, 3, d).sum(axis=1)", "dout[:, :d]", FIRST),
            m("no sum", "dout.reshape(n, 3, d).sum(axis=1)", "dout",
              "not summed over the copies: .*np.tile"),
        ),
    ),
    "Convolution by windows": Written(
        '''
class Convolution:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x, (c, height, width) = x, self.W.shape
        out = np.zeros((len(x), c, x.shape[1] - height + 1, x.shape[2] - width + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                window = x[:, None, i:i + height, j:j + width]
                out[:, :, i, j] = (window * self.W).sum(axis=(2, 3))
        return out

    def backward(self, dout):
        dx, self.dW, (c, height, width) = np.zeros_like(self.x), np.zeros_like(self.W), self.W.shape
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                d = dout[:, :, i, j][:, :, None, None]
                dx[:, i:i + height, j:j + width] += (d * self.W).sum(axis=1)
                self.dW += (d * self.x[:, None, i:i + height, j:j + width]).sum(axis=0)
        return dx

def make(rng, n, d, k):
    return Convolution(rng.normal(size=(k, 2, 3))), rng.normal(size=(n, d + 2, d + 3))
''',
        (
            m("dx assigned", "j:j + width] += (d", "j:j + width] = (d", f"x: .*{LAST}"),
            m("dW assigned", "self.dW += (d", "self.dW = (d", "W: .*assigned instead of"),
            m("mean", ".sum(axis=0)", ".mean(axis=0)", "W: .*divided by N once too often"),
        ),
    ),
    "average pooling": Written(
        '''
class Pooling:
    def forward(self, x):
        n, h, w = x.shape
        return x.reshape(n, h // 3, 3, w // 4, 4).mean(axis=(2, 4))

    def backward(self, dout):
        return dout.repeat(3, axis=1).repeat(4, axis=2) / 12

def make(rng, n, d, k):
    return Pooling(), rng.normal(size=(n, 3 * d, 4 * k))
''',
        (
            m("no mean", " / 12", "", "12 times too large: .*number of elements for each result"),
            m("wrong mean", " / 12", " / 3", "4 times too large"),
            m("twice", " / 12", " / 144", "12 times too small"),
        ),
    ),
    "maximum pooling": Written(
        '''
class Pooling:
    def forward(self, x):
        self.x = x
        n, h, w = x.shape
        self.y = x.reshape(n, h // 2, 2, w // 2, 2).max(axis=(2, 4))
        return self.y

    def backward(self, dout):
        y, d = (a.repeat(2, axis=1).repeat(2, axis=2) for a in (self.y, dout))
        return d * (self.x == y)

def make(rng, n, d, k):
    return Pooling(), rng.normal(size=(n, 2 * d, 2 * k))
''',
        (
            m("no mask", "d * (self.x == y)", "1.0 * d", "it should be 0 .*mask left out"),
            m("wrong mask", "self.x == y", "self.x != y", "the wrong way round"),
            m("adjoint", "d * (self.x == y)", "1.0 * (self.x == y)", "adjoint of the output is"),
        ),
    ),
    "RNN over time": Written(
        '''
class RNN:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x):
        self.x, self.h = x, [np.zeros((len(x), len(self.b)))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.Wx + self.h[-1] @ self.Wh + self.b))
        return np.stack(self.h[1:], axis=1)

    def backward(self, dh):
        dx, dnext = np.zeros_like(self.x), 0.0
        self.dWx, self.dWh, self.db = (np.zeros_like(p) for p in (self.Wx, self.Wh, self.b))
        for t in reversed(range(self.x.shape[1])):
            d = dh[:, t] + dnext
            dz = d * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[:, t].T @ dz
            self.dWh += self.h[t].T @ dz
            self.db += dz.sum(axis=0)
            dx[:, t] = dz @ self.Wx.T
            dnext = dz @ self.Wh.T
        return dx

def make(rng, n, d, k):
    weights = rng.normal(size=(d, k)), rng.normal(size=(k, k)), rng.normal(size=k)
    return RNN(*weights), rng.normal(size=(n, 3, d))
''',
        (
            m("cut", "dh[:, t] + dnext", "dh[:, t]", f"x: .*{FIRST}"),
            m("no transpose", "dnext = dz @ self.Wh.T", "dnext = dz @ self.Wh",
              "x: .*later steps send to it"),
            m("assigned", "self.db += dz", "self.db = dz", "b: .*assigned instead of"),
            m("no slope", "d * (1 - self.h[t + 1] ** 2)", "1.0 * d", "Wx: if only the first step"),
            m("bias of d", "self.db += dz.sum", "self.db += d.sum",
              "b: if only the first step .*multiplied by 1 - the result squared"),
        ),
    ),
}
