"""Output as it is recorded: overwritten lines, limits, malformed messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipyparallel.client.messaging.recording import Recorder, StreamText
from ipyparallel.protocol.session import Session


def written(*pieces, limit=1000):
    text = StreamText(limit)
    for piece in pieces:
        text.write(piece)
    return text.read()


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["a\n", "b\n"], "a\nb\n"),
        (["10%\r", "20%\r", "30%\n"], "30%\n"),
        (["\r10%", "\r20%", "\r30%"], "30%"),
        (["kept\nold\rnew\n"], "kept\nnew\n"),
        (["kept\nold", "\rnew"], "kept\nnew"),
        (["windows\r\n", "lines\r", "\n"], "windows\r\nlines\r\n"),
        (["100%\r"], "100%\r"),
        (["a\rb\rc"], "c"),
        (["x" * 5, "\r", "\r", "yy"], "yy"),
    ],
)
def test_what_a_carriage_return_goes_back_over_is_overwritten(pieces, shown):
    assert written(*pieces) == shown


@given(st.lists(st.text(alphabet="ab\r\n", max_size=6), max_size=8))
def test_it_does_not_matter_in_which_pieces_a_text_comes(pieces):
    assert written(*pieces) == written("".join(pieces))


@given(st.lists(st.text(alphabet="ab\n", max_size=6), max_size=8))
def test_without_carriage_returns_nothing_is_lost(pieces):
    assert written(*pieces) == "".join(pieces)


def test_reading_in_between_changes_nothing():
    text = StreamText(1000)
    for piece in ("a\nb", "\rc", "d\n", "e"):
        text.write(piece)
        text.read()
    assert text.read() == "a\ncd\ne"


def test_a_long_text_is_cut_and_says_so():
    text = written("x" * 8, "y" * 8, "z" * 8, limit=10)
    first, notice = text.split("\n")
    assert first == "xxxxxxxxyy"
    assert "longer than 10 characters" in notice


def test_many_small_pieces_are_put_together_seldom():
    text = StreamText(10**9)
    reads = 0
    for _ in range(200_000):
        text.write("0123456789")
        if text.is_due():
            text.read()
            reads += 1
    # the first 64 Ki are read each time, the rest each time it has grown by an eighth
    assert reads < 6700
    assert len(text.read()) == 2_000_000


# ---- messages


@pytest.fixture
def record(tasks):
    session = Session(b"", session_id="engine")
    recorder = Recorder(limit=100)
    task = tasks.make()

    def record(msg_type, content, limit=100, buffers=()):
        recorder.limit = limit
        frames = session.message(msg_type, content, buffers=buffers)
        recorder.record(task, session.parse(list(frames)))
        return task.metadata

    return record


def test_streams_are_recorded_apart(record):
    record("stream", {"name": "stdout", "text": "out"})
    metadata = record("stream", {"name": "stderr", "text": "err"})
    assert (metadata.stdout, metadata.stderr) == ("out", "err")


def test_rich_output_is_recorded_up_to_a_limit(record):
    small = {"data": {"text/plain": "x"}, "metadata": {}}
    record("display_data", small)
    record("display_data", {"data": {"image/png": "x" * 200}, "metadata": {}})
    record("display_data", small)
    metadata = record("execute_result", {**small, "execution_count": 1})
    assert metadata.outputs[0] == small
    assert "larger than 100 bytes" in metadata.outputs[1]["data"]["text/plain"]
    assert len(metadata.outputs) == 2
    assert metadata.execute_result is None


def test_an_error_on_the_output_channel_does_not_replace_that_of_the_reply(record, tasks):
    metadata = record("error", {"ename": "E", "evalue": "first", "traceback": []})
    assert metadata.error.evalue == "first"
    metadata = record("error", {"ename": "E", "evalue": "second", "traceback": []})
    assert metadata.error.evalue == "first"


def test_what_is_of_no_known_kind_is_not_recorded(record):
    before = dict(record("status", {"execution_state": "busy"}))
    assert dict(record("comm_msg", {})) == before


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [
        ("stream", {"text": "x"}),
        ("stream", {"name": "stdout"}),
        ("stream", {"name": "stdout", "text": 3}),
        ("stream", {"name": "outputs", "text": "x"}),
        ("execute_input", {}),
        ("execute_input", []),
    ],
)
def test_malformed_output_is_an_error_and_changes_nothing(msg_type, content, record):
    before = dict(record("status", {}))
    with pytest.raises((ValueError, KeyError, TypeError)):
        record(msg_type, content)
    assert dict(record("status", {})) == before
