"""One replay called by several threads, and inputs that are no list."""

import threading

import numpy as np
import pytest

from tinygrad_edu import Tensor, replay


def test_threads_share_a_replay():
    run = replay(lambda x: (x * x).sum(), [np.ones(2000)])
    run(np.zeros(2000))
    wrong = []

    def call(k):
        for _ in range(200):
            value, (slope,) = run(np.full(2000, float(k)))
            if value != 2000.0 * k * k or (slope != 2.0 * k).any():
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("name", ["inputs", "wrt"])
def test_a_single_leaf_is_no_list(name):
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=f"{name} is a Tensor; give a list"):
        replay((x * x).sum(), **{name: x})
