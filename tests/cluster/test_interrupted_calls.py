"""Ctrl-C while a call waits gives its result to come; the call goes on."""

from __future__ import annotations

import signal

import pytest

import ipyparallel as ipp
from tests.support.interrupts import ctrl_c_while_waiting

#: Calls that wait until the file at `path` is there; what they give is told beside them.
CALLS = {
    "apply_sync": (lambda view, path: view.apply_sync(until_there, path), [1, 1]),
    "apply": (lambda view, path: view.set_flags(block=True).apply(until_there, path), [1, 1]),
    "map_sync": (lambda view, path: view.map_sync(until_there, [path] * 3), [1, 1, 1]),
    "remote": (lambda view, path: view.remote(block=True)(until_there)(path), [1, 1]),
    "parallel": (lambda view, path: view.parallel(block=True)(any_there)([path] * 2), [1, 1]),
    "pull": (lambda view, path: view.pull(f"until_there({path!r})", block=True), [1, 1]),
    "get": (lambda view, path: view[f"until_there({path!r})"], [1, 1]),
    "push": (
        lambda view, path: view.push({f"d[until_there({path!r})]": 1}, block=True),
        [None] * 2,
    ),
    "scatter": (
        lambda view, path: view.scatter(f"d[until_there({path!r})]", [1, 2], block=True),
        [None] * 2,
    ),
    "gather": (lambda view, path: view.gather(f"[until_there({path!r})]", block=True), [1, 1]),
    "execute": (lambda view, path: view.execute(f"until_there({path!r})", block=True), None),
}


def until_there(path):
    """1, when there is a file at `path`."""
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)
    return 1


def any_there(paths):
    """The same for several."""
    return [until_there(path) for path in paths]


@pytest.mark.parametrize(("call", "expected"), CALLS.values(), ids=CALLS.keys())
def test_ctrl_c_gives_the_result_to_come(client: ipp.Client, tmp_path, call, expected) -> None:
    view = client[:]
    view.push({"until_there": until_there, "d": {}}, block=True)
    path = tmp_path / "go"
    with ctrl_c_while_waiting():
        result = call(view, str(path))
    assert isinstance(result, ipp.AsyncResult)
    assert not result.done()
    path.touch()
    if expected is None:
        assert [reply.status for reply in result.get(20)] == ["ok"] * 2
    else:
        assert result.get(20) == expected


def test_an_engine_that_was_interrupted_is_an_error(client: ipp.Client) -> None:
    def stop(number):
        signal.raise_signal(number)

    for view in client[0], client[:], client.load_balanced_view():
        with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
            view.apply_sync(stop, signal.SIGINT)
