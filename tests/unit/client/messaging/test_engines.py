"""The client's table of engines, and waiting for it to change."""

import threading

import pytest

from ipyparallel.client.messaging.engines import EngineEvent, EngineTable


@pytest.fixture
def table():
    table = EngineTable()
    table.add(3, "u3", True)
    table.add(0, "u0", False)
    return table


def test_engines_are_listed_by_id(table):
    assert (table.ids, len(table)) == ([0, 3], 2)
    assert table.uuids == {0: "u0", 3: "u3"}
    assert (table.uuid(3), table.id_of("u3")) == ("u3", 3)


def test_one_that_is_not_there_is_not_found(table):
    with pytest.raises(KeyError):
        table.uuid(1)
    assert table.id_of("u1") is None


def test_lists_are_copies(table):
    table.ids.append(9)
    table.uuids[9] = "u9"
    assert table.ids == [0, 3]
    assert 9 not in table.uuids


def test_engines_of_another_version_are_known(table):
    assert table.foreign == {"u0"}
    table.remove(0, "u0")
    assert table.foreign == frozenset()


def test_one_that_went_is_forgotten(table):
    table.remove(3, "u3")
    assert (table.ids, table.id_of("u3")) == ([0], None)


def test_whoever_asks_is_told_once_of_each_change(table):
    events = []
    table.callbacks.append(events.append)
    table.add(5, "u5", True)
    table.add(5, "u5", True)
    table.remove(5, "another uuid")
    table.remove(5, "u5", "killed by SIGKILL")
    table.remove(5, "u5")
    assert events == [
        EngineEvent("register", 5, "u5"),
        EngineEvent("unregister", 5, "u5", "killed by SIGKILL"),
    ]


def test_the_table_is_up_to_date_when_the_change_is_told(table):
    seen = []
    table.callbacks.append(lambda event: seen.append((event.event, table.ids)))
    table.add(1, "u1", True)
    table.remove(1, "u1")
    assert seen == [("register", [0, 1, 3]), ("unregister", [0, 3])]


def test_a_callback_may_take_itself_away(table):
    calls = []

    def once(event):
        calls.append(event.id)
        table.callbacks.remove(once)

    table.callbacks += [once, lambda event: calls.append(-event.id)]
    table.add(1, "u1", True)
    table.add(2, "u2", True)
    assert calls == [1, -1, -2]


# ---- waiting


def test_what_is_so_already_is_not_waited_for(table):
    assert table.wait_for(lambda: True, 0)
    assert not table.wait_for(lambda: False, 0)


def test_waiting_ends_in_time(table):
    asked = []
    assert not table.wait_for(lambda: asked.append(1), 0.05)
    assert len(asked) == 2  # before the wait, and after it


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        (lambda t: t.add(1, "u1", True), lambda t: len(t) == 3),
        (lambda t: t.remove(0, "u0"), lambda t: len(t) == 1),
    ],
    ids=["came", "went"],
)
@pytest.mark.parametrize("timeout", [None, 30])
def test_each_change_is_looked_at(change, enough, timeout, table):
    asked = threading.Event()

    def look():
        asked.set()
        return enough(table)

    def later():
        asked.wait(30)
        change(table)

    thread = threading.Thread(target=later)
    thread.start()
    assert table.wait_for(look, timeout)
    thread.join()


def test_those_who_wait_can_be_woken(table):
    asked, over = threading.Event(), threading.Event()

    def look():
        asked.set()
        return over.is_set()

    def later():
        asked.wait(30)
        over.set()
        table.wake()

    thread = threading.Thread(target=later)
    thread.start()
    assert table.wait_for(look, 30)
    thread.join()
