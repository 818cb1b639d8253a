"""Messages that are too large are refused before they are sent."""

import pytest

from ipyparallel.error import MessageTooLarge
from ipyparallel.serialize import limits
from ipyparallel.serialize.limits import check_size


def test_up_to_the_limit_anything_goes():
    check_size([b"12345", memoryview(b"12345")], 10, print, "Client.max_message_size")


def test_beyond_it_the_error_names_size_limit_function_and_setting():
    with pytest.raises(MessageTooLarge) as raised:
        check_size([b"x" * 2000], 1000, print, "Client.max_message_size")
    for part in ("the call of print", "2,000 bytes", "Client.max_message_size is 1,000"):
        assert part in str(raised.value)
    with pytest.raises(ValueError, match="the result of print"):
        check_size([b"x" * 2000], 1000, print, "IPEngine.max_message_size")


def test_zero_is_no_limit():
    check_size([b"x" * 2000], 0, print, "Client.max_message_size")


class Claims:
    """A frame that only says that it is large."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


def test_by_default_it_is_half_of_the_memory(monkeypatch):
    monkeypatch.setattr(limits, "_default_limit", lambda: 1 << 30)
    check_size([Claims(1 << 30)], None, print, "Client.max_message_size")
    with pytest.raises(MessageTooLarge, match="1,073,741,824"):
        check_size([Claims((1 << 30) + 1)], None, print, "Client.max_message_size")


def test_half_of_the_memory_is_measured():
    assert limits._default_limit() > 1 << 20
