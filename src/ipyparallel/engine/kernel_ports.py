"""An engine as a kernel of its own: ports for Jupyter's front ends, and the file that names them.

The front ends' requests go through the same queue as those of clients, so that they take turns;
what is published goes to both.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import zmq

from ..transport.sockets import new_socket
from .control import ControlThread
from .kernel import IPythonParallelKernel
from .requests import Requests

Socket = zmq.Socket[bytes]
T = TypeVar("T")

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
OPTIONS = (*PORTS, "ip", "transport", "connection_file")

#: Milliseconds that the last replies have to leave.
_LINGER = 1000


class KernelPorts:
    """Opens the ports, once, and closes them.

    Parameters
    ----------
    context : zmq.Context
        For the sockets; those of it that others close are shell and control.
    folder : Path
        Where the connection file is written.
    name : str
        Of the engine, for the connection file.
    """

    def __init__(
        self,
        kernel: IPythonParallelKernel,
        requests: Requests,
        control: ControlThread,
        *,
        context: zmq.Context[Socket],
        folder: Path,
        name: str,
        log: logging.Logger,
    ) -> None:
        self._kernel = kernel
        self._requests = requests
        self._control = control
        self._context = context
        self._folder = folder
        self._name = name
        self._log = log
        #: Path of the connection file; None while the ports are closed.
        self.path: Path | None = None
        self._heart: _Heart | None = None

    def open(self, **options: Any) -> str:
        """Bind, write the connection file, and serve; see `bind_kernel`."""
        # not before: it takes a while, and few engines need it
        from jupyter_client.connect import write_connection_file

        check_options(options)
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("bind_kernel must be called in the engine's main thread")
        if self.path is not None:
            self._log.info("This engine is bound as a kernel already: %s", self.path)
            return str(self.path)
        name = options.get("connection_file") or f"kernel-{self._name}.json"
        path = self._folder / Path(name).expanduser()
        transport = options.get("transport", "tcp")
        ip = options.get("ip") or ("127.0.0.1" if transport == "tcp" else f"{path.stem}-ipc")
        if transport == "ipc":
            ip = str(self._folder / ip)
        with ExitStack() as undo:
            bound = self._bind(_Binder(transport, ip), options, undo)
            address: dict[str, Any] = {**bound.ports, "ip": ip, "transport": transport}
            session = self._kernel.session
            write_connection_file(
                str(path), key=session.key, signature_scheme=session.signature_scheme, **address
            )
            undo.pop_all()
        self.path = path
        self._serve(bound)
        self._tell_ipykernel(bound.ports)
        self._log.info("This engine is bound as a kernel; connect with: --existing %s", path)
        return str(path)

    def _bind(self, binder: _Binder, options: dict[str, Any], undo: ExitStack) -> _Bound:
        """Bind all that is served; `undo` learns how to take it back."""
        bound = _Bound(_Heart())
        undo.callback(bound.heart.stop)
        for name in ("shell", "stdin", "control"):
            socket = new_socket(self._context, zmq.ROUTER, linger=_LINGER)
            bound.sockets[name] = socket
            undo.callback(socket.close, linger=0)
            bound.ports[f"{name}_port"] = binder.bind(socket, options.get(f"{name}_port", 0))
        bound.ports["hb_port"] = binder.bind(bound.heart.socket, options.get("hb_port", 0))
        bound.ports["iopub_port"] = self._bind_output(binder, options.get("iopub_port", 0), undo)
        return bound

    def _bind_output(self, binder: _Binder, port: int, undo: ExitStack) -> int:
        """Bind the socket of the output thread, in that thread."""
        output = self._kernel.iopub_thread.socket
        port = self._in_output_thread(lambda: binder.bind(output, port))
        # this one is not closed: the clients' output goes through it, too
        undo.callback(self._in_output_thread, lambda: output.unbind(binder.url(port)))
        return port

    def _in_output_thread(self, call: Callable[[], T]) -> T:
        """Call this in the output thread, and wait for it."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(call())
            except OSError as e:
                done.set_exception(e)

        self._kernel.iopub_thread.schedule(run)
        return done.result()

    def _serve(self, bound: _Bound) -> None:
        """Answer at all ports. Nothing is taken back any more: threads have the sockets."""
        self._heart = bound.heart
        self._heart.start()
        self._kernel.stdin_socket = bound.sockets["stdin"]
        self._requests.listen_to_kernel(bound.sockets["shell"])
        self._control.listen(bound.sockets["control"])

    def _tell_ipykernel(self, ports: dict[str, int]) -> None:
        """Have ``%connect_info`` and its like find the file."""
        from ipykernel.kernelapp import IPKernelApp

        app = IPKernelApp(log=self._log, connection_file=str(self.path))
        app.kernel = self._kernel
        app.shell = self._kernel.shell
        # not `instance()`, which would find the engine's own application
        IPKernelApp._instance = app
        self._kernel.record_ports(ports)

    def remove_file(self) -> None:
        """Remove the connection file, in whichever thread."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close what the others do not close."""
        self.remove_file()
        if self._heart is not None:
            self._heart.stop()
            self._kernel.stdin_socket.close()


@dataclass
class _Bound:
    """What is bound, and not served yet."""

    heart: _Heart
    sockets: dict[str, Socket] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)


class _Binder:
    """Binds sockets at one address."""

    def __init__(self, transport: str, ip: str) -> None:
        self._transport = transport
        self._ip = ip
        self._count = 0

    def bind(self, socket: Socket, port: int) -> int:
        """Bind, to any free port for 0; the port.

        Raises
        ------
        OSError
            It cannot be bound; the text names the address.
        """
        if self._transport == "ipc":
            self._count += 1
            port = port or self._count
        url = self.url(port)
        try:
            socket.bind(url)
        except zmq.ZMQError as e:
            raise OSError(f"cannot listen on {url}: {e.strerror}") from None
        return port or int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def url(self, port: int) -> str:
        """Where a port is; 0 for any free one, of TCP."""
        if self._transport == "ipc":
            return f"ipc://{self._ip}-{port}"
        return f"tcp://{self._ip}:{port or '*'}"


class _Heart:
    """Echoes what front ends send to see whether the kernel lives, in C code."""

    def __init__(self) -> None:
        # not the engine's: this must work whatever that does
        self._context: zmq.Context[Socket] = zmq.Context()
        self.socket = new_socket(self._context, zmq.ROUTER)
        self._thread = threading.Thread(target=self._run, name="kernel heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            zmq.proxy(self.socket, self.socket)
        except zmq.ContextTerminated:
            self.socket.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._context.term()
            self._thread.join()
        else:
            self._context.destroy(linger=0)


def check_options(options: dict[str, Any]) -> None:
    """Raise TypeError or ValueError for what `bind_kernel` does not take."""
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise TypeError(f"bind_kernel takes {', '.join(OPTIONS)}, not {', '.join(unknown)}")
    for name in PORTS:
        port = options.get(name, 0)
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise ValueError(f"{name} must be a port number, or 0 for any, not {port!r}")
    transport = options.get("transport", "tcp")
    if transport not in ("tcp", "ipc"):
        raise ValueError(f"transport must be 'tcp' or 'ipc', not {transport!r}")
