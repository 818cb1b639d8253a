"""The engines on disk, for a controller that is started again."""

import json
import logging

import pytest

from ipyparallel.controller.engine_table import EngineTable, EngineTableFile
from ipyparallel.controller.registry import Registry


@pytest.fixture
def file(tmp_path):
    return EngineTableFile(tmp_path / "engines.json", logging.getLogger("table"))


@pytest.fixture
def registry():
    registry = Registry()
    for uuid, native in (("a", True), ("b", False), ("c", True)):
        registry.register(uuid, native=native).ready = uuid != "c"
    return registry


def test_what_is_written_is_read(file, registry):
    file.write(registry)
    assert file.read() == EngineTable({"0": "a", "1": "b"}, 3, ["a"])
    assert file.read().ids() == {"a": 0, "b": 1}


def test_it_has_the_form_that_others_know(file, registry):
    file.write(registry)
    content = json.loads(file.path.read_text())
    assert content["engines"] == {"0": "a", "1": "b"}
    assert content["next_id"] == 3


def test_without_a_file_nobody_is_expected(file, caplog):
    assert file.read() == EngineTable()
    assert not caplog.records


@pytest.mark.parametrize("text", ["", "[]", '{"engines": {"x": "a"}}', "[" * 100_000], ids=len)
def test_what_makes_no_sense_is_ignored_and_said(file, text, caplog):
    file.path.write_text(text)
    assert file.read() == EngineTable()
    assert "is of no use" in caplog.text


def test_one_that_cannot_be_written_is_no_disaster(tmp_path, registry, caplog):
    EngineTableFile(tmp_path / "nowhere" / "x.json", logging.getLogger("table")).write(registry)
    assert "Cannot write" in caplog.text


def test_it_is_removed_once(file, registry):
    file.write(registry)
    file.remove()
    file.remove()
    assert not file.path.exists()
