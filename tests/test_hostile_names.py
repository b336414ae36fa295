"""Names that users or files give, in messages: labels, keys, functions, files.

A terminal would obey an escape sequence, and a mark may turn the direction of a line; so what
cannot be seen is escaped.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, check_backward, data, gradcheck, nn, optim, save
from tinygrad_edu.engine.names import LONGEST_SHOWN, escaped

EVIL = "\x1b[2J\u202e\x9b"  # clear the screen; write from right to left; a control sequence in one
HALF = EVIL + "\ud800"  # half of a surrogate pair, which UTF-8 cannot write
VALUE, ARRAY = Value(-1.0, HALF), Tensor(np.ones((2, 3)), HALF)


def named(f):
    def evil(*args):
        return f(*args)

    evil.__name__ = HALF
    return evil


def model(part, key=HALF):
    made = nn.Module()
    made.parts = {key: part}
    return made


class Layer:
    def __init__(self):
        self.p = {HALF: np.ones(2)}

    def forward(self, x):
        return x * self.p[HALF]

    def backward(self, dout):
        return 2 * dout


class Buffers(nn.Module):
    buffers = (HALF,)

    def __init__(self):
        self.x = Tensor([1.0])


def written(path, content):
    path.write_bytes(content)
    return path


def saved(path, **arrays):
    np.savez(path, **arrays)
    return f"{path}.npz"


OPERATIONS = {
    "of a Value": lambda: VALUE.log(),
    "of a Tensor": lambda: ARRAY.reshape(7),
    "in an operator": lambda: ARRAY + np.ones(4),
    "beside what is not an operand": lambda: ARRAY + "a",
    "truth value": lambda: bool(ARRAY),
    "of a Value and a Tensor": lambda: VALUE * ARRAY,
    "backward of an array": lambda: ARRAY.backward(),
    "derivative that does not exist": lambda: Value(0.0, HALF).sqrt().backward(),
    "setting": lambda: tg.einsum(HALF, ARRAY),
    "label that is a list": lambda: Value(1.0, [HALF]),
    "string as data": lambda: Tensor([HALF]),
    "label of a target": lambda: nn.cross_entropy(ARRAY, [0, 9]),
    "reduction": lambda: nn.mse_loss(ARRAY, ARRAY, HALF),
    "learning rate": lambda: optim.SGD([ARRAY], HALF),
    "batch size": lambda: data.DataLoader([1], [1], HALF),
    "symbol of a rule": lambda: tg.rule(HALF),
    "symbol that turns the line": lambda: tg.rule("\u202e"),
    "grad of a function": lambda: tg.grad(named(lambda x: 5))(2.0),
    "jacobian": lambda: tg.jacobian(named(lambda x: 3))(np.ones(2)),
    "vjp": lambda: tg.vjp(named(lambda x: x), np.ones(2))[1](np.ones(3)),
    "jvp": lambda: tg.jvp(named(lambda x: x), (np.ones(2),), (np.ones(3),)),
    "gradcheck": lambda: gradcheck(named(lambda x: x.detach()), VALUE),
    "gradcheck with names": lambda: gradcheck(lambda x: x * x.detach(), np.ones(3), names=[HALF]),
    "check_backward": lambda: check_backward(Layer(), np.ones(2)),
    "compared leaf": lambda: tg.replay(VALUE < 0 or VALUE * 2.0),
    "shape of a replay": lambda: tg.replay((ARRAY * ARRAY).sum())(np.ones(7)),
    "TrainingStep": lambda: tg.TrainingStep(named(lambda x: 3.0), optim.SGD([ARRAY], 0.1))([1.0]),
    "gradients": lambda: tg.gradients(ARRAY.sum(), HALF),
    "state_dict of another model": lambda: tg.load_state_dict(nn.Linear(2, 2), {HALF: [1.0]}),
    "state_dict of another shape": lambda: tg.load_state_dict(
        model(Tensor([1.0])), {f"parts.{HALF}": np.ones(2)}
    ),
    "state_dict without numbers": lambda: tg.load_state_dict(
        model(Tensor([1.0])), {f"parts.{HALF}": object()}
    ),
    "state_dict of Values": lambda: tg.to_state_dict(model(Value(1.0))),
}

FILES = {
    "an object": lambda folder: save({HALF: object()}, folder / "a.npz"),
    "a key": lambda folder: save({HALF: 1.0}, folder / "a.npz"),
    "a tuple": lambda folder: save({HALF: (1.0, [2.0, Value(1.0)])}, folder / "a.npz"),
    "a large number": lambda folder: save({EVIL: 2**99}, folder / "a.npz"),
    "a node": lambda folder: save({HALF: ARRAY * 2}, folder / "a.npz"),
    "buffers": lambda folder: save(Buffers(), folder / "a.npz"),
    "a parameter": lambda folder: save(model(Tensor([1.0])), folder / "a.npz"),
    "no folder": lambda folder: save({"a": 1.0}, folder / EVIL / "a.npz"),
    "a folder": lambda folder: (folder.mkdir(), save({"a": 1.0}, folder)),
    "not a zip": lambda folder: tg.load({"a": 1.0}, written(folder, b"hello")),
    "another name": lambda folder: tg.load({"b": 1.0}, saved(folder, **{EVIL: np.ones(2)})),
    "another shape": lambda folder: tg.load({"b": np.ones(3)}, saved(folder, b=np.ones(2))),
    "csv": lambda folder: data.load_csv(written(folder, b"1,2\n")),
    "csv without numbers": lambda folder: data.load_csv(written(folder, b"a,b\n1,\x1b\n"), (1, 1)),
    "an empty csv": lambda folder: data.load_csv(written(folder, b"")),
    "idx": lambda folder: data.load_idx(written(folder, b"1,2\n"), folder),
    "a short idx": lambda folder: data.load_idx(written(folder, b"\0\0\x08\x03"), folder),
    "svg": lambda folder: tg.to_svg(VALUE, folder / "x.svg"),
    "html": lambda folder: tg.to_html(VALUE, folder / "x.html"),
}


def assert_can_be_printed(call):
    with pytest.raises((TypeError, ValueError, IndexError, ArithmeticError, OSError,
                        AssertionError)) as found:  # fmt: skip
        call()
    message = "\n".join([str(found.value), *getattr(found.value, "__notes__", [])])
    assert all(c == "\n" or c == "\ufffd" or c.isprintable() for c in message), ascii(message)
    return message


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_message_of_an_operation_can_be_printed(name):
    assert_can_be_printed(OPERATIONS[name])


@pytest.mark.parametrize("name", FILES)
def test_the_message_about_a_file_can_be_printed(name, tmp_path):
    path = tmp_path if name in ("an object", "a key", "a tuple", "no folder") else tmp_path / EVIL
    assert_can_be_printed(lambda: FILES[name](path))


@pytest.mark.parametrize("node", [VALUE, ARRAY, VALUE * 2, ARRAY.sum()])
def test_the_repr_of_a_node_can_be_printed(node):
    assert repr(node).replace("\n", "").isprintable()


@given(st.text(st.characters(), max_size=300))
def test_an_escaped_name_is_printable_short_and_the_same_if_it_was_so_before(name):
    shown = escaped(name)
    assert shown.isprintable()
    shown.encode("utf-8")
    if name.isprintable() and len(name) <= LONGEST_SHOWN:
        assert shown == name
    elif len(name) > LONGEST_SHOWN:
        assert "…" in shown
        assert shown.endswith(escaped(name[-20:]))
