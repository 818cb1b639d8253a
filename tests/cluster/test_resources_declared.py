"""Engines declare what they have of what tasks may ask for; the controller's log tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from tests.support.processes import Controller, Engines, wait_until

NewCluster = Callable[..., tuple[ipp.Cluster, ipp.Client]]


def declared(log: str) -> list[str]:
    """What each engine had when it was ready."""
    return re.findall(r"Engine \d+ is ready(?:, with )?(.*)", log)


def test_the_same_for_all(new_cluster: NewCluster) -> None:
    cluster, _ = new_cluster(2, resources={"gpu": 1, "mem": 0.5})
    assert declared(cluster.controller.get_output()) == ["gpu=1 mem=0.5"] * 2


def test_each_has_its_own_and_so_has_its_successor(new_cluster: NewCluster) -> None:
    cluster, client = new_cluster(3, resources=[{"gpu": 1}, {}, {"gpu": 2, "mem": 16}])

    def log() -> str:
        return cluster.controller.get_output()

    assert sorted(declared(log())) == ["", "gpu=1", "gpu=2 mem=16"]
    last = re.search(r"Engine (\d+) is ready, with gpu=2 mem=16", log())
    assert last is not None
    engine_id = int(last[1])
    messenger = client._messenger
    uuid = messenger.engines.uuid(engine_id)
    content = {"reason": "it was in the way"}
    messenger.request("control", "replace_request", content, uuid).result(20)
    wait_until(lambda: log().count(last[0]) == 2, more=log)
    assert len(declared(log())) == 4
    assert f"Engine {engine_id} is gone: it was in the way" in log()


def test_of_another_number_of_engines(tmp_path: Path) -> None:
    cluster = ipp.Cluster(n=2, resources=[{}], profile_dir=str(tmp_path), log_level=40)
    with pytest.raises(ValueError, match="resources of 1 engines are given, and there are to be 2"):
        cluster.start_cluster_sync()
    assert cluster.controller is None


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(tmp_path)
    yield controller
    controller.end()


def log_of(engines: Engines) -> Callable[[], str]:
    return lambda: engines.text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--resources", "gpu=1,mem=16"], ["gpu=1 mem=16"]),
        (["--resources", "gpu=1", "--resources", "mem=16"], ["gpu=1 mem=16"]),
        (["-n", "2", '--resources=[{"gpu": 1}, {"gpu": 2}]'], ["gpu=1", "gpu=2"]),
    ],
)
def test_ipengine(
    tmp_path: Path, controller: Controller, options: list[str], expected: list[str]
) -> None:
    engines = Engines(tmp_path, controller.engine_file, *options)
    try:
        wait_until(lambda: sorted(declared(controller.text)) == expected, more=log_of(engines))
    finally:
        engines.end()


def test_ipengine_from_its_configuration_file(tmp_path: Path, controller: Controller) -> None:
    (tmp_path / "engines").mkdir()
    config = tmp_path / "engines" / "ipengine_config.py"
    config.write_text("c.IPEngine.resources = {'gpu': 1}\n")
    engines = Engines(tmp_path, controller.engine_file)
    try:
        wait_until(lambda: declared(controller.text) == ["gpu=1"], more=log_of(engines))
    finally:
        engines.end()


def test_what_makes_no_sense_is_said(tmp_path: Path, controller: Controller) -> None:
    for options, said in (
        (["--resources=gpu"], "'gpu' is not"),
        (["--resources=gpu=-1"], "-1, of 'gpu', is not finite and at least 0"),
        (['--resources=[{"gpu": 1}, {}]'], "resources of 2 engines are given"),
    ):
        engines = Engines(tmp_path, controller.engine_file, *options)
        try:
            engines.wait_for(said)
            assert engines.wait(20) == 1
        finally:
            engines.end()


@pytest.mark.parametrize("given", ["typed", "in the file"])
def test_ipcluster(tmp_path: Path, given: str) -> None:
    env = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}

    def ipcluster(*args: str) -> str:
        command = [sys.executable, "-m", "ipyparallel.cluster", *args, f"--profile-dir={tmp_path}"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    typed = ["--resources", "gpu=1"]
    if given == "in the file":
        config = "c.Cluster.resources = [{'gpu': 1}, {'gpu': 1}]\n"
        (tmp_path / "ipcluster_config.py").write_text(config)
        typed = []
    try:
        ipcluster("start", "-n", "2", "--daemonize", *typed)
        (cluster_file,) = (tmp_path / "security").glob("cluster-*.json")
        content = json.loads(cluster_file.read_text())
        (engine_set,) = content["engines"]["sets"].values()
        assert engine_set["resources"] == content["cluster"]["resources"]
        log = Path(content["controller"]["state"]["output_file"]).read_text()
        assert declared(log) == ["gpu=1"] * 2
    finally:
        ipcluster("stop")
