"""Arguments as nodes, and answers as plain numbers and arrays again."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.constants import as_plain


def from_the_front(where: str, positions: Sequence[int], n: int) -> list[int]:
    """The positions, none negative; ValueError if there is no such argument, or one twice."""
    for i in positions or [0]:
        if not -n <= i < n:
            raise ValueError(
                f"{where}: there is no argument {i}, as {n} were given by position; argnums counts "
                "from 0, and keywords are passed on as they are"
            )
    chosen = [operator.index(i) % n for i in positions]
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"{where}: argnums {tuple(positions)} names an argument twice")
    return chosen


def fresh_nodes(
    where: str, arguments: tuple[Any, ...], settings: dict[str, Any], positions: Sequence[int]
) -> tuple[Any, ...]:
    """Nodes that stand for the arguments at these positions and occur nowhere else."""
    chosen = [_checked_argument(f"{where}: argument {i}", arguments[i]) for i in positions]
    around = (*chosen, *arguments, *settings.values())
    arrays = [x for x in around if hasattr(x, "dtype") and hasattr(x, "__len__")]
    as_tensors = arrays and not any(isinstance(x, Value) for x in around)

    def fresh(x: Any) -> Any:
        if isinstance(x, Node):
            node: Any = x
            y = node * 1.0  # the same to the bit, -0 and nan too, with the way back to x
            y.label = node.label
            return y
        return _tensor(x, arrays) if as_tensors or hasattr(x, "dtype") else Value(x)

    return tuple(fresh(x) for x in chosen)


def _tensor(x: Any, arrays: list[Any]) -> Any:
    """A Tensor of an argument; a number gets the dtype of the arrays."""
    import numpy as np

    from tinygrad_edu.engine.tensor import Tensor

    floating = [] if hasattr(x, "dtype") else [a.dtype for a in arrays if a.dtype.kind == "f"]
    return Tensor(x, dtype=np.result_type(*floating) if floating else None)


def _checked_argument(where: str, x: Any) -> Any:
    """A node, a plain number or a plain array; TypeError for anything else."""
    if isinstance(x, list | tuple) and any(isinstance(part, Node) for part in x):
        cure = "give each as an argument of its own, as in grad(lambda *xs: f(xs), (0, 1))(*xs)"
        raise TypeError(f"{where} is a {type(x).__name__} of nodes; {cure}")
    return x if isinstance(x, Node) else as_plain(x, where)


def vector(where: str, v: Any, like: Any, of: str) -> Any:
    """An adjoint or a tangent for the node `like`: a node of its kind, or data of its dtype."""
    if not isinstance(v, Node):
        v = as_plain(v, where)
    elif type(v) is not type(like):
        kinds = type(v).__name__, type(like).__name__
        raise TypeError(f"{where} is a {kinds[0]} and {of} a {kinds[1]}; the two do not mix")
    here, there = (getattr(x, "shape", ()) for x in (v, like))
    if here != there:
        raise ValueError(f"{where} has shape {here}, and {of} {there}; they must be equal")
    if isinstance(v, Node):
        return v
    return float(v) if isinstance(like, Value) else _as_data(v, like)


def name_of_function(f: Any, where: str = "") -> str:
    """The name of a function; TypeError if it is none."""
    if not callable(f):
        raise TypeError(f"{where}: expected a function first, got a {type(f).__name__}")
    return escaped(getattr(f, "__name__", type(f).__name__))


def basis(y: Any) -> Iterator[Any]:
    """The adjoints that ask for one element of y each."""
    if isinstance(y, Value):
        yield 1.0
        return
    for place in range(y.size):
        one = y._zero()
        one.flat[place] = 1.0
        yield one


def ones(node: Any) -> Any:
    """An adjoint of 1 for every element of a node, as data."""
    return 1.0 if isinstance(node, Value) else node._zero() + node.dtype.type(1)


def _as_data(v: Any, like: Any) -> Any:
    """Plain numbers as an array of the dtype of a Tensor."""
    data = like._zero()
    data[...] = v
    return data


def inner_product(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    """Σ x y over all elements of all pairs of a node and a node or data."""
    products = (x * y for x, y in zip(xs, ys, strict=True))
    sums = (p if isinstance(p, Value) else p.sum() for p in products)
    return functools.reduce(operator.add, sums)


def as_answer(x: Any) -> Any:
    """Nodes and data as arrays of their own, and as floats where there are no axes."""
    if isinstance(x, list | tuple):
        return each(as_answer, x)
    data = x.data if isinstance(x, Node) else x
    if not hasattr(data, "dtype"):
        return data
    return data.copy() if data.ndim else data.item()


def each(function: Callable[[Any], Any], x: Any) -> Any:
    """The function of x, or of every entry of lists and tuples in the same form."""
    if isinstance(x, list | tuple):
        parts = [each(function, part) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    return function(x)
