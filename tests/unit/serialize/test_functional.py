"""What a function requires is looked at where it arrives."""

import json
import math
import pickle

import cloudpickle
import pytest

import ipyparallel as ipp
from ipyparallel.controller import dependency
from ipyparallel.error import UnmetDependency
from ipyparallel.serialize.calls import MapCall
from ipyparallel.serialize.functional import depend, dependent, interactive, require
from ipyparallel.serialize.functions import LoadedFunctions, PickledFunctions
from ipyparallel.serialize.pickler import use_dill

IMPORTS = "import ipyparallel as ipp\n"


@pytest.fixture(params=["cloudpickle", "dill"])
def pickler(request):
    if request.param == "dill":
        use_dill()


def test_public_addresses():
    assert ipp.depend is dependency.depend is depend
    assert ipp.dependent is dependency.dependent is dependent
    assert ipp.require is dependency.require is require
    assert ipp.interactive is interactive
    assert f"{dependent.__module__}.{dependent.__qualname__}" == (
        "ipyparallel.controller.dependency.dependent"
    )


@pytest.mark.usefixtures("pickler")
def test_a_requirement_that_is_met_lets_the_function_run(sessions):
    it = sessions.define(
        IMPORTS + "def met(x, *, y): return (x, y, a) == (1, 2, 3)\n"
        "@ipp.depend(met, 1, y=2)\ndef it(x): return a + x"
    )
    sessions.engine["a"] = 3
    sent = sessions.send(it)
    assert (sent(4), sent.__name__) == (7, "it")


@pytest.mark.usefixtures("pickler")
def test_one_that_is_not_met_is_named(sessions):
    it = sessions.define(
        IMPORTS + "def has_gpu(): return False\n@ipp.depend(has_gpu)\ndef it(x): return x"
    )
    with pytest.raises(UnmetDependency, match=r"^it depends on has_gpu, which returned False$"):
        sessions.send(it)


@pytest.mark.parametrize("answer", [None, 0, "", [], True, "no"])
def test_only_false_is_no(answer):
    dependent(len, lambda: answer).check_dependency()


def test_here_the_function_is_just_called():
    def unmet():
        raise AssertionError("not here")

    it = depend(unmet)(lambda x, y=1: x + y)
    assert (it(1), it(1, y=2)) == (2, 3)


def test_an_error_in_the_requirement_is_raised(sessions):
    it = sessions.define(IMPORTS + "it = ipp.depend(lambda: 1 / 0)(len)")
    with pytest.raises(ZeroDivisionError):
        sessions.send(it)


def test_arguments_may_have_any_name():
    it = dependent(len, dict, f=1, df=2, self=3)
    assert it.dkwargs == {"f": 1, "df": 2, "self": 3}


@pytest.mark.parametrize("wrap", [lambda f: f, MapCall])
def test_it_is_looked_at_at_each_call(wrap, sessions):
    it = sessions.define(IMPORTS + "it = ipp.depend(lambda: ok)(lambda x: x)")
    frames = PickledFunctions().frames(wrap(it))
    sessions.at_engine()
    loaded = LoadedFunctions()
    sessions.engine["ok"] = True
    loaded.load(frames)
    sessions.engine["ok"] = False
    with pytest.raises(UnmetDependency):
        loaded.load(frames)


@pytest.mark.parametrize(
    "make", [lambda: depend(3), lambda: dependent(len, "x"), lambda: dependent(None, len)]
)
def test_what_cannot_be_called_is_refused(make):
    with pytest.raises(TypeError, match="between functions"):
        make()


def test_others_pickle_it_as_it_is():
    it = dependent(len, abs, 1)
    for dumps in (pickle.dumps, cloudpickle.dumps):
        twin = pickle.loads(dumps(it))
        assert (type(twin), twin.f, twin.df, twin.dargs) == (dependent, len, abs, (1,))
    assert repr(it) == "<dependent: len on abs>"


# ---- require


@pytest.mark.usefixtures("pickler")
def test_what_is_required_is_in_the_namespace_of_the_engine(sessions):
    it = sessions.define(
        IMPORTS + "import json\ndef helper(x): return x + a\nclass Helper:\n n = 3\n"
        "@ipp.require('math', json, 'os.path', helper, Helper, limit=5, f=lambda: a)\n"
        "def it(x): return (math.sqrt(x), json.dumps([x]), os.path.sep, helper(x), Helper.n,"
        " limit, f())"
    )
    sessions.engine["a"] = 100
    assert sessions.send(it)(4) == (2.0, "[4]", "/", 104, 3, 5, 100)
    assert sessions.engine["math"] is math
    assert sessions.engine["json"] is json
    assert "math" not in sessions.client


@pytest.mark.usefixtures("pickler")
def test_a_module_that_cannot_be_imported_is_named(sessions):
    it = sessions.define(IMPORTS + "it = ipp.require('json', 'no_such_module.x')(len)")
    with pytest.raises(UnmetDependency, match=r"^no_such_module\.x is required.*No module named"):
        sessions.send(it)


def test_objects_are_sent_as_they_were_when_required(sessions):
    it = sessions.define(
        IMPORTS + "values = [1]\nit = ipp.require(v=values)(lambda: v)\nvalues.append(2)"
    )
    assert sessions.send(it)() == [1]


def test_a_module_that_is_sent_by_value_need_not_be_there(beside, sessions):
    m = beside.load("beside", "def work(x): return x + 1")
    ipp.send_by_value(m)
    sessions.client["beside"] = m
    sessions.define(IMPORTS + "it = ipp.require(beside)(lambda x: beside.work(x))")
    sent = sessions.send(sessions.client["it"])
    beside.forget()
    assert sent(1) == 2


def test_functions_may_be_sent_by_value_later(beside, sessions):
    m = beside.load("beside", "def work(x): return x + 1")
    sessions.client["work"] = m.work
    it = sessions.define(IMPORTS + "it = ipp.require(work)(lambda x: work(x))")
    ipp.send_by_value("beside")
    sent = sessions.send(it)
    assert sent(1) == 2
    assert sessions.engine["work"] is not m.work


@pytest.mark.parametrize("obj", [3, [1], lambda: 1, None])
def test_an_object_without_a_name_is_refused(obj):
    with pytest.raises(TypeError, match="has no name; give it one"):
        require(obj)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a..b", "1a"])
def test_what_is_no_module_name_is_refused(name):
    with pytest.raises(ValueError, match="is not the name of a module"):
        require(name)


def test_requirements_can_be_piled_up(sessions):
    it = sessions.define(
        IMPORTS + "@ipp.require('math')\n@ipp.depend(lambda: ok)\ndef it(x): return math.sqrt(x)"
    )
    sessions.engine["ok"] = True
    assert sessions.send(it)(4) == 2.0
    sessions.engine["ok"] = False
    with pytest.raises(UnmetDependency):
        sessions.send(it)


# ---- interactive


def plain(x, y: int = 2, *, z=3):
    "What it does."
    return a + x + y + z  # noqa: F821


plain.label = "a label"


def test_an_interactive_function_sees_the_namespace(sessions):
    sessions.at_client()
    it = interactive(plain)
    assert plain.__module__ == __name__
    assert (it.__module__, it.__name__, it.__qualname__, it.__doc__, it.label) == (
        "__main__",
        "plain",
        "plain",
        "What it does.",
        "a label",
    )
    assert it.__annotations__ == {"y": int}
    sessions.client["a"] = 1
    assert it(1) == 7
    sessions.engine["a"] = 100
    assert sessions.send(it)(1, z=0) == 103


def test_an_interactive_closure(sessions):
    n = 5
    sessions.at_client()
    it = interactive(lambda: a + n)  # noqa: F821
    sessions.engine["a"] = 1
    assert sessions.send(it)() == 6


def test_an_interactive_class_travels_by_value(sessions):
    class Local:
        n = 3

    assert interactive(Local) is Local
    assert Local.__module__ == "__main__"
    assert sessions.send(Local).n == 3
