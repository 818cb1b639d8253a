"""What one package writes in the published form, the other reads, and finds the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import pickles
from tests.support.processes import our_environment, peer_environment

pytestmark = pytest.mark.interop

#: Cases of which the two packages do not say the same.
OUR_OWN = {
    "closure of an array": "only ours can write it",
    "unmet": "ours says of what",
    "required and missing": "ours says why",
}


@pytest.fixture(scope="module")
def results(
    peer_python: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Any]]:
    """What was read, by who wrote it and who read it."""
    folder = tmp_path_factory.mktemp("pickles")
    sides = {
        "ours": (sys.executable, our_environment()),
        "theirs": (peer_python, peer_environment(folder)),
    }

    def run(side: str, do: str, file: Path) -> str:
        python, env = sides[side]
        return subprocess.run(
            [python, pickles.__file__, do, str(file)],
            env=env,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    for writer in sides:
        run(writer, "write", folder / writer)
    return {
        (writer, reader): json.loads(run(reader, "read", folder / writer))
        for writer in sides
        for reader in sides
    }


@pytest.mark.parametrize("case", [*sorted(pickles.CASES.keys() - OUR_OWN.keys()), "a call"])
@pytest.mark.parametrize(
    ("writer", "reader"), [("ours", "theirs"), ("theirs", "ours"), ("ours", "ours")]
)
def test_the_same_is_read(
    writer: str, reader: str, case: str, results: dict[tuple[str, str], dict[str, Any]]
) -> None:
    expected = results["theirs", "theirs"][case]
    assert not str(expected).startswith(("TypeError", "AttributeError"))  # the case works at all
    assert results[writer, reader][case] == expected


@pytest.mark.parametrize("reader", ["ours", "theirs"])
def test_an_array_in_a_closure(reader: str, results: dict[tuple[str, str], dict[str, Any]]) -> None:
    name, _, called = results["ours", reader]["closure of an array"]
    assert (name, called[2]) == ("add", [300])


@pytest.mark.parametrize("writer", ["ours", "theirs"])
@pytest.mark.parametrize("reader", ["ours", "theirs"])
def test_unmet_dependencies(
    writer: str, reader: str, results: dict[tuple[str, str], dict[str, Any]]
) -> None:
    told = results[writer, reader]
    assert told["unmet"].startswith("UnmetDependency: ")
    assert told["required and missing"].startswith("UnmetDependency: no_such_module")
