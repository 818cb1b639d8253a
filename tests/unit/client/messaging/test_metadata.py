"""What is known about a task is a dict, with attributes, and with these keys only."""

import copy
import pickle

import pytest

from ipyparallel.client.messaging.metadata import Metadata

KEYS = {
    *("msg_id", "submitted", "started", "completed", "received", "engine_uuid", "engine_id"),
    *("follow", "after", "status", "execute_input", "execute_result", "error"),
    *("stdout", "stderr", "outputs", "data", "label"),
}


def test_all_keys_are_there_from_the_beginning():
    metadata = Metadata()
    assert metadata.keys() == KEYS
    assert {key: value for key, value in metadata.items() if value is not None} == {
        "stdout": "",
        "stderr": "",
        "outputs": [],
        "data": {},
    }


def test_outputs_are_not_shared_between_tasks():
    one, other = Metadata(), Metadata()
    one.outputs.append(1)
    one.data["a"] = 1
    assert (other.outputs, other.data) == ([], {})


def test_keys_are_attributes():
    metadata = Metadata(msg_id="1", label="a")
    assert (metadata.msg_id, metadata["msg_id"], metadata.label) == ("1", "1", "a")
    metadata.status = "ok"
    assert metadata["status"] == "ok"


def test_an_unknown_key_is_refused():
    metadata = Metadata()
    with pytest.raises(KeyError, match="colour"):
        metadata["colour"] = "red"
    with pytest.raises(KeyError, match="colour"):
        metadata["colour"]
    with pytest.raises(AttributeError, match="colour"):
        metadata.colour
    with pytest.raises(KeyError, match="colour"):
        metadata.colour = "red"
    assert metadata.keys() == KEYS


def test_update_adds_keys_all_the_same():
    metadata = Metadata()
    metadata.update(is_broadcast=True)
    assert metadata.is_broadcast
    metadata["is_broadcast"] = False
    assert metadata.is_broadcast is False


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_it_can_be_copied_and_pickled(duplicate):
    metadata = Metadata(msg_id="1", stdout="text")
    metadata.update(is_broadcast=True)
    twin = duplicate(metadata)
    assert twin == metadata
    assert type(twin) is Metadata
    assert twin is not metadata
