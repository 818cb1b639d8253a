"""From a client's message to a job: what it asks for, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..protocol.messages import UNREADABLE, TaskMetadata, decode_task_metadata
from ..protocol.session import Message
from ..scheduling.dependencies import Dependency
from ..scheduling.state import Job
from ..scheduling.terms import PLAIN, Terms

#: How many different metadata are kept with what they mean, and of how many bytes together. All
#: tasks of a view have the same.
_MAX_KNOWN = 1000
_MAX_BYTES = 1_000_000


class Submission(NamedTuple):
    """What the machine carries for each job."""

    client: bytes
    header_frame: bytes
    msg_type: str
    #: The request as it came, the client's identity first.
    frames: list[Any]


class Unacceptable(ValueError):
    """A task that cannot be taken; the text says why."""


class SubmissionReader:
    """Makes jobs of messages."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Terms, str]] = {}
        self._bytes = 0

    def read(self, message: Message, frames: list[Any]) -> Job:
        """The job that a message of a client submits."""
        header = message.header
        payload = Submission(frames[0], message.header_frame, header.msg_type, frames)
        known = self._known.get(message.metadata_frame)
        terms, on_behalf_of = known or self._terms(message.metadata_frame)
        return Job(header.msg_id, terms, on_behalf_of or header.session, payload)

    def refused(self, message: Message, frames: list[Any]) -> Job:
        """A job that has ended before it began."""
        header = message.header
        payload = Submission(frames[0], message.header_frame, header.msg_type, frames)
        return Job(header.msg_id, PLAIN, header.session, payload)

    def _terms(self, frame: bytes) -> tuple[Terms, str]:
        try:
            metadata = decode_task_metadata(frame)
        except UNREADABLE as e:
            raise Unacceptable(f"the metadata of the task is malformed: {e}") from None
        found = (_read_terms(metadata), metadata.on_behalf_of)
        # what a task depends on is named for it alone
        if found[0].after is None and found[0].follow is None:
            self._bytes += len(frame)
            if len(self._known) >= _MAX_KNOWN or self._bytes > _MAX_BYTES:
                self._known.clear()
                self._bytes = len(frame)
            self._known[frame] = found
        return found


def _read_terms(metadata: TaskMetadata) -> Terms:
    _check_number("retries", metadata.retries)
    _check_number("depth", metadata.depth)
    resources = metadata.resources or {}
    for name, amount in resources.items():
        _check_number(f"resources[{name!r}]", amount)
    return Terms(
        targets=frozenset(metadata.targets or ()),
        after=_dependency("after", metadata.after),
        follow=_dependency("follow", metadata.follow),
        timeout=_check_number("timeout", metadata.timeout or 0.0),
        time_limit=_check_number("time_limit", metadata.time_limit),
        retries=metadata.retries,
        priority=metadata.priority,
        resources=tuple(sorted((name, amount) for name, amount in resources.items() if amount)),
        depth=metadata.depth,
    )


def _check_number(name: str, value: float) -> float:
    if not (0 <= value < math.inf):
        raise Unacceptable(f"{name} must be a number, 0 or more, not {value!r}")
    return value


def _dependency(name: str, said: list[str] | Mapping[str, Any] | None) -> Dependency | None:
    try:
        return Dependency(said) or None if said else None
    except (TypeError, *UNREADABLE) as e:
        raise Unacceptable(f"{name} is not a dependency: {e}") from None
