"""What holds for all tests."""

import signal

# What a shell starts in the background ignores Ctrl-C, and all that it starts in its turn.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
