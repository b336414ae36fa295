"""The time of a training step on several processes, and the share of its all-reduce:
`mpiexec -n 2 python tests/benchmarks/all_reduce.py`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_edu import nn, optim

sys.path.insert(0, str(Path(__file__).parents[2] / "demos"))
import data_parallel as demo

SIZES = {(64, 30, 10): 30, (784, 50, 10): 100, (784, 512, 256, 10): 256}


def measure(comm: Any, steps: int = 300) -> None:
    """Print the time of a step and the share of its all-reduce, for three sizes: the median of the
    fastest tenth, in which both processes had a core to themselves."""
    rng = np.random.default_rng(0)
    for (inputs, *widths), batch in SIZES.items():
        model = nn.MLP(inputs, widths, rng=0, dtype=np.float32)
        parallel = demo.Parallel(comm, model, optim.SGD(model.parameters(), lr=0.01))
        x = rng.normal(size=(batch, inputs)).astype(np.float32)
        y = rng.integers(0, widths[-1], batch)
        times = []
        for _ in range(steps):
            before, start = parallel.waited, time.perf_counter()
            parallel.step(x, y)
            times.append((time.perf_counter() - start, parallel.waited - before))
        if comm.rank == 0:
            step, waited = np.median(sorted(times)[: -(-steps // 10)], axis=0)
            name = "-".join(map(str, (inputs, *widths)))
            size = parallel.flat.nbytes
            print(
                f"{name}, batch {batch}: {1e3 * step:.3f} ms a step, all-reduce of {size} B "
                f"{waited / step:.0%}",
                flush=True,
            )


if __name__ == "__main__":
    from mpi4py import MPI

    measure(MPI.COMM_WORLD, *map(int, sys.argv[1:]))
