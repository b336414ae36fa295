"""What a training step is made of: flat buffers, gradients into them, and the update of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol
from tinygrad_edu.programs.generated import compiled
from tinygrad_edu.programs.simplify import simplified
from tinygrad_edu.programs.symbols import Symbol, operations_in, symbols_of
from tinygrad_edu.programs.trace import in_order, trace_graph
from tinygrad_edu.replay.buffers import Emitter, result_at, warnings_of
from tinygrad_edu.replay.recording import Recording
from tinygrad_edu.replay.tensor_replay import changed


class Flat:
    """Arrays in one flat buffer; `views` are its parts, in their shapes."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.array = np.zeros(sum(x.size for x in arrays), arrays[0].dtype)
        ends = np.cumsum([x.size for x in arrays])
        parts = np.split(self.array, ends[:-1])
        self.views = [part.reshape(x.shape) for part, x in zip(parts, arrays, strict=True)]

    def take(self, arrays: Sequence[Any]) -> None:
        """Copy arrays; a number fills its part. ValueError for another shape."""
        for view, array in zip(self.views, arrays, strict=True):
            if np.shape(array) not in ((), view.shape):
                raise ValueError(
                    f"TrainingStep: a parameter of shape {view.shape} now has data of shape "
                    f"{np.shape(array)}; make a new TrainingStep"
                )
            view[...] = array

    def give(self) -> list[Any]:
        """Copies of all parts."""
        return [view.copy() for view in self.views]


class Update:
    """The optimizer's update of all parameters at once: `run()`.

    Plain gradient descent multiplies the gradient with the learning rate and subtracts it. A
    backward pass is linear in its seed: `rate` names the number that can be its seed instead of 1,
    which saves the product, a twentieth of a 64-30-10 step; None for other optimizers, and if
    gradients are clipped, since their norm is that of the gradients themselves.
    """

    def __init__(
        self,
        optimizer: Any,
        parameters: Flat,
        gradient: Flat,
        states: Sequence[Flat],
        clip: float | None,
    ) -> None:
        self.optimizer, self.gradient, self.clip, self.norm = optimizer, gradient.array, clip, 0.0
        shape, dtype = parameters.array.shape, parameters.array.dtype
        self.scalars = {name: np.ones((), dtype) for name in optimizer.numbers()}
        numbers = {name: ArraySymbol(name, (), {}, (), dtype) for name in self.scalars}
        p, d, *old = (
            ArraySymbol(name, (), {}, shape, dtype)
            for name in ("parameters", "gradient", *("state" for _ in states))
        )
        new, new_states = optimizer.update(p, d, old, numbers)
        self.rate = _rate(new, p, d) if clip is None else None
        if self.rate is not None:
            new = p - d
        held: dict[Any, Any] = {p: parameters.array, d: gradient.array}
        held |= {x: state.array for x, state in zip(old, states, strict=True)}
        held |= {numbers[name]: scalar for name, scalar in self.scalars.items()}
        wanted = [new, *new_states]
        needed = [x for x in operations_in(wanted) if x.operands]
        results = {
            result: held[before]
            for result, before in zip(wanted, (p, *old), strict=True)
            if not any(before in symbols_of(x) for x in needed[needed.index(result) + 1 :])
        }
        update = Emitter(needed, wanted, held, results)
        self.copies = [
            (held[before], update.value(result))
            for result, before in zip(wanted, (p, *old), strict=True)
            if result not in results
        ]
        self.compute = update.function()

    def rate_now(self) -> float:
        """The seed of the backward pass at this step."""
        return 1.0 if self.rate is None else float(self.optimizer.numbers()[self.rate])

    @property
    def steady(self) -> bool:
        """Whether all steps of an epoch are alike, so that `compute` is enough for each."""
        return self.rate is not None and len(self.scalars) == 1 and not self.copies

    def run(self) -> None:
        """One step of the optimizer, with the gradient that is in the buffer."""
        self.optimizer.steps += 1
        if self.clip is not None:
            self._clip(self.clip)
        if self.rate is None or len(self.scalars) > 1:
            for name, number in self.optimizer.numbers().items():
                self.scalars[name][...] = number
        self.compute()
        for target, value in self.copies:
            np.copyto(target, value)

    def _clip(self, most: float) -> None:
        """Make the gradient shorter if its norm is larger; what `clip_gradients` does."""
        self.norm = math.sqrt(self.gradient @ self.gradient)
        if self.norm > most:
            self.gradient *= most / self.norm


def _rate(new: Any, p: Any, d: Any) -> str | None:
    """The name of the number c if an update is p - d · c."""
    if new.name != "subtract" or new.operands[0] is not p:
        return None
    product = new.operands[1]
    if (
        not isinstance(product, Symbol)
        or product.name != "multiply"
        or product.operands[0] is not d
    ):
        return None
    factor = product.operands[1]
    return factor.name if isinstance(factor, Symbol) and not factor.operands else None


class Gradients:
    """The gradients of a recorded loss, into the flat buffer: `run`; `inputs` hold the batch."""

    def __init__(self, recording: Recording, parameters: Sequence[Any], owner: Any) -> None:
        root = recording.root
        root._seed(None)  # ValueError unless it has one element
        traced = trace_graph(root, recording.inputs, parameters, (), recording.comparisons)
        self.seed = np.ones(root.shape, root.dtype)
        self.rate = 1.0
        folded = owner.update.rate is not None
        program = simplified(traced, None if folded else self.seed, fast=True)
        self.traced = traced
        self.recorded_with = [np.array(getattr(x, "data", x)) for x in recording.inputs]
        self.inputs = [x.copy() for x in self.recorded_with]
        given: dict[Any, Any] = dict(program.constants)
        given |= dict(zip(program.inputs, self.inputs, strict=True))
        given[program.seed] = self.seed
        places = dict(zip(parameters, owner.parameters.views, strict=True))
        self.others = []
        for symbol, node in program.others.items():
            if node not in places:
                self.others.append((np.empty_like(node.data), node))
                places[node] = self.others[-1][0]
            given[symbol] = places[node]
        order = in_order(program, program.outputs)
        self.warnings = warnings_of(order)
        steady = [x for x in order if _is_steady(x, program.seed)]
        prepare = Emitter(steady, steady, given)
        self.prepare = prepare.function()
        given |= {x: prepare.arrays[x] for x in steady}
        results: dict[Any, Any] = {}
        self.copies = []
        for x, view in zip(program.gradients, owner.gradient.views, strict=True):
            if isinstance(x, Symbol) and x not in results and x not in given:
                results[x] = view
            else:
                self.copies.append((view, x))
        emitter = Emitter([x for x in order if x not in given], program.outputs, given, results)
        self.copies = [(view, emitter.value(x)) for view, x in self.copies]
        self.compute = emitter.function()
        self.value = emitter.value(program.value)
        self.loop = self._loop(emitter)
        self.classes = [emitter.classes.get(x) for x in program.inputs]
        self.guards = [(emitter.value(x), expected) for x, expected in program.guards]
        self.repeated = self.checked = False
        self.prepare()

    def _loop(self, emitter: Emitter) -> Any:
        """A function of batches, as indices, and of what gathers them: all the steps in one loop,
        which saves a tenth of a 64-30-10 step. It appends the losses to a list."""
        lines = [
            f"    take{i}(batch, 0, {emitter.name(x)}, 'clip')" for i, x in enumerate(self.inputs)
        ]
        takes = [f"take{i}" for i in range(len(self.inputs))]
        value = self.value if isinstance(self.value, str) else emitter.name(self.value)
        lines += [f"    {emitter.unchecked.get(line, line)}" for line in emitter.lines]
        lines += ["    update()", f"    append({value}.item())"]
        parameters = ["batches", *takes, "update", "append"]
        return compiled(parameters, ["for batch in batches:", *lines], emitter.namespace)

    def has_classes(self, position: int, y: Any) -> bool:
        """Whether all labels that will be gathered into an input are classes."""
        classes = self.classes[position]
        return classes is None or not y.size or bool(y.min() >= 0 and y.max() < classes)

    @property
    def loops(self) -> bool:
        """Whether nothing but the batch has to be looked at between steps."""
        return self.checked and not (self.guards or self.others or self.copies)

    def set_rate(self, rate: float) -> None:
        """Take a number as the seed of the backward pass."""
        if rate != self.rate:
            self.rate = rate
            self.seed[...] = rate
            self.prepare()

    def fill(self, arrays: Sequence[Any]) -> None:
        """Take a batch of the recorded shapes and dtypes."""
        for buffer, array in zip(self.inputs, arrays, strict=True):
            np.copyto(buffer, array)

    def same_batch(self, arrays: Sequence[Any]) -> bool:
        """Whether this is the batch that it was recorded with."""
        return all(map(np.array_equal, arrays, self.recorded_with))

    def run(self, update: Update) -> float | None:
        """Fill the gradient; returns the loss, or None if a comparison came out differently."""
        self.set_rate(update.rate_now())
        for buffer, node in self.others:
            np.copyto(buffer, node.data)
        variables = self.compute()
        if self.guards and changed(self.guards, variables):
            return None
        for view, x in self.copies:
            np.copyto(view, result_at(x, variables))
        return float(result_at(self.value, variables).item())


def _is_steady(symbol: Symbol, seed: Symbol) -> bool:
    """Whether an expression changes only when the seed does."""
    leaves = [x for x in operations_in([symbol]) if not x.operands]
    return all(x is seed for x in leaves)
