"""Child processes, command lines, sockets: one function each."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any, Protocol

import zmq


class _Child(Protocol):
    def terminate(self) -> None: ...


def signal_children(children: Iterable[_Child]) -> None:
    """From now on SIGINT, SIGABRT and SIGTERM of this process end these children.

    Parameters
    ----------
    children : collection of multiprocessing.Process, subprocess.Popen and the like
    """
    known = list(children)

    def terminate_children(number: int, frame: FrameType | None) -> None:
        for child in known:
            child.terminate()

    for number in (signal.SIGINT, signal.SIGABRT, signal.SIGTERM):
        signal.signal(number, terminate_children)


def shlex_join(cmd: Iterable[str]) -> str:
    """The command line of a list of words; see `shlex.join`."""
    return shlex.join(cmd)


def set_hwm(sock: zmq.Socket[Any], hwm: int = 0) -> None:
    """Have a socket keep so many messages for each peer, both ways; 0: any number."""
    sock.set_hwm(hwm)
