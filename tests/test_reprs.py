"""What objects show of themselves at the end of a cell: never an address, and short."""

import inspect
import random
import sys
from functools import partial

import numpy as np
import pytest
from layers_by_hand import CASES

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, check, data, nn, optim, replay, scalar_nn, testing
from tinygrad_edu.engine.contexts import Group


class Net(nn.Module):
    def __init__(self):
        self.body = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh())
        self.scale = Value(1.0)
        self.kernel = (3, 3)
        self.weights = [Value(0.0), Value(1.0)]
        self.parts = {"last": nn.ReLU(), "tables": [Tensor([1.0, 2.0])]}
        self.again = self
        self._hidden = 3


NET = """\
Net(scale, kernel=(3, 3), weights 2 Values, parts.tables.0 (2,)
  (body): Sequential(
    (layers.0): Linear(weight (2, 3), bias (3,))
    (layers.1): Tanh()
  )
  (parts.last): ReLU()
  (again): Net(…)
)
6 parameters, 14 numbers"""

MLP = """\
MLP(
  (layers.0): Linear(weight (64, 30), bias (30,))
  (layers.1): ReLU()
  (layers.2): Linear(weight (30, 10), bias (10,))
)
4 parameters, 2260 numbers"""


def price():
    apple, tax = Value(100, "apple"), Value(1.1, "tax")
    price = apple * 2 * tax
    price.label = "price"
    return price


def report():
    return tg.gradcheck(tg.exp, np.array([0.5, 1.0]))


OBJECTS = {
    "Module": lambda: Net(),
    "MLP": lambda: nn.MLP(64, [30, 10], rng=0),
    "Stop": lambda: tg.Stop("Look here.", step=1),
    "Trainer": lambda: tg.Trainer(scalar_nn.MLP(2, [3, 1]), [[0, 1], [1, 0]], [0, 1]),
    "History": lambda: tg.History({"epoch": [1.0], "loss": [0.5]}),
    "Epoch": lambda: tg.Epoch({"epoch": 1.0, "loss": 0.5}, [0.5]),
    "Characters": lambda: data.Characters(["ab"]),
    "SGD": lambda: optim.SGD(nn.MLP(64, [30, 10]).parameters(), 0.3, momentum=0.9),
    "Adam": lambda: optim.Adam([Tensor([1.0])]),
    "AdamW": lambda: optim.AdamW([Value(1.0)]),
    "Optimizer": lambda: optim.Optimizer([Value(1.0)], 0.1),
    "DataLoader": lambda: data.DataLoader(np.zeros((70, 4)), np.arange(70), 32),
    "Replay": lambda: replay(price()),
    "TrainingStep": lambda: tg.TrainingStep(nn.mse_loss, optim.SGD([Tensor([1.0])], 0.1)),
    "Report": report,
    "Row": lambda: report().rows[0],
    "GradientError": lambda: check.GradientError(report()),
    "Group": lambda: Group("encoder"),
    "Value": price,
    "Tensor": lambda: Tensor(np.zeros((40, 50)), "w"),
    "Neuron": lambda: scalar_nn.Neuron(2, rng=random.Random(0)),
    "Layer": lambda: scalar_nn.Layer(2, 2),
    "scalar MLP": lambda: scalar_nn.MLP(2, [2, 1]),
    "no_grad": tg.no_grad,
    "group": lambda: tg.group("encoder"),
    "data_locked": tg.data_locked,
    "collector_paused": tg.collector_paused,
    "Linear": lambda: nn.Linear(2, 3),
    "Sequential": lambda: nn.Sequential(),
    "ReLU": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    **{f"layer {name}": partial(case.make, dtype=np.float64) for name, case in CASES.items()},
    "Domain": lambda: testing.Domain(((0.0, 1.0),)),
}

EXPECTED = {
    "Module": NET,
    "MLP": MLP,
    "SGD": "SGD(lr=0.3, weight_decay=0.0, steps=0, momentum=0.9, nesterov=False, "
    "4 parameters, 2260 numbers)",
    "Adam": "Adam(lr=0.001, weight_decay=0.0, steps=0, betas=(0.9, 0.999), eps=1e-08, "
    "1 parameter, 1 number)",
    "DataLoader": "DataLoader(x (70, 4) float64, y (70,) int64, 3 batches of 32, in a new order)",
    "Replay": "replay of\ndef program(apple, tax):\n    v1 = apple * 2.0\n",
    "TrainingStep": "TrainingStep(mse_loss, SGD(lr=0.1, ",
    "Report": "gradcheck of exp: analytic and numeric derivatives agree\n  parameter  shape",
    "scalar MLP": "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]",
    "no_grad": "no_grad()",
    "group": "group('encoder')",
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_shows_what_it_is_and_no_address(name):
    shown = repr(OBJECTS[name]())
    assert " at 0x" not in shown
    assert len(shown) < 1000
    assert shown.startswith(EXPECTED.get(name, ""))


def test_every_public_class_is_looked_at():
    modules = [tg, nn, optim, data, scalar_nn, check, testing, sys.modules["tinygrad_edu.replay"]]
    public = {
        kind
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and kind.__module__.startswith("tinygrad_edu.")
        and not name.startswith("_")
        and (name in getattr(module, "__all__", ()) or kind.__module__ == module.__name__)
    }
    assert len(public) > 20
    assert public - {type(make()) for make in OBJECTS.values()} <= {tg.Node, nn.Module}


def test_a_long_model_and_a_long_program_are_cut():
    deep = repr(nn.Sequential(*[nn.Linear(1, 1) for _ in range(300)]))
    assert "… 242 more lines" in deep
    assert deep.endswith("600 parameters, 600 numbers")
    total = Value(0.0)
    for i in range(50):
        total = total + Value(float(i), f"x{i}").exp()
    assert len(repr(replay(total)).splitlines()) <= 14
