"""What the kernel's files say about killed processes; the contents are those of real systems."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ipyparallel.engine import out_of_memory
from ipyparallel.engine.out_of_memory import (
    GroupFiles,
    Killings,
    count_kills,
    format_bytes,
    group_files,
    names_as_killed,
    read_limit,
    was_short,
)

GIB = 1 << 30

# ---- control groups

SERVER = "0::/a.slice/a-1.slice/s-3.scope\n"
SERVER_MOUNTS = """\
24 30 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""

#: Docker on a host with version 1: the host's name for the group, and only that group is mounted.
CONTAINER = "4:memory:/docker/6d2f\n3:cpu,cpuacct:/docker/6d2f\n1:name=systemd:/docker/6d2f\n"
CONTAINER_MOUNTS = """\
700 699 0:31 /docker/6d2f /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
701 699 0:32 /docker/6d2f /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory
"""

#: Both versions; the memory is under the first.
HYBRID = "4:memory:/a/b\n1:cpu:/\n0::/\n"
HYBRID_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""

#: With a namespace of control groups, whose mount was made outside.
NAMESPACE = "0::/\n"
NAMESPACE_MOUNTS = "35 24 0:30 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "folders"),
    [
        (
            SERVER,
            SERVER_MOUNTS,
            ["a.slice/a-1.slice/s-3.scope", "a.slice/a-1.slice", "a.slice", ""],
        ),
        (CONTAINER, CONTAINER_MOUNTS, ["memory"]),
        (HYBRID, HYBRID_MOUNTS, ["memory/a/b", "memory/a", "memory", "unified"]),
        (NAMESPACE, NAMESPACE_MOUNTS, [""]),
        (SERVER, "", []),
        ("", SERVER_MOUNTS, []),
    ],
)
def test_the_groups_of_a_process(cgroup: str, mounts: str, folders: list[str]) -> None:
    root = Path("/sys/fs/cgroup")
    assert [files.folder for files in group_files(cgroup, mounts)] == [root / f for f in folders]


def test_each_version_has_its_files() -> None:
    (second,) = group_files(NAMESPACE, NAMESPACE_MOUNTS)
    assert (second.kills.name, second.limit.name) == ("memory.events", "memory.max")
    (first,) = group_files(CONTAINER, CONTAINER_MOUNTS)
    assert (first.kills.name, first.usage.name) == ("memory.oom_control", "memory.usage_in_bytes")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("low 0\nhigh 0\nmax 412\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("oom_kill_disable 0\nunder_oom 0\n", None),  # before Linux 4.13
        ("", None),
    ],
)
def test_counted_kills(text: str, count: int | None) -> None:
    assert count_kills(text) == count


@pytest.mark.parametrize(
    ("text", "limit"),
    [("max\n", None), ("9223372036854771712\n", None), ("104857600\n", 100 << 20)],
)
def test_limits(text: str, limit: int | None) -> None:
    assert read_limit(text) == limit


# ---- the kernel's log

LINUX_6 = [
    "6,420,34601619155,-;[  31655]     0 31655    80946    28136    27234      902         0"
    "   282624        0             0 python3\n",
    "6,421,34601619159,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,"
    "mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=python3,pid=31655,uid=0\n",
    "3,422,34601619183,-;Memory cgroup out of memory: Killed process 31655 (python3)"
    " total-vm:323784kB, anon-rss:108936kB, file-rss:3608kB, shmem-rss:0kB, UID:0\n",
]
LINUX_4 = [
    "3,1201,5000000,-;Out of memory: Kill process 31655 (python3) score 907 or sacrifice child\n",
    "3,1202,5000120,-;Killed process 31655 (python3) total-vm:9123456kB, anon-rss:8000000kB\n",
    " SUBSYSTEM=memory\n",
]


@pytest.mark.parametrize(
    ("records", "since"), [(LINUX_6, 34000.0), (LINUX_6[1:2], 34000.0), (LINUX_4, 4.0)]
)
def test_the_log_names_a_process(records: list[str], since: float) -> None:
    assert names_as_killed(records, 31655, since)
    assert not names_as_killed(records, 3165, since)
    assert not names_as_killed(records, 31655, since + 1e6)


def test_other_records_name_nobody() -> None:
    records = [*LINUX_6[:1], "6,1,2,-;usb 1-1: new device, pid=31655\n", "", "garbage", ";"]
    assert not names_as_killed(records, 31655, 0.0)


# ---- how much was left


def test_shortness_is_judged_as_of_before_the_death() -> None:
    assert was_short(peak=11 * GIB, left=11 * GIB + 1, total=12 * GIB)
    assert not was_short(peak=1 * GIB, left=11 * GIB, total=12 * GIB)


def test_sizes_are_readable() -> None:
    assert format_bytes(100 << 20) == "100 MiB"
    assert format_bytes(3 * GIB // 2) == "1.5 GiB"


# ---- all together, with files of our own


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GroupFiles:
    """The group that is looked at; and there is no log."""
    files = GroupFiles(tmp_path, 2)
    files.kills.write_text("oom 0\noom_kill 7\n")
    files.limit.write_text(f"{1 << 50}\n")
    files.usage.write_text("0\n")
    monkeypatch.setattr(out_of_memory, "_groups", lambda: [files])
    monkeypatch.setattr(out_of_memory, "_kernel_log", lambda: iter(()))
    monkeypatch.setattr(out_of_memory, "_memory", lambda: (4 * GIB, 8 * GIB))
    return files


def test_a_kill_that_was_counted_explains_one_death(group: GroupFiles) -> None:
    killings = Killings()
    assert killings.explain(1, 0.0, 1 << 20) == ""
    group.kills.write_text("oom 2\noom_kill 9\n")
    group.limit.write_text(f"{512 << 20}\n")
    told = "out of memory (it had used up to 1 MiB; the limit of its control group is 512 MiB)"
    assert [killings.explain(pid, 0.0, 1 << 20) for pid in (1, 2, 3)] == [told, told, ""]


def test_a_kill_long_ago_explains_nothing(
    group: GroupFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    killings = Killings()
    group.kills.write_text("oom_kill 9\n")
    assert killings.explain(1, 0.0, 1 << 20)
    monkeypatch.setattr(out_of_memory, "_KEPT_KILL", -1.0)
    assert killings.explain(2, 0.0, 1 << 20) == ""


def test_what_the_log_says_needs_no_counter(
    group: GroupFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.kills.unlink()
    monkeypatch.setattr(out_of_memory, "_kernel_log", lambda: iter(LINUX_6))
    assert Killings().explain(31655, 34601.0, 1 << 20).startswith("out of memory")


def test_without_evidence_it_may_be_so_when_little_was_left(group: GroupFiles) -> None:
    told = Killings().explain(1, 0.0, 4 * GIB)
    assert told == "maybe out of memory (it had used up to 4 GiB of 8 GiB)"


def test_where_there_are_no_such_files_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_memory, "_groups", lambda: [])
    monkeypatch.setattr(out_of_memory, "_kernel_log", lambda: iter(()))
    assert Killings().explain(1, 0.0, 1 << 20) == ""


def test_this_system_can_be_asked() -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _, _, usage = os.wait4(pid, 0)
    peak = out_of_memory.peak_memory(usage)
    assert 1 << 20 < peak < 1 << 40
    assert "out of memory (" not in Killings().explain(pid, 1e18, peak).replace("maybe ", "")
