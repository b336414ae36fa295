"""What a run has recorded: a row an epoch, as arrays, as a table and as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.files import write_whole
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.view.run_page.run_page import run_page_text

if TYPE_CHECKING:
    from tinygrad_edu.training.layer_health import Health
    from tinygrad_edu.training.run_record import RunRecord

MOST_ROWS, MOST_POINTS = 12, 400
FORMATS = {"epoch": "{:.0f}", "lr": "{:.3g}", "seconds": "{:.2f}", "accuracy": "{:.3f}"}


class Epoch(Mapping[str, float]):
    """The numbers of one epoch by name; `epoch.loss` is `epoch["loss"]`.

    `str(epoch)` is a line of a table. `epoch`, `loss`, `lr` and `seconds` are always there;
    `validation_loss`, the metrics and `gradient_norm` (the largest before clipping) if the run
    has them. `losses` are those of the steps; `health` has the diagnoses by layer, or None.
    """

    def __init__(
        self, numbers: Mapping[str, float], losses: list[float], health: Health | None = None
    ) -> None:
        self._numbers = dict(numbers)
        self.losses, self.health = losses, health

    def __getitem__(self, name: str) -> float:
        return self._numbers[name]

    def __getattr__(self, name: str) -> float:
        if name in self.__dict__.get("_numbers", {}):
            return self._numbers[name]
        raise AttributeError(f"an epoch of this run has {', '.join(self._numbers)}, not {name!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return "  ".join(
            f"{words(name)} {number_text(name, x)}" for name, x in self._numbers.items()
        )


class History:
    """The epochs of a run: `history.loss` is an array with a number an epoch; also by name,
    `history["loss"]`.

    `stopped` says why the run ended. `best` is the index of the epoch with the lowest validation
    loss, or training loss where there is no validation.
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None) -> None:
        self._names = tuple(columns or ())
        self._rows = list(zip(*(columns or {}).values(), strict=True))
        self._best = 0
        self.stopped, self.is_running = "", False
        self.record: RunRecord | None = None
        self.graph_pages: list[tuple[str, str]] = []
        for i in range(len(self._rows)):
            self._look(i)

    def add(self, epoch: Epoch) -> None:
        """Take the numbers of one more epoch."""
        self._names = self._names or tuple(epoch)
        self._rows.append(tuple(float(epoch[name]) for name in self._names))
        self._look(len(self._rows) - 1)

    def _look(self, i: int) -> None:
        """Whether epoch i is the best until now; the first of equals is."""
        j = self._names.index("validation_loss" if "validation_loss" in self._names else "loss")
        if not self._rows[i][j] >= self._rows[self._best][j]:
            self._best = i

    @property
    def columns(self) -> dict[str, list[float]]:
        """All numbers by name, an entry an epoch."""
        return {name: [row[j] for row in self._rows] for j, name in enumerate(self._names)}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> Array:
        return np.array(self.columns[name])

    def __getattr__(self, name: str) -> Array:
        names = self.__dict__.get("_names", ())
        if name in names:
            return self[name]
        raise AttributeError(f"History has no {name!r}; it has {', '.join(names) or 'no epoch'}")

    @property
    def best(self) -> int:
        """The index of the epoch with the lowest validation loss (else training loss)."""
        if not self._rows:
            raise ValueError("History: there is no epoch yet")
        return self._best

    def __repr__(self) -> str:
        if not len(self):
            return "History of 0 epochs"
        rows = thinned(len(self), MOST_ROWS)
        table = [[words(name) for name in self._names]]
        table += [[*map(number_text, self._names, self._rows[i])] for i in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in table]
        if len(rows) < len(self):
            lines.append(f"{len(rows)} of {len(self)} epochs")
        return "\n".join([*lines, *([self.stopped] if self.stopped else [])])

    def plot(self, path: Any = None) -> Any:
        """Losses on the left, everything else on the right, as a matplotlib figure.

        With a path it is also written there. ImportError without matplotlib, which
        `pip install 'tinygrad_edu[plot]'` installs.
        """
        from matplotlib.figure import Figure

        columns = self.columns
        others = [n for n in columns if n not in ("epoch", "seconds") and "loss" not in n]
        figure = Figure(figsize=(4.5 * (1 + len(others)), 3.5), layout="constrained")
        first, *panels = figure.subplots(1, 1 + len(others), squeeze=False)[0]
        epochs = columns.get("epoch", [])
        for name in columns:
            if "loss" in name:
                style = "--" if name.startswith("validation") else "-"
                first.plot(epochs, columns[name], style, label=words(name))
        first.set(xlabel="epoch", title="loss")
        first.legend()
        for panel, name in zip(panels, others, strict=True):
            panel.plot(epochs, columns[name], color="tab:green")
            panel.set(xlabel="epoch", title=words(name))
        if path is not None:
            write_whole(Path(path), picture_bytes(figure, Path(path).suffix[1:] or "png"))
        return figure

    def page(self, title: str = "Training run") -> str:
        """The run as an interactive page; `to_html(history, path)` writes it."""
        if not len(self):
            raise ValueError("to_html: the history has no epoch yet; train before")
        record = self.record
        rows = thinned(len(self), MOST_POINTS)
        columns = {
            name: [_finite_or_none(self._rows[i][j]) for i in rows]
            for j, name in enumerate(self._names)
        }
        columns["epoch"] = [int(self._rows[i][self._names.index("epoch")]) for i in rows]
        data = {
            "epochs": len(self),
            "columns": columns,
            "best": self.best + 1,
            "stopped": self.stopped,
            "running": self.is_running,
            "kept": record.kept() if record else [],
            "pixels": bool(record and record.has_pixels),
            "map": record.plane() if record else None,
        }
        return run_page_text(data, self.graph_pages, title)

    def _repr_png_(self) -> bytes | None:
        """The picture that a notebook shows; None without matplotlib, then it shows the table."""
        try:
            return picture_bytes(self.plot(), "png")
        except ImportError:
            return None


def picture_bytes(figure: Any, kind: str) -> bytes:
    """A figure of matplotlib as a file of this kind: png, svg or pdf."""
    file = io.BytesIO()
    figure.canvas.print_figure(file, format=kind, dpi=120)
    return file.getvalue()


def thinned(count: int, most: int) -> list[int]:
    """At most so many indices of `count`, evenly, the first and the last among them."""
    return list(dict.fromkeys(np.linspace(0, count - 1, min(count, most)).round().astype(int)))


def _finite_or_none(x: float) -> float | None:
    """A number for JSON, which has no nan."""
    return x if math.isfinite(x) else None


def words(name: str) -> str:
    """A column's name as it is read."""
    return name.replace("_", " ")


def number_text(name: str, number: float) -> str:
    """A number of a column, with as many digits as are read."""
    return FORMATS.get(name.removeprefix("validation_"), "{:.4g}").format(number)
