"""Assigning, reading, scattering and gathering on real engines."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

import ipyparallel as ipp


def test_names_may_be_dotted_and_subscripted(client: ipp.Client) -> None:
    view = client[:]
    view.execute("import types; box = types.SimpleNamespace(); table = {}", block=True)
    view.push({"box.content": [1, 2], "table['a']": 3}, block=True)
    view["box.content[0]"] = 9
    assert view["box.content"] == [[9, 2]] * 2
    assert view["table['a'] + len(box.content)"] == [5, 5]
    assert view.get(("box.content[1]", "table")) == [[2, {"a": 3}]] * 2
    assert client[0]["box.content"] == [9, 2]
    assert client[[0]]["box.content"] == [[9, 2]]


def test_push_and_update_as_calls_that_wait_or_not(client: ipp.Client) -> None:
    view = client[:]
    assert isinstance(view.push({"a": 1}), ipp.AsyncResult)
    assert view.push({"a": 2}, block=True) == [None, None]
    view.block = True
    assert view.update({"a": 3}) == [None, None]
    assert view.pull("a") == [3, 3]
    assert isinstance(view.pull("a", block=False), ipp.AsyncResult)


def test_pull_takes_sets_and_nothing(client: ipp.Client) -> None:
    client[:].push({"a": 1}, block=True)
    assert client[:].pull({"a"}, block=True) == [[1], [1]]
    assert client[0].pull([], block=True) == []


def test_pull_names_what_is_not_defined(client: ipp.Client) -> None:
    for names in "never_defined", ["never_defined"], "never_defined.part":
        with pytest.raises(ipp.RemoteError, match="'never_defined' is not defined") as info:
            client[0].pull(names, block=True)
        assert info.value.ename == "NameError"
    with pytest.raises(ipp.CompositeError, match="'never_defined' is not defined"):
        client[:]["never_defined"]


@pytest.mark.parametrize("key", [3, None, ["a"]])
def test_scatter_and_gather_take_one_name(client: ipp.Client, key: object) -> None:
    for call in client[:].gather, lambda key: client[:].scatter(key, [1]):
        with pytest.raises(TypeError, match="must be a str"):
            call(key)


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize(
    "seq",
    [
        [],
        [1],
        list(range(7)),
        range(7),
        range(10, 0, -3),
        tuple(range(7)),
        deque(range(7)),
        [[1, 2], [3], []],
    ],
    ids=repr,
)
def test_what_is_scattered_gathers_to_its_elements(client: ipp.Client, dist: str, seq) -> None:
    view = client[:]
    result = view.scatter("part", seq, dist=dist)
    assert result._scatter_lengths == [-(-len(seq) // 2), len(seq) // 2]
    assert result.get() == [None, None]
    gathered = view.gather("part", dist=dist)
    assert isinstance(gathered, ipp.AsyncMapResult)
    assert gathered.get() == list(seq)


def test_sets_and_generators_scatter_in_the_order_of_iteration(client: ipp.Client) -> None:
    view = client[:]
    view.scatter("part", (x * x for x in range(5)), block=True)
    assert view["part"] == [[0, 1, 4], [9, 16]]
    view.scatter("part", {"a": 1, "b": 2}, dist="r", block=True)
    assert view["part"] == [["a"], ["b"]]
    view.scatter("part", {3}, block=True)
    assert view["part"] == [[3], []]


def test_texts_scatter_and_stay_in_parts(client: ipp.Client) -> None:
    view = client[:]
    view.scatter("part", "abcde", block=True)
    assert view.gather("part", block=True) == ["abc", "de"]


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("shape", [(1,), (5,), (3, 2), (0, 4)])
def test_arrays_stay_arrays(client: ipp.Client, dist: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    view = client[:]
    view.scatter("part", array, dist=dist, block=True)
    gathered = view.gather("part", dist=dist, block=True)
    assert isinstance(gathered, np.ndarray)
    assert np.array_equal(gathered, array)


def test_flatten_takes_parts_of_one_out(client: ipp.Client) -> None:
    view = client[:]
    view.scatter("x", range(5, 7), flatten=True, block=True)
    assert view["x"] == [5, 6]
    view.scatter("x", [5], flatten=True, block=True)
    assert view["x"] == [5, []]


def test_one_engine_gets_and_gives_all(client: ipp.Client) -> None:
    view = client[0]
    assert view.scatter("x", range(3)).get() == [None]
    assert view["x"] == range(3)
    assert view.gather("x", block=True) == [0, 1, 2]


def test_gather_joins_what_engines_have_made(client: ipp.Client) -> None:
    view = client[:]
    view.scatter("rank", client.ids, flatten=True, block=True)
    view.execute("some = [rank] * (rank + 1)", block=True)
    assert view.gather("some", block=True) == [0, 1, 1]
    assert view.gather("some", dist="r", block=True) == [0, 1, 1]
    assert view.gather("rank", block=True) == [0, 1]
    view.execute("import numpy as np; some = np.full(3 * rank + 1, rank)", block=True)
    assert view.gather("some", dist="r", block=True).tolist() == [0, 1, 1, 1, 1]
    view.execute("some = [1] if rank else 1", block=True)
    assert view.gather("some", block=True) == [1, [1]]


def test_a_failing_scatter_tells_when_it_waits(client: ipp.Client) -> None:
    with pytest.raises(ipp.CompositeError, match="SyntaxError"):
        client[:].scatter("not a name", [1, 2], block=True)


def test_clear_empties_the_namespaces(client: ipp.Client) -> None:
    view = client[:]
    view["leftover"] = 1
    assert view.clear(block=True).done()
    with pytest.raises(ipp.CompositeError, match="'leftover' is not defined"):
        view["leftover"]


def test_execute_takes_code(client: ipp.Client) -> None:
    with pytest.raises(TypeError, match="code as a str, not a bytes"):
        client[:].execute(b"pass")
    view = client[:]
    view.block = True
    with pytest.raises(ipp.CompositeError, match="division by zero"):
        view.execute("1 / 0")
    result = view.execute("print('there')")
    assert result.stdout == ["there\n"] * 2


def test_run_of_what_cannot_be_read_sends_nothing(client: ipp.Client, tmp_path) -> None:
    before = len(client.history)
    with pytest.raises(FileNotFoundError, match=r"absent\.py"):
        client[:].run(tmp_path / "absent.py")
    (tmp_path / "odd.py").write_bytes(b"# coding: nonsense\n")
    with pytest.raises(SyntaxError, match="nonsense"):
        client[:].run(tmp_path / "odd.py")
    assert len(client.history) == before


def test_run_heeds_the_coding_of_the_file(client: ipp.Client, tmp_path) -> None:
    file = tmp_path / "latin.py"
    file.write_bytes("# coding: latin-1\nname = 'Zoë'".encode("latin-1"))
    client[:].run(str(file), block=True)
    assert client[:]["name"] == ["Zoë", "Zoë"]
