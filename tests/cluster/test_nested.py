"""Tasks that submit tasks, and wait for them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import ipyparallel as ipp


def square(x: int) -> int:
    return x * x


def squares(xs: list[int]) -> list[int]:
    import ipyparallel as ipp

    result: list[int] = ipp.get_client().load_balanced_view().map_sync(square, xs)
    return result


def fib(n: int) -> int:
    import ipyparallel as ipp

    if n < 2:
        return n
    view = ipp.get_client().load_balanced_view()
    first, second = view.apply_async(fib, n - 1), view.apply_async(fib, n - 2)
    return int(first.get() + second.get())


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory):
    """A client of a cluster of one engine."""
    profile = str(tmp_path_factory.mktemp("profile"))
    with ipp.Cluster(n=1, profile_dir=profile, log_level=40) as client:
        yield client


@pytest.fixture(autouse=True)
def functions(client: ipp.Client, one: ipp.Client) -> None:
    names = {"square": square, "squares": squares, "fib": fib}
    client[:].push(names, block=True)
    one[:].push(names, block=True)


def test_a_direct_task_on_every_engine_maps(client: ipp.Client) -> None:
    assert client[:].apply_sync(squares, [1, 2, 3]) == [[1, 4, 9]] * 2


def by_get(view):
    return view.apply_async(square, 3).get()


def by_result(view):
    return view.apply_async(square, 3).result()


def by_exception(view):
    result = view.apply_async(square, 3)
    return result.exception() or result.result()


def by_wait(view):
    result = view.apply_async(square, 3)
    return result.wait() and result.result()


def by_iteration(view):
    return sum(view.map_async(square, [1, 2, 2]))


def by_unordered_iteration(view):
    return sum(view.map_async(square, [1, 2, 2], ordered=False))


def by_imap(view):
    return sum(view.imap(square, [1, 2, 2]))


def by_growing_map(view):
    return list(view.map_async(square, range(4), chunksize="auto"))[3]


def by_return_when(view):
    done, pending = view.map_async(square, [3]).wait(return_when="FIRST_COMPLETED")
    assert not pending
    ((result,),) = next(iter(done)).get()
    return result


def by_view_wait(view):
    result = view.apply_async(square, 3)
    assert view.wait()
    return result.get()


def by_client_wait(view):
    result = view.apply_async(square, 3)
    assert view.client.wait([result])
    return result.get()


def by_as_completed(view):
    import ipyparallel as ipp

    results = [view.apply_async(square, x) for x in (1, 2, 2)]
    return sum(ar.get() for ar in ipp.as_completed(results))


def by_standard_as_completed(view):
    from concurrent.futures import as_completed

    return sum(ar.result() for ar in as_completed([view.apply_async(square, x) for x in (1, 2, 2)]))


def by_standard_wait(view):
    from concurrent.futures import wait

    return sum(ar.result() for ar in wait([view.apply_async(square, x) for x in (1, 2, 2)]).done)


def by_interactive_wait(view):
    result = view.map_async(square, [1, 2, 2])
    result.wait_interactive()
    return sum(result.get())


def by_direct_view_on_itself(view):
    import os

    client = view.client
    # one of these is this engine
    assert os.getpid() in client[:].apply_sync(os.getpid)
    return client[0].apply_sync(square, 3)


WAYS = [function for name, function in list(globals().items()) if name.startswith("by_")]


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_to_wait(one: ipp.Client, way) -> None:
    def call():
        import ipyparallel as ipp

        return way(ipp.get_client().load_balanced_view())

    assert one[0].apply_async(call).get(30) == 9


AWAITING = {
    "await": "print(await view.apply_async(square, 3))",
    "async for": "print(sum([x async for x in view.map_async(square, [1, 2, 2])]))",
    "async for, unordered": (
        "print(sum([x async for x in view.map_async(square, [1, 2, 2], ordered=False)]))"
    ),
    "blocking": "print(view.apply_sync(square, 3))",
}


@pytest.mark.parametrize("code", AWAITING.values(), ids=AWAITING.keys())
def test_cells_may_wait(one: ipp.Client, code: str) -> None:
    head = "import ipyparallel as ipp; view = ipp.get_client().load_balanced_view()\n"
    cell = one[0].execute(head + code, silent=False)
    cell.get(30)
    assert cell.stdout == "9\n"


def test_one_client_for_all_tasks(one: ipp.Client) -> None:
    def name() -> str:
        import ipyparallel as ipp

        return ipp.get_client().session.session_id

    assert len({one[0].apply_sync(name) for _ in range(3)}) == 1
    assert one.session.session_id != one[0].apply_sync(name)


def test_what_is_said_of_a_task_of_a_task(one: ipp.Client) -> None:
    """How deep it is, and on whose behalf it runs."""

    def look(levels: int):
        import ipyparallel as ipp
        from ipyparallel._host import get_host

        mine = get_host().lineage()
        if not levels:
            return [mine]
        client = ipp.get_client()
        view = client[0] if levels % 2 else client.load_balanced_view()
        return [mine, *view.apply_sync(look, levels - 1)]

    one[0].push({"look": look}, block=True)
    found = one[0].apply_async(look, 3).get(30)
    assert [it["depth"] for it in found] == [1, 2, 3, 4]
    assert {it["on_behalf_of"] for it in found} == {one.session.session_id}


def test_output_belongs_to_who_writes_it(one: ipp.Client) -> None:
    def child(n: int) -> int:
        print(f"child {n}")
        return n

    def parent():
        import sys

        import ipyparallel as ipp

        view = ipp.get_client().load_balanced_view()
        print("before")
        children = view.map_async(child, [1, 2])
        children.get()
        print("after")
        print("to stderr", file=sys.stderr)
        return children.stdout

    result = one[0].apply_async(parent)
    assert result.get(30) == ["child 1\n", "child 2\n"]
    assert (result.stdout, result.stderr) == ("before\nafter\n", "to stderr\n")
    assert result._children[0].output_done

    cell = one[0].execute(
        "import ipyparallel as ipp\nprint('before')\n"
        "ipp.get_client().load_balanced_view().apply_sync(print, 'child')\n"
        "display('between')\nprint('after')\n'value'",
        silent=False,
    )
    cell.get(30)
    assert cell.stdout == "before\nafter\n"
    assert [it["data"]["text/plain"] for it in cell.outputs] == ["'between'"]
    assert cell.execute_result["data"]["text/plain"] == "'value'"


def test_a_child_that_fails(one: ipp.Client) -> None:
    def parent():
        import ipyparallel as ipp

        view = ipp.get_client().load_balanced_view()
        results = [view.apply_async(divide, x) for x in (0, 1)]
        try:
            results[0].get()
        except ZeroDivisionError as e:
            return e.ename, results[1].get()

    def divide(x):
        return 1 / x

    one[0].push({"divide": divide}, block=True)
    result = one[0].apply_async(parent)
    assert result.get(30) == ("ZeroDivisionError", 1.0)
    assert not result.error


def test_a_timeout_while_waiting(client: ipp.Client, tmp_path: Path) -> None:
    def hold(go_on: str) -> str:
        import os
        import time

        while not os.path.exists(go_on):
            time.sleep(0.01)
        return "done"

    def parent(go_on: str):
        import ipyparallel as ipp

        result = ipp.get_client().load_balanced_view(1).apply_async(hold, go_on)
        try:
            result.get(timeout=0.1)
        except TimeoutError:
            waited = result.wait(0.1)
            open(go_on, "w").close()
            return waited, result.get()

    client[:].push({"hold": hold}, block=True)
    go_on = str(tmp_path / "go on")
    assert client[0].apply_async(parent, go_on).get(30) == (False, "done")


def test_other_requests_wait_for_their_turn(one: ipp.Client, tmp_path: Path) -> None:
    def parent(begun: str, go_on: str):
        import os
        import sys
        import time

        import ipyparallel as ipp

        open(begun, "w").close()
        while not os.path.exists(go_on):
            time.sleep(0.01)
        sys.modules["__main__"].__dict__["order"] = []
        ipp.get_client().load_balanced_view().apply_sync(note, "child")
        note("parent")

    def note(what: str) -> None:
        import sys

        sys.modules["__main__"].__dict__["order"].append(what)

    one[0].push({"note": note}, block=True)
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    one[0].apply_async(parent, str(begun), str(go_on))
    while not begun.exists():
        pass
    one[0].apply_async(note, "direct")
    one[0].execute("order.append('cell')")
    go_on.touch()
    assert one[0]["order"] == ["child", "parent", "direct", "cell"]


def test_threads_wait_as_usual(one: ipp.Client) -> None:
    def parent():
        import threading

        import ipyparallel as ipp

        view = ipp.get_client().load_balanced_view()
        found = []
        thread = threading.Thread(target=lambda: found.append(view.apply_sync(square, 3)))
        thread.start()
        view.apply_sync(square, 1)  # while this waits, the other one may run
        while thread.is_alive():
            view.apply_sync(square, 1)
        return found

    assert one[0].apply_async(parent).get(30) == [9]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGTERM, "Engine 0 was stopped while it ran the task"),
    ],
)
def test_a_signal_while_waiting(new_cluster, tmp_path: Path, number: int, what: str) -> None:
    def hold(begun: str) -> None:
        import time

        open(begun, "w").close()
        time.sleep(1000)

    def parent(begun: str) -> None:
        import ipyparallel as ipp

        ipp.get_client().load_balanced_view(1).apply_sync(hold, begun)

    _, client = new_cluster(2)
    client[:].push({"hold": hold}, block=True)
    begun = tmp_path / "begun"
    result = client[0].apply_async(parent, str(begun))
    while not begun.exists():
        pass
    client.send_signal(number, targets=0, block=True)
    with pytest.raises(
        ipp.EngineError if number == signal.SIGTERM else ipp.RemoteError, match=what
    ):
        result.get(20)


def cancel(client: ipp.Client, msg_id: str) -> str:
    uuid = client._messenger.engines.uuid(0)
    content = {"msg_ids": [msg_id]}
    reply = client._messenger.request("control", "cancel_request", content, uuid).result(20)
    return str(reply["outcomes"][msg_id])


def test_a_task_is_cancelled_that_waits(client: ipp.Client, tmp_path: Path) -> None:
    def hold(begun: str, go_on: str) -> None:
        import os
        import time

        open(begun, "w").close()
        while not os.path.exists(go_on):
            time.sleep(0.01)

    def parent(engine: int, *names: str):
        import ipyparallel as ipp

        print("waits")
        return ipp.get_client().load_balanced_view(engine).apply_sync(hold, *names)

    client[:].push({"hold": hold}, block=True)
    for engine in 0, 1:  # beneath its child, and alone
        begun, go_on = tmp_path / f"begun {engine}", tmp_path / f"go on {engine}"
        result = client[0].apply_async(parent, engine, str(begun), str(go_on))
        while not begun.exists():
            pass
        assert cancel(client, result.msg_ids[0]) == "running"
        if engine == 0:
            assert not result.wait(0.2)
            go_on.touch()
        with pytest.raises(ipp.TaskAborted):
            result.get(20)
        assert result.stdout == "waits\n"
        go_on.touch()
    assert client[0].apply_sync(squares, [2]) == [4]


def test_recursion_on_an_engine_that_is_sent_all_at_once(new_cluster) -> None:
    for n in 1, 2:
        _, client = new_cluster(n, controller_args=["--TaskScheduler.hwm=0"])
        client[:].push({"fib": fib}, block=True)
        assert client.load_balanced_view().apply_async(fib, 9).get(60) == 34


def test_balanced_tasks_that_wait_for_balanced_tasks(client: ipp.Client, one: ipp.Client) -> None:
    for each in client, one:
        each[:].push({"parent": parent}, block=True)
        view = each.load_balanced_view()
        assert view.apply_async(fib, 8).get(60) == 21
        assert view.map_async(parent, range(20)).get(60) == [n * n + 5 for n in range(20)]


def attempt() -> str:
    import ipyparallel as ipp

    try:
        ipp.get_client()
    except RuntimeError as e:
        return str(e)
    return "has a client"


def parent(n: int) -> int:
    return sum(squares([n, 1, 2]))


def test_many_that_wait_on_one_engine(new_cluster) -> None:
    """More than could wait one on top of the other, were no heed taken."""
    _, client = new_cluster(1, controller_args=["--TaskScheduler.hwm=0"])
    client[:].push({"square": square, "squares": squares}, block=True)
    numbers = range(500)
    result = client.load_balanced_view().map_async(parent, numbers)
    assert result.get(90) == [n * n + 5 for n in numbers]


def test_recursion_that_is_too_deep(new_cluster) -> None:
    def deep(levels: int) -> None:
        import sys

        import ipyparallel as ipp

        sys.modules["ipyparallel.engine.nesting"]._MAX_LEVEL = 10
        if levels:
            ipp.get_client().load_balanced_view().apply_sync(deep, levels - 1)

    _, client = new_cluster(1, controller_args=["--TaskScheduler.hwm=0"])
    client[:].push({"deep": deep, "square": square}, block=True)
    view = client.load_balanced_view()
    view.apply_async(deep, 9).get(60)
    with pytest.raises(ipp.RemoteError, match="10 tasks wait on this engine for tasks"):
        view.apply_async(deep, 12).get(60)
    assert client[0].apply_sync(squares, [2]) == [4]


def test_forked_processes_are_no_engines(one: ipp.Client) -> None:
    def parent():
        import multiprocessing

        import ipyparallel as ipp

        ipp.get_client()
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return pool.apply(attempt)

    one[0].push({"attempt": attempt}, block=True)
    assert "this process is none" in one[0].apply_async(parent).get(30)


def test_outside_of_an_engine() -> None:
    with pytest.raises(RuntimeError, match=r"connect with ipyparallel\.Client\(\)"):
        ipp.get_client()


def test_over_ipc(new_cluster) -> None:
    _, client = new_cluster(1, controller_args=["--transport=ipc"])
    client[0].push({"square": square}, block=True)
    assert client[0].apply_async(squares, [1, 2]).get(30) == [1, 4]
