"""Recording: what a replay starts from, a graph at hand or a function that makes one."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_edu.engine.contexts import outside_of_blocks, watched
from tinygrad_edu.engine.graph import Node, leaves_and_inner, sweep
from tinygrad_edu.engine.observers import was_compared
from tinygrad_edu.engine.value import Value
from tinygrad_edu.replay.input_lists import Leaves, flattened, shaped
from tinygrad_edu.rules.constants import as_plain


@dataclass
class Recording:
    """A graph: its root, its inputs (leaves, or plain arrays that operations were given), and the
    comparisons of nodes on which the way through the function depended."""

    root: Any
    inputs: list[Any]
    comparisons: list[tuple[str, tuple[Any, Any], Any]] = field(default_factory=list)


class BranchChanged(Exception):  # noqa: N818 (it is handled, and no error)
    """A comparison of nodes comes out differently than it did when the function was recorded."""


def record(
    function: Callable[..., Any], inputs: Sequence[Any], before: Recording | None = None
) -> Recording:
    """Call a function with a leaf for each input, and watch what it compares.

    A leaf, or a list of leaves, is handed on as it is. A number becomes a Value, an array of floats
    a Tensor; whole numbers and truths stay plain arrays, as labels and indices are. Leaves keep the
    labels that they had in the recording `before`. TypeError if the result is not a node, or
    depends on nodes that were made and compared before.
    """
    with outside_of_blocks(), watched() as watch:
        leaves = shaped(inputs, _new_leaf)
        for leaf, name in zip(leaves, _parameter_names(function), strict=False):
            if isinstance(leaf, Node) and not leaf.label:
                leaf.label = name
        for leaf, old in zip(
            flattened(leaves), flattened(before.inputs if before else []), strict=False
        ):
            if isinstance(leaf, Node) and isinstance(old, Node):
                leaf.label = old.label
        root = function(*leaves)
    if not isinstance(root, Node):
        raise TypeError(f"replay: the function returned {type(root).__name__}, not a node")
    for node in leaves_and_inner(root)[1]:  # operands first: what all of them depend on is seen
        if node not in watch.nodes and any(map(was_compared, (node, *node.parents))):
            raise TypeError(
                f"replay: the function uses {node!r}, which was made before, from nodes that were "
                "compared; make it inside the function, so that its comparisons are watched"
            )
    recording = Recording(root, leaves, watch.comparisons)
    check_used(recording)
    return recording


def at_hand(root: Node, inputs: Sequence[Any] | None) -> Recording:
    """The recording of a graph that is there already; all leaves are inputs unless they are given.

    TypeError if a comparison was made with a node on which the root depends, because what was done
    then cannot be known.
    """
    leaves, inner = leaves_and_inner(root)
    if root.rule is None:
        raise TypeError(f"replay: {root!r} is a leaf; there is nothing to replay")
    for node in (*inner, *leaves):
        if was_compared(node):
            what = f"{node.label!r}" if node.label else repr(node)
            raise TypeError(
                f"replay: {what}, or what was made of it, was compared (<, ==, ...), and the "
                "graph may be one of several branches; replay the function that makes it, as in "
                "replay(f, [x]), so that comparisons are watched"
            )
    recording = Recording(root, list(leaves if inputs is None else inputs))
    seen = set()
    for x in flattened(recording.inputs):
        is_leaf = isinstance(x, type(root)) and not x.operands
        if not is_leaf and (isinstance(x, Node) or not hasattr(x, "dtype")):
            raise TypeError(f"replay: input {x!r} is not a {type(root).__name__} that is a leaf")
        if id(x) in seen:
            raise ValueError(f"replay: input {x!r} was given twice")
        seen.add(id(x))
    check_used(recording)
    return recording


def _new_leaf(x: Any) -> Any:
    if isinstance(x, Node):
        if x.operands:
            raise TypeError(f"replay: input {x!r} is not a leaf")
        return x.detach()
    plain = as_plain(x, "replay: an input")
    if not hasattr(plain, "dtype"):
        return Value(plain)
    from tinygrad_edu.engine.tensor import Tensor
    from tinygrad_edu.rules.array_constants import unchanging

    if plain.dtype.kind == "f":
        return Tensor(plain)
    plain = unchanging(plain)
    plain.flags.writeable = False
    return plain


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # such as some functions that are written in C
        return []


def eager(root: Any, wrt: Leaves) -> tuple[Any, tuple[Any, ...]]:
    """The value and the gradients that a graph gives by itself."""
    adjoints = sweep(root, root._seed(None), operator.attrgetter("pullback")) if wrt else {}
    gradients = shaped(wrt, lambda x: adjoints.get(x, x._zero()))
    if isinstance(root, Value):
        array = array_function()
        return root.data, tuple([array(x, float) if isinstance(x, list) else x for x in gradients])
    value = root.data.copy()
    return (value if value.ndim else value.item()), tuple(
        [y.copy() for y in x] if isinstance(x, list) else x.copy() for x in gradients
    )


def array_function() -> Callable[..., Any]:
    """What makes the gradient by a list of leaves: an array, or a list if there is no NumPy."""
    try:
        from numpy import array
    except ImportError:
        return lambda numbers, kind: numbers
    return array


def check_used(recording: Recording) -> None:
    """TypeError for a plain input that no operation was given, because it cannot be replaced."""
    plain = [
        (i, x)
        for i, x in enumerate(flattened(recording.inputs), start=1)
        if not isinstance(x, Node)
    ]
    if not plain:
        return
    used = set()
    for node in leaves_and_inner(recording.root)[1]:
        used |= {id(x) for x in node.operands}
        settings = getattr(node.rule, "keywords", {})
        for x in settings.values():
            used |= {id(part) for part in (x if isinstance(x, tuple) else (x,))}
    for i, x in plain:
        if id(x) not in used:
            raise TypeError(
                f"replay: input {i}, a plain array of shape {x.shape}, is in no operation as "
                "it was given; hand it to operations unchanged, or give a Tensor"
            )
