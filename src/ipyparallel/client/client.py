"""The client: connects to a cluster, knows its engines, makes views, asks the hub."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from traitlets import Bool, HasTraits, Integer, observe

from ..protocol.session import Session
from .activation import activate_if_first, activate_view, release
from .control import ControlMethods
from .dask import DaskMethods
from .hub_queries import HubMethods
from .ipython import get_shell, show_remote_errors
from .jobs import TaskMethods
from .messaging.execute_reply import ExecuteReply as ExecuteReply
from .messaging.locate import find_info
from .messaging.messenger import Messenger
from .messaging.metadata import Metadata as Metadata
from .messaging.recording import OUTPUT_LIMIT
from .purging import PurgeMethods
from .requests import RequestMethods
from .targets import Targets, is_all
from .versions import VersionMethods
from .views.balanced import LoadBalancedView
from .views.direct import DirectView
from .views.executor import ViewExecutor
from .waiting import future_engines, wait_for_engines

if TYPE_CHECKING:
    from ..cluster import Cluster


class Client(
    TaskMethods,
    ControlMethods,
    HubMethods,
    PurgeMethods,
    RequestMethods,
    DaskMethods,
    VersionMethods,
    HasTraits,
):
    """A connection to a cluster. All methods may be called from several threads.

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
    results, metadata : mapping
        Results, and what else is known, by message id; of tasks that somebody still holds.
    max_message_size : int or None
        Most bytes of a call with its arguments; a larger one is refused before anything is sent.
        0 allows any size; None, the default, half of this machine's memory.
    output_limit : int
        Most characters kept of each stream of a task, and bytes of its rich output.

    Raises
    ------
    OSError
        There is no connection file.
    ValueError
        The connection file is not one.
    TimeoutError
        The controller does not answer.
    """

    block = Bool(False, help="Whether views made from now on wait for results.")
    max_message_size = Integer(
        None,
        allow_none=True,
        min=0,
        help="Most bytes of a call with its arguments; 0: any; None: half of the memory there is.",
    )
    output_limit = Integer(
        OUTPUT_LIMIT,
        min=0,
        help="Most characters kept of what a task writes to each stream, and bytes of rich output.",
    )

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
        #: That of the magics, if they are this client's without being asked.
        self._default_view: DirectView | None = None
        self.profile = profile or "default"
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
            shell = get_shell()
            if shell is not None:
                show_remote_errors(shell)
                activate_if_first(self, shell)
        except BaseException:
            self.close()
            raise

    # ---- limits

    @observe("max_message_size")
    def _max_message_size_changed(self, change: Any) -> None:
        self._messenger.max_message_size = change["new"]

    @observe("output_limit")
    def _output_limit_changed(self, change: Any) -> None:
        self._messenger.recorder.limit = change["new"]

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
        release(self)

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
            return future_engines(messenger.engines, n, lost=lambda: messenger.lost)
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
        if isinstance(targets, str) and targets == "all":
            return DirectView(self, targets, **flags)
        chosen = self._resolve(targets)
        is_one = isinstance(targets, int) and not isinstance(targets, bool)
        return DirectView(self, chosen[0] if is_one else chosen, **flags)

    def load_balanced_view(self, targets: Targets = None, **flags: Any) -> LoadBalancedView:
        """A view that leaves it to the scheduler which engine does what.

        Parameters
        ----------
        targets : optional
            Restricts the engines; by default all, now and later.
        **flags
            See `LoadBalancedView.set_flags`.
        """
        if not is_all(targets):
            targets = self._resolve(targets)
        else:
            targets = None
        return LoadBalancedView(self, targets, **flags)

    def executor(self, targets: Targets = None) -> ViewExecutor:
        """The cluster as an executor of `concurrent.futures`: that of a load balanced view.

        Parameters
        ----------
        targets : optional
            Restricts the engines; by default all, now and later.
        """
        return self.load_balanced_view(targets).executor

    def activate(self, targets: Targets = "all", suffix: str = "") -> DirectView:
        """Make ``%px`` and the other magics of IPython those of a view that blocks.

        The first client of an IPython session does so by itself.

        Parameters
        ----------
        targets : optional
            The engines; by default all there are at the time of each use.
        suffix : str
            Put behind the names of the magics: several views have magics side by side.

        Returns
        -------
        DirectView
            The view; the magics follow its `targets` and `block`.
        """
        view = self.direct_view(targets)
        view.block = True
        activate_view(view, suffix)
        return view


def _closer(client: Client) -> Callable[[str], None]:
    """Closes the client when its controller is gone, unless nobody holds it any more."""
    reference = weakref.ref(client)

    def close(reason: str) -> None:
        found = reference()
        if found is not None and hasattr(found, "_messenger"):
            found.close()

    return close
