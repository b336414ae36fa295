"""A convolution of 32 pictures of 8 × 14 × 14 with 16 kernels of 3 × 3: value and all gradients."""

from typing import Any

import numpy as np
from workload import OURS, Workload

RNG = np.random.default_rng(0)
X, KERNELS = RNG.normal(size=(32, 8, 14, 14)), RNG.normal(size=(16, 8, 3, 3))
SEED = RNG.normal(size=(32, 16, 12, 12))


def by_hand() -> list[Any]:
    """Nine products, one for each place of a kernel."""
    y, dx, dk = np.zeros(SEED.shape), np.zeros(X.shape), np.zeros(KERNELS.shape)
    for i, j in np.ndindex(3, 3):
        part = X[:, :, i : i + 12, j : j + 12]
        y += np.einsum("nchw,oc->nohw", part, KERNELS[:, :, i, j])
        dk[:, :, i, j] = np.einsum("nohw,nchw->oc", SEED, part)
        dx[:, :, i : i + 12, j : j + 12] += np.einsum("nohw,oc->nchw", SEED, KERNELS[:, :, i, j])
    return [y, dx, dk]


WORKLOAD = Workload(
    "a convolution, 32 × 8 × 14 × 14 with 16 kernels 3 × 3: value and gradients", reference=by_hand
)


@WORKLOAD.candidate(OURS)
def ours() -> Any:
    from tinygrad_edu import Tensor, nn

    layer = nn.Conv2d(8, 16, 3, bias=False)
    layer.weight.data = KERNELS
    x = Tensor(X)

    def call() -> list[Any]:
        x.grad = layer.weight.grad = None
        y = layer(x)
        y.backward(SEED)
        return [y.data, x.grad, layer.weight.grad]

    return call, call()


@WORKLOAD.candidate("MyGrad")
def mygrad() -> Any:
    from peers import mygrad_without_guard

    mg = mygrad_without_guard()
    from mygrad.nnet.layers import conv_nd

    x, kernels = mg.tensor(X), mg.tensor(KERNELS)

    def call() -> list[Any]:
        y = conv_nd(x, kernels, stride=1)
        y.backward(SEED)
        return [y.data, x.grad, kernels.grad]

    return call, call()


@WORKLOAD.candidate("torch")
def torch() -> Any:
    import torch

    x, kernels = (torch.tensor(a, requires_grad=True) for a in (X, KERNELS))
    seed = torch.tensor(SEED)

    def call() -> list[Any]:
        x.grad = kernels.grad = None
        y = torch.nn.functional.conv2d(x, kernels)
        y.backward(seed)
        return [y.detach(), x.grad, kernels.grad]

    return call, call()


@WORKLOAD.candidate("NumPy by hand")
def numpy() -> Any:
    return by_hand, by_hand()
