"""Formulas for readers: LaTeX, and MathML, which browsers show."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np

from tinygrad_edu.programs.languages.language import (
    ATOM,
    COMPARISON,
    LOWEST,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Form,
    Language,
)
from tinygrad_edu.programs.symbols import Symbol

_INFIX = {
    "add": ("+", SUM, SUM, PRODUCT), "subtract": ("-", SUM, SUM, PRODUCT),
    "less": ("<", COMPARISON, SUM, SUM), "greater": (">", COMPARISON, SUM, SUM),
    "less_equal": ("≤", COMPARISON, SUM, SUM), "greater_equal": ("≥", COMPARISON, SUM, SUM),
    "equal": ("=", COMPARISON, SUM, SUM), "not_equal": ("≠", COMPARISON, SUM, SUM),
    "logical_and": ("∧", LOWEST, SUM, SUM), "logical_or": ("∨", LOWEST, SUM, SUM),
    "multiply": ("·", PRODUCT, PRODUCT, UNARY), "matmul": ("", PRODUCT, PRODUCT, UNARY),
}  # fmt: skip

_LATEX_SIGNS = {
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "∧": r"\land", "∨": r"\lor", "·": r"\cdot", "": r"\,",
}  # fmt: skip

_KNOWN = ("log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "arcsin", "arccos", "arctan")

_LATEX = {
    **{
        name: Form(f"{{}} {_LATEX_SIGNS.get(sign, sign)} {{}}", precedence, (x, y))
        for name, (sign, precedence, x, y) in _INFIX.items()
    },
    **{name: Form(rf"\{name}\left({{}}\right)", ATOM, (LOWEST,)) for name in _KNOWN},
    "maximum": Form(r"\max\left({}, {}\right)", ATOM, (LOWEST, LOWEST)),
    "minimum": Form(r"\min\left({}, {}\right)", ATOM, (LOWEST, LOWEST)),
    "negative": Form("-{}", UNARY, (POWER,)),
    "divide": Form(r"\frac{{{}}}{{{}}}", ATOM, (LOWEST, LOWEST)),
    "power": Form("{}^{{{}}}", POWER, (ATOM, LOWEST)),
    "sqrt": Form(r"\sqrt{{{}}}", ATOM, (LOWEST,)),
    "abs": Form(r"\left|{}\right|", ATOM, (LOWEST,)),
    "where": Form(
        r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        LOWEST, (LOWEST, LOWEST, LOWEST),
    ),
    "transpose": Form(r"{}^{{\top}}", POWER, (ATOM,)),
    "sum": Form(r"\sum {}", PRODUCT, (UNARY,)),
    "sum_over_points": Form(r"\sum {}", PRODUCT, (UNARY,)),
}  # fmt: skip


def _latex_form(symbol: Symbol) -> Form:
    name = symbol.name.replace("_", r"\_")
    operands = ", ".join(["{}"] * len(symbol.operands))
    return Form(
        rf"\operatorname{{{{{name}}}}}\left({operands}\right)",
        ATOM,
        (LOWEST,) * len(symbol.operands),
    )


def _plain(x: Any) -> Any:
    x = x.item() if isinstance(x, np.ndarray | np.generic) else x
    if isinstance(x, bool):
        return int(x)
    return int(x) if isinstance(x, float) and x.is_integer() and abs(x) < 1e16 else x


def _repeated(x: Any) -> tuple[Any, str]:
    """The number that an array repeats, and its lengths. ValueError for another array."""
    if not x.size or not np.array_equal(x, np.full_like(x, x.flat[0])):
        raise ValueError(f"an array of shape {x.shape} cannot be written in formulas; use numpy")
    return x.flat[0], " × ".join(map(str, x.shape))


def _latex_number(x: Any) -> str:
    if isinstance(x, np.ndarray) and x.ndim:
        number, lengths = _repeated(x)
        times = lengths.replace("×", r"\times")
        ones = rf"\mathbf{{1}}_{{{times}}}"
        return ones if number == 1 else rf"\left({_latex_number(number)} \, {ones}\right)"
    text = str(_plain(x))
    if text in ("inf", "-inf", "nan"):
        return {"inf": r"\infty", "-inf": r"-\infty"}.get(text, r"\mathrm{nan}")
    digits, e, exponent = text.partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if e else text


def latex_name(name: str, index: bool = True) -> str:
    """A variable: `w1` and `w_1` are w with the index 1, `apple_count` is upright text.

    Without `index`, names that differ are spelled differently.
    """
    if index and (match := re.fullmatch(r"([^\W\d_])_?(\d+)", name)):
        return f"{match[1]}_{{{match[2]}}}"
    return name if len(name) == 1 else rf"\mathrm{{{name}}}".replace("_", r"\_")


def mathml_name(name: str, index: bool = True) -> str:
    """A variable, as `latex_name`."""
    if index and (match := re.fullmatch(r"([^\W\d_])_?(\d+)", name)):
        return f"<msub><mi>{match[1]}</mi><mn>{match[2]}</mn></msub>"
    return f"<mi>{html.escape(name)}</mi>"


def _operator(sign: str) -> str:
    return f"<mo>{html.escape(sign) or '&#x2062;'}</mo>"  # an invisible times


_MATHML = {
    **{
        name: Form(f"<mrow>{{}}{_operator(sign)}{{}}</mrow>", precedence, (x, y))
        for name, (sign, precedence, x, y) in _INFIX.items()
    },
    "negative": Form("<mrow><mo>-</mo>{}</mrow>", UNARY, (POWER,)),
    "divide": Form("<mfrac>{}{}</mfrac>", ATOM, (LOWEST, LOWEST)),
    "power": Form("<msup>{}{}</msup>", POWER, (ATOM, LOWEST)),
    "sqrt": Form("<msqrt>{}</msqrt>", ATOM, (LOWEST,)),
    "abs": Form("<mrow><mo>|</mo>{}<mo>|</mo></mrow>", ATOM, (LOWEST,)),
    "where": Form(
        "<mrow><mo>{{</mo><mtable><mtr><mtd>{1}</mtd><mtd><mtext>if&#160;</mtext>{0}</mtd></mtr>"
        "<mtr><mtd>{2}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr></mtable></mrow>",
        LOWEST, (LOWEST, LOWEST, LOWEST),
    ),
    "transpose": Form("<msup>{}<mo>⊤</mo></msup>", POWER, (ATOM,)),
    "sum": Form("<mrow><mo>∑</mo>{}</mrow>", PRODUCT, (UNARY,)),
    "sum_over_points": Form("<mrow><mo>∑</mo>{}</mrow>", PRODUCT, (UNARY,)),
}  # fmt: skip


def _mathml_form(symbol: Symbol) -> Form:
    name = {"maximum": "max", "minimum": "min"}.get(symbol.name, symbol.name)
    operands = "<mo>,</mo>".join(["{}"] * len(symbol.operands))
    text = (
        f"<mrow><mi>{name}</mi><mo>&#x2061;</mo><mrow><mo>(</mo>{operands}<mo>)</mo></mrow></mrow>"
    )
    return Form(text, ATOM, (LOWEST,) * len(symbol.operands))


def _mathml_number(x: Any) -> str:
    if isinstance(x, np.ndarray) and x.ndim:
        number, lengths = _repeated(x)
        ones = f'<msub><mn mathvariant="bold">1</mn><mtext>{lengths}</mtext></msub>'
        product = f"<mrow><mo>(</mo>{_mathml_number(number)}{ones}<mo>)</mo></mrow>"
        return ones if number == 1 else product
    text = str(_plain(x)).replace("inf", "∞")
    digits, e, exponent = text.partition("e")
    shown = f"<mn>{digits.removeprefix('-')}</mn>"
    if e:
        power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>"
        shown = f"<mrow>{shown}<mo>·</mo>{power}</mrow>"
    return f"<mrow><mo>-</mo>{shown}</mrow>" if text.startswith("-") else shown


LATEX = Language("LaTeX", _LATEX, _latex_number, _latex_form, (r"\left(", r"\right)"))
MATHML = Language(
    "MathML", _MATHML, _mathml_number, _mathml_form, ("<mrow><mo>(</mo>", "<mo>)</mo></mrow>")
)
