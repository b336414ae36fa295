"""What an author adds to a page: questions, and the stops of a walk. All of it is checked here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Question = str | tuple[str, ...]
"""`("value", name)`, `("local", name, operand)`, `("gradient", name)`, `"order"`, `"falsified"` or
`("falsified", name, operand)`."""

FORMS = {
    "value": (1, '("value", "t")'),
    "local": (2, '("local", "t", "s"): the local derivative of t with respect to s'),
    "gradient": (1, '("gradient", "x")'),
    "order": (0, '"order"'),
    "falsified": (0, '"falsified", or ("falsified", "t", "s")'),
}
"""The kinds of questions: how many names each takes, and how it is written."""
MOST_ORDERED = 12
"""The most operations whose order can be asked for."""


@dataclass(frozen=True)
class Stop:
    """One stop of a walk through a page: a text, and what the page shows beside it.

    `step` is a step of the page as it opens, 0 for the first; `select` the label of a node or
    module to choose; `ask` a question, as in `to_html`. What is None stays as it was. TypeError for
    anything else.
    """

    text: str
    step: int | None = None
    select: str | None = None
    ask: Question | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise TypeError(f"Stop: the text must be a string that says something: {self.text!r}")
        if self.step is not None and (
            not isinstance(self.step, int) or isinstance(self.step, bool)
        ):
            raise TypeError(f"Stop: the step must be a whole number, not {self.step!r}")
        if self.select is not None and not isinstance(self.select, str):
            raise TypeError(f"Stop: select needs the label of a node, not {self.select!r}")


def lesson_data(
    data: Mapping[str, Any], ask: Sequence[Question], stops: Sequence[Stop]
) -> dict[str, list[Any]]:
    """Questions and stops for the page with this data, with numbers of cards in place of names.

    TypeError or ValueError, naming the question or stop, for one that does not fit the graph.
    """
    if isinstance(ask, str) or not isinstance(ask, Sequence):
        raise TypeError(f"ask: expected a list of questions, such as [{FORMS['value'][1]}]")
    if isinstance(stops, Stop) or not isinstance(stops, Sequence):
        raise TypeError('stops: expected a list, such as [Stop("Look at x.", select="x")]')
    if (ask or stops) and not data["drawn"]:
        raise ValueError("ask, stops: this graph is too large to be drawn; ask about a smaller one")
    return {
        "ask": [_question(data, q, f"ask[{n}]") for n, q in enumerate(ask)],
        "stops": [_stop(data, stop, f"stops[{n}]") for n, stop in enumerate(stops)],
    }


def _stop(data: Mapping[str, Any], stop: Stop, where: str) -> dict[str, Any]:
    if not isinstance(stop, Stop):
        raise TypeError(f"{where}: expected a Stop, not {type(stop).__name__}")
    last = 2 * _running_units(data) + 2
    if stop.step is not None and not 0 <= stop.step <= last:
        raise ValueError(f"{where}: there is no step {stop.step}; this page has steps 0 to {last}")
    entry: dict[str, Any] = {"text": stop.text, "step": stop.step}
    if stop.select is not None:
        modules = [m for m, x in enumerate(data["modules"]) if x["name"] == stop.select]
        entry["select"] = (
            f"module:{modules[0]}"
            if len(modules) == 1
            else f"card:{_card(data, stop.select, where)}"
        )
    if stop.ask is not None:
        entry["ask"] = _question(data, stop.ask, f"{where}.ask")
    return entry


def _question(data: Mapping[str, Any], question: Question, where: str) -> dict[str, Any]:
    parts = (question,) if isinstance(question, str) else question
    if not isinstance(parts, tuple | list) or not all(isinstance(x, str) for x in parts):
        raise TypeError(f"{where}: expected a question such as {FORMS['value'][1]}: {question!r}")
    kind, *names = parts or ("",)
    if kind not in FORMS:
        known = "; ".join(form for _, form in FORMS.values())
        raise ValueError(f"{where}: {question!r} is not a question; write one of {known}")
    count, form = FORMS[kind]
    if len(names) != count and (kind, len(names)) != ("falsified", 2):
        raise ValueError(f"{where}: {question!r} should be {form}")
    if kind == "order":
        return _order(data, where)
    if len(names) == 2:
        return {"kind": kind, "link": _link(data, names[0], names[1], where)}
    if kind == "falsified":
        if not any(_has_local(data, k) for k in range(len(data["links"]))):
            raise ValueError(f"{where}: this graph has no local derivative that is a single number")
        return {"kind": kind}
    i = _card(data, names[0], where)
    card = data["cards"][i]
    if "array" in card:
        raise ValueError(f"{where}: {names[0]!r} is an array; ask about a single number")
    if kind == "value" and card["kind"] != "node":
        raise ValueError(f"{where}: {names[0]!r} is an input, which is not computed")
    if kind == "gradient" and i == data["root"]:
        raise ValueError(f"{where}: {names[0]!r} is the output, whose gradient is always 1")
    return {"kind": kind, "card": i}


def _order(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    count = sum(card["kind"] == "node" for card in data["cards"])
    if not 2 <= count <= MOST_ORDERED:
        raise ValueError(
            f"{where}: the order can be asked for 2 to {MOST_ORDERED} operations, not {count}"
        )
    return {"kind": "order"}


def _card(data: Mapping[str, Any], name: str, where: str) -> int:
    """The only node of a name. ValueError, with the names that come close, if there is none."""
    cards = data["cards"]
    found = [i for i, x in enumerate(cards) if x["name"] == name and x["kind"] != "constant"]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{where}: {len(found)} nodes are called {name!r}; give them different labels"
        )
    known = list(dict.fromkeys(x["name"] for x in cards if x["kind"] != "constant"))
    close = difflib.get_close_matches(name, known) or known[:8]
    raise ValueError(f"{where}: no node is called {name!r}; there are {', '.join(close)}")


def _has_local(data: Mapping[str, Any], k: int) -> bool:
    ends = [data["cards"][i] for i in data["links"][k][:2]]
    return ends[0]["kind"] != "constant" and not any("array" in card for card in ends)


def _link(data: Mapping[str, Any], name: str, operand: str, where: str) -> int:
    """The link by which a node uses an operand, the first if there are several."""
    head, tail = _card(data, name, where), _card(data, operand, where)
    found = [k for k, link in enumerate(data["links"]) if link[:2] == [tail, head]]
    if not found:
        used = [data["cards"][link[0]]["name"] for link in data["links"] if link[1] == head]
        made = f"is made from {', '.join(used)}" if used else "is an input"
        raise ValueError(f"{where}: {name!r} is not made from {operand!r}; it {made}")
    if not _has_local(data, found[0]):
        raise ValueError(f"{where}: between arrays there is no single local derivative")
    return found[0]


def _running_units(data: Mapping[str, Any]) -> int:
    """How many operations and folded modules run when the page opens, each in one step."""
    units = set()
    for i, card in enumerate(data["cards"]):
        unit, m = ("card", i), data["moduleOf"][i]
        while m >= 0:
            if m in data["folded"]:
                unit = ("module", m)
            m = data["modules"][m]["outer"]
        if card["kind"] == "node":
            units.add(unit)
    return len(units)
