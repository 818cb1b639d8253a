"""Requests by hand: what views are made of, for programs that submit without a view.

Views are the interface; this is the level below, under the names that it has had since
ipyparallel 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from ..protocol.messages import Header
from ..serialize.prepickled import PrePickled
from ..serialize.references import Reference
from .messaging.engines import EngineEvent
from .messaging.messenger import Messenger
from .messaging.tasks import MessageFuture

#: Called with a task before its request is sent.
Hook = Callable[[MessageFuture], None] | None


class RequestMethods:
    """The part of `Client` that sends single requests.

    Channels are named by ``_mux_socket`` (to the engine that is named) and ``_task_socket`` (to
    the scheduler).
    """

    _messenger: Messenger

    _mux_socket = "mux"
    _task_socket = "task"

    def send_apply_request(
        self,
        socket: str,
        f: Any,
        args: tuple[Any, ...] | list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        track: bool = False,
        ident: str | bytes | None = None,
        message_future_hook: Hook = None,
    ) -> MessageFuture:
        """Send a call.

        Parameters
        ----------
        socket : str
            The channel; see the class.
        f : callable, Reference or PrePickled
        args, kwargs
            Its arguments.
        metadata : dict, optional
            For the scheduler and the engine.
        track : bool
            Whether the future's `tracker` tells when large buffers were sent.
        ident : str, optional
            Uuid of the engine, on the direct channel.
        message_future_hook : callable, optional
            Called with the future before the request is sent.

        Raises
        ------
        TypeError
            An argument of this method is of the wrong type.
        """
        args = () if args is None else args
        kwargs = {} if kwargs is None else kwargs
        if not callable(f) and not isinstance(f, (Reference, PrePickled)):
            raise TypeError(f"f must be callable, not {f!r}")
        if not isinstance(args, (tuple, list)):
            raise TypeError(f"args must be a tuple or a list, not {args!r}")
        if not isinstance(kwargs, dict):
            raise TypeError(f"kwargs must be a dict, not {kwargs!r}")
        content, buffers = self._messenger.pack(f, tuple(args), kwargs)
        return self._submit(
            socket, "apply_request", content, buffers, metadata, track, ident, message_future_hook
        )

    def send_execute_request(
        self,
        socket: str,
        code: str,
        silent: bool = True,
        metadata: dict[str, Any] | None = None,
        ident: str | bytes | None = None,
        message_future_hook: Hook = None,
    ) -> MessageFuture:
        """Send code; see `send_apply_request` for the parameters.

        Parameters
        ----------
        code : str
        silent : bool
            Whether not to show the value of the last expression.

        Raises
        ------
        TypeError
            An argument of this method is of the wrong type.
        """
        if not isinstance(code, str):
            raise TypeError(f"code must be text, not {code!r}")
        content = self._messenger.pack_code(code, silent)
        return self._submit(
            socket, "execute_request", content, (), metadata, False, ident, message_future_hook
        )

    def _submit(
        self,
        socket: str,
        msg_type: str,
        content: bytes,
        buffers: Any,
        metadata: Mapping[str, Any] | None,
        track: bool,
        ident: str | bytes | None,
        hook: Hook,
    ) -> MessageFuture:
        if metadata is not None and not isinstance(metadata, dict):
            raise TypeError(f"metadata must be a dict, not {metadata!r}")
        if socket not in (self._mux_socket, self._task_socket):
            raise ValueError(f"socket must be 'mux' or 'task', not {socket!r}")
        uuid = ident.decode() if isinstance(ident, bytes) else ident or ""
        return self._messenger.submit(
            socket, msg_type, content, buffers, metadata or {}, uuid, track, hook
        )

    def create_message_futures(
        self,
        msg_id: str,
        header: Mapping[str, Any],
        async_result: bool = False,
        track: bool = False,
        label: str | None = None,
    ) -> list[Future[Any]]:
        """Futures for the reply to a message that was, or will be, sent otherwise.

        Parameters
        ----------
        msg_id : str
        header : dict
            Of the message.
        async_result : bool
            Whether its output is wanted, too.

        Returns
        -------
        list of Future
            That of the reply; and, if wanted, that of the output.
        """
        known = {name: header.get(name, "") for name in Header.__struct_fields__}
        task = MessageFuture(Header(**{**known, "msg_id": msg_id}), label=label)
        self._messenger.expect(task)
        return [task, task.output] if async_result else [task]

    # ---- what programs have looked at

    @property
    def _ids(self) -> list[int]:
        return self._messenger.engines.ids

    @property
    def _engines(self) -> dict[int, str]:
        return self._messenger.engines.uuids

    @property
    def _futures(self) -> dict[str, MessageFuture]:
        return dict(self._messenger.tasks.pending)

    @property
    def _output_futures(self) -> dict[str, Future[None]]:
        return {task.msg_id: task.output for task in self._messenger.tasks.known()}

    @property
    def _outstanding_dict(self) -> dict[str, set[str]]:
        by_engine: dict[str, set[str]] = {uuid: set() for uuid in self._engines.values()}
        for msg_id, task in self._futures.items():
            by_engine.setdefault(task.engine_uuid, set()).add(msg_id)
        return by_engine

    @property
    def _task_scheme(self) -> str:
        return self._messenger.task_scheme

    @property
    def _registration_callbacks(self) -> list[Callable[[EngineEvent], None]]:
        return self._messenger.engines.callbacks
