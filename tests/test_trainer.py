"""The page that trains: its program and its gradient descent, run by Node, against the engine."""

import json
import random
import re
import shutil
import subprocess

import numpy as np
import pytest
from page_in_node import STATIC

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim, scalar_nn

NODE = shutil.which("node")
MOONS = data.make_moons(100, noise=0.1, rng=0)
CODE = "\n".join((STATIC / f"trainer_{name}.js").read_text("utf-8") for name in ("net", "points"))


def run_in_node(trainer, expression):
    """An expression of the page's functions, of its `data` and of the `points` as given."""
    if NODE is None:
        pytest.skip("node, which runs the JavaScript, is missing")
    page = trainer.page()
    found = re.search(r'id="trainer">(.*?)</script>', page, re.S)[1]
    script = f"""{trainer.program()}\n{CODE}
      const data = {found};
      const points = pointsOf(data.sets[0], 0);
      console.log(JSON.stringify({expression}));"""
    run = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def trained_in_node(trainer, steps, rate, batch):
    return run_in_node(trainer, f"""(() => {{
      const run = startRun(data.weights);
      for (let i = 0; i < {steps}; i++) descend(run, points, {rate}, {batch});
      return {{ weights: run.weights, ...measure(data.layers, run.weights, points) }};
    }})()""")  # fmt: skip


def test_a_hundred_steps_end_with_the_weights_of_python():
    points, labels = MOONS
    model = scalar_nn.MLP(2, [16, 16, 1], rng=random.Random(1))
    found = trained_in_node(tg.Trainer(model, points, labels), 100, 0.3, 100)
    x = [tg.Value(0.0, "x0"), tg.Value(0.0, "x1")]
    run = tg.replay(model(x), [*x, model.parameters()], wrt=[model.parameters()])
    weights = np.array([p.data for p in model.parameters()])
    for _ in range(100):  # the derivative of the loss by the score is sigmoid(score) - label
        jacobian = [run(*point, weights.tolist()) for point in points.tolist()]
        errors = [
            1 / (1 + np.exp(-score)) - y for (score, _), y in zip(jacobian, labels, strict=True)
        ]
        slopes = np.array([gradient for _, (gradient,) in jacobian])
        weights -= 0.3 * np.mean(np.array(errors)[:, None] * slopes, axis=0)
    assert np.abs(np.array(found["weights"]) - weights).max() < 1e-9
    scores = np.array([run(*point, weights.tolist())[0] for point in points.tolist()])
    assert found["loss"] == pytest.approx(np.mean(np.log1p(np.exp(scores)) - labels * scores))
    assert found["right"] == np.mean((scores > 0) == labels)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_layers_of_arrays_are_trained_as_fit_would(activation):
    points, labels = MOONS
    model = nn.Sequential(nn.Linear(2, 5, rng=0), activation(),
                          nn.Linear(5, 4, bias=False, rng=1), nn.Linear(4, 2, rng=2))  # fmt: skip
    found = trained_in_node(tg.Trainer(model, points, 2 * labels - 1), 20, 0.2, 1000)
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    tg.fit(model, nn.cross_entropy, [(points, labels)], optimizer, epochs=20, progress=False)
    expected = []
    for layer in (model.layers[0], model.layers[2], model.layers[3]):
        rows = [layer.weight.data] if layer.bias is None else [layer.weight.data, layer.bias.data]
        expected += np.vstack(rows).T.ravel().tolist()
    assert found["weights"] == pytest.approx(expected, abs=1e-12)
    assert found["loss"] == pytest.approx(nn.cross_entropy(model(points), labels).data)


def test_every_point_has_its_turn_in_an_epoch_of_batches():
    model = scalar_nn.MLP(2, [1], rng=random.Random(1))
    batches = run_in_node(tg.Trainer(model, *MOONS), """(() => {
      const run = startRun(data.weights);
      const batch = () => nextBatch(run, points, 25).map((p) => points.indexOf(p));
      const epoch = () => [1, 2, 3, 4].map(batch);
      return [epoch(), epoch()];
    })()""")  # fmt: skip
    first, second = (np.array(epoch) for epoch in batches)
    assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(100))
    assert first.tolist() != second.tolist()


def test_a_long_run_keeps_few_records_with_the_first_and_the_last():
    model = scalar_nn.MLP(2, [1], rng=random.Random(1))
    steps = run_in_node(tg.Trainer(model, *MOONS), """(() => {
      const run = startRun(data.weights);
      for (; run.step < 3000; run.step++) keepRecord(run, 1);
      returnTo(run, run.records[5]);
      const back = run.step;
      keepRecord(run, 1);
      return [back, run.records.map((r) => r.step)];
    })()""")  # fmt: skip
    assert steps[1][0] == 0
    assert steps[1][-1] == steps[0] > 5
    assert len(steps[1]) == 6


def test_the_page_is_small_and_leaves_the_model_alone():
    model = scalar_nn.MLP(2, [16, 16, 1], rng=random.Random(1))
    before = [p.data for p in model.parameters()]
    page = tg.to_html(tg.Trainer(model, *MOONS), title="Moons & more")
    assert "<h1>Moons &amp; more</h1>" in page
    assert len(page.encode()) < 400_000
    assert [p.data for p in model.parameters()] == before


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (nn.Linear(2, 1), "give a scalar_nn.MLP or an nn.Sequential"),
        (nn.Sequential(nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 1)), "a layer GELU in this place"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), "a layer ReLU in this place"),
        (nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), "must end in a linear layer"),
        (nn.Sequential(), "must end in a linear layer"),
        (nn.MLP(3, [4, 1]), "has 3 inputs and 1 outputs"),
        (nn.MLP(2, [4, 3]), "has 2 inputs and 3 outputs"),
        (nn.MLP(2, [30, 30, 1]), "has 1051 weights; a page trains at most 500"),
    ],
)
def test_a_network_that_a_page_cannot_train_is_named(model, says):
    with pytest.raises((TypeError, ValueError), match=says):
        tg.Trainer(model, *MOONS)


@pytest.mark.parametrize(
    ("points", "labels", "settings", "says"),
    [
        (np.zeros((4, 3)), [0, 1, 0, 1], {}, r"shape \(4, 3\)"),
        (np.zeros((4, 2)), [0, 1, 0], {}, r"labels \(3,\)"),
        (np.zeros((4, 2)), [0, 1, 2, 1], {}, r"the labels are \[0, 1, 2\]"),
        (np.zeros((1, 2)), [0], {}, "there are 1 points"),
        ([[0, 1], [np.nan, 2]], [0, 1], {}, "nan or infinite"),
        (*MOONS, {"rate": 0}, "rate is 0"),
        (*MOONS, {"batch_size": 101}, "batch_size is 101; there are 100 points"),
    ],
)
def test_points_and_settings_that_do_not_fit_are_named(points, labels, settings, says):
    with pytest.raises(ValueError, match=says):
        tg.Trainer(nn.MLP(2, [4, 1]), points, labels, **settings)
