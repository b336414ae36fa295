"""Every operation with its derivative, once.

Start with `rule.py` (what a rule is), then `elementwise.py`. `reductions.py`, `arrays.py` and
`sliding.py` have the rules for Tensors, `compositions.py` what is made of them. They need NumPy,
and are imported when somebody asks for one of them, or for all `RULES`. Editors read the names in
the stub beside this file, which `tests/stubs.py` writes.
"""

import builtins
from importlib import import_module
from typing import Any

from tinygrad_edu.rules import elementwise as _elementwise  # declares the rules of numbers
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES as _RULES
from tinygrad_edu.rules.rule import facts_of, name_of, rule, settings_of, symbol_of
from tinygrad_edu.rules.tables import of, operations


def ours(public: bool = False) -> dict[str, Any]:
    """The operations of the package that are declared so far, by name; the public ones are those
    that `tinygrad_edu` exports."""
    return {
        name: getattr(operations, name)
        for name, made_by in _RULES.items()
        if is_ours(made_by) and (facts_of(made_by).public or not public)
    }


def with_arrays(public: bool = False) -> dict[str, Any]:
    """The same, with the rules for arrays, and what is made of them, if NumPy is there."""
    try:
        for module in ("reductions", "arrays", "sliding"):
            import_module(f"{__name__}.{module}")
        made_of_rules = import_module(f"{__name__}.compositions").COMPOSITIONS
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        made_of_rules = {}
    return {**ours(public), **made_of_rules}


def listed(*names: str, public: bool = False) -> list[str]:
    """What a star import brings: these names and the operations, without those that would hide a
    function of Python, such as max."""
    return sorted({*names, *(with_arrays(public).keys() - vars(builtins).keys())})


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return listed("RULES", "name_of", "of", "operations", "rule", "settings_of", "symbol_of")
    if not name.startswith("_"):
        globals().update(with_arrays(), RULES=_RULES)
    if name not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals()[name]


globals().update(ours())
