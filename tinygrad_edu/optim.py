"""Optimizers: they read `grad` and give every parameter new `data`.

A step rebinds `data` and does not write into it, so that graphs recorded earlier stay as they
were. Parameters are leaves, Values or Tensors; the same formulas serve both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_edu.graph import Node
from tinygrad_edu.rules import of


class Optimizer:
    """What all optimizers share: the list of parameters, the learning rate, `zero_grad`."""

    def __init__(self, parameters: Iterable[Node], lr: float, weight_decay: float = 0.0) -> None:
        name = type(self).__name__
        self.parameters: list[Any] = list(parameters)
        if not self.parameters:
            raise ValueError(f"{name}: there are no parameters; give model.parameters()")
        for i, p in enumerate(self.parameters):
            if not isinstance(p, Node) or p.operands:
                raise TypeError(f"{name}: parameter {i} is no leaf (Value or Tensor): {p!r}")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError(f"{name}: a parameter was given twice; it would be stepped twice")
        self.lr = not_negative(name, lr=lr)
        self.weight_decay = not_negative(name, weight_decay=weight_decay)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters:
            p.zero_grad()

    def step(self) -> None:
        """Move every parameter against its gradient."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay.

    With d = grad + weight_decay · p and v ← momentum · v + d, a step is p ← p - lr · v; Nesterov's
    is p ← p - lr · (d + momentum · v). ValueError for negative settings, or nesterov without
    momentum.
    """

    def __init__(
        self,
        parameters: Iterable[Node],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = not_negative("SGD", momentum=momentum)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum above 0, such as 0.9")
        self.velocities: list[Any] = [0.0] * len(self.parameters)

    def step(self) -> None:
        """Move every parameter against its gradient."""
        lr = float(self.lr)
        for i, p in enumerate(self.parameters):
            d = p.grad
            if self.weight_decay:
                d = d + self.weight_decay * p.data
            if self.momentum:
                v = self.velocities[i] = self.momentum * self.velocities[i] + d
                d = d + self.momentum * v if self.nesterov else v
            _move(p, p.data - d * lr)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), with the weight decay added to the gradient."""

    def __init__(
        self,
        parameters: Iterable[Node],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        name = type(self).__name__
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{name}: betas are {betas}; each must be at least 0 and below 1")
        self.betas = betas
        self.eps = not_negative(name, eps=eps)
        self.steps = 0
        self.means: list[Any] = [0.0] * len(self.parameters)
        self.squares: list[Any] = [0.0] * len(self.parameters)

    def step(self) -> None:
        """Move every parameter against its running mean gradient, scaled by its running size."""
        self.steps += 1
        beta1, beta2 = self.betas
        for i, p in enumerate(self.parameters):
            d = self._decayed(p)
            m = self.means[i] = beta1 * self.means[i] + (1 - beta1) * d
            v = self.squares[i] = beta2 * self.squares[i] + (1 - beta2) * d * d
            size = of(v).sqrt(v / (1 - beta2**self.steps)) + self.eps
            _move(p, p.data - self.lr * (m / (1 - beta1**self.steps)) / size)

    def _decayed(self, p: Any) -> Any:
        """The gradient with the weight decay applied."""
        return p.grad + self.weight_decay * p.data if self.weight_decay else p.grad


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): p shrinks by lr · decay."""

    def __init__(
        self,
        parameters: Iterable[Node],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _decayed(self, p: Any) -> Any:
        if self.weight_decay:
            _move(p, p.data * (1 - self.lr * self.weight_decay))
        return p.grad


def _move(p: Any, data: Any) -> None:
    """Give a parameter new data, as the float or in the dtype and shape that it had."""
    old = p.data
    if type(data) is not type(old) or (type(old) is np.ndarray and data.dtype != old.dtype):
        data = np.asarray(data, old.dtype) if isinstance(old, np.ndarray) else float(data)
    p.data = data


def not_negative(operation: str, **setting: float) -> float:
    """The value of the one setting given; ValueError unless it is a finite number from 0 up."""
    ((name, value),) = setting.items()
    if not 0 <= value < float("inf"):
        raise ValueError(f"{operation}: {name} is {value!r}; it must be a finite number from 0 up")
    return value
