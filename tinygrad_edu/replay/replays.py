"""The public function: a graph, or a function that makes one, as a callable that is fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.graph import Node
from tinygrad_edu.replay.arguments import flat
from tinygrad_edu.replay.recording import Recording, at_hand, check_same, eager, record
from tinygrad_edu.replay.source import source
from tinygrad_edu.replay.tensors import TensorReplay
from tinygrad_edu.replay.values import ValueReplay
from tinygrad_edu.tensor import Tensor


class Replay:
    """`value, gradients = replay(...)(*inputs)`: see `replay`.

    `source` is the program as Python; `text(language)` writes it in "python", "numpy",
    "javascript", "latex" or "mathml".
    """

    # Python looks for the __call__ of a class, finds the slot, and calls what each object keeps
    # there: the compiled function itself, without the detour through a method.
    __slots__ = (
        "__call__", "_backend", "_function", "_recording", "_repeated", "_replay", "_wrt",
    )  # fmt: skip

    def __init__(
        self,
        what: Node | Callable[..., Any],
        inputs: Sequence[Any] | None,
        wrt: Sequence[Any] | None,
        backend: str | None,
    ) -> None:
        self._function = None if isinstance(what, Node) else what
        self._backend = backend
        if isinstance(what, Node):
            recording = at_hand(what, inputs)
        elif not callable(what):
            raise TypeError(f"replay: expected a node or a function, got {type(what).__name__}")
        elif inputs is None:
            raise TypeError("replay: a function needs inputs to be recorded with: replay(f, [x])")
        else:
            recording = record(what, inputs)
        self._wrt = _positions(wrt, recording if inputs is None else inputs, recording)
        self._begin(recording)

    def _begin(self, recording: Recording) -> None:
        wrt = self._leaves(recording)
        again = None if self._function is None else self._again
        kind = TensorReplay if isinstance(recording.root, Tensor) else ValueReplay
        self._recording, self._repeated = recording, False
        self._replay: Any = kind(recording, wrt, self._backend, again)
        self.__call__ = self._replay.run if self._function is None else self._first

    def _again(self, inputs: Sequence[Any]) -> Any:
        """Record the function with other inputs, and replay that.

        Where even this does not go, the new graph itself says why, or what it gives.
        """
        assert self._function is not None
        recording = record(self._function, inputs, self._recording)
        self._begin(recording)
        self._replay.again = lambda inputs: eager(recording.root, self._leaves(recording))
        try:
            return self._replay.run(*inputs)
        finally:
            self._replay.again = self._again

    def _leaves(self, recording: Recording) -> list[Any]:
        """What to differentiate by, in a recording."""
        return [recording.inputs[x] if isinstance(x, int) else x for x in self._wrt]

    def _first(self, *inputs: Any) -> Any:
        """The first call, and the first with new inputs, are compared with the function itself, so
        that what it computes outside of the graph is an error and not a wrong number."""
        assert self._function is not None
        replay = self._replay
        found = replay.run(*inputs)
        if replay is not self._replay:  # it was recorded anew, with these inputs
            return found
        point = replay.point(inputs)
        same = replay.is_recorded_with(point)
        if not (same and self._repeated):  # the same inputs again find random numbers
            fresh = record(self._function, point, self._recording)
            check_same(fresh.root, self._leaves(fresh), replay.run(*point))
            self._repeated = True
            if not same:
                self.__call__ = replay.run
        return found

    @property
    def source(self) -> str:
        """The program as a function: Python for a graph of Values, NumPy for one of Tensors."""
        return self.text("numpy" if isinstance(self._replay, TensorReplay) else "python")

    def text(self, language: str) -> str:
        """The program in "python", "numpy", "javascript", "latex" or "mathml".

        ValueError for a language that cannot say it: only NumPy has arrays.
        """
        return source(self._replay.program, self._replay.arguments, "program", language)

    def __repr__(self) -> str:
        names = ", ".join(x.name for x in self._replay.program.inputs)
        return f"<replay of ({names})>"


def _positions(wrt: Sequence[Any] | None, given: Any, recording: Recording) -> list[Any]:
    """What to differentiate by: positions of inputs, and nodes (or lists of them) that are none."""
    inputs = recording.inputs
    if wrt is None:
        return [i for i, x in enumerate(inputs) if not isinstance(x, np.ndarray)]
    given = inputs if given is recording else list(given)
    found: list[Any] = []
    for x in wrt:
        position = next((i for i, y in enumerate(given) if _same(x, y)), None)
        found.append(x if position is None else position)
        for leaf in flat([x] if position is None else [inputs[position]]):
            if not isinstance(leaf, Node) or leaf.operands:
                raise TypeError(f"replay: wrt has {leaf!r}, which is no leaf")
    return found


def _same(x: Any, y: Any) -> bool:
    if isinstance(x, list | tuple) and isinstance(y, list | tuple):
        return len(x) == len(y) and all(a is b for a, b in zip(x, y, strict=True))
    return x is y


def replay(
    what: Node | Callable[..., Any],
    inputs: Sequence[Any] | None = None,
    wrt: Sequence[Any] | None = None,
    *,
    backend: str | None = None,
) -> Replay:
    """A callable that gives `value, gradients` for new inputs without building a graph again.

    `what` is the root of a graph, or a function of the inputs that makes one. `inputs` are leaves,
    all of them unless given; for a function they may be plain numbers and arrays to record it with.
    `wrt` are the leaves to differentiate by, in the order of the gradients; all inputs unless
    given. A list among them stands for one argument, a sequence, and one gradient, an array. Leaves
    that are no inputs keep their present `data`, whatever it is when the replay is called.

    A graph of Values takes numbers; or columns, arrays of one shape, and then gives the value and
    the gradients by columns as columns, and the gradients by numbers as sums over the points.
    `backend` is "python", "numpy" (columns) or "numba", which has to be installed.
    A graph of Tensors takes arrays of the shapes and dtypes that were recorded.

    Comparisons of nodes are watched while a function is recorded; where one comes out differently,
    it is recorded anew. What a function computes from `.data` is a constant of the recording.
    Raises TypeError for nodes that cannot be replayed and inputs of another kind, ValueError for
    other shapes, and the errors of the operations.
    """
    return Replay(what, inputs, wrt, backend)
