"""Exceptions: their texts, their way across the wire, and their pickles."""

import builtins
import copy
import pickle
import traceback

import pytest

from ipyparallel import error
from ipyparallel.error import (
    AlreadyDisplayedError,
    CompositeError,
    ControllerLost,
    EngineError,
    ImpossibleDependency,
    InvalidDependency,
    IPythonError,
    KernelError,
    NoEnginesRegistered,
    RemoteError,
    TaskAborted,
    TaskTimeout,
    UnmetDependency,
    collect_exceptions,
    describe_exception,
    engine_died,
    unwrap_exception,
    wrap_exception,
)

INFO = {"engine_uuid": "u-0", "engine_id": 0, "method": "apply"}


def remote(engine_id=0, text="division by zero"):
    info = {**INFO, "engine_id": engine_id}
    return RemoteError("ZeroDivisionError", text, "Traceback:\n  1/0", info)


def failure(engine_id=0):
    one = remote(engine_id)
    return (one.ename, one.evalue, one.traceback, one.engine_info)


# ---- the family


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("IPythonError", "Exception"),
        ("KernelError", "IPythonError"),
        ("EngineError", "KernelError"),
        ("NoEnginesRegistered", "KernelError"),
        ("TaskAborted", "KernelError"),
        ("TaskTimeout", "KernelError"),
        ("UnmetDependency", "KernelError"),
        ("ImpossibleDependency", "UnmetDependency"),
        ("DependencyTimeout", "ImpossibleDependency"),
        ("InvalidDependency", "ImpossibleDependency"),
        ("RemoteError", "KernelError"),
        ("TaskRejectError", "KernelError"),
        ("CompositeError", "RemoteError"),
        ("AlreadyDisplayedError", "RemoteError"),
    ],
)
def test_each_exception_has_its_published_base(name, base):
    assert getattr(error, name).__bases__[0].__name__ == base


@pytest.mark.parametrize("name", error.__all__)
def test_each_exception_is_known_by_its_public_address(name):
    if isinstance(cls := getattr(error, name), type) and issubclass(cls, IPythonError):
        assert cls.__module__ == "ipyparallel.error"


def test_timeout_error_is_pythons_own():
    assert error.TimeoutError is TimeoutError


def test_all_names_exist():
    assert [name for name in error.__all__ if not hasattr(error, name)] == []


SAMPLES = [
    IPythonError("a", 1),
    KernelError("a"),
    EngineError("a"),
    ControllerLost("a"),
    error.ClientClosed("a"),
    NoEnginesRegistered(),
    TaskAborted("a"),
    error.TaskCancelled("a"),
    TaskTimeout("a"),
    UnmetDependency("a"),
    ImpossibleDependency("a"),
    error.DependencyTimeout("a"),
    InvalidDependency("a"),
    error.TaskRejectError("a"),
    error.MessageTooLarge("a"),
    remote(),
    RemoteError("E", "v", "tb"),
    CompositeError("what", [failure(0), failure(1)]),
    AlreadyDisplayedError(CompositeError("what", [failure(0), failure(1)])),
    AlreadyDisplayedError(remote()),
]


def test_every_exception_is_among_the_samples():
    classes = {
        cls
        for name in error.__all__
        if isinstance(cls := getattr(error, name), type) and issubclass(cls, IPythonError)
    }
    assert {type(sample) for sample in SAMPLES} == classes


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
@pytest.mark.parametrize(
    "duplicate",
    [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_every_exception_survives_pickling_and_copying(sample, duplicate):
    twin = duplicate(sample)
    assert type(twin) is type(sample)
    assert str(twin) == str(sample)
    assert repr(twin) == repr(sample)
    if isinstance(sample, RemoteError):
        assert twin.render_traceback() == sample.render_traceback()
        assert twin.engine_info == sample.engine_info
    else:
        assert twin.args == sample.args


# ---- one remote error


def test_a_remote_error_says_where_and_what():
    one = remote()
    assert str(one) == "[0:apply] ZeroDivisionError: division by zero"
    assert repr(one) == "<RemoteError[0]:ZeroDivisionError(division by zero)>"
    assert one.args == ("ZeroDivisionError", "division by zero")


def test_a_remote_error_from_nobody_says_so():
    assert str(RemoteError("E", "v", "")) == "[Engine Exception] E: v"
    assert repr(RemoteError("E", "v", "")) == "<RemoteError[ ]:E(v)>"


def test_a_remote_traceback_is_shown_in_place_of_the_local_one(capsys):
    one = remote()
    assert one.render_traceback() == ["[0:apply]", "Traceback:", "  1/0"]
    assert one._render_traceback_() == one.render_traceback()
    one.print_traceback()
    assert capsys.readouterr().out == "[0:apply]\nTraceback:\n  1/0\n"


def test_a_missing_traceback_is_said_to_be_missing():
    assert RemoteError("E", "v", None).render_traceback()[1:] == ["E: v"]


def test_the_engine_info_is_not_shared_with_the_caller():
    info = dict(INFO)
    one = RemoteError("E", "v", "", info)
    info["engine_id"] = 7
    assert one.engine_info == INFO


def test_how_an_engine_died_is_told():
    assert str(engine_died(3, "a_1", "")) == "Engine 3 died while running task 'a_1'"
    assert str(engine_died(3, "a_1", "exit code 9")).endswith("task 'a_1': exit code 9")


def test_no_engines_advises_to_wait():
    assert "wait_for_engines" in str(NoEnginesRegistered())


# ---- several


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "in f\n[0:apply]ZeroDivisionError: division by zero"),
        (
            4,
            "in f\n"
            "[0:apply]ZeroDivisionError: division by zero\n"
            "[1:apply]ZeroDivisionError: division by zero\n"
            "[2:apply]ZeroDivisionError: division by zero\n"
            "[3:apply]ZeroDivisionError: division by zero",
        ),
        (
            7,
            "in f\n"
            "[0:apply]ZeroDivisionError: division by zero\n"
            "[1:apply]ZeroDivisionError: division by zero\n"
            "[2:apply]ZeroDivisionError: division by zero\n"
            "[3:apply]ZeroDivisionError: division by zero\n"
            ".... 3 more exceptions ...",
        ),
    ],
)
def test_a_composite_error_shows_four_and_counts_the_rest(number, text):
    several = CompositeError("in f", [failure(i) for i in range(number)])
    assert CompositeError.tb_limit == 4
    assert str(several) == text
    assert repr(several) == f"CompositeError({number})"
    assert several.msg == "in f"


def test_a_composite_error_renders_four_tracebacks():
    lines = CompositeError("in f", [failure(i) for i in range(6)]).render_traceback()
    assert lines[:4] == ["[0:apply]:", "Traceback:", "  1/0", ""]
    assert [line for line in lines if line.startswith("[")] == [f"[{i}:apply]:" for i in range(4)]
    assert lines[-1] == "... 2 more exceptions ..."


def test_one_of_several_can_be_shown_and_raised(capsys):
    several = CompositeError("in f", [failure(0), failure(1)])
    several.print_traceback(1)
    assert capsys.readouterr().out == "[1:apply]:\nTraceback:\n  1/0\n"
    with pytest.raises(RemoteError) as raised:
        several.raise_exception(1)
    assert isinstance(raised.value, ZeroDivisionError)
    assert raised.value.__notes__ == ["Traceback:\n  1/0"]
    assert str(raised.value) == "[1:apply] ZeroDivisionError: division by zero"
    with pytest.raises(RemoteError, match=r"^\[0:apply\]"):
        several.raise_exception()


@pytest.mark.parametrize("method", ["raise_exception", "render_traceback", "print_traceback"])
def test_one_that_is_not_among_several_is_an_index_error(method):
    several = CompositeError("in f", [failure(0), failure(1)])
    with pytest.raises(IndexError, match=r"no exception 2: there are 2"):
        getattr(several, method)(2)


def test_errors_already_displayed_are_only_counted():
    several = CompositeError("in f", [failure(i) for i in range(6)])
    shown = AlreadyDisplayedError(several)
    assert (shown.original_error, shown.n, str(shown)) == (several, 6, "6 errors")
    assert shown.render_traceback() == ["6 errors"]
    assert AlreadyDisplayedError(remote()).n == 1


# ---- collecting


@pytest.mark.parametrize("results", [[], [1, "a", None], {0: 1, 1: ValueError("a value")}])
def test_results_without_failures_are_returned_as_they_are(results):
    assert collect_exceptions(results, "f") is results


@pytest.mark.parametrize("make", [list, lambda results: dict(enumerate(results))])
def test_failures_among_results_are_raised_as_one(make):
    with pytest.raises(CompositeError) as raised:
        collect_exceptions(make([1, remote(1), 2, remote(3)]), "f")
    assert raised.value.msg == "one or more exceptions raised in: f"
    assert raised.value.elist == [failure(1), failure(3)]


def test_a_composite_among_results_is_taken_apart():
    several = CompositeError("inner", [failure(1), failure(2)])
    with pytest.raises(CompositeError) as raised:
        collect_exceptions([remote(0), several], "f")
    assert raised.value.elist == [failure(0), failure(1), failure(2)]


def test_aborted_tasks_and_dead_engines_count_as_failures():
    with pytest.raises(CompositeError) as raised:
        collect_exceptions([TaskAborted("aborted"), EngineError("died"), 3], "f")
    assert str(raised.value).splitlines()[1:] == [
        "[Engine Exception] TaskAborted: aborted",
        "[Engine Exception] EngineError: died",
    ]


# ---- across the wire


def wrapped(engine_info=None):
    try:
        1 / 0
    except ZeroDivisionError:
        return wrap_exception(engine_info)


def test_what_is_wrapped_is_unwrapped():
    content = wrapped(INFO)
    assert {**content, "traceback": None} == {
        "status": "error",
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "traceback": None,
        "engine_info": INFO,
    }
    one = unwrap_exception(content)
    assert isinstance(one, RemoteError)
    assert isinstance(one, ZeroDivisionError)
    assert str(one) == "[0:apply] ZeroDivisionError: division by zero"
    assert one.engine_info == INFO
    assert one.traceback == "\n".join(content["traceback"])
    assert "1 / 0" in one.traceback


def test_nothing_to_wrap_is_wrapped_all_the_same():
    assert wrap_exception()["status"] == "error"


@pytest.mark.parametrize(
    "cls", [ControllerLost, EngineError, TaskAborted, TaskTimeout, InvalidDependency]
)
def test_what_the_controller_says_failed_is_raised_as_itself(cls):
    one = unwrap_exception(describe_exception(cls("why")))
    assert type(one) is cls
    assert str(one) == "why"


def test_the_same_from_code_on_an_engine_is_remote():
    one = unwrap_exception(describe_exception(EngineError("why"), engine_info=INFO))
    assert isinstance(one, RemoteError)
    assert one.ename == "EngineError"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "[Engine Exception] UnknownError: "),
        ({"ename": "E", "evalue": None, "traceback": None}, "[Engine Exception] E: None"),
        ({"ename": "E", "evalue": 3, "traceback": "one text"}, "[Engine Exception] E: 3"),
    ],
)
def test_incomplete_contents_are_unwrapped_as_far_as_they_go(content, text):
    assert str(unwrap_exception(content)) == text


# ---- of the original type, too


class Refusal(Exception):
    """An exception with arguments of its own."""

    def __init__(self, code, *, advice):
        super().__init__(code)
        self.code = code
        self.advice = advice

    def __reduce__(self):
        return _refusal, (self.code, self.advice)


def _refusal(code, advice):
    return Refusal(code, advice=advice)


def unwrapped(original):
    content = describe_exception(original, ["Traceback:", "  user code"], INFO)
    return unwrap_exception(content, original)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(builtins).values()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    ],
)
def test_every_exception_of_python_is_caught_as_itself_unless_it_is_a_command(kind):
    is_command = not issubclass(kind, Exception) or issubclass(
        kind, (StopIteration, StopAsyncIteration)
    )
    one = unwrap_exception({"ename": kind.__name__, "evalue": "v", "engine_info": INFO})
    assert isinstance(one, RemoteError)
    if kind in (BaseException, Exception, BaseExceptionGroup, ExceptionGroup):
        return  # RemoteError is the first; groups cannot be made from a name alone
    assert isinstance(one, kind) is not is_command
    assert str(one) == f"[0:apply] {kind.__name__}: v"
    assert one.args == (kind.__name__, "v")
    assert repr(pickle.loads(pickle.dumps(one))) == repr(one)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopIteration, GeneratorExit])
def test_a_command_to_the_engine_is_none_to_the_client(kind):
    one = unwrapped(kind("v"))
    assert type(one) is RemoteError
    assert one.ename == kind.__name__


def test_attributes_of_the_original_come_along():
    one = unwrapped(FileNotFoundError(2, "No such file or directory", "/nowhere"))
    assert isinstance(one, OSError)
    assert (one.errno, one.strerror, one.filename) == (2, "No such file or directory", "/nowhere")
    one = unwrapped(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))
    assert (one.encoding, one.object, one.start) == ("utf-8", b"\xff", 0)
    one = unwrapped(ModuleNotFoundError("no x", name="x"))
    assert one.name == "x"


@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
def test_an_exception_of_the_users_is_both_and_pickles(duplicate):
    one = duplicate(unwrapped(Refusal(3, advice="ask again")))
    assert isinstance(one, RemoteError)
    assert isinstance(one, Refusal)
    assert (one.code, one.advice) == (3, "ask again")
    assert one.args == ("Refusal", "3")
    assert one.original.args == (3,)
    assert one.engine_info == INFO


def test_an_exception_of_a_class_that_cannot_be_named_pickles_as_a_plain_remote_error():
    class Local(Exception):
        pass

    one = unwrapped(Local("here"))
    assert isinstance(one, Local)
    twin = pickle.loads(pickle.dumps(one))
    assert type(twin) is RemoteError
    assert str(twin) == "[0:apply] Local: here"


def test_a_class_that_cannot_be_combined_gives_a_plain_remote_error():
    class Sealed(Exception):
        def __init_subclass__(cls):
            raise TypeError("no subclasses")

    one = unwrapped(Sealed("here"))
    assert type(one) is RemoteError
    assert str(one) == "[0:apply] Sealed: here"


class Own(Exception):
    """Has properties with the names of ours."""

    engine_info = ename = evalue = traceback = original = property(lambda self: "its own")


class Fixed(Exception):
    def __setattr__(self, name, value):
        raise AttributeError(f"cannot set {name}")


class Args(Exception):
    args = property(lambda self: ("its own",))


class Exits(Exception):
    """May be raised once, and not be made again."""

    allowed = 1

    def __new__(cls, *args):
        if not Exits.allowed:
            raise SystemExit(3)
        Exits.allowed -= 1
        return super().__new__(cls, *args)


def test_a_class_with_properties_named_like_ours_is_both():
    one = unwrapped(Own("here"))
    assert isinstance(one, Own)
    assert str(one) == "[0:apply] Own: here"
    assert "user code" in one.traceback
    assert one.original.traceback == "its own"
    assert "user code" in shown(CompositeError("in f", [one]))


@pytest.mark.parametrize("kind", [Fixed, Args, Exits])
def test_a_class_that_does_not_bear_it_gives_a_plain_remote_error(kind):
    one = unwrapped(kind("here"))
    assert type(one) is RemoteError
    assert str(one).startswith(f"[0:apply] {kind.__name__}: ")
    assert "user code" in one.traceback


def test_a_remote_group_is_a_group():
    one = unwrapped(ExceptionGroup("two", [ValueError("a"), KeyError("b")]))
    assert isinstance(one, ExceptionGroup)
    assert [type(e) for e in one.exceptions] == [ValueError, KeyError]


def test_what_was_remote_to_the_engine_is_remote_here():
    one = unwrapped(remote(4))
    assert isinstance(one, RemoteError)
    assert one.engine_info == INFO


# ---- a group


def test_a_composite_error_is_taken_apart_by_type():
    several = CompositeError(
        "in f", [failure(0), ("ValueError", "a value", "tb", INFO), EngineError("engine 2 died")]
    )
    divisions, values, engines = [], [], []
    try:
        raise several
    except* ZeroDivisionError as e:
        divisions = e.exceptions
    except* ValueError as e:
        values = e.exceptions
    except* EngineError as e:
        engines = e.exceptions
    assert [str(e) for e in divisions] == ["[0:apply] ZeroDivisionError: division by zero"]
    assert [str(e) for e in values] == ["[0:apply] ValueError: a value"]
    assert [str(e) for e in engines] == ["engine 2 died"]


def test_what_is_left_of_a_composite_error_is_one_again():
    several = CompositeError("in f", [failure(0), ("ValueError", "a value", "tb", INFO)])

    def handle_values():
        try:
            raise several
        except* ValueError:
            pass

    with pytest.raises(CompositeError) as raised:
        handle_values()
    assert raised.value.elist == [failure(0)]
    assert raised.value.msg == "in f"


@pytest.mark.parametrize(("again", "left"), [(False, ["V"]), (True, ["Z", "V", "Z"])])
def test_what_is_not_handled_of_a_composite_error_is_raised_on(again, left):
    zero = unwrap_exception(describe_exception(ZeroDivisionError("Z"), ["Traceback"], INFO))
    value = unwrap_exception(describe_exception(ValueError("V"), ["Traceback"], INFO))

    def handle():
        try:
            raise CompositeError("in f", [zero, value, zero])
        except* ZeroDivisionError:
            if again:
                raise

    with pytest.raises(CompositeError) as raised:
        handle()
    assert [one.evalue for one in raised.value.exceptions] == left


def test_a_composite_error_leaves_its_failures_as_they_are():
    alone = [
        unwrap_exception(
            describe_exception(one, ["Traceback:", "  remote line"], INFO), original=one
        )
        for one in [OSError(2, "missing", f"file {i}") for i in range(6)]
    ]
    alone[5].add_note("a note")
    several = CompositeError("in f", alone)
    nested = CompositeError("in g", [*alone, *several.exceptions])
    for one in alone:
        assert "remote line" in shown(one)
    assert shown(several).count("remote line") == shown(nested).count("remote line") == 4
    copy = several.exceptions[5]
    assert isinstance(copy, type(alone[5]))
    assert copy.args == alone[5].args
    assert (copy.errno, copy.filename, copy.original) == (2, "file 5", alone[5].original)
    assert (str(copy), copy.traceback) == (str(alone[5]), alone[5].traceback)
    assert copy.__notes__ == ["a note"]


def test_a_composite_error_needs_a_failure():
    with pytest.raises(ValueError, match="non-empty"):
        CompositeError("in f", [])


# ---- as Python shows it


def shown(exception):
    with pytest.raises(type(exception)) as raised:
        raise exception
    return "".join(traceback.format_exception(raised.value))


def test_python_shows_the_remote_traceback_without_colours():
    one = RemoteError("E", "v", "\x1b[31mTraceback\x1b[0m\n  remote line", INFO)
    text = shown(one)
    assert text.endswith(
        "ipyparallel.error.RemoteError: [0:apply] E: v\nTraceback\n  remote line\n"
    )


def test_python_shows_the_notes_of_the_user_too():
    one = remote()
    one.add_note("while loading")
    assert shown(one).endswith("Traceback:\n  1/0\nwhile loading\n")
    assert one.render_traceback()[-1] == "while loading"


def test_python_shows_as_many_tracebacks_as_the_limit_says(monkeypatch):
    several = CompositeError("in f", [failure(i) for i in range(100)])
    assert shown(several).count("1/0") == 4
    monkeypatch.setattr(CompositeError, "tb_limit", 1)
    assert shown(several).count("1/0") == 1
    assert len(shown(several).splitlines()) < 60
