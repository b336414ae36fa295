"""Candidates take turns, each in an interpreter of its own, and are timed in blocks of calls.

A process of its own: so that a candidate collects its own garbage and nobody else's, and sets
only its own switches. Turns in random order: so that a machine that gets slower for a while does
so for all. Ratios between neighbours: so that what is left of that cancels.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

from workload import OURS, Workload

PATIENCE = 900
"""Seconds after which a candidate that has not answered is given up."""

LONG = 20
"""A candidate that was asked for more than so many seconds is not asked again."""


def load(path: str) -> Workload:
    """The WORKLOAD of a file."""
    name = f"workload_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    workload: Workload = module.WORKLOAD
    return workload


# ---- in the process of a candidate


def serve(pipe: Any, path: str, name: str, label: str, seconds: float) -> None:
    """Make a candidate, send its answer, then time a block whenever asked to."""
    try:
        workload = load(path)
        call, answer = workload.run(workload.candidates[name].make, label)
        one_thread()
        pipe.send(("answer", answer))
        calls = 0
        while pipe.recv() == "block":
            if workload.measures_itself:
                pipe.send(("block", call()))
                continue
            calls = calls or enough_calls(call, seconds)
            steps = calls * getattr(call, "steps", 1)
            pipe.send(("block", {"seconds": timed(call, calls) / steps, "calls": steps}))
    except ModuleNotFoundError as error:
        module = error.name or ""
        ours = module.partition(".")[0] == OURS
        pipe.send(("not there yet" if ours else "not installed", module))
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        pipe.send(("failed", f"{type(error).__name__}: {lines[0][:200]}".rstrip(": ")))


def one_thread() -> None:
    """What the environment did not pin."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def enough_calls(call: Callable[[], Any], seconds: float) -> int:
    """How many calls take about so many seconds; calls until then warm up."""
    calls = 1
    while (taken := timed(call, calls)) < seconds / 4:
        calls *= 2
    return max(1, round(calls * seconds / taken))


def timed(call: Callable[[], Any], calls: int) -> float:
    """Seconds of processor time, of all threads."""
    start = time.process_time()
    for _ in repeat(None, calls):
        call()
    return time.process_time() - start


# ---- in the process that compares


class Worker:
    """A candidate in a freshly started interpreter, waiting to be asked."""

    def __init__(self, path: str, name: str, label: str, seconds: float) -> None:
        self.spent = 0.0
        context = multiprocessing.get_context("spawn")  # jax and torch do not survive a fork
        self.pipe, there = context.Pipe()
        arguments = (there, path, name, label, seconds)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        there.close()

    def receive(self) -> tuple[str, Any]:
        """A pair of a status and what goes with it; a process that died is ("failed", why)."""
        try:
            if self.pipe.poll(PATIENCE):
                status, what = self.pipe.recv()
                return status, what
            self.process.kill()
            return "failed", f"no answer in {PATIENCE} s"
        except EOFError:
            self.process.join()
            return "failed", f"the process ended with exit code {self.process.exitcode}"

    def block(self) -> tuple[str, Any]:
        """Time one block."""
        start = time.perf_counter()
        with suppress(OSError):  # it ended by itself; what it said is still there
            self.pipe.send("block")
        answer = self.receive()
        self.spent += time.perf_counter() - start
        return answer

    def stop(self) -> None:
        with suppress(OSError):  # it ended by itself
            self.pipe.send("stop")
        self.process.join(10)
        self.process.kill()
        self.pipe.close()


def difference(answer: Any, expected: Any) -> float:
    """The largest difference between two lists of arrays, relative to the largest entry."""
    import numpy as np

    worst = 0.0
    for i, (ours, theirs) in enumerate(zip(answer, expected, strict=True)):
        a, b = np.asarray(ours, float), np.asarray(theirs, float)
        if a.shape != b.shape:
            raise ValueError(f"part {i} of the answer has shape {a.shape}, not {b.shape}")
        scale = float(np.abs(b).max()) or 1.0
        off = float(np.abs(a - b).max()) / scale
        worst = max(worst, off) if off == off else float("inf")  # nan is as wrong as can be
    return worst


def compare(
    path: str,
    label: str,
    *,
    rounds: int,
    seconds: float,
    quick: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """All candidates of a workload at one size: name -> status, blocks, median, ratio."""
    workload = load(path)
    rounds = min(rounds, workload.most_rounds or rounds)
    found: dict[str, dict[str, Any]] = {}
    waiting: dict[str, Worker] = {}
    for name, candidate in workload.candidates.items():
        if quick and candidate.slow:
            found[name] = {"status": "left out", "why": "--quick"}
            continue
        say(f"{name}: starting")
        worker = Worker(path, name, label, seconds)
        found[name] = checked(worker, workload, name, label)
        if found[name]["status"] == "measured" and not workload.measures_itself:
            status, what = worker.block()  # it compiles and warms up while nobody is timed
            if status != "block":
                found[name] = {"status": status, "why": what}
        if found[name]["status"] == "measured":
            waiting[name] = worker
        else:
            say(f"{name}: {found[name]['status']} ({found[name]['why']})")
            worker.stop()
    for i in range(rounds):
        say(f"round {i + 1} of {rounds}")
        for name in random.sample(list(waiting), len(waiting)):
            entry, worker = found[name], waiting[name]
            if worker.spent > LONG and entry["blocks"]:
                continue
            status, what = worker.block()
            if status != "block":
                found[name] = {"status": status, "why": what}
                waiting.pop(name).stop()
                continue
            entry["blocks"][i] = what
            if workload.measures_itself and worker.spent <= LONG and i + 1 < rounds:
                worker.stop()
                waiting[name] = fresh = Worker(path, name, label, seconds)
                fresh.receive()
    for worker in waiting.values():
        worker.stop()
    summarise(found)
    return found


def checked(worker: Worker, workload: Workload, name: str, label: str) -> dict[str, Any]:
    """What is known of a candidate before timing: "measured" if its answer is right."""
    status, what = worker.receive()
    if status != "answer":
        return {"status": status, "why": what}
    reference = workload.candidates[name].reference
    try:
        off = difference(what, workload.run(reference, label)) if reference else 0.0
    except (TypeError, ValueError) as error:
        return {"status": "wrong answer", "why": str(error)}
    if not off <= workload.tolerance:
        return {"status": "wrong answer", "why": f"off by {off:.1e}, relative"}
    return {"status": "measured", "off": off, "blocks": {}}


def summarise(found: dict[str, dict[str, Any]]) -> None:
    """Add medians, and ratios to the engine, to what was measured."""
    base = found.get(OURS, {}).get("blocks", {})
    for entry in found.values():
        blocks = entry.get("blocks")
        if not blocks:
            continue
        times = {i: block["seconds"] for i, block in blocks.items()}
        entry["median"] = statistics.median(times.values())
        ratios = [taken / base[i]["seconds"] for i, taken in times.items() if i in base]
        if ratios:
            entry["ratio"] = statistics.median(ratios)
        for kind in ("bytes", "most_bytes"):
            sizes = [block[kind] for block in blocks.values() if block.get(kind) is not None]
            if sizes:
                entry[kind] = statistics.median(sizes)
