"""Messages are framed, signed and verified; what is not a message of this cluster is refused."""

import getpass
import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.protocol.framing import COMPACT, DELIMITER, InvalidMessage
from ipyparallel.protocol.messages import EMPTY, EngineNotice, Header
from ipyparallel.protocol.session import (
    Message,
    SeenSignatures,
    Session,
    new_id,
    new_key,
    parse_date,
    utc_date,
)

KEY = b"a key"


@pytest.fixture
def session():
    return Session(KEY, session_id="sender", username="me")


@pytest.fixture
def reader():
    return Session(KEY, session_id="reader")


# ---- there and back

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DICTS = st.dictionaries(st.text(), JSON, max_size=4)


@settings(max_examples=60, deadline=None, database=None)
@given(
    idents=st.lists(st.binary().filter(lambda b: not b.startswith(b"<IDS")), max_size=3),
    content=DICTS,
    metadata=DICTS,
    # a buffer may be the delimiter: only the first one counts
    buffers=st.lists(st.binary() | st.just(DELIMITER), max_size=3),
    key=st.sampled_from([KEY, b""]),
    scheme=st.sampled_from(["hmac-sha256", "hmac-sha512", "hmac-md5"]),
    compact=st.booleans(),
)
def test_what_was_framed_is_parsed(idents, content, metadata, buffers, key, scheme, compact):
    sender, reader = Session(key, signature_scheme=scheme), Session(key, signature_scheme=scheme)
    header = sender.header("some_type")
    made = sender.frame(header, content, metadata=metadata, buffers=buffers, compact=compact)
    message = reader.parse([*idents, *made])
    assert message.idents == idents
    assert message.header == header
    assert message.content() == content
    assert message.metadata() == metadata
    assert message.buffers == buffers
    assert message.parent.msg_id == ""
    assert message.compact is compact


def test_frames_stand_in_the_published_order(session):
    frames = session.message("x_request", {"a": 1}, metadata={"b": 2}, buffers=[b"one", b"two"])
    assert frames[0] == b"<IDS|MSG>"
    assert len(frames[1]) == 64
    assert [json.loads(frame) for frame in frames[3:6]] == [{}, {"b": 2}, {"a": 1}]
    assert frames[6:] == [b"one", b"two"]
    header = json.loads(frames[2])
    assert list(header) == ["msg_id", "msg_type", "username", "session", "date", "version"]
    assert header["msg_type"] == "x_request"
    assert (header["session"], header["username"], header["version"]) == ("sender", "me", "5.4")


def test_content_may_be_encoded_already_or_a_struct_or_nothing(session, reader):
    assert session.message("x", b'{"a": 1}')[5] == b'{"a": 1}'
    assert session.message("x")[5] == EMPTY
    message = reader.parse(session.message("x", EngineNotice(3, "u")))
    assert message.content() == {"id": 3, "uuid": "u"}
    assert message.read_content(EngineNotice) == EngineNotice(3, "u")


def test_malformed_content_is_named(session, reader):
    message = reader.parse(session.message("x_reply", {"id": "three"}))
    with pytest.raises(ValueError, match=r"content of x_reply is malformed: .*`int`"):
        message.read_content(EngineNotice)


def test_a_request_header_comes_back_as_the_very_bytes_that_were_sent(reader, session):
    # spaces, an unknown field, escapes and order as another implementation may write them
    header = b'{ "version":"5.3",  "msg_type":"apply_request","a":{"b":[1]},"msg_id":"\\u00e9" }'
    request = [
        DELIMITER,
        session.sign(header, EMPTY, EMPTY, EMPTY),
        header,
        EMPTY,
        EMPTY,
        EMPTY,
    ]
    message = reader.parse(request)
    assert message.header_frame == header
    assert message.header.msg_id == "é"
    reply = reader.message("apply_reply", parent=message.header_frame)
    assert reply[3] == header
    assert session.parse(reply).parent.msg_id == "é"
    assert session.parse(reply, fresh=False).parent_frame == header


def test_message_ids_count_up_behind_the_prefix(session):
    ids = [session.header("x").msg_id for _ in range(3)]
    assert ids == [f"{session.id_prefix}{number}" for number in range(3)]
    assert session.id_prefix.startswith("sender_")


# ---- signatures


def test_the_signature_is_the_hmac_of_the_four_frames():
    # printf '{"a":1}{}{}{}' | openssl dgst -sha256 -hmac 'a key'
    expected = b"54e10690cae7c1a68f6ee1c608a59b8eb3e3195bdc34ffd760c2b20e6a7ea947"
    assert Session(KEY).sign(b'{"a":1}', EMPTY, EMPTY, EMPTY) == expected


@pytest.mark.parametrize("place", [2, 3, 4, 5])
def test_a_changed_frame_is_noticed(place, session, reader):
    frames = session.message("x", {"a": 1}, metadata={"b": 2})
    frames[place] = frames[place][:-1] + b" }"
    with pytest.raises(InvalidMessage, match="wrong signature"):
        reader.parse(frames)


@pytest.mark.parametrize(
    "signature",
    [b"0" * 64, b"x", "é".encode(), b"\xff\x00", memoryview(b"0" * 64)],
)
def test_a_wrong_signature_is_refused(signature, session, reader):
    frames = session.message("x")
    frames[1] = signature
    with pytest.raises(InvalidMessage, match="wrong signature"):
        reader.parse(frames)


def test_a_signature_by_another_key_is_refused(reader):
    with pytest.raises(InvalidMessage, match="does not have this cluster's key"):
        reader.parse(Session(b"another").message("x"))


def test_an_unsigned_message_is_refused(reader):
    with pytest.raises(InvalidMessage, match="not signed"):
        reader.parse(Session(b"").message("x"))


def test_without_a_key_nothing_is_signed_or_verified():
    session = Session(b"")
    frames = session.message("x")
    assert frames[1] == b""
    assert session.parse(frames).header.msg_type == "x"
    assert session.parse(frames).header.msg_type == "x"


def test_a_repeated_message_is_refused(session, reader):
    frames = session.message("x")
    reader.parse(list(frames))
    with pytest.raises(InvalidMessage, match="repeated"):
        reader.parse(list(frames))
    assert reader.parse(list(frames), fresh=False).header.msg_type == "x"


def test_a_message_refused_for_its_signature_does_not_use_it_up(session, reader):
    frames = session.message("x")
    with pytest.raises(InvalidMessage):
        reader.parse([*frames[:5], b'{"other":1}'])
    assert reader.parse(frames).header.msg_type == "x"


@pytest.mark.parametrize("scheme", ["sha256", "hmac-", "", "md5-hmac"])
def test_a_signature_scheme_of_another_form_is_named(scheme):
    with pytest.raises(ValueError, match=f"not {scheme!r}"):
        Session(KEY, signature_scheme=scheme)


def test_an_unknown_hash_fails_at_once():
    with pytest.raises(ValueError, match="sha257"):
        Session(KEY, signature_scheme="hmac-sha257")


# ---- what is not a message


@pytest.mark.parametrize("length", range(6))
def test_a_message_truncated_to_any_length_is_refused(length, session, reader):
    frames = session.message("x")
    assert len(frames) == 6
    reason = f"truncated: {length - 1} frames after" if length else "no delimiter"
    with pytest.raises(InvalidMessage, match=reason):
        reader.parse(frames[:length])
    with pytest.raises(InvalidMessage, match=reason):
        reader.parse([b"identity", *frames[:length]])


@pytest.mark.parametrize(
    "header", [b"", b"{}", b"[]", b"null", b"\xff", b"{", b'{"msg_id":1,"msg_type":"x"}']
)
def test_a_malformed_header_is_refused(header, session, reader):
    signature = session.sign(header, EMPTY, EMPTY, EMPTY)
    with pytest.raises(InvalidMessage, match="malformed header"):
        reader.parse([DELIMITER, signature, header, EMPTY, EMPTY, EMPTY])


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.binary(max_size=20) | st.sampled_from([DELIMITER, COMPACT]), max_size=10))
def test_foreign_frames_are_refused_and_nothing_else(frames):
    with pytest.raises(InvalidMessage):
        Session(KEY).parse(frames)


def test_an_invalid_message_is_a_value_error():
    assert issubclass(InvalidMessage, ValueError)


def test_the_signature_is_the_same_whichever_way_a_message_lies_in_frames(session):
    header = session.header("x")
    (compact,) = session.frame(header, {"a": 1}, compact=True)
    assert session.frame(header, {"a": 1})[1] in compact


def test_a_repeated_message_is_refused_though_it_lies_in_frames_another_way(session, reader):
    header = session.header("x")
    reader.parse(session.frame(header))
    with pytest.raises(InvalidMessage, match="repeated"):
        reader.parse(session.frame(header, compact=True))


def test_a_changed_byte_of_a_compact_message_is_noticed(session, reader):
    (frame,) = session.message("x", {"a": 1}, compact=True)
    for place in range(len(frame)):
        changed = frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :]
        with pytest.raises(InvalidMessage):
            reader.parse([changed])
    assert reader.parse([frame]).content() == {"a": 1}


# ---- memory of signatures


def test_recent_signatures_are_remembered_surely():
    seen = SeenSignatures(bits=8)
    session = Session(KEY)
    signatures = [session.sign(b"%d" % i, EMPTY, EMPTY, EMPTY) for i in range(200)]
    for one in signatures:
        assert not seen.check(one)
        assert seen.check(one)


def test_memory_of_signatures_is_constant():
    seen, session = SeenSignatures(bits=6), Session(KEY)
    size = len(seen._tags), sys.getsizeof(seen._tags)
    for i in range(2000):
        seen.check(session.sign(b"%d" % i, EMPTY, EMPTY, EMPTY))
    assert (len(seen._tags), sys.getsizeof(seen._tags)) == size
    assert not hasattr(seen, "__dict__")


def test_the_memory_of_a_session_finds_most_of_the_last_thousand():
    session, seen = Session(KEY), SeenSignatures()
    signatures = [session.sign(b"%d" % i, EMPTY, EMPTY, EMPTY) for i in range(1000)]
    for one in signatures:
        seen.check(one)
    assert sum(map(seen.check, signatures)) > 900


# ---- ids and dates


def test_ids_are_random_and_of_the_published_form():
    ids = {new_id() for _ in range(100)} | {new_key() for _ in range(100)}
    assert len(ids) == 200
    for one in ids:
        first, _, second = one.partition("-")
        assert (len(first), len(second)) == (8, 24)
        int(first + second, 16)


def test_a_date_is_utc_and_read_back_as_the_same_moment():
    before = datetime.now(UTC)
    text = utc_date()
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    assert text.endswith("Z")
    assert before - timedelta(microseconds=1) <= parse_date(text) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05.000006Z", datetime(2026, 1, 2, 3, 4, 5, 6, UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
        (
            "2026-01-02T03:04:05+02:00",
            datetime(2026, 1, 2, 3, 4, 5, 0, timezone(timedelta(hours=2))),
        ),
    ],
)
def test_dates_of_all_peers_are_aware(text, moment):
    assert parse_date(text) == moment
    assert parse_date(text).utcoffset() == moment.utcoffset()


def test_a_user_without_a_name_is_no_obstacle(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert Session(KEY).username == "username"


def test_a_message_is_decoded_only_when_asked(session, reader):
    frames = [DELIMITER, b"", b"", b"not json", b"not json", b"not json"]
    header = msgspec.json.encode(Header("1", "x"))
    frames[2] = header
    frames[1] = session.sign(*frames[2:])
    message = reader.parse(frames)
    assert isinstance(message, Message)
    for read in (message.content, message.metadata, lambda: message.parent):
        with pytest.raises(msgspec.DecodeError):
            read()
