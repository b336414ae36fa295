"""The public function: a graph, or a function that makes one, as a callable that is fast."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.value import Value
from tinygrad_edu.programs.source import source
from tinygrad_edu.replay.input_lists import flattened, shaped
from tinygrad_edu.replay.recording import Recording, at_hand, eager, record
from tinygrad_edu.replay.staleness import Origin, check_same, same_program
from tinygrad_edu.replay.value_replay import ValueReplay

SHOWN_LINES, SHOWN_WIDTH = 12, 100
"""How much of its program a replay shows of itself."""


class Replay:
    """`value, gradients = replay(...)(*inputs)`: see `replay`.

    `source` is the program as Python; `text(language)` writes it in "python", "numpy",
    "javascript", "latex" or "mathml".
    """

    # Python looks for the __call__ of a class, finds the slot, and calls what each object keeps
    # there: the compiled function itself, without the detour through a method.
    __slots__ = (
        "__call__", "_backend", "_function", "_looked", "_origin", "_recording", "_repeated",
        "_replay", "_wrt",
    )  # fmt: skip

    def __init__(
        self,
        what: Node | Callable[..., Any],
        inputs: Sequence[Any] | None,
        wrt: Sequence[Any] | None,
        backend: str | None,
    ) -> None:
        for name, leaves in (("inputs", inputs), ("wrt", wrt)):
            if leaves is not None and not isinstance(leaves, list | tuple):
                kind = type(leaves).__name__
                raise TypeError(f"replay: {name} is a {kind}; give a list, as in replay(f, [x])")
        self._function = None if isinstance(what, Node) else what
        self._origin = Origin(self._again, self._look)
        self._backend = backend
        if isinstance(what, Node):
            recording = at_hand(what, inputs)
        elif not callable(what):
            raise TypeError(f"replay: expected a node or a function, got {type(what).__name__}")
        elif inputs is None:
            raise TypeError("replay: a function needs inputs to be recorded with: replay(f, [x])")
        else:
            recording = record(what, inputs)
        self._wrt = _places(wrt, recording if inputs is None else inputs, recording)
        self._begin(recording)

    def _begin(self, recording: Recording) -> None:
        self._recording, self._repeated = recording, False
        origin = None if self._function is None else self._origin
        self._replay = self._replay_of(recording, self._backend, origin)
        self.__call__ = self._replay.run if self._function is None else self._first

    def _replay_of(self, recording: Recording, backend: str | None, origin: Origin | None) -> Any:
        kind: Any = ValueReplay
        if not isinstance(recording.root, Value):
            from tinygrad_edu.replay.tensor_replay import TensorReplay

            kind = TensorReplay
        return kind(recording, self._leaves(recording), backend, origin)

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
        return _leaves_at(self._wrt, recording)

    def _first(self, *inputs: Any) -> Any:
        """There is a look at the first call, and at the first with other inputs than those it was
        recorded with; the later ones are counted by what is called."""
        replay, self._looked = self._replay, False
        results = replay.run(*inputs)
        if replay is not self._replay:  # it was recorded again, with these inputs
            return results
        same = replay.is_recorded_with(replay.point(inputs))
        if not (same and self._repeated):  # the same inputs again find random numbers
            if not self._looked:
                self._look(results, *inputs)
            self._repeated = True
            if not same:
                self.__call__ = replay.run
        return results

    def _look(self, results: Any, *inputs: Any) -> None:
        """Compare the value and gradients of a replay, over columns those of one point, with the
        function itself, so that what it computes outside the graph is an error and not a wrong
        number."""
        assert self._function is not None
        replay = self._replay
        point, results = replay.at_one_point(inputs, results)
        fresh = record(self._function, point, self._recording)

        def is_the_same() -> bool:
            backend = "python" if isinstance(fresh.root, Value) else None
            return same_program(replay.program, self._replay_of(fresh, backend, None).program)

        check_same(fresh.root, self._leaves(fresh), results, is_the_same)
        self._looked = True

    @property
    def source(self) -> str:
        """The program as a function: Python for a graph of Values, NumPy for one of Tensors."""
        return self.text("python" if isinstance(self._replay, ValueReplay) else "numpy")

    def text(self, language: str) -> str:
        """The program in "python", "numpy", "javascript", "latex" or "mathml".

        ValueError for a language that cannot say it: only NumPy has arrays.
        """
        return source(self._replay.program, self._replay.arguments, "program", language)

    def __repr__(self) -> str:
        source = self.source.splitlines()
        lines = [x if len(x) <= SHOWN_WIDTH else x[: SHOWN_WIDTH - 1] + "…" for x in source]
        cut = [f"    … {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
        return "\n".join(["replay of", *lines[:SHOWN_LINES], *cut])


def _places(wrt: Sequence[Any] | None, given: Any, recording: Recording) -> list[Any]:
    """What to differentiate by: the place of an input among all of them, one by one, and the leaf
    itself where it is not an input; lists of those where lists were asked for."""
    inputs = recording.inputs
    count = itertools.count()
    places = shaped(inputs, lambda x: next(count))
    if wrt is None:
        return [
            i for i, x in zip(places, inputs, strict=True) if isinstance(x, Node | list | tuple)
        ]
    given = inputs if given is recording else list(given)
    singles = zip(flattened(given), flattened(places), strict=True)
    place_of = {id(x): i for x, i in singles if isinstance(x, Node)}

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, Node) or leaf.operands:
            raise TypeError(f"replay: wrt has {leaf!r}, which is not a leaf")
        return place_of.get(id(leaf), leaf)

    chosen: list[Any] = []
    for x in wrt:
        same = [i for i, y in zip(places, given, strict=True) if _same_leaves(x, y)]
        if len(same) > 1:
            raise ValueError(f"replay: wrt has {x!r}, which is several inputs; give leaves instead")
        chosen += same or shaped([x], place)
    for leaf in flattened(_leaves_at(chosen, recording)):
        if not isinstance(leaf, Node):
            raise TypeError("replay: wrt has a plain array, which is not a leaf")
    return chosen


def _leaves_at(places: Sequence[Any], recording: Recording) -> list[Any]:
    """The leaves at these places of a recording."""
    leaves = flattened(recording.inputs)
    return shaped(places, lambda x: leaves[x] if type(x) is int else x)


def _same_leaves(x: Any, y: Any) -> bool:
    if isinstance(x, list | tuple) and isinstance(y, list | tuple):
        return len(x) == len(y) and all(a is b for a, b in zip(x, y, strict=True))
    return x is y
