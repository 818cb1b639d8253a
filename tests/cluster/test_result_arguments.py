"""Results as arguments of balanced calls."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

import ipyparallel as ipp
from tests.support.waiting import return_when


@pytest.fixture
def view(client: ipp.Client) -> ipp.LoadBalancedView:
    return client.load_balanced_view()


@pytest.fixture
def gate(tmp_path: Path, view: ipp.LoadBalancedView):
    """A result that comes when its second part is called."""
    place = tmp_path / "open"

    def wait(path: str) -> int:
        import os

        while not os.path.exists(path):
            time.sleep(0.01)
        return 1

    yield view.apply_async(wait, str(place)), place.touch
    place.touch()


def same(*args, **kwargs):
    return args, kwargs


def test_values_arrive_where_results_were_given(view, gate) -> None:
    result, open_gate = gate
    other = view.apply_async(abs, -2)
    later = view.apply_async(same, result, [{"a": (result, other)}], b=other)
    assert not later.done()
    open_gate()
    assert later.get(20) == ((1, [{"a": (1, 2)}]), {"b": 2})


def test_a_long_chain(view, gate) -> None:
    result, open_gate = gate
    for _ in range(1000):
        result = view.apply_async(lambda x: x + 1, result)
    open_gate()
    assert result.get(60) == 1001


def test_many_into_one_and_one_into_many(view, gate) -> None:
    result, open_gate = gate
    wide = [view.apply_async(lambda x, i: x + i, result, i) for i in range(1000)]
    total = view.apply_async(sum, wide)
    open_gate()
    assert total.get(60) == sum(range(1, 1001))


def test_a_failure_fails_all_that_follow(view, gate) -> None:
    result, open_gate = gate
    broken = view.apply_async(lambda x: x / 0, result)
    chain = [broken]
    for _ in range(1000):
        chain.append(view.apply_async(abs, chain[-1]))
    open_gate()
    with pytest.raises(ipp.error.ImpossibleDependency, match="division by zero") as info:
        chain[-1].get(20)
    assert info.value.__cause__ is broken.exception()
    assert all(type(r.exception(20)) is ipp.error.ImpossibleDependency for r in chain[1:])


def test_large_values(view) -> None:
    array = view.apply_async(np.arange, 1_000_000)
    totals = [view.apply_async(lambda a: a.sum(), array) for _ in range(4)]
    assert [total.get(20) for total in totals] == [499_999_500_000] * 4


def test_the_elements_of_a_map(view, gate) -> None:
    result, open_gate = gate
    mapped = view.map_async(lambda x: x * 2, [1, result, 3])
    whole = view.apply_async(sum, mapped)
    open_gate()
    assert mapped.get(20) == [2, 2, 6]
    assert whole.get(20) == 10


def test_results_of_direct_views_and_of_other_clients(client, view) -> None:
    direct = client[:].apply_async(os.getpid)
    cluster = client.cluster
    with ipp.Client(profile_dir=cluster.profile_dir, cluster_id=cluster.cluster_id) as other:
        theirs = other[0].apply_async(abs, -5)
        args, _ = view.apply_async(same, direct, theirs).get(20)
    assert args == (direct.get(), 5)


def test_a_direct_view_takes_values_only(client, gate) -> None:
    result, _ = gate
    with pytest.raises(TypeError, match="send its value instead"):
        client[0].apply_async(abs, result)
    with pytest.raises(TypeError, match="send its value instead"):
        client[0].push({"a": [result]})


def test_what_waits_is_outstanding_and_in_the_history(client, view, gate) -> None:
    result, open_gate = gate
    later = view.apply_async(abs, result)
    assert later.msg_ids[0] in view.outstanding
    assert view.history[-1] == client.history[-1] == later.msg_ids[0]
    assert not view.wait(timeout=0)
    open_gate()
    assert view.wait(timeout=20)
    assert later.get() == 1


def test_what_waits_can_be_cancelled(view, gate) -> None:
    result, open_gate = gate
    later = view.apply_async(abs, result)
    last = view.apply_async(abs, later)
    assert later.cancel().waiting == tuple(later.msg_ids)
    with pytest.raises(ipp.error.ImpossibleDependency, match="was cancelled before it began"):
        last.get(20)
    open_gate()
    assert result.get(20) == 1


def test_a_cancelled_argument_fails_the_call(view, gate) -> None:
    result, _ = gate
    later = view.apply_async(abs, result)
    assert result.cancel()
    with pytest.raises(ipp.error.ImpossibleDependency) as info:
        later.get(20)
    assert isinstance(info.value.__cause__, ipp.error.TaskCancelled)


def test_closing_the_client_fails_what_waits(client, tmp_path) -> None:
    cluster = client.cluster
    other = ipp.Client(profile_dir=cluster.profile_dir, cluster_id=cluster.cluster_id)
    view = other.load_balanced_view()
    later = view.apply_async(abs, view.apply_async(return_when, str(tmp_path / "go")))
    other.close()
    with pytest.raises(ipp.error.ClientClosed):
        later.get(20)
    (tmp_path / "go").touch()


def test_a_value_that_cannot_be_loaded_fails_the_call(view) -> None:
    class Sulks:
        def __reduce__(self):
            return int, ("no number",)

    result = view.apply_async(abs, 1)
    later = view.apply_async(same, result, Sulks())
    with pytest.raises(ValueError, match="no number"):
        later.get(20)


def test_what_depends_on_a_call_that_was_never_sent_can_never_run(view, gate) -> None:
    waiting = view.apply_async(abs, gate[0])
    waiting.cancel()
    with view.temp_flags(after=waiting):
        later = view.apply_async(abs, -1)
    with pytest.raises(ipp.error.ImpossibleDependency, match="was cancelled before it began"):
        later.get(20)
