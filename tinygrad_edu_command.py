"""The command `tinygrad-edu` from its first moment on.

It stands beside the package, because importing that takes long enough for somebody to press Ctrl-C.
"""

import sys


def main() -> int:
    """Import the package and run `tinygrad_edu.commands.main.main`; the exit status."""
    try:
        from tinygrad_edu.commands import main as cli

        return cli.main()
    except KeyboardInterrupt:
        print("tinygrad-edu: interrupted", file=sys.stderr)
        return 130
