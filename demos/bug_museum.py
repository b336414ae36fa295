"""Twenty bugs out of five notebooks, each caught by a check, with its cure.

python demos/bug_museum.py            prints every bug, what the check says, and the cure
python demos/bug_museum.py 7          prints one of them
python demos/bug_museum.py --page     prints the same as docs/bug_museum.md
"""

import argparse
import difflib
import textwrap

from exhibits import around, layers, losses  # noqa: F401 - they fill the museum
from exhibits.frame import EXHIBITS, Exhibit, code_of
from ready import ready

INTRODUCTION = """\
# The bug museum

Twenty real bugs from five notebooks about backpropagation. For each you see the code, what the
check says, and the lines that cure it. The cured code passes the same check.
`python demos/bug_museum.py` runs them all; `--page` prints this page.
[Checking derivatives](checking.md) explains the checks.

The code assumes `import numpy as np`, `from tinygrad_edu import check_backward, gradcheck` and
`from tinygrad_edu.check import check_inputs_matter`. Names in capitals are random arrays from
`demos/exhibits/`, which holds the whole code."""


def page() -> str:
    """All exhibits in Markdown."""
    parts = [INTRODUCTION]
    for number in sorted(EXHIBITS):
        parts.append(exhibit_as_markdown(EXHIBITS[number]))
    return "\n\n".join(parts) + "\n"


def exhibit_as_markdown(exhibit: Exhibit) -> str:
    """One exhibit: the story, the code, what the check says, the cure and the lines it changes."""
    assert exhibit.right is not None
    return "\n".join([
        f"## {exhibit.number}. {exhibit.title}", "",
        *textwrap.wrap(f"{exhibit.story} (Notebook {exhibit.notebooks}.)", 100), "",
        "```py", code_of(exhibit.wrong), "```", "", "The check says:", "",
        "```text", exhibit.said(), "```", "",
        *textwrap.wrap(f"**Cure.** {exhibit.cure}", 100), "",
        "```diff", changed_lines(exhibit), "```",
    ])  # fmt: skip


def changed_lines(exhibit: Exhibit) -> str:
    """The lines that the cure takes out, and those that it puts in their place."""
    assert exhibit.right is not None
    before, after = code_of(exhibit.wrong).splitlines(), code_of(exhibit.right).splitlines()
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[3:]  # without its head
    return "\n".join("" if line.startswith("@@") else line for line in lines)


def show(exhibit: Exhibit) -> None:
    """Print one exhibit, and let the cure pass its check."""
    assert exhibit.right is not None
    print(f"{exhibit.number}. {exhibit.title} (notebook {exhibit.notebooks})")
    print(textwrap.fill(exhibit.story, 96, initial_indent="   ", subsequent_indent="   "))
    print(textwrap.indent(exhibit.said(), "   | "))
    exhibit.right()
    cure = f"Cure, which passes: {exhibit.cure}"
    print(textwrap.fill(cure, 96, initial_indent="   ", subsequent_indent="   "), end="\n\n")


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("number", type=int, nargs="?", choices=sorted(EXHIBITS))
    parser.add_argument("--page", action="store_true", help="print docs/bug_museum.md")
    options = parser.parse_args()
    if options.page:
        print(page(), end="")
        return
    chosen = [options.number] if options.number else sorted(EXHIBITS)
    for number in chosen:
        show(EXHIBITS[number])
    print(f"{len(chosen)} caught, {len(chosen)} cured")


if __name__ == "__main__":
    ready()
    main()
