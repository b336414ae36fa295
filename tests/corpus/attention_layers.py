"""Attention and what stands around it in transformers, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import FACTOR, NOT_SUMMED, PATH, ROOT, SIGN, SWAPPED, TRANSPOSED

# fmt: off
SOFTMAX = '''
def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def softmax_backward(p, dp):
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))
'''

ATTENTION = {
    "scaled dot-product of batches": HandWritten(
        SOFTMAX + '''
def attention(Q, K, V):
    scale = 1 / np.sqrt(Q.shape[-1])
    P = softmax(Q @ K.transpose(0, 2, 1) * scale)
    return P @ V, (Q, K, V, P, scale)

def attention_backward(dO, cache):
    Q, K, V, P, scale = cache
    dV = P.transpose(0, 2, 1) @ dO
    dS = softmax_backward(P, dO @ V.transpose(0, 2, 1)) * scale
    dQ = dS @ K
    dK = dS.transpose(0, 2, 1) @ Q
    return dQ, dK, dV

def make(rng):
    return attention, attention_backward, *(rng.normal(2, 3, 3) for _ in range(3))
''',
        "f, g, Q, K, V", "out, cache = f(Q, K, V)", "dQ, dK, dV = g(dout, cache)",
        "Q: dQ; K: dK; V: dV",
        (
            m("no scale", "dO @ V.transpose(0, 2, 1)) * scale", "dO @ V.transpose(0, 2, 1))", ROOT),
            m("scale of the wrong power", "dO @ V.transpose(0, 2, 1)) * scale",
              "dO @ V.transpose(0, 2, 1)) * scale ** 2", ROOT),
            m("not transposed", "dK = dS.transpose(0, 2, 1) @ Q", "dK = dS @ Q", "transposed|"
              + PATH),
            m("P not transposed", "dV = P.transpose(0, 2, 1) @ dO", "dV = P @ dO", "transposed"),
            m("softmax taken for its diagonal", "(dp - (dp * p).sum(axis=-1, keepdims=True))",
              "(1 - p) * dp", PATH),
        ),
    ),
    "self-attention with a causal mask": HandWritten(
        SOFTMAX + '''
class CausalSelfAttention:
    def __init__(self, Wq, Wk, Wv):
        self.Wq, self.Wk, self.Wv = Wq, Wk, Wv

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        scores = self.q @ self.k.T / np.sqrt(self.q.shape[1])
        scores[np.triu_indices(len(x), 1)] = -np.inf
        self.p = softmax(scores)
        return self.p @ self.v

    def backward(self, dout):
        dv = self.p.T @ dout
        ds = softmax_backward(self.p, dout @ self.v.T) / np.sqrt(self.q.shape[1])
        dq, dk = ds @ self.k, ds.T @ self.q
        self.dWq, self.dWk, self.dWv = self.x.T @ dq, self.x.T @ dk, self.x.T @ dv
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T

def make(rng):
    return CausalSelfAttention(*(rng.normal(5, 5) for _ in range(3))), rng.normal(4, 5)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.Wq: layer.dWq; layer.Wk: layer.dWk; layer.Wv: layer.dWv",
        (
            m("no scale", "dout @ self.v.T) / np.sqrt(self.q.shape[1])", "dout @ self.v.T)", ROOT),
            m("keys forgotten", " + dk @ self.Wk.T", "", ""),
            m("swapped", "self.x.T @ dq, self.x.T @ dk,", "self.x.T @ dk, self.x.T @ dq,", SWAPPED),
            m("transposed", "self.dWv = self.x.T @ dq, self.x.T @ dk, self.x.T @ dv",
              "self.dWv = self.x.T @ dq, self.x.T @ dk, dv.T @ self.x", TRANSPOSED),
            m("mask not in backward's softmax", "(dp - (dp * p).sum(axis=-1, keepdims=True))",
              "(dp - dp.sum(axis=-1, keepdims=True))", ""),
        ),
    ),
    "several heads": HandWritten(
        SOFTMAX + '''
class MultiHead:
    def __init__(self, n_heads, W_qkv, W_o):
        self.n_heads = n_heads
        self.W_qkv, self.W_o = W_qkv, W_o

    def split(self, a):
        T, D = a.shape
        return a.reshape(T, self.n_heads, D // self.n_heads).transpose(1, 0, 2)

    def merge(self, a):
        H, T, d = a.shape
        return a.transpose(1, 0, 2).reshape(T, H * d)

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = map(self.split, np.split(x @ self.W_qkv, 3, axis=1))
        self.p = softmax(self.q @ self.k.swapaxes(1, 2) / np.sqrt(self.q.shape[2]))
        self.y = self.merge(self.p @ self.v)
        return self.y @ self.W_o

    def backward(self, dout):
        self.grad_W_o = self.y.T @ dout
        dy = self.split(dout @ self.W_o.T)
        dv = self.p.swapaxes(1, 2) @ dy
        ds = softmax_backward(self.p, dy @ self.v.swapaxes(1, 2)) / np.sqrt(self.q.shape[2])
        dq, dk = ds @ self.k, ds.swapaxes(1, 2) @ self.q
        dqkv = np.concatenate([self.merge(a) for a in (dq, dk, dv)], axis=1)
        self.grad_W_qkv = self.x.T @ dqkv
        return dqkv @ self.W_qkv.T

def make(rng):
    return MultiHead(2, rng.normal(4, 12), rng.normal(4, 4)), rng.normal(3, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W_qkv: layer.grad_W_qkv; layer.W_o: layer.grad_W_o",
        (
            m("queries and keys swapped", "for a in (dq, dk, dv)]", "for a in (dk, dq, dv)]", ""),
            m("W_o not transposed", "self.split(dout @ self.W_o.T)", "self.split(dout @ self.W_o)",
              ""),
            m("gradient turned", "self.grad_W_o = self.y.T @ dout", "self.grad_W_o = dout.T @ "
              "self.y", TRANSPOSED),
            m("heads not merged back", "return a.transpose(1, 0, 2).reshape(T, H * d)",
              "return a.reshape(T, H * d)", ""),
        ),
    ),
    "cross-attention with weights returned": HandWritten(
        SOFTMAX + '''
class CrossAttention:
    def forward(self, query, memory):
        self.query, self.memory = query, memory
        self.weights = softmax(query @ memory.T)
        return self.weights @ memory

    def backward(self, dout):
        dweights = dout @ self.memory.T
        dscores = softmax_backward(self.weights, dweights)
        dquery = dscores @ self.memory
        dmemory = dscores.T @ self.query + self.weights.T @ dout
        return dquery, dmemory

def make(rng):
    return CrossAttention(), rng.normal(3, 4), rng.normal(5, 4)
''',
        "layer, q, m", "out = layer.forward(q, m)", "dq, dm = layer.backward(dout)",
        "q: dq; m: dm",
        (
            m("memory as values alone", "dscores.T @ self.query + self.weights.T @ dout",
              "self.weights.T @ dout", ""),
            m("memory as keys alone", "dscores.T @ self.query + self.weights.T @ dout",
              "dscores.T @ self.query", ""),
            m("softmax", "(dp - (dp * p).sum(axis=-1, keepdims=True))", "dp", ""),
            m("sign", "return dquery, dmemory", "return -dquery, dmemory", SIGN),
        ),
    ),
    "additive attention": HandWritten(
        SOFTMAX + '''
class AdditiveAttention:
    def __init__(self, W, v):
        self.W, self.v = W, v

    def forward(self, h):
        self.h = h
        self.u = np.tanh(h @ self.W)
        self.a = softmax(self.u @ self.v)
        return self.a @ h

    def backward(self, dc):
        da = self.h @ dc
        de = softmax_backward(self.a, da)
        self.dv = self.u.T @ de
        du = np.outer(de, self.v) * (1 - self.u ** 2)
        self.dW = self.h.T @ du
        return np.outer(self.a, dc) + du @ self.W.T

def make(rng):
    return AdditiveAttention(rng.normal(3, 4), rng.normal(4)), rng.normal(5, 3)
''',
        "layer, h", "out = layer.forward(h)", "dh = layer.backward(dout)",
        "h: dh; layer.W: layer.dW; layer.v: layer.dv",
        (
            m("path through the weights", " + du @ self.W.T", "", ""),
            m("direct path", "np.outer(self.a, dc) + du @ self.W.T", "du @ self.W.T", ""),
            m("tanh forgotten", " * (1 - self.u ** 2)", "", ""),
            m("v of the input", "self.dv = self.u.T @ de", "self.dv = (self.h @ self.W).T @ de",
              ""),
        ),
    ),
    "linear attention": HandWritten(
        '''
def phi(z):
    return np.where(z > 0, z + 1, np.exp(np.minimum(z, 0)))

def dphi(z):
    return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))

def forward(q, k, v):
    fq, fk = phi(q), phi(k)
    S, z = fk.T @ v, fk.sum(axis=0)
    den = fq @ z
    return fq @ S / den[:, None], {"q": q, "k": k, "v": v, "S": S, "z": z, "den": den}

def backward(dout, cache):
    q, k, v, S, z, den = (cache[n] for n in ("q", "k", "v", "S", "z", "den"))
    fq, fk = phi(q), phi(k)
    dnum = dout / den[:, None]
    dden = -(dnum * (fq @ S)).sum(axis=1) / den
    dfq = dnum @ S.T + np.outer(dden, z)
    dS, dz = fq.T @ dnum, fq.T @ dden
    dfk = v @ dS.T + dz
    return {"q": dfq * dphi(q), "k": dfk * dphi(k), "v": fk @ dS}

def make(rng):
    return forward, backward, rng.normal(4, 3), rng.normal(5, 3), rng.normal(5, 2)
''',
        "f, g, q, k, v", "out, cache = f(q, k, v)", "d = g(dout, cache)",
        "q: d['q']; k: d['k']; v: d['v']",
        (
            m("denominator as a constant", " + np.outer(dden, z)", "", ""),
            m("feature map forgotten", "dfq * dphi(q)", "dfq", ""),
            m("sign of the denominator", "dden = -(dnum", "dden = (dnum", ""),
            m("keys and queries", '"q": dfq * dphi(q)', '"q": -dfq * dphi(q)', SIGN),
        ),
    ),
    "rotary positions": HandWritten(
        '''
class RoPE:
    def __init__(self, dim, base=100.0):
        self.freq = base ** (-np.arange(0, dim, 2) / dim)

    def forward(self, x):
        angle = np.outer(np.arange(1, len(x) + 1), self.freq)
        self.cos, self.sin = np.cos(angle), np.sin(angle)
        a, b = x[:, ::2], x[:, 1::2]
        out = np.empty_like(x)
        out[:, ::2] = a * self.cos - b * self.sin
        out[:, 1::2] = a * self.sin + b * self.cos
        return out

    def backward(self, g):
        ga, gb = g[:, ::2], g[:, 1::2]
        dx = np.empty_like(g)
        dx[:, ::2] = ga * self.cos + gb * self.sin
        dx[:, 1::2] = gb * self.cos - ga * self.sin
        return dx

def make(rng):
    return (RoPE(4), rng.normal(5, 4)), {"parameters": []}
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("turned the same way", "ga * self.cos + gb * self.sin", "ga * self.cos - gb * "
              "self.sin", ""),
            m("not turned", "return dx", "return g.copy()", ""),
            m("halves in place of pairs", "ga, gb = g[:, ::2], g[:, 1::2]",
              "ga, gb = np.split(g, 2, axis=1)", ""),
        ),
    ),
    "SwiGLU": HandWritten(
        '''
class SwiGLU:
    def __init__(self, w1, w2, w3):
        self.w1, self.w2, self.w3 = w1, w2, w3

    def __call__(self, x):
        self.x = x
        self.gate = x @ self.w1
        self.sig = 1 / (1 + np.exp(-self.gate))
        self.up = x @ self.w3
        self.hidden = self.gate * self.sig * self.up
        return self.hidden @ self.w2

    def backward(self, dout):
        self.w2_grad = self.hidden.T @ dout
        dh = dout @ self.w2.T
        dup = dh * self.gate * self.sig
        dgate = dh * self.up * (self.sig + self.gate * self.sig * (1 - self.sig))
        self.w1_grad = self.x.T @ dgate
        self.w3_grad = self.x.T @ dup
        return dgate @ self.w1.T + dup @ self.w3.T

def make(rng):
    return SwiGLU(rng.normal(3, 4), rng.normal(4, 3), rng.normal(3, 4)), rng.normal(5, 3)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)",
        "x: dx; layer.w1: layer.w1_grad; layer.w2: layer.w2_grad; layer.w3: layer.w3_grad",
        (
            m("slope of the sigmoid alone", "(self.sig + self.gate * self.sig * (1 - self.sig))",
              "(self.sig * (1 - self.sig))", ""),
            m("path of the gate", "dgate @ self.w1.T + dup @ self.w3.T", "dup @ self.w3.T", ""),
            m("swapped", "self.w1_grad = self.x.T @ dgate\n        self.w3_grad = self.x.T @ dup",
              "self.w3_grad = self.x.T @ dgate\n        self.w1_grad = self.x.T @ dup", SWAPPED),
            m("mean", "self.w2_grad = self.hidden.T @ dout",
              "self.w2_grad = self.hidden.T @ dout / len(dout)", FACTOR + "|once too often"),
        ),
    ),
    "block with a residual stream": HandWritten(
        SOFTMAX + '''
class Block:
    def __init__(self, w_in, w_out, gain):
        self.w_in, self.w_out, self.gain = w_in, w_out, gain

    def forward(self, x):
        self.x = x
        self.a = softmax(x @ x.T / np.sqrt(x.shape[1]))
        self.h = x + self.a @ x
        self.r = np.sqrt((self.h ** 2).mean(axis=1, keepdims=True))
        self.n = self.h / self.r
        self.z = self.n * self.gain @ self.w_in
        return self.h + np.maximum(self.z, 0) @ self.w_out

    def backward(self, dout):
        self.dw_out = np.maximum(self.z, 0).T @ dout
        dz = (dout @ self.w_out.T) * (self.z > 0)
        self.dw_in = (self.n * self.gain).T @ dz
        dng = dz @ self.w_in.T
        self.dgain = (dng * self.n).sum(axis=0)
        dn = dng * self.gain
        dh = dout + (dn - self.n * (dn * self.n).mean(axis=1, keepdims=True)) / self.r
        ds = softmax_backward(self.a, dh @ self.x.T) / np.sqrt(self.x.shape[1])
        return dh + self.a.T @ dh + ds @ self.x + ds.T @ self.x

def make(rng):
    return Block(rng.normal(4, 5), rng.normal(5, 4), rng.normal(4)), rng.normal(3, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.w_in: layer.dw_in; layer.w_out: layer.dw_out; layer.gain: layer.dgain",
        (
            m("skip connection", "return dh + self.a.T @ dh", "return self.a.T @ dh", ""),
            m("second use of x in the scores", " + ds.T @ self.x", "", ""),
            m("gain not summed", "(dng * self.n).sum(axis=0)", "dng * self.n", NOT_SUMMED),
            m("gain forgotten in w_in", "(self.n * self.gain).T @ dz", "self.n.T @ dz",
              "gain"),
        ),
    ),
}
