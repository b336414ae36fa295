"""From a recorded graph to a program: its rules are run again, on symbols instead of data.

Forwards, every rule gives the expression of its node and a pullback; backwards, the graph's own
reverse sweep calls the pullbacks on expressions. The result is what the graph computes, its value
and its gradients, as expressions of its inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_edu.engine.graph import Node, leaves_and_inner, sweep
from tinygrad_edu.engine.names import FreeNames, identifier
from tinygrad_edu.programs.symbols import (
    SUM_OVER_POINTS,
    Expression,
    Symbol,
    number_functions,
    operations_in,
    refused,
    symbols_of,
)
from tinygrad_edu.rules.rule import Pullback, Rule, deferred, settings_of

Comparisons = Sequence[tuple[str, tuple[Any, Any], Any]]
"""Comparisons of nodes: the operation, its two operands, and the result."""


@dataclass
class Program:
    """What a graph computes: expressions of the symbols of its inputs and of its other leaves.

    `seed` is the adjoint of the root, `wrt` are the symbols of the leaves that `gradients` are the
    derivatives by, `others` the leaves that are not inputs, `constants` plain arrays. `order` holds
    the expressions in order of creation, forwards, then backwards. `preferred_names` has names of
    symbols: `z`, or `∂z` for the derivative by what is called z. `varying` are the symbols that
    differ from point to point when the program is run on columns. `guards` are truths with what
    they were when the graph was recorded: if one differs, another graph is needed.
    """

    seed: Symbol
    inputs: list[Symbol]
    others: dict[Symbol, Node]
    wrt: list[Symbol]
    value: Expression
    gradients: list[Expression]
    order: list[Expression]
    preferred_names: dict[Symbol, str] = field(default_factory=dict)
    varying: set[Symbol] = field(default_factory=set)
    constants: dict[Symbol, Any] = field(default_factory=dict)
    guards: list[tuple[Expression, Any]] = field(default_factory=list)

    @property
    def conditions(self) -> list[Expression]:
        """The truths that are looked at before the results are used."""
        return [guard for guard, _ in self.guards]

    @property
    def results(self) -> list[Expression]:
        """The value and the gradients."""
        return [self.value, *self.gradients]

    @property
    def outputs(self) -> list[Expression]:
        """All that a program has to compute."""
        return [*self.results, *self.conditions]


BY = "∂"
"""The preferred name of a derivative begins with this."""

POINTS = Symbol("n")
"""How many points there are in the columns."""


def trace_graph(
    root: Node,
    inputs: Sequence[Any],
    wrt: Sequence[Node],
    varying: Sequence[Node] = (),
    comparisons: Comparisons = (),
) -> Program:
    """The program of the graph that leads to `root`.

    `inputs` are leaves, or plain arrays that operations were given; `wrt` are leaves. The
    `comparisons` of nodes become guards: expressions, with what must come out. With `varying`,
    leaves of a graph of Values, the program is that of many points at once: what an edge carries
    from a node that varies to one that does not is summed over the points. TypeError for a rule
    that does not run on symbols.
    """
    compared = [x for _, operands, _ in comparisons for x in operands if isinstance(x, Node)]
    leaves, inner = _below([root, *compared])
    tracer = _Tracer(inputs, leaves, varying)
    for node in inner:
        tracer.run(node)
    guards = [(tracer.comparison(name, *xs), result) for name, xs, result in comparisons]
    tracer.order += [guard for guard, _ in guards]
    gradients = tracer.gradients(root, wrt, inner)
    symbols, given = tracer.symbols, {x for x in inputs if isinstance(x, Node)}
    return Program(
        tracer.seed,
        [symbols[_symbol_key(x)] for x in inputs],
        {symbols[leaf]: leaf for leaf in leaves if leaf not in given},
        [symbols[x] if x in symbols else Symbol("unused") for x in wrt],
        symbols[root],
        gradients,
        tracer.order,
        tracer.preferred_names,
        tracer.varying_symbols(),
        tracer.constants,
        guards,
    )


def _below(roots: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The leaves and inner nodes of several graphs: those of a node that has all roots as
    operands."""
    if len(roots) == 1:
        return leaves_and_inner(roots[0])
    for node in roots:
        if type(node) is not type(roots[0]):
            raise TypeError(
                f"replay: the function compares {node!r} and returns a {type(roots[0]).__name__}; "
                "a Value and a Tensor do not mix"
            )
    top = object.__new__(type(roots[0]))
    top.operands = tuple(roots)
    leaves, inner = leaves_and_inner(top)
    return leaves, inner[:-1]


def _symbol_key(x: Any) -> Any:
    """What the symbol of an operand is known by; plain arrays have no hash."""
    return x if isinstance(x, Node) else id(x)


def symbol_like(name: str, data: Any) -> Symbol:
    """A symbol for data: one that knows its shape and dtype if they are an array."""
    if not hasattr(data, "dtype"):
        return Symbol(name)
    from tinygrad_edu.programs.array_symbols import ArraySymbol

    return ArraySymbol(name, (), {}, data.shape, data.dtype)


class _Tracer:
    """Runs the rules of a graph on symbols. `symbols` has the expression of each node, and of each
    plain array by its id."""

    def __init__(self, inputs: Sequence[Any], leaves: Sequence[Any], varying: Sequence[Node]):
        self.symbols: dict[Any, Any] = {}
        self.preferred_names: dict[Symbol, str] = {}
        self.constants: dict[Symbol, Any] = {}
        self.order: list[Expression] = []
        self.pullbacks: dict[Node, Pullback] = {}
        self.varying = set(varying)
        self.free = FreeNames()
        for i, leaf in enumerate([*inputs, *leaves]):
            if _symbol_key(leaf) not in self.symbols:
                name = self.free(identifier(getattr(leaf, "label", "")) or f"x{i + 1}")
                data = leaf.data if isinstance(leaf, Node) else leaf
                self.symbols[_symbol_key(leaf)] = symbol = symbol_like(name, data)
                self.preferred_names[symbol] = name

    def run(self, node: Node) -> None:
        """Run the rule of a node on the symbols of its operands."""
        rule, operands = self.rule_on_symbols(node), [self.symbol_of(x) for x in node.operands]
        with refused(rule, "cannot be replayed, because its rule does not run on symbols"):
            output, self.pullbacks[node] = rule(*operands)
        if not self.varying.isdisjoint(node.parents):
            self.varying.add(node)
        self.symbols[node] = output
        self.order.append(output)
        label = identifier(node.label)
        new = isinstance(output, Symbol) and output.operands
        if label and new and output not in self.preferred_names:
            self.preferred_names[output] = self.free(label)

    def symbol_of(self, x: Any, name: str = "") -> Any:
        """The symbol of an operand; that of a constant array, not an input, is made here."""
        if _symbol_key(x) in self.symbols:
            return self.symbols[_symbol_key(x)]
        if not getattr(x, "ndim", 0):
            return x
        symbol = symbol_like(name or f"array_{'x'.join(map(str, x.shape))}", x)
        self.symbols[id(x)] = symbol
        self.constants[symbol] = x
        return symbol

    def rule_on_symbols(self, node: Node) -> Rule:
        """The rule of a node, with symbols for the labels and indices among its settings."""
        rule = node.rule
        assert rule is not None

        def on_symbols(index: Any, name: str) -> Any:
            if isinstance(index, tuple):
                return tuple(on_symbols(part, name) for part in index)
            chooses = hasattr(index, "dtype") and index.dtype.kind in "iu"
            return self.symbol_of(index, name) if chooses else index

        settings = settings_of(rule)
        chosen = {x: on_symbols(settings[x], x) for x in ("labels", "index") if x in settings}
        if not chosen:
            return rule
        return functools.partial(getattr(rule, "func", rule), **(settings | chosen))

    def comparison(self, name: str, *operands: Any) -> Expression:
        """A comparison as an expression. By its name, because `==` asks whether symbols are one."""
        x, y = (self.symbols[x] if isinstance(x, Node) else x for x in operands)
        symbol = x if isinstance(x, Symbol) else y
        if not isinstance(symbol, Symbol):
            return number_functions[name](x, y)
        return symbol._operation(name, x, y)

    def gradients(self, root: Node, wrt: Sequence[Node], inner: Sequence[Node]) -> list[Expression]:
        """The gradients by some leaves, from the graph's own reverse sweep."""
        self.seed, self.wanted = symbol_like("seed", root.data), set(wrt)
        for node in inner:
            if not self.wanted.isdisjoint(node.parents):
                self.wanted.add(node)
        adjoints = sweep(
            root, self.seed, lambda node: functools.partial(self.pull_back, node), self.wanted
        )
        for node, adjoint in adjoints.items():
            self.order.append(adjoint)
            label = self.preferred_names.get(self.symbols[node], BY)
            if isinstance(adjoint, Symbol) and adjoint.operands and not label.startswith(BY):
                self.preferred_names.setdefault(adjoint, BY + label)
        gradients = [adjoints[x] if x in adjoints else x._zero() for x in wrt]
        if self.varying and root not in self.varying:  # no column leads to it: each point has it
            gradients = [x * POINTS if isinstance(x, Symbol) else x for x in gradients]
            self.order += gradients
        return gradients

    def pull_back(self, node: Node, g: Expression) -> tuple[Expression, ...]:
        """What the pullback of a node gives, on symbols, for the operands that are wanted."""

        def arriving(x: Any, adjoint: Any) -> Expression:
            if not isinstance(x, Node) or x not in self.wanted:
                return None
            adjoint = adjoint() if type(adjoint) is deferred else adjoint
            if node in self.varying and x not in self.varying:
                return Symbol(SUM_OVER_POINTS, (adjoint,))
            return adjoint

        assert node.rule is not None
        with refused(node.rule, "cannot be replayed, because of its pullback"):
            adjoints = zip(node.operands, self.pullbacks[node](g), strict=True)
            return tuple([arriving(x, adjoint) for x, adjoint in adjoints])

    def varying_symbols(self) -> set[Symbol]:
        """Every expression that differs from point to point."""
        varying = {self.symbols[x] for x in self.varying}
        for symbol in operations_in(self.order) if varying else ():
            if symbol.name != SUM_OVER_POINTS and not varying.isdisjoint(symbols_of(symbol)):
                varying.add(symbol)
        return varying


def in_order(program: Program, outputs: Iterable[Expression]) -> list[Symbol]:
    """The operations that outputs need, in the order in which they were created."""
    needed = list(operations_in(outputs))
    kept = set(needed)
    ordered = [x for x in program.order if isinstance(x, Symbol) and x in kept]
    return [x for x in operations_in([*ordered, *needed]) if x.operands]
