"""What is known about a task besides its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Metadata(dict[str, Any]):
    """A dict of the task's particulars, which are attributes, too.

    Attributes
    ----------
    msg_id, label : str
    submitted, started, completed, received : datetime or None
        Aware; by the clocks of client, engine, engine and client.
    engine_id : int or None
    engine_uuid : str or None
    follow, after : list of str, dict, or None
        Of a balanced task: the ids of the tasks that it depends on, or the dict of a `Dependency`.
    status : str or None
        ``ok``, ``error`` or ``aborted``; None as long as it has not ended.
    execute_input : str or None
        The code.
    execute_result : dict or None
    error : RemoteError or None
    stdout, stderr : str
    outputs : list of dict
        Rich output.
    data : dict
        What the engine published.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            msg_id=None,
            submitted=None,
            started=None,
            completed=None,
            received=None,
            engine_uuid=None,
            engine_id=None,
            follow=None,
            after=None,
            status=None,
            execute_input=None,
            execute_result=None,
            error=None,
            stdout="",
            stderr="",
            outputs=[],
            data={},
            label=None,
        )
        self.update(*args, **kwargs)

    def __reduce__(self) -> Any:
        return Metadata, (dict(self),)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self:
            raise KeyError(key)
        super().__setitem__(key, value)


def places_of_display(outputs: Sequence[Mapping[str, Any]], update: Mapping[str, Any]) -> list[int]:
    """Where something was displayed that is now updated.

    Parameters
    ----------
    outputs : sequence of dict
        Contents of ``display_data`` messages.
    update : dict
        Content of the ``update_display_data`` message.
    """
    wanted = _display_id(update)
    if wanted is None:
        return []
    return [place for place, output in enumerate(outputs) if _display_id(output) == wanted]


def is_update(output: Mapping[str, Any]) -> bool:
    """Whether this one of the recorded outputs updates what an earlier task has displayed."""
    return bool(output.get("update"))


def _display_id(content: Mapping[str, Any]) -> Any:
    return content.get("transient", {}).get("display_id")
