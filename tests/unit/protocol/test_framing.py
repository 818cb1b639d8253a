"""The two ways in which a message lies in frames; neither is trusted before it is verified."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipyparallel.protocol.framing import (
    COMPACT,
    DELIMITER,
    InvalidMessage,
    pack_compact,
    pack_full,
    unpack,
)

PARTS = (b'{"h":1}', b"{}", b'{"m":2}', b'{"c":3}')

BOTH = pytest.mark.parametrize("pack", [pack_full, pack_compact])

IDENTS = st.lists(st.binary(max_size=20).filter(lambda b: not b.startswith(b"<IDS")), max_size=3)
BUFFERS = st.lists(
    st.binary(max_size=50)
    | st.sampled_from([DELIMITER, COMPACT, b"x" * 5000, b"x" * 20_000, memoryview(b"y" * 10)]),
    max_size=20,
)


@BOTH
@settings(max_examples=50, deadline=None, database=None)
@given(
    idents=IDENTS,
    signature=st.binary(max_size=128),
    parts=st.tuples(*[st.binary(max_size=100)] * 4),
    buffers=BUFFERS,
)
def test_what_was_packed_is_unpacked(pack, idents, signature, parts, buffers):
    message = unpack([*idents, *pack(signature, parts, buffers)])
    assert message.idents == idents
    assert message.signature == signature
    assert message.parts == parts
    assert message.buffers == buffers
    assert message.compact is (pack is pack_compact)


def test_a_full_message_lies_as_published():
    assert pack_full(b"s", PARTS, [b"1", b"2"]) == [b"<IDS|MSG>", b"s", *PARTS, b"1", b"2"]


@pytest.mark.parametrize(
    ("buffers", "frames"),
    [
        ([], 1),
        ([b"x"] * 16, 1),
        ([b"x"] * 20, 5),
        ([b"x" * (1 << 14)], 1),
        ([b"x" * (1 << 14) + b"x"], 2),
        ([b"x" * 10_000, b"x" * 10_000], 2),
        ([b"x" * 10, memoryview(b"y"), b"z"], 3),  # none overtakes another
        ([memoryview(b"y")], 2),
    ],
)
def test_small_buffers_are_inside_a_compact_frame(buffers, frames):
    packed = pack_compact(b"s", PARTS, buffers)
    assert len(packed) == frames
    assert packed[1:] == buffers[len(buffers) - frames + 1 :]
    assert unpack(packed).buffers == buffers


def test_large_buffers_are_not_copied():
    large = bytearray(100_000)
    assert pack_compact(b"s", PARTS, [b"small", large])[1] is large


@pytest.mark.parametrize("length", range(6))
def test_a_full_message_truncated_to_any_length_is_refused(length):
    with pytest.raises(InvalidMessage, match="truncated" if length else "no delimiter"):
        unpack([b"identity", *pack_full(b"s", PARTS, [])[:length]])


def test_a_compact_message_truncated_to_any_length_is_refused():
    (frame,) = pack_compact(b"s", PARTS, [b"inside"])
    for length in range(len(frame)):
        reason = "no delimiter" if length < len(COMPACT) else "truncated"
        with pytest.raises(InvalidMessage, match=reason):
            unpack([frame[:length]])


def test_a_compact_message_with_something_behind_it_is_refused():
    (frame,) = pack_compact(b"s", PARTS, [])
    with pytest.raises(InvalidMessage, match="compact frame has"):
        unpack([frame + b"x"])


@settings(max_examples=100, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_what_only_begins_as_a_compact_message_is_refused(rest):
    with pytest.raises(InvalidMessage):
        unpack([COMPACT + rest])


@pytest.mark.parametrize("frames", [[], [b""], [b"<IDS|MSG"], [b"x" * 1000] * 10])
def test_without_a_marker_there_is_no_message(frames):
    with pytest.raises(InvalidMessage, match="no delimiter"):
        unpack(frames)


def test_the_first_marker_counts():
    inner = pack_full(b"s", PARTS, [])
    assert unpack(pack_compact(b"s", PARTS, inner)).buffers == inner
    assert unpack(pack_full(b"s", PARTS, pack_compact(b"s", PARTS, []))).compact is False
