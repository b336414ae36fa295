"""Replay: the program behind a graph, written out, and run at full speed.

A recorded graph becomes expressions by running its rules on symbols (`programs/trace.py`). These
are made simpler (`simplify.py`) and become lines with names (`lines.py`), which are written for
readers (`source.py`) or compiled (`generated.py`): graphs of Values to Python
(`number_functions.py`), to calls of NumPy over columns (`columns.py`) or to machine code
(`machine_code.py`), all of them called by `value_replay.py`; graphs of Tensors to calls of NumPy
into buffers (`buffers.py`, `tensor_replay.py`); a whole training step in `training.py` and
`flat_buffers.py`. Graphs of Values are replayed in Python without NumPy.

`import tinygrad_edu` reads this file only; the others, which take a tenth of its time, come with
the first replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.graph import Node

if TYPE_CHECKING:
    from tinygrad_edu.replay.replays import Replay
    from tinygrad_edu.replay.training import TrainingStep

__all__ = ["Replay", "TrainingStep", "replay"]


def __getattr__(name: str) -> Any:
    if name == "Replay":
        from tinygrad_edu.replay.replays import Replay

        return Replay
    if name == "TrainingStep":
        from tinygrad_edu.replay.training import TrainingStep

        return TrainingStep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
    that are not inputs use their current `data` at each call.

    A graph of Values takes numbers; or columns, arrays of one shape, and then gives the value and
    the gradients by columns as columns, and the gradients by numbers as sums over the points.
    `backend` is "python", "numpy" (columns) or "numba", which has to be installed.
    A graph of Tensors takes arrays of the shapes and dtypes that were recorded.

    Comparisons of nodes are watched while a function is recorded; where one comes out differently,
    it is recorded again. What a function computes from `.data`, or reads from a variable, is
    a constant of the recording; calls 1, 2, 4, 8, … compare with the function itself, and raise
    RuntimeError from the first difference on.
    Raises TypeError for nodes that cannot be replayed and inputs of another kind, ValueError for
    other shapes, and the errors of the operations.
    """
    from tinygrad_edu.replay.replays import Replay  # not before it is needed, see above

    return Replay(what, inputs, wrt, backend)
