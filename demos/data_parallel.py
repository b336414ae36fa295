"""Train handwritten digits on several processes: each takes its part of every batch.

pip install -e '.[mpi]'
mpiexec -n 2 python demos/data_parallel.py            trains; data_parallel.npz is the checkpoint
mpiexec -n 2 python demos/data_parallel.py --resume   goes on from the checkpoint

Every rank has the same model, optimizer and order of samples. The gradient of the mean loss is the
sum of what the ranks compute, in one flat buffer: the weights are those of one process.
"""

import sys
import time
import traceback
from typing import Any

import numpy as np
from ready import ready

from tinygrad_edu import data, load, nn, optim, save

EPOCHS, BATCH_SIZE, LEARNING_RATE = 10, 100, 0.3  # 1797 samples: the last batch of a pass has 97
CHECKPOINT = "data_parallel.npz"


class Parallel:
    """A training step of all ranks on one global batch; `waited` adds up seconds of all-reduce."""

    def __init__(self, comm: Any, model: nn.Module, optimizer: optim.Optimizer) -> None:
        self.comm, self.model, self.optimizer = comm, model, optimizer
        self.parameters = optimizer.parameters
        ends = np.cumsum([p.data.size for p in self.parameters])
        self.flat = np.zeros(ends[-1] + 1, self.parameters[0].dtype)  # the last one is the loss
        self.views = [
            self.flat[end - p.data.size : end].reshape(p.data.shape)
            for p, end in zip(self.parameters, ends, strict=True)
        ]
        self.waited = 0.0

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step; returns the mean loss of the whole batch, before the step."""
        from mpi4py import MPI

        mine = slice(self.comm.rank, None, self.comm.size)  # a short batch may leave a rank without
        self.flat[:] = 0.0
        if len(x[mine]):
            loss = nn.cross_entropy(self.model(x[mine]), y[mine], reduction="sum") * (1 / len(x))
            self.optimizer.zero_grad()
            loss.backward()
            self.flat[-1] = loss.item()
            for view, p in zip(self.views, self.parameters, strict=True):
                view[...] = p.grad
        start = MPI.Wtime()
        self.comm.Allreduce(MPI.IN_PLACE, self.flat)
        self.waited += MPI.Wtime() - start
        for view, p in zip(self.views, self.parameters, strict=True):
            p.grad = view
        self.optimizer.step()
        return float(self.flat[-1])


def train(
    comm: Any, path: str = CHECKPOINT, epochs: int = EPOCHS, resume: bool = False
) -> dict[str, Any]:
    """Train and write a checkpoint after every epoch; returns the run's state, weights included."""
    x, y = data.load_digits()
    model = nn.MLP(64, [30, 10], init="he", rng=0)
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.5)
    loader = data.DataLoader((x - x.mean()) / x.std(), y, BATCH_SIZE, rng=1)
    run: dict[str, Any] = {"model": model, "optimizer": optimizer, "loader": loader, "losses": []}
    if resume:
        load(run, path)
    parallel = Parallel(comm, model, optimizer)
    for epoch in range(len(run["losses"]) + 1, epochs + 1):
        losses = [parallel.step(*batch) for batch in loader]
        run["losses"].append(float(np.mean(losses)))
        if comm.rank == 0:  # written as a whole or not at all
            save(run, path)
            print(f"epoch {epoch:2}: loss {run['losses'][-1]:.4f}", flush=True)
    return run


def main(comm: Any, *options: str) -> None:
    """Run what the options ask for. If one rank fails, all end: the others would wait for ever."""
    try:
        train(comm, resume="--resume" in options)
    except BaseException:
        said = f"rank {comm.rank} of {comm.size} failed, so all ranks end; {CHECKPOINT} holds the "
        said += "last finished epoch: go on with --resume"
        print(traceback.format_exc() + said, file=sys.stderr, flush=True)
        time.sleep(0.5)  # so that mpiexec passes it on before it ends all ranks
        comm.Abort(1)


if __name__ == "__main__":
    ready("mpi4py", extra="mpi")
    from mpi4py import MPI

    main(MPI.COMM_WORLD, *sys.argv[1:])
