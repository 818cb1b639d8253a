"""The relay between engines and a front end, with a kernel whose output is caught."""

import gc
import logging

import pytest
from comm.base_comm import CommManager

from ipyparallel.client.messaging import comms
from ipyparallel.client.messaging.comms import CommRelay, kernel_here
from ipyparallel.client.messaging.engines import EngineTable
from ipyparallel.protocol.messages import encode
from ipyparallel.protocol.session import Session

CELL = {"msg_id": "cell", "msg_type": "execute_request"}
LATER = {"msg_id": "later cell", "msg_type": "execute_request"}


class Kernel:
    """As much of a kernel as the relay uses; what is sent is kept in `sent`."""

    ident = "kernel"
    iopub_socket = object()

    def __init__(self):
        self.comm_manager = CommManager()
        self.session = self
        self.sent = []
        self.parent = {"header": CELL}
        self.failure = None

    def get_parent(self, channel):
        assert channel == "shell"
        return self.parent

    def send(self, socket, msg_type, content, metadata, parent, ident, buffers):
        assert socket is self.iopub_socket
        if self.failure is not None:
            raise self.failure
        self.sent.append((msg_type, content, parent["msg_id"]))
        self.last = {"metadata": metadata, "ident": ident, "buffers": buffers}

    def front_end_sends(self, msg_type, content, msg_id="front", buffers=()):
        """A message comes on the shell channel."""
        message = {
            "header": {"msg_id": msg_id, "msg_type": msg_type},
            "content": content,
            "metadata": {"some": "metadata"},
            "buffers": list(buffers),
        }
        getattr(self.comm_manager, msg_type)(None, None, message)


class Teller:
    """Keeps what engines are told in `told`."""

    def __init__(self):
        self.session = Session(b"", session_id="client")
        self.engines = EngineTable()
        self.told = []
        self.failure = None

    def tell(self, uuid, header, content, *, metadata=None, buffers=()):
        if self.failure is not None:
            raise self.failure
        self.told.append((uuid, header, content, metadata, buffers))


class Engine:
    """Makes the messages that an engine publishes."""

    def __init__(self, teller, uuid):
        self.session = Session(b"", session_id=uuid)
        self.client = teller.session

    def message(self, msg_type, content, parent_id="task", client="", metadata=None, buffers=()):
        parent = {"msg_id": parent_id, "session": client or self.client.session_id}
        frames = self.session.message(
            msg_type, content, parent=encode(parent), metadata=metadata, buffers=buffers
        )
        return self.session.parse(frames)

    def open(self, comm_id="a", **options):
        content = {"comm_id": comm_id, "target_name": "jupyter.widget", "data": {"state": {}}}
        return self.message("comm_open", content, **options)

    def update(self, comm_id="a", **options):
        return self.message("comm_msg", {"comm_id": comm_id, "data": {"x": 1}}, **options)

    def close(self, comm_id="a", **options):
        return self.message("comm_close", {"comm_id": comm_id, "data": {}}, **options)


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def teller():
    teller = Teller()
    teller.engines.add(0, "u0", True)
    teller.engines.add(1, "u1", True)
    return teller


@pytest.fixture
def relay(kernel, teller):
    return CommRelay(kernel, teller)


@pytest.fixture
def engine(teller):
    return Engine(teller, "u0")


@pytest.fixture
def task(tasks, relay):
    task = tasks.make()
    relay.submitted([task])
    return task


@pytest.fixture
def opened(relay, engine, task, kernel):
    """The comm ``a`` is open; the kernel runs another cell meanwhile."""
    relay.from_engine(engine.open(), task)
    kernel.sent.clear()
    kernel.parent = {"header": LATER}
    return relay


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_no_kernel_is_here():
    assert kernel_here() is None


def test_tasks_know_the_cell_that_submits_them(tasks, relay, kernel):
    first, second = tasks.many(2)
    assert first.cell is None
    relay.submitted([first])
    kernel.parent = {}  # a kernel that has run nothing yet
    relay.submitted([second])
    assert (first.cell, second.cell) == (CELL, {})


# ---- from engines


def test_what_an_engine_opens_is_opened_in_the_kernel(relay, engine, task, kernel):
    kernel.parent = {"header": LATER}
    message = engine.open(metadata={"version": "2.1.0"}, buffers=[b"pixels"])
    relay.from_engine(message, task)
    assert kernel.sent == [("comm_open", message.content(), "cell")]
    assert kernel.last["metadata"] == {"version": "2.1.0"}
    assert kernel.last["ident"] == b"comm-a"
    assert [bytes(buffer) for buffer in kernel.last["buffers"]] == [b"pixels"]
    assert kernel.comm_manager.comms["a"].target_name == "jupyter.widget"


def test_when_the_task_is_forgotten_it_is_of_the_present_cell(relay, engine, kernel):
    kernel.parent = {"header": LATER}
    relay.from_engine(engine.open(), None)
    assert [parent for _, _, parent in kernel.sent] == ["later cell"]


def test_what_another_client_has_caused_is_not_opened(relay, engine, kernel):
    relay.from_engine(engine.open(client="another"), None)
    assert not kernel.sent
    assert not kernel.comm_manager.comms


@pytest.mark.parametrize("options", [{}, {"client": "another"}])
def test_a_comm_outlives_its_task(opened, engine, kernel, options):
    opened.from_engine(engine.update(**options), None)
    assert kernel.sent == [("comm_msg", {"comm_id": "a", "data": {"x": 1}}, "cell")]


def test_a_message_names_the_cell_that_caused_it(opened, engine, kernel, tasks):
    later = tasks.make()
    opened.submitted([later])
    opened.from_engine(engine.update(), later)
    assert [parent for _, _, parent in kernel.sent] == ["later cell"]


def test_messages_of_unknown_comms_are_dropped(opened, engine, kernel, teller):
    opened.from_engine(engine.update("b"), None)
    opened.from_engine(engine.close("b"), None)
    opened.from_engine(Engine(teller, "u1").update("a"), None)  # it is not that engine's
    assert not kernel.sent


def test_an_engine_closes_its_comm_once(opened, engine, kernel):
    opened.from_engine(engine.close(), None)
    gc.collect()
    assert kernel.sent == [("comm_close", {"comm_id": "a", "data": {}}, "cell")]
    assert not kernel.comm_manager.comms
    opened.from_engine(engine.update(), None)
    assert len(kernel.sent) == 1


def test_a_comm_may_be_opened_again(opened, engine, task, kernel):
    first = kernel.comm_manager.comms["a"]
    opened.from_engine(engine.open(), task)
    assert kernel.comm_manager.comms["a"] is not first
    assert [msg_type for msg_type, *_ in kernel.sent] == ["comm_open"]


def test_comms_of_others_are_not_replaced(relay, engine, task, kernel, caplog):
    own = object()
    kernel.comm_manager.comms["a"] = own
    relay.from_engine(engine.open(), task)
    assert kernel.comm_manager.comms == {"a": own}
    assert not kernel.sent
    assert "a is a comm of another kernel" in lines(caplog)[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "object"),
        ({}, "comm_id"),
        ({"comm_id": 1, "target_name": "t"}, "comm_id"),
        ({"comm_id": "", "target_name": "t"}, "comm_id"),
        ({"comm_id": "a"}, "target_name"),
        ({"comm_id": "a", "target_name": "t", "data": []}, "data"),
    ],
)
def test_malformed_content_is_dropped_with_one_line(
    relay, engine, task, kernel, caplog, content, said
):
    relay.from_engine(engine.message("comm_open", content), task)
    (line,) = lines(caplog)
    assert line.startswith("Dropped a comm_open message: ")
    assert said in line
    assert not kernel.sent
    assert not kernel.comm_manager.comms


@pytest.mark.parametrize("metadata", [b"[1]", b"not JSON"])
def test_malformed_metadata_is_dropped_with_one_line(opened, engine, kernel, caplog, metadata):
    opened.from_engine(engine.update(metadata=metadata), None)
    (line,) = lines(caplog)
    assert line.startswith("Dropped a comm_msg message: ")
    assert not kernel.sent


def test_a_kernel_that_fails_does_no_harm(opened, engine, kernel, caplog, teller):
    kernel.failure = RuntimeError("no iopub")
    opened.from_engine(engine.update(), None)
    teller.engines.remove(0, "u0")
    assert [record.exc_info[1] for record in caplog.records] == [kernel.failure] * 2
    assert not kernel.comm_manager.comms


# ---- from the front end


def test_what_the_front_end_sends_goes_to_the_engine(opened, kernel, teller):
    content = {"comm_id": "a", "data": {"method": "update"}}
    kernel.front_end_sends("comm_msg", content, buffers=[b"pixels"])
    ((uuid, header, sent, metadata, buffers),) = teller.told
    assert (uuid, sent, buffers) == ("u0", content, [b"pixels"])
    assert (header.msg_id, header.msg_type, header.session) == ("front", "comm_msg", "client")
    assert metadata == {"some": "metadata", "count_output": True}


def test_what_the_engine_sends_in_answer_names_it(opened, engine, kernel):
    kernel.front_end_sends("comm_msg", {"comm_id": "a", "data": {}})
    opened.from_engine(engine.update(parent_id="front"), None)
    opened.from_engine(engine.open("b", parent_id="front"), None)
    printed = {"name": "stdout", "text": "clicked"}
    opened.from_engine(engine.message("stream", printed, parent_id="front"), None)
    assert [parent for _, _, parent in kernel.sent] == ["front"] * 3
    assert kernel.sent[-1] == ("stream", printed, "front")
    assert kernel.last["ident"] == b"kernel.kernel.stream"


def test_output_of_anything_else_is_not_the_relays(opened, engine, kernel, task):
    stream = {"name": "stdout", "text": "text"}
    kernel.front_end_sends("comm_msg", {"comm_id": "a", "data": {}})
    opened.from_engine(engine.message("stream", stream), None)  # of a task that is forgotten
    opened.from_engine(engine.message("stream", stream, parent_id="front", client="b"), None)
    opened.from_engine(engine.message("status", {}, parent_id="front"), None)
    assert not kernel.sent


def test_only_so_many_messages_are_remembered(opened, engine, kernel, monkeypatch):
    monkeypatch.setattr(comms, "_MAX_CAUSES", 3)
    for number in range(5):
        kernel.front_end_sends("comm_msg", {"comm_id": "a", "data": {}}, f"front {number}")
    for number in range(5):
        opened.from_engine(engine.update(parent_id=f"front {number}"), None)
    assert [parent for _, _, parent in kernel.sent] == [
        *["cell"] * 2,
        *[f"front {number}" for number in range(2, 5)],
    ]


def test_the_front_end_closes_a_comm(opened, engine, kernel, teller):
    content = {"comm_id": "a", "data": {}}
    kernel.front_end_sends("comm_close", content)
    assert [(uuid, header.msg_type) for uuid, header, *_ in teller.told] == [("u0", "comm_close")]
    opened.from_engine(engine.update(), None)
    opened.from_engine(engine.close(), None)
    gc.collect()
    assert not kernel.sent


def test_a_connection_that_is_closed_is_the_kernels_to_log(opened, kernel, teller, caplog):
    teller.failure = OSError("Connections have been closed.")
    with caplog.at_level(logging.ERROR):
        kernel.front_end_sends("comm_msg", {"comm_id": "a", "data": {}})
    (record,) = caplog.records
    assert record.exc_info[1] is teller.failure


# ---- the end


def test_when_an_engine_goes_its_comms_are_closed(opened, teller, kernel, task):
    other = Engine(teller, "u1")
    opened.from_engine(other.open("b"), task)
    kernel.sent.clear()
    teller.engines.remove(0, "u0", "killed")
    assert kernel.sent == [("comm_close", {"comm_id": "a", "data": {}}, "cell")]
    assert list(kernel.comm_manager.comms) == ["b"]


def test_what_an_engine_sent_last_opens_nothing_any_more(relay, engine, teller, kernel, task):
    teller.engines.remove(0, "u0", "killed")
    relay.from_engine(engine.open(), task)
    assert not kernel.sent
    assert not kernel.comm_manager.comms


def test_when_the_client_is_closed_nothing_is_left(opened, engine, kernel, teller, task):
    own = object()
    kernel.comm_manager.comms["own"] = own
    opened.close()
    opened.from_engine(engine.open(), task)
    gc.collect()
    assert not kernel.sent
    assert kernel.comm_manager.comms == {"own": own}
    teller.engines.remove(0, "u0")
    assert not kernel.sent
