"""Expressions that a person typed, such as "(apple * 2 + orange * 3) * tax", made into a graph.

Python's own parser reads the text; what it found is then walked here, and only arithmetic, numbers,
names and the elementwise functions are let through. Nothing of the text is ever run.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import keyword
import math
import re
import unicodedata
import warnings
from collections.abc import Mapping
from typing import Any

from tinygrad_edu.engine.errors import forward_error
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules import elementwise, operations
from tinygrad_edu.rules.rule import RULES

MOST_CHARACTERS = 10_000
DEEPEST_EXPRESSION = 100
"""How many characters an expression may have, and how deep parentheses and calls may nest."""

OPERATOR_RULES: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Pow: "power", ast.USub: "negative",
}  # fmt: skip
"""The rules of the operators."""

CONSTANTS = {"pi": math.pi, "e": math.e}
"""Names that stand for a number, unless an input or an assignment has them."""

REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "attribute access", ast.Subscript: "indexing", ast.Lambda: "a lambda",
    ast.JoinedStr: "a formatted string", ast.NamedExpr: "an assignment with :=",
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.List: "a list",
    ast.Tuple: "a tuple", ast.Set: "a set", ast.Dict: "a dict", ast.Compare: "a comparison",
    ast.BoolOp: "and/or", ast.Not: "not", ast.IfExp: "if/else", ast.Starred: "unpacking with *",
    ast.Await: "await", ast.Yield: "yield", ast.YieldFrom: "yield", ast.Import: "an import",
    ast.ImportFrom: "an import", ast.FunctionDef: "a function definition",
    ast.ClassDef: "a class definition", ast.For: "a loop", ast.While: "a loop", ast.If: "an if",
    ast.With: "a with block", ast.Try: "a try block", ast.Delete: "del", ast.Assert: "assert",
    ast.Raise: "raise", ast.AugAssign: "an assignment that changes a name",
    ast.AnnAssign: "an annotation", ast.BitXor: "^ (a power is written **)",
    ast.FloorDiv: "//", ast.Mod: "%", ast.MatMult: "@", ast.Invert: "~",
}  # fmt: skip
"""What people write that has no place in an expression, in their words."""


FUNCTION_NAMES = {
    name
    for name, rule in RULES.items()
    if rule.__module__ == elementwise.__name__ and name != "where"
}
"""The functions of numbers. `where` is left out: its condition would be a constant of the graph,
which does not change with the inputs."""


def read_expression(text: str, inputs: Mapping[str, float]) -> Value:
    """The graph of an expression: one leaf, with its name as label, for each of `inputs`.

    Several assignments may stand one after the other, as in "a = x * w; y = tanh(a + b)"; each name
    is then a label. The last one is the root; without a name it is called result. Every input and
    every name must be used; pi and e are constants where they are neither. ValueError for anything
    but arithmetic and the functions of numbers, and outside the domain of an operation; the message
    shows the place.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"expression: it has {len(text)} characters; write at most {MOST_CHARACTERS}"
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    statements = _parsed(text)
    reader = _Reader(text, inputs)
    root = reader.run(statements)
    reader.check_that_all_is_used()
    return root


def checked_name(name: str) -> str:
    """The name as the parser will know it; ValueError if it cannot be the name of a number."""
    name = unicodedata.normalize("NFKC", name)  # Python takes ﬁ for fi, and so must we
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(
            f"expression: {shown(name)!r} cannot be a name; use letters, digits and _, and no word "
            "of Python"
        )
    return name


def shown(text: str, limit: int = 60) -> str:
    """Text from a person on one line, of the same length or cut, without what cannot be seen."""
    visible = "".join(c if c.isprintable() else "·" if c.strip() else " " for c in text)
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def closest(name: str, known: list[str]) -> str:
    """The end of a message about an unknown name: those that are known, and the likeliest."""
    if not known:
        return "no names are known"
    # comparing takes the product of the lengths
    short_ones = [x for x in known[:1000] if len(x) <= 100]
    near = difflib.get_close_matches(name[:100], short_ones, n=1)
    listed = ", ".join(map(shown, known[:30])) + (", …" if len(known) > 30 else "")
    return f"known are {listed}" + (f"; did you mean {near[0]}?" if near else "")


def _parsed(text: str) -> list[ast.stmt]:
    """The statements of a text. Every way in which a parser may give up is a ValueError here."""
    if not text:
        raise ValueError("expression: there is nothing in it; write, for instance, x * 2 + 1")
    for line in text.split("\n"):
        if found := re.search("[\0\ud800-\udfff]", line):
            raise _marked_error("this character is not text", line, found.start())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parser warns of is refused later
            return ast.parse(text, filename="expression").body
    except SyntaxError as error:
        said = (error.msg or "invalid syntax").split(";")[0]
        lines = text.split("\n")
        line = lines[min(error.lineno or 1, len(lines)) - 1]
        raise _marked_error(f"it cannot be read: {said}", line, (error.offset or 1) - 1) from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(_TOO_DEEP) from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expression: it cannot be read: {error}") from error


_TOO_DEEP = "expression: it nests too deeply; name its parts, as in a = x * w; y = tanh(a + b)"


class _Reader:
    """Walks what the parser found, and builds the graph."""

    def __init__(self, text: str, inputs: Mapping[str, float]) -> None:
        self.lines = text.split("\n")
        self.numbers = {checked_name(name): x for name, x in inputs.items()}
        self.known: dict[str, Value] = {}  # a leaf is made where its name is first used
        self.used: set[str] = set()
        self.constants: set[str] = set()  # those that have been used
        self.depth = 0

    def run(self, statements: list[ast.stmt]) -> Value:
        """The root: what the last statement says."""
        if not statements:
            raise ValueError("expression: there is only a comment in it")
        root: Value | None = None
        for i, statement in enumerate(statements):
            last = i == len(statements) - 1
            name = self.name_of(statement, last)
            assert isinstance(statement, ast.Assign | ast.Expr)
            try:
                found = self.number(statement.value)
            except RecursionError as error:
                raise ValueError(_TOO_DEEP) from error
            root = found if isinstance(found, Value) else Value(found)
            root.label = root.label or name
            self.known[name] = root
            if last:
                self.used.add(name)
        assert root is not None
        return root

    def name_of(self, statement: ast.stmt, last: bool) -> str:
        """The name that a statement gives to its number."""
        if isinstance(statement, ast.Expr):
            if not last:
                raise self.error(
                    "only the last of several parts may have no name; write name = ...", statement
                )
            taken = self.numbers.keys() | self.known.keys()
            return "" if "result" in taken else "result"
        if not isinstance(statement, ast.Assign):
            raise self.refused(statement)
        target = statement.targets[0]
        if len(statement.targets) > 1 or not isinstance(target, ast.Name):
            raise self.error("one = gives one name, as in price = apple * tax", target)
        if target.id in self.numbers or target.id in self.known:
            raise self.error(f"{shown(target.id)} is given twice; choose another name", target)
        if target.id in self.constants:
            said = f"{target.id} was {CONSTANTS[target.id]:.4g} so far; choose another name"
            raise self.error(said, target)
        return target.id

    def check_that_all_is_used(self) -> None:
        """ValueError for a name that the root does not depend on: it may be a slip of the pen."""
        for name in [*self.numbers, *self.known]:
            if name and name not in self.used:
                raise ValueError(
                    f"expression: {shown(name)} is given but not used; leave it out or use it"
                )

    def number(self, node: ast.expr) -> Value | float:
        """The value of a part: a node, or a plain number where no name has a part in it."""
        self.depth += 1
        if self.depth > DEEPEST_EXPRESSION:
            raise ValueError(_TOO_DEEP)
        try:
            if isinstance(node, ast.Constant):
                return self.constant(node)
            if isinstance(node, ast.Name):
                return self.named(node)
            if isinstance(node, ast.BinOp):
                return self.binary(node)
            if isinstance(node, ast.UnaryOp):
                return self.unary(node)
            if isinstance(node, ast.Call):
                return self.call(node)
            raise self.refused(node)
        finally:
            self.depth -= 1

    def constant(self, node: ast.Constant) -> float:
        if type(node.value) is not int and type(node.value) is not float:
            kind = "a complex number" if type(node.value) is complex else repr(node.value)
            raise self.error(f"{shown(kind, 30)} is not a real number", node)
        try:
            number = float(node.value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self.error("this number is larger than any float", node)
        return number

    def named(self, node: ast.Name) -> Value | float:
        name = node.id
        if name not in self.known:
            if name not in self.numbers:
                if name in FUNCTION_NAMES:
                    raise self.error(f"{name} is a function; write {name}(...)", node)
                if name in CONSTANTS:
                    self.constants.add(name)
                    return CONSTANTS[name]
                names = list(dict.fromkeys([*self.numbers, *filter(None, self.known)]))
                raise self.error(f"{shown(name)} is not known; {closest(name, names)}", node)
            try:
                self.known[name] = Value(self.numbers[name], label=name)
            except OverflowError as error:
                raise self.error(str(error), node) from error
        self.used.add(name)
        return self.known[name]

    def binary(self, node: ast.BinOp) -> Value | float:
        # A long sum nests on its left side. That side is walked in a loop, so that only
        # parentheses and calls count as depth.
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        result = self.number(chain[-1].left)
        for part in reversed(chain):
            name = OPERATOR_RULES.get(type(part.op))
            if name is None:
                raise self.refused(part.op, part)
            result = self.apply(name, (result, self.number(part.right)), {}, part)
        return result

    def unary(self, node: ast.UnaryOp) -> Value | float:
        if isinstance(node.op, ast.UAdd):
            return self.number(node.operand)
        if not isinstance(node.op, ast.USub):
            raise self.refused(node.op, node)
        return self.apply("negative", (self.number(node.operand),), {}, node)

    def call(self, node: ast.Call) -> Value | float:
        if isinstance(node.func, ast.Attribute):
            raise self.refused(node.func)
        if not isinstance(node.func, ast.Name):
            raise self.error("only functions are called, by their name; a product needs a *", node)
        name = node.func.id
        if name not in FUNCTION_NAMES:
            if name in self.numbers or name in self.known or name in CONSTANTS:
                raise self.error(
                    f"{shown(name)} is a number, not a function; a product needs a *", node
                )
            said = closest(name, sorted(FUNCTION_NAMES))
            if name == "where":
                said = "its condition would not follow the inputs; use maximum, relu, abs or clip"
            raise self.error(f"{shown(name)} is not a function of an expression; {said}", node)
        signature = inspect.signature(RULES[name])
        keywords: dict[Any, Any] = {x.arg: x.value for x in node.keywords}
        try:
            given = signature.bind(*node.args, **keywords)
        except TypeError as error:
            wanted = ", ".join(signature.parameters)
            raise self.error(f"{name} takes ({wanted}): {error}", node) from error
        operands: tuple[Value | float, ...] = ()
        settings: dict[str, float] = {}
        for setting, part in given.arguments.items():
            x = self.number(part)
            if signature.parameters[setting].kind is inspect.Parameter.POSITIONAL_ONLY:
                operands += (x,)
            elif isinstance(x, Value):
                raise self.error(f"{name}: {setting} must be a plain number, without a name", part)
            else:
                settings[setting] = x
        return self.apply(name, operands, settings, node)

    def apply(
        self,
        name: str,
        operands: tuple[Value | float, ...],
        settings: dict[str, float],
        place: ast.expr,
    ) -> Value | float:
        """The result of an operation; its errors become ValueErrors that show the place."""
        try:
            # With numbers alone the result is a float: 9 ** 9 ** 9 overflows at once.
            result: Value | float = getattr(operations, name)(*operands, **settings)
            return result
        except (ArithmeticError, ValueError) as error:
            said: Exception = error
            if not any(isinstance(x, Value) for x in operands):  # a Value's error says it all
                said = forward_error(RULES[name], operands, error)
            raise self.error(str(said), place) from error

    def refused(self, node: ast.AST, place: ast.AST | None = None) -> ValueError:
        """The error for what Python knows and an expression does not."""
        kind = REFUSED.get(type(node), type(node).__name__)
        return self.error(f"{kind} is not part of an expression", place or node)

    def error(self, message: str, node: ast.AST) -> ValueError:
        """The error at a place of the parser's, which counts lines, and bytes in a line."""
        line = self.lines[getattr(node, "lineno", 1) - 1]
        whole = getattr(node, "lineno", 1) != getattr(node, "end_lineno", 1)
        ends = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
        start, end = (len(line.encode()[:n].decode(errors="replace")) for n in ends)
        return _marked_error(message, line, start, len(line) if whole else end)


def _marked_error(message: str, line: str, start: int, end: int = 0) -> ValueError:
    """A ValueError that shows at most 60 characters of a line, with a part of it marked below."""
    start = min(max(start, 0), len(line))
    cut = max(0, start - 30)
    lead = "…" if cut else ""
    wide = min(end - start, len(line) - start, cut + 60 - start)
    mark = " " * (len(lead) + start - cut) + "^" * max(1, wide)
    return ValueError(f"expression: {message}\n  {lead}{shown(line[cut : cut + 60])}\n  {mark}")
