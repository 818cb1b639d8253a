"""Bad messages that reach our client: one line in its log, and its I/O thread goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

import ipyparallel as ipp
from ipyparallel.protocol.session import new_id
from tests.support.processes import wait_until
from tests.support.raw import (
    FORGERIES,
    METADATA,
    PARENT,
    UNREADABLE,
    FakeEngine,
    Forgery,
    Frames,
    reply_to,
    resign,
)
from tests.wire.conftest import Bench

unreadable = pytest.mark.parametrize("frame", UNREADABLE.values(), ids=list(UNREADABLE))


@pytest.fixture
def publish(bench: Bench) -> Iterator[Callable[[Frames], None]]:
    """Publishes on the output channel, where everyone listens who is there."""
    socket = bench.raw.context.socket(zmq.XPUB)
    socket.connect(bench.raw.engine.url(bench.raw.engine.iopub))
    topics = set()
    while b"\x01" not in topics:  # the client's subscription to everything
        assert socket.poll(10_000)
        topics.add(socket.recv())
    yield socket.send_multipart
    socket.close(linger=0)


def dropped(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "ipyparallel.client"]


@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
def test_forged_output_is_dropped(
    bench: Bench,
    publish: Callable[[Frames], None],
    caplog: pytest.LogCaptureFixture,
    forgery: Forgery,
) -> None:
    good = bench.raw.session.message("stream", {"name": "stdout", "text": new_id()})
    publish([b"engine.9.stdout", *forgery.make(bench.raw.session, good)])
    wait_until(lambda: dropped(caplog), "a line in the client's log")
    result = bench.client[0].execute("print('heard')", silent=False)
    result.get(20)
    assert result.wait_for_output(20)
    assert result.stdout == "heard\n"
    (line,) = dropped(caplog)
    assert "Dropped a message" in line
    assert forgery.said in line


@unreadable
def test_output_with_an_unreadable_parent(
    bench: Bench,
    publish: Callable[[Frames], None],
    caplog: pytest.LogCaptureFixture,
    frame: bytes,
) -> None:
    good = bench.raw.session.message("stream", {"name": "stdout", "text": new_id()})
    publish([b"engine.9.stdout", *resign(bench.raw.session, good, PARENT, frame)])
    wait_until(lambda: dropped(caplog), "a line in the client's log")
    bench.check_work()
    (line,) = dropped(caplog)
    assert "Dropped a stream message" in line


@pytest.mark.parametrize(
    "content",
    [{}, {"name": "stdout"}, {"name": 5, "text": "x"}, {"name": "nowhere", "text": "x"}, ["x"]],
    ids=str,
)
def test_output_with_wrong_content(
    bench: Bench,
    publish: Callable[[Frames], None],
    caplog: pytest.LogCaptureFixture,
    fake: FakeEngine,
    content: Any,
) -> None:
    """Of a task that is waited for: of others it is not even looked at."""
    result = bench.client[fake.id].apply_async(pow, 2, 3)
    request = bench.raw.read(fake.mux)
    parent = request.header_frame
    publish([b"engine.9.stdout", *bench.raw.session.message("stream", content, parent=parent)])
    wait_until(lambda: dropped(caplog), "a line in the client's log")
    fake.mux.send_multipart([*request.idents, *reply_to(fake, request)])
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    (line,) = dropped(caplog)
    assert "Dropped a stream message" in line


@unreadable
@pytest.mark.parametrize("place", [PARENT, METADATA], ids=["parent", "metadata"])
def test_reply_with_an_unreadable_frame(
    bench: Bench, fake: FakeEngine, caplog: pytest.LogCaptureFixture, place: int, frame: bytes
) -> None:
    result = bench.client[fake.id].apply_async(pow, 2, 3)
    request = bench.raw.read(fake.mux)
    bad = resign(bench.raw.session, reply_to(fake, request), place, frame)
    fake.mux.send_multipart([*request.idents, *bad])
    wait_until(lambda: dropped(caplog), "a line in the client's log")
    assert not result.done()
    fake.mux.send_multipart([*request.idents, *reply_to(fake, request)])
    with pytest.raises(ipp.RemoteError, match="from afar"):
        result.get(20)
    (line,) = dropped(caplog)
    assert "Dropped a reply" in line
