"""Other libraries that differentiate, each as an Oracle: ours is compared with theirs.

`foreign.py` says what an oracle is, and has the operand that carries our rules into a library. Then
one table for each library: rule names with that library's own functions.
"""

from __future__ import annotations

from importlib import import_module

from tinygrad_edu.check.oracles.foreign import Found, Oracle

INSTALL = {
    "torch": "pip install torch --index-url https://download.pytorch.org/whl/cpu",
    "jax": "pip install jax",
    "sympy": "pip install sympy",
    "autograd": "pip install autograd",
}
"""The libraries, with the command that installs each."""

_OPENED: dict[str, Oracle] = {}


def opened(name: str) -> Oracle:
    """The oracle of a library, which is imported now.

    ValueError for an unknown name; ImportError, with the command to install it, if it is missing.
    """
    if name not in INSTALL:
        raise ValueError(f"compare: with_ is {name!r}; there are {', '.join(map(repr, INSTALL))}")
    if name not in _OPENED:
        try:
            import_module(name)
        except ImportError as error:
            raise ImportError(
                f"compare: {name} cannot be imported ({error}); install it: {INSTALL[name]}"
            ) from error
        module = import_module(f"tinygrad_edu.check.oracles.{name}_oracle")
        _OPENED[name] = getattr(module, f"{name}_oracle")()
    return _OPENED[name]


__all__ = ["INSTALL", "Found", "Oracle", "opened"]
