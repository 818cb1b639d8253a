"""Tracebacks without the engine's own frames."""

import sys
import traceback
import types

from ipyparallel.engine.tracebacks import users_part


def function_of(module, body, **names):
    """A function `run` of a module of that name."""
    made = types.ModuleType(module)
    vars(made).update(names)
    exec(f"def run():\n    {body}", vars(made))
    return made.run


def names_in(function):
    try:
        function()
    except ZeroDivisionError:
        part = users_part(sys.exc_info()[2].tb_next)
        return [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(part)]


def test_frames_around_the_users_and_behind_them_are_left_out():
    handler = function_of("ipyparallel.engine.engine", "1 / 0")
    user = function_of("users", "handler()", handler=handler)
    other = function_of("ipyparallel.client.client", "user()", user=user)
    runner = function_of("ipyparallel.engine.apply", "other()", other=other)
    # a client that the user's code uses is the user's
    assert names_in(runner) == ["ipyparallel.client.client", "users"]


def test_where_there_are_no_others_nothing_is_left():
    unpickled = function_of("ipyparallel.serialize.pickler", "1 / 0")
    assert names_in(function_of("ipyparallel.engine.apply", "f()", f=unpickled)) == []


def test_no_traceback_is_none():
    assert users_part(None) is None
