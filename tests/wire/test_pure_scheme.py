"""What raw peers say on the task channel passes unread under the pure scheme, and harms nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from ipyparallel.transport.sockets import HUB
from tests.support.processes import Controller, Engines, wait_until
from tests.support.raw import Raw


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Controller, Engines, Raw, ipp.Client]]:
    controller = Controller(tmp_path, "--scheme=pure")
    engines = Engines(tmp_path, controller.engine_file)
    raw = Raw(controller.client_file, controller.engine_file)
    try:
        with ipp.Client(str(controller.client_file)) as client:
            client.wait_for_engines(1, timeout=30)
            engines.wait_ready()
            yield controller, engines, raw, client
    finally:
        raw.close()
        engines.end()
        controller.end()


@pytest.mark.parametrize(
    "frames",
    [[b""], [b"junk"], [b"junk", b"more"], [b"", b""], [b"<IDS|MSG>"]],
    ids=lambda frames: "/".join(frame.decode() or "-" for frame in frames),
)
def test_an_engine_drops_what_is_not_signed(
    bench: tuple[Controller, Engines, Raw, ipp.Client], frames: list[bytes]
) -> None:
    _, engines, raw, client = bench
    with raw.connect(raw.client.task) as socket:
        socket.send_multipart(frames)
        engines.wait_for("Dropped a request")
        # what is sent after it on this connection is read after it, and as a message of its own
        request = raw.session.message("no_such_request")
        socket.send_multipart(request)
        reply = raw.read(socket)
        assert reply.header.msg_type == "no_such_reply"
    assert client.load_balanced_view().apply_async(pow, 2, 5).get(20) == 32


def test_what_comes_from_the_engines_side_and_is_no_reply_is_dropped(
    bench: tuple[Controller, Engines, Raw, ipp.Client],
) -> None:
    controller, _, raw, client = bench
    with raw.connect(raw.engine.task) as socket:
        for frames in ([b""], [b"nobody"], [b"nobody", b"more"], [HUB], [HUB, b"junk"]):
            socket.send_multipart(frames)
        # signed, but from an engine that is not known, or that does not say who it is
        socket.send_multipart([HUB, b"who", *raw.session.message("engine_ready")])
        socket.send_multipart([HUB, *raw.session.message("engine_ready")])
        socket.send_multipart([HUB, b"x", *raw.session.message("last"), b"unsigned", b""])
        socket.send_multipart([HUB, b"end", b"<IDS|MSG>"])
        wait_until(
            lambda: controller.text.count("Dropped a message of an engine") == 2,
            "both to be noticed",
            more=lambda: controller.text,
        )
    assert client.ids == [0]
    assert client.queue_status() == {0: {"queue": 0, "completed": 0, "tasks": 0}, "unassigned": 0}
