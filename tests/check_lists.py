"""Layers that keep parameters and gradients in lists or dicts, and kernels with several axes."""

from written_layers import Written, m

# fmt: off


LISTED = {
    "Embedding with params and grads": Written(
        '''
class Embedding:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, idx):
        self.idx = idx
        return self.params[0][idx]

    def backward(self, dout):
        self.grads[0][...] = 0
        np.add.at(self.grads[0], self.idx, dout)

def make(rng, n, d, k):
    return Embedding(rng.normal(size=(d, k))), rng.integers(0, d, n)
''',
        (
            m("assigned", "np.add.at(self.grads[0], self.idx, dout)",
              "self.grads[0][self.idx] = dout", "where idx takes a row more than once"),
            m("buffered", "np.add.at(self.grads[0], self.idx, dout)",
              "self.grads[0][self.idx] += dout", "where idx takes a row more than once"),
            m("sign", "self.idx, dout)", "self.idx, -dout)", "params.0: the sign is wrong"),
            m("zero", "np.add.at(self.grads[0], self.idx, dout)", "pass", "0 everywhere"),
        ),
    ),
    "RNN with dicts": Written(
        '''
class RNN:
    def __init__(self, Wx, Wh, b):
        self.params, self.grads = {"Wx": Wx, "Wh": Wh, "b": b}, {}

    def forward(self, x, h):
        p = self.params
        self.x, self.h, self.new = x, h, np.tanh(h @ p["Wh"] + x @ p["Wx"] + p["b"])
        return self.new

    def backward(self, dh):
        dt = dh * (1 - self.new**2)
        self.grads["Wx"], self.grads["Wh"] = self.x.T @ dt, self.h.T @ dt
        self.grads["b"] = dt.sum(axis=0)
        return dt @ self.params["Wx"].T, dt @ self.params["Wh"].T

def make(rng, n, d, k):
    weights = rng.normal(size=(d, k)), rng.normal(size=(k, k)), rng.normal(size=k)
    return RNN(*weights), rng.normal(size=(n, d)), rng.normal(size=(n, k))
''',
        (
            m("no sum", "dt.sum(axis=0)", "dt", "b: .*not summed over the batch"),
            m("transposed", ', dt @ self.params["Wh"].T', ', dt @ self.params["Wh"]', "h: "),
            m("missing", '        self.grads["b"] = dt.sum(axis=0)\n', "",
              "b: backward gave no gradient .*looked for db,"),
            m("swapped", "= self.x.T @ dt, self.h.T @ dt", "= self.h.T @ dt, self.x.T @ dt",
              "Wx: it is the gradient of params.Wh"),
        ),
    ),
    "Convolution": Written(
        '''
class Convolution:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        self.windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 2))
        return np.einsum("nijab,kab->nkij", self.windows, self.W)

    def backward(self, dout):
        self.dW = np.einsum("nijab,nkij->kab", self.windows, dout)
        dx = np.zeros_like(self.x)
        height, width = dout.shape[2:]
        for a in range(2):
            for b in range(2):
                dx[:, a:a + height, b:b + width] += np.einsum("nkij,k->nij", dout, self.W[:, a, b])
        return dx

def make(rng, n, d, k):
    return Convolution(rng.normal(size=(k, 2, 2))), rng.normal(size=(n, d + 1, d + 2))
''',
        (
            m("axes", "nkij->kab", "nkij->kba", r"W: its axes .*transpose\(\(0, 2, 1\)\)"),
            m("flipped", "self.windows, dout)", "self.windows, dout)[:, ::-1, ::-1]",
              r"W: it is turned around; .*np.flip with axis=\(1, 2\)"),
            m("assigned", "b:b + width] += np", "b:b + width] = np", "x: "),
        ),
    ),
}
