"""Layers of `nn` written by hand in NumPy: a forward pass, and its backward pass.

`forward(*inputs, *parameters)` gives the output and what the backward pass needs; that gives the
gradients of all of them, in order. They know nothing of the package.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu import concatenate, nn

erf = np.vectorize(math.erf, otypes=[float])
LABELS = np.array([[1, 4, 1], [0, 1, 3]])


def layer_norm(x, weight, bias, eps=1e-5):
    size = np.sqrt(x.var(-1, keepdims=True) + eps)
    n = (x - x.mean(-1, keepdims=True)) / size
    return n * weight + bias, (n, size, weight)


def layer_norm_back(g, cache):
    n, size, weight = cache
    dn = g * weight
    dx = dn - dn.mean(-1, keepdims=True) - n * (dn * n).mean(-1, keepdims=True)
    return dx / size, (g * n).sum((0, 1)), g.sum((0, 1))


def rms_norm(x, weight, eps=1e-3):
    size = np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    return x / size * weight, (x / size, size, weight)


def rms_norm_back(g, cache):
    n, size, weight = cache
    dn = g * weight
    return (dn - n * (dn * n).mean(-1, keepdims=True)) / size, (g * n).sum((0, 1))


def batch_norm(x, weight, bias, eps=1e-5):
    size = np.sqrt(x.var(0) + eps)
    n = (x - x.mean(0)) / size
    return n * weight + bias, (n, size, weight)


def batch_norm_back(g, cache):
    n, size, weight = cache
    dn = g * weight
    dx = (dn - dn.mean(0) - n * (dn * n).mean(0)) / size
    return dx, (g * n).sum(0), g.sum(0)


RUNNING = np.array([0.3, -1.0, 2.0]), np.array([0.5, 2.0, 1.5])


def fixed_norm(x, weight, bias):
    n = (x - RUNNING[0]) / np.sqrt(RUNNING[1] + 1e-5)
    return n * weight + bias, (n, weight)


def fixed_norm_back(g, cache):
    n, weight = cache
    return g * weight / np.sqrt(RUNNING[1] + 1e-5), (g * n).sum(0), g.sum(0)


def sequence_norm(x, weight, bias):
    y, cache = batch_norm(x.swapaxes(1, 2).reshape(-1, 3), weight, bias)
    return y.reshape(len(x), -1, 3).swapaxes(1, 2), (cache, x.shape)


def sequence_norm_back(g, cache):
    dx, *others = batch_norm_back(g.swapaxes(1, 2).reshape(-1, 3), cache[0])
    return dx.reshape(cache[1][0], -1, 3).swapaxes(1, 2), *others


def places(x, kernel, stride, dilation):
    """Each place of the output, and the window of the padded picture that it sees."""
    axes = list(zip(kernel, stride, dilation, strict=True))
    counts = [
        (n - d * (k - 1) - 1) // s + 1 for n, (k, s, d) in zip(x.shape[-2:], axes, strict=True)
    ]
    for at in np.ndindex(*counts):
        cut = [slice(i * s, i * s + d * (k - 1) + 1, d)
               for i, (k, s, d) in zip(at, axes, strict=True)]  # fmt: skip
        yield (..., *at), (..., *cut), counts


CONV = ((2, 1), (1, 2))  # stride, dilation; the padding is 1 and 0


def conv(x, weight, bias):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    y = None
    for here, window, counts in places(padded, weight.shape[2:], *CONV):
        y = np.zeros((len(x), len(weight), *counts)) if y is None else y
        y[here] = np.tensordot(padded[window], weight, ([1, 2, 3], [1, 2, 3])) + bias
    return y, (padded, weight)


def conv_back(g, cache):
    padded, weight = cache
    dx, dw = np.zeros_like(padded), np.zeros_like(weight)
    for here, window, _ in places(padded, weight.shape[2:], *CONV):
        dx[window] += np.tensordot(g[here], weight, 1)
        dw += np.tensordot(g[here], padded[window], ([0], [0]))
    return dx[:, :, 1:-1], dw, g.sum((0, 2, 3))


POOL = ((3, 2), (2, 2), (1, 1))


def max_pool(x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    found = [(here, padded[window].max((-2, -1)), counts)
             for here, window, counts in places(padded, *POOL)]  # fmt: skip
    y = np.zeros((*x.shape[:2], *found[0][2]))
    for here, largest, _ in found:
        y[here] = largest
    return y, (padded, y)


def max_pool_back(g, cache):
    padded, y = cache
    dx = np.zeros_like(padded)
    for here, window, _ in places(padded, *POOL):
        largest = padded[window] == y[here][..., None, None]
        dx[window] += largest * g[here][..., None, None]
    return dx[:, :, 1:-1, 1:-1]


def average_pool(x):
    found = [(here, x[window].mean((-2, -1)), counts) for here, window, counts in places(x, *POOL)]
    y = np.zeros((*x.shape[:2], *found[0][2]))
    for here, mean, _ in found:
        y[here] = mean
    return y, x


def average_pool_back(g, cache):
    dx = np.zeros_like(cache)
    for here, window, _ in places(cache, *POOL):
        dx[window] += g[here][..., None, None] / 6
    return dx


MASK = np.where(np.random.default_rng(5).random((3, 4)) < 0.3, 0.0, 1 / 0.7)


def embedding(weight):
    return weight[LABELS], weight


def embedding_back(g, cache):
    dw = np.zeros_like(cache)
    for i, row in zip(LABELS.ravel(), g.reshape(-1, g.shape[-1]), strict=True):
        dw[i] += row
    return dw


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def heads(x):
    return x.reshape(*x.shape[:2], 2, -1).swapaxes(1, 2)


def joined(x):
    return x.swapaxes(1, 2).reshape(len(x), x.shape[2], -1)


def attention(x, w, b, out, out_bias):
    q, k, v = (heads(part) for part in np.split(x @ w + b, 3, -1))
    scores = q @ k.swapaxes(-2, -1) / math.sqrt(q.shape[-1])
    a = softmax(np.where(np.tri(x.shape[1]) > 0, scores, -np.inf))
    return joined(a @ v) @ out + out_bias, (x, w, out, q, k, v, a)


def attention_back(g, cache):
    x, w, out, q, k, v, a = cache
    dh = heads(g @ out.T)
    da = dh @ v.swapaxes(-2, -1)
    ds = a * (da - (da * a).sum(-1, keepdims=True)) / math.sqrt(q.shape[-1])
    parts = ds @ k, ds.swapaxes(-2, -1) @ q, a.swapaxes(-2, -1) @ dh
    dqkv = np.concatenate([joined(part) for part in parts], -1)
    dw = np.einsum("nti,ntj->ij", x, dqkv)
    dout = np.einsum("nti,ntj->ij", joined(a @ v), g)
    return dqkv @ w.T, dw, dqkv.sum((0, 1)), dout, g.sum((0, 1))


def recurrent(x, h, w_ih, w_hh, b_ih, b_hh):
    y = np.tanh(x @ w_ih + b_ih + h @ w_hh + b_hh)
    return y, (x, h, w_ih, w_hh, y)


def sums_back(d, x, h, w_ih, w_hh):
    return d @ w_ih.T, d @ w_hh.T, x.T @ d, h.T @ d, d.sum(0), d.sum(0)


def recurrent_back(g, cache):
    x, h, w_ih, w_hh, y = cache
    return sums_back(g * (1 - y**2), x, h, w_ih, w_hh)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, h, c, w_ih, w_hh, b_ih, b_hh):
    sums = np.split(x @ w_ih + b_ih + h @ w_hh + b_hh, 4, -1)
    i, f, g, o = sigmoid(sums[0]), sigmoid(sums[1]), np.tanh(sums[2]), sigmoid(sums[3])
    after = f * c + i * g
    y = np.concatenate([o * np.tanh(after), after], -1)
    return y, (x, h, c, w_ih, w_hh, i, f, g, o, np.tanh(after))


def lstm_back(adjoint, cache):
    x, h, c, w_ih, w_hh, i, f, g, o, t = cache
    dh, dc = np.split(adjoint, 2, -1)
    dc = dc + dh * o * (1 - t**2)
    parts = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * t * o * (1 - o)
    dx, dh, *others = sums_back(np.concatenate(parts, -1), x, h, w_ih, w_hh)
    return dx, dh, dc * f, *others


def gelu_back(g, x):
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return g * ((1 + erf(x / math.sqrt(2))) / 2 + x * density)


def tanh_gelu(x):
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + t), (x, t)


def tanh_gelu_back(g, cache):
    x, t = cache
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner)


def silu_back(g, x):
    return g * (sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x)))


def _called(layer, *inputs):
    return layer(*inputs)


@dataclass
class Case:
    """A layer of ours, shapes of its inputs, both passes by hand, and torch's layer as text."""

    make: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    torch: str = ""
    call: Callable[..., Any] = _called
    torch_call: str = "layer(*inputs)"


def _evaluated(layer):
    layer.running_mean, layer.running_var = (x.astype(layer.weight.dtype) for x in RUNNING)
    return layer.eval()


CASES = {
    "LayerNorm": Case(lambda **s: nn.LayerNorm(4, **s), ((2, 3, 4),), layer_norm, layer_norm_back,
                      "t.LayerNorm(4)"),
    "RMSNorm": Case(lambda **s: nn.RMSNorm(4, 1e-3, **s), ((2, 3, 4),), rms_norm, rms_norm_back,
                    "t.RMSNorm(4, 1e-3)"),
    "BatchNorm1d": Case(lambda **s: nn.BatchNorm1d(3, **s), ((5, 3),), batch_norm, batch_norm_back,
                        "t.BatchNorm1d(3)"),
    "BatchNorm1d of sequences": Case(
        lambda **s: nn.BatchNorm1d(3, **s), ((2, 3, 4),), sequence_norm, sequence_norm_back,
        "t.BatchNorm1d(3)"),
    "BatchNorm1d after training": Case(
        lambda **s: _evaluated(nn.BatchNorm1d(3, **s)), ((5, 3),), fixed_norm, fixed_norm_back,
        "t.BatchNorm1d(3).eval()"),
    "Dropout": Case(lambda dtype: nn.Dropout(0.3, rng=5), ((3, 4),),
                    lambda x: (x * MASK, None), lambda g, cache: g * MASK),
    "Conv2d": Case(
        lambda **s: nn.Conv2d(2, 3, (3, 2), (2, 1), (1, 0), (1, 2), rng=0, **s), ((2, 2, 5, 6),),
        conv, conv_back, "t.Conv2d(2, 3, (3, 2), (2, 1), (1, 0), (1, 2))"),
    "MaxPool2d": Case(lambda dtype: nn.MaxPool2d((3, 2), 2, 1), ((2, 2, 5, 4),), max_pool,
                      max_pool_back, "t.MaxPool2d((3, 2), 2, 1)"),
    "AvgPool2d": Case(lambda dtype: nn.AvgPool2d((3, 2), 2), ((2, 2, 5, 4),), average_pool,
                      average_pool_back, "t.AvgPool2d((3, 2), 2)"),
    "Flatten": Case(lambda dtype: nn.Flatten(), ((2, 3, 2),),
                    lambda x: (x.reshape(2, 6), None), lambda g, cache: g.reshape(2, 3, 2),
                    "t.Flatten()"),
    "Embedding": Case(lambda **s: nn.Embedding(5, 4, rng=0, **s), (), embedding, embedding_back,
                      "t.Embedding(5, 4)", lambda layer, x=LABELS: layer(x),
                      "layer(torch.as_tensor(LABELS))"),
    "MultiHeadAttention": Case(
        lambda **s: nn.MultiHeadAttention(4, 2, causal=True, rng=0, **s), ((2, 3, 4),), attention,
        attention_back, "t.MultiheadAttention(4, 2, batch_first=True)", _called,
        "layer(*inputs * 3, attn_mask=torch.ones(3, 3).triu(1).bool())[0]"),
    "RNNCell": Case(lambda **s: nn.RNNCell(3, 4, rng=0, **s), ((2, 3), (2, 4)), recurrent,
                    recurrent_back, "t.RNNCell(3, 4)"),
    "LSTMCell": Case(
        lambda **s: nn.LSTMCell(3, 2, rng=0, **s), ((2, 3), (2, 2), (2, 2)), lstm, lstm_back,
        "t.LSTMCell(3, 2)", lambda layer, x, h, c: concatenate(list(layer(x, (h, c))), axis=-1),
        "torch.cat(layer(inputs[0], inputs[1:]), -1)"),
    "GELU": Case(lambda dtype: nn.GELU(), ((3, 4),),
                 lambda x: (x * (1 + erf(x / math.sqrt(2))) / 2, x), gelu_back, "t.GELU()"),
    "GELU by tanh": Case(lambda dtype: nn.GELU("tanh"), ((3, 4),), tanh_gelu, tanh_gelu_back,
                         't.GELU("tanh")'),
    "SiLU": Case(lambda dtype: nn.SiLU(), ((3, 4),), lambda x: (x * sigmoid(x), x), silu_back,
                 "t.SiLU()"),
}  # fmt: skip
