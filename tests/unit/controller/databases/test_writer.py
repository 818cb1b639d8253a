"""Writing in batches on a thread of its own."""

import logging
import threading

import pytest

from ipyparallel.controller.databases import writer as writing
from ipyparallel.controller.databases.writer import BatchWriter
from tests.support.records import Lazy

LOG = logging.getLogger("test-writer")


class Store:
    """What a writer writes to."""

    def __init__(self):
        self.batches = []
        self.threads = set()
        self.error = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def write(self, changes):
        self.entered.set()
        assert self.gate.wait(60)
        self.threads.add(threading.current_thread())
        if self.error is not None:
            raise self.error
        self.batches.append([(c.msg_id, c.new, c.fields) for c in changes])

    def contents(self):
        """What it holds after all that was written."""
        records = {}
        for msg_id, new, fields in [change for batch in self.batches for change in batch]:
            records[msg_id] = fields if new else {**records.get(msg_id, {}), **fields}
        return records


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def patient(monkeypatch):
    """Nothing is written until somebody asks."""
    monkeypatch.setattr(writing, "INTERVAL", 60)


@pytest.fixture
def writer(store):
    writer = BatchWriter(store.write, "store", LOG)
    yield writer
    store.error = None
    store.gate.set()
    writer.close()


def test_what_gathers_is_written_as_one_change_a_record(patient, store, writer):
    writer.put("a", {"x": 1}, new=True)
    writer.put("b", Lazy(x=2), new=True)
    writer.put("a", Lazy(y=3), new=False)
    writer.put("c", {"y": 4}, new=False)
    writer.put("b", {"z": 5}, new=True)
    writer.flush()
    [changes] = store.batches
    assert changes == [
        ("a", True, {"x": 1, "y": 3}),
        ("c", False, {"y": 4}),
        ("b", True, {"z": 5}),
    ]
    assert threading.current_thread() not in store.threads


def test_writes_are_written_without_anyone_asking(store, writer):
    writer.put("a", {}, new=True)
    assert store.entered.wait(60)


def test_calls_come_after_what_was_written_before(store, writer):
    writer.put("a", {}, new=True)
    assert writer.call(lambda: len(store.batches)) == 1
    with pytest.raises(ZeroDivisionError):
        writer.call(lambda: 1 / 0)


def test_closing_writes_what_there_is(store):
    writer = BatchWriter(store.write, "store", LOG)
    writer.put("a", {"x": 1}, new=True)
    writer.close()
    assert store.batches == [[("a", True, {"x": 1})]]
    with pytest.raises(RuntimeError, match="store is closed"):
        writer.flush()
    with pytest.raises(RuntimeError, match="store is closed"):
        writer.put("b", {}, new=True)


def test_what_the_writer_was_given_may_change(patient, store, writer):
    fields = {"x": 1, "inner": {"y": 2}}
    writer.put("a", fields, new=True)
    fields["x"] = fields["inner"]["y"] = 3
    writer.flush()
    assert store.batches == [[("a", True, {"x": 1, "inner": {"y": 2}})]]


def test_a_failing_store_is_told_and_tried_again(store, writer, monkeypatch, caplog):
    monkeypatch.setattr(writing, "RETRY", 0.01)
    store.error = OSError("disk full")
    writer.put("a", {"x": 1}, new=True)
    with pytest.raises(OSError, match="disk full"):
        writer.flush()
    assert "store: records of tasks cannot be written" in caplog.text
    writer.put("a", {"y": 2}, new=False)
    store.error = None
    writer.flush()
    assert store.contents() == {"a": {"x": 1, "y": 2}}
    assert "store: records of tasks are written again" in caplog.text


def test_a_failing_store_does_not_fill_the_memory(store, writer, monkeypatch, caplog):
    monkeypatch.setattr(writing, "MOST", 10)
    monkeypatch.setattr(writing, "RETRY", 0.01)
    store.error = OSError("disk full")
    for n in range(100):
        writer.put(str(n), {}, new=True)
        if n % 10 == 0:
            with pytest.raises(OSError, match="disk full"):
                writer.flush()
    assert "writes of records are lost" in caplog.text
    assert len(writer._gathered.writes) <= 20


def test_who_writes_more_than_can_be_written_waits(store, writer, monkeypatch):
    monkeypatch.setattr(writing, "MOST", 10)
    monkeypatch.setattr(writing, "MANY", 10)
    store.gate.clear()
    written = []

    def write():
        for n in range(25):
            writer.put(str(n), {}, new=True)
            written.append(n)

    thread = threading.Thread(target=write)
    thread.start()
    assert store.entered.wait(60)
    thread.join(0.05)
    assert len(written) <= 20
    store.gate.set()
    thread.join(60)
    writer.flush()
    assert list(store.contents()) == [str(n) for n in range(25)]
    assert writer._gathered.nbytes == 0


def test_a_batch_has_bounds(patient, store, monkeypatch):
    writer = BatchWriter(store.write, "store", LOG)
    store.gate.clear()
    writer.put("0", {}, new=True)
    monkeypatch.setattr(writing, "MANY", 10)
    for n in range(1, 25):
        writer.put(str(n), {}, new=True)
    assert store.entered.wait(60)
    store.gate.set()
    writer.close()
    assert list(store.contents()) == [str(n) for n in range(25)]
    assert max(map(len, store.batches)) == 10


def test_a_record_that_cannot_be_read_is_left_out(store, writer, caplog):
    class Broken(Lazy):
        def __getitem__(self, field):
            raise ValueError("garbage")

    writer.put("a", Broken(x=1), new=True)
    writer.put("b", {"x": 2}, new=True)
    writer.flush()
    assert store.batches == [[("b", True, {"x": 2})]]
    assert "The record of a cannot be read" in caplog.text
