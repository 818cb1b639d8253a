"""Exceptions inside an error reply."""

import sys
import threading

import pytest

from ipyparallel.error import EngineError, RemoteError, describe_exception
from ipyparallel.protocol.messages import decode, encode
from ipyparallel.serialize.exceptions import attach_exception, read_exception

INFO = {"engine_uuid": "u-0", "engine_id": 0, "method": "apply"}


class Refusal(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return Refusal, (self.code,)


def across(error):
    """What the client raises when an engine has raised `error`."""
    content = attach_exception(describe_exception(error, ["tb"], INFO), error)
    return read_exception(decode(encode(content)))


def test_an_exception_arrives_with_its_attributes():
    one = across(Refusal(7))
    assert isinstance(one, RemoteError)
    assert isinstance(one, Refusal)
    assert one.code == 7
    assert one.evalue == "code 7"
    assert isinstance(one.original, Refusal)


@pytest.mark.parametrize(
    "payload", [threading.Lock(), "x" * (1 << 17)], ids=["unpicklable", "large"]
)
def test_one_that_cannot_be_sent_is_told_by_name(payload):
    error = ValueError("a value")
    error.payload = payload
    one = across(error)
    assert isinstance(one, ValueError)
    assert isinstance(one, RemoteError)
    assert one.original is None
    assert str(one) == "[0:apply] ValueError: a value"


class DoesNotUnpickle(Exception):
    def __reduce__(self):
        return int, ("no number",)


class EndsTheProgram(Exception):
    def __reduce__(self):
        return sys.exit, (3,)


@pytest.mark.parametrize("kind", [DoesNotUnpickle, EndsTheProgram])
def test_one_that_cannot_be_unpickled_is_told_by_name(kind):
    one = across(kind("here"))
    assert type(one) is RemoteError
    assert str(one) == f"[0:apply] {kind.__name__}: here"


@pytest.mark.parametrize("text", ["not base64", "AAAA", 3, None, ""])
def test_what_is_no_exception_is_left_aside(text):
    content = {"ename": "ValueError", "evalue": "v", "engine_info": INFO, "exception": text}
    one = read_exception(content)
    assert isinstance(one, ValueError)
    assert one.original is None


def test_what_unpickles_to_something_else_is_left_aside():
    content = attach_exception({"ename": "ValueError", "evalue": "v", "engine_info": INFO}, "text")
    assert read_exception(content).original is None


def test_what_the_controller_made_is_as_before():
    one = read_exception(describe_exception(EngineError("gone")))
    assert type(one) is EngineError
