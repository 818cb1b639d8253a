"""A client is answered once its token was seen on every channel."""

import pytest

from ipyparallel.controller.tokens import PREFIX, Tokens


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def calls():
    return []


def expect(tokens, token, calls):
    tokens.expect(token, lambda: calls.append(token))


@pytest.mark.parametrize(
    "order",
    [
        ("expect", "notify", "output"),
        ("notify", "expect", "output"),
        ("output", "notify", "expect"),
        ("notify", "notify", "output", "expect"),
    ],
)
def test_the_answer_comes_with_the_last_of_the_three(order, tokens, calls):
    for step in order:
        assert calls == []
        if step == "expect":
            expect(tokens, "t", calls)
        else:
            tokens.seen(step, PREFIX + b"t")
    assert calls == ["t"]


def test_a_client_without_token_is_answered_at_once(tokens, calls):
    expect(tokens, "", calls)
    assert calls == [""]


def test_it_is_answered_once(tokens, calls):
    expect(tokens, "t", calls)
    for _ in range(2):
        tokens.seen("notify", PREFIX + b"t")
        tokens.seen("output", PREFIX + b"t")
    assert calls == ["t"]


def test_each_token_is_for_one_client(tokens, calls):
    expect(tokens, "a", calls)
    expect(tokens, "b", calls)
    tokens.seen("notify", PREFIX + b"a")
    tokens.seen("output", PREFIX + b"b")
    assert calls == []
    tokens.seen("output", PREFIX + b"a")
    assert calls == ["a"]


def test_other_subscriptions_are_no_tokens(tokens, calls):
    expect(tokens, "t", calls)
    for channel in ("notify", "output"):
        tokens.seen(channel, b"")
        tokens.seen(channel, b"t")
        tokens.seen(channel, b"engine.0.stdout")
    assert calls == []


def test_a_client_that_went_is_not_answered_and_leaves_nothing(tokens, calls):
    expect(tokens, "t", calls)
    tokens.seen("notify", PREFIX + b"t")
    tokens.gone(PREFIX + b"t")
    tokens.seen("output", PREFIX + b"t")
    assert calls == []
    tokens.gone(PREFIX + b"t")
    assert (tokens._seen, tokens._waiting) == ({}, {})


def test_an_answered_token_leaves_nothing(tokens, calls):
    expect(tokens, "t", calls)
    tokens.seen("notify", PREFIX + b"t")
    tokens.seen("output", PREFIX + b"t")
    assert (tokens._seen, tokens._waiting) == ({}, {})


def test_bytes_that_are_no_text_do_no_harm(tokens, calls):
    tokens.seen("notify", PREFIX + b"\xff")
    tokens.gone(PREFIX + b"\xff")
    assert tokens._seen == {}
