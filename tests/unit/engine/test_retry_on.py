"""Which errors are worth another try."""

from __future__ import annotations

import subprocess

import pytest

from ipyparallel.engine.apply import is_one_of


class Outer:
    class Failed(LookupError):
        """One of a nested class."""


@pytest.mark.parametrize(
    ("error", "names", "expected"),
    [
        (ValueError(), ["builtins.ValueError"], True),
        (UnicodeError(), ["builtins.ValueError"], True),
        (ValueError(), ["builtins.UnicodeError"], False),
        (ValueError(), ["builtins.KeyError", "builtins.ValueError"], True),
        (ValueError(), [], False),
        (ValueError(), ["ValueError"], False),
        (subprocess.CalledProcessError(1, "x"), ["subprocess.SubprocessError"], True),
        (Outer.Failed(), [f"{__name__}.Outer.Failed"], True),
        (Outer.Failed(), ["builtins.Exception"], True),
        (KeyboardInterrupt(), ["builtins.Exception"], False),
    ],
)
def test_by_the_names_of_its_classes(error, names, expected):
    assert is_one_of(error, names) is expected
