"""Tracebacks as the user wants them: without the frames of the engine around the user's code."""

from __future__ import annotations

from types import TracebackType

#: What runs the user's code, and what interrupts it.
_OURS = ("ipyparallel.engine.", "ipyparallel.serialize.")


def users_part(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of the engine; None if there are no others."""
    frames = []
    while traceback is not None:
        if not traceback.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
            frames.append(traceback)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        traceback = TracebackType(traceback, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return traceback
