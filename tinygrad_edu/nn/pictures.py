"""Layers for pictures: convolution and pooling, all made of sliding windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu import rules
from tinygrad_edu.data.data_sets import generator
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.module import Module, check_width
from tinygrad_edu.nn.dense import as_tensor, folded, start_deviation

if TYPE_CHECKING:
    from tinygrad_edu.data.data_sets import Rng

HeightWidth = int | tuple[int, int]


def _pair(name: str, x: Any, least: int = 1) -> tuple[int, int]:
    """A number for height and width, from one for both or one for each."""
    pair = tuple(x) if isinstance(x, list | tuple) else (x, x)
    if len(pair) != 2:
        raise ValueError(f"{name} is {x!r}; give one number, or two for height and width")
    height, width = (n if n == least else check_width(name, n) for n in pair)
    return height, width


class Conv2d(Module):
    """The sum of products of a kernel with every window of a picture, plus a bias.

    (N, in_channels, H, W) becomes (N, out_channels, rows, columns), and so does a single picture
    without N. The weight is (out_channels, in_channels, height, width) and starts as in Linear; the
    bias starts at 0. As in every library it is a cross-correlation: the kernel is not turned.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: HeightWidth,
        stride: HeightWidth = 1,
        padding: HeightWidth = 0,
        dilation: HeightWidth = 1,
        *,
        bias: bool = True,
        init: str | float = "he",
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        inputs = check_width("Conv2d: in_channels", in_channels)
        outputs = check_width("Conv2d: out_channels", out_channels)
        kernel = _pair("Conv2d: kernel_size", kernel_size)
        self.stride = _pair("Conv2d: stride", stride)
        self.padding = _pair("Conv2d: padding", padding, 0)
        self.dilation = _pair("Conv2d: dilation", dilation)
        area = math.prod(kernel)
        deviation = start_deviation("Conv2d", init, inputs * area, outputs * area)
        start = generator("Conv2d", rng).normal(0, deviation, (outputs, inputs, *kernel))
        self.weight = Tensor(start, "weight", dtype)
        self.bias = Tensor(np.zeros(outputs), "bias", dtype) if bias else None

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        outputs, inputs, *kernel = self.weight.shape
        if x.ndim not in (3, 4) or x.shape[-3] != inputs:
            raise ValueError(
                f"Conv2d: the input has shape {x.shape}; expected (N, {inputs}, H, W) or "
                f"({inputs}, H, W)"
            )
        windows = rules.windows(x, tuple(kernel), self.stride, self.padding, self.dilation)
        y: Tensor = rules.einsum("...chwij,ocij->...ohw", windows, self.weight)
        return y if self.bias is None else y + self.bias.reshape(outputs, 1, 1)


class MaxPool2d(Module):
    """The largest element of every window of kernel_size; the windows lie side by side unless a
    stride is given. Elements that tie share the adjoint evenly."""

    def __init__(
        self,
        kernel_size: HeightWidth,
        stride: HeightWidth | None = None,
        padding: HeightWidth = 0,
        dilation: HeightWidth = 1,
    ) -> None:
        self.kernel_size = _pair("MaxPool2d: kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else _pair("MaxPool2d: stride", stride)
        self.padding = _pool_padding("MaxPool2d", padding, self.kernel_size)
        self.dilation = _pair("MaxPool2d: dilation", dilation)

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        if any(self.padding):
            ends = [(0, 0)] * (x.ndim - 2) + [(n, n) for n in self.padding]
            x = rules.pad(x, ends, constant_values=-np.inf)
        windows = rules.windows(x, self.kernel_size, self.stride, 0, self.dilation)
        largest: Tensor = windows.max(axis=(-2, -1))
        return largest


class AvgPool2d(Module):
    """The mean of every window of kernel_size, with the zeros of a padding; the windows lie side by
    side unless a stride is given."""

    def __init__(
        self, kernel_size: HeightWidth, stride: HeightWidth | None = None, padding: HeightWidth = 0
    ) -> None:
        self.kernel_size = _pair("AvgPool2d: kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else _pair("AvgPool2d: stride", stride)
        self.padding = _pool_padding("AvgPool2d", padding, self.kernel_size)

    @folded
    def __call__(self, x: Any) -> Tensor:
        windows = rules.windows(as_tensor(x), self.kernel_size, self.stride, self.padding)
        mean: Tensor = windows.mean(axis=(-2, -1))
        return mean


def _pool_padding(layer: str, padding: Any, kernel: tuple[int, int]) -> tuple[int, int]:
    """A padding of at most half the window, so that no window lies in it as a whole."""
    ends = _pair(f"{layer}: padding", padding, 0)
    if any(2 * end > size for end, size in zip(ends, kernel, strict=True)):
        raise ValueError(
            f"{layer}: padding is {padding!r} for a kernel_size of {kernel}; it is at most half of "
            "that"
        )
    return ends
