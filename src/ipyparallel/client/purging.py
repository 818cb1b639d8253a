"""Results that are to be forgotten, here and in the hub."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.messages import PurgeRequest
from .jobs import Jobs, msg_ids_of
from .messaging.messenger import Messenger
from .targets import Targets


class PurgeMethods:
    """The part of `Client` that has results forgotten.

    What is to be forgotten is named by `jobs`, as for `Client.get_result`, or ``'all'``; or by
    `targets`, the engines that have run it; or by both.
    """

    _messenger: Messenger

    def _resolve(self, targets: Targets) -> list[int]:
        raise NotImplementedError

    def purge_results(self, jobs: Jobs = (), targets: Targets = ()) -> None:
        """Forget results, here and in the hub.

        Parameters
        ----------
        jobs, targets : optional
            See `purge_local_results`.

        Raises
        ------
        RuntimeError
            Some of this client's are outstanding; nothing is forgotten then.
        ValueError
            Nothing was named.
        RemoteError
            The hub cannot forget them; it is an IndexError, too, if some are pending.
        """
        self.purge_local_results(jobs, targets)
        self.purge_hub_results(jobs, targets)

    def purge_local_results(self, jobs: Jobs = (), targets: Targets = ()) -> None:
        """Do not find results any more that somebody may still hold.

        `AsyncResult` objects keep theirs; this client itself keeps none.

        Parameters
        ----------
        jobs : optional
            Message ids, indices into the history, results, or several of them; or ``'all'``.
        targets : optional
            Engines: the results that come from them.

        Raises
        ------
        RuntimeError
            Some are outstanding; nothing is forgotten then.
        ValueError
            Nothing was named.
        """
        engine_ids = self._check_named(jobs, targets)
        tasks = self._messenger.tasks
        known = tasks.known()
        if not _is_all(jobs):
            named = set(self._purged_ids(jobs))
            known = [task for task in known if task.msg_id in named or task.engine_id in engine_ids]
        outstanding = [task.msg_id for task in known if task.msg_id in tasks.pending]
        if outstanding:
            raise RuntimeError(
                f"cannot purge results that are still to come: {', '.join(outstanding[:3])}"
                f"{', ...' if len(outstanding) > 3 else ''}"
            )
        # the rest of what a task has printed may be on its way, to who holds its result
        tasks.forget(task for task in known if task.output_done)

    def purge_hub_results(self, jobs: Jobs = (), targets: Targets = ()) -> None:
        """Have the hub forget results, and all that it knows of these tasks.

        Parameters
        ----------
        jobs : optional
            Message ids, indices into the history, results, or several of them; or ``'all'``: of
            all clients, those that have ended.
        targets : optional
            Engines: what they have run.

        Raises
        ------
        ValueError
            Nothing was named.
        RemoteError
            The hub cannot forget them; it is an IndexError, too, if some are pending.
        """
        engine_ids = self._check_named(jobs, targets)
        msg_ids = "all" if _is_all(jobs) else self._purged_ids(jobs)
        request = PurgeRequest(msg_ids, engine_ids)
        self._messenger.request("query", "purge_request", request).result()

    def purge_everything(self) -> None:
        """Forget all results, here and in the hub, and the history.

        Raises
        ------
        RuntimeError
            Some of this client's results are outstanding; nothing is forgotten then.
        """
        self.purge_results("all")
        self._messenger.history.clear()

    def _purged_ids(self, jobs: Jobs) -> list[str]:
        return [] if jobs is None else msg_ids_of(jobs, self._messenger.history)

    def _check_named(self, jobs: Jobs, targets: Targets) -> list[int]:
        """The ids of the engines, if engines or tasks were named at all."""
        none_named = targets is None or _is_empty(targets)
        if none_named and (jobs is None or _is_empty(jobs)):
            raise ValueError(
                "name the results to purge: message ids, results, or 'all'; or targets, the"
                " engines that they come from"
            )
        return [] if none_named else self._resolve(targets)


def _is_all(jobs: Jobs) -> bool:
    return isinstance(jobs, str) and jobs == "all"


def _is_empty(names: object) -> bool:
    return isinstance(names, Sequence | set | frozenset) and not len(names)
