"""What engines have, and tasks need, as dicts and as text."""

import math

import pytest

from ipyparallel.protocol.resources import check_resources, format_resources, parse_resources


@pytest.mark.parametrize("good", [{}, {"gpu": 1}, {"gpu": 0, "mem": 1.5, "a b": 3}])
def test_good_ones_are_returned_in_a_dict_of_their_own(good):
    checked = check_resources(good)
    assert checked == good
    assert checked is not good


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (None, TypeError, "None does not"),
        ([("gpu", 1)], TypeError, r"\[\('gpu', 1\)\] does not"),
        ({1: 1}, TypeError, "1 is not a name"),
        ({"": 1}, ValueError, "a name must not be empty"),
        ({" ": 1}, ValueError, "a name must not be empty"),
        ({"gpu": "1"}, TypeError, "'1', of 'gpu', is not a number"),
        ({"gpu": True}, TypeError, "True, of 'gpu', is not a number"),
        ({"gpu": None}, TypeError, "None, of 'gpu', is not a number"),
        ({"gpu": -1}, ValueError, "-1, of 'gpu', is not finite and at least 0"),
        ({"gpu": math.inf}, ValueError, "inf, of 'gpu', is not finite"),
        ({"gpu": math.nan}, ValueError, "nan, of 'gpu', is not finite"),
    ],
)
def test_bad_ones_are_refused_by_name(bad, error, said):
    with pytest.raises(error, match=said):
        check_resources(bad)


@pytest.mark.parametrize(
    ("text", "resources"),
    [
        ("gpu=1 mem=16", {"gpu": 1, "mem": 16}),
        ("gpu=1,mem=16", {"gpu": 1, "mem": 16}),
        (" gpu=1 , mem=0.5 ", {"gpu": 1, "mem": 0.5}),
        ("mem=1e3", {"mem": 1000}),
        ("", {}),
        ('{"gpu": 1}', {"gpu": 1}),
        (' [{"gpu": 1}, {}]', [{"gpu": 1}, {}]),
    ],
)
def test_text(text, resources):
    assert parse_resources(text) == resources


@pytest.mark.parametrize("text", ["gpu", "gpu=", "gpu=one", "gpu=1;mem=2", "gpu = 1"])
def test_what_is_not_such_a_text(text):
    with pytest.raises(ValueError, match="resources are given as 'name=number'"):
        parse_resources(text)


def test_json_that_is_none():
    with pytest.raises(ValueError, match="is not JSON"):
        parse_resources('{"gpu": ')


def test_a_text_that_was_made_is_read_again():
    resources = {"gpu": 1, "mem": 0.5}
    assert format_resources(resources) == "gpu=1 mem=0.5"
    assert parse_resources(format_resources(resources)) == resources
    assert format_resources({}) == ""
