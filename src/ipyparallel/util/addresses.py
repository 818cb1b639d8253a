"""URLs of sockets, and the addresses in them."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from ..transport.addresses import ANY, is_local

#: Protocols whose address is a path or a name, and those that have a host and a port.
_NAMED = frozenset(("inproc", "ipc"))
_WITH_PORT = frozenset(("tcp", "udp", "pgm", "epgm"))

_HOST = re.compile(r"\*|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")


def is_url(url: Any) -> bool:
    """Whether `url` looks like a socket's: a text with ``://`` in it."""
    return isinstance(url, str) and "://" in url


def split_url(url: str) -> tuple[str, str, str]:
    """Protocol, host and port of a URL such as ``tcp://127.0.0.1:10101``.

    Raises
    ------
    ValueError
        Not of that form.
    """
    protocol, slashes, rest = url.partition("://")
    host, colon, port = rest.rpartition(":")
    if not slashes or not colon:
        raise ValueError(f"a URL must be like tcp://host:port, not {url!r}")
    return protocol, host, port


def validate_url(url: Any) -> bool:
    """True for a URL that a socket can have.

    Raises
    ------
    TypeError
        Not a text.
    ValueError
        What is wrong with it.
    """
    if not isinstance(url, str):
        raise TypeError(f"a URL must be a str, not a {type(url).__name__}")
    protocol, slashes, rest = url.partition("://")
    if not slashes or not rest:
        raise ValueError(f"a URL must be like tcp://host:port, not {url!r}")
    if protocol in _NAMED:
        return True
    if protocol not in _WITH_PORT:
        raise ValueError(
            f"Invalid protocol: {protocol!r} (there are: {', '.join(sorted(_NAMED | _WITH_PORT))})"
        )
    _, host, port = split_url(url)
    if not _HOST.fullmatch(host):
        raise ValueError(f"Invalid host in {url!r}: {host!r}")
    if port != "*" and not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"Invalid port in {url!r}: {port!r}")
    return True


def validate_url_container(container: Any) -> None:
    """Check all URLs in lists, tuples, sets and values of dicts, however deep; see
    `validate_url`."""
    if isinstance(container, str):
        validate_url(container)
        return
    if not isinstance(container, Iterable):
        raise TypeError(f"URLs must be in a collection, not in a {type(container).__name__}")
    for element in container.values() if isinstance(container, Mapping) else container:
        validate_url_container(element)


def is_ip(location: str) -> bool:
    """Whether `location` is an address in numbers, not a name."""
    try:
        ipaddress.ip_address(location)
    except ValueError:
        return False
    return True


@functools.lru_cache
def ip_for_host(host: str) -> str:
    """The first address of a host.

    If it has none, this warns (RuntimeWarning), and gives the name back.
    """
    try:
        return socket.gethostbyname_ex(host)[2][0]
    except OSError as e:
        warnings.warn(f"could not find an address of {host}: {e}", RuntimeWarning, stacklevel=2)
        return host


def disambiguate_ip_address(ip: str, location: str | None = None) -> str:
    """An address to connect to, for one to listen on.

    Parameters
    ----------
    ip : str
        Perhaps ``0.0.0.0`` or ``*``: all addresses of a host. Any other is given back.
    location : str, optional
        Name or address of that host; by default this one.
    """
    if ip not in ANY:
        return ip
    if location is None or is_local(location):
        return "127.0.0.1"
    return location if is_ip(location) else ip_for_host(location)


def disambiguate_url(url: str, location: str | None = None) -> str:
    """A URL to connect to, for one to listen on; see `disambiguate_ip_address`."""
    try:
        protocol, ip, port = split_url(url)
    except ValueError:
        return url  # without a port there is no host either
    return f"{protocol}://{disambiguate_ip_address(ip, location)}:{port}"


def select_random_ports(n: int) -> list[int]:
    """`n` different ports that nobody listens on at the moment."""
    with ExitStack() as stack:
        # all open at once, so that they differ
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
