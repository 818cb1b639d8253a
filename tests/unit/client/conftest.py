"""Tasks without a cluster: made, or sent, and answered, by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from ipyparallel.client.messaging import messenger
from ipyparallel.client.messaging.tasks import MessageFuture
from ipyparallel.protocol.messages import Header, ReplyMetadata
from ipyparallel.protocol.session import Session, parse_date
from tests.support.messenger import Bench, Wire

#: When all tasks here are submitted.
SUBMITTED = "2026-01-01T00:00:00.000000Z"


def later(seconds):
    """A date so many seconds after the submission."""
    return (parse_date(SUBMITTED) + timedelta(seconds=seconds)).isoformat()


class Tasks:
    """Makes tasks and answers them."""

    def __init__(self):
        self._session = Session(b"", session_id="client")

    def make(self, submitted=SUBMITTED, **options):
        """A task that was submitted, and has no reply yet."""
        header = self._session.header("apply_request")
        header.date = submitted
        return MessageFuture(header, **options)

    def many(self, number):
        return [self.make() for _ in range(number)]

    def reply(self, task, engine_id=0, began=0.0, ended=0.0, received=0.0, **metadata):
        """The reply comes; the result is set next."""
        header = Header("reply", "apply_reply", date=later(ended))
        reply = ReplyMetadata(
            **{"started": later(began), "engine": f"u{engine_id}", "status": "ok", **metadata}
        )
        now = datetime.fromisoformat(later(received)).astimezone(UTC).timestamp()
        task.replied(header, reply, engine_id, now)

    def finish(self, task, result=None, **options):
        """The task succeeds."""
        self.reply(task, **options)
        task.set_result(result)

    def fail(self, task, error, **options):
        """The task fails."""
        self.reply(task, status="error", **options)
        task.set_exception(error)


@pytest.fixture
def tasks():
    return Tasks()


@pytest.fixture
def bench(monkeypatch):
    """See `Bench`."""
    monkeypatch.setattr(messenger, "Connection", Wire)
    bench = Bench()
    yield bench
    bench.messenger.close()
