"""The client: connects to a cluster, knows its engines, makes views, asks the hub."""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from traitlets import Bool, HasTraits

from ..error import ControllerLost, EngineError
from ..protocol.connection import ClientInfo
from ..protocol.messages import ConnectionRequest, decode_connection_reply, encode
from ..protocol.session import Session, new_id
from ..serialize.apply import pack_call
from ..serialize.functions import PickledFunctions
from ..transport.addresses import is_local, is_loopback, reachable
from ..transport.liveness import refused
from .asyncresult import AsyncResult
from .connection import Connection
from .dispatch import Dispatcher
from .engines import EngineEvent, EngineTable
from .history import History
from .locate import find_info
from .targets import Targets, resolve
from .tasks import MessageFuture
from .views.balanced import LoadBalancedView
from .views.direct import DirectView

if TYPE_CHECKING:
    from ..cluster import Cluster

#: Things that name tasks: an index into the history, a message id, a result.
Jobs = int | str | Future[Any] | Collection[Any] | None


class Client(HasTraits):
    """A connection to a cluster.

    Parameters
    ----------
    connection_info : dict or path, optional
        What a connection file holds, or where one is. By default that of the cluster in the
        profile.
    profile : str, optional
        Name of the profile; by default that of the running IPython, else ``default``.
    profile_dir : path, optional
        Folder of the profile.
    ipython_dir : path, optional
        Folder with the profiles.
    timeout : float
        Seconds to wait for the connection file and for the controller's answer.
    cluster_id : str, optional
        Which cluster of the profile.
    cluster : Cluster, optional
        The cluster this client belongs to.

    Attributes
    ----------
    ids : list of int
        The engines there are.
    block : bool
        Whether views made from now on wait for results.
    history : sequence of str
        Ids of the last messages that were submitted.
    outstanding : set of str
        Ids of the messages whose results are to come.

    Raises
    ------
    OSError
        There is no connection file.
    ValueError
        The connection file is not one.
    TimeoutError
        The controller does not answer.

    All methods may be called from several threads.
    """

    block = Bool(False, help="Whether views made from now on wait for results.")

    def __init__(
        self,
        connection_info: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        ipython_dir: str | os.PathLike[str] | None = None,
        timeout: float = 10,
        cluster_id: str | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        super().__init__()
        self.cluster = cluster
        self.profile = profile or ""
        info = find_info(
            connection_info,
            profile=profile,
            profile_dir=profile_dir,
            ipython_dir=ipython_dir,
            cluster_id=cluster_id or "",
            timeout=timeout,
        )
        self.session = Session(info.key.encode(), signature_scheme=info.signature_scheme)
        self.history = History(self.session.id_prefix)
        self._engine_table = EngineTable()
        self._functions = PickledFunctions()
        self._dispatcher = Dispatcher(self.session, self._engine_table, _closer(self))
        self._task_scheme = info.task_scheme
        token = new_id()
        interface = reachable(info.interface, info.location)
        self._connection = Connection(info, interface, self._dispatcher, b"token:" + token.encode())
        self._connection.start()
        try:
            self._connect(info, interface, token, timeout)
        except BaseException:
            self.close()
            raise

    def _connect(self, info: ClientInfo, interface: str, token: str, timeout: float) -> None:
        task = self._request("query", "connection_request", ConnectionRequest(token))
        if not task.wait(timeout):
            raise TimeoutError(_no_answer(info, f"{interface}:{info.registration}", timeout))
        reply = decode_connection_reply(encode(task.result()))
        native = set(reply.native or ())
        # only a controller of this package says which engines are of this package
        self._compact = reply.native is not None
        for engine_id, uuid in reply.engines.items():
            self._engine_table.add(int(engine_id), uuid, uuid in native)

    # ---- life

    def close(self, linger: float | None = None) -> None:
        """Close the connection. What has been submitted goes on; results that are not here yet
        are lost to this client, and their futures fail.

        Parameters
        ----------
        linger : float, optional
            Ignored; messages that were submitted are always sent.
        """
        self._connection.close()
        self._dispatcher.on_lost("the client was closed")

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.abandon()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"closed: {self._dispatcher.lost}" if self._dispatcher.lost else f"ids={self.ids}"
        return f"<Client {state}>"

    # ---- engines

    @property
    def ids(self) -> list[int]:
        """The ids of the engines that are there now, in ascending order."""
        return self._engine_table.ids

    def __len__(self) -> int:
        return len(self._engine_table)

    def __iter__(self) -> Iterator[DirectView]:
        for engine_id in self.ids:
            yield self.direct_view(engine_id)

    def __getitem__(self, key: Any) -> DirectView:
        if isinstance(key, bool) or not isinstance(key, (int, slice, list, tuple, range)):
            raise TypeError(
                f"a client takes an engine id, several, or a slice of them, not {key!r}"
            )
        return self.direct_view(key)

    def _resolve(self, targets: Targets) -> list[int]:
        return resolve(targets, self.ids)

    def wait_for_engines(
        self,
        n: int | None = None,
        *,
        timeout: float = -1,
        block: bool = True,
        interactive: bool | None = None,
        widget: Any = None,
    ) -> Future[None] | None:
        """Wait until there are `n` engines.

        Parameters
        ----------
        n : int, optional
            By default as many as the cluster was to start.
        timeout : float
            Seconds; a negative number: for ever.
        block : bool
            Whether to wait here, or to return a future.
        interactive : bool, optional
            Whether to show a bar; by default in IPython.

        Raises
        ------
        TimeoutError
            There are fewer by then.
        EngineError
            An engine left meanwhile.
        """
        if n is None:
            n = self._expected_engines()
        if not block:
            future: Future[None] = Future()
            self._engine_table.callbacks.append(_Waiting(self, n, future).on_event)
            _Waiting.check(self, n, future)
            return future
        if interactive is None:
            interactive = _in_ipython()
        gone: list[EngineEvent] = []

        def on_event(event: EngineEvent) -> None:
            if event.event == "unregister":
                gone.append(event)
                self._engine_table.wake()

        def enough() -> bool:
            if gone:
                raise EngineError(
                    f"engine {gone[0].id} left while engines were waited for"
                    f"{': ' if gone[0].reason else ''}{gone[0].reason}"
                )
            if self._dispatcher.lost:
                raise ControllerLost(self._dispatcher.lost)
            if bar is not None:
                bar.update(len(self) - bar.n)
            return len(self) >= n

        bar = _engine_bar(n) if interactive and len(self) < n else None
        self._engine_table.callbacks.append(on_event)
        try:
            if not self._engine_table.wait_for(enough, None if timeout < 0 else timeout):
                raise TimeoutError(
                    f"{n} engines not ready in {timeout:g} seconds. Currently ready: {len(self)}"
                )
        finally:
            self._engine_table.callbacks.remove(on_event)
            if bar is not None:
                bar.close()
        return None

    def _expected_engines(self) -> int:
        if self.cluster is None:
            raise TypeError("wait_for_engines needs n, the number of engines to wait for")
        return self.cluster.n or sum(engines.n for engines in self.cluster.engines.values())

    # ---- views

    def direct_view(self, targets: Targets = "all", **flags: Any) -> DirectView:
        """A view on engines by their ids.

        Parameters
        ----------
        targets : int, slice, list, tuple, range or 'all'
            ``'all'`` means all engines there are at the time of each call; an int makes results
            single ones.
        **flags
            See `DirectView.set_flags`.
        """
        if isinstance(targets, bool) or not isinstance(targets, int):
            if targets is not None and not (isinstance(targets, str) and targets == "all"):
                targets = self._resolve(targets)
            else:
                targets = "all"
        else:
            targets = self._resolve(targets)[0]
        return DirectView(self, targets, **flags)

    def load_balanced_view(self, targets: Targets = None, **flags: Any) -> LoadBalancedView:
        """A view that leaves it to the scheduler which engine does what.

        Parameters
        ----------
        targets : optional
            Restricts the engines; by default all, now and later.
        **flags
            See `LoadBalancedView.set_flags`.
        """
        if targets is not None and not (isinstance(targets, str) and targets == "all"):
            targets = self._resolve(targets)
        else:
            targets = None
        return LoadBalancedView(self, targets, **flags)

    def activate(self, targets: Targets = "all", suffix: str = "") -> DirectView:
        """Register the magics of a blocking view.

        Raises
        ------
        NotImplementedError
            This version has no magics yet.
        """
        raise NotImplementedError("the %px magics are not part of this version yet")

    # ---- waiting

    @property
    def outstanding(self) -> set[str]:
        """Ids of the messages whose results are to come."""
        return set(self._dispatcher.tasks.pending)

    def wait(self, jobs: Jobs = None, timeout: float | None = -1) -> bool:
        """Wait for tasks to end.

        Parameters
        ----------
        jobs : optional
            An index into the history, a message id, a result, or several of them; by default
            everything outstanding. What is not known has ended.
        timeout : float, optional
            Seconds; None or a negative number: for ever.

        Returns
        -------
        bool
            Whether all have ended.
        """
        deadline = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        for future in self._futures_of(jobs):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                future.exception(left)
            except TimeoutError:
                if not future.done():
                    return False
        return True

    def _futures_of(self, jobs: Jobs) -> list[Future[Any]]:
        pending = self._dispatcher.tasks.pending
        if jobs is None:
            return list(pending.values())
        if isinstance(jobs, Future):
            return [jobs]
        if isinstance(jobs, int):
            jobs = self.history[jobs]
        if isinstance(jobs, str):
            return [pending[jobs]] if jobs in pending else []
        return [future for job in jobs for future in self._futures_of(job)]

    # ---- the hub, and the engines' control channel

    def queue_status(self, targets: Targets = "all", verbose: bool = False) -> dict[Any, Any]:
        """How much each engine has to do.

        Parameters
        ----------
        targets : optional
            Which engines; for an int, the dict of that engine alone.
        verbose : bool
            Message ids instead of numbers.

        Returns
        -------
        dict
            By engine id ``queue`` (direct tasks), ``tasks`` (balanced tasks), ``completed``; and
            ``unassigned``: tasks that wait for an engine.
        """
        ids = self._resolve(targets)
        content = {"targets": ids, "verbose": verbose}
        status = self._request("query", "queue_request", content).result()
        status.pop("status")
        by_id = {int(key) if key.isdigit() else key: value for key, value in status.items()}
        if isinstance(targets, int):
            return dict(by_id[targets])
        return by_id

    def send_signal(
        self, sig: int | str, targets: Targets = None, block: bool | None = None
    ) -> AsyncResult:
        """Send a signal to engines.

        Parameters
        ----------
        sig : int or str
            Number or name, such as ``'SIGINT'``.
        """
        return self._control("signal_request", {"sig": sig}, targets, block)

    def clear(self, targets: Targets = None, block: bool | None = None) -> AsyncResult:
        """Empty the namespace of engines."""
        return self._control("clear_request", {}, targets, block)

    def abort(
        self, jobs: Jobs = None, targets: Targets = None, block: bool | None = None
    ) -> AsyncResult:
        """Have tasks that have not begun on their engine not run.

        Parameters
        ----------
        jobs : optional
            Message ids or results; by default everything outstanding.
        """
        if jobs is None:
            msg_ids = list(self.outstanding)
        else:
            msg_ids = []
            for job in [jobs] if isinstance(jobs, (str, Future)) else jobs:  # type: ignore[union-attr]
                if isinstance(job, str):
                    msg_ids.append(job)
                elif isinstance(job, AsyncResult):
                    msg_ids += job.msg_ids
                else:
                    raise TypeError(f"jobs must be message ids or results, not {job!r}")
        return self._control("abort_request", {"msg_ids": msg_ids}, targets, block)

    def shutdown(
        self,
        targets: Targets = "all",
        restart: bool = False,
        hub: bool = False,
        block: bool | None = None,
    ) -> None:
        """Stop engines, or the whole cluster.

        Parameters
        ----------
        targets : optional
            Which engines.
        hub : bool
            Stop all engines and the controller, and close this client.
        """
        if restart:
            raise NotImplementedError("engines cannot be restarted through the client")
        if hub:
            targets = "all"
        if self.ids:
            self._control("shutdown_request", {"restart": False}, targets, block=hub or block)
        if hub:
            self._request("query", "shutdown_request", {}).wait(5)
            self.close()

    def _control(
        self, msg_type: str, content: dict[str, Any], targets: Targets, block: bool | None
    ) -> AsyncResult:
        ids = self._resolve(targets)
        tasks = [
            self._request("control", msg_type, content, self._engine_table.uuid(engine_id))
            for engine_id in ids
        ]
        result = AsyncResult(self, tasks, fname=msg_type.removesuffix("_request"))
        if self.block if block is None else block:
            result.get()
        return result

    # ---- sending

    def _request(self, channel: str, msg_type: str, content: Any, uuid: str = "") -> MessageFuture:
        """Send a request that no user code answers; its future gives the reply's content."""
        header = self.session.header(msg_type)
        task = MessageFuture(header, engine_uuid=uuid)
        frames = self.session.frame(header, content)
        if uuid:
            frames.insert(0, uuid.encode())
        self._send(channel, [task], [frames])
        return task

    def _send(
        self, channel: str, tasks: Sequence[MessageFuture], messages: Sequence[list[Any]]
    ) -> None:
        """Send the messages that these tasks wait for."""
        self._dispatcher.expect(tasks)
        try:
            for frames in messages:
                self._connection.send(channel, frames)
        except BaseException:
            self._dispatcher.withdraw(tasks)
            raise

    def _submit_direct(
        self, msg_type: str, content: Any, buffers: Sequence[Any], ids: Sequence[int], owner: Any
    ) -> list[MessageFuture]:
        """Send the same request to each of these engines."""
        tasks, messages = [], []
        metadata = encode({"label": owner.label, "count_output": True})
        foreign = self._engine_table.foreign
        for engine_id in ids:
            try:
                uuid = self._engine_table.uuid(engine_id)
            except KeyError:
                raise EngineError(f"engine {engine_id} is gone") from None
            if uuid in foreign and msg_type == "apply_request":
                raise EngineError(
                    f"engine {engine_id} is of the published ipyparallel, which cannot read the"
                    " calls of this version; start engines of this version"
                )
            header = self.session.header(msg_type)
            task = MessageFuture(header, label=owner.label, engine_uuid=uuid, owner=owner)
            task.engine_id = engine_id
            tasks.append(task)
            frames = self.session.frame(
                header,
                content,
                metadata=metadata,
                buffers=buffers,
                compact=self._compact and uuid not in foreign,
            )
            messages.append([uuid.encode(), *frames])
        self._send("mux", tasks, messages)
        for task in tasks:
            self._record(task, owner)
        return tasks

    def _submit_balanced(self, content: bytes, buffers: Sequence[Any], owner: Any) -> MessageFuture:
        """Send a call to the task scheduler."""
        header = self.session.header("apply_request")
        task = MessageFuture(header, label=owner.label, owner=owner)
        frames = self.session.frame(
            header,
            content,
            metadata=owner.task_metadata(),
            buffers=buffers,
            compact=self._compact,
        )
        self._send("task", (task,), (frames,))
        self._record(task, owner)
        return task

    def _record(self, task: MessageFuture, owner: Any) -> None:
        self.history.append(task.msg_id)
        owner.history.append(task.msg_id)

    def _pack(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[bytes, list[Any]]:
        return pack_call(func, args, kwargs, self._functions)


class _Waiting:
    """Resolves a future when there are enough engines."""

    def __init__(self, client: Client, n: int, future: Future[None]) -> None:
        self._client = weakref.ref(client)
        self._n = n
        self._future = future

    def on_event(self, event: EngineEvent) -> None:
        client = self._client()
        if client is None or self._future.done():
            return
        if event.event == "unregister":
            self._future.set_exception(EngineError(f"engine {event.id} left: {event.reason}"))
        else:
            self.check(client, self._n, self._future)

    @staticmethod
    def check(client: Client, n: int, future: Future[None]) -> None:
        if len(client) >= n and not future.done():
            future.set_result(None)


def _closer(client: Client) -> Any:
    """Closes the client when its controller is gone, unless nobody holds it any more."""
    reference = weakref.ref(client)

    def close(reason: str) -> None:
        found = reference()
        if found is not None and hasattr(found, "_connection"):
            found._connection.close()

    return close


def _no_answer(info: ClientInfo, url: str, timeout: float) -> str:
    text = (
        f"Hub connection request timed out: the controller at {url}"
        f" did not answer in {timeout:g} s."
    )
    if refused(url):
        return f"{text} Nobody listens there: the controller has stopped, and its file is stale."
    if is_loopback(info.interface) and not is_local(info.location):
        return (
            f"{text} It listens on its own host ({info.location}) only; start it with"
            " --ip='*', or give sshserver."
        )
    return text


def _in_ipython() -> bool:
    ipython = sys.modules.get("IPython")
    non_interactive = os.environ.get("IPP_NONINTERACTIVE", "") not in ("", "0")
    return not non_interactive and ipython is not None and ipython.get_ipython() is not None


def _engine_bar(n: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=n, unit="engine")
