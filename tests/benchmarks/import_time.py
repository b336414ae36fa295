"""What an import adds to a bare interpreter: processor time, in a fresh one every time.

Bytecode is cached first, as it is for everybody from the second import on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from workload import OURS, Workload

WORKLOAD = Workload("import, over a bare interpreter", measures_itself=True)


def imported(module: str) -> Callable[[], Any]:
    """A candidate: the time that a fresh interpreter takes for an import."""
    code = (
        "import time; start = time.process_time()\n"
        f"import {module}\n"
        "print(time.process_time() - start)"
    )

    def candidate() -> tuple[Callable[[], dict[str, float]], list[Any]]:
        __import__(module)  # says so if it is missing
        caching = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

        def call() -> dict[str, float]:
            command = [sys.executable, "-W", "ignore", "-c", code]
            run = subprocess.run(command, env=caching, capture_output=True, text=True, check=True)
            return {"seconds": float(run.stdout.split()[-1])}

        call()
        return call, []

    return candidate


for name, module in {
    "NumPy": "numpy",
    OURS: "tinygrad_edu",
    "micrograd": "micrograd.engine",
    "autograd": "autograd",
    "MyGrad": "mygrad",
    "jax": "jax",
    "torch": "torch",
}.items():
    WORKLOAD.candidate(name)(imported(module))
