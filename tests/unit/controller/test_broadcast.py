"""Broadcasts are refused in the form in which their replies are waited for."""

from __future__ import annotations

import msgspec
import pytest

from ipyparallel.controller.broadcast import refusals
from ipyparallel.protocol.session import Session


@pytest.mark.parametrize("is_coalescing", [True, False])
def test_each_target_is_answered_by_an_error_or_all_by_one(is_coalescing):
    client, controller = Session(b"key"), Session(b"key")
    targets = [["uuid-0", 0], ["uuid-1", 1]]
    frames = client.message(
        "apply_request", metadata={"targets": targets, "is_coalescing": is_coalescing}
    )
    request = controller.parse([b"client", *frames])
    replies = [client.parse(reply) for reply in refusals(controller, request)]
    answered = ["uuid-0"] if is_coalescing else ["uuid-0", "uuid-1"]
    assert [reply.parent.msg_id for reply in replies] == [
        f"{request.header.msg_id}_{uuid}" for uuid in answered
    ]
    for reply in replies:
        assert reply.idents == [b"client"]
        assert reply.header.msg_type == "apply_reply"
        assert reply.content()["status"] == "error"
        assert "no broadcast scheduler" in reply.content()["evalue"]
        assert reply.metadata()["original_msg_id"] == request.header.msg_id
        assert reply.metadata()["is_coalescing"] is is_coalescing


def test_a_request_without_targets_has_no_reply():
    session = Session(b"key")
    request = Session(b"key").parse(session.message("apply_request"))
    assert refusals(session, request) == []
    request = Session(b"key").parse(session.message("apply_request", metadata={"targets": 5}))
    with pytest.raises(msgspec.MsgspecError):
        refusals(session, request)
