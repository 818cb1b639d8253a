"""The error for a module that is not there says which, for what, and what to do."""

import pickle

import pytest

from ipyparallel.serialize.apply import pack_call, unpack_call
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.missing import global_names
from ipyparallel.serialize.pickler import deserialize, serialize
from ipyparallel.serialize.prepickled import PrePickled
from ipyparallel.serialize.serialize import (
    deserialize_object,
    pack_apply_message,
    serialize_object,
    unpack_apply_message,
)


def call(beside, func, *args):
    content, buffers = pack_call(func, args, {}, PickledFunctions())
    beside.forget()
    with pytest.raises(ModuleNotFoundError) as raised:
        unpack_call(content, buffers, LoadedFunctions())
    assert raised.value.name == "beside"
    return str(raised.value)


def assert_helps(text):
    assert "no module 'beside' here" in text
    assert "sys.path.insert(0" in text
    assert "ipyparallel.send_by_value('beside')" in text


def test_of_a_function(beside):
    text = call(beside, beside.load("beside", "def work(): pass").work)
    assert text.startswith("cannot load the function: ")
    assert "beside.work was sent by that name" in text
    assert_helps(text)


def test_of_an_argument(beside):
    m = beside.load("beside", "class Point: pass")
    text = call(beside, len, [m.Point()])
    assert text.startswith("cannot load the arguments of len: ")
    assert "beside.Point was sent by that name" in text
    assert_helps(text)


def test_of_what_a_closure_holds(beside, sessions):
    m = beside.load("beside", "def work(): pass")
    sessions.client["work"] = m.work
    text = call(beside, sessions.define("it = (lambda f: lambda: f())(work)"))
    assert "beside.work was sent by that name" in text


def test_of_what_was_pickled_before(beside):
    m = beside.load("beside", "def work(): pass")
    text = call(beside, len, PrePickled([m.work]))
    assert text.startswith("cannot load what was pre-pickled: ")
    assert_helps(text)


def test_of_a_result(beside):
    m = beside.load("beside", "class Point: pass")
    frames = serialize([1, m.Point()])
    beside.forget()
    with pytest.raises(ModuleNotFoundError, match=r"beside\.Point was sent by that name") as raised:
        deserialize(frames)
    assert_helps(str(raised.value))


def test_of_a_package(beside):
    beside.write("beside/__init__", "")
    m = beside.load("beside/sub", "def work(): pass")
    text = call(beside, m.work)
    assert "beside.sub.work was sent" in text
    assert_helps(text)


def test_of_calls_in_the_published_form(beside):
    m = beside.load("beside", "def work(): pass\nclass Point: pass")
    frames = serialize_object([1, [m.Point()]])
    calls = pack_apply_message(m.work, (), {})
    beside.forget()
    with pytest.raises(ModuleNotFoundError, match=r"beside\.Point was sent by that name"):
        deserialize_object(frames)
    with pytest.raises(ModuleNotFoundError, match="a function of the module 'beside'"):
        unpack_apply_message(calls)


def test_of_a_module_that_needs_another(beside, monkeypatch):
    m = beside.load("beside", "def work(): pass")
    frames = serialize(m.work)
    beside.forget()
    beside.write("beside", "import not_installed_here")
    monkeypatch.syspath_prepend(str(beside.folder))
    with pytest.raises(ModuleNotFoundError) as raised:
        deserialize(frames, "the function")
    assert raised.value.name == "not_installed_here"
    text = str(raised.value)
    assert "beside.work needs the module 'beside'" in text
    assert "No module named 'not_installed_here'. Install 'not_installed_here' here." in text
    assert "send_by_value" not in text


class Imports:
    """Imports something by itself when it is unpickled."""

    def __reduce__(self):
        return import_missing, ()


def import_missing():
    import not_installed_here  # noqa: F401


def test_an_import_in_someones_own_unpickling_is_left_alone():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'not_installed_here'$"):
        deserialize(serialize([Imports(), pickle.PickleError]))


def test_names_in_a_pickle_are_found():
    obj = [pickle.PickleError, "text", pickle.PickleError, {"json": "dumps"}, pickle.Unpickler]
    for protocol in (3, 4, 5):
        names = [f"{m}.{n}" for m, n in global_names(pickle.dumps(obj, protocol))]
        assert names == ["_pickle.PickleError", "_pickle.Unpickler"]
