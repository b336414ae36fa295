"""The page on checks from the command line says what the command does."""

import json
import re
import shlex
from pathlib import Path

import command

from tinygrad_edu.commands.check_command import check_parser
from tinygrad_edu.commands.check_targets import BESIDE
from tinygrad_edu.commands.input_forms import read_input

LAYERS = """\
import math

import numpy as np


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.ones((n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, 2 * dout.sum(axis=0)
        return dout @ self.W.T


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def dsigmoid(x):
    return sigmoid(x) * (1 - sigmoid(x))


def accuracy(x, labels):
    return (x.argmax(axis=1) == labels).mean()
"""
PAGE = (Path(__file__).parent.parent / "docs" / "command_line.md").read_text(encoding="utf-8")
folder, check = command.folder, command.check


def test_the_names_of_derivatives_and_the_options_are_those_of_the_command():
    [listed] = re.findall(r"function called (.*?)\. The first", PAGE, re.S)
    assert re.findall(r"`(\w+)`", listed) == [form.format("f") for form in BESIDE]
    options = {x for action in check_parser()._actions for x in action.option_strings}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= options


def test_every_input_of_the_table_can_be_read():
    [table] = re.findall(r"\| input \|.*?\n\n", PAGE, re.S)
    words = re.findall(r"`(\w+=[^`]+)`", table)
    assert len(words) >= 14
    for word in words:
        read_input(shlex.split(word)[0].partition("=")[2])


def test_the_example_of_a_whole_script_and_the_keys_of_json(check):
    Path("layers.py").write_text(LAYERS, encoding="utf-8")
    _, out, _ = check("layers.py x=5x3 n_in=3 n_out=2")
    example = PAGE.split("$ tinygrad-edu check layers.py x=5x3 n_in=3 n_out=2\n")[1]
    first, last = re.match(r"(.*?)    …\n(.*?)\n\n", example, re.S).groups()
    rounding = re.compile(r"\d\.\de[+-]\d\d")
    lines = rounding.sub("*", out).splitlines()
    assert lines[:8] == [line[4:] for line in rounding.sub("*", first).splitlines()]
    assert lines[-1] == last.strip()
    found = json.loads(check("layers.py x=5x3 n_in=3 n_out=2 --json")[1])
    for keys in (found, found["targets"][0], found["targets"][0]["rows"][0]):
        assert all(f"`{key}`" in PAGE for key in keys if key != "compared")
