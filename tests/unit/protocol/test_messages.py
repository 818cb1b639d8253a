"""Headers and contents as typed structs: defaults, unknown fields, what is left out."""

import json

import pytest

from ipyparallel.protocol import messages
from ipyparallel.protocol.messages import (
    ConnectionReply,
    ConnectionRequest,
    EngineNotice,
    Header,
    RegistrationRequest,
    ReplyMetadata,
    encode,
    encode_any,
)


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ({"a": [1, None, True, "é"]}, '{"a":[1,null,true,"é"]}'),
        (EngineNotice(1, "u"), '{"id":1,"uuid":"u"}'),
        (EngineNotice(1, "u", native=True), '{"id":1,"uuid":"u","native":true}'),
        (ConnectionRequest(), "{}"),
        (
            RegistrationRequest("u"),
            '{"uuid":"u","id":null,"reports_ready":false,"resources":{},"replaces":"",'
            '"versions":{},"returning":false,"holding":[],"balanced":[],"answered":[]}',
        ),
    ],
)
def test_structs_and_dicts_become_json(obj, text):
    assert encode(obj) == text.encode()


def test_what_json_cannot_say_becomes_its_repr():
    assert json.loads(encode_any({"a": 1j, "b": [object]})) == {
        "a": "1j",
        "b": ["<class 'object'>"],
    }


def test_decode_reads_what_encode_wrote():
    assert messages.decode(encode({"a": [1, 2.5, None]})) == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "decode",
    [
        messages.decode_parent,
        messages.decode_task_metadata,
        messages.decode_request_metadata,
        messages.decode_reply_metadata,
        messages.decode_connection_reply,
    ],
)
def test_what_a_peer_may_leave_out_has_a_default_and_more_is_ignored(decode):
    assert decode(b"{}") == decode(b'{"something else": [1]}')


def test_a_header_needs_an_id_and_a_type():
    assert messages.decode_header(b'{"msg_id":"1","msg_type":"x"}') == Header("1", "x")
    for text in (b'{"msg_id":"1"}', b'{"msg_type":"x"}'):
        with pytest.raises(messages.msgspec.ValidationError, match="missing required field"):
            messages.decode_header(text)


def test_a_reply_says_nothing_of_what_only_this_package_knows_unless_set():
    plain = json.loads(encode(ReplyMetadata(status="ok")))
    assert not plain.keys() & {"engine_info", "output_count", "elapsed"}
    # and says all the rest, which published clients read without a default
    assert plain.keys() >= {"started", "engine", "status", "dependencies_met", "is_broadcast"}
    assert json.loads(encode(ReplyMetadata(output_count=0, elapsed=0.5)))["output_count"] == 0


def test_a_reply_survives_the_wire():
    reply = ReplyMetadata(
        started="2026-01-01T00:00:00Z",
        engine="u",
        status="error",
        label="a",
        engine_info={"engine_id": 1},
        output_count=3,
        elapsed=0.25,
    )
    assert messages.decode_reply_metadata(encode(reply)) == reply


def test_a_published_controller_does_not_say_which_engines_are_native():
    reply = messages.decode_connection_reply(b'{"engines":{"0":"u"},"status":"ok"}')
    assert reply == ConnectionReply({"0": "u"}, None, "ok")
