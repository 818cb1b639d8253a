"""Which address leads to a controller, and the folder of its sockets."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

import psutil
import pytest

from ipyparallel.transport.addresses import SocketFolder, is_local, is_loopback, reachable

#: An address reserved for documentation: no host has it.
ELSEWHERE = "192.0.2.7"


@pytest.mark.parametrize(
    "location", ["", "127.0.0.1", "localhost", "::1", socket.gethostname()], ids=repr
)
def test_this_host_is_known_by_its_names_and_addresses(location):
    assert is_local(location)


def test_this_host_is_known_by_the_addresses_of_its_interfaces():
    addresses = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
    assert addresses
    assert all(map(is_local, addresses))


@pytest.mark.parametrize("location", [ELSEWHERE, "some-other-host", "127.0.0.1.example.org"])
def test_other_hosts_are_not_this_one(location):
    assert not is_local(location)


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "::"])
@pytest.mark.parametrize(
    ("location", "address"), [("localhost", "127.0.0.1"), (ELSEWHERE, ELSEWHERE)]
)
def test_any_address_becomes_the_one_to_use(host, location, address):
    assert reachable(f"tcp://{host}", location) == f"tcp://{address}"


@pytest.mark.parametrize(
    "interface", ["tcp://10.0.0.1", "tcp://127.0.0.1", "ipc:///tmp/x/s", "ipc://*"]
)
def test_a_definite_address_is_left_as_it_is(interface):
    assert reachable(interface, ELSEWHERE) == interface


@pytest.mark.parametrize(
    ("interface", "loopback"),
    [
        ("tcp://127.0.0.1", True),
        ("tcp://localhost", True),
        ("tcp://::1", True),
        ("ipc:///tmp/x/s", True),
        ("tcp://0.0.0.0", False),
        ("tcp://*", False),
        (f"tcp://{ELSEWHERE}", False),
    ],
)
def test_loopback_is_what_only_this_host_can_reach(interface, loopback):
    assert is_loopback(interface) is loopback


# ---- the folder of sockets


@pytest.fixture
def root(tmp_path, monkeypatch):
    # the path must be short, as that of the real one
    folder = tempfile.mkdtemp(prefix="ipp-", dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield folder
    shutil.rmtree(folder)


def parent_of(root):
    return f"{root}/ipyparallel-{psutil.Process().username()}"


def test_only_the_owner_may_look_into_the_folder(root):
    folder = SocketFolder()
    for path in (folder.path, folder.path.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert folder.interface == f"ipc://{folder.path}/s"
    assert str(folder.path.parent) == parent_of(root)
    folder.remove()


def test_removed_means_all_of_it(root):
    folder = SocketFolder()
    (folder.path / "s:1").touch()
    folder.remove()
    folder.remove()
    assert os.listdir(folder.path.parent) == []


def test_the_folder_of_another_controller_stays(root):
    # of this process, or of another that shares the folder but not the process ids
    first = SocketFolder()
    second = SocketFolder()
    assert first.path.is_dir()
    second.remove()
    assert first.path.is_dir()
    first.remove()


def test_what_a_killed_controller_left_is_removed(root):
    code = (
        "import os, sys; from ipyparallel.transport.addresses import SocketFolder;"
        "folder = SocketFolder(); (folder.path / 's:1').touch(); print(folder.path, flush=True);"
        "os._exit(1)"
    )
    left = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": root},
    ).stdout.strip()
    assert os.listdir(left)
    folder = SocketFolder()
    assert os.listdir(folder.path.parent) == [folder.path.name]
    folder.remove()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_open_to_others_is_refused(mode, root):
    os.mkdir(parent_of(root))
    os.chmod(parent_of(root), mode)
    with pytest.raises(PermissionError, match="only you may read it"):
        SocketFolder()


def test_a_link_planted_by_somebody_else_is_refused(root):
    precious = os.path.join(root, "precious")
    os.makedirs(os.path.join(precious, str(2**22 + 1)), mode=0o700)
    os.chmod(precious, 0o700)
    os.symlink(precious, parent_of(root))
    try:
        with pytest.raises(PermissionError, match="must belong to you"):
            SocketFolder()
        assert os.listdir(precious)
    finally:
        os.unlink(parent_of(root))


def test_a_long_folder_for_temporary_files_is_not_used(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = SocketFolder()
    try:
        assert len(folder.interface) + len(":65535") < 100
        assert os.listdir(long) == []
    finally:
        folder.remove()
