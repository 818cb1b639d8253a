"""Connection files: their keys and order, who may read them, and what is said of broken ones."""

import json
import os
import stat
import threading

import pytest

from ipyparallel.protocol.connection import (
    ClientInfo,
    EngineInfo,
    client_file,
    engine_file,
    from_dict,
    read_info,
    to_dict,
    write_info,
    write_private,
)

CLIENT = ClientInfo(
    interface="tcp://127.0.0.1",
    registration=1,
    control=2,
    mux=3,
    task=4,
    iopub=5,
    notification=6,
    key="secret",
    location="host",
)
ENGINE = EngineInfo(
    interface="ipc:///tmp/x/s",
    registration=1,
    control=2,
    mux=3,
    task=4,
    iopub=5,
    hb_ping=6,
    hb_pong=7,
    broadcast=[8, 9],
    key="",
    curve_serverkey="k" * 40,
)

CLIENT_KEYS = [
    "ssh",
    "interface",
    "registration",
    "control",
    "mux",
    "task",
    "task_scheme",
    "iopub",
    "notification",
    "broadcast",
    "key",
    "curve_serverkey",
    "location",
    "pack",
    "unpack",
    "signature_scheme",
]
ENGINE_KEYS = [
    "ssh",
    "interface",
    "registration",
    "control",
    "mux",
    "task",
    "iopub",
    "hb_ping",
    "hb_pong",
    "broadcast",
    "key",
    "curve_serverkey",
    "location",
    "pack",
    "unpack",
    "signature_scheme",
]

BOTH = pytest.mark.parametrize(
    ("info", "keys"), [(CLIENT, CLIENT_KEYS), (ENGINE, ENGINE_KEYS)], ids=["client", "engine"]
)


@BOTH
def test_keys_stand_in_the_published_order(info, keys, tmp_path):
    path = tmp_path / "file.json"
    write_info(path, info)
    assert list(json.loads(path.read_text())) == keys
    assert path.read_text().startswith('{\n  "ssh": "",\n  "interface"')
    assert list(to_dict(info)) == keys


@BOTH
def test_what_was_written_is_read(info, keys, tmp_path):
    path = tmp_path / "file.json"
    write_info(path, info)
    assert read_info(path, type(info)) == info
    assert from_dict(to_dict(info), type(info)) == info


def test_a_published_file_is_read():
    # keys and values as in the published format; one that is not known yet is no obstacle
    info = from_dict(
        {**to_dict(CLIENT), "pack": "orjson", "unpack": "orjson", "new": 1}, ClientInfo
    )
    assert (info.pack, info.broadcast, info.task_scheme) == ("orjson", 0, "leastload")


def test_a_channels_address_is_interface_colon_port():
    assert CLIENT.url(CLIENT.task) == "tcp://127.0.0.1:4"
    assert ENGINE.url(ENGINE.mux) == "ipc:///tmp/x/s:3"


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o022])
def test_only_the_owner_can_read_a_file_whatever_the_umask(mask, tmp_path):
    path = tmp_path / "file.json"
    old = os.umask(mask)
    try:
        write_info(path, CLIENT)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        write_info(path, CLIENT)
        assert reader.read() == "old"  # who has it open still sees the old file whole
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_readers_never_see_a_part_of_a_file(tmp_path):
    path = tmp_path / "file.json"
    texts = {"a" * 200_000, "b" * 100_000}
    write_private(path, min(texts))
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for text in texts:
                write_private(path, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert {path.read_text() for _ in range(100)} <= texts
    finally:
        stop.set()
        writer.join()


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    path = tmp_path / "file.json"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\udc80")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]


# ---- broken files


def read_text(tmp_path, text, kind=ClientInfo):
    path = tmp_path / "broken.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_info(path, kind)


@pytest.mark.parametrize("text", ["", "{", "not json", b"\xff\xfe\x00"])
def test_a_file_that_is_not_json_is_named(text, tmp_path):
    with pytest.raises(ValueError, match=r"Connection file '.*/broken\.json' is not JSON"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_a_file_that_holds_something_else_is_named(text, tmp_path):
    with pytest.raises(ValueError, match=r"'.*/broken\.json' must hold a JSON object, not \w+"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("missing", [["key"], ["registration", "notification"], CLIENT_KEYS])
def test_missing_keys_are_named(missing, tmp_path):
    content = {key: value for key, value in to_dict(CLIENT).items() if key not in missing}
    with pytest.raises(ValueError, match=r"'.*/broken\.json' is invalid \(missing ") as raised:
        read_text(tmp_path, json.dumps(content))
    named = str(raised.value).split("missing ")[1].rstrip(")").split(", ")
    required = {
        *("interface", "registration", "control", "mux", "task", "iopub", "key", "notification")
    }
    assert set(named) == {repr(key) for key in required & set(missing)}


def test_a_value_of_the_wrong_kind_is_named(tmp_path):
    content = {**to_dict(CLIENT), "task": "a port"}
    with pytest.raises(ValueError, match=r"'.*/broken\.json' is invalid .*\$\.task"):
        read_text(tmp_path, json.dumps(content))


def test_an_engines_file_is_not_a_clients():
    with pytest.raises(ValueError, match=r"^Connection info is invalid \(missing 'notification'\)"):
        from_dict(to_dict(ENGINE), ClientInfo)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_info(tmp_path / "none.json", ClientInfo)


# ---- names


@pytest.mark.parametrize(
    ("cluster_id", "client", "engine"),
    [
        ("", "ipcontroller-client.json", "ipcontroller-engine.json"),
        ("abc", "ipcontroller-abc-client.json", "ipcontroller-abc-engine.json"),
    ],
)
def test_files_are_named_for_the_cluster(cluster_id, client, engine, tmp_path):
    assert client_file(tmp_path, cluster_id) == tmp_path / "security" / client
    assert engine_file(tmp_path, cluster_id) == tmp_path / "security" / engine
