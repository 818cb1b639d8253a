"""Signals that an agent was handed, and did not answer for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

import ipyparallel as ipp
from ipyparallel.client.asyncresult import AsyncResult
from ipyparallel.protocol.session import Message, new_id
from ipyparallel.transport.sockets import HUB
from tests.support.processes import wait_until
from tests.support.raw import FakeEngine


class FakeAgent:
    """Stands for a fake engine, and takes what is meant for its agent."""

    def __init__(self, fake: FakeEngine) -> None:
        self._raw = fake.raw
        self._socket = fake.raw.connect(fake.raw.engine.control, f"agent-{new_id()}".encode())
        self._socket.send_multipart(
            [HUB, *fake.raw.session.message("agent_ready", {"engines": [fake.uuid]})]
        )

    def take(self) -> Message:
        """The next request."""
        return self._raw.read(self._socket)

    def answer(self, request: Message) -> None:
        uuid = request.idents[1].decode()
        reply = self._raw.session.message(
            request.header.msg_type.replace("_request", "_reply"),
            {"status": "ok"},
            parent=request.header_frame,
            metadata={"engine": uuid, "status": "ok"},
        )
        self._socket.send_multipart([*request.idents, *reply])

    def die(self) -> None:
        self._socket.close(linger=0)


@pytest.fixture
def agent(bench, fake: FakeEngine) -> Iterator[FakeAgent]:
    agent = FakeAgent(fake)
    # its announcement has arrived: it gets a signal, and not the engine
    while not agent._socket.poll(50):
        bench.client.send_signal(0, fake.id)
    agent.answer(agent.take())
    while agent._socket.poll(0):
        agent.answer(agent.take())
    yield agent
    agent.die()


def fails(signal: AsyncResult, why: str) -> None:
    with pytest.raises(ipp.RemoteError, match=f"EngineError: .*{why}"):
        signal.get(20)


def test_a_new_agent_tells_that_the_old_one_is_dead(bench, fake: FakeEngine, agent) -> None:
    lost = bench.client.send_signal(0, fake.id)
    agent.take()
    agent.die()
    another = FakeAgent(fake)
    fails(lost, "died before it said whether the signal arrived")
    good = bench.client.send_signal(0, fake.id)
    another.answer(another.take())
    assert good.get(20) == [{"status": "ok"}]
    another.die()


def test_an_agent_that_cannot_be_reached_is_dead(bench, fake: FakeEngine, agent) -> None:
    lost = bench.client.send_signal(0, fake.id)
    agent.take()
    agent.die()

    def ask_again() -> bool:
        bench.client.send_signal(0, fake.id)
        return lost.ready()

    wait_until(ask_again, "the relay to notice")
    fails(lost, "died before it said whether the signal arrived")


def test_what_is_asked_of_an_engine_that_goes_is_answered(bench, fake: FakeEngine, agent) -> None:
    # a client that does not hear who comes and goes
    raw = bench.raw
    with raw.connect(raw.client.control) as socket:
        request = raw.session.message("signal_request", {"sig": 0})
        socket.send_multipart([fake.uuid.encode(), *request])
        agent.take()
        content = {"uuid": fake.uuid, "reason": "it was time"}
        fake.query.send_multipart(raw.session.message("unregistration_request", content))
        reply = raw.read(socket)
    assert reply.content()["ename"] == "EngineError"
    assert reply.content()["evalue"] == f"engine {fake.uuid} is gone: it was time"


def test_what_was_answered_is_not_answered_again(bench, fake: FakeEngine, agent) -> None:
    raw = bench.raw
    with raw.connect(raw.client.control) as socket:
        request = raw.session.message("signal_request", {"sig": 0})
        socket.send_multipart([fake.uuid.encode(), *request])
        agent.answer(agent.take())
        assert raw.read(socket).content() == {"status": "ok"}
        another = FakeAgent(fake)
        # what the relay says about the old one comes before what it has to say to the new one
        while not another._socket.poll(50):
            bench.client.send_signal(0, fake.id)
        assert not socket.poll(0, zmq.POLLIN)
        another.die()
