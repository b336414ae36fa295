"""Replay of graphs of Tensors: calls of NumPy into buffers that are allocated once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.programs.simplify import simplified
from tinygrad_edu.programs.trace import in_order, trace_graph
from tinygrad_edu.replay.buffers import Emitter, result_at, warnings_of
from tinygrad_edu.replay.input_lists import Leaves, flattened, shaped
from tinygrad_edu.replay.recording import Recording
from tinygrad_edu.replay.staleness import Counted, Origin
from tinygrad_edu.rules.constants import as_plain


class TensorReplay:
    """The program of a graph of Tensors as a function, `run`, of arrays."""

    def __init__(
        self, recording: Recording, wrt: Leaves, backend: str | None, origin: Origin | None
    ) -> None:
        if backend not in (None, "numpy"):
            raise ValueError(
                f'replay: backend is {backend!r}; a graph of Tensors is replayed with "numpy"'
            )
        root, inputs = recording.root, recording.inputs
        self.inputs = inputs
        seed = root._seed(None) if wrt else np.ones(root.shape, root.dtype)
        self.wrt, self.counted = wrt, Counted(origin)
        self.again = origin.again if origin else None
        traced = trace_graph(root, flattened(inputs), flattened(wrt), (), recording.comparisons)
        self.program = simplified(traced, seed)
        program = simplified(traced, seed, fast=True)
        symbols = dict(zip(map(id, flattened(inputs)), program.inputs, strict=True))
        self.arguments = shaped(inputs, lambda x: symbols[id(x)])
        given: dict[Any, Any] = dict(program.constants)
        given |= {x: np.empty(x.shape, x.dtype) for x in (*program.inputs, *program.others)}  # type: ignore[attr-defined]
        self.buffers = [given[x] for x in program.inputs]
        self.others = [(given[x], node) for x, node in program.others.items()]
        order = in_order(program, program.outputs)
        self.warnings = warnings_of(order)
        emitter = Emitter(order, program.outputs, given)
        self.compute = emitter.function()
        self.results = [emitter.value(x) for x in (program.value, *program.gradients)]
        self.lock = threading.Lock()
        self.guards = [(emitter.value(x), expected) for x, expected in program.guards]

    def run(self, *arguments: Any) -> Any:
        """`value, gradients` for new inputs: arrays of their own, and a float for the shape ()."""
        if len(arguments) != len(self.arguments):
            raise TypeError(
                f"replay: {len(self.arguments)} inputs were recorded, not {len(arguments)}"
            )
        pairs = list(zip(arguments, self.arguments, strict=True))
        arrays = [y for x, like in pairs for y in (x if isinstance(like, list) else [x])]
        try:
            likes = self.program.inputs
            arrays = [checked_array(x, like) for x, like in zip(arrays, likes, strict=True)]
        except (TypeError, ValueError):
            if self.again is None:
                raise
            return self.again(
                [x if isinstance(like, list) else as_plain(x, "replay: an input")
                 for x, like in pairs]
            )  # fmt: skip
        with self.lock:  # one thread at a time in the buffers
            for buffer, array in zip(self.buffers, arrays, strict=True):
                np.copyto(buffer, array)
            for buffer, node in self.others:
                np.copyto(buffer, checked_array(node.data, buffer, node.label))
            with self.warnings():
                variables = self.compute()
            on_another_branch = changed(self.guards, variables)
            value, *gradients = [np.array(result_at(x, variables)) for x in self.results]
        if on_another_branch:
            assert self.again is not None
            return self.again(arguments)
        rest = iter(gradients)
        results = (
            (value if value.ndim else value.item()),
            tuple(shaped(self.wrt, lambda x: next(rest))),
        )
        return self.counted.after(results, arguments)

    def point(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """The arguments as they are: a graph of Tensors is replayed for all of them at once."""
        return arguments

    def at_one_point(self, arguments: Sequence[Any], results: Any) -> tuple[Sequence[Any], Any]:
        """The arguments, and what the replay gave for them."""
        return arguments, results

    def is_recorded_with(self, point: Sequence[Any]) -> bool:
        """Whether these are the arrays with which the graph was recorded."""
        recorded = (x.data if isinstance(x, Node) else x for x in flattened(self.inputs))
        return all(map(np.array_equal, flattened(point), recorded))


def changed(guards: Sequence[tuple[Any, Any]], variables: Mapping[str, Any]) -> bool:
    """Whether a comparison gives another result than when the graph was recorded."""
    return any(
        not np.array_equal(result_at(place, variables), expected) for place, expected in guards
    )


def checked_array(x: Any, like: Any, label: str = "") -> Any:
    """An array that fits what was recorded. ValueError for another shape, TypeError for another
    dtype, a node, or anything that is not an array of real numbers."""
    name = label or getattr(like, "name", "an input")
    if isinstance(x, Node):
        raise TypeError(f"replay: {name} is a {type(x).__name__}; give plain arrays (.data)")
    array = as_plain(x, f"replay: {name}")
    if not isinstance(array, np.ndarray):
        array = np.asarray(array, like.dtype)
    if array.shape != like.shape:
        raise ValueError(
            f"replay: {name} has shape {array.shape}, but {like.shape} was recorded; "
            "record a graph of that shape"
        )
    if array.dtype != like.dtype:
        whole = array.dtype.kind in "iub" and like.dtype.kind in "iuf"
        if not whole:
            raise TypeError(
                f"replay: {name} is of dtype {array.dtype}, but {like.dtype} was recorded; "
                f"use astype, or record a graph of that dtype"
            )
    return array
