"""Calculus over functions: from f, the functions that give its derivatives.

They hold no formula of their own, only the graph's reverse sweep and `gradients`; so they work for
every rule and nest to any order. A function is differentiated by its arguments and nothing else:
for each it gets a fresh node; other nodes that it uses, outer variables included, stay constant.

What goes in decides what comes out:

- f gets a Value for a number and a Tensor for an array or nested lists. The two do not mix, so a
  number becomes a Tensor of shape () where another argument is an array or a Tensor.
- Results are plain where everything is plain: arrays, and floats for what has no axes.
- Results are nodes, to be differentiated again, where an argument by which f is differentiated is
  a node, or where f used nodes that were there before, such as an outer variable or the parameters
  of a model. Inside of `no_grad` they are leaves, like those of any operation.
- In pictures, what was made on the way is a module such as `grad(f)`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from tinygrad_edu.engine import contexts, observers
from tinygrad_edu.engine.graph import Node, gradients, leaves_and_inner, sweep
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.constants import as_plain

Function = Callable[..., Any]
Argnums = int | Sequence[int]
Derive = Callable[["_Run"], Any]


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the gradient of f, of the shape of the argument.

    `argnums` is the position of that argument, or a tuple of positions for a tuple of gradients;
    keywords go to f. The result of f is a node, else TypeError, with one element, else ValueError.
    The gradient by something that f does not depend on is 0.
    """
    return _function("grad", f, argnums, lambda run: run.gradient())


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the pair of f's value and its gradient, from one call of f.

    Arguments and errors as for `grad`.
    """
    return _function("value_and_grad", f, argnums, lambda run: (run.value(), run.gradient()))


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives every ∂f/∂x, of shape f(x).shape + x.shape.

    One reverse sweep for each element of f(x). `argnums` as for `grad`. If f returns a list or a
    tuple of nodes, the answer is one of the same form, with a Jacobian for each.
    """
    return _function("jacobian", f, argnums, lambda run: run.jacobian())


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the second derivatives of f, of shape x.shape + x.shape.

    The Jacobian of the gradient. For a tuple of `argnums`, a tuple of rows, each a tuple: entry
    [i][j] is the derivative by argument i and then by argument j. Errors as for `grad`.
    """
    gradient = _function("hessian", f, argnums, lambda run: run.gradient())
    gradient.__name__ = _name(f)
    return _function("hessian", gradient, argnums, lambda run: run.jacobian())


def vjp(f: Function, /, *primals: Any, **settings: Any) -> tuple[Any, Function]:
    """f(*primals), and its pullback: from g, of the shape of the value, Σ g ∂f/∂x for each primal.

    The pullback returns a tuple and can be called again and again; ValueError for a g of another
    shape. Keywords go to f.
    """

    def derive(run: _Run) -> tuple[Any, Function]:
        out = run.node(run.out)

        def pullback(g: Any, /) -> Any:
            seed = _vector(f"{run.where}: the adjoint", g, out, "the result")
            if run.plain and not isinstance(g, Node):
                return _plain(run.pull(out, seed))
            return _recorded("pullback", f, lambda _: gradients(out, *run.xs, gradient=seed))

        return run.value(), pullback

    value, pullback = _call("vjp", f, range(len(primals)), primals, settings, derive)
    return value, pullback


def jvp(f: Function, primals: Any, tangents: Any, **settings: Any) -> tuple[Any, Any]:
    """f(*primals), and Σ ∂f/∂x t over primals x and their tangents t, of the shape of the value.

    Both arguments are tuples; a tangent has the shape of its primal, else ValueError. Keywords go
    to f. There is no second table of formulas for the forward direction: the pullback of f is
    linear in its adjoint u, so the derivative of <pullback(u), t> by u, at any u, is what we want
    (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    """

    def derive(run: _Run) -> tuple[Any, Any]:
        out = run.node(run.out)
        u = type(out)(_ones(out))
        pulled = _inner_product(gradients(out, *run.xs, gradient=u), run.vectors)
        (tangent,) = gradients(pulled, u)
        return run.value(), run.result(tangent)

    value, tangent = _call("jvp", f, None, primals, settings, derive, tangents)
    return value, tangent


def hvp(f: Function, primals: Any, vectors: Any, **settings: Any) -> Any:
    """The Hessian of f times vectors, one result per primal, without making the Hessian.

    The gradient of <gradient of f, vectors>. Both arguments are tuples; a vector has the shape of
    its primal, else ValueError. Keywords go to f, whose result has one element.
    """

    def derive(run: _Run) -> Any:
        slope = _inner_product(gradients(run.one_element(), *run.xs), run.vectors)
        return run.result(run.pull(slope, _ones(slope)))

    return _call("hvp", f, None, primals, settings, derive, vectors)


@dataclass(frozen=True)
class _Run:
    """What one call of f gave."""

    where: str  # how a message starts: "grad of loss"
    xs: tuple[Any, ...]  # the fresh nodes that f got
    vectors: list[Any]  # for each of them its tangent, if there are any: a node or data
    out: Any  # what f returned
    plain: bool  # are results plain? Then no node of `out` depends on one from before the call
    single: bool  # is the answer one derivative, or a tuple of them?

    def value(self) -> Any:
        return self.result(self.node(self.out))

    def gradient(self) -> Any:
        out = self.one_element()
        return self.answer(self.pull(out, _ones(out)))

    def jacobian(self) -> Any:
        def of_one(y: Any) -> Any:
            rows = [self.pull(y, g) for g in _basis(self.node(y))]
            columns = ([row[i] for row in rows] for i in range(len(self.xs)))
            found = zip(self.xs, columns, strict=True)
            return self.answer(tuple(self.joined(y, x, column) for x, column in found))

        return _each(of_one, self.out)

    def pull(self, out: Any, g: Any) -> tuple[Any, ...]:
        """The adjoints of the arguments, from the adjoint g of `out`: data if plain, else nodes."""
        if not self.plain:
            return gradients(out, *self.xs, gradient=g)
        adjoints = sweep(
            out, float(g) if isinstance(out, Value) else g, operator.attrgetter("pullback")
        )
        return tuple(adjoints[x] if x in adjoints else x._zero() for x in self.xs)

    def joined(self, y: Any, x: Any, rows: list[Any]) -> Any:
        """The derivatives of the elements of y by x in one, of shape y.shape + x.shape."""
        if isinstance(y, Value):
            return rows[0]
        import numpy as np

        from tinygrad_edu.rules import stack

        if self.plain or not rows:
            joined = np.array(rows, x.dtype).reshape(y.shape + x.shape)
            return joined if self.plain else type(x)(joined)
        return stack(rows).reshape(y.shape + x.shape)

    def answer(self, found: tuple[Any, ...]) -> Any:
        """What the user gets, of one derivative for each argument."""
        return self.result(found[0] if self.single else found)

    def result(self, x: Any) -> Any:
        return _plain(x) if self.plain else x

    def one_element(self) -> Any:
        out = self.node(self.out)
        if getattr(out, "size", 1) != 1:
            raise ValueError(
                f"{self.where}: the function returned shape {out.shape}, and a gradient is that of "
                "one number; reduce it, as with .sum(), or use jacobian"
            )
        return out

    def node(self, out: Any) -> Any:
        """What f returned, if it is a node that can depend on the arguments; TypeError if not."""
        if not isinstance(out, Node):
            raise TypeError(
                f"{self.where}: the function returned {type(out).__name__}, not one node, so it "
                "does not depend on its argument, or lost it by .data, float() or math"
            )
        for x in self.xs:
            if type(x) is not type(out):
                raise TypeError(
                    f"{self.where}: the function got a {type(x).__name__} and returned a "
                    f"{type(out).__name__}, which do not mix; if f works with Tensors, give a "
                    "number as an array, np.array(2.0)"
                )
        return out


# --- calling f -----------------------------------------------------------------------------------


def _function(name: str, f: Function, argnums: Argnums, derive: Derive) -> Function:
    """The function of f's arguments that calls f and derives the answer."""
    single = not isinstance(argnums, tuple | list)
    positions: Any = (argnums,) if single else argnums
    wrong = [i for i in positions if type(i) is bool or not isinstance(i, Integral)]
    if wrong or not positions:
        raise TypeError(
            f"{name}: argnums is {escaped(repr(argnums))}; it is a position, such as 0, or a tuple "
            f"of them, and arguments of f come in a second call, as in {name}(f)(3.0)"
        )
    title = f"{name}({_name(f, name)})"  # checks f, too

    @functools.wraps(f, assigned=(), updated=())  # for the signature
    def derivative(*arguments: Any, **settings: Any) -> Any:
        return _call(name, f, positions, arguments, settings, derive, single=single)

    derivative.__name__ = derivative.__qualname__ = title
    return derivative


def _call(
    name: str,
    f: Function,
    positions: Sequence[int] | None,
    arguments: tuple[Any, ...],
    settings: dict[str, Any],
    derive: Derive,
    vectors: Any = (),
    single: bool = False,
) -> Any:
    """Derive from a call of f with fresh nodes at these positions; None: at all, with vectors."""
    where = f"{name} of {_name(f, name)}"
    if positions is None:
        if not isinstance(arguments, tuple) or not isinstance(vectors, tuple):
            given = f"not {type(arguments).__name__} and {type(vectors).__name__}"
            raise TypeError(f"{where}: give two tuples, as in {name}(f, (x, y), (u, v)), {given}")
        if len(vectors) != len(arguments):
            raise ValueError(f"{where}: got {len(vectors)} vectors for {len(arguments)} primals")

    def call(made: contexts.Group) -> Any:
        n = len(arguments)
        chosen = _from_the_front(where, range(n) if positions is None else positions, n)
        xs = _fresh_nodes(where, arguments, settings, chosen)
        names = (f"{where}: the one of primal {i}" for i in chosen)
        vs = [_vector(*t, "the primal") for t in zip(names, vectors, xs, strict=False)]
        given = list(arguments)
        for i, x in zip(chosen, xs, strict=True):
            given[i] = x
        try:
            out = f(*given, **settings)
        except TypeError as error:
            if "do not mix" in str(error) and any(isinstance(x, Value) for x in xs):
                error.add_note(f"{where}: it got a Value for a number; for a Tensor, give an array")
            raise
        around = (*(arguments[i] for i in chosen), *vectors)
        plain = not any(isinstance(x, Node) for x in around) and _is_of(made, out)
        return derive(_Run(where, xs, vs, out, plain, single))

    return _recorded(name, f, call)


def _recorded(name: str, f: Function, call: Callable[[contexts.Group], Any]) -> Any:
    """Call with recording on, in a group; of a `no_grad` block, results are leaves.

    The group lies in the user's, if there is one: what is made on the way from one node of a group
    to another belongs to it, or the group could not be folded.
    """
    group = contexts.group(f"{name}({_name(f)})")
    if not observers.active or (Value(0.0) * 1.0).operands:
        with group as made:
            return call(made)
    with contexts.outside_of_blocks(), group as made:
        result = call(made)
    return _each(lambda x: x.detach() if isinstance(x, Node) else x, result)


def _is_of(group: contexts.Group, out: Any) -> bool:
    """Whether everything that `out` depends on was made in the group."""
    if isinstance(out, list | tuple):
        return all(_is_of(group, part) for part in out)
    leaves = leaves_and_inner(out)[0] if isinstance(out, Node) else []
    return all(leaf.group is not None and group in leaf.group.chain() for leaf in leaves)


# --- what goes in,


def _from_the_front(where: str, positions: Sequence[int], n: int) -> list[int]:
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


def _fresh_nodes(
    where: str, arguments: tuple[Any, ...], settings: dict[str, Any], positions: Sequence[int]
) -> tuple[Any, ...]:
    """Nodes that stand for the arguments at these positions and occur nowhere else."""
    chosen = [_checked(f"{where}: argument {i}", arguments[i]) for i in positions]
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


def _checked(where: str, x: Any) -> Any:
    """A node, a plain number or a plain array; TypeError for anything else."""
    if isinstance(x, list | tuple) and any(isinstance(part, Node) for part in x):
        cure = "give each as an argument of its own, as in grad(lambda *xs: f(xs), (0, 1))(*xs)"
        raise TypeError(f"{where} is a {type(x).__name__} of nodes; {cure}")
    return x if isinstance(x, Node) else as_plain(x, where)


def _vector(where: str, v: Any, like: Any, of: str) -> Any:
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


def _name(f: Any, where: str = "") -> str:
    """The name of a function; TypeError if it is none."""
    if not callable(f):
        raise TypeError(f"{where}: expected a function first, got a {type(f).__name__}")
    return escaped(getattr(f, "__name__", type(f).__name__))


def _basis(y: Any) -> Iterator[Any]:
    """The adjoints that ask for one element of y each."""
    if isinstance(y, Value):
        yield 1.0
        return
    for place in range(y.size):
        one = y._zero()
        one.flat[place] = 1.0
        yield one


def _ones(node: Any) -> Any:
    """An adjoint of 1 for every element of a node, as data."""
    return 1.0 if isinstance(node, Value) else node._zero() + node.dtype.type(1)


def _as_data(v: Any, like: Any) -> Any:
    """Plain numbers as an array of the dtype of a Tensor."""
    data = like._zero()
    data[...] = v
    return data


def _inner_product(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    """Σ x y over all elements of all pairs of a node and a node or data."""
    products = (x * y for x, y in zip(xs, ys, strict=True))
    sums = (p if isinstance(p, Value) else p.sum() for p in products)
    return functools.reduce(operator.add, sums)


def _plain(x: Any) -> Any:
    """Nodes and data as arrays of their own, and as floats where there are no axes."""
    if isinstance(x, list | tuple):
        return _each(_plain, x)
    data = x.data if isinstance(x, Node) else x
    if not hasattr(data, "dtype"):
        return data
    return data.copy() if data.ndim else data.item()


def _each(function: Callable[[Any], Any], x: Any) -> Any:
    """The function of x, or of every entry of lists and tuples in the same form."""
    if isinstance(x, list | tuple):
        parts = [_each(function, part) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    return function(x)
