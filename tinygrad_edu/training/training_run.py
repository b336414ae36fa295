"""A training run: `epochs` is an iterator over its epochs, `fit` goes through it to the end."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.replay.training import TrainingStep
from tinygrad_edu.saving import load, save
from tinygrad_edu.training.clipping import clip_gradients
from tinygrad_edu.training.evaluation import Evaluation
from tinygrad_edu.training.finite import NotFiniteError, check_finite
from tinygrad_edu.training.history import Epoch, History
from tinygrad_edu.training.layer_health import Health, layer_health
from tinygrad_edu.training.run_record import RunPage, RunRecord
from tinygrad_edu.training.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tinygrad_edu.optim import Schedule

Metrics = Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]]


class Settings(TypedDict, total=False):
    """What `epochs` and `fit` take by name; `epochs` says what each is for."""

    validation: Any
    metrics: Metrics
    clip: float | None
    schedule: Schedule | None
    patience: int | None
    replay: bool
    checkpoint: str | Path | None
    diagnose: bool
    page: str | Path | None


class TrainingRun:
    """All that a run needs, and what it has done; see `epochs` for the arguments."""

    def __init__(
        self,
        model: Callable[..., Any],
        loss: Callable[..., Any],
        loader: Iterable[tuple[Any, Any]],
        optimizer: Any,
        *,
        epochs: int | None = None,
        validation: Any = None,
        metrics: Metrics = (),
        clip: float | None = None,
        schedule: Schedule | None = None,
        patience: int | None = None,
        replay: bool = False,
        checkpoint: str | Path | None = None,
        diagnose: bool = False,
        page: str | Path | None = None,
    ) -> None:
        _check("epochs", epochs)
        _check("patience", patience)
        if iter(loader) is loader:
            raise TypeError(
                "epochs: the loader can be gone through only once; give a DataLoader or a list of "
                "batches (x, y)"
            )
        self.model, self.loss, self.loader, self.optimizer = model, loss, loader, optimizer
        self.epochs, self.clip, self.schedule, self.patience = epochs, clip, schedule, patience
        self.evaluation = Evaluation(model, loss, validation, metrics)
        self.step = TrainingStep(self.loss_of, optimizer, clip=clip) if replay else None
        self.history = History()
        self.diagnose = diagnose
        self.best: Snapshot | None = None
        self.checkpoint = checkpoint
        self.page = None if page is None else RunPage(page)
        if checkpoint is not None and os.path.exists(checkpoint):
            self._resume(checkpoint)
        batch, everything = _first_batch(loader), _all_samples(loader)
        samples = self.evaluation.arrays or everything or batch
        self.record = RunRecord(model, self.loss_of, optimizer, batch, samples)
        self.history.record = self.record

    def loss_of(self, x: Any, y: Any) -> Any:
        """The loss of a batch."""
        return self.loss(self.model(x), y)

    # --- epochs ---------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Epoch]:
        self.history.is_running = True
        try:
            yield from self._each_epoch()
        finally:
            self.history.is_running = False
            self._finish()

    def _each_epoch(self) -> Iterator[Epoch]:
        rate = self.optimizer.lr
        while not self._is_over():
            before = Snapshot(self.model, self.optimizer, self.loader)
            try:
                epoch = self._epoch(rate)
            except KeyboardInterrupt:
                self.end(f"interrupted in epoch {len(self.history) + 1}")
                return
            except NotFiniteError as error:
                self.end(self._where(error, before))
                return
            finally:
                if self.schedule is not None:
                    self.optimizer.lr = rate
            self._take(epoch)
            yield epoch
            rate = self.optimizer.lr  # the user may change it between epochs

    def _epoch(self, rate: float) -> Epoch:
        start = time.perf_counter()
        losses, norms = self._steps(rate)
        numbers: dict[str, float] = {"epoch": len(self.history) + 1, "loss": _mean_loss(losses)}
        numbers |= self.evaluation.numbers()
        if self.clip is not None:
            numbers["gradient_norm"] = max(norms)
        numbers["lr"] = self.optimizer.lr
        seconds = time.perf_counter() - start
        return Epoch({**numbers, "seconds": seconds}, losses, self._health())

    def _health(self) -> Health | None:
        """The diagnoses of all layers on the first batch, in the model's mode for evaluation."""
        if not self.diagnose:
            return None
        getattr(self.model, "eval", lambda: None)()
        try:
            return layer_health(self.loss_of(*self.record.batch), self.optimizer)
        finally:
            getattr(self.model, "train", lambda: None)()

    def _steps(self, rate: float) -> tuple[list[float], list[float]]:
        """A step on every batch: the losses, and the norms of the gradients if they are clipped."""
        has_batches = hasattr(self.loader, "batches")
        if self.step is not None and self.clip is None and self.schedule is None and has_batches:
            losses = self.step.epoch(self.loader)
            check_finite(losses)
            return losses, []
        losses, norms = [], list[float]()
        count = len(self.loader) if isinstance(self.loader, Sized) else 0
        for i, (x, y) in enumerate(self.loader):
            if self.schedule is not None:
                done = len(self.history) + (i / count if count else 0.0)
                self.optimizer.lr = rate * self.schedule(done)
            losses.append(self._one_step(x, y, norms))
        if not losses:
            raise ValueError("epochs: the loader has no batch")
        return losses, norms

    def _one_step(self, x: Any, y: Any, norms: list[float]) -> float:
        if self.step is not None:
            loss = self.step(x, y)
            if self.clip is not None:
                norms.append(self.step.gradient_norm)
            check_finite([loss])
            return loss
        root = self.loss_of(x, y)
        loss = _loss_number(root)
        check_finite([loss], root)
        self.optimizer.zero_grad()
        root.backward()
        if self.clip is not None:
            norms.append(clip_gradients(self.optimizer.parameters, self.clip))
        self.optimizer.step()
        return loss

    def _where(self, error: NotFiniteError, before: Snapshot) -> str:
        """Why a run with a nan ended: a replayed epoch is gone through again, recorded, since only
        a graph has a first node that is not finite. The parameters are those before the step."""
        if self.step is None:
            return str(error)
        before.restore()
        self.step = None
        try:
            self._steps(self.optimizer.lr)
        except NotFiniteError as recorded:
            return str(recorded)
        return str(error)

    def _is_over(self) -> bool:
        done = len(self.history)
        if self.epochs is not None and done >= self.epochs:
            return True
        if self.patience is None or not done or done - 1 - self.history.best < self.patience:
            return False
        best = self.history.best + 1
        self.end(f"no better for {self.patience} epochs: the weights are those of epoch {best}")
        return True

    def _take(self, epoch: Epoch) -> None:
        """Keep the numbers, the best weights and the checkpoint of an epoch that is over."""
        self.history.add(epoch)
        if self.history.best == len(self.history) - 1:
            self.best = Snapshot(self.model, self.optimizer)
        if self.checkpoint is not None:
            save(self._state(), self.checkpoint)
        self.record.keep(len(self.history))
        if self.page is not None:
            self.page.refresh(self.history)

    def _finish(self) -> None:
        """The page as it stays."""
        if self.page is not None and len(self.history):
            self.history.graph_pages = self.record.graph_pages()
            self.page.write(self.history)

    def end(self, why: str) -> None:
        """Say why the run ends before its time, and go back to the best weights."""
        self.history.stopped = why
        if self.best is not None:
            self.best.restore_model()
            if why.startswith("interrupted"):
                self.history.stopped += f": the weights are those of epoch {self.history.best + 1}"

    # --- saved and resumed ----------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        state = {"optimizer": self.optimizer, "parameters": list(self.optimizer.parameters)}
        if hasattr(self.loader, "batches"):
            state["loader"] = self.loader
        if hasattr(self.model, "buffers"):
            state["model"] = self.model
            del state["parameters"]
        assert self.best is not None
        return {**state, "best": self.best.contents(), "history": self.history.columns}

    def _resume(self, path: str | Path) -> None:
        """Go on from a checkpoint: its history has the columns that this run will have."""
        names = ["epoch", "loss", *self.evaluation.names]
        names += ["gradient_norm"] * (self.clip is not None) + ["lr", "seconds"]
        columns: dict[str, list[float]] = {name: [] for name in names}
        self.best = Snapshot(self.model, self.optimizer)
        state = self._state() | {"history": columns}
        load(state, path)
        self.best.take(state["best"])
        self.history = History(columns)


def epochs(
    model: Callable[..., Any],
    loss: Callable[..., Any],
    loader: Iterable[tuple[Any, Any]],
    optimizer: Any,
    epochs: int | None = None,
    **settings: Unpack[Settings],
) -> Iterator[Epoch]:
    """Train, an epoch at a time; `break` ends the run.

        for epoch in epochs(model, nn.cross_entropy, loader, optimizer, validation=(x, y)):
            print(epoch)

    A step on a batch (x, y) is one of the optimizer on `loss(model(x), y)`. Each epoch has its
    numbers by name, see `Epoch`. The settings, all optional:

    - epochs: how many; without it the loop goes on until `break` or Ctrl-C
    - validation: arrays (x, y) or a loader; adds `validation_loss`
    - metrics: functions (output, y) of the validation data, a list or a dict with names
    - clip: the largest norm of the gradients of a step
    - schedule: a factor of the learning rate by epochs done, see `optim.cosine`
    - patience: end after so many epochs without a lower validation loss, with the best weights
    - replay: record a step once and replay it, see `TrainingStep`
    - page: a file for the page of the run, written at most once a second and at the end
    - diagnose: each epoch has `health`, the four diagnoses by layer, see `layer_health`
    - checkpoint: a file that is saved after every epoch; if it is there, the run goes on from it

    A nan ends the run before its step, Ctrl-C ends it within an epoch, and both leave the best
    weights. ValueError or TypeError for settings that make no sense, before anything is trained.
    """
    return iter(TrainingRun(model, loss, loader, optimizer, epochs=epochs, **settings))


def fit(
    model: Callable[..., Any],
    loss: Callable[..., Any],
    loader: Iterable[tuple[Any, Any]],
    optimizer: Any,
    epochs: int,
    *,
    progress: bool | None = None,
    **settings: Unpack[Settings],
) -> History:
    """Train for so many epochs and return the `History`; settings are those of `epochs`.

    On a terminal there is a progress bar and a line an epoch; `progress` True or False decides.
    """
    run = TrainingRun(model, loss, loader, optimizer, epochs=epochs, **settings)
    shown = sys.stderr.isatty() if progress is None else progress
    try:
        for epoch in _with_progress(run, epochs) if shown else run:
            del epoch
    except KeyboardInterrupt:  # between two epochs
        run.end(f"interrupted after epoch {len(run.history)}")
    return run.history


def _with_progress(run: TrainingRun, count: int) -> Iterator[Epoch]:
    """The epochs, with a bar if tqdm is installed, and a line for each."""
    with contextlib.ExitStack() as stack:
        bar = None
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            bar = stack.enter_context(
                tqdm(total=count, initial=len(run.history), unit="epoch", file=sys.stderr)
            )
        for epoch in run:
            if bar is None:
                print(epoch, file=sys.stderr)
            else:
                bar.write(repr(epoch), file=sys.stderr)
                bar.update()
            yield epoch
    if run.history.stopped:
        print(run.history.stopped, file=sys.stderr)


def _first_batch(loader: Any) -> tuple[Any, Any]:
    """The first batch, without drawing from the generator of a DataLoader."""
    if hasattr(loader, "batches"):
        return loader.x[: loader.batch_size], loader.y[: loader.batch_size]
    for x, y in loader:
        return x, y
    raise ValueError("epochs: the loader has no batch")


def _all_samples(loader: Any) -> tuple[Any, Any] | None:
    return (loader.x, loader.y) if hasattr(loader, "batches") else None


def _loss_number(root: Any) -> float:
    if not isinstance(root, Node):
        raise TypeError(f"epochs: the loss is of type {type(root).__name__}; it must be a node")
    return float(root.data.item() if hasattr(root.data, "item") else root.data)


def _mean_loss(losses: Sequence[float]) -> float:
    return math.fsum(losses) / len(losses)


def _check(name: str, value: Any) -> None:
    if value is not None and not (isinstance(value, int) and value >= 1):
        raise ValueError(f"epochs: {name} is {value!r}; it must be 1, 2, 3, ...")
