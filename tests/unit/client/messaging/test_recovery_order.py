"""After the connection to the controller broke and came back: what is asked, and sent again."""

import pytest


@pytest.fixture
def wire(bench):
    """The sockets of a client whose controller is waited for; `reopened` with what."""
    wire = bench.wire
    bench.messenger.patience = 60.0
    wire.held = set
    wire.subscribe_anew = lambda token: None
    wire.wait_longer = lambda seconds: None
    wire.reopened = []
    wire.reopen = lambda again=None: wire.reopened.append(again)
    return wire


def answers(wire, task, unknown=True):
    """What the hub answers to a client that has come back: as to the task, and as to itself."""
    sent = {s.message.header.msg_type: s for s in wire.take()}
    assert set(sent) == {"result_request", "connection_request"}
    assert sent["result_request"].message.content()["msg_ids"] == [task.msg_id]
    result = {
        "status": "ok",
        "pending": [] if unknown else [task.msg_id],
        "completed": [],
        "unknown": {task.msg_id: "it was lost"} if unknown else {},
    }
    connection = {"status": "ok", "engines": {"0": "u0", "1": "u1"}, "native": ["u0", "u1"]}
    return {
        "task": lambda: wire.reply(sent["result_request"], result),
        "client": lambda: wire.reply(sent["connection_request"], connection),
    }


@pytest.mark.parametrize("order", [("task", "client"), ("client", "task")])
def test_what_the_hub_does_not_know_is_sent_again_in_whichever_order_it_answers(bench, wire, order):
    task = bench.balanced()
    wire.take()
    bench.messenger._dispatcher.on_back()
    answer = answers(wire, task)
    for name in order:
        assert wire.reopened == []
        answer[name]()
    (queues,) = wire.take()
    wire.reply(queues, {"status": "ok", "unassigned": []})
    ((channel, again),) = wire.reopened[0].items()
    assert channel == "task"
    assert [msg_id for msg_id, _ in again] == [task.msg_id]
    assert not task.done()


@pytest.mark.parametrize("order", [("task", "client"), ("client", "task")])
def test_what_it_knows_is_not_sent_again(bench, wire, order):
    task = bench.balanced()
    wire.take()
    bench.messenger._dispatcher.on_back()
    answer = answers(wire, task, unknown=False)
    for name in order:
        answer[name]()
    assert wire.reopened == [{}]
    assert not task.done()


def test_without_tasks_only_the_connection_is_waited_for(bench, wire):
    bench.messenger._dispatcher.on_back()
    (sent,) = wire.take()
    wire.reply(sent, {"status": "ok", "engines": {}, "native": []})
    assert wire.reopened == [{}]
