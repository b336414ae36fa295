"""The loss and the metrics of validation data, without a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.engine.contexts import no_grad


class Evaluation:
    """`numbers()` has the validation loss and every metric; means are weighted by samples."""

    def __init__(
        self, model: Callable[..., Any], loss: Callable[..., Any], validation: Any, metrics: Any
    ) -> None:
        self.model, self.loss, self.validation = model, loss, validation
        if not isinstance(metrics, Mapping):
            metrics = {getattr(f, "__name__", str(f)): f for f in metrics}
        if metrics and validation is None:
            raise ValueError(
                f"epochs: {', '.join(metrics)} need validation data; give validation=(x, y)"
            )
        self.functions = {"validation_loss": loss, **metrics} if validation is not None else {}

    @property
    def names(self) -> list[str]:
        """The columns that an epoch gets."""
        return list(self.functions)

    @property
    def arrays(self) -> tuple[Any, Any] | None:
        """The validation data as two arrays, if they were given so."""
        is_pair = isinstance(self.validation, tuple) and len(self.validation) == 2
        return self.validation if is_pair else None

    def _batches(self) -> Iterable[tuple[Any, Any]]:
        return [self.arrays] if self.arrays is not None else self.validation

    def numbers(self) -> dict[str, float]:
        """The numbers of the model as it is now, in its mode for evaluation."""
        if not self.functions:
            return {}
        getattr(self.model, "eval", lambda: None)()
        try:
            with no_grad():
                return self._means()
        finally:
            getattr(self.model, "train", lambda: None)()

    def _means(self) -> dict[str, float]:
        sums, samples = dict.fromkeys(self.functions, 0.0), 0
        for x, y in self._batches():
            output = self.model(x)
            for name, function in self.functions.items():
                value = function(output, y)
                sums[name] += float(np.asarray(getattr(value, "data", value))) * len(y)
            samples += len(y)
        return {name: total / samples for name, total in sums.items()}
