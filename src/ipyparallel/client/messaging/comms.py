"""Widgets made on engines, at work in the notebook of the client.

A widget is an object in a kernel, views of it in the front end, and between them a *comm*: an id
under which each side sends to the other. The front end of the client's kernel knows nothing of
engines. So for every comm that an engine opens, a stand-in of the same id is put into the client's
kernel: what the engine sends is sent again from there, and what the front end sends to it is
passed on to the engine::

    front end  <-- iopub --  client's kernel  <-- iopub --  engine
               -- shell -->    (stand-in)     --- mux -->

Messages to the front end name as their cause, in their parent header, what the front end knows:
the cell that the task was submitted in, or the message of the front end that the engine handles.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import msgspec

from ...protocol.messages import COMM_MESSAGES, UNREADABLE, Header
from ...protocol.session import Message, Session
from ..ipython import get_kernel
from .engines import EngineEvent, EngineTable
from .tasks import MessageFuture

_log = logging.getLogger("ipyparallel.client")

#: How many messages of the front end are remembered, whose effects may still arrive.
_MAX_CAUSES = 1000

#: How many engines that have gone are remembered, to not take up what they sent last.
_MAX_GONE = 1000

#: What else than comm messages is shown that an engine sends while it handles one: what a
#: callback prints, or the error in it.
_EFFECTS = frozenset({"stream", "error", "display_data", "update_display_data", "clear_output"})

#: A header as Jupyter's machinery has it.
_JupyterHeader = dict[str, Any]


class _Content(msgspec.Struct, kw_only=True):
    comm_id: Annotated[str, msgspec.Meta(min_length=1)]
    data: dict[str, Any] = {}


class _OpenContent(_Content, kw_only=True):
    target_name: str


class Teller(Protocol):
    """Who sends messages to engines: the client's `Messenger`."""

    session: Session
    engines: EngineTable

    def tell(
        self,
        uuid: str,
        header: Header,
        content: Any,
        *,
        metadata: Any = None,
        buffers: Sequence[Any] = (),
    ) -> None:
        """Send an engine a message that has no reply."""


@dataclass(slots=True)
class _Comm:
    """A comm that an engine has opened."""

    #: The engine.
    uuid: str
    #: Header of what opened it, which the front end knows.
    cell: _JupyterHeader
    #: What stands for it in the client's kernel.
    proxy: Any


def kernel_here() -> Any:
    """The kernel this code runs in, if it has comms; else None."""
    kernel = get_kernel()
    return kernel if hasattr(kernel, "comm_manager") else None


class CommRelay:
    """Passes comm messages on between engines and the front end of a kernel.

    Parameters
    ----------
    kernel : ipykernel.ipkernel.IPythonKernel
        Where the client lives.
    teller : Teller
        Sends to engines. It is told nothing else.

    Messages of engines are handled in the client's I/O thread, those of the front end in threads
    of the kernel. No lock is held: each step on the tables is one that Python does at once.
    """

    def __init__(self, kernel: Any, teller: Teller) -> None:
        self._kernel = kernel
        self._teller = teller
        self._session = teller.session
        self._comms: dict[str, _Comm] = {}
        #: Headers of the front end's messages that engines were told, by their ids.
        self._causes: OrderedDict[str, _JupyterHeader] = OrderedDict()
        self._gone: deque[str] = deque(maxlen=_MAX_GONE)
        self._closed = False
        teller.engines.callbacks.append(self._on_engine)

    def submitted(self, tasks: Sequence[MessageFuture]) -> None:
        """Note which cell submits these tasks: the one that this thread runs."""
        cell = self._current()
        for task in tasks:
            task.cell = cell

    def close(self) -> None:
        """The client is closed: forget all comms.

        What the front end shows is left as it is: the last state of a progress bar, say. For
        finalizers, too: this takes no lock, waits for nothing and sends nothing.
        """
        self._closed = True
        for comm_id in list(self._comms):
            self._forget(comm_id)
        self._causes.clear()

    # ---- from engines, in the I/O thread

    def from_engine(self, message: Message, task: MessageFuture | None) -> None:
        """Pass on what an engine has published, if it belongs to a widget.

        Parameters
        ----------
        message : Message
            Its parent header must be readable.
        task : MessageFuture or None
            What caused it, if that is a task of this client which has not been forgotten.
        """
        msg_type = message.header.msg_type
        try:
            if msg_type in COMM_MESSAGES:
                self._comm_message(msg_type, message, task)
            elif task is None and msg_type in _EFFECTS:
                self._effect(msg_type, message)
        except UNREADABLE as e:
            _log.warning("Dropped a %s message: %s", msg_type, e)
        except Exception:  # noqa: BLE001  (raised by the kernel; this thread must go on)
            _log.exception("Could not pass a %s message on to the front end", msg_type)

    def _comm_message(self, msg_type: str, message: Message, task: MessageFuture | None) -> None:
        content = message.read_content(_OpenContent if msg_type == "comm_open" else _Content)
        if msg_type == "comm_open":
            self._open(content, message, task)
            return
        comm = self._comms.get(content.comm_id)
        # whoever caused it: the comm may outlive its task, or another client may change the widget
        if comm is None or comm.uuid != message.header.session:
            return
        parent = self._cause(message, task) or comm.cell
        if msg_type == "comm_close":
            self._forget(content.comm_id)
        self._send(msg_type, message, parent, content.comm_id)

    def _open(self, content: _OpenContent, message: Message, task: MessageFuture | None) -> None:
        uuid = message.header.session
        if message.parent.session != self._session.session_id or uuid in self._gone:
            return  # caused by another client, in whose notebook it is; or nobody is there any more
        comm_id = content.comm_id
        known = self._comms.get(comm_id)
        if known is not None and known.uuid == uuid:
            self._forget(comm_id)
        elif comm_id in self._kernel.comm_manager.comms:
            _log.warning("Dropped a comm_open message: %s is a comm of another kernel", comm_id)
            return
        cell = self._cause(message, task) or self._current()
        proxy = self._stand_in(comm_id, content.target_name)
        self._comms[comm_id] = _Comm(uuid, cell, proxy)
        self._kernel.comm_manager.register_comm(proxy)
        if self._closed:  # meanwhile, by another thread
            self._forget(comm_id)
            return
        self._send("comm_open", message, cell, comm_id)

    def _stand_in(self, comm_id: str, target_name: str) -> Any:
        from comm import create_comm

        # not primary: it does not open anything itself
        proxy = create_comm(comm_id=comm_id, target_name=target_name, primary=False)
        proxy.on_msg(self._to_engine)
        proxy.on_close(self._to_engine)
        return proxy

    def _effect(self, msg_type: str, message: Message) -> None:
        cause = self._cause(message, None)
        if cause:
            self._send(msg_type, message, cause)

    def _cause(self, message: Message, task: MessageFuture | None) -> _JupyterHeader | None:
        """What caused it, of the things that the front end knows."""
        if task is not None:
            return task.cell
        parent = message.parent
        if parent.session != self._session.session_id:
            return None
        return self._causes.get(parent.msg_id)

    def _current(self) -> _JupyterHeader:
        header: _JupyterHeader = self._kernel.get_parent("shell").get("header", {})
        return header

    def _send(
        self, msg_type: str, message: Message, parent: _JupyterHeader, comm_id: str = ""
    ) -> None:
        """Send it again, to the front end."""
        content, metadata = message.content(), message.metadata()
        if not isinstance(content, dict) or not isinstance(metadata, dict):
            raise ValueError("its content or its metadata is not an object")
        buffers = [memoryview(buffer) for buffer in message.buffers]
        self._publish(msg_type, content, parent, comm_id, metadata, buffers)

    def _publish(
        self,
        msg_type: str,
        content: dict[str, Any],
        parent: _JupyterHeader,
        comm_id: str = "",
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] = (),
    ) -> None:
        """Send the front end a message of the kernel, which lets any thread do so."""
        topic = f"comm-{comm_id}" if comm_id else f"kernel.{self._kernel.ident}.{msg_type}"
        self._kernel.session.send(
            self._kernel.iopub_socket,
            msg_type,
            content,
            metadata=metadata,
            parent=parent,
            ident=topic.encode(),
            buffers=list(buffers),
        )

    # ---- from the front end, in a thread of the kernel

    def _to_engine(self, message: dict[str, Any]) -> None:
        """Pass a message to a stand-in on; the kernel logs what is raised."""
        front = message["header"]
        comm_id = message["content"]["comm_id"]
        comm = self._comms.get(comm_id)
        if comm is None:
            return
        if front["msg_type"] == "comm_close":
            self._comms.pop(comm_id, None)  # the kernel has removed the stand-in itself
        header = self._session.header(front["msg_type"])
        # The front end's own id: it knows what the engine sends back by it, and so do output
        # widgets, which take up all output with the id that they find.
        header.msg_id = front["msg_id"]
        self._causes[header.msg_id] = front
        if len(self._causes) > _MAX_CAUSES:
            self._causes.popitem(last=False)
        self._teller.tell(
            comm.uuid,
            header,
            message["content"],
            # the front end hears from this kernel whether it is busy, and not from engines
            metadata={**message["metadata"], "count_output": True},
            buffers=message["buffers"],
        )

    # ---- the end of comms

    def _on_engine(self, event: EngineEvent) -> None:
        """An engine came or went."""
        if event.event != "unregister":
            return
        self._gone.append(event.uuid)
        for comm_id, comm in list(self._comms.items()):
            if comm.uuid == event.uuid:
                self._forget(comm_id)
                try:
                    content = {"comm_id": comm_id, "data": {}}
                    self._publish("comm_close", content, comm.cell, comm_id)
                except Exception:  # noqa: BLE001  (as above)
                    _log.exception("Could not tell the front end that a comm is closed")

    def _forget(self, comm_id: str) -> None:
        comm = self._comms.pop(comm_id, None)
        if comm is None:
            return
        comm.proxy._closed = True  # else it would say so itself, as of another cell
        comms = self._kernel.comm_manager.comms
        if comms.get(comm_id) is comm.proxy:
            comms.pop(comm_id, None)
