"""What executing code gives: not a value, but what the engine showed."""

from __future__ import annotations

from typing import Any

from ..ipython import get_shell
from .metadata import Metadata

_RED, _NO_COLOR = "\x1b[0;31m", "\x1b[0m"

#: What a frontend is told about a result: its task, without what it has shown besides.
_PARTICULARS = (
    "msg_id",
    "engine_id",
    "engine_uuid",
    "label",
    "submitted",
    "started",
    "completed",
    "received",
    "status",
)


class ExecuteReply:
    """The reply to an ``execute_request``; `display` shows the value of the last expression.

    Made like IPython's ``RichOutput``, but does not need IPython, which a script has no use for.

    Attributes
    ----------
    msg_id : str
    execution_count : int or None
        How many executions the engine has counted; None if this was a silent one.
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
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.metadata})

    @property
    def _result(self) -> dict[str, Any]:
        return self.metadata["execute_result"] or {}

    @property
    def data(self) -> dict[str, Any]:
        """The result that was displayed, by MIME type; empty if there was none."""
        return dict(self._result.get("data", {}))

    @property
    def source(self) -> str | None:
        """Who displayed the result, as old engines say."""
        source: str | None = self._result.get("source")
        return source

    # ---- shown

    def __repr__(self) -> str:
        text = self.data.get("text/plain", "")
        if len(text) > 32:
            text = text[:29] + "..."
        return f"<{type(self).__name__}[{self.execution_count}]: {text}>"

    def as_text(self, color: bool = False) -> str:
        """The result as a session would show it; empty if there is none.

        Parameters
        ----------
        color : bool
            Whether the prompt is red, by the escape codes of terminals.
        """
        data = self.data
        if not data:
            return ""
        text = data.get("text/plain")
        if text is None:
            text = f"<{', '.join(data)}>"
        prompt = f"Out[{self.metadata['engine_id']}:{self.execution_count}]: "
        if color:
            prompt = f"{_RED}{prompt}{_NO_COLOR}"
        # the lines of a table, or of a matrix, stay below each other
        return f"{prompt}\n{text}" if "\n" in text else prompt + text

    def display(self) -> None:
        """Show the result: richly in a notebook, else as text."""
        if get_shell() is None:
            print(self.as_text())  # noqa: T201
            return
        from IPython.display import display

        display(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.as_text(color=_colors_are_on()))

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # the text has the prompt; see _repr_pretty_
        rich = {kind: data for kind, data in self.data.items() if kind != "text/plain"}
        metadata = {key: self.metadata[key] for key in _PARTICULARS}
        return rich, {**metadata, **self._result.get("metadata", {})}

    def _repr_mime_(self, kind: str) -> Any:
        """The result as this MIME type, with its metadata if there is any; None if it is not."""
        data = self.data.get(kind)
        metadata = self._result.get("metadata", {}).get(kind)
        return data if data is None or not metadata else (data, metadata)

    def _repr_html_(self) -> Any:
        return self._repr_mime_("text/html")

    def _repr_markdown_(self) -> Any:
        return self._repr_mime_("text/markdown")

    def _repr_latex_(self) -> Any:
        return self._repr_mime_("text/latex")

    def _repr_json_(self) -> Any:
        return self._repr_mime_("application/json")

    def _repr_javascript_(self) -> Any:
        return self._repr_mime_("application/javascript")

    def _repr_svg_(self) -> Any:
        return self._repr_mime_("image/svg+xml")

    def _repr_png_(self) -> Any:
        return self._repr_mime_("image/png")

    def _repr_jpeg_(self) -> Any:
        return self._repr_mime_("image/jpeg")

    def _repr_pdf_(self) -> Any:
        return self._repr_mime_("application/pdf")


def _colors_are_on() -> bool:
    shell = get_shell()
    return shell is not None and str(getattr(shell, "colors", "nocolor")).lower() != "nocolor"
