"""Replay: the program behind a graph, written out, and run at full speed.

A recorded graph becomes expressions by running its rules on symbols (`trace.py`); these are made
simpler (`simplify.py`) and become lines with names (`lines.py`), which are written for readers
(`source.py`) or compiled: graphs of Values to Python (`scalars.py`), to calls of NumPy over columns
(`columns.py`) or to machine code (`machine.py`), all in `values.py`; graphs of Tensors to calls of
NumPy into buffers (`buffers.py`, `tensors.py`); a whole training step in `training.py`
and `flat.py`.
"""

from tinygrad_edu.replay.replays import Replay, replay
from tinygrad_edu.replay.training import TrainingStep

__all__ = ["Replay", "TrainingStep", "replay"]
