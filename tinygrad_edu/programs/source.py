"""A program as text: a function in Python, NumPy or JavaScript, or formulas in LaTeX or MathML."""

from __future__ import annotations

import builtins
import dataclasses
import keyword
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol
from tinygrad_edu.programs.languages import latex_name, mathml_name, written
from tinygrad_edu.programs.lines import Lines, lines_of
from tinygrad_edu.programs.symbols import Symbol, function_names
from tinygrad_edu.programs.trace import POINTS, Program

Arguments = Sequence[Symbol | list[Symbol]]
"""The inputs as the function takes them: one by one, or several as a list."""

FUNCTIONS = {
    **{name: getattr(math, name) for name in function_names() if hasattr(math, name)},
    "abs": math.fabs, "pow": math.pow, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan,
}  # fmt: skip
"""What a Python program may call."""

_JAVASCRIPT_WORDS = """
    await break case catch class const continue debugger default delete do else enum eval export
    extends false finally for function if implements import in instanceof interface let new null
    package private protected public return static super switch this throw true try typeof var
    void while with yield arguments Infinity NaN undefined Math
"""
TAKEN = {
    *keyword.kwlist, *keyword.softkwlist, *vars(builtins), *FUNCTIONS, *_JAVASCRIPT_WORDS.split(),
    *function_names(), "np", "math", "put", "inf", "nan", "known",
}  # fmt: skip
"""Names that a variable of a program cannot have."""


def source(program: Program, arguments: Arguments, name: str, language: str) -> str:
    """The text of a program. ValueError for a language that cannot say what it does."""
    writers: dict[str, Callable[..., str]] = {
        "python": _python, "numpy": _numpy, "javascript": _javascript,
        "latex": _latex, "mathml": _mathml,
    }  # fmt: skip
    if language not in writers:
        raise ValueError(f"language is {language!r}; use one of {', '.join(writers)}")
    if language in ("python", "javascript") and isinstance(program.seed, ArraySymbol):
        raise ValueError(f"language is {language!r}, which has no arrays; use numpy for Tensors")
    code = writers[language] not in (_latex, _mathml)
    shown = [(x, truth) for x, truth in program.guards if code and _is_one_truth(x, truth)]
    program = dataclasses.replace(program, guards=shown)
    lists = {_list_name(i) for i, x in enumerate(arguments) if isinstance(x, list)}
    lines = lines_of(program, TAKEN | {name} | lists if code else ())
    return writers[language](program, lines, arguments, name)


def _is_one_truth(guard: Any, truth: Any) -> bool:
    """Whether a guard can be written as a condition: it is no array, and no constant."""
    return isinstance(guard, Symbol) and np.ndim(truth) == 0


def _list_name(i: int) -> str:
    return f"inputs_{i + 1}"


def texts(lines: Lines, language: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Names and texts of the lines of the forward pass, and of those of the backward pass."""
    names = {s: t for s, t in lines.names.items() if not s.operands}
    found = texts_of(lines.lines, language, names)
    return found[: lines.forward], found[lines.forward :]


def texts_of(
    lines: Sequence[tuple[str, Symbol]], language: str, names: dict[Symbol, str]
) -> list[tuple[str, str]]:
    """Names and texts of lines; the names are added to those that are known."""
    found = []
    for name, symbol in lines:
        found.append((name, written(symbol, language, names)))
        names[symbol] = name
    return found


def _signature(program: Program, lines: Lines, arguments: Arguments) -> tuple[list[str], list[str]]:
    """The parameters, and the lines that unpack those which are lists."""
    parameters, unpacking = [], []
    for i, argument in enumerate(arguments):
        if isinstance(argument, Symbol):
            parameters.append(lines.names[argument])
        else:
            parameters.append(_list_name(i))
            if argument:
                unpacking.append(
                    f"{''.join(f'{lines.names[x]}, ' for x in argument)}= {parameters[-1]}"
                )
    others = [lines.names[x] for x in (*program.others, *program.constants) if x in lines.names]
    if POINTS in lines.names:
        others.append(lines.names[POINTS])
    return parameters + (["*", *others] if others else []), unpacking


def _function(
    program: Program, lines: Lines, arguments: Arguments, name: str, language: str
) -> list[str]:
    """The lines of a Python function; what it returns is `value, gradients`."""
    parameters, unpacking = _signature(program, lines, arguments)
    forward, backward = texts(lines, language)
    gradients = [written(x, language, lines.names) for x in program.gradients]
    returned = f"({', '.join(gradients)}{',' if len(gradients) == 1 else ''})"
    body = [*unpacking, *(f"{n} = {text}" for n, text in forward)]
    for guard, truth in program.guards:
        body.append(f"assert {'' if truth else 'not '}{written(guard, language, lines.names)}")
    if gradients and backward:
        body += ["", "# backward", *(f"{n} = {text}" for n, text in backward), ""]
    value = written(program.value, language, lines.names)
    body.append(f"return {value}, {returned}")
    return [f"def {name}({', '.join(parameters)}):", *(f"    {line}".rstrip() for line in body)]


def _python(program: Program, lines: Lines, arguments: Arguments, name: str) -> str:
    function = _function(program, lines, arguments, name, "program")
    text = "\n".join(function)
    used = {"abs", "pow"} & set(re.findall(r"\b(abs|pow)(?=\()", text))
    names = [f for f in FUNCTIONS if f not in ("abs", "pow") and re.search(rf"\b{f}\(", text)]
    imports = [f"{FUNCTIONS[f].__name__}" + (f" as {f}" if FUNCTIONS[f].__name__ != f else "")
               for f in sorted({*names, *used} - {"abs"})]  # fmt: skip
    imports += [x for x in ("inf", "nan") if re.search(rf"\b{x}\b", text)]
    head = f"from math import {', '.join(imports)}\n\n\n" if imports else ""
    return head + text + "\n"


def _numpy(program: Program, lines: Lines, arguments: Arguments, name: str) -> str:
    text = "\n".join(_function(program, lines, arguments, name, "numpy"))
    head = "import numpy as np\n\n\n"
    if re.search(r"\bput\(", text):
        head += (
            "def put(x, index, shape):\n    y = np.zeros(shape, x.dtype)\n"
            "    np.add.at(y, index, x)\n    return y\n\n\n"
        )
    return head + text + "\n"


def _javascript(program: Program, lines: Lines, arguments: Arguments, name: str) -> str:
    parameters, unpacking = _signature(program, lines, arguments)
    forward, backward = texts(lines, "javascript")
    body = [f"const [{line.replace(', =', '] =')};" for line in unpacking]
    body += [f"const {n} = {text};" for n, text in forward]
    for guard, truth in program.guards:
        condition = f"{'!' if truth else ''}({written(guard, 'javascript', lines.names)})"
        body.append(f'if ({condition}) throw new Error("the graph of another branch");')
    if backward:
        body += ["// backward", *(f"const {n} = {text};" for n, text in backward)]
    value, *gradients = (
        written(x, "javascript", lines.names) for x in (program.value, *program.gradients)
    )
    body.append(f"return [{value}, [{', '.join(gradients)}]];")
    names = ", ".join(p for p in parameters if p != "*")
    return "\n".join([f"function {name}({names}) {{", *(f"  {line}" for line in body), "}\n"])


def _formulas(
    program: Program, lines: Lines, language: str, spelled: Callable[..., str], d: str
) -> list[tuple[str, str]]:
    """Left and right sides of the equations, with gradients as ∂value/∂name."""
    names = {symbol: spelled(name) for symbol, name in lines.names.items()}
    times = Counter(names.values())  # w2 and w_2 are spelled alike
    names |= {x: spelled(lines.names[x], False) for x, text in names.items() if times[text] > 1}
    value = names.get(program.value, "f") if isinstance(program.value, Symbol) else "f"
    named = {x: spelled(by) for x, by in lines.derivatives.items()}
    leaves = zip(program.wrt, program.gradients, strict=True)
    derived = [(leaf, x) for leaf, x in leaves if isinstance(x, Symbol) and x in lines.derivatives]
    named |= {x: names[leaf] for leaf, x in reversed(derived)}
    names |= {x: d.format(value, by) for x, by in named.items()}
    equations = []
    known = {s: t for s, t in names.items() if not s.operands}
    for _, symbol in lines.lines:
        equations.append((names[symbol], written(symbol, language, known)))
        known[symbol] = names[symbol]
    for leaf, gradient in zip(program.wrt, program.gradients, strict=True):
        left = d.format(value, names[leaf])
        right = written(gradient, language, names)
        if left != right:
            equations.append((left, right))
    return equations


def _latex(program: Program, lines: Lines, arguments: Arguments, name: str) -> str:
    d = r"\frac{{\partial {}}}{{\partial {}}}"
    equations = _formulas(program, lines, "latex", latex_name, d)
    rows = " \\\\\n".join(f"  {left} &= {right}" for left, right in equations)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n"


def _mathml(program: Program, lines: Lines, arguments: Arguments, name: str) -> str:
    d = "<mfrac><mrow><mo>∂</mo>{}</mrow><mrow><mo>∂</mo>{}</mrow></mfrac>"
    rows = "\n".join(
        f"<mtr><mtd>{left}</mtd><mtd><mo>=</mo></mtd><mtd>{right}</mtd></mtr>"
        for left, right in _formulas(program, lines, "mathml", mathml_name, d)
    )
    return (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">\n'
        f'<mtable columnalign="right center left">\n{rows}\n</mtable>\n</math>\n'
    )


def constant_values(program: Program, lines: Lines) -> dict[str, Any]:
    """The plain arrays that a program needs, by their names in it."""
    return {lines.names[s]: np.asarray(x) for s, x in program.constants.items() if s in lines.names}
