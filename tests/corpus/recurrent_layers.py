"""Recurrent layers, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import ONE_PART, PATH, TIME, TRANSPOSED

# fmt: off
RECURRENT = {
    "RNN of a course, over time": HandWritten(
        '''
def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)

def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h ** 2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)

def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h = np.zeros((N, T, len(b)))
    prev, cache = h0, []
    for t in range(T):
        prev, step = rnn_step_forward(x[:, t], prev, Wx, Wh, b)
        h[:, t] = prev
        cache.append(step)
    return h, cache

def rnn_backward(dh, cache):
    N, T, H = dh.shape
    x, _, Wx, Wh, _ = cache[0]
    dx = np.zeros((N, T, x.shape[1]))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(H)
    dprev_h = np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dprev_h, a, b, c = rnn_step_backward(dh[:, t] + dprev_h, cache[t])
        dWx += a
        dWh += b
        db += c
    return dx, dprev_h, dWx, dWh, db

def make(rng):
    return (rnn_forward, rnn_backward, rng.normal(2, 3, 3), rng.normal(2, 4), rng.normal(3, 4),
            rng.normal(4, 4), rng.normal(4))
''',
        "f, g, x, h0, Wx, Wh, b", "out, cache = f(x, h0, Wx, Wh, b)",
        "dx, dh0, dWx, dWh, db = g(dout, cache)", "x: dx; h0: dh0; Wx: dWx; Wh: dWh; b: db",
        (
            m("cut after one step", "dh[:, t] + dprev_h, cache", "dh[:, t], cache", TIME),
            m("Wh not transposed", "da @ Wh.T", "da @ Wh", "transposed|" + TIME),
            m("last step alone", "dWh += b", "dWh = b", ONE_PART),
            m("slope from the previous state", "(1 - next_h ** 2)", "(1 - prev_h ** 2)", ""),
        ),
    ),
    "characters, lists by time": HandWritten(
        '''
def loss_fun(Wxh, Whh, Why, bh, by, inputs, targets):
    xs, hs, ps = {}, {-1: np.zeros((Whh.shape[0], 1))}, {}
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        y = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(y - y.max()) / np.sum(np.exp(y - y.max()))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, (dWxh, dWhh, dWhy, dbh, dby)

def make(rng):
    return (lambda *a: loss_fun(*a)[0], lambda *a: loss_fun(*a)[1],
            rng.normal(4, 3), rng.normal(4, 4), rng.normal(3, 4), rng.normal(4, 1),
            rng.normal(3, 1), rng.integers(3, 4), rng.integers(3, 4))
''',
        "f, g, Wxh, Whh, Why, bh, by, inputs, targets",
        "out = f(Wxh, Whh, Why, bh, by, inputs, targets)",
        "dWxh, dWhh, dWhy, dbh, dby = g(Wxh, Whh, Why, bh, by, inputs, targets)",
        "Wxh: dWxh; Whh: dWhh; Why: dWhy; bh: dbh; by: dby",
        (
            m("cut", "np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)", TIME),
            m("state of the same step", "np.dot(dhraw, hs[t - 1].T)", "np.dot(dhraw, hs[t].T)",
              ""),
            m("bias from dh", "dbh += dhraw", "dbh += dh", ""),
            m("minus one forgotten", "        dy[targets[t]] -= 1\n", "", "", also=PATH),
            m("not transposed", "np.dot(Whh.T, dhraw)", "np.dot(Whh, dhraw)", TIME + "|transposed"),
        ),
    ),
    "recurrent layer in a class, float32 buffer": HandWritten(
        '''
class TimeRNN:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]

    def forward(self, xs):
        Wx, Wh, b = self.params
        N, T, D = xs.shape
        self.xs = xs
        hs = np.empty((N, T + 1, Wh.shape[0]), dtype="f")
        hs[:, 0] = 0
        for t in range(T):
            hs[:, t + 1] = np.tanh(np.dot(hs[:, t], Wh) + np.dot(xs[:, t], Wx) + b)
        self.hs = hs
        return hs[:, 1:]

    def backward(self, dhs):
        Wx, Wh, b = self.params
        N, T, D = self.xs.shape
        dxs = np.empty((N, T, D), dtype="f")
        dWx, dWh, db, dh = 0, 0, 0, 0
        for t in reversed(range(T)):
            dt = (dhs[:, t] + dh) * (1 - self.hs[:, t + 1] ** 2)
            db += np.sum(dt, axis=0)
            dWh += np.dot(self.hs[:, t].T, dt)
            dWx += np.dot(self.xs[:, t].T, dt)
            dxs[:, t] = np.dot(dt, Wx.T)
            dh = np.dot(dt, Wh.T)
        for i, grad in enumerate((dWx, dWh, db)):
            self.grads[i][...] = grad
        return dxs

def make(rng):
    return TimeRNN(rng.normal(3, 4), rng.normal(4, 4), rng.normal(4)), rng.normal(2, 3, 3)
''',
        "layer, x", "out = layer.forward(x).astype(float)", "dx = layer.backward(dout)",
        "x: dx; layer.params[0]: layer.grads[0]; layer.params[1]: layer.grads[1];"
        "layer.params[2]: layer.grads[2]",
        (
            m("cut", "(dhs[:, t] + dh)", "dhs[:, t]", TIME),
            m("grads swapped", "enumerate((dWx, dWh, db))", "enumerate((dWx, dWh.T, db))",
              TRANSPOSED),
            m("not summed up", "db += np.sum(dt, axis=0)", "db = np.sum(dt, axis=0)",
              ONE_PART),
            m("state shifted", "np.dot(self.hs[:, t].T, dt)", "np.dot(self.hs[:, t + 1].T, dt)",
              ""),
        ),
    ),
    "two directions": HandWritten(
        '''
class BiRNN:
    def __init__(self, Wf, Wb):
        self.Wf, self.Wb = Wf, Wb

    def forward(self, xs):
        self.xs = xs
        T, H = xs.shape
        self.f, self.b = np.zeros((T + 1, H)), np.zeros((T + 1, H))
        for t in range(T):
            self.f[t + 1] = np.tanh(xs[t] + self.f[t] @ self.Wf)
        for t in reversed(range(T)):
            self.b[t] = np.tanh(xs[t] + self.b[t + 1] @ self.Wb)
        return np.concatenate([self.f[1:], self.b[:-1]], axis=1)

    def backward(self, dout):
        T, H = self.xs.shape
        df, db = np.split(dout, 2, axis=1)
        self.dWf, self.dWb = np.zeros((H, H)), np.zeros((H, H))
        dxs, d = np.zeros_like(self.xs), np.zeros(H)
        for t in reversed(range(T)):
            a = (df[t] + d) * (1 - self.f[t + 1] ** 2)
            self.dWf += np.outer(self.f[t], a)
            dxs[t] += a
            d = a @ self.Wf.T
        d = np.zeros(H)
        for t in range(T):
            a = (db[t] + d) * (1 - self.b[t] ** 2)
            self.dWb += np.outer(self.b[t + 1], a)
            dxs[t] += a
            d = a @ self.Wb.T
        return dxs

def make(rng):
    return BiRNN(rng.normal(3, 3), rng.normal(3, 3)), rng.normal(4, 3)
''',
        "layer, xs", "out = layer.forward(xs)", "dxs = layer.backward(dout)",
        "xs: dxs; layer.Wf: layer.dWf; layer.Wb: layer.dWb",
        (
            m("halves swapped", "df, db = np.split", "db, df = np.split", ""),
            m("second direction alone", "            dxs[t] += a\n            d = a @ self.Wb.T",
              "            dxs[t] = a\n            d = a @ self.Wb.T", ONE_PART),
            m("outer turned", "np.outer(self.b[t + 1], a)", "np.outer(a, self.b[t + 1])",
              TRANSPOSED),
            m("no gradient kept", "self.dWf += np.outer(self.f[t], a)",
              "dWf = np.outer(self.f[t], a)", "0 everywhere"),
        ),
    ),
}
