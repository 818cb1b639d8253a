"""The engine's IPython kernel."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from types import SimpleNamespace
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Any as AnyTrait
from traitlets import Integer, Type, observe

from ..error import EngineError, describe_exception
from ..protocol.messages import COMM_MESSAGES
from ..serialize.exceptions import attach_exception
from . import origin
from .interrupts import interruptible
from .memory import Compiler, Memory
from .output import DisplayHook, DisplayPublisher, KernelSession, OutputStream
from .stopping import EngineStopping
from .tracebacks import users_part


class EngineShell(ZMQInteractiveShell):  # type: ignore[misc]
    """The shell of an engine: its history is not kept beyond its life."""

    #: What was shown last as an error.
    last_error: BaseException | None = None
    displayhook_class = Type(DisplayHook)
    display_pub_class = Type(DisplayPublisher)

    def init_history(self) -> None:
        """Keep the history in memory: engines come in numbers, and share one profile."""
        self.config.HistoryManager.hist_file = ":memory:"
        super().init_history()

    def init_events(self) -> None:
        """Have what old executions left forgotten after each."""
        super().init_events()
        Memory(self).watch()

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, value, tb = super()._get_exc_info(exc_tuple)
        return kind, value, users_part(tb)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.last_error = evalue
        if self.kernel.is_cancelled():
            self._last_traceback = stb  # nobody wants to see it
            return
        super()._showtraceback(etype, evalue, stb)

    @interruptible
    async def run_cell_async(self, *args: Any, **kwargs: Any) -> Any:
        """See the base class."""
        try:
            return await super().run_cell_async(*args, **kwargs)
        except KeyboardInterrupt as e:
            # not in the user's code, but beside it, where nothing would stop it; it must not go
            # on to the event loop
            if self.kernel.awaited is None:
                raise
            raise asyncio.CancelledError from e

    def ask_exit(self) -> None:
        """End the engine; or just the front end, for who leaves a console does not mean more."""
        if self.kernel.runs_for_front_end():
            self.keepkernel_on_exit = True
        super().ask_exit()

    @observe("exit_now")
    def _update_exit_now(self, change: Any) -> None:
        """``exit()`` was called; the base class would stop the event loop under the engine."""
        if change["new"]:
            self.exit_now = False
            self.kernel.on_exit()


class IPythonParallelKernel(IPythonKernel):  # type: ignore[misc]
    """An IPython kernel whose messages the engine reads and hands over one at a time."""

    engine_id = Integer(-1)
    shell_class = Type(EngineShell)
    compiler_class = Type(Compiler)
    #: Most bytes of a result; see `serialize.limits`.
    max_message_size = Integer(None, allow_none=True)
    #: Called when a failed execution asks that those queued behind it be aborted.
    on_abort = AnyTrait()
    #: Returns whether a Jupyter front end runs code, and not a client.
    runs_for_front_end = AnyTrait()
    #: Called when the user's code asks to end the kernel.
    on_exit = AnyTrait()
    #: Returns whether the request that is running is cancelled.
    is_cancelled = AnyTrait(lambda: False)
    #: What runs a cell that awaits; None if there is none.
    awaited: asyncio.Future[Any] | None = None
    _shell_context: Context

    # a pause after each execution, for clients that cannot tell when they have all output
    _execute_sleep = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # ipykernel asks this object which thread user code runs in
        self.shell_channel_thread = SimpleNamespace(parent_thread=threading.current_thread())
        for msg_type in COMM_MESSAGES:  # they call what the user has attached to widgets
            interruptible(self.shell_handlers[msg_type])
        #: Standard output and error, from when they are redirected.
        self.streams: list[OutputStream] = []

    def set_parent(self, ident: Any, parent: Any, channel: str = "shell") -> None:
        """This request runs from now on."""
        if channel == "shell":
            origin.begin(parent)
        super().set_parent(ident, parent, channel)

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Within this context another request runs; after it, the present one goes on."""
        context = self._shell_context
        header = self.shell.parent_header
        with origin.set_aside():
            try:
                yield
            finally:
                self._shell_context, self.shell.parent_header = context, header

    def get_parent(self, channel: str | None = None) -> Any:
        """The request that the code which asks belongs to."""
        if channel == "control":
            return super().get_parent(channel)
        return origin.current().message

    def flush_output(self) -> None:
        """Send what was written so far, whatever the user has made of ``sys.stdout``."""
        for stream in self.streams:
            stream.flush()
            if not _is_open(getattr(sys, stream.name)):
                setattr(sys, stream.name, stream)

    def pre_handler_hook(self) -> None:
        """Not needed: see `interrupts`."""

    def post_handler_hook(self) -> None:
        """Not needed: see `interrupts`."""

    @interruptible
    async def do_execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run code; see the base class. The reply to code that failed brings the exception."""
        if self.is_cancelled():  # the signal may have come before
            raise KeyboardInterrupt
        content = await super().do_execute(*args, **kwargs)
        error, self.shell.last_error = self.shell.last_error, None
        if content["status"] == "ok":
            return content
        if self.is_cancelled() and not isinstance(error, EngineStopping):
            return {"status": "aborted", "execution_count": content["execution_count"]}
        if error is not None:
            content.update(self.describe(error, content["traceback"], "execute"))
        return content

    @contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """Within this context a cell may await something.

        The base class would exchange the handler of SIGINT, and could interrupt nothing else then.
        """
        self.awaited = future
        try:
            yield
        finally:
            self.awaited = None

    def interrupt_awaited(self) -> bool:
        """End a cell that awaits something; whether there is one. For the handler of SIGINT."""
        future = self.awaited
        if future is None or future.done():
            return False
        future.get_loop().call_soon_threadsafe(future.cancel)
        return True

    def cancel_awaited(self) -> None:
        """End a cell that awaits something if it was cancelled meanwhile."""
        if self.awaited is not None and self.is_cancelled():
            self.interrupt_awaited()

    def describe(self, error: BaseException, lines: list[str], method: str) -> dict[str, Any]:
        """The content of the reply to a request whose code has failed.

        Parameters
        ----------
        lines : list of str
            The traceback.
        method : str
            What was asked for: ``apply`` or ``execute``.
        """
        if isinstance(error, EngineStopping):
            # it was not the code that failed
            return describe_exception(EngineError(f"Engine {self.engine_id} {error}"))
        info = {"engine_uuid": self.ident, "engine_id": self.engine_id, "method": method}
        return attach_exception(describe_exception(error, lines, info), error)

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    def set_engine_id(self, engine_id: int) -> None:
        """Publish under this id from now on."""
        self.engine_id = self.int_id = engine_id
        self.shell.displayhook.topic = self._topic("execute_result")
        self.shell.display_pub.topic = self._topic("displaypub")

    def _topic(self, topic: str) -> bytes:
        return f"engine.{self.engine_id}.{topic}".encode()

    def finish_metadata(self, parent: Any, metadata: Any, reply_content: Any) -> Any:
        """Complete the metadata of an ``execute_reply``."""
        metadata = super().finish_metadata(parent, metadata, reply_content)
        request, content = parent.get("metadata") or {}, parent.get("content") or {}
        metadata["label"] = request.get("label")
        metadata["is_broadcast"] = request.get("is_broadcast", False)
        metadata["is_coalescing"] = request.get("is_coalescing", False)
        metadata["original_msg_id"] = request.get("original_msg_id", "")
        if reply_content["status"] == "error":
            metadata["engine_info"] = {"engine_uuid": self.ident, "engine_id": self.engine_id}
            if content.get("stop_on_error", True) and not content.get("silent", False):
                # before the reply is sent: what is asked for in answer to it is not behind it
                self.on_abort()
        if request.get("count_output"):
            session: KernelSession = self.session
            metadata["output_count"] = session.end_count(parent["header"]["msg_id"])
        return metadata

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """Done by then: see `finish_metadata`."""

    def traceback_of(self, error: BaseException) -> list[str]:
        """Publish the traceback of an exception, and return its lines."""
        info = (type(error), error, error.__traceback__)
        try:
            self.shell.showtraceback(info)
            return [str(line) for line in self.shell._last_traceback or ()]
        except Exception:  # noqa: BLE001  (the exception may be of a class that fails in many ways)
            return traceback.format_exception(*info)
        finally:
            self.shell.last_error = None


def _is_open(stream: Any) -> bool:
    """Whether something can be written to what a user may have put in place of a stream."""
    return stream is not None and getattr(stream, "closed", False) is not True
