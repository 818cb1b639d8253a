"""A messenger whose messages go nowhere: what it sends is looked at, and answered, by hand."""

import threading
from types import SimpleNamespace

from ipyparallel.client.messaging import messenger as module
from ipyparallel.client.messaging.history import History
from ipyparallel.error import describe_exception
from ipyparallel.protocol.connection import ClientInfo
from ipyparallel.protocol.session import Session
from ipyparallel.serialize.apply import unpack_call
from ipyparallel.serialize.functions import LoadedFunctions
from ipyparallel.serialize.pickler import serialize


class Wire:
    """In the place of the sockets."""

    def __init__(self, info, interface, inbox, token):
        self._inbox = inbox
        self._session = Session(b"", session_id="peer")
        self.in_io_thread = False
        self.closed = False
        #: What was sent and not taken yet: the channel, the engine's uuid, and the message.
        self.sent = []
        self.has_sent = threading.Event()
        self.opened = threading.Event()
        self.opened.set()
        #: Ids of what is kept back, while the connection is broken.
        self.kept_back = set()
        self.token = token
        self.patience = 0.0
        #: In the place of the hub: called with each query, and answers it.
        self.hub = None

    def send(self, channel, frames, track=False, msg_id=""):
        if self.closed:
            raise OSError("Connections have been closed.")
        message = self._session.parse(frames)
        uuid = message.idents[0].decode() if message.idents else ""
        self.sent.append(SimpleNamespace(channel=channel, uuid=uuid, message=message))
        self.has_sent.set()
        if self.hub is not None and channel == "query":
            self.hub(self.sent.pop())

    def connect(self, identity):
        self.identity = identity

    def wait_longer(self, seconds):
        self.patience = seconds

    def held(self):
        return self.kept_back

    def subscribe_anew(self, token):
        self.token = token

    def reopen(self, again=None):
        self.kept_back = set()
        for channel, messages in (again or {}).items():
            for msg_id, frames in messages:
                self.send(channel, frames, msg_id=msg_id)

    def take(self):
        """What was sent since the last time."""
        self.has_sent.clear()
        sent, self.sent = self.sent, []
        return sent

    def reply(self, sent, content=None, *, buffers=(), **metadata):
        """Answer a message."""
        request = sent.message
        frames = self._session.message(
            request.header.msg_type.replace("_request", "_reply"),
            content or {"status": "ok"},
            parent=request.header_frame,
            metadata={"status": "ok", "output_count": 0, **metadata},
            buffers=buffers,
        )
        self._inbox.on_reply(sent.channel, frames)

    def succeed(self, sent, result):
        self.reply(sent, buffers=serialize(result), engine="u0")

    def fail(self, sent, error, **content):
        content = {**describe_exception(error), **content}
        self.reply(sent, content, status="error", engine="u0")

    def abort(self, sent):
        self.reply(sent, {"status": "aborted"}, status="aborted")

    def run(self, sent):
        """Do what an engine does with a call."""
        message = sent.message
        func, args, kwargs, _ = unpack_call(
            message.content_frame, message.buffers, LoadedFunctions()
        )
        self.succeed(sent, func(*args, **kwargs))

    def close(self):
        self.closed = True


class Bench:
    """A messenger with two engines, `u0` and `u1`, and a view."""

    def __init__(self):
        info = ClientInfo(
            interface="tcp://127.0.0.1",
            registration=1,
            control=2,
            mux=3,
            task=4,
            iopub=5,
            notification=6,
            key="",
        )
        self.messenger = module.Messenger(info, lambda reason: None)
        self.messenger._compact = True
        for engine_id in range(2):
            self.messenger.engines.add(engine_id, f"u{engine_id}", True)
        history = History(self.messenger.session.id_prefix)
        self.view = SimpleNamespace(label=None, track=False, history=history)

    @property
    def wire(self):
        return self.messenger.connection

    def balanced(self, func=abs, *args, metadata=b"{}"):
        """The task of a balanced call."""
        return self.messenger.submit_call(func, args, {}, metadata, self.view)

    def direct(self, engine_id=0):
        """The task of a direct call."""
        content, buffers = self.messenger.pack(abs, (1,), {})
        (task,) = self.messenger.submit_direct(
            "apply_request", content, buffers, [engine_id], self.view
        )
        return task

    def with_scheme(self, scheme):
        self.messenger._info.task_scheme = scheme
