"""Training that one can watch: `epochs` is a loop over a run, `fit` is the loop itself."""

from tinygrad_edu.training.clipping import clip_gradients
from tinygrad_edu.training.history import Epoch, History
from tinygrad_edu.training.layer_health import Health, layer_health
from tinygrad_edu.training.trainer import Trainer
from tinygrad_edu.training.training_run import epochs, fit

__all__ = [
    "Epoch", "Health", "History", "Trainer", "clip_gradients", "epochs", "fit", "layer_health",
]  # fmt: skip
