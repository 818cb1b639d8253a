"""Each wrong input gives one clear error, which says what was wrong, and nothing else is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from traitlets.config import Config

import ipyparallel as ipp


@pytest.fixture(autouse=True)
def still_works(client: ipp.Client) -> Iterator[None]:
    """Whatever went wrong, the client, its views and all engines work afterwards."""
    yield
    client.max_message_size = None
    assert client[:].apply_sync(lambda: 7) == [7, 7]
    assert client.load_balanced_view().apply_sync(lambda: 7) == 7
    assert client.outstanding == set()


Call = Callable[[ipp.Client], object]

CALLS: list[tuple[str, Call, type[Exception], str]] = [
    ("unknown engine", lambda c: c[99], IndexError, r"No such engine: 99 \(there are: 0, 1\)"),
    (
        "unknown engine, in a call",
        lambda c: c[:].push({"a": 1}, targets=99),
        IndexError,
        "No such engine: 99",
    ),
    (
        "unknown engine, to balance",
        lambda c: c.load_balanced_view(targets=[0, 99]),
        IndexError,
        "No such engine: 99",
    ),
    ("no targets", lambda c: c[[]].execute("1"), IndexError, r"the targets are \[\]"),
    ("no targets to push to", lambda c: c[0:0].push({"a": 1}), IndexError, "No engines to call"),
    ("no targets to map on", lambda c: c[[]].map(str, [1]), IndexError, "No engines to call"),
    ("target of a wrong type", lambda c: c["0"], TypeError, "'0'"),
    ("targets of a wrong type", lambda c: c[0, "x"], TypeError, "'x'"),
    ("a set of wrong targets", lambda c: c.direct_view({"x"}), TypeError, "'x'"),
    (
        "unpicklable argument",
        lambda c: c[:].apply_async(lambda x: x, threading.Lock()),
        TypeError,
        r"cannot pickle argument 0 \(a lock\)",
    ),
    (
        "unpicklable keyword",
        lambda c: c[:].apply_async(lambda x: x, x=threading.Lock()),
        TypeError,
        "argument 'x'",
    ),
    (
        "unpicklable function",
        lambda c: c[:].apply_async(threading.Lock().acquire),
        TypeError,
        "cannot pickle the function",
    ),
    (
        "unpicklable value to push",
        lambda c: c[:].push({"a": 1, "b": threading.Lock()}),
        TypeError,
        "'b'",
    ),
    (
        "unpicklable element of a map",
        lambda c: c.load_balanced_view().map_async(str, [threading.Lock(), 1]),
        TypeError,
        "cannot pickle argument 0",
    ),
    ("undefined name", lambda c: c[0].pull("nowhere", block=True), NameError, "'nowhere'"),
    ("a name that is none", lambda c: c[:].push({3: 1}), TypeError, "3 is no name"),
    ("a reference to no name", lambda c: ipp.Reference(3), TypeError, "3"),
    (
        "an undefined reference",
        lambda c: c[0].apply_sync(str, ipp.Reference("nowhere")),
        NameError,
        "nowhere",
    ),
    (
        "result that cannot be pickled",
        lambda c: c[0].apply_sync(threading.Lock),
        TypeError,
        "returned a lock, which cannot be pickled",
    ),
    ("no sequence to map", lambda c: c[:].map(str), TypeError, "at least one sequence"),
    ("something to map that is none", lambda c: c[:].map(str, 3), TypeError, "int"),
    ("nothing to call", lambda c: c[:].map(3, [1]), TypeError, "3"),
    ("nothing to apply", lambda c: c[:].apply_async(3), TypeError, "3"),
    (
        "sequences of different length",
        lambda c: c[:].parallel()(lambda a, b: a)([1, 2], [1]),
        ValueError,
        "length",
    ),
    ("a block flag that is not a bool", lambda c: c[:].set_flags(block=2), TypeError, "2"),
    ("a block argument that is not a bool", lambda c: c[:].pull("a", block="x"), TypeError, "'x'"),
    ("an unknown flag", lambda c: c[:].set_flags(blok=True), KeyError, "blok"),
    ("an unknown distribution", lambda c: c[:].scatter("a", [1], dist="x"), ValueError, "'x'"),
    ("a signal that is none", lambda c: c.send_signal("SIGFOO", block=True), Exception, "SIGFOO"),
    ("a job that is none", lambda c: c.wait(1.5), TypeError, "1.5"),
    ("a file that is not there", lambda c: c[:].run("/no/such.py"), OSError, "/no/such.py"),
]


@pytest.mark.parametrize(
    ("call", "kind", "text"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS]
)
def test_wrong_input_is_named(
    call: Call, kind: type[Exception], text: str, client: ipp.Client
) -> None:
    history = len(client.history)
    with pytest.raises(kind, match=text) as raised:
        call(client)
    if not isinstance(raised.value, ipp.RemoteError):
        assert len(client.history) == history  # nothing was sent


def test_there_are_no_engines(new_cluster) -> None:
    cluster = ipp.Cluster(n=0, log_level=40)
    with pytest.raises(ipp.NoEnginesRegistered, match="wait_for_engines"):
        with_controller_only(cluster)


def with_controller_only(cluster: ipp.Cluster) -> None:
    cluster.start_controller_sync()
    try:
        with cluster.connect_client_sync() as client:
            assert client.ids == []
            assert client[:0] is None
    finally:
        cluster.stop_cluster_sync()


@pytest.mark.parametrize("make", [list, tuple, np.array, iter, lambda items: range(0)])
def test_a_map_of_nothing_is_nothing(make, client: ipp.Client) -> None:
    assert client[:].map_sync(str, make([])) == []
    assert client[:].map_async(str, make([])) == []
    assert client.load_balanced_view().map_sync(str, make([])) == []


# ---- too large


def test_a_call_above_the_limit_is_refused_before_anything_is_sent(client: ipp.Client) -> None:
    client.max_message_size = 10_000
    for call in (
        lambda: client[:].push({"a": np.zeros(10_000)}),
        lambda: client[:].apply_async(len, b"x" * 20_000),
        lambda: client.load_balanced_view().apply_async(len, b"x" * 20_000),
        lambda: client[:].scatter("a", [b"x", b"x" * 20_000]),
        lambda: client[:].map_async(len, [b"x", b"x" * 20_000]),
        lambda: client.load_balanced_view().map_async(len, [b"x" * 20_000, b"x"]),
        lambda: client[:].execute("#" * 20_000),
    ):
        history = len(client.history)
        with pytest.raises(ipp.error.MessageTooLarge, match=r"Client.max_message_size is 10,000"):
            call()
        assert len(client.history) == history
    client.max_message_size = 0
    assert client[0].apply_sync(len, b"x" * 20_000) == 20_000


def test_a_result_above_the_limit_of_the_engine_is_refused_there(new_cluster) -> None:
    arguments = ["--IPEngine.max_message_size=10000"]
    config = Config({"LocalEngineSetLauncher": {"engine_args": arguments}})
    _, client = new_cluster(1, config=config)
    with pytest.raises(ipp.error.MessageTooLarge, match=r"IPEngine.max_message_size is 10,000"):
        client[0].apply_sync(lambda: b"x" * 20_000)
    assert client[0].apply_sync(lambda: b"x" * 5_000) == b"x" * 5_000


# ---- closed


def test_a_closed_client_says_so(client: ipp.Client) -> None:
    file = client.cluster.controller.connection_files["client"]
    closed = ipp.Client(file)
    view, balanced = closed[:], closed.load_balanced_view()
    closed.close()
    closed.close()
    for call in (
        lambda: view.apply_async(str),
        lambda: view.execute("1"),
        lambda: view.push({"a": 1}),
        lambda: view.map_async(str, [1]),
        lambda: balanced.apply_async(str),
        lambda: balanced.map_async(str, [1]),
        lambda: closed.clear(),
        lambda: closed.queue_status(),
    ):
        with pytest.raises(OSError, match="closed"):
            call()
