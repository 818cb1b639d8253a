"""What is said of an engine that died: how, what it wrote, and whether memory was short."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from traitlets.config import Config

import ipyparallel as ipp
from ipyparallel.engine.out_of_memory import GroupFiles
from tests.support.memory_group import memory_group

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]

#: The limit of memory, and what one task takes; an engine and its supervisor take much less.
LIMIT = 512 << 20


def read_nothing() -> None:
    import ctypes

    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def free_twice() -> None:
    import ctypes

    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    place = libc.malloc(64)
    libc.free(place)
    libc.free(place)
    raise AssertionError("the C library does not mind")


def complain_and_exit() -> None:
    print("this goes to the client")
    os.write(2, b"the library is not licensed\n")
    os._exit(7)


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failure(client: ipp.Client, f: Callable[..., Any], *args: Any) -> list[str]:
    """The lines of the error that a task fails with, on the first engine."""
    with pytest.raises(ipp.EngineError) as caught:
        client[client.ids[0]].apply_async(f, *args).get(30)
    return str(caught.value).splitlines()


def test_a_segmentation_fault_is_told_with_the_users_part_of_the_stack(
    new_cluster: NewCluster,
) -> None:
    _, client = new_cluster(1)
    first, *rest = failure(client, read_nothing)
    assert first.startswith("Engine 0 died while running task ")
    assert first.endswith(": killed by SIGSEGV (segmentation fault); the last lines of its log:")
    assert rest[0] == "  Fatal Python error: Segmentation fault"
    assert "in string_at" in rest[2]
    assert rest[3].endswith("in read_nothing")
    assert len(rest) == 4


def test_a_fault_in_a_balanced_task_and_in_a_cell(new_cluster: NewCluster) -> None:
    _, client = new_cluster(2)
    with pytest.raises(ipp.EngineError, match=r"(?s)SIGABRT \(aborted\).*Fatal.*in abort"):
        client.load_balanced_view().apply_async(abort).get(30)
    (left,) = client.ids[-1:]
    cell = "import ctypes\ndef mine(): ctypes.string_at(0)\nmine()"
    with pytest.raises(ipp.EngineError, match=r"(?s)SIGSEGV.* in mine\n.* in <module>$"):
        client[left].execute(cell).get(30)


def test_engines_that_die_at_once_are_each_told_with_their_own_stack(
    new_cluster: NewCluster,
) -> None:
    cluster, client = new_cluster(4)
    (engine_set,) = cluster.engines.values()
    tasks = [client[i].apply_async(read_nothing if i % 2 else abort) for i in range(4)]
    for i, task in enumerate(tasks):
        with pytest.raises(ipp.EngineError) as caught:
            task.get(30)
        told = str(caught.value)
        assert told.count("Fatal Python error") == 1
        assert told.endswith("in read_nothing" if i % 2 else "in abort")
    engine_set.join_sync(30)
    log = engine_set.get_output()
    assert (log.count("in read_nothing"), log.count("in abort")) == (2, 2)


def fork_one_that_dies() -> int:
    pid = os.fork()
    if pid == 0:
        read_nothing()
    return os.waitpid(pid, 0)[1]


def test_faults_of_what_an_engine_forks_are_in_the_log(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(1)
    assert client[0].apply_sync(fork_one_that_dies) == signal.SIGSEGV
    assert "in read_nothing" in cluster.engine_set.get_output()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries say less")
def test_what_the_c_library_says_is_told(new_cluster: NewCluster) -> None:
    _, client = new_cluster(1)
    first, *rest = failure(client, free_twice)
    assert "killed by SIGABRT (aborted)" in first
    assert rest[0].startswith("  free(): double free")
    assert rest[1] == "  Fatal Python error: Aborted"


def test_what_is_written_before_an_exit_is_told(new_cluster: NewCluster) -> None:
    _, client = new_cluster(1)
    first, *rest = failure(client, complain_and_exit)
    assert "exited with code 7; the last lines of its log:" in first
    assert rest == ["  the library is not licensed"]


def test_who_writes_nothing_is_told_without(new_cluster: NewCluster) -> None:
    _, client = new_cluster(2)
    client[1].apply_async(complain_and_exit).wait(30)
    (line,) = failure(client, kill_oneself)
    assert line.endswith("killed by SIGKILL")


def has_own_fault_handler(path: str) -> list[bool]:
    import faulthandler

    was_enabled = faulthandler.is_enabled()
    faulthandler.enable()
    faulthandler.dump_traceback()
    with open(path, "w") as file:
        faulthandler.dump_traceback(file)
        faulthandler.dump_traceback(file=file, all_threads=False)
    faulthandler.register(10)
    faulthandler.unregister(10)
    faulthandler.dump_traceback_later(1000)
    faulthandler.cancel_dump_traceback_later()
    return [was_enabled, faulthandler.is_enabled()]


def test_user_code_can_use_the_fault_handler(new_cluster: NewCluster, tmp_path: Any) -> None:
    cluster, client = new_cluster(1)
    path = tmp_path / "stacks"
    assert client[0].apply_sync(has_own_fault_handler, str(path)) == [True, True]
    assert path.read_text().count("in has_own_fault_handler") == 2
    assert "in has_own_fault_handler" in cluster.engine_set.get_output()


@pytest.fixture
def little_memory() -> Iterator[GroupFiles]:
    name = f"ipyparallel-test-{os.getpid()}"
    try:
        group = memory_group(name, LIMIT)
        made = group.__enter__()
    except OSError as e:
        pytest.skip(f"no control group with a limit of memory can be made here: {e}")
    yield made
    group.__exit__(None, None, None)


def in_group(group: GroupFiles) -> Config:
    """Has the supervisor of the engines begin in this group."""
    config = Config()
    join = f'echo 0 > {group.folder}/cgroup.procs; exec "$@"'
    engine = [sys.executable, "-m", "ipyparallel.engine"]
    config.EngineLauncher.engine_cmd = ["sh", "-c", join, "sh", *engine]
    return config


def take_memory(size: int) -> int:
    block = bytearray(size)
    block[:: os.sysconf("SC_PAGESIZE")] = b"x" * len(range(0, size, os.sysconf("SC_PAGESIZE")))
    return len(block)


def test_an_engine_that_was_killed_for_want_of_memory(
    little_memory: GroupFiles, new_cluster: NewCluster
) -> None:
    _, client = new_cluster(2, config=in_group(little_memory), engine_restart="on-failure")
    (line,) = failure(client, take_memory, 2 * LIMIT)
    assert "killed by SIGKILL: out of memory (it had used up to " in line
    assert line.endswith("the limit of its control group is 512 MiB)")
    with pytest.raises(ipp.EngineError) as caught:
        client[1].apply_async(kill_oneself).get(30)
    assert str(caught.value).endswith("killed by SIGKILL")
