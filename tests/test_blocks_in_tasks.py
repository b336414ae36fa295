"""Blocks in asyncio tasks, generators and decorators: they hold where they were entered."""

import asyncio

import numpy as np
import pytest

from tinygrad_edu import Tensor, Value, collector_paused, data_locked, group, no_grad

BLOCKS = {
    "no_grad": no_grad,
    "group": lambda: group("layer"),
    "data_locked": data_locked,
    "collector_paused": collector_paused,
}
blocks = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)


def state(x):
    """What a block changes: recorded or not, in a group or not, locked or not."""
    y = x * 2.0
    return bool(y.operands), y.group and y.group.name, x.data.flags.writeable


async def in_turns(*works):
    """Run coroutines so that they take turns at every `await asyncio.sleep(0)`."""
    return await asyncio.gather(*(work() for work in works))


@pytest.mark.parametrize("name", ["no_grad", "group", "data_locked"])
def test_a_block_of_one_task_is_not_that_of_another(name):
    inside, outside = Tensor([1.0]), Tensor([1.0])
    plain = state(Tensor([1.0]))
    seen = {"inside": [], "outside": []}

    async def with_block():
        with BLOCKS[name]():
            for _ in range(3):
                seen["inside"].append(state(inside))
                await asyncio.sleep(0)
        seen["after"] = state(Tensor([1.0]))

    async def without():
        for _ in range(4):
            seen["outside"].append(state(outside))
            await asyncio.sleep(0)

    asyncio.run(in_turns(with_block, without))
    assert set(seen["outside"]) == {plain}
    assert plain not in seen["inside"]
    assert seen["after"] == plain
    assert inside.data.flags.writeable


def test_tasks_may_leave_their_blocks_in_any_order():
    recorded = []

    async def work(rests):
        with no_grad():
            for _ in range(rests):
                await asyncio.sleep(0)
        recorded.append(bool((Value(1.0) * 2.0).operands))

    asyncio.run(in_turns(lambda: work(3), lambda: work(1), lambda: work(2)))
    assert recorded == [True] * 3


@pytest.mark.parametrize("name", ["no_grad", "group", "data_locked"])
def test_a_task_that_outlives_the_block_it_was_started_in_is_in_it_no_longer(name):
    x = Tensor([1.0])
    plain = state(Tensor([1.0]))

    async def later():
        during = state(Tensor([1.0]))
        await asyncio.sleep(0)
        with group("another"):  # while another block is open, nodes look for blocks
            return during, state(x)[2], (x * 2.0).operands != ()

    async def main():
        with BLOCKS[name]():
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
        return await task

    during, writeable, is_recorded = asyncio.run(main())
    assert during != plain
    assert writeable
    assert is_recorded


@blocks
def test_a_function_that_runs_after_its_call_is_refused(block):
    def generator():
        yield Value(1.0)

    async def coroutine():
        pass

    async def asynchronous_generator():
        yield

    for function in (generator, coroutine, asynchronous_generator):
        with pytest.raises(TypeError, match=rf"{function.__name__} is a generator or an async"):
            block()(function)


@pytest.mark.parametrize("block", [no_grad, data_locked, collector_paused])
def test_a_decorator_without_its_call_says_how_to_write_it(block):
    with pytest.raises(TypeError, match=rf"write @{block.__name__}\(\)"):

        @block
        def work():
            pass


@blocks
def test_a_decorated_function_keeps_its_name_and_its_result(block):
    @block()
    def product(x):
        """Twice x."""
        return x * 2.0

    assert (product.__name__, product.__doc__) == ("product", "Twice x.")
    np.testing.assert_array_equal(product(Tensor([1.0])).data, [2.0])
