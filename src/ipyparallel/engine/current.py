"""What user code asks of the engine that it runs in. Cheap to import."""

from __future__ import annotations

from typing import Any

from .._host import get_host


def bind_kernel(**kwargs: Any) -> str:
    """Open this engine to Jupyter's own front ends, such as ``jupyter console --existing``.

    To be called on an engine. It listens as a kernel of its own, and writes a connection file;
    what is run from there shares the namespace, and takes turns, with the tasks of clients. Done
    once; a second call does nothing.

    Parameters
    ----------
    ip : str
        Address to listen on; by default ``'127.0.0.1'``.
    transport : str
        ``'tcp'`` (default) or ``'ipc'``.
    shell_port, iopub_port, stdin_port, control_port, hb_port : int
        By default any that are free.
    connection_file : str
        Path of the connection file; a mere name is one in the profile's security folder.

    Returns
    -------
    str
        Path of the connection file, for ``--existing``. It is removed when the engine ends.

    Raises
    ------
    RuntimeError
        This process is not an engine.
    TypeError
        There is no such option.
    """
    host = get_host()
    if host is None:
        raise RuntimeError("bind_kernel must be called from an IPEngine instance")
    return host.bind_kernel(**kwargs)
