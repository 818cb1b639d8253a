"""Engines of another Python: what is told when they are met, and when a call fails."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import ipyparallel as ipp
from ipyparallel.error import VersionMismatchWarning
from ipyparallel.serialize.bytecode import ForeignBytecode
from tests.support.processes import Controller, Engines

#: An engine that takes itself for one of another Python.
OTHER = "3.99.1"
_SCRIPT = f"""
import platform, sys
platform.python_version = lambda: {OTHER!r}
from ipyparallel.engine.app import main
main(sys.argv[1:])
"""


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(tmp_path)
    yield controller
    controller.end()


@pytest.fixture
def other(tmp_path: Path, controller: Controller) -> Iterator[Engines]:
    engines = Engines(
        tmp_path, controller.engine_file, "--IPEngine.id=1", command=(sys.executable, "-c", _SCRIPT)
    )
    engines.wait_ready()
    yield engines
    engines.end()


def test_a_client_that_connects_is_warned_and_errors_say_why(
    tmp_path: Path, controller: Controller, other: Engines
) -> None:
    same = Engines(tmp_path, controller.engine_file, "--IPEngine.id=0")
    same.wait_ready()
    try:
        with pytest.warns(VersionMismatchWarning, match=f"engine 1 has Python {OTHER}") as caught:
            client = ipp.Client(str(controller.client_file))
        assert [w.filename for w in caught] == [__file__]
        with client:
            client.wait_for_engines(2, timeout=20)
            with pytest.raises(AttributeError) as raised:
                client[1].apply_sync(getattr, 1, "nothing")
            assert f"engine 1 has Python {OTHER}" in raised.value.__notes__[-1]
            with pytest.raises(AttributeError) as raised:
                client[0].apply_sync(getattr, 1, "nothing")
            assert not any(OTHER in note for note in raised.value.__notes__)
            balanced = client.load_balanced_view(targets=1).apply_async(os._exit, 1)
            with pytest.raises(ipp.EngineError, match="died") as raised_here:
                balanced.get(20)
            assert OTHER in raised_here.value.__notes__[-1]
    finally:
        same.end()


def test_an_engine_that_comes_later_is_warned_of(tmp_path: Path, controller: Controller) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ipp.Client(str(controller.client_file)) as client:
            assert client.get_versions(check=True)["engines"] == {}
            engines = Engines(
                tmp_path,
                controller.engine_file,
                "--n=2",
                command=(sys.executable, "-c", _SCRIPT),
            )
            try:
                client.wait_for_engines(2, timeout=20)
                versions = client.get_versions()
                with pytest.raises(
                    VersionMismatchWarning, match=f"engines 0-1 have Python {OTHER}"
                ):
                    client.get_versions(check=True)
                direct = client[0].apply_async(os._exit, 1)
                with pytest.raises(ipp.EngineError, match="died") as raised:
                    direct.get(20)
            finally:
                engines.end()
    (warning,) = caught
    assert warning.category is VersionMismatchWarning
    assert f"has Python {OTHER}" in str(warning.message)
    assert OTHER in raised.value.__notes__[-1]
    assert versions["client"]["python"] == versions["controller"]["python"]
    assert versions["client"]["python"] == platform.python_version()
    assert {v["python"] for v in versions["engines"].values()} == {OTHER}
    assert any(line.startswith("* python") for line in repr(versions).splitlines())


def test_of_a_client_whose_warnings_are_errors_the_engine_is_there_all_the_same(
    tmp_path: Path, controller: Controller, caplog: pytest.LogCaptureFixture
) -> None:
    with ipp.Client(str(controller.client_file)) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        engines = Engines(tmp_path, controller.engine_file, command=(sys.executable, "-c", _SCRIPT))
        try:
            client.wait_for_engines(1, timeout=20)
            assert client[0].apply_sync(abs, -1) == 1
        finally:
            engines.end()
    assert "VersionMismatchWarning" in caplog.text


@pytest.mark.skipif(
    "IPP_OTHER_PYTHON" not in os.environ,
    reason="IPP_OTHER_PYTHON does not name a Python of another version with ipykernel",
)
def test_bytecode_of_another_python_is_told(tmp_path: Path, controller: Controller) -> None:
    engines = Engines(
        tmp_path,
        controller.engine_file,
        command=(os.environ["IPP_OTHER_PYTHON"], "-m", "ipyparallel.engine"),
    )
    try:
        engines.wait_ready()
        with pytest.warns(VersionMismatchWarning, match="engine 0 has Python"):
            client = ipp.Client(str(controller.client_file))
        with client:
            client.wait_for_engines(1, timeout=20)
            with pytest.raises(ForeignBytecode, match=r"cannot load .*bytecode of Python 3\.\d+"):
                client[0].apply_sync(lambda n: [i + 1 for i in range(n)], 3)
            client[0].execute("class A:\n def f(self): pass", block=True)
            with pytest.raises(ForeignBytecode, match=r"cannot load A\.f"):
                client[0].pull("A", block=True)
            assert client[0].apply_sync(abs, -1) == 1
    finally:
        engines.end()
