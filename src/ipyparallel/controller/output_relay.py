"""The output channel: what engines publish passes to clients in C code, without the GIL."""

from __future__ import annotations

import threading

import zmq


class OutputRelay:
    """Relays what engines publish to clients, and the clients' subscriptions back.

    Parameters
    ----------
    engines : zmq.Socket
        A bound XSUB.
    clients : zmq.Socket
        A bound XPUB.
    """

    def __init__(self, engines: zmq.Socket[bytes], clients: zmq.Socket[bytes]) -> None:
        self._engines = engines
        self._clients = clients
        self._thread = threading.Thread(target=self._run, name="output relay", daemon=True)

    def start(self) -> None:
        """Run in a thread of its own until the sockets' context is terminated."""
        self._thread.start()

    def _run(self) -> None:
        try:
            zmq.proxy(self._engines, self._clients)
        except zmq.ContextTerminated:
            pass
        finally:
            self._engines.close()
            self._clients.close()
