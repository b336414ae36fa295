"""Stubs for editors and mypy, made from what there is: `python tests/stubs.py` writes them.

The names follow from the rules, at run time; editors read files. A test compares the two.
"""

import builtins
from pathlib import Path
from types import ModuleType

import tinygrad_edu as tg
from tinygrad_edu.rules import RULES, compositions, operations
from tinygrad_edu.rules.operators import OPERATORS
from tinygrad_edu.rules.rule import facts_of

PACKAGE = Path(tg.__file__).parent
HEAD = '"""{}. Written by tests/stubs.py; do not edit."""\n'


def imported(name, x):
    """The line that imports a name from where it is defined."""
    if isinstance(x, ModuleType):
        home = x.__name__.rpartition(".")[0]
    else:
        home = "tinygrad_edu.rules.rule" if name == "RULES" else x.__module__
    home = "tinygrad_edu.rules.tables" if name == "operations" else home
    return f"from {home} import {name} as {name}"


def names_of(module, title):
    """A stub of a module that has its names from elsewhere."""
    hiding = [name for name in RULES if hasattr(builtins, name)]
    names = sorted({*module.__all__, *hiding})
    lines = sorted(imported(name, getattr(module, name)) for name in names)
    public = "".join(f'    "{name}",\n' for name in module.__all__)
    return "\n".join([HEAD.format(title), *lines, "", f"__all__ = [\n{public}]\n"])


def methods():
    """A stub of the classes that give nodes the rules as methods."""
    text = HEAD.format("The rules as methods of nodes")
    text += "\nfrom typing import Any, Self\n"
    text += (
        "\nfrom tinygrad_edu.rules import arrays, compositions, elementwise, reductions, sliding\n"
    )
    for kind, arrays in (("RuleMethods", False), ("ArrayRuleMethods", True)):
        text += f"\nclass {kind}:\n"
        for name, rule in RULES.items():
            facts = facts_of(rule)
            if facts.method and facts.arrays is arrays:
                home = getattr(operations, name).__module__.rpartition(".")[2]
                text += f"    {name} = {home}.{name}\n"
        for name in ("windows", *sorted(compositions.methods)) if arrays else ():
            home = getattr(operations, name).__module__.rpartition(".")[2]
            text += f"    {name} = {home}.{name}\n"
        for name in ("matmul",) if arrays else ("add", "subtract", "multiply", "divide", "power"):
            special = OPERATORS[name].function.__name__
            for prefix in ("", "r", "i"):
                text += f"    def __{prefix}{special}__(self, other: Any, /) -> Self: ...\n"
    return text


def stubs():
    """Every stub, by its path in the package."""
    version = "\n__version__: str\n"
    return {
        "__init__.pyi": names_of(tg, "The public names") + version,
        "rules/__init__.pyi": names_of(tg.rules, "The rules, and what finds them"),
        "engine/rule_methods.pyi": methods(),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        (PACKAGE / path).write_text(text, encoding="utf-8")
