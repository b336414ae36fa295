"""Optimizers: they read `grad` and give every parameter new `data`.

A step rebinds `data` and does not write into it: graphs recorded earlier stay as they were.
Parameters are leaves, Values or Tensors; the same formulas serve both.

A schedule is a function of the epochs done, with fractions between steps, that gives a factor of
the learning rate: `fit` and `epochs` ask it before every step.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.interrupts import all_or_nothing
from tinygrad_edu.rules import of
from tinygrad_edu.summaries import optimizer_text

StepNumbers = Mapping[str, Any]
Schedule = Callable[[float], float]


class Optimizer:
    """What all optimizers share: the list of parameters, the learning rate, `zero_grad`."""

    def __init__(self, parameters: Iterable[Node], lr: float, weight_decay: float = 0.0) -> None:
        name = type(self).__name__
        self.parameters = _checked_leaves(name, parameters)
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError(f"{name}: a parameter was given twice; it would be stepped twice")
        self.lr = not_negative(name, lr=lr)
        self.weight_decay = not_negative(name, weight_decay=weight_decay)
        self.steps = 0

    def check_settings(self) -> None:
        """ValueError for settings that make no sense; asked when they are made, saved or loaded."""
        name = type(self).__name__
        not_negative(name, lr=self.lr)
        not_negative(name, weight_decay=self.weight_decay)
        if not (isinstance(self.steps, int) and self.steps >= 0):
            raise ValueError(f"{name}: steps is {self.steps!r}; it must be 0, 1, 2, ...")

    def __repr__(self) -> str:
        return optimizer_text(self)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters:
            p.zero_grad()

    def step(self) -> None:
        """Move every parameter against its gradient: all of them, or, after an error, none.

        An interrupt (Ctrl-C) counts as an error until all is computed; then the step is finished.
        The first step warns if all gradients are 0, as they are before any backward pass.
        """
        if not self.steps:
            self._look_for_gradients()
        steps = self.steps
        all_or_nothing(self._moves, self._give, lambda: setattr(self, "steps", steps))

    def _moves(self) -> list[tuple[Any, tuple[Any, ...]]]:
        """The new data and the new states of every parameter."""
        self.steps += 1
        numbers, remembered = self.numbers(), self.states
        moves = []
        for i, p in enumerate(self.parameters):
            data, states = self.update(p.data, p.grad, [x[i] for x in remembered], numbers)
            moves.append((_like(p.data, data), states))
        return moves

    def _look_for_gradients(self) -> None:
        """Warn if no parameter has a gradient. The last is asked first: it is small, and has one
        nearly always."""
        if all(_is_zero(p.grad) for p in reversed(self.parameters)):
            warnings.warn(
                f"{type(self).__name__}.step: the gradients of all {len(self.parameters)} "
                "parameters are 0; unless the loss is flat here, call loss.backward() after "
                "zero_grad() and before step(), with a loss that depends on the parameters",
                stacklevel=3,
            )

    def _give(self, moves: list[tuple[Any, tuple[Any, ...]]]) -> None:
        """Give parameters and states what was computed; a second time it changes nothing."""
        for p, (data, _) in zip(self.parameters, moves, strict=True):
            p._data = data  # new and of the right kind: no check, no copy
        for j, state in enumerate(self.states):
            state[:] = [states[j] for _, states in moves]

    @property
    def states(self) -> list[list[Any]]:
        """What the optimizer remembers of each parameter, such as its velocity: lists of arrays."""
        return []

    def numbers(self) -> dict[str, float]:
        """The numbers of the formulas that may differ from step to step."""
        return {"lr": float(self.lr)}

    def update(
        self, p: Any, d: Any, states: list[Any], numbers: StepNumbers
    ) -> tuple[Any, tuple[Any, ...]]:
        """The new data and states of a parameter with data p and gradient d.

        The formulas serve numbers, arrays and symbols: a replayed training step runs them too.
        """
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
        lr: float | None = None,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        leaves = _checked_leaves("SGD", parameters)  # before the rate, which nobody gave either
        if lr is None:
            raise TypeError("SGD: lr is missing; give a learning rate, as in SGD(..., lr=0.1)")
        super().__init__(leaves, lr, weight_decay)
        self.momentum = not_negative("SGD", momentum=momentum)
        self.nesterov = nesterov
        self.velocities: list[Any] = [0.0] * len(self.parameters)
        self.check_settings()

    def check_settings(self) -> None:
        """ValueError for settings that make no sense; asked when they are made, saved or loaded."""
        super().check_settings()
        not_negative("SGD", momentum=self.momentum)
        if self.nesterov and not self.momentum:
            raise ValueError("SGD: nesterov=True needs a momentum above 0, such as 0.9")

    @property
    def states(self) -> list[list[Any]]:
        return [self.velocities] if self.momentum else []

    def update(
        self, p: Any, d: Any, states: list[Any], numbers: StepNumbers
    ) -> tuple[Any, tuple[Any, ...]]:
        """p - lr · v, see the class."""
        lr = numbers["lr"]
        if self.weight_decay:
            d = d + self.weight_decay * p
        if not self.momentum:
            return p - d * lr, ()
        v = self.momentum * states[0] + d
        return p - (d + self.momentum * v if self.nesterov else v) * lr, (v,)


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
        self.betas = betas
        self.eps = not_negative(type(self).__name__, eps=eps)
        self.means: list[Any] = [0.0] * len(self.parameters)
        self.squares: list[Any] = [0.0] * len(self.parameters)
        self.check_settings()
        self.betas = float(betas[0]), float(betas[1])  # NumPy's would make float64 of float32

    def check_settings(self) -> None:
        """ValueError for settings that make no sense; asked when they are made, saved or loaded."""
        super().check_settings()
        name = type(self).__name__
        betas: Any = self.betas  # anything that a user may give
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"{name}: betas are {betas!r}; give two numbers, as (0.9, 0.999)")
        if not all(isinstance(beta, Real) and 0 <= float(beta) < 1 for beta in betas):
            raise ValueError(f"{name}: betas are {betas}; each must be at least 0 and below 1")
        not_negative(name, eps=self.eps)

    @property
    def states(self) -> list[list[Any]]:
        return [self.means, self.squares]

    def numbers(self) -> dict[str, float]:
        """The learning rate, and the corrections of the start from 0."""
        beta1, beta2 = self.betas
        return {
            "lr": float(self.lr),
            "correction1": 1 - beta1**self.steps,
            "correction2": 1 - beta2**self.steps,
        }

    def update(
        self, p: Any, d: Any, states: list[Any], numbers: StepNumbers
    ) -> tuple[Any, tuple[Any, ...]]:
        """p - lr · mean / √square, both corrected for their start from 0."""
        if self.weight_decay:
            d = d + self.weight_decay * p
        return self._adapted(p, d, states, numbers)

    def _adapted(
        self, p: Any, d: Any, states: list[Any], numbers: StepNumbers
    ) -> tuple[Any, tuple[Any, ...]]:
        beta1, beta2 = self.betas
        m = beta1 * states[0] + (1 - beta1) * d
        v = beta2 * states[1] + (1 - beta2) * d * d
        size = of(v).sqrt(v / numbers["correction2"]) + self.eps
        return p - numbers["lr"] * (m / numbers["correction1"]) / size, (m, v)


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

    def numbers(self) -> dict[str, float]:
        """Those of Adam; `kept` is what the decay leaves of a parameter."""
        return {**super().numbers(), "kept": 1 - self.lr * self.weight_decay}

    def update(
        self, p: Any, d: Any, states: list[Any], numbers: StepNumbers
    ) -> tuple[Any, tuple[Any, ...]]:
        """As Adam, from p · kept, and with nothing added to the gradient."""
        return self._adapted(p * numbers["kept"] if self.weight_decay else p, d, states, numbers)


def step_decay(every: float, factor: float = 0.1) -> Schedule:
    """The rate times `factor` after every so many epochs."""
    every = _positive("step_decay", every=every)
    factor = not_negative("step_decay", factor=factor)
    return lambda done: factor ** math.floor(done / every)


def cosine(epochs: float, lowest: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to `lowest` in so many epochs (Loshchilov & Hutter 2017, eq. 5)."""
    epochs = _positive("cosine", epochs=epochs)
    lowest = not_negative("cosine", lowest=lowest)

    def factor(done: float) -> float:
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * min(done / epochs, 1.0))) / 2

    return factor


def warm_up(epochs: float, then: Schedule | None = None, start: float = 0.1) -> Schedule:
    """A straight line from `start` up to 1 in so many epochs; `then` begins where it ends."""
    epochs = _positive("warm_up", epochs=epochs)
    start = not_negative("warm_up", start=start)

    def factor(done: float) -> float:
        if done < epochs:
            return start + (1 - start) * done / epochs
        return 1.0 if then is None else then(done - epochs)

    return factor


def _positive(operation: str, **setting: float) -> float:
    ((name, value),) = setting.items()
    if not_negative(operation, **setting) == 0:
        raise ValueError(f"{operation}: {name} is {value!r}; it must be a number above 0")
    return float(value)


def _like(old: Any, data: Any) -> Any:
    """New data of a parameter, as the float or in the dtype and shape that it had."""
    if isinstance(old, float):
        return float(data)
    if type(data) is type(old) and data.dtype == old.dtype:
        return data
    import numpy as np

    return np.asarray(data, old.dtype)


def _is_zero(gradient: Any) -> bool:
    return not (gradient.any() if hasattr(gradient, "any") else gradient)


def not_negative(operation: str, **setting: float) -> float:
    """The one setting given, as a float; ValueError unless it is a finite number from 0 up."""
    ((name, value),) = setting.items()
    try:
        if 0 <= value < float("inf"):
            return float(value)  # one of NumPy would make float64 of what is float32
        kind: type[Exception] = ValueError
    except TypeError:  # a string, or nothing
        kind = TypeError
    raise kind(f"{operation}: {name} is {value!r}; it must be a finite number from 0 up")


def _checked_leaves(name: str, parameters: Any) -> list[Any]:
    """The parameters as a list; TypeError unless they are leaves, ValueError if there are none."""
    given = type(parameters).__name__
    if isinstance(parameters, Node) or not isinstance(parameters, Iterable):
        example = "[w, b]" if isinstance(parameters, Node) else "model.parameters()"
        raise TypeError(
            f"{name}: expected a list of leaves, got one {given}; write {name}({example}, ...)"
        )
    leaves = list(parameters)
    if not leaves:
        raise ValueError(f"{name}: there are no parameters; give model.parameters()")
    for i, p in enumerate(leaves):
        if not isinstance(p, Node):
            said = f"is of type {type(p).__name__}; give model.parameters(), Values or Tensors"
        elif p.operands:
            said = f"is not a leaf, but the result of {p.symbol}; give what it was made from"
        else:
            continue
        raise TypeError(f"{name}: parameter {i} {said}")
    return leaves
