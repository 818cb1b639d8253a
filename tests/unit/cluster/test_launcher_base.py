import asyncio
import os

import pytest

from ipyparallel.cluster.launchers.base import BaseLauncher, ProcessStateError


class Quiet(BaseLauncher):
    name = "quiet"

    def find_args(self):
        return ["run", "a b"]


@pytest.fixture
def launcher(tmp_path):
    return Quiet(profile_dir=str(tmp_path), cluster_id="c")


def test_what_it_runs(launcher):
    assert launcher.args == ["run", "a b"]
    assert launcher.arg_str == "run 'a b'"
    assert launcher.identifier == f"quiet-c-{os.getpid()}"


def test_the_environment_names_the_cluster_and_forgets_an_outer_one(launcher, monkeypatch):
    monkeypatch.setenv("IPP_CLUSTER_ID", "outer")
    monkeypatch.setenv("IPP_CONNECTION_INFO", "of the outer cluster")
    launcher.environment = {"A": "1"}
    env = launcher.get_env()
    assert env["IPP_CLUSTER_ID"] == "c"
    assert env["IPP_PROFILE_DIR"] == launcher.profile_dir
    assert env["A"] == "1"
    assert env["PATH"] == os.environ["PATH"]
    assert "IPP_CONNECTION_INFO" not in env
    launcher.environment = {"IPP_CONNECTION_INFO": "{}"}
    assert launcher.get_env()["IPP_CONNECTION_INFO"] == "{}"


def test_connection_files(launcher, tmp_path):
    assert launcher.connection_files == {
        "client": tmp_path / "security" / "ipcontroller-c-client.json",
        "engine": tmp_path / "security" / "ipcontroller-c-engine.json",
    }


def test_the_end_is_told_once_to_all_and_to_those_who_come_late(launcher):
    told = []
    launcher.on_stop(told.append)
    launcher.notify_start(1)
    assert launcher.running
    launcher.notify_stop({"exit_code": 3})
    launcher.notify_stop({"exit_code": 4})
    launcher.on_stop(told.append)
    assert told == [{"exit_code": 3}] * 2
    assert launcher.poll() == 3
    assert launcher.state == "after"
    assert launcher.join_sync() == {"exit_code": 3}


def test_giving_up_on_the_end_does_not_spoil_it_for_others(launcher):
    launcher.notify_start()
    with pytest.raises(TimeoutError):
        launcher.join_sync(timeout=0)
    launcher.notify_stop({"exit_code": 0})
    assert launcher.join_sync(timeout=0)["exit_code"] == 0


def test_join_wakes_up_for_an_end_in_another_thread(launcher):
    async def main():
        joined = asyncio.ensure_future(launcher.join())
        await asyncio.to_thread(launcher.notify_stop, {"exit_code": 0})
        return await joined

    assert asyncio.run(main()) == {"exit_code": 0}


def test_starting_twice_is_an_error(launcher):
    launcher.require_state("before")
    launcher.notify_start()
    with pytest.raises(ProcessStateError, match="'running', not 'before'"):
        launcher.require_state("before")


def test_it_can_be_stored_and_made_again(launcher):
    launcher.notify_start()
    d = launcher.to_dict()
    assert d == {
        "cluster_id": "c",
        "identifier": launcher.identifier,
        "profile_dir": launcher.profile_dir,
        "state": "running",
    }
    again = Quiet.from_dict({**d, "from a later version": 1})
    assert again.to_dict() == d


def test_the_end_of_the_output(launcher, monkeypatch):
    monkeypatch.setattr(launcher, "get_output", lambda: "1\n2\n3\n")
    launcher.output_limit = 2
    assert launcher.output_tail() == "2\n3"
