"""Ids for engines, and when an engine is ready."""

import pytest

from ipyparallel.controller.registry import CHANNELS, RegistrationError, Registry


@pytest.fixture
def registry():
    return Registry()


def ids(registry, *requests):
    first = len(list(registry.coming)) + len(registry.ready)
    return [registry.register(f"u{first + n}", r).id for n, r in enumerate(requests)]


@pytest.mark.parametrize(
    ("requests", "given"),
    [
        ([None, None, None], [0, 1, 2]),
        ([5, None, None], [5, 0, 1]),
        ([1, None, None, None], [1, 0, 2, 3]),
        ([3, 3], [3, 0]),  # taken
        ([-1, None], [0, 1]),
        ([2, 0, 1, None], [2, 0, 1, 3]),
    ],
)
def test_an_id_is_given_as_requested_if_free_else_by_count(requests, given, registry):
    assert ids(registry, *requests) == given


def test_an_id_given_by_count_is_not_given_again(registry):
    registry.register("a")
    registry.remove("a")
    assert registry.register("b").id == 1


def test_an_engine_that_comes_back_gets_its_id_if_it_asks(registry):
    registry.register("a")
    registry.remove("a")
    assert registry.register("b", 0).id == 0


def test_a_uuid_in_use_is_refused(registry):
    registry.register("a")
    with pytest.raises(RegistrationError, match="uuid 'a' in use"):
        registry.register("a")


def test_an_engine_without_uuid_is_refused(registry):
    with pytest.raises(RegistrationError, match="needs a uuid"):
        registry.register("")


def test_resources_are_kept(registry):
    assert registry.register("a", resources={"gpu": 1}).resources == {"gpu": 1}
    assert registry.register("b").resources == {}


def test_an_engine_whose_resources_make_no_sense_is_refused(registry):
    with pytest.raises(RegistrationError, match="-1, of 'gpu', is not finite and at least 0"):
        registry.register("a", resources={"gpu": -1})
    assert "a" not in registry


def test_an_engine_of_ours_is_ready_when_reached_on_every_channel(registry):
    engine = registry.register("a", native=True)
    assert registry.coming == [engine]
    *first, last = sorted(CHANNELS)
    assert [registry.reached("a", channel) for channel in [*first, *first]] == [False] * 4
    assert registry.ready == []
    assert registry.reached("a", last)
    assert (registry.ready, registry.coming) == ([engine], [])
    assert not registry.reached("a", last)  # only once


def test_a_beat_does_not_make_an_engine_of_ours_ready(registry):
    registry.register("a", native=True)
    assert not registry.beat("a")
    assert registry.ready == []


def test_a_published_engine_is_ready_at_its_first_beat(registry):
    engine = registry.register("a")
    assert registry.beat("a")
    assert registry.ready == [engine]
    assert not registry.beat("a")


def test_what_strangers_report_is_ignored(registry):
    assert not registry.reached("x", "mux")
    assert not registry.beat("x")
    assert registry.remove("x") is None


def test_engines_are_found_by_uuid_and_by_id(registry):
    engine = registry.register("a", 7)
    assert "a" in registry
    assert registry.get("a") is engine
    assert registry.by_id(7) is engine
    assert registry.remove("a") is engine
    assert "a" not in registry
    assert registry.get("a") is None
    assert registry.by_id(7) is None


def test_ready_engines_are_listed_by_id(registry):
    for uuid, number in (("a", 3), ("b", 1), ("c", 2)):
        registry.register(uuid, number)
        registry.beat(uuid)
    assert [engine.id for engine in registry.ready] == [1, 2, 3]
