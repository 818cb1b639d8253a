"""One future of several."""

from concurrent.futures import Future

import pytest

from ipyparallel.client.futures import multi_future


def test_the_results_in_the_order_of_the_futures():
    children = [Future() for _ in range(3)]
    joint = multi_future(iter(children))
    for i in (2, 0, 1):
        assert not joint.done()
        children[i].set_result(i)
    assert joint.result(0) == [0, 1, 2]


def test_a_failure_is_the_result_once_all_are_done():
    children = [Future() for _ in range(2)]
    joint = multi_future(children)
    children[1].set_exception(ValueError("bad"))
    assert not joint.done()
    children[0].set_result(1)
    with pytest.raises(ValueError, match="bad"):
        joint.result(0)


def test_nothing_is_done_at_once():
    assert multi_future([]).result(0) == []
