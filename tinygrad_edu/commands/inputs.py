"""Inputs for a function of a script: from the command line, from the script, or its defaults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

from tinygrad_edu.check.libraries.recognition import is_torch_rule, takes_context
from tinygrad_edu.commands.check_targets import found_in
from tinygrad_edu.commands.expression import closest, shown
from tinygrad_edu.commands.input_forms import NameInScript, RandomArray, Setting
from tinygrad_edu.commands.options import UsageError
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shape_of


class MissingInputsError(UsageError):
    """Inputs that are required and not given; `needs` says of each target which."""

    def __init__(self, needs: list[str], first: str, instead: str = "") -> None:
        self.needs, self.first = needs, first
        super().__init__(
            f"{'; '.join(needs)}; give a number ({first}=0.5), the shape of a random array "
            f"({first}=3x4) or a name of the script{instead}"
        )


class MissingArgumentsError(UsageError):
    """A class of which no object can be made; `why` says it in a few words."""

    def __init__(self, name: str, required: list[str]) -> None:
        self.why = f"a class that needs {', '.join(required)}"
        super().__init__(
            f"{name} is {self.why}; give {required[0]}=..., or make an object of it in the script "
            "and check that"
        )


class Inputs:
    """What a target is called with. `drawn` says which random arrays were made, `used` which of the
    given inputs it takes. With `shared`, those that it does not take are for other targets."""

    def __init__(
        self, path: str, name: str, names: dict[str, Any], given: dict[str, Any], seed: int,
        shared: bool = False,
    ) -> None:  # fmt: skip
        self.path, self.name, self.names, self.given = path, name, names, given
        self.seed, self.shared = seed, shared
        self.drawn: list[str] = []
        self.used: set[str] = set()
        self._order: list[tuple[str, bool]] = []
        self._fixed: dict[str, Any] = {}
        self._settings: set[str] = set()

    def of(
        self, function: Callable[..., Any], by_hand: bool = False
    ) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The function of its inputs alone, and the inputs by name.

        Inputs are numbers, floating arrays and nodes, given or by default; anything else that is
        given, such as an array of labels, stays as it is at every call, and so do other defaults.
        Where there is a derivative by hand, a number by default beside required inputs is a setting
        (the slope of a leaky ReLU). Beside arrays, numbers are arrays of shape (). UsageError for
        an input that is missing, or unknown.
        """
        parameters = _parameters_of(function)
        if by_hand and any(_is_required(p) for p in parameters):
            self._settings.update(p.name for p in parameters if _is_real(p.default))
        chosen, by_keyword = self._chosen(parameters)
        inputs = {
            name: x for name, x in chosen.items() if _is_input(x) and name not in self._settings
        }
        self._fixed = {name: x for name, x in chosen.items() if name not in inputs}
        self._order = [(name, name in inputs) for name in chosen]
        if any(map(_has_axes, inputs.values())):
            import numpy as np

            inputs = {k: np.array(x) if isinstance(x, float) else x for k, x in inputs.items()}
        if not (by_keyword or self._fixed):
            return function, inputs

        return self._of_inputs(function, by_keyword), inputs

    def of_layer(self, layer: Callable[..., Any]) -> list[Any]:
        """All that is given to a forward pass, in order, with the defaults between. UsageError as
        for a function."""
        parameters = _parameters_of(layer)
        chosen, _ = self._chosen(parameters)
        for p in parameters:
            if p.kind is p.KEYWORD_ONLY and p.name in chosen:
                raise UsageError(
                    f"{p.name}=...: {self.name} takes it by its name alone, and a layer is called "
                    "with its inputs in order"
                )
        named = [p for p in parameters if not _takes_many(p)]
        last = max((i for i, p in enumerate(named) if p.name in chosen), default=-1)
        in_order = [chosen.pop(p.name, p.default) for p in named[: last + 1]]
        return [*in_order, *chosen.values()]

    def like(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A second function, to be called with what the first one gets, in that order."""
        if not callable(function):
            raise UsageError(f"{shown(repr(function))} is not a function")
        return self._of_inputs(function, by_keyword=False) if self._fixed else function

    def _of_inputs(self, function: Callable[..., Any], by_keyword: bool) -> Callable[..., Any]:
        """The function of its inputs alone: all else that it gets is fixed."""

        @functools.wraps(function, updated=())
        def of_inputs(*inputs: Any) -> Any:
            xs = iter(inputs)
            given = {name: next(xs) if moves else self._fixed[name] for name, moves in self._order}
            return function(**given) if by_keyword else function(*given.values())

        return of_inputs

    def _chosen(self, parameters: list[inspect.Parameter]) -> tuple[dict[str, Any], bool]:
        """What a function is called with, by name, and whether names are needed for it."""
        missing = self._missing(parameters)
        if missing:
            raise self.needs(missing)
        chosen: dict[str, Any] = {}
        by_keyword = some_left_out = False
        for p in parameters:
            if _takes_many(p):
                continue
            if p.name in self.given:
                x = self._given_for(p)
                chosen[p.name] = x if p.name in self._settings else _as_input(x)
            elif p.kind is not p.KEYWORD_ONLY and _is_input(p.default):
                chosen[p.name] = _as_input(p.default)
            else:
                some_left_out = True
            if p.name in chosen:
                by_keyword = by_keyword or some_left_out or p.kind is p.KEYWORD_ONLY
        more = [name for name in self.given if name not in chosen and name not in self.used]
        if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
            self._check_known(more, parameters)
            more = []
        self.used.update(name for name in (*chosen, *more) if name in self.given)
        return chosen | {name: _as_input(self._input(name)) for name in more}, by_keyword

    def missing_alone(self, function: Callable[..., Any]) -> str:
        """The input of a function that needs one, and for which nothing is given; else ""."""
        parameters = _parameters_of(function)
        required = [p.name for p in parameters if _is_required(p)]
        is_given = any(p.name in self.given for p in parameters)
        return required[0] if len(required) == 1 and not is_given else ""

    def _missing(self, parameters: list[inspect.Parameter]) -> list[str]:
        return [p.name for p in parameters if _is_required(p) and p.name not in self.given]

    def needs(self, missing: list[str]) -> MissingInputsError:
        return MissingInputsError([f"{self.name} needs {', '.join(missing)}"], missing[0])

    def _check_known(self, names: list[str], parameters: list[inspect.Parameter]) -> None:
        if names and not self.shared:
            known = [p.name for p in parameters]
            raise UsageError(
                f"{shown(names[0])}: {self.name} has no such input; {closest(names[0], known)}"
            )

    def _given_for(self, p: inspect.Parameter) -> Any:
        """What is given for a parameter: the default tells a setting, and a text from a name."""
        form = self.given[p.name]
        if isinstance(form, NameInScript) and isinstance(p.default, str):
            in_script = self.names.get(form.name)
            return in_script if isinstance(in_script, str) else form.name
        if p.default is not p.empty and not _is_input(p.default):
            self._settings.add(p.name)  # axis=1, where the default is None
        return self._input(p.name)

    @functools.cached_property
    def _rng(self) -> Any:
        """Loaded when the first array is drawn: functions of numbers need no NumPy."""
        import numpy as np

        return np.random.default_rng(self.seed)

    def made(self, kind: type) -> Any:
        """An object of a class of the script, from the inputs that have the names of its
        parameters."""
        parameters = _parameters_of(kind)
        required = self._missing(parameters)
        if required:
            raise MissingArgumentsError(self.name, required)
        taken = [p for p in parameters if p.name in self.given and not _takes_many(p)]
        self.used.update(p.name for p in taken)
        return kind(**{p.name: self._given_for(p) for p in taken})

    def found(self, name: str) -> Any:
        """What the script has by a name. ScriptError if there is nothing."""
        return found_in(self.path, self.names, name)

    def refuse(self, why: str) -> None:
        """UsageError if there are inputs, unless they are for others."""
        if self.given and not self.shared:
            raise UsageError(f"{next(iter(self.given))}=...: {why}")

    def _input(self, name: str) -> Any:
        form = self.given[name]
        if isinstance(form, Setting):
            self._settings.add(name)
            form = form.value
        if isinstance(form, RandomArray):
            self.drawn.append(f"{name} {form}")
            return form.drawn(self._rng)
        if not isinstance(form, NameInScript):
            return form
        if form.name in self.names:
            return self.names[form.name]
        known = [
            x for x, found in self.names.items()
            if _has_shape(found) or (_is_input(found) and x[:2] != "__")
        ]  # fmt: skip
        raise UsageError(
            f"{name}={shown(form.name)}: not a number, not a shape such as 3x4, and {self.path} "
            f"has nothing by this name; {closest(form.name, known)}; for a text write "
            f"\"{name}='{shown(form.name)}'\""
        )


def _parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function, of a class, of the forward pass of an object, or of a torch
    Function and its apply, whose context is not an input."""
    rule: Any = getattr(function, "__self__", function)
    if is_torch_rule(rule):
        return _parameters_of(rule.forward)[takes_context(rule) :]
    if not isinstance(function, type):
        function = getattr(function, "forward", function)
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions do not tell
        return []


def _takes_many(p: inspect.Parameter) -> bool:
    return p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)


def _is_required(p: inspect.Parameter) -> bool:
    return p.default is p.empty and not _takes_many(p)


def _is_input(x: Any) -> bool:
    """Whether something can be moved a little: a number, a floating array or list, a node."""
    if isinstance(x, Node):
        return True
    if _has_shape(x):
        dtype = getattr(x, "dtype", "")
        return "float" in getattr(dtype, "name", str(dtype))  # those of torch have no name
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_is_real, _flat(x))) and any(
            isinstance(y, float) for y in _flat(x)
        )  # fmt: skip
    return _is_real(x)


def _as_input(x: Any) -> Any:
    return float(x) if type(x) is int else x


def _is_real(x: Any) -> bool:
    return isinstance(x, Real) and not isinstance(x, bool)


def _has_shape(x: Any) -> bool:
    return isinstance(getattr(x, "shape", None), tuple) and not isinstance(x, Real)


def _has_axes(x: Any) -> bool:
    """Whether an input is an array or a list, or a node of one, and not a single number."""
    return isinstance(x, list | tuple) or bool(shape_of(x.data if isinstance(x, Node) else x))


def _flat(x: Any) -> Iterator[Any]:
    for y in x:
        yield from _flat(y) if isinstance(y, list | tuple) else (y,)
