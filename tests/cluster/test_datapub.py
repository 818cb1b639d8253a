"""Data that a running task sends."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import ipyparallel as ipp
from ipyparallel.datapub import publish_data


def publish(*data: Any) -> None:
    for each in data:
        publish_data(each)


def publish_changing() -> None:
    import numpy as np

    array = np.zeros(1_000_000)
    publish_data({"array": array})
    array += 1


def publish_and_wait() -> None:
    import sys
    import time

    publish_data({"progress": 0.5})
    while "go_on" not in sys.modules["__main__"].__dict__:
        time.sleep(0.01)


def test_calls_update_the_data(client: ipp.Client) -> None:
    result = client[0].apply_async(publish, {"a": 1, "b": [2]}, {"a": 3})
    result.get(20)
    assert result.wait_for_output(20)
    assert result.data == {"a": 3, "b": [2]}


def test_arrays_are_sent_as_they_were(client: ipp.Client) -> None:
    result = client[0].apply_async(publish_changing)
    result.get(20)
    assert result.wait_for_output(20)
    assert result.data["array"].shape == (1_000_000,)
    assert not result.data["array"].any()


def test_it_arrives_while_the_task_runs(client: ipp.Client) -> None:
    result = client[0].apply_async(publish_and_wait)
    while not result.data:
        assert not result.ready()
    assert result.data == {"progress": 0.5}
    # a namespace is changed between tasks only
    client[0].execute("go_on = 1")
    client.send_signal("SIGINT", 0, block=True)
    with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
        result.get(20)


def test_the_shell_has_a_publisher(client: ipp.Client) -> None:
    code = "import warnings; warnings.simplefilter('error')\n"
    result = client[0].execute(code + "get_ipython().data_pub.publish_data({1: 2})")
    result.get(20)
    assert result.wait_for_output(20)
    assert result.data == {1: 2}


@pytest.mark.parametrize("data", [[1], "text", None])
def test_only_dicts(client: ipp.Client, data: object) -> None:
    with pytest.raises(ipp.RemoteError, match="publish_data takes a dict, not a"):
        client[0].apply_async(publish, data).get(20)


def test_what_cannot_be_sent_is_an_error_of_the_task(client: ipp.Client) -> None:
    with pytest.raises(ipp.RemoteError, match="pickle"):
        client[0].apply_async(lambda: publish_data({"lock": threading.Lock()})).get(20)
    assert client[0].apply_async(abs, -1).get(20) == 1


def test_it_is_for_engines() -> None:
    with pytest.raises(RuntimeError, match="must be called on an engine"):
        publish_data({})


def test_the_controller_has_nothing_to_say_about_it(client: ipp.Client) -> None:
    client[:].apply_async(publish, {"a": 1}).get(20)
    client.send_signal(0, block=True).get()
    said = client.cluster.controller.get_output()
    assert "WARNING" not in said
    assert "ERROR" not in said
