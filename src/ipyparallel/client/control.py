"""What a client asks of engines besides work: signals, an empty namespace, their end."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from ..error import EngineError, TaskAborted
from .jobs import Jobs, msg_ids_of
from .messaging.messenger import Messenger
from .results import AsyncResult
from .targets import Targets, is_all, resolve

if TYPE_CHECKING:
    from .client import Client

#: Seconds that engines have to leave.
_LEAVING = 10.0

#: Seconds that engines which are restarted have to come back.
_COMING_BACK = 60.0

#: Why they are gone meanwhile; completes "Engine 3 ...".
_RESTARTED = "it was restarted"


class ControlMethods:
    """The part of `Client` that talks to engines on the control channel."""

    _messenger: Messenger
    block: bool

    def _resolve(self, targets: Targets) -> list[int]:
        # a client that was closed has no engines; that is not what is wrong with them
        self._messenger.check()
        return resolve(targets, self._messenger.engines.ids)

    def send_signal(
        self, sig: int | str, targets: Targets = None, block: bool | None = None
    ) -> AsyncResult:
        """Send a signal to engines.

        Parameters
        ----------
        sig : int or str
            Number or name, such as ``'SIGINT'``; what it means is up to the engine's system.
            SIGINT raises KeyboardInterrupt in the code that runs, if any.
        targets : optional
            Which engines; by default all.
        block : bool, optional
            Whether to wait until it was sent.

        Raises
        ------
        TypeError
            `sig` is neither.
        """
        if isinstance(sig, bool) or not isinstance(sig, (int, str)):
            raise TypeError(f"a signal must be a name such as 'SIGINT' or a number, not {sig!r}")
        return self._control("signal_request", {"sig": sig}, targets, block)

    def clear(self, targets: Targets = None, block: bool | None = None) -> AsyncResult:
        """Empty the namespace of engines, after the tasks that they run now."""
        return self._control("clear_request", {}, targets, block)

    def abort(
        self, jobs: Jobs = None, targets: Targets = None, block: bool | None = None
    ) -> AsyncResult:
        """Have tasks end, wherever they are: those that wait are not run, others interrupted.

        They fail with `TaskAborted`.

        Parameters
        ----------
        jobs : optional
            Message ids or results; by default everything outstanding that this client has
            submitted.
        targets : optional
            Engines: only what these have is aborted. By default what waits for an engine, too.
        block : bool, optional
            Whether to wait until it is known what became of them.

        Returns
        -------
        AsyncResult
            Its result is a `Cancellation`, which says where each of the tasks was.

        Raises
        ------
        TypeError
            Something else was given.

        See Also
        --------
        AsyncResult.cancel
        """
        if jobs is None:
            pending = self._messenger.tasks.all_pending()
            # not what others have submitted, and this client only waits for
            msg_ids = [task.msg_id for task in pending if not task.fetched]
        else:
            msg_ids = []
            single = isinstance(jobs, (str, int, Future))
            for job in [jobs] if single else jobs:  # type: ignore[union-attr]
                if not isinstance(job, (str, AsyncResult)):
                    raise TypeError(f"jobs must be message ids or results, not {job!r}")
                msg_ids += msg_ids_of(job, self._messenger.history)
        engines = None
        if not is_all(targets):
            uuids = self._messenger.engines.uuids
            engines = [uuids[i] for i in self._resolve(targets) if i in uuids]
        self._messenger.check()
        cancelling = self._messenger.cancel(msg_ids, TaskAborted, engines)
        result = AsyncResult(cast("Client", self), cancelling.result, fname="abort")
        if self.block if block is None else block:
            result.get()
        return result

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
        restart : bool
            Start others in their places: see `restart_engines`.
        hub : bool
            Stop all engines and the controller, and close this client.
        block : bool, optional
            Whether to wait until the engines are gone, or back.

        Raises
        ------
        ValueError
            Both `hub` and `restart` are asked for: a controller cannot be restarted this way.
        """
        if restart:
            if hub:
                raise ValueError("only engines can be restarted: leave out hub=True")
            self.restart_engines(targets, block)
            return
        if hub:
            targets = "all"
        engines = self._messenger.engines
        if ids := self._resolve(targets) if engines.ids else []:
            waits = hub or (self.block if block is None else block)
            self._control("shutdown_request", {"restart": False}, ids, block=waits)
            if waits:
                engines.wait_for(lambda: not set(ids) & set(engines.ids), _LEAVING)
        if hub:
            self._messenger.request("query", "shutdown_request", {}).wait(5)
            self.close()

    def restart_engines(self, targets: Targets = None, block: bool | None = None) -> AsyncResult:
        """Kill engines, and have others started in their places, under the same ids.

        The namespaces of the new ones are empty. What the old ones have not finished fails with an
        `EngineError`, except balanced tasks that may be tried again.

        Parameters
        ----------
        targets : optional
            Which engines; by default all.
        block : bool, optional
            Whether to wait until the new ones are there.

        Returns
        -------
        AsyncResult
            Is done when the old ones were killed.

        Raises
        ------
        EngineError
            One of them is not of this package, or its controller is not: those cannot do that.
        TimeoutError
            Not all of the new ones came within a minute.
        """
        engines = self._messenger.engines
        ids = self._resolve(targets)
        old = {i: uuid for i, uuid in engines.uuids.items() if i in ids}
        if foreign := [i for i, uuid in old.items() if uuid in engines.foreign]:
            raise EngineError(
                f"engines {foreign} cannot be restarted by a client, as they, or the controller,"
                " are of another version of ipyparallel; see Cluster.restart_engines"
            )
        waits = self.block if block is None else block
        result = self._control("replace_request", {"reason": _RESTARTED}, ids, block=waits)

        def missing() -> list[int]:
            now = engines.uuids
            return [i for i, uuid in old.items() if now.get(i, uuid) == uuid]

        if waits:
            engines.wait_for(lambda: not missing() or bool(self._messenger.lost), _COMING_BACK)
            self._messenger.check()
            if late := missing():
                raise TimeoutError(
                    f"engines {late} were restarted, and did not come back within"
                    f" {_COMING_BACK:g} s; the log of the engines says why"
                )
        return result

    def close(self, linger: float | None = None) -> None:
        """See `Client.close`."""
        raise NotImplementedError

    def _control(
        self, msg_type: str, content: dict[str, Any], targets: Targets, block: bool | None
    ) -> AsyncResult:
        tasks = []
        for engine_id in self._resolve(targets):
            try:
                uuid = self._messenger.engines.uuid(engine_id)
            except KeyError:
                raise EngineError(f"engine {engine_id} is gone") from None
            tasks.append(self._messenger.request("control", msg_type, content, uuid))
        result = AsyncResult(cast("Client", self), tasks, fname=msg_type.removesuffix("_request"))
        if self.block if block is None else block:
            result.get()
        return result
