"""Wrong derivatives to plant in the rules and in the backward passes: what there is, one at a time.

A fault is one node of a module's syntax tree replaced by another: a sign, a factor, a term, a
comparison, a transposition. `faults_in` finds all of them in a module, `planted` gives the module's
text with one of them. `run.py` shows that the tests notice them.

Why not a library. mutmut leaves decorated functions alone, and every rule is decorated. Cosmic Ray
rewrites the checkout and starts a new interpreter for every fault, 1.5 s before the first test.
Neither plants the faults of this field: adjoints in the wrong order, a matrix not transposed, a sum
without its axis, `=` for `+=` where adjoints meet. What they would have saved is short: a tree that
is changed in one place, and a loop over the changes.
"""

from __future__ import annotations

import ast
import copy
import functools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

WHERE: dict[str, tuple[str, ...]] = {
    "rules/elementwise.py": (),
    "rules/reductions.py": (),
    "rules/arrays.py": (),
    "rules/sliding.py": (),
    "rules/tables.py": (),
    "rules/array_tables.py": (),
    "rules/array_constants.py": ("unchanging",),
    "rules/rule.py": ("deferred",),
    "engine/tensor.py": ("unbroadcast", "Tensor._constant", "Tensor._adjoints", "Tensor._seed",
                  "Tensor._fit"),
    "engine/value.py": ("_operators", "_function", "Value.backward"),
    "engine/graph.py": ("leaves_and_inner", "sweep", "gradients"),
}  # fmt: skip
"""The modules that faults are planted in, and in which of their functions: all where none is named.

Of the engine, those are the backward passes, un-broadcasting, and what a node is recorded with.
"""

CHECKS = ("_some", "_at_least_one", "_plain_part", "_any", "_seed", "_constant")
"""Functions that look at what they are given more than they compute: their faults count apart."""

SWAPPABLE = {"matmul": 0, "power": 0, "where": 1, "deferred": -2, "_as_matrix": 1}
"""Calls whose operands may stand in the wrong order: the first of the two that change places."""

DROPPABLE = ("_as_matrix", "_each", "_spread", "_swap", "abs", "put", "reversed", "transpose",
             "unbroadcast", "unchanging")  # fmt: skip
"""Calls that may be forgotten, so that their first operand stands there alone."""

OTHER_FUNCTIONS = {
    "sin": "cos", "cos": "sin", "tan": "tanh", "sinh": "cosh", "cosh": "sinh", "tanh": "tan",
    "arcsin": "arccos", "arccos": "arcsin", "arctan": "arcsin", "asin": "acos", "acos": "asin",
    "atan": "asin", "exp": "expm1", "expm1": "exp", "log": "log1p", "log1p": "log", "sqrt": "abs",
    "fabs": "floor", "abs": "negative", "maximum": "minimum", "minimum": "maximum", "max": "min",
    "min": "max", "sum": "mean", "mean": "sum", "prod": "sum", "cumsum": "sort", "add": "maximum",
    "multiply": "add", "sigmoid": "softplus", "softplus": "sigmoid", "softmax": "log_softmax",
    "log_softmax": "softmax", "zeros": "ones", "ones": "zeros", "eye": "ones", "argsort": "asarray",
    "concatenate": "stack", "stack": "concatenate", "power": "multiply", "pow": "fmod",
    "ravel": "copy", "any": "all", "all": "any", "reversed": "list", "put": "broadcast_to",
}  # fmt: skip
"""Another function that could have been typed in a hurry."""

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Mod: ast.FloorDiv,
}  # fmt: skip

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.LtE: (ast.Lt, ast.GtE),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip

Make = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Fault:
    """One planted fault: where, of which kind, and what stands there before and after."""

    path: str
    function: str
    line: int
    kind: str
    before: str
    after: str
    is_check: bool
    place: int = field(repr=False)  # of the node, in the order of ast.walk
    make: Make = field(repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same when lines move, and changes when the code does."""
        return self.path, self.function, self.before, self.after

    def __str__(self) -> str:
        place = f"{self.path}:{self.line} {self.function}"
        return f"{place}: {self.kind}: {self.before}  →  {self.after}"


def _like(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with some of its fields changed."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _field(*path: str | int) -> Make:
    """The part of a node in its place: `_field("args", 0)` drops a call around an argument."""

    def make(node: ast.AST) -> ast.AST:
        for step in path:
            node = getattr(node, step) if isinstance(step, str) else node[step]  # type: ignore[index]
        return node

    return make


def _changed(**fields: object) -> Make:
    return lambda node: _like(node, **fields)


def _negated(node: ast.AST) -> ast.AST:
    return ast.UnaryOp(ast.USub(), node)


def _doubled(node: ast.AST) -> ast.AST:
    return ast.BinOp(node, ast.Mult(), ast.Constant(2.0))


def _not(node: ast.AST) -> ast.AST:
    return ast.UnaryOp(ast.Not(), node)


def _swapped(name: str, i: int) -> Make:
    """Elements i and i + 1 of a list of the node's change places."""

    def make(node: ast.AST) -> ast.AST:
        items = list(getattr(node, name))
        items[i], items[i + 1] = items[i + 1], items[i]
        return _like(node, **{name: items})

    return make


def _without(name: str, i: int) -> Make:
    def make(node: ast.AST) -> ast.AST:
        items = getattr(node, name)
        return _like(node, **{name: items[:i] + items[i + 1 :]})

    return make


def _called_at_once(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.Call)
    return ast.Call(node.args[0], node.args[1:], node.keywords)


def _name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_of_text(node: ast.BinOp) -> bool:
    """Whether strings are joined, which another operator cannot do."""
    return any(isinstance(x, ast.Constant) and isinstance(x.value, str) for x in ast.walk(node))


def _of_a_node(node: ast.AST, is_adjoint: bool) -> Iterator[tuple[str, Make]]:
    """Every fault that one node can have, by kind."""
    if is_adjoint:
        yield "flipped sign", _negated
        yield "changed factor", _doubled
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "flipped sign", _field("operand")
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "changed constant", _changed(value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "changed constant", _changed(value=node.value + 1)
    elif isinstance(node, ast.BinOp):
        yield "dropped term", _field("left")
        yield "dropped term", _field("right")
        if type(node.op) in OPERATORS and not _is_of_text(node):
            yield "another operator", _changed(op=OPERATORS[type(node.op)]())
        if isinstance(node.op, ast.Sub | ast.Div | ast.Pow):
            yield "swapped operands", lambda n: _like(n, left=n.right, right=n.left)  # type: ignore[attr-defined]
    elif isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            if len(node.values) == 2:
                yield "dropped condition", _field("values", 1 - i)
            else:
                yield "dropped condition", _without("values", i)
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for other in COMPARISONS[type(op)]:
                ops = [other() if k == i else o for k, o in enumerate(node.ops)]
                yield "flipped comparison", _changed(ops=ops)
    elif isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise):
        yield "dropped check", _changed(test=ast.Constant(False))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield "dropped transposition", _field("value")
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        other = OTHER_FUNCTIONS.get(node.attr)
        if other and (_name_of(node.value) != "math" or hasattr(math, other)):
            yield "another function", _changed(attr=OTHER_FUNCTIONS[node.attr])
    elif isinstance(node, ast.Call):
        yield from _of_a_call(node)
    elif isinstance(node, ast.AugAssign):
        yield (
            "assigned, not accumulated",
            lambda n: ast.Assign([n.target], n.value, lineno=n.lineno),  # type: ignore[attr-defined]
        )
        yield "dropped step", lambda _: ast.Pass()


def _of_a_call(node: ast.Call) -> Iterator[tuple[str, Make]]:
    name = _name_of(node.func)
    if name == "deferred":
        yield "not deferred", _called_at_once
    if name in DROPPABLE and node.args:
        kind = "dropped transposition" if name in ("transpose", "_swap") else "dropped call"
        yield kind, _field("args", 0)
    if name in ("copy", "astype", "ravel"):
        yield "dropped call", _field("func", "value")
    if name in SWAPPABLE and len(node.args) > 1:
        yield "swapped operands", _swapped("args", SWAPPABLE[name] % len(node.args))
    for i, setting in enumerate(node.keywords):
        # a namespace without one of its functions is not a fault that anybody could overlook
        if setting.arg not in (None, "strict") and name not in ("Table", "add_arrays"):
            yield "dropped setting", _without("keywords", i)


def _adjoints(tree: ast.AST) -> set[ast.AST]:
    """The expressions that are adjoints: what a pullback returns, or a function of g does."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Lambda | ast.FunctionDef):
            continue
        if "g" not in [a.arg for a in (*node.args.posonlyargs, *node.args.args)]:
            continue
        if isinstance(node, ast.Lambda):
            results = [node.body]
        else:
            results = [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value]
        for result in results:
            for x in result.elts if isinstance(result, ast.Tuple) else [result]:
                if isinstance(x, ast.Call) and _name_of(x.func) == "tuple":
                    x = getattr(x.args[0], "elt", x)
                is_number = not isinstance(x, ast.Constant | ast.Lambda)
                if is_number and not (isinstance(x, ast.Call) and _name_of(x.func) == "deferred"):
                    found.add(x)
    return found


SKIPPED = (ast.Raise, ast.JoinedStr, ast.arguments, ast.ClassDef)
"""Nothing is planted in messages. Defaults and the bodies of classes are looked at apart."""


def _visited(
    node: ast.AST, around: tuple[ast.AST, ...], names: tuple[str, ...], is_check: bool
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...], tuple[str, ...], bool]]:
    """Every node where a fault may be: what is around it, in which function, in a check or not."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        names = (*names, node.name)
        below: list[ast.AST] = list(node.body)
        if isinstance(node, ast.FunctionDef):
            below += node.args.defaults
    elif isinstance(node, ast.Lambda):
        below = [node.body]
    elif isinstance(node, ast.AnnAssign):
        below = [node.value] if node.value else []
    elif isinstance(node, ast.keyword) and node.arg == "strict":
        return  # it guards against slips of our own
    else:
        below = list(ast.iter_child_nodes(node))
    yield node, around, names, is_check
    refuses = isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)
    for child in below:
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if not isinstance(child, SKIPPED) or isinstance(child, ast.ClassDef):
            in_test = refuses and child is getattr(node, "test", None)
            yield from _visited(child, (*around, node), names, is_check or in_test)


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A copy of the tree down to one node, with another in its place."""
    if tree is old:
        return new
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(tree):
        if isinstance(value, list):
            items = [_replaced(x, old, new) if isinstance(x, ast.AST) else x for x in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                fields[name] = items
        elif isinstance(value, ast.AST):
            other = _replaced(value, old, new)
            if other is not value:
                fields[name] = other
    return _like(tree, **fields) if fields else tree


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _shown(node: ast.AST, new: ast.AST, around: tuple[ast.AST, ...]) -> tuple[str, str]:
    """The fault in its surroundings, as far as they fit into half a line."""
    if isinstance(node, ast.If):  # only its condition
        return f"if {_text(node.test)}", f"if {_text(new.test)}"  # type: ignore[attr-defined]
    widest = node
    for outer in reversed(around):
        is_small = isinstance(outer, ast.expr | ast.keyword | ast.Return | ast.Assign)
        if not is_small or len(_text(outer)) > 64:
            break
        widest = outer
    return _text(widest), _text(_replaced(widest, node, new))


def faults_in(package: Path, path: str) -> list[Fault]:
    """Every fault that can be planted in a module of the package, in the order of its lines."""
    tree = ast.parse((package / path).read_text(encoding="utf-8"))
    places = {node: i for i, node in enumerate(ast.walk(tree))}
    adjoints = _adjoints(tree)
    wanted = WHERE[path]
    found: dict[tuple[int, str], Fault] = {}
    for node, around, names, in_test in _visited(tree, (), (), False):
        function = ".".join(names[:2] if names and names[0][0].isupper() else names[:1])
        if wanted and function not in wanted:
            continue
        is_check = in_test or any(name in CHECKS for name in names)
        swaps = [("swapped adjoints", _swapped("elts", 0))] if _two_adjoints(node, adjoints) else []
        for kind, make in (*_of_a_node(node, node in adjoints), *swaps):
            new = make(node)
            before, after = _shown(node, new, around)
            if before != after:
                fault = Fault(path, function or "module", getattr(node, "lineno", 0), kind, before,
                              after, is_check, places[node], make)  # fmt: skip
                found.setdefault((places[node], _text(new)), fault)
    return sorted(found.values(), key=lambda fault: (fault.line, fault.place))


def _two_adjoints(node: ast.AST, adjoints: set[ast.AST]) -> bool:
    """Whether a tuple holds at least two adjoints, deferred or not."""
    if not isinstance(node, ast.Tuple) or len(node.elts) < 2:
        return False
    return all(
        x in adjoints or (isinstance(x, ast.Call) and _name_of(x.func) == "deferred")
        for x in node.elts
    )


def all_faults(package: Path) -> list[Fault]:
    """Every fault that can be planted anywhere."""
    return [fault for path in WHERE for fault in faults_in(package, path)]


def planted(source: str, fault: Fault) -> str:
    """The text of the module with the fault in it. ValueError if nothing has changed."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[fault.place]
    changed = _replaced(tree, node, fault.make(node))
    if ast.dump(changed) == ast.dump(tree):
        raise ValueError(f"{fault} changes nothing")
    return ast.unparse(changed)


@functools.cache
def _functions(package: Path) -> tuple[dict[str, set[str]], set[str]]:
    """Which names each function of the rules uses, and which of the functions are rules."""
    functions: dict[str, set[str]] = {}
    rules: set[str] = set()
    for name in ("elementwise", "reductions", "arrays", "sliding"):
        for node in ast.parse((package / f"rules/{name}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                names |= {f"_{n.attr}" for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                functions[node.name] = names - {"min", "max", "sum", "abs"}  # Python's own
                if any(isinstance(d, ast.Call) for d in node.decorator_list):
                    rules.add(node.name)
    return functions, rules


def rules_that_use(package: Path, fault: Fault) -> set[str]:
    """The rules whose numbers a fault in `rules/` may change, by the names of functions.

    Empty for what all rules share, and outside `rules/`.
    """
    if not fault.path.startswith("rules/"):
        return set()
    functions, rules = _functions(package)
    in_a_table = re.match(r"(\w+)=", fault.before) if fault.function == "module" else None
    users = {f"_{in_a_table[1]}" if in_a_table else fault.function}
    while more := {f for f, names in functions.items() if names & users} - users:
        users |= more
    return {name.lstrip("_") for name in users & rules}
