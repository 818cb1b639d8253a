"""What tasks wait for, where they may run, and how often they are tried, on real engines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ipyparallel as ipp


def pid(*_: object) -> int:
    return os.getpid()


def when_there(path: str, value: object = None) -> object:
    """Return when there is such a file."""
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)
    return value


def fail(*_: object) -> None:
    raise ValueError("as asked")


def fail_at_first(folder: str, times: int, error: type[Exception] = ValueError) -> int:
    """Fail so many times; say how many attempts it took."""
    attempts = len(os.listdir(folder))
    (Path(folder) / str(attempts)).touch()
    if attempts < times:
        raise error(f"attempt {attempts}")
    return attempts + 1


@pytest.fixture
def view(client: ipp.Client) -> ipp.LoadBalancedView:
    return client.load_balanced_view()


@pytest.fixture
def go(tmp_path: Path):
    """A file that tasks wait for; made at the end, so that none goes on waiting."""
    path = tmp_path / "go"
    yield path
    path.touch()


#: Every way to name the tasks behind a result.
FORMS: dict[str, Callable[[ipp.AsyncResult], object]] = {
    "result": lambda ar: ar,
    "id": lambda ar: ar.msg_ids[0],
    "list of results": lambda ar: [ar],
    "tuple of ids": lambda ar: tuple(ar.msg_ids),
    "set of ids": lambda ar: set(ar.msg_ids),
    "Dependency": lambda ar: ipp.Dependency([ar]),
    "dict": lambda ar: ipp.Dependency(ar).as_dict(),
    "any of": lambda ar: ipp.Dependency([ar], all=False),
    "ended somehow": lambda ar: ipp.Dependency([ar], failure=True),
}

each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


# ---- after


@each_form
def test_a_task_begins_after_others(view: ipp.LoadBalancedView, go: Path, form) -> None:
    first = view.apply_async(when_there, str(go))
    with view.temp_flags(after=form(first)):
        second = view.apply_async(os.path.exists, str(go))
    # the other engine is idle all the while
    assert view.apply_sync(abs, -1) == 1
    assert not second.ready()
    go.touch()
    assert second.get(20) is True
    assert view.apply_sync(abs, -1) == 1


def test_after_a_map_is_after_all_of_it(view: ipp.LoadBalancedView, go: Path) -> None:
    for chunksize in (1, "auto"):
        path = go.with_name(f"go {chunksize}")
        first = view.map_async(when_there, ["/", "/", str(path)], chunksize=chunksize)
        with view.temp_flags(after=first):
            second = view.apply_async(first_is_there, str(path))
        assert not second.wait(0.05)
        path.touch()
        assert second.get(20) is True
        assert first.get(20) == [None] * 3


def first_is_there(path: str) -> bool:
    return os.path.exists(path)


def test_a_map_may_wait(view: ipp.LoadBalancedView, go: Path) -> None:
    first = view.apply_async(when_there, str(go))
    with view.temp_flags(after=first):
        maps = [view.map_async(abs, range(20), chunksize=size) for size in (1, 5, "auto")]
        lazy = view.imap(abs, range(20))
    assert not any(result.wait(0.01) for result in maps)
    go.touch()
    assert [result.get(20) for result in maps] == [list(range(20))] * 3
    assert list(lazy) == list(range(20))


def test_what_fails_is_not_a_success(view: ipp.LoadBalancedView) -> None:
    failed = view.apply_async(fail)
    with view.temp_flags(after=failed):
        second = view.apply_async(abs, -1)
    with pytest.raises(ipp.ImpossibleDependency):
        second.get(20)
    with view.temp_flags(after=ipp.Dependency(failed, success=False, failure=True)):
        assert view.apply_async(abs, -1).get(20) == 1


@pytest.mark.parametrize("flag", ["after", "follow"])
def test_what_the_scheduler_has_never_seen_is_invalid(client: ipp.Client, flag: str) -> None:
    view = client.load_balanced_view()
    direct = client[0].apply_async(abs, -1)
    for wrong in direct, "no such task":
        with view.temp_flags(**{flag: wrong}), pytest.raises(ipp.InvalidDependency):
            view.apply_async(abs, -1).get(20)


# ---- follow


@each_form
def test_a_task_runs_where_others_did(client: ipp.Client, view, form) -> None:
    for engine_id in client.ids:
        first = client.load_balanced_view(targets=engine_id).apply_async(pid)
        first.get(20)
        with view.temp_flags(follow=form(first)):
            followers = [view.apply_async(pid) for _ in range(4)]
        assert {ar.get(20) for ar in followers} == {first.get()}


def test_nothing_can_follow_to_two_engines(client: ipp.Client, view) -> None:
    both = [client.load_balanced_view(targets=i).apply_async(pid) for i in client.ids]
    client.wait(both, timeout=20)
    with view.temp_flags(follow=both), pytest.raises(ipp.ImpossibleDependency):
        view.apply_async(pid).get(20)
    with view.temp_flags(follow=ipp.Dependency(both, all=False)):
        assert view.apply_async(pid).get(20) in [ar.get() for ar in both]


def test_flags_of_a_remote_function(client: ipp.Client, view) -> None:
    first = client.load_balanced_view(targets=1).apply_async(pid)

    @view.remote(block=True, follow=first, retries=1)
    def where() -> int:
        return pid()

    assert {where() for _ in range(4)} == {first.get(20)}
    with pytest.raises(ValueError, match="Invalid dependency"):
        view.remote(after=5)(pid)
    assert client.load_balanced_view(after=first, retries=2).apply_sync(abs, -1) == 1


# ---- timeout


def test_waiting_for_others_has_an_end(view: ipp.LoadBalancedView, go: Path) -> None:
    first = view.apply_async(when_there, str(go))
    with view.temp_flags(after=first, timeout=0.1):
        second = view.apply_async(abs, -1)
    with pytest.raises(ipp.DependencyTimeout) as info:
        second.get(20)
    assert isinstance(info.value, ipp.TaskTimeout)
    assert not first.ready()
    with view.temp_flags(after=first, timeout=60):
        third = view.apply_async(abs, -1)
    go.touch()
    assert third.get(20) == 1


# ---- retries


@pytest.mark.parametrize("times", [0, 1, 3])
def test_what_fails_is_tried_again(view: ipp.LoadBalancedView, tmp_path: Path, times) -> None:
    with view.temp_flags(retries=3):
        assert view.apply_async(fail_at_first, str(tmp_path), times).get(20) == times + 1


def test_there_are_no_more_retries_than_asked_for(view, tmp_path: Path) -> None:
    with view.temp_flags(retries=2):
        result = view.apply_async(fail_at_first, str(tmp_path), 10)
    with pytest.raises(ValueError, match="attempt 2"):
        result.get(20)
    assert len(list(tmp_path.iterdir())) == 3


# ---- what functions require


@pytest.fixture
def differing(client: ipp.Client):
    """Engines that differ: engine 1 has a name and a module that engine 0 does not have."""
    client[:].push({"special": False}, block=True)
    client[1].execute(
        "special = True\nimport sys, types\nsys.modules['only_there'] = types.ModuleType('x')",
        block=True,
    )
    yield client[1].apply_sync(pid)
    client[1].execute("del sys.modules['only_there']", block=True)


def test_depend_finds_the_engine(client: ipp.Client, view, differing: int) -> None:
    # a function of a module has the globals of that; one that was typed, the engine's
    where = ipp.depend(ipp.interactive(lambda name: globals()[name]), "special")(pid)
    results = [view.apply_async(where) for _ in range(10)]
    assert {ar.get(20) for ar in results} == {differing}
    for chunksize in (1, 4, "auto"):
        mapped = view.map_async(where, range(10), chunksize=chunksize)
        assert set(mapped.get(20)) == {differing}
        assert set(view.imap(where, range(10), chunksize=chunksize)) == {differing}


def test_require_finds_the_engine(client: ipp.Client, view, differing: int) -> None:
    where = ipp.require("only_there")(pid)
    assert {ar.get(20) for ar in [view.apply_async(where) for _ in range(10)]} == {differing}

    @view.remote(block=True)
    @ipp.require("only_there", "math", limit=5)
    @ipp.interactive
    def compute() -> float:
        return math.sqrt(limit * 5)  # noqa: F821

    assert compute() == 5


def test_what_is_met_nowhere_fails_and_says_so(view: ipp.LoadBalancedView) -> None:
    result = view.apply_async(ipp.require("no_such_module")(pid))
    with pytest.raises(ipp.ImpossibleDependency, match="no_such_module"):
        result.get(20)
    with pytest.raises(ipp.ImpossibleDependency):
        view.apply_async(ipp.depend(bool, 0)(pid)).get(20)
    assert view.apply_sync(abs, -1) == 1


def test_a_direct_view_does_not_look_elsewhere(client: ipp.Client) -> None:
    with pytest.raises(ipp.UnmetDependency):
        client[0].apply_async(ipp.require("no_such_module")(pid)).get(20)


# ---- what is told of them


def test_the_metadata_tell_what_a_task_depends_on(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    first = view.apply_async(abs, -1)
    any_of = ipp.Dependency([first], all=False)
    with view.temp_flags(after=first, follow=any_of):
        one = view.apply_async(abs, -2)
        several = view.map_async(abs, range(3))
    assert one.metadata["after"] == one.after == first.msg_ids  # before it has ended, too
    one.get()
    assert one.after == first.msg_ids
    assert one.follow == any_of.as_dict()
    assert several.after == [first.msg_ids] * 3
    assert view.apply_async(abs, -3).after == []
    assert client[0].apply_async(abs, -3).after is None


def test_a_dependency_that_grows_counts_as_it_is_then(client: ipp.Client) -> None:
    view = client.load_balanced_view()
    view.after = ipp.Dependency()
    first = view.apply_async(abs, -1)
    view.after.add(first.msg_ids[0])
    assert view.apply_async(abs, -2).after == first.msg_ids
