"""How hand-written backward passes are called: by the names of their parameters, as far as those
decide, and else by every call that makes sense, of which the one is taken that gives gradients."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from tinygrad_edu.check.layers.structures import is_numbers

Kind = Literal["adjoint", "adjoints", "input", "cache", "output", "rate"]

RATE = 0.5
"""The learning rate that a backward pass is called with, if it asks for one."""
MOST_TRIED = 12

CACHES = {"cache", "caches", "ctx", "context", "res", "residual", "residuals", "saved", "memo",
          "tape", "store", "memory", "intermediates", "activations"}  # fmt: skip
RATES = {"lr", "learningrate", "eta", "alpha", "rate", "stepsize", "learnrate"}
OUTPUT_NAMES = {"out", "output", "outputs", "yhat", "ypred", "result"}
ADJOINTS = {"g", "d", "gy", "gz", "gout", "ct", "cotangent", "cotangents", "upstream", "error",
            "err", "seed"}  # fmt: skip
NO_ADJOINTS = {"data", "dataset", "date", "day", "debug", "decay", "default", "degree", "degrees",
               "den", "denominator", "depth", "device", "diag", "dict", "diff", "difference",
               "dilation", "dim", "dims", "dimension", "dist", "distance", "div", "done", "drop",
               "dropout", "dtype", "dmodel", "dk", "duration", "dummy", "dropoutparam",
               "deterministic"}  # fmt: skip
"""Names with a d in front that are no derivatives."""


class Role(NamedTuple):
    """What a parameter of backward is given: the adjoint of an output, an input, a cache …"""

    kind: Kind
    place: int = 0


class Argument(NamedTuple):
    """An argument of backward: its role, its name, whether it is given by name, and its text."""

    role: Role
    name: str
    keyword: bool
    text: str


@dataclass(frozen=True)
class Forwarded:
    """What a forward pass returned: outputs, each of which may have an adjoint, and what else it
    keeps for the backward pass."""

    outputs: list[Any]
    caches: list[Any]

    @staticmethod
    def of(returned: Any) -> Forwarded:
        if not isinstance(returned, tuple) or not returned:
            return Forwarded([returned], [])
        outputs = [x for i, x in enumerate(returned) if i == 0 or _is_floating(x)]
        rest = [x for x in returned[1:] if not _is_floating(x)]
        return Forwarded(outputs, rest)

    @property
    def one_number(self) -> bool:
        """Whether there is one output of one number, as that of a loss."""
        return len(self.outputs) == 1 and is_numbers(self.outputs[0]) and (
            int(np.prod(np.shape(self.outputs[0]))) == 1
        )  # fmt: skip

    @property
    def kept(self) -> list[Any]:
        """What may be a cache: what is not an output, or else the outputs after the first."""
        return self.caches or self.outputs[1:]


def _is_floating(x: Any) -> bool:
    return is_numbers(x) and (not hasattr(x, "dtype") or "float" in str(x.dtype))


@dataclass(frozen=True)
class Call:
    """One way to call a backward pass. `weighed` are the outputs whose adjoints it is given, `rate`
    is the learning rate that it has. An `elementwise` one is f'(x), which is multiplied by dout."""

    arguments: tuple[Argument, ...]
    weighed: tuple[int, ...]
    rate: float | None = None
    name: str = "backward"
    elementwise: bool = False

    @property
    def has_adjoint(self) -> bool:
        """Whether an adjoint is among the arguments, or backward has none and looks for it."""
        kinds = {a.role.kind for a in self.arguments}
        is_given = self.elementwise or bool(kinds & {"adjoint", "adjoints"})
        return is_given or not self.arguments

    @property
    def text(self) -> str:
        """The call as it would be written."""
        call = f"{self.name}({', '.join(a.text for a in self.arguments)})"
        return f"dout * {call}" if self.elementwise else call

    def run(
        self, backward: Callable[..., Any], inputs: Sequence[Any], forwarded: Forwarded,
        adjoints: Sequence[Any],
    ) -> Any:  # fmt: skip
        """Call backward with these inputs, and an adjoint for each of the weighed outputs."""

        def value(role: Role) -> Any:
            if role.kind == "rate":
                return self.rate
            if role.kind == "adjoints":
                return tuple(adjoints)
            held = {"adjoint": adjoints, "input": inputs, "cache": forwarded.kept,
                    "output": forwarded.outputs}  # fmt: skip
            return held[role.kind][role.place]

        positional = [value(a.role) for a in self.arguments if not a.keyword]
        named = {a.name: value(a.role) for a in self.arguments if a.keyword}
        result = backward(*positional, **named)
        return adjoints[0] * result if self.elementwise else result


# --- which calls there may be --------------------------------------------------------------------


def takes_nothing(backward: Callable[..., Any]) -> bool:
    """Whether a backward pass is called without arguments."""
    parameters = _backward_parameters(backward)
    return parameters is not None and not parameters


def possible_calls(
    backward: Callable[..., Any], input_names: Sequence[str], forwarded: Forwarded
) -> list[Call]:
    """The calls that make sense, the likeliest first; one, if names decide.

    TypeError if there is none.
    """
    parameters, title = _backward_parameters(backward), getattr(backward, "__name__", "backward")
    title = "backward" if title in ("<lambda>", "__call__") else title
    if parameters is None:
        return [Call((Argument(Role("adjoint"), "dout", False, "dout"),), (0,), name=title)]
    needed = _needed(parameters, input_names, forwarded)
    options: list[list[Call]] = []
    for taken, rate in needed:
        named = [_role_of(p, input_names, forwarded) for p in taken]
        filled = _roles_filled(named, input_names, forwarded)
        options.append([
            call for roles in filled
            for call in _calls_with(taken, roles, input_names, forwarded, rate, title)
        ])  # fmt: skip
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*options))
    found = [call for call in dict.fromkeys(in_turn) if call]  # the likeliest of each first
    if len(parameters) == len(input_names) == 1 and not forwarded.one_number:
        found += _elementwise_call(parameters[0], input_names[0], title)
        if title != "backward" or role_by_name(parameters[0].name, input_names) == "input":
            found.reverse()  # as of sigmoid_prime(z)
    if not found:
        raise TypeError(
            f"check_backward: {title} takes {len(parameters)} arguments for {len(input_names)} "
            "inputs; it is called with the adjoint, with inputs and adjoint, or with the adjoint "
            "and a cache; wrap it, as in check_backward(layer.forward, lambda dout: "
            "layer.backward(...), ...)"
        )
    return found[:MOST_TRIED]


def _elementwise_call(parameter: inspect.Parameter, name: str, title: str) -> list[Call]:
    """The call of f'(x), element by element, unless the parameter has the name of an adjoint."""
    if role_by_name(parameter.name, [name]) == "adjoint":
        return []
    argument = Argument(Role("input"), parameter.name, False, name)
    return [Call((argument,), (0,), None, title, elementwise=True)]


def _backward_parameters(backward: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """The parameters of a function; None where they are not known."""
    try:
        found = list(inspect.signature(backward).parameters.values())
    except (TypeError, ValueError):
        return None
    return [p for p in found if p.kind is not p.VAR_KEYWORD]


def _needed(
    parameters: Sequence[inspect.Parameter], input_names: Sequence[str], forwarded: Forwarded
) -> list[tuple[list[inspect.Parameter], float | None]]:
    """The parameters that are given something, and the learning rate. One with a default is, if it
    is an adjoint or a cache; `*args` stands for some that have no names."""
    taken, rate, loose = [], None, None
    for p in parameters:
        kind = role_by_name(p.name, input_names)
        if p.kind is p.VAR_POSITIONAL:
            loose = p
        elif kind == "rate":
            given = p.default if isinstance(p.default, int | float) and p.default > 0 else None
            rate = float(given) if given else RATE
            taken += [p] if p.default is p.empty else []
        elif p.default is p.empty or kind == "adjoint" or (kind == "cache" and forwarded.kept):
            taken.append(p)
    if loose is not None:
        unnamed = inspect.Parameter("_", inspect.Parameter.POSITIONAL_ONLY)
        return [([*taken, *[unnamed] * n], rate) for n in range(1, len(input_names) + 2)]
    with_default = [p for p in parameters if p.default is not p.empty and p not in taken]
    if not taken and with_default and not isinstance(with_default[0].default, bool | str):
        taken = with_default[:1]
    return [(taken, rate)]


def _role_of(
    parameter: inspect.Parameter, input_names: Sequence[str], forwarded: Forwarded
) -> Role | None:
    """What the name of a parameter asks for; None if it does not say."""
    kind = role_by_name(parameter.name, input_names)
    if kind == "input":
        return Role(kind, [_bare(n) for n in input_names].index(_bare(parameter.name)))
    if kind == "cache" and not forwarded.kept:
        return None
    return Role(kind) if kind else None


def role_by_name(name: str, input_names: Sequence[str]) -> Kind | None:
    """What a parameter of this name is given; None if the name does not say."""
    bare = _bare(name)
    if bare and bare in map(_bare, input_names):
        return "input"
    if bare in CACHES or bare.endswith("cache"):
        return "cache"
    if bare in RATES:
        return "rate"
    if bare in OUTPUT_NAMES:
        return "output"
    derivative = bare.startswith("d") and bare not in NO_ADJOINTS
    said = bare.startswith(("grad", "upstream")) or bare.endswith(("grad", "gradient", "bar"))
    return "adjoint" if bare in ADJOINTS or derivative or said else None


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


def _roles_filled(
    roles: list[Role | None], input_names: Sequence[str], forwarded: Forwarded
) -> Iterator[list[Role]]:
    """Roles for all parameters, the likeliest first; adjoints and caches are counted."""
    counts = {"adjoint": itertools.count(), "cache": itertools.count()}
    named: list[Role | None] = [
        Role(r.kind, next(counts[r.kind])) if r and r.kind in counts else r for r in roles
    ]
    limits = {"adjoint": len(forwarded.outputs), "cache": len(forwarded.kept)}
    named = [None if r and r.place >= limits.get(r.kind, r.place + 1) else r for r in named]
    with_adjoint = any(r and r.kind == "adjoint" for r in named)
    if len(named) == 1 and not with_adjoint and not forwarded.one_number:
        named = [None]  # whatever it is called
    unknown = named.count(None)
    inputs = [Role("input", i) for i in range(len(input_names))]
    pool = [] if with_adjoint else [Role("adjoint")]
    pool += [Role("cache", i) for i in range(len(forwarded.kept))]
    pool += inputs + ([Role("output")] if unknown == 1 else [])
    pool = [role for role in pool if role not in named]
    options = []
    for chosen in itertools.islice(itertools.permutations(pool, unknown), 5000):
        fill = iter(chosen)
        options.append([r or next(fill) for r in named])
    if forwarded.one_number and 1 < len(roles) == len(inputs) and inputs not in options:
        options.append([*inputs])  # some call the prediction dvalues
    ranked = sorted(options, key=lambda option: _penalty(option, len(inputs), forwarded))
    yield from (o for o in ranked if _penalty(o, len(inputs), forwarded) < 100)


def _penalty(roles: list[Role], inputs: int, forwarded: Forwarded) -> float:
    """How unlikely a call is."""
    kinds = [role.kind for role in roles]
    used = [role.place for role in roles if role.kind == "input"]
    penalty = 1.0 if used and len(used) < inputs else 0.0
    penalty += 2.0 * (used != sorted(used)) + 4.0 * kinds.count("output")
    penalty += 2.0 * bool(forwarded.caches and "cache" not in kinds)
    if "adjoint" not in kinds:
        if used == list(range(inputs)) and len(used) == len(roles):
            return penalty + (0.5 if forwarded.one_number else 0.9)
        return penalty + (3.0 if forwarded.one_number or not roles else 100.0)
    place = kinds.index("adjoint")
    if place == 0:
        return penalty + 0.5 * bool(used)
    return penalty + (0.0 if used and place == len(kinds) - 1 else 1.0)


def _calls_with(
    taken: Sequence[inspect.Parameter], roles: Sequence[Role], input_names: Sequence[str],
    forwarded: Forwarded, rate: float | None, title: str,
) -> Iterator[Call]:  # fmt: skip
    def arguments(roles: Sequence[Role]) -> tuple[Argument, ...]:
        return tuple(
            Argument(role, p.name, p.kind is p.KEYWORD_ONLY, _text_of(role, p.name, input_names))
            for role, p in zip(roles, taken, strict=True)
        )

    weighed = tuple(role.place for role in roles if role.kind == "adjoint")
    yield Call(arguments(roles), weighed or (0,), rate, title)
    cached = any(role.kind == "cache" for role in roles) and not forwarded.caches
    if len(weighed) == 1 and len(forwarded.outputs) > 1 and not cached:
        together = [Role("adjoints") if r.kind == "adjoint" else r for r in roles]
        yield Call(arguments(together), tuple(range(len(forwarded.outputs))), rate, title)


def _text_of(role: Role, name: str, input_names: Sequence[str]) -> str:
    """An argument as it would be written: what it is, if its name does not say so."""
    if role.kind == "rate":
        return f"{name}={RATE}"
    words = {"adjoint": "dout", "adjoints": "(dout, ...)", "cache": "cache", "output": "out"}
    word = input_names[role.place] if role.kind == "input" else words[role.kind]
    if name == "_":
        return word
    said = role.kind != "adjoints" and role_by_name(name, input_names) == role.kind
    return name if said else f"{name}={word}"
