"""Training that is resumed from a checkpoint goes on to the same bits, as if it had not stopped."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import TrainingStep, nn, optim, scalar_nn
from tinygrad_edu.data import DataLoader

OPTIMIZERS = {
    "plain SGD": lambda ps: optim.SGD(ps, 0.1),
    "weight decay": lambda ps: optim.SGD(ps, 0.1, weight_decay=0.1),
    "momentum": lambda ps: optim.SGD(ps, 0.05, momentum=0.8),
    "Nesterov": lambda ps: optim.SGD(ps, 0.05, 0.8, True, weight_decay=0.1),
    "Adam": lambda ps: optim.Adam(ps, 0.01, weight_decay=0.1),
    "AdamW": lambda ps: optim.AdamW(ps, 0.01),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
RNG = np.random.default_rng(5)
X, LABELS = RNG.normal(size=(23, 4)), RNG.integers(0, 3, 23)


class Run:
    """A training run, eager or replayed, and all that it needs to go on."""

    def __init__(self, make, replay, dtype=np.float64, seed=0, lr=None):
        self.model = nn.MLP(4, [5, 3], rng=seed, dtype=dtype)
        self.optimizer = make(self.model.parameters())
        self.optimizer.lr = lr or self.optimizer.lr
        self.loader = DataLoader(X.astype(dtype), LABELS, 5, rng=seed)
        self.state = {
            "model": self.model,
            "optimizer": self.optimizer,
            "loader": self.loader,
            "epoch": 0,
            "losses": [],
        }
        step = TrainingStep(self.loss, self.optimizer) if replay else None
        self.run_epoch = self.eager_epoch if step is None else lambda: step.epoch(self.loader)

    def loss(self, x, y):
        return nn.cross_entropy(self.model(x), y)

    def eager_epoch(self):
        losses = []
        for batch in self.loader:
            loss = self.loss(*batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return losses

    def epochs(self, n):
        for _ in range(n):
            self.state["losses"] += self.run_epoch()
            self.state["epoch"] += 1
            self.optimizer.lr *= 0.75  # a schedule is part of a run
        return self

    def bits(self):
        arrays = [p.data for p in self.model.parameters()]
        arrays += [np.array(x) for state in self.optimizer.states for x in state]
        arrays += [np.array(self.state["losses"]), np.array(self.optimizer.lr)]
        described = [(x.dtype.str, x.shape, x.tobytes()) for x in arrays]
        return described, self.state["epoch"], self.optimizer.steps, self.loader.rng.random()


@pytest.mark.untraced
@every_optimizer
@pytest.mark.parametrize("replay", [False, True], ids=["eager", "replayed"])
@given(
    dtype=st.sampled_from([np.float32, np.float64]),
    before=st.integers(0, 3),
    after=st.integers(1, 3),
    trained=st.integers(0, 1),
)
@settings(max_examples=settings().max_examples // 5)
def test_a_resumed_run_has_the_same_bits(
    make, replay, dtype, before, after, trained, tmp_path_factory
):
    path = tmp_path_factory.getbasetemp() / "run.npz"
    run = Run(make, replay, dtype).epochs(before)
    tg.save(run.state, path)
    expected = run.epochs(after).bits()
    resumed = Run(make, replay, dtype, seed=9, lr=0.5).epochs(trained)  # another run until now
    tg.load(resumed.state, path)
    assert resumed.epochs(after).bits() == expected
    tg.load(run.state, path)  # the run itself goes back, and forth again
    assert run.epochs(after).bits() == expected


@every_optimizer
@pytest.mark.parametrize("replay", [False, True], ids=["eager", "replayed"])
def test_saving_changes_nothing(make, replay, tmp_path):
    run, other = Run(make, replay).epochs(1), Run(make, replay).epochs(1)
    tg.save(run.state, tmp_path / "run.npz")
    assert run.epochs(2).bits() == other.epochs(2).bits()


def test_a_run_resumed_in_another_process(tmp_path):
    """Six runs, eager and replayed in turn; the other process prints what it ends with."""
    script = (
        "import pickle, sys\n"
        f"sys.path.insert(0, {str(__file__.rpartition('/')[0])!r})\n"
        "import tinygrad_edu as tg\n"
        "from test_saving_resume import OPTIMIZERS, Run\n"
        "ends = []\n"
        "for i, make in enumerate(OPTIMIZERS.values()):\n"
        "    run = Run(make, i % 2, seed=9)\n"
        "    tg.load(run.state, f'{i}.npz')\n"
        "    ends.append(run.epochs(2).bits())\n"
        "sys.stdout.buffer.write(pickle.dumps(ends))\n"
    )
    expected = []
    for i, make in enumerate(OPTIMIZERS.values()):
        run = Run(make, i % 2).epochs(2)
        tg.save(run.state, tmp_path / f"{i}.npz")
        expected.append(run.epochs(2).bits())
    command = [sys.executable, "-B", "-W", "error", "-c", script]
    other = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert other.returncode == 0, other.stderr.decode()
    assert pickle.loads(other.stdout) == expected


@every_optimizer
def test_a_network_of_values_resumes(make, tmp_path):
    def train(model, optimizer, rng, steps):
        for _ in range(steps):
            x = rng.normal(size=2)
            loss = (model(list(x)) - float(x.sum())) ** 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [p.data for p in optimizer.parameters], optimizer.states, rng.random()

    def start(seed):
        model = scalar_nn.MLP(2, [4, 1], rng=random.Random(seed))
        optimizer = make(model.parameters())
        return model, optimizer, np.random.default_rng(seed)

    first, second = start(0), start(1)
    train(*first, 3)
    tg.save(list(first), tmp_path / "run.npz")
    tg.load(list(second), tmp_path / "run.npz")
    assert train(*second, 4) == train(*first, 4)


def test_the_order_in_memory_is_kept_because_sums_may_depend_on_it(tmp_path):
    model = nn.Linear(300, 200, rng=0)
    model.weight._data = np.asfortranarray(model.weight.data)  # as an optimizer may
    tg.save(model, tmp_path / "model.npz")
    other = nn.Linear(300, 200)
    tg.load(other, tmp_path / "model.npz")
    assert other.weight.data.flags.f_contiguous
    x = RNG.normal(size=(7, 300))
    assert model(x).data.tobytes() == other(x).data.tobytes()
