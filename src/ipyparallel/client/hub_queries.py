"""What a client asks the hub: results, records, the load of the engines, and tasks once more."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from ..error import IPythonError, compose_exceptions
from ..protocol.messages import DatabaseRequest, MsgIdsRequest, ResultRequest
from .db_records import as_keys, as_query, read_records
from .jobs import Jobs, msg_ids_of
from .messaging.messenger import Messenger
from .messaging.resolving import error_of
from .messaging.tasks import MessageFuture
from .results import AsyncHubResult, AsyncResult
from .targets import Targets, is_all

if TYPE_CHECKING:
    from .client import Client


class HubMethods:
    """The part of `Client` that asks the hub."""

    _messenger: Messenger
    block: bool

    def _resolve(self, targets: Targets) -> list[int]:
        raise NotImplementedError

    def _msg_ids(self, jobs: Jobs) -> list[str]:
        """The ids that are named; by default that of the last task."""
        return msg_ids_of(-1 if jobs is None else jobs, self._messenger.history)

    def _ask_hub(self, msg_type: str, content: Any) -> MessageFuture:
        """The hub's answer, waited for; its error is raised."""
        answer = self._messenger.request("query", msg_type, content)
        answer.result()
        return answer

    # ---- results

    def get_result(
        self, indices_or_msg_ids: Jobs = None, block: bool | None = None, owner: bool = True
    ) -> AsyncResult:
        """The result of tasks that were submitted before, by this client or by any other.

        Parameters
        ----------
        indices_or_msg_ids : optional
            A message id, an index into the history, a result, or several of them; by default the
            last one submitted. Of a single id, or index, the result is a single one.
        block : bool, optional
            Whether to wait for it.
        owner : bool
            Accepted for compatibility: the client keeps no results.

        Returns
        -------
        AsyncResult
            An `AsyncHubResult` if the hub has to be asked for some: those of other clients, and
            those of which nobody has kept the result. Tasks that the hub does not know, or does
            not know any more, fail with a KeyError that says so, which is a `RemoteError`, too.

        Raises
        ------
        TypeError
            Something that names no task.
        IndexError
            The history is not that long.
        """
        msg_ids = self._msg_ids(indices_or_msg_ids)
        tasks = self._messenger.fetching.tasks(msg_ids)
        single = indices_or_msg_ids is None or isinstance(indices_or_msg_ids, (int, str))
        kind = AsyncHubResult if any(task.fetched for task in tasks) else AsyncResult
        result = kind(
            cast("Client", self), tasks[0] if single else tasks, "get_result", owner=owner
        )
        if self.block if block is None else block:
            result.wait()
        return result

    def result_status(self, msg_ids: Jobs, status_only: bool = True) -> dict[str, Any]:
        """Which tasks have ended.

        Parameters
        ----------
        msg_ids
            As for `get_result`.
        status_only : bool
            Whether the results are left out.

        Returns
        -------
        dict
            ``pending`` and ``completed``: lists of message ids. Without `status_only`, also the
            results of those that have ended, by their ids.

        Raises
        ------
        RemoteError
            The hub does not know one of them: it is a KeyError, too. Or `status_only` is False,
            and one has failed: it is of the original type, too.
        CompositeError
            Several have failed.
        """
        ids = list(dict.fromkeys(self._msg_ids(msg_ids)))
        known = self._messenger.fetching.known(ids)
        ended = {msg_id for msg_id, task in known.items() if task.done()}
        unknown = [msg_id for msg_id in ids if msg_id not in known]
        if unknown:
            request = ResultRequest(unknown, status_only=True)
            ended.update(self._ask_hub("result_request", request).result()["completed"])
        status: dict[str, Any] = {
            "status": "ok",
            "pending": [msg_id for msg_id in ids if msg_id not in ended],
            "completed": [msg_id for msg_id in ids if msg_id in ended],
        }
        if not status_only:
            tasks = self._messenger.fetching.tasks(status["completed"])
            _raise_failures([error for task in tasks if (error := error_of(task)) is not None])
            status |= {task.msg_id: task.result() for task in tasks}
        return status

    def resubmit(
        self,
        indices_or_msg_ids: Jobs = None,
        metadata: dict[str, Any] | None = None,
        block: bool | None = None,
    ) -> AsyncHubResult:
        """Run tasks again, as the hub has kept them: under new ids, with the same arguments,
        labels, targets, retries and dependencies.

        Parameters
        ----------
        indices_or_msg_ids : optional
            As for `get_result`.
        metadata : dict, optional
            Ignored, as ever.
        block : bool, optional
            Whether to wait for the results.

        Returns
        -------
        AsyncHubResult
            Of the new tasks: a list, also for one.

        Raises
        ------
        RemoteError
            The hub does not know one of them; it is a KeyError, too. None is run then.
        NotImplementedError
            The controller is of the published ipyparallel, and could not be asked for the results.
        """
        old = self._msg_ids(indices_or_msg_ids)
        self._messenger.fetching.check()
        new = self._ask_hub("resubmit_request", MsgIdsRequest(old)).result()["resubmitted"]
        result = AsyncHubResult(cast("Client", self), [new[msg_id] for msg_id in old], "resubmit")
        if self.block if block is None else block:
            result.wait()
        return result

    # ---- records

    def hub_history(self) -> list[str]:
        """The ids of all tasks of which the hub has records, of all clients, by submission."""
        history: list[str] = self._ask_hub("history_request", {}).result()["history"]
        return history

    def db_query(
        self, query: dict[str, Any], keys: Collection[str] | str | None = None
    ) -> list[dict[str, Any]]:
        """The hub's records of tasks that match a query.

        Parameters
        ----------
        query : dict
            As for MongoDB: ``{field: value}``, or ``{field: {operator: value}}`` with ``$lt``,
            ``$gt``, ``$lte``, ``$gte``, ``$eq``, ``$ne``, ``$in``, ``$nin``, ``$glob`` and others
            that the database has. Values may be datetimes.
        keys : str or list of str, optional
            The fields that are wanted; ``msg_id`` always is one. By default all but ``buffers``
            and ``result_buffers``.

        Returns
        -------
        list of dict
            Moments are aware datetimes; buffers are lists of memoryviews.

        Raises
        ------
        TypeError
            `query` or `keys` is something else.
        RemoteError
            The hub cannot answer that; the text says why.

        Examples
        --------
        >>> yesterday = datetime.now() - timedelta(days=1)
        >>> rc.db_query({"submitted": {"$gt": yesterday}, "label": "fit"}, ["engine_uuid"])
        """
        request = DatabaseRequest(as_query(query), as_keys(keys))
        answer = self._ask_hub("db_request", request)
        return read_records(answer.result(), answer.buffers)

    # ---- load

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
        # without engines there may still be tasks that wait for one
        ids = None if is_all(targets) else self._resolve(targets)
        content = {"targets": ids, "verbose": verbose}
        status = self._ask_hub("queue_request", content).result()
        status.pop("status")
        by_id = {int(key) if key.isdigit() else key: value for key, value in status.items()}
        if isinstance(targets, int) and ids:
            return dict(by_id[ids[0]])
        return by_id


def _raise_failures(errors: list[BaseException]) -> None:
    """Raise a single failure itself, several as one."""
    for error in errors:
        if len(errors) == 1 or not isinstance(error, IPythonError):
            raise error
    composed = compose_exceptions(errors, "result_status")
    if composed is not None:
        raise composed
