"""Flags of views, and what may be said per call, on real engines."""

from __future__ import annotations

import pytest

import ipyparallel as ipp
from tests.support.processes import wait_until

#: Calls that take `block` and `targets`.
CALLS = {
    "execute": lambda view, **options: view.execute("pass", **options),
    "push": lambda view, **options: view.push({"a": 1}, **options),
    "pull": lambda view, **options: view.pull("1 + 1", **options),
    "scatter": lambda view, **options: view.scatter("part", [1, 2], **options),
    "gather": lambda view, **options: view.gather("[7]", **options),
    "clear": lambda view, **options: view.clear(**options),
    "abort": lambda view, **options: view.abort([], **options),
}

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@pytest.mark.parametrize("block", [1, 0, "yes", 1.0, []])
def test_block_is_true_or_false(client: ipp.Client, block: object) -> None:
    view = client[:]
    for attempt in (
        lambda: view.set_flags(block=block),
        lambda: setattr(view, "block", block),
        lambda: client.direct_view(block=block),
        lambda: client.load_balanced_view(block=block),
        lambda: view.map(abs, [1], block=block),
        lambda: client.load_balanced_view().map(abs, [1], block=block),
        lambda: view.remote(block=block)(abs),
        lambda: view.parallel(block=block)(abs),
    ):
        with pytest.raises(TypeError, match="block must be True or False, not "):
            attempt()
    assert view.block is False


@each_call
def test_a_wrong_block_is_told_before_anything_is_sent(client: ipp.Client, call) -> None:
    view = client[:]
    before = len(client.history)
    with pytest.raises(TypeError, match="block must be True or False, not 'yes'"):
        call(view, block="yes")
    assert len(client.history) == before
    assert not view.outstanding


@each_call
def test_a_call_may_name_other_targets(client: ipp.Client, call) -> None:
    result = call(client[0], targets=[1])
    result.get()
    if call not in (CALLS["clear"], CALLS["abort"]):
        assert result.engine_id == [1]


def test_set_flags_gives_the_view_and_sets_all_or_none(client: ipp.Client) -> None:
    view = client[:]
    assert view.set_flags(block=True, targets=[1], label="mine", track=True) is view
    assert (view.block, view.targets, view.label, view.track) == (True, [1], "mine", True)
    assert view.apply(abs, -1) == [1]
    with pytest.raises(KeyError, match="Invalid name: 'retry'"):
        view.set_flags(block=False, retry=1)
    assert view.block is True


def test_temporary_flags_are_put_back_after_an_error(client: ipp.Client) -> None:
    view = client[:]
    before = {name: getattr(view, name) for name in ("targets", "block", "track", "label")}
    with view.temp_flags(block=True, targets=0, label="x") as same:
        assert same is view
        assert view.apply(abs, -1) == 1
    with pytest.raises(ZeroDivisionError), view.temp_flags(block=True, targets=0, label="x"):
        1 / 0
    for wrong, error in ({"block": 1}, TypeError), ({"label": "x", "nothing": 1}, KeyError):
        with pytest.raises(error), view.temp_flags(**wrong):
            pass
    with pytest.raises(TypeError), view.temp_flags(label="x", block="no"):
        pass
    assert {name: getattr(view, name) for name in before} == before


def test_a_label_is_a_text(client: ipp.Client) -> None:
    with pytest.raises(TypeError, match="label must be a text, not 3"):
        client[:].execute("pass", label=3)
    for view in client[:], client.load_balanced_view():
        with pytest.raises(TypeError, match="label must be a text, not 3"):
            view.map(abs, [1], label=3)


@pytest.mark.parametrize(
    ("targets", "text", "length"),
    [("all", "all", 2), (0, "0", 1), ([1], "[1]", 1), ([0, 1], "[0, 1]", 2), (slice(1), "[0]", 1)],
)
def test_what_a_view_looks_like(client: ipp.Client, targets, text: str, length: int) -> None:
    view = client.direct_view(targets)
    assert repr(view) == f"<DirectView {text}>"
    assert len(view) == length
    assert repr(view.set_flags(targets=list(range(100, 120)))) == "<DirectView [100, 101, 1...]>"


def test_all_means_those_there_are_at_the_time_of_the_call(new_cluster) -> None:
    cluster, client = new_cluster(1)
    every, frozen = client.direct_view(), client[:]
    assert every.apply_sync(abs, -1) == [1]
    cluster.start_engines_sync(1)
    client.wait_for_engines(2, timeout=30)
    assert every.apply_sync(abs, -1) == [1, 1]
    assert (len(every), len(frozen)) == (2, 1)
    assert frozen.apply_sync(abs, -1) == [1]


def test_a_view_on_an_engine_that_is_gone(new_cluster) -> None:
    _, client = new_cluster(2)
    view = client[:]
    client[1].shutdown(block=True)
    wait_until(lambda: client.ids == [0], "the engine to be gone")
    assert len(view) == 2
    with pytest.raises(IndexError, match="No such engine: 1"):
        view.apply(abs, -1)


@each_call
def test_calls_on_one_engine_and_on_a_list_of_one(client: ipp.Client, call) -> None:
    if call in (CALLS["push"], CALLS["pull"], CALLS["execute"]):
        assert not isinstance(call(client[0]).get(), list)
        assert len(call(client[[0]]).get()) == 1


def test_only_map_says_in_its_name_whether_it_waits(client: ipp.Client) -> None:
    for view in client[:], client.load_balanced_view():
        for method in view.map_async, view.map_sync:
            with pytest.raises(TypeError, match="takes no block"):
                method(abs, [1], block=True)


@pytest.mark.parametrize("func", [3, None, "abs"])
def test_only_functions_are_called(client: ipp.Client, func: object) -> None:
    before = len(client.history)
    for view in client[:], client[0], client.load_balanced_view():
        for call in view.apply, view.apply_async, view.apply_sync:
            with pytest.raises(TypeError, match=f"{func!r} is not callable"):
                call(func, 1)
        with pytest.raises(TypeError, match=f"{func!r} is not callable"):
            view.map(func, [1])
        with pytest.raises(TypeError, match=f"{func!r} is not callable"):
            view.remote()(func)
    assert len(client.history) == before


def test_spin_is_deprecated_and_does_nothing(client: ipp.Client) -> None:
    with pytest.warns(DeprecationWarning, match="spin"):
        client[:].spin()


def test_each_message_is_once_in_the_history_of_its_view(client: ipp.Client) -> None:
    for view in client[:], client.load_balanced_view():
        results = [view.apply_async(abs, 1), view.map_async(abs, range(4))]
        if isinstance(view, ipp.DirectView):
            results += [
                view.execute("pass"),
                view.push({"x": 1}),
                view.pull("x"),
                view.scatter("y", range(4)),
                view.gather("y"),
                view.parallel()(list)(range(4)),
            ]
        ids = [msg_id for result in results for msg_id in result.msg_ids]
        assert view.history == ids
        assert len(set(ids)) == len(ids)
        assert view.wait(timeout=20)
        assert all(result.done() for result in results)
        assert not view.outstanding


def test_a_view_waits_for_and_aborts_its_own_tasks_only(client: ipp.Client, tmp_path) -> None:
    holding, other = client[0], client[1]
    hold = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"
    held = holding.execute(hold.format(str(tmp_path / "go")))
    queued = holding.apply_async(abs, -1)
    done = other.apply_async(abs, -1)
    assert other.wait(timeout=20)
    assert done.get() == 1
    assert holding.outstanding == {*held.msg_ids, *queued.msg_ids}
    assert not holding.wait(timeout=0)
    holding.abort(queued, block=True)
    (tmp_path / "go").touch()
    with pytest.raises(ipp.TaskAborted):
        queued.get(20)
    assert holding.wait(timeout=20)


def test_the_load_of_a_view(client: ipp.Client) -> None:
    assert client[0].queue_status().keys() == {"queue", "completed", "tasks"}
    assert client[:].queue_status().keys() == {0, 1, "unassigned"}
    assert client[:].queue_status(targets=[1]).keys() == {1, "unassigned"}


def test_memory_is_tracked_for_a_view_or_for_a_call(client: ipp.Client) -> None:
    data = bytes(1 << 20)
    view = client[:]
    tracked = [
        view.push({"x": data}, track=True),
        view.scatter("x", [data, data], track=True),
        view.map(len, [data, data], track=True),
    ]
    with view.temp_flags(track=True):
        tracked.append(view.push({"x": data}))
        untracked = [view.push({"x": data}, track=False)]
    untracked += [view.push({"x": data}), view.scatter("x", [data]), view.map(len, [data])]
    for result in tracked:
        result.wait_for_send(20)
        assert all(child.memory is not None for child in result._children)
    for result in untracked:
        assert all(child.memory is None for child in result._children)
        result.get()


def test_results_again(client: ipp.Client) -> None:
    view = client[:]
    single, several = client[0].apply_async(abs, -1), view.apply_async(abs, -2)
    last = view.map_async(abs, [-3, -4])
    assert view.get_result(single.msg_ids[0], block=True).get() == 1
    assert view.get_result(several).get() == [2, 2]
    assert view.get_result(block=True).done()
    assert view.get_result(-1).get() == view.get_result().get() == [4]  # of this view's history
    assert view.get_result(range(2, 4)).get() == [[3], [4]]
    assert view.get_result([0, last.msg_ids[1]]).get() == [2, [4]]
    assert client[0].apply_sync(abs, -9) == 9
    assert view.get_result(-1).get() == [4]
    for name in last.msg_ids:
        assert name in view.results
    with pytest.raises(IndexError):
        view.get_result(99)
    with pytest.raises(TypeError, match="tasks are named by"):
        view.get_result(1.5)
    with pytest.raises(IndexError):
        client[0].get_result()


def test_purging_says_what_is_outstanding(client: ipp.Client, tmp_path) -> None:
    hold = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"
    view = client[0]
    held = view.execute(hold.format(str(tmp_path / "go")))
    with pytest.raises(RuntimeError, match="still to come"):
        view.purge_results(held)
    (tmp_path / "go").touch()
    held.get(20)
    view.purge_results(held)
    with pytest.raises(ValueError, match="name the results"):
        view.purge_results()
