"""What models and optimizers show of themselves: layers, shapes, settings, how many numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.names import escaped

MOST_LINES = 60


def model_text(model: Any, kind: type) -> str:
    """A model made of modules of this kind: a line for each, and how many parameters there are."""
    lines = _module_lines(model, kind, ())
    if len(lines) > MOST_LINES:
        cut = len(lines) - MOST_LINES
        lines[MOST_LINES // 2 : -MOST_LINES // 2] = [f"  … {cut} more lines"]
    return "\n".join([*lines, *counted(model.parameters())])


def optimizer_text(optimizer: Any) -> str:
    """The settings of an optimizer, and how many parameters it has."""
    items = vars(optimizer).items()
    shown = [_shown_setting(name, x) for name, x in items if _is_setting(name, x)]
    shown += counted(vars(optimizer).get("parameters", ()))
    return f"{type(optimizer).__name__}({', '.join(shown)})"


def counted(parameters: Iterable[Any]) -> list[str]:
    """[4 parameters, 2260 numbers]; nothing if there are none."""
    sizes = [getattr(p.data, "size", 1) for p in parameters]
    counts = ((len(sizes), "parameter"), (sum(sizes), "number"))
    return [", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)] if sizes else []


def _module_lines(module: Any, kind: type, around: tuple[Any, ...]) -> list[str]:
    """A module with its own parameters and settings in the first line, then those inside it."""
    if any(module is outer for outer in around):  # one that refers back to a module around it
        return [f"{type(module).__name__}(…)"]
    if around and type(module).__repr__ is not kind.__repr__:
        return repr(module).splitlines()
    own, inside = [], []
    for name, part in _parts(vars(module).items(), "", ()):
        if isinstance(part, kind):
            first, *rest = _module_lines(part, kind, (*around, module))
            inside += [f"  ({name}): {first}", *(f"  {line}" for line in rest)]
        elif isinstance(part, Node) and not part.operands:
            own.append(f"{name} {part.data.shape}" if getattr(part.data, "shape", ()) else name)
        elif _are_leaves(part):
            own.append(f"{name} {len(part)} {type(part[0]).__name__}s")
        elif _is_setting(name, part) and name not in module.buffers:
            own.append(_shown_setting(name, part))
    head = f"{type(module).__name__}({', '.join(own)}"
    return [head, *inside, ")"] if inside else [head + ")"]


def _parts(
    items: Iterable[tuple[Any, Any]], prefix: str, around: tuple[Any, ...]
) -> Iterator[tuple[str, Any]]:
    """What a module holds, also in lists and dicts, by dotted names."""
    for key, part in items:
        name = f"{prefix}{escaped(key)}"
        if isinstance(part, dict | list | tuple) and not (
            _is_plain_setting(part) or _are_leaves(part)
        ):
            if not any(part is outer for outer in around):
                pairs = part.items() if isinstance(part, dict) else enumerate(part)
                yield from _parts(pairs, name + ".", (*around, part))
        else:
            yield name, part


def _are_leaves(part: Any) -> bool:
    """Whether this is a list of single numbers, such as the weights of a neuron."""
    nodes = isinstance(part, list | tuple) and bool(part) and isinstance(part[0], Node)
    return nodes and all(isinstance(x, Node) and not getattr(x.data, "shape", ()) for x in part)


def _is_setting(name: str, x: Any) -> bool:
    return not name.startswith("_") and _is_plain_setting(x)


def _is_plain_setting(x: Any) -> bool:
    """Whether this is a number, a string, or a few of them in a tuple."""
    if isinstance(x, tuple):
        return 0 < len(x) <= 4 and all(map(_is_plain_setting, x))
    return isinstance(x, bool | int | float | str)


def _shown_setting(name: str, x: Any) -> str:
    return f"{name}={escaped(repr(x))}"
