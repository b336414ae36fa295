"""What was measured, as Markdown and as JSON."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from workload import OURS

DISTRIBUTIONS = [
    "tinygrad_edu", "numpy", "micrograd", "autograd", "mygrad", "torch", "jax", "numba",
]  # fmt: skip

COLUMNS = ["micrograd", "NumPy", "torch", "jax", "autograd", "MyGrad", OURS, "replay"]


def machine() -> dict[str, Any]:
    """Where and when, with the versions of what is compared; None for what is missing."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load": load_average(),
        "versions": {name: version(name) for name in DISTRIBUTIONS},
    }


def cpu() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load_average() -> list[float] | None:
    """Processes that were running or waiting, over 1, 5 and 15 minutes; None where unknown."""
    try:
        return [round(x, 2) for x in os.getloadavg()]
    except (AttributeError, OSError):
        return None


def version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


# ---- Markdown


def markdown(results: dict[str, Any]) -> str:
    """One table with a row per workload, as in the README, then every workload by itself."""
    rows = {
        (title(workload), label): found
        for workload in results["workloads"].values()
        for label, found in workload["sizes"].items()
    }
    used = [
        column
        for column in COLUMNS
        if any(
            family(name) == column and entry["status"] not in ("not installed", "not there yet")
            for found in rows.values()
            for name, entry in found.items()
        )
    ]
    lines = [heading(results), ""]
    lines += [table_row(["workload", *used]), table_row(["---"] * (len(used) + 1))]
    for (name, label), found in rows.items():
        cells = ["<br>".join(cells_of(found, column)) for column in used]
        lines.append(table_row([", ".join(filter(None, [name, label])), *cells]))
    for (name, label), found in rows.items():
        lines += ["", f"### {', '.join(filter(None, [name, label]))}", ""]
        lines += ["| | median | in tinygrad_edu's time | fastest and slowest block |"]
        lines += [table_row(["---"] * 4)]
        lines += [detail(candidate, entry) for candidate, entry in found.items()]
    return "\n".join(lines) + "\n"


def heading(results: dict[str, Any]) -> str:
    """What stands above the tables: when, where, how."""
    where, settings = results["machine"], results["settings"]
    versions = [f"{name} {number}" for name, number in where["versions"].items() if number]
    missing = [name for name, number in where["versions"].items() if not number]
    load = where["load"]
    return (
        f"Measured on {where['date']}, Python {where['python']}, {', '.join(versions)}, on "
        f"{where['cores']} × {where['cpu']}"
        + (f", load average {load[0]}" if load else "")
        + f"; {settings['rounds']} rounds of blocks of {settings['seconds']} s, one thread. "
        + "Medians; in brackets the part of tinygrad_edu's time, the median of the ratios of "
        "neighbours." + (f" Not installed: {', '.join(missing)}." if missing else "")
    )


def title(workload: dict[str, Any]) -> str:
    text: str = workload["title"]
    return text + (f", per {workload['per']}" if workload["per"] else "")


def family(name: str) -> str:
    """The column of a candidate: the first word of its name."""
    return name.replace(",", " ").replace(".", " ").split()[0]


def cells_of(found: dict[str, Any], column: str) -> list[str]:
    """The candidates of a library on one workload, each in a few words."""
    cells = []
    for name, entry in found.items():
        if family(name) == column:
            how = name.partition(", ")[2]
            cells.append(f"{how}: {outcome(entry)}" if how else outcome(entry))
    return cells


def outcome(entry: dict[str, Any]) -> str:
    """A time with its ratio, or why there is none."""
    if "median" not in entry:
        return " ".join(
            filter(None, [entry["status"], f"({entry['why']})" if entry["why"] else ""])
        )
    ratio = f" ({entry['ratio']:.3g})" if "ratio" in entry else ""
    return duration(entry["median"]) + memory(entry) + ratio


def detail(name: str, entry: dict[str, Any]) -> str:
    """A row of the table of one workload."""
    if "median" not in entry:
        return table_row([name, outcome(entry), "", ""])
    times = [block["seconds"] for block in entry["blocks"].values()]
    ratio = f"{entry['ratio']:.3g}" if "ratio" in entry else ""
    spread = f"{duration(min(times))} to {duration(max(times))}"
    return table_row([name, duration(entry["median"]) + memory(entry), ratio, spread])


def memory(entry: dict[str, Any]) -> str:
    """Bytes of the graph, and at most while it was differentiated."""
    if "bytes" not in entry:
        return ""
    return f", {entry['bytes']:.0f} B (at most {entry['most_bytes']:.0f})"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def three_digits(number: float) -> str:
    """1.23, 12.3, 123, 1234: never 1.2e+03."""
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}"


def table_row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
