"""Has what an engine prints and shows published."""

from __future__ import annotations

import sys

import zmq

from .kernel import IPythonParallelKernel
from .origin import follow_threads
from .output import KernelSession, OutputStream, OutputThread


def redirect_output(kernel: IPythonParallelKernel, socket: zmq.Socket[bytes], limit: int) -> None:
    """Publish the output of this process from now on.

    Parameters
    ----------
    kernel : IPythonParallelKernel
        Whose output it is.
    socket : zmq.Socket
        The output channel; from now on used by a thread of the kernel only.
    limit : int
        Bytes that a task may write to a stream; 0 for any number.
    """
    session: KernelSession = kernel.session
    thread = OutputThread(socket, session.count)
    thread.start()
    kernel.iopub_thread = thread
    kernel.iopub_socket = thread.background_socket
    kernel.shell.displayhook.pub_socket = kernel.iopub_socket
    kernel.shell.display_pub.pub_socket = kernel.iopub_socket
    for name in ("stdout", "stderr"):
        stream = OutputStream(session, thread, name, limit)
        stream.topic = kernel._topic(name)
        kernel.streams.append(stream)
        setattr(sys, name, stream)
    follow_threads()
