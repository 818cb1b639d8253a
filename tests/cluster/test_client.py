"""Finding a cluster, waiting, threads, closing."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import weakref
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path

import pytest

import ipyparallel as ipp
from ipyparallel.protocol.connection import client_file
from tests.support.processes import wait_until
from tests.support.waiting import return_when, wait_for_file, wait_for_queue


@pytest.fixture
def connection_file(client: ipp.Client) -> Path:
    cluster = client.cluster
    assert cluster is not None
    return client_file(cluster.profile_dir, cluster.cluster_id)


def test_a_cluster_is_found_by_file_dict_and_profile(
    client: ipp.Client, connection_file: Path
) -> None:
    cluster = client.cluster
    assert cluster is not None
    ways = [
        {"connection_info": str(connection_file)},
        {"connection_info": connection_file},
        {"connection_info": json.loads(connection_file.read_text())},
        {"profile_dir": cluster.profile_dir, "cluster_id": cluster.cluster_id},
    ]
    for arguments in ways:
        with ipp.Client(**arguments) as other:
            assert other.ids == client.ids
            assert other[0].apply_sync(abs, -1) == 1


def test_an_address_is_not_a_file() -> None:
    with pytest.raises(ValueError, match=r"not the address 'tcp://127\.0\.0\.1:1'"):
        ipp.Client("tcp://127.0.0.1:1")


def test_a_named_file_that_is_not_there_is_told_at_once(tmp_path: Path, capsys) -> None:
    with pytest.raises(OSError, match=r"nofile\.json' not found") as info:
        ipp.Client(tmp_path / "nofile.json")
    assert "no Controller could be found" in str(info.value)
    assert "Waiting" not in capsys.readouterr().out


def test_a_profile_without_a_cluster_is_waited_for(tmp_path: Path, capsys) -> None:
    with pytest.raises(OSError, match=r"ipcontroller-client\.json' not found"):
        ipp.Client(profile_dir=tmp_path, timeout=0.2)
    assert "Waiting for connection file" in capsys.readouterr().err


def test_indexing_and_iteration(client: ipp.Client) -> None:
    assert len(client) == 2
    assert [view.targets for view in client] == [0, 1]
    assert client[-1].targets == 1
    assert client[:].targets == [0, 1]
    assert client[::2].targets == [0]
    assert client[(1, 0)].targets == [1, 0]
    assert client.direct_view().targets == "all"
    ids = client.ids
    ids.append(99)
    assert client.ids == [0, 1]
    with pytest.raises(IndexError, match="No such engine: 5"):
        client[5]
    with pytest.raises(TypeError, match="a client takes an engine id"):
        client["0"]


def test_results_are_futures(client: ipp.Client, tmp_path: Path) -> None:
    view = client.load_balanced_view()
    slow = view.apply_async(return_when, str(tmp_path / "go"))
    quick = view.apply_async(abs, -2)
    done, pending = wait([slow, quick], return_when=FIRST_COMPLETED, timeout=20)
    assert done == {quick}
    assert pending == {slow}
    (tmp_path / "go").touch()
    assert {f.result() for f in as_completed([slow, quick], timeout=20)} == {None, 2}
    seen: list[object] = []
    event = threading.Event()
    quick.add_done_callback(lambda f: (seen.append(f.result()), event.set()))
    assert event.wait(20)
    assert seen == [2]


def test_a_result_that_is_not_ready_says_so(client: ipp.Client, tmp_path: Path) -> None:
    result = client[0].apply_async(return_when, str(tmp_path / "go"))
    assert "pending" in repr(result)
    assert not result.ready()
    assert not result.wait(0.01)
    with pytest.raises(TimeoutError, match="Result not ready"):
        result.get(0.01)
    with pytest.raises(RuntimeError, match="Not ready"):
        result.successful()
    with pytest.raises(TimeoutError):
        result.wall_time
    (tmp_path / "go").touch()
    assert result.get(20) is None
    assert result.successful()
    assert "finished" in repr(result)
    assert result.r is None


def test_results_by_engine(client: ipp.Client) -> None:
    result = client[:].apply_async(abs, -1)
    assert result.get_dict() == {0: 1, 1: 1}
    assert list(result) == [1, 1]
    assert result[0] == 1
    assert result[:] == [1, 1]
    with pytest.raises(TypeError, match="single result are not iterable"):
        iter(client[0].apply_async(abs, 1))


def test_several_threads_share_a_client(client: ipp.Client) -> None:
    view = client.load_balanced_view()

    def work(offset: int) -> list[int]:
        results = [view.apply_async(abs, -(offset + i)) for i in range(200)]
        direct = [client[i % 2].apply_async(abs, -(offset + i)) for i in range(50)]
        return [r.get(60) for r in results] + [r.get(60) for r in direct]

    with ThreadPoolExecutor(6) as pool:
        for offset, values in zip(
            range(0, 6000, 1000), pool.map(work, range(0, 6000, 1000)), strict=True
        ):
            assert values == [*range(offset, offset + 200), *range(offset, offset + 50)]


def test_a_closed_client_says_so(client: ipp.Client, connection_file: Path, tmp_path: Path) -> None:
    other = ipp.Client(connection_file)
    pending = other[0].apply_async(return_when, str(tmp_path / "go"))
    other.close()
    other.close()
    with pytest.raises(ipp.ControllerLost, match="Connections have been closed"):
        pending.get(20)
    with pytest.raises(ipp.ControllerLost, match="Connections have been closed"):
        other.load_balanced_view().apply_async(abs, 1)
    (tmp_path / "go").touch()
    assert client[0].apply_sync(abs, -1) == 1


def test_a_client_that_is_dropped_is_closed(connection_file: Path) -> None:
    other = ipp.Client(connection_file)
    thread = other._messenger.connection._thread
    reference = weakref.ref(other)
    del other
    gc.collect()
    assert reference() is None
    thread.join(20)
    assert not thread.is_alive()


def test_a_dropped_result_is_freed(client: ipp.Client) -> None:
    result = client[0].apply_async(bytes, 10_000_000)
    result.get(20)
    reference = weakref.ref(result)
    del result
    gc.collect()
    assert reference() is None
    assert not client.outstanding


def test_waiting_for_too_many_engines_times_out(client: ipp.Client) -> None:
    assert client.wait_for_engines(2) is None
    with pytest.raises(
        TimeoutError, match=r"3 engines not ready in 0\.1 seconds\. Currently ready: 2"
    ):
        client.wait_for_engines(3, timeout=0.1)
    future = client.wait_for_engines(2, block=False)
    assert future is not None
    assert future.done()


def test_control_requests(client: ipp.Client, tmp_path: Path) -> None:
    client[1].push({"gone": 1}, block=True)
    client.clear(targets=1, block=True)
    with pytest.raises(ipp.RemoteError, match="gone"):
        client[1].pull("gone", block=True)
    running = client[0].execute(wait_for_file(tmp_path / "never", tmp_path / "begun"))
    waiting = client[0].apply_async(abs, 1)
    client.abort(waiting, targets=0, block=True)
    wait_for_queue(client, 2)
    wait_until((tmp_path / "begun").exists)
    client.send_signal("SIGINT", targets=0, block=True)
    with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
        running.get(20)
    with pytest.raises(ipp.TaskAborted):
        waiting.get(20)
    assert client[0].apply_sync(abs, -1) == 1


def test_a_closed_client_raises_an_os_error_as_it_always_did(connection_file: Path) -> None:
    other = ipp.Client(connection_file)
    view = other[:]
    other.close()
    with pytest.raises(OSError, match="Connections have been closed"):
        view.apply(abs, 1)


def test_arguments_of_old_are_taken(client: ipp.Client, connection_file: Path) -> None:
    with pytest.warns(DeprecationWarning, match="url_file"):
        other = ipp.Client(url_or_file=str(connection_file), username="bob", debug=True)
    with other:
        assert other.session.username == "bob"
        assert other.ids == client.ids
    with pytest.raises(TypeError, match="unexpected arguments: 'profil'"):
        ipp.Client(profil="x")
    for bad in (3, b"x"):
        with pytest.raises(TypeError, match="connection_info must be"):
            ipp.Client(bad)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="not found"):
        ipp.Client(connection_file.parent)


def test_the_history_adds_up_like_a_list(client: ipp.Client) -> None:
    result = client[0].apply_async(abs, 1)
    result.get()
    assert (client.history + ["x"])[-2:] == [*result.msg_ids, "x"]  # noqa: RUF005
    assert (["x"] + client.history)[-1] == result.msg_ids[0]  # noqa: RUF005
    with pytest.raises(IndexError, match="no message 1000000"):
        client.wait(1_000_000)
    with pytest.raises(TypeError, match="jobs must be message ids"):
        client.abort(3)


class Exits:
    """Ends the process of that id if it unpickles this."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __reduce__(self):
        return exit_in, (self.pid,)


def exit_in(pid: int) -> None:
    if os.getpid() == pid:
        raise SystemExit("while a result was read")


def test_what_users_do_in_callbacks_and_pickles_does_not_end_the_client(client: ipp.Client) -> None:
    good = client[1].apply_async(time.sleep, 0.3)
    bad = client[0].apply_async(Exits, os.getpid())
    called = client[0].apply_async(abs, 1)
    called.add_done_callback(lambda future: exit_in(os.getpid()))
    with pytest.raises(SystemExit):
        bad.get(20)
    assert called.get(20) == 1
    assert good.get(20) is None
    assert client[0].apply_sync(abs, -1) == 1


# ---- below the views


def test_a_request_by_hand_is_answered(client: ipp.Client) -> None:
    seen = []
    task = client.send_apply_request(
        client._mux_socket,
        divmod,
        (7, 2),
        ident=client._engines[0],
        metadata={"label": "by hand"},
        message_future_hook=seen.append,
    )
    assert task.result(20) == (3, 1)
    assert seen == [task]
    assert task.metadata.engine_id == 0
    assert task.metadata.label == "by hand"
    assert client.history[-1] == task.msg_id
    assert client.send_apply_request(client._task_socket, lambda: 7).result(20) == 7
    code = client.send_execute_request(client._mux_socket, "a = 9", ident=client._engines[1])
    code.result(20)
    assert client[1].pull("a", block=True) == 9


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("mux", 3), "f must be callable, not 3"),
        (("mux", str, "x"), "args must be a tuple"),
        (("mux", str, (), [1]), "kwargs must be a dict"),
        (("mux", str, (), {}, "x"), "metadata must be a dict"),
    ],
)
def test_a_request_by_hand_is_checked(arguments: tuple, text: str, client: ipp.Client) -> None:
    with pytest.raises(TypeError, match=text):
        client.send_apply_request(*arguments)


def test_a_future_for_a_message_that_is_sent_otherwise(client: ipp.Client) -> None:
    reply, output = client.create_message_futures("mine_0", {"msg_type": "x"}, async_result=True)
    assert reply.msg_id == "mine_0"
    assert client.outstanding == {"mine_0"}
    assert not output.done()
    client._messenger.tasks.end("mine_0")


# ---- results again


def test_a_result_that_is_held_can_be_had_again(client: ipp.Client) -> None:
    held = client[:].apply_async(lambda: 7)
    assert held.get(20) == [7, 7]
    assert client.get_result(held.msg_ids[0]).get() == 7
    assert client.get_result().get() == 7
    assert client.get_result([-2, -1]).get() == [7, 7]
    assert client.get_result(held).get() == [7, 7]
    assert client.results[held.msg_ids[1]] == 7
    assert client.metadata[held.msg_ids[1]].engine_id == 1
    msg_id = held.msg_ids[0]
    del held
    assert client.get_result(msg_id).get(20) == 7  # the hub has kept it
    assert client.wait(msg_id)


def test_what_is_outstanding_cannot_be_purged(client: ipp.Client) -> None:
    task, *_ = client.create_message_futures("mine_1", {})
    with pytest.raises(RuntimeError, match="still to come: mine_1"):
        client.purge_local_results("all")
    with pytest.raises(RuntimeError, match="mine_1"):
        client.purge_local_results([task.msg_id])
    client._messenger.tasks.end("mine_1")
    client.purge_local_results("all")
    client.purge_local_results(targets=[0])
    with pytest.raises(ValueError, match="name the results"):
        client.purge_local_results()
    client.purge_everything()
    assert list(client.history) == []


def test_waiting_for_everything_shows_a_bar(client: ipp.Client, capsys) -> None:
    results = [client[:].apply_async(lambda: 7) for _ in range(3)]
    client.wait_interactive(results, interval=0.01)
    assert "3/3" in capsys.readouterr().err
    assert client.wait_interactive() is None


@pytest.mark.parametrize("name", ["spin", "spin_thread", "stop_spin_thread"])
def test_spinning_is_not_needed_any_more(name: str, client: ipp.Client) -> None:
    with pytest.warns(DeprecationWarning, match=f"Client.{name} is not needed"):
        getattr(client, name)()


def test_sent_memory_is_told(client: ipp.Client) -> None:
    import numpy as np

    view = client[:]
    with view.temp_flags(track=True):
        ar = view.push({"array": np.zeros(1 << 17)}, block=False)
    ar.wait_for_send(20)
    assert ar.sent
    assert [task.tracker.result().done for task in ar._children] == [True, True]
    ar.get(20)


# ---- whatever comes, the client lives


UNLOADABLE = """
import types, sys
module = sys.modules["only_here"] = types.ModuleType("only_here")
exec("class Thing: pass", vars(module))
from ipyparallel.datapub import publish_data
publish_data({"thing": module.Thing()})
print("after")
"""

#: What code on an engine may put on the output channel.
ODD_OUTPUT = [
    ("status", {}),
    ("status", {"execution_state": 3}),
    ("update_display_data", {"data": {}, "transient": None}),
    ("display_data", {"data": 3, "transient": 5}),
    ("stream", None),
    ("error", {"traceback": 3, "exception": "!"}),
    ("data_message", {"keys": 3}),
]


def test_published_data_that_cannot_be_loaded_is_left_out(client: ipp.Client) -> None:
    ar = client[0].execute(UNLOADABLE, block=True)
    assert ar.stdout == "after\n"
    assert ar.data == {}


@pytest.mark.parametrize(("msg_type", "content"), ODD_OUTPUT)
def test_odd_output_is_left_out(msg_type: str, content: object, client: ipp.Client) -> None:
    client[0].push({"content": content, "msg_type": msg_type}, block=True)
    code = (
        "k = get_ipython().kernel\n"
        "k.session.send(k.iopub_socket, msg_type, content, parent=k.get_parent())\n"
        "print('after')"
    )
    ar = client[0].execute(code)
    ar.wait(20)
    assert ar.wait_for_output(20)
    assert ar.stdout == "after\n"
    assert client[:].apply_sync(abs, -1) == [1, 1]


def test_what_a_dropped_client_was_asked_for_fails(connection_file: Path) -> None:
    def ask() -> Future:
        dropped = ipp.Client(connection_file)
        return dropped.send_apply_request("task", time.sleep, (5,))

    task = ask()
    gc.collect()
    with pytest.raises(ipp.error.ClientClosed):
        task.result(20)


def test_a_long_line_that_ends_in_a_carriage_return_takes_no_time(client: ipp.Client) -> None:
    ar = client[0].apply_async(lambda: print("x" * 1_000_000 + "\r"))
    ar.get(20)
    assert ar.wait_for_output(20)
    assert len(ar.stdout) == 1_000_002
