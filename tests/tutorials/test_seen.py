"""Expectations find what is wrong, and only that."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.tutorials.checks import metadata, parts, slept
from tests.support.tutorials.seen import Expected, Seen, same_as, without_escapes

RAISED = Seen(text="Traceback\nValueError: no", errors=["ValueError", "Exception"])


def problems(expected: Expected, seen: Seen, earlier: Mapping[int, Seen] | None = None) -> int:
    return len(expected.problems(seen, earlier or {}))


def test_no_error_is_expected_unless_told() -> None:
    assert problems(Expected(""), Seen("5", "5")) == 0
    assert problems(Expected(""), RAISED) == 1
    assert problems(Expected(""), Seen("Traceback (most recent call last):")) == 1
    assert problems(Expected("", traceback=True), Seen("Traceback (most recent call last):")) == 0


def test_an_error_must_have_all_names() -> None:
    assert problems(Expected("", raises=("Exception", "ValueError")), RAISED) == 0
    assert problems(Expected("", raises=("ValueError", "KeyError")), RAISED) == 1
    assert problems(Expected("", raises=("ValueError",)), Seen("5", "5")) == 1


def test_an_error_may_be_left_to_chance() -> None:
    expected = Expected("", value=3, may_raise=("ValueError",))
    assert problems(expected, RAISED) == 0
    assert problems(expected, Seen("3", "3")) == 0
    assert problems(expected, Seen("4", "4")) == 1
    assert problems(expected, Seen("", errors=["KeyError"])) == 2


def test_values() -> None:
    assert problems(Expected("", value=[1, 2]), Seen(value="[1,\n 2]")) == 0
    assert problems(Expected("", value=[1, 2]), Seen(value="[1, 3]")) == 1
    assert problems(Expected("", value=[1, 2]), Seen(value="<object>")) == 1
    assert problems(Expected("", value=[1, 2]), Seen()) == 1
    assert problems(Expected("", value=None), Seen()) == 0
    assert problems(Expected("", value=None), Seen(value="1")) == 1


def test_texts_are_patterns_over_lines() -> None:
    seen = Seen("[0] one\n[1] two")
    assert problems(Expected("", texts=(r"\[0\].*two", "^.1")), seen) == 0
    assert problems(Expected("", texts=("one$", "three", "four")), seen) == 2


def test_the_value_of_an_earlier_cell_up_to_rounding() -> None:
    earlier = {3: Seen(value="array([1.00000001, 2e-3])")}
    expected = Expected("", holds=same_as(3))
    assert problems(expected, Seen(value="array([1.0, 0.002])"), earlier) == 0
    assert problems(expected, Seen(value="array([1.1, 0.002])"), earlier) == 1
    assert problems(expected, Seen(value="([1.0, 0.002])"), earlier) == 1
    assert problems(expected, Seen(), earlier) == 1
    assert problems(expected, Seen(value="5"), {}) == 1


def test_parts_may_be_ranges_lists_or_texts_of_them() -> None:
    expected = Expected("", holds=parts([[0, 1], [2]]))
    assert problems(expected, Seen(value="[range(0, 2), range(2, 3)]")) == 0
    assert problems(expected, Seen(value="[[0, 1], [2]]")) == 0
    assert problems(expected, Seen(value="['[0, 1]', 'range(2, 3)']")) == 0
    assert problems(expected, Seen(value="[[0, 1], [3]]")) == 1
    assert problems(expected, Seen(value="<object>")) == 1


def test_durations() -> None:
    assert problems(Expected("", holds=slept(2, times=2)), Seen(value="[2.01, 2.5]")) == 0
    assert problems(Expected("", holds=slept(2, times=2)), Seen(value="[0.5, 2.5]")) == 1
    assert problems(Expected("", holds=slept(2, times=2)), Seen(value="[2.5]")) == 1


def test_metadata_must_be_complete() -> None:
    expected = metadata("", results=1)
    shown = "{" + ", ".join(f"'{key}': 0" for key in ("msg_id", "engine_id")) + ", 'status': 'ok'}"
    found = expected.problems(Seen(shown, shown), {})
    assert len(found) == 1
    assert "submitted" in found[0]


def test_commands_to_the_terminal_are_taken_out() -> None:
    assert without_escapes("\x1b[31mred\x1b[0m\x1b[?2004h\x1b]0;title\x07!") == "red!"
