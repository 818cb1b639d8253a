"""Children, command lines, sockets."""

import signal
import subprocess
import sys

import zmq

from ipyparallel.util import set_hwm, shlex_join, signal_children


def test_a_signal_ends_the_children():
    numbers = (signal.SIGINT, signal.SIGABRT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            try:
                signal_children([child])
                signal.raise_signal(number)
                assert child.wait(20) == -signal.SIGTERM
            finally:
                child.kill()
                for one, handler in before.items():
                    signal.signal(one, handler)


def test_command_lines():
    assert shlex_join(["a b", "c"]) == "'a b' c"


def test_high_water_marks():
    with zmq.Context() as context, context.socket(zmq.PUSH) as sock:
        set_hwm(sock)
        assert (sock.sndhwm, sock.rcvhwm) == (0, 0)
        set_hwm(sock, 5)
        assert sock.sndhwm == 5
