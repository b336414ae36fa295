"""`tinygrad-edu train`: a first training without a line of Python, as a page."""

from __future__ import annotations

import argparse
import os
from typing import Any

from tinygrad_edu.commands.options import Parser, UsageError, check_target
from tinygrad_edu.commands.printing import say
from tinygrad_edu.commands.show_command import is_own_page
from tinygrad_edu.view import to_html
from tinygrad_edu.view.show import open_in_browser

TRAIN_EXAMPLES = """examples:
  tinygrad-edu train moons --open
  tinygrad-edu train digits --hidden 30 --page digits.html
  tinygrad-edu train wine.csv --label quality --epochs 50

moons, circles and spirals give a page that trains a small network in the browser. digits, and a CSV
file with a header and a column of labels 0, 1, 2, ..., are trained here: the page shows the run.
"""

POINT_SETS = ("moons", "circles", "spirals")


def train_parser() -> Parser:
    """The options of `train`."""
    parser = Parser(
        "tinygrad-edu train",
        description="Train a small network and watch it learn.",
        epilog=TRAIN_EXAMPLES,
    )
    parser.add_argument("what", help=f"{', '.join(POINT_SETS)}, digits, or a CSV file")
    parser.add_argument("--hidden", metavar="16,16", help="the widths of the hidden layers")
    parser.add_argument("--epochs", type=int, default=30, help="passes over digits or a file")
    parser.add_argument("--label", default="label", help="the column of labels of a file")
    parser.add_argument("--page", default="run.html", metavar="FILE", help="default: run.html")
    parser.add_argument("--force", action="store_true", help="overwrite the page if it exists")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser


def run_train(options: argparse.Namespace) -> int:
    """Check what can be checked first; train, write the page and print after that."""
    widths = _widths(options.hidden)
    if not options.page.lower().endswith(".html"):
        raise UsageError(f"--page {options.page}: a page ends in .html")
    check_target(options.page, options.force or is_own_page(options.page), ", or --page")
    if options.what in POINT_SETS:
        to_html(_trainer(options.what, widths or [16, 16]), options.page, title=options.what)
        say("the page trains: open it and watch")
    else:
        say(repr(_history(options, widths or [30])))
    say(f"written: {options.page}")
    if options.open and not open_in_browser(options.page):
        say("no browser could be opened; open the file yourself")
    return 0


def _widths(text: str | None) -> list[int]:
    try:
        widths = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        widths = [0]
    if any(width < 1 for width in widths):
        raise UsageError(f"--hidden {text}: expected whole numbers from 1 up, such as 16,16")
    return widths


def _trainer(name: str, widths: list[int]) -> Any:
    from tinygrad_edu import data, nn
    from tinygrad_edu.training import Trainer

    make = {"moons": data.make_moons, "circles": data.make_circles, "spirals": data.make_spirals}
    points, labels = make[name](100, noise=0.1 if name == "moons" else 0.05, rng=0)
    layers: list[nn.Module] = []
    for before, after in zip([2, *widths], widths, strict=False):
        layers += [nn.Linear(before, after, init="glorot", rng=before), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 1, init="glorot", rng=1))
    return Trainer(model, points, labels)


def _history(options: argparse.Namespace, widths: list[int]) -> Any:
    """Train on digits or a file, a fifth of which is held back for validation."""
    import numpy as np

    from tinygrad_edu import data, nn, optim
    from tinygrad_edu.training import fit

    if options.what == "digits":
        x, y = data.load_digits()
    elif not os.path.isfile(options.what):
        raise UsageError(f"{options.what} is not a file, nor {', '.join(POINT_SETS)} or digits")
    else:
        x, y = data.load_csv(options.what, shape=None, label=options.label)
    if y.dtype.kind != "i" or y.min() < 0 or y.max() > 99:
        raise UsageError(f"{options.what}: the labels must be classes 0, 1, 2, ... up to 99")
    if options.epochs < 1:
        raise UsageError(f"--epochs {options.epochs}: expected a whole number from 1 up")
    rng = np.random.default_rng(0)
    x_train, x_val, y_train, y_val = data.train_test_split(x, y, rng=rng)
    mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_val = ((part - mean) / np.where(spread, spread, 1) for part in (x_train, x_val))
    model = nn.MLP(x.shape[1], [*widths, int(y.max()) + 1], rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loader = data.DataLoader(x_train, y_train, 32, rng=rng)
    return fit(
        model, nn.cross_entropy, loader, optimizer, options.epochs, replay=True,
        page=options.page, validation=(x_val, y_val), metrics=[nn.accuracy],
    )  # fmt: skip
