"""Prefixes, newlines and carriage returns."""

import pytest

from ipyparallel.client.display.text import Prefixes
from ipyparallel.client.messaging.recording import overwritten


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("plain\n", "plain\n"),
        ("\r0%\r50%\r100%\n", "100%\n"),
        ("kept\n10%\r20%", "kept\n20%"),
        ("windows\r\nlines\r\n", "windows\r\nlines\r\n"),
        ("10%\r", "10%\r"),
        ("a\r\rb", "b"),
        ("", ""),
    ],
)
def test_a_carriage_return_overwrites_its_line(written: str, seen: str) -> None:
    assert overwritten(written) == seen


def test_a_bar_that_is_written_in_parts_looks_as_if_written_at_once() -> None:
    text = ""
    for part in ("\r 10%", "\r 20%", "\r100%\n", "done\n"):
        text = overwritten(text + part)
    assert text == "100%\ndone\n"


def show(*writes: tuple[str, str], one_screen: bool = True) -> str:
    prefixes = Prefixes(one_screen)
    return "".join(
        prefixes.before_text(label, "stderr" if "err" in label else "stdout", text)
        for label, text in writes
    )


def test_a_prefix_is_on_a_line_of_its_own() -> None:
    assert show(("[stdout:0]", "a\n"), ("[stdout:1]", "b\n")) == (
        "[stdout:0] \na\n[stdout:1] \nb\n"
    )


def test_consecutive_output_has_one_prefix() -> None:
    assert show(("[stdout:0]", "a\n"), ("[stdout:0]", "b\n")) == "[stdout:0] \na\nb\n"


def test_a_prefix_ends_the_line_before() -> None:
    assert show(("[stdout:0]", "a"), ("[stderr:0]", "b"), ("[stdout:0]", "c\n")) == (
        "[stdout:0] \na\n[stderr:0] \nb\n[stdout:0] \nc\n"
    )


def test_the_end_of_a_line_that_was_ended_already_is_not_shown_again() -> None:
    # print() writes text and newline apart; two engines that do so at once
    writes = [("[stdout:0]", "1"), ("[stdout:1]", "1"), ("[stdout:0]", "\n"), ("[stdout:1]", "\n")]
    assert show(*writes) == "[stdout:0] \n1\n[stdout:1] \n1\n"


def test_an_empty_line_is_shown_where_no_line_was_cut() -> None:
    assert show(("[stdout:0]", "a\n"), ("[stdout:1]", "b\n"), ("[stdout:0]", "\nc\n")) == (
        "[stdout:0] \na\n[stdout:1] \nb\n[stdout:0] \n\nc\n"
    )


def test_without_prefixes_text_is_as_it_is() -> None:
    assert show(("", "a"), ("", "b\n")) == "ab\n"


def test_something_else_begins_a_line() -> None:
    prefixes = Prefixes()
    prefixes.before_text("[stdout:0]", "stdout", "a")
    assert prefixes.before_other("stderr") == "\n"
    assert prefixes.before_other("stderr") == ""
    assert prefixes.before_text("[stdout:0]", "stdout", "b") == "[stdout:0] \nb"


def test_streams_in_places_of_their_own_do_not_end_each_others_lines() -> None:
    prefixes = Prefixes(one_screen=False)
    prefixes.before_text("[stdout:0]", "stdout", "a")
    assert prefixes.before_other("stderr") == ""
