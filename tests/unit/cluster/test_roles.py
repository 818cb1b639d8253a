import asyncio
import json
import os

import pytest

from ipyparallel.cluster.launchers.roles import ControllerLauncher, EngineLauncher, mentions


@pytest.fixture
def controller(tmp_path):
    (tmp_path / "security").mkdir()
    launcher = ControllerLauncher(profile_dir=str(tmp_path), cluster_id="c")
    launcher.notify_start()
    return launcher


def write(launcher, kind, content):
    launcher.connection_files[kind].write_text(content)


@pytest.fixture
def infos():
    client = {
        "interface": "tcp://127.0.0.1",
        **dict.fromkeys(["registration", "control", "mux", "task", "iopub", "notification"], 1),
        "key": "k",
        "from a later version": True,
    }
    engine = {**client, "hb_ping": 1, "hb_pong": 2}
    return {"client": client, "engine": engine}


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["--ip=*"], True),
        (["--ip", "*"], True),
        (["--IPController.ip=1.2.3.4"], True),
        (["--ipython-dir=x", "ip"], False),
        ([], False),
    ],
)
def test_mentions(args, found):
    assert mentions(args, ["ip", "transport"]) is found


def test_command_lines(tmp_path):
    controller = ControllerLauncher(controller_cmd=["c"], controller_args=["-x"])
    assert controller.args == ["c", "-x"]
    engine = EngineLauncher(engine_cmd=["e"], engine_args=["-y"], engine_set_id="5", cluster_id="i")
    assert engine.args == ["e", "-y"]
    assert engine.identifier == f"ipengine-i-5-{os.getpid()}"


def test_connection_info_is_handed_on_whole(controller, infos):
    for kind, info in infos.items():
        write(controller, kind, json.dumps(info))
    assert controller.get_connection_info_sync(timeout=0) == infos


def test_it_waits_for_both_files_and_bears_with_a_half_written_one(controller, infos):
    async def main():
        write(controller, "client", json.dumps(infos["client"]))
        write(controller, "engine", '{"interface"')
        waiting = asyncio.ensure_future(controller.get_connection_info())
        await asyncio.sleep(0)
        assert not waiting.done()
        write(controller, "engine", json.dumps(infos["engine"]))
        return await waiting

    assert asyncio.run(main()) == infos


def test_a_timeout_says_what_is_wrong(controller):
    write(controller, "client", "{}")
    with pytest.raises(TimeoutError, match=r"in 0 seconds.*missing 'interface'"):
        controller.get_connection_info_sync(timeout=0)


def test_a_controller_that_stopped_is_quoted(controller, monkeypatch):
    monkeypatch.setattr(controller, "get_output", lambda: "cannot bind")
    controller.notify_stop({"exit_code": 1})
    with pytest.raises(RuntimeError, match=r"(?s)exit_code': 1.*cannot bind"):
        controller.get_connection_info_sync()


def test_old_connection_files_are_removed(controller):
    write(controller, "client", "old")
    controller.remove_connection_files()
    controller.remove_connection_files()
    assert not controller.connection_files["client"].exists()
