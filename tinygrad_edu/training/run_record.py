"""What the page of a run shows besides its columns: layers, predictions and maps at some epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.contexts import no_grad
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.training.layer_health import Health, layer_health
from tinygrad_edu.training.snapshot import Snapshot
from tinygrad_edu.view.page.page import page_text
from tinygrad_edu.view.targets import checked_path, deliver

SHARE = 0.015
"""Of the time of a run that writing its page may take."""
MOST_KEPT = 24
MOST_CLASSES, MOST_MISREAD, MOST_SAMPLES, GRID = 20, 24, 2000, 40


class RunRecord:
    """What a model was at some epochs; what a page shows of it is computed when it is asked for.

    About `MOST_KEPT` epochs at most are kept, evenly, the first and the last among them. `samples`
    are the rows (x, y) that predictions are shown of.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        loss_of: Callable[..., Any],
        optimizer: Any,
        batch: tuple[Any, Any],
        samples: tuple[Any, Any],
    ) -> None:
        self.model, self.loss_of, self.optimizer, self.batch = model, loss_of, optimizer, batch
        x, y = (np.atleast_1d(part)[:MOST_SAMPLES] for part in samples)
        self.x, self.y = x, y
        is_table = x.ndim == 2 and y.ndim == 1 and y.dtype.kind in "iu"
        self.labels = _classes_from_0(y) if is_table else None
        side = math.isqrt(x.shape[1]) if is_table else 0
        self.has_pixels = side >= 4 and side * side == x.shape[1]
        self.is_plane = is_table and x.shape[1] == 2
        self.snapshots: dict[int, Snapshot] = {}
        self.stride = 1
        self.looks: dict[int, dict[str, Any]] = {}

    def keep(self, epoch: int) -> None:
        """Keep the model as it is after an epoch; where there are many, every other one goes."""
        if len(self.snapshots) > MOST_KEPT:
            self.stride *= 2
        evenly = {i: kept for i, kept in self.snapshots.items() if (i - 1) % self.stride == 0}
        self.snapshots = {**evenly, epoch: Snapshot(self.model, self.optimizer)}

    def kept(self) -> list[dict[str, Any]]:
        """The layers, predictions and map of every epoch that was kept, as plain data."""
        self.looks = {i: look for i, look in self.looks.items() if i in self.snapshots}
        present = Snapshot(self.model, self.optimizer)
        getattr(self.model, "eval", lambda: None)()
        try:
            for epoch, snapshot in self.snapshots.items():
                if epoch not in self.looks:
                    snapshot.restore()
                    self.looks[epoch] = self._look(epoch)
        finally:
            getattr(self.model, "train", lambda: None)()
            present.restore()
        return list(self.looks.values())

    def _look(self, epoch: int) -> dict[str, Any]:
        kept: dict[str, Any] = {"epoch": epoch}
        kept |= _health_data(layer_health(self.loss_of(*self.batch), self.optimizer))
        if self.labels is not None:
            with no_grad():
                kept |= self._predictions(self.labels)
        return kept

    def _predictions(self, labels: Array) -> dict[str, Any]:
        classes, _ = classes_of(self.model(self.x))
        if classes is None:
            return {}
        count = 1 + int(max(labels.max(), classes.max()))
        kept: dict[str, Any] = {}
        wrong = np.flatnonzero(classes != labels)
        if count <= MOST_CLASSES:
            matrix = np.zeros((count, count), int)
            np.add.at(matrix, (labels, classes), 1)
            kept["matrix"] = matrix.tolist()
            chosen = wrong[: MOST_MISREAD if self.has_pixels else 0]
            kept["misread"] = [
                {"pixels": self._ink(i), "label": int(labels[i]), "predicted": int(classes[i])}
                for i in chosen
            ]
        if self.is_plane:
            kept["wrong"] = wrong.tolist()
            kept["map"] = self._map()
        return kept

    def _ink(self, i: int) -> list[float]:
        low, high = float(self.x.min()), float(self.x.max())
        return [round(float(v), 2) for v in (self.x[i] - low) / ((high - low) or 1.0)]

    def graph_pages(self) -> list[tuple[str, str]]:
        """The graph of the first batch after the first and the last epoch: pages with names."""
        present = Snapshot(self.model, self.optimizer)
        gradients = [p.grad for p in self.optimizer.parameters]
        pages = []
        try:
            for epoch in sorted({min(self.snapshots), max(self.snapshots)}):
                self.snapshots[epoch].restore()
                self.optimizer.zero_grad()
                loss = self.loss_of(*self.batch)
                loss.label = loss.label or "loss"
                loss.backward()
                name = f"after epoch {epoch}"
                pages.append((name, page_text(loss, "A training step")))
        finally:
            present.restore()
            for p, gradient in zip(self.optimizer.parameters, gradients, strict=True):
                p.grad = gradient
        return pages

    def plane(self) -> dict[str, Any] | None:
        """The ends of the map, and the points on it; None unless the samples have two columns."""
        if not self.is_plane or self.labels is None:
            return None
        (low_x, high_x), (low_y, high_y) = self._ends()
        points = np.round(self.x.astype(float), 4).tolist()
        ends = {"x": [low_x, high_x], "y": [low_y, high_y]}
        return {**ends, "points": points, "labels": self.labels.tolist()}

    def _ends(self) -> list[tuple[float, float]]:
        pairs = zip(self.x.min(axis=0), self.x.max(axis=0), strict=True)
        return [(float(a - 0.1 * (b - a) - 0.1), float(b + 0.1 * (b - a) + 0.1)) for a, b in pairs]

    def _map(self) -> list[float]:
        """For every place of a grid, row by row from below: the class, and after the point how sure
        the model is."""
        across, up = (np.linspace(a, b, GRID) for a, b in self._ends())
        places = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(self.x.dtype)
        classes, certainty = classes_of(self.model(places))
        assert classes is not None
        return [round(float(c + 0.99 * s), 2) for c, s in zip(classes, certainty, strict=True)]


class RunPage:
    """The file of a run's page, which is written again while the run goes on."""

    def __init__(self, path: Any) -> None:
        self.path = checked_path(path, "to_html")
        assert self.path is not None
        self.written, self.cost = time.perf_counter(), 0.0

    def refresh(self, history: Any) -> None:
        """Write the page if a second has passed, or more where writing takes long."""
        if time.perf_counter() - self.written >= max(1.0, self.cost / SHARE):
            self.write(history)

    def write(self, history: Any) -> None:
        """Write the page whole."""
        begun = time.perf_counter()
        deliver(history.page(), self.path)
        self.written = time.perf_counter()
        self.cost = self.written - begun


def classes_of(output: Any) -> tuple[Array | None, Array]:
    """The class that a model names for each row, and how sure it is, from 0 to 1.

    Of several scores a row the largest; of one score its sign. None for other outputs.
    """
    scores = np.asarray(getattr(output, "data", output))
    if scores.ndim == 2 and scores.shape[1] > 1:
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = shifted / shifted.sum(axis=1, keepdims=True)
        classes, most = shares.argmax(axis=1), shares.max(axis=1)
        return classes, (most - 1 / scores.shape[1]) / (1 - 1 / scores.shape[1])
    if scores.size == len(scores):
        flat = scores.reshape(-1)
        return (flat > 0).astype(int), np.abs(np.tanh(flat))
    return None, scores


def _classes_from_0(labels: Array) -> Array | None:
    """Labels 0, 1, 2, …, or -1 and 1 as 0 and 1; None for others."""
    found = set(np.unique(labels).tolist())
    if found <= {-1, 1}:
        return (labels + 1) // 2
    return labels if min(found, default=0) >= 0 else None


def _health_data(health: Health) -> dict[str, Any]:
    if not (health.activations or health.weights):
        return {}

    def log(x: float) -> float | None:
        return round(math.log10(x), 3) if 0 < x < math.inf else None

    activations = [
        {"name": a.name, "saturated": round(a.saturated, 4), "dead": round(a.dead, 4),
         "gradient": log(a.gradient_deviation)}
        for a in health.activations
    ]  # fmt: skip
    weights = [
        {"name": w.name, "update": log(w.update_to_data), "gradient": log(w.gradient_to_data)}
        for w in health.weights
    ]
    parts = {"activations": activations, "weights": weights, "complaints": health.complaints}
    return {"health": parts}
