"""Is the other end still there? ZeroMQ reconnects silently; these tell when it tries in vain."""

from __future__ import annotations

import errno
import socket as plain
from urllib.parse import urlsplit

import zmq
from zmq.utils.monitor import parse_monitor_message

#: Milliseconds that an attempt to connect may take: the network may be back meanwhile, and the
#: operating system waits ever longer before it tries again.
_CONNECT_TIMEOUT = 5_000

_WATCHED = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED

#: Milliseconds between the pings by which ZeroMQ finds a peer whose host went silent, and how
#: long it waits for an answer before it counts the connection as lost.
_PING_INTERVAL = 5_000
_PING_TIMEOUT = 20_000


def watch(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """Have ZeroMQ tell when `socket` loses its peer; call before connecting.

    Returns
    -------
    zmq.Socket
        Its messages are read by `is_connected`.
    """
    socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_INTERVAL)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _PING_TIMEOUT)
    reconnect_soon(socket)
    return _monitor(socket, _WATCHED)


def reconnect_soon(socket: zmq.Socket[bytes]) -> None:
    """Have `socket` meet a controller soon that comes back, at little cost if it does not."""
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, _CONNECT_TIMEOUT)


def watch_connections(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """Have ZeroMQ tell when `socket` is connected, each time, by a message on what is returned."""
    reconnect_soon(socket)
    return _monitor(socket, zmq.EVENT_HANDSHAKE_SUCCEEDED)


def _monitor(socket: zmq.Socket[bytes], events: int) -> zmq.Socket[bytes]:
    monitor = socket.get_monitor_socket(events)
    monitor.setsockopt(zmq.LINGER, 0)
    return monitor


def is_connected(frames: list[bytes]) -> bool:
    """What a message from a watching socket says: True for connected, False for lost."""
    return bool(parse_monitor_message(frames)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED)


def refused(url: str, timeout: float = 0.5) -> bool:
    """Whether the host is there but nobody listens at `url`: the process behind it is gone.

    Parameters
    ----------
    url : str
        ``tcp://host:port`` or ``ipc://path``.
    timeout : float
        Seconds to try.

    Returns
    -------
    bool
        False when somebody listens, and also when the network gave no answer in time.
    """
    try:
        _connect(url, timeout).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError as e:
        return e.errno == errno.ECONNRESET
    return False


def _connect(url: str, timeout: float) -> plain.socket:
    scheme, _, rest = url.partition("://")
    if scheme == "ipc":
        connection = plain.socket(plain.AF_UNIX, plain.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
        return connection
    parts = urlsplit(url)
    return plain.create_connection((parts.hostname or "", parts.port or 0), timeout)


class Patience:
    """Decides when a lost connection is lost for good.

    Parameters
    ----------
    refused_for : float
        Seconds during which nobody listened at the other end.
    silent_for : float
        Seconds during which the network gave no answer.
    """

    def __init__(self, refused_for: float = 1.0, silent_for: float = 60.0) -> None:
        self.refused_for = refused_for
        self.silent_for = silent_for
        self._lost_at: float | None = None
        self._refused_at: float | None = None

    def last(self, seconds: float) -> None:
        """Give a lost connection at least so many seconds to come back."""
        self.refused_for = max(self.refused_for, seconds)
        self.silent_for = max(self.silent_for, seconds)

    @property
    def waiting(self) -> bool:
        """Whether the connection is lost at present, and may come back."""
        return self._lost_at is not None

    def connected(self) -> None:
        """The connection is there, or there again."""
        self._lost_at = self._refused_at = None

    def lost(self, now: float) -> None:
        """The connection broke."""
        if self._lost_at is None:
            self._lost_at = now

    def lost_for(self, now: float) -> float:
        """Seconds since the connection broke; 0 if it is there."""
        return 0.0 if self._lost_at is None else now - self._lost_at

    def is_over(self, now: float, refused: bool) -> bool:
        """Whether to give up, having just seen that nobody listens (`refused`) or no answer."""
        if self._lost_at is None:
            return False
        if not refused:
            self._refused_at = None
        elif self._refused_at is None:
            self._refused_at = now
        if self._refused_at is not None and now - self._refused_at >= self.refused_for:
            return True
        return now - self._lost_at >= self.silent_for
