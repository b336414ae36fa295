"""What the checker says of the corpus. `python tests/corpus/counts.py` counts it over 50 seeds."""

from collections import Counter

import pytest
from corpus import CORPUS, PLANTED, checked, gradients_of, judged_rows
from counts import DTYPES, verdict_on
from test_corpus import some

pytestmark = pytest.mark.untraced
SEEDS = 8
NAMED, FALSE_NAMES = 0.8, 0.03
"""Of the mistakes for which there is a name, how many have it; and how many names are false."""


@pytest.mark.parametrize("name", some(((name,) for name in CORPUS), 8))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_layer_is_not_accused_and_all_of_it_is_compared(name, dtype):
    assert checked(name, None, 0, dtype).kind == "ok"
    assert judged_rows(name, 0, dtype) >= gradients_of(name)


@pytest.mark.deep
@pytest.mark.parametrize("name", CORPUS)
def test_a_right_layer_is_not_accused_with_any_numbers(name):
    for seed in range(1, SEEDS):
        outcome = checked(name, None, seed, DTYPES[seed % 2])
        assert outcome.kind == "ok", (seed, outcome.text)


@pytest.mark.parametrize(("name", "mistake"), some(PLANTED, 25))
def test_a_planted_mistake_is_found(name, mistake):
    assert checked(name, mistake, 0, "float64").kind == "wrong"


@pytest.mark.deep
def test_most_planted_mistakes_are_named_and_none_falsely():
    counts = Counter(
        verdict_on(checked(name, mistake, n % SEEDS, DTYPES[n // 2 % 2]), mistake)
        for n, (name, mistake) in enumerate(PLANTED)
    )
    assert not {"missed", "refused", "unsure"} & set(counts)
    named, asked = counts["named"], sum(counts.values()) - counts["found, no name is asked for"]
    assert counts["false name"] <= len(PLANTED) * FALSE_NAMES
    assert named >= NAMED * asked
