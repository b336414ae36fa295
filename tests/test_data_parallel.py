"""Training on two processes gives the weights of one, and ends as a whole if one of them dies."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu import data, nn, optim

DEMOS = Path(__file__).parent.parent / "demos"
BESIDE_PYTHON = str(Path(sys.executable).parent)
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([BESIDE_PYTHON, os.environ["PATH"]]))

if MPIEXEC is None or importlib.util.find_spec("mpi4py") is None:
    if os.environ.get("TINYGRAD_EDU_NEEDS_MPI"):
        pytest.fail("TINYGRAD_EDU_NEEDS_MPI is set, but mpi4py or mpiexec is missing")
    pytest.skip("needs pip install -e '.[mpi]'", allow_module_level=True)

SCRIPT = """
import os, signal, sys
from mpi4py import MPI
sys.path.insert(0, {demos!r})
import data_parallel as demo

demo.BATCH_SIZE, steps, step = {batch}, 0, demo.Parallel.step

def counted(self, x, y):
    global steps
    steps += 1
    if self.comm.rank == 1 and steps == {dies_at}:
        {death}
    return step(self, x, y)

demo.Parallel.step = counted
demo.train.__defaults__ = (demo.CHECKPOINT, {epochs}, False)
demo.main(MPI.COMM_WORLD, *sys.argv[1:])
"""


def run(folder, *options, ranks=2, batch=100, epochs=2, dies_at=0, death="pass"):
    script = folder / "script.py"
    script.write_text(SCRIPT.format(demos=str(DEMOS), batch=batch, epochs=epochs, dies_at=dies_at,
                                    death=death), encoding="utf-8")  # fmt: skip
    return subprocess.run(
        [MPIEXEC, "-n", str(ranks), sys.executable, "-W", "error", str(script), *options],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def assert_trained(folder, batch=100, epochs=2):
    """The checkpoint holds what one process learns from the same batches, written out here."""
    x, y = data.load_digits()
    model = nn.MLP(64, [30, 10], init="he", rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.5)
    loader = data.DataLoader((x - x.mean()) / x.std(), y, batch, rng=1)
    losses = []
    for _ in range(epochs):
        one_pass = []
        for x_batch, y_batch in loader:
            loss = nn.cross_entropy(model(x_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            one_pass.append(loss.item())
        losses.append(np.mean(one_pass))
    with np.load(folder / "data_parallel.npz") as file:
        for name in ("layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"):
            _, i, kind = name.split(".")
            expected = getattr(model.layers[int(i)], kind).data
            np.testing.assert_allclose(file[f"model.{name}"], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(file["losses"], losses, rtol=1e-12)


@pytest.mark.parametrize("batch", [100, 449])
def test_two_ranks_give_the_weights_of_one_process(batch, tmp_path):
    # the last batch of 1797 samples has 97, or 1, which leaves the second rank without any
    done = run(tmp_path, batch=batch)
    assert done.returncode == 0, done.stderr
    assert [line[:8] for line in done.stdout.splitlines()] == ["epoch  1", "epoch  2"]
    assert_trained(tmp_path, batch)


DEATHS = {
    "an error": "raise ValueError('no more')",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_rank_that_dies_ends_the_job_and_the_checkpoint_is_whole(death, tmp_path):
    done = run(tmp_path, epochs=3, dies_at=30, death=DEATHS[death])  # in the second epoch
    assert done.returncode != 0
    said = done.stdout + done.stderr
    if death == "killed":
        assert "KILLED BY SIGNAL: 9" in said.upper() or "EXIT CODE: 9" in said.upper()
    else:
        assert "ValueError: no more" in said
        assert (
            "rank 1 of 2 failed, so all ranks end; data_parallel.npz holds the last finished epoch"
            in said
        )
    assert_trained(tmp_path, epochs=1)
    resumed = run(tmp_path, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert_trained(tmp_path)


def test_the_time_of_a_step_is_measured(tmp_path):
    script = Path(__file__).parent / "benchmarks" / "all_reduce.py"
    done = subprocess.run([MPIEXEC, "-n", "2", sys.executable, str(script), "3"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        "64-30-10", "784-50-10", "784-512-256-10"
    ]  # fmt: skip
