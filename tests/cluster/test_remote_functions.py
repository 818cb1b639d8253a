"""Decorated functions on real engines."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import ipyparallel as ipp


def both(a, b=2):
    """Add."""
    return a + b


def as_it_is(part):
    return part


def pairs(a, b):
    return list(zip(a, b, strict=True))


def first(part):
    return part[0]


def test_a_remote_function_is_called_on_the_engines(client: ipp.Client) -> None:
    remote = client[:].remote(block=True)(both)
    assert remote(1) == [3, 3]
    assert remote(1, b=4) == [5, 5]
    assert client[0].remote(block=True)(both)(1) == 3
    assert client.load_balanced_view().remote(block=True)(both)(1) == 3


@pytest.mark.parametrize("block", [None, True, False])
@pytest.mark.parametrize("view_block", [True, False])
def test_what_waits(client: ipp.Client, block: bool | None, view_block: bool) -> None:
    view = client[:].set_flags(block=view_block)
    waits = view_block if block is None else block
    kinds = {True: list, False: ipp.AsyncResult}
    assert isinstance(ipp.remote(view, block=block)(both)(1), kinds[waits])
    assert isinstance(view.remote(block=block)(both)(1), kinds[waits])
    # a parallel function does as the view does only if the view has made it
    assert isinstance(ipp.parallel(view, block=block)(as_it_is)([1]), kinds[bool(block)])
    assert isinstance(view.parallel(block=block)(as_it_is)([1]), kinds[waits])
    assert isinstance(view.parallel(block=block)(as_it_is).map([1]), kinds[waits])
    assert view.block is view_block


def test_a_remote_function_obeys_the_view_at_the_time_of_the_call(client: ipp.Client) -> None:
    view = client[:]
    remote = view.remote()(both)
    assert isinstance(remote(1), ipp.AsyncResult)
    view.block = True
    assert remote(1) == [3, 3]


def test_flags_hold_for_the_calls_alone(client: ipp.Client) -> None:
    view = client[:]
    remote = view.remote(targets=[1], label="mine")(both)
    result = remote(1)
    assert result.get() == [3]
    assert (result.engine_id, result.label) == ([1], ["mine"])
    assert view.targets == [0, 1]
    shared = view.parallel(targets=[1], label="mine")(as_it_is)([1, 2, 3])
    assert shared.get() == [1, 2, 3]
    assert (shared.engine_id, shared.label) == ([1], ["mine"])
    with pytest.raises(KeyError, match="Invalid name: 'nonsense'"):
        view.remote(nonsense=1)(both)


def test_a_call_leaves_the_view_as_it_is_for_others(client: ipp.Client) -> None:
    view, seen = client[:], []

    class Argument:
        """Looks at the view in the middle of the call, as another thread might."""

        def __reduce__(self):
            seen.append((tuple(view.targets), view.block, view.label))
            return int, ()

    flags = {"block": True, "targets": [1], "label": "mine"}
    assert view.remote(**flags)(both)(Argument()) == [2]
    assert view.parallel(**flags)(as_it_is)([Argument()]) == [0]
    assert set(seen) == {((0, 1), False, None)}


def test_what_it_submits_is_of_the_view(client: ipp.Client, tmp_path) -> None:
    def until_there(path):
        import os
        import time

        while not os.path.exists(path):
            time.sleep(0.01)
        return [path]

    gate = tmp_path / "gate"
    for view in client[:], client.load_balanced_view():
        other = client[:]
        results = [
            view.remote(label="mine")(until_there)(str(gate)),
            view.parallel(label="mine")(until_there).map([str(gate)]),
        ]
        ids = [msg_id for result in results for msg_id in result.msg_ids]
        assert view.history == ids
        assert view.outstanding == set(ids)
        assert not other.outstanding
        assert not view.wait(timeout=0)
        assert other.wait(timeout=0)
        gate.touch()
        assert view.wait(timeout=20)
        assert not view.outstanding
        gate.unlink()


def test_it_looks_like_the_function(client: ipp.Client) -> None:
    for decorated in client[:].remote()(both), client[:].parallel()(both):
        assert decorated.__name__ == "both"
        assert decorated.__doc__ == "RemoteFunction wrapping:\nAdd."
        assert inspect.signature(decorated) == inspect.signature(both)
        assert decorated.func is both
        assert isinstance(decorated, ipp.RemoteFunction)
    assert client[:].remote()(as_it_is).__doc__ == "RemoteFunction wrapping:\n"


def test_a_parallel_function_gets_parts(client: ipp.Client) -> None:
    parallel = client[:].parallel(block=True)(as_it_is)
    assert parallel([1, 2, 3]) == [1, 2, 3]
    assert parallel(range(3)) == [0, 1, 2]
    assert parallel("abc") == ["ab", "c"]
    assert parallel(x for x in range(3)) == [0, 1, 2]
    assert parallel([1]) == [1]
    assert parallel([]) == parallel.map([]) == []
    assert client[:].parallel(block=True)(sum)(range(5)) == [3, 7]
    assert client[:].parallel(block=True)(pairs)([1, 2, 3], "abc") == [(1, "a"), (2, "b"), (3, "c")]
    assert client[0].parallel(block=True)(sum)([1, 2, 3]) == [6]


def test_round_robin(client: ipp.Client) -> None:
    parallel = client[:].parallel(dist="r", block=True)(as_it_is)
    assert parallel(list(range(5))) == parallel.map(range(5)) == list(range(5))
    assert client[:].parallel(dist="r", block=True)(sum)(range(5)) == [6, 4]
    with pytest.raises(ValueError, match="dist must be 'b'"):
        client[:].parallel(dist="x")(sum)([1])


def test_arrays_are_multiplied_in_parts(client: ipp.Client) -> None:
    import operator

    product = client[:].parallel(block=True)(operator.mul)
    a = np.random.default_rng(1).random((7, 5))
    assert np.array_equal(product(a, a), a * a)


def test_map_takes_elements(client: ipp.Client) -> None:
    parallel = client[:].parallel(block=True)(both)
    assert parallel.map([1, 2, 3], [10, 20, 30, 40]) == [11, 22, 33]
    assert client.load_balanced_view().parallel(block=True)(both).map([1, 2]) == [3, 4]


def test_what_a_parallel_function_refuses(client: ipp.Client) -> None:
    parallel = client[:].parallel(block=True)(both)
    with pytest.raises(ValueError, match=r"equal length, but have \[3, 2\]"):
        parallel([1, 2, 3], [1, 2])
    with pytest.raises(TypeError, match=r"no keyword arguments: 'b'"):
        parallel([1], b=3)
    with pytest.raises(TypeError, match="keyword"):
        parallel.map([1], b=3)
    for call in parallel, parallel.map:
        with pytest.raises(TypeError, match="at least one sequence"):
            call()


def test_chunks_of_a_balanced_view(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    assert ipp.ParallelFunction(view, first, block=True)(range(3)) == [0, 1, 2]
    assert ipp.ParallelFunction(view, as_it_is, block=True)(range(3)) == [0, 1, 2]
    for call in ("__call__", "map"):
        chunked = ipp.ParallelFunction(view, as_it_is, chunksize=4)
        result = getattr(chunked, call)(list(range(10)))
        assert len(result.msg_ids) == 3
        assert result.get() == list(range(10))
    with pytest.raises(ValueError, match="chunksize must be a positive number or"):
        ipp.ParallelFunction(view, as_it_is, chunksize=0)([1])


def test_a_direct_view_has_no_chunks(client: ipp.Client) -> None:
    with pytest.warns(UserWarning, match="`chunksize` is ignored unless load balancing"):
        parallel = ipp.ParallelFunction(client[:], as_it_is, block=True, chunksize=2)
    assert parallel([1, 2, 3]) == [1, 2, 3]


def test_failures_as_results(client: ipp.Client) -> None:
    parallel = ipp.parallel(client[:], block=True, return_exceptions=True)(int)
    good, bad = parallel.map(["1", "x"])
    assert good == 1
    assert isinstance(bad, ipp.RemoteError)
    assert "invalid literal" in str(bad)


def test_iteration_gives_what_the_calls_return(client: ipp.Client) -> None:
    assert list(client[:].parallel()(sum)(range(5))) == [3, 7]
    assert list(client[:].parallel()(as_it_is)(range(3))) == [0, 1, 2]
    assert list(client.load_balanced_view().parallel()(first)("ab")) == ["a", "b"]
    assert ipp.parallel(client[:], return_exceptions=True)(sum)([1, 2])  # of numbers, not of lists
    mixed = ipp.parallel(client[:], block=True, return_exceptions=True)(sum)([1, "x"])
    assert mixed[0] == 1
    assert isinstance(mixed[1], TypeError)


def test_references_and_pickled_functions_are_called(client: ipp.Client) -> None:
    client[:].push({"there": abs}, block=True)
    for func in ipp.Reference("there"), ipp.PrePickled(abs):
        for view in client[:], client.load_balanced_view():
            assert view.map_sync(func, [-1, -2]) == [1, 2]
            assert view.remote(block=True)(func)(-3) in (3, [3, 3])
            assert view.parallel(block=True)(func).map([-4]) == [4]
    assert client[:].map_async(ipp.Reference("there"), [-1])._fname == "there"


@pytest.fixture
def default_pickler(client: ipp.Client):
    yield
    client[:].use_pickle().get()


def test_the_pickler_is_switched_here_and_there(client: ipp.Client, default_pickler) -> None:
    view = client[:]

    def pickler():
        from ipyparallel.serialize import pickler

        return pickler._pickler.__name__

    assert view.apply_sync(pickler) == ["Pickler"] * 2
    view.use_dill().get()
    assert [pickler(), *view.apply_sync(pickler)] == ["DillPickler"] * 3
    view.use_cloudpickle().get()
    assert [pickler(), *view.apply_sync(pickler)] == ["Pickler"] * 3
    view.block = True
    assert client[0].set_flags(block=True).use_dill() is None
    assert view.apply_sync(pickler) == ["DillPickler", "Pickler"]
    assert view.use_pickle() == [None, None]
    assert [pickler(), *view.apply_sync(pickler)] == ["Pickler"] * 3
