"""Parts of long programs: stretches of operations that belong to no module."""

import pytest

from tinygrad_edu import Value, group
from tinygrad_edu.view.cards.cycles import cycles_of
from tinygrad_edu.view.cards.seen import see


def program(operations, inputs=1):
    """Operations that each use the one before and one of the inputs."""
    leaves = [Value(0.1 * i, f"x{i}") for i in range(inputs)]
    y = leaves[0]
    for i in range(operations):
        y = (y * leaves[i % inputs]).tanh() if i % 2 else y + 1.0
    return y


@pytest.mark.parametrize(("operations", "inputs"), [(100, 1), (100, 40), (400, 3)])
def test_a_long_program_is_in_parts_that_can_be_folded_in_any_order(operations, inputs):
    seen = see(program(operations, inputs), 1500)
    cards, module_of = seen.cards, seen.module_of
    made = [m for card, m in zip(cards, module_of, strict=True) if card.symbol]
    assert min(made) == 0
    assert made == sorted(made)  # stretches of the program, and none left out
    sizes = [made.count(m) for m in range(len(seen.modules))]
    assert all(12 <= size <= 30 for size in sizes)
    count = len(seen.modules)
    places = [count + i if m < 0 else m for i, m in enumerate(module_of)]
    edges = [(places[link.tail], places[link.head]) for link in seen.links]
    assert not cycles_of(count + len(cards), [edge for edge in edges if edge[0] != edge[1]])
    first = next(i for i, card in enumerate(cards) if card.symbol)
    assert seen.modules[0].name.startswith(f"{seen.names[first]} … ")


def test_short_programs_and_modules_stay_as_they_are():
    assert see(program(30, 5), 1500).modules == []
    with group("loop"):
        y = program(100)
    assert [module.name for module in see(y, 1500).modules] == ["loop"]
