"""The pipe on which agents order engines to be replaced."""

import os

import pytest

from ipyparallel.engine.orders import Dismiss, Orders, Replace


@pytest.fixture
def orders():
    orders = Orders()
    yield orders
    for end in orders.ends:
        os.close(end)


def test_orders_arrive_in_order(orders):
    given = [Replace("a", "it was slow"), Dismiss("c"), Replace("b", "no\nreason — none")]
    for order in given:
        orders.give(order)
    assert list(orders.take()) == given
    assert list(orders.take()) == []


def test_part_of_an_order_waits_for_the_rest(orders):
    _, write_end = orders.ends
    line = b'{"type":"Replace","uuid":"a","reason":"why"}\n'
    os.write(write_end, line[:20])
    assert list(orders.take()) == []
    os.write(write_end, line[20:] + line[:5])
    assert list(orders.take()) == [Replace("a", "why")]


@pytest.mark.parametrize("character", ["x", "\0", "\N{DESERT}"])
def test_an_order_fits_into_the_pipe_whole(orders, character):
    orders.give(Replace("u" * 100, character * 10_000))
    read_end, write_end = orders.ends
    assert len(os.read(read_end, 1 << 16)) < os.fpathconf(write_end, "PC_PIPE_BUF")
    orders.give(Replace("u", character * 10_000))
    (order,) = orders.take()
    assert order.reason.endswith(character + "…")


def test_a_pipe_that_nobody_reads_does_not_block(orders):
    order = Replace("u", "x" * 600)
    with pytest.raises(BlockingIOError):
        _give_for_ever(orders, order)


def _give_for_ever(orders, order):
    while True:
        orders.give(order)
