"""Points in a plane, names, and characters as integers."""

import numpy as np
import pytest

from tinygrad_edu import data, nn
from tinygrad_edu.data import Characters

SETS = {"moons": data.make_moons, "circles": data.make_circles, "spirals": data.make_spirals}


@pytest.mark.parametrize("name", SETS)
def test_points_are_shared_evenly_and_noise_is_repeatable(name):
    make = SETS[name]
    x, y = make(101)
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((101, 2), (101,), np.float64, np.int64)
    assert np.bincount(y).tolist() == [51, 50]
    assert (make(101)[0] == x).all()
    noisy = make(2000, noise=0.1, rng=3)[0]
    assert (make(2000, noise=0.1, rng=np.random.default_rng(3))[0] == noisy).all()
    assert (noisy - make(2000)[0]).std() == pytest.approx(0.1, rel=0.05)


def test_points_lie_on_their_curves():
    x, y = data.make_moons(50)
    upper, lower = x[y == 0], x[y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1)
    assert (upper[:, 1] >= -1e-12).all()
    assert (lower[:, 1] <= 0.5 + 1e-12).all()
    x, y = data.make_circles(60, factor=0.3)
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y, 0.3, 1.0))
    x, y = data.make_spirals(90, classes=3, turns=0.5)
    radius, angle = np.hypot(*x.T), np.arctan2(*x.T[::-1])
    assert np.unique(y).tolist() == [0, 1, 2]
    away = angle - 2 * np.pi * (y / 3 + 0.5 * radius)
    np.testing.assert_allclose(np.cos(away), 1)
    assert (radius.max(), radius.min()) == (1.0, pytest.approx(1 / 30))


def test_the_names_are_those_of_the_census():
    names = data.load_names()
    assert len(names) == len(set(names)) == 5163
    assert names[:4] == ["james", "john", "robert", "michael"]
    assert {"mary", "emma", "olivia", "zulma"} <= set(names)
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz")


def test_characters_there_and_back():
    characters = Characters(["emma", "ava"])
    assert characters.alphabet == ".aemv"
    assert characters.encode("ava").tolist() == [1, 4, 1]
    assert characters.decode([2, 3, 3, 1, 0]) == "emma."
    assert (len(characters), len(characters.encode(""))) == (5, 0)
    assert repr(characters) == "Characters('.aemv', 5 classes)"
    assert Characters(["a.b"], mark="|").decode([0, 1]) == "|."


def test_contexts_are_what_stands_before_each_character():
    characters = Characters(["emma", "ava"])
    x, y = characters.contexts(["emma", "a"], 3)
    rows = [
        characters.decode(row) + characters.decode(after) for row, after in zip(x, y, strict=True)
    ]
    assert rows == ["...e", "..em", ".emm", "emma", "mma.", "...a", "..a."]
    assert x.dtype == y.dtype == np.int64
    x, y = characters.contexts([], 2)
    assert (x.shape, y.shape) == ((0, 2), (0,))
    assert characters.contexts([""], 2)[1].tolist() == [0]


def test_sequences_end_where_a_loss_ignores_them():
    characters = Characters(["emma", "ava"])
    x, y = characters.sequences(["emma", "a", ""], 4)
    assert [characters.decode(row) for row in x] == [".emm", ".a..", "...."]
    assert y.tolist() == [[2, 3, 3, 1], [1, 0, -1, -1], [0, -1, -1, -1]]
    logits = nn.Embedding(5, 5, rng=0)(x)
    e = np.exp(logits.data)
    every = -np.log(e / e.sum(-1, keepdims=True))[y >= 0, y[y >= 0]]
    assert nn.cross_entropy(logits, y, ignore_index=-1).item() == pytest.approx(np.mean(every))


@pytest.mark.parametrize(("call", "kind", "says"), [
    (lambda: data.make_moons(1), ValueError, "n_samples is 1; give a whole number from 2 up"),
    (lambda: data.make_moons("9"), TypeError, "make_moons: n_samples is '9'"),
    (lambda: data.make_spirals(5, classes=0), ValueError, "classes is 0; give a whole number from"),
    (lambda: data.make_circles(factor=1.0), ValueError, "factor is 1.0; it is between 0 and 1"),
    (lambda: data.make_moons(noise=-1), ValueError, "noise is -1; give a standard deviation"),
    (lambda: data.make_moons(noise=0.1, rng="x"), TypeError, "make_moons: rng is 'x'; give a seed"),
    (lambda: Characters("emma"), TypeError, r"got one string; give a list of words, as in \['emma"),
    (lambda: Characters([]), ValueError, "there is no word; give words"),
    (lambda: Characters(["a.b"]), ValueError, "the mark '.' is a character of a word"),
    (lambda: Characters(["a"], ".."), ValueError, "mark is '..'; give one character"),
    (lambda: Characters([1]), TypeError, "1 is not a string"),
    (lambda: Characters(["a"]).encode("ab"), ValueError, "'b' of 'ab' is not in the alphabet '.a'"),
    (lambda: Characters(["a"]).decode([2]), IndexError, "2 is out of range for 2 classes, 0 to 1"),
    (lambda: Characters(["a"]).contexts(["a"], 0), ValueError, "contexts: size is 0; give a whole"),
    (lambda: Characters(["a"]).sequences(["a"], 1.5), TypeError, "sequences: size is 1.5"),
])  # fmt: skip
def test_what_cannot_be_is_named(call, kind, says):
    with pytest.raises(kind, match=says):
        call()
