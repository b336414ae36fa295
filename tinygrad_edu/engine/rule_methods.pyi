"""The rules as methods of nodes. Written by tests/stubs.py; do not edit."""

from typing import Any, Self

from tinygrad_edu.rules import arrays, compositions, elementwise, reductions, sliding

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
    erf = elementwise.erf
    erfc = elementwise.erfc
    sigmoid = elementwise.sigmoid
    softplus = elementwise.softplus
    relu = elementwise.relu
    leaky_relu = elementwise.leaky_relu
    gelu = elementwise.gelu
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clip = elementwise.clip
    def __add__(self, other: Any, /) -> Self: ...
    def __radd__(self, other: Any, /) -> Self: ...
    def __iadd__(self, other: Any, /) -> Self: ...
    def __sub__(self, other: Any, /) -> Self: ...
    def __rsub__(self, other: Any, /) -> Self: ...
    def __isub__(self, other: Any, /) -> Self: ...
    def __mul__(self, other: Any, /) -> Self: ...
    def __rmul__(self, other: Any, /) -> Self: ...
    def __imul__(self, other: Any, /) -> Self: ...
    def __truediv__(self, other: Any, /) -> Self: ...
    def __rtruediv__(self, other: Any, /) -> Self: ...
    def __itruediv__(self, other: Any, /) -> Self: ...
    def __pow__(self, other: Any, /) -> Self: ...
    def __rpow__(self, other: Any, /) -> Self: ...
    def __ipow__(self, other: Any, /) -> Self: ...

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
    windows = sliding.windows
    argmax = compositions.argmax
    argmin = compositions.argmin
    dot = compositions.dot
    flatten = compositions.flatten
    flip = compositions.flip
    logaddexp = compositions.logaddexp
    norm = compositions.norm
    outer = compositions.outer
    pad = compositions.pad
    ravel = compositions.ravel
    repeat = compositions.repeat
    sign = compositions.sign
    split = compositions.split
    square = compositions.square
    swapaxes = compositions.swapaxes
    tile = compositions.tile
    trace = compositions.trace
    tril = compositions.tril
    triu = compositions.triu
    def __matmul__(self, other: Any, /) -> Self: ...
    def __rmatmul__(self, other: Any, /) -> Self: ...
    def __imatmul__(self, other: Any, /) -> Self: ...
