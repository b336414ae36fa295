"""A program as text: a function in Python, NumPy or JavaScript, or formulas in LaTeX or MathML."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tinygrad_edu.programs.generated import (
    MATH_FUNCTIONS,
    TAKEN,
    Code,
    Parameters,
    definition,
    leaf_names,
)
from tinygrad_edu.programs.languages import latex_name, mathml_name, written
from tinygrad_edu.programs.lines import Lines, lines_of
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.programs.trace import POINTS, Program
from tinygrad_edu.rules.tables import arrays


def source(program: Program, inputs: Parameters, name: str, language: str) -> str:
    """The text of a program. ValueError for a language that cannot say what it does."""
    writers: dict[str, Callable[..., str]] = {
        "python": _python, "numpy": _numpy, "javascript": _javascript,
        "latex": _latex, "mathml": _mathml,
    }  # fmt: skip
    if language not in writers:
        raise ValueError(f"language is {language!r}; use one of {', '.join(writers)}")
    if language in ("python", "javascript") and hasattr(program.seed, "dtype"):
        raise ValueError(f"language is {language!r}, which has no arrays; use numpy for Tensors")
    if language in ("latex", "mathml"):
        program = dataclasses.replace(program, guards=[])
        return writers[language](program, lines_of(program, ()))
    # an array, or a constant, cannot be written as a condition
    guards = [
        (guard, truth)
        for guard, truth in program.guards
        if isinstance(guard, Symbol) and not getattr(truth, "ndim", 0)
    ]
    program = dataclasses.replace(program, guards=guards)
    lists = {_list_name(i) for i, x in enumerate(inputs) if isinstance(x, list)}
    lines = lines_of(program, TAKEN | {name} | lists)
    return writers[language](program, lines, inputs, name)


def _list_name(i: int) -> str:
    return f"inputs_{i + 1}"


def _parameter_list(program: Program, names: dict[Symbol, str], inputs: Parameters) -> list[str]:
    """The inputs, and after a star what else has to be given by name."""
    others = [x for x in (*program.others, *program.constants, POINTS) if x in names]
    return [
        *(names[x] if isinstance(x, Symbol) else _list_name(i) for i, x in enumerate(inputs)),
        *(["*"] if others else []),
        *(names[x] for x in others),
    ]


def _begun(lines: Lines, inputs: Parameters, language: str) -> Code:
    """The forward pass, after the lists among the inputs have been unpacked."""
    code = Code(language, leaf_names(lines.names))
    for i, x in enumerate(inputs):
        if isinstance(x, list):
            code.unpack(x, _list_name(i))
    return code


def _function_text(
    program: Program, lines: Lines, inputs: Parameters, name: str, language: str
) -> str:
    """The text of a Python function that returns `value, gradients`."""
    code = _begun(lines, inputs, language)
    code.add(lines.lines[: lines.forward])
    for guard, truth in program.guards:
        code.lines.append(f"assert {'' if truth else 'not '}{code.text(guard)}")
    if backward := lines.lines[lines.forward :]:
        code.lines += ["", "# backward"]
        code.add(backward)
        code.lines.append("")
    gradients = [code.text(x) for x in program.gradients]
    returned = f"({', '.join(gradients)}{',' if len(gradients) == 1 else ''})"
    code.lines.append(f"return {code.text(program.value)}, {returned}")
    return definition(name, _parameter_list(program, lines.names, inputs), code.lines) + "\n"


def _python(program: Program, lines: Lines, inputs: Parameters, name: str) -> str:
    text = _function_text(program, lines, inputs, name, "program")
    called = sorted(MATH_FUNCTIONS.keys() & set(re.findall(r"\b(\w+)\(", text)) - {"abs"})
    imports = [
        theirs if theirs == ours else f"{theirs} as {ours}"
        for ours in called
        for theirs in [MATH_FUNCTIONS[ours].__name__]
    ]
    imports += [x for x in ("inf", "nan") if re.search(rf"\b{x}\b", text)]
    return (f"from math import {', '.join(imports)}\n\n\n" if imports else "") + text


def _numpy(program: Program, lines: Lines, inputs: Parameters, name: str) -> str:
    text = _function_text(program, lines, inputs, name, "numpy")
    head = ("import math\n\n" if "math." in text else "") + "import numpy as np\n\n\n"
    if re.search(r"\bput\(", text):
        head += (
            "def put(x, index, shape):\n    y = np.zeros(shape, x.dtype)\n"
            "    np.add.at(y, index, x)\n    return y\n\n\n"
        )
    for name in ("windows", "add_windows"):
        if re.search(rf"\b{name}\(", text):
            head += _without_annotations(getattr(arrays, name), name) + "\n\n\n"
    return head + text


def _without_annotations(function: Callable[..., Any], name: str) -> str:
    """The source of a function of ours, under another name, as one would type it."""
    import ast
    import inspect

    (definition,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(definition, ast.FunctionDef)
    definition.name, definition.returns, definition.body = name, None, definition.body[1:]
    for argument in definition.args.args:
        argument.annotation = None
    return ast.unparse(definition)


def _javascript(program: Program, lines: Lines, inputs: Parameters, name: str) -> str:
    code = _begun(lines, inputs, "javascript")
    code.lines = [f"const [{line.replace(', =', '] =')};" for line in code.lines]
    code.add(lines.lines[: lines.forward], "const {} = {};")
    for guard, truth in program.guards:
        condition = f"{'!' if truth else ''}({code.text(guard)})"
        code.lines.append(f'if ({condition}) throw new Error("the graph of another branch");')
    if backward := lines.lines[lines.forward :]:
        code.lines.append("// backward")
        code.add(backward, "const {} = {};")
    gradients = ", ".join(map(code.text, program.gradients))
    code.lines.append(f"return [{code.text(program.value)}, [{gradients}]];")
    names = ", ".join(x for x in _parameter_list(program, lines.names, inputs) if x != "*")
    return "\n".join([f"function {name}({names}) {{", *(f"  {line}" for line in code.lines), "}\n"])


def _equations(
    program: Program, lines: Lines, language: str, spelled: Callable[..., str], d: str
) -> list[tuple[str, str]]:
    """Left and right sides of the equations, with gradients as ∂value/∂name."""
    names = {symbol: spelled(name) for symbol, name in lines.names.items()}
    times = Counter(names.values())  # w2 and w_2 are spelled alike
    names |= {x: spelled(lines.names[x], False) for x, text in names.items() if times[text] > 1}
    value = names.get(program.value, "f") if isinstance(program.value, Symbol) else "f"
    by = {x: spelled(name) for x, name in lines.derivatives.items()}
    leaves = list(zip(program.wrt, program.gradients, strict=True))
    for leaf, x in reversed(leaves):
        if isinstance(x, Symbol) and x in by:
            by[x] = names[leaf]
    names |= {x: d.format(value, text) for x, text in by.items()}
    code = Code(language, leaf_names(names))
    equations = []
    for _, symbol in lines.lines:
        equations.append((names[symbol], code.text(symbol)))
        code.names[symbol] = names[symbol]
    for leaf, gradient in leaves:
        left, right = d.format(value, names[leaf]), written(gradient, language, names)
        if left != right:
            equations.append((left, right))
    return equations


def _latex(program: Program, lines: Lines) -> str:
    d = r"\frac{{\partial {}}}{{\partial {}}}"
    equations = _equations(program, lines, "latex", latex_name, d)
    rows = " \\\\\n".join(f"  {left} &= {right}" for left, right in equations)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n"


def _mathml(program: Program, lines: Lines) -> str:
    d = "<mfrac><mrow><mo>∂</mo>{}</mrow><mrow><mo>∂</mo>{}</mrow></mfrac>"
    rows = "\n".join(
        f"<mtr><mtd>{left}</mtd><mtd><mo>=</mo></mtd><mtd>{right}</mtd></mtr>"
        for left, right in _equations(program, lines, "mathml", mathml_name, d)
    )
    return (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">\n'
        f'<mtable columnalign="right center left">\n{rows}\n</mtable>\n</math>\n'
    )


def constant_values(program: Program, lines: Lines) -> dict[str, Any]:
    """The plain arrays that a program needs, by their names in it."""
    return {lines.names[x]: array for x, array in program.constants.items() if x in lines.names}
