"""From a recorded graph to a program: its rules are run again, on symbols instead of data.

Forwards, every rule gives the expression of its node and a pullback; backwards, the graph's own
reverse sweep calls the pullbacks on expressions. What comes out is what the graph computes, its
value and its gradients, as expressions of its inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node, leaves_and_inner, sweep
from tinygrad_edu.engine.names import FreeNames, identifier
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.programs.array_symbols import ArraySymbol
from tinygrad_edu.programs.symbols import Expression, Symbol, number_functions, operations_in
from tinygrad_edu.rules.rule import Pullback, Rule, deferred, name_of, settings_of


@dataclass
class Program:
    """What a graph computes: expressions of the symbols of its inputs and of its other leaves.

    `seed` is the adjoint of the root, `wrt` are the symbols of the leaves that `gradients` are the
    derivatives by, `others` the leaves that are no inputs, `constants` plain arrays, `adjoints`
    those of all nodes. `order` holds the expressions as they came about, forwards, then backwards.
    `wishes` are the names that symbols would like to have: `z`, or `∂z` for the derivative by what
    is called z. `varying` are the symbols that differ from point to point when the program is run
    on columns. `guards` are truths with what they were when the graph was recorded: if one differs,
    another graph is needed.
    """

    seed: Symbol
    inputs: list[Symbol]
    others: dict[Symbol, Node]
    wrt: list[Symbol]
    value: Expression
    gradients: list[Expression]
    order: list[Expression]
    wishes: dict[Symbol, str] = field(default_factory=dict)
    varying: set[Symbol] = field(default_factory=set)
    constants: dict[Symbol, Any] = field(default_factory=dict)
    adjoints: set[Symbol] = field(default_factory=set)
    guards: list[tuple[Expression, Any]] = field(default_factory=list)

    @property
    def conditions(self) -> list[Expression]:
        """The truths that are looked at before the results are believed."""
        return [guard for guard, _ in self.guards]

    @property
    def outputs(self) -> list[Expression]:
        """All that a program has to compute."""
        return [self.value, *self.gradients, *self.conditions]


BY = "∂"
"""With this begins what a derivative would like to be called."""

POINTS = Symbol("n")
"""How many points there are in the columns."""


def trace_graph(
    root: Node,
    inputs: Sequence[Any],
    wrt: Sequence[Node],
    varying: Sequence[Node] = (),
    comparisons: Sequence[tuple[str, tuple[Any, Any], Any]] = (),
) -> Program:
    """The program of the graph that leads to `root`.

    `inputs` are leaves, or plain arrays that operations were given; `wrt` are leaves. The
    `comparisons` of nodes become guards: expressions, with what must come out. With `varying`,
    leaves of a graph of Values, the program is that of many points at once: what an edge carries
    from a node that varies to one that does not is summed over the points. TypeError for a rule
    that does not run on symbols.
    """
    leaves, inner = leaves_and_inner(root)
    arrays = isinstance(root, Tensor)
    symbols: dict[Any, Any] = {}  # the expression of each node, and of each plain array by its id
    wishes: dict[Symbol, str] = {}
    free = FreeNames()
    if comparisons:  # the root need not depend on what was compared
        compared = [x for _, xs, _ in comparisons for x in xs if isinstance(x, Node)]
        leaves, inner = _with_what_was_compared(leaves, inner, compared)
    for i, leaf in enumerate([*inputs, *leaves]):
        key = leaf if isinstance(leaf, Node) else id(leaf)
        if key in symbols:
            continue
        name = free(identifier(getattr(leaf, "label", "")) or f"x{i + 1}")
        data = leaf.data if isinstance(leaf, Node) else leaf
        symbol = ArraySymbol(name, (), {}, data.shape, data.dtype) if arrays else Symbol(name)
        symbols[key] = symbol
        wishes[symbol] = name
    constants: dict[Symbol, Any] = {}
    varies: set[Node] = set(varying)
    pullbacks: dict[Node, Pullback] = {}
    order: list[Expression] = []
    for node in inner:
        rule, xs = _on_symbols(node, symbols, constants)
        if varies and any(x in varies for x in node.parents):
            varies.add(node)
        output, pullbacks[node] = _run(rule, xs)
        symbols[node] = output
        order.append(output)
        label = identifier(node.label)
        if label and isinstance(output, Symbol) and output.operands and output not in wishes:
            wishes[output] = free(label)
    guards = []
    for name, operands, result in comparisons:
        x, y = (symbols[x] if isinstance(x, Node) else x for x in operands)
        guards.append((_comparison(name, x, y), result))
        order.append(guards[-1][0])

    wanted = set(wrt)
    for node in inner:
        if any(parent in wanted for parent in node.parents):
            wanted.add(node)

    def pull_back(node: Node) -> Pullback:
        return functools.partial(_adjoints, node, pullbacks[node], wanted, varies)

    data = root.data
    seed = ArraySymbol("seed", (), {}, data.shape, data.dtype) if arrays else Symbol("seed")
    adjoints = sweep(root, seed, pull_back, wanted)
    for node, adjoint in adjoints.items():
        order.append(adjoint)
        label = wishes.get(symbols[node], "")
        if isinstance(adjoint, Symbol) and adjoint.operands and label[:1] not in ("", BY):
            wishes.setdefault(adjoint, BY + label)
    given = {x for x in inputs if isinstance(x, Node)}
    gradients = [adjoints[x] if x in adjoints else _zero(x) for x in wrt]
    if varies and root not in varies:  # it depends on no column: each point has it
        gradients = [x * POINTS if isinstance(x, Symbol) else x for x in gradients]
        order += gradients
    program = Program(
        seed,
        [symbols[x if isinstance(x, Node) else id(x)] for x in inputs],
        {symbols[leaf]: leaf for leaf in leaves if leaf not in given},
        [symbols[x] if x in symbols else Symbol("unused") for x in wrt],
        symbols[root],
        gradients,
        order,
        wishes,
        {symbols[x] for x in varies},
        constants,
        {x for x in adjoints.values() if isinstance(x, Symbol)},
        guards,
    )
    if varies:
        _find_varying(program)
    return program


def _comparison(name: str, x: Expression, y: Expression) -> Expression:
    """A comparison as an expression. By its name, because `==` asks whether symbols are one."""
    symbol = x if isinstance(x, Symbol) else y
    if not isinstance(symbol, Symbol):
        return number_functions[name](x, y)
    return symbol._operation(name, x, y)


def _with_what_was_compared(
    leaves: list[Any], inner: list[Any], compared: Iterable[Node]
) -> tuple[list[Any], list[Any]]:
    """The leaves and inner nodes of a graph, and after them those that comparisons need."""
    known: dict[Any, None] = dict.fromkeys((*leaves, *inner))
    for node in compared:
        waiting = [node]
        while waiting:
            top = waiting[-1]
            missing = [x for x in top.parents if x not in known]
            if missing:
                waiting += missing
                continue
            known.setdefault(waiting.pop())
    return [x for x in known if x.rule is None], [x for x in known if x.rule is not None]


def _zero(x: Node) -> Any:
    return np.zeros_like(x.data) if isinstance(x, Tensor) else 0.0


def _on_symbols(
    node: Node, symbols: dict[Any, Any], constants: dict[Symbol, Any]
) -> tuple[Rule, list[Any]]:
    """The rule of a node and its operands, with symbols for nodes and for plain arrays.

    A plain array that is no input is a constant with a symbol of its own; so are the labels and
    indices among the settings of a rule.
    """

    def on_symbol(x: Any, wish: str = "") -> Any:
        if isinstance(x, Node):
            return symbols[x]
        if id(x) in symbols:
            return symbols[id(x)]
        if not isinstance(x, np.ndarray) or x.ndim == 0:
            return x
        name = wish or f"array_{'x'.join(map(str, x.shape))}"
        symbol = symbols[id(x)] = ArraySymbol(name, (), {}, x.shape, x.dtype)
        constants[symbol] = x
        return symbol

    def on_symbols(index: Any, wish: str) -> Any:
        if isinstance(index, tuple):
            return tuple(on_symbols(part, wish) for part in index)
        chooses = isinstance(index, np.ndarray) and index.dtype.kind in "iu"
        return on_symbol(index, wish) if chooses else index

    rule = node.rule
    assert rule is not None
    settings = settings_of(rule)
    chosen: dict[str, Any] = {
        name: on_symbols(settings[name], name) for name in ("labels", "index") if name in settings
    }
    if chosen:
        rule = functools.partial(getattr(rule, "func", rule), **(settings | chosen))
    return rule, [on_symbol(x) for x in node.operands]


def _run(rule: Rule, operands: Sequence[Any]) -> tuple[Expression, Pullback]:
    try:
        return rule(*operands)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name_of(rule)} cannot be replayed, because its rule does not run on symbols: "
            f"{error}; write functions with of(x), such as of(x).tanh(x), and choices with "
            "of(x).where(x > 0, x, 0.0)"
        ) from error


def _adjoints(
    node: Node, pullback: Pullback, wanted: set[Node], varies: set[Node], g: Expression
) -> tuple[Expression, ...]:
    """What the pullback of a node gives, on symbols, for the operands that are wanted."""
    rule = node.rule
    assert rule is not None
    try:
        arriving = [
            None
            if not isinstance(x, Node) or x not in wanted  # a plain array has no hash
            else adjoint()
            if type(adjoint) is deferred
            else adjoint
            for x, adjoint in zip(node.operands, pullback(g), strict=True)
        ]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TypeError(f"{name_of(rule)}: its pullback cannot be replayed: {error}") from error
    if node in varies:
        arriving = [
            over_points(adjoint) if x in wanted and x not in varies else adjoint
            for x, adjoint in zip(node.operands, arriving, strict=True)
        ]
    return tuple(arriving)


def over_points(adjoint: Expression) -> Expression:
    """The sum over the points of what each of them hands to a node that all of them share."""
    return Symbol("sum_over_points", (adjoint,))


def _find_varying(program: Program) -> None:
    """Tell every expression that varies from those that do not, and turn the sum of one that does
    not into a product with the number of points."""
    for symbol in operations_in(Symbol("all", tuple(program.order)), {}):
        if symbol.name != "sum_over_points" and any(
            x in program.varying for x in symbols_of(symbol)
        ):
            program.varying.add(symbol)


def in_order(program: Program, needed: Iterable[Symbol]) -> list[Symbol]:
    """The operations among the needed symbols, in the order in which they came about."""
    kept = set(needed)
    ordered = (x for x in program.order if isinstance(x, Symbol) and x in kept)
    everything = Symbol("all", (*ordered, *kept))
    return [x for x in operations_in(everything, {}) if x.operands and x is not everything]


def symbols_of(symbol: Symbol) -> list[Symbol]:
    """The operands of a symbol that are symbols."""
    return [x for x in symbol.operands if isinstance(x, Symbol)]
