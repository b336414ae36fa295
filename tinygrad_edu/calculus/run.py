"""One call of a function, and the derivatives that follow from it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from tinygrad_edu.calculus.primals import (
    as_answer,
    basis,
    each,
    fresh_nodes,
    from_the_front,
    name_of_function,
    ones,
    vector,
)
from tinygrad_edu.engine import contexts, observers
from tinygrad_edu.engine.graph import Node, gradients, leaves_and_inner, sweep
from tinygrad_edu.engine.names import escaped
from tinygrad_edu.engine.value import Value

Function = Callable[..., Any]
Argnums = int | Sequence[int]
Derive = Callable[["Run"], Any]


@dataclass(frozen=True)
class Run:
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
        return self.answer(self.pull(out, ones(out)))

    def jacobian(self) -> Any:
        def of_one(y: Any) -> Any:
            rows = [self.pull(y, g) for g in basis(self.node(y))]
            columns = ([row[i] for row in rows] for i in range(len(self.xs)))
            found = zip(self.xs, columns, strict=True)
            return self.answer(tuple(self.joined(y, x, column) for x, column in found))

        return each(of_one, self.out)

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
        return as_answer(x) if self.plain else x

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


def derivative_of(name: str, f: Function, argnums: Argnums, derive: Derive) -> Function:
    """The function of f's arguments that calls f and derives the answer."""
    single = not isinstance(argnums, tuple | list)
    positions: Any = (argnums,) if single else argnums
    wrong = [i for i in positions if type(i) is bool or not isinstance(i, Integral)]
    if wrong or not positions:
        raise TypeError(
            f"{name}: argnums is {escaped(repr(argnums))}; it is a position, such as 0, or a tuple "
            f"of them, and arguments of f come in a second call, as in {name}(f)(3.0)"
        )
    title = f"{name}({name_of_function(f, name)})"  # checks f, too

    @functools.wraps(f, assigned=(), updated=())  # for the signature
    def derivative(*arguments: Any, **settings: Any) -> Any:
        return derive_from_call(name, f, positions, arguments, settings, derive, single=single)

    derivative.__name__ = derivative.__qualname__ = title
    return derivative


def derive_from_call(
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
    where = f"{name} of {name_of_function(f, name)}"
    if positions is None:
        if not isinstance(arguments, tuple) or not isinstance(vectors, tuple):
            given = f"not {type(arguments).__name__} and {type(vectors).__name__}"
            raise TypeError(f"{where}: give two tuples, as in {name}(f, (x, y), (u, v)), {given}")
        if len(vectors) != len(arguments):
            raise ValueError(f"{where}: got {len(vectors)} vectors for {len(arguments)} primals")

    def call(made: contexts.Group) -> Any:
        n = len(arguments)
        chosen = from_the_front(where, range(n) if positions is None else positions, n)
        xs = fresh_nodes(where, arguments, settings, chosen)
        names = (f"{where}: the one of primal {i}" for i in chosen)
        vs = [vector(*t, "the primal") for t in zip(names, vectors, xs, strict=False)]
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
        return derive(Run(where, xs, vs, out, plain, single))

    return in_group(name, f, call)


def in_group(name: str, f: Function, call: Callable[[contexts.Group], Any]) -> Any:
    """Call with recording on, in a group; of a `no_grad` block, results are leaves.

    The group lies in the user's, if there is one: what is made on the way from one node of a group
    to another belongs to it, or the group could not be folded.
    """
    group = contexts.group(f"{name}({name_of_function(f)})")
    if not observers.active or (Value(0.0) * 1.0).operands:
        with group as made:
            return call(made)
    with contexts.outside_of_blocks(), group as made:
        result = call(made)
    return each(lambda x: x.detach() if isinstance(x, Node) else x, result)


def _is_of(group: contexts.Group, out: Any) -> bool:
    """Whether everything that `out` depends on was made in the group."""
    if isinstance(out, list | tuple):
        return all(_is_of(group, part) for part in out)
    leaves = leaves_and_inner(out)[0] if isinstance(out, Node) else []
    return all(leaf.group is not None and group in leaf.group.chain() for leaf in leaves)
