"""A training step that is recorded once: forward, backward and the optimizer's update, replayed.

All parameters lie in one flat buffer, their gradients in another, so that the update is one
operation for all of them. During an epoch the parameters are updated in place; their `data`, which
the user sees, are arrays of their own, given again when a step or an epoch ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.interrupts import all_or_nothing
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.optim import not_negative
from tinygrad_edu.programs.trace import trace_graph
from tinygrad_edu.replay.flat_buffers import Flat, Gradients, Update
from tinygrad_edu.replay.recording import record
from tinygrad_edu.replay.staleness import calls_before_a_look, check_same, is_due, same_program


class TrainingStep:
    """`step(x, y)` does what `loss(x, y).backward()` and `optimizer.step()` do.

    `loss` is a function of a batch that gives a Tensor with one element. It is called, and its
    graph recorded, when a batch has other shapes or dtypes than those before, or when a comparison
    in it comes out differently; otherwise what was recorded is replayed. The first replay, and
    steps 2, 4, 8, 16, … are compared with the function itself, so that what it computes outside the
    graph (random numbers, `.data`, a coefficient that has changed) is an error and not a wrong
    number. `grad` is not touched. With `clip` the norm of all gradients is at most that, see
    `clip_gradients`; `gradient_norm` is what it was before. TypeError for parameters that are not
    Tensors of one dtype; RuntimeError if the function and its replay differ.
    """

    def __init__(self, loss: Callable[..., Any], optimizer: Any, clip: float | None = None) -> None:
        if not callable(loss) or not hasattr(optimizer, "parameters"):
            raise TypeError(
                "TrainingStep: expected a function that gives the loss, and an optimizer, got a "
                f"{type(loss).__name__} and a {type(optimizer).__name__}"
            )
        for p in optimizer.parameters:
            if not isinstance(p, Tensor):
                raise TypeError(f"TrainingStep: parameter {p!r} is not a Tensor; use replay for it")
        dtypes = sorted({str(p.dtype) for p in optimizer.parameters})
        if len(dtypes) > 1:
            raise TypeError(f"TrainingStep: parameters of {', '.join(dtypes)}; use one dtype")
        self.loss, self.optimizer = loss, optimizer
        self.clip = None if clip is None else not_negative("TrainingStep", clip=clip)
        self.calls = 0  # of the step, in epochs too
        self._begin()

    def _begin(self) -> None:
        """Make the buffers, and the update with the optimizer's present settings."""
        data = [p.data for p in self.optimizer.parameters]
        self.parameters, self.gradient = Flat(data), Flat(data)
        self.states = [Flat(data) for _ in self.optimizer.states]
        self.update = Update(self.optimizer, self.parameters, self.gradient, self.states, self.clip)
        self.recorded: dict[Any, Gradients] = {}
        self.settings = self._settings()

    def _settings(self) -> dict[str, Any]:
        """The optimizer's settings that are constants of the update, such as its momentum."""
        kinds = (bool, int, float, tuple)
        named = {k: v for k, v in vars(self.optimizer).items() if isinstance(v, kinds)}
        return {k: v for k, v in named.items() if k not in ("lr", "steps")}

    @property
    def gradient_norm(self) -> float:
        """The length of all gradients of the last step as one vector, before it was clipped."""
        if self.clip is not None:
            return self.update.norm
        rate = self.update.rate_now()
        return float(np.sqrt(self.gradient.array @ self.gradient.array)) / rate if rate else 0.0

    def __repr__(self) -> str:
        name = getattr(self.loss, "__name__", type(self.loss).__name__)
        return f"TrainingStep({escaped(name)}, {self.optimizer!r})"

    def __call__(self, *batch: Any) -> float:
        """One step on a batch; returns the loss before it.

        After an error or an interrupt (Ctrl-C) the step is made as a whole or not at all.
        """
        arrays = [np.asarray(x) for x in batch]
        steps = self.optimizer.steps

        def undo() -> None:  # what the buffers hold may be half a step, and is not handed back
            self.optimizer.steps = steps

        self._take_over()
        return all_or_nothing(lambda: self._step(arrays), lambda loss: self._hand_back(), undo)

    def epoch(self, loader: Any) -> list[float]:
        """A step on every batch of a DataLoader; returns the losses.

        The samples of a batch are gathered inside the step. The parameters get their new `data`
        at the end, also if an error ends it early.
        """
        if not hasattr(loader, "batches"):
            raise TypeError(
                f"TrainingStep.epoch: expected a DataLoader, got a {type(loader).__name__}; for "
                "one batch call the step itself, step(x, y)"
            )
        x, y = loader.x, loader.y
        losses: list[float] = []
        self._take_over()
        try:
            everything = list(loader.batches())
            for length in dict.fromkeys(map(len, everything)):  # all but the last have one length
                batches = iter([batch for batch in everything if len(batch) == length])
                key = tuple([(data.dtype, (length, *data.shape[1:])) for data in (x, y)])
                recorded = self.recorded.get(key)
                while recorded is None or not recorded.loops:
                    batch = next(batches, None)
                    if batch is None:
                        break
                    losses.append(self._step([x[batch], y[batch]]))
                    recorded = self.recorded[key]
                assert recorded is not None
                if recorded.has_classes(1, y):
                    self._loop(recorded, batches, x, y, losses)
                losses += [self._step([x[batch], y[batch]]) for batch in batches]
        finally:
            try:
                self._hand_back()
            except BaseException:  # an interrupt: all of it
                self._hand_back()
                raise
        return losses

    def _loop(
        self, recorded: Gradients, batches: Iterator[Any], x: Any, y: Any, losses: list[float]
    ) -> None:
        """Steps on all batches in a loop of generated code, which is left for a step at which there
        is a look at the function."""
        while True:
            before, steady = len(losses), self.update.steady
            update = self.update.compute if steady else self.update.run
            recorded.set_rate(self.update.rate_now())
            without_a_look = itertools.islice(batches, calls_before_a_look(self.calls))
            try:
                with recorded.warnings():
                    # take with mode="clip" fills `out` without a buffer in between, in a fifth of
                    # the time; the indices of a DataLoader are within its data
                    recorded.loop(without_a_look, x.take, y.take, update, losses.append)
            finally:
                self.calls += len(losses) - before
                if steady:
                    self.optimizer.steps += len(losses) - before
            batch = next(batches, None)
            if batch is None:
                return
            losses.append(self._step([x[batch], y[batch]]))

    def _step(self, arrays: Sequence[Any]) -> float:
        """One step on a batch, which is recorded if need be."""
        self.calls += 1
        key = _batch_key(arrays)
        recorded = self.recorded.get(key)
        if recorded is not None:
            recorded.fill(arrays)
            if is_due(self.calls) or not recorded.checked:
                self._check(recorded, arrays)
            with recorded.warnings():
                loss = self._replayed(recorded)
            if loss is not None:
                return loss
        self._hand_back()  # so that the function sees the parameters as they are now
        recorded = self.recorded[key] = self._recorded(arrays)
        recorded.fill(arrays)
        with recorded.warnings():
            loss = self._replayed(recorded)
        assert loss is not None
        return loss

    def _recorded(self, arrays: Sequence[Any]) -> Gradients:
        recording = record(self.loss, arrays)
        return Gradients(recording, self.optimizer.parameters, self)

    def _replayed(self, recorded: Gradients) -> float | None:
        """Gradients and update; None, with nothing changed on another branch."""
        loss = recorded.run(self.update)
        if loss is not None:
            self.update.run()
        return loss

    def _check(self, recorded: Gradients, arrays: Sequence[Any]) -> None:
        """RuntimeError unless the replayed gradients are those of the function itself.

        This is done once with the batch that was recorded, which finds random numbers, once with
        another, which finds what else does not follow from the graph, and when a look is due.
        """
        checked = recorded.checked
        same = not checked and recorded.same_batch(arrays)
        if same and recorded.repeated and not is_due(self.calls):
            return
        recorded.repeated = recorded.checked = False  # after an error every step is looked at
        with recorded.warnings():
            loss = recorded.run(self.update)
        if loss is None:
            return  # it is recorded again
        self._hand_back()
        fresh = record(self.loss, arrays)
        rate = self.update.rate_now()  # with the rate 0 there is a loss to compare, and no gradient
        parameters = self.optimizer.parameters
        gradients = tuple(view / rate for view in self.gradient.views) if rate else ()

        def is_the_same() -> bool:
            new = trace_graph(fresh.root, fresh.inputs, parameters, (), fresh.comparisons)
            return same_program(recorded.traced, new)

        check_same(fresh.root, parameters if rate else [], (loss, gradients), is_the_same)
        recorded.repeated, recorded.checked = True, checked or not same

    def _take_over(self) -> None:
        """Take the parameters and what the optimizer remembers into the flat buffers."""
        if self._settings() != self.settings:
            self._begin()
        self.parameters.take([p.data for p in self.optimizer.parameters])
        for flat, state in zip(self.states, self.optimizer.states, strict=True):
            flat.take(state)

    def _hand_back(self) -> None:
        """Give the parameters and the optimizer what the flat buffers hold, as new arrays."""
        for p, data in zip(self.optimizer.parameters, self.parameters.give(), strict=True):
            p._data = data  # new and of the right kind: no check, no copy
        for flat, state in zip(self.states, self.optimizer.states, strict=True):
            state[:] = flat.give()


def _batch_key(arrays: Sequence[Any]) -> Any:
    return tuple([(x.dtype, x.shape) for x in arrays])
