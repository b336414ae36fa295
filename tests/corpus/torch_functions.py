"""torch.autograd.Function as people write it; `make(rng)` gives it and its inputs as tensors.

The oracle is `torch.autograd.gradcheck`, so how they are run stands nowhere.
"""

from hand_written import HandWritten, m
from patterns import (
    ADJOINT,
    AT_INPUT,
    FACTOR,
    LEFT_OUT,
    PATH,
    PLACE,
    SIGN,
    SWAPPED,
    TRANSPOSED,
    TWICE,
)

# fmt: off
IMPORTS = '''
import torch

def t(a):
    return torch.as_tensor(a).requires_grad_()
'''


def function(text: str, *mistakes) -> HandWritten:
    return HandWritten(IMPORTS + text, "", "", "", "", mistakes)


FUNCTIONS = {
    "torch: linear": function(
        '''
class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight)
        return input @ weight.t() + bias

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        grad_input = grad_output @ weight
        grad_weight = grad_output.t() @ input
        grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias

def make(rng):
    return LinearFunction, t(rng.normal(5, 3)), t(rng.normal(3, 3)), t(rng.normal(3))
''',
        m("weight turned", "grad_output.t() @ input", "input.t() @ grad_output", TRANSPOSED),
        m("not transposed", "grad_output @ weight\n", "grad_output @ weight.t()\n", "transposed"),
        m("sign", "grad_output.sum(0)", "-grad_output.sum(0)", SIGN),
        m("mean", "grad_output.sum(0)", "grad_output.mean(0)", FACTOR + "|once too often"),
    ),
    "torch: exp with its result saved": function(
        '''
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        result, = ctx.saved_tensors
        return grad_output * result

def make(rng):
    return Exp, t(rng.normal(4, 3))
''',
        m("input saved", "ctx.save_for_backward(result)", "ctx.save_for_backward(i)", AT_INPUT + "|"
          + LEFT_OUT),
        m("result forgotten", "grad_output * result", "grad_output.clone()", LEFT_OUT),
        m("adjoint", "return grad_output * result", "return result.clone()", ADJOINT),
    ),
    "torch: clamped ReLU with needs_input_grad": function(
        '''
class MyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        x, = ctx.saved_tensors
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grad_output.clone()
            grad_x[x < 0] = 0
        return grad_x

def make(rng):
    return MyReLU, t(rng.normal(5, 4))
''',
        m("mask of the adjoint", "grad_x[x < 0] = 0", "grad_x[grad_output < 0] = 0", "mask|sign of "
          "the adjoint"),
        m("other side", "grad_x[x < 0] = 0", "grad_x[x > 0] = 0", "wrong way round"),
        m("never masked", "            grad_x[x < 0] = 0\n", "", PLACE),
    ),
    "torch: layer norm": function(
        '''
class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        mean = x.mean(-1, keepdim=True)
        rstd = (x.var(-1, unbiased=False, keepdim=True) + 1e-5).rsqrt()
        xhat = (x - mean) * rstd
        ctx.save_for_backward(xhat, w, rstd)
        return xhat * w + b

    @staticmethod
    def backward(ctx, dy):
        xhat, w, rstd = ctx.saved_tensors
        wdy = dy * w
        c1 = (xhat * wdy).mean(-1, keepdim=True)
        c2 = wdy.mean(-1, keepdim=True)
        dx = (wdy - (xhat * c1 + c2)) * rstd
        return dx, (dy * xhat).sum(0), dy.sum(0)

def make(rng):
    return LayerNorm, t(rng.normal(3, 4)), t(rng.normal(4)), t(rng.normal(4))
''',
        m("mean", "(xhat * c1 + c2)", "xhat * c1", PATH),
        m("variance", "(xhat * c1 + c2)", "c2", PATH),
        m("not summed by hand", "(dy * xhat).sum(0)", "(dy * xhat).sum(0, keepdim=True) * 2", TWICE
          + "|shape"),
    ),
    "torch: multiplication with a number": function(
        '''
class MulConstant(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor, constant):
        ctx.constant = constant
        return tensor * constant

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.constant, None

def make(rng):
    return MulConstant, t(rng.normal(3, 4)), 5.0
''',
        m("forgotten", "grad_output * ctx.constant", "grad_output.clone()", FACTOR),
        m("squared", "grad_output * ctx.constant", "grad_output * ctx.constant ** 2", FACTOR),
        m("sign", "return grad_output *", "return -grad_output *", SIGN),
    ),
    "torch: two inputs multiplied and added": function(
        '''
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x

def make(rng):
    return Scale, t(rng.normal(4, 3)), t(rng.normal(4, 3))
''',
        m("swapped", "g * y, g * x", "g * x, g * y", SWAPPED),
        m("squared", "return g * y,", "return g * y ** 2,", "divided by"),
        m("adjoint", "g * y, g * x", "g * y, x.clone()", ADJOINT),
    ),
}
