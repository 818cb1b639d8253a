"""The direct view on real engines."""

from __future__ import annotations

import functools
import os
import sys

import numpy as np
import pandas as pd
import pytest

import ipyparallel as ipp


def interactive(source: str, name: str = "f") -> object:
    """A function as if typed at a prompt: its module is ``__main__``."""
    namespace = sys.modules["__main__"].__dict__
    exec(source, namespace)
    return namespace.pop(name)


def test_one_engine_gives_a_single_result_and_several_a_list(client: ipp.Client) -> None:
    assert client[0].apply_sync(abs, -1) == 1
    assert client[[0]].apply_sync(abs, -1) == [1]
    assert client[:].apply_sync(abs, -1) == [1, 1]


def test_each_engine_is_a_process_of_its_own(client: ipp.Client) -> None:
    pids = client[:].apply_sync(os.getpid)
    assert len({*pids, os.getpid()}) == 3


def test_the_block_flag_decides_what_apply_returns(client: ipp.Client) -> None:
    view = client[0]
    assert isinstance(view.apply(abs, -1), ipp.AsyncResult)
    with view.temp_flags(block=True):
        assert view.apply(abs, -1) == 1
    assert view.block is False


def test_a_keyword_may_be_named_like_a_parameter_of_ours(client: ipp.Client) -> None:
    assert client[0].apply_sync(dict, f=1, func=2, self=3) == {"f": 1, "func": 2, "self": 3}


@pytest.mark.parametrize(
    ("source", "args", "kwargs", "expected"),
    [
        ("def f(x): return x + offset", (1,), {}, 101),
        ("f = lambda x: x + offset", (1,), {}, 101),
        ("def f(x, y=2, *, z=3): return (x, y, z)", (1,), {"z": 4}, (1, 2, 4)),
        ("def f(n): return 1 if n < 2 else n * 3", (5,), {}, 15),
        ("def f(x):\n def g(y): return x + y + offset\n return g(2)", (1,), {}, 103),
    ],
)
def test_functions_typed_at_a_prompt_see_the_namespace_of_the_engine(
    client: ipp.Client, source: str, args: tuple, kwargs: dict, expected: object
) -> None:
    client[:].push({"offset": 100}, block=True)
    f = interactive(source)
    assert client[0].apply_sync(f, *args, **kwargs) == expected
    assert client[0].apply_sync(f, *args, **kwargs) == expected  # from the caches


def test_a_changed_global_is_seen_by_a_function_that_was_sent_before(client: ipp.Client) -> None:
    f = interactive("def f(): return offset")
    for value in (1, 2):
        client[0]["offset"] = value
        assert client[0].apply_sync(f) == value


def test_closures_partials_and_classes_travel(client: ipp.Client) -> None:
    make = interactive("def f(n):\n def add(x): return x + n\n return add")
    assert client[0].apply_sync(make(3), 4) == 7
    assert client[0].apply_sync(functools.partial(make(3), 5)) == 8
    cls = interactive("class f:\n def __init__(self, v): self.v = v\n def get(self): return self.v")
    assert client[0].apply_sync(cls(9).get) == 9
    returned = client[0].apply_sync(cls, 11)
    assert isinstance(returned, cls)
    assert returned.get() == 11


def test_a_function_may_define_globals_on_the_engine(client: ipp.Client) -> None:
    f = interactive("def f():\n global made_there\n made_there = 5")
    client[:].apply_sync(f)
    assert client[:]["made_there"] == [5, 5]


def test_arrays_and_frames_go_and_come(client: ipp.Client) -> None:
    array = np.arange(200_000.0).reshape(2, -1)
    assert np.array_equal(client[0].apply_sync(np.transpose, array), array.T)
    frame = pd.DataFrame({"a": range(1000), "b": np.linspace(0, 1, 1000)})
    client[:].push({"frame": frame}, block=True)
    assert client[1]["frame.b.sum()"] == pytest.approx(frame.b.sum())
    pd.testing.assert_frame_equal(client[1]["frame"], frame)


def test_push_and_pull(client: ipp.Client) -> None:
    view = client[:]
    view.push({"a": 1, "b": [2]}, block=True)
    assert view.pull("a", block=True) == [1, 1]
    assert view.pull(["a", "b"], block=True) == [[1, [2]], [1, [2]]]
    view["b[0]"] = 7
    assert view["b"] == [[7], [7]]
    assert client[0].get("a + b[0]") == 8
    view.update({"a": 3}).get()
    assert view["a"] == [3, 3]


def test_pull_of_an_undefined_name_is_a_name_error(client: ipp.Client) -> None:
    with pytest.raises(ipp.RemoteError) as info:
        client[0].pull("nobody_defined_this", block=True)
    assert info.value.ename == "NameError"
    assert "nobody_defined_this" in info.value.evalue


@pytest.mark.parametrize("bad", [5, [1], {"a": 1}])
def test_push_and_pull_refuse_what_is_not_names(client: ipp.Client, bad: object) -> None:
    with pytest.raises(TypeError, match="pull takes"):
        client[0].pull(bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="push takes a dict"):
        client[0].push([("a", 1)])  # type: ignore[arg-type]


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("seq", [list(range(7)), range(7), tuple(range(7))])
def test_scatter_and_gather_a_sequence(client: ipp.Client, dist: str, seq: list[int]) -> None:
    view = client[:]
    assert view.scatter("part", seq, dist=dist, block=True) is None
    assert view.gather("part", dist=dist, block=True) == list(seq)


@pytest.mark.parametrize("dist", ["b", "r"])
def test_scatter_and_gather_an_array(client: ipp.Client, dist: str) -> None:
    array = np.arange(1001)
    client[:].scatter("part", array, dist=dist, block=True)
    assert client[:]["len(part)"] == [501, 500]
    assert np.array_equal(client[:].gather("part", dist=dist).get(), array)


def test_scatter_flattens_parts_of_one(client: ipp.Client) -> None:
    client[:].scatter("rank", client.ids, flatten=True, block=True)
    assert client[:]["rank"] == client.ids


def test_map_keeps_the_order_and_stops_at_the_shortest(client: ipp.Client) -> None:
    view = client[:]
    assert view.map_sync(pow, range(7), [2] * 7) == [x**2 for x in range(7)]
    assert view.map_sync(pow, range(5), [2] * 9) == [x**2 for x in range(5)]
    assert list(view.map(abs, (-x for x in range(5)))) == list(range(5))
    assert view.map_async(abs, []) == []
    with pytest.raises(TypeError, match="chunksize"):
        view.map(abs, [1], chunksize=2)


def test_map_with_exceptions_as_results(client: ipp.Client) -> None:
    f = interactive("def f(x): return 1 / x")
    results = client[:].map_sync(f, [1, 2, 0, 4], return_exceptions=True)
    assert results[:2] == [1, 0.5]
    assert isinstance(results[2], ipp.RemoteError)
    with pytest.raises(ipp.CompositeError):
        client[:].map_sync(f, [1, 2, 0, 4])


def test_errors_of_all_engines_are_told_together(client: ipp.Client) -> None:
    f = interactive("def f(): return 1 / 0")
    with pytest.raises(ipp.CompositeError) as info:
        client[:].apply_sync(f)
    error = info.value
    assert [(e[0], e[3]["engine_id"]) for e in error.elist] == [
        ("ZeroDivisionError", 0),
        ("ZeroDivisionError", 1),
    ]
    assert "return 1 / 0" not in str(error)
    assert "[0:apply]ZeroDivisionError: division by zero" in str(error)
    with pytest.raises(ipp.RemoteError, match="division by zero") as one:
        error.raise_exception(1)
    text = "\n".join(one.value.render_traceback())
    assert "ZeroDivisionError" in text
    assert "engine/apply.py" not in text  # no frame of ours


def test_an_exception_as_argument_or_result_is_just_a_value(client: ipp.Client) -> None:
    value = client[0].apply_sync(ValueError, "text")
    assert isinstance(value, ValueError)
    assert value.args == ("text",)


def test_what_cannot_be_pickled_is_named(client: ipp.Client) -> None:
    lock = interactive("import threading\nf = threading.Lock()")
    with pytest.raises(TypeError, match=r"argument 1 \(a lock\) for max"):
        client[0].apply(max, 1, lock)
    with pytest.raises(TypeError, match="argument 'key'"):
        client[0].apply(max, 1, key=lock)
    f = interactive("def f():\n import threading\n return threading.Lock()")
    with pytest.raises(ipp.RemoteError, match="f returned a lock, which cannot be pickled"):
        client[0].apply_sync(f)
    assert client[0].apply_sync(abs, -1) == 1


def test_execute_always_gives_an_async_result(client: ipp.Client) -> None:
    result = client[:].execute("x = 10", block=True)
    assert isinstance(result, ipp.AsyncResult)
    assert result.ready()
    assert client[:]["x"] == [10, 10]


def test_execute_gives_output_and_the_displayed_value(client: ipp.Client) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); 6 * 7"
    result = client[0].execute(code, silent=False, block=True)
    assert result.stdout == "out\n"
    assert result.stderr == "err\n"
    assert result.get().data == {"text/plain": "42"}
    assert result.metadata.execute_input == code


def test_run_executes_a_file(client: ipp.Client, tmp_path) -> None:
    file = tmp_path / "script.py"
    file.write_text("from_file = 12")
    client[:].run(file, block=True)
    assert client[:]["from_file"] == [12, 12]


def test_apply_captures_output_too(client: ipp.Client) -> None:
    f = interactive("def f(): print('said'); return 3")
    result = client[:].apply_async(f)
    assert result.get() == [3, 3]
    assert result.wait_for_output(20)
    assert result.stdout == ["said\n", "said\n"]


def test_metadata_tells_who_and_when(client: ipp.Client) -> None:
    result = client[1].apply_async(abs, -1)
    result.get()
    metadata = result.metadata
    assert metadata.engine_id == result["engine_id"] == result.engine_id == 1
    assert metadata.status == "ok"
    assert metadata.submitted <= metadata.started <= metadata.completed <= metadata.received
    assert 0 <= result.serial_time <= result.wall_time
    with pytest.raises(AttributeError, match="nonsense"):
        result.nonsense
    with pytest.raises(KeyError):
        result["nonsense"]


def test_a_label_is_kept_in_the_metadata(client: ipp.Client) -> None:
    view = client[0]
    with view.temp_flags(label="mine"):
        result = view.apply_async(abs, -1)
    result.get()
    assert result.label == "mine"
    assert view.label is None


@pytest.mark.parametrize(
    ("targets", "error", "text"),
    [
        (7, IndexError, "No such engine: 7"),
        ([0, 7], IndexError, "No such engine: 7"),
        ("some", TypeError, "not 'some'"),
        (1.5, TypeError, "not a float"),
        (True, TypeError, "not True"),
    ],
)
def test_bad_targets_are_refused_at_once(
    client: ipp.Client, targets: object, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        client.direct_view(targets).apply(abs, 1)
    with pytest.raises(error, match=text):
        client[:].execute("1", targets=targets)


def test_an_unknown_flag_is_refused(client: ipp.Client) -> None:
    with pytest.raises(KeyError, match="Invalid name: 'retry'"):
        client[0].set_flags(retry=1)
    with pytest.raises(KeyError, match="Invalid name: 'coalescing'"):
        client.direct_view(0, coalescing=True)


def test_large_and_many_outputs_arrive_whole(client: ipp.Client) -> None:
    code = "for i in range(2000): print(i)"
    result = client[0].execute(code, silent=False, block=True)
    assert result.stdout == "".join(f"{i}\n" for i in range(2000))


def test_output_that_is_announced_is_there_with_the_result(client: ipp.Client) -> None:
    """Output and reply come by different ways; `get` waits for both."""
    for i in range(100):
        result = client[0].execute(f"print({i}); {i}", silent=False)
        assert result.get().data == {"text/plain": str(i)}
        assert result.stdout == f"{i}\n"
        call = client[:].apply_async(print, i)
        call.get()
        assert call.stdout == [f"{i}\n"] * 2


def test_a_label_may_be_given_to_a_call(client: ipp.Client, tmp_path) -> None:
    (tmp_path / "script.py").write_text("pass")
    view, balanced = client[:], client.load_balanced_view()
    results = [
        view.execute("pass", label="mine"),
        view.run(tmp_path / "script.py", label="mine"),
        view.map(abs, range(4), label="mine"),
        balanced.map(abs, range(4), label="mine"),
    ]
    for result in results:
        result.get()
        assert set(result.label) == {"mine"}


def test_iteration_over_failures_raises_what_get_raises(client: ipp.Client) -> None:
    with pytest.raises(ipp.CompositeError, match="invalid literal"):
        list(client[:].apply_async(int, "x"))
    with pytest.raises(ipp.CompositeError, match="invalid literal"):
        list(client.load_balanced_view().map_async(int, ["1", "x"]))


def test_an_index_goes_into_a_single_result(client: ipp.Client) -> None:
    result = client[0].apply_async(list, "ab")
    result.get()
    assert result[0] == "a"
    assert result[:] == ["a", "b"]


def test_a_view_without_engines_shares_nothing_out(client: ipp.Client) -> None:
    for call in (lambda v: v.map_sync(abs, [1]), lambda v: v.scatter("x", [1], block=True)):
        with pytest.raises(IndexError, match="No engines"):
            call(client[[]])


def test_a_keyword_is_no_name(client: ipp.Client) -> None:
    with pytest.raises(TypeError, match="1 is no name"):
        client[0].push({1: 2})
    with pytest.raises(ipp.RemoteError, match="SyntaxError"):
        client[0].push({"class": 2}, block=True)
