"""What can be checked: numbers, arrays, Values, Tensors, and arrays of other libraries.

Numbers are handled without NumPy; it is imported only where an array is.
"""

from __future__ import annotations

import inspect
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tinygrad_edu.engine.graph import Node, topological_order
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.constants import as_plain, quiet, short
from tinygrad_edu.view.cards.reading import shape_of

Plain = Any
"""A float, or an array of numbers."""


def check_function(f: Any, what: str) -> None:
    """TypeError unless f can be called."""
    if not callable(f):
        raise TypeError(
            f"{what}: expected a function first, got a {type(f).__name__}; its inputs follow, "
            f"as in {what}(f, x)"
        )


def title_of(f: Any) -> str:
    """What a report calls a function."""
    return str(getattr(f, "__name__", type(f).__name__)).replace("<lambda>", "a function")


def input_names(forward: Callable[..., Any], count: int) -> list[str]:
    """The names of the inputs, as a function calls them."""
    if getattr(forward, "__name__", "") == "__call__":  # of a base class, with *args
        forward = getattr(getattr(forward, "__self__", None), "forward", forward)
    names = [p.name for p in positional_parameters(forward)]
    return (names + [f"input {i}" for i in range(len(names), count)])[:count]


def positional_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that take a positional argument; none where the signature is not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def names_for(
    inputs: Sequence[Any], usual: Sequence[str], names: Sequence[str] | None, what: str
) -> list[str]:
    """What inputs are called: the name given, or else the label of a node, or else the usual."""
    if names is not None and len(names) != len(inputs):
        raise ValueError(f"{what}: {len(names)} names for {len(inputs)} inputs")
    labels = names or [x.label if isinstance(x, Node) else "" for x in inputs]
    return [label or name for label, name in zip(labels, usual, strict=True)]


# --- graphs as functions -------------------------------------------------------------------------


def leaves_of(root: Node) -> list[Node]:
    """The leaves of a graph that have labels; all, if none has one."""
    leaves = [x for x in topological_order(root) if not x.operands]
    return [x for x in leaves if x.label] or leaves


def function_of_graph(root: Node, leaves: Sequence[Node]) -> Callable[..., Any]:
    """What the graph of `root` computes from these leaves, every rule run again.

    The function takes one operand for each leaf, in order: nodes, or what else has `_record`. What
    does not depend on them is a constant. ValueError if the root depends on none of them.
    """
    depending, inner = set(leaves), []
    for node in topological_order(root):
        if node not in depending and any(x in depending for x in node.parents):
            depending.add(node)
            inner.append(node)
    if root not in depending:
        raise ValueError(
            "the result depends on none of the inputs; is it cut off from them by no_grad, detach "
            "or .data?"
        )

    def run(*operands: Any) -> Any:
        made: dict[Node, Any] = dict(zip(leaves, operands, strict=True))
        for node in inner:
            xs = tuple(made.get(x, x.data) if isinstance(x, Node) else x for x in node.operands)
            taker = next(x for x in xs if hasattr(x, "_record"))
            made[node] = taker._record(node.rule, xs, {})
        return made[root]

    return run


# --- numbers and arrays --------------------------------------------------------------------------


def is_foreign(x: Any) -> bool:
    """Whether x is an array of another library, with the methods of PyTorch's."""
    return hasattr(type(x), "new_tensor") and hasattr(type(x), "detach")


def plain(x: Any, what: str) -> Plain:
    """The numbers of x, arrays copy_of_input; TypeError, naming `what`, if it has none."""
    if is_foreign(x):
        x = x.detach().cpu().numpy()
    numbers = as_plain(x.data if isinstance(x, Node) else x, what)
    return numbers.copy() if hasattr(numbers, "dtype") else numbers


def floating(x: Plain) -> Plain:
    """A copy in float64."""
    return x.astype("float64") if hasattr(x, "dtype") else float(x)


def elements_of(x: Plain) -> list[float]:
    """The elements in order."""
    return x.ravel().tolist() if hasattr(x, "dtype") else [x]


def same_numbers(x: Plain, y: Plain) -> bool:
    """Whether two numbers, or two arrays, are equal; nan is equal to nan."""
    if not shape_of(x) and not shape_of(y):
        return bool(x == y or (x != x and y != y))
    import numpy as np

    return bool(np.array_equal(x, y, equal_nan=True))


def all_finite(x: Plain) -> bool:
    """Whether no element is infinite or nan."""
    return all(map(math.isfinite, elements_of(x)))


def largest(x: Plain) -> float:
    """The largest size of a finite element, 0 if there is none."""
    if not shape_of(x):
        return abs(float(x)) if math.isfinite(x) else 0.0
    import numpy as np

    sizes = np.abs(x)
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def precision(*numbers: Plain) -> str:
    """The dtype of the least exact of these: `float32` or `float16` if it is one, else `float64`.

    An array that stands for its dtype alone may be empty.
    """
    dtypes = [x.dtype for x in numbers if hasattr(x, "dtype") and x.dtype.kind == "f"]
    least = min(dtypes, key=lambda dtype: dtype.itemsize, default=None)
    return str(least) if least is not None and least.itemsize < 8 else "float64"


def weights_for(shape: tuple[int, ...], seed: int = 0) -> Plain:
    """The adjoint that a result of this shape is weighed with: 1 for one number, else random
    numbers of both signs, none near 0, the same on every run; another seed gives others."""
    if shape == ():
        return 1.0
    import numpy as np

    if math.prod(shape) == 1:
        return np.ones(shape)
    rng = np.random.default_rng(seed)
    weights = np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))
    if weights.size and abs(weights.sum()) == np.abs(weights).sum():
        weights.flat[-1] *= -1
    return weights


def near(x: Plain) -> Plain:
    """Other numbers, not far from these and of the same signs, the same on every run."""
    if not hasattr(x, "dtype"):
        return 1.37 * x
    import numpy as np

    return x * np.random.default_rng(1).uniform(0.6, 1.4, x.shape)


def moved(x: Plain, index: tuple[int, ...], t: Any) -> Plain:
    """A copy of x with one element moved by t, which may be complex."""
    if not shape_of(x):
        return x + t
    copy = x.astype(complex) if isinstance(t, complex) else x.copy()
    copy[index] += t
    return copy


# --- inputs --------------------------------------------------------------------------------------


def leaf(data: Plain, name: str) -> Any:
    """A node for an input: a Value for a number, a Tensor for an array."""
    if not hasattr(data, "dtype"):
        return Value(data, name)
    from tinygrad_edu.engine.tensor import Tensor

    return Tensor(data, name)


def like(x: Any, data: Plain) -> Any:
    """What holds `data` as x holds its own: a number, an array, a Value, a Tensor, a foreign array.

    The numbers may be complex, where x is a number or an array.
    """
    if isinstance(x, Value):
        return Value(float(data), x.label)
    if isinstance(x, Node):
        return type(x)(data, x.label)
    if not hasattr(x, "dtype"):
        if shape_of(data):
            return data.copy()
        return data.item() if hasattr(data, "dtype") else data
    import numpy as np

    if is_foreign(x):
        array = np.asarray(data)
        kind = x.dtype if array.dtype == plain(x, "").dtype else x.double().dtype
        return x.new_tensor(array, dtype=kind)
    return np.array(data) if isinstance(x, np.ndarray) else np.asarray(data)[()]


def copy_of_input(x: Any, what: str) -> Any:
    """A copy of an input as it was given, dtype and all; lists become arrays."""
    numbers = plain(x, what)
    return like(x, numbers) if hasattr(numbers, "dtype") or isinstance(x, Node) else x


@contextmanager
def undisturbed() -> Iterator[None]:
    """A block, or a function, after which the global random generators stand where they stood."""
    ours, numpy = random.getstate(), sys.modules.get("numpy")
    theirs = numpy and numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(ours)
        if numpy:
            numpy.random.set_state(theirs)


@contextmanager
def quietly() -> Iterator[None]:
    """A block without warnings: for a function that is called again and again, a little beside
    the inputs, after it was called once at the inputs, where its warnings were heard."""
    numpy = sys.modules.get("numpy")
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if numpy:
            warnings.simplefilter("error", numpy.exceptions.ComplexWarning)  # of the complex step
        yield


def check_repeats(what: str, result: Callable[[], Plain], cure: str = "") -> None:
    """ValueError if the same inputs give two results."""
    first, second = result(), result()
    if not same_numbers(first, second):
        raise ValueError(
            f"{what}: the same inputs gave two results, {short(first)} and {short(second)}; a "
            "function that draws random numbers, or keeps a state, has to start the same way at "
            f"every call{cure}"
        )
