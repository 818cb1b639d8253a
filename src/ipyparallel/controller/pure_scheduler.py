"""The pure scheme: tasks pass to engines in C code, to one engine after the other.

Nothing reads them on the way, so nothing is known of them either: an engine gets its turn whatever
it has to do, restrictions and dependencies have no effect, and when an engine dies, nobody can tell
which tasks it had. Clients know that, by the scheme in their connection file: see
`client.messaging.pure`.

Tasks go to engines that are connected, and to no others, so that it does not matter which engines
there are, or in which order they came. Without any, they wait.
"""

from __future__ import annotations

import threading
from typing import Any

import zmq
from zmq.devices import monitored_queue

from ..protocol.messages import UNREADABLE, decode_reply_metadata
from ..transport.sockets import HUB, new_socket
from . import link
from .channel_server import ChannelServer, Means
from .journal import NoJournal

#: Where the scheduler itself is a client, so that engines can report to it.
_REPORTS = "inproc://task-reports"

#: Where copies of tasks and of their results are published, and what stands before them.
_COPIES = "inproc://task-copies"
_IN, _OUT = b"in", b"out"


class PureScheduler(ChannelServer):
    """Passes tasks to engines in turn, and replies back; speaks to the hub for who does that."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        clients = self._clients
        # gets copies of all that passes
        self._copies = new_socket(clients.context, zmq.PUB)
        self._copies.bind(_COPIES)
        copies = new_socket(clients.context, zmq.SUB)
        copies.connect(_COPIES)
        if not isinstance(self._journal, NoJournal):
            copies.subscribe(b"")
        # here, and not in the thread: the socket is its from when that starts
        clients.bind(_REPORTS)
        reports = new_socket(clients.context, zmq.DEALER, identity=HUB)
        reports.connect(_REPORTS)
        self._queue_thread = threading.Thread(target=self._run, name="task queue", daemon=True)
        self._serve(
            "pure scheduler",
            ((copies, self._on_copy), (self._hub, self._on_hub), (reports, self._on_report)),
        )

    def start(self) -> None:
        """Answer the hub until it says Stop, and pass tasks until the context is terminated."""
        self._queue_thread.start()
        super().start()

    def _run(self) -> None:
        try:
            # Not zmq.proxy, which turns in circles, at the cost of a whole processor, as long as a
            # task waits and no engine is there.
            monitored_queue(self._clients, self._engines, self._copies, _IN, _OUT)
        except zmq.ContextTerminated:
            pass
        except BaseException:
            self._log.exception("The task queue failed")
            self._on_failure()
            raise
        finally:
            for socket in (self._clients, self._engines, self._copies):
                socket.close()

    def _on_hub(self, frames: list[Any]) -> None:
        match link.decode_for_scheduler(frames[0]):
            case link.LoadRequest(number):
                self._tell(link.Load(number, {}))  # nobody counts
            case link.EngineLeft(_, reason, engine_id):
                self._journal.maybe_died(engine_id, reason)
            case link.Greet(uuid):
                # nobody can be singled out; whoever is connected gets tasks
                self._tell(link.EngineReached(uuid))
            case link.Stop():
                self._thread.stop()

    def _on_copy(self, frames: list[Any]) -> None:
        """A request or a reply has passed; nobody knows whether a client was there to take it."""
        direction, *frames = frames
        try:
            # what engines report comes once more, to be heeded
            message = self._session.parse(frames, fresh=False)
            if direction == _IN and message.header.msg_type == "apply_request":
                self._journal.submitted("task", message, frames)
            elif direction == _OUT and message.header.msg_type == "apply_reply":
                engine = decode_reply_metadata(message.metadata_frame).engine
                self._journal.ended(message.parent.msg_id, engine, frames, delivered=True)
        except UNREADABLE:
            pass  # whoever gets it says so

    def _on_report(self, frames: list[Any]) -> None:
        try:
            message = self._session.parse(frames)
        except UNREADABLE as e:
            self._log.warning("Dropped a message of an engine on the task channel: %s", e)
            return
        if message.header.msg_type == "engine_ready" and message.idents:
            self._tell(link.EngineReached(message.idents[0].decode(errors="replace")))
