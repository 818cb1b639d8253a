"""The text of several engines in one place: prefixes, newlines, carriage returns."""

from __future__ import annotations


class Prefixes:
    """Says what to write so that one sees which engine a text is from.

    Parameters
    ----------
    one_screen : bool
        Whether standard output and standard error are seen in one place, so that either has to
        end a line that the other has begun.
    """

    def __init__(self, one_screen: bool = True) -> None:
        self._one_screen = one_screen
        #: Who wrote last: label and stream.
        self._last: tuple[str, str] | None = None
        #: The stream that has begun a line and not ended it.
        self._open_line: str | None = None
        #: Those whose line was ended for them by the next one.
        self._cut: set[tuple[str, str]] = set()

    def before_text(self, label: str, stream: str, text: str) -> str:
        """What to write for `text`, with all that has to go before it.

        Parameters
        ----------
        label : str
            Such as ``[stdout:0]``; empty for no prefix.
        stream : str
            ``stdout`` or ``stderr``.
        text : str
            Not empty.
        """
        writer = (label, stream)
        lead = ""
        if self._last != writer:
            if writer in self._cut and text.startswith("\n"):
                # the line it ends was ended when somebody else began one
                text = text[1:]
            self._cut.discard(writer)
            if not text:
                return ""
            lead = self.before_other(stream)
            if label:
                lead += f"{label} \n"
        self._last = writer
        self._open_line = None if text.endswith("\n") else stream
        return lead + text

    def before_other(self, stream: str) -> str:
        """What to write before something that is no text of an engine, and has its own line."""
        is_open = self._open_line is not None
        ours = self._one_screen or self._open_line == stream
        if is_open and self._last is not None:
            self._cut.add(self._last)
        self._last = None
        if is_open and ours:
            self._open_line = None
            return "\n"
        return ""
