"""The rules as methods of nodes. Written by tests/stubs.py; do not edit."""

from tinygrad_edu.rules import arrays, elementwise, reductions

class RuleMethods:
    abs = elementwise.abs
    exp = elementwise.exp
    expm1 = elementwise.expm1
    log = elementwise.log
    log1p = elementwise.log1p
    sqrt = elementwise.sqrt
    sin = elementwise.sin
    cos = elementwise.cos
    tan = elementwise.tan
    sinh = elementwise.sinh
    cosh = elementwise.cosh
    tanh = elementwise.tanh
    arcsin = elementwise.arcsin
    arccos = elementwise.arccos
    arctan = elementwise.arctan
    sigmoid = elementwise.sigmoid
    softplus = elementwise.softplus
    relu = elementwise.relu
    leaky_relu = elementwise.leaky_relu
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clip = elementwise.clip

class ArrayRuleMethods:
    sum = reductions.sum
    mean = reductions.mean
    var = reductions.var
    std = reductions.std
    max = reductions.max
    min = reductions.min
    prod = reductions.prod
    cumsum = reductions.cumsum
    logsumexp = reductions.logsumexp
    softmax = reductions.softmax
    log_softmax = reductions.log_softmax
    matmul = arrays.matmul
    squeeze = arrays.squeeze
    expand_dims = arrays.expand_dims
    broadcast_to = arrays.broadcast_to
