"""Port numbers from text, and in sequence."""

from itertools import islice

import pytest

from ipyparallel.controller.ports import parse_ports, sequence


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("", []),
        (" , ", []),
        ("10101", [10101]),
        ("10101-10103", [10101, 10102, 10103]),
        ("10101-10102, 10108,9", [10101, 10102, 10108, 9]),
        ("5-5", [5]),
        ("1 - 2", [1, 2]),
        ("1,65535", [1, 65535]),
    ],
)
def test_ports_are_numbers_and_ranges(text, ports):
    assert parse_ports(text) == ports


@pytest.mark.parametrize("text", ["http", "1-2-3", "-5", "1.5", "1;2"])
def test_what_is_not_of_that_form_is_named(text):
    with pytest.raises(ValueError, match="ports must be given like") as raised:
        parse_ports(text)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize("text", ["0", "65536", "5-3", "0-3", "65530-65536", "1-99999999999"])
def test_numbers_no_port_has_are_named(text):
    with pytest.raises(ValueError, match="1 to 65535, in ascending order") as raised:
        parse_ports(f"1,{text}")
    assert repr(text) in str(raised.value)


def test_after_the_given_ports_any_free_one():
    assert list(islice(sequence([5, 3]), 5)) == [5, 3, 0, 0, 0]
    assert list(islice(sequence(), 2)) == [0, 0]
