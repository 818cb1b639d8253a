"""What a client does when it is connected again: what it asks, sends again, and gives up."""

import pytest

from ipyparallel.client.messaging import tasks as tasks_module
from ipyparallel.client.messaging.recovery import sign_again
from ipyparallel.client.messaging.tasks import copies
from ipyparallel.error import ControllerLost, EngineError
from ipyparallel.protocol.session import InvalidMessage, Session
from ipyparallel.serialize.pickler import serialize


@pytest.fixture
def patient(bench):
    bench.messenger.patience = 60.0
    return bench


def come_back(bench):
    """The connection is there again; what the client asks then."""
    bench.wire.take()
    bench.messenger._dispatcher.on_back()
    return [(sent.channel, sent.message.header.msg_type) for sent in bench.wire.sent]


def answer(bench, msg_type, content, **options):
    """Answer the requests of this type; their contents."""
    asked = [sent for sent in bench.wire.sent if sent.message.header.msg_type == msg_type]
    bench.wire.sent = [sent for sent in bench.wire.sent if sent not in asked]
    for sent in asked:
        bench.wire.reply(sent, {"status": "ok", **content}, **options)
    return [sent.message.content() for sent in asked]


def connected(bench, engines=(0, 1), **more):
    uuids = [f"u{n}" for n in engines]
    content = {"engines": {str(n): f"u{n}" for n in engines}, "native": uuids, **more}
    return answer(bench, "connection_request", content)


def unknown(bench, *tasks):
    content = {"unknown": {task.msg_id: "No such message" for task in tasks}}
    return answer(bench, "result_request", content)


def again(bench):
    return [(sent.channel, sent.uuid, sent.message.header.msg_id) for sent in bench.wire.take()]


def test_the_hub_is_asked_for_all_that_was_sent_then_for_the_engines(bench):
    direct, balanced = bench.direct(), bench.balanced()
    held = bench.balanced()
    bench.wire.kept_back = {held.msg_id}
    assert come_back(bench) == [("query", "result_request"), ("query", "connection_request")]
    (asked,) = answer(bench, "result_request", {"pending": [direct.msg_id, balanced.msg_id]})
    assert asked["msg_ids"] == [direct.msg_id, balanced.msg_id]
    assert asked["wait"]
    (request,) = connected(bench)
    assert bench.wire.token == b"token:" + request["token"].encode()
    assert bench.wire.take() == []
    assert not direct.done()
    assert not balanced.done()


def test_what_the_hub_tells_ends_tasks(bench):
    task = bench.balanced()
    come_back(bench)
    outcome = {
        "header": {},
        "metadata": {},
        "result_header": {},
        "result_metadata": {"status": "ok", "engine": "u0"},
        "result_content": {"status": "ok"},
        "received": None,
        "io": {},
        "result_buffers": 1,
    }
    # as an apply_reply, whatever the hub says of it
    outcome["result_header"] = {"msg_type": "apply_reply", "msg_id": "r"}
    content = {"completed": [task.msg_id], task.msg_id: outcome}
    answer(bench, "result_request", content, buffers=serialize(7))
    assert task.result(0) == 7


def test_what_nobody_knows_is_sent_again_in_its_order(patient):
    tasks = [patient.direct(), patient.balanced(), patient.direct(1), patient.balanced()]
    come_back(patient)
    unknown(patient, *tasks)
    connected(patient, patience=60.0)
    # that one has just arrived
    (asked,) = answer(patient, "queue_request", {"0": {"queue": [], "tasks": [tasks[3].msg_id]}})
    assert asked["verbose"]
    assert again(patient) == [
        ("mux", "u0", tasks[0].msg_id),
        ("mux", "u1", tasks[2].msg_id),
        ("task", "", tasks[1].msg_id),
    ]
    assert not any(task.done() for task in tasks)


@pytest.mark.parametrize("where", ["queue", "tasks", "unassigned"])
def test_what_is_in_a_queue_is_not_sent_again(patient, where):
    task = patient.balanced()
    come_back(patient)
    unknown(patient, task)
    connected(patient, patience=60.0)
    engine = {"queue": [], "tasks": [], "completed": 0}
    queues = {"0": engine, "unassigned": []}
    if where == "unassigned":
        queues["unassigned"] = [task.msg_id]
    else:
        engine[where] = [task.msg_id]
    answer(patient, "queue_request", queues)
    assert again(patient) == []
    assert not task.done()


def test_what_was_not_kept_fails(bench):
    task = bench.balanced()
    come_back(bench)
    unknown(bench, task)
    connected(bench)
    answer(bench, "queue_request", {})
    with pytest.raises(ControllerLost, match="broke, and No such message"):
        task.result(0)


def test_what_is_kept_is_bounded_and_let_go(patient, monkeypatch):
    monkeypatch.setattr(tasks_module, "KEPT_LIMIT", 3000)
    tasks = [patient.balanced(len, bytes(1000)) for _ in range(4)]
    kept = patient.messenger.tasks.kept
    assert 1000 < kept <= 3000
    assert tasks[0].frames is not None
    assert tasks[3].frames is None
    patient.wire.succeed(patient.wire.take()[0], 1)
    assert tasks[0].frames is None
    assert patient.messenger.tasks.kept < kept
    come_back(patient)
    unknown(patient, tasks[3])
    connected(patient, patience=60.0)
    answer(patient, "queue_request", {})
    with pytest.raises(ControllerLost, match="no more is kept"):
        tasks[3].result(0)
    patient.messenger._dispatcher.on_lost("it is gone")
    assert patient.messenger.tasks.kept == 0


def test_nothing_is_kept_for_a_controller_that_does_not_come_back(bench):
    task = bench.balanced()
    assert task.frames is None
    assert bench.messenger.tasks.kept == 0


def test_engines_that_left_meanwhile_are_gone_and_new_ones_there(bench):
    task = bench.direct(0)
    come_back(bench)
    answer(bench, "result_request", {"pending": [task.msg_id]})
    connected(bench, engines=(1, 2))
    assert bench.messenger.engines.ids == [1, 2]
    with pytest.raises(EngineError, match=r"Engine 0 .*left while the connection"):
        task.result(0)


@pytest.mark.parametrize(
    ("channel", "msg_type", "is_repeated"),
    [
        ("query", "queue_request", True),
        ("query", "db_request", True),
        ("query", "resubmit_request", False),
        ("control", "clear_request", True),
        ("control", "signal_request", False),
    ],
)
def test_requests_without_an_answer_are_repeated_if_that_does_no_harm(
    bench, channel, msg_type, is_repeated
):
    uuid = "u0" if channel == "control" else ""
    request = bench.messenger.request(channel, msg_type, {}, uuid)
    come_back(bench)
    connected(bench)
    assert (request.msg_id in [msg_id for _, _, msg_id in again(bench)]) is is_repeated
    if is_repeated:
        assert not request.done()
    else:
        with pytest.raises(ControllerLost, match=f"{msg_type} .*is not known"):
            request.result(0)


def test_if_the_connection_breaks_again_all_begins_anew(patient):
    task = patient.balanced()
    come_back(patient)
    unknown(patient, task)
    (old,) = [s for s in patient.wire.take() if s.message.header.msg_type == "connection_request"]
    assert [kind for _, kind in come_back(patient)] == ["result_request", "connection_request"]
    patient.wire.reply(old, {"engines": {}, "native": []})
    assert patient.messenger.engines.ids == [0, 1]
    unknown(patient)
    answer(patient, "connection_request", {"engines": {"0": "u0"}, "native": ["u0"]})
    assert patient.messenger.engines.ids == [0]


def test_a_published_controller_is_asked_nothing(bench):
    bench.messenger._compact = False
    task = bench.balanced()
    query = bench.messenger.request("query", "queue_request", {})
    come_back(bench)
    assert again(bench) == [("query", "", query.msg_id)]
    assert not task.done()


def test_that_a_controller_is_away_and_back_is_told_once(patient, caplog):
    patient.messenger._dispatcher.on_away(60.0)
    come_back(patient)
    connected(patient, patience=60.0)
    come_back(patient)
    connected(patient, patience=60.0)
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "The controller is gone",
        "The controller is back.",
    ]


@pytest.mark.parametrize("compact", [True, False])
def test_what_is_signed_again_is_the_same_message(compact):
    session, reader = Session(b"key"), Session(b"key")
    header = session.header("apply_request")
    frames = session.frame(
        header, b'{"a":1}', metadata={"b": 2}, buffers=[b"x", bytes(100_000)], compact=compact
    )
    first = reader.parse([b"uuid", *frames])
    with pytest.raises(InvalidMessage):
        reader.parse([b"uuid", *frames])
    for number in (1, 2):
        again = reader.parse(sign_again(session, [b"uuid", *frames], number))
        assert again.idents == [b"uuid"]
        assert again.header_frame == first.header_frame
        assert again.content() == {"a": 1}
        assert again.metadata() == {"b": 2, "again": number}
        assert again.buffers == first.buffers
        assert again.compact is compact


def test_copies_share_what_the_messages_share():
    data = bytearray(b"data")
    view = memoryview(data)
    one, other = copies([[b"1", view], [b"2", view]])
    data[:] = b"else"
    assert (one, other) == ([b"1", b"data"], [b"2", b"data"])
    assert one[1] is other[1]


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_raised_as_an_error_does_not_keep_all_back(patient, caplog):
    task = patient.balanced()
    come_back(patient)
    unknown(patient, task)
    versions = {"u0": {"python": "2.7.18"}}
    connected(patient, patience=60.0, versions=versions)
    assert "Python 2.7.18" in caplog.text
    answer(patient, "queue_request", {})
    assert again(patient) == [("task", "", task.msg_id)]


def test_an_answer_of_no_use_is_told_to_who_waits(patient):
    task = patient.balanced()
    come_back(patient)
    unknown(patient, task)
    connected(patient, patience=60.0)
    answer(patient, "queue_request", {"0": {}})
    with pytest.raises(ControllerLost, match="came back, and failed"):
        task.result(0)


def test_a_client_that_is_closed_asks_nothing_more(patient):
    task = patient.balanced()
    patient.wire.take()
    patient.messenger.close()
    patient.messenger._dispatcher.on_back()
    assert patient.wire.take() == []
    assert task.done()
