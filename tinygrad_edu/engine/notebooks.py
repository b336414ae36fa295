"""How notebooks show nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_edu.engine.graph import Node

representations: dict[str, Callable[[Node], str]] = {}
"""What a notebook may show of a node, by MIME type; `tinygrad_edu.view` adds its pictures here."""


class Shown(Node):
    """A node that notebooks show as text, and as what `representations` has."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the text, and every registered representation by MIME type.

        One that raises is left out, with a line about it below the text.
        """
        shown, missing = {}, ""
        for kind, represent in representations.items():
            if (include is None or kind in include) and kind not in (exclude or ()):
                try:
                    shown[kind] = represent(self)
                except Exception as error:
                    missing += f"\n(no {kind}: {error})"
        return {"text/plain": repr(self) + missing, **shown}
