"""Formulas for readers: LaTeX, and MathML, which browsers show."""

from __future__ import annotations

import html
import re
from typing import Any

from tinygrad_edu.programs.languages.language import Form, Language, infix
from tinygrad_edu.programs.symbols import SUM_OVER_POINTS, Symbol
from tinygrad_edu.rules.operators import ATOM, LOWEST, POWER, PRODUCT, UNARY

_SIGNS = {
    "add": ("+", "+"), "subtract": ("-", "-"), "multiply": (r"\cdot", "·"),
    "matmul": (r"\,", "&#x2062;"),  # MathML's is an invisible times
    "less": ("<", "&lt;"), "greater": (">", "&gt;"), "less_equal": (r"\le", "≤"),
    "greater_equal": (r"\ge", "≥"), "equal": ("=", "="), "not_equal": (r"\ne", "≠"),
    "logical_and": (r"\land", "∧"), "logical_or": (r"\lor", "∨"),
}  # fmt: skip
"""The signs between two operands, in LaTeX and in MathML."""

_SUM = (r"\sum {}", "<mrow><mo>∑</mo>{}</mrow>", PRODUCT, (UNARY,))

_NOTATIONS: dict[str, tuple[str, str, int, tuple[int, ...]]] = {
    "negative": ("-{}", "<mrow><mo>-</mo>{}</mrow>", UNARY, (POWER,)),
    "divide": (r"\frac{{{}}}{{{}}}", "<mfrac>{}{}</mfrac>", ATOM, (LOWEST, LOWEST)),
    "power": ("{}^{{{}}}", "<msup>{}{}</msup>", POWER, (ATOM, LOWEST)),
    "sqrt": (r"\sqrt{{{}}}", "<msqrt>{}</msqrt>", ATOM, (LOWEST,)),
    "abs": (r"\left|{}\right|", "<mrow><mo>|</mo>{}<mo>|</mo></mrow>", ATOM, (LOWEST,)),
    "where": (
        r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        "<mrow><mo>{{</mo><mtable><mtr><mtd>{1}</mtd><mtd><mtext>if&#160;</mtext>{0}</mtd></mtr>"
        "<mtr><mtd>{2}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr></mtable></mrow>",
        LOWEST, (LOWEST, LOWEST, LOWEST),
    ),
    "transpose": (r"{}^{{\top}}", "<msup>{}<mo>⊤</mo></msup>", POWER, (ATOM,)),
    "sum": _SUM,
    SUM_OVER_POINTS: _SUM,
}  # fmt: skip
"""What has a notation of its own: its templates, how it binds, and how its operands must bind."""

_SHORT_NAMES = {"maximum": "max", "minimum": "min"}
_LATEX_FUNCTIONS = {
    "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "arcsin", "arccos", "arctan",
    "maximum", "minimum",
}  # fmt: skip


def _latex_call(symbol: Symbol) -> Form:
    name = rf"\operatorname{{{{{symbol.name}}}}}".replace("_", r"\_")
    if symbol.name in _LATEX_FUNCTIONS:
        name = rf"\{_SHORT_NAMES.get(symbol.name, symbol.name)}"
    n = len(symbol.operands)
    return Form(rf"{name}\left({', '.join(['{}'] * n)}\right)", ATOM, (LOWEST,) * n)


def _mathml_call(symbol: Symbol) -> Form:
    name, n = _SHORT_NAMES.get(symbol.name, symbol.name), len(symbol.operands)
    operands = f"<mrow><mo>(</mo>{'<mo>,</mo>'.join(['{}'] * n)}<mo>)</mo></mrow>"
    text = f"<mrow><mi>{name}</mi><mo>&#x2061;</mo>{operands}</mrow>"
    return Form(text, ATOM, (LOWEST,) * n)


def _shown_number(x: Any) -> str:
    x = x.item() if hasattr(x, "item") else x
    whole = isinstance(x, bool) or (isinstance(x, float) and x.is_integer() and abs(x) < 1e16)
    return str(int(x) if whole else x)


def _repeated(x: Any) -> tuple[Any, str]:
    """The number that an array repeats, and its lengths. ValueError for another array."""
    if not x.size or not (x == x.flat[0]).all():
        raise ValueError(f"an array of shape {x.shape} cannot be written in formulas; use numpy")
    return x.flat[0], " × ".join(map(str, x.shape))


def _latex_number(x: Any) -> str:
    if getattr(x, "ndim", 0):
        number, lengths = _repeated(x)
        times = lengths.replace("×", r"\times")
        ones = rf"\mathbf{{1}}_{{{times}}}"
        return ones if number == 1 else rf"\left({_latex_number(number)} \, {ones}\right)"
    text = _shown_number(x)
    if text in ("inf", "-inf", "nan"):
        return {"inf": r"\infty", "-inf": r"-\infty"}.get(text, r"\mathrm{nan}")
    digits, e, exponent = text.partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if e else text


def _mathml_number(x: Any) -> str:
    if getattr(x, "ndim", 0):
        number, lengths = _repeated(x)
        ones = f'<msub><mn mathvariant="bold">1</mn><mtext>{lengths}</mtext></msub>'
        product = f"<mrow><mo>(</mo>{_mathml_number(number)}{ones}<mo>)</mo></mrow>"
        return ones if number == 1 else product
    text = _shown_number(x).replace("inf", "∞")
    digits, e, exponent = text.partition("e")
    shown = f"<mn>{digits.removeprefix('-')}</mn>"
    if e:
        power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>"
        shown = f"<mrow>{shown}<mo>·</mo>{power}</mrow>"
    return f"<mrow><mo>-</mo>{shown}</mrow>" if text.startswith("-") else shown


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


LATEX = Language(
    "LaTeX",
    {
        **{name: infix(name, sign=sign) for name, (sign, _) in _SIGNS.items()},
        **{name: Form(text, binds, least) for name, (text, _, binds, least) in _NOTATIONS.items()},
    },
    _latex_number,
    _latex_call,
    (r"\left(", r"\right)"),
)
MATHML = Language(
    "MathML",
    {
        **{
            name: infix(name, "<mrow>{}<mo>{sign}</mo>{}</mrow>", sign)
            for name, (_, sign) in _SIGNS.items()
        },
        **{name: Form(text, binds, least) for name, (_, text, binds, least) in _NOTATIONS.items()},
    },
    _mathml_number,
    _mathml_call,
    ("<mrow><mo>(</mo>", "<mo>)</mo></mrow>"),
)
