"""Connection files of an earlier run: used as they are, or refused with the reason."""

import msgspec
import pytest

from ipyparallel.controller.reuse import NotReusable, read_earlier
from ipyparallel.protocol.connection import ClientInfo, EngineInfo, write_info

COMMON = {"interface": "tcp://127.0.0.1", "registration": 1, "key": "secret", "location": "here"}
ENGINE = EngineInfo(
    **COMMON, control=2, mux=3, task=4, iopub=5, hb_ping=6, hb_pong=7, broadcast=[8]
)
CLIENT = ClientInfo(**COMMON, control=9, mux=10, task=11, iopub=12, notification=13, broadcast=14)


@pytest.fixture
def read(tmp_path):
    def read(client=CLIENT, engine=ENGINE):
        paths = tmp_path / "client.json", tmp_path / "engine.json"
        for path, info in zip(paths, (client, engine), strict=True):
            if info is not None:
                write_info(path, info)
        return read_earlier(*paths)

    return read


def test_ports_come_in_the_order_in_which_they_are_bound(read):
    assert read().ports == list(range(1, 15))


@pytest.mark.parametrize(("client", "engine"), [(None, None), (CLIENT, None), (None, ENGINE)])
def test_without_both_files_there_was_nothing(read, client, engine):
    assert read(client, engine) is None


@pytest.mark.parametrize(
    "change", [{"key": "other"}, {"registration": 99}, {"interface": "tcp://0.0.0.0"}]
)
def test_files_of_two_runs_are_refused(read, change):
    with pytest.raises(NotReusable, match=f"disagree on {next(iter(change))}.*begin afresh"):
        read(engine=msgspec.structs.replace(ENGINE, **change))


def test_a_file_that_lacks_a_port_is_refused(read):
    with pytest.raises(NotReusable, match="no port for 'broadcast'"):
        read(engine=msgspec.structs.replace(ENGINE, broadcast=[]))


def test_the_folder_of_ipc_sockets(read):
    assert read().socket_folder is None
    interface = "ipc:///tmp/some/where/s"
    client = msgspec.structs.replace(CLIENT, interface=interface)
    engine = msgspec.structs.replace(ENGINE, interface=interface)
    assert str(read(client, engine).socket_folder) == "/tmp/some/where"
