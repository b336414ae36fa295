"""What the checker says of the corpus. `python tests/corpus/counts.py` counts it over 50 seeds."""

import pytest
from corpus import CORPUS, PLANTED, checked, gradients_of, judged_rows
from counts import DTYPES, verdict_on
from test_corpus import some

pytestmark = pytest.mark.untraced
SEEDS = 8
NAMELESS = {
    ("maxout", "not transposed"), ("depthwise", "kernel not flipped back"),
    ("transposed convolution, step 2", "weight transposed"),
    ("characters, lists by time", "cut"), ("characters, lists by time", "not transposed"),
    ("two directions", "second direction alone"),
    ("GRU over time, dict of parameters", "assigned"),
    ("GRU over time, dict of parameters", "path of the gate"),
    ("scaled dot-product of batches", "P not transposed"),
    ("delta_W and updates by an optimizer", "by the updated weights"),
    ("inputs and adjoint, outputs of a dict", "A turned"),
}  # fmt: skip
"""Mistakes that are found and have no name yet."""


@pytest.mark.parametrize("name", some(((name,) for name in CORPUS), 8))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_layer_is_not_accused_and_all_of_it_is_compared(name, dtype):
    assert checked(name, None, 0, dtype).kind == "ok"
    assert judged_rows(name, 0, dtype) >= gradients_of(name)


@pytest.mark.deep
@pytest.mark.parametrize("name", CORPUS)
def test_a_right_layer_is_not_accused_with_other_numbers(name):
    for seed in (3, 6):  # one of each dtype
        outcome = checked(name, None, seed, DTYPES[seed % 2])
        assert outcome.kind == "ok", (seed, outcome.text)


@pytest.mark.parametrize(("name", "mistake"), PLANTED[::25])
def test_a_planted_mistake_is_found(name, mistake):
    assert checked(name, mistake, 0, "float64").kind == "wrong"


@pytest.mark.deep
@pytest.mark.parametrize("name", CORPUS)
def test_a_planted_mistake_is_named_and_not_falsely(name):
    for n, (layer, mistake) in enumerate(PLANTED):
        if layer == name and n % 4 == 1:  # `counts.py` tries all of them
            outcome = checked(name, mistake, n % SEEDS, DTYPES[n // 2 % 2])
            verdicts = {"named", "found, no name is asked for"}
            if (name, mistake.name) in NAMELESS:
                verdicts.add("found, not named")
            assert verdict_on(outcome, mistake) in verdicts, outcome.text


def test_nineteen_mistakes_of_twenty_are_named():
    asked = sum(bool(mistake.words) for _, mistake in PLANTED)
    assert len(NAMELESS) <= 0.05 * asked
