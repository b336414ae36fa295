"""What the engine costs, against the peers that are installed, each in a process of its own.

    pip install -e '.[bench]' && python tests/benchmarks/run.py

Prints a table in Markdown; `--markdown FILE` and `--json FILE` keep it, the JSON with every block.
Without the extra `bench` it compares with what is there and names what is missing. Answers are
checked before anything is timed. Times are processor time on one thread (chains: wall clock).
See measure.py for how candidates take turns, and workload.py for how to add one.
"""

from __future__ import annotations

import os

for name, value in {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
}.items():
    os.environ[name] = value  # every candidate inherits them, before it imports anything

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import report
from measure import compare, load

HERE = Path(__file__).resolve().parent

WORKLOADS = [
    "readme_expression", "tiny_graph", "moons", "scalar_gpt", "chain", "training_step",
    "convolution", "million_points", "import_time",
]  # fmt: skip


def parser() -> argparse.ArgumentParser:
    assert __doc__
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--rounds", type=int, help="blocks per candidate (15; quick: 2)")
    made.add_argument("--seconds", type=float, help="length of a block (0.2; quick: 0.01)")
    made.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    made.add_argument(
        "--only",
        nargs="+",
        metavar="WORKLOAD",
        default=WORKLOADS,
        help=f"some of: {', '.join(WORKLOADS)}; or the path of a file with a WORKLOAD of yours",
    )
    made.add_argument("--markdown", type=Path, metavar="FILE")
    made.add_argument("--json", type=Path, metavar="FILE")
    return made


def path_of(workload: str) -> str:
    """The file of a workload given by name or path."""
    path = HERE / f"{workload}.py" if workload in WORKLOADS else Path(workload)
    if not path.is_file():
        raise SystemExit(
            f"{workload!r} is neither a workload nor a file; use {', '.join(WORKLOADS)}"
        )
    return str(path.resolve())


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    options = parser().parse_args(arguments)
    rounds = options.rounds or (2 if options.quick else 15)
    seconds = options.seconds or (0.01 if options.quick else 0.2)
    paths = {Path(name).stem: path_of(name) for name in options.only}
    results: dict[str, Any] = {
        "machine": report.machine(),
        "settings": {"rounds": rounds, "seconds": seconds, "quick": options.quick},
        "workloads": {},
    }
    for name, path in paths.items():
        workload = load(path)
        sizes = workload.quick if options.quick and workload.quick else workload.sizes
        entry: dict[str, Any] = {"title": workload.title, "per": workload.per, "sizes": {}}
        results["workloads"][name] = entry
        for label in sizes:

            def say(line: str, about: str = f"{name} {label}".strip()) -> None:
                print(f"[{about}] {line}", file=sys.stderr, flush=True)

            entry["sizes"][label] = compare(
                path, label, rounds=rounds, seconds=seconds, quick=options.quick, say=say
            )
            entry["load"] = report.load_average()
            write(results, options)  # what is measured is kept, whatever happens next
    print(report.markdown(results))


def write(results: dict[str, Any], options: argparse.Namespace) -> None:
    """Keep what is known so far."""
    if options.json:
        text = json.dumps(results, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report.markdown(results), encoding="utf-8")


if __name__ == "__main__":
    main()
