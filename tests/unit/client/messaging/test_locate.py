"""From the arguments of a Client to where the controller is."""

import json
import threading
from pathlib import Path

import pytest

from ipyparallel.client.messaging import locate
from ipyparallel.client.messaging.locate import find_info
from ipyparallel.protocol.connection import ClientInfo, client_file, from_dict, to_dict, write_info
from ipyparallel.protocol.profiles import ensure_profile

INFO = ClientInfo(
    interface="tcp://127.0.0.1",
    registration=1,
    control=2,
    mux=3,
    task=4,
    iopub=5,
    notification=6,
    key="secret",
)


def find(connection_info=None, **options):
    arguments = {
        "profile": None,
        "profile_dir": None,
        "ipython_dir": None,
        "cluster_id": "",
        "timeout": 0,
        **options,
    }
    return find_info(connection_info, **arguments)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    return tmp_path


def put(root, profile="default", cluster_id="", key="secret"):
    folder = ensure_profile(root / f"profile_{profile}")
    path = client_file(folder, cluster_id)
    write_info(path, from_dict({**to_dict(INFO), "key": key}, ClientInfo))
    return path


def test_a_dict_is_taken_as_it_is():
    assert find(to_dict(INFO)) == INFO


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read(kind, root):
    assert find(kind(put(root))) == INFO


def test_a_path_may_begin_at_home(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    put(root)
    assert find("~/profile_default/security/ipcontroller-client.json") == INFO


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "default"),
        ({"profile": "x"}, "x"),
        ({"cluster_id": "c"}, "default-c"),
        ({"profile": "x", "cluster_id": "c"}, "x-c"),
    ],
)
def test_a_profile_and_a_cluster_lead_to_their_file(options, key, root):
    for profile in ("default", "x"):
        put(root, profile, key=profile)
        put(root, profile, "c", key=f"{profile}-c")
    assert find(**options).key == key


def test_the_folder_of_a_profile_or_of_ipython_may_be_given(root):
    put(root / "other", "x", key="found")
    assert find(profile="x", ipython_dir=root / "other").key == "found"
    assert find(profile_dir=root / "other" / "profile_x").key == "found"
    assert find(profile_dir=str(root / "other" / "profile_x"), profile="ignored").key == "found"


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:5555", "ipc:///tmp/x"])
def test_an_address_is_no_file(url):
    with pytest.raises(ValueError, match="not the address") as raised:
        find(url)
    assert repr(url) in str(raised.value)


def test_a_named_file_that_is_not_there_is_not_waited_for(root, capsys):
    with pytest.raises(OSError, match="no Controller could be found") as raised:
        find(str(root / "none.json"), timeout=60)
    first, *_ = lines = str(raised.value).splitlines()
    assert first == f"Connection file {str(root / 'none.json')!r} not found."
    assert len(lines) == 3
    assert capsys.readouterr() == ("", "")


def test_a_file_that_does_not_come_in_time_is_an_os_error(root, capsys):
    with pytest.raises(OSError, match=r"ipcontroller-c-client\.json' not found\."):
        find(cluster_id="c")
    assert "Waiting for connection file: " in "".join(capsys.readouterr())


def test_a_file_is_waited_for(root, monkeypatch, capsys):
    waiting = threading.Event()
    pause = locate.time.sleep

    def sleep(seconds):
        waiting.set()
        pause(0.001)

    monkeypatch.setattr(locate.time, "sleep", sleep)

    def later():
        waiting.wait(30)
        put(root)

    thread = threading.Thread(target=later)
    thread.start()
    assert find(timeout=30) == INFO
    thread.join()


def test_incomplete_information_is_named(root):
    path = put(root)
    path.write_text(json.dumps({"interface": "tcp://127.0.0.1"}))
    with pytest.raises(ValueError, match=r"ipcontroller-client\.json' is invalid \(missing"):
        find()
    with pytest.raises(ValueError, match=r"^Connection info is invalid \(missing"):
        find({"interface": "tcp://127.0.0.1"})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/home/me/.ipython/x.json", "~/.ipython/x.json"),
        ("/tmp/x.json", "/tmp/x.json"),
        ("/home/meg/x.json", "/home/meg/x.json"),
    ],
)
def test_paths_at_home_are_shown_short(path, text, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert locate._short(Path(path)) == text
