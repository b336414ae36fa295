"""What a demo asks before it starts: a terminal that takes every line, and what it draws with."""

import importlib.util
import io
import sys


def ready(*libraries: str, extra: str = "plot") -> None:
    """End with a word if a library is missing; print ? for what a terminal has no character for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"this demo needs {' and '.join(missing)}: pip install -e '.[{extra}]'")
