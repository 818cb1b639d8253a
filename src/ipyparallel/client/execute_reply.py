"""What executing code gives: not a value, but what the engine showed."""

from __future__ import annotations

from typing import Any

from .metadata import Metadata


class ExecuteReply:
    """The reply to an ``execute_request``.

    Attributes
    ----------
    msg_id : str
    execution_count : int or None
    metadata : Metadata
        Its keys are attributes and items of the reply, too.
    """

    def __init__(self, msg_id: str, content: dict[str, Any], metadata: Metadata) -> None:
        self.msg_id = msg_id
        self._content = content
        self.metadata = metadata
        self.execution_count = content.get("execution_count")

    def __getitem__(self, key: str) -> Any:
        return self.metadata[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.metadata[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data(self) -> dict[str, Any]:
        """The result that was displayed, by MIME type; empty if there was none."""
        result = self.metadata["execute_result"]
        return dict(result["data"]) if result else {}

    def __repr__(self) -> str:
        text = self.data.get("text/plain", "")
        if len(text) > 32:
            text = text[:29] + "..."
        return f"<ExecuteReply[{self.execution_count}]: {text}>"
