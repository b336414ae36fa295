"""What the engine costs, against micrograd and against NumPy layers written by hand.

    pip install -e '.[test]' && python tests/benchmarks/run.py

What is compared takes turns, in random order, each in a process of its own, on one thread; the
figures are medians of processor time, and the ratio is the median of the ratios of neighbours.
Answers are checked before anything is timed. Prints the Markdown table of the README.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gc
import multiprocessing
import platform
import random
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

import numpy as np
from micrograd import engine as micrograd_engine
from micrograd import nn as micrograd_nn
from notebook_layers import TwoLayerNet

from tinygrad_edu import Value, collector_paused, nn, optim, scalar_nn


def readme_expression(value):
    """The expression of micrograd's README, built and differentiated."""
    a, b = value(-4.0), value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return g.data, a.grad, b.grad


def moons_step(model, points, labels):
    """One full-batch step of the max-margin MLP, every scalar a node."""
    value = type(model.parameters()[0])

    def step():
        scores = [model([value(x), value(y)]) for x, y in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        regularization = 1e-4 * sum(p * p for p in model.parameters())
        loss = sum(losses) * (1.0 / len(losses)) + regularization
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.0 * p.grad  # the same work in every round
        return loss.data

    return step


def networks(inputs, hidden, classes, batch):
    """The same training step by hand and by the engine, from the same start, in float32."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, inputs)).astype(np.float32)
    x.flags.writeable = False  # as a DataLoader gives it
    labels = rng.integers(0, classes, batch)
    model = nn.MLP(inputs, [hidden, classes], rng=0, dtype=np.float32)
    by_hand = TwoLayerNet([p.data for p in model.parameters()])
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def engine_step():
        loss = nn.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    for _ in range(3):
        np.testing.assert_allclose(engine_step(), by_hand.step(x, labels, 0.01), rtol=1e-4)
    return {"by hand": lambda: by_hand.step(x, labels, 0.01), "engine": engine_step}


def compare(candidates, calls, rounds, blocks=5):
    """Medians in seconds of processor time, and median ratios to the first candidate.

    Each candidate lives in a process of its own, so that it collects its own garbage and nobody
    else's; the processes take turns, in random order.
    """
    context = multiprocessing.get_context("fork")
    workers = {}
    for name, call in candidates.items():
        here, there = context.Pipe()
        worker = context.Process(target=serve, args=(there, call, calls), daemon=True)
        worker.start()
        workers[name] = here
    times = {name: [] for name in candidates}
    for _ in range(rounds * blocks + 1):
        for name in random.sample(list(candidates), len(candidates)):
            workers[name].send("go")
            times[name].append(workers[name].recv())
    for here in workers.values():
        here.send("stop")
    times = {name: taken[1:] for name, taken in times.items()}  # the first block warms up
    base = next(iter(times.values()))
    return {
        name: (
            statistics.median(taken),
            statistics.median(t / b for t, b in zip(taken, base, strict=True)),
        )
        for name, taken in times.items()
    }


def serve(pipe, call, calls):
    """Time a block of calls whenever asked to."""
    while pipe.recv() == "go":
        start = time.process_time()
        for _ in range(calls):
            call()
        pipe.send((time.process_time() - start) / calls)


def chain(operation, nodes):
    """Seconds and bytes per node of a chain, with the collector on: build, then backward."""
    gc.collect()
    before = resident_bytes()
    start = time.perf_counter()
    x = y = Value(1.0)
    for _ in range(nodes):
        y = operation(y)
    y.backward()
    seconds = time.perf_counter() - start
    size = resident_bytes() - before
    assert x.grad != 0
    return seconds / nodes, size / nodes


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def import_times(rounds):
    """Seconds that `import tinygrad_edu` and `import numpy` add to a bare interpreter."""
    candidates = {"bare": "pass", "numpy": "import numpy", "tinygrad_edu": "import tinygrad_edu"}
    times = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, code in candidates.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times[name].append(time.perf_counter() - start)
    bare = statistics.median(times["bare"])
    return {name: statistics.median(taken) - bare for name, taken in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="more is slower and steadier")
    rounds = parser.parse_args().rounds

    def row(what, against, ours, ratio=""):
        print(f"| {what} | {against} | {ours} | {ratio} |", flush=True)

    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"{time.strftime('%Y-%m-%d')}, {versions}, micrograd {version('micrograd')}\n")
    print("| workload | compared with | tinygrad_edu | ratio |\n|---|---|---|---|")
    np.testing.assert_allclose(
        readme_expression(Value), readme_expression(micrograd_engine.Value), rtol=1e-12
    )
    expression = {
        "micrograd": lambda: readme_expression(micrograd_engine.Value),
        "engine": lambda: readme_expression(Value),
    }
    found = compare(expression, 1000, rounds)
    row(
        "micrograd's README expression, build and backward",
        f"micrograd {found['micrograd'][0] * 1e6:.1f} µs",
        f"{found['engine'][0] * 1e6:.1f} µs",
        f"{found['engine'][1]:.2f}",
    )

    points = np.random.default_rng(0).normal(size=(100, 2)).tolist()
    labels = [1 if x > y else -1 for x, y in points]
    random.seed(1)
    theirs = moons_step(micrograd_nn.MLP(2, [16, 16, 1]), points, labels)
    random.seed(1)
    ours = moons_step(scalar_nn.MLP(2, [16, 16, 1]), points, labels)
    np.testing.assert_allclose(ours(), theirs(), rtol=1e-12)
    moons = {"micrograd": theirs, "engine": ours, "paused": collector_paused()(ours)}
    found = compare(moons, 2, rounds, blocks=3)
    for name, how in (("engine", ""), ("paused", ", inside `collector_paused()`")):
        row(
            f"moons MLP step, 100 points, every scalar a node{how}",
            f"micrograd {found['micrograd'][0] * 1e3:.0f} ms",
            f"{found[name][0] * 1e3:.0f} ms",
            f"{found[name][1]:.2f}",
        )

    for name, operation in (("x + 1.0", lambda y: y + 1.0), ("x * 0.9999", lambda y: y * 0.9999)):
        runs = [chain(operation, 1_000_000) for _ in range(rounds)]
        seconds, size = (statistics.median(column) for column in zip(*runs, strict=True))
        what = f"a chain of a million nodes, {name}, build and backward"
        row(what, "", f"{seconds * 1e6:.2f} µs and {size:.0f} bytes a node")

    for sizes, calls in (((64, 30, 10, 30), 500), ((784, 50, 10, 100), 100)):
        found = compare(networks(*sizes), calls, rounds)
        inputs, hidden, classes, batch = sizes
        row(
            f"training step of {inputs}-{hidden}-{classes}, batch {batch}, float32",
            f"NumPy layers by hand {found['by hand'][0] * 1e6:.0f} µs",
            f"{found['engine'][0] * 1e6:.0f} µs",
            f"{found['engine'][1]:.2f}",
        )

    found = import_times(5 * rounds)
    row(
        "`import tinygrad_edu`, over bare Python",
        f"`import numpy` {found['numpy'] * 1e3:.0f} ms",
        f"{found['tinygrad_edu'] * 1e3:.0f} ms",
    )


if __name__ == "__main__":
    main()
