"""The client: connects to a cluster, knows its engines, makes views, asks the hub."""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from traitlets import Bool, HasTraits

from ..protocol.session import Session
from .asyncresult import AsyncResult
from .history import History
from .locate import find_info
from .messenger import Messenger
from .targets import Targets, resolve
from .views.balanced import LoadBalancedView
from .views.direct import DirectView
from .waiting import future_engines, wait_for_engines

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
    username : str, optional
        Put in the headers of messages.
    context, debug, url_file, url_or_file, pack, unpack, key, signature_scheme
        Accepted for compatibility. A path given as ``url_file`` or ``url_or_file`` is taken for
        `connection_info`; the others have no effect.

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
        url_file: str | None = None,
        profile: str | None = None,
        profile_dir: str | os.PathLike[str] | None = None,
        ipython_dir: str | os.PathLike[str] | None = None,
        context: Any = None,
        debug: bool = False,
        sshserver: str | None = None,
        sshkey: str | None = None,
        password: str | None = None,
        paramiko: bool | None = None,
        timeout: float = 10,
        cluster_id: str | None = None,
        cluster: Cluster | None = None,
        username: str | None = None,
        **extra_args: Any,
    ) -> None:
        super().__init__()
        url_file = extra_args.pop("url_or_file", url_file)
        # the connection file decides on these
        unknown = extra_args.keys() - {"pack", "unpack", "key", "signature_scheme"}
        if unknown:
            raise TypeError(
                f"Client got unexpected arguments: {', '.join(map(repr, sorted(unknown)))}"
            )
        if sshserver or sshkey or password:
            raise NotImplementedError(
                "this version does not open ssh tunnels; forward the ports of the connection file"
            )
        if url_file is not None and connection_info is None:
            warnings.warn("url_file is deprecated: give connection_info", DeprecationWarning, 2)
            connection_info = url_file
        self.cluster = cluster
        self.profile = profile or ""
        self.debug = debug
        info = find_info(
            connection_info,
            profile=profile,
            profile_dir=profile_dir,
            ipython_dir=ipython_dir,
            cluster_id=cluster_id or "",
            timeout=timeout,
        )
        self._messenger = Messenger(info, _closer(self), username)
        try:
            self._messenger.connect(timeout)
        except BaseException:
            self.close()
            raise

    # ---- life

    def close(self, linger: float | None = None) -> None:
        """Close the connection. What has been submitted goes on; results that are not here yet
        are lost to this client, and their futures fail.

        Parameters
        ----------
        linger : float, optional
            Ignored; messages that were submitted are always sent.
        """
        self._messenger.close()

    def __del__(self) -> None:
        if hasattr(self, "_messenger"):
            self._messenger.abandon()

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
        lost = self._messenger.lost
        state = f"closed: {lost}" if lost else f"ids={self.ids}"
        return f"<Client {state}>"

    @property
    def session(self) -> Session:
        """Makes and verifies this client's messages."""
        return self._messenger.session

    @property
    def history(self) -> History:
        """See the class."""
        return self._messenger.history

    # ---- engines

    @property
    def ids(self) -> list[int]:
        """The ids of the engines that are there now, in ascending order."""
        return self._messenger.engines.ids

    def __len__(self) -> int:
        return len(self._messenger.engines)

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
        messenger = self._messenger
        if not block:
            return future_engines(messenger.engines, n)
        wait_for_engines(
            messenger.engines, n, timeout, lost=lambda: messenger.lost, interactive=interactive
        )
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
        return set(self._messenger.tasks.pending)

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
        pending = self._messenger.tasks.pending
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
        everything = targets is None or (isinstance(targets, str) and targets == "all")
        # without engines there may still be tasks that wait for one
        ids = None if everything else self._resolve(targets)
        content = {"targets": ids, "verbose": verbose}
        status = self._messenger.request("query", "queue_request", content).result()
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
            Number or name, such as ``'SIGINT'``; it is the engine's system that knows it.

        Raises
        ------
        TypeError
            `sig` is neither.
        """
        if isinstance(sig, bool) or not isinstance(sig, (int, str)):
            raise TypeError(f"a signal must be a name such as 'SIGINT' or a number, not {sig!r}")
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
            single = isinstance(jobs, (str, int, Future))
            for job in [jobs] if single else jobs:  # type: ignore[union-attr]
                if isinstance(job, str):
                    msg_ids.append(job)
                elif isinstance(job, AsyncResult):
                    msg_ids += job.msg_ids
                else:
                    raise TypeError(f"jobs must be message ids or results, not {job!r}")
        if not msg_ids:
            # to an engine, an empty list means all executions that wait, whoever sent them
            return AsyncResult(self, [], fname="abort")
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
            self._messenger.request("query", "shutdown_request", {}).wait(5)
            self.close()

    def _control(
        self, msg_type: str, content: dict[str, Any], targets: Targets, block: bool | None
    ) -> AsyncResult:
        ids = self._resolve(targets)
        tasks = [
            self._messenger.request(
                "control", msg_type, content, self._messenger.engines.uuid(engine_id)
            )
            for engine_id in ids
        ]
        result = AsyncResult(self, tasks, fname=msg_type.removesuffix("_request"))
        if self.block if block is None else block:
            result.get()
        return result


def _closer(client: Client) -> Callable[[str], None]:
    """Closes the client when its controller is gone, unless nobody holds it any more."""
    reference = weakref.ref(client)

    def close(reason: str) -> None:
        found = reference()
        if found is not None and hasattr(found, "_messenger"):
            found.close()

    return close
