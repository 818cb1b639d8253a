"""An engine that takes the place of another, as the hub and the control channel see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from ipyparallel.client.messaging.engines import EngineEvent
from tests.support.processes import wait_until
from tests.support.raw import FakeEngine
from tests.wire.conftest import Bench, Watch
from tests.wire.test_agents import FakeAgent, agent

__all__ = ["agent"]  # a fixture


@pytest.fixture
def events(bench: Bench) -> Iterator[list[EngineEvent]]:
    """Who comes and goes, as the client hears it."""
    events: list[EngineEvent] = []
    callbacks = bench.client._messenger.engines.callbacks
    callbacks.append(events.append)
    yield events
    callbacks.remove(events.append)


def check(events: list[EngineEvent], old: FakeEngine, new: FakeEngine, reason: str) -> None:
    """The old one left, for this reason, before the new one came, which has its id."""
    wait_until(lambda: any(event.uuid == new.uuid for event in events), "the new engine")
    came = EngineEvent("register", old.id, old.uuid)  # it may be heard only now
    assert [e for e in events if e.uuid in (old.uuid, new.uuid) and e != came] == [
        EngineEvent("unregister", old.id, old.uuid, reason),
        EngineEvent("register", old.id, new.uuid),
    ]
    assert new.id == old.id


def unregister(fake: FakeEngine, reason: str) -> None:
    content = {"uuid": fake.uuid, "reason": reason}
    fake.query.send_multipart(fake.raw.session.message("unregistration_request", content))


def test_an_engine_that_was_told_to_be_gone_leaves_first(
    bench: Bench, fake: FakeEngine, events: list[EngineEvent]
) -> None:
    unregister(fake, "it was slow")
    new = FakeEngine(bench.raw, id=fake.id, replaces=fake.uuid)
    check(events, fake, new, "it was slow")
    new.close()


def test_an_engine_of_whose_end_nobody_told_leaves_first(
    bench: Bench, fake: FakeEngine, events: list[EngineEvent]
) -> None:
    new = FakeEngine(bench.raw, id=fake.id, replaces=fake.uuid)
    check(events, fake, new, "")
    # told now, it changes nothing
    unregister(fake, "it was slow")
    bench.check_work()
    assert bench.client._messenger.engines.uuid(new.id) == new.uuid
    new.close()


def test_an_engine_that_was_announced_gone_is_replaced_at_once(
    bench: Bench, fake: FakeEngine, events: list[EngineEvent]
) -> None:
    unregister(fake, "it was slow")
    gone = EngineEvent("unregister", fake.id, fake.uuid, "it was slow")
    wait_until(lambda: gone in events, "the client to see it go")
    new = FakeEngine(bench.raw, id=fake.id, replaces=fake.uuid)
    check(events, fake, new, "it was slow")
    new.close()


def test_an_engine_that_never_was_ready_is_replaced(
    bench: Bench, fake: FakeEngine, events: list[EngineEvent]
) -> None:
    raw = bench.raw
    with raw.connect(raw.engine.registration) as query:
        query.send_multipart(raw.session.message("registration_request", {"uuid": "coming"}))
        engine_id = raw.read(query).content()["id"]
    new = FakeEngine(raw, id=engine_id, replaces="coming")
    assert new.id == engine_id
    wait_until(lambda: new.id in bench.client.ids, "the client to see the engine")
    new.close()


def test_resources_that_make_no_sense_are_refused(bench: Bench, watch: Watch) -> None:
    raw = bench.raw
    for resources, said in (({"gpu": -1}, "-1"), ({"gpu": "x"}, "float")):
        with raw.connect(raw.engine.registration) as query:
            content = {"uuid": "new", "reports_ready": True, "resources": resources}
            query.send_multipart(raw.session.message("registration_request", content))
            assert said in raw.read(query).content()["evalue"]


def test_resources_are_in_the_log(bench: Bench) -> None:
    new = FakeEngine(bench.raw, resources={"gpu": 1, "mem": 0.5})
    bench.controller.wait_for(f"Engine {new.id} is ready, with gpu=1 mem=0.5")
    new.close()


# ---- the request


@pytest.fixture
def control(bench: Bench) -> Iterator[zmq.Socket[bytes]]:
    with bench.raw.connect(bench.raw.client.control) as socket:
        yield socket


def ask(bench: Bench, control: zmq.Socket[bytes], fake: FakeEngine) -> None:
    request = bench.raw.session.message("replace_request", {"reason": "it was slow"})
    control.send_multipart([fake.uuid.encode(), *request])


def test_without_an_agent_it_is_refused(
    bench: Bench, fake: FakeEngine, control: zmq.Socket[bytes]
) -> None:
    ask(bench, control, fake)
    reply = bench.raw.read(control)
    assert reply.header.msg_type == "replace_reply"
    assert f"no agent stands for engine {fake.uuid}" in reply.content()["evalue"]
    assert not fake.control.poll(0), "the engine was asked"


def test_an_agent_is_asked_and_not_the_engine(
    bench: Bench, fake: FakeEngine, agent: FakeAgent, control: zmq.Socket[bytes]
) -> None:
    ask(bench, control, fake)
    request = agent.take()
    assert request.header.msg_type == "replace_request"
    assert request.content() == {"reason": "it was slow"}
    agent.answer(request)
    assert bench.raw.read(control).content() == {"status": "ok"}
    assert not fake.control.poll(0), "the engine was asked, too"


def test_an_agent_that_dies_is_told(
    bench: Bench, fake: FakeEngine, agent: FakeAgent, control: zmq.Socket[bytes]
) -> None:
    ask(bench, control, fake)
    agent.take()
    agent.die()
    another = FakeAgent(fake)
    said = bench.raw.read(control).content()["evalue"]
    assert "died before it said whether it had killed it" in said
    another.die()
