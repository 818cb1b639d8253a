"""The history remembers the last ids in little room, and looks like a list of texts."""

import pytest

from ipyparallel.client.messaging.history import LIMIT, History


@pytest.fixture
def history():
    history = History("s_1_")
    for number in (0, 1, 5):
        history.append(f"s_1_{number}")
    return history


def test_ids_come_back_as_they_were(history):
    assert list(history) == ["s_1_0", "s_1_1", "s_1_5"]
    assert len(history) == 3


@pytest.mark.parametrize(
    ("index", "ids"),
    [
        (0, "s_1_0"),
        (-1, "s_1_5"),
        (slice(-2, None), ["s_1_1", "s_1_5"]),
        (slice(None, None, -1), ["s_1_5", "s_1_1", "s_1_0"]),
    ],
)
def test_it_is_indexed_as_a_list(index, ids, history):
    assert history[index] == ids


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_that_is_not_there_is_an_index_error(index, history):
    with pytest.raises(IndexError):
        history[index]


def test_it_equals_the_list_of_its_ids(history):
    assert history == ["s_1_0", "s_1_1", "s_1_5"]
    assert [*history] == history
    assert history != ["s_1_0"]
    assert history != ("s_1_0", "s_1_1", "s_1_5")
    assert repr(history) == repr(list(history))
    assert "s_1_1" in history
    assert "s_1_2" not in history
    assert history.index("s_1_5") == 2


def test_cleared_it_is_empty_and_goes_on(history):
    history.clear()
    assert history == []
    assert not history
    history.append("s_1_7")
    assert history == ["s_1_7"]


def test_the_oldest_are_forgotten():
    history = History("p", limit=100)
    longest = 0
    for number in range(1000):
        history.append(f"p{number}")
        longest = max(longest, len(history))
        assert len(history) >= min(number + 1, 100)
        assert history[-1] == f"p{number}"
    assert longest <= 110
    assert history == [f"p{number}" for number in range(1000 - len(history), 1000)]


def test_an_id_takes_eight_bytes():
    history = History("p" * 100)
    history.append("p" * 100 + str(2**63))
    assert history._numbers.itemsize * LIMIT < 1_000_000
    assert history[0].endswith(str(2**63))
