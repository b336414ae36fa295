"""LSTM and GRU, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import ONE_PART, OUTPUT, TIME

# fmt: off
GATED = {
    "LSTM cell": HandWritten(
        '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class LSTMCell:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x, h_prev, c_prev):
        H = h_prev.shape[1]
        A = x @ self.Wx + h_prev @ self.Wh + self.b
        f, g = sigmoid(A[:, :H]), np.tanh(A[:, H:2 * H])
        i, o = sigmoid(A[:, 2 * H:3 * H]), sigmoid(A[:, 3 * H:])
        c_next = f * c_prev + g * i
        h_next = o * np.tanh(c_next)
        self.cache = (x, h_prev, c_prev, f, g, i, o, c_next)
        return h_next, c_next

    def backward(self, dh_next, dc_next):
        x, h_prev, c_prev, f, g, i, o, c_next = self.cache
        tanh_c = np.tanh(c_next)
        ds = dc_next + dh_next * o * (1 - tanh_c ** 2)
        dc_prev = ds * f
        di = ds * g * i * (1 - i)
        df = ds * c_prev * f * (1 - f)
        do = dh_next * tanh_c * o * (1 - o)
        dg = ds * i * (1 - g ** 2)
        dA = np.hstack((df, dg, di, do))
        self.dWh = h_prev.T @ dA
        self.dWx = x.T @ dA
        self.db = dA.sum(axis=0)
        return dA @ self.Wx.T, dA @ self.Wh.T, dc_prev

def make(rng):
    return (LSTMCell(rng.normal(3, 8), rng.normal(2, 8), rng.normal(8)), rng.normal(4, 3),
            rng.normal(4, 2), rng.normal(4, 2))
''',
        "layer, x, h, c", "out = layer.forward(x, h, c)",
        "dx, dh, dc = layer.backward(*dout)",
        "x: dx; h: dh; c: dc; layer.Wx: layer.dWx; layer.Wh: layer.dWh; layer.b: layer.db",
        (
            m("dc of the next step", "ds = dc_next + dh_next", "ds = dh_next", OUTPUT),
            m("tanh of the cell forgotten", "dh_next * o * (1 - tanh_c ** 2)", "dh_next * o", ""),
            m("gates stacked in another order", "np.hstack((df, dg, di, do))",
              "np.hstack((df, di, dg, do))", ""),
            m("slope of the sigmoid for tanh", "dg = ds * i * (1 - g ** 2)",
              "dg = ds * i * g * (1 - g)", ""),
            m("forget gate", "dc_prev = ds * f", "dc_prev = ds * i", ""),
        ),
    ),
    "LSTM over time": HandWritten(
        '''
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def lstm_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    H = h0.shape[1]
    h, c = h0, np.zeros_like(h0)
    hs, cache = np.zeros((N, T, H)), []
    for t in range(T):
        a = x[:, t].dot(Wx) + h.dot(Wh) + b
        i, f, o = (sigmoid(a[:, k * H:(k + 1) * H]) for k in range(3))
        g = np.tanh(a[:, 3 * H:])
        cache.append((x[:, t], h, c, i, f, o, g))
        c = f * c + i * g
        h = o * np.tanh(c)
        hs[:, t] = h
    return hs, (cache, Wx, Wh)

def lstm_backward(dhs, cache):
    steps, Wx, Wh = cache
    N, T, H = dhs.shape
    dx = np.zeros((N, T, Wx.shape[0]))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H)
    dh, dc = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        x, h, c, i, f, o, g = steps[t]
        tc = np.tanh(f * c + i * g)
        dh = dh + dhs[:, t]
        dc = dc + dh * o * (1 - tc ** 2)
        da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o),
                        dc * i * (1 - g ** 2)])
        dx[:, t] = da.dot(Wx.T)
        dWx += x.T.dot(da)
        dWh += h.T.dot(da)
        db += da.sum(axis=0)
        dh = da.dot(Wh.T)
        dc = dc * f
    return dx, dh, dWx, dWh, db

def make(rng):
    return (lstm_forward, lstm_backward, rng.normal(2, 3, 2), rng.normal(2, 2), rng.normal(2, 8),
            rng.normal(2, 8), rng.normal(8))
''',
        "f, g, x, h0, Wx, Wh, b", "out, cache = f(x, h0, Wx, Wh, b)",
        "dx, dh0, dWx, dWh, db = g(dout, cache)", "x: dx; h0: dh0; Wx: dWx; Wh: dWh; b: db",
        (
            m("cell's gradient cut", "        dc = dc * f\n", "        dc = 0 * dc\n",
              TIME),
            m("state's gradient cut", "dh = dh + dhs[:, t]", "dh = dhs[:, t]", TIME),
            m("forget gate forgotten", "        dc = dc * f\n", "", TIME),
            m("last step alone", "db += da.sum(axis=0)", "db = da.sum(axis=0)",
              ONE_PART),
        ),
    ),
    "GRU cell": HandWritten(
        '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class GRUCell:
    def __init__(self, W, U, b):
        self.W, self.U, self.b = W, U, b

    def forward(self, x, h):
        Wz, Wr, Wn = self.W
        Uz, Ur, Un = self.U
        bz, br, bn = self.b
        z = sigmoid(x @ Wz + h @ Uz + bz)
        r = sigmoid(x @ Wr + h @ Ur + br)
        n = np.tanh(x @ Wn + (r * h) @ Un + bn)
        self.saved = x, h, z, r, n
        return (1 - z) * h + z * n

    def backward(self, dh_next):
        x, h, z, r, n = self.saved
        Uz, Ur, Un = self.U
        dn = dh_next * z * (1 - n ** 2)
        dz = dh_next * (n - h) * z * (1 - z)
        drh = dn @ Un.T
        dr = drh * h * r * (1 - r)
        self.dW = np.stack([x.T @ d for d in (dz, dr, dn)])
        self.dU = np.stack([h.T @ dz, h.T @ dr, (r * h).T @ dn])
        self.db = np.stack([d.sum(axis=0) for d in (dz, dr, dn)])
        dx = sum(d @ W.T for d, W in zip((dz, dr, dn), self.W))
        dh = dh_next * (1 - z) + dz @ Uz.T + dr @ Ur.T + drh * r
        return dx, dh

def make(rng):
    return (GRUCell(rng.normal(3, 2, 3), rng.normal(3, 3, 3), rng.normal(3, 3)), rng.normal(4, 2),
            rng.normal(4, 3))
''',
        "layer, x, h", "out = layer.forward(x, h)", "dx, dh = layer.backward(dout)",
        "x: dx; h: dh; layer.W: layer.dW; layer.U: layer.dU; layer.b: layer.db",
        (
            m("the direct path", "dh = dh_next * (1 - z) + dz", "dh = dz", ""),
            m("reset gate forgotten", "(r * h).T @ dn])", "h.T @ dn])", r"only in \[2, :, :\]"),
            m("path through r*h", " + drh * r", " + drh", ""),
            m("sign of the update gate", "dh_next * (n - h) * z", "dh_next * (h - n) * z", ""),
            m("U turned", "self.dU = np.stack([h.T @ dz", "self.dU = np.stack([dz.T @ h",
              r"only in \[0, :, :\]"),
        ),
    ),
    "GRU over time, dict of parameters": HandWritten(
        '''
class GRU:
    def __init__(self, params):
        self.params = params
        self.grads = {k: np.zeros_like(v) for k, v in params.items()}

    def forward(self, X):
        p = self.params
        h = np.zeros((X.shape[1], p["bz"].shape[0]))
        self.steps = []
        for x in X:
            z = 1 / (1 + np.exp(-(x @ p["Wz"] + h @ p["Uz"] + p["bz"])))
            n = np.tanh(x @ p["Wn"] + h @ p["Un"] + p["bn"])
            self.steps.append((x, h, z, n))
            h = z * h + (1 - z) * n
        return h

    def backward(self, dh):
        p, g = self.params, self.grads
        for k in g:
            g[k][...] = 0
        dX = []
        for x, h, z, n in reversed(self.steps):
            dz = dh * (h - n) * z * (1 - z)
            dn = dh * (1 - z) * (1 - n * n)
            for gate, d in (("z", dz), ("n", dn)):
                g["W" + gate] += x.T @ d
                g["U" + gate] += h.T @ d
                g["b" + gate] += d.sum(axis=0)
            dX.append(dz @ p["Wz"].T + dn @ p["Wn"].T)
            dh = dh * z + dz @ p["Uz"].T + dn @ p["Un"].T
        return np.array(dX[::-1])

def make(rng):
    shapes = {"Wz": (2, 3), "Uz": (3, 3), "bz": (3,), "Wn": (2, 3), "Un": (3, 3), "bn": (3,)}
    return GRU({k: rng.normal(*s) for k, s in shapes.items()}), rng.normal(4, 2, 2)
''',
        "layer, X", "out = layer.forward(X)", "dX = layer.backward(dout)",
        "X: dX; layer.params['Wz']: layer.grads['Wz']; layer.params['Uz']: layer.grads['Uz'];"
        "layer.params['bz']: layer.grads['bz']; layer.params['Un']: layer.grads['Un']",
        (
            m("never turned back", "np.array(dX[::-1])", "np.array(dX)", "turned around"),
            m("assigned", 'g["W" + gate] += x.T @ d', 'g["W" + gate][...] = x.T @ d',
              ONE_PART),
            m("path of the gate", "dh = dh * z + dz", "dh = dz", TIME),
            m("not set to 0 between the steps", 'g["b" + gate] += d.sum(axis=0)',
              'g["b" + gate] += dh.sum(axis=0)', ""),
        ),
    ),
}
