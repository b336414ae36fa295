"""Convolutions and pooling, by naive loops and by patches, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import FACTOR, FLIPPED, NOT_SUMMED, ONE_PART, SIGN, TOO_OFTEN, TRANSPOSED

# fmt: off
CONVOLUTIONS = {
    "naive loops with padding and stride": HandWritten(
        '''
def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    window = xp[n, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)

def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, F, H_out, W_out = dout.shape
    HH, WW = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    db = dout.sum(axis=(0, 2, 3))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    rows = slice(i * stride, i * stride + HH)
                    cols = slice(j * stride, j * stride + WW)
                    dw[f] += xp[n, :, rows, cols] * dout[n, f, i, j]
                    dxp[n, :, rows, cols] += w[f] * dout[n, f, i, j]
    dx = dxp[:, :, pad:-pad, pad:-pad]
    return dx, dw, db

def make(rng):
    return (conv_forward_naive, conv_backward_naive, rng.normal(2, 2, 4, 4),
            rng.normal(2, 2, 3, 3), rng.normal(2), {"stride": 1, "pad": 1})
''',
        "f, g, x, w, b, p", "out, cache = f(x, w, b, p)", "dx, dw, db = g(dout, cache)",
        "x: dx; w: dw; b: db",
        (
            m("assigned in overlapping windows", "dxp[n, :, rows, cols] += w[f]",
              "dxp[n, :, rows, cols] = w[f]", ONE_PART),
            m("padding cut off at the wrong end", "dxp[:, :, pad:-pad, pad:-pad]",
              "dxp[:, :, :-2 * pad, :-2 * pad]", ""),
            m("kernel turned", "+= w[f] * dout", "+= w[f][:, ::-1, ::-1] * dout", "kernel|turned"),
            m("bias not summed over the pictures", "dout.sum(axis=(0, 2, 3))",
              "dout.sum(axis=(2, 3))", NOT_SUMMED),
            m("bias averaged", "dout.sum(axis=(0, 2, 3))", "dout.mean(axis=(0, 2, 3))",
              TOO_OFTEN + "|" + FACTOR),
        ),
    ),
    "im2col of a textbook": HandWritten(
        '''
def im2col(images, fh, fw):
    N, C, H, W = images.shape
    out_h, out_w = H - fh + 1, W - fw + 1
    col = np.zeros((N, C, fh, fw, out_h, out_w), dtype=images.dtype)
    for y in range(fh):
        for x in range(fw):
            col[:, :, y, x] = images[:, :, y:y + out_h, x:x + out_w]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * out_h * out_w, -1)

def col2im(col, shape, fh, fw):
    N, C, H, W = shape
    out_h, out_w = H - fh + 1, W - fw + 1
    col = col.reshape(N, out_h, out_w, C, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    images = np.zeros(shape, dtype=col.dtype)
    for y in range(fh):
        for x in range(fw):
            images[:, :, y:y + out_h, x:x + out_w] += col[:, :, y, x]
    return images

class Convolution:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = self.col = self.col_W = None
        self.dW = self.db = None

    def forward(self, x):
        FN, C, FH, FW = self.W.shape
        N, _, H, W = x.shape
        self.x = x
        self.col = im2col(x, FH, FW)
        self.col_W = self.W.reshape(FN, -1).T
        out = np.dot(self.col, self.col_W) + self.b
        return out.reshape(N, H - FH + 1, W - FW + 1, FN).transpose(0, 3, 1, 2)

    def backward(self, dout):
        FN, C, FH, FW = self.W.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout).transpose(1, 0).reshape(FN, C, FH, FW)
        dcol = np.dot(dout, self.col_W.T)
        return col2im(dcol, self.x.shape, FH, FW)

def make(rng):
    return Convolution(rng.normal(3, 2, 2, 2), rng.normal(3)), rng.normal(2, 2, 3, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.W: layer.dW; layer.b: layer.db",
        (
            m("not transposed before the reshape", ".transpose(1, 0).reshape(FN, C, FH, FW)",
              ".reshape(FN, C, FH, FW)", ""),
            m("axes of dout", "dout.transpose(0, 2, 3, 1).reshape", "dout.reshape",
              "sum it over axes"),
            m("assigned", "x:x + out_w] += col[:, :, y, x]", "x:x + out_w] = col[:, :, y, x]",
              ONE_PART),
            m("kernel transposed", "self.dW = np.dot(self.col.T, dout).transpose(1, 0)"
              ".reshape(FN, C, FH, FW)", "self.dW = np.dot(self.col.T, dout).transpose(1, 0)"
              ".reshape(FN, C, FH, FW).transpose(0, 1, 3, 2)", "axes are in another order"),
            m("sign", "self.db = np.sum", "self.db = -np.sum", SIGN),
        ),
    ),
    "causal convolution of a sequence": HandWritten(
        '''
class CausalConv1d:
    def __init__(self, kernel):
        self.kernel = kernel

    def forward(self, x):
        k = len(self.kernel)
        self.padded = np.concatenate([np.zeros(k - 1), x])
        self.n = len(x)
        return np.array([self.padded[t:t + k] @ self.kernel[::-1] for t in range(self.n)])

    def backward(self, dy):
        k = len(self.kernel)
        self.kernel_grad = np.zeros(k)
        dpadded = np.zeros_like(self.padded)
        for t in range(self.n):
            self.kernel_grad += dy[t] * self.padded[t:t + k][::-1]
            dpadded[t:t + k] += dy[t] * self.kernel[::-1]
        return dpadded[k - 1:]

def make(rng):
    return CausalConv1d(rng.normal(3)), rng.normal(7)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.kernel: layer.kernel_grad",
        (
            m("kernel not flipped", "self.kernel_grad += dy[t] * self.padded[t:t + k][::-1]",
              "self.kernel_grad += dy[t] * self.padded[t:t + k]", FLIPPED),
            m("dx with the kernel as it is", "dy[t] * self.kernel[::-1]", "dy[t] * self.kernel",
              "kernel|turned"),
            m("shifted by one", "return dpadded[k - 1:]", "return dpadded[k - 2:-1]", "shifted|"
              "one (place|step)"),
            m("assigned", "dpadded[t:t + k] += dy[t]", "dpadded[t:t + k] = dy[t]",
              ONE_PART),
        ),
    ),
    "depthwise": HandWritten(
        '''
def depthwise(x, w):
    n, h, wd, c = x.shape
    k = w.shape[0]
    out = np.zeros((n, h - k + 1, wd - k + 1, c))
    for i in range(k):
        for j in range(k):
            out += x[:, i:i + h - k + 1, j:j + wd - k + 1] * w[i, j]
    return out, (x, w)

def depthwise_backward(grad, cache):
    x, w = cache
    _, oh, ow, _ = grad.shape
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            dw[i, j] = (grad * x[:, i:i + oh, j:j + ow]).sum(axis=(0, 1, 2))
            dx[:, i:i + oh, j:j + ow] += grad * w[i, j]
    return dx, dw

def make(rng):
    return depthwise, depthwise_backward, rng.normal(2, 4, 4, 2), rng.normal(2, 2, 2)
''',
        "f, g, x, w", "out, cache = f(x, w)", "dx, dw = g(dout, cache)", "x: dx; w: dw",
        (
            m("rows and columns", "dw[i, j] = (grad", "dw[j, i] = (grad", TRANSPOSED),
            m("kernel not flipped back", "+= grad * w[i, j]", "+= grad * w[-1 - i, -1 - j]",
              "kernel|turned"),
            m("assigned", "dx[:, i:i + oh, j:j + ow] += grad", "dx[:, i:i + oh, j:j + ow] = grad",
              ONE_PART),
            m("one picture", "(grad * x[:, i:i + oh, j:j + ow]).sum(axis=(0, 1, 2))",
              "(grad * x[:, i:i + oh, j:j + ow])[0].sum(axis=(0, 1))", ONE_PART),
        ),
    ),
    "transposed convolution, step 2": HandWritten(
        '''
class ConvTranspose:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias
        self.grads = {}

    def forward(self, x):
        self.x = x
        n, h, w = x.shape
        k = self.weight.shape[0]
        out = np.zeros((n, 2 * (h - 1) + k, 2 * (w - 1) + k))
        for i in range(h):
            for j in range(w):
                patch = x[:, i, j, None, None] * self.weight
                out[:, 2 * i:2 * i + k, 2 * j:2 * j + k] += patch
        return out + self.bias

    def backward(self, dout):
        k = self.weight.shape[0]
        dx = np.zeros_like(self.x)
        dw = np.zeros_like(self.weight)
        for i in range(self.x.shape[1]):
            for j in range(self.x.shape[2]):
                g = dout[:, 2 * i:2 * i + k, 2 * j:2 * j + k]
                dx[:, i, j] = (g * self.weight).sum(axis=(1, 2))
                dw += (g * self.x[:, i, j, None, None]).sum(axis=0)
        self.grads["weight"] = dw
        self.grads["bias"] = dout.sum(keepdims=True).reshape(1)
        return dx

def make(rng):
    return ConvTranspose(rng.normal(3, 3), rng.normal(1)), rng.normal(2, 2, 3)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.weight: layer.grads['weight']; layer.bias: layer.grads['bias']",
        (
            m("weight transposed", "(g * self.weight).sum", "(g * self.weight.T).sum",
              "transposed|kernel"),
            m("gradient transposed", 'self.grads["weight"] = dw', 'self.grads["weight"] = dw.T',
              TRANSPOSED),
            m("last position only", "dw += (g", "dw = (g", ONE_PART),
            m("bias averaged", "dout.sum(keepdims=True)", "dout.mean(keepdims=True)", TOO_OFTEN),
        ),
    ),
    "a kernel correlated in place of convolved": HandWritten(
        '''
def correlate(x, k):
    out = np.zeros((x.shape[0] - k.shape[0] + 1, x.shape[1] - k.shape[1] + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(x[i:i + k.shape[0], j:j + k.shape[1]] * k)
    return out

class Conv:
    def __init__(self, kernel):
        self.kernel = kernel

    def forward(self, input):
        self.input = input
        return correlate(input, self.kernel)

    def backward(self, output_gradient):
        self.kernel_gradient = correlate(self.input, output_gradient)
        p, q = self.kernel.shape
        padded = np.pad(output_gradient, ((p - 1, p - 1), (q - 1, q - 1)))
        return correlate(padded, np.rot90(self.kernel, 2))

def make(rng):
    return Conv(rng.normal(2, 2)), rng.normal(4, 4)
''',
        "layer, x", "out = layer.forward(x)", "dx = layer.backward(dout)",
        "x: dx; layer.kernel: layer.kernel_gradient",
        (
            m("kernel not turned", "np.rot90(self.kernel, 2)", "self.kernel", "kernel|turned"),
            m("transposed", "self.kernel_gradient = correlate(self.input, output_gradient)",
              "self.kernel_gradient = correlate(self.input, output_gradient).T", TRANSPOSED),
            m("turned once", "np.rot90(self.kernel, 2)", "np.rot90(self.kernel, 1)", "kernel|turned"
              "|order"),
            m("turned gradient", "correlate(self.input, output_gradient)",
              "correlate(self.input, output_gradient)[::-1, ::-1]", FLIPPED),
        ),
    ),
}
