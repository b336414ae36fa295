"""Training runs: what `epochs` and `fit` do, against loops written by hand, and how they end."""

import math
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Value, data, nn, optim, scalar_nn
from tinygrad_edu.optim import cosine, step_decay, warm_up

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def accuracy(logits, labels):
    return (logits.data.argmax(axis=1) == labels).mean()


def parts(lr=0.3, make=optim.SGD):
    """A model, its loader and its optimizer, the same at every call."""
    model = nn.MLP(4, [8, 2], rng=0)
    return model, data.DataLoader(X, Y, 8, rng=1), make(model.parameters(), lr=lr)


def arrays(model):
    return [p.data for p in model.parameters()]


def by_hand(model, loader, optimizer, count, clip=None, rates=None):
    """The mean loss of every epoch of a loop as one writes it."""
    means = []
    for epoch in range(count):
        losses = []
        for i, (x, y) in enumerate(loader):
            if rates is not None:
                optimizer.lr = rates[epoch * len(loader) + i]
            loss = nn.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                norm = math.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
                for p in model.parameters():
                    p.grad = p.grad * min(1.0, clip / norm)
            optimizer.step()
            losses.append(loss.item())
        means.append(math.fsum(losses) / len(losses))
    return means


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_a_run_is_the_loop_written_by_hand(make, clip):
    model, *rest = parts(0.1, make)
    losses = by_hand(model, *rest, 4, clip)
    for replay in (False, True):
        own, *others = parts(0.1, make)
        history = tg.fit(own, nn.cross_entropy, *others, 4, clip=clip, replay=replay)
        exact = {} if not (replay or clip) else {"rtol": 1e-11}
        compare = np.testing.assert_allclose if exact else np.testing.assert_array_equal
        compare(history.loss, losses, **exact)
        for p, q in zip(arrays(own), arrays(model), strict=True):
            compare(p, q, **exact)
        assert history.epoch.tolist() == [1, 2, 3, 4]
        assert (history.seconds > 0).all()
        assert "gradient_norm" not in history.columns or (history.gradient_norm > 0.2).any()


def test_validation_and_metrics_are_those_of_the_model_after_each_epoch():
    model, loader, optimizer = parts()
    batches = [(X[:30], Y[:30]), (X[30:], Y[30:])]  # a mean over samples, however they are cut
    for validation in ((X, Y), batches):
        for epoch in tg.epochs(model, nn.cross_entropy, loader, optimizer, 2,
                               validation=validation, metrics=[accuracy]):  # fmt: skip
            with tg.no_grad():
                logits = model(X)
            assert epoch.validation_loss == pytest.approx(nn.cross_entropy(logits, Y).item())
            assert epoch["accuracy"] == pytest.approx(accuracy(logits, Y))
            assert np.mean(epoch.losses) == pytest.approx(epoch.loss)


SCHEDULES = {
    "steps": (step_decay(2, 0.5), lambda t: 0.5 ** (t // 2)),
    "cosine": (cosine(3, 0.1), lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * min(t / 3, 1)))),
    "warm-up": (warm_up(2, step_decay(1), 0.25),
                lambda t: 0.25 + 0.75 * t / 2 if t < 2 else 0.1 ** int(t - 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("replay", [False, True])
def test_schedules_are_asked_before_every_step(name, replay):
    schedule, formula = SCHEDULES[name]
    model, loader, optimizer = parts()
    rates = [0.3 * formula(i / len(loader)) for i in range(4 * len(loader))]
    losses = by_hand(model, loader, optimizer, 4, rates=rates)
    own, *others = parts()
    history = tg.fit(own, nn.cross_entropy, *others, 4, schedule=schedule, replay=replay)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-11)
    np.testing.assert_allclose(history.lr, rates[len(loader) - 1 :: len(loader)])
    assert others[1].lr == 0.3  # the rate that it began with


def test_schedules_and_clipping_are_those_of_torch():
    torch = pytest.importorskip("torch")
    from torch.optim import lr_scheduler

    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    pairs = [
        (lambda o: lr_scheduler.StepLR(o, 4, 0.5), step_decay(4, 0.5)),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 10, 0.02), cosine(10, 0.1)),
        (lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 6), warm_up(6, start=0.25)),
    ]
    for theirs, ours in pairs:
        optimizer = torch.optim.SGD([p], lr=0.2)
        scheduler = theirs(optimizer)
        for step in range(11):
            assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * ours(step), rel=1e-12)
            optimizer.step()
            scheduler.step()
    gradients = [RNG.normal(size=(3, 2)), RNG.normal(size=5)]
    leaves = [tg.Tensor(np.zeros(g.shape)) for g in gradients]
    tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in gradients]
    for leaf, tensor, g in zip(leaves, tensors, gradients, strict=True):
        leaf.grad, tensor.grad = g, torch.from_numpy(g.copy())
    norm = torch.nn.utils.clip_grad_norm_(tensors, 0.7)
    assert tg.clip_gradients(leaves, 0.7) == pytest.approx(float(norm), rel=1e-12)
    for leaf, tensor in zip(leaves, tensors, strict=True):  # torch adds 1e-6 to the norm
        np.testing.assert_allclose(leaf.grad, tensor.grad.numpy(), rtol=1e-6)


def test_gradients_are_clipped_only_if_they_are_long_and_finite():
    x, y = Value(3.0), Value(4.0)
    x.grad, y.grad = 3.0, 4.0
    assert tg.clip_gradients([x, y], 5.0) == 5.0
    assert (x.grad, y.grad) == (3.0, 4.0)
    assert tg.clip_gradients([x, y], 1.0) == 5.0
    assert (x.grad, y.grad) == (3.0 * 0.2, 4.0 * 0.2)
    x.grad = math.inf
    with pytest.raises(ValueError, match="norm of the gradients is inf"):
        tg.clip_gradients([x, y], 1.0)
    assert (x.grad, y.grad) == (math.inf, 0.8)


@pytest.mark.parametrize("replay", [False, True])
def test_patience_ends_a_run_with_the_weights_of_its_best_epoch(replay):
    model, loader, optimizer = parts(lr=3.0)  # too large: it gets worse
    kept, losses = [], []
    run = tg.epochs(model, nn.cross_entropy, loader, optimizer, 60, validation=(X, 1 - Y),
                    patience=3, replay=replay)  # fmt: skip
    for epoch in run:
        kept.append([p.data.copy() for p in model.parameters()])
        losses.append(epoch.validation_loss)
    best = int(np.argmin(losses))
    assert len(losses) == best + 4
    assert all(map(np.array_equal, arrays(model), kept[best]))


@pytest.mark.parametrize("replay", [False, True])
def test_a_nan_ends_a_run_before_its_step_and_says_where_it_was_first(replay):
    x = np.abs(X)
    x[33] = -1.0
    loader = data.DataLoader(x, np.zeros((50, 1)), 10, shuffle=False)

    def start():
        weight = tg.Tensor(np.ones((4, 1)), "weight")
        return weight, optim.SGD([weight], lr=0.1), lambda x: (x @ weight).sqrt()

    weight, optimizer, model = start()
    with warnings.catch_warnings(action="ignore"):
        history = tg.fit(model, nn.mse_loss, loader, optimizer, 3, replay=replay)
    assert len(history) == 0
    assert "the loss is nan" in history.stopped
    assert "first node that is not finite is the result of √" in history.stopped
    expected, optimizer, model = start()
    for x, y in list(loader)[:3]:  # the fourth batch has the row
        optimizer.zero_grad()
        nn.mse_loss(model(x), y).backward()
        optimizer.step()
    np.testing.assert_array_equal(weight.data, expected.data)


def test_ctrl_c_anywhere_in_an_epoch_ends_it_with_the_best_weights():
    for at in (1, 7, 30, 100, 200, 300):
        model, loader, optimizer = parts()

        def interrupting_loss(logits, labels, calls=[0], at=at):  # noqa: B006
            calls[0] += 1
            if calls[0] == at:
                raise KeyboardInterrupt
            return nn.cross_entropy(logits, labels)

        history = tg.fit(model, interrupting_loss, loader, optimizer, 40, validation=(X, Y))
        done = (at - 1) // (len(loader) + 1)
        assert len(history) == done
        assert f"interrupted in epoch {done + 1}" in history.stopped
        again, loader, optimizer = parts()
        if done:
            count = int(np.argmin(history.validation_loss)) + 1
            by_hand(again, loader, optimizer, count)
            assert all(map(np.array_equal, arrays(model), arrays(again)))


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_a_run_is_saved_and_resumed_to_the_same_bits(replay, make, tmp_path):
    straight, *rest = parts(0.1, make)
    settings = {"replay": replay, "validation": (X, Y), "metrics": [accuracy]}
    whole = tg.fit(straight, nn.cross_entropy, *rest, 5, **settings)
    for count in (2, 5, 5):  # begun, resumed, and resumed when nothing is left to do
        model, *others = parts(0.1, make)
        path = tmp_path / "run.npz"
        history = tg.fit(model, nn.cross_entropy, *others, count, checkpoint=path, **settings)
        assert len(history) == count
    for name in ("loss", "validation_loss", "accuracy"):
        np.testing.assert_array_equal(history[name], whole[name])
    assert all(map(np.array_equal, arrays(model), arrays(straight)))


def test_a_network_of_values_is_trained_too():
    model = scalar_nn.MLP(2, [3, 1])
    points = [(p.tolist(), int(y)) for p, y in zip(X[:6, :2], 2 * Y[:6] - 1, strict=True)]
    history = tg.fit(model, lambda score, y: (1 - score * y).relu() + 0.0 * score, points,
                     optim.SGD(model.parameters(), lr=0.05), 5)  # fmt: skip
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"metrics": [accuracy]}, "accuracy need validation data"),
        ({"replay": True, "clip": -1}, "clip is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_trained(settings, words):
    model, loader, optimizer = parts()
    with pytest.raises(ValueError, match=words):
        tg.epochs(model, nn.cross_entropy, loader, optimizer, **settings)
    with pytest.raises(TypeError, match="only once"):
        tg.epochs(model, nn.cross_entropy, iter(loader), optimizer)


def test_a_history_is_arrays_a_table_and_a_picture(tmp_path):
    model, *rest = parts()
    history = tg.fit(model, nn.cross_entropy, *rest, 30)
    assert repr(tg.History()) == "History of 0 epochs"
    lines = repr(history).splitlines()
    assert lines[0].split() == ["epoch", "loss", "lr", "seconds"]
    assert len(lines) == 14
    assert lines[-1] == "12 of 30 epochs"
    assert lines[1].split()[0] == "1"
    assert lines[-2].split()[0] == "30"
    history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert history._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(AttributeError, match="it has epoch, loss, lr, seconds"):
        history.accuracy


def test_progress_is_for_terminals(capsys):
    model, *rest = parts()
    tg.fit(model, nn.cross_entropy, *rest, 2)
    assert capsys.readouterr().err == ""
    tg.fit(model, nn.cross_entropy, *rest, 2, progress=True)
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
