"""Pooling and upsampling, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import ADJOINT, COPIES, FACTOR, NOT_MASKED, SHAPE, TOO_OFTEN, WROTE

# fmt: off
POOLING = {
    "max pooling with loops": HandWritten(
        '''
def max_pool_forward(x, size=2):
    N, C, H, W = x.shape
    out = np.zeros((N, C, H // size, W // size))
    for i in range(H // size):
        for j in range(W // size):
            window = x[:, :, i * size:(i + 1) * size, j * size:(j + 1) * size]
            out[:, :, i, j] = window.max(axis=(2, 3))
    return out, (x, size)

def max_pool_backward(dout, cache):
    x, size = cache
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * size:(i + 1) * size, j * size:(j + 1) * size]
        mask = window == window.max()
        dx[n, c, i * size:(i + 1) * size, j * size:(j + 1) * size] += mask * dout[n, c, i, j]
    return dx

def make(rng):
    return max_pool_forward, max_pool_backward, rng.normal(2, 2, 4, 4)
''',
        "f, g, x", "out, cache = f(x)", "dx = g(dout, cache)", "x: dx",
        (
            m("smallest", "window == window.max()", "window == window.min()", ""),
            m("all of the window", "mask = window == window.max()", "mask = window > -9",
              NOT_MASKED),
            m("adjoint", "mask * dout[n, c, i, j]", "mask * 1.0", ADJOINT),
            m("the value itself", "mask * dout[n, c, i, j]", "mask * window * dout[n, c, i, j]",
              "divided by the input|divided by x"),
        ),
    ),
    "max pooling by argmax": HandWritten(
        '''
class Pooling:
    def forward(self, x):
        n, h, w = x.shape
        self.shape = x.shape
        col = x.reshape(n, h // 2, 2, w // 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4)
        self.arg_max = col.argmax(axis=1)
        return col.max(axis=1).reshape(n, h // 2, w // 2)

    def backward(self, dout):
        n, h, w = self.shape
        dcol = np.zeros((dout.size, 4), dtype=dout.dtype)
        dcol[np.arange(dout.size), self.arg_max] = dout.ravel()
        return dcol.reshape(n, h // 2, w // 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(self.shape)

def make(rng):
    return Pooling(), rng.normal(2, 4, 6)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("axes not put back", ".transpose(0, 1, 3, 2, 4).reshape(self.shape)",
              ".reshape(self.shape)", ""),
            m("always the first", "self.arg_max] = dout.ravel()", "0] = dout.ravel()", ""),
            m("shape", ".transpose(0, 1, 3, 2, 4).reshape(self.shape)", ".transpose(0, 1, 3, 2, 4)",
              "reshape it"),
        ),
    ),
    "average pooling": HandWritten(
        '''
class AvgPool2d:
    def __init__(self, kernel_size):
        self.kernel_size = kernel_size

    def __call__(self, x):
        k = self.kernel_size
        n, c, h, w = x.shape
        self.in_shape = x.shape
        return x.reshape(n, c, h // k, k, w // k, k).mean(axis=(3, 5))

    def backward(self, grad_out):
        k = self.kernel_size
        grad = np.repeat(np.repeat(grad_out, k, axis=2), k, axis=3)
        return grad / (k * k)

def make(rng):
    return AvgPool2d(3), rng.normal(1, 2, 3, 6)
''',
        "layer, x", "out = layer(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("not divided", "grad / (k * k)", "grad", "9 times"),
            m("divided by k", "grad / (k * k)", "grad / k", "3 times"),
            m("tiled", "np.repeat(np.repeat(grad_out, k, axis=2), k, axis=3)",
              "np.tile(grad_out, (1, 1, k, k))", ""),
        ),
    ),
    "global average pooling": HandWritten(
        '''
def gap_forward(x):
    return x.mean(axis=(1, 2)), x.shape

def gap_backward(dout, shape):
    n, h, w, c = shape
    return np.broadcast_to(dout[:, None, None, :], shape) / (h * w)

def make(rng):
    return gap_forward, gap_backward, rng.normal(2, 3, 5, 2)
''',
        "f, g, x", "out, cache = f(x)", "dx = g(dout, cache)", "x: dx",
        (
            m("not divided", " / (h * w)", " * 1.0", "15 times"),
            m("divided by all", " / (h * w)", " / (n * h * w)", TOO_OFTEN + "|" + FACTOR),
            m("not spread", "np.broadcast_to(dout[:, None, None, :], shape)",
              "dout[:, None, None, :]", SHAPE),
        ),
    ),
    "nearest upsampling": HandWritten(
        '''
class Upsample:
    def forward(self, x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def backward(self, dout):
        n, h, w = dout.shape
        return dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))

def make(rng):
    return Upsample(), rng.normal(2, 3, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)", "x: dx",
        (
            m("one of the copies", "return dout.reshape(n, h // 2, 2, w // 2, 2).sum(axis=(2, 4))",
              "return dout[:, ::2, ::2]", COPIES),
            m("mean of the copies", ".sum(axis=(2, 4))", ".mean(axis=(2, 4))",
              "4|times what it should be"),
            m("dout divided in place", "n, h, w = dout.shape", "n, h, w = dout.shape; dout *= 1.5; "
              "dout /= 1.6", "", also=WROTE),
            m("sum of one axis", ".sum(axis=(2, 4))", "[:, :, 0].sum(axis=3)", COPIES),
        ),
    ),
}
